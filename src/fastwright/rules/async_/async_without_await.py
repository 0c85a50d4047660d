"""An `async def` that awaits nothing is better a `def`.

FastAPI runs a plain `def` in a thread, where its work holds up nobody; an `async def` runs on the event loop,
where everything that it computes holds up every other request. An endpoint that awaits nothing gains
nothing from the loop.

Reported are `async def` endpoints that contain no `await`, `async for` or `async with`, and
call a function of the application that loops over something. Left alone are those that need the loop all the same, themselves
or in a function that they call: they start or schedule a task, set a context variable, ask for the running loop, or override a
method.
Off by default: whether it matters depends on how long the calls take, which cannot be known, and a thread costs a
little as well (for a handful of lines `async def` is the faster one). What surely blocks is reported by
blocking-call-in-async.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.read import syntax as s
from fastwright.rules.evidence import name_place, of_calls
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_NEEDS_LOOP = frozenset(
    {"create_task", "ensure_future", "get_running_loop", "get_event_loop", "current_task", "set",
     "put_nowait", "gather", "start_soon", "call_soon", "call_later", "add_task", "run_in_executor",
     "submit", "run_coroutine_threadsafe", "Event", "Queue", "Lock", "StreamingResponse",
     "EventSourceResponse"}
)  # fmt: skip
_PLAIN = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "api_route", "route", "trace",
     "staticmethod", "classmethod"}
)  # fmt: skip


def check(app: App) -> Iterator[Hit]:
    """Report async endpoints that await nothing."""
    for function in app.endpoints:
        if not function.is_async or not function.decorator_names <= _PLAIN:
            continue
        if _needs_loop(function) or _awaits(app, function):
            continue
        if _overrides(app, function):
            continue
        work = [site for site in app.calls.sites(function) if site.targets]
        targets = [target for site in work for target in site.targets]
        if any(target.is_async or _needs_loop(target) for target in targets):
            continue
        if not any(_computes(app, target) for target in targets):
            continue
        message = (
            f"async def {function.name} awaits nothing: a def runs in a thread, not on the loop"
        )
        yield Hit(name_place(function), message, of_calls(work[:3]))


def _needs_loop(function: Function) -> bool:
    return not _NEEDS_LOOP.isdisjoint(function.node.called)


def _computes(app: App, function: Function) -> bool:
    """Whether a function goes through something: what takes time most often does."""
    kinds = (s.For, s.While, s.Comp)
    return any(app.calls.of_kind(function, kind) for kind in kinds)


def _awaits(app: App, function: Function) -> bool:
    if app.calls.of_kind(function, s.Await):
        return True
    if any(node.is_async for node, _ in app.calls.of_kind(function, s.For)):
        return True
    if any(node.is_async for node, _ in app.calls.of_kind(function, s.With)):
        return True
    comps = app.calls.of_kind(function, s.Comp)
    if any(generator.is_async for node, _ in comps for generator in node.generators):
        return True
    return any(True for _ in s.inner_definitions(function.node))


def _overrides(app: App, function: Function) -> bool:
    """Whether a base class, of the project or not, may ask for a coroutine."""
    owner = function.owner
    return owner is not None and bool(app.linker.bases(owner))


RULE = Rule(
    summary="an async endpoint that awaits nothing",
    severity="info",
    confidence="medium",
    default=False,
    mend="Write `def` instead of `async def`.",
    profiles=("performance",),
    app=check,
    references=("https://fastapi.tiangolo.com/async/#in-a-hurry",),
)

CASES = (
    case(
        "works and awaits nothing",
        """
        from fastapi import FastAPI

        app = FastAPI()

        def score(text: str) -> int:
            return sum(1 for letter in text if letter.isupper())

        @app.get("/a")
        async def a(text: str) -> int:  # <-
            return score(text)
        """,
    ),
    case(
        "awaits, needs the loop, does nothing, or is no coroutine",
        """
        import asyncio
        from contextvars import ContextVar
        from fastapi import BackgroundTasks, Depends, FastAPI

        app = FastAPI()
        user: ContextVar[str] = ContextVar("user")
        tasks = set()

        def name() -> str:
            return "".join(letter for letter in "pong")

        async def mail() -> None: ...

        def short() -> str:
            return "pong"

        @app.get("/short")
        async def answer_short() -> str:
            return short()

        async def keep_user() -> None:
            user.set(name())

        @app.get("/a")
        async def a(_: None = Depends(keep_user)) -> str:
            return "pong"

        @app.get("/b")
        async def b() -> str:
            tasks.add(asyncio.create_task(mail()))
            return name()

        def schedule() -> None:
            for _ in range(2):
                tasks.add(asyncio.create_task(mail()))

        @app.get("/scheduled")
        async def scheduled() -> None:
            schedule()

        @app.get("/c")
        async def c() -> str:
            await mail()
            return name()

        @app.get("/d")
        def d() -> str:
            return name()

        @app.get("/e")
        async def e(later: BackgroundTasks) -> str:
            later.add_task(mail)
            return name()
        """,
    ),
    case(
        "async for, async with, comprehensions",
        """
        from fastapi import FastAPI

        app = FastAPI()

        def name() -> str:
            return "".join(letter for letter in "pong")

        @app.get("/a")
        async def a(rows) -> list:
            return [(row, name()) async for row in rows]

        @app.get("/b")
        async def b(pool) -> str:
            async with pool:
                return name()
        """,
    ),
)
