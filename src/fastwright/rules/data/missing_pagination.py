"""A list of rows that grows needs pages.

An endpoint that answers all rows of a table works on the day it is written. With the data grows the
answer, the memory of the process and the time that the database is busy, until it fails.

Reported is a GET whose answer is made of the rows of a statement without `limit`, followed back
through services and repositories, where requests add rows to that table (a table that only
migrations fill does not grow with use), and no filter narrows it to the rows of one parent (all that
a user or tenant owns does grow, and so do the versions, messages and events of one parent; the
actions of a task and the attempts of a run end with it). An
endpoint that takes `limit`, `page`, `cursor` and the like, or that goes through a paginating
helper, is taken to page. Tables of settings, roles, categories and other things that people keep
few of are left alone; statements that cannot be read, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from fastwright.app.loading import rows_of
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.origins import Origin, origins
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, Query, Sequence, Type, alternatives
from fastwright.read import syntax as s
from fastwright.rules.data._answers import CONSTRUCTING, answered
from fastwright.rules.evidence import evidence, name_place, of_calls, of_route
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_PAGING = re.compile(
    r"^(limit|offset|skip|page|size|cursor|per_page|page_size|after|before|start|end|top|top_k|count"
    r"|since|until|next|max_results|take|first|last|pagination|paging|params|commons|range)$|page"
    r"|pagina|limit|cursor|offset",
    re.IGNORECASE,
)
_FEW = re.compile(
    r"role|permission|setting|config|categor|tag|countr|currenc|language|locale|plan|tier|type"
    r"|status|feature|flag|provider|template|scope|department|unit|version|license|region|level"
    r"|preference|option|theme|menu|group|label|connection|secret|variable|key$|client|server"
    r"|model|prompt|tool|function|workspace|tenant|organi[sz]ation|team|pool|policy|credential"
    r"|integration|knowledge|calendar|folder|oauth|plugin|component|skill|webhook|schedule|trigger|domain|channel|backend|engine|apps?$|application",
    re.IGNORECASE,
)
"""Names of tables of which there are few, whoever uses the application."""
_SUFFIX = re.compile(r"(?<=\w)(Model|Table|Schema|Entity|Orm|ORM|DB|Row)$")
_PARENT = re.compile(
    r"(^|_)(id|ids|uuid|key|slug|name|email|token|sku|code|hash|by|of)$", re.IGNORECASE
)
_HISTORY = re.compile(
    r"version|histor|event|log|message|action|episode|comment|audit|transaction|notification"
    r"|chat|activit|execution|attempt|revision|measurement|reading",
    re.IGNORECASE,
)
"""What is added to for as long as its parent lives."""
_WORK = re.compile(r"action|episode|execution|attempt", re.IGNORECASE)
_ENDING = re.compile(r"(^|_)(run|task|job|step|execution|attempt|build)_id$", re.IGNORECASE)
"""Parents that end, and with them what they do."""
_OWNER = re.compile(
    r"^(user|owner|author|creator|account|customer|organi[sz]ation|org|tenant)(_id|_uuid)?$|^created_by$",
    re.IGNORECASE,
)
_EVERYTHING = re.compile(r"export|download|dump|backup", re.IGNORECASE)
"""Paths that promise everything."""
_LIMITING = frozenset({"limit", "slice", "fetch", "params"})
_ONE_ROW = frozenset({"first", "one", "one_or_none", "scalar", "scalar_one", "scalar_one_or_none",
                      "fetchone", "fetchmany"})  # fmt: skip


def check(app: App) -> Iterator[Hit]:
    """Report list endpoints that answer a whole table."""
    growing = _growing(app)
    seen: set[int] = set()
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or route.methods != ("GET",) or id(endpoint.node) in seen:
            continue
        if route.kind != "http" or _pages(app, route):
            continue
        listed = route.path.rstrip("/").rpartition("/")[2]
        for table, origin in _whole_tables(app, endpoint, listed):
            if id(table.node) in growing and not _FEW.search(_SUFFIX.sub("", table.name)):
                seen.add(id(endpoint.node))
                yield _hit(route, table, origin)
                break


def _hit(route: Route, table: Class, origin: Origin) -> Hit:
    execution = origin.execution
    assert execution is not None  # noqa: S101 - only known origins come here
    site = execution.site
    chain = (
        *of_route(route),
        *of_calls(origin.chain),
        evidence(site.module, site.node, f"reads every row of {table.name}: no limit"),
    )
    message = f"{route.label} answers every row of {table.name}: no limit on the way"
    assert route.endpoint is not None  # noqa: S101
    return Hit(name_place(route.endpoint), message, chain)


# --------------------------------------------------------------------- the answer


def _pages(app: App, route: Route) -> bool:
    """Whether a route pages by its looks (parameters, response, calls), or must answer all."""
    if _EVERYTHING.search(route.path):
        return True
    if any(_PAGING.search(parameter.name) for parameter in route.parameters):
        return True
    if route.endpoint is None or any(
        _PAGING.search(parameter.name) for parameter in route.endpoint.parameters
    ):
        return True
    for option in alternatives(route.response.type):
        if isinstance(option, Instance) and _PAGING.search(option.name.rpartition(".")[2]):
            return True
    return any(
        re.search(r"paginat", site.method, re.IGNORECASE)
        for site in app.calls.sites(route.endpoint)
    )


def _whole_tables(app: App, endpoint: Function, listed: str) -> Iterator[tuple[Class, Origin]]:
    """Yield the tables of which an endpoint's answer holds every row, and where it reads them."""
    for answer in answered(app, endpoint):
        found = origins(app).of(answer.value, answer.function, answer.chain)
        if any(origin.execution is None for origin in found):
            continue
        for origin in found:
            table = _whole_table(app, origin, answer.value, answer.function, listed)
            if table is not None:
                yield table, origin


def _whole_table(
    app: App, origin: Origin, value: s.Expr, function: Function, listed: str
) -> Class | None:
    """Return the table of which an origin reads every row, or None."""
    execution = origin.execution
    if execution is None or execution.kind != "read" or execution.by_key:
        return None
    query = execution.query
    if query is None or query.kind != "select" or query.aggregate or query.grouped:
        return None
    left_out = _left_out(origin)
    if _limits(query, left_out) or _limited_elsewhere(execution.site.caller, left_out):
        return None
    if _takes_one(app, execution.site.caller, execution.site.node):
        return None
    if query.legacy and execution.site.method not in {"all", "__iter__", "scalars"}:
        return None
    if _narrowed(app, query, listed):
        return None
    table = query.entity or _generic_table(app, origin) or _row_class(app, value, function)
    return table if table is not None and app.models.table(table) is not None else None


def _generic_table(app: App, origin: Origin) -> Class | None:
    """Return what ``self.model`` is in ``select(self.model)``: the repository says it."""
    query = origin.query
    node = query.node if query is not None else None
    given = node.args[0] if isinstance(node, s.Call) and node.args else None
    if not (isinstance(given, s.Attribute) and isinstance(given.value, s.Name)):
        return None
    for site in reversed(origin.chain):
        found = app.types.attribute(site.receiver, given.attr) if site.receiver else None
        if isinstance(found, ClassObject) and isinstance(found.cls, Class):
            return found.cls
    return None


def _row_class(app: App, value: s.Expr, endpoint: Function) -> Class | None:
    found: Type = app.types.awaited(app.types.of(value, Where(endpoint.module, endpoint)))
    if not any(isinstance(option, Sequence) for option in alternatives(found)):
        return None
    rows = rows_of(found)
    return rows[0].cls if rows is not None and isinstance(rows[0].cls, Class) else None


def _takes_one(app: App, function: Function, call: s.Call) -> bool:
    """Whether only one row is taken of what a call gives: ``.first()``, ``.one()``, ``scalar()``."""
    if s.last_name(call.func) in {"scalar", "scalar_one", "scalar_one_or_none", "first", "one"}:
        return True
    kept = {
        target.id
        for node, _ in app.calls.of_kind(function, s.Assign)
        for target in node.targets
        if isinstance(target, s.Name) and node.value.start <= call.start < node.value.end
    }
    for node, _ in app.calls.of_kind(function, s.Call):
        if isinstance(node.func, s.Attribute) and node.func.attr in _ONE_ROW:
            if node.start <= call.start and call.end <= node.end:
                return True
            names = {n.id for n in s.walk(node.func.value) if isinstance(n, s.Name)}
            if not names.isdisjoint(kept):
                return True
    return False


def _narrowed(app: App, query: Query, listed: str) -> bool:
    """Whether a filter keeps only the rows of one parent, or those that are asked for by id."""
    named = {
        id(keyword.value): keyword.arg
        for step in query.steps
        if isinstance(step, s.Call) and s.last_name(step) == "filter_by"
        for keyword in step.keywords
    }
    for condition in query.filters:
        if id(condition) in named:
            if _is_parent(named[id(condition)] or "id", listed):
                return True
            continue
        for node in s.walk(condition):
            if isinstance(node, s.Attribute) and _is_parent(node.attr, listed):
                if not _is_given(app, node, condition, query):
                    return True
            if isinstance(node, s.Subscript) and (s.string(node.slice) or "").endswith("_id"):
                return True  # a key of a JSON column: what a few rows carry
            if isinstance(node, s.Starred):
                return True
            if isinstance(node, s.Name) and not _is_plain_condition(condition):
                return True
    return False


def _is_given(app: App, node: s.Attribute, condition: s.Expr, query: Query) -> bool:
    """``Table.user_id == user.id``: what the column is compared with, no column itself."""
    if not isinstance(condition, s.Compare) or condition.ops != ["=="]:
        return False
    sides = (condition.left, *condition.comparators)
    found = app.types.of(node.value, Where(query.module, query.function))
    return (
        any(side is node for side in sides)
        and any(isinstance(side, s.Attribute) and _OWNER.search(side.attr) for side in sides)
        and isinstance(found, Instance)
    )


def _is_parent(column: str, listed: str) -> bool:
    """Whether a column says whose row it is: a parent has few, an owner more from day to day."""
    if column.endswith("_id") and _HISTORY.search(listed):
        return _ENDING.search(column) is not None and _WORK.search(listed) is not None
    return _PARENT.search(column) is not None and _OWNER.search(column) is None


def _is_plain_condition(condition: s.Expr) -> bool:
    """``Table.column == value`` and the like: not a condition that was built elsewhere."""
    return isinstance(condition, (s.Compare, s.UnaryOp, s.Call, s.Constant, s.Attribute))


def _left_out(origin: Origin) -> frozenset[str]:
    """Return the parameters for a page that the caller leaves at None: it gets every row."""
    if not origin.chain or origin.execution is None:
        return frozenset()
    call, parameters = origin.chain[-1].node, origin.execution.site.caller.parameters
    if any(isinstance(each, s.Starred) for each in call.args):
        return frozenset()
    return frozenset(
        each.name
        for place, each in enumerate(parameters)
        if _PAGING.search(each.name)
        and isinstance(each.default, s.Constant)
        and each.default.kind == "none"
        and call.argument(place, each.name) is None
        and all(keyword.arg is not None for keyword in call.keywords)
    )


def _limits(query: Query, left_out: frozenset[str]) -> bool:
    """Whether a statement has a limit, other than one that a parameter gives which is left out."""
    limits = [step for step in query.steps if s.last_name(step) in _LIMITING]
    if not left_out or not limits:
        return query.limited or bool(limits)
    return not all(
        isinstance(step, s.Call)
        and any(isinstance(n, s.Name) and n.id in left_out for a in step.args for n in s.walk(a))
        for step in limits
    )


def _limited_elsewhere(function: Function, left_out: frozenset[str]) -> bool:
    """Whether the function that runs the statement knows of pages, on some path at least."""
    if any(_PAGING.search(p.name) and p.name not in left_out for p in function.parameters):
        return True
    limiting = (
        {"paginate", "fetchmany"} if left_out else {"limit", "slice", "paginate", "fetchmany"}
    )
    return bool(limiting & set(function.node.called))


# ------------------------------------------------------------------------ growing


_GROWING: WeakKeyDictionary[App, set[int]] = WeakKeyDictionary()


def _growing(app: App) -> set[int]:
    """Return the tables to which requests add rows, by ``id(node)``."""
    found = _GROWING.get(app)
    if found is None:
        found = _GROWING[app] = set(_inserted(app))
    return found


def _inserted(app: App) -> Iterator[int]:
    for step in served(app).reached:
        for site in app.calls.sites(step.function):
            for option in alternatives(site.callee):
                cls = option.cls if isinstance(option, ClassObject) else None
                if cls is None and site.method in CONSTRUCTING:
                    made = site.receiver
                    cls = made.cls if isinstance(made, ClassObject) else None
                if isinstance(cls, Class) and app.types.is_table(cls):
                    yield id(cls.node)
        for execution in app.calls.executions(step.function):
            query = execution.query
            if query is not None and query.kind == "insert" and execution.table is not None:
                yield id(execution.table.node)


RULE = Rule(
    summary="a list endpoint without pages",
    severity="warning",
    confidence="medium",
    mend="Take `limit` (bounded) and an offset or a cursor, pass them down to the statement, and"
    " order it by a unique column.",
    profiles=("performance",),
    recipe="paginate",
    app=check,
    references=(
        "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/",
        "CWE-770",
    ),
)

_HEAD = """
    from typing import Annotated
    from fastapi import Depends, FastAPI
    from sqlmodel import Field, Session, SQLModel, create_engine, func, select

    class User(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)

    class Order(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)
        user_id: int = Field(foreign_key="user.id")
        status: str = "new"

    class Role(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)

    class Holiday(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)

    engine = create_engine("sqlite://")

    def get_session():
        with Session(engine) as session:
            yield session

    SessionDep = Annotated[Session, Depends(get_session)]
    app = FastAPI()

    @app.post("/orders")
    def create(session: SessionDep, user_id: int) -> None:
        session.add(Order(user_id=user_id))
        session.add(Role())
        session.commit()
    """

CASES = (
    Case(
        "through a service and a generic repository, and in an envelope",
        {
            "app/base.py": _HEAD,
            "app/repository.py": """
                from typing import Generic, TypeVar
                from sqlmodel import Session, SQLModel, select
                from app.base import Order

                T = TypeVar("T", bound=SQLModel)

                class Repository(Generic[T]):
                    model: type[T]

                    def __init__(self, session: Session):
                        self.session = session

                    def all(self) -> list[T]:
                        return self.session.exec(select(self.model)).all()

                class Orders(Repository[Order]):
                    model = Order

                def open_orders(session: Session):
                    query = select(Order).where(Order.status == "new")
                    return session.exec(query.order_by(Order.id)).all()
                """,
            "app/main.py": """
                from sqlmodel import SQLModel
                from app.base import Order, SessionDep, app
                from app.repository import Orders, open_orders

                class OrderList(SQLModel):
                    data: list[Order]

                @app.get("/orders")
                def orders(session: SessionDep):  # <-
                    return Orders(session).all()

                def public(order: Order) -> dict:
                    return {"id": order.id}

                @app.get("/public")
                def public_orders(session: SessionDep) -> list[dict]:  # <-
                    return [public(order) for order in Orders(session).all()]

                @app.get("/open")
                def open_(session: SessionDep):  # <-
                    rows = open_orders(session)
                    result = []
                    for row in rows:
                        result.append({"id": row.id})
                    return {"orders": result}

                @app.get("/envelope")
                def envelope(session: SessionDep):  # <-
                    return OrderList(data=open_orders(session))
                """,
        },
    ),
    Case(
        "an envelope that a service makes",
        {
            "app/base.py": _HEAD,
            "app/services.py": """
                from sqlmodel import Session, func, select
                from app.base import Order

                def report(session: Session) -> dict[str, object]:
                    rows = session.exec(select(Order)).all()
                    return {"count": len(rows), "rows": [{"id": row.id} for row in rows]}

                def summary(session: Session) -> dict[str, object]:
                    return {"count": session.exec(select(func.count()).select_from(Order)).one()}
                """,
            "app/main.py": """
                from app import services
                from app.base import SessionDep, app

                @app.get("/report")
                def report(session: SessionDep):  # <-
                    return services.report(session)

                @app.get("/summary")
                def summary(session: SessionDep):
                    return services.summary(session)
                """,
        },
    ),
    Case(
        "a page that may be left out, and is",
        {
            "app/base.py": _HEAD,
            "app/repository.py": """
                from sqlmodel import Session, select
                from app.base import Order

                def all_orders(session: Session, limit: int | None = None):
                    return session.exec(select(Order).limit(limit)).all()

                def some_orders(session: Session, limit: int = 100):
                    return session.exec(select(Order).limit(limit)).all()
                """,
            "app/main.py": """
                from app.base import SessionDep, app
                from app.repository import all_orders, some_orders

                @app.get("/all")
                def every(session: SessionDep):  # <-
                    return all_orders(session)

                @app.get("/latest")
                def latest(session: SessionDep):
                    return all_orders(session, 10)

                @app.get("/some")
                def some(session: SessionDep):
                    return some_orders(session)
                """,
        },
    ),
    Case(
        "limited, narrowed to a parent, one row, an aggregate, a page",
        {
            "app/base.py": _HEAD,
            "app/main.py": """
                from sqlmodel import func, select
                from app.base import Order, SessionDep, app

                @app.get("/a")
                def a(session: SessionDep):
                    return session.exec(select(Order).limit(100)).all()

                @app.get("/b/{cart_id}")
                def b(session: SessionDep, cart_id: int):
                    return session.exec(select(Order).where(Order.cart_id == cart_id)).all()

                @app.get("/c")
                def c(session: SessionDep):
                    return session.exec(select(Order)).first()

                @app.get("/d")
                def d(session: SessionDep):
                    return session.exec(select(func.count()).select_from(Order)).one()

                @app.get("/e")
                def e(session: SessionDep, skip: int = 0, limit: int = 100):
                    return session.exec(select(Order).offset(skip).limit(limit)).all()

                @app.get("/f")
                def f(session: SessionDep):
                    return session.exec(select(Order)).all()[:10]
                """,
        },
    ),
    Case(
        "the history of one parent grows for as long as it lives; what a run did ends with it",
        {
            "app/base.py": _HEAD,
            "app/main.py": """
                from sqlmodel import select
                from app.base import Order, SessionDep, app

                @app.get("/carts/{cart_id}/versions")
                def versions(session: SessionDep, cart_id: int):  # <-
                    return session.exec(select(Order).where(Order.cart_id == cart_id)).all()

                @app.get("/runs/{run_id}/events")
                def events(session: SessionDep, run_id: int):  # <-
                    return session.exec(select(Order).where(Order.run_id == run_id)).all()

                @app.get("/runs/{run_id}/actions")
                def actions(session: SessionDep, run_id: int):
                    return session.exec(select(Order).where(Order.run_id == run_id)).all()
                """,
        },
    ),
    Case(
        "all that a user ever ordered grows as well",
        {
            "app/base.py": _HEAD,
            "app/main.py": """
                from sqlmodel import select
                from app.base import Order, SessionDep, User, app
                from elsewhere import shared_orders

                @app.get("/mine/{user_id}")
                def mine(session: SessionDep, user_id: int):  # <-
                    return session.exec(select(Order).where(Order.user_id == user_id)).all()

                @app.get("/ours/{user_id}")
                def ours(session: SessionDep, user_id: int):  # <-
                    user = session.get(User, user_id)
                    if user.is_admin:
                        statement = select(Order).where(Order.user_id == user.id)
                    else:
                        statement = shared_orders(user)
                    return session.exec(statement).all()

                @app.get("/matching/{user_id}")
                def matching(session: SessionDep, user_id: int):
                    user = session.get(User, user_id)
                    return session.exec(select(Order).where(Order.allowed.contains(user.id))).all()
                """,
        },
    ),
    Case(
        "tables that stay small: roles, and what requests never add to",
        {
            "app/base.py": _HEAD,
            "app/main.py": """
                from sqlmodel import select
                from app.base import Holiday, Role, SessionDep, app

                @app.get("/roles")
                def roles(session: SessionDep):
                    return session.exec(select(Role)).all()

                @app.get("/holidays")
                def holidays(session: SessionDep):
                    return session.exec(select(Holiday)).all()
                """,
        },
    ),
    Case(
        "a paginating library",
        {
            "app/base.py": _HEAD,
            "app/main.py": """
                from fastapi_pagination import Page
                from fastapi_pagination.ext.sqlmodel import paginate
                from sqlmodel import select
                from app.base import Order, SessionDep, app

                @app.get("/orders", response_model=Page[Order])
                def orders(session: SessionDep):
                    return paginate(session, select(Order))
                """,
        },
    ),
    case(
        "how a statement limits is not known where it is made elsewhere",
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy.orm import Session
        from statements import recent_orders

        app = FastAPI()

        def get_session() -> Session: ...

        @app.get("/orders")
        def orders(session: Session = Depends(get_session)):
            return session.scalars(recent_orders()).all()
        """,
    ),
    case(
        "one row of a result that has a name",
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        app = FastAPI()

        class Base(DeclarativeBase): ...

        class Order(Base):
            __tablename__ = "orders"
            key: Mapped[int] = mapped_column(primary_key=True)
            note: Mapped[str]

        def get_session() -> AsyncSession: ...

        async def find(note: str, session: AsyncSession) -> Order:
            result = await session.execute(select(Order).where(Order.note == note))
            return result.scalars().first()

        @app.post("/orders")
        async def create(note: str, session: AsyncSession = Depends(get_session)):
            session.add(Order(note=note))

        @app.get("/orders/{note}")
        async def order(note: str, session: AsyncSession = Depends(get_session)):
            return await find(note, session)
        """,
    ),
    Case(
        "rows that something is done with, or read again, are as many as those that are gone over",
        {
            "app/base.py": _HEAD,
            "app/main.py": """
                from typing import cast

                from sqlmodel import select
                from app.base import Order, SessionDep, app

                @app.get("/cast")
                def cast_(session: SessionDep):  # <-
                    return [cast(Order, row) for row in session.exec(select(Order)).all()]

                @app.get("/again")
                def again(session: SessionDep):  # <-
                    return [session.get(Order, row.id) for row in session.exec(select(Order)).all()]

                @app.get("/few")
                def few(session: SessionDep):
                    rows = session.exec(select(Order).limit(10)).all()
                    return [session.merge(row) for row in rows]
                """,
        },
    ),
    Case(
        "rows that are sifted after they were read: reported, but a page of them is no page",
        {
            "app/base.py": _HEAD,
            "app/main.py": """
                from sqlmodel import select
                from app.base import Order, SessionDep, app

                @app.get("/open")
                def open_(session: SessionDep):  # <-
                    rows = session.exec(select(Order)).all()
                    return [row for row in rows if row.status == "new"]
                """,
        },
    ),
)
