"""What requests share lives in the database or a cache server, not in a variable of a module.

A module-level dict or list is the memory of one process. With two workers, or two containers, the
request that reads is often not served by the process in which the other one wrote; a restart
forgets everything; what is keyed by users or sessions and never removed fills the memory; what
was fetched once from elsewhere is served until the next deployment.

Reported for containers that request code fills with data, with the way from the request:
- written in one endpoint, read in another;
- filled under ids that requests bring, and never emptied by anybody;
- filled with what an HTTP service or the database answered, and never renewed.

Constants, registries filled on import, locks, tasks, sockets and clients (which no other process
could use), bounded and expiring containers, and memoised results are left alone, as is everything
whose content is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from fastwright.app.calls import CallSite, Step
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import Instance, Literal, NoneType, Sequence, Type, alternatives
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, name_place, of_calls, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_GROWING = frozenset({"add", "append", "appendleft", "extend", "insert", "setdefault", "update"})
_SHRINKING = frozenset({"clear", "discard", "pop", "popitem", "popleft", "remove"})
_PLAIN = frozenset({"dict", "list", "set", "defaultdict", "OrderedDict", "Counter"})
_LOCAL_BY_NATURE = re.compile(
    r"lock|task|socket|conn|registr|handler|queue|client|pool|semaphore|flight|pending|metric"
    r"|count|stat(s|istic)|warn|logged|channel|stream|cancel|abort|process|thread|hook|callback"
    r"|listener|subscri|generation|epoch|engine|model|plugin|route|loaded|initiali|lru|ttl",
    re.IGNORECASE,
)
_MEMO = re.compile(r"cache|memo|lookup|resolved", re.IGNORECASE)
_ID = re.compile(
    r"(^|_)(id|ids|uuid|guid|token|session|user|username|email|ip|jti|nonce)$"
    r"|^(id|user|session|token)(_?(id|key|str|name))+$|_id_str$|^auth_?code$",
    re.IGNORECASE,
)
_UNIQUE = frozenset({"uuid4", "uuid1", "uuid7", "token_hex", "token_urlsafe", "hexdigest"})
_CLOCK = frozenset({"time", "monotonic", "now", "utcnow", "perf_counter"})
_HTTP = ("requests.", "httpx.", "aiohttp.", "urllib.")
_STORING = re.compile(
    r"^a?(create|save|upsert|insert|commit|execute|flush|hset|persist|store|write|update|delete)"
    r"(_|$)"
)
_MAX_CHAIN = 3
_VALUES = ("builtins.str", "builtins.int", "builtins.float", "builtins.bool", "builtins.bytes",
           "datetime.", "uuid.", "decimal.")  # fmt: skip


class _Write(msgspec.Struct, frozen=True, eq=False):
    """A place in request code where a container gets an entry."""

    step: Step
    node: s.Node
    key: s.Expr | None
    value: s.Expr | None


@dataclass(eq=False)
class _State:
    """A module-level container, and what requests do with it."""

    variable: Variable
    writes: list[_Write] = field(default_factory=list)
    reads: list[tuple[Step, s.Node]] = field(default_factory=list)


def check(app: App) -> Iterator[Hit]:
    """Report containers at module level that carry data from one request to another."""
    for state in _states(app):
        name = state.variable.name
        if not state.writes or _LOCAL_BY_NATURE.search(name):
            continue
        found = _shared(app, state) or _unbounded(app, state) or _stale(app, state)
        if found is not None:
            write, message, last = found
            module = state.variable.module
            node = _binding(module, name)
            chain = (
                *_chain(app, write.step),
                evidence(write.step.function.module, write.node, f"changes {name}"),
                *last,
            )
            yield Hit(place(module, node) if node is not None else chain[-1].place, message, chain)


def _binding(module: Module, name: str) -> s.Node | None:
    for node in s.walk_scope(*module.facts.body):
        targets = node.targets if isinstance(node, s.Assign) else []
        if isinstance(node, s.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, s.Name) and target.id == name for target in targets):
            return node
    return None


def _chain(app: App, step: Step) -> tuple[Evidence, ...]:
    root = step.root
    routes = app.routes_for(root)
    if routes:
        return (*of_route(routes[0]), *of_calls(step.chain))
    return (Evidence(name_place(root), root.qualname), *of_calls(step.chain))


# ------------------------------------------------------------------ what requests do


def _states(app: App) -> list[_State]:
    """Return the plain containers at module level that request code touches."""
    found: dict[tuple[str, str], _State] = {}
    names = _candidates(app)
    for step in app.reached:
        for variable, node, write in _touches(app, step, names):
            key = (variable.module.path, variable.name)
            state = found.setdefault(key, _State(variable))
            if write is not None:
                state.writes.append(write)
            else:
                state.reads.append((step, node))
    return [found[key] for key in sorted(found)]


def _candidates(app: App) -> frozenset[str]:
    """Return the names under which the code knows plain containers at module level."""
    names = {
        target.id
        for module in app.sources
        for node in s.statements(module.facts.body)
        if isinstance(node, (s.Assign, s.AnnAssign)) and _is_plain(node.value)
        for target in (node.targets if isinstance(node, s.Assign) else [node.target])
        if isinstance(target, s.Name)
    }
    renamed = {
        bound
        for module in app.sources
        for bound, origin in module.imported.items()
        if origin.rpartition(".")[2] in names
    }
    return frozenset(names | renamed)


def _touches(
    app: App, step: Step, names: frozenset[str]
) -> Iterator[tuple[Variable, s.Node, _Write | None]]:
    """Yield each use of a container in a function, with the write that it is, if it is one."""
    function = step.function
    aliases = _aliases(app, function)
    written: set[int] = set()
    for node, _ in app.calls.nodes(function):
        for target, key, value in _written(node):
            variable, inner, base = _container(app, function, target, aliases)
            if variable is not None:
                written.update(id(part) for part in s.walk(target))
                outer = inner if inner is not None else key
                yield variable, base, _Write(step, node, outer, value)
    for node, _ in app.calls.nodes(function):
        kind = type(node)
        if (kind is s.Name or kind is s.Attribute) and s.last_name(node) in names:
            if id(node) in written:
                continue
            variable = _variable(app, function, node)
            if variable is not None:
                yield variable, node, None


def _written(node: s.Node) -> Iterator[tuple[s.Expr, s.Expr | None, s.Expr | None]]:
    """Yield container, key and value of what a node puts somewhere."""
    if isinstance(node, s.Assign):
        for target in node.targets:
            if isinstance(target, s.Subscript):
                yield target.value, target.slice, node.value
    elif isinstance(node, s.Call) and isinstance(node.func, s.Attribute) and node.args:
        if node.func.attr not in _GROWING:
            return
        with_key = node.func.attr in {"setdefault", "insert"} and len(node.args) > 1
        value = node.args[1] if with_key else node.args[0]
        key = node.args[0] if with_key and node.func.attr == "setdefault" else None
        yield node.func.value, key, value


def _container(
    app: App, function: Function, node: s.Expr, aliases: dict[str, tuple[Variable, s.Expr | None]]
) -> tuple[Variable | None, s.Expr | None, s.Node]:
    """Return the variable behind ``X``, ``X[key]`` or an alias, and the key if there is one."""
    if isinstance(node, s.Name) and node.id in aliases:
        variable, key = aliases[node.id]
        return variable, key, node
    if isinstance(node, s.Subscript):
        return _variable(app, function, node.value), node.slice, node
    if isinstance(node, s.Call) and s.last_name(node.func) == "setdefault" and node.args:
        inner = node.func.value if isinstance(node.func, s.Attribute) else None
        return _variable(app, function, inner), node.args[0], node
    return _variable(app, function, node), None, node


def _variable(app: App, function: Function, node: s.Node | None) -> Variable | None:
    if not isinstance(node, (s.Name, s.Attribute)):
        return None
    symbol = app.linker.expression(node, function.module, function)
    if isinstance(symbol, Variable) and symbol.module.kind == "source" and _is_plain(symbol.value):
        return symbol
    return None


def _is_plain(value: s.Expr | None) -> bool:
    """Whether a value is a plain container that begins empty: what is full is a constant."""
    if isinstance(value, (s.List, s.Set)):
        return not value.elts
    if isinstance(value, s.Dict):
        return not value.keys
    if not isinstance(value, s.Call) or not isinstance(value.func, (s.Name, s.Attribute)):
        return False
    if s.last_name(value.func) not in _PLAIN:
        return False
    return not value.args or s.last_name(value.func) == "defaultdict"


def _aliases(app: App, function: Function) -> dict[str, tuple[Variable, s.Expr | None]]:
    """Return the local names that stand for an entry: ``seen = recently_viewed[user_id]``."""
    found: dict[str, tuple[Variable, s.Expr | None]] = {}
    for name, bounds in app.types.locals.of(function).items():
        value = bounds[0].value
        if len(bounds) != 1 or bounds[0].how != "assign" or bounds[0].path:
            continue
        if isinstance(value, s.Call) and s.last_name(value.func) == "setdefault" and value.args:
            inner = value.func.value if isinstance(value.func, s.Attribute) else None
            variable, key = _variable(app, function, inner), value.args[0]
        elif isinstance(value, s.Subscript):
            variable, key = _variable(app, function, value.value), value.slice
        else:
            continue
        if variable is not None:
            found[name] = (variable, key)
    return found


# ------------------------------------------------------------------------ what hurts

_Found = tuple[_Write, str, tuple[Evidence, ...]]


def _shared(app: App, state: _State) -> _Found | None:
    """Written by one endpoint, read by another."""
    name = state.variable.name
    if _MEMO.search(name):
        return None
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    writers = {id(write.step.function.node) for write in state.writes}
    for write in state.writes:
        root = write.step.root
        if id(root.node) not in endpoints or not _is_data(app, write):
            continue
        if len(write.step.chain) > _MAX_CHAIN or _stores(write.step):
            continue
        for step, node in state.reads:
            other = step.root
            if id(step.function.node) in writers or other.node is root.node:
                continue
            if len(step.chain) > _MAX_CHAIN or _asks_elsewhere(step):
                continue
            if not _looks_up(app, step.function, node):
                continue
            if id(other.node) in endpoints:
                mine, theirs = _label(app, root), _label(app, other)
                message = (
                    f"{name} is written by {mine} and read by {theirs}:"
                    f" with more than one worker they do not meet"
                )
                return write, message, (evidence(step.function.module, node, f"{theirs} reads it"),)
    return None


def _stores(step: Step) -> bool:
    """Whether the request also writes to something that lasts: the container is then a copy."""
    functions = [step.function, *(site.caller for site in step.chain)]
    return any(
        _STORING.search(name) and name != "update"
        for function in functions
        for name in function.node.called
    )


_ELSEWHERE = re.compile(r"redis|database|(^|_)db(_|$)|prisma|mongo|storage|persist|draft|disk|file")


def _asks_elsewhere(step: Step) -> bool:
    """Whether the reader has another place to look: the container is then a copy."""
    functions = [step.function, *(site.caller for site in step.chain[-1:])]
    return any(_ELSEWHERE.search(name) for f in functions for name in f.node.called)


def _looks_up(app: App, function: Function, node: s.Node) -> bool:
    """Whether a use takes entries out for the answer, rather than removing or counting them."""
    for parent, _ in app.calls.nodes(function):
        if isinstance(parent, s.Attribute) and parent.value is node:
            return parent.attr in {"get", "items", "values", "copy"}
        if isinstance(parent, s.Subscript) and parent.value is node:
            return True
        if isinstance(parent, s.Return) and parent.value is node:
            return True
        if isinstance(parent, (s.For, s.Generator)) and parent.iter is node:
            return True
        if isinstance(parent, s.Comp) and any(g.iter is node for g in parent.generators):
            return True
    return False


def _label(app: App, endpoint: Function) -> str:
    routes = app.routes_for(endpoint)
    return routes[0].label if routes else endpoint.qualname


def _unbounded(app: App, state: _State) -> _Found | None:
    """Grows under ids of requests, and nobody removes anything."""
    name = state.variable.name
    for write in state.writes:
        key = write.key
        if key is None or not _is_id(app, write.step.function, key):
            continue
        if _shrinks(app, state.variable):
            return None
        message = (
            f"{name} gets an entry for each {_named(key)} and loses none:"
            f" it grows as long as the process lives, in each worker apart"
        )
        return write, message, ()
    return None


def _stale(app: App, state: _State) -> _Found | None:
    """Filled once from an HTTP service, and never again."""
    name = state.variable.name
    for write in state.writes:
        source = _fetched(app, write)
        if source is None or not _is_data(app, write):
            continue
        if _shrinks(app, state.variable) or _tells_time(state):
            return None
        message = (
            f"{name} keeps what {source} answered as long as the process lives,"
            f" in each worker apart: it is never renewed"
        )
        return write, message, ()
    return None


def _named(key: s.Expr) -> str:
    return s.last_name(key) or "key"


def _is_id(app: App, function: Function, key: s.Expr, depth: int = 0) -> bool:
    """Whether a key is another one for each user, session or request."""
    if depth > 4:
        return False
    if isinstance(key, (s.Name, s.Attribute)):
        last = s.last_name(key) or ""
        if isinstance(key, s.Name):
            bounds = app.types.locals.of(function).get(key.id, [])
            if len(bounds) == 1 and bounds[0].how == "assign" and bounds[0].value is not None:
                return _is_id(app, function, bounds[0].value, depth + 1) or bool(_ID.search(last))
            if not bounds:
                return False
        return bool(_ID.search(last))
    if isinstance(key, s.Call):
        if s.last_name(key) in _UNIQUE:
            return True
        return s.last_name(key) == "str" and any(
            _is_id(app, function, arg, depth + 1) for arg in key.args
        )
    if isinstance(key, (s.Tuple, s.JoinedStr)):
        parts = key.elts if isinstance(key, s.Tuple) else key.values
        return any(_is_id(app, function, part, depth + 1) for part in parts)
    return False


def _is_data(app: App, write: _Write) -> bool:
    """Whether what is stored is data that another process could have as well."""
    function = write.step.function
    if write.value is None or _is_plain(write.value):  # an entry that begins empty says nothing
        return False
    found = app.types.of(write.value, Where(function.module, function))
    return all(_is_plain_type(app, option) for option in alternatives(found))


def _is_plain_type(app: App, found: Type, depth: int = 0) -> bool:
    if isinstance(found, (Literal, NoneType)):
        return True
    if isinstance(found, Sequence):
        return depth < 3 and _inner_is_plain(app, found, depth)
    if isinstance(found, Instance):
        if isinstance(found.cls, str):
            return found.cls.startswith(_VALUES)
        return app.models.is_schema(found.cls) or _is_dataclass(found.cls)
    return False


def _inner_is_plain(app: App, found: Sequence, depth: int) -> bool:
    """Whether nothing in a container is known to be bound to the process."""
    for inner in (found.element, *(found.items or ())):
        for option in alternatives(inner):
            bound = isinstance(option, Instance) and not _is_plain_type(app, option, depth + 1)
            if bound:
                return False
    return True


def _is_dataclass(cls: Class) -> bool:
    """Whether a class is a dataclass that holds nothing of this process only."""
    if not any(s.last_name(decorator) == "dataclass" for decorator in cls.node.decorators):
        return False
    return not any(
        _LOCAL_BY_NATURE.search(name)
        or any(
            (s.last_name(n) or "") in {"Task", "Lock", "Event", "Queue", "WebSocket", "Future"}
            for n in s.walk(node)
            if isinstance(n, (s.Name, s.Attribute))
        )
        for name, node in cls.own_attributes.items()
    )


def _shrinks(app: App, variable: Variable) -> bool:
    """Whether anything in the project removes entries, or replaces the container."""
    name = variable.name
    for module in _users(app, variable):
        for node in module.walk():
            if isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
                if node.func.attr in _SHRINKING and s.last_name(node.func.value) == name:
                    return True
            elif isinstance(node, s.Delete):
                if any(
                    isinstance(t, s.Subscript) and s.last_name(t.value) == name
                    for t in node.targets
                ):
                    return True
            elif isinstance(node, s.Flow) and node.keyword == "global" and name in node.names:
                return True
            elif isinstance(node, s.Call) and s.last_name(node.func) == "len":
                if any(s.last_name(arg) == name for arg in node.args):
                    return True
            elif isinstance(node, s.Call) and any(
                isinstance(arg, (s.Name, s.Attribute)) and s.last_name(arg) == name
                for arg in node.args
            ):
                return True  # handed to somebody who may do anything
    return False


def _users(app: App, variable: Variable) -> Iterator[Module]:
    """Yield the module of a variable, and those that import it or the variable."""
    own = variable.module
    last = own.name.rpartition(".")[2]
    yield own
    for module in app.sources:
        if module is own:
            continue
        for fact in module.header.imports:
            if variable.name in fact.names or last in fact.names or fact.module.endswith(own.name):
                yield module
                break


def _fetched(app: App, write: _Write) -> str | None:
    """Return which HTTP call gave a stored value, directly or a few calls below."""
    function = write.step.function
    if write.value is None:
        return None
    inside = [n for n in s.walk(write.value) if isinstance(n, s.Call)]
    for site in app.calls.sites(function):
        if any(site.node is call for call in inside) and site.targets:
            below = app.calls.reach(site.targets)
            for step in below:
                if len(step.chain) > 2:
                    break
                for inner in app.calls.sites(step.function):
                    if _asks_http(inner):
                        return inner.external
    return None


def _asks_http(site: CallSite) -> bool:
    return (
        site.external is not None
        and site.external.startswith(_HTTP)
        and site.method in {"get", "post", "request", "urlopen"}
    )


def _tells_time(state: _State) -> bool:
    """Whether those who use the container look at a clock: its entries may expire."""
    functions = [write.step.function for write in state.writes]
    functions += [step.function for step, _ in state.reads]
    return any(not _CLOCK.isdisjoint(function.node.called) for function in functions)


RULE = Rule(
    summary="data that requests share in a variable of a module",
    severity="warning",
    mend="Keep it in the database or a cache server (Redis); what is only cached needs a bound and"
    " an expiry (`cachetools.TTLCache`).",
    profiles=("security",),
    app=check,
    confidence="medium",
    references=("https://12factor.net/processes",),
)

CASES = (
    Case(
        "written by one endpoint, read by another, in other modules",
        {
            "app/__init__.py": "",
            "app/catalog.py": """
            from collections import defaultdict

            recently_viewed: dict[int, list[int]] = defaultdict(list)  # <-

            def remember(user_id: int, product_id: int) -> None:
                seen = recently_viewed[user_id]
                if product_id in seen:
                    seen.remove(product_id)
                seen.insert(0, product_id)
            """,
            "app/main.py": """
            from fastapi import FastAPI
            from app import catalog

            app = FastAPI()

            @app.post("/products/{product_id}/seen")
            def seen(product_id: int, user_id: int) -> None:
                catalog.remember(user_id, product_id)

            @app.get("/recent")
            def recent(user_id: int) -> list[int]:
                return catalog.recently_viewed.get(user_id, [])
            """,
        },
    ),
    case(
        "an entry for each session, and none is removed",
        """
        from fastapi import FastAPI

        app = FastAPI()
        answers = {}  # <-

        @app.post("/ask/{session_id}")
        def ask(session_id: str, text: str) -> str:
            if session_id not in answers:
                answers[session_id] = text.upper()
            return answers[session_id]
        """,
    ),
    case(
        "rates that were fetched once",
        """
        import requests
        from fastapi import FastAPI

        app = FastAPI()
        _rates: dict[str, float] = {}  # <-

        def download() -> dict[str, float]:
            return requests.get("https://rates.example").json()

        @app.get("/rate")
        def rate(currency: str) -> float:
            if currency not in _rates:
                _rates.update(download())
            return _rates[currency]
        """,
    ),
    case(
        "constants, registries, locks, tasks, memoised results",
        """
        import asyncio
        from collections import defaultdict
        from functools import lru_cache
        from fastapi import FastAPI

        app = FastAPI()
        RATES = {"EUR": 1.0}
        handlers = {}
        locks = defaultdict(asyncio.Lock)
        tasks = set()
        templates = {}

        def handler(name):
            def register(function):
                handlers[name] = function
                return function
            return register

        @handler("x")
        def x() -> None: ...

        @lru_cache
        def slow(number: int) -> int:
            return number * 2

        @app.get("/")
        async def home(user_id: int, language: str) -> float:
            tasks.add(asyncio.create_task(asyncio.sleep(1)))
            if language not in templates:
                templates[language] = language.upper()
            async with locks[user_id]:
                return RATES["EUR"] + slow(1) + len(templates[language])
        """,
    ),
    case(
        "removed again, bounded, expiring",
        """
        import time
        import requests
        from cachetools import TTLCache
        from fastapi import FastAPI

        app = FastAPI()
        answers = {}
        recent = {}
        cached = TTLCache(100, 60)
        _rates = {}
        _at = 0.0

        @app.post("/ask/{session_id}")
        def ask(session_id: str, text: str) -> str:
            answers[session_id] = text
            cached[session_id] = text
            recent[session_id] = text
            if len(recent) > 100:
                recent.clear()
            return answers.pop(session_id)

        def download() -> dict[str, float]:
            return requests.get("https://rates.example").json()

        @app.get("/rate")
        def rate(currency: str) -> float:
            if time.time() - _at > 60:
                _rates.update(download())
            return _rates[currency]
        """,
    ),
    case(
        "a copy of what is in the database, and a reader that can look there",
        """
        from fastapi import FastAPI
        from app.store import database, load_from_database

        app = FastAPI()
        names = {}
        drafts = {}

        @app.post("/names/{id}")
        def put(id: str, name: str) -> None:
            database.save(id, name)
            names[id] = name

        @app.get("/names/{id}")
        def get(id: str) -> str:
            return names[id]

        @app.delete("/names/{id}")
        def delete(id: str) -> None:
            names.pop(id)

        @app.post("/drafts/{id}")
        def draft(id: str, name: str) -> None:
            drafts[id] = name

        @app.get("/drafts/{id}")
        def read(id: str) -> str:
            found = drafts.get(id)
            drafts.clear()
            return found or load_from_database(id)
        """,
    ),
    case(
        "sockets belong to the process",
        """
        from fastapi import FastAPI, WebSocket

        app = FastAPI()
        rooms: dict[str, list[WebSocket]] = {}

        @app.websocket("/ws/{room_id}")
        async def join(socket: WebSocket, room_id: str) -> None:
            await socket.accept()
            rooms.setdefault(room_id, []).append(socket)

        @app.post("/say/{room_id}")
        async def say(room_id: str, text: str) -> None:
            for socket in rooms.get(room_id, []):
                await socket.send_text(text)
            rooms.pop(room_id)
        """,
    ),
)
