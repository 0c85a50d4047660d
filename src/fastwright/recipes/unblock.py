"""Nothing stops the event loop: what blocks is done in a thread, or waits as a coroutine does.

1. A coroutine that waits for nothing becomes a plain `def`, which FastAPI runs in its threadpool: with its session, its files and all that it
   calls, however deep. So does one that only waits for uploads (`file.file.read()`), for what is in a thread already, or for other
   coroutines that can follow (all of them change at once). The body of a request comes from a dependency that reads it, and is decoded
   where it was.
2. In one that truly waits, `time.sleep` becomes `asyncio.sleep`; one request with httpx, or with requests where the project has httpx and
   both ask and answer the same, is made with `httpx.AsyncClient`; one reading or writing of a file is that of `anyio.Path`.
3. Statements in a row that use a synchronous session, a file, a mail server or a picture go to a plain function of their own, which
   `run_in_threadpool` runs: one hop, with what is read of the rows.
4. Where a plain function below a coroutine blocks, however deep, the call that leaves the coroutine is made in a thread.

Left alone, with the line and the reason: what changes state that others share (unless threads change it already), or works on the event
loop itself; methods of objects that outlive the request; sessions where threads may not share a connection (SQLite in memory or before
SQLAlchemy 2.0 without `check_same_thread`), sessions kept by thread, or one for all requests; coroutines that run side by side
(`asyncio.gather`); coroutines that decorators, tests or other code use as such; calls in expressions that cannot wait.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.on_loop import on_loop, stays_on_loop
from fastwright.app.symbols import Function
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.shared.from_rules import hits_of, planned_by
from fastwright.recipes.threads.blocks import blocks_in_threads
from fastwright.recipes.threads.clients import with_client
from fastwright.recipes.threads.plain import Blocked, plain_functions
from fastwright.recipes.threads.threads import in_threads
from fastwright.rules.finding import Hit

_RULES = ("blocking-call-in-async", "sync-session-in-async")


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each group of coroutines that become plain functions, then for their parts."""
    hits = [hit for rule in _RULES for hit in hits_of(app, rule)]
    blocked = _coroutines_that_block(app, target, hits)
    covered: set[str] = set()
    reasons: dict[str, str] = {}
    for planned in _changes(app, target, hits, blocked, reasons):
        if isinstance(planned, Proposal):
            covered.update(planned.places)
        yield planned
    for planned in planned_by(app, target, _RULES, frozenset({"safe", "suggest"}), covered):
        if isinstance(planned, Stopped) and planned.place in reasons:
            yield Stopped(planned.place, f"{planned.reason}; {reasons[planned.place]}")
        else:
            yield planned


def _changes(
    app: App, target: Target, hits: list[Hit], blocked: Blocked, reasons: dict[str, str]
) -> Iterator[Planned]:
    """Yield the changes; ``reasons`` gets, by place, why something stays."""
    plain = plain_functions(app, blocked)
    reasons |= plain.reasons
    yield from plain.proposals
    staying = {key: each for key, each in blocked.items() if key not in plain.functions}
    yield from with_client(app, staying)
    fixed = frozenset(
        (edit.file, edit.start)
        for hit in hits
        for edit in (hit.fix.edits if hit.fix is not None else ())
    )
    proposals, others = blocks_in_threads(app, staying, fixed)
    for place, reason in others.items():
        reasons[place] = f"{reasons[place]}; {reason}" if place in reasons else reason
    yield from proposals
    yield from in_threads(app, _plain_that_block(app, target, hits))


def _coroutines_that_block(app: App, target: Target, hits: list[Hit]) -> Blocked:
    """Return the coroutines below which something blocks, each with the places.

    Those that only sleep are left out: to sleep needs no thread.
    """
    below = {
        id(step.function.node): (step.function, _names_below(app, step.function))
        for step in on_loop(app).reached
        if step.function.is_async and target.takes(step.function)
    }
    found: dict[int, tuple[Function, list[str]]] = {}
    sleeping: dict[int, bool] = {}
    for hit in hits:
        line = f"{hit.place.file}:{hit.place.line}"
        sleeps = hit.message.startswith("time.sleep ") and hit.fix is not None
        for key, (function, names) in below.items():
            if (hit.place.file, hit.place.function) not in names:
                continue
            places = found.setdefault(key, (function, []))[1]
            places += [line] if line not in places else []
            sleeping[key] = sleeps and sleeping.get(key, True)
    return {key: each for key, each in found.items() if not sleeping[key]}


def _names_below(app: App, function: Function) -> set[tuple[str, str | None]]:
    """Return a function and what it calls or waits for, by file and name."""
    reached = app.calls.reach([function], lambda site, target: stays_on_loop(app, site, target))
    return {(step.function.module.path, step.function.qualname) for step in reached}


def _plain_that_block(app: App, target: Target, hits: list[Hit]) -> Blocked:
    """Return the plain functions that block the event loop, each with the places."""
    by_place = {
        (step.function.module.path, step.function.qualname): step.function for step in app.reached
    }
    found: dict[int, tuple[Function, list[str]]] = {}
    for hit in hits:
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
        "a session whose engine is not known, a row, a cache that others share; an object of this request",
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
        {
            "main.py": """\
import smtplib

import requests
from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
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
    await run_in_threadpool(Mailer().send)
    return len(content) * rate("EUR")
""",
        },
        stopped=(
            "main.py:19",
            "main.py:24",
            "main.py:29",
            "main.py:44",
            "main.py:46",
            "main.py:47",
            "main.py:49",
        ),
    ),
    Case(
        "an upload is all that it waits for: a plain function reads the file as well",
        {
            "main.py": """\
import asyncio
import os
from typing import Annotated

from fastapi import Depends, FastAPI, UploadFile
from fastapi.concurrency import run_in_threadpool
from sqlmodel import Field, Session, SQLModel, create_engine

app = FastAPI()
engine = create_engine("postgresql://localhost/files")


class Picture(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


def get_session():
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


def resize(content: bytes, width: int = 100) -> bytes: ...


@app.post("/pictures")
async def upload(file: UploadFile, session: SessionDep) -> int:
    content = await run_in_threadpool(resize, await file.read(size=1000), width=80)
    os.makedirs("pictures", exist_ok=True)
    with open(os.path.join("pictures", file.filename), "wb") as target:
        target.write(content)
    await file.close()
    session.add(Picture(name=file.filename))
    session.commit()
    return len((await asyncio.to_thread(resize, content)).strip())


@app.post("/all")
async def upload_all(files: list[UploadFile]) -> list[str]:
    found = []
    for file in files:
        await file.seek(0)
        with open(f"/tmp/{file.filename}", "wb") as target:
            target.write(await file.read())
        found.append(file.filename)
    return found


@app.post("/counted")
async def counted(file: UploadFile, session: SessionDep) -> None:
    await file.write(b"counts the size as well")
    session.commit()
"""
        },
        {
            "main.py": """\
import os
from typing import Annotated

from fastapi import Depends, FastAPI, UploadFile
from fastapi.concurrency import run_in_threadpool
from sqlmodel import Field, Session, SQLModel, create_engine

app = FastAPI()
engine = create_engine("postgresql://localhost/files")


class Picture(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


def get_session():
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


def resize(content: bytes, width: int = 100) -> bytes: ...


@app.post("/pictures")
def upload(file: UploadFile, session: SessionDep) -> int:
    content = resize(file.file.read(1000), width=80)
    os.makedirs("pictures", exist_ok=True)
    with open(os.path.join("pictures", file.filename), "wb") as target:
        target.write(content)
    file.file.close()
    session.add(Picture(name=file.filename))
    session.commit()
    return len(resize(content).strip())


@app.post("/all")
def upload_all(files: list[UploadFile]) -> list[str]:
    found = []
    for file in files:
        file.file.seek(0)
        with open(f"/tmp/{file.filename}", "wb") as target:
            target.write(file.file.read())
        found.append(file.filename)
    return found


@app.post("/counted")
async def counted(file: UploadFile, session: SessionDep) -> None:
    await file.write(b"counts the size as well")
    await run_in_threadpool(session.commit)
"""
        },
    ),
    Case(
        "the body of the request: a dependency reads it, the plain function decodes it",
        {
            "main.py": """\
import hmac

from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

app = FastAPI()
engine = create_engine("postgresql://localhost/payments")


def get_session():
    with Session(engine) as session:
        yield session


def check(request: Request) -> None: ...


@app.post("/payments")
async def paid(request: Request, session: Session = Depends(get_session)) -> bool:
    # signed by the bank
    payload = await request.body()
    if not hmac.compare_digest(payload, b"signed"):
        raise HTTPException(status_code=400, detail=request.headers["X-Bank"])
    event = await request.json()
    session.commit()
    return event["paid"]


@app.post("/refunds")
async def refunded(session: Session = Depends(get_session), *, request: Request) -> bool:
    event = await request.json()
    session.commit()
    return event["paid"]


@app.post("/bookings")
async def booked(request: Request):
    with Session(engine) as session:
        session.commit()
    return (await request.json())["paid"]


@app.post("/transfers")
async def transferred(request: Request):
    try:
        event = await request.json()
    except ValueError:
        raise HTTPException(status_code=400, detail="This is no JSON")
    with Session(engine) as session:
        session.commit()
    return {"body": event}


@app.post("/large")
async def large(request: Request, session: Session = Depends(get_session)) -> int:
    if int(request.headers["content-length"]) > 1000:
        raise HTTPException(status_code=413, detail="Too large")
    session.commit()
    return len(await request.body())


@app.post("/checked")
async def checked(request: Request, session: Session = Depends(get_session)) -> int:
    check(request)
    body = await request.body()
    session.commit()
    return len(body)
"""
        },
        {
            "main.py": """\
import hmac
import json
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

app = FastAPI()
engine = create_engine("postgresql://localhost/payments")


def get_session():
    with Session(engine) as session:
        yield session


def check(request: Request) -> None: ...


async def request_body(request: Request) -> bytes:
    return await request.body()


@app.post("/payments")
def paid(request: Request, session: Session = Depends(get_session), payload: bytes = Depends(request_body)) -> bool:
    # signed by the bank
    if not hmac.compare_digest(payload, b"signed"):
        raise HTTPException(status_code=400, detail=request.headers["X-Bank"])
    event = json.loads(payload)
    session.commit()
    return event["paid"]


@app.post("/refunds")
def refunded(session: Session = Depends(get_session), *, body: bytes = Depends(request_body)) -> bool:
    event = json.loads(body)
    session.commit()
    return event["paid"]


def _save_booked() -> None:
    with Session(engine) as session:
        session.commit()


@app.post("/bookings")
async def booked(request: Request):
    await run_in_threadpool(_save_booked)
    return (await request.json())["paid"]


@app.post("/transfers")
def transferred(body: Annotated[bytes, Depends(request_body)]):
    try:
        event = json.loads(body)
    except ValueError:
        raise HTTPException(status_code=400, detail="This is no JSON")
    with Session(engine) as session:
        session.commit()
    return {"body": event}


@app.post("/large")
async def large(request: Request, session: Session = Depends(get_session)) -> int:
    if int(request.headers["content-length"]) > 1000:
        raise HTTPException(status_code=413, detail="Too large")
    await run_in_threadpool(session.commit)
    return len(await request.body())


def _finish_checked(session: Session, body) -> int:
    session.commit()
    return len(body)


@app.post("/checked")
async def checked(request: Request, session: Session = Depends(get_session)) -> int:
    check(request)
    body = await request.body()
    return await run_in_threadpool(_finish_checked, session, body)
"""
        },
    ),
    Case(
        "coroutines that wait for each other, and dependencies, become plain together",
        {
            "audit.py": """\
from fastapi.concurrency import run_in_threadpool


async def record(action: str) -> None:
    await run_in_threadpool(print, action)


async def publish(action: str) -> None:
    print(action)
""",
            "main.py": """\
import asyncio

from audit import publish, record
from fastapi import Depends, FastAPI
from sqlmodel import Session, create_engine, text

app = FastAPI()
engine = create_engine("postgresql://localhost/shop")


def get_session():
    with Session(engine) as session:
        yield session


async def count(session: Session = Depends(get_session)) -> int:
    return session.exec(text("select count(*) from orders")).one()


class Orders:
    def __init__(self, session: Session) -> None:
        self.session = session

    async def close(self) -> None:
        self.session.commit()
        await record("closed")


def get_orders(session: Session = Depends(get_session)) -> Orders:
    return Orders(session)


@app.post("/close")
async def close(orders: Orders = Depends(get_orders), number: int = Depends(count)) -> int:
    await orders.close()
    return number


@app.post("/publish")
async def published(session: Session = Depends(get_session)) -> None:
    session.commit()
    await publish("published")


@app.post("/later")
async def later(session: Session = Depends(get_session)) -> None:
    session.commit()
    asyncio.create_task(publish("later"))
""",
        },
        {
            "audit.py": """\

def record(action: str) -> None:
    print(action)


async def publish(action: str) -> None:
    print(action)
""",
            "main.py": """\
import asyncio

from audit import publish, record
from fastapi import Depends, FastAPI
from fastapi.concurrency import run_in_threadpool
from sqlmodel import Session, create_engine, text

app = FastAPI()
engine = create_engine("postgresql://localhost/shop")


def get_session():
    with Session(engine) as session:
        yield session


def count(session: Session = Depends(get_session)) -> int:
    return session.exec(text("select count(*) from orders")).one()


class Orders:
    def __init__(self, session: Session) -> None:
        self.session = session

    def close(self) -> None:
        self.session.commit()
        record("closed")


def get_orders(session: Session = Depends(get_session)) -> Orders:
    return Orders(session)


@app.post("/close")
def close(orders: Orders = Depends(get_orders), number: int = Depends(count)) -> int:
    orders.close()
    return number


@app.post("/publish")
async def published(session: Session = Depends(get_session)) -> None:
    await run_in_threadpool(session.commit)
    await publish("published")


@app.post("/later")
async def later(session: Session = Depends(get_session)) -> None:
    session.commit()
    asyncio.create_task(publish("later"))
""",
        },
        stopped=("main.py:47",),
    ),
    Case(
        "what others share, work of the event loop, decorators, who else calls it",
        {
            "main.py": """\
import asyncio
import functools
import subprocess
from contextvars import ContextVar

from fastapi import Depends, FastAPI, Request

app = FastAPI()
visits: dict[str, int] = {}
seen: dict[str, int] = {}
last: ContextVar[str] = ContextVar("last")


def logged(function):
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)

    return wrapper


class Limiter:
    def __init__(self) -> None:
        self.calls = 0

    def count(self) -> None:
        self.calls += 1


class Counter(Limiter):
    def count(self) -> None:
        self.calls += 2


limiter = Limiter()


def work() -> None:
    subprocess.run(["true"])


@app.get("/visits")
async def count_visit(name: str) -> int:
    work()
    mine = visits.setdefault("mine", [])
    mine.append(name)
    return len(mine)


@app.get("/seen")
async def count_seen(name: str) -> int:
    work()
    seen[name] = seen.get(name, 0) + 1
    return seen[name]


@app.get("/seen/again")
def see_again(name: str) -> None:
    seen[name] = 0


@app.get("/limited")
async def limited() -> None:
    limiter.count()
    work()


@app.get("/own")
async def own() -> int:
    counting = Counter()
    counting.count()
    work()
    return counting.calls


@app.get("/task")
async def task() -> None:
    asyncio.get_running_loop().call_later(1, print)
    work()


@app.get("/context")
async def context() -> None:
    last.set("context")
    work()


@app.get("/logged")
@logged
async def log() -> None:
    work()


@app.get("/tested")
async def tested() -> None:
    work()


@app.get("/stream")
async def stream(request: Request) -> int:
    work()
    return len([part async for part in request.stream()])
""",
            "tests/test_main.py": """\
import main


async def test_tested():
    await main.tested()
""",
        },
        {
            "main.py": """\
import asyncio
import functools
import subprocess
from contextvars import ContextVar

from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool

app = FastAPI()
visits: dict[str, int] = {}
seen: dict[str, int] = {}
last: ContextVar[str] = ContextVar("last")


def logged(function):
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)

    return wrapper


class Limiter:
    def __init__(self) -> None:
        self.calls = 0

    def count(self) -> None:
        self.calls += 1


class Counter(Limiter):
    def count(self) -> None:
        self.calls += 2


limiter = Limiter()


def work() -> None:
    subprocess.run(["true"])


@app.get("/visits")
async def count_visit(name: str) -> int:
    await run_in_threadpool(work)
    mine = visits.setdefault("mine", [])
    mine.append(name)
    return len(mine)


@app.get("/seen")
def count_seen(name: str) -> int:
    work()
    seen[name] = seen.get(name, 0) + 1
    return seen[name]


@app.get("/seen/again")
def see_again(name: str) -> None:
    seen[name] = 0


@app.get("/limited")
async def limited() -> None:
    limiter.count()
    await run_in_threadpool(work)


@app.get("/own")
def own() -> int:
    counting = Counter()
    counting.count()
    work()
    return counting.calls


@app.get("/task")
async def task() -> None:
    asyncio.get_running_loop().call_later(1, print)
    await run_in_threadpool(work)


@app.get("/context")
async def context() -> None:
    last.set("context")
    await run_in_threadpool(work)


@app.get("/logged")
@logged
async def log() -> None:
    await run_in_threadpool(work)


@app.get("/tested")
async def tested() -> None:
    await run_in_threadpool(work)


@app.get("/stream")
async def stream(request: Request) -> int:
    await run_in_threadpool(work)
    return len([part async for part in request.stream()])
""",
        },
    ),
    Case(
        "a database in memory is another one in each thread",
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, create_engine

app = FastAPI()
engine = create_engine("sqlite://")


async def get_session():
    with Session(engine) as session:
        yield session


@app.post("/orders")
async def order(session: Session = Depends(get_session)) -> None:
    session.commit()
"""
        },
        stopped=("main.py:14",),
    ),
    Case(
        "a connection of SQLite in another thread, where SQLAlchemy is too old to allow for it",
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

app = FastAPI()
engine = create_engine("sqlite:///orders.db")


async def get_session():
    with Session(engine) as session:
        yield session


@app.post("/orders")
async def order(session: Session = Depends(get_session)) -> None:
    session.commit()
"""
        },
        stopped=("main.py:15",),
        installed={"sqlalchemy": "1.4.50"},
    ),
    Case(
        "the driver of a server's database, and not a word of SQLite",
        {
            "main.py": """\
from os import environ

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

app = FastAPI()
engine = create_engine(environ["DATABASE_URL"])


def get_session():
    with Session(engine) as session:
        yield session


@app.post("/orders")
async def order(session: Session = Depends(get_session)) -> None:
    session.commit()
""",
        },
        {
            "main.py": """\
from os import environ

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

app = FastAPI()
engine = create_engine(environ["DATABASE_URL"])


def get_session():
    with Session(engine) as session:
        yield session


@app.post("/orders")
def order(session: Session = Depends(get_session)) -> None:
    session.commit()
""",
        },
        installed={"sqlalchemy": "1.4.50", "psycopg2": "2.9.9"},
    ),
    Case(
        "no driver: it may be SQLite",
        {
            "main.py": """\
from os import environ

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

app = FastAPI()
engine = create_engine(environ["DATABASE_URL"])


def get_session():
    with Session(engine) as session:
        yield session


@app.post("/orders")
async def order(session: Session = Depends(get_session)) -> None:
    session.commit()
""",
        },
        stopped=("main.py:17",),
        installed={"sqlalchemy": "1.4.50"},
    ),
    Case(
        "sessions that are kept by thread",
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

app = FastAPI()
sessions = scoped_session(sessionmaker(create_engine("postgresql://localhost/orders")))


def get_session() -> Session:
    return sessions()


@app.post("/orders")
async def order(session: Session = Depends(get_session)) -> None:
    session.commit()
"""
        },
        stopped=("main.py:14",),
    ),
    Case(
        "a session in a coroutine that truly waits: the statements in a row that use it",
        {
            "main.py": """\
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Field, Session, SQLModel, create_engine, select

app = FastAPI()
engine = create_engine("postgresql://localhost/shop")


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    status: str
    email: str


def get_session():
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


class Orders:
    def __init__(self, session: Session) -> None:
        self.session = session

    async def pay(self, order_id: int, client: httpx.AsyncClient) -> Order:
        order = self.session.exec(select(Order).where(Order.id == order_id)).first()
        if order is None:
            raise HTTPException(404)
        answer = await client.post("https://bank.example", json={"id": order.id})
        order.status = answer.json()["status"]
        self.session.add(order)
        self.session.commit()  # the bank has it
        return order


@app.post("/orders/{order_id}/pay")
async def pay(order_id: int, session: SessionDep) -> Order:
    async with httpx.AsyncClient(timeout=5) as client:
        return await Orders(session).pay(order_id, client)


@app.post("/orders/{order_id}/refund")
async def refund(order_id: int, session: SessionDep) -> dict[str, str]:
    order = session.get(Order, order_id)
    total = 0
    for each in session.exec(select(Order).where(Order.email == order.email)).all():
        total += each.id
    async with httpx.AsyncClient(timeout=5) as client:
        answer = await client.post("https://bank.example", json={"total": total})
    if answer.status_code != 200:
        return {"status": "failed"}
    order.status = "refunded"
    session.add(order)
    session.commit()
    return {"status": order.status}


@app.post("/orders/{order_id}/cancel")
async def cancel(order_id: int, session: SessionDep) -> None:
    order = session.get(Order, order_id)
    async with httpx.AsyncClient(timeout=5) as client:
        for attempt in range(3):
            answer = await client.delete(f"https://bank.example/{order_id}")
            if answer.status_code == 200:
                order.status = "cancelled"
                session.commit()
""",
        },
        {
            "main.py": """\
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException
from fastapi.concurrency import run_in_threadpool
from sqlmodel import Field, Session, SQLModel, create_engine, select

app = FastAPI()
engine = create_engine("postgresql://localhost/shop")


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    status: str
    email: str


def get_session():
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


class Orders:
    def __init__(self, session: Session) -> None:
        self.session = session

    def _load_order(self, order_id: int) -> Order:
        return self.session.exec(select(Order).where(Order.id == order_id)).first()

    def _finish_pay(self, order: Order) -> Order:
        self.session.add(order)
        self.session.commit()  # the bank has it
        return order

    async def pay(self, order_id: int, client: httpx.AsyncClient) -> Order:
        order = await run_in_threadpool(self._load_order, order_id)
        if order is None:
            raise HTTPException(404)
        answer = await client.post("https://bank.example", json={"id": order.id})
        order.status = answer.json()["status"]
        return await run_in_threadpool(self._finish_pay, order)


@app.post("/orders/{order_id}/pay")
async def pay(order_id: int, session: SessionDep) -> Order:
    async with httpx.AsyncClient(timeout=5) as client:
        return await Orders(session).pay(order_id, client)


def _load_refund(session: Session, order_id: int):
    order = session.get(Order, order_id)
    total = 0
    for each in session.exec(select(Order).where(Order.email == order.email)).all():
        total += each.id
    return order, total


def _finish_refund(order: Order, session: Session) -> dict[str, str]:
    order.status = "refunded"
    session.add(order)
    session.commit()
    return {"status": order.status}


@app.post("/orders/{order_id}/refund")
async def refund(order_id: int, session: SessionDep) -> dict[str, str]:
    order, total = await run_in_threadpool(_load_refund, session, order_id)
    async with httpx.AsyncClient(timeout=5) as client:
        answer = await client.post("https://bank.example", json={"total": total})
    if answer.status_code != 200:
        return {"status": "failed"}
    return await run_in_threadpool(_finish_refund, order, session)


@app.post("/orders/{order_id}/cancel")
async def cancel(order_id: int, session: SessionDep) -> None:
    order = await run_in_threadpool(session.get, Order, order_id)
    async with httpx.AsyncClient(timeout=5) as client:
        for attempt in range(3):
            answer = await client.delete(f"https://bank.example/{order_id}")
            if answer.status_code == 200:
                order.status = "cancelled"
                await run_in_threadpool(session.commit)
""",
        },
    ),
    Case(
        "statements that leave the function, a name that may be missing, tasks side by side, a shared session",
        {
            "main.py": """\
import asyncio

import httpx
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

app = FastAPI()
engine = create_engine("postgresql://localhost/shop")


def get_session():
    with Session(engine) as session:
        yield session


async def ask(client: httpx.AsyncClient, session: Session) -> int:
    answer = await client.get("https://bank.example")
    session.commit()
    return answer.status_code


@app.get("/early")
async def early(session: Session = Depends(get_session)) -> int:
    if session.scalar(text("select 1")) is None:
        return 0
    async with httpx.AsyncClient(timeout=5) as client:
        return (await client.get("https://bank.example")).status_code


@app.get("/missing")
async def missing(session: Session = Depends(get_session)) -> int:
    try:
        number = session.scalar(text("select 1"))
    except ValueError:
        print("none")
    async with httpx.AsyncClient(timeout=5) as client:
        return number + (await client.get("https://bank.example")).status_code


@app.get("/beside")
async def beside(session: Session = Depends(get_session)) -> list[int]:
    async with httpx.AsyncClient(timeout=5) as client:
        return await asyncio.gather(ask(client, session), ask(client, session))


@app.get("/loop")
async def loop(session: Session = Depends(get_session)) -> None:
    async with httpx.AsyncClient(timeout=5) as client:
        for number in range(3):
            await client.get("https://bank.example")
            if session.scalar(text("select 1")) is None:
                break
""",
        },
        stopped=("main.py:17", "main.py:24", "main.py:32", "main.py:48"),
    ),
    Case(
        "all requests share one session: on the event loop, they came one after the other",
        {
            "main.py": """\
from fastapi import FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

app = FastAPI()
session = Session(create_engine("postgresql://localhost/shop"))


@app.get("/commit")
async def commit() -> None:
    session.commit()
""",
        },
        stopped=("main.py:10",),
    ),
    Case(
        "files, mail and pictures in a coroutine that truly waits",
        {
            "main.py": """\
import json
import shutil
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, File, Request, UploadFile
from PIL import Image

app = FastAPI()


@app.put("/notes/{name}")
async def write(request: Request, name: str) -> str:
    content = b"".join([part async for part in request.stream()])
    with open(f"/notes/{name}", "wb") as file:
        file.write(content)
    size = len([part async for part in request.stream()])
    with open("/notes/index.txt", encoding="utf-8") as file:
        index = file.read()
    return index * size


@app.put("/notes/{name}/index")
async def index(request: Request, name: str) -> str:
    size = len([part async for part in request.stream()])
    with Path("/notes", name).open("rb") as file:
        content = json.load(file)
    print(size, content)
    return content["name"] * len([part async for part in request.stream()])


@app.post("/mails")
async def mail(request: Request, to: str) -> int:
    size = len([part async for part in request.stream()])
    message = EmailMessage()
    message["To"] = to
    with smtplib.SMTP("localhost") as server:
        server.send_message(message)
    return size


@app.post("/pictures")
async def picture(request: Request) -> int:
    size = len([part async for part in request.stream()])
    image = Image.open("/pictures/a.png")
    image.thumbnail((size, size))
    image.save("/pictures/b.png")
    return size


@app.post("/covers")
async def cover(request: Request, image: Annotated[UploadFile | None, File()] = None) -> int:
    if image is not None:
        with Path("/covers", "1").open("wb") as file:
            shutil.copyfileobj(image.file, file)
    return len([part async for part in request.stream()])


@app.post("/albums")
async def album(request: Request, images: list[UploadFile]) -> int:
    places: list[Path] = []
    for image in images:
        with Path("/albums", image.filename).open("wb") as file:
            shutil.copyfileobj(image.file, file)
        places.append(Path("/albums", image.filename))
    size = len([part async for part in request.stream()])
    return size + len(places)


@app.post("/lines")
async def lines(request: Request) -> int:
    with open("/tmp/lines", "wb") as file:
        async for part in request.stream():
            file.write(part)
    return 1
""",
        },
        {
            "main.py": """\
import json
import shutil
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated

import anyio
from fastapi import FastAPI, File, Request, UploadFile
from PIL import Image
from fastapi.concurrency import run_in_threadpool

app = FastAPI()


@app.put("/notes/{name}")
async def write(request: Request, name: str) -> str:
    content = b"".join([part async for part in request.stream()])
    await anyio.Path(f"/notes/{name}").write_bytes(content)
    size = len([part async for part in request.stream()])
    index = await anyio.Path("/notes/index.txt").read_text(encoding="utf-8")
    return index * size


def _read_content(name: str):
    with Path("/notes", name).open("rb") as file:
        content = json.load(file)
    return content


@app.put("/notes/{name}/index")
async def index(request: Request, name: str) -> str:
    size = len([part async for part in request.stream()])
    content = await run_in_threadpool(_read_content, name)
    print(size, content)
    return content["name"] * len([part async for part in request.stream()])


def _send_mail(message: EmailMessage) -> None:
    with smtplib.SMTP("localhost") as server:
        server.send_message(message)


@app.post("/mails")
async def mail(request: Request, to: str) -> int:
    size = len([part async for part in request.stream()])
    message = EmailMessage()
    message["To"] = to
    await run_in_threadpool(_send_mail, message)
    return size


def _picture_sync(image: Image.Image, size: int) -> None:
    image.thumbnail((size, size))
    image.save("/pictures/b.png")


@app.post("/pictures")
async def picture(request: Request) -> int:
    size = len([part async for part in request.stream()])
    image = Image.open("/pictures/a.png")
    await run_in_threadpool(_picture_sync, image, size)
    return size


def _write_file(image: UploadFile) -> None:
    with Path("/covers", "1").open("wb") as file:
        shutil.copyfileobj(image.file, file)


@app.post("/covers")
async def cover(request: Request, image: Annotated[UploadFile | None, File()] = None) -> int:
    if image is not None:
        await run_in_threadpool(_write_file, image)
    return len([part async for part in request.stream()])


def _write_files(images: list[UploadFile], places: list[Path]) -> None:
    for image in images:
        with Path("/albums", image.filename).open("wb") as file:
            shutil.copyfileobj(image.file, file)
        places.append(Path("/albums", image.filename))


@app.post("/albums")
async def album(request: Request, images: list[UploadFile]) -> int:
    places: list[Path] = []
    await run_in_threadpool(_write_files, images, places)
    size = len([part async for part in request.stream()])
    return size + len(places)


@app.post("/lines")
async def lines(request: Request) -> int:
    with open("/tmp/lines", "wb") as file:
        async for part in request.stream():
            file.write(part)
    return 1
""",
        },
        stopped=("main.py:95",),
    ),
    Case(
        "requests to others: the asynchronous client of httpx, where the project has it",
        {
            "main.py": """\
import httpx
import requests
from fastapi import FastAPI, Request

app = FastAPI()


async def received(request: Request) -> bytes:
    return b"".join([part async for part in request.stream()])


@app.post("/prices")
async def price(request: Request, currency: str, word: str | None = None) -> float:
    body = await received(request)
    response = requests.get("https://rates.example", params={"q": currency}, timeout=5)
    response.raise_for_status()
    if body:
        # they count
        httpx.post("https://rates.example", json={"size": len(body)}, verify=False)
    found = requests.get("https://rates.example", params={"q": word}, timeout=5)
    title = requests.get("https://rates.example").text
    print(found.status_code, title)
    return requests.get("https://rates.example").json()["eur"] * response.json()["eur"]
"""
        },
        {
            "main.py": """\
import asyncio

import httpx
import requests
from fastapi import FastAPI, Request

app = FastAPI()


async def received(request: Request) -> bytes:
    return b"".join([part async for part in request.stream()])


@app.post("/prices")
async def price(request: Request, currency: str, word: str | None = None) -> float:
    body = await received(request)
    async with httpx.AsyncClient(follow_redirects=True) as client:
        response = await client.get("https://rates.example", params={"q": currency}, timeout=5)
    response.raise_for_status()
    if body:
        # they count
        async with httpx.AsyncClient(verify=False) as client:
            await client.post("https://rates.example", json={"size": len(body)})
    found = await asyncio.to_thread(requests.get, "https://rates.example", params={"q": word}, timeout=5)
    title = (await asyncio.to_thread(requests.get, "https://rates.example")).text
    print(found.status_code, title)
    async with httpx.AsyncClient(follow_redirects=True, timeout=None) as client:
        return (await client.get("https://rates.example")).json()["eur"] * response.json()["eur"]
"""
        },
    ),
    Case(
        "who knows that it is requests is not surprised: its exceptions, tests that stand in for it",
        {
            "main.py": """\
import httpx
import requests
from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/prices")
async def price(request: Request) -> int:
    size = len([part async for part in request.stream()])
    try:
        requests.get("https://rates.example")
    except requests.RequestException:
        return 0
    httpx.delete("https://rates.example")
    return size
""",
            "tests/test_main.py": """\
def test_price(monkeypatch):
    monkeypatch.setattr("httpx.delete", print)
""",
        },
        {
            "main.py": """\
import asyncio

import httpx
import requests
from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/prices")
async def price(request: Request) -> int:
    size = len([part async for part in request.stream()])
    try:
        await asyncio.to_thread(requests.get, "https://rates.example")
    except requests.RequestException:
        return 0
    await asyncio.to_thread(httpx.delete, "https://rates.example")
    return size
""",
        },
    ),
    Case(
        "between a look and a change, within a lock, before an error is handled: nobody may come between",
        {
            "main.py": """\
import smtplib
import subprocess
import threading

from fastapi import FastAPI, Request

app = FastAPI()
cache: dict[str, int] = {}
total = 0
lock = threading.Lock()


def fetch(key: str) -> int:
    subprocess.run(["fetch", key])
    return len(key)


@app.post("/cached")
async def cached(request: Request, key: str) -> int:
    size = len([part async for part in request.stream()])
    if key not in cache:
        cache[key] = fetch(key)
    return cache[key] + size


@app.post("/counted")
async def counted(request: Request, key: str) -> int:
    global total
    size = len([part async for part in request.stream()])
    total += fetch(key)
    return total + size


@app.post("/locked")
async def locked(request: Request, key: str) -> int:
    size = len([part async for part in request.stream()])
    with lock:
        found = fetch(key)
    return found + size


@app.post("/tried")
async def tried(request: Request, key: str) -> str:
    done = "nothing"
    try:
        with smtplib.SMTP("localhost") as server:
            done = "connected"
            server.sendmail("shop", key, "Hello")
        done += str([part async for part in request.stream()])
    except OSError:
        print(done)
    return done
""",
        },
        stopped=("main.py:14", "main.py:22", "main.py:30", "main.py:38", "main.py:46"),
    ),
)
