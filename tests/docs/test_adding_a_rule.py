"""The page about adding a rule is true: its plug-in is installed as it says, and runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-rule.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FILES = {path: text for _, path, text in BLOCKS}
TEST = re.findall(r"^```python\n(from fastwright.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
SHOUTING = """
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
def home() -> None:
    print("here")
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages that holds the plug-in of the page."""
    package = tmp_path / "site" / "acme_rules"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "no_print.py").write_text(FILES["acme_rules/no_print.py"])
    (tmp_path / "site" / "test_no_print.py").write_text(TEST)
    about = tmp_path / "site" / "acme_rules-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.0\n")
    groups = tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in points.items())
        for group, points in groups.items()
    ]
    (about / "entry_points.txt").write_text("\n".join(lines))
    (tmp_path / "app.py").write_text(SHOUTING)
    return tmp_path / "site"


def run(site: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=site.parent, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip


def test_the_plug_in_runs(site: Path) -> None:
    assert "no-print" in run(site, "fastwright", "rules").stdout
    assert "Endpoints log" in run(site, "fastwright", "explain", "no-print").stdout
    done = run(site, "fastwright", "review", "--select", "house", "--format", "json", "app.py")
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["rule"], finding["family"], finding["line"]) == ("no-print", "house", 8)


def test_its_cases_are_a_test(site: Path) -> None:
    done = run(site, "pytest", "-q", str(site / "test_no_print.py"))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("broken", ["import nowhere\n", "RULE = 1\n"])
def test_a_plug_in_that_does_not_load_stops_nothing(site: Path, broken: str) -> None:
    (site / "acme_rules" / "no_print.py").write_text(broken)
    done = run(site, "fastwright", "review", "app.py")
    assert done.returncode == 3
    assert "house.no-print" in done.stderr
    assert "1 of 1" not in done.stderr


def test_a_changed_plug_in_is_asked_anew(site: Path) -> None:
    review = ("fastwright", "review", "--select", "house", "--format", "json", "app.py")
    assert len(json.loads(run(site, *review).stdout)["findings"]) == 1
    rule = site / "acme_rules" / "no_print.py"  # of another size: CPython asks time (s) and size
    rule.write_text(rule.read_text().replace('"builtins.print"', '"builtins.open"'))
    assert json.loads(run(site, *review).stdout)["findings"] == []
