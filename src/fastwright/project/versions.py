"""Installed versions (placeholder by the lead until the project/ helper's version lands)."""

from __future__ import annotations

from collections.abc import Mapping


class Versions:
    """Versions of libraries by canonical name."""

    def __init__(self, found: Mapping[str, str]) -> None:
        self._found = dict(found)

    @classmethod
    def of(cls, found: Mapping[str, str]) -> Versions:
        """Return exactly these versions."""
        return cls(found)

    def at_least(self, name: str, version: str) -> bool | None:
        """Whether the library is at least that new; None if it is not known."""
        if name not in self._found:
            return None
        parts = lambda text: [int(p) for p in text.split(".") if p.isdigit()]  # noqa: E731
        return parts(self._found[name]) >= parts(version)
