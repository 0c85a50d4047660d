"""What fixes of statements share: where a statement ends, and loading a relationship with it."""

from __future__ import annotations

from fastwright.app.models import Relationship
from fastwright.app.orm import LEGACY_EXECUTING
from fastwright.app.types import Query
from fastwright.edit import source as at
from fastwright.edit.builders import chain_behind
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s


def whole(query: Query) -> s.Expr:
    """Return the expression that makes a statement, with what is called on it in the same line."""
    return max(
        (
            step
            for step in query.steps
            if step.start == query.node.start
            and isinstance(step, s.Call)
            and not (query.legacy and s.last_name(step.func) in LEGACY_EXECUTING)
        ),
        key=lambda step: step.end,
        default=query.node,
    )


def eager(query: Query | None, path: tuple[Relationship, ...]) -> Fix | None:
    """Return the fix that loads a relationship with the rows, where the statement selects them."""
    made = query.node if query is not None else None
    if query is None or query.entity is None or not isinstance(made, s.Call) or len(path) != 1:
        return None
    entity = made.args[0] if len(made.args) == 1 and not made.keywords else None
    if s.last_name(made.func) not in {"select", "query"} or entity is None:
        return None
    if s.last_name(entity) != query.entity.name:
        return None  # another name: an alias of the table
    option = bring(query.module, "sqlalchemy.orm", "selectinload")
    if option is None:
        return None
    loaded = f"{at.text(query.module, entity)}.{path[0].name}"
    written = f".options({option.name}({loaded}))"
    edit = chain_behind(query.module, whole(query), written)
    return Fix("safe", (edit,), option.imports)
