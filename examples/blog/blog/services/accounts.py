from fastapi import HTTPException

from blog.models import Author
from blog.repositories.authors import AuthorRepository
from blog.schemas import AuthorIn, Login, ProfileIn
from blog.services.security import hash_password, new_token, verify_password


class AccountService:
    def __init__(self, authors: AuthorRepository) -> None:
        self.authors = authors

    async def register(self, data: AuthorIn) -> Author:
        if len(data.password) < 8:
            raise HTTPException(status_code=422, detail="Passwords have eight characters or more")
        if await self.authors.get_by_handle(data.handle):
            raise HTTPException(status_code=409, detail="This handle is taken")
        if await self.authors.get_by_email(data.email.lower()):
            raise HTTPException(status_code=409, detail="This address is taken")
        first = await self.authors.count() == 0
        author = Author(
            handle=data.handle,
            name=data.name,
            email=data.email.lower(),
            bio="",
            password_hash=hash_password(data.password),
            token=new_token(),
            is_editor=first,
        )
        return await self.authors.add(author)

    async def login(self, data: Login) -> str:
        author = await self.authors.get_by_handle(data.handle)
        if author is None or not verify_password(data.password, author.password_hash):
            raise HTTPException(status_code=401, detail="Wrong handle or password")
        author.token = new_token()
        await self.authors.add(author)
        return author.token

    async def profile(self, handle: str) -> Author:
        author = await self.authors.get_by_handle(handle)
        if author is None:
            raise HTTPException(status_code=404, detail="No such author")
        return author

    async def change_profile(self, author: Author, data: ProfileIn) -> Author:
        for name, value in data.dict(exclude_unset=True).items():
            setattr(author, name, value)
        return await self.authors.add(author)

    async def follow(self, follower: Author, handle: str) -> None:
        author = await self.profile(handle)
        if author.id == follower.id:
            raise HTTPException(status_code=400, detail="Nobody follows himself")
        if not await self.authors.is_following(follower.id, author.id):
            await self.authors.follow(follower.id, author.id)

    async def unfollow(self, follower: Author, handle: str) -> None:
        author = await self.profile(handle)
        await self.authors.unfollow(follower.id, author.id)
