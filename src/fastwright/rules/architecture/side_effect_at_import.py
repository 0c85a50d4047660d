"""Importing a module must not connect, write, start or wait for anything.

What stands at module level runs whenever anything imports the module: a test, a migration, a
command line, a worker, a reloader. If it creates tables, asks another server, runs a process,
writes a file or starts a thread, all of those do so too, before any setting can be overridden and
with nobody to handle the failure. It belongs into the application's lifespan (or a start script).

Reported in modules that importing the application imports: directly at module level, or through
calls that surely happen. Building an engine or a client that connects later, reading settings and
package data, making folders and configuring logging are not reported; nor is what stands under
`if __name__ == "__main__"`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import ClassObject, ExternalValue, Type, alternatives
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, of_calls, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_EFFECTS = {
    "sqlalchemy.Engine.connect": "connects to the database",
    "sqlalchemy.Engine.begin": "connects to the database",
    "psycopg2.connect": "connects to the database",
    "psycopg.connect": "connects to the database",
    "pymysql.connect": "connects to the database",
    "sqlite3.connect": "opens a database file",
    "socket.create_connection": "connects",
    "smtplib.SMTP": "connects to the mail server",
    "redis.Redis.ping": "asks Redis",
    "redis.Redis.get": "asks Redis",
    "redis.Redis.set": "writes to Redis",
    "urllib.request.urlopen": "asks another server",
    "urllib.request.urlretrieve": "downloads a file",
    "subprocess.run": "runs a process",
    "subprocess.call": "runs a process",
    "subprocess.check_call": "runs a process",
    "subprocess.check_output": "runs a process",
    "subprocess.Popen": "starts a process",
    "os.system": "runs a process",
    "os.popen": "runs a process",
    "os.remove": "deletes a file",
    "os.unlink": "deletes a file",
    "shutil.rmtree": "deletes a folder",
    "shutil.copytree": "copies a folder",
    "shutil.copyfile": "copies a file",
    "shutil.copy": "copies a file",
    "threading.Thread.start": "starts a thread",
    "threading.Timer.start": "starts a thread",
    "multiprocessing.Process.start": "starts a process",
    "pathlib.Path.write_text": "writes a file",
    "pathlib.Path.write_bytes": "writes a file",
    "pathlib.Path.unlink": "deletes a file",
    "time.sleep": "sleeps",
    "asyncio.run": "runs an event loop",
    "uvicorn.run": "starts a server",
    "alembic.command.upgrade": "migrates the database",
    "nltk.download": "downloads data",
}  # fmt: skip
_HTTP = ("requests.", "httpx.")
_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "request"})
_TABLES = frozenset({"create_all", "drop_all"})
_WRITE_MODES = frozenset("wax+")
_CALLS_DEEP = 3


class Effect(msgspec.Struct, frozen=True):
    """What a call does, and how it reads."""

    what: str
    name: str


def check(app: App) -> Iterator[Hit]:
    """Report each call that does something to the world when the application is imported."""
    for path in _imported(app):
        module = app.modules[path]
        for call in _run_on_import(module.facts.body):
            yield from _of_call(app, module, call)


def _imported(app: App) -> list[str]:
    """Return the modules that importing the applications and their routes imports, sorted."""
    pending = [application.module.path for application in app.applications]
    pending += [endpoint.module.path for endpoint in app.endpoints]
    found: set[str] = set()
    while pending:
        path = pending.pop()
        if path in found or path not in app.modules or app.modules[path].kind != "source":
            continue
        found.add(path)
        pending.extend(e.imported for e in app.imports.of(path) if e.when == "import")
    return sorted(found)


def _run_on_import(body: list[s.Stmt]) -> Iterator[s.Call]:
    """Yield the calls that run on import, in source order; not what only a script runs."""
    for statement in body:
        if isinstance(statement, s.FunctionDef):
            continue
        if isinstance(statement, s.ClassDef):
            yield from _run_on_import(statement.body)
        elif isinstance(statement, s.If):
            for branch in statement.branches:
                if not _is_script(branch.test):
                    yield from _run_on_import(branch.body)
            yield from _run_on_import(statement.orelse)
        elif isinstance(statement, s.Try):
            yield from _run_on_import(statement.body)
            yield from _run_on_import(statement.orelse)
            yield from _run_on_import(statement.finalbody)
        elif isinstance(statement, s.With):
            for item in statement.items:
                yield from _calls(item.context_expr)
            yield from _run_on_import(statement.body)
        elif isinstance(statement, (s.For, s.While)):
            yield from _calls(statement.iter if isinstance(statement, s.For) else statement.test)
            yield from _run_on_import(statement.body)
        else:
            yield from _calls(statement)


def _calls(node: s.Node) -> Iterator[s.Call]:
    """Yield calls in an expression or plain statement, those in lambdas left out."""
    for inner in s.walk_scope(node):
        if isinstance(inner, s.Call):
            yield inner


def _is_script(test: s.Expr) -> bool:
    """Whether a test asks how the process was started (``__name__``, ``sys.argv``, a runner)."""
    names = {s.last_name(node) for node in s.walk(test) if isinstance(node, (s.Name, s.Attribute))}
    return not names.isdisjoint({"__name__", "TYPE_CHECKING", "modules", "argv"})


def _of_call(app: App, module: Module, call: s.Call) -> Iterator[Hit]:
    callee = app.types.of(call.func, Where(module))
    effect = _effect(call, _external(callee))
    if effect is not None:
        message = f"importing {module.name} {effect.what}: {effect.name}"
        yield Hit(place(module, call), message, (evidence(module, call, effect.name),))
        return
    targets = [t for option in alternatives(callee) for t in app.calls.targets(option)]
    if len(targets) != 1 or targets[0].node.is_generator or targets[0].is_async:
        return
    found = _below(app, targets[0], 0, set())
    if found is None:
        return
    chain, below = found
    message = f"importing {module.name} {below.what}: {below.name}, through {targets[0].qualname}"
    last = chain[-1]
    proof = (
        evidence(module, call, targets[0].qualname),
        *of_calls(chain[:-1]),
        evidence(last.module, last.node, below.name),
    )
    yield Hit(place(module, call), message, proof)


def _below(
    app: App, function: Function, depth: int, seen: set[int]
) -> tuple[tuple[CallSite, ...], Effect] | None:
    """Return the first effect that calling a function surely has, and the calls that lead to it."""
    if depth >= _CALLS_DEEP or id(function.node) in seen:
        return None
    seen.add(id(function.node))
    for site in app.calls.sites(function):
        around = site.around
        if around.branches or around.handled or around.deferred or _after_return(function, site):
            continue
        effect = _effect(site.node, site.external)
        if effect is not None:
            return (site,), effect
        if len(site.targets) == 1:
            target = site.targets[0]
            if target.node.is_generator or (target.is_async and not around.awaited):
                continue
            below = _below(app, target, depth + 1, seen)
            if below is not None:
                return (site, *below[0]), below[1]
    return None


def _after_return(function: Function, site: CallSite) -> bool:
    """Whether an early return before a call may leave the function without it."""
    return any(
        isinstance(node, (s.Return, s.Raise)) and node.end <= site.node.start
        for node in s.walk_scope(*function.node.body)
    )


def _external(callee: Type) -> str | None:
    for option in alternatives(callee):
        if isinstance(option, ExternalValue):
            return option.name
        if isinstance(option, ClassObject) and isinstance(option.cls, str):
            return option.cls
    return None


def _effect(call: s.Call, name: str | None) -> Effect | None:
    """Return what a call does to the world, if it is known to do anything."""
    written = s.dotted(call.func) or ""
    if written.rpartition(".")[2] in _TABLES and "metadata" in written.split("."):
        return Effect("creates or drops tables in the database", written)
    if name is None:
        return None
    shown = written or name
    if name in _EFFECTS:
        return Effect(_EFFECTS[name], shown)
    if name.startswith(_HTTP) and name.rpartition(".")[2] in _VERBS:
        return Effect("asks another server", shown)
    if name == "builtins.open" and _is_write(call.argument(1, "mode")):
        return Effect("writes a file", shown)
    if name == "pathlib.Path.open" and _is_write(call.argument(0, "mode")):
        return Effect("writes a file", shown)
    return None


def _is_write(mode: s.Expr | None) -> bool:
    return not _WRITE_MODES.isdisjoint(s.string(mode) or "")


RULE = Rule(
    summary="something happens on import",
    severity="warning",
    mend="Do it in the application's lifespan, or in a script of its own (tables: a migration).",
    app=check,
    references=("https://fastapi.tiangolo.com/advanced/events/",),
)

CASES = (
    case(
        "tables created on import",
        """
        from fastapi import FastAPI
        from sqlmodel import SQLModel, create_engine

        engine = create_engine("sqlite:///shop.db")
        SQLModel.metadata.create_all(engine)  # <-

        app = FastAPI()
        """,
    ),
    Case(
        "a server asked and a thread started, in modules that the application imports",
        {
            "main.py": """
            from fastapi import FastAPI
            import rates, worker

            app = FastAPI()

            @app.get("/")
            def home():
                return rates.RATES
            """,
            "rates.py": """
            import requests

            def _download():
                return requests.get("https://rates.example").json()

            RATES = _download()  # <-
            """,
            "worker.py": """
            import threading

            def run(): ...

            thread = threading.Thread(target=run, daemon=True)
            thread.start()  # <-
            """,
            "tool.py": """
            import subprocess

            subprocess.run(["make"])
            """,
        },
    ),
    case(
        "a file written",
        """
        from fastapi import FastAPI

        with open("pid", "w") as pid:  # <-
            pid.write("1")

        app = FastAPI()
        """,
    ),
    case(
        "built now, connected later; read once; folders and logging",
        """
        import json, logging, os
        from pathlib import Path
        import httpx, redis
        from fastapi import FastAPI
        from sqlalchemy import create_engine

        logging.basicConfig(filename="app.log")
        os.makedirs("data", exist_ok=True)
        engine = create_engine("sqlite://")
        cache = redis.Redis()
        client = httpx.Client()
        CONFIG = json.loads(Path("config.json").read_text())
        with open("VERSION") as file:
            VERSION = file.read()

        app = FastAPI()
        """,
    ),
    case(
        "in a function, in the lifespan, as a script, or only on a condition below",
        """
        import subprocess
        from contextlib import asynccontextmanager
        from fastapi import FastAPI
        from sqlmodel import SQLModel, create_engine

        engine = create_engine("sqlite://")

        def version(ask: bool = False) -> str:
            if ask:
                return subprocess.check_output(["git", "describe"], text=True)
            return "1"

        @asynccontextmanager
        async def lifespan(app: FastAPI):
            SQLModel.metadata.create_all(engine)
            yield

        app = FastAPI(lifespan=lifespan, version=version())

        if __name__ == "__main__":
            import uvicorn
            uvicorn.run(app)
        """,
    ),
)
