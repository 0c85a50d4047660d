"""Moved: where code stands after an edit that changed comments, blank lines and layout only."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import TypeAlias

from fastwright.read.facts import Facts, Header
from fastwright.read.syntax import Node

Range: TypeAlias = tuple[int, int]
"""First byte of a piece of code, and the first byte behind it."""

_POSITIONS = frozenset({"start", "end", "name_start"})


def moved(before: Facts, after: Facts) -> dict[Range, Range] | None:
    """Return for every piece of code where it stands now; None if anything else has changed."""
    ranges: dict[Range, Range] = {}
    pending: list[tuple[object, object]] = [(before.body, after.body)]
    while pending:
        old, new = pending.pop()
        if type(old) is not type(new):
            return None
        if isinstance(old, list) and isinstance(new, list):
            if len(old) != len(new):
                return None
            pending.extend(zip(old, new, strict=True))
        elif isinstance(old, Node) and isinstance(new, Node):
            ranges[old.start, old.end] = (new.start, new.end)
            pending.extend(_parts(old, new, ranges))
        elif old != new:
            return None
    return ranges


def _parts(old: Node, new: Node, ranges: dict[Range, Range]) -> Iterator[tuple[object, object]]:
    for field in old.__struct_fields__:
        if field == "name_start":
            first, now = getattr(old, field), getattr(new, field)
            length = len(getattr(old, "name", "").encode())
            ranges[first, first + length] = (now, now + length)
        elif field not in _POSITIONS:
            name = "body" if field == "raw_body" else field
            yield getattr(old, name), getattr(new, name)


def same_header(before: Header, after: Header) -> bool:
    """Whether two headers say the same, positions and ``ignore`` comments left aside."""
    return (
        not before.broken
        and not after.broken
        and before.marks == after.marks
        and before.classes == after.classes
        and all(
            one is not None
            and other is not None
            and (one.module, one.level, one.names, one.when)
            == (other.module, other.level, other.names, other.when)
            for one, other in zip_longest(before.imports, after.imports)
        )
    )
