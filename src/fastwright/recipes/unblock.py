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
from fastwright.app.on_loop import on_loop
from fastwright.app.symbols import Function
from fastwright.recipes._from_rules import hits_of, planned_by
from fastwright.recipes._plain import plain_functions
from fastwright.recipes._threads import in_threads
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.rules.finding import Hit

_RULES = ("blocking-call-in-async", "sync-session-in-async")


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each group of coroutines that become plain functions, then one for calls."""
    proposals, reasons = plain_functions(app, _coroutines_that_block(app, target))
    covered: set[str] = set()
    for planned in (*proposals, *in_threads(app, _plain_that_block(app, target))):
        if isinstance(planned, Proposal):
            covered.update(planned.places)
        yield planned
    for planned in planned_by(app, target, _RULES, frozenset({"safe", "suggest"}), covered):
        if isinstance(planned, Stopped) and planned.place in reasons:
            yield Stopped(planned.place, f"{planned.reason}; {reasons[planned.place]}")
        else:
            yield planned


def _coroutines_that_block(app: App, target: Target) -> dict[int, tuple[Function, list[str]]]:
    """Return the coroutines below which something blocks, each with the places.

    Those that only sleep are left out: to sleep needs no thread.
    """
    by_place: dict[tuple[str, str], Function] = {}
    for step in on_loop(app).reached:
        if step.function.is_async:
            by_place.setdefault((step.function.module.path, step.function.qualname), step.function)
    found: dict[int, tuple[Function, list[str]]] = {}
    sleeping: dict[int, bool] = {}
    for rule in _RULES:
        for hit in hits_of(app, rule):
            line = f"{hit.place.file}:{hit.place.line}"
            for place in _functions(hit):
                function = by_place.get(place)
                if function is None or not target.takes(function):
                    continue
                places = found.setdefault(id(function.node), (function, []))[1]
                if line not in places:
                    places.append(line)
                sleeps = hit.message.startswith("time.sleep ") and hit.fix is not None
                key = id(function.node)
                sleeping[key] = sleeps and sleeping.get(key, True)
    return {key: each for key, each in found.items() if not sleeping[key]}


def _functions(hit: Hit) -> Iterator[tuple[str, str]]:
    """Yield the functions that a finding names on its way from the request."""
    for place in (hit.place, *(link.place for link in hit.evidence)):
        if place.function is not None:
            yield place.file, place.function


def _plain_that_block(app: App, target: Target) -> dict[int, tuple[Function, list[str]]]:
    """Return the plain functions that block the event loop, each with the places."""
    by_place = {
        (step.function.module.path, step.function.qualname): step.function for step in app.reached
    }
    found: dict[int, tuple[Function, list[str]]] = {}
    for hit in hits_of(app, _RULES[0]):
        place = f"{hit.place.file}:{hit.place.line}"
        function = by_place.get((hit.place.file, hit.place.function or ""))
        if function is None or function.is_async or hit.fix is not None:
            continue
        if target.holds(hit.place.file, hit.place.function):
            found.setdefault(id(function.node), (function, []))[1].append(place)
    return found


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
from fastapi import FastAPI, Request

app = FastAPI()


def fetch(currency: str) -> dict[str, float]:
    return requests.get(f"https://rates.example/{currency}", timeout=5).json()


def rate(currency: str = "EUR") -> float:
    return fetch(currency)["USD"]


async def received(request: Request) -> bytes:
    return b"".join([part async for part in request.stream()])


@app.post("/files")
async def upload(request: Request) -> float:
    content = await received(request)
    return len(content) * rate()


@app.post("/rates")
async def rates(request: Request) -> int:
    currency = (await received(request)).decode()
    if fetch(currency=currency).get("EUR"):
        return 1
    return len([rate(each) for each in currency])
""",
        },
        {
            "main.py": """\
import requests
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

app = FastAPI()


def fetch(currency: str) -> dict[str, float]:
    return requests.get(f"https://rates.example/{currency}", timeout=5).json()


def rate(currency: str = "EUR") -> float:
    return fetch(currency)["USD"]


async def received(request: Request) -> bytes:
    return b"".join([part async for part in request.stream()])


@app.post("/files")
async def upload(request: Request) -> float:
    content = await received(request)
    return len(content) * await run_in_threadpool(rate)


@app.post("/rates")
async def rates(request: Request) -> int:
    currency = (await received(request)).decode()
    if (await run_in_threadpool(fetch, currency=currency)).get("EUR"):
        return 1
    return len([rate(each) for each in currency])
""",
        },
        stopped=("main.py:31", "main.py:9"),
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
from fastapi import Depends, FastAPI, Request
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


async def received(request: Request) -> bytes:
    return b"".join([part async for part in request.stream()])


@app.post("/files")
async def upload(request: Request, session: Session = Depends(get_session)) -> float:
    content = await received(request)
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
            "main.py:43",
            "main.py:45",
            "main.py:46",
            "main.py:47",
            "main.py:48",
        ),
    ),
)
