"""Tasks that run at once need a session each.

An `AsyncSession` is one connection with one conversation; SQLAlchemy says that it is not safe to share among
tasks. When `gather` or a task group runs two coroutines on the same session, the second statement starts while
the first one waits: at best the driver lets it queue, and nothing is won; otherwise SQLAlchemy raises
(`InvalidRequestError`, "concurrent operations are not permitted"), or the commit of one task ends the transaction of
the other. Open a session in each task, or ask one after the other; one statement with `IN` is often enough.

Reported are `asyncio.gather`, `asyncio.wait`, `as_completed` and `create_task` of a task group over several
coroutines that ask the database through the same async session: given to each as an argument, held by the
object that they are methods of, or taken from the function around them. Coroutines that open a session of
their own or wait for a lock are left alone, and so is what cannot be followed.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.on_loop import served
from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name, evidence, of_entry, of_step, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Rule, case

_TOGETHER = frozenset({"asyncio.gather", "asyncio.wait", "asyncio.as_completed"})
_GROUPS = frozenset({"asyncio.TaskGroup", "anyio.TaskGroup"})
_WRAPPING = frozenset({"create_task", "ensure_future", "wait_for", "shield"})
_DEPTH = 3


def check(app: App) -> Iterator[Hit]:
    """Report sessions that tasks share."""
    running = served(app)
    for step in running.reached:
        function = step.function
        if {"gather", "wait", "as_completed", "create_task"}.isdisjoint(function.node.called):
            continue
        for site, coroutines in _together(app, function):
            found = _shared(app, function, coroutines)
            if found is None:
                continue
            name, uses = found
            message = f"tasks that run at once share the async session {name!r}"
            way = (*of_entry(running.entry(step.root)), *of_step(step))
            links = tuple(_link(use, name) for use in uses[:3])
            yield Hit(place(site.module, site.node), message, (*way, *links))


def _link(use: CallSite, name: str) -> Evidence:
    return evidence(use.module, use.node, f"{call_name(use)} asks the database through {name}")


# ------------------------------------------------------------------ what runs at once


def _together(app: App, function: Function) -> Iterator[tuple[CallSite, list[tuple[s.Call, bool]]]]:
    """Yield the calls that run coroutines at once, with these and whether each is many."""
    groups: dict[str, list[tuple[CallSite, s.Call, bool]]] = {}
    for site in app.calls.sites(function):
        if site.external in _TOGETHER:
            yield site, list(_given(app, function, site.node))
        elif site.method == "create_task" and isinstance(site.node.func, s.Attribute):
            owner = s.dotted(site.node.func.value)
            coroutine = site.node.argument(0, "coro")
            if owner and isinstance(coroutine, s.Call) and _is_group(app, function, site):
                repeated = _repeats(site, owner)
                groups.setdefault(owner, []).append((site, coroutine, repeated))
    for tasks in groups.values():
        yield tasks[0][0], [(coroutine, many) for _, coroutine, many in tasks]


def _is_group(app: App, function: Function, site: CallSite) -> bool:
    func = site.node.func
    if not isinstance(func, s.Attribute) or not isinstance(func.value, s.Name):
        return False
    bound = app.types.locals.lookup(func.value.id, func.start, function)
    if bound is None or not isinstance(bound.value, s.Call):
        return False
    return app.linker.external(bound.value.func, function.module, function) in _GROUPS


def _repeats(site: CallSite, group: str) -> bool:
    """Whether a loop inside of the group's block makes the task."""
    if not site.around.loops:
        return False
    loop = site.around.loops[-1]
    return any(
        s.dotted(item.optional_vars) == group and node.start < loop.start
        for node in site.around.withs
        for item in node.items
    )


def _given(app: App, function: Function, call: s.Call) -> Iterator[tuple[s.Call, bool]]:
    for argument in call.args:
        node = argument.value if isinstance(argument, s.Starred) else argument
        yield from _coroutines(app, function, node)


def _coroutines(app: App, function: Function, node: s.Expr) -> Iterator[tuple[s.Call, bool]]:
    """Yield the coroutines that an argument of ``gather`` holds, and whether each is many."""
    if isinstance(node, s.Comp):
        inner = _unwrapped(node.elt)
        if isinstance(inner, s.Call):
            yield inner, True
    elif isinstance(node, (s.List, s.Tuple)):
        for element in node.elts:
            yield from _coroutines(app, function, element)
    elif isinstance(node, s.Call):
        inner = _unwrapped(node)
        if isinstance(inner, s.Call):
            yield inner, False
    elif isinstance(node, s.Name):
        yield from _named(app, function, node)


def _unwrapped(node: s.Expr) -> s.Expr:
    """Return the coroutine in ``create_task(coroutine)``."""
    if isinstance(node, s.Call) and s.last_name(node.func) in _WRAPPING and node.args:
        return _unwrapped(node.args[0])
    return node


def _named(app: App, function: Function, node: s.Name) -> Iterator[tuple[s.Call, bool]]:
    """Yield what a local list of coroutines holds: made at once, or by ``append``."""
    bounds = app.types.locals.of(function).get(node.id, [])
    if len(bounds) != 1 or bounds[0].value is None or bounds[0].how != "assign":
        return
    value = bounds[0].value
    if not isinstance(value, s.Name):
        yield from _coroutines(app, function, value)
    for site in app.calls.sites(function):
        func = site.node.func
        if isinstance(func, s.Attribute) and func.attr == "append" and site.node.args:
            inner = _unwrapped(site.node.args[0])
            if s.dotted(func.value) == node.id and isinstance(inner, s.Call):
                yield inner, bool(site.around.loops)


# ------------------------------------------------------------------------ what is shared


def _shared(
    app: App, function: Function, coroutines: list[tuple[s.Call, bool]]
) -> tuple[str, list[CallSite]] | None:
    """Return the session that at least two of the coroutines use, and the calls that do."""
    users: dict[str, list[CallSite]] = {}
    counts: dict[str, int] = {}
    sites = {id(site.node): site for site in app.calls.sites(function)}
    for coroutine, many in coroutines:
        site = sites.get(id(coroutine))
        if site is None:
            continue
        for name in _sessions(app, site):
            if many and _is_own(app, site, name):
                continue
            users.setdefault(name, []).append(site)
            counts[name] = counts.get(name, 0) + (2 if many else 1)
    return next(((name, users[name]) for name in users if counts[name] > 1), None)


def _is_own(app: App, site: CallSite, name: str) -> bool:
    """Whether a session is another one on each turn of the loop."""
    root = name.partition(".")[0]
    if not site.around.loops:
        return False
    loop = site.around.loops[-1]
    return any(
        loop.start <= bound.offset < loop.end
        for bound in app.types.locals.of(site.caller).get(root, [])
    )


def _sessions(app: App, site: CallSite) -> Iterator[str]:
    """Yield the names, in the caller, of the async sessions that a coroutine asks through."""
    if site.receiver is not None and app.types.session_kind(site.receiver) == "async":
        if isinstance(site.node.func, s.Attribute) and (name := s.dotted(site.node.func.value)):
            yield name
        return
    if len(site.targets) != 1 or not site.targets[0].is_async:
        return
    for path in _used(app, site.targets[0], _DEPTH):
        name = _outside(site, path)
        if name is not None:
            yield name


def _outside(site: CallSite, path: str) -> str | None:
    """Return what a path that starts with a name of the callee (``self.session``) is in the caller."""
    target = site.targets[0]
    root, _, rest = path.partition(".")
    names = [parameter.name for parameter in target.parameters]
    given: s.Expr | None = None
    if root in names:
        given = site.node.argument(names.index(root), root)
    elif target.node.params and root == target.node.params[0].name and target.owner is not None:
        given = site.node.func.value if isinstance(site.node.func, s.Attribute) else None
    elif target.outer is not None and target.outer.node is site.caller.node:
        return path
    before = s.dotted(given)
    return ".".join(filter(None, (before, rest))) if before is not None else None


def _used(app: App, function: Function, depth: int) -> set[str]:
    """Return the paths (``session``, ``self.session``) of async sessions that a function always asks."""
    if _waits_for_lock(app, function):
        return set()
    found: set[str] = set()
    for run in app.calls.executions(function):
        func = run.site.node.func
        if run.session == "async" and isinstance(func, s.Attribute):
            path = s.dotted(func.value)
            if path is not None and _is_from_outside(app, function, path):
                found.add(path)
    if depth:
        for site in app.calls.sites(function):
            if len(site.targets) == 1 and site.around.awaited:
                inner = _used(app, site.targets[0], depth - 1)
                paths = (_outside(site, path) for path in inner)
                found.update(p for p in paths if p and _is_from_outside(app, function, p))
    return found


def _is_from_outside(app: App, function: Function, path: str) -> bool:
    """Whether a path starts with a parameter that is never bound again, or with a name of the function around."""
    root, _, rest = path.partition(".")
    bounds = app.types.locals.of(function).get(root, [])
    if not bounds:
        return function.outer is not None and not rest
    if len(bounds) != 1 or bounds[0].parameter is None:
        return False
    return not rest or _is_kept(app, function, root, rest)


def _is_kept(app: App, function: Function, root: str, rest: str) -> bool:
    """Whether ``self.session`` is an attribute that ``__init__`` sets, not a property that makes one."""
    owner = function.owner
    if owner is None or "." in rest or root != function.node.params[0].name:
        return False
    return any(
        rest in app.types.self_values(ancestor)
        for ancestor in app.linker.mro(owner)
        if isinstance(ancestor, Class)
    )


def _waits_for_lock(app: App, function: Function) -> bool:
    heads = [
        item.context_expr for node, _ in app.calls.of_kind(function, s.With) for item in node.items
    ]
    names = (s.dotted(node) or s.last_name(node) or "" for node in heads)
    return any(word in name.lower() for name in names for word in ("lock", "sem", "mutex"))


RULE = Rule(
    summary="one async session in tasks that run at once",
    severity="error",
    mend="Open a session in each task (`async with session_maker() as session:`), or await one after the other.",
    app=check,
    references=(
        "https://docs.sqlalchemy.org/en/20/orm/session_basics.html#is-the-session-thread-safe-is-asyncsession-safe-to-share-in-concurrent-tasks",
        "CWE-362",
    ),
)

_HEAD = """
import asyncio
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

maker = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))
lock = asyncio.Lock()
app = FastAPI()

async def get_session():
    async with maker() as session:
        yield session

SessionDep = Annotated[AsyncSession, Depends(get_session)]

async def count(session: AsyncSession, name: str) -> int:
    return (await session.execute(text("SELECT 1"), {"name": name})).scalar_one()

async def count_alone(name: str) -> int:
    async with maker() as session:
        return await count(session, name)

async def count_in_turn(session: AsyncSession, name: str) -> int:
    async with lock:
        return await count(session, name)

class Repository:
    def __init__(self, session: AsyncSession):
        self.session = session

    async def get(self, id: int) -> int:
        return await self.session.scalar(text("SELECT 1"), {"id": id})
"""

CASES = (
    case(
        "gather, a list of tasks, a group",
        _HEAD
        + """
@app.get("/a")
async def a(session: SessionDep) -> list[int]:
    return await asyncio.gather(*[count(session, name) for name in ("a", "b")])  # <-

@app.get("/b")
async def b(session: SessionDep) -> None:
    await asyncio.gather(  # <-
        session.execute(text("SELECT 1")),
        session.execute(text("SELECT 2")),
    )

@app.get("/c")
async def c(session: SessionDep) -> None:
    tasks = []
    for name in ("a", "b"):
        tasks.append(asyncio.create_task(count(session, name)))
    await asyncio.gather(*tasks)  # <-

@app.get("/d")
async def d(session: SessionDep) -> None:
    async with asyncio.TaskGroup() as group:
        for name in ("a", "b"):
            group.create_task(count(session, name))  # <-
""",
    ),
    case(
        "held by a repository, or taken from the function around",
        _HEAD
        + """
@app.get("/a")
async def a(session: SessionDep, ids: list[int]) -> list[int]:
    repository = Repository(session)
    return await asyncio.gather(*(repository.get(id) for id in ids))  # <-

@app.get("/b")
async def b(session: SessionDep, names: list[str]) -> list[int]:
    async def one(name: str) -> int:
        return await count(session, name)

    tasks = [one(name) for name in names]
    return await asyncio.gather(*tasks)  # <-
""",
    ),
    case(
        "a session each, in turn, or one task only",
        _HEAD
        + """
@app.get("/a")
async def a(session: SessionDep, names: list[str]) -> None:
    await asyncio.gather(*[count_alone(name) for name in names])
    await asyncio.gather(*[count_in_turn(session, name) for name in names])
    await asyncio.gather(count(session, "a"), asyncio.sleep(1), count_alone("b"))
    for name in names:
        await asyncio.gather(count(session, name), asyncio.sleep(1))

@app.get("/b")
async def b(names: list[str]) -> None:
    async def one(name: str) -> int:
        async with maker() as session:
            return await count(session, name)

    async with maker() as first, maker() as second:
        await asyncio.gather(count(first, "a"), count(second, "b"))
        await asyncio.gather(*[one(name) for name in names])

@app.get("/c")
async def c(session: SessionDep, names: list[str]) -> None:
    for name in names:
        async with asyncio.TaskGroup() as group:
            group.create_task(count(session, name))
""",
    ),
)
