"""A table is asked by the repository or service that the project has for it.

Where a project keeps the statements on a table together, an endpoint that writes its own goes around
them: around the filter for deleted rows, the tenant, the eager loading and the events that the others
have, and the next change of the table has one place more to find.

Reported is an endpoint that asks a table itself, when at least three functions of repositories or
services ask the same table, and at least three times as many as endpoints do, in a project that keeps
to it: at most one in ten of the endpoints that need the database asks it itself. A project without
such a layer, or whose endpoints commonly ask, is left alone; so are `session.add`, `refresh` and
`commit`, and tables or statements that are not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from fastwright.app.calls import Execution
from fastwright.app.model import App
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule

_OWNERS = frozenset({"repository", "service"})
_ENOUGH = 3
"""So many functions of the layer, and so many times as many as endpoints."""
_FEW = 10
"""One endpoint of so many may ask the database itself in a project that has a layer for it."""

Asked: TypeAlias = dict[int, dict[int, Execution]]
"""By table, then by the function that asks it: the first statement."""


def check(app: App) -> Iterator[Hit]:
    """Report each endpoint that goes around the layer of a table."""
    direct, kept = _asked(app)
    if not direct or not _keeps_to_it(app, direct):
        return
    reported: set[int] = set()
    for table, asking in direct.items():
        others = list(kept.get(table, {}).values())
        if len(others) < max(_ENOUGH, _ENOUGH * len(asking)):
            continue
        for endpoint, execution in asking.items():
            if endpoint not in reported:
                reported.add(endpoint)
                yield _hit(app, execution, others)


def _asked(app: App) -> tuple[Asked, Asked]:
    """Return what endpoints ask, and what repositories and services ask."""
    endpoints = {id(function.node) for function in app.endpoints}
    direct: Asked = {}
    kept: Asked = {}
    for execution in app.executions:
        if execution.table is None or not _is_statement(execution):
            continue
        caller = id(execution.site.caller.node)
        if caller in endpoints:
            direct.setdefault(id(execution.table.node), {}).setdefault(caller, execution)
        elif _is_owner(app, execution):
            kept.setdefault(id(execution.table.node), {}).setdefault(caller, execution)
    return direct, kept


def _keeps_to_it(app: App, direct: Asked) -> bool:
    """Whether few of the endpoints that need the database ask it themselves."""
    asking = {endpoint for found in direct.values() for endpoint in found}
    needing = sum(app.calls.asks_database(endpoint) for endpoint in app.endpoints)
    return len(asking) <= max(1, needing // _FEW)


def _is_statement(execution: Execution) -> bool:
    return execution.query is not None or execution.by_key


def _is_owner(app: App, execution: Execution) -> bool:
    layer = app.layers.get(execution.site.module.path)
    return layer is not None and layer.name in _OWNERS and not layer.guessed


def _hit(app: App, execution: Execution, others: list[Execution]) -> Hit:
    site, other = execution.site, others[0].site
    name = execution.table.name if execution.table is not None else ""
    message = (
        f"{site.caller.name} asks {name} itself; {len(others)} functions of repositories or services"
        f" do ({other.caller.qualname})"
    )
    chain = (
        *of_route(app.routes_for(site.caller)[0]),
        evidence(site.module, site.node, f"asks {name}"),
        *(evidence(o.site.module, o.site.node, o.site.caller.qualname) for o in others[:_ENOUGH]),
    )
    return Hit(place(site.module, site.node), message, chain)


RULE = Rule(
    summary="an endpoint asks a table that has a repository or service",
    severity="info",
    confidence="medium",
    mend="Move the statement into the repository or service of the table, as a method with a name, and call"
    " that.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/bigger-applications/",),
)

_TABLES = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""
_REPOSITORY = """
from sqlalchemy import select
from sqlalchemy.orm import Session
from app.tables import Item

class Items:
    def __init__(self, session: Session) -> None:
        self.session = session

    def all(self) -> list[Item]:
        return list(self.session.scalars(select(Item)))

    def named(self, name: str) -> Item | None:
        return self.session.scalar(select(Item).where(Item.name == name))

    def one(self, id: int) -> Item | None:
        return self.session.scalar(select(Item).where(Item.id == id))
"""
_ROUTES = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from app.repositories.items import Items
from app.tables import Item

app = FastAPI()

def get_session():
    with Session(create_engine("sqlite://")) as session:
        yield session

Db = Annotated[Session, Depends(get_session)]

@app.get("/items")
def items(db: Db) -> list[str]:
    return [item.name for item in Items(db).all()]

@app.get("/items/named/{name}")
def named(db: Db, name: str) -> None:
    Items(db).named(name)

@app.get("/items/{id}")
def one(db: Db, id: int) -> None:
    Items(db).one(id)
"""

CASES = (
    Case(
        "one endpoint goes around the repository",
        {
            "app/__init__.py": "",
            "app/tables.py": _TABLES,
            "app/repositories/__init__.py": "",
            "app/repositories/items.py": _REPOSITORY,
            "app/main.py": _ROUTES
            + """
@app.get("/count")
def count(db: Db) -> int:
    return len(list(db.scalars(select(Item))))  # <-
""",
        },
    ),
    Case(
        "endpoints use the repository, and add rows to its session",
        {
            "app/__init__.py": "",
            "app/tables.py": _TABLES,
            "app/repositories/__init__.py": "",
            "app/repositories/items.py": _REPOSITORY,
            "app/main.py": _ROUTES
            + """
@app.post("/items")
def create(db: Db) -> None:
    db.add(Item(name="x"))
    db.commit()
""",
        },
    ),
    Case(
        "a project whose endpoints ask",
        {
            "app/__init__.py": "",
            "app/tables.py": _TABLES,
            "app/repositories/__init__.py": "",
            "app/repositories/items.py": _REPOSITORY,
            "app/main.py": _ROUTES
            + """
@app.get("/count")
def count(db: Db) -> int:
    return len(list(db.scalars(select(Item))))

@app.get("/names")
def names(db: Db) -> list[str]:
    return [item.name for item in db.scalars(select(Item))]
""",
        },
    ),
)
