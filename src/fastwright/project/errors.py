"""Errors that a user can meet.

FastwrightError
├── PathError       a path that is not there or cannot be read
├── ConfigError     [tool.fastwright] says something that is not understood
├── SelectionError  a rule, family, severity, route or table that does not exist
└── RevisionError   git is missing, or does not know a revision
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class FastwrightError(Exception):
    """What went wrong in one sentence, and what to do next."""

    def __init__(self, message: str, todo: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.todo = todo


class PathError(FastwrightError):
    """A path that is not there or cannot be read."""


class ConfigError(FastwrightError):
    """``[tool.fastwright]`` says something that is not understood."""


class SelectionError(FastwrightError):
    """A rule, family, severity, route or table that does not exist."""


class RevisionError(FastwrightError):
    """git is missing, or does not know a revision."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the known name nearest to ``name``, or nothing."""
    found = get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" Did you mean {found[0]!r}?" if found else ""
