"""Places and evidence: from nodes of the model to what a finding shows."""

from __future__ import annotations

from collections.abc import Iterable

from fastwright.app.calls import CallSite, Step
from fastwright.app.on_loop import Entry
from fastwright.app.routes import Route
from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.finding import Evidence, Place

_INFERRED = ("Statement.", "Result.", "Sequence.", "LoadOption.", "column.")


def place(module: Module, node: s.Node) -> Place:
    """Return where ``node`` stands."""
    facts = module.facts
    end = max(node.end - 1, node.start)
    return Place(
        file=module.path,
        line=facts.line(node.start),
        column=facts.column(node.start),
        end_line=facts.line(end),
        end_column=facts.column(end) + 1,
        function=module.function_at(node.start),
    )


def name_place(definition: Function | Class) -> Place:
    """Return where the name of a function or class stands: what a finding about it underlines."""
    node = definition.node
    named = s.Name(node.name_start, node.name_start + len(node.name.encode()), node.name)
    return place(definition.module, named)


def evidence(module: Module, node: s.Node, note: str) -> Evidence:
    """Return one link of a chain."""
    return Evidence(place(module, node), note)


def of_route(route: Route) -> tuple[Evidence, ...]:
    """Return the first links of a chain that starts with a request: the route, its endpoint."""
    first = evidence(route.module, route.node, route.label)
    if route.endpoint is None:
        return (first,)
    return (first, Evidence(name_place(route.endpoint), route.endpoint.qualname))


def of_calls(chain: Iterable[CallSite]) -> tuple[Evidence, ...]:
    """Return the links for a chain of calls: each at the call, named after what it runs."""
    return tuple(
        evidence(
            site.module, site.node, site.targets[0].qualname if site.targets else call_name(site)
        )
        for site in chain
    )


def of_step(step: Step) -> tuple[Evidence, ...]:
    """Return the links from the root of a walk to the function that ``step`` came to."""
    links: list[Evidence] = []
    at: Step | None = step
    while at is not None and at.site is not None:
        links.append(evidence(at.site.module, at.site.node, at.function.qualname))
        at = at.before
    return tuple(reversed(links))


def call_name(site: CallSite) -> str:
    """Return how a call reads: ``requests.post``, ``self.repo.list``."""
    written = s.dotted(site.node.func) or site.method
    if site.external is None or site.external.startswith(_INFERRED):
        return written
    return site.external


def of_entry(entry: Entry) -> tuple[Evidence, ...]:
    """Return the first links of a chain that starts where the framework calls in."""
    named = Evidence(name_place(entry.function), entry.function.qualname)
    if entry.step is not None and entry.site is not None:
        how = "runs" if entry.kind == "thread" else "schedules"
        scheduled = evidence(entry.site.module, entry.site.node, f"{how} {entry.function.qualname}")
        first = of_route(entry.route) if entry.route is not None else ()
        return (*first, *of_step(entry.step), scheduled)
    if entry.route is None:
        return (named,)
    if entry.kind == "endpoint":
        return of_route(entry.route)
    return (*of_route(entry.route), named)
