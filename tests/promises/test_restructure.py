"""The messy examples after every refactoring: their own tests pass unchanged, a second run is idle, and
nothing is left that a fix or a recipe could mend, but for what is told to be left alone, with the line.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastwright.cli import main
from fastwright.review.run import Options
from fastwright.rules.registry import rules
from fastwright.steps.tree import Tree

EXAMPLES = Path(__file__).parents[2] / "examples"
IGNORED = shutil.ignore_patterns(".fastwright_cache", "__pycache__", "*.db", ".pytest_cache")


LEFT = {
    "kiosk": set(),
    # rows are sifted after they were read: `if tag in names`
    "blog": {"missing-pagination"},
    # a function that takes a text apart before it looks a row up, for each item
    "tracker": {"n-plus-one-query"},
    # a rate is asked for, and mails are sent, between commits; lists that are sifted; what several tests patch
    "shop": {"commit-in-loop", "missing-pagination", "n-plus-one-query"},
}


@pytest.mark.slow
@pytest.mark.parametrize("style", ["layered", "clean"])
@pytest.mark.parametrize("name", LEFT)
def test_restructured_with_changes_of_the_contract(
    name: str, style: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / name
    shutil.copytree(EXAMPLES / name, project, ignore=IGNORED)
    assert main(["restructure", str(project), "--to", style, "--contract-changes"]) == 0
    told = capsys.readouterr().out
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    left = fixable(project)
    assert left == LEFT[name]
    for rule in left:
        recipe = rules()[rule].rule.recipe
        assert f"| {recipe} |" in told, "what is left alone is told"


def fixable(project: Path) -> set[str]:
    """Return the rules that still report something that a recipe, or a fix that may be applied, is there for."""
    found = Tree.open(project, Options(cache=False)).find(None)
    return {
        finding.rule
        for finding in found.findings
        if rules()[finding.rule].rule.recipe is not None
        or ((fix := found.fixes.get(finding)) is not None and fix.applicability != "suggest")
    }


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
