"""A SQLModel table validates nothing: make rows with `model_validate`.

`Order(**data.model_dump())` on a class with `table=True` skips every check, so that what the
table's own fields forbid reaches the database. `Order.model_validate(data)` checks, and
`Order.model_validate(data, update={"owner_id": user.id})` adds what the client did not send.

Reported where the arguments are the dump of a model that requests send, or a dict that came in as
a request body. Values that the application itself made, a copy of a row of the same table,
single keyword arguments, and classes of plain SQLAlchemy (which have no `model_validate`) are
left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Sequence, alternatives
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.schema._dumps import as_dump, body_schemas


def check(app: App) -> Iterator[Hit]:
    """Report each construction of a SQLModel table from a whole dump or body."""
    names = frozenset(table.cls.name for table in app.tables if _is_sqlmodel(app, table.cls))
    if not names:
        return
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    bodies = {id(cls.node) for route in app.routes for _, _, cls in body_schemas(app, route)}
    for module in app.sources:
        for function in app.every_function(module, names):
            for site in app.calls.sites(function):
                table = _table(app, site.callee)
                spread = [k.value for k in site.node.keywords if k.arg is None]
                if table is None or len(spread) != 1:
                    continue
                given = _origin(app, function, spread[0], table, bodies)
                if given is None and id(function.node) in endpoints:
                    given = _body(app, function, spread[0])
                if given is not None:
                    message = (
                        f"{table.name}(**{given}) validates nothing, {table.name} is a table:"
                        f" use {table.name}.model_validate"
                    )
                    fix = _validated(module, site.node)
                    yield Hit(place(module, site.node), message, (), fix)


def _validated(module: Module, call: s.Call) -> Fix | None:
    """Return ``Table.model_validate(data, update={...})`` for ``Table(**data.model_dump(), ...)``."""
    if call.args or not isinstance(call.func, (s.Name, s.Attribute)):
        return None
    if b"#" in module.source[call.start : call.end]:
        return None
    spread = next(k.value for k in call.keywords if k.arg is None)
    given = text(module, spread)
    if isinstance(spread, s.Call) and isinstance(spread.func, s.Attribute):
        if spread.func.attr in {"model_dump", "dict"} and not (spread.args or spread.keywords):
            given = text(module, spread.func.value)
    others = ", ".join(
        f'"{k.arg}": {text(module, k.value)}' for k in call.keywords if k.arg is not None
    )
    update = f", update={{{others}}}" if others else ""
    written = f"{text(module, call.func)}.model_validate({given}{update})"
    return Fix("safe", (replace(module, call, written),))


def _is_sqlmodel(app: App, cls: Class) -> bool:
    return "sqlmodel.SQLModel" in app.linker.ancestors(cls)


def _table(app: App, callee: object) -> Class | None:
    if isinstance(callee, ClassObject) and isinstance(callee.cls, Class):
        cls = callee.cls
        if app.types.is_table(cls) and _is_sqlmodel(app, cls) and not _checks(app, cls):
            return cls
    return None


def _checks(app: App, cls: Class) -> bool:
    """Whether the class validates after all: an ``__init__`` of its own."""
    return app.linker.method(cls, "__init__") is not None


def _origin(
    app: App, function: Function, node: s.Expr, table: Class, bodies: set[int]
) -> str | None:
    """Return how the dump of a request body is written, directly or through a local name."""
    written = None
    if isinstance(node, s.Name):
        bounds = app.types.locals.of(function).get(node.id, [])
        value = bounds[0].value if len(bounds) == 1 and bounds[0].how == "assign" else None
        written, node = node.id, value or node
    dump = as_dump(app, function, node)
    if dump is None or dump.schema.node is table.node or id(dump.schema.node) not in bodies:
        return None
    source = s.dotted(dump.node.func) or f"....{s.last_name(dump.node)}"
    return written or f"{source}()"


def _body(app: App, function: Function, node: s.Expr) -> str | None:
    """Return the name of an endpoint's dict parameter that is the request body."""
    if not isinstance(node, s.Name):
        return None
    if len(app.types.locals.of(function).get(node.id, [])) != 1:
        return None
    for parameter in function.parameters:
        if parameter.name == node.id and parameter.annotation is not None:
            options = alternatives(app.types.parameter(parameter, function))
            if all(isinstance(o, Sequence) and o.kind == "dict" for o in options):
                return node.id
    return None


RULE = Rule(
    summary="a table row made from a request without validation",
    severity="warning",
    mend="`Table.model_validate(data)`, with `update={...}` for what the server adds.",
    app=check,
    references=("https://sqlmodel.tiangolo.com/tutorial/fastapi/multiple-models/",),
)

CASES = (
    case(
        "from a schema, and from a bare dict",
        """
        from fastapi import FastAPI
        from sqlmodel import Field, Session, SQLModel

        app = FastAPI()

        class OrderBase(SQLModel):
            quantity: int = Field(gt=0)

        class OrderCreate(OrderBase):
            pass

        class Order(OrderBase, table=True):
            id: int | None = Field(default=None, primary_key=True)
            owner_id: int = 0

        def store(data: OrderCreate, owner: int) -> Order:
            return Order(**data.model_dump(), owner_id=owner)  # <-

        @app.post("/orders")
        def create(data: OrderCreate) -> Order:
            values = data.model_dump(exclude_unset=True)
            return Order(**values)  # <-

        @app.post("/raw")
        def raw(data: dict) -> Order:
            return Order(**data)  # <-
        """,
        after="""
        from fastapi import FastAPI
        from sqlmodel import Field, Session, SQLModel

        app = FastAPI()

        class OrderBase(SQLModel):
            quantity: int = Field(gt=0)

        class OrderCreate(OrderBase):
            pass

        class Order(OrderBase, table=True):
            id: int | None = Field(default=None, primary_key=True)
            owner_id: int = 0

        def store(data: OrderCreate, owner: int) -> Order:
            return Order.model_validate(data, update={"owner_id": owner})

        @app.post("/orders")
        def create(data: OrderCreate) -> Order:
            values = data.model_dump(exclude_unset=True)
            return Order.model_validate(values)

        @app.post("/raw")
        def raw(data: dict) -> Order:
            return Order.model_validate(data)
        """,
    ),
    case(
        "model_validate, single arguments, a copy of a row",
        """
        from fastapi import FastAPI
        from sqlmodel import Field, SQLModel

        app = FastAPI()

        class OrderCreate(SQLModel):
            quantity: int = Field(gt=0)

        class Order(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            quantity: int

        @app.post("/orders")
        def create(data: OrderCreate) -> Order:
            return Order.model_validate(data)

        def one(data: OrderCreate) -> Order:
            return Order(quantity=data.quantity)

        class Event(SQLModel):
            quantity: int

        def log() -> Order:
            event = Event(quantity=1)
            return Order(**event.model_dump())

        def copy(order: Order) -> Order:
            return Order(**order.model_dump(exclude={"id"}))

        def made(**values) -> Order:
            return Order(**values)
        """,
    ),
    case(
        "SQLAlchemy has no model_validate; a model that is no table validates",
        """
        from fastapi import FastAPI
        from pydantic import BaseModel
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
        from sqlmodel import SQLModel

        class Base(DeclarativeBase): ...

        class Order(Base):
            __tablename__ = "orders"
            id: Mapped[int] = mapped_column(primary_key=True)

        class OrderCreate(BaseModel):
            id: int

        class OrderPublic(SQLModel):
            id: int

        app = FastAPI()

        @app.post("/")
        def store(data: OrderCreate):
            return Order(**data.model_dump()), OrderPublic(**data.model_dump())
        """,
    ),
)
