"""A relationship of an async session's row is loaded before it is touched.

Touching a relationship that was not loaded runs a statement there and then. With an `AsyncSession`
there is no await to run it in: SQLAlchemy raises `MissingGreenlet`, and the client gets a 500. Load
it with the row (`select(Order).options(selectinload(Order.items))`), make that the relationship's
own strategy (`lazy="selectin"`), or await it (`await order.awaitable_attrs.items`).

It counts too when the response schema reads the relationship, or a function that is given the row.
Rows of which the statement is not known, statements with options that cannot be read, and functions
that load by name (`refresh(order, ["items"])`) or set the relationship themselves are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.loading import (
    Loading,
    Serialised,
    given_for,
    loading,
    rows_of,
    schema_class,
)
from fastwright.app.model import App
from fastwright.app.models import Relationship
from fastwright.app.on_loop import Loop, served
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Query, alternatives
from fastwright.read import syntax as s
from fastwright.rules.data._loops import of_request, request_label
from fastwright.rules.data._statements import eager
from fastwright.rules.evidence import evidence, of_calls, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case


def check(app: App) -> Iterator[Hit]:
    """Report relationships of async rows that are touched, or serialised, without being loaded."""
    asynchronous = {
        id(execution.query.node)
        for execution in app.executions
        if execution.session == "async" and execution.query is not None
    }
    if not asynchronous:
        return
    running = served(app)
    known = loading(app)
    seen: set[tuple[str, int]] = set()
    for hit in (
        *_touched(app, running, known, asynchronous),
        *_answered(app, known, asynchronous),
    ):
        key = (hit.place.file, hit.place.line)
        if key not in seen:
            seen.add(key)
            yield hit


def _is_missing(
    known: Loading, path: tuple[Relationship, ...], row: Instance, asynchronous: set[int]
) -> bool:
    """Whether a row surely came from an async session without a relationship."""
    query = row.query
    if query is None or id(query.node) not in asynchronous or query.kind != "select":
        return False
    return known.is_lazy_path(path, query)


def _message(relationship: Relationship, label: str) -> str:
    return (
        f"{relationship.owner.name}.{relationship.name} is not loaded by the statement: touching it"
        f" outside of an await raises MissingGreenlet{label}"
    )


def _loaded(row: Query, name: str) -> Evidence:
    return evidence(row.module, row.node, f"loads the rows without {name}")


# ------------------------------------------------------------------------ touches


def _touched(app: App, running: Loop, known: Loading, asynchronous: set[int]) -> Iterator[Hit]:
    for step in running.reached:
        function = step.function
        for touch in known.touches(function):
            relationship = touch.relationship
            if touch.around.deferred or not _is_missing(
                known, (relationship,), touch.row, asynchronous
            ):
                continue
            if not _is_loaded_by_hand(app, function, relationship.name):
                yield _touch_hit(running, function, relationship, touch.row, touch.node, ())
        for site in app.calls.sites(function):
            yield from _through_call(app, running, known, asynchronous, site)


def _through_call(
    app: App, running: Loop, known: Loading, asynchronous: set[int], site: CallSite
) -> Iterator[Hit]:
    """Report what a function touches of a row that it is given."""
    for target in site.targets[:1]:
        for inner in known.of_parameters(target):
            given = given_for(site, target, inner.parameter)
            relationship = inner.touch.relationship
            if given is None or inner.touch.row.query is not None or inner.touch.around.branches:
                continue
            where = Where(site.module, site.caller)
            for option in alternatives(app.types.of(given, where)):
                if not isinstance(option, Instance):
                    continue
                if not _is_missing(known, (relationship,), option, asynchronous):
                    continue
                if _is_loaded_by_hand(app, site.caller, relationship.name):
                    continue
                chain = (site, *inner.chain)
                yield _touch_hit(running, site.caller, relationship, option, inner.touch.node,
                                 chain, inner.touch.function)  # fmt: skip


def _touch_hit(
    running: Loop,
    function: Function,
    relationship: Relationship,
    row: Instance,
    node: s.Attribute,
    chain: tuple[CallSite, ...],
    inner: Function | None = None,
) -> Hit:
    at = (inner or function).module
    loaded = (_loaded(row.query, relationship.name),) if row.query is not None else ()
    proof = (
        *of_request(running, function),
        *loaded,
        *of_calls(chain),
        evidence(at, node, f"touches {relationship.name}"),
    )
    message = _message(relationship, request_label(running, function))
    return Hit(place(at, node), message, proof, eager(row.query, (relationship,)))


def _is_loaded_by_hand(app: App, function: Function, name: str) -> bool:
    """Whether a function refreshes rows by name, awaits the relationship, or sets it itself."""
    if any(
        node.attr == name and s.last_name(node.value) == "awaitable_attrs"
        for node, _ in app.calls.of_kind(function, s.Attribute)
    ):
        return True
    for node, _ in app.calls.of_kind(function, s.Call):
        if s.last_name(node.func) == "set_committed_value":
            return True
        if s.last_name(node.func) == "refresh" and (len(node.args) > 1 or node.keywords):
            return True
    return any(
        isinstance(target, s.Attribute) and target.attr == name
        for node, _ in app.calls.of_kind(function, s.Assign)
        for target in node.targets
    )


# ------------------------------------------------------------------------ answers


def _answered(app: App, known: Loading, asynchronous: set[int]) -> Iterator[Hit]:
    for route in app.routes:
        endpoint = route.endpoint
        declared = rows_of(route.response.type)
        schema = schema_class(declared[0]) if declared is not None else None
        if endpoint is None or schema is None or app.types.is_table(schema):
            continue  # SQLModel leaves relationships of tables out
        where = Where(endpoint.module, endpoint)
        for node, _ in app.calls.of_kind(endpoint, s.Return):
            if node.value is None:
                continue
            found = rows_of(app.types.awaited(app.types.of(node.value, where)))
            if found is None or not isinstance(found[0].cls, Class):
                continue
            missing = _missing_in(app, known, asynchronous, endpoint, schema, found[0])
            if missing is not None:
                yield _answer_hit(route, endpoint, node.value, found[0], missing)


def _missing_in(
    app: App,
    known: Loading,
    asynchronous: set[int],
    endpoint: Function,
    schema: Class,
    row: Instance,
) -> Serialised | None:
    table = known.table_of(row)
    if table is None:
        return None
    for found in known.serialised(schema, table):
        name = found.relationship.name
        if _is_missing(known, found.path, row, asynchronous):
            if not _is_loaded_by_hand(app, endpoint, name):
                return found
    return None


def _answer_hit(
    route: Route, endpoint: Function, node: s.Expr, row: Instance, missing: Serialised
) -> Hit:
    described = missing.schema.fields[missing.field]
    loaded = (_loaded(row.query, missing.names),) if row.query is not None else ()
    proof = (
        *of_route(route),
        *loaded,
        evidence(described.owner.module, described.node, f"the schema reads {missing.names}"),
    )
    message = _message(missing.relationship, f" ({route.label})")
    return Hit(place(endpoint.module, node), message, proof, eager(row.query, missing.path))


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

class ItemPublic(BaseModel):
    id: int

class OrderPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    items: list[ItemPublic]

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

def weight(order: Order) -> int:
    return sum(item.id for item in order.items)  # <-

@app.get("/orders/{key}/weight")
async def weigh(key: int, session: SessionDep) -> int:
    order = await session.scalar(select(Order).where(Order.id == key))
    return weight(order)
""",
        after="""
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

        class ItemPublic(BaseModel):
            id: int

        class OrderPublic(BaseModel):
            model_config = ConfigDict(from_attributes=True)
            id: int
            items: list[ItemPublic]

        make = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))

        async def get_session():
            async with make() as session:
                yield session

        SessionDep = Annotated[AsyncSession, Depends(get_session)]
        app = FastAPI()

        def total(order: Order) -> int:
            return 0

        async def load(session: AsyncSession, key: int):
            return (await session.execute(select(Order).where(Order.id == key).options(selectinload(Order.items)))).scalar_one()

        @app.get("/orders/{key}/count")
        async def count(key: int, session: SessionDep) -> int:
            order = await load(session, key)
            return len(order.items)

        @app.get("/orders/{key}", response_model=OrderPublic)
        async def read(key: int, session: SessionDep):
            order = await session.scalar(select(Order).where(Order.id == key).options(selectinload(Order.items)))
            return order

        def weight(order: Order) -> int:
            return sum(item.id for item in order.items)

        @app.get("/orders/{key}/weight")
        async def weigh(key: int, session: SessionDep) -> int:
            order = await session.scalar(select(Order).where(Order.id == key).options(selectinload(Order.items)))
            return weight(order)
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

@app.get("/orders/{key}/set")
async def set_by_hand(key: int, session: SessionDep) -> int:
    order = await session.scalar(select(Order).where(Order.id == key))
    order.items = await some_items(key)
    return len(order.items)

@app.post("/orders")
async def create(session: SessionDep) -> int:
    order = Order(items=[Item(), Item()])
    session.add(order)
    return len(order.items)
""",
    ),
)
