"""Business code says what went wrong; only the HTTP layer says which status that is.

A service, repository or model that raises `HTTPException`, or takes the `Request`, can only be
used by a web request: not by a worker, a command, a test or another service without pretending.
Raise an exception of the domain (`OrderNotFound`) and map it once, in an exception handler.

Endpoints, dependencies, middleware, exception handlers and the helpers that only they use are the
HTTP layer: `HTTPException` is right there, and so are the 401 and 403 of what dependencies call.
A class that takes the request in many methods is reported once. What a module is follows from what it holds (see
`fastwright map`), and from its name only where that leaves it open; where nothing says it, the
rule is silent. Only code that an endpoint is seen to reach is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.layers import BUSINESS, Layer
from fastwright.app.model import App
from fastwright.app.raises import Raised
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s
from fastwright.rules.architecture._http import from_endpoint, http_functions
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule

_REQUESTS = {"fastapi.Request": "Request", "fastapi.responses.Response": "Response"}


_REFUSALS = frozenset({401, 403})


def check(app: App) -> Iterator[Hit]:
    """Report each HTTPException, Request and Response in business code that an endpoint reaches."""
    http = http_functions(app)
    below = _below_business(app, http)
    injected = app.calls.reach(f for f in app.request_roots if not app.routes_for(f))
    told: set[tuple[str, str]] = set()
    for step in app.calls.reach(app.endpoints):
        function = step.function
        if id(function.node) in http or _is_nested_in_http(function, http):
            continue
        layer = app.layers.get(function.module.path)
        why = (
            _why(layer)
            if layer is not None and _is_business(layer)
            else below.get(id(function.node))
        )
        if why is None:
            continue
        guards = function in injected
        for raised in app.raises.of(function):
            kept = tuple(tried for tried in raised.around.tries if not _raises_again(tried))
            if app.raises.caught(raised.cls, kept, Where(function.module, function)):
                continue
            if app.raises.is_http(raised.cls) and not (guards and raised.status in _REFUSALS):
                proof = evidence(function.module, raised.node, f"raise {_spoken(raised)}")
                message = f"{function.qualname} raises {_spoken(raised)}: {why}"
                chain = (*from_endpoint(app, step), proof)
                yield Hit(place(function.module, raised.node), message, chain)
        if guards:
            continue
        for parameter, name in _http_parameters(app, function):
            holder = function.owner.qualname if function.owner is not None else function.qualname
            if (function.module.path, holder) in told:
                continue
            told.add((function.module.path, holder))
            message = f"{function.qualname} takes the HTTP {name}: {why}"
            chain = (*from_endpoint(app, step), evidence(function.module, parameter, name))
            others = tuple(_of_other_methods(app, function))
            yield Hit(place(function.module, parameter), message, (*chain, *others))


def _of_other_methods(app: App, function: Function) -> Iterator[Evidence]:
    """Yield the parameters of the class's other methods that are the request as well."""
    for method in function.owner.own_methods.values() if function.owner is not None else ():
        if method.node is not function.node:
            for parameter, name in _http_parameters(app, method):
                yield evidence(method.module, parameter, f"also {method.name}: {name}")


def _is_business(layer: Layer) -> bool:
    return not layer.guessed and layer.name in BUSINESS


def _below_business(app: App, http: set[int]) -> dict[int, str]:
    """Return why functions of modules of no known layer are business code: what it calls is, too.

    A plain function that the HTTP layer calls as well is a helper of both, and left out.
    """
    found: dict[int, str] = {}
    shared: set[int] = set()
    for step in app.calls.reach(app.endpoints):
        caller = step.function
        layer = app.layers.get(caller.module.path)
        is_business = layer is not None and _is_business(layer)
        if (layer is not None and layer.name in {"router", "dependency"}) or id(
            caller.node
        ) in http:
            shared.update(id(t.node) for site in app.calls.sites(caller) for t in site.targets)
            continue
        if not is_business and id(caller.node) not in found:
            continue
        for site in app.calls.sites(caller):
            for target in site.targets:
                beneath = app.layers.get(target.module.path)
                if beneath is None or beneath.guessed:
                    found.setdefault(
                        id(target.node),
                        f"business code ({caller.qualname} calls it) must not know HTTP",
                    )
    return {
        id(step.function.node): found[id(step.function.node)]
        for step in app.calls.reach(app.endpoints)
        if id(step.function.node) in found
        and (step.function.owner is not None or id(step.function.node) not in shared)
    }


def _raises_again(tried: s.Try) -> bool:
    return any(
        isinstance(node, s.Raise) and node.exc is None
        for handler in tried.handlers
        for node in s.statements(handler.body)
    )


def _is_nested_in_http(function: Function, http: set[int]) -> bool:
    outer = function.outer
    while outer is not None:
        if id(outer.node) in http:
            return True
        outer = outer.outer
    return False


def _spoken(raised: Raised) -> str:
    status = f"({raised.status})" if raised.status is not None else ""
    return f"{raised.name}{status}"


def _why(layer: Layer) -> str:
    article = "an" if layer.name[0] in "aeiou" else "a"
    return f"{article} {layer.name} ({layer.reason}) must not know HTTP"


def _http_parameters(app: App, function: Function) -> Iterator[tuple[s.Parameter, str]]:
    where = Where(function.module, function.outer)
    for parameter in function.parameters:
        if parameter.annotation is None:
            continue
        for option in alternatives(app.types.annotation(parameter.annotation, where)):
            if isinstance(option, Instance) and option.cls in _REQUESTS:
                yield parameter, _REQUESTS[str(option.cls)]


RULE = Rule(
    summary="HTTP in business code",
    severity="warning",
    mend="Raise a domain exception here and map it to a status with one `@app.exception_handler`;"
    " pass values in instead of the request.",
    app=check,
    recipe="domain-errors",
    references=("https://fastapi.tiangolo.com/tutorial/handling-errors/",),
)

CASES = (
    Case(
        "a service raises HTTPException, also a subclass of its own",
        {
            "services/orders.py": """
            from fastapi import HTTPException, status

            class Gone(HTTPException):
                def __init__(self) -> None:
                    super().__init__(status_code=410)

            class OrderService:
                def get(self, order_id: int):
                    if order_id < 0:
                        raise HTTPException(status.HTTP_404_NOT_FOUND)  # <-
                    if order_id == 0:
                        raise Gone()  # <-
                    return order_id
            """,
            "routers/orders.py": """
            from fastapi import APIRouter, Depends, FastAPI
            from services.orders import OrderService

            router = APIRouter()

            @router.get("/orders/{order_id}")
            def read(order_id: int, service: OrderService = Depends()):
                return service.get(order_id)

            app = FastAPI()
            app.include_router(router)
            """,
        },
    ),
    Case(
        "a service that takes the request",
        {
            "app/services/audit.py": """
            from fastapi import Request

            def record(request: Request, action: str) -> None:  # <-
                print(request.client, action)
            """,
            "app/main.py": """
            from fastapi import FastAPI, Request
            from app.services import audit

            app = FastAPI()

            @app.post("/pay")
            def pay(request: Request) -> None:
                audit.record(request, "pay")
            """,
        },
    ),
    Case(
        "dependencies that raise HTTPException are the HTTP layer, wherever they stand",
        {
            "app/services/auth.py": """
            from fastapi import Depends, Header, HTTPException

            def _refuse() -> None:
                raise HTTPException(401)

            def current_user(authorization: str = Header()) -> str:
                if not authorization:
                    _refuse()
                return authorization

            class AuthService:
                def login(self, name: str) -> str:
                    return name
            """,
            "app/main.py": """
            from fastapi import Depends, FastAPI
            from app.services.auth import AuthService, current_user

            app = FastAPI()

            @app.get("/me")
            def me(user: str = Depends(current_user)) -> str:
                return AuthService().login(user)
            """,
        },
    ),
    Case(
        "helpers in a router package are the HTTP layer",
        {
            "app/routers/__init__.py": "",
            "app/routers/helpers.py": """
            from fastapi import HTTPException

            def found(row):
                if row is None:
                    raise HTTPException(404)
                return row
            """,
            "app/routers/items.py": """
            from fastapi import APIRouter, FastAPI
            from app.routers.helpers import found

            router = APIRouter()

            @router.get("/items/{key}")
            def read(key: str):
                return found({"a": 1}.get(key))

            app = FastAPI()
            app.include_router(router)
            """,
        },
    ),
    Case(
        "domain exceptions, mapped by a handler",
        {
            "app/services/items.py": """
            class ItemNotFound(Exception): ...

            def get(key: str):
                if key != "a":
                    raise ItemNotFound(key)
            """,
            "app/main.py": """
            from fastapi import FastAPI, Request
            from fastapi.responses import JSONResponse
            from app.services import items

            app = FastAPI()

            @app.exception_handler(items.ItemNotFound)
            def not_found(request: Request, exc: items.ItemNotFound) -> JSONResponse:
                return JSONResponse({"detail": str(exc)}, 404)

            @app.get("/items/{key}")
            def read(key: str):
                return items.get(key)
            """,
        },
    ),
    Case(
        "a flat one-file application has no services",
        {
            "main.py": """
            from fastapi import FastAPI, HTTPException

            app = FastAPI()

            def find(key: str):
                raise HTTPException(404)

            @app.get("/items/{key}")
            def read(key: str):
                return find(key)
            """,
        },
    ),
    Case(
        "raised and caught in the same function: no HTTP leaves it",
        {
            "services/bulk.py": """
            from fastapi import HTTPException

            class BulkService:
                def create(self, names: list[str]) -> list[str]:
                    errors = []
                    try:
                        if len(set(names)) < len(names):
                            raise HTTPException(409)
                    except HTTPException as error:
                        errors.append(str(error))
                    try:
                        if not names:
                            raise HTTPException(422)  # <-
                    except HTTPException:
                        errors.append("nothing given")
                        raise
                    return errors
            """,
            "main.py": """
            from fastapi import Depends, FastAPI
            from services.bulk import BulkService

            app = FastAPI()

            @app.post("/names")
            def create(names: list[str], service: BulkService = Depends()):
                return service.create(names)
            """,
        },
    ),
    Case(
        "what a service calls is no HTTP layer either, wherever it stands; a helper of both is left out",
        {
            "app/providers/collections.py": """
            from fastapi import HTTPException

            class CollectionsHandler:
                def get(self, key: str) -> str:
                    if not key:
                        raise HTTPException(404)  # <-
                    return key
            """,
            "app/checks.py": """
            from fastapi import HTTPException

            def not_empty(key: str) -> None:
                if not key:
                    raise HTTPException(422)
            """,
            "app/services/management.py": """
            from app.checks import not_empty
            from app.providers.collections import CollectionsHandler

            class ManagementService:
                def __init__(self, handler: CollectionsHandler) -> None:
                    self.handler = handler

                def collection(self, key: str) -> str:
                    not_empty(key)
                    return self.handler.get(key)
            """,
            "app/main.py": """
            from fastapi import FastAPI
            from app.checks import not_empty
            from app.providers.collections import CollectionsHandler
            from app.services.management import ManagementService

            app = FastAPI()
            service = ManagementService(CollectionsHandler())

            @app.get("/collections/{key}")
            def collection(key: str) -> str:
                not_empty(key)
                return service.collection(key)
            """,
        },
    ),
)
