"""A dependency is called by FastAPI, not by hand.

A function that yields (`yield session`) is closed by FastAPI when the request is over. Called by
hand, nobody does that: `next(get_db())` throws the generator away at once, so that its session is
closed before it is used, or never; a loop over it that is left by `return` never gets to the
`commit()` after the `yield`.

A function with `user: User = Depends(get_user)` or `limit: int = Query(10)` called as a plain
function without these arguments gets the marker object in their place.

Reported where the call is certain: a generator that is really used as a dependency and not
decorated as a context manager; a default that the function reads and that the call does not give.
Functions under decorators that may fill in arguments are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.dependencies import MARKERS
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import FunctionValue, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, name_place, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_MARKERS = frozenset(MARKERS) | {"fastapi.Depends", "fastapi.Security"}
_STEPS = frozenset({"next", "anext", "__next__", "__anext__"})
_HARMLESS_DECORATORS = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "api_route", "websocket",
     "staticmethod", "classmethod", "abstractmethod", "override"}
)  # fmt: skip


def check(app: App) -> Iterator[Hit]:
    """Report yielding dependencies that are stepped by hand, and calls that get marker objects."""
    yielding = _yielding(app)
    names = frozenset(function.name for function in yielding.values())
    marked = _with_markers(app)
    callable_names = names | {
        (f.owner.name if f.owner is not None and f.name == "__init__" else f.name)
        for f in marked.values()
    }
    if not callable_names:
        return
    for module in app.sources:
        for function in app.every_function(module, frozenset(callable_names)):
            yield from _loops(app, function, yielding, names)
            for site in app.calls.sites(function):
                if site.method in callable_names:
                    yield from _call(app, site, yielding, marked)


def _yielding(app: App) -> dict[int, Function]:
    """Return the generator functions that are used as dependencies."""
    found: dict[int, Function] = {}
    for route in app.routes:
        for dependency in route.all_dependencies():
            function = dependency.function
            if function is not None and dependency.yields and not function.node.decorators:
                found[id(function.node)] = function
    return found


# --------------------------------------------------------------------------- generators


def _loops(
    app: App, function: Function, yielding: dict[int, Function], names: frozenset[str]
) -> Iterator[Hit]:
    """Report ``for x in get_db():`` that is left before its end."""
    if names.isdisjoint(function.node.called):
        return
    for node, _ in app.calls.of_kind(function, s.For):
        if not isinstance(node.iter, s.Call):
            continue
        provider = _provider(app, function, node.iter, yielding)
        leaving = _leaving(node) if provider is not None else None
        if provider is not None and leaving is not None and _acts_after(provider):
            message = (
                f"{provider.name}() is a dependency: this loop over it is left before its end,"
                f" so that what stands after its yield does not run in time"
            )
            chain = (
                Evidence(name_place(provider), f"{provider.qualname} yields"),
                evidence(function.module, leaving, "leaves the loop"),
            )
            yield Hit(place(function.module, node.iter), message, chain)


def _provider(
    app: App, function: Function, call: s.Call, yielding: dict[int, Function]
) -> Function | None:
    options = alternatives(app.types.of(call.func, Where(function.module, function)))
    if len(options) == 1 and isinstance(options[0], FunctionValue):
        return yielding.get(id(options[0].function.node))
    return None


def _leaving(loop: s.For) -> s.Node | None:
    """Return the statement that leaves the loop early, if there is one."""
    pending: list[s.Node] = list(reversed(loop.body))
    while pending:
        node = pending.pop()
        if isinstance(node, s.Return) or (isinstance(node, s.Flow) and node.keyword == "break"):
            return node
        if isinstance(node, (s.FunctionDef, s.ClassDef, s.Lambda)):
            continue
        inner = list(s.children(node))
        if isinstance(node, (s.For, s.While)):  # a break in there leaves that loop only
            inner = [n for n in s.walk_scope(*inner) if isinstance(n, s.Return)]
        pending.extend(reversed(inner))
    return None


def _acts_after(provider: Function) -> bool:
    """Whether the generator does something after its yield that is no clean-up: ``commit()``."""
    yields = [n for n in s.walk_scope(*provider.node.body) if isinstance(n, s.Yield)]
    cleanup = [
        (n.finalbody[0].start, n.finalbody[-1].end)
        for n in s.walk_scope(*provider.node.body)
        if isinstance(n, s.Try) and n.finalbody
    ]
    return any(
        isinstance(node, s.Call)
        and s.last_name(node) in {"commit", "flush", "publish", "send"}
        and node.start > yields[-1].end
        and not any(start <= node.start < end for start, end in cleanup)
        for node in s.walk_scope(*provider.node.body)
        if yields
    )


def _call(
    app: App, site: CallSite, yielding: dict[int, Function], marked: dict[int, Function]
) -> Iterator[Hit]:
    if len(site.targets) != 1:
        return
    target = site.targets[0]
    if id(target.node) in yielding and _is_stepped(app, site):
        message = (
            f"{target.name}() is a dependency that yields: called by hand, its generator is thrown"
            f" away after the first step, and what it opened with it"
        )
        opened = Evidence(name_place(target), f"{target.qualname} yields")
        yield Hit(place(site.module, site.node), message, (opened,))
    elif id(target.node) in marked and (missing := _missing(app, site, target)):
        yield _gets_markers(site, target, missing)


def _gets_markers(site: CallSite, target: Function, missing: list[s.Parameter]) -> Hit:
    names = " and ".join(parameter.name for parameter in missing)
    made = target.owner if target.name == "__init__" else None
    message = (
        f"{made.name if made else target.name}() called without {names}: outside FastAPI"
        f" {names} {'is' if len(missing) == 1 else 'are'} the marker object"
        f" {s.last_name(missing[0].default)}(...)"
    )
    chain = tuple(evidence(target.module, p, f"default of {p.name}") for p in missing)
    return Hit(place(site.module, site.node), message, chain)


def _is_stepped(app: App, site: CallSite) -> bool:
    """Whether the generator is stepped where it is made: ``next(get_db())``."""
    for node, _ in app.calls.of_kind(site.caller, s.Call):
        if s.last_name(node.func) not in _STEPS:
            continue
        if node.args and node.args[0] is site.node:
            return True
        if isinstance(node.func, s.Attribute) and node.func.value is site.node:
            return True
    return False


# ------------------------------------------------------------------------------ markers


def _with_markers(app: App) -> dict[int, Function]:
    """Return the functions that have a marker of FastAPI as a default, and read that parameter."""
    found: dict[int, Function] = {}
    for module in app.web_modules:
        for function in app.every_function(module):
            if _marked(app, function) and _is_plain(function):
                found[id(function.node)] = function
    return found


def _is_plain(function: Function) -> bool:
    owner = function.owner.node.decorators if function.owner is not None else []
    return function.decorator_names <= _HARMLESS_DECORATORS and not owner


def _marked(app: App, function: Function) -> list[s.Parameter]:
    found = []
    for parameter in function.parameters:
        default = parameter.default
        if isinstance(default, s.Call):
            name = app.linker.external(default.func, function.module, function.outer)
            if name in _MARKERS:
                found.append(parameter)
    return found


def _missing(app: App, site: CallSite, target: Function) -> list[s.Parameter]:
    """Return the marked parameters that a call does not give and that the function reads."""
    node = site.node
    if any(isinstance(arg, s.Starred) for arg in node.args):
        return []
    if any(keyword.arg is None for keyword in node.keywords):
        return []
    positional = [p for p in target.parameters if p.kind in {"positional", "plain"}]
    given = {p.name for p in positional[: len(node.args)]}
    given |= {keyword.arg for keyword in node.keywords if keyword.arg is not None}
    read = {n.id for n in s.walk(*target.node.body) if isinstance(n, s.Name)}
    return [
        p
        for p in _marked(app, target)
        if p.name not in given and p.name in read and not _is_true(p.default)
    ]


def _is_true(marker: s.Expr | None) -> bool:
    """``Query(True)``: the marker is as true as its default."""
    given = marker.argument(0, "default") if isinstance(marker, s.Call) else None
    return isinstance(given, s.Constant) and given.value is True


RULE = Rule(
    summary="a dependency called by hand",
    severity="error",
    mend="Let FastAPI inject it. Outside a request, open the resource yourself"
    " (`with Session(engine) as session:`), or keep a plain function or a context manager"
    " that both use; pass every argument of a function that has markers as defaults.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/",),
)

CASES = (
    Case(
        "next() on a session dependency, in another module",
        {
            "app/__init__.py": "",
            "app/db.py": """
            from sqlmodel import Session

            def get_session():
                with Session() as session:
                    yield session
            """,
            "app/mail.py": """
            from app import db

            def recipients():
                session = next(db.get_session())  # <-
                return session.exec("...").all()
            """,
            "app/main.py": """
            from typing import Annotated
            from fastapi import Depends, FastAPI
            from app.db import get_session

            app = FastAPI()

            @app.get("/")
            def home(session: Annotated[object, Depends(get_session)]) -> None: ...
            """,
        },
    ),
    case(
        "marker objects instead of values",
        """
        from fastapi import Depends, FastAPI, Query

        app = FastAPI()

        def get_user() -> str:
            return "x"

        class Service:
            def __init__(self, user: str = Depends(get_user)) -> None:
                self.user = user

        @app.get("/orders")
        def orders(limit: int = Query(10), user: str = Depends(get_user)) -> list[str]:
            return [user] * limit

        @app.get("/report")
        def report(user: str = Depends(get_user)) -> list[str]:
            Service()  # <-
            return orders(user=user)  # <-
        """,
    ),
    case(
        "a loop that never gets to the commit",
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy.ext.asyncio import AsyncSession

        app = FastAPI()

        async def get_session():
            async with AsyncSession() as session:
                yield session
                await session.commit()

        @app.get("/")
        async def home(session=Depends(get_session)) -> None: ...

        async def job() -> int:
            async for session in get_session():  # <-
                session.add(object())
                return 1
            return 0
        """,
    ),
    case(
        "every argument is given, or the parameter is not read",
        """
        from fastapi import Depends, FastAPI, Query

        app = FastAPI()

        def get_user() -> str:
            return "x"

        @app.get("/orders")
        def orders(limit: int = Query(10), user: str = Depends(get_user)) -> list[str]:
            return [user] * limit

        @app.get("/two")
        def two(_: str = Depends(get_user), quick: bool = Query(True)) -> int:
            return 2 if quick else 1

        def report(**given) -> list[str]:
            two()
            orders(**given)
            return orders(10, "x") + orders(limit=10, user="x")
        """,
    ),
    case(
        "a context manager, a plain generator, a loop to its end, a test's own use",
        """
        from contextlib import contextmanager
        from fastapi import Depends, FastAPI
        from sqlmodel import Session

        app = FastAPI()

        def get_session():
            with Session() as session:
                yield session

        session_scope = contextmanager(get_session)

        def numbers():
            yield 1

        @app.get("/")
        def home(session=Depends(get_session)) -> None: ...

        def job() -> None:
            next(numbers())
            with session_scope() as session:
                session.add(object())
            for session in get_session():
                session.add(object())
        """,
    ),
    case(
        "decorators may fill in what is missing",
        """
        from fastapi import Depends, FastAPI
        from somewhere import inject

        app = FastAPI()

        @inject
        def service(user: str = Depends(str)) -> str:
            return user

        @app.get("/")
        def home() -> str:
            return service()
        """,
    ),
)
