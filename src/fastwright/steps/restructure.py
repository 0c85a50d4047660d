"""Restructure: all recipes in order on a whole application, and what that made of it."""

from __future__ import annotations

from collections import Counter

import msgspec

from fastwright.recipes.recipe import Style, Target
from fastwright.recipes.registry import recipes
from fastwright.steps.fixes import Choice, fixes
from fastwright.steps.recipes import refactor
from fastwright.steps.step import Left, Outcome
from fastwright.steps.tree import Steps, Tree

ORDER = (
    "pydantic-v2",
    "annotated-dependencies",
    "break-cycle",
    "split-module",
    "unblock",
    "eager-load",
    "response-schemas",
    "extract-service",
    "domain-errors",
    "unit-of-work",
    "eager-load",
    "extract-repository",
    "ports-and-adapters",
    "paginate",
    "app-factory",
)
"""First what makes the code readable for the others, then from the outside in, then the set-up.

Rows are loaded together twice: before their readers move, and where a loop commits no more.
"""
_ROUNDS = 4
"""How often all of them are asked: what one has changed may be what another one waits for."""
_CLEAN = frozenset({"ports-and-adapters"})
"""Only where the domain is to know nothing of what is outside."""


class State(msgspec.Struct, frozen=True):
    """An application in numbers: what a person looks at first, before and after."""

    routes: int
    layers: dict[str, int]
    """How many modules each layer has."""
    findings: dict[str, int]
    """How many findings each rule has."""


_UPGRADES = {"pydantic-v2": ("pydantic", "2")}
"""What only fits a newer version: made where that is there, and left to who upgrades otherwise."""


def restructure(tree: Tree, style: Style, *, contract_changes: bool) -> Steps:
    """Make the fixes and every recipe, in order, until none of them has anything to do."""
    choice = Choice(contract_changes=contract_changes)
    wanted = [
        recipes()[name]
        for name in ORDER
        if (name not in _CLEAN or style == "clean")
        and (contract_changes or not recipes()[name].recipe.contract)
        and not _is_ahead(tree, name)
    ]
    left: list[Left] = []
    for _ in range(_ROUNDS):
        before, left = tree, []
        tree = yield from _made(fixes(tree, choice), left)
        for recipe in wanted:
            tree = yield from _made(refactor(tree, recipe, Target(style=style)), left)
        if tree is before:
            break
    yield from left  # where it stands in the end
    return tree


def _is_ahead(tree: Tree, name: str) -> bool:
    """Whether a recipe is for a version that the project does not have yet."""
    needed = _UPGRADES.get(name)
    return needed is not None and tree.app.versions.at_least(*needed) is False


def _made(steps: Steps, left: list[Left]) -> Steps:
    """Make steps, and put aside what they leave alone."""
    accepted: bool | None = None
    while True:
        try:
            each = steps.send(accepted)
        except StopIteration as stop:
            last: Tree = stop.value
            return last
        accepted = None
        if isinstance(each, Left):
            left.append(each)
        else:
            accepted = yield each


def state(tree: Tree) -> State:
    """Return an application in numbers."""
    return State(len(tree.app.routes), _layers(tree), _findings(tree))


def _layers(tree: Tree) -> dict[str, int]:
    counted = Counter(layer.name for layer in tree.app.layers.values())
    return dict(sorted(counted.items()))


def _findings(tree: Tree) -> dict[str, int]:
    counted = Counter(finding.rule for finding in tree.find(None).findings)
    return dict(sorted(counted.items()))


def left_alone(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Return what was left alone, each reason once at each place: step, place, reason."""
    return sorted({(left.name, left.place, left.reason) for left in outcome.left})
