"""A use case is one transaction: it commits once, at its end, and repositories never do.

In an endpoint or a function of a service that commits several times, every `session.commit()` but the last becomes `session.flush()`: what
follows reads the same rows and ids, and what fails later leaves nothing behind that is half done. A commit in a loop goes behind the loop, or away where
another one follows; a loop that reads goes on writing what it changes first. Who returns before the end commits before that. Commits of repositories,
with the `refresh` behind them, move to who calls them.

Left alone, with the line: commits between which something happens that others see (a mail, a request, a background task), loops that
catch what fails for one item, and repositories whose callers are not all known, or hold no session and cannot be given one.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Literal, Result, Sequence, Statement, alternatives
from fastwright.edit.builders import (
    block_of,
    blocks,
    delete_statements,
    insert_after,
    insert_before,
    replace,
)
from fastwright.edit.fix import Edit
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.recipes.persistence.commits import from_repositories
from fastwright.recipes.recipe import Case, Kept, Planned, Proposal, Recipe, Stopped, Target

_SEVERAL = 2
_ENDING = frozenset({"break", "continue"})
_QUIET = frozenset(
    {"builtins", "logging", "sqlmodel", "sqlalchemy", "decimal", "datetime", "uuid", "math", "json", "re",
     "fastapi", "starlette", "pydantic", "enum", "collections", "itertools", "functools", "string", "secrets",
     "hashlib", "hmac", "random", "copy", "typing", "operator", "base64", "time", "zoneinfo"}
)  # fmt: skip
"""What does nothing that others see."""
_SEEN = frozenset({"add_task", "dump", "render", "TemplateResponse"})
"""Methods of these that somebody sees."""
_OF_VALUES = frozenset(
    {"partition", "rpartition", "split", "rsplit", "splitlines", "strip", "lstrip", "rstrip", "lower", "upper",
     "title", "casefold", "startswith", "endswith", "isdigit", "isalpha", "isalnum", "isidentifier", "isnumeric",
     "join", "zfill", "removeprefix", "removesuffix", "items", "keys", "values", "setdefault", "append", "extend",
     "isoformat", "quantize", "model_dump", "model_copy", "dict",
     "desc", "asc", "in_", "notin_", "is_", "is_not", "like", "ilike"}
)  # fmt: skip
"""Methods of values that only values have."""


class _Commit(msgspec.Struct, frozen=True, eq=False):
    """``session.commit()`` as a statement, and the block that it stands in."""

    statement: s.ExprStmt
    call: s.Call
    session: str
    """As it is written."""
    block: list[s.Stmt]
    loop: s.For | s.While | None


class _Ending(msgspec.Struct, frozen=True, eq=False):
    """Where a function commits once: behind a statement of its body, or of a ``try`` around it all."""

    body: list[s.Stmt]
    statement: s.Stmt
    """The last one that commits."""
    returns: tuple[s.Return, ...]
    """Those that leave before, behind a commit."""


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each function that commits more than once, and for each repository that commits."""
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    for step in app.reached:
        function, layer = step.function, app.layers.get(step.function.module.path)
        if function.module.kind != "source" or not target.takes(function):
            continue
        is_service = layer is not None and layer.name == "service"
        if id(function.node) in endpoints or is_service:
            yield from _planned(app, function)
    yield from from_repositories(app, target)


def _planned(app: App, function: Function) -> Iterator[Planned]:
    commits = _commits(app, function)
    module = function.module
    if len({commit.session for commit in commits}) != 1:
        return
    if (
        all(commit.loop is None for commit in commits)
        and _most(function.node.body, commits) < _SEVERAL
    ):
        return
    try:
        ending = _ending(function, commits)
        for commit in commits:
            _check(app, function, commit, ending)
        _check_flush(app, function, commits)
    except Kept as kept:
        yield Stopped(kept.place, f"{function.qualname}: {kept.reason}")
        return
    edits = list(_edits(app, function, commits, ending))
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
    if site.method != "commit" or site.receiver is None:
        return False
    if app.types.session_kind(site.receiver) is not None:
        return True
    return bool(site.targets) and all(_hands_on(app, target) for target in site.targets)


def _hands_on(app: App, function: Function) -> bool:
    """Whether a method only commits the session that its object holds: a unit of work."""
    inner = app.calls.sites(function)
    return (
        len(function.node.body) == 1
        and len(inner) == 1
        and inner[0].method == "commit"
        and inner[0].receiver is not None
        and app.types.session_kind(inner[0].receiver) is not None
    )


def _most(body: list[s.Stmt], commits: list[_Commit]) -> int:
    """Return how many commits may run one after the other in a block."""
    own = {id(commit.statement) for commit in commits}
    total = 0
    for statement in body:
        if id(statement) in own:
            total += 1
        elif isinstance(statement, s.If):
            arms = [*(branch.body for branch in statement.branches), statement.orelse]
            most = [(_most(arm, commits), bool(arm) and _leaves(arm[-1])) for arm in arms]
            ended = max((number for number, leaves in most if leaves), default=0)
            if ended and total + ended >= _SEVERAL:
                return total + ended
            total += max((number for number, leaves in most if not leaves), default=0)
        elif isinstance(statement, s.Try):
            handlers = [_most(handler.body, commits) for handler in statement.handlers]
            inner = _most([*statement.body, *statement.orelse], commits)
            total += max([inner, *handlers]) + _most(statement.finalbody, commits)
        elif isinstance(statement, s.With):
            total += _most(statement.body, commits)
    return total


def _leaves(statement: s.Stmt) -> bool:
    return isinstance(statement, (s.Return, s.Raise))


def _ending(function: Function, commits: list[_Commit]) -> _Ending:
    """Return where a function is to commit. Raises Kept where that is not clear."""
    body = function.node.body
    around = _try_around(body, commits)
    if around is not None:
        body = around.body
    holders = [_holder(body, commit) for commit in commits]
    first, last = holders[0], holders[-1]
    if any(isinstance(holder, (s.Try, s.With)) for holder in holders):
        raise Kept(
            function.module, commits[0].statement, "commits in several blocks of try or with"
        )
    if any(isinstance(holder, s.While) for holder in holders):
        raise Kept(
            function.module, commits[0].statement, "commits in a loop that may go on for ever"
        )
    is_sure = commits[0].statement is first or isinstance(first, s.For)
    ends = commits[-1].statement is last
    leaving = any(
        isinstance(n, s.Return) for n in s.walk(*body) if first.start < n.start < last.start
    )
    if not is_sure and (leaving or not ends):
        raise Kept(function.module, commits[0].statement, "commits in branches")
    returns = []
    for node in s.walk(*body[body.index(first) :]):
        if isinstance(node, s.Yield) and node.start < last.end:
            raise Kept(function.module, node, "gives something out before the last commit")
        if isinstance(node, s.Return) and commits[0].statement.start < node.start < last.end:
            returns.append(node)
    return _Ending(body, last, tuple(returns))


def _try_around(body: list[s.Stmt], commits: list[_Commit]) -> s.Try | None:
    """Return the ``try`` of a function in which all its commits are, where what fails is rolled back."""
    for statement in body:
        if isinstance(statement, s.Try) and not statement.orelse and not statement.finalbody:
            inside = all(
                statement.body[0].start <= commit.statement.start < statement.body[-1].end
                for commit in commits
            )
            if inside and all(_gives_up(handler) for handler in statement.handlers):
                return statement
    return None


def _gives_up(handler: s.ExceptHandler) -> bool:
    """Whether a handler takes back what was written, and goes no further."""
    rolls = any(
        isinstance(node, s.Attribute) and node.attr == "rollback" for node in s.walk(*handler.body)
    )
    return rolls and isinstance(handler.body[-1], (s.Raise, s.Return))


def _holder(body: list[s.Stmt], commit: _Commit) -> s.Stmt:
    """Return the statement of a block that a commit stands in."""
    start = commit.statement.start
    return next(each for each in body if each.start <= start < each.end)


def _check(app: App, function: Function, commit: _Commit, ending: _Ending) -> None:
    """Raise Kept for what keeps a commit where it is."""
    if commit.statement is ending.statement:
        return
    holder = _holder(ending.body, commit)
    loop = holder if isinstance(holder, s.For) else None
    start = loop.start if loop is not None else commit.statement.end
    end = max(commit.statement.start, ending.statement.start, loop.end if loop is not None else 0)
    if isinstance(ending.statement, s.If):
        end = ending.statement.end
    inside = [
        (node, around) for node, around in app.calls.nodes(function) if start <= node.start < end
    ]
    for node, around in inside:
        if isinstance(node, s.Return) and loop is not None and loop.start <= node.start < loop.end:
            raise Kept(function.module, node, "may return before the last commit")
        is_end = isinstance(node, s.Flow) and node.keyword in _ENDING
        if is_end and loop is not None and _writes_before(app, function, loop, node):
            raise Kept(function.module, node, "the loop may go on or end before the commit")
        depth = 0 if ending.body is function.node.body else 1
        if isinstance(node, s.Try) or len(around.tries) > depth or around.handled:
            raise Kept(function.module, node, "what fails is caught here")
    for site in app.calls.sites(function):
        if start <= site.node.start < end and not _is_inner(app, site, 0):
            name = text(function.module, site.node.func)
            raise Kept(
                function.module, site.node, f"{name} may be seen by others before the last commit"
            )


def _check_flush(app: App, function: Function, commits: list[_Commit]) -> None:
    """Raise Kept where what commits is no session, and cannot write without committing."""
    calls = {id(commit.call): commit for commit in commits}
    for site in app.calls.sites(function):
        owners = [target.owner for target in site.targets if target.owner is not None]
        if id(site.node) in calls and any(app.linker.method(c, "flush") is None for c in owners):
            raise Kept(function.module, site.node, f"{calls[id(site.node)].session} has no flush")


def _writes_before(app: App, function: Function, loop: s.For, node: s.Node) -> bool:
    """Whether a turn of a loop has changed something when it goes on."""
    if any(
        each.kind == "write" and loop.start <= each.site.node.start < node.start
        for each in app.calls.executions(function)
    ):
        return True
    return any(
        isinstance(target, s.Attribute)
        for each in s.walk(*loop.body)
        if isinstance(each, (s.Assign, s.AugAssign)) and each.start < node.start
        for target in (each.targets if isinstance(each, s.Assign) else [each.target])
    )


_DEPTH = 6


def _is_inner(app: App, site: CallSite, depth: int) -> bool:
    """Whether a call does nothing that anybody else sees: the session, logs, values, rows that are made."""
    if site.receiver is not None and app.types.session_kind(site.receiver) is not None:
        return True
    if isinstance(site.receiver, (Statement, Result)):
        return True
    if any(isinstance(option, ClassObject) for option in alternatives(site.callee)):
        classes = [o.cls for o in alternatives(site.callee) if isinstance(o, ClassObject)]
        if all(isinstance(c, Class) or c.partition(".")[0] in _QUIET for c in classes):
            return True
    if (site.external or "").partition(".")[0] in _QUIET:
        return site.method not in _SEEN
    if isinstance(site.node.func, s.Name) and hasattr(builtins, site.node.func.id):
        return True
    if not site.targets:
        return _is_of_value(app, site)
    return depth <= _DEPTH and all(
        _is_inner(app, each, depth + 1)
        for target in site.targets
        for each in app.calls.sites(target)
    )


def _is_of_value(app: App, site: CallSite) -> bool:
    """Whether a call is a method of a text, a list or a dictionary."""
    if not isinstance(site.node.func, s.Attribute):
        return False
    kind = app.types.of(site.node.func.value, Where(site.module, site.caller))
    if isinstance(kind, (Sequence, Literal)) or site.node.func.attr in _OF_VALUES:
        return True
    return isinstance(site.node.func.value, (s.Constant, s.JoinedStr))


# --------------------------------------------------------------------- the changes


def _edits(app: App, function: Function, commits: list[_Commit], ending: _Ending) -> Iterator[Edit]:
    module = function.module
    waits = "await " if isinstance(commits[-1].statement.value, s.Await) else ""
    line = f"{waits}{commits[-1].session}.commit()"
    for commit in commits:
        if commit.statement is ending.statement:
            continue
        is_last = commit.block[-1] is commit.statement and len(commit.block) > 1
        if _holder(ending.body, commit) is ending.statement and commit.loop is None and is_last:
            yield from delete_statements(module, commit.block, [commit.statement])
        elif commit.loop is None or _reads(app, function, commit.loop):
            yield replace(module, commit.call.func, f"{commit.session}.flush")
        else:
            yield from delete_statements(module, commit.block, [commit.statement])
    if not any(commit.statement is ending.statement for commit in commits):
        yield insert_after(module, ending.statement, line)
    for each in ending.returns:
        held = block_of(function.node.body, each)
        if held is not None and not _is_committed(module.source, held[0], each, line):
            yield insert_before(module, each, line)


def _is_committed(source: bytes, block: list[s.Stmt], node: s.Return, line: str) -> bool:
    number = next(n for n, each in enumerate(block) if each is node)
    before = block[number - 1] if number else None
    return before is not None and source[before.start : before.end].decode() == line


def _reads(app: App, function: Function, loop: s.For | s.While) -> bool:
    """Whether a loop asks the database, itself or through what it calls."""
    if any(
        execution.kind == "read" and loop.start <= execution.site.node.start < loop.end
        for execution in app.calls.executions(function)
    ):
        return True
    return any(
        app.calls.asks_database(target)
        for site in app.calls.sites(function)
        if loop.start <= site.node.start < loop.end
        for target in site.targets
    )


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
        "a mail between, and failures of one item",
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
        stopped=("main.py:26", "main.py:34"),
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
    Case(
        "early returns, what only reads, branches and what is taken back",
        {
            "app/__init__.py": "",
            "app/db.py": """\
from sqlmodel import Session


def get_session() -> Session: ...
""",
            "app/main.py": """\
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.db import get_session
from app.models import Line, Order

app = FastAPI()


def find(session: Session, key: str) -> Order:
    name, _, number = key.partition("-")
    order = session.get(Order, int(number))
    if order is None:
        raise HTTPException(404, f"no order {name.upper()}")
    return order


@app.post("/early")
def early(order: Order, session: Session = Depends(get_session)) -> None:
    session.add(order)
    session.commit()
    if not order.note:
        return
    session.add(Line(order_id=order.id))
    session.commit()


@app.post("/bulk")
def bulk(keys: list[str], session: Session = Depends(get_session)) -> list[str]:
    changed = []
    for key in keys:
        order = find(session, key)
        if order.note:
            continue
        order.note = "changed"
        session.commit()
        changed.append(key)
    return changed


@app.post("/paths")
def paths(order: Order, session: Session = Depends(get_session)) -> None:
    if order.note:
        session.add(order)
        session.commit()
        return
    session.add(Line(order_id=order.id))
    session.commit()


@app.post("/behind")
def behind(order: Order, session: Session = Depends(get_session)) -> Order:
    session.add(order)
    session.commit()
    if order.note:
        session.add(Line(order_id=order.id))
        session.commit()
    return order


@app.post("/taken-back")
def taken_back(order: Order, session: Session = Depends(get_session)) -> Order:
    try:
        session.add(order)
        session.commit()
        session.add(Line(order_id=order.id))
        session.commit()
    except IntegrityError:
        session.rollback()
        raise HTTPException(409)
    session.refresh(order)
    return order


@app.post("/maybe")
def maybe(order: Order, note: str, session: Session = Depends(get_session)) -> None:
    if note:
        order.note = note
        session.commit()
    if order.id:
        session.add(Line(order_id=order.id))
        session.commit()


@app.post("/skipping")
def skipping(orders: list[Order], session: Session = Depends(get_session)) -> None:
    for order in orders:
        session.add(order)
        if not order.note:
            continue
        session.commit()


@app.post("/for-ever")
def for_ever(session: Session = Depends(get_session)) -> None:
    while True:
        session.add(Line())
        session.commit()


@app.post("/tasks")
def tasks(order: Order, background: BackgroundTasks, session: Session = Depends(get_session)) -> None:
    session.add(order)
    session.commit()
    background.add_task(print, order.id)
    session.add(Line(order_id=order.id))
    session.commit()
""",
            "app/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str = ""


class Line(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = None
""",
        },
        {
            "app/main.py": """\
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.db import get_session
from app.models import Line, Order

app = FastAPI()


def find(session: Session, key: str) -> Order:
    name, _, number = key.partition("-")
    order = session.get(Order, int(number))
    if order is None:
        raise HTTPException(404, f"no order {name.upper()}")
    return order


@app.post("/early")
def early(order: Order, session: Session = Depends(get_session)) -> None:
    session.add(order)
    session.flush()
    if not order.note:
        session.commit()
        return
    session.add(Line(order_id=order.id))
    session.commit()


@app.post("/bulk")
def bulk(keys: list[str], session: Session = Depends(get_session)) -> list[str]:
    changed = []
    for key in keys:
        order = find(session, key)
        if order.note:
            continue
        order.note = "changed"
        session.flush()
        changed.append(key)
    session.commit()
    return changed


@app.post("/paths")
def paths(order: Order, session: Session = Depends(get_session)) -> None:
    if order.note:
        session.add(order)
        session.commit()
        return
    session.add(Line(order_id=order.id))
    session.commit()


@app.post("/behind")
def behind(order: Order, session: Session = Depends(get_session)) -> Order:
    session.add(order)
    session.flush()
    if order.note:
        session.add(Line(order_id=order.id))
    session.commit()
    return order


@app.post("/taken-back")
def taken_back(order: Order, session: Session = Depends(get_session)) -> Order:
    try:
        session.add(order)
        session.flush()
        session.add(Line(order_id=order.id))
        session.commit()
    except IntegrityError:
        session.rollback()
        raise HTTPException(409)
    session.refresh(order)
    return order


@app.post("/maybe")
def maybe(order: Order, note: str, session: Session = Depends(get_session)) -> None:
    if note:
        order.note = note
        session.commit()
    if order.id:
        session.add(Line(order_id=order.id))
        session.commit()


@app.post("/skipping")
def skipping(orders: list[Order], session: Session = Depends(get_session)) -> None:
    for order in orders:
        session.add(order)
        if not order.note:
            continue
        session.commit()


@app.post("/for-ever")
def for_ever(session: Session = Depends(get_session)) -> None:
    while True:
        session.add(Line())
        session.commit()


@app.post("/tasks")
def tasks(order: Order, background: BackgroundTasks, session: Session = Depends(get_session)) -> None:
    session.add(order)
    session.commit()
    background.add_task(print, order.id)
    session.add(Line(order_id=order.id))
    session.commit()
""",
        },
        stopped=(
            "app/main.py:101",
            "app/main.py:108",
            "app/main.py:82",
            "app/main.py:93",
        ),
    ),
    Case(
        "repositories leave it to their callers to commit; a service gets the session for it",
        {
            "app/__init__.py": "",
            "app/db.py": """\
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

SessionLocal = async_sessionmaker(expire_on_commit=False)


async def get_db() -> AsyncSession: ...


Db = Annotated[AsyncSession, Depends(get_db)]
""",
            "app/main.py": """\
from fastapi import FastAPI

from app.routers import authors

app = FastAPI()
app.include_router(authors.router)
""",
            "app/models.py": """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str]


class Follow(Base):
    __tablename__ = "follows"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int]
""",
            "app/repositories/__init__.py": "",
            "app/repositories/authors.py": """\
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Author, Follow


class AuthorRepository:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def get(self, handle: str) -> Author | None:
        return (await self.db.scalars(select(Author).where(Author.handle == handle))).first()

    async def save(self, author: Author) -> Author:
        self.db.add(author)
        await self.db.commit()
        await self.db.refresh(author)
        return author

    async def unfollow(self, author_id: int) -> None:
        follow = await self.db.get(Follow, author_id)
        if follow is not None:
            await self.db.delete(follow)
            await self.db.commit()

    async def touch(self, author: Author) -> bool:
        author.handle = author.handle.lower()
        await self.db.commit()
        return True
""",
            "app/repositories/follows.py": """\
async def follow(db, follow):
    db.add(follow)
    await db.commit()


async def forget(db, follow):
    await db.delete(follow)
    await db.commit()
""",
            "app/routers/__init__.py": "",
            "app/routers/authors.py": """\
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends

from app.db import Db
from app.models import Follow
from app.repositories import follows
from app.repositories.authors import AuthorRepository
from app.services.authors import AuthorService

router = APIRouter()


def get_service(db: Db) -> AuthorService:
    return AuthorService(AuthorRepository(db))


Service = Annotated[AuthorService, Depends(get_service)]


@router.post("/authors/{handle}")
async def create(handle: str, service: Service) -> int:
    return (await service.create(handle)).id


@router.put("/authors/{handle}")
async def rename(handle: str, new: str, db: Db, service: Service) -> int:
    author = await AuthorRepository(db).get(handle)
    return (await service.rename(author, new)).id


@router.post("/authors")
async def import_all(handles: list[str], service: Service) -> None:
    await service.import_all(handles)


@router.delete("/authors/{handle}/follow")
async def unfollow(handle: str, db: Db, service: Service) -> None:
    author = await AuthorRepository(db).get(handle)
    await service.unfollow(author)


@router.post("/authors/{author_id}/follow")
async def follow(author_id: int, db: Db) -> None:
    await follows.follow(db, Follow(author_id=author_id))


@router.post("/authors/{author_id}/forget")
async def forget(author_id: int, db: Db, background: BackgroundTasks) -> None:
    follow = await db.get(Follow, author_id)
    background.add_task(follows.forget, db, follow)
    await follows.forget(db, follow)
""",
            "app/services/__init__.py": "",
            "app/services/authors.py": """\
from app.models import Author
from app.repositories.authors import AuthorRepository


class AuthorService:
    def __init__(self, authors: AuthorRepository) -> None:
        self.authors = authors

    async def create(self, handle: str) -> Author:
        return await self.authors.save(Author(handle=handle))

    async def rename(self, author: Author, handle: str) -> Author:
        author.handle = handle
        saved = await self.authors.save(author)
        await self.authors.touch(saved)
        return saved

    async def import_all(self, handles: list[str]) -> None:
        for handle in handles:
            await self.authors.save(Author(handle=handle))

    async def unfollow(self, author: Author) -> None:
        await self.authors.unfollow(author.id)
""",
        },
        {
            "app/repositories/authors.py": """\
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Author, Follow


class AuthorRepository:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def get(self, handle: str) -> Author | None:
        return (await self.db.scalars(select(Author).where(Author.handle == handle))).first()

    async def save(self, author: Author) -> Author:
        self.db.add(author)
        return author

    async def unfollow(self, author_id: int) -> None:
        follow = await self.db.get(Follow, author_id)
        if follow is not None:
            await self.db.delete(follow)

    async def touch(self, author: Author) -> bool:
        author.handle = author.handle.lower()
        return True
""",
            "app/repositories/follows.py": """\
async def follow(db, follow):
    db.add(follow)


async def forget(db, follow):
    await db.delete(follow)
    await db.commit()
""",
            "app/routers/authors.py": """\
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends

from app.db import Db
from app.models import Follow
from app.repositories import follows
from app.repositories.authors import AuthorRepository
from app.services.authors import AuthorService

router = APIRouter()


def get_service(db: Db) -> AuthorService:
    return AuthorService(AuthorRepository(db), session=db)


Service = Annotated[AuthorService, Depends(get_service)]


@router.post("/authors/{handle}")
async def create(handle: str, service: Service) -> int:
    return (await service.create(handle)).id


@router.put("/authors/{handle}")
async def rename(handle: str, new: str, db: Db, service: Service) -> int:
    author = await AuthorRepository(db).get(handle)
    return (await service.rename(author, new)).id


@router.post("/authors")
async def import_all(handles: list[str], service: Service) -> None:
    await service.import_all(handles)


@router.delete("/authors/{handle}/follow")
async def unfollow(handle: str, db: Db, service: Service) -> None:
    author = await AuthorRepository(db).get(handle)
    await service.unfollow(author)


@router.post("/authors/{author_id}/follow")
async def follow(author_id: int, db: Db) -> None:
    await follows.follow(db, Follow(author_id=author_id))
    await db.commit()


@router.post("/authors/{author_id}/forget")
async def forget(author_id: int, db: Db, background: BackgroundTasks) -> None:
    follow = await db.get(Follow, author_id)
    background.add_task(follows.forget, db, follow)
    await follows.forget(db, follow)
""",
            "app/services/authors.py": """\
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Author
from app.repositories.authors import AuthorRepository


class AuthorService:
    def __init__(self, authors: AuthorRepository, session: AsyncSession) -> None:
        self.authors = authors
        self.session = session

    async def create(self, handle: str) -> Author:
        author = await self.authors.save(Author(handle=handle))
        await self.session.commit()
        await self.session.refresh(author)
        return author

    async def rename(self, author: Author, handle: str) -> Author:
        author.handle = handle
        saved = await self.authors.save(author)
        await self.session.flush()
        await self.session.refresh(saved)
        await self.authors.touch(saved)
        await self.session.commit()
        return saved

    async def import_all(self, handles: list[str]) -> None:
        for handle in handles:
            await self.authors.save(Author(handle=handle))
            await self.session.flush()
        await self.session.commit()

    async def unfollow(self, author: Author) -> None:
        await self.authors.unfollow(author.id)
        await self.session.commit()
""",
        },
        stopped=("app/routers/authors.py:52",),
    ),
    Case(
        "repositories that may have no row to give back, and those that tests call",
        {
            "app/__init__.py": "",
            "app/db.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session


def get_db() -> Session: ...


Db = Annotated[Session, Depends(get_db)]
""",
            "app/main.py": """\
from fastapi import FastAPI

from app.routers import users

app = FastAPI()
app.include_router(users.router)
""",
            "app/models.py": """\
from sqlmodel import Field, SQLModel


class User(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = ""
""",
            "app/repositories/__init__.py": "",
            "app/repositories/users.py": """\
from sqlmodel import Session

from app.models import User


def rename(session: Session, user_id: int, name: str) -> User | None:
    user = session.get(User, user_id)
    if user is None:
        return None
    user.name = name
    session.commit()
    session.refresh(user)
    return user


def shorten(session: Session, user_id: int) -> User | None:
    user = session.get(User, user_id)
    if user is not None:
        user.name = user.name[:20]
        session.commit()
        session.refresh(user)
    return user


def clear(session: Session, user: User) -> bool:
    if not user.name:
        return False
    user.name = ""
    session.commit()
    return True


def add(session: Session, user: User) -> User:
    session.add(user)
    session.commit()
    session.refresh(user)
    return user
""",
            "app/routers/__init__.py": "",
            "app/routers/users.py": """\
from fastapi import APIRouter, HTTPException

from app.db import Db
from app.models import User
from app.repositories import users

router = APIRouter()


@router.put("/users/{user_id}")
def rename(user_id: int, name: str, session: Db) -> User:
    user = users.rename(session, user_id, name)
    if user is None:
        raise HTTPException(404)
    return user


@router.post("/users/{user_id}/shorten")
def shorten(user_id: int, session: Db) -> User | None:
    user = users.shorten(session, user_id)
    return user


@router.post("/users/{user_id}/clear")
def clear(user_id: int, session: Db) -> bool:
    user = session.get(User, user_id)
    user.id = user_id
    cleared = users.clear(session, user)
    return cleared


@router.post("/users")
def add(user: User, session: Db) -> User:
    user = users.add(session, user)
    return user
""",
            "tests/__init__.py": "",
            "tests/test_users.py": """\
from app.models import User
from app.repositories import users


def test_renamed(session, client):
    user = users.add(session, User(name="Ann"))
    assert client.put(f"/users/{user.id}?name=Bea").json()["name"] == "Bea"
""",
        },
        stopped=(
            "app/repositories/users.py:9",
            "app/repositories/users.py:20",
            "app/routers/users.py:28",
            "tests/test_users.py:6",
        ),
    ),
)
