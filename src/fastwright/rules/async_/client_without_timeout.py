"""A call of another server has a time limit.

`requests` waits for ever unless it is told not to: when the other server accepts the connection and
says nothing, the thread that asks is lost, and the next request takes another one, until the pool is
empty. `httpx` gives up after five seconds of silence and `aiohttp` after five minutes, unless
`timeout=None` takes that away (CWE-1088).

Reported are calls of `requests` and of its sessions without `timeout`, and `timeout=None` where it
is written for a client or call of `requests` or `httpx`. Left alone are calls with `**options`, sessions
with an adapter of their own, `timeout=None` in a file that reads streams (silence is normal there), and
what no server runs: commands, scripts, examples, documentation.

The fix gives a call without `timeout` sixty seconds of silence. `timeout=None` is a decision of somebody,
and a stream may be silent for longer: there it is only suggested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, ExternalValue, Instance, alternatives
from fastwright.edit.builders import add_argument, replace
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
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
_NO_LIMIT = re.compile(rb"timeout.{,16}none", re.DOTALL)
"""``timeout=None`` in the stored body of a function: a name, a place and a kind of constant."""
_LIMIT = "60"
"""Seconds: what proxies in front of an application wait, for whom nobody would wait longer."""
_STREAMING = frozenset({"stream", "aiter_bytes", "aiter_lines", "aiter_raw", "aiter_text", "send",
                        "iter_bytes", "iter_lines", "aconnect_sse", "connect_sse"})  # fmt: skip
_ASIDE = re.compile(
    r"(^|/)(examples?(_\w+)?|docs?|scripts?|samples?|cli|commands?|tools?|benchmarks?|demos?|notebooks?)"
    r"(/|\.py$)|(^|/)__main__\.py$|_cli\.py$"
)


def check(app: App) -> Iterator[Hit]:
    """Report each call that may wait for ever."""
    for module in app.sources:
        imported = {fact.module.partition(".")[0] for fact in module.header.imports}
        if not imported.isdisjoint(_LIBRARIES) and not _ASIDE.search(module.path):
            yield from _in_module(app, module, _words(module, imported))


def _words(module: Module, imported: set[str]) -> re.Pattern[bytes]:
    """Return what the stored body of a function holds if it has to do with one of the libraries."""
    if "requests" not in imported:
        return _NO_LIMIT
    names = [name for name, origin in module.imported.items() if origin.startswith("requests")]
    words = [_NO_LIMIT.pattern, b"ession", *(re.escape(name.encode()) for name in names)]
    return re.compile(b"|".join(words), re.DOTALL)


def _in_module(app: App, module: Module, words: re.Pattern[bytes]) -> Iterator[Hit]:
    if not any(words.search(node.raw_body) for node in module.functions):
        return
    for function in app.every_function(module):
        if not words.search(function.node.raw_body):
            continue
        for call, _ in app.calls.of_kind(function, s.Call):
            why = _why(app, function, call)
            if why is not None:
                written = s.dotted(call.func) or s.last_name(call.func)
                message = f"{written} {why}: it may wait for ever"
                proof = (evidence(module, call, why),)
                yield Hit(place(module, call), message, proof, _fix(module, call))


def _fix(module: Module, call: s.Call) -> Fix:
    """Return the fix that sets a limit; whether it fits a stream or a wish, a person decides."""
    given = call.keyword("timeout")
    if given is not None:
        return Fix("suggest", (replace(module, given, _LIMIT),))
    added = (add_argument(module, call, f"timeout={_LIMIT}"),)
    return Fix("suggest" if call.keyword("stream") is not None else "safe", added)


def _why(app: App, function: Function, call: s.Call) -> str | None:
    """Return why a call may wait for ever, None where it does not or it is not known."""
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    given = call.keyword("timeout")
    if given is not None and not (isinstance(given, s.Constant) and given.kind == "none"):
        return None
    if given is None and not _may_be_requests(function, call):
        return None
    name = _name(app, function, call)
    if name in _HTTPX and given is not None and not _reads_streams(function.module):
        return "has timeout=None"
    if name not in _REQUESTS:
        return None
    if name.startswith("requests.Session.") and _has_own_adapter(app, function.module):
        return None
    return "has no timeout" if given is None else "has timeout=None"


def _may_be_requests(function: Function, call: s.Call) -> bool:
    """Whether it reads like a call of requests or of a session: what spares asking for its type."""
    imported = function.module.imported
    if isinstance(call.func, s.Name):
        return imported.get(call.func.id) in _REQUESTS
    receiver = call.func.value if isinstance(call.func, s.Attribute) else None
    name = s.last_name(receiver) or ""
    return s.last_name(call.func) in _VERBS and (
        "ession" in name or imported.get(name) == "requests"
    )


def _name(app: App, function: Function, call: s.Call) -> str | None:
    """Return the canonical name of what is called; None for a session of a class of the project."""
    for found in alternatives(app.types.of(call.func, Where(function.module, function))):
        if isinstance(found, ExternalValue):
            own = isinstance(found.receiver, Instance) and isinstance(found.receiver.cls, Class)
            return None if own else found.name
        if isinstance(found, ClassObject) and isinstance(found.cls, str):
            return found.cls
    return None


def _has_own_adapter(app: App, module: Module) -> bool:
    """Whether the file mounts an adapter that may set a limit: any but the plain one."""
    return any(
        s.last_name(call.func) == "mount"
        and _adapter(app, function, call) != "requests.adapters.HTTPAdapter"
        for function in app.every_function(module, frozenset({"mount"}))
        for call, _ in app.calls.of_kind(function, s.Call)
    )


def _adapter(app: App, function: Function, call: s.Call) -> str | None:
    given = call.argument(1, "adapter")
    found = app.types.of(given, Where(function.module, function))
    return found.name if isinstance(found, Instance) else None


def _reads_streams(module: Module) -> bool:
    return any(not _STREAMING.isdisjoint(function.called) for function in module.functions)


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
        import requests as web
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
            web.delete(url)  # <-
            session.request("GET", url)  # <-
            requests.get(url, timeout=None)  # <-

        async def ask(url: str) -> None:
            async with httpx.AsyncClient(timeout=None) as client:  # <-
                await client.get(url)

        def save(url: str) -> None:
            requests.get(url, stream=True)  # <-
        """,
        after="""
        import httpx
        import requests
        import requests as web
        from requests import get as fetch
        from requests.adapters import HTTPAdapter

        session = requests.Session()

        class Prices:
            def __init__(self) -> None:
                self.session = requests.Session()
                retrying = HTTPAdapter(max_retries=3)
                self.session.mount("https://", retrying)

            def eur(self) -> float:
                return self.session.get("https://rates.example", timeout=60).json()

        def load(url: str) -> None:
            requests.post(url, json={}, timeout=60)
            fetch(url, timeout=60)
            web.delete(url, timeout=60)
            session.request("GET", url, timeout=60)
            requests.get(url, timeout=60)

        async def ask(url: str) -> None:
            async with httpx.AsyncClient(timeout=60) as client:
                await client.get(url)

        def save(url: str) -> None:
            requests.get(url, stream=True, timeout=60)
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
