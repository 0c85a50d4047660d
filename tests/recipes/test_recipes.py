"""Every recipe does in each of its cases what the case says, and nothing in a second run."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fastwright.app.memory import app_from
from fastwright.app.model import App
from fastwright.edit.apply import apply
from fastwright.edit.fix import Fix
from fastwright.edit.imports import relative_imports
from fastwright.edit.relative import relative_packages
from fastwright.recipes.recipe import Case, Proposal, Stopped
from fastwright.recipes.registry import RegisteredRecipe, recipes
from fastwright.rules.registry import rules
from fastwright.verify.model import contract, differences

CASES = [
    pytest.param(recipe, case, id=f"{recipe.name}: {case.title}")
    for recipe in recipes().values()
    for case in recipe.cases
]
MOST = 50


def packages(app: App) -> set[str]:
    return {module.name.partition(".")[0] for module in app.modules.values()}


def made(files: Mapping[str, str], app: App, proposal: Proposal) -> dict[str, str]:
    """Return files after a change."""
    assert not set(proposal.new) & set(files), "a new file is there already"
    found = {**files, **proposal.new}
    sources = {path: text.encode() for path, text in found.items()}
    fix = Fix("safe", proposal.edits, proposal.imports)
    own = packages(app) | {path.partition("/")[0].removesuffix(".py") for path in proposal.new}
    relative = relative_packages(app, sources, own)
    applied = apply(sources, (fix,), own, relative)
    assert not applied.left
    found |= {path: source.decode() for path, source in applied.changed.items()}
    for path in set(proposal.new) & set(relative):
        found[path] = relative_imports(found[path].encode(), relative[path], own).decode()
    return {path: text for path, text in found.items() if path not in proposal.gone}


def run(
    recipe: RegisteredRecipe, case: Case, files: Mapping[str, str]
) -> tuple[dict[str, str], set[str]]:
    """Return files after a recipe, and the places that it left alone."""
    found = dict(files)
    stopped: set[str] = set()
    for _ in range(MOST):
        app = app_from(found, case.installed)
        planned = list(recipe.recipe.plan(app, case.target))
        stopped = {each.place for each in planned if isinstance(each, Stopped)}
        proposal = next((each for each in planned if isinstance(each, Proposal)), None)
        if proposal is None:
            return found, stopped
        found = made(found, app, proposal)
    pytest.fail("the recipe does not end")


@pytest.mark.parametrize(("recipe", "case"), CASES)
def test_case(recipe: RegisteredRecipe, case: Case) -> None:
    after, stopped = run(recipe, case, case.before)
    wanted = {**case.before, **case.after}
    assert after == {path: text for path, text in wanted.items() if path not in case.gone}
    assert stopped == set(case.stopped)
    assert run(recipe, case, after)[0] == after, "a second run changes something"
    for path, text in after.items():
        if path.endswith(".py"):
            compile(text, path, "exec")


@pytest.mark.parametrize(("recipe", "case"), CASES)
def test_contract(recipe: RegisteredRecipe, case: Case) -> None:
    after, _ = run(recipe, case, case.before)
    before = contract(app_from(case.before, case.installed))
    if not recipe.recipe.contract:
        assert differences(before, contract(app_from(after, case.installed))) == ()


def test_rules_name_recipes_that_are_there() -> None:
    named = {each.rule.recipe for each in rules().values()} - {None}
    assert named <= set(recipes())
