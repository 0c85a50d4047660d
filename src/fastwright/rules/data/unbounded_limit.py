"""A limit that the client chooses needs an upper bound.

`limit: int = 100` looks like pagination, but `?limit=100000000` reads the whole table into memory:
one request can take the service down (OWASP API4:2023, unrestricted resource consumption).
`Annotated[int, Query(ge=1, le=100)]` refuses it with 422.

Only parameters that really reach a statement's `limit(...)` are reported, through any number of
calls that pass them on by name, or in a class that a dependency makes of them
(`paging.limit`); one that is clamped with `min(...)` on the way is right.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.dependencies import RequestParameter
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Statement, alternatives
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


def check(app: App) -> Iterator[Hit]:
    """Report limit parameters without an upper bound that reach a statement."""
    seen: set[int] = set()
    objects = _limits_from_objects(app)
    for route in app.routes:
        for parameter in route.parameters:
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
    return Hit(place(module, parameter.node), message, proof)


def _is_candidate(app: App, parameter: RequestParameter) -> bool:
    if parameter.kind != "query" or parameter.name not in _NAMES:
        return False
    kinds = alternatives(parameter.type)
    if not any(isinstance(kind, Instance) and kind.cls == "builtins.int" for kind in kinds):
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
    if _is_checked(app, function, name):
        return None
    for site in app.calls.sites(function):
        position = _position(site, name)
        if position is None:
            continue
        if site.method == "limit" and isinstance(site.receiver, Statement):
            return (evidence(site.module, site.node, f"limit({name})"),)
        if depth == 0 or len(site.targets) != 1:
            continue
        parameter = _parameter(site.targets[0], position)
        if parameter is None:
            continue
        below = _reaches_limit(app, site.targets[0], parameter, depth - 1)
        if below is not None:
            return (evidence(site.module, site.node, site.targets[0].qualname), *below)
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
    return isinstance(node, s.Name) and node.id == name


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
)
