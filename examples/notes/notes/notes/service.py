"""What users do with their notes."""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from notes.core.errors import NotFound
from notes.core.pagination import Page
from notes.notes.models import Attachment, Note, NoteCreate, NoteUpdate
from notes.notes.repository import NoteRepository


class NoteService:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.notes = NoteRepository(session)

    async def page(self, owner_id: int, page: Page) -> tuple[Sequence[Note], int]:
        return await self.notes.page(owner_id, page), await self.notes.count(owner_id)

    async def get(self, note_id: int, owner_id: int) -> Note:
        note = await self.notes.get(note_id, owner_id)
        if note is None:
            raise NotFound("Note")
        return note

    async def create(self, data: NoteCreate, owner_id: int) -> Note:
        note = Note.model_validate(data, update={"owner_id": owner_id})
        self.notes.add(note)
        await self.session.commit()
        return await self.get(note.id or 0, owner_id)

    async def change(self, note_id: int, data: NoteUpdate, owner_id: int) -> Note:
        note = await self.get(note_id, owner_id)
        note.sqlmodel_update(data.model_dump(exclude_unset=True))
        await self.session.commit()
        return note

    async def delete(self, note_id: int, owner_id: int) -> None:
        await self.notes.delete(await self.get(note_id, owner_id))
        await self.session.commit()

    async def attach(self, note_id: int, name: str, content: bytes, owner_id: int) -> Attachment:
        note = await self.get(note_id, owner_id)
        attachment = Attachment(note_id=note.id or 0, name=name[:200], content=content)
        self.notes.add(attachment)
        await self.session.commit()
        return attachment
