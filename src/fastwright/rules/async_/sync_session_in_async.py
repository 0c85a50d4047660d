"""A synchronous database session on the event loop stops every other request.

`session.execute(...)` of SQLAlchemy's or SQLModel's plain `Session` waits for the database in the
thread that calls it. From an `async def` endpoint or dependency that thread is the event loop's, so
the whole process waits with it, however many functions lie between. Either the endpoint is a plain
`def`, which FastAPI runs in a thread pool, or the session is an `AsyncSession`.

One finding an entry point (endpoint, dependency, middleware): the first statement that it runs;
the others need the same mend.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import Execution, Step
from fastwright.app.model import App
from fastwright.app.on_loop import on_loop
from fastwright.rules.evidence import call_name, evidence, name_place, of_calls, of_entry
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case


def check(app: App) -> Iterator[Hit]:
    """Report each async entry point below which a sync session asks the database."""
    loop = on_loop(app)
    first: dict[int, tuple[Step, list[Execution]]] = {}
    for step in loop.reached:
        waiting = [e for e in app.calls.executions(step.function) if _waits(e)]
        if waiting:
            first.setdefault(id(step.root.node), (step, []))[1].extend(waiting)
    for step, waiting in first.values():
        entry = loop.entry(step.root)
        site = waiting[0].site
        chain = (
            *of_entry(entry),
            *of_calls(step.chain),
            evidence(site.module, site.node, call_name(site)),
        )
        more = f", and {len(waiting) - 1} more below it" if len(waiting) > 1 else ""
        message = (
            f"{step.root.name} is async, but asks the database through a synchronous session"
            f" ({call_name(site)}{more}): the event loop waits for each statement"
        )
        yield Hit(name_place(step.root), message, chain)


def _waits(execution: Execution) -> bool:
    site = execution.site
    if execution.session != "sync" or site.around.deferred or site.around.awaited:
        return False
    return site.method not in {"add", "add_all", "delete"}  # these only take note


RULE = Rule(
    summary="a synchronous database session on the event loop",
    severity="error",
    mend="Declare the endpoint with `def` if it awaits nothing, or use an `AsyncSession` (and await"
    " its methods); a single call can go through `run_in_threadpool`.",
    app=check,
    recipe="unblock",
    references=(
        "https://fastapi.tiangolo.com/async/",
        "https://docs.sqlalchemy.org/en/21/orm/extensions/asyncio.html",
    ),
)

_DATABASE = """
from sqlmodel import Field, Session, SQLModel, create_engine, select

engine = create_engine("sqlite:///shop.db")

class Item(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)

def get_session():
    with Session(engine) as session:
        yield session
"""

CASES = (
    case(
        "through a repository that is injected",
        _DATABASE
        + """
from typing import Annotated
from fastapi import Depends, FastAPI

app = FastAPI()

class Items:
    def __init__(self, session: Session):
        self.session = session

    def all(self) -> list[Item]:
        return list(self.session.exec(select(Item).limit(10)))

def get_items(session: Annotated[Session, Depends(get_session)]) -> Items:
    return Items(session)

@app.get("/items")
async def list_items(items: Annotated[Items, Depends(get_items)]) -> list[int]:  # <-
    return [item.id for item in items.all()]
""",
    ),
    case(
        "a plain def endpoint runs in a thread",
        _DATABASE
        + """
from typing import Annotated
from fastapi import Depends, FastAPI

app = FastAPI()

@app.get("/items/{key}")
def read_item(key: int, session: Annotated[Session, Depends(get_session)]) -> int:
    return session.get(Item, key).id
""",
    ),
    case(
        "an async session is awaited",
        """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)

make = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))

async def get_session():
    async with make() as session:
        yield session

app = FastAPI()

@app.get("/items")
async def list_items(session: Annotated[AsyncSession, Depends(get_session)]) -> list[int]:
    rows = await session.scalars(select(Item.id).limit(5))
    return list(rows)

@app.get("/run")
async def run(session: Annotated[AsyncSession, Depends(get_session)]) -> None:
    await session.run_sync(lambda sync: sync.execute(select(Item)))
""",
    ),
)
