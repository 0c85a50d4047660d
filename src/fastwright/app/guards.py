"""Code that runs only when a parameter was given, only when it was not, or only for some constant.

``if grants is None: grants = load()`` asks nothing when the caller hands the grants in, and
``if kind != Kind.LOG: find(kind)`` asks nothing when the caller hands in ``Kind.LOG``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, Union

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import Instance
from fastwright.read import syntax as s


class Guarded(msgspec.Struct, frozen=True):
    """A range of a function that depends on a parameter; ``absent``: runs when it is None or empty.

    With a ``constant``, the range depends on whether the parameter equals it; ``absent``: runs when not.
    """

    name: str
    absent: bool
    start: int
    end: int
    constant: str = ""


Given: TypeAlias = Union[bool, str]
"""What is known of an argument: whether it is something at all, or which constant it is."""
Facts: TypeAlias = frozenset[tuple[str, Given]]
"""Parameter -> what a call is known to have given for it."""


@dataclass(eq=False)
class Guards:
    """The guarded ranges of functions, and what a call fills in."""

    app: App
    _known: dict[int, tuple[Guarded, ...]] = field(default_factory=dict)
    _keywords: dict[int, dict[str, str]] = field(default_factory=dict)

    def of(self, function: Function) -> tuple[Guarded, ...]:
        """Return the ranges of a function that depend on one of its parameters."""
        key = id(function.node)
        found = self._known.get(key)
        if found is None:
            names = {parameter.name for parameter in function.parameters}
            keywords = self._of_keywords(function)
            found = self._known[key] = tuple(
                guarded
                for test, guarded in self._found(function)
                if guarded.name in keywords
                or (guarded.name in names and self._is_given(function, guarded.name, test))
            )
        return found

    def _of_keywords(self, function: Function) -> dict[str, str]:
        """Return variable -> keyword: ``answer = kwargs.get("answer")``."""
        key = id(function.node)
        found = self._keywords.get(key)
        if found is None:
            rest = [p.name for p in function.parameters if p.kind == "kwargs"]
            bound = self.app.types.locals.of(function) if rest else {}
            found = self._keywords[key] = {
                name: keyword
                for name, bounds in bound.items()
                if len(bounds) == 1 and (keyword := _keyword_of(bounds[0].value, rest[0]))
            }
        return found

    def _found(self, function: Function) -> Iterator[tuple[s.Expr, Guarded]]:
        for node, _ in self.app.calls.nodes(function):
            yield from _ranges(node)
        yield from _after_returns(function.node.body, function.node.end)

    def _is_given(self, function: Function, name: str, test: s.Expr) -> bool:
        """Whether a condition asks for what the call gave, not for a default put in its place."""
        bounds = self.app.types.locals.of(function).get(name, ())
        return all(
            bound.parameter or bound.offset > test.start or _stays_nothing(bound.value, name)
            for bound in bounds
        )

    def runs(self, by: CallSite | None, site: CallSite) -> bool:
        """Whether a call may run when its function is called by ``by``; None is a call from outside."""
        if by is None or not self.of(site.caller):
            return True
        return not is_in(site.node, self.skipped(site.caller, self.facts(by, site.caller)))

    def skipped(self, target: Function, facts: Facts) -> frozenset[Guarded]:
        """Return the ranges of ``target`` that do not run for what it was given."""
        ranges = self.of(target)
        if not ranges:
            return frozenset()
        given = dict(facts)
        return frozenset(
            guarded
            for guarded in ranges
            if (known := given.get(guarded.name)) is not None and _rules_out(guarded, known)
        )

    def facts(self, site: CallSite, target: Function, facts: Facts = frozenset()) -> Facts:
        """Return what a call gives ``target``: by its arguments, and by what its caller was given (``facts``)."""
        own = {
            name: known
            for name, known in facts
            if len(self.app.types.locals.of(site.caller).get(name, ())) <= 1
        }
        given = _given(site, target, self._of_keywords(target), self._at_hand(site), own)
        return frozenset(given.items())

    def _at_hand(self, site: CallSite) -> frozenset[str]:
        """Return the names that a loop of the caller binds to objects: they are surely something."""
        bound = self.app.types.locals.of(site.caller)
        where = Where(site.module, site.caller)
        return frozenset(
            node.id
            for node in (*site.node.args, *(keyword.value for keyword in site.node.keywords))
            if isinstance(node, s.Name)
            and (bounds := bound.get(node.id))
            and all(each.how == "element" for each in bounds)
            and isinstance(self.app.types.of(node, where), Instance)
        )


def is_in(node: s.Node, ranges: frozenset[Guarded]) -> bool:
    """Whether ``node`` stands in one of the ranges."""
    return any(guarded.start <= node.start < guarded.end for guarded in ranges)


def _keyword_of(node: s.Expr | None, kwargs: str) -> str | None:
    """Return ``name`` of ``kwargs.get("name")`` and of ``kwargs.pop("name", None)``."""
    if not isinstance(node, s.Call) or not isinstance(node.func, s.Attribute):
        return None
    if s.dotted(node.func.value) != kwargs or node.func.attr not in {"get", "pop"}:
        return None
    plain = len(node.args) == 1 or (len(node.args) > 1 and _is_nothing(node.args[1]))
    return s.string(node.args[0]) if plain else None


def _rules_out(guarded: Guarded, known: Given) -> bool:
    """Whether a range does not run for what is known of its parameter."""
    if not guarded.constant:
        return (known is not False) == guarded.absent
    if isinstance(known, bool):
        return False
    if known == guarded.constant:
        return guarded.absent
    return not guarded.absent and _kind(known) == _kind(guarded.constant)


def _kind(constant: str) -> str:
    """Return what two constants have in common that surely differ: their enumeration, or their type."""
    return constant.rpartition(".")[0] if constant[0].isalpha() else "literal"


def _given(
    site: CallSite,
    target: Function,
    keywords: dict[str, str],
    at_hand: frozenset[str],
    facts: Mapping[str, Given],
) -> dict[str, Given]:
    """Return parameter -> what the call gives for it; what is not known is left out.

    ``keywords``: the variables that take what is given by keyword only. ``at_hand``: names of the
    caller that are surely something. ``facts``: what the caller was given.
    """
    call = site.node
    starred = any(isinstance(arg, s.Starred) for arg in call.args) or any(
        keyword.arg is None for keyword in call.keywords
    )
    found: dict[str, Given] = {}
    for position, parameter in enumerate(target.parameters):
        given = call.argument(position, parameter.name)
        if given is None:
            if not starred and _is_nothing(parameter.default):
                found[parameter.name] = False
        elif _is_nothing(given):
            found[parameter.name] = False
        elif constant := _constant(given):
            found[parameter.name] = constant
        elif isinstance(given, s.Name) and given.id in facts:
            found[parameter.name] = facts[given.id]
        elif _is_something(given) or (isinstance(given, s.Name) and given.id in at_hand):
            found[parameter.name] = True
    for name, keyword in keywords.items():
        given = call.keyword(keyword)
        if _is_nothing(given) or (given is None and not starred):
            found[name] = False
        elif given is not None and _is_something(given):
            found[name] = True
    return found


def _stays_nothing(node: s.Expr | None, name: str) -> bool:
    """``name = clean(name)``, ``name = name or []``: where nothing was given, nothing it remains."""
    if isinstance(node, s.Call):
        receiver = node.func.value if isinstance(node.func, s.Attribute) else None
        return any(isinstance(n, s.Name) and n.id == name for n in (*node.args, receiver))
    if isinstance(node, s.BoolOp) and node.op == "or":
        first, *others = node.values
        is_own = isinstance(first, s.Name) and first.id == name
        return is_own and all(_is_nothing(other) or _is_empty(other) for other in others)
    return False


def _is_empty(node: s.Expr) -> bool:
    if isinstance(node, (s.List, s.Tuple, s.Set)):
        return not node.elts
    return (isinstance(node, s.Dict) and not node.values) or s.string(node) == ""


def _is_nothing(node: s.Expr | None) -> bool:
    return isinstance(node, s.Constant) and (node.kind == "none" or node.value is False)


def _constant(node: s.Expr) -> str:
    """Return how a constant reads: ``"draft"``, ``Kind.LOG`` (without its module); else nothing."""
    text = s.string(node)
    if text:
        return repr(text)
    name = s.dotted(node) if isinstance(node, s.Attribute) else None
    if name is None or not name.rpartition(".")[2].isupper():
        return ""
    parts = name.split(".")[-2:]
    return ".".join(parts) if parts[0][:1].isupper() else ""


def _is_something(node: s.Expr) -> bool:
    """Whether an argument is surely a value: a name handed through may itself be None."""
    if isinstance(node, s.Constant):
        return bool(node.value)
    if isinstance(node, s.Call):  # grants.get(key, []) rather than grants.get(key)
        return s.last_name(node.func) not in {"get", "first", "one_or_none", "getattr"} or (
            len(node.args) > 1
        )
    return isinstance(node, (s.List, s.Dict, s.Tuple, s.Set, s.Comp, s.JoinedStr, s.Subscript,
                             s.Attribute, s.Await, s.BinOp))  # fmt: skip


def _ranges(node: s.Node) -> Iterator[tuple[s.Expr, Guarded]]:
    if isinstance(node, s.If):
        for position, branch in enumerate(node.branches):
            found = _tested(branch.test)
            if found is None or not branch.body:
                continue
            name, absent, constant = found
            body = branch.body[0].start, branch.body[-1].end
            yield branch.test, Guarded(name, absent, *body, constant)
            if position == len(node.branches) - 1 and node.orelse and _is_whole(branch.test):
                otherwise = node.orelse[0].start, node.orelse[-1].end
                yield branch.test, Guarded(name, not absent, *otherwise, constant)
    elif isinstance(node, s.IfExp):
        found = _tested(node.test)
        if found is not None:
            name, absent, constant = found
            yield node.test, Guarded(name, absent, node.body.start, node.body.end, constant)
            if _is_whole(node.test):
                otherwise = node.orelse.start, node.orelse.end
                yield node.test, Guarded(name, not absent, *otherwise, constant)
    elif isinstance(node, s.BoolOp) and node.op == "or" and isinstance(node.values[0], s.Name):
        first = node.values[0]
        yield first, Guarded(first.id, absent=True, start=node.values[1].start, end=node.end)


def _after_returns(body: list[s.Stmt], end: int) -> Iterator[tuple[s.Expr, Guarded]]:
    """``if response is not None: return response``: what follows runs only when it is absent."""
    for node in body:
        if isinstance(node, (s.Try, s.With)) and node.body:  # either may swallow what is raised
            yield from _after_returns(node.body, node.body[-1].end)
        if not isinstance(node, s.If) or node.orelse or len(node.branches) != 1:
            continue
        branch = node.branches[0]
        if not branch.body or not isinstance(branch.body[-1], (s.Return, s.Raise)):
            continue
        for test in _alternatives(branch.test):
            found = _tested(test) if not isinstance(test, s.BoolOp) else None
            if found is not None:
                name, absent, constant = found
                yield test, Guarded(name, not absent, node.end, end, constant)


def _alternatives(test: s.Expr) -> list[s.Expr]:
    """Return the conditions each of which is enough for ``test``."""
    return test.values if isinstance(test, s.BoolOp) and test.op == "or" else [test]


def _is_whole(test: s.Expr) -> bool:
    """Whether a condition that does not hold says something: of ``a and b``, either may not hold."""
    return not isinstance(test, s.BoolOp)


def _tested(test: s.Expr) -> tuple[str, bool, str] | None:
    """Return the name that a condition tests, whether it holds when the name is absent, and the constant."""
    if isinstance(test, s.Name):
        return test.id, False, ""
    if isinstance(test, s.UnaryOp) and test.op == "not" and isinstance(test.operand, s.Name):
        return test.operand.id, True, ""
    if isinstance(test, s.Compare) and isinstance(test.left, s.Name) and len(test.ops) == 1:
        return _compared(test.left, test.ops[0], test.comparators[0])
    if isinstance(test, s.BoolOp) and test.op == "and":
        for value in test.values:
            found = _tested(value)
            if found is not None:
                return found
    return None


def _compared(left: s.Name, op: str, right: s.Expr) -> tuple[str, bool, str] | None:
    constant = _constant(right)
    if not constant and not (isinstance(right, s.Constant) and right.kind == "none"):
        return None
    if op in {"is", "=="}:
        return left.id, not constant, constant
    if op in {"is not", "!="}:
        return left.id, bool(constant), constant
    return None
