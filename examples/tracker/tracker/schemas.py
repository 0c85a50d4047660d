from typing import List, Optional

from pydantic import BaseModel, Field, root_validator, validator

STATUSES = ("open", "in progress", "review", "done", "rejected")


class UserCreate(BaseModel):
    name: str = Field(..., min_length=3, max_length=80)
    email: str
    password: str

    @validator("email")
    def email_has_an_at(cls, v):
        if "@" not in v:
            raise ValueError("that is no address")
        return v.lower()


class UserOut(BaseModel):
    id: int
    name: str
    admin: bool

    class Config:
        from_attributes = True


class Credentials(BaseModel):
    name: str
    password: str


class ProjectCreate(BaseModel):
    key: str = Field(..., pattern="^[A-Z]{2,10}$")
    name: str


class ProjectOut(BaseModel):
    id: int
    key: str
    name: str
    archived: bool

    class Config:
        from_attributes = True


class MemberIn(BaseModel):
    user: str
    role: str = "developer"

    @validator("role")
    def role_is_known(cls, v):
        if v not in ("developer", "lead", "viewer"):
            raise ValueError("no such role")
        return v


class IssueCreate(BaseModel):
    title: str
    text: str = ""
    priority: int = Field(3, ge=1, le=5)
    assignee: Optional[str] = None

    @validator("title")
    def title_says_something(cls, v):
        if not v.strip():
            raise ValueError("a title says something")
        return v.strip()


class IssueUpdate(BaseModel):
    title: Optional[str] = None
    text: Optional[str] = None
    priority: Optional[int] = Field(None, ge=1, le=5)
    status: Optional[str] = None
    assignee: Optional[str] = None

    @root_validator(skip_on_failure=True)
    def something_changes(cls, values):
        if all(value is None for value in values.values()):
            raise ValueError("nothing to change")
        return values


class IssueOut(BaseModel):
    key: str
    title: str
    text: str
    status: str
    priority: int
    reporter: str
    assignee: Optional[str] = None


class CommentIn(BaseModel):
    text: str


class CommentOut(BaseModel):
    id: int
    author: str
    text: str


class Hours(BaseModel):
    hours: float = Field(..., gt=0, le=24)


class BulkUpdate(BaseModel):
    keys: List[str]
    status: str
