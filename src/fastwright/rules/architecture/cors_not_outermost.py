"""CORS stands outside of every middleware that may answer by itself.

The middleware that is added last is the outermost. A rate limiter or an authentication added after
`CORSMiddleware` answers 429 or 401 before CORS sees the request: the answer has no
`Access-Control-Allow-Origin`, and the browser hides it. The page reads "network error" where it
should have read "log in again"; and a preflight request, which never carries credentials, is refused.

Reported is a middleware outside of CORS that answers with a status from 400 to 499 itself: the
response is made in its `dispatch`, its `__call__` or another method of its class. Left alone are those
that only pass the request on, redirect, or answer with what is not known, and those that are named
after what no page asks for (internal, metrics, health). What a middleware raises makes no difference:
the error page is made outside of every middleware.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.raises import status_code
from fastwright.app.scopes import Where
from fastwright.app.setup.result import Application, Middleware, Place
from fastwright.app.symbols import Function
from fastwright.edit.builders import block_of, first_byte, move_behind
from fastwright.edit.fix import Fix
from fastwright.edit.source import is_alone
from fastwright.read import syntax as s
from fastwright.rules.architecture._middleware import dispatch_of
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_ANSWERING = {"slowapi.middleware.SlowAPIMiddleware": 429,
              "slowapi.middleware.SlowAPIASGIMiddleware": 429}  # fmt: skip
"""Middleware of libraries that answers by itself, and the status that it answers with."""
_RESPONSES = "fastapi.responses."
_BODY_FIRST = frozenset({"Response", "JSONResponse", "PlainTextResponse", "HTMLResponse",
                         "ORJSONResponse", "UJSONResponse"})  # fmt: skip
_NO_PAGE = re.compile(r"internal|prometheus|metrics|health|probe|scrape", re.IGNORECASE)
"""What a middleware is named after that other programs ask for, and pages do not."""
_CLIENT_ERROR = 400
_SERVER_ERROR = 500


def check(app: App) -> Iterator[Hit]:
    """Report each CORS middleware with one outside of it that answers."""
    seen: set[int] = set()
    for application in app.applications:
        outside = outermost_first(application)
        for position, middleware in enumerate(outside):
            key = id(middleware.place.node)
            if not middleware.name.endswith(".CORSMiddleware") or key in seen:
                continue
            seen.add(key)
            found = _answering(app, outside[:position])
            if found is not None:
                yield _hit(middleware, *found)


def outermost_first(application: Application) -> list[Middleware]:
    """Return the middleware of an application in the order in which a request meets it."""
    given = [m for m in application.middleware if _is_listed(m)]
    added = [m for m in application.middleware if not _is_listed(m)]
    return [*reversed(added), *given]


def _is_listed(middleware: Middleware) -> bool:
    """Whether it stands in ``middleware=[...]`` of the application, outermost first."""
    return s.last_name(middleware.place.node) not in {"add_middleware", "middleware"}


def _answering(
    app: App, outside: list[Middleware]
) -> tuple[Middleware, int, CallSite | None] | None:
    for middleware in outside:
        if _NO_PAGE.search(middleware.name):
            continue
        if (known := _ANSWERING.get(middleware.name)) is not None:
            return middleware, known, None
        for function in _functions(app, middleware):
            found = _refusal(app, function)
            if found is not None:
                return middleware, found[0], found[1]
    return None


def _functions(app: App, middleware: Middleware) -> list[Function]:
    if middleware.function is not None:
        return [middleware.function]
    if middleware.cls is None:
        dispatch = dispatch_of(app, middleware)
        return [dispatch] if dispatch is not None else []
    found = (app.linker.method(middleware.cls, name) for name in ("dispatch", "__call__"))
    return [method for method in found if method is not None]


def _refusal(app: App, function: Function) -> tuple[int, CallSite] | None:
    """Return the status that a middleware answers with instead of the application, and where."""
    for site in app.calls.sites(function):
        status = _status(app, site)
        if status is not None and not site.around.handled:
            return status, site
        for target in site.targets:
            if target.owner is not None and target.owner is function.owner:
                for inner in app.calls.sites(target):
                    status = _status(app, inner)
                    if status is not None and _is_returned(app, target, inner):
                        return status, inner
    return None


def _is_returned(app: App, function: Function, site: CallSite) -> bool:
    return any(node.value is site.node for node, _ in app.calls.of_kind(function, s.Return))


def _status(app: App, site: CallSite) -> int | None:
    """Return the status of a refusal that is made here."""
    name = site.external or ""
    if not name.startswith(_RESPONSES) or name.rpartition(".")[2] not in _BODY_FIRST:
        return None
    given = site.node.argument(1, "status_code")
    status = status_code(given, app.types, Where(site.module, site.caller))
    return status if status is not None and _CLIENT_ERROR <= status < _SERVER_ERROR else None


def _hit(cors: Middleware, other: Middleware, status: int, site: CallSite | None) -> Hit:
    name = other.name.rpartition(".")[2].rpartition(":")[2]
    at, outer = cors.place, other.place
    message = f"{name} is outside of CORS and answers {status} without its headers"
    chain = [
        evidence(at.module, at.node, "CORSMiddleware"),
        evidence(outer.module, outer.node, f"{name} is added outside of it"),
    ]
    if site is not None:
        chain.append(evidence(site.module, site.node, f"answers {status}"))
    return Hit(place(at.module, at.node), message, tuple(chain), _fix(at, outer))


def _fix(cors: Place, other: Place) -> Fix | None:
    """Return the fix that adds CORS behind the other one, where both stand in one block."""
    module, function = cors.module, cors.function
    if other.module is not module or other.function is not function:
        return None
    body = function.node.body if function is not None else module.facts.body
    found = block_of(body, cors.node)
    if found is None or not isinstance(found[1], s.ExprStmt) or found[1].value is not cors.node:
        return None
    block, statement = found
    target = next((each for each in block if _holds(each, other.node)), None)
    if target is None or not is_alone(module.source, statement.start, statement.end):
        return None
    between = [each for each in block if statement.end <= each.start < target.end]
    if any(isinstance(node, (s.Return, s.Raise)) for node in s.walk_scope(*between)):
        return None
    names = {node.id for node in s.walk(statement) if isinstance(node, s.Name)}
    if not between or names & _bound(between) or not is_alone(module.source, *_lines(target)):
        return None
    return Fix("safe", tuple(move_behind(module, statement, target)))


def _holds(statement: s.Stmt, node: s.Node) -> bool:
    start, end = _lines(statement)
    return start <= node.start and node.end <= end


def _lines(statement: s.Stmt) -> tuple[int, int]:
    return first_byte(statement), statement.end


def _bound(statements: list[s.Stmt]) -> set[str]:
    """Return the names that statements bind anew."""
    found: set[str] = set()
    for node in s.walk_scope(*statements):
        if isinstance(node, (s.Assign, s.AnnAssign, s.AugAssign, s.For, s.NamedExpr)):
            targets = node.targets if isinstance(node, s.Assign) else [node.target]
            found.update(each.id for each in s.walk(*targets) if isinstance(each, s.Name))
        elif isinstance(node, (s.FunctionDef, s.ClassDef)):
            found.add(node.name)
        elif isinstance(node, s.WithItem) and node.optional_vars is not None:
            found.update(each.id for each in s.walk(node.optional_vars) if isinstance(each, s.Name))
    return found


RULE = Rule(
    summary="a middleware outside of CORS answers without its headers",
    severity="warning",
    mend="Add `CORSMiddleware` last, so that it is the outermost (first in `middleware=[...]`).",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/tutorial/middleware/#multiple-middleware-execution-order",
        "https://www.starlette.io/middleware/#corsmiddleware",
    ),
)

_HEAD = """
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware

class Limit(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next):
        if request.client is None:
            return self.refuse()
        return await call_next(request)

    def refuse(self):
        return JSONResponse({"detail": "slow down"}, status_code=429)

"""

CASES = (
    case(
        "a limiter and an authentication are added later",
        _HEAD
        + """
app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])  # <-
app.add_middleware(Limit)

other = FastAPI(middleware=[Middleware(Limit), Middleware(CORSMiddleware)])  # <-

third = FastAPI()
third.add_middleware(CORSMiddleware)  # <-

@third.middleware("http")
async def authenticate(request: Request, call_next):
    if "authorization" not in request.headers:
        return JSONResponse({"detail": "who are you?"}, 401)
    return await call_next(request)

async def allow(request: Request, call_next):
    if request.headers.get("x-tenant") is None:
        return JSONResponse({"detail": "which one?"}, status_code=400)
    return await call_next(request)

fourth = FastAPI()
fourth.add_middleware(CORSMiddleware)  # <-
fourth.add_middleware(BaseHTTPMiddleware, dispatch=allow)
""",
        after=_HEAD
        + """
app = FastAPI()
app.add_middleware(Limit)
app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])

other = FastAPI(middleware=[Middleware(Limit), Middleware(CORSMiddleware)])

third = FastAPI()

@third.middleware("http")
async def authenticate(request: Request, call_next):
    if "authorization" not in request.headers:
        return JSONResponse({"detail": "who are you?"}, 401)
    return await call_next(request)


third.add_middleware(CORSMiddleware)

async def allow(request: Request, call_next):
    if request.headers.get("x-tenant") is None:
        return JSONResponse({"detail": "which one?"}, status_code=400)
    return await call_next(request)

fourth = FastAPI()
fourth.add_middleware(BaseHTTPMiddleware, dispatch=allow)
fourth.add_middleware(CORSMiddleware)
""",
    ),
    case(
        "what it is given changes in between: it stays; comments go with it",
        _HEAD
        + """
def create_app() -> FastAPI:
    app = FastAPI()
    app.add_middleware(GZipMiddleware)

    # Our pages.
    app.add_middleware(  # <-
        CORSMiddleware,
        allow_origins=["https://shop.example"],
    )

    if True:
        app.add_middleware(Limit)

    return app

app = create_app()

second = FastAPI()
origins = ["https://shop.example"]
second.add_middleware(CORSMiddleware, allow_origins=origins)  # <-
origins = []
second.add_middleware(Limit)
""",
        after=_HEAD
        + """
def create_app() -> FastAPI:
    app = FastAPI()
    app.add_middleware(GZipMiddleware)

    if True:
        app.add_middleware(Limit)

    # Our pages.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["https://shop.example"],
    )

    return app

app = create_app()

second = FastAPI()
origins = ["https://shop.example"]
second.add_middleware(CORSMiddleware, allow_origins=origins)
origins = []
second.add_middleware(Limit)
""",
    ),
    case(
        "what no page asks for",
        _HEAD
        + """
class MetricsAuth(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next):
        if request.url.path == "/metrics" and "authorization" not in request.headers:
            return JSONResponse({"detail": "who are you?"}, status_code=401)
        return await call_next(request)

app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])
app.add_middleware(MetricsAuth)
""",
    ),
    case(
        "CORS is outermost",
        _HEAD
        + """
app = FastAPI()
app.add_middleware(Limit)
app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])

other = FastAPI(middleware=[Middleware(CORSMiddleware), Middleware(Limit)])
other.add_middleware(GZipMiddleware)
""",
    ),
    case(
        "those outside only pass on, change the answer, or turn an error into one",
        _HEAD
        + """
class Stamp(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next):
        try:
            answer = await call_next(request)
        except ValueError:
            return JSONResponse({"detail": "broken"}, status_code=400)
        answer.headers["x-stamp"] = "1"
        return answer

app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])
app.add_middleware(GZipMiddleware)
app.add_middleware(Stamp)
""",
    ),
)
