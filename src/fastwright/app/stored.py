"""Stored: where the columns of tables are written, and with what.

What an endpoint writes to a row comes back wherever the row is read: in another route, in a task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from fastwright.app.calls import CallSite, Reached
from fastwright.app.infer import instance_of
from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject, Instance, Statement, Type, alternatives
from fastwright.read import syntax as s

_FROM_OBJECT = frozenset({"model_validate", "from_orm", "parse_obj"})
_UPDATING = frozenset({"sqlmodel_update"})
_OF_REPOSITORY = frozenset({"create", "update", "upsert"})
_ADDING = frozenset({"add", "merge"})


class Write(msgspec.Struct, frozen=True, eq=False):
    """A place that fills a column, or all of them.

    ``column`` is None where ``value`` holds a value for each column, by its name.
    """

    column: str | None
    value: s.Expr
    function: Function
    node: s.Node
    excluded: frozenset[str] = frozenset()
    by: CallSite | None = None
    """The call that says which table it is, in a repository for any table."""


@dataclass(eq=False)
class Stored:
    """The writes to tables in what requests reach."""

    app: App
    reached: Reached
    callers: Callable[[Function], list[CallSite]]
    _plain: dict[tuple[int, str], bool] = field(default_factory=dict)

    def to(self, table: Table, column: str) -> Iterator[Write]:
        """Yield the places that write a column of a table."""
        for write in self._by_table.get(id(table.cls.node), ()):
            if column not in write.excluded and write.column in {None, column}:
                yield write

    def is_plain(self, table: Table, column: str) -> bool:
        """Whether a column keeps what it is given: no key, and nothing validates it on the way in."""
        key = (id(table.cls.node), column)
        found = self._plain.get(key)
        if found is None:
            described = table.columns.get(column)
            found = self._plain[key] = (
                described is not None
                and not described.primary_key
                and described.foreign_key is None
                and not self._is_validated(table.cls, column)
            )
        return found

    def _is_validated(self, cls: Class, column: str) -> bool:
        """``@validates("url")`` of SQLAlchemy, and properties that set the column."""
        return any(
            s.last_name(decorator) in {"validates", "setter"}
            and (method.name == column or column in {s.string(n) for n in s.walk(decorator)})
            for ancestor in self.app.linker.mro(cls)
            if isinstance(ancestor, Class)
            for method in ancestor.own_methods.values()
            for decorator in method.node.decorators
        )

    @cached_property
    def _by_table(self) -> dict[int, list[Write]]:
        found: dict[int, list[Write]] = {}
        for step in self.reached:
            for cls, write in self._in(step.function):
                found.setdefault(id(cls.node), []).append(write)
        return found

    @cached_property
    def _columns(self) -> frozenset[str]:
        return frozenset(name for table in self.app.tables for name in table.columns)

    def _in(self, function: Function) -> Iterator[tuple[Class, Write]]:
        for site in self.app.calls.sites(function):
            yield from self._by_call(site)
        for node, _ in self.app.calls.of_kind(function, s.Assign):
            for target in node.targets:
                if isinstance(target, s.Attribute) and target.attr in self._columns:
                    for cls in self._rows(target.value, function):
                        yield cls, Write(target.attr, node.value, function, node)

    def _by_call(self, site: CallSite) -> Iterator[tuple[Class, Write]]:
        method, node, function = site.method, site.node, site.caller
        made = self._made(site.callee)
        if made is not None:
            yield from ((made, write) for write in _keywords(node, function, node))
        elif self._is_on_self(node.func, function) and any(k.arg is None for k in node.keywords):
            yield from self._generic(site)
        elif method in _OF_REPOSITORY and (table := self._kept_by(site)) is not None:
            given = node.argument(1, "object")
            if given is not None:
                yield table, _whole(given, function, node)
        elif method == "setattr" and len(node.args) == 3:
            value = self._looped(node.args[2], function)
            if value is not None:
                for cls in self._rows(node.args[0], function):
                    yield cls, _whole(value, function, node)
        elif isinstance(node.func, s.Attribute):
            yield from self._by_method(site, method, node.func.value)

    def _is_on_self(self, func: s.Expr, function: Function) -> bool:
        params = function.node.params
        return (
            isinstance(func, s.Attribute)
            and isinstance(func.value, s.Name)
            and function.owner is not None
            and bool(params)
            and func.value.id == params[0].name
        )

    def _generic(self, site: CallSite) -> Iterator[tuple[Class, Write]]:
        """``self.model(**data)``: the repository that the method is called on says of which table."""
        for caller in self.callers(site.caller):
            if caller.receiver is not None:
                found = instance_of(self.app.types.attribute(caller.receiver, site.method))
                made = self._made(ClassObject(found.cls)) if isinstance(found, Instance) else None
                if made is not None:
                    for write in _keywords(site.node, site.caller, site.node):
                        yield made, msgspec.structs.replace(write, by=caller)

    def _kept_by(self, site: CallSite) -> Class | None:
        """Return the table that a library's repository is made for, or None."""
        owner = (site.external or "").rpartition(".")[0]
        receiver = site.receiver
        if owner in self.app.library.repositories and isinstance(receiver, Instance):
            return self._made(receiver.args[0]) if receiver.args else None
        return None

    def _by_method(
        self, site: CallSite, method: str, receiver: s.Expr
    ) -> Iterator[tuple[Class, Write]]:
        node, function = site.node, site.caller
        if method in _FROM_OBJECT and node.args:
            where = Where(function.module, function)
            if (cls := self._made(self.app.types.of(receiver, where))) is not None:
                yield cls, _whole(node.args[0], function, node)
        elif method in _UPDATING and node.args:
            for cls in self._rows(receiver, function):
                yield cls, _whole(node.args[0], function, node)
        elif method in _ADDING and node.args and isinstance(node.args[0], s.Name):
            bound = self.app.types.locals.lookup(node.args[0].id, node.start, function)
            if bound is not None and bound.how == "parameter":
                for cls in self._rows(node.args[0], function):
                    yield cls, _whole(node.args[0], function, node)
        elif method in {"values", "update"} and isinstance(site.receiver, Statement):
            for cls in site.receiver.query.tables:
                yield from ((cls, write) for write in _keywords(node, function, node))
                yield from ((cls, _whole(given, function, node)) for given in node.args)

    def _made(self, callee: Type) -> Class | None:
        """Return the table whose rows a callable makes, or None."""
        for option in alternatives(callee):
            if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                if self.app.types.is_table(option.cls):
                    return option.cls
        return None

    def _rows(self, node: s.Expr, function: Function) -> Iterator[Class]:
        for option in alternatives(self.app.types.of(node, Where(function.module, function))):
            if isinstance(option, Instance) and isinstance(option.cls, Class):
                if self.app.types.is_table(option.cls):
                    yield option.cls

    def _looped(self, value: s.Expr, function: Function) -> s.Expr | None:
        """Return the ``data`` of ``for name, value in data.items(): setattr(row, name, value)``."""
        if isinstance(value, s.Subscript):  # for name in data: setattr(row, name, data[name])
            return value.value
        if not isinstance(value, s.Name):
            return None
        bound = self.app.types.locals.lookup(value.id, value.start, function)
        if bound is None or bound.how != "element" or bound.path != (1,):
            return None
        given = bound.value
        if isinstance(given, s.Call) and isinstance(given.func, s.Attribute):
            return given.func.value if given.func.attr == "items" else None
        return None


def _whole(value: s.Expr, function: Function, node: s.Node) -> Write:
    return Write(None, value, function, node)


def _keywords(call: s.Call, function: Function, node: s.Node) -> Iterator[Write]:
    """Yield what the keywords of a call write; those that are named come before ``**data``."""
    named = frozenset(keyword.arg for keyword in call.keywords if keyword.arg is not None)
    for keyword in call.keywords:
        excluded = frozenset() if keyword.arg is not None else named
        yield Write(keyword.arg, keyword.value, function, node, excluded)
