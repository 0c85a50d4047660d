"""The review as Markdown: for a pull request's comment or a page of a wiki."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from fastwright.report.frame import code_line
from fastwright.report.report import Report, count_families, headline, many
from fastwright.review.result import SEVERITIES
from fastwright.rules.finding import Finding

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_CODE = 120


def render(report: Report) -> str:
    """Return the page."""
    return "\n".join(_page(report)).rstrip("\n") + "\n"


def _page(report: Report) -> Iterator[str]:
    review = report.review
    yield "## fastwright review"
    yield ""
    yield f"**{headline(review)}**"
    yield ""
    if review.findings:
        yield from _table(report)
    for file, findings in groupby(review.findings, lambda finding: finding.place.file):
        yield f"### {escape(file)}"
        yield ""
        for finding in findings:
            yield from _finding(finding, report)
    yield from _rest(report)


def _table(report: Report) -> Iterator[str]:
    yield "| family | errors | warnings | notes |"
    yield "| --- | ---: | ---: | ---: |"
    for row in count_families(report.review.findings):
        numbers = " | ".join(str(row.by_severity[severity]) for severity in SEVERITIES)
        yield f"| {row.family} | {numbers} |"
    yield ""


def _finding(finding: Finding, report: Report) -> Iterator[str]:
    place = finding.place
    function = f" in {code(place.function)}" if place.function else ""
    yield f"**{finding.severity}** {code(finding.rule)}, line {place.line}{function}"
    yield ""
    yield escape(finding.message)
    yield ""
    yield from _fenced(report.sources.line(place.file, place.line).strip())
    for number, link in enumerate(finding.evidence, 1):
        at = f"{link.place.file}:{link.place.line}"
        shown = code_line(link.place, report.sources, _CODE)
        yield f"{number}. {escape(link.note)} ({code(at)})" + (f": {code(shown)}" if shown else "")
    if finding.evidence:
        yield ""
    rule = report.rules.get(finding.rule)
    if rule is not None:
        yield f"_Mend:_ {' '.join(rule.rule.mend.split())}"
        yield ""


def _fenced(text: str) -> Iterator[str]:
    if text:
        fence = "`" * max(3, _longest_ticks(text) + 1)
        yield f"{fence}python"
        yield text
        yield fence
        yield ""


def _rest(report: Report) -> Iterator[str]:
    review = report.review
    rows = [f"{held.count} {held.reason} (shown {held.shown_by})" for held in review.held_back]
    if review.broken:
        rows.append(f"{many(len(review.broken), 'file')} read in part: syntax errors")
    if review.skipped:
        rows.append(f"{many(len(review.skipped), 'file')} not read")
    rows += [f"rule {code(failure.rule)} failed" for failure in review.failures]
    if rows:
        yield "---"
        yield ""
        yield from (f"- {row}" for row in rows)


def escape(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", text).replace("\n", " ")


def code(text: str) -> str:
    """Return text as a code span, whatever backticks it holds."""
    ticks = "`" * (_longest_ticks(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
