"""Operators on values that are known, or known in part."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from fastwright.app.setup import files
from fastwright.app.setup.values import (
    HOLE,
    UNKNOWN,
    Choice,
    Const,
    External,
    Foreign,
    Instance,
    Items,
    PathValue,
    Table,
    Unknown,
    Value,
    is_configured,
    key_of,
)

MAX_ITEMS = 20_000
"""Longer collections are cut."""

_LONGEST = 100_000
_LARGEST = 2**63


def join(pieces: list[Value]) -> Value:
    """Return the texts of ``pieces`` one after the other."""
    text, partial = "", False
    setting = any(is_configured(piece) for piece in pieces)
    for piece in pieces:
        if isinstance(piece, Const) and not isinstance(piece.value, bytes):
            text += str(piece.value)
            partial = partial or piece.partial
        elif isinstance(piece, Choice):
            known = [o for o in piece.options if isinstance(o, Const) and o.value is not None]
            text += str(known[0].value) if known else HOLE
            partial = True
        else:
            text += HOLE
            partial = True
    return Const(text, partial, setting) if len(text) <= _LONGEST else UNKNOWN


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "/": operator.truediv,
}


def combine(left: Value, op: str, right: Value) -> Value:
    """Return ``left op right``."""
    if op in {"+", "|"} and isinstance(left, Items):
        if isinstance(right, Items):
            both = left.items + right.items
            opened = left.open or right.open or len(both) > MAX_ITEMS
            return Items(left.kind, both[:MAX_ITEMS], opened)
        return Items(left.kind, list(left.items), open=True)
    if op == "|" and isinstance(left, Table) and isinstance(right, Table):
        return Table({**left.entries, **right.entries}, left.open or right.open)
    if op == "/" and isinstance(left, PathValue):
        return files.joined(left, right)
    if op == "+" and (_is_text(left) or _is_text(right)):
        return join([left, right])
    if isinstance(left, Const) and isinstance(right, Const) and not left.partial:
        if op == "%" and isinstance(left.value, str):
            return Const(left.value.replace("%s", str(right.value), 1), right.partial)
        if op in _ARITHMETIC and _is_number(left) and _is_number(right):
            return _computed(_ARITHMETIC[op], left.value, right.value)
    return UNKNOWN


def _computed(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Value:  # noqa: ANN401
    try:
        made = function(left, right)
    except (ArithmeticError, ValueError):
        return UNKNOWN
    return Const(made) if abs(made) < _LARGEST else UNKNOWN


def _is_text(value: Value) -> bool:
    return isinstance(value, Const) and isinstance(value.value, str)


def _is_number(value: Const) -> bool:
    return isinstance(value.value, (int, float)) and not value.partial


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compare(left: Value, op: str, right: Value) -> bool | None:
    """Return whether ``left op right`` holds, None if that is not known."""
    if op in {"is", "=="}:
        return same(left, right)
    if op in {"is not", "!="}:
        equal = same(left, right)
        return None if equal is None else not equal
    if op in {"in", "not in"}:
        found = _contains(right, left)
        if found is None:
            return None
        return found if op == "in" else not found
    if op in _ORDER:
        try:
            return bool(_ORDER[op](_plain(left), _plain(right)))
        except (TypeError, ValueError):
            return None
    return None


def _plain(value: Value) -> Any:  # noqa: ANN401 - whatever Python compares
    """Return a value as Python's own. Raises ValueError if it is not known."""
    if isinstance(value, Const) and not value.partial:
        return value.value
    if isinstance(value, Items) and not value.open and value.kind in {"list", "tuple"}:
        return tuple(_plain(each) for each in value.items)
    raise ValueError


def same(left: Value, right: Value) -> bool | None:
    """Return whether two values are equal, None if that is not known."""
    if left is right and not isinstance(left, (Unknown, Choice)):
        return True
    if isinstance(left, Const) and isinstance(right, Const):
        if left.partial or right.partial:
            return None
        return left.value == right.value
    if isinstance(left, Choice) or isinstance(right, Choice):
        return None
    if isinstance(left, (Unknown, Foreign)) or isinstance(right, (Unknown, Foreign)):
        return None
    if isinstance(left, External) and isinstance(right, External):
        return True if left.name == right.name else None
    if isinstance(left, External) or isinstance(right, External):
        return None
    if isinstance(left, Items) and isinstance(right, Items):
        if left.open or right.open or left.kind != right.kind or left.kind == "set":
            return None
        if len(left.items) != len(right.items):
            return False
        answers = {same(a, b) for a, b in zip(left.items, right.items, strict=True)}
        if False in answers:
            return False
        return None if None in answers else True
    if isinstance(left, Instance) and isinstance(right, Instance):
        return None
    return False


def _contains(container: Value, item: Value) -> bool | None:
    if isinstance(container, External) and container.name == "os.environ":
        return False
    if isinstance(container, Const) and isinstance(item, Const):
        if container.partial or item.partial:
            return None
        if isinstance(container.value, str) and isinstance(item.value, str):
            return item.value in container.value
        return None
    if isinstance(container, Table):
        key = key_of(item)
        if key is None:
            return False if not container.entries and not container.open else None
        if key in container.entries:
            return True
        return None if container.open else False
    if isinstance(container, Items):
        answers = {same(item, each) for each in container.items}
        if True in answers:
            return True
        return None if None in answers or container.open else False
    return None
