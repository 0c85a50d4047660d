"""A dependency that no route uses is deleted.

A `get_current_admin` that nobody depends on looks like protection that is there; whoever reads the code
takes it for granted. If a route was to use it, use it; otherwise delete it.

Reported are functions at module level that can only be dependencies, as all their parameters are filled by
FastAPI (`Depends`, `Security`, `Header`, `Cookie`, the request), and whose name stands nowhere else: in no
`Depends`, alias, call, text or test. Off by default: a library has dependencies that others import. Endpoints and decorated
functions are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.rules.architecture._unused import unused
from fastwright.rules.evidence import name_place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule

_FILLED = frozenset({"header", "cookie"})


def check(app: App) -> Iterator[Hit]:
    """Report dependencies that nothing refers to."""
    if not app.routes:
        return
    served = {id(function.node) for function in app.request_roots}
    candidates = [
        function
        for module in app.web_modules
        for function in app.functions(module)
        if function.owner is None
        and id(function.node) not in served
        and not function.node.decorators
        and _is_dependency(app, function)
    ]
    for function in unused(app, candidates):
        yield Hit(name_place(function), f"nothing depends on {function.name}")


def _is_dependency(app: App, function: Function) -> bool:
    """Whether FastAPI fills every parameter of the function, and says so at one at least."""
    where = Where(function.module, function.outer)
    filled = {p.name for p in function.parameters if app.types.marker(p, where) is not None}
    taken = {p.name: p for p in app.dependencies.parameters(function)}
    if any(
        parameter.name not in filled
        and (
            (given := taken.get(parameter.name)) is None
            or (given.kind != "special" and given.marker is None)
        )
        for parameter in function.parameters
    ):
        return False
    return bool(filled) or any(p.kind in _FILLED and p.marker is not None for p in taken.values())


RULE = Rule(
    summary="a dependency that nothing uses",
    severity="info",
    confidence="medium",
    default=False,
    mend="Use it where it was meant to be used, or delete it.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/dependencies/",),
)

CASES = (
    Case(
        "a guard that nobody uses, in a module of dependencies",
        {
            "deps.py": """
            from typing import Annotated
            from fastapi import Depends, Header, HTTPException

            def get_user(authorization: Annotated[str, Header()]) -> str:
                return authorization

            def get_admin(user: Annotated[str, Depends(get_user)]) -> str:  # <-
                if user != "admin":
                    raise HTTPException(403)
                return user

            def get_language(accept_language: str = Header("en")) -> str:  # <-
                return accept_language
            """,
            "main.py": """
            from fastapi import Depends, FastAPI
            from deps import get_user

            app = FastAPI()

            @app.get("/")
            def home(user: str = Depends(get_user)) -> str:
                return user
            """,
        },
    ),
    Case(
        "used through an alias, in a list, below another one, called, overridden in a test; plain helpers",
        {
            "main.py": """
            from typing import Annotated
            from fastapi import APIRouter, Depends, FastAPI, Header

            def get_db() -> int:
                return 1

            def get_repository(db: int = Depends(get_db)) -> int:
                return db

            def get_service(repository: int = Depends(get_repository)) -> int:
                return repository

            def guard(x_token: str = Header()) -> None: ...

            def get_clock(db: int = Depends(get_db)) -> int:
                return db

            def helper(db: int) -> int:
                return db

            def save(name: str, db: Annotated[int, Depends(get_db)]) -> int:
                return db

            Service = Annotated[int, Depends(get_service)]
            router = APIRouter(dependencies=[Depends(guard)])

            @router.get("/")
            def home(service: Service) -> int:
                return service

            app = FastAPI()
            app.include_router(router)
            """,
            "tests/test_main.py": """
            import main

            def test_home() -> None:
                main.app.dependency_overrides[main.get_clock] = lambda: 2
            """,
        },
    ),
    Case(
        "a project without routes is a library",
        {
            "deps.py": """
            from fastapi import Depends

            def get_a() -> int:
                return 1

            def get_b(a: int = Depends(get_a)) -> int:
                return a
            """,
        },
    ),
)
