"""The map for people: routes with who may call them, layers, tables; or one route, or one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from fastwright.app.map import MapDependency, MapDocument, MapRoute, MapTable, Touch
from fastwright.report.report import many
from fastwright.report.styled import Line, line, pad

_METHOD = 7
_PATH = 60
_FILES = 3


def whole(document: MapDocument) -> Iterator[Line]:
    """Yield the whole map."""
    if not document.routes and not document.applications:
        yield line(("No FastAPI application here.", "title"))
        return
    yield line((_headline(document), "title"))
    for application in document.applications:
        middleware = f"  middleware: {', '.join(application.middleware)}"
        yield line(
            f"  {application.name}  ",
            (f"{application.file}:{application.line}", "path"),
            (middleware if application.middleware else "", "dim"),
        )
    yield ()
    yield from _routes(document.routes)
    yield ()
    yield from _layers(document)
    if document.tables:
        yield ()
        yield from _tables(document.tables)


def _headline(document: MapDocument) -> str:
    closed = sum(route.auth is not None for route in document.routes)
    return (
        f"{many(len(document.routes), 'route')} ({closed} with authentication),"
        f" {many(len(document.tables), 'table')},"
        f" {many(len(document.applications), 'application')}."
    )


def _routes(routes: tuple[MapRoute, ...]) -> Iterator[Line]:
    width = min(max((len(route.path) for route in routes), default=0), _PATH)
    for route in routes:
        yield line(
            (pad(verb(route), _METHOD), "info"),
            " ",
            pad(route.path, width),
            "  ",
            (f"{route.file}:{route.line}", "path"),
            f" {_short(route.endpoint)}",
        )
        detail = list(_details(route))
        if detail:
            yield line((" " * (_METHOD + 1) + "; ".join(detail), "dim"))


def _details(route: MapRoute) -> Iterator[str]:
    if route.auth is not None:
        scopes = f" [{', '.join(route.auth.scopes)}]" if route.auth.scopes else ""
        yield f"auth: {route.auth.by}{scopes}"
    if route.dependencies:
        yield "needs " + ", ".join(dependency_tree(tree) for tree in route.dependencies)
    if route.response is not None:
        yield f"answers {route.response.type}"
    if route.tables:
        yield f"tables {', '.join(route.tables)}"


def verb(route: MapRoute) -> str:
    """Return ``GET``, ``GET,HEAD`` or ``WS``."""
    return "WS" if route.kind == "websocket" else ",".join(route.methods)


def dependency_tree(tree: MapDependency) -> str:
    """Return ``get_service(get_session)``."""
    below = ", ".join(dependency_tree(child) for child in tree.dependencies)
    return f"{tree.name}({below})" if below else tree.name


def _short(endpoint: str) -> str:
    return endpoint.rpartition(":")[2]


def _layers(document: MapDocument) -> Iterator[Line]:
    yield line(("Layers", "title"))
    width = max((len(name) for name in document.layers), default=0)
    for name, modules in document.layers.items():
        reasons = Counter(module.reason for module in modules)
        files = [module.file for module in modules[:_FILES]]
        more = ["..."] if len(modules) > _FILES else []
        shown = modules[0].reason if len(reasons) == 1 else ", ".join(files + more)
        yield line(f"  {pad(name, width)}  {len(modules):>4}  ", (shown, "dim"))


def _tables(tables: Iterable[MapTable]) -> Iterator[Line]:
    yield line(("Tables", "title"))
    for table in tables:
        yield line(
            f"  {table.name}  ",
            (f"{table.file}:{table.line}", "path"),
            (f"  {many(len(table.columns), 'column')}, used by {_users(table)}", "dim"),
        )


def _users(table: MapTable) -> str:
    return many(len({route for use in table.used_by for route in use.routes}), "route")


def route(touches: Iterable[Touch]) -> Iterator[Line]:
    """Yield, as a tree, all that one request touches."""
    styles = {"route": "title", "outside": "warning"}
    for touch in touches:
        label = touch.label if touch.depth == 0 else f"{'  ' * touch.depth}-> {touch.label}"
        kind = "" if touch.kind in {"route", "call"} else f"  ({touch.kind})"
        yield line(
            (label, styles.get(touch.kind, "")),
            (kind, "dim"),
            (f"  {touch.file}:{touch.line}", "path"),
        )


def table(table: MapTable) -> Iterator[Line]:
    """Yield one table: its columns, relationships, and everything that touches it."""
    yield line((table.name, "title"), f"  {table.model}  ", (f"{table.file}:{table.line}", "path"))
    width = max((len(column.name) for column in table.columns), default=0)
    for column in table.columns:
        marks = [
            *(["primary key"] if column.primary_key else []),
            *([f"-> {column.foreign_key}"] if column.foreign_key else []),
            *(["unique"] if column.unique else []),
            *(["index"] if column.index else []),
        ]
        yield line(
            f"  {pad(column.name, width)}  {column.type or 'unknown'}",
            (f"  {', '.join(marks)}" if marks else "", "dim"),
        )
    for relation in table.relationships:
        arrow = "=>" if relation.many else "->"
        yield line(
            f"  {relation.name} {arrow} {relation.target or 'unknown'}",
            (f"  {relation.lazy}", "dim"),
        )
    yield ()
    yield line((f"Touched in {many(len(table.used_by), 'place')}", "title"))
    for use in table.used_by:
        yield line(f"  {use.kind}  {_short(use.function)}  ", (f"{use.file}:{use.line}", "path"))
        yield from (line((f"      {route}", "dim")) for route in use.routes)
