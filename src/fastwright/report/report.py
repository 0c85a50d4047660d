"""Report: what every format is given, and the counts that all of them show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from fastwright.review.mended import Mended
from fastwright.review.result import SEVERITIES, Review, count_severities
from fastwright.review.sources import Sources
from fastwright.rules.finding import Finding, Severity
from fastwright.rules.registry import RegisteredRule

SEVERITY_NOUNS = {"error": "error", "warning": "warning", "info": "note"}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A review with what is needed to show it."""

    review: Review
    sources: Sources
    rules: Mapping[str, RegisteredRule]
    """What is known of each rule, by name."""
    prefix: str = ""
    """The way from where the user stands to the root, ending in a slash, or empty."""
    quiet: bool = False
    statistics: bool = False
    mended: Mapping[Finding, tuple[Mended, ...]] = {}
    """What fixes would make of the code, where that is to be shown."""


class FamilyCount(NamedTuple):
    """One row of the table of families."""

    family: str
    by_severity: Mapping[Severity, int]
    total: int


def count_families(findings: Sequence[Finding]) -> list[FamilyCount]:
    """Return the families that have findings, the worst first."""
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(finding.family, []).append(finding)
    rows = [
        FamilyCount(family, count_severities(found), len(found))
        for family, found in grouped.items()
    ]
    return sorted(rows, key=lambda row: (*(-row.by_severity[s] for s in SEVERITIES), row.family))


def count_files(findings: Sequence[Finding]) -> list[tuple[str, int]]:
    """Return files with their number of findings, the most first."""
    counted = Counter(finding.place.file for finding in findings)
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def count_rules(findings: Sequence[Finding]) -> list[tuple[str, int]]:
    """Return rules with their number of findings, sorted by name."""
    return sorted(Counter(finding.rule for finding in findings).items())


def worst_rules(findings: Sequence[Finding]) -> list[tuple[str, int]]:
    """Return rules with their number of findings, the worst first."""
    severities = {finding.rule: SEVERITIES.index(finding.severity) for finding in findings}
    return sorted(count_rules(findings), key=lambda row: (severities[row[0]], -row[1], row[0]))


def many(number: int, noun: str) -> str:
    """Return ``1 file``, ``2 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def severity_phrase(findings: Sequence[Finding]) -> str:
    """Return ``4 errors, 1 warning``; severities without findings are left out."""
    counts = count_severities(findings)
    return ", ".join(many(n, SEVERITY_NOUNS[severity]) for severity, n in counts.items() if n)


def headline(review: Review) -> str:
    """Return the sentence that sums a review up."""
    findings = review.findings
    if not review.files:
        return "No FastAPI here: there are no Python files."
    if not review.is_fastapi:
        return f"No FastAPI here: {many(review.files, 'Python file')} read, none imports it."
    if not findings:
        return f"No problems in {many(review.files, 'file')}."
    touched = len(count_files(findings))
    where = f"{touched} of {many(review.files, 'file')}"
    return f"{many(len(findings), 'problem')} in {where}: {severity_phrase(findings)}."


def why(rule: RegisteredRule) -> str:
    """Return why a rule matters: the first paragraph of its page, and what a first line opens."""
    paragraphs = rule.doc.strip().split("\n\n")
    opening = 2 if "\n" not in paragraphs[0] else 1
    return " ".join(" ".join(paragraphs[:opening]).split()).replace("``", "`")


def chain(finding: Finding) -> str:
    """Return the evidence as one line: ``POST /orders -> create_order (orders.py:31) -> ...``."""
    links: list[str] = []
    file = ""
    for link in finding.evidence:
        moved = link.place.file != file
        links.append(f"{link.note} ({link.place.file}:{link.place.line})" if moved else link.note)
        file = link.place.file
    return " -> ".join(links)
