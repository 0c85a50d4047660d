"""A validator looks at the value that it is given, and at nothing else.

A model is made in more places than one thinks of: for the body of a request, for the answer (FastAPI
validates that as well, once for each item of a list), in tests, in jobs. A query, an HTTP call or a file
in a validator happens each time, on the event loop (validators are not async), outside of the request's
session and transaction, and a server that does not answer turns into a "validation" that hangs.

Reported is a validator of a model that requests carry, in which the database is asked, another server is
called, a file is read or written, or a process is started, also through the functions that it calls. What
is cached or read once is left alone, and so are settings, models that only start-up or jobs make, checks
whether a path exists, calls that the given arguments rule out, and what is more than three calls away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.guards import Guards
from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name, evidence, name_place, of_route, of_step, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._carried import carried
from fastwright.rules.schema._validators import near, validators

_CACHING = re.compile(r"cache|memoi[sz]e|once", re.IGNORECASE)
_NEAR = 3
"""What is more calls away hardly ever happens for each value: too many conditions on the way."""
_WAITS = re.compile(r"waits for|file|clones|sleeps")
"""Beginnings of what the library's table says of calls that wait for something outside."""


def check(app: App) -> Iterator[Hit]:
    """Report the first I/O of each validator."""
    routes = carried(app)
    known = {
        key: validator
        for key, validator in validators(app).items()
        if id(validator.cls.node) in routes
    }
    if not known:
        return
    runs = Guards(app).runs
    close = near(_NEAR)

    def follow(site: CallSite, target: Function) -> bool:
        return _may_run(site, target) and close(site, target)

    reached = app.calls.reach([v.function for v in known.values()], follow, runs)
    reported: set[int] = set()
    for function in [step.function for step in reached]:
        found = _first_io(app, function)
        step = reached.way(found[0], runs) if found is not None else None
        if found is None or step is None:
            continue
        root = known[id(step.root.node)]
        if id(root.function.node) in reported:
            continue
        site, what = found
        first = step.chain[0] if step.chain else site
        reported.add(id(root.function.node))
        chain = (
            *of_route(routes[id(root.cls.node)][1]),
            Evidence(name_place(root.function), f"validates {root.cls.name}"),
            *of_step(step),
            evidence(site.module, site.node, call_name(site)),
        )
        message = f"the validator {root.function.name} of {root.cls.name} {what}"
        yield Hit(place(first.module, first.node), message, chain)


def _may_run(site: CallSite, target: Function) -> bool:
    if site.around.deferred or any(_CACHING.search(name) for name in target.decorator_names):
        return False
    return not _is_kept(site)


def _first_io(app: App, function: Function) -> tuple[CallSite, str] | None:
    for execution in app.calls.executions(function):
        if not execution.site.around.deferred:
            return execution.site, "asks the database"
    for site in app.calls.sites(function):
        if site.external is None or site.around.deferred:
            continue
        why = app.library.blocks(site.external)
        if why is not None and _WAITS.search(why) and not _is_kept(site):
            return site, why
    return None


def _is_kept(site: CallSite) -> bool:
    """Whether a call stands under a condition on something being there: ``if _cache is None``."""
    return any(_asks_for_absence(branch.test) for branch in site.around.branches)


def _asks_for_absence(test: s.Expr) -> bool:
    if isinstance(test, s.Compare) and test.ops[0] in {"is", "not in"}:
        return True
    return isinstance(test, s.UnaryOp) and test.op == "not"


RULE = Rule(
    summary="a validator that does I/O",
    severity="warning",
    mend="Check the form of the value in the validator; look things up in the endpoint, a dependency or"
    " the service, where there is a session, a client, and `await`.",
    profiles=("performance", "architecture"),
    app=check,
    default=False,  # one finding in the corpus, and that one was false
    references=(
        "https://docs.pydantic.dev/latest/concepts/validators/",
        "https://fastapi.tiangolo.com/tutorial/dependencies/",
    ),
)

CASES = (
    Case(
        "the database, through a repository",
        {
            "app/db.py": """
                from sqlmodel import Field, Session, SQLModel, create_engine, select

                engine = create_engine("sqlite://")

                class User(SQLModel, table=True):
                    id: int | None = Field(default=None, primary_key=True)
                    email: str

                def email_taken(email: str) -> bool:
                    with Session(engine) as session:
                        return session.exec(select(User).where(User.email == email)).first() is not None
                """,
            "app/main.py": """
                from fastapi import FastAPI
                from pydantic import BaseModel, field_validator
                from app.db import email_taken

                app = FastAPI()

                class UserIn(BaseModel):
                    email: str

                    @field_validator("email")
                    @classmethod
                    def unique(cls, value: str) -> str:
                        if email_taken(value):  # <-
                            raise ValueError("taken")
                        return value

                @app.post("/users")
                def create(user: UserIn) -> None: ...
                """,
        },
    ),
    case(
        "HTTP and files, in nested models, answers and annotations",
        """
        from typing import Annotated
        import httpx
        from fastapi import FastAPI
        from pydantic import AfterValidator, BaseModel, model_validator

        app = FastAPI()

        def reachable(url: str) -> str:
            httpx.get(url)  # <-
            return url

        class Hook(BaseModel):
            url: Annotated[str, AfterValidator(reachable)]

        class HookIn(BaseModel):
            hooks: list[Hook]

        class Report(BaseModel):
            text: str = ""

            @model_validator(mode="after")
            def load(self):
                with open("report.txt") as file:  # <-
                    self.text = file.read()
                return self

        @app.post("/hooks")
        def create(hook: HookIn) -> Report: ...
        """,
    ),
    case(
        "an argument that rules the call out",
        """
        import socket
        from fastapi import FastAPI
        from pydantic import BaseModel, field_validator

        app = FastAPI()

        def is_blocked(host: str, resolve: bool = True) -> bool:
            if resolve:
                return socket.gethostbyname(host).startswith("10.")
            return host == "localhost"

        class Hook(BaseModel):
            host: str
            other: str

            @field_validator("host")
            @classmethod
            def allowed(cls, value: str) -> str:
                if is_blocked(value, resolve=False):
                    raise ValueError("blocked")
                return value

            @field_validator("other")
            @classmethod
            def resolved(cls, value: str) -> str:
                if is_blocked(value):  # <-
                    raise ValueError("blocked")
                return value

        @app.post("/hooks")
        def create(hook: Hook) -> None: ...
        """,
    ),
    case(
        "what is cached, settings, models of no request, checks without I/O",
        """
        from functools import lru_cache
        from pathlib import Path
        from fastapi import FastAPI
        from pydantic import BaseModel, field_validator
        from pydantic_settings import BaseSettings

        app = FastAPI()
        _words: set[str] | None = None

        @lru_cache
        def countries() -> set[str]:
            return set(Path("countries.txt").read_text().split())

        def words() -> set[str]:
            global _words
            if _words is None:
                _words = set(Path("words.txt").read_text().split())
            return _words

        class Settings(BaseSettings):
            key: str

            @field_validator("key")
            def from_file(cls, value: str) -> str:
                return Path(value).read_text()

        class JobFile(BaseModel):
            path: str

            @field_validator("path")
            def load(cls, value: str) -> str:
                return Path(value).read_text()

        class Address(BaseModel):
            country: str
            word: str

            @field_validator("country")
            def known(cls, value: str) -> str:
                if value not in countries():
                    raise ValueError("unknown")
                return value

            @field_validator("word")
            def plain(cls, value: str) -> str:
                return value if value in words() else value.upper()

        @app.post("/addresses")
        def create(address: Address) -> None: ...
        """,
    ),
)
