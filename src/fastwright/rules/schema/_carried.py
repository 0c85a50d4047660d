"""Which models requests carry: in their parameters and bodies, and in what is answered."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.symbols import Class
from fastwright.app.types import Alternatives, Instance, Sequence, Type

_CARRIED: WeakKeyDictionary[App, dict[int, tuple[Class, Route]]] = WeakKeyDictionary()
_RECEIVED: WeakKeyDictionary[App, dict[int, tuple[Class, Route]]] = WeakKeyDictionary()


def received(app: App) -> dict[int, tuple[Class, Route]]:
    """Return the models that requests send, nested ones included, each with a route that takes it.

    The key is ``id(cls.node)``.
    """
    found = _RECEIVED.get(app)
    if found is None:
        found = _RECEIVED[app] = {}
        for route in app.routes:
            for parameter in route.parameters:
                _collect(app, parameter.type, route, found)
    return found


def carried(app: App) -> dict[int, tuple[Class, Route]]:
    """Return the models that requests send or get as answer, each with a route."""
    found = _CARRIED.get(app)
    if found is None:
        found = _CARRIED[app] = dict(received(app))
        for route in app.routes:
            _collect(app, route.response.type, route, found)
    return found


def _collect(app: App, start: Type, route: Route, found: dict[int, tuple[Class, Route]]) -> None:
    pending = [start]
    while pending:
        at = pending.pop()
        if isinstance(at, Sequence):
            pending += [at.element, *(at.items or ())]
        elif isinstance(at, Alternatives):
            pending += at.options
        elif isinstance(at, Instance):
            pending += at.args
            if isinstance(at.cls, Class) and id(at.cls.node) not in found:
                schema = app.models.schema(at.cls)
                if schema is not None:
                    found[id(at.cls.node)] = (at.cls, route)
                    pending += [field.type for field in schema.fields.values()]
