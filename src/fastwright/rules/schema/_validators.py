"""Validators of Pydantic models: the functions that run while a model is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import FunctionValue, alternatives
from fastwright.read import syntax as s
from fastwright.rules.schema._pydantic import model_classes

_DECORATORS = frozenset(
    {
        "pydantic.field_validator", "pydantic.model_validator", "pydantic.validator",
        "pydantic.root_validator", "pydantic.functional_validators.field_validator",
        "pydantic.functional_validators.model_validator",
    }
)  # fmt: skip
_IN_ANNOTATION = frozenset({"AfterValidator", "BeforeValidator", "PlainValidator", "WrapValidator"})
_ON_MODEL = frozenset({"model_post_init"})


class Validator(msgspec.Struct, frozen=True, eq=False):
    """A function that validates, and the first model for which it does."""

    cls: Class
    function: Function


def validators(app: App) -> dict[int, Validator]:
    """Return every validator of the application's models, by ``id(function.node)``."""
    found: dict[int, Validator] = {}
    for cls in model_classes(app):
        for function in (*_methods(app, cls), *_given(app, cls)):
            found.setdefault(id(function.node), Validator(cls, function))
    return found


def near(calls: int) -> Callable[[CallSite, Function], bool]:
    """Return which calls to follow so that a walk comes no further than some calls from its roots."""
    depths: dict[int, int] = {}

    def follow(site: CallSite, target: Function) -> bool:
        depth = depths.get(id(site.caller.node), 0) + 1
        depths.setdefault(id(target.node), depth)
        return depth <= calls

    return follow


def _methods(app: App, cls: Class) -> Iterator[Function]:
    for name, method in cls.own_methods.items():
        if name in _ON_MODEL or any(
            _is_validator(app, cls, decorator) for decorator in method.node.decorators
        ):
            yield method


def _is_validator(app: App, cls: Class, node: s.Expr) -> bool:
    func = node.func if isinstance(node, s.Call) else node
    return app.linker.external(func, cls.module, cls.outer) in _DECORATORS


def _given(app: App, cls: Class) -> Iterator[Function]:
    """Yield functions in ``Annotated[str, AfterValidator(check)]`` and ``_x = validator("x")(check)``."""
    where = Where(cls.module, cls.outer)
    for attribute in cls.own_attributes.values():
        if isinstance(attribute, s.AnnAssign):
            for node, at in app.types.metadata(attribute.annotation, where):
                if isinstance(node, s.Call) and s.last_name(node.func) in _IN_ANNOTATION:
                    yield from _functions(app, node, at)
        elif isinstance(attribute.value, s.Call) and isinstance(attribute.value.func, s.Call):
            if _is_validator(app, cls, attribute.value.func):
                yield from _functions(app, attribute.value, where)


def _functions(app: App, call: s.Call, where: Where) -> Iterator[Function]:
    for option in alternatives(app.types.of(call.argument(0, "func"), where)):
        if isinstance(option, FunctionValue):
            yield option.function
