"""A relationship of an async session's row is loaded before it is touched.

Touching a relationship that was not loaded runs a statement there and then. With an `AsyncSession`
there is no await to run it in: SQLAlchemy raises `MissingGreenlet`, and the client gets a 500. Load
it with the row (`select(Order).options(selectinload(Order.items))`), make that the relationship's
own strategy (`lazy="selectin"`), or await it (`await order.awaitable_attrs.items`).

It counts too when the response schema reads the relationship. Rows of which the statement is not
known, and statements with options that cannot be read, are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import Step
from fastwright.app.model import App
from fastwright.app.models import Relationship
from fastwright.app.on_loop import entries
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Query, Sequence, Type, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_calls, of_entry, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

_LAZY = frozenset({None, "select", "True", "raise"})


def check(app: App) -> Iterator[Hit]:
    """Report relationships of async rows that are touched, or serialised, without being loaded."""
    asynchronous = {
        id(execution.query.node)
        for execution in app.executions
        if execution.session == "async" and execution.query is not None
    }
    if not asynchronous:
        return
    known = {id(entry.function.node): entry for entry in reversed(list(entries(app)))}
    for step in app.reached:
        for node, row, relationship in _touched(app, step, asynchronous):
            entry = known.get(id(step.root.node))
            chain = (
                *(of_entry(entry) if entry is not None else ()),
                *of_calls(step.chain),
                _loaded(row),
                evidence(step.function.module, node, f"touches {relationship.name}"),
            )
            yield Hit(place(step.function.module, node), _message(row, relationship), chain)
    seen: set[int] = set()
    for route in app.routes:
        for hit_node, row, relationship in _serialised(app, route, asynchronous):
            endpoint = route.endpoint
            if endpoint is None or id(hit_node) in seen:
                continue
            seen.add(id(hit_node))
            chain = (
                *of_route(route),
                _loaded(row),
                evidence(
                    endpoint.module, hit_node, f"the response schema reads {relationship.name}"
                ),
            )
            yield Hit(place(endpoint.module, hit_node), _message(row, relationship), chain)


def _message(row: Query, relationship: Relationship) -> str:
    table = row.entity.name if row.entity is not None else "the row"
    return (
        f"{table}.{relationship.name} is not loaded by the statement: touching it outside of an"
        " await raises MissingGreenlet"
    )


def _loaded(row: Query) -> Evidence:
    return evidence(row.module, row.node, "loads the rows without it")


def _touched(
    app: App, step: Step, asynchronous: set[int]
) -> Iterator[tuple[s.Attribute, Query, Relationship]]:
    function = step.function
    where = Where(function.module, function)
    nodes = app.calls.nodes(function)
    stored = {
        id(target) for node, _ in nodes if isinstance(node, s.Assign) for target in node.targets
    }
    if _refreshes(app, function):
        return
    reported: set[tuple[int, str]] = set()
    for node, around in nodes:
        if not isinstance(node, s.Attribute) or id(node) in stored or around.deferred:
            continue
        for option in alternatives(app.types.of(node.value, where)):
            found = _lazy(app, option, node.attr, asynchronous)
            if found is not None and (id(found[0].node), node.attr) not in reported:
                reported.add((id(found[0].node), node.attr))
                yield node, *found


def _refreshes(app: App, function: Function) -> bool:
    """Whether a function loads relationships by name: ``refresh(order, ["items"])``."""
    return any(
        site.method == "refresh" and (len(site.node.args) > 1 or site.node.keywords)
        for site in app.calls.sites(function)
    )


def _lazy(
    app: App, option: Type, name: str, asynchronous: set[int]
) -> tuple[Query, Relationship] | None:
    """Return statement and relationship if ``row.name`` would have to load something."""
    if not isinstance(option, Instance) or not isinstance(option.cls, Class):
        return None
    query = option.query
    if query is None or id(query.node) not in asynchronous or query.kind != "select":
        return None
    table = app.models.table(option.cls)
    relationship = table.relationships.get(name) if table is not None else None
    if relationship is None or relationship.lazy not in _LAZY or not query.options_known:
        return None
    if any(given.path and given.path[0] == name for given in query.options):
        return None
    return query, relationship


def _serialised(
    app: App, route: Route, asynchronous: set[int]
) -> Iterator[tuple[s.Expr, Query, Relationship]]:
    """Yield what the response schema of a route reads of the rows that the endpoint returns."""
    names = _schema_fields(app, route.response.type)
    if route.endpoint is None or not names or _refreshes(app, route.endpoint):
        return
    where = Where(route.endpoint.module, route.endpoint)
    for node, _ in app.calls.nodes(route.endpoint):
        if not isinstance(node, s.Return) or node.value is None:
            continue
        for option in alternatives(app.types.of(node.value, where)):
            row = option.element if isinstance(option, Sequence) else option
            for name in names:
                found = _lazy(app, row, name, asynchronous)
                if found is not None:
                    yield node.value, *found
                    break


def _schema_fields(app: App, found: Type) -> list[str]:
    inner = found.element if isinstance(found, Sequence) else found
    if not isinstance(inner, Instance) or not isinstance(inner.cls, Class):
        return []
    if app.types.is_table(inner.cls):
        return []  # SQLModel leaves relationships of tables out
    schema = app.models.schema(inner.cls)
    return [name for name, field in schema.fields.items() if not field.excluded] if schema else []


RULE = Rule(
    summary="a relationship of an async row that is not loaded",
    severity="error",
    mend="Load it with the row: `.options(selectinload(Order.items))`; or give the relationship"
    ' `lazy="selectin"`.',
    app=check,
    recipe="eager-load",
    references=(
        "https://docs.sqlalchemy.org/en/21/orm/extensions/asyncio.html#asyncio-orm-avoid-lazyloads",
    ),
)

_MODELS = """
from typing import Annotated
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

class Base(DeclarativeBase): ...

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    items: Mapped[list[Item]] = relationship()
    notes: Mapped[list[Item]] = relationship(lazy="selectin")

class OrderPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    items: list[int]

make = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))

async def get_session():
    async with make() as session:
        yield session

SessionDep = Annotated[AsyncSession, Depends(get_session)]
app = FastAPI()
"""

CASES = (
    case(
        "touched below the endpoint, and read by the response schema",
        _MODELS
        + """
def total(order: Order) -> int:
    return 0

async def load(session: AsyncSession, key: int):
    return (await session.execute(select(Order).where(Order.id == key))).scalar_one()

@app.get("/orders/{key}/count")
async def count(key: int, session: SessionDep) -> int:
    order = await load(session, key)
    return len(order.items)  # <-

@app.get("/orders/{key}", response_model=OrderPublic)
async def read(key: int, session: SessionDep):
    order = await session.scalar(select(Order).where(Order.id == key))
    return order  # <-
""",
    ),
    case(
        "loaded eagerly, by option or by strategy, or awaited",
        _MODELS
        + """
@app.get("/orders/{key}/count")
async def count(key: int, session: SessionDep) -> int:
    statement = select(Order).where(Order.id == key).options(selectinload(Order.items))
    order = (await session.scalars(statement)).one()
    return len(order.items) + len(order.notes)

@app.get("/orders/{key}/later")
async def later(key: int, session: SessionDep) -> int:
    order = await session.scalar(select(Order).where(Order.id == key))
    return len(await order.awaitable_attrs.items)

@app.get("/orders/{key}", response_model=OrderPublic)
async def read(key: int, session: SessionDep):
    order = await session.scalar(select(Order).where(Order.id == key))
    await session.refresh(order, ["items"])
    return order
""",
    ),
)
