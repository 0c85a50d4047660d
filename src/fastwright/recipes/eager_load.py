"""Relationships that are read row by row are loaded with the query that loads the rows.

What is read in a loop or while an answer is serialised gets `selectinload` (lists) or `joinedload` (one row) on
the statement that loads the rows, as the rules `n-plus-one-lazy-load` and `lazy-load-in-async` find it.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.recipes._from_rules import planned_by
from fastwright.recipes._lookups import lookups
from fastwright.recipes.recipe import Case, Planned, Recipe, Target

_RULES = ("n-plus-one-lazy-load", "lazy-load-in-async")


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each rule and each lookup in a loop, and what stays as it is."""
    yield from planned_by(app, target, _RULES, frozenset({"safe"}))
    yield from lookups(app, target)


RECIPE = Recipe(
    summary="load relationships with their rows",
    why="A relationship that is read row by row costs a statement for each of them.",
    plan=plan,
    references=("https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html",),
)

_MODELS = """\
from sqlmodel import Field, Relationship, Session, SQLModel


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    heroes: list["Hero"] = Relationship(back_populates="team")


class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    team_id: int = Field(foreign_key="team.id")
    team: Team = Relationship(back_populates="heroes")


def get_session() -> Session: ...
"""

CASES = (
    Case(
        "a relationship read in a loop, loaded where the query is",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Team, get_session

app = FastAPI()


@app.get("/teams")
def teams(session: Annotated[Session, Depends(get_session)]) -> list[int]:
    found = session.exec(select(Team).limit(10)).all()
    return [len(team.heroes) for team in found]
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy.orm import selectinload
from sqlmodel import Session, select

from models import Team, get_session

app = FastAPI()


@app.get("/teams")
def teams(session: Annotated[Session, Depends(get_session)]) -> list[int]:
    found = session.exec(select(Team).limit(10).options(selectinload(Team.heroes))).all()
    return [len(team.heroes) for team in found]
""",
        },
    ),
    Case(
        "what is loaded with its rows stays as it is",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy.orm import selectinload
from sqlmodel import Session, select

from models import Team, get_session

app = FastAPI()


@app.get("/teams")
def teams(session: Annotated[Session, Depends(get_session)]) -> list[int]:
    found = session.exec(select(Team).options(selectinload(Team.heroes)).limit(10)).all()
    return [len(team.heroes) for team in found]
""",
        },
    ),
    Case(
        "a query that runs itself",
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import Session, declarative_base, relationship

app = FastAPI()
Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class Member(Base):
    __tablename__ = "members"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id"))
    user = relationship("User")


def get_db() -> Session: ...


@app.get("/members")
def members(db: Session = Depends(get_db)) -> list[str]:
    found = (
        db.query(Member)
        .filter(Member.id > 1)
        .order_by(Member.id)
        .limit(100)
        .all()
    )
    return [member.user.name for member in found]
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import Session, declarative_base, relationship, selectinload

app = FastAPI()
Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class Member(Base):
    __tablename__ = "members"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id"))
    user = relationship("User")


def get_db() -> Session: ...


@app.get("/members")
def members(db: Session = Depends(get_db)) -> list[str]:
    found = (
        db.query(Member)
        .filter(Member.id > 1)
        .order_by(Member.id)
        .limit(100)
        .options(selectinload(Member.user))
        .all()
    )
    return [member.user.name for member in found]
""",
        },
    ),
)
