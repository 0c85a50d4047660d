"""`Depends` takes the function, not what it returns.

FastAPI calls the dependency for every request. `Depends(get_db())` calls it once, when the module
is imported, and hands FastAPI a generator, a coroutine or a value: registering the route fails
with `TypeError: ... is not a callable object`. Write `Depends(get_db)`.

A factory that returns a callable (`Depends(require_role("admin"))`), and an instance of a class
with `__call__`, are right. Reported only where the called function is a generator or coroutine
function, or where everything that it returns is known and nothing of it can be called.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.canonical import canonical
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, External, Function
from fastwright.app.types import (
    Awaitable,
    ClassObject,
    Context,
    FunctionValue,
    Instance,
    Literal,
    NoneType,
    Sequence,
    Type,
    alternatives,
)
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, name_place, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

_MARKERS = frozenset({"fastapi.Depends", "fastapi.Security"})
_TRANSPARENT = frozenset({"lru_cache", "cache", "staticmethod", "classmethod", "abstractmethod",
                          "override"})  # fmt: skip
"""Decorators after which calling a function still gives what its body returns."""
_NOT_CALLABLE = frozenset(
    {"pydantic.BaseModel", "pydantic_settings.BaseSettings", "pydantic.BaseSettings",
     "sqlmodel.SQLModel", "sqlalchemy.orm.DeclarativeBase", "builtins.object", "abc.ABC",
     "typing.Generic"}
)  # fmt: skip
"""Bases that bring no ``__call__``."""


def check(app: App) -> Iterator[Hit]:
    """Report calls inside ``Depends(...)`` that give no callable."""
    for module in app.web_modules:
        if {"Depends", "Security"}.isdisjoint(module.header.marks):
            continue
        for node in module.walk():
            if not isinstance(node, s.Call):
                continue
            given = node.argument(0, "dependency")
            if isinstance(given, s.Call) and canonical(module.qualify(node.func) or "") in _MARKERS:
                yield from _given(app, module, node, given)


def _given(app: App, module: Module, marker: s.Call, given: s.Call) -> Iterator[Hit]:
    where = Where(module, _enclosing(app, module, given))
    what = _gives(app, app.types.of(given.func, where))
    if what is None:
        return
    called = s.dotted(given.func) or s.last_name(given.func) or "it"
    name = s.last_name(marker.func)
    message = (
        f"{name}({called}({'...' if given.args or given.keywords else ''})) calls {called} on"
        f" import and passes {what[0]}, which FastAPI cannot call: pass {called} itself"
    )
    chain = () if what[1] is None else (evidence(module, given, "called here"), what[1])
    bare = not given.args and not given.keywords
    fix = Fix("safe", (replace(module, given, text(module, given.func)),)) if bare else None
    yield Hit(place(module, given), message, chain, fix)


def _enclosing(app: App, module: Module, node: s.Node) -> Function | None:
    """Return the innermost function whose body holds a node."""
    best: Function | None = None
    if module.function_at(node.start) is None:
        return None
    for function in app.every_function(module):
        body = function.node.body
        if body and body[0].start <= node.start < body[-1].end:
            if best is None or function.node.start > best.node.start:
                best = function
    return best


def _gives(app: App, callee: Type) -> tuple[str, Evidence | None] | None:
    """Return what calling a value gives that cannot be called, and where it is defined."""
    if isinstance(callee, ClassObject) and isinstance(callee.cls, Class):
        if callee.cls.node.decorators or not _is_plain(app, callee.cls):
            return None
        note = "no __call__ here"
        return f"a {callee.cls.name}", Evidence(name_place(callee.cls), note)
    if not isinstance(callee, FunctionValue) or not callee.function.decorator_names <= _TRANSPARENT:
        return None
    function = callee.function
    at = Evidence(name_place(function), function.qualname)
    if function.node.is_generator:
        return ("an async generator" if function.is_async else "a generator"), at
    if function.is_async:
        return "a coroutine", at
    found = alternatives(app.types.returned(function, callee.receiver))
    values = [_value(app, option) for option in found]
    if None in values or not _all_returns_known(app, function):
        return None
    return str(values[0]), at


def _all_returns_known(app: App, function: Function) -> bool:
    """Whether each ``return`` is understood: a union drops what is unknown beside what is known."""
    if function.node.returns is not None:
        return True
    where = Where(function.module, function)
    returns = [n for n in s.statements(function.node.body) if isinstance(n, s.Return)]
    return bool(returns) and all(
        _value(app, option) is not None
        for node in returns
        for option in alternatives(app.types.of(node.value, where))
    )


def _value(app: App, found: Type) -> str | None:
    """Return how a value that cannot be called is named; None for what can, or may be."""
    match found:
        case Literal():
            return f"a value ({type(found.value).__name__})"
        case Sequence():
            return f"a {found.kind}"
        case Awaitable():
            return "an awaitable"
        case Context():
            return "a context manager"
        case Instance():
            if app.types.session_kind(found) is not None:
                return "a database session"
            if isinstance(found.cls, Class):
                return f"a {found.cls.name}" if _is_plain(app, found.cls) else None
            if found.cls in {f"builtins.{n}" for n in ("str", "int", "float", "bool", "bytes")}:
                return f"a {found.cls.rpartition('.')[2]}"
        case NoneType():  # Depends(None) takes the dependency from the annotation
            return None
    return None


def _is_plain(app: App, cls: Class) -> bool:
    """Whether instances of a class surely have no ``__call__``."""
    if app.types.is_port(cls) or app.linker.method(cls, "__call__") is not None:
        return False
    if app.linker.class_attribute(cls, "__call__") is not None:
        return False
    for ancestor in app.linker.mro(cls):
        if isinstance(ancestor, External):
            if ancestor.name not in _NOT_CALLABLE:
                return False
        elif len(app.linker.bases(ancestor)) < len(ancestor.node.bases):
            return False  # a base that is not known
        elif (
            any(k.arg == "metaclass" for k in ancestor.node.keywords)
            or "__new__" in ancestor.own_methods
        ):
            return False
    return not app.subclasses(cls)


RULE = Rule(
    summary="Depends on the result of a call",
    severity="error",
    mend="Pass the function: `Depends(get_db)`. One that takes arguments returns an inner function"
    " for FastAPI to call.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/dependencies/#import-depends",),
)

CASES = (
    case(
        "a generator, a coroutine, a value",
        """
        from functools import lru_cache
        from typing import Annotated
        from fastapi import APIRouter, Depends, FastAPI, Security
        from pydantic_settings import BaseSettings
        from sqlmodel import Session

        app = FastAPI(dependencies=[Depends(dict(a=1))])
        engine = ...

        class Settings(BaseSettings):
            debug: bool = False

        def get_db():
            with Session(engine) as session:
                yield session

        async def get_user():
            return {"id": 1}

        @lru_cache
        def get_settings() -> Settings:
            return Settings()

        def limit(top):
            return 10

        Db = Annotated[Session, Depends(get_db())]  # <-

        @app.get("/")
        def home(
            db: Db,
            user=Security(get_user()),  # <-
            settings: Settings = Depends(get_settings()),  # <-
            limit: int = Depends(limit(100)),  # <-
            same: Settings = Depends(Settings()),  # <-
        ) -> None: ...
        """,
        after="""
        from functools import lru_cache
        from typing import Annotated
        from fastapi import APIRouter, Depends, FastAPI, Security
        from pydantic_settings import BaseSettings
        from sqlmodel import Session

        app = FastAPI(dependencies=[Depends(dict(a=1))])
        engine = ...

        class Settings(BaseSettings):
            debug: bool = False

        def get_db():
            with Session(engine) as session:
                yield session

        async def get_user():
            return {"id": 1}

        @lru_cache
        def get_settings() -> Settings:
            return Settings()

        def limit(top):
            return 10

        Db = Annotated[Session, Depends(get_db)]

        @app.get("/")
        def home(
            db: Db,
            user=Security(get_user),
            settings: Settings = Depends(get_settings),
            limit: int = Depends(limit(100)),
            same: Settings = Depends(Settings),
        ) -> None: ...
        """,
    ),
    case(
        "factories of callables",
        """
        from functools import partial
        from fastapi import Depends, FastAPI
        from elsewhere import guard

        app = FastAPI()

        def require(role):
            def check(): ...
            return check

        def limit(n):
            return lambda: n

        def cls_of(name):
            return Checker

        def maybe(name, found=None):
            if found:
                return found
            return 10

        class Checker:
            def __init__(self, role=""): ...
            def __call__(self): ...

        def checker(role) -> Checker:
            return Checker(role)

        def made():
            return partial(require, "x")

        @guard
        def decorated():
            return 1

        def nothing():
            return None

        @app.get("/", dependencies=[Depends(require("admin")), Depends(guard("x"))])
        def home(
            a=Depends(limit(1)),
            b=Depends(Checker("x")),
            c=Depends(checker("x")),
            d=Depends(cls_of("x")),
            e=Depends(made()),
            f=Depends(decorated()),
            g=Depends(maybe("x")),
            h: Checker = Depends(nothing()),
        ) -> None: ...
        """,
    ),
    case(
        "somebody else's Depends, and a method of an unknown object",
        """
        from fastapi import FastAPI
        from elsewhere import Depends, auth
        from fastapi import Depends as On

        app = FastAPI()

        def value() -> int:
            return 1

        @app.get("/")
        def home(a=Depends(value()), user=On(auth.current_user(active=True))) -> None: ...
        """,
    ),
)
