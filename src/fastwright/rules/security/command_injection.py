"""Request data never becomes part of a shell's command line.

`subprocess.run(f"convert {name}", shell=True)` runs whatever follows a semicolon in `name` (CWE-78). Give
the program and its arguments as a list and leave the shell out.

Reported where text of a request reaches `os.system`, `os.popen`, `create_subprocess_shell`, or a function
of `subprocess` with `shell=True` or `["sh", "-c", ...]`. Lists of arguments without a shell, numbers, and values that are quoted
with `shlex.quote`, checked or compared with allowed ones are left alone.

Reported as well where a parameter of a link or a form is run as code: `eval`, `exec`, a Jinja2 template
(CWE-94). The body of a request may be a program by design, and is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.request_data import RequestData, Source
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.security._flows import flows, hit, passed_through

_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh"})


def check(app: App) -> Iterator[Hit]:
    """Report shells that get request data."""
    for flow in flows(app, RequestData(app), app.library.sinks["command-injection"]):
        if not (flow.site.external or "").startswith("subprocess.") or _has_shell(flow.site.node):
            call = call_name(flow.site)
            message = f"{flow.source.told} becomes part of a command of {call}"
            yield hit(flow, message, passed_through(flow, "shlex", "quote", "{name}({piece})"))

    for flow in flows(app, RequestData(app), app.library.sinks["code-injection"], _is_of_link):
        yield hit(flow, f"{flow.source.told} is run as code by {call_name(flow.site)}")


def _is_of_link(source: Source) -> bool:
    """Whether a link or a form holds it; the body of a request may be a program by design."""
    return source.kind in {"query", "path", "form", "header", "cookie"} and source.column is None


def _has_shell(call: s.Call) -> bool:
    shell, given = call.keyword("shell"), call.argument(0, "args")
    if isinstance(given, (s.List, s.Tuple)):
        words = [s.string(each) or "" for each in given.elts]
        return "-c" in words and words[0].rpartition("/")[2] in _SHELLS
    return isinstance(shell, s.Constant) and shell.value is True


RULE = Rule(
    summary="request data in a shell's command line",
    severity="error",
    mend='Give a list and no shell: `subprocess.run(["convert", name], check=True)`.',
    app=check,
    references=("https://owasp.org/www-community/attacks/Command_Injection", "CWE-78", "CWE-94"),
)

CASES = (
    case(
        "a text with the shell, through a function",
        """
        import asyncio
        import os
        import subprocess
        from fastapi import FastAPI

        app = FastAPI()

        def convert(source: str) -> None:
            subprocess.run(f"convert {source} out.png", shell=True, check=True)  # <-

        @app.post("/convert")
        def start(name: str) -> None:
            convert(name)

        @app.post("/ping")
        async def ping(host: str) -> None:
            await asyncio.create_subprocess_shell("ping -c 1 " + host)  # <-

        @app.post("/remove")
        def remove(name: str) -> None:
            os.system("rm uploads/%s" % name)  # <-
        """,
        after="""
        import asyncio
        import os
        import subprocess
        from shlex import quote
        from fastapi import FastAPI

        app = FastAPI()

        def convert(source: str) -> None:
            subprocess.run(f"convert {quote(source)} out.png", shell=True, check=True)

        @app.post("/convert")
        def start(name: str) -> None:
            convert(name)

        @app.post("/ping")
        async def ping(host: str) -> None:
            await asyncio.create_subprocess_shell("ping -c 1 " + quote(host))

        @app.post("/remove")
        def remove(name: str) -> None:
            os.system("rm uploads/%s" % quote(name))
        """,
    ),
    case(
        "a shell in a list; an expression of a link that is evaluated; a program that a body may be",
        """
        import subprocess
        from fastapi import FastAPI
        from jinja2 import Template
        from pydantic import BaseModel

        app = FastAPI()

        class Program(BaseModel):
            source: str

        @app.post("/list")
        def listed(name: str) -> None:
            subprocess.run(["sh", "-c", "ls " + name], check=True)  # <-
            subprocess.run(["ls", name], check=True)

        @app.get("/sum")
        def total(expression: str) -> int:
            return eval(expression)  # <-

        @app.get("/greet")
        def greet(template: str) -> str:
            return Template(template).render()  # <-

        @app.post("/programs")
        def run(program: Program) -> None:
            exec(program.source)
        """,
    ),
    case(
        "a list without a shell, a number, a quoted text, a fixed command",
        """
        import os
        import shlex
        import subprocess
        from fastapi import FastAPI

        app = FastAPI()

        @app.post("/a")
        def a(name: str) -> None:
            subprocess.run(["convert", name, "out.png"], check=True)

        @app.post("/b")
        def b(number: int) -> None:
            os.system(f"kill {number}")

        @app.post("/c")
        def c(name: str) -> None:
            quoted = shlex.quote(name)
            subprocess.run(f"convert {quoted}", shell=True)

        @app.post("/d")
        def d(name: str) -> None:
            subprocess.run("uptime", shell=True)
        """,
    ),
    case(
        "messages of a WebSocket",
        """
        import asyncio
        import shlex
        from fastapi import FastAPI, WebSocket

        app = FastAPI()

        @app.websocket("/convert")
        async def convert(websocket: WebSocket) -> None:
            wanted = await websocket.receive_json()
            await asyncio.create_subprocess_shell(f"convert {wanted['name']}")  # <-
            await asyncio.create_subprocess_shell(f"convert {shlex.quote(wanted['other'])}")
            await asyncio.create_subprocess_shell(f"convert {len(wanted['name'])}")
        """,
    ),
)
