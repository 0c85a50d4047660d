"""A schema for what a client may set of a new row, in the place of the table as request body."""

from __future__ import annotations

from fastwright.app.model import App
from fastwright.app.models import Column, Table
from fastwright.app.routes import Route
from fastwright.app.symbols import Class, Function
from fastwright.edit.builders import insert_after, insert_before, replace
from fastwright.edit.fix import Edit, Fix, Import
from fastwright.edit.names import bring, is_taken
from fastwright.edit.source import text
from fastwright.read import syntax as s

_KEPT = frozenset(
    {"default", "default_factory", "max_digits", "decimal_places", "max_length", "min_length", "gt",
     "ge", "lt", "le", "multiple_of", "title", "description", "regex", "pattern", "alias"}
)  # fmt: skip


def create_schema(
    app: App, route: Route, function: Function, parameter: s.Parameter, table: Table
) -> Fix | None:
    """Return the fix that takes a new schema, without the key, and makes the row of it; None if it is not plain.

    ``def add(team: Team)`` becomes ``def add(data: TeamCreate)`` with ``team = Team.model_validate(data)``.
    """
    cls, module = table.cls, function.module
    name = f"{cls.name}Create"
    if (
        route.methods != ("POST",)
        or function is not route.endpoint
        or not app.models.is_schema(cls)
    ):
        return None
    if len(app.routes_for(function)) != 1 or not isinstance(parameter.annotation, s.Name):
        return None
    if parameter.default is not None or sum(p.kind == "body" for p in route.parameters) != 1:
        return None
    body = function.node.body[1:] if function.node.doc is not None else function.node.body
    code = _code(app, table, name)
    if (
        code is None
        or not body
        or is_taken(cls.module, name)
        or module.line(body[0]) == module.line(parameter)
    ):
        return None
    data = "data" if not _names(function, "data") else f"new_{parameter.name}"
    imports: tuple[Import, ...] = ()
    written = name
    if module is not cls.module:
        brought = bring(module, cls.module.name, name)
        if brought is None:
            return None
        written, imports = brought.name, brought.imports
    elif cls.node.start > function.node.start:
        return None
    made = f"{parameter.name} = {text(module, parameter.annotation)}.model_validate({data})"
    edits: list[Edit] = [
        replace(module, parameter, f"{data}: {written}"),
        insert_before(module, body[0], f"{made}\n"),
        insert_after(cls.module, cls.node, f"\n\n{code}"),
    ]
    return Fix("contract", tuple(edits), imports)


def _code(app: App, table: Table, name: str) -> str | None:
    cls = table.cls
    keys = [column.name for column in table.columns.values() if column.primary_key]
    base = next(
        (
            each
            for each in app.linker.mro(cls)[1:]
            if isinstance(each, Class)
            and (schema := app.models.schema(each)) is not None
            and schema.fields
            and {*keys}.isdisjoint(schema.fields)
        ),
        None,
    )
    inherited = app.models.schema(base) if base is not None else None
    above = _name_of_base(cls, base)
    if above is None or not keys:
        return None
    lines = []
    for column in table.columns.values():
        if column.primary_key or (inherited is not None and column.name in inherited.fields):
            continue
        line = _line(column) if column.owner is cls else None
        if line is None:
            return None
        lines.append(f"    {line}")
    return f"class {name}({above}):\n" + ("\n".join(lines) or "    pass")


def _name_of_base(cls: Class, base: Class | None) -> str | None:
    """Return how the base of a table is written there: its own, or SQLModel."""
    for node in cls.node.bases:
        if s.last_name(node) == (base.name if base is not None else "SQLModel"):
            return text(cls.module, node)
    return None


def _line(column: Column) -> str | None:
    """Return a column as a field: its type, its default, and what it demands."""
    module = column.owner.module
    if not isinstance(column.node, s.AnnAssign):
        return None
    line, value = f"{column.name}: {text(module, column.node.annotation)}", column.node.value
    if value is None:
        return line
    if value is not column.call or column.call is None:
        return f"{line} = {text(module, value)}"
    if any(keyword.arg is None for keyword in column.call.keywords):
        return None
    kept = [text(module, argument) for argument in column.call.args]
    kept += [text(module, k) for k in column.call.keywords if k.arg in _KEPT]
    if not kept:
        return line
    default = column.call.keyword("default")
    if len(kept) == 1 and default is not None:
        return f"{line} = {text(module, default)}"
    return f"{line} = {text(module, column.call.func)}({', '.join(kept)})"


def _names(function: Function, name: str) -> bool:
    own = (parameter.name for parameter in function.node.params)
    return name in own or any(
        isinstance(node, s.Name) and node.id == name for node in s.walk(*function.node.body)
    )
