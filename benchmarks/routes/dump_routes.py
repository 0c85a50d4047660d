"""Print the route table that an application has at run time, as JSON.

Runs inside the application's own environment, so it imports only the standard library and, through
the application, whatever FastAPI and Starlette are installed there (0.103 and newer are handled).

    python dump_routes.py --output table.json [--prepare CODE] MODULE:EXPRESSION ...

An expression is evaluated in the namespace of its module: `app`, `create_app()`, `Server().app`,
and sees what the code given as --prepare defined. A route that several expressions share is listed
under the first.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AUTOMATIC_DOCS = "FastAPI.setup."
"""Where the endpoints of openapi.json, docs and redoc are defined (module fastapi.applications)."""

MAX_WRAPPERS = 10
"""How many middlewares around a mounted application are looked through."""


class Route(TypedDict):
    """One entry of the table."""

    app: str
    kind: str
    methods: list[str]
    path: str
    endpoint: str


def load(target: str, prepared: dict[str, object]) -> object:
    """Import the module of a target and evaluate its expression there."""
    module_name, _, expression = target.partition(":")
    namespace = {**vars(importlib.import_module(module_name)), **prepared}
    return eval(expression, namespace)  # noqa: S307 - the expressions are those of our manifest


def endpoint_name(endpoint: object) -> str:
    """Name an endpoint as its source does, whatever it was wrapped in."""
    endpoint = unwrapped(endpoint)
    if not hasattr(endpoint, "__qualname__"):
        endpoint = type(endpoint)
    return f"{endpoint.__module__}:{endpoint.__qualname__}"


def unwrapped(endpoint: Any) -> Any:  # noqa: ANN401 - anything that can be called
    """Look through `functools.wraps`, `functools.partial` and bound methods."""
    while True:
        inner = endpoint
        if isinstance(inner, functools.partial):
            inner = inner.func
        inner = inspect.unwrap(getattr(inner, "__func__", inner))
        if inner is endpoint:
            return endpoint
        endpoint = inner


def is_automatic_docs(endpoint: object) -> bool:
    """Whether FastAPI made the endpoint itself: the OpenAPI document and its pages."""
    name = endpoint_name(endpoint)
    return name.startswith("fastapi.applications:" + AUTOMATIC_DOCS)


def effective(routes: Iterable[Any]) -> Iterator[Any]:
    """Yield routes with the prefixes that inclusion gave them.

    From FastAPI 0.137 on, `include_router` no longer copies routes: the list holds the included
    router itself, and the effective routes come out of it on demand.
    """
    try:
        from fastapi.routing import iter_route_contexts  # noqa: PLC0415 - not in every version
    except ImportError:
        pass
    else:
        yield from iter_route_contexts(list(routes))
        return
    for route in routes:
        if hasattr(route, "effective_route_contexts"):
            for context in route.effective_route_contexts():
                yield getattr(context, "starlette_route", None) or context
        else:
            yield route


def routes_of(app: Any) -> list[Any]:  # noqa: ANN401 - any ASGI application
    """Return the routes of an application, looking through middleware around it.

    A Cadwyn application keeps its versioned routes apart and picks one by a header: those of the
    newest version are the ones that its source declares.
    """
    for _ in range(MAX_WRAPPERS):
        routes = getattr(app, "routes", None)
        if routes is not None:
            versioned = getattr(app, "_latest_version_router", None)
            return [*routes, *(versioned.routes if versioned is not None else ())]
        app = getattr(app, "app", None)
    return []


def walk(routes: Iterable[Any], app: str, prefix: str = "") -> Iterator[Route]:
    """Yield every HTTP and WebSocket route below, with full paths."""
    for route in effective(routes):
        path = getattr(route, "path", None)
        endpoint = getattr(route, "endpoint", None)
        if endpoint is not None and path is not None:
            if not is_automatic_docs(endpoint):
                yield describe(route, app, prefix + path)
        elif getattr(route, "app", None) is not None:  # a Mount, or a Host (which has no path)
            yield from walk(routes_of(route.app), app, prefix + (path or "").rstrip("/"))


def describe(route: Any, app: str, path: str) -> Route:  # noqa: ANN401 - several unrelated classes
    """Make the entry of one route. A route without methods is a WebSocket, or takes any method."""
    original = getattr(route, "original_route", route)
    websocket = "WebSocket" in type(original).__name__
    methods = getattr(route, "methods", None) or ()
    return Route(
        app=app,
        kind="websocket" if websocket else "http",
        methods=sorted(methods),
        path=path or "/",
        endpoint=endpoint_name(route.endpoint),
    )


def dump(targets: Iterable[str], prepared: dict[str, object]) -> list[Route]:
    """Return the routes of all targets, each route once."""
    table: dict[tuple[str, str, str], Route] = {}
    for target in targets:
        for route in walk(routes_of(load(target, prepared)), target):
            key = (",".join(route["methods"]), route["path"], route["endpoint"])
            table.setdefault(key, route)
    return list(table.values())


def versions() -> dict[str, str]:
    """Name what the table was made with."""
    found = {"python": platform.python_version()}
    for name in ("fastapi", "starlette"):
        found[name] = metadata.version(name)
    return found


def main() -> None:
    """Dump the routes of the targets on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--prepare", default="", metavar="CODE")
    parser.add_argument("targets", nargs="+", metavar="MODULE:EXPRESSION")
    arguments = parser.parse_args()
    sys.argv[1:] = []  # some applications read the command line when they are imported
    prepared: dict[str, object] = {}
    exec(arguments.prepare, prepared)  # noqa: S102 - the code is that of our manifest
    document = {"versions": versions(), "routes": dump(arguments.targets, prepared)}
    arguments.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
