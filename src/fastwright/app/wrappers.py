"""Wrappers: what decorators of the project put around an endpoint. They run with every request."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.infer import Inference
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import FunctionValue, alternatives
from fastwright.read import syntax as s


def wrappers(types: Inference, function: Function) -> Iterator[Function]:
    """Yield the inner functions that decorators of the project return for ``function``."""
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
