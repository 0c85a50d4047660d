"""A response model that only repeats the return annotation is left out.

Since FastAPI 0.89 the return annotation is the response model: it validates and filters what goes out
and is what the OpenAPI document shows. `response_model=Item` beside `-> Item` says the same twice, and
the next change has to be made in both places; where only the annotation is changed, `response_model`
wins and the annotation is wrong. `response_model` is for the case in which the two differ: the endpoint
returns a row or a dictionary, and a schema is made of it. Ruff knows this as FAST001.

Left alone: `response_model=None` (it turns validation off, `-> None` does not), endpoints with other
decorators under the route that may hide the annotation (those of the project that use `functools.wraps`
do not), generators, and postponed annotations of
functions that are nested in others (FastAPI cannot resolve local names).
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.wrappers import keeps_signature
from fastwright.edit.builders import delete_argument
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_DECLARE = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "trace", "api_route"}
)


def check(app: App) -> Iterator[Hit]:
    """Report each ``response_model`` that equals the return annotation."""
    for module in app.sources:
        if "fastapi" not in module.header.marks and "APIRouter" not in module.header.marks:
            continue
        for function, call, keyword in _repeating(module):
            if function.returns is not None and _shows_annotation(app, module, function):
                message = (
                    f"response_model of {function.name} repeats its return annotation:"
                    " FastAPI takes that as the response model"
                )
                chain = (evidence(module, function.returns, "the return annotation"),)
                fix = Fix("safe", (delete_argument(module, call, keyword),))
                yield Hit(place(module, keyword), message, chain, fix)


def _repeating(module: Module) -> Iterator[tuple[s.FunctionDef, s.Call, s.Keyword]]:
    """Yield functions, a decorator, and its ``response_model`` that says the same as their annotation."""
    nested = _nested(module)
    postponed = any(
        isinstance(statement, s.ImportFrom) and statement.module == "__future__"
        for statement in module.facts.body
    )
    for function in module.functions:
        returns = function.returns
        if returns is None or function.is_generator:
            continue
        if id(function) in nested and (postponed or _is_quoted(returns)):
            continue
        for decorator in function.decorators:
            if not isinstance(decorator, s.Call):
                continue
            for keyword in decorator.keywords:
                if keyword.arg == "response_model" and _same(module, keyword.value, returns):
                    yield function, decorator, keyword


def _nested(module: Module) -> set[int]:
    """Return the functions that are defined inside of other functions."""
    return {
        id(inner)
        for outer in module.functions
        if outer.defines
        for inner in s.walk(*outer.body)
        if isinstance(inner, s.FunctionDef)
    }


def _shows_annotation(app: App, module: Module, function: s.FunctionDef) -> bool:
    """Whether nothing between the routes and the function hides its annotation from them."""
    others = [decorator for decorator in function.decorators if not _is_route(decorator)]
    if not others:
        return True
    found = next((f for f in app.every_function(module) if f.node is function), None)
    return found is not None and all(
        keeps_signature(app.types, found, decorator) for decorator in others
    )


def _is_route(decorator: s.Expr) -> bool:
    return (
        isinstance(decorator, s.Call)
        and isinstance(decorator.func, s.Attribute)
        and decorator.func.attr in _DECLARE
    )


def _is_quoted(node: s.Node) -> bool:
    return any(s.string(inner) is not None for inner in s.walk(node))


def _same(module: Module, left: object, right: object) -> bool:
    """Whether two expressions say the same; ``None`` does not count."""
    if isinstance(left, s.Constant) and left.kind == "none":
        return False
    return _equal(module, left, right)


def _equal(module: Module, left: object, right: object) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            _equal(module, one, other) for one, other in zip(left, right, strict=True)
        )
    if not isinstance(left, s.Node) or not isinstance(right, s.Node):
        return type(left) is type(right) and left == right
    name = module.qualify(left)
    if name is not None:
        return name in {module.qualify(right), s.string(right)}
    if type(left) is not type(right) or isinstance(left, s.Opaque):
        return False
    return all(
        _equal(module, getattr(left, field), getattr(right, field))
        for field in left.__struct_fields__
        if field not in {"start", "end"}
    )


RULE = Rule(
    summary="a response model that repeats the return annotation",
    severity="info",
    mend="Remove `response_model`: the return annotation is enough.",
    app=check,
    since={"fastapi": "0.89"},
    references=(
        "https://fastapi.tiangolo.com/tutorial/response-model/",
        "https://docs.astral.sh/ruff/rules/fast-api-redundant-response-model/",
    ),
)

_HEAD = """
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

app = FastAPI()
router = APIRouter()

class Item(BaseModel):
    name: str

class Row: ...
"""

CASES = (
    case(
        "the same class, the same collection, quoted",
        _HEAD
        + """
@app.get("/items/{id}", response_model=Item)  # <-
def read(id: int) -> Item: ...

@router.get("/items", response_model=list[Item], tags=["items"])  # <-
async def read_all() -> list[Item]: ...

@router.api_route("/either", methods=["GET"], response_model=Item | None)  # <-
async def either() -> Item | None: ...

@router.post(
    "/items",
    response_model=Item,  # <-
)
def create(item: Item) -> "Item": ...
""",
        after=_HEAD
        + """
@app.get("/items/{id}")
def read(id: int) -> Item: ...

@router.get("/items", tags=["items"])
async def read_all() -> list[Item]: ...

@router.api_route("/either", methods=["GET"])
async def either() -> Item | None: ...

@router.post(
    "/items",
)
def create(item: Item) -> "Item": ...
""",
    ),
    case(
        "another type, no model, no annotation, hidden by a decorator",
        _HEAD
        + """
def wrapped(function):
    return lambda: function()

@app.get("/rows/{id}", response_model=Item)
def read(id: int) -> Row: ...

@app.get("/rows", response_model=list[Item])
def rows() -> list[Row]: ...

@app.get("/none", response_model=None)
def nothing() -> None: ...

@app.get("/bare", response_model=Item)
def bare(): ...

@app.get("/hidden", response_model=Item)
@wrapped
def hidden() -> Item: ...
""",
    ),
    case(
        "decorators of the project that keep the signature",
        """
        from functools import wraps
        from typing import Any, Callable, TypeVar, cast
        from fastapi import FastAPI
        from pydantic import BaseModel

        F = TypeVar("F", bound=Callable[..., Any])
        app = FastAPI()

        class Item(BaseModel):
            name: str

        def logged(function=None, *, loud: bool = False):
            def decorator(func):
                @wraps(func)
                async def wrapper(*args, **kwargs):
                    return func(*args, **kwargs)
                return wrapper
            if function is None:
                return decorator
            return decorator(function)

        def limited(by: int):
            def decorator(func: F) -> F:
                @wraps(func)
                def wrapper(*args, **kwargs):
                    return func(*args, **kwargs)
                return cast(F, wrapper)
            return decorator

        def other(func):
            @wraps(func)
            def wrapper(*args, **kwargs):
                return func(*args, **kwargs)
            return wrapper if __debug__ else (lambda: None)

        @app.get("/one", response_model=Item)  # <-
        @logged
        @limited(by=3)
        def one() -> Item: ...

        @app.get("/two", response_model=Item)
        @logged
        @other
        def two() -> Item: ...
        """,
    ),
    case(
        "a local class that a postponed annotation cannot name",
        """
        from __future__ import annotations
        from fastapi import FastAPI
        from pydantic import BaseModel

        def create_app() -> FastAPI:
            app = FastAPI()

            class Item(BaseModel):
                name: str

            @app.get("/items", response_model=Item)
            def read() -> Item: ...

            return app
        """,
    ),
)
