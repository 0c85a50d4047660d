import hashlib
import os
import secrets

from fastapi import Depends, Header, HTTPException
from sqlalchemy.orm import Session

from tracker import models
from tracker.db import get_db

ITERATIONS = int(os.environ.get("TRACKER_HASH_ITERATIONS", "100000"))


def hash_password(password):
    salt = secrets.token_hex(8)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), ITERATIONS)
    return salt + "$" + digest.hex()


def check_password(password, hashed):
    salt, digest = hashed.split("$")
    found = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), ITERATIONS)
    return found.hex() == digest


def get_user(x_token: str = Header(None), db: Session = Depends(get_db)):
    if not x_token:
        raise HTTPException(status_code=401, detail="token missing")
    user = db.query(models.User).filter(models.User.token == x_token).first()
    if not user:
        raise HTTPException(status_code=401, detail="token unknown")
    return user


def get_admin(user: models.User = Depends(get_user)):
    if not user.admin:
        raise HTTPException(status_code=403, detail="admins only")
    return user
