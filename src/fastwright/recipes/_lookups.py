"""A row that is looked up for each item of a loop: one statement before the loop, and a dictionary."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app import orm
from fastwright.app.calls import CallSite, Execution
from fastwright.app.model import App
from fastwright.app.models import Column, Table
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function, targets
from fastwright.app.types import UNKNOWN, ClassObject, Instance, Sequence, Type, alternatives
from fastwright.edit import source as at
from fastwright.edit.builders import blocks, delete_statements, insert_before, replace
from fastwright.edit.fix import Import
from fastwright.edit.names import bring, module_level_imports
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes._columns import old_type
from fastwright.recipes._from_rules import hits_of
from fastwright.recipes._words import plural, snake
from fastwright.recipes.recipe import Planned, Proposal, Stopped, Target

_RULE = "n-plus-one-query"
_WIDTH = 100
_ONE: dict[str, set[tuple[str, ...]]] = {
    "exec": {("first",), ("one_or_none",)},
    "execute": {("scalar_one_or_none",), ("scalars", "first"), ("scalars", "one_or_none")},
    "scalars": {("first",), ("one_or_none",)},
    "scalar": {()},
}
"""How one row or None is taken from what a session method gives."""
_KEYS = frozenset({"builtins.int", "builtins.str", "uuid.UUID"})
"""Types whose values are equal in Python where they are equal in the database."""
_PLAIN_TEXT = frozenset({"Column", "mapped_column", "Field", "String", "Text", "Unicode", "AutoString",
                         "ForeignKey"})  # fmt: skip
_ORDERING = frozenset({"sorted", "list", "reversed"})
_HELD = frozenset({"list", "set", "tuple", "dict"})
_INNER = frozenset({"builtins", "Sequence", "Result", "Statement", "decimal", "datetime", "logging",
                    "fastapi", "sqlalchemy", "uuid", "math", "pydantic", "json", "re"})  # fmt: skip
_ENDING = frozenset({"commit", "rollback", "delete", "expire", "expire_all", "expunge",
                     "expunge_all", "refresh", "merge", "close", "begin", "begin_nested"})  # fmt: skip
_OF_SESSIONS = _ENDING | {
    "add",
    "add_all",
    "execute",
    "exec",
    "scalars",
    "scalar",
    "query",
    "flush",
}
"""What sessions do, where it is not known that something is one."""
_CHANGING = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "add",
                       "update", "discard", "setdefault", "popitem"})  # fmt: skip


class _Refused(Exception):  # noqa: N818 - no error: the reason why a lookup stays
    """Why a lookup stays as it is, and where the reason stands."""

    def __init__(self, reason: str, node: s.Node | None = None) -> None:
        super().__init__(reason)
        self.reason, self.node = reason, node


class _Asked(msgspec.Struct, frozen=True, eq=False):
    """What a lookup asks for: a row of a table by a column."""

    model: str
    """The table as it is written."""
    table: Table
    column: Column
    key: s.Expr
    conditions: tuple[s.Expr, ...] = ()
    """What else the row must be."""
    legacy: bool = False


class _Rows(msgspec.Struct, frozen=True, eq=False):
    """What a loop goes over."""

    text: str
    kind: str
    distinct: bool = False
    named: bool = True
    """False for a call whose value needs a name first."""


class _Lookup(msgspec.Struct, frozen=True, eq=False):
    """``name = session.get(Table, item.key)`` in a loop."""

    function: Function
    site: CallSite
    loop: s.For
    block: list[s.Stmt]
    statement: s.Assign
    name: str
    before: s.Assign | None = None
    """``result = session.execute(...)``, the statement before it that runs the query."""


def lookups(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each row that is looked up in a loop, and the queries in loops that stay."""
    executions = {
        (e.site.module.path, e.site.module.line(e.site.node)): e
        for e in reversed(app.executions)
        if e.site.around.loops
    }
    for hit in hits_of(app, _RULE):
        if not target.holds(hit.place.file, hit.place.function):
            continue
        place = f"{hit.place.file}:{hit.place.line}"
        execution = executions.get((hit.place.file, hit.place.line))
        if execution is None:
            yield Stopped(place, hit.message)
            continue
        try:
            yield _proposal(app, execution, place)
        except _Refused as refused:
            module = execution.site.module
            line = f" (line {module.line(refused.node)})" if refused.node is not None else ""
            yield Stopped(place, f"{hit.message}; {refused.reason}{line}")


def _proposal(app: App, execution: Execution, place: str) -> Proposal:
    lookup = _lookup(app, execution)
    asked = _asked(app, lookup, execution)
    rows = _rows(app, lookup)
    _check_key(app, lookup, asked)
    _check_loop(app, lookup, asked, rows)
    return _made(app, lookup, asked, rows, execution.session, place)


# ------------------------------------------------------------------------ reading


def _lookup(app: App, execution: Execution) -> _Lookup:
    site = execution.site
    function, loops = site.caller, site.around.loops
    receiver = site.receiver.cls if isinstance(site.receiver, Instance) else ""
    if execution.session == "raw" or str(receiver).endswith("Connection"):
        raise _Refused("a connection gives no rows of tables")
    loop = loops[0]
    if len(loops) > 1 or not isinstance(loop, s.For) or loop.is_async:
        raise _Refused("not in one plain `for` loop")
    number = next((n for n, each in enumerate(loop.body) if _holds(each, site.node)), None)
    if number is None:
        raise _Refused("not in the body of the loop")
    statement, before = loop.body[number], _result(app, function, loop.body[number])
    if before is not None and number + 1 < len(loop.body):
        statement = loop.body[number + 1]
    if (
        not isinstance(statement, s.Assign)
        or len(statement.targets) != 1
        or not isinstance(name := statement.targets[0], s.Name)
    ):
        raise _Refused("not an assignment that each turn of the loop makes")
    block = next(block for block in blocks(function.node.body) if loop in block)
    return _Lookup(function, site, loop, block, statement, name.id, before)


def _result(app: App, function: Function, statement: s.Stmt) -> s.Assign | None:
    """Return ``result = session.execute(...)`` where one statement alone reads it."""
    if not isinstance(statement, s.Assign) or len(statement.targets) != 1:
        return None
    name = statement.targets[0]
    if not isinstance(name, s.Name) or _method(statement.value) not in _ONE:
        return None
    named = [each for each, _ in app.calls.of_kind(function, s.Name) if each.id == name.id]
    return statement if len(named) == 2 and named[0] is name else None


def _method(node: s.Expr) -> str | None:
    call = _plain(node)
    return s.last_name(call.func) if isinstance(call, s.Call) else None


def _plain(node: s.Expr) -> s.Expr:
    return node.value if isinstance(node, s.Await) else node


def _holds(outer: s.Node, inner: s.Node) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _asked(app: App, lookup: _Lookup, execution: Execution) -> _Asked:
    call = lookup.site.node
    taken = _taken(lookup)
    if execution.by_key:
        if taken or lookup.site.method != "get" or len(call.args) != 2 or call.keywords:
            raise _Refused("more than a lookup by key")
        return _by_key(app, lookup, call.args[0], call.args[1])
    query = execution.query
    if query is None or query.locked or query.entity is None:
        raise _Refused("no plain lookup of one row")
    if query.legacy:
        given = lookup.site.method
        inner = call.func.value if isinstance(call.func, s.Attribute) else None
        if given == "get" and isinstance(inner, s.Call) and inner is query.node and call.args:
            return msgspec.structs.replace(
                _by_key(app, lookup, inner.args[0], call.args[0]), legacy=True
            )
        if taken or given not in {"first", "one_or_none"} or inner is None:
            raise _Refused(f"`.{given}()` is more than a lookup")
        return msgspec.structs.replace(_by_filter(app, lookup, inner, "query"), legacy=True)
    if taken not in _ONE.get(lookup.site.method, set()) or len(call.args) != 1:
        raise _Refused(f"`.{'.'.join(taken) or lookup.site.method}()` is more than a lookup")
    return _by_filter(app, lookup, call.args[0], "select")


def _taken(lookup: _Lookup) -> tuple[str, ...]:
    """Return the methods that take the row from what the session method gives, in their order."""
    found: list[str] = []
    node, before = _plain(lookup.statement.value), lookup.before
    while node is not lookup.site.node:
        if (
            isinstance(node, s.Name)
            and before is not None
            and node.id == s.dotted(before.targets[0])
        ):
            node = _plain(before.value)
        elif isinstance(node, s.Await):
            node = node.value
        elif (
            isinstance(node, s.Call)
            and not node.args
            and not node.keywords
            and isinstance(node.func, s.Attribute)
        ):
            found.append(node.func.attr)
            node = node.func.value
        else:
            raise _Refused("more than a lookup", node)
    return tuple(reversed(found))


def _table(app: App, lookup: _Lookup, model: s.Expr) -> Table:
    found = app.types.of(model, Where(lookup.function.module, lookup.function))
    cls = found.cls if isinstance(found, ClassObject) else None
    table = app.models.table(cls) if isinstance(cls, Class) else None
    if table is None or s.dotted(model) is None or s.last_name(model) != table.cls.name:
        raise _Refused("the table is not known")
    return table


def _by_key(app: App, lookup: _Lookup, model: s.Expr, key: s.Expr) -> _Asked:
    table = _table(app, lookup, model)
    keys = [column for column in table.columns.values() if column.primary_key]
    if len(keys) != 1:
        raise _Refused("no single primary key")
    return _Asked(at.text(lookup.function.module, model), table, keys[0], key)


def _by_filter(app: App, lookup: _Lookup, statement: s.Expr, begins: str) -> _Asked:
    """``select(Table).where(Table.key == item.key)``."""
    given: list[s.Expr] = []
    named: list[s.Keyword] = []
    node = statement
    while isinstance(node, s.Call) and s.last_name(node.func) in {"where", "filter", "filter_by"}:
        given.extend(node.args)
        named.extend(node.keywords)
        node = node.func.value if isinstance(node.func, s.Attribute) else s.Opaque(0, 0)
    if not isinstance(node, s.Call) or s.last_name(node.func) != begins or len(node.args) != 1:
        raise _Refused("the statement does more than find a row", statement)
    table = _table(app, lookup, node.args[0])
    model = at.text(lookup.function.module, node.args[0])
    names = _bound_in(app, lookup)
    if named:
        if given or len(named) > 1 or (column := table.columns.get(named[0].arg or "")) is None:
            raise _Refused("the statement does more than find a row", statement)
        return _Asked(model, table, _unique(column), named[0].value)
    keyed = [each for each in given if _mentions(each, names)]
    if len(keyed) != 1:
        raise _Refused("not by one key", statement)
    column, key = _compared(table, model, keyed[0])
    others = tuple(each for each in given if each is not keyed[0])
    if any(not isinstance(n, _SIMPLE) for each in others for n in s.walk(each)):
        raise _Refused("a condition that is not a plain comparison", statement)
    return _Asked(model, table, _unique(column), key, others)


_SIMPLE = (s.Name, s.Attribute, s.Constant, s.Compare)


def _compared(table: Table, model: str, node: s.Expr) -> tuple[Column, s.Expr]:
    """Return the column and the value of ``Table.column == value``."""
    if isinstance(node, s.Compare) and node.ops == ["=="]:
        for one, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
            named = one.args[0] if isinstance(one, s.Call) and len(one.args) == 1 else one
            if isinstance(named, s.Attribute) and s.dotted(named.value) == model:
                column = table.columns.get(named.attr)
                if column is not None:
                    return column, other
    raise _Refused("not by the value of a column", node)


def _unique(column: Column) -> Column:
    if not (column.primary_key or (column.unique and _is_never_null(column))):
        raise _Refused(f"{column.name} is not unique")
    return column


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


# ----------------------------------------------------------------------- checking


def _bound_in(app: App, lookup: _Lookup) -> set[str]:
    """Return the names that a loop binds, its variables and what is found included."""
    loop = lookup.loop
    return {
        name
        for name, bounds in app.types.locals.of(lookup.function).items()
        if any(loop.iter.end <= bound.offset <= loop.end for bound in bounds)
    }


def _mentions(node: s.Node, names: set[str]) -> bool:
    return any(isinstance(inner, s.Name) and inner.id in names for inner in s.walk(node))


def _rows(app: App, lookup: _Lookup) -> _Rows:
    """Return what the loop goes over, where it can be gone over twice."""
    module, source = lookup.function.module, lookup.loop.iter
    where = Where(module, lookup.function)
    distinct = False
    while isinstance(source, s.Call) and isinstance(source.func, s.Name):
        if source.func.id not in {*_ORDERING, "set"} or len(source.args) != 1:
            break
        distinct = distinct or source.func.id == "set"
        source = source.args[0]
    items = False
    if _method(source) == "items" and isinstance(source, s.Call):
        inner = source.func.value if isinstance(source.func, s.Attribute) else source
        found = app.types.of(inner, where)
        if isinstance(inner, s.Name) and isinstance(found, Sequence) and found.kind == "dict":
            source, items, distinct = inner, True, True
    found = app.types.of(source, where)
    if not isinstance(found, Sequence) or found.kind not in _HELD:
        raise _Refused("what the loop goes over may be gone after it", source)
    if (found.kind == "dict") != items:
        raise _Refused("a loop over a dictionary", source)
    if isinstance(source, s.Name) or _is_field(app, source, where):
        return _Rows(at.text(module, source), found.kind, distinct)
    if source is not lookup.loop.iter:
        raise _Refused("what the loop goes over has no name", source)
    return _Rows(at.text(module, source), found.kind, named=False)


def _is_field(app: App, node: s.Expr, where: Where) -> bool:
    """Whether an attribute holds a value: that of a field, a column or a relationship."""
    if not isinstance(node, s.Attribute) or not isinstance(node.value, s.Name):
        return False
    owner = app.types.of(node.value, where)
    cls = owner.cls if isinstance(owner, Instance) else None
    if not isinstance(cls, Class):
        return False
    table, schema = app.models.table(cls), app.models.schema(cls)
    return (table is not None and node.attr in {*table.columns, *table.relationships}) or (
        schema is not None and node.attr in schema.fields
    )


def _check_key(app: App, lookup: _Lookup, asked: _Asked) -> None:
    """Refuse a key that may fail, or be another in Python than in the database."""
    where = Where(lookup.function.module, lookup.function)
    key, column = asked.key, asked.column
    variables = {each.id for each in targets(lookup.loop.target) if isinstance(each, s.Name)}
    base = key.value if isinstance(key, s.Attribute) else key
    if not isinstance(base, s.Name) or base.id not in variables:
        raise _Refused("the key is not an item of the loop, nor a field of it", key)
    if isinstance(key, s.Attribute) and not _is_field(app, key, where):
        raise _Refused("the key is no plain field", key)
    wanted = _type_name(column.type) or _old_name(column)
    if not _refers(app, key, where, asked):
        given = _type_name(app.types.of(key, where))
        if wanted is None or given != wanted or wanted not in _KEYS:
            raise _Refused("the key may be of another type than the column", key)
    if wanted not in {"builtins.int", "uuid.UUID"} and not _is_exact(app, column):
        raise _Refused("texts may be compared in another way in the database", key)


def _type_name(found: Type) -> str | None:
    names = {o.cls for o in alternatives(found) if isinstance(o, Instance)}
    name = next(iter(names)) if len(names) == 1 else None
    return name if isinstance(name, str) else None


def _old_name(column: Column) -> str | None:
    found = old_type(column)
    return f"builtins.{found}" if found is not None else None


def _refers(app: App, key: s.Expr, where: Where, asked: _Asked) -> bool:
    """Whether the key is a foreign key that refers to the column."""
    owner = app.types.of(key.value, where) if isinstance(key, s.Attribute) else None
    cls = owner.cls if isinstance(owner, Instance) else None
    table = app.models.table(cls) if isinstance(cls, Class) else None
    found = table.columns.get(key.attr) if table and isinstance(key, s.Attribute) else None
    return found is not None and found.foreign_key == f"{asked.table.name}.{asked.column.name}"


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


def _check_loop(app: App, lookup: _Lookup, asked: _Asked, rows: _Rows) -> None:
    """Refuse a loop in which one row after the other is not the same as all at once."""
    bound = _bound_in(app, lookup)
    function, loop = lookup.function, lookup.loop
    session = _begun(lookup.site.node) if asked.legacy else lookup.site.node.func
    if _mentions(session, bound) or any(_mentions(each, bound) for each in asked.conditions):
        raise _Refused("the statement depends on more than the key")
    if rows.text.partition(".")[0] in bound:
        raise _Refused("the loop changes what it goes over")
    if not asked.legacy and any(
        r.lazy == "joined" and r.many for t in app.tables for r in t.relationships.values()
    ):
        raise _Refused("rows of tables with joined lists have to be made unique")
    fixed = {asked.column.name} | _attributes(asked.key) | {
        name for each in asked.conditions for name in _attributes(each)
    }  # fmt: skip
    for node, _ in app.calls.nodes(function):
        if not loop.iter.end <= node.start < loop.end:
            continue
        if isinstance(node, s.Yield):
            raise _Refused("the loop hands over to others in between", node)
        for target in _assigned(node):
            if isinstance(target, s.Attribute) and target.attr in fixed:
                raise _Refused(f"the loop changes {target.attr}", node)
            if at.text(function.module, target).partition("[")[0] == rows.text:
                raise _Refused("the loop changes what it goes over", node)
            if isinstance(target, s.Name) and target.id == lookup.name:
                if node is not lookup.statement and not _is_made(app, lookup, asked, node):
                    raise _Refused(f"{lookup.name} is changed", node)
    if any(
        bound.how != "assign" and loop.iter.end < bound.offset < loop.end
        for bound in app.types.locals.of(function).get(lookup.name, [])
    ):
        raise _Refused(f"{lookup.name} is changed")
    for site in app.calls.sites(function):
        if loop.iter.end <= site.node.start < loop.end and not _holds(lookup.statement, site.node):
            if lookup.before is None or not _holds(lookup.before, site.node):
                _check_call(app, lookup, asked, rows, site)
                _check_called(app, site, fixed)


def _is_made(app: App, lookup: _Lookup, asked: _Asked, node: s.Node) -> bool:
    """``if tag is None: tag = Tag(name=name)``: a row is made where none is found."""
    if not isinstance(node, s.Assign) or not isinstance(node.value, s.Call):
        return False
    found = app.types.of(node.value.func, Where(lookup.function.module, lookup.function))
    return isinstance(found, ClassObject) and found.cls is asked.table.cls


def _attributes(node: s.Node) -> set[str]:
    return {inner.attr for inner in s.walk(node) if isinstance(inner, s.Attribute)}


def _assigned(node: s.Node) -> list[s.Expr]:
    if isinstance(node, s.Assign):
        return [part for target in node.targets for part in targets(target)]
    if isinstance(node, (s.AnnAssign, s.AugAssign, s.NamedExpr)):
        return [node.target]
    return []


def _check_call(app: App, lookup: _Lookup, asked: _Asked, rows: _Rows, site: CallSite) -> None:
    """Refuse a call in the loop that may change rows of the table, or what the loop goes over."""
    written, node = at.text(site.module, site.node.func), site.node
    if written.rpartition(".")[0] == rows.text and site.method in _CHANGING:
        raise _Refused("the loop changes what it goes over", node)
    for option in alternatives(site.callee):
        if isinstance(option, ClassObject) and option.cls is asked.table.cls:
            given = node.keyword(asked.column.name)
            key = at.text(site.module, asked.key)
            if rows.distinct and given is not None and at.text(site.module, given) == key:
                continue  # a row of its own, that no later item asks for
            raise _Refused(f"the loop makes rows of {asked.table.cls.name}", node)
    if written in {"setattr", "delattr", "exec", "eval"}:
        raise _Refused(f"{written} may change anything", node)
    if site.receiver is not None and app.types.session_kind(site.receiver) is not None:
        _check_session_call(app, lookup, asked, site)
        return
    made = [o for o in alternatives(site.callee) if isinstance(o, ClassObject)]
    if site.targets:
        return  # the functions themselves are looked at
    if not made and (site.external or "").partition(".")[0] not in _INNER:
        raise _Refused(f"it is not known what {written} does", node)


def _check_called(app: App, site: CallSite, fixed: set[str]) -> None:
    """Refuse a call of functions that ask the database, or change what the lookup reads."""
    written = at.text(site.module, site.node.func)
    for step in app.calls.reach(site.targets):
        if app.calls.executions(step.function):
            raise _Refused(f"{written} asks the database", site.node)
        if any(
            inner.method in _OF_SESSIONS and inner.external is None and not inner.targets
            for inner in app.calls.sites(step.function)
        ):
            raise _Refused(f"{written} may ask the database", site.node)
        for node, _ in app.calls.nodes(step.function):
            for target in _assigned(node):
                if isinstance(target, s.Attribute) and target.attr in fixed:
                    if step.function.name != "__init__":
                        raise _Refused(f"{written} may change {target.attr}", site.node)


def _check_session_call(app: App, lookup: _Lookup, asked: _Asked, site: CallSite) -> None:
    """Refuse what ends a transaction, or changes rows by a statement."""
    if site.method in _ENDING:
        raise _Refused(f"{site.method} in the loop", site.node)
    if site.method in {"add", "add_all"}:
        given = site.node.args[0] if site.node.args else None
        found = app.types.of(given, Where(site.module, site.caller)) if given else UNKNOWN
        others = {o.cls for o in alternatives(found) if isinstance(o, Instance)}
        if s.dotted(given) != lookup.name and (not others or asked.table.cls in others):
            raise _Refused(f"adds what may be a row of {asked.table.cls.name}", site.node)
    elif site.method not in {*orm.EXECUTING, "get", "flush", "query"}:
        raise _Refused(f"it is not known what {site.method} does", site.node)
    if site.method in orm.EXECUTING:
        execution = next(
            (e for e in app.calls.executions(site.caller) if e.site.node is site.node), None
        )
        if execution is None or execution.kind != "read" or execution.query is None:
            raise _Refused("a statement that may change rows", site.node)


# ------------------------------------------------------------------------- making


def _made(
    app: App, lookup: _Lookup, asked: _Asked, rows: _Rows, session: str, place: str
) -> Proposal:
    module, name, loop = lookup.function.module, lookup.name, lookup.loop
    known = set(app.types.locals.of(lookup.function)) | _module_names(app, lookup)
    held = rows.text
    lines = ""
    edits = []
    if not rows.named:
        variable = loop.target.id if isinstance(loop.target, s.Name) else ""
        held = _free(variable, known, ())
        known.add(held)
        lines = f"{held} = {at.text(module, loop.iter)}\n"
        edits.append(replace(module, loop.iter, held))
    one = name if _is_noun(name) else snake(asked.table.cls.name)
    found = _free(one, known, (f"_by_{asked.column.name}",))
    keys = _keys(module, loop, asked.key, rows, held)
    if keys != held:
        many = _free(s.last_name(asked.key) or "", {*known, found}, ("_wanted",))
        lines += f"{many} = {keys}\n"
        keys = many
    parts, imports = _statement(lookup, asked, keys, session)
    width = _WIDTH - len(at.indentation(module.source, loop.start))
    value = f"{name}.{asked.column.name}: {name}"
    lines += _laid_out(f"{found} = {{", value, f"for {name} in ", parts, width)
    edits.append(insert_before(module, loop, lines))
    edits.append(
        replace(module, lookup.statement.value, f"{found}.get({at.text(module, asked.key)})")
    )
    if lookup.before is not None:
        edits.extend(delete_statements(module, loop.body, [lookup.before]))
    title = f"{lookup.function.qualname} of {module.path}: {found} are loaded at once"
    return Proposal(title, tuple(edits), imports, places=(place,))


def _module_names(app: App, lookup: _Lookup) -> set[str]:
    """Return what a function reads, which a new local name would hide."""
    return {node.id for node, _ in app.calls.of_kind(lookup.function, s.Name)}


def _free(name: str, known: set[str], endings: tuple[str, ...]) -> str:
    """Return a name for many of what ``name`` is one of."""
    if not name:
        raise _Refused("what the loop goes over has no name")
    many = plural(name)
    for found in (many, *(many + ending for ending in endings)):
        if found not in known:
            return found
    raise _Refused(f"the name {many} is taken")


_SHORT = 3


def _is_noun(name: str) -> bool:
    """Whether a name has a plural: ``followed`` and ``u`` have none."""
    return len(name) >= _SHORT and not name.endswith("ed") and name not in {"row", "found", "obj"}


def _keys(module: Module, loop: s.For, key: s.Expr, rows: _Rows, held: str) -> str:
    """Return the keys of all rows, as a list."""
    if isinstance(key, s.Name):
        if isinstance(loop.target, s.Name) and rows.kind == "list":
            return held
        if rows.kind == "dict" or isinstance(loop.target, s.Name):
            return f"list({held})"
    return f"[{at.text(module, key)} for {at.text(module, loop.target)} in {held}]"


def _statement(
    lookup: _Lookup, asked: _Asked, keys: str, session: str
) -> tuple[tuple[str, ...], tuple[Import, ...]]:
    """Return the statement for all rows, in the parts between which lines may be broken."""
    module, call = lookup.function.module, lookup.site.node
    others = [at.text(module, each) for each in asked.conditions]
    column = f"{asked.model}.{asked.column.name}"
    if asked.legacy:
        given = ", ".join([*others, f"{column}.in_({keys})"])
        return (f"{at.text(module, _begun(call))}.filter(", given, ").all()"), ()
    is_sqlmodel = _is_sqlmodel(lookup.site)
    imports: list[Import] = []
    select = _select(module, "sqlmodel" if is_sqlmodel else "sqlalchemy", imports)
    if is_sqlmodel:
        col = bring(module, "sqlmodel", "col")
        if col is None:
            raise _Refused("the name col is taken")
        imports.extend(col.imports)
        column = f"{col.name}({column})"
    given = ", ".join([*others, f"{column}.in_({keys})"])
    assert isinstance(call.func, s.Attribute)  # noqa: S101 - a method of the session
    opened, closed = ("(await ", ")).all()") if session == "async" else ("", ").all()")
    run = f"{opened}{at.text(module, call.func.value)}.{'exec' if is_sqlmodel else 'scalars'}("
    return (run, f"{select}({asked.model}).where(", given, ")", closed), tuple(imports)


def _begun(call: s.Call) -> s.Expr:
    """Return ``session.query(Table)`` of what is called on it."""
    node: s.Expr = call
    while isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
        if node.func.attr == "query":
            break
        node = node.func.value
    return node


def _is_sqlmodel(site: CallSite) -> bool:
    found = site.receiver
    return isinstance(found, Instance) and str(found.cls).startswith("sqlmodel.")


def _select(module: Module, origin: str, imports: list[Import]) -> str:
    """Return what ``select`` is called in a file."""
    known = {
        f"{each}.select" for each in (origin, "sqlalchemy.future", "sqlalchemy.sql", "sqlmodel")
    }
    for local, stands_for in module_level_imports(module).items():
        if stands_for in known:
            return local
    found = bring(module, origin, "select")
    if found is None:
        raise _Refused("the name select is taken")
    imports.extend(found.imports)
    return found.name


_BREAKS = 3
"""Parts of a statement that is not handed to a session."""


def _laid_out(head: str, value: str, loop: str, parts: tuple[str, ...], width: int) -> str:
    """Return a dictionary of rows, on as few lines as it fits."""
    joined = "".join(parts)
    if len(line := f"{head}{value} {loop}{joined}}}") <= width:
        return line
    lines = [head, f"    {value}"]
    inner = "".join(parts[1:-1])
    if len(f"    {loop}{joined}") <= width:
        lines.append(f"    {loop}{joined}")
    elif len(parts) == _BREAKS or len(inner) + 8 <= width:
        lines += [f"    {loop}{parts[0]}", f"        {inner}", f"    {parts[-1]}"]
    else:
        lines += [f"    {loop}{parts[0]}", f"        {parts[1]}", f"            {parts[2]}",
                  f"        {parts[3]}", f"    {parts[4]}"]  # fmt: skip
    return "\n".join([*lines, "}"])
