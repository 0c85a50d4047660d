"""Wrappers: what the project puts around an endpoint, by decorators and by route classes.

They run with every request, and nothing in the code calls them.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.infer import Inference
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, FunctionValue, alternatives
from fastwright.read import syntax as s


def wrappers(types: Inference, route: Route) -> Iterator[Function]:
    """Yield the functions of the project that run around the endpoint of a route."""
    if route.endpoint is not None:
        yield from _of_decorators(types, route.endpoint)
    yield from _of_route_class(types, route)


def _of_route_class(types: Inference, route: Route) -> Iterator[Function]:
    """``APIRouter(route_class=...)``: what its ``get_route_handler`` returns."""
    record = route.record
    for given in (record.keywords, *(layer.keywords for layer in record.inherited)):
        made = given.get("route_class")
        if made is None or not isinstance(made.node, (s.Name, s.Attribute)):
            continue
        for option in alternatives(types.of(made.node, Where(made.module, made.function))):
            if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                method = types.linker.method(option.cls, "get_route_handler")
                if method is not None:
                    yield method
                    yield from _returned(types, method)


def _of_decorators(types: Inference, function: Function) -> Iterator[Function]:
    where = Where(function.module, function.outer)
    for decorator in function.node.decorators:
        is_made = isinstance(decorator, s.Call)
        callee = decorator.func if isinstance(decorator, s.Call) else decorator
        for option in alternatives(types.of(callee, where)):
            if isinstance(option, FunctionValue):
                found = _returned(types, option.function)
                for inner in found:
                    if is_made:  # @limited(5): what is called makes the decorator
                        yield from _returned(types, inner)
                    else:
                        yield inner


def keeps_signature(types: Inference, function: Function, decorator: s.Expr) -> bool:
    """Whether a decorator of the project surely leaves FastAPI the signature of a function.

    Each function that it hands out, or that what it hands out hands out, is made with ``wraps``.
    """
    callee = decorator.func if isinstance(decorator, s.Call) else decorator
    options = alternatives(types.of(callee, Where(function.module, function.outer)))
    return all(
        isinstance(option, FunctionValue) and _hands_on(types, option.function)
        for option in options
    )


def _hands_on(types: Inference, function: Function, depth: int = 0) -> bool:
    """Whether all that a function returns are inner functions that are wrapped, or hand on."""
    returns = [
        node.value for node in s.walk_scope(*function.node.body) if isinstance(node, s.Return)
    ]
    scope = types.linker.local_scope(function)
    inner = [scope.names.get(_inner_name(value) or "") for value in returns]
    return (
        depth < _DEEPEST
        and bool(returns)
        and all(
            isinstance(each, Function) and (_is_wrapped(each) or _hands_on(types, each, depth + 1))
            for each in inner
        )
    )


_DEEPEST = 3


def _inner_name(value: s.Expr | None) -> str | None:
    """Return the name in ``return inner``, ``return inner(func)`` and ``return cast(F, inner)``."""
    if isinstance(value, s.Call):
        casts = s.last_name(value.func) == "cast" and len(value.args) > 1
        value = value.args[1] if casts else value.func
    return value.id if isinstance(value, s.Name) else None


def _is_wrapped(function: Function) -> bool:
    return any(
        isinstance(decorator, s.Call) and s.last_name(decorator.func) == "wraps"
        for decorator in function.node.decorators
    )


def _returned(types: Inference, function: Function) -> list[Function]:
    """Return the inner functions that a function returns by name."""
    names = {
        node.value.id
        for node in s.walk_scope(*function.node.body)
        if isinstance(node, s.Return) and isinstance(node.value, s.Name)
    }
    scope = types.linker.local_scope(function)
    found = (scope.names.get(name) for name in sorted(names))
    return [inner for inner in found if isinstance(inner, Function)]
