"""What guards every route of a router stands on the router.

A router whose routes all name the same guard is one forgotten line away from an open endpoint:
the next route has to remember it. `APIRouter(dependencies=[Depends(get_current_user)])` guards
those that are written later as well. An endpoint that reads the user keeps its parameter: within
a request FastAPI runs a dependency once.

Off by default: some teams want to see the guard at each endpoint. Reported for routers with three
routes or more, all known, where each declares the same authenticating dependency itself, with the
same scopes, and the router, its inclusion and the application do not. Who authenticates is decided
by what the code does: it reads credentials and refuses with 401 or 403.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.dependencies import Dependency
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.setup.result import Layer
from fastwright.edit.builders import add_argument, delete_argument
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring, module_level_imports
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_ROUTES = 3
_SHOWN = 4
_OWN = frozenset({"parameter", "route"})


def check(app: App) -> Iterator[Hit]:
    """Report routers of which each route declares the same guard."""
    routers: dict[int, tuple[Layer, dict[int, Route]]] = {}
    for route in app.routes:
        layers = [layer for layer in route.record.inherited if layer.kind == "router"]
        if layers:
            _, routes = routers.setdefault(id(layers[-1].node), (layers[-1], {}))
            routes.setdefault(id(route.record.node), route)
    for layer, found in routers.values():
        if len(found) >= _ROUTES:
            yield from _router(app, layer, list(found.values()))


def _router(app: App, layer: Layer, routes: list[Route]) -> Iterator[Hit]:
    shared: dict[object, Dependency] | None = None
    for route in routes:
        if route.record.starlette or route.endpoint is None:
            return
        guards = _guards(app, route)
        shared = guards if shared is None else {k: d for k, d in shared.items() if k in guards}
        if not shared:
            return
    if not shared:
        return
    guard = next(iter(shared.values()))
    message = (
        f"each of the {len(routes)} routes of this router declares {guard.label} itself: declared"
        " on the router, it guards the next one as well"
    )
    chain = tuple(evidence(r.module, r.node, r.label) for r in routes[:_SHOWN])
    yield Hit(place(layer.module, layer.node), message, chain, _fix(layer, guard, routes))


def _fix(layer: Layer, guard: Dependency, routes: list[Route]) -> Fix | None:
    """Return the fix that declares it on the router; decorators leave it, parameters keep theirs."""
    module, made, given = layer.module, layer.node, guard.node
    if not isinstance(made, s.Call) or not isinstance(given, s.Call) or guard.scopes:
        return None
    if guard.module is not module or "dependencies" in layer.keywords or guard.security:
        return None
    dependency, depends = given.argument(0, "dependency"), bring(module, "fastapi", "Depends")
    if not isinstance(dependency, s.Name) or depends is None or layer.function is not None:
        return None
    if not _is_bound_before(module, dependency.id, made.start):
        return None
    edits = [add_argument(module, made, f"dependencies=[{depends.name}({dependency.id})]")]
    for route in routes:
        call = route.record.node
        for keyword in call.keywords if isinstance(call, s.Call) else ():
            if keyword.arg == "dependencies" and isinstance(call, s.Call):
                alone = isinstance(keyword.value, s.List) and len(keyword.value.elts) == 1
                if alone and _asks(keyword.value, dependency.id):
                    edits.append(delete_argument(route.module, call, keyword))
    return Fix("safe", tuple(edits), depends.imports)


def _asks(node: s.Expr, name: str) -> bool:
    return any(
        isinstance(each, s.Call)
        and s.last_name(each.func) == "Depends"
        and s.dotted(each.argument(0, "dependency")) == name
        for each in s.walk(node)
    )


def _is_bound_before(module: Module, name: str, offset: int) -> bool:
    """Whether a name of a module is there when the line at ``offset`` runs."""
    if name in module_level_imports(module):
        return True
    return any(
        isinstance(each, s.FunctionDef) and each.name == name and each.end < offset
        for each in module.facts.body
    )


def _guards(app: App, route: Route) -> dict[object, Dependency]:
    """Return the authenticating dependencies that a route itself declares, by what they run."""
    above = {
        id(d.function.node)
        for d in route.dependencies
        if d.level not in _OWN and d.function is not None
    }
    found: dict[object, Dependency] = {}
    for dependency in route.dependencies:
        function = dependency.function
        if dependency.level not in _OWN or function is None or id(function.node) in above:
            continue
        if _leans_on(dependency, above) and not app.authenticators.refuses(function):
            continue  # the one above does the guarding
        if dependency.level == "parameter" and dependency.parameter is None:
            continue  # an attribute of a class-based view: declared once already
        node = dependency.node
        given = node.argument(0, "dependency") if isinstance(node, s.Call) else None
        if not isinstance(given, (s.Name, s.Attribute)):
            continue  # made by a factory: it may differ from route to route
        if app.authenticators.authenticates(dependency):
            found[(id(function.node), dependency.scopes)] = dependency
    return found


def _leans_on(dependency: Dependency, above: set[int]) -> bool:
    return any(d.function is not None and id(d.function.node) in above for d in dependency.walk())


RULE = Rule(
    summary="the same guard on every route of a router",
    severity="info",
    default=False,
    mend="`router = APIRouter(dependencies=[Depends(get_current_user)])`; keep the parameter where"
    " its value is read.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/tutorial/bigger-applications/#another-module-with-apirouter",
    ),
)

_PRELUDE = """
        from typing import Annotated
        from fastapi import APIRouter, Depends, FastAPI, HTTPException
        from fastapi.security import OAuth2PasswordBearer

        app = FastAPI()
        scheme = OAuth2PasswordBearer("token")

        def get_user(token: str = Depends(scheme)):
            if token != "x":
                raise HTTPException(401)
            return token

        def get_db(): ...

        User = Annotated[str, Depends(get_user)]
"""

CASES = (
    case(
        "as a parameter, an alias, in the decorator",
        _PRELUDE
        + """
        router = APIRouter(prefix="/orders")  # <-

        @router.get("/")
        def listed(user: User) -> None: ...

        @router.get("/{key}", dependencies=[Depends(get_user)])
        def one(key: int) -> None: ...

        @router.post("/")
        def add(user: str = Depends(get_user)) -> None: ...

        app.include_router(router)
        """,
        after="""
from typing import Annotated
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer

app = FastAPI()
scheme = OAuth2PasswordBearer("token")

def get_user(token: str = Depends(scheme)):
    if token != "x":
        raise HTTPException(401)
    return token

def get_db(): ...

User = Annotated[str, Depends(get_user)]

router = APIRouter(prefix="/orders", dependencies=[Depends(get_user)])

@router.get("/")
def listed(user: User) -> None: ...

@router.get("/{key}")
def one(key: int) -> None: ...

@router.post("/")
def add(user: str = Depends(get_user)) -> None: ...

app.include_router(router)
""",
    ),
    case(
        "one route is open; the router has it; no guard; two routes",
        _PRELUDE
        + """
        mixed = APIRouter(prefix="/a")

        @mixed.get("/")
        def a1(user: User) -> None: ...

        @mixed.get("/b")
        def a2(user: User) -> None: ...

        @mixed.get("/c")
        def a3() -> None: ...

        guarded = APIRouter(prefix="/b", dependencies=[Depends(get_user)])

        @guarded.get("/")
        def b1(user: User) -> None: ...

        @guarded.get("/b")
        def b2(user: User) -> None: ...

        @guarded.get("/c")
        def b3(user: User) -> None: ...

        plain = APIRouter(prefix="/c")

        @plain.get("/")
        def c1(db=Depends(get_db)) -> None: ...

        @plain.get("/b")
        def c2(db=Depends(get_db)) -> None: ...

        @plain.get("/c")
        def c3(db=Depends(get_db)) -> None: ...

        small = APIRouter(prefix="/d")

        @small.get("/")
        def d1(user: User) -> None: ...

        @small.get("/b")
        def d2(user: User) -> None: ...

        for router in (mixed, guarded, plain, small):
            app.include_router(router)
        """,
    ),
    case(
        "what the router guards, read through another dependency",
        _PRELUDE
        + """
        router = APIRouter(prefix="/orders", dependencies=[Depends(get_user)])

        def get_user_name(user: User) -> str:
            return user.title()

        @router.get("/")
        def listed(name: str = Depends(get_user_name)) -> None: ...

        @router.get("/{key}")
        def one(key: int, name: str = Depends(get_user_name)) -> None: ...

        @router.delete("/{key}")
        def gone(key: int, name: str = Depends(get_user_name)) -> None: ...

        app.include_router(router)
        """,
    ),
)
