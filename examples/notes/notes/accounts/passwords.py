"""Password hashing, off the event loop: it takes a core for a while."""

import bcrypt
from fastapi.concurrency import run_in_threadpool

NOBODYS_HASH = "$2b$12$C6UzMDM.H6dfI/f/IKcEeO7ZbG9Hq0uBpVLaYH2ZxbSJ0l5u1mZQe"
"""Checked where there is no such user, so that the answer takes as long."""


async def hash_password(password: str) -> str:
    hashed = await run_in_threadpool(bcrypt.hashpw, password.encode(), bcrypt.gensalt())
    return hashed.decode()


async def is_right(password: str, password_hash: str) -> bool:
    return await run_in_threadpool(bcrypt.checkpw, password.encode(), password_hash.encode())
