"""Uniqueness is a promise that only the database can keep.

`if session.scalar(select(User).where(User.email == email)): raise ...; session.add(User(email=email))` holds as long as
requests come one by one. Two at once (a double click, a client that tries again) both find nothing, and both insert:
from then on there are two rows, `scalar_one()` fails, and somebody has to clean up. Declare a unique constraint, insert, and answer
409 on `IntegrityError`; or use `INSERT ... ON CONFLICT`.

Reported where requests look for a row by columns, test whether it is there, and insert a row of the same table with the
same values, in the same function or one that it calls, and nothing makes these columns unique: no `unique=True`, no constraint or
unique index in the model, none in a migration. Left alone: what takes a lock first, code that handles `IntegrityError` (it knows of a constraint), tables of
logs and events, and values that are not the same. A constraint that is there, but whose violation nobody handles, costs one of the
two clients an answer of 500 instead of 409; the data stays right, and it is not reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite, Execution, Step
from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.on_loop import served
from fastwright.app.origins import origins
from fastwright.app.scopes import Where
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Sequence, alternatives
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.data._loops import of_request, request_label
from fastwright.rules.data._rows import takes_turns
from fastwright.rules.evidence import evidence, of_calls, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_NOTES = re.compile(r"log|event|audit|history|metric|message|cache|attempt", re.IGNORECASE)
_WHOLE = frozenset({"model_validate", "from_orm", "parse_obj"})
_DUMPING = frozenset({"model_dump", "dict"})
_HANDLED = frozenset({"IntegrityError", "UniqueViolationError", "UniqueViolation"})
_UNIQUE_CALLS = frozenset(
    {"UniqueConstraint", "create_unique_constraint", "PrimaryKeyConstraint", "create_primary_key"}
)


class _Check(msgspec.Struct, frozen=True, eq=False):
    """A look for a row of ``table`` by the values of ``columns``."""

    node: s.Expr
    table: Class
    columns: dict[str, str]
    """Column -> how the value that it is compared with reads in the function that asks."""
    execution: Execution
    chain: tuple[CallSite, ...]


def check(app: App) -> Iterator[Hit]:
    """Report rows that are inserted because a look before found none, where nothing keeps them unique."""
    if not app.tables:
        return
    running = served(app)
    for step in running.reached:
        function = step.function
        tested = _tested(app, function)
        if not tested:
            continue
        seen: set[int] = set()
        for look in _checks(app, function, tested):
            inserted = _inserted(app, function, look)
            if inserted is None or _NOTES.search(look.table.name):
                continue
            node, around = inserted
            if id(node) in seen:
                continue
            seen.add(id(node))
            table = app.models.table(look.table)
            if table is None or _is_unique(app, table, set(look.columns)):
                continue
            if takes_turns(app, step, around) or _handles(app, step):
                continue
            columns = ", ".join(look.columns)
            message = (
                f"{look.table.name} is looked for by {columns} and then inserted, and nothing makes"
                f" {columns} unique: two requests at once insert it twice"
                f"{request_label(running, function)}"
            )
            site = look.execution.site
            proof = (
                *of_request(running, function),
                *of_calls(look.chain),
                evidence(site.module, site.node, f"looks for {look.table.name} by {columns}"),
                evidence(function.module, node, f"inserts {look.table.name}"),
            )
            yield Hit(place(function.module, node), message, proof)


# ------------------------------------------------------------------------- looking


def _tested(app: App, function: Function) -> list[s.Expr]:
    """Return what conditions test to be there: ``if x``, ``if not find()``, ``x is None``."""
    return [
        found
        for node, _ in app.calls.of_kind(function, s.If)
        for branch in node.branches
        for part in (branch.test.values if isinstance(branch.test, s.BoolOp) else [branch.test])
        if (found := _presence(part)) is not None
    ]


def _presence(test: s.Expr) -> s.Expr | None:
    if isinstance(test, s.NamedExpr):
        return test.value
    if isinstance(test, s.UnaryOp) and test.op == "not":
        return _presence(test.operand)
    if isinstance(test, s.Compare) and test.ops in (["is"], ["is not"]):
        return _presence(test.left)
    return test if isinstance(test, (s.Name, s.Call, s.Await)) else None


def _checks(app: App, function: Function, tested: list[s.Expr]) -> Iterator[_Check]:
    for node in tested:
        value = _value(app, function, node)
        if value is None or _is_list(app, function, value):
            continue
        found = origins(app).of(value, function)
        if len(found) != 1 or found[0].execution is None or found[0].query is None:
            continue
        query, execution = found[0].query, found[0].execution
        if query.kind != "select" or query.entity is None or execution.by_key:
            continue
        if query.aggregate or query.locked:
            continue
        columns = _columns(app, query.filters, query.steps, query.entity, found[0].chain)
        if columns:
            yield _Check(value, query.entity, columns, execution, found[0].chain)


def _is_list(app: App, function: Function, value: s.Expr) -> bool:
    """Whether a look gives many rows: that there are some says nothing about uniqueness."""
    found = alternatives(app.types.of(value, Where(function.module, function)))
    return any(isinstance(option, Sequence) for option in found)


def _value(app: App, function: Function, node: s.Expr) -> s.Expr | None:
    """Return what a tested expression is: for a name the value that it was first bound to."""
    if not isinstance(node, s.Name):
        return node
    bounds = app.types.locals.of(function).get(node.id, [])
    if not bounds or bounds[0].how != "assign" or bounds[0].path:
        return None
    return bounds[0].value


def _columns(
    app: App,
    filters: tuple[s.Expr, ...],
    steps: tuple[s.Expr, ...],
    table: Class,
    chain: tuple[CallSite, ...],
) -> dict[str, str]:
    """Return the columns that must equal values, with these values as the first caller writes them."""
    mapped = app.models.table(table)
    pairs: list[tuple[str, s.Expr]] = []
    for condition in filters:
        if isinstance(condition, s.Compare) and condition.ops == ["=="]:
            left = condition.left
            if isinstance(left, s.Call) and s.last_name(left) == "col" and left.args:
                left = left.args[0]
            if isinstance(left, s.Attribute) and s.last_name(left.value) == table.name:
                pairs.append((left.attr, condition.comparators[0]))
    for step in steps:
        if isinstance(step, s.Call) and s.last_name(step) == "filter_by":
            pairs.extend((k.arg, k.value) for k in step.keywords if k.arg is not None)
    found: dict[str, str] = {}
    for column, value in pairs:
        written = _written(value, chain)
        if written is None or mapped is None or column not in mapped.columns:
            return {}
        found[column] = written
    return found


def _written(value: s.Expr, chain: tuple[CallSite, ...]) -> str | None:
    """Return how a value reads where the chain of calls starts: parameters are followed back."""
    path = s.dotted(value)
    for site in reversed(chain):
        if path is None or len(site.targets) != 1:
            return None
        root, _, rest = path.partition(".")
        names = [parameter.name for parameter in site.targets[0].parameters]
        given = site.node.argument(names.index(root), root) if root in names else None
        before = s.dotted(given)
        path = ".".join(filter(None, (before, rest))) if before is not None else None
    return path


# ------------------------------------------------------------------------ inserting


def _inserted(app: App, function: Function, look: _Check) -> tuple[s.Call, Surroundings] | None:
    """Return the call after the look that makes and inserts a row with the same values."""
    for site in app.calls.sites(function):
        if site.node.start < look.node.end or site.around.deferred or site.around.loops:
            continue
        made = _makes(app, function, site, look)
        if made and _adds(app, function, look.table):
            return site.node, site.around
        if not made and site.targets and _gives_values(site, look):
            if any(_creates(app, target, look.table) for target in site.targets):
                return site.node, site.around
    return None


def _makes(app: App, function: Function, site: CallSite, look: _Check) -> bool:
    """Whether a call makes a row of the table with the values that were looked for."""
    call = site.node
    if call.func and isinstance(call.func, s.Attribute) and call.func.attr in _WHOLE:
        owner = app.types.of(call.func.value, Where(function.module, function))
        if not (isinstance(owner, ClassObject) and owner.cls is look.table):
            return False
        source = s.dotted(call.args[0]) if call.args else None
        return all(written.partition(".")[0] == source for written in look.columns.values())
    if not (isinstance(site.callee, ClassObject) and isinstance(site.callee.cls, Class)):
        return False
    if site.callee.cls.node is not look.table.node:
        return False
    return all(_given(call, column, value) for column, value in look.columns.items())


def _given(call: s.Call, column: str, value: str) -> bool:
    """Whether a constructor gets a value: by name, or with all of an object (``**data.model_dump()``)."""
    given = call.keyword(column)
    if given is not None:
        return s.dotted(given) == value
    return any(
        keyword.arg is None
        and isinstance(keyword.value, s.Call)
        and isinstance(keyword.value.func, s.Attribute)
        and keyword.value.func.attr in _DUMPING
        and f"{s.dotted(keyword.value.func.value)}.{column}" == value
        for keyword in call.keywords
    )


def _adds(app: App, function: Function, table: Class) -> bool:
    """Whether a function, or one that it calls, adds a row of a table, or of one that is not known."""
    runs = [*app.calls.executions(function)]
    for site in app.calls.sites(function):
        for target in site.targets:
            runs.extend(app.calls.executions(target))
    return any(
        run.kind == "write"
        and run.site.method in {"add", "add_all"}
        and (run.table is None or run.table.node is table.node)
        for run in runs
    )


def _gives_values(site: CallSite, look: _Check) -> bool:
    """Whether a call is given everything that was looked for, alone or as part of its object."""
    given = [s.dotted(arg) for arg in site.node.args]
    given += [s.dotted(keyword.value) for keyword in site.node.keywords]
    return all(
        value in given or value.rpartition(".")[0] in given for value in look.columns.values()
    )


def _creates(app: App, function: Function, table: Class) -> bool:
    """Whether a function makes a row of a table and adds it, under no condition."""
    for site in app.calls.sites(function):
        callee = site.callee
        owner = site.receiver if site.method in _WHOLE else None
        made = owner if isinstance(owner, ClassObject) else callee
        if (
            isinstance(made, ClassObject)
            and isinstance(made.cls, Class)
            and not site.around.branches
        ):
            if made.cls.node is table.node and _adds(app, function, table):
                return not _looks_itself(app, function, table)
    return False


def _looks_itself(app: App, function: Function, table: Class) -> bool:
    return any(
        run.kind == "read" and run.table is not None and run.table.node is table.node
        for run in app.calls.executions(function)
        if run.site.method != "refresh"
    )


# ------------------------------------------------------------------------- unique


def _is_unique(app: App, table: Table, columns: set[str]) -> bool:
    """Whether something keeps rows with the same values of these columns apart, as far as is known."""
    for name in columns:
        column = table.columns[name]
        if column.unique or column.primary_key:
            return True
        if column.call is not None and any(keyword.arg is None for keyword in column.call.keywords):
            return True
    classes = [a for a in app.linker.mro(table.cls) if isinstance(a, Class)]
    beside = [node for node in table.cls.module.facts.body if isinstance(node, s.ExprStmt)]
    bodies: list[s.Node] = [*(cls.node for cls in classes), *beside]
    for module in app.modules.values():
        if module.kind == "migration" and _names_table(module, table.name):
            bodies.extend(module.facts.body)
    return any(_keeps_unique(node, columns) for node in s.walk(*bodies))


def _names_table(module: Module, table: str) -> bool:
    return any(table in (s.string(node) or "") for node in module.walk())


def _keeps_unique(node: s.Node, columns: set[str]) -> bool:
    """Whether a call or a raw statement declares something unique that names one of the columns."""
    text = s.string(node)
    if text is not None:
        return re.search(r"\bunique\b", text, re.IGNORECASE) is not None and any(
            name in text for name in columns
        )
    if not isinstance(node, s.Call):
        return False
    flag = node.keyword("unique")
    if s.last_name(node.func) not in _UNIQUE_CALLS and (flag is None or _is_false(flag)):
        return False
    return any(
        s.string(inner) in columns or (isinstance(inner, s.Attribute) and inner.attr in columns)
        for inner in s.walk(node)
    )


def _is_false(node: s.Expr) -> bool:
    return isinstance(node, s.Constant) and not node.value


def _handles(app: App, step: Step) -> bool:
    """Whether something on the way, or the application, handles violated constraints."""
    at: Step | None = step
    while at is not None:
        for tried, _ in app.calls.of_kind(at.function, s.Try):
            for handler in tried.handlers:
                kinds = list(s.walk(handler.type)) if handler.type is not None else []
                if any(s.last_name(kind) in _HANDLED for kind in kinds):
                    return True
        at = at.before
    return False


RULE = Rule(
    summary="a row is inserted because a look before found none, and nothing keeps it unique",
    severity="warning",
    confidence="medium",
    mend="Declare the columns unique (`unique=True`, `UniqueConstraint`, or a unique `Index` with a condition) with a"
    " migration, insert without looking,"
    " and answer 409 when `IntegrityError` is raised.",
    app=check,
    references=(
        "https://docs.sqlalchemy.org/en/20/core/constraints.html#unique-constraint",
        "CWE-367",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import UniqueConstraint, create_engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column()
    name: Mapped[str]

class UserIn(BaseModel):
    email: str
    name: str

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()
"""

_BAD = """
@app.post("/a")
def a(email: str, session: SessionDep) -> None:
    found = session.scalars(select(User).where(User.email == email)).first()
    if found:
        raise HTTPException(409)
    user = User(email=email, name="x")  # <-
    session.add(user)
    session.commit()

@app.post("/b")
def b(data: UserIn, session: SessionDep) -> None:
    if session.query(User).filter_by(email=data.email).first() is not None:
        raise HTTPException(409)
    session.add(User(email=data.email, name="y"))  # <-
    session.commit()

@app.post("/c")
def c(data: UserIn, session: SessionDep) -> User:
    user = session.query(User).filter(User.email == data.email).one_or_none()
    if user is None:
        user = User(**data.model_dump())  # <-
        session.add(user)
        session.commit()
    return user
"""

CASES = (
    case("in an endpoint", _HEAD + _BAD),
    Case(
        "through a repository",
        {
            "app/models.py": _HEAD,
            "app/users.py": """
                from sqlalchemy import select
                from sqlalchemy.orm import Session
                from app.models import User, UserIn

                class Users:
                    def __init__(self, session: Session):
                        self.session = session

                    def by_email(self, email: str) -> User | None:
                        return self.session.scalars(select(User).where(User.email == email)).first()

                    def create(self, data: UserIn) -> User:
                        user = User(email=data.email, name=data.name)
                        self.session.add(user)
                        self.session.commit()
                        return user
                """,
            "app/main.py": """
                from fastapi import HTTPException
                from app.models import SessionDep, UserIn, app
                from app.users import Users

                @app.post("/")
                def create(data: UserIn, session: SessionDep) -> None:
                    users = Users(session)
                    if users.by_email(data.email):
                        raise HTTPException(409)
                    known = users.by_email(data.email)
                    if known is not None:
                        raise HTTPException(409)
                    users.create(data)  # <-
                """,
        },
    ),
    case(
        "a unique column",
        _HEAD.replace("mapped_column()", "mapped_column(unique=True)") + _BAD.replace("  # <-", ""),
    ),
    case(
        "a constraint over it",
        _HEAD.replace(
            '"users"', '"users"\n    __table_args__ = (UniqueConstraint("email", "name"),)'
        )
        + _BAD.replace("  # <-", ""),
    ),
    Case(
        "an index that a migration makes",
        {
            "main.py": _HEAD + _BAD.replace("  # <-", ""),
            "alembic/versions/a1.py": """
                from alembic import op

                def upgrade():
                    op.create_index("ix_email", "users", ["email"], unique=True)
                """,
        },
    ),
    case(
        "another value, a handled violation, a lock",
        _HEAD
        + """
@app.post("/a")
def a(email: str, friend: str, session: SessionDep) -> None:
    found = session.scalars(select(User).where(User.email == friend)).first()
    if not found:
        raise HTTPException(404)
    session.add(User(email=email, name="x"))
    session.commit()

@app.post("/b")
def b(email: str, session: SessionDep) -> None:
    found = session.scalars(select(User).where(User.email == email)).first()
    if found:
        raise HTTPException(409)
    session.add(User(email=email, name="x"))
    try:
        session.commit()
    except IntegrityError:
        raise HTTPException(409)

@app.post("/several")
def several(email: str, session: SessionDep) -> None:
    found = session.scalars(select(User).where(User.email == email)).all()
    if not found:
        session.add(User(email=email, name="x"))
        session.commit()

@app.post("/c")
def c(email: str, session: SessionDep) -> None:
    found = session.scalars(select(User).where(User.email == email).with_for_update()).first()
    if found:
        raise HTTPException(409)
    session.add(User(email=email, name="x"))
    session.commit()
""",
    ),
)
