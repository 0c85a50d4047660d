from fastapi import Depends, Header, HTTPException
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from blog.database import get_db
from blog.models import Author


async def get_current_author(
    authorization: str = Header(""), db: AsyncSession = Depends(get_db)
) -> Author:
    token = authorization.removeprefix("Bearer ")
    result = await db.execute(select(Author).where(Author.token == token))
    author = result.scalar_one_or_none()
    if not token or author is None:
        raise HTTPException(401, "Not logged in", headers={"WWW-Authenticate": "Bearer"})
    return author


async def get_editor(author: Author = Depends(get_current_author)) -> Author:
    if not author.is_editor:
        raise HTTPException(403, "Editors only")
    return author
