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
from fastwright.app.types import UNKNOWN, ClassObject, Instance, Sequence, alternatives
from fastwright.edit import source as at
from fastwright.edit.builders import arguments, block_of, delete_statements, insert_before, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.loading.asked import (
    Asked,
    Refused,
    Run,
    asked_by,
    key_of,
    mentions,
    type_name,
)
from fastwright.recipes.loading.batches import begun, laid_out, of_numbers, of_rows
from fastwright.recipes.loading.plural import Called, Guard, Sibling, called, guarded, sibling
from fastwright.recipes.recipe import Planned, Proposal, Stopped, Target
from fastwright.recipes.shared.from_rules import hits_of
from fastwright.recipes.shared.words import plural, snake

_RULE = "n-plus-one-query"
_WIDTH = 100
_KEYS = frozenset({"builtins.int", "builtins.str", "uuid.UUID"})
"""Types whose values are equal in Python where they are equal in the database."""
_TAKING = frozenset({"all", "first", "one", "one_or_none", "scalar", "scalar_one",
                     "scalar_one_or_none", "scalars"})  # fmt: skip
_PLAIN = (s.Assign, s.AnnAssign, s.Return, s.ExprStmt)
_CONSUMING = frozenset({"sum", "min", "max", "list", "set", "tuple", "sorted", "dict", "any", "all",
                        "join"})  # fmt: skip
_ORDERING = frozenset({"sorted", "list", "reversed"})
_HELD = frozenset({"list", "set", "tuple", "dict"})
_INNER = frozenset({"builtins", "Sequence", "Result", "Statement", "decimal", "datetime", "logging",
                    "fastapi", "sqlalchemy", "sqlmodel", "uuid", "math", "pydantic", "json", "re"})  # fmt: skip
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


class _Rows(msgspec.Struct, frozen=True, eq=False):
    """What a loop goes over."""

    text: str
    kind: str
    distinct: bool = False
    named: bool = True
    """False for a call whose value needs a name first."""


class _Lookup(msgspec.Struct, frozen=True, eq=False):
    """``name = session.get(Table, item.key)`` in a loop, or in a comprehension."""

    function: Function
    site: CallSite
    """The call in the loop: of the session, or of a function that asks it."""
    loop: s.For | s.Comp
    target: s.Expr
    iter: s.Expr
    statement: s.Stmt
    """The statement before which all can be asked for."""
    taken: s.Expr
    """What is replaced: the call, with what takes the row from it."""
    methods: tuple[str, ...]
    name: str
    """What it is assigned to, where it is."""
    assigned: s.Stmt | None
    all: tuple[s.Expr, ...]
    """``taken``, and what is written in the same way in the loop."""
    before: s.Assign | None = None
    """``result = session.execute(...)``, the statement before it that runs the query."""

    def repeats(self, node: s.Node) -> bool:
        """Whether a node is run for each item."""
        if isinstance(self.loop, s.For):
            return self.loop.iter.end <= node.start < self.loop.end
        return _holds(self.loop, node) and not _holds(self.iter, node) and node is not self.loop


def lookups(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each row that is looked up in a loop, and the queries in loops that stay."""
    executions = {
        (e.site.module.path, e.site.module.line(e.site.node)): e
        for e in reversed(app.executions)
        if e.site.around.loops
    }
    sites = {
        (site.module.path, site.module.line(site.node)): site
        for step in app.reached
        for site in reversed(app.calls.sites(step.function))
        if site.around.loops and site.targets
    }
    for hit in hits_of(app, _RULE):
        if not target.holds(hit.place.file, hit.place.function):
            continue
        at_line = hit.place.file, hit.place.line
        place = f"{hit.place.file}:{hit.place.line}"
        execution = executions.get(at_line)
        site = execution.site if execution is not None else sites.get(at_line)
        if site is None:
            yield Stopped(place, hit.message)
            continue
        try:
            yield _proposal(app, site, execution, place)
        except Refused as refused:
            line = f" (line {site.module.line(refused.node)})" if refused.node is not None else ""
            yield Stopped(place, f"{hit.message}; {refused.reason}{line}")


def _proposal(app: App, site: CallSite, execution: Execution | None, place: str) -> Proposal:
    if execution is None:
        lookup = _lookup(app, site, frozenset())
        found = called(app, site, _bound_in(app, lookup))
        asked, more = found.asked, found
    else:
        receiver = site.receiver.cls if isinstance(site.receiver, Instance) else ""
        if execution.session == "raw" or str(receiver).endswith("Connection"):
            raise Refused("a connection gives no rows of tables")
        lookup, more = _lookup(app, site, _TAKING), None
        names = frozenset(_bound_in(app, lookup))
        asked = asked_by(app, Run(site.caller, execution, lookup.methods, names))
    rows = _rows(app, lookup)
    _check_key(app, lookup, asked)
    _check_loop(app, lookup, asked, rows, more)
    return _made(app, lookup, asked, rows, execution, more, place)


# ------------------------------------------------------------------------ reading


def _lookup(app: App, site: CallSite, taking: frozenset[str]) -> _Lookup:
    function, loops = site.caller, site.around.loops
    loop = loops[0]
    if len(loops) > 1 or isinstance(loop, s.While) or site.around.deferred:
        raise Refused("not in one plain loop")
    if any(loop.start <= each.start for each in site.around.tries) or site.around.handled:
        raise Refused("what fails is caught for each item", site.node)
    before = None
    if isinstance(loop, s.Comp):
        if len(loop.generators) > 1 or loop.generators[0].is_async:
            raise Refused("not in one plain loop")
        target, source = loop.generators[0].target, loop.generators[0].iter
        block = block_of(function.node.body, loop)
        if block is None or not isinstance(block[1], _PLAIN):
            raise Refused("not in a plain statement")
        _check_statement(app, function, block[1], loop)
        taken, methods = _grown(app, function, site.node, taking)
        if _holds(source, taken):
            raise Refused("not in the body of the loop")
        return _Lookup(
            function,
            site,
            loop,
            target,
            source,
            block[1],
            taken,
            methods,
            "",
            None,
            _alike(app, function, loop, taken),
        )
    if loop.is_async or not any(_holds(each, site.node) for each in loop.body):
        raise Refused("not in the body of the loop")
    _check_branches(app, site, loop)
    taken, methods = _grown(app, function, site.node, taking)
    number = next((n for n, each in enumerate(loop.body) if _holds(each, site.node)), 0)
    statement = loop.body[number]
    read = _read_once(app, function, statement, taken) if taking else None
    if read is not None and number + 1 < len(loop.body) and isinstance(statement, s.Assign):
        before = statement
        taken, more = _grown(app, function, read, taking)
        methods += more
        if not _holds(loop.body[number + 1], taken):
            raise Refused("the result is not read at once", read)
    assigned = next((a for a, _ in app.calls.of_kind(function, s.Assign) if a.value is taken), None)
    name = ""
    if assigned is not None:
        if len(assigned.targets) != 1 or not isinstance(assigned.targets[0], s.Name):
            raise Refused("more than one thing is assigned", assigned)
        name = assigned.targets[0].id
    return _Lookup(
        function,
        site,
        loop,
        loop.target,
        loop.iter,
        loop,
        taken,
        methods,
        name,
        assigned,
        _alike(app, function, loop, taken) if before is None else (taken,),
        before,
    )


def _alike(app: App, function: Function, loop: s.For | s.Comp, taken: s.Expr) -> tuple[s.Expr, ...]:
    """Return what is written as a lookup is, in the same loop and for the same item."""
    text = at.text(function.module, taken)
    return tuple(
        node
        for node, around in app.calls.nodes(function)
        if type(node) is type(taken)
        and around.loops[:1] == (loop,)
        and len(around.loops) == 1
        and at.text(function.module, node) == text
    )


def _check_statement(app: App, function: Function, statement: s.Stmt, loop: s.Comp) -> None:
    """Refuse a comprehension that may not be made, or not at once."""
    at_once = loop.kind != "generator"
    for node, _ in app.calls.nodes(function):
        if not _holds(statement, node) or not _holds(node, loop) or node is loop:
            continue
        if isinstance(node, (s.IfExp, s.BoolOp)):
            raise Refused("only on a condition that is the same for all", node)
        if isinstance(node, s.Comp):
            raise Refused("not in one plain loop")
        if isinstance(node, s.Call) and node.args == [loop] and not node.keywords:
            at_once = at_once or s.last_name(node.func) in _CONSUMING
    if not at_once:
        raise Refused("not in one plain loop")


def _check_branches(app: App, site: CallSite, loop: s.For) -> None:
    """Refuse what depends on a condition that is the same for all items: it may never be asked."""
    bound = {
        name
        for name, bounds in app.types.locals.of(site.caller).items()
        if any(loop.iter.end <= each.offset <= loop.end for each in bounds)
    }
    for branch in site.around.branches:
        if branch.start > loop.start and not mentions(branch.test, bound):
            raise Refused("only on a condition that is the same for all", branch.test)


def _grown(
    app: App, function: Function, node: s.Expr, taking: frozenset[str]
) -> tuple[s.Expr, tuple[str, ...]]:
    """Return a call with what is awaited and taken of it, and the methods that take it."""
    outer: dict[int, s.Expr] = {}
    for each, _ in app.calls.nodes(function):
        if isinstance(each, s.Await):
            outer[id(each.value)] = each
        elif isinstance(each, s.Call) and isinstance(each.func, s.Attribute):
            if each.func.attr in taking and not each.args and not each.keywords:
                outer[id(each.func.value)] = each
    methods = []
    while (around := outer.get(id(node))) is not None:
        if isinstance(around, s.Call):
            methods.append(s.last_name(around.func) or "")
        node = around
    return node, tuple(methods)


def _read_once(app: App, function: Function, statement: s.Stmt, taken: s.Expr) -> s.Name | None:
    """Return where ``result = session.execute(...)`` is read, if that is one place alone."""
    if not isinstance(statement, s.Assign) or len(statement.targets) != 1:
        return None
    name, call = statement.targets[0], _plain(taken)
    if statement.value is not taken or not isinstance(name, s.Name):
        return None
    if not isinstance(call, s.Call) or s.last_name(call.func) not in {"execute", "exec", "scalars"}:
        return None
    named = [each for each, _ in app.calls.of_kind(function, s.Name) if each.id == name.id]
    return named[1] if len(named) == 2 and named[0] is name else None


def _method(node: s.Expr) -> str | None:
    call = _plain(node)
    return s.last_name(call.func) if isinstance(call, s.Call) else None


def _plain(node: s.Expr) -> s.Expr:
    return node.value if isinstance(node, s.Await) else node


def _holds(outer: s.Node, inner: s.Node) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


# ----------------------------------------------------------------------- checking


def _bound_in(app: App, lookup: _Lookup) -> set[str]:
    """Return the names that a loop binds, its variables and what is found included."""
    loop = lookup.loop
    inside = (loop.start, loop.end) if isinstance(loop, s.Comp) else None
    return {
        name
        for name, bounds in app.types.locals.of(lookup.function).items()
        if any(
            bound.inside == inside
            if inside is not None
            else lookup.iter.end <= bound.offset <= loop.end
            for bound in bounds
        )
    }


def _rows(app: App, lookup: _Lookup) -> _Rows:
    """Return what the loop goes over, where it can be gone over twice."""
    module, source = lookup.function.module, lookup.iter
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
        raise Refused("what the loop goes over may be gone after it", source)
    if (found.kind == "dict") != items:
        raise Refused("a loop over a dictionary", source)
    if isinstance(source, s.Name) or _is_field(app, source, where):
        return _Rows(at.text(module, source), found.kind, distinct)
    if source is not lookup.iter:
        raise Refused("what the loop goes over has no name", source)
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


def _check_key(app: App, lookup: _Lookup, asked: Asked) -> None:
    """Refuse a key that may fail, or be another in Python than in the database."""
    where = Where(lookup.function.module, lookup.function)
    key, column = asked.key, asked.column
    variables = {each.id for each in targets(lookup.target) if isinstance(each, s.Name)}
    base = key.value if isinstance(key, s.Attribute) else key
    if not isinstance(base, s.Name) or base.id not in variables:
        raise Refused("the key is not an item of the loop, nor a field of it", key)
    if isinstance(key, s.Attribute) and not _is_field(app, key, where):
        raise Refused("the key is no plain field", key)
    given = _given(app, key, where)
    if asked.kind != "one" and not column.is_never_null:
        if given is None or not given[1].primary_key:
            raise Refused(f"{column.name} may be empty, and the key too", key)
    if given is not None and (
        given[1].foreign_key == column.own or column.refers == f"{given[0].name}.{given[1].name}"
    ):
        if column.type is None:  # that of the column that it refers to
            column = key_of(app, *given)
    elif (
        column.type is None
        or type_name(app.types.of(key, where)) != column.type
        or column.type not in _KEYS
    ):
        raise Refused("the key may be of another type than the column", key)
    if column.type not in {"builtins.int", "uuid.UUID"} and not column.is_exact:
        raise Refused("texts may be compared in another way in the database", key)


def _given(app: App, key: s.Expr, where: Where) -> tuple[Table, Column] | None:
    """Return the column of a row that the key is."""
    owner = app.types.of(key.value, where) if isinstance(key, s.Attribute) else None
    cls = owner.cls if isinstance(owner, Instance) else None
    table = app.models.table(cls) if isinstance(cls, Class) else None
    column = table.columns.get(key.attr) if table and isinstance(key, s.Attribute) else None
    return (table, column) if table is not None and column is not None else None


def _check_loop(app: App, lookup: _Lookup, asked: Asked, rows: _Rows, more: Called | None) -> None:
    """Refuse a loop in which one row after the other is not the same as all at once."""
    bound = _bound_in(app, lookup)
    function = lookup.function
    session: s.Expr = (
        begun(lookup.site.node) if asked.legacy and more is None else lookup.site.node.func
    )
    conditions = asked.conditions if more is None else ()
    if mentions(session, bound) or any(mentions(each, bound) for each in conditions):
        raise Refused("the statement depends on more than the key")
    if rows.text.partition(".")[0] in bound:
        raise Refused("the loop changes what it goes over")
    if (
        asked.kind != "value"
        and not asked.legacy
        and any(r.lazy == "joined" and r.many for t in app.tables for r in t.relationships.values())
    ):
        raise Refused("rows of tables with joined lists have to be made unique")
    fixed = {asked.column.name} | _attributes(asked.key) | {
        name for each in asked.conditions for name in _attributes(each)
    }  # fmt: skip
    if asked.kind != "one" and asked.statement is not None:
        fixed |= _attributes(asked.statement)
    _check_nodes(app, lookup, asked, rows, fixed)
    for site in app.calls.sites(function):
        before = _holds(lookup.statement, site.node) and site.node.end <= lookup.loop.start
        if (lookup.repeats(site.node) or before) and not _is_same(lookup, site.node):
            if lookup.before is None or not _holds(lookup.before, site.node):
                _check_call(app, lookup, asked, rows, site)
                _check_called(app, site, fixed)


def _is_same(lookup: _Lookup, node: s.Node) -> bool:
    """Whether a node belongs to the lookup, or to one more that is written in the same way."""
    return any(_holds(each, node) for each in lookup.all)


def _check_nodes(app: App, lookup: _Lookup, asked: Asked, rows: _Rows, fixed: set[str]) -> None:
    for node, _ in app.calls.nodes(lookup.function):
        if not lookup.repeats(node):
            continue
        if isinstance(node, s.Yield):
            raise Refused("the loop hands over to others in between", node)
        for target in _assigned(node):
            if isinstance(target, s.Attribute) and target.attr in fixed:
                raise Refused(f"the loop changes {target.attr}", node)
            if at.text(lookup.function.module, target).partition("[")[0] == rows.text:
                raise Refused("the loop changes what it goes over", node)
            if isinstance(target, s.Name) and lookup.name and target.id == lookup.name:
                if node is not lookup.assigned and not _is_made(app, lookup, asked, node):
                    raise Refused(f"{lookup.name} is changed", node)
    if any(
        bound.how != "assign" and lookup.iter.end < bound.offset < lookup.loop.end
        for bound in app.types.locals.of(lookup.function).get(lookup.name, [])
    ):
        raise Refused(f"{lookup.name} is changed")


def _is_made(app: App, lookup: _Lookup, asked: Asked, node: s.Node) -> bool:
    """``if tag is None: tag = Tag(name=name)``: a row is made where none is found."""
    if not isinstance(node, s.Assign) or not isinstance(node.value, s.Call):
        return False
    found = app.types.of(node.value.func, Where(lookup.function.module, lookup.function))
    return (
        asked.kind == "one"
        and asked.table is not None
        and isinstance(found, ClassObject)
        and found.cls is asked.table.cls
    )


def _attributes(node: s.Node) -> set[str]:
    return {inner.attr for inner in s.walk(node) if isinstance(inner, s.Attribute)}


def _assigned(node: s.Node) -> list[s.Expr]:
    if isinstance(node, s.Assign):
        return [part for target in node.targets for part in targets(target)]
    if isinstance(node, (s.AnnAssign, s.AugAssign, s.NamedExpr)):
        return [node.target]
    return []


def _check_call(app: App, lookup: _Lookup, asked: Asked, rows: _Rows, site: CallSite) -> None:
    """Refuse a call in the loop that may change rows of the table, or what the loop goes over."""
    written, node = at.text(site.module, site.node.func), site.node
    changed = written.rpartition(".")[0]
    if site.method in _CHANGING:
        if changed == rows.text:
            raise Refused("the loop changes what it goes over", node)
        if asked.kind == "many" and lookup.name and changed == lookup.name:
            raise Refused(f"{lookup.name} is changed", node)
        if asked.kind != "one" and isinstance(node.func, s.Attribute):
            if _is_relationship(app, node.func.value, Where(site.module, site.caller)):
                raise Refused(f"{changed} is changed", node)
    for option in alternatives(site.callee):
        if (
            asked.table is not None
            and isinstance(option, ClassObject)
            and option.cls is asked.table.cls
        ):
            given = node.keyword(asked.column.name)
            key = at.text(site.module, asked.key)
            if (
                asked.kind == "one"
                and rows.distinct
                and given is not None
                and at.text(site.module, given) == key
            ):
                continue  # a row of its own, that no later item asks for
            raise Refused(f"the loop makes rows of {asked.table.cls.name}", node)
    if written in {"setattr", "delattr", "exec", "eval"}:
        raise Refused(f"{written} may change anything", node)
    if site.receiver is not None and app.types.session_kind(site.receiver) is not None:
        _check_session_call(app, lookup, asked, site)
        return
    made = [o for o in alternatives(site.callee) if isinstance(o, ClassObject)]
    if site.targets:
        return  # the functions themselves are looked at
    if not made and (site.external or "").partition(".")[0] not in _INNER:
        raise Refused(f"it is not known what {written} does", node)


def _is_relationship(app: App, node: s.Expr, where: Where) -> bool:
    if not isinstance(node, s.Attribute):
        return False
    found = app.types.of(node.value, where)
    cls = found.cls if isinstance(found, Instance) else None
    table = app.models.table(cls) if isinstance(cls, Class) else None
    return table is not None and node.attr in table.relationships


def _check_called(app: App, site: CallSite, fixed: set[str]) -> None:
    """Refuse a call of functions that ask the database, or change what the lookup reads."""
    written = at.text(site.module, site.node.func)
    for step in app.calls.reach(site.targets):
        if app.calls.executions(step.function):
            raise Refused(f"{written} asks the database", site.node)
        if any(
            inner.method in _OF_SESSIONS and inner.external is None and not inner.targets
            for inner in app.calls.sites(step.function)
        ):
            raise Refused(f"{written} may ask the database", site.node)
        for node, _ in app.calls.nodes(step.function):
            for target in _assigned(node):
                if isinstance(target, s.Attribute) and target.attr in fixed:
                    if step.function.name != "__init__":
                        raise Refused(f"{written} may change {target.attr}", site.node)


def _check_session_call(app: App, lookup: _Lookup, asked: Asked, site: CallSite) -> None:
    """Refuse what ends a transaction, or changes rows by a statement."""
    if site.method in _ENDING:
        raise Refused(f"{site.method} in the loop", site.node)
    name = asked.table.cls.name if asked.table is not None else "the table"
    if site.method in {"add", "add_all"}:
        if asked.table is None:
            raise Refused("rows are added in the loop", site.node)
        given = site.node.args[0] if site.node.args else None
        found = app.types.of(given, Where(site.module, site.caller)) if given else UNKNOWN
        others = {o.cls for o in alternatives(found) if isinstance(o, Instance)}
        if s.dotted(given) != lookup.name and (not others or asked.table.cls in others):
            raise Refused(f"adds what may be a row of {name}", site.node)
    elif site.method not in {*orm.EXECUTING, "get", "flush", "query"}:
        raise Refused(f"it is not known what {site.method} does", site.node)
    if site.method in orm.EXECUTING:
        execution = next(
            (e for e in app.calls.executions(site.caller) if e.site.node is site.node), None
        )
        if execution is None or execution.kind != "read" or execution.query is None:
            raise Refused("a statement that may change rows", site.node)


# ------------------------------------------------------------------------- making


def _made(
    app: App,
    lookup: _Lookup,
    asked: Asked,
    rows: _Rows,
    execution: Execution | None,
    more: Called | None,
    place: str,
) -> Proposal:
    module = lookup.function.module
    known = set(app.types.locals.of(lookup.function)) | _module_names(app, lookup)
    held, lines, edits = rows.text, "", list[Edit]()
    if not rows.named:
        variable = lookup.target.id if isinstance(lookup.target, s.Name) else ""
        held = _free(variable, known, ())
        known.add(held)
        lines = f"{held} = {at.text(module, lookup.iter)}\n"
        edits.append(replace(module, lookup.iter, held))
    found = _dictionary(lookup, asked, known, more)
    keys = _keys(module, lookup, asked.key, rows, held)
    if keys != held:
        many = _free(_key_name(lookup, asked.key), {*known, found}, ("_wanted",))
        lines += f"{many} = {keys}\n"
        keys = many
    elif more is not None and rows.kind != "list":
        keys = f"list({held})"
    text, imports, edits_of = _asking(app, lookup, asked, keys, execution, more)
    edits.extend(edits_of)
    dictionary, needed = _written(lookup, asked, found, text, known, more)
    lines += dictionary
    imports = (*imports, *needed)
    got = f"{found}.get({at.text(module, asked.key)}{asked.missing})"
    if more is not None and more.otherwise:
        got += more.otherwise
        if lookup.assigned is None and lookup.taken is not getattr(lookup.loop, "elt", None):
            got = f"({got})"
    if more is not None and more.guard is not None:
        required = guarded(app, more.guard, lookup.site)
        got, needed = _checked(lookup, more.guard, required, got)
        edits.extend(required.edits)
        imports = (*imports, *needed)
    edits.append(insert_before(module, lookup.statement, lines))
    edits.extend(_in_place(module, each, got) for each in lookup.all)
    if lookup.before is not None and isinstance(lookup.loop, s.For):
        edits.extend(delete_statements(module, lookup.loop.body, [lookup.before]))
    title = f"{lookup.function.qualname} of {module.path}: {found} are loaded at once"
    return Proposal(title, tuple(edits), imports, places=(place,))


def _asking(
    app: App,
    lookup: _Lookup,
    asked: Asked,
    keys: str,
    execution: Execution | None,
    more: Called | None,
) -> tuple[tuple[str, ...], tuple[Import, ...], tuple[Edit, ...]]:
    """Return what asks for all keys, in the parts between which lines may be broken."""
    module = lookup.function.module
    if more is not None:
        many = sibling(app, more, lookup.site)
        text, imports = _call_of(lookup, more, many, keys)
        return (text,), (*many.imports, *imports), many.edits
    assert execution is not None  # noqa: S101 - it is run in the loop
    if asked.kind == "value":
        text, imports = of_numbers(module, asked, lookup.site, keys, execution.session)
        return (text,), imports, ()
    parts, imports = of_rows(module, asked, lookup.site, keys, execution.session)
    return parts, imports, ()


def _written(
    lookup: _Lookup,
    asked: Asked,
    found: str,
    parts: tuple[str, ...],
    known: set[str],
    more: Called | None,
) -> tuple[str, tuple[Import, ...]]:
    """Return the statements that make the dictionary."""
    module, column, text = lookup.function.module, asked.column.name, "".join(parts)
    if asked.kind == "one":
        one = lookup.name or _row(asked)
        width = _WIDTH - len(at.indentation(module.source, lookup.statement.start))
        head, value = f"{found} = {{", f"{one}.{column}: {one}"
        return laid_out(head, value, f"for {one} in ", parts, width), ()
    if asked.kind == "many":
        one = _row(asked) if _row(asked) not in known else "row"
        if one in known:
            raise Refused(f"the name {one} is taken")
        hint, needed = _hint(lookup, asked)
        put = f"{found}.setdefault({one}.{column}, []).append({one})"
        lines = f"{found}{hint} = {{}}\nfor {one} in {text}:\n{at.step(module)}{put}"
        return lines, needed
    if more is not None:
        return f"{found} = {text}", ()
    return f"{found} = {{{column}: {asked.noun} for {column}, {asked.noun} in {text}}}", ()


def _row(asked: Asked) -> str:
    """Return a name for one of the rows that come back."""
    assert asked.table is not None  # noqa: S101 - its rows come back
    return snake(asked.table.cls.name)


def _key_name(lookup: _Lookup, key: s.Expr) -> str:
    """Return a name for a key: ``tag_id`` for ``tag.id``."""
    name = s.last_name(key) or ""
    variable = lookup.target.id if isinstance(lookup.target, s.Name) else ""
    return f"{variable}_id" if name == "id" and _is_noun(variable) else name


def _dictionary(lookup: _Lookup, asked: Asked, known: set[str], more: Called | None) -> str:
    """Return the name of the dictionary."""
    table = snake(asked.table.cls.name) if asked.table is not None else ""
    column, name = asked.column.name, lookup.name
    if asked.kind == "one":
        return _free(name if _is_noun(name) else table, known, (f"_by_{column}",))
    if asked.kind == "many":
        begin = name if _is_noun(name) else plural(table)
    else:
        begin = name if _is_noun(name) else asked.noun
        if more is not None and not name:
            begin = more.function.name
    found = f"{begin}_by_{column}"
    if found in known:
        raise Refused(f"the name {found} is taken")
    return found


def _hint(lookup: _Lookup, asked: Asked) -> tuple[str, tuple[Import, ...]]:
    """Return the annotation of a dictionary of lists, where the column has one."""
    module = lookup.function.module
    if asked.table is None or asked.column.type not in {"builtins.int", "builtins.str"}:
        return "", ()
    if asked.legacy or not isinstance(asked.table.columns[asked.column.name].node, s.AnnAssign):
        return "", ()
    cls = asked.table.cls
    named = None if cls.module is module else bring(module, cls.module.name, cls.name)
    if named is None and cls.module is not module:
        return "", ()
    written = named.name if named is not None else cls.name
    key = asked.column.type.rpartition(".")[2]
    return f": dict[{key}, list[{written}]]", named.imports if named is not None else ()


def _call_of(
    lookup: _Lookup, more: Called, many: Sibling, keys: str
) -> tuple[str, tuple[Import, ...]]:
    """Return the call of the function for many keys, and the import that it needs."""
    module, call = lookup.function.module, lookup.site.node
    written, imports = _beside(lookup, many)
    if more.function is not lookup.site.targets[0]:  # it looks up through another method
        given = [keys]
    else:
        given, names = [], [parameter.name for parameter in more.function.parameters]
        for place, each in enumerate(arguments(call)):
            value = each.value if isinstance(each, s.Keyword) else each
            name = each.arg if isinstance(each, s.Keyword) else names[place]
            if name not in more.needed:
                continue
            if value is not more.asked.key:
                given.append(at.text(module, each))
            elif isinstance(each, s.Keyword):
                given.append(f"{plural(more.parameter)}={keys}")
            else:
                given.append(keys)
    text = f"{written}({', '.join(given)})"
    return (f"await {text}" if more.function.is_async else text), imports


def _beside(lookup: _Lookup, found: Sibling) -> tuple[str, tuple[Import, ...]]:
    """Return how a function is called that stands beside the one that is called in the loop."""
    module, call = lookup.function.module, lookup.site.node
    if isinstance(call.func, s.Attribute):
        return f"{at.text(module, call.func.value)}.{found.name}", ()
    if found.module is module:
        return found.name, ()
    brought = bring(module, found.module.name, found.name)
    if brought is None:
        raise Refused(f"the name {found.name} is taken")
    return brought.name, brought.imports


def _checked(
    lookup: _Lookup, guard: Guard, required: Sibling, got: str
) -> tuple[str, tuple[Import, ...]]:
    """Return a row from the dictionary, or what is raised where there is none."""
    module = lookup.function.module
    written, imports = _beside(lookup, required)
    given = ", ".join([got, *(at.text(module, value) for _, value in guard.given)])
    return f"{written}({given})", imports


def _in_place(module: Module, taken: s.Expr, text: str) -> Edit:
    """Return the edit that puts text in the place of a lookup, and of parentheses around an await."""
    source, start, end = module.source, taken.start, taken.end
    if isinstance(taken, s.Await) and source[start - 1 : start] == b"(":
        before = source[: start - 1].rstrip()[-1:]
        if source[end : end + 1] == b")" and not (before.isalnum() or before in b"_)]"):
            return Edit(module.path, start - 1, end + 1, text)
    return Edit(module.path, start, end, text)


def _module_names(app: App, lookup: _Lookup) -> set[str]:
    """Return what a function reads, which a new local name would hide."""
    return {node.id for node, _ in app.calls.of_kind(lookup.function, s.Name)}


def _free(name: str, known: set[str], endings: tuple[str, ...]) -> str:
    """Return a name for many of what ``name`` is one of."""
    if not name:
        raise Refused("what the loop goes over has no name")
    many = plural(name)
    for found in (many, *(many + ending for ending in endings)):
        if found not in known:
            return found
    raise Refused(f"the name {many} is taken")


_SHORT = 3


def _is_noun(name: str) -> bool:
    """Whether a name has a plural: ``followed`` and ``u`` have none."""
    return len(name) >= _SHORT and not name.endswith("ed") and name not in {"row", "found", "obj"}


def _keys(module: Module, lookup: _Lookup, key: s.Expr, rows: _Rows, held: str) -> str:
    """Return the keys of all rows, as a list."""
    if isinstance(key, s.Name):
        if isinstance(lookup.target, s.Name) and rows.kind == "list":
            return held
        if rows.kind == "dict" or isinstance(lookup.target, s.Name):
            return f"list({held})"
    return f"[{at.text(module, key)} for {at.text(module, lookup.target)} in {held}]"
