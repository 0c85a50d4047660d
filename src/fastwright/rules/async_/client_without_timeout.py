"""A call of another server has a time limit.

`requests` waits for ever unless it is told not to: when the other server accepts the connection and
says nothing, the thread that asks is lost, and the next request takes another one, until the pool is
empty. `httpx` gives up after five seconds of silence and `aiohttp` after five minutes, unless
`timeout=None` takes that away (CWE-1088).

Reported are calls of `requests` and of its sessions without `timeout`, and `timeout=None` where it
is written for a client or call of `requests` or `httpx`. Left alone are calls with `**options`, sessions
with an adapter of their own, `timeout=None` in a file that reads streams (silence is normal there), and
what no server runs: commands, scripts, examples, documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class
from fastwright.app.types import Instance
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import call_name, evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "request"})
_REQUESTS = frozenset(
    f"{owner}.{verb}" for owner in ("requests", "requests.Session") for verb in _VERBS
)
_HTTPX_CLIENTS = frozenset({"httpx.Client", "httpx.AsyncClient"})
_HTTPX = frozenset(
    f"{owner}.{verb}" for owner in ("httpx", *_HTTPX_CLIENTS) for verb in _VERBS
) | _HTTPX_CLIENTS  # fmt: skip
_LIBRARIES = frozenset({"requests", "httpx"})
_CALLED = _VERBS | {"Client", "AsyncClient"}
_STREAMING = frozenset({"stream", "aiter_bytes", "aiter_lines", "aiter_raw", "aiter_text", "send",
                        "iter_bytes", "iter_lines", "aconnect_sse", "connect_sse"})  # fmt: skip
_ASIDE = re.compile(
    r"(^|/)(examples?(_\w+)?|docs?|scripts?|samples?|cli|commands?|tools?|benchmarks?|demos?|notebooks?)"
    r"(/|\.py$)|(^|/)__main__\.py$|_cli\.py$"
)


def check(app: App) -> Iterator[Hit]:
    """Report each call that may wait for ever."""
    for module in app.sources:
        if not _uses_client(module) or _ASIDE.search(module.path):
            continue
        adapted = _has_own_adapter(app, module)
        for function in app.every_function(module, _CALLED):
            for site in app.calls.sites(function):
                why = _why(site, adapted=adapted)
                if why is not None:
                    message = f"{call_name(site)} {why}: it may wait for ever"
                    proof = (evidence(module, site.node, "no time limit"),)
                    yield Hit(place(module, site.node), message, proof)


def _uses_client(module: Module) -> bool:
    return any(fact.module.partition(".")[0] in _LIBRARIES for fact in module.header.imports)


def _has_own_adapter(app: App, module: Module) -> bool:
    """Whether the file mounts an adapter that may set a limit: any but the plain one."""
    return any(
        site.method == "mount" and _name_of(app, site) != "requests.adapters.HTTPAdapter"
        for function in app.every_function(module, frozenset({"mount"}))
        for site in app.calls.sites(function)
    )


def _name_of(app: App, site: CallSite) -> str | None:
    given = site.node.argument(1, "adapter")
    found = app.types.of(given, Where(site.module, site.caller))
    return found.name if isinstance(found, Instance) else None


def _why(site: CallSite, *, adapted: bool) -> str | None:
    """Return why a call may wait for ever, None where it does not or it is not known."""
    name = site.external
    if name in _REQUESTS:
        if any(keyword.arg is None for keyword in site.node.keywords):
            return None
        if name.startswith("requests.Session.") and (adapted or _is_own(site)):
            return None
        given = site.node.keyword("timeout")
        if given is None:
            return "has no timeout"
        return "has timeout=None" if _is_none(given) else None
    if name in _HTTPX and _is_none(site.node.keyword("timeout")) and not _streams(site):
        return "has timeout=None"
    return None


def _is_own(site: CallSite) -> bool:
    """Whether the session is of a class of the project, which may set a limit."""
    return isinstance(site.receiver, Instance) and isinstance(site.receiver.cls, Class)


def _is_none(node: s.Expr | None) -> bool:
    return isinstance(node, s.Constant) and node.kind == "none"


def _streams(site: CallSite) -> bool:
    """Whether streams are read in the file."""
    return any(not _STREAMING.isdisjoint(function.called) for function in site.module.functions)


RULE = Rule(
    summary="an HTTP call without a time limit",
    severity="warning",
    mend="Give `timeout=` (seconds, or a pair of connect and read) with each call of `requests`; keep"
    " the default of `httpx`, or give it a longer one.",
    app=check,
    references=(
        "https://requests.readthedocs.io/en/latest/user/advanced/#timeouts",
        "https://www.python-httpx.org/advanced/timeouts/",
        "CWE-1088",
    ),
)

CASES = (
    case(
        "requests, its sessions, and a limit that is taken away",
        """
        import httpx
        import requests
        from requests import get as fetch
        from requests.adapters import HTTPAdapter

        session = requests.Session()

        class Prices:
            def __init__(self) -> None:
                self.session = requests.Session()
                retrying = HTTPAdapter(max_retries=3)
                self.session.mount("https://", retrying)

            def eur(self) -> float:
                return self.session.get("https://rates.example").json()  # <-

        def load(url: str) -> None:
            requests.post(url, json={})  # <-
            fetch(url)  # <-
            session.request("GET", url)  # <-
            requests.get(url, timeout=None)  # <-

        async def ask(url: str) -> None:
            async with httpx.AsyncClient(timeout=None) as client:  # <-
                await client.get(url)
        """,
    ),
    case(
        "with a limit, or with one that may be in the options",
        """
        import httpx
        import requests

        def load(url: str, limit: float, **options) -> None:
            requests.get(url, timeout=5)
            requests.get(url, timeout=limit)
            requests.get(url, **options)

        async def ask(url: str) -> None:
            async with httpx.AsyncClient() as client:
                await client.get(url)
        """,
    ),
    case(
        "a stream may be silent for long",
        """
        import httpx

        async def follow(url: str):
            async with httpx.AsyncClient(timeout=None) as client:
                async with client.stream("GET", url) as answer:
                    async for line in answer.aiter_lines():
                        yield line
        """,
    ),
    case(
        "sessions that set a limit themselves",
        """
        import requests
        from requests.adapters import HTTPAdapter

        class Limited(HTTPAdapter):
            def send(self, request, **options):
                return super().send(request, **{"timeout": 5, **options})

        class Session(requests.Session):
            def request(self, *args, **options):
                return super().request(*args, **{"timeout": 5, **options})

        def make() -> requests.Session:
            session = requests.Session()
            session.mount("https://", Limited())
            session.get("https://shop.example")
            return session

        own = Session()

        def load() -> None:
            own.get("https://shop.example")
        """,
    ),
    Case(
        "commands and scripts",
        {
            "scripts/load.py": """
            import requests

            def load(url: str) -> None:
                requests.get(url)
            """,
            "app/cli.py": """
            import requests

            def load(url: str) -> None:
                requests.get(url)
            """,
        },
    ),
)
