"""Where control surely runs off the end of a function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias, Union

from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.read import syntax as s

Ending: TypeAlias = Union[s.Node, Literal["never", "unsure"]]
"""The statement after which control surely can go on, or that it never does, or that it may."""

_LEAVING = frozenset({"exit", "_exit", "abort", "assert_never", "fail", "reraise", "redirect"})
_HARMLESS = frozenset(
    {"critical", "debug", "error", "exception", "info", "log", "print", "warning", "warn",
     "append", "add", "print_exc", "rollback", "commit", "close", "str", "get_logger"}
)  # fmt: skip
_PLAIN_LOOPS = frozenset({"enumerate", "zip", "sorted", "reversed", "items", "values", "keys"})
_MAX_DEPTH = 4


def falls_off(app: App, function: Function) -> s.Node | None:
    """Return the statement after which a function surely can end without ``return`` or ``raise``."""
    found = _Endings(app, function).of(function.node.body)
    if isinstance(found, str):
        return None
    if isinstance(found, s.If):
        return found.branches[-1].test
    return found.iter if isinstance(found, s.For) else found


def comes_to(app: App, function: Function, node: s.Node) -> bool:
    """Return whether no call before ``node``, in the blocks that it stands in, may never return."""
    return _Endings(app, function).comes_to(function.node.body, node)


class _Endings:
    """How blocks of one function end."""

    def __init__(self, app: App, function: Function, depth: int = 0) -> None:
        self._app, self._function, self._depth = app, function, depth
        self._sites = {id(site.node): site for site in app.calls.sites(function)}

    def of(self, body: Sequence[s.Node], *, handled: bool = False) -> Ending:
        """Return how a block ends."""
        last: Ending = body[-1] if body else "unsure"
        decided: set[str] = set()
        unsure = False
        for node in body:
            found = self._statement(node, handled=handled)
            if found == "never":
                return "never"
            tested = _tested(node)
            unsure = unsure or found == "unsure" or not decided.isdisjoint(tested)
            decided |= tested
            last = found
        return "unsure" if unsure else last

    def comes_to(self, body: Sequence[s.Node], node: s.Node) -> bool:
        """Return whether control surely gets past the calls of a block that stand before ``node``."""
        for statement in body:
            if statement.start <= node.start < statement.end:
                return all(self.comes_to(block, node) for block in _blocks(statement))
            if statement.start > node.start:
                return True
            if isinstance(statement, s.ExprStmt) and isinstance(
                self._call(statement, handled=True), str
            ):
                return False
        return True

    def _statement(self, node: s.Node, *, handled: bool) -> Ending:
        match node:
            case s.Return() | s.Raise():
                return "never"
            case s.Flow():
                return "never" if node.keyword in {"break", "continue"} else node
            case s.Assert():
                return "never" if _is_constant(node.test, truth=False) else node
            case s.ExprStmt():
                return self._call(node, handled=handled)
            case s.If():
                return self._if(node, handled=handled)
            case s.Try():
                return self._try(node, handled=handled)
            case s.With():
                return self.of(node.body, handled=handled)
            case s.For():
                return "unsure" if _leaves(node) and not _is_plain(node) else node
            case s.While():
                return self._while(node)
            case s.Match():
                return "unsure"
            case s.OpaqueStmt():
                return "unsure"
            case _:
                return node

    def _if(self, node: s.If, *, handled: bool) -> Ending:
        endings = [self.of(branch.body, handled=handled) for branch in node.branches]
        if node.orelse:
            return _any([*endings, self.of(node.orelse, handled=handled)])
        if "never" in endings and (len(endings) > 1 or self._surely_true(node.branches[0].test)):
            return "unsure"  # the branches may be all that there are
        return node if "unsure" not in endings else "unsure"

    def _surely_true(self, test: s.Expr) -> bool:
        """Whether a call is asked that may know no other answer: it raises where it does not succeed."""
        call = test.value if isinstance(test, s.Await) else test
        if not isinstance(call, s.Call):
            return False
        site = self._sites.get(id(call))
        if site is None or not site.targets:
            return True
        return all(_answers_true(target) for target in site.targets)

    def _try(self, node: s.Try, *, handled: bool) -> Ending:
        final = self.of(node.finalbody, handled=handled) if node.finalbody else None
        if isinstance(final, str):
            return final
        body = self.of([*node.body, *node.orelse], handled=handled)
        handlers = [self._handler(handler) for handler in node.handlers]
        return _any([body, *handlers])

    def _handler(self, node: s.ExceptHandler) -> Ending:
        found = self.of(node.body, handled=True)
        if isinstance(found, str):
            return found
        return node.type if node.type is not None else node

    def _while(self, node: s.While) -> Ending:
        if _is_constant(node.test, truth=True):
            return "unsure" if _breaks(node.body) else "never"
        return "unsure" if _leaves(node) else node

    def _call(self, node: s.ExprStmt, *, handled: bool) -> Ending:
        call = node.value.value if isinstance(node.value, s.Await) else node.value
        if not isinstance(call, s.Call):
            return node
        name = s.last_name(call.func) or ""
        if name in _LEAVING or "raise" in name:
            return "unsure"
        site = self._sites.get(id(call))
        if site is not None and site.targets:
            return node if all(self._returns(each) for each in site.targets) else "unsure"
        known = site is not None and site.external is not None
        return node if known or not handled or name in _HARMLESS else "unsure"

    def _returns(self, function: Function) -> bool:
        """Whether a called function surely can come back."""
        if any(isinstance(node, s.Return) for node in s.statements(function.node.body)):
            return True
        if s.last_name(function.node.returns) in {"NoReturn", "Never"} or self._depth > _MAX_DEPTH:
            return False
        found = _Endings(self._app, function, self._depth + 1).of(function.node.body)
        return not isinstance(found, str)


def _blocks(node: s.Node) -> list[list[s.Stmt]]:
    """Return the blocks of a statement, those of its branches, handlers and cases included."""
    found: list[list[s.Stmt]] = []
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if block and not isinstance(node, (s.FunctionDef, s.ClassDef)):
            found.append(block)
    for name in ("branches", "handlers", "cases"):
        found += [inner.body for inner in getattr(node, name, ())]
    return found


def _answers_true(function: Function) -> bool:
    values = [n.value for n in s.statements(function.node.body) if isinstance(n, s.Return)]
    return all(value is not None and _is_constant(value, truth=True) for value in values)


def _any(endings: list[Ending]) -> Ending:
    sure = [each for each in endings if not isinstance(each, str)]
    if sure:
        return sure[0]
    return "unsure" if "unsure" in endings else "never"


def _tested(node: s.Node) -> set[str]:
    """Return what an ``if`` that may leave the function asks about."""
    if not isinstance(node, s.If) or not _leaves(node):
        return set()
    found: set[str] = set()
    for branch in node.branches:
        for inner in s.walk_scope(branch.test):
            if isinstance(inner, (s.Name, s.Attribute)) and (name := s.dotted(inner)):
                found.add(name)
    return found


def _leaves(node: s.Node) -> bool:
    return any(isinstance(inner, (s.Return, s.Raise)) for inner in s.statements([node]))


def _is_plain(node: s.For) -> bool:
    """Whether a loop goes over a collection rather than over attempts or what a generator gives."""
    if node.is_async:
        return False
    found = node.iter.value if isinstance(node.iter, s.Await) else node.iter
    if isinstance(found, s.Call):
        return s.last_name(found.func) in _PLAIN_LOOPS and not any(
            isinstance(argument, s.Call) for argument in found.args
        )
    return isinstance(found, (s.Name, s.Attribute))


def _breaks(body: Iterable[s.Node]) -> bool:
    return any(isinstance(n, s.Flow) and n.keyword == "break" for n in s.statements(body))


def _is_constant(node: s.Expr, *, truth: bool) -> bool:
    return (
        isinstance(node, s.Constant) and node.kind in {"bool", "int"} and bool(node.value) is truth
    )
