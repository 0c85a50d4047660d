"""`ORJSONResponse` and `UJSONResponse` are deprecated: a response model is faster.

Where a return type or response model is declared, FastAPI has since 0.130 had Pydantic write the JSON bytes,
in Rust and without making dictionaries first. The two classes, which serialise what has already been turned
into dictionaries, are slower than that, and have been deprecated since FastAPI 0.131: making one warns with
`FastAPIDeprecationWarning`.

Left alone: a line on which `pyright: ignore[reportDeprecated]` says that it is meant.

Who answers with dictionaries that no schema describes and needs orjson for speed writes a response class of
their own, of five lines.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.canonical import canonical
from fastwright.edit.builders import delete_argument, replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.edit.source import text_behind
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_DEPRECATED = frozenset({"fastapi.responses.ORJSONResponse", "fastapi.responses.UJSONResponse"})
_GIVEN = frozenset({"response_class", "default_response_class"})


_NAMED = frozenset({"ORJSONResponse", "UJSONResponse"})


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report each use of a deprecated response class."""
    if "fastapi" not in module.header.marks or _NAMED.isdisjoint(module.header.marks):
        return
    for node, how in _uses(module):
        name = module.qualify(node)
        if "reportDeprecated" in text_behind(module, node):
            continue  # somebody has looked at it, and keeps it
        if name is not None and canonical(name) in _DEPRECATED:
            written = s.last_name(node)
            message = f"{written} is deprecated since FastAPI 0.131: {how}"
            yield Hit(place(module, node), message, (), _fix(module, node))


def _fix(module: Module, given: s.Expr) -> Fix | None:
    """Return the fix that leaves a response class out where it only says how to serialise."""
    for node in module.walk():
        if isinstance(node, s.Call):
            for keyword in node.keywords:
                if keyword.value is given and keyword.arg in _GIVEN:
                    return Fix("safe", (delete_argument(module, node, keyword),))
        elif isinstance(node, s.ClassDef) and any(base is given for base in node.bases):
            brought = bring(module, "fastapi.responses", "JSONResponse")
            if brought is None:
                return None
            return Fix("suggest", (replace(module, given, brought.name),), brought.imports)
    return None


def _uses(module: Module) -> Iterator[tuple[s.Expr, str]]:
    """Yield what is called, given as response class, or inherited from."""
    for node in module.walk():
        if isinstance(node, s.Call):
            yield node.func, "return the data and declare its type"
            for keyword in node.keywords:
                if keyword.arg in _GIVEN:
                    yield keyword.value, "a declared return type is serialised faster without it"
        elif isinstance(node, s.ClassDef):
            for base in node.bases:
                yield base, "inherit from JSONResponse"


RULE = Rule(
    summary="a deprecated response class",
    severity="warning",
    mend="Leave the response class out and declare the return type or `response_model`.",
    module=check,
    since={"fastapi": "0.131"},
    references=(
        "https://fastapi.tiangolo.com/advanced/custom-response/#orjson-or-response-model",
        "https://fastapi.tiangolo.com/release-notes/",
    ),
)

CASES = (
    case(
        "for the application, for a route, made by hand, inherited from",
        """
        import fastapi.responses
        from fastapi import FastAPI
        from fastapi.responses import ORJSONResponse, UJSONResponse as Fast

        app = FastAPI(default_response_class=ORJSONResponse)  # <-

        @app.get("/items", response_class=Fast)  # <-
        def items() -> dict[str, int]:
            return {"a": 1}

        @app.get("/orders")
        def orders():
            return fastapi.responses.ORJSONResponse({"a": 1})  # <-

        class Own(ORJSONResponse):  # <-
            pass
        """,
        after="""
        import fastapi.responses
        from fastapi import FastAPI
        from fastapi.responses import JSONResponse

        app = FastAPI()

        @app.get("/items")
        def items() -> dict[str, int]:
            return {"a": 1}

        @app.get("/orders")
        def orders():
            return fastapi.responses.ORJSONResponse({"a": 1})

        class Own(JSONResponse):
            pass
        """,
        fastapi="0.131.0",
    ),
    case(
        "another class of that name, other responses",
        """
        import orjson
        from fastapi import FastAPI
        from fastapi.responses import JSONResponse
        from ours import UJSONResponse

        class ORJSONResponse(JSONResponse):
            def render(self, content) -> bytes:
                return orjson.dumps(content)

        app = FastAPI(default_response_class=ORJSONResponse)

        @app.get("/items", response_class=UJSONResponse)
        def items() -> dict[str, int]:
            return {"a": 1}
        """,
    ),
    case(
        "kept on purpose",
        """
        from fastapi import FastAPI
        from fastapi.responses import ORJSONResponse

        app = FastAPI()

        @app.get("/items")
        def items():
            return ORJSONResponse({"a": 1})  # pyright: ignore[reportDeprecated]  # agreed
        """,
        fastapi="0.131.0",
    ),
)
