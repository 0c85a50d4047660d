"""Dependencies and parameters are declared with `Annotated`, and a dependency has one name.

`db: Session = Depends(get_db)` becomes `db: Annotated[Session, Depends(get_db)]`, and so do
`Query(...)`, `Path(...)`, `Header(...)` and the other markers. Where a parameter that has no default any more would stand behind
one that has, it moves before it; functions that other code of the project calls by position are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fastwright.app.canonical import canonical
from fastwright.app.dependencies import MARKERS
from fastwright.app.model import App
from fastwright.edit.fix import Edit, Import
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.rules.dependency._annotated import annotate

_MARKERS = frozenset(MARKERS) | {"fastapi.Depends", "fastapi.Security"}


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each file."""
    for module in app.sources:
        if "fastapi" in module.header.marks and target.holds(module.path):
            yield from _of_module(module, target)


def _of_module(module: Module, target: Target) -> Iterator[Planned]:
    edits: list[Edit] = []
    imports: list[Import] = []
    places: list[str] = []
    for function in module.functions:
        if target.name is not None and function.name != target.name.rpartition(".")[2]:
            continue
        found = [p for p in function.params if _is_marker(module, p.default)]
        if not found:
            continue
        place = f"{module.path}:{module.line(found[0])}"
        fix = annotate(module, function, partial(_is_marker, module))
        if fix is None:
            yield Stopped(place, f"{function.name} cannot be written with Annotated")
            continue
        edits += fix.edits
        imports += fix.imports
        places.append(place)
    if edits:
        title = f"declare the parameters of {module.path} with Annotated"
        yield Proposal(title, tuple(edits), tuple(imports), places=tuple(places))


def _is_marker(module: Module, default: s.Expr | None) -> bool:
    if not isinstance(default, s.Call):
        return False
    written = module.qualify(default.func)
    return written is not None and canonical(written) in _MARKERS


RECIPE = Recipe(
    summary="parameters and dependencies with Annotated",
    why="A default value that is a marker is what other callers get, and what type checkers see.",
    plan=plan,
    references=("https://fastapi.tiangolo.com/tutorial/dependencies/",),
)

CASES = (
    Case(
        "endpoints and dependencies",
        {
            "main.py": """\
from fastapi import Depends, FastAPI, Query

app = FastAPI()


def page(limit: int = Query(10, le=100)) -> int:
    return limit


@app.get("/items")
def items(limit: int = Depends(page), q: str | None = None) -> list[str]:
    return []
"""
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI, Query

app = FastAPI()


def page(limit: Annotated[int, Query(le=100)] = 10) -> int:
    return limit


@app.get("/items")
def items(limit: Annotated[int, Depends(page)], q: str | None = None) -> list[str]:
    return []
"""
        },
    ),
)
