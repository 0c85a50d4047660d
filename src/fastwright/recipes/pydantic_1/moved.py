"""What Pydantic 1 kept in another place, or under another name, than version 2."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.edit.builders import replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken
from fastwright.edit.source import is_alone, line_start, next_line, text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Planned, Proposal, Stopped

_MOVED = {
    "pydantic.Color": ("pydantic_extra_types.color", "Color"),
    "pydantic.color.Color": ("pydantic_extra_types.color", "Color"),
    "pydantic.PaymentCardNumber": ("pydantic_extra_types.payment", "PaymentCardNumber"),
    "pydantic.payment.PaymentCardNumber": ("pydantic_extra_types.payment", "PaymentCardNumber"),
    "pydantic.payment.PaymentCardBrand": ("pydantic_extra_types.payment", "PaymentCardBrand"),
    "pydantic.error_wrappers.ValidationError": ("pydantic", "ValidationError"),
    "pydantic.PyObject": ("pydantic", "ImportString"),
    "pydantic.types.PyObject": ("pydantic", "ImportString"),
    "pydantic.validate_arguments": ("pydantic", "validate_call"),
    "pydantic.decorator.validate_arguments": ("pydantic", "validate_call"),
}
_PARSE = {
    "parse_obj_as": "validate_python",
    "parse_raw_as": "validate_json",
    "schema_of": "json_schema",
}
"""Functions of a type, and a value -> the method of ``TypeAdapter``."""


def moved(module: Module) -> Iterator[Planned]:
    """Yield one change for the imports of a file that version 2 has elsewhere."""
    edits: list[Edit] = []
    imports: list[Import] = []
    places: list[str] = []
    for statement in module.facts.body:
        if not isinstance(statement, s.ImportFrom) or statement.level:
            continue
        gone = [a for a in statement.names if f"{statement.module}.{a.name}" in _MOVED]
        if not gone:
            continue
        place = f"{module.path}:{module.line(statement)}"
        changed = _elsewhere(module, statement, gone)
        if changed is None:
            yield Stopped(place, "a comment, or another use of the new name, stands in the way")
            continue
        edits += changed[0]
        imports += changed[1]
        places.append(place)
    if edits:
        title = f"imports of {module.path} from where version 2 has them"
        yield Proposal(title, tuple(edits), tuple(imports), places=tuple(places))


def _elsewhere(
    module: Module, statement: s.ImportFrom, gone: list[s.Alias]
) -> tuple[list[Edit], list[Import]] | None:
    source = module.source
    if b"#" in source[statement.start : statement.end]:
        return None
    if not is_alone(source, statement.start, statement.end):
        return None
    imports: list[Import] = []
    edits: list[Edit] = []
    for alias in gone:
        home, name = _MOVED[f"{statement.module}.{alias.name}"]
        imports.append(Import(module.path, home, name, alias.asname))
        if alias.asname is None and name != alias.name:
            if is_taken(module, name):
                return None
            edits += [
                replace(module, node, name)
                for node in module.walk()
                if isinstance(node, s.Name) and node.id == alias.name
            ]
    kept = [text(module, alias) for alias in statement.names if alias not in gone]
    if kept:
        written = f"from {statement.module} import {', '.join(kept)}"
        edits.append(replace(module, statement, written))
    else:
        start = line_start(source, statement.start)
        edits.append(Edit(module.path, start, next_line(source, statement.end - 1), ""))
    return edits, imports


def parsed(module: Module) -> Iterator[Planned]:
    """``parse_obj_as(T, value)`` becomes ``TypeAdapter(T).validate_python(value)``, and so do its like."""
    edits: list[Edit] = []
    places: list[str] = []
    brought = bring(module, "pydantic", "TypeAdapter")
    for node in module.walk():
        if not isinstance(node, s.Call):
            continue
        home, _, name = (module.qualify(node.func) or "").rpartition(".")
        if home not in {"pydantic", "pydantic.tools"} or name not in _PARSE:
            continue
        place = f"{module.path}:{module.line(node)}"
        wanted = 1 if name == "schema_of" else 2
        plain = len(node.args) == wanted and not any(isinstance(a, s.Starred) for a in node.args)
        if brought is None or node.keywords or not plain:
            yield Stopped(place, f"{name} with other arguments than a type and a value")
            continue
        kind, *value = (text(module, argument) for argument in node.args)
        written = f"{brought.name}({kind}).{_PARSE[name]}({''.join(value)})"
        edits.append(replace(module, node, written))
        places.append(place)
    if edits and brought is not None:
        title = f"values of {module.path} are parsed with TypeAdapter"
        yield Proposal(title, tuple(edits), brought.imports, places=tuple(places))
