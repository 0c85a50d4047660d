"""The review for people: a summary, then each file's findings with code, proof, why and mend."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from itertools import groupby
from textwrap import wrap

from fastwright.report.frame import code_line, frame
from fastwright.report.report import (
    Report,
    count_families,
    count_files,
    headline,
    many,
    why,
    worst_rules,
)
from fastwright.report.styled import Line, line, pad, plain
from fastwright.review.mended import Mended
from fastwright.review.result import SEVERITIES, Review
from fastwright.rules.finding import Evidence, Finding

WIDTH = 100
_TOP = 5
_LISTED = 5


def render(report: Report) -> str:
    """Return the review as plain text."""
    return plain(layout(report))


def layout(report: Report) -> Iterator[Line]:
    """Yield the lines of the review; with ``quiet`` one line for each finding and no more."""
    if report.quiet:
        yield from (_one_line(finding, report) for finding in report.review.findings)
        return
    yield from _summary(report.review)
    explained: set[str] = set()
    for file, findings in groupby(report.review.findings, lambda finding: finding.place.file):
        yield ()
        yield line((file, "path"))
        for finding in findings:
            yield ()
            yield from _finding(finding, report, first=finding.rule not in explained)
            explained.add(finding.rule)
    yield from _rest(report.review)
    if report.statistics:
        yield from _statistics(report.review)
    if report.review.findings:
        yield ()
        yield line((headline(report.review), "title"), " `fastwright explain RULE` tells more.")


def _one_line(finding: Finding, report: Report) -> Line:
    place = finding.place
    return line(
        (f"{report.prefix}{place.file}:{place.line}:{place.column}", "path"),
        ": ",
        (finding.severity, finding.severity),
        " ",
        (finding.rule, "rule"),
        f" {finding.message}",
    )


# ---------------------------------------------------------------------- summary


def _summary(review: Review) -> Iterator[Line]:
    findings = review.findings
    yield line((headline(review), "title" if findings or not review.is_fastapi else "good"))
    if not findings:
        return
    yield ()
    rows = [
        (row.family, [row.by_severity[severity] for severity in SEVERITIES])
        for row in count_families(findings)
    ]
    width = max(len(family) for family, _ in rows)
    yield line((f"  {'':{width}}  errors  warnings  notes", "dim"))
    for family, (errors, warnings, notes) in rows:
        yield line(
            f"  {family:{width}}",
            (f"  {errors or '.':>6}", "error" if errors else "dim"),
            (f"  {warnings or '.':>8}", "warning" if warnings else "dim"),
            (f"  {notes or '.':>5}", "info" if notes else "dim"),
        )
    yield ()
    yield from _paragraph("Worst  ", _top(worst_rules(findings)))
    yield from _paragraph("Most   ", _top(count_files(findings)))


def _top(counted: list[tuple[str, int]]) -> str:
    shown = ", ".join(f"{name} ({number})" for name, number in counted[:_TOP])
    return f"{shown}, ..." if len(counted) > _TOP else shown


def _paragraph(label: str, text: str, indent: str = "") -> Iterator[Line]:
    """Yield a text wrapped under its label."""
    room = WIDTH - len(indent) - len(label)
    for number, part in enumerate(wrap(text, room, break_on_hyphens=False) or [""]):
        yield line(indent, (label if number == 0 else " " * len(label), "dim"), part)


# --------------------------------------------------------------------- findings


def _finding(finding: Finding, report: Report, *, first: bool) -> Iterator[Line]:
    place = finding.place
    function = f" in {place.function}" if place.function else ""
    fix = f"  fix: {finding.fix}" if finding.fix else ""
    yield line(
        (finding.severity, finding.severity),
        " ",
        (finding.rule, "rule"),
        (f"  line {place.line}{function}{fix}", "dim"),
    )
    yield from _paragraph("  ", finding.message)
    yield ()
    yield from frame(place, report.sources, "  ")
    if finding.evidence:
        yield ()
        yield from _chain(finding.evidence, report)
    for mended in report.mended.get(finding, ()):
        yield ()
        yield from _fix(mended)
    rule = report.rules.get(finding.rule)
    if first and rule is not None:
        yield ()
        yield from _paragraph("why   ", why(rule), "  ")
        yield from _paragraph("mend  ", " ".join(rule.rule.mend.split()), "  ")


def _fix(mended: Mended) -> Iterator[Line]:
    """Yield what a fix takes away and brings, with a line around it."""
    before, after = (text.decode().splitlines() for text in (mended.before, mended.after))
    yield line("  ", ("fix   ", "dim"), (mended.file, "path"))
    for text in list(unified_diff(before, after, n=1, lineterm=""))[2:]:
        style = {"+": "added", "-": "removed", "@": "dim"}.get(text[:1], "code")
        shown = text.rpartition("@@")[0] + "@@" if text.startswith("@@") else text
        yield line("    ", (shown, style))


def _chain(evidence: tuple[Evidence, ...], report: Report) -> Iterator[Line]:
    """Yield the proof: one place a line, with its code."""
    notes = [link.note if n == 0 else f"-> {link.note}" for n, link in enumerate(evidence)]
    places = [f"{link.place.file}:{link.place.line}" for link in evidence]
    note_width = min(max(map(len, notes)), WIDTH // 2)
    place_width = max(map(len, places))
    room = max(WIDTH - note_width - place_width - 6, 30)
    for note, place, link in zip(notes, places, evidence, strict=True):
        code = code_line(link.place, report.sources, room)
        yield line(
            "  ",
            pad(note, note_width),
            "  ",
            (pad(place, place_width), "path"),
            "  ",
            (code, "code"),
        )


# -------------------------------------------------------------- what was left out


def _rest(review: Review) -> Iterator[Line]:
    """Yield what a reader must know about the run beside the findings."""
    rows = [*_held_back(review), *_unread(review), *_failures(review)]
    if rows:
        yield ()
        yield from rows


def _held_back(review: Review) -> Iterator[Line]:
    for held in review.held_back:
        yield line((f"Held back: {held.count} {held.reason} (shown {held.shown_by}).", "dim"))
    if review.stale_baseline:
        entries = "1 entry" if review.stale_baseline == 1 else f"{review.stale_baseline} entries"
        yield line((f"Baseline: {entries} match nothing any more (--write-baseline).", "dim"))
    if review.written_baseline is not None:
        yield line(f"Baseline written: {review.written_baseline.as_posix()}")


def _unread(review: Review) -> Iterator[Line]:
    broken = [f"{file.file}:{file.lines[0] if file.lines else 1}" for file in review.broken]
    if broken:
        label = f"Read in part, syntax errors in {many(len(broken), 'file')}: "
        yield from _paragraph(label, _list(broken))
    skipped = [f"{file.file} ({file.reason})" for file in review.skipped]
    if skipped:
        yield from _paragraph(f"Not read, {many(len(skipped), 'file')}: ", _list(skipped))


def _list(items: list[str]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more


def _failures(review: Review) -> Iterator[Line]:
    for failure in review.failures:
        where = f" on {failure.file}" if failure.file else ""
        last = (failure.traceback.strip().splitlines() or ["no traceback"])[-1]
        yield line(("failed ", "error"), (failure.rule, "rule"), f"{where}: {last}")


def _statistics(review: Review) -> Iterator[Line]:
    width = max((len(row.rule) for row in review.statistics), default=4)
    yield ()
    yield line((f"{'rule':{width}}  found         ms", "dim"))
    for row in sorted(review.statistics, key=lambda row: (-(row.seconds or 0), row.rule)):
        time = "(reading)" if row.seconds is None else f"{row.seconds * 1000:.1f}"
        yield line(f"{row.rule:{width}}  {row.findings:>5}  {time:>9}")
    for timing in review.timings:
        yield line((f"{timing.name:{width}}         {timing.seconds * 1000:>9.1f}", "dim"))
