"""Origins: from which statement the rows come that an expression holds, calls followed back.

Types say which table a row is of; through generic repositories the statement itself gets lost on
the way. This walks back from a value, through names, returns and the usual wrappers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import msgspec

from fastwright.app.calls import CallSite, Execution
from fastwright.app.model import App
from fastwright.app.scopes import Bound, Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Query, alternatives
from fastwright.read import syntax as s

_WRAPPERS = frozenset({"list", "sorted", "reversed", "set", "tuple", "iter", "enumerate"})
_OF_RESULT = frozenset(
    {"all", "scalars", "unique", "mappings", "tuples", "fetchall", "partitions", "first", "one",
     "one_or_none", "scalar_one", "scalar_one_or_none", "scalar", "yield_per", "columns",
     "execution_options", "values", "items", "keys", "copy"}
)  # fmt: skip
_GROWING = frozenset({"append", "extend", "add", "insert", "update"})
_MAX_DEPTH = 14
_MAX_FOUND = 12


class Origin(msgspec.Struct, frozen=True, eq=False):
    """Where rows come from. ``execution`` is None where that is not known.

    ``chain`` holds the calls that lead from the expression to the function that runs it.
    """

    execution: Execution | None
    chain: tuple[CallSite, ...]

    @property
    def query(self) -> Query | None:
        """The statement, where it is known."""
        return self.execution.query if self.execution is not None else None


_UNKNOWN = Origin(None, ())


@dataclass(eq=False)
class Origins:
    """Walks back from values to statements."""

    app: App
    of_each: bool = False
    """Of ``[get(key) for key in keys]``: whether it is what ``get`` reads, and not the keys, which say how many."""
    _sites: dict[int, dict[int, CallSite]] = field(default_factory=dict)
    _executions: dict[int, dict[int, Execution]] = field(default_factory=dict)
    _active: set[tuple[int, int]] = field(default_factory=set)

    def of(
        self, node: s.Expr, function: Function, chain: tuple[CallSite, ...] = ()
    ) -> list[Origin]:
        """Return from where the rows come that ``node`` holds (or that it was made from).

        ``chain``: the calls by which the function was reached.
        """
        found: list[Origin] = []
        for origin in self._of(node, function, chain, 0):
            found.append(origin)
            if len(found) >= _MAX_FOUND:
                break
        return found

    def site(self, function: Function, node: s.Node) -> CallSite | None:
        """Return the call that ``node`` is in ``function``."""
        key = id(function.node)
        found = self._sites.get(key)
        if found is None:
            sites = self.app.calls.sites(function)
            found = self._sites[key] = {id(site.node): site for site in sites}
        return found.get(id(node))

    def execution(self, function: Function, node: s.Node) -> Execution | None:
        """Return the execution that the call ``node`` is in ``function``."""
        key = id(function.node)
        found = self._executions.get(key)
        if found is None:
            runs = self.app.calls.executions(function)
            found = self._executions[key] = {id(run.site.node): run for run in runs}
        return found.get(id(node))

    def _of(
        self, node: s.Expr, function: Function, chain: tuple[CallSite, ...], depth: int
    ) -> Iterator[Origin]:
        mark = (id(node), len(chain))
        if depth > _MAX_DEPTH or mark in self._active:
            return
        self._active.add(mark)
        try:
            yield from self._walk(node, function, chain, depth + 1)
        finally:
            self._active.discard(mark)

    def _walk(
        self, node: s.Expr, function: Function, chain: tuple[CallSite, ...], depth: int
    ) -> Iterator[Origin]:
        match node:
            case s.Await() | s.NamedExpr():
                yield from self._of(node.value, function, chain, depth)
            case s.IfExp():
                yield from self._of(node.body, function, chain, depth)
                yield from self._of(node.orelse, function, chain, depth)
            case s.BoolOp():
                for value in node.values:
                    yield from self._of(value, function, chain, depth)
            case s.Comp():
                made = (
                    self.of_each
                    and isinstance(node.elt, s.Call)
                    and self._is_row(node.elt, function)
                )
                rows = node.elt if made else node.generators[0].iter
                yield from self._of(rows, function, chain, depth)
            case s.Name():
                yield from self._name(node, function, chain, depth)
            case s.Call():
                yield from self._call(node, function, chain, depth)
            case s.List() | s.Tuple() | s.Dict() | s.Constant():
                return
            case _:
                yield _UNKNOWN

    def _is_row(self, node: s.Expr, function: Function) -> bool:
        """``get(key)`` of ``[get(key) for key in keys]``: each is a row itself."""
        found = self.app.types.of(node, Where(function.module, function))
        return any(
            isinstance(option, Instance)
            and isinstance(option.cls, Class)
            and self.app.types.is_table(option.cls)
            for option in alternatives(found)
        )

    def _name(
        self, node: s.Name, function: Function, chain: tuple[CallSite, ...], depth: int
    ) -> Iterator[Origin]:
        bound = self.app.types.locals.lookup(node.id, node.start, function)
        if bound is None or bound.how in {"opaque", "enter", "enter-async", "caught"}:
            yield _UNKNOWN
        elif bound.how == "parameter":
            yield from self._argument(node.id, function, chain, depth)
        elif bound.value is None:
            yield _UNKNOWN
        elif is_empty(bound.value):
            yield from self._grown(node.id, function, chain, depth)
        elif bound.path:
            yield from self._part(bound, function, chain, depth)
        else:
            yield from self._of(bound.value, function, chain, depth)

    def _part(
        self, bound: Bound, function: Function, chain: tuple[CallSite, ...], depth: int
    ) -> Iterator[Origin]:
        """``rows, count = repository.page()``: the rows are the first that it returns."""
        value = bound.value.value if isinstance(bound.value, s.Await) else bound.value
        if not isinstance(value, s.Call) or bound.how != "assign" or len(bound.path) != 1:
            yield _UNKNOWN
            return
        site = self.site(function, value)
        if site is None or len(site.targets) != 1:
            yield _UNKNOWN
            return
        target = site.targets[0]
        for returned in returns(self.app, target):
            if isinstance(returned, s.Tuple) and bound.path[0] < len(returned.elts):
                part = returned.elts[bound.path[0]]
                yield from self._of(part, target, (*chain, site), depth)
            else:
                yield _UNKNOWN

    def _argument(
        self, name: str, function: Function, chain: tuple[CallSite, ...], depth: int
    ) -> Iterator[Origin]:
        """A parameter is what the call gave that led here."""
        if not chain or function not in chain[-1].targets:
            yield _UNKNOWN
            return
        site = chain[-1]
        names = [parameter.name for parameter in function.parameters]
        given = site.node.argument(names.index(name), name) if name in names else None
        if given is None:
            yield _UNKNOWN
        else:
            yield from self._of(given, site.caller, chain[:-1], depth)

    def _grown(
        self, name: str, function: Function, chain: tuple[CallSite, ...], depth: int
    ) -> Iterator[Origin]:
        """A list that starts empty holds what loops put into it."""
        for node, around in self.app.calls.of_kind(function, s.Call):
            if not isinstance(node.func, s.Attribute):
                continue
            if node.func.attr not in _GROWING or s.dotted(node.func.value) != name:
                continue
            loop = around.loops[0] if around.loops else None
            if isinstance(loop, s.For):
                yield from self._of(loop.iter, function, chain, depth)
            elif loop is None and node.func.attr in {"extend", "update"} and node.args:
                yield from self._of(node.args[0], function, chain, depth)

    def _call(
        self, node: s.Call, function: Function, chain: tuple[CallSite, ...], depth: int
    ) -> Iterator[Origin]:
        execution = self.execution(function, node)
        if execution is not None:
            yield Origin(execution, chain)
            return
        name = s.last_name(node.func) or ""
        if isinstance(node.func, s.Name) and name in _WRAPPERS and node.args:
            yield from self._of(node.args[0], function, chain, depth)
            return
        site = self.site(function, node)
        if site is not None and site.targets:
            for target in site.targets[:3]:
                for returned in returns(self.app, target):
                    yield from self._of(returned, target, (*chain, site), depth)
            return
        if isinstance(node.func, s.Attribute) and name in _OF_RESULT:
            yield from self._of(node.func.value, function, chain, depth)
            return
        yield _UNKNOWN


_ORIGINS: WeakKeyDictionary[App, Origins] = WeakKeyDictionary()
_OF_EACH: WeakKeyDictionary[App, Origins] = WeakKeyDictionary()


def origins(app: App) -> Origins:
    """Return the origins of values in an application, by what decides how many there are; made once."""
    found = _ORIGINS.get(app)
    if found is None:
        found = _ORIGINS[app] = Origins(app)
    return found


def origins_of_each(app: App) -> Origins:
    """Return the origins of values in an application, by what each of them was read with; made once."""
    found = _OF_EACH.get(app)
    if found is None:
        found = _OF_EACH[app] = Origins(app, of_each=True)
    return found


def returns(app: App, function: Function) -> list[s.Expr]:
    """Return the expressions that a function returns."""
    return [
        node.value for node, _ in app.calls.of_kind(function, s.Return) if node.value is not None
    ]


def is_empty(node: s.Expr) -> bool:
    """Whether an expression is ``[]`` or ``{}``: filled later."""
    if isinstance(node, (s.List, s.Set, s.Tuple)):
        return not node.elts
    if isinstance(node, s.Call) and not node.args and not node.keywords:
        return s.last_name(node.func) in {"list", "dict", "set"}
    return isinstance(node, s.Dict) and not node.keys
