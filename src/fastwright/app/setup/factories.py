"""Factories: functions that make an application and that nobody called at import time."""

from __future__ import annotations

from fastwright.app.setup import imports, objects
from fastwright.app.setup.classes import class_member
from fastwright.app.setup.machine import Machine
from fastwright.app.setup.result import Place
from fastwright.app.setup.values import (
    Arguments,
    ClassValue,
    Closure,
    Value,
    least,
)
from fastwright.app.symbols import Function

_MAX_CLIMB = 6
_MAX_ROOTS = 4
_FACTORY_STEPS = 30_000
_STARTUP_STEPS = 30_000
_STARTUP_PLAIN_STEPS = 100


def make_applications(m: Machine) -> None:
    """Call the factories of the project, outermost first, with what their types say."""
    makers = [f for f in m.relevance.functions if m.relevance.makes_app(f)]
    for maker in makers:
        if maker in m.called:
            continue
        for root in _roots(m, maker):
            if root not in m.called:
                invoke(m, root)
        if maker not in m.called:
            invoke(m, maker)


def _roots(m: Machine, maker: Function) -> list[Function]:
    """Return the outermost functions that take part in making what ``maker`` makes."""
    found: list[Function] = []
    seen = {maker}
    pending = [(maker, 0)]
    while pending and len(found) < _MAX_ROOTS:
        function, height = pending.pop(0)
        callers = [g for g in _callers(m, function) if g not in seen] if height < _MAX_CLIMB else []
        seen.update(callers)
        if callers:
            pending.extend((caller, height + 1) for caller in callers)
        else:
            found.append(function)
    return found


def _callers(m: Machine, function: Function) -> list[Function]:
    """Return the functions that call ``function`` and have a part in what it sets up."""
    name = _called_as(function)
    needy = any(
        p.default is None and p.kind in {"plain", "positional", "keyword"}
        for p in function.parameters
    )
    found: list[Function] = []
    for caller in m.relevance.functions:
        if caller is function or name not in caller.node.called:
            continue
        if function.owner is not None and function.name != "__init__":
            if caller.owner is not None and caller.owner.name == function.owner.name:
                found.append(caller)
            continue
        if (needy or m.relevance.operates(caller)) and _sees(caller, function, name):
            found.append(caller)
    return found


def _called_as(function: Function) -> str:
    if function.owner is not None and function.name == "__init__":
        return function.owner.name
    return function.name


def _sees(caller: Function, function: Function, name: str) -> bool:
    """Return whether the caller's module imports ``name`` or defines it itself."""
    if caller.module is function.module:
        return True
    last = function.module.name.rpartition(".")[2]
    return any(
        name in fact.names or last in fact.names or fact.module == function.module.name
        for fact in caller.module.header.imports
    )


def invoke(m: Machine, function: Function) -> None:
    """Call a function of the project with what is known of its parameters."""
    imports.import_dotted(m, function.module.name, function.module.path)
    module = m.module(function.module)
    imports.ensure(m, module)
    site = module.frame.site(function.node)
    with m.guard(site), m.budget(_FACTORY_STEPS):
        if function.owner is not None:
            _invoke_method(m, function, site)
            return
        value = imports.member(m, module, function.name)
        if isinstance(value, Closure):
            m.call(m, value, _assumed(m, value, site))


def _invoke_method(m: Machine, function: Function, site: Place) -> None:
    owner = function.owner
    cls = imports.member(m, m.module(function.module), owner.name) if owner is not None else None
    if not isinstance(cls, ClassValue):
        return
    if function.name == "__init__" or not (
        function.is_static or "classmethod" in function.decorator_names
    ):
        init = class_member(m, cls, "__init__")
        given = _assumed(m, init, site, bound=True) if isinstance(init, Closure) else None
        receiver: Value = m.call(m, cls, given or Arguments(site))
        if function in m.called:
            return
    else:
        receiver = cls
    method = objects.member(m, receiver, function.name, site)
    if isinstance(method, Closure):
        m.call(m, method, _assumed(m, method, site, bound=method.receiver is not None))


def _assumed(m: Machine, function: Closure, site: Place, *, bound: bool = False) -> Arguments:
    """Return arguments for the parameters that have no default: instances of their classes."""
    given = Arguments(site)
    params = function.symbol.node.params
    for parameter in params[1:] if bound else params:
        if parameter.kind in {"args", "kwargs"} or parameter.default is not None:
            continue
        if parameter.annotation is None:
            continue
        annotation = m.evaluate(m, parameter.annotation, function.frame)
        value = objects.assumed(annotation)
        if value is not None:
            given.keywords[parameter.name] = value
    return given


def start_applications(m: Machine) -> None:
    """Run what applications run when they start, where that adds routes."""
    m.plain_steps = _STARTUP_PLAIN_STEPS
    for router in list(m.routers):
        for function, presence in list(router.startups):
            if not isinstance(function, Closure) or not m.relevance.sets_up(function.symbol):
                continue
            if function.symbol in m.called:
                continue
            given = Arguments(router.site, [router] if function.symbol.parameters else [])
            with m.guard(router.site), m.budget(_STARTUP_STEPS):
                m.least_presence = least("startup", presence)
                m.call(m, function, given)
