"""Finding: what a rule reports, where, and the chain of places that proves it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from fastwright.edit.fix import Applicability, Fix

Severity: TypeAlias = Literal["error", "warning", "info"]
Confidence: TypeAlias = Literal["high", "medium", "low"]


class Place(msgspec.Struct, frozen=True, order=True):
    """A range in a file. Lines and columns start at 1; columns count bytes of UTF-8."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    function: str | None


class Evidence(msgspec.Struct, frozen=True, order=True):
    """One link of the chain that proves a finding."""

    place: Place
    note: str


class Hit(msgspec.Struct, frozen=True):
    """What a rule's ``check`` yields: a place, a message in one sentence, the proof, and a mend."""

    place: Place
    message: str
    evidence: tuple[Evidence, ...] = ()
    fix: Fix | None = None


class Finding(msgspec.Struct, frozen=True):
    """A hit, with what is known of the rule that made it."""

    rule: str
    family: str
    severity: Severity
    confidence: Confidence
    place: Place
    message: str
    evidence: tuple[Evidence, ...]
    fix: Applicability | None
    """Whether it can be mended, and how safely; the edits are with the hit."""

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Findings are ordered by file, line, column, rule, message."""
        return (self.place.file, self.place.line, self.place.column, self.rule, self.message)
