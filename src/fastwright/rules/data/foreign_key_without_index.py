"""A foreign key by which rows are looked up has an index.

PostgreSQL, SQLite, Oracle and SQL Server index the key that a foreign key points to, not the column that
points. `where(Order.user_id == user.id)` then reads the whole table for each request, and so does each
delete of a user, which has to find the orders. MySQL makes the index by itself; a project that has drivers
of MySQL only is left alone.

Reported is a column with a foreign key and no index, by which a statement that requests run filters with
`==` or `in_`, where no other condition of the statement asks for an indexed column. An index counts
wherever it is made: on the column, as primary or unique key, first in an `Index` or constraint of the table,
or in an Alembic migration. Tables whose arguments cannot be read are left alone.

Where the project migrates its database, the index is a suggestion: `index=True` alone would leave the database without
it, and `alembic check` would fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

from fastwright.app import orm
from fastwright.app.calls import Execution
from fastwright.app.model import App
from fastwright.app.models import Column, Table
from fastwright.app.on_loop import served
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class
from fastwright.app.types import Query
from fastwright.edit.builders import add_argument
from fastwright.edit.fix import Applicability, Fix
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_entry, of_step, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_CONSTRAINTS = {"Index": 1, "UniqueConstraint": 0, "PrimaryKeyConstraint": 0}
"""Position of the first column in the arguments."""
_OTHERS = frozenset({"ForeignKeyConstraint", "CheckConstraint"})
_MYSQL = ("pymysql", "aiomysql", "asyncmy", "mysqlclient", "mysql-connector-python")
_NO_MYSQL = ("asyncpg", "psycopg", "psycopg2", "psycopg2-binary", "aiosqlite", "pyodbc", "oracledb")
_CREATES_INDEX = re.compile(
    r"create\s+(unique\s+)?index\b.*?\(\s*\W?(\w+)", re.IGNORECASE | re.DOTALL
)
_INDEXING = frozenset({"create_index", "create_unique_constraint", "execute", "create_table"})
_INDEXED_ELSEWHERE = frozenset({"index", "sa_column", None})
_FILTERING = frozenset({"where", "filter", "filter_by"})

_MIGRATED: WeakKeyDictionary[App, frozenset[tuple[str | None, str]]] = WeakKeyDictionary()


def check(app: App) -> Iterator[Hit]:
    """Report foreign keys without an index that statements filter by, once each."""
    tables = {id(table.cls.node): table for table in app.tables}
    if _is_mysql(app) or not any(_is_bare(c) for t in app.tables for c in t.columns.values()):
        return
    reported: set[int] = set()
    running = served(app)
    migrates = any(layer.name == "migration" for layer in app.layers.values())
    for step in running.reached:
        for execution in app.calls.executions(step.function):
            found = _filtered(app, execution, tables)
            if found is None or id(found[1].node) in reported:
                continue
            table, column = found
            reported.add(id(column.node))
            site = execution.site
            chain = (
                *of_entry(running.entry(step.root)),
                *of_step(step),
                evidence(site.module, site.node, f"filters by {column.name}"),
            )
            message = (
                f"{table.cls.name}.{column.name} is a foreign key without an index, and"
                f" {step.function.qualname} looks rows up by it"
            )
            applicability: Applicability = "suggest" if migrates else "safe"
            fix = _fix(column, applicability)
            yield Hit(place(column.owner.module, column.node), message, chain, fix)


def _fix(column: Column, applicability: Applicability) -> Fix | None:
    """Return the fix that adds ``index=True``; a column of SQLModel that is given whole has it there."""
    call, names = column.call, _INDEXED_ELSEWHERE
    if call is None or any(keyword.arg in names for keyword in call.keywords):
        return None
    if any(isinstance(argument, s.Starred) for argument in call.args):
        return None
    return Fix(applicability, (add_argument(column.owner.module, call, "index=True"),))


def _is_mysql(app: App) -> bool:
    """Whether MySQL, which makes the index itself, is the only database that drivers are there for."""
    known = app.versions.found.keys()
    return not known.isdisjoint(_MYSQL) and known.isdisjoint(_NO_MYSQL)


# ------------------------------------------------------------------------ filters


def _filtered(
    app: App, execution: Execution, tables: dict[int, Table]
) -> tuple[Table, Column] | None:
    """Return the first bare foreign key of a statement's conditions, if none of them has an index."""
    query = execution.query
    if query is None or query.kind not in {"select", "update", "delete"} or not query.filters:
        return None
    columns = list(_conditions(app, query, tables))
    if None in columns:
        return None
    known = [column for column in columns if column is not None]
    first = next(((t, c) for t, c in known if c.foreign_key is not None), None)
    if first is None or any(not _lacks_index(app, table, column) for table, column in known):
        return None
    return first


def _lacks_index(app: App, table: Table, column: Column) -> bool:
    if column.primary_key or column.unique or column.index:
        return False
    return not _has_index(app, table, column)


def _conditions(
    app: App, query: Query, tables: dict[int, Table]
) -> Iterator[tuple[Table, Column] | None]:
    """Yield the columns that a statement compares for equality; None where that cannot be read."""
    for step in query.steps:
        if not isinstance(step, s.Call) or s.last_name(step) not in _FILTERING:
            continue
        for condition in step.args:
            yield from _compared(app, condition, query, tables)
        table = query.entity or (query.tables[0] if query.tables else None)
        for keyword in step.keywords:
            known = tables.get(id(table.node)) if table is not None else None
            column = known.columns.get(keyword.arg or "") if known is not None else None
            yield (known, column) if known is not None and column is not None else None


def _compared(
    app: App, condition: s.Expr, query: Query, tables: dict[int, Table]
) -> Iterator[tuple[Table, Column] | None]:
    match condition:
        case s.BinOp(op="&"):
            yield from _compared(app, condition.left, query, tables)
            yield from _compared(app, condition.right, query, tables)
        case s.Call() if s.last_name(condition) == "and_":
            for part in condition.args:
                yield from _compared(app, part, query, tables)
        case s.Compare(ops=["=="]):
            for side in (condition.left, condition.comparators[0]):
                found = _column(app, side, query, tables)
                if found is not None:
                    yield found
        case s.Call(func=s.Attribute(attr="in_")) if isinstance(condition.func, s.Attribute):
            yield _column(app, condition.func.value, query, tables)
        case s.Name() | s.Starred() | s.Subscript() | s.IfExp():
            yield None
        case _:
            return


def _column(
    app: App, node: s.Expr, query: Query, tables: dict[int, Table]
) -> tuple[Table, Column] | None:
    """Return the column that ``Order.user_id`` or ``col(Order.user_id)`` is."""
    if isinstance(node, s.Call) and s.last_name(node.func) == "col" and node.args:
        node = node.args[0]
    if not isinstance(node, s.Attribute):
        return None
    owner = orm.column_owner(app.types.of(node, Where(query.module, query.function)))
    table = tables.get(id(owner.node)) if owner is not None else None
    column = table.columns.get(node.attr) if table is not None else None
    return (table, column) if table is not None and column is not None else None


# ------------------------------------------------------------------------ indexes


def _is_bare(column: Column) -> bool:
    """Whether a column is a foreign key that itself has no index."""
    if column.foreign_key is None or column.call is None:
        return False
    return not (column.primary_key or column.unique or column.index)


def _has_index(app: App, table: Table, column: Column) -> bool:
    """Whether an index may begin with a column: of the table, of its module, of a migration."""
    names = {column.name, *_own_name(column)}
    for ancestor in app.linker.mro(table.cls):
        if isinstance(ancestor, Class):
            arguments = ancestor.own_attributes.get("__table_args__")
            if arguments is not None and not _is_readable(arguments.value):
                return True
            if not names.isdisjoint(_first_columns(s.walk(*ancestor.node.body))):
                return True
    outside = s.walk_scope(*table.cls.module.facts.body)
    if not names.isdisjoint(_first_columns(outside)):
        return True
    return any(
        name in names and (made is None or _plain(made) == _plain(table.name))
        for made, name in _migrated(app)
    )


def _plain(table: str) -> str:
    """Return a name such that those that a base class makes (``block_type``, ``BlockTypes``) are equal."""
    return table.rpartition(".")[2].lower().replace("_", "").rstrip("s")


def _own_name(column: Column) -> Iterator[str]:
    """``Column("user", ForeignKey(...))``: its name in the database."""
    first = column.call.args[0] if column.call is not None and column.call.args else None
    if (name := s.string(first)) is not None:
        yield name


def _is_readable(node: s.Expr | None) -> bool:
    """Whether the arguments of a table are written out: constraints, indexes and a dict."""
    if isinstance(node, s.Dict):
        return True
    return isinstance(node, s.Tuple) and all(
        isinstance(each, s.Dict)
        or (isinstance(each, s.Call) and s.last_name(each.func) in {*_CONSTRAINTS, *_OTHERS})
        for each in node.elts
    )


def _first_columns(nodes: Iterable[s.Node]) -> Iterator[str]:
    """Yield the first column of each index and constraint among nodes."""
    for node in nodes:
        position = (
            _CONSTRAINTS.get(s.last_name(node.func) or "") if isinstance(node, s.Call) else None
        )
        if isinstance(node, s.Call) and position is not None and len(node.args) > position:
            first = node.args[position]
            name = s.string(first) or s.last_name(first)
            if name is not None:
                yield name


def _migrated(app: App) -> frozenset[tuple[str | None, str]]:
    """Return table and first column of the indexes that migrations make; a table may be unknown."""
    found = _MIGRATED.get(app)
    if found is None:
        found = _MIGRATED[app] = frozenset(
            index
            for module in app.modules.values()
            if any(fact.module.startswith("alembic") for fact in module.header.imports)
            for function in module.functions
            if not _INDEXING.isdisjoint(function.called)
            for index in _in_migration(function)
        )
    return found


def _in_migration(function: s.FunctionDef) -> Iterator[tuple[str | None, str]]:
    for node in s.walk(*function.body):
        if isinstance(node, s.Call):
            yield from _made_by(node)
        elif (text := s.string(node)) is not None and "index" in text.lower():
            yield from ((None, match.group(2)) for match in _CREATES_INDEX.finditer(text))


def _made_by(call: s.Call) -> Iterator[tuple[str | None, str]]:
    """Yield what one operation of Alembic indexes."""
    name = s.last_name(call.func)
    if name in {"create_index", "create_unique_constraint"}:
        table = s.string(call.argument(1, "table_name"))
        for given in (*call.args, *(keyword.value for keyword in call.keywords)):
            if isinstance(given, s.List) and given.elts:
                first = s.string(given.elts[0])
                if first is not None:
                    yield table, first
    elif name == "create_table":
        table = s.string(call.argument(0, "table_name"))
        for column in _first_columns(s.walk(*call.args)):
            yield table, column
        for inner in s.walk(*call.args):
            if isinstance(inner, s.Call) and s.last_name(inner.func) == "Column" and inner.args:
                column_name = s.string(inner.args[0])
                if column_name is not None and (inner.keyword("index") or inner.keyword("unique")):
                    yield table, column_name


RULE = Rule(
    summary="a foreign key without an index that rows are looked up by",
    severity="info",
    confidence="medium",
    mend="`index=True` on the column, and a migration that makes the index (`CONCURRENTLY` on a table in"
    " use).",
    profiles=("performance",),
    app=check,
    references=(
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK",
        "https://docs.sqlalchemy.org/en/20/core/constraints.html#indexes",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlmodel import Field, Index, Session, SQLModel, UniqueConstraint, create_engine, select

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()

class User(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
"""

_ORDERS = """
def orders_of(session: Session, user_id: int) -> list[Order]:
    statement = select(Order).where(Order.user_id == user_id, Order.state == "new")
    return list(session.exec(statement))

@app.get("/orders")
def orders(session: SessionDep, user_id: int):
    return orders_of(session, user_id)

@app.get("/notes")
def notes(session: SessionDep, user_id: int):
    return session.query(Note).filter_by(user_id=user_id).all()

@app.get("/marks")
def marks(session: SessionDep, user_id: int):
    return session.query(Mark).filter_by(user_id=user_id).all()
"""

CASES = (
    case(
        "SQLModel, through a function, and with filter_by",
        _HEAD
        + """
class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    state: str
    user_id: int = Field(foreign_key="user.id")  # <-

class Note(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id")  # <-

class Mark(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id", index=False)  # <-
"""
        + _ORDERS,
        after=_HEAD
        + """
class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    state: str
    user_id: int = Field(foreign_key="user.id", index=True)

class Note(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id", index=True)

class Mark(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id", index=False)
"""
        + _ORDERS,
    ),
    case(
        "SQLAlchemy of both styles",
        """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import Column, ForeignKey, Integer, and_, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)

class Order(Base):
    __tablename__ = "orders"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id"), nullable=False)  # <-

class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))  # <-
    old_id: Mapped[int] = mapped_column(ForeignKey(User.id))

def get_session():
    with Session(create_engine("sqlite://")) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()

@app.get("/orders")
def orders(session: SessionDep, user_id: int):
    return session.scalars(select(Order).where(and_(Order.user_id == user_id))).all()

@app.get("/notes")
def notes(session: SessionDep, user_ids: list[int]):
    return session.scalars(select(Note).where(Note.user_id.in_(user_ids))).all()
""",
    ),
    Case(
        "indexed on the column, by a constraint, in a migration; another condition has an index",
        {
            "alembic/versions/1_first.py": """
                import sqlalchemy as sa
                from alembic import op

                def upgrade() -> None:
                    op.create_index("ix", "tagging", ["tag_id"])
                    op.create_table("votes", sa.Column("id"), sa.Index("ix_vote", "voter_id"))
                    with op.batch_alter_table("note") as batch:
                        batch.create_index("ix_note", ["writer_id"])
                """,
            "main.py": _HEAD
            + """
class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id", index=True)

class Membership(SQLModel, table=True):
    user_id: int = Field(foreign_key="user.id", primary_key=True)

class Note(SQLModel, table=True):
    __table_args__ = (UniqueConstraint("user_id", "title"), {"schema": "x"})
    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id")
    writer_id: int = Field(foreign_key="user.id")
    title: str

class Vote(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id")
    voter_id: int = Field(foreign_key="user.id")
    owner_id: int = Field(foreign_key="user.id")  # <-

Index("ix_vote", Vote.user_id)

class Tagging(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    tag_id: int = Field(foreign_key="user.id")
    owner_id: int = Field(foreign_key="user.id")

@app.get("/")
def read(session: SessionDep, user_id: int, id: int, conditions):
    session.exec(select(Order).where(Order.user_id == user_id)).all()
    session.exec(select(Membership).where(Membership.user_id == user_id)).all()
    session.exec(select(Note).where(Note.user_id == user_id)).all()
    session.exec(select(Vote).where(Vote.user_id == user_id)).all()
    session.exec(select(Vote).where(Vote.voter_id == user_id)).all()
    session.exec(select(Vote).where(Vote.owner_id == user_id)).all()
    session.exec(select(Note).where(Note.writer_id == user_id)).all()
    session.exec(select(Tagging).where(Tagging.tag_id == user_id)).all()
    session.exec(select(Tagging).where(Tagging.id == id, Tagging.owner_id == user_id)).first()
    session.exec(select(Tagging).where(Tagging.owner_id == user_id, *conditions)).first()
""",
        },
    ),
    case(
        "MySQL makes the index itself",
        _HEAD
        + """
class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user.id")

@app.get("/orders")
def orders(session: SessionDep, user_id: int):
    return session.exec(select(Order).where(Order.user_id == user_id)).all()
""",
        pymysql="1.1.0",
    ),
)
