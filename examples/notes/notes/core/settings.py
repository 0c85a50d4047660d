"""Settings, from the environment."""

from functools import lru_cache
from typing import Annotated

from fastapi import Depends
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What differs between installations. Secrets have no default."""

    model_config = SettingsConfigDict(env_prefix="NOTES_", env_file=".env")

    database_url: str = "sqlite+aiosqlite:///./notes.db"
    jwt_key: SecretStr
    token_minutes: int = 15
    cors_origins: list[str] = []
    max_upload_bytes: int = 5_000_000


@lru_cache
def get_settings() -> Settings:
    """Return the settings, read once."""
    return Settings()


SettingsDep = Annotated[Settings, Depends(get_settings)]
