"""A file that a coroutine opens for one reading or writing: `anyio.Path` does that in a thread."""

from __future__ import annotations

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.types import Instance, Literal, alternatives
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s

_READING = {"r": "read_text", "rt": "read_text", "rb": "read_bytes"}
_WRITING = {"w": "write_text", "wt": "write_text", "wb": "write_bytes"}
_GIVEN = frozenset({"encoding", "errors"})


def path_operation(
    app: App, statement: s.Stmt, site: CallSite
) -> tuple[Edit, tuple[Import, ...]] | None:
    """Return the edit that makes one call of `anyio.Path` of a with statement, None where it does more."""
    if not isinstance(statement, s.With) or len(statement.items) > 1 or len(statement.body) > 1:
        return None
    variable, call = statement.items[0].optional_vars, statement.items[0].context_expr
    if not isinstance(variable, s.Name) or call is not site.node or not isinstance(call, s.Call):
        return None
    module, function, inner = site.module, site.caller, statement.body[0]
    opening = [each for each, _ in app.calls.of_kind(function, s.With) if _opens(each, variable.id)]
    held = [n for n, _ in app.calls.of_kind(function, s.Name) if n.id == variable.id]
    if any(not any(w.start <= n.start < w.end for w in opening) for n in held):
        return None  # the file is used for more than that
    if not isinstance(inner, (s.ExprStmt, s.Assign, s.Return)):
        return None
    opened = _opened(app, site)
    operation = _operation(inner.value, variable.id)
    anyio = bring(module, "anyio")
    if opened is None or operation is None or anyio is None:
        return None
    path, mode, options = opened
    method = (_READING if operation == "read" else _WRITING).get(mode)
    if method is None or (options and method.endswith("bytes")):
        return None
    done = inner.value
    if operation == "write" and not isinstance(inner, s.ExprStmt):
        return None
    given = [text(module, each) for each in (done.args if isinstance(done, s.Call) else [])]
    written = ", ".join([*given, *(text(module, each) for each in options)])
    made = f"await {anyio.name}.Path({text(module, path)}).{method}({written})"
    start = module.source[inner.start : done.start].decode() if done is not None else ""
    return Edit(module.path, statement.start, statement.end, f"{start}{made}"), anyio.imports


def _opens(statement: s.With, name: str) -> bool:
    return any(s.dotted(item.optional_vars) == name for item in statement.items)


def _opened(app: App, site: CallSite) -> tuple[s.Expr, str, list[s.Keyword]] | None:
    """Return the path, the mode and the options of an opened file; None where they are not known."""
    call = site.node
    if site.external == "builtins.open":
        path, position = call.argument(0, "file"), 1
        kinds = alternatives(app.types.of(path, Where(site.module, site.caller)))
        if any(isinstance(k, Literal) and not isinstance(k.value, str) for k in kinds) or any(
            isinstance(k, Instance) and k.cls == "builtins.int" for k in kinds
        ):
            return None  # a descriptor
    else:
        path, position = call.func.value if isinstance(call.func, s.Attribute) else None, 0
    mode = call.argument(position, "mode")
    options = [each for each in call.keywords if each.arg not in {"mode", "file"}]
    known = all(each.arg in _GIVEN for each in options) and len(call.args) <= position + 1
    if path is None or not known or (mode is not None and s.string(mode) is None):
        return None
    return path, (s.string(mode) or "r") if mode is not None else "r", options


def _operation(value: s.Expr | None, name: str) -> str | None:
    """Return what is done to the file, where that is all: read or write."""
    if not isinstance(value, s.Call) or not isinstance(value.func, s.Attribute) or value.keywords:
        return None
    if s.dotted(value.func) == f"{name}.read" and not value.args:
        return "read"
    if s.dotted(value.func) == f"{name}.write" and len(value.args) == 1:
        return "write"
    return None
