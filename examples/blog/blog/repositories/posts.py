from fastapi import HTTPException
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from blog.models import Post, Tag


class PostRepository:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def get(self, slug: str) -> Post:
        result = await self.db.execute(select(Post).where(Post.slug == slug))
        post = result.scalar_one_or_none()
        if post is None:
            raise HTTPException(status_code=404, detail=f"No post {slug}")
        return post

    async def slug_taken(self, slug: str) -> bool:
        result = await self.db.execute(select(Post.id).where(Post.slug == slug))
        return result.first() is not None

    async def published(self) -> list[Post]:
        result = await self.db.execute(
            select(Post).where(Post.published.is_(True)).order_by(Post.id.desc())
        )
        return list(result.scalars().all())

    async def of_author(self, author_id: int) -> list[Post]:
        result = await self.db.execute(
            select(Post).where(Post.author_id == author_id).order_by(Post.id)
        )
        return list(result.scalars().all())

    async def tags(self, names: list[str]) -> list[Tag]:
        found = []
        for name in sorted(set(names)):
            result = await self.db.execute(select(Tag).where(Tag.name == name))
            tag = result.scalar_one_or_none()
            if tag is None:
                tag = Tag(name=name)
                self.db.add(tag)
            found.append(tag)
        return found

    async def save(self, post: Post) -> Post:
        self.db.add(post)
        await self.db.commit()
        await self.db.refresh(post)
        return post

    async def delete(self, post: Post) -> None:
        await self.db.delete(post)
        await self.db.commit()
