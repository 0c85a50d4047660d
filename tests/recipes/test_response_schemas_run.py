"""What ``response-schemas`` declares is run: each answer is the same before and after, byte for byte.

One application for all: a row of a table of SQLAlchemy's old style, and of SQLModel, and an endpoint
that answers with columns of both and with one value more, which is what is tried.
"""

from __future__ import annotations

import sys
import textwrap
from types import ModuleType

import pytest
from fastapi.testclient import TestClient
from sqlmodel import SQLModel

from fastwright.app.memory import app_from
from fastwright.edit.apply import apply
from fastwright.edit.fix import Fix
from fastwright.recipes.recipe import Proposal, Target
from fastwright.recipes.registry import recipes

HEAD = """\
import uuid
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import (
    Boolean, Column, Date, DateTime, Float, ForeignKey, Integer, Numeric, String, create_engine,
)
from sqlalchemy.orm import Session, declarative_base, relationship
from sqlalchemy.pool import StaticPool
from sqlmodel import Field, SQLModel

LIMIT = 3
Base = declarative_base()


class State(str, Enum):
    new = "new"
    sold = "sold"


class Size(BaseModel):
    width: int
    depth: Decimal


class Part(Base):
    __tablename__ = "part"
    id = Column(Integer, primary_key=True)
    name = Column(String(20), nullable=False)
    note = Column(String(20))
    weight = Column(Float, nullable=False)
    price = Column(Numeric(8, 2), nullable=False)
    rebate = Column(Numeric(8, 2))
    made = Column(Date, nullable=False)
    changed = Column(DateTime, nullable=False)
    spare = Column(Boolean, nullable=False, default=False)
    parts = relationship("Piece", uselist=True)

    @property
    def label(self):
        return "%s (%d)" % (self.name, self.id)


class Piece(Base):
    __tablename__ = "piece"
    id = Column(Integer, primary_key=True)
    part_id = Column(Integer, ForeignKey("part.id"), nullable=False)
    stars = Column(Integer, nullable=False)
    weight = Column(Float, nullable=False)


class Item(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    key: uuid.UUID
    state: State = State.new
    cost: Decimal = Field(max_digits=8, decimal_places=2)
    note: str | None = None
    at: datetime = Field(sa_type=DateTime)
    since: datetime
    share: float


engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
Base.metadata.create_all(engine)
SQLModel.metadata.create_all(engine)
with Session(engine) as first:
    for number in (1, 2):
        first.add(Part(id=number, name="bolt é", note=None if number == 1 else "old", weight=2,
                       price=Decimal("5"), rebate=None if number == 1 else Decimal("0.10"),
                       made=date(2020, 1, 2), changed=datetime(2020, 1, 2, 3, 4, 5, 60000)))
        first.add(Item(id=number, key=uuid.UUID(int=number), state=State.sold, cost=Decimal("7"),
                       at=datetime(2020, 1, 2), since=datetime.now(timezone.utc), share=0))
    for stars in (3, 5):
        first.add(Piece(part_id=1, stars=stars, weight=0.5))
    first.commit()


def get_session():
    with Session(engine) as session:
        yield session


def label(part):
    return f"{part.name}!"


def worth(part: Part) -> float:
    return unknown(part)


def unknown(anything):
    return getattr(anything, "id") + 0


def count(session: Session) -> int:
    return session.query(Piece).count()


def grade(part: Part):
    if part.weight > 1:
        return 1
    return "light"


app = FastAPI()
"""

TAIL = """

@app.{method}("/parts/{{part_id}}")
def read_part(part_id: int, q: str = None, at_least: float = 0, session: Session = Depends(get_session)):
    part = session.get(Part, part_id)
    item = session.get(Item, part_id)
{body}
    return {{"id": part.id, "name": part.name, "note": part.note, "tried": {value}}}
"""

KNOWN = (
    "part.weight", "part.price", "part.rebate", "part.made", "part.changed", "part.spare", "part.label",
    "item.key", "item.state", "item.state.value", "item.cost", "item.note", "item.at", "item.share",
    "q", "at_least", "part_id", "LIMIT", "None if part.spare else LIMIT",
    "part.weight > 1", "part.note is None", "'bolt' in part.name", "not part.parts",
    "part.name + '!'", "'%s-%d' % (part.name, part.id)", "f'{part.price}'", "'-' * 3",
    "part.name.upper()", "part.name.split()", "part.name[:2]", "part.changed.isoformat()",
    "part.id + 1", "part.id / 2", "part.id // 2", "part.weight * 2", "-part.id", "part.spare + 1",
    "int(part.price)", "float(part.price)", "str(part.price)", "len(part.parts)", "round(part.weight)",
    "round(part.weight / 3, 2)", "abs(part.weight)", "bool(part.note)",
    "sum(piece.stars for piece in part.parts)", "sum(piece.weight for piece in part.parts)",
    "max([piece.stars for piece in part.parts], default=None)",
    "sorted(piece.stars for piece in part.parts)", "[piece.stars for piece in part.parts][:1]",
    "part.note or part.name", "part.note or 0", "part.note and part.id",
    "{'id': part.id, 'made': part.made}", "[{'stars': piece.stars} for piece in part.parts]",
    "{'inner': {'again': [part.id, part.name]}}", "(part.id, part.name)",
    "{str(piece.stars): piece.weight for piece in part.parts}",
    "label(part)", "worth(part)", "count(session)", "grade(part)", "session.query(Piece).count()",
    "State.new", "Size(width=1, depth=Decimal('2.50'))", "any(p.stars > 3 for p in part.parts)",
    "[p.stars for p in part.parts if p.weight]", "list(enumerate(p.stars for p in part.parts))",
)  # fmt: skip
UNKNOWN = (
    "unknown(part)", "item.since", "part.price * 2", "part.price or 0", "sum(i.price for i in [part])", "part",
    "part.parts", "{part.id: 1}", "{'class': 1}", "{'model_x': 1}", "datetime.now()", "[]",
    "{piece.stars: 1 for piece in part.parts}",
    "[unknown(part)]", "part.changed - part.changed", "q.partition('-')", "{part.id}", "b'x'",
    "[{'a': 1}, {'b': 2}]", "LIMIT + Decimal(1)", "None",
)  # fmt: skip
BODIES = {
    "stars = [piece.stars for piece in part.parts]\naverage = round(sum(stars) / len(stars), 1) if stars else None": "average",
    "found = []\nfor piece in part.parts:\n    found.append({'stars': piece.stars, 'by': part.name})": "found",
    "found = []\nfor piece in part.parts:\n    found.append({'stars': piece.stars})\nfound.sort(key=str)": "found[:1]",
    "total = 0\nfor piece in part.parts:\n    total += piece.weight": "total",
    "total = 0\nfor piece in part.parts:\n    total += piece.stars": "total",
    "by = {}\nfor piece in part.parts:\n    by[str(piece.stars)] = by.get(str(piece.stars), 0) + piece.weight": "by",
    "by = {}\nfor p in part.parts:\n    by[str(p.stars)] = p.stars\nbest = sorted(by.items())": "[{'of': a, 'times': b} for a, b in best]",
    "if part.spare:\n    kind = 1\nelse:\n    kind = 'plain'": "kind",
    "kind: str | None = None\nif part.spare:\n    kind = 'spare'": "kind",
    "a, b = part.id, part.name": "b",
}
UNKNOWN_BODIES = {
    "found = []\nunknown_too(found)": "found",
    "by = {'a': 1}\nby['b'] = unknown(part)": "by",
    "total = Decimal('0')\ntotal += part.price": "total",
    "other = found = []\nother.append(1)": "found",
    "kind = 1\nif part.spare:\n    kind = unknown(part)": "kind",
    "with open('x') as file:\n    text = file.read()": "text",
}


def source(value: str, body: str = "", method: str = "get") -> str:
    tail = TAIL.format(value=value, body=textwrap.indent(body, "    "), method=method)
    return HEAD + tail


def declared(before: str) -> str:
    """Return the source after the recipe; the same where it leaves the endpoint alone."""
    files = {"main.py": before}
    for _ in range(3):
        planned = list(recipes()["response-schemas"].recipe.plan(app_from(files, {}), Target()))
        proposal = next((each for each in planned if isinstance(each, Proposal)), None)
        if proposal is None:
            break
        fix = Fix("safe", proposal.edits, proposal.imports)
        applied = apply({path: text.encode() for path, text in files.items()}, (fix,))
        assert not applied.left
        files |= {path: text.decode() for path, text in applied.changed.items()}
    return files["main.py"]


def answers(text: str, method: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    module = ModuleType("answering")
    SQLModel.metadata.clear()  # of the same table, made before
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(text, "answering.py", "exec"), vars(module))  # noqa: S102
    client = TestClient(vars(module)["app"])
    found = []
    for path in ("/parts/1", "/parts/2?q=a&at_least=1"):
        answer = client.request(method, path)
        found.append((answer.status_code, answer.content))
    return found


@pytest.mark.parametrize("value", KNOWN)
def test_value(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check(source(value), "get", monkeypatch)


@pytest.mark.parametrize("body", BODIES)
def test_body(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check(source(BODIES[body], body), "get", monkeypatch)


@pytest.mark.parametrize("value", ["part.weight", "item.share", "part.id", "part.note", "item.key"])
def test_where_rows_may_be_new(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that was put into a row is shown as it was put there, until it is read again."""
    for change in ("", "part.weight = 3\nitem.share = 1\nsession.flush()"):
        check(source(value, change, "post"), "post", monkeypatch)


def check(before: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    after = declared(before)
    assert "-> ReadPartResponse:" in after
    assert declared(after) == after
    found = answers(before, method, monkeypatch)
    assert all(status == 200 for status, _ in found)
    assert answers(after, method, monkeypatch) == found


@pytest.mark.parametrize("value", UNKNOWN)
def test_unknown_value(value: str) -> None:
    assert declared(source(value)) == source(value)


@pytest.mark.parametrize("body", UNKNOWN_BODIES)
def test_unknown_body(body: str) -> None:
    before = source(UNKNOWN_BODIES[body], body)
    assert declared(before) == before


@pytest.mark.parametrize("value", ["part.price", "part.changed", "item.at"])
def test_what_is_not_certain_where_rows_may_be_new(value: str) -> None:
    before = source(value, method="post")
    assert declared(before) == before


def test_a_route_that_makes_rows_while_it_reads() -> None:
    before = source("part.price", "part.price = Decimal('5')")
    assert declared(before) == before


@pytest.mark.parametrize(
    "early", ["return", "return None", "return {'id': 1, 'name': 'x', 'note': None, 'tried': 2.5}"]
)
def test_other_answers(early: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = source("part.id", f"if part.note is None:\n    {early}")
    after = declared(before)
    assert "-> ReadPartResponse" in after
    assert answers(after, "get", monkeypatch) == answers(before, "get", monkeypatch)


def test_an_end_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    before = source("part.id").replace(
        "    return {", "    if part.note is None:\n        return {"
    )
    after = declared(before)
    assert "-> ReadPartResponse | None" in after
    assert answers(after, "get", monkeypatch) == answers(before, "get", monkeypatch)
