"""What columns of tables are in Python's words."""

from __future__ import annotations

import msgspec

from fastwright.app.model import App
from fastwright.app.models import Column
from fastwright.app.symbols import Class
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s
from fastwright.verify.model import may_be_null

_TYPES = {"String": "str", "Text": "str", "Unicode": "str", "UnicodeText": "str",
          "Integer": "int", "BigInteger": "int", "SmallInteger": "int", "Boolean": "bool",
          "Float": "float"}  # fmt: skip
_ALSO = {"VARCHAR": "str", "CHAR": "str", "TEXT": "str", "AutoString": "str", "INTEGER": "int",
         "BIGINT": "int", "BOOLEAN": "bool", "Double": "float", "Date": "date",
         "DateTime": "datetime", "Numeric": "Decimal", "DECIMAL": "Decimal", "NUMERIC": "Decimal",
         "UUID": "UUID", "Uuid": "UUID"}  # fmt: skip
_OF_PYTHON = {"builtins.str": "str", "builtins.int": "int", "builtins.bool": "bool",
              "builtins.float": "float", "decimal.Decimal": "Decimal", "datetime.date": "date",
              "datetime.datetime": "datetime", "uuid.UUID": "UUID",
              "pydantic.EmailStr": "str", "pydantic.networks.EmailStr": "str"}  # fmt: skip
_NO_TYPES = frozenset(
    {"ForeignKey", "Identity", "Sequence", "CheckConstraint", "Computed", "FetchedValue"}
)


class Held(msgspec.Struct, frozen=True):
    """What the database gives for a column: ``str``, ``Decimal``, or an enumeration of the project."""

    kind: str | Class
    optional: bool
    """Whether it may be NULL."""
    places: bool = False
    """Of a Decimal: whether it always comes with places behind the point."""


def old_type(column: Column) -> str | None:
    """Return ``str`` for ``Column(String(50))``; None for types that are not plain ones."""
    given = column.call.args if column.call is not None else []
    kinds = [_TYPES.get(s.last_name(argument) or "") for argument in given]
    return next((kind for kind in kinds if kind is not None), None)


def held(app: App, column: Column) -> Held | None:
    """Return what a column holds, by its type in the database, else by its annotation; None if unknown."""
    described = _described(column)
    explicit = _explicit(described)
    kind = _declared(app, column) if explicit is None else _of_database(app, column, explicit)
    if kind is None:
        return None
    places = kind == "Decimal" and _has_places(column, explicit)
    return Held(kind, _is_optional(column), places)


def _described(column: Column) -> s.Call | None:
    """Return the call that says the type in the database: ``Column``, also within ``Field(sa_column=...)``."""
    inner = column.call.keyword("sa_column") if column.call is not None else None
    return inner if isinstance(inner, s.Call) else column.call


def _explicit(call: s.Call | None) -> s.Expr | None:
    if call is None:
        return None
    named = call.keyword("sa_type") or call.keyword("type_")
    if named is not None or s.last_name(call.func) == "Field":
        return named
    return next(
        (
            argument
            for argument in call.args
            if s.last_name(argument) not in _NO_TYPES and s.string(argument) is None
        ),
        None,
    )


def _of_database(app: App, column: Column, explicit: s.Expr) -> str | Class | None:
    name = s.last_name(explicit) or ""
    call = explicit if isinstance(explicit, s.Call) else None
    if name in {"Enum", "SAEnum"} and call is not None and len(call.args) == 1:
        found = app.linker.expression(call.args[0], column.owner.module)
        return found if isinstance(found, Class) else None
    kind = (_TYPES | _ALSO).get(name)
    if kind == "datetime" and call is not None and (call.args or call.keywords):
        return None  # with a zone: its text depends on it
    if kind == "UUID" and call is not None and call.keyword("as_uuid") is not None:
        return kind if _is(call.keyword("as_uuid"), value=True) else "str"
    if kind == "Decimal" and call is not None and call.keyword("asdecimal") is not None:
        return kind if _is(call.keyword("asdecimal"), value=True) else "float"
    if kind == "float" and call is not None and call.keyword("asdecimal") is not None:
        return None
    return kind


def _declared(app: App, column: Column) -> str | Class | None:
    """Return what the annotation says, where no map of the project's own says what that is in the database."""
    family = app.linker.mro(column.owner)
    if any("type_annotation_map" in c.own_attributes for c in family if isinstance(c, Class)):
        return None
    options = alternatives(column.type)
    if len(options) != 1 or not isinstance(options[0], Instance):
        return None
    cls = options[0].cls
    if isinstance(cls, Class):
        return cls if is_enumeration(app, cls) else None
    if cls == "datetime.datetime" and app.models.is_schema(column.owner):
        return None  # whether it has a zone depends on SQLModel's version
    return _OF_PYTHON.get(cls)


def is_enumeration(app: App, cls: Class) -> bool:
    """Whether a class of the project is an ``Enum``."""
    return any(name.startswith("enum.") for name in app.linker.ancestors(cls))


def _is_optional(column: Column) -> bool:
    if column.primary_key:
        return False
    call = _described(column)
    said = call.keyword("nullable") if call is not None else None
    if said is None and column.call is not None:
        said = column.call.keyword("nullable")
    if isinstance(column.node, s.Assign):
        return not _is(said, value=False)
    annotation: s.Expr = column.node.annotation
    if isinstance(annotation, s.Subscript) and s.last_name(annotation.value) == "Mapped":
        annotation = annotation.slice
    quoted = isinstance(annotation, s.Constant)
    return quoted or may_be_null(annotation) or (said is not None and not _is(said, value=False))


def _has_places(column: Column, explicit: s.Expr | None) -> bool:
    """``Numeric(10, 2)``, and ``Field(decimal_places=2)`` of SQLModel."""
    call = explicit if isinstance(explicit, s.Call) else None
    given = call.argument(1, "scale") if call is not None else None
    if explicit is None and column.call is not None:
        given = column.call.keyword("decimal_places")
    return isinstance(given, s.Constant) and given.kind == "int" and given.value not in {0, None}


def _is(node: s.Expr | None, *, value: bool) -> bool:
    return isinstance(node, s.Constant) and node.kind == "bool" and node.value is value


def is_filled(column: Column) -> bool:
    """Whether a column surely holds something in every row: a key, or one that is not nullable."""
    return not _is_optional(column)
