"""A page has an order: `ORDER BY` goes with `LIMIT` and `OFFSET`.

Without it the database answers rows in any order, and another one for the next page: after an update, a
vacuum, with another plan, on a replica. Rows come twice, others never, and nobody can reproduce it. Order by
something unique at last, `order_by(Order.created_at.desc(), Order.id)`, or rows that are equal change places.

Reported is a statement with both an offset and a limit, in what requests run, that nothing on its way
orders; an order under a condition counts as one. Counts and statements that cannot be followed to where
they are begun are left alone, and a limit without an offset too: any ten rows may be what is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import Execution
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.types import Query
from fastwright.edit.builders import chain_behind
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.data._pages import in_one_place, key_of
from fastwright.rules.evidence import evidence, of_entry, of_step, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_ORDERING = frozenset({"order_by", "with_hint", "from_statement"})
_LIMITING = frozenset({"limit", "fetch"})


def check(app: App) -> Iterator[Hit]:
    """Report each execution of a statement that takes a page of rows in no order."""
    running = served(app)
    for step in running.reached:
        for execution in app.calls.executions(step.function):
            query = execution.query
            if query is None or not _takes_a_page(query) or _knows_of_order(execution):
                continue
            site = execution.site
            chain = (
                *of_entry(running.entry(step.root)),
                *of_step(step),
                evidence(query.module, query.node, "the statement begins"),
                evidence(site.module, site.node, "takes a page of it"),
            )
            rows = f"{execution.table.name} rows" if execution.table is not None else "rows"
            message = f"a page of {rows} is read without ORDER BY: rows may come twice, or never"
            yield Hit(place(site.module, site.node), message, chain, _fix(app, query))


def _fix(app: App, query: Query) -> Fix | None:
    """Return the fix that orders by the primary key, before the page is taken."""
    key = key_of(app, query)
    if key is None or not in_one_place(query):
        return None
    for step in query.steps:
        if s.last_name(step) in {"offset", "slice", *_LIMITING} and isinstance(step, s.Call):
            if isinstance(step.func, s.Attribute):
                edits = chain_behind(query.module, step.func.value, f".order_by({key})")
                return Fix("suggest", (edits,))
    return None


def _takes_a_page(query: Query) -> bool:
    if query.ordered or query.aggregate or query.kind != "select":
        return False
    names = {s.last_name(step) for step in query.steps}
    if not names.isdisjoint(_ORDERING):
        return False
    return "slice" in names or ("offset" in names and not names.isdisjoint(_LIMITING))


def _knows_of_order(execution: Execution) -> bool:
    """Whether the function orders something: perhaps this statement, in a way that is not seen."""
    return "order_by" in execution.site.caller.node.called


RULE = Rule(
    summary="limit and offset without ORDER BY",
    severity="warning",
    mend="Order by a unique column, at last: `.order_by(Order.created_at.desc(), Order.id)`.",
    app=check,
    references=(
        "https://www.postgresql.org/docs/current/queries-limit.html",
        "https://docs.sqlalchemy.org/en/20/core/selectable.html#sqlalchemy.sql.expression.Select.offset",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine, func, select

class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    state: str

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()
"""

CASES = (
    case(
        "in one statement, in steps, with session.query",
        _HEAD
        + """
@app.get("/a")
def a(session: SessionDep, skip: int = 0, limit: int = 100):
    return session.exec(select(Order).offset(skip).limit(limit)).all()  # <-

@app.get("/b")
def b(session: SessionDep, skip: int = 0, limit: int = 100, state: str | None = None):
    statement = select(Order)
    if state:
        statement = statement.where(Order.state == state)
    statement = statement.limit(limit)
    statement = statement.offset(skip)
    return session.exec(statement).all()  # <-

@app.get("/c")
def c(session: SessionDep, skip: int = 0, limit: int = 100):
    return session.query(Order).offset(skip).limit(limit).all()  # <-

@app.get("/d")
def d(session: SessionDep, page: int = 0):
    return session.query(Order).slice(page * 10, page * 10 + 10).all()  # <-

@app.get("/e")
def e(session: SessionDep, skip: int = 0, limit: int = 100):
    return session.exec(  # <-
        select(Order)
        .where(Order.state == "new")
        .offset(skip)
        .limit(limit)
    ).all()

@app.get("/f")
def f(session: SessionDep, skip: int = 0, limit: int = 100):
    return session.exec(select(Order).distinct().offset(skip).limit(limit)).all()  # <-
""",
        after=_HEAD
        + """
@app.get("/a")
def a(session: SessionDep, skip: int = 0, limit: int = 100):
    return session.exec(select(Order).order_by(Order.id).offset(skip).limit(limit)).all()

@app.get("/b")
def b(session: SessionDep, skip: int = 0, limit: int = 100, state: str | None = None):
    statement = select(Order)
    if state:
        statement = statement.where(Order.state == state)
    statement = statement.order_by(Order.id).limit(limit)
    statement = statement.offset(skip)
    return session.exec(statement).all()

@app.get("/c")
def c(session: SessionDep, skip: int = 0, limit: int = 100):
    return session.query(Order).order_by(Order.id).offset(skip).limit(limit).all()

@app.get("/d")
def d(session: SessionDep, page: int = 0):
    return session.query(Order).order_by(Order.id).slice(page * 10, page * 10 + 10).all()

@app.get("/e")
def e(session: SessionDep, skip: int = 0, limit: int = 100):
    return session.exec(
        select(Order)
        .where(Order.state == "new")
        .order_by(Order.id)
        .offset(skip)
        .limit(limit)
    ).all()

@app.get("/f")
def f(session: SessionDep, skip: int = 0, limit: int = 100):
    return session.exec(select(Order).distinct().offset(skip).limit(limit)).all()
""",
    ),
    Case(
        "in a generic repository",
        {
            "app/models.py": """
                from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

                class Base(DeclarativeBase): ...

                class Order(Base):
                    __tablename__ = "orders"
                    id: Mapped[int] = mapped_column(primary_key=True)
                """,
            "app/repository.py": """
                from typing import Generic, TypeVar
                from sqlalchemy import select
                from sqlalchemy.ext.asyncio import AsyncSession
                from app.models import Base, Order

                T = TypeVar("T", bound=Base)

                class Repository(Generic[T]):
                    model: type[T]

                    async def page(self, session: AsyncSession, skip: int, limit: int) -> list[T]:
                        statement = select(self.model).offset(skip).limit(limit)
                        result = await session.execute(statement)  # <-
                        return list(result.scalars())

                class Orders(Repository[Order]):
                    model = Order
                """,
            "app/main.py": """
                from typing import Annotated
                from fastapi import Depends, FastAPI
                from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
                from app.repository import Orders

                maker = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))

                async def get_session():
                    async with maker() as session:
                        yield session

                app = FastAPI()

                @app.get("/orders")
                async def orders(session: Annotated[AsyncSession, Depends(get_session)], skip: int = 0):
                    return await Orders().page(session, skip, 20)
                """,
        },
    ),
    case(
        "ordered, ordered under a condition, a limit alone, a count, a statement of elsewhere",
        _HEAD
        + """
from statements import page_of

@app.get("/a")
def a(session: SessionDep, skip: int = 0, limit: int = 100):
    return session.exec(select(Order).order_by(Order.id).offset(skip).limit(limit)).all()

@app.get("/b")
def b(session: SessionDep, skip: int = 0, newest: bool = True):
    statement = select(Order).offset(skip).limit(10)
    if newest:
        statement = statement.order_by(Order.id.desc())
    return session.exec(statement).all()

@app.get("/c")
def c(session: SessionDep, limit: int = 10):
    return session.exec(select(Order).limit(limit)).all()

@app.get("/d")
def d(session: SessionDep):
    return session.exec(select(func.count()).select_from(Order).offset(0).limit(1)).one()

@app.get("/e")
def e(session: SessionDep, skip: int = 0, limit: int = 10):
    return session.exec(page_of(Order).offset(skip).limit(limit)).all()
""",
    ),
)
