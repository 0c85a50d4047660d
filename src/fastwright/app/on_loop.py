"""What runs on the event loop while requests are served: async entry points and what they call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastwright.app.calls import CallSite, Reached
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.symbols import Class, Function


@dataclass(frozen=True, eq=False)
class Entry:
    """A function that the framework itself calls.

    ``kind``: endpoint, dependency, middleware or handler. ``route`` is one that starts it, where
    a route does.
    """

    function: Function
    kind: str
    route: Route | None


@dataclass(frozen=True, eq=False)
class Loop:
    """Functions that run on the event loop, and by which entry each was reached."""

    entries: dict[int, Entry]
    """By ``id(function.node)``."""
    reached: Reached

    def entry(self, root: Function) -> Entry:
        """Return the entry that a root of the walk is."""
        return self.entries[id(root.node)]


def entries(app: App) -> Iterator[Entry]:
    """Yield every function that the framework calls for a request, endpoints first."""
    for route in app.routes:
        if route.endpoint is not None:
            yield Entry(route.endpoint, "endpoint", route)
    for route in app.routes:
        for dependency in route.all_dependencies():
            if dependency.function is not None:
                yield Entry(dependency.function, "dependency", route)
    for application in app.applications:
        for middleware in application.middleware:
            if middleware.function is not None:
                yield Entry(middleware.function, "middleware", None)
            if middleware.cls is not None:
                for method in _asgi_methods(app, middleware.cls):
                    yield Entry(method, "middleware", None)
        for handler in application.exception_handlers:
            if handler.function is not None:
                yield Entry(handler.function, "handler", None)


def _asgi_methods(app: App, cls: Class) -> Iterator[Function]:
    for name in ("dispatch", "__call__"):
        method = app.linker.method(cls, name)
        if method is not None:
            yield method


def on_loop(app: App) -> Loop:
    """Return what the event loop runs. Start-up and shutdown are left out: nobody waits then."""
    found: dict[int, Entry] = {}
    for entry in entries(app):
        if entry.function.is_async:
            found.setdefault(id(entry.function.node), entry)
    reached = app.calls.reach([entry.function for entry in found.values()], stays_on_loop)
    return Loop(found, reached)


def stays_on_loop(site: CallSite, _target: Function) -> bool:
    """Whether a call made on the event loop runs its target there."""
    return not site.around.deferred
