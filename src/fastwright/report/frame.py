"""Code frames: the line that a finding is about, underlined, with the lines around it."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.report.styled import CUT, Line, Span, cells, clean
from fastwright.review.sources import Sources, in_characters
from fastwright.rules.finding import Place

CONTEXT = 2
"""Lines shown before and after."""
WIDTH = 100
"""Longer lines are cut, around what is underlined."""


def frame(place: Place, sources: Sources, indent: str = "") -> Iterator[Line]:
    """Yield the lines of a frame; nothing if the source is not at hand."""
    lines = sources.lines(place.file)
    if not 0 < place.line <= len(lines):
        return
    first, last = max(place.line - CONTEXT, 1), min(place.line + CONTEXT, len(lines))
    while first < place.line and not lines[first - 1].strip():
        first += 1
    while last > place.line and not lines[last - 1].strip():
        last -= 1
    gutter = len(str(last))
    start, end = _underlined(place, lines[place.line - 1])
    cut = max(start - WIDTH // 2, 0) if len(lines[place.line - 1]) > WIDTH else 0
    for number in range(first, last + 1):
        mark = ">" if number == place.line else " "
        shown = _cut(lines[number - 1], cut)
        yield Span(f"{indent}{mark} {number:>{gutter}} | ", "dim"), Span(shown, "code")
        if number == place.line:
            text = lines[number - 1]
            before = cells(_cut(text[:start], cut))
            length = max(cells(clean(text[max(start, cut) : min(end, cut + WIDTH)])), 1)
            yield (
                Span(f"{indent}  {'':>{gutter}} | ", "dim"),
                Span(" " * before + "^" * length, "caret"),
            )


def _underlined(place: Place, text: str) -> tuple[int, int]:
    """Return what to underline on the first line, in characters from 0: start and end."""
    start = min(in_characters(text, place.column) - 1, len(text))
    if place.end_line == place.line:
        end = min(in_characters(text, place.end_column) - 1, len(text))
    else:
        end = len(text.rstrip())
    return start, max(end, start + 1)


def _cut(text: str, start: int) -> str:
    """Return the part of a line that is shown."""
    if start:
        text = CUT + text[start + 1 :]
    return clean(text if len(text) <= WIDTH else text[: WIDTH - 1] + CUT)


def code_line(place: Place, sources: Sources, width: int) -> str:
    """Return the line at a place, stripped and cut to a width."""
    text = clean(sources.line(place.file, place.line).strip())
    return text if len(text) <= width else text[: max(width - 1, 0)] + CUT
