"""204 and 304 have no body.

A response with status 204 (No Content) or 304 must not carry a body (RFC 9110, 15.3.5 and 15.4.5).
What the endpoint returns is dropped, or, sent by hand, confuses the client about where the next
response begins. Return nothing, or answer 200.

`return None`, a bare `return` and responses made by hand are right. A response model on such a route is
reported too: FastAPI refuses it at start-up, or documents a body that never comes.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import Instance, NoneType, Sequence, Type, alternatives
from fastwright.edit.builders import delete_argument, replace
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.endpoint._declaring import declaration
from fastwright.rules.evidence import of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_EMPTY = frozenset({204, 304})


def check(app: App) -> Iterator[Hit]:
    """Report values returned from routes that have no body."""
    seen: set[int] = set()
    for route in app.routes:
        if (
            route.status_code not in _EMPTY
            or route.endpoint is None
            or id(route.endpoint.node) in seen
        ):
            continue
        seen.add(id(route.endpoint.node))
        node = _returned(app, route)
        if node is not None:
            message = f"{route.label} answers {route.status_code}, which has no body: this value is dropped"
            fix = _without_value(route.endpoint, node)
            yield Hit(place(route.endpoint.module, node), message, of_route(route), fix)
            continue
        declared = route.response
        if declared.source == "none" or declared.node is None or declared.where is None:
            continue
        if _is_body(declared.type):
            message = (
                f"{route.label} answers {route.status_code}, which has no body, and declares one:"
                " FastAPI refuses that when the application starts"
            )
            fix = _without_model(route)
            yield Hit(place(declared.where.module, declared.node), message, of_route(route), fix)


def _without_value(endpoint: Function, value: s.Expr) -> Fix | None:
    """Return the fix that returns nothing, where making the value has no effect of its own."""
    if any(isinstance(node, (s.Call, s.Await, s.NamedExpr)) for node in s.walk(value)):
        return None
    for node in s.statements(endpoint.node.body):
        if isinstance(node, s.Return) and node.value is value:
            return Fix("safe", (replace(endpoint.module, node, "return None"),))
    return None


def _without_model(route: Route) -> Fix | None:
    call = declaration(route)
    if call is None:
        return None
    model = next((k for k in call.keywords if k.arg == "response_model"), None)
    return Fix("safe", (delete_argument(route.module, call, model),)) if model else None


def _is_body(declared: Type) -> bool:
    """Whether a declared response is surely something that is sent."""
    found = alternatives(declared)
    return bool(found) and all(isinstance(option, (Instance, Sequence)) for option in found)


def _returned(app: App, route: Route) -> s.Expr | None:
    """Return the first value that the endpoint surely returns as a body."""
    endpoint = route.endpoint
    if endpoint is None:
        return None
    where = Where(endpoint.module, endpoint)
    for node, _ in app.calls.nodes(endpoint):
        if isinstance(node, s.Return) and isinstance(node.value, (s.Dict, s.List, s.JoinedStr)):
            return node.value
        if isinstance(node, s.Return) and isinstance(node.value, s.Constant):
            if node.value.kind not in {"none", "ellipsis"}:
                return node.value
        if isinstance(node, s.Return) and isinstance(node.value, (s.Name, s.Attribute)):
            found = alternatives(app.types.of(node.value, where))
            if any(app.is_table_type(option) for option in found) and not any(
                isinstance(option, NoneType) for option in found
            ):
                return node.value
    return None


RULE = Rule(
    summary="a body on a response that has none",
    severity="warning",
    mend="Return nothing, or answer 200.",
    app=check,
    references=("https://www.rfc-editor.org/rfc/rfc9110#section-15.3.5",),
)

CASES = (
    case(
        "a message that nobody gets",
        """
        from fastapi import APIRouter, FastAPI, status

        app = FastAPI()

        @app.delete("/a/{id}", status_code=204)
        def a(id: int):
            return {"deleted": id}  # <-

        @app.delete("/b/{id}", status_code=status.HTTP_204_NO_CONTENT)
        def b(id: int):
            return "gone"  # <-
        """,
        after="""
        from fastapi import APIRouter, FastAPI, status

        app = FastAPI()

        @app.delete("/a/{id}", status_code=204)
        def a(id: int):
            return None

        @app.delete("/b/{id}", status_code=status.HTTP_204_NO_CONTENT)
        def b(id: int):
            return None
        """,
    ),
    case(
        "a schema for a body that never comes",
        """
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Item(BaseModel):
            id: int

        @app.delete("/a/{id}", status_code=204, response_model=Item)  # <-
        def a(id: int): ...

        @app.delete("/b/{id}", status_code=204)
        def b(id: int) -> list[Item]: ...  # <-
        """,
        after="""
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Item(BaseModel):
            id: int

        @app.delete("/a/{id}", status_code=204)
        def a(id: int): ...

        @app.delete("/b/{id}", status_code=204)
        def b(id: int) -> list[Item]: ...
        """,
    ),
    case(
        "nothing, None, or a response",
        """
        from fastapi import FastAPI, Response

        app = FastAPI()

        @app.delete("/a", status_code=204)
        def a() -> None:
            return None

        @app.delete("/b", status_code=204)
        def b():
            return Response(status_code=204)

        @app.delete("/c")
        def c():
            return {"deleted": 1}

        @app.delete("/d", status_code=204)
        def d() -> Response:
            return Response(status_code=204)

        @app.delete("/e", status_code=204, response_model=None)
        def e() -> dict | None: ...
        """,
    ),
)
