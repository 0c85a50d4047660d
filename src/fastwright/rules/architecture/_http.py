"""What the rules of this family share: which functions are the HTTP layer, what escapes a function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fastwright.app.calls import CallSite, Step
from fastwright.app.layers import hook_functions
from fastwright.app.model import App
from fastwright.app.raises import Raised
from fastwright.app.scopes import Where
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_route
from fastwright.rules.finding import Evidence

_DEPTH = 4
_PASSES_ON = frozenset({"wait_for", "gather", "shield", "run", "run_in_threadpool", "to_thread"})
"""Calls that raise what the coroutine or function given to them raises."""


def http_functions(app: App) -> set[int]:
    """Return functions that speak HTTP.

    Endpoints, dependencies, middleware, exception handlers, and what only the last three call.
    """
    endpoints = {id(function.node) for function in app.endpoints}
    served = app.calls.reach(app.endpoints)
    others = app.calls.reach([*app.request_roots, *hook_functions(app)])
    only = {id(s_.function.node) for s_ in others if s_.function not in served}
    roots = {id(f.node) for f in (*app.request_roots, *hook_functions(app))}
    return endpoints | only | roots


def from_endpoint(app: App, step: Step) -> tuple[Evidence, ...]:
    """Return the chain from the request to a function that requests reach."""
    routes = app.routes_for(step.root)
    first = of_route(routes[0]) if routes else ()
    calls: list[Evidence] = []
    at: Step | None = step
    while at is not None and at.site is not None:
        calls.append(evidence(at.site.module, at.site.node, at.function.qualname))
        at = at.before
    return (*first, *reversed(calls))


def runs_inline(site: CallSite, target: Function) -> bool:
    """Whether an exception of ``target`` comes out of the call: not for lambdas, tasks, generators."""
    if site.around.deferred or target.node.is_generator:
        return False
    if target.is_async:
        return site.around.awaited
    return True


@dataclass
class Escaping:
    """Which exceptions come out of functions, found on demand."""

    app: App
    _known: dict[int, tuple[tuple[Raised, tuple[CallSite, ...]], ...]] = field(default_factory=dict)

    def http(
        self, function: Function, depth: int = 0
    ) -> tuple[tuple[Raised, tuple[CallSite, ...]], ...]:
        """Return each HTTPException that comes out of a function, with the calls that lead to it."""
        key = id(function.node)
        if key in self._known:
            return self._known[key]
        self._known[key] = ()
        found = tuple(self._http(function, depth))
        self._known[key] = found
        return found

    def _http(
        self, function: Function, depth: int
    ) -> Iterator[tuple[Raised, tuple[CallSite, ...]]]:
        raises = self.app.raises
        where = Where(function.module, function)
        for raised in raises.of(function):
            if raises.is_http(raised.cls) and not raises.caught(
                raised.cls, raised.around.tries, where
            ):
                yield raised, ()
        if depth >= _DEPTH:
            return
        for site in self.app.calls.sites(function):
            for target in site.targets[:2]:
                if not runs_inline(site, target):
                    continue
                for raised, chain in self.http(target, depth + 1)[:3]:
                    if not raises.caught(raised.cls, site.around.tries, where):
                        yield raised, (site, *chain)


def inside(around: Surroundings, statement: s.Try) -> bool:
    """Whether a place stands in the body of ``statement`` (not in its handlers)."""
    return any(outer is statement for outer in around.tries)


def tries_within(around: Surroundings, statement: s.Try) -> tuple[s.Try, ...]:
    """Return the ``try`` statements between ``statement`` and a place in its body."""
    for position, outer in enumerate(around.tries):
        if outer is statement:
            return around.tries[position + 1 :]
    return ()


def external_names(app: App, cls: Class | str) -> frozenset[str]:
    """Return the canonical name of a class, or those of its ancestors outside the project."""
    return frozenset({cls}) if isinstance(cls, str) else app.linker.ancestors(cls)
