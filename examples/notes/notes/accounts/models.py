"""Users."""

from datetime import UTC, datetime

from sqlmodel import Field, SQLModel


def now() -> datetime:
    return datetime.now(UTC)


class UserBase(SQLModel):
    email: str = Field(max_length=254, unique=True, index=True)
    full_name: str = Field(default="", max_length=120)


class User(UserBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    password_hash: str
    is_active: bool = True
    created_at: datetime = Field(default_factory=now)


class UserCreate(UserBase):
    password: str = Field(min_length=12, max_length=72)


class UserPublic(UserBase):
    id: int


class UserUpdate(SQLModel):
    full_name: str | None = Field(default=None, max_length=120)


class Token(SQLModel):
    access_token: str
    token_type: str = "bearer"
