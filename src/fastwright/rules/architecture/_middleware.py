"""What rules about middleware share."""

from __future__ import annotations

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.setup.result import Middleware
from fastwright.app.symbols import Function
from fastwright.app.types import FunctionValue

BASE = "starlette.middleware.base.BaseHTTPMiddleware"


def dispatch_of(app: App, middleware: Middleware) -> Function | None:
    """Return ``f`` of ``add_middleware(BaseHTTPMiddleware, dispatch=f)``, None for any other."""
    given = middleware.keywords.get("dispatch")
    if middleware.name != BASE or given is None:
        return None
    found = app.types.of(given.node, Where(given.module, given.function))  # type: ignore[arg-type]
    return found.function if isinstance(found, FunctionValue) else None
