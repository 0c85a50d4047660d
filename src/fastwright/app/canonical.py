"""One name for each thing of a library, however it was imported.

``fastapi.param_functions.Depends`` and ``fastapi.Depends`` are the same; so are FastAPI's and
Starlette's ``Request``. The table is data: longest prefix wins.
"""

from __future__ import annotations

from functools import lru_cache

_PREFIXES = {
    "fastapi.applications.FastAPI": "fastapi.FastAPI",
    "fastapi.routing.APIRouter": "fastapi.APIRouter",
    "fastapi.routing.APIRoute": "fastapi.routing.APIRoute",
    "fastapi.param_functions": "fastapi",
    "fastapi.params": "fastapi",
    "fastapi.datastructures.UploadFile": "fastapi.UploadFile",
    "starlette.datastructures.UploadFile": "fastapi.UploadFile",
    "fastapi.exceptions.HTTPException": "fastapi.HTTPException",
    "starlette.exceptions.HTTPException": "fastapi.HTTPException",
    "starlette.requests.Request": "fastapi.Request",
    "fastapi.requests.Request": "fastapi.Request",
    "starlette.requests.HTTPConnection": "fastapi.requests.HTTPConnection",
    "starlette.responses": "fastapi.responses",
    "fastapi.Response": "fastapi.responses.Response",
    "starlette.websockets": "fastapi.websockets",
    "fastapi.WebSocket": "fastapi.websockets.WebSocket",
    "fastapi.WebSocketDisconnect": "fastapi.websockets.WebSocketDisconnect",
    "starlette.background.BackgroundTasks": "fastapi.BackgroundTasks",
    "fastapi.background.BackgroundTasks": "fastapi.BackgroundTasks",
    "starlette.concurrency": "fastapi.concurrency",
    "starlette.middleware.cors": "fastapi.middleware.cors",
    "starlette.status": "fastapi.status",
    "starlette.testclient.TestClient": "fastapi.testclient.TestClient",
    "starlette.staticfiles": "fastapi.staticfiles",
    "fastapi.security.oauth2": "fastapi.security",
    "fastapi.security.http": "fastapi.security",
    "fastapi.security.api_key": "fastapi.security",
    "fastapi.security.open_id_connect_url": "fastapi.security",
    "io.open": "builtins.open",
    "pydantic.main.BaseModel": "pydantic.BaseModel",
    "pydantic.fields.Field": "pydantic.Field",
    "pydantic.types": "pydantic",
    "pydantic.networks": "pydantic",
    "pydantic.generics.GenericModel": "pydantic.generics.GenericModel",
    "pydantic.class_validators": "pydantic",
    "pydantic.functional_validators": "pydantic",
    "pydantic_settings.main.BaseSettings": "pydantic_settings.BaseSettings",
    "sqlmodel.main": "sqlmodel",
    "sqlmodel.orm.session.Session": "sqlmodel.Session",
    "sqlmodel.sql.expression": "sqlmodel",
    "sqlmodel.ext.asyncio.session.AsyncSession": "sqlmodel.ext.asyncio.session.AsyncSession",
    "sqlalchemy.orm.session": "sqlalchemy.orm",
    "sqlalchemy.orm.decl_api": "sqlalchemy.orm",
    "sqlalchemy.ext.declarative": "sqlalchemy.orm",
    "sqlalchemy.ext.declarative.api": "sqlalchemy.orm",
    "sqlalchemy.ext.asyncio.session": "sqlalchemy.ext.asyncio",
    "sqlalchemy.ext.asyncio.engine": "sqlalchemy.ext.asyncio",
    "sqlalchemy.sql.expression": "sqlalchemy",
    "sqlalchemy.sql": "sqlalchemy",
    "sqlalchemy.future.select": "sqlalchemy.select",
    "sqlalchemy.future": "sqlalchemy",
    "sqlalchemy.engine.create_engine": "sqlalchemy.create_engine",
    "sqlmodel.select": "sqlalchemy.select",
    "sqlmodel.create_engine": "sqlalchemy.create_engine",
    "sqlmodel.text": "sqlalchemy.text",
    "sqlmodel.func": "sqlalchemy.func",
    "sqlmodel.delete": "sqlalchemy.delete",
    "sqlmodel.update": "sqlalchemy.update",
    "sqlmodel.insert": "sqlalchemy.insert",
    "sqlmodel.col": "sqlmodel.col",
    "sqlmodel.Column": "sqlalchemy.Column",
    "sqlmodel.ForeignKey": "sqlalchemy.ForeignKey",
    "sqlalchemy.schema": "sqlalchemy",
    "typing_extensions": "typing",
    "collections.abc": "collections.abc",
    "httpx._client": "httpx",
    "httpx2": "httpx",
    "httpx2._client": "httpx",
    "requests.api": "requests",
    "requests.sessions": "requests",
    "jose.jwt": "jose.jwt",
    "redis.client": "redis",
    "redis.asyncio.client": "redis.asyncio",
    "anyio.to_thread": "anyio.to_thread",
    "alembic.script.base.ScriptDirectory": "alembic.script.ScriptDirectory",
    "alembic.environment": "alembic.runtime.environment",
    "celery.app.task.Task": "celery.Task",
    "celery.app.base.Celery": "celery.Celery",
    "dramatiq.actor.Actor": "dramatiq.Actor",
    "loguru._logger": "loguru",
    "starlette.middleware.base": "starlette.middleware.base",
}


@lru_cache(maxsize=65536)
def canonical(dotted: str) -> str:
    """Return the one name that fastwright uses for ``dotted``."""
    head, rest = dotted, ""
    for _ in range(4):  # a replacement may itself be replaced, a few times at most
        head, rest = dotted, ""
        while head:
            if (replacement := _PREFIXES.get(head)) is not None and replacement != head:
                break
            head, _, last = head.rpartition(".")
            rest = f"{last}.{rest}" if rest else last
        if not head:
            return dotted
        dotted = f"{_PREFIXES[head]}.{rest}" if rest else _PREFIXES[head]
    return dotted
