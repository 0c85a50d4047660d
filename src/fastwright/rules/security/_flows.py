"""Flows: request data that reaches a call that should not get it. For the rules about injection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.request_data import RequestData, Source
from fastwright.app.symbols import Function
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name, evidence, of_route, place
from fastwright.rules.finding import Hit

_SCHEME = re.compile(r"^(https?:)?//$", re.IGNORECASE)


class Flow(msgspec.Struct, frozen=True, eq=False):
    """A call, what it is given, and where in a request that comes from."""

    site: CallSite
    given: s.Expr
    source: Source


def arguments(
    app: App, data: RequestData, sinks: Mapping[str, str]
) -> Iterator[tuple[CallSite, s.Expr]]:
    """Yield the calls of ``sinks`` that requests reach, each with the argument that matters.

    ``sinks`` maps canonical names to ``position keyword``: ``{"requests.get": "0 url"}``.
    """
    last = {name.rpartition(".")[2] for name in sinks}
    for step in data.running.reached:
        if last.isdisjoint(step.function.node.called):
            continue
        for site in app.calls.sites(step.function):
            where = sinks.get(site.external or "")
            if where is None:
                continue
            position, _, keyword = where.partition(" ")
            given = site.node.argument(int(position), keyword)
            if given is not None:
                yield site, given


def flows(app: App, data: RequestData, sinks: Mapping[str, str]) -> Iterator[Flow]:
    """Yield the calls of ``sinks`` that request data reaches; one source for each argument."""
    for site, given in arguments(app, data, sinks):
        source = next(data.sources(given, site.caller), None)
        if source is not None:
            yield Flow(site, given, source)


def hit(flow: Flow, message: str) -> Hit:
    """Return the finding of a flow, with every step of the way."""
    site, source = flow.site, flow.source
    proof = (
        *(of_route(source.route) if source.route is not None else ()),
        *(evidence(step.module, step.node, step.note) for step in source.steps),
        evidence(site.module, site.node, call_name(site)),
    )
    return Hit(place(site.module, flow.given), message, proof)


def leading(data: RequestData, node: s.Expr, function: Function, depth: int = 0) -> s.Expr | None:
    """Return the expression that a URL begins with, or its host; None where that is fixed text."""
    if depth > _DEEP:
        return None
    if isinstance(node, s.JoinedStr) and node.values:
        first = node.values[0]
        if isinstance(first, s.Constant):
            is_scheme = isinstance(first.value, str) and _SCHEME.match(first.value)
            return node.values[1] if is_scheme and len(node.values) > 1 else None
        return leading(data, first, function, depth + 1)
    if isinstance(node, s.BinOp):
        if node.op == "+" and isinstance(node.left, s.Constant):
            is_scheme = isinstance(node.left.value, str) and _SCHEME.match(node.left.value)
            return node.right if is_scheme else None
        return leading(data, node.left, function, depth + 1) if node.op in {"+", "%"} else None
    if isinstance(node, s.Name):
        bound = data.app.types.locals.lookup(node.id, node.start, function)
        if (
            bound is not None
            and bound.how == "assign"
            and bound.value is not None
            and not bound.path
        ):
            return leading(data, bound.value, function, depth + 1)
    return None if isinstance(node, s.Constant) else node


_DEEP = 5
