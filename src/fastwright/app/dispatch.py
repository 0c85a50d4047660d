"""Dispatch: functions that are kept in a dictionary and called by the key that they stand under."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.read import syntax as s


class Chosen(msgspec.Struct, frozen=True):
    """That a parameter of a function holds one of some texts: otherwise another function runs."""

    function: int
    """``id(function.node)``."""
    name: str
    keys: frozenset[str]


@dataclass(eq=False)
class Dispatch:
    """Tells which calls of ``HANDLERS[key](...)`` run a function."""

    app: App
    _keys: dict[int, frozenset[str]] = field(default_factory=dict)

    def by(
        self, site: CallSite, function: Function, chosen: tuple[Chosen, ...]
    ) -> tuple[Chosen, ...] | None:
        """Return what is known of keys before a call of ``function``; None where it runs another."""
        known: list[Chosen] = []
        for one in chosen:
            if one.function == id(function.node):
                names = [parameter.name for parameter in function.parameters]
                position = names.index(one.name) if one.name in names else len(names)
                given = site.node.argument(position, one.name)
                if not self._add(given, one.keys, site, known):
                    return None
        keys = self.keys(function)
        if keys and not self._add(self._key(site), keys, site, known):
            return None
        return tuple(known)

    def _add(
        self, given: s.Expr | None, keys: frozenset[str], site: CallSite, known: list[Chosen]
    ) -> bool:
        """Take note of what ``given`` must be; False where it is something else."""
        text = s.string(given)
        if text is not None:
            return text in keys
        if isinstance(given, s.Name):
            bound = self.app.types.locals.lookup(given.id, given.start, site.caller)
            if bound is not None and bound.how == "parameter":
                known.append(Chosen(id(site.caller.node), given.id, keys))
        return True

    def _key(self, site: CallSite) -> s.Expr | None:
        """Return the key by which a call takes its function from a dictionary, or None."""
        func: s.Expr | None = site.node.func
        if isinstance(func, s.Name):
            bound = self.app.types.locals.lookup(func.id, func.start, site.caller)
            func = bound.value if bound is not None and bound.how == "assign" else None
        if isinstance(func, s.Subscript):
            return func.slice
        if isinstance(func, s.Call) and s.last_name(func.func) == "get" and func.args:
            return func.args[0]
        return None

    def keys(self, function: Function) -> frozenset[str]:
        """Return the keys under which dictionaries around a function hold it."""
        key = id(function.node)
        found = self._keys.get(key)
        if found is None:
            found = self._keys[key] = frozenset(
                text
                for node in self._displays(function)
                for name, value in zip(node.keys, node.values, strict=True)
                if (text := s.string(name)) is not None
                and isinstance(value, (s.Name, s.Attribute))
                and s.last_name(value) == function.name
            )
        return found

    def _displays(self, function: Function) -> Iterator[s.Dict]:
        """Yield the dictionaries written where ``function`` is defined."""
        if function.outer is not None:
            bodies = [function.outer]
        elif function.owner is not None:
            bodies = list(function.owner.own_methods.values())
        else:
            yield from (n for n, _ in self.app.types.locals.of_kind(function.module, s.Dict))
            return
        for body in bodies:
            yield from (node for node, _ in self.app.calls.of_kind(body, s.Dict))
