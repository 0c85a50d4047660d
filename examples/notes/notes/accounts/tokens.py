"""Access tokens: short, signed, one algorithm."""

from datetime import UTC, datetime, timedelta

import jwt

from notes.core.errors import BadCredentials

ALGORITHM = "HS256"
AUDIENCE = "notes"


def issue(user_id: int, key: str, minutes: int) -> str:
    claims = {
        "sub": str(user_id),
        "aud": AUDIENCE,
        "exp": datetime.now(UTC) + timedelta(minutes=minutes),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def read(token: str, key: str) -> int:
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["exp", "sub", "aud"]},
        )
        return int(claims["sub"])
    except (jwt.InvalidTokenError, ValueError) as error:
        raise BadCredentials from error
