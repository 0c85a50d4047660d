import hashlib
import hmac
import secrets

from blog.config import settings


def hash_password(password: str) -> str:
    salt = secrets.token_hex(8)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), settings.iterations)
    return f"{salt}${digest.hex()}"


def verify_password(password: str, stored: str) -> bool:
    salt, _, digest = stored.partition("$")
    found = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), settings.iterations)
    return hmac.compare_digest(found.hex(), digest)


def new_token() -> str:
    return secrets.token_urlsafe(24)
