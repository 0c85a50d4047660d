"""Reviewing runs none of the reviewed code."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwright.cli import main

HOSTILE = """
from pathlib import Path
Path("{trace}").write_text("ran")
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
def home() -> None: ...
"""


@pytest.mark.parametrize("command", [["review"], ["review", "--no-cache"], ["map"]])
def test_application_whose_import_writes_a_file(tmp_path: Path, command: list[str]) -> None:
    trace = tmp_path / "trace"
    project = tmp_path / "project"
    package = project / "app"
    package.mkdir(parents=True)
    for name in ("setup.py", "conftest.py", "app/__init__.py", "app/main.py", "sitecustomize.py"):
        (project / name).write_text(HOSTILE.format(trace=trace))
    (project / "pyproject.toml").write_text('[project]\nname = "app"\n')

    assert main([*command, str(project)]) in {0, 1}
    assert not trace.exists()
