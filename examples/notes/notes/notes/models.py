"""Notes, their tags and their attachments."""

from datetime import datetime

from pydantic import field_validator
from sqlmodel import Field, Relationship, SQLModel

from notes.accounts.models import now


class NoteBase(SQLModel):
    title: str = Field(min_length=1, max_length=200)
    body: str = Field(default="", max_length=20_000)


class Note(NoteBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    owner_id: int = Field(foreign_key="user.id", index=True)
    created_at: datetime = Field(default_factory=now, index=True)

    attachments: list["Attachment"] = Relationship(back_populates="note", cascade_delete=True)


class Attachment(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note_id: int = Field(foreign_key="note.id", index=True, ondelete="CASCADE")
    name: str = Field(max_length=200)
    content: bytes

    note: Note = Relationship(back_populates="attachments")


class NoteCreate(NoteBase):
    @field_validator("title")
    @classmethod
    def trim(cls, value: str) -> str:
        return value.strip()


class NoteUpdate(SQLModel):
    title: str | None = Field(default=None, min_length=1, max_length=200)
    body: str | None = Field(default=None, max_length=20_000)


class AttachmentPublic(SQLModel):
    id: int
    name: str


class NoteSummary(SQLModel):
    id: int
    title: str
    created_at: datetime


class NotePublic(NoteBase):
    id: int
    created_at: datetime
    attachments: list[AttachmentPublic]


class NotePage(SQLModel):
    items: list[NoteSummary]
    total: int
