"""Applications: the statement that makes one."""

from __future__ import annotations

from fastwright.app.setup.result import Application
from fastwright.read import syntax as s


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
