"""Calls: who calls whom, and under what circumstances. The call graph of the application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import msgspec

from fastwright.app import orm
from fastwright.app.infer import Inference
from fastwright.app.receivers import Receivers, is_own
from fastwright.app.scopes import Where
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function, Linker, is_abstract
from fastwright.app.types import (
    ClassObject,
    ExternalValue,
    FunctionValue,
    Instance,
    LambdaValue,
    Query,
    Statement,
    Type,
    alternatives,
)
from fastwright.read import syntax as s
from fastwright.read.module import Module

_MORE_WAYS = 8
"""Further ways to a function that are kept: hundreds lead to helpers, and they are much alike."""

_Node = TypeVar("_Node", bound=s.Node)


class CallSite(msgspec.Struct, frozen=True, eq=False):
    """One call in a function of the project.

    ``targets`` are the project functions that it may run; ``external`` is the canonical name of
    what it calls outside the project (``requests.get``, ``sqlalchemy.orm.Session.execute``);
    ``receiver`` is what the method is called on, where that is known. A call of which nothing is
    known has neither.
    """

    caller: Function
    node: s.Call
    callee: Type
    targets: tuple[Function, ...]
    external: str | None
    receiver: Type | None
    around: Surroundings

    @property
    def module(self) -> Module:
        """The file that it stands in."""
        return self.caller.module

    @property
    def externals(self) -> tuple[str, ...]:
        """Every name outside the project that it may call: ``external`` is the first of them."""
        return tuple(filter(None, (_external_name(o) for o in alternatives(self.callee))))

    @property
    def method(self) -> str:
        """The last name of what is called (``execute``)."""
        return s.last_name(self.node.func) or ""


class Execution(msgspec.Struct, frozen=True, eq=False):
    """A place where a database statement runs, or rows are read or written through a session.

    ``kind``: read, write or commit. ``query`` is None where the statement is not known;
    ``table`` is then None as well. ``session`` is sync, async or raw (a driver's cursor).
    """

    site: CallSite
    kind: str
    session: str
    query: Query | None
    table: Class | None
    by_key: bool = False
    """Read by primary key through ``session.get``."""


@dataclass(eq=False)
class CallGraph:
    """Calls of every function, found on demand and remembered."""

    linker: Linker
    types: Inference
    properties: frozenset[str] = frozenset()
    """Names of properties that call something."""
    _sites: dict[int, tuple[CallSite, ...]] = field(default_factory=dict)
    _executions: dict[int, tuple[Execution, ...]] = field(default_factory=dict)
    _asking: dict[int, bool] = field(default_factory=dict)

    def nodes(self, function: Function) -> list[tuple[s.Node, Surroundings]]:
        """Return every node of a function's body with its surroundings, in source order."""
        return self.types.locals.nodes(function)

    def of_kind(self, function: Function, kind: type[_Node]) -> list[tuple[_Node, Surroundings]]:
        """Return those of one class: ``of_kind(function, s.Try)``."""
        return self.types.locals.of_kind(function, kind)

    def sites(self, function: Function) -> tuple[CallSite, ...]:
        """Return the calls in a function's body, in source order."""
        key = id(function.node)
        found = self._sites.get(key)
        if found is None:
            self._sites[key] = ()
            made = [
                self._site(function, node, around)
                for node, around in self.of_kind(function, s.Call)
            ]
            hidden = [*self._properties(function), *self._entered(function)]
            if hidden:
                made = sorted([*made, *hidden], key=lambda site: site.node.start)
            found = self._sites[key] = tuple(made)
        return found

    def _properties(self, function: Function) -> Iterator[CallSite]:
        """``self.rates``: reading a property calls it."""
        if not self.properties:
            return
        where = Where(function.module, function)
        for node, around in self.of_kind(function, s.Attribute):
            if node.attr in self.properties:
                for base in alternatives(self.types.of(node.value, where)):
                    if isinstance(base, Instance) and isinstance(base.cls, Class):
                        method = self.linker.method(base.cls, node.attr)
                        if method is not None and method.is_property:
                            call = s.Call(node.start, node.end, node, [], [])
                            bound = FunctionValue(method, base)
                            yield CallSite(function, call, bound, (method,), None, base, around)

    def _entered(self, function: Function) -> Iterator[CallSite]:
        """``with Opened()``: entering and leaving call methods of the object."""
        where = Where(function.module, function)
        for node, around in self.of_kind(function, s.With):
            names = ("__aenter__", "__aexit__") if node.is_async else ("__enter__", "__exit__")
            for item in node.items:
                entered = item.context_expr
                for base in alternatives(self.types.of(entered, where)):
                    if not isinstance(base, Instance) or not isinstance(base.cls, Class):
                        continue
                    for name in names:
                        method = self.linker.method(base.cls, name)
                        if method is not None:
                            named = s.Attribute(entered.start, entered.end, entered, name)
                            call = s.Call(entered.start, entered.end, named, [], [])
                            bound = FunctionValue(method, base)
                            yield CallSite(
                                function, call, bound, (method,), None, base,
                                around._replace(awaited=node.is_async),
                            )  # fmt: skip

    def _site(self, function: Function, node: s.Call, around: Surroundings) -> CallSite:
        callee = self.types.of(node.func, Where(function.module, function))
        targets: list[Function] = []
        external: str | None = None
        receiver: Type | None = None
        for option in alternatives(callee):
            targets.extend(self.targets(option))
            name = _external_name(option)
            external = external or name
            if isinstance(option, (FunctionValue, ExternalValue)):
                receiver = receiver or option.receiver
            elif isinstance(option, Instance) and name is not None:
                receiver = receiver or option
        for target in targets:
            self.types.called_by(target, node, Where(function.module, function))
        return CallSite(function, node, callee, tuple(targets), external, receiver, around)

    def targets(self, callee: Type) -> list[Function]:
        """Return the project functions that calling a value may run."""
        if isinstance(callee, FunctionValue):
            return self._overrides(callee)
        if isinstance(callee, ClassObject) and isinstance(callee.cls, Class):
            made = [self.linker.method(callee.cls, n) for n in ("__init__", "__post_init__")]
            return [method for method in made if method is not None]
        if isinstance(callee, Instance) and isinstance(callee.cls, Class):
            method = self.linker.method(callee.cls, "__call__")
            return [method] if method is not None else []
        return []

    def _overrides(self, callee: FunctionValue) -> list[Function]:
        """A method of a port may be that of any class that implements it."""
        function, receiver = callee.function, callee.receiver
        if (
            isinstance(receiver, Instance)
            and isinstance(receiver.cls, Class)
            and function.owner is not None
            and self.types.is_port(function.owner)
            and self.types.implementations is not None
            and is_abstract(function)
        ):
            return (
                self._implementing(receiver.cls, function)
                or self._implementing(
                    function.owner, function
                )  # of a port that another one extends
                or [function]
            )
        return [function]

    def _implementing(self, port: Class, function: Function) -> list[Function]:
        assert self.types.implementations is not None  # noqa: S101 - asked by the caller
        return [
            method
            for implementation in self.types.implementations(port)
            if (method := self.linker.method(implementation, function.name)) is not None
            and method is not function
        ]

    # ------------------------------------------------------------------- database

    def executions(self, function: Function) -> tuple[Execution, ...]:
        """Return the places in a function where the database is asked."""
        key = id(function.node)
        found = self._executions.get(key)
        if found is None:
            found = tuple(
                execution
                for site in self.sites(function)
                if (execution := self._execution(site)) is not None
            )
            self._executions[key] = found
        return found

    def _execution(self, site: CallSite) -> Execution | None:
        receiver = site.receiver
        if isinstance(receiver, Statement):
            query = receiver.query
            if query.legacy and site.method in orm.LEGACY_EXECUTING:
                kind = "write" if site.method in {"delete", "update"} else "read"
                runs_on = self.types.session_kind(query.session or receiver) or "sync"
                return Execution(site, kind, runs_on, query, _table(query), site.method == "get")
            return None
        session = self.types.session_kind(receiver) if receiver is not None else None
        if session is not None:
            return self._session_call(site, session)
        if site.external in self.linker.library.statements:
            return Execution(site, "read", "raw", None, None)
        return self._repository_call(site)

    def _repository_call(self, site: CallSite) -> Execution | None:
        """``FastCRUD(Item).get_multi(db)``: a statement of a library's own repository."""
        owner, _, method = (site.external or "").rpartition(".")
        known = self.linker.library.repositories.get(owner, {}).get(method)
        if known is None:
            return None
        kind, _, bound = known.partition(" ")
        given = site.node.keyword(bound)
        is_open = isinstance(given, s.Constant) and given.kind == "none"
        table = None
        if isinstance(site.receiver, Instance) and site.receiver.args:
            table = _class_of(site.receiver.args[0])
        query = Query(
            kind=kind,
            module=site.module,
            function=site.caller,
            node=site.node,
            tables=(table,) if table is not None else (),
            entity=table if kind == "select" else None,
            filters=_filters(site.node, table),
            limited=not is_open,
        )
        return Execution(site, "read" if kind == "select" else "write", "async", query, table)

    def _session_call(self, site: CallSite, session: str) -> Execution | None:
        method = site.method
        where = Where(site.module, site.caller)
        given = site.node.argument(0, "statement")
        found = self.types.of(given, where) if given is not None else None
        if method in orm.EXECUTING:
            statements = (
                [o for o in alternatives(found) if isinstance(o, Statement)] if found else []
            )
            query = statements[0].query if statements else None
            write = query is not None and query.kind in {"insert", "update", "delete"}
            table = _table(query) if query is not None else None
            return Execution(site, "write" if write else "read", session, query, table)
        if method in orm.LOADING:
            return Execution(site, "read", session, None, _class_of(found), by_key=True)
        if method in {"commit", "flush"}:
            return Execution(site, "commit", session, None, None)
        if method in orm.WRITING:
            return Execution(site, "write", session, None, _class_of(found))
        return None

    def asks_database(self, function: Function) -> bool:
        """Whether a function, or one that it calls, asks the database."""
        key = id(function.node)
        if key not in self._asking:
            self._find_asking(function)
        return self._asking[key]

    def _find_asking(self, function: Function) -> None:
        """Settle the question for everything that ``function`` calls, callees first."""
        known = self._asking
        reached = self.reach(
            [function], lambda _site, target: id(target.node) not in known, of_any_class=True
        )
        callers: dict[int, list[int]] = {}
        asking = {id(step.function.node) for step in reached if self.executions(step.function)}
        for step in reached:
            for site in self.sites(step.function):
                for target in site.targets:
                    key = id(target.node)
                    callers.setdefault(key, []).append(id(step.function.node))
                    if known.get(key):
                        asking.add(key)
        pending = list(asking)
        while pending:
            for caller in callers.get(pending.pop(), ()):
                if caller not in asking:
                    asking.add(caller)
                    pending.append(caller)
        known.update((key, key in asking) for key in reached.steps)

    # -------------------------------------------------------------------- reaching

    def reach(
        self,
        roots: Iterable[Function],
        follow: Callable[[CallSite, Function], bool] = lambda _site, _target: True,
        runs: Callable[[CallSite | None, CallSite], bool] | None = None,
        *,
        of_any_class: bool = False,
    ) -> Reached:
        """Walk the call graph breadth first from ``roots`` over the calls that ``follow`` allows.

        ``runs`` says whether a call may run, given the call by which its function was reached.
        ``of_any_class``: a method behind a port is taken for any that calls on ``self`` may mean,
        whatever object the way began with.
        """
        receivers = None if of_any_class else self._receivers
        walk = _Walk(self, follow, runs, Reached({}, {}), receivers)
        frontier: list[Function] = []
        for root in roots:
            if root not in walk.reached:
                walk.reached.steps[id(root.node)] = Step(root, None, None)
                frontier.append(root)
        while frontier:
            following: list[Function] = []
            for function in frontier:
                walk.into(function, following)
            walk.again(following)
            frontier = following
        return walk.reached

    @cached_property
    def _receivers(self) -> Receivers:
        return Receivers(self.linker, self.types)


@dataclass(eq=False)
class _Walk:
    """A walk over the call graph: where it may go, and where it came."""

    calls: CallGraph
    follow: Callable[[CallSite, Function], bool]
    runs: Callable[[CallSite | None, CallSite], bool] | None
    reached: Reached
    receivers: Receivers | None
    _classes: dict[int, set[frozenset[int]]] = field(default_factory=dict)
    """The classes for which a method was walked, none for any."""
    _returning: list[Step] = field(default_factory=list)
    """Ways to methods that were reached before, for another class."""
    _waiting: dict[int, list[CallSite]] = field(default_factory=dict)
    """Calls that no way to their function runs so far."""

    def into(self, function: Function, following: list[Function]) -> None:
        """Follow the calls of a function that is reached."""
        for site in self.calls.sites(function):
            if not site.targets:
                continue
            way = self.reached.way(site, self.runs)
            if way is None:
                self._waiting.setdefault(id(function.node), []).append(site)
            else:
                self._along(way, site, following)

    def again(self, following: list[Function]) -> None:
        """Follow what methods call on ``self`` once more, where a way came for another class."""
        while self._returning:
            step = self._returning.pop()
            for site in self.calls.sites(step.function):
                if site.targets and is_own(site):
                    if self.runs is None or self.runs(step.site, site):
                        self._along(step, site, following)

    def _along(self, way: Step, site: CallSite, following: list[Function]) -> None:
        targets = site.targets if self.receivers is None else self.receivers.targets(way, site)
        for target in targets:
            if not self.follow(site, target):
                continue
            key = id(target.node)
            step = Step(target, site, way)
            is_new = key not in self.reached.steps
            if is_new:
                self.reached.steps[key] = step
                following.append(target)
            elif self.runs is not None:
                more = self.reached.more.setdefault(key, [])
                if len(more) < _MORE_WAYS:
                    more.append(step)
                    self._wake(key, step, following)
            self._note(step, is_new=is_new)

    def _note(self, step: Step, *, is_new: bool) -> None:
        """Note for which class a method is reached."""
        if self.receivers is None or not self.receivers.is_open(step.function):
            return
        known = self._classes.setdefault(id(step.function.node), set())
        mark = frozenset(id(cls.node) for cls in self.receivers.of(step))
        if frozenset() not in known and mark not in known:
            known.add(mark)
            if not is_new:
                self._returning.append(step)

    def _wake(self, key: int, step: Step, following: list[Function]) -> None:
        """A further way to a function may run calls of it that the earlier ways do not."""
        for site in self._waiting.pop(key, ()):
            if self.runs is None or self.runs(step.site, site):
                self._along(step, site, following)
            else:
                self._waiting.setdefault(key, []).append(site)


class Step(msgspec.Struct, frozen=True, eq=False):
    """How a function was reached: by which call, from where. ``site`` is None for a root."""

    function: Function
    site: CallSite | None
    before: Step | None

    @property
    def chain(self) -> tuple[CallSite, ...]:
        """The calls that lead here, from the root on."""
        sites: list[CallSite] = []
        step: Step | None = self
        while step is not None and step.site is not None:
            sites.append(step.site)
            step = step.before
        return tuple(reversed(sites))

    @property
    def root(self) -> Function:
        """The function that the walk started from."""
        step = self
        while step.before is not None:
            step = step.before
        return step.function


class Reached(msgspec.Struct, frozen=True, eq=False):
    """The functions that a walk over the call graph came to, in the order of coming."""

    steps: dict[int, Step]
    more: dict[int, list[Step]]
    """Further ways to a function, where the walk asks which calls a way runs."""

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps.values())

    def __contains__(self, function: Function) -> bool:
        return id(function.node) in self.steps

    def step(self, function: Function) -> Step | None:
        """Return how ``function`` was reached."""
        return self.steps.get(id(function.node))

    def way(
        self, site: CallSite, runs: Callable[[CallSite | None, CallSite], bool] | None
    ) -> Step | None:
        """Return how the function of a call was reached such that the call runs."""
        first = self.steps[id(site.caller.node)]
        if runs is None or runs(first.site, site):
            return first
        more = self.more.get(id(site.caller.node), ())
        return next((step for step in more if runs(step.site, site)), None)


def _external_name(callee: Type) -> str | None:
    """Return the canonical name of what a callee is outside the project."""
    if isinstance(callee, ExternalValue):
        return callee.name
    if isinstance(callee, ClassObject) and isinstance(callee.cls, str):
        return callee.cls
    if isinstance(callee, Instance) and isinstance(callee.cls, str):
        return f"{callee.cls}.__call__"
    return None


def _class_of(found: Type | None) -> Class | None:
    """Return the project class that a value is, or is an instance of."""
    if isinstance(found, (ClassObject, Instance)) and isinstance(found.cls, Class):
        return found.cls
    return None


def _filters(call: s.Call, table: Class | None) -> tuple[s.Expr, ...]:
    """Return the values by which a repository filters: keywords that are columns, ``age__gt`` too."""
    columns = table.own_attributes if table is not None else {}
    return tuple(
        keyword.value
        for keyword in call.keywords
        if (keyword.arg or "").partition("__")[0] in columns
    )


def _table(query: Query) -> Class | None:
    return query.entity or (query.tables[0] if query.tables else None)


def is_deferred(site: CallSite) -> bool:
    """Return whether a call runs later or elsewhere rather than in its function."""
    return site.around.deferred or isinstance(site.callee, LambdaValue)
