"""Start-up and shutdown belong in one lifespan function.

`@app.on_event("startup")` and `on_startup=[...]` are deprecated: FastAPI's documentation asks for
an async context manager given as `lifespan`, where what start-up opens is closed in the same
function, and where both share variables without module-level state. Once an application has a
lifespan, its `on_event` handlers never run.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_EVENTS = frozenset({"startup", "shutdown"})


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report each ``@x.on_event("startup" | "shutdown")``."""
    if "on_event" not in module.header.marks:
        return
    for function in module.functions:
        for decorator in function.decorators:
            if isinstance(decorator, s.Call) and s.last_name(decorator.func) == "on_event":
                event = s.string(decorator.argument(0, "event_type"))
                if event in _EVENTS:
                    message = (
                        f"on_event({event!r}) is deprecated: move {function.name}() into a lifespan"
                    )
                    yield Hit(place(module, decorator), message)


RULE = Rule(
    summary="on_event instead of a lifespan",
    severity="warning",
    mend="Write one `@asynccontextmanager async def lifespan(app)`: what start-up did before its"
    " `yield`, what shutdown did after it, and give it as `FastAPI(lifespan=lifespan)`.",
    module=check,
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
        """,
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
