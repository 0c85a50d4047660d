"""Every parameter of an endpoint or dependency has a type.

FastAPI reads the signature: an annotation is what converts and validates a value and what the OpenAPI
document shows. Without one a path or query parameter is an unchecked string, and a typo in the name
goes unnoticed. It is also the first of FastAPI's ideas: types first.

Parameters filled through `Depends` are left alone (their type is what the dependency returns), and so
are `self`, `*args`, `**kwargs` and names that begin with an underscore.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.dependencies import RequestParameter
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.rules.evidence import of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case


def check(app: App) -> Iterator[Hit]:
    """Report parameters that a client fills and that have no annotation."""
    seen: set[int] = set()
    for route in app.routes:
        if route.record.starlette:
            continue
        for parameter in route.parameters:
            if parameter.name.startswith("_"):  # taken and left alone on purpose
                continue
            if id(parameter.node) in seen or parameter.node.annotation is not None:
                continue
            seen.add(id(parameter.node))
            yield _hit(route, parameter)


def _hit(route: Route, parameter: RequestParameter) -> Hit:
    function = parameter.function
    message = f"{parameter.name} of {function.qualname} has no type: FastAPI takes any text for it"
    return Hit(place(function.module, parameter.node), message, of_route(route))


RULE = Rule(
    summary="a parameter without a type",
    severity="warning",
    mend="Annotate it with the type that it should have: `item_id: int`.",
    app=check,
    references=("https://fastapi.tiangolo.com/python-types/",),
)

CASES = (
    case(
        "of an endpoint and of a dependency",
        """
        from typing import Annotated
        from fastapi import Depends, FastAPI

        app = FastAPI()

        def page(
            limit=10,  # <-
        ):
            return limit

        @app.get("/items/{key}")
        def read(
            key,  # <-
            page: Annotated[int, Depends(page)],
        ) -> None: ...
        """,
    ),
    case(
        "injected, or no endpoint at all",
        """
        from fastapi import Depends, FastAPI

        app = FastAPI()

        def helper(x):
            return x

        def get_service():
            return helper(1)

        @app.get("/")
        def home(service=Depends(get_service), _=None, **extra) -> None: ...
        """,
    ),
)
