"""Uploads: read in pieces, and no more than is allowed."""

from fastapi import UploadFile

from notes.core.errors import TooLarge

PIECE = 64 * 1024


async def read_at_most(file: UploadFile, limit: int) -> bytes:
    """Return the content of an upload. Raises TooLarge."""
    content = bytearray()
    while piece := await file.read(PIECE):
        content += piece
        if len(content) > limit:
            raise TooLarge
    return bytes(content)
