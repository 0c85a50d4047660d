"""A row that belongs to somebody is loaded for its owner only.

`GET /orders/17` with the login of somebody else must not answer order 17. Being logged in says who is
calling, not that the row is theirs: without the owner in the query (`Order.user_id == user.id`) or a
comparison after loading, every caller can read, change or delete every row by counting ids (IDOR; OWASP
API1:2023, broken object level authorization; CWE-639).

Reported where a path parameter reaches a read by primary key of a table with a column that names its owner
(`user_id`, `owner_id`, `tenant_id` ...), nothing on the way looks at that column, and either the endpoint
takes the caller and does not use it, or another endpoint of the same file does look at the column. Without
such a table: where reading the thing (`GET /notes/{id}`) hands the caller to a filter by owner, also one in
text of SQL, and another route on it or below it takes the caller and does nothing with them. Routes
for staff (a dependency that refuses with 403, a role, `admin` in the path) are left alone, and so is
everything where the caller is handed on: what it is used for there may well be the check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite, Execution
from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name, evidence, of_calls, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.security._callers import (
    OWNER,
    callers,
    compared,
    is_for_callers,
    is_name,
    taking,
    uses,
)
from fastwright.rules.security._siblings import Unlike, unlike_siblings

_MAKER = re.compile(r"^(author|creator)_?id$|^created_by(_id)?$", re.IGNORECASE)
"""Whose row it is when it comes to changing it; reading what somebody wrote is often free."""
_PEOPLE = re.compile(r"user|account|customer|member|tenant|organi[sz]ation|workspace|team|company")
_PUBLIC = re.compile(r"public|publish|visib|shared|access", re.IGNORECASE)
_DEPTH = 4


class _Loaded(msgspec.Struct, frozen=True, eq=False):
    """A read by primary key with an id of the client, and the calls that lead to it."""

    table: Table
    owner: str
    execution: Execution
    chain: tuple[CallSite, ...]


def check(app: App) -> Iterator[Hit]:
    """Report rows with an owner that are loaded by an id from the client for whoever asks."""
    reported: set[int] = set()
    yield from _loaded_by_anybody(app, reported)
    for unlike in unlike_siblings(app):
        if unlike.route.endpoint is not None and id(unlike.route.endpoint.node) not in reported:
            reported.add(id(unlike.route.endpoint.node))
            yield _unlike_hit(unlike)


def _unlike_hit(unlike: Unlike) -> Hit:
    site, reading = unlike.site, unlike.reading
    message = (
        f"{unlike.route.label} takes the caller ({unlike.caller}) and does not look at them, where"
        f" {reading.route.label} answers the owner only: every caller gets at what is not theirs"
    )
    proof: tuple[Evidence, ...] = (
        *of_route(unlike.route),
        evidence(site.module, site.node, call_name(site)),
        evidence(reading.site.module, reading.site.node, f"{reading.route.label} gives the caller"),
        evidence(reading.module, reading.filter, "the filter by owner"),
    )
    return Hit(place(site.module, site.node), message, proof)


def _loaded_by_anybody(app: App, reported: set[int]) -> Iterator[Hit]:
    owned = {id(table.cls.node): table for table in app.tables if _owner_columns(table)}
    if not owned:
        return
    looking = _looking(app, owned)
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or route.kind != "http" or id(endpoint.node) in reported:
            continue
        if not is_for_callers(app, route):
            continue
        asking = callers(app, route)
        used = any(uses(app, endpoint, name) for name in asking)
        for found in _loads(app, route, endpoint, owned):
            siblings = [
                e for e in looking.get(id(found.table.cls.node), []) if _is_near(e, endpoint)
            ]
            if used or not (asking or siblings):
                continue
            reported.add(id(endpoint.node))
            yield _hit(route, found, asking, siblings)
            break


def _hit(route: Route, found: _Loaded, asking: list[str], siblings: list[Function]) -> Hit:
    site = found.execution.site
    owner = f"{found.table.cls.name}.{found.owner}"
    reason = f"{asking[0]} is not used" if asking else f"{siblings[0].qualname} looks at it"
    message = (
        f"{route.label} loads {found.table.cls.name} by an id from the client and never looks at"
        f" {owner} ({reason}): every caller gets at every row"
    )
    column = found.table.columns[found.owner]
    proof: tuple[Evidence, ...] = (
        *of_route(route),
        *of_calls(found.chain),
        evidence(site.module, site.node, call_name(site)),
        evidence(column.owner.module, column.node, owner),
    )
    first = found.chain[0] if found.chain else site
    return Hit(place(first.module, first.node), message, proof)


# -------------------------------------------------------------------------- whose it is


def _owner_columns(table: Table, *, changing: bool = True) -> list[str]:
    """Return the columns that say to whom a row belongs."""
    if table.name and _PEOPLE.fullmatch(table.name.rstrip("s").lower()):
        return []  # people themselves: who may see them is another question
    found = []
    for name, column in table.columns.items():
        if column.primary_key or not (OWNER.search(name) or (changing and _MAKER.search(name))):
            continue
        target = (column.foreign_key or "").rpartition(".")[0].rpartition(".")[2]
        if not target or _PEOPLE.search(target):
            found.append(name)
    return found


def _looking(app: App, owned: dict[int, Table]) -> dict[int, list[Function]]:
    """Return, by table, the endpoints that compare or filter by the owner of its rows."""
    found: dict[int, list[Function]] = {}
    for route in sorted(app.routes, key=lambda route: "{" not in route.path):
        if route.endpoint is None or not callers(app, route):
            continue
        attributes = {
            attribute
            for step in app.calls.reach([route.endpoint])
            if len(step.chain) <= _DEPTH
            for attribute in compared(app, step.function)
        }
        for key, table in owned.items():
            if not attributes.isdisjoint(_owner_columns(table)):
                found.setdefault(key, []).append(route.endpoint)
    return found


def _is_near(one: Function, other: Function) -> bool:
    return one.module.path == other.module.path and one.node is not other.node


# ---------------------------------------------------------------------------- what is loaded


def _loads(
    app: App, route: Route, endpoint: Function, owned: dict[int, Table]
) -> Iterator[_Loaded]:
    """Yield the reads by primary key that a path parameter reaches, unless the owner is looked at."""
    reading = set(route.methods) <= {"GET", "HEAD"}
    steps = [step.function for step in app.calls.reach([endpoint]) if len(step.chain) <= _DEPTH]
    steps.extend(d.function for d in route.all_dependencies() if d.function is not None)
    looked_at: set[str] | None = None
    for parameter in route.parameters:
        if parameter.kind != "path" or parameter.function.node is not endpoint.node:
            continue
        for execution, chain in _reads(app, endpoint, parameter.name, _DEPTH, ()):
            cls = _row(app, execution, chain)
            table = owned.get(id(cls.node)) if cls is not None else None
            owners = _owner_columns(table, changing=not reading) if table is not None else []
            if table is None or not owners:
                continue
            if reading and any(_PUBLIC.search(name) for name in table.columns):
                continue
            if looked_at is None:
                looked_at = {name for function in steps for name in _mentioned(app, function)}
            if looked_at.isdisjoint(_owner_columns(table)):
                yield _Loaded(table, owners[0], execution, chain)


def _row(app: App, execution: Execution, chain: tuple[CallSite, ...]) -> Class | None:
    """Return the table that is read; of a generic repository, what the call to it gives."""
    if execution.table is not None or not chain:
        return execution.table
    site = chain[-1]
    given = app.types.awaited(app.types.of(site.node, Where(site.module, site.caller)))
    rows = [
        option.cls
        for option in alternatives(given)
        if isinstance(option, Instance) and isinstance(option.cls, Class)
    ]
    return rows[0] if len(rows) == 1 else None


def _mentioned(app: App, function: Function) -> Iterator[str]:
    """Yield the attributes and keywords of a function: what it may look at."""
    for node, _ in app.calls.of_kind(function, s.Attribute):
        yield node.attr
    for call, _ in app.calls.of_kind(function, s.Call):
        yield from (keyword.arg for keyword in call.keywords if keyword.arg is not None)


def _reads(
    app: App, function: Function, name: str, depth: int, chain: tuple[CallSite, ...]
) -> Iterator[tuple[Execution, tuple[CallSite, ...]]]:
    """Yield the reads by primary key that a parameter reaches, and the calls that lead there."""
    for execution in app.calls.executions(function):
        if execution.kind == "read" and _is_by(execution, name):
            yield execution, chain
    if depth == 0:
        return
    for site in app.calls.sites(function):
        if len(site.targets) != 1:
            continue
        for parameter in taking(site, name):
            yield from _reads(app, site.targets[0], parameter, depth - 1, (*chain, site))


def _is_by(execution: Execution, name: str) -> bool:
    """Whether a read asks for the row whose key a variable holds, and for nothing more."""
    if execution.by_key:
        return any(is_name(argument, name) for argument in execution.site.node.args)
    query = execution.query
    if query is None or query.kind != "select" or len(query.filters) != 1:
        return False
    only = query.filters[0]
    if not isinstance(only, s.Compare) or only.ops != ["=="]:
        return False
    sides = (only.left, only.comparators[0])
    keys = [
        side
        for side in sides
        if isinstance(side, s.Attribute) and side.attr in {"id", "uuid", "pk"}
    ]
    return bool(keys) and any(is_name(side, name) for side in sides)


RULE = Rule(
    summary="a row is loaded by an id from the client, whoever owns it",
    severity="error",
    confidence="medium",
    mend="Put the caller into the query (`select(Order).where(Order.id == order_id, Order.user_id =="
    " user.id)`) and answer 404 where there is no row, best in one dependency for all routes of the row.",
    app=check,
    references=(
        "https://owasp.org/API-Security/editions/2023/en/0xa1-broken-object-level-authorization/",
        "CWE-639",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlmodel import Field, Session, SQLModel, create_engine, select

class User(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    role: str = "customer"

class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id")

class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)

engine = create_engine("sqlite://")
scheme = OAuth2PasswordBearer(tokenUrl="token")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]

def current_user(token: Annotated[str, Depends(scheme)], session: SessionDep) -> User:
    user = session.get(User, token)
    if user is None:
        raise HTTPException(401)
    return user

def require_admin(user: Annotated[User, Depends(current_user)]) -> User:
    if user.role != "admin":
        raise HTTPException(403)
    return user

CurrentUser = Annotated[User, Depends(current_user)]
app = FastAPI()

class Orders:
    def __init__(self, session: Session):
        self.session = session

    def get(self, order_id: int) -> Order | None:
        return self.session.get(Order, order_id)
"""

_NOTES = """
class Notes:
    def __init__(self, session: Session):
        self.session = session

    def read(self, note_id: int, filter_user_ids: list[int] | None):
        sql = "SELECT * FROM notes WHERE id = :id"
        if filter_user_ids:
            sql += " AND user_id IN (:users)"
        return self.session.connection().exec_driver_sql(sql, (note_id, filter_user_ids))

    def rename(self, note_id: int, name: str):
        self.session.connection().exec_driver_sql("UPDATE notes SET name = 1 WHERE id = 2")

    def claim(self, note_id: int):
        self.session.connection().exec_driver_sql("UPDATE notes WHERE user_id = current_user")

class Boards:
    def read(self, board_id: int, user_id: int):
        return "SELECT b.*, seen(b.id, :user) FROM boards b WHERE b.id = :id"

    def archive(self, board_id: int): ...

@app.get("/notes/{note_id}")
def read(note_id: int, user: CurrentUser, session: SessionDep):
    mine = None if user.role == "admin" else [user.id]
    return Notes(session).read(note_id, filter_user_ids=mine)

@app.put("/notes/{note_id}")
def rename(note_id: int, name: str, user: CurrentUser, session: SessionDep):
    return Notes(session).rename(note_id, name)  # <-

@app.post("/notes/{note_id}/pages")
def add(note_id: int, user: CurrentUser, session: SessionDep):
    return Notes(session).rename(note_id, "page")  # <-

@app.delete("/notes/{note_id}")
def remove(note_id: int, user: CurrentUser, session: SessionDep):
    if user.id != 1:
        return None
    return Notes(session).rename(note_id, "gone")

@app.post("/notes/{note_id}/claim")
def claim(note_id: int, user: CurrentUser, session: SessionDep):
    return Notes(session).claim(note_id)

@app.put("/notes/{note_id}/all", dependencies=[Depends(require_admin)])
def everywhere(note_id: int, user: CurrentUser, session: SessionDep):
    return Notes(session).rename(note_id, "all")

def own(note_id: int, user: CurrentUser) -> int:
    return note_id

@app.put("/notes/{note_id}/own", dependencies=[Depends(own)])
def checked(note_id: int, user: CurrentUser, session: SessionDep):
    return Notes(session).rename(note_id, "own")

@app.get("/boards/{board_id}")
def board(board_id: int, user: CurrentUser):
    return Boards().read(board_id, user.id)

@app.post("/boards/{board_id}/archive")
def archive(board_id: int, user: CurrentUser):
    return Boards().archive(board_id)
"""

CASES = (
    case(
        "the caller is taken and not used",
        _HEAD
        + """
@app.get("/orders/{order_id}")
def read(order_id: int, user: CurrentUser, session: SessionDep) -> Order | None:
    return session.get(Order, order_id)  # <-

@app.delete("/orders/{order_id}")
def remove(order_id: int, user: CurrentUser, session: SessionDep) -> None:
    order = session.exec(select(Order).where(Order.id == order_id)).one()  # <-
    session.delete(order)
    session.commit()
""",
    ),
    case(
        "through a repository, where another endpoint looks at the owner",
        _HEAD
        + """
@app.get("/orders/{order_id}")
def read(order_id: int, session: SessionDep) -> Order | None:
    return Orders(session).get(order_id)  # <-

@app.post("/orders/{order_id}/cancel")
def cancel(order_id: int, user: CurrentUser, session: SessionDep) -> None:
    order = Orders(session).get(order_id)
    if order is None or order.user_id != user.id:
        raise HTTPException(404)
    session.delete(order)
""",
    ),
    case(
        "reading filters by owner in SQL, changing does not; what several may see is another thing",
        _HEAD + _NOTES,
    ),
    case(
        "in the query, in a comparison, in a dependency; for staff; rows that are nobody's",
        _HEAD
        + """
@app.get("/a/{order_id}")
def a(order_id: int, user: CurrentUser, session: SessionDep) -> Order | None:
    return session.exec(select(Order).where(Order.id == order_id, Order.user_id == user.id)).first()

@app.get("/b/{order_id}")
def b(order_id: int, user: CurrentUser, session: SessionDep) -> Order | None:
    order = session.get(Order, order_id)
    return order if order and order.user_id == user.id else None

def own_order(order_id: int, user: CurrentUser, session: SessionDep) -> Order:
    order = session.get(Order, order_id)
    if order is None or order.user_id != user.id:
        raise HTTPException(404)
    return order

@app.get("/c/{order_id}")
def c(order: Annotated[Order, Depends(own_order)]) -> Order:
    return order

@app.get("/d/{order_id}", dependencies=[Depends(require_admin)])
def d(order_id: int, session: SessionDep) -> Order | None:
    return session.get(Order, order_id)

@app.get("/e/{product_id}")
def e(product_id: int, user: CurrentUser, session: SessionDep) -> Product | None:
    return session.get(Product, product_id)

def may_see(user: User, order: Order | None) -> bool:
    return True

@app.get("/f/{order_id}")
def f(order_id: int, user: CurrentUser, session: SessionDep) -> Order | None:
    order = session.get(Order, order_id)
    return order if may_see(user, order) else None
""",
    ),
)
