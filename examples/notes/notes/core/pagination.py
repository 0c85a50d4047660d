"""Pages: every list is bounded."""

from typing import Annotated

from fastapi import Depends, Query
from sqlmodel import SQLModel


class Page(SQLModel):
    """Which part of a list is wanted."""

    offset: int
    limit: int


async def get_page(
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Page:
    """Return the page that the client asks for."""
    return Page(offset=offset, limit=limit)


PageDep = Annotated[Page, Depends(get_page)]
