"""Whether an endpoint does more than HTTP: what `extract-service` moves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.read import syntax as s
from fastwright.rules.architecture.fat_endpoint import Weight, weigh

_WORK = 2
"""Statements, outside calls, and calls of what asks the database: one is fetching, two are a use case."""
_STATEMENTS, _BRANCHES = 5, 2
"""What an endpoint has that computes with what it fetched."""


def does_business(app: App, endpoint: Function) -> bool:
    """Whether an endpoint writes, works with several things, decides on data, or computes with it.

    Fetching and returning, with the 404 for what is not there, is HTTP; so is calling a service.
    """
    weight = weigh(app, endpoint)
    if weight.is_fat or _writes(app, endpoint):
        return True
    work = len({id(site.node) for site in work_of(app, endpoint, weight)})
    if work >= _WORK:
        return True
    computes = weight.statements >= _STATEMENTS and weight.branches >= _BRANCHES
    return work > 0 and (computes or _decides(app, endpoint))


def work_of(app: App, endpoint: Function, weight: Weight | None = None) -> Iterator[CallSite]:
    """Yield the calls of an endpoint that do business, those of services left out: they are business moved already."""
    weight = weight or weigh(app, endpoint)
    yield from weight.queries
    yield from weight.outside
    for site in app.calls.sites(endpoint):
        if site.targets and all(_asks(app, target) for target in site.targets):
            yield site


def _asks(app: App, target: Function) -> bool:
    """Whether a function of the project asks the database, or keeps what is outside, and is no service."""
    if target.name.startswith("__"):
        return False
    layer = app.layers.get(target.module.path)
    if layer is not None and layer.name == "service" and not layer.guessed:
        return False
    if layer is not None and layer.name == "adapter" and not layer.guessed:
        return True
    return app.calls.asks_database(target)


def _writes(app: App, endpoint: Function) -> bool:
    return any(each.kind != "read" for each in app.calls.executions(endpoint))


def _decides(app: App, endpoint: Function) -> bool:
    """Whether a refusal depends on more than that something is not there."""
    refusals = [raised for raised in app.raises.of(endpoint) if app.raises.is_http(raised.cls)]
    absent = sum(
        isinstance(branch.body[-1], s.Raise) and _is_presence(branch.test)
        for node, _ in app.calls.of_kind(endpoint, s.If)
        for branch in node.branches
    )
    return len(refusals) > absent


def _is_presence(test: s.Expr) -> bool:
    """``order is None``, ``not order``."""
    if isinstance(test, s.Compare):
        last = test.comparators[-1]
        return test.ops == ["is"] and isinstance(last, s.Constant) and last.kind == "none"
    return isinstance(test, s.UnaryOp) and test.op == "not" and isinstance(test.operand, s.Name)


def working(app: App, endpoint: Function, statements: Iterable[s.Stmt]) -> list[bool]:
    """Return of each statement of an endpoint whether it asks the database, writes, or calls outside."""
    work = {id(site.node) for site in work_of(app, endpoint)}
    work |= {id(each.site.node) for each in app.calls.executions(endpoint)}
    where = Where(endpoint.module, endpoint)

    def is_work(node: s.Node) -> bool:
        if isinstance(node, s.Attribute) and isinstance(node.value, s.Name):
            return app.types.session_kind(app.types.of(node.value, where)) is not None
        return id(node) in work

    return [any(map(is_work, s.walk(statement))) for statement in statements]
