"""A call that waits, on the event loop, stops every other request.

An `async def` endpoint, dependency, middleware or background task runs on the event loop. While
code below it sleeps, asks another server with a synchronous client, reads a file or hashes a
password, the whole process serves nobody. The call may stand any number of functions away.

Plain `def` endpoints, dependencies and background tasks are not concerned: they run in a thread
pool. Calls through `run_in_threadpool`, `asyncio.to_thread` or an executor are right as well, and
so is what is read once and kept (`lru_cache`, `if cache is None: cache = load()`), what is read again
only when the file changed, and what code leaves out itself once it finds a running loop. Start-up and
shutdown are not looked at: nobody waits then. Database sessions have a rule of their own. What a
call does that cannot be resolved is not known, and not reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from fastwright.app.calls import CallSite, Step
from fastwright.app.guards import Guards
from fastwright.app.model import App
from fastwright.app.on_loop import Loop, on_loop, stays_on_loop
from fastwright.app.once import is_kept, is_read_when_changed
from fastwright.app.running import runs_on_loop
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import Instance, Literal
from fastwright.edit import source as at
from fastwright.edit.builders import arguments, replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name, evidence, of_entry, of_step, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_FILES = frozenset({"builtins.open", "pathlib.Path.open", "pathlib.Path.read_text",
                    "pathlib.Path.read_bytes"})  # fmt: skip
_IN_MEMORY = ("/proc/", "/sys/", "/dev/", "/run/", "/var/run/")
"""Files that the kernel makes up: reading them waits for no disk."""
_SEVERAL = 2
_MORE = 8
"""Further calls of what blocks that are shown: each has to be mended."""

_MOVABLE = (
    "requests.",
    "httpx.",
    "urllib.",
    "subprocess.",
    "shutil.",
    "os.",
    "socket.",
    "pathlib.",
)
"""Calls that a thread may run: they leave nothing behind that belongs to one."""
_LAZY = frozenset({"walk", "scandir", "iterdir", "glob", "rglob", "Popen"})
"""Of these the work is done by what reads the result."""


def check(app: App) -> Iterator[Hit]:
    """Report what blocks in each function that the event loop reaches, with the shortest way to it."""
    on = _Loop(app, on_loop(app), Guards(app))
    for step in on.loop.reached:
        waits: dict[str, list[CallSite]] = {}
        for site in app.calls.sites(step.function):
            why = _waits(app, site)
            if why is not None and on.way(site) is not None:
                waits.setdefault(why, []).append(site)
        for why, sites in waits.items():
            yield _hit(on, on.way(sites[0]) or step, why, sites)


@dataclass(eq=False)
class _Loop:
    """What the event loop runs, and by which calls."""

    app: App
    loop: Loop
    guards: Guards

    def way(self, site: CallSite) -> Step | None:
        """Return how the loop comes to a call, None if it does not."""
        return self.loop.reached.way(site, self.guards.runs)

    def other_calls(self, step: Step) -> list[CallSite]:
        """Return the further calls on the loop that run a plain function; those of the file first."""
        first = step.site
        if first is None or step.function.is_async:
            return []
        found = [
            site
            for site in self._calls.get(id(step.function.node), ())
            if site is not first
            and stays_on_loop(self.app, site, step.function)
            and self.way(site) is not None
        ]
        return sorted(found, key=lambda site: site.module.path != first.module.path)

    @cached_property
    def _calls(self) -> dict[int, list[CallSite]]:
        found: dict[int, list[CallSite]] = {}
        for step in self.loop.reached:
            for site in self.app.calls.sites(step.function):
                for target in site.targets:
                    found.setdefault(id(target.node), []).append(site)
        return found


def _hit(on: _Loop, step: Step, why: str, sites: list[CallSite]) -> Hit:
    app, first = on.app, sites[0]
    entry = on.loop.entry(step.root)
    chain = (
        *of_entry(entry),
        *of_step(step),
        *(evidence(site.module, site.node, _named(app, site)) for site in sites[:_MORE]),
        *(
            evidence(site.module, site.node, f"also calls {step.function.qualname}")
            for site in on.other_calls(step)[:_MORE]
        ),
    )
    more = f" ({len(sites)} calls here)" if len(sites) > 1 else ""
    routes = len(app.routes_for(step.root)) if entry.kind == "endpoint" else 0
    by = f", in {routes} routes" if routes > 1 else ""
    message = f"{_named(app, first)} {why} on the event loop{more}{by}"
    return Hit(place(first.module, first.node), message, chain, _fix(step.function, sites))


# ------------------------------------------------------------------------- the fix


def _fix(function: Function, sites: list[CallSite]) -> Fix | None:
    """Return the fix that waits elsewhere, for calls that stand in an ``async def`` themselves.

    Sessions and connections belong to one thread: they are left to a person.
    """
    module = sites[0].module
    asyncio = bring(module, "asyncio")
    if asyncio is None or not function.is_async:
        return None
    edits = []
    for site in sites:
        external, node = site.external or "", site.node
        given = [at.text(module, each) for each in arguments(node)]
        if any(isinstance(loop, s.Comp) for loop in site.around.loops) or _is_entered(site):
            return None
        if external == "time.sleep":
            made = f"await {asyncio.name}.sleep({', '.join(given)})"
        elif _is_movable(external) and b"#" not in module.source[node.start : node.end]:
            called = ", ".join([at.text(module, node.func), *given])
            made = f"await {asyncio.name}.to_thread({called})"
        else:
            return None
        behind = module.source[node.end : node.end + 1]
        edits.append(replace(module, node, f"({made})" if behind in {b".", b"[", b"("} else made))
    return Fix("suggest", tuple(edits), asyncio.imports)


def _is_movable(external: str) -> bool:
    return external.startswith(_MOVABLE) and external.rpartition(".")[2] not in _LAZY


def _is_entered(site: CallSite) -> bool:
    """``with open(path) as file``: what it gives blocks as well."""
    return any(
        item.context_expr.start <= site.node.start < item.context_expr.end
        for statement in s.walk_scope(*site.caller.node.body)
        if isinstance(statement, s.With)
        for item in statement.items
    )


def _named(app: App, site: CallSite) -> str:
    """Return how a call reads; where it may run one of several, the one that blocks."""
    if len(site.externals) < _SEVERAL:
        return call_name(site)
    return next(filter(app.library.blocks, site.externals), call_name(site))


def _waits(app: App, site: CallSite) -> str | None:
    """Return what a call waits for, None if it does not block here."""
    if site.external is None or site.around.awaited or site.around.deferred:
        return None
    why = next(filter(None, map(app.library.blocks, site.externals)), None)
    if why is None or is_kept(site):
        return None
    if site.external in _FILES and (
        _in_memory(app, site) or is_read_when_changed(site) or _is_read_elsewhere(app, site)
    ):
        return None
    return why if runs_on_loop(app, site) else None


def _is_read_elsewhere(app: App, site: CallSite) -> bool:
    """``with open(path) as file: await to_thread(file.read)``: only the opening is on the loop."""
    name: str | None = None
    for node, _ in app.calls.of_kind(site.caller, s.With):
        for item in node.items:
            if item.context_expr is site.node:
                name = s.dotted(item.optional_vars)
    for statement, _ in app.calls.of_kind(site.caller, s.Assign):
        if statement.value is site.node:
            name = s.dotted(statement.targets[0])
    if name is None:
        return False
    return any(
        other.external in app.library.elsewhere
        and any(
            isinstance(inner, s.Name) and inner.id == name for inner in s.walk(*other.node.args)
        )
        for other in app.calls.sites(site.caller)
    )


def _in_memory(app: App, site: CallSite) -> bool:
    """Whether the file that is opened is one of the kernel's."""
    where = Where(site.module, site.caller)
    given = site.node.argument(0, "file") if site.external == "builtins.open" else None
    if given is None and isinstance(site.node.func, s.Attribute):
        receiver = site.node.func.value
        if isinstance(receiver, s.Call) and isinstance(site.receiver, Instance):
            given = receiver.argument(0, "path")
    if isinstance(given, s.JoinedStr) and given.values:
        given = given.values[0]
    found = app.types.of(given, where) if given is not None else None
    return (
        isinstance(found, Literal)
        and isinstance(found.value, str)
        and found.value.startswith(_IN_MEMORY)
    )


RULE = Rule(
    summary="a blocking call on the event loop",
    severity="error",
    mend="Use the async equivalent (`asyncio.sleep`, `httpx.AsyncClient`), or run the call in a"
    " thread with `run_in_threadpool`; or make the endpoint a plain `def` if it awaits nothing.",
    profiles=("performance",),
    app=check,
    recipe="unblock",
    references=("https://fastapi.tiangolo.com/async/",),
)

CASES = (
    case(
        "in the endpoint itself: a thread waits for it",
        """
        import time
        import requests
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/rate")
        async def rate(currency: str) -> float:
            time.sleep(0.1)  # <-
            answer = requests.get("https://rates.example", params={"q": currency})  # <-
            return answer.json()["eur"]

        @app.get("/text")
        async def text() -> str:
            with open("text.txt") as file:  # <-
                return file.read()
        """,
        after="""
        import asyncio
        import requests
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/rate")
        async def rate(currency: str) -> float:
            await asyncio.sleep(0.1)
            answer = await asyncio.to_thread(requests.get, "https://rates.example", params={"q": currency})
            return answer.json()["eur"]

        @app.get("/text")
        async def text() -> str:
            with open("text.txt") as file:
                return file.read()
        """,
    ),
    case(
        "two functions below the endpoint",
        """
        import requests
        from fastapi import FastAPI

        app = FastAPI()

        def rate() -> float:
            return requests.get("https://rates.example").json()["eur"]  # <-

        class Prices:
            def eur(self, usd: float) -> float:
                return usd * rate()

        @app.get("/price")
        async def price(usd: float) -> float:
            return Prices().eur(usd)
        """,
    ),
    case(
        "a dependency blocks too, through a method of an injected object",
        """
        import time
        from fastapi import Depends, FastAPI

        app = FastAPI()

        class Limiter:
            def wait(self):
                time.sleep(0.1)  # <-

        def get_limiter() -> Limiter:
            return Limiter()

        async def limited(limiter=Depends(get_limiter)):
            limiter.wait()

        @app.get("/", dependencies=[Depends(limited)])
        def home() -> None: ...
        """,
    ),
    Case(
        "password hashing, behind a repository that a cached property makes",
        {
            "app/security.py": """
                from passlib.context import CryptContext

                context = CryptContext(schemes=["bcrypt"])

                def hashed(password: str) -> str:
                    return context.hash(password)  # <-
                """,
            "app/users.py": """
                from functools import cached_property
                from app.security import hashed

                class Repository:
                    def create(self, email, password):
                        return {"email": email, "hash": hashed(password)}

                class Container:
                    @cached_property
                    def users(self):
                        return Repository()
                """,
            "app/main.py": """
                from fastapi import Depends, FastAPI
                from app.users import Container

                app = FastAPI()

                @app.post("/users")
                async def register(email: str, password: str, box: Container = Depends(Container)):
                    return box.users.create(email, password)
                """,
        },
    ),
    case(
        "an async background task runs on the loop as well; several calls are one finding",
        """
        import smtplib
        from fastapi import BackgroundTasks, FastAPI

        app = FastAPI()

        async def mail(to: str) -> None:
            server = smtplib.SMTP("localhost")  # <-
            server.sendmail("shop@example.com", [to], "hello")
            server.quit()

        @app.post("/orders")
        def order(to: str, tasks: BackgroundTasks) -> None:
            tasks.add_task(mail, to)
        """,
    ),
    case(
        "in middleware, a client of an SDK with nested resources",
        """
        from fastapi import FastAPI, Request
        from openai import OpenAI

        app = FastAPI()
        client = OpenAI()

        @app.middleware("http")
        async def moderate(request: Request, call_next):
            client.moderations.create(input=str(request.url))  # <-
            return await call_next(request)
        """,
    ),
    case(
        "tasks that are queued, migrations that are read, an async sink of the log, one of several classes",
        """
        from alembic.config import Config
        from alembic.script import ScriptDirectory
        from celery import Celery
        from fastapi import FastAPI
        from httpx_oauth.clients.github import GitHubOAuth2
        from httpx_oauth.clients.openid import OpenID
        from httpx_oauth.oauth2 import BaseOAuth2
        from loguru import logger
        from rq import Queue
        from rq.decorators import job

        app = FastAPI()
        worker = Celery("shop")
        queue = Queue("mails")
        PROVIDERS: dict[str, type[BaseOAuth2]] = {"github": GitHubOAuth2, "openid": OpenID}

        @job(queue)
        def mail(to: str) -> None: ...

        @worker.task
        def bill(order: int) -> None: ...

        class Sink:
            async def __call__(self, message) -> None:
                queue.enqueue(mail, message)  # <-

        def start() -> None:
            logger.add(Sink())

        @app.post("/orders/{order}")
        async def create(order: int, to: str) -> None:
            mail.delay(to)  # <-
            bill.delay(order)  # <-
            bill.s(order)

        @app.get("/revision")
        async def revision() -> str:
            return ScriptDirectory.from_config(Config()).get_current_head()  # <-

        @app.get("/login")
        async def login(provider: str) -> str:
            return PROVIDERS[provider]("id", "secret").name  # <-
        """,
    ),
    case(
        "what only queues on a thread, and a sink that runs in one",
        """
        from fastapi import FastAPI
        from loguru import logger
        from rq import Queue
        from rq.decorators import job

        app = FastAPI()
        queue = Queue("mails")

        @job(queue)
        def mail(to: str) -> None: ...

        def sink(message) -> None:
            mail.delay(message)

        logger.add(sink)

        @app.post("/orders")
        def create(to: str) -> None:
            mail.delay(to)
        """,
    ),
    case(
        "a plain def endpoint runs in a thread",
        """
        import time
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/slow")
        def slow() -> None:
            time.sleep(1)
        """,
    ),
    case(
        "handed to a thread",
        """
        import asyncio, time
        from fastapi import FastAPI
        from fastapi.concurrency import run_in_threadpool

        app = FastAPI()

        def work() -> None:
            time.sleep(1)

        @app.get("/file")
        async def file() -> bytes:
            with open("data.bin", "rb") as data:
                return await asyncio.to_thread(data.read, 100_000)

        @app.get("/slow")
        async def slow() -> None:
            await run_in_threadpool(time.sleep, 1)
            await asyncio.to_thread(lambda: time.sleep(1))
            await asyncio.get_running_loop().run_in_executor(None, work)
        """,
    ),
    case(
        "a decorator hands it to a thread",
        """
        import asyncio, functools, time
        from fastapi import FastAPI

        app = FastAPI()

        def threaded(function):
            @functools.wraps(function)
            async def wrapper(*args):
                return await asyncio.to_thread(function, *args)
            return wrapper

        @threaded
        def work() -> None:
            time.sleep(1)

        @app.get("/slow")
        async def slow() -> None:
            await work()
        """,
    ),
    case(
        "read once and kept",
        """
        from functools import lru_cache
        from pathlib import Path
        from fastapi import FastAPI

        app = FastAPI()
        _banner = None

        @lru_cache
        def key() -> str:
            return Path("key.pem").read_text()

        def banner() -> str:
            global _banner
            if _banner is None:
                _banner = Path("banner.txt").read_text()
            return _banner

        def boot_time() -> str:
            return Path("/proc/stat").read_text()

        _terms = None

        def terms() -> str:
            global _terms
            if _terms is not None:
                return _terms
            with open("terms.txt") as file:
                _terms = file.read()
            return _terms

        @app.get("/")
        async def home() -> str:
            return key() + banner() + boot_time() + terms()
        """,
    ),
    case(
        "a plain generator that is streamed runs in a thread; start-up keeps nobody waiting",
        """
        from contextlib import asynccontextmanager
        import time
        from fastapi import FastAPI
        from fastapi.responses import StreamingResponse

        @asynccontextmanager
        async def lifespan(app: FastAPI):
            time.sleep(1)
            yield

        app = FastAPI(lifespan=lifespan)

        def lines():
            with open("log.txt") as file:
                yield from file

        @app.get("/log")
        async def log():
            return StreamingResponse(lines())
        """,
    ),
    case(
        "a call that the argument given rules out, and one that another way runs",
        """
        import socket
        import httpx
        from fastapi import FastAPI

        app = FastAPI()

        def resolve(host: str, lookup: bool = True) -> list:
            if not lookup:
                return []
            return socket.getaddrinfo(host, 443)  # <-

        def complete(prompt: str, answer: str | None = None) -> str:
            if answer is not None:
                return answer
            return httpx.get("https://example.org", params={"q": prompt}).text

        def ask(prompt: str, **kwargs) -> str:
            answer = kwargs.get("answer", None)
            later = kwargs.pop("later", None)
            try:
                if answer is not None or later:
                    return str(answer)
                return httpx.get("https://example.org", params={"q": prompt}).text
            except httpx.HTTPError:
                return httpx.get("https://example.org/error").text  # <-

        def ask_again(prompt: str, **kwargs) -> str:
            answer = kwargs.get("answer", None)
            if answer is not None:
                return str(answer)
            return httpx.get("https://example.org", params={"q": prompt}).text  # <-

        def look_up(host: str, server: str | None = None) -> list:
            server = server or "dns.example.org"
            if not server:
                return []
            return socket.getaddrinfo(server, 53)  # <-

        @app.get("/known/{host}")
        async def known(host: str, settings: dict[str, str]) -> str:
            resolve(host, lookup=False)
            look_up(host)
            ask(host, answer="an answer")
            ask_again(host, **settings)
            return complete(host, answer="an answer")

        @app.get("/hosts/{host}")
        async def host(host: str) -> int:
            return len(resolve(host))
        """,
    ),
    case(
        "rows of CSV go into a file, or into memory; a wrapper that a decorator puts around",
        """
        import csv
        import functools
        import io
        import tempfile
        import time
        from fastapi import FastAPI

        app = FastAPI()

        def slowly(function):
            @functools.wraps(function)
            async def wrapper(*args, **kwargs):
                time.sleep(1)  # <-
                return await function(*args, **kwargs)
            return wrapper

        @app.get("/file")
        async def file(rows: list[str]) -> str:
            with tempfile.NamedTemporaryFile("w") as out:
                writer = csv.writer(out)
                writer.writerow(rows)  # <-
                return out.name

        @app.get("/text")
        @slowly
        async def text(rows: list[str]) -> str:
            out = io.StringIO()
            csv.writer(out).writerow(rows)
            return out.getvalue()
        """,
    ),
    Case(
        "behind a port stand all that do what it says, also those that inherit from ABC again",
        {
            "crypto.py": """
            from abc import ABC, abstractmethod
            import bcrypt

            class Hasher(ABC):
                @abstractmethod
                def verify(self, key: bytes, known: bytes) -> bool: ...

            class BcryptHasher(Hasher, ABC):
                def verify(self, key: bytes, known: bytes) -> bool:
                    return bcrypt.checkpw(key, known)  # <-
            """,
            "main.py": """
            from crypto import Hasher
            from fastapi import Depends, FastAPI

            app = FastAPI()

            def hasher() -> Hasher: ...

            @app.post("/login")
            async def login(key: str, hasher: Hasher = Depends(hasher)) -> bool:
                return hasher.verify(key.encode(), b"")
            """,
        },
    ),
    case(
        "a file that is read again when it changed; code that asks whether it runs on the loop",
        """
        import asyncio
        import threading
        import time
        from pathlib import Path
        from fastapi import FastAPI

        app = FastAPI()
        _seen: float | None = None
        _state = b""

        def state(path: Path) -> bytes:
            global _seen, _state
            seen = path.stat().st_mtime
            if seen != _seen:
                _seen, _state = seen, path.read_bytes()
            return _state

        def other_state(path: Path, wanted: str) -> bytes:
            if path.name != wanted:
                return path.read_bytes()  # <-
            return b""

        def is_loop_running() -> bool:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                return False
            return True

        def may_wait() -> bool:
            return threading.current_thread() is threading.main_thread() and not is_loop_running()

        def login() -> None:
            if not may_wait():
                raise RuntimeError("log in first")
            time.sleep(5)

        def pause() -> None:
            if is_loop_running():
                time.sleep(1)  # <-
            else:
                time.sleep(2)

        def refuse_elsewhere() -> None:
            if not is_loop_running():
                raise RuntimeError("only on the loop")
            time.sleep(1)  # <-

        @app.get("/{name}")
        async def home(name: str) -> bytes:
            login()
            pause()
            refuse_elsewhere()
            return state(Path("state.json")) + other_state(Path(name), "a")
        """,
    ),
)
