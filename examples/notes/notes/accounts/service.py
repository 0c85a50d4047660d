"""What users can do with their accounts."""

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from notes.accounts import passwords, tokens
from notes.accounts.models import User, UserCreate, UserUpdate
from notes.accounts.repository import UserRepository
from notes.core.errors import BadCredentials, Conflict
from notes.core.settings import Settings


class AccountService:
    def __init__(self, session: AsyncSession, settings: Settings) -> None:
        self.session = session
        self.settings = settings
        self.users = UserRepository(session)

    async def register(self, data: UserCreate) -> User:
        password_hash = await passwords.hash_password(data.password)
        user = User.model_validate(data, update={"password_hash": password_hash})
        self.users.add(user)
        try:
            await self.session.commit()
        except IntegrityError as error:
            raise Conflict("This e-mail address is taken") from error
        return user

    async def log_in(self, email: str, password: str) -> str:
        user = await self.users.by_email(email)
        known = user.password_hash if user else passwords.NOBODYS_HASH
        if not await passwords.is_right(password, known) or user is None or user.id is None:
            raise BadCredentials
        key = self.settings.jwt_key.get_secret_value()
        return tokens.issue(user.id, key, self.settings.token_minutes)

    async def who(self, token: str) -> User:
        user_id = tokens.read(token, self.settings.jwt_key.get_secret_value())
        user = await self.users.get(user_id)
        if user is None or not user.is_active:
            raise BadCredentials
        return user

    async def change(self, user: User, data: UserUpdate) -> User:
        user.sqlmodel_update(data.model_dump(exclude_unset=True))
        await self.session.commit()
        return user
