"""The application is made by a function: `create_app()`, with `app = create_app()` kept for servers; what modules shared, it keeps.

What a module does to its `app = FastAPI(...)` (routers, middleware, handlers, mounts) moves into the function, in its order; tests can make an
application of their own. Functions, constants and everything else of the module stay where they are; a function that the module runs to set the
application up takes it as a parameter. Events (`@app.on_event`) become a lifespan first.

Functions that are declared with decorators of the application stay, and are registered there: routes (`@app.get`) by a router of the module,
handlers of exceptions and middleware by name, in the order in which they stood.

Clients at module level (HTTP, Redis, object stores, payment) and containers that requests fill become `app.state`: a client that can be closed is opened and closed by
the lifespan. `Depends` gives them to endpoints and dependencies, which hand them on to functions as a parameter, to objects when they are made. `settings =
Settings()` becomes `get_settings()`, made once: endpoints and dependencies take it by `Depends`, everything else calls it.

An engine of a database stays beside the dependency that makes sessions of it, as FastAPI's own documentation has it.

Left alone, with the line: routes that other routers stand between, names that are bound between and that others read, what tests patch by its name, clients where tests
talk to an application that was not started, and what is needed where no request comes by: in jobs, at import, in classes with bases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastwright.app.model import App
from fastwright.app.setup.result import Application
from fastwright.app.symbols import Variable
from fastwright.edit.fix import Edit
from fastwright.edit.names import bring, is_taken
from fastwright.edit.reads import binds, reads, rebinds
from fastwright.edit.source import blank_lines, indented, line_start, newline, next_line, text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Case, Kept, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.set_up.lifespan import started
from fastwright.recipes.set_up.settings import settings
from fastwright.recipes.set_up.state import once, state
from fastwright.recipes.shared.application import assignment
from fastwright.recipes.shared.from_rules import planned_by
from fastwright.recipes.shared.handed import uses

_NAME = "create_app"
_ROUTERS = ("router", "root_router", "app_router")
_SETTING_UP = (s.ExprStmt, s.If, s.For, s.With, s.Try, s.Assign, s.AnnAssign, s.AugAssign)
_BLOCKS = (s.If, s.For, s.With, s.Try)
_ROUTES = frozenset({"get", "post", "put", "patch", "delete", "options", "head", "trace", "api_route", "websocket"})  # fmt: skip
_ADDS_ROUTES = frozenset({"include_router", "mount", "add_api_route", "add_route", "add_api_websocket_route", "add_websocket_route", "host"})  # fmt: skip


class _Helper(NamedTuple):
    """A function that sets up the application of its module, and where the module runs it."""

    function: s.FunctionDef
    calls: tuple[s.Call, ...]


class _Declared(NamedTuple):
    """A function that decorators of the application declare."""

    function: s.FunctionDef
    decorators: tuple[s.Call, ...]
    """Those of the application: the first of the function's, in their order."""
    is_route: bool


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each application that is made at module level, and for each thing that modules share."""
    yield from planned_by(app, target, ("deprecated-on-event",), frozenset({"safe"}))
    for application in app.applications:
        module = application.module
        if application.fastapi and application.function is None and target.holds(module.path):
            planned = _planned(app, application)
            if planned is not None:
                yield planned
    yield from started(app, target)
    yield from once(app, target)
    yield from state(app, target)
    yield from settings(app, target)


def _planned(app: App, application: Application) -> Planned | None:
    module = application.module
    made = assignment(application)
    if made is None or module.kind != "source" or made[0] not in module.facts.body:
        return None
    statement, name = made
    place = f"{module.path}:{module.line(statement)}"
    try:
        helpers = _helpers(module, statement, name)
        moved = [statement, *_about(module, statement, name, helpers)]
        declared = _declared(module, name)
        _check(app, module, moved, declared, name)
    except Kept as kept:
        return Stopped(kept.place, kept.reason)
    title = f"{_NAME} makes the application of {module.path}"
    brought = bring(module, "fastapi", "FastAPI")
    if brought is None:
        return Stopped(place, "FastAPI means something else here")
    imports, router = brought.imports, ""
    if any(each.is_route for each in declared):
        made_by = bring(module, "fastapi", "APIRouter")
        router = next((free for free in _ROUTERS if not is_taken(module, free)), "")
        if made_by is None or not router:
            return Stopped(place, "there is no free name for a router")
        imports += made_by.imports
        edits = _routed(module, moved[0], declared, f"{router} = {made_by.name}()", router)
    else:
        start, stop = _lines(module.source, moved[0])
        edits = [Edit(module.path, start, stop, "")]
    edits += [_given(module, helper.function, f"{name}: {brought.name}") for helper in helpers]
    given = [call for helper in helpers for call in helper.calls]
    edits += _edits(module, moved, declared, name, brought.name, router, given)
    return Proposal(title, tuple(edits), imports, places=(place,))


def _about(module: Module, made: s.Stmt, name: str, helpers: list[_Helper]) -> list[s.Stmt]:
    """Return the statements of a module that set the application up."""
    calls = {id(call) for helper in helpers for call in helper.calls}
    found: list[s.Stmt] = []
    for statement in module.facts.body:
        if statement.start <= made.start or not isinstance(statement, _SETTING_UP):
            continue
        if _is_main(statement):
            continue
        nodes = list(s.walk(statement))
        if any((isinstance(n, s.Name) and n.id == name) or id(n) in calls for n in nodes):
            found.append(statement)
    return [each for each in found if not _is_offered(each, found)]


def _is_offered(statement: s.Stmt, found: list[s.Stmt]) -> bool:
    """Whether a statement binds a name that none of the others reads: ``handler = Mangum(app)``, for a server."""
    if not isinstance(statement, (s.Assign, s.AnnAssign)) or not binds(statement):
        return False
    others = [read.name for each in found if each is not statement for read in reads(each)]
    return binds(statement).isdisjoint(others)


def _read_elsewhere(
    app: App, module: Module, moved: list[s.Stmt], binding: s.Stmt
) -> s.Node | None:
    """Return what reads a name that a statement binds, or binds it too, outside of what moves. Raises Kept."""
    names = binds(binding)
    for statement in module.facts.body:
        if statement not in moved:
            if names & (binds(statement) | rebinds(statement)):
                return statement
            found = next((read.node for read in reads(statement) if read.name in names), None)
            if found is not None:
                return found
    for name in names:
        variable = app.linker.scope(module).names.get(name)
        if isinstance(variable, Variable):
            other = next((use for use in uses(app, variable) if use.module is not module), None)
            if other is not None:
                raise Kept(other.module, other.node, f"needs {name} of {module.path}")
    return None


def _helpers(module: Module, made: s.Stmt, name: str) -> list[_Helper]:
    """Return the functions that read the application and that the module runs while it sets it up.

    Raises Kept where that is not seen for sure.
    """
    functions = [each for each in module.facts.body if isinstance(each, s.FunctionDef)]
    needs = {each.name: {read.name for read in reads(each)} for each in functions}
    needing = {each for each, read in needs.items() if name in read}
    while more := {each for each, read in needs.items() if read & needing} - needing:
        needing |= more
    found = []
    for function in functions:
        run = [
            statement
            for statement in module.facts.body
            if isinstance(statement, _SETTING_UP)
            and statement.start > made.start
            and not _is_main(statement)
            and function.name in needing
            and _runs(statement, function.name)
        ]
        if not run:
            continue
        calls = [each.value for each in run if isinstance(each, s.ExprStmt)]
        plain = [call for call in calls if isinstance(call, s.Call) and _is_of(call, function.name)]
        named = sum(_names(statement, function.name) for statement in module.facts.body)
        if len(plain) != named or name not in needs[function.name] or function.decorators:
            raise Kept(module, run[0], f"runs {function.name}, which needs {name}")
        if function.params or needs[function.name] & needing:
            raise Kept(module, run[0], f"runs {function.name}, which needs {name}")
        found.append(_Helper(function, tuple(plain)))
    return found


def _runs(statement: s.Stmt, function: str) -> bool:
    """Whether a statement calls a function at once."""
    return any(
        isinstance(node, s.Call) and isinstance(node.func, s.Name) and node.func.id == function
        for node in s.walk_scope(statement)
    )


def _is_of(call: s.Call, function: str) -> bool:
    is_named = isinstance(call.func, s.Name) and call.func.id == function
    return is_named and not call.args and not call.keywords


def _given(module: Module, function: s.FunctionDef, written: str) -> Edit:
    """Return the edit that lets a function without parameters take the application."""
    opened = module.source.index(b"(", function.name_start) + 1
    return Edit(module.path, opened, opened, written)


def _is_main(statement: s.Stmt) -> bool:
    """``if __name__ == "__main__":``: what runs only then stays."""
    return isinstance(statement, s.If) and any(
        isinstance(node, s.Name) and node.id == "__name__"
        for node in s.walk(statement.branches[0].test)
    )


def _declared(module: Module, name: str) -> list[_Declared]:
    """Return the functions that decorators of the application declare. Raises Kept."""
    found = []
    for statement in module.facts.body:
        if not isinstance(statement, (s.FunctionDef, s.ClassDef)):
            continue
        about = [decorator for decorator in statement.decorators if _names(decorator, name)]
        if not about:
            continue
        kinds = [_registers(decorator, name) for decorator in about]
        calls = tuple(decorator for decorator in about if isinstance(decorator, s.Call))
        is_route = all(kind in _ROUTES for kind in kinds)
        is_hook = all(kind in {"exception_handler", "middleware"} for kind in kinds)
        if not isinstance(statement, s.FunctionDef) or not (is_route or is_hook):
            raise Kept(
                module, statement, f"{statement.name} is declared with a decorator of {name}"
            )
        if is_hook and about != statement.decorators[: len(about)]:
            raise Kept(
                module, statement, f"{statement.name} is declared before another decorator of it"
            )
        found.append(_Declared(statement, calls, is_route))
    return found


def _names(node: s.Node, name: str) -> int:
    return sum(isinstance(each, s.Name) and each.id == name for each in s.walk(node))


def _registers(decorator: s.Expr, name: str) -> str | None:
    """Return what ``@app.get(...)`` calls, None for anything that is not of this form."""
    if not isinstance(decorator, s.Call) or not isinstance(decorator.func, s.Attribute):
        return None
    value = decorator.func.value
    is_own = isinstance(value, s.Name) and value.id == name and _names(decorator, name) == 1
    return decorator.func.attr if is_own else None


def _check(
    app: App, module: Module, moved: list[s.Stmt], declared: list[_Declared], name: str
) -> None:
    """Raise Kept where the application is to stay as it is."""
    if is_taken(module, _NAME):
        raise Kept(module, moved[0], f"{_NAME} is there already")
    last = max([moved[-1].start, *(each.function.start for each in declared)])
    for statement in module.facts.body:
        if isinstance(statement, (s.FunctionDef, s.ClassDef)) or statement in moved:
            continue
        if moved[0].start < statement.start < last and _names(statement, name):
            raise Kept(module, statement, f"{name} is used between the statements that set it up")
    routes = [each.function.start for each in declared if each.is_route]
    for statement in moved[1:]:
        if routes and routes[0] < statement.start < routes[-1]:
            if any(
                isinstance(node, s.Attribute) and node.attr in _ADDS_ROUTES
                for node in s.walk(statement)
            ):
                raise Kept(module, statement, f"routes of {name} stand on both sides of it")
    for statement in moved[1:]:
        reader = _read_elsewhere(app, module, moved, statement)
        if reader is not None:
            bound = " and ".join(sorted(binds(statement)))
            raise Kept(module, reader, f"{bound} is bound where the application is set up")


def _routed(
    module: Module, made: s.Stmt, declared: list[_Declared], line: str, router: str
) -> list[Edit]:
    """Return the edits that put a router in the application's place, and routes on it."""
    start, stop = _lines(module.source, made)
    edits = [Edit(module.path, start, stop, line + newline(module.source))]
    for each in declared:
        for decorator in each.decorators:
            if each.is_route and isinstance(decorator.func, s.Attribute):
                value = decorator.func.value
                edits.append(Edit(module.path, value.start, value.end, router))
    return edits


def _edits(
    module: Module,
    moved: list[s.Stmt],
    declared: list[_Declared],
    name: str,
    fastapi: str,
    router: str,
    given: list[s.Call],
) -> list[Edit]:
    """Return the edits that write the function behind all that it needs, and take away what it does."""
    source, end = module.source, newline(module.source)
    written = [(statement.start, _moved(module, statement, name, given)) for statement in moved]
    behind = max([*moved, *(each.function for each in declared)], key=lambda node: node.start)
    edits = _gone(module, moved, behind)
    included = False
    for each in declared:
        if each.is_route and not included:
            written.append((each.function.start, f"    {name}.include_router({router}){end}"))
            included = True
        if not each.is_route:
            for decorator in reversed(each.decorators):  # the lowest is the first
                start = line_start(source, decorator.start)
                edits.append(Edit(module.path, start, next_line(source, decorator.end - 1), ""))
                line = _registration(module, decorator, name, each.function.name)
                written.append((each.function.start, f"    {line}{end}"))
    lines = [
        f"def {_NAME}() -> {fastapi}:{end}",
        f'    """Make the application."""{end}',
        "".join(part for _, part in sorted(written, key=lambda each: each[0])).lstrip("\r\n"),
        f"    return {name}{end}{end}{end}{name} = {_NAME}(){end}",
    ]
    stop = next_line(source, max(behind.end - 1, behind.start))
    before = source[: _chain(source, moved, behind)] if behind in moved else source[:stop]
    if not before.endswith(b"\n") and before:
        lines.insert(0, end)
    blank = 0 if not before.strip() else 2 - min(2, _blank_lines(before))
    return [*edits, Edit(module.path, stop, stop, end * blank + "".join(lines))]


def _gone(module: Module, moved: list[s.Stmt], behind: s.Stmt) -> list[Edit]:
    """Return the edits that take statements away, with the blank lines that parted them from what follows."""
    source, edits = module.source, []
    for statement in moved[1:]:
        start, stop = _lines(source, statement)
        first = _chain(source, moved, statement)
        is_parted = not source[line_start(source, first - 1) : first].strip() if first else True
        stop = blank_lines(source, stop) if is_parted and statement is not behind else stop
        edits.append(Edit(module.path, start, stop, ""))
    return edits


def _chain(source: bytes, moved: list[s.Stmt], statement: s.Stmt) -> int:
    """Return where the first of the statements begins that stand line by line above one and go with it."""
    ends = {stop: start for start, stop in (_lines(source, each) for each in moved[1:])}
    start, _ = _lines(source, statement)
    while start in ends:
        start = ends[start]
    return start


def _moved(module: Module, statement: s.Stmt, name: str, given: list[s.Call]) -> str:
    """Return the lines of a statement as they are in a function, with the application where it is to be given."""
    source = module.source
    start, stop = _lines(source, statement)
    blanks = _blank_lines(source[:start])
    is_block = source[start : start + 1] == b"#" or isinstance(statement, _BLOCKS)
    is_parted = blanks == 1 or (blanks > 1 and is_block)  # two stand around functions
    added = [Edit(module.path, call.end - 1, call.end - 1, name) for call in given]
    written = indented(module, start, stop, statement, added)
    return newline(source) + written if is_parted else written


def _registration(module: Module, decorator: s.Call, name: str, function: str) -> str:
    """Return the line that registers a function as its decorator did."""
    assert isinstance(decorator.func, s.Attribute)  # noqa: S101 - `_registers` has seen it
    if decorator.func.attr == "exception_handler" and len(decorator.args) == 1:
        if not decorator.keywords:
            handled = text(module, decorator.args[0])
            return f"{name}.add_exception_handler({handled}, {function})"
    return f"{text(module, decorator)}({function})"


def _blank_lines(before: bytes) -> int:
    rest = before.replace(b"\r", b"")
    return len(rest) - len(rest.rstrip(b"\n")) - 1


def _lines(source: bytes, statement: s.Stmt) -> tuple[int, int]:
    """Return the lines of a statement, with the comments directly above it."""
    start = line_start(source, statement.start)
    while start > 0 and source[line_start(source, start - 1) : start].startswith(b"#"):
        start = line_start(source, start - 1)
    return start, next_line(source, max(statement.end - 1, statement.start))


RECIPE = Recipe(
    summary="a function that makes the application",
    why="An application at module level is made once, on import: tests and workers cannot have their own.",
    plan=plan,
    since={"fastapi": "0.95"},
    references=("https://fastapi.tiangolo.com/tutorial/bigger-applications/",),
)
CASES = (
    Case(
        "routers and middleware move, in their order",
        {
            "shop/__init__.py": "",
            "shop/orders.py": """\
from fastapi import APIRouter

router = APIRouter()


@router.get("/orders")
def orders() -> list[str]:
    return []
""",
            "shop/main.py": """\
from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware

from shop import orders

PREFIX = "/api"

# the shop
app = FastAPI(title="Shop")
app.add_middleware(GZipMiddleware)


def name() -> str:
    return app.title


for router in (orders.router,):
    app.include_router(router, prefix=PREFIX)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run("shop.main:app")
""",
        },
        {
            "shop/main.py": """\
from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware

from shop import orders

PREFIX = "/api"



def name() -> str:
    return app.title


def create_app() -> FastAPI:
    \"\"\"Make the application.\"\"\"
    # the shop
    app = FastAPI(title="Shop")
    app.add_middleware(GZipMiddleware)

    for router in (orders.router,):
        app.include_router(router, prefix=PREFIX)
    return app


app = create_app()

if __name__ == "__main__":
    import uvicorn

    uvicorn.run("shop.main:app")
""",
        },
    ),
    Case(
        "the blank lines that part statements stay",
        {
            "main.py": """\
from fastapi import APIRouter, FastAPI

router = APIRouter()

app = FastAPI()

app.include_router(router)
app.include_router(router, prefix="/old")
""",
        },
        {
            "main.py": """\
from fastapi import APIRouter, FastAPI

router = APIRouter()



def create_app() -> FastAPI:
    \"\"\"Make the application.\"\"\"
    app = FastAPI()

    app.include_router(router)
    app.include_router(router, prefix="/old")
    return app


app = create_app()
""",
        },
    ),
    Case(
        "an application alone",
        {
            "main.py": """\
from fastapi import FastAPI

app = FastAPI()
""",
        },
        {
            "main.py": """\
from fastapi import FastAPI


def create_app() -> FastAPI:
    \"\"\"Make the application.\"\"\"
    app = FastAPI()
    return app


app = create_app()
""",
        },
    ),
    Case(
        "made by a function already",
        {
            "main.py": """\
from fastapi import FastAPI


def create_app() -> FastAPI:
    app = FastAPI()
    return app


app = create_app()
""",
        },
    ),
    Case(
        "names that are bound between",
        {
            "other.py": """\
from fastapi import FastAPI

app = FastAPI()
wrapped = print(app)
app.title = "Shop"
app.add_api_route("/orders", lambda: [])
""",
        },
        stopped=("other.py:4",),
    ),
    Case(
        "routes, handlers and middleware of its own",
        {
            "main.py": """\
import time

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from shop import orders

app = FastAPI(title="Shop")


class OutOfStock(Exception):
    \"\"\"There is none left.\"\"\"


# Says how long an answer took.
@app.middleware("http")
async def timing(request: Request, call_next) -> Response:
    started = time.perf_counter()
    response = await call_next(request)
    response.headers["X-Time"] = str(time.perf_counter() - started)
    return response


@app.exception_handler(OutOfStock)
@app.exception_handler(404)
async def gone(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "gone"}, 404)


app.include_router(orders.router)


@app.get("/health", tags=["health"])
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.websocket("/news")
async def news(websocket) -> None:
    await websocket.accept()


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app)
""",
            "shop/__init__.py": "",
            "shop/orders.py": """\
from fastapi import APIRouter

router = APIRouter(prefix="/orders")


@router.get("/")
def orders() -> list[str]:
    return []
""",
        },
        {
            "main.py": """\
import time

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from shop import orders

router = APIRouter()


class OutOfStock(Exception):
    \"\"\"There is none left.\"\"\"


# Says how long an answer took.
async def timing(request: Request, call_next) -> Response:
    started = time.perf_counter()
    response = await call_next(request)
    response.headers["X-Time"] = str(time.perf_counter() - started)
    return response


async def gone(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "gone"}, 404)


@router.get("/health", tags=["health"])
def health() -> dict[str, str]:
    return {"status": "ok"}


@router.websocket("/news")
async def news(websocket) -> None:
    await websocket.accept()


def create_app() -> FastAPI:
    \"\"\"Make the application.\"\"\"
    app = FastAPI(title="Shop")
    app.middleware("http")(timing)
    app.add_exception_handler(404, gone)
    app.add_exception_handler(OutOfStock, gone)
    app.include_router(orders.router)
    app.include_router(router)
    return app


app = create_app()


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app)
""",
        },
    ),
    Case(
        "routes on both sides of a router, which may take their requests",
        {
            "main.py": """\
from fastapi import FastAPI

from orders import router

app = FastAPI()


@app.get("/orders/latest")
def latest() -> str:
    return "latest"


app.include_router(router)


@app.get("/{rest:path}")
def rest(rest: str) -> str:
    return rest
""",
            "orders.py": """\
from fastapi import APIRouter

router = APIRouter(prefix="/orders")


@router.get("/{name}")
def order(name: str) -> str:
    return name
""",
        },
        stopped=("main.py:13",),
    ),
    Case(
        "another decorator above, and one of what the application holds",
        {
            "main.py": """\
from fastapi import FastAPI

app = FastAPI()


def traced(function):
    return function


@traced
@app.exception_handler(404)
async def gone(request, error):
    return None
""",
            "limited.py": """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/kinds")
@app.state.limiter.limit("5/minute")
def kinds() -> list[str]:
    return []
""",
        },
        stopped=("limited.py:8", "main.py:12"),
    ),
    Case(
        "names that only the set-up reads, a function that sets up, an object for a server",
        {
            "main.py": """\
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from mangum import Mangum

import orders

app: FastAPI = FastAPI(
    description=\"\"\"
# Shop

Sells.
\"\"\"
)
app.state.version = "1"
ORIGINS = ["https://shop.example"]
schema = get_openapi(title="Shop", version="1", routes=app.routes)
app.openapi = lambda: schema

if ORIGINS:
    extra = [*ORIGINS, "http://localhost"]
    app.add_middleware(CORSMiddleware, allow_origins=extra)


def add_routers():
    app.include_router(orders.router)


add_routers()

# no tags in the documentation
for route in app.routes:
    route.tags = []

handler = Mangum(app)
""",
            "orders.py": """\
from fastapi import APIRouter

router = APIRouter(prefix="/orders")


@router.get("/")
def orders() -> list[str]:
    return []
""",
        },
        {
            "main.py": """\
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from mangum import Mangum

import orders

ORIGINS = ["https://shop.example"]

def add_routers(app: FastAPI):
    app.include_router(orders.router)



def create_app() -> FastAPI:
    \"\"\"Make the application.\"\"\"
    app: FastAPI = FastAPI(
        description=\"\"\"
# Shop

Sells.
\"\"\"
    )
    app.state.version = "1"
    schema = get_openapi(title="Shop", version="1", routes=app.routes)
    app.openapi = lambda: schema

    if ORIGINS:
        extra = [*ORIGINS, "http://localhost"]
        app.add_middleware(CORSMiddleware, allow_origins=extra)
    add_routers(app)

    # no tags in the documentation
    for route in app.routes:
        route.tags = []
    return app


app = create_app()

handler = Mangum(app)
""",
        },
    ),
    Case(
        "names that others read, and a function that is run in another way",
        {
            "main.py": """\
from fastapi import FastAPI

app = FastAPI()
paths = [route.path for route in app.routes]
app.state.paths = paths
""",
            "audit.py": """\
from main import paths


def known(path: str) -> bool:
    return path in paths
""",
            "admin.py": """\
from fastapi import FastAPI

app = FastAPI()


def add(prefix: str) -> None:
    app.state.prefix = prefix


add("/admin")
""",
        },
        stopped=(
            "admin.py:10",
            "audit.py:5",
        ),
    ),
    Case(
        "events become a lifespan first",
        {
            "main.py": """\
from fastapi import FastAPI

app = FastAPI()


@app.on_event("startup")
async def start() -> None:
    print("start")
""",
        },
        {
            "main.py": """\
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    await start()
    yield


def create_app() -> FastAPI:
    \"\"\"Make the application.\"\"\"
    app = FastAPI(lifespan=lifespan)
    return app


app = create_app()


async def start() -> None:
    print("start")
""",
        },
    ),
    Case(
        "settings and a client of one module",
        {
            "main.py": """\
import httpx
from fastapi import FastAPI
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    weather_url: str
    days: int = 10


settings = Settings()

# one pool of connections for all requests
client = httpx.AsyncClient(base_url=settings.weather_url, timeout=5)

app = FastAPI(title="Weather")


async def ask(city: str, days: int = 1) -> dict:
    answer = await client.get(f"/{city}", params={"days": days})
    return answer.json()


@app.get("/weather/{city}")
async def weather(city: str, days: int = settings.days) -> dict:
    return await ask(city, days)


@app.get("/days")
async def days() -> int:
    return settings.days
""",
        },
        {
            "main.py": """\
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Annotated

import httpx
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    weather_url: str
    days: int = 10


@lru_cache
def get_settings() -> Settings:
    return Settings()

router = APIRouter()


async def ask(city: str, days: int = 1, *, client: httpx.AsyncClient) -> dict:
    answer = await client.get(f"/{city}", params={"days": days})
    return answer.json()


def get_client(request: Request) -> httpx.AsyncClient:
    client: httpx.AsyncClient = request.app.state.client
    return client


ClientDep = Annotated[httpx.AsyncClient, Depends(get_client)]


@router.get("/weather/{city}")
async def weather(city: str, client: ClientDep, days: int = get_settings().days) -> dict:
    return await ask(city, days, client=client)


SettingsDep = Annotated[Settings, Depends(get_settings)]


@router.get("/days")
async def days(settings: SettingsDep) -> int:
    return settings.days


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # one pool of connections for all requests
    async with httpx.AsyncClient(base_url=get_settings().weather_url, timeout=5) as client:
        app.state.client = client
        yield


def create_app() -> FastAPI:
    \"\"\"Make the application.\"\"\"
    app = FastAPI(title="Weather", lifespan=lifespan)
    app.include_router(router)
    return app


app = create_app()
""",
        },
    ),
    Case(
        "clients that objects of a class use, beside a lifespan that is there",
        {
            "shop/__init__.py": "",
            "shop/main.py": """\
from contextlib import asynccontextmanager

from fastapi import FastAPI

from shop.files import router


@asynccontextmanager
async def lifespan(_: FastAPI):
    print("start")
    yield
    print("stop")


def create_app() -> FastAPI:
    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    return app


app = create_app()
""",
            "shop/storage.py": """\
import boto3
import redis.asyncio as redis

s3 = boto3.client("s3")
# what was stored lately
cache = redis.from_url("redis://localhost")


class Storage:
    \"\"\"Files.\"\"\"

    def put(self, name: str, data: bytes) -> None:
        s3.put_object(Bucket="files", Key=name, Body=data)

    async def known(self, name: str) -> bool:
        return bool(await cache.get(name))
""",
            "shop/files.py": """\
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends

from shop.storage import Storage, cache

router = APIRouter()


def get_storage() -> Storage:
    return Storage()


StorageDep = Annotated[Storage, Depends(get_storage)]


async def remember(name: str) -> None:
    await cache.set(name, 1)


@router.put("/files/{name}")
async def put(name: str, storage: StorageDep, tasks: BackgroundTasks) -> None:
    if not await storage.known(name):
        storage.put(name, b"")
    tasks.add_task(remember, name)
""",
        },
        {
            "shop/main.py": """\
from contextlib import asynccontextmanager

import boto3
import redis.asyncio as redis
from fastapi import FastAPI

from shop.files import router


@asynccontextmanager
async def lifespan(app: FastAPI):
    print("start")
    # what was stored lately
    async with redis.from_url("redis://localhost") as cache:
        app.state.cache = cache
        yield
    print("stop")


def create_app() -> FastAPI:
    app = FastAPI(lifespan=lifespan)
    app.state.s3 = boto3.client("s3")
    app.include_router(router)
    return app


app = create_app()
""",
            "shop/storage.py": """\
import redis.asyncio as redis
from botocore.client import BaseClient


class Storage:
    \"\"\"Files.\"\"\"

    def __init__(self, s3: BaseClient, cache: redis.Redis) -> None:
        self.s3 = s3
        self.cache = cache

    def put(self, name: str, data: bytes) -> None:
        self.s3.put_object(Bucket="files", Key=name, Body=data)

    async def known(self, name: str) -> bool:
        return bool(await self.cache.get(name))
""",
            "shop/files.py": """\
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends
from redis.asyncio import Redis

from shop.dependencies import CacheDep, S3Dep
from shop.storage import Storage

router = APIRouter()


def get_storage(s3: S3Dep, cache: CacheDep) -> Storage:
    return Storage(s3=s3, cache=cache)


StorageDep = Annotated[Storage, Depends(get_storage)]


async def remember(name: str, cache: Redis) -> None:
    await cache.set(name, 1)


@router.put("/files/{name}")
async def put(name: str, storage: StorageDep, tasks: BackgroundTasks, cache: CacheDep) -> None:
    if not await storage.known(name):
        storage.put(name, b"")
    tasks.add_task(remember, name, cache=cache)
""",
            "shop/dependencies.py": """\
\"\"\"What endpoints depend on.\"\"\"

from typing import Annotated

from botocore.client import BaseClient
from fastapi import Depends, Request
from redis.asyncio import Redis


def get_s3(request: Request) -> BaseClient:
    s3: BaseClient = request.app.state.s3
    return s3


S3Dep = Annotated[BaseClient, Depends(get_s3)]


def get_cache(request: Request) -> Redis:
    cache: Redis = request.app.state.cache
    return cache


CacheDep = Annotated[Redis, Depends(get_cache)]
""",
        },
    ),
    Case(
        "what one request writes and another one reads",
        {
            "blog/__init__.py": "",
            "blog/main.py": """\
from fastapi import FastAPI

from blog import posts

app = FastAPI()
app.include_router(posts.router)
""",
            "blog/dependencies.py": """\
from blog.services import PostService


def get_posts() -> PostService:
    return PostService()
""",
            "blog/services.py": """\
# how often each post was read since the start
VIEWS: dict[str, int] = {}


class PostService:
    def __init__(self) -> None:
        self.read = 0

    def view(self, slug: str) -> str:
        self.read += 1
        VIEWS[slug] = VIEWS.get(slug, 0) + 1
        return slug
""",
            "blog/posts.py": """\
from typing import Annotated

from fastapi import APIRouter, Depends, WebSocket

from blog import services
from blog.dependencies import get_posts

router = APIRouter()


@router.get("/posts/{slug}")
def post(slug: str, posts: Annotated[services.PostService, Depends(get_posts)]) -> str:
    return posts.view(slug)


@router.get("/views")
def views() -> dict[str, int]:
    return services.VIEWS


@router.websocket("/live")
async def live(websocket: WebSocket) -> None:
    await websocket.send_json(services.VIEWS)
""",
        },
        {
            "blog/main.py": """\
from fastapi import FastAPI

from blog import posts



def create_app() -> FastAPI:
    \"\"\"Make the application.\"\"\"
    app = FastAPI()
    # how often each post was read since the start
    app.state.views = {}
    app.include_router(posts.router)
    return app


app = create_app()
""",
            "blog/dependencies.py": """\
from typing import Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection

from blog.services import PostService


def get_views(request: HTTPConnection) -> dict[str, int]:
    views: dict[str, int] = request.app.state.views
    return views


ViewsDep = Annotated[dict[str, int], Depends(get_views)]


def get_posts(views: ViewsDep) -> PostService:
    return PostService(views=views)
""",
            "blog/services.py": """\
class PostService:
    def __init__(self, views: dict[str, int]) -> None:
        self.read = 0
        self.views = views

    def view(self, slug: str) -> str:
        self.read += 1
        self.views[slug] = self.views.get(slug, 0) + 1
        return slug
""",
            "blog/posts.py": """\
from typing import Annotated

from fastapi import APIRouter, Depends, WebSocket

from blog import services
from blog.dependencies import ViewsDep, get_posts

router = APIRouter()


@router.get("/posts/{slug}")
def post(slug: str, posts: Annotated[services.PostService, Depends(get_posts)]) -> str:
    return posts.view(slug)


@router.get("/views")
def views(views: ViewsDep) -> dict[str, int]:
    return views


@router.websocket("/live")
async def live(websocket: WebSocket, views: ViewsDep) -> None:
    await websocket.send_json(views)
""",
        },
    ),
    Case(
        "what a test patches, what a task needs, what the tests do not start",
        {
            "shop/__init__.py": "",
            "shop/main.py": """\
from fastapi import FastAPI

from shop import orders

def create_app() -> FastAPI:
    app = FastAPI()
    app.include_router(orders.router)
    return app


app = create_app()
""",
            "shop/config.py": """\
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    page: int = 10


settings = Settings()
""",
            "shop/orders.py": """\
import httpx
import requests
from fastapi import APIRouter

from shop.config import settings

router = APIRouter()
client = httpx.Client(timeout=settings.page)
warehouse = requests.Session()


@router.get("/orders")
def orders() -> list[str]:
    return client.get("/orders").json() + warehouse.get("https://warehouse").json()


def nightly() -> None:
    warehouse.get("https://warehouse/report")
""",
            "tests/test_orders.py": """\
from fastapi.testclient import TestClient

from shop.main import app


def test_orders(monkeypatch) -> None:
    monkeypatch.setattr("shop.orders.settings.page", 1)
    monkeypatch.setattr("shop.config.settings", None)
    client = TestClient(app)
    assert client.get("/orders").json() == []
""",
        },
        stopped=(
            "shop/orders.py:17",
            "tests/test_orders.py:7",
            "tests/test_orders.py:9",
        ),
    ),
    Case(
        "a name that is bound again, a container that is filled on import, a class with bases",
        {
            "main.py": """\
import httpx
from fastapi import FastAPI

CODES = {"a": 1}
CODES["b"] = 2
client = httpx.Client()
other = httpx.Client()


def create_app() -> FastAPI:
    return FastAPI()


app = create_app()


class Base:
    pass


class Asking(Base):
    def ask(self) -> str:
        return other.get("/").text


@app.get("/")
def read() -> str:
    return client.get("/").text + Asking().ask()


def renew() -> None:
    global client
    client = httpx.Client()
""",
        },
        stopped=(
            "main.py:21",
            "main.py:6",
        ),
    ),
    Case(
        "tables that the import makes, an engine for every request, endpoints that are wrapped",
        {
            "shop/__init__.py": "",
            "shop/config.py": """\
class Settings:
    report_url = "sqlite://"
    page = 10


settings = Settings()
""",
            "shop/database.py": """\
from sqlalchemy import MetaData, create_engine

engine = create_engine("sqlite://")
metadata = MetaData()
""",
            "shop/main.py": """\
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import Engine, create_engine

from shop.config import settings
from shop.database import engine, metadata

# until there are migrations
metadata.create_all(engine)


def cached(function):
    return function


def get_report_engine() -> Engine:
    return create_engine(settings.report_url)


def create_app() -> FastAPI:
    app = FastAPI()
    return app


app = create_app()


@app.get("/report")
def report(engine: Annotated[Engine, Depends(get_report_engine)]) -> str:
    return str(engine.url)


@app.get("/pages")
@cached
def pages() -> int:
    return settings.page
""",
            "tests/test_pages.py": """\
from fastapi.testclient import TestClient

from shop.main import app


def test_pages() -> None:
    with TestClient(app) as client:
        assert client.get("/pages").json() == 10
""",
        },
        {
            "shop/config.py": """\
from functools import lru_cache


class Settings:
    report_url = "sqlite://"
    page = 10


@lru_cache
def get_settings() -> Settings:
    return Settings()
""",
            "shop/main.py": """\
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import Engine, create_engine

from shop.config import get_settings
from shop.database import engine, metadata


def cached(function):
    return function


@lru_cache
def get_report_engine() -> Engine:
    return create_engine(get_settings().report_url)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    # until there are migrations
    metadata.create_all(engine)
    yield


def create_app() -> FastAPI:
    app = FastAPI(lifespan=lifespan)
    return app


app = create_app()


@app.get("/report")
def report(engine: Annotated[Engine, Depends(get_report_engine)]) -> str:
    return str(engine.url)


@app.get("/pages")
@cached
def pages() -> int:
    return get_settings().page
""",
        },
    ),
    Case(
        "tables that a test needs before the application starts",
        {
            "shop/__init__.py": "",
            "shop/database.py": """\
from sqlalchemy import MetaData, create_engine

engine = create_engine("sqlite://")
metadata = MetaData()
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.database import engine, metadata

metadata.create_all(engine)


def create_app() -> FastAPI:
    return FastAPI()


app = create_app()
""",
            "tests/test_pages.py": """\
from fastapi.testclient import TestClient

from shop.database import engine
from shop.main import app


def test_pages() -> None:
    engine.connect()
    with TestClient(app) as client:
        assert client.get("/pages").status_code == 404
""",
        },
        stopped=("tests/test_pages.py:3",),
    ),
    Case(
        "an object of the application that asks the outside",
        {
            "shop/__init__.py": "",
            "shop/mail.py": """\
import smtplib

HOST = "localhost"


class Mailer:
    def __init__(self, host: str) -> None:
        self.host = host

    def send(self, to: str) -> None:
        with smtplib.SMTP(self.host) as server:
            server.sendmail("shop", to, "News")


mailer = Mailer(HOST)
""",
            "shop/orders.py": """\
from shop.mail import mailer


def place(email: str, times: int = 1) -> None:
    for _ in range(times):
        mailer.send(email)
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop import orders


def create_app() -> FastAPI:
    app = FastAPI()
    return app


app = create_app()


@app.post("/orders")
def order(email: str) -> None:
    orders.place(email, 2)
""",
        },
        {
            "shop/mail.py": """\
import smtplib

HOST = "localhost"


class Mailer:
    def __init__(self, host: str) -> None:
        self.host = host

    def send(self, to: str) -> None:
        with smtplib.SMTP(self.host) as server:
            server.sendmail("shop", to, "News")
""",
            "shop/orders.py": """\
from shop.mail import Mailer


def place(email: str, times: int = 1, *, mailer: Mailer) -> None:
    for _ in range(times):
        mailer.send(email)
""",
            "shop/main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from shop import orders
from shop.mail import HOST, Mailer


def create_app() -> FastAPI:
    app = FastAPI()
    app.state.mailer = Mailer(HOST)
    return app


app = create_app()


def get_mailer(request: Request) -> Mailer:
    mailer: Mailer = request.app.state.mailer
    return mailer


MailerDep = Annotated[Mailer, Depends(get_mailer)]


@app.post("/orders")
def order(email: str, mailer: MailerDep) -> None:
    orders.place(email, 2, mailer=mailer)
""",
        },
    ),
    Case(
        "settings that a module needs often on import, and those of a script",
        {
            "shop/__init__.py": "",
            "shop/config.py": """\
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    url: str
    pool_size: int = 5
    echo: bool = False


settings = Settings()
""",
            "shop/database.py": """\
from sqlalchemy import create_engine

from shop.config import settings

engine = create_engine(settings.url, pool_size=settings.pool_size, echo=settings.echo)


def describe() -> str:
    return f"{settings.url} {settings.pool_size}"
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop import database


def create_app() -> FastAPI:
    app = FastAPI()
    return app


app = create_app()


@app.get("/database")
def read() -> str:
    return database.describe()
""",
            "gunicorn_conf.py": """\
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    port: int = 80


settings = Settings()
bind = f"0.0.0.0:{settings.port}"
""",
        },
        {
            "shop/config.py": """\
from functools import lru_cache

from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    url: str
    pool_size: int = 5
    echo: bool = False


@lru_cache
def get_settings() -> Settings:
    return Settings()
""",
            "shop/database.py": """\
from sqlalchemy import create_engine

from shop.config import get_settings

settings = get_settings()
engine = create_engine(settings.url, pool_size=settings.pool_size, echo=settings.echo)


def describe() -> str:
    return f"{settings.url} {settings.pool_size}"
""",
        },
    ),
    Case(
        "a test that makes an application of its own",
        {
            "shop/__init__.py": "",
            "shop/services.py": """\
from fastapi import HTTPException

SEEN: dict[str, int] = {}


def find(name: str) -> str:
    SEEN[name] = SEEN.get(name, 0) + 1
    if not name:
        raise HTTPException(404, "No such order")
    return name
""",
            "shop/orders.py": """\
from fastapi import APIRouter

from shop import services

router = APIRouter()


@router.get("/orders/{name}")
def order(name: str) -> str:
    return services.find(name)


@router.get("/seen")
def seen() -> dict[str, int]:
    return services.SEEN
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop import orders


def create_app() -> FastAPI:
    app = FastAPI()
    app.include_router(orders.router)
    return app


app = create_app()
""",
            "tests/test_orders.py": """\
from fastapi import FastAPI
from fastapi.testclient import TestClient

from shop.orders import router

app = FastAPI()
app.include_router(router)


def test_order() -> None:
    assert TestClient(app).get("/orders/a").json() == "a"
""",
        },
        stopped=("tests/test_orders.py:6",),
    ),
)
