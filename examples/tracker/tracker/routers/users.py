import secrets
from typing import List

from fastapi import APIRouter, Depends, HTTPException
from sqlalchemy.orm import Session

from tracker import models, schemas
from tracker.auth import check_password, get_admin, get_user, hash_password
from tracker.db import get_db

router = APIRouter()


@router.post("/users", response_model=schemas.UserOut, status_code=201)
def create_user(data: schemas.UserCreate, db: Session = Depends(get_db)):
    if db.query(models.User).filter(models.User.name == data.name).first():
        raise HTTPException(status_code=409, detail="name taken")
    values = data.dict()
    password = values.pop("password")
    user = models.User(
        hashed_password=hash_password(password),
        token=secrets.token_hex(16),
        admin=db.query(models.User).count() == 0,
        **values,
    )
    db.add(user)
    db.commit()
    db.refresh(user)
    return user


@router.post("/login")
def login(data: schemas.Credentials, db: Session = Depends(get_db)):
    user = db.query(models.User).filter(models.User.name == data.name).first()
    if not user or not check_password(data.password, user.hashed_password):
        raise HTTPException(status_code=401, detail="name or password wrong")
    user.token = secrets.token_hex(16)
    db.commit()
    return {"token": user.token}


@router.get("/users", response_model=List[schemas.UserOut])
def list_users(db: Session = Depends(get_db), user: models.User = Depends(get_user)):
    return db.query(models.User).order_by(models.User.name).all()


@router.get("/users/{user_id}")
def read_user(user_id: int, db: Session = Depends(get_db), admin: models.User = Depends(get_admin)):
    user = db.query(models.User).get(user_id)
    if not user:
        raise HTTPException(status_code=404, detail="no user %s" % user_id)
    return user
