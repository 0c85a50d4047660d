"""A module serves one part of the application.

A file with the endpoints of users, orders, payments and reports is the file that everybody changes at once:
every merge meets another one, nobody finds anything, and importing one part imports all. FastAPI's own way
is one module with a router for each part ("bigger applications").

Reported where a module declares at least 30 endpoints for at least 6 resources, or holds at least 60
functions that ask at least 10 tables. A resource is what the path names first, after what all paths of the
module have in common and prefixes such as `/api/v1`. Many endpoints for one resource are a large part,
not many of them, and left alone; so is one large class, which is the matter of `god-service`.

The numbers come from fifteen open applications with 4100 routes: half of their 509 modules with endpoints
have at most 5 of them, nine of ten at most 15, and most serve one resource. Twice what nine of ten have,
for many resources, is what three modules have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, name_place, place
from fastwright.rules.finding import Evidence, Hit, Place
from fastwright.rules.rule import Case, Rule

ENDPOINTS = 30
RESOURCES = 6
FUNCTIONS = 60
TABLES = 10
_SHOWN = 6
_PREFIX = re.compile(r"api|rest|internal|public|v\d+(\.\d+)*|v\d+(alpha|beta)\d*")


def check(app: App) -> Iterator[Hit]:
    """Report modules that serve too many resources, or ask too many tables."""
    by_module: dict[str, list[Function]] = {}
    for endpoint in app.endpoints:
        by_module.setdefault(endpoint.module.path, []).append(endpoint)
    reported: set[str] = set()
    for path, endpoints in sorted(by_module.items()):
        if len(endpoints) >= ENDPOINTS and app.modules[path].kind == "source":
            found = _of_endpoints(app, app.modules[path], endpoints)
            if found is not None:
                reported.add(path)
                yield found
    if len(app.tables) < TABLES:
        return
    for path in sorted({step.function.module.path for step in app.reached} - reported):
        if app.modules[path].kind == "source":
            yield from _of_tables(app, app.modules[path])


def _of_endpoints(app: App, module: Module, endpoints: list[Function]) -> Hit | None:
    paths = {id(e.node): app.routes_for(e)[0].path for e in endpoints}
    common = _common([_segments(path) for path in paths.values()])
    first: dict[str, Function] = {}
    count: Counter[str] = Counter()
    for endpoint in endpoints:
        rest = _segments(paths[id(endpoint.node)])[common:]
        if rest:
            count[_singular(rest[0])] += 1
            first.setdefault(_singular(rest[0]), endpoint)
    shared = {name: number for name, number in count.items() if number > 1}
    if len(shared) < RESOURCES:
        return None
    largest = sorted(shared, key=lambda name: (-shared[name], name))
    shown = ", ".join(f"{name} ({shared[name]})" for name in largest[:_SHOWN])
    more = " and others" if len(largest) > _SHOWN else ""
    message = (
        f"{module.name} declares {len(endpoints)} endpoints for {len(shared)} resources:"
        f" {shown}{more}"
    )
    proof = tuple(Evidence(name_place(first[name]), name) for name in largest[:_SHOWN])
    return Hit(_start(module), message, proof)


def _segments(path: str) -> list[str]:
    """Return the fixed words of a path, without ``api`` and versions."""
    words = [word for word in path.split("/") if word and "{" not in word]
    return [word for word in words if not _PREFIX.fullmatch(word)]


def _common(paths: list[list[str]]) -> int:
    """Return how many words all paths begin with; the last of a path always counts."""
    known = [path for path in paths if path]
    length = 0
    while all(len(path) > length + 1 for path in known):
        if len({path[length] for path in known}) > 1:
            break
        length += 1
    return length


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _of_tables(app: App, module: Module) -> Iterator[Hit]:
    functions = [f for f in app.functions(module) if f.owner is None]
    if len(functions) < FUNCTIONS:
        return
    first: dict[str, Evidence] = {}
    for function in functions:
        for execution in app.calls.executions(function):
            if execution.table is not None:
                name = execution.table.name
                first.setdefault(name, evidence(module, execution.site.node, name))
    if len(first) >= TABLES:
        names = ", ".join(sorted(first)[:_SHOWN])
        message = (
            f"{module.name} holds {len(functions)} functions over {len(first)} tables:"
            f" {names} and others"
        )
        yield Hit(_start(module), message, tuple(first.values())[:_SHOWN])


def _start(module: Module) -> Place:
    """Return the first statement: the finding is about the file."""
    return place(module, module.facts.body[0])


RULE = Rule(
    summary="a module that serves many parts of the application",
    severity="info",
    confidence="medium",
    mend="Give each resource a module with an `APIRouter` of its own, and include them in the application.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/bigger-applications/",),
)

_FIRST = "from fastapi import FastAPI  # <-\n\napp = FastAPI()\n"
_GOOD = "from fastapi import FastAPI\n\napp = FastAPI()\n"


def _endpoints(first: str, paths: list[str]) -> str:
    """Return a module with an endpoint for each path."""
    return first + "".join(
        f'\n@app.get("{path}")\ndef endpoint_{number}() -> None: ...\n'
        for number, path in enumerate(paths)
    )


_NAMES = ["users", "orders", "payments", "reports", "invoices", "stores"]

CASES = (
    Case(
        "endpoints of six resources",
        {
            "main.py": _endpoints(
                _FIRST, [f"/api/v1/{name}/{kind}" for name in _NAMES for kind in "abcde"]
            )
        },
    ),
    Case(
        "as many of one resource, with its parts",
        {"main.py": _endpoints(_GOOD, [f"/api/orders/{{id}}/{number}" for number in range(30)])},
    ),
    Case(
        "six resources, and few endpoints",
        {"main.py": _endpoints(_GOOD, [f"/{name}/{kind}" for name in _NAMES for kind in "abc"])},
    ),
)
