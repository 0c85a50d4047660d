"""Nothing stops the event loop: what blocks is done in a thread.

An endpoint that awaits nothing becomes a plain `def`, which FastAPI runs in its threadpool: with all that it calls, however deep. In one that
awaits something, the blocking call itself becomes `await asyncio.to_thread(...)`, and `time.sleep` becomes `asyncio.sleep`. Where a plain
function below it blocks, however deep, the call that leaves the coroutine becomes `await run_in_threadpool(...)`.

Left alone, with the line: what uses a database session, which belongs to one thread, or changes what others share; methods; calls that are
part of an expression that cannot wait; endpoints that other code calls as coroutines.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.edit.fix import Edit
from fastwright.read import syntax as s
from fastwright.recipes._from_rules import hits_of, planned_by
from fastwright.recipes._threads import in_threads
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Target
from fastwright.rules.finding import Hit

_RULE = "blocking-call-in-async"
_WAITING = (s.Await, s.Yield)


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each endpoint that becomes a plain function, then one for calls."""
    blocked = _endpoints_that_block(app)
    covered: set[str] = set()
    for endpoint in app.endpoints:
        places = blocked.get(id(endpoint.node))
        if places and target.takes(endpoint) and _is_free(app, endpoint):
            covered.update(places)
            yield _plain(endpoint, places)
    for planned in in_threads(app, _plain_that_block(app, target, covered)):
        if isinstance(planned, Proposal):
            covered.update(planned.places)
        yield planned
    yield from planned_by(app, target, (_RULE,), frozenset({"safe", "suggest"}), covered)


def _plain_that_block(
    app: App, target: Target, covered: set[str]
) -> dict[int, tuple[Function, list[str]]]:
    """Return the plain functions that block the event loop, each with the places."""
    by_place = {
        (step.function.module.path, step.function.qualname): step.function for step in app.reached
    }
    found: dict[int, tuple[Function, list[str]]] = {}
    for hit in hits_of(app, _RULE):
        place = f"{hit.place.file}:{hit.place.line}"
        function = by_place.get((hit.place.file, hit.place.function or ""))
        if function is None or function.is_async or place in covered or hit.fix is not None:
            continue
        if target.holds(hit.place.file, hit.place.function):
            found.setdefault(id(function.node), (function, []))[1].append(place)
    return found


def _endpoints_that_block(app: App) -> dict[int, list[str]]:
    """Return, for endpoints below which something blocks, where."""
    found: dict[int, list[str]] = {}
    by_place = {(endpoint.module.path, endpoint.qualname): endpoint for endpoint in app.endpoints}
    for hit in hits_of(app, _RULE):
        for place in _functions(hit):
            endpoint = by_place.get(place)
            if endpoint is not None:
                places = found.setdefault(id(endpoint.node), [])
                if (line := f"{hit.place.file}:{hit.place.line}") not in places:
                    places.append(line)
    return found


def _functions(hit: Hit) -> Iterator[tuple[str, str]]:
    """Yield the functions that a finding names on its way from the request."""
    for place in (hit.place, *(link.place for link in hit.evidence)):
        if place.function is not None:
            yield place.file, place.function


def _is_free(app: App, endpoint: Function) -> bool:
    """Whether an endpoint may run in a thread: it awaits nothing, and nobody awaits it."""
    node = endpoint.node
    if not node.is_async or node.is_generator or node.defines:
        return False
    if any(route.kind != "http" for route in app.routes_for(endpoint)):
        return False
    waits = any(
        isinstance(each, _WAITING)
        or (isinstance(each, (s.For, s.With)) and each.is_async)
        or (isinstance(each, s.Comp) and any(part.is_async for part in each.generators))
        for each, _ in app.calls.nodes(endpoint)
    )
    return not waits and not _is_named_elsewhere(app, endpoint)


def _is_named_elsewhere(app: App, endpoint: Function) -> bool:
    """Whether any code names the function: it may be awaited there."""
    word = endpoint.name.encode()
    return any(
        word in module.source and any(_names(node, endpoint.name) for node in module.walk())
        for module in app.modules.values()
    )


def _names(node: s.Node, name: str) -> bool:
    if isinstance(node, s.Name):
        return node.id == name
    return isinstance(node, s.Attribute) and node.attr == name


def _plain(endpoint: Function, places: list[str]) -> Proposal:
    module, node = endpoint.module, endpoint.node
    source = module.source
    start = source.rindex(b"async", 0, node.start + len(b"async"))
    end = source.index(b"def", start)
    edit = Edit(module.path, start, end, "")
    title = f"{endpoint.qualname} of {module.path} runs in a thread"
    return Proposal(title, (edit,), places=tuple(places))


RECIPE = Recipe(
    summary="blocking calls in threads",
    why="What blocks the event loop stops every other request of the process for as long.",
    plan=plan,
    references=("https://fastapi.tiangolo.com/async/",),
)

CASES = (
    Case(
        "an endpoint that awaits nothing",
        {
            "main.py": """\
import requests
from fastapi import FastAPI

app = FastAPI()


def rate() -> float:
    return requests.get("https://rates.example.org", timeout=5).json()["rate"]


@app.get("/price")
async def price() -> float:
    return 10 * rate()
"""
        },
        {
            "main.py": """\
import requests
from fastapi import FastAPI

app = FastAPI()


def rate() -> float:
    return requests.get("https://rates.example.org", timeout=5).json()["rate"]


@app.get("/price")
def price() -> float:
    return 10 * rate()
"""
        },
    ),
    Case(
        "an endpoint that awaits something",
        {
            "main.py": """\
import time

from fastapi import FastAPI, UploadFile

app = FastAPI()


@app.post("/files")
async def upload(file: UploadFile) -> int:
    content = await file.read(1000)
    time.sleep(1)
    return len(content)
"""
        },
        {
            "main.py": """\
import asyncio

from fastapi import FastAPI, UploadFile

app = FastAPI()


@app.post("/files")
async def upload(file: UploadFile) -> int:
    content = await file.read(1000)
    await asyncio.sleep(1)
    return len(content)
"""
        },
    ),
    Case(
        "somebody awaits the endpoint: the call itself goes to a thread",
        {
            "main.py": """\
import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/wait")
async def wait() -> int:
    time.sleep(1)
    return 1


@app.get("/twice")
async def twice() -> int:
    return await wait() + await wait()
"""
        },
        {
            "main.py": """\
import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.get("/wait")
async def wait() -> int:
    await asyncio.sleep(1)
    return 1


@app.get("/twice")
async def twice() -> int:
    return await wait() + await wait()
"""
        },
    ),
    Case(
        "a plain function blocks below an endpoint that awaits: the call that leads there",
        {
            "main.py": """\
import requests
from fastapi import FastAPI, UploadFile

app = FastAPI()


def fetch(currency: str) -> dict[str, float]:
    return requests.get(f"https://rates.example/{currency}", timeout=5).json()


def rate(currency: str = "EUR") -> float:
    return fetch(currency)["USD"]


@app.post("/files")
async def upload(file: UploadFile) -> float:
    content = await file.read(1000)
    return len(content) * rate()


@app.post("/rates")
async def rates(file: UploadFile) -> int:
    currency = (await file.read(3)).decode()
    if fetch(currency=currency).get("EUR"):
        return 1
    return len([rate(each) for each in currency])
""",
        },
        {
            "main.py": """\
import requests
from fastapi import FastAPI, UploadFile
from fastapi.concurrency import run_in_threadpool

app = FastAPI()


def fetch(currency: str) -> dict[str, float]:
    return requests.get(f"https://rates.example/{currency}", timeout=5).json()


def rate(currency: str = "EUR") -> float:
    return fetch(currency)["USD"]


@app.post("/files")
async def upload(file: UploadFile) -> float:
    content = await file.read(1000)
    return len(content) * await run_in_threadpool(rate)


@app.post("/rates")
async def rates(file: UploadFile) -> int:
    currency = (await file.read(3)).decode()
    if (await run_in_threadpool(fetch, currency=currency)).get("EUR"):
        return 1
    return len([rate(each) for each in currency])
""",
        },
        stopped=("main.py:27", "main.py:9"),
    ),
    Case(
        "a session, a row, a cache that others share, an object",
        {
            "models.py": """\
from sqlmodel import Field, SQLModel


class Customer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    email: str
""",
            "main.py": """\
import smtplib

import requests
from fastapi import Depends, FastAPI, UploadFile
from sqlmodel import Session

from models import Customer

app = FastAPI()
cache: dict[str, float] = {}


def get_session() -> Session: ...


def rate(currency: str) -> float:
    if currency not in cache:
        cache[currency] = requests.get(f"https://rates.example/{currency}", timeout=5).json()
    return cache[currency]


def tell(session: Session) -> None:
    with smtplib.SMTP("localhost") as server:
        server.send_message("Hello")


def write_to(customer: Customer) -> None:
    with smtplib.SMTP("localhost") as server:
        server.sendmail("shop", customer.email, "Hello")


class Mailer:
    def send(self) -> None:
        with smtplib.SMTP("localhost") as server:
            server.send_message("Hello")


@app.post("/files")
async def upload(file: UploadFile, session: Session = Depends(get_session)) -> float:
    content = await file.read(1000)
    tell(session)
    write_to(session.get_one(Customer, 1))
    Mailer().send()
    return len(content) * rate("EUR")
""",
        },
        stopped=(
            "main.py:18",
            "main.py:23",
            "main.py:28",
            "main.py:34",
            "main.py:41",
            "main.py:42",
            "main.py:43",
            "main.py:44",
        ),
    ),
)
