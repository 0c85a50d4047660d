"""Find the route or the table that a person names."""

from __future__ import annotations

from fastwright.app.map import MapDocument, MapTable
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.project.errors import SelectionError, nearest


def find_routes(app: App, label: str) -> list[Route]:
    """Return the routes that ``POST /orders`` (or just ``/orders``) names.

    Several where a path has several methods or several applications serve it. The end of a path
    is enough where only one has that end. Raises SelectionError with the nearest label.
    """
    words = label.split()
    path = words[-1] if words else ""
    methods = {word.upper() for word in words[:-1]}
    fitting = [route for route in app.routes if not methods or methods & _methods(route)]
    found = [route for route in fitting if route.path == path]
    if not found and path.startswith("/"):
        found = [route for route in fitting if route.path.endswith(path)]
    if not found or len({route.path for route in found}) > 1:
        known = {f"{method} {route.path}" for route in app.routes for method in _methods(route)}
        ends = sorted({route.path for route in found})
        hint = f" Is it {' or '.join(ends)}?" if ends else nearest(label, known)
        raise SelectionError(
            f"there is no one route {label!r}.{hint}", "`fastwright map` lists all routes."
        )
    return found


def _methods(route: Route) -> set[str]:
    return {"WS", "WEBSOCKET"} if route.kind == "websocket" else set(route.methods)


def find_table(document: MapDocument, name: str) -> MapTable:
    """Return the table of that name, or of the class of that name. Raises SelectionError."""
    for table in document.tables:
        if name in {table.name, table.model, table.model.rpartition(":")[2]}:
            return table
    raise SelectionError(
        f"there is no table {name!r}.{nearest(name, [table.name for table in document.tables])}",
        "`fastwright map` lists all tables.",
    )
