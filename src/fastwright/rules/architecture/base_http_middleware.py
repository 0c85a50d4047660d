"""Middleware that handles every request is plain ASGI.

`BaseHTTPMiddleware` (and `@app.middleware("http")`, which is one) runs the application in a task of
its own and hands each piece of the body through a stream in memory: each request pays for that, once
for each such middleware. Context variables that an endpoint sets are not seen by the middleware
after `call_next`, and an exception loses part of its way. A class with `async def __call__(self,
scope, receive, send)` does the same without any of it.

This rule is off unless it is selected: for most applications the cost does not show, and the short
form is easy to read. Reported is each such middleware that an application of the project uses.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.setup.result import Middleware
from fastwright.app.symbols import Class, Function
from fastwright.rules.architecture._middleware import BASE, dispatch_of
from fastwright.rules.evidence import evidence, name_place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case


def check(app: App) -> Iterator[Hit]:
    """Report each middleware of an application that is a BaseHTTPMiddleware."""
    seen: set[int] = set()
    for application in app.applications:
        for middleware in application.middleware:
            defined = _defined(app, middleware)
            if defined is None or id(defined.node) in seen:
                continue
            seen.add(id(defined.node))
            at = middleware.place
            message = (
                f"{defined.name} is a BaseHTTPMiddleware: a task and a stream for each request"
            )
            proof = (evidence(at.module, at.node, "added here"),)
            yield Hit(name_place(defined), message, proof)


def _defined(app: App, middleware: Middleware) -> Function | Class | None:
    """Return the function or class that a BaseHTTPMiddleware runs, None for another middleware."""
    if middleware.cls is not None:
        return middleware.cls if BASE in app.linker.ancestors(middleware.cls) else None
    return middleware.function or dispatch_of(app, middleware)


RULE = Rule(
    summary="a middleware built on BaseHTTPMiddleware",
    severity="info",
    default=False,
    mend="Write it as a class with `async def __call__(self, scope, receive, send)`; wrap `send` to"
    " change headers of the response.",
    profiles=("performance",),
    app=check,
    references=(
        "https://www.starlette.io/middleware/#limitations",
        "https://www.starlette.io/middleware/#pure-asgi-middleware",
    ),
)

CASES = (
    case(
        "a class, one that inherits from it, and a function",
        """
        from fastapi import FastAPI, Request
        from starlette.middleware.base import BaseHTTPMiddleware

        class Timing(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                return await call_next(request)

        class Slow(Timing):  # <-
            pass

        app = FastAPI()
        app.add_middleware(Slow)

        @app.middleware("http")
        async def stamp(request: Request, call_next):  # <-
            return await call_next(request)

        async def log(request: Request, call_next):  # <-
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=log)
        """,
    ),
    case(
        "plain ASGI",
        """
        from fastapi import FastAPI

        class Timing:
            def __init__(self, app) -> None:
                self.app = app

            async def __call__(self, scope, receive, send) -> None:
                await self.app(scope, receive, send)

        app = FastAPI()
        app.add_middleware(Timing)
        """,
    ),
    case(
        "a class that no application uses",
        """
        from fastapi import FastAPI
        from starlette.middleware.base import BaseHTTPMiddleware

        class Timing(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                return await call_next(request)

        app = FastAPI()
        """,
    ),
)
