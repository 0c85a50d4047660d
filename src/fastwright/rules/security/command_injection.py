"""Request data never becomes part of a shell's command line.

`subprocess.run(f"convert {name}", shell=True)` runs whatever follows a semicolon in `name` (CWE-78). Give
the program and its arguments as a list and leave the shell out.

Reported where text of a request reaches `os.system`, `os.popen`, `create_subprocess_shell`, or a function
of `subprocess` with `shell=True`. Lists of arguments without a shell, numbers, and values that are quoted
with `shlex.quote`, checked or compared with allowed ones are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.request_data import RequestData
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.security._flows import flows, hit, passed_through


def check(app: App) -> Iterator[Hit]:
    """Report shells that get request data."""
    for flow in flows(app, RequestData(app), app.library.sinks["command-injection"]):
        if not (flow.site.external or "").startswith("subprocess.") or _has_shell(flow.site.node):
            call = call_name(flow.site)
            message = f"{flow.source.told} becomes part of a command of {call}"
            yield hit(flow, message, passed_through(flow, "shlex", "quote", "{name}({piece})"))


def _has_shell(call: s.Call) -> bool:
    shell = call.keyword("shell")
    return isinstance(shell, s.Constant) and shell.value is True


RULE = Rule(
    summary="request data in a shell's command line",
    severity="error",
    mend='Give a list and no shell: `subprocess.run(["convert", name], check=True)`.',
    app=check,
    references=("https://owasp.org/www-community/attacks/Command_Injection", "CWE-78"),
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
