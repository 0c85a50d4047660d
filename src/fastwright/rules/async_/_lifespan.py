"""Handlers for start-up and shutdown, called by a lifespan."""

from __future__ import annotations

from fastwright.app.setup.result import EventHandler
from fastwright.app.symbols import Function
from fastwright.edit import source as at
from fastwright.edit.builders import block_of, delete_statements
from fastwright.edit.fix import Edit
from fastwright.read import syntax as s
from fastwright.read.module import Module


def call_of(function: Function) -> str | None:
    """Return the statement that runs a handler as the framework does; None where it needs more."""
    if any(each.default is None for each in function.node.params) or function.node.is_generator:
        return None
    if function.owner is not None:
        return None
    return f"await {function.name}()" if function.node.is_async else f"{function.name}()"


def unregistered(module: Module, handler: EventHandler, body: list[s.Stmt]) -> list[Edit] | None:
    """Return the edits that take away a handler's decorator, or the call that registers it."""
    function, node = handler.function, handler.place.node
    if handler.place.module is not module or function is None:
        return None
    if any(decorator is node for decorator in function.node.decorators):
        return without_decorator(module, function.node, node)
    found = block_of(body, node)
    if found is None or not isinstance(found[1], s.ExprStmt) or found[1].value is not node:
        return None
    if s.last_name(node) != "add_event_handler":
        return None
    return delete_statements(module, found[0], [found[1]])


def without_decorator(module: Module, function: s.FunctionDef, node: s.Node) -> list[Edit] | None:
    """Return the edit that takes a decorator away, if it is the only one and has its own line."""
    source = module.source
    start = at.line_start(source, node.start)
    alone = (
        at.is_alone(source, node.start - 1, node.end)
        and b"#" not in source[node.end : (at.next_line(source, node.end - 1))]
    )
    if len(function.decorators) != 1 or not alone:
        return None
    return [Edit(module.path, start, at.next_line(source, node.end - 1), "")]
