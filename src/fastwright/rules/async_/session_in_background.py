"""A background task outlives the request's session.

What a dependency yields belongs to the request. A task given to `BackgroundTasks`, or started with
`asyncio.create_task` or a thread, runs after (or beside) it: the session is closed or shared with
another statement by then, and rows of it can no longer load anything. Give the task ids and plain
values, and let it open a session of its own.

Sessions are recognised by their type; a value of which nothing is known is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.on_loop import entries
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class
from fastwright.app.types import Instance, Type, alternatives
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_calls, of_entry, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_STARTS = frozenset(
    {
        "asyncio.create_task",
        "asyncio.ensure_future",
        "asyncio.run_coroutine_threadsafe",
        "threading.Thread",
        "concurrent.futures.ThreadPoolExecutor.submit",
    }
)


def check(app: App) -> Iterator[Hit]:
    """Report sessions and rows handed to what runs after the request."""
    known = {id(entry.function.node): entry for entry in reversed(list(entries(app)))}
    for step in app.reached:
        for site in app.calls.sites(step.function):
            if not _starts_task(site):
                continue
            handed = next(_handed(app, site), None)
            if handed is None:
                continue
            node, what = handed
            entry = known.get(id(step.root.node))
            start = of_entry(entry) if entry is not None else ()
            chain = (
                *start,
                *of_calls(step.chain),
                evidence(site.module, node, f"hands over {what}"),
            )
            message = f"{what} of the request goes to a task that outlives it"
            yield Hit(place(site.module, node), message, chain)


def _starts_task(site: CallSite) -> bool:
    if site.external in _STARTS:
        return True
    return site.external == "fastapi.BackgroundTasks.add_task"


def _handed(app: App, site: CallSite) -> Iterator[tuple[s.Expr, str]]:
    """Yield what is given to a task and belongs to the request: the expression, what it is."""
    given = [*site.node.args, *(keyword.value for keyword in site.node.keywords)]
    for node in list(given):
        if isinstance(node, s.Call):  # create_task(work(session))
            given += [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node, (s.Tuple, s.List)):  # Thread(args=(session,))
            given += node.elts
    where = Where(site.module, site.caller)
    for node in given:
        if not _comes_from_outside(app, node, site):
            continue
        for option in alternatives(app.types.of(node, where)):
            what = _belongs(app, option)
            if what is not None:
                yield node, what


def _comes_from_outside(app: App, node: s.Expr, site: CallSite) -> bool:
    """Whether a session is a parameter: one that the function opened itself may be the task's own."""
    if not isinstance(node, s.Name):
        return isinstance(node, s.Attribute)
    bound = app.types.locals.lookup(node.id, node.start, site.caller)
    return bound is not None and bound.how == "parameter"


def _belongs(app: App, option: Type) -> str | None:
    if app.types.session_kind(option) is not None:
        return "the session"
    if isinstance(option, Instance) and isinstance(option.cls, Class):
        if option.query is not None and app.types.is_table(option.cls):
            return f"a row of {option.cls.name}"
    return None


RULE = Rule(
    summary="the request's session in a background task",
    severity="error",
    mend="Give the task ids and plain values; let it open a session of its own.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/",),
)

_SESSION = """
from typing import Annotated
import asyncio
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlmodel import Session, create_engine

engine = create_engine("sqlite://")
app = FastAPI()

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
"""

CASES = (
    case(
        "handed to BackgroundTasks, directly and through a service",
        _SESSION
        + """
def report(session, user_id: int): ...

class Service:
    def __init__(self, session: Session):
        self.session = session

    def later(self, tasks: BackgroundTasks):
        tasks.add_task(report, self.session, 1)  # <-

@app.post("/a")
def a(session: SessionDep, tasks: BackgroundTasks) -> None:
    tasks.add_task(report, session, 1)  # <-
    Service(session).later(tasks)

@app.post("/b")
async def b(session: SessionDep) -> None:
    asyncio.create_task(report(session, 1))  # <-
""",
    ),
    case(
        "plain values are right, and so is a session of the task's own",
        _SESSION
        + """
def report(user_id: int):
    with Session(engine) as session:
        session.commit()

@app.post("/a")
def a(session: SessionDep, tasks: BackgroundTasks) -> None:
    tasks.add_task(report, 1)
""",
    ),
)
