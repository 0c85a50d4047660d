"""Steps as text: a line for each, what was left alone and why, and the difference."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from fastwright.edit.transaction import Change, Undone
from fastwright.read.reader import Unreadable, to_utf8
from fastwright.steps.step import Done, Left, Outcome


def line(each: Done | Left) -> str:
    """Say in a line what was done, or left."""
    if isinstance(each, Left):
        return f"left   {each.name}  {each.place}: {each.reason}"
    step = each.step
    where = _count(len(step.places), "place") + " in " + _count(len(step.changes), "file")
    commit = f"  commit {each.commit}" if each.commit else ""
    said = [f"done   {step.name}  {where}  verified: {', '.join(each.verified)}{commit}"]
    said += [f"       contract: {difference}" for difference in each.contract]
    return "\n".join(said)


def summary(outcome: Outcome) -> str:
    """Say in a line what a run came to."""
    if not outcome.done:
        return "Nothing to change." if not outcome.left else "Nothing was changed."
    what = f"{_count(len(outcome.done), 'step')}, {_count(len(outcome.changes), 'file')}"
    if not outcome.written:
        return f"{what} would change; nothing was written."
    return f"{what} changed. `fastwright fix --undo` brings back what was there."


def undone(found: Undone) -> str:
    """Say what undoing brought back."""
    one = len(found.files) == 1
    are = "is as it was" if one else "are as they were"
    return f"Undone: {_count(len(found.files), 'file')} {are} before the run {found.run}."


def diff(changes: Iterable[Change]) -> str:
    """Return the unified difference of files, as git and patch read it."""
    return "".join(text for change in changes for text in _diff(change))


def _diff(change: Change) -> Iterator[str]:
    before, after = _lines(change.before), _lines(change.after)
    old = f"a/{change.path}" if change.before is not None else "/dev/null"
    new = f"b/{change.path}" if change.after is not None else "/dev/null"
    for text in difflib.unified_diff(before, after, old, new):
        yield text if text.endswith("\n") else f"{text}\n\\ No newline at end of file\n"


def _lines(content: bytes | None) -> list[str]:
    text = to_utf8(content or b"")
    return [] if isinstance(text, Unreadable) else text.decode().splitlines(keepends=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
