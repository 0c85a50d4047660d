"""Local variables: what a function binds, where, and to what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar, Union

import msgspec

from fastwright.app.surroundings import Placed, Surroundings, surroundings
from fastwright.app.symbols import Function, targets
from fastwright.read import syntax as s
from fastwright.read.module import Module

_Node = TypeVar("_Node", bound=s.Node)


class Bound(msgspec.Struct, frozen=True):
    """A name bound to the value of an expression (``how``: assign, element, enter, annotation ...).

    ``path`` gives the positions taken when a tuple was unpacked.
    """

    how: str
    offset: int
    value: s.Expr | None
    annotation: s.Expr | None = None
    path: tuple[int, ...] = ()
    inside: tuple[int, int] | None = None
    """For names of comprehensions and lambdas: the byte range in which they hold."""
    parameter: s.Parameter | None = None


Locals: TypeAlias = dict[str, list[Bound]]
_Arms: TypeAlias = list[tuple[int, int]]


class Where(msgspec.Struct, frozen=True):
    """A place from which names are looked up: a module, or a function in it."""

    module: Module
    function: Function | None = None


Body: TypeAlias = Union[Function, Module]


def local_names(body: Body, nodes: Placed) -> Locals:
    """Return what the body of a function (or the top level of a module) binds."""
    names: Locals = {}
    if isinstance(body, Function):
        for parameter in body.node.params:
            names.setdefault(parameter.name, []).append(
                Bound(
                    "parameter",
                    body.node.start,
                    parameter.default,
                    parameter.annotation,
                    parameter=parameter,
                )
            )
    for node, _ in nodes:
        if type(node) in _BINDING:
            _bind(names, node)
    return names


_BINDING = frozenset(
    {s.Assign, s.AnnAssign, s.NamedExpr, s.For, s.With, s.Try, s.Match, s.Comp, s.Lambda}
)


def _bind(names: Locals, node: s.Node) -> None:
    if isinstance(node, s.Assign):
        for target in node.targets:
            _unpack(names, target, "assign", node.end, node.value)
    elif isinstance(node, s.AnnAssign):
        if isinstance(node.target, s.Name):
            bound = Bound("assign", node.end, node.value, node.annotation)
            names.setdefault(node.target.id, []).append(bound)
    elif isinstance(node, s.NamedExpr):
        _unpack(names, node.target, "assign", node.start, node.value)
    elif isinstance(node, s.For):
        _unpack(names, node.target, "element", node.iter.end, node.iter)
    elif isinstance(node, s.With):
        for item in node.items:
            if item.optional_vars is not None:
                how = "enter-async" if node.is_async else "enter"
                _unpack(names, item.optional_vars, how, item.end, item.context_expr)
    elif isinstance(node, s.Try):
        for handler in node.handlers:
            if handler.name is not None:
                bound = Bound("caught", handler.start, handler.type)
                names.setdefault(handler.name, []).append(bound)
    elif isinstance(node, s.Match):
        for match_case in node.cases:
            for name in match_case.names:
                names.setdefault(name, []).append(Bound("opaque", match_case.start, None))
    elif isinstance(node, s.Comp):
        for generator in node.generators:
            _unpack(
                names, generator.target, "element", node.start, generator.iter,
                (node.start, node.end),
            )  # fmt: skip
    elif isinstance(node, s.Lambda):
        for parameter in node.params:
            inside = (node.start, node.end)
            bound = Bound("opaque", node.start, None, inside=inside)
            names.setdefault(parameter.name, []).append(bound)


def _unpack(
    names: Locals,
    target: s.Expr,
    how: str,
    offset: int,
    value: s.Expr,
    inside: tuple[int, int] | None = None,
    path: tuple[int, ...] = (),
) -> None:
    if isinstance(target, s.Name):
        names.setdefault(target.id, []).append(Bound(how, offset, value, None, path, inside))
    elif isinstance(target, (s.Tuple, s.List)):
        for position, part in enumerate(target.elts):
            _unpack(names, part, how, offset, value, inside, (*path, position))
    elif isinstance(target, s.Starred):
        for part in targets(target.value):
            if isinstance(part, s.Name):
                names.setdefault(part.id, []).append(Bound("opaque", offset, None, inside=inside))


@dataclass(eq=False)
class LocalNames:
    """Remembers the nodes and the local names of each body."""

    _known: dict[int, Locals] = field(default_factory=dict)
    _nodes: dict[int, Placed] = field(default_factory=dict)
    _by_kind: dict[int, dict[type, Placed]] = field(default_factory=dict)
    _arms: dict[int, list[_Arms]] = field(default_factory=dict)

    def nodes(self, body: Body) -> Placed:
        """Return every node of a body with its surroundings, in source order."""
        key = id(body.node) if isinstance(body, Function) else id(body)
        found = self._nodes.get(key)
        if found is None:
            statements = body.node.body if isinstance(body, Function) else body.facts.body
            found = self._nodes[key] = surroundings(statements)
        return found

    def of_kind(self, body: Body, kind: type[_Node]) -> list[tuple[_Node, Surroundings]]:
        """Return the nodes of one class with their surroundings, in source order."""
        key = id(body.node) if isinstance(body, Function) else id(body)
        found = self._by_kind.get(key)
        if found is None:
            found = self._by_kind[key] = {}
            for placed in self.nodes(body):
                found.setdefault(type(placed[0]), []).append(placed)
        return found.get(kind, [])  # type: ignore[return-value]

    def of(self, body: Body) -> Locals:
        """Return what ``body`` binds."""
        key = id(body.node) if isinstance(body, Function) else id(body)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = local_names(body, self.nodes(body))
        return found

    def lookup(self, name: str, offset: int, body: Body) -> Bound | None:
        """Return the binding of ``name`` that holds at ``offset``: the last one before it."""
        bounds = self.of(body).get(name)
        if not bounds:
            return None
        best: Bound | None = None
        for bound in bounds:
            if bound.inside is not None and not bound.inside[0] <= offset < bound.inside[1]:
                continue
            if best is None or best.offset <= bound.offset <= offset:
                best = bound
        return best

    def rivals(self, name: str, bound: Bound, offset: int, body: Body) -> list[Bound]:
        """Return what the other arms of an ``if`` bind a name to, for a use after it."""
        bounds = self.of(body)[name]
        if len(bounds) < 2 or bound.how != "assign" or bound.inside is not None:
            return []
        found: list[Bound] = []
        for arms in self._ifs(body):
            mine = next((arm for arm in arms if _holds(arm, bound.offset)), None)
            if mine is None or offset < arms[-1][1]:
                continue
            for arm in arms:
                inside = [b for b in bounds if _holds(arm, b.offset) and b.how == "assign"]
                if arm is not mine and inside:
                    found.append(inside[-1])
        return found

    def _ifs(self, body: Body) -> list[_Arms]:
        """Return the arms of each ``if`` of a body that has several: where they begin and end."""
        key = id(body.node) if isinstance(body, Function) else id(body)
        found = self._arms.get(key)
        if found is None:
            found = self._arms[key] = []
            for node, _ in self.of_kind(body, s.If):
                blocks = [*(branch.body for branch in node.branches), node.orelse]
                arms = [(block[0].start, block[-1].end) for block in blocks if block]
                if len(arms) > 1:
                    found.append(arms)
        return found


def _holds(arm: tuple[int, int], offset: int) -> bool:
    return arm[0] <= offset <= arm[1]
