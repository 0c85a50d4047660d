from typing import Optional

from pydantic import BaseModel, ConfigDict, Field


class AuthorIn(BaseModel):
    handle: str = Field(pattern=r"^[a-z0-9_]{3,40}$")
    name: str
    email: str
    password: str


class Login(BaseModel):
    handle: str
    password: str


class AuthorOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    handle: str
    name: str
    bio: str


class ProfileIn(BaseModel):
    name: Optional[str] = None
    bio: Optional[str] = None


class PostIn(BaseModel):
    title: str
    body: str
    link: Optional[str] = None
    tags: list[str] = []


class PostUpdate(BaseModel):
    title: Optional[str] = None
    body: Optional[str] = None
    tags: Optional[list[str]] = None


class PostOut(BaseModel):
    id: int
    slug: str
    title: str
    body: str
    published: bool
    likes: int
    author: str
    tags: list[str]
    preview: Optional[str] = None


class CommentIn(BaseModel):
    text: str


class CommentOut(BaseModel):
    id: int
    text: str
    author: str
    approved: bool
