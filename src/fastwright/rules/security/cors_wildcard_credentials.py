"""CORS with credentials names its origins.

`allow_origins=["*"]` together with `allow_credentials=True` makes Starlette answer every origin with
that origin's own name: any web site may call the API with the visitor's cookies and read what it
answers (OWASP API8:2023, CWE-942). The wildcard often hides in the default of a setting.

Origins are followed through constants, settings and their defaults, and defaults of environment
variables. What is not known is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.setup.result import Middleware, Place
from fastwright.app.symbols import Class, Variable
from fastwright.app.types import Instance
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

_DEPTH = 6


def check(app: App) -> Iterator[Hit]:
    """Report CORS middleware that answers every origin, with credentials."""
    seen: set[int] = set()
    for application in app.applications:
        for middleware in application.middleware:
            if not middleware.name.endswith("CORSMiddleware") or id(middleware.place.node) in seen:
                continue
            seen.add(id(middleware.place.node))
            chain = _wildcard(app, middleware)
            if chain is None or not _with_credentials(app, middleware):
                continue
            at = middleware.place
            message = "every origin is allowed, with credentials: any site can call as the visitor"
            yield Hit(
                place(at.module, at.node),
                message,
                (evidence(at.module, at.node, "CORSMiddleware"), *chain),
            )


def _with_credentials(app: App, middleware: Middleware) -> bool:
    given = middleware.keywords.get("allow_credentials")
    found = [node for node, _ in _values(app, given)] if given is not None else []
    return any(isinstance(node, s.Constant) and node.value is True for node in found)


def _wildcard(app: App, middleware: Middleware) -> tuple[Evidence, ...] | None:
    """Return where the wildcard stands, None without one."""
    for name, wild in (("allow_origins", "*"), ("allow_origin_regex", ".*")):
        given = middleware.keywords.get(name)
        if given is None:
            continue
        for node, where in _values(app, given):
            elements = node.elts if isinstance(node, (s.List, s.Tuple, s.Set)) else [node]
            for element in elements:
                if (text := s.string(element)) is not None and text.strip() == wild:
                    return (evidence(where.module, element, f"{name} holds {wild!r}"),)
    return None


def _values(app: App, given: Place) -> list[tuple[s.Expr, Where]]:
    """Return the expressions that a keyword stands for, names and settings followed."""
    return list(_follow(app, given.node, Where(given.module, given.function), _DEPTH))  # type: ignore[arg-type]


def _follow(app: App, node: s.Expr, where: Where, depth: int) -> Iterator[tuple[s.Expr, Where]]:
    if depth == 0:
        return
    if isinstance(node, (s.Constant, s.List, s.Tuple, s.Set)):
        yield node, where
        for element in getattr(node, "elts", []):
            if isinstance(element, s.Starred):
                yield from _follow(app, element.value, where, depth - 1)
    elif isinstance(node, s.Name):
        bound = (
            app.types.locals.lookup(node.id, node.start, where.function) if where.function else None
        )
        symbol = app.linker.name(node.id, where.module, where.function)
        if bound is not None and bound.value is not None and bound.how == "assign":
            yield from _follow(app, bound.value, where, depth - 1)
        elif isinstance(symbol, Variable) and symbol.value is not None:
            yield from _follow(app, symbol.value, Where(symbol.module), depth - 1)
    elif isinstance(node, s.Attribute):
        yield from _setting(app, node, where, depth)
    elif isinstance(node, s.Call):
        yield from _call(app, node, where, depth)


def _setting(
    app: App, node: s.Attribute, where: Where, depth: int
) -> Iterator[tuple[s.Expr, Where]]:
    """``settings.cors_origins``: the default in the class."""
    owner = app.types.of(node.value, where)
    if isinstance(owner, Instance) and isinstance(owner.cls, Class):
        found = app.linker.class_attribute(owner.cls, node.attr)
        if found is not None and found[1].value is not None:
            yield from _follow(app, found[1].value, Where(found[0].module), depth - 1)
        return
    symbol = app.linker.expression(node, where.module, where.function)
    if isinstance(symbol, Variable) and symbol.value is not None:
        yield from _follow(app, symbol.value, Where(symbol.module), depth - 1)


def _call(app: App, node: s.Call, where: Where, depth: int) -> Iterator[tuple[s.Expr, Where]]:
    """Defaults: ``os.getenv(name, default)``, ``Field(default=...)``, ``default_factory=lambda: ...``."""
    name = s.last_name(node.func)
    if name in {"getenv", "get"}:
        default = node.argument(1, "default")
        if default is not None:
            yield from _follow(app, default, where, depth - 1)
    elif name == "Field":
        default = node.argument(0, "default") or node.keyword("default_factory")
        if isinstance(default, s.Lambda):
            default = default.body
        if default is not None:
            yield from _follow(app, default, where, depth - 1)
    elif name == "split" and isinstance(node.func, s.Attribute):
        yield from _follow(app, node.func.value, where, depth - 1)


RULE = Rule(
    summary="CORS for every origin, with credentials",
    severity="error",
    mend="List the origins that may call with credentials, from settings without a wildcard default;"
    " or drop `allow_credentials`.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/tutorial/cors/",
        "https://owasp.org/API-Security/editions/2023/en/0xa8-security-misconfiguration/",
        "CWE-942",
    ),
)

CASES = (
    case(
        "through the default of a setting",
        """
        from fastapi import FastAPI
        from fastapi.middleware.cors import CORSMiddleware
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            cors_origins: list[str] = ["*"]

        settings = Settings()
        app = FastAPI()
        app.add_middleware(  # <-
            CORSMiddleware, allow_origins=settings.cors_origins, allow_credentials=True
        )
        """,
    ),
    case(
        "named origins, or no credentials",
        """
        from fastapi import FastAPI
        from fastapi.middleware.cors import CORSMiddleware

        ORIGINS = ["https://shop.example"]

        app = FastAPI()
        app.add_middleware(CORSMiddleware, allow_origins=ORIGINS, allow_credentials=True)

        public = FastAPI()
        public.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"])
        """,
    ),
)
