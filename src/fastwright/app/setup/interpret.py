"""Interpret the set-up code of a project: every application that it makes, and their routes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from fastwright.app.setup import imports, objects
from fastwright.app.setup.build import build
from fastwright.app.setup.calls import call
from fastwright.app.setup.evaluate import evaluate
from fastwright.app.setup.execute import execute
from fastwright.app.setup.factories import make_applications, start_applications
from fastwright.app.setup.machine import Machine, Version
from fastwright.app.setup.relevance import relevance
from fastwright.app.setup.result import SetupResult
from fastwright.app.symbols import Linker
from fastwright.read import syntax as s
from fastwright.read.module import Module

NEWEST: Version = (9999,)
"""Stands for a FastAPI of which only is known that it is current."""

_RECURSION = 10_000


def interpret(
    linker: Linker,
    modules: Iterable[Module],
    *,
    fastapi: Version = NEWEST,
    read_file: Callable[[str], bytes | None] = lambda _: None,
) -> SetupResult:
    """Return what the set-up code of ``modules`` sets up under that version of FastAPI.

    ``read_file`` gives the content of a data file (routes are sometimes declared in JSON), by its
    path relative to the root that module paths are relative to; None for a file that is not there.
    Nothing of the project is run: its syntax is evaluated symbolically. Never raises.
    """
    sources = sorted((m for m in modules if m.kind == "source"), key=lambda m: m.path)
    found = relevance(linker, sources)
    machine = Machine(linker, found, fastapi, evaluate, execute, call, objects.member)
    machine.read_file = read_file
    with _deep():
        _execute_modules(machine, sources)
        return build(machine)


@contextmanager
def _deep() -> Iterator[None]:
    """Allow the recursion that nested imports and calls need; a Python frame is cheap today."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _execute_modules(m: Machine, sources: list[Module]) -> None:
    relevant = [module for module in sources if module.path in m.relevance.modules]
    first = [module for module in relevant if _makes_app(m, module)]
    for module in first:
        imports.import_dotted(m, module.name, module.path)
        imports.ensure(m, m.module(module))
    make_applications(m)
    for module in relevant:
        imports.import_dotted(m, module.name, module.path)
        imports.ensure(m, m.module(module))
    if not any(router.is_app for router in m.routers):
        for module in relevant:
            _run_as_main(m, module)
    start_applications(m)


def _makes_app(m: Machine, module: Module) -> bool:
    """Return whether the top level of the module calls a class of applications."""
    return any(
        isinstance(node, s.Call) and s.last_name(node.func) in m.relevance.app_classes
        for node in s.walk_scope(*module.facts.body)
    )


def _run_as_main(m: Machine, module: Module) -> None:
    """Execute what stands under ``if __name__ == "__main__"``."""
    frame = m.module(module).frame
    for node in module.facts.body:
        for branch in node.branches if isinstance(node, s.If) else ():
            if any(isinstance(n, s.Name) and n.id == "__name__" for n in s.walk(branch.test)):
                with m.guard(frame.site(branch)):
                    m.execute(m, branch.body, frame)
