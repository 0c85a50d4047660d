import logging

from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import OAuth2PasswordRequestForm
from sqlmodel import Session

from shop.dependencies import get_current_user, get_db
from shop.models import User
from shop.repositories import users as user_repository
from shop.schemas import Token, UserCreate, UserPublic
from shop.services import security

router = APIRouter(prefix="/auth", tags=["auth"])
logger = logging.getLogger(__name__)


@router.post("/register", status_code=201, response_model=UserPublic)
async def register(data: UserCreate, db: Session = Depends(get_db)):
    if user_repository.get_by_email(db, data.email):
        raise HTTPException(409, "This e-mail address is registered already")
    user = User(
        **data.dict(exclude={"password"}), password_hash=security.hash_password(data.password)
    )
    return user_repository.save(db, user)


@router.post("/token", response_model=Token)
async def login(form: OAuth2PasswordRequestForm = Depends(), db: Session = Depends(get_db)):
    user = user_repository.get_by_email(db, form.username.strip().lower())
    if user is None:
        raise HTTPException(401, "We do not know this e-mail address")
    if not security.verify_password(form.password, user.password_hash):
        raise HTTPException(401, "Wrong password")
    token = security.create_access_token(user.id)
    logger.info("login %s token=%s", user.email, token)
    return Token(access_token=token)


@router.post("/password", status_code=204)
def change_password(
    old: str, new: str, user: User = Depends(get_current_user), db: Session = Depends(get_db)
):
    if not security.verify_password(old, user.password_hash):
        raise HTTPException(400, "Wrong password")
    user.password_hash = security.hash_password(new)
    user_repository.save(db, user)
