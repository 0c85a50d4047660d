"""Slices: parts of applications of which every problem was labelled by reading the code.

``slices.json`` says which lines of which files were read for each slice, ``problems.jsonl`` holds the
problems: one record for each, with its category and whether reasonable maintainers may reject it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
NEAR = 2
"""Lines by which a finding may miss the label: decorators, and statements of several lines."""

CATEGORIES = {
    "blocking": ("blocking-call-in-async", "sync-session-in-async"),
    "n-plus-one": ("n-plus-one-query", "n-plus-one-lazy-load", "commit-in-loop"),
    "pagination": ("missing-pagination", "unbounded-limit"),
    "leak": ("secret-in-response", "orm-leak", "missing-response-schema", "leaks-exception-text"),
    "http-in-service": ("http-exception-in-service",),
    "fat-endpoint": ("fat-endpoint",),
    "auth": ("missing-authentication", "missing-ownership-check"),
    "injection": ("raw-sql-interpolation", "ssrf", "path-traversal", "open-redirect",
                  "command-injection", "unsafe-deserialization", "html-injection"),
    "upload": ("unbounded-upload", "upload-trusted-name-or-type"),
    "pydantic-v1": ("pydantic-v1-validator", "pydantic-v1-config", "pydantic-v1-method",
                    "pydantic-v1-field-argument", "pydantic-v1-base-settings",
                    "pydantic-v1-root-model", "pydantic-v1-import"),
    "unhandled": ("missing-exception-handler",),
}  # fmt: skip
"""Category -> the rules that answer it."""


@dataclass(frozen=True)
class Slice:
    """What was read completely: lines of files of one application."""

    name: str
    application: str
    version: str
    routers: tuple[str, ...]
    """Files of its endpoints: it is what they reach that was labelled."""
    files: dict[str, list[tuple[int, int]]]
    categories: frozenset[str] = frozenset(CATEGORIES)
    """The categories of which all problems were labelled."""
    held_out: bool = False
    """Whether it was labelled after the rules had been made: what they miss here, they were not taught."""

    def holds(self, report: Report) -> bool:
        """Whether a report is about lines that were read, and as far as is known reached from here."""
        if report.category not in self.categories:
            return False
        read = self.files.get(report.file, ())
        if not any(first <= report.first <= last for first, last in read):
            return False
        return not report.proof or {report.file, report.proof[0][0]} & set(self.routers) != set()

    @property
    def lines(self) -> int:
        """How many lines were read."""
        return sum(last - first + 1 for ranges in self.files.values() for first, last in ranges)


@dataclass(frozen=True)
class Problem:
    """A labelled problem. A debatable one counts neither as missed nor as falsely reported."""

    slice: str
    category: str
    file: str
    line: int
    sure: bool
    why: str
    also: tuple[tuple[str, int], ...] = ()
    """Other places where the same problem could fairly be reported."""

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Every place of the problem."""
        return ((self.file, self.line), *self.also)


class Report(NamedTuple):
    """What a tool reports: a category, the line, and the lines that it gives as proof, in order."""

    category: str
    file: str
    first: int
    last: int
    proof: tuple[tuple[str, int], ...] = ()

    def means(self, problem: Problem) -> bool:
        """Whether this is the labelled problem."""
        if self.category != problem.category:
            return False
        spans = [(self.file, self.first, self.last), *((f, line, line) for f, line in self.proof)]
        return any(
            file == there and first - NEAR <= line <= last + NEAR
            for there, first, last in spans
            for file, line in problem.places
        )


@dataclass
class Score:
    """How well a tool did in one category."""

    found: int = 0
    missed: int = 0
    true: int = 0
    false: int = 0

    @property
    def recall(self) -> float | None:
        """The share of the sure problems that were reported."""
        known = self.found + self.missed
        return self.found / known if known else None

    @property
    def precision(self) -> float | None:
        """The share of the reports that are labelled problems."""
        reported = self.true + self.false
        return self.true / reported if reported else None

    def add(self, other: Score) -> None:
        """Add the counts of another one."""
        self.found += other.found
        self.missed += other.missed
        self.true += other.true
        self.false += other.false


def read_slices() -> list[Slice]:
    """Read what was read."""
    data = json.loads((FOLDER / "slices.json").read_text(encoding="utf-8"))
    return [
        Slice(
            name,
            about["application"],
            about["version"],
            tuple(about["routers"]),
            {file: [(a, b) for a, b in ranges] for file, ranges in about["files"].items()},
            frozenset(about.get("categories", CATEGORIES)),
            about.get("held_out", False),
        )
        for name, about in sorted(data.items())
    ]


def read_problems() -> list[Problem]:
    """Read the labelled problems."""
    lines = (FOLDER / "problems.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Problem(
            r["slice"],
            r["category"],
            r["file"],
            r["line"],
            r["sure"] == "yes",
            r["why"],
            tuple((place["file"], place["line"]) for place in r.get("also", ())),
        )
        for r in map(json.loads, lines)
    ]


def score(
    part: Slice, problems: list[Problem], reports: list[Report]
) -> tuple[dict[str, Score], list[Problem], list[Report]]:
    """Return the scores by category, the problems that were missed, and the reports of none."""
    scores = {category: Score() for category in CATEGORIES}
    inside = [report for report in reports if part.holds(report)]
    missed = []
    for problem in problems:
        if not problem.sure:
            continue
        if any(report.means(problem) for report in reports):
            scores[problem.category].found += 1
        else:
            scores[problem.category].missed += 1
            missed.append(problem)
    wrong = []
    for report in inside:
        if any(report.means(problem) for problem in problems):
            scores[report.category].true += 1
        else:
            scores[report.category].false += 1
            wrong.append(report)
    return scores, missed, wrong
