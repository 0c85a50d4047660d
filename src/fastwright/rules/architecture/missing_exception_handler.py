"""An exception that a client can cause needs an answer: without one it is a 500.

A domain exception (`OutOfStock`, `UnknownCurrency`) that code below an endpoint raises, that
nobody on the way catches and for which no exception handler is registered, reaches the client as
"Internal Server Error", and the log as a crash. Register one handler for it, or for a base that
the exceptions of the domain share.

An endpoint that refuses what it was given with `raise ValueError(...)` ends the same way.

Reported for these, and for exceptions of the project whose name says that a client can cause them (not found,
invalid, already there, not allowed, too many ...), raised by code that requests are seen to run,
in a function that is given something. Silent where the exception is caught by name anywhere else
(whoever does that decides call by call, and may know that here it cannot come), and where something might catch it: a handler for a base or for `Exception`, a middleware, a
route class, a decorator or a context manager that catches, and where a handler's class is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.raises import Raised
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.setup.result import Application, ExceptionHandler, Place
from fastwright.app.symbols import Class, Function
from fastwright.app.types import (
    ClassObject,
    ExternalValue,
    FunctionValue,
    Instance,
    alternatives,
)
from fastwright.read import syntax as s
from fastwright.rules.architecture._http import runs_inline
from fastwright.rules.evidence import evidence, of_calls, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_CLIENT = re.compile(
    r"not_?found|does_?not_?exist|no_?such|missing|unknown|already|exists|duplicate|conflict"
    r"|invalid|bad_?|malformed|unsupported|illegal|not_?allowed|forbidden|denied|permission"
    r"|unauthori[sz]ed|not_?authenticated|expired|out_?of|insufficient|too_?(many|large|long|big)"
    r"|exceeded|limit|quota|locked|disabled|inactive|wrong|mismatch|rejected|closed",
    re.IGNORECASE,
)
_INTERNAL = re.compile(
    r"config|setting|environment|internal|provider|plugin|migration|revision|database|connection|server|import"
    r"|unexpected|state|response|credential|backend|service|timeout|context",
    re.IGNORECASE,
)
_PYTHONS = frozenset({"builtins.ValueError", "builtins.KeyError", "builtins.LookupError",
                      "builtins.PermissionError", "builtins.FileNotFoundError",
                      "builtins.Exception"})  # fmt: skip
_BROAD = frozenset({"builtins.Exception", "builtins.BaseException"})


def check(app: App) -> Iterator[Hit]:
    """Report each place that raises an exception which ends as a 500."""
    catching = _Catching(app)
    handling = _Handling(app, catching)
    callers = _callers(app)
    for step in app.reached:
        if not step.function.parameters:
            continue
        for raised in app.raises.of(step.function):
            cls = raised.cls
            if isinstance(cls, Class):
                if not _is_client_error(app, cls) or catching.by_name(cls):
                    continue
            elif not _refuses(app, raised):
                continue
            for root, chain in _ways_out(app, raised, cls, callers, catching):
                route = next((r for r in app.routes_for(root) if r.kind == "http"), None)
                if route is None or handling.answers(route, cls):
                    continue
                message = f"{raised.name} has no exception handler: {route.label} answers 500"
                last = evidence(raised.function.module, raised.node, f"raise {raised.name}")
                proof = (*of_route(route), *of_calls(chain), last)
                yield Hit(place(raised.function.module, raised.node), message, proof)
                break


def _is_client_error(app: App, cls: Class) -> bool:
    """Whether an exception of the project is one that a client can cause, by its name."""
    if cls.module.kind != "source" or app.raises.is_http(cls):
        return False
    if not _CLIENT.search(cls.name) or _INTERNAL.search(cls.name):
        return False
    names = app.linker.ancestors(cls)
    return names <= {"builtins.Exception", "builtins.ValueError", "builtins.LookupError",
                     "builtins.KeyError", "builtins.RuntimeError", "builtins.PermissionError"}  # fmt: skip


def _refuses(app: App, raised: Raised) -> bool:
    """Whether an endpoint refuses what it was given with an exception of Python: ``raise ValueError``.

    Below the endpoint, the same exception most often says that the program is wrong.
    """
    return (
        raised.cls in _PYTHONS
        and bool(app.routes_for(raised.function))
        and bool(raised.around.branches)
    )


# ------------------------------------------------------------------------- ways


Callers = dict[int, list[CallSite]]


def _callers(app: App) -> Callers:
    """Return, for each function, the calls that run it while a request is served."""
    found: Callers = {}
    for step in app.reached:
        for site in app.calls.sites(step.function):
            for target in site.targets:
                if runs_inline(site, target):
                    found.setdefault(id(target.node), []).append(site)
    return found


def _ways_out(
    app: App, raised: Raised, cls: Class | str, callers: Callers, catching: _Catching
) -> Iterator[tuple[Function, tuple[CallSite, ...]]]:
    """Yield the endpoints that an exception leaves uncaught, nearest first, and the calls to it."""
    start = raised.function
    if raised.around.deferred or start.node.is_generator or catching.around(raised, cls):
        return
    seen = {id(start.node)}
    frontier: list[tuple[Function, tuple[CallSite, ...]]] = [(start, ())]
    while frontier:
        following: list[tuple[Function, tuple[CallSite, ...]]] = []
        for function, chain in frontier:
            if catching.decorated(function, cls):
                continue
            if app.routes_for(function):
                yield function, chain
                continue
            for site in callers.get(id(function.node), ()):
                caller = site.caller
                if id(caller.node) in seen or caller.node.is_generator:
                    continue
                if catching.at(site, cls):
                    continue
                seen.add(id(caller.node))
                following.append((caller, (site, *chain)))
        frontier = following


@dataclass
class _Catching:
    """What catches exceptions beside a plain ``except``: decorators and context managers."""

    app: App
    _known: dict[tuple[int, int | str], bool] = field(default_factory=dict)
    _named: list[Class] | None = None

    def by_name(self, cls: Class) -> bool:
        """Whether code that requests reach catches the class, or a base in the project, by name."""
        if self._named is None:
            self._named = [
                found
                for step in self.app.reached
                for node, _ in self.app.calls.of_kind(step.function, s.Try)
                for handler in node.handlers
                for found in self._project_classes(step.function, handler.type)
            ]
        return any(self.app.raises.is_a(cls, base) for base in self._named)

    def _project_classes(self, function: Function, node: s.Expr | None) -> Iterator[Class]:
        for kind in node.elts if isinstance(node, s.Tuple) else [node]:
            found = self.app.linker.expression(kind, function.module, function)
            if isinstance(found, Class):
                yield found

    def around(self, raised: Raised, cls: Class | str) -> bool:
        """Whether the function that raises catches it itself, or something around it may."""
        where = Where(raised.function.module, raised.function)
        return self.app.raises.caught(cls, raised.around.tries, where) or self._with(
            raised.around.withs, where, cls
        )

    def at(self, site: CallSite, cls: Class | str) -> bool:
        """Whether an exception that comes out of a call is caught around it."""
        where = Where(site.module, site.caller)
        return self.app.raises.caught(cls, site.around.tries, where) or self._with(
            site.around.withs, where, cls
        )

    def decorated(self, function: Function, cls: Class | str) -> bool:
        """Whether a decorator of the function may catch."""
        where = Where(function.module, function.outer)
        for decorator in function.node.decorators:
            target = decorator.func if isinstance(decorator, s.Call) else decorator
            for option in alternatives(self.app.types.of(target, where)):
                if isinstance(option, FunctionValue) and self.catches(option.function, cls):
                    return True
                if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                    if any(self.catches(m, cls) for m in option.cls.own_methods.values()):
                        return True
                if isinstance(option, ExternalValue) and "retry" in option.name:
                    return True
        return False

    def _with(self, withs: tuple[s.With, ...], where: Where, cls: Class | str) -> bool:
        for statement in withs:
            for item in statement.items:
                if self._may_swallow(item.context_expr, where, cls):
                    return True
        return False

    def _may_swallow(self, node: s.Expr, where: Where, cls: Class | str) -> bool:
        call = node.func if isinstance(node, s.Call) else node
        for option in alternatives(self.app.types.of(call, where)):
            if isinstance(option, ExternalValue) and option.name == "contextlib.suppress":
                return True
            if isinstance(option, FunctionValue) and self.catches(option.function, cls):
                return True
            if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                for name in ("__exit__", "__aexit__"):
                    leave = self.app.linker.method(option.cls, name)
                    if leave is not None and any(
                        isinstance(n, (s.Return, s.Raise)) for n in s.walk_scope(*leave.node.body)
                    ):
                        return True
        return False

    def catches(self, function: Function, cls: Class | str) -> bool:
        """Whether a decorator or context manager, or a function inside it, catches ``cls``."""
        key = (id(function.node), cls if isinstance(cls, str) else id(cls.node))
        if key not in self._known:
            self._known[key] = False
            self._known[key] = any(
                isinstance(node, s.Try)
                and self.app.raises.caught(cls, (node,), Where(function.module, function))
                and not _only_reraises(node)
                for node in s.walk(*function.node.body)
            )
        return self._known[key]


def _only_reraises(node: s.Try) -> bool:
    """Whether every handler ends in a plain ``raise``: it looks, and lets through."""
    return bool(node.handlers) and all(
        handler.body and isinstance(last := handler.body[-1], s.Raise) and last.exc is None
        for handler in node.handlers
    )


# --------------------------------------------------------------------- handlers


@dataclass
class _Handled:
    """What one application maps to an answer. ``unknown``: a handler whose class was not found."""

    classes: list[Class | str] = field(default_factory=list)
    unknown: bool = False
    """Something catches whatever comes, or it is not known what."""


@dataclass
class _Handling:
    """Which exceptions the applications answer."""

    app: App
    catching: _Catching
    _by_endpoint: dict[int, list[Application]] = field(init=False)
    _known: dict[int, _Handled] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_endpoint = {}
        for application in self.app.applications:
            for record in application.routes:
                if record.endpoint is not None:
                    key = id(record.endpoint.node)
                    self._by_endpoint.setdefault(key, []).append(application)

    def answers(self, route: Route, cls: Class | str) -> bool:
        """Whether an exception that leaves the endpoint of a route is answered, or may be."""
        record = route.record
        endpoint = record.endpoint
        found = self._by_endpoint.get(id(endpoint.node)) if endpoint is not None else None
        applications = found or self.app.applications
        if any(self._answered_by(application, cls) for application in applications):
            return True
        layers = (record.keywords, *(layer.keywords for layer in record.inherited))
        return any(
            self._route_class_catches(given["route_class"], cls)
            for given in layers
            if "route_class" in given
        )

    def _answered_by(self, application: Application, cls: Class | str) -> bool:
        handled = self._known.get(id(application))
        if handled is None:
            handled = self._known[id(application)] = self._handled(application)
        return (
            handled.unknown
            or any(self.app.raises.is_a(cls, base) for base in handled.classes)
            or any(self._goes_on_and_catches(m, cls) for m in _middleware_methods(application))
        )

    def _handled(self, application: Application) -> _Handled:
        found = _Handled()
        given = application.keywords.get("exception_handlers")
        if given is not None and not application.exception_handlers:
            found.unknown = True
        for handler in application.exception_handlers:
            self._note(found, handler)
        return found

    def _note(self, found: _Handled, handler: ExceptionHandler) -> None:
        node = handler.exception.node
        if isinstance(node, s.Constant) and isinstance(node.value, int):  # a status code
            found.unknown = found.unknown or node.value == _SERVER_ERROR
            return
        kinds = list(self._classes(handler))
        if not kinds:
            found.unknown = True
        for kind in kinds:
            found.classes.append(kind)
            found.unknown = found.unknown or kind in _BROAD

    def _classes(self, handler: ExceptionHandler) -> Iterator[Class | str]:
        """Yield what a handler is registered for; if that is a variable, what it takes."""
        given = handler.exception
        where = Where(given.module, given.function)
        found = self.app.types.of(given.node, where)  # type: ignore[arg-type]
        known = [o for o in alternatives(found) if isinstance(o, (ClassObject, ExternalValue))]
        for named in known:
            yield named.cls if isinstance(named, ClassObject) else named.name
        function = handler.function
        if known or function is None or len(function.parameters) < len(("request", "exc")):
            return
        taken = self.app.types.parameter(function.parameters[1], function)
        for option in alternatives(taken):
            if isinstance(option, Instance):
                yield option.cls

    def _goes_on_and_catches(self, function: Function, cls: Class | str) -> bool:
        """Whether a middleware catches ``cls`` around the call that goes on to the application."""
        where = Where(function.module, function)
        for node, _ in self.app.calls.of_kind(function, s.Try):
            if _only_reraises(node):
                continue
            goes_on = any(
                isinstance(n, s.Call) and s.last_name(n.func) in {"call_next", "app", "_app"}
                for n in s.walk(*node.body)
            )
            if goes_on and self.app.raises.caught(cls, (node,), where):
                return True
        return False

    def _route_class_catches(self, given: Place, cls: Class | str) -> bool:
        where = Where(given.module, given.function)
        found = self.app.types.of(given.node, where)  # type: ignore[arg-type]
        for option in alternatives(found):
            if not isinstance(option, ClassObject):
                return True  # unknown: it may
            if isinstance(option.cls, Class):
                methods = (
                    method
                    for ancestor in self.app.linker.mro(option.cls)
                    if isinstance(ancestor, Class)
                    for method in ancestor.own_methods.values()
                )
                if any(self.catching.catches(method, cls) for method in methods):
                    return True
        return False


def _middleware_methods(application: Application) -> Iterator[Function]:
    for middleware in application.middleware:
        if middleware.function is not None:
            yield middleware.function
        if middleware.cls is not None:
            yield from middleware.cls.own_methods.values()


_SERVER_ERROR = 500

RULE = Rule(
    summary="a client's mistake that ends as a 500",
    severity="error",
    mend="Register a handler (`@app.exception_handler(ThatError)`) that answers the right status;"
    " one for a common base of the domain's exceptions serves them all.",
    app=check,
    confidence="medium",
    references=(
        "https://fastapi.tiangolo.com/tutorial/handling-errors/#install-custom-exception-handlers",
    ),
)

CASES = (
    Case(
        "one of two exceptions has a handler",
        {
            "errors.py": """
            class OutOfStock(Exception): ...

            class UnknownCurrency(Exception): ...
            """,
            "service.py": """
            from errors import OutOfStock, UnknownCurrency

            def rate(currency: str) -> float:
                if currency != "EUR":
                    raise UnknownCurrency(currency)  # <-
                return 1.0

            def place(currency: str, stock: int) -> float:
                if not stock:
                    raise OutOfStock()
                return rate(currency)
            """,
            "main.py": """
            from fastapi import FastAPI, Request
            from fastapi.responses import JSONResponse
            from errors import OutOfStock
            from service import place

            app = FastAPI()

            @app.exception_handler(OutOfStock)
            def out(request: Request, exc: OutOfStock) -> JSONResponse:
                return JSONResponse({}, 409)

            @app.post("/orders")
            def order(currency: str, stock: int) -> float:
                return place(currency, stock)
            """,
        },
    ),
    case(
        "caught on the way, or handled through a base",
        """
        from fastapi import FastAPI, HTTPException, Request
        from fastapi.responses import JSONResponse

        class DomainError(Exception): ...
        class OrderNotFound(DomainError): ...
        class InvalidCoupon(Exception): ...

        app = FastAPI()

        @app.exception_handler(DomainError)
        def domain(request: Request, exc: DomainError) -> JSONResponse:
            return JSONResponse({}, 404)

        def find(key: int):
            raise OrderNotFound(key)

        def coupon(code: str):
            raise InvalidCoupon(code)

        @app.get("/a")
        def a(key: int, code: str):
            try:
                coupon(code)
            except Exception:
                raise HTTPException(400)
            return find(key)
        """,
    ),
    case(
        "everything is handled",
        """
        from fastapi import FastAPI, Request
        from fastapi.responses import JSONResponse

        class InvalidCoupon(Exception): ...

        app = FastAPI()

        @app.exception_handler(Exception)
        def any_(request: Request, exc: Exception) -> JSONResponse:
            return JSONResponse({}, 400 if isinstance(exc, InvalidCoupon) else 500)

        @app.get("/a")
        def a(code: str):
            raise InvalidCoupon(code)
        """,
    ),
    case(
        "a middleware answers",
        """
        from fastapi import FastAPI
        from fastapi.responses import JSONResponse

        class InvalidCoupon(Exception): ...

        app = FastAPI()

        @app.middleware("http")
        async def errors(request, call_next):
            try:
                return await call_next(request)
            except InvalidCoupon:
                return JSONResponse({}, 400)

        @app.get("/a")
        def a(code: str):
            raise InvalidCoupon(code)
        """,
    ),
    case(
        "an endpoint that refuses with an exception of Python",
        """
        from fastapi import FastAPI, HTTPException

        app = FastAPI()
        other = FastAPI()
        KINDS = {"a", "b"}

        @other.exception_handler(ValueError)
        def refuse(request, exc): ...

        def answering(function):
            async def wrapper(*args, **kwargs):
                try:
                    return await function(*args, **kwargs)
                except ValueError as e:
                    raise HTTPException(422) from e
            return wrapper

        @app.get("/kinds/{kind}")
        async def by_kind(kind: str) -> str:
            if kind not in KINDS:
                raise ValueError(f"unknown kind {kind}")  # <-
            return kind

        @app.get("/answered/{kind}")
        @answering
        async def answered(kind: str) -> str:
            if kind not in KINDS:
                raise ValueError(f"unknown kind {kind}")
            return kind

        @other.get("/handled/{kind}")
        async def handled(kind: str) -> str:
            if kind not in KINDS:
                raise ValueError(f"unknown kind {kind}")
            return kind

        @app.get("/caught/{kind}")
        async def caught(kind: str) -> str:
            try:
                if kind not in KINDS:
                    raise KeyError(kind)
            except LookupError:
                return ""
            return kind

        @app.get("/broken")
        async def broken() -> str:
            raise RuntimeError("never here")
        """,
    ),
    case(
        "caught call by call, or not dependent on anything that is given",
        """
        from fastapi import FastAPI, HTTPException

        class UserExists(Exception): ...
        class TenantNotFound(Exception): ...

        app = FastAPI()

        def change(name: str, email: str | None = None):
            if email:
                raise UserExists()

        def tenant():
            raise TenantNotFound()

        @app.post("/a")
        def a(name: str, email: str):
            try:
                change(name, email)
            except UserExists:
                raise HTTPException(409)

        @app.post("/b")
        def b(name: str):
            change(name)
            tenant()
        """,
    ),
    case(
        "a decorator and a context manager that catch",
        """
        import functools
        from contextlib import contextmanager
        from fastapi import FastAPI, HTTPException

        class InvalidCoupon(Exception): ...

        app = FastAPI()

        def translated(function):
            @functools.wraps(function)
            def run(*args, **kwargs):
                try:
                    return function(*args, **kwargs)
                except Exception:
                    raise HTTPException(400)
            return run

        @contextmanager
        def translating():
            try:
                yield
            except Exception:
                raise HTTPException(400)

        def coupon(code: str):
            raise InvalidCoupon(code)

        @app.get("/a")
        @translated
        def a(code: str):
            coupon(code)

        @app.get("/b")
        def b(code: str):
            with translating():
                coupon(code)
        """,
    ),
    case(
        "not the client's doing, or never in a request",
        """
        from fastapi import BackgroundTasks, FastAPI

        class ProviderConfigInvalid(Exception): ...
        class InvalidCoupon(Exception): ...

        app = FastAPI()

        def later(code: str):
            raise InvalidCoupon(code)

        @app.get("/a")
        def a(tasks: BackgroundTasks, code: str):
            tasks.add_task(later, code)
            raise ProviderConfigInvalid(code)
        """,
    ),
)
