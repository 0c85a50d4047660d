"""The errors that an endpoint answers with are in its `responses`.

The OpenAPI document lists 200 and 422; of a 404 or 409 that the endpoint raises it knows nothing unless
`responses={404: {...}}` says so. Clients that are generated from it, and people who read it, meet those errors
in production first.

Reported, once for a route, are statuses that are raised as `HTTPException` (or a subclass) in the endpoint, its
dependencies and what they call (three calls deep), and those of exceptions that a handler of the application maps,
when neither the route nor its routers nor the application name them. Caught exceptions, statuses that cannot be
read, 422 and 5xx, routes that are not in the schema, and routes whose `responses` are not literal are left alone.

The fix changes the contract by what it adds: the statuses in the OpenAPI document, with the phrase that HTTP
has for them.

Off: few applications document every error, and this reports each route of all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import NamedTuple

from fastwright.app.calls import CallSite
from fastwright.app.guards import Guards, is_in
from fastwright.app.model import App
from fastwright.app.raises import Raised, status_code
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.setup.result import Application, Place
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function, Variable
from fastwright.edit.builders import insert
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.endpoint._declaring import add_keyword, declaration
from fastwright.rules.evidence import evidence, of_calls, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

_UNNAMED = frozenset({422})
_MAX_DEPTH = 4
_MAX_CALLS = 3


class _Way(NamedTuple):
    """The calls that lead from an endpoint or dependency to a ``raise``."""

    calls: tuple[CallSite, ...]
    raised: Raised


def check(app: App) -> Iterator[Hit]:
    """Report routes that raise statuses which nothing documents."""
    seen: set[int] = set()
    by_record = {id(route.record): route for route in app.routes}
    for application in app.applications:
        if not application.fastapi:
            continue
        raising = _Raising(app, _handled(app, application))
        for record in application.routes:
            route = by_record.get(id(record))
            if route is None or id(route.node) in seen or not _is_shown(application, route):
                continue
            documented = _documented(app, application, route)
            if documented is None:
                continue
            found = raising.of_route(route)
            missing = sorted(status for status in found if not _covers(documented, status))
            if missing:
                seen.add(id(route.node))
                yield _hit(route, missing, found)


def _hit(route: Route, missing: list[int], found: dict[int, _Way]) -> Hit:
    listed = ", ".join(map(str, missing))
    message = f"{route.label} can answer {listed}; its responses do not say so"
    return Hit(
        place(route.module, route.node),
        message,
        (
            *of_route(route),
            *(link for status in missing for link in _proof(status, found[status])),
        ),
        _fix(route, missing),
    )


def _fix(route: Route, missing: list[int]) -> Fix | None:
    """Return the fix that adds the statuses, each with the phrase of its RFC."""
    entries = ", ".join(f'{status}: {{"description": "{_phrase(status)}"}}' for status in missing)
    call = declaration(route)
    given = call.keyword("responses") if call is not None else None
    if given is None:
        added = add_keyword(route, "responses", f"{{{entries}}}")
        return Fix("contract", (added,)) if added is not None else None
    if not isinstance(given, s.Dict) or not given.values:
        return None
    return Fix("contract", (insert(route.module, given.values[-1].end, f", {entries}"),))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _proof(status: int, way: _Way) -> tuple[Evidence, ...]:
    raised = way.raised
    last = evidence(raised.function.module, raised.node, f"{raised.name}: {status}")
    return (*of_calls(way.calls), last)


def _is_shown(application: Application, route: Route) -> bool:
    """Whether a route is in the OpenAPI document."""
    if route.kind != "http" or route.record.starlette or route.endpoint is None:
        return False
    address = application.keywords.get("openapi_url")
    if address is not None and _is_constant(address.node, None):
        return False
    layers = [route.record.keywords, *(layer.keywords for layer in route.record.inherited)]
    return not any("include_in_schema" in keywords for keywords in layers)


def _is_constant(node: s.Node, value: str | None) -> bool:
    return isinstance(node, s.Constant) and node.value == value


# ---------------------------------------------------------------------- documented


def _documented(app: App, application: Application, route: Route) -> set[str] | None:
    """Return the keys of every ``responses`` of a route; None where one cannot be read."""
    given = [route.record.keywords.get("responses"), application.keywords.get("responses")]
    given += [layer.keywords.get("responses") for layer in route.record.inherited]
    found: set[str] = set()
    for responses in given:
        if responses is None:
            continue
        keys = _keys(app, responses)
        if keys is None:
            return None
        found |= keys
    return found


def _keys(app: App, responses: Place) -> set[str] | None:
    return _keys_of(app, responses.node, Where(responses.module, responses.function))


def _keys_of(app: App, node: s.Node, where: Where, depth: int = 0) -> set[str] | None:
    if isinstance(node, (s.Name, s.Attribute)) and depth < _MAX_DEPTH:
        symbol = app.linker.expression(node, where.module, where.function)
        if isinstance(symbol, Variable) and symbol.value is not None and len(symbol.values) == 1:
            return _keys_of(app, symbol.value, Where(symbol.module), depth + 1)
        return None
    if isinstance(node, s.BinOp) and node.op == "|":
        left, right = (_keys_of(app, each, where, depth + 1) for each in (node.left, node.right))
        return left | right if left is not None and right is not None else None
    if not isinstance(node, s.Dict):
        return None
    found: set[str] = set()
    for key, value in zip(node.keys, node.values, strict=True):
        inner = _keys_of(app, value, where, depth + 1) if key is None else None
        text = s.string(key) or (str(status_code(key, app.types, where)) if key else None)
        if key is None and inner is not None:
            found |= inner
        elif text is None or text == "None":
            return None
        else:
            found.add(text)
    return found


def _covers(documented: set[str], status: int) -> bool:
    return not documented.isdisjoint({str(status), f"{status // 100}XX", "default"})


# -------------------------------------------------------------------------- raised


class _Raising:
    """What functions raise, themselves and through a few calls; remembered."""

    def __init__(self, app: App, handled: list[tuple[Class | str, int]]) -> None:
        self._app, self._handled = app, handled
        self._guards = Guards(app)
        self._known: dict[tuple[int, int], dict[int, _Way]] = {}

    def of_route(self, route: Route) -> dict[int, _Way]:
        """Return the statuses that answering may raise, each with the way to one place that does."""
        roots = [each.function for each in route.all_dependencies()]
        found: dict[int, _Way] = {}
        for root in (route.endpoint, *roots):
            for status, way in self._of(root, _MAX_CALLS).items() if root is not None else ():
                found.setdefault(status, way)
        return found

    def _of(self, function: Function, calls: int) -> dict[int, _Way]:
        key = (id(function.node), calls)
        if key not in self._known:
            self._known[key] = {}
            self._known[key] = self._find(function, calls)
        return self._known[key]

    def _find(self, function: Function, calls: int) -> dict[int, _Way]:
        app = self._app
        where = Where(function.module, function)
        found: dict[int, _Way] = {}
        for raised in app.raises.of(function):
            status = _status(app, raised, self._handled)
            if status is not None and not self._caught(raised, raised.around, where):
                found.setdefault(status, _Way((), raised))
        for site in app.calls.sites(function) if calls else ():
            for target in site.targets:
                ways = self._of(target, calls - 1)
                facts = self._guards.facts(site, target) if ways else frozenset()
                skipped = self._guards.skipped(target, facts)
                for status, way in ways.items():
                    inner = way.calls[0].node if way.calls else way.raised.node
                    if status in found or is_in(inner, skipped):
                        continue
                    if not self._caught(way.raised, site.around, where):
                        found[status] = _Way((site, *way.calls), way.raised)
        return found

    def _caught(self, raised: Raised, around: Surroundings, where: Where) -> bool:
        return around.deferred or self._app.raises.caught(raised.cls, around.tries, where)


def _status(app: App, raised: Raised, handled: list[tuple[Class | str, int]]) -> int | None:
    """Return the status of a raised exception that belongs into the document."""
    status = raised.status if app.raises.is_http(raised.cls) else None
    if status is None and isinstance(raised.cls, Class):
        status = next((code for cls, code in handled if app.raises.is_a(raised.cls, cls)), None)
    if status is None or not 400 <= status < 500 or status in _UNNAMED:
        return None
    return status


def _handled(app: App, application: Application) -> list[tuple[Class | str, int]]:
    """Return the project's exceptions that a handler answers with one status."""
    found: list[tuple[Class | str, int]] = []
    for handler in application.exception_handlers:
        node = handler.exception.node
        symbol = app.linker.expression(node, handler.exception.module, handler.exception.function)
        status = _answered(app, handler.function) if handler.function is not None else None
        if isinstance(symbol, Class) and status is not None:
            found.append((symbol, status))
    return found


def _answered(app: App, function: Function) -> int | None:
    """Return the status that a handler answers with, if it is always the same."""
    where = Where(function.module, function)
    statuses: set[int | None] = set()
    for node, _ in app.calls.of_kind(function, s.Return):
        given = node.value.keyword("status_code") if isinstance(node.value, s.Call) else None
        statuses.add(status_code(given, app.types, where) if given is not None else None)
    return statuses.pop() if len(statuses) == 1 else None


RULE = Rule(
    summary="an error that the OpenAPI document does not know",
    severity="info",
    mend="Add it: `responses={404: {'model': Problem}}`, on the route, or on the router where all share it.",
    app=check,
    default=False,
    references=("https://fastapi.tiangolo.com/advanced/additional-responses/", "Sonar S8415"),
)

_HEAD = """
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, status
from fastapi.responses import JSONResponse

class Taken(Exception): ...

app = FastAPI()

@app.exception_handler(Taken)
def taken(request: Request, error: Taken) -> JSONResponse:
    return JSONResponse({"detail": "taken"}, status_code=409)

def find(id: int) -> str:
    if id > 9:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "no such item")
    return "item"

def reserve(id: int, shop: str | None = None) -> None:
    if shop:
        raise HTTPException(400, "no such shop")
    raise Taken
"""

CASES = (
    case(
        "in a function, in a dependency, through a handler",
        _HEAD
        + """
@app.get("/a/{id}")  # <-
def a(id: int) -> str:
    return find(id)

@app.get("/b/{id}", responses={400: {}})  # <-
def b(item: str = Depends(find)) -> str:
    return item

@app.post("/c/{id}")  # <-
def c(id: int) -> None:
    reserve(id)
""",
        after="""
        from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, status
        from fastapi.responses import JSONResponse

        class Taken(Exception): ...

        app = FastAPI()

        @app.exception_handler(Taken)
        def taken(request: Request, error: Taken) -> JSONResponse:
            return JSONResponse({"detail": "taken"}, status_code=409)

        def find(id: int) -> str:
            if id > 9:
                raise HTTPException(status.HTTP_404_NOT_FOUND, "no such item")
            return "item"

        def reserve(id: int, shop: str | None = None) -> None:
            if shop:
                raise HTTPException(400, "no such shop")
            raise Taken

        @app.get("/a/{id}", responses={404: {"description": "Not Found"}})
        def a(id: int) -> str:
            return find(id)

        @app.get("/b/{id}", responses={400: {}, 404: {"description": "Not Found"}})
        def b(item: str = Depends(find)) -> str:
            return item

        @app.post("/c/{id}", responses={409: {"description": "Conflict"}})
        def c(id: int) -> None:
            reserve(id)
        """,
    ),
    case(
        "documented by the route or its router, caught, not shown, not known",
        _HEAD
        + """
from documents import RESPONSES

router = APIRouter(responses={status.HTTP_404_NOT_FOUND: {"description": "no such item"}})
COMMON = {"4XX": {}}

@router.get("/a/{id}")
def a(id: int) -> str:
    return find(id)

@app.get("/b/{id}", responses={**COMMON, 200: {}})
def b(id: int) -> str:
    return find(id)

@app.get("/c/{id}")
def c(id: int) -> str:
    try:
        return find(id)
    except HTTPException:
        return "none"

@app.get("/d/{id}", include_in_schema=False)
def d(id: int) -> str:
    return find(id)

@app.post("/f/{id}", responses={409: {}})
def f(id: int) -> None:
    reserve(id)

@app.get("/e/{id}", responses=RESPONSES)
def e(id: int) -> str:
    return find(id)

app.include_router(router)
""",
    ),
    case(
        "422 and 500 are always there",
        """
        from fastapi import FastAPI, HTTPException

        app = FastAPI()

        @app.get("/a/{id}")
        def a(id: int) -> str:
            if id > 9:
                raise HTTPException(422)
            raise HTTPException(500)
        """,
    ),
)
