"""The messy examples after every refactoring: their own tests pass unchanged, a second run is idle."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastwright.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"
IGNORED = shutil.ignore_patterns(".fastwright_cache", "__pycache__", "*.db", ".pytest_cache")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shop", "kiosk", "blog", "tracker"])
def test_restructured_with_changes_of_the_contract(name: str, tmp_path: Path) -> None:
    project = tmp_path / name
    shutil.copytree(EXAMPLES / name, project, ignore=IGNORED)
    assert main(["restructure", str(project), "--to", "clean", "--contract-changes"]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("style", ["layered", "clean"])
@pytest.mark.parametrize("name", ["shop", "kiosk", "blog", "tracker"])
def test_restructured(
    name: str, style: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / name
    shutil.copytree(EXAMPLES / name, project, ignore=IGNORED)
    assert (
        main(["contract", "save", str(tmp_path / "a.json"), "--path", str(project), *PYTHON]) == 0
    )
    assert main(["restructure", str(project), "--to", style]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert (
        main(["contract", "diff", str(tmp_path / "a.json"), "--path", str(project), *PYTHON]) == 0
    )
    assert "breaking" not in capsys.readouterr().out
    assert main(["restructure", str(project), "--to", style]) == 0
    assert capsys.readouterr().out.endswith(("Nothing was changed.\n", "Nothing to change.\n"))


PYTHON = ("--python", sys.executable)
