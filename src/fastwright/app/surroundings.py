"""What a node stands in, inside its function: loops, tries, withs, branches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from fastwright.read import syntax as s


class Surroundings(NamedTuple):
    """What a node stands in, inside its function; outermost first.

    ``loops`` are the statements and comprehensions that repeat it, ``tries`` those whose body
    (not handlers) holds it, ``withs`` the with-statements around it. ``handled`` says that it
    stands in an ``except`` block, ``deferred`` that it is in a lambda: run later, or never.
    """

    loops: tuple[s.For | s.While | s.Comp, ...] = ()
    tries: tuple[s.Try, ...] = ()
    withs: tuple[s.With, ...] = ()
    branches: tuple[s.Branch, ...] = ()
    handled: bool = False
    deferred: bool = False
    awaited: bool = False


Placed: TypeAlias = "list[tuple[s.Node, Surroundings]]"

_PLAIN = Surroundings()
_LEAVES = frozenset({s.Name, s.Constant, s.Opaque, s.OpaqueStmt, s.Flow})


def surroundings(body: Iterable[s.Node]) -> Placed:
    """Return every node of a function body with what it stands in; nested functions are not entered."""
    found: Placed = []
    for node in body:
        _visit(node, _PLAIN, found)
    return found


def _visit(node: s.Node, around: Surroundings, out: Placed) -> None:
    out.append((node, around))
    kind = type(node)
    if kind in _LEAVES:
        return
    visitor = _VISITORS.get(kind)
    if visitor is not None:
        visitor(node, around, out)
        return
    if around.awaited:
        around = around._replace(awaited=False)
    for child in s.children(node):
        _visit(child, around, out)


def _all(nodes: Iterable[s.Node], around: Surroundings, out: Placed) -> None:
    for node in nodes:
        _visit(node, around, out)


def _definition(node: s.FunctionDef | s.ClassDef, around: Surroundings, out: Placed) -> None:
    _all(node.decorators, around, out)


def _for(node: s.For, around: Surroundings, out: Placed) -> None:
    _visit(node.iter, around, out)
    inside = around._replace(loops=(*around.loops, node))
    _visit(node.target, inside, out)
    _all(node.body, inside, out)
    _all(node.orelse, around, out)


def _while(node: s.While, around: Surroundings, out: Placed) -> None:
    inside = around._replace(loops=(*around.loops, node))
    _visit(node.test, inside, out)
    _all(node.body, inside, out)
    _all(node.orelse, around, out)


def _comp(node: s.Comp, around: Surroundings, out: Placed) -> None:
    around = around._replace(awaited=False)
    inside = around._replace(loops=(*around.loops, node))
    for position, generator in enumerate(node.generators):
        _visit(generator.iter, inside if position else around, out)
        _visit(generator.target, inside, out)
        _all(generator.ifs, inside, out)
    if node.key is not None:
        _visit(node.key, inside, out)
    _visit(node.elt, inside, out)


def _try(node: s.Try, around: Surroundings, out: Placed) -> None:
    _all(node.body, around._replace(tries=(*around.tries, node)), out)
    handled = around._replace(handled=True)
    for handler in node.handlers:
        if handler.type is not None:
            _visit(handler.type, around, out)
        _all(handler.body, handled, out)
    _all(node.orelse, around, out)
    _all(node.finalbody, around, out)


def _with(node: s.With, around: Surroundings, out: Placed) -> None:
    for item in node.items:
        _visit(item.context_expr, around, out)
        if item.optional_vars is not None:
            _visit(item.optional_vars, around, out)
    _all(node.body, around._replace(withs=(*around.withs, node)), out)


def _if(node: s.If, around: Surroundings, out: Placed) -> None:
    for branch in node.branches:
        _visit(branch.test, around, out)
        _all(branch.body, around._replace(branches=(*around.branches, branch)), out)
    _all(node.orelse, around, out)


def _await(node: s.Await, around: Surroundings, out: Placed) -> None:
    _visit(node.value, around._replace(awaited=True), out)


def _lambda(node: s.Lambda, around: Surroundings, out: Placed) -> None:
    _visit(node.body, around._replace(deferred=True, awaited=False), out)


_VISITORS: dict[type, Callable[..., None]] = {
    s.FunctionDef: _definition,
    s.ClassDef: _definition,
    s.For: _for,
    s.While: _while,
    s.Comp: _comp,
    s.Try: _try,
    s.With: _with,
    s.If: _if,
    s.Await: _await,
    s.Lambda: _lambda,
}
