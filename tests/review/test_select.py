"""Which rules run."""

import pytest
from make import rule

from fastwright.project.errors import SelectionError
from fastwright.review.select import PathSelection, Selection, choose

RULES = {
    r.name: r
    for r in (
        rule("lazy-load", "data", "error"),
        rule("no-limit", "data", "warning", profiles=("performance",)),
        rule("raw-sql", "data", "error", default=False),
        rule("jwt", "security", "error"),
        rule("style", "endpoint", "info", default=False, profiles=("performance",)),
    )
}
DEFAULTS = {"lazy-load", "no-limit", "jwt"}


@pytest.mark.parametrize(
    ("select", "ignore", "expected"),
    [
        (None, (), DEFAULTS),
        (("data",), (), {"lazy-load", "no-limit"}),
        (("error",), (), {"lazy-load", "jwt"}),
        (("raw-sql",), (), {"raw-sql"}),
        (("default", "style"), (), {*DEFAULTS, "style"}),
        (("all",), (), set(RULES)),
        (("strict",), (), set(RULES)),
        (("recommended",), (), DEFAULTS),
        (("performance",), (), {"no-limit"}),
        (("performance", "raw-sql"), (), {"no-limit", "raw-sql"}),
        (None, ("performance",), {"lazy-load", "jwt"}),
        (("all",), ("data",), {"jwt", "style"}),
        (None, ("data",), {"jwt"}),
        (None, ("lazy-load", "info"), {"no-limit", "jwt"}),
        (("lazy-load",), ("data",), {"lazy-load"}),  # the more specific one wins
        (("data",), ("lazy-load",), {"no-limit"}),
        (("data",), ("data",), set()),
        (("data",), ("error",), {"lazy-load", "no-limit"}),
        ((), (), set()),
        (None, ("all",), set()),
    ],
)
def test_selectors(
    select: tuple[str, ...] | None, ignore: tuple[str, ...], expected: set[str]
) -> None:
    assert choose(RULES, [Selection(select, ignore)]).everywhere == expected


def test_later_select_replaces_and_later_ignore_adds() -> None:
    config = Selection(("data",), ("lazy-load",))
    assert choose(RULES, [config, Selection(("jwt",))]).everywhere == {"jwt"}
    assert choose(RULES, [config, Selection(None, ("no-limit",))]).everywhere == set()


def test_paths() -> None:
    paths = [
        PathSelection(("a.py", "b.py"), ignore=("data",)),
        PathSelection(("b.py",), select=("raw-sql", "jwt"), ignore=("jwt",)),
    ]
    chosen = choose(RULES, [], paths)
    assert chosen.for_file("a.py") == {"jwt"}
    assert chosen.for_file("b.py") == {"raw-sql"}
    assert chosen.for_file("c.py") == DEFAULTS
    assert chosen.rules() == {*DEFAULTS, "raw-sql"}


@pytest.mark.parametrize("wrong", [Selection(("lazy-laod",)), Selection(None, ("lazy-laod",))])
def test_unknown_selector_names_the_nearest(wrong: Selection) -> None:
    with pytest.raises(SelectionError) as error:
        choose(RULES, [wrong])
    assert "'lazy-laod'" in error.value.message
    assert "Did you mean 'lazy-load'?" in error.value.message


def test_unknown_selector_of_a_path() -> None:
    with pytest.raises(SelectionError):
        choose(RULES, [], [PathSelection((), ignore=("nope",), origin="per-path")])
