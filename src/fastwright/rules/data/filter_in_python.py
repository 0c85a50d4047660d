"""The database filters, sorts and sums; Python gets what is needed.

`[u for u in session.scalars(select(User)) if u.active]` reads every row of the table, sends it over the wire and
makes an object of it, to throw most of them away. It is quick on the day it is written and grows with the table.
`where(User.active)`, `order_by(...)` and `func.sum(...)` let an index do it.

Reported are rows of a statement without any condition or limit, in code that requests reach, that are used for one thing
only: a comprehension with a condition on a plain column, a loop that starts with such a condition, `sum`, `max` or `min` of a
column, or `sorted` by a column. The statement may stand in a function that returns the rows. Left alone are rows that are used a second
time, results that a cache keeps, and conditions that only Python can
answer: those on properties, on JSON or encrypted columns, or through a function.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.models import Column, Table
from fastwright.app.on_loop import served
from fastwright.app.origins import Origin, origins
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s
from fastwright.rules.data._loops import of_request, request_label
from fastwright.rules.evidence import evidence, of_calls, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_PLAIN_STEPS = frozenset(
    {"options", "order_by", "all", "scalars", "execution_options", "unique", "select_from"}
)
_PLAIN_TYPES = frozenset(
    {"builtins.int", "builtins.str", "builtins.float", "builtins.bool", "decimal.Decimal", "uuid.UUID",
     "datetime.datetime", "datetime.date"}
)  # fmt: skip
_PLAIN_COLUMNS = frozenset(
    {"Integer", "BigInteger", "SmallInteger", "Float", "Numeric", "String", "Text", "Boolean", "Date",
     "DateTime", "TIMESTAMP", "Uuid", "UUID", "Enum", "VARCHAR"}
)  # fmt: skip
_FOLDING = frozenset({"sum", "max", "min", "sorted"})
_PLAIN_DECORATORS = frozenset({"staticmethod", "classmethod", "abstractmethod", "override"})


def check(app: App) -> Iterator[Hit]:
    """Report whole tables that Python goes through for some of their rows, or for one number."""
    if not app.tables:
        return
    running = served(app)
    for step in running.reached:
        function = step.function
        for node, rows, variable, parts, how in _uses(app, function):
            if not _is_only_use(app, function, rows):
                continue
            origin = _whole_table(app, rows, function)
            if origin is None or origin.execution is None or origin.query is None:
                continue
            table = app.models.table(origin.query.entity) if origin.query.entity else None
            column = _column(table, variable, parts) if table is not None else None
            if table is None or column is None:
                continue
            site = origin.execution.site
            message = (
                f"every row of {table.cls.name} is read to be {how} by {column} in Python"
                f"{request_label(running, function)}"
            )
            proof = (
                *of_request(running, function),
                *of_calls(origin.chain),
                evidence(site.module, site.node, "reads the whole table"),
                evidence(function.module, node, f"{how} by {column}"),
            )
            yield Hit(place(function.module, node), message, proof)


# ---------------------------------------------------------------------------- uses

_Use = tuple[s.Node, s.Expr, str, list[s.Expr], str]
"""What goes through the rows, the rows, the name of one row, what is asked of it, what for."""


def _uses(app: App, function: Function) -> Iterator[_Use]:
    for comp, _ in app.calls.of_kind(function, s.Comp):
        generator = comp.generators[0]
        if len(comp.generators) == 1 and isinstance(generator.target, s.Name) and generator.ifs:
            yield comp, generator.iter, generator.target.id, generator.ifs, "filtered"
    for loop, around in app.calls.of_kind(function, s.For):
        yield from _loop(loop, around)
    for call, _ in app.calls.of_kind(function, s.Call):
        if isinstance(call.func, s.Name) and call.func.id in _FOLDING and call.args:
            yield from _folded(call, call.func.id)


def _loop(loop: s.For, around: Surroundings) -> Iterator[_Use]:
    """``for row in rows: if row.active: ...``, and nothing else in the loop."""
    if not isinstance(loop.target, s.Name) or around.loops or not loop.body:
        return
    first = loop.body[0]
    if not isinstance(first, s.If) or len(first.branches) != 1 or first.orelse:
        return
    skips = all(
        isinstance(node, s.Flow) and node.keyword == "continue" for node in first.branches[0].body
    )
    if skips or len(loop.body) == 1:
        yield loop.iter, loop.iter, loop.target.id, [first.branches[0].test], "filtered"


def _folded(call: s.Call, name: str) -> Iterator[_Use]:
    given = call.args[0]
    if name == "sorted":
        key = call.keyword("key")
        if isinstance(key, s.Lambda) and key.params:
            yield call, given, key.params[0].name, [key.body], "sorted"
    elif isinstance(given, s.Comp) and len(given.generators) == 1 and not given.generators[0].ifs:
        target = given.generators[0].target
        if isinstance(target, s.Name):
            how = "summed" if name == "sum" else f"searched for the {name}imum"
            yield call, given.generators[0].iter, target.id, [given.elt], how


def _is_only_use(app: App, function: Function, rows: s.Expr) -> bool:
    """Whether rows that have a name are used for nothing else."""
    if not isinstance(rows, s.Name):
        return True
    bounds = app.types.locals.of(function).get(rows.id, [])
    uses = [node for node, _ in app.calls.of_kind(function, s.Name) if node.id == rows.id]
    inner = any(
        isinstance(node, s.Name) and node.id == rows.id
        for definition in s.inner_definitions(function.node)
        for node in s.walk(*definition.body)
    )
    return len(bounds) == 1 and len(uses) == 2 and not inner


# --------------------------------------------------------------------------- rows


def _whole_table(app: App, rows: s.Expr, function: Function) -> Origin | None:
    """Return from where rows come that are surely all of a table."""
    found = origins(app).of(rows, function)
    if len(found) != 1 or found[0].execution is None:
        return None
    execution, query = found[0].execution, found[0].query
    if query is None or query.kind != "select" or query.entity is None or execution.by_key:
        return None
    if query.filters or query.limited or query.aggregate or query.grouped or query.locked:
        return None
    if not {s.last_name(step) or "" for step in query.steps} <= _PLAIN_STEPS:
        return None
    for site in found[0].chain:
        if any(not target.decorator_names <= _PLAIN_DECORATORS for target in site.targets):
            return None
    return found[0]


def _column(table: Table, variable: str, parts: list[s.Expr]) -> str | None:
    """Return the plain column that decides, where the database could decide by it as well."""
    for part in parts:
        name = _decides(table, variable, part)
        if name is not None:
            return name
    return None


def _decides(table: Table, variable: str, node: s.Expr) -> str | None:
    if isinstance(node, s.BoolOp) and node.op == "and":
        found = [_decides(table, variable, value) for value in node.values]
        return next(filter(None, found), None)
    if isinstance(node, s.UnaryOp) and node.op == "not":
        return _decides(table, variable, node.operand)
    if isinstance(node, s.Compare) and len(node.ops) == 1:
        sides = (node.left, node.comparators[0])
        for one, other in (sides, sides[::-1]):
            name = _decides(table, variable, one)
            if name is not None and not _names(other, variable):
                return name
        return None
    if isinstance(node, s.Attribute) and s.dotted(node.value) == variable:
        column = table.columns.get(node.attr)
        return node.attr if column is not None and _is_plain(column) else None
    return None


def _names(node: s.Expr, name: str) -> bool:
    return any(isinstance(inner, s.Name) and inner.id == name for inner in s.walk(node))


def _is_plain(column: Column) -> bool:
    """Whether a column holds what the database can compare."""
    if column.call is not None:
        given = [s.last_name(arg) or "" for arg in column.call.args]
        kinds = [name for name in given if name and name != "ForeignKey"]
        if kinds:
            return all(kind in _PLAIN_COLUMNS for kind in kinds)
        if (
            column.call.keyword("sa_column") is not None
            or column.call.keyword("sa_type") is not None
        ):
            return False
    options = alternatives(column.type)
    return any(
        isinstance(option, Instance)
        and (option.name in _PLAIN_TYPES or isinstance(option.cls, Class))
        for option in options
    )


RULE = Rule(
    summary="a whole table is read to be filtered, sorted or summed in Python",
    severity="warning",
    mend="Put the condition into the statement: `where(...)`, `order_by(...)`, `select(func.sum(...))`; where a"
    " repository reads the rows, give it the condition as a parameter.",
    profiles=("performance",),
    app=check,
    references=(
        "https://docs.sqlalchemy.org/en/20/tutorial/data_select.html#the-where-clause",
        "CWE-1050",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import JSON, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    active: Mapped[bool]
    spent: Mapped[int]
    data: Mapped[dict] = mapped_column(JSON)

    @property
    def is_new(self) -> bool:
        return self.id > 100

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()
"""

CASES = (
    case(
        "filtered, searched, summed, sorted",
        _HEAD
        + """
@app.get("/a")
def a(session: SessionDep) -> list[str]:
    users = session.scalars(select(User)).all()
    return [user.name for user in users if user.active]  # <-

@app.get("/b/{name}")
def b(name: str, session: SessionDep) -> int | None:
    for user in session.query(User).all():  # <-
        if user.name == name and not user.is_new:
            return user.id
    return None

@app.get("/c")
def c(session: SessionDep) -> int:
    users = session.execute(select(User).order_by(User.id)).scalars().all()
    return sum(user.spent for user in users)  # <-

@app.get("/d")
def d(session: SessionDep) -> list[str]:
    found = sorted(session.scalars(select(User)).all(), key=lambda user: user.name)  # <-
    return [user.name for user in found]
""",
    ),
    Case(
        "rows that a repository returns",
        {
            "app/models.py": _HEAD,
            "app/users.py": """
                from sqlalchemy import select
                from sqlalchemy.orm import Session
                from app.models import User

                class Users:
                    def __init__(self, session: Session):
                        self.session = session

                    def all(self) -> list[User]:
                        return list(self.session.scalars(select(User)).all())
                """,
            "app/main.py": """
                from app.models import SessionDep, app
                from app.users import Users

                @app.get("/")
                def home(name: str, session: SessionDep) -> int | None:
                    users = Users(session)
                    return next((u.id for u in users.all() if u.name == name), None)  # <-
                """,
        },
    ),
    case(
        "narrowed, limited, needed twice, or only Python can tell",
        _HEAD
        + """
def shout(name: str) -> bool: ...

@app.get("/a")
def a(session: SessionDep) -> list[str]:
    users = session.scalars(select(User).where(User.active)).all()
    return [user.name for user in users if user.spent > 1]

@app.get("/b")
def b(session: SessionDep) -> list[str]:
    users = session.scalars(select(User).limit(10)).all()
    return [user.name for user in users if user.spent > 1]

@app.get("/c")
def c(session: SessionDep) -> dict:
    users = session.scalars(select(User)).all()
    return {"active": [user.name for user in users if user.active], "all": len(users)}

@app.get("/d")
def d(session: SessionDep) -> list[str]:
    return [u.name for u in session.scalars(select(User)) if u.is_new or shout(u.name)]

@app.get("/e")
def e(session: SessionDep) -> list[str]:
    return [u.name for u in session.scalars(select(User)) if u.data.get("x") == u.name]

@app.get("/f")
def f(session: SessionDep) -> list[str]:
    found = []
    for user in session.scalars(select(User)):
        if user.active:
            found.append(user.name)
        found.append("next")
    return found
""",
    ),
)
