"""What `unblock` makes really runs beside others: a task of the same event loop is not stopped.

Each program does something that blocks until a task of the event loop lets it go on. Before the recipe nobody
can: it gives up. Afterwards the task runs, and the answers are the same.
"""

from __future__ import annotations

import asyncio
import importlib.util
import smtplib
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import httpx2
import pytest
from sqlalchemy import event

from fastwright.app.memory import app_from
from fastwright.edit.apply import apply
from fastwright.edit.fix import Fix
from fastwright.recipes.recipe import Proposal, Target
from fastwright.recipes.registry import recipes

GIVES_UP, PATIENT = 0.2, 20.0
"""Seconds: how long what blocks waits before the recipe, where it waits in vain, and afterwards."""
MOST = 20

HEAD = """\
import asyncio
import smtplib
import subprocess

from fastapi import Depends, FastAPI, HTTPException, Request, UploadFile
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()
engine = create_engine("sqlite:///DATABASE", connect_args={"check_same_thread": False})


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]


def get_session():
    with Session(engine) as session:
        yield session


"""
UPLOAD = """
@app.post("/")
async def upload(file: UploadFile, session: Session = Depends(get_session)):
    content = await file.read()
    subprocess.run(["convert"], check=True)
    session.add(Order(status=content.decode()))
    session.commit()
    return {"size": len(content), "name": file.filename}
"""
BODY = """
@app.post("/")
async def paid(request: Request, session: Session = Depends(get_session)):
    body = await request.body()
    if b"number" not in body:
        raise HTTPException(status_code=400, detail="No number")
    event = await request.json()
    session.add(Order(status="paid"))
    session.commit()
    return {"received": event["number"]}
"""
TOGETHER = """
async def store(session: Session, status: str) -> int:
    order = Order(status=status)
    session.add(order)
    session.commit()
    return order.id


@app.post("/")
async def place(status: str = "placed", session: Session = Depends(get_session)):
    return {"id": await store(session, status)}
"""
PARTS = """
@app.post("/")
async def pay(request: Request, session: Session = Depends(get_session)):
    order = Order(status="new")
    session.add(order)
    session.commit()
    number = order.id
    size = len(b"".join([part async for part in request.stream()]))
    order = session.get(Order, number)
    if order is None or size == 0:
        raise HTTPException(status_code=404, detail="No such order")
    order.status = f"paid {size}"
    session.commit()
    return {"id": order.id, "status": order.status}
"""
BELOW = """
def convert(size: int) -> int:
    subprocess.run(["convert"], check=True)
    return 2 * size


@app.post("/")
async def converted(request: Request):
    size = len(b"".join([part async for part in request.stream()]))
    return {"size": convert(size)}
"""
MAIL = """
@app.post("/")
async def tell(request: Request):
    size = len(b"".join([part async for part in request.stream()]))
    with smtplib.SMTP("localhost") as server:
        server.send_message(f"{size} bytes")
    return {"told": size}
"""
PROGRAMS = {
    "an upload": (UPLOAD, {"files": {"file": ("a.txt", b"content")}}),
    "the body of a request": (BODY, {"json": {"number": 7}}),
    "the body of a request that is refused": (BODY, {"json": {}}),
    "coroutines that wait for each other": (TOGETHER, {}),
    "parts of a coroutine": (PARTS, {"content": b"content"}),
    "parts of a coroutine, with an error": (PARTS, {}),
    "a plain function below a coroutine": (BELOW, {"content": b"content"}),
    "mail": (MAIL, {"content": b"content"}),
}


class Gate:
    """What blocks until a task of the event loop lets it go on."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.waiting, self.open = threading.Event(), threading.Event()
        self.passed: list[bool] = []

    def wait(self, *_: Any, **__: Any) -> None:
        self.waiting.set()
        self.passed.append(self.open.wait(self.patience))
        self.waiting.clear()
        self.open.clear()

    async def beat(self) -> None:
        while True:
            if self.waiting.is_set():
                self.open.set()
            await asyncio.sleep(0.001)


class Mailer:
    """Stands for `smtplib.SMTP`."""

    gate: Gate

    def __init__(self, host: str) -> None:
        self.host = host

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def send_message(self, message: str) -> None:
        self.gate.wait()


def unblocked(source: str) -> str:
    for _ in range(MOST):
        planned = recipes()["unblock"].recipe.plan(app_from({"main.py": source}), Target())
        proposal = next((each for each in planned if isinstance(each, Proposal)), None)
        if proposal is None:
            return source
        fix = Fix("safe", proposal.edits, proposal.imports)
        source = apply({"main.py": source.encode()}, (fix,), {"main"}).changed["main.py"].decode()
    pytest.fail("the recipe does not end")


def loaded(folder: Path, name: str, source: str) -> ModuleType:
    path = folder / f"{name}.py"
    path.write_text(source.replace("DATABASE", str(folder / f"{name}.db")))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.Base.metadata.create_all(module.engine)
    return module


async def asked(app: Any, gate: Gate, request: dict[str, Any]) -> tuple[int, Any]:
    beating = asyncio.create_task(gate.beat())
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post("/", **request)
    beating.cancel()
    return response.status_code, response.json()


@pytest.mark.parametrize(("body", "request_"), PROGRAMS.values(), ids=PROGRAMS)
def test_runs_beside_others(
    body: str, request_: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = HEAD + body
    after = unblocked(before)
    assert after != before

    def answer(name: str, source: str, patience: float) -> tuple[tuple[int, Any], list[bool]]:
        gate = Gate(patience)
        module = loaded(tmp_path, name, source)
        listener: Callable[..., None] = gate.wait
        event.listen(module.engine, "before_cursor_execute", listener)
        monkeypatch.setattr(subprocess, "run", gate.wait)
        monkeypatch.setattr(smtplib, "SMTP", Mailer)
        monkeypatch.setattr(Mailer, "gate", gate, raising=False)
        return asyncio.run(asked(module.app, gate, request_)), gate.passed

    answer_before, passed_before = answer("before", before, GIVES_UP)
    answer_after, passed_after = answer("after", after, PATIENT)
    assert answer_after == answer_before
    assert len(passed_after) == len(passed_before)
    assert not any(passed_before), "nothing blocked the event loop"
    assert all(passed_after), "the event loop is blocked"
