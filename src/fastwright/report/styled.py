"""Styled lines: text with named styles, printed plain or, on a terminal, in colour.

One layout serves both, so that what is tested is what is seen. Text out of reviewed files may
hold anything; control characters in it are shown, never sent to the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias
from unicodedata import east_asian_width

CUT = "…"
"""Stands for what was cut off a long line."""

_TAB = "    "
_CONTROL = (*range(32), *range(127, 160))
_BIDIRECTIONAL = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_VISIBLE = {
    **{number: f"\\x{number:02x}" for number in _CONTROL},
    **{number: f"\\u{number:04x}" for number in _BIDIRECTIONAL},
    ord("\n"): " ",
    ord("\t"): _TAB,
}


class Span(NamedTuple):
    """Text in one style.

    Styles: title, error, warning, info, path, rule, dim, code, caret, added, removed.
    """

    text: str
    style: str = ""


Line: TypeAlias = tuple[Span, ...]


def clean(text: str) -> str:
    """Return text with tabs as spaces and control and bidirectional characters made visible."""
    return text if text.isprintable() else text.translate(_VISIBLE)


def line(*parts: str | tuple[str, str]) -> Line:
    """Return a line of plain texts and (text, style) pairs, cleaned; empty parts are left out."""
    spans = (Span(part) if isinstance(part, str) else Span(*part) for part in parts)
    return tuple(Span(clean(span.text), span.style) for span in spans if span.text)


def plain(lines: Iterable[Line]) -> str:
    """Return lines as text without styles, a line feed after each."""
    return "".join("".join(span.text for span in row).rstrip() + "\n" for row in lines)


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def pad(text: str, width: int) -> str:
    """Return a text filled with spaces to a width in terminal columns."""
    return text + " " * (width - cells(text))
