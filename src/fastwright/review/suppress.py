"""Suppressions: ``# fastwright: ignore[rule] reason``, what they hide, and which hide nothing.

They hold for the line on which they stand, for the next line of code when they stand alone on
theirs, and for the whole file as ``ignore-file``. Without names they hold for every rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from fastwright.project.errors import nearest
from fastwright.read.facts import Suppression
from fastwright.review.select import Chosen
from fastwright.review.sources import Sources
from fastwright.rules.finding import Finding, Place
from fastwright.rules.registry import RegisteredRule
from fastwright.rules.rule import Rule

UNUSED_SUPPRESSION = RegisteredRule(
    name="unused-suppression",
    family="review",
    rule=Rule(
        summary="a `# fastwright: ignore` comment that hides nothing",
        severity="warning",
        mend="Remove the comment, or the names in it that hide nothing.",
    ),
    doc="""A ``# fastwright: ignore`` comment hides nothing.

The problem that it once hid has been mended or has moved, or the comment names a rule that does
not exist. Left in place it will hide the next problem on that line, which nobody has looked at.

Only rules that ran are judged: a comment for a rule that this run left out is not reported.
""",
    cases=(),
)
"""What is reported about the comments themselves; selected and ignored like any rule."""


class Outcome(NamedTuple):
    """Findings that no comment hides (unused comments among them), and how many are hidden."""

    findings: list[Finding]
    hidden: int


class _Comment(NamedTuple):
    """A suppression with its file, the line that it holds for (0: all), and what it hid so far."""

    file: str
    line: int
    said: Suppression
    hid: set[str]

    def hides(self, finding: Finding) -> bool:
        """Whether the comment hides a finding of its file."""
        if self.line not in {0, finding.place.line}:
            return False
        if not self.said.rules:  # a comment does not hide that it hides nothing
            return finding.rule != UNUSED_SUPPRESSION.name
        return finding.rule in self.said.rules


def suppress(
    findings: Iterable[Finding],
    comments: Mapping[str, Iterable[Suppression]],
    sources: Sources,
    rules: Mapping[str, RegisteredRule],
    chosen: Chosen,
) -> Outcome:
    """Take away what comments hide, and add a finding for each comment that hides nothing.

    ``comments`` are the suppressions of each file. A comment is judged by the rules that ran
    for its file; one without names only if every rule ran that is on by default.
    """
    placed = {file: _place(file, found, sources) for file, found in sorted(comments.items())}
    kept = _hide(findings, placed)
    if UNUSED_SUPPRESSION.name in chosen.rules():
        defaults = frozenset(name for name, rule in rules.items() if rule.rule.default)
        for file, found in placed.items():
            ran = chosen.for_file(file)
            if UNUSED_SUPPRESSION.name in ran:
                unused = list(_unused(found, sources, frozenset(rules), ran, defaults))
                kept.findings.extend(_hide(unused, placed).findings)
    return kept


def _place(file: str, said: Iterable[Suppression], sources: Sources) -> list[_Comment]:
    return [_Comment(file, _line_meant(file, one, sources), one, set()) for one in said]


def _line_meant(file: str, said: Suppression, sources: Sources) -> int:
    """Return the line that a comment holds for: its own, or the next one of code; 0 for all."""
    if said.whole_file:
        return 0
    lines = sources.lines(file)
    line = said.line
    while line <= len(lines) and lines[line - 1].lstrip()[:1] in {"", "#"}:
        line += 1
    return line


def _hide(findings: Iterable[Finding], placed: Mapping[str, list[_Comment]]) -> Outcome:
    """Return the findings that no comment hides; note in the comments what they hid."""
    kept: list[Finding] = []
    hidden = 0
    for finding in findings:
        hiding = [c for c in placed.get(finding.place.file, ()) if c.hides(finding)]
        for comment in hiding:
            comment.hid.add(finding.rule)
        if hiding:
            hidden += 1
        else:
            kept.append(finding)
    return Outcome(kept, hidden)


def _unused(
    comments: Iterable[_Comment],
    sources: Sources,
    known: frozenset[str],
    ran: frozenset[str],
    defaults: frozenset[str],
) -> Iterator[Finding]:
    """Yield a finding for each comment that hides nothing or names what does not exist."""
    for comment in comments:
        names = [name for name in comment.said.rules if name != UNUSED_SUPPRESSION.name]
        if not comment.said.rules and not comment.hid and defaults <= ran:
            yield _finding(comment, sources, "this comment hides nothing: no rule reports here")
        idle = [name for name in names if name in ran and name not in comment.hid]
        if idle:
            verb = "does not report" if len(idle) == 1 else "do not report"
            message = f"this comment hides nothing: {', '.join(idle)} {verb} here"
            yield _finding(comment, sources, message)
        for name in names:
            if name not in known:
                message = f"there is no rule {name!r}.{nearest(name, known)}".rstrip(".")
                yield _finding(comment, sources, message)


def _finding(comment: _Comment, sources: Sources, message: str) -> Finding:
    line = comment.said.line
    text = sources.line(comment.file, line)
    start = text[: max(text.rfind("#", 0, text.find("fastwright:") + 1), 0)]
    return Finding(
        rule=UNUSED_SUPPRESSION.name,
        family=UNUSED_SUPPRESSION.family,
        severity=UNUSED_SUPPRESSION.rule.severity,
        confidence=UNUSED_SUPPRESSION.rule.confidence,
        place=Place(
            file=comment.file,
            line=line,
            column=len(start.encode()) + 1,
            end_line=line,
            end_column=len(text.encode()) + 1,
            function=None,
        ),
        message=message,
        evidence=(),
        fix=None,
    )
