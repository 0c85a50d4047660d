"""/accounts"""

from typing import Annotated

from fastapi import APIRouter, Depends, status
from fastapi.security import OAuth2PasswordRequestForm

from notes.accounts.dependencies import AccountServiceDep, CurrentUser
from notes.accounts.models import Token, User, UserCreate, UserPublic, UserUpdate

router = APIRouter(prefix="/accounts", tags=["accounts"])


@router.post("", response_model=UserPublic, status_code=status.HTTP_201_CREATED)
async def register(data: UserCreate, accounts: AccountServiceDep) -> User:
    return await accounts.register(data)


@router.post("/token")
async def log_in(
    form: Annotated[OAuth2PasswordRequestForm, Depends()], accounts: AccountServiceDep
) -> Token:
    return Token(access_token=await accounts.log_in(form.username, form.password))


@router.get("/me", response_model=UserPublic)
async def read_me(user: CurrentUser) -> User:
    return user


@router.patch("/me", response_model=UserPublic)
async def change_me(data: UserUpdate, user: CurrentUser, accounts: AccountServiceDep) -> User:
    return await accounts.change(user, data)
