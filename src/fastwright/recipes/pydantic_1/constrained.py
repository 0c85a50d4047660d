"""Constrained types of Pydantic 1 (``constr(...)``) as ``Annotated`` types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastwright.edit.builders import replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Planned, Proposal, Stopped
from fastwright.rules.schema._pydantic import from_typing
from fastwright.rules.schema._v1_patterns import pattern

_NUMBERS = frozenset({"gt", "ge", "lt", "le", "multiple_of", "strict"})
_TEXTS = frozenset({"min_length", "max_length", "strict"})
_ITEMS = frozenset({"min_length", "max_length", "min_items", "max_items"})
_RENAMED = {"min_items": "min_length", "max_items": "max_length"}


class _Kind(NamedTuple):
    """What a function constrains, what holds the constraints, and those that mean the same."""

    base: str
    holder: str
    known: frozenset[str]
    origin: str | None = None
    """The module of the type, for one that is not built in."""
    of_items: bool = False
    """Whether the first argument is the type of what is in it."""


_KINDS = {
    "constr": _Kind(
        "str",
        "StringConstraints",
        _TEXTS | {"regex", "pattern", "strip_whitespace", "to_lower", "to_upper"},
    ),
    "conbytes": _Kind("bytes", "Field", _TEXTS),
    "conint": _Kind("int", "Field", _NUMBERS),
    "confloat": _Kind("float", "Field", _NUMBERS | {"allow_inf_nan"}),
    "condecimal": _Kind(
        "Decimal",
        "Field",
        _NUMBERS | {"max_digits", "decimal_places", "allow_inf_nan"},
        "decimal",
    ),
    "condate": _Kind("date", "Field", frozenset({"gt", "ge", "lt", "le"}), "datetime"),
    "conlist": _Kind("list", "Field", _ITEMS, of_items=True),
    "conset": _Kind("set", "Field", _ITEMS, of_items=True),
    "confrozenset": _Kind("frozenset", "Field", _ITEMS, of_items=True),
}


class _Written(NamedTuple):
    text: str
    imports: tuple[Import, ...]


def constrained(module: Module) -> Iterator[Planned]:
    """Yield one change for the constrained types of a file.

    A type says the same wherever it stands: version 2 makes the ``Annotated`` type of each call itself.
    """
    edits: list[Edit] = []
    imports: list[Import] = []
    places: list[str] = []
    for call in _outermost(module):
        place = f"{module.path}:{module.line(call)}"
        written = _annotated(module, call)
        if isinstance(written, str):
            yield Stopped(place, written)
            continue
        edits.append(replace(module, call, written.text))
        imports += written.imports
        places.append(place)
    if edits:
        title = f"constrained types of {module.path} with Annotated"
        yield Proposal(title, tuple(edits), tuple(imports), places=tuple(places))


def _outermost(module: Module) -> Iterator[s.Call]:
    end = 0
    for node in module.walk():
        if isinstance(node, s.Call) and node.start >= end and _kind(module, node) is not None:
            end = node.end
            yield node


def _kind(module: Module, call: s.Call) -> _Kind | None:
    written = module.qualify(call.func) or ""
    home, _, name = written.rpartition(".")
    return _KINDS.get(name) if home in {"pydantic", "pydantic.types"} else None


def _annotated(module: Module, call: s.Call) -> _Written | str:
    """Return the type that a call makes, written out; a sentence where it is not certain."""
    kind, name = _kind(module, call), s.last_name(call.func)
    if kind is None:
        return f"{name} is not known"
    strange = next((k.arg for k in call.keywords if k.arg not in _accepted(kind)), "")
    if strange != "" or len(call.args) > int(kind.of_items):
        return f"{name}({strange or '...'}) has no counterpart in version 2"
    item = call.argument(0, "item_type") if kind.of_items else None
    inside = _item(module, item) if item is not None else None
    if isinstance(inside, str):
        return inside
    constraints = [k for k in call.keywords if k.arg != "item_type"]
    arguments = ", ".join(filter(None, (_constraint(module, k) for k in constraints)))
    if not all(_constraint(module, k) for k in constraints):
        return f"version 2 reads the regular expression of {name} otherwise"
    base = bring(module, kind.origin, kind.base) if kind.origin else None
    annotated, holder = from_typing(module, "Annotated"), bring(module, "pydantic", kind.holder)
    if annotated is None or holder is None or (kind.origin and base is None):
        return f"the names that {name} would need are taken"
    imports = [*(base.imports if base else ()), *(inside.imports if inside else ())]
    written = (base.name if base else kind.base) + (f"[{inside.text}]" if inside else "")
    if arguments:
        written = f"{annotated.name}[{written}, {holder.name}({arguments})]"
        imports += [*annotated.imports, *holder.imports]
    return _Written(written, tuple(imports))


def _constraint(module: Module, keyword: s.Keyword) -> str | None:
    if keyword.arg == "regex":
        written = pattern(module, keyword.value)
        return f"pattern={written}" if written is not None else None
    return f"{_RENAMED.get(keyword.arg or '', keyword.arg)}={text(module, keyword.value)}"


def _accepted(kind: _Kind) -> frozenset[str]:
    return kind.known | {"item_type"} if kind.of_items else kind.known


def _item(module: Module, node: s.Expr) -> _Written | str:
    """Return the type of items, with the constrained types in it written out as well."""
    start, source = node.start, module.source
    parts: list[bytes] = []
    imports: list[Import] = []
    for call in s.walk(node):
        if not isinstance(call, s.Call) or call.start < start or _kind(module, call) is None:
            continue
        inner = _annotated(module, call)
        if isinstance(inner, str):
            return inner
        parts += (source[start : call.start], inner.text.encode())
        imports += inner.imports
        start = call.end
    return _Written(b"".join([*parts, source[start : node.end]]).decode(), tuple(imports))
