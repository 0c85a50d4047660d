"""Business code says what went wrong; one module at the boundary says which status that is.

`raise HTTPException(404, "Order not found")` in a service or repository becomes `raise NotFoundError("Order not found")`: an
exception of the application, without HTTP in it, from a new module `errors.py`. A second new module, `error_handlers.py`, answers each
class with the status, body and headers that clients got before, and is registered where the application is made. Where both modules
are there already, they grow. `except HTTPException: raise` on the way lets the new exceptions pass as well.

Business code is what the rule `http-exception-in-service` says; modules of any name that ask the database; and what either calls, also
where endpoints call it as well.

Left alone, with the line: exceptions with headers or a status that are not written out, raises on whose way something catches
`HTTPException` and does more than raise it again, what WebSockets reach, dependencies that look at the `HTTPException` of endpoints,
and applications that answer `HTTPException` in a way of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import commonpath, dirname, join

import msgspec

from fastwright.app.layers import BUSINESS
from fastwright.app.model import App
from fastwright.app.raises import HTTP_EXCEPTION, Raised
from fastwright.app.setup.result import Application
from fastwright.app.symbols import Function
from fastwright.edit.builders import insert, insert_after, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken
from fastwright.edit.reads import binds
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.business.http_errors import CLASSES, Change, change_of
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.shared.from_rules import hits_of
from fastwright.rules.architecture._http import http_functions
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
    way, hierarchy = _Way(app), _hierarchy(app)
    changes: list[Change] = []
    for raised in found:
        change = change_of(raised)
        stop = change if isinstance(change, str) else way.stop(raised)
        if isinstance(change, str) or stop is not None:
            yield Stopped(_line(raised), str(stop))
        else:
            changes.append(change)
    same = _same_headers(changes, hierarchy)
    for change in changes:
        if change not in same:
            yield Stopped(_line(change.raised), "has other headers than others of this status")
    if same:
        yield from _proposal(app, same, way, hierarchy)


def _same_headers(changes: list[Change], hierarchy: _Hierarchy | None) -> list[Change]:
    """Return the changes whose answers have the headers that most of that status have: a class has one answer."""
    found = []
    for change in changes:
        headers = [each.headers for each in changes if each.status == change.status]
        wanted = max(headers, key=headers.count)
        if hierarchy is not None and change.status in hierarchy.classes:
            wanted = hierarchy.headers.get(change.status)
        if change.headers == wanted:
            found.append(change)
    return found


def _raises(app: App, target: Target) -> Iterator[Raised]:
    """Yield each HTTPException in business code that requests reach."""
    wanted = {hit.place for hit in hits_of(app, _RULE)}
    below = _below(app)
    for step in app.reached:
        if not target.takes(step.function):
            continue
        for raised in app.raises.of(step.function):
            refuses = step.function in below and app.raises.is_http(raised.cls)
            if refuses or place(step.function.module, raised.node) in wanted:
                yield raised


def _below(app: App) -> set[Function]:
    """Return the functions of modules that ask the database, and what business code calls in modules without a layer.

    They are services and repositories in all but name. The rule leaves them alone where endpoints call them as well.
    """
    http = http_functions(app)
    layers = app.layers
    asking = {
        step.function
        for step in app.reached
        if layers[step.function.module.path].by == "use" and id(step.function.node) not in http
    }
    business = [
        step.function
        for step in app.reached
        if layers[step.function.module.path].name in BUSINESS and id(step.function.node) not in http
    ]
    called = {
        step.function
        for step in app.calls.reach([*business, *asking])
        if layers[step.function.module.path].guessed and id(step.function.node) not in http
    }
    injected = app.calls.reach(f for f in app.request_roots if not app.routes_for(f))
    return (asking | called) - {step.function for step in injected}


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
    for function in app.request_roots:
        if function.node.is_generator and _catches_http(app, function):
            return f"{function.qualname} catches HTTPException around requests"
    for module in app.tests:
        if b"raises(HTTPException" in module.source:
            return f"{module.path} expects HTTPException of business code"
    if not [each for each in app.applications if each.fastapi and _assigned(each)]:
        return "no place was found where the application is made"
    return None


def _catches_http(app: App, function: Function) -> bool:
    """Whether a dependency that yields looks at what the endpoint raised."""
    return any(
        app.linker.external(node, function.module, function) == HTTP_EXCEPTION
        for tried, _ in app.calls.of_kind(function, s.Try)
        for handler in tried.handlers
        if handler.type is not None
        for node in s.walk(handler.type)
        if isinstance(node, (s.Name, s.Attribute))
    )


# -------------------------------------------------------------------- on the way


@dataclass
class _Way:
    """What catches exceptions between a raise and the endpoint."""

    app: App
    lets_pass: dict[int, tuple[Function, s.ExceptHandler]] = field(default_factory=dict)
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
            self.lets_pass[id(handler)] = (function, handler)
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


def _passing(
    app: App, function: Function, handler: s.ExceptHandler, errors: str, changed: Collection[int]
) -> tuple[list[Edit], tuple[Import, ...]] | Stopped:
    """Return the changes that let the new errors pass a handler; it is for them alone where nothing else is left."""
    module = function.module
    brought = bring(module, errors, _BASE)
    if brought is None or handler.type is None:
        return Stopped(f"{module.path}:{module.line(handler)}", f"{_BASE} is taken there")
    kinds = handler.type.elts if isinstance(handler.type, s.Tuple) else [handler.type]
    names = [text(module, kind) for kind in kinds]
    if brought.name in names:
        return [], ()
    if len(names) == 1 and _only_new(app, function, handler, changed):
        return [replace(module, handler.type, brought.name)], brought.imports
    written = ", ".join([*names, brought.name])
    return [replace(module, handler.type, f"({written})")], brought.imports


def _only_new(
    app: App, function: Function, handler: s.ExceptHandler, changed: Collection[int]
) -> bool:
    """Whether every HTTPException that comes to a handler is one of the new errors now: all that is called is known."""

    def is_inside(tries: tuple[s.Try, ...]) -> bool:
        return any(each is handler for tried in tries for each in tried.handlers)

    sites = [site for site in app.calls.sites(function) if is_inside(site.around.tries)]
    raises = [raised for raised in app.raises.of(function) if is_inside(raised.around.tries)]
    for step in app.calls.reach(target for site in sites for target in site.targets):
        sites += app.calls.sites(step.function)
        raises += app.raises.of(step.function)
    return all(site.targets or site.external for site in sites) and all(
        id(raised.node) in changed for raised in raises if app.raises.is_http(raised.cls)
    )


class _Hierarchy(msgspec.Struct, frozen=True, eq=False):
    """The errors of the application, and their answers, as this recipe has written them before."""

    errors: Module
    handlers: Module
    table: s.Dict
    """``_STATUS``: which class has which status."""
    classes: Mapping[int, str]
    headers: Mapping[int, str]
    has_headers: bool
    """Whether there is a table of headers."""


def _hierarchy(app: App) -> _Hierarchy | None:
    for path, module in app.modules.items():
        for errors, handlers in _MODULES:
            other = app.modules.get(join(dirname(path), handlers))
            if path != join(dirname(path), errors) or other is None:
                continue
            tables = _tables(other)
            if not is_taken(module, _BASE) or "_STATUS" not in tables:
                continue
            statuses = {
                value.value: s.last_name(key) or ""
                for key, value in _pairs(tables["_STATUS"])
                if isinstance(value, s.Constant) and isinstance(value.value, int)
            }
            by_name = {name: status for status, name in statuses.items()}
            headers = {
                by_name.get(s.last_name(key) or "", 0): text(other, value).strip("{}")
                for key, value in _pairs(tables.get("_HEADERS"))
            }
            has_headers = "_HEADERS" in tables
            return _Hierarchy(module, other, tables["_STATUS"], statuses, headers, has_headers)
    return None


def _tables(module: Module) -> dict[str, s.Dict]:
    """Return the dictionaries at the top of a file."""
    return {
        name: statement.value
        for statement in module.facts.body
        if isinstance(statement, (s.Assign, s.AnnAssign)) and isinstance(statement.value, s.Dict)
        for name in binds(statement)
    }


def _pairs(table: s.Dict | None) -> Iterator[tuple[s.Expr | None, s.Expr]]:
    return zip(table.keys, table.values, strict=True) if table is not None else iter(())


def _proposal(
    app: App, changes: list[Change], way: _Way, hierarchy: _Hierarchy | None
) -> Iterator[Planned]:
    edits: list[Edit] = []
    imports: list[Import] = []
    new: dict[str, str] = {}
    if hierarchy is not None:
        grown = _grown(changes, hierarchy)
        if grown is None:
            reason = f"{hierarchy.handlers.path} would need answers with headers"
            yield Stopped(_line(changes[0].raised), reason)
            return
        edits += grown[0]
        imports += grown[1]
        errors, handlers = hierarchy.errors.path, hierarchy.handlers.path
    else:
        free = _free(app, _folder(changes))
        if free is None:
            yield Stopped(_line(changes[0].raised), "the modules for errors are there already")
            return
        errors, handlers = free
        statuses = {change.status: CLASSES[change.status] for change in changes}
        headers = {change.status: change.headers for change in changes if change.headers}
        new = {
            errors: _errors(statuses),
            handlers: _handlers(statuses, headers, app.index.name(errors)),
        }
    module_name, handlers_name = app.index.name(errors), app.index.name(handlers)
    for change in changes:
        module = change.raised.function.module
        name = hierarchy.classes.get(change.status) if hierarchy is not None else None
        brought = bring(module, module_name, name or change.name)
        if brought is None or change.raised.node.exc is None:
            yield Stopped(_line(change.raised), f"{change.name} is taken there")
            return
        written = f"{brought.name}({change.detail})"
        edits.append(replace(module, change.raised.node.exc, written))
        imports += brought.imports
    changed = {id(change.raised.node) for change in changes}
    for function, handler in way.lets_pass.values():
        passed = _passing(app, function, handler, module_name, changed)
        if isinstance(passed, Stopped):
            yield passed
            return
        edits += passed[0]
        imports += passed[1]
    for application in app.applications:
        found = _assigned(application)
        if application.fastapi and found is not None:
            statement, variable = found
            brought = bring(application.module, handlers_name, "add_error_handlers")
            line = f"{brought.name}({variable})" if brought is not None else ""
            if brought is not None and line.encode() not in application.module.source:
                edits.append(insert_after(application.module, statement, line))
                imports += brought.imports
    title = f"{len(changes)} HTTPException of business code become errors of the application"
    places = tuple(_line(change.raised) for change in changes)
    yield Proposal(title, tuple(edits), tuple(imports), new, places=places)


def _grown(changes: list[Change], hierarchy: _Hierarchy) -> tuple[list[Edit], list[Import]] | None:
    """Return the changes that bring errors that the application does not have yet; None where they cannot be told."""
    missing = {c.status: c for c in changes if c.status not in hierarchy.classes}
    if any(change.headers for change in missing.values()) and not hierarchy.has_headers:
        return None
    errors, handlers, edits = hierarchy.errors, hierarchy.handlers, list[Edit]()
    imports: list[Import] = []
    for status, change in sorted(missing.items()):
        end = len(errors.source)
        edits.append(insert(errors, end, _class(*CLASSES[status])))
        row = f"    {change.name}: {status},\n"
        edits.append(insert(handlers, hierarchy.table.end - 1, row))
        imports.append(Import(handlers.path, errors.name, change.name))
        table = _tables(handlers).get("_HEADERS")
        if change.headers and table is not None:
            row = f"    {change.name}: {{{change.headers}}},\n"
            edits.append(insert(handlers, table.end - 1, row))
    return edits, imports


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


def _class(name: str, doc: str) -> str:
    return f'\n\nclass {name}({_BASE}):\n    """{doc}"""\n'


def _errors(statuses: Mapping[int, tuple[str, str]]) -> str:
    classes = "".join(_class(*each) for _, each in sorted(statuses.items()))
    return f'''"""What can go wrong in the application, in its own words: no HTTP."""

from __future__ import annotations


class {_BASE}(Exception):
    """Something that the application refuses, or cannot do; ``detail`` says what."""

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail
{classes}'''


def _handlers(
    statuses: Mapping[int, tuple[str, str]], headers: Mapping[int, str], errors: str
) -> str:
    names = sorted([_BASE, *(name for name, _ in statuses.values())])
    wanted = "".join(f"    {name},\n" for name in names)
    rows = "".join(f"    {name}: {status},\n" for status, (name, _) in sorted(statuses.items()))
    sent = "".join(f"    {statuses[n][0]}: {{{each}}},\n" for n, each in sorted(headers.items()))
    table = f"_HEADERS: dict[type[{_BASE}], dict[str, str]] = {{\n{sent}}}\n" if sent else ""
    given = ['{"detail": error.detail}', "status_code=_STATUS[type(error)]"]
    given += ["headers=_HEADERS.get(type(error))"] if sent else []
    answer = f"JSONResponse({', '.join(given)})"
    if sent:
        answer = "JSONResponse(\n" + "".join(f"        {each},\n" for each in given) + "    )"
    return f'''"""Answers of the API to what goes wrong in the application: the one place that knows both."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from {errors} import (
{wanted})

_STATUS: dict[type[{_BASE}], int] = {{
{rows}}}
{table}

async def answer(_request: Request, error: Exception) -> JSONResponse:
    """Answer an error of the application with its status."""
    assert isinstance(error, {_BASE})
    return {answer}


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
    except DomainError:
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
        "where it is not known what is called, HTTPException passes as well",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": """\
from fastapi import HTTPException

HOOKS: list = []


def find(order_id: int) -> str:
    try:
        for hook in HOOKS:
            hook(order_id)
        if order_id < 0:
            raise HTTPException(400)
        raise HTTPException(404, detail="No such order")
    except HTTPException:
        raise
    except Exception:
        return ""
""",
        },
        {
            "shop/main.py": _MADE,
            "shop/services/orders.py": """\
from fastapi import HTTPException

from shop.errors import DomainError, InvalidRequestError, NotFoundError

HOOKS: list = []


def find(order_id: int) -> str:
    try:
        for hook in HOOKS:
            hook(order_id)
        if order_id < 0:
            raise InvalidRequestError("Bad Request")
        raise NotFoundError("No such order")
    except (HTTPException, DomainError):
        raise
    except Exception:
        return ""
""",
            "shop/errors.py": _ERRORS,
            "shop/error_handlers.py": _HANDLERS,
        },
    ),
    Case(
        "headers that are always the same are sent by the handler; others stop it",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": """\
from fastapi import HTTPException


def find(order_id: int) -> str:
    if order_id < 0:
        raise HTTPException(429, "Slowly", headers={"Retry-After": "1"})
    if order_id == 0:
        raise HTTPException(503, "Later", headers={"Retry-After": str(order_id)})
    raise HTTPException(404, "No order")
""",
        },
        {
            "shop/main.py": _MADE,
            "shop/services/orders.py": """\
from fastapi import HTTPException

from shop.errors import NotFoundError, TooManyRequestsError


def find(order_id: int) -> str:
    if order_id < 0:
        raise TooManyRequestsError("Slowly")
    if order_id == 0:
        raise HTTPException(503, "Later", headers={"Retry-After": str(order_id)})
    raise NotFoundError("No order")
""",
            "shop/errors.py": _ERRORS[: _ERRORS.index("class InvalidRequestError")]
            + '''class NotFoundError(DomainError):
    """There is no such thing."""


class TooManyRequestsError(DomainError):
    """It was asked for too often."""
''',
            "shop/error_handlers.py": _HANDLERS.replace(
                """    DomainError,
    InvalidRequestError,
    NotFoundError,
""",
                """    DomainError,
    NotFoundError,
    TooManyRequestsError,
""",
            )
            .replace(
                """    InvalidRequestError: 400,
    NotFoundError: 404,
}
""",
                """    NotFoundError: 404,
    TooManyRequestsError: 429,
}
_HEADERS: dict[type[DomainError], dict[str, str]] = {
    TooManyRequestsError: {"Retry-After": "1"},
}
""",
            )
            .replace(
                """JSONResponse({"detail": error.detail}, status_code=_STATUS[type(error)])""",
                """JSONResponse(
        {"detail": error.detail},
        status_code=_STATUS[type(error)],
        headers=_HEADERS.get(type(error)),
    )""",
            ),
        },
        stopped=("shop/services/orders.py:10",),
    ),
    Case(
        "the modules for errors are there already, and grow",
        {
            **_PACKAGE,
            "shop/main.py": _MADE,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": """\
from fastapi import HTTPException

from shop.errors import NotFoundError


def find(order_id: int) -> str:
    if order_id < 0:
        raise HTTPException(409, "No order")
    if order_id == 0:
        raise HTTPException(404, "No order")
    raise NotFoundError("No order")
""",
            "shop/errors.py": _ERRORS,
            "shop/error_handlers.py": _HANDLERS,
        },
        {
            "shop/services/orders.py": """\
from shop.errors import ConflictError, NotFoundError


def find(order_id: int) -> str:
    if order_id < 0:
        raise ConflictError("No order")
    if order_id == 0:
        raise NotFoundError("No order")
    raise NotFoundError("No order")
""",
            "shop/errors.py": _ERRORS
            + '''

class ConflictError(DomainError):
    """It contradicts what is there."""
''',
            "shop/error_handlers.py": _HANDLERS.replace(
                "    NotFoundError: 404,\n", "    NotFoundError: 404,\n    ConflictError: 409,\n"
            ).replace(
                """    DomainError,
    Inv""",
                """    ConflictError,
    DomainError,
    Inv""",
            ),
        },
    ),
    Case(
        "what asks the database for endpoints is business in a module of any name",
        {
            "shop/__init__.py": "",
            "shop/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    owner: str
""",
            "shop/lookup.py": """\
from fastapi import HTTPException
from sqlmodel import Session

from shop.models import Order


def get_order(session: Session, order_id: int) -> Order:
    order = session.get(Order, order_id)
    if order is None:
        raise HTTPException(404, f"No order {order_id}")
    return order


def only_for(order: Order, owner: str) -> None:
    if order.owner != owner:
        raise HTTPException(400, "Not yours")
""",
            "shop/main.py": """\
from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Session

from shop.lookup import get_order, only_for
from shop.models import Order

app = FastAPI()


def get_session() -> Session: ...


@app.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session)) -> Order:
    if order_id < 0:
        raise HTTPException(400, "That is no number of an order")
    return get_order(session, order_id)


@app.get("/orders/{order_id}/of/{owner}")
def order_of(order_id: int, owner: str, session: Session = Depends(get_session)) -> Order:
    order = get_order(session, order_id)
    only_for(order, owner)
    return order
""",
        },
        {
            "shop/lookup.py": """\
from sqlmodel import Session

from shop.errors import InvalidRequestError, NotFoundError
from shop.models import Order


def get_order(session: Session, order_id: int) -> Order:
    order = session.get(Order, order_id)
    if order is None:
        raise NotFoundError(f"No order {order_id}")
    return order


def only_for(order: Order, owner: str) -> None:
    if order.owner != owner:
        raise InvalidRequestError("Not yours")
""",
            "shop/main.py": """\
from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Session

from shop.error_handlers import add_error_handlers
from shop.lookup import get_order, only_for
from shop.models import Order

app = FastAPI()
add_error_handlers(app)


def get_session() -> Session: ...


@app.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session)) -> Order:
    if order_id < 0:
        raise HTTPException(400, "That is no number of an order")
    return get_order(session, order_id)


@app.get("/orders/{order_id}/of/{owner}")
def order_of(order_id: int, owner: str, session: Session = Depends(get_session)) -> Order:
    order = get_order(session, order_id)
    only_for(order, owner)
    return order
""",
            "shop/errors.py": _ERRORS,
            "shop/error_handlers.py": _HANDLERS,
        },
    ),
    Case(
        "a dependency that looks at the HTTPException of the endpoint",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Depends, HTTPException

from shop.services.orders import find


def get_session():
    try:
        yield None
    except HTTPException:
        print("refused")
        raise


router = APIRouter(dependencies=[Depends(get_session)])


@router.get("/orders/{order_id}")
def order(order_id: int) -> str:
    return find(order_id)
""",
            "shop/services/orders.py": _SERVICE,
        },
        stopped=("shop/services/orders.py:8",),
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
