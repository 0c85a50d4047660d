"""What code does once it finds that it runs on an event loop.

``if not may_block(): raise ...``, where ``may_block`` asks for the running loop: on the loop, what
follows never runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.read import syntax as s

_ASKING = "asyncio.get_running_loop"
_DEPTH = 4

_Range = tuple[int, int]


def runs_on_loop(app: App, site: CallSite) -> bool:
    """Whether the event loop may come to a call, as far as its function asks for the loop itself."""
    checks = _CHECKS.get(app)
    if checks is None:
        checks = _CHECKS[app] = _Checks(app)
    return not any(start <= site.node.start < end for start, end in checks.skipped(site.caller))


@dataclass(eq=False)
class _Checks:
    """The parts of functions that the loop never comes to."""

    app: App
    _ranges: dict[int, tuple[_Range, ...]] = field(default_factory=dict)
    _answers: dict[int, bool | None] = field(default_factory=dict)

    def skipped(self, function: Function) -> tuple[_Range, ...]:
        """Return the ranges of a function that do not run on the loop."""
        key = id(function.node)
        found = self._ranges.get(key)
        if found is None:
            found = self._ranges[key] = tuple(self._find(function))
        return found

    def _find(self, function: Function) -> Iterator[_Range]:
        for node, _ in self.app.calls.of_kind(function, s.If):
            for branch in node.branches:
                holds = self._holds(branch.test, function, 0)
                if holds is False:
                    yield branch.body[0].start, branch.body[-1].end
                if holds is None:
                    break
                if holds:
                    yield branch.end, node.end
                    if isinstance(branch.body[-1], (s.Raise, s.Return)):
                        yield from self._after(node, function)
                    break

    def _after(self, node: s.If, function: Function) -> Iterator[_Range]:
        """What follows a branch that leaves, where the branch stands in the function itself."""
        if node in function.node.body:
            yield node.end, function.node.end

    def _holds(self, test: s.Expr, function: Function, depth: int) -> bool | None:
        """Return what a condition is on the loop, None where that does not follow from it."""
        if isinstance(test, s.UnaryOp) and test.op == "not":
            inner = self._holds(test.operand, function, depth)
            return None if inner is None else not inner
        if isinstance(test, s.BoolOp):
            values = [self._holds(value, function, depth) for value in test.values]
            decides = test.op == "or"
            if decides in values:
                return decides
            return None if None in values else not decides
        if isinstance(test, s.Call) and depth < _DEPTH:
            for site in self.app.calls.sites(function):
                if site.node is test and len(site.targets) == 1:
                    return self._answer(site.targets[0], depth + 1)
        return None

    def _answer(self, function: Function, depth: int) -> bool | None:
        key = id(function.node)
        if key not in self._answers:
            self._answers[key] = None
            self._answers[key] = self._find_answer(function, depth)
        return self._answers[key]

    def _find_answer(self, function: Function, depth: int) -> bool | None:
        """Return what a function gives on the loop: there, asking for it raises nothing."""
        asks = any(
            site.external == _ASKING and site.around.tries
            for site in self.app.calls.sites(function)
        )
        given: set[bool | None] = set()
        for node, around in self.app.calls.of_kind(function, s.Return):
            if asks and around.handled:
                continue
            value = node.value
            if asks and isinstance(value, s.Constant) and isinstance(value.value, bool):
                given.add(value.value)
            else:
                given.add(self._holds(value, function, depth) if value is not None else None)
        return given.pop() if len(given) == 1 else None


_CHECKS: WeakKeyDictionary[App, _Checks] = WeakKeyDictionary()
