"""A route says its method: `@router.get`, not `@router.route(..., methods=["GET"])`.

`route()` is Starlette's, and looks like Flask's. It registers a plain Starlette route: the function gets
the request and nothing else. No parameter is validated, no dependency runs (those of the router neither,
authentication among them), no response model filters what goes out, and the OpenAPI document does not know it.
Starlette 1.0 took `route()` away from applications, so `@app.route` stops the import; on a router it is
still there.

Reported are functions that are decorated with `route` of a FastAPI application or router that is made in
the project. `api_route` is FastAPI's own, and left alone; so are routes of Starlette's applications.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.types import Instance
from fastwright.edit.builders import delete_argument, replace
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_FASTAPI = frozenset({"fastapi.FastAPI", "fastapi.APIRouter"})
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def check(app: App) -> Iterator[Hit]:
    """Report each ``@x.route(...)`` of a FastAPI application or router."""
    for module in app.sources:
        if module.header.marks.count("fastapi") or module.header.marks.count("router"):
            for function in module.functions:
                for decorator in function.decorators:
                    yield from _decorator(app, module, function, decorator)


def _decorator(
    app: App, module: Module, function: s.FunctionDef, decorator: s.Expr
) -> Iterator[Hit]:
    if not isinstance(decorator, s.Call) or not isinstance(decorator.func, s.Attribute):
        return
    if decorator.func.attr != "route":
        return
    owner = app.types.of(decorator.func.value, Where(module, None))
    if not isinstance(owner, Instance) or owner.name not in _FASTAPI:
        return
    message = (
        f"{function.name} is a plain Starlette route: nothing is validated, no dependency runs, and the"
        " OpenAPI document does not know it"
    )
    yield Hit(place(module, decorator), message, (), _fix(module, decorator, decorator.func))


def _fix(module: Module, decorator: s.Call, func: s.Attribute) -> Fix | None:
    """Return ``@app.get(...)`` for one known method: from then on FastAPI reads the signature."""
    methods = decorator.keyword("methods")
    if not isinstance(methods, s.List) or len(methods.elts) != 1:
        return None
    method = s.string(methods.elts[0])
    if method is None or method.upper() not in _METHODS:
        return None
    keyword = next(k for k in decorator.keywords if k.arg == "methods")
    name = s.Name(func.end - len(func.attr), func.end, func.attr)
    edits = (
        replace(module, name, method.lower()),
        delete_argument(module, decorator, keyword),
    )
    return Fix("suggest", edits)


RULE = Rule(
    summary="a plain Starlette route where FastAPI's was meant",
    severity="warning",
    mend="Write `@router.get(...)` (or the method that it is): then parameters, dependencies and the"
    " response are FastAPI's.",
    app=check,
    profiles=("security",),
    references=(
        "https://fastapi.tiangolo.com/tutorial/first-steps/#define-a-path-operation-decorator",
        "https://www.starlette.io/release-notes/",
    ),
)

CASES = (
    case(
        "of an application and of a router",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        router = APIRouter()

        @app.route("/", methods=["GET"])  # <-
        def home(request): ...

        @router.route("/orders", methods=["POST"], name="create")  # <-
        async def create(request): ...

        @router.route("/both", methods=["GET", "POST"])  # <-
        def both(request): ...
        """,
        after="""
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        router = APIRouter()

        @app.get("/")
        def home(request): ...

        @router.post("/orders", name="create")
        async def create(request): ...

        @router.route("/both", methods=["GET", "POST"])
        def both(request): ...
        """,
    ),
    case(
        "FastAPI's own, and other libraries'",
        """
        from fastapi import FastAPI
        from flask import Flask
        from starlette.routing import Router

        app = FastAPI()
        old = Flask(__name__)
        plain = Router()

        @app.api_route("/either", methods=["GET", "HEAD"])
        def either(): ...

        @old.route("/", methods=["GET"])
        def home(): ...

        @plain.route("/plain")
        def page(request): ...
        """,
    ),
)
