"""Where the whole of a request body becomes a row: ``model_dump()`` and where it goes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite, Reached, Step
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, NoneType, Sequence, Type, alternatives
from fastwright.read import syntax as s

DUMPS = frozenset({"model_dump", "dict"})
_LEAVING_OUT = frozenset({"exclude_unset", "exclude_none", "exclude_defaults", "include"})


class Dump(msgspec.Struct, frozen=True, eq=False):
    """A call ``body.model_dump(...)`` in a function."""

    function: Function
    node: s.Call
    schema: Class

    @property
    def partial(self) -> bool:
        """Whether it leaves out what the client did not send, or may do so."""
        return any(k.arg is None or k.arg in _LEAVING_OUT for k in self.node.keywords)

    @property
    def excluded(self) -> frozenset[str]:
        """Names given to ``exclude``."""
        given = self.node.keyword("exclude")
        return (
            frozenset(text for n in s.walk(given) if (text := s.string(n)))
            if given
            else frozenset()
        )


class Write(msgspec.Struct, frozen=True, eq=False):
    """A dump that becomes a row. ``kind``: construct (a table made of it) or update.

    ``node`` is where that happens, in ``function``; ``table`` is known for constructors.
    """

    dump: Dump
    kind: str
    function: Function
    node: s.Node
    table: Class | None


def body_schemas(app: App, route: Route) -> Iterator[tuple[s.Parameter, Function, Class]]:
    """Yield the body parameters of a route that are models, lists of them included."""
    for parameter in route.parameters:
        if parameter.kind == "body":
            for cls in schemas_of(app, parameter.type):
                yield parameter.node, parameter.function, cls


def schemas_of(app: App, found: Type) -> Iterator[Class]:
    """Yield the models that a type is or holds."""
    for option in alternatives(found):
        inner = option.element if isinstance(option, Sequence) else option
        for one in alternatives(inner):
            cls = one.cls if isinstance(one, Instance) else None
            if isinstance(cls, Class) and app.models.is_schema(cls):
                yield cls


def writes(app: App, reached: Reached, schema: Class) -> Iterator[tuple[Step, Write]]:
    """Yield each place in ``reached`` where the whole of a ``schema`` becomes or changes a row."""
    for step in reached:
        if DUMPS.isdisjoint(step.function.node.called):
            continue
        for node, _ in app.calls.nodes(step.function):
            dump = as_dump(app, step.function, node)
            if dump is not None and dump.schema.node is schema.node:
                for write in _becomes(app, dump):
                    yield step, write


def as_dump(app: App, function: Function, node: s.Node | None) -> Dump | None:
    """Return the dump that a node is, if it is a call of ``model_dump`` on a known model."""
    if not isinstance(node, s.Call) or not isinstance(node.func, s.Attribute):
        return None
    if node.func.attr not in DUMPS:
        return None
    found = app.types.of(node.func.value, Where(function.module, function))
    options = [o for o in alternatives(found) if not isinstance(o, NoneType)]
    if len(options) != 1 or not isinstance(options[0], Instance):
        return None
    cls = options[0].cls
    if not isinstance(cls, Class) or not app.models.is_schema(cls):
        return None
    return Dump(function, node, cls)


def _becomes(app: App, dump: Dump) -> Iterator[Write]:
    """Follow a dump: where it stands, through a local name, into a function that takes it."""
    name = _assigned_to(app, dump.function, dump.node)
    used = s.Name(0, 0, name) if name is not None else None
    for kind, node, table in uses(app, dump.function, used or dump.node):
        yield Write(dump, kind, dump.function, node, table)
    for site in app.calls.sites(dump.function):
        parameter = _passed_as(site, used or dump.node)
        if parameter is not None:
            target = site.targets[0]
            for kind, node, table in uses(app, target, s.Name(0, 0, parameter)):
                yield Write(dump, kind, target, node, table)


def _assigned_to(app: App, function: Function, value: s.Call) -> str | None:
    """Return the name that holds exactly this value and nothing else; None without one."""
    for node, _ in app.calls.nodes(function):
        if isinstance(node, (s.Assign, s.AnnAssign)) and node.value is value:
            target = node.targets[0] if isinstance(node, s.Assign) else node.target
            if isinstance(target, s.Name):
                bounds = app.types.locals.of(function).get(target.id, [])
                return target.id if len(bounds) == 1 else None
    return None


def _passed_as(site: CallSite, value: s.Expr) -> str | None:
    """Return the parameter under which a call of one project function takes the value."""
    if len(site.targets) != 1:
        return None
    parameters = site.targets[0].parameters
    for position, given in enumerate(site.node.args):
        if _same(given, value) and position < len(parameters):
            return parameters[position].name
    for keyword in site.node.keywords:
        if keyword.arg is not None and _same(keyword.value, value):
            return keyword.arg
    return None


def _same(node: s.Node | None, value: s.Expr) -> bool:
    if node is value:
        return True
    return isinstance(value, s.Name) and isinstance(node, s.Name) and node.id == value.id


def uses(app: App, function: Function, value: s.Expr) -> Iterator[tuple[str, s.Node, Class | None]]:
    """Yield how a dict of field values is written whole in a function."""
    if isinstance(value, s.Name) and _is_replaced(app, function, value.id):
        return
    for node, around in app.calls.nodes(function):
        if isinstance(node, s.For) and _items_of(node.iter, value) and _sets_all(node):
            yield "update", node, None
        if not isinstance(node, s.Call):
            continue
        spread = [k for k in node.keywords if k.arg is None and _same(k.value, value)]
        method = s.last_name(node.func)
        if spread and method == "values":
            yield "update", node, None
        elif spread:
            table = _constructed(app, function, node)
            if table is not None:
                yield "construct", node, table
        elif method == "sqlmodel_update" and not around.deferred and _is_only(node, value):
            yield "update", node, None


def _is_only(call: s.Call, value: s.Expr) -> bool:
    return not call.keywords and len(call.args) == 1 and _same(call.args[0], value)


def _is_replaced(app: App, function: Function, name: str) -> bool:
    bounds = app.types.locals.of(function).get(name, [])
    return len([bound for bound in bounds if bound.inside is None]) != 1


def _items_of(node: s.Expr, value: s.Expr) -> bool:
    """``value.items()``."""
    return (
        isinstance(node, s.Call)
        and isinstance(node.func, s.Attribute)
        and node.func.attr == "items"
        and _same(node.func.value, value)
    )


def _sets_all(loop: s.For) -> bool:
    """Whether a loop over items hands each of them to ``setattr``, under no condition."""
    for statement in loop.body:
        called = statement.value if isinstance(statement, s.ExprStmt) else None
        if isinstance(called, s.Call) and s.last_name(called.func) == "setattr":
            return not any(isinstance(n, (s.If, s.IfExp)) for n in s.walk(*loop.body))
    return False


def _constructed(app: App, function: Function, call: s.Call) -> Class | None:
    found = app.types.of(call.func, Where(function.module, function))
    options = alternatives(found)
    if len(options) == 1 and isinstance(options[0], ClassObject):
        cls = options[0].cls
        if isinstance(cls, Class) and app.types.is_table(cls):
            return cls
    return None
