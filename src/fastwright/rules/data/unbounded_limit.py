"""A limit that the client chooses needs an upper bound.

`limit: int = 100` looks like pagination, but `?limit=100000000` reads the whole table into memory:
one request can take the service down (OWASP API4:2023, unrestricted resource consumption).
`Annotated[int, Query(ge=1, le=100)]` refuses it with 422.

Only parameters that really reach a statement's `limit(...)` are reported, through any number of
calls that pass them on by name, or in a class that a dependency makes of them
(`paging.limit`), and fields of the body that do (`form.limit`); one that is clamped with `min(...)`
on the way is right. So is a page that the client may leave out, where then no limit is set at all:
`limit = None`, and 60 only `if page is not None`.

The fix bounds the parameter with `le=100`, or with its default where that is more: who asked for more
rows at once is answered 422.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.dependencies import RequestParameter
from fastwright.app.guards import Guards, is_in
from fastwright.app.model import App
from fastwright.app.models import Field
from fastwright.app.on_loop import served
from fastwright.app.routes import Route
from fastwright.app.scopes import Bound, Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Statement, Type, alternatives
from fastwright.edit import source as at
from fastwright.edit.builders import add_argument, insert, replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

_NAMES = frozenset(
    {"limit", "page_size", "per_page", "size", "top", "top_k", "max_results", "first", "take",
     "count", "page_limit", "items_per_page", "num_results", "results_per_page"}
)  # fmt: skip
_BOUNDS = frozenset({"le", "lt", "max_value"})
_DEPTH = 5
_USUAL = 100
"""The bound that the fix sets."""


def check(app: App) -> Iterator[Hit]:
    """Report limit parameters without an upper bound that reach a statement."""
    seen: set[int] = set()
    objects = _limits_from_objects(app)
    guards = Guards(app)
    for route in app.routes:
        if route.endpoint is not None and id(route.endpoint.node) not in seen:
            seen.add(id(route.endpoint.node))
            yield from _left_out(app, guards, route)
        for parameter in route.parameters:
            for field, way in _fields(app, objects, parameter):
                if id(field.node) not in seen:
                    seen.add(id(field.node))
                    yield _field_hit(route, field, way)
            if id(parameter.node) in seen or not _is_candidate(app, parameter):
                continue
            chain = _reaches_limit(app, parameter.function, parameter.name, _DEPTH)
            chain = chain or _through_object(app, objects, parameter)
            if chain is None:
                continue
            seen.add(id(parameter.node))
            yield _hit(route, parameter, chain)


def _hit(route: Route, parameter: RequestParameter, chain: tuple[Evidence, ...]) -> Hit:
    module = parameter.function.module
    message = f"{parameter.alias} has no upper bound and limits a statement: one request can ask for all rows"
    proof = (*of_route(route), evidence(module, parameter.node, parameter.name), *chain)
    return Hit(place(module, parameter.node), message, proof, _bound_parameter(parameter))


def _bound_parameter(parameter: RequestParameter) -> Fix | None:
    """Return the fix that bounds a parameter in its ``Query(...)``, or gives it one."""
    module, node, marker = parameter.function.module, parameter.node, parameter.marker
    bound = _bound(node.default if node.default is not marker else None, marker)
    if bound is None or node.annotation is None:
        return None
    if marker is not None:
        if not node.start <= marker.start < node.end:
            return None  # in an alias that others share
        return Fix("contract", (add_argument(module, marker, f"le={bound}"),))
    if s.dotted(node.annotation) != "int":
        return None
    annotated, query = bring(module, "typing", "Annotated"), bring(module, "fastapi", "Query")
    if annotated is None or query is None:
        return None
    default = "" if node.default is None else f" = {at.text(module, node.default)}"
    text = f"{node.name}: {annotated.name}[int, {query.name}(le={bound})]{default}"
    return Fix("contract", (replace(module, node, text),), annotated.imports + query.imports)


def _bound(default: s.Expr | None, marker: s.Call | None) -> int | None:
    """Return the bound: the usual one, or the default where that is more; None for odd defaults."""
    if marker is not None and default is None:
        default = marker.argument(0, "default")
        if any(keyword.arg == "default_factory" for keyword in marker.keywords):
            return None
    if default is None or (isinstance(default, s.Constant) and default.kind == "ellipsis"):
        return _USUAL
    if isinstance(default, s.Constant) and isinstance(default.value, int):
        return max(_USUAL, default.value) if default.value > 0 else None
    return None  # none, or what is not known: it may be more


def _field_hit(route: Route, field: Field, chain: tuple[Evidence, ...]) -> Hit:
    module = field.owner.module
    message = f"{field.owner.name}.{field.name} has no upper bound and limits a statement: one request can ask for all rows"
    proof = (*of_route(route), evidence(module, field.node, field.name), *chain)
    return Hit(place(module, field.node), message, proof, _bound_field(field))


def _bound_field(field: Field) -> Fix | None:
    """Return the fix that bounds a field in its ``Field(...)``, or gives it one."""
    module, given = field.owner.module, field.default
    made = given if isinstance(given, s.Call) else None
    bound = _bound(None if made is not None else given, made)
    if bound is None or s.dotted(field.node.annotation) != "int":
        return None
    if made is not None:
        if s.last_name(made.func) != "Field":
            return None
        return Fix("contract", (add_argument(module, made, f"le={bound}"),))
    name = bring(module, "pydantic", "Field")
    if name is None:
        return None
    if given is None:
        written = insert(module, field.node.end, f" = {name.name}(le={bound})")
    else:
        value = f"default={at.text(module, given)}, le={bound}"
        written = replace(module, given, f"{name.name}({value})")
    return Fix("contract", (written,), name.imports)


def _left_out(app: App, guards: Guards, route: Route) -> Iterator[Hit]:
    """Report pages that the client may leave out, where then no limit is set."""
    endpoint = route.endpoint
    if endpoint is None or route.methods != ("GET",):
        return
    pages = {p.name: p for p in route.parameters if p.kind == "query" and _is_optional(p)}
    given = [g for g in guards.of(endpoint) if not g.absent and g.name in pages]
    for name, bounds in app.types.locals.of(endpoint).items():
        if not _is_none(bounds[0]) or is_in(bounds[0].value or endpoint.node, frozenset(given)):
            continue
        around = {
            guard.name
            for bound in bounds[1:]
            for guard in given
            if bound.value is not None and is_in(bound.value, frozenset({guard}))
        }
        if len(around) != 1 or not all(
            bound.value is not None and is_in(bound.value, frozenset(given)) for bound in bounds[1:]
        ):
            continue
        chain = _passed_on(app, endpoint, name, _DEPTH)
        if chain is not None:
            page = pages[around.pop()]
            module = endpoint.module
            message = f"without {page.alias} no limit is set: one request asks for all rows"
            unset = evidence(module, bounds[0].value or endpoint.node, f"{name} = None")
            proof = (*of_route(route), evidence(module, page.node, page.name), unset, *chain)
            yield Hit(place(module, page.node), message, proof)


def _is_optional(parameter: RequestParameter) -> bool:
    default = parameter.node.default
    return isinstance(default, s.Constant) and default.kind == "none"


def _is_none(bound: Bound) -> bool:
    return (
        bound.how == "assign" and isinstance(bound.value, s.Constant) and bound.value.kind == "none"
    )


def _fields(
    app: App, objects: dict[tuple[int, str], CallSite], parameter: RequestParameter
) -> Iterator[tuple[Field, tuple[Evidence, ...]]]:
    """Yield the fields of what a client sends that limit a statement, each with the way there."""
    for option in alternatives(parameter.type):
        cls = option.cls if isinstance(option, Instance) else None
        schema = app.models.schema(cls) if isinstance(cls, Class) else None
        for field in schema.fields.values() if schema is not None else ():
            if not _is_number(field.type) or _is_bounded(app, field, cls):
                continue
            name = f"{parameter.name}.{field.name}"
            chain = _reaches_limit(app, parameter.function, name, _DEPTH)
            site = objects.get((id(field.owner.node), field.name))
            if chain is None and site is not None:
                chain = (evidence(site.module, site.node, f"limit({s.dotted(site.node.args[0])})"),)
            if chain is not None:
                yield field, chain


def _is_number(found: Type) -> bool:
    return any(
        isinstance(kind, Instance) and kind.cls == "builtins.int" for kind in alternatives(found)
    )


def _is_bounded(app: App, field: Field, cls: Class | str | None) -> bool:
    """Whether a field's type, its ``Field(...)`` or a validator of its class bounds it."""
    where = Where(field.owner.module, field.owner.outer)
    markers = [
        field.default,
        *(node for node, _ in app.types.metadata(field.node.annotation, where)),
    ]
    if any(_bounds(marker) for marker in markers):
        return True
    annotation = field.node.annotation
    if any(_bounds(node) for node in s.walk(annotation) if isinstance(node, s.Call)):
        return True
    owners = app.linker.mro(cls) if isinstance(cls, Class) else []
    return any(
        _validates(decorator, field.name)
        for owner in owners
        if isinstance(owner, Class)
        for method in owner.own_methods.values()
        for decorator in method.node.decorators
    )


def _validates(decorator: s.Expr, name: str) -> bool:
    if not isinstance(decorator, s.Call):
        return s.last_name(decorator) == "root_validator"
    if s.last_name(decorator.func) in {"model_validator", "root_validator"}:
        return True
    return s.last_name(decorator.func) in {"field_validator", "validator"} and any(
        s.string(arg) in {name, "*"} for arg in decorator.args
    )


def _is_candidate(app: App, parameter: RequestParameter) -> bool:
    if parameter.kind != "query" or parameter.name not in _NAMES:
        return False
    if not _is_number(parameter.type):
        return False
    where = Where(parameter.function.module, parameter.function.outer)
    markers = [parameter.node.default, parameter.marker]
    markers += [node for node, _ in app.types.metadata(parameter.node.annotation, where)]
    return not any(_bounds(marker) for marker in markers)


def _bounds(marker: s.Expr | None) -> bool:
    if not isinstance(marker, s.Call):
        return False
    if s.last_name(marker.func) in {
        "Le",
        "Lt",
        "Interval",
        "conint",
        "AfterValidator",
        "BeforeValidator",
    }:
        return True
    return any(keyword.arg in _BOUNDS or keyword.arg is None for keyword in marker.keywords)


def _reaches_limit(
    app: App, function: Function, name: str, depth: int
) -> tuple[Evidence, ...] | None:
    """Return the places through which a parameter comes to ``.limit(...)``, None if it does not."""
    return None if _is_checked(app, function, name) else _passed_on(app, function, name, depth)


def _passed_on(app: App, function: Function, name: str, depth: int) -> tuple[Evidence, ...] | None:
    for site in app.calls.sites(function):
        position = _position(site, name)
        if position is None:
            continue
        if site.method == "limit" and isinstance(site.receiver, Statement):
            return (evidence(site.module, site.node, f"limit({name})"),)
        for target in site.targets if depth else ():
            parameter = _parameter(target, position)
            below = parameter and _reaches_limit(app, target, parameter, depth - 1)
            if below:
                return (evidence(site.module, site.node, target.qualname), *below)
    return None


def _limits_from_objects(app: App) -> dict[tuple[int, str], CallSite]:
    """Return the statements' limits that are attributes of objects: by class and attribute."""
    found: dict[tuple[int, str], CallSite] = {}
    for step in served(app).reached:
        if "limit" not in step.function.node.called:
            continue
        for site in app.calls.sites(step.function):
            given = site.node.args[0] if site.method == "limit" and site.node.args else None
            if not isinstance(given, s.Attribute) or not isinstance(site.receiver, Statement):
                continue
            owner = app.types.of(given.value, Where(site.module, site.caller))
            if isinstance(owner, Instance) and isinstance(owner.cls, Class):
                found.setdefault((id(owner.cls.node), given.attr), site)
    return found


def _through_object(
    app: App, objects: dict[tuple[int, str], CallSite], parameter: RequestParameter
) -> tuple[Evidence, ...] | None:
    """Return the place where an object that ``__init__`` makes of a parameter limits a statement."""
    init = parameter.function
    if init.owner is None or init.name != "__init__" or _is_checked(app, init, parameter.name):
        return None
    for name, values in app.types.self_values(init.owner).items():
        kept = any(
            function.node is init.node and value is not None and _is(value, parameter.name)
            for function, _, value in values
        )
        site = objects.get((id(init.owner.node), name))
        if kept and site is not None and len(values) == 1:
            return (evidence(site.module, site.node, f"limit({s.dotted(site.node.args[0])})"),)
    return None


def _is_checked(app: App, function: Function, name: str) -> bool:
    """Whether a function compares, clamps or rebinds the value: then it may well be bounded."""
    for node, _ in app.calls.nodes(function):
        if isinstance(node, s.Compare) and any(
            _is(part, name) for part in (node.left, *node.comparators)
        ):
            others = [part for part in (node.left, *node.comparators) if not _is(part, name)]
            if not all(isinstance(o, s.Constant) and o.value in {None, 0} for o in others):
                return True
        if isinstance(node, s.Call) and s.last_name(node.func) in {"min", "clamp"}:
            if any(_is(argument, name) for argument in node.args):
                return True
        if isinstance(node, (s.Assign, s.AugAssign)):
            targets = node.targets if isinstance(node, s.Assign) else [node.target]
            if any(_is(target, name) for target in targets):
                return True
    return False


def _is(node: s.Node, name: str) -> bool:
    return isinstance(node, (s.Name, s.Attribute)) and s.dotted(node) == name


def _position(site: CallSite, name: str) -> int | str | None:
    """Return at which position, or under which keyword, a call passes a variable on."""
    for position, argument in enumerate(site.node.args):
        if isinstance(argument, s.Starred):
            return None
        if _is(argument, name):
            return position
    for keyword in site.node.keywords:
        if keyword.arg is not None and _is(keyword.value, name):
            return keyword.arg
    return None


def _parameter(function: Function, position: int | str) -> str | None:
    if isinstance(position, str):
        return position if any(p.name == position for p in function.parameters) else None
    return function.parameters[position].name if position < len(function.parameters) else None


RULE = Rule(
    summary="a limit without an upper bound",
    severity="warning",
    mend="Bound it: `limit: Annotated[int, Query(ge=1, le=100)] = 20`.",
    profiles=("performance", "security"),
    app=check,
    references=(
        "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/",
        "CWE-770",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI, Query
from sqlmodel import Field, Session, SQLModel, create_engine, select

class Item(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()

class Items:
    def __init__(self, session: Session):
        self.session = session

    def page(self, skip: int, limit: int) -> list[Item]:
        return list(self.session.exec(select(Item).offset(skip).limit(limit)))
"""

CASES = (
    case(
        "through a repository",
        _HEAD
        + """
@app.get("/items")
def list_items(session: SessionDep, skip: int = 0, limit: int = 100) -> list[Item]:  # <-
    return Items(session).page(skip, limit)

@app.get("/more")
def more(session: SessionDep, size: Annotated[int, Query(ge=1)] = 10) -> list[Item]:  # <-
    return Items(session).page(0, limit=size)

@app.get("/old")
def old(session: SessionDep, size: int = Query(500)) -> list[Item]:  # <-
    return Items(session).page(0, limit=size)

@app.get("/all")
def all_of_them(session: SessionDep, limit: int = -1) -> list[Item]:  # <-
    return Items(session).page(0, limit=limit)

@app.get("/none")
def none(session: SessionDep, limit: int | None = None) -> list[Item]:  # <-
    return Items(session).page(0, limit=limit)
""",
        after="""
from typing import Annotated
from fastapi import Depends, FastAPI, Query
from sqlmodel import Field, Session, SQLModel, create_engine, select

class Item(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()

class Items:
    def __init__(self, session: Session):
        self.session = session

    def page(self, skip: int, limit: int) -> list[Item]:
        return list(self.session.exec(select(Item).offset(skip).limit(limit)))

@app.get("/items")
def list_items(session: SessionDep, skip: int = 0, limit: Annotated[int, Query(le=100)] = 100) -> list[Item]:
    return Items(session).page(skip, limit)

@app.get("/more")
def more(session: SessionDep, size: Annotated[int, Query(ge=1, le=100)] = 10) -> list[Item]:
    return Items(session).page(0, limit=size)

@app.get("/old")
def old(session: SessionDep, size: int = Query(500, le=500)) -> list[Item]:
    return Items(session).page(0, limit=size)

@app.get("/all")
def all_of_them(session: SessionDep, limit: int = -1) -> list[Item]:
    return Items(session).page(0, limit=limit)

@app.get("/none")
def none(session: SessionDep, limit: int | None = None) -> list[Item]:
    return Items(session).page(0, limit=limit)
""",
    ),
    case(
        "kept in an object that a dependency makes",
        _HEAD
        + """
class Paging:
    def __init__(self, skip: int = 0, limit: int = 100):  # <-
        self.skip = skip
        self.limit = limit

class Clamped:
    def __init__(self, limit: int = 100):
        self.limit = min(limit, 100)

@app.get("/items")
def list_items(session: SessionDep, paging: Annotated[Paging, Depends()]) -> list[Item]:
    return session.exec(select(Item).offset(paging.skip).limit(paging.limit)).all()

@app.get("/more")
def more(session: SessionDep, paging: Annotated[Clamped, Depends()]) -> list[Item]:
    return session.exec(select(Item).limit(paging.limit)).all()
""",
    ),
    case(
        "bounded, clamped, or no limit of a statement",
        _HEAD
        + """
@app.get("/a")
def a(session: SessionDep, limit: Annotated[int, Query(ge=1, le=100)] = 10) -> list[Item]:
    return Items(session).page(0, limit)

@app.get("/b")
def b(session: SessionDep, limit: int = Query(10, lt=50)) -> list[Item]:
    return Items(session).page(0, limit)

@app.get("/c")
def c(session: SessionDep, limit: int = 10) -> list[Item]:
    return Items(session).page(0, min(limit, 100))

@app.get("/c2")
def c2(session: SessionDep, limit: int = 10) -> list[Item]:
    size = min(limit, 100)
    limit = size
    return Items(session).page(0, limit)

@app.get("/c3")
def c3(session: SessionDep, limit: int = 10) -> list[Item]:
    limit = clamped(limit)
    return Items(session).page(0, limit)

@app.get("/d")
def d(session: SessionDep, limit: int = 10) -> list[Item]:
    if limit > 100:
        limit = 100
    return Items(session).page(0, limit)

@app.get("/e")
def e(limit: int = 10) -> int:
    return limit
""",
    ),
    case(
        "a field of the body",
        _HEAD
        + """
from pydantic import BaseModel, field_validator

class Search(BaseModel):
    text: str
    k: int | None = 1  # <-
    size: int = 10  # <-

class Bounded(BaseModel):
    k: Annotated[int, Field(le=100)] = 1
    size: int = Field(10, le=100)
    top: int = 10
    rows: int = 10
    other: int = 10

    @field_validator("top")
    @classmethod
    def few(cls, value: int) -> int:
        return min(value, 100)

def found(session: Session, form: Search) -> list[Item]:
    return session.exec(select(Item).limit(form.size)).all()

@app.post("/search")
def search(session: SessionDep, form: Search) -> list[Item]:
    return Items(session).page(0, limit=form.k) + found(session, form)

@app.post("/bounded")
def bounded(session: SessionDep, form: Bounded) -> list[Item]:
    if form.rows > 100:
        raise ValueError
    print(form.other)
    items = Items(session)
    return [*items.page(0, form.k), *items.page(0, form.size), *items.page(0, form.top),
            *items.page(0, form.rows), *items.page(0, min(form.other, 9))]
""",
    ),
    case(
        "a page that may be left out: then there is no limit",
        _HEAD
        + """
@app.get("/items")
def list_items(session: SessionDep, page: int | None = None) -> list[Item]:  # <-
    limit = None
    if page is not None:
        limit = 60
    return Items(session).page(0, limit)

@app.get("/always")
def always(session: SessionDep, page: int | None = None) -> list[Item]:
    limit = 60
    if page is not None:
        limit = 20
    return Items(session).page(0, limit)

@app.get("/never")
def never(session: SessionDep, page: int | None = None) -> list[Item]:
    limit = None
    if page is not None:
        limit = 60
    if limit is None:
        return []
    return [Item(id=limit)]
""",
    ),
)
