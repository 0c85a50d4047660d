"""Calling a coroutine function runs nothing: `await` does.

`record(event)` as a statement, where `record` is an `async def`, makes a coroutine and throws it
away. Nothing of it happens; Python only warns when the garbage collector finds it.

Reported are statements that call an `async def` of the project, or a method of an async session
(`session.commit()`), and drop what it gives. Coroutines
that are awaited, returned, assigned or handed to `create_task`, `gather` and the like are right.
Where a call may run one of several functions, all of them must be coroutine functions; decorators
that may change what a call gives are not known, and such functions are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.symbols import Function
from fastwright.app.types import Awaitable, alternatives
from fastwright.edit.builders import insert
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, name_place, of_entry, of_step, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

_SESSION_COROUTINES = frozenset(
    {"commit", "rollback", "flush", "execute", "exec", "scalar", "scalars", "refresh", "delete",
     "merge", "get", "close"}
)  # fmt: skip
_KEEPING = frozenset(
    {"staticmethod", "classmethod", "abstractmethod", "override", "wraps", "get", "post", "put",
     "patch", "delete", "route", "websocket", "middleware", "exception_handler", "on_event"}
)  # fmt: skip
"""Decorators after which an ``async def`` is still one."""


def check(app: App) -> Iterator[Hit]:
    """Report each coroutine that requests make and drop."""
    running = served(app)
    for step in running.reached:
        function = step.function
        suspects = [site for site in app.calls.sites(function) if _is_suspect(app, site)]
        dropped = _statements(app, function) if suspects else set()
        for site in suspects:
            if id(site.node) not in dropped:
                continue
            way = (*of_entry(running.entry(step.root)), *of_step(step))
            if site.targets:
                yield _hit(site, site.targets[0].qualname, way, site.targets[0])
            else:
                yield _hit(site, s.dotted(site.node.func) or site.method, way, None)


def _is_suspect(app: App, site: CallSite) -> bool:
    """Whether a call gives a coroutine that is not awaited on the spot."""
    return not site.around.awaited and (_makes_coroutine(site) or _on_async_session(app, site))


def _hit(site: CallSite, name: str, way: tuple[Evidence, ...], target: Function | None) -> Hit:
    dropped = evidence(site.module, site.node, f"{name}() is not awaited")
    last = () if target is None else (Evidence(name_place(target), f"async def {target.name}"),)
    message = f"{name}() is a coroutine that nobody awaits: it never runs"
    fix = None
    if site.caller.node.is_async and not site.around.deferred:
        fix = Fix("safe", (insert(site.module, site.node.start, "await "),))
    return Hit(place(site.module, site.node), message, (*way, dropped, *last), fix)


def _on_async_session(app: App, site: CallSite) -> bool:
    """Whether a call is that of a coroutine method of an async session."""
    if site.receiver is None or site.around.deferred or site.targets:
        return False
    if len(alternatives(site.callee)) > 1 or site.method not in _SESSION_COROUTINES:
        return False
    return app.types.session_kind(site.receiver) == "async"


def _statements(app: App, function: Function) -> set[int]:
    """Return the calls that are statements of their own."""
    return {
        id(node.value)
        for node, _ in app.calls.of_kind(function, s.ExprStmt)
        if isinstance(node.value, s.Call)
    }


def _makes_coroutine(site: CallSite) -> bool:
    """Whether a call surely gives a coroutine."""
    if site.external is not None or not site.targets:
        return False
    if any(isinstance(o, Awaitable) for o in alternatives(site.callee)):
        return False
    if not all(_is_coroutine_function(target) for target in site.targets):
        return False
    where_known = {id(target.node) for target in site.targets}
    return len(alternatives(site.callee)) <= len(where_known)


def _is_coroutine_function(function: Function) -> bool:
    node = function.node
    if not node.is_async or node.is_generator or function.name.startswith("__"):
        return False
    return function.decorator_names <= _KEEPING and len(node.decorators) == len(
        function.decorator_names
    )


RULE = Rule(
    summary="a coroutine is called and dropped",
    severity="error",
    mend="Put `await` before the call, or hand it to a task group if it should run beside.",
    app=check,
    references=("https://docs.python.org/3/library/asyncio-task.html#awaitables",),
)

CASES = (
    case(
        "an audit record that is never written",
        """
        from fastapi import FastAPI

        app = FastAPI()

        async def record(event: str) -> None: ...

        class Mailer:
            async def send(self, to: str) -> None: ...

        def get_mailer() -> Mailer:
            return Mailer()

        @app.post("/users")
        async def create(email: str) -> None:
            record("created")  # <-
            get_mailer().send(email)  # <-
        """,
    ),
    case(
        "a commit that never happens",
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy.ext.asyncio import AsyncSession

        app = FastAPI()

        async def get_db() -> AsyncSession: ...

        @app.post("/users")
        async def create(row: dict, db: AsyncSession = Depends(get_db)) -> None:
            db.add(row)
            db.commit()  # <-
            await db.refresh(row)

        @app.post("/sync")
        def create_in_thread(row: dict, db: AsyncSession = Depends(get_db)) -> None:
            db.commit()  # <-
        """,
        after="""
        from fastapi import Depends, FastAPI
        from sqlalchemy.ext.asyncio import AsyncSession

        app = FastAPI()

        async def get_db() -> AsyncSession: ...

        @app.post("/users")
        async def create(row: dict, db: AsyncSession = Depends(get_db)) -> None:
            db.add(row)
            await db.commit()
            await db.refresh(row)

        @app.post("/sync")
        def create_in_thread(row: dict, db: AsyncSession = Depends(get_db)) -> None:
            db.commit()
        """,
    ),
    case(
        "awaited, returned, assigned or scheduled",
        """
        import asyncio
        from fastapi import FastAPI

        app = FastAPI()

        async def record(event: str) -> None: ...

        def later(event: str):
            return record(event)

        @app.post("/users")
        async def create(email: str) -> None:
            await record("created")
            task = asyncio.create_task(record("task"))
            await asyncio.gather(record("a"), record("b"))
            coroutine = record("kept")
            await coroutine
            await later("x")
            await task
        """,
    ),
    case(
        "a plain function with the same name, a decorated one, a port with a plain implementation",
        """
        from typing import Protocol
        from celery import shared_task
        from fastapi import Depends, FastAPI

        app = FastAPI()

        @shared_task
        async def crunch(n: int) -> None: ...

        class Sink(Protocol):
            async def write(self, line: str) -> None: ...

        class PlainSink:
            def write(self, line: str) -> None: ...

        class Log:
            def record(self, event: str) -> None: ...

        def get_sink() -> PlainSink:
            return PlainSink()

        @app.post("/users")
        async def create(email: str, sink: PlainSink = Depends(get_sink)) -> None:
            Log().record("created")
            crunch(1)
            sink.write(email)
        """,
    ),
    case(
        "an async context manager or generator is no coroutine",
        """
        from fastapi import FastAPI

        app = FastAPI()

        async def numbers():
            yield 1

        @app.get("/")
        async def home() -> None:
            numbers()
        """,
    ),
)
