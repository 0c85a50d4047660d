"""Every route of a router is declared before the router is included.

Before FastAPI 0.137, `include_router` copies the routes that the router has at that moment. A route, or a
child router, that is added to it afterwards is not served: 404, and nothing says so. From 0.137 on the
router is kept, and what is added later is served too.

Reported under a FastAPI that copies, at the inclusion. Where the version that is installed or allowed may be
0.137 or newer, the rule is silent.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.setup.interpret import NEWEST
from fastwright.app.setup.machine import BY_REFERENCE
from fastwright.app.setup.result import Note
from fastwright.edit.builders import block_of, move_behind
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case


def check(app: App) -> Iterator[Hit]:
    """Report inclusions after which the included router still grows."""
    if (app.versions.newest("fastapi") or NEWEST) >= BY_REFERENCE:
        return
    for note in app.setup.notes:
        if note.kind != "included-too-early":
            continue
        chain = [evidence(note.module, note.node, "copies what is there")]
        if note.about is not None:
            chain.append(evidence(note.about.module, note.about.node, "added too late"))
        message = f"{note.message}: under this FastAPI they are not served"
        yield Hit(place(note.module, note.node), message, tuple(chain), _fix(note))


def _fix(note: Note) -> Fix | None:
    """Return the fix that includes it behind the last statement that names it, in one module."""
    module = note.module
    found = block_of(module.facts.body, note.node)
    included = note.node.argument(0, "router") if isinstance(note.node, s.Call) else None
    if found is None or not isinstance(included, s.Name) or found[0] is not module.facts.body:
        return None
    later = [
        each
        for each in found[0][found[0].index(found[1]) + 1 :]
        if any(isinstance(n, s.Name) and n.id == included.id for n in s.walk(each))
    ]
    if note.about is None or note.about.module is not module or not later:
        return None
    return Fix("suggest", tuple(move_behind(module, found[1], later[-1])))


RULE = Rule(
    summary="routes added to a router after it was included",
    severity="error",
    mend="Include the router after its last route and child router, or use FastAPI 0.137 or newer.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/bigger-applications/", "Sonar S8401"),
)

_LATE_CHILD = """
from fastapi import APIRouter, FastAPI

app = FastAPI()
outer = APIRouter(prefix="/outer")
inner = APIRouter(prefix="/inner")

@inner.get("/")
def read() -> None: ...

app.include_router(outer){mark}
outer.include_router(inner)
"""

CASES = (
    case(
        "a route that comes too late",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        router = APIRouter()
        app.include_router(router)  # <-

        @router.get("/items")
        def items() -> None: ...
        """,
        after="""
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        router = APIRouter()

        @router.get("/items")
        def items() -> None: ...


        app.include_router(router)
        """,
        fastapi="0.115.0",
    ),
    case(
        "a child router that comes too late",
        _LATE_CHILD.replace("{mark}", "  # <-"),
        fastapi="0.136.3",
    ),
    case(
        "a FastAPI that keeps the router",
        _LATE_CHILD.replace("{mark}", ""),
        fastapi="0.137.0",
    ),
    case(
        "in the right order",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        router = APIRouter()

        @router.get("/items")
        def items() -> None: ...

        app.include_router(router)
        """,
        fastapi="0.115.0",
    ),
)
