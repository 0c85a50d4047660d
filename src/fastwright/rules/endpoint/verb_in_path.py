"""A path names a thing; the method says what is done with it.

`POST /users` creates a user, `DELETE /users/{id}` removes one: the verb is there already. `/getUsers` or
`/users/create` say it twice, differ from route to route, and allow a `GET /users/delete`.

Reported is a segment that is a verb of the standard methods (get, list, create, add, update, delete ...):
the first, the last, or one with a noun behind it. Verbs that no method stands for (`/login`, `/orders/{id}/cancel`, `/search`) are left
alone, as are a route whose method says something else than the verb (`POST /items/delete` may take many ids, which
DELETE cannot), one with `include_in_schema`, and a verb amid a path (`/create/step-2`).

Off: many teams have decided otherwise, and published paths do not change for style.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.rules.endpoint._paths import PARAMETER, is_certain
from fastwright.rules.evidence import of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_VERBS = {
    "GET": ("get", "list", "fetch", "retrieve", "read"),
    "POST": ("create", "add", "insert"),
    "PUT": ("update", "edit", "replace", "set"),
    "PATCH": ("update", "edit", "patch", "modify"),
    "DELETE": ("delete", "remove"),
}
_STARTS = {
    method: re.compile(rf"({'|'.join(verbs)})(?=[-_A-Z]|$)(?![-_]?(ons?|only|started)\b)")
    for method, verbs in _VERBS.items()
}


def check(app: App) -> Iterator[Hit]:
    """Report paths with the verb that their method is."""
    seen: set[tuple[int, str]] = set()
    for route in app.routes:
        if route.kind != "http" or route.record.starlette or not is_certain(route):
            continue
        if "include_in_schema" in route.record.keywords:
            continue
        found = _verb(route)
        key = (id(route.node), found[0]) if found is not None else None
        if found is None or key is None or key in seen:
            continue
        seen.add(key)
        segment, verb = found
        message = f"{route.label}: {segment!r} says {verb!r}, which {route.methods[0]} says already"
        yield Hit(place(route.module, route.node), message, of_route(route))


def _verb(route: Route) -> tuple[str, str] | None:
    """Return the segment of the route's own path that starts with its method's verb."""
    if len(route.methods) != 1 or route.methods[0] not in _STARTS:
        return None
    segments = [part for part in PARAMETER.sub("", route.record.own_path).split("/") if part]
    for position, segment in enumerate(segments):
        found = _STARTS[route.methods[0]].match(segment)
        is_step = found and segment == found[1] and 0 < position < len(segments) - 1
        if found is not None and not is_step:
            return segment, found[1]
    return None


RULE = Rule(
    summary="a verb in a path",
    severity="info",
    mend="Name the thing only, in the plural: `POST /users`, `GET /users/{id}`.",
    app=check,
    default=False,
    references=("https://www.rfc-editor.org/rfc/rfc9110#section-9",),
)

CASES = (
    case(
        "the method's verb",
        """
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/getUsers")  # <-
        def users() -> None: ...

        @app.post("/users/create")  # <-
        def create() -> None: ...

        @app.delete("/users/{id}/delete-account")  # <-
        def delete(id: int) -> None: ...

        @app.get("/list_orders")  # <-
        def orders() -> None: ...
        """,
    ),
    case(
        "nouns that start alike, verbs without a method, and another method's verb",
        """
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/lists/{id}")
        def read_list(id: int) -> None: ...

        @app.get("/settings")
        def settings() -> None: ...

        @app.post("/login")
        def login() -> None: ...

        @app.post("/users/delete")
        def delete_many(ids: list[int]) -> None: ...

        @app.post("/shops/create/step-2")
        def second_step() -> None: ...

        @app.post("/add-ons")
        def order_add_on() -> None: ...

        @app.post("/addresses")
        def add() -> None: ...

        @app.get("/users/{get_it}")
        def read(get_it: str) -> None: ...
        """,
    ),
    case(
        "the prefix is somebody else's",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        router = APIRouter()

        @router.get("/users")
        def users() -> None: ...

        app.include_router(router, prefix="/get")
        """,
    ),
)
