"""What reaches the client: schemas in answers, and exceptions that a handler answers with."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from fastwright.app.model import App
from fastwright.app.symbols import Class
from fastwright.app.types import Alternatives, Instance, Sequence, Type

_DEPTH = 4
_SCHEMAS: WeakKeyDictionary[App, frozenset[int]] = WeakKeyDictionary()
_ANSWERED: WeakKeyDictionary[App, frozenset[int]] = WeakKeyDictionary()


def is_answered(app: App, cls: Class | str | None) -> bool:
    """Whether an exception of the project is answered by a handler of the project."""
    if not isinstance(cls, Class):
        return False
    known = _ANSWERED.get(app)
    if known is None:
        known = _ANSWERED[app] = frozenset(_with_handlers(app))
    return any(isinstance(a, Class) and id(a.node) in known for a in app.linker.mro(cls))


def _with_handlers(app: App) -> Iterator[int]:
    for application in app.applications:
        for handler in application.exception_handlers:
            given = handler.exception
            symbol = app.linker.expression(given.node, given.module, given.function)
            if isinstance(symbol, Class) and handler.function is not None:
                yield id(symbol.node)


def is_in_answers(app: App, cls: Class) -> bool:
    """Whether a schema is one of a route's answer, or stands in a field of one."""
    known = _SCHEMAS.get(app)
    if known is None:
        found: dict[int, Class] = {}
        for route in app.routes:
            _collect(app, route.response.type, found, _DEPTH)
        known = _SCHEMAS[app] = frozenset(found)
    return id(cls.node) in known


def _collect(app: App, kind: Type, found: dict[int, Class], depth: int) -> None:
    if isinstance(kind, Sequence):
        _collect(app, kind.element, found, depth)
    elif isinstance(kind, Alternatives):
        for option in kind.options:
            _collect(app, option, found, depth)
    elif isinstance(kind, Instance):
        for argument in kind.args:
            _collect(app, argument, found, depth)
        schema = app.models.schema(kind.cls) if isinstance(kind.cls, Class) else None
        if schema is None or id(schema.cls.node) in found:
            return
        found[id(schema.cls.node)] = schema.cls
        for field in schema.fields.values() if depth else ():
            if not field.excluded:
                _collect(app, field.type, found, depth - 1)
