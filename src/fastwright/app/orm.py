"""Database statements: how SQLAlchemy and SQLModel build and run them.

Pure functions from what is called on what to the type that comes out.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from fastwright.app.symbols import Class
from fastwright.app.types import (
    UNKNOWN,
    Alternatives,
    Awaitable,
    ClassObject,
    Instance,
    LoadOption,
    Query,
    Result,
    Sequence,
    Statement,
    Type,
    row,
)
from fastwright.read import syntax as s

SYNC_SESSIONS = frozenset(
    {
        "sqlalchemy.orm.Session",
        "sqlalchemy.orm.scoped_session",
        "sqlmodel.Session",
        "sqlalchemy.engine.Connection",
        "sqlalchemy.Connection",
        "flask_sqlalchemy.session.Session",
    }
)
ASYNC_SESSIONS = frozenset(
    {
        "sqlalchemy.ext.asyncio.AsyncSession",
        "sqlalchemy.ext.asyncio.async_scoped_session",
        "sqlalchemy.ext.asyncio.AsyncConnection",
        "sqlmodel.ext.asyncio.session.AsyncSession",
    }
)
SESSIONS = SYNC_SESSIONS | ASYNC_SESSIONS

LOADERS = frozenset(
    {
        "sqlalchemy.orm.selectinload",
        "sqlalchemy.orm.joinedload",
        "sqlalchemy.orm.subqueryload",
        "sqlalchemy.orm.contains_eager",
        "sqlalchemy.orm.immediateload",
        "sqlalchemy.orm.selectin_polymorphic",
        "sqlalchemy.orm.lazyload",
        "sqlalchemy.orm.raiseload",
        "sqlalchemy.orm.noload",
    }
)
STATEMENTS = {
    "sqlalchemy.select": "select",
    "sqlalchemy.insert": "insert",
    "sqlalchemy.update": "update",
    "sqlalchemy.delete": "delete",
    "sqlalchemy.text": "text",
    "sqlalchemy.dialects.postgresql.insert": "insert",
    "sqlalchemy.dialects.sqlite.insert": "insert",
    "sqlalchemy.dialects.mysql.insert": "insert",
}

EXECUTING = frozenset(
    {"execute", "exec", "scalars", "scalar", "stream", "stream_scalars", "scalar_one",
     "scalar_one_or_none"}
)  # fmt: skip
"""Session methods that run a statement."""

LOADING = frozenset({"get", "get_one", "refresh", "merge"})
"""Session methods that read rows without a statement."""

WRITING = frozenset({"add", "add_all", "delete", "flush", "commit", "merge", "bulk_save_objects",
                     "bulk_insert_mappings", "bulk_update_mappings"})  # fmt: skip

LEGACY_EXECUTING = frozenset(
    {"all", "first", "one", "one_or_none", "scalar", "count", "get", "delete", "update", "exists",
     "scalars", "__iter__"}
)  # fmt: skip
"""Methods of ``session.query(...)`` that run the statement."""

AGGREGATES = frozenset({"count", "sum", "max", "min", "avg", "exists", "coalesce"})
_FILTERING = frozenset({"where", "filter", "filter_by", "having"})
_ONE_ROW = frozenset(
    {"first", "one", "one_or_none", "scalar", "scalar_one", "scalar_one_or_none", "fetchone", "get"}
)
_ROWS = frozenset({"all", "fetchall", "fetchmany", "partitions"})


def statement(kind: str, call: s.Call, args: Seq[Type], base: Query) -> Statement:
    """Return the statement that ``select(...)`` and its like begin."""
    tables: list[Class] = []
    entity: Class | None = None
    aggregate = False
    for arg, found in zip(call.args, args, strict=False):
        if isinstance(found, ClassObject) and isinstance(found.cls, Class):
            tables.append(found.cls)
            entity = found.cls if len(call.args) == 1 else None
        elif (owner := column_owner(found)) is not None:
            tables.append(owner)
        aggregate = aggregate or is_aggregate(arg)
    return Statement(
        base.refine(kind=kind, tables=tuple(tables), entity=entity, aggregate=aggregate)
    )


def column_owner(found: Type) -> Class | None:
    """Return the table of ``Table.column`` as a value, or None."""
    if isinstance(found, Instance) and found.cls == "column" and found.args:
        owner = found.args[0]
        if isinstance(owner, ClassObject) and isinstance(owner.cls, Class):
            return owner.cls
    return None


def is_aggregate(node: s.Expr) -> bool:
    """Return whether an expression in a column list is ``func.count(...)`` or the like."""
    return any(
        isinstance(inner, s.Call)
        and s.last_name(inner.func) in AGGREGATES
        and "func" in (s.dotted(inner.func) or "").split(".")
        for inner in s.walk(node)
    )


def refine(query: Query, method: str, call: s.Call, args: Seq[Type]) -> Type | None:
    """Return the statement after ``statement.method(...)``; None if the method is not known."""
    query = query.refine(steps=(*query.steps, call))
    if method in _FILTERING:
        given = (*call.args, *(keyword.value for keyword in call.keywords))
        return Statement(query.refine(filters=query.filters + given))
    if method in {"limit", "fetch"}:
        return Statement(query.refine(limited=True))
    if method == "slice":
        return Statement(query.refine(limited=True))
    if method == "order_by":
        return Statement(query.refine(ordered=True))
    if method == "group_by":
        return Statement(query.refine(grouped=True))
    if method == "with_for_update":
        return Statement(query.refine(locked=True))
    if method == "options":
        return Statement(with_options(query, args))
    if method in {"select_from", "join", "outerjoin"}:
        joined = tuple(
            found.cls
            for found in args
            if isinstance(found, ClassObject) and isinstance(found.cls, Class)
        )
        if method == "select_from" and not query.tables:
            return Statement(query.refine(tables=joined))
        return Statement(query)
    if method in {"with_only_columns", "returning"}:
        aggregate = any(is_aggregate(arg) for arg in call.args)
        entity = next(
            (f.cls for f in args if isinstance(f, ClassObject) and isinstance(f.cls, Class)), None
        )
        changed = query.refine(entity=entity if len(args) == 1 else None, aggregate=aggregate)
        return Statement(changed)
    if query.legacy and method in LEGACY_EXECUTING:
        return _legacy(query, method)
    if method in {"subquery", "cte", "scalar_subquery", "alias", "exists", "label", "as_scalar"}:
        return UNKNOWN
    return Statement(query)


def _legacy(query: Query, method: str) -> Type:
    rows = row(Result(query, scalar=True))
    if method == "all":
        return Sequence("list", rows)
    if method in {"first", "one", "one_or_none", "get"}:
        return rows
    return UNKNOWN


def with_options(query: Query, args: Seq[Type]) -> Query:
    """Return the statement with loading options added; an unreadable one makes them unknown."""
    options = list(query.options)
    known = query.options_known
    for found in args:
        if isinstance(found, LoadOption):
            options.append(found)
        else:
            known = False
    return query.refine(options=tuple(options), options_known=known)


def load_option(name: str, call: s.Call) -> LoadOption | None:
    """Return the option of ``selectinload(Order.items)``; None when the path cannot be read."""
    path: list[str] = []
    for arg in call.args:
        if isinstance(arg, s.Attribute):
            path.append(arg.attr)
        elif (text := s.string(arg)) is not None:
            path.extend(text.split("."))
        else:
            return None
    return LoadOption(name.rpartition(".")[2], tuple(path)) if path else None


def chain_option(option: LoadOption, call: s.Call) -> LoadOption | None:
    """Return the option after ``.selectinload(Item.product)`` and the like."""
    if s.last_name(call.func) in {"load_only", "options", "defer", "undefer"}:
        return option
    inner = load_option(s.last_name(call.func) or "", call)
    return LoadOption(inner.strategy, option.path + inner.path) if inner is not None else None


def run(method: str, args: Seq[Type], *, is_async: bool) -> Type | None:
    """Return what a session method gives; None for one that is not about statements."""
    given = args[0] if args else UNKNOWN
    found = _run(method, given)
    if found is None or not is_async:
        return found
    return Awaitable(found)


def _run(method: str, given: Type) -> Type | None:
    if method in {"get", "get_one", "merge"}:
        if isinstance(given, ClassObject):
            return Instance(given.cls)
        return given if method == "merge" else UNKNOWN
    if method not in EXECUTING:
        return None
    if isinstance(given, Alternatives):
        given = next((o for o in given.options if isinstance(o, Statement)), UNKNOWN)
    if not isinstance(given, Statement):
        return UNKNOWN
    query = given.query
    if method in {"scalar", "scalar_one", "scalar_one_or_none"}:
        return row(Result(query, scalar=True))
    return Result(query, scalar=method in {"exec", "scalars", "stream_scalars"})


def of_result(result: Result, method: str) -> Type | None:
    """Return what a method of a result gives; None for one that is not known."""
    if method in {"scalars", "unique", "mappings", "tuples", "execution_options", "yield_per"}:
        return Result(result.query, scalar=result.scalar or method == "scalars")
    if method in _ROWS:
        return Sequence("list", row(result))
    if method in _ONE_ROW:
        scalar = result.scalar or method.startswith("scalar")
        return row(Result(result.query, scalar=scalar))
    return None
