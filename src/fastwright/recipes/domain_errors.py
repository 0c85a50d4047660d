"""Business code says what went wrong; one module at the boundary says which status that is.

`raise HTTPException(404, "Order not found")` in a service or repository becomes `raise NotFoundError("Order not found")`: an
exception of the application, without HTTP in it, from a new module `errors.py`. A second new module, `error_handlers.py`, answers each
class with the status and body that clients got before, and is registered where the application is made. `except HTTPException: raise`
on the way lets the new exceptions pass as well.

Left alone, with the line: exceptions with headers or with a status that is not written out, raises on whose way something catches
`HTTPException` and does more than raise it again, what WebSockets reach, and applications that answer `HTTPException` in a way of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import commonpath, dirname, join

from fastwright.app.model import App
from fastwright.app.raises import HTTP_EXCEPTION, Raised
from fastwright.app.setup.result import Application
from fastwright.app.symbols import Function
from fastwright.edit.builders import insert_after, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes._from_rules import hits_of
from fastwright.recipes._http_errors import CLASSES, Change, change_of
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.rules.evidence import place

_RULE = "http-exception-in-service"
_BASE = "DomainError"
_MODULES = (("errors.py", "error_handlers.py"), ("domain_errors.py", "domain_error_handlers.py"))


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for all of the application."""
    found = list(_raises(app, target))
    if not found:
        return
    reason = _whole_stop(app)
    if reason is not None:
        yield Stopped(_line(found[0]), reason)
        return
    way = _Way(app)
    changes: list[Change] = []
    for raised in found:
        change = change_of(raised)
        stop = change if isinstance(change, str) else way.stop(raised)
        if isinstance(change, str) or stop is not None:
            yield Stopped(_line(raised), str(stop))
        else:
            changes.append(change)
    if changes:
        yield from _proposal(app, changes, way)


def _raises(app: App, target: Target) -> Iterator[Raised]:
    """Yield each HTTPException in business code that requests reach."""
    wanted = {hit.place for hit in hits_of(app, _RULE)}
    for step in app.reached:
        if target.takes(step.function):
            for raised in app.raises.of(step.function):
                if place(step.function.module, raised.node) in wanted:
                    yield raised


def _line(raised: Raised) -> str:
    return f"{raised.function.module.path}:{raised.function.module.line(raised.node)}"


def _whole_stop(app: App) -> str | None:
    """Return what keeps the recipe from changing anything."""
    for application in app.applications:
        for handler in application.exception_handlers:
            given = handler.exception
            name = app.linker.external(given.node, given.module, given.function)
            if name in {HTTP_EXCEPTION, "builtins.Exception"}:
                return "the application answers HTTPException in a way of its own"
    for module in app.tests:
        if b"raises(HTTPException" in module.source:
            return f"{module.path} expects HTTPException of business code"
    if not [each for each in app.applications if each.fastapi and _assigned(each)]:
        return "no place was found where the application is made"
    return None


# -------------------------------------------------------------------- on the way


@dataclass
class _Way:
    """What catches exceptions between a raise and the endpoint."""

    app: App
    lets_pass: dict[int, tuple[Module, s.ExceptHandler]] = field(default_factory=dict)
    """Handlers that raise HTTPException again: they have to let the new exceptions pass."""
    _callers: dict[int, list[tuple[Function, tuple[s.Try, ...]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for step in self.app.reached:
            for site in self.app.calls.sites(step.function):
                for target in site.targets:
                    found = self._callers.setdefault(id(target.node), [])
                    found.append((step.function, site.around.tries))

    def stop(self, raised: Raised) -> str | None:
        """Return what would treat another exception otherwise, None where nothing does."""
        seen: set[int] = set()
        waiting: list[tuple[Function, tuple[s.Try, ...]]] = [(raised.function, raised.around.tries)]
        while waiting:
            function, tries = waiting.pop()
            if any(route.kind == "websocket" for route in self.app.routes_for(function)):
                return f"{function.qualname} serves a WebSocket"
            for tried in tries:
                reason = self._caught(function, tried)
                if reason is not None:
                    return reason
            if id(function.node) not in seen:
                seen.add(id(function.node))
                waiting += self._callers.get(id(function.node), ())
        return None

    def _caught(self, function: Function, tried: s.Try) -> str | None:
        for handler in tried.handlers:
            if not self._names_http(function, handler.type):
                continue
            if not _only_raises(handler):
                line = function.module.line(handler)
                return f"{function.module.path}:{line} catches HTTPException and does more than raise it"
            self.lets_pass[id(handler)] = (function.module, handler)
        return None

    def _names_http(self, function: Function, node: s.Expr | None) -> bool:
        kinds = node.elts if isinstance(node, s.Tuple) else [node] if node is not None else []
        external = self.app.linker.external
        return any(external(kind, function.module, function) == HTTP_EXCEPTION for kind in kinds)


def _only_raises(handler: s.ExceptHandler) -> bool:
    """``except HTTPException: session.rollback(); raise``: what it is, makes no difference."""
    last = handler.body[-1]
    if not isinstance(last, s.Raise) or last.exc is not None:
        return False
    if handler.name is None:
        return True
    return not any(isinstance(n, s.Name) and n.id == handler.name for n in s.walk(*handler.body))


# ------------------------------------------------------------------- the change


def _proposal(app: App, changes: list[Change], way: _Way) -> Iterator[Planned]:
    free = _free(app, _folder(changes))
    if free is None:
        yield Stopped(_line(changes[0].raised), "the modules for errors are there already")
        return
    errors, handlers = free
    module_name, handlers_name = app.index.name(errors), app.index.name(handlers)
    edits: list[Edit] = []
    imports: list[Import] = []
    for change in changes:
        module = change.raised.function.module
        brought = bring(module, module_name, CLASSES[change.status][0])
        if brought is None or change.raised.node.exc is None:
            yield Stopped(_line(change.raised), f"{CLASSES[change.status][0]} is taken there")
            return
        written = f"{brought.name}({change.detail})"
        edits.append(replace(module, change.raised.node.exc, written))
        imports += brought.imports
    for module, handler in way.lets_pass.values():
        brought = bring(module, module_name, _BASE)
        if brought is None or handler.type is None:
            yield Stopped(f"{module.path}:{module.line(handler)}", f"{_BASE} is taken there")
            return
        kinds = handler.type.elts if isinstance(handler.type, s.Tuple) else [handler.type]
        names = ", ".join([*(text(module, kind) for kind in kinds), brought.name])
        edits.append(replace(module, handler.type, f"({names})"))
        imports += brought.imports
    for application in app.applications:
        found = _assigned(application)
        if application.fastapi and found is not None:
            statement, variable = found
            brought = bring(application.module, handlers_name, "add_error_handlers")
            if brought is not None:
                line = f"{brought.name}({variable})"
                edits.append(insert_after(application.module, statement, line))
                imports += brought.imports
    statuses = {change.status: CLASSES[change.status] for change in changes}
    new = {
        errors: _errors(statuses),
        handlers: _handlers(statuses, module_name),
    }
    title = f"{len(changes)} HTTPException of business code become errors of the application"
    places = tuple(_line(change.raised) for change in changes)
    yield Proposal(title, tuple(edits), tuple(imports), new, places=places)


def _free(app: App, folder: str) -> tuple[str, str] | None:
    """Return the paths of the two new modules; None where there are modules of these names."""
    for errors, handlers in _MODULES:
        paths = join(folder, errors), join(folder, handlers)
        if not any(path in app.modules for path in paths):
            return paths
    return None


def _folder(changes: list[Change]) -> str:
    """Return the innermost folder that holds all of the business code that raises, but no layer's own."""
    folders = [dirname(change.raised.function.module.path) for change in changes]
    found = commonpath(folders) if all(folders) else ""
    layered = {"services", "service", "repositories", "repository", "crud", "models", "core"}
    while found and found.rpartition("/")[2] in layered:
        found = dirname(found)
    return found


def _assigned(application: Application) -> tuple[s.Assign, str] | None:
    """Return the statement ``app = FastAPI(...)`` that makes an application, and the variable."""
    function = application.function
    body = function.node.body if function is not None else application.module.facts.body
    for statement in s.statements(body):
        if isinstance(statement, s.Assign) and statement.value.start == application.node.start:
            target = statement.targets[0]
            if isinstance(target, s.Name):
                return statement, target.id
    return None


def _errors(statuses: Mapping[int, tuple[str, str]]) -> str:
    classes = "".join(
        f'\n\nclass {name}({_BASE}):\n    """{doc}"""\n'
        for _, (name, doc) in sorted(statuses.items())
    )
    return f'''"""What can go wrong in the application, in its own words: no HTTP."""

from __future__ import annotations


class {_BASE}(Exception):
    """Something that the application refuses, or cannot do; ``detail`` says what."""

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail
{classes}'''


def _handlers(statuses: Mapping[int, tuple[str, str]], errors: str) -> str:
    names = sorted([_BASE, *(name for name, _ in statuses.values())])
    wanted = "".join(f"    {name},\n" for name in names)
    rows = "".join(f"    {name}: {status},\n" for status, (name, _) in sorted(statuses.items()))
    return f'''"""Answers of the API to what goes wrong in the application: the one place that knows both."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from {errors} import (
{wanted})

_STATUS: dict[type[{_BASE}], int] = {{
{rows}}}


async def answer(_request: Request, error: Exception) -> JSONResponse:
    """Answer an error of the application with its status."""
    assert isinstance(error, {_BASE})
    return JSONResponse({{"detail": error.detail}}, status_code=_STATUS[type(error)])


def add_error_handlers(app: FastAPI) -> None:
    """Let an application answer errors of the domain."""
    app.add_exception_handler({_BASE}, answer)
'''


RECIPE = Recipe(
    summary="errors of the application instead of HTTPException",
    why="Business code that raises HTTPException can only be used by a web request.",
    plan=plan,
    references=("https://fastapi.tiangolo.com/tutorial/handling-errors/",),
)

_MAIN = """\
from fastapi import FastAPI

from shop.routers import orders

app = FastAPI()
app.include_router(orders.router)
"""
_ROUTER = """\
from fastapi import APIRouter

from shop.services.orders import find

router = APIRouter()


@router.get("/orders/{order_id}")
def order(order_id: int) -> str:
    return find(order_id)
"""
_SERVICE = """\
from fastapi import HTTPException, status

ORDERS = {1: "a"}


def find(order_id: int) -> str:
    if order_id < 0:
        raise HTTPException(status_code=400, detail={"order": order_id})
    if order_id not in ORDERS:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"No order {order_id}")  # SHOP-12
    return ORDERS[order_id]
"""
_ERRORS = '''"""What can go wrong in the application, in its own words: no HTTP."""

from __future__ import annotations


class DomainError(Exception):
    """Something that the application refuses, or cannot do; ``detail`` says what."""

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidRequestError(DomainError):
    """What was asked for makes no sense."""


class NotFoundError(DomainError):
    """There is no such thing."""
'''
_HANDLERS = '''"""Answers of the API to what goes wrong in the application: the one place that knows both."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from shop.errors import (
    DomainError,
    InvalidRequestError,
    NotFoundError,
)

_STATUS: dict[type[DomainError], int] = {
    InvalidRequestError: 400,
    NotFoundError: 404,
}


async def answer(_request: Request, error: Exception) -> JSONResponse:
    """Answer an error of the application with its status."""
    assert isinstance(error, DomainError)
    return JSONResponse({"detail": error.detail}, status_code=_STATUS[type(error)])


def add_error_handlers(app: FastAPI) -> None:
    """Let an application answer errors of the domain."""
    app.add_exception_handler(DomainError, answer)
'''
_MADE = """\
from fastapi import FastAPI

from shop.error_handlers import add_error_handlers
from shop.routers import orders

app = FastAPI()
add_error_handlers(app)
app.include_router(orders.router)
"""
_RAISING = """\
from shop.errors import InvalidRequestError, NotFoundError

ORDERS = {1: "a"}


def find(order_id: int) -> str:
    if order_id < 0:
        raise InvalidRequestError({"order": order_id})
    if order_id not in ORDERS:
        raise NotFoundError(f"No order {order_id}")  # SHOP-12
    return ORDERS[order_id]
"""
_PACKAGE = {"shop/__init__.py": "", "shop/routers/__init__.py": "", "shop/services/__init__.py": ""}

CASES = (
    Case(
        "a service that answers with statuses",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": _SERVICE,
        },
        {
            "shop/main.py": _MADE,
            "shop/services/orders.py": _RAISING,
            "shop/errors.py": _ERRORS,
            "shop/error_handlers.py": _HANDLERS,
        },
    ),
    Case(
        "what raises HTTPException again lets the new errors pass; what looks into it stops the recipe",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException

from shop.services.orders import find, sell

router = APIRouter()


@router.get("/orders/{order_id}")
def order(order_id: int) -> str:
    try:
        return find(order_id)
    except HTTPException:
        raise
    except Exception:
        raise HTTPException(500, "Sorry")


@router.post("/orders/{order_id}")
def buy(order_id: int) -> str:
    try:
        return sell(order_id)
    except HTTPException as error:
        return str(error.detail)
""",
            "shop/services/orders.py": """\
from fastapi import HTTPException

ORDERS = {1: "a"}


def find(order_id: int) -> str:
    if order_id < 0:
        raise HTTPException(400)
    if order_id not in ORDERS:
        raise HTTPException(404, detail="No such order")
    return ORDERS[order_id]


def sell(order_id: int) -> str:
    raise HTTPException(409, detail="Sold out")
""",
        },
        {
            "shop/main.py": _MADE,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException

from shop.errors import DomainError
from shop.services.orders import find, sell

router = APIRouter()


@router.get("/orders/{order_id}")
def order(order_id: int) -> str:
    try:
        return find(order_id)
    except (HTTPException, DomainError):
        raise
    except Exception:
        raise HTTPException(500, "Sorry")


@router.post("/orders/{order_id}")
def buy(order_id: int) -> str:
    try:
        return sell(order_id)
    except HTTPException as error:
        return str(error.detail)
""",
            "shop/services/orders.py": """\
from fastapi import HTTPException

from shop.errors import InvalidRequestError, NotFoundError

ORDERS = {1: "a"}


def find(order_id: int) -> str:
    if order_id < 0:
        raise InvalidRequestError("Bad Request")
    if order_id not in ORDERS:
        raise NotFoundError("No such order")
    return ORDERS[order_id]


def sell(order_id: int) -> str:
    raise HTTPException(409, detail="Sold out")
""",
            "shop/errors.py": _ERRORS,
            "shop/error_handlers.py": _HANDLERS,
        },
        stopped=("shop/services/orders.py:17",),
    ),
    Case(
        "headers, and an application with an answer of its own",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": """\
from fastapi import HTTPException


def find(order_id: int) -> str:
    raise HTTPException(429, "Slowly", headers={"Retry-After": "1"})
""",
        },
        stopped=("shop/services/orders.py:5",),
    ),
    Case(
        "an answer of its own to every HTTPException",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN.replace("import FastAPI", "import FastAPI, HTTPException")
            + """

@app.exception_handler(HTTPException)
async def own(request, error): ...
""",
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": _SERVICE,
        },
        stopped=("shop/services/orders.py:8",),
    ),
)
