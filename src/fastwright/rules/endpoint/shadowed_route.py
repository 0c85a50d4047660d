"""A route with a fixed path stands before the one whose parameter takes it.

Routes are tried in the order in which they were added. After `/users/{id}`, a route `/users/me` is
never reached: `me` is taken for an id, and the client gets a 422 or somebody else's 404. The two often
stand in different routers, and the order is that of `include_router`.

Methods count, and converters: `/users/{id:int}` does not take `me`. Routes whose path or presence is
not known are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.edit.builders import move_behind
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.endpoint._paths import PARAMETER, example, is_certain, pattern, same
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case


def check(app: App) -> Iterator[Hit]:
    """Report each route that an earlier one of the same application takes all requests of."""
    reported: set[int] = set()
    for application in app.applications:
        records = {id(record) for record in application.routes}
        routes = [r for r in app.routes if id(r.record) in records and is_certain(r)]
        open_routes = [r for r in routes if PARAMETER.search(r.path) and r.kind == "http"]
        patterns = {id(r): pattern(r.path) for r in open_routes}
        position = {id(r): index for index, r in enumerate(routes)}
        for route in routes:
            sent = example(route.path) if route.kind == "http" else None
            if sent is None or id(route.node) in reported:
                continue
            earlier = _taken_by(route, sent, open_routes, patterns, position)
            if earlier is not None:
                reported.add(id(route.node))
                yield _hit(route, earlier)


def _taken_by(
    route: Route,
    sent: str,
    open_routes: list[Route],
    patterns: dict[int, re.Pattern[str]],
    position: dict[int, int],
) -> Route | None:
    """Return the first route before this one that matches the path that a client sends."""
    for earlier in open_routes:
        if position[id(earlier)] >= position[id(route)]:
            return None
        if not set(route.methods) <= set(earlier.methods) or same(earlier.path) == same(route.path):
            continue
        if (
            earlier.endpoint is not None
            and route.endpoint is not None
            and (earlier.endpoint.node is route.endpoint.node)
        ):
            continue
        if patterns[id(earlier)].match(sent):
            return earlier
    return None


def _hit(route: Route, earlier: Route) -> Hit:
    message = (
        f"{route.label} is never reached: {earlier.path} stands before it and takes its requests"
    )
    chain = (
        evidence(earlier.module, earlier.node, f"{earlier.label}, added first"),
        *of_route(route),
    )
    return Hit(place(route.module, route.node), message, chain, _fix(route, earlier))


def _fix(route: Route, earlier: Route) -> Fix | None:
    """Return the fix that declares the two in the other order, where one router has both."""
    module = route.module
    if earlier.module is not module or route.endpoint is None or earlier.endpoint is None:
        return None
    first, second = earlier.endpoint.node, route.endpoint.node
    if not {id(first), id(second)} <= {id(each) for each in module.facts.body}:
        return None
    if first.start >= second.start or not _is_one_router(earlier.node, route.node):
        return None
    return Fix("suggest", tuple(move_behind(module, first, second)))


def _is_one_router(one: s.Node, other: s.Node) -> bool:
    """``@users.get(...)`` and ``@users.get(...)``."""
    names = {
        s.dotted(node.func.value)
        for node in (one, other)
        if isinstance(node, s.Call) and isinstance(node.func, s.Attribute)
    }
    return len(names) == 1 and None not in names


RULE = Rule(
    summary="a route that an earlier one hides",
    severity="error",
    mend="Declare (or include) the fixed path before the one with the parameter, or give the parameter"
    " a converter: `{id:int}`.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/path-params/#order-matters",),
)

CASES = (
    case(
        "in one router, and across routers in the order of their inclusion",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        users = APIRouter(prefix="/users")
        me = APIRouter()

        @users.get("/{id}")
        def read(id: int) -> None: ...

        @users.get("/search")  # <-
        def search() -> None: ...

        @users.post("/search")
        def post_search() -> None: ...

        @me.get("/users/me")  # <-
        def read_me() -> None: ...

        app.include_router(users)
        app.include_router(me)
        """,
        after="""
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        users = APIRouter(prefix="/users")
        me = APIRouter()

        @users.get("/search")
        def search() -> None: ...


        @users.get("/{id}")
        def read(id: int) -> None: ...

        @users.post("/search")
        def post_search() -> None: ...

        @me.get("/users/me")
        def read_me() -> None: ...

        app.include_router(users)
        app.include_router(me)
        """,
    ),
    case(
        "the right order, converters, other lengths",
        """
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/users/me")
        def read_me() -> None: ...

        @app.get("/users/{id}")
        def read(id: str) -> None: ...

        @app.get("/users/{id}/posts")
        def posts(id: str) -> None: ...

        @app.get("/items/{id:int}")
        def item(id: int) -> None: ...

        @app.get("/items/new")
        def new() -> None: ...

        @app.get("/files/list")
        def files() -> None: ...

        @app.get("/files/{path:path}")
        def file(path: str) -> None: ...
        """,
    ),
)
