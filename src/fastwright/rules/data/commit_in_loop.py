"""One transaction for one request: commit after the loop, not in it.

A commit for each row waits for the disk each time, and an error in the middle leaves half of the
work done: the first rows are there for good, the others are not. Add everything, commit once.

Loops without an end of their own (workers, batches of `while True`) commit on purpose and are left
alone, and so are loops over batches, loops that commit only every so many rows, and calls of
functions that open and commit a session of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite, Execution, Step
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.symbols import Function
from fastwright.edit.builders import block_of, delete_statements, insert_after
from fastwright.edit.fix import Fix
from fastwright.edit.source import is_alone, text
from fastwright.read import syntax as s
from fastwright.rules.data._loops import is_of_pieces, of_request, request_label
from fastwright.rules.evidence import call_name, evidence, of_calls, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_DEPTH = 3


def check(app: App) -> Iterator[Hit]:
    """Report commits that a loop repeats, in the loop's function or below a call in it."""
    running = served(app)
    reported: set[int] = set()
    for step in running.reached:
        for site, chain in _repeated(app, step):
            loop = site.around.loops[-1]
            if id(loop) in reported:
                continue
            reported.add(id(loop))
            proof = (
                *of_request(running, step.function),
                evidence(site.module, loop, "the loop"),
                *of_calls(chain[:-1]),
                evidence(chain[-1].module, chain[-1].node, call_name(chain[-1])),
            )
            through = f" (through {site.targets[0].qualname})" if len(chain) > 1 else ""
            message = (
                f"commits once for each turn of the loop{through}: an error leaves half of the work"
                f" done{request_label(running, step.function)}"
            )
            fix = _fix(step.function, site) if len(chain) == 1 else None
            yield Hit(place(site.module, site.node), message, proof, fix)


def _fix(function: Function, site: CallSite) -> Fix | None:
    """Return the fix that commits after the loop, where each turn of it ends with the commit."""
    module, loop = site.module, site.around.loops[-1]
    if not isinstance(loop, s.For) or loop.orelse or len(loop.body) < 2:
        return None
    last, found = loop.body[-1], block_of(function.node.body, loop)
    value = last.value if isinstance(last, s.ExprStmt) else None
    if (value.value if isinstance(value, s.Await) else value) is not site.node or found is None:
        return None
    source, outer = module.source, found[1]
    if outer is not loop or not is_alone(source, last.start, last.end):
        return None
    if any(isinstance(n, s.Flow) and n.keyword == "continue" for n in s.walk_scope(*loop.body)):
        return None
    gone = delete_statements(module, loop.body, [last])
    line = text(module, last)
    following = found[0][found[0].index(outer) + 1 :]
    if following and text(module, following[0]) == line:
        return Fix("suggest", tuple(gone))
    return Fix("suggest", (*gone, insert_after(module, loop, line)))


def _repeated(app: App, step: Step) -> Iterator[tuple[CallSite, tuple[CallSite, ...]]]:
    """Yield the calls in loops that commit, each with the calls that lead to the commit."""
    commits = {id(e.site.node): e for e in app.calls.executions(step.function) if _commits(e)}
    for site in app.calls.sites(step.function):
        if not site.around.loops:
            continue
        if id(site.node) in commits:
            if _in_plain_loop(site) and not _opened_in_loop(site):
                yield site, (site,)
            continue
        if not any(app.calls.asks_database(target) for target in site.targets):
            continue
        if not _in_plain_loop(site):
            continue
        for target in site.targets:
            below = _commit_below(app, target, _DEPTH)
            if below is not None:
                yield site, (site, *below)
                break


def _commits(execution: Execution) -> bool:
    return execution.kind == "commit" and execution.site.method == "commit"


def _in_plain_loop(site: CallSite) -> bool:
    around = site.around
    if not around.loops or around.deferred or around.handled or around.tries:
        return False
    loop = around.loops[-1]
    if not isinstance(loop, s.For) or _is_constant(loop.iter) or is_of_pieces(loop):
        return False
    inside = [b for b in around.branches if loop.start <= b.start < loop.end]
    if any(isinstance(node, s.BinOp) and node.op == "%" for b in inside for node in s.walk(b.test)):
        return False
    return not any(
        isinstance(node, (s.Return, s.Yield)) or _breaks(node) for node in s.walk_scope(*loop.body)
    )


def _opened_in_loop(site: CallSite) -> bool:
    """Whether the session is opened anew on each turn: a unit of work on purpose."""
    receiver = s.dotted(site.node.func.value) if isinstance(site.node.func, s.Attribute) else None
    loop = site.around.loops[-1]
    return any(
        loop.start <= statement.start < loop.end
        and any(s.dotted(item.optional_vars) == receiver for item in statement.items)
        for statement in site.around.withs
    )


def _breaks(node: s.Node) -> bool:
    return isinstance(node, s.Flow) and node.keyword == "break"


def _is_constant(node: s.Expr) -> bool:
    return isinstance(node, (s.List, s.Tuple, s.Set)) and all(
        isinstance(element, s.Constant) for element in node.elts
    )


def _commit_below(app: App, function: Function, depth: int) -> tuple[CallSite, ...] | None:
    """Return the calls that lead from a function to a commit that it always makes."""
    for execution in app.calls.executions(function):
        around = execution.site.around
        if _commits(execution) and not around.branches and not around.handled:
            return None if _opened_here(app, execution.site) else (execution.site,)
    if depth == 0:
        return None
    for site in app.calls.sites(function):
        if site.around.branches or site.around.handled or len(site.targets) != 1:
            continue
        below = _commit_below(app, site.targets[0], depth - 1)
        if below is not None:
            return (site, *below)
    return None


def _opened_here(app: App, site: CallSite) -> bool:
    """Whether a function commits a session of its own: then each call is a unit of work."""
    receiver = site.node.func.value if isinstance(site.node.func, s.Attribute) else None
    if not isinstance(receiver, s.Name):
        return False
    bound = app.types.locals.lookup(receiver.id, receiver.start, site.caller)
    return bound is None or bound.how != "parameter"


RULE = Rule(
    summary="a commit for each turn of a loop",
    severity="warning",
    mend="Commit once, after the loop; a repository should not commit, its caller should.",
    profiles=("performance",),
    app=check,
    recipe="unit-of-work",
    references=("https://docs.sqlalchemy.org/en/21/orm/session_basics.html#committing",),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine

class Item(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()
"""

CASES = (
    case(
        "in the endpoint, and below a repository's save",
        _HEAD
        + """
class Items:
    def __init__(self, session: Session):
        self.session = session

    def save(self, item: Item) -> None:
        self.session.add(item)
        self.session.commit()

@app.post("/a")
def a(ids: list[int], session: SessionDep) -> None:
    for key in ids:
        session.add(Item(id=key))
        session.commit()  # <-

@app.post("/b")
def b(ids: list[int], session: SessionDep) -> None:
    items = Items(session)
    for key in ids:
        items.save(Item(id=key))  # <-

@app.post("/c")
def c(ids: list[int], session: SessionDep) -> None:
    for key in ids:
        item = Item(id=key)
        session.add(item)
        session.commit()  # <-
        session.refresh(item)
""",
        after=_HEAD
        + """
class Items:
    def __init__(self, session: Session):
        self.session = session

    def save(self, item: Item) -> None:
        self.session.add(item)
        self.session.commit()

@app.post("/a")
def a(ids: list[int], session: SessionDep) -> None:
    for key in ids:
        session.add(Item(id=key))
    session.commit()

@app.post("/b")
def b(ids: list[int], session: SessionDep) -> None:
    items = Items(session)
    for key in ids:
        items.save(Item(id=key))

@app.post("/c")
def c(ids: list[int], session: SessionDep) -> None:
    for key in ids:
        item = Item(id=key)
        session.add(item)
        session.commit()
        session.refresh(item)
""",
    ),
    case(
        "each call is a unit of work with a session of its own",
        _HEAD
        + """
def save(key: int) -> None:
    with Session(engine) as session:
        session.add(Item(id=key))
        session.commit()

@app.post("/a")
def a(ids: list[int]) -> None:
    for key in ids:
        save(key)

@app.post("/b")
def b(ids: list[int]) -> None:
    for key in ids:
        with Session(engine) as session:
            session.add(Item(id=key))
            session.commit()
""",
    ),
    case(
        "after the loop, in batches, or once for a fixed few",
        _HEAD
        + """
@app.post("/a")
def a(ids: list[int], session: SessionDep) -> None:
    for key in ids:
        session.add(Item(id=key))
    session.commit()

@app.post("/b")
def b(ids: list[int], session: SessionDep) -> None:
    for number, key in enumerate(ids):
        session.add(Item(id=key))
        if number % 100 == 0:
            session.commit()

@app.post("/b2")
def b2(batches: list[list[int]], session: SessionDep) -> None:
    for batch in batches:
        session.add_all(Item(id=key) for key in batch)
        session.commit()

@app.post("/c")
def c(ids: list[int], session: SessionDep) -> None:
    while True:
        session.commit()
        if not ids:
            break
""",
    ),
)
