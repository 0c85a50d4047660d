"""What runs while requests are served: entry points, what they call, and what the event loop runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from weakref import WeakKeyDictionary

import msgspec

from fastwright.app.calls import CallSite, Reached, Step
from fastwright.app.guards import Guards
from fastwright.app.jobs import jobs_of, started
from fastwright.app.model import App
from fastwright.app.once import is_kept
from fastwright.app.routes import Route
from fastwright.app.running import runs_on_loop
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Awaitable, ExternalValue, FunctionValue, alternatives
from fastwright.app.wrappers import wrappers
from fastwright.read import syntax as s


class Entry(msgspec.Struct, frozen=True, eq=False):
    """A function that the framework itself calls.

    ``kind``: endpoint, dependency, middleware, handler, thread, task or scheduled. ``route`` is one that
    starts it, where a route does.
    """

    function: Function
    kind: str
    route: Route | None
    step: Step | None = None
    """For a thread or a background task: how the function that starts it is reached."""
    site: CallSite | None = None
    """For a thread or a background task: the call that starts it."""


class Loop(msgspec.Struct, frozen=True, eq=False):
    """Functions that run while a request is served, and by which entry each was reached."""

    entries: dict[int, Entry]
    """By ``id(function.node)``."""
    reached: Reached

    def entry(self, root: Function) -> Entry:
        """Return the entry that a root of the walk is."""
        return self.entries[id(root.node)]

    def step(self, function: Function) -> Step | None:
        """Return how ``function`` was reached."""
        return self.reached.step(function)


_SERVED: WeakKeyDictionary[App, Loop] = WeakKeyDictionary()
_ON_LOOP: WeakKeyDictionary[App, Loop] = WeakKeyDictionary()

_CACHING = frozenset({"lru_cache", "cache", "cached", "alru_cache", "memoize", "memoized", "once"})
_CONTEXT_MANAGERS = frozenset({"contextmanager"})
_PLAIN_DECORATORS = frozenset(
    {"staticmethod", "classmethod", "abstractmethod", "override", "overload", "final", "wraps"}
)
_ITERATING = frozenset({"list", "tuple", "set", "dict", "next", "join", "sum", "sorted", "max",
                        "min", "any", "all", "enumerate", "zip", "map", "filter"})  # fmt: skip


def entries(app: App) -> Iterator[Entry]:
    """Yield every function that the framework calls for a request, endpoints first."""
    for route in app.routes:
        if route.endpoint is not None:
            yield Entry(route.endpoint, "endpoint", route)
    for route in app.routes:
        for dependency in route.all_dependencies():
            if dependency.function is not None:
                yield Entry(dependency.function, "dependency", route)
    for route in app.routes:
        for wrapper in wrappers(app.types, route):
            yield Entry(wrapper, "endpoint", route)
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


def served(app: App) -> Loop:
    """Return what runs for requests, in threads or on the loop. Start-up and shutdown are left out."""
    found = _SERVED.get(app)
    if found is None:
        known: dict[int, Entry] = {}
        for entry in entries(app):
            known.setdefault(id(entry.function.node), entry)
        reached = app.calls.reach([entry.function for entry in known.values()])
        found = Loop(known, reached)
        _add_tasks(app, found, list(in_threads(app, found)))
        _add_tasks(app, found, list(background_tasks(app, found)))
        _add_tasks(app, found, list(queued_jobs(app, found)))
        _SERVED[app] = found
    return found


def on_loop(app: App) -> Loop:
    """Return what the event loop runs. Start-up and shutdown are left out: nobody waits then."""
    found = _ON_LOOP.get(app)
    if found is None:
        found = _ON_LOOP[app] = _find_on_loop(app)
    return found


def _find_on_loop(app: App) -> Loop:
    known: dict[int, Entry] = {}
    for entry in entries(app):
        if entry.function.is_async:
            known.setdefault(id(entry.function.node), entry)

    for entry in _scheduled(app):
        known.setdefault(id(entry.function.node), entry)

    def follow(site: CallSite, target: Function) -> bool:
        return stays_on_loop(app, site, target)

    runs = Guards(app).runs
    reached = app.calls.reach([entry.function for entry in known.values()], follow, runs)
    found = Loop(known, reached)
    tasks = [task for task in background_tasks(app, served(app)) if task.function.is_async]
    _add_tasks(app, found, tasks, follow, runs)
    return found


def _scheduled(app: App) -> Iterator[Entry]:
    """Yield the coroutine functions that a library keeps and runs on the loop: an async log sink."""
    scheduling = app.library.scheduling
    packages = {name.partition(".")[0] for name in scheduling}
    names = {name.rpartition(".")[2] for name in scheduling}
    for module in app.sources:
        if packages.isdisjoint(fact.module.partition(".")[0] for fact in module.header.imports):
            continue
        for node in module.walk():
            if not isinstance(node, s.Call) or s.last_name(node.func) not in names:
                continue
            where = Where(module, app.function_of(module, node))
            called = app.types.of(node.func, where)
            given = scheduling.get(called.name) if isinstance(called, ExternalValue) else None
            if given is not None:
                position, _, keyword = given.partition(" ")
                kept = app.types.of(node.argument(int(position), keyword), where)
                for option in alternatives(kept):
                    for target in app.calls.targets(option):
                        if target.is_async:
                            yield Entry(target, "scheduled", None)


def _add_tasks(
    app: App,
    running: Loop,
    tasks: list[Entry],
    follow: Callable[[CallSite, Function], bool] = lambda _site, _target: True,
    runs: Callable[[CallSite | None, CallSite], bool] | None = None,
) -> None:
    """Add threads or background tasks that nothing else reaches, and what they call."""
    new = [task for task in tasks if task.function not in running.reached]
    for task in new:
        running.entries.setdefault(id(task.function.node), task)
    for key, step in app.calls.reach([task.function for task in new], follow, runs).steps.items():
        running.reached.steps.setdefault(key, step)


def in_threads(app: App, running: Loop) -> Iterator[Entry]:
    """Yield the functions that requests have run in a thread: ``to_thread(work, item)``."""
    for step in running.reached:
        for site in app.calls.sites(step.function):
            given = handed_over(app, site)
            if given is None:
                continue
            route = running.entry(step.root).route
            for option in alternatives(app.types.of(given, Where(site.module, site.caller))):
                for target in app.calls.targets(option):
                    yield Entry(target, "thread", route, step, site)


def handed_over(app: App, site: CallSite) -> s.Expr | None:
    """Return the function that a call runs in another thread or process, or None."""
    position = app.library.elsewhere.get(site.external or "")
    if position is None:
        return None
    if position < len(site.node.args):
        return site.node.args[position]
    return site.node.keyword("target") or site.node.keyword("func")


def background_tasks(app: App, running: Loop) -> Iterator[Entry]:
    """Yield the functions that requests hand to ``BackgroundTasks``."""
    for step in running.reached:
        for site in app.calls.sites(step.function):
            given = scheduled(site)
            if given is None:
                continue
            where = Where(site.module, site.caller)
            for option in alternatives(app.types.of(given, where)):
                if isinstance(option, FunctionValue):
                    route = running.entry(step.root).route
                    yield Entry(option.function, "task", route, step, site)


def queued_jobs(app: App, running: Loop) -> Iterator[Entry]:
    """Yield the functions that requests hand to a queue: another process runs them."""
    jobs = jobs_of(app)
    for step in running.reached if jobs else ():
        for site in app.calls.sites(step.function):
            for function in started(app, jobs, site):
                yield Entry(function, "task", running.entry(step.root).route, step, site)


def scheduled(site: CallSite) -> s.Expr | None:
    """Return the function given to ``background_tasks.add_task`` or ``BackgroundTask``, or None."""
    if site.external in {"fastapi.BackgroundTasks.add_task", "starlette.background.BackgroundTask"}:
        return site.node.argument(0, "func")
    return None


def stays_on_loop(app: App, site: CallSite, target: Function) -> bool:
    """Whether a call made on the event loop runs its target there."""
    if site.around.deferred or is_kept(site) or not runs_on_loop(app, site):
        return False
    if not target.is_async and any(other.is_async for other in site.targets):
        return False  # of a client for both, the asynchronous part is meant
    names = target.decorator_names
    if not names.isdisjoint(_CACHING):
        return False  # read once
    if target.node.is_generator and not target.is_async:
        # Starlette iterates over a plain generator in a thread.
        return not names.isdisjoint(_CONTEXT_MANAGERS) or is_iterated(app, site)
    if site.around.awaited and not target.is_async and not names <= _PLAIN_DECORATORS:
        # A decorator makes it awaitable: most often by running it in a thread.
        returned = app.types.returned(target)
        return any(isinstance(option, Awaitable) for option in alternatives(returned))
    return True


def is_iterated(app: App, site: CallSite) -> bool:
    """Whether what a call gives is iterated over where it stands."""
    for node, _ in app.calls.nodes(site.caller):
        if isinstance(node, s.For) and node.iter is site.node:
            return True
        if isinstance(node, s.Comp) and any(g.iter is site.node for g in node.generators):
            return True
        if isinstance(node, s.Yield) and node.value is site.node:
            return True
        if isinstance(node, s.Call) and s.last_name(node.func) in _ITERATING:
            if any(argument is site.node for argument in node.args):
                return True
    return False
