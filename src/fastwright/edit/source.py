"""Source: where things stand in the text of a module, beyond what its syntax tree tells."""

from __future__ import annotations

from collections.abc import Sequence

from fastwright.edit.fix import Edit
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


def blank_lines(source: bytes, offset: int) -> int:
    """Return where the first line that is not blank begins, from the line at ``offset`` on."""
    while offset < len(source) and not source[offset : next_line(source, offset)].strip():
        offset = next_line(source, offset)
    return offset


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


def is_first(source: bytes, offset: int) -> bool:
    """Whether nothing but white space stands before something on its line."""
    return not source[line_start(source, offset) : offset].strip()


def next_sign(source: bytes, offset: int, end: int) -> int:
    """Return where the next sign stands that is neither white space nor comment, or ``end``."""
    while offset < end:
        if source[offset : offset + 1].isspace() or source[offset : offset + 1] == b"\\":
            offset += 1
        elif source[offset : offset + 1] == b"#":
            offset = next_line(source, offset)
        else:
            return offset
    return end


def behind_parentheses(source: bytes, offset: int, end: int) -> int:
    """Return the end of what ends at ``offset`` with the parentheses that are closed before ``end``."""
    while (sign := next_sign(source, offset, end)) < end and source[sign : sign + 1] == b")":
        offset = sign + 1
    return offset


def starts_with(module: Module, node: s.Node, start: str) -> bool:
    """Whether the source of a node begins with a text, white space aside."""
    return text(module, node).replace(" ", "").startswith(start)


def step(module: Module) -> str:
    """Return by how much blocks are indented in a file: as its first function is, or four spaces."""
    for function in module.functions:
        first = function.body[0].start if function.body else function.start
        outer = indentation(module.source, function.start)
        inner = indentation(module.source, first)
        if line_start(module.source, first) != line_start(module.source, function.start):
            return inner.removeprefix(outer) or " " * 4
    return " " * 4


def quote(source: bytes) -> str:
    """Return the quotes that a file writes its texts in: those that it has more of."""
    return "'" if source.count(b"'") > source.count(b'"') else '"'


def text_behind(module: Module, node: s.Node) -> str:
    """Return the rest of the line on which a node ends."""
    end = next_line(module.source, max(node.end - 1, node.start))
    return module.source[node.end : end].decode()


def indented(
    module: Module, start: int, stop: int, inside: s.Node, edits: Sequence[Edit] = ()
) -> str:
    """Return whole lines one step farther to the right, with edits made in them.

    Lines within texts of several lines (of ``inside``) stay where they are.
    """
    source = module.source
    texts = [
        (node.start, node.end)
        for node in s.walk(inside)
        if isinstance(node, (s.Constant, s.JoinedStr))
        and any(quotes in source[node.start : node.end] for quotes in (b'"""', b"'''"))
    ]
    written, offset = "", start
    while offset < stop:
        end = next_line(source, offset)
        line = source[offset:end]
        for edit in sorted(edits, reverse=True):
            if offset <= edit.start < end:
                first, last = edit.start - offset, edit.end - offset
                line = line[:first] + edit.text.encode() + line[last:]
        in_text = any(first < offset < last for first, last in texts)
        is_moved = line.strip() and not in_text
        written += f"{' ' * 4}{line.decode()}" if is_moved else line.decode()
        offset = end
    return written
