"""A synchronous database session on the event loop stops every other request.

`Session` of SQLAlchemy or SQLModel waits for the database in the thread that calls it. In an
`async def` endpoint or dependency that thread is the event loop's: while one request waits for its
rows, nobody else is served. In-memory and SQLite databases block as well, only shorter.

Reported is the `async def` from which the session is reached without a thread in between, through
services, repositories, generics and cached properties. Plain `def` endpoints are right with a
synchronous session: FastAPI runs them in a thread pool. Adding an object to a session does not
wait, statements and commits do. A session whose kind is not known is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite, Execution
from fastwright.app.model import App
from fastwright.app.on_loop import Loop, on_loop, stays_on_loop
from fastwright.app.symbols import Function
from fastwright.rules.evidence import call_name, evidence, name_place, of_calls, of_entry, of_step
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_WAITS_NOT = frozenset({"add", "add_all", "delete"})
_DEPTH = 8


def check(app: App) -> Iterator[Hit]:
    """Report each async function that runs statements on a synchronous session."""
    loop = on_loop(app)
    sessions = _Sessions(app)
    for step in loop.reached:
        if step.function.is_async:
            found = list(sessions.used_by(step.function))
            if found:
                yield _hit(app, loop, step.function, found)


def _hit(
    app: App, loop: Loop, function: Function, found: list[tuple[tuple[CallSite, ...], Execution]]
) -> Hit:
    step = loop.reached.steps[id(function.node)]
    chain, execution = found[0]
    last = execution.site
    routes = app.routes_for(function)
    what = f"{function.name}() is async and runs {_name(execution)} of a synchronous session"
    through = f" through {chain[-1].targets[0].qualname}" if chain and chain[-1].targets else ""
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    label = f" ({routes[0].label})" if routes else ""
    proof = (
        *of_entry(loop.entry(step.root)),
        *of_step(step),
        *of_calls(chain),
        evidence(last.module, last.node, call_name(last)),
    )
    return Hit(name_place(function), f"{what}{through}{more}: the event loop waits{label}", proof)


def _name(execution: Execution) -> str:
    return f"{execution.site.method}()"


class _Sessions:
    """Which functions use a synchronous session in the thread that calls them."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._known: dict[int, tuple[tuple[CallSite, ...], Execution] | None] = {}

    def used_by(self, function: Function) -> Iterator[tuple[tuple[CallSite, ...], Execution]]:
        """Yield the statements that a function runs itself or through plain functions."""
        own = {id(e.site.node): e for e in self.app.calls.executions(function) if _waits(e)}
        for site in self.app.calls.sites(function):
            if id(site.node) in own:
                yield (), own[id(site.node)]
                continue
            for target in site.targets:
                if target.is_async or not stays_on_loop(self.app, site, target):
                    continue
                found = self._first(target, 0)
                if found is not None:
                    yield (site, *found[0]), found[1]
                    break

    def _first(
        self, function: Function, depth: int
    ) -> tuple[tuple[CallSite, ...], Execution] | None:
        key = id(function.node)
        if key in self._known or depth > _DEPTH:
            return self._known.get(key)
        self._known[key] = None
        for execution in self.app.calls.executions(function):
            if _waits(execution):
                self._known[key] = ((), execution)
                return self._known[key]
        for site in self.app.calls.sites(function):
            for target in site.targets:
                if target.is_async or not stays_on_loop(self.app, site, target):
                    continue
                found = self._first(target, depth + 1)
                if found is not None:
                    self._known[key] = ((site, *found[0]), found[1])
                    return self._known[key]
        return None


def _waits(execution: Execution) -> bool:
    around = execution.site.around
    return (
        execution.session == "sync"
        and execution.site.method not in _WAITS_NOT
        and not around.awaited
        and not around.deferred
    )


RULE = Rule(
    summary="a synchronous database session on the event loop",
    severity="error",
    mend="Make the endpoint a plain `def` (FastAPI then runs it in a thread), or use an"
    " `AsyncSession`; a single call can go through `run_in_threadpool`.",
    profiles=("performance",),
    app=check,
    recipe="unblock",
    references=("https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html",),
)

CASES = (
    Case(
        "through a generic repository that a dependency makes",
        {
            "app/repository.py": """
                from typing import Generic, TypeVar
                from sqlmodel import Session, SQLModel, select

                T = TypeVar("T", bound=SQLModel)

                class Repository(Generic[T]):
                    model: type[T]

                    def __init__(self, session: Session):
                        self.session = session

                    def all(self) -> list[T]:
                        return self.session.exec(select(self.model)).all()
                """,
            "app/main.py": """
                from typing import Annotated
                from fastapi import Depends, FastAPI
                from sqlmodel import Field, Session, SQLModel, create_engine
                from app.repository import Repository

                app = FastAPI()
                engine = create_engine("sqlite://")

                class Item(SQLModel, table=True):
                    id: int | None = Field(default=None, primary_key=True)

                class Items(Repository[Item]):
                    model = Item

                def get_session():
                    with Session(engine) as session:
                        yield session

                def get_items(session: Annotated[Session, Depends(get_session)]) -> Items:
                    return Items(session)

                @app.get("/items")
                async def list_items(items: Annotated[Items, Depends(get_items)]):  # <-
                    return items.all()
                """,
        },
    ),
    case(
        "untyped parameters, typed by dependency injection and by their callers",
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker

        app = FastAPI()
        SessionLocal = sessionmaker(bind=create_engine("sqlite://"))

        def get_db():
            db = SessionLocal()
            try:
                yield db
            finally:
                db.close()

        def save(db, row):
            db.add(row)
            db.commit()

        @app.post("/rows")
        async def create(name: str, db=Depends(get_db)):  # <-
            save(db, name)
        """,
    ),
    case(
        "a plain def endpoint runs in a thread",
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import Session

        app = FastAPI()
        engine = create_engine("sqlite://")

        def get_db():
            with Session(engine) as db:
                yield db

        @app.get("/now")
        def now(db: Session = Depends(get_db)):
            return db.execute(text("select 1")).scalar()
        """,
    ),
    case(
        "an AsyncSession, and a synchronous one in a thread or through run_sync",
        """
        from fastapi import Depends, FastAPI
        from fastapi.concurrency import run_in_threadpool
        from sqlalchemy import create_engine, text
        from sqlalchemy.ext.asyncio import AsyncSession
        from sqlalchemy.orm import Session

        app = FastAPI()
        engine = create_engine("sqlite://")

        async def get_db():
            async with AsyncSession() as db:
                yield db

        def store(name: str) -> None:
            with Session(engine) as db:
                db.execute(text("insert into log values (:name)"), {"name": name})
                db.commit()

        def inside(session: Session) -> int:
            return session.execute(text("select 2")).scalar()

        @app.get("/now")
        async def now(db: AsyncSession = Depends(get_db)):
            await run_in_threadpool(store, "now")
            await db.run_sync(inside)
            return (await db.execute(text("select 1"))).scalar()
        """,
    ),
    case(
        "adding to a session does not wait",
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy.orm import Session

        app = FastAPI()

        def get_db() -> Session: ...

        @app.post("/rows")
        async def create(row: dict, db: Session = Depends(get_db)):
            db.add(row)
        """,
    ),
)
