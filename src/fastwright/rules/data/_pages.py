"""Order and pages: what is added to a statement of one expression."""

from __future__ import annotations

from fastwright.app.model import App
from fastwright.app.types import Query
from fastwright.edit import source as at
from fastwright.read import syntax as s


def key_of(app: App, query: Query) -> str | None:
    """Return the primary key of what a statement selects, as it is written there (``Order.id``)."""
    made, entity = query.node, query.entity
    if entity is None or query.grouped or not isinstance(made, s.Call) or len(made.args) != 1:
        return None
    table = app.models.table(entity)
    if table is None or s.last_name(made.args[0]) != entity.name:
        return None
    keys = [name for name, column in table.columns.items() if column.primary_key]
    return f"{at.text(query.module, made.args[0])}.{keys[0]}" if len(keys) == 1 else None


def in_one_place(query: Query) -> bool:
    """Whether a statement is begun and refined in one function, and nowhere made distinct."""
    if query.function is None:
        return False
    node = query.function.node
    return all(
        isinstance(step, s.Call)
        and isinstance(step.func, s.Attribute)
        and node.start <= step.start
        and step.end <= node.end
        and step.func.attr != "distinct"
        for step in query.steps
    )
