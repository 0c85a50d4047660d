"""Coroutines that may be plain functions: FastAPI runs those in its threadpool, with all that they call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.on_loop import on_loop
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function, is_abstract
from fastwright.app.types import UNKNOWN, FunctionValue, Instance, alternatives
from fastwright.edit.builders import insert
from fastwright.edit.fix import Edit, Import
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Proposal
from fastwright.recipes.threads.bound import Unfit, check_below, check_sessions, plain_below
from fastwright.recipes.threads.request_body import RequestBody, request_body

_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "api_route"})
_DECLARING = frozenset({"Depends", "Security", "add_api_route"})
"""What is given the function itself, plain or not."""
_UPLOADS = frozenset({"fastapi.UploadFile", "starlette.datastructures.UploadFile"})
_OF_UPLOAD = frozenset({"read", "seek", "close"})
_HANDING = frozenset({"fastapi.concurrency.run_in_threadpool", "asyncio.to_thread",
                      "anyio.to_thread.run_sync"})  # fmt: skip


Blocked: TypeAlias = Mapping[int, "tuple[Function, list[str]]"]
"""Functions below which something blocks, by ``id(node)``, each with the places."""


class PlainFunctions(NamedTuple):
    """Coroutines that may be plain functions."""

    proposals: list[Proposal]
    functions: frozenset[int]
    """Those that they change, by ``id(node)``."""
    reasons: dict[str, str]
    """Why others stay, by place."""


def plain_functions(app: App, blocked: Blocked) -> PlainFunctions:
    """Return one change for each group of coroutines that may be plain functions together.

    Coroutines that wait for each other make a group.
    """
    coroutines = _Coroutines(app, [function for function, _ in blocked.values()])
    found = coroutines.plain()
    proposals: list[Proposal] = []
    waiting = list(found.values())
    while waiting:
        group = _group(waiting[0], found)
        waiting = [each for each in waiting if all(each is not other for other in group)]
        functions = [id(each.function.node) for each in group]
        places = [place for key in functions if key in blocked for place in blocked[key][1]]
        if places:
            proposals.append(_proposal(group, places))
    reasons = {
        place: coroutines.reasons[key]
        for key, (_, places) in blocked.items()
        if key in coroutines.reasons
        for place in places
    }
    return PlainFunctions(proposals, frozenset(found), reasons)


@dataclass(frozen=True, eq=False)
class _Coroutine:
    """A coroutine that may be a plain function."""

    function: Function
    edits: tuple[Edit, ...]
    imports: tuple[Import, ...]
    needs: tuple[Function, ...]
    """The coroutines of the project that it waits for: plain functions as well, then."""
    removed: frozenset[int]
    """Calls, by ``id(node)``, that are not made any more."""


def _group(first: _Coroutine, found: Mapping[int, _Coroutine]) -> list[_Coroutine]:
    """Return a coroutine with those that wait for it or that it waits for."""
    group = [first]
    for each in group:  # grows while it is walked
        for other in found.values():
            pairs = ((each, other), (other, each))
            if other not in group and any(
                need.node is two.function.node for one, two in pairs for need in one.needs
            ):
                group.append(other)
    return group


def _proposal(group: list[_Coroutine], places: Iterable[str]) -> Proposal:
    edits = [edit for each in group for edit in each.edits]
    imports = [needed for each in group for needed in each.imports]
    first = group[0].function
    title = f"{first.qualname} of {first.module.path} runs in a thread"
    found = tuple(dict.fromkeys(places))
    return Proposal(title, tuple(edits), tuple(dict.fromkeys(imports)), places=found)


class _Coroutines:
    """Finds the coroutines that may be plain functions: all that they wait for may be, too."""

    def __init__(self, app: App, roots: list[Function]) -> None:
        self._app = app
        self.reasons: dict[int, str] = {}
        """Why coroutines stay, by ``id(node)``."""
        self._candidates = {id(each.node): each for each in roots}
        for each in roots:
            self._add_awaited(each)
        self._entries = {
            id(entry.function.node): entry.kind for entry in on_loop(app).entries.values()
        }
        self._awaited = {
            id(node.value)
            for each in self._candidates.values()
            for node, _ in app.calls.of_kind(each, s.Await)
        }

    def _add_awaited(self, function: Function) -> None:
        for site in self._app.calls.sites(function):
            if site.around.awaited and len(site.targets) == 1:
                target = site.targets[0]
                if target.is_async and id(target.node) not in self._candidates:
                    self._candidates[id(target.node)] = target
                    self._add_awaited(target)

    def plain(self) -> dict[int, _Coroutine]:
        """Return those that may be plain functions, by their nodes."""
        found: dict[int, _Coroutine] = {}
        for key, function in self._candidates.items():
            try:
                found[key] = self._alone(function)
            except Unfit as unfit:
                self.reasons[key] = str(unfit)
        while (
            True
        ):  # what waits for one that has to stay has to stay as well, and the other way round
            bound = {
                key: reason
                for key, each in found.items()
                if (reason := self._bound(each, found)) is not None
            }
            if not bound:
                return found
            self.reasons |= bound
            found = {key: each for key, each in found.items() if key not in bound}

    def _bound(self, coroutine: _Coroutine, found: Mapping[int, _Coroutine]) -> str | None:
        """Return what binds a coroutine to those that have to stay, None if nothing does."""
        for need in coroutine.needs:
            if id(need.node) not in found:
                return self.reasons.get(id(need.node), f"{need.qualname} has to wait")
        for caller in self._callers(coroutine.function):
            if id(caller.node) not in found:
                return f"{caller.qualname} waits for {coroutine.function.qualname}"
        return None

    def _alone(self, function: Function) -> _Coroutine:
        """Return what makes a plain function of a coroutine. Raises Unfit."""
        node = function.node
        if node.is_generator or is_abstract(function):
            raise Unfit(f"{function.qualname} is a generator, or a port")
        self._check_decorators(function)
        self._callers(function)
        module, start = function.module, function.module.source.rindex(b"async", 0, node.start + 5)
        edits = [Edit(module.path, start, module.source.index(b"def", start), "")]
        imports: list[Import] = []
        needs: list[Function] = []
        removed: set[int] = set()
        sites = {id(site.node): site for site in self._app.calls.sites(function)}
        for site in sites.values():
            if any(target.is_async for target in site.targets) and not site.around.awaited:
                raise Unfit(f"{function.qualname} makes coroutines")
        body = request_body(self._app, function)
        for each, _ in self._app.calls.nodes(function):
            if _waits_otherwise(each):
                raise Unfit(f"{function.qualname} waits for something")
            if isinstance(each, s.Await) and not (body is not None and each in body.awaits):
                made, need = self._without_await(function, each, sites.get(id(each.value)))
                edits += made
                removed.add(id(each.value))
                needs += [need] if need is not None else []
        edits, imports = _with_body(body, edits)
        removed |= {id(each.value) for each in body.awaits} if body is not None else set()
        check_below(self._app, function, frozenset(removed))
        if any(
            execution.session == "sync"
            for each in plain_below(self._app, function)
            for execution in self._app.calls.executions(each)
        ):
            check_sessions(self._app)
        return _Coroutine(function, tuple(edits), tuple(imports), tuple(needs), frozenset(removed))

    def _check_decorators(self, function: Function) -> None:
        """Raise Unfit where something that is made of the function may wait for it."""
        kind = self._entries.get(id(function.node))
        if kind == "endpoint":
            routes = self._app.routes_for(function)
            fit = all(route.kind == "http" for route in routes) and all(
                isinstance(each, s.Call)
                and isinstance(each.func, s.Attribute)
                and each.func.attr in _METHODS
                for each in function.node.decorators
            )
        else:
            fit = kind in {"dependency", None} and function.decorator_names <= {"staticmethod"}
        if not fit or (function.name.startswith("__") and function.name.endswith("__")):
            raise Unfit(f"{function.qualname} is used as a coroutine")

    # ------------------------------------------------------------------ who names it

    def _callers(self, function: Function) -> list[Function]:
        """Return who waits for a function. Raises Unfit where it is named for anything else."""
        found: list[Function] = []
        name = function.name.encode()
        for module in self._app.modules.values():
            if name not in module.source:
                continue
            declaring = _given_to_declaring(module)
            for node in module.walk():
                if not _is_named(node, function.name) or not self._means(node, module, function):
                    continue
                if id(node) in declaring:
                    continue
                caller = self._app.function_of(module, node)
                if caller is None or not self._is_awaited(node, caller):
                    line = f"{module.path}:{module.line(node)}"
                    raise Unfit(f"{function.qualname} is named at {line}")
                found.append(caller)
        return found

    def _means(self, node: s.Node, module: Module, function: Function) -> bool:
        """Whether a name may mean a function; attributes of what is not known may be methods."""
        if not isinstance(node, (s.Name, s.Attribute)):
            return False
        around = self._app.function_of(module, node)
        found = alternatives(self._app.types.of(node, Where(module, around)))
        if any(isinstance(each, FunctionValue) for each in found):
            return any(
                isinstance(each, FunctionValue) and each.function.node is function.node
                for each in found
            )
        if function.owner is not None and isinstance(node, s.Attribute):
            return self._app.types.of(node.value, Where(module, around)) == UNKNOWN
        return False

    def _is_awaited(self, node: s.Node, caller: Function) -> bool:
        """Whether a name is that of a call that a candidate waits for at once."""
        return any(
            site.node.func is node and id(site.node) in self._awaited and len(site.targets) == 1
            for site in self._app.calls.sites(caller)
        )

    # ------------------------------------------------------------------ without await

    def _without_await(
        self, function: Function, node: s.Await, site: CallSite | None
    ) -> tuple[list[Edit], Function | None]:
        """Return the edits that do at once what was waited for. Raises Unfit."""
        module = function.module
        if site is None or site.around.deferred:
            raise Unfit(f"{function.qualname} waits for something")
        edits = _bare(module, node)
        if len(site.targets) == 1 and site.targets[0].is_async:
            return edits, site.targets[0]
        call, where = site.node, Where(module, function)
        if set(site.externals) & _HANDING:
            return [*edits, *_called(module, call)], None
        if isinstance(call.func, s.Attribute) and call.func.attr in _OF_UPLOAD:
            receiver = self._app.types.of(call.func.value, where)
            kinds = [each.cls for each in alternatives(receiver) if isinstance(each, Instance)]
            if kinds and all(each in _UPLOADS for each in kinds):
                edits.append(insert(module, call.func.value.end, ".file"))
                keywords = [Edit(module.path, k.start, k.value.start, "") for k in call.keywords]
                return [*edits, *keywords], None
        raise Unfit(f"{function.qualname} waits for {s.last_name(call)}")


def _with_body(body: RequestBody | None, edits: list[Edit]) -> tuple[list[Edit], list[Import]]:
    return ([*edits, *body.edits], list(body.imports)) if body is not None else (edits, [])


def _waits_otherwise(node: s.Node) -> bool:
    """Whether a node waits, and not with a plain ``await``."""
    if isinstance(node, (s.For, s.With)):
        return node.is_async
    if isinstance(node, s.Comp):
        return any(part.is_async for part in node.generators)
    return isinstance(node, s.Yield)


def _is_named(node: s.Node, name: str) -> bool:
    if isinstance(node, s.Name):
        return node.id == name
    return isinstance(node, s.Attribute) and node.attr == name


def _given_to_declaring(module: Module) -> set[int]:
    """Return what ``Depends`` and the like are given, by ``id(node)``."""
    return {
        id(each)
        for call in module.walk()
        if isinstance(call, s.Call) and _declares(call.func)
        for each in (*call.args, *(keyword.value for keyword in call.keywords))
    }


def _declares(func: s.Expr) -> bool:
    if isinstance(func, s.Call):  # `app.get("/")(endpoint)`
        return isinstance(func.func, s.Attribute) and func.func.attr in _METHODS
    return s.last_name(func) in _DECLARING


def _bare(module: Module, node: s.Await) -> list[Edit]:
    """Return the edits that take ``await`` away, and the parentheses that it alone needed."""
    source = module.source
    behind = re.compile(rb"await\s*").match(source, node.start)
    edits = [Edit(module.path, node.start, behind.end() if behind else node.start, "")]
    opened, closed = node.start - 1, node.end
    alone = source[opened : opened + 1] == b"(" and source[closed : closed + 1] == b")"
    before = source[opened - 1 : opened]
    if alone and not re.match(rb"[\w)\]]", before) and b"\n" not in source[opened:closed]:
        edits[0] = Edit(module.path, opened, edits[0].end, "")
        edits.append(Edit(module.path, closed, closed + 1, ""))
    return edits


def _called(module: Module, call: s.Call) -> list[Edit]:
    """Return the edits that call a function where it was handed to a thread."""
    given = sorted([*call.args, *call.keywords], key=lambda node: node.start)
    first = given[0] if given else None
    if first is None or isinstance(first, (s.Keyword, s.Starred)):
        raise Unfit("it is not clear what runs in the thread")
    start = Edit(module.path, call.start, first.start, "")
    if isinstance(first, s.Lambda):
        raise Unfit("a lambda runs in the thread")
    if len(given) > 1:
        return [start, Edit(module.path, first.end, given[1].start, "(")]
    return [start, Edit(module.path, first.end, call.end, "()")]
