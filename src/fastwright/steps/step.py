"""Step: one change with one reason, and what came of it."""

from __future__ import annotations

import msgspec

from fastwright.edit.fix import Applicability
from fastwright.edit.transaction import Change


class Step(msgspec.Struct, frozen=True):
    """A change that is to be made."""

    name: str
    """The rule or recipe that it comes from."""
    title: str
    """What is done, in one line."""
    why: str
    applicability: Applicability
    changes: tuple[Change, ...]
    places: tuple[str, ...] = ()
    """``file:line`` of what it mends."""


class Left(msgspec.Struct, frozen=True):
    """Something that was left alone, and why."""

    name: str
    place: str
    reason: str


class Done(msgspec.Struct, frozen=True):
    """A step that was made: how it was verified, and what it changes for clients."""

    step: Step
    verified: tuple[str, ...]
    contract: tuple[str, ...] = ()
    """The differences of the contract that the step declares."""
    commit: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to."""

    done: tuple[Done, ...] = ()
    left: tuple[Left, ...] = ()
    changes: tuple[Change, ...] = ()
    """All changes of the run together, a file at a time."""
    written: bool = False
