from typing import Annotated

from fastapi import Depends, Header, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlmodel import Session

from shop.config import API_PREFIX, settings
from shop.database import SessionDep, engine
from shop.models import User
from shop.repositories import users as user_repository
from shop.services import security
from shop.services.orders import OrderService

oauth2_scheme = OAuth2PasswordBearer(tokenUrl=f"{API_PREFIX}/auth/token")


def get_db():
    # The old one. New code takes SessionDep from shop.database.
    db = Session(engine)
    yield db
    db.close()


def get_current_user(token: str = Depends(oauth2_scheme), db: Session = Depends(get_db)) -> User:
    user_id = security.read_user_id(token)
    user = user_repository.get(db, user_id) if user_id is not None else None
    if user is None or not user.is_active:
        raise HTTPException(401, "Not authenticated", headers={"WWW-Authenticate": "Bearer"})
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


def require_staff(user: CurrentUser) -> User:
    if user.role not in ("staff", "admin"):
        raise HTTPException(403, "Staff only")
    return user


def require_admin(user: CurrentUser) -> User:
    if user.role != "admin":
        raise HTTPException(403, "Administrators only")
    return user


def require_partner(x_partner_token: Annotated[str, Header()]) -> None:
    if x_partner_token == settings.partner_token:
        return
    raise HTTPException(403, "Unknown partner")


def get_order_service(session: SessionDep) -> OrderService:
    return OrderService(session)


OrderServiceDep = Annotated[OrderService, Depends(get_order_service)]
