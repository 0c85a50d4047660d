"""One method and path, one route.

The router takes the first route that matches. A second one with the same method and full path never
runs: the endpoint looks alive in the code and in nobody's responses. It happens across files, where
two routers come to the same path through their prefixes.

Paths are compared with the names of their parameters left out: `/items/{id}` and `/items/{key}` are
the same. Routes under conditions that are not known are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.rules.endpoint._paths import is_certain, same
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case


def check(app: App) -> Iterator[Hit]:
    """Report each route whose method and path an earlier one of the application has already."""
    reported: set[int] = set()
    for application in app.applications:
        records = {id(record) for record in application.routes}
        first: dict[tuple[str, str], Route] = {}
        for route in app.routes:
            if id(route.record) not in records or not is_certain(route) or route.kind != "http":
                continue
            for method in route.methods:
                earlier = first.setdefault((method, same(route.path)), route)
                if earlier is route or _is_alias(earlier, route) or id(route.node) in reported:
                    continue
                reported.add(id(route.node))
                yield _hit(method, route, earlier)


def _is_alias(earlier: Route, route: Route) -> bool:
    """The same declaration, included twice: the second does nothing, and harms nobody."""
    if earlier.node is route.node:
        return True
    return (
        earlier.endpoint is not None
        and route.endpoint is not None
        and (earlier.endpoint.node is route.endpoint.node)
    )


def _hit(method: str, route: Route, earlier: Route) -> Hit:
    message = (
        f"{method} {route.path} is taken by {earlier.record.endpoint_label or 'an earlier route'}:"
        " this endpoint never runs"
    )
    chain = (evidence(earlier.module, earlier.node, f"{earlier.label}, first"), *of_route(route))
    return Hit(place(route.module, route.node), message, chain)


RULE = Rule(
    summary="two routes with one method and path",
    severity="error",
    mend="Remove one, or give it a path of its own.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/path-params/#order-matters",),
)

CASES = (
    case(
        "through prefixes, and with other names of parameters",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        items = APIRouter(prefix="/items")
        other = APIRouter()

        @items.get("/{id}")
        def read(id: int) -> None: ...

        @other.get("/items/{key}")  # <-
        def read_again(key: int) -> None: ...

        app.include_router(items)
        app.include_router(other)
        """,
    ),
    case(
        "other methods, other paths, one endpoint twice",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        router = APIRouter()

        @router.get("/a")
        def read() -> None: ...

        @router.post("/a")
        def create() -> None: ...

        @router.get("/a/")
        def slash() -> None: ...

        app.include_router(router)
        app.include_router(router)
        app.include_router(router, prefix="/v1")
        """,
    ),
)
