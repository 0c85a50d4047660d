"""What `paginate` makes is right when it runs: every row once, the headers, the bounds, for each style."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fastwright.app.memory import app_from
from fastwright.edit.apply import apply
from fastwright.edit.fix import Fix
from fastwright.recipes.recipe import Paging, Proposal, Target
from fastwright.recipes.registry import find_recipe
from fastwright.rules.cases import hits_of
from fastwright.rules.registry import rules

ROWS = 7
STYLES: tuple[Paging, ...] = ("offset", "page", "cursor")

SQLMODEL = {
    "models.py": """\
from datetime import datetime, timezone

from sqlmodel import Field, SQLModel, Session, create_engine

engine = create_engine("sqlite:///sync.db")


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
    created: datetime
    paid: bool = True


def get_session():
    with Session(engine) as session:
        yield session


def seed(rows: int) -> None:
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        for number in range(rows):
            created = datetime(2026, 1, 1, microsecond=number // 2, tzinfo=timezone.utc)
            session.add(Order(note=f"note {number}", created=created))
        created = datetime(2026, 1, 2, tzinfo=timezone.utc)
        session.add(Order(note="another", created=created, paid=False))
        session.commit()
""",
    "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def paid(self, paid: bool) -> Sequence[Order]:
        return self.session.exec(
            select(Order).where(Order.paid == paid).order_by(Order.created)
        ).all()
""",
    "main.py": """\
from datetime import datetime, timezone

from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import Order, get_session
from repository import OrderRepository

app = FastAPI()


@app.post("/orders")
def create(note: str, session: Session = Depends(get_session)) -> None:
    session.add(Order(note=note, created=datetime.now(timezone.utc)))
    session.commit()


@app.get("/list/{name}")
def orders(name: str, paid: bool = True, session: Session = Depends(get_session)) -> list[str]:
    found = []
    for order in OrderRepository(session).paid(paid):
        note = order.note
        found.append(note)
    return found
""",
}
ASYNC = {
    "models.py": """\
import asyncio

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine("sqlite+aiosqlite:///async.db")
sessions = async_sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    paid: Mapped[bool]


async def get_session():
    async with sessions() as session:
        yield session


async def _seed(rows: int) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions() as session:
        session.add_all(Note(text=f"note {rows - number - 1}", paid=True) for number in range(rows))
        session.add(Note(text="another", paid=False))
        await session.commit()
    await engine.dispose()


def seed(rows: int) -> None:
    asyncio.run(_seed(rows))
""",
    "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models import Note, get_session

app = FastAPI()
SessionDep = Annotated[AsyncSession, Depends(get_session)]


@app.post("/notes")
async def create(text: str, session: SessionDep) -> None:
    session.add(Note(text=text, paid=True))
    await session.commit()


@app.get("/list/{name}")
async def notes(name: str, session: SessionDep, paid: bool = True) -> list[str]:
    result = await session.execute(
        select(Note).where(Note.paid == paid).order_by(Note.id.desc())
    )
    return [note.text for note in result.scalars().all()]
""",
}
LEGACY = {
    "models.py": """\
from sqlalchemy import Boolean, Column, Integer, String, create_engine
from sqlalchemy.orm import declarative_base, sessionmaker

engine = create_engine("sqlite:///legacy.db")
SessionLocal = sessionmaker(bind=engine)
Base = declarative_base()


class Note(Base):
    __tablename__ = "notes"
    id = Column(Integer, primary_key=True)
    text = Column(String, nullable=False)
    paid = Column(Boolean, nullable=False)


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


def seed(rows: int) -> None:
    Base.metadata.create_all(engine)
    with SessionLocal() as db:
        for number in range(rows):
            db.add(Note(text="note %d" % number, paid=True))
        db.add(Note(text="another", paid=False))
        db.commit()
""",
    "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from models import Note, get_db

app = FastAPI()


@app.post("/notes")
def create(text: str, db: Session = Depends(get_db)) -> None:
    db.add(Note(text=text, paid=True))
    db.commit()


@app.get("/list/{name}")
def notes(name: str, paid: bool = True, db: Session = Depends(get_db)):
    query = db.query(Note)
    query = query.filter(Note.paid == paid)
    return [note.text for note in query.all()]
""",
}
WALK = """\
import json
import sys

from fastapi.testclient import TestClient

from main import app
from models import seed

seed(int(sys.argv[1]))
size = {"offset": "limit", "page": "size", "cursor": "limit"}[sys.argv[2]]
found = {"bodies": [], "totals": []}
with TestClient(app) as client:
    url = f"/list/%0D%0Aa%22%3E?paid=true&q=a&q=%C3%A9&{size}=3"
    while url and len(found["bodies"]) < 20:
        answer = client.get(url)
        assert answer.status_code == 200, answer.text
        assert answer.request.url.params.get_list("q") == ["a", "\\u00e9"]
        found["bodies"].append(answer.json())
        found["totals"].append(answer.headers.get("X-Total-Count"))
        found.setdefault("links", sorted(answer.links))
        found["last links"] = sorted(answer.links)
        url = answer.links.get("next", {}).get("url")
    found["default"] = client.get("/list/a").json()
    found["none"] = [client.get(f"/list/a?paid=maybe").status_code]
    found["wrong"] = [
        client.get(f"/list/a?{size}={number}").status_code for number in (0, 101, -1, "x")
    ]
    last = client.get("/list/a").links.get("last", {}).get("url")
    found["last"] = client.get(last).json() if last else None
    found["cursors"] = [
        client.get("/list/a", params={"cursor": cursor}).status_code
        for cursor in ("x", "\\u00e9", "bnVsbA==", "W10=", "WyJ4Il0=", "WzFlMzBd", "W251bGxd")
    ]
print(json.dumps(found))
"""


def paged(files: Mapping[str, str], target: Target) -> dict[str, str]:
    found = dict(files)
    for _ in range(5):
        app = app_from(found, {})
        planned = list(find_recipe("paginate").recipe.plan(app, target))
        proposal = next((each for each in planned if isinstance(each, Proposal)), None)
        if proposal is None:
            assert not planned, planned
            assert "pagination.py" in found
            return found
        found |= proposal.new
        sources = {path: text.encode() for path, text in found.items()}
        own = {path.removesuffix(".py") for path in found}
        changed = apply(sources, (Fix("safe", proposal.edits, proposal.imports),), own).changed
        found |= {path: source.decode() for path, source in changed.items()}
    pytest.fail("the recipe does not end")


@pytest.fixture(params=["sqlmodel", "async", "legacy"])
def files(request: pytest.FixtureRequest) -> Mapping[str, str]:
    return {"sqlmodel": SQLMODEL, "async": ASYNC, "legacy": LEGACY}[request.param]


def walked(files: Mapping[str, str], style: Paging, folder: Path) -> dict[str, Any]:
    for path, text in paged(files, Target(paging=style)).items():
        (folder / path).write_text(text)
    (folder / "walk.py").write_text(WALK)
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:main", "walk.py", str(ROWS), style],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("style", STYLES)
def test_runs(files: Mapping[str, str], style: Paging, tmp_path: Path) -> None:
    found = walked(files, style, tmp_path)
    everything = [f"note {number}" for number in range(ROWS)]
    assert [len(body) for body in found["bodies"]] == [3, 3, 1]
    assert [note for body in found["bodies"] for note in body] == everything
    assert found["default"] == everything
    assert found["wrong"] == [422, 422, 422, 422]
    if style == "cursor":
        assert found["totals"] == [None, None, None]
        assert found["links"] == ["next"]
        assert found["last links"] == []
        assert set(found["cursors"]) == {422}
    else:
        assert found["totals"] == [str(ROWS)] * 3
        assert found["links"] == ["first", "last", "next"]
        assert found["last links"] == ["first", "last", "prev"]
        assert found["last"] == everything


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("rule", ["missing-pagination", "unbounded-limit", "unordered-pagination"])
def test_review_is_silent(files: Mapping[str, str], style: Paging, rule: str) -> None:
    assert hits_of(rules()[rule].rule, paged(files, Target(paging=style)), {}) == []
