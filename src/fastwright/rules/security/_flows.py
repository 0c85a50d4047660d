"""Flows: request data that reaches a call that should not get it. For the rules about injection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.request_data import RequestData, Source
from fastwright.app.symbols import Function
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name, evidence, of_route, place
from fastwright.rules.finding import Hit


class Flow(msgspec.Struct, frozen=True, eq=False):
    """A call, what it is given, and where in a request that comes from."""

    site: CallSite
    given: s.Expr
    source: Source


def arguments(
    app: App, data: RequestData, sinks: Mapping[str, str]
) -> Iterator[tuple[CallSite, s.Expr]]:
    """Yield the calls of ``sinks`` that requests reach, each with the argument that matters.

    ``sinks`` maps canonical names to ``position keyword``, ``{"requests.get": "0 url"}``, or ``self``.
    """
    last = frozenset(name.rpartition(".")[2] for name in sinks)
    for function in (*_served(data, last), *_in_jobs(app, data, sinks, last)):
        for site in app.calls.sites(function):
            where = sinks.get(site.external or "")
            if where is None:
                continue
            given = argument(site, where)
            if given is not None:
                yield site, given


def argument(site: CallSite, where: str) -> s.Expr | None:
    """Return what ``where`` names of a call: ``position keyword``, or ``self``."""
    if where == "self":
        return site.node.func.value if isinstance(site.node.func, s.Attribute) else None
    position, _, keyword = where.partition(" ")
    return site.node.argument(int(position), keyword)


def _served(data: RequestData, last: frozenset[str]) -> Iterator[Function]:
    for step in data.running.reached:
        if not last.isdisjoint(step.function.node.called):
            yield step.function


def _in_jobs(
    app: App, data: RequestData, sinks: Mapping[str, str], last: frozenset[str]
) -> Iterator[Function]:
    """Yield functions that no request runs: tasks and commands may read what requests stored."""
    libraries = {name.partition(".")[0] for name in sinks} - {"builtins"}
    for module in app.sources:
        if any(fact.module.partition(".")[0] in libraries for fact in module.header.imports):
            for function in app.every_function(module, calling=last):
                if function not in data.running.reached:
                    yield function


def flows(
    app: App,
    data: RequestData,
    sinks: Mapping[str, str],
    admits: Callable[[Source], bool] = lambda _source: True,
) -> Iterator[Flow]:
    """Yield the calls of ``sinks`` that request data reaches; one source for each argument.

    ``admits`` says which sources matter.
    """
    for site, given in arguments(app, data, sinks):
        source = next(filter(admits, data.sources(given, site.caller)), None)
        if source is not None:
            yield Flow(site, given, source)


def hit(flow: Flow, message: str, fix: Fix | None = None) -> Hit:
    """Return the finding of a flow, with every step of the way."""
    site, source = flow.site, flow.source
    proof = (
        *(of_route(source.route) if source.route is not None else ()),
        *(evidence(step.module, step.node, step.note) for step in source.steps),
        evidence(site.module, site.node, call_name(site)),
    )
    return Hit(place(site.module, flow.given), message, proof, fix)


def passed_through(flow: Flow, origin: str, name: str, written: str) -> Fix | None:
    """Return the fix that puts ``written`` around the only piece of a text that is not constant.

    ``written`` holds ``{name}``, how the file calls ``name`` of ``origin``, and ``{piece}``.
    """
    module = flow.site.module
    pieces = [piece for piece in _pieces(flow.given) if not _is_constant(piece)]
    brought = bring(module, origin, name)
    if len(pieces) != 1 or brought is None or pieces[0] is flow.given:
        return None
    piece = pieces[0]
    if not isinstance(piece, (s.Name, s.Attribute)):
        return None
    made = written.format(name=brought.name, piece=text(module, piece))
    return Fix("suggest", (replace(module, piece, made),), brought.imports)


def _is_constant(node: s.Expr) -> bool:
    """A literal, or a name as constants have: ``UPLOADS``."""
    return isinstance(node, s.Constant) or (s.last_name(node) or "x").isupper()


def _pieces(node: s.Expr) -> Iterator[s.Expr]:
    """Yield what a text is put together from: with ``+``, ``%`` and ``/``, or as an f-string."""
    if isinstance(node, s.JoinedStr):
        yield from node.values
    elif isinstance(node, s.BinOp) and node.op in {"+", "%", "/"}:
        for side in (node.left, node.right):
            yield from _pieces(side)
    else:
        yield node


def holds_slashes(source: Source) -> bool:
    """Whether what the client sends may hold slashes: a plain path parameter may not."""
    if source.kind == "path":
        return source.route is not None and f"{{{source.name}:path}}" in source.route.path
    return True
