"""Who opens a session closes it, whatever happens in between.

A session keeps a connection from its first statement on until it is closed. When a request that opened one
ends without `close()`, or fails before it, the connection stays out of the pool until the garbage collector finds
the session (which an async session does not survive unharmed); under load the pool is empty, and requests wait and
time out. `with SessionLocal() as session:`, `try`/`finally`, or a dependency that closes after its `yield`
are right.

Reported are sessions that what serves requests opens and keeps in a local name, where nothing closes them, or where
the `close()` is skipped when a statement before it raises; sessions that are used without a name
(`SessionLocal().query(...)`); dependencies that return a session rather than yield it; and dependencies that yield it
and do not close it in a `finally`. Left alone: sessions that are handed to something else that may close them
(other libraries, constructors, attributes, callers), and `scoped_session`, which has a `remove()` elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite, Step
from fastwright.app.model import App
from fastwright.app.on_loop import Loop, served
from fastwright.app.orm import SESSIONS
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import ClassObject, ExternalValue, Instance, alternatives
from fastwright.edit import source as at
from fastwright.edit.builders import delete_statements, under
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.data._loops import of_request, request_label
from fastwright.rules.evidence import call_name, evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_MAKER = "sqlalchemy.orm.sessionmaker"
_MAKES = SESSIONS | {f"{_MAKER}.__call__"}
_CLOSING = frozenset({"close", "aclose", "remove", "close_all", "__exit__", "__aexit__"})
_SCOPED = frozenset({"scoped_session", "async_scoped_session"})


def check(app: App) -> Iterator[Hit]:
    """Report sessions that requests open and may leave open."""
    if not any(_marked(module) for module in app.sources):
        return
    running = served(app)
    providers = _providers(app)
    for step in running.reached:
        for site in app.calls.sites(step.function):
            if site.external not in _MAKES and not isinstance(site.callee, ClassObject):
                continue
            if not _opens(app, site) or site.around.deferred or site.around.handled:
                continue
            problem = _problem(app, site, is_provider=id(step.function.node) in providers)
            if problem is not None:
                yield _hit(running, step, site, problem)


def _marked(module: Module) -> bool:
    """Whether a module has to do with sessions at all."""
    return "sqlalchemy" in module.header.marks or "sqlmodel" in module.header.marks


def _hit(running: Loop, step: Step, site: CallSite, problem: str) -> Hit:
    message = f"{problem}{request_label(running, step.function)}"
    opened = evidence(site.module, site.node, f"{call_name(site)}() opens a session")
    proof = (*of_request(running, step.function), opened)
    return Hit(place(site.module, site.node), message, proof, _fix(site))


def _fix(site: CallSite) -> Fix | None:
    """Return the fix that opens the session in a ``with`` around the rest of the function."""
    module, function = site.module, site.caller.node
    body = function.body
    statement = next((each for each in body if each.start <= site.node.start < each.end), None)
    target = statement.targets[0] if isinstance(statement, s.Assign) else None
    if not isinstance(statement, s.Assign) or not isinstance(target, s.Name):
        return None
    if statement.value is not site.node or len(statement.targets) != 1 or body[-1] is statement:
        return None
    rest = body[body.index(statement) + 1 :]
    closing = [each for each in rest if _closes(each, target.id)]
    kept = [each for each in rest if each not in closing]
    if not kept or rest[0] in closing or any(_is_given_back(each, target.id) for each in kept):
        return None
    is_async = "async" in (site.external or "").lower()
    if is_async and not function.is_async:
        return None
    head = f"{'async ' if is_async else ''}with {at.text(module, site.node)} as {target.id}:"
    edits = under(module, rest, head)
    if edits is None:
        return None
    gone = [
        *delete_statements(module, body, [statement]),
        *delete_statements(module, rest, closing),
    ]
    inside = [e for e in edits if not any(g.start <= e.start < g.end for g in gone)]
    return Fix("suggest", (*gone, *inside)) if len(inside) + len(closing) >= len(edits) else None


def _closes(statement: s.Stmt, name: str) -> bool:
    call = statement.value if isinstance(statement, s.ExprStmt) else None
    call = call.value if isinstance(call, s.Await) else call
    return (
        isinstance(call, s.Call)
        and s.last_name(call.func) in {"close", "aclose"}
        and _is_on(call.func, name)
    )


def _is_given_back(statement: s.Stmt, name: str) -> bool:
    return any(
        isinstance(node, s.Return) and s.dotted(node.value) == name
        for node in s.walk_scope(statement)
    )


def _providers(app: App) -> set[int]:
    """Return the dependencies, by ``id(node)``."""
    return {
        id(dependency.function.node)
        for route in app.routes
        for dependency in route.all_dependencies()
        if dependency.function is not None
    }


# ------------------------------------------------------------------------ opening


def _opens(app: App, site: CallSite) -> bool:
    """Whether a call surely makes a new session."""
    options = alternatives(site.callee)
    if len(options) != 1:
        return False
    option = options[0]
    if isinstance(option, Instance):
        return option.cls == _MAKER and not _is_scoped(app, site)
    if isinstance(option, ClassObject) and isinstance(option.cls, Class):
        return app.types.session_kind(Instance(option.cls)) is not None
    return isinstance(option, ExternalValue) and option.name in SESSIONS


def _is_scoped(app: App, site: CallSite) -> bool:
    """Whether a maker may be a ``scoped_session``: also where it is not known how it was made."""
    func = site.node.func
    symbol = app.linker.expression(func, site.module, site.caller)
    if isinstance(symbol, Variable):
        values = [symbol.value]
    elif isinstance(func, s.Attribute) and site.caller.owner is not None:
        found = app.types.self_values(site.caller.owner).get(func.attr, [])
        values = [value for _, _, value in found]
    else:
        return True
    return not values or any(value is None or s.last_name(value) in _SCOPED for value in values)


# ------------------------------------------------------------------------ closing


def _problem(app: App, site: CallSite, *, is_provider: bool) -> str | None:
    """Return what is wrong with how an opened session is closed, None where it is right or unknown."""
    function = site.caller
    if _is_entered(app, function, site.node):
        return None
    for node, _ in app.calls.of_kind(function, s.Attribute):
        if node.value is site.node and node.attr not in {*_CLOSING, "begin"}:
            return f"the session of {call_name(site)}() has no name: nothing can close it"
    for returned, _ in app.calls.of_kind(function, s.Return):
        if returned.value is site.node:
            return _returned(function) if is_provider else None
    name = _name(app, function, site.node)
    if name is None:
        return None
    return _of_name(app, site, name, is_provider=is_provider)


def _returned(function: Function) -> str:
    return f"{function.name} returns a session instead of yielding it: FastAPI closes nothing"


def _is_entered(app: App, function: Function, node: s.Node) -> bool:
    """Whether a node stands in the head of a ``with``."""
    return any(
        item.context_expr.start <= node.start < item.context_expr.end
        for statement, _ in app.calls.of_kind(function, s.With)
        for item in statement.items
    )


def _name(app: App, function: Function, node: s.Call) -> str | None:
    """Return the only local name that a call's value is kept in."""
    for statement, _ in app.calls.of_kind(function, s.Assign):
        if statement.value is node:
            target = statement.targets[0]
            return target.id if len(statement.targets) == 1 and isinstance(target, s.Name) else None
    for annotated, _ in app.calls.of_kind(function, s.AnnAssign):
        if annotated.value is node and isinstance(annotated.target, s.Name):
            return annotated.target.id
    return None


def _of_name(app: App, site: CallSite, name: str, *, is_provider: bool) -> str | None:
    function = site.caller
    if len(app.types.locals.of(function).get(name, [])) != 1:
        return None
    uses = [
        n for n, _ in app.calls.of_kind(function, s.Name) if n.id == name and n.end > site.node.end
    ]
    if any(_is_entered(app, function, use) for use in uses) or _is_captured(function, name):
        return None
    closes = [
        other
        for other in app.calls.sites(function)
        if other.method in _CLOSING and _is_on(other.node.func, name)
    ]
    if any(_is_final(app, function, close.node) for close in closes):
        return None
    if is_provider and _gives(app, function, name, s.Return):
        return _returned(function)
    if _is_handed_on(app, function, name, closes):
        return None
    if not closes:
        return f"nothing closes the session {name!r}"
    last = max(close.node.start for close in closes)
    if any(close.around.handled for close in closes) or not _may_raise(app, site, name, last):
        return None
    return f"the session {name!r} stays open when something raises before its close()"


def _is_on(func: s.Expr, name: str) -> bool:
    return isinstance(func, s.Attribute) and s.dotted(func.value) == name


def _is_captured(function: Function, name: str) -> bool:
    """Whether a nested function reads the name."""
    return any(
        isinstance(node, s.Name) and node.id == name
        for inner in s.inner_definitions(function.node)
        for node in s.walk(*inner.body)
    )


def _is_final(app: App, function: Function, node: s.Node) -> bool:
    return any(
        statement.start <= node.start < statement.end
        for tried, _ in app.calls.of_kind(function, s.Try)
        for statement in tried.finalbody
    )


def _gives(app: App, function: Function, name: str, kind: type[s.Return]) -> bool:
    return any(s.dotted(node.value) == name for node, _ in app.calls.of_kind(function, kind))


def _is_handed_on(app: App, function: Function, name: str, closes: list[CallSite]) -> bool:
    """Whether something else may close a session: it leaves the function, or unknown code gets it."""
    plain = {id(close.node) for close in closes}
    known = set()
    for site in app.calls.sites(function):
        for child in _parts(site.node):
            if isinstance(child, s.Name) and child.id == name:
                if not _keeps_open(site, child):
                    return True
                known.add(id(child))
        if isinstance(site.node.func, s.Attribute) and _is_on(site.node.func, name):
            known.add(id(site.node.func.value))
            if site.method in {"__enter__", "__aenter__"} and id(site.node) not in plain:
                return True
    known |= {id(node.value) for node, _ in app.calls.of_kind(function, s.Attribute)}
    known |= {id(node.value) for node, _ in app.calls.of_kind(function, s.Yield)}
    known |= {id(t) for node, _ in app.calls.of_kind(function, s.Assign) for t in node.targets}
    known |= {id(node.target) for node, _ in app.calls.of_kind(function, s.AnnAssign)}
    names = [node for node, _ in app.calls.of_kind(function, s.Name) if node.id == name]
    return any(id(node) not in known for node in names)


def _parts(call: s.Call) -> list[s.Expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _keeps_open(site: CallSite, given: s.Name) -> bool:
    """Whether a call surely neither closes nor keeps the session that it is given."""
    if not site.targets:
        return False
    for target in site.targets:
        if target.name in {"__init__", "__post_init__"} or target.node.is_generator:
            return False
        if not _CLOSING.isdisjoint(target.node.called):
            return False
        for node in s.walk(*target.node.body):
            if isinstance(node, s.Assign) and isinstance(
                node.targets[0], (s.Attribute, s.Subscript)
            ):
                if _mentions(node.value, target, site, given):
                    return False
    return True


def _mentions(node: s.Expr, target: Function, site: CallSite, given: s.Name) -> bool:
    """Whether an expression names the parameter that is given the session."""
    names = {
        parameter.name
        for position, parameter in enumerate(target.parameters)
        if site.node.argument(position, parameter.name) is given
    }
    return any(isinstance(inner, s.Name) and inner.id in names for inner in s.walk(node))


def _may_raise(app: App, site: CallSite, name: str, last: int) -> bool:
    """Whether the session is asked something, or a request is waited for, before it is closed."""
    function = site.caller
    between = range(site.node.end, last)
    if any(node.start in between for node, _ in app.calls.of_kind(function, s.Yield)):
        return True
    return any(
        run.site.node.start in between
        and not run.site.around.tries
        and _is_on(run.site.node.func, name)
        for run in app.calls.executions(function)
    )


RULE = Rule(
    summary="a session is not closed, or not when something fails",
    severity="warning",
    mend="Open it with `with SessionLocal() as session:` (`async with` for an async one); in a dependency,"
    " `yield` the session inside that block.",
    app=check,
    references=(
        "https://docs.sqlalchemy.org/en/20/orm/session_basics.html#opening-and-closing-a-session",
        "https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/",
        "CWE-772",
    ),
)

_HEAD = """
from contextlib import ExitStack, closing
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(bind=engine)
AsyncLocal = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))
Scoped = scoped_session(sessionmaker(bind=engine))
app = FastAPI()

def count(db: Session) -> int:
    return db.execute(text("SELECT count(*) FROM users")).scalar_one()
"""

CASES = (
    case(
        "in endpoints",
        _HEAD
        + """
@app.get("/a")
def a() -> int:
    db = SessionLocal()  # <-
    return count(db)

@app.get("/b")
def b() -> int:
    db = Session(engine)  # <-
    found = db.execute(text("SELECT 1")).scalar_one()
    db.close()
    return found

@app.get("/c")
def c() -> int:
    return SessionLocal().execute(text("SELECT 1")).scalar_one()  # <-

@app.get("/d")
async def d() -> None:
    session: AsyncSession = AsyncLocal()  # <-
    await session.execute(text("SELECT 1"))
    await session.commit()
""",
        after=_HEAD
        + """
@app.get("/a")
def a() -> int:
    with SessionLocal() as db:
        return count(db)

@app.get("/b")
def b() -> int:
    with Session(engine) as db:
        found = db.execute(text("SELECT 1")).scalar_one()
        return found

@app.get("/c")
def c() -> int:
    return SessionLocal().execute(text("SELECT 1")).scalar_one()

@app.get("/d")
async def d() -> None:
    session: AsyncSession = AsyncLocal()
    await session.execute(text("SELECT 1"))
    await session.commit()
""",
    ),
    case(
        "in dependencies",
        _HEAD
        + """
def returned():
    return SessionLocal()  # <-

def named():
    db = SessionLocal()  # <-
    return db

def forgotten():
    db = SessionLocal()  # <-
    yield db

def unless_it_fails():
    db = SessionLocal()  # <-
    yield db
    db.close()

@app.get("/")
def home(a=Depends(returned), b=Depends(named), c=Depends(forgotten), d=Depends(unless_it_fails)): ...
""",
    ),
    case(
        "closed in each of the right ways",
        _HEAD
        + """
def yielded():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()

async def entered():
    async with AsyncLocal() as session:
        yield session

@app.get("/a")
def a(one=Depends(yielded), two=Depends(entered)) -> int:
    with SessionLocal() as db, SessionLocal.begin() as other, closing(SessionLocal()) as third:
        return count(db)

@app.get("/b")
def b() -> int:
    db = SessionLocal()
    with db:
        return count(db)

@app.get("/c")
def c() -> int:
    db = SessionLocal()
    try:
        found = count(db)
    except Exception:
        db.close()
        raise
    db.close()
    return found
""",
    ),
    case(
        "handed on, or scoped",
        _HEAD
        + """
class Work:
    def __init__(self, db: Session):
        self.db = db

    def __enter__(self):
        self.other = SessionLocal()
        return self

    def __exit__(self, *_):
        self.db.close()
        self.other.close()

def open_one() -> Session:
    return SessionLocal()

@app.get("/a")
def a() -> int:
    db = SessionLocal()
    with Work(db) as work, ExitStack() as stack:
        stack.enter_context(SessionLocal())
        return count(work.db)

@app.get("/b")
def b() -> int:
    db = open_one()
    scoped = Scoped()
    return count(scoped)
""",
    ),
)
