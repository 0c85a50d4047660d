"""A function that looks one thing up by one key: read, and written once more for many keys."""

from __future__ import annotations

import re

import msgspec

from fastwright.app.calls import CallSite, Execution
from fastwright.app.loading import given_for
from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance
from fastwright.edit import source as at
from fastwright.edit.builders import insert_after, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.loading.asked import Asked, Refused, Run, asked_by, mentions
from fastwright.recipes.loading.batches import of_numbers, of_rows
from fastwright.recipes.shared.words import plural, snake

_SHAPE = "does more than a lookup"


class Guard(msgspec.Struct, frozen=True, eq=False):
    """``if row is None: raise ...``, between the lookup and the return of the row."""

    function: Function
    branch: s.If
    row: s.Assign
    """Where the row gets its name."""
    given: tuple[tuple[str, s.Expr], ...]
    """The parameters that it reads, with what the caller gives."""


class Called(msgspec.Struct, frozen=True, eq=False):
    """A function of the project that is called for one key after another."""

    function: Function
    execution: Execution
    asked: Asked
    """With the key as the caller gives it."""
    parameter: str
    otherwise: str
    """What it gives for nothing: `` or 0.0``."""
    own: Class | None = None
    """The repository that inherits the function, which is for any table."""
    guard: Guard | None = None

    @property
    def needed(self) -> set[str]:
        """The parameters that the lookup itself reads."""
        params = self.function.node.params
        first = {params[0].name} if self.function.owner is not None and params else set()
        outside = self.guard.branch if self.guard is not None else None
        read = {
            node.id
            for statement in self.function.node.body
            if statement is not outside
            for node in s.walk(statement)
            if isinstance(node, s.Name)
        }
        return first | {each.name for each in params if each.name in read}


class _Body(msgspec.Struct, frozen=True, eq=False):
    """A function that returns what a lookup gives."""

    before: list[s.Stmt]
    value: s.Expr
    guard: tuple[s.If, s.Assign] | None


def called(app: App, site: CallSite, bound: set[str], depth: int = 0) -> Called:
    """Return what a call in a loop looks up, where that is all that the function does."""
    if len(site.targets) != 1:
        raise Refused("it is not known which function runs")
    function = site.targets[0]
    node = function.node
    if node.decorators or node.is_generator or function.module.kind != "source":
        raise Refused(f"{function.qualname} {_SHAPE}")
    if any(k.arg is None for k in site.node.keywords) or any(
        isinstance(a, s.Starred) for a in site.node.args
    ):
        raise Refused("what it is called with cannot be read", site.node)
    given = {each.name: given_for(site, function, each.name) for each in node.params}
    varying = [
        name for name, value in given.items() if value is not None and mentions(value, bound)
    ]
    key = given[varying[0]] if len(varying) == 1 else None
    if key is None:
        raise Refused("it is called with more than a key", site.node)
    body = _body_of(function)
    guard = _guard(app, function, body, given)
    inner = _inner(app, function, body.value)
    if inner is not None and depth == 0 and not body.before:
        found = called(app, inner, set(varying), depth + 1)
        if not isinstance(found.asked.key, s.Name) or found.otherwise or found.guard:
            raise Refused(f"{function.qualname} {_SHAPE}")
        own = found.own or _own(app, site, found.function)
        asked = msgspec.structs.replace(found.asked, key=key)
        return msgspec.structs.replace(found, asked=asked, own=own, guard=guard)
    own = _own(app, site, function)
    execution, taken, named, otherwise = _read(app, function, body)
    run = Run(function, execution, taken, frozenset(varying), named, own)
    asked = asked_by(app, run)
    if not isinstance(asked.key, s.Name) or asked.key.id != varying[0]:
        raise Refused(f"{function.qualname} {_SHAPE}")
    if (otherwise and asked.kind != "value") or (guard is not None and asked.kind != "one"):
        raise Refused(f"{function.qualname} {_SHAPE}")
    asked = msgspec.structs.replace(asked, key=key)
    return Called(function, execution, asked, varying[0], otherwise, own, guard)


def _own(app: App, site: CallSite, function: Function) -> Class | None:
    """Return the repository on which an inherited method is called."""
    cls = site.receiver.cls if isinstance(site.receiver, Instance) else None
    if not isinstance(cls, Class) or function.owner is None or cls is function.owner:
        return None
    if function.owner not in app.linker.mro(cls):
        raise Refused(f"{cls.name} is a port: others may implement it", site.node)
    return cls


def _body_of(function: Function) -> _Body:
    body = function.node.body[1 if function.node.doc is not None else 0 :]
    last = body[-1] if body else None
    if not isinstance(last, s.Return) or last.value is None:
        raise Refused(f"{function.qualname} {_SHAPE}")
    branch, row = (body[-2], body[-3]) if len(body) > 2 else (None, None)
    if not isinstance(branch, s.If):
        return _Body(body[:-1], last.value, None)
    if (
        len(branch.branches) != 1
        or branch.orelse
        or len(branch.branches[0].body) != 1
        or not isinstance(branch.branches[0].body[0], s.Raise)
        or not isinstance(row, s.Assign)
        or len(row.targets) != 1
        or s.dotted(row.targets[0]) != s.dotted(last.value)
        or not isinstance(last.value, s.Name)
    ):
        raise Refused(f"{function.qualname} {_SHAPE}")
    return _Body(body[:-3], row.value, (branch, row))


def _guard(
    app: App, function: Function, body: _Body, given: dict[str, s.Expr | None]
) -> Guard | None:
    if body.guard is None:
        return None
    branch, row = body.guard
    read = {node.id for node in s.walk(branch) if isinstance(node, s.Name)}
    read -= {s.dotted(row.targets[0]) or ""}
    if any(isinstance(node, (s.Await, s.NamedExpr)) for node in s.walk(branch)):
        raise Refused(f"{function.qualname} {_SHAPE}")
    local = set(app.types.locals.of(function)) - {each.name for each in function.node.params}
    needed = []
    for parameter in function.parameters:
        value = given[parameter.name]
        if parameter.name in read:
            if value is None:
                raise Refused(f"{function.qualname} {_SHAPE}")
            needed.append((parameter.name, value))
    if read & local:
        raise Refused(f"{function.qualname} {_SHAPE}")
    return Guard(function, branch, row, tuple(needed))


def _inner(app: App, function: Function, value: s.Expr) -> CallSite | None:
    """Return ``self.get(key)``, where a method does its lookup through another one."""
    call = value.value if isinstance(value, s.Await) else value
    if app.calls.executions(function) or not isinstance(call, s.Call):
        return None
    if not isinstance(call.func, s.Attribute) or s.dotted(call.func.value) != "self":
        return None
    return next((site for site in app.calls.sites(function) if site.node is call), None)


def _read(
    app: App, function: Function, body: _Body
) -> tuple[Execution, tuple[str, ...], dict[str, s.Expr], str]:
    """Return the statement that a function runs, what it takes from it, and what it gives for nothing."""
    executions = app.calls.executions(function)
    if len(executions) != 1:
        raise Refused(f"{function.qualname} {_SHAPE}")
    named: dict[str, s.Expr] = {}
    for statement in body.before:
        target = statement.targets[0] if isinstance(statement, s.Assign) else None
        if not isinstance(target, s.Name) or not isinstance(statement, s.Assign):
            raise Refused(f"{function.qualname} {_SHAPE}")
        read = [x for x, _ in app.calls.of_kind(function, s.Name) if x.id == target.id]
        if len(statement.targets) != 1 or len(read) != 2:
            raise Refused(f"{function.qualname} {_SHAPE}")
        named[target.id] = statement.value
    node, otherwise, used = body.value, "", 0
    if isinstance(node, s.BoolOp) and node.op == "or" and len(node.values) == 2:
        if not isinstance(node.values[1], s.Constant):
            raise Refused(f"{function.qualname} {_SHAPE}")
        otherwise = f" or {at.text(function.module, node.values[1])}"
        node = node.values[0]
    execution, taken = executions[0], list[str]()
    while node is not execution.site.node:
        if isinstance(node, s.Name) and node.id in named:
            node, used = named[node.id], used + 1
        elif isinstance(node, s.Await):
            node = node.value
        elif isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
            if node.args or node.keywords:
                raise Refused(f"{function.qualname} {_SHAPE}")
            taken.append(node.func.attr)
            node = node.func.value
        else:
            raise Refused(f"{function.qualname} {_SHAPE}")
    given = execution.site.node.args
    if len(given) == 1 and isinstance(given[0], s.Name) and given[0].id in named:
        used += 1
    if used != len(named):
        raise Refused(f"{function.qualname} {_SHAPE}")
    return execution, tuple(reversed(taken)), named, otherwise


class Sibling(msgspec.Struct, frozen=True, eq=False):
    """The function for many keys: its name, and what brings it where it is not there yet."""

    name: str
    module: Module
    edits: tuple[Edit, ...]
    imports: tuple[Import, ...]


def sibling(app: App, found: Called, site: CallSite) -> Sibling:
    """Return the function that gives for many keys what one gives for one."""
    function, own = found.function, found.own
    module, node, imports = function.module, function.node, list[Import]()
    into = own.module if own is not None else module
    name = _name(found)
    many = plural(found.parameter)
    if any(parameter.name == many for parameter in node.params):
        raise Refused(f"the name {many} is taken")
    params = []
    for parameter in node.params:
        if parameter.name not in found.needed:
            continue
        text = at.text(module, parameter)
        if parameter.name == found.parameter:
            if parameter.default is not None or parameter.kind not in {"plain", "keyword"}:
                raise Refused("the key may be left out")
            text = many
            if parameter.annotation is not None:
                text += f": list[{at.text(module, parameter.annotation)}]"
        params.append(text)
    body, returned = _body(found, many, imports)
    head = f"{'async ' * node.is_async}def {name}({', '.join(params)}){returned}:"
    step = at.step(module)
    lines = "\n".join([head, *(f"{step}{line}" for line in body)]) + "\n"
    there = _there(app, own or function.owner, into, name)
    if there is not None:
        if _squeezed(at.text(there.module, there.node)) != _squeezed(lines):
            raise Refused(f"the name {name} is taken")
        return Sibling(name, into, (), ())
    if own is not None:
        edit = insert_after(into, own.node.body[-1], "\n" + lines)
        return Sibling(name, into, (edit,), tuple(imports))
    if found.guard is None and _is_last(app, function, site):  # nobody asks for one any more
        indentation = at.indentation(module.source, node.start)
        text = lines.rstrip("\n").replace("\n", f"{at.newline(module.source)}{indentation}")
        return Sibling(name, into, (replace(module, node, text),), tuple(imports))
    blank = "\n" if function.owner is not None else "\n\n"
    return Sibling(name, into, (insert_after(module, node, blank + lines),), tuple(imports))


def _is_last(app: App, function: Function, site: CallSite) -> bool:
    """Whether the call in the loop is the only mention of a function, but for its import there."""
    word = re.compile(rb"\b" + function.name.encode() + rb"\b")
    mentions = sum(len(word.findall(module.source)) for module in app.modules.values())
    for statement in site.module.import_statements:
        mentions -= len(word.findall(site.module.source[statement.start : statement.end]))
    return mentions == 2  # its definition and the call


def _squeezed(text: str) -> str:
    return "".join(text.split()).replace(",)", ")").replace("(", "").replace(")", "")


def _there(app: App, owner: Class | None, module: Module, name: str) -> Function | None:
    if owner is not None:
        return app.linker.method(owner, name)
    return next((f for f in app.every_function(module) if f.qualname == name), None)


def guarded(app: App, guard: Guard, site: CallSite) -> Sibling:
    """Return the function that raises where no row is, taken out of the one that looks it up."""
    function, module, row = guard.function, guard.function.module, guard.row
    node, returns = function.node, function.node.returns
    named = s.dotted(row.targets[0]) or ""
    name = f"require_{named}"
    if _there(app, function.owner, module, name) is not None:
        raise Refused(f"the name {name} is taken")
    params = [at.text(module, p) for p in node.params[:1] if function.owner is not None]
    params.append(f"{named}: {at.text(module, returns)} | None" if returns is not None else named)
    by_name = {p.name: p for p in function.parameters}
    params += [at.text(module, by_name[each]) for each, _ in guard.given]
    hint = f" -> {at.text(module, returns)}" if returns is not None else ""
    step, indentation = at.step(module), at.indentation(module.source, node.start)
    branch = at.text(module, guard.branch).replace(f"\n{indentation}", "\n")
    lines = f"def {name}({', '.join(params)}){hint}:\n{step}{branch}\n{step}return {named}\n"
    if _is_last(app, function, site):  # nobody asks for one any more
        text = lines.rstrip("\n").replace("\n", f"{at.newline(module.source)}{indentation}")
        return Sibling(name, module, (replace(module, node, text),), ())
    own = "self." if function.owner is not None else ""
    given = ", ".join([at.text(module, row.value), *(each for each, _ in guard.given)])
    last = node.body[-1]
    blank = "\n" if function.owner is not None else "\n\n"
    edits = (
        Edit(module.path, row.start, last.end, f"return {own}{name}({given})"),
        insert_after(module, node, blank + lines),
    )
    return Sibling(name, module, edits, ())


def _name(found: Called) -> str:
    asked, owner = found.asked, found.own or found.function.owner
    if asked.kind == "value":
        return f"{found.function.name}_by_{asked.column.name}"
    table = asked.table.cls.name if asked.table is not None else ""
    if owner is not None and owner.name.startswith(table):
        return f"list_by_{asked.column.name}"
    return f"list_{plural(snake(table))}_by_{asked.column.name}"


def _body(found: Called, keys: str, imports: list[Import]) -> tuple[list[str], str]:
    """Return the body of the function for many keys, and what it says that it returns."""
    asked, function = found.asked, found.function
    module, site, session = function.module, found.execution.site, found.execution.session
    into = found.own.module if found.own is not None else module
    key, returns = asked.column.name, ""
    hinted = function.node.returns is not None
    if asked.kind == "value":
        text, more = of_numbers(module, asked, site, keys, session)
        imports.extend(more)
        noun = asked.noun
        if hinted:
            returns = f" -> dict[{_key_type(found)}, {at.text(module, function.node.returns)}]"  # type: ignore[arg-type]
        return [f"rows = {text}", f"return {{{key}: {noun} for {key}, {noun} in rows}}"], returns
    parts, more = of_rows(into, asked, site, keys, session)
    imports.extend(more)
    if hinted:
        rows = "list"
        if not asked.legacy:
            sequence = bring(into, "collections.abc", "Sequence")
            if sequence is None:
                raise Refused("the name Sequence is taken")
            imports.extend(sequence.imports)
            rows = sequence.name
        returns = f" -> {rows}[{asked.model}]"
    return [f"return {''.join(parts)}"], returns


def _key_type(found: Called) -> str:
    annotation = next(
        (p.annotation for p in found.function.node.params if p.name == found.parameter), None
    )
    if annotation is None:
        raise Refused(f"the type of {found.parameter} is not written", None)
    return at.text(found.function.module, annotation)
