"""A response model that only repeats the return annotation is left out.

Since FastAPI 0.89 the return annotation is the response model: it validates and filters what goes out
and is what the OpenAPI document shows. `response_model=Item` beside `-> Item` says the same twice, and
the next change has to be made in both places; where only the annotation is changed, `response_model`
wins and the annotation is wrong. `response_model` is for the case in which the two differ: the endpoint
returns a row or a dictionary, and a schema is made of it. Ruff knows this as FAST001.

Left alone: `response_model=None` (it turns validation off, `-> None` does not), endpoints with other
decorators under the route (they may hide the annotation), generators, and postponed annotations of
functions that are nested in others (FastAPI cannot resolve local names).
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.edit.builders import delete_argument
from fastwright.edit.fix import Fix
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_DECLARE = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "trace", "api_route"}
)


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report each ``response_model`` that equals the return annotation."""
    if "fastapi" not in module.header.marks and "APIRouter" not in module.header.marks:
        return
    nested = _nested(module)
    postponed = any(
        isinstance(statement, s.ImportFrom) and statement.module == "__future__"
        for statement in module.facts.body
    )
    for function in module.functions:
        returns = function.returns
        if returns is None or function.is_generator or not _only_routes(function):
            continue
        if id(function) in nested and (postponed or _is_quoted(returns)):
            continue
        for decorator in function.decorators:
            if not isinstance(decorator, s.Call):
                continue
            for keyword in decorator.keywords:
                if keyword.arg == "response_model" and _same(module, keyword.value, returns):
                    message = (
                        f"response_model of {function.name} repeats its return annotation:"
                        " FastAPI takes that as the response model"
                    )
                    chain = (evidence(module, returns, "the return annotation"),)
                    fix = Fix("safe", (delete_argument(module, decorator, keyword),))
                    yield Hit(place(module, keyword), message, chain, fix)


def _nested(module: Module) -> set[int]:
    """Return the functions that are defined inside of other functions."""
    return {
        id(inner)
        for outer in module.functions
        if outer.defines
        for inner in s.walk(*outer.body)
        if isinstance(inner, s.FunctionDef)
    }


def _only_routes(function: s.FunctionDef) -> bool:
    """Whether nothing stands between the routes and the function that may hide its annotation."""
    return all(
        isinstance(decorator, s.Call)
        and isinstance(decorator.func, s.Attribute)
        and decorator.func.attr in _DECLARE
        for decorator in function.decorators
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
    module=check,
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
