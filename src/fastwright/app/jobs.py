"""Jobs: work that requests hand to a queue (Celery, Dramatiq, RQ ...), and another process does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import ExternalValue, Instance, alternatives
from fastwright.read import syntax as s

if TYPE_CHECKING:
    from fastwright.app.calls import CallSite
    from fastwright.app.model import App
    from fastwright.read.module import Module

Jobs: TypeAlias = dict[tuple[str, str], list[Function]]
"""By file and name: what runs when the job does."""


def jobs_of(app: App) -> Jobs:
    """Return the jobs that an application defines at the top level of its modules."""
    roots = {name.partition(".")[0] for name in app.library.jobs}
    found: Jobs = {}
    for module in app.sources:
        if any(fact.module.partition(".")[0] in roots for fact in module.header.imports):
            for name, functions in _in_module(app, module):
                found[module.path, name] = functions
    return found


def started(app: App, jobs: Jobs, site: CallSite) -> Iterator[Function]:
    """Yield what a call hands to a queue: ``mail.delay(...)``, ``send_task(mail, ...)``."""
    call = site.node
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, s.Attribute):
        given.append(call.func.value)
    for node in given:
        if isinstance(node, (s.Name, s.Attribute)):
            symbol = app.linker.expression(node, site.module, site.caller)
            if isinstance(symbol, (Variable, Function)):
                yield from jobs.get((symbol.module.path, symbol.name), ())


def _in_module(app: App, module: Module) -> Iterator[tuple[str, list[Function]]]:
    for node in module.facts.body:
        if isinstance(node, s.FunctionDef):
            makers = [d.func if isinstance(d, s.Call) else d for d in node.decorators]
            function = app.linker.member(module, node.name)
            if isinstance(function, Function) and any(_makes(app, m, module) for m in makers):
                yield node.name, [function]
        elif isinstance(node, s.Assign) and isinstance(node.value, s.Call):
            target, call = node.targets[0], node.value
            if isinstance(target, s.Name) and call.args and _makes(app, call.func, module):
                yield target.id, list(_of_object(app, call.args[0], module))


def _makes(app: App, node: s.Expr, module: Module) -> bool:
    found = app.types.of(node, Where(module))
    return any(
        isinstance(option, ExternalValue) and option.name in app.library.jobs
        for option in alternatives(found)
    )


def _of_object(app: App, node: s.Expr, module: Module) -> Iterator[Function]:
    """Yield what a callable object runs: ``__call__``, and the methods of its own that this calls."""
    for option in alternatives(app.types.of(node, Where(module))):
        cls = option.cls if isinstance(option, Instance) else None
        called = app.linker.method(cls, "__call__") if isinstance(cls, Class) else None
        if called is None or not isinstance(cls, Class):
            continue
        yield called
        for inner in s.walk(*called.node.body):
            func = inner.func if isinstance(inner, s.Call) else None
            if isinstance(func, s.Attribute) and s.dotted(func.value) == "self":
                method = app.linker.method(cls, func.attr)
                if method is not None:
                    yield method
