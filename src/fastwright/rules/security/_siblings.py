"""Routes beside each other: one reads a thing for its owner only, the other takes it from anybody.

``GET /notes/{id}`` hands the caller to a query that filters by owner; ``PUT /notes/{id}`` takes the
caller as well, and does nothing with them. No table is needed for that: the filter may be text of SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.symbols import Function
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.security._callers import (
    OWNER,
    callers,
    compared,
    is_for_callers,
    is_name,
    taking,
    uses,
)

_CONDITION = re.compile(
    r"\b(user|owner|customer|account|tenant|organi[sz]ation|org|workspace|team|company|member)_?id"
    r"\s*(=|in\b)",
    re.IGNORECASE,
)
_REQUESTS = frozenset({"fastapi.Request", "fastapi.requests.HTTPConnection"})
_READING = frozenset({"GET", "HEAD"})
_DEPTH = 4


class Reading(msgspec.Struct, frozen=True, eq=False):
    """A route that reads one thing by its id for its owner: the call that gets both, and the filter."""

    route: Route
    site: CallSite
    module: Module
    filter: s.Node


class Unlike(msgspec.Struct, frozen=True, eq=False):
    """A route that does something with the same thing, whoever asks."""

    route: Route
    site: CallSite
    caller: str
    reading: Reading


def unlike_siblings(app: App) -> Iterator[Unlike]:
    """Yield the routes on things of an owner that take the caller and do not look at them."""
    readings = list(_readings(app))
    if not readings:
        return
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or route.kind != "http":
            continue
        beside = next((r for r in readings if _is_beside(route, r.route)), None)
        if beside is None or not is_for_callers(app, route):
            continue
        asking = callers(app, route)
        if not asking or any(uses(app, endpoint, name) for name in asking):
            continue
        site = _first_use(app, endpoint, _path_names(route))
        if site is None or _may_look(app, route, endpoint):
            continue
        yield Unlike(route, site, asking[0], beside)


def _is_beside(route: Route, reading: Route) -> bool:
    """Whether a route is about the thing that another one reads: the same path, or one below it."""
    endpoint, other = route.endpoint, reading.endpoint
    if endpoint is None or other is None or endpoint.node is other.node:
        return False
    return endpoint.module.path == other.module.path and (
        route.path == reading.path or route.path.startswith(f"{reading.path}/")
    )


def _path_names(route: Route) -> list[str]:
    return [
        parameter.name
        for parameter in route.parameters
        if parameter.kind == "path"
        and route.endpoint is not None
        and parameter.function.node is route.endpoint.node
    ]


def _first_use(app: App, endpoint: Function, names: list[str]) -> CallSite | None:
    """Return the first call of the project that gets an id of the path."""
    return next(
        (
            site
            for site in app.calls.sites(endpoint)
            if len(site.targets) == 1 and any(any(taking(site, name)) for name in names)
        ),
        None,
    )


def _may_look(app: App, route: Route, endpoint: Function) -> bool:
    """Whether who asks may be looked at in another way: a dependency, the request, a filter below."""
    if any(p.kind == "path" and p.function.node is not endpoint.node for p in route.parameters):
        return True
    for parameter in endpoint.parameters:
        found = app.types.parameter(parameter, endpoint)
        if any(isinstance(o, Instance) and o.cls in _REQUESTS for o in alternatives(found)):
            return True
    return any(
        _filter(app, step.function) is not None
        for step in app.calls.reach([endpoint])
        if len(step.chain) <= _DEPTH
    )


# ------------------------------------------------------------------ who reads for owners only


def _readings(app: App) -> Iterator[Reading]:
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or route.kind != "http" or not set(route.methods) <= _READING:
            continue
        if not route.path.endswith("}"):
            continue
        asking = callers(app, route) if is_for_callers(app, route) else []
        for site in app.calls.sites(endpoint) if asking else ():
            found = _filtered(app, site, asking, _path_names(route))
            if found is not None:
                yield Reading(route, site, *found)
                break


def _filtered(
    app: App, site: CallSite, asking: list[str], ids: list[str]
) -> tuple[Module, s.Node] | None:
    """Return the filter by owner that a call leads to which gets an id and the caller."""
    if len(site.targets) != 1 or not any(any(taking(site, name)) for name in ids):
        return None
    target = site.targets[0]
    for position, parameter in enumerate(target.parameters):
        given = site.node.argument(position, parameter.name)
        if given is not None and _is_of_caller(app, site.caller, given, asking):
            found = _filter_below(app, target, parameter.name, _DEPTH)
            if found is not None:
                return found
    return None


def _is_of_caller(app: App, function: Function, node: s.Expr, asking: list[str]) -> bool:
    """Whether an argument is the caller, or made from the caller: ``user.id``, ``[user.id]``."""
    for inner in s.walk(node):
        if not isinstance(inner, s.Name):
            continue
        if inner.id in asking:
            return True
        bound = app.types.locals.lookup(inner.id, inner.start, function)
        if bound is not None and bound.how == "assign" and bound.value is not None:
            if any(isinstance(n, s.Name) and n.id in asking for n in s.walk(bound.value)):
                return True
    return False


def _filter_below(
    app: App, function: Function, name: str, depth: int
) -> tuple[Module, s.Node] | None:
    """Return where a parameter comes to a function that filters by owner and uses it."""
    if any(is_name(node, name) for node, _ in app.calls.nodes(function)):
        found = _filter(app, function)
        if found is not None:
            return function.module, found
    for site in app.calls.sites(function) if depth else ():
        if len(site.targets) == 1:
            for parameter in taking(site, name):
                below = _filter_below(app, site.targets[0], parameter, depth - 1)
                if below is not None:
                    return below
    return None


def _filter(app: App, function: Function) -> s.Node | None:
    """Return where a function compares with the owner of a row: in Python, or in text of SQL."""
    if any(OWNER.search(name) for name in compared(app, function)):
        return function.node.body[0]
    for node, _ in app.calls.of_kind(function, s.Constant):
        if isinstance(node.value, str) and _CONDITION.search(node.value):
            return node
    return None
