"""GET changes nothing.

Browsers prefetch links, proxies and clients repeat GET after a broken connection, crawlers follow it,
and a cache may answer in its place: GET and HEAD are safe methods (RFC 9110, 9.2.1). One that writes to
the database counts twice, unsubscribes whoever's mail client looked at the link, or does not run at all.

Reported where a GET or HEAD route adds, changes or deletes rows of a known table and commits. Links that
people click in a mail and OAuth's redirects have no other method: paths that say so are left alone, and
so is what dependencies write (last seen, audit), and tables of events, logs and counters of visits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import CallSite, Execution, Step
from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.rules.evidence import call_name, evidence, name_place, of_calls, of_route
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_LINKS = re.compile(
    r"callback|verif|confirm|activat|oauth|sso|saml|oidc|login|logout|auth|magic|accept|redirect|sync"
    r"|download|export|refresh",
    re.IGNORECASE,
)
_NOTES = re.compile(
    r"log|event|audit|visit|session|token|cache|metric|history|access|usage", re.IGNORECASE
)


def check(app: App) -> Iterator[Hit]:
    """Report GET routes that write rows."""
    seen: set[int] = set()
    for route in app.routes:
        endpoint = route.endpoint
        if endpoint is None or route.kind != "http" or id(endpoint.node) in seen:
            continue
        if not set(route.methods) <= {"GET", "HEAD"} or _LINKS.search(route.path + endpoint.name):
            continue
        found = _written(app, route)
        if found is None:
            continue
        seen.add(id(endpoint.node))
        step, execution = found
        table = execution.table.name if execution.table is not None else "a row"
        chain = (
            *of_route(route),
            *of_calls(step.chain),
            evidence(execution.site.module, execution.site.node, call_name(execution.site)),
        )
        yield Hit(
            name_place(endpoint), f"{route.label} writes {table}: GET must change nothing", chain
        )


def _written(app: App, route: Route) -> tuple[Step, Execution] | None:
    """Return the first write below the endpoint, if a commit is made below it as well."""
    if route.endpoint is None:
        return None
    steps = list(app.calls.reach([route.endpoint], _always))
    commits = any(
        execution.kind == "commit" and execution.site.method == "commit"
        for step in steps
        for execution in app.calls.executions(step.function)
    )
    if not commits:
        return None
    for step in steps:
        for execution in app.calls.executions(step.function):
            if (
                execution.kind != "write"
                or execution.table is None
                or not _is_plain(execution.site)
            ):
                continue
            if not _NOTES.search(execution.table.name):
                return step, execution
    return None


def _always(site: CallSite, _target: object) -> bool:
    """Follow calls that the request surely makes; a rare branch may have a reason of its own."""
    return _is_plain(site)


def _is_plain(site: CallSite) -> bool:
    around = site.around
    return not (around.branches or around.handled or around.deferred)


RULE = Rule(
    summary="a GET that writes",
    severity="warning",
    confidence="medium",
    mend="Make it POST (or PATCH, DELETE); count visits in a background task or from the access log.",
    app=check,
    references=("https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1",),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine, select

class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    views: int = 0

class AuditLog(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()

def save(session: Session, row: SQLModel) -> None:
    session.add(row)
    session.commit()
"""

CASES = (
    case(
        "counts views through a service",
        _HEAD
        + """
@app.get("/products/{key}")
def read(key: int, session: SessionDep) -> int:  # <-
    product = session.get(Product, key)
    product.views += 1
    session.add(product)
    session.commit()
    return product.views
""",
    ),
    case(
        "POST writes; GET reads, notes down who read, or is a link in a mail",
        _HEAD
        + """
@app.post("/products")
def create(session: SessionDep) -> None:
    save(session, Product())

@app.get("/products")
def read(session: SessionDep) -> int:
    session.add(AuditLog())
    session.commit()
    return len(session.exec(select(Product).limit(3)).all())

@app.get("/verify")
def verify(session: SessionDep) -> None:
    session.add(Product())
    session.commit()
""",
    ),
)
