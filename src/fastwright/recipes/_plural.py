"""A function that looks one thing up by one key: read, and written once more for many keys."""

from __future__ import annotations

import re

import msgspec

from fastwright.app.calls import CallSite, Execution
from fastwright.app.loading import given_for
from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.edit import source as at
from fastwright.edit.builders import insert_after, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.recipes._asked import Asked, Refused, Run, asked_by, mentions
from fastwright.recipes._batches import of_numbers, of_rows
from fastwright.recipes._words import plural, snake

_SHAPE = "does more than a lookup"


class Called(msgspec.Struct, frozen=True, eq=False):
    """A function of the project that is called for one key after another."""

    function: Function
    execution: Execution
    asked: Asked
    """With the key as the caller gives it."""
    parameter: str
    otherwise: str
    """What it gives for nothing: `` or 0.0``."""


def called(app: App, site: CallSite, bound: set[str]) -> Called:
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
    given = {each.name: given_for(site, function, each.name) for each in function.node.params}
    varying = [
        name for name, value in given.items() if value is not None and mentions(value, bound)
    ]
    if len(varying) != 1 or given[varying[0]] is None:
        raise Refused("it is called with more than a key", site.node)
    key = given[varying[0]]
    assert key is not None  # noqa: S101 - checked above
    execution, taken, named, otherwise = _read(app, function)
    run = Run(function, execution, taken, frozenset(varying), named)
    asked = asked_by(app, run)
    if not isinstance(asked.key, s.Name) or asked.key.id != varying[0]:
        raise Refused(f"{function.qualname} {_SHAPE}")
    if otherwise and asked.kind != "value":
        raise Refused(f"{function.qualname} {_SHAPE}")
    return Called(
        function, execution, msgspec.structs.replace(asked, key=key), varying[0], otherwise
    )


def _read(
    app: App, function: Function
) -> tuple[Execution, tuple[str, ...], dict[str, s.Expr], str]:
    """Return the statement that a function runs, what it takes from it, and what it gives for nothing."""
    executions = app.calls.executions(function)
    body = function.node.body[1 if function.node.doc is not None else 0 :]
    before, last = body[:-1], body[-1] if body else None
    if len(executions) != 1 or not isinstance(last, s.Return) or last.value is None:
        raise Refused(f"{function.qualname} {_SHAPE}")
    named: dict[str, s.Expr] = {}
    for statement in before:
        target = statement.targets[0] if isinstance(statement, s.Assign) else None
        if not isinstance(target, s.Name) or not isinstance(statement, s.Assign):
            raise Refused(f"{function.qualname} {_SHAPE}")
        read = [x for x, _ in app.calls.of_kind(function, s.Name) if x.id == target.id]
        if len(statement.targets) != 1 or len(read) != 2:
            raise Refused(f"{function.qualname} {_SHAPE}")
        named[target.id] = statement.value
    node, otherwise, used = last.value, "", 0
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
    edits: tuple[Edit, ...]
    imports: tuple[Import, ...]


def sibling(app: App, found: Called, site: CallSite) -> Sibling:
    """Return the function that gives for many keys what one gives for one."""
    function = found.function
    module, node, imports = function.module, function.node, list[Import]()
    name = _name(found)
    many = plural(found.parameter)
    if any(parameter.name == many for parameter in node.params):
        raise Refused(f"the name {many} is taken")
    params = []
    for parameter in node.params:
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
    there = _there(app, function, name)
    if there is not None:
        if _squeezed(at.text(there.module, there.node)) != _squeezed(lines):
            raise Refused(f"the name {name} is taken")
        return Sibling(name, (), ())
    if _is_last(app, function, site):  # nobody asks for one any more
        indentation = at.indentation(module.source, node.start)
        text = lines.rstrip("\n").replace("\n", f"{at.newline(module.source)}{indentation}")
        return Sibling(name, (replace(module, node, text),), tuple(imports))
    blank = "\n" if function.owner is not None else "\n\n"
    return Sibling(name, (insert_after(module, node, blank + lines),), tuple(imports))


def _is_last(app: App, function: Function, site: CallSite) -> bool:
    """Whether the call in the loop is the only mention of a function, but for its import there."""
    word = re.compile(rb"\b" + function.name.encode() + rb"\b")
    mentions = sum(len(word.findall(module.source)) for module in app.modules.values())
    for statement in site.module.import_statements:
        mentions -= len(word.findall(site.module.source[statement.start : statement.end]))
    return mentions == 2  # its definition and the call


def _squeezed(text: str) -> str:
    return "".join(text.split()).replace(",)", ")").replace("(", "").replace(")", "")


def _there(app: App, function: Function, name: str) -> Function | None:
    if function.owner is not None:
        return app.linker.method(function.owner, name)
    return next((f for f in app.every_function(function.module) if f.qualname == name), None)


def _name(found: Called) -> str:
    asked, owner = found.asked, found.function.owner
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
    key, returns = asked.column.name, ""
    hinted = function.node.returns is not None
    if asked.kind == "value":
        text, more = of_numbers(module, asked, site, keys, session)
        imports.extend(more)
        noun = asked.noun
        if hinted:
            returns = f" -> dict[{_key_type(found)}, {at.text(module, function.node.returns)}]"  # type: ignore[arg-type]
        return [f"rows = {text}", f"return {{{key}: {noun} for {key}, {noun} in rows}}"], returns
    parts, more = of_rows(module, asked, site, keys, session)
    imports.extend(more)
    if hinted:
        rows = "list"
        if not asked.legacy:
            sequence = bring(module, "collections.abc", "Sequence")
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
