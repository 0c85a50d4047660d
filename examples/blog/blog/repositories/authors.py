from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from blog.models import Author, Follow


class AuthorRepository:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def get(self, author_id: int) -> Author | None:
        return await self.db.get(Author, author_id)

    async def get_by_handle(self, handle: str) -> Author | None:
        result = await self.db.execute(select(Author).where(Author.handle == handle))
        return result.scalar_one_or_none()

    async def get_by_email(self, email: str) -> Author | None:
        result = await self.db.execute(select(Author).where(Author.email == email))
        return result.scalar_one_or_none()

    async def add(self, author: Author) -> Author:
        self.db.add(author)
        await self.db.commit()
        await self.db.refresh(author)
        return author

    async def count(self) -> int:
        return await self.db.scalar(select(func.count()).select_from(Author)) or 0

    async def is_following(self, follower_id: int, author_id: int) -> bool:
        result = await self.db.execute(
            select(Follow).where(Follow.follower_id == follower_id, Follow.author_id == author_id)
        )
        return result.scalar_one_or_none() is not None

    async def follow(self, follower_id: int, author_id: int) -> None:
        self.db.add(Follow(follower_id=follower_id, author_id=author_id))
        await self.db.commit()

    async def unfollow(self, follower_id: int, author_id: int) -> None:
        result = await self.db.execute(
            select(Follow).where(Follow.follower_id == follower_id, Follow.author_id == author_id)
        )
        follow = result.scalar_one_or_none()
        if follow is not None:
            await self.db.delete(follow)
            await self.db.commit()

    async def followers(self, author_id: int) -> list[Author]:
        result = await self.db.execute(
            select(Follow).where(Follow.author_id == author_id).order_by(Follow.id)
        )
        found = []
        for follow in result.scalars().all():
            # BLOG-31: a join gave rows twice here, this works
            follower = await self.db.get(Author, follow.follower_id)
            if follower is not None:
                found.append(follower)
        return found
