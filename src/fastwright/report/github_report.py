"""The review as GitHub Actions annotations: workflow commands, one a line."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.report.report import Report, chain, headline
from fastwright.review.sources import in_characters
from fastwright.rules.finding import Finding

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report) -> str:
    """Return the annotations, then the summary as an ordinary line of the log."""
    rows = [_annotation(finding, report) for finding in report.review.findings]
    rows.extend(_unread(report))
    if not report.quiet:
        rows.append(headline(report.review))
    return "".join(row + "\n" for row in rows)


def _annotation(finding: Finding, report: Report) -> str:
    place = finding.place
    properties = {
        "file": report.prefix + place.file,
        "line": str(place.line),
        "endLine": str(place.end_line),
        "title": finding.rule,
    }
    if place.line == place.end_line:  # GitHub refuses columns over several lines
        text = report.sources.line(place.file, place.line)
        properties["col"] = str(in_characters(text, place.column))
        properties["endColumn"] = str(in_characters(text, place.end_column))
    message = finding.message
    if finding.evidence:
        message += "\n" + chain(finding)
    rule = report.rules.get(finding.rule)
    if rule is not None:
        message += "\n" + rule.rule.mend
    return _command(_COMMANDS[finding.severity], properties, message)


def _unread(report: Report) -> Iterator[str]:
    for skipped in report.review.skipped:
        place = {"file": report.prefix + skipped.file, "title": "not reviewed"}
        yield _command("notice", place, skipped.reason)
    for failure in report.review.failures:
        last = (failure.traceback.strip().splitlines() or [""])[-1]
        yield _command("error", {"title": "fastwright failed"}, f"{failure.rule}: {last}")


def _command(name: str, properties: dict[str, str], message: str) -> str:
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {given}::{_data(message)}"


def _data(text: str) -> str:
    """Escape as the runner's toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
