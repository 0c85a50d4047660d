"""An endpoint returns what its declared response can hold.

FastAPI checks what an endpoint returns against the response model or return annotation. What does not fit
is a `ResponseValidationError`: the client gets a 500, after the work was done.

Reported: `return None`, a bare `return` and a way that runs off the end (often an `except` that only logs)
where the declared response has no place for None; a row that is looked up by what the path says and
returned whether it was found or not (no condition anywhere in the endpoint); a dictionary literal without a required field of the
declared schema; a literal of another kind than the declared one, such as a dictionary for a list.

Left alone: values that are not literals, schemas with aliases or with validators that may fill in what is
missing, responses whose type is not known, endpoints under decorators that may change the result, and
chains of conditions (`if`/`elif`, `match`, retries) that may cover every case. With Pydantic 1, FastAPI
lets None through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fastwright.app.dependencies import Dependency
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.setup.relevance import VERBS
from fastwright.app.symbols import Class, External, Function, Variable
from fastwright.app.types import Result, Statement
from fastwright.edit import source as at
from fastwright.edit.builders import insert_before
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.rules.endpoint._endings import comes_to, falls_off
from fastwright.rules.endpoint._paths import names as path_names
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_LISTS = frozenset({"list", "List", "Sequence", "set", "Set", "tuple", "Tuple", "frozenset"})
_DICTS = frozenset({"dict", "Dict", "Mapping"})
_SCALARS = {
    "builtins.str": "str", "builtins.int": "int", "builtins.float": "float",
    "builtins.bool": "bool", "uuid.UUID": "scalar", "datetime.datetime": "scalar",
    "datetime.date": "scalar", "decimal.Decimal": "scalar",
}  # fmt: skip
_CONTAINERS = frozenset({"builtins", "typing", "collections"})
_PASSING = frozenset({"limit", "exempt", "deprecated", "staticmethod"})
_FILLING = frozenset({"model_validator", "root_validator"})
_MODELS = frozenset(
    {"pydantic.BaseModel", "sqlmodel.SQLModel", "typing.Generic", "abc.ABC", "typing.Protocol"}
)
_OBJECTS = frozenset({"none", "schema", "list", "dict"})
_MAYBE = frozenset({"first", "one_or_none", "scalar_one_or_none"})
_MAX_DEPTH = 8


class _Kind(NamedTuple):
    """One kind of value that a declared response can hold."""

    name: str
    """none, list, dict, schema, str, int, float, bool or scalar."""
    cls: Class | None = None


def check(app: App) -> Iterator[Hit]:
    """Report endpoints that return what their response cannot hold."""
    seen: set[int] = set()
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or id(endpoint.node) in seen or not _is_checked(route, endpoint):
            continue
        node, where = route.response.node, route.response.where
        if node is None or where is None:
            continue
        kinds = _kinds(app, node, where)
        if not kinds:
            continue
        seen.add(id(endpoint.node))
        yield from _mismatches(app, route, endpoint, kinds)


def _is_checked(route: Route, endpoint: Function) -> bool:
    """Whether FastAPI holds what the endpoint itself returns against a declared response."""
    if route.kind != "http" or route.record.starlette or route.response.source == "none":
        return False
    if endpoint.node.is_generator:
        return False
    return all(
        isinstance(decorator, (s.Call, s.Attribute, s.Name))
        and s.last_name(decorator) in VERBS | _PASSING
        for decorator in endpoint.node.decorators
    )


def _mismatches(
    app: App, route: Route, endpoint: Function, kinds: tuple[_Kind, ...]
) -> Iterator[Hit]:
    names = {kind.name for kind in kinds}
    for node, around in app.calls.of_kind(endpoint, s.Return):
        if around.deferred:
            continue
        what = _mismatch(app, node.value, kinds)
        if what is not None and comes_to(app, endpoint, node):
            yield _hit(route, endpoint, node, what)
        elif what is None and "none" not in names and _is_unchecked_row(app, route, endpoint, node):
            missing = "None where there is no such row"
            yield _hit(route, endpoint, node, missing, _fix(endpoint, node))
    if "none" not in names and not _is_stub(endpoint):
        last = falls_off(app, endpoint)
        if last is not None:
            yield _hit(route, endpoint, last, "None: from here it runs off the end")


def _hit(route: Route, endpoint: Function, node: s.Node, what: str, fix: Fix | None = None) -> Hit:
    declared = route.response
    chain = [*of_route(route), evidence(endpoint.module, node, "what it returns")]
    if declared.node is not None and declared.where is not None:
        chain.insert(-1, evidence(declared.where.module, declared.node, "the declared response"))
    message = f"{route.label} returns {what}; the declared response cannot hold that: a 500"
    return Hit(place(endpoint.module, node), message, tuple(chain), fix)


def _fix(endpoint: Function, node: s.Return) -> Fix | None:
    """Return the fix that answers 404 where a row that has a name is not there."""
    module = endpoint.module
    error = bring(module, "fastapi", "HTTPException")
    if not isinstance(node.value, s.Name) or error is None:
        return None
    if not at.is_alone(module.source, node.start, node.end):
        return None
    check = f"if {node.value.id} is None:\n{at.step(module)}raise {error.name}(404)"
    return Fix("contract", (insert_before(module, node, check),), error.imports)


def _is_stub(endpoint: Function) -> bool:
    """``...``, ``pass`` or a docstring alone: not written yet."""
    return all(
        isinstance(node, s.Flow)
        or (isinstance(node, s.ExprStmt) and isinstance(node.value, s.Constant))
        for node in endpoint.node.body
    )


# ------------------------------------------------------------------ rows not found


def _is_unchecked_row(app: App, route: Route, endpoint: Function, node: s.Return) -> bool:
    """Whether what a client asks for by path is looked up and returned, found or not."""
    names = set(path_names(route.path))
    if not names or any(not names.isdisjoint(_names(each)) for each in route.all_dependencies()):
        return False
    deciding = (s.If, s.Try, s.Raise, s.IfExp, s.Assert)
    if any(isinstance(inner, deciding) for inner, _ in app.calls.nodes(endpoint)):
        return False
    return _may_find_none(app, node.value, endpoint)


def _names(dependency: Dependency) -> list[str]:
    function = dependency.function
    return [parameter.name for parameter in function.parameters] if function is not None else []


def _may_find_none(app: App, node: s.Expr | None, function: Function, depth: int = 0) -> bool:
    if isinstance(node, s.Await):
        node = node.value
    if isinstance(node, s.Name):
        uses = [n for n, _ in app.calls.of_kind(function, s.Name) if n.id == node.id]
        bounds = app.types.locals.of(function).get(node.id, [])
        if len(uses) != 2 or len(bounds) != 1 or bounds[0].how != "assign" or bounds[0].path:
            return False
        return _may_find_none(app, bounds[0].value, function, depth + 1)
    if not isinstance(node, s.Call) or depth > _MAX_DEPTH:
        return False
    site = next((each for each in app.calls.sites(function) if each.node is node), None)
    if site is None:
        return False
    if isinstance(site.receiver, (Result, Statement)):
        return site.method in _MAYBE and not site.node.args
    if any(each.site is site and each.by_key for each in app.calls.executions(function)):
        return site.method == "get"
    if len(site.targets) != 1:
        return False
    target = site.targets[0]
    statements = [n for n in target.node.body if not isinstance(n, (s.ExprStmt, s.Assign))]
    only = statements[0] if len(statements) == 1 else None
    return isinstance(only, s.Return) and _may_find_none(app, only.value, target, depth + 1)


# ------------------------------------------------------------- the declared response


def _kinds(app: App, node: s.Expr, where: Where, depth: int = 0) -> tuple[_Kind, ...]:
    """Return every kind of value that a declared response holds; nothing where one is not known."""
    if depth > _MAX_DEPTH:
        return ()
    if isinstance(node, s.Constant):
        if node.kind == "none":
            return (_Kind("none"),)
        quoted = app.types.quoted(node.value) if isinstance(node.value, str) else None
        return _kinds(app, quoted, where, depth + 1) if quoted is not None else ()
    if isinstance(node, s.BinOp):
        return _all(app, [node.left, node.right], where, depth) if node.op == "|" else ()
    if isinstance(node, s.Subscript):
        return _generic(app, node, where, depth)
    if isinstance(node, (s.Name, s.Attribute)):
        return _named(app, node, where, depth)
    return ()


def _all(app: App, nodes: Sequence[s.Expr], where: Where, depth: int) -> tuple[_Kind, ...]:
    found = [_kinds(app, node, where, depth + 1) for node in nodes]
    return tuple(kind for kinds in found for kind in kinds) if all(found) else ()


def _generic(app: App, node: s.Subscript, where: Where, depth: int) -> tuple[_Kind, ...]:
    symbol = app.linker.expression(node.value, where.module, where.function)
    arguments = node.slice.elts if isinstance(node.slice, s.Tuple) else [node.slice]
    if isinstance(symbol, Class):
        return _class(app, symbol)
    if not isinstance(symbol, External) or not arguments:
        return ()
    last = symbol.name.rpartition(".")[2]
    if last == "Annotated":
        return _kinds(app, arguments[0], where, depth + 1) if len(arguments) == 1 else ()
    if last == "Optional":
        found = _kinds(app, arguments[0], where, depth + 1)
        return (*found, _Kind("none")) if found else ()
    if last == "Union":
        return _all(app, arguments, where, depth)
    return _container(symbol.name)


def _container(name: str) -> tuple[_Kind, ...]:
    root, last = name.partition(".")[0], name.rpartition(".")[2]
    if root in _CONTAINERS and last in _LISTS:
        return (_Kind("list"),)
    if root in _CONTAINERS and last in _DICTS:
        return (_Kind("dict"),)
    return ()


def _named(app: App, node: s.Expr, where: Where, depth: int) -> tuple[_Kind, ...]:
    symbol = app.linker.expression(node, where.module, where.function)
    if isinstance(symbol, Class):
        return _class(app, symbol)
    if isinstance(symbol, External):
        if symbol.name in _SCALARS:
            return (_Kind(_SCALARS[symbol.name]),)
        return _container(symbol.name)
    if isinstance(symbol, Variable) and len(symbol.values) == 1:
        return _kinds(app, symbol.values[0], Where(symbol.module), depth + 1)
    return ()


def _class(app: App, cls: Class) -> tuple[_Kind, ...]:
    """A schema of the project, if it takes what its fields say and nothing else."""
    schema = app.models.schema(cls)
    if schema is None or app.models.table(cls) is not None:
        return ()
    for ancestor in app.linker.mro(cls):
        if isinstance(ancestor, External):
            if ancestor.name not in _MODELS:
                return ()
        elif any(_takes_anything(method) for method in ancestor.own_methods.values()):
            return ()
    return (_Kind("schema", cls),)


def _takes_anything(method: Function) -> bool:
    """Whether a method sees what was given before the model checks it: it may make one of None."""
    if method.name.startswith("__get_pydantic"):
        return True
    return any(
        s.last_name(decorator) in _FILLING
        and not (isinstance(decorator, s.Call) and s.string(decorator.keyword("mode")) == "after")
        for decorator in method.node.decorators
    )


# --------------------------------------------------------------- what the endpoint gives


def _mismatch(app: App, node: s.Expr | None, kinds: tuple[_Kind, ...]) -> str | None:
    """Return what is wrong with a returned expression, None where nothing surely is."""
    names = {kind.name for kind in kinds}
    if node is None or (isinstance(node, s.Constant) and node.kind == "none"):
        return "None" if "none" not in names else None
    if isinstance(node, s.IfExp):
        return _mismatch(app, node.body, kinds) or _mismatch(app, node.orelse, kinds)
    if isinstance(node, s.Dict):
        return _dictionary(app, node, kinds)
    if isinstance(node, s.List) or (isinstance(node, s.Comp) and node.kind == "list"):
        return "a list" if "list" not in names else None
    if isinstance(node, s.JoinedStr) or s.string(node) is not None:
        return "a string" if names <= _OBJECTS else None
    if isinstance(node, s.Constant) and node.kind == "bool":
        return str(node.value) if names <= _OBJECTS else None
    return None


def _dictionary(app: App, node: s.Dict, kinds: tuple[_Kind, ...]) -> str | None:
    names = {kind.name for kind in kinds}
    if "dict" in names:
        return None
    missing: set[str] = set()
    for kind in kinds:
        if kind.cls is not None:
            lacking = _missing(app, node, kind.cls)
            if not lacking:
                return None
            missing |= set(lacking)
    if not missing:
        return "a dictionary"
    listed = ", ".join(sorted(missing))
    return f"a dictionary without {listed}"


def _missing(app: App, node: s.Dict, cls: Class) -> list[str]:
    """Return the required fields of a schema that a dictionary surely lacks."""
    schema = app.models.schema(cls)
    given = [s.string(key) for key in node.keys]
    if schema is None or None in given or _renames(app, cls):
        return []
    return [
        name
        for name, field in schema.fields.items()
        if name not in given and _is_required(app, field.node, field.owner)
    ]


def _renames(app: App, cls: Class) -> bool:
    """Whether a schema takes its fields under other names."""
    for ancestor in app.linker.mro(cls):
        if not isinstance(ancestor, Class):
            continue
        for node in s.walk(*ancestor.node.body):
            if isinstance(node, (s.Keyword, s.Name, s.Constant)) and "alias" in _word(node):
                return True
    return False


def _word(node: s.Node) -> str:
    if isinstance(node, s.Keyword):
        return node.arg or ""
    return node.id if isinstance(node, s.Name) else s.string(node) or ""


def _is_required(app: App, node: s.AnnAssign, owner: Class) -> bool:
    where = Where(owner.module, owner.outer)
    described = [node.value] if node.value is not None else []
    described += [found for found, _ in app.types.metadata(node.annotation, where)]
    if any(s.last_name(n) == "ClassVar" for n in s.walk(node.annotation)):
        return False
    if not isinstance(node.annotation, (s.Name, s.Attribute, s.Subscript, s.BinOp, s.Constant)):
        return False
    return all(_leaves_required(each) for each in described)


def _leaves_required(node: s.Expr) -> bool:
    if isinstance(node, s.Constant):
        return node.kind == "ellipsis"
    if not isinstance(node, s.Call) or s.last_name(node) != "Field":
        return False
    if any(keyword.arg in {"default", "default_factory", None} for keyword in node.keywords):
        return False
    return not node.args or (
        isinstance(node.args[0], s.Constant) and node.args[0].kind == "ellipsis"
    )


RULE = Rule(
    summary="an endpoint that returns what its declared response cannot hold",
    severity="error",
    mend="Raise an `HTTPException` where there is nothing to return, return what is declared, or declare"
    " what is returned (`Item | None`).",
    app=check,
    since={"pydantic": "2", "fastapi": "0.100"},
    references=("https://fastapi.tiangolo.com/tutorial/response-model/",),
)

_HEAD = """
import logging
from enum import Enum
from typing import Annotated, Optional, Union
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field, model_validator

app = FastAPI()
ITEMS = {}

class Kind(str, Enum):
    A = "a"
    B = "b"

class Item(BaseModel):
    id: int
    name: Annotated[str, Field(max_length=9)]
    note: str | None = None
    tags: list[str] = Field(default_factory=list)
"""

_ROWS = (
    _HEAD
    + """
from fastapi import Depends
from sqlmodel import Field as Column, Session, SQLModel, create_engine, select

class Order(SQLModel, table=True):
    id: int | None = Column(default=None, primary_key=True)
    name: str

class OrderOut(SQLModel):
    name: str

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]

def find(session: Session, id: int):
    return session.get(Order, id)
"""
)

CASES = (
    case(
        "a row that may not be there",
        _ROWS
        + """
@app.get("/a/{id}", response_model=OrderOut)
def a(id: int, session: SessionDep):
    return session.get(Order, id)  # <-

@app.get("/b/{name}")
def b(name: str, session: SessionDep) -> OrderOut:
    order = session.exec(select(Order).where(Order.name == name)).first()
    return order  # <-

@app.get("/c/{id}")
def c(id: int, session: SessionDep) -> OrderOut:
    return find(session, id)  # <-
""",
        after="""
        import logging
        from enum import Enum
        from typing import Annotated, Optional, Union
        from fastapi import FastAPI, HTTPException
        from pydantic import BaseModel, Field, model_validator

        app = FastAPI()
        ITEMS = {}

        class Kind(str, Enum):
            A = "a"
            B = "b"

        class Item(BaseModel):
            id: int
            name: Annotated[str, Field(max_length=9)]
            note: str | None = None
            tags: list[str] = Field(default_factory=list)

        from fastapi import Depends
        from sqlmodel import Field as Column, Session, SQLModel, create_engine, select

        class Order(SQLModel, table=True):
            id: int | None = Column(default=None, primary_key=True)
            name: str

        class OrderOut(SQLModel):
            name: str

        engine = create_engine("sqlite://")

        def get_session():
            with Session(engine) as session:
                yield session

        SessionDep = Annotated[Session, Depends(get_session)]

        def find(session: Session, id: int):
            return session.get(Order, id)

        @app.get("/a/{id}", response_model=OrderOut)
        def a(id: int, session: SessionDep):
            return session.get(Order, id)

        @app.get("/b/{name}")
        def b(name: str, session: SessionDep) -> OrderOut:
            order = session.exec(select(Order).where(Order.name == name)).first()
            if order is None:
                raise HTTPException(404)
            return order

        @app.get("/c/{id}")
        def c(id: int, session: SessionDep) -> OrderOut:
            return find(session, id)
        """,
    ),
    case(
        "a row that is checked, by the endpoint or before it, or that may be None",
        _ROWS
        + """
def existing(id: int, session: SessionDep) -> Order:
    order = find(session, id)
    if order is None:
        raise HTTPException(404)
    return order

@app.get("/a/{id}", response_model=OrderOut)
def a(id: int, session: SessionDep):
    order = session.get(Order, id)
    if order is None:
        raise HTTPException(404)
    return order

@app.get("/b/{id}", response_model=OrderOut)
def b(id: int, session: SessionDep, order: Annotated[Order, Depends(existing)]):
    return session.get(Order, id)

@app.get("/c/{id}", response_model=OrderOut | None)
def c(id: int, session: SessionDep):
    return session.get(Order, id)

@app.get("/settings")
def d(session: SessionDep) -> OrderOut:
    return session.exec(select(Order)).first()
""",
    ),
    case(
        "None, off the end, a handler that only logs, a loop that finds nothing",
        _HEAD
        + """
@app.get("/a/{id}", response_model=Item)
def a(id: int):
    if id not in ITEMS:
        return None  # <-
    return ITEMS[id]

@app.get("/b/{id}")
async def b(id: int) -> Item:
    try:
        return ITEMS[id]
    except KeyError as error:  # <-
        logging.error("no item: %s", error)

@app.get("/c/{name}", response_model=list[Item])
def c(name: str):
    for item in ITEMS.values():  # <-
        if item.name == name:
            return [item]

@app.get("/d/{id}")
def d(id: int) -> Item:
    if id in ITEMS:  # <-
        return ITEMS[id]
""",
    ),
    case(
        "a dictionary that lacks a field, another kind of value",
        _HEAD
        + """
@app.post("/a")
def a() -> Item:
    return {"id": 1}  # <-

@app.get("/b", response_model=list[Item])
def b(id: int = 0):
    if not ITEMS:
        return {"items": []}  # <-
    return list(ITEMS.values())

@app.get("/c", response_model=Item)
def c():
    return "no item"  # <-

@app.get("/d", response_model=Optional[Item])
def d(id: int):
    return [] if id > 4 else ITEMS[id]  # <-
""",
    ),
    case(
        "None is allowed, everything raises, complete dictionaries, unknown parts",
        _HEAD
        + """
class Open(BaseModel):
    id: int = Field(alias="_id")

class Filled(BaseModel):
    id: int

    @model_validator(mode="before")
    @classmethod
    def fill(cls, data):
        return data or {"id": 1}

@app.get("/a", response_model=Optional[Item])
def a():
    return None

@app.get("/b")
def b() -> Union[Item, None]:
    pass

@app.get("/c")
def c() -> Item:
    return {"id": 1, "name": "a"}

@app.get("/d")
def d(more: dict) -> Item:
    return {"id": 1, **more}

@app.get("/e")
def e() -> Open:
    return {"_id": 1}

@app.get("/f")
def f() -> Filled:
    return None

@app.get("/g")
def g():
    return None

@app.get("/h")
def h(id: int) -> dict | list[Item]:
    if id > 3:
        return {"error": "no"}
    return []
""",
    ),
    case(
        "conditions that cover every case, retries, helpers that raise",
        _HEAD
        + """
def refuse(error: Exception) -> None:
    raise HTTPException(500) from error

@app.get("/a")
def a(kind: Kind) -> Item:
    if kind == Kind.A:
        return ITEMS[1]
    elif kind == Kind.B:
        return ITEMS[2]

@app.get("/b")
def b(kind: Kind) -> Item:
    if kind == Kind.A:
        return ITEMS[1]
    if kind == Kind.B:
        return ITEMS[2]

@app.get("/c")
def c(kind: Kind) -> Item:
    match kind:
        case Kind.A:
            return ITEMS[1]
        case Kind.B:
            return ITEMS[2]

@app.get("/d")
def d() -> Item:
    for attempt in range(3):
        try:
            return ITEMS[attempt]
        except KeyError:
            if attempt == 2:
                raise

@app.get("/e")
def e() -> Item:
    try:
        return ITEMS[1]
    except KeyError as error:
        refuse(error)

@app.get("/f")
def f() -> Item:
    with open("items") as file:
        while True:
            if file.read():
                return ITEMS[1]

@app.get("/g")
def g() -> Item:
    ...

@app.get("/i", response_model=Item)
def i():
    try:
        return ITEMS[1]
    except KeyError as error:
        handle(error)
        return None

def handle(error: Exception) -> None:
    match error:
        case KeyError():
            raise HTTPException(404)
        case _:
            raise HTTPException(500)

def save(item: Item) -> bool:
    if not ITEMS:
        raise HTTPException(409)
    return True

@app.post("/h")
def h(item: Item) -> Item:
    if save(item):
        return item
""",
    ),
)
