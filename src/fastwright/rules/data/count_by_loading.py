"""Rows are counted by the database.

`len(session.exec(select(Order)).all())` reads every row and every column, makes an object of each, and
throws them away for one number. It works in tests and takes seconds with a hundred thousand rows;
`select(func.count()).select_from(Order)` takes milliseconds. To know whether there are any, ask for one:
`select(Order.id).limit(1)`.

Reported is `len()` of the rows of a statement in what requests run, directly or through a name which
nothing else uses. Rows that are used for anything else, statements with a limit, aggregates, and statements
that are not known are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import Execution
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.symbols import Function
from fastwright.app.types import Query
from fastwright.edit import source as at
from fastwright.edit.builders import insert, replace
from fastwright.edit.fix import Edit, Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, of_entry, of_step, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_ROWS = frozenset({"all", "fetchall"})
_OF_RESULT = frozenset({"all", "fetchall", "scalars", "unique", "mappings", "tuples", "columns"})
_FILTERING = frozenset({"where", "filter", "filter_by"})
_ONE = {"exec": "one", "scalars": "one", "execute": "scalar_one"}
"""How the one number is taken of what the methods of a session give."""
_LISTS = frozenset({"list", "tuple"})


def check(app: App) -> Iterator[Hit]:
    """Report each ``len`` of rows that nothing else needs."""
    running = served(app)
    reported: set[int] = set()
    for step in running.reached:
        function = step.function
        if "len" not in function.node.called or not app.calls.executions(function):
            continue
        for node, _ in app.calls.of_kind(function, s.Call):
            execution = _counted(app, function, node)
            if execution is None or id(execution.site.node) in reported:
                continue
            site = execution.site
            reported.add(id(site.node))
            chain = (
                *of_entry(running.entry(step.root)),
                *of_step(step),
                evidence(site.module, site.node, "reads the rows"),
                evidence(function.module, node, "counts them"),
            )
            rows = f"rows of {execution.table.name}" if execution.table is not None else "rows"
            message = f"{rows} are loaded only to be counted: let the database count them"
            fix = _fix(function.module, node, execution)
            yield Hit(place(function.module, node), message, chain, fix)


# -------------------------------------------------------------------------- the fix


def _fix(module: Module, node: s.Call, execution: Execution) -> Fix | None:
    """Return the fix that lets the database count, where statement and count are one expression."""
    query, call, given = execution.query, execution.site.node, node.args[0]
    if query is None or not node.start < query.node.start < query.node.end < node.end:
        return None
    if any(s.last_name(step) not in _FILTERING for step in query.steps):
        return None  # what is distinct, grouped or joined is another number
    taken = Edit(module.path, node.start, given.start - _opened(module, node, given), "")
    rest = Edit(module.path, given.end + _opened(module, node, given), node.end, "")
    if query.legacy:
        if given is not call or not isinstance(call.func, s.Attribute) or call.func.attr != "all":
            return None
        counted = Edit(module.path, call.func.value.end, call.end, ".count()")
        return Fix("safe", (taken, counted, rest))
    selecting = _selecting(module, query)
    core = _core(given, call)
    if selecting is None or core is None or _ONE.get(s.last_name(call) or "") is None:
        return None
    end = at.behind_parentheses(module.source, core.end, given.end)
    one = Edit(module.path, end, given.end, f".{_ONE[s.last_name(call) or '']}()")
    return Fix("safe", (taken, *selecting.edits, one, rest), selecting.imports)


def _opened(module: Module, node: s.Call, given: s.Expr) -> int:
    """Return how many parentheses stand around the argument beside those of the call."""
    return module.source[node.func.end : given.start].count(b"(") - 1


def _core(given: s.Expr, call: s.Call) -> s.Expr | None:
    """Return the call, with its ``await``, that ``given`` takes rows of; None where more is done."""
    while isinstance(given, s.Call) and given is not call:
        if not isinstance(given.func, s.Attribute) or given.args or given.keywords:
            return None
        given = given.func.value
    return given if given is call or isinstance(given, s.Await) else None


def _selecting(module: Module, query: Query) -> Fix | None:
    """Return the edits that make ``select(Order)`` select the number of orders."""
    made = query.node
    if not isinstance(made, s.Call) or len(made.args) != 1 or made.keywords:
        return None
    if query.entity is None or s.dotted(made.args[0]) is None:
        return None
    of_sqlmodel = (module.qualify(made.func) or "").startswith("sqlmodel")
    func = bring(module, "sqlmodel" if of_sqlmodel else "sqlalchemy", "func")
    if func is None:
        return None
    entity = at.text(module, made.args[0])
    edits = (
        replace(module, made.args[0], f"{func.name}.count()"),
        insert(module, made.end, f".select_from({entity})"),
    )
    return Fix("safe", edits, func.imports)


# ------------------------------------------------------------------------ the count


def _counted(app: App, function: Function, node: s.Call) -> Execution | None:
    """Return the execution whose rows ``len(...)`` counts, if they serve nothing else."""
    if not isinstance(node.func, s.Name) or node.func.id != "len" or len(node.args) != 1:
        return None
    given = node.args[0]
    if isinstance(given, s.Name):
        value = _only_counted(app, function, given.id)
        return _loads(app, function, value) if value is not None else None
    return _loads(app, function, given)


def _only_counted(app: App, function: Function, name: str) -> s.Expr | None:
    """Return the value of a local name that is bound once and used in ``len(name)`` only."""
    bounds = app.types.locals.of(function).get(name, [])
    if len(bounds) != 1 or bounds[0].how != "assign" or bounds[0].path:
        return None
    if function.node.defines or not isinstance(bounds[0].value, (s.Call, s.Await)):
        return None
    counted = {
        id(call.args[0])
        for call, _ in app.calls.of_kind(function, s.Call)
        if isinstance(call.func, s.Name) and call.func.id == "len" and len(call.args) == 1
    }
    uses = [node for node, _ in app.calls.of_kind(function, s.Name) if node.id == name]
    others = [node for node in uses if id(node) not in counted]
    return bounds[0].value if len(others) == 1 else None


def _loads(app: App, function: Function, node: s.Expr) -> Execution | None:
    """Return the execution that an expression takes all rows of."""
    takes_all = False
    while True:
        if isinstance(node, s.Await):
            node = node.value
            continue
        if not isinstance(node, s.Call):
            return None
        found = _execution(app, function, node)
        if found is not None:
            takes_all = takes_all or s.last_name(node) in _ROWS
            return found if takes_all and _reads_rows(found) else None
        name = s.last_name(node.func)
        if isinstance(node.func, s.Name) and name in _LISTS and len(node.args) == 1:
            takes_all, node = True, node.args[0]
        elif isinstance(node.func, s.Attribute) and name in _OF_RESULT:
            takes_all, node = takes_all or name in _ROWS, node.func.value
        else:
            return None


def _execution(app: App, function: Function, node: s.Call) -> Execution | None:
    return next((e for e in app.calls.executions(function) if e.site.node is node), None)


def _reads_rows(execution: Execution) -> bool:
    query = execution.query
    if query is None or execution.kind != "read" or query.kind != "select":
        return False
    return not (query.limited or query.aggregate or query.locked)


RULE = Rule(
    summary="rows are loaded only to be counted",
    severity="warning",
    mend="`session.exec(select(func.count()).select_from(Order).where(...)).one()`, or"
    " `session.scalar(...)` with SQLAlchemy.",
    profiles=("performance",),
    app=check,
    references=(
        "https://docs.sqlalchemy.org/en/20/core/functions.html#sqlalchemy.sql.functions.count",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine, func, select

class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    user_id: int

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()
"""

_ASYNC_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)

maker = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))

async def get_session():
    async with maker() as session:
        yield session

app = FastAPI()
"""

CASES = (
    case(
        "directly, through a name, in a function, with session.query",
        _HEAD
        + """
@app.get("/a")
def a(session: SessionDep) -> int:
    return len(session.exec(select(Order)).all())  # <-

@app.get("/b")
def b(session: SessionDep, user_id: int) -> dict:
    orders = session.execute(select(Order).where(Order.user_id == user_id)).scalars().all()
    if len(orders) > 100:  # <-
        return {}
    return {"count": len(orders)}

def has_orders(session: Session, user_id: int) -> bool:
    return len(session.query(Order).filter(Order.user_id == user_id).all()) > 0  # <-

@app.get("/c")
def c(session: SessionDep, user_id: int) -> bool:
    return has_orders(session, user_id)

@app.get("/d")
def d(session: SessionDep) -> int:
    rows = list(session.scalars(select(Order)))
    return len(rows)  # <-

@app.get("/e")
def e(session: SessionDep) -> int:
    return len(session.exec(select(Order).distinct()).all())  # <-
""",
        after=_HEAD
        + """
@app.get("/a")
def a(session: SessionDep) -> int:
    return session.exec(select(func.count()).select_from(Order)).one()

@app.get("/b")
def b(session: SessionDep, user_id: int) -> dict:
    orders = session.execute(select(Order).where(Order.user_id == user_id)).scalars().all()
    if len(orders) > 100:
        return {}
    return {"count": len(orders)}

def has_orders(session: Session, user_id: int) -> bool:
    return session.query(Order).filter(Order.user_id == user_id).count() > 0

@app.get("/c")
def c(session: SessionDep, user_id: int) -> bool:
    return has_orders(session, user_id)

@app.get("/d")
def d(session: SessionDep) -> int:
    rows = list(session.scalars(select(Order)))
    return len(rows)

@app.get("/e")
def e(session: SessionDep) -> int:
    return len(session.exec(select(Order).distinct()).all())
""",
    ),
    case(
        "with an async session",
        _ASYNC_HEAD
        + """
@app.get("/count")
async def count(session: Annotated[AsyncSession, Depends(get_session)]) -> int:
    return len((await session.scalars(select(Order))).all())  # <-

@app.get("/more")
async def more(session: Annotated[AsyncSession, Depends(get_session)]) -> int:
    return len((await session.execute(select(Order).where(Order.id > 1))).scalars().all())  # <-
""",
        after=_ASYNC_HEAD.replace("import select", "import func, select")
        + """
@app.get("/count")
async def count(session: Annotated[AsyncSession, Depends(get_session)]) -> int:
    return (await session.scalars(select(func.count()).select_from(Order))).one()

@app.get("/more")
async def more(session: Annotated[AsyncSession, Depends(get_session)]) -> int:
    return (await session.execute(select(func.count()).select_from(Order).where(Order.id > 1))).scalar_one()
""",
    ),
    case(
        "the rows serve something else; a limit; a count; keys of something else",
        _HEAD
        + """
@app.get("/a")
def a(session: SessionDep) -> dict:
    orders = session.exec(select(Order)).all()
    return {"orders": orders, "count": len(orders)}

@app.get("/b")
def b(session: SessionDep) -> bool:
    rows = session.exec(select(Order).limit(11)).all()
    return len(rows) > 10

@app.get("/c")
def c(session: SessionDep) -> int:
    return session.exec(select(func.count()).select_from(Order)).one()

@app.get("/d")
def d(session: SessionDep) -> int:
    orders = session.exec(select(Order)).all()
    if not orders:
        return 0
    return len(orders)

@app.get("/e")
def e(session: SessionDep) -> int:
    order = session.exec(select(Order)).first()
    return len(order.name)

@app.get("/f")
def f(session: SessionDep) -> int:
    orders = session.exec(select(Order)).all()
    for order in orders:
        session.delete(order)
    return len(orders)
""",
    ),
)
