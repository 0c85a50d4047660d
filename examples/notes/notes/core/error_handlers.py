"""The boundary: domain errors become answers here, and nowhere else."""

from fastapi import FastAPI, Request, status
from fastapi.responses import JSONResponse

from notes.core.errors import BadCredentials, Conflict, NotFound, TooLarge


async def not_found(_: Request, error: NotFound) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status.HTTP_404_NOT_FOUND)


async def conflict(_: Request, error: Conflict) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status.HTTP_409_CONFLICT)


async def bad_credentials(_: Request, __: BadCredentials) -> JSONResponse:
    return JSONResponse(
        {"detail": "Not authenticated"},
        status.HTTP_401_UNAUTHORIZED,
        {"WWW-Authenticate": "Bearer"},
    )


async def too_large(_: Request, __: TooLarge) -> JSONResponse:
    return JSONResponse({"detail": "File too large"}, status.HTTP_413_CONTENT_TOO_LARGE)


def register(app: FastAPI) -> None:
    """Map each domain error to its answer."""
    app.add_exception_handler(NotFound, not_found)
    app.add_exception_handler(Conflict, conflict)
    app.add_exception_handler(BadCredentials, bad_credentials)
    app.add_exception_handler(TooLarge, too_large)
