"""Loops that repeat something for each row or each item of the input, as the rules here see them.

A loop counts when what stands in it depends on the loop's variable, and when nothing bounds it:
literals, constants, enums, ranges, chunks and searches that stop at the first hit are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, TypeGuard, Union

import msgspec

from fastwright.app.calls import CallSite, Execution
from fastwright.app.guards import Facts, Guards, is_in
from fastwright.app.model import App
from fastwright.app.on_loop import Loop
from fastwright.app.scopes import Bound, Where
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function, Variable, targets
from fastwright.app.types import ClassObject, FunctionValue, Instance, Literal, Sequence, Type
from fastwright.read import syntax as s
from fastwright.rules.data._walks import walked
from fastwright.rules.evidence import evidence, of_entry, of_step
from fastwright.rules.finding import Evidence

Repeating: TypeAlias = Union[s.For, s.While, s.Comp]

_WRAPPERS = frozenset({"enumerate", "list", "sorted", "reversed", "zip", "set", "tuple", "iter",
                       "items", "values", "keys", "copy", "tqdm"})  # fmt: skip
_PIECES = re.compile(r"chunk|batch|page|partition|split|window|stream|segment", re.IGNORECASE)
_SEARCHES = frozenset({"next", "any", "all"})
_CACHING = frozenset({"lru_cache", "cache", "cached", "alru_cache", "memoize", "memoized"})
_FIXED = re.compile(r"settings?|config|constants?|options", re.IGNORECASE)
_OF_TABLES = frozenset({"select", "delete", "update", "insert", "query", "select_from"})
_DEPTH = 3
_CONDITIONS = 1


class PerItem(msgspec.Struct, frozen=True, eq=False):
    """That something is done once for each item: in which loop, over what."""

    loop: Repeating
    source: s.Expr
    names: frozenset[str]
    """The loop's variables, and what the loop computes from them."""
    each: str = "item of"
    """How the loop goes on: from item to item of ``source``, or step by step from it."""


Memory: TypeAlias = dict[int, set[str]]
"""Names that loops compute from their variables, by loop and variable: they are asked for often."""


def per_item(app: App, site: CallSite, memory: Memory) -> PerItem | None:
    """Return the loop that repeats a call for each row or item, the innermost first, or None."""
    around = site.around
    if around.handled or around.deferred:
        return None
    for loop in reversed(around.loops):
        if isinstance(loop, s.While):
            return _walks(site, loop)
        found = _repeats(app, site, loop, memory)
        if found is not None:
            return found
    return None


def _walks(site: CallSite, loop: s.While) -> PerItem | None:
    found = walked(loop)
    if found is None or _PIECES.search(found[0].id) or _is_remembered(site.around, loop):
        return None
    if any(_ends(statement) for statement in loop.body):
        return None
    names = computed(s.walk_scope(*loop.body), found[1])
    if not _mentions(site.node, names):
        return None
    return PerItem(loop, found[0], frozenset(names), found[2])


def _ends(statement: s.Stmt) -> bool:
    """Whether a loop's body returns on its first turn: ``while stack: if item := stack.pop(): return``."""
    if isinstance(statement, s.Return):
        return True
    if isinstance(statement, s.If):
        return any(
            isinstance(branch.test, s.Name) and any(map(_ends, branch.body))
            for branch in statement.branches
        )
    return isinstance(statement, (s.Try, s.With)) and any(map(_ends, statement.body))


def _repeats(app: App, site: CallSite, loop: s.For | s.Comp, memory: Memory) -> PerItem | None:
    where = Where(site.module, site.caller)
    for source, target in _clauses(loop, site.node):
        variables = {part.id for part in targets(target) if _is_name(part)}
        if any(_PIECES.search(name) for name in variables):
            continue
        names = memory.get(id(target))
        if names is None:
            names = memory[id(target)] = derived(loop, target)
        if not _mentions(site.node, names) or is_bounded(app, source, where):
            continue
        if _is_search(app, site, loop) or _is_remembered(site.around, loop):
            return None
        if _is_of_tables(site.node, variables):
            return None
        return PerItem(loop, source, frozenset(names))
    return None


def _is_name(node: s.Expr) -> TypeGuard[s.Name]:
    return isinstance(node, s.Name)


def _is_of_tables(node: s.Expr, names: set[str]) -> bool:
    """``for model in models: delete(model)``: a loop over tables, of which there are few."""
    return any(
        isinstance(named, s.Name) and named.id in names
        for inner in s.walk(node)
        if isinstance(inner, s.Call) and s.last_name(inner.func) in _OF_TABLES
        for named in (*inner.args[:1], _owner(inner))
    )


def _owner(call: s.Call) -> s.Expr | None:
    """Return ``table`` of ``table.select()``."""
    func = call.func
    return func.value if isinstance(func, s.Attribute) and func.attr == "select" else None


def is_of_pieces(loop: s.For) -> bool:
    """Whether a loop goes from batch to batch, by the names of its variables."""
    return any(_PIECES.search(part.id) for part in targets(loop.target) if _is_name(part))


def _clauses(loop: s.For | s.Comp, node: s.Node) -> Iterator[tuple[s.Expr, s.Expr]]:
    """Yield what a loop iterates over, with its variables, as far as it repeats ``node``."""
    if isinstance(loop, s.For):
        yield loop.iter, loop.target
        return
    for generator in reversed(loop.generators):
        inside_source = generator.iter.start <= node.start < generator.iter.end
        if not inside_source:
            yield generator.iter, generator.target


def derived(loop: s.For | s.Comp, target: s.Expr) -> set[str]:
    """Return the loop's variables and the names that the loop computes from them."""
    names = {part.id for part in targets(target) if isinstance(part, s.Name)}
    if isinstance(loop, s.Comp):
        for generator in loop.generators:
            if _mentions(generator.iter, names):
                names |= _names(generator.target)
        return names
    return computed(s.walk_scope(*loop.body), names)


def computed(nodes: Iterable[s.Node], names: set[str]) -> set[str]:
    """Return ``names`` and those that are computed from them, in source order."""
    return _spread(_flows(nodes), names)


def _spread(flows: Iterable[tuple[frozenset[str], set[str]]], names: set[str]) -> set[str]:
    found = set(names)
    for read, written_ in flows:
        if not found.isdisjoint(read):
            found |= written_
    return found


def _flows(nodes: Iterable[s.Node]) -> Iterator[tuple[frozenset[str], set[str]]]:
    """Yield what binds names: the names that it reads, those that it binds."""
    for node in nodes:
        if isinstance(node, s.Assign):
            bound: set[str] = set()
            for each in node.targets:
                bound |= _names(each)
            yield _read(node.value), bound
        elif isinstance(node, (s.AnnAssign, s.NamedExpr, s.AugAssign)):
            if node.value is not None:
                yield _read(node.value), _names(node.target)
        elif isinstance(node, s.For):
            yield _read(node.iter), _names(node.target)
        elif isinstance(node, s.Comp):
            for generator in node.generators:
                yield _read(generator.iter), _names(generator.target)
        elif isinstance(node, s.With):
            for item in node.items:
                if item.optional_vars is not None:
                    yield _read(item.context_expr), _names(item.optional_vars)


def _read(node: s.Node) -> frozenset[str]:
    return frozenset(inner.id for inner in s.walk(node) if isinstance(inner, s.Name))


def _names(target: s.Expr) -> set[str]:
    return {part.id for part in targets(target) if isinstance(part, s.Name)}


def _mentions(node: s.Node, names: set[str]) -> bool:
    return any(isinstance(inner, s.Name) and inner.id in names for inner in s.walk(node))


# ----------------------------------------------------------------------- bounded


def is_bounded(app: App, source: s.Expr, where: Where, depth: int = 0) -> bool:
    """Whether what is iterated over is small by nature: a literal, a constant, a range, a chunk."""
    if depth > 6:
        return False
    if isinstance(source, (s.List, s.Tuple, s.Set)):
        return not any(isinstance(element, s.Starred) for element in source.elts)
    if isinstance(source, (s.Dict, s.Constant, s.JoinedStr)):
        return True
    if isinstance(source, s.IfExp):
        return is_bounded(app, source.body, where, depth + 1) and is_bounded(
            app, source.orelse, where, depth + 1
        )
    if isinstance(source, s.BoolOp):
        return all(is_bounded(app, value, where, depth + 1) for value in source.values)
    if isinstance(source, s.Await):
        return is_bounded(app, source.value, where, depth + 1)
    if isinstance(source, s.Call):
        return _is_bounded_call(app, source, where, depth)
    if isinstance(source, s.Subscript):
        return isinstance(source.slice, s.Slice) and isinstance(source.slice.upper, s.Constant)
    found = app.types.of(source, where)
    if isinstance(found, ClassObject):  # the members of an enum
        return True
    if isinstance(found, Literal) or _is_keyed_by_enum(app, found):
        return True
    if isinstance(source, s.Name):
        return _is_bounded_name(app, source, where, depth)
    if isinstance(source, s.Attribute):
        if source.attr.isupper() or _is_setting(app, source, where):
            return True
        owner = app.types.of(source.value, where)
        cls = owner.cls if isinstance(owner, Instance) else None
        method = app.linker.method(cls, source.attr) if isinstance(cls, Class) else None
        return method is not None and method.is_property and _few(app, method, depth)
    return False


def _is_keyed_by_enum(app: App, found: Type) -> bool:
    """``dict[Kind, Component]``: no more entries than kinds."""
    key = found.key if isinstance(found, Sequence) else None
    if not isinstance(key, Instance) or not isinstance(key.cls, Class):
        return False
    return any(name.startswith("enum.") for name in app.linker.ancestors(key.cls))


def _is_bounded_call(app: App, call: s.Call, where: Where, depth: int) -> bool:
    name = s.last_name(call.func) or ""
    if name == "range":
        return (
            not any(isinstance(arg, s.Call) and s.last_name(arg.func) == "len" for arg in call.args)
            or len(call.args) == 3
        )
    if name in _WRAPPERS:
        inner = call.args[0] if call.args else None
        if inner is None and isinstance(call.func, s.Attribute):
            inner = call.func.value
        return inner is not None and is_bounded(app, inner, where, depth + 1)
    if name == "get" and isinstance(call.func, s.Attribute):  # Config.get("servers", [])
        return bool(_FIXED.search(s.last_name(call.func.value) or ""))
    return bool(_PIECES.search(name)) or _returns_few(app, call, where, depth)


def _returns_few(app: App, call: s.Call, where: Where, depth: int) -> bool:
    """Whether a function of the project gives a list that it writes out by hand."""
    found = app.types.of(call.func, where)
    return isinstance(found, FunctionValue) and _few(app, found.function, depth)


def _few(app: App, function: Function, depth: int) -> bool:
    inner = Where(function.module, function)
    given = [
        node.value for node, _ in app.calls.of_kind(function, s.Return) if node.value is not None
    ]
    return (
        not function.node.is_generator
        and bool(given)
        and all(is_bounded(app, value, inner, depth + 1) for value in given)
    )


def _is_bounded_name(app: App, name: s.Name, where: Where, depth: int) -> bool:
    if _PIECES.search(name.id):
        return True
    if where.function is not None:
        bounds = [
            bound
            for bound in app.types.locals.of(where.function).get(name.id, [])
            if bound.inside is None or bound.inside[0] <= name.start < bound.inside[1]
        ]
        if bounds:
            return all(
                bound.how == "assign"
                and bound.value is not None
                and not bound.path
                and is_bounded(app, bound.value, where, depth + 1)
                for bound in bounds
            ) and _grows_by_hand(app, where.function, name.id, bounds, depth)
    symbol = app.linker.name(name.id, where.module, where.function)
    if isinstance(symbol, Variable):
        return symbol.name.isupper() or (
            symbol.value is not None
            and not _is_empty(symbol.value)
            and is_bounded(app, symbol.value, Where(symbol.module), depth + 1)
        )
    return False


def _is_empty(node: s.Expr) -> bool:
    """``[]``, ``{}``: filled later."""
    if isinstance(node, (s.List, s.Set, s.Tuple)):
        return not node.elts
    return isinstance(node, s.Dict) and not node.keys


def _grows_by_hand(
    app: App, function: Function, name: str, bounds: list[Bound], depth: int
) -> bool:
    """Whether a local list holds what it begins with, and what statements add that run a few times."""
    added = 0
    for node, around in app.calls.of_kind(function, s.Call):
        if not isinstance(node.func, s.Attribute) or s.dotted(node.func.value) != name:
            continue
        if node.func.attr in {"extend", "update"}:
            return False
        if node.func.attr in {"append", "add", "insert", "setdefault"}:
            where = Where(function.module, function)
            if not all(
                isinstance(loop, s.For) and is_bounded(app, loop.iter, where, depth + 1)
                for loop in around.loops
            ):
                return False
            added += 1
    for assigned, around in app.calls.of_kind(function, s.Assign):
        for target in assigned.targets:
            if isinstance(target, s.Subscript) and s.dotted(target.value) == name:
                if around.loops:
                    return False
                added += 1
    return added > 0 or not all(bound.value and _is_empty(bound.value) for bound in bounds)


def _is_setting(app: App, source: s.Attribute, where: Where) -> bool:
    """Whether an attribute is one of a settings object: as long as somebody wrote it."""
    owner = app.types.of(source.value, where)
    if isinstance(owner, Instance) and isinstance(owner.cls, Class):
        schema = app.models.schema(owner.cls)
        if schema is not None and schema.is_settings:
            return True
    return bool(_FIXED.search(s.last_name(source.value) or ""))


# ------------------------------------------------------------------- not repeated


def _is_search(app: App, site: CallSite, loop: s.For | s.Comp) -> bool:
    """Whether a loop ends with the first item that fits: most often after one or two.

    A loop that only says whether any item fits is none: where none does, it asks for all of them.
    """
    if isinstance(loop, s.Comp):
        return any(
            isinstance(node, s.Call)
            and s.last_name(node.func) in _SEARCHES
            and node.args
            and node.args[0] is loop
            for node, _ in app.calls.nodes(site.caller)
        )
    return any(_leaves(statement) for statement in loop.body) and not _is_question(loop)


def _is_question(loop: s.For) -> bool:
    """Whether a loop only answers: ``for group in groups: if may_read(group): return True``."""
    inside = list(s.statements(loop.body))
    answers = [node.value for node in inside if isinstance(node, s.Return)]
    return (
        bool(answers)
        and all(isinstance(a, s.Constant) and isinstance(a.value, bool) for a in answers)
        and not any(isinstance(node, s.Flow) and node.keyword == "break" for node in inside)
    )


def _leaves(statement: s.Stmt, *, refusing: bool = False) -> bool:
    """Whether a statement of a loop's body ends the loop for another reason than a missing row."""
    if isinstance(statement, s.Return):
        return not refusing
    if isinstance(statement, s.Flow):
        return statement.keyword == "break" and not refusing
    if isinstance(statement, s.If):
        for branch in statement.branches:
            refuses = refusing or _is_absence(branch.test)
            if any(_leaves(inner, refusing=refuses) for inner in branch.body):
                return True
        return any(_leaves(inner, refusing=refusing) for inner in statement.orelse)
    if isinstance(statement, s.Try):
        inner_handlers = [inner for handler in statement.handlers for inner in handler.body]
        return any(
            _leaves(inner, refusing=refusing) for inner in (*statement.body, *statement.orelse)
        ) or any(_leaves(inner, refusing=True) for inner in inner_handlers)
    if isinstance(statement, s.With):
        return any(_leaves(inner, refusing=refusing) for inner in statement.body)
    return False


def _is_absence(test: s.Expr) -> bool:
    """``not x``, ``x is None``, ``x != y``: the loop ends because something is wrong."""
    if isinstance(test, s.UnaryOp):
        return test.op == "not"
    if isinstance(test, s.Compare):
        return test.ops[0] in {"is", "!=", "not in", "<", "<="}
    if isinstance(test, s.BoolOp):
        return all(_is_absence(value) for value in test.values)
    return False


def _is_remembered(around: Surroundings, loop: Repeating) -> bool:
    """Whether a place is skipped for what was seen before: ``if key not in cache``."""
    return any(
        loop.start <= branch.start < loop.end and _asks_memory(branch) for branch in around.branches
    )


def _asks_memory(branch: s.Branch) -> bool:
    kept = {
        s.dotted(target)
        for node in s.walk_scope(*branch.body)
        if isinstance(node, s.Assign)
        for target in node.targets
        if isinstance(target, s.Attribute)
    }
    for node in s.walk(branch.test):
        if isinstance(node, s.Compare):
            if "not in" in node.ops:
                return True
            if "is" in node.ops and s.dotted(node.left) in kept:
                return True
    return False


# ------------------------------------------------------------------------ leading


Chain: TypeAlias = tuple[CallSite, ...]


class Handed(msgspec.Struct, frozen=True):
    """A function that a call hands over as an argument: the one it calls may call it in turn."""

    parameter: str
    function: Function
    captured: frozenset[str]
    """Names around the function that depend on the item."""


_Key: TypeAlias = tuple[int, int, frozenset[str], Facts, frozenset[Handed]]
_NOTHING: frozenset[Handed] = frozenset()


class _Call(msgspec.Struct, frozen=True, eq=False):
    """A call of a function of the project, and what it depends on."""

    site: CallSite
    target: Function
    given: frozenset[str]
    handed: frozenset[Handed]
    facts: Facts
    further: int
    """How much further away it is: a function that was handed over belongs to who hands it over."""


@dataclass(eq=False)
class Leading:
    """Which calls lead to an execution of some kind, and how.

    What stands under conditions upon conditions is not counted: it may hardly ever run.
    """

    app: App
    counts: Callable[[Execution], bool]
    guards: Guards = field(init=False)
    _flowing: dict[int, list[tuple[frozenset[str], set[str]]]] = field(default_factory=dict)
    _given: dict[int, list[tuple[CallSite, frozenset[str]]]] = field(default_factory=dict)
    _made: dict[int, dict[int, CallSite]] = field(default_factory=dict)
    _known: dict[_Key, tuple[Chain, Execution, int] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.guards = Guards(self.app)

    def from_site(self, site: CallSite, names: frozenset[str]) -> tuple[Chain, Execution] | None:
        """Return the calls below ``site`` that lead to an execution, and the execution.

        What is executed must depend on ``names``, variables of the function that ``site`` is in.
        """
        if site.around.deferred:
            return None
        for call in self._followed(site, set(names), _NOTHING, frozenset()):
            found = self._first(call, 0)
            if found is not None and found[2] <= _CONDITIONS:
                return found[0], found[1]
        return None

    def _first(self, call: _Call, depth: int) -> tuple[Chain, Execution, int] | None:
        function = call.target
        key = (id(function.node), depth, call.given, call.facts, call.handed)
        if key in self._known or depth > _DEPTH or not (call.given or call.handed):
            return self._known.get(key)
        self._known[key] = None
        if not function.decorator_names.isdisjoint(_CACHING):
            return None
        found = self._search(function, call, depth)
        self._known[key] = found
        return found

    def _names(self, function: Function, given: frozenset[str]) -> set[str]:
        key = id(function.node)
        flows = self._flowing.get(key)
        if flows is None:
            nodes = (node for node, _ in self.app.calls.nodes(function))
            flows = self._flowing[key] = list(_flows(nodes))
        return _spread(flows, set(given))

    def _calls(self, function: Function) -> list[tuple[CallSite, frozenset[str]]]:
        """Return the calls of project functions that a function surely makes, with what they read."""
        key = id(function.node)
        found = self._given.get(key)
        if found is None:
            found = self._given[key] = [
                (site, _read(site.node))
                for site in self.app.calls.sites(function)
                if (site.targets or isinstance(site.node.func, s.Name))
                and not site.around.deferred
                and not site.around.handled
            ]
        return found

    def _followed(
        self, site: CallSite, names: set[str], handed: frozenset[Handed], facts: Facts
    ) -> Iterator[_Call]:
        """Yield what a call runs: the functions of the project, or one that was handed over."""
        for target in site.targets:
            passed = self._handed(site, target, names, handed)
            known = self.guards.facts(site, target, facts)
            yield _Call(site, target, _depending(site, target, names), passed, known, 1)
        if isinstance(site.node.func, s.Name):
            for each in handed:
                if each.parameter == site.node.func.id:
                    bound = msgspec.structs.replace(site, targets=(each.function,))
                    given = _depending(bound, each.function, names) | each.captured
                    yield _Call(bound, each.function, given, _NOTHING, frozenset(), 0)

    def _handed(
        self, site: CallSite, target: Function, names: set[str], handed: frozenset[Handed]
    ) -> frozenset[Handed]:
        """Return the functions that a call hands over: those made for the item, and those it was given."""
        found: list[Handed] = []
        for position, parameter in enumerate(target.parameters):
            given = site.node.argument(position, parameter.name)
            if isinstance(given, s.Name):
                found += [
                    msgspec.structs.replace(each, parameter=parameter.name)
                    for each in handed
                    if each.parameter == given.id
                ]
            elif isinstance(given, s.Call) and _mentions(given, names):
                found += self._closures(site.caller, given, names, parameter.name)
        return frozenset(found)

    def _closures(
        self, caller: Function, node: s.Call, names: set[str], parameter: str
    ) -> Iterator[Handed]:
        """``allowed(record)`` that returns a function of its own: what it captures depends on the item."""
        maker = self._site(caller, node)
        if maker is None:
            return
        for target in maker.targets:
            if not target.node.defines:
                continue
            captured = frozenset(self._names(target, _depending(maker, target, names)))
            for returned, _ in self.app.calls.of_kind(target, s.Return):
                found = self.app.types.of(returned.value, Where(target.module, target))
                if isinstance(found, FunctionValue) and found.function.outer is target:
                    yield Handed(parameter, found.function, captured)

    def _site(self, function: Function, node: s.Call) -> CallSite | None:
        key = id(function.node)
        found = self._made.get(key)
        if found is None:
            sites = self.app.calls.sites(function)
            found = self._made[key] = {id(site.node): site for site in sites}
        return found.get(id(node))

    def _search(
        self,
        function: Function,
        call: _Call,
        depth: int,
    ) -> tuple[Chain, Execution, int] | None:
        skipped = self.guards.skipped(function, call.facts)
        names = self._names(function, call.given)
        best: tuple[Chain, Execution, int] | None = None
        for execution in self.app.calls.executions(function):
            around = execution.site.around
            if (
                not around.deferred
                and not around.handled
                and not is_in(execution.site.node, skipped)
                and depends(execution, names)
                and self.counts(execution)
            ):
                cost = len(around.branches)
                if best is None or cost < best[2]:
                    best = ((), execution, cost)
        if best is not None and best[2] == 0:
            return best
        callable_ = {each.parameter for each in call.handed}
        for site, read in self._calls(function):
            if (names | callable_).isdisjoint(read) or is_in(site.node, skipped):
                continue
            for inner in self._followed(site, names, call.handed, call.facts):
                found = self._first(inner, depth + inner.further)
                if found is not None:
                    cost = found[2] + len(site.around.branches)
                    if best is None or cost < best[2]:
                        best = ((inner.site, *found[0]), found[1], cost)
        return best


def depends(execution: Execution, names: set[str]) -> bool:
    """Whether a statement depends on variables: through a driver, in its values, not in its text.

    A text that differs from item to item is most often a statement on another table: nothing that
    one statement could answer.
    """
    call = execution.site.node
    if execution.session != "raw":
        return _mentions(call, names)
    values = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
    return any(_mentions(value, names) for value in values) and not any(
        _mentions(text, names) for text in call.args[:1]
    )


def _depending(site: CallSite, target: Function, wanted: set[str]) -> frozenset[str]:
    """Return the parameters of ``target`` that a call fills from ``wanted``."""
    call = site.node
    found: set[str] = set()
    rest: list[s.Expr] = [arg for arg in call.args if isinstance(arg, s.Starred)]
    rest += [keyword.value for keyword in call.keywords if keyword.arg is None]
    if any(_mentions(node, wanted) for node in rest):
        found.update(parameter.name for parameter in target.parameters)
    for position, parameter in enumerate(target.parameters):
        given = call.argument(position, parameter.name)
        if given is not None and _mentions(given, wanted):
            found.add(parameter.name)
        elif parameter.kind in {"args", "kwargs"}:
            extra = [*call.args[position:], *(k.value for k in call.keywords)]
            if any(_mentions(node, wanted) for node in extra):
                found.add(parameter.name)
    if target.owner is not None and not target.is_static and target.node.params:
        func = call.func
        if (isinstance(func, s.Attribute) and _mentions(func.value, wanted)) or (
            target.name == "__init__" and found
        ):
            found.add(target.node.params[0].name)
    return frozenset(found)


def of_request(running: Loop, function: Function) -> tuple[Evidence, ...]:
    """Return the chain from the request to a function that requests reach."""
    step = running.reached.steps[id(function.node)]
    return (*of_entry(running.entry(step.root)), *of_step(step))


def request_label(running: Loop, function: Function) -> str:
    """Return `` (GET /orders)``: a request that reaches a function, or nothing."""
    step = running.reached.steps[id(function.node)]
    route = running.entry(step.root).route
    return f" ({route.label})" if route is not None else ""


def of_loop(site: CallSite, repeated: PerItem) -> Evidence:
    """Return the link that shows the loop."""
    node = repeated.loop.iter if isinstance(repeated.loop, s.For) else repeated.source
    return evidence(site.module, node, f"once for each {repeated.each} {written(site, node)}")


def written(site: CallSite, node: s.Expr) -> str:
    """Return how a short expression reads: a chain of names, or the call of one."""
    if isinstance(node, s.Await):
        node = node.value
    if isinstance(node, s.Call):
        name = s.dotted(node.func) or s.last_name(node.func)
        if name in {"enumerate", "list", "sorted", "reversed", "zip", "set"} and node.args:
            return written(site, node.args[0])
        return f"{name}()" if name else "a result"
    return s.dotted(node) or "a list"
