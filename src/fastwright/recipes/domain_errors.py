"""Business code says what went wrong; one module at the boundary says which status that is.

`raise HTTPException(404, "Order not found")` in a service or repository becomes `raise NotFoundError("Order not found")`: an
exception of the application, without HTTP in it, from a new module `errors.py`. A second new module, `error_handlers.py`, answers each
class with the status, body and headers that clients got before, and is registered where the application is made. Where both modules
are there already, they grow. `except HTTPException: raise` on the way lets the new exceptions pass as well.

Where the package has errors of its own already (`class ShopError(Exception)` in `errors.py` or `exceptions.py`), the new ones are of that kind and
stand in that module; where they cannot be, because that class is made in a way of its own or something catches it, the docstring of theirs says so.

A subclass of `HTTPException` that the project defines (`class OrderNotFound(HTTPException)`) keeps its name and its arguments and becomes an error of the
application itself, where all that it does is to give a status and a detail that are written out, and all that is done with it is to raise it.

Business code is what the rule `http-exception-in-service` says; modules of any name that ask the database; and what either calls, also
where endpoints call it as well.

Left alone, with the line: exceptions with headers or a status that are not written out, details that may be None, what is said without a detail where
that depends on the version of Python (413, 414, 416, 422), statuses that have a handler of their own, raises on whose way something catches
`HTTPException` and does more than raise it again, or catches everything and looks into it (dependencies that yield and context managers as well), what
WebSockets reach, applications that answer `HTTPException` in a way of their own, and those whose tests make another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import commonpath, dirname
from typing import NamedTuple

from fastwright.app.layers import BUSINESS
from fastwright.app.model import App
from fastwright.app.raises import HTTP_EXCEPTION, Raised, status_code
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, External, Function, Variable
from fastwright.edit.builders import insert_after, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.business.catching import Way, only_new
from fastwright.recipes.business.error_modules import (
    BASE,
    Hierarchy,
    Row,
    Written,
    grown,
    written,
    written_before,
)
from fastwright.recipes.business.http_classes import OwnClass, own_class
from fastwright.recipes.business.http_errors import Change, change_of, class_of, thrown
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.shared.application import assignment, made_by_tests
from fastwright.recipes.shared.from_rules import hits_of
from fastwright.rules.architecture._http import http_functions
from fastwright.rules.evidence import place

_RULE = "http-exception-in-service"
_ADDS = "add_error_handlers"


class _Found(NamedTuple):
    """What becomes an error of the application: raises, and classes."""

    changes: list[Change]
    classes: list[OwnClass]


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for all of the application."""
    raises = list(_raises(app, target))
    if not raises:
        return
    answered = _answered(app)
    reason = _whole_stop(app) if isinstance(answered, set) else answered
    if reason is not None or isinstance(answered, str):
        yield Stopped(_line(raises[0]), str(reason))
        return
    way, before = Way(app), written_before(app)
    found = _Found([], [])
    read: dict[int, OwnClass | str] = {}
    for raised in raises:
        change = _becomes(app, raised, way, read)
        stop = change if isinstance(change, str) else None
        if not isinstance(change, str) and change.answer.status in answered:
            stop = f"the application answers {change.answer.status} in a way of its own"
        if stop is not None:
            yield Stopped(_line(raised), stop)
        elif isinstance(change, Change):
            found.changes.append(change)
        elif isinstance(change, OwnClass) and change not in found.classes:
            found.classes.append(change)
    kept, classes = _kept(found.changes, before), _apart(found, before)
    for change, reason in kept.items():
        if reason is not None:
            yield Stopped(_line(change.raised), reason)
    for own in found.classes:
        if own not in classes:
            yield Stopped(
                _line(own.raises[0]), f"{own.cls.name} cannot stand beside the other errors"
            )
    found = _Found([change for change, reason in kept.items() if reason is None], classes)
    if found.changes or found.classes:
        yield from _proposal(app, found, way, before)


def _becomes(
    app: App, raised: Raised, way: Way, read: dict[int, OwnClass | str]
) -> Change | OwnClass | str:
    """Return what a raise becomes, or why it stays; classes are read once."""
    if not isinstance(raised.cls, Class):
        change = change_of(app, raised)
        return change if isinstance(change, str) else way.stop(raised) or change
    key = id(raised.cls.node)
    if key not in read:
        read[key] = own_class(app, raised.cls, way)
    return read[key]


def _kept(changes: list[Change], before: Hierarchy | None) -> dict[Change, str | None]:
    """Return why changes cannot be made together with the others, None where they can.

    A class has one answer, with the headers that most raises of its status have; an exception that is bound to a name first is raised as one
    thing everywhere.
    """
    found: dict[Change, str | None] = {}
    raised = {id(change.raised.node) for change in changes}
    for change in changes:
        answer, exc = change.answer, change.raised.node.exc
        headers = [each.answer.headers for each in changes if each.answer.status == answer.status]
        wanted = max(headers, key=headers.count)
        if before is not None and answer.status in before.classes:
            wanted = before.headers[answer.status]
        found[change] = None
        if answer.headers != wanted:
            found[change] = "has other headers than others of this status"
        elif isinstance(exc, s.Name):
            if any(id(node) not in raised for node in thrown(change.raised.function, exc.id)):
                found[change] = "is raised where it cannot be an error of the application as well"
    return found


def _apart(found: _Found, before: Hierarchy | None) -> list[OwnClass]:
    """Return the classes whose names no other error has, and that stand in another module than the base."""
    names = {BASE, *(change.name for change in found.changes)}
    names |= before.names if before is not None else set()
    apart = []
    for own in found.classes:
        inside = before is not None and own.cls.module.path == before.errors.path
        if own.cls.name not in names and not inside:
            apart.append(own)
            names.add(own.cls.name)
    return apart


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


def _answered(app: App) -> set[int] | str:
    """Return the statuses that applications answer with handlers of their own, or what else keeps the recipe."""
    found: set[int] = set()
    for application in app.applications:
        for handler in application.exception_handlers:
            given = handler.exception
            for kind in _kinds(app, given.node, given.module, given.function):
                status = status_code(kind, app.types, Where(given.module, given.function))
                symbol = app.linker.expression(kind, given.module, given.function)
                if status is not None:
                    found.add(status)
                elif symbol == External(HTTP_EXCEPTION):
                    return "the application answers HTTPException in a way of its own"
                elif not isinstance(symbol, (Class, External)):
                    return "it is not told which exceptions the application answers"
    return found


def _kinds(app: App, node: s.Node, module: Module, function: Function | None) -> list[s.Expr]:
    """Return what a handler is for: of ``FastAPI(exception_handlers={...})``, everything."""
    named = app.linker.expression(node, module, function)
    table = named.value if isinstance(named, Variable) else node
    if isinstance(table, s.Dict):
        return [key for key in table.keys if key is not None]
    return [node]  # type: ignore[list-item]


def _whole_stop(app: App) -> str | None:
    """Return what keeps the recipe from changing anything."""
    for module in app.tests:
        if b"raises(HTTPException" in module.source:
            return f"{module.path} expects HTTPException of business code"
    other = made_by_tests(app, _ADDS)
    if other is not None:
        return f"{other[0].path} makes an application of its own"
    made = [assignment(each) for each in app.applications if each.fastapi]
    if not made or None in made:
        return "no place was found where the application is made"
    return None


# ------------------------------------------------------------------- the change


def _proposal(app: App, found: _Found, way: Way, before: Hierarchy | None) -> Iterator[Planned]:
    first = found.changes[0].raised if found.changes else found.classes[0].raises[0]
    rows = _rows(app, found, before)
    home = grown(app, before, rows) if before else written(app, _folder(found), rows)
    if home is None:
        reason = f"{before.handlers.path} would need answers with headers" if before else ""
        yield Stopped(_line(first), reason or "the modules for errors are there already")
        return
    edits, imports = list(home.edits), list(home.imports)
    parts = [
        *_raised(app, found, home, before),
        *_passing(app, found, way, app.index.name(home.errors)),
        *_registered(app, app.index.name(home.handlers)),
    ]
    for part in parts:
        if isinstance(part, Stopped):
            yield part
            return
        edits.append(part[0])
        imports += part[1]
    raised = [change.raised for change in found.changes]
    raised += [each for own in found.classes for each in own.raises]
    title = f"{len(raised)} HTTPException of business code become errors of the application"
    places = tuple(_line(each) for each in raised)
    edits = list(dict.fromkeys(edits))
    yield Proposal(title, tuple(edits), tuple(imports), home.new, places=places)


def _rows(app: App, found: _Found, before: Hierarchy | None) -> list[Row]:
    """Return the classes that have to be there, and are not."""
    known = before.classes if before is not None else {}
    missing = {
        change.answer.status: change.answer
        for change in found.changes
        if change.answer.status not in known
    }
    rows = [Row(status, *_named(status, answer.headers)) for status, answer in missing.items()]
    for own in found.classes:
        origin, answer = app.index.name(own.cls.module.path), own.answer
        rows.append(Row(answer.status, own.cls.name, answer.headers, origin=origin))
    return rows


def _named(status: int, headers: str | None) -> tuple[str, str | None, str]:
    name, doc = class_of(status)
    return name, headers, doc


def _raised(
    app: App, found: _Found, home: Written, before: Hierarchy | None
) -> Iterator[tuple[Edit, tuple[Import, ...]] | Stopped]:
    """Yield the changes of what is raised, and of classes whose base becomes one without HTTP."""
    errors = app.index.name(home.errors)
    for change in found.changes:
        module, name = change.raised.function.module, change.name
        name = before.classes.get(change.answer.status, name) if before is not None else name
        brought = bring(module, errors, name)
        if brought is None:
            yield Stopped(_line(change.raised), f"{name} is taken there")
            return
        written = f"{brought.name}({change.answer.detail})"
        yield replace(module, change.call, written), brought.imports
    for own in found.classes:
        module = own.cls.module
        brought = bring(module, errors, BASE) if module.path != home.errors else None
        if brought is None:
            yield Stopped(f"{module.path}:{module.line(own.cls.node)}", f"{BASE} is taken there")
            return
        yield replace(module, own.cls.node.bases[0], brought.name), brought.imports
        yield replace(module, own.call, f"super().__init__({own.answer.detail})"), ()


def _passing(
    app: App, found: _Found, way: Way, errors: str
) -> Iterator[tuple[Edit, tuple[Import, ...]] | Stopped]:
    """Yield the changes that let the new errors pass handlers; those are for them alone where nothing else is left."""
    changed = {id(change.raised.node) for change in found.changes}
    changed |= {id(raised.node) for own in found.classes for raised in own.raises}
    for function, handler in way.lets_pass.values():
        module = function.module
        brought = bring(module, errors, BASE)
        if brought is None or handler.type is None:
            yield Stopped(f"{module.path}:{module.line(handler)}", f"{BASE} is taken there")
            return
        kinds = handler.type.elts if isinstance(handler.type, s.Tuple) else [handler.type]
        names = [text(module, kind) for kind in kinds]
        if brought.name in names:
            continue
        passes = ", ".join([*names, brought.name])
        alone = len(names) == 1 and only_new(app, function, handler, changed)
        yield (
            replace(module, handler.type, brought.name if alone else f"({passes})"),
            brought.imports,
        )


def _registered(app: App, handlers: str) -> Iterator[tuple[Edit, tuple[Import, ...]] | Stopped]:
    """Yield what adds the handlers where applications are made."""
    for application in app.applications:
        made = assignment(application)
        answered = (each.exception.node for each in application.exception_handlers)
        if not application.fastapi or made is None or any(s.last_name(n) == BASE for n in answered):
            continue
        module, (statement, variable) = application.module, made
        brought = bring(module, handlers, _ADDS)
        if brought is None:
            yield Stopped(f"{module.path}:{module.line(statement)}", f"{_ADDS} is taken there")
            return
        yield insert_after(module, statement, f"{brought.name}({variable})"), brought.imports


def _folder(found: _Found) -> str:
    """Return the innermost folder that holds all of the business code that raises, but no layer's own."""
    modules = [change.raised.function.module for change in found.changes]
    modules += [own.cls.module for own in found.classes]
    folders = [dirname(module.path) for module in modules]
    home = commonpath(folders) if all(folders) else ""
    layered = {"services", "service", "repositories", "repository", "crud", "models", "core"}
    while home and home.rpartition("/")[2] in layered:
        home = dirname(home)
    return home


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
_DATABASE = """\
from collections.abc import Iterator

from fastapi import HTTPException


class Work:
    def commit(self) -> None: ...

    def rollback(self) -> None: ...


def get_work() -> Iterator[Work]:
    work = Work()
    try:
        yield work
    except HTTPException:
        work.rollback()
        raise
    except Exception as error:
        print(error)
        raise
"""
_OWN = """\
class ShopError(Exception):
    \"\"\"Base of our own errors.\"\"\"


class OutOfStock(ShopError):
    pass
"""
_GONE = """

class Gone(HTTPException):
    def __init__(self, order_id: int) -> None:
        super().__init__(410, f"Order {order_id} is gone")
"""
_OF_OWN = _ERRORS[_ERRORS.index("class DomainError") :].replace("(Exception)", "(ShopError)")
_ANSWERING = """\
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from shop.errors import ShopError
from shop.routers import orders

app = FastAPI()
app.include_router(orders.router)


@app.exception_handler(ShopError)
async def refused(request: Request, error: ShopError) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=400)
"""
_WITH_OWN = """\
from fastapi import HTTPException

from shop.errors import OutOfStock


def find(order_id: int) -> str:
    if order_id < 0:
        raise HTTPException(400, "No number")
    if order_id == 0:
        raise OutOfStock
    raise HTTPException(404, "No such order")
"""
_TEST = """\
from fastapi import FastAPI
from fastapi.testclient import TestClient

from shop.routers import orders

app = FastAPI()
app.include_router(orders.router)


def test_order() -> None:
    assert TestClient(app).get("/orders/1").json() == "a"
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
        "dependencies are told what endpoints raise, and context managers what is raised in them",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/database.py": _DATABASE,
            "shop/routers/orders.py": """\
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException

from shop.database import Work, get_work
from shop.services.orders import find

router = APIRouter()


@contextmanager
def refusals(name: str):
    try:
        yield
    except HTTPException:
        print(name)
        raise


@router.get("/orders/{order_id}")
def order(order_id: int, work: Annotated[Work, Depends(get_work)]) -> str:
    with refusals("order"):
        return find(order_id)


@router.get("/names/{name}")
def named(name: str) -> str:
    try:
        with refusals(name):
            return name
    except Exception as error:
        return str(error)
""",
            "shop/services/orders.py": _SERVICE,
        },
        {
            "shop/main.py": _MADE,
            "shop/database.py": _DATABASE.replace(
                "import HTTPException\n",
                "import HTTPException\n\nfrom shop.errors import DomainError\n",
            ).replace("except HTTPException", "except (HTTPException, DomainError)"),
            "shop/routers/orders.py": """\
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException

from shop.database import Work, get_work
from shop.errors import DomainError
from shop.services.orders import find

router = APIRouter()


@contextmanager
def refusals(name: str):
    try:
        yield
    except (HTTPException, DomainError):
        print(name)
        raise


@router.get("/orders/{order_id}")
def order(order_id: int, work: Annotated[Work, Depends(get_work)]) -> str:
    with refusals("order"):
        return find(order_id)


@router.get("/names/{name}")
def named(name: str) -> str:
    try:
        with refusals(name):
            return name
    except Exception as error:
        return str(error)
""",
            "shop/services/orders.py": _RAISING,
            "shop/errors.py": _ERRORS,
            "shop/error_handlers.py": _HANDLERS,
        },
    ),
    Case(
        "a dependency that looks into what endpoints raise",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Depends

from shop.services.orders import find


def get_session():
    try:
        yield None
    except Exception as error:
        print(error)
        raise


router = APIRouter(dependencies=[Depends(get_session)])


@router.get("/orders/{order_id}")
def order(order_id: int) -> str:
    return find(order_id)
""",
            "shop/services/orders.py": _SERVICE,
        },
        stopped=("shop/services/orders.py:8", "shop/services/orders.py:10"),
    ),
    Case(
        "a status with a handler of its own stays, and so does what something looks into on the way",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN
            + """

@app.exception_handler(409)
async def conflict(request, error): ...
""",
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException

from shop.services import orders

router = APIRouter()


@router.get("/orders/{order_id}")
def order(order_id: int) -> str:
    try:
        return orders.find(order_id)
    except Exception as error:
        raise HTTPException(500, "Sorry") from error


@router.post("/orders/{order_id}")
def buy(order_id: int) -> str:
    return orders.buy(order_id)


@router.delete("/orders/{order_id}")
def cancel(order_id: int) -> str:
    try:
        return orders.cancel(order_id)
    except Exception as error:
        raise HTTPException(500, f"Sorry: {error}")
""",
            "shop/services/orders.py": """\
from fastapi import HTTPException


def find(order_id: int) -> str:
    if order_id < 0:
        raise HTTPException(400, "No number")
    raise HTTPException(404, "No such order")


def buy(order_id: int) -> str:
    raise HTTPException(409, "Sold out")


def cancel(order_id: int) -> str:
    raise HTTPException(403, "Not yours")
""",
        },
        {
            "shop/main.py": _MADE
            + """

@app.exception_handler(409)
async def conflict(request, error): ...
""",
            "shop/services/orders.py": """\
from fastapi import HTTPException

from shop.errors import InvalidRequestError, NotFoundError


def find(order_id: int) -> str:
    if order_id < 0:
        raise InvalidRequestError("No number")
    raise NotFoundError("No such order")


def buy(order_id: int) -> str:
    raise HTTPException(409, "Sold out")


def cancel(order_id: int) -> str:
    raise HTTPException(403, "Not yours")
""",
            "shop/errors.py": _ERRORS,
            "shop/error_handlers.py": _HANDLERS,
        },
        stopped=("shop/services/orders.py:13", "shop/services/orders.py:17"),
    ),
    Case(
        "an exception that is made first, a status without a word of its own, a detail that is not told",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": """\
from fastapi import HTTPException


def find(order_id: int, why: str | None = None) -> str:
    refused = HTTPException(status_code=404, detail=f"No order {order_id}", headers=None)
    if not order_id:
        raise refused
    try:
        name = str(order_id)
    except ValueError as error:
        raise refused from error
    if order_id == 1:
        raise HTTPException(418, detail=None)
    if order_id == 2:
        raise HTTPException(422)
    if order_id == 3:
        raise HTTPException(404, why)
    logged = HTTPException(404, "Logged")
    print(logged)
    if order_id == 4:
        raise logged
    kept = HTTPException(404, "Kept")
    try:
        if order_id == 5:
            raise kept
    except HTTPException as error:
        return str(error)
    if order_id == 6:
        raise kept
    return name
""",
        },
        {
            "shop/main.py": _MADE,
            "shop/services/orders.py": """\
from fastapi import HTTPException

from shop.errors import IMATeapotError, NotFoundError


def find(order_id: int, why: str | None = None) -> str:
    refused = NotFoundError(f"No order {order_id}")
    if not order_id:
        raise refused
    try:
        name = str(order_id)
    except ValueError as error:
        raise refused from error
    if order_id == 1:
        raise IMATeapotError("I'm a Teapot")
    if order_id == 2:
        raise HTTPException(422)
    if order_id == 3:
        raise HTTPException(404, why)
    logged = HTTPException(404, "Logged")
    print(logged)
    if order_id == 4:
        raise logged
    kept = HTTPException(404, "Kept")
    try:
        if order_id == 5:
            raise kept
    except HTTPException as error:
        return str(error)
    if order_id == 6:
        raise kept
    return name
""",
            "shop/errors.py": _ERRORS[: _ERRORS.index("class InvalidRequestError")]
            + """class NotFoundError(DomainError):
    \"\"\"There is no such thing.\"\"\"


class IMATeapotError(DomainError):
    \"\"\"I'm a Teapot.\"\"\"
""",
            "shop/error_handlers.py": _HANDLERS.replace(
                "    InvalidRequestError,\n", "    IMATeapotError,\n"
            )
            .replace("    InvalidRequestError: 400,\n", "")
            .replace(
                "    NotFoundError: 404,\n", "    NotFoundError: 404,\n    IMATeapotError: 418,\n"
            ),
        },
        stopped=tuple(f"shop/services/orders.py:{line}" for line in (17, 19, 23, 31)),
    ),
    Case(
        "new errors are of the kind of the project's own; a handler of that kind does not answer them",
        {
            **_PACKAGE,
            "shop/errors.py": _OWN,
            "shop/main.py": _ANSWERING,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": _WITH_OWN,
        },
        {
            "shop/errors.py": _OWN + "\n\n" + _OF_OWN,
            "shop/main.py": _ANSWERING.replace(
                "from shop.errors",
                "from shop.error_handlers import add_error_handlers\nfrom shop.errors",
            ).replace("app = FastAPI()\n", "app = FastAPI()\nadd_error_handlers(app)\n"),
            "shop/services/orders.py": """\
from shop.errors import InvalidRequestError, NotFoundError, OutOfStock


def find(order_id: int) -> str:
    if order_id < 0:
        raise InvalidRequestError("No number")
    if order_id == 0:
        raise OutOfStock
    raise NotFoundError("No such order")
""",
            "shop/error_handlers.py": _HANDLERS,
        },
    ),
    Case(
        "where something looks out for the project's own errors, the new ones stand beside them",
        {
            **_PACKAGE,
            "shop/errors.py": _OWN,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.errors import ShopError
from shop.services.orders import find

router = APIRouter()


@router.get("/orders/{order_id}")
def order(order_id: int) -> str:
    try:
        return find(order_id)
    except ShopError:
        return ""
""",
            "shop/services/orders.py": _WITH_OWN,
        },
        {
            "shop/main.py": _MADE,
            "shop/services/orders.py": """\
from shop.domain_errors import InvalidRequestError, NotFoundError
from shop.errors import OutOfStock


def find(order_id: int) -> str:
    if order_id < 0:
        raise InvalidRequestError("No number")
    if order_id == 0:
        raise OutOfStock
    raise NotFoundError("No such order")
""",
            "shop/domain_errors.py": _ERRORS.replace(
                'says what."""',
                """says what.

    Beside `ShopError`, which `shop.routers.orders` looks out for.
    \"\"\"""",
            ),
            "shop/error_handlers.py": _HANDLERS.replace("shop.errors", "shop.domain_errors"),
        },
    ),
    Case(
        "errors of the project that are made in another way",
        {
            **_PACKAGE,
            "shop/exceptions.py": """\
class ShopError(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class OutOfStock(ShopError):
    pass
""",
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": _SERVICE,
        },
        {
            "shop/main.py": _MADE,
            "shop/services/orders.py": _RAISING,
            "shop/errors.py": _ERRORS.replace(
                'says what."""',
                """says what.

    Beside `ShopError`, which is made in a way of its own.
    \"\"\"""",
            ),
            "shop/error_handlers.py": _HANDLERS,
        },
    ),
    Case(
        "errors of the project with the names of the new ones",
        {
            **_PACKAGE,
            "shop/errors.py": _OWN.replace("OutOfStock", "NotFoundError"),
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": _SERVICE,
        },
        {
            "shop/main.py": _MADE,
            "shop/services/orders.py": _RAISING.replace("shop.errors", "shop.domain_errors"),
            "shop/domain_errors.py": _ERRORS.replace(
                'says what."""',
                """says what.

    Beside `ShopError`, whose module has such names already.
    \"\"\"""",
            ),
            "shop/error_handlers.py": _HANDLERS.replace("shop.errors", "shop.domain_errors"),
        },
    ),
    Case(
        "a subclass of HTTPException that the project defines becomes an error of the application itself",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/exceptions.py": """\
from fastapi import HTTPException, status


class OrderNotFound(HTTPException):
    \"\"\"There is no such order.\"\"\"

    def __init__(self, order_id: int) -> None:
        super().__init__(status_code=status.HTTP_404_NOT_FOUND, detail=f"No order {order_id}")


class LoggedIn(HTTPException):
    def __init__(self) -> None:
        super().__init__(401, "Who are you?", {"WWW-Authenticate": "Bearer"})


class Gone(HTTPException):
    def __init__(self, status: int = 410) -> None:
        super().__init__(status, "It is gone")
        self.at = status


class Teapot(HTTPException):
    def __init__(self) -> None:
        super().__init__(418)


class Slow(HTTPException):
    def __init__(self) -> None:
        super().__init__(429, "Slowly")
""",
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException

from shop.exceptions import LoggedIn, OrderNotFound, Slow
from shop.services.orders import find

router = APIRouter()


@router.get("/orders/{order_id}")
def order(order_id: int) -> str:
    if order_id < 0:
        raise OrderNotFound(order_id)
    try:
        return find(order_id)
    except OrderNotFound:
        return ""
    except HTTPException:
        raise


@router.get("/limits")
def limits() -> int:
    return Slow().status_code
""",
            "shop/services/orders.py": """\
from shop.exceptions import Gone, LoggedIn, OrderNotFound, Slow


def find(order_id: int) -> str:
    if order_id == 1:
        raise OrderNotFound(order_id)
    if order_id == 2:
        raise LoggedIn()
    if order_id == 3:
        raise Gone
    raise Slow
""",
        },
        {
            "shop/main.py": _MADE,
            "shop/exceptions.py": """\
from fastapi import HTTPException

from shop.errors import DomainError


class OrderNotFound(DomainError):
    \"\"\"There is no such order.\"\"\"

    def __init__(self, order_id: int) -> None:
        super().__init__(f"No order {order_id}")


class LoggedIn(DomainError):
    def __init__(self) -> None:
        super().__init__("Who are you?")


class Gone(HTTPException):
    def __init__(self, status: int = 410) -> None:
        super().__init__(status, "It is gone")
        self.at = status


class Teapot(HTTPException):
    def __init__(self) -> None:
        super().__init__(418)


class Slow(HTTPException):
    def __init__(self) -> None:
        super().__init__(429, "Slowly")
""",
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException

from shop.errors import DomainError
from shop.exceptions import LoggedIn, OrderNotFound, Slow
from shop.services.orders import find

router = APIRouter()


@router.get("/orders/{order_id}")
def order(order_id: int) -> str:
    if order_id < 0:
        raise OrderNotFound(order_id)
    try:
        return find(order_id)
    except OrderNotFound:
        return ""
    except (HTTPException, DomainError):
        raise


@router.get("/limits")
def limits() -> int:
    return Slow().status_code
""",
            "shop/errors.py": _ERRORS[: _ERRORS.index("\n\nclass InvalidRequestError")],
            "shop/error_handlers.py": _HANDLERS.replace(
                """from shop.errors import (
    DomainError,
    InvalidRequestError,
    NotFoundError,
)
""",
                """from shop.errors import (
    DomainError,
)
from shop.exceptions import (
    LoggedIn,
    OrderNotFound,
)
""",
            )
            .replace(
                """    InvalidRequestError: 400,
    NotFoundError: 404,
}
""",
                """    LoggedIn: 401,
    OrderNotFound: 404,
}
_HEADERS: dict[type[DomainError], dict[str, str]] = {
    LoggedIn: {"WWW-Authenticate": "Bearer"},
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
        stopped=("shop/services/orders.py:10", "shop/services/orders.py:11"),
    ),
    Case(
        "errors of the project with and without HTTP in one module",
        {
            **_PACKAGE,
            "shop/errors.py": "from fastapi import HTTPException\n\n\n" + _OWN + _GONE,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": """\
from shop.errors import Gone, OutOfStock


def find(order_id: int) -> str:
    if order_id < 0:
        raise Gone(order_id)
    raise OutOfStock
""",
        },
        {
            "shop/main.py": _MADE,
            "shop/errors.py": "from shop.domain_errors import DomainError\n\n\n"
            + _OWN
            + _GONE.replace("HTTPException", "DomainError").replace("410, ", ""),
            "shop/domain_errors.py": _ERRORS[: _ERRORS.index("\n\nclass InvalidReq")].replace(
                'says what."""',
                """says what.

    Beside `ShopError`, whose module has subclasses of `HTTPException` that became new ones.
    \"\"\"""",
            ),
            "shop/error_handlers.py": _HANDLERS.replace(
                """from shop.errors import (
    DomainError,
    InvalidRequestError,
    NotFoundError,
)
""",
                """from shop.domain_errors import (
    DomainError,
)
from shop.errors import (
    Gone,
)
""",
            ).replace(
                "    InvalidRequestError: 400,\n    NotFoundError: 404,\n", "    Gone: 410,\n"
            ),
        },
    ),
    Case(
        "a class that a test expects, one that others are kinds of, one whose name another error has",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/exceptions.py": """\
from fastapi import HTTPException


class NotFoundError(HTTPException):
    def __init__(self) -> None:
        super().__init__(404, "Nothing there")


class Refused(HTTPException):
    def __init__(self) -> None:
        super().__init__(403, "No")


class RefusedForever(Refused):
    pass


class Busy(HTTPException):
    def __init__(self) -> None:
        super().__init__(409, "Busy")
""",
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": """\
from fastapi import HTTPException

from shop import exceptions
from shop.exceptions import Busy, Refused


def find(order_id: int) -> str:
    if order_id == 1:
        raise Busy()
    if order_id == 2:
        raise Refused()
    if order_id == 3:
        raise exceptions.NotFoundError()
    if order_id < 0:
        raise HTTPException(400, "No number")
    raise HTTPException(404, "No order")
""",
            "tests/test_orders.py": """\
import pytest

from shop.exceptions import Busy
from shop.services.orders import find


def test_busy() -> None:
    with pytest.raises(Busy) as caught:
        find(1)
    assert caught.value.status_code == 409
""",
        },
        {
            "shop/main.py": _MADE,
            "shop/services/orders.py": """\
from shop import exceptions
from shop.errors import InvalidRequestError, NotFoundError
from shop.exceptions import Busy, Refused


def find(order_id: int) -> str:
    if order_id == 1:
        raise Busy()
    if order_id == 2:
        raise Refused()
    if order_id == 3:
        raise exceptions.NotFoundError()
    if order_id < 0:
        raise InvalidRequestError("No number")
    raise NotFoundError("No order")
""",
            "shop/errors.py": _ERRORS,
            "shop/error_handlers.py": _HANDLERS,
        },
        stopped=tuple(f"shop/services/orders.py:{line}" for line in (8, 10, 12)),
    ),
    Case(
        "handlers that the application is made with; one for everything else does not see HTTPException",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN.replace(
                "app = FastAPI()",
                """
async def own(request, error): ...


app = FastAPI(exception_handlers={404: own, Exception: own})""",
            ),
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": _SERVICE,
        },
        {
            "shop/main.py": _MADE.replace(
                "app = FastAPI()",
                """
async def own(request, error): ...


app = FastAPI(exception_handlers={404: own, Exception: own})""",
            ),
            "shop/services/orders.py": """\
from fastapi import HTTPException, status

from shop.errors import InvalidRequestError

ORDERS = {1: "a"}


def find(order_id: int) -> str:
    if order_id < 0:
        raise InvalidRequestError({"order": order_id})
    if order_id not in ORDERS:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"No order {order_id}")  # SHOP-12
    return ORDERS[order_id]
""",
            "shop/errors.py": _ERRORS[: _ERRORS.index("\n\nclass NotFoundError")],
            "shop/error_handlers.py": _HANDLERS.replace("    NotFoundError,\n", "").replace(
                "    NotFoundError: 404,\n", ""
            ),
        },
        stopped=("shop/services/orders.py:12",),
    ),
    Case(
        "handlers that are registered in a loop",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN
            + """

async def own(request, error): ...


for kind in [ValueError, KeyError]:
    app.add_exception_handler(kind, own)
""",
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": _SERVICE,
        },
        stopped=("shop/services/orders.py:8",),
    ),
    Case(
        "a test that makes an application of its own",
        {
            **_PACKAGE,
            "shop/main.py": _MAIN,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": _SERVICE,
            "tests/test_orders.py": _TEST,
        },
        stopped=("shop/services/orders.py:8",),
    ),
    Case(
        "a test whose application has the handlers, and does not mind that they grow",
        {
            **_PACKAGE,
            "shop/main.py": _MADE,
            "shop/routers/orders.py": _ROUTER,
            "shop/services/orders.py": _SERVICE,
            "shop/errors.py": _ERRORS,
            "shop/error_handlers.py": _HANDLERS,
            "tests/test_orders.py": _TEST.replace(
                "from shop.routers",
                "from shop.error_handlers import add_error_handlers\nfrom shop.routers",
            ).replace("app = FastAPI()\n", "app = FastAPI()\nadd_error_handlers(app)\n"),
        },
        {"shop/services/orders.py": _RAISING},
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
