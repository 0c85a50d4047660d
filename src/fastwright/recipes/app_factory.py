"""The application is made by a function: `create_app()`, with `app = create_app()` kept for servers.

What a module does to its `app = FastAPI(...)` (routers, middleware, handlers, mounts) moves into the function, in its order; tests can make an
application of their own. Functions, constants and everything else of the module stay where they are.

Left alone, with the line: applications that declare routes or handlers with decorators (`@app.get`; move them to a router first), events
(`@app.on_event`, which the fix of `deprecated-on-event` turns into a lifespan), names that are bound between, and texts of several lines.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.setup.result import Application
from fastwright.edit.fix import Edit
from fastwright.edit.names import bring, is_taken
from fastwright.edit.source import line_start, newline, next_line
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target

_NAME = "create_app"
_SETTING_UP = (s.ExprStmt, s.If, s.For, s.With, s.Try)


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each application that is made at module level."""
    for application in app.applications:
        module = application.module
        if application.fastapi and application.function is None and target.holds(module.path):
            planned = _planned(application)
            if planned is not None:
                yield planned


def _planned(application: Application) -> Planned | None:
    module = application.module
    made = _made(application)
    if made is None or module.kind != "source":
        return None
    statement, name = made
    place = f"{module.path}:{module.line(statement)}"
    moved = [statement, *_about(module, statement, name)]
    stop = _stop(module, moved, name)
    if stop is not None:
        node, reason = stop
        return Stopped(f"{module.path}:{module.line(node)}", reason)
    title = f"{_NAME} makes the application of {module.path}"
    brought = bring(module, "fastapi", "FastAPI")
    if brought is None:
        return Stopped(place, "FastAPI means something else here")
    edits = _edits(module, moved, name, brought.name)
    return Proposal(title, tuple(edits), brought.imports, places=(place,))


def _made(application: Application) -> tuple[s.Assign, str] | None:
    """Return the statement ``app = FastAPI(...)`` of a module, and the variable."""
    for statement in application.module.facts.body:
        if isinstance(statement, s.Assign) and statement.value.start == application.node.start:
            target = statement.targets[0]
            if isinstance(target, s.Name) and isinstance(statement.value, s.Call):
                return statement, target.id
    return None


def _about(module: Module, made: s.Assign, name: str) -> list[s.Stmt]:
    """Return the statements of a module that set the application up."""
    return [
        statement
        for statement in module.facts.body
        if statement.start > made.start
        and isinstance(statement, _SETTING_UP)
        and not _is_main(statement)
        and any(isinstance(node, s.Name) and node.id == name for node in s.walk(statement))
    ]


def _is_main(statement: s.Stmt) -> bool:
    """``if __name__ == "__main__":``: what runs only then stays."""
    return isinstance(statement, s.If) and any(
        isinstance(node, s.Name) and node.id == "__name__"
        for node in s.walk(statement.branches[0].test)
    )


def _stop(module: Module, moved: list[s.Stmt], name: str) -> tuple[s.Node, str] | None:
    """Return what keeps an application as it is, with the node."""
    if is_taken(module, _NAME):
        return moved[0], f"{_NAME} is there already"
    last = moved[-1]
    for statement in module.facts.body:
        if isinstance(statement, (s.FunctionDef, s.ClassDef)):
            for decorator in statement.decorators:
                if any(isinstance(node, s.Name) and node.id == name for node in s.walk(decorator)):
                    return statement, f"{statement.name} is declared with a decorator of {name}"
        elif moved[0].start < statement.start < last.start and statement not in moved:
            if any(isinstance(node, s.Name) and node.id == name for node in s.walk(statement)):
                return statement, f"{name} is used between the statements that set it up"
    for statement in moved:
        if b'"""' in module.source[statement.start : statement.end]:
            return statement, "holds a text of several lines"
    return _binding(module, moved[1:])


def _binding(module: Module, moved: list[s.Stmt]) -> tuple[s.Node, str] | None:
    """Return a statement that binds a name which other code of the module may read."""
    variables: set[str] = set()
    for node in s.statements(moved):
        if isinstance(node, (s.Assign, s.AnnAssign, s.Import, s.ImportFrom)):
            return node, "binds a name while it sets the application up"
        if isinstance(node, s.For):
            variables |= {part.id for part in s.walk(node.target) if isinstance(part, s.Name)}
    for statement in module.facts.body:
        if statement not in moved:
            for part in s.walk(statement):
                if isinstance(part, s.Name) and part.id in variables:
                    return part, f"{part.id} is bound where the application is set up"
    return None


def _edits(module: Module, moved: list[s.Stmt], name: str, fastapi: str) -> list[Edit]:
    source, end = module.source, newline(module.source)
    ranges = [_lines(source, statement) for statement in moved]
    inner = [_indented(source[start:stop].decode()) for start, stop in ranges]
    lines = [
        f"def {_NAME}() -> {fastapi}:{end}",
        f'    """Make the application."""{end}',
        *inner,
        f"    return {name}{end}{end}{end}{name} = {_NAME}(){end}",
    ]
    edits = [Edit(module.path, start, stop, "") for start, stop in ranges[:-1]]
    start, stop = ranges[-1]
    before = source[: ranges[0][0]] if len(ranges) == 1 else source[:start]
    gap = "" if before.endswith((end * 3).encode()) or not before.strip() else end
    return [*edits, Edit(module.path, start, stop, gap + "".join(lines))]


def _lines(source: bytes, statement: s.Stmt) -> tuple[int, int]:
    """Return the lines of a statement, with the comments directly above it."""
    start = line_start(source, statement.start)
    while start > 0 and source[line_start(source, start - 1) : start].startswith(b"#"):
        start = line_start(source, start - 1)
    return start, next_line(source, max(statement.end - 1, statement.start))


def _indented(text: str) -> str:
    return "".join(
        f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True)
    )


RECIPE = Recipe(
    summary="a function that makes the application",
    why="An application at module level is made once, on import: tests and workers cannot have their own.",
    plan=plan,
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
        "routes of its own, and names that are bound between",
        {
            "main.py": """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/orders")
def orders() -> list[str]:
    return []
""",
            "other.py": """\
from fastapi import FastAPI

app = FastAPI()
wrapped = print(app)
app.title = "Shop"
app.add_api_route("/orders", lambda: [])
""",
        },
        stopped=("main.py:7", "other.py:4"),
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
)
