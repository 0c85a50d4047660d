"""What a statement asks for: rows of a table, or a number of them, by the value of one column."""

from __future__ import annotations

from typing import Literal

import msgspec

from fastwright.app.calls import Execution
from fastwright.app.model import App
from fastwright.app.models import Column, Table
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import ClassObject, Instance, Type, alternatives
from fastwright.edit import source as at
from fastwright.read import syntax as s
from fastwright.recipes.shared.columns import old_type

_TAKEN: dict[tuple[str, ...], str] = {
    ("exec", "first"): "one",
    ("exec", "one_or_none"): "one",
    ("execute", "scalar_one_or_none"): "one",
    ("execute", "scalars", "first"): "one",
    ("execute", "scalars", "one_or_none"): "one",
    ("scalars", "first"): "one",
    ("scalars", "one_or_none"): "one",
    ("scalar",): "one",
    ("exec", "all"): "many",
    ("execute", "scalars", "all"): "many",
    ("scalars", "all"): "many",
    ("exec", "one"): "value",
    ("execute", "scalar"): "value",
    ("execute", "scalar_one"): "value",
    ("scalars", "one"): "value",
}
"""What a session method and the methods behind it give."""
_OF_QUERY = {"first": "one", "one_or_none": "one", "all": "many", "scalar": "value",
             "count": "value"}  # fmt: skip
_PLAIN_TEXT = frozenset({"Column", "mapped_column", "Field", "String", "Text", "Unicode", "AutoString",
                         "ForeignKey"})  # fmt: skip
_SIMPLE = (s.Name, s.Attribute, s.Constant, s.Compare)
_BUILDING = frozenset({"where", "filter", "filter_by", "order_by", "select_from", "join", "outerjoin",
                       "options"})  # fmt: skip
_NUMBERS = {"count": "count", "sum": "total", "max": "highest", "min": "lowest", "avg": "average"}


class Refused(Exception):  # noqa: N818 - no error: the reason why a lookup stays
    """Why a lookup stays as it is, and where the reason stands."""

    def __init__(self, reason: str, node: s.Node | None = None) -> None:
        super().__init__(reason)
        self.reason, self.node = reason, node


class Key(msgspec.Struct, frozen=True, eq=False):
    """The column by which is asked."""

    name: str
    written: str
    """As the statement names it: ``Product.sku``."""
    own: str = ""
    """``product.sku``."""
    refers: str | None = None
    """The column that it is a foreign key to: ``product.id``."""
    type: str | None = None
    is_exact: bool = False
    """Whether a database compares its texts as Python does."""
    is_unique: bool = False
    is_never_null: bool = False


class Asked(msgspec.Struct, frozen=True, eq=False):
    """What a statement asks for."""

    kind: Literal["one", "many", "value"]
    table: Table | None
    """The table whose rows come back, or are counted, where it is a class."""
    model: str
    """The table as it is written."""
    column: Key
    key: s.Expr
    """The value of the column, where it is asked for."""
    statement: s.Expr | None
    """None for ``session.get``."""
    compared: s.Expr | None = None
    conditions: tuple[s.Expr, ...] = ()
    """What else is asked of the rows."""
    legacy: bool = False
    ordered: bool = False
    options: tuple[s.Expr, ...] = ()
    """What is loaded with a row, of ``session.get(..., options=[...])``."""
    number: str = ""
    """``count``, ``sum``: what is asked of the rows together."""

    @property
    def missing(self) -> str:
        """What there is where no row is."""
        if self.kind == "many":
            return ", []"
        return ", 0" if self.number == "count" else ""

    @property
    def noun(self) -> str:
        """What a number of rows is called."""
        return _NUMBERS.get(self.number, "value")


class Run(msgspec.Struct, frozen=True, eq=False):
    """A statement that is run, and what is taken from what it gives."""

    function: Function
    execution: Execution
    taken: tuple[str, ...]
    names: frozenset[str]
    """Names of which one is the key, or holds it."""
    named: dict[str, s.Expr] = {}
    """What names stand for that a function reads once."""
    own: Class | None = None
    """The repository whose inherited method this is."""


def asked_by(app: App, run: Run) -> Asked:
    """Return what a statement asks for by one key."""
    execution, call, taken = run.execution, run.execution.site.node, run.taken
    method = execution.site.method
    if execution.by_key and execution.query is None:
        options = call.keyword("options")
        if taken or method != "get" or len(call.args) != 2:
            raise Refused("more than a lookup by key")
        if call.keywords and (len(call.keywords) > 1 or not isinstance(options, s.List)):
            raise Refused("more than a lookup by key")
        asked = _by_key(app, run, call.args[0], call.args[1], legacy=False)
        given = tuple(options.elts) if isinstance(options, s.List) else ()
        return msgspec.structs.replace(asked, options=given)
    query = execution.query
    if query is None or query.locked:
        raise Refused("no plain lookup of one row")
    if query.legacy:
        inner = call.func.value if isinstance(call.func, s.Attribute) else None
        if method == "get" and isinstance(inner, s.Call) and inner is query.node and call.args:
            return _by_key(app, run, inner.args[0], call.args[0], legacy=True)
        kind = _OF_QUERY.get(method)
        if taken or kind is None or inner is None:
            raise Refused(f"`.{method}()` is more than a lookup")
        return _by_filter(app, run, inner, kind)
    kind = _TAKEN.get((method, *taken))
    if kind is None or len(call.args) != 1:
        raise Refused(f"`.{'.'.join(taken) or method}()` is more than a lookup")
    if method == "scalar" and query.aggregate:
        kind = "value"
    statement = call.args[0]
    if isinstance(statement, s.Name):
        statement = run.named.get(statement.id, statement)
    return _by_filter(app, run, statement, kind)


def _table(app: App, run: Run, model: s.Expr) -> Table:
    if run.own is not None:
        return _own_table(app, run.own, model)
    found = app.types.of(model, Where(run.function.module, run.function))
    cls = found.cls if isinstance(found, ClassObject) else None
    table = app.models.table(cls) if isinstance(cls, Class) else None
    if table is None or s.dotted(model) is None or s.last_name(model) != table.cls.name:
        raise Refused("the table is not known")
    return table


def _own_table(app: App, own: Class, model: s.Expr) -> Table:
    """Return what ``self.model`` is in a repository that names its table."""
    found = None
    if isinstance(model, s.Attribute) and s.dotted(model.value) == "self":
        found = app.linker.class_attribute(own, model.attr)
    named = found[1].value if found is not None and found[0] is own else None
    cls = app.linker.expression(named, own.module)
    table = app.models.table(cls) if isinstance(cls, Class) else None
    if table is None or s.dotted(named) != table.cls.name:
        raise Refused("the table is not known")
    return table


def _by_key(app: App, run: Run, model: s.Expr, key: s.Expr, *, legacy: bool) -> Asked:
    table = _table(app, run, model)
    keys = [column for column in table.columns.values() if column.primary_key]
    if len(keys) != 1:
        raise Refused("no single primary key")
    written = at.text(run.function.module, model) if run.own is None else table.cls.name
    column = _column(app, table, written, keys[0])
    return Asked("one", table, written, column, key, None, legacy=legacy)


def _by_filter(app: App, run: Run, statement: s.Expr, kind: str) -> Asked:
    """``select(Table).where(Table.key == item.key)``."""
    given: list[s.Expr] = []
    named: list[s.Keyword] = []
    built: set[str] = set()
    node = statement
    while isinstance(node, s.Call) and s.last_name(node.func) in _BUILDING:
        name = s.last_name(node.func) or ""
        built.add(name)
        if name in {"where", "filter", "filter_by"}:
            given.extend(node.args)
            named.extend(node.keywords)
        elif mentions(node, run.names) and any(mentions(each, run.names) for each in node.args):
            raise Refused("not by one key", statement)
        node = node.func.value if isinstance(node.func, s.Attribute) else s.Opaque(0, 0)
    if not isinstance(node, s.Call) or s.last_name(node.func) not in {"select", "query"}:
        raise Refused("the statement does more than find a row", statement)
    plain = {"where", "filter", "filter_by"}
    if built - plain - ({"order_by", "options"} if kind == "many" else set()) and kind != "value":
        raise Refused("the statement does more than find a row", statement)
    if len(node.args) != 1 or node.keywords:
        raise Refused("the statement does more than find a row", statement)
    legacy = s.last_name(node.func) == "query"
    number = _number(node.args[0]) if kind == "value" else ""
    counts_rows = run.execution.site.method == "count" and not built - plain
    if kind == "value" and not number and not counts_rows:
        raise Refused("the statement does more than find a row", statement)
    module = run.function.module
    table = _table(app, run, node.args[0]) if kind != "value" or counts_rows else None
    model = at.text(module, node.args[0]) if table is not None else ""
    if named:
        column = table.columns.get(named[0].arg or "") if table is not None else None
        if given or len(named) > 1 or column is None or table is None or kind != "one":
            raise Refused("the statement does more than find a row", statement)
        key = _column(app, table, model, column)
        return _unique(Asked("one", table, model, key, named[0].value, statement, legacy=legacy))
    keyed = [each for each in given if mentions(each, run.names)]
    if len(keyed) != 1:
        raise Refused("not by one key", statement)
    others = tuple(each for each in given if each is not keyed[0])
    if kind == "one" and any(not isinstance(n, _SIMPLE) for each in others for n in s.walk(each)):
        raise Refused("a condition that is not a plain comparison", statement)
    column_of, value, owner = _compared(app, run, keyed[0], table)
    found = Asked(
        kind, table or owner, model, column_of, value, statement, keyed[0], others, legacy,  # type: ignore[arg-type]
        "order_by" in built, number=number or "count" * counts_rows,
    )  # fmt: skip
    return _unique(found) if kind == "one" else found


def _unique(found: Asked) -> Asked:
    if not found.column.is_unique:
        raise Refused(f"{found.column.name} is not unique")
    return found


def _number(node: s.Expr) -> str:
    """Return ``count`` for ``func.count(...)``."""
    if isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
        if s.last_name(node.func.value) == "func" and node.func.attr in _NUMBERS:
            return node.func.attr
    return ""


def mentions(node: s.Node, names: frozenset[str] | set[str]) -> bool:
    """Whether one of some names is read."""
    return any(isinstance(inner, s.Name) and inner.id in names for inner in s.walk(node))


def _compared(
    app: App, run: Run, node: s.Expr, table: Table | None
) -> tuple[Key, s.Expr, Table | None]:
    """Return the column and the value of ``Table.column == value``, and the table."""
    if isinstance(node, s.Compare) and node.ops == ["=="]:
        for one, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
            named = one.args[0] if isinstance(one, s.Call) and len(one.args) == 1 else one
            if not isinstance(named, s.Attribute) or mentions(named, run.names):
                continue
            key = _of_class(app, run, named, table) or _of_core_table(app, run, named)
            if key is not None:
                return key[0], other, key[1]
    raise Refused("not by the value of a column", node)


def _of_class(
    app: App, run: Run, node: s.Attribute, table: Table | None
) -> tuple[Key, Table] | None:
    found = app.types.of(node.value, Where(run.function.module, run.function))
    cls = found.cls if isinstance(found, ClassObject) else None
    owner = app.models.table(cls) if isinstance(cls, Class) else None
    if owner is None or (table is not None and owner.cls is not table.cls):
        return None
    column = owner.columns.get(node.attr)
    if column is None:
        return None
    return _column(app, owner, at.text(run.function.module, node.value), column), owner


def _of_core_table(app: App, run: Run, node: s.Attribute) -> tuple[Key, None] | None:
    """``post_tags.c.tag_id`` of ``post_tags = Table("post_tags", ..., Column("tag_id", ...))``."""
    base = node.value
    if not isinstance(base, s.Attribute) or base.attr not in {"c", "columns"}:
        return None
    symbol = app.linker.expression(base.value, run.function.module, run.function)
    made = symbol.value if isinstance(symbol, Variable) else None
    if not isinstance(made, s.Call) or s.last_name(made.func) != "Table":
        return None
    for column in made.args:
        if not isinstance(column, s.Call) or s.last_name(column.func) != "Column":
            continue
        if not column.args or s.string(column.args[0]) != node.attr:
            continue
        refers = next(
            (
                s.string(each.args[0])
                for each in column.args
                if isinstance(each, s.Call) and s.last_name(each.func) == "ForeignKey" and each.args
            ),
            None,
        )
        never_null = _is_true(column.keyword("primary_key"))
        written = at.text(run.function.module, node)
        return Key(node.attr, written, refers=refers, is_never_null=never_null), None
    return None


def key_of(app: App, table: Table, column: Column) -> Key:
    """Return a column of a row as one by which could be asked."""
    return _column(app, table, table.cls.name, column)


def _is_true(node: s.Expr | None) -> bool:
    return isinstance(node, s.Constant) and node.value is True


def _column(app: App, table: Table, model: str, column: Column) -> Key:
    never_null = column.primary_key or _is_never_null(column)
    return Key(
        column.name,
        f"{model}.{column.name}",
        f"{table.name}.{column.name}",
        column.foreign_key,
        type_name(column.type) or _old_name(column),
        _is_exact(app, column),
        column.primary_key or (column.unique and never_null),
        never_null,
    )


def type_name(found: Type) -> str | None:
    """Return the name of the only class that a value may be of."""
    names = {o.cls for o in alternatives(found) if isinstance(o, Instance)}
    name = next(iter(names)) if len(names) == 1 else None
    return name if isinstance(name, str) else None


def _old_name(column: Column) -> str | None:
    found = old_type(column)
    return f"builtins.{found}" if found is not None else None


def _is_never_null(column: Column) -> bool:
    """Whether no row has NULL there: ``== None`` would find it."""
    nullable = column.call.keyword("nullable") if column.call is not None else None
    if isinstance(nullable, s.Constant):
        return nullable.value is False
    return isinstance(column.node, s.AnnAssign) and not any(
        (isinstance(n, s.Constant) and n.kind == "none") or s.last_name(n) == "Optional"
        for n in s.walk(column.node.annotation)
        if isinstance(n, (s.Constant, s.Name, s.Attribute))
    )


def _is_exact(app: App, column: Column) -> bool:
    """Whether a database compares the texts of a column as Python does."""
    if any(
        b"mysql" in module.source or b"mssql" in module.source for module in app.modules.values()
    ):
        return False
    calls = (
        [node for node in s.walk(column.call) if isinstance(node, s.Call)] if column.call else []
    )
    return all(
        s.last_name(call.func) in _PLAIN_TEXT and call.keyword("collation") is None
        for call in calls
    )
