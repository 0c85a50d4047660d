"""A default is computed once, when the module is imported.

`created_at: datetime = datetime.now()` gives every row the time at which the process started, and
`id: UUID = uuid4()` gives all of them the same id. `Field(default_factory=uuid4)`,
`Column(default=datetime.now)` without parentheses, or `None` and a line in the function make a
value for each use.

Reported for clocks, random values and ids, in parameters, fields of data classes and models, and
in the default of `Field`, `Column` and the like. Settings are read once for each process: a
generated default there is the value of that process, which is often what is meant. Constants of
a module and plain class attributes are no defaults.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.models import SETTINGS
from fastwright.app.symbols import Class, Function
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_CLOCKS = "the time"
_RANDOM = "the value"
_CALLS = {
    "datetime.datetime.now": _CLOCKS,
    "datetime.datetime.utcnow": _CLOCKS,
    "datetime.datetime.today": _CLOCKS,
    "datetime.date.today": _CLOCKS,
    "time.time": _CLOCKS,
    "time.time_ns": _CLOCKS,
    "time.monotonic": _CLOCKS,
    "time.perf_counter": _CLOCKS,
    "django.utils.timezone.now": _CLOCKS,
    "pendulum.now": _CLOCKS,
    "arrow.now": _CLOCKS,
    "arrow.utcnow": _CLOCKS,
    "uuid.uuid1": _RANDOM,
    "uuid.uuid4": _RANDOM,
    "uuid.uuid7": _RANDOM,
    "secrets.token_hex": _RANDOM,
    "secrets.token_urlsafe": _RANDOM,
    "secrets.token_bytes": _RANDOM,
    "secrets.choice": _RANDOM,
    "random.random": _RANDOM,
    "random.randint": _RANDOM,
    "random.choice": _RANDOM,
    "os.urandom": _RANDOM,
}
_NEVER = 99
_DESCRIBING = {
    "pydantic.Field": 0,
    "pydantic.PrivateAttr": 0,
    "sqlmodel.Field": 0,
    "dataclasses.field": _NEVER,
    "sqlalchemy.Column": _NEVER,
    "sqlalchemy.orm.mapped_column": _NEVER,
}
"""Calls that describe a field, and at which position they take ``default``."""
_NAMES = frozenset(name.rpartition(".")[2] for name in _CALLS)


def check(app: App) -> Iterator[Hit]:
    """Report calls whose result should be new each time, in defaults."""
    concerned = {module.path for module in app.model_modules}
    concerned |= {step.function.module.path for step in app.reached}
    for module in app.sources:
        if module.path in concerned:
            for function in app.every_function(module, _NAMES):
                for parameter in function.node.params:
                    yield from _default(app, function, parameter.name, parameter.default)
    for cls in app.model_classes:
        yield from _fields(app, cls)


def _fields(app: App, cls: Class) -> Iterator[Hit]:
    """Report fields of a model, table or dataclass; elsewhere what ``Column(...)`` describes."""
    is_data = _is_data_class(app, cls)
    if is_data is None:
        return
    for name, node in cls.own_attributes.items():
        described = isinstance(node.value, s.Call) and _position(app, cls, node.value) is not None
        if described or (is_data and isinstance(node, s.AnnAssign) and not _is_class_var(node)):
            yield from _default(app, cls, name, node.value)


def _is_data_class(app: App, cls: Class) -> bool | None:
    """Whether annotations in the body are fields with defaults; None for settings."""
    if any(not app.linker.ancestors(c).isdisjoint(SETTINGS) for c in (cls, *app.subclasses(cls))):
        return None
    if app.models.is_schema(cls) or app.types.is_table(cls):
        return True
    return any(s.last_name(decorator) == "dataclass" for decorator in cls.node.decorators)


def _is_class_var(node: s.AnnAssign) -> bool:
    written = node.annotation
    return s.last_name(written.value if isinstance(written, s.Subscript) else written) == "ClassVar"


def _default(app: App, owner: Function | Class, name: str, default: s.Expr | None) -> Iterator[Hit]:
    if isinstance(default, s.Call):
        position = _position(app, owner, default)
        if position is not None:
            default = default.argument(position, "default")
    if default is None:
        return
    for node in s.walk_scope(default):
        called = _called(app, owner, node) if isinstance(node, s.Call) else None
        if called is not None:
            written = ".".join(called.split(".")[-2:])
            message = (
                f"{written}() in the default of {name} runs once, on import:"
                f" {_CALLS[called]} never changes"
            )
            fix = _factory(app, owner, name, default, node)
            yield Hit(place(owner.module, node), message, (), fix)
            return


def _factory(
    app: App, owner: Function | Class, name: str, default: s.Expr, call: s.Node
) -> Fix | None:
    """Return the fix for a field of a model: ``Field(default_factory=...)``.

    Parameters and what is computed further from the call are left to a person.
    """
    if not isinstance(owner, Class) or default is not call or not isinstance(call, s.Call):
        return None
    if not app.models.is_schema(owner) and not app.types.is_table(owner):
        return None
    attribute = owner.own_attributes.get(name)
    value = attribute.value if attribute is not None else None
    module = owner.module
    bare = not call.args and not call.keywords
    made = text(module, call.func) if bare else f"lambda: {text(module, call)}"
    if value is call:
        source = "sqlmodel" if _is_sqlmodel(app, owner) else "pydantic"
        brought = bring(module, source, "Field")
        if brought is None:
            return None
        written = f"{brought.name}(default_factory={made})"
        return Fix("safe", (replace(module, call, written),), brought.imports)
    if isinstance(value, s.Call):
        given = next((k for k in value.keywords if k.value is call), None)
        name_of = app.linker.external(value.func, module)
        if name_of in {"pydantic.Field", "sqlmodel.Field"}:
            edit = replace(module, given if given is not None else call, f"default_factory={made}")
            only = given is not None or value.args == [call]
            return Fix("safe", (edit,)) if only else None
    return None


def _is_sqlmodel(app: App, cls: Class) -> bool:
    return "sqlmodel.SQLModel" in app.linker.ancestors(cls)


def _position(app: App, owner: Function | Class, call: s.Call) -> int | None:
    """Return where a call that describes a field or parameter takes its default, or None."""
    name = app.linker.external(call.func, owner.module)
    if name is None:
        return None
    if name.startswith("fastapi."):
        return 0
    return _DESCRIBING.get(name)


def _called(app: App, owner: Function | Class, call: s.Call) -> str | None:
    if s.last_name(call.func) not in _NAMES:
        return None
    name = app.linker.external(call.func, owner.module, owner.outer)
    return name if name in _CALLS else None


RULE = Rule(
    summary="a clock or an id in a default value",
    severity="error",
    mend="Give the function, not its result: `Field(default_factory=uuid4)`,"
    " `mapped_column(default=datetime.now)`; for a parameter, default to `None`.",
    app=check,
    references=("https://docs.pydantic.dev/latest/concepts/fields/#default-values",),
)

CASES = (
    case(
        "models and tables",
        """
        import uuid
        from datetime import UTC, datetime
        from pydantic import BaseModel, Field
        from sqlalchemy import Column, DateTime
        from sqlmodel import SQLModel, Field as Col

        class Order(BaseModel):
            id: uuid.UUID = uuid.uuid4()  # <-
            at: datetime = Field(default=datetime.now(UTC))  # <-
            name: str = Field(str(uuid.uuid4()), max_length=9)  # <-

        class User(SQLModel, table=True):
            id: int | None = Col(default=None, primary_key=True)
            created_at: datetime = Col(default=datetime.utcnow())  # <-

        class Mixin:
            created_at = Column(DateTime, default=datetime.utcnow())  # <-
        """,
        after="""
        import uuid
        from datetime import UTC, datetime
        from pydantic import BaseModel, Field
        from sqlalchemy import Column, DateTime
        from sqlmodel import SQLModel, Field as Col

        class Order(BaseModel):
            id: uuid.UUID = Field(default_factory=uuid.uuid4)
            at: datetime = Field(default_factory=lambda: datetime.now(UTC))
            name: str = Field(str(uuid.uuid4()), max_length=9)

        class User(SQLModel, table=True):
            id: int | None = Col(default=None, primary_key=True)
            created_at: datetime = Col(default_factory=datetime.utcnow)

        class Mixin:
            created_at = Column(DateTime, default=datetime.utcnow())
        """,
    ),
    case(
        "parameters",
        """
        import time
        from datetime import date
        from fastapi import FastAPI, Query

        app = FastAPI()

        @app.get("/")
        def report(day: date = Query(default=date.today())) -> None: ...  # <-

        def stamp(now: float = time.time()) -> float:  # <-
            return now
        """,
    ),
    case(
        "factories, lambdas, functions without parentheses",
        """
        import uuid
        from datetime import datetime
        from pydantic import BaseModel, Field
        from sqlalchemy import Column, DateTime, func
        from sqlalchemy.orm import DeclarativeBase

        class Base(DeclarativeBase): ...

        class Order(BaseModel):
            id: uuid.UUID = Field(default_factory=uuid.uuid4)
            at: datetime = Field(default_factory=lambda: datetime.now())

        class Row(Base):
            __tablename__ = "rows"
            at = Column(DateTime, default=datetime.utcnow, server_default=func.now())
        """,
    ),
    case(
        "configuration is read once",
        """
        import os
        import secrets
        import time
        from pathlib import Path
        from fastapi import FastAPI
        from pydantic import BaseModel
        from pydantic_settings import BaseSettings

        app = FastAPI()

        class Started(BaseModel):
            at: float = time.time()

        class Settings(Started, BaseSettings):
            secret_key: str = secrets.token_urlsafe(32)

        def run(root: Path = Path("."), debug: str = os.getenv("DEBUG", "")) -> None: ...
        """,
    ),
    case(
        "constants and attributes of plain classes",
        """
        import time
        from fastapi import FastAPI

        STARTED = time.time()
        app = FastAPI()

        class Monitor:
            started = time.time()
        """,
    ),
    case(
        "somebody else's uuid4",
        """
        from pydantic import BaseModel
        from elsewhere import uuid4

        class Order(BaseModel):
            id: str = uuid4()
        """,
    ),
)
