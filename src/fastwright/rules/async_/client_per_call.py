"""One HTTP client serves the whole application.

A client keeps its connections: the next request to the same server skips the name lookup and the TCP and
TLS handshakes, which often take longer than the answer. `async with httpx.AsyncClient() as client:` in
an endpoint throws all of that away after one call, and reads the certificates from disk each time;
httpx and aiohttp both ask for one client for the application. Open it in the lifespan, keep it on
`app.state`, close it at shutdown.

Reported is a client in a `with` block of code that requests reach, where its arguments are the same each
time (constants, settings, nothing). Left alone are clients that depend on the request (its headers,
cookies, proxy), transports that call an application in the same process, functions that run once or keep
the answer, what is asked for rarely (logins, callbacks, set-up, routes for administrators), and clients
for want of one that the caller hands in.

This rule is off unless it is selected: code does not say how often a request is made, and for one that
comes once an hour a client of its own does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite, Step
from fastwright.app.model import App
from fastwright.app.on_loop import Loop, served
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_entry, of_step, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_CLIENTS = frozenset({"httpx.Client", "httpx.AsyncClient", "aiohttp.ClientSession",
                      "requests.Session"})  # fmt: skip
_NAMES = frozenset({"Client", "AsyncClient", "ClientSession", "Session"})
_VALUES = frozenset({"Timeout", "ClientTimeout", "Limits", "TCPConnector", "int", "float", "str",
                     "bool", "create_default_context"})  # fmt: skip
"""Functions that make a value for a client from values."""
_RARE = re.compile(
    r"oauth|oidc|sso|saml|callback|log_?in|log_?out|auth|verif|test|check|health|ping|setup|install"
    r"|register|onboard|webhook|discover|valid|config|connect|invit|migrat|import|export|admin|version"
    r"|telemetry|startup|shutdown|lifespan|jwks|openid|license|deploy",
    re.IGNORECASE,
)
_STAFF = re.compile(r"admin|superuser|staff|operator|owner", re.IGNORECASE)
"""What authenticates for routes that few people may call."""
_ONCE = re.compile(r"cache|memo|singleton|once", re.IGNORECASE)
_DEPTH = 4


def check(app: App) -> Iterator[Hit]:
    """Report the first client that each function opens for one call."""
    running = served(app)
    for step in running.reached:
        if _NAMES.isdisjoint(step.function.node.called) or _is_rare(running, step):
            continue
        for site in app.calls.sites(step.function):
            if site.external not in _CLIENTS or _is_fallback(site):
                continue
            if _is_entered(app, site) and _is_fixed_call(app, site):
                yield _hit(running, step, site)
                break


def _hit(running: Loop, step: Step, site: CallSite) -> Hit:
    chain = (
        *of_entry(running.entry(step.root)),
        *of_step(step),
        evidence(site.module, site.node, "opened for one call"),
    )
    message = f"{site.external} is opened and closed for each call of {step.function.name}()"
    return Hit(place(site.module, site.node), message, chain)


def _is_rare(running: Loop, step: Step) -> bool:
    """Whether a function runs once, or for requests that are seldom made."""
    entry = running.entry(step.root)
    functions = [step.function, step.root, *(site.caller for site in step.chain)]
    names = [name for function in functions for name in function.decorator_names]
    if any(map(_ONCE.search, names)) or _keeps_answer(step.function):
        return True
    said = [function.qualname for function in functions]
    said.append(step.function.module.path)
    if entry.route is not None:
        said.append(entry.route.path)
        authentication = entry.route.authentication
        if authentication is not None and _STAFF.search(authentication.by):
            return True
    return any(map(_RARE.search, said))


def _keeps_answer(function: Function) -> bool:
    """``CACHE[key] = answer``: whether a function puts something into a constant of its module."""
    return any(
        isinstance(target, s.Subscript) and (s.last_name(target.value) or "").isupper()
        for node in s.walk_scope(*function.node.body)
        if isinstance(node, s.Assign)
        for target in node.targets
    )


def _is_fallback(site: CallSite) -> bool:
    """``if client is None``: whether the caller may hand a client in."""
    names = {parameter.name for parameter in site.caller.parameters}
    return any(
        isinstance(node, s.Name) and node.id in names
        for branch in site.around.branches
        if isinstance(branch.test, s.Compare) and branch.test.ops == ["is"]
        for node in s.walk(branch.test.left)
    )


def _is_entered(app: App, site: CallSite) -> bool:
    """Whether the call is what a ``with`` statement enters."""
    return any(
        item.context_expr is site.node
        for node, _ in app.calls.of_kind(site.caller, s.With)
        for item in node.items
    )


def _is_fixed_call(app: App, site: CallSite) -> bool:
    """Whether a client is given the same each time."""
    given = [*site.node.args, *(keyword.value for keyword in site.node.keywords)]
    if any(keyword.arg in {None, "transport", "app", "auth"} for keyword in site.node.keywords):
        return False
    return all(_is_fixed(app, node, site.caller, _DEPTH) for node in given)


def _is_fixed(app: App, node: s.Expr | None, function: Function, depth: int) -> bool:
    if node is None or isinstance(node, s.Constant):
        return True
    if depth == 0:
        return False
    if isinstance(node, s.Name):
        return _is_fixed_name(app, node, function, depth)
    if isinstance(node, s.Attribute):
        return _is_fixed(app, node.value, function, depth - 1)
    if isinstance(node, s.Call):
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        known = s.last_name(node.func) in _VALUES
        return known and all(_is_fixed(app, part, function, depth - 1) for part in given)
    if isinstance(node, (s.Dict, s.List, s.Tuple, s.BinOp, s.BoolOp)):
        return all(_is_fixed(app, part, function, depth - 1) for part in _parts(node))
    return False


def _parts(node: s.Dict | s.List | s.Tuple | s.BinOp | s.BoolOp) -> list[s.Expr | None]:
    if isinstance(node, s.Dict):
        return [*node.keys, *node.values]
    if isinstance(node, s.BinOp):
        return [node.left, node.right]
    return [*node.values] if isinstance(node, s.BoolOp) else [*node.elts]


def _is_fixed_name(app: App, node: s.Name, function: Function, depth: int) -> bool:
    """Whether a name stands for the same each time: of a module, or a local bound once to such."""
    bounds = app.types.locals.of(function).get(node.id)
    if bounds:
        only = bounds[0]
        plain = len(bounds) == 1 and only.how == "assign" and not only.path
        return plain and _is_fixed(app, only.value, function, depth - 1)
    where = Where(function.module, function)
    return app.linker.name(node.id, where.module, function) is not None


RULE = Rule(
    summary="an HTTP client opened for one call",
    severity="info",
    confidence="medium",
    default=False,
    mend="Open one client in the lifespan (`app.state.http = httpx.AsyncClient()`), close it at shutdown,"
    " and inject it with `Depends`.",
    profiles=("performance",),
    app=check,
    references=(
        "https://www.python-httpx.org/advanced/clients/#why-use-a-client",
        "https://docs.aiohttp.org/en/stable/http_request_lifecycle.html#how-to-use-the-clientsession",
    ),
)

CASES = (
    Case(
        "in an endpoint, and in a service below one",
        {
            "app/__init__.py": "",
            "app/rates.py": """
            import aiohttp

            LIMIT = 10

            class Rates:
                async def eur(self) -> float:
                    limit = aiohttp.ClientTimeout(total=LIMIT)
                    async with aiohttp.ClientSession(timeout=limit) as session:  # <-
                        async with session.get("https://rates.example") as answer:
                            return (await answer.json())["eur"]
            """,
            "app/main.py": """
            import httpx
            from fastapi import FastAPI
            from app.rates import Rates

            app = FastAPI()

            @app.get("/price")
            async def price() -> float:
                return await Rates().eur()

            @app.get("/stock")
            async def stock() -> int:
                async with httpx.AsyncClient(timeout=5) as client:  # <-
                    return (await client.get("https://stock.example")).json()
            """,
        },
    ),
    case(
        "one for the application, or one that depends on the request",
        """
        from contextlib import asynccontextmanager
        import httpx
        from fastapi import FastAPI, Request

        @asynccontextmanager
        async def lifespan(app: FastAPI):
            async with httpx.AsyncClient() as client:
                app.state.http = client
                yield

        app = FastAPI(lifespan=lifespan)

        @app.get("/price")
        async def price(request: Request) -> float:
            return (await request.app.state.http.get("https://rates.example")).json()

        @app.get("/mine")
        async def mine(request: Request, proxy: str) -> dict:
            async with httpx.AsyncClient(headers={"x-user": request.headers["x-user"]}) as client:
                await client.get("https://rates.example")
            async with httpx.AsyncClient(proxy=proxy) as client:
                return (await client.get("https://rates.example")).json()
        """,
    ),
    case(
        "seldom, in the same process, and kept",
        """
        import httpx
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/oauth/callback")
        async def callback(code: str) -> dict:
            async with httpx.AsyncClient() as client:
                return (await client.post("https://id.example/token", data={"code": code})).json()

        @app.get("/again")
        async def again() -> dict:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
                return (await client.get("/price")).json()

        async def ask(client: httpx.AsyncClient | None = None) -> None:
            if client is None:
                async with httpx.AsyncClient() as own:
                    await own.get("https://rates.example")
            else:
                await client.get("https://rates.example")

        @app.get("/asked")
        async def asked() -> None:
            await ask()

        RATES = {}

        @app.get("/rate")
        async def rate(name: str) -> float:
            if name not in RATES:
                async with httpx.AsyncClient() as client:
                    RATES[name] = (await client.get("https://rates.example")).json()
            return RATES[name]
        """,
    ),
)
