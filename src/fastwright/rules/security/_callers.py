"""Who asks: the caller of a route, what is done with them, and where the owner of a row is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.dependencies import Dependency
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s

OWNER = re.compile(
    r"^(user|owner|customer|account|tenant|organi[sz]ation|org|workspace|team|company|member)_?(id|uuid)$"
    r"|^owned_by(_id)?$",
    re.IGNORECASE,
)
_STAFF = re.compile(
    r"admin|staff|superuser|operator|internal|moderat|manage|role|permission|scope|acl|polic|privilege"
    r"|public|share|webhook",
    re.IGNORECASE,
)
_LOGGING = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log", "print"})
_FORBIDDEN = 403


def is_for_callers(app: App, route: Route) -> bool:
    """Whether a route serves whoever is logged in, rather than staff."""
    endpoint = route.endpoint
    if endpoint is None or _STAFF.search(route.path) or _STAFF.search(endpoint.name):
        return False
    if any(_STAFF.search(scope) for d in route.all_dependencies() for scope in d.scopes):
        return False
    for dependency in route.all_dependencies():
        if dependency.function is None and dependency.external is None:
            return False  # not known: it may check
        if _STAFF.search(dependency.label) or dependency.scopes:
            return False
        if dependency.function is not None and _forbids(app, dependency):
            return False
    return not app.authenticators.refuses(endpoint)


def _forbids(app: App, dependency: Dependency) -> bool:
    """Whether a dependency checks more than who is calling: it refuses what a child let in."""
    function = dependency.function
    return function is not None and (
        any(raised.status == _FORBIDDEN for raised in app.raises.of(function))
        or (
            any(app.authenticators.authenticates(child) for child in dependency.children)
            and app.authenticators.refuses(function)
            and not _gives_person(app, function)
        )
    )


def _gives_person(app: App, function: Function) -> bool:
    return any(
        isinstance(option, Instance) and isinstance(option.cls, Class)
        for option in alternatives(app.types.awaited(app.types.returned(function)))
    )


def callers(app: App, route: Route) -> list[str]:
    """Return the parameters of the endpoint that hold who is calling."""
    return [
        tree.parameter.name
        for tree in route.dependencies
        if tree.level == "parameter"
        and tree.parameter is not None
        and app.authenticators.authenticates(tree)
    ]


def uses(app: App, function: Function, name: str) -> bool:
    """Whether a function does anything with a parameter but write it to a log."""
    logged = [
        (node.start, node.end)
        for node, _ in app.calls.of_kind(function, s.Call)
        if s.last_name(node.func) in _LOGGING
    ]
    return any(
        node.id == name and not any(start <= node.start < end for start, end in logged)
        for node, _ in app.calls.of_kind(function, s.Name)
    )


def compared(app: App, function: Function) -> Iterator[str]:
    """Yield the attributes that a function compares, and the keywords that it filters by."""
    for node, _ in app.calls.of_kind(function, s.Compare):
        for part in (node.left, *node.comparators):
            if isinstance(part, s.Attribute):
                yield part.attr
    for call, _ in app.calls.of_kind(function, s.Call):
        if s.last_name(call.func) in {"filter_by", "get_by", "find_by"}:
            yield from (keyword.arg for keyword in call.keywords if keyword.arg is not None)


def taking(site: CallSite, name: str) -> Iterator[str]:
    """Yield the parameters of what a call runs that get the value of a variable."""
    parameters = site.targets[0].parameters
    for position, argument in enumerate(site.node.args):
        if isinstance(argument, s.Starred):
            break
        if is_name(argument, name) and position < len(parameters):
            yield parameters[position].name
    for keyword in site.node.keywords:
        if keyword.arg is not None and is_name(keyword.value, name):
            yield keyword.arg


def is_name(node: s.Node, name: str) -> bool:
    return isinstance(node, s.Name) and node.id == name
