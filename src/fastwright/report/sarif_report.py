"""The review as SARIF 2.1.0, as code scanning services and editors read it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import Any
from urllib.parse import quote

from fastwright.report.report import Report, chain, why
from fastwright.review.fingerprint import fingerprint
from fastwright.review.sources import in_characters
from fastwright.rules.finding import Evidence, Finding, Place
from fastwright.rules.registry import RegisteredRule
from fastwright.version import VERSION

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_ROOT = "%SRCROOT%"
_SCORES = {"error": "8.0", "warning": "5.0", "info": "2.0"}
"""For services that order by it: high, medium, low."""


def render(report: Report) -> str:
    """Return the log, indented."""
    return json.dumps(document(report), indent=2) + "\n"


def document(report: Report) -> dict[str, Any]:
    """Return the log as plain data. Paths are relative; the reader decides to what."""
    names = sorted({finding.rule for finding in report.review.findings} & set(report.rules))
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "fastwright",
                        "semanticVersion": VERSION,
                        "rules": [_rule(report.rules[name]) for name in names],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [_invocation(report)],
                "results": _results(report, names),
            }
        ],
    }


def _rule(rule: RegisteredRule) -> dict[str, Any]:
    page = "\n".join(line.rstrip() for line in rule.doc.strip().splitlines())
    described = {
        "id": rule.name,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": rule.rule.summary},
        "fullDescription": {"text": why(rule) or rule.rule.summary},
        "help": {
            "text": f"{page}\n\n{rule.rule.mend}".strip(),
            "markdown": f"{page}\n\n**Mend:** {rule.rule.mend}".strip(),
        },
        "defaultConfiguration": {
            "level": _LEVELS[rule.rule.severity],
            "enabled": rule.rule.default,
        },
        "properties": {"tags": _tags(rule), "precision": rule.rule.confidence}
        | ({"security-severity": _SCORES[rule.rule.severity]} if _is_security(rule) else {}),
    }
    links = [link for link in rule.rule.references if link.startswith("https://")]
    return described | ({"helpUri": links[0]} if links else {})


def _tags(rule: RegisteredRule) -> list[str]:
    """Return family, CWE numbers and items of the OWASP API Security Top 10 (2023)."""
    tags = [rule.family, "fastapi", *rule.rule.profiles]
    for reference in rule.rule.references:
        if reference.startswith("CWE-"):
            tags.append(f"external/cwe/{reference.lower()}")
        item = re.search(r"owasp\.org/API-Security/.*/0xa([0-9a-f])-", reference)
        if item is not None:
            tags.append(f"external/owasp/api{int(item[1], 16)}-2023")
    return list(dict.fromkeys(tags))


def _is_security(rule: RegisteredRule) -> bool:
    return rule.family == "security" or "security" in rule.rule.profiles


def _invocation(report: Report) -> dict[str, Any]:
    """Return how the run went: what could not be read, and rules that failed."""
    review = report.review
    notes = [
        *(
            _note("warning", f"read in part: {_first(b.lines)}", b.file, report)
            for b in review.broken
        ),
        *(_note("warning", f"not read: {s.reason}", s.file, report) for s in review.skipped),
        *(_note("error", f"rule {f.rule} failed", f.file, report) for f in review.failures),
    ]
    return {"executionSuccessful": not review.failures, "toolExecutionNotifications": notes}


def _first(lines: tuple[int, ...]) -> str:
    return f"syntax error in line {lines[0]}" if lines else "syntax error"


def _note(level: str, text: str, file: str | None, report: Report) -> dict[str, Any]:
    note: dict[str, Any] = {"level": level, "message": {"text": text}}
    if file is not None:
        note["locations"] = [{"physicalLocation": {"artifactLocation": _artifact(file, report)}}]
    return note


def _results(report: Report, names: list[str]) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    results = []
    for finding in report.review.findings:
        identity = "\0".join(fingerprint(finding, report.sources))
        seen[identity] += 1
        result = _result(finding, report, f"{identity}\0{seen[identity]}")
        if finding.rule in names:
            result["ruleIndex"] = names.index(finding.rule)
        results.append(result)
    return results


def _result(finding: Finding, report: Report, identity: str) -> dict[str, Any]:
    text = finding.message
    if finding.evidence:
        text += f"\n{chain(finding)}"
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [_location(finding.place, report)],
        "partialFingerprints": {
            "fastwright/v1": hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()
        },
    }
    if finding.evidence:
        result["codeFlows"] = [_flow(finding.evidence, report)]
    return result


def _flow(evidence: tuple[Evidence, ...], report: Report) -> dict[str, Any]:
    steps = [
        {"location": _location(link.place, report) | {"message": {"text": link.note}}}
        for link in evidence
    ]
    return {"threadFlows": [{"locations": steps}]}


def _location(place: Place, report: Report) -> dict[str, Any]:
    lines = report.sources
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": _artifact(place.file, report),
            "region": {
                "startLine": place.line,
                "startColumn": in_characters(lines.line(place.file, place.line), place.column),
                "endLine": place.end_line,
                "endColumn": in_characters(
                    lines.line(place.file, place.end_line), place.end_column
                ),
            },
        }
    }
    if place.function:
        name = {"fullyQualifiedName": place.function, "kind": "function"}
        location["logicalLocations"] = [name]
    return location


def _artifact(file: str, report: Report) -> dict[str, str]:
    return {"uri": quote(report.prefix + file, errors="surrogateescape"), "uriBaseId": _ROOT}
