"""The application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from notes.accounts.router import router as accounts
from notes.core import error_handlers
from notes.core.database import make_engine
from notes.core.settings import get_settings
from notes.notes.router import router as notes


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the database for as long as the application runs."""
    app.state.engine = make_engine(get_settings().database_url)
    yield
    await app.state.engine.dispose()


def create_app() -> FastAPI:
    """Return the application, wired."""
    app = FastAPI(title="Notes", lifespan=lifespan)
    v1 = APIRouter(prefix="/v1")
    v1.include_router(accounts)
    v1.include_router(notes)
    app.include_router(v1)
    error_handlers.register(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=get_settings().cors_origins,
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["Authorization"],
    )
    return app


app = create_app()
