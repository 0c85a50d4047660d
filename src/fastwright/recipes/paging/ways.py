"""How the rows of a list come to the endpoint that answers it: through which calls, by which statement."""

from __future__ import annotations

import msgspec

from fastwright.app.calls import CallSite, Execution
from fastwright.app.model import App
from fastwright.app.origins import origins
from fastwright.app.symbols import Function
from fastwright.app.types import Query
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.recipes.paging.adapters import adapters, ports
from fastwright.recipes.paging.given import Given, SiftedError, rows_given
from fastwright.rules.data._pages import in_one_place

_MIXING = frozenset({"distinct", "union", "union_all", "from_statement", "group_by", "select_from"})
PAGE = "page"
"""What a page is called, wherever it is handed on."""
_LONGEST = 5
"""Calls from an endpoint to its statement."""


class Refused(Exception):  # noqa: N818 - no error: the reason why a list stays
    """Why a list stays as it is, and where the reason stands."""

    def __init__(self, reason: str, function: Function, node: s.Node | None = None) -> None:
        super().__init__(reason)
        line = function.module.line(node if node is not None else function.node)
        self.reason = f"{reason} ({function.module.path}:{line})"


class Hop(msgspec.Struct, frozen=True, eq=False):
    """A call on the way, and the function that it runs."""

    site: CallSite
    function: Function
    declared: tuple[Function, ...]
    """The methods of ports that the function answers."""


class Way(msgspec.Struct, frozen=True, eq=False):
    """From an endpoint through the calls to the statement that reads the rows."""

    endpoint: Function
    chain: tuple[Hop, ...]
    execution: Execution
    query: Query
    rows: s.Expr
    """What holds the rows, in the function that reads them."""

    @property
    def reader(self) -> Function:
        """The function that reads the rows."""
        return self.execution.site.caller


def way(app: App, endpoint: Function) -> Way:
    """Return how the rows come that an endpoint answers. Raises Refused where a page of them is none."""
    return _way(app, endpoint, endpoint, ())


def _way(app: App, endpoint: Function, function: Function, chain: tuple[Hop, ...]) -> Way:
    """Return how the rows come to an endpoint, all of them, in their order."""
    try:
        given, sifted = rows_given(app, function)
    except SiftedError as error:
        raise Refused(error.reason, function, error.node) from None
    ways = list[Way]()
    refusals = [Refused(error.reason, function, error.node) for error in sifted]
    for each in given:
        try:
            ways.append(_way_of(app, endpoint, function, chain, each))
        except Refused as refused:
            refusals.append(refused)
    if len(ways) == 1:
        return ways[0]
    if ways:
        raise Refused("several lists are answered", function)
    raise refusals[0]


def _way_of(
    app: App, endpoint: Function, function: Function, chain: tuple[Hop, ...], given: Given
) -> Way:
    execution = _execution(app, function, given.call)
    if execution is None:
        site = origins(app).site(function, given.call)
        called = _called(app, site) if site is not None else None
        if site is None or called is None or len(chain) >= _LONGEST:
            raise Refused("it is not known where the rows come from", function, given.call)
        hop = Hop(site, called, tuple(ports(app, called)))
        return _way(app, endpoint, called, (*chain, hop))
    query = execution.query
    if query is None or query.function is not function:
        raise Refused("the statement is made elsewhere", function, given.call)
    steps = {s.last_name(each) for each in query.steps}
    if not steps.isdisjoint(_MIXING) or _mixes(query):
        raise Refused("the statement joins what a page would cut", function, query.node)
    if not in_one_place(query):
        raise Refused("the statement is put together in several places", function)
    if query.limited and not takes_page(function):
        raise Refused("the statement has a limit", function, query.node)
    if execution.session == "raw":
        raise Refused("rows without a session", function, query.node)
    if "join" in steps and ".unique(" in text(function.module, given.rows):
        raise Refused("rows that were joined are made unique", function, given.rows)
    return Way(endpoint, chain, execution, query, given.rows)


def _called(app: App, site: CallSite) -> Function | None:
    """Return the one function that a call runs: behind a port, that of its only adapter."""
    if len(site.targets) != 1:
        return None
    target = site.targets[0]
    if target.owner is None or not app.types.is_port(target.owner):
        return target
    behind = adapters(app, target.owner)
    return app.linker.method(behind[0], target.name) if len(behind) == 1 else None


def takes_page(function: Function) -> bool:
    """Whether a function takes a page already, for others that ask for one."""
    return any(
        each.name == PAGE
        and each.annotation is not None
        and any(isinstance(n, s.Name) and n.id == "Page" for n in s.walk(each.annotation))
        for each in function.node.params
    )


def _mixes(query: Query) -> bool:
    """Whether rows that were joined are put together again, or made unique: fewer than a page."""
    return any(
        s.last_name(node.func) == "contains_eager" or (query.legacy and _joins(node))
        for each in query.steps
        for node in s.walk(each)
        if isinstance(node, s.Call)
    )


def _joins(node: s.Call) -> bool:
    return s.last_name(node.func) in {"join", "outerjoin"}


def _execution(app: App, function: Function, node: s.Expr) -> Execution | None:
    """Return the execution of a statement that gives all its rows."""
    found = origins(app).execution(function, node)
    if found is None or found.kind != "read" or found.by_key:
        return None
    legacy = found.query is not None and found.query.legacy
    wanted = {"all"} if legacy else {"exec", "execute", "scalars"}
    return found if found.site.method in wanted else None
