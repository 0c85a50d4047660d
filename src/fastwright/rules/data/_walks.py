"""``while`` loops that go from row to row: over a list that is worked off, or along a chain.

Other ``while`` loops are pages, retries and polling: what bounds them is not the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.read import syntax as s

_TAKING = frozenset({"pop", "popleft", "popitem"})


def walked(loop: s.While) -> tuple[s.Name, set[str], str] | None:
    """Return what a loop goes along, the names it binds on each step, and how to say it."""
    tested = {node.id: node for node in s.walk(loop.test) if isinstance(node, s.Name)}
    for targets, value in _assignments(loop):
        call = _call(value)
        if call is None:
            continue
        func = call.func
        if isinstance(func, s.Attribute) and func.attr in _TAKING:
            if isinstance(func.value, s.Name) and func.value.id in tested:
                return tested[func.value.id], targets, "item of"
        for name in targets & set(tested):
            if any(_is_next(argument, name) for argument in _given(call)):
                return tested[name], targets, "step from"
    return None


def _assignments(loop: s.While) -> Iterator[tuple[set[str], s.Expr]]:
    for node in s.statements(loop.body):
        if isinstance(node, s.Assign):
            names = {
                part.id
                for target in node.targets
                for part in s.walk(target)
                if isinstance(part, s.Name)
            }
            yield names, node.value


def _call(value: s.Expr) -> s.Call | None:
    if isinstance(value, s.IfExp):
        value = value.body
    if isinstance(value, s.Await):
        value = value.value
    return value if isinstance(value, s.Call) else None


def _given(call: s.Call) -> Iterator[s.Expr]:
    yield from call.args
    for keyword in call.keywords:
        yield keyword.value


def _is_next(node: s.Expr, name: str) -> bool:
    """``folder.parent_id``: what leads from a row to the next one."""
    return any(
        isinstance(part, s.Attribute) and isinstance(part.value, s.Name) and part.value.id == name
        for part in s.walk(node)
    )
