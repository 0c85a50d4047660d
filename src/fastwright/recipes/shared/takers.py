"""Who needs what is made from a session, a repository or a unit of work, and how it comes to them.

Functions that make one (``ProductRepository(session)``), the functions that call those with their session, and the
classes that keep a session: each is given it, as a parameter or when it is made. Functions that only `Depends` calls, in the
module where dependencies are made, make it themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance
from fastwright.edit.builders import arguments
from fastwright.edit.names import module_level_imports
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Kept
from fastwright.recipes.shared.annotations import annotated


class Made(msgspec.Struct, frozen=True, eq=False):
    """``ProductRepository(session)`` in a function, or a call that hands the session on."""

    function: Function
    call: s.Call
    given: s.Node
    """The argument that is the session, or the keyword."""
    target: Function | None = None
    """The function that is called, where it needs the repository itself."""


class Taker(msgspec.Struct, eq=False):
    """A function that is given the repository; the ``__init__`` of a class, for all its methods."""

    function: Function
    session: s.Parameter
    kept: s.Assign | None = None
    """``self.session = session``."""
    made: list[Made] = []
    calls: list[Made] = []


class Uses(msgspec.Struct, frozen=True, eq=False):
    """Every use of a class in the project."""

    takers: dict[int, Taker]
    """By the node of the function."""
    in_place: tuple[Made, ...]
    """Where it goes on being made: in functions that make dependencies."""
    annotations: tuple[tuple[Module, s.Name], ...]


def uses(app: App, cls: Class, keeper: Module | None) -> Uses:
    """Return who uses a class that is made from a session. Raises Kept for a use that cannot be changed."""
    made, annotations = _found(app, cls)
    takers, in_place = reached_by(app, made, keeper)
    providers = [
        provider.node
        for taker in takers.values()
        if (provider := provider_of(app, taker)) is not None
    ]
    if len({id(each) for each in providers}) > 1:  # what others get is made from another session
        most = max(providers, key=lambda one: sum(each is one for each in providers))
        takers, in_place = reached_by(app, made, keeper, most)
    return Uses(takers, tuple(in_place), tuple(annotations))


def reached_by(
    app: App, made: list[Made], keeper: Module | None, provider: s.FunctionDef | None = None
) -> tuple[dict[int, Taker], list[Made]]:
    """Return who must be given what is made from a session, and where it goes on being made.

    ``provider``: where the sessions come from; who gets one from elsewhere goes on making it. Raises Kept.
    """
    takers: dict[int, Taker] = {}
    in_place: list[Made] = []
    roots = {id(function.node) for function in app.request_roots}
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    known = callers(app)
    waiting = list(made)
    while waiting:
        one = waiting.pop()
        if id(one.function.node) in roots - endpoints and _makes_dependencies(app, one, keeper):
            in_place.append(one)
            continue
        function = _holder(app, one)
        taker = takers.get(id(function.node))
        if taker is None:
            taker = _taker(app, function)
            own = provider_of(app, taker) if id(function.node) in roots else None
            if provider is not None and own is not None and own.node is not provider:
                in_place.append(one)
                continue
            takers[id(function.node)] = taker
            if id(function.node) in roots:
                if known.get(id(function.node)):
                    reason = f"{function.qualname} is called beside FastAPI"
                    raise Kept(function.module, function.node, reason)
            else:
                refuse_other_references(app, function)
                waiting += [_handed(site, taker) for site in known.get(id(function.node), [])]
        (taker.made if one.target is None else taker.calls).append(one)
    return takers, in_place


def _makes_dependencies(app: App, one: Made, keeper: Module | None) -> bool:
    """Whether a dependency cannot depend on another, or is what makes this one."""
    module = one.function.module
    if keeper is None or module is keeper or imports(app, keeper, module):
        return True
    return one.target is None and any(
        isinstance(node, s.Return) and node.value is one.call
        for node in s.walk(*one.function.node.body)
    )


def imports(app: App, module: Module, other: Module) -> bool:
    """Whether a module imports another, itself or through those that it imports."""
    return other.path in app.imports.reached([module.path], running=True)


# -------------------------------------------------------------------- finding uses


def _found(app: App, cls: Class) -> tuple[list[Made], list[tuple[Module, s.Name]]]:
    """Return where a class is made, and where it stands in annotations."""
    made: list[Made] = []
    annotations: list[tuple[Module, s.Name]] = []
    for module in app.modules.values():
        if cls.name.encode() not in module.source:
            continue
        _check_imports(app, module, cls)
        calls = {id(n.func): n for n in module.walk() if isinstance(n, s.Call)}
        typed = annotated(module)
        for node in module.walk():
            if isinstance(node, s.Attribute) and node.attr == cls.name:
                if _stands_for(app, module, node, cls):
                    raise Kept(module, node, "is used through its module")
            if not isinstance(node, s.Name) or not _stands_for(app, module, node, cls):
                continue
            if id(node) in calls:
                made.append(_made(app, module, calls[id(node)]))
            elif id(node) in typed:
                annotations.append((module, node))
            else:
                raise Kept(module, node, "is used as it is")
    return made, annotations


def _check_imports(app: App, module: Module, cls: Class) -> None:
    """Raise Kept where a name is imported that cannot be moved."""
    bound = module_level_imports(module)
    for node in module.walk():
        if isinstance(node, s.ImportFrom):
            for alias in node.names:
                symbol = app.linker.member(module, alias.asname or alias.name)
                is_here = alias.name == cls.name and (
                    alias.name not in bound or _is_class(symbol, cls)
                )
                if is_here and module.kind != "source":
                    raise Kept(module, node, "is used in a test, or outside of the application")
                if is_here and (alias.asname or module.path.endswith("__init__.py")):
                    raise Kept(module, node, "goes by another name, or is offered by a package")
                if is_here and alias.name not in bound:
                    raise Kept(module, node, "is imported in a function, or for types only")
        elif isinstance(node, s.Constant) and s.string(node) == cls.name:
            raise Kept(module, node, "is named in a text")


def _stands_for(app: App, module: Module, node: s.Name | s.Attribute, cls: Class) -> bool:
    if isinstance(node, s.Name) and node.id != cls.name:
        return False
    return _is_class(app.linker.expression(node, module, None), cls)


def _is_class(symbol: object, cls: Class) -> bool:
    return isinstance(symbol, Class) and symbol.node is cls.node


def _made(app: App, module: Module, call: s.Call) -> Made:
    function = app.function_of(module, call)
    if function is None or module.kind != "source" or function.outer is not None:
        raise Kept(module, call, "is made outside of the functions that use it")
    given = arguments(call)
    if len(given) != 1 or isinstance(given[0], s.Starred):
        raise Kept(module, call, "is made with more than a session")
    return Made(function, call, given[0])


# ------------------------------------------------------------------- who is given it


def _holder(app: App, one: Made) -> Function:
    """Return the function whose parameter is the session that something is made with."""
    given = one.given.value if isinstance(one.given, s.Keyword) else one.given
    function, owner = one.function, one.function.owner
    if isinstance(given, s.Name):
        if any(parameter.name == given.id for parameter in function.node.params):
            return function
    elif isinstance(given, s.Attribute) and s.dotted(given.value) == "self" and owner is not None:
        made = app.linker.method(owner, "__init__")
        if made is not None and made.owner is not None and made.owner.node is owner.node:
            kept = _kept(app, made)
            if kept is not None and s.last_name(kept.targets[0]) == given.attr:
                return made
    raise Kept(function.module, one.call, "it is not clear which session it is made with")


def _kept(app: App, made: Function) -> s.Assign | None:
    """Return ``self.session = session`` of an ``__init__``."""
    for statement in made.node.body:
        if isinstance(statement, s.Assign) and isinstance(statement.value, s.Name):
            name, target = statement.value.id, statement.targets[0]
            if isinstance(target, s.Attribute) and s.dotted(target.value) == "self":
                for parameter in made.parameters:
                    kind = app.types.parameter(parameter, made)
                    if parameter.name == name and app.types.session_kind(kind) is not None:
                        return statement
    return None


def _taker(app: App, function: Function) -> Taker:
    for parameter in function.node.params:
        kind = app.types.parameter(parameter, function)
        if app.types.session_kind(kind) is not None:
            if parameter.default is None and parameter.kind in {"plain", "keyword"}:
                kept = _kept(app, function) if function.name == "__init__" else None
                return Taker(function, parameter, kept, [], [])
    raise Kept(function.module, function.node, f"{function.qualname} has no session to give")


def provider_of(app: App, taker: Taker) -> Function | None:
    """Return the function that ``Depends`` calls for the session of a function."""
    annotation = taker.session.annotation
    return provided(app, annotation, taker.function.module) if annotation is not None else None


def provided(app: App, annotation: s.Expr, module: Module) -> Function | None:
    """Return the function behind ``Annotated[Session, Depends(get_session)]``, or a name for that."""
    for metadata, at in app.types.metadata(annotation, Where(module)):
        found = app.types.depends_call(metadata, at)
        if found is not None and len(found[0].args) == 1 and not found[0].keywords:
            symbol = app.linker.expression(found[0].args[0], found[1].module, None)
            return symbol if isinstance(symbol, Function) else None
    return None


def _handed(site: CallSite, target: Taker) -> Made:
    """Return a call of a function that needs the repository, with the argument that is its session."""
    parameters = target.function.parameters
    position = next(n for n, each in enumerate(parameters) if each is target.session)
    given: s.Node | None = site.node.keyword(target.session.name)
    if given is not None:
        given = next(k for k in site.node.keywords if k.arg == target.session.name)
    elif position < len(site.node.args):
        given = site.node.args[position]
    starred = any(isinstance(each, s.Starred) for each in site.node.args)
    if given is None or starred or len(site.targets) != 1:
        raise Kept(site.module, site.node, "it is not clear which session is handed on")
    return Made(site.caller, site.node, given, target.function)


def callers(app: App) -> dict[int, list[CallSite]]:
    """Return every call that requests reach, by the node of the function that it runs."""
    found: dict[int, list[CallSite]] = {}
    for step in app.reached:
        for site in app.calls.sites(step.function):
            for target in site.targets:
                found.setdefault(id(target.node), []).append(site)
    return found


def refuse_other_references(app: App, function: Function) -> None:
    """Raise Kept where a function is named otherwise than in calls that are seen."""
    if function.outer is not None or function.node.decorators:
        raise Kept(function.module, function.node, f"{function.qualname} is no plain function")
    if function.owner is not None:
        _refuse_others_of_class(app, function, function.owner)
        return
    seen = {id(site.node.func) for sites in callers(app).values() for site in sites}
    for module in app.modules.values():
        if function.name.encode() not in module.source:
            continue
        for node in module.walk():
            if not isinstance(node, (s.Name, s.Attribute)) or s.last_name(node) != function.name:
                continue
            symbol = app.linker.expression(node, module, None)
            if (
                isinstance(symbol, Function)
                and symbol.node is function.node
                and id(node) not in seen
            ):
                raise Kept(module, node, f"{function.name} is named outside of requests")


def _refuse_others_of_class(app: App, function: Function, owner: Class) -> None:
    """Raise Kept where a method, or a class whose ``__init__`` it is, is used in a way that is not seen."""
    bases = [each for each in app.linker.mro(owner)[1:] if isinstance(each, Class)]
    if app.subclasses(owner) or any(function.name in base.own_methods for base in bases):
        reason = f"{function.qualname} is overridden, or overrides another"
        raise Kept(function.module, function.node, reason)
    sites = {id(site.node.func): site for found in callers(app).values() for site in found}
    is_init = function.name == "__init__"
    name = owner.name if is_init else function.name
    for module in app.modules.values():
        if name.encode() not in module.source:
            continue
        typed = annotated(module) if is_init else set()
        for node in module.walk():
            if not isinstance(node, (s.Name, s.Attribute)) or s.last_name(node) != name:
                continue
            site = sites.get(id(node))
            if is_init:
                symbol = app.linker.expression(node, module, None)
                if _is_class(symbol, owner) and site is None and id(node) not in typed:
                    raise Kept(module, node, f"{name} is made otherwise than in requests")
            elif isinstance(node, s.Attribute) and not _is_other(site):
                raise Kept(module, node, f"{function.qualname} may be used here as well")


def _is_other(site: CallSite | None) -> bool:
    """Whether it is known what a call of a method calls."""
    return site is not None and (bool(site.targets) or site.external is not None)


# ---------------------------------------------------------------------- how it changes


def is_dropped(app: App, taker: Taker, takers: dict[int, Taker], depth: int = 0) -> bool:
    """Whether a function needs its session for nothing else any more."""
    inside = _inside(app, taker, takers, depth)
    function, kept = taker.function, taker.kept
    if kept is not None:
        if _keeps(app, taker, kept, inside):
            return False
        inside.append((function.module.path, kept.start, kept.end))
    return not any(
        node.id == taker.session.name and not _is_inside(function.module, node, inside)
        for node in _names(*function.node.body)
    )


def _inside(
    app: App, taker: Taker, takers: dict[int, Taker], depth: int
) -> list[tuple[str, int, int]]:
    """Return the places where the session goes away."""
    found = [(one.function.module.path, one.call.start, one.call.end) for one in taker.made]
    for one in taker.calls:
        target = takers.get(id(one.target.node)) if one.target is not None else None
        if target is not None and depth < len(takers):
            if is_dropped(app, target, takers, depth + 1):
                found.append((one.function.module.path, one.given.start, one.given.end))
    return found


def _keeps(app: App, taker: Taker, kept: s.Assign, inside: list[tuple[str, int, int]]) -> bool:
    """Whether somebody uses the session that an object keeps."""
    target, owner = kept.targets[0], taker.function.owner
    assert isinstance(target, s.Attribute) and owner is not None  # noqa: S101, PT018 - as it was found
    for module in app.modules.values():
        if target.attr.encode() not in module.source:
            continue
        for node in module.walk():
            if not isinstance(node, s.Attribute) or node.attr != target.attr or node is target:
                continue
            if _is_inside(module, node, inside):
                continue
            if _within(module, node, owner):
                if s.dotted(node.value) == "self":
                    return True
            elif _is_instance(app, module, node, owner):
                return True
    return False


def _within(module: Module, node: s.Node, owner: Class) -> bool:
    return module is owner.module and owner.node.start <= node.start < owner.node.end


def _is_instance(app: App, module: Module, node: s.Attribute, owner: Class) -> bool:
    found = app.types.of(node.value, Where(module, app.function_of(module, node)))
    return isinstance(found, Instance) and _is_class(found.cls, owner)


def _is_inside(module: Module, node: s.Node, inside: list[tuple[str, int, int]]) -> bool:
    return any(path == module.path and start <= node.start < end for path, start, end in inside)


def _names(*nodes: s.Node) -> Iterator[s.Name]:
    return (node for node in s.walk(*nodes) if isinstance(node, s.Name))


def local_of(one: Made) -> s.Assign | None:
    """Return ``products = ProductRepository(session)``, where nothing else binds that name."""
    for statement in s.walk(*one.function.node.body):
        if isinstance(statement, s.Assign) and statement.value is one.call:
            target = statement.targets[0]
            if not isinstance(target, s.Name) or len(statement.targets) != 1:
                return None
            bound = [
                name
                for node in s.walk(*one.function.node.body)
                for name in _targets(node)
                if name == target.id
            ]
            taken = any(p.name == target.id for p in one.function.node.params)
            return statement if len(bound) == 1 and not taken else None
    return None


def _targets(node: s.Node) -> Iterator[str]:
    targets: list[s.Node] = []
    if isinstance(node, s.Assign):
        targets = list(node.targets)
    elif isinstance(node, (s.AnnAssign, s.AugAssign, s.For, s.NamedExpr, s.Generator)):
        targets = [node.target]
    elif isinstance(node, s.WithItem) and node.optional_vars is not None:
        targets = [node.optional_vars]
    for target in targets:
        yield from (name.id for name in _names(target))


def written(one: Made) -> str:
    """Return the session as it is handed over."""
    given = one.given.value if isinstance(one.given, s.Keyword) else one.given
    return text(one.function.module, given)
