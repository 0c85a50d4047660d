"""An exception that a client can cause needs an answer: without one it is a 500.

A domain exception (`OutOfStock`, `UnknownCurrency`) that code below an endpoint raises, that
nobody on the way catches and for which no exception handler is registered, reaches the client as
"Internal Server Error", and the log as a crash. Register one handler for it, or for a base that
the exceptions of the domain share.

Reported for exceptions of the project whose name says that a client can cause them (not found,
invalid, already there, not allowed, too many ...), raised by code that requests are seen to run.
Silent where something might catch it: a handler for a base or for `Exception`, a middleware, a
route class, a decorator or a context manager that catches, and where a handler's class is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.raises import Raised
from fastwright.app.scopes import Where
from fastwright.app.setup.result import ExceptionHandler
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Callable_, ClassObject, ExternalValue, alternatives
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
_BROAD = frozenset({"builtins.Exception", "builtins.BaseException"})


def check(app: App) -> Iterator[Hit]:
    """Report each place that raises an exception which ends as a 500."""
    if not app.applications:
        return
    handled = _Handled(app)
    if handled.everything:
        return
    callers = _callers(app)
    catching = _Catching(app)
    for step in app.reached:
        for raised in app.raises.of(step.function):
            cls = raised.cls
            if not isinstance(cls, Class) or not _is_client_error(app, cls) or handled.handles(cls):
                continue
            way = _way_out(app, raised, cls, callers, catching)
            if way is None:
                continue
            root, chain = way
            routes = [r for r in app.routes_for(root) if r.kind == "http"]
            if not routes:
                continue
            message = f"{cls.name} has no exception handler: {routes[0].label} answers 500"
            proof = (
                *of_route(routes[0]),
                *of_calls(chain),
                evidence(raised.function.module, raised.node, f"raise {cls.name}"),
            )
            yield Hit(place(raised.function.module, raised.node), message, proof)


def _is_client_error(app: App, cls: Class) -> bool:
    """Whether an exception of the project is one that a client can cause, by its name."""
    if cls.module.kind != "source" or app.raises.is_http(cls):
        return False
    if not _CLIENT.search(cls.name) or _INTERNAL.search(cls.name):
        return False
    names = app.linker.ancestors(cls)
    return names <= {"builtins.Exception", "builtins.ValueError", "builtins.LookupError",
                     "builtins.KeyError", "builtins.RuntimeError", "builtins.PermissionError"}  # fmt: skip


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


def _way_out(
    app: App, raised: Raised, cls: Class, callers: Callers, catching: _Catching
) -> tuple[Function, tuple[CallSite, ...]] | None:
    """Return the endpoint that an exception leaves uncaught, and the calls from there to it."""
    start = raised.function
    if raised.around.deferred or start.node.is_generator or catching.around(raised, cls):
        return None
    seen = {id(start.node)}
    frontier: list[tuple[Function, tuple[CallSite, ...]]] = [(start, ())]
    while frontier:
        following: list[tuple[Function, tuple[CallSite, ...]]] = []
        for function, chain in frontier:
            if catching.decorated(function, cls):
                continue
            if app.routes_for(function):
                return function, chain
            for site in callers.get(id(function.node), ()):
                caller = site.caller
                if id(caller.node) in seen or caller.node.is_generator:
                    continue
                if catching.at(site, cls):
                    continue
                seen.add(id(caller.node))
                following.append((caller, (site, *chain)))
        frontier = following
    return None


@dataclass
class _Catching:
    """What catches exceptions beside a plain ``except``: decorators and context managers."""

    app: App
    _known: dict[tuple[int, int], bool] = field(default_factory=dict)

    def around(self, raised: Raised, cls: Class) -> bool:
        """Whether the function that raises catches it itself, or something around it may."""
        where = Where(raised.function.module, raised.function)
        return self.app.raises.caught(cls, raised.around.tries, where) or self._with(
            raised.around.withs, where, cls
        )

    def at(self, site: CallSite, cls: Class) -> bool:
        """Whether an exception that comes out of a call is caught around it."""
        where = Where(site.module, site.caller)
        return self.app.raises.caught(cls, site.around.tries, where) or self._with(
            site.around.withs, where, cls
        )

    def decorated(self, function: Function, cls: Class) -> bool:
        """Whether a decorator of the function may catch."""
        where = Where(function.module, function.outer)
        for decorator in function.node.decorators:
            target = decorator.func if isinstance(decorator, s.Call) else decorator
            for option in alternatives(self.app.types.of(target, where)):
                if isinstance(option, Callable_) and self._catches(option.function, cls):
                    return True
                if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                    if any(self._catches(m, cls) for m in option.cls.own_methods.values()):
                        return True
                if isinstance(option, ExternalValue) and "retry" in option.name:
                    return True
        return False

    def _with(self, withs: tuple[s.With, ...], where: Where, cls: Class) -> bool:
        for statement in withs:
            for item in statement.items:
                if self._may_swallow(item.context_expr, where, cls):
                    return True
        return False

    def _may_swallow(self, node: s.Expr, where: Where, cls: Class) -> bool:
        call = node.func if isinstance(node, s.Call) else node
        for option in alternatives(self.app.types.of(call, where)):
            if isinstance(option, ExternalValue) and option.name == "contextlib.suppress":
                return True
            if isinstance(option, Callable_) and self._catches(option.function, cls):
                return True
            if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                for name in ("__exit__", "__aexit__"):
                    leave = self.app.linker.method(option.cls, name)
                    if leave is not None and any(
                        isinstance(n, (s.Return, s.Raise)) for n in s.walk_scope(*leave.node.body)
                    ):
                        return True
        return False

    def _catches(self, function: Function, cls: Class) -> bool:
        """Whether a decorator or context manager, or a function inside it, catches ``cls``."""
        key = (id(function.node), id(cls.node))
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
    """What the applications map to an answer."""

    app: App
    classes: list[Class] = field(init=False)
    everything: bool = field(init=False)
    """Something catches whatever comes, or a handler's class is not known."""

    def __post_init__(self) -> None:
        self.classes = []
        self.everything = any(self._catches_all(a_) for a_ in self._middleware_methods())
        for application in self.app.applications:
            for handler in application.exception_handlers:
                self._note(handler)
            if "exception_handlers" in application.keywords and not application.exception_handlers:
                self.everything = True
        for route in self.app.routes:
            keywords = (route.record.keywords, *(la.keywords for la in route.record.inherited))
            if any("route_class" in given for given in keywords):
                self.everything = True

    def _note(self, handler: ExceptionHandler) -> None:
        given = handler.exception
        node = given.node
        if isinstance(node, s.Constant):  # a status code
            self.everything = self.everything or node.value == _SERVER_ERROR
            return
        found = self.app.types.of(node, Where(given.module, given.function))  # type: ignore[arg-type]
        for option in alternatives(found):
            if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                self.classes.append(option.cls)
            elif isinstance(option, (ClassObject, ExternalValue)):
                name = option.cls if isinstance(option, ClassObject) else option.name
                if name in _BROAD:
                    self.everything = True
            else:
                self.everything = True

    def handles(self, cls: Class) -> bool:
        """Whether a handler is registered for a class or one of its bases."""
        return any(self.app.raises.is_a(cls, base) for base in self.classes)

    def _middleware_methods(self) -> Iterator[Function]:
        for application in self.app.applications:
            for middleware in application.middleware:
                if middleware.function is not None:
                    yield middleware.function
                if middleware.cls is not None:
                    yield from middleware.cls.own_methods.values()

    def _catches_all(self, function: Function) -> bool:
        """Whether a middleware answers exceptions: a ``try`` around the call that goes on."""
        for node, _ in self.app.calls.nodes(function):
            if isinstance(node, s.Try) and not _only_reraises(node):
                goes_on = any(
                    isinstance(n, s.Call) and s.last_name(n.func) in {"call_next", "app"}
                    for n in s.walk(*node.body)
                )
                if goes_on and node.handlers:
                    return True
        return False


_SERVER_ERROR = 500

RULE = Rule(
    summary="a client's mistake that ends as a 500",
    severity="error",
    mend="Register a handler (`@app.exception_handler(ThatError)`) that answers the right status;"
    " one for a common base of the domain's exceptions serves them all.",
    app=check,
    confidence="medium",
    recipe="domain-errors",
    references=("https://fastapi.tiangolo.com/tutorial/handling-errors/#install-custom-exception-handlers",),
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

        def find():
            raise OrderNotFound()

        def coupon():
            raise InvalidCoupon()

        @app.get("/a")
        def a():
            try:
                coupon()
            except InvalidCoupon:
                raise HTTPException(400)
            return find()
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
        def a():
            raise InvalidCoupon()
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
        def a():
            raise InvalidCoupon()
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
                except InvalidCoupon:
                    raise HTTPException(400)
            return run

        @contextmanager
        def translating():
            try:
                yield
            except InvalidCoupon:
                raise HTTPException(400)

        def coupon():
            raise InvalidCoupon()

        @app.get("/a")
        @translated
        def a():
            coupon()

        @app.get("/b")
        def b():
            with translating():
                coupon()
        """,
    ),
    case(
        "not the client's doing, or never in a request",
        """
        from fastapi import BackgroundTasks, FastAPI

        class ProviderConfigInvalid(Exception): ...
        class InvalidCoupon(Exception): ...

        app = FastAPI()

        def later():
            raise InvalidCoupon()

        @app.get("/a")
        def a(tasks: BackgroundTasks):
            tasks.add_task(later)
            raise ProviderConfigInvalid()
        """,
    ),
)
