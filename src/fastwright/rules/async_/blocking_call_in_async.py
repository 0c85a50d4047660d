"""A call that waits, on the event loop, stops every other request.

An `async def` endpoint, dependency, middleware or lifespan runs on the event loop. While code
below it sleeps, asks another server with a synchronous client, reads a file or hashes a
password, the whole process serves nobody. The call may stand any number of functions away.

Plain `def` endpoints and dependencies are not concerned: FastAPI runs them in a thread pool.
Calls through `run_in_threadpool`, `asyncio.to_thread` or an executor are right as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.library import LIBRARY
from fastwright.app.model import App
from fastwright.app.on_loop import on_loop
from fastwright.rules.evidence import call_name, evidence, of_calls, of_entry, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case


def check(app: App) -> Iterator[Hit]:
    """Report each blocking call that the event loop reaches, with the shortest way to it."""
    loop = on_loop(app)
    for step in loop.reached:
        for site in app.calls.sites(step.function):
            waits = _waits(site)
            if waits is None:
                continue
            chain = (
                *of_entry(loop.entry(step.root)),
                *of_calls(step.chain),
                evidence(site.module, site.node, call_name(site)),
            )
            message = f"{call_name(site)} {waits} on the event loop"
            yield Hit(place(site.module, site.node), message, chain)


def _waits(site: CallSite) -> str | None:
    """Return what a call waits for, None if it does not block here."""
    if site.external is None or site.around.awaited or site.around.deferred:
        return None
    return LIBRARY.blocks(site.external)


RULE = Rule(
    summary="a blocking call on the event loop",
    severity="error",
    mend="Use the async equivalent (`asyncio.sleep`, `httpx.AsyncClient`), or run the call in a"
    " thread with `run_in_threadpool`; or make the endpoint a plain `def` if it awaits nothing.",
    app=check,
    recipe="unblock",
    references=("https://fastapi.tiangolo.com/async/",),
)

CASES = (
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

        @app.get("/slow")
        async def slow() -> None:
            await run_in_threadpool(time.sleep, 1)
            await asyncio.to_thread(lambda: time.sleep(1))
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
)
