"""Passwords, tokens and keys do not stand in a URL.

URLs are written down where bodies and headers are not: in the access logs of server, proxy and load
balancer, in the browser's history, in the `Referer` header, in monitoring and error reports (CWE-598,
RFC 9110, 17.9). Send a password in the body (`Form()` or a schema), a token or key in a header
(`HTTPBearer`, `APIKeyHeader`).

In FastAPI it happens without anybody meaning it: `def login(name: str, password: str)` takes both from the
query string, also for POST. Reported are parameters of type `str` in query or path that are named like
credentials, in endpoints and their dependencies.

Left alone: links that are mailed or shared and hold a one-time token (verification, reset, invitation,
share), tokens of pagination, synchronisation and CSRF, streams and WebSockets (browsers cannot send headers
with `EventSource` and `WebSocket`), `/tokens/{token}`, where the name of a thing is meant, and what
a GET may be narrowed to (`?api_key=` of a report).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.dependencies import RequestParameter
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.types import Instance, alternatives
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_CREDENTIAL = re.compile(
    r"(?:.*_)?(?:password|passwd|passphrase|api_?key|secret_key|client_secret|private_key"
    r"|access_key|(?:access|refresh|auth|bearer|session|api|id|jwt|user|admin)_token)"
    r"|pwd|secret|token|jwt|credentials?",
)
_LINKS = re.compile(
    r"verif|confirm|activat|reset|recover|forgot|invit|unsubscribe|subscri|magic|accept|join|share|public"
    r"|callback|oauth|sso|saml|oidc|download|preview|signed|webhook|hook|inbound|feed|ical|calendar|rss|badge"
    r"|upload|email|device|push|link|redirect|viewer|embed|onboard|setup|stream|sse|events|file|image|media",
    re.IGNORECASE,
)


def check(app: App) -> Iterator[Hit]:
    """Report parameters in the URL that hold credentials."""
    seen: set[int] = set()
    for route in app.routes:
        if route.kind != "http" or route.record.starlette or route.endpoint is None:
            continue
        for parameter in route.parameters:
            if id(parameter.node) in seen or not _is_credential(route, parameter):
                continue
            seen.add(id(parameter.node))
            yield _hit(route, parameter)


def _is_credential(route: Route, parameter: RequestParameter) -> bool:
    name = parameter.alias.lower().replace("-", "_")
    if parameter.kind not in {"query", "path"} or not _CREDENTIAL.fullmatch(name):
        return False
    if not all(
        isinstance(option, Instance) and option.cls == "builtins.str"
        for option in alternatives(parameter.type)
    ):
        return False
    if "password" in name or "passwd" in name or name in {"pwd", "passphrase", "client_secret"}:
        return True
    text = f"{route.path} {parameter.function.name} {route.endpoint.name if route.endpoint else ''}"
    if _LINKS.search(text):
        return False
    if _is_looked_up(route, parameter) or route.methods == ("DELETE",):
        return False  # it names what is deleted
    if parameter.kind == "path":
        return not _names_a_thing(route.path, parameter.name)
    return True


def _is_looked_up(route: Route, parameter: RequestParameter) -> bool:
    """Whether a list may be narrowed to one key, or read on from a token."""
    return (
        set(route.methods) <= {"GET", "HEAD", "DELETE"}
        and not parameter.required
        and route.endpoint is not None
        and parameter.function.node is route.endpoint.node
    )


def _names_a_thing(path: str, name: str) -> bool:
    """``/tokens/{token}``, ``/secrets/{secret}``: which one, not what is in it."""
    before = path.partition(f"{{{name}")[0].rstrip("/").rpartition("/")[2]
    plain = name.replace("_", "").lower()
    return plain in before.replace("-", "").replace("_", "").lower()


def _hit(route: Route, parameter: RequestParameter) -> Hit:
    where = "path" if parameter.kind == "path" else "query string"
    message = f"{parameter.name} of {route.label} is taken from the {where}: URLs are logged"
    function = parameter.function
    chain = (*of_route(route), evidence(function.module, parameter.node, f"in the {where}"))
    return Hit(place(function.module, parameter.node), message, chain)


RULE = Rule(
    summary="a credential in the URL",
    severity="warning",
    mend="Take a password from the body (`Annotated[str, Form()]` or a schema), a token or key from a"
    " header (`HTTPBearer`, `APIKeyHeader`).",
    app=check,
    references=(
        "https://cwe.mitre.org/data/definitions/598.html",
        "https://www.rfc-editor.org/rfc/rfc9110#section-17.9",
        "https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/",
    ),
)

CASES = (
    case(
        "taken from the query without meaning it, in a dependency, in the path",
        """
        from typing import Annotated
        from fastapi import Depends, FastAPI, Query

        app = FastAPI()

        def current_user(
            token: Annotated[str, Query()],  # <-
        ) -> str:
            return token

        @app.post("/login")
        def login(
            name: str,
            password: str,  # <-
        ) -> None: ...

        @app.get("/me")
        def me(user: Annotated[str, Depends(current_user)]) -> str:
            return user

        @app.get("/models/{api_key}/list")
        def models(
            api_key: str,  # <-
        ) -> None: ...
        """,
    ),
    case(
        "in body, form or header; one-time links; pagination; numbers; WebSockets; which token",
        """
        from typing import Annotated
        from fastapi import FastAPI, Form, Header, WebSocket
        from pydantic import BaseModel

        app = FastAPI()

        class Login(BaseModel):
            name: str
            password: str

        @app.post("/login")
        def login(data: Login) -> None: ...

        @app.post("/form")
        def form(password: Annotated[str, Form()], api_key: Annotated[str, Header()]) -> None: ...

        @app.get("/verify-email")
        def verify(token: str) -> None: ...

        @app.get("/items")
        def items(page_token: str = "", csrf_token: str = "", max_tokens: int = 1) -> None: ...

        @app.get("/spending")
        def spending(api_key: str | None = None) -> None: ...

        @app.get("/users")
        def users(with_password: bool = False) -> None: ...

        @app.delete("/tokens/{token}")
        def revoke(token: str) -> None: ...

        @app.websocket("/ws")
        async def ws(websocket: WebSocket, token: str) -> None: ...
        """,
    ),
)
