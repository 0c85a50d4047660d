"""Checks: which values a function compares with allowed ones, matches, escapes, or has checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.origins import origins
from fastwright.app.sent import raises
from fastwright.app.symbols import Function
from fastwright.read import syntax as s

_COMPARING = frozenset({"in", "not in", "=="})
_READING = frozenset({"model_validate", "model_validate_json", "validate_python", "validate_json"})
"""Pydantic's ways to make a model: what text its fields hold is up to the model."""


@dataclass(eq=False)
class Checks:
    """The checked values of functions. ``pattern`` matches further names of checking calls."""

    app: App
    pattern: re.Pattern[str] | None = None
    _own: dict[int, set[str]] = field(default_factory=dict)
    _all: dict[int, set[str]] = field(default_factory=dict)

    def covers(self, node: s.Expr, function: Function) -> bool:
        """Whether a function checks the value that ``node`` spells, itself or by a call."""
        text = spelled(node)
        return text is not None and text in self.of(function)

    def is_check(self, name: str) -> bool:
        """Whether a call of this name checks or cleans what it is given."""
        if name in _READING:
            return False
        return self.app.library.checks(name) or (
            self.pattern is not None and bool(self.pattern.search(name))
        )

    def of(self, function: Function) -> set[str]:
        """Return what a function checks, as it is spelled: ``url``, ``body.url``."""
        key = id(function.node)
        found = self._all.get(key)
        if found is None:
            found = self._all[key] = set(self.own(function))
            for site in self.app.calls.sites(function):
                found.update(self._guarded(site))
            found.update(self._looked_up(function))
            found.discard("")
        return found

    def _looked_up(self, function: Function) -> Iterator[str]:
        """``row = await find(name)``, ``if row is None: raise``: only what the database knows passes."""
        refused = {
            name
            for node, _ in self.app.calls.of_kind(function, s.If)
            for branch in node.branches
            if branch.body and isinstance(branch.body[-1], (s.Raise, s.Return))
            if (name := _absent(branch.test)) is not None
        }
        if not refused:
            return
        for node, _ in self.app.calls.of_kind(function, s.Assign):
            if any(spelled(target) in refused for target in node.targets):
                for call in s.walk(node.value):
                    if isinstance(call, s.Call) and self._asks_database(call, function):
                        given = (*call.args, *(keyword.value for keyword in call.keywords))
                        yield from (spelled(part) or "" for part in _flat(given))

    def _asks_database(self, call: s.Call, function: Function) -> bool:
        site = origins(self.app).site(function, call)
        if site is None:
            return False
        return origins(self.app).execution(function, call) is not None or any(
            self.app.calls.asks_database(target) for target in site.targets
        )

    def own(self, function: Function) -> set[str]:
        """Return what a function checks itself."""
        key = id(function.node)
        found = self._own.get(key)
        if found is None:
            found = self._own[key] = set()
            for node, _ in self.app.calls.nodes(function):
                found.update(self._checked_by(node))
        return found

    def _checked_by(self, node: s.Node) -> Iterator[str]:
        if isinstance(node, s.Compare) and not _COMPARING.isdisjoint(node.ops):
            for part in (node.left, *node.comparators):
                yield spelled(_bare(part)) or ""
        elif isinstance(node, s.Call) and self.is_check(s.last_name(node.func) or ""):
            for given in (*node.args, *(keyword.value for keyword in node.keywords)):
                yield spelled(_bare(given)) or ""
            if isinstance(node.func, s.Attribute):
                receiver = spelled(node.func.value) or ""
                yield receiver if receiver not in {"self", "cls"} else ""
        elif isinstance(node, s.Match):
            yield spelled(node.subject) or ""

    def _guarded(self, site: CallSite) -> Iterator[str]:
        """Yield what is given to a function that checks it and refuses: a guard by what it does."""
        for target in site.targets:
            if not raises(self.app, target):
                continue
            names = self.own(target)
            for position, parameter in enumerate(target.parameters):
                if parameter.name in names:
                    given = site.node.argument(position, parameter.name)
                    if given is not None:
                        yield spelled(_bare(given)) or ""


def spelled(node: s.Expr) -> str | None:
    """Return one spelling for a part of a value: ``a.b`` for ``a.b``, ``a["b"]`` and ``a.get("b")``."""
    match node:
        case s.Name():
            return node.id
        case s.Attribute():
            return _joined(node.value, node.attr)
        case s.Subscript():
            return _joined(node.value, s.string(node.slice))
        case s.Call(func=s.Attribute(attr="get" | "pop")) if node.args:
            assert isinstance(node.func, s.Attribute)  # noqa: S101 - the pattern says so
            return _joined(node.func.value, s.string(node.args[0]))
        case s.Await() | s.NamedExpr():
            return spelled(node.target if isinstance(node, s.NamedExpr) else node.value)
    return None


def _joined(base: s.Expr, name: str | None) -> str | None:
    before = spelled(base)
    return f"{before}.{name}" if before is not None and name is not None else None


def _absent(test: s.Expr) -> str | None:
    """Return what a condition says is missing: ``not row``, ``row is None``."""
    if isinstance(test, s.UnaryOp) and test.op == "not":
        return spelled(test.operand)
    if isinstance(test, s.Compare) and test.ops == ["is"]:
        last = test.comparators[0]
        return spelled(test.left) if isinstance(last, s.Constant) and last.kind == "none" else None
    return None


def _flat(nodes: Iterable[s.Expr]) -> Iterator[s.Expr]:
    """Yield values and what tuples, lists and dictionaries among them hold."""
    for node in nodes:
        if isinstance(node, (s.Tuple, s.List)):
            yield from node.elts
        elif isinstance(node, s.Dict):
            yield from node.values
        else:
            yield node


def _bare(node: s.Expr) -> s.Expr:
    """Return the name inside ``name.lower()``, ``str(name)``."""
    while isinstance(node, s.Call) and spelled(node) is None:
        if isinstance(node.func, s.Attribute):
            node = node.func.value
        elif len(node.args) == 1:
            node = node.args[0]
        else:
            break
    return node
