"""A dependency that waits for nothing is `async def`.

FastAPI runs a plain `def` in a thread, because it may block. For one that only picks a header or
compares two values this costs more than the work itself: a hop to a thread and back on every
request, and one of the 40 threads that all plain `def` endpoints and dependencies share. Written
`async def` it runs where it is.

Off by default, as the gain is small. Reported only where everything that the dependency calls is
known and neither waits nor takes long: attributes and headers of the request, built-in types,
schemas, other functions of that kind. Left alone: functions with loops, decorators or anything
unknown in them, functions that other code calls as well (it would get a coroutine), classes,
which FastAPI always runs in a thread, methods that override others, and attributes that may ask
the database when they are read.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, Literal, Type, alternatives
from fastwright.edit.builders import insert
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.evidence import name_place, of_route
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_DEPTH = 3
_QUICK = (
    "builtins.", "collections.", "datetime.", "decimal.", "enum.", "fastapi.HTTPException",
    "fastapi.Request.", "fastapi.State.", "fastapi.requests.HTTPConnection.",
    "fastapi.websockets.WebSocket.", "hmac.compare_digest", "secrets.compare_digest",
    "typing.cast", "urllib.parse.", "uuid.",
)  # fmt: skip
"""Beginnings of names outside the project that are surely quick to call."""
_SLOW = frozenset(
    f"builtins.{n}"
    for n in ("__import__", "breakpoint", "compile", "eval", "exec", "input", "open", "print")
)
_QUICK_MODELS = frozenset({"pydantic.BaseModel", "sqlmodel.SQLModel", "builtins.Exception",
                           "fastapi.HTTPException"})  # fmt: skip


def check(app: App) -> Iterator[Hit]:
    """Report plain dependencies that nothing can hold up."""
    found: dict[int, tuple[Function, Route]] = {}
    for route in app.routes:
        for dependency in route.all_dependencies():
            function = dependency.function
            if function is not None and function.name != "__init__":
                found.setdefault(id(function.node), (function, route))
    trivial = [
        (function, route)
        for function, route in found.values()
        if not function.is_async and function.module.kind == "source" and _is_quick(app, function)
    ]
    called = _called_names(app) if trivial else frozenset()
    for function, route in trivial:
        if function.name not in called and not _is_override(app, function):
            message = (
                f"{function.qualname} waits for nothing, and as a plain def it is run in a thread"
                " for every request: make it async def"
            )
            fix = Fix("safe", (insert(function.module, function.node.start, "async "),))
            yield Hit(name_place(function), message, of_route(route), fix)


def _is_override(app: App, function: Function) -> bool:
    """Whether a base class says how the method is written."""
    if function.owner is None:
        return False
    others = app.linker.mro(function.owner)[1:]
    return function.name.startswith("__") or any(
        not isinstance(other, Class) or function.name in other.own_methods for other in others
    )


def _called_names(app: App) -> frozenset[str]:
    """Return the names of everything that any function of the project calls."""
    return frozenset(
        name for module in app.modules.values() for f in module.functions for name in f.called
    )


def _is_quick(app: App, function: Function, depth: int = 0) -> bool:
    """Whether all that a function does is known, and nothing of it waits or repeats."""
    if function.node.decorators and not function.decorator_names <= {"staticmethod", "classmethod"}:
        return False
    if function.is_async or depth > _DEPTH:
        return False
    for node, _ in app.calls.nodes(function):
        if isinstance(node, (s.For, s.While, s.Comp, s.With, s.Opaque, s.OpaqueStmt, s.Lambda)):
            return False
        if isinstance(node, s.Attribute) and not _is_plain_attribute(app, function, node):
            return False
    return all(_is_quick_call(app, site, depth) for site in app.calls.sites(function))


def _is_quick_call(app: App, site: CallSite, depth: int) -> bool:
    if site.external is not None:
        name = site.external
        known = name.startswith(_QUICK) and name not in _SLOW
        return known and not site.targets
    if site.targets:
        return all(_is_quick(app, target, depth + 1) for target in site.targets)
    options = alternatives(site.callee)
    return all(_is_quick_class(app, option) for option in options)


def _is_quick_class(app: App, callee: Type) -> bool:
    """Whether a value is a model or plain class of the project without code of its own."""
    if not isinstance(callee, ClassObject) or not isinstance(callee.cls, Class):
        return False
    for ancestor in app.linker.mro(callee.cls):
        if isinstance(ancestor, Class):
            if len(app.linker.bases(ancestor)) < len(ancestor.node.bases):
                return False
            if any(m.decorator_names & {"model_validator", "field_validator", "validator"}
                   for m in ancestor.own_methods.values()):  # fmt: skip
                return False
        elif ancestor.name not in _QUICK_MODELS:
            return False
    return True


def _is_plain_attribute(app: App, function: Function, node: s.Attribute) -> bool:
    """Whether reading an attribute runs no code: no property, no relationship of a row."""
    for option in alternatives(app.types.of(node.value, Where(function.module, function))):
        if isinstance(option, Literal):
            continue
        cls = option.cls if isinstance(option, (Instance, ClassObject)) else None
        if not isinstance(cls, Class):
            continue
        method = app.linker.method(cls, node.attr)
        if method is not None and method.is_property:
            return False
        if isinstance(option, Instance) and app.types.is_table(cls):
            return False  # expired or deferred: it may ask the database
        if app.linker.method(cls, "__getattr__") is not None:
            return False
    return True


RULE = Rule(
    summary="a plain def dependency that waits for nothing",
    severity="info",
    default=False,
    mend="Write `async def`.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/async/#dependencies",
        "https://www.starlette.io/threadpool/",
    ),
)

CASES = (
    case(
        "a header, a page, the state of the application",
        """
        from typing import Annotated
        from fastapi import Depends, FastAPI, Header, HTTPException, Request
        from pydantic import BaseModel

        app = FastAPI()

        class Page(BaseModel):
            limit: int
            offset: int

        def clamp(limit: int) -> int:
            return min(limit, 100)

        def page(limit: int = 10, offset: int = 0) -> Page:  # <-
            return Page(limit=min(limit, 100), offset=offset)

        def tenant(x_tenant: Annotated[str, Header()]) -> str:  # <-
            if not x_tenant.strip():
                raise HTTPException(400, "no tenant")
            return x_tenant.lower()

        def maker(request: Request):  # <-
            return request.app.state.maker

        @app.get("/")
        async def home(
            p: Page = Depends(page), t: str = Depends(tenant), m=Depends(maker)
        ) -> None: ...
        """,
        after="""
        from typing import Annotated
        from fastapi import Depends, FastAPI, Header, HTTPException, Request
        from pydantic import BaseModel

        app = FastAPI()

        class Page(BaseModel):
            limit: int
            offset: int

        def clamp(limit: int) -> int:
            return min(limit, 100)

        async def page(limit: int = 10, offset: int = 0) -> Page:
            return Page(limit=min(limit, 100), offset=offset)

        async def tenant(x_tenant: Annotated[str, Header()]) -> str:
            if not x_tenant.strip():
                raise HTTPException(400, "no tenant")
            return x_tenant.lower()

        async def maker(request: Request):
            return request.app.state.maker

        @app.get("/")
        async def home(
            p: Page = Depends(page), t: str = Depends(tenant), m=Depends(maker)
        ) -> None: ...
        """,
    ),
    case(
        "waits, may wait, is called by others, is async or a class",
        """
        import time
        from functools import lru_cache
        from fastapi import Depends, FastAPI
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session
        from elsewhere import load, hasher

        app = FastAPI()

        class Base(DeclarativeBase): ...

        class User(Base):
            __tablename__ = "users"
            name: Mapped[str]

        def read_file():
            with open("x") as f:
                return f.read()

        def unknown():
            return load("x")

        def slow():
            time.sleep(1)

        def deep():
            return slow()

        @lru_cache
        def settings():
            return {"a": 1}

        def hashed(password: str):
            return hasher.hash(password)

        def row(user: User = Depends(unknown)):
            return user.name

        def shared(limit: int = 1):
            return limit

        def helper():
            return shared(2)

        def many(n: int):
            return [x for x in range(n)]

        async def quick():
            return 1

        class Params:
            def __init__(self, q: str = ""):
                self.q = q

        @app.get("/")
        async def home(
            a=Depends(read_file), b=Depends(unknown), c=Depends(deep), d=Depends(settings),
            e=Depends(hashed), f=Depends(row), g=Depends(shared), h=Depends(many),
            i=Depends(quick), j: Params = Depends(),
        ) -> None: ...
        """,
    ),
)
