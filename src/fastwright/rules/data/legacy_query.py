"""One way to ask: `select()`, executed by the session.

`session.query(Order)` is the old interface of SQLAlchemy 1. It still works, but it does not exist on async
sessions, type checkers learn nothing of its rows, and SQLModel marks it as deprecated. A SQLModel session
has `exec()`, which gives the objects themselves where `execute()` gives tuples that `.scalars()` must take
apart.

Reported, with SQLAlchemy 2, is `session.query()` in what requests run: on a session of SQLModel always, on
one of SQLAlchemy where most other statements of the application are `select()` already; and
`session.execute(select(...)).scalars()` on a session of SQLModel. An application that is written with
`session.query()` throughout is consistent, and left alone. One finding for each function.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import Execution
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Type
from fastwright.edit import source as at
from fastwright.edit.builders import arguments, replace
from fastwright.edit.fix import Edit, Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_SQLMODEL = frozenset({"sqlmodel.Session", "sqlmodel.ext.asyncio.session.AsyncSession"})


def check(app: App) -> Iterator[Hit]:
    """Report statements of the old interface, the first of each function."""
    legacy: dict[int, list[Execution]] = {}
    modern = 0
    tuples: dict[int, list[Execution]] = {}
    for step in served(app).reached:
        key = id(step.function.node)
        for execution in app.calls.executions(step.function):
            query = execution.query
            if query is None or query.kind != "select":
                continue
            if query.legacy:
                legacy.setdefault(key, []).append(execution)
                continue
            modern += 1
            if execution.site.method == "execute" and _is_sqlmodel(app, execution.site.receiver):
                if _takes_scalars(app, step.function, execution.site.node):
                    tuples.setdefault(key, []).append(execution)
    mixed = modern > sum(map(len, legacy.values()))
    for found in legacy.values():
        old = [e for e in found if mixed or _is_sqlmodel(app, _session(e))]
        if old:
            proposed = [_as_select(app, each) for each in old]
            yield _hit(old, "session.query() is the old interface: write select()", proposed)
    for found in tuples.values():
        yield _hit(
            found,
            "session.execute(...).scalars() on a session of SQLModel: exec() does both",
            [_as_exec(each) for each in found],
        )


def _hit(executions: list[Execution], message: str, proposed: list[Fix | None]) -> Hit:
    site = executions[0].site
    more = f" ({len(executions)} times here)" if len(executions) > 1 else ""
    fixes = [fix for fix in proposed if fix is not None]
    fix = (
        Fix(
            "suggest",
            tuple(edit for each in fixes for edit in each.edits),
            tuple({new for each in fixes for new in each.imports}),
        )
        if len(fixes) == len(executions)
        else None
    )
    return Hit(place(site.module, site.node), message + more, fix=fix)


def _as_exec(execution: Execution) -> Fix | None:
    """``session.execute(x).scalars().all()`` -> ``session.exec(x).all()``, written in one go."""
    site, module = execution.site, execution.site.module
    func, behind = site.node.func, b".scalars()"
    if not isinstance(func, s.Attribute) or site.around.awaited:
        return None
    end = site.node.end
    if module.source[end : end + len(behind)] != behind:
        return None
    renamed = Edit(module.path, func.end - len(func.attr), func.end, "exec")
    return Fix("suggest", (renamed, Edit(module.path, end, end + len(behind), "")))


def _as_select(app: App, execution: Execution) -> Fix | None:
    """``db.query(A).filter(x).all()`` -> ``db.scalars(select(A).where(x)).all()``."""
    query, module = execution.query, execution.site.module
    made = query.node if query is not None else None
    last = execution.site.node
    if query is None or not isinstance(made, s.Call) or not isinstance(last.func, s.Attribute):
        return None
    if (
        len(made.args) != 1
        or query.entity is None
        or s.last_name(made.args[0]) != query.entity.name
    ):
        return None
    steps: list[str] = []
    node: s.Expr = last.func.value
    while node is not made:
        if not isinstance(node, s.Call) or not isinstance(node.func, s.Attribute):
            return None
        if node.func.attr not in _SAME:
            return None
        given = ", ".join(at.text(module, each) for each in arguments(node))
        steps.insert(0, f".{_SAME[node.func.attr]}({given})")
        node = node.func.value
    if last.func.attr not in _ENDINGS or last.args or not isinstance(made.func, s.Attribute):
        return None
    is_sqlmodel = _is_sqlmodel(app, _session(execution))
    select = bring(module, "sqlmodel" if is_sqlmodel else "sqlalchemy", "select")
    if select is None or b"#" in module.source[last.start : last.end]:
        return None
    runs = "exec" if is_sqlmodel else "scalars"
    statement = f"{select.name}({at.text(module, made.args[0])}){''.join(steps)}"
    text = f"{at.text(module, made.func.value)}.{runs}({statement}).{last.func.attr}()"
    return Fix("suggest", (replace(module, last, text),), select.imports)


_SAME = {"filter": "where", "where": "where", "filter_by": "filter_by", "order_by": "order_by",
         "limit": "limit", "offset": "offset", "options": "options", "join": "join"}  # fmt: skip
"""Methods of a query, and what they are called on ``select()``."""
_ENDINGS = frozenset({"all", "first", "one", "one_or_none"})


def _session(execution: Execution) -> Type | None:
    return execution.query.session if execution.query is not None else None


def _is_sqlmodel(app: App, session: Type | None) -> bool:
    if not isinstance(session, Instance):
        return False
    if isinstance(session.cls, Class):
        return not app.linker.ancestors(session.cls).isdisjoint(_SQLMODEL)
    return session.cls in _SQLMODEL


def _takes_scalars(app: App, function: Function, executed: s.Call) -> bool:
    """Whether ``.scalars()`` is called on what a call gives, directly or through a name."""
    for node, _ in app.calls.of_kind(function, s.Call):
        if isinstance(node.func, s.Attribute) and node.func.attr == "scalars":
            if _bare(app, function, node.func.value) is executed:
                return True
    return False


def _bare(app: App, function: Function, node: s.Expr) -> s.Expr | None:
    if isinstance(node, s.Name):
        bound = app.types.locals.lookup(node.id, node.start, function)
        if bound is None or bound.how != "assign" or bound.value is None:
            return None
        node = bound.value
    return node.value if isinstance(node, s.Await) else node


RULE = Rule(
    summary="a statement of SQLAlchemy's old interface",
    severity="info",
    mend="`session.scalars(select(Order).where(...))` with SQLAlchemy, `session.exec(select(Order)...)` with"
    " SQLModel (and `select` from sqlmodel).",
    app=check,
    since={"sqlalchemy": "2.0"},
    references=(
        "https://docs.sqlalchemy.org/en/20/orm/queryguide/query.html",
        "https://sqlmodel.tiangolo.com/tutorial/select/",
    ),
)

_SQLMODEL_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine, func, select

class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()
"""

_SQLALCHEMY_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()
"""

CASES = (
    case(
        "on a session of SQLModel",
        _SQLMODEL_HEAD
        + """
@app.get("/orders/{id}")
def read(id: int, session: SessionDep):
    return session.query(Order).filter(Order.id == id).first()  # <-

@app.get("/orders")
def many(session: SessionDep):
    return session.execute(select(Order)).scalars().all()  # <-

@app.get("/named")
def named(session: SessionDep):
    result = session.execute(select(Order))  # <-
    return result.scalars().all()
""",
        after="""
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine, func, select

class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()

@app.get("/orders/{id}")
def read(id: int, session: SessionDep):
    return session.exec(select(Order).where(Order.id == id)).first()

@app.get("/orders")
def many(session: SessionDep):
    return session.exec(select(Order)).all()

@app.get("/named")
def named(session: SessionDep):
    result = session.execute(select(Order))
    return result.scalars().all()
""",
    ),
    case(
        "one of several ways in an application of SQLAlchemy",
        _SQLALCHEMY_HEAD
        + """
@app.get("/a")
def a(session: SessionDep):
    return session.scalars(select(Order)).all()

@app.get("/b")
def b(session: SessionDep):
    return session.execute(select(Order)).scalars().all()

@app.get("/c")
def c(session: SessionDep):
    return session.query(Order).all()  # <-
""",
        after="""
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()

@app.get("/a")
def a(session: SessionDep):
    return session.scalars(select(Order)).all()

@app.get("/b")
def b(session: SessionDep):
    return session.execute(select(Order)).scalars().all()

@app.get("/c")
def c(session: SessionDep):
    return session.scalars(select(Order)).all()
""",
    ),
    case(
        "session.query throughout is consistent",
        _SQLALCHEMY_HEAD
        + """
@app.get("/a")
def a(session: SessionDep):
    return session.query(Order).all()

@app.get("/b")
def b(session: SessionDep):
    return session.query(Order).first()
""",
    ),
    case(
        "exec, and execute for what is no select or gives tuples",
        _SQLMODEL_HEAD
        + """
from sqlmodel import delete

@app.get("/a")
def a(session: SessionDep):
    return session.exec(select(Order)).all()

@app.get("/b")
def b(session: SessionDep):
    session.execute(delete(Order))

@app.get("/c")
def c(session: SessionDep):
    return session.execute(select(Order.id, func.count()).group_by(Order.id)).all()
""",
    ),
    case(
        "SQLAlchemy 1",
        _SQLALCHEMY_HEAD
        + """
@app.get("/a")
def a(session: SessionDep):
    return session.query(Order).all()
""",
        sqlalchemy="1.3.24",
    ),
)
