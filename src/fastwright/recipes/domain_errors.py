"""Business code says what went wrong; one module at the boundary says which status that is.

`raise HTTPException(404, "Order not found")` in a service or repository becomes `raise NotFoundError("Order not found")`: an
exception of the application, without HTTP in it, from a new module `errors.py`. A second new module, `error_handlers.py`, answers each
class with the status and body that clients got before, and is registered where the application is made. `except HTTPException: raise`
on the way lets the new exceptions pass as well.

Headers that are the same for all raises of a status (`WWW-Authenticate`) are the handler's as well. A second run adds to the modules that the first one wrote.

Left alone, with the line: exceptions whose status is not written out or whose headers are made on the spot or differ, raises on whose way something catches
`HTTPException` and does more than raise it again, or catches everything and looks into it, statuses that have a handler of their own, what WebSockets reach, and
applications that answer `HTTPException` in a way of their own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from posixpath import basename, commonpath, dirname, join

import msgspec

from fastwright.app.model import App
from fastwright.app.raises import HTTP_EXCEPTION, Raised, status_code
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.edit.builders import insert_after, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes._application import assignment, made_by_tests
from fastwright.recipes._from_rules import hits_of
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.rules.evidence import place

_RULE = "http-exception-in-service"
_BASE = "DomainError"
_MODULES = (("errors.py", "error_handlers.py"), ("domain_errors.py", "domain_error_handlers.py"))
_CLASSES = {
    400: ("InvalidRequestError", "What was asked for makes no sense."),
    401: ("NotAuthenticatedError", "It is not known who asks."),
    402: ("PaymentRequiredError", "It has to be paid for first."),
    403: ("PermissionDeniedError", "Whoever asks may not do this."),
    404: ("NotFoundError", "There is no such thing."),
    405: ("NotAllowedError", "This cannot be done here."),
    409: ("ConflictError", "It contradicts what is there."),
    410: ("GoneError", "It is not there any more."),
    412: ("PreconditionFailedError", "It is not as it was expected to be."),
    413: ("TooLargeError", "It is larger than what is taken."),
    415: ("UnsupportedTypeError", "It is of a kind that is not taken."),
    422: ("InvalidValueError", "A value is not what it has to be."),
    423: ("LockedError", "Somebody else is at it."),
    424: ("DependencyFailedError", "What it depends on failed."),
    429: ("TooManyRequestsError", "It was asked for too often."),
    500: ("InternalError", "Something went wrong inside."),
    501: ("NotImplementedYetError", "This is not there yet."),
    502: ("UpstreamError", "A service behind this one gave a wrong answer."),
    503: ("UnavailableError", "It cannot be done at the moment."),
    504: ("UpstreamTimeoutError", "A service behind this one did not answer."),
}
"""Status -> the class that stands for it, and its docstring."""
_STATUSES = frozenset(status.value for status in HTTPStatus if status.value >= 400)
_RENAMED = frozenset({413, 414, 416, 422})
"""Those whose phrase is another one in Python 3.13."""
_ARGUMENTS = ("status_code", "detail", "headers")
_LINE = 88
_EVERYTHING = frozenset({"builtins.Exception", "builtins.BaseException"})


def _class_of(status: int) -> tuple[str, str]:
    """Return the class that stands for a status, and its docstring."""
    phrase = HTTPStatus(status).phrase
    named = "".join(word.capitalize() for word in re.findall(r"[A-Za-z]+", phrase))
    return _CLASSES.get(status) or (f"{named}Error", f"{phrase}.")


class _Change(msgspec.Struct, frozen=True, eq=False):
    """A raise that becomes one of a class of the application."""

    raised: Raised
    call: s.Call
    """``HTTPException(...)``: what is raised, or what it was bound to."""
    status: int
    detail: str
    """The argument, as it is written."""
    headers: str
    """The argument, as it is written; empty where there is none."""


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
    changes: list[_Change] = []
    answered = _answered(app)
    for raised in found:
        change = _change(app, raised)
        if isinstance(change, _Change) and change.status in answered:
            change = f"the application answers {change.status} in a way of its own"
        stop = change if isinstance(change, str) else way.stop(raised)
        if isinstance(change, str) or stop is not None:
            yield Stopped(_line(raised), str(stop))
        else:
            changes.append(change)
    common = _headers(changes)
    for change in changes:
        if change.headers != common[change.status]:
            yield Stopped(_line(change.raised), "other raises of this status have other headers")
    changes = [each for each in changes if each.headers == common[each.status]]
    if changes:
        yield from _proposal(app, changes, way)


def _headers(changes: list[_Change]) -> dict[int, str]:
    """Return, for each status, the headers that most raises of it have."""
    counted = Counter((change.status, change.headers) for change in changes)
    found: dict[int, str] = {}
    for (status, headers), _ in counted.most_common():
        found.setdefault(status, headers)
    return found


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


def _change(app: App, raised: Raised) -> _Change | str:
    """Return what a raise becomes, or why it stays."""
    call = _made(app, raised)
    if raised.cls != HTTP_EXCEPTION or call is None:
        return "raises a subclass of HTTPException, or one that was made elsewhere"
    if raised.status is None or raised.status not in _STATUSES:
        return "the status is not written out"
    named = {keyword.arg for keyword in call.keywords}
    if not named <= {"status_code", "detail", "headers"} or len(call.args) > len(_ARGUMENTS):
        return "has arguments that are not read"
    module = raised.function.module
    headers = call.argument(2, "headers")
    if headers is not None and not _is_fixed(headers):
        return "has headers that are made on the spot"
    detail = call.argument(1, "detail")
    says = detail is not None and not (isinstance(detail, s.Constant) and detail.kind == "none")
    given = text(module, detail) if detail is not None and says else None
    if given is None and raised.status in _RENAMED:
        return "what it says without a detail depends on the version of Python"
    given = given or f'"{HTTPStatus(raised.status).phrase}"'
    written = text(module, headers) if isinstance(headers, s.Dict) else ""
    return _Change(raised, call, raised.status, given, written)


def _is_fixed(headers: s.Expr) -> bool:
    """Whether headers are the same every time: texts, or None."""
    if isinstance(headers, s.Constant):
        return headers.kind == "none"
    return isinstance(headers, s.Dict) and all(
        part is not None and s.string(part) is not None for part in (*headers.keys, *headers.values)
    )


def _made(app: App, raised: Raised) -> s.Call | None:
    """Return the call that makes what is raised, where its function makes it, for nothing but raising."""
    given, function = raised.node.exc, raised.function
    if isinstance(given, s.Call):
        return given
    if not isinstance(given, s.Name):
        return None
    bound = app.types.locals.of(function).get(given.id, [])
    thrown = {id(node.exc) for node in s.walk(*function.node.body) if isinstance(node, s.Raise)}
    named = [n for n in s.walk(*function.node.body) if isinstance(n, s.Name) and n.id == given.id]
    if len(bound) != 1 or sum(id(node) not in thrown for node in named) != 1:
        return None
    made = bound[0].value
    return made if bound[0].how == "assign" and isinstance(made, s.Call) else None


def _answered(app: App) -> set[int]:
    """Return the statuses that applications answer with a handler of their own."""
    found = set()
    for application in app.applications:
        for handler in application.exception_handlers:
            given = handler.exception
            where = Where(given.module, given.function)
            status = status_code(_expression(given.node), app.types, where)
            if status is not None:
                found.add(status)
    return found


def _expression(node: s.Node) -> s.Expr:
    return node  # type: ignore[return-value]


def _whole_stop(app: App) -> str | None:
    """Return what keeps the recipe from changing anything."""
    for application in app.applications:
        for handler in application.exception_handlers:
            given = handler.exception
            if app.linker.external(given.node, given.module, given.function) == HTTP_EXCEPTION:
                return "the application answers HTTPException in a way of its own"
    for module in app.tests:
        if b"raises(HTTPException" in module.source:
            return f"{module.path} expects HTTPException of business code"
    other = made_by_tests(app)
    if other is not None:
        return f"{other[0].path} makes an application of its own"
    made = [assignment(each) for each in app.applications if each.fastapi]
    if not made or None in made:
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
        waiting += self._yielding()
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

    def _yielding(self) -> Iterator[tuple[Function, tuple[s.Try, ...]]]:
        """Yield dependencies that are told what an endpoint raises, with what they do about it."""
        for function in self.app.request_roots:
            if function.node.is_generator and not self.app.routes_for(function):
                for _, around in self.app.calls.of_kind(function, s.Yield):
                    yield function, around.tries

    def _caught(self, function: Function, tried: s.Try) -> str | None:
        for handler in tried.handlers:
            line = f"{function.module.path}:{function.module.line(handler)}"
            if self._names(function, handler.type, frozenset({HTTP_EXCEPTION})):
                if not _only_raises(handler):
                    return f"{line} catches HTTPException and does more than raise it"
                self.lets_pass[id(handler)] = (function.module, handler)
                return None
            if self._names(function, handler.type, _EVERYTHING):
                looks = handler.name is not None and _looks_into(handler)
                return f"{line} catches everything and looks into it" if looks else None
        return None

    def _names(self, function: Function, node: s.Expr | None, wanted: frozenset[str]) -> bool:
        kinds = node.elts if isinstance(node, s.Tuple) else [node] if node is not None else []
        external = self.app.linker.external
        return any(external(kind, function.module, function) in wanted for kind in kinds)


def _looks_into(handler: s.ExceptHandler) -> bool:
    """Whether a handler uses the exception for more than to name it as a cause."""
    causes = {id(node.cause) for node in s.walk(*handler.body) if isinstance(node, s.Raise)}
    return any(
        isinstance(node, s.Name) and node.id == handler.name and id(node) not in causes
        for node in s.walk(*handler.body)
    )


def _only_raises(handler: s.ExceptHandler) -> bool:
    """``except HTTPException: session.rollback(); raise``: what it is, makes no difference."""
    last = handler.body[-1]
    if not isinstance(last, s.Raise) or last.exc is not None:
        return False
    if handler.name is None:
        return True
    return not any(isinstance(n, s.Name) and n.id == handler.name for n in s.walk(*handler.body))


# ------------------------------------------------------------------- the change


class _Home(msgspec.Struct, frozen=True, eq=False):
    """The two modules, new or as an earlier run wrote them."""

    errors: str
    handlers: str
    written: Module | None = None
    """That of the handlers; None where both are new."""
    known: Mapping[int, str] = {}
    """Status -> the class that stands for it."""
    headers: Mapping[str, str] = {}
    """Class -> the headers that go with it, as they are written."""


def _proposal(app: App, changes: list[_Change], way: _Way) -> Iterator[Planned]:
    home = _earlier(app) or _new(app, _folder(changes))
    if home is None:
        yield Stopped(_line(changes[0].raised), "the modules for errors are there already")
        return
    module_name, handlers_name = app.index.name(home.errors), app.index.name(home.handlers)
    edits: list[Edit] = []
    imports: list[Import] = []
    for change in changes:
        module = change.raised.function.module
        name = home.known.get(change.status) or _class_of(change.status)[0]
        brought = bring(module, module_name, name)
        if brought is None:
            yield Stopped(_line(change.raised), f"{name} is taken there")
            return
        if name in home.known.values() and home.headers.get(name, "") != change.headers:
            yield Stopped(_line(change.raised), "other raises of this status have other headers")
            return
        edits.append(replace(module, change.call, f"{brought.name}({change.detail})"))
        imports += brought.imports
    for module, handler in way.lets_pass.values():
        brought = bring(module, module_name, _BASE)
        if brought is None or handler.type is None:
            yield Stopped(f"{module.path}:{module.line(handler)}", f"{_BASE} is taken there")
            return
        kinds = handler.type.elts if isinstance(handler.type, s.Tuple) else [handler.type]
        names = [text(module, kind) for kind in kinds]
        if brought.name not in names:
            edits.append(replace(module, handler.type, f"({', '.join([*names, brought.name])})"))
            imports += brought.imports
    statuses = {change.status: _class_of(change.status) for change in changes}
    headers = {_class_of(each.status)[0]: each.headers for each in changes if each.headers}
    new: dict[str, str] = {}
    if home.written is not None:
        missing = {status: named for status, named in statuses.items() if status not in home.known}
        edits += _added(app.modules[home.errors], home.written, missing, headers)
        imports += [Import(home.handlers, module_name, name) for name, _ in missing.values()]
    else:
        registered = _registered(app, handlers_name)
        if registered is None:
            yield Stopped(_line(changes[0].raised), "add_error_handlers means something else")
            return
        edits += registered[0]
        imports += registered[1]
        new = {
            home.errors: _errors(statuses),
            home.handlers: _handlers(statuses, headers, module_name),
        }
    title = f"{len(changes)} HTTPException of business code become errors of the application"
    places = tuple(_line(change.raised) for change in changes)
    yield Proposal(title, tuple(dict.fromkeys(edits)), tuple(imports), new, places=places)


def _registered(app: App, handlers: str) -> tuple[list[Edit], list[Import]] | None:
    """Return what adds the handlers where applications are made; None where their name is taken."""
    edits: list[Edit] = []
    imports: list[Import] = []
    for application in app.applications:
        found = assignment(application)
        if application.fastapi and found is not None:
            statement, variable = found
            brought = bring(application.module, handlers, "add_error_handlers")
            if brought is None:
                return None
            line = f"{brought.name}({variable})"
            edits.append(insert_after(application.module, statement, line))
            imports += brought.imports
    return edits, imports


def _new(app: App, folder: str) -> _Home | None:
    """Return the two new modules; None where there are modules of these names."""
    for errors, handlers in _MODULES:
        paths = join(folder, errors), join(folder, handlers)
        if not any(path in app.modules for path in paths):
            return _Home(*paths)
    return None


def _earlier(app: App) -> _Home | None:
    """Return the two modules as an earlier run wrote them."""
    for module in app.sources:
        for errors, handlers in _MODULES:
            beside = join(dirname(module.path), errors)
            if basename(module.path) != handlers or beside not in app.modules:
                continue
            statuses = _table(module, "_STATUS")
            known = {
                int(value.value): name
                for name, value in (statuses or {}).items()
                if isinstance(value, s.Constant) and isinstance(value.value, int)
            }
            if statuses and len(known) == len(statuses):
                headers = _table(module, "_HEADERS") or {}
                given = {name: text(module, value) for name, value in headers.items()}
                return _Home(beside, module.path, module, known, given)
    return None


def _table(module: Module, name: str) -> dict[str, s.Expr] | None:
    """Return what a dictionary at the top of a module holds, by the names of its keys."""
    found = _dictionary(module, name)
    if found is None:
        return None
    pairs = zip(found.keys, found.values, strict=True)
    return {key.id: value for key, value in pairs if isinstance(key, s.Name)}


def _dictionary(module: Module, name: str) -> s.Dict | None:
    for statement in module.facts.body:
        if isinstance(statement, s.AnnAssign) and s.last_name(statement.target) == name:
            return statement.value if isinstance(statement.value, s.Dict) else None
    return None


def _added(
    errors: Module,
    handlers: Module,
    missing: Mapping[int, tuple[str, str]],
    headers: Mapping[str, str],
) -> list[Edit]:
    """Return the edits that add errors to modules that an earlier run wrote."""
    edits: list[Edit] = []
    rows = [f"    {name}: {status},\n" for status, (name, _) in sorted(missing.items())]
    noted = [f"    {name}: {headers[name]},\n" for name, _ in missing.values() if name in headers]
    for table, lines in (("_STATUS", rows), ("_HEADERS", noted)):
        found = _dictionary(handlers, table)
        if found is not None and lines:
            closing = found.end - 1
            before = "" if handlers.source[closing - 1 : closing] == b"\n" else "\n"
            edits.append(Edit(handlers.path, closing, closing, before + "".join(lines)))
    end = len(errors.source)
    edits.append(Edit(errors.path, end, end, _classes(missing)))
    return edits


def _folder(changes: list[_Change]) -> str:
    """Return the innermost folder that holds all of the business code that raises, but no layer's own."""
    folders = [dirname(change.raised.function.module.path) for change in changes]
    found = commonpath(folders) if all(folders) else ""
    layered = {"services", "service", "repositories", "repository", "crud", "models", "core"}
    while found and found.rpartition("/")[2] in layered:
        found = dirname(found)
    return found


def _classes(statuses: Mapping[int, tuple[str, str]]) -> str:
    return "".join(
        f'\n\nclass {name}({_BASE}):\n    """{doc}"""\n'
        for _, (name, doc) in sorted(statuses.items())
    )


def _errors(statuses: Mapping[int, tuple[str, str]]) -> str:
    return f'''"""What can go wrong in the application, in its own words: no HTTP."""

from __future__ import annotations


class {_BASE}(Exception):
    """Something that the application refuses, or cannot do; ``detail`` says what."""

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail
{_classes(statuses)}'''


def _handlers(
    statuses: Mapping[int, tuple[str, str]], headers: Mapping[str, str], errors: str
) -> str:
    names = sorted([_BASE, *(name for name, _ in statuses.values())])
    wanted = "".join(f"    {name},\n" for name in names)
    rows = "".join(f"    {name}: {status},\n" for status, (name, _) in sorted(statuses.items()))
    noted = "".join(f"    {name}: {given},\n" for name, given in sorted(headers.items()))
    table = f"_HEADERS: dict[type[{_BASE}], dict[str, str]] = {{\n{noted}}}\n" if noted else ""
    answer = '{"detail": error.detail}, status_code=_STATUS[type(error)]'
    if noted:
        answer += ", headers=_HEADERS.get(type(error))"
    answered = f"    return JSONResponse({answer})"
    if len(answered) > _LINE:
        answered = f"    return JSONResponse(\n        {answer}\n    )"
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
{answered}


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
    raise HTTPException(429, "Slowly", headers={"Retry-After": str(order_id)})
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
    Case(
        "headers that all raises of a status share, an exception that is made first, a status without a word of its own",
        {
            "shop/__init__.py": "",
            "shop/routers/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.routers import orders

app = FastAPI()
app.include_router(orders.router)
""",
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.services import orders

router = APIRouter()


@router.get("/orders/{order_id}")
def order(order_id: int, token: str) -> str:
    orders.check(token)
    return orders.find(order_id)
""",
            "shop/services/orders.py": """\
from fastapi import HTTPException

ORDERS = {1: "a"}


def check(token: str) -> None:
    refused = HTTPException(
        status_code=401, detail="Who are you?", headers={"WWW-Authenticate": "Bearer"}
    )
    if not token:
        raise refused
    try:
        number = int(token)
    except ValueError as error:
        raise refused from error
    if number > 9:
        raise HTTPException(401, "No such token", {"WWW-Authenticate": "Bearer"})
    if number == 8:
        raise HTTPException(401, "Old token")


def find(order_id: int) -> str:
    if order_id > 1:
        raise HTTPException(418, detail=None)
    return ORDERS[order_id]
""",
        },
        {
            "shop/main.py": """\
from fastapi import FastAPI

from shop.error_handlers import add_error_handlers
from shop.routers import orders

app = FastAPI()
add_error_handlers(app)
app.include_router(orders.router)
""",
            "shop/services/orders.py": """\
from fastapi import HTTPException

from shop.errors import IMATeapotError, NotAuthenticatedError

ORDERS = {1: "a"}


def check(token: str) -> None:
    refused = NotAuthenticatedError("Who are you?")
    if not token:
        raise refused
    try:
        number = int(token)
    except ValueError as error:
        raise refused from error
    if number > 9:
        raise NotAuthenticatedError("No such token")
    if number == 8:
        raise HTTPException(401, "Old token")


def find(order_id: int) -> str:
    if order_id > 1:
        raise IMATeapotError("I'm a Teapot")
    return ORDERS[order_id]
""",
            "shop/errors.py": """\
\"\"\"What can go wrong in the application, in its own words: no HTTP.\"\"\"

from __future__ import annotations


class DomainError(Exception):
    \"\"\"Something that the application refuses, or cannot do; ``detail`` says what.\"\"\"

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail


class NotAuthenticatedError(DomainError):
    \"\"\"It is not known who asks.\"\"\"


class IMATeapotError(DomainError):
    \"\"\"I'm a Teapot.\"\"\"
""",
            "shop/error_handlers.py": """\
\"\"\"Answers of the API to what goes wrong in the application: the one place that knows both.\"\"\"

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from shop.errors import (
    DomainError,
    IMATeapotError,
    NotAuthenticatedError,
)

_STATUS: dict[type[DomainError], int] = {
    NotAuthenticatedError: 401,
    IMATeapotError: 418,
}
_HEADERS: dict[type[DomainError], dict[str, str]] = {
    NotAuthenticatedError: {"WWW-Authenticate": "Bearer"},
}


async def answer(_request: Request, error: Exception) -> JSONResponse:
    \"\"\"Answer an error of the application with its status.\"\"\"
    assert isinstance(error, DomainError)
    return JSONResponse(
        {"detail": error.detail}, status_code=_STATUS[type(error)], headers=_HEADERS.get(type(error))
    )


def add_error_handlers(app: FastAPI) -> None:
    \"\"\"Let an application answer errors of the domain.\"\"\"
    app.add_exception_handler(DomainError, answer)
""",
        },
        stopped=("shop/services/orders.py:19",),
    ),
    Case(
        "a status with a handler of its own, what looks into every exception, and a dependency that is told of it",
        {
            "shop/__init__.py": "",
            "shop/routers/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.routers import orders

app = FastAPI()


@app.exception_handler(409)
async def conflict(request, error): ...


app.include_router(orders.router)
""",
            "shop/database.py": """\
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
""",
            "shop/routers/orders.py": """\
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException

from shop.database import Work, get_work
from shop.services import orders

router = APIRouter()
WorkDep = Annotated[Work, Depends(get_work)]


@router.get("/orders/{order_id}")
def order(order_id: int, work: WorkDep) -> str:
    return orders.find(order_id)


@router.post("/orders/{order_id}")
def buy(order_id: int, work: WorkDep) -> str:
    return orders.buy(order_id)


@router.delete("/orders/{order_id}")
def cancel(order_id: int, work: WorkDep) -> str:
    try:
        return orders.cancel(order_id)
    except Exception as error:
        raise HTTPException(500, f"Sorry: {error}")
""",
            "shop/services/orders.py": """\
from fastapi import HTTPException


def find(order_id: int) -> str:
    raise HTTPException(404, detail="No such order")


def buy(order_id: int) -> str:
    raise HTTPException(409, detail="Sold out")


def cancel(order_id: int) -> str:
    raise HTTPException(403, detail="Not yours")
""",
        },
        {
            "shop/main.py": """\
from fastapi import FastAPI

from shop.error_handlers import add_error_handlers
from shop.routers import orders

app = FastAPI()
add_error_handlers(app)


@app.exception_handler(409)
async def conflict(request, error): ...


app.include_router(orders.router)
""",
            "shop/database.py": """\
from collections.abc import Iterator

from fastapi import HTTPException

from shop.errors import DomainError


class Work:
    def commit(self) -> None: ...

    def rollback(self) -> None: ...


def get_work() -> Iterator[Work]:
    work = Work()
    try:
        yield work
    except (HTTPException, DomainError):
        work.rollback()
        raise
    except Exception as error:
        print(error)
        raise
""",
            "shop/services/orders.py": """\
from fastapi import HTTPException

from shop.errors import NotFoundError


def find(order_id: int) -> str:
    raise NotFoundError("No such order")


def buy(order_id: int) -> str:
    raise HTTPException(409, detail="Sold out")


def cancel(order_id: int) -> str:
    raise HTTPException(403, detail="Not yours")
""",
            "shop/errors.py": """\
\"\"\"What can go wrong in the application, in its own words: no HTTP.\"\"\"

from __future__ import annotations


class DomainError(Exception):
    \"\"\"Something that the application refuses, or cannot do; ``detail`` says what.\"\"\"

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFoundError(DomainError):
    \"\"\"There is no such thing.\"\"\"
""",
            "shop/error_handlers.py": """\
\"\"\"Answers of the API to what goes wrong in the application: the one place that knows both.\"\"\"

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from shop.errors import (
    DomainError,
    NotFoundError,
)

_STATUS: dict[type[DomainError], int] = {
    NotFoundError: 404,
}


async def answer(_request: Request, error: Exception) -> JSONResponse:
    \"\"\"Answer an error of the application with its status.\"\"\"
    assert isinstance(error, DomainError)
    return JSONResponse({"detail": error.detail}, status_code=_STATUS[type(error)])


def add_error_handlers(app: FastAPI) -> None:
    \"\"\"Let an application answer errors of the domain.\"\"\"
    app.add_exception_handler(DomainError, answer)
""",
        },
        stopped=(
            "shop/services/orders.py:11",
            "shop/services/orders.py:15",
        ),
    ),
    Case(
        "a second run adds to the modules that the first one wrote",
        {
            "shop/__init__.py": "",
            "shop/routers/__init__.py": "",
            "shop/services/__init__.py": "",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.error_handlers import add_error_handlers
from shop.routers import orders

app = FastAPI()
add_error_handlers(app)
app.include_router(orders.router)
""",
            "shop/errors.py": """\
\"\"\"What can go wrong in the application, in its own words: no HTTP.\"\"\"

from __future__ import annotations


class DomainError(Exception):
    \"\"\"Something that the application refuses, or cannot do; ``detail`` says what.\"\"\"

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFoundError(DomainError):
    \"\"\"There is no such thing.\"\"\"
""",
            "shop/error_handlers.py": """\
\"\"\"Answers of the API to what goes wrong in the application: the one place that knows both.\"\"\"

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from shop.errors import (
    DomainError,
    NotFoundError,
)

_STATUS: dict[type[DomainError], int] = {
    NotFoundError: 404,
}


async def answer(_request: Request, error: Exception) -> JSONResponse:
    \"\"\"Answer an error of the application with its status.\"\"\"
    assert isinstance(error, DomainError)
    return JSONResponse({"detail": error.detail}, status_code=_STATUS[type(error)])


def add_error_handlers(app: FastAPI) -> None:
    \"\"\"Let an application answer errors of the domain.\"\"\"
    app.add_exception_handler(DomainError, answer)
""",
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.services import orders

router = APIRouter()


@router.get("/orders/{order_id}")
def order(order_id: int) -> str:
    return orders.find(order_id)
""",
            "shop/services/orders.py": """\
from fastapi import HTTPException


def find(order_id: int) -> str:
    if order_id < 0:
        raise HTTPException(400, detail="A number, please")
    raise HTTPException(404, detail="No such order")
""",
        },
        {
            "shop/errors.py": """\
\"\"\"What can go wrong in the application, in its own words: no HTTP.\"\"\"

from __future__ import annotations


class DomainError(Exception):
    \"\"\"Something that the application refuses, or cannot do; ``detail`` says what.\"\"\"

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFoundError(DomainError):
    \"\"\"There is no such thing.\"\"\"


class InvalidRequestError(DomainError):
    \"\"\"What was asked for makes no sense.\"\"\"
""",
            "shop/error_handlers.py": """\
\"\"\"Answers of the API to what goes wrong in the application: the one place that knows both.\"\"\"

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from shop.errors import (
    DomainError,
    InvalidRequestError,
    NotFoundError,
)

_STATUS: dict[type[DomainError], int] = {
    NotFoundError: 404,
    InvalidRequestError: 400,
}


async def answer(_request: Request, error: Exception) -> JSONResponse:
    \"\"\"Answer an error of the application with its status.\"\"\"
    assert isinstance(error, DomainError)
    return JSONResponse({"detail": error.detail}, status_code=_STATUS[type(error)])


def add_error_handlers(app: FastAPI) -> None:
    \"\"\"Let an application answer errors of the domain.\"\"\"
    app.add_exception_handler(DomainError, answer)
""",
            "shop/services/orders.py": """\
from shop.errors import InvalidRequestError, NotFoundError


def find(order_id: int) -> str:
    if order_id < 0:
        raise InvalidRequestError("A number, please")
    raise NotFoundError("No such order")
""",
        },
    ),
    Case(
        "a test that makes an application of its own",
        {
            "shop/__init__.py": "",
            "shop/services.py": """\
from fastapi import HTTPException

SEEN: dict[str, int] = {}


def find(name: str) -> str:
    SEEN[name] = SEEN.get(name, 0) + 1
    if not name:
        raise HTTPException(404, "No such order")
    return name
""",
            "shop/orders.py": """\
from fastapi import APIRouter

from shop import services

router = APIRouter()


@router.get("/orders/{name}")
def order(name: str) -> str:
    return services.find(name)


@router.get("/seen")
def seen() -> dict[str, int]:
    return services.SEEN
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop import orders


def create_app() -> FastAPI:
    app = FastAPI()
    app.include_router(orders.router)
    return app


app = create_app()
""",
            "tests/test_orders.py": """\
from fastapi import FastAPI
from fastapi.testclient import TestClient

from shop.orders import router

app = FastAPI()
app.include_router(router)


def test_order() -> None:
    assert TestClient(app).get("/orders/a").json() == "a"
""",
        },
        stopped=("shop/services.py:9",),
    ),
)
