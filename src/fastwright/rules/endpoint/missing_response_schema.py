"""An endpoint that answers with rows says which of their fields go out.

Without a response model or return annotation FastAPI serialises whatever it is given: every loaded
column of the row, in the form that happens to come out, and nothing in the OpenAPI document. Clients
get no types, and a new column is public at once.

Reported where the endpoint returns rows of a table, or a dictionary built from a row's columns, and
declares nothing. Plain dictionaries of constants, files, redirects and responses made by hand need no
schema. Where the type of what is returned is not known, the rule stays silent.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Sequence, Type, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, name_place, of_route
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_FROM_ROW = 3
"""A dictionary with so many values taken from one row's columns is that row without its schema."""


def check(app: App) -> Iterator[Hit]:
    """Report endpoints that return rows and declare no response."""
    seen: set[int] = set()
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or id(endpoint.node) in seen or not _declares_nothing(route):
            continue
        found = _returned_rows(app, endpoint)
        if found is None:
            continue
        seen.add(id(endpoint.node))
        node, cls, how = found
        message = f"{route.label} returns {how} {cls.name} and declares no response schema"
        chain = (*of_route(route), evidence(endpoint.module, node, f"{how} {cls.name}"))
        yield Hit(name_place(endpoint), message, chain)


def _declares_nothing(route: Route) -> bool:
    record = route.record
    if (
        route.kind != "http"
        or record.starlette
        or not {"response_model", "response_class"}.isdisjoint(record.keywords)
    ):
        return False
    return route.endpoint is not None and route.endpoint.node.returns is None


def _returned_rows(app: App, endpoint: Function) -> tuple[s.Expr, Class, str] | None:
    where = Where(endpoint.module, endpoint)
    for node, _ in app.calls.of_kind(endpoint, s.Return):
        if node.value is None:
            continue
        for option in alternatives(app.types.of(node.value, where)):
            many = isinstance(option, Sequence)
            row = _row(app, option.element if isinstance(option, Sequence) else option)
            if row is not None and not (
                isinstance(option, Sequence) and option.kind in {"dict", "tuple"}
            ):
                return node.value, row, "rows of" if many else "a row of"
        built = _built_from_row(app, node.value, where)
        if built is not None:
            return node.value, built, "a dictionary of columns of"
    return None


def _row(app: App, found: Type) -> Class | None:
    if (
        isinstance(found, Instance)
        and isinstance(found.cls, Class)
        and app.types.is_table(found.cls)
    ):
        return found.cls
    return None


def _built_from_row(app: App, node: s.Expr, where: Where) -> Class | None:
    """``{"id": user.id, "email": user.email, ...}``, alone or for each row of a comprehension."""
    if isinstance(node, s.Comp):
        node = node.elt
    if not isinstance(node, s.Dict):
        return None
    counted: dict[int, int] = {}
    for value in node.values:
        if isinstance(value, s.Attribute):
            cls = _row(app, app.types.of(value.value, where))
            table = app.models.table(cls) if cls is not None else None
            if cls is not None and table is not None and value.attr in table.columns:
                counted[id(cls.node)] = counted.get(id(cls.node), 0) + 1
                if counted[id(cls.node)] >= _FROM_ROW:
                    return cls
    return None


RULE = Rule(
    summary="rows without a response schema",
    severity="warning",
    mend="Declare what goes out: a schema as return annotation or `response_model`.",
    app=check,
    recipe="response-schemas",
    references=("https://fastapi.tiangolo.com/tutorial/response-model/",),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI, Response
from sqlmodel import Field, Session, SQLModel, create_engine, select

class User(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    email: str

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()
"""

CASES = (
    case(
        "rows, through a service, and a dictionary built from one",
        _HEAD
        + """
def everyone(session: Session):
    return session.exec(select(User).limit(10)).all()

@app.get("/users")
def list_users(session: SessionDep):  # <-
    return everyone(session)

@app.get("/users/{key}")
def read(key: int, session: SessionDep):  # <-
    user = session.get(User, key)
    return {"id": user.id, "name": user.name, "email": user.email}
""",
    ),
    case(
        "declared, constant, or a response of its own",
        _HEAD
        + """
@app.get("/a", response_model=list[str])
def a(session: SessionDep):
    return session.exec(select(User)).all()

@app.get("/b")
def b() :
    return {"status": "ok"}

@app.get("/c")
def c(session: SessionDep):
    user = session.get(User, 1)
    return Response(content=user.name)

@app.delete("/d")
def d(session: SessionDep):
    user = session.get(User, 1)
    session.delete(user)
    return {"deleted": user.id}
""",
    ),
)
