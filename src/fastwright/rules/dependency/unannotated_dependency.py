"""Dependencies and parameters are declared with `Annotated`.

`db: Session = Depends(get_db)` says that the default of `db` is a marker object: whoever calls
the function without FastAPI (a test, another function) gets that object instead of a session,
type checkers cannot help, and the declaration cannot be given a name and shared.
`db: Annotated[Session, Depends(get_db)]` has none of that, and `SessionDep = Annotated[...]`
is written once. FastAPI's documentation asks for it since 0.95.

Reported once for each function, at its first such parameter, in endpoints, dependencies and
injected classes alike. Only FastAPI's own markers count, not those of other libraries,
nor `Depends(Provide[...])`: dependency-injector looked for it in the default value only for years.

The fix keeps what the client sees. A parameter that has no default any more moves before those that
have one, in endpoints only: FastAPI calls them by keyword. For dependencies and classes the fix is a
suggestion, because code that calls them itself has to give what was the marker.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.dependency._annotated import annotate, is_marker
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report each function with parameters whose default is a marker of FastAPI."""
    if "fastapi" not in module.header.marks:
        return
    for function in module.functions:
        found = [p for p in function.params if is_marker(module, p.default)]
        if found:
            fix = annotate(module, function, partial(is_marker, module))
            made = None if isinstance(fix, str) else fix
            yield Hit(place(module, found[0]), _message(function, found), (), made)


def _message(function: s.FunctionDef, found: list[s.Parameter]) -> str:
    names = ", ".join(parameter.name for parameter in found[:3])
    if len(found) > _NAMED:
        names += f" and {len(found) - _NAMED} more"
    first = found[0]
    better = f"{first.name}: Annotated[{_written(first.annotation)}, {_marker(first.default)}]"
    return f"{function.name} declares {names} through default values: write {better}"


_NAMED = 3


def _marker(call: s.Expr | None) -> str:
    """Return a marker as it would stand in ``Annotated``, long arguments as ``...``."""
    name = s.last_name(call)
    if not isinstance(call, s.Call) or not (call.args or call.keywords):
        return f"{name}()"
    only = s.dotted(call.args[0]) if len(call.args) == 1 and not call.keywords else None
    return f"{name}({only or '...'})"


def _written(annotation: s.Expr | None) -> str:
    """Return a simple annotation as it is written, ``...`` for others."""
    match annotation:
        case s.Name() | s.Attribute():
            return s.dotted(annotation) or "..."
        case s.Subscript():
            return f"{_written(annotation.value)}[{_written(annotation.slice)}]"
        case s.BinOp(op="|"):
            return f"{_written(annotation.left)} | {_written(annotation.right)}"
        case s.Constant(kind="none"):
            return "None"
        case _:
            return "..."


RULE = Rule(
    summary="Depends, Query and the like as default value",
    severity="info",
    mend="Move the marker into `Annotated`, and name what is written often:"
    " `SessionDep = Annotated[Session, Depends(get_session)]`.",
    module=check,
    since={"fastapi": "0.95"},
    references=(
        "https://fastapi.tiangolo.com/tutorial/dependencies/#declare-the-dependency-in-the-dependant",
    ),
)

CASES = (
    case(
        "an endpoint and a dependency",
        """
        from fastapi import APIRouter, Depends, Query

        router = APIRouter()

        def get_db(): ...

        def get_user(token: str, db=Depends(get_db)): ...  # <-

        @router.get("/")
        def search(
            q: str = Query(min_length=2),  # <-
            user: dict = Depends(get_user),
        ) -> None: ...
        """,
        after="""
        from typing import Annotated

        from fastapi import APIRouter, Depends, Query

        router = APIRouter()

        def get_db(): ...

        def get_user(token: str, db=Depends(get_db)): ...

        @router.get("/")
        def search(
            q: Annotated[str, Query(min_length=2)],
            user: Annotated[dict, Depends(get_user)],
        ) -> None: ...
        """,
    ),
    case(
        "defaults, and the order of parameters",
        """
        from typing import Annotated
        from fastapi import Body, Depends, FastAPI, Header, Path, Query

        app = FastAPI()

        class Settings: ...

        @app.get("/a/{key}")
        def a(
            key: int = Path(..., ge=1),  # <-
            q: str | None = Query(None, max_length=5),
            page: int = Query(default=1),
            tags: list[str] = Query(default_factory=list),
            settings: Settings = Depends(),
        ) -> None: ...

        @app.post("/b")
        def b(plain: int, body: dict = Body(embed=True), h: str = Header("x")) -> None: ...  # <-

        @app.post("/c")
        def c(plain: int = 1, *, body: dict = Body(...)) -> None: ...  # <-
        """,
        after="""
        from typing import Annotated
        from fastapi import Body, Depends, FastAPI, Header, Path, Query

        app = FastAPI()

        class Settings: ...

        @app.get("/a/{key}")
        def a(
            key: Annotated[int, Path(ge=1)],
            tags: Annotated[list[str], Query(default_factory=list)],
            settings: Annotated[Settings, Depends()],
            q: Annotated[str | None, Query(max_length=5)] = None,
            page: Annotated[int, Query()] = 1,
        ) -> None: ...

        @app.post("/b")
        def b(plain: int, body: Annotated[dict, Body(embed=True)], h: Annotated[str, Header()] = "x") -> None: ...

        @app.post("/c")
        def c(plain: int = 1, *, body: Annotated[dict, Body()]) -> None: ...
        """,
    ),
    case(
        "reported, and left to a person: no type, comments that would move, a call by position",
        """
        from fastapi import Depends, FastAPI, Query

        app = FastAPI()

        def get_db(): ...

        @app.get("/a")
        def a(db=Depends(get_db)) -> None: ...  # <-

        @app.get("/b")
        def b(
            page: int = 1,  # from one on
            db: object = Depends(get_db),  # <-
        ) -> None: ...

        @app.get("/c")
        def c(page: int = 1, db: object = Depends(get_db)) -> None: ...  # <-

        c(1, None)
        """,
    ),
    case(
        "an injected class, the marker under another name",
        """
        import fastapi as f
        from fastapi import Depends as Inject

        class Service:
            def __init__(self, db: object = Inject(), page: int = f.Query(1)) -> None: ...  # <-
        """,
    ),
    case(
        "Annotated is right",
        """
        from typing import Annotated
        from fastapi import APIRouter, Depends, Query

        router = APIRouter()

        def get_db(): ...

        @router.get("/", dependencies=[Depends(get_db)])
        def search(
            db: Annotated[object, Depends(get_db)], q: Annotated[str, Query()] = ""
        ) -> None: ...
        """,
    ),
    case(
        "markers of other libraries, and paths",
        """
        from pathlib import Path
        from fastapi import FastAPI
        from taskiq import Depends
        from tortoise import Query

        app = FastAPI()

        def task(db=Depends(print), where=Path("."), q=Query()): ...
        """,
    ),
    case(
        "what is a marker of dependency-injector as well",
        """
        from dependency_injector.wiring import Provide, inject
        from fastapi import APIRouter, Depends
        from shop.container import Container, Orders

        router = APIRouter()

        @router.get("/orders")
        @inject
        def orders(found: Orders = Depends(Provide[Container.orders])) -> None: ...
        """,
    ),
)
