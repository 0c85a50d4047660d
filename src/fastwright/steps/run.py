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
from fastwright.steps.step import Done, Left, Outcome
from fastwright.steps.tree import Tree


class Writing(msgspec.Struct, frozen=True):
    """What becomes of the steps."""

    dry: bool = False
    """Show them, write nothing."""
    commit: bool = False
    """One git commit for each."""
    allow_dirty: bool = False
    """Also where there are changes that are not committed."""


Tell = Callable[["Done | Left"], None]
"""Takes each step as it is made."""


def run(
    tree: Tree, steps: Iterable[tuple[Tree, Done] | Left], writing: Writing, tell: Tell
) -> Outcome:
    """Make steps and return what came of them.

    Raises FastwrightError, with that step not written, where a file cannot be changed; the steps
    before it stand, and can be undone.
    """
    root = tree.project.root
    store = Store(root, tree.cache)
    if not writing.dry:
        store.recover()
        _refuse_dirty(root, writing)
    name = time.strftime("%Y%m%d-%H%M%S")
    done: list[Done] = []
    left: list[Left] = []
    for each in steps:
        if isinstance(each, Left):
            left.append(each)
            tell(each)
            continue
        made = each[1]
        if not writing.dry:
            store.write(name, len(done), made.step.changes)
        if writing.commit and not writing.dry:
            made = msgspec.structs.replace(made, commit=git.commit(root, made))
        done.append(made)
        tell(made)
    return Outcome(tuple(done), tuple(left), _together(done), not writing.dry)


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
