"""What runs at start-up stands in the lifespan, when there is one.

An application with `lifespan=` runs that and nothing else: the handlers that `on_event`,
`add_event_handler`, `on_startup=` and `on_shutdown=` register on it are kept in a list that nobody
reads. No error says so; the pool is never opened, the task never started.

Reported are handlers for `startup` and `shutdown` on an application whose lifespan is a function of
the project. Left alone are handlers of an `APIRouter` (FastAPI 0.115 runs them beside the lifespan of the
application that includes it; 0.104 did not), and a lifespan that runs the handlers itself
(`await app.router.startup()`).
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.setup.result import Application, EventHandler
from fastwright.app.symbols import Function
from fastwright.edit.builders import insert_after, insert_before
from fastwright.edit.fix import Fix
from fastwright.edit.source import is_alone
from fastwright.read import syntax as s
from fastwright.rules.async_._lifespan import call_of, unregistered
from fastwright.rules.evidence import evidence, name_place, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

_EVENTS = frozenset({"startup", "shutdown"})
_RUNNING = frozenset({"startup", "shutdown", "on_startup", "on_shutdown"})
"""Attributes of a router with which a lifespan runs the handlers itself."""


def check(app: App) -> Iterator[Hit]:
    """Report each handler beside a lifespan."""
    seen: set[tuple[int, str]] = set()
    for application in app.applications:
        lifespan = application.lifespan
        if lifespan is None or not application.event_handlers or _runs_handlers(lifespan):
            continue
        for handler in application.event_handlers:
            key = (id(handler.place.node), handler.event)
            if handler.event in _EVENTS and key not in seen:
                seen.add(key)
                yield _hit(application, lifespan, handler)


def _runs_handlers(lifespan: Function) -> bool:
    return any(
        isinstance(node, s.Attribute) and node.attr in _RUNNING
        for node in s.walk(*lifespan.node.body)
    )


def _hit(application: Application, lifespan: Function, handler: EventHandler) -> Hit:
    at = handler.place
    name = f"{handler.function.name}()" if handler.function is not None else "a handler"
    message = f"{name} never runs on {handler.event}: the application has lifespan={lifespan.name}"
    chain = (
        evidence(application.module, application.node, f"lifespan={lifespan.name}"),
        Evidence(name_place(lifespan), lifespan.qualname),
        evidence(at.module, at.node, f"{name} is registered here"),
    )
    return Hit(place(at.module, at.node), message, chain, _fix(lifespan, handler))


def _fix(lifespan: Function, handler: EventHandler) -> Fix | None:
    """Return the fix that calls the handler in the lifespan, where both stand in one module."""
    module, function = lifespan.module, handler.function
    if function is None or function.module is not module or function.outer is not lifespan.outer:
        return None
    body = lifespan.outer.node.body if lifespan.outer is not None else module.facts.body
    call, gone = call_of(function), unregistered(module, handler, body)
    yields = [
        statement
        for statement in lifespan.node.body
        if isinstance(statement, s.ExprStmt) and isinstance(statement.value, s.Yield)
    ]
    if call is None or gone is None or len(yields) != 1 or not lifespan.node.is_async:
        return None
    if not is_alone(module.source, yields[0].start, yields[0].end):
        return None
    starts = handler.event == "startup"
    called = (insert_before if starts else insert_after)(module, yields[0], call)
    return Fix("safe", (called, *gone))


RULE = Rule(
    summary="a start-up or shutdown handler beside a lifespan: it never runs",
    severity="error",
    mend="Move what the handler does into the lifespan: before its `yield` for start-up, after it for"
    " shutdown.",
    app=check,
    since={"fastapi": "0.93"},
    references=("https://fastapi.tiangolo.com/advanced/events/#alternative-events-deprecated",),
)

CASES = (
    case(
        "every way to register one",
        """
        from contextlib import asynccontextmanager
        from fastapi import FastAPI

        @asynccontextmanager
        async def lifespan(app: FastAPI):
            yield

        async def warm() -> None: ...

        app = FastAPI(lifespan=lifespan)
        app.add_event_handler("shutdown", warm)  # <-

        @app.on_event("startup")  # <-
        async def connect() -> None: ...

        other = FastAPI(lifespan=lifespan, on_startup=[warm])  # <-
        """,
        after="""
        from contextlib import asynccontextmanager
        from fastapi import FastAPI

        @asynccontextmanager
        async def lifespan(app: FastAPI):
            await connect()
            yield
            await warm()

        async def warm() -> None: ...

        app = FastAPI(lifespan=lifespan)

        async def connect() -> None: ...

        other = FastAPI(lifespan=lifespan, on_startup=[warm])
        """,
    ),
    case(
        "only one of the two",
        """
        from contextlib import asynccontextmanager
        from fastapi import FastAPI

        @asynccontextmanager
        async def lifespan(app: FastAPI):
            yield

        app = FastAPI(lifespan=lifespan)
        old = FastAPI()

        @old.on_event("startup")
        async def connect() -> None: ...
        """,
    ),
    case(
        "a router's handlers run, and a lifespan may run the handlers itself",
        """
        from contextlib import asynccontextmanager
        from fastapi import APIRouter, FastAPI

        router = APIRouter()

        @asynccontextmanager
        async def lifespan(app: FastAPI):
            await app.router.startup()
            yield
            await app.router.shutdown()

        @asynccontextmanager
        async def plain(app: FastAPI):
            yield

        app = FastAPI(lifespan=lifespan)
        second = FastAPI(lifespan=plain)

        @app.on_event("startup")
        async def connect() -> None: ...

        @router.on_event("startup")
        async def load() -> None: ...

        second.include_router(router)
        """,
    ),
)
