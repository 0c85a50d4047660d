"""What a cookie authenticates is protected against requests from other sites.

A browser sends a cookie with `SameSite=None` along with every request, also with those that another site
makes it send: a hidden form there orders, pays or changes the e-mail address in the name of whoever is
logged in (cross-site request forgery, CWE-352). Leave the cookie at `SameSite=Lax`, which is Starlette's
default, or ask for something that another site cannot send: a CSRF token, a header of your own, or look at
`Origin`.

Reported is a cookie that is set with `samesite="none"` (or `SessionMiddleware(same_site="none")`), that
dependencies of routes authenticate by, where some of these routes change something with a plain POST, and
nothing in the application speaks of CSRF, `Origin` or `Referer`. Routes with a JSON body or a required
header are safe: a browser asks first (CORS) before it sends those from elsewhere; so it does for PUT,
PATCH and DELETE. A cookie whose name or SameSite cannot be read is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fastwright.app.dependencies import Dependency
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import Instance, Literal, alternatives
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_DEFENCE = re.compile(
    rb"csrf|xsrf|(?<![a-z])origin(?![a-z])|referer|sec-fetch|x-requested-with", re.IGNORECASE
)
_SESSIONS = "starlette.middleware.sessions.SessionMiddleware"
_SESSION = "session of SessionMiddleware"
_DEEP = 3


class Cookie(msgspec.Struct, frozen=True, eq=False):
    """A cookie that browsers send from everywhere, and where it is set."""

    name: str
    module: Module
    node: s.Node


def check(app: App) -> Iterator[Hit]:
    """Report cookies of other sites' requests that authenticate plain POST routes."""
    for cookie in _cookies(app):
        routes = [route for route in app.routes if _is_open(app, route, cookie.name)]
        if routes and not _defends(app):
            yield _hit(cookie, routes)


def _hit(cookie: Cookie, routes: list[Route]) -> Hit:
    more = f" and {len(routes) - 1} more" if len(routes) > 1 else ""
    message = (
        f"{cookie.name} is sent with requests of other sites, and {routes[0].label}{more}"
        " asks for nothing else"
    )
    chain = (
        evidence(cookie.module, cookie.node, "SameSite=None"),
        *(link for route in routes[:3] for link in of_route(route)),
    )
    return Hit(place(cookie.module, cookie.node), message, chain)


# --------------------------------------------------------------------- cookies


def _cookies(app: App) -> Iterator[Cookie]:
    """Yield the cookies that are set with ``SameSite=None``, each name once."""
    seen: set[str] = set()
    for application in app.applications:
        for middleware in application.middleware:
            given = middleware.keywords.get("same_site")
            if middleware.name == _SESSIONS and given is not None:
                where = Where(given.module, given.function)
                if _text(app, given.node, where).lower() == "none":
                    yield Cookie(_SESSION, middleware.place.module, middleware.place.node)
    for step in served(app).reached:
        if "set_cookie" not in step.function.node.called:
            continue
        where = Where(step.function.module, step.function)
        for site in app.calls.sites(step.function):
            if site.method != "set_cookie":
                continue
            key = site.node.argument(0, "key")
            same_site = site.node.keyword("samesite")
            if key is None or same_site is None or _text(app, same_site, where).lower() != "none":
                continue
            name = _text(app, key, where)
            if name and name not in seen:
                seen.add(name)
                yield Cookie(name, site.module, site.node)


def _text(app: App, node: s.Node, where: Where) -> str:
    """Return the text that an expression stands for: a constant, a setting's default; else nothing."""
    expr: s.Expr = node  # type: ignore[assignment]
    for option in alternatives(app.types.of(expr, where)):
        if isinstance(option, Literal) and isinstance(option.value, str):
            return option.value
    if isinstance(expr, s.Attribute):
        for option in alternatives(app.types.of(expr.value, where)):
            if isinstance(option, Instance) and isinstance(option.cls, Class):
                schema = app.models.schema(option.cls)
                described = schema.fields.get(expr.attr) if schema is not None else None
                default = described.default if described is not None else None
                if isinstance(default, s.Call):
                    default = default.argument(0, "default")
                return s.string(default) or ""
    return ""


# ---------------------------------------------------------------------- routes


def _is_open(app: App, route: Route, cookie: str) -> bool:
    """Whether another site's form may send what a route takes, authenticated by the cookie."""
    if route.methods != ("POST",) or route.authentication is None or route.record.starlette:
        return False
    if any(
        p.kind in {"body", "unknown"} or (p.kind == "header" and p.required)
        for p in route.parameters
    ):
        return False
    dependency = route.authentication.dependency
    if dependency is None:
        return False
    for inner in dependency.walk():
        if inner.external == "fastapi.security.APIKeyCookie" and _scheme(app, inner) == cookie:
            return True
        function = inner.function
        if function is not None and _reads(app, function, cookie, 0):
            return True
    return False


def _scheme(app: App, dependency: Dependency) -> str:
    """Return the name of the cookie that ``APIKeyCookie(name=...)`` reads."""
    marker = dependency.node
    given = marker.argument(0, "dependency") if isinstance(marker, s.Call) else None
    symbol = app.linker.expression(given, dependency.module)
    where = Where(dependency.module)
    if isinstance(symbol, Variable):
        given, where = symbol.value, Where(symbol.module)
    name = given.keyword("name") if isinstance(given, s.Call) else None
    return _text(app, name, where) if name is not None else ""


def _reads(app: App, function: Function, cookie: str, depth: int) -> bool:
    """Whether a function, or one that it calls, reads the cookie."""
    for parameter in app.dependencies.parameters(function):
        if parameter.kind == "cookie" and parameter.alias == cookie:
            return True
    where = Where(function.module, function)
    for node, _ in app.calls.nodes(function):
        if isinstance(node, s.Attribute) and node.attr == "session" and cookie == _SESSION:
            return True
        if isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
            if node.func.attr == "get" and s.last_name(node.func.value) == "cookies" and node.args:
                if _text(app, node.args[0], where) == cookie:
                    return True
        if isinstance(node, s.Subscript) and s.last_name(node.value) == "cookies":
            if _text(app, node.slice, where) == cookie:
                return True
    return depth < _DEEP and any(
        _reads(app, target, cookie, depth + 1)
        for site in app.calls.sites(function)
        for target in site.targets
    )


def _defends(app: App) -> bool:
    """Whether anything that runs for requests speaks of CSRF, or looks at where a request comes from."""
    for application in app.applications:
        for middleware in application.middleware:
            if _DEFENCE.search(middleware.name.encode()):
                return True
    for module in app.sources:
        if any("csrf" in fact.module.lower() for fact in module.header.imports):
            return True
    return any(_DEFENCE.search(step.function.node.raw_body) for step in served(app).reached)


RULE = Rule(
    summary="a cookie of SameSite=None authenticates, and nothing protects against other sites",
    severity="error",
    confidence="medium",
    mend='Set the cookie with `samesite="lax"`; where other sites must send it, ask for a CSRF token or'
    " compare `Origin` in a dependency of the routes that change something.",
    app=check,
    references=(
        "https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html",
        "https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis",
        "CWE-352",
    ),
)

_HEAD = """
from fastapi import Cookie, Depends, FastAPI, Form, Header, HTTPException, Request, Response
from pydantic import BaseModel

SESSION = "session_token"
app = FastAPI()

class Change(BaseModel):
    email: str

def current(session_token: str | None = Cookie(default=None)) -> str:
    if session_token is None:
        raise HTTPException(401)
    return session_token

def from_request(request: Request) -> str:
    token = request.cookies.get(SESSION)
    if not token:
        raise HTTPException(401)
    return token
"""

CASES = (
    case(
        "a form and a route without body, authenticated by the cookie alone",
        _HEAD
        + """
@app.post("/login")
def login(response: Response, name: str = Form()) -> None:
    response.set_cookie(SESSION, name, secure=True, httponly=True, samesite="none")  # <-

@app.post("/email")
def email(address: str = Form(), user: str = Depends(current)) -> None: ...

@app.post("/account/close")
def close(user: str = Depends(from_request)) -> None: ...
""",
    ),
    case(
        "the default of the settings",
        """
        from fastapi import Depends, FastAPI, HTTPException, Request, Response
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            same_site: str = "none"
            cookie_name: str = "auth"

        settings = Settings()
        app = FastAPI()

        def user(request: Request) -> str:
            token = request.cookies.get(settings.cookie_name)
            if token is None:
                raise HTTPException(401)
            return token

        @app.post("/login")
        def login(response: Response) -> None:
            response.set_cookie(  # <-
                settings.cookie_name, "token", samesite=settings.same_site, secure=True
            )

        @app.post("/close", dependencies=[Depends(user)])
        def close() -> None: ...
        """,
    ),
    case(
        "a security scheme reads the cookie",
        """
        from fastapi import Depends, FastAPI, Response
        from fastapi.security import APIKeyCookie

        scheme = APIKeyCookie(name="auth")
        app = FastAPI()

        @app.post("/login")
        def login(response: Response) -> None:
            response.set_cookie("auth", "token", samesite="none", secure=True)  # <-

        @app.post("/close")
        def close(token: str = Depends(scheme)) -> None: ...
        """,
    ),
    case(
        "SameSite=Lax, and what is not said",
        _HEAD
        + """
@app.post("/login")
def login(response: Response, name: str = Form()) -> None:
    response.set_cookie(SESSION, name, secure=True, httponly=True)
    response.set_cookie("theme", "dark", samesite="none", secure=True)

@app.post("/close")
def close(user: str = Depends(current)) -> None: ...
""",
    ),
    case(
        "JSON, a header, DELETE",
        _HEAD
        + """
@app.post("/login")
def login(response: Response, name: str = Form()) -> None:
    response.set_cookie(SESSION, name, secure=True, samesite="none")

@app.post("/email")
def email(change: Change, user: str = Depends(current)) -> None: ...

@app.post("/close")
def close(user: str = Depends(current), x_client: str = Header()) -> None: ...

@app.delete("/account")
def delete(user: str = Depends(current)) -> None: ...
""",
    ),
    case(
        "the origin is compared",
        _HEAD
        + """
def same_origin(request: Request) -> None:
    if request.headers.get("origin") != "https://shop.example":
        raise HTTPException(403)

@app.post("/login")
def login(response: Response, name: str = Form()) -> None:
    response.set_cookie(SESSION, name, secure=True, samesite="none")

@app.post("/close", dependencies=[Depends(same_origin)])
def close(user: str = Depends(current)) -> None: ...
""",
    ),
)
