"""Applications: the statement that makes one, and those that tests make."""

from __future__ import annotations

from fastwright.app.model import App
from fastwright.app.setup.result import Application
from fastwright.read import syntax as s
from fastwright.read.module import Module


def assignment(application: Application) -> tuple[s.Assign | s.AnnAssign, str] | None:
    """Return the statement ``app = FastAPI(...)`` that makes an application, and the variable."""
    function = application.function
    body = function.node.body if function is not None else application.module.facts.body
    for statement in s.statements(body):
        if not isinstance(statement, (s.Assign, s.AnnAssign)) or statement.value is None:
            continue
        target = statement.targets[0] if isinstance(statement, s.Assign) else statement.target
        if statement.value.start == application.node.start and isinstance(target, s.Name):
            return statement, target.id
    return None


def made_by_tests(app: App, adding: str | None = None) -> tuple[Module, s.Call] | None:
    """Return where a test makes an application of its own, which has nothing of what the real one has.

    ``adding``: a function that gives it what it needs; tests that name it are left out.
    """
    for module in app.tests:
        if adding is not None and adding.encode() in module.source:
            continue
        for node in module.walk() if b"FastAPI(" in module.source else ():
            if isinstance(node, s.Call) and s.last_name(node.func) == "FastAPI":
                return module, node
    return None
