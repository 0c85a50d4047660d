"""Writes in endpoints and services, where the database is behind ports: rows go into repositories, transactions are a unit of work.

`session.add(order)` becomes `OrderRepository(session).add(order)`, `session.commit()` becomes `UnitOfWork(session).commit()`; `flush`, `refresh`
and `rollback` are the unit of work's as well. Both then get their ports.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Sequence, alternatives
from fastwright.edit.builders import replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.recipes.persistence.built import StaysError
from fastwright.recipes.persistence.ports import keeper_of
from fastwright.recipes.persistence.repositories import (
    Repository,
    added,
    bring_repository,
    methods,
    plain_text,
    repository,
    session_class,
    unit_of_work,
)
from fastwright.recipes.recipe import Kept, Planned, Proposal, Stopped, Target
from fastwright.recipes.shared.takers import Made, reached_by
from fastwright.recipes.shared.words import plural, snake

_ROWS = frozenset({"add", "add_all", "delete"})
_TRANSACTION = frozenset({"commit", "flush", "refresh", "rollback"})


class _Write(msgspec.Struct, frozen=True, eq=False):
    """A write as it stands in a function."""

    site: CallSite
    session: s.Expr
    table: Table | None
    """Of the rows; None for what is done to the transaction."""


def writes(app: App, target: Target, functions: list[Function]) -> Iterator[Planned]:
    """Yield one change for each function that writes through a session of its own."""
    for function in functions:
        if not target.takes(function):
            continue
        module = function.module
        found: list[_Write] = []
        try:
            found = list(_writes(app, function))
            if found:
                sessions = [Made(function, one.site.node, one.session) for one in found]
                reached_by(app, sessions, keeper_of(app, module))
                yield _proposal(app, function, found)
        except StaysError as stop:
            place = f"{module.path}:{module.line(stop.node)}"
            yield Stopped(place, f"{function.qualname}: {stop.reason}")
        except Kept as stop:
            reason = f"{function.qualname} writes through its session: {stop.reason}"
            yield Stopped(stop.place, reason)


def _writes(app: App, function: Function) -> Iterator[_Write]:
    for site in app.calls.sites(function):
        func = site.node.func
        if not isinstance(func, s.Attribute) or site.receiver is None:
            continue
        receiver = site.receiver
        if app.types.session_kind(receiver) is None or not isinstance(receiver, Instance):
            continue
        if not receiver.name.lower().endswith("session"):
            continue  # a connection has no rows
        session = func.value
        is_own = isinstance(session, s.Name) and any(
            parameter.name == session.id for parameter in function.node.params
        )
        if not is_own and s.dotted(session) not in _kept_names(app, function):
            continue
        if site.method in _TRANSACTION:
            given = 1 if site.method == "refresh" else 0
            if len(site.node.args) == given and not site.node.keywords:
                yield _Write(site, session, None)
        elif site.method in _ROWS and len(site.node.args) == 1 and not site.node.keywords:
            yield _Write(site, session, _table(app, function, site))


def _kept_names(app: App, function: Function) -> set[str]:
    """Return ``self.session``, where the class of a method keeps one."""
    made = app.linker.method(function.owner, "__init__") if function.owner is not None else None
    return {
        s.dotted(node.targets[0]) or ""
        for node in (made.node.body if made is not None else ())
        if isinstance(node, s.Assign) and isinstance(node.value, s.Name)
    }


def _table(app: App, function: Function, site: CallSite) -> Table:
    """Return the table of the rows that are written. Raises StaysError."""
    given = site.node.args[0]
    for found in alternatives(app.types.of(given, Where(function.module, function))):
        each = found.element if isinstance(found, Sequence) else found
        if isinstance(each, Instance) and isinstance(each.cls, Class):
            table = app.models.table(each.cls)
            if table is not None and table.cls.module is not function.module:
                return table
    target = _related(app, function, given)
    if target is not None and target.cls.module is not function.module:
        return target
    raise StaysError(site.node, f"the table of {text(function.module, given)} is not known")


def _related(app: App, function: Function, given: s.Expr) -> Table | None:
    """Return the table of a variable that goes over a relationship: ``for comment in issue.comments``."""
    bound = None
    if isinstance(given, s.Name):
        bound = app.types.locals.lookup(given.id, given.start, function)
    if bound is None or bound.how != "element" or not isinstance(bound.value, s.Attribute):
        return None
    owner = app.types.of(bound.value.value, Where(function.module, function))
    table = None
    if isinstance(owner, Instance) and isinstance(owner.cls, Class):
        table = app.models.table(owner.cls)
    related = table.relationships.get(bound.value.attr) if table is not None else None
    if related is None or related.target is None:
        return None
    return app.models.table(related.target)


# --------------------------------------------------------------------- the change


def _proposal(app: App, function: Function, found: list[_Write]) -> Proposal:
    """Return the change of a function; all its writes that need the same new class are made at once."""
    first = _home(app, function, found[0])
    together = [one for one in found if _home(app, function, one).path == first.path]
    module = function.module
    code = ""
    wanted: list[tuple[str, str]] = []
    for method in dict.fromkeys(one.site.method for one in together):
        sample = next(one for one in together if one.site.method == method)
        written = _method(sample, first)
        if _is_missing(app, first, method, written, sample):
            code += f"\n{written}" if code else written
            wanted += _needed(sample)
    if first.cls is None and together[0].table is None:
        code = _whole(code, together[0], first)
    session = session_class(app, function, together[0].session)
    edits, imports, new = list[Edit](), list[Import](), dict[str, str]()
    if code:
        edits, imports, new = added(app, first, code, wanted, session)
    name, needed = bring_repository(app, module, first)
    imports = [*imports, *needed]
    for one in together:
        func = one.site.node.func
        assert isinstance(func, s.Attribute)  # noqa: S101 - it was found as one
        edits.append(replace(module, func.value, f"{name}({text(module, one.session)})"))
    place = f"{module.path}:{module.line(together[0].site.node)}"
    title = f"{function.qualname} of {module.path} writes through {first.name}"
    return Proposal(title, tuple(edits), tuple(imports), new, places=(place,))


def _home(app: App, function: Function, one: _Write) -> Repository:
    if one.table is None:
        return unit_of_work(app, function)
    return repository(app, function, one.table)


def _method(one: _Write, home: Repository) -> str:
    """Return the code of a method that does what a call does."""
    method, waits = one.site.method, one.site.around.awaited
    name = snake(one.table.cls.name) if one.table is not None else "row"
    kind = one.table.cls.name if one.table is not None else "object"
    if method == "add_all":
        name, kind = plural(name), f"Iterable[{kind}]"
    given = f", {name}: {kind}" if one.site.node.args else ""
    head = f"{'async ' if waits else ''}def {method}(self{given}) -> None:"
    call = f"self.{home.attribute}.{method}({name if given else ''})"
    return f"    {head}\n        {'await ' if waits else ''}{call}\n"


def _needed(one: _Write) -> list[tuple[str, str]]:
    if one.table is None:
        return []
    row = (one.table.cls.module.name, one.table.cls.name)
    return [row, ("collections.abc", "Iterable")] if one.site.method == "add_all" else [row]


def _whole(code: str, one: _Write, home: Repository) -> str:
    """Return the methods of a new unit of work: it commits and rolls back, whoever needs which first."""
    waits = "await " if one.site.around.awaited else ""
    prefix = "async " if waits else ""
    both = [
        f"    {prefix}def {name}(self) -> None:\n        {waits}self.{home.attribute}.{name}()\n"
        for name in ("commit", "rollback")
    ]
    others = [part for part in code.split("\n\n") if part and not _is_either(part)]
    return "\n".join([*both, *(f"{part.rstrip()}\n" for part in others)])


def _is_either(part: str) -> bool:
    return "def commit(" in part or "def rollback(" in part


def _is_missing(app: App, home: Repository, method: str, written: str, one: _Write) -> bool:
    """Whether a class has no such method yet. Raises StaysError where it has another one of the name."""
    there = methods(app, home.cls).get(method) if home.cls is not None else None
    if there is None:
        return True
    body = written.strip().partition("\n")[2]
    name = snake(one.table.cls.name) if one.table is not None else "row"
    first = there.node.body[0].start
    own = there.module.source[first : there.node.end].decode()
    given = [parameter.name for parameter in there.parameters]
    if plain_text(own, given) != plain_text(body, [plural(name) if method == "add_all" else name]):
        raise StaysError(one.site.node, f"{method} of {home.name} does something else")
    return False
