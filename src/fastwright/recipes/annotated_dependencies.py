"""Dependencies and parameters are declared with `Annotated`, and a dependency has one name.

`db: Session = Depends(get_db)` becomes `db: Annotated[Session, Depends(get_db)]`, and so do
`Query(...)`, `Path(...)`, `Header(...)` and the other markers. Where a parameter that has no default any more would stand behind
one that has, it moves before it; functions that other code of the project calls by position are left alone. A parameter without a type
(`db=Depends(get_db)`) gets that of what its dependency gives, where that is known.

A dependency that is written out more than once gets a name (`SessionDep = Annotated[Session, Depends(get_session)]`), in the module of that
name where the project has one, else beside the function; a name that is there already is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, FunctionValue, Instance
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import Brought, bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.shared.aliases import shared
from fastwright.rules.dependency._annotated import annotate, is_marker
from fastwright.verify.model import may_be_null


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each file, then one for each dependency that has no name yet."""
    positional = _called_by_position(app)
    for module in app.sources:
        if "fastapi" in module.header.marks and target.holds(module.path):
            yield from _of_module(app, module, target, positional)
    yield from shared(app, target)


def _called_by_position(app: App) -> frozenset[str]:
    """Return the names of everything that the project calls with arguments by position."""
    return frozenset(
        name
        for module in app.modules.values()
        for node in module.walk()
        if isinstance(node, s.Call) and node.args and (name := s.last_name(node.func)) is not None
    )


def _of_module(
    app: App, module: Module, target: Target, positional: frozenset[str]
) -> Iterator[Planned]:
    edits: list[Edit] = []
    imports: list[Import] = []
    places: list[str] = []
    for function in module.functions:
        if target.name is not None and function.name != target.name.rpartition(".")[2]:
            continue
        found = [p for p in function.params if is_marker(module, p.default)]
        if not found:
            continue
        place = f"{module.path}:{module.line(found[0])}"
        may_move = function.name not in positional and function.name != "__init__"
        fix = annotate(
            module,
            function,
            partial(is_marker, module),
            may_move=may_move,
            typed=partial(_provided, app, module),
        )
        if isinstance(fix, str):
            yield Stopped(place, f"{function.name}: {fix}")
            continue
        edits += fix.edits
        imports += fix.imports
        places.append(place)
    if edits:
        title = f"declare the parameters of {module.path} with Annotated"
        yield Proposal(title, tuple(edits), tuple(imports), places=tuple(places))


def _provided(app: App, module: Module, parameter: s.Parameter) -> Brought | None:
    """Return the type of what ``Depends`` gives a parameter without one; None where it is not certain."""
    provider = app.types.dependency_of(parameter, Where(module))
    if not isinstance(provider, (FunctionValue, ClassObject)):
        return None
    if isinstance(provider, FunctionValue) and _may_give_none(app, provider.function):
        return None
    found = app.types.provided(provider)
    if not isinstance(found, Instance) or found.args:
        return None
    home, _, name = found.name.replace(":", ".").rpartition(".")
    if isinstance(found.cls, Class) and found.cls.module is module:
        return Brought(found.cls.name, ()) if found.cls.node.start < parameter.start else None
    return Brought(name, ()) if home == "builtins" else bring(module, home, name)


def _may_give_none(app: App, function: Function) -> bool:
    returns = function.node.returns
    if returns is not None and may_be_null(returns):
        return True
    given = [node.value for node, _ in app.calls.of_kind(function, s.Return)]
    given += [node.value for node, _ in app.calls.of_kind(function, s.Yield)]
    return any(each is None or isinstance(each, s.Constant) for each in given)


RECIPE = Recipe(
    summary="parameters and dependencies with Annotated",
    why="A default value that is a marker is what other callers get, and what type checkers see.",
    plan=plan,
    since={"fastapi": "0.95"},
    references=("https://fastapi.tiangolo.com/tutorial/dependencies/",),
)

CASES = (
    Case(
        "endpoints and dependencies",
        {
            "main.py": """\
from fastapi import Depends, FastAPI, Query

app = FastAPI()


def page(limit: int = Query(10, le=100)) -> int:
    return limit


@app.get("/items")
def items(limit: int = Depends(page), q: str | None = None) -> list[str]:
    return []
"""
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI, Query

app = FastAPI()


def page(limit: Annotated[int, Query(le=100)] = 10) -> int:
    return limit


@app.get("/items")
def items(limit: Annotated[int, Depends(page)], q: str | None = None) -> list[str]:
    return []
"""
        },
    ),
    Case(
        "one name for a dependency that is used more than once, where the project keeps such",
        {
            "shop/__init__.py": "",
            "shop/db.py": """\
from sqlmodel import Session


def get_session() -> Session: ...
""",
            "shop/dependencies.py": """\
from fastapi import Depends, Header, HTTPException
from sqlmodel import Session

from shop.db import get_session


def get_user(token: str = Header(""), session: Session = Depends(get_session)) -> str:
    if not token:
        raise HTTPException(401)
    return token
""",
            "shop/orders.py": """\
from fastapi import APIRouter, Depends
from sqlmodel import Session

from shop.db import get_session
from shop.dependencies import get_user

router = APIRouter()


@router.get("/orders")
def orders(limit: int = 10, session: Session = Depends(get_session), user: str = Depends(get_user)): ...


@router.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session), user: str = Depends(get_user)): ...
""",
        },
        {
            "shop/dependencies.py": """\
from typing import Annotated

from fastapi import Depends, Header, HTTPException
from sqlmodel import Session

from shop.db import get_session

SessionDep = Annotated[Session, Depends(get_session)]


def get_user(session: SessionDep, token: Annotated[str, Header()] = "") -> str:
    if not token:
        raise HTTPException(401)
    return token


UserDep = Annotated[str, Depends(get_user)]
""",
            "shop/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep, UserDep

router = APIRouter()


@router.get("/orders")
def orders(session: SessionDep, user: UserDep, limit: int = 10): ...


@router.get("/orders/{order_id}")
def order(order_id: int, session: SessionDep, user: UserDep): ...
""",
        },
    ),
    Case(
        "a name that is there is used",
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI

app = FastAPI()


def get_page() -> int: ...


Page = Annotated[int, Depends(get_page)]


@app.get("/orders")
def orders(page: Annotated[int, Depends(get_page)]): ...
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI

app = FastAPI()


def get_page() -> int: ...


Page = Annotated[int, Depends(get_page)]


@app.get("/orders")
def orders(page: Page): ...
""",
        },
    ),
    Case(
        "called by position: the order stays",
        {
            "main.py": """\
from fastapi import Depends, FastAPI, Query

app = FastAPI()


def get_page() -> int: ...


def window(size: int = 10, page: int = Depends(get_page)) -> int:
    return size * page


@app.get("/orders")
def orders(found: int = Depends(window)): ...


def test() -> None:
    assert window(10, 1) == 10
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI, Query

app = FastAPI()


def get_page() -> int: ...


def window(size: int = 10, page: int = Depends(get_page)) -> int:
    return size * page


@app.get("/orders")
def orders(found: Annotated[int, Depends(window)]): ...


def test() -> None:
    assert window(10, 1) == 10
""",
        },
        stopped=("main.py:11",),
    ),
    Case(
        "parameters without a type, and a name that stands for something else already",
        {
            "shop/__init__.py": "",
            "shop/database.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session


def get_session() -> Session: ...


SessionDep = Annotated[Session, Depends(get_session)]
""",
            "shop/dependencies.py": """\
from fastapi import Depends
from sqlmodel import Session

from shop.database import SessionDep


def get_db():
    db = Session()
    yield db
    db.close()


def find_user(session: SessionDep):
    return session.scalar("")
""",
            "shop/users.py": """\
from fastapi import APIRouter, Depends

from shop.dependencies import find_user, get_db

router = APIRouter()


@router.get("/users")
def users(role=None, db=Depends(get_db)): ...


@router.get("/me")
def me(db=Depends(get_db)): ...


@router.get("/you")
def you(user=Depends(find_user)): ...
""",
        },
        {
            "shop/dependencies.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session

from shop.database import SessionDep


def get_db():
    db = Session()
    yield db
    db.close()


DbDep = Annotated[Session, Depends(get_db)]


def find_user(session: SessionDep):
    return session.scalar("")
""",
            "shop/users.py": """\
from fastapi import APIRouter, Depends

from shop.dependencies import DbDep, find_user

router = APIRouter()


@router.get("/users")
def users(db: DbDep, role=None): ...


@router.get("/me")
def me(db: DbDep): ...


@router.get("/you")
def you(user=Depends(find_user)): ...
""",
        },
        stopped=("shop/users.py:17",),
    ),
)
