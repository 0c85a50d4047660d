"""Lists have a page: an endpoint that returns every row of a table takes `limit` and `offset`, with a bound.

The body keeps its shape: a list stays a list, of at most `limit` items. A limit that is there already gets an upper bound. Where the
statement has no order, it is ordered by the table's primary key, because pages of unordered rows overlap.

Contract change: two optional parameters (`limit`, 50 by default and at most 100, and `offset`), fewer items in one answer, and 422 for a limit
beyond the bound.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.recipes._from_rules import planned_by
from fastwright.recipes.recipe import Case, Planned, Recipe, Target

_RULES = ("missing-pagination", "unbounded-limit")


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for the lists without a limit, one for limits without a bound."""
    yield from planned_by(app, target, _RULES, frozenset({"contract"}))


RECIPE = Recipe(
    summary="a limit and an offset for lists",
    why="A list without a bound grows with the table, until answering it takes the service down.",
    plan=plan,
    contract=True,
    references=(
        "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/",
    ),
)

_MODELS = """\
from sqlmodel import Field, Session, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str


def get_session() -> Session: ...
"""

CASES = (
    Case(
        "a list of every row",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()


@app.post("/orders")
def create(note: str, session: Annotated[Session, Depends(get_session)]) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders")
def orders(session: Annotated[Session, Depends(get_session)]) -> list[Order]:
    return session.exec(select(Order)).all()
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()


@app.post("/orders")
def create(note: str, session: Annotated[Session, Depends(get_session)]) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders")
def orders(session: Annotated[Session, Depends(get_session)], offset: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> list[Order]:
    return session.exec(select(Order).order_by(Order.id).offset(offset).limit(limit)).all()
""",
        },
    ),
    Case(
        "a limit without a bound",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()


@app.get("/orders")
def orders(session: Annotated[Session, Depends(get_session)], limit: int = 20) -> list[Order]:
    return session.exec(select(Order).order_by(Order.id).limit(limit)).all()
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()


@app.get("/orders")
def orders(session: Annotated[Session, Depends(get_session)], limit: Annotated[int, Query(le=100)] = 20) -> list[Order]:
    return session.exec(select(Order).order_by(Order.id).limit(limit)).all()
""",
        },
    ),
)
