"""What columns of tables are in Python's words."""

from __future__ import annotations

from fastwright.app.models import Column
from fastwright.read import syntax as s

_TYPES = {"String": "str", "Text": "str", "Unicode": "str", "UnicodeText": "str",
          "Integer": "int", "BigInteger": "int", "SmallInteger": "int", "Boolean": "bool",
          "Float": "float"}  # fmt: skip


def old_type(column: Column) -> str | None:
    """Return ``str`` for ``Column(String(50))``; None for types that are not plain ones."""
    given = column.call.args if column.call is not None else []
    kinds = [_TYPES.get(s.last_name(argument) or "") for argument in given]
    return next((kind for kind in kinds if kind is not None), None)


def is_filled(column: Column) -> bool:
    """Whether a column surely holds something in every row: a key, or one that is not nullable."""
    if column.primary_key:
        return True
    nullable = column.call.keyword("nullable") if column.call is not None else None
    if isinstance(nullable, s.Constant):
        return nullable.value is False
    written = column.node.annotation if isinstance(column.node, s.AnnAssign) else None
    return written is not None and not any(
        (isinstance(node, s.Constant) and node.kind == "none") or s.last_name(node) == "Optional"
        for node in s.walk(written)
    )
