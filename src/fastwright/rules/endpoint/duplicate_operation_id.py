"""Every operation of an API has an `operationId` of its own.

OpenAPI demands that the id is unique among all operations of the API. Generators of clients name their
functions after it: of two operations with one id, one overwrites the other, or generation fails. FastAPI
warns when the document is built ("Duplicate Operation ID"), not when the route is declared.

It happens when a route is copied with its `operation_id`, when a router whose routes have ids is included
under two prefixes, and when `generate_unique_id_function` gives the name of the function, which two
functions in two files share. One document is looked at at a time: mounted applications have their own.
Routes that are left out of the document (`include_in_schema=False`), and those whose place or id is not
known, are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.setup.result import Place
from fastwright.app.types import FunctionValue, LambdaValue
from fastwright.edit.builders import delete_argument
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.endpoint._paths import is_certain
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_GENERATOR = "generate_unique_id_function"


def check(app: App) -> Iterator[Hit]:
    """Report each route whose operation id an earlier one of the same document has."""
    by_record = {id(route.record): route for route in app.routes}
    reported: set[int] = set()
    for application in app.applications:
        if not application.fastapi or not _is_shown(application.keywords.get("openapi_url")):
            continue
        first: dict[str, Route] = {}
        for record in application.routes:
            route = by_record.get(id(record))
            if route is None or not is_certain(route) or not _in_document(route):
                continue
            given = _operation_id(app, route)
            if given is None:
                continue
            name, how = given
            earlier = first.setdefault(name, route)
            if earlier is route or id(route.node) in reported:
                continue
            if (earlier.methods, earlier.path) == (route.methods, route.path):
                continue  # one of them never runs: duplicate-route
            reported.add(id(route.node))
            yield _hit(name, how, route, earlier)


def _in_document(route: Route) -> bool:
    """Whether the route is surely in the OpenAPI document of the application that declares it."""
    record = route.record
    if record.kind != "http" or record.starlette:
        return False
    if any(layer.kind == "mount" for layer in record.inherited):
        return False  # in the document of the mounted application
    given = [layer.keywords.get("include_in_schema") for layer in record.inherited]
    return all(
        each is None or _is_true(each)
        for each in [*given, record.keywords.get("include_in_schema")]
    )


def _is_true(given: Place) -> bool:
    node = given.node
    return isinstance(node, s.Constant) and node.value is True


def _is_shown(given: Place | None) -> bool:
    """Whether the application has a document at all; ``openapi_url=None`` turns it off."""
    return given is None or not (isinstance(given.node, s.Constant) and given.node.kind == "none")


def _operation_id(app: App, route: Route) -> tuple[str, str] | None:
    """Return the id of a route where it is known, and where it comes from."""
    record = route.record
    given = record.keywords.get("operation_id")
    if given is not None:
        text = s.string(given.node)
        return (text, "operation_id") if text is not None else None
    layers = [record.keywords, *(layer.keywords for layer in reversed(record.inherited))]
    generator = next((keywords[_GENERATOR] for keywords in layers if _GENERATOR in keywords), None)
    if generator is None or route.endpoint is None or "name" in record.keywords:
        return None
    if not _gives_name(app, generator):
        return None
    return route.endpoint.name, "the name of the function"


def _gives_name(app: App, generator: Place) -> bool:
    """Whether a ``generate_unique_id_function`` is ``lambda route: route.name`` or a function like it."""
    node = generator.node
    where = Where(generator.module, generator.function)
    found = app.types.of(node, where) if isinstance(node, (s.Name, s.Attribute, s.Lambda)) else None
    result: s.Node | None = None
    params: list[s.Parameter] = []
    if isinstance(found, LambdaValue):
        result, params = found.node.body, found.node.params
    elif isinstance(found, FunctionValue):
        body = found.function.node.body
        params = found.function.node.params
        last = body[-1] if body else None
        if isinstance(last, s.Return) and all(isinstance(each, s.ExprStmt) for each in body[:-1]):
            result = last.value
    return len(params) == 1 and s.dotted(result) == f"{params[0].name}.name"


def _hit(name: str, how: str, route: Route, earlier: Route) -> Hit:
    why = "" if how == "operation_id" else f" ({how})"
    message = f"{route.label} has the operation id {name}{why}, which {earlier.label} has already"
    chain = (evidence(earlier.module, earlier.node, f"{earlier.label}, first"), *of_route(route))
    given = route.record.keywords.get("operation_id")
    if given is not None:
        return Hit(place(given.module, given.node), message, chain, _fix(route))
    return Hit(place(route.module, route.node), message, chain)


def _fix(route: Route) -> Fix | None:
    """Return the fix that leaves the id to FastAPI; a suggestion, as clients may call it by name."""
    call = route.node
    for keyword in call.keywords if isinstance(call, s.Call) else ():
        if keyword.arg == "operation_id" and isinstance(call, s.Call):
            return Fix("suggest", (delete_argument(route.module, call, keyword),))
    return None


RULE = Rule(
    summary="two operations with one operation id",
    severity="warning",
    mend="Give each operation an id of its own, or leave `operation_id` out: FastAPI makes one of the"
    " function's name, the path and the method.",
    app=check,
    references=(
        "https://spec.openapis.org/oas/v3.1.0#operation-object",
        "https://fastapi.tiangolo.com/advanced/path-operation-advanced-configuration/#openapi-operationid",
    ),
)

CASES = (
    case(
        "copied, and included twice",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        router = APIRouter()

        @app.get("/items", operation_id="list_items")
        def items() -> None: ...

        @app.get("/orders", operation_id="list_items")  # <-
        def orders() -> None: ...

        @router.get("/users", operation_id="list_users")  # <-
        def users() -> None: ...

        app.include_router(router, prefix="/v1")
        app.include_router(router, prefix="/v2")
        """,
        after="""
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        router = APIRouter()

        @app.get("/items", operation_id="list_items")
        def items() -> None: ...

        @app.get("/orders")
        def orders() -> None: ...

        @router.get("/users")
        def users() -> None: ...

        app.include_router(router, prefix="/v1")
        app.include_router(router, prefix="/v2")
        """,
    ),
    case(
        "two functions with one name, where the name is the id",
        """
        from fastapi import APIRouter, FastAPI

        def unique_id(route):
            return route.name

        app = FastAPI(generate_unique_id_function=unique_id)
        items = APIRouter(prefix="/items")
        orders = APIRouter(prefix="/orders")

        @items.get("/")
        def read() -> None: ...

        def more():
            @orders.get("/")  # <-
            def read() -> None: ...

        more()
        app.include_router(items)
        app.include_router(orders)
        """,
    ),
    case(
        "left out of the document, in another document, generated with the path",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        other = FastAPI()
        old = APIRouter()

        @app.get("/items", operation_id="list_items")
        def items() -> None: ...

        @app.get("/hidden", operation_id="list_items", include_in_schema=False)
        def hidden() -> None: ...

        @other.get("/items", operation_id="list_items")
        def others() -> None: ...

        @old.get("/old", operation_id="list_items")
        def old_items() -> None: ...

        @app.get("/a")
        @app.get("/b")
        def read() -> None: ...

        app.mount("/other", other)
        app.include_router(old, include_in_schema=False)
        """,
    ),
)
