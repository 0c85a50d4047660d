"""What endpoints take from accounts."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer

from notes.accounts.models import User
from notes.accounts.service import AccountService
from notes.core.database import SessionDep
from notes.core.settings import SettingsDep

oauth2_scheme = OAuth2PasswordBearer(tokenUrl="/v1/accounts/token")


async def get_account_service(session: SessionDep, settings: SettingsDep) -> AccountService:
    return AccountService(session, settings)


AccountServiceDep = Annotated[AccountService, Depends(get_account_service)]


async def get_current_user(
    token: Annotated[str, Depends(oauth2_scheme)], accounts: AccountServiceDep
) -> User:
    return await accounts.who(token)


CurrentUser = Annotated[User, Depends(get_current_user)]
