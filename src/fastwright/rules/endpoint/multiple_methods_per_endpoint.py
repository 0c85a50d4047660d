"""One function for one method.

GET, POST, PUT and DELETE promise different things: what is safe, what may be repeated, what has a body and
which status says that it went well (RFC 9110, 9.2 and 9.3). A function that serves several of them has one
signature, one default status, one summary and one response model for all, and asks `request.method` where
they differ. With `api_route(methods=["GET", "POST"])` FastAPI moreover gives all of them one operation id,
warns about it when the document is built, and generated clients keep only one. Two functions that share
what they do are shorter to read.

HEAD beside GET and OPTIONS are no methods of their own. Left alone: pages with forms, which show the form
again with what was wrong in it (HTML, templates, redirects), what passes requests on (a path or methods
that take everything), what other specifications ask for (OAuth and OpenID Connect, SAML, GraphQL, MCP,
webhooks), and routes that are left out of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.read import syntax as s
from fastwright.rules.evidence import name_place, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_NO_METHODS = frozenset({"HEAD", "OPTIONS", "TRACE"})
_EVERYTHING = 4
"""A function for so many methods takes whatever comes."""
_PAGES = frozenset({"TemplateResponse", "HTMLResponse", "RedirectResponse", "url_for"})
_ASKED_FOR = re.compile(
    r"oauth|oidc|openid|authori[sz]e|userinfo|logout|login|callback|saml|sso|webhook|hook"
    r"|graphql|mcp|rpc|proxy|pass_?through|forward|fallback|catch_?all|not_?found|echo",
    re.IGNORECASE,
)


def check(app: App) -> Iterator[Hit]:
    """Report each function that is the endpoint of several methods."""
    for endpoint in app.endpoints:
        if not _PAGES.isdisjoint(endpoint.node.called):
            continue
        routes = [route for route in app.routes_for(endpoint) if _counts(route)]
        methods = sorted({method for route in routes for method in _methods(route)})
        if not 1 < len(methods) < _EVERYTHING:
            continue
        several = next((route for route in routes if len(_methods(route)) > 1), None)
        served = ", ".join(methods[:-1]) + f" and {methods[-1]}"
        if several is not None:
            given = several.record.keywords.get("methods")
            message = (
                f"{endpoint.qualname} serves {served} of {several.path}: one signature, status and"
                " operation id for all of them"
            )
            at = given if given is not None and isinstance(given.node, s.List) else several.record
            yield Hit(place(at.module, at.node), message, of_route(several))
        else:
            message = f"{endpoint.qualname} serves {served}: one signature and status for all"
            chain = tuple(link for route in _first_of_each(routes) for link in of_route(route)[:1])
            yield Hit(name_place(endpoint), message, chain)


def _counts(route: Route) -> bool:
    """Whether a route is in the document and nobody else's specification asks for its methods."""
    record = route.record
    if route.kind != "http" or record.starlette or record.uncertain or route.endpoint is None:
        return False
    if all(route.node is not decorator for decorator in route.endpoint.node.decorators):
        return False  # made in a loop or by a factory: each time another function
    if any(
        (s.last_name(layer["response_class"].node) or "").startswith("HTML")
        for layer in [record.keywords, *(layer.keywords for layer in record.inherited)]
        if "response_class" in layer
    ):
        return False
    if ":path}" in route.path or _ASKED_FOR.search(f"{route.path} {route.endpoint.name}"):
        return False
    given = [layer.keywords.get("include_in_schema") for layer in record.inherited]
    return all(
        each is None or (isinstance(each.node, s.Constant) and each.node.value is True)
        for each in [*given, record.keywords.get("include_in_schema")]
    )


def _methods(route: Route) -> set[str]:
    return set(route.methods) - _NO_METHODS


def _first_of_each(routes: list[Route]) -> list[Route]:
    """Return one route for each method."""
    found: dict[tuple[str, ...], Route] = {}
    for route in routes:
        found.setdefault(route.methods, route)
    return list(found.values())


RULE = Rule(
    summary="one function for several methods",
    severity="info",
    mend="Write one endpoint for each method, and let both call what they share.",
    app=check,
    references=(
        "https://www.rfc-editor.org/rfc/rfc9110#section-9.3",
        "https://spec.openapis.org/oas/v3.1.0#operation-object",
    ),
)

CASES = (
    case(
        "a list of methods, and several decorators",
        """
        from fastapi import APIRouter, FastAPI, Request

        app = FastAPI()
        router = APIRouter(prefix="/orders")

        @app.api_route("/items", methods=["GET", "POST"])  # <-
        async def items(request: Request) -> dict:
            return {"method": request.method}

        @router.put("/{id}")
        @router.patch("/{id}")
        def change(id: int, data: dict) -> None: ...  # <-

        app.include_router(router)
        """,
    ),
    case(
        "HEAD, two paths, a catch-all, what OpenID Connect asks for",
        """
        from fastapi import FastAPI, Request

        app = FastAPI()

        @app.api_route("/items", methods=["GET", "HEAD"])
        async def items() -> list[str]:
            return []

        @app.get("/orders")
        @app.get("/orders/", include_in_schema=False)
        async def orders() -> list[str]:
            return []

        @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
        async def pass_on(request: Request, path: str): ...

        @app.api_route("/userinfo", methods=["GET", "POST"])
        async def userinfo() -> dict:
            return {}

        @app.api_route("/form", methods=["GET", "POST"])
        async def form(request: Request):
            return templates.TemplateResponse(request, "form.html")

        @app.get("/search")
        @app.post("/search", include_in_schema=False)
        async def search() -> list[str]:
            return []
        """,
    ),
)
