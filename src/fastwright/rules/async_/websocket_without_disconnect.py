"""A connection that stands in a registry is taken out of it, however it ends.

`receive_text()` raises `WebSocketDisconnect` when the client goes away. An endpoint that has put the
socket into a list of connections and does not catch that, or returns on another way, leaves a dead
socket there: each broadcast fails on it, the number of connections only grows, and a limit on them locks
everybody out. A `finally` that takes it out covers every way.

Reported are an endpoint that registers its socket (`connections.append(socket)`, `manager.connect(socket)`)
and receives in a loop with neither `finally` nor a handler around it; a `return` in such a loop past the
only handler that takes the socket out; and a registry from which nothing takes anything out. Left alone are
registries that do not outlive the request, sockets held by a `with` block, and registries that are not known.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Function, Variable
from fastwright.app.types import Instance
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_ADDING = frozenset({"append", "add"})
_REMOVING = frozenset({"remove", "discard", "pop", "popitem", "clear", "difference_update"})
_RECEIVING = frozenset({"receive", "receive_text", "receive_json", "receive_bytes"})
_SOCKET = "fastapi.websockets.WebSocket"
_WEAK = frozenset({"WeakSet", "WeakValueDictionary", "WeakKeyDictionary"})
_DEPTH = 3


class Registry(msgspec.Struct, frozen=True, eq=False):
    """Where an endpoint puts its socket: the last name of the container, and the function that adds."""

    name: str
    adds: Function
    node: s.Node
    """The node of the endpoint that registers."""


def check(app: App) -> Iterator[Hit]:
    """Report each endpoint that leaves its socket in a registry."""
    seen: set[int] = set()
    for route in app.routes:
        endpoint = route.endpoint
        if route.kind != "websocket" or endpoint is None or id(endpoint.node) in seen:
            continue
        seen.add(id(endpoint.node))
        registry = _registry(app, endpoint)
        if registry is None:
            continue
        found = _left(app, endpoint, registry)
        if found is not None:
            node, why = found
            chain = (
                *of_route(route),
                evidence(endpoint.module, registry.node, f"put into {registry.name}"),
                evidence(endpoint.module, node, why),
            )
            message = f"{endpoint.name} leaves dead connections in {registry.name}: {why}"
            yield Hit(place(endpoint.module, node), message, chain)


# ------------------------------------------------------------------- what is registered


def _registry(app: App, endpoint: Function) -> Registry | None:
    """Return the registry that outlives the request and into which the endpoint puts its socket."""
    socket = _socket(app, endpoint)
    if socket is None:
        return None
    for name, node in _additions(app, endpoint, socket):
        if _outlives(app, endpoint, node):
            return Registry(name, endpoint, node)
    for site in app.calls.sites(endpoint):
        for target in site.targets:
            given = _parameter(site, target, socket)
            if given is None or target.node.is_generator or not _outlives(app, endpoint, site.node):
                continue
            for name, node in _additions(app, target, given):
                if _outlives(app, target, node):
                    return Registry(name, target, site.node)
    return None


def _socket(app: App, endpoint: Function) -> str | None:
    """Return the name of the parameter that is the socket."""
    for parameter in endpoint.parameters:
        found = app.types.parameter(parameter, endpoint)
        if isinstance(found, Instance) and found.name == _SOCKET:
            return parameter.name
    return None


def _parameter(site: CallSite, target: Function, socket: str) -> str | None:
    """Return the parameter of a called function that gets the socket."""
    for position, parameter in enumerate(target.parameters):
        given = site.node.argument(position, parameter.name)
        if isinstance(given, s.Name) and given.id == socket:
            return parameter.name
    return None


def _additions(app: App, function: Function, socket: str) -> Iterator[tuple[str, s.Node]]:
    """Yield the containers into which a function puts the socket, each with the node that does."""
    for call, _ in app.calls.of_kind(function, s.Call):
        if s.last_name(call.func) in _ADDING and isinstance(call.func, s.Attribute):
            name = _container(call.func.value)
            if name is not None and any(_holds(argument, socket) for argument in call.args):
                yield name, call
    for node, _ in app.calls.of_kind(function, s.Assign):
        for target in node.targets:
            if isinstance(target, s.Subscript) and _holds(node.value, socket):
                name = _container(target.value)
                if name is not None:
                    yield name, target


def _holds(node: s.Expr, socket: str) -> bool:
    """Whether a value is the socket, or a tuple with it."""
    parts = node.elts if isinstance(node, s.Tuple) else [node]
    return any(isinstance(part, s.Name) and part.id == socket for part in parts)


def _container(node: s.Expr) -> str | None:
    """Return ``rooms`` for ``self.rooms``, ``self.rooms[key]`` and ``self.rooms.setdefault(key, [])``."""
    base = _base(node)
    return s.last_name(base) if s.dotted(base) is not None else None


def _base(node: s.Expr) -> s.Expr:
    while True:
        if isinstance(node, s.Subscript):
            node = node.value
        elif isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
            node = node.func.value
        else:
            return node


def _outlives(app: App, function: Function, node: s.Node) -> bool:
    """Whether what a call or item stands on was not made by the function itself."""
    start = node.func if isinstance(node, s.Call) else node
    while isinstance(start, (s.Attribute, s.Subscript, s.Call)):
        start = start.func if isinstance(start, s.Call) else start.value
    if not isinstance(start, s.Name):
        return False
    bounds = app.types.locals.of(function).get(start.id, [])
    return all(bound.how == "parameter" for bound in bounds)


# ------------------------------------------------------------------ what is left there


def _left(app: App, endpoint: Function, registry: Registry) -> tuple[s.Node, str] | None:
    """Return the node by which the socket stays in the registry, and why."""
    cleaners = _cleaners(app, endpoint, registry)
    if cleaners is None:
        return None
    if not cleaners:
        return registry.node, "nothing takes a connection out of it"
    received = [site for site in app.calls.sites(endpoint) if _is_received_in_loop(site)]
    if not received or received[0].around.withs:
        return None
    site = received[0]
    cleaning = [c for c in app.calls.sites(endpoint) if _cleans(app, c, registry, cleaners)]
    tries = site.around.tries
    if not tries and not any(c.node.start > site.node.start for c in cleaning):
        return site.node, "WebSocketDisconnect is not caught"
    return _early_return(app, endpoint, tries, cleaning)


def _is_received_in_loop(site: CallSite) -> bool:
    loops = site.around.loops
    return site.method in _RECEIVING and bool(loops) and isinstance(loops[-1], s.While)


def _early_return(
    app: App, endpoint: Function, tries: tuple[s.Try, ...], cleaning: list[CallSite]
) -> tuple[s.Node, str] | None:
    """Return a ``return`` past the only handler that takes the socket out."""
    if not tries:
        return None
    outer = tries[0]
    if any(statement.finalbody for statement in tries):
        return None
    handled = [c for c in cleaning if any(_is_in(c.node, h.body) for h in outer.handlers)]
    if not handled or any(c.node.start >= outer.end for c in cleaning):
        return None
    for node, around in app.calls.of_kind(endpoint, s.Return):
        if around.loops and _is_in(node, outer.body):
            before = (c for c in cleaning if outer.start < c.node.start < node.start)
            if not any(_runs_before(c.around, around) for c in before):
                return node, "this return passes by the handler that takes it out"
    return None


def _runs_before(cleaning: Surroundings, leaving: Surroundings) -> bool:
    """Whether what stands in some branches has run when a later statement in some branches does."""
    taken = {branch.start for branch in leaving.branches}
    return all(branch.start in taken for branch in cleaning.branches)


def _is_in(node: s.Node, body: list[s.Stmt]) -> bool:
    return any(statement.start <= node.start < statement.end for statement in body)


def _cleans(app: App, site: CallSite, registry: Registry, cleaners: set[int]) -> bool:
    """Whether a call takes something out of the registry, itself or in what it runs."""
    if _takes_out(site.node, registry.name):
        return True
    return any(_reaches(app, target, cleaners, _DEPTH) for target in site.targets)


def _reaches(app: App, function: Function, cleaners: set[int], depth: int) -> bool:
    if id(function.node) in cleaners:
        return True
    return depth > 0 and any(
        _reaches(app, target, cleaners, depth - 1)
        for site in app.calls.sites(function)
        for target in site.targets
    )


def _cleaners(app: App, endpoint: Function, registry: Registry) -> set[int] | None:
    """Return the functions that take something out of the registry; None where that is not known."""
    found: set[int] = set()
    for module in app.web_modules:
        for function in app.every_function(module):
            if not _WEAK.isdisjoint(function.node.called):
                return None
            if registry.name.encode() in bytes(function.node.raw_body) and any(
                _empties(node, registry.name) for node, _ in app.calls.nodes(function)
            ):
                found.add(id(function.node))
    return None if _is_weak(app, endpoint, registry) else found


def _is_weak(app: App, endpoint: Function, registry: Registry) -> bool:
    """Whether a registry of a module forgets dead sockets by itself."""
    symbol = app.linker.name(registry.name, endpoint.module)
    made = symbol.value if isinstance(symbol, Variable) else None
    return s.last_name(made) in _WEAK


def _empties(node: s.Node, name: str) -> bool:
    """Whether a node takes something out of the container, or puts another one in its place."""
    if isinstance(node, s.Call):
        return _takes_out(node, name)
    if isinstance(node, s.Delete):
        return any(isinstance(t, s.Subscript) and _container(t.value) == name for t in node.targets)
    if isinstance(node, s.AugAssign):
        return node.op == "-=" and s.last_name(node.target) == name
    if isinstance(node, s.Assign):
        replaced = any(_container(target) == name for target in node.targets)
        return replaced and isinstance(node.value, (s.Comp, s.BinOp))
    return False


def _takes_out(call: s.Call, name: str) -> bool:
    func = call.func
    return (
        isinstance(func, s.Attribute) and func.attr in _REMOVING and _container(func.value) == name
    )


RULE = Rule(
    summary="a WebSocket that stays in a registry after it has ended",
    severity="error",
    confidence="medium",
    mend="Put the loop into `try:` and take the socket out of the registry in `finally:`; catch"
    " `WebSocketDisconnect` there, it is how a client says goodbye.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/advanced/websockets/#handling-disconnections-and-multiple-clients",
        "CWE-772",
    ),
)

_MANAGER = """
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

class Manager:
    def __init__(self) -> None:
        self.active: list[WebSocket] = []
        self.rooms: dict[str, list[WebSocket]] = {}

    async def connect(self, socket: WebSocket) -> None:
        await socket.accept()
        self.active.append(socket)

    def disconnect(self, socket: WebSocket) -> None:
        self.active.remove(socket)

    async def enter(self, room: str, socket: WebSocket) -> None:
        self.rooms.setdefault(room, []).append(socket)

manager = Manager()
app = FastAPI()
"""

CASES = (
    case(
        "not caught, passed by, and never taken out",
        _MANAGER
        + """
@app.websocket("/a")
async def a(socket: WebSocket) -> None:
    await manager.connect(socket)
    while True:
        await socket.receive_text()  # <-

@app.websocket("/b")
async def b(socket: WebSocket) -> None:
    await manager.connect(socket)
    try:
        while True:
            text = await socket.receive_text()
            if len(text) > 4096:
                await socket.close()
                return  # <-
    except WebSocketDisconnect:
        manager.disconnect(socket)

@app.websocket("/c/{room}")
async def c(socket: WebSocket, room: str) -> None:
    await manager.enter(room, socket)  # <-
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        pass
""",
    ),
    case(
        "caught, finally, and taken out before the return",
        _MANAGER
        + """
@app.websocket("/a")
async def a(socket: WebSocket) -> None:
    await manager.connect(socket)
    try:
        while True:
            text = await socket.receive_text()
            if text == "bye":
                manager.disconnect(socket)
                return
    except WebSocketDisconnect:
        manager.disconnect(socket)

@app.websocket("/b")
async def b(socket: WebSocket) -> None:
    await manager.connect(socket)
    try:
        while True:
            if await socket.receive_text() == "bye":
                return
    finally:
        manager.disconnect(socket)

@app.websocket("/c")
async def c(socket: WebSocket) -> None:
    await manager.connect(socket)
    async for text in socket.iter_text():
        await socket.send_text(text)
    manager.disconnect(socket)
""",
    ),
    case(
        "no registry, one of the request only, and one that forgets by itself",
        """
        from weakref import WeakSet
        from fastapi import FastAPI, WebSocket

        app = FastAPI()
        everybody: WeakSet[WebSocket] = WeakSet()

        @app.websocket("/echo")
        async def echo(socket: WebSocket) -> None:
            await socket.accept()
            while True:
                await socket.send_text(await socket.receive_text())

        @app.websocket("/pair")
        async def pair(socket: WebSocket) -> None:
            both = []
            both.append(socket)
            while True:
                await socket.receive_text()

        @app.websocket("/weak")
        async def weak(socket: WebSocket) -> None:
            everybody.add(socket)
            while True:
                await socket.receive_text()
        """,
    ),
    Case(
        "a registry of a module, emptied in another one",
        {
            "app/__init__.py": "",
            "app/rooms.py": """
            from fastapi import WebSocket

            sockets: dict[str, WebSocket] = {}

            def forget(name: str) -> None:
                sockets.pop(name, None)
            """,
            "app/main.py": """
            from fastapi import FastAPI, WebSocket
            from app import rooms

            app = FastAPI()

            @app.websocket("/{name}")
            async def talk(socket: WebSocket, name: str) -> None:
                rooms.sockets[name] = socket
                while True:
                    await socket.receive_bytes()  # <-

            @app.websocket("/good/{name}")
            async def good(socket: WebSocket, name: str) -> None:
                rooms.sockets[name] = socket
                try:
                    while True:
                        await socket.receive_bytes()
                finally:
                    rooms.forget(name)
            """,
        },
    ),
)
