"""Review: everything that a run found, left out and could not do, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from fastwright.project.config import FailOn
from fastwright.rules.finding import Finding, Severity

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""Severities, the worst first."""


class BrokenFile(msgspec.Struct, frozen=True):
    """A file that was read as far as it goes: ``lines`` are the first that did not parse."""

    file: str
    lines: tuple[int, ...]


class SkippedFile(msgspec.Struct, frozen=True):
    """A file that was not read at all, and why."""

    file: str
    reason: str


class RuleFailure(msgspec.Struct, frozen=True):
    """A rule that raised: a bug in the rule. The other rules ran all the same."""

    rule: str
    traceback: str
    file: str | None = None
    """The file that it looked at; None for a rule about the whole application."""


class HeldBack(msgspec.Struct, frozen=True):
    """Findings that are not shown: how many, why, and what shows them."""

    reason: str
    count: int
    shown_by: str


class RuleStatistic(msgspec.Struct, frozen=True):
    """What one rule found (before anything was held back) and the time it took.

    Rules about one file run while it is read: their time is part of reading, and not known.
    """

    rule: str
    findings: int
    seconds: float | None


class Timing(msgspec.Struct, frozen=True):
    """The time that one part of the run took."""

    name: str
    seconds: float


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one run. Findings are sorted; every other list is as well."""

    root: Path
    findings: tuple[Finding, ...] = ()
    held_back: tuple[HeldBack, ...] = ()
    files: int = 0
    """How many files were reviewed."""
    is_fastapi: bool = True
    """Whether anything under the root uses FastAPI."""
    broken: tuple[BrokenFile, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    failures: tuple[RuleFailure, ...] = ()
    stale_baseline: int = 0
    """Entries of the baseline that nothing matches any more."""
    written_baseline: Path | None = None
    """The baseline that this run wrote."""
    statistics: tuple[RuleStatistic, ...] = ()
    timings: tuple[Timing, ...] = ()


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the one order in which they are always shown, each once."""
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda finding: (*finding.sort_key, finding.evidence)))


def count_severities(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Return how many findings there are of each severity, zeros included, worst first."""
    counted = Counter(finding.severity for finding in findings)
    return {severity: counted[severity] for severity in SEVERITIES}


def is_failure(findings: Iterable[Finding], fail_on: FailOn) -> bool:
    """Whether any finding is as bad as ``fail_on`` or worse."""
    if fail_on == "never":
        return False
    bad = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return any(finding.severity in bad for finding in findings)
