"""An application has one dependency for its database session.

FastAPI keeps what a dependency gives for the rest of the request, under the function that gave
it. With `get_db` and `get_session` side by side, an endpoint that uses one and a service that
uses the other work in two sessions: two connections of the pool, two transactions, and rows of
one that the other does not see before a commit. Tests have to override both.

Reported where two yielding dependencies, both in use, open the same thing (the same `sessionmaker`
or engine with the same arguments), and do nothing else but close it, roll it back, and write to
the log; either both commit or neither does. What else one of them does, makes it another one.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Class, External, Function, Variable
from fastwright.app.types import FunctionValue, Instance, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, name_place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_ENDING = frozenset({"aclose", "close", "rollback"})
"""What every session gets at its end anyway."""
_OTHER = (s.Assign, s.AugAssign, s.For, s.FunctionDef, s.If, s.Lambda, s.Match, s.While)
_LOGGING = frozenset({"critical", "debug", "error", "exception", "info", "warning"})


def check(app: App) -> Iterator[Hit]:
    """Report session dependencies that open what another one opens, in the same way."""
    known: dict[tuple[object, ...], tuple[Function, s.Call]] = {}
    roots = [f for f in app.request_roots if f.module.kind == "source" and f.node.is_generator]
    for function in sorted(roots, key=lambda f: (f.module.path, f.node.start)):
        opened = _opens(app, function)
        if opened is None:
            continue
        key, call = opened
        if key not in known:
            known[key] = (function, call)
            continue
        first, at = known[key]
        message = (
            f"{function.qualname} opens the same database session as {first.qualname}:"
            " a request that uses both works in two"
        )
        chain = (
            Evidence(name_place(first), first.qualname),
            evidence(first.module, at, "opens it"),
            evidence(function.module, call, "opens it as well"),
        )
        yield Hit(name_place(function), message, chain)


def _opens(app: App, function: Function) -> tuple[tuple[object, ...], s.Call] | None:
    """Return what a dependency opens and yields, if that and closing it is all that it does."""
    provided = alternatives(app.types.provided(FunctionValue(function)))
    if len(provided) != 1 or app.types.session_kind(provided[0]) is None:
        return None
    name = _yielded_name(app, function)
    bounds = app.types.locals.of(function).get(name, []) if name is not None else []
    opened = [b.value for b in bounds if isinstance(b.value, s.Call)]
    if len(opened) != 1 or len(bounds) != 1:
        return None
    key = _key(app, function, opened[0])
    commits = _only_ends(app, function, name or "", opened[0])
    if key is None or commits is None:
        return None
    return (*key, commits), opened[0]


def _yielded_name(app: App, function: Function) -> str | None:
    yields = [node for node, _ in app.calls.of_kind(function, s.Yield)]
    if len(yields) != 1 or yields[0].is_from or not isinstance(yields[0].value, s.Name):
        return None
    return yields[0].value.id


def _only_ends(app: App, function: Function, name: str, opened: s.Call) -> bool | None:
    """Return whether the session is committed; None if the function does anything else."""
    commits = False
    for node, _ in app.calls.nodes(function):
        if isinstance(node, _OTHER) and not (isinstance(node, s.Assign) and node.value is opened):
            return None
        if not isinstance(node, s.Call) or opened.start <= node.start < opened.end:
            continue
        on_it = isinstance(node.func, s.Attribute) and s.dotted(node.func.value) == name
        method = s.last_name(node.func)
        if on_it and method == "commit":
            commits = True
        elif not (on_it and method in _ENDING) and method not in _LOGGING:
            return None
    return commits


def _key(app: App, function: Function, call: s.Call) -> tuple[object, ...] | None:
    """Return what tells one way to open a session from all others; None if it is not known."""
    parts = [_identity(app, function, call.func)]
    parts += [_identity(app, function, argument) for argument in call.args]
    for keyword in sorted(call.keywords, key=lambda k: k.arg or ""):
        parts += [keyword.arg, _identity(app, function, keyword.value)]
    return None if None in parts else tuple(parts)


def _identity(app: App, function: Function, node: s.Expr) -> object | None:
    if isinstance(node, s.Constant):
        return (node.kind, node.value)
    symbol = app.linker.expression(node, function.module, function)
    if isinstance(symbol, (Function, Class)):
        return id(symbol.node)
    if isinstance(symbol, External):
        return symbol.name
    if isinstance(symbol, Variable):
        return (symbol.module.path, symbol.name)
    if isinstance(node, s.Attribute):  # manager.session, request.app.state.maker
        base = _identity(app, function, node.value)
        return (base, node.attr) if base is not None else None
    if isinstance(node, s.Call) and not node.args and not node.keywords:  # get_engine()
        base = _identity(app, function, node.func)
        return (base, "()") if base is not None else None
    if isinstance(node, s.Name) and _is_request(app, function, node.id):
        return "request"
    return None


def _is_request(app: App, function: Function, name: str) -> bool:
    for parameter in function.parameters:
        if parameter.name == name:
            found = app.types.parameter(parameter, function)
            return isinstance(found, Instance) and found.cls in {
                "fastapi.Request", "fastapi.requests.HTTPConnection",
            }  # fmt: skip
    return False


RULE = Rule(
    summary="two session dependencies that do the same",
    severity="warning",
    mend="Keep one, and use it in every endpoint and service: `SessionDep = Annotated[Session,"
    " Depends(get_session)]`.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/tutorial/dependencies/sub-dependencies/#using-the-same-dependency-multiple-times",
    ),
)

CASES = (
    Case(
        "the same maker in two modules",
        {
            "db.py": """
            from sqlalchemy import create_engine
            from sqlalchemy.orm import sessionmaker

            engine = create_engine("sqlite://")
            Local = sessionmaker(engine)

            def get_db():
                db = Local()
                try:
                    yield db
                finally:
                    db.close()
            """,
            "main.py": """
            import logging
            from fastapi import Depends, FastAPI
            from db import Local, get_db

            app = FastAPI()

            async def session():  # <-
                with Local() as opened:
                    try:
                        yield opened
                    except Exception as error:
                        logging.error(error)
                        opened.rollback()
                        raise

            @app.get("/")
            def home(a=Depends(get_db), b=Depends(session)) -> None: ...
            """,
        },
    ),
    case(
        "the same engine",
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

        app = FastAPI()
        engine = create_async_engine("sqlite+aiosqlite://")

        async def one():
            async with AsyncSession(engine, expire_on_commit=False) as session:
                yield session

        async def two():  # <-
            async with AsyncSession(engine, expire_on_commit=False) as session:
                yield session

        @app.get("/a")
        def a(session=Depends(one)) -> None: ...

        @app.get("/b")
        def b(session=Depends(two)) -> None: ...
        """,
    ),
    case(
        "each does something else",
        """
        from fastapi import Depends, FastAPI, Request
        from sqlalchemy import create_engine
        from sqlmodel import Session

        app = FastAPI()
        engine = create_engine("sqlite://")
        replica = create_engine("sqlite:///replica")

        def plain():
            with Session(engine) as session:
                yield session

        def committing():
            with Session(engine) as session:
                yield session
                session.commit()

        def reading():
            with Session(replica) as session:
                yield session

        def keeping():
            with Session(engine, expire_on_commit=False) as session:
                yield session

        def for_tenant(request: Request):
            with Session(engine) as session:
                session.info["tenant"] = request.headers.get("x-tenant")
                session.execute("SET app.tenant = 1")
                yield session

        def unused():
            with Session(engine) as session:
                yield session

        @app.get("/")
        def home(
            a=Depends(plain), b=Depends(committing), c=Depends(reading), d=Depends(keeping),
            e=Depends(for_tenant),
        ) -> None: ...
        """,
    ),
)
