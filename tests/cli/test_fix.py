"""`fastwright fix` as a user meets it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fastwright.cli import main

SETTINGS = '[project]\nname = "shop"\ndependencies = ["fastapi>=0.100", "pydantic>=2"]\n'
MAIN = """\
import time

from fastapi import Depends, FastAPI, Query

app = FastAPI()  # the shop


def limit_of(limit: int = Query(10, le=100)):  # one page
    return limit


@app.get("/items")
async def items(limit: int = Depends(limit_of)) -> list[str]:
    time.sleep(1)
    return ['a'] * limit
"""
MENDED = """\
import time
from typing import Annotated

from fastapi import Depends, FastAPI, Query

app = FastAPI()  # the shop


def limit_of(limit: int = Query(10, le=100)):  # one page
    return limit


@app.get("/items")
async def items(limit: Annotated[int, Depends(limit_of)]) -> list[str]:
    time.sleep(1)
    return ['a'] * limit
"""
ANNOTATED = ("--select", "unannotated-dependency")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    (tmp_path / "main.py").write_text(MAIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(root: Path, *arguments: str) -> str:
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    command = ["git", "-C", str(root), *author, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ada@example.org")
    (project / ".gitignore").write_text(".fastwright_cache\n")
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "the shop")
    return project


def test_fixes_in_verified_steps(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", *ANNOTATED]) == 0
    assert capsys.readouterr().out == (
        "done   unannotated-dependency  1 place in 1 file  verified: parses, model\n"
        "1 step, 1 file changed. `fastwright fix --undo` brings back what was there.\n"
    )
    assert (project / "main.py").read_text() == MENDED


STYLES = {
    "Ruff's own default, 88": "",
    "Black's": "[tool.black]\nline-length = 50\nskip-string-normalization = true\n",
    "Ruff's, where both are": "[tool.black]\nline-length = 88\n[tool.ruff]\nline-length = 50\n",
}
LONG = """\
from fastapi import Depends, FastAPI

app = FastAPI()


def limit_of() -> int:
    return 1


@app.get("/items")
def items(first: int = Depends(limit_of)) -> int:
    return first
"""


@pytest.mark.parametrize("style", STYLES)
def test_new_code_looks_as_the_project_does(project: Path, style: str) -> None:
    (project / "pyproject.toml").write_text(SETTINGS + STYLES[style])
    (project / "main.py").write_text(LONG)
    assert main(["fix", *ANNOTATED]) == 0
    lines = (project / "main.py").read_text().splitlines()
    assert max(map(len, lines)) <= (50 if STYLES[style] else 88)
    assert ("def items(" in lines) is bool(STYLES[style])


def test_a_second_run_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["fix"])
    once = (project / "main.py").read_bytes()
    capsys.readouterr()
    assert main(["fix"]) == 0
    assert capsys.readouterr().out == "Nothing to change.\n"
    assert (project / "main.py").read_bytes() == once


def test_diff_shows_and_writes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "--diff", *ANNOTATED]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("--- a/main.py\n+++ b/main.py\n")
    assert "+from typing import Annotated\n" in shown.out
    assert shown.err == "1 step, 1 file would change; nothing was written.\n"
    assert (project / "main.py").read_text() == MAIN


def test_the_difference_is_a_patch_that_git_applies(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fix", "--diff", *ANNOTATED])
    patch = repository / "fix.patch"
    patch.write_text(capsys.readouterr().out)
    git(repository, "apply", str(patch))
    assert (repository / "main.py").read_text() == MENDED


def test_undo_without_git(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["fix"])
    capsys.readouterr()
    assert main(["fix", "--undo"]) == 0
    assert capsys.readouterr().out.startswith("Undone: 1 file is as it was before the run ")
    assert (project / "main.py").read_text() == MAIN
    assert main(["fix", "--undo"]) == 0
    assert capsys.readouterr().out == "There is no run to undo.\n"


def test_a_commit_for_each_step(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "--commit", *ANNOTATED]) == 0
    assert git(repository, "status", "--porcelain") == ""
    said = git(repository, "log", "-1", "--format=%B")
    assert said.startswith("unannotated-dependency: ")
    assert "Verified: parses, model." in said
    assert git(repository, "log", "-1", "--format=%h").strip() in capsys.readouterr().out


def test_a_dirty_tree_is_refused(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "main.py").write_text(MAIN + "# mine\n")
    assert main(["fix"]) == 2
    assert "main.py: changes that are not committed" in capsys.readouterr().err
    assert (repository / "main.py").read_text() == MAIN + "# mine\n"
    assert main(["fix", "--allow-dirty", *ANNOTATED]) == 0
    assert (repository / "main.py").read_text() == MENDED + "# mine\n"


def test_commit_outside_of_a_repository(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "--commit"]) == 2
    assert "is in no git repository" in capsys.readouterr().err
    assert (project / "main.py").read_text() == MAIN


def test_a_read_only_file_stays_as_it_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "main.py").chmod(0o444)
    assert main(["fix"]) == 2
    assert "main.py: is read-only" in capsys.readouterr().err
    assert (project / "main.py").read_text() == MAIN


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MAIN.replace("\n", "\r\n").encode(), MENDED.replace("\n", "\r\n").encode()),
        (b"\xef\xbb\xbf" + MAIN.encode(), b"\xef\xbb\xbf" + MENDED.encode()),
        (
            ("# coding: latin-1\n# Gr\xf6\xdfe\n" + MAIN).encode("latin-1"),
            ("# coding: latin-1\n# Gr\xf6\xdfe\n" + MENDED).encode("latin-1"),
        ),
    ],
    ids=["CRLF", "byte order mark", "latin-1"],
)
def test_bytes_that_are_not_touched_stay(project: Path, before: bytes, after: bytes) -> None:
    (project / "main.py").write_bytes(before)
    assert main(["fix", *ANNOTATED]) == 0
    assert (project / "main.py").read_bytes() == after


def test_bytes_that_are_not_of_the_encoding_are_not_lost(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoiled = MAIN.encode() + b"# Gr\xf6\xdfe\n"
    (project / "main.py").write_bytes(spoiled)
    assert main(["fix", *ANNOTATED]) == 0
    assert "holds bytes that are not of its encoding" in capsys.readouterr().out
    assert (project / "main.py").read_bytes() == spoiled


def test_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "--format", "json", *ANNOTATED]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["written"] is True
    assert document["files"] == ["main.py"]
    assert document["left"] == []
    (step,) = document["steps"]
    assert step["name"] == "unannotated-dependency"
    assert step["verified"] == ["parses", "model"]
    assert step["places"] == ["main.py:13"]


def test_what_an_earlier_run_found_is_fixed_as_well(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is remembered between runs holds no edits."""
    (project / "main.py").write_text(SWALLOWING)
    select = ("--select", "catch-all-hides-http")
    for _ in range(2):
        assert main(["review", *select]) == 1
        capsys.readouterr()
        assert main(["review", "--show-fixes", *select]) == 1
        assert "+    except HTTPException:" in capsys.readouterr().out
        assert main(["fix", "--diff", *select]) == 1
        assert "+    except HTTPException:" in capsys.readouterr().out


SWALLOWING = """\
from fastapi import FastAPI, HTTPException

app = FastAPI()


@app.get("/items/{key}")
def item(key: int) -> int:
    try:
        if key < 0:
            raise HTTPException(404)
        return 10 // key
    except Exception:
        raise HTTPException(500, "Sorry")
"""
