"""From where the rows come of which a relationship is read: relationships, loops and calls followed back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from fastwright.app.calls import CallSite, Execution
from fastwright.app.loading import given_for, loading
from fastwright.app.model import App
from fastwright.app.models import Relationship
from fastwright.app.origins import is_empty, origins, returns
from fastwright.app.scopes import Bound, Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, alternatives
from fastwright.read import syntax as s
from fastwright.rules.data._loops import is_bounded

_WRAPPERS = frozenset({"list", "sorted", "reversed", "set", "tuple", "iter"})
_OF_RESULT = frozenset({"all", "scalars", "unique", "first", "one", "one_or_none", "scalar_one",
                        "scalar_one_or_none", "scalar", "fetchall"})  # fmt: skip
_OF_DICT = frozenset({"get", "values"})
_DEPTH = 16
_MOST = 40
"""Places from which one touch is followed back to its rows."""


class Source(msgspec.Struct, frozen=True, eq=False):
    """Where rows are loaded or made, and which relationships lead from them to what is read."""

    function: Function
    node: s.Call
    """The call that runs the statement, or that makes the row."""
    execution: Execution | None
    """None for a row that is made."""
    path: tuple[Relationship, ...]
    repeated: bool
    """Whether the last of the relationships is read for one row after another."""
    chain: tuple[CallSite, ...]
    """The calls that lead to ``function``."""
    used: int
    """Where, in the last function of the same transaction, the row is read or handed on."""
    through: tuple[Function, ...]
    """The functions that have the row in their hands."""


class _Way(msgspec.Struct, frozen=True, eq=False):
    """What is known on the way back from a touch."""

    path: tuple[Relationship, ...]
    repeated: bool
    chain: tuple[CallSite, ...] = ()
    used: int = 0
    through: tuple[Function, ...] = ()


@dataclass(eq=False)
class Sources:
    """Follows rows back to where they are loaded."""

    app: App
    _callers: dict[int, list[CallSite]] | None = None
    _active: set[tuple[int, int, int]] = field(default_factory=set)

    def of(
        self, node: s.Expr, function: Function, path: tuple[Relationship, ...], *, repeated: bool
    ) -> list[Source]:
        """Return where the rows come from that ``node`` holds, of which ``path`` is read."""
        found: list[Source] = []
        way = _Way(path, repeated, (), node.start, (function,))
        for source in self._of(node, function, way, 0):
            found.append(source)
            if len(found) >= _MOST:
                break
        return found

    def callers(self, function: Function) -> list[CallSite]:
        """Return the calls of a function, in what requests reach."""
        if self._callers is None:
            self._callers = {}
            for step in self.app.reached:
                for site in self.app.calls.sites(step.function):
                    for target in site.targets:
                        self._callers.setdefault(id(target.node), []).append(site)
        return self._callers.get(id(function.node), [])

    def _of(self, node: s.Expr, function: Function, way: _Way, depth: int) -> Iterator[Source]:
        mark = (id(node), len(way.chain), len(way.path))
        if depth > _DEPTH or mark in self._active:
            return
        self._active.add(mark)
        try:
            yield from self._walk(node, function, way, depth + 1)
        finally:
            self._active.discard(mark)

    def _walk(self, node: s.Expr, function: Function, way: _Way, depth: int) -> Iterator[Source]:
        match node:
            case s.Await() | s.NamedExpr():
                yield from self._of(node.value, function, way, depth)
            case s.IfExp():
                yield from self._of(node.body, function, way, depth)
                yield from self._of(node.orelse, function, way, depth)
            case s.BoolOp():
                for value in node.values:
                    yield from self._of(value, function, way, depth)
            case s.Comp():
                yield from self._of(node.elt, function, way, depth)
            case s.Subscript() if not isinstance(node.slice, s.Slice):
                yield from self._of(node.value, function, way, depth)
            case s.Attribute():
                relationship = self._relationship(node, function)
                if relationship is not None and not _is_way_back(relationship, way.path):
                    longer = msgspec.structs.replace(way, path=(relationship, *way.path))
                    yield from self._of(node.value, function, longer, depth)
            case s.Name():
                yield from self._name(node, function, way, depth)
            case s.Call():
                yield from self._call(node, function, way, depth)
            case _:
                return

    def _relationship(self, node: s.Attribute, function: Function) -> Relationship | None:
        where = Where(function.module, function)
        for option in alternatives(self.app.types.of(node.value, where)):
            table = loading(self.app).table_of(option)
            if table is not None and node.attr in table.relationships:
                return table.relationships[node.attr]
        return None

    def _name(self, node: s.Name, function: Function, way: _Way, depth: int) -> Iterator[Source]:
        bound = self.app.types.locals.lookup(node.id, node.start, function)
        if bound is None:
            return
        if bound.how == "parameter":
            yield from self._argument(node.id, function, way, depth)
        elif bound.value is None:
            return
        elif bound.how == "element":
            yield from self._element(bound, function, way, depth)
        elif bound.how == "assign" and is_empty(bound.value):
            yield from self._grown(node.id, function, way, depth)
        elif bound.how == "assign" and not bound.path:
            yield from self._of(bound.value, function, way, depth)

    def _element(self, bound: Bound, function: Function, way: _Way, depth: int) -> Iterator[Source]:
        """``for line in order.lines``: what is read of a line is read for each of them."""
        value = bound.value
        assert value is not None  # noqa: S101 - asked by the caller
        if isinstance(value, s.Call) and s.last_name(value.func) == "enumerate" and value.args:
            if bound.path != (1,):
                return
            value = value.args[0]
        elif bound.path:
            return
        if not is_bounded(self.app, value, Where(function.module, function)):
            repeated = msgspec.structs.replace(way, repeated=True)
            yield from self._of(value, function, repeated, depth)

    def _grown(self, name: str, function: Function, way: _Way, depth: int) -> Iterator[Source]:
        """A list that starts empty holds the rows that are put into it."""
        for node, _ in self.app.calls.of_kind(function, s.Call):
            if isinstance(node.func, s.Attribute) and node.func.attr in {"append", "extend"}:
                if s.dotted(node.func.value) == name and node.args:
                    yield from self._of(node.args[0], function, way, depth)

    def _argument(self, name: str, function: Function, way: _Way, depth: int) -> Iterator[Source]:
        """A parameter is what the call gave that led here, or else what any call gives."""
        if way.chain and function in way.chain[-1].targets:
            sites, chain = [way.chain[-1]], way.chain[:-1]
        else:
            sites, chain = self.callers(function), ()
        for site in sites:
            given = given_for(site, function, name)
            if given is not None:
                through = (*way.through, site.caller)
                back = msgspec.structs.replace(
                    way, chain=chain, used=site.node.start, through=through
                )
                yield from self._of(given, site.caller, back, depth)

    def _call(self, node: s.Call, function: Function, way: _Way, depth: int) -> Iterator[Source]:
        known = origins(self.app)
        execution = known.execution(function, node)
        if execution is not None:
            if execution.kind == "read":
                yield Source(
                    function, node, execution, way.path, way.repeated, way.chain, way.used,
                    way.through,
                )  # fmt: skip
            return
        if isinstance(node.func, s.Name) and node.func.id in _WRAPPERS and node.args:
            yield from self._of(node.args[0], function, way, depth)
            return
        site = known.site(function, node)
        made = self._made(site)
        if made is not None:
            if self.app.types.is_table(made):
                yield Source(
                    function, node, None, way.path, way.repeated, way.chain, way.used, way.through
                )
            return
        if site is not None and site.targets:
            for target in site.targets[:3]:
                inner = msgspec.structs.replace(
                    way, chain=(*way.chain, site), used=target.node.end,
                    through=(*way.through, target),
                )  # fmt: skip
                for returned in returns(self.app, target):
                    yield from self._of(returned, target, inner, depth)
        elif isinstance(node.func, s.Attribute) and node.func.attr in _OF_RESULT | _OF_DICT:
            yield from self._of(node.func.value, function, way, depth)

    def _made(self, site: CallSite | None) -> Class | None:
        for option in alternatives(site.callee) if site is not None else ():
            if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                return option.cls
        return None


def _is_way_back(relationship: Relationship, path: tuple[Relationship, ...]) -> bool:
    """``for item in order.items: item.order``: the order is at hand, it was loaded before."""
    following = path[0] if path else None
    if following is None or following.many or not isinstance(following.node.value, s.Call):
        return False
    return s.string(following.node.value.keyword("back_populates")) == relationship.name
