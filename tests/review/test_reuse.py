"""What the rules said last time is taken over only where it still holds."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fastwright.project.discover import open_project
from fastwright.review import run
from fastwright.review.run import Options, review
from fastwright.rules.finding import Finding

SHOP = Path(__file__).parents[2] / "examples" / "shop"
ROUTER = "shop/routers/orders.py"

Edit = Callable[[str], str]

SAME_CODE: dict[str, Edit] = {
    "nothing": lambda text: text,
    "a comment at the end": lambda text: text + "# the end\n",
    "blank lines at the top": lambda text: "\n\n" + text,
    "comments everywhere": lambda text: re.sub(r"^( +)(return|order\.)", r"\1# so\n\1\2", text, flags=re.MULTILINE),
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "other layout": lambda text: re.sub(r"^@router\.get\(", "@router.get(\n    ", text, flags=re.MULTILINE),
    "an ignore comment": lambda text: text.replace(
        "    return service.get(order_id)",
        "    return service.get(order_id)  # fastwright: ignore[missing-ownership-check] of use",
    ),
}  # fmt: skip
OTHER_CODE: dict[str, Edit] = {
    "a function": lambda text: text + "def more() -> None: ...\n",
    "a name": lambda text: text.replace("order_id", "key"),
    "a text": lambda text: text.replace("order %s placed", "%s"),
    "a route less": lambda text: text.replace('@router.post("/{order_id}/cancel"', '@unknown("x"'),
    "a word that marks files": lambda text: text + "# jwt\n",
    "nothing but broken code": lambda text: text + "def (:\n",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    target = tmp_path / "shop"
    shutil.copytree(SHOP, target, ignore=shutil.ignore_patterns(".fastwright_cache", "__pycache__"))
    return target


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rules each run asked."""
    counts: list[int] = []
    original = run.run_app_rules

    def counted(app: object, rules: list[object], jobs: int) -> object:
        counts.append(len(rules))
        return original(app, rules, jobs)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "run_app_rules", counted)
    return counts


def findings(
    folder: Path, *, cache: bool = True, select: tuple[str, ...] | None = None
) -> tuple[Finding, ...]:
    return review(Options(path=folder, cache=cache, select=select)).review.findings


def rewrite(path: Path, edit: Edit) -> None:
    path.write_bytes(edit(path.read_text()).encode())


@pytest.mark.parametrize("edit", SAME_CODE)
def test_the_same_code_is_not_asked_again(shop: Path, edit: str, asked: list[int]) -> None:
    findings(shop)
    for name in (ROUTER, "shop/services/orders.py"):
        rewrite(shop / name, SAME_CODE[edit])
        asked.clear()
        warm = findings(shop)
        assert not asked
        assert warm == findings(shop, cache=False)


@pytest.mark.parametrize("edit", OTHER_CODE)
def test_other_code_is_asked_again(shop: Path, edit: str, asked: list[int]) -> None:
    findings(shop)
    asked.clear()
    rewrite(shop / ROUTER, OTHER_CODE[edit])
    warm = findings(shop)
    assert asked
    assert warm == findings(shop, cache=False)


def test_another_choice_of_rules_or_layers_is_asked(shop: Path, asked: list[int]) -> None:
    findings(shop)
    asked.clear()
    assert {finding.rule for finding in findings(shop, select=("shadowed-route",))} == {
        "shadowed-route"
    }
    assert asked == [1]
    with (shop / "pyproject.toml").open("a") as file:
        file.write('\n[tool.fastwright.layers]\nrouter = ["shop/services/*"]\n')
    assert open_project(shop).config.layers
    findings(shop, select=("shadowed-route",))
    assert asked == [1, 1]


def test_a_new_file_and_one_less(shop: Path, asked: list[int]) -> None:
    findings(shop)
    for change in (lambda path: path.write_text("x = 1\n"), Path.unlink):
        change(shop / "shop" / "extra.py")
        asked.clear()
        assert findings(shop) == findings(shop, cache=False)
        assert len(asked) == 2
