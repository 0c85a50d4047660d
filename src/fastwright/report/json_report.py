"""The review as JSON, version 1: the document of ``review.schema.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fastwright.report.report import Report, count_families, count_files, count_rules
from fastwright.review.result import Review, count_severities
from fastwright.rules.finding import Evidence, Finding

VERSION = 1


def render(report: Report) -> str:
    """Return the document, indented, keys in their order."""
    return msgspec.json.format(msgspec.json.encode(document(report)), indent=2).decode() + "\n"


def document(report: Report) -> dict[str, Any]:
    """Return the document as plain data."""
    review = report.review
    return {
        "version": VERSION,
        "findings": [_finding(finding) for finding in review.findings],
        "summary": _summary(report),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "rule": finding.rule,
        "family": finding.family,
        "severity": finding.severity,
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "function": place.function,
        "message": finding.message,
        "evidence": [_evidence(link) for link in finding.evidence],
        "fix": finding.fix,
    }


def _evidence(link: Evidence) -> dict[str, Any]:
    place = link.place
    return {
        "file": place.file,
        "line": place.line,
        "function": place.function,
        "note": link.note,
    }


def _summary(report: Report) -> dict[str, Any]:
    review = report.review
    found = review.findings
    summary: dict[str, Any] = {
        "problems": len(found),
        "files": review.files,
        "files_with_problems": len(count_files(found)),
        "fastapi": review.is_fastapi,
        "by_severity": count_severities(found),
        "by_family": dict(sorted((row.family, row.total) for row in count_families(found))),
        "by_rule": dict(count_rules(found)),
        "held_back": [_plain(held) for held in review.held_back],
        "stale_baseline": review.stale_baseline,
        "broken_files": [_plain(file) for file in review.broken],
        "skipped_files": [_plain(file) for file in review.skipped],
        "failures": _failures(review),
    }
    if report.statistics:
        summary["statistics"] = [_plain(row) for row in review.statistics]
    return summary


def _failures(review: Review) -> list[Mapping[str, Any]]:
    return [
        {"rule": failure.rule, "file": failure.file, "traceback": failure.traceback}
        for failure in review.failures
    ]


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(value)
    return found
