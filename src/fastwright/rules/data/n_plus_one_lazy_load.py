"""Relationships of many rows are loaded with the rows, not one by one.

Touching `order.items` of a row that was loaded without its items runs a statement there and then.
In a loop, a comprehension or a list that the response schema serialises that is one statement for
each row, and nobody sees it in the code.

A relationship is taken to be lazy when it has SQLAlchemy's default (`lazy="select"`) and the
statement that loaded the row names no option for it; where that statement is not known, when no
option of the whole project ever names it. Options that cannot be read, `sa_relationship=...` and
other strategies mean silence. Rows of an `AsyncSession` fail instead: see `lazy-load-in-async`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.loading import (
    Loading,
    Serialised,
    Touch,
    given_for,
    loading,
    rows_of,
    schema_class,
)
from fastwright.app.model import App
from fastwright.app.models import Relationship
from fastwright.app.on_loop import Loop, served
from fastwright.app.origins import Origin, origins_of_each
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Query, Sequence, alternatives
from fastwright.read import syntax as s
from fastwright.rules.data._loops import is_bounded, of_request, request_label
from fastwright.rules.data._statements import eager
from fastwright.rules.evidence import (
    evidence,
    name_place,
    of_calls,
    of_route,
    place,
)
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_SERIALISING = frozenset({"model_validate", "from_orm", "parse_obj"})


def check(app: App) -> Iterator[Hit]:
    """Report relationships that are loaded once for each row."""
    if not any(table.relationships for table in app.tables):
        return
    sync = _SyncRows(app)
    seen: set[tuple[str, int, str]] = set()
    for hit in (*_in_loops(app, sync), *_in_answers(app, sync)):
        key = (hit.place.file, hit.place.line, hit.message.partition(" is ")[0])
        if key not in seen:
            seen.add(key)
            yield hit


class _Each(msgspec.Struct, frozen=True, eq=False):
    """A variable that stands for one row after another."""

    function: Function
    loop: s.For | s.Comp
    name: str
    source: s.Expr


class _SyncRows:
    """Which rows come from synchronous sessions."""

    def __init__(self, app: App) -> None:
        self.by_query = {
            id(execution.query): execution.session
            for execution in app.executions
            if execution.query is not None
        }
        self.kinds = {execution.session for execution in app.executions} - {"raw"}

    def holds(self, query: Query | None) -> bool:
        """Whether a row that ``query`` loaded (None: not known which) is one of a sync session."""
        if query is not None and query.legacy:
            return True
        known = self.by_query.get(id(query)) if query is not None else None
        return known == "sync" if known is not None else self.kinds == {"sync"}


# -------------------------------------------------------------------------- loops


def _in_loops(app: App, sync: _SyncRows) -> Iterator[Hit]:
    running = served(app)
    known = loading(app)
    for step in running.reached:
        for touch in known.touches(step.function):
            each = _each(app, touch.function, touch.node.value, touch)
            if each is not None and _is_lazy(app, known, sync, each, touch.row, touch.relationship):
                query = touch.row.query
                yield _loop_hit(running, step.function, each, touch, (), query)
        for site in app.calls.sites(step.function):
            if site.around.loops and not site.around.deferred:
                yield from _through_call(app, running, known, sync, site)


def _through_call(
    app: App, running: Loop, known: Loading, sync: _SyncRows, site: CallSite
) -> Iterator[Hit]:
    """Report what a function that is called for each row touches of it."""
    for target in site.targets[:1]:
        for inner in known.of_parameters(target):
            given = given_for(site, target, inner.parameter)
            if given is None:
                continue
            each = _each(app, site.caller, given, site)
            if each is None:
                continue
            row = _row(app, given, site.caller)
            relationship = inner.touch.relationship
            if row is not None and _is_lazy(app, known, sync, each, row, relationship):
                chain = (site, *inner.chain)
                yield _loop_hit(running, site.caller, each, inner.touch, chain, row.query)
    if site.method in _SERIALISING and site.receiver is not None and site.node.args:
        given = site.node.args[0]
        each = _each(app, site.caller, given, site)
        row = _row(app, given, site.caller)
        schema = schema_class(site.receiver)
        table = known.table_of(row) if row is not None else None
        if each is None or row is None or schema is None or table is None:
            return
        for found in known.serialised(schema, table):
            if _is_lazy(app, known, sync, each, row, found.relationship, found.path):
                yield _schema_hit(running, site, each, found, row.query)
                return


def _row(app: App, node: s.Expr, function: Function) -> Instance | None:
    found = app.types.of(node, Where(function.module, function))
    for option in alternatives(found):
        if isinstance(option, Instance):
            return option
    return None


def _each(app: App, function: Function, node: s.Expr, at: Touch | CallSite) -> _Each | None:
    """Return the loop whose variable ``node`` is, or is an attribute of; None for none."""
    base = node
    while isinstance(base, s.Attribute):
        base = base.value
    if not isinstance(base, s.Name):
        return None
    around = at.around
    if around.handled or around.deferred:
        return None
    bound = app.types.locals.lookup(base.id, base.start, function)
    if bound is None or bound.how != "element" or bound.value is None:
        return None
    where = Where(function.module, function)
    for loop in reversed(around.loops):
        if isinstance(loop, s.For) and loop.iter is bound.value:
            break
        if isinstance(loop, s.Comp) and any(g.iter is bound.value for g in loop.generators):
            break
    else:
        return None
    if is_bounded(app, bound.value, where):
        return None
    return _Each(function, loop, base.id, bound.value)


def _is_lazy(
    app: App,
    known: Loading,
    sync: _SyncRows,
    each: _Each,
    row: Instance,
    relationship: Relationship,
    path: tuple[Relationship, ...] = (),
) -> bool:
    if not sync.holds(row.query) or _is_way_back(each, relationship, row):
        return False
    came_from = origins_of_each(app).of(each.source, each.function) if row.query is None else ()
    return known.is_lazy_path(path or (relationship,), row.query, came_from)


def _is_way_back(each: _Each, relationship: Relationship, row: Instance) -> bool:
    """``for item in order.items: item.order``: the order is at hand, it was loaded before."""
    if relationship.many or relationship.target is None:
        return False
    source = each.source
    call = relationship.node.value
    back = s.string(call.keyword("back_populates")) if isinstance(call, s.Call) else None
    return (
        row.query is None
        and isinstance(source, s.Attribute)
        and back is not None
        and source.attr == back
    )


def _loop_hit(
    running: Loop,
    function: Function,
    each: _Each,
    touch: Touch,
    chain: tuple[CallSite, ...],
    query: Query | None,
) -> Hit:
    name = f"{touch.row.cls.name}.{touch.relationship.name}"  # type: ignore[union-attr]
    message = (
        f"{name} is loaded once for each {each.name} of the loop: a query a row"
        f"{request_label(running, function)}"
    )
    proof = (
        *of_request(running, function),
        evidence(function.module, each.source, f"each {each.name}"),
        *of_calls(chain),
        evidence(touch.function.module, touch.node, f"touches {touch.relationship.name}"),
        _declared(touch.relationship),
    )
    fix = eager(query, (touch.relationship,))
    return Hit(place(touch.function.module, touch.node), message, proof, fix)


def _schema_hit(
    running: Loop, site: CallSite, each: _Each, found: Serialised, query: Query | None
) -> Hit:
    message = (
        f"{found.relationship.owner.name}.{found.relationship.name} is loaded once for each"
        f" {each.name}: {found.schema.cls.name} reads it, a query a row"
        f"{request_label(running, site.caller)}"
    )
    proof = (
        *of_request(running, site.caller),
        evidence(site.module, each.source, f"each {each.name}"),
        _reads(found),
        _declared(found.relationship),
    )
    return Hit(place(site.module, site.node), message, proof, eager(query, found.path))


def _reads(found: Serialised) -> Evidence:
    described = found.schema.fields[found.field]
    return evidence(described.owner.module, described.node, f"the schema reads {found.names}")


def _declared(relationship: Relationship) -> Evidence:
    owner = relationship.owner
    return evidence(owner.module, relationship.node, "loaded when touched (lazy)")


# ------------------------------------------------------------------------ answers


def _in_answers(app: App, sync: _SyncRows) -> Iterator[Hit]:
    known = loading(app)
    seen: set[tuple[int, str]] = set()
    for route in app.routes:
        if route.endpoint is None or route.kind != "http":
            continue
        for row, many, came_from in _answered(app, route):
            for found in _repeated(known, sync, route, row, came_from, many=many):
                hit = _answer_hit(route, row, many=many, found=found)
                key = (id(row.query) if many else 0, f"{hit.place}{found.names}")
                if key not in seen:
                    seen.add(key)
                    yield hit


def _answered(app: App, route: Route) -> Iterator[tuple[Instance, bool, list[Origin]]]:
    """Yield the rows that an endpoint returns as they are, whether they are many, and from where."""
    if route.endpoint is None:
        return
    where = Where(route.endpoint.module, route.endpoint)
    for node, _ in app.calls.of_kind(route.endpoint, s.Return):
        if node.value is not None:
            found = rows_of(app.types.awaited(app.types.of(node.value, where)))
            if found is None or not isinstance(found[0].cls, Class):
                continue
            if app.types.is_table(found[0].cls):
                row, many = found
                yield row, many, origins_of_each(app).of(node.value, route.endpoint) if many else []


def _repeated(
    known: Loading,
    sync: _SyncRows,
    route: Route,
    row: Instance,
    came_from: list[Origin],
    *,
    many: bool,
) -> Iterator[Serialised]:
    """Yield the relationships that serialising the answer loads once a row."""
    declared = rows_of(route.response.type)
    table = known.table_of(row)
    if declared is None or table is None or not sync.holds(row.query):
        return
    schema = schema_class(declared[0])
    listed = many and isinstance(_single(route), Sequence)
    if schema is None:
        return
    for found in known.serialised(schema, table):
        repeated = listed or any(relationship.many for relationship in found.path[:-1])
        if repeated and known.is_lazy_path(found.path, row.query, came_from):
            yield found
            return


def _single(route: Route) -> object:
    return alternatives(route.response.type)[0]


def _answer_hit(route: Route, row: Instance, *, many: bool, found: Serialised) -> Hit:
    query = row.query
    what = f"{found.relationship.owner.name}.{found.relationship.name}"
    per = "row of the answer" if many else f"row of {found.path[-2].name}"
    message = (
        f"{what} is loaded once for each {per}: {found.schema.cls.name} reads it, a query a row"
        f" ({route.label})"
    )
    chain = [*of_route(route)]
    if query is not None:
        chain.append(evidence(query.module, query.node, f"loads the rows without {found.names}"))
    chain += [_reads(found), _declared(found.relationship)]
    if many and query is not None:
        where = place(query.module, query.node)
    elif many:
        where = name_place(route.endpoint)  # type: ignore[arg-type]
    else:
        described = found.schema.fields[found.field]
        where = place(described.owner.module, described.node)
    return Hit(where, message, tuple(chain), eager(query, found.path))


RULE = Rule(
    summary="a relationship is loaded row by row",
    severity="warning",
    mend="Load it with the rows: `select(Order).options(selectinload(Order.items))`, or give the"
    ' relationship `lazy="selectin"` where it is always needed.',
    profiles=("performance",),
    app=check,
    recipe="eager-load",
    references=("https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html",),
)

_MODELS = """
    from sqlalchemy import ForeignKey, create_engine
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

    class Base(DeclarativeBase): ...

    class Customer(Base):
        __tablename__ = "customers"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
        customer: Mapped[Customer] = relationship(back_populates="orders")
        notes: Mapped[list["Note"]] = relationship(lazy="selectin")

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))

    engine = create_engine("sqlite://")

    def get_session():
        with Session(engine) as session:
            yield session
    """

CASES = (
    Case(
        "in a loop, and in a function that is called for each row",
        {
            "app/models.py": _MODELS,
            "app/main.py": """
                from fastapi import Depends, FastAPI
                from sqlalchemy import select
                from sqlalchemy.orm import Session
                from app.models import Customer, Order, get_session

                app = FastAPI()

                def public(order: Order) -> dict:
                    return {"id": order.id, "customer": order.customer.name}  # <-

                @app.get("/orders")
                def orders(session: Session = Depends(get_session)):
                    rows = session.scalars(select(Order).limit(50)).all()
                    return [public(order) for order in rows]

                @app.get("/customers")
                def customers(session: Session = Depends(get_session)):
                    found = []
                    for customer in session.scalars(select(Customer).limit(50)):
                        found.append((customer.name, len(customer.orders)))  # <-
                    return found
                """,
            "app/taken.py": """
                from fastapi import Depends, FastAPI
                from sqlalchemy import select
                from sqlalchemy.orm import Session
                from app.models import Customer, get_session

                app = FastAPI()
                selectinload = True

                @app.get("/customers")
                def customers(session: Session = Depends(get_session)):
                    rows = session.scalars(select(Customer).limit(50))
                    return [len(customer.orders) for customer in rows]  # <-
                """,
        },
        after={
            "app/main.py": """
                from fastapi import Depends, FastAPI
                from sqlalchemy import select
                from sqlalchemy.orm import Session, selectinload
                from app.models import Customer, Order, get_session

                app = FastAPI()

                def public(order: Order) -> dict:
                    return {"id": order.id, "customer": order.customer.name}

                @app.get("/orders")
                def orders(session: Session = Depends(get_session)):
                    rows = session.scalars(select(Order).limit(50).options(selectinload(Order.customer))).all()
                    return [public(order) for order in rows]

                @app.get("/customers")
                def customers(session: Session = Depends(get_session)):
                    found = []
                    for customer in session.scalars(select(Customer).limit(50).options(selectinload(Customer.orders))):
                        found.append((customer.name, len(customer.orders)))
                    return found
                """,
        },
    ),
    Case(
        "the response schema reads it",
        {
            "app/models.py": _MODELS,
            "app/main.py": """
                from fastapi import Depends, FastAPI
                from pydantic import BaseModel
                from sqlalchemy import select
                from sqlalchemy.orm import Session
                from app.models import Order, get_session

                app = FastAPI()

                class CustomerPublic(BaseModel):
                    name: str

                class OrderPublic(BaseModel):
                    id: int
                    customer: CustomerPublic

                def recent(session: Session):
                    return session.scalars(select(Order).limit(50)).all()  # <-

                @app.get("/orders", response_model=list[OrderPublic])
                def orders(session: Session = Depends(get_session)):
                    return recent(session)

                @app.get("/orders/{key}", response_model=OrderPublic)
                def order(key: int, session: Session = Depends(get_session)):
                    return session.get(Order, key)
                """,
        },
    ),
    Case(
        "loaded with the rows, by option or by strategy; the way back; one row",
        {
            "app/models.py": _MODELS,
            "app/main.py": """
                from fastapi import Depends, FastAPI
                from sqlalchemy import select
                from sqlalchemy.orm import Session, joinedload, selectinload
                from app.models import Customer, Order, get_session

                app = FastAPI()

                @app.get("/orders")
                def orders(session: Session = Depends(get_session)):
                    query = select(Order).options(joinedload(Order.customer)).limit(50)
                    return [
                        (order.customer.name, len(order.notes)) for order in session.scalars(query)
                    ]

                @app.get("/customers/{key}")
                def customer(key: int, session: Session = Depends(get_session)):
                    query = select(Customer).where(Customer.id == key)
                    found = session.scalars(query.options(selectinload(Customer.orders))).one()
                    return [order.customer.name for order in found.orders]

                @app.get("/customers/{key}/count")
                def count(key: int, session: Session = Depends(get_session)):
                    return len(session.get(Customer, key).orders)
                """,
        },
    ),
    Case(
        "rows from a dictionary: they come from the statement that filled it, not from the keys",
        {
            "app/models.py": _MODELS,
            "app/main.py": """
                from fastapi import Depends, FastAPI, HTTPException
                from pydantic import BaseModel
                from sqlalchemy import func, select
                from sqlalchemy.orm import Session, selectinload
                from app.models import Customer, Order, get_session

                app = FastAPI()

                class OrderPublic(BaseModel):
                    id: int

                class CustomerPublic(BaseModel):
                    id: int
                    orders: list[OrderPublic]

                def required(customer: Customer | None) -> Customer:
                    if customer is None:
                        raise HTTPException(404)
                    return customer

                def customers_of(session: Session, keys: list[int]) -> list[Customer]:
                    statement = select(Customer).where(Customer.id.in_(keys))
                    return session.scalars(statement.options(selectinload(Customer.orders))).all()

                @app.get("/best", response_model=list[CustomerPublic])
                def best(session: Session = Depends(get_session)):
                    statement = select(Order.customer_id, func.count()).group_by(Order.customer_id)
                    keys = session.execute(statement.limit(9)).all()
                    wanted = [key for key, _ in keys]
                    customers = {each.id: each for each in customers_of(session, wanted)}
                    return [required(customers.get(key)) for key, _ in keys]
                """,
        },
    ),
    Case(
        "an option that cannot be read may load anything",
        {
            "app/models.py": _MODELS,
            "app/main.py": """
                from fastapi import Depends, FastAPI
                from sqlalchemy import select
                from sqlalchemy.orm import Session, selectinload
                from app.models import Customer, get_session

                app = FastAPI()

                @app.get("/customers")
                def customers(include: list[str], session: Session = Depends(get_session)):
                    options = [selectinload(getattr(Customer, name)) for name in include]
                    rows = session.scalars(select(Customer).options(*options)).all()
                    return [len(customer.orders) for customer in rows]
                """,
        },
    ),
    case(
        "rows of an async session fail instead: another rule's",
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy import ForeignKey, select
        from sqlalchemy.ext.asyncio import AsyncSession
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

        app = FastAPI()

        class Base(DeclarativeBase): ...

        class Tag(Base):
            __tablename__ = "tags"
            id: Mapped[int] = mapped_column(primary_key=True)
            post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))

        class Post(Base):
            __tablename__ = "posts"
            id: Mapped[int] = mapped_column(primary_key=True)
            tags: Mapped[list[Tag]] = relationship()

        async def get_session() -> AsyncSession: ...

        @app.get("/posts")
        async def posts(session: AsyncSession = Depends(get_session)):
            rows = await session.scalars(select(Post).limit(9))
            return [len(post.tags) for post in rows]
        """,
    ),
)
