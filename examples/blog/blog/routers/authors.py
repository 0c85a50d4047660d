from fastapi import APIRouter, Depends
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from blog.database import get_db
from blog.dependencies import get_current_author, get_editor
from blog.models import Author, Follow
from blog.repositories.authors import AuthorRepository
from blog.schemas import AuthorIn, AuthorOut, Login, ProfileIn
from blog.services.accounts import AccountService

router = APIRouter(tags=["authors"])


@router.post("/authors", status_code=201, response_model=AuthorOut)
async def register(data: AuthorIn, db: AsyncSession = Depends(get_db)):
    return await AccountService(AuthorRepository(db)).register(data)


@router.post("/login")
async def login(data: Login, db: AsyncSession = Depends(get_db)):
    token = await AccountService(AuthorRepository(db)).login(data)
    return {"token": token}


@router.get("/me")
async def me(author: Author = Depends(get_current_author)):
    return {"handle": author.handle, "email": author.email, "is_editor": author.is_editor}


@router.patch("/me", response_model=AuthorOut)
async def change_me(
    data: ProfileIn,
    author: Author = Depends(get_current_author),
    db: AsyncSession = Depends(get_db),
):
    return await AccountService(AuthorRepository(db)).change_profile(author, data)


@router.get("/authors", response_model=list[AuthorOut])
async def list_authors(db: AsyncSession = Depends(get_db)):
    result = await db.execute(select(Author).order_by(Author.handle))
    return result.scalars().all()


@router.get("/authors/{handle}", response_model=AuthorOut)
async def read_author(handle: str, db: AsyncSession = Depends(get_db)):
    return await AccountService(AuthorRepository(db)).profile(handle)


@router.get("/authors/{handle}/account")
async def read_account(
    handle: str, editor: Author = Depends(get_editor), db: AsyncSession = Depends(get_db)
):
    return await AccountService(AuthorRepository(db)).profile(handle)


@router.put("/authors/{handle}/follow", status_code=204)
async def follow(
    handle: str,
    author: Author = Depends(get_current_author),
    db: AsyncSession = Depends(get_db),
):
    await AccountService(AuthorRepository(db)).follow(author, handle)


@router.delete("/authors/{handle}/follow", status_code=204)
async def unfollow(
    handle: str,
    author: Author = Depends(get_current_author),
    db: AsyncSession = Depends(get_db),
):
    await AccountService(AuthorRepository(db)).unfollow(author, handle)


@router.get("/authors/{handle}/followers", response_model=list[AuthorOut])
async def followers(handle: str, db: AsyncSession = Depends(get_db)):
    repository = AuthorRepository(db)
    author = await AccountService(repository).profile(handle)
    return await repository.followers(author.id)


@router.get("/feed")
async def feed(author: Author = Depends(get_current_author), db: AsyncSession = Depends(get_db)):
    result = await db.execute(select(Follow).where(Follow.follower_id == author.id))
    found = []
    for follow in result.scalars().all():
        followed = await db.get(Author, follow.author_id)
        if followed is not None:
            found.append({"handle": followed.handle, "name": followed.name})
    return found
