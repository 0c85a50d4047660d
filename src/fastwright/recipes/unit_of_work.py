"""A use case is one transaction: it commits once, at its end.

In an endpoint or a function of a service that commits several times, every `session.commit()` but the last becomes `session.flush()`: what
follows reads the same rows and ids, and what fails later leaves nothing behind that is half done. A commit in a loop goes behind the loop, or away where
another one follows; a loop that reads goes on writing what it changes first.

Left alone, with the line: commits between which something happens that others see (a mail, a request, a background task) or that may return early, loops that
catch what fails for one item or end early, and commits in repositories: who calls them would have to commit, and may not hold the session.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, alternatives
from fastwright.edit.builders import blocks, delete_statements, insert_after, replace
from fastwright.edit.fix import Edit
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target

_SEVERAL = 2
_LEAVING = (s.Return, s.Yield)
_ENDING = frozenset({"break", "continue"})


class _Commit(msgspec.Struct, frozen=True, eq=False):
    """``session.commit()`` as a statement, and the block that it stands in."""

    statement: s.ExprStmt
    call: s.Call
    session: str
    """As it is written."""
    block: list[s.Stmt]
    loop: s.For | s.While | None


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each function that commits more than once."""
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    for step in app.reached:
        function, layer = step.function, app.layers.get(step.function.module.path)
        if function.module.kind != "source" or not target.takes(function):
            continue
        is_service = layer is not None and layer.name == "service"
        if id(function.node) in endpoints or is_service:
            yield from _planned(app, function)


def _planned(app: App, function: Function) -> Iterator[Planned]:
    commits = _commits(app, function)
    sessions = {commit.session for commit in commits}
    if len(sessions) != 1 or (
        not any(commit.loop is not None for commit in commits) and len(commits) < _SEVERAL
    ):
        return
    module, body = function.module, function.node.body
    last = commits[-1]
    ends = last.block is body or last.loop is not None
    if not ends or any(commit.block is not body and commit.loop is None for commit in commits):
        place = f"{module.path}:{module.line(commits[0].statement)}"
        yield Stopped(place, f"{function.qualname}: commits in branches")
        return
    stop = next((found for each in commits if (found := _stop(app, function, each, last))), None)
    if stop is not None:
        yield Stopped(f"{module.path}:{module.line(stop[0])}", f"{function.qualname}: {stop[1]}")
        return
    edits = [edit for commit in commits for edit in _edits(app, function, commit, last)]
    if edits:
        place = f"{module.path}:{module.line(commits[0].statement)}"
        title = f"{function.qualname} of {module.path} commits once"
        yield Proposal(title, tuple(edits), places=(place,))


def _commits(app: App, function: Function) -> list[_Commit]:
    """Return the commits of a function that are statements, in source order."""
    loops = {
        id(node): around.loops[-1] if around.loops else None
        for node, around in app.calls.of_kind(function, s.Call)
    }
    calls = {id(site.node): site for site in app.calls.sites(function) if _is_commit(app, site)}
    found = []
    for block in blocks(function.node.body):
        for statement in block:
            if not isinstance(statement, s.ExprStmt):
                continue
            value = statement.value
            call = value.value if isinstance(value, s.Await) else value
            if (
                id(call) in calls
                and isinstance(call, s.Call)
                and isinstance(call.func, s.Attribute)
            ):
                loop = loops.get(id(call))
                if not isinstance(loop, s.Comp):
                    session = text(function.module, call.func.value)
                    found.append(_Commit(statement, call, session, block, loop))
    return sorted(found, key=lambda commit: commit.statement.start)


def _is_commit(app: App, site: CallSite) -> bool:
    return (
        site.method == "commit"
        and site.receiver is not None
        and app.types.session_kind(site.receiver) is not None
    )


def _stop(
    app: App, function: Function, commit: _Commit, last: _Commit
) -> tuple[s.Node, str] | None:
    """Return what keeps a commit where it is."""
    if commit is last and commit.loop is None:
        return None
    start = commit.loop.start if commit.loop is not None else commit.statement.end
    end = max(last.statement.start, commit.loop.end if commit.loop is not None else 0)
    for node, around in app.calls.nodes(function):
        if not start <= node.start < end:
            continue
        if isinstance(node, _LEAVING):
            return node, "may return before the last commit"
        if isinstance(node, s.Flow) and node.keyword in _ENDING and commit.loop is not None:
            return node, "the loop may go on or end before the commit"
        if isinstance(node, s.Try) or around.tries or around.handled:
            return node, "what fails is caught here"
    for site in app.calls.sites(function):
        if start <= site.node.start < end and not _is_inner(app, site, 0):
            name = text(function.module, site.node.func)
            return site.node, f"{name} may be seen by others before the last commit"
    return None


_DEPTH = 3


def _is_inner(app: App, site: CallSite, depth: int) -> bool:
    """Whether a call does nothing that anybody else sees: the session, logs, builtins, rows that are made."""
    if site.receiver is not None and app.types.session_kind(site.receiver) is not None:
        return True
    if any(isinstance(option, ClassObject) for option in alternatives(site.callee)):
        classes = [o.cls for o in alternatives(site.callee) if isinstance(o, ClassObject)]
        if all(
            isinstance(c, Class) or c.partition(".")[0] in {"builtins", "decimal"} for c in classes
        ):
            return True
    external = site.external or ""
    if external.partition(".")[0] in {"builtins", "logging", "sqlmodel", "sqlalchemy", "decimal"}:
        return True
    if isinstance(site.node.func, s.Name) and hasattr(builtins, site.node.func.id):
        return True
    if not site.targets or depth > _DEPTH:
        return False
    return all(
        _is_inner(app, each, depth + 1)
        for target in site.targets
        for each in app.calls.sites(target)
    )


def _edits(app: App, function: Function, commit: _Commit, last: _Commit) -> Iterator[Edit]:
    module, loop = function.module, commit.loop
    reads = loop is not None and any(
        execution.kind == "read" and loop.start <= execution.site.node.start < loop.end
        for execution in app.calls.executions(function)
    )
    if reads or (loop is None and commit is not last):
        yield replace(module, commit.call.func, f"{commit.session}.flush")
    elif loop is not None:
        yield from delete_statements(module, commit.block, [commit.statement])
    if commit is last and loop is not None:
        waits = "await " if isinstance(commit.statement.value, s.Await) else ""
        yield insert_after(module, loop, f"{waits}{commit.session}.commit()")


RECIPE = Recipe(
    summary="one transaction for a use case",
    why="What commits in between leaves half of it behind when the rest fails.",
    plan=plan,
    references=(
        "https://docs.sqlalchemy.org/en/20/orm/session_basics.html#when-do-i-construct-a-session-when-do-i-commit-it-and-when-do-i-close-it",
        "https://martinfowler.com/eaaCatalog/unitOfWork.html",
    ),
)
CASES = (
    Case(
        "several commits become one",
        {
            "main.py": """\
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlmodel import Field, Session, SQLModel

from mail import send

app = FastAPI()


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str = ""


class Line(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = None


def get_session() -> Session: ...


@app.post("/orders")
def create(order: Order, session: Session = Depends(get_session)) -> int | None:
    session.add(order)
    session.commit()
    session.refresh(order)
    line = Line(order_id=order.id)
    session.add(line)
    session.commit()
    send(order.note)
    return order.id
""",
        },
        {
            "main.py": """\
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlmodel import Field, Session, SQLModel

from mail import send

app = FastAPI()


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str = ""


class Line(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = None


def get_session() -> Session: ...


@app.post("/orders")
def create(order: Order, session: Session = Depends(get_session)) -> int | None:
    session.add(order)
    session.flush()
    session.refresh(order)
    line = Line(order_id=order.id)
    session.add(line)
    session.commit()
    send(order.note)
    return order.id
""",
        },
    ),
    Case(
        "a commit in a loop goes behind it, or away where another follows",
        {
            "main.py": """\
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlmodel import Field, Session, SQLModel

from mail import send

app = FastAPI()


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str = ""


class Line(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = None


def get_session() -> Session: ...


@app.post("/lines")
def lines(count: int, session: Session = Depends(get_session)) -> None:
    for number in range(count):
        session.add(Line(order_id=number))
        session.commit()


@app.post("/orders")
def orders(count: int, session: Session = Depends(get_session)) -> None:
    for number in range(count):
        session.add(Line(order_id=number))
        session.commit()
    session.add(Order(note="all"))
    session.commit()
""",
        },
        {
            "main.py": """\
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlmodel import Field, Session, SQLModel

from mail import send

app = FastAPI()


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str = ""


class Line(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = None


def get_session() -> Session: ...


@app.post("/lines")
def lines(count: int, session: Session = Depends(get_session)) -> None:
    for number in range(count):
        session.add(Line(order_id=number))
    session.commit()


@app.post("/orders")
def orders(count: int, session: Session = Depends(get_session)) -> None:
    for number in range(count):
        session.add(Line(order_id=number))
    session.add(Order(note="all"))
    session.commit()
""",
        },
    ),
    Case(
        "a mail between, an early return, and failures of one item",
        {
            "main.py": """\
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlmodel import Field, Session, SQLModel

from mail import send

app = FastAPI()


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str = ""


class Line(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = None


def get_session() -> Session: ...


@app.post("/mail")
def mail(order: Order, session: Session = Depends(get_session)) -> None:
    session.add(order)
    session.commit()
    send(order.note)
    session.add(Line(order_id=order.id))
    session.commit()


@app.post("/early")
def early(order: Order, session: Session = Depends(get_session)) -> None:
    session.add(order)
    session.commit()
    if not order.note:
        return
    session.add(Line(order_id=order.id))
    session.commit()


@app.post("/each")
def each(count: int, session: Session = Depends(get_session)) -> None:
    for number in range(count):
        try:
            session.add(Line(order_id=number))
            session.commit()
        except ValueError:
            session.rollback()
""",
        },
        stopped=("main.py:26", "main.py:36", "main.py:44"),
    ),
    Case(
        "one commit",
        {
            "main.py": """\
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlmodel import Field, Session, SQLModel

from mail import send

app = FastAPI()


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str = ""


class Line(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = None


def get_session() -> Session: ...


@app.post("/orders")
def create(order: Order, session: Session = Depends(get_session)) -> Order:
    session.add(order)
    session.commit()
    session.refresh(order)
    return order
""",
        },
    ),
)
