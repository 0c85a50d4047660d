"""Where routers carry their prefix and tags, every router does.

`APIRouter(prefix="/users", tags=["users"])` says in the file itself where its routes are; with
`include_router(users.router, prefix="/users")` a reader has to find the inclusion first, and a second
inclusion can forget it.

Both ways are right, and one place should have one of them: reported is only the exception, a router without
prefix that is included once with a prefix of its own, in a file where most of the routers that are included
carry theirs. A file that gives all prefixes is left alone.
What an inclusion adds to several routers, a version or mount point (`/api`, `/v1`), and a prefix that is
not a literal stay at the inclusion.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from fastwright.app.model import App
from fastwright.app.setup.result import Layer, RouterRecord
from fastwright.edit.builders import add_argument
from fastwright.edit.fix import Edit, Fix
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_MOUNT_POINT = re.compile(
    r"/(api|v\d\w*|internal|admin|public|private|external|rest)?(/|$)", re.IGNORECASE
)
_FEWEST = 3
"""So many routers must carry their prefix before that counts as the way it is done."""


class _Included(NamedTuple):
    """A router and the one call that includes it."""

    router: RouterRecord
    include: Layer
    prefix: str


def check(app: App) -> Iterator[Hit]:
    """Report prefixes given at the inclusion, where the application's routers carry them."""
    includes = _includes(app)
    found = [e for r in app.setup.routers if (e := _included(r, includes)) is not None]
    prefixes = Counter(each.prefix for each in found)
    exceptions = Counter(each.include.module.path for each in found)
    usual = Counter(
        layer.module.path
        for router in app.setup.routers
        if router.prefix
        for layer in includes.get(id(router.node), ())
    )
    for each in found:
        path = each.include.module.path
        carrying = usual[path]
        if carrying < _FEWEST or carrying <= 2 * exceptions[path]:
            continue
        if prefixes[each.prefix] > 1 or _MOUNT_POINT.match(each.prefix):
            continue
        given = " and ".join(name for name in ("prefix", "tags") if name in each.include.keywords)
        message = (
            f"{each.router.name} gets its {given} ({each.prefix}) at the inclusion; {carrying} others"
            " that are included there carry theirs"
        )
        chain = (
            evidence(each.include.module, each.include.node, "included once, here"),
            evidence(each.router.module, each.router.node, "could carry it"),
        )
        fix = _moved(each)
        yield Hit(place(each.include.module, each.include.node), message, chain, fix)


def _moved(each: _Included) -> Fix | None:
    """Return the fix that gives the router its prefix, and its tags where it has none."""
    include, made = each.include.node, each.router.node
    if not isinstance(include, s.Call) or not isinstance(made, s.Call):
        return None
    edits: list[Edit] = []
    given = [k for k in include.keywords if k.arg in {"prefix", "tags"}]
    if any(made.keyword(k.arg or "") is not None for k in given) or len(include.args) != 1:
        return None
    written = ", ".join(text(each.include.module, keyword) for keyword in given)
    if any(not isinstance(n, (s.Constant, s.List, s.Keyword)) for k in given for n in s.walk(k)):
        return None  # names of the including file
    edits.append(add_argument(each.router.module, made, written))
    source = each.include.module.source
    last = include.args[0].end
    rest = [keyword for keyword in include.keywords if keyword not in given]
    kept = "".join(f", {text(each.include.module, keyword)}" for keyword in rest)
    if b"#" in source[last : include.end]:
        return None
    edits.append(Edit(each.include.module.path, last, include.end - 1, kept))
    return Fix("safe", tuple(edits))


def _included(router: RouterRecord, known: dict[int, list[Layer]]) -> _Included | None:
    """Return how a router at module level gets its prefix, if its only inclusion gives it one."""
    if not router.mounted or router.prefix or router.function is not None or router.name is None:
        return None
    if not router.routes:
        return None
    includes = known.get(id(router.node), [])
    if len(includes) != 1:
        return None
    prefix = includes[0].keywords.get("prefix")
    text = s.string(prefix.node) if prefix is not None else None
    return _Included(router, includes[0], text) if text else None


def _includes(app: App) -> dict[int, list[Layer]]:
    """Return the calls that include a router, by ``id`` of the call that makes it."""
    found: dict[int, dict[int, Layer]] = {}
    for application in app.applications:
        for route in application.routes:
            for outer, layer in pairwise(route.inherited):
                if outer.kind == "include" and layer.kind == "router":
                    found.setdefault(id(layer.node), {})[id(outer.node)] = outer
    return {router: list(layers.values()) for router, layers in found.items()}


RULE = Rule(
    summary="a prefix at the inclusion, where the other routers carry theirs",
    severity="info",
    mend="Give prefix and tags to the `APIRouter`, and include it without them.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/bigger-applications/", "Sonar S8413"),
)

_HEAD = """
from fastapi import APIRouter, FastAPI

app = FastAPI()
users = APIRouter(prefix="/users", tags=["users"])
orders = APIRouter(prefix="/orders", tags=["orders"])
items = APIRouter(prefix="/items", tags=["items"])
others = APIRouter()

@users.get("/")
def list_users() -> None: ...

@orders.get("/")
def list_orders() -> None: ...

@items.get("/")
def list_items() -> None: ...

@others.get("/")
def list_others() -> None: ...

app.include_router(users)
app.include_router(orders)
app.include_router(items)
"""

CASES = (
    case(
        "the exception",
        _HEAD
        + """
app.include_router(others, prefix="/others", tags=["others"])  # <-
""",
        after="""
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        users = APIRouter(prefix="/users", tags=["users"])
        orders = APIRouter(prefix="/orders", tags=["orders"])
        items = APIRouter(prefix="/items", tags=["items"])
        others = APIRouter(prefix="/others", tags=["others"])

        @users.get("/")
        def list_users() -> None: ...

        @orders.get("/")
        def list_orders() -> None: ...

        @items.get("/")
        def list_items() -> None: ...

        @others.get("/")
        def list_others() -> None: ...

        app.include_router(users)
        app.include_router(orders)
        app.include_router(items)

        app.include_router(others)
        """,
    ),
    case(
        "included twice",
        _HEAD
        + """
app.include_router(others, prefix="/others")
app.include_router(others, prefix="/old-others", deprecated=True)
""",
    ),
    case(
        "a mount point, and what is not a literal",
        _HEAD
        + """
from os import environ

more = APIRouter()

@more.get("/more")
def list_more() -> None: ...

app.include_router(others, prefix="/api/v2")
app.include_router(more, prefix=environ["PREFIX"])
""",
    ),
    case(
        "all prefixes in one file",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        users = APIRouter()
        orders = APIRouter()

        @users.get("/")
        def list_users() -> None: ...

        @orders.get("/")
        def list_orders() -> None: ...

        app.include_router(users, prefix="/users", tags=["users"])
        app.include_router(orders, prefix="/orders", tags=["orders"])
        """,
    ),
)
