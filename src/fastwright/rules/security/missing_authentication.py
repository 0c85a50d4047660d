"""A route that changes something asks who is calling, as its siblings do.

In a router whose other routes all authenticate, the one that writes and does not is an oversight: it was
added to the public router, or its `dependencies=[...]` was forgotten (OWASP API2:2023 and API5:2023).

Who authenticates is decided by what code does, not by its name: it reads credentials and refuses with
401 or 403, as a dependency of the endpoint, the route, the router, the include or the application, as a
decorator, or in the endpoint's own body. The rule speaks only where another method of the same path
authenticates, or most routes of the same file do (of those that change something, or of all). Routes
that must be open (login, registration, password reset, webhooks) are left alone, and so is everything
where a dependency or middleware is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.symbols import Function
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, name_place, of_route
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_OPEN = re.compile(
    r"log_?-?in|log_?-?out|sign_?-?(in|up|out)|regist|token|refresh|password|passwd|reset|forgot|verif"
    r"|confirm|activat|invit|webhook|callback|hook|health|ping|oauth|sso|oidc|saml|session|auth"
    r"|unsubscrib|public|feedback|contact|telemetry|metrics|events?$|setup|onboard|install|captcha"
    r"|2fa|mfa|otp|csrf|device|magic|share|widget|embed|anonymous|guest|waitlist|newsletter",
    re.IGNORECASE,
)
_SIBLINGS = 2
_SHARE = 0.7


def check(app: App) -> Iterator[Hit]:
    """Report unguarded routes among guarded ones."""
    if _middleware_authenticates(app):
        return
    siblings: dict[str, list[Route]] = {}
    for route in app.routes:
        if route.kind == "http" and route.endpoint:
            siblings.setdefault(route.endpoint.module.path, []).append(route)
    reported: set[int] = set()
    for routes in siblings.values():
        for route in routes:
            if _CHANGING.isdisjoint(route.methods) or id(route.endpoint) in reported:
                continue
            guarded = _guarded(route, routes)
            if guarded and _is_unguarded(app, route):
                reported.add(id(route.endpoint))
                yield _hit(route, guarded)


def _guarded(route: Route, routes: list[Route]) -> list[Route]:
    """Return the siblings that authenticate, if they are enough: of the same path, or most of all."""
    same = [r for r in routes if r.path == route.path and r.authentication is not None]
    if same:
        return same
    for among in ([r for r in routes if not _CHANGING.isdisjoint(r.methods)], routes):
        guarded = [r for r in among if r.authentication is not None]
        if len(guarded) >= _SIBLINGS and len(guarded) >= _SHARE * len(among):
            return guarded
    return []


def _hit(route: Route, guarded: list[Route]) -> Hit:
    assert route.endpoint is not None  # noqa: S101 - routes without one were left out
    other = guarded[0]
    by = other.authentication.by if other.authentication is not None else ""
    message = (
        f"{route.label} changes something and authenticates nobody; {len(guarded)} of its siblings do"
        f" ({other.label} through {by})"
    )
    chain = (
        *of_route(route),
        evidence(other.module, other.node, f"{other.label} authenticates through {by}"),
    )
    return Hit(name_place(route.endpoint), message, chain)


def _is_unguarded(app: App, route: Route) -> bool:
    endpoint = route.endpoint
    if endpoint is None or route.authentication is not None or route.record.presence != "always":
        return False
    if _OPEN.search(route.path) or _OPEN.search(endpoint.name):
        return False
    for dependency in route.all_dependencies():
        if dependency.function is None and dependency.external is None:
            return False  # not known: it may authenticate
        if dependency.external is not None and dependency.external.startswith("fastapi.security."):
            return False  # an optional scheme: the endpoint decides
        if dependency.function is not None and app.authenticators.refuses(dependency.function):
            return False
    if not endpoint.node.called and _only_answers(endpoint):
        return False
    known = {"get", "post", "put", "patch", "delete", "api_route"}
    return endpoint.decorator_names <= known and not app.authenticators.refuses(endpoint)


def _only_answers(endpoint: Function) -> bool:
    """Whether an endpoint gives a fixed answer: it changes nothing."""
    last = endpoint.node.body[-1] if endpoint.node.body else None
    return isinstance(last, s.Return) and isinstance(last.value, (s.Constant, s.Dict))


def _middleware_authenticates(app: App) -> bool:
    """Whether some middleware refuses, or may do so because it is not known."""
    for application in app.applications:
        for middleware in application.middleware:
            functions = [middleware.function] if middleware.function is not None else []
            if middleware.cls is not None:
                functions += list(middleware.cls.own_methods.values())
            if any(app.authenticators.refuses(function) for function in functions):
                return True
            if not functions and re.search(
                r"auth|session|jwt|token", middleware.name, re.IGNORECASE
            ):
                return True
    return False


RULE = Rule(
    summary="a changing route without authentication among guarded ones",
    severity="error",
    confidence="medium",
    mend="Give it the same dependency as its siblings, best once on the router:"
    " `APIRouter(dependencies=[Depends(get_current_user)])`.",
    app=check,
    references=(
        "https://owasp.org/API-Security/editions/2023/en/0xa5-broken-function-level-authorization/",
        "CWE-306",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer

scheme = OAuth2PasswordBearer(tokenUrl="token")

def current_user(token: Annotated[str, Depends(scheme)]) -> str:
    if not token:
        raise HTTPException(401)
    return token

User = Annotated[str, Depends(current_user)]
app = FastAPI()
"""

CASES = (
    case(
        "one of three was forgotten, in another router of the file",
        _HEAD
        + """
public = APIRouter(prefix="/items")
guarded = APIRouter(prefix="/items", dependencies=[Depends(current_user)])

@public.get("/")
def list_items() -> None: ...

@public.delete("/{id}")
def remove(id: int) -> None: ...  # <-

@guarded.post("/")
def create() -> None: ...

@guarded.patch("/{id}")
def change(id: int) -> None: ...

@guarded.put("/{id}")
def replace(id: int) -> None: ...

app.include_router(public)
app.include_router(guarded)
""",
    ),
    case(
        "another method of the same path asks",
        _HEAD
        + """
router = APIRouter()

@router.get("/a/{id}")
def read(id: int, user: User) -> None: ...

@router.delete("/a/{id}")
def remove(id: int) -> None: ...  # <-

@router.post("/b")
def b() -> None: ...

@router.post("/c")
def c() -> None: ...

app.include_router(router)
""",
    ),
    case(
        "login is open; routers, includes and bodies authenticate too",
        _HEAD
        + """
import secrets
from fastapi import Request

router = APIRouter()

@router.post("/a")
def a(user: User) -> None: ...

@router.post("/b")
def b(user: User) -> None: ...

@router.post("/login")
def login() -> None: ...

@router.post("/echo")
def echo() -> dict[str, str]:
    return {"answer": "soon"}

@router.post("/c")
def c(request: Request) -> None:
    if not secrets.compare_digest(request.headers["authorization"], "x"):
        raise HTTPException(403)

app.include_router(router)
""",
    ),
    case(
        "an application without authentication has none to miss",
        """
        from fastapi import FastAPI

        app = FastAPI()

        @app.post("/a")
        def a() -> None: ...

        @app.post("/b")
        def b() -> None: ...
        """,
    ),
)
