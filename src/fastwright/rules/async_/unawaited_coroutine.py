"""A coroutine that nobody awaits never runs.

Calling an `async def` function only makes a coroutine object. Without `await` (or
`asyncio.create_task`) its body does not run: the mail is not sent, the row is not written, and
Python mentions it in a warning at best.

Only calls whose value is dropped are reported: a coroutine that is returned, kept or passed on may
be awaited elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Awaitable, Callable_
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, name_place, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case


def check(app: App) -> Iterator[Hit]:
    """Report calls of the project's coroutine functions as bare statements."""
    seen: set[int] = set()
    for function in _functions(app):
        if id(function.node) in seen:
            continue
        seen.add(id(function.node))
        dropped = {
            id(node.value)
            for node, _ in app.calls.nodes(function)
            if isinstance(node, s.ExprStmt) and isinstance(node.value, s.Call)
        }
        if not dropped:
            continue
        for site in app.calls.sites(function):
            if id(site.node) not in dropped or not isinstance(site.callee, Callable_):
                continue
            target = site.callee.function
            if not _is_coroutine(app, target) or len(site.targets) != 1:
                continue
            message = f"{target.qualname}() is a coroutine that nobody awaits: it never runs"
            chain = (
                evidence(site.module, site.node, "called and dropped"),
                Evidence(name_place(target), f"async def {target.qualname}"),
            )
            yield Hit(place(site.module, site.node), message, chain)


def _functions(app: App) -> Iterator[Function]:
    """Everything requests reach, and every function of modules that have to do with the web."""
    for step in app.reached:
        yield step.function
    for module in app.web_modules:
        yield from app.functions(module)


def _is_coroutine(app: App, target: Function) -> bool:
    """Whether calling a function surely gives a coroutine: no generator, no decorator around it."""
    if not target.is_async or target.node.is_generator:
        return False
    harmless = {"staticmethod", "classmethod", "abstractmethod", "override", "final", "overload"}
    if not target.decorator_names <= harmless:
        return False
    owner = target.owner
    if isinstance(owner, Class) and app.types.is_port(owner):
        return True
    return isinstance(app.types.returned(target), Awaitable)


RULE = Rule(
    summary="a coroutine that nobody awaits",
    severity="error",
    mend="Await it; or, if the request should not wait for it, give it to `BackgroundTasks` or keep"
    " the task that `asyncio.create_task` returns.",
    app=check,
    references=(
        "https://docs.python.org/3/library/asyncio-dev.html#detect-never-awaited-coroutines",
    ),
)

CASES = (
    case(
        "a mail that is never sent",
        """
        from fastapi import FastAPI

        app = FastAPI()

        class Mail:
            async def send(self, to: str) -> None: ...

        mail = Mail()

        async def welcome(to: str) -> None:
            mail.send(to)  # <-
            await mail.send(to)

        @app.post("/users")
        async def create(to: str) -> None:
            welcome(to)  # <-
        """,
    ),
    case(
        "awaited later, kept, returned or scheduled",
        """
        import asyncio
        from fastapi import BackgroundTasks, FastAPI

        app = FastAPI()

        async def work() -> None: ...

        def later():
            return work()

        @app.post("/a")
        async def a(tasks: BackgroundTasks) -> None:
            tasks.add_task(work)
            task = asyncio.create_task(work())
            await asyncio.gather(work(), task)
            coroutine = work()
            await coroutine
        """,
    ),
    case(
        "a decorator may make a plain function of it",
        """
        from fastapi import FastAPI
        from jobs import job

        app = FastAPI()

        @job
        async def work() -> None: ...

        @app.post("/a")
        async def a() -> None:
            work()
        """,
    ),
)
