"""Run steps: write each one as it is verified, commit it where that is asked for, and keep account."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from fastwright.edit.transaction import Change, Store, Undone
from fastwright.project.discover import open_project
from fastwright.project.errors import FastwrightError
from fastwright.review.run import cache_folder
from fastwright.steps import git
from fastwright.steps.contract import Reading
from fastwright.steps.levels import Level, Levels
from fastwright.steps.step import Done, Left, Outcome
from fastwright.steps.tree import Steps, Tree


class Writing(msgspec.Struct, frozen=True):
    """What becomes of the steps."""

    dry: bool = False
    """Show them, write nothing."""
    commit: bool = False
    """One git commit for each."""
    allow_dirty: bool = False
    """Also where there are changes that are not committed."""
    level: Level = "model"
    """How far each step is verified; beyond the model, the user's code is run."""
    reading: Reading = Reading()
    seconds: float = 600
    """How long the tests may take."""


Tell = Callable[["Done | Left"], None]
"""Takes each step as it is made."""


def run(tree: Tree, steps: Steps, writing: Writing, tell: Tell) -> tuple[Outcome, Tree]:
    """Make steps and return what came of them, and the tree after the last one.

    A step that fails where it is verified on the disk is taken back, and the run goes on. Raises
    FastwrightError, with that step not written, where a file cannot be changed; the steps before it
    stand, and can be undone.
    """
    if writing.dry:
        return _shown(steps, tell)
    store = Store(tree.project.root, tree.cache)
    store.recover()
    _refuse_dirty(tree.project.root, writing)
    written = _Written(tree, store, writing)
    done: list[Done] = []
    left: list[Left] = []
    accepted: bool | None = None
    while not isinstance(each := _next(steps, accepted), Tree):
        accepted = None
        if isinstance(each, tuple):
            made = written.take(each[1])
            accepted = isinstance(made, Done)
        else:
            made = each
        if isinstance(made, Done):
            done.append(made)
        else:
            left.append(made)
        tell(made)
    return Outcome(tuple(done), tuple(left), _together(done), written=True), each


def _shown(steps: Steps, tell: Tell) -> tuple[Outcome, Tree]:
    """Return what steps would do."""
    done: list[Done] = []
    left: list[Left] = []
    while not isinstance(each := _next(steps, None), Tree):
        if isinstance(each, tuple):
            done.append(each[1])
            tell(each[1])
        else:
            left.append(each)
            tell(each)
    return Outcome(tuple(done), tuple(left), _together(done)), each


def _next(steps: Steps, accepted: bool | None) -> tuple[Tree, Done] | Left | Tree:  # noqa: FBT001
    """Return what comes next, the last tree where nothing does."""
    try:
        return steps.send(accepted)
    except StopIteration as stop:
        last: Tree = stop.value
        return last


class _Written:
    """Writes steps, and takes back those that fail on the disk."""

    def __init__(self, tree: Tree, store: Store, writing: Writing) -> None:
        self._root = tree.project.root
        self._store = store
        self._writing = writing
        self._levels = Levels(tree, writing.level, writing.reading, writing.seconds)
        self._name = time.strftime("%Y%m%d-%H%M%S")
        self._count = 0

    def take(self, done: Done) -> Done | Left:
        """Write a step, verify it and commit it, as far as that is asked for."""
        self._write(done.step.changes)
        verdict = self._levels.check(done)
        if verdict.reason is not None:
            self._write([Change(c.path, c.after, c.before) for c in done.step.changes])
            place = done.step.places[0] if done.step.places else done.step.title
            return Left(done.step.name, place, f"{verdict.reason}; taken back")
        told = {*done.contract}
        done = msgspec.structs.replace(
            done,
            verified=(*done.verified, *self._levels.names),
            contract=(*done.contract, *(line for line in verdict.contract if line not in told)),
        )
        if self._writing.commit:
            done = msgspec.structs.replace(done, commit=git.commit(self._root, done))
        return done

    def _write(self, changes: Iterable[Change]) -> None:
        self._store.write(self._name, self._count, changes)
        self._count += 1


def _refuse_dirty(root: Path, writing: Writing) -> None:
    changed = git.changed_files(root)
    if changed is None:
        if writing.commit:
            raise git.GitError(f"{root} is in no git repository", "Leave --commit out.")
        return
    if changed and not writing.allow_dirty:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise FastwrightError(
            f"{changed[0]}{more}: changes that are not committed",
            "Commit or stash them, or say --allow-dirty.",
        )


def _together(done: Iterable[Done]) -> tuple[Change, ...]:
    """Return the changes of all steps, as one for each file."""
    found: dict[str, Change] = {}
    for made in done:
        for change in made.step.changes:
            before = found[change.path].before if change.path in found else change.before
            found[change.path] = Change(change.path, before, change.after)
    return tuple(change for _, change in sorted(found.items()) if change.before != change.after)


def undo(path: Path) -> Undone | None:
    """Bring back the state before the last run on a project; None where there is no run."""
    project = open_project(path)
    return Store(project.root, cache_folder(project)).undo()
