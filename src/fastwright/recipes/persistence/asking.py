"""What a statement of the database asks, as the name of a method: ``get_by_email``, ``list_active``, ``search``."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import msgspec

from fastwright.app.calls import Execution
from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.read import syntax as s
from fastwright.recipes.persistence.built import Built
from fastwright.recipes.shared.words import snake

_MAYBE = frozenset({"first", "one_or_none", "scalar_one_or_none", "get"})
_ONE = frozenset({"one", "scalar_one", "scalar"})
_MOST = 3
"""Words that the name of a method has behind its verb."""
_BELOW, _ABOVE = frozenset({"<", "<="}), frozenset({">", ">="})
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class _Word(msgspec.Struct, frozen=True):
    """One condition in a word."""

    kind: str
    """by: equals what is given; is: has a fixed value; range: lies on one side of what is given."""
    text: str


def method_name(
    app: App, execution: Execution, table: Table, last: s.Expr, built: Built | None
) -> str:
    """Return the name of the method for a statement; ``last`` is the expression that takes its rows."""
    if execution.by_key:
        return "get"
    query = execution.query
    taking = s.last_name(last.func) if isinstance(last, s.Call) else None
    verb = _verb(execution, taking)
    words = list(dict.fromkeys(_words(app, execution, table, built)))
    by = [word.text for word in words if word.kind == "by"]
    if built is not None and built.optional:
        if verb == "list" and len(by) == 1 and by[0].endswith("_id"):
            return f"list_for_{by[0].removesuffix('_id')}"
        return {"list": "search", "count": "count_matching"}.get(verb, "find")
    if not words or len(words) > _MOST:
        plain = {"count": "count", "list": "list_all", "delete": "delete_all"}.get(verb)
        filters = bool(query is not None and query.filters)
        return f"{verb}_for_{execution.site.caller.name}" if filters or plain is None else plain
    fixed = "".join(f"_{word.text}" for word in words if word.kind == "is")
    ranges = "".join(f"_{word.text}" for word in words if word.kind == "range")
    return f"{verb}{fixed}{_by(verb, by)}{ranges}"


def _by(verb: str, columns: list[str]) -> str:
    if not columns:
        return ""
    if len(columns) == 1 and columns[0].endswith("_id") and verb != "get":
        return f"_for_{columns[0].removesuffix('_id')}"
    return f"_by_{'_and_'.join(columns)}"


def _verb(execution: Execution, taking: str | None) -> str:
    query = execution.query
    if execution.kind == "write":
        return "delete"
    if taking == "count" or (query is not None and query.aggregate):
        return "count"
    if taking == "first" and query is not None and query.ordered:
        ordered = [step for step in query.steps if s.last_name(_func(step)) == "order_by"]
        down = any(isinstance(n, s.Attribute) and n.attr == "desc" for n in s.walk(*ordered))
        return "get_last" if down else "get_first"
    return "get" if taking in _MAYBE | _ONE else "list"


def _func(node: s.Expr) -> s.Expr:
    return node.func if isinstance(node, s.Call) else node


def _words(app: App, execution: Execution, table: Table, built: Built | None) -> Iterator[_Word]:
    """Yield what a statement asks for in every case."""
    query = execution.query
    if query is None:
        return
    others = {each.cls.name for each in app.tables}
    for each in query.filters:
        if built is None or built.always(each):
            yield from _conditions(each, table, others)
    for step in query.steps:
        if isinstance(step, s.Call) and s.last_name(step.func) == "filter_by":
            if built is None or built.always(step):
                yield from (_Word("by", k.arg) for k in step.keywords if k.arg is not None)


def _conditions(node: s.Expr, table: Table, others: AbstractSet[str]) -> Iterator[_Word]:
    """Yield the words of a condition, and of those that it is made of."""
    if isinstance(node, s.Call) and s.last_name(node.func) == "or_":
        words = [
            w.text for each in node.args for w in _conditions(each, table, others) if w.kind == "by"
        ]
        yield from [_Word("by", "_or_".join(dict.fromkeys(words)))] if words else []
    elif isinstance(node, s.Compare) and len(node.comparators) == 1:
        yield from _compared(node, table, others)
    elif isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
        column = _column(node.func.value, table, others)
        if column is not None:
            yield from _called(column, node.func.attr, node.args)
        else:
            for each in (node.func.value, *node.args):
                yield from _conditions(each, table, others)
    elif isinstance(node, (s.Attribute, s.UnaryOp)):
        inner = node.operand if isinstance(node, s.UnaryOp) else node
        column = _column(inner, table, others)
        if column is not None:
            yield _Word("is", column if inner is node else f"not_{column}")
    else:
        for child in s.children(node):
            yield from _conditions(child, table, others)  # type: ignore[arg-type]


def _called(column: str, method: str, given: list[s.Expr]) -> Iterator[_Word]:
    fixed = _fixed(column, given[0]) if len(given) == 1 else None
    if method in {"is_", "is_not", "isnot"} and fixed is not None:
        yield _Word("is", fixed if method == "is_" else f"not_{fixed}")
    elif method in {"in_", "contains", "like", "ilike", "startswith", "endswith"}:
        if not any(isinstance(each, (s.List, s.Tuple)) for each in given):
            yield _Word("by", column)


def _compared(node: s.Compare, table: Table, others: AbstractSet[str]) -> Iterator[_Word]:
    left, right, operator = node.left, node.comparators[0], node.ops[0]
    if _column(left, table, others) is None:
        left, right, operator = right, left, _FLIPPED.get(operator, operator)
    column = _column(left, table, others)
    if column is None or _column(right, table, others) is not None:
        return
    fixed = _fixed(column, right)
    if fixed is not None and operator in {"==", "!="}:
        yield _Word("is", fixed if operator == "==" else f"not_{fixed}")
    elif operator == "==":
        yield _Word("by", column)
    elif operator in _BELOW | _ABOVE and not isinstance(right, s.Constant):
        yield _Word("range", _range(column, operator in _BELOW))


def _range(column: str, is_below: bool) -> str:  # noqa: FBT001 - which side, and nothing else
    if column.endswith("_at"):
        return f"{column.removesuffix('_at')}_{'before' if is_below else 'since'}"
    return f"with_{column}_{'below' if is_below else 'above'}"


def _fixed(column: str, value: s.Expr) -> str | None:
    """Return the word for a value that the statement has fixed: ``active``, ``not_archived``, ``open``."""
    if isinstance(value, s.Constant):
        if value.kind == "bool":
            return column if value.value else f"not_{column}"
        text = s.string(value)
        return text.lower() if text is not None and text.isidentifier() else None
    is_member = isinstance(value, s.Attribute) and isinstance(value.value, s.Name)
    if is_member and isinstance(value, s.Attribute) and isinstance(value.value, s.Name):
        return value.attr.lower() if value.value.id[:1].isupper() else None
    return None


def _column(node: s.Expr, table: Table, others: AbstractSet[str]) -> str | None:
    """Return the column of a table, or of one that is joined, with that one's name."""
    if isinstance(node, s.Call) and s.last_name(node.func) in {"col", "lower"} and node.args:
        node = node.args[0]
    if not isinstance(node, s.Attribute):
        return None
    owner = s.last_name(node.value) or ""
    if owner == table.cls.name:
        return node.attr if node.attr in table.columns else None
    return f"{snake(owner)}_{node.attr}" if owner in others else None
