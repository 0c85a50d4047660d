"""Statements of the database in endpoints and services become methods of a repository for each table.

`session.exec(select(Customer).where(Customer.email == email)).first()` becomes `CustomerRepository(session).get_by_email(email)`. A method is named after
what it asks (`get`, `get_by_email`, `list_for_customer`, `count`), equal statements share one, and a repository class that the project has for a
table already takes them. What the statement reads of the code around it becomes parameters.

A statement that is put together in steps goes whole, with what narrows it at times as parameters: `search(q=q, in_stock=in_stock)`.

With `--to clean` writes go the same way: `session.add(order)` into the repository, `session.commit()`, `flush`, `refresh` and `rollback` into a
`UnitOfWork`. Each repository, and the unit of work, then gets a port: `class CustomerRepository(Protocol)` in `ports/`, `SqlCustomerRepository`
as its adapter, and a function for `Depends`. Endpoints take the port from it, services as a parameter or when they are made, in the place of a session
that they need for nothing else. Ports are wired by `Annotated`, which FastAPI has since 0.95: with an older one, `--to clean` does what
`--to layered` does.

Left alone: statements on sessions that are no parameter, those that are asked for several things, and those whose parameters have no known type, with
the line; rows of no known table; repositories that tests make, and what is called otherwise than in requests.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator

import msgspec

from fastwright.app.calls import Execution
from fastwright.app.model import App
from fastwright.app.models import Column, Table
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import Instance, Literal, Result, Sequence, Type
from fastwright.edit.builders import blocks, delete_statements
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import module_level_imports
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.persistence.asking import method_name
from fastwright.recipes.persistence.built import Built, StaysError, built, gone, lines
from fastwright.recipes.persistence.ports import ports
from fastwright.recipes.persistence.repositories import (
    Repository,
    added,
    bring_repository,
    free,
    methods,
    plain_text,
    repository,
    session_class,
)
from fastwright.recipes.persistence.writes import writes
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.shared.columns import old_type
from fastwright.recipes.shared.words import snake

_TAKING = frozenset(
    {"first", "one", "one_or_none", "all", "scalars", "scalar", "scalar_one", "unique",
     "scalar_one_or_none", "mappings", "fetchall"}
)  # fmt: skip
_MAYBE = frozenset({"first", "one_or_none", "scalar_one_or_none", "get"})
_ONE = frozenset({"one", "scalar_one"})
_DATABASE = frozenset({"db", "database", "persistence"})
"""What folders of the database are called."""
_PLAIN = {"builtins.str": "str", "builtins.int": "int", "builtins.bool": "bool",
          "builtins.float": "float"}  # fmt: skip
_IMPORTED = frozenset({"datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta",
                       "uuid.UUID", "decimal.Decimal"})  # fmt: skip


class _Statement(msgspec.Struct, frozen=True, eq=False):
    """A statement as it stands in a function."""

    function: Function
    execution: Execution
    session: s.Expr
    asked: s.Expr
    """The expression that runs it, with ``await`` and what takes rows from it."""
    taken: s.Expr | None = None
    """``result.first()`` of the next line, where ``result = ...`` keeps what it gives."""
    kept: s.Assign | None = None
    built: Built | None = None
    """The steps before, that put together what is asked."""
    iterated: bool = False
    """Whether the code goes over the result, without taking its rows first."""
    deletes: bool = False
    """Whether it deletes rows, and gives none."""

    @property
    def nodes(self) -> tuple[s.Node, ...]:
        """What goes into the method, in source order."""
        return (*(self.built.steps if self.built is not None else ()), self.asked)


class _Parameter(msgspec.Struct, frozen=True):
    """A value that a statement is given."""

    name: str
    given: str
    """As it is written at the place."""
    kind: str
    needed: tuple[tuple[str, str], ...] = ()
    default: str | None = None
    """For what narrows the statement in some cases only."""

    @property
    def declared(self) -> str:
        """The parameter of the method."""
        return f"{self.name}: {self.kind}" + (f" = {self.default}" if self.default else "")

    @property
    def argument(self) -> str:
        """What the method is called with."""
        return f"{self.name}={self.given}" if self.default else self.given


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each statement."""
    if app.versions.at_least("fastapi", "0.95") is False:
        target = msgspec.structs.replace(target, style="layered")  # ports are wired by Annotated
    for function in _askers(app):
        if not target.takes(function):
            continue
        for execution in app.calls.executions(function):
            try:
                statement = _statement(app, function, execution)
                if statement is None and target.style == "clean":
                    statement = _deleting(app, function, execution)
                if statement is not None:
                    yield _proposal(app, statement)
            except StaysError as stop:
                place = f"{function.module.path}:{function.module.line(stop.node)}"
                yield Stopped(place, f"{function.qualname}: {stop.reason}")
    if target.style == "clean":
        yield from writes(app, target, list(_askers(app)))
        yield from ports(app, target)


def _askers(app: App) -> Iterator[Function]:
    """Yield the endpoints, and the functions that requests reach in services, and in modules that are nothing by name."""
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    for step in app.reached:
        function, layer = step.function, app.layers.get(step.function.module.path)
        if function.module.kind != "source" or function.outer is not None:
            continue
        is_service = layer is not None and (
            layer.name in {"service", "other"} or (layer.name == "repository" and layer.guessed)
        )
        is_service = is_service and not _is_of_database(function.module.path)
        if id(function.node) in endpoints or (is_service and not _is_repository(function.owner)):
            yield function


def _is_of_database(path: str) -> bool:
    """Whether a file lies in the folder of the database: statements are at home there (`db/init.py`, `db/fixes/labels.py`)."""
    return not _DATABASE.isdisjoint(path.split("/")[:-1])


def _is_repository(cls: Class | None) -> bool:
    return cls is not None and cls.name.endswith(("Repository", "Repo", "DAO", "Queries"))


# ------------------------------------------------------------------ finding them


def _statement(app: App, function: Function, execution: Execution) -> _Statement | None:
    """Return a statement that can be told whole: one expression, or one whose result the next line takes."""
    if execution.kind != "read" or execution.table is None or execution.session == "raw":
        return None
    if execution.query is None and not execution.by_key:
        return None
    if execution.site.method == "refresh":
        return None  # reads a row that is there again
    parents = {id(child): node for node in s.walk(function.node) for child in s.children(node)}
    asked = _whole(parents, execution.site.node)
    steps = built(app, function, asked)
    session = _session(app, function, execution.site.node)
    if session is None and steps is not None:
        session = _begun_on(app, function, steps)
    if session is None:
        return None
    if not isinstance(app.types.of(asked, Where(function.module, function)), Result):
        return _Statement(function, execution, session, asked, built=steps)
    kept = parents.get(id(asked))
    if isinstance(kept, (s.For, s.Generator)) and kept.iter is asked and not kept.is_async:
        if b"yield_per" in function.module.source or b"stream_results" in function.module.source:
            return None  # rows that are not to be held all at once
        return _Statement(function, execution, session, asked, built=steps, iterated=True)
    if not isinstance(kept, s.Assign) or not isinstance(kept.targets[0], s.Name):
        return None
    name = kept.targets[0].id
    used = [n for n in s.walk(*function.node.body) if isinstance(n, s.Name) and n.id == name]
    if len(used) != 2 or used[1].start < kept.end:
        return None
    taken = _whole(parents, used[1])
    if taken is used[1] or _between(function.node.body, kept, taken):
        return None
    return _Statement(function, execution, session, asked, taken, kept, steps)


def _deleting(app: App, function: Function, execution: Execution) -> _Statement | None:
    """Return a statement that deletes rows, where nobody asks how many they were."""
    query = execution.query
    deletes = query is not None and (query.kind == "delete" or execution.site.method == "delete")
    if execution.kind != "write" or execution.table is None or not deletes:
        return None
    parents = {id(child): node for node in s.walk(function.node) for child in s.children(node)}
    asked = _whole(parents, execution.site.node)
    steps = built(app, function, asked)
    session = _session(app, function, execution.site.node)
    if session is None and steps is not None:
        session = _begun_on(app, function, steps)
    if session is None or not isinstance(parents.get(id(asked)), s.ExprStmt):
        return None
    return _Statement(function, execution, session, asked, built=steps, deletes=True)


def _begun_on(app: App, function: Function, steps: Built) -> s.Expr | None:
    """Return the session that ``query = session.query(Order)`` is begun on."""
    for node in s.walk(*steps.steps):
        if isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
            session = _session(app, function, node)
            if session is not None:
                return session
    return None


def _bare(node: s.Expr) -> s.Expr:
    return node.value if isinstance(node, s.Await) else node


def _session(app: App, function: Function, node: s.Call) -> s.Expr | None:
    """Return the session at the root of a call, where it is a parameter or an attribute of ``self``."""
    root: s.Expr = node
    while isinstance(root, (s.Call, s.Attribute)):
        inner = root.func if isinstance(root, s.Call) else root.value
        if app.types.session_kind(app.types.of(inner, Where(function.module, function))):
            root = inner
            break
        root = inner
    if isinstance(root, s.Name) and any(p.name == root.id for p in function.node.params):
        return root
    if isinstance(root, s.Attribute) and isinstance(root.value, s.Name):
        return root if root.value.id == "self" else None
    return None


def _whole(parents: dict[int, s.Node], node: s.Expr) -> s.Expr:
    """Return an expression with ``await`` around it, and the methods that take rows from it."""
    while True:
        above = parents.get(id(node))
        if isinstance(above, s.Await):
            node = above
        elif isinstance(above, s.Attribute) and above.attr in _TAKING:
            call = parents.get(id(above))
            if not isinstance(call, s.Call) or call.func is not above:
                return node
            node = call
        else:
            return node


def _between(body: list[s.Stmt], first: s.Stmt, taken: s.Node) -> bool:
    """Whether anything may run between a statement and what takes its result, or take it again."""
    block = _block(body, first)
    number = block.index(first) + 1
    while number < len(block) and _is_still(block[number], first):
        number += 1
    behind = block[number] if number < len(block) else None
    if isinstance(behind, s.For):
        return not behind.iter.start <= taken.start < behind.iter.end
    if isinstance(behind, s.If):
        test = behind.branches[0].test
        return not test.start <= taken.start < test.end
    plain = (s.Assign, s.AnnAssign, s.Return, s.ExprStmt)
    return not (isinstance(behind, plain) and behind.start <= taken.start < behind.end)


def _is_still(statement: s.Stmt, before: s.Stmt) -> bool:
    """Whether a statement only gives a name to what is there (``found = []``), and none that was used before."""
    used = {node.id for node in s.walk(before) if isinstance(node, s.Name)}
    return isinstance(statement, (s.Assign, s.AnnAssign)) and not any(
        isinstance(node, (s.Call, s.Await, s.Attribute, s.Subscript, s.Yield, s.Comp))
        or (isinstance(node, s.Name) and node.id in used)
        for node in s.walk(statement)
    )


def _block(body: list[s.Stmt], statement: s.Stmt) -> list[s.Stmt]:
    """Return the block that holds a statement."""
    return next(block for block in blocks(body) if any(each is statement for each in block))


# --------------------------------------------------------------------- the change


def _proposal(app: App, statement: _Statement) -> Proposal:
    function, module = statement.function, statement.function.module
    table = app.models.table(statement.execution.table) if statement.execution.table else None
    if table is None:
        raise StaysError(statement.asked, "the table is not known")
    if table.cls.module is module:
        raise StaysError(
            statement.asked, f"{table.cls.name} is defined in this file: split it first"
        )
    parameters = _parameters(app, statement, table)
    found = repository(app, function, table)
    kind, needed = _returned(statement, table)
    last = _bare(statement.taken or statement.asked)
    name = method_name(app, statement.execution, table, last, statement.built)
    body, reads = _body(app, statement, parameters, found)
    shared = _same(app, found, table, body, parameters)
    if found.cls is not None and shared is None:
        name = free(app, found.cls, name, function)
    wanted = [*reads, *needed, *(n for each in parameters for n in each.needed)]
    edits, imports, new = list[Edit](), list[Import](), dict[str, str]()
    if shared is None:
        method = _method(statement, name, parameters, kind, body)
        session = session_class(app, function, statement.session)
        edits, imports, new = added(app, found, method, wanted, session)
    brought = bring_repository(app, module, found)
    imports += brought[1]
    call = _call(statement, brought[0], shared or name, parameters)
    edits += _replaced(statement, call)
    place = f"{module.path}:{module.line(statement.asked)}"
    title = f"{shared or name} of {found.name} for {function.qualname} ({place})"
    return Proposal(title, tuple(edits), tuple(imports), new, places=(place,))


def _parameters(app: App, statement: _Statement, table: Table) -> list[_Parameter]:
    """Return what a statement reads of its function, as parameters: what narrows it at times comes last."""
    module, session = statement.function.module, text(statement.function.module, statement.session)
    own = {name for node in s.walk(*statement.nodes) for name in _comprehended(node)}
    own |= statement.built.names if statement.built is not None else frozenset()
    places: dict[str, list[s.Expr]] = {}
    for value in (v for node in statement.nodes for v in _values(node, statement.session)):
        root = _root(value)
        if root.id in own or root.id in module_level_imports(module):
            continue
        if not _is_local(statement.function, root.id):
            if hasattr(builtins, root.id):
                continue
            if root.id in app.linker.scope(module).names:
                symbol = app.linker.scope(module).names[root.id]
                if isinstance(symbol, Function):
                    raise StaysError(value, f"{root.id} is defined in this file")
                if not isinstance(symbol, Variable):
                    continue
        if text(module, value) != session:
            places.setdefault(text(module, value), []).append(value)
    found: list[_Parameter] = []
    for given, values in places.items():
        name = next((c for v in values for c in _equal(statement, v)), None)
        if statement.execution.by_key:
            name = f"{snake(table.cls.name)}_id"
        name = name or _parameter_name(values[0])
        if name in own or any(each.name == name for each in found):
            name = given.replace(".", "_")
        found.append(_parameter(app, statement, values, name, table))
    return sorted(found, key=lambda each: each.default is not None)


def _parameter(
    app: App, statement: _Statement, values: list[s.Expr], name: str, table: Table
) -> _Parameter:
    kind, needed = _kind(app, statement, values, table)
    given, default = text(statement.function.module, values[0]), None
    steps = statement.built
    if steps is not None:
        if _is_optional(app, statement.function, values[0]):
            kind, default = f"{kind} | None", "None"
        elif kind == "bool":
            default = "False"
        if any(steps.always(value) for value in values):
            default = None
    return _Parameter(name, given, kind, needed, default)


def _is_optional(app: App, function: Function, value: s.Expr) -> bool:
    """Whether a value may be None, by its annotation."""
    annotation = None
    if isinstance(value, s.Name):
        parameters = (p for p in function.node.params if p.name == value.id)
        annotation = next((parameter.annotation for parameter in parameters), None)
    elif isinstance(value, s.Attribute):
        owner = app.types.of(value.value, Where(function.module, function))
        if isinstance(owner, Instance) and isinstance(owner.cls, Class):
            annotation = next(
                (
                    node.annotation
                    for cls in app.linker.mro(owner.cls)
                    if isinstance(cls, Class)
                    for node in cls.node.body
                    if isinstance(node, s.AnnAssign) and s.last_name(node.target) == value.attr
                ),
                None,
            )
    return annotation is not None and any(
        (isinstance(node, s.Constant) and node.kind == "none") or s.last_name(node) == "Optional"
        for node in s.walk(annotation)
        if isinstance(node, (s.Constant, s.Name, s.Attribute))
    )


def _comprehended(node: s.Node) -> set[str]:
    names: set[str] = set()
    if isinstance(node, s.Comp):
        for generator in node.generators:
            names |= {n.id for n in s.walk(generator.target) if isinstance(n, s.Name)}
    if isinstance(node, s.Lambda):
        names |= {parameter.name for parameter in node.params}
    return names


def _values(node: s.Node, session: s.Expr) -> Iterator[s.Expr]:
    """Yield the longest chains of names in an expression: ``data.email``, ``limit``."""
    if node.start == session.start and node.end == session.end:
        return
    if s.dotted(node.value if isinstance(node, s.Subscript) else node) is not None:
        yield node  # type: ignore[misc]
        return
    if isinstance(node, s.Call) and _is_conversion(node):
        yield node
        return
    if isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
        if s.dotted(node.func) is not None:  # a method: what it is called on is the value
            yield from _values(node.func.value, session)
        else:
            yield from _values(node.func, session)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from _values(argument, session)
        return
    for child in s.children(node):
        if isinstance(child, s.Keyword):
            yield from _values(child.value, session)
        elif isinstance(child, s.Generator):
            for inner in (child.target, child.iter, *child.ifs):
                yield from _values(inner, session)
        else:
            yield from _values(child, session)


def _is_conversion(node: s.Call) -> bool:
    """``int(number)``: it is the value, whatever it is made of."""
    is_plain = isinstance(node.func, s.Name) and node.func.id in {"int", "str", "float", "bool"}
    return is_plain and len(node.args) == 1 and isinstance(node.args[0], s.Name)


def _root(value: s.Expr) -> s.Name:
    while isinstance(value, (s.Attribute, s.Subscript, s.Call)):
        value = value.args[0] if isinstance(value, s.Call) else value.value
    assert isinstance(value, s.Name)  # noqa: S101 - only chains of names are handed in
    return value


def _is_local(function: Function, name: str) -> bool:
    if any(parameter.name == name for parameter in function.node.params):
        return True
    return any(
        isinstance(target, s.Name) and target.id == name
        for node in s.walk(*function.node.body)
        for target in _bound(node)
    )


def _bound(node: s.Node) -> Iterator[s.Node]:
    if isinstance(node, s.Assign):
        for target in node.targets:
            yield from s.walk(target)
    elif isinstance(node, (s.AnnAssign, s.For, s.NamedExpr, s.Generator)):
        yield from s.walk(node.target)
    elif isinstance(node, s.WithItem) and node.optional_vars is not None:
        yield from s.walk(node.optional_vars)


def _parameter_name(value: s.Expr) -> str:
    if isinstance(value, s.Attribute):
        return f"{_root(value).id}_id" if value.attr == "id" else value.attr
    if isinstance(value, s.Subscript):
        key = s.string(value.slice)
        return key if key is not None and key.isidentifier() else f"{_root(value).id}_value"
    name = _root(value).id
    return name.lower() if name.isupper() else name


def _kind(
    app: App, statement: _Statement, values: list[s.Expr], table: Table
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the type of a value as it is written, and what that needs. Raises StaysError."""
    where = Where(statement.function.module, statement.function)
    known = next((c for v in values for c in _columns(app, statement, v, table)), None)
    if statement.execution.by_key and known is None:
        known = next((c for c in table.columns.values() if c.primary_key), None)
    if known is not None and isinstance(known.node, s.Assign):
        written = old_type(known)
        if written is not None:
            return written, ()
    kinds = [app.types.of(value, where) for value in values]
    for kind in (*kinds, *([known.type] if known is not None else [])):
        found = _written(kind)
        if found is not None:
            return found
    reason = f"the type of {text(statement.function.module, values[0])} is not known"
    raise StaysError(values[0], reason)


def _written(kind: Type) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """Return a type as it is written, and what that needs; None where it is not one of the plain ones."""
    if isinstance(kind, Sequence) and kind.kind == "list":
        element = _written(kind.element)
        return (f"list[{element[0]}]", element[1]) if element is not None else None
    if isinstance(kind, Literal):
        return type(kind.value).__name__, ()
    if not isinstance(kind, Instance):
        return None
    if isinstance(kind.cls, Class):
        plain = kind.cls.outer is None and not kind.args
        return (kind.cls.name, ((kind.cls.module.name, kind.cls.name),)) if plain else None
    if kind.cls in _PLAIN:
        return _PLAIN[kind.cls], ()
    origin, _, name = kind.cls.rpartition(".")
    return (name, ((origin, name),)) if kind.cls in _IMPORTED else None


def _compared(statement: _Statement, value: s.Expr) -> Iterator[tuple[s.Attribute, str]]:
    """Yield the columns that a value is compared with, and how."""
    for node in s.walk(*statement.nodes):
        if isinstance(node, s.Compare) and len(node.comparators) == 1:
            sides = (node.left, node.comparators[0])
            if value in sides:
                other = sides[0] if sides[1] is value else sides[1]
                if isinstance(other, s.Attribute):
                    yield other, node.ops[0]


def _columns(app: App, statement: _Statement, value: s.Expr, table: Table) -> Iterator[Column]:
    """Yield the columns that a value is compared with, of the table or of one that is joined."""
    others = {each.cls.name: each for each in (*app.tables, table)}
    for node, _ in _compared(statement, value):
        owner = others.get(s.last_name(node.value) or "")
        if owner is not None and node.attr in owner.columns:
            yield owner.columns[node.attr]


def _equal(statement: _Statement, value: s.Expr) -> Iterator[str]:
    """Yield the columns that are to be equal to a value: it is called after them."""
    if statement.built is not None and isinstance(value, s.Name):
        return  # what the code around calls a filter says what it is for
    for column, operator in _compared(statement, value):
        if operator == "==":
            yield column.attr


def _returned(statement: _Statement, table: Table) -> tuple[str, list[tuple[str, str]]]:
    """Return the type of what a statement gives, where it is rows of its table."""
    if statement.deletes:
        return " -> None", []
    last = _bare(statement.taken or statement.asked)
    taking = s.last_name(last.func) if isinstance(last, s.Call) else None
    taking = "all" if statement.iterated else taking
    query = statement.execution.query
    row = (table.cls.module.name, table.cls.name)
    if taking == "count" and query is not None and query.legacy:
        return " -> int", []
    source = "".join(text(statement.function.module, node) for node in statement.nodes)
    if "func.count(" in source and query is not None:
        counted = {"one": " -> int", "scalar_one": " -> int", "scalar": " -> int | None"}
        return counted.get(taking or "", ""), []
    if statement.execution.by_key or (query is not None and query.entity is not None):
        if taking in _MAYBE or statement.execution.by_key:
            return f" -> {table.cls.name} | None", [row]
        if taking in _ONE:
            return f" -> {table.cls.name}", [row]
        if taking == "all" and query is not None:
            if query.legacy:
                return f" -> list[{table.cls.name}]", [row]
            return f" -> Sequence[{table.cls.name}]", [row, ("collections.abc", "Sequence")]
    return "", []


def _body(
    app: App, statement: _Statement, parameters: list[_Parameter], repository: Repository
) -> tuple[str, list[tuple[str, str]]]:
    """Return the code of a method, and what it needs from other modules."""
    module = statement.function.module
    for node in s.walk(*statement.nodes):
        if isinstance(node, (s.Constant, s.JoinedStr)) and "\n" in text(module, node):
            raise StaysError(node, "a text of several lines")
    by_given = {each.given: each.name for each in parameters}
    by_given[text(module, statement.session)] = f"self.{repository.attribute}"
    edits = [(statement.session, f"self.{repository.attribute}")]
    for value in (v for node in statement.nodes for v in _values(node, statement.session)):
        name = by_given.get(text(module, value))
        if name is not None:
            edits.append((value, name))
    written = _rewritten(module, statement.asked, edits)
    if statement.iterated:
        written = f"({written}).all()" if written.startswith("await ") else f"{written}.all()"
    if statement.taken is not None and statement.kept is not None:
        taken = text(module, statement.taken)
        written = f"({written})" if "\n" in written else written
        body = f"result = {written}\nreturn {re.sub(r'^[A-Za-z_0-9]+', 'result', taken)}"
    elif statement.deletes:
        body = written
    else:
        body = f"return ({written})" if "\n" in written else f"return {written}"
    if statement.built is not None:
        body = "\n".join([*lines(module, statement.built, edits), body])
    needed = []
    bound = module_level_imports(module)
    for node in s.walk(*statement.nodes):
        if isinstance(node, s.Name) and node.id in bound:
            origin, _, name = bound[node.id].rpartition(".")
            if name != node.id or not origin:
                raise StaysError(node, f"{node.id} is imported in a way that is not copied")
            needed.append((origin, name))
        elif isinstance(node, s.Name) and isinstance(
            app.linker.scope(module).names.get(node.id), Class
        ):
            needed.append((module.name, node.id))
    return body, needed


def _rewritten(module: Module, node: s.Expr, edits: list[tuple[s.Expr, str]]) -> str:
    source, parts, done = module.source, [], node.start
    inside = [edit for edit in edits if node.start <= edit[0].start < node.end]
    for place, written in sorted(inside, key=lambda edit: edit[0].start):
        parts += [source[done : place.start].decode(), written]
        done = place.end
    parts.append(source[done : node.end].decode())
    return "".join(parts)


def _same(
    app: App, repository: Repository, table: Table, body: str, parameters: list[_Parameter]
) -> str | None:
    """Return the method of a repository that is this one already, whatever its parameters are called."""
    there = methods(app, repository.cls) if repository.cls is not None else {}
    wanted = plain_text(body, [each.name for each in parameters])
    own = wanted.replace(f".get({table.cls.name},", ".get(self.model,")
    for name, method in there.items():
        first = method.node.body[0].start if method.node.body else method.node.end
        code = method.module.source[first : method.node.end].decode()
        if plain_text(code, [each.name for each in method.parameters]) in {wanted, own}:
            return name
    return None


def _method(
    statement: _Statement, name: str, parameters: list[_Parameter], kind: str, body: str
) -> str:
    given = "".join(f", {each.declared}" for each in parameters)
    is_async = any(isinstance(node, s.Await) for node in s.walk(statement.asked))
    head = f"{'async ' if is_async else ''}def {name}(self{given}){kind}:"
    code = "".join(f"        {line}\n" if line else "\n" for line in body.splitlines())
    return f"    {head}\n{code}"


def _call(statement: _Statement, repository: str, name: str, parameters: list[_Parameter]) -> str:
    session = text(statement.function.module, statement.session)
    given = ", ".join(each.argument for each in parameters)
    call = f"{repository}({session}).{name}({given})"
    waits = any(isinstance(node, s.Await) for node in s.walk(statement.asked))
    return f"await {call}" if waits else call


def _replaced(statement: _Statement, call: str) -> list[Edit]:
    """Return the edits that put the call where the statement was."""
    module, place = statement.function.module, statement.taken or statement.asked
    parents = {id(c): n for n in s.walk(statement.function.node) for c in s.children(n)}
    above = parents.get(id(place))
    inner = above.func if isinstance(above, s.Call) else None
    inner = above.value if isinstance(above, (s.Attribute, s.Subscript)) else inner
    if call.startswith("await ") and inner is place:
        call = f"({call})"
    edits = [Edit(module.path, place.start, place.end, call)]
    if statement.kept is not None:
        block = _block(statement.function.node.body, statement.kept)
        edits += delete_statements(module, block, [statement.kept])
    if statement.built is not None:
        edits.append(gone(module, statement.built))
    return edits


RECIPE = Recipe(
    summary="statements of the database in repositories",
    why="A statement that stands where it is needed is written again in the next place, a little different.",
    plan=plan,
    references=("https://martinfowler.com/eaaCatalog/repository.html",),
)
CASES = (
    Case(
        "a repository for each table; equal statements share a method; steps go with their statement, writes stay",
        {
            "shop/__init__.py": "",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.routers import orders

app = FastAPI()
app.include_router(orders.router)
""",
            "shop/db.py": """\
from sqlmodel import Session


def get_session() -> Session: ...
""",
            "shop/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int
    note: str


class Customer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    email: str
""",
            "shop/routers/__init__.py": "",
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import Session, func, select

from shop.db import get_session
from shop.models import Customer, Order

router = APIRouter()


@router.get("/customers/{email}")
def customer(email: str, session: Session = Depends(get_session)) -> Customer:
    found = session.exec(select(Customer).where(Customer.email == email)).first()
    if found is None:
        raise HTTPException(404)
    return found


@router.get("/customers/{email}/orders")
def orders(email: str, session: Session = Depends(get_session)) -> list[Order]:
    owner = session.exec(select(Customer).where(Customer.email == email)).first()
    if owner is None:
        raise HTTPException(404)
    statement = select(Order)
    if owner.id:
        statement = statement.where(Order.customer_id == owner.id)
    session.exec(statement).first()
    return list(session.exec(select(Order).where(Order.customer_id == owner.id)).all())


@router.get("/count")
def count(session: Session = Depends(get_session)) -> int:
    return session.exec(select(func.count()).select_from(Order)).one()


@router.post("/orders")
def create(order: Order, session: Session = Depends(get_session)) -> Order:
    session.add(order)
    session.commit()
    session.refresh(order)
    return order
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import Session

from shop.db import get_session
from shop.models import Customer, Order
from shop.repositories.customers import CustomerRepository
from shop.repositories.orders import OrderRepository

router = APIRouter()


@router.get("/customers/{email}")
def customer(email: str, session: Session = Depends(get_session)) -> Customer:
    found = CustomerRepository(session).get_by_email(email)
    if found is None:
        raise HTTPException(404)
    return found


@router.get("/customers/{email}/orders")
def orders(email: str, session: Session = Depends(get_session)) -> list[Order]:
    owner = CustomerRepository(session).get_by_email(email)
    if owner is None:
        raise HTTPException(404)
    OrderRepository(session).find(customer_id=owner.id)
    return list(OrderRepository(session).list_for_customer(owner.id))


@router.get("/count")
def count(session: Session = Depends(get_session)) -> int:
    return OrderRepository(session).count()


@router.post("/orders")
def create(order: Order, session: Session = Depends(get_session)) -> Order:
    session.add(order)
    session.commit()
    session.refresh(order)
    return order
""",
            "shop/repositories/customers.py": """\
\"\"\"The statements on Customer.\"\"\"

from sqlmodel import Session, select

from shop.models import Customer


class CustomerRepository:
    \"\"\"Rows of Customer in the database.\"\"\"

    def __init__(self, session: Session) -> None:
        self.session = session

    def get_by_email(self, email: str) -> Customer | None:
        return self.session.exec(select(Customer).where(Customer.email == email)).first()
""",
            "shop/repositories/__init__.py": "",
            "shop/repositories/orders.py": """\
\"\"\"The statements on Order.\"\"\"

from collections.abc import Sequence

from sqlmodel import Session, func, select

from shop.models import Order


class OrderRepository:
    \"\"\"Rows of Order in the database.\"\"\"

    def __init__(self, session: Session) -> None:
        self.session = session

    def find(self, customer_id: int | None = None) -> Order | None:
        statement = select(Order)
        if customer_id:
            statement = statement.where(Order.customer_id == customer_id)
        return self.session.exec(statement).first()

    def list_for_customer(self, customer_id: int) -> Sequence[Order]:
        return self.session.exec(select(Order).where(Order.customer_id == customer_id)).all()

    def count(self) -> int:
        return self.session.exec(select(func.count()).select_from(Order)).one()
""",
        },
    ),
    Case(
        "async, into a class that is there",
        {
            "blog/__init__.py": "",
            "blog/models.py": """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]
""",
            "blog/repositories/__init__.py": "",
            "blog/repositories/posts.py": """\
from sqlalchemy.ext.asyncio import AsyncSession

from blog.models import Post


class PostRepository:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def find(self, key: int) -> Post | None:
        return await self.db.get(Post, key)
""",
            "blog/routers/__init__.py": "",
            "blog/routers/posts.py": """\
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from blog.models import Post

router = APIRouter()


async def get_db() -> AsyncSession: ...


Db = Annotated[AsyncSession, Depends(get_db)]


@router.get("/posts/{slug}")
async def read(slug: str, db: Db) -> str:
    result = await db.execute(select(Post).where(Post.slug == slug))
    post = result.scalar_one_or_none()
    return post.slug if post else ""


@router.get("/texts/{slug}")
async def text(slug: str, db: Db) -> str:
    return (await db.execute(select(Post).where(Post.slug == slug))).scalars().one().slug
""",
            "blog/main.py": """\
from fastapi import FastAPI

from blog.routers import posts

app = FastAPI()
app.include_router(posts.router)
""",
        },
        {
            "blog/repositories/posts.py": """\
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from blog.models import Post


class PostRepository:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def find(self, key: int) -> Post | None:
        return await self.db.get(Post, key)

    async def get_by_slug(self, slug: str) -> Post | None:
        result = await self.db.execute(select(Post).where(Post.slug == slug))
        return result.scalar_one_or_none()

    async def get_by_slug_for_text(self, slug: str) -> Post:
        return (await self.db.execute(select(Post).where(Post.slug == slug))).scalars().one()
""",
            "blog/routers/posts.py": """\
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession

from blog.repositories.posts import PostRepository

router = APIRouter()


async def get_db() -> AsyncSession: ...


Db = Annotated[AsyncSession, Depends(get_db)]


@router.get("/posts/{slug}")
async def read(slug: str, db: Db) -> str:
    post = await PostRepository(db).get_by_slug(slug)
    return post.slug if post else ""


@router.get("/texts/{slug}")
async def text(slug: str, db: Db) -> str:
    return (await PostRepository(db).get_by_slug_for_text(slug)).slug
""",
        },
    ),
    Case(
        "statements in the folder of the database are where they belong",
        {
            "shop/db/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str | None = None
""",
            "shop/db/fixes.py": """\
from sqlmodel import Session, select

from shop.db.models import Order


def fill_notes(session: Session) -> None:
    for order in session.exec(select(Order)).all():
        order.note = order.note or ""
    session.commit()
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from shop.db.fixes import fill_notes

app = FastAPI()


def get_session() -> Session: ...


@app.post("/restore")
def restore(session: Session = Depends(get_session)) -> None:
    fill_notes(session)
""",
        },
    ),
    Case(
        "clean, before FastAPI had `Annotated`: a repository without a port",
        {
            "shop/__init__.py": "",
            "shop/db.py": """\
from sqlmodel import Session


def get_session() -> Session: ...
""",
            "shop/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
""",
            "shop/main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from shop.db import get_session
from shop.models import Order

app = FastAPI()


@app.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session)) -> Order | None:
    return session.get(Order, order_id)
""",
        },
        {
            "shop/main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from shop.db import get_session
from shop.models import Order
from shop.repositories.orders import OrderRepository

app = FastAPI()


@app.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session)) -> Order | None:
    return OrderRepository(session).get(order_id)
""",
            "shop/repositories/__init__.py": "",
            "shop/repositories/orders.py": """\
\"\"\"The statements on Order.\"\"\"

from sqlmodel import Session

from shop.models import Order


class OrderRepository:
    \"\"\"Rows of Order in the database.\"\"\"

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, order_id: int) -> Order | None:
        return self.session.get(Order, order_id)
""",
        },
        target=Target(style="clean"),
        installed={"fastapi": "0.90.0"},
    ),
    Case(
        "a table in the same file",
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, select

app = FastAPI()


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)


def get_session() -> Session: ...


@app.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session)) -> Order | None:
    return session.get(Order, order_id)
""",
        },
        stopped=("main.py:16",),
    ),
    Case(
        "a statement that is put together in steps goes whole, with what narrows it as parameters",
        {
            "app/__init__.py": "",
            "app/db.py": """\
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession


async def get_db() -> AsyncSession: ...


Db = Annotated[AsyncSession, Depends(get_db)]
""",
            "app/filters.py": """\
from pydantic import BaseModel

from app.models import Status


class Filters(BaseModel):
    status: Status | None = None
    done: bool = False
""",
            "app/main.py": """\
from fastapi import FastAPI

from app.routers import tasks

app = FastAPI()
app.include_router(tasks.router)
""",
            "app/models.py": """\
from datetime import datetime
from enum import Enum

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Status(str, Enum):
    open = "open"
    done = "done"


class Task(Base):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int]
    title: Mapped[str]
    status: Mapped[Status]
    created_at: Mapped[datetime]


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int]
    name: Mapped[str]
""",
            "app/routers/__init__.py": "",
            "app/routers/tasks.py": """\
from datetime import datetime
from typing import Optional

from fastapi import APIRouter, HTTPException
from sqlalchemy import func, or_, select

from app.db import Db
from app.filters import Filters
from app.models import Status, Tag, Task

router = APIRouter()
PAGE = 20


@router.get("/a")
async def a(db: Db, q: Optional[str] = None, status: Status | None = None, since: datetime | None = None) -> list[int]:
    conditions = [Task.owner_id > 0]
    if q:
        pattern = f"%{q}%"
        conditions.append(Task.title.ilike(pattern))
    # only those
    if status is not None:
        conditions.append(Task.status == status)
    if since:
        conditions.append(Task.created_at >= since)

    result = await db.execute(select(Task).where(*conditions).order_by(Task.id))
    return [task.id for task in result.scalars().all()]


@router.get("/b/{owner_id}")
async def b(owner_id: int, db: Db, filters: Filters, tags: list[str]) -> list[int]:
    query = select(Task).where(Task.owner_id == owner_id)
    if filters.status:
        query = query.where(Task.status == filters.status)
    elif filters.done:
        query = query.where(Task.status == Status.done)
    for tag in tags:
        query = query.where(Task.id.in_(select(Tag.task_id).where(Tag.name == tag)))
    return [task.id for task in await db.scalars(query)]


@router.get("/c")
async def c(db: Db, q: str = "") -> int:
    pattern = f"%{q}%"
    statement = select(func.count()).select_from(Task).where(or_(Task.title.ilike(pattern), Task.status == q))
    return await db.scalar(statement) or 0


@router.get("/d")
async def d(db: Db, q: str = "", page: int = 0) -> dict:
    statement = select(Task)
    if q:
        statement = statement.where(Task.title == q)
    total = await db.scalar(select(func.count()).select_from(statement.subquery()))
    rows = (await db.scalars(statement.limit(20).offset(page * 20))).all()
    return {"total": total, "rows": [row.id for row in rows]}


@router.get("/e")
async def e(db: Db, sort: str = "id") -> list[int]:
    statement = select(Task)
    if sort == "title":
        statement = statement.order_by(Task.title)
    elif sort != "id":
        raise HTTPException(422)
    return [task.id for task in (await db.scalars(statement)).all()]


@router.get("/f")
async def f(db: Db) -> list[int]:
    statement = select(Task).limit(PAGE)
    return [task.id for task in (await db.scalars(statement)).all()]
""",
        },
        {
            "app/routers/tasks.py": """\
from datetime import datetime
from typing import Optional

from fastapi import APIRouter, HTTPException
from sqlalchemy import func, select

from app.db import Db
from app.filters import Filters
from app.models import Status, Task
from app.repositories.tasks import TaskRepository

router = APIRouter()
PAGE = 20


@router.get("/a")
async def a(db: Db, q: Optional[str] = None, status: Status | None = None, since: datetime | None = None) -> list[int]:
    return [task.id for task in await TaskRepository(db).search(q=q, status=status, since=since)]


@router.get("/b/{owner_id}")
async def b(owner_id: int, db: Db, filters: Filters, tags: list[str]) -> list[int]:
    return [task.id for task in await TaskRepository(db).list_for_owner(owner_id, tags, status=filters.status, done=filters.done)]


@router.get("/c")
async def c(db: Db, q: str = "") -> int:
    return await TaskRepository(db).count_by_title_or_status(q) or 0


@router.get("/d")
async def d(db: Db, q: str = "", page: int = 0) -> dict:
    statement = select(Task)
    if q:
        statement = statement.where(Task.title == q)
    total = await db.scalar(select(func.count()).select_from(statement.subquery()))
    rows = (await db.scalars(statement.limit(20).offset(page * 20))).all()
    return {"total": total, "rows": [row.id for row in rows]}


@router.get("/e")
async def e(db: Db, sort: str = "id") -> list[int]:
    statement = select(Task)
    if sort == "title":
        statement = statement.order_by(Task.title)
    elif sort != "id":
        raise HTTPException(422)
    return [task.id for task in (await db.scalars(statement)).all()]


@router.get("/f")
async def f(db: Db) -> list[int]:
    return [task.id for task in await TaskRepository(db).list_all(PAGE)]
""",
            "app/repositories/tasks.py": """\
\"\"\"The statements on Task.\"\"\"

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Status, Tag, Task


class TaskRepository:
    \"\"\"Rows of Task in the database.\"\"\"

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def search(self, q: str | None = None, status: Status | None = None, since: datetime | None = None) -> Sequence[Task]:
        conditions = [Task.owner_id > 0]
        if q:
            pattern = f"%{q}%"
            conditions.append(Task.title.ilike(pattern))
        # only those
        if status is not None:
            conditions.append(Task.status == status)
        if since:
            conditions.append(Task.created_at >= since)
        result = await self.session.execute(select(Task).where(*conditions).order_by(Task.id))
        return result.scalars().all()

    async def list_for_owner(self, owner_id: int, tags: list[str], status: Status | None = None, done: bool = False) -> Sequence[Task]:
        query = select(Task).where(Task.owner_id == owner_id)
        if status:
            query = query.where(Task.status == status)
        elif done:
            query = query.where(Task.status == Status.done)
        for tag in tags:
            query = query.where(Task.id.in_(select(Tag.task_id).where(Tag.name == tag)))
        return (await self.session.scalars(query)).all()

    async def count_by_title_or_status(self, q: str) -> int | None:
        pattern = f"%{q}%"
        statement = select(func.count()).select_from(Task).where(or_(Task.title.ilike(pattern), Task.status == q))
        return await self.session.scalar(statement)

    async def list_all(self, page: int) -> Sequence[Task]:
        statement = select(Task).limit(page)
        return (await self.session.scalars(statement)).all()
""",
            "app/repositories/__init__.py": "",
        },
        stopped=(
            "app/routers/tasks.py:37",
            "app/routers/tasks.py:48",
        ),
    ),
    Case(
        "clean: ports, adapters and `Depends`; writes and commits as well, so that services know no session",
        {
            "shop/__init__.py": "",
            "shop/db.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session


def get_session() -> Session: ...


SessionDep = Annotated[Session, Depends(get_session)]
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.routers import orders

app = FastAPI()
app.include_router(orders.router)
""",
            "shop/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int
    note: str


class Customer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    email: str
""",
            "shop/routers/__init__.py": "",
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.db import SessionDep
from shop.models import Order
from shop.services import orders as service

router = APIRouter()


@router.get("/orders")
def orders(email: str, session: SessionDep) -> list[Order]:
    return service.of_customer(email, session)


@router.post("/orders")
def create(order: Order, session: SessionDep) -> None:
    service.create(order, session=session)
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
from sqlmodel import Session, select

from shop.models import Customer, Order


def of_customer(email: str, session: Session) -> list[Order]:
    owner = session.exec(select(Customer).where(Customer.email == email)).first()
    return list(session.exec(select(Order).where(Order.customer_id == owner.id)).all()) if owner else []


def create(order: Order, session: Session) -> None:
    if session.get(Order, order.id) is None:
        session.add(order)
        session.commit()
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import CustomerRepositoryDep, OrderRepositoryDep, UnitOfWorkDep
from shop.models import Order
from shop.services import orders as service

router = APIRouter()


@router.get("/orders")
def orders(email: str, order_repository: OrderRepositoryDep, customers: CustomerRepositoryDep) -> list[Order]:
    return service.of_customer(email, order_repository, customers)


@router.post("/orders")
def create(order: Order, unit_of_work: UnitOfWorkDep, orders: OrderRepositoryDep) -> None:
    service.create(order, unit_of_work=unit_of_work, orders=orders)
""",
            "shop/services/orders.py": """\
from shop.models import Order
from shop.ports.customers import CustomerRepository
from shop.ports.orders import OrderRepository
from shop.ports.unit_of_work import UnitOfWork


def of_customer(email: str, orders: OrderRepository, customers: CustomerRepository) -> list[Order]:
    owner = customers.get_by_email(email)
    return list(orders.list_for_customer(owner.id)) if owner else []


def create(order: Order, unit_of_work: UnitOfWork, orders: OrderRepository) -> None:
    if orders.get(order.id) is None:
        orders.add(order)
        unit_of_work.commit()
""",
            "shop/repositories/customers.py": """\
\"\"\"The statements on Customer.\"\"\"

from sqlmodel import Session, select

from shop.models import Customer


class SqlCustomerRepository:
    \"\"\"Rows of Customer in the database.\"\"\"

    def __init__(self, session: Session) -> None:
        self.session = session

    def get_by_email(self, email: str) -> Customer | None:
        return self.session.exec(select(Customer).where(Customer.email == email)).first()
""",
            "shop/repositories/__init__.py": "",
            "shop/repositories/orders.py": """\
\"\"\"The statements on Order.\"\"\"

from collections.abc import Sequence

from sqlmodel import Session, select

from shop.models import Order


class SqlOrderRepository:
    \"\"\"Rows of Order in the database.\"\"\"

    def __init__(self, session: Session) -> None:
        self.session = session

    def list_for_customer(self, customer_id: int) -> Sequence[Order]:
        return self.session.exec(select(Order).where(Order.customer_id == customer_id)).all()

    def get(self, order_id: int) -> Order | None:
        return self.session.get(Order, order_id)

    def add(self, order: Order) -> None:
        self.session.add(order)
""",
            "shop/repositories/unit_of_work.py": """\
\"\"\"The transaction of a use case.\"\"\"

from sqlmodel import Session


class SqlUnitOfWork:
    \"\"\"The transaction of a session.\"\"\"

    def __init__(self, session: Session) -> None:
        self.session = session

    def commit(self) -> None:
        self.session.commit()

    def rollback(self) -> None:
        self.session.rollback()
""",
            "shop/dependencies.py": """\
\"\"\"What endpoints depend on.\"\"\"

from typing import Annotated

from fastapi import Depends

from shop.db import SessionDep
from shop.ports.customers import CustomerRepository
from shop.ports.orders import OrderRepository
from shop.ports.unit_of_work import UnitOfWork
from shop.repositories.customers import SqlCustomerRepository
from shop.repositories.orders import SqlOrderRepository
from shop.repositories.unit_of_work import SqlUnitOfWork


async def get_customer_repository(session: SessionDep) -> CustomerRepository:
    return SqlCustomerRepository(session)


CustomerRepositoryDep = Annotated[CustomerRepository, Depends(get_customer_repository)]


async def get_order_repository(session: SessionDep) -> OrderRepository:
    return SqlOrderRepository(session)


OrderRepositoryDep = Annotated[OrderRepository, Depends(get_order_repository)]


async def get_unit_of_work(session: SessionDep) -> UnitOfWork:
    return SqlUnitOfWork(session)


UnitOfWorkDep = Annotated[UnitOfWork, Depends(get_unit_of_work)]
""",
            "shop/ports/customers.py": """\
\"\"\"What the application asks of Customer rows.\"\"\"

from typing import Protocol

from shop.models import Customer


class CustomerRepository(Protocol):
    \"\"\"Rows of Customer, wherever they are kept.\"\"\"

    def get_by_email(self, email: str) -> Customer | None: ...
""",
            "shop/ports/__init__.py": "",
            "shop/ports/orders.py": """\
\"\"\"What the application asks of Order rows.\"\"\"

from collections.abc import Sequence
from typing import Protocol

from shop.models import Order


class OrderRepository(Protocol):
    \"\"\"Rows of Order, wherever they are kept.\"\"\"

    def list_for_customer(self, customer_id: int) -> Sequence[Order]: ...

    def get(self, order_id: int) -> Order | None: ...

    def add(self, order: Order) -> None: ...
""",
            "shop/ports/unit_of_work.py": """\
\"\"\"The transaction of a use case.\"\"\"

from typing import Protocol


class UnitOfWork(Protocol):
    \"\"\"What a use case changes is kept as a whole, or not at all.\"\"\"

    def commit(self) -> None: ...

    def rollback(self) -> None: ...
""",
        },
        target=Target(style="clean"),
    ),
    Case(
        "clean: classes that are given repositories, inherited methods, sessions of two dependencies, a name that means something else",
        {
            "app/__init__.py": "",
            "app/db.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session


def get_session() -> Session: ...


SessionDep = Annotated[Session, Depends(get_session)]
""",
            "app/dependencies.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session

from app.db import get_session
from app.services.orders import OrderService


def get_replica() -> Session: ...


SessionDep = Annotated[Session, Depends(get_replica)]


def get_order_service(session: Annotated[Session, Depends(get_session)]) -> OrderService:
    return OrderService(session)


OrderServiceDep = Annotated[OrderService, Depends(get_order_service)]
""",
            "app/main.py": """\
from fastapi import FastAPI

from app.routers import orders

app = FastAPI()
app.include_router(orders.router)
""",
            "app/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str = ""


class Line(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = None


class Report(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
""",
            "app/repositories/__init__.py": "",
            "app/repositories/base.py": """\
from typing import Generic, TypeVar

from sqlmodel import Session, SQLModel

ModelT = TypeVar("ModelT", bound=SQLModel)


class Repository(Generic[ModelT]):
    model: type[ModelT]

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, row_id: int) -> ModelT | None:
        return self.session.get(self.model, row_id)
""",
            "app/repositories/orders.py": """\
from app.models import Order
from app.repositories.base import Repository


class OrderRepository(Repository[Order]):
    model = Order
""",
            "app/repositories/reports.py": """\
from sqlalchemy import Engine

from app.models import Report


class ReportRepository:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def sales(self) -> list[Report]: ...
""",
            "app/routers/__init__.py": "",
            "app/routers/orders.py": """\
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Engine
from sqlmodel import Session

from app.db import SessionDep
from app.dependencies import OrderServiceDep, get_replica
from app.models import Order, Report
from app.repositories.orders import OrderRepository
from app.repositories.reports import ReportRepository

router = APIRouter()


def get_engine() -> Engine: ...


def get_reports(engine: Annotated[Engine, Depends(get_engine)]) -> ReportRepository:
    return ReportRepository(engine)


Reports = Annotated[ReportRepository, Depends(get_reports)]


@router.post("/orders")
def place(order: Order, service: OrderServiceDep) -> Order:
    return service.place(order)


@router.get("/orders/{order_id}")
def read(order_id: int, session: SessionDep) -> Order | None:
    return OrderRepository(session).get(order_id)


@router.get("/replica/{order_id}")
def replica(order_id: int, session: Annotated[Session, Depends(get_replica)]) -> Order | None:
    return OrderRepository(session).get(order_id)


@router.get("/last")
def last(session: SessionDep) -> Order | None:
    repository = OrderRepository(session)
    return repository.get(1)


@router.get("/reports")
def reports(found: Reports) -> list[Report]:
    return found.sales()
""",
            "app/services/__init__.py": "",
            "app/services/lines.py": """\
from sqlmodel import Session

from app.models import Line, Order
from app.repositories.orders import OrderRepository


def add(session: Session, order: Order) -> None:
    repository = OrderRepository(session)
    if repository.get(order.id) is not None:
        session.add(Line(order_id=order.id))
""",
            "app/services/orders.py": """\
from sqlmodel import Session

from app.models import Line, Order
from app.repositories.orders import OrderRepository
from app.services import lines


class OrderService:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.orders = OrderRepository(session)

    def get(self, order_id: int) -> Order | None:
        return self.orders.get(order_id)

    def place(self, order: Order) -> Order:
        self.session.add(order)
        self.session.flush()
        lines.add(self.session, order)
        self.session.commit()
        self.session.refresh(order)
        return order
""",
        },
        {
            "app/dependencies.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session

from app.db import get_session
from app.ports.orders import OrderRepository
from app.repositories.lines import SqlLineRepository
from app.repositories.orders import SqlOrderRepository
from app.repositories.unit_of_work import SqlUnitOfWork
from app.services.orders import OrderService


def get_replica() -> Session: ...


SessionDep = Annotated[Session, Depends(get_replica)]


def get_order_service(session: Annotated[Session, Depends(get_session)]) -> OrderService:
    return OrderService(SqlUnitOfWork(session), SqlOrderRepository(session), SqlLineRepository(session))


OrderServiceDep = Annotated[OrderService, Depends(get_order_service)]


async def get_order_repository(session: Annotated[Session, Depends(get_session)]) -> OrderRepository:
    return SqlOrderRepository(session)


OrderRepositoryDep = Annotated[OrderRepository, Depends(get_order_repository)]
""",
            "app/repositories/orders.py": """\
from app.models import Order
from app.repositories.base import Repository


class SqlOrderRepository(Repository[Order]):
    model = Order

    def add(self, order: Order) -> None:
        self.session.add(order)
""",
            "app/repositories/reports.py": """\
from sqlalchemy import Engine

from app.models import Report


class SqlReportRepository:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def sales(self) -> list[Report]: ...
""",
            "app/routers/orders.py": """\
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Engine
from sqlmodel import Session

from app.dependencies import OrderRepositoryDep, OrderServiceDep, get_replica
from app.models import Order, Report
from app.ports.reports import ReportRepository
from app.repositories.orders import SqlOrderRepository
from app.repositories.reports import SqlReportRepository

router = APIRouter()


def get_engine() -> Engine: ...


def get_reports(engine: Annotated[Engine, Depends(get_engine)]) -> ReportRepository:
    return SqlReportRepository(engine)


Reports = Annotated[ReportRepository, Depends(get_reports)]


@router.post("/orders")
def place(order: Order, service: OrderServiceDep) -> Order:
    return service.place(order)


@router.get("/orders/{order_id}")
def read(order_id: int, orders: OrderRepositoryDep) -> Order | None:
    return orders.get(order_id)


@router.get("/replica/{order_id}")
def replica(order_id: int, session: Annotated[Session, Depends(get_replica)]) -> Order | None:
    return SqlOrderRepository(session).get(order_id)


@router.get("/last")
def last(orders: OrderRepositoryDep) -> Order | None:
    return orders.get(1)


@router.get("/reports")
def reports(found: Reports) -> list[Report]:
    return found.sales()
""",
            "app/services/lines.py": """\
from app.models import Line, Order
from app.ports.lines import LineRepository
from app.ports.orders import OrderRepository


def add(orders: OrderRepository, lines: LineRepository, order: Order) -> None:
    if orders.get(order.id) is not None:
        lines.add(Line(order_id=order.id))
""",
            "app/services/orders.py": """\
from app.models import Line, Order
from app.ports.lines import LineRepository
from app.ports.orders import OrderRepository
from app.ports.unit_of_work import UnitOfWork
from app.services import lines


class OrderService:
    def __init__(self, unit_of_work: UnitOfWork, orders: OrderRepository, lines: LineRepository) -> None:
        self.unit_of_work = unit_of_work
        self.lines = lines
        self.orders = orders

    def get(self, order_id: int) -> Order | None:
        return self.orders.get(order_id)

    def place(self, order: Order) -> Order:
        self.orders.add(order)
        self.unit_of_work.flush()
        lines.add(self.orders, self.lines, order)
        self.unit_of_work.commit()
        self.unit_of_work.refresh(order)
        return order
""",
            "app/repositories/unit_of_work.py": """\
\"\"\"The transaction of a use case.\"\"\"

from sqlmodel import Session


class SqlUnitOfWork:
    \"\"\"The transaction of a session.\"\"\"

    def __init__(self, session: Session) -> None:
        self.session = session

    def commit(self) -> None:
        self.session.commit()

    def rollback(self) -> None:
        self.session.rollback()

    def flush(self) -> None:
        self.session.flush()

    def refresh(self, row: object) -> None:
        self.session.refresh(row)
""",
            "app/repositories/lines.py": """\
\"\"\"The statements on Line.\"\"\"

from sqlmodel import Session

from app.models import Line


class SqlLineRepository:
    \"\"\"Rows of Line in the database.\"\"\"

    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, line: Line) -> None:
        self.session.add(line)
""",
            "app/ports/lines.py": """\
\"\"\"What the application asks of Line rows.\"\"\"

from typing import Protocol

from app.models import Line


class LineRepository(Protocol):
    \"\"\"Rows of Line, wherever they are kept.\"\"\"

    def add(self, line: Line) -> None: ...
""",
            "app/ports/__init__.py": "",
            "app/ports/orders.py": """\
\"\"\"What the application asks of Order rows.\"\"\"

from typing import Protocol

from app.models import Order


class OrderRepository(Protocol):
    \"\"\"Rows of Order, wherever they are kept.\"\"\"

    def get(self, row_id: int) -> Order | None: ...

    def add(self, order: Order) -> None: ...
""",
            "app/ports/reports.py": """\
\"\"\"What the application asks of Report rows.\"\"\"

from typing import Protocol

from app.models import Report


class ReportRepository(Protocol):
    \"\"\"Rows of Report, wherever they are kept.\"\"\"

    def sales(self) -> list[Report]: ...
""",
            "app/ports/unit_of_work.py": """\
\"\"\"The transaction of a use case.\"\"\"

from typing import Protocol


class UnitOfWork(Protocol):
    \"\"\"What a use case changes is kept as a whole, or not at all.\"\"\"

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def flush(self) -> None: ...

    def refresh(self, row: object) -> None: ...
""",
        },
        target=Target(style="clean"),
    ),
    Case(
        "legacy queries in steps, with a join; the last, the open ones",
        {
            "app/__init__.py": "",
            "app/db.py": """\
from sqlalchemy.orm import Session


def get_db() -> Session: ...
""",
            "app/main.py": """\
from fastapi import FastAPI

from app.routers import issues

app = FastAPI()
app.include_router(issues.router)
""",
            "app/models.py": """\
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String(50))


class Issue(Base):
    __tablename__ = "issues"
    id = Column(Integer, primary_key=True)
    project_id = Column(Integer)
    assignee_id = Column(Integer, ForeignKey("users.id"))
    status = Column(String(20))
    number = Column(Integer)
""",
            "app/routers/__init__.py": "",
            "app/routers/issues.py": """\
from typing import Optional

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from app import models
from app.db import get_db

router = APIRouter()


@router.get("/projects/{project_id}/issues")
def issues(project_id: int, status: Optional[str] = None, assignee: Optional[str] = None, db: Session = Depends(get_db)):
    query = db.query(models.Issue).filter(models.Issue.project_id == project_id)
    if status:
        query = query.filter(models.Issue.status == status)
    if assignee:
        query = query.join(models.User, models.Issue.assignee_id == models.User.id)
        query = query.filter(models.User.name == assignee)
    found = query.order_by(models.Issue.number).all()
    return [issue.number for issue in found]


@router.get("/projects/{project_id}/last")
def last(project_id: int, db: Session = Depends(get_db)):
    issue = db.query(models.Issue).filter(models.Issue.project_id == project_id).order_by(models.Issue.number.desc()).first()
    return issue.number if issue else None


@router.get("/open")
def number_open(db: Session = Depends(get_db)):
    return db.query(models.Issue).filter(models.Issue.status == "open").count()


@router.get("/page")
def page(offset: int = 0, status: Optional[str] = None, db: Session = Depends(get_db)):
    query = db.query(models.Issue)
    if status:
        query = query.filter(models.Issue.status == status)
    return {"total": query.count(), "rows": [row.number for row in query.offset(offset).all()]}


@router.get("/chosen")
def chosen(mine: bool = False, db: Session = Depends(get_db)):
    if mine:
        query = db.query(models.Issue).filter(models.Issue.assignee_id == 1)
    else:
        query = db.query(models.Issue)
    print("asking")
    return [row.number for row in query.all()]
""",
        },
        {
            "app/routers/issues.py": """\
from typing import Optional

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from app import models
from app.db import get_db
from app.repositories.issues import IssueRepository

router = APIRouter()


@router.get("/projects/{project_id}/issues")
def issues(project_id: int, status: Optional[str] = None, assignee: Optional[str] = None, db: Session = Depends(get_db)):
    found = IssueRepository(db).list_for_project(project_id, status=status, assignee=assignee)
    return [issue.number for issue in found]


@router.get("/projects/{project_id}/last")
def last(project_id: int, db: Session = Depends(get_db)):
    issue = IssueRepository(db).get_last_for_project(project_id)
    return issue.number if issue else None


@router.get("/open")
def number_open(db: Session = Depends(get_db)):
    return IssueRepository(db).count_open()


@router.get("/page")
def page(offset: int = 0, status: Optional[str] = None, db: Session = Depends(get_db)):
    query = db.query(models.Issue)
    if status:
        query = query.filter(models.Issue.status == status)
    return {"total": query.count(), "rows": [row.number for row in query.offset(offset).all()]}


@router.get("/chosen")
def chosen(mine: bool = False, db: Session = Depends(get_db)):
    if mine:
        query = db.query(models.Issue).filter(models.Issue.assignee_id == 1)
    else:
        query = db.query(models.Issue)
    print("asking")
    return [row.number for row in query.all()]
""",
            "app/repositories/issues.py": """\
\"\"\"The statements on Issue.\"\"\"

from sqlalchemy.orm import Session

from app import models
from app.models import Issue


class IssueRepository:
    \"\"\"Rows of Issue in the database.\"\"\"

    def __init__(self, session: Session) -> None:
        self.session = session

    def list_for_project(self, project_id: int, status: str | None = None, assignee: str | None = None) -> list[Issue]:
        query = self.session.query(models.Issue).filter(models.Issue.project_id == project_id)
        if status:
            query = query.filter(models.Issue.status == status)
        if assignee:
            query = query.join(models.User, models.Issue.assignee_id == models.User.id)
            query = query.filter(models.User.name == assignee)
        return query.order_by(models.Issue.number).all()

    def get_last_for_project(self, project_id: int) -> Issue | None:
        return self.session.query(models.Issue).filter(models.Issue.project_id == project_id).order_by(models.Issue.number.desc()).first()

    def count_open(self) -> int:
        return self.session.query(models.Issue).filter(models.Issue.status == "open").count()
""",
            "app/repositories/__init__.py": "",
        },
        stopped=(
            "app/routers/issues.py:35",
            "app/routers/issues.py:45",
        ),
    ),
    Case(
        "clean, async: a class that a test makes, rows of no known table, and what runs in the background stay",
        {
            "app/__init__.py": "",
            "app/db.py": """\
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession



async def get_db() -> AsyncSession: ...


Db = Annotated[AsyncSession, Depends(get_db)]
""",
            "app/main.py": """\
from fastapi import FastAPI

from app.routers import posts

app = FastAPI()
app.include_router(posts.router)
""",
            "app/models.py": """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
""",
            "app/repositories/__init__.py": "",
            "app/repositories/tags.py": """\
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Tag


class TagRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, tag_id: int) -> Tag | None:
        return await self.session.get(Tag, tag_id)
""",
            "app/routers/__init__.py": "",
            "app/routers/posts.py": """\
from fastapi import APIRouter, BackgroundTasks
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Db
from app.models import Post
from app.repositories.tags import TagRepository

router = APIRouter()


@router.post("/posts")
async def create(title: str, db: Db) -> int:
    post = Post(title=title)
    db.add(post)
    await db.commit()
    await db.refresh(post)
    return post.id


@router.post("/many")
async def create_all(titles: list[str], db: Db) -> None:
    posts = [Post(title=title) for title in titles]
    db.add_all(posts)
    await db.commit()


@router.delete("/posts/{post_id}")
async def delete(post_id: int, db: Db) -> None:
    post = await db.get(Post, post_id)
    if post is not None:
        await db.delete(post)
        await db.commit()


@router.get("/tags/{tag_id}")
async def tag(tag_id: int, db: Db) -> int:
    found = await TagRepository(db).get(tag_id)
    return found.id if found else 0


@router.post("/keep")
async def keep(kept, db: Db) -> None:
    db.add(kept)
    await db.commit()


async def clean_up(db: AsyncSession) -> None:
    db.add(Post(title="cleaned"))
    await db.commit()


@router.post("/clean")
async def clean(db: Db, background: BackgroundTasks) -> None:
    background.add_task(clean_up, db)
    await clean_up(db)
""",
            "tests/__init__.py": "",
            "tests/test_tags.py": """\
from app.repositories.tags import TagRepository


async def test_tag(session):
    assert await TagRepository(session).get(1) is None
""",
        },
        {
            "app/routers/posts.py": """\
from fastapi import APIRouter, BackgroundTasks
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Db
from app.dependencies import PostRepositoryDep, UnitOfWorkDep
from app.models import Post
from app.repositories.tags import TagRepository

router = APIRouter()


@router.post("/posts")
async def create(title: str, unit_of_work: UnitOfWorkDep, posts: PostRepositoryDep) -> int:
    post = Post(title=title)
    posts.add(post)
    await unit_of_work.commit()
    await unit_of_work.refresh(post)
    return post.id


@router.post("/many")
async def create_all(titles: list[str], unit_of_work: UnitOfWorkDep, post_repository: PostRepositoryDep) -> None:
    posts = [Post(title=title) for title in titles]
    post_repository.add_all(posts)
    await unit_of_work.commit()


@router.delete("/posts/{post_id}")
async def delete(post_id: int, unit_of_work: UnitOfWorkDep, posts: PostRepositoryDep) -> None:
    post = await posts.get(post_id)
    if post is not None:
        await posts.delete(post)
        await unit_of_work.commit()


@router.get("/tags/{tag_id}")
async def tag(tag_id: int, db: Db) -> int:
    found = await TagRepository(db).get(tag_id)
    return found.id if found else 0


@router.post("/keep")
async def keep(kept, db: Db) -> None:
    db.add(kept)
    await db.commit()


async def clean_up(db: AsyncSession) -> None:
    db.add(Post(title="cleaned"))
    await db.commit()


@router.post("/clean")
async def clean(db: Db, background: BackgroundTasks) -> None:
    background.add_task(clean_up, db)
    await clean_up(db)
""",
            "app/repositories/posts.py": """\
\"\"\"The statements on Post.\"\"\"

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Post


class SqlPostRepository:
    \"\"\"Rows of Post in the database.\"\"\"

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, post_id: int) -> Post | None:
        return await self.session.get(Post, post_id)

    def add(self, post: Post) -> None:
        self.session.add(post)

    def add_all(self, posts: Iterable[Post]) -> None:
        self.session.add_all(posts)

    async def delete(self, post: Post) -> None:
        await self.session.delete(post)
""",
            "app/repositories/unit_of_work.py": """\
\"\"\"The transaction of a use case.\"\"\"

from sqlalchemy.ext.asyncio import AsyncSession


class SqlUnitOfWork:
    \"\"\"The transaction of a session.\"\"\"

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def commit(self) -> None:
        await self.session.commit()

    async def rollback(self) -> None:
        await self.session.rollback()

    async def refresh(self, row: object) -> None:
        await self.session.refresh(row)
""",
            "app/dependencies.py": """\
\"\"\"What endpoints depend on.\"\"\"

from typing import Annotated

from fastapi import Depends

from app.db import Db
from app.ports.posts import PostRepository
from app.ports.unit_of_work import UnitOfWork
from app.repositories.posts import SqlPostRepository
from app.repositories.unit_of_work import SqlUnitOfWork


async def get_post_repository(session: Db) -> PostRepository:
    return SqlPostRepository(session)


PostRepositoryDep = Annotated[PostRepository, Depends(get_post_repository)]


async def get_unit_of_work(session: Db) -> UnitOfWork:
    return SqlUnitOfWork(session)


UnitOfWorkDep = Annotated[UnitOfWork, Depends(get_unit_of_work)]
""",
            "app/ports/posts.py": """\
\"\"\"What the application asks of Post rows.\"\"\"

from collections.abc import Iterable
from typing import Protocol

from app.models import Post


class PostRepository(Protocol):
    \"\"\"Rows of Post, wherever they are kept.\"\"\"

    async def get(self, post_id: int) -> Post | None: ...

    def add(self, post: Post) -> None: ...

    def add_all(self, posts: Iterable[Post]) -> None: ...

    async def delete(self, post: Post) -> None: ...
""",
            "app/ports/__init__.py": "",
            "app/ports/unit_of_work.py": """\
\"\"\"The transaction of a use case.\"\"\"

from typing import Protocol


class UnitOfWork(Protocol):
    \"\"\"What a use case changes is kept as a whole, or not at all.\"\"\"

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...

    async def refresh(self, row: object) -> None: ...
""",
        },
        stopped=(
            "app/routers/posts.py:44",
            "tests/test_tags.py:1",
        ),
        target=Target(style="clean"),
    ),
    Case(
        "one variable for several statements, a statement that is asked twice, a session behind a bare star",
        {
            "app/__init__.py": "",
            "app/db.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session


def get_session() -> Session: ...


SessionDep = Annotated[Session, Depends(get_session)]
""",
            "app/main.py": """\
from fastapi import FastAPI

from app.routers import orders

app = FastAPI()
app.include_router(orders.router)
""",
            "app/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str = ""


class Line(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = None
""",
            "app/routers/__init__.py": "",
            "app/routers/orders.py": """\
from fastapi import APIRouter
from sqlmodel import func, select

from app.db import SessionDep
from app.models import Line, Order

router = APIRouter()


@router.get("/orders")
def orders(*, session: SessionDep, note: str, everything: bool = False) -> dict:
    if everything:
        statement = select(func.count()).select_from(Order)
        count = session.exec(statement).one()
        statement = select(Order).order_by(Order.id)
        rows = session.exec(statement).all()
    else:
        statement = select(func.count()).select_from(Order).where(Order.note == note)
        count = session.exec(statement).one()
        statement = select(Order).where(Order.note == note).order_by(Order.id)
        rows = session.exec(statement).all()
    return {"count": count, "rows": [row.id for row in rows]}


@router.get("/lines")
def lines(session: SessionDep, order_id: int) -> dict:
    statement = select(Line).where(Line.order_id == order_id)
    rows = session.exec(statement).all()
    if not rows:
        rows = session.exec(statement.limit(1)).all()
    return {"rows": [row.id for row in rows]}
""",
        },
        {
            "app/routers/orders.py": """\
from fastapi import APIRouter
from sqlmodel import select

from app.db import SessionDep
from app.dependencies import OrderRepositoryDep
from app.models import Line

router = APIRouter()


@router.get("/orders")
def orders(*, order_repository: OrderRepositoryDep, note: str, everything: bool = False) -> dict:
    if everything:
        count = order_repository.count()
        rows = order_repository.list_all()
    else:
        count = order_repository.count_by_note(note)
        rows = order_repository.list_by_note(note)
    return {"count": count, "rows": [row.id for row in rows]}


@router.get("/lines")
def lines(session: SessionDep, order_id: int) -> dict:
    statement = select(Line).where(Line.order_id == order_id)
    rows = session.exec(statement).all()
    if not rows:
        rows = session.exec(statement.limit(1)).all()
    return {"rows": [row.id for row in rows]}
""",
            "app/repositories/orders.py": """\
\"\"\"The statements on Order.\"\"\"

from collections.abc import Sequence

from sqlmodel import Session, func, select

from app.models import Order


class SqlOrderRepository:
    \"\"\"Rows of Order in the database.\"\"\"

    def __init__(self, session: Session) -> None:
        self.session = session

    def count(self) -> int:
        statement = select(func.count()).select_from(Order)
        return self.session.exec(statement).one()

    def list_all(self) -> Sequence[Order]:
        statement = select(Order).order_by(Order.id)
        return self.session.exec(statement).all()

    def count_by_note(self, note: str) -> int:
        statement = select(func.count()).select_from(Order).where(Order.note == note)
        return self.session.exec(statement).one()

    def list_by_note(self, note: str) -> Sequence[Order]:
        statement = select(Order).where(Order.note == note).order_by(Order.id)
        return self.session.exec(statement).all()
""",
            "app/repositories/__init__.py": "",
            "app/dependencies.py": """\
\"\"\"What endpoints depend on.\"\"\"

from typing import Annotated

from fastapi import Depends

from app.db import SessionDep
from app.ports.orders import OrderRepository
from app.repositories.orders import SqlOrderRepository


async def get_order_repository(session: SessionDep) -> OrderRepository:
    return SqlOrderRepository(session)


OrderRepositoryDep = Annotated[OrderRepository, Depends(get_order_repository)]
""",
            "app/ports/orders.py": """\
\"\"\"What the application asks of Order rows.\"\"\"

from collections.abc import Sequence
from typing import Protocol

from app.models import Order


class OrderRepository(Protocol):
    \"\"\"Rows of Order, wherever they are kept.\"\"\"

    def count(self) -> int: ...

    def list_all(self) -> Sequence[Order]: ...

    def count_by_note(self, note: str) -> int: ...

    def list_by_note(self, note: str) -> Sequence[Order]: ...
""",
            "app/ports/__init__.py": "",
        },
        stopped=("app/routers/orders.py:27",),
        target=Target(style="clean"),
    ),
    Case(
        "clean: statements that delete rows go along, where nobody asks how many",
        {
            "app/__init__.py": "",
            "app/db.py": """\
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession


async def get_db() -> AsyncSession: ...


Db = Annotated[AsyncSession, Depends(get_db)]
""",
            "app/main.py": """\
from fastapi import FastAPI

from app.routers import lines

app = FastAPI()
app.include_router(lines.router)
""",
            "app/models.py": """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class OrderDetails(Base):
    __tablename__ = "order_details"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int]
""",
            "app/routers/__init__.py": "",
            "app/routers/lines.py": """\
from fastapi import APIRouter
from sqlalchemy import delete

from app.db import Db
from app.models import OrderDetails

router = APIRouter()


@router.delete("/orders/{order_id}/lines")
async def clear(order_id: int, db: Db) -> None:
    statement = delete(OrderDetails).where(OrderDetails.order_id == order_id)
    await db.execute(statement)
    await db.commit()


@router.delete("/lines")
async def clear_all(db: Db) -> None:
    await db.execute(delete(OrderDetails))
    await db.commit()


@router.delete("/orders/{order_id}/first")
async def count_gone(order_id: int, db: Db) -> int:
    gone = await db.execute(delete(OrderDetails).where(OrderDetails.order_id < order_id))
    return gone.rowcount
""",
        },
        {
            "app/dependencies.py": """\
\"\"\"What endpoints depend on.\"\"\"

from typing import Annotated

from fastapi import Depends

from app.db import Db
from app.ports.order_details import OrderDetailsRepository
from app.ports.unit_of_work import UnitOfWork
from app.repositories.order_details import SqlOrderDetailsRepository
from app.repositories.unit_of_work import SqlUnitOfWork


async def get_order_details_repository(session: Db) -> OrderDetailsRepository:
    return SqlOrderDetailsRepository(session)


OrderDetailsRepositoryDep = Annotated[OrderDetailsRepository, Depends(get_order_details_repository)]


async def get_unit_of_work(session: Db) -> UnitOfWork:
    return SqlUnitOfWork(session)


UnitOfWorkDep = Annotated[UnitOfWork, Depends(get_unit_of_work)]
""",
            "app/ports/__init__.py": "",
            "app/ports/order_details.py": """\
\"\"\"What the application asks of OrderDetails rows.\"\"\"

from typing import Protocol


class OrderDetailsRepository(Protocol):
    \"\"\"Rows of OrderDetails, wherever they are kept.\"\"\"

    async def delete_for_order(self, order_id: int) -> None: ...

    async def delete_all(self) -> None: ...
""",
            "app/ports/unit_of_work.py": """\
\"\"\"The transaction of a use case.\"\"\"

from typing import Protocol


class UnitOfWork(Protocol):
    \"\"\"What a use case changes is kept as a whole, or not at all.\"\"\"

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...
""",
            "app/repositories/__init__.py": "",
            "app/repositories/order_details.py": """\
\"\"\"The statements on OrderDetails.\"\"\"

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import OrderDetails


class SqlOrderDetailsRepository:
    \"\"\"Rows of OrderDetails in the database.\"\"\"

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def delete_for_order(self, order_id: int) -> None:
        statement = delete(OrderDetails).where(OrderDetails.order_id == order_id)
        await self.session.execute(statement)

    async def delete_all(self) -> None:
        await self.session.execute(delete(OrderDetails))
""",
            "app/repositories/unit_of_work.py": """\
\"\"\"The transaction of a use case.\"\"\"

from sqlalchemy.ext.asyncio import AsyncSession


class SqlUnitOfWork:
    \"\"\"The transaction of a session.\"\"\"

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def commit(self) -> None:
        await self.session.commit()

    async def rollback(self) -> None:
        await self.session.rollback()
""",
            "app/routers/lines.py": """\
from fastapi import APIRouter
from sqlalchemy import delete

from app.db import Db
from app.dependencies import OrderDetailsRepositoryDep, UnitOfWorkDep
from app.models import OrderDetails

router = APIRouter()


@router.delete("/orders/{order_id}/lines")
async def clear(order_id: int, unit_of_work: UnitOfWorkDep, order_details: OrderDetailsRepositoryDep) -> None:
    await order_details.delete_for_order(order_id)
    await unit_of_work.commit()


@router.delete("/lines")
async def clear_all(unit_of_work: UnitOfWorkDep, order_details: OrderDetailsRepositoryDep) -> None:
    await order_details.delete_all()
    await unit_of_work.commit()


@router.delete("/orders/{order_id}/first")
async def count_gone(order_id: int, db: Db) -> int:
    gone = await db.execute(delete(OrderDetails).where(OrderDetails.order_id < order_id))
    return gone.rowcount
""",
        },
        target=Target(style="clean"),
    ),
)
