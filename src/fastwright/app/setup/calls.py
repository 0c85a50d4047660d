"""Calls: binding arguments, running bodies, making instances."""

from __future__ import annotations

from fastwright.app.setup import methods, natives, objects, routers
from fastwright.app.setup.classes import class_member
from fastwright.app.setup.machine import Exhausted, Machine
from fastwright.app.setup.relevance import is_route
from fastwright.app.setup.result import Place
from fastwright.app.setup.symbols_of import unwrap
from fastwright.app.setup.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Choice,
    ClassValue,
    Closure,
    Const,
    External,
    Foreign,
    Frame,
    Instance,
    Items,
    LambdaValue,
    Method,
    Native,
    PartialValue,
    RouterValue,
    Table,
    Unknown,
    Value,
    choice,
)
from fastwright.read import syntax as s

MAX_CALLS = 60
"""Calls nested deeper than this are not followed."""

PLAIN_CALLS = 8
"""How deep calls may nest that set up nothing."""

_MAX_OPTIONS = 4


def call(m: Machine, value: Value, given: Arguments) -> Value:
    """Return what calling ``value`` gives."""
    if isinstance(value, Closure):
        return _call_closure(m, value, given)
    if isinstance(value, ClassValue):
        return _instantiate(m, value, given)
    if isinstance(value, External):
        return natives.call_external(m, value, given)
    if isinstance(value, Method):
        if isinstance(value.receiver, RouterValue):
            return routers.call(m, value.receiver, value.name, given)
        return methods.call_method(m, value, given)
    if isinstance(value, Native):
        return value.run(m, given)
    if isinstance(value, PartialValue):
        return call(m, value.function, _completed(value, given))
    if isinstance(value, LambdaValue):
        return _call_lambda(m, value, given)
    if isinstance(value, Choice):
        return choice([call(m, option, given) for option in value.options[:_MAX_OPTIONS]])
    if isinstance(value, Instance):
        method = class_member(m, value.cls, "__call__")
        return call(m, method.bind(value), given) if isinstance(method, Closure) else UNKNOWN
    return UNKNOWN


def _completed(value: PartialValue, given: Arguments) -> Arguments:
    before = value.arguments
    shift = len(before.positional)
    sources: dict[str | int, Place] = dict(before.sources)
    for key, site in given.sources.items():
        sources[key + shift if isinstance(key, int) else key] = site
    return Arguments(
        given.site,
        [*before.positional, *given.positional],
        {**before.keywords, **given.keywords},
        sources,
        before.open or given.open,
    )


# ---------------------------------------------------------------------- functions


def _call_closure(m: Machine, function: Closure, given: Arguments) -> Value:
    symbol = function.symbol
    if m.stack.count(symbol) > 1 or len(m.stack) > MAX_CALLS:
        return UNKNOWN
    if function.receiver is not None:
        given = given.shifted(function.receiver)
    cached = not symbol.decorator_names.isdisjoint({"lru_cache", "cache"})
    if cached and "__result__" in function.attrs and not given.keywords:
        return function.attrs["__result__"]
    declaring = isinstance(function.receiver, RouterValue) and symbol.name in routers.DECLARING
    if declaring:
        m.declaring.append(given.site)
    try:
        if _matters(m, function, given):
            with m.solid():
                found = _run(m, function, given)
        else:
            found = _run_plain(m, function, given)
    finally:
        if declaring:
            m.declaring.pop()
    if cached and len(given.positional) <= (function.receiver is not None):
        function.attrs["__result__"] = found
    return found


def _matters(m: Machine, function: Closure, given: Arguments) -> bool:
    """Return whether a call may set up routers, so that it is followed whatever it takes."""
    symbol = function.symbol
    wrapped = unwrap(function)
    if m.relevance.function(symbol):
        return True
    if isinstance(wrapped, Closure) and m.relevance.function(wrapped.symbol):
        return True
    if any(objects.holds_router(value) for value in given.positional):
        return True
    if any(objects.holds_router(value) for value in given.keywords.values()):
        return True
    return any(
        isinstance(node, s.FunctionDef) and is_route(node)
        for node in (symbol.node.body if "get" in symbol.node.called else ())
    )


def _run_plain(m: Machine, function: Closure, given: Arguments) -> Value:
    if m.plain_depth >= PLAIN_CALLS:
        return UNKNOWN
    try:
        with m.plain():
            return _run(m, function, given)
    except Exhausted:
        if m.plain_depth or m.steps <= m.floor:
            raise
        return UNKNOWN


def _run(m: Machine, function: Closure, given: Arguments) -> Value:
    symbol = function.symbol
    frame = Frame("function", function.frame.module, function.frame, symbol)
    _bind(function, given, frame)
    if function.frame.kind == "class" and function.frame.context is not None:
        receiver = given.positional[0] if given.positional else UNKNOWN
        frame.context = (function.frame.context[0], receiver)
    m.called.add(symbol)
    m.stack.append(symbol)
    try:
        signal = m.execute(m, symbol.node.body, frame)
    finally:
        m.stack.pop()
        if frame.ended is not None:
            m.offs -= 1
    if frame.ended is not None:
        del frame.returns[frame.ended :]
        signal = "return"
    if symbol.node.is_generator:
        return Items("iterator", frame.yields)
    if signal == "raise" and not frame.returns:
        return UNKNOWN
    returns = frame.returns
    if signal == "next":
        returns = [*returns, NONE]
    found = choice(returns) if len(returns) != 1 else returns[0]
    if isinstance(found, (Unknown, Foreign)):
        return _declared(m, function) or found
    return found


def _declared(m: Machine, function: Closure) -> Value | None:
    """Return what the annotation of a function says that it returns."""
    annotation = function.symbol.node.returns
    if annotation is None:
        return None
    return objects.assumed(m.evaluate(m, annotation, function.frame))


def _bind(function: Closure, given: Arguments, frame: Frame) -> None:
    """Bind arguments to parameters."""
    node = function.symbol.node
    left = dict(given.keywords)
    position = 0
    for parameter in node.params:
        name = parameter.name
        value: Value | None = None
        source: Place | None = None
        if parameter.kind == "args":
            value = Items("tuple", given.positional[position:], given.open)
            position = len(given.positional)
        elif parameter.kind == "kwargs":
            sources = {k: v for k, v in given.sources.items() if k in left and isinstance(k, str)}
            entries: dict[object, tuple[Value, Value]] = {
                ("str", k): (Const(k), v) for k, v in left.items()
            }
            value = Table(entries, given.open, sources)
            left = {}
        elif parameter.kind != "keyword" and position < len(given.positional):
            value = given.positional[position]
            source = given.sources.get(position)
            position += 1
        elif name in left and parameter.kind != "positional":
            value = left.pop(name)
            source = given.sources.get(name)
        elif not given.open:
            value = function.defaults.get(name)
        frame.names[name] = value if value is not None else UNKNOWN
        if source is not None:
            frame.sources[name] = source


def _call_lambda(m: Machine, value: LambdaValue, given: Arguments) -> Value:
    if len(m.stack) > MAX_CALLS:
        return UNKNOWN
    frame = Frame("function", value.frame.module, value.frame, value.frame.function)
    for position, parameter in enumerate(value.node.params):
        found = given.get(position, parameter.name)
        if found is None and parameter.default is not None:
            found = m.evaluate(m, parameter.default, value.frame)
        frame.names[parameter.name] = found or UNKNOWN
    m.step()
    return m.evaluate(m, value.node.body, frame)


def _instantiate(m: Machine, cls: ClassValue, given: Arguments) -> Value:
    if len(m.stack) > MAX_CALLS:
        return UNKNOWN
    return objects.instantiate(m, cls, given)
