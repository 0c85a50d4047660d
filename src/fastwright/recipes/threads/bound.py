"""What binds code to the thread of the event loop: work of the loop itself, state that others share, sessions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from weakref import WeakKeyDictionary

from fastwright.app.calls import CallSite, Reached
from fastwright.app.model import App
from fastwright.app.on_loop import entries, served
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import Literal
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module

_CHANGING = frozenset({"append", "add", "update", "pop", "popitem", "setdefault", "clear", "extend",
                       "insert", "remove", "discard", "appendleft", "popleft"})  # fmt: skip
_OF_LOOP = ("asyncio.", "anyio.", "contextvars.")
_ANYWHERE = frozenset({"asyncio.run", "asyncio.iscoroutinefunction", "asyncio.iscoroutine",
                       "contextvars.ContextVar.get"})  # fmt: skip
_CACHING = frozenset({"lru_cache", "cache", "cached", "cached_property"})
_SIDE_BY_SIDE = frozenset({"asyncio.gather", "asyncio.create_task", "asyncio.ensure_future", "asyncio.wait",
                           "asyncio.as_completed", "asyncio.TaskGroup.create_task",
                           "anyio.abc.TaskGroup.start_soon"})  # fmt: skip
_MOST = 200
"""Functions below one that are looked at."""

_State = tuple[str, str]
"""A name of a file: what everybody who reads it shares."""


class Unfit(Exception):  # noqa: N818 - no error: the reason why code stays on the loop
    """Why something is not to be done in a thread."""


def check_below(
    app: App,
    function: Function,
    besides: frozenset[int] = frozenset(),
    part: Callable[[s.Node], bool] = lambda _: True,
) -> None:
    """Raise Unfit where a function, or a plain one that it calls, is bound to the event loop's thread.

    ``besides``: calls (by ``id(node)``) that will not be there any more. ``part``: which nodes of the
    function itself it is about.
    """
    for each in plain_below(app, function, part):
        for site in app.calls.sites(each):
            if each is function and not part(site.node):
                continue
            for name in site.externals:
                if (name.startswith(_OF_LOOP) or "contextvars" in name) and name not in _ANYWHERE:
                    if id(site.node) not in besides:
                        raise Unfit(f"{each.qualname} calls {name}, which belongs to the loop")
        for state, node in changed_by(app, each):
            if each is function and not part(node):
                continue
            if state not in _changed_in_threads(app):
                line = each.module.line(node)
                where = f"{each.module.path}:{line}"
                raise Unfit(f"{each.qualname} changes {state[1]}, which others share ({where})")


def plain_below(
    app: App, function: Function, part: Callable[[s.Node], bool] = lambda _: True
) -> list[Function]:
    """Return a function and the plain ones that it, or a part of it, calls, however deep."""
    found, seen = [function], {id(function.node)}
    for each in found:  # grows while it is walked
        for site in app.calls.sites(each):
            if each is function and not part(site.node):
                continue
            for target in site.targets:
                if not target.is_async and id(target.node) not in seen and len(seen) < _MOST:
                    seen.add(id(target.node))
                    found.append(target)
    return found


def check_between(
    app: App, site: CallSite, moved: Callable[[s.Node], bool] = lambda _: False
) -> None:
    """Raise Unfit where others must not come between a call and what stands around it.

    A coroutine that waits for a thread lets others run: within a lock, or between a look at what they
    share and its change (``if key not in cache: cache[key] = fetch(key)``). ``moved``: which nodes go to the thread as well.
    """
    module, caller = site.module, site.caller
    for each in site.around.withs:
        for item in each.items if not each.is_async and not moved(each) else ():
            if "lock" in text(module, item.context_expr).lower():
                raise Unfit(f"it is called within {text(module, item.context_expr)}")
    tests = {
        each.id
        for branch in site.around.branches
        if not moved(branch)
        for each in s.walk(branch.test)
        if isinstance(each, s.Name)
    }
    for (_, state), node in changed_by(app, caller):
        if moved(node):
            continue
        name = state.partition(".")[0]
        if name in tests or node.start <= site.node.start < node.end or _binds(app, site, name):
            raise Unfit(f"others may change {state} meanwhile ({_place(module, node)})")


def _binds(app: App, site: CallSite, name: str) -> bool:
    """Whether a name is bound to what a call gives: one of the file, as `global` says."""
    return any(
        node.start <= site.node.start < node.end
        and name in {s.dotted(each) for each in node.targets}
        for node, _ in app.calls.of_kind(site.caller, s.Assign)
    )


# ------------------------------------------------------------------ what others share


def changed_by(app: App, function: Function) -> Iterator[tuple[_State, s.Node]]:
    """Yield what a function changes that others share: on the event loop, nobody came between."""
    own = {*app.types.locals.of(function), *(each.name for each in function.node.params)}
    outer = function.outer
    while outer is not None:  # names of a function around it are of one call
        own |= {*app.types.locals.of(outer), *(each.name for each in outer.node.params)}
        outer = outer.outer
    for node, _ in app.calls.nodes(function):
        changed: list[s.Expr] = []
        if isinstance(node, s.Flow) and node.keyword == "global":
            for name in node.names:
                yield (function.module.path, name), node
        elif isinstance(node, s.Assign):
            changed = [each for each in node.targets if not isinstance(each, s.Name)]
        elif isinstance(node, s.AugAssign):
            changed = [node.target]
        elif isinstance(node, s.Delete):
            changed = [each for each in node.targets if not isinstance(each, s.Name)]
        elif isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
            changed = [node.func.value] if node.func.attr in _CHANGING else []
        for target in changed:
            root = root_of(target)
            state = _state(app, root, target, own, function) if root is not None else None
            if state is not None:
                yield state, node


def root_of(node: s.Expr | None) -> s.Name | None:
    """Return the name that what is changed hangs on."""
    while isinstance(node, (s.Attribute, s.Subscript, s.Starred)):
        node = node.value
    return node if isinstance(node, s.Name) else None


def _state(
    app: App, name: s.Name, changed: s.Expr, own: set[str], function: Function
) -> _State | None:
    """Return what others share that is changed under a name; None if it is of this call alone."""
    if name.id in own:
        params = function.node.params
        if function.owner is not None and params and params[0].name == name.id:
            by_all = "classmethod" in function.decorator_names or (
                function.name != "__init__" and has_shared_objects(app, function.owner)
            )
            return (function.module.path, function.owner.qualname) if by_all else None
        bound = app.types.locals.lookup(name.id, name.start, function)
        value = bound.value if bound is not None and bound.how == "assign" else None
        if isinstance(value, s.Call) and s.last_name(value.func) in {"get", "setdefault"}:
            value = value.func
        root = root_of(value)
        if root is None or root.id in own:
            return None
        name = root  # `seen = recently_viewed[user_id]`
        if not isinstance(app.linker.name(name.id, function.module, function), Variable):
            return None
    symbol = app.linker.name(name.id, function.module, function)
    if isinstance(symbol, Variable):
        return symbol.module.path, symbol.name
    while isinstance(changed, (s.Attribute, s.Subscript)) and s.dotted(changed) is None:
        changed = changed.value
    return function.module.path, s.dotted(changed) or name.id


def has_shared_objects(app: App, cls: Class) -> bool:
    """Whether objects of a class outlive a request: made at import, kept by a function or in an object."""
    known = _SHARED.setdefault(app, {})
    key = id(cls.node)
    if key not in known:
        known[key] = False  # an object that holds another one of its class
        known[key] = _has_shared_objects(app, cls)
    return known[key]


def _has_shared_objects(app: App, cls: Class) -> bool:
    names = {cls.name, *(each.name for each in app.subclasses(cls))}
    mark = re.compile("|".join(names).encode())
    for module in app.sources:
        if mark.search(module.source) is None:
            continue
        functions = [each for each in app.every_function(module) if each.node.body]
        for node in module.walk():
            if not isinstance(node, s.Call) or s.last_name(node.func) not in names:
                continue
            around = [
                each for each in functions if each.node.body[0].start <= node.start < each.node.end
            ]
            if not around or any(not each.decorator_names.isdisjoint(_CACHING) for each in around):
                return True
            if _is_kept(app, node, max(around, key=lambda each: each.node.start)):
                return True
    return False


def _is_kept(app: App, made: s.Call, function: Function) -> bool:
    """Whether a function keeps an object that it makes where other requests find it."""
    shared = {
        name
        for node, _ in app.calls.of_kind(function, s.Flow)
        if node.keyword == "global"
        for name in node.names
    }
    own = {*app.types.locals.of(function), *(each.name for each in function.node.params)}
    for call, _ in app.calls.of_kind(function, s.Call):
        # `state.models.update({name: Model(name)})`
        if call.start <= made.start < call.end and s.last_name(call.func) in _CHANGING:
            root = root_of(call.func)
            if call is not made and root is not None and root.id not in own - shared:
                return True
    for node, _ in app.calls.of_kind(function, s.Assign):
        if not node.value.start <= made.start < node.value.end:
            continue
        for target in node.targets:
            root = root_of(target)
            of_self = root is not None and root.id == "self" and isinstance(target, s.Attribute)
            if of_self and function.owner is not None:
                if has_shared_objects(app, function.owner):
                    return True
            elif not isinstance(target, s.Name) or target.id in shared:
                return True
    return False


def _changed_in_threads(app: App) -> frozenset[_State]:
    """Return what threads change already: one more adds nothing new."""
    found = _STATES.get(app)
    if found is None:
        states = (state for step in in_threads(app) for state, _ in changed_by(app, step.function))
        found = _STATES[app] = frozenset(states)
    return found


_STATES: WeakKeyDictionary[App, frozenset[_State]] = WeakKeyDictionary()
_SHARED: WeakKeyDictionary[App, dict[int, bool]] = WeakKeyDictionary()
_THREADS: WeakKeyDictionary[App, Reached] = WeakKeyDictionary()


def in_threads(app: App) -> Reached:
    """Return what runs in the threadpool for requests: plain endpoints, dependencies, tasks, what they call."""
    found = _THREADS.get(app)
    if found is None:
        known = [*entries(app), *served(app).entries.values()]
        roots = [
            entry.function
            for entry in known
            if not entry.function.is_async
            and entry.kind in {"endpoint", "dependency", "thread", "task"}
        ]
        found = _THREADS[app] = app.calls.reach(roots, lambda _site, target: not target.is_async)
    return found


def check_sequence(app: App, function: Function) -> None:
    """Raise Unfit where something else of the same request may run while a part of a coroutine does.

    On the event loop, nothing comes between two awaits: what is given to several tasks was safe so far.
    """
    for module in app.sources:
        if function.name.encode() not in module.source or b"asyncio" not in module.source:
            continue
        for around in app.every_function(module):
            for site in app.calls.sites(around):
                if not set(site.externals) & _SIDE_BY_SIDE:
                    continue
                names = {
                    s.last_name(n)
                    for n in s.walk(site.node)
                    if isinstance(n, (s.Name, s.Attribute))
                }
                if around.node is function.node or function.name in names:
                    raise Unfit(
                        f"{function.qualname} may run beside others ({_place(module, site.node)})"
                    )


# ----------------------------------------------------------------------- sessions


def check_sessions(app: App) -> None:
    """Raise Unfit where the connections of the project's sessions may belong to one thread."""
    for module in app.sources:
        for node in module.walk() if b"scoped_session" in module.source else ():
            if isinstance(node, s.Call) and s.last_name(node.func) == "scoped_session":
                raise Unfit(f"each thread has a session of its own ({_place(module, node)})")
    for module in app.sources:
        for symbol in app.linker.scope(module).names.values() if b"ession" in module.source else ():
            if isinstance(symbol, Variable) and app.types.session_kind(app.types.symbol(symbol)):
                raise Unfit(f"all requests share the session {symbol.name} ({module.path})")
    if any(
        execution.session == "sync"
        for step in in_threads(app)
        for execution in app.calls.executions(step.function)
    ):
        return  # threads use them already
    engines = [
        (module, node)
        for module in (*app.sources, *app.tests)
        if b"create_engine" in module.source
        for node in module.walk()
        if isinstance(node, s.Call) and s.last_name(node.func) == "create_engine"
    ]
    if not engines:
        raise Unfit("it is not known what engine the sessions have")
    for module, node in engines:
        _check_engine(app, module, node)


_SERVERS = frozenset(
    {"psycopg2", "psycopg", "pg8000", "MySQLdb", "pymysql", "pyodbc", "oracledb", "cx_Oracle"}
)
"""Drivers (import names) of databases whose connections belong to no thread."""


def _is_of_server(app: App) -> bool:
    """Whether a project has the driver of a server's database, and never speaks of SQLite."""
    speaks = any(b"sqlite" in each.source.lower() for each in (*app.sources, *app.tests))
    return not app.versions.declared.isdisjoint(_SERVERS) and not speaks


def _check_engine(app: App, module: Module, node: s.Call) -> None:
    """Raise Unfit where an engine of SQLite hands its connections to the thread only that opened them."""
    given = node.argument(0, "url")
    url = app.types.of(given, Where(module, app.function_of(module, node)))
    place = _place(module, node)
    arguments = [each for each in node.keywords if each.arg in {"connect_args", "poolclass"}]
    names = {
        part.value if isinstance(part, s.Constant) else s.last_name(part)
        for each in arguments
        for part in s.walk(each.value)
    }
    any_thread = "check_same_thread" in names or bool(
        app.versions.at_least("sqlalchemy", "2.0") or app.versions.at_least("sqlmodel", "0.0.14")
    )
    if not isinstance(url, Literal) or not isinstance(url.value, str):
        if not any_thread and not _is_of_server(app):
            raise Unfit(f"a connection of this engine may belong to one thread ({place})")
        return
    if not url.value.startswith("sqlite"):
        return
    in_memory = url.value.partition(":///")[2] in {"", ":memory:"} or "mode=memory" in url.value
    if in_memory and "StaticPool" not in names:
        raise Unfit(f"each thread has a database in memory of its own ({place})")
    if not any_thread:
        raise Unfit(f"a connection of this engine belongs to one thread ({place})")


def _place(module: Module, node: s.Node) -> str:
    return f"{module.path}:{module.line(node)}"
