"""Statements of the database that are put together in several steps, in a row before what runs them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import Statement, alternatives
from fastwright.edit.builders import block_of, blocks, first_byte
from fastwright.edit.fix import Edit
from fastwright.edit.source import blank_lines, indentation, line_start, next_line
from fastwright.read import syntax as s
from fastwright.read.module import Module

_GROWING = frozenset({"append", "extend", "add"})
_ELSEWHERE = (s.Await, s.Yield, s.NamedExpr)
"""What a step does not do: it only says what is asked."""


class StaysError(Exception):
    """What keeps a statement where it is."""

    def __init__(self, node: s.Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node
        self.reason = reason


class Built(msgspec.Struct, frozen=True, eq=False):
    """The steps that put a statement together, whole statements of one block."""

    steps: tuple[s.Stmt, ...]
    names: frozenset[str]
    """What they bind: nothing else uses it."""
    is_first: bool
    """Whether they begin the block."""

    @property
    def optional(self) -> bool:
        """Whether some of them are made only in some cases."""
        return any(isinstance(step, s.If) for step in self.steps)

    def always(self, node: s.Node) -> bool:
        """Whether a part of the steps, or what is behind them, is asked in every case."""
        within = next((each for each in self.steps if each.start <= node.start < each.end), None)
        return not isinstance(within, (s.If, s.For))


def built(app: App, function: Function, asked: s.Expr) -> Built | None:
    """Return the steps before an expression that runs a statement; None where it says all itself.

    Raises StaysError where the statement is put together otherwise than in steps in a row.
    """
    begun = set(_begun(app, function, asked))
    if not begun:
        return None
    found = block_of(function.node.body, asked)
    assert found is not None  # noqa: S101 - it stands in the function
    block, holder = found
    if isinstance(holder, s.While) or _runs_before(holder, asked):
        raise StaysError(asked, "what runs before it would run behind its steps")
    behind = next(number for number, each in enumerate(block) if each is holder)
    first = behind
    while first > 0 and _is_step(app, function, block[first - 1]):
        first -= 1
    first = _start(function, block[first:behind], asked, begun) + first
    steps = tuple(block[first:behind])
    if not steps:
        uses = [
            each
            for each in app.calls.executions(function)
            if any(name.id in begun for name in _names(each.site.node))
        ]
        several = "is asked for more than one thing"
        reason = several if len(uses) > 1 else "is put together in several places"
        raise StaysError(asked, f"the statement {reason}")
    names = frozenset(name for step in steps for name in _bound(step))
    for name in names:
        used = _used_behind(function, holder, name) or _used_in(holder, asked, name)
        if used is not None:
            reason = f"{name} is used outside of the steps that put the statement together"
            raise StaysError(used, reason)
    return Built(steps, names, first == 0)


def _used_in(holder: s.Stmt, asked: s.Expr, name: str) -> s.Name | None:
    """Return a use of a name beside an expression, in the statement that holds it."""
    uses = (node for node in _names(holder) if node.id == name)
    return next((n for n in uses if not asked.start <= n.start < asked.end), None)


def _used_behind(function: Function, holder: s.Stmt, name: str) -> s.Name | None:
    """Return a use of a name that may run behind a statement, before the name is bound anew."""
    node: s.Stmt | None = holder
    while node is not None:
        block = next(
            (b for b in blocks(function.node.body) if any(each is node for each in b)), None
        )
        if block is None:
            return None
        number = next(number for number, each in enumerate(block) if each is node)
        for statement in block[number + 1 :]:
            uses = [each for each in _names(statement) if each.id == name]
            is_new = isinstance(statement, s.Assign) and name in set(_bound(statement))
            if is_new and len(uses) == 1:
                return None
            if uses:
                return uses[0]
        node = _around(function, block)
        if isinstance(node, (s.For, s.While)):  # its next turn runs behind this one
            uses = [each for each in _names(node) if each.id == name and each.start < holder.start]
            again = next((n for n in uses if n.start < block[0].start), None)
            if again is not None:
                return again
    return None


def _around(function: Function, block: list[s.Stmt]) -> s.Stmt | None:
    """Return the statement that a block is part of; None for the body of the function."""
    for outer in blocks(function.node.body):
        for statement in outer:
            if statement.start <= block[0].start and block[-1].end <= statement.end:
                if statement is not block[0] and any(each is block for each in blocks([statement])):
                    return statement
    return None


def _begun(app: App, function: Function, asked: s.Expr) -> Iterator[str]:
    """Yield the variables that hold a statement, or parts of one, before it runs."""
    where = Where(function.module, function)
    parameters = {each.name for each in function.node.params}
    for node in s.walk(asked):
        inner = node.value if isinstance(node, s.Starred) else node
        if not isinstance(inner, s.Name) or inner.id in parameters:
            continue
        is_local = app.types.locals.lookup(inner.id, inner.start, function) is not None
        kinds = alternatives(app.types.of(inner, where))
        is_statement = any(isinstance(kind, Statement) for kind in kinds)
        if is_local and (is_statement or isinstance(node, s.Starred)):
            yield inner.id


def _runs_before(holder: s.Stmt, asked: s.Expr) -> bool:
    """Whether a statement of the code calls something before it asks the database."""
    return any(
        isinstance(node, (s.Call, s.Await)) and node.end <= asked.start for node in s.walk(holder)
    )


def _start(function: Function, steps: list[s.Stmt], asked: s.Expr, begun: set[str]) -> int:
    """Return the number of the first statement that only serves what is asked."""
    wanted, first = set(begun), len(steps)
    for number in range(len(steps) - 1, -1, -1):
        bound = set(_bound(steps[number]))
        if wanted & bound:
            first = number
    while first > 0:
        bound = set(_bound(steps[first - 1]))
        start, end = steps[first - 1].start, steps[-1].end
        outside = [
            name
            for name in _names(*function.node.body)
            if name.id in bound
            and not start <= name.start < end
            and not asked.start <= name.start < asked.end
        ]
        if outside or not _is_text(steps[first - 1]):
            break
        first -= 1
    return first


def _is_text(step: s.Stmt) -> bool:
    """Whether a step makes a pattern to be searched for, or begins a list."""
    if not isinstance(step, s.Assign):
        return isinstance(step, s.AnnAssign) and isinstance(step.value, s.List)
    return isinstance(step.value, (s.JoinedStr, s.List)) or (
        isinstance(step.value, s.BinOp) and any(s.string(n) for n in s.walk(step.value))
    )


def _is_step(app: App, function: Function, statement: s.Stmt) -> bool:
    """Whether a statement only says what is asked: it calls nothing of the project, and leaves nowhere."""
    if any(isinstance(node, _ELSEWHERE) for node in s.walk(statement)):
        return False
    inside = (statement.start, statement.end)
    if any(
        inside[0] <= each.site.node.start < inside[1] for each in app.calls.executions(function)
    ):
        return False
    if any(
        site.targets and inside[0] <= site.node.start < inside[1]
        for site in app.calls.sites(function)
    ):
        return False
    return _says(statement)


def _says(statement: s.Stmt) -> bool:
    if isinstance(statement, s.Assign):
        return len(statement.targets) == 1 and isinstance(statement.targets[0], s.Name)
    if isinstance(statement, (s.AnnAssign, s.AugAssign)):
        return isinstance(statement.target, s.Name) and statement.value is not None
    if isinstance(statement, s.ExprStmt):
        func = statement.value.func if isinstance(statement.value, s.Call) else None
        return (
            isinstance(func, s.Attribute)
            and isinstance(func.value, s.Name)
            and func.attr in _GROWING
        )
    if isinstance(statement, s.If):
        inner = [each for branch in statement.branches for each in branch.body]
        return all(_says(each) for each in (*inner, *statement.orelse))
    if isinstance(statement, s.For):
        plain = isinstance(statement.target, s.Name) and not statement.orelse
        return plain and not statement.is_async and all(_says(each) for each in statement.body)
    return False


def _bound(statement: s.Stmt) -> Iterator[str]:
    """Yield the names that a step binds, or grows."""
    for node in s.walk(statement):
        if isinstance(node, s.Assign):
            yield from (target.id for target in node.targets if isinstance(target, s.Name))
        elif isinstance(node, (s.AnnAssign, s.AugAssign, s.For)):
            if isinstance(node.target, s.Name):
                yield node.target.id
        elif isinstance(node, s.ExprStmt) and isinstance(node.value, s.Call):
            func = node.value.func
            if isinstance(func, s.Attribute) and isinstance(func.value, s.Name):
                yield func.value.id


def _names(*nodes: s.Node) -> Iterator[s.Name]:
    return (node for node in s.walk(*nodes) if isinstance(node, s.Name))


def gone(module: Module, found: Built) -> Edit:
    """Return the edit that takes the steps out of their block, with the comments between them."""
    source = module.source
    start = line_start(source, first_byte(found.steps[0]))
    end = next_line(source, max(found.steps[-1].end - 1, start))
    above = source[line_start(source, start - 1) : start] if start else b""
    if found.is_first or not above.strip():
        end = blank_lines(source, end)
    return Edit(module.path, start, end, "")


def lines(module: Module, found: Built, edits: list[tuple[s.Expr, str]]) -> list[str]:
    """Return the lines of the steps, without indentation, with parts of them written otherwise."""
    source = module.source
    start = line_start(source, first_byte(found.steps[0]))
    end = next_line(source, max(found.steps[-1].end - 1, start))
    outer = indentation(source, found.steps[0].start)
    parts, done = list[str](), start
    for place, written in sorted(edits, key=lambda edit: edit[0].start):
        if start <= place.start < end:
            parts += [source[done : place.start].decode(), written]
            done = place.end
    parts.append(source[done:end].decode())
    return [line.removeprefix(outer).rstrip() for line in "".join(parts).splitlines()]
