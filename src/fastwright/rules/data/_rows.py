"""Rows that requests load and change, as the rules here see them."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite, Execution, Step
from fastwright.app.model import App
from fastwright.app.models import Column, Table
from fastwright.app.origins import origins, returns
from fastwright.app.scopes import Bound, Where
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, FunctionValue, Instance, alternatives
from fastwright.read import syntax as s

_NUMBERS = frozenset({"builtins.int", "builtins.float", "decimal.Decimal"})
_NUMBER_TYPES = frozenset(
    {"Integer", "BigInteger", "SmallInteger", "Float", "Numeric", "Double", "DECIMAL", "INTEGER",
     "BIGINT", "SMALLINT", "FLOAT", "NUMERIC", "REAL"}
)  # fmt: skip
_TAKES_TURNS = ("lock", "mutex", "serializ", "semaphore")


def table_of(app: App, node: s.Expr, function: Function) -> Table | None:
    """Return the table that a value is surely a row of."""
    options = alternatives(app.types.of(node, Where(function.module, function)))
    if len(options) != 1 or not isinstance(options[0], Instance):
        return None
    cls = options[0].cls
    return app.models.table(cls) if isinstance(cls, Class) else None


def is_number(column: Column) -> bool:
    """Whether a column surely holds a number."""
    options = alternatives(column.type)
    if any(isinstance(option, Instance) and option.name in _NUMBERS for option in options):
        return True
    if column.call is None:
        return False
    return any(s.last_name(arg) in _NUMBER_TYPES for arg in column.call.args)


def loads(app: App, row: s.Name, step: Step) -> list[Execution] | None:
    """Return what reads a row in the functions that ``step`` came through, or in a dependency.

    None where it is not known, or where the row may be new.
    """
    function = step.function
    found: list[Execution] = []
    for bound in app.types.locals.of(function).get(row.id, []):
        if bound.offset > row.start or bound.inside is not None:
            continue
        if bound.how == "parameter":
            given = _given(app, bound, step)
        elif bound.how in {"assign", "element"} and bound.value is not None and not bound.path:
            given = _read(app, bound.value, function)
        else:
            return None
        if given is None and not _is_new(app, bound, function):
            return None
        found.extend(given or ())
    return found or None


def _read(app: App, node: s.Expr, function: Function) -> list[Execution] | None:
    rows = node.value if isinstance(node, s.Subscript) else node
    found = [origin.execution for origin in origins(app).of(rows, function)]
    known = [run for run in found if run is not None and run.kind == "read"]
    return known if known and len(known) == len(found) else None


def _given(app: App, bound: Bound, step: Step) -> list[Execution] | None:
    """Return what reads the row that a parameter is: in its dependency, or in the caller."""
    parameter, function = bound.parameter, step.function
    if parameter is None or parameter not in function.parameters:
        return None
    provider = app.types.dependency_of(parameter, Where(function.module, function.outer))
    if isinstance(provider, FunctionValue):
        found: list[Execution] = []
        for returned in returns(app, provider.function):
            read = _read(app, returned, provider.function)
            if read is None:
                return None
            found.extend(read)
        return found or None
    if provider is not None or step.site is None or step.before is None:
        return None
    given = step.site.node.argument(function.parameters.index(parameter), parameter.name)
    return loads(app, given, step.before) if isinstance(given, s.Name) else None


def _is_new(app: App, bound: Bound, function: Function) -> bool:
    """Whether a name is bound to a row that is made on the spot, or to nothing."""
    if isinstance(bound.value, s.Constant):
        return bound.value.kind == "none"
    if not isinstance(bound.value, s.Call):
        return False
    found = app.types.of(bound.value.func, Where(function.module, function))
    return isinstance(found, ClassObject)


def takes_turns(app: App, step: Step, around: Surroundings) -> bool:
    """Whether something on the way lets only one request in at a time: a lock of any kind."""
    if any(_names_lock(item.context_expr) for node in around.withs for item in node.items):
        return True
    return any(_locks(app, function) for function in _way(step))


def _way(step: Step) -> Iterator[Function]:
    at: Step | None = step
    while at is not None:
        yield at.function
        at = at.before


def _locks(app: App, function: Function) -> bool:
    if _names_lock(*function.node.decorators):
        return True
    for site in app.calls.sites(function):
        if site.node.keyword("with_for_update") is not None or site.method == "with_for_update":
            return True
        if _says_lock(site):
            return True
    return any(
        _names_lock(item.context_expr)
        for node, _ in app.calls.of_kind(function, s.With)
        for item in node.items
    )


def _says_lock(site: CallSite) -> bool:
    """``acquire_lock()``, ``lock.acquire()``, ``text("... FOR UPDATE")``."""
    written = (s.dotted(site.node.func) or site.method).lower()
    if any(word in written for word in _TAKES_TURNS) and "block" not in written:
        return True
    texts = (s.string(arg) for arg in site.node.args)
    return any(text and ("for update" in text.lower() or "lock" in text.lower()) for text in texts)


def _names_lock(*nodes: s.Expr) -> bool:
    for node in nodes:
        for inner in s.walk(node):
            name = s.last_name(inner) if isinstance(inner, (s.Name, s.Attribute)) else None
            if name is not None and any(word in name.lower() for word in _TAKES_TURNS):
                return True
    return False
