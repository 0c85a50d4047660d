from fastapi import APIRouter, Depends, HTTPException

from shop.dependencies import get_current_user, get_db, require_admin
from shop.models import User
from shop.repositories import users as user_repository
from shop.schemas import UserPublic, UserUpdate
from shop.services import catalog, security

router = APIRouter(prefix="/users", tags=["users"])


@router.get("/me", response_model=UserPublic)
def read_me(user: User = Depends(get_current_user)):
    return user


@router.patch("/me", response_model=UserPublic)
def update_me(data: UserUpdate, db=Depends(get_db), user: User = Depends(get_current_user)):
    for name, value in data.dict(exclude_unset=True).items():
        setattr(user, name, value)
    return user_repository.save(db, user)


@router.get("/me/recent")
async def recently_viewed(user: User = Depends(get_current_user)) -> list[int]:
    return catalog.recently_viewed.get(user.id, [])


@router.get("/unsubscribe")
def unsubscribe(token: str, db=Depends(get_db)):
    # The link at the end of every newsletter
    email = security.read_unsubscribe_email(token)
    user = user_repository.get_by_email(db, email)
    if user is None:
        raise HTTPException(404, "No such subscription")
    user.newsletter = False
    user_repository.save(db, user)
    return {"unsubscribed": email}


@router.get("", dependencies=[Depends(require_admin)])
def list_users(role=None, db=Depends(get_db)):
    return user_repository.list_all(db, role)


@router.get("/{user_id}", dependencies=[Depends(require_admin)])
def read_user(user_id: int, db=Depends(get_db)) -> User:
    user = user_repository.get(db, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    return user
