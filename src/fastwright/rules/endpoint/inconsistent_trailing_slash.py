"""Paths of an application end with a slash, or none does.

`/users` and `/users/` are two paths. FastAPI answers the wrong one with a 307 to the other: one request more
for each, lost `Authorization` headers where a client does not send them again, and `http://` in the redirect
behind a proxy that ends TLS. Where some routes have the slash and some do not, clients must know which.

Two groups are looked at apart: the collection of a router (declared as `/` or as an empty path) and all other
routes, since "`/users/` and `/users/{id}`" is a convention as well. Reported are the exceptions of a group: those
that end otherwise than at least four times as many. A group that is more mixed, the root path, a route that
is served both ways, and one with `include_in_schema` are left alone.

Off: published paths do not change for style.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.rules.endpoint._paths import is_certain
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_TIMES = 4
_FEWEST = 4


def check(app: App) -> Iterator[Hit]:
    """Report routes that end otherwise than nearly all of their application."""
    reported: set[int] = set()
    by_record = {id(route.record): route for route in app.routes}
    for application in app.applications:
        if not application.fastapi:
            continue
        records = (by_record.get(id(record)) for record in application.routes)
        counted = [route for route in records if route is not None and _counts(route)]
        known = {(route.path, method) for route in counted for method in route.methods}
        routes = [
            route
            for route in counted
            if "include_in_schema" not in route.record.keywords
            and not _is_served_both_ways(route, known)
        ]
        collections = [route for route in routes if route.record.own_path in {"", "/"}]
        others = [route for route in routes if route.record.own_path not in {"", "/"}]
        for alike in (collections, others):
            for route, many in _exceptions(alike):
                if id(route.node) not in reported:
                    reported.add(id(route.node))
                    yield _hit(route, many)


def _exceptions(routes: list[Route]) -> Iterator[tuple[Route, list[Route]]]:
    """Yield the routes that end otherwise than nearly all, with those."""
    slashed = [route for route in routes if route.path.endswith("/")]
    plain = [route for route in routes if not route.path.endswith("/")]
    few, many = sorted((slashed, plain), key=len)
    if len(many) >= max(_FEWEST, _TIMES * len(few)):
        yield from ((route, many) for route in few)


def _counts(route: Route) -> bool:
    if route.kind != "http" or route.record.starlette or not is_certain(route):
        return False
    return route.path != "/" and not route.path.endswith(":path}")


def _is_served_both_ways(route: Route, known: set[tuple[str, str]]) -> bool:
    bare = route.path.rstrip("/")
    return any((bare, m) in known and (f"{bare}/", m) in known for m in route.methods)


def _hit(route: Route, others: list[Route]) -> Hit:
    ends = "ends" if route.path.endswith("/") else "does not end"
    do = "do not" if route.path.endswith("/") else "do"
    message = f"{route.label} {ends} with a slash; {len(others)} like it {do}"
    chain = (*of_route(route), evidence(others[0].module, others[0].node, others[0].label))
    return Hit(place(route.module, route.node), message, chain)


RULE = Rule(
    summary="a path that ends otherwise than the others",
    severity="info",
    mend='Declare the collection of a router as `""` under its prefix (or everywhere as `"/"`).',
    app=check,
    default=False,
    references=(
        "https://fastapi.tiangolo.com/tutorial/bigger-applications/",
        "https://www.rfc-editor.org/rfc/rfc3986#section-6.2.3",
    ),
)

_HEAD = """
from fastapi import APIRouter, FastAPI

app = FastAPI()
users = APIRouter(prefix="/users")
items = APIRouter(prefix="/items")
shops = APIRouter(prefix="/shops")
bills = APIRouter(prefix="/bills")
carts = APIRouter(prefix="/carts")

@app.get("/")
def home() -> None: ...

@users.get("/")
def list_users() -> None: ...

@items.get("/")
def list_items() -> None: ...

@shops.get("/")
def list_shops() -> None: ...

@bills.get("/")
def list_bills() -> None: ...

@users.get("/{id}")
def user(id: int) -> None: ...

@items.get("/{id}")
def item(id: int) -> None: ...

@shops.get("/{id}")
def shop(id: int) -> None: ...

@bills.get("/{id}")
def bill(id: int) -> None: ...
{more}
for router in (users, items, shops, bills, carts):
    app.include_router(router)
"""

CASES = (
    case(
        "one collection, and one other",
        _HEAD.replace(
            "{more}",
            """
@carts.get("")  # <-
def list_carts() -> None: ...

@carts.get("/{id}/")  # <-
def cart(id: int) -> None: ...
""",
        ),
    ),
    case(
        "all alike; collections and others are two things; the root is no exception",
        _HEAD.replace(
            "{more}",
            """
@carts.get("/")
def list_carts() -> None: ...

@carts.get("/{id}")
@carts.get("/{id}/", include_in_schema=False)
def cart(id: int) -> None: ...
""",
        ),
    ),
    case(
        "half and half says nothing",
        """
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/a")
        def a() -> None: ...

        @app.get("/b/")
        def b() -> None: ...
        """,
    ),
)
