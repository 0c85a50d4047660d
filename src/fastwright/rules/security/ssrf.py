"""The client does not choose which host the server calls.

A URL from a request that an HTTP client fetches makes the server a proxy into its own network: cloud
metadata, internal services, databases without a password (server-side request forgery; OWASP API7:2023,
CWE-918). Look the target up in a table of allowed ones, or check the host against a list and refuse
addresses of private networks after resolving the name.

Reported where request data is the beginning of the URL or its host, followed through fields, names, texts
and calls, and through the columns that keep it: a webhook's URL that one route stores and a job posts to.
A fixed host with request data in the path is another matter and left alone; so is a URL that is compared
with allowed ones, parsed, resolved or given to something that checks it, and one that only an
administrator may hand over. What administrators store is reported: those who run an application are
seldom those who run the network that its jobs work in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.request_data import RequestData, Source
from fastwright.rules.evidence import call_name
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.security._flows import flows, hit, holds_slashes

_CHECKS = re.compile(
    r"urlparse|urlsplit|parse_url|getaddrinfo|gethostby|ip_address|host|domain|ssrf|block|startswith"
    r"|resolve|internal|private|public|assert|reject|guard",
    re.IGNORECASE,
)


def check(app: App) -> Iterator[Hit]:
    """Report HTTP calls whose host the request chooses."""
    data = RequestData(app, _CHECKS, leading=True)
    for flow in flows(app, data, app.library.sinks["ssrf"], _may_hold_host):
        message = f"{flow.source.told} decides which host {call_name(flow.site)} calls"
        yield hit(flow, message)


def _may_hold_host(source: Source) -> bool:
    return (
        source.kind != "header"
        and holds_slashes(source)
        and (source.column is not None or not _is_for_staff(source))
    )


def _is_for_staff(source: Source) -> bool:
    """Whether only administrators may say which host it is: setting that up is their work."""
    return source.route is not None and any(
        _STAFF.search(dependency.label) for dependency in source.route.all_dependencies()
    )


_STAFF = re.compile(r"admin|superuser|staff|operator", re.IGNORECASE)

RULE = Rule(
    summary="the client chooses which host the server calls",
    severity="error",
    confidence="medium",
    mend="Take a key and look the URL up, or check the host against a list of allowed ones before the"
    " call, and follow no redirects.",
    app=check,
    references=(
        "https://owasp.org/API-Security/editions/2023/en/0xa7-server-side-request-forgery/",
        "CWE-918",
    ),
)

CASES = (
    case(
        "a query parameter, a field of the body through a service, the host in a text",
        """
        import httpx
        import requests
        from fastapi import FastAPI
        from pydantic import BaseModel, HttpUrl

        app = FastAPI()

        class Hook(BaseModel):
            url: HttpUrl
            name: str

        class Importer:
            def load(self, address: str) -> bytes:
                return requests.get(address, timeout=5).content  # <-

        @app.get("/fetch")
        async def fetch(url: str) -> str:
            async with httpx.AsyncClient() as client:
                answer = await client.get(url)  # <-
            return answer.text

        @app.post("/import")
        def load(hook: Hook) -> int:
            return len(Importer().load(str(hook.url)))

        @app.get("/ping")
        def ping(server: str) -> int:
            return requests.get(f"https://{server}/health", timeout=5).status_code  # <-
        """,
    ),
    case(
        "a fixed host, a table of targets, a host that is checked, settings",
        """
        from urllib.parse import urlsplit
        import requests
        from fastapi import FastAPI, HTTPException
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            base: str = "https://rates.example.org"

        settings = Settings()
        app = FastAPI()
        TARGETS = {"a": "https://a.example.org"}

        @app.get("/rates")
        def rates(currency: str) -> str:
            return requests.get(f"https://rates.example.org/{currency}", timeout=5).text

        @app.get("/base")
        def base(currency: str) -> str:
            return requests.get(f"{settings.base}/{currency}", timeout=5).text

        @app.get("/target")
        def target(key: str) -> str:
            return requests.get(TARGETS[key], timeout=5).text

        @app.get("/checked")
        def checked(url: str) -> str:
            if urlsplit(url).hostname not in {"a.example.org"}:
                raise HTTPException(400)
            return requests.get(url, timeout=5).text
        """,
    ),
    case(
        "a URL that one route stores and a job posts to",
        """
        import httpx
        from fastapi import FastAPI
        from pydantic import BaseModel, HttpUrl
        from sqlalchemy import create_engine, select
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Base(DeclarativeBase): ...

        class Hook(Base):
            __tablename__ = "hooks"
            id: Mapped[int] = mapped_column(primary_key=True)
            url: Mapped[str]
            ours: Mapped[str]

        class HookIn(BaseModel):
            url: HttpUrl

        @app.post("/hooks")
        def create(body: HookIn) -> None:
            with Session(engine) as session:
                session.add(Hook(**body.model_dump(mode="json"), ours="https://a.example.org"))
                session.commit()

        async def deliver_all() -> None:
            async with httpx.AsyncClient(timeout=5) as client:
                with Session(engine) as session:
                    for hook in session.scalars(select(Hook)):
                        await client.post(hook.url)  # <-
                        await client.post(hook.ours)
        """,
    ),
    case(
        "a message of a WebSocket; the rest of a path",
        """
        import requests
        from fastapi import FastAPI, WebSocket

        app = FastAPI()

        @app.websocket("/load")
        async def load(websocket: WebSocket) -> None:
            async for wanted in websocket.iter_json():
                requests.get(wanted["url"], timeout=5)  # <-
                requests.get(f"https://a.example.org/{wanted['name']}", timeout=5)

        @app.get("/proxy/{url:path}")
        def proxy(url: str) -> str:
            return requests.get(url, timeout=5).text  # <-
        """,
    ),
    case(
        "fields that a validator checks, a guard that refuses, a fixed beginning that is handed on",
        """
        import requests
        from urllib.parse import urlparse
        from fastapi import FastAPI, HTTPException
        from pydantic import BaseModel, field_validator

        app = FastAPI()

        class Hook(BaseModel):
            url: str

            @field_validator("url")
            @classmethod
            def ours(cls, url: str) -> str:
                if urlparse(url).hostname not in {"a.example.org"}:
                    raise ValueError("not ours")
                return url

        def refuse_strangers(address: str) -> None:
            if urlparse(address).hostname not in {"a.example.org"}:
                raise HTTPException(400)

        def load(url: str) -> str:
            return requests.get(url, timeout=5).text

        @app.post("/hooks")
        def test_hook(hook: Hook) -> str:
            return requests.get(hook.url, timeout=5).text

        @app.get("/load")
        def load_it(url: str) -> str:
            refuse_strangers(url)
            return requests.get(url, timeout=5).text

        @app.get("/name")
        def named(name: str) -> str:
            return load(f"https://a.example.org/{name}")
        """,
    ),
)
