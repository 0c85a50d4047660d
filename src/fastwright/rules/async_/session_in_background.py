"""A task that outlives the request needs a session of its own.

What a dependency yields belongs to the request. A task started with `asyncio.create_task` or a
thread runs beside it and after it: the session is closed, or used by two at once. A background
task runs when the answer is sent: FastAPI 0.106 to 0.117 has closed the session by then; before and
since, the task keeps the request's connection and transaction for as long as it takes. Give the
task ids and plain values, and let it open a session itself.

Reported are sessions that a function was given (by a dependency or its caller) and hands on, alone
or inside an object that keeps one. Tasks that the same function awaits are right, and so is a
session that was opened for the task. A value whose type is not known is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class
from fastwright.app.types import FunctionValue, Instance, Type, alternatives
from fastwright.read import syntax as s
from fastwright.rules.data._loops import of_request
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_BACKGROUND = frozenset({"fastapi.BackgroundTasks.add_task", "starlette.background.BackgroundTask"})
_STARTS = frozenset(
    {
        "asyncio.create_task",
        "asyncio.ensure_future",
        "asyncio.run_coroutine_threadsafe",
        "asyncio.AbstractEventLoop.create_task",
        "threading.Thread",
        "concurrent.futures.ThreadPoolExecutor.submit",
    }
)
_KEPT = frozenset({"add", "append", "add_done_callback", "discard"})


def check(app: App) -> Iterator[Hit]:
    """Report sessions handed to what runs after the request."""
    running = served(app)
    for step in running.reached:
        for site in app.calls.sites(step.function):
            background = site.external in _BACKGROUND
            if not background and not (site.external in _STARTS and _outlives(app, site)):
                continue
            found = next(_handed(app, site), None)
            if found is None:
                continue
            node, what = found
            chain = (
                *of_request(running, step.function),
                evidence(site.module, node, f"hands over {what}"),
            )
            message = f"{what} of the request goes to a {_task(app, background=background)}"
            yield Hit(place(site.module, site.node), message, chain)


def _task(app: App, *, background: bool) -> str:
    if not background:
        return "task that outlives the request"
    version = app.versions.newest("fastapi")
    if version is not None and (0, 106) <= tuple(version[:2]) < (0, 118):
        return "background task, which runs when it is closed"
    return "background task, which keeps its connection after the answer"


def _outlives(app: App, site: CallSite) -> bool:
    """Whether nobody in the function waits for what a call starts."""
    if site.around.awaited:
        return False
    name: str | None = None
    for node, _ in app.calls.nodes(site.caller):
        if isinstance(node, s.ExprStmt) and node.value is site.node:
            return True
        if isinstance(node, s.Assign) and node.value is site.node:
            name = s.dotted(node.targets[0])
        if site.external == "threading.Thread" and isinstance(node, s.Attribute):
            if node.value is site.node and node.attr == "start":
                return True
    return name is not None and not _is_awaited(app, site, name)


def _is_awaited(app: App, site: CallSite, name: str) -> bool:
    """Whether a task with this name is used for anything but being kept alive."""
    for node, _ in app.calls.nodes(site.caller):
        if isinstance(node, s.Call):
            method = s.last_name(node.func)
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(s.dotted(argument) == name for argument in given) and method not in _KEPT:
                return True
            if isinstance(node.func, s.Attribute) and s.dotted(node.func.value) == name:
                if method in {"join", "result", "cancel"}:
                    return True
        elif isinstance(node, (s.Await, s.Return)) and node.value is not None:
            if s.dotted(node.value) == name:
                return True
        elif isinstance(node, (s.List, s.Tuple)) and any(s.dotted(e) == name for e in node.elts):
            return True
    return False


def _handed(app: App, site: CallSite) -> Iterator[tuple[s.Expr, str]]:
    """Yield what is given to a task and belongs to the request: the expression, what it is."""
    given = [*site.node.args, *(keyword.value for keyword in site.node.keywords)]
    for node in given:  # grows while it is walked
        if isinstance(node, s.Call):  # create_task(work(session))
            given += [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, (s.Tuple, s.List)):  # Thread(args=(session,))
            given += node.elts
        elif isinstance(node, s.Dict):
            given += node.values
    where = Where(site.module, site.caller)
    for node in given:
        if not isinstance(node, (s.Name, s.Attribute)) or not _was_given(app, node, site):
            continue
        for option in alternatives(app.types.of(node, where)):
            what = _belongs(app, option, s.dotted(node) or "")
            if what is not None:
                yield node, what


def _was_given(app: App, node: s.Expr, site: CallSite) -> bool:
    """Whether a value is a parameter, or hangs on one: what the function opened may be the task's."""
    base = node
    while isinstance(base, s.Attribute):
        base = base.value
    if not isinstance(base, s.Name):
        return False
    bound = app.types.locals.lookup(base.id, base.start, site.caller)
    return bound is not None and bound.how == "parameter"


def _belongs(app: App, option: Type, written: str) -> str | None:
    """Return what of the request a value holds: a session, alone or in the object that uses it."""
    if app.types.session_kind(option) is not None:
        return f"the session `{written}`"
    if isinstance(option, FunctionValue) and isinstance(option.receiver, Instance):
        owner = option.receiver
        if isinstance(owner.cls, Class) and _uses_session(app, option, owner):
            return f"`{written}`, which keeps the session,"
    return None


def _uses_session(app: App, method: FunctionValue, owner: Instance) -> bool:
    """Whether a method asks the database through a session that ``__init__`` was given."""
    if not isinstance(owner.cls, Class):
        return False
    init = app.linker.method(owner.cls, "__init__")
    if init is None:
        return False
    parameters = {parameter.name for parameter in init.parameters}
    names = {
        name
        for name, values in app.types.self_values(owner.cls).items()
        for function, _, value in values
        if function.node is init.node and isinstance(value, s.Name) and value.id in parameters
        if app.types.session_kind(app.types.attribute(owner, name)) is not None
    }
    if not names or not method.function.node.params:
        return False
    self_name = method.function.node.params[0].name
    return any(
        isinstance(node, s.Attribute) and node.attr in names and s.dotted(node.value) == self_name
        for node, _ in app.calls.nodes(method.function)
    )


RULE = Rule(
    summary="the request's session in a background task",
    severity="error",
    mend="Give the task ids and plain values; let it open a session of its own.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/",),
)

_SESSION = """
from typing import Annotated
import asyncio, threading
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
        "handed to BackgroundTasks, directly, through a service, with the object that keeps it",
        _SESSION
        + """
def report(session, user_id: int): ...

class Service:
    def __init__(self, session: Session):
        self.session = session

    def later(self, tasks: BackgroundTasks):
        tasks.add_task(report, self.session, 1)  # <-

    def work(self, user_id: int):
        self.session.commit()

def get_service(session: SessionDep) -> Service:
    return Service(session)

@app.post("/a")
def a(session: SessionDep, tasks: BackgroundTasks, service: Service = Depends(get_service)) -> None:
    tasks.add_task(report, session, 1)  # <-
    tasks.add_task(service.work, 1)  # <-
    service.later(tasks)
""",
    ),
    case(
        "in a task or a thread that nobody waits for",
        _SESSION
        + """
tasks = set()

async def report(session, user_id: int): ...

def plain(session, user_id: int): ...

@app.post("/b")
async def b(session: SessionDep) -> None:
    asyncio.create_task(report(session, 1))  # <-
    task = asyncio.create_task(report(session, 2))  # <-
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    threading.Thread(target=plain, args=(session, 1)).start()  # <-
""",
    ),
    case(
        "plain values are right, and so is a session of the task's own",
        _SESSION
        + """
def report(user_id: int):
    with Session(engine) as session:
        session.commit()

def work(session: Session, user_id: int): ...

@app.post("/a")
def a(session: SessionDep, tasks: BackgroundTasks) -> None:
    tasks.add_task(report, 1)
    own = Session(engine)
    tasks.add_task(work, own, 1)
""",
    ),
    case(
        "the function waits for its tasks; an object without a session",
        _SESSION
        + """
async def report(session, user_id: int): ...

class Mailer:
    def __init__(self, host: str):
        self.host = host

    def send(self, to: str): ...

@app.post("/b")
async def b(session: SessionDep, tasks: BackgroundTasks, mailer: Mailer = Depends()) -> None:
    task = asyncio.create_task(report(session, 1))
    await task
    both = asyncio.create_task(report(session, 1))
    await asyncio.gather(both)
    tasks.add_task(mailer.send, "a")
""",
    ),
)
