"""The modules `errors.py` and `error_handlers.py`: as an earlier run wrote them, as they grow, and new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from posixpath import basename, join

import msgspec

from fastwright.app.model import App
from fastwright.app.symbols import Class, External
from fastwright.edit.builders import insert
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import is_taken
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.business.named import named

BASE = "DomainError"
_ERRORS = ("errors.py", "domain_errors.py")
_HANDLERS = ("error_handlers.py", "domain_error_handlers.py")
_OWN = ("errors.py", "exceptions.py")
"""Where a project keeps exceptions of its own."""
_MIXED = "whose module has subclasses of `HTTPException` that became new ones"


class Row(msgspec.Struct, frozen=True, order=True):
    """A class, and how it is answered."""

    status: int
    name: str
    headers: str | None = None
    doc: str | None = None
    """Of a class that the recipe writes."""
    origin: str | None = None
    """The module of a class that was there before."""


class Hierarchy(msgspec.Struct, frozen=True, eq=False):
    """The errors of the application, and their answers, as this recipe has written them before."""

    errors: Module
    handlers: Module
    classes: Mapping[int, str]
    """Status -> the class that says no more than that."""
    headers: Mapping[int, str | None]
    names: frozenset[str]


class Own(msgspec.Struct, frozen=True, eq=False):
    """The base of exceptions that the project defined itself."""

    cls: Class
    aside: str | None
    """Why the new errors are none of its kind."""


def written_before(app: App) -> Hierarchy | None:
    """Return the modules that an earlier run wrote."""
    for module in app.sources:
        if basename(module.path) not in _HANDLERS:
            continue
        base, statuses = app.linker.name(BASE, module), _table(module, "_STATUS")
        if not isinstance(base, Class) or statuses is None:
            continue
        classes: dict[int, str] = {}
        sent = _pairs(_table(module, "_HEADERS"))
        headers: dict[int, str | None] = {}
        for name, value in _pairs(statuses).items():
            cls = app.linker.name(name, module)
            plain = isinstance(cls, Class) and "__init__" not in cls.own_methods
            if isinstance(value, s.Constant) and isinstance(value.value, int) and plain:
                classes[value.value] = name
                headers[value.value] = text(module, sent[name])[1:-1] if name in sent else None
        names = frozenset(_pairs(statuses))
        return Hierarchy(base.module, module, classes, headers, names)
    return None


def _table(module: Module, name: str) -> s.Dict | None:
    """Return a dictionary at the top of a file."""
    for statement in module.facts.body:
        if isinstance(statement, s.AnnAssign) and s.last_name(statement.target) == name:
            return statement.value if isinstance(statement.value, s.Dict) else None
    return None


def _pairs(table: s.Dict | None) -> dict[str, s.Expr]:
    pairs = zip(table.keys, table.values, strict=True) if table is not None else ()
    return {key.id: value for key, value in pairs if isinstance(key, s.Name)}


def own_base(app: App, folder: str) -> Own | None:
    """Return the one base of the exceptions of a package, where there is one."""
    for name in _OWN:
        module = app.modules.get(join(folder, name))
        classes = app.classes([module]) if module is not None else ()
        bases = [cls for cls in classes if _is_exception(app, cls) and app.subclasses(cls)]
        if len(bases) == 1:
            return Own(bases[0], _aside(app, bases[0]))
    return None


def _is_exception(app: App, cls: Class) -> bool:
    found = [base for base, _ in app.linker.bases(cls)]
    return len(cls.node.bases) == 1 and found == [External("builtins.Exception")]


def _aside(app: App, cls: Class) -> str | None:
    """Return why new errors are no subclasses of a class: it is more than a name, or something looks out for it.

    A handler that is registered for it does not matter: that of a subclass comes first.
    """
    if any(isinstance(node, (s.FunctionDef, s.Assign, s.AnnAssign)) for node in cls.node.body):
        return "which is made in a way of its own"
    registered = {
        id(handler.exception.node)
        for application in app.applications
        for handler in application.exception_handlers
    }
    for module in app.sources:
        fine = set(registered)
        for node in module.walk() if cls.name.encode() in module.source else ():
            if isinstance(node, s.ClassDef):
                fine.update(id(base) for base in node.bases)
            elif isinstance(node, s.Parameter) and node.annotation is not None:
                fine.add(id(node.annotation))
        if any(id(node) not in fine for node in named(module, cls.name)):
            return f"which `{module.name}` looks out for"
    return None


# ---------------------------------------------------------------------- written


class Written(msgspec.Struct, frozen=True, eq=False):
    """The two modules, and what makes them what they have to be."""

    errors: str
    handlers: str
    edits: tuple[Edit, ...] = ()
    imports: tuple[Import, ...] = ()
    new: Mapping[str, str] = {}


def grown(app: App, before: Hierarchy, rows: Sequence[Row]) -> Written | None:
    """Return how modules of an earlier run grow; None where they cannot take headers."""
    errors, handlers = before.errors, before.handlers
    edits: list[Edit] = []
    imports: list[Import] = []
    tables = _table(handlers, "_STATUS"), _table(handlers, "_HEADERS")
    for row in sorted(rows):
        lines = [f"    {row.name}: {row.status},", f"    {row.name}: {{{row.headers}}},"]
        for table, line in zip(tables, lines if row.headers else lines[:1], strict=False):
            if table is None:
                return None
            edits.append(_added(handlers, table, line))
        if row.doc is not None:
            edits.append(insert(errors, len(errors.source), _class(row)))
        imports.append(Import(handlers.path, row.origin or app.index.name(errors.path), row.name))
    return Written(errors.path, handlers.path, tuple(edits), tuple(imports))


def _added(module: Module, table: s.Dict, line: str) -> Edit:
    """Return the edit that puts a line at the end of a dictionary."""
    inner = module.source[table.start : table.end - 1]
    before = "" if inner.rstrip().endswith((b",", b"{")) else ","
    before += "" if inner.endswith(b"\n") else "\n"
    return insert(module, table.end - 1, f"{before}{line}\n")


def written(app: App, folder: str, rows: Sequence[Row]) -> Written | None:
    """Return the two modules, new ones or beside errors of the project; None where their names are taken."""
    own = own_base(app, folder)
    handlers = _free(app, folder, _HANDLERS)
    doc = "Something that the application refuses, or cannot do; ``detail`` says what."
    if own is not None and own.aside is None and handlers is not None:
        module = own.cls.module
        names = [BASE, *(row.name for row in rows)]
        here = app.index.name(module.path)
        apart = all(row.origin != here for row in rows)
        if apart and not any(is_taken(module, name) for name in names):
            added = "\n\n" + _base(own.cls.name, doc) + "".join(_class(row) for row in sorted(rows))
            edit = insert(module, len(module.source), added)
            new = {handlers: _handlers(rows, here)}
            return Written(module.path, handlers, (edit,), (), new)
        own = Own(own.cls, "whose module has such names already" if apart else _MIXED)
    errors = _free(app, folder, _ERRORS)
    if errors is None or handlers is None:
        return None
    if own is not None:
        doc += f"\n\n    Beside `{own.cls.name}`, {own.aside}.\n    "
    head = '"""What can go wrong in the application, in its own words: no HTTP."""\n\n'
    head += "from __future__ import annotations\n\n\n"
    source = head + _base("Exception", doc) + "".join(_class(row) for row in sorted(rows))
    new = {errors: source, handlers: _handlers(rows, app.index.name(errors))}
    return Written(errors, handlers, new=new)


def _free(app: App, folder: str, names: Iterable[str]) -> str | None:
    paths = (join(folder, name) for name in names)
    return next((path for path in paths if path not in app.modules), None)


def _base(above: str, doc: str) -> str:
    return f'''class {BASE}({above}):
    """{doc}"""

    def __init__(self, detail: object) -> None:
        super().__init__(detail)
        self.detail = detail
'''


def _class(row: Row) -> str:
    return f'\n\nclass {row.name}({BASE}):\n    """{row.doc}"""\n' if row.doc is not None else ""


def _handlers(rows: Sequence[Row], errors: str) -> str:
    names: dict[str, list[str]] = {errors: [BASE]}
    for row in rows:
        names.setdefault(row.origin or errors, []).append(row.name)
    wanted = "".join(_imported(origin, names[origin]) for origin in sorted(names))
    statuses = "".join(f"    {row.name}: {row.status},\n" for row in sorted(rows))
    sent = "".join(f"    {row.name}: {{{row.headers}}},\n" for row in sorted(rows) if row.headers)
    table = f"_HEADERS: dict[type[{BASE}], dict[str, str]] = {{\n{sent}}}\n" if sent else ""
    given = ['{"detail": error.detail}', "status_code=_STATUS[type(error)]"]
    given += ["headers=_HEADERS.get(type(error))"] if sent else []
    answer = f"JSONResponse({', '.join(given)})"
    if sent:
        answer = "JSONResponse(\n" + "".join(f"        {each},\n" for each in given) + "    )"
    return f'''"""Answers of the API to what goes wrong in the application: the one place that knows both."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

{wanted}
_STATUS: dict[type[{BASE}], int] = {{
{statuses}}}
{table}

async def answer(_request: Request, error: Exception) -> JSONResponse:
    """Answer an error of the application with its status."""
    assert isinstance(error, {BASE})
    return {answer}


def add_error_handlers(app: FastAPI) -> None:
    """Let an application answer errors of the domain."""
    app.add_exception_handler({BASE}, answer)
'''


def _imported(origin: str, names: list[str]) -> str:
    listed = "".join(f"    {name},\n" for name in sorted(names))
    return f"from {origin} import (\n{listed})\n"
