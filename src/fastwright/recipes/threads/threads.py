"""Plain functions that block, below code on the event loop: the call that leads there is made in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance
from fastwright.edit.builders import arguments, insert
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import Brought, bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Planned, Proposal, Stopped
from fastwright.recipes.shared.takers import callers
from fastwright.recipes.threads.bound import (
    Unfit,
    check_below,
    check_between,
    check_sequence,
    has_shared_objects,
    plain_below,
    root_of,
)


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
            edits, imports = _in_thread(app, site)
        except Unfit as unfit:
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


def _in_thread(app: App, site: CallSite) -> tuple[list[Edit], tuple[Import, ...]]:
    """Return the edits that make a call in a thread. Raises Unfit."""
    node, module = site.node, site.module
    if len(site.targets) != 1 or s.last_name(node.func) != site.targets[0].name:
        raise Unfit("it is not clear what it runs")
    for around, _ in app.calls.nodes(site.caller):
        inside = around.start <= node.start and node.end <= around.end and around is not node
        if inside and isinstance(around, (s.Lambda, s.Comp, s.FunctionDef)):
            raise Unfit("it is part of an expression that cannot wait")
    check_between(app, site)
    _check(app, site.targets[0])
    if site.targets[0].owner is not None and not site.targets[0].is_static:
        check_sequence(app, site.caller)
        _check_receiver(app, site)
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        kind = app.types.of(argument, Where(module, site.caller))
        if app.types.session_kind(kind) is not None:
            raise Unfit("it is given a database session, which belongs to one thread")
        if (
            isinstance(kind, Instance)
            and isinstance(kind.cls, Class)
            and app.models.table(kind.cls)
        ):
            raise Unfit("it is given a row, which may ask the database when it is read")
    brought = bring(module, "fastapi.concurrency", "run_in_threadpool")
    if brought is None:
        raise Unfit("run_in_threadpool means something else here")
    edits = handed_over(module, node, brought, is_part=_is_part(app, site))
    return edits, brought.imports


def _check_receiver(app: App, site: CallSite) -> None:
    """Raise Unfit where a method is called on an object that is not of this call."""
    caller, root = site.caller, root_of(site.node.func)
    own = {*app.types.locals.of(caller), *(each.name for each in caller.node.params)}
    if root is not None and root.id not in own:
        raise Unfit(f"it is a method of {root.id}, which others may use meanwhile")


def handed_over(
    module: Module, call: s.Call, brought: Brought, *, is_part: bool = False
) -> list[Edit]:
    """Return the edits that make a call in a thread. ``is_part``: something is done to what it gives."""
    before, after = ("(", ")") if is_part else ("", "")
    opened, given = module.source.index(b"(", call.func.end), arguments(call)
    # each argument on a line of its own: the function as well
    between = module.source[opened + 1 : given[0].start].decode() if given else ""
    apart = between if "\n" in between and not between.strip() else ""
    return [
        insert(module, call.start, f"{before}await {brought.name}({apart}"),
        Edit(module.path, opened, opened + 1, "" if not given else "," if apart else ", "),
        *([insert(module, call.end, after)] if after else []),
    ]


def _is_part(app: App, site: CallSite) -> bool:
    """Whether something is done to what the call gives, which binds tighter than `await`."""
    node = site.node
    return any(
        (isinstance(around, (s.Attribute, s.Subscript)) and around.value is node)
        or (isinstance(around, s.Call) and around.func is node)
        for around, _ in app.calls.nodes(site.caller)
    )


def _check(app: App, function: Function) -> None:
    """Raise Unfit where a function, or what it calls, is bound to the thread of the event loop."""
    if function.owner is not None and not function.is_static:
        if has_shared_objects(app, function.owner) or "classmethod" in function.decorator_names:
            reason = "is a method of an object that others may use meanwhile"
            raise Unfit(f"{function.qualname} {reason}")
    for each in plain_below(app, function):
        if each.node.is_generator:
            raise Unfit(f"{each.qualname} is a generator")
        if app.calls.executions(each):
            raise Unfit(f"{each.qualname} asks the database with a session of this thread")
    check_below(app, function)
