"""A client writes the columns that it may decide, and no others.

When a body goes to the row as a whole, every field of it is a column that the client sets. If `is_verified`,
`balance` or `role` is among them, people verify, enrich or promote themselves (mass assignment; OWASP
API3:2023, CWE-915). It mostly comes with a schema that inherits from that of the table, or with a body that
is a plain `dict`. Name the fields that a client may set in a schema of their own, or give the others on the
server: `User.model_validate(data, update={"role": "customer"})`.

Reported where the body of a route is written whole (`Table(**body)`, `model_validate`, `from_orm`,
`sqlmodel_update`, `values`, a `setattr` loop, also in a service below) to a table of people or their
accounts that has such a column, and the body has the field or is a dictionary.

Left alone are routes that only administrators or other services come to, fields that anything on the way
reads, sets or removes, and what is excluded. Schemas with a role or an owner that are written through
`**body.model_dump()` are the matter of `table-as-request-body`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from fastwright.app.calls import CallSite, Reached, Step
from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, Sequence, Statement, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_calls, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._dumps import DUMPS
from fastwright.rules.security._accounts import LOGIN, class_of

_ROLES = frozenset(
    {"is_admin", "is_staff", "is_superuser", "is_super_admin", "permissions", "role", "roles", "scopes",
     "privileges", "access_level", "user_type"}
)  # fmt: skip
_STANDING = frozenset(
    {"is_verified", "verified", "email_verified", "is_email_verified", "is_approved", "approved",
     "balance", "credit", "credits", "credit_balance", "wallet_balance", "quota", "is_premium", "is_paid",
     "plan", "tier", "subscription_plan", "subscription_tier", "hashed_password", "password_hash"}
)  # fmt: skip
_PRIVILEGED = _ROLES | _STANDING
_ELSEWHERE = frozenset({"is_admin", "is_staff", "is_superuser", "permissions", "role", "roles"})
"""What ``table-as-request-body`` looks for in schemas that are written as a dump."""
_PEOPLE = re.compile(
    r"user|account|customer|wallet|member|tenant|organi[sz]ation|profile", re.IGNORECASE
)
_GUARDS = re.compile(
    r"admin|super_?user|staff|permission|role|authori[sz]|polic|rbac|acl|allow|privileg|scope"
    r"|owner|forbid|access|enforce|can_|internal|machine|service_?account|webhook|signature"
)
_VALIDATING = frozenset({"model_validate", "from_orm", "parse_obj", "validate"})
_COPYING = frozenset({"jsonable_encoder", "vars"})
_DEPTH = 6


class Written(msgspec.Struct, frozen=True, eq=False):
    """A place where values are written whole to a row: the expression that holds them."""

    table: Table
    node: s.Node
    values: s.Expr
    given: frozenset[str]
    """Columns that the server gives itself."""
    spread: bool
    """Whether it takes a dictionary and writes all of it, as ``table-as-request-body`` sees."""


class Body(msgspec.Struct, frozen=True, eq=False):
    """A request body that a value is, whole. ``schema`` is None for a dictionary."""

    schema: Class | None
    excluded: frozenset[str]
    dumped: bool
    chain: tuple[Evidence, ...]


def check(app: App) -> Iterator[Hit]:
    """Report privileged columns that come from a body that is written whole."""
    tables = {id(t.cls.node): t for t in app.tables if _is_of_people(t)}
    if not tables:
        return
    seen: set[int] = set()
    for route in app.routes:
        if route.endpoint is None or {"POST", "PUT", "PATCH"}.isdisjoint(route.methods):
            continue
        if _is_guarded(route):
            continue
        way = _Way(app, route, tables, app.calls.reach([route.endpoint]))
        for step in way.reached:
            for written in way.written(step.function):
                if id(written.node) in seen:
                    continue
                found = way.hit(step, written)
                if found is not None:
                    seen.add(id(written.node))
                    yield found


def _is_of_people(table: Table) -> bool:
    """Whether a table holds people or what is theirs, and something that only the server may set."""
    if _PRIVILEGED.isdisjoint(table.columns):
        return False
    return bool(_PEOPLE.search(table.cls.name)) or any(LOGIN.fullmatch(c) for c in table.columns)


def _is_guarded(route: Route) -> bool:
    """Whether a name on the way to the endpoint says that not everybody comes through."""
    words = [route.path]
    functions = [d.function for d in route.all_dependencies() if d.function is not None]
    if route.endpoint is not None:
        functions.append(route.endpoint)
        words.extend(route.endpoint.decorator_names)
    for dependency in route.all_dependencies():
        words.append(dependency.label)
        words.extend(dependency.scopes)
    for function in functions:
        words.extend(function.node.called)
    return any(_GUARDS.search(word.lower()) for word in words)


@dataclass(eq=False)
class _Way:
    """What a route runs, and what it writes."""

    app: App
    route: Route
    tables: dict[int, Table]
    reached: Reached

    def hit(self, step: Step, written: Written) -> Hit | None:
        """Return the finding of a place that writes a body whole, if it writes what it should not."""
        body = self.body(written.values, step.function, 0)
        if body is None:
            return None
        names = _PRIVILEGED.intersection(written.table.columns) - written.given - body.excluded
        if body.schema is not None:
            schema = self.app.models.schema(body.schema)
            names &= set(schema.fields) if schema is not None else set()
            if written.spread and body.dumped:
                names -= _ELSEWHERE
        name = next((n for n in sorted(names) if not self._is_looked_at(n)), None)
        if name is None:
            return None
        what = body.schema.name if body.schema is not None else "a dictionary that the client sends"
        message = (
            f"{self.route.label} writes {what} whole to {written.table.cls.name}:"
            f" the client sets {name}"
        )
        module = step.function.module
        column = written.table.columns[name]
        chain = (
            *of_route(self.route),
            *body.chain,
            *of_calls(step.chain),
            evidence(module, written.node, "written whole"),
            evidence(column.owner.module, column.node, f"{written.table.cls.name}.{name}"),
        )
        return Hit(place(module, written.node), message, chain)

    def _is_looked_at(self, name: str) -> bool:
        """Whether anything that runs names the field: reads, sets, removes or excludes it."""
        functions = [step.function for step in self.reached]
        functions += [d.function for d in self.route.all_dependencies() if d.function is not None]
        return any(
            (isinstance(node, s.Attribute) and node.attr == name)
            or (isinstance(node, s.Constant) and node.value == name)
            or (isinstance(node, s.Keyword) and node.arg == name)
            for function in functions
            for node, _ in self.app.calls.nodes(function)
        )

    # -------------------------------------------------------------------- writes

    def written(self, function: Function) -> Iterator[Written]:
        """Yield where a function writes values whole to a row."""
        for site in self.app.calls.sites(function):
            yield from self._of_call(site)
        if "setattr" in function.node.called:
            for loop, _ in self.app.calls.of_kind(function, s.For):
                yield from self._of_loop(loop, function)

    def _of_call(self, site: CallSite) -> Iterator[Written]:
        call = site.node
        spread = [k.value for k in call.keywords if k.arg is None]
        given = frozenset(k.arg for k in call.keywords if k.arg is not None)
        if spread:
            table = self._made(site)
            if table is not None:
                yield Written(table, call, spread[0], given, spread=True)
        elif isinstance(call.func, s.Attribute) and len(call.args) == 1:
            where = Where(site.module, site.caller)
            if site.method in _VALIDATING or site.method == "sqlmodel_update":
                table = self._table(class_of(self.app.types.of(call.func.value, where)))
                if table is not None:
                    update = frozenset(_keys(call.keyword("update")))
                    spread_as = site.method == "sqlmodel_update"
                    yield Written(table, call, call.args[0], update, spread=spread_as)
            elif site.method in {"values", "update"} and isinstance(site.receiver, Statement):
                table = self._made(site)
                if table is not None:
                    yield Written(table, call, call.args[0], given, spread=False)

    def _made(self, site: CallSite) -> Table | None:
        """Return the table of ``User(...)``, ``insert(User).values(...)``."""
        if isinstance(site.receiver, Statement) and site.method in {"values", "update"}:
            tables = site.receiver.query.tables
            return self._table(tables[0]) if tables else None
        for option in alternatives(site.callee):
            if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                return self._table(option.cls)
        return None

    def _table(self, cls: Class | None) -> Table | None:
        return self.tables.get(id(cls.node)) if cls is not None else None

    def _of_loop(self, loop: s.For, function: Function) -> Iterator[Written]:
        """``for name, value in X.items(): setattr(row, name, value)``, also where X has the name."""
        call = next((c for c in map(_setattr, s.walk(*loop.body)) if c is not None), None)
        if call is None or len(call.args) != 3:
            return
        found = class_of(self.app.types.of(call.args[0], Where(function.module, function)))
        table = self._table(found)
        if table is None:
            return
        conditions = [b.test for n in s.walk(*loop.body) if isinstance(n, s.If) for b in n.branches]
        value = call.args[2]
        source = _with_items(loop.iter)
        if source is not None and all(_says_nothing(test) for test in conditions):
            yield Written(table, loop, source, frozenset(), spread=not conditions)
        elif isinstance(value, s.Subscript) and isinstance(value.value, s.Name):
            name = value.value.id
            if all(_is_membership(test, name) for test in conditions):
                yield Written(table, loop, value.value, frozenset(), spread=False)

    # ---------------------------------------------------------------------- body

    def body(self, node: s.Expr, function: Function, depth: int) -> Body | None:
        """Return the request body that an expression is, if it surely is the whole of one."""
        if depth > _DEPTH:
            return None
        if isinstance(node, s.Await):
            return self._json(node.value, function)
        if isinstance(node, s.IfExp):
            found = self.body(node.body, function, depth + 1)
            return found or self.body(node.orelse, function, depth + 1)
        if isinstance(node, s.Call):
            return self._copied(node, function, depth)
        if isinstance(node, s.Name):
            return self._named(node, function, depth)
        return None

    def _copied(self, node: s.Call, function: Function, depth: int) -> Body | None:
        name = s.last_name(node.func)
        if node.keyword("include") is not None:
            return None
        if name in DUMPS and isinstance(node.func, s.Attribute):
            found = self.body(node.func.value, function, depth + 1)
        elif (name in _COPYING or name == "dict") and len(node.args) == 1:
            found = self.body(node.args[0], function, depth + 1)
        else:
            return None
        if found is None:
            return None
        excluded = found.excluded | frozenset(_keys(node.keyword("exclude")))
        return msgspec.structs.replace(found, excluded=excluded, dumped=name in DUMPS)

    def _json(self, node: s.Expr, function: Function) -> Body | None:
        """``await request.json()``."""
        if not isinstance(node, s.Call) or not isinstance(node.func, s.Attribute):
            return None
        if node.func.attr != "json":
            return None
        where = Where(function.module, function)
        found = self.app.types.of(node.func.value, where)
        if isinstance(found, Instance) and found.cls == "fastapi.Request":
            chain = (evidence(function.module, node, "the body"),)
            return Body(None, frozenset(), dumped=False, chain=chain)
        return None

    def _named(self, node: s.Name, function: Function, depth: int) -> Body | None:
        bounds = self.app.types.locals.of(function).get(node.id, [])
        if any(bound.path or bound.how not in {"assign", "parameter"} for bound in bounds):
            return None
        for bound in bounds:
            if bound.how == "assign" and bound.value is not None:
                found = self.body(bound.value, function, depth + 1)
                if found is not None:
                    return found
        if len(bounds) == 1 and bounds[0].how == "parameter":
            return self._parameter(node.id, function, depth)
        return None

    def _parameter(self, name: str, function: Function, depth: int) -> Body | None:
        for parameter in self.route.parameters:
            if parameter.function.node is function.node and parameter.name == name:
                if parameter.kind not in {"body", "unknown"}:
                    return None
                chain = (evidence(function.module, parameter.node, f"body {name}"),)
                for option in alternatives(parameter.type):
                    cls = option.cls if isinstance(option, Instance) else None
                    is_dict = isinstance(option, Sequence) and option.kind == "dict"
                    if cls == "builtins.dict" or is_dict:
                        return Body(None, frozenset(), dumped=False, chain=chain)
                    if isinstance(cls, Class) and not self.app.types.is_table(cls):
                        return Body(cls, frozenset(), dumped=False, chain=chain)
                return None
        names = [parameter.name for parameter in function.parameters]
        step = self.reached.step(function)
        if name not in names or step is None or step.site is None:
            return None
        given = step.site.node.argument(names.index(name), name)
        return self.body(given, step.site.caller, depth + 1) if given is not None else None


# ------------------------------------------------------------------------- small


def _keys(node: s.Expr | None) -> Iterator[str]:
    """Yield the texts in ``{"a", "b"}`` or the keys of ``{"a": 1}``."""
    for inner in s.walk(node) if node is not None else ():
        text = s.string(inner)
        if text is not None:
            yield text


def _setattr(node: s.Node) -> s.Call | None:
    return node if isinstance(node, s.Call) and s.last_name(node.func) == "setattr" else None


def _with_items(node: s.Expr) -> s.Expr | None:
    """Return ``x`` of ``x.items()``."""
    if isinstance(node, s.Call) and isinstance(node.func, s.Attribute) and not node.args:
        return node.func.value if node.func.attr == "items" else None
    return None


def _says_nothing(test: s.Expr) -> bool:
    """``hasattr(row, name)``, ``value is not None``: no choice of columns."""
    if isinstance(test, s.Call):
        return s.last_name(test.func) == "hasattr"
    if isinstance(test, s.BoolOp):
        return all(_says_nothing(value) for value in test.values)
    return isinstance(test, s.Compare) and test.ops == ["is not"]


def _is_membership(test: s.Expr, name: str) -> bool:
    """``field in update_data``."""
    return (
        isinstance(test, s.Compare)
        and test.ops == ["in"]
        and isinstance(test.comparators[0], s.Name)
        and test.comparators[0].id == name
    )


RULE = Rule(
    summary="a body that is written whole sets what only the server may",
    severity="error",
    confidence="medium",
    mend="Write a schema with the fields that a client may set, or give the others on the server:"
    ' `User.model_validate(data, update={"role": "customer"})`.',
    app=check,
    references=(
        "https://sqlmodel.tiangolo.com/tutorial/fastapi/multiple-models/",
        "https://owasp.org/API-Security/editions/2023/en/0xa3-broken-object-property-level-authorization/",
        "CWE-915",
    ),
)

_MODELS = """
from sqlmodel import Field, SQLModel

class UserBase(SQLModel):
    email: str
    role: str = "customer"
    balance: int = 0
    is_verified: bool = False

class User(UserBase, table=True):
    id: int | None = Field(default=None, primary_key=True)

class UserCreate(UserBase):
    pass

class UserUpdate(SQLModel):
    email: str | None = None
    balance: int | None = None

class Contact(SQLModel):
    email: str
"""
_HEAD = """
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from sqlmodel import Session, update
from models import Contact, User, UserCreate, UserUpdate

session = Session()
app = FastAPI()

def current(authorization: str = Header()) -> User:
    if not authorization:
        raise HTTPException(401)
    return User(email=authorization)
"""

CASES = (
    Case(
        "validated whole, a loop in a service, dictionaries, a loop over the columns, values",
        {
            "models.py": _MODELS,
            "main.py": _HEAD
            + """
@app.post("/register")
def register(data: UserCreate) -> None:
    session.add(User.model_validate(data))  # <-

class Users:
    def update(self, user: User, data: UserUpdate) -> None:
        for name, value in data.model_dump(exclude_unset=True).items():  # <-
            setattr(user, name, value)

@app.patch("/me")
def me(data: UserUpdate, user: User = Depends(current)) -> None:
    Users().update(user, data)

@app.patch("/me/raw")
async def raw(request: Request, user: User = Depends(current)) -> None:
    payload = await request.json()
    for name, value in payload.items():  # <-
        if hasattr(user, name):
            setattr(user, name, value)

@app.put("/me/dict")
def whole(data: dict, user: User = Depends(current)) -> None:
    user.sqlmodel_update(data)  # <-

@app.put("/me/crud")
def crud(data: UserUpdate, user: User = Depends(current)) -> None:
    known = jsonable_encoder(user)
    changes = data.model_dump(exclude_unset=True)
    for field in known:  # <-
        if field in changes:
            setattr(user, field, changes[field])

@app.put("/me/values")
def values(data: UserUpdate, user: User = Depends(current)) -> None:
    session.execute(update(User).where(User.id == user.id).values(**data.model_dump()))  # <-
""",
        },
    ),
    Case(
        "a schema of its own, what the server gives, what is excluded, administrators, a check",
        {
            "models.py": _MODELS,
            "main.py": _HEAD
            + """
def current_admin(user: User = Depends(current)) -> User:
    return user

@app.post("/a")
def a(data: Contact) -> None:
    session.add(User.model_validate(data))

@app.post("/b")
def b(data: UserCreate) -> None:
    given = {"role": "customer", "balance": 0, "is_verified": False}
    session.add(User.model_validate(data, update=given))

@app.post("/c")
def c(data: UserUpdate, user: User = Depends(current)) -> None:
    user.sqlmodel_update(data.model_dump(exclude={"balance"}))

@app.put("/d")
def d(data: dict, user: User = Depends(current_admin)) -> None:
    user.sqlmodel_update(data)

@app.put("/e")
def e(data: UserUpdate, user: User = Depends(current)) -> None:
    if data.balance is not None:
        raise HTTPException(403)
    user.sqlmodel_update(data.model_dump(exclude_unset=True))

ALLOWED = {"email"}

@app.patch("/f")
def f(data: dict, user: User = Depends(current)) -> None:
    for name, value in data.items():
        if name in ALLOWED:
            setattr(user, name, value)
""",
        },
    ),
    case(
        "a table that is nobody's account, a role that is a message's",
        """
        from fastapi import FastAPI
        from sqlmodel import Field, Session, SQLModel

        class Message(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            role: str
            text: str

        class MessageIn(SQLModel):
            role: str
            text: str

        app = FastAPI()

        @app.post("/messages")
        def messages(data: MessageIn) -> None:
            Session().add(Message.model_validate(data))
        """,
    ),
)
