"""A dependency whose value nobody reads stands in `dependencies=[...]` of the route.

A check of the user or a rate limit must run, but its value is of no use to the endpoint. As a
parameter it looks forgotten, editors and linters mark it, and somebody removes it together with
the check. `@router.get("/", dependencies=[Depends(require_user)])` says that it runs for its
effect; what is needed for no reason at all (a session that is never asked) is left out, and with
it the work of making it.

Reported for parameters of endpoints that `Depends` or `Security` fills and whose name appears
nowhere in the function. Names that begin with an underscore say that it is meant, and are right.
So are the parameters of dependencies, which have no list to put them into. Left alone, too:
endpoints that only declare, those that read `locals()`, methods that override another one, and
functions under decorators that are no route: these may read the value by its name.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.dependencies import Dependency
from fastwright.app.model import App
from fastwright.app.symbols import Function, is_abstract
from fastwright.edit.builders import add_argument, delete_parameter, insert
from fastwright.edit.fix import Fix
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.rules.evidence import of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_ROUTING = frozenset(
    {"api_route", "delete", "get", "head", "options", "patch", "post", "put", "route", "trace",
     "websocket", "websocket_route"}
)  # fmt: skip
_READS_NAMES = frozenset({"locals", "vars", "eval", "exec", "signature", "currentframe"})


def check(app: App) -> Iterator[Hit]:
    """Report injected parameters of endpoints that their function never reads."""
    seen: set[int] = set()
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or id(endpoint.node) in seen or route.record.starlette:
            continue
        seen.add(id(endpoint.node))
        unread = list(_unread(app, endpoint))
        if unread and not _is_read_elsewhere(app, endpoint):
            for parameter, dependency in unread:
                message = (
                    f"{parameter.name} of {endpoint.qualname} is injected and never read: list"
                    f" {dependency.label} in dependencies=[...] of the route if it has to run"
                )
                fix = _fix(endpoint, parameter, dependency) if len(unread) == 1 else None
                yield Hit(place(endpoint.module, parameter), message, of_route(route), fix)


def _fix(endpoint: Function, parameter: s.Parameter, dependency: Dependency) -> Fix | None:
    """Return the fix that moves a dependency from the signature to its only route."""
    module, node = endpoint.module, endpoint.node
    if dependency.module is not module or len(node.decorators) != 1 or endpoint.owner is not None:
        return None
    route, gone = node.decorators[0], delete_parameter(module, node, parameter)
    if not isinstance(route, s.Call) or gone is None or not isinstance(dependency.node, s.Call):
        return None
    if not parameter.start <= dependency.node.start < parameter.end:
        return None  # an alias: what stands behind it may not be at hand here
    if not (dependency.node.args or dependency.node.keywords):
        return None
    marker = text(module, dependency.node)
    given = route.keyword("dependencies")
    if given is None:
        added = add_argument(module, route, f"dependencies=[{marker}]")
    elif isinstance(given, s.List) and given.elts:
        added = insert(module, given.elts[-1].end, f", {marker}")
    else:
        return None
    return Fix("safe", (gone, added))


def _unread(app: App, endpoint: Function) -> Iterator[tuple[s.Parameter, Dependency]]:
    """Yield the parameters that a dependency fills and that the body does not name."""
    injected = [
        (dependency.parameter, dependency)
        for dependency in app.dependencies.of_function(endpoint)
        if dependency.parameter is not None and not dependency.parameter.name.startswith("_")
    ]
    if not injected:
        return
    names = {node.id for node in s.walk(*endpoint.node.body) if isinstance(node, s.Name)}
    yield from ((p, d) for p, d in injected if p.name not in names)


def _is_read_elsewhere(app: App, endpoint: Function) -> bool:
    """Whether somebody else may read the parameters, or wants them in the signature."""
    if is_abstract(endpoint) or not _READS_NAMES.isdisjoint(endpoint.node.called):
        return True
    for node in s.walk(*endpoint.node.body):
        if isinstance(node, (s.Opaque, s.OpaqueStmt)):
            return True
    for decorator in endpoint.node.decorators:
        called = decorator.func if isinstance(decorator, s.Call) else None
        if not isinstance(called, s.Attribute) or called.attr not in _ROUTING:
            return True
    owner = endpoint.owner
    return owner is not None and any(
        getattr(ancestor, "own_methods", {}).get(endpoint.name) is not None
        or not hasattr(ancestor, "own_methods")
        for ancestor in app.linker.mro(owner)[1:]
    )


RULE = Rule(
    summary="an injected value that is never used",
    severity="info",
    mend='Move it to the route, `@router.get("/", dependencies=[Depends(require_user)])`, or to the'
    " router when all its routes need it; leave it out where nothing has to run.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-in-path-operation-decorators/",
    ),
)

CASES = (
    case(
        "a guard, an alias, a session that is never asked",
        """
        from typing import Annotated
        from fastapi import Depends, FastAPI, Security

        app = FastAPI()

        def get_user(): ...
        def get_db(): ...

        User = Annotated[dict, Security(get_user, scopes=["a"])]

        @app.get("/")
        def home(
            user: User,  # <-
            db=Depends(get_db),  # <-
        ) -> dict:
            return {"user": "none"}

        @app.websocket("/live")
        async def live(socket, user=Depends(get_user)):  # <-
            await socket.accept()
        """,
        after="""
        from typing import Annotated
        from fastapi import Depends, FastAPI, Security

        app = FastAPI()

        def get_user(): ...
        def get_db(): ...

        User = Annotated[dict, Security(get_user, scopes=["a"])]

        @app.get("/")
        def home(
            user: User,
            db=Depends(get_db),
        ) -> dict:
            return {"user": "none"}

        @app.websocket("/live", dependencies=[Depends(get_user)])
        async def live(socket):
            await socket.accept()
        """,
    ),
    case(
        "read, meant, or read by somebody else",
        """
        from fastapi import APIRouter, Depends, FastAPI
        from elsewhere import audited, Base

        app = FastAPI()
        router = APIRouter()

        def get_user(): ...
        def check(): ...
        def get_current(user=Depends(get_user), checked=Depends(check)):
            return user

        @app.get("/a", dependencies=[Depends(check)])
        def a(user=Depends(get_user), _checked=Depends(check), _=Depends(check)) -> dict:
            def inner():
                return user
            return inner()

        @app.get("/b")
        @audited("user")
        def b(user=Depends(get_user)) -> int:
            return 1

        @app.get("/c")
        def c(user=Depends(get_user)) -> str:
            return "{user}".format(**locals())

        @app.get("/d")
        def d(user=Depends(get_user)) -> None: ...

        @app.get("/e")
        def e(current=Depends(get_current)) -> dict:
            return current

        class View(Base):
            def listed(self, user=Depends(get_user)) -> list:
                return []

        router.add_api_route("/f", View().listed)
        app.include_router(router)
        """,
    ),
)
