"""Where notes are kept. Every statement names the owner."""

from collections.abc import Sequence

from sqlalchemy.orm import selectinload
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from notes.core.pagination import Page
from notes.notes.models import Attachment, Note


class NoteRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def page(self, owner_id: int, page: Page) -> Sequence[Note]:
        statement = (
            select(Note)
            .where(Note.owner_id == owner_id)
            .order_by(col(Note.created_at).desc(), col(Note.id))
            .offset(page.offset)
            .limit(page.limit)
        )
        return (await self.session.exec(statement)).all()

    async def count(self, owner_id: int) -> int:
        statement = select(func.count()).select_from(Note).where(Note.owner_id == owner_id)
        return (await self.session.exec(statement)).one()

    async def get(self, note_id: int, owner_id: int) -> Note | None:
        statement = (
            select(Note)
            .where(Note.id == note_id, Note.owner_id == owner_id)
            .options(selectinload(Note.attachments))
        )
        return (await self.session.exec(statement)).first()

    def add(self, row: Note | Attachment) -> None:
        self.session.add(row)

    async def delete(self, note: Note) -> None:
        await self.session.delete(note)
