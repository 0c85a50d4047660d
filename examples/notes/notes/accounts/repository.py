"""Where users are kept."""

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from notes.accounts.models import User


class UserRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, user_id: int) -> User | None:
        return await self.session.get(User, user_id)

    async def by_email(self, email: str) -> User | None:
        result = await self.session.exec(select(User).where(User.email == email))
        return result.first()

    def add(self, user: User) -> None:
        self.session.add(user)
