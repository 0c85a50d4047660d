"""The review as JSON, version 1: the document of ``review.schema.json``, made from these types."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import msgspec

from fastwright.edit.fix import Applicability
from fastwright.report.report import Report, count_families, count_files, count_rules
from fastwright.review.result import (
    BrokenFile,
    HeldBack,
    Review,
    RuleFailure,
    RuleStatistic,
    SkippedFile,
    count_severities,
)
from fastwright.rules.finding import Evidence, Finding, Severity

VERSION: Literal[1] = 1

_Number = Annotated[int, msgspec.Meta(ge=1)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class ReviewEvidence(msgspec.Struct, frozen=True):
    """One link of the chain that proves a finding."""

    file: str
    line: _Number
    function: str | None
    note: str


class ReviewFinding(msgspec.Struct, frozen=True):
    """One problem. Paths are relative to the reviewed root; lines and columns start at 1."""

    rule: str
    family: str
    severity: Severity
    file: str
    line: _Number
    column: _Number
    end_line: _Number
    function: str | None
    message: str
    evidence: tuple[ReviewEvidence, ...]
    fix: Applicability | None


class ReviewSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """Counts, and what was left out."""

    problems: _Count
    files: _Count
    files_with_problems: _Count
    fastapi: bool
    by_severity: dict[Severity, _Count]
    by_family: dict[str, _Count]
    by_rule: dict[str, _Count]
    held_back: tuple[HeldBack, ...]
    stale_baseline: _Count
    broken_files: tuple[BrokenFile, ...]
    skipped_files: tuple[SkippedFile, ...]
    failures: tuple[RuleFailure, ...]
    statistics: tuple[RuleStatistic, ...] | msgspec.UnsetType = msgspec.UNSET


class ReviewDocument(msgspec.Struct, frozen=True):
    """The result of ``fastwright review --format json``."""

    version: Literal[1]
    findings: tuple[ReviewFinding, ...]
    summary: ReviewSummary


def render(report: Report) -> str:
    """Return the document, indented, its keys in their order, in ASCII."""
    return json.dumps(msgspec.to_builtins(document(report)), indent=2) + "\n"


def document(report: Report) -> ReviewDocument:
    """Return the document as plain data."""
    findings = tuple(_finding(finding) for finding in report.review.findings)
    statistics = report.review.statistics if report.statistics else msgspec.UNSET
    return ReviewDocument(VERSION, findings, _summary(report.review, statistics))


def _finding(finding: Finding) -> ReviewFinding:
    place = finding.place
    return ReviewFinding(
        rule=finding.rule,
        family=finding.family,
        severity=finding.severity,
        file=place.file,
        line=place.line,
        column=place.column,
        end_line=place.end_line,
        function=place.function,
        message=finding.message,
        evidence=tuple(_evidence(link) for link in finding.evidence),
        fix=finding.fix,
    )


def _evidence(link: Evidence) -> ReviewEvidence:
    return ReviewEvidence(link.place.file, link.place.line, link.place.function, link.note)


def _summary(
    review: Review, statistics: tuple[RuleStatistic, ...] | msgspec.UnsetType
) -> ReviewSummary:
    found = review.findings
    return ReviewSummary(
        problems=len(found),
        files=review.files,
        files_with_problems=len(count_files(found)),
        fastapi=review.is_fastapi,
        by_severity=count_severities(found),
        by_family=dict(sorted((row.family, row.total) for row in count_families(found))),
        by_rule=dict(count_rules(found)),
        held_back=review.held_back,
        stale_baseline=review.stale_baseline,
        broken_files=review.broken,
        skipped_files=review.skipped,
        failures=review.failures,
        statistics=statistics,
    )
