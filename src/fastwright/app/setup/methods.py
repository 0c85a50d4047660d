"""Methods of plain values: texts, lists, dicts, and what a settings library gives."""

from __future__ import annotations

import re

from fastwright.app.setup import files, made
from fastwright.app.setup.evaluate import extend, iterate, merge, place_in, set_item
from fastwright.app.setup.machine import Machine
from fastwright.app.setup.natives import declared_default
from fastwright.app.setup.operations import combine, join
from fastwright.app.setup.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    FileValue,
    Foreign,
    Items,
    Method,
    PathValue,
    Table,
    Value,
    choice,
    key_of,
)


def call_method(m: Machine, method: Method, given: Arguments) -> Value:
    """Call a method of a plain value."""
    receiver = method.receiver
    if isinstance(receiver, Items):
        return _items_method(m, receiver, method.name, given)
    if isinstance(receiver, Table):
        return _table_method(receiver, method.name, given)
    if isinstance(receiver, Const) and isinstance(receiver.value, str):
        return _text_method(m, receiver, method.name, given)
    if isinstance(receiver, Foreign):
        return _foreign_method(m, receiver, method.name, given)
    if isinstance(receiver, (PathValue, FileValue)):
        return files.call_method(m, receiver, method.name, given)
    return UNKNOWN


def _foreign_method(m: Machine, receiver: Foreign, name: str, given: Arguments) -> Value:
    if name == "run_until_complete":
        return given.get(0, "future") or UNKNOWN
    router = made.by_factory(m, f"{receiver.name}.{name}", given, receiver)
    return router or declared_default(given) or Foreign(f"{receiver.name}().{name}", given)


def _items_method(m: Machine, items: Items, name: str, given: Arguments) -> Value:
    first = given.get(0, "") if given.positional else None
    if name in {"append", "add", "appendleft"} and first is not None:
        if not (items.kind == "set" and first in items.items):
            items.items.append(first)
        return NONE
    if name in {"extend", "update"} and first is not None:
        found = iterate(m, first)
        extend(items, found)
        return NONE
    if name == "insert" and len(given.positional) > 1:
        place = first.value if isinstance(first, Const) and isinstance(first.value, int) else 0
        items.items.insert(place, given.positional[1])
        return NONE
    if name in {"remove", "discard"} and first is not None:
        if first in items.items:
            items.items.remove(first)
        return NONE
    if name == "clear":
        items.items.clear()
        items.open = False
        return NONE
    if name == "pop" and items.items and not items.open:
        if first is None:
            return items.items.pop()
        position = place_in(items, first)
        return items.items.pop(position) if position is not None else UNKNOWN
    if name == "copy":
        return Items(items.kind, list(items.items), items.open)
    if name == "union" and first is not None:
        return combine(items, "|", first)
    return UNKNOWN


def _table_method(table: Table, name: str, given: Arguments) -> Value:
    if name == "items":
        pairs: list[Value] = [Items("tuple", [k, v]) for k, v in table.entries.values()]
        return Items("list", pairs, table.open)
    if name == "keys":
        return Items("list", [k for k, _ in table.entries.values()], table.open)
    if name == "values":
        return Items("list", [v for _, v in table.entries.values()], table.open)
    if name == "copy":
        return Table(dict(table.entries), table.open, dict(table.sources))
    if name == "update":
        if given.positional:
            merge(table, given.positional[0])
        for key_name, value in given.keywords.items():
            set_item(table, Const(key_name), value)
            source = given.sources.get(key_name)
            if source is not None:
                table.sources[key_name] = source
        return NONE
    if name in {"get", "pop", "setdefault"} and given.positional:
        key = key_of(given.positional[0])
        default = given.get(1, "default") or NONE
        if key is None:
            return default if not table.entries and not table.open else UNKNOWN
        found = table.entries.get(key)
        if found is not None:
            if name == "pop":
                del table.entries[key]
            return found[1]
        if name == "setdefault":
            table.entries[key] = (given.positional[0], default)
            return default
        return (
            choice([default, UNKNOWN])
            if table.open and default is NONE
            else (UNKNOWN if table.open else default)
        )
    return UNKNOWN


_LONGEST = 100_000
"""Longer texts are not made."""

_TEXT = frozenset(
    {
        "strip", "lstrip", "rstrip", "lower", "upper", "title", "capitalize", "replace",
        "removeprefix", "removesuffix",
    }
)  # fmt: skip


def _text_method(m: Machine, text: Const, name: str, given: Arguments) -> Value:
    plain = [v.value for v in given.positional if isinstance(v, Const)]
    if name == "join" and given.positional:
        found = iterate(m, given.positional[0])
        if found is None or found[1]:
            return UNKNOWN
        parts = [each for each in found[0] if isinstance(each, Const)]
        if len(parts) != len(found[0]):
            return UNKNOWN
        if sum(len(str(part.value)) + len(str(text.value)) for part in parts) > _LONGEST:
            return UNKNOWN
        joined = str(text.value).join(str(part.value) for part in parts)
        return Const(joined, any(part.partial for part in parts))
    if name == "format":
        return _format(text, given)
    if len(plain) != len(given.positional) or not isinstance(text.value, str):
        return UNKNOWN
    if name in _TEXT:
        if len(text.value) * max([1, *(len(str(each)) for each in plain)]) > _LONGEST:
            return UNKNOWN
        try:
            made = getattr(text.value, name)(*plain)
            return Const(made, text.partial, text.configured)
        except (TypeError, ValueError):
            return UNKNOWN
    if text.partial:
        return UNKNOWN
    if name in {"startswith", "endswith", "isdigit", "isidentifier"}:
        try:
            made = bool(getattr(text.value, name)(*plain))
            return Const(made, configured=text.configured)
        except (TypeError, ValueError):
            return UNKNOWN
    if name in {"split", "rsplit", "partition", "rpartition", "splitlines"}:
        try:
            return Items("list", [Const(p) for p in getattr(text.value, name)(*plain)])
        except (TypeError, ValueError):
            return UNKNOWN
    return UNKNOWN


_FIELD = re.compile(r"\{(\w*)\}")


def _format(text: Const, given: Arguments) -> Value:
    """``"{} {name}".format(...)``; other fields are not followed."""
    pieces = _FIELD.split(str(text.value))
    plain, names = pieces[::2], pieces[1::2]
    if any("{" in piece or "}" in piece for piece in plain):
        return UNKNOWN
    values: list[Value] = []
    for number, name in enumerate(names):
        position = number if not name else (int(name) if name.isdecimal() else -1)
        values.append(given.get(position, name) or UNKNOWN)
    mixed: list[Value] = [Const(plain[0], text.partial, text.configured)]
    for value, piece in zip(values, plain[1:], strict=True):
        mixed += [value, Const(piece)]
    return join(mixed)
