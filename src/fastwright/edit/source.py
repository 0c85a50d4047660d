"""Source: where things stand in the text of a module, beyond what its syntax tree tells."""

from __future__ import annotations

from fastwright.read import syntax as s
from fastwright.read.module import Module

_SPACE = b" \t\f"


def text(module: Module, node: s.Node) -> str:
    """Return the source of a node, as it is written."""
    return module.source[node.start : node.end].decode()


def newline(source: bytes) -> str:
    """Return how lines end in a file: the first one decides."""
    end = source.find(b"\n")
    return "\r\n" if end > 0 and source[end - 1 : end] == b"\r" else "\n"


def line_start(source: bytes, offset: int) -> int:
    """Return where the line that holds ``offset`` begins."""
    return source.rfind(b"\n", 0, offset) + 1


def next_line(source: bytes, offset: int) -> int:
    """Return where the line behind the one that holds ``offset`` begins, or the end of the file."""
    end = source.find(b"\n", offset)
    return len(source) if end < 0 else end + 1


def indentation(source: bytes, offset: int) -> str:
    """Return the white space before the first thing on the line that holds ``offset``."""
    start = line_start(source, offset)
    end = start
    while end < len(source) and source[end] in _SPACE:
        end += 1
    return source[start:end].decode()


def is_alone(source: bytes, start: int, end: int) -> bool:
    """Whether nothing but white space and a comment shares the lines of a range with it."""
    before = source[line_start(source, start) : start]
    behind = source[end : next_line(source, max(end - 1, start))].strip()
    return not before.strip() and (not behind or behind.startswith(b"#"))
