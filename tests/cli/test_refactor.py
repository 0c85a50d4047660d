"""`fastwright refactor` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwright.cli import main

MAIN = """\
from fastapi import Depends, FastAPI

app = FastAPI()


def page(limit: int = 10) -> int:
    return limit


@app.get("/items")
def items(limit: int = Depends(page)) -> list[str]:
    return []


@app.get("/things")
def things(limit: int = Depends(page)) -> list[str]:
    return []
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    (tmp_path / "main.py").write_text(MAIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_whole_application(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refactor", "annotated-dependencies"]) == 0
    assert "2 places in 1 file  verified: parses, model" in capsys.readouterr().out
    after = (project / "main.py").read_text()
    assert after.count("PageDep = Annotated[int, Depends(page)]") == 1
    assert after.count("limit: PageDep") == 2
    assert main(["refactor", "annotated-dependencies"]) == 0
    assert capsys.readouterr().out == "Nothing to change.\n"


def test_one_function(project: Path) -> None:
    assert main(["refactor", "annotated-dependencies", "main.py::items"]) == 0
    after = (project / "main.py").read_text()
    assert "def items(limit: Annotated[int, Depends(page)])" in after
    assert "def things(limit: int = Depends(page))" in after


def test_a_recipe_that_is_none(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refactor", "annotated-dependency"]) == 2
    said = capsys.readouterr().err
    assert "Did you mean 'annotated-dependencies'?" in said


def test_what_the_project_is_too_old_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "requirements.txt").write_text("fastapi==0.90.1\n")
    (project / "pyproject.toml").unlink(missing_ok=True)
    assert main(["refactor", "annotated-dependencies"]) == 0
    said = capsys.readouterr().out
    assert "needs fastapi 0.95; here it is 0.90.1" in said
    assert (project / "main.py").read_text() == MAIN


def test_diff(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refactor", "annotated-dependencies", "--diff"]) == 1
    assert "+from typing import Annotated" in capsys.readouterr().out
    assert (project / "main.py").read_text() == MAIN


def test_beside_the_difference_stands_what_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "main.py").write_text(SIFTED)
    monkeypatch.chdir(tmp_path)
    assert main(["refactor", "paginate", "--diff"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "left   paginate  main.py:" in shown.err


def test_a_style_is_for_pages_only(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refactor", "annotated-dependencies", "--style", "cursor"]) == 2
    said = "--style says how paginate pages lists; annotated-dependencies has none"
    assert said in capsys.readouterr().err


SIFTED = """\
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, select

app = FastAPI()


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str


def get_session() -> Session: ...


@app.post("/orders")
def create(note: str, session: Session = Depends(get_session)) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders")
def orders(word: str, session: Session = Depends(get_session)) -> list[Order]:
    rows = session.exec(select(Order)).all()
    return [row for row in rows if word in row.note]
"""
LISTED = """\
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, select

app = FastAPI()


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)


def get_session() -> Session: ...


@app.post("/orders")
def create(session: Session = Depends(get_session)) -> None:
    session.add(Order())


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[Order]:
    return session.exec(select(Order)).all()
"""


@pytest.mark.parametrize("style", ["offset", "page", "cursor"])
def test_a_style_of_pages(project: Path, style: str, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "main.py").write_text(LISTED)
    assert main(["refactor", "paginate", "--style", style]) == 0
    assert f"query parameter {style} is new" in capsys.readouterr().out
    assert main(["refactor", "paginate"]) == 0
    assert "Nothing" in capsys.readouterr().out
