"""The same tree gives the same answer: every run, any number of processes, warm or cold."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from fastwright.cli import main

SHOP = Path(__file__).parents[2] / "examples" / "shop"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    target = tmp_path / "shop"
    shutil.copytree(SHOP, target, ignore=shutil.ignore_patterns(".fastwright_cache", "__pycache__"))
    return target


def findings(folder: Path, *options: str) -> str:
    output = folder.parent / "review.json"
    assert main(["review", "--format", "json", "--output", str(output), *options, str(folder)]) in {
        0,
        1,
    }
    return json.dumps(json.loads(output.read_text())["findings"], indent=1)


def test_any_number_of_processes(shop: Path) -> None:
    one = findings(shop, "--no-cache", "--jobs", "1")
    assert findings(shop, "--no-cache", "--jobs", "2") == one
    assert findings(shop, "--no-cache", "--jobs", "5") == one


def test_warm_is_cold(shop: Path) -> None:
    cold = findings(shop, "--no-cache")
    assert findings(shop) == cold
    assert findings(shop) == cold


def test_a_rule_finds_the_same_alone_and_among_others(shop: Path) -> None:
    everything = json.loads(findings(shop, "--no-cache"))
    by_rule: dict[str, list[object]] = {}
    for finding in everything:
        by_rule.setdefault(finding["rule"], []).append(finding)
    for rule, expected in by_rule.items():
        if rule != "unused-suppression":
            assert json.loads(findings(shop, "--no-cache", "--select", rule)) == expected, rule


def test_a_moved_root_is_no_other_project(shop: Path) -> None:
    before = findings(shop)
    moved = shop.with_name("moved")
    shop.rename(moved)
    assert findings(moved) == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_warm_is_cold_over_random_edits(shop: Path, seed: int) -> None:
    random_ = random.Random(seed)
    findings(shop)
    for _ in range(4):
        edit(shop, random_)
        assert findings(shop) == findings(shop, "--no-cache")


def edit(folder: Path, random_: random.Random) -> None:
    """Change one file as people do: add, drop or double a line, add a file, remove one."""
    files = sorted(p for p in folder.rglob("*.py") if ".fastwright_cache" not in p.parts)
    path = random_.choice(files)
    lines = path.read_text().splitlines(keepends=True)
    how = random_.randrange(6)
    at = random_.randrange(len(lines) + 1)
    if how == 0:
        lines.insert(at, "# a comment\n")
    elif how == 1 and lines:
        del lines[min(at, len(lines) - 1)]
    elif how == 2 and lines:
        lines.insert(at, random_.choice(lines))
    elif how == 3:
        path.with_name(f"added_{random_.randrange(1000)}.py").write_text("".join(lines))
        return
    elif how == 4 and len(files) > 10:
        path.unlink()
        return
    else:
        lines.append("\n\nEXTRA: list[int] = []\n")
    path.write_text("".join(lines))
