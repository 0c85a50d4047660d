"""A password is stored as a hash that is slow to compute.

Whoever reads the table, a backup or a log of statements otherwise has the passwords themselves, which
people use elsewhere too (OWASP API2:2023, CWE-256). MD5, SHA-1 and SHA-256 are no better: a graphics card
tries billions of them in a second (CWE-916). Use argon2, bcrypt or scrypt, through `pwdlib`, `argon2-cffi`
or `bcrypt`; each of them salts.

Reported, in what requests reach: the password of a request that is written to the password column of a
table of accounts (one with an email or user name) as it came, or is compared with that column; and a
password that goes through one round of `hashlib` in a function that knows no better hash.

Left alone are tables of what the application itself logs in to (with a host, a URL), columns of a type
that hashes or encrypts, tables and schemas with a validator, setter or listener that does it, and
everything that a call of unknown effect touches on the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.request_data import RequestData
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, Statement, alternatives
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, of_entry, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._dumps import as_dump, schemas_of, uses
from fastwright.rules.security._accounts import Account, accounts, class_of

_PLAIN = re.compile(r"(new_|plain_|raw_|user_|clear_)?(password|passwd|pwd|passphrase)_?[12]?")
_HASHING = re.compile(
    rb"hash|crypt|digest|argon|pbkdf|pwdlib|passlib|hmac|cipher|fernet", re.IGNORECASE
)
_BETTER = re.compile(
    rb"bcrypt|scrypt|pbkdf|argon|pwned|passlib|pwdlib|checkpw|etag|cache", re.IGNORECASE
)
_FAST = frozenset(
    f"hashlib.{name}"
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512",
                 "blake2b", "blake2s")
)  # fmt: skip
_TYPES = frozenset({"builtins.str", "builtins.bytes", "pydantic.SecretStr"})
_FORMS = frozenset(
    {"fastapi.security.OAuth2PasswordRequestForm", "fastapi.security.HTTPBasicCredentials"}
)
_EQUAL = frozenset({"hmac.compare_digest", "secrets.compare_digest"})
_DEPTH = 4


class Plain(msgspec.Struct, frozen=True, eq=False):
    """A password as the client sent it, and the way that it came."""

    name: str
    chain: tuple[Evidence, ...]


class Place(msgspec.Struct, frozen=True, eq=False):
    """Where a password is written or compared."""

    function: Function
    node: s.Node
    plain: Plain
    account: Account


def check(app: App) -> Iterator[Hit]:
    """Report passwords that are stored, compared or hashed as they should not be."""
    yield from _weak(app)
    found = [account for account in accounts(app) if not _hashes_itself(app, account)]
    if not found:
        return
    search = _Search(app, found)
    written = list(search.places(search.written))
    for at in written:
        column = f"{at.account.table.cls.name}.{at.account.column.name}"
        yield search.hit(at, f"{at.plain.name} is written to {column} as it came, without a hash")
    tables = {id(at.account.table.cls.node) for at in written}
    for at in search.places(search.compared):
        if id(at.account.table.cls.node) not in tables:
            column = f"{at.account.table.cls.name}.{at.account.column.name}"
            yield search.hit(
                at, f"{at.plain.name} is compared with {column}: it is stored in clear"
            )


@dataclass(eq=False)
class _Search:
    """Looks for passwords in what requests reach."""

    app: App
    accounts: list[Account]
    data: RequestData = field(init=False)
    bodies: set[int] = field(init=False)
    """Schemas that requests fill, by ``id(cls.node)``."""

    def __post_init__(self) -> None:
        self.data = RequestData(self.app)
        self.bodies = {
            id(cls.node)
            for route in self.app.routes
            for parameter in route.parameters
            for cls in schemas_of(self.app, parameter.type)
        }

    def places(self, find: Callable[[Function], Iterator[Place]]) -> Iterator[Place]:
        """Yield what ``find`` finds in each function that requests reach; each node once."""
        seen: set[int] = set()
        for step in self.data.running.reached:
            if not _MENTIONED.search(step.function.node.raw_body):
                continue
            for at in find(step.function):
                if id(at.node) not in seen:
                    seen.add(id(at.node))
                    yield at

    def hit(self, at: Place, message: str) -> Hit:
        """Return the finding, from the request on where that is known."""
        running = self.data.running
        step = running.step(at.function)
        start = of_entry(running.entry(step.root)) if step is not None else ()
        module = at.function.module
        column = at.account.column
        chain = (
            *start,
            *at.plain.chain,
            evidence(
                column.owner.module, column.node, f"{at.account.table.cls.name}.{column.name}"
            ),
        )
        return Hit(place(module, at.node), message, chain)

    def account(self, cls: Class | None, name: str | None = None) -> Account | None:
        """Return the account that a class is the table of."""
        for account in self.accounts:
            if cls is not None and account.table.cls.node is cls.node:
                if name is None or account.column.name == name:
                    return account
        return None

    # ------------------------------------------------------------------ writing

    def written(self, function: Function) -> Iterator[Place]:
        """Yield where a function writes a plain password to a column."""
        for account, node, value in self._given(function):
            plain = self.plain(value, function)
            if plain is not None:
                yield Place(function, node, plain, account)
        yield from self._whole(function)

    def _given(self, function: Function) -> Iterator[tuple[Account, s.Node, s.Expr]]:
        where = Where(function.module, function)
        for node, _ in self.app.calls.of_kind(function, s.Assign):
            for target in node.targets:
                if isinstance(target, s.Attribute):
                    found = class_of(self.app.types.of(target.value, where))
                    account = self.account(found, target.attr)
                    if account is not None:
                        yield account, node, node.value
        for site in self.app.calls.sites(function):
            cls = _constructed(site)
            for keyword in site.node.keywords:
                account = self.account(cls, keyword.arg) if keyword.arg is not None else None
                if account is not None:
                    yield account, keyword.value, keyword.value

    def _whole(self, function: Function) -> Iterator[Place]:
        """``User(**body.model_dump())`` where the body has a field of the column's name."""
        for site in self.app.calls.sites(function):
            dump = as_dump(self.app, function, site.node)
            schema = self.app.models.schema(dump.schema) if dump is not None else None
            if dump is None or schema is None or id(dump.schema.node) not in self.bodies:
                continue
            if _changes(self.app, function) or _validates(self.app, dump.schema):
                continue
            for account, node in self._rows(function, dump.node):
                name = account.column.name
                described = schema.fields.get(name)
                if described is None or name in dump.excluded or dump.node.keyword("include"):
                    continue
                note = f"{described.owner.name}.{name}"
                chain = (
                    evidence(described.owner.module, described.node, note),
                    evidence(function.module, dump.node, "the whole body"),
                )
                yield Place(function, node, Plain(f"{dump.schema.name}.{name}", chain), account)

    def _rows(self, function: Function, dump: s.Call) -> Iterator[tuple[Account, s.Node]]:
        given: s.Expr = dump
        for assigned, _ in self.app.calls.of_kind(function, s.Assign):
            if assigned.value is dump and isinstance(assigned.targets[0], s.Name):
                given = assigned.targets[0]
        where = Where(function.module, function)
        for kind, node, table in uses(self.app, function, given):
            account = self.account(table)
            if kind == "update" and isinstance(node, s.For):
                account = next(
                    filter(None, (self._set(n, where) for n in s.walk(*node.body))), None
                )
            if account is not None:
                yield account, node

    def _set(self, node: s.Node, where: Where) -> Account | None:
        if isinstance(node, s.Call) and s.last_name(node.func) == "setattr" and node.args:
            return self.account(class_of(self.app.types.of(node.args[0], where)))
        return None

    # ---------------------------------------------------------------- comparing

    def compared(self, function: Function) -> Iterator[Place]:
        """Yield where a function compares a plain password with a column."""
        for node, left, right in self._pairs(function):
            for stored, given in ((left, right), (right, left)):
                account = self._stored(stored, function)
                plain = self.plain(given, function) if account is not None else None
                if account is not None and plain is not None:
                    yield Place(function, node, plain, account)

    def _pairs(self, function: Function) -> Iterator[tuple[s.Node, s.Expr, s.Expr]]:
        for node, _ in self.app.calls.of_kind(function, s.Compare):
            if node.ops[0] in {"==", "!="}:
                yield node, node.left, node.comparators[0]
        for site in self.app.calls.sites(function):
            if site.external in _EQUAL and len(site.node.args) == 2:
                left, right = site.node.args
                yield site.node, left, right

    def _stored(self, node: s.Expr, function: Function) -> Account | None:
        if not isinstance(node, s.Attribute):
            return None
        found = class_of(self.app.types.of(node.value, Where(function.module, function)))
        return self.account(found, node.attr)

    # ------------------------------------------------------------------- plain

    def plain(self, node: s.Expr, function: Function, depth: int = 0) -> Plain | None:
        """Return the password that an expression is, if it surely is as the client sent it."""
        if isinstance(node, s.Call) and s.last_name(node.func) == "get_secret_value":
            inner = node.func.value if isinstance(node.func, s.Attribute) else node
            return self.plain(inner, function, depth)
        if depth > _DEPTH:
            return None
        if isinstance(node, s.Attribute):
            return self._field(node, function)
        if not isinstance(node, s.Name):
            return None
        bound = self.app.types.locals.lookup(node.id, node.start, function)
        if bound is None or bound.path:
            return None
        if bound.how == "assign" and bound.value is not None:
            if len(self.app.types.locals.of(function).get(node.id, [])) == 1:
                return self.plain(bound.value, function, depth + 1)
        if bound.how == "parameter" and _PLAIN.fullmatch(node.id):
            return self._parameter(node.id, function, depth)
        return None

    def _field(self, node: s.Attribute, function: Function) -> Plain | None:
        """``body.password``: a field of a schema that nothing changes."""
        if not _PLAIN.fullmatch(node.attr) or _sets(self.app, function, node):
            return None
        where = Where(function.module, function)
        for option in alternatives(self.app.types.of(node.value, where)):
            if not isinstance(option, Instance):
                continue
            if not isinstance(option.cls, Class):
                if option.cls in _FORMS and node.attr == "password":
                    return Plain(s.dotted(node) or node.attr, ())
                continue
            schema = self.app.models.schema(option.cls)
            described = schema.fields.get(node.attr) if schema is not None else None
            if schema is None or described is None or schema.is_settings:
                continue
            if id(option.cls.node) not in self.bodies or _validates(self.app, option.cls):
                continue
            if any(
                isinstance(o, Instance) and o.cls in _TYPES for o in alternatives(described.type)
            ):
                declared = evidence(
                    described.owner.module, described.node, f"{option.cls.name}.{node.attr}"
                )
                return Plain(s.dotted(node) or node.attr, (declared,))
        return None

    def _parameter(self, name: str, function: Function, depth: int) -> Plain | None:
        entry = self.data.running.entries.get(id(function.node))
        if entry is not None and entry.route is not None:
            for parameter in entry.route.parameters:
                if parameter.function.node is function.node and parameter.name == name:
                    if parameter.kind in {"query", "form", "body"}:
                        return Plain(name, (evidence(function.module, parameter.node, name),))
        names = [parameter.name for parameter in function.parameters]
        if name not in names:
            return None
        for site in self.data.callers(function):
            given = site.node.argument(names.index(name), name)
            found = self.plain(given, site.caller, depth + 1) if given is not None else None
            if found is not None:
                step = evidence(site.module, site.node, function.qualname)
                return Plain(found.name, (*found.chain, step))
        return None


def _constructed(site: CallSite) -> Class | None:
    """Return the table of ``User(...)``, ``update(User).values(...)``."""
    if site.method == "values" and isinstance(site.receiver, Statement):
        tables = site.receiver.query.tables
        return tables[0] if tables else None
    for option in alternatives(site.callee):
        if isinstance(option, ClassObject) and isinstance(option.cls, Class):
            return option.cls
    return None


_MENTIONED = re.compile(rb"passw|pwd|passphrase|model_dump|dict", re.IGNORECASE)


def _sets(app: App, function: Function, node: s.Attribute) -> bool:
    """Whether a function assigns ``body.password``."""
    written = s.dotted(node)
    return any(
        s.dotted(target) == written
        for assigned, _ in app.calls.of_kind(function, s.Assign)
        for target in assigned.targets
    )


def _changes(app: App, function: Function) -> bool:
    """Whether a function looks at an entry or attribute named like a password, or hashes."""
    if _HASHING.search(function.node.raw_body):
        return True
    return any(
        isinstance(node, s.Constant)
        and isinstance(node.value, str)
        and bool(_PLAIN.fullmatch(node.value))
        for node, _ in app.calls.nodes(function)
    )


def _validates(app: App, cls: Class) -> bool:
    """Whether a method of a schema or table hashes."""
    return any(
        _HASHING.search(method.node.raw_body)
        for ancestor in app.linker.mro(cls)
        if isinstance(ancestor, Class)
        for method in ancestor.own_methods.values()
        if method.name.startswith("__") or method.node.decorators
    )


def _hashes_itself(app: App, account: Account) -> bool:
    """Whether the table takes care of it: a type, a validator, a setter, a listener."""
    column = account.column
    written = (s.last_name(node) or "" for node in s.walk(column.node))
    if any(_HASHING.search(name.encode()) for name in written if name != column.name):
        return True
    if any("PasswordType" in (s.last_name(node) or "") for node in s.walk(column.node)):
        return True
    if _validates(app, account.table.cls):
        return True
    return _has_listeners(account.table.cls.module)


def _has_listeners(module: Module) -> bool:
    return any(
        s.last_name(decorator) == "listens_for"
        for function in module.functions
        for decorator in function.decorators
    )


# ----------------------------------------------------------------------- weak hash


def _weak(app: App) -> Iterator[Hit]:
    """Report passwords that go through one round of a fast hash."""
    running = RequestData(app).running
    for step in running.reached:
        function = step.function
        if _NAMES.isdisjoint(function.node.called) or _BETTER.search(function.node.raw_body):
            continue
        for site in app.calls.sites(function):
            name = _fast(site)
            if name is None or site.around.loops:
                continue
            chain = (*of_entry(running.entry(step.root)), evidence(site.module, site.node, name))
            message = (
                f"a password is hashed with one round of {name}: billions are tried in a second"
            )
            yield Hit(place(site.module, site.node), message, chain)


_NAMES = frozenset({name.rpartition(".")[2] for name in _FAST} | {"new"})


def _fast(site: CallSite) -> str | None:
    """Return the name of the fast hash that a call gives a password to."""
    name = site.external
    first = 0
    if name == "hashlib.new":
        kind = s.string(site.node.argument(0, "name"))
        name, first = f"hashlib.{kind}", 1
    if name not in _FAST or len(site.node.args) <= first:
        return None
    flag = site.node.keyword("usedforsecurity")
    if isinstance(flag, s.Constant) and flag.value is False:
        return None
    named = any(
        isinstance(node, (s.Name, s.Attribute)) and _PLAIN.fullmatch(s.last_name(node) or "")
        for node in s.walk(site.node.args[first])
    )
    return name if named else None


RULE = Rule(
    summary="a password that is stored in clear, or under a fast hash",
    severity="error",
    confidence="medium",
    mend="Store `PasswordHash.recommended().hash(password)` of pwdlib (or bcrypt), and compare with its"
    " `verify`.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/tutorial/security/oauth2-jwt/#password-hashing",
        "https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html",
        "CWE-256",
        "CWE-916",
    ),
)

_HEAD = """
import hashlib
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel, SecretStr
from sqlmodel import Field, Session, SQLModel, select

class User(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    email: str
    password: str

class Register(BaseModel):
    email: str
    password: str

class Change(BaseModel):
    new_password: SecretStr

session = Session()
app = FastAPI()
"""

CASES = (
    case(
        "written in a service, on a change, and with the whole body",
        _HEAD
        + """
def create(email: str, password: str) -> User:
    user = User(email=email, password=password)  # <-
    session.add(user)
    return user

@app.post("/register")
def register(data: Register) -> None:
    create(data.email, data.password)

@app.post("/register2")
def register2(data: Register) -> None:
    session.add(User(**data.model_dump()))  # <-

@app.post("/change")
def change(data: Change) -> None:
    user = session.get(User, 1)
    user.password = data.new_password.get_secret_value()  # <-
""",
    ),
    case(
        "compared as it is",
        _HEAD
        + """
@app.post("/login")
def login(form: OAuth2PasswordRequestForm = Depends()) -> str:
    user = session.exec(select(User).where(User.email == form.username)).one()
    if user.password != form.password:  # <-
        raise HTTPException(401)
    return "ok"
""",
    ),
    case(
        "one round of a fast hash",
        _HEAD
        + """
def hash_password(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()  # <-

@app.post("/register")
def register(data: Register) -> None:
    session.add(User(email=data.email, password=hash_password(data.password)))
""",
    ),
    case(
        "hashed, in the function, before, or in a helper; a check of known passwords; a legacy fallback",
        _HEAD
        + """
import bcrypt

def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()

def is_known(password: str) -> bool:
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest()
    return digest in {"pwned"}

@app.post("/a")
def a(data: Register) -> None:
    is_known(data.password)
    session.add(User(email=data.email, password=hashed(data.password)))

@app.post("/b")
def b(data: Register) -> None:
    data.password = hashed(data.password)
    session.add(User(email=data.email, password=data.password))

@app.post("/c")
def c(data: Register) -> None:
    values = data.model_dump()
    values["password"] = hashed(values["password"])
    session.add(User(**values))

@app.post("/d")
def d(email: str, password: str) -> None:
    password = hashed(password)
    session.add(User(email=email, password=password))

def verify(password: str, stored: str) -> bool:
    if stored.startswith("$2b$"):
        return bcrypt.checkpw(password.encode(), stored.encode())
    return hashlib.sha256(password.encode()).hexdigest() == stored
""",
    ),
    Case(
        "the table does it, or the application itself logs in with it",
        {
            "models.py": """
            import bcrypt
            from sqlalchemy import Column, Integer, String
            from sqlalchemy.orm import declarative_base, validates

            Base = declarative_base()

            class User(Base):
                __tablename__ = "users"
                id = Column(Integer, primary_key=True)
                email = Column(String)
                password = Column(String)

                @validates("password")
                def _hashed(self, _key, value):
                    return bcrypt.hashpw(value.encode(), bcrypt.gensalt())

            class Connection(Base):
                __tablename__ = "connections"
                id = Column(Integer, primary_key=True)
                host = Column(String)
                login = Column(String)
                password = Column(String)
            """,
            "main.py": """
            from fastapi import FastAPI
            from pydantic import BaseModel
            from sqlalchemy.orm import Session
            from models import Connection, User

            class Body(BaseModel):
                login: str
                password: str

            session = Session()
            app = FastAPI()

            @app.post("/users")
            def users(body: Body) -> None:
                session.add(User(email=body.login, password=body.password))

            @app.post("/connections")
            def connections(body: Body) -> None:
                session.add(Connection(host="db", login=body.login, password=body.password))
            """,
        },
    ),
    case(
        "a copy of the row is compared with the row",
        _HEAD
        + """
class Stored(BaseModel):
    id: int
    password: str

@app.post("/mfa")
def mfa(code: str) -> None:
    user = session.get(User, 1)
    stored = Stored(id=1, password=user.password)
    session.exec(select(User).where(User.id == stored.id, User.password == stored.password))
""",
    ),
)
