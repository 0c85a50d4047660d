"""Edits on the decorator that declares a route."""

from __future__ import annotations

from fastwright.app.routes import Route
from fastwright.edit.builders import add_argument
from fastwright.edit.fix import Edit
from fastwright.read import syntax as s

_DECLARE = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "trace", "api_route",
     "add_api_route"}
)  # fmt: skip


def declaration(route: Route) -> s.Call | None:
    """Return the call that declares a route, where it is written out: ``@router.get("/", ...)``."""
    node = route.node
    if not isinstance(node, s.Call) or not isinstance(node.func, s.Attribute):
        return None
    if node.func.attr not in _DECLARE or any(keyword.arg is None for keyword in node.keywords):
        return None
    return node


def add_keyword(route: Route, name: str, value: str) -> Edit | None:
    """Return the edit that gives a route one more keyword; None where it has that one already."""
    call = declaration(route)
    if call is None or call.keyword(name) is not None:
        return None
    return add_argument(route.module, call, f"{name}={value}")
