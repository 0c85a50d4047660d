"""Plain functions that block, below code on the event loop: the call that leads there is made in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance
from fastwright.edit.builders import insert, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.recipes._takers import callers
from fastwright.recipes.recipe import Planned, Proposal, Stopped

_CHANGING = frozenset({"append", "add", "update", "pop", "popitem", "setdefault", "clear", "extend",
                       "insert", "remove", "discard", "appendleft", "popleft"})  # fmt: skip
_MOST = 200
"""Functions below a call that are looked at."""


class _Unfit(Exception):  # noqa: N818 - no error: the reason why a call stays on the loop
    """Why a call is not to be made in a thread."""


def in_threads(app: App, blocking: Mapping[int, tuple[Function, list[str]]]) -> Iterator[Planned]:
    """Yield one change for each call on the event loop below which a plain function blocks.

    ``blocking``: those functions by their nodes, each with the places at which it blocks.
    """
    known = callers(app)
    led: dict[int, tuple[CallSite, list[str]]] = {}
    for function, places in blocking.values():
        for site in _leading(known, function):
            led.setdefault(id(site.node), (site, []))[1].extend(places)
    for site, places in led.values():
        try:
            edits, imports = _handed_over(app, site)
        except _Unfit as unfit:
            line = site.module.line(site.node)
            yield Stopped(f"{site.module.path}:{line}", f"{site.method} stays here: {unfit}")
            continue
        title = f"{site.caller.qualname} of {site.module.path} calls {site.method} in a thread"
        found = tuple(dict.fromkeys(places))
        yield Proposal(title, tuple(edits), tuple(imports), places=found)


def _leading(known: Mapping[int, list[CallSite]], function: Function) -> Iterator[CallSite]:
    """Yield the calls in coroutines that lead to a plain function, through any number of plain ones."""
    waiting, seen = [function], {id(function.node)}
    while waiting:
        for site in known.get(id(waiting.pop().node), []):
            if site.caller.is_async:
                yield site
            elif id(site.caller.node) not in seen:
                seen.add(id(site.caller.node))
                waiting.append(site.caller)


def _handed_over(app: App, site: CallSite) -> tuple[list[Edit], tuple[Import, ...]]:
    """Return the edits that make a call in a thread. Raises _Unfit."""
    node, module = site.node, site.module
    if len(site.targets) != 1 or s.last_name(node.func) != site.targets[0].name:
        raise _Unfit("it is not clear what it runs")
    for around, _ in app.calls.nodes(site.caller):
        inside = around.start <= node.start and node.end <= around.end and around is not node
        if inside and isinstance(around, (s.Lambda, s.Comp, s.FunctionDef)):
            raise _Unfit("it is part of an expression that cannot wait")
    _check_below(app, site.targets[0])
    arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
    for argument in arguments:
        kind = app.types.of(argument, Where(module, site.caller))
        if app.types.session_kind(kind) is not None:
            raise _Unfit("it is given a database session, which belongs to one thread")
        if (
            isinstance(kind, Instance)
            and isinstance(kind.cls, Class)
            and app.models.table(kind.cls)
        ):
            raise _Unfit("it is given a row, which may ask the database when it is read")
    brought = bring(module, "fastapi.concurrency", "run_in_threadpool")
    if brought is None:
        raise _Unfit("run_in_threadpool means something else here")
    called = text(module, node.func)
    before, after = ("(", ")") if _is_part(app, site) else ("", "")
    comma = ", " if arguments else ""
    opening = insert(module, node.start, f"{before}await {brought.name}(")
    start = module.source.index(b"(", node.func.end)
    edits = [
        opening,
        replace(module, node.func, called),
        Edit(module.path, start, start + 1, comma),
    ]
    edits += [insert(module, node.end, after)] if after else []
    return [edit for edit in edits if edit.start != edit.end or edit.text], brought.imports


def _is_part(app: App, site: CallSite) -> bool:
    """Whether something is done to what the call gives, which binds tighter than `await`."""
    node = site.node
    return any(
        (isinstance(around, (s.Attribute, s.Subscript)) and around.value is node)
        or (isinstance(around, s.Call) and around.func is node)
        for around, _ in app.calls.nodes(site.caller)
    )


def _check_below(app: App, function: Function) -> None:
    """Raise _Unfit where a function, or what it calls, is bound to the thread of the event loop."""
    waiting, seen = [function], {id(function.node)}
    while waiting:
        each = waiting.pop()
        if each.owner is not None and each is function and not _is_static(each):
            raise _Unfit(f"{each.qualname} is a method of an object that others may use meanwhile")
        if each.node.is_generator:
            raise _Unfit(f"{each.qualname} is a generator")
        if app.calls.executions(each):
            raise _Unfit(f"{each.qualname} asks the database with a session of this thread")
        for site in app.calls.sites(each):
            if any(name.startswith("contextvars.") for name in site.externals):
                raise _Unfit(f"{each.qualname} sets what belongs to the request")
            for target in site.targets:
                if id(target.node) not in seen and len(seen) < _MOST:
                    seen.add(id(target.node))
                    waiting.append(target)
        _check_state(app, each)


def _check_state(app: App, function: Function) -> None:
    """Raise _Unfit where a function changes what others share: on the event loop, nobody came between."""
    own = {*app.types.locals.of(function), *(each.name for each in function.node.params)}
    for node, _ in app.calls.nodes(function):
        changed: list[s.Expr] = []
        if isinstance(node, s.Flow) and node.keyword in {"global", "nonlocal"}:
            raise _Unfit(f"{function.qualname} binds names of its file")
        if isinstance(node, s.Assign):
            changed = [each for each in node.targets if not isinstance(each, s.Name)]
        elif isinstance(node, s.AugAssign):
            changed = [node.target]
        elif isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
            changed = [node.func.value] if node.func.attr in _CHANGING else []
        for target in changed:
            for part in s.walk(target):
                if isinstance(part, s.Name) and part.id not in own:
                    raise _Unfit(f"{function.qualname} changes {part.id}, which others share")


def _is_static(function: Function) -> bool:
    return any(s.last_name(each) == "staticmethod" for each in function.node.decorators)
