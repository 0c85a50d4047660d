"""What a yielding dependency opens, it closes whatever happens.

An exception in the endpoint, an `HTTPException` too, is raised at the `yield` of every dependency
of the request. A plain `db.close()` below it is then skipped, and the connection stays checked
out until the pool is empty. `try`/`finally` or `with` around the `yield` closes it always.

Reported for dependencies and context managers of the application that yield once: where what
closes the resource stands after the `yield` outside `finally`, and where a database session or
client is opened and nothing closes it at all. A lifespan is not concerned: nothing is raised
into it. What is handed to somebody else, or closed in every handler, is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import Awaitable, Instance, Type, alternatives
from fastwright.edit.fix import Edit, Fix
from fastwright.edit.source import indentation as indentation_of
from fastwright.edit.source import line_start, newline
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_CLOSING = frozenset(
    {"aclose", "close", "close_all", "cleanup", "disconnect", "dispose", "quit", "release",
     "shutdown", "terminate", "unlink", "wait_closed"}
)  # fmt: skip
_MANAGERS = frozenset({"contextmanager", "asynccontextmanager"})
_CLIENTS = frozenset(
    {"httpx.Client", "httpx.AsyncClient", "requests.Session", "aiohttp.ClientSession",
     "io.TextIOWrapper", "smtplib.SMTP", "psycopg2.connection", "psycopg.Connection",
     "sqlite3.Connection", "asyncpg.Connection", "pymysql.Connection"}
)  # fmt: skip


def check(app: App) -> Iterator[Hit]:
    """Report resources of yielding functions that an exception leaves open."""
    lifespans = {id(a.lifespan.node) for a in app.applications if a.lifespan is not None}
    for function in _candidates(app):
        if id(function.node) in lifespans or _is_lifespan(app, function):
            continue
        yields = [n for n in s.walk_scope(*function.node.body) if isinstance(n, s.Yield)]
        if len(yields) == 1 and not yields[0].is_from:
            yield from _resources(app, function, yields[0])


def _candidates(app: App) -> Iterator[Function]:
    """Yield dependencies that yield, then context managers of the application."""
    seen: set[int] = set()
    for function in app.request_roots:
        if function.node.is_generator and id(function.node) not in seen:
            seen.add(id(function.node))
            yield function
    for module in app.model_modules:
        for function in app.functions(module):
            managed = function.node.is_generator and not function.decorator_names.isdisjoint(
                _MANAGERS
            )
            if managed and id(function.node) not in seen:
                seen.add(id(function.node))
                yield function


def _is_lifespan(app: App, function: Function) -> bool:
    if "lifespan" in function.name:
        return True
    where = Where(function.module, function.outer)
    for parameter in function.parameters:
        for option in alternatives(app.types.annotation(parameter.annotation, where)):
            if isinstance(option, Instance):
                names = (
                    {option.cls}
                    if isinstance(option.cls, str)
                    else app.linker.ancestors(option.cls)
                )
                if not names.isdisjoint({"fastapi.FastAPI", "starlette.applications.Starlette"}):
                    return True
    return False


def _resources(app: App, function: Function, yielded: s.Yield) -> Iterator[Hit]:
    for name, value in _opened(app, function, yielded):
        closing = list(_closing(function, name))
        if not closing:
            kind = _resource(app, function, value)
            if kind is not None and not _handed_on(function, name, yielded):
                message = f"{function.name} opens {name} ({kind}) and never closes it"
                yield Hit(place(function.module, value), message)
            continue
        after = [node for node in closing if node.start > yielded.end]
        if len(after) == len(closing) == 1 and not _is_certain(function, yielded, after[0]):
            message = (
                f"{function.name} closes {name} only when nothing is raised:"
                f" put {name}.{s.last_name(after[0])}() into finally"
            )
            chain = (
                evidence(function.module, value, f"{name} is opened"),
                evidence(function.module, yielded, "an exception of the request is raised here"),
                evidence(function.module, after[0], "skipped"),
            )
            fix = _in_finally(function, yielded)
            yield Hit(place(function.module, yielded), message, chain, fix)


def _in_finally(function: Function, yielded: s.Yield) -> Fix | None:
    """Return the fix that puts everything behind a bare ``yield`` into ``finally``."""
    module, body = function.module, function.node.body
    at = next(
        (n for n, x in enumerate(body) if isinstance(x, s.ExprStmt) and x.value is yielded), None
    )
    if at is None or not all(isinstance(x, s.ExprStmt) for x in body[at + 1 :]):
        return None
    source, first, last = module.source, body[at], body[-1]
    start = line_start(source, first.start)
    written = source[start : last.end]
    lines = written.decode().splitlines()
    if b"#" in written or len(lines) != len(body) - at:
        return None
    indentation = indentation_of(source, first.start)
    step = indentation[len(indentation_of(source, function.node.start)) :]
    moved = [f"{step}{line}" for line in lines]
    new = [f"{indentation}try:", moved[0], f"{indentation}finally:", *moved[1:]]
    return Fix("suggest", (Edit(module.path, start, last.end, newline(source).join(new)),))


def _opened(app: App, function: Function, yielded: s.Yield) -> Iterator[tuple[str, s.Expr]]:
    """Yield local names that are bound once, to the result of a call, before the yield."""
    for name, bounds in app.types.locals.of(function).items():
        only = bounds[0]
        if len(bounds) != 1 or only.how != "assign" or only.path or only.offset > yielded.start:
            continue
        value = only.value.value if isinstance(only.value, s.Await) else only.value
        if isinstance(value, s.Call):
            yield name, value


def _closing(function: Function, name: str) -> Iterator[s.Call]:
    """Yield what closes ``name``: its methods, functions that are given it, ``with`` over it."""
    for node in s.walk_scope(*function.node.body):
        if not isinstance(node, s.Call):
            continue
        last = s.last_name(node) or ""
        on_it = isinstance(node.func, s.Attribute) and s.dotted(node.func.value) == name
        if (on_it and last in _CLOSING) or (_takes(node, name) and _sounds_closing(last)):
            yield node


def _sounds_closing(name: str) -> bool:
    return any(verb in name for verb in ("close", "closing", "cleanup", "dispose", "release"))


def _takes(call: s.Call, name: str) -> bool:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(arg, s.Name) and arg.id == name for arg in given)


def _is_certain(function: Function, yielded: s.Yield, closing: s.Call) -> bool:
    """Whether a call after the yield runs when an exception is raised there."""
    for node in s.walk_scope(*function.node.body):
        if isinstance(node, s.Try) and _holds(node.body, yielded):
            if _holds(node.finalbody, closing) or any(
                _holds(h.body, closing) for h in node.handlers
            ):
                return True
            if node.handlers and not any(
                isinstance(n, s.Raise) for h in node.handlers for n in s.walk_scope(*h.body)
            ):
                return True  # swallowed: what follows runs
        if isinstance(node, s.With) and _holds(node.body, yielded) and _suppresses(node):
            return not _holds(node.body, closing)
    return False


def _suppresses(node: s.With) -> bool:
    return any(s.last_name(item.context_expr) == "suppress" for item in node.items)


def _holds(body: list[s.Stmt], node: s.Node) -> bool:
    return bool(body) and body[0].start <= node.start < body[-1].end


def _resource(app: App, function: Function, value: s.Expr) -> str | None:
    """Return what a call opens that has to be closed, as far as that is known."""
    found = app.types.of(value, Where(function.module, function))
    options: list[Type] = [o.result if isinstance(o, Awaitable) else o for o in alternatives(found)]
    if len(options) != 1:
        return None
    only = options[0]
    if app.types.session_kind(only) is not None:
        return "a database session"
    if isinstance(only, Instance) and isinstance(only.cls, str) and only.cls in _CLIENTS:
        return only.cls
    return None


def _handed_on(function: Function, name: str, yielded: s.Yield) -> bool:
    """Whether somebody else may close it: it is passed on, kept, returned or entered."""
    for node in s.walk_scope(*function.node.body):
        inside = yielded.start <= node.start < yielded.end
        if isinstance(node, s.Call) and _takes(node, name) and not inside:
            return True
        if isinstance(node, s.With) and any(
            s.dotted(item.context_expr) == name or _within(item.context_expr, name)
            for item in node.items
        ):
            return True
        if isinstance(node, s.Assign) and s.dotted(node.value) == name:
            return True
        if isinstance(node, (s.FunctionDef, s.Lambda, s.Return)) and _within(node, name):
            return True
    return False


def _within(node: s.Node, name: str) -> bool:
    return any(isinstance(inner, s.Name) and inner.id == name for inner in s.walk(node))


RULE = Rule(
    summary="a yielding dependency that does not always close",
    severity="error",
    mend="`with Session(engine) as session: yield session`, or `try: yield db` with"
    " `finally: db.close()`.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/",),
)

CASES = (
    case(
        "close after the yield, and not at all",
        """
        import httpx
        from fastapi import Depends, FastAPI
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker
        from sqlmodel import Session

        app = FastAPI()
        engine = create_engine("sqlite://")
        Local = sessionmaker(engine)

        def get_db():
            db = Session(engine)
            yield db  # <-
            db.close()

        def get_other():
            db = Local()  # <-
            try:
                yield db
            except Exception:
                db.rollback()
                raise

        async def get_client():
            client = httpx.AsyncClient()
            yield client  # <-
            await client.aclose()

        @app.get("/")
        def home(a=Depends(get_db), b=Depends(get_other), c=Depends(get_client)) -> None: ...
        """,
        after="""
        import httpx
        from fastapi import Depends, FastAPI
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker
        from sqlmodel import Session

        app = FastAPI()
        engine = create_engine("sqlite://")
        Local = sessionmaker(engine)

        def get_db():
            db = Session(engine)
            try:
                yield db
            finally:
                db.close()

        def get_other():
            db = Local()
            try:
                yield db
            except Exception:
                db.rollback()
                raise

        async def get_client():
            client = httpx.AsyncClient()
            try:
                yield client
            finally:
                await client.aclose()

        @app.get("/")
        def home(a=Depends(get_db), b=Depends(get_other), c=Depends(get_client)) -> None: ...
        """,
    ),
    case(
        "a context manager",
        """
        from contextlib import contextmanager
        from fastapi import FastAPI

        app = FastAPI()

        def connect(): ...

        @contextmanager
        def connection():
            made = connect()
            yield made  # <-
            made.close()
        """,
    ),
    case(
        "finally, with, closed in the handlers",
        """
        import httpx
        from fastapi import Depends, FastAPI
        from sqlmodel import Session

        app = FastAPI()

        def one():
            db = Session()
            try:
                yield db
            finally:
                db.close()

        def two():
            with Session() as db:
                yield db

        def three():
            db = Session()
            with db:
                yield db

        def four():
            db = Session()
            try:
                yield db
            except Exception:
                db.close()
                raise
            db.close()

        async def five():
            async with httpx.AsyncClient() as client:
                yield client

        @app.get("/")
        def home(
            a=Depends(one), b=Depends(two), c=Depends(three), d=Depends(four), e=Depends(five)
        ) -> None: ...
        """,
    ),
    case(
        "a lifespan, and what others close",
        """
        from contextlib import ExitStack, asynccontextmanager
        from fastapi import Depends, FastAPI
        from sqlmodel import Session

        class Pool:
            async def close(self): ...

        @asynccontextmanager
        async def start(application: FastAPI):
            pool = Pool()
            yield
            await pool.close()

        app = FastAPI(lifespan=start)
        stack = ExitStack()

        def get_db():
            db = Session()
            stack.callback(db.close)
            stack.push(db)
            yield db

        @app.get("/")
        def home(a=Depends(get_db)) -> None: ...
        """,
    ),
)
