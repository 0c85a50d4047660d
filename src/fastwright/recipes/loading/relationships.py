"""Relationships that are read row by row: an option on each statement that loads the rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec

from fastwright.app import orm
from fastwright.app.calls import CallSite
from fastwright.app.loading import EAGER, by_default, loading, rows_of, schema_class
from fastwright.app.model import App
from fastwright.app.models import Relationship, Table
from fastwright.app.on_loop import served
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, LoadOption, Sequence, Type, alternatives
from fastwright.edit import source as at
from fastwright.edit.builders import add_argument, chain_behind, insert, insert_after
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.loading.generic import override, repository_of
from fastwright.recipes.loading.sources import Source, Sources
from fastwright.recipes.recipe import Planned, Proposal, Stopped, Target
from fastwright.rules.data._statements import whole

_SERIALISING = frozenset({"model_validate", "from_orm", "parse_obj"})
_STRATEGIES = frozenset({"selectin", "joined", "subquery", "immediate"})
_BY_HAND = frozenset({"awaitable_attrs", "set_committed_value"})
_Path = tuple[Relationship, ...]


class _Refused(Exception):  # noqa: N818 - no error: the reason why rows are loaded as they are
    """Why a statement stays as it is."""


class _Load(msgspec.Struct, frozen=True, eq=False):
    """A statement (or a row that is made), and what is read of its rows one after another."""

    source: Source
    paths: tuple[_Path, ...]
    all: tuple[Source, ...]
    """Those too that read it of one row alone."""


def relationships(app: App, target: Target) -> tuple[list[Planned], set[str]]:
    """Return one change for each statement whose rows are read row by row, and those that stay.

    With the places (``file:line``) where the relationships of those that stay are read.
    """
    sources, planned, seen = Sources(app), list[Planned](), set[str]()
    found: dict[tuple[str, int, int], list[tuple[Source, str]]] = {}
    for place, source in _read(app, sources):
        if _is_loadable(source.path):
            found.setdefault(_key(app, source), []).append((source, place))
    for read in found.values():
        each = [source for source, _ in read if source.repeated]
        if not each:
            continue
        load = _Load(each[0], _longest(each), tuple(source for source, _ in read))
        function, module = load.source.function, load.source.function.module
        if not target.takes(function) or module.kind != "source":
            continue
        place = f"{module.path}:{module.line(load.source.node)}"
        try:
            proposal = _proposal(app, sources, load, place)
        except _Refused as refused:
            names = ", ".join(_named(path) for path in load.paths)
            planned.append(Stopped(place, f"{names} is read for each row; {refused}"))
            seen.update({place, *(where for _, where in read)})
            continue
        if proposal is not None:
            planned.append(proposal)
    return planned, seen


def _key(app: App, source: Source) -> tuple[str, int, int]:
    """Return what tells statements apart: for any table, also by the repository that runs them."""
    cls = repository_of(app, source) if _table(app, source) is None else None
    key = id(cls.node) if cls is not None else 0
    return source.function.module.path, source.node.start, key


def _named(path: _Path) -> str:
    return f"{path[0].owner.name}.{'.'.join(each.name for each in path)}"


def _is_loadable(path: _Path) -> bool:
    """Whether the last relationship is loaded when it is touched, and options can name all of them."""
    return by_default(path[-1]) and all(
        each.target is not None and (by_default(each) or each.lazy in _STRATEGIES) for each in path
    )


def _longest(sources: list[Source]) -> tuple[_Path, ...]:
    """Return the paths that no other one goes on from, in the order in which they are read."""
    paths = {_named(source.path): source.path for source in sources}
    return tuple(
        path
        for name, path in paths.items()
        if not any(other.startswith(f"{name}.") for other in paths)
    )


# ------------------------------------------------------------------------ reading


_Read = Iterator[tuple[str, Source]]
"""Where a relationship is read, and a source of the rows."""


def _read(app: App, sources: Sources) -> _Read:
    known = loading(app)
    for step in served(app).reached:
        for touch in known.touches(step.function):
            if not touch.around.handled and not touch.around.deferred:
                path, place = (touch.relationship,), _place(touch.function.module, touch.node)
                for source in sources.of(touch.node.value, touch.function, path, repeated=False):
                    yield place, source
        for site in app.calls.sites(step.function):
            if site.method in _SERIALISING and site.receiver is not None and site.node.args:
                yield from _validated(app, sources, site)
    for route in app.routes:
        if route.endpoint is not None and route.kind == "http":
            yield from _answered(app, sources, route, route.endpoint)


def _place(module: Module, node: s.Node) -> str:
    return f"{module.path}:{module.line(node)}"


def _validated(app: App, sources: Sources, site: CallSite) -> _Read:
    """``OrderPublic.model_validate(order)`` reads what the schema names."""
    known, given = loading(app), site.node.args[0]
    schema = schema_class(site.receiver) if site.receiver is not None else None
    for option in alternatives(app.types.of(given, Where(site.module, site.caller))):
        table = known.table_of(option)
        if schema is not None and table is not None:
            for found in known.serialised(schema, table):
                repeated = any(each.many for each in found.path[:-1])
                for source in sources.of(given, site.caller, found.path, repeated=repeated):
                    yield _place(site.module, site.node), source


def _answered(app: App, sources: Sources, route: Route, endpoint: Function) -> _Read:
    """What an endpoint returns is read as the response schema names it."""
    declared = rows_of(route.response.type)
    schema = schema_class(declared[0]) if declared is not None else None
    if schema is None:
        return
    listed = isinstance(alternatives(route.response.type)[0], Sequence)
    where = Where(endpoint.module, endpoint)
    for node, _ in app.calls.of_kind(endpoint, s.Return):
        if node.value is None:
            continue
        rows = rows_of(app.types.awaited(app.types.of(node.value, where)))
        table = loading(app).table_of(rows[0]) if rows is not None else None
        if rows is None or table is None:
            continue
        for found in loading(app).serialised(schema, table):
            many = listed and rows[1]
            repeated = many or any(each.many for each in found.path[:-1])
            field = found.schema.fields[found.field]
            place = (
                _place(endpoint.module, endpoint.node)
                if many
                else _place(field.owner.module, field.node)
            )
            for source in sources.of(node.value, endpoint, found.path, repeated=repeated):
                yield place, source


# ----------------------------------------------------------------------- checking


def _check_use(sources: Sources, load: _Load, cls: Class | None) -> None:
    """Refuse a statement that more others run, who do not need the relationships.

    With ``cls``: of the callers of the inherited method that runs it, those count that may have this class.
    """
    needed: dict[int, set[int]] = {}
    called: dict[int, Function] = {}
    for source in load.all:
        for site in source.chain:
            for target in site.targets:
                needed.setdefault(id(target.node), set()).add(id(site.node))
                called[id(target.node)] = target
    for key, sites in needed.items():
        other = cls is not None and called[key] is load.source.function
        idle = [
            site
            for site in sources.callers(called[key])
            if id(site.node) not in sites and (not other or _may_be(sources, site, cls))
        ]
        if len(idle) > len(sites):
            name, where = called[key].qualname, _place(idle[0].module, idle[0].node)
            raise _Refused(f"most of those who call {name} do not read it ({where})")


def _may_be(sources: Sources, site: CallSite, cls: Class | None) -> bool:
    """Whether a method is called on an instance of a class: by its own methods, and its base's too."""
    found = site.receiver.cls if isinstance(site.receiver, Instance) else None
    if found is cls or not isinstance(found, Class):
        return True
    return found is site.caller.owner and any(
        _may_be(sources, each, cls)
        for each in sources.callers(site.caller)
        if each.caller is not site.caller
    )


def _check_changes(app: App, load: _Load, start: int) -> None:
    """Refuse where rows are made or go after they were loaded: they would not be seen."""
    classes = {each.target for path in load.paths for each in path}
    names = {each.name for path in load.paths for each in path}
    keys = {
        column.name
        for table in app.tables
        if table.cls in classes or any(each.owner is table.cls for p in load.paths for each in p)
        for column in table.columns.values()
        if column.foreign_key is not None
    }
    functions = {id(f.node): f for source in load.all for f in (source.function, *source.through)}
    for function in functions.values():
        first = start if function is load.source.function else 0
        last = max(
            (x.used for x in load.all if x.function is function and load.source.execution is None),
            default=function.node.end,
        )
        module = function.module
        for node, _ in app.calls.nodes(function):
            if not first <= node.start < last:
                continue
            if _is_by_hand(node):
                raise _Refused(f"it is loaded by hand (line {module.line(node)})")
            for each in node.targets if isinstance(node, s.Assign) else ():
                if isinstance(each, s.Attribute) and each.attr in keys | names:
                    raise _Refused(f"{each.attr} is changed (line {module.line(node)})")
        for site in app.calls.sites(function):
            if first <= site.node.start < last and _changes(app, site, classes):
                raise _Refused(
                    f"rows may be made or deleted after they were loaded"
                    f" ({module.path}:{module.line(site.node)})"
                )


def _is_by_hand(node: s.Node) -> bool:
    """Whether relationships are loaded by name, or set."""
    if isinstance(node, s.Call) and s.last_name(node.func) == "refresh":
        return len(node.args) > 1 or bool(node.keywords)
    return isinstance(node, (s.Attribute, s.Name)) and s.last_name(node) in _BY_HAND


def _changes(app: App, site: CallSite, classes: set[Class | None]) -> bool:
    """Whether a call makes or deletes rows of the tables that relationships lead to."""
    inner = [
        one for step in app.calls.reach(site.targets) for one in app.calls.sites(step.function)
    ]
    for each in (site, *inner):
        for option in alternatives(each.callee):
            if isinstance(option, ClassObject) and option.cls in classes:
                return True
        if each.receiver is None or app.types.session_kind(each.receiver) is None:
            continue
        if each.method in {"delete", "merge"}:
            return True
        if each.method in orm.EXECUTING:
            for execution in app.calls.executions(each.caller):
                if execution.site.node is each.node and execution.kind == "write":
                    return True
    return False


# ------------------------------------------------------------------------- making


def _proposal(app: App, sources: Sources, load: _Load, place: str) -> Proposal | None:
    source = load.source
    table = _table(app, source)
    if table is None:
        return _own(app, sources, load, place)
    if any(path[0].name not in table.relationships for path in load.paths):
        raise _Refused("the statement is for another table")
    if source.execution is None:
        made = _read_again(app, load, table)
    elif source.execution.by_key and not _is_query(source):
        made = _by_key(app, load, table)
    else:
        made = _by_statement(app, load, table)
    if made is None:
        return None
    if source.execution is not None:
        _check_use(sources, load, None)
        _check_changes(app, load, source.node.end)
    edits, imports = made
    names = ", ".join(_named(path) for path in load.paths)
    title = (
        f"{source.function.qualname} of {source.function.module.path}: {names} is loaded at once"
    )
    return Proposal(title, edits, imports, places=(place,))


def _own(app: App, sources: Sources, load: _Load, place: str) -> Proposal:
    """``get`` of a repository for any table becomes one of the repository for this table."""
    function, cls = load.source.function, repository_of(app, load.source)
    table = app.models.table(load.paths[0][0].owner)
    if cls is None or table is None:
        raise _Refused("its rows come from a statement for any table")
    made = override(app, cls, function, table)
    if made is None:
        raise _Refused("its rows come from a statement for any table")
    _check_use(sources, load, cls)
    _check_changes(app, load, load.source.node.end)
    title = (
        f"{cls.name} of {cls.module.path} has its own {function.name}, for what is read of its rows"
    )
    return Proposal(title, *made, places=(place,))


def _is_query(source: Source) -> bool:
    return source.execution is not None and source.execution.query is not None


def _table(app: App, source: Source) -> Table | None:
    """Return the table whose rows a statement loads, where it names it."""
    execution, node = source.execution, source.node
    where = Where(source.function.module, source.function)
    if execution is None:
        named: s.Expr = node.func
    elif execution.query is not None:
        made = execution.query.node
        if not isinstance(made, s.Call) or len(made.args) != 1 or made.keywords:
            return None
        if s.last_name(made.func) not in {"select", "query"}:
            return None
        named, where = made.args[0], Where(execution.query.module, execution.query.function)
    elif execution.site.method in {"get", "get_one"} and node.args:
        named = node.args[0]
    else:
        return None
    found = app.types.of(named, where)
    cls = found.cls if isinstance(found, ClassObject) else None
    table = app.models.table(cls) if isinstance(cls, Class) else None
    return table if table is not None and s.last_name(named) == table.cls.name else None


_Made = tuple[tuple[Edit, ...], tuple[Import, ...]]


def _by_key(app: App, load: _Load, table: Table) -> _Made | None:
    """``session.get(Order, key, options=[...])``."""
    call, module = load.source.node, load.source.function.module
    model = at.text(module, call.args[0])
    given = call.keyword("options")
    if given is None:
        options, imports = _options(module, model, table, load.paths)
        written = f"options=[{', '.join(options)}]"
        return (add_argument(module, call, written),), imports
    if not isinstance(given, s.List):
        raise _Refused("its options cannot be read")
    where = Where(module, load.source.function)
    known = [(app.types.of(each, where), each) for each in given.elts]
    edits, missing, imports = _extended(module, model, table, load.paths, known)
    if missing:
        options, more = _options(module, model, table, missing)
        text = ", ".join(options)
        edits.append(
            insert(module, given.elts[-1].end, f", {text}")
            if given.elts
            else insert(module, given.start + 1, text)
        )
        imports += more
    return (tuple(edits), tuple(imports)) if edits else None


def _by_statement(app: App, load: _Load, table: Table) -> _Made | None:
    """``select(Order).options(...)``."""
    execution = load.source.execution
    query = execution.query if execution is not None else None
    if query is None or not isinstance(query.node, s.Call):
        raise _Refused("the statement is not known")
    if not query.options_known:
        raise _Refused("its options cannot be read")
    module = query.module
    model = at.text(module, query.node.args[0])
    where = Where(module, query.function)
    known = [
        (app.types.of(given, where), given)
        for step in query.steps
        if isinstance(step, s.Call) and s.last_name(step.func) == "options"
        for given in step.args
    ]
    edits, missing, imports = _extended(module, model, table, load.paths, known)
    if missing:
        options, more = _options(module, model, table, missing)
        edits.append(chain_behind(module, whole(query), f".options({', '.join(options)})"))
        imports += more
    return (tuple(edits), tuple(imports)) if edits else None


def _read_again(app: App, load: _Load, table: Table) -> _Made | None:
    """A row that was made and refreshed is selected once more, with what is read of it."""
    source = load.source
    function, module = source.function, source.function.module
    name = _name_of(app, function, source.node)
    keys = [column for column in table.columns.values() if column.primary_key]
    if name is None or len(keys) != 1 or any(each.chain for each in load.all):
        raise _Refused("the row is made here, and not refreshed in the same function")
    used = min(each.used for each in load.all)
    refreshed = _refreshed(app, function, name, source.node.end, used)
    if refreshed is None:
        raise _Refused("the row is made here, and not refreshed before it is read")
    statement, site = refreshed
    if any(
        isinstance(node, s.Assign) and statement.end < node.start < used and _assigns(node, name)
        for node, _ in app.calls.nodes(function)
    ):
        return None  # it is selected already
    _check_changes(app, load, statement.end)
    model, key = at.text(module, source.node.func), keys[0].name
    options, imports = _options(module, model, table, load.paths)
    condition, loaded = f"{model}.{key} == {name}.{key}", ", ".join(options)
    receiver = site.node.func.value if isinstance(site.node.func, s.Attribute) else None
    if receiver is None or site.receiver is None:
        raise _Refused("the session is not known")
    session, waits = at.text(module, receiver), isinstance(statement.value, s.Await)
    if any(e.query is not None and e.query.legacy for e in app.calls.executions(function)):
        text = f"{session}.query({model}).filter({condition}).options({loaded}).one()"
    else:
        is_sqlmodel = isinstance(site.receiver, Instance) and str(site.receiver.cls).startswith(
            "sqlmodel."
        )
        select = bring(module, "sqlmodel" if is_sqlmodel else "sqlalchemy", "select")
        if select is None:
            raise _Refused("the name select is taken")
        imports += select.imports
        run = f"{session}.{'exec' if is_sqlmodel else 'scalars'}("
        run += f"{select.name}({model}).where({condition}).options({loaded}))"
        text = f"(await {run}).one()" if waits else f"{run}.one()"
    return (insert_after(module, statement, f"{name} = {text}"),), imports


def _name_of(app: App, function: Function, made: s.Call) -> str | None:
    """Return the name that a row gets where it is made."""
    for node, _ in app.calls.of_kind(function, s.Assign):
        if node.value is made and len(node.targets) == 1:
            target = node.targets[0]
            return target.id if isinstance(target, s.Name) else None
    return None


def _assigns(node: s.Assign, name: str) -> bool:
    return any(isinstance(target, s.Name) and target.id == name for target in node.targets)


def _refreshed(
    app: App, function: Function, name: str, start: int, end: int
) -> tuple[s.ExprStmt, CallSite] | None:
    """Return the last ``session.refresh(row)`` between two places, in the body of the function."""
    sites = {id(site.node): site for site in app.calls.sites(function)}
    found = None
    for statement in function.node.body:
        if not isinstance(statement, s.ExprStmt) or not start < statement.start < end:
            continue
        value = statement.value.value if isinstance(statement.value, s.Await) else statement.value
        if isinstance(value, s.Call) and s.last_name(value.func) == "refresh":
            site = sites.get(id(value))
            if site is not None and len(value.args) == 1 and s.dotted(value.args[0]) == name:
                found = statement, site
    return found


def _extended(
    module: Module,
    model: str,
    table: Table,
    paths: tuple[_Path, ...],
    known: list[tuple[Type, s.Expr]],
) -> tuple[list[Edit], tuple[_Path, ...], tuple[Import, ...]]:
    """Return the edits that go on from options that are there, and the paths that need their own."""
    edits: list[Edit] = []
    missing: list[_Path] = []
    imports: tuple[Import, ...] = ()
    extended: set[int] = set()
    loaded = [
        (option, node)
        for option, node in known
        if isinstance(option, LoadOption) and option.strategy in EAGER
    ]
    for path in paths:
        names = tuple(each.name for each in path)
        if any(option.path[: len(names)] == names for option, _ in loaded):
            continue
        before = [
            (option, node)
            for option, node in loaded
            if names[: len(option.path)] == option.path and id(node) not in extended
        ]
        if not before:
            missing.append(path)
            continue
        option, node = max(before, key=lambda each: len(each[0].path))
        extended.add(id(node))
        rest = path[len(option.path) :]
        text, more = _chain(module, model, table, path)
        edits.append(insert(module, node.end, "".join(text[-len(rest) :])))
        imports += more
    return edits, tuple(missing), imports


def _options(
    module: Module, model: str, table: Table, paths: tuple[_Path, ...]
) -> tuple[list[str], tuple[Import, ...]]:
    """Return the options that load paths, as they are written."""
    option = bring(module, "sqlalchemy.orm", "selectinload")
    if option is None:
        raise _Refused("the name selectinload is taken")
    imports = option.imports
    found = []
    for path in paths:
        links, more = _chain(module, model, table, path)
        prefix = option.name.rpartition(".")[0]
        found.append(f"{prefix}." * bool(prefix) + "".join(links).removeprefix("."))
        imports += more
    return found, imports


def _chain(
    module: Module, model: str, table: Table, path: _Path
) -> tuple[list[str], tuple[Import, ...]]:
    """Return ``.selectinload(Order.lines)`` and so on, one for each relationship of a path."""
    links = [f".selectinload({model}.{path[0].name})"]
    imports: tuple[Import, ...] = ()
    for before, following in pairwise(path):
        cls = before.target
        if cls is None:
            raise _Refused(f"the table of {before.name} is not known")
        written, more = _class(module, model, table, cls)
        links.append(f".selectinload({written}.{following.name})")
        imports += more
    return links, imports


def _class(module: Module, model: str, table: Table, cls: Class) -> tuple[str, tuple[Import, ...]]:
    """Return how a class is written where the model is written so."""
    prefix = model.rpartition(".")[0]
    if prefix and cls.module is table.cls.module:
        return f"{prefix}.{cls.name}", ()
    if cls.module is module:
        return cls.name, ()
    found = bring(module, cls.module.name, cls.name)
    if found is None:
        raise _Refused(f"the name {cls.name} is taken")
    return found.name, found.imports
