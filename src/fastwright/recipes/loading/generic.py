"""A method of a repository for any table, written once more for one of them."""

from __future__ import annotations

import builtins

from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import Instance
from fastwright.edit import source as at
from fastwright.edit.builders import insert_after
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, module_level_imports
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.loading.sources import Source


def repository_of(app: App, source: Source) -> Class | None:
    """Return the class of the repository whose inherited method loads rows."""
    function = source.function
    if function.owner is None or not source.chain or function not in source.chain[-1].targets:
        return None
    receiver = source.chain[-1].receiver
    cls = receiver.cls if isinstance(receiver, Instance) else None
    if not isinstance(cls, Class) or cls is function.owner:
        return None
    return cls if function.owner in app.linker.mro(cls) else None


def override(
    app: App, cls: Class, function: Function, table: Table
) -> tuple[tuple[Edit, ...], tuple[Import, ...]] | None:
    """Return what gives a repository its own method, where all that it names is known there."""
    owner, node, module = function.owner, function.node, function.module
    if owner is None or node.decorators or node.doc is not None:
        return None
    model = _model(app, cls, function, table)
    if model is None or cls.node.body[-1].end > len(cls.module.source):
        return None
    attribute, written = model
    changes: dict[tuple[int, int], str] = {}
    imports: list[Import] = []
    local = {parameter.name for parameter in node.params} | set(app.types.locals.of(function))
    for each in _nodes(function):
        if isinstance(each, s.Attribute) and s.dotted(each) == f"self.{attribute}":
            changes[each.start, each.end] = written
        elif isinstance(each, s.Name) and each.id not in local and not hasattr(builtins, each.id):
            named = _named(app, cls, module, each.id, written)
            if named is None:
                return None
            changes[each.start, each.end] = named[0]
            imports.extend(named[1])
    raw = module.source[node.start : node.end]
    for (start, end), new in sorted(changes.items(), reverse=True):
        raw = raw[: start - node.start] + new.encode() + raw[end - node.start :]
    indentation = at.indentation(module.source, node.start)
    text = raw.decode().replace(f"\n{indentation}", "\n")
    return (insert_after(cls.module, cls.node.body[-1], f"\n{text}\n"),), tuple(imports)


def _nodes(function: Function) -> list[s.Node]:
    node = function.node
    annotations = [p.annotation for p in node.params if p.annotation is not None]
    roots: list[s.Node] = [*annotations, *([node.returns] if node.returns is not None else [])]
    return list(s.walk(*roots, *node.body))


def _model(app: App, cls: Class, function: Function, table: Table) -> tuple[str, str] | None:
    """Return the attribute that names the table, and what it is in the repository."""
    for each in _nodes(function):
        if not isinstance(each, s.Attribute) or s.dotted(each.value) != "self":
            continue
        found = app.linker.class_attribute(cls, each.attr)
        value = found[1].value if found is not None else None
        if value is None or found is None or found[0] is not cls:
            continue
        if app.linker.expression(value, cls.module) is table.cls and s.dotted(value) is not None:
            return each.attr, at.text(cls.module, value)
    return None


def _named(
    app: App, cls: Class, module: Module, name: str, model: str
) -> tuple[str, tuple[Import, ...]] | None:
    """Return how a name of the base class's file is written where the repository is."""
    symbol = app.linker.name(name, module)
    if isinstance(symbol, Variable) and isinstance(symbol.value, s.Call):
        if s.last_name(symbol.value.func) == "TypeVar":
            return model, ()
    if cls.module is module:
        return name, ()
    origin = module_level_imports(module).get(name)
    package, _, imported = (origin or f"{module.name}.{name}").rpartition(".")
    found = bring(cls.module, package, imported) if package else None
    return (found.name, found.imports) if found is not None else None
