"""Start-up and shutdown belong in one lifespan function.

`@app.on_event("startup")` and `on_startup=[...]` are deprecated: FastAPI's documentation asks for
an async context manager given as `lifespan`, where what start-up opens is closed in the same
function, and where both share variables without module-level state. Once an application has a
lifespan, its `on_event` handlers never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.setup.result import Application
from fastwright.edit import source as at
from fastwright.edit.builders import add_argument, block_of, insert_before
from fastwright.edit.fix import Edit, Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.async_._lifespan import call_of, unregistered
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_EVENTS = frozenset({"startup", "shutdown"})
_MARKS = frozenset({"on_event", "add_event_handler", "on_startup", "on_shutdown"})
"""What registers handlers."""
_WORDS = re.compile("|".join(sorted(_MARKS)).encode())
_NAME = "lifespan"


def check(app: App) -> Iterator[Hit]:
    """Report each ``@x.on_event("startup" | "shutdown")``."""
    for module in app.sources:
        if "on_event" in module.header.marks:
            for function, decorator, event in _registered(module):
                message = (
                    f"on_event({event!r}) is deprecated: move {function.name}() into a lifespan"
                )
                yield Hit(place(module, decorator), message, fix=_fix(app, decorator))


def _registered(module: Module) -> Iterator[tuple[s.FunctionDef, s.Call, str]]:
    for function in module.functions:
        for decorator in function.decorators:
            if isinstance(decorator, s.Call) and s.last_name(decorator.func) == "on_event":
                event = s.string(decorator.argument(0, "event_type"))
                if event in _EVENTS:
                    yield function, decorator, event


# -------------------------------------------------------------------------- the fix


def _fix(app: App, decorator: s.Call) -> Fix | None:
    """Return the fix that calls every handler of the application in a lifespan before it.

    It is the same for each of them. None unless it is sure that these are all handlers there are:
    a lifespan takes the place of those that routers bring, too.
    """
    found = [
        application
        for application in app.applications
        if any(handler.place.node is decorator for handler in application.event_handlers)
    ]
    marked = [module for module in app.sources if _WORDS.search(module.source)]
    if len(found) != 1 or marked != [found[0].module]:
        return None
    application, module = found[0], found[0].module
    if len(application.event_handlers) != sum(1 for _ in _registering(module)):
        return None
    return _with_lifespan(application, module)


def _registering(module: Module) -> Iterator[s.Call]:
    for node in module.walk():
        if isinstance(node, s.Call) and s.last_name(node.func) in _MARKS:
            yield node


def _with_lifespan(application: Application, module: Module) -> Fix | None:
    made = application.node
    body = application.function.node.body if application.function else module.facts.body
    found = block_of(body, made)
    if found is None or not isinstance(made, s.Call) or not _is_plain(made, found[1]):
        return None
    manager = bring(module, "contextlib", "asynccontextmanager")
    iterator = bring(module, "collections.abc", "AsyncIterator")
    taken = any(isinstance(n, (s.Name, s.FunctionDef)) and _name(n) == _NAME for n in module.walk())
    if manager is None or iterator is None or taken:
        return None
    calls: dict[str, list[str]] = {"startup": [], "shutdown": []}
    edits: list[Edit] = []
    for handler in application.event_handlers:
        function = handler.function
        call = call_of(function) if function is not None else None
        gone = unregistered(module, handler, body)
        if function is None or call is None or gone is None or handler.event not in calls:
            return None
        if function.outer is not application.function or function.node not in found[0]:
            return None
        calls[handler.event].append(call)
        edits += gone
    step = at.step(module)
    lines = [
        f"@{manager.name}",
        f"async def {_NAME}(_: {at.text(module, made.func)}) -> {iterator.name}[None]:",
        *(step + line for line in (*calls["startup"], "yield", *calls["shutdown"])),
        *([""] if application.function else ["", ""]),
    ]
    wanted = 1 if application.function else 2
    before = [""] * (wanted - _blank_above(module, found[1], wanted))
    before = [] if found[0][0] is found[1] else before
    edits.append(insert_before(module, found[1], "\n".join([*before, *lines]) + "\n"))
    edits.append(add_argument(module, made, f"{_NAME}={_NAME}"))
    return Fix("safe", tuple(edits), manager.imports + iterator.imports)


def _is_plain(made: s.Call, statement: s.Stmt) -> bool:
    """Whether an application is made by a statement, and has no lifespan, or what hides one."""
    given = {keyword.arg for keyword in made.keywords}
    return (
        isinstance(statement, (s.Assign, s.AnnAssign))
        and statement.value is made
        and given.isdisjoint({_NAME, "on_startup", "on_shutdown", "router", None})
    )


def _blank_above(module: Module, statement: s.Stmt, most: int) -> int:
    """Return how many lines above a statement are blank, ``most`` at most."""
    start = at.line_start(module.source, statement.start)
    for number in range(most):
        above = at.line_start(module.source, start - 1)
        if module.source[above:start].strip():
            return number
        start = above
    return most


def _name(node: s.Name | s.FunctionDef) -> str:
    return node.id if isinstance(node, s.Name) else node.name


RULE = Rule(
    summary="on_event instead of a lifespan",
    severity="warning",
    mend="Write one `@asynccontextmanager async def lifespan(app)`: what start-up did before its"
    " `yield`, what shutdown did after it, and give it as `FastAPI(lifespan=lifespan)`.",
    app=check,
    since={"fastapi": "0.93"},
    references=("https://fastapi.tiangolo.com/advanced/events/",),
)

CASES = (
    case(
        "start-up handler",
        """
        from fastapi import FastAPI

        app = FastAPI()

        @app.on_event("startup")  # <-
        async def connect() -> None:
            ...

        @app.on_event("shutdown")  # <-
        def close() -> None:
            ...
        """,
        after="""
        from collections.abc import AsyncIterator
        from contextlib import asynccontextmanager

        from fastapi import FastAPI


        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            await connect()
            yield
            close()


        app = FastAPI(lifespan=lifespan)

        async def connect() -> None:
            ...

        def close() -> None:
            ...
        """,
    ),
    Case(
        "in a factory",
        {
            "one/main.py": """
            from fastapi import FastAPI

            def create_app(title: str) -> FastAPI:
                app = FastAPI(title=title)

                @app.on_event("startup")  # <-
                async def connect() -> None:
                    print(title)

                return app

            app = create_app("shop")
            """,
        },
        after={
            "one/main.py": """
            from collections.abc import AsyncIterator
            from contextlib import asynccontextmanager

            from fastapi import FastAPI

            def create_app(title: str) -> FastAPI:
                @asynccontextmanager
                async def lifespan(_: FastAPI) -> AsyncIterator[None]:
                    await connect()
                    yield

                app = FastAPI(title=title, lifespan=lifespan)

                async def connect() -> None:
                    print(title)

                return app

            app = create_app("shop")
            """,
        },
    ),
    Case(
        "a router has handlers too, which a lifespan would hide: nothing is mended",
        {
            "routes.py": """
            from fastapi import APIRouter

            router = APIRouter()

            @router.on_event("startup")  # <-
            async def warm() -> None: ...
            """,
            "main.py": """
            from fastapi import FastAPI
            from routes import router

            app = FastAPI()
            app.include_router(router)

            @app.on_event("startup")  # <-
            async def connect() -> None: ...
            """,
        },
    ),
    case(
        "a lifespan is right",
        """
        from contextlib import asynccontextmanager
        from fastapi import FastAPI

        @asynccontextmanager
        async def lifespan(app: FastAPI):
            yield

        app = FastAPI(lifespan=lifespan)
        """,
    ),
    case(
        "another library's on_event is not ours",
        """
        from fastapi import FastAPI
        import robot

        @robot.on_event("message")
        def hear(): ...
        """,
    ),
)
