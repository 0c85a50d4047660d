"""A parameter of the path is taken by somebody.

`/tenants/{tenant_id}/orders` promises that the tenant counts. If neither the endpoint nor one of its
dependencies takes `tenant_id`, every tenant gets the same answer, and where the parameter should have
limited the query, other tenants' rows. The name often comes from a prefix in another file, or is
misspelt in the signature. A parameter before `/` cannot be given by name, and FastAPI gives all by name.

Silent where anything on the way may read it from the request itself: `request.path_params`, its address,
or a request that is handed on (to a template, to a function). Headers, cookies, state, body and the like
of a request say nothing of the path. Silent, too, where a dependency is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from fastwright.app.dependencies import RequestParameter
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.symbols import Function
from fastwright.app.types import Instance, Type, alternatives
from fastwright.edit.builders import insert
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.endpoint._paths import is_certain, names
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_PATHLESS = frozenset({"fastapi.responses.Response", "fastapi.BackgroundTasks",
                       "fastapi.security.SecurityScopes"})  # fmt: skip
"""What FastAPI hands in beside the request: none of it knows the path."""
_NOT_THE_PATH = frozenset({"headers", "cookies", "client", "method", "state", "app", "query_params",
                           "body", "json", "form", "stream", "session", "user", "auth",
                           "is_disconnected"})  # fmt: skip


def check(app: App) -> Iterator[Hit]:
    """Report names of the full path that nothing takes."""
    reported: set[tuple[int, str]] = set()
    for route in app.routes:
        if route.kind != "http" or not is_certain(route) or not _is_understood(route):
            continue
        named = [p for p in route.parameters if p.node.kind != "positional"]
        taken = {p.name for p in named} | {p.alias for p in named}
        for name in names(route.path):
            if name in taken or (id(route.node), name) in reported:
                continue
            if f"{{{name}:path}}" in route.path:
                continue  # everything below a path: a page that sorts out the rest itself
            reported.add((id(route.node), name))
            yield _hit(route, name)


def _is_understood(route: Route) -> bool:
    """Whether everything that could take a parameter is known, and reads no path by itself."""
    if route.endpoint is None or route.record.starlette or _takes_anything(route.endpoint):
        return False
    if any(_may_read_path(parameter) for parameter in route.parameters):
        return False
    return all(
        (d.function is not None and not _takes_anything(d.function)) or d.external is not None
        for d in route.all_dependencies()
    )


def _may_read_path(parameter: RequestParameter) -> bool:
    """Whether a function takes the request, and does more with it than read what is not the path."""
    if parameter.kind != "special" or _PATHLESS.issuperset(_names(parameter.type)):
        return False
    node = parameter.function.node
    if "locals" in node.called:
        return True
    aside = {
        id(read.value)
        for read in s.walk(*node.body)
        if isinstance(read, s.Attribute) and read.attr in _NOT_THE_PATH
    }
    return any(
        isinstance(used, s.Name) and used.id == parameter.name and id(used) not in aside
        for used in s.walk(*node.body)
    )


def _names(found: Type) -> list[str | None]:
    """Return the library classes of a type, None for what is no such class."""
    return [
        option.cls if isinstance(option, Instance) and isinstance(option.cls, str) else None
        for option in alternatives(found)
    ]


def _takes_anything(function: Function) -> bool:
    """``**kwargs``, or a decorator that may give the function another signature."""
    if any(parameter.kind in {"kwargs", "args"} for parameter in function.node.params):
        return True
    known = {"get", "post", "put", "patch", "delete", "head", "options", "api_route", "trace",
             "staticmethod", "classmethod"}  # fmt: skip
    return not function.decorator_names <= known


def _hit(route: Route, name: str) -> Hit:
    where = "" if f"{{{name}" in route.record.own_path else ", which comes from a prefix,"
    message = f"{{{name}}} of {route.path}{where} is taken by neither the endpoint nor a dependency"
    if any(parameter.name == name for parameter in route.parameters):
        message = (
            f"{{{name}}} of {route.path} is taken before `/`: FastAPI gives it by name, which fails"
        )
    layers = tuple(
        evidence(layer.module, layer.node, f"{layer.kind} adds {{{name}}}")
        for layer in route.record.inherited
        if (prefix := layer.keywords.get("prefix")) is not None
        and f"{{{name}" in str(getattr(prefix.node, "value", ""))
    )
    chain = (*layers, *of_route(route))
    return Hit(place(route.module, route.node), message, chain, _fix(route, name))


def _fix(route: Route, name: str) -> Fix | None:
    """Return the fix that takes it, as text: what it is for, a person has to say."""
    endpoint = route.endpoint
    if endpoint is None or endpoint.owner is not None or not name.isidentifier():
        return None
    params = endpoint.node.params
    like = get_close_matches(name, [each.name for each in params], cutoff=_LIKE)
    if like or any(each.kind == "positional" for each in params):
        return None  # misspelt, or given by place
    source = endpoint.module.source
    behind = params[0].start if params else source.index(b"(", endpoint.node.name_start) + 1
    added = f"{name}: str, " if params else f"{name}: str"
    return Fix("suggest", (insert(endpoint.module, behind, added),))


_LIKE = 0.8
"""How much alike two names are of which one may be the other, misspelt (``difflib``)."""

RULE = Rule(
    summary="a path parameter that nobody takes",
    severity="warning",
    mend="Take it (and use it in the query), or leave it out of the path.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/path-params/",),
)

CASES = (
    case(
        "what else FastAPI hands in knows no path; a parameter that cannot be given by name",
        """
        from fastapi import BackgroundTasks, FastAPI, Request, Response

        app = FastAPI()

        @app.get("/notes/{note_id}")  # <-
        def note(response: Response, tasks: BackgroundTasks) -> None:
            tasks.add_task(print, response)

        @app.get("/places/{place}")  # <-
        def place(place: int, /) -> None: ...

        @app.get("/tags/{tag}")  # <-
        def tag(request: Request) -> str:
            return request.headers["accept"]
        """,
        after="""
        from fastapi import BackgroundTasks, FastAPI, Request, Response

        app = FastAPI()

        @app.get("/notes/{note_id}")
        def note(note_id: str, response: Response, tasks: BackgroundTasks) -> None:
            tasks.add_task(print, response)

        @app.get("/places/{place}")
        def place(place: int, /) -> None: ...

        @app.get("/tags/{tag}")
        def tag(tag: str, request: Request) -> str:
            return request.headers["accept"]
        """,
    ),
    case(
        "from the prefix of an include, and misspelt",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        orders = APIRouter(prefix="/orders")

        @orders.get("/")  # <-
        def list_orders() -> None: ...

        @orders.get("/{order_id}")  # <-
        def read(tenant_id: int, orderid: int) -> None: ...

        app.include_router(orders, prefix="/tenants/{tenant_id}")
        """,
        after="""
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        orders = APIRouter(prefix="/orders")

        @orders.get("/")
        def list_orders(tenant_id: str) -> None: ...

        @orders.get("/{order_id}")
        def read(tenant_id: int, orderid: int) -> None: ...

        app.include_router(orders, prefix="/tenants/{tenant_id}")
        """,
    ),
    case(
        "taken by a dependency, an alias, or read from the request",
        """
        from typing import Annotated
        from fastapi import APIRouter, Depends, FastAPI, Path, Request

        def tenant(tenant_id: int) -> int:
            return tenant_id

        app = FastAPI()
        router = APIRouter(prefix="/tenants/{tenant_id}", dependencies=[Depends(tenant)])

        @router.get("/a")
        def a() -> None: ...

        @app.get("/b/{item-id}")
        def b(item: Annotated[int, Path(alias="item-id")]) -> None: ...

        @app.get("/c/{key}")
        def c(request: Request) -> None:
            print(request.path_params["key"])

        templates = Templates()

        @app.get("/shared/{slug}")
        def shared(request: Request) -> str:
            return templates.render("shared.html", request=request)

        @app.get("/d/{path:path}")
        def d(path: str) -> None: ...

        @app.get("/pages/{rest:path}")
        def page() -> None: ...

        app.include_router(router)
        """,
    ),
)
