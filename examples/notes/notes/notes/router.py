"""/notes"""

from typing import Annotated

from fastapi import APIRouter, Depends, UploadFile, status

from notes.accounts.dependencies import CurrentUser, get_current_user
from notes.core.database import SessionDep
from notes.core.pagination import PageDep
from notes.core.settings import SettingsDep
from notes.notes.models import (
    Attachment,
    AttachmentPublic,
    Note,
    NoteCreate,
    NotePage,
    NotePublic,
    NoteSummary,
    NoteUpdate,
)
from notes.notes.service import NoteService
from notes.notes.uploads import read_at_most

async def get_note_service(session: SessionDep) -> NoteService:
    return NoteService(session)


async def get_owner_id(user: CurrentUser) -> int:
    return user.id or 0


NoteServiceDep = Annotated[NoteService, Depends(get_note_service)]
OwnerId = Annotated[int, Depends(get_owner_id)]


router = APIRouter(prefix="/notes", tags=["notes"], dependencies=[Depends(get_current_user)])


@router.get("")
async def list_notes(service: NoteServiceDep, owner_id: OwnerId, page: PageDep) -> NotePage:
    notes, total = await service.page(owner_id, page)
    return NotePage(items=[NoteSummary.model_validate(note) for note in notes], total=total)


@router.post("", response_model=NotePublic, status_code=status.HTTP_201_CREATED)
async def create_note(data: NoteCreate, service: NoteServiceDep, owner_id: OwnerId) -> Note:
    return await service.create(data, owner_id)


@router.get("/{note_id}", response_model=NotePublic)
async def read_note(note_id: int, service: NoteServiceDep, owner_id: OwnerId) -> Note:
    return await service.get(note_id, owner_id)


@router.patch("/{note_id}", response_model=NotePublic)
async def change_note(
    note_id: int, data: NoteUpdate, service: NoteServiceDep, owner_id: OwnerId
) -> Note:
    return await service.change(note_id, data, owner_id)


@router.delete("/{note_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_note(note_id: int, service: NoteServiceDep, owner_id: OwnerId) -> None:
    await service.delete(note_id, owner_id)


@router.post(
    "/{note_id}/attachments",
    response_model=AttachmentPublic,
    status_code=status.HTTP_201_CREATED,
)
async def attach(
    note_id: int,
    file: UploadFile,
    service: NoteServiceDep,
    owner_id: OwnerId,
    settings: SettingsDep,
) -> Attachment:
    content = await read_at_most(file, settings.max_upload_bytes)
    return await service.attach(note_id, "attachment", content, owner_id)
