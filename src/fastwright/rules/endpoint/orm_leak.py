"""What goes out is a schema of its own, not the table.

A table class as response type sends every column to the client, also the one that is added next
year: `password_hash`, `is_superuser`, `deleted_at`. The response schema is where the application says
what is public; a table says what is stored (OWASP API3:2023).

Reported where the declared response is a table class, or a collection of one. Tables that are only
keys and a name are reported as well: their next column goes out unseen. Routes that choose fields
(`response_model_include`, `response_model_exclude`) are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.routes import Route
from fastwright.app.symbols import Class
from fastwright.app.types import Alternatives, Instance, Sequence, Type
from fastwright.read import syntax as s
from fastwright.rules.endpoint.secret_in_response import SECRET
from fastwright.rules.evidence import name_place, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

_SHOWN = 6


def check(app: App) -> Iterator[Hit]:
    """Report routes whose declared response is a table."""
    seen: set[int] = set()
    for route in app.routes:
        node, where = route.response.node, route.response.where
        if node is None or where is None or id(node) in seen:
            continue
        table = _table(app, route.response.type)
        if table is None or _chooses_fields(route):
            continue
        seen.add(id(node))
        yield _hit(route, table, node)


def _table(app: App, found: Type) -> Table | None:
    """Return the table that a response is made of."""
    if isinstance(found, Sequence):
        return _table(app, found.element)
    if isinstance(found, Alternatives):
        return next((t for option in found.options if (t := _table(app, option))), None)
    if isinstance(found, Instance):
        if isinstance(found.cls, Class):
            own = app.models.table(found.cls)
            if own is not None:
                return own
        return next((t for argument in found.args if (t := _table(app, argument))), None)
    return None


def _chooses_fields(route: Route) -> bool:
    return not {"response_model_include", "response_model_exclude"}.isdisjoint(
        route.record.keywords
    )


def _hit(route: Route, table: Table, node: s.Expr) -> Hit:
    names = list(table.columns)
    secrets = [name for name in names if SECRET.match(name.lower())]
    ordered = secrets + [name for name in names if name not in secrets]
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    first = f"{', '.join(secrets)} among them: " if secrets else ""
    message = (
        f"{route.label} answers with the table {table.cls.name}: all its columns go out, "
        f"{first}{', '.join(ordered[:_SHOWN])}{more}"
    )
    assert route.response.where is not None  # noqa: S101 - there is one wherever there is a node
    chain = (*of_route(route), Evidence(name_place(table.cls), f"table {table.name}"))
    return Hit(place(route.response.where.module, node), message, chain)


RULE = Rule(
    summary="a table as response schema",
    severity="warning",
    mend="Declare a public schema (`class UserPublic(UserBase)`) with what the client may see, and"
    " answer with it.",
    profiles=("security",),
    app=check,
    recipe="response-schemas",
    references=(
        "https://owasp.org/API-Security/editions/2023/en/0xa3-broken-object-property-level-authorization/",
        "https://sqlmodel.tiangolo.com/tutorial/fastapi/multiple-models/",
    ),
)

_HEAD = """
from fastapi import FastAPI
from sqlmodel import Field, SQLModel

app = FastAPI()

class UserBase(SQLModel):
    name: str

class User(UserBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    password_hash: str

class UserPublic(UserBase):
    id: int
"""

CASES = (
    case(
        "as response model, as annotation, in a list",
        _HEAD
        + """
@app.get("/users", response_model=list[User])  # <-
def list_users(): ...

@app.get("/users/{id}")
def read(id: int) -> User | None: ...  # <-
""",
    ),
    case(
        "a public schema, or chosen fields",
        _HEAD
        + """
@app.get("/users", response_model=list[UserPublic])
def list_users() -> list[User]: ...

@app.get("/users/{id}", response_model=User, response_model_include={"name"})
def read(id: int): ...

@app.get("/hidden", response_model=None)
def hidden() -> User: ...
""",
    ),
    case(
        "a read model that inherits from a table is none itself",
        _HEAD
        + """
class Order(SQLModel, table=True):
    __tablename__ = "orders"
    id: int | None = Field(default=None, primary_key=True)
    margin: int

class OrderRead(Order):
    margin: int = Field(0, exclude=True)

@app.get("/orders/{id}")
def read(id: int) -> OrderRead: ...
""",
    ),
)
