"""After a commit on an async session, refresh a row before reading it.

With `expire_on_commit` (the default) a commit empties every row of the session: the next attribute that is read asks the
database again. On an `AsyncSession` that question stands in plain Python, where nothing can await: SQLAlchemy
raises `MissingGreenlet`. An answer made of such a row fails the same way, after the commit: the client sees 500,
and the data is changed all the same. Make the sessions with `expire_on_commit=False`, or `await session.refresh(row)`.

Reported is an attribute (a column or a relationship) that is read in the function that committed, of a row that
this function loaded or added through the same session, with no refresh, statement or new binding in between, and
such a row as an endpoint's answer. Only where every async session of the project is surely made without
`expire_on_commit`. Commits in one branch and reads in another, and code that runs after a rollback or in a handler,
are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from fastwright.app.calls import CallSite, Step
from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.on_loop import served
from fastwright.app.origins import origins
from fastwright.app.scopes import Bound, Where
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, alternatives
from fastwright.edit.builders import block_of, insert_after
from fastwright.edit.fix import Fix
from fastwright.edit.source import is_alone
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, of_entry, of_step, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_ASYNC_MAKERS = frozenset(
    {"sqlalchemy.ext.asyncio.async_sessionmaker", "sqlalchemy.ext.asyncio.AsyncSession",
     "sqlmodel.ext.asyncio.session.AsyncSession"}
)  # fmt: skip
_SYNC_MAKER = "sqlalchemy.orm.sessionmaker"
_READING = frozenset({"model_validate", "from_orm", "parse_obj"})
_LETTING_GO = frozenset(
    {"refresh", "expunge", "expunge_all", "rollback", "close", "delete", "merge", "run_sync",
     "get", "get_one", "execute", "exec", "scalar", "scalars", "begin"}
)  # fmt: skip


def check(app: App) -> Iterator[Hit]:
    """Report rows that are read after the commit that emptied them."""
    running = served(app)
    for step in running.reached:
        function = step.function
        if not function.is_async or "commit" not in function.node.called:
            continue
        for commit in _commits(app, function):
            found = _read(app, step, commit)
            if found is None:
                continue
            made = _maker(app)
            if made is None:
                return
            node, row, what, table = found
            session = _session(commit)
            message = (
                f"{what} is read after {session}.commit() emptied {row!r}: the async session cannot"
                " load it again here"
            )
            proof = (
                *of_entry(running.entry(step.root)),
                *of_step(step),
                evidence(made[0], made[1], "sessions are made without expire_on_commit=False"),
                evidence(commit.module, commit.node, f"expires the row of {table.cls.name}"),
                evidence(commit.module, node, f"reads {what}"),
            )
            yield Hit(place(commit.module, node), message, proof, _fix(commit, row))


def _fix(commit: CallSite, row: str) -> Fix | None:
    """Return the fix that refreshes the row after the commit."""
    module = commit.module
    found = block_of(commit.caller.node.body, commit.node)
    statement = found[1] if found is not None else None
    if not isinstance(statement, s.ExprStmt) or not isinstance(statement.value, s.Await):
        return None
    if statement.value.value is not commit.node:
        return None
    if not is_alone(module.source, statement.start, statement.end):
        return None
    line = f"await {_session(commit)}.refresh({row})"
    return Fix("suggest", (insert_after(module, statement, line),))


def _session(site: CallSite) -> str | None:
    func = site.node.func
    return s.dotted(func.value) if isinstance(func, s.Attribute) else None


def _commits(app: App, function: Function) -> Iterator[CallSite]:
    for run in app.calls.executions(function):
        site = run.site
        if run.session == "async" and site.method == "commit" and site.around.awaited:
            if not site.around.handled and _session(site) is not None:
                yield site


# ------------------------------------------------------------------------- reading


def _read(app: App, step: Step, commit: CallSite) -> tuple[s.Node, str, str, Table] | None:
    """Return the first read of an emptied row after a commit: node, row, what is read, table."""
    function = step.function
    until = _end(app, commit)
    answers = _answers(app, function)
    for node, around in app.calls.nodes(function):
        if not commit.node.end < node.start < until or not _follows(commit.around, around):
            continue
        found = _reading(node, around, answers=answers)
        if found is None:
            continue
        name, what = found
        table = _emptied(app, function, commit, name)
        if table is None or _is_written(app, function, node):
            continue
        if what is None:
            return node, name.id, name.id, table
        if what in table.columns or what in table.relationships:
            return node, name.id, f"{name.id}.{what}", table
    return None


def _end(app: App, commit: CallSite) -> int:
    """Return where the rows of the session may be loaded again, or the transaction is another."""
    later = [
        site.node.start
        for site in app.calls.sites(commit.caller)
        if site.node.start > commit.node.end and _may_load(site, _session(commit) or "")
    ]
    return min(later, default=commit.caller.node.end)


def _may_load(site: CallSite, session: str) -> bool:
    """Whether a call asks the session for rows, or hands it, or its owner, to what may."""
    if _session(site) == session:
        return site.method in _LETTING_GO
    given = [*site.node.args, *(keyword.value for keyword in site.node.keywords)]
    names = {session, session.partition(".")[0]}
    if any(s.dotted(node) in names for node in given):
        return True
    owner = session.rpartition(".")[0]
    return bool(owner) and site.around.awaited and _session(site) == owner


def _reading(
    node: s.Node, around: Surroundings, *, answers: bool
) -> tuple[s.Name, str | None] | None:
    """Return the row that a node reads, and which attribute of it (None: all)."""
    if around.deferred or around.handled:
        return None
    if isinstance(node, s.Attribute) and isinstance(node.value, s.Name):
        return node.value, node.attr
    if isinstance(node, s.Return) and isinstance(node.value, s.Name) and answers:
        return node.value, None
    if isinstance(node, s.Call) and s.last_name(node.func) in _READING and node.args:
        first = node.args[0]
        return (first, None) if isinstance(first, s.Name) else None
    return None


def _answers(app: App, function: Function) -> bool:
    """Whether what a function returns is turned into an answer by FastAPI."""
    return any(
        route.kind == "http" and not route.record.starlette for route in app.routes_for(function)
    )


def _follows(commit: Surroundings, read: Surroundings) -> bool:
    """Whether a place surely runs after a commit that stands before it, in the same turn of a loop."""
    branches, loops = commit.branches, commit.loops
    return read.branches[: len(branches)] == branches and read.loops[: len(loops)] == loops


def _emptied(app: App, function: Function, commit: CallSite, name: s.Name) -> Table | None:
    """Return the table of a row that the commit surely emptied."""
    bounds = app.types.locals.of(function).get(name.id, [])
    if len(bounds) != 1 or bounds[0].how != "assign" or bounds[0].path:
        return None
    bound = bounds[0]
    if bound.offset > commit.node.start or bound.value is None:
        return None
    found = alternatives(app.types.of(name, Where(function.module, function)))
    if len(found) != 1 or not isinstance(found[0], Instance):
        return None
    cls = found[0].cls
    table = app.models.table(cls) if isinstance(cls, Class) else None
    if table is None or not _is_in_session(app, function, commit, bound, name):
        return None
    return table


def _is_in_session(
    app: App, function: Function, commit: CallSite, bound: Bound, name: s.Name
) -> bool:
    """Whether a row was added to the session of the commit, or loaded through it in this function."""
    session = _session(commit)
    value = bound.value
    if value is None or any(_removes(site, name.id) for site in app.calls.sites(function)):
        return False
    made = value.value if isinstance(value, s.Await) else value
    if isinstance(made, s.Call):
        callee = app.types.of(made.func, Where(function.module, function))
        if isinstance(callee, ClassObject) or s.last_name(made.func) in _READING:
            return any(_adds(site, session, name.id, commit) for site in app.calls.sites(function))
    found = [origin.execution for origin in origins(app).of(value, function)]
    return bool(found) and all(
        run is not None
        and run.kind == "read"
        and run.site.caller.node is function.node
        and _session(run.site) == session
        for run in found
    )


def _adds(site: CallSite, session: str | None, row: str, commit: CallSite) -> bool:
    return (
        site.method in {"add", "add_all"}
        and _session(site) == session
        and site.node.start < commit.node.start
        and _follows(site.around, commit.around)
        and any(isinstance(n, s.Name) and n.id == row for n in s.walk(*site.node.args))
    )


def _removes(site: CallSite, row: str) -> bool:
    return site.method in {"delete", "expunge", "make_transient"} and any(
        isinstance(n, s.Name) and n.id == row for n in s.walk(*site.node.args)
    )


def _is_written(app: App, function: Function, node: s.Node) -> bool:
    """Whether an attribute is assigned rather than read."""
    return any(
        target is node
        for statement, _ in app.calls.of_kind(function, s.Assign)
        for target in statement.targets
    )


# ------------------------------------------------------------------------- makers

_Made = tuple[Module, s.Node]
_MAKERS: WeakKeyDictionary[App, tuple[_Made | None]] = WeakKeyDictionary()


def _maker(app: App) -> _Made | None:
    """Return where async sessions are made, if each one in the project surely expires its rows."""
    known = _MAKERS.get(app)
    if known is None:
        known = _MAKERS[app] = (_find_maker(app),)
    return known[0]


def _find_maker(app: App) -> _Made | None:
    first: _Made | None = None
    for module in app.sources:
        if "sqlalchemy" not in module.header.marks and "sqlmodel" not in module.header.marks:
            continue
        for node in module.walk():
            if s.string(node) == "expire_on_commit" or _says_expire(node):
                return None
            if isinstance(node, s.Call) and _makes_async(app, module, node):
                if any(keyword.arg is None for keyword in node.keywords):
                    return None
                first = first or (module, node)
    return first


def _says_expire(node: s.Node) -> bool:
    if isinstance(node, s.Attribute):
        return node.attr == "expire_on_commit"
    return isinstance(node, s.Call) and node.keyword("expire_on_commit") is not None


def _makes_async(app: App, module: Module, node: s.Call) -> bool:
    name = app.linker.external(node.func, module)
    if name == _SYNC_MAKER:
        given = node.keyword("class_")
        return given is not None and app.linker.external(given, module) in _ASYNC_MAKERS
    return name in _ASYNC_MAKERS


RULE = Rule(
    summary="a row is read after the commit of an async session emptied it",
    severity="error",
    mend="Make the sessions with `async_sessionmaker(engine, expire_on_commit=False)`, or"
    " `await session.refresh(row)` before reading.",
    app=check,
    references=(
        "https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html#preventing-implicit-io-when-using-asyncsession",
        "https://docs.sqlalchemy.org/en/20/errors.html#error-xd2s",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

engine = create_async_engine("sqlite+aiosqlite://")
maker = async_sessionmaker(engine)

async def get_session():
    async with maker() as session:
        yield session

SessionDep = Annotated[AsyncSession, Depends(get_session)]
app = FastAPI()
"""

_BAD = """
@app.post("/users")
async def create(name: str, session: SessionDep) -> int:
    user = User(name=name)
    session.add(user)
    await session.commit()
    return user.id  # <-

@app.put("/users/{id}", response_model=None)
async def rename(id: int, name: str, session: SessionDep):
    user = (await session.execute(select(User).where(User.id == id))).scalar_one()
    user.name = name
    await session.commit()
    return user  # <-

@app.patch("/users/{id}")
async def patch(id: int, name: str, session: SessionDep) -> dict:
    user = await session.get(User, id)
    user.name = name
    await session.commit()
    return {"name": user.name}  # <-
"""

_SHARED = """
@app.patch("/shared/{id}")
async def shared(id: int, name: str, session: SessionDep) -> dict:
    user = await session.get(User, id)
    user.name = name; await session.commit()
    return {"name": user.name}  # <-
"""

CASES = (
    case(
        "read, answered",
        _HEAD + _BAD + _SHARED,
        after=_HEAD
        + re.sub(r"( +await session)\.commit\(\)", r"\g<0>\n\1.refresh(user)", _BAD)
        + _SHARED,
    ),
    case(
        "kept by expire_on_commit=False",
        _HEAD.replace("(engine)", "(engine, expire_on_commit=False)") + _BAD.replace("  # <-", ""),
    ),
    case(
        "refreshed, loaded again, read before, written, not in this session",
        _HEAD
        + """
@app.post("/a")
async def a(name: str, session: SessionDep) -> int:
    user = User(name=name)
    session.add(user)
    await session.flush()
    id = user.id
    await session.commit()
    user.name = "new"
    return id

@app.post("/b")
async def b(name: str, session: SessionDep) -> int:
    user = User(name=name)
    session.add(user)
    await session.commit()
    await session.refresh(user)
    return user.id

@app.post("/c/{id}")
async def c(id: int, session: SessionDep) -> str:
    user = await session.get(User, id)
    await session.commit()
    user = await session.get(User, id)
    return user.name

@app.post("/d/{id}")
async def d(id: int, session: SessionDep) -> str:
    user = await session.get(User, id)
    if user.name == "old":
        user.name = "new"
        await session.commit()
        return "changed"
    return user.name

@app.post("/e")
async def e(name: str, session: SessionDep) -> str:
    user = User(name=name)
    await session.commit()
    return user.name
""",
    ),
)
