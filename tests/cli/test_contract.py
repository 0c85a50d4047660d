"""`fastwright contract`, and verifying by running the application, as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
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
    return ["a"] * limit
"""
TESTS = """\
from fastapi.testclient import TestClient

from main import app, items


def test_items() -> None:
    assert TestClient(app).get("/items?limit=2").json() == ["a", "a"]


def test_broken_before() -> None:
    raise AssertionError


def test_default() -> None:
    assert items.__defaults__ is not None
"""
PYTHON = ("--python", sys.executable)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    (tmp_path / "main.py").write_text(MAIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_save_and_diff(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contract", "save", "before.json", *PYTHON]) == 0
    assert "/items" in json.loads((project / "before.json").read_text())["paths"]
    assert main(["contract", "diff", "before.json", *PYTHON]) == 0
    assert capsys.readouterr().out == "same: the contract has not changed.\n"
    (project / "main.py").write_text(MAIN.replace("limit: int = 10", "limit: int"))
    assert main(["contract", "diff", "before.json", *PYTHON]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "breaking    GET /items  query parameter limit is now required",
        "breaking    GET /items  query parameter limit: default 10 is now nothing",
        "",
        "2 differences, 2 of them breaking.",
    ]


def test_diff_with_a_revision(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git = ["git", "-C", str(project), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "the shop"]):
        subprocess.run([*git, *command], check=True)
    (project / "main.py").write_text(MAIN.replace('"/items"', '"/things"'))
    assert main(["contract", "diff", "HEAD", *PYTHON]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "breaking    GET /items  is gone",
        "compatible  GET /things  is new",
    ]
    assert main(["contract", "diff", "nowhere", *PYTHON]) == 2
    assert "neither a file nor a git revision" in capsys.readouterr().err


def test_an_application_that_cannot_be_imported(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "main.py").write_text(f"import nowhere_to_be_found\n{MAIN}")
    assert main(["contract", "save", *PYTHON]) == 2
    said = capsys.readouterr().err
    assert "main:app could not be imported" in said
    assert "No module named 'nowhere_to_be_found'" in said


def test_verified_by_contract(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "--verify", "contract", *PYTHON]) == 0
    assert "verified: parses, model, contract" in capsys.readouterr().out


def test_a_step_that_breaks_a_test_is_taken_back(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "test_main.py").write_text(TESTS)
    assert main(["fix", "--verify", "tests", *PYTHON]) == 0
    said = capsys.readouterr().out
    assert "tests that passed do not: test_main::test_default; taken back" in said
    assert (project / "main.py").read_text() == MAIN


def test_the_setting_of_the_project(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pyproject.toml").write_text('[tool.fastwright]\nverify = "contract"\n')
    assert main(["fix", *PYTHON]) == 0
    assert "verified: parses, model, contract" in capsys.readouterr().out


def test_nothing_is_run_unless_it_is_asked_for(project: Path) -> None:
    (project / "main.py").write_text(f'open("ran", "w").close()\n{MAIN}')
    assert main(["fix"]) == 0
    assert not (project / "ran").exists()
