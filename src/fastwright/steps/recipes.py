"""Recipes as steps: each change that a recipe proposes is one, verified on its own."""

from __future__ import annotations

import msgspec

from fastwright.edit.apply import apply
from fastwright.edit.fix import Applicability, Fix
from fastwright.edit.imports import relative_imports
from fastwright.edit.relative import relative_packages
from fastwright.edit.transaction import Change
from fastwright.project.errors import FastwrightError
from fastwright.recipes.recipe import Proposal, Stopped, Target
from fastwright.recipes.registry import RegisteredRecipe
from fastwright.steps.step import Done, Left, Step
from fastwright.steps.tree import Steps, Tree
from fastwright.steps.verify import Verdict, verify

_MOST = 10_000
"""Steps of one recipe; one that goes on for longer does not end."""


def refactor(tree: Tree, registered: RegisteredRecipe, target: Target) -> Steps:
    """Make the changes that a recipe proposes, one by one; the application is read again after each."""
    reason = _too_old(tree, registered)
    if reason is not None:
        yield Left(registered.name, ".", reason)
        return tree
    refused: set[str] = set()
    for _ in range(_MOST):
        made = False
        stopped: list[Left] = []
        for planned in registered.recipe.plan(tree.app, target):
            if isinstance(planned, Stopped):
                stopped.append(Left(registered.name, planned.place, planned.reason))
                continue
            if planned.title in refused:
                continue
            step, after, verdict = attempt(tree, registered, planned)
            if verdict.reason is None and not step.changes:
                refused.add(planned.title)  # it says nothing new
                continue
            if verdict.reason is not None:
                refused.add(planned.title)
                place = planned.places[0] if planned.places else planned.title
                yield Left(registered.name, place, verdict.reason)
                continue
            if (yield after, Done(step, ("parses", "model"), verdict.contract)) is False:
                refused.add(planned.title)
                continue
            tree, made = after, True
            break  # what else was planned is about an application that is gone
        if not made:  # what is left alone stands where it will be found
            yield from dict.fromkeys(stopped)
            break
    return tree


def _too_old(tree: Tree, registered: RegisteredRecipe) -> str | None:
    """Return which library of the project lacks what a recipe writes, None where none is known to."""
    versions = tree.app.versions
    for library, version in registered.recipe.since.items():
        if versions.at_least(library, version) is False:
            return f"needs {library} {version}; here it is {versions.found[library].told}"
    return None


def attempt(
    tree: Tree, registered: RegisteredRecipe, proposal: Proposal
) -> tuple[Step, Tree, Verdict]:
    """Return the step that a proposal makes, the tree after it, and whether it may stand."""
    recipe = registered.recipe
    kind: Applicability = "contract" if recipe.contract else "safe"
    step = Step(registered.name, proposal.title, recipe.why, kind, (), proposal.places)
    try:
        changes = _changes(tree, proposal)
    except FastwrightError as error:
        return step, tree, Verdict(error.message)
    step = msgspec.structs.replace(step, changes=changes)
    after = tree.after(changes)
    return step, after, verify(step, tree, after)


def _changes(tree: Tree, proposal: Proposal) -> tuple[Change, ...]:
    fix = Fix("safe", proposal.edits, proposal.imports)
    files = {edit.file for edit in fix.edits} | {needed.file for needed in fix.imports}
    sources = {file: tree.text(file) for file in files}
    for path, source in proposal.new.items():
        if tree.raw(path) is not None:
            raise FastwrightError(f"{path}: is there already")
        sources[path] = source.encode()
    changed = {path: text.encode() for path, text in proposal.new.items()}
    own = tree.packages | {path.partition("/")[0].removesuffix(".py") for path in proposal.new}
    relative = relative_packages(tree.app, sources, own)
    changed |= apply(sources, (fix,), own, relative).changed
    for path in proposal.new:
        if path in relative:
            changed[path] = relative_imports(changed[path], relative[path], own)
    gone = tuple(Change(path, tree.raw(path), None) for path in proposal.gone)
    return (*tree.changes(changed), *gone)
