"""What an endpoint answers: the parts of it that may be lists of rows."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.origins import origins, returns
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject
from fastwright.read import syntax as s

CONSTRUCTING = frozenset({"model_validate", "from_orm", "parse_obj", "model_construct"})
"""Methods that make a schema, or a row, from what they are given."""
_DEEPEST = 3


class Answered(msgspec.Struct, frozen=True, eq=False):
    """A part of an answer that may be a list of rows, where it is written, and the calls that lead there."""

    value: s.Expr
    function: Function
    chain: tuple[CallSite, ...] = ()


def answered(app: App, function: Function, chain: tuple[CallSite, ...] = ()) -> Iterator[Answered]:
    """Yield the parts of what a function answers, also where another one puts the answer together for it."""
    for returned in returns(app, function):
        for value in lists(app, returned, function):
            inner = _put_together(app, value, function) if len(chain) < _DEEPEST else None
            if inner is None:
                yield Answered(value, function, chain)
            else:
                yield from answered(app, inner.targets[0], (*chain, inner))


def _put_together(app: App, node: s.Expr, function: Function) -> CallSite | None:
    """Return a call whose function gives dictionaries or schemas that it makes itself."""
    call = node.value if isinstance(node, s.Await) else node
    site = origins(app).site(function, call) if isinstance(call, s.Call) else None
    if site is None or len(site.targets) != 1 or site.targets[0] is function:
        return None
    given = returns(app, site.targets[0])
    makes = all(
        isinstance(each, s.Dict)
        or (isinstance(each, s.Call) and _makes_schema(app, each, site.targets[0]))
        for each in given
    )
    return site if given and makes else None


def lists(app: App, node: s.Expr, function: Function, depth: int = 0) -> Iterator[s.Expr]:
    """Yield the parts of an answer that may be lists of rows: what dictionaries and schemas hold, or all of it."""
    if depth > _DEEPEST:
        return
    if isinstance(node, s.Await):
        node = node.value
    if isinstance(node, s.Dict):
        for value in node.values:
            yield from lists(app, value, function, depth + 1)
    elif isinstance(node, s.Call) and _makes_schema(app, node, function):
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from lists(app, argument, function, depth + 1)
    elif isinstance(node, s.Subscript):
        return
    else:
        yield node


def _makes_schema(app: App, node: s.Call, function: Function) -> bool:
    """Whether a call makes the answer from its arguments: a schema, or its ``model_validate``."""
    found = app.types.of(node.func, Where(function.module, function))
    if isinstance(found, ClassObject) and isinstance(found.cls, Class):
        return app.models.is_schema(found.cls)
    return s.last_name(node.func) in CONSTRUCTING
