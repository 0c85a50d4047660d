"""The map as Mermaid: a flow chart of routes, layers below them, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastwright.app.map import MapDependency, MapDocument, MapTable, Touch
from fastwright.report.map_text import verb

_ESCAPES = str.maketrans({"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;"})


def whole(document: MapDocument) -> str:
    """Return routes, the dependencies that they need, and the tables that they touch."""
    return _chart(_whole(document))


def route(touches: Iterable[Touch]) -> str:
    """Return all that one request touches, as a tree."""
    return _chart(_tree(touches))


def table(table: MapTable) -> str:
    """Return one table with the functions that touch it and the routes that lead there."""
    return _chart(_users(table))


class _Nodes:
    """Gives each thing one identifier, in the order of asking."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, key: str) -> tuple[str, bool]:
        """Return the identifier of a thing, and whether it is new."""
        new = key not in self._names
        return self._names.setdefault(key, f"n{len(self._names)}"), new


def _whole(document: MapDocument) -> Iterator[str]:
    nodes = _Nodes()
    edges: dict[tuple[str, str], None] = {}
    for route in document.routes:
        name, _ = nodes(f"route {verb(route)} {route.path} {route.endpoint}")
        lock = " 🔒" if route.auth is not None else ""
        yield f"{name}[{_quoted(f'{verb(route)} {route.path}{lock}')}]"
        for tree in route.dependencies:
            yield from _dependency(tree, name, nodes, edges)
        for table in route.tables:
            target, new = nodes(f"table {table}")
            if new:
                yield f"{target}[({_quoted(table)})]"
            edges[name, target] = None
    yield from (f"{source} --> {target}" for source, target in edges)


def _dependency(
    tree: MapDependency, user: str, nodes: _Nodes, edges: dict[tuple[str, str], None]
) -> Iterator[str]:
    name, new = nodes(f"dependency {tree.function or tree.name}")
    if new:
        yield f"{name}({_quoted(tree.name)})"
    edges[user, name] = None
    if new:
        for child in tree.dependencies:
            yield from _dependency(child, name, nodes, edges)


def _tree(touches: Iterable[Touch]) -> Iterator[str]:
    above: list[str] = []
    for number, touch in enumerate(touches):
        name = f"n{number}"
        label = _quoted(touch.label, f"{touch.file}:{touch.line}")
        is_code = touch.kind in {"route", "endpoint", "dependency", "call", "outside"}
        yield f"{name}[{label}]" if is_code else f"{name}[({label})]"
        del above[touch.depth :]
        if above:
            yield f"{above[-1]} --> {name}"
        above.append(name)


def _users(table: MapTable) -> Iterator[str]:
    nodes = _Nodes()
    target, _ = nodes(f"table {table.name}")
    yield f"{target}[({_quoted(table.name)})]"
    for use in table.used_by:
        function, new = nodes(f"function {use.function}")
        if new:
            yield f"{function}[{_quoted(use.function)}]"
        yield f"{function} -- {_quoted(use.kind)} --> {target}"
        for route in use.routes:
            name, unseen = nodes(f"route {route}")
            if unseen:
                yield f"{name}[{_quoted(route)}]"
            yield f"{name} --> {function}"


def _chart(rows: Iterable[str]) -> str:
    return "flowchart LR\n" + "".join(f"    {row}\n" for row in dict.fromkeys(rows))


def _quoted(*rows: str) -> str:
    """Return a label in quotes, its characters that Mermaid or HTML would read escaped."""
    return '"' + "<br/>".join(row.translate(_ESCAPES) for row in rows) + '"'
