"""Small FastAPI modules, written by combining constructs: what Ruff and we are compared on."""

from __future__ import annotations

from itertools import product
from pathlib import Path

_HEAD = """\
import asyncio
import os
import pathlib
import subprocess
import time
import urllib.request
from pathlib import Path as FilePath
from time import sleep as pause
from typing import Annotated

import httpx
import requests
from fastapi import APIRouter, Body, Cookie, Depends, FastAPI, Header, Path, Query, Security
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

app = FastAPI()
router = APIRouter({prefix})


class Item(BaseModel):
    name: str


class Row:
    name: str


def get_db():
    yield 1


"""
PREFIXES = ("", 'prefix="/v1"', 'prefix="/{tenant}"')
OWNERS = ("app", "router")
MODELS = (
    ("response_model=Item", "Item"),
    ("response_model=list[Item]", "list[Item]"),
    ("response_model=Item", "Row"),
    ("response_model=None", "None"),
    ("response_model=Item | None", "Item | None"),
    ('response_model=Item, tags=["x"]', "Item"),
)
PARAMETERS = (
    "db: int = Depends(get_db)",
    "db: Annotated[int, Depends(get_db)]",
    "q: str = Query(None)",
    "q: str | None = Query(default=None, max_length=5)",
    "q: str = Query(...)",
    "h: str = Header()",
    "c: str = Cookie(None)",
    "b: Item = Body(...)",
    "b: Item = Body(embed=True)",
    "user: str = Security(get_db, scopes=['a'])",
    "q: str = 'plain', db: int = Depends(get_db)",
)
PATHS = (
    ("/{key}", "key: int"),
    ("/{key}", ""),
    ("/{key}/{other}", "key: int"),
    ("/{key:path}", "key: str"),
    ("/{key}", "other: Annotated[int, Path(alias='key')]"),
    ("/{key}", "key: int, /, other: int = 1"),
    ("/plain", ""),
)
SINKS = (
    "time.sleep(1)",
    "pause(1)",
    "requests.get('https://example.com', timeout=1)",
    "requests.Session().post('https://example.com')",
    "httpx.get('https://example.com')",
    "httpx.Client().get('https://example.com')",
    "urllib.request.urlopen('https://example.com')",
    "subprocess.run(['ls'], check=False)",
    "subprocess.Popen(['ls'])",
    "subprocess.check_output(['ls'])",
    "os.system('ls')",
    "os.popen('ls')",
    "open('a.txt')",
    "pathlib.Path('a.txt').open()",
    "FilePath('a.txt').read_text()",
    "FilePath('a.txt').exists()",
    "os.path.exists('a.txt')",
    "os.stat('a.txt')",
    "input()",
    "os.waitpid(1, 0)",
)
PLACES = {
    "endpoint": "    {call}\n",
    "branch": "    if key:\n        {call}\n",
    "loop": "    for _ in range(3):\n        {call}\n",
    "handled": "    try:\n        {call}\n    except OSError:\n        raise\n",
    "assigned": "    found = {call}\n    print(found)\n",
    "with": "    async with asyncio.Lock():\n        {call}\n",
    "thread": "    def work():\n        return {call}\n\n    await run_in_threadpool(work)\n",
}


def write(folder: Path) -> None:
    """Write the modules into a folder."""
    for number, (prefix, owner) in enumerate(product(PREFIXES, OWNERS)):
        text = _HEAD.format(prefix=prefix)
        text += "".join(_models(owner)) + "".join(_parameters(owner)) + "".join(_paths(owner))
        text += "".join(_blocking(owner)) + "".join(_clients(owner)) + "".join(_helped(owner))
        text += "\napp.include_router(router)\n"
        package = folder / f"generated_{number}"
        package.mkdir(parents=True)
        (package / "main.py").write_text(text, encoding="utf-8")


def _models(owner: str) -> list[str]:
    return [
        f"@{owner}.get('/models/{number}', {model})\n"
        f"async def model_{number}() -> {returns}: ...\n\n\n"
        for number, (model, returns) in enumerate(MODELS)
    ]


def _parameters(owner: str) -> list[str]:
    return [
        f"@{owner}.post('/parameters/{number}')\n"
        f"async def parameter_{number}({parameter}) -> None: ...\n\n\n"
        for number, parameter in enumerate(PARAMETERS)
    ]


def _paths(owner: str) -> list[str]:
    return [
        f"@{owner}.get('/paths/{number}{path}')\n"
        f"async def path_{number}({parameters}) -> None: ...\n\n\n"
        for number, (path, parameters) in enumerate(PATHS)
    ]


def _blocking(owner: str) -> list[str]:
    return [
        f"@{owner}.get('/blocking/{number}')\n"
        f"async def blocking_{number}(key: int = 0) -> None:\n{body.format(call=sink)}\n\n"
        for number, (sink, body) in enumerate(product(SINKS, PLACES.values()))
    ]


def _clients(owner: str) -> list[str]:
    """A client of httpx in a name, made there, given, or made in ``with``."""
    bodies = (
        ("", "    client = httpx.Client()\n    client.get('https://example.com')\n"),
        ("client: httpx.Client = Depends()", "    client.post('https://example.com')\n"),
        ("", "    with httpx.Client() as client:\n        client.get('https://example.com')\n"),
    )
    return [
        f"@{owner}.get('/clients/{number}')\n"
        f"async def client_{number}({parameter}) -> None:\n{body}\n\n"
        for number, (parameter, body) in enumerate(bodies)
    ]


def _helped(owner: str) -> list[str]:
    """A coroutine that an endpoint awaits, and a dependency, hold the call."""
    parts = []
    for number, sink in enumerate(SINKS):
        parts.append(f"async def helper_{number}() -> None:\n    {sink}\n\n\n")
        parts.append(
            f"@{owner}.get('/helped/{number}')\n"
            f"async def helped_{number}() -> None:\n    await helper_{number}()\n\n\n"
        )
        parts.append(f"async def needed_{number}() -> None:\n    {sink}\n\n\n")
        parts.append(
            f"@{owner}.get('/needed/{number}', dependencies=[Depends(needed_{number})])\n"
            f"async def needing_{number}() -> None: ...\n\n\n"
        )
    return parts
