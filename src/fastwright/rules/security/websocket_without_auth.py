"""A WebSocket asks who is there, as the routes beside it do.

Middleware made with `@app.middleware("http")` or `BaseHTTPMiddleware` never sees a WebSocket, browsers
send it from any site without asking CORS, and dependencies that take a `Request` do not work there: so it
is the one endpoint of a file that is left open (OWASP API2:2023, CWE-306; with cookies, CWE-1385).

Reported is a WebSocket endpoint that takes no credentials, reads none, and calls nothing that says that it
does, where at least two HTTP routes of the same file authenticate and at least seven of ten do, or, in a
file of WebSockets only, at least seven of ten of the whole application. Left alone is everything where a
dependency is not known, what reads cookies, headers, query parameters or a first message for a check of
its own, and what is public by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, name_place, of_route
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_CREDENTIAL = re.compile(
    r"auth|token|api_?key|secret|session_?(id|key)|cookie|credential|jwt|bearer|ticket|signature|user"
    r"|login|permi|principal|identity|claims|guard|protect|verif|allowed|access|acl|require|policy"
    r"|nonce|handshake|signed|passw|licen[cs]e|tenant|account|subprotocol",
    re.IGNORECASE,
)
_READING = frozenset({"headers", "cookies", "query_params", "session", "user", "auth"})
_SENDING = frozenset({"send_text", "send_json", "send_bytes"})
_PUBLIC = re.compile(r"public|health|ping|echo|demo|test|status|metrics|webhook|login|widget|guest",
                     re.IGNORECASE)  # fmt: skip
_SIBLINGS = 2
_APPLICATION = 5
_SHARE = 0.7
_DEPTH = 4


def check(app: App) -> Iterator[Hit]:
    """Report open WebSockets among guarded routes."""
    sockets = [r for r in app.routes if r.kind == "websocket" and r.endpoint is not None]
    if not sockets:
        return
    siblings: dict[str, list[Route]] = {}
    for route in app.routes:
        if route.kind == "http" and route.endpoint is not None:
            siblings.setdefault(route.endpoint.module.path, []).append(route)
    everywhere = [route for routes in siblings.values() for route in routes]
    reported: set[int] = set()
    for route in sockets:
        endpoint = route.endpoint
        if endpoint is None or id(endpoint.node) in reported:
            continue
        beside = siblings.get(endpoint.module.path)
        guarded = _guarded(beside, _SIBLINGS) if beside else _guarded(everywhere, _APPLICATION)
        if guarded and _is_open(app, route, endpoint) and _gives(app, endpoint):
            reported.add(id(endpoint.node))
            yield _hit(route, endpoint, guarded)


def _guarded(routes: list[Route], enough: int) -> list[Route]:
    """Return the routes that authenticate, if most of them do."""
    found = [route for route in routes if route.authentication is not None]
    return found if len(found) >= max(enough, _SHARE * len(routes)) else []


def _is_open(app: App, route: Route, endpoint: Function) -> bool:
    """Whether nothing that runs for a WebSocket has to do with credentials, as far as is known."""
    if route.authentication is not None or route.record.presence != "always":
        return False
    if _PUBLIC.search(route.path) or _PUBLIC.search(endpoint.name):
        return False
    if endpoint.decorator_names - {"websocket", "websocket_route"}:
        return False
    for dependency in route.all_dependencies():
        function = dependency.function
        if function is None or _CREDENTIAL.search(dependency.label):
            return False
        if _asks(app, function, _DEPTH):
            return False
    return not _asks(app, endpoint, _DEPTH)


def _asks(app: App, function: Function, depth: int) -> bool:
    """Whether a function, or one that it calls, reads credentials or says that it checks them."""
    if any(_CREDENTIAL.search(parameter.name) for parameter in function.parameters):
        return True
    if any(map(_CREDENTIAL.search, function.node.called)):
        return True
    nodes = app.calls.of_kind(function, s.Attribute)
    if any(node.attr in _READING for node, _ in nodes):
        return True
    if depth == 0:
        return False
    return any(
        _asks(app, target, depth - 1)
        for site in app.calls.sites(function)
        for target in site.targets
    )


def _gives(app: App, endpoint: Function) -> bool:
    """Whether an endpoint does something of the application, beyond answering its own client."""
    if app.calls.executions(endpoint):
        return True
    sockets = {parameter.name for parameter in endpoint.parameters}
    for site in app.calls.sites(endpoint):
        if _sends_to_others(site, sockets):
            return True
        given = [*site.node.args, *(keyword.value for keyword in site.node.keywords)]
        own = any(isinstance(node, s.Name) and node.id in sockets for node in given)
        for target in site.targets:
            if not own or (target.owner is not None and _sends_to_all(target.owner)):
                return True
    return False


def _sends_to_others(site: CallSite, sockets: set[str]) -> bool:
    """``await other.send_text(text)``: whether what is sent goes to another client."""
    receiver = site.node.func.value if isinstance(site.node.func, s.Attribute) else None
    sends = site.method in _SENDING and isinstance(receiver, s.Name)
    return sends and s.dotted(receiver) not in sockets


def _sends_to_all(cls: Class) -> bool:
    """Whether a manager of connections goes through them to send."""
    return any(
        any(name.startswith("send") for name in method.node.called)
        and any(isinstance(node, (s.For, s.Comp)) for node in s.walk_scope(*method.node.body))
        for method in cls.own_methods.values()
    )


def _hit(route: Route, endpoint: Function, guarded: list[Route]) -> Hit:
    other = guarded[0]
    by = other.authentication.by if other.authentication is not None else ""
    message = f"{route.label} authenticates nobody; {other.label} beside it does through {by}"
    chain = (
        *of_route(route),
        evidence(other.module, other.node, f"{other.label} authenticates through {by}"),
    )
    return Hit(name_place(endpoint), message, chain)


RULE = Rule(
    summary="a WebSocket without authentication among guarded routes",
    severity="error",
    confidence="medium",
    mend="Give it a dependency that takes the token (from a header, a cookie, the query or the first message)"
    " and raises `WebSocketException(code=1008)`; check `Origin` where cookies authenticate.",
    app=check,
    references=(
        "https://fastapi.tiangolo.com/advanced/websockets/#using-depends-and-others",
        "https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/",
        "CWE-306",
        "CWE-1385",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi.security import OAuth2PasswordBearer

scheme = OAuth2PasswordBearer(tokenUrl="token")

def current_user(token: Annotated[str, Depends(scheme)]) -> str:
    if not token:
        raise HTTPException(401)
    return token

User = Annotated[str, Depends(current_user)]
app = FastAPI()

@app.get("/orders")
def orders(user: User) -> list[str]:
    return []

@app.post("/orders")
def order(user: User) -> None: ...
"""

CASES = (
    case(
        "the routes authenticate, the socket does not",
        _HEAD
        + """
def feed() -> list[str]:
    return ["order"]

@app.websocket("/orders/live")
async def live(socket: WebSocket) -> None:  # <-
    await socket.accept()
    for line in feed():
        await socket.send_text(line)

class Manager:
    def __init__(self) -> None:
        self.active: list[WebSocket] = []

    async def connect(self, socket: WebSocket) -> None:
        await socket.accept()
        self.active.append(socket)

    async def broadcast(self, text: str) -> None:
        for one in self.active:
            await one.send_text(text)

manager = Manager()

@app.websocket("/orders/news")
async def news(socket: WebSocket) -> None:  # <-
    await manager.connect(socket)
    while True:
        await socket.receive_text()

together: list[WebSocket] = []

@app.websocket("/orders/talk")
async def talk(socket: WebSocket) -> None:  # <-
    await socket.accept()
    together.append(socket)
    text = await socket.receive_text()
    for other in together:
        await other.send_text(text)
""",
    ),
    case(
        "it gives nothing away",
        _HEAD
        + """
class Manager:
    async def connect(self, socket: WebSocket) -> None:
        await socket.accept()

manager = Manager()

@app.websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await manager.connect(socket)
    while True:
        text = await socket.receive_text()
        for word in text.split():
            await socket.send_text(word)
""",
    ),
    case(
        "it authenticates in one of the ways",
        _HEAD
        + """
def verified(text: str) -> bool:
    return text == "x"

@app.websocket("/a")
async def a(socket: WebSocket, token: str) -> None:
    await socket.accept()

@app.websocket("/b")
async def b(socket: WebSocket) -> None:
    if "session" not in socket.cookies:
        await socket.close(1008)

@app.websocket("/c")
async def c(socket: WebSocket) -> None:
    await socket.accept()
    if not verified(await socket.receive_text()):
        await socket.close(1008)

@app.websocket("/d")
async def d(socket: WebSocket, name: Annotated[str, Depends(current_user)]) -> None:
    await socket.accept()

@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
""",
    ),
    Case(
        "an application without authentication",
        {
            "main.py": """
            from fastapi import FastAPI, WebSocket

            app = FastAPI()

            @app.get("/orders")
            def orders() -> list[str]:
                return []

            @app.websocket("/orders/live")
            async def live(socket: WebSocket) -> None:
                await socket.accept()
            """,
        },
    ),
)
