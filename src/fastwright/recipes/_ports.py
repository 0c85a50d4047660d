"""Ports for repositories: what the application asks is a `Protocol` of its own, and `Depends` gives what answers.

`class ProductRepository` becomes `SqlProductRepository`; `ports/products.py` has the protocol `ProductRepository` with the same methods; a function of
`dependencies.py` makes the one from the session. Endpoints take the repository by `Depends`, services as a parameter, in the place of a session
that they need for nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname, join

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.symbols import Class, Function, Variable
from fastwright.edit.builders import arguments
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import Brought, bring, is_taken, module_level_imports
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Planned, Proposal, Stopped, Target

_KEEPERS = ("dependencies.py", "deps.py")


class Unported(Exception):  # noqa: N818 - what stops it is no error
    """What keeps a repository without a port."""

    def __init__(self, module: Module, node: s.Node, reason: str) -> None:
        super().__init__(reason)
        self.place = f"{module.path}:{module.line(node)}"
        self.reason = reason


class _Taker(msgspec.Struct, frozen=True, eq=False):
    """A function that needs the repository, for itself or for those that it calls."""

    function: Function
    session: s.Parameter
    made: tuple[s.Call, ...]
    """``ProductRepository(session)`` in it."""
    calls: tuple[CallSite, ...]
    """Calls of other takers."""


def ports(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each repository that has no port yet."""
    for module in app.sources:
        for cls in app.classes([module]):
            is_sql = cls.name.endswith("Repository") and not cls.name.startswith("Sql")
            if is_sql and target.holds(module.path) and not app.types.is_port(cls):
                try:
                    proposal = _proposal(app, cls)
                except Unported as stop:
                    yield Stopped(stop.place, f"{cls.name}: {stop.reason}")
                else:
                    if proposal is not None:
                        yield proposal


def _proposal(app: App, cls: Class) -> Proposal | None:
    module = cls.module
    made = cls.own_methods.get("__init__")
    if made is None or cls.node.bases or len(made.parameters) != 1 or app.subclasses(cls):
        return None  # not of the form that is written here
    takers = _takers(app, cls)
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    first = next((t for t in takers.values() if id(t.function.node) in endpoints), None)
    if first is None:
        return None
    keeper = keeper_of(app, module)
    keeper_path = (
        keeper.path if keeper is not None else join(dirname(dirname(module.path)), _KEEPERS[0])
    )
    variable = _variable(module, cls, takers)
    port_path = join(dirname(dirname(module.path)), "ports", basename(module.path))
    if port_path in app.modules:
        raise Unported(module, cls.node, f"{port_path} is there already")
    port_module = app.index.name(port_path)
    provider = f"get_{_snake(cls.name)}"
    alias = f"{cls.name}Dep"
    names = (port_module, provider, alias)
    edits, imports, code = _provider(app, keeper, keeper_path, cls, first, names)
    edits.append(
        Edit(
            module.path, cls.node.name_start, cls.node.name_start + len(cls.name), f"Sql{cls.name}"
        )
    )
    for taker in takers.values():
        if taker.function.module is keeper:
            reason = "is used where dependencies are made"
            raise Unported(taker.function.module, taker.function.node, reason)
        is_endpoint = id(taker.function.node) in endpoints
        kind = (app.index.name(keeper_path), alias) if is_endpoint else (port_module, cls.name)
        found = _taken(taker, variable, kind, takers)
        edits += found[0]
        imports += found[1]
    port, wanted = _port(app, cls)
    new = {port_path: port, **packages(app, port_path)}
    if code:
        new[keeper_path] = code
    imports += [Import(port_path, origin, name) for origin, name in wanted]
    place = f"{module.path}:{module.line(cls.node)}"
    title = f"{cls.name} of {module.path} becomes a port and its adapter"
    return Proposal(title, tuple(dict.fromkeys(edits)), tuple(imports), new, places=(place,))


def _variable(module: Module, cls: Class, takers: Mapping[int, _Taker]) -> str:
    """Return what functions call the repository: ``products``, or ``product_repository`` where that is taken."""
    taken: set[str] = set()
    for taker in takers.values():
        node = taker.function.node
        taken |= {n.id for n in s.walk(node) if isinstance(n, s.Name)} | {
            p.name for p in node.params
        }
        taken.add(node.name)
    for name in (basename(module.path).removesuffix(".py"), _snake(cls.name)):
        if name not in taken:
            return name
    raise Unported(module, cls.node, "there is no free name for it in its users")


# ------------------------------------------------------------------- who needs it


def _takers(app: App, cls: Class) -> dict[int, _Taker]:
    """Return every function that needs the repository, by the node. Raises Unported for one that cannot be given it."""
    made: dict[int, list[s.Call]] = {}
    functions: dict[int, Function] = {}
    for module in app.modules.values():
        if cls.name.encode() not in module.source:
            continue
        for node in module.walk():
            if isinstance(node, s.Name) and node.id == cls.name and module is not cls.module:
                if _stands_for(app, module, node, cls) and not _is_made(module, node):
                    raise Unported(module, node, "is used as it is")
            if not isinstance(node, s.Call) or not isinstance(node.func, s.Name):
                continue
            if node.func.id == cls.name and _stands_for(app, module, node.func, cls):
                function = app.function_of(module, node)
                if function is None or len(node.args) != 1 or module.kind != "source":
                    raise Unported(module, node, "is made outside of the functions that use it")
                functions[id(function.node)] = function
                made.setdefault(id(function.node), []).append(node)
    known = callers(app)
    endpoints = {id(endpoint.node) for endpoint in app.endpoints}
    waiting = list(functions.values())
    calls: dict[int, list[CallSite]] = {}
    while waiting:
        function = waiting.pop()
        if id(function.node) in endpoints:
            continue
        refuse_other_references(app, function)
        for site in known.get(id(function.node), []):
            calls.setdefault(id(site.caller.node), []).append(site)
            if id(site.caller.node) not in functions:
                functions[id(site.caller.node)] = site.caller
                waiting.append(site.caller)
    return {
        key: _Taker(
            function,
            _session(app, function),
            tuple(made.get(key, ())),
            tuple(calls.get(key, ())),
        )
        for key, function in functions.items()
    }


def _stands_for(app: App, module: Module, node: s.Name, cls: Class) -> bool:
    symbol = app.linker.expression(node, module, None)
    return isinstance(symbol, Class) and symbol.node is cls.node


def _is_made(module: Module, name: s.Name) -> bool:
    return any(isinstance(node, s.Call) and node.func is name for node in module.walk())


def callers(app: App) -> dict[int, list[CallSite]]:
    """Return every call that requests reach, by the node of the function that it runs."""
    found: dict[int, list[CallSite]] = {}
    for step in app.reached:
        for site in app.calls.sites(step.function):
            for target in site.targets:
                found.setdefault(id(target.node), []).append(site)
    return found


def refuse_other_references(app: App, function: Function) -> None:
    """Raise Unported where a function is named otherwise than in calls that are seen."""
    if function.owner is not None or function.outer is not None or function.node.decorators:
        raise Unported(function.module, function.node, f"{function.qualname} is no plain function")
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
                raise Unported(module, node, f"{function.name} is named outside of requests")


def _session(app: App, function: Function) -> s.Parameter:
    for parameter in function.node.params:
        kind = app.types.parameter(parameter, function)
        if app.types.session_kind(kind) is not None and parameter.annotation is not None:
            if parameter.default is None and parameter.kind == "plain":
                return parameter
    raise Unported(function.module, function.node, f"{function.qualname} has no session to give")


# --------------------------------------------------------------------- the changes


def _taken(
    taker: _Taker, variable: str, kind: tuple[str, str], takers: dict[int, _Taker]
) -> tuple[list[Edit], list[Import]]:
    """Return the edits of a function that is given the repository."""
    function, module, session = taker.function, taker.function.module, taker.session
    edits = [Edit(module.path, call.start, call.end, variable) for call in taker.made]
    moved = _import_moved(module, kind)
    brought = bring(module, *kind) if moved is None else Brought(kind[1], ())
    if brought is None:
        raise Unported(module, function.node, f"{kind[1]} means something else here")
    edits += [moved] if moved is not None else []
    for site in taker.calls:
        target = takers[id(site.targets[0].node)]
        given = _given(site, target)
        if given is None or len(site.targets) != 1:
            raise Unported(module, site.node, "it is not clear which session is handed on")
        written = f"{variable}={variable}" if isinstance(given, s.Keyword) else variable
        if _is_dropped(target, takers):
            edits.append(Edit(module.path, given.start, given.end, written))
        else:
            edits.append(Edit(module.path, given.end, given.end, f", {written}"))
    parameter = f"{variable}: {brought.name}"
    if _is_dropped(taker, takers):
        edits.append(Edit(module.path, session.start, session.end, parameter))
    else:
        edits.append(Edit(module.path, session.end, session.end, f", {parameter}"))
    return edits, list(brought.imports)


def _import_moved(module: Module, kind: tuple[str, str]) -> Edit | None:
    """Return the edit that imports a name from the port, where the adapter of that name was imported."""
    origin, name = kind
    adapters = origin.replace(".ports.", ".repositories.")
    adapters = re.sub(r"^ports\.", "repositories.", adapters)
    for statement in module.import_statements:
        if not isinstance(statement, s.ImportFrom) or adapters == origin:
            continue
        names = [alias.name for alias in statement.names if alias.asname is None]
        if module.absolute(statement.module, statement.level) == adapters and name in names:
            if len(statement.names) > 1:
                raise Unported(module, statement, "is imported beside other names")
            written = f"from {origin} import {name}"
            return Edit(module.path, statement.start, statement.end, written)
    return None


def _given(site: CallSite, target: _Taker) -> s.Node | None:
    """Return the argument that hands the session on."""
    position = target.function.node.params.index(target.session)
    for keyword in site.node.keywords:
        if keyword.arg == target.session.name:
            return keyword
    given = arguments(site.node)
    return given[position] if position < len(site.node.args) else None


def _is_dropped(taker: _Taker, takers: dict[int, _Taker], depth: int = 0) -> bool:
    """Whether a function needs its session for nothing else any more."""
    inside = [(call.start, call.end) for call in taker.made]
    for site in taker.calls:
        target = takers.get(id(site.targets[0].node))
        given = _given(site, target) if target is not None else None
        if target is not None and given is not None and depth < len(takers):
            if _is_dropped(target, takers, depth + 1):
                inside.append((given.start, given.end))
    return not any(
        isinstance(node, s.Name)
        and node.id == taker.session.name
        and not any(start <= node.start < end for start, end in inside)
        for node in s.walk(*taker.function.node.body)
    )


def keeper_of(app: App, module: Module) -> Module | None:
    """Return the module where a package keeps its dependencies."""
    top = module.path.partition("/")[0]
    for each in app.sources:
        if basename(each.path) in _KEEPERS and each.path.partition("/")[0] == top:
            return each
    return None


def _provider(
    app: App,
    keeper: Module | None,
    path: str,
    cls: Class,
    taker: _Taker,
    names: tuple[str, str, str],
) -> tuple[list[Edit], list[Import], str]:
    """Return what brings the function that makes the adapter into the module of dependencies, or that module."""
    port_module, provider, alias = names
    annotation, module = taker.session.annotation, taker.function.module
    symbol = app.linker.expression(annotation, module, None) if annotation is not None else None
    if not isinstance(annotation, s.Name) or not isinstance(symbol, Variable):
        raise Unported(module, taker.session, "the session has no name of its own")
    wanted = [("session", symbol.module.name, symbol.name), ("port", port_module, cls.name),
              ("adapter", cls.module.name, f"Sql{cls.name}"), ("annotated", "typing", "Annotated"),
              ("depends", "fastapi", "Depends")]  # fmt: skip
    imports: list[Import] = []
    written = {}
    for key, origin, name in wanted:
        if keeper is not None and origin != keeper.name:
            brought = bring(keeper, origin, name)
            if brought is None:
                raise Unported(keeper, keeper.facts.body[0], f"{name} means something else here")
            imports += brought.imports
            written[key] = brought.name
        else:
            imports += [] if keeper is not None else [Import(path, origin, name)]
            written[key] = name
    code = (
        f"\n\ndef {provider}(session: {written['session']}) -> {written['port']}:\n"
        f"    return {written['adapter']}(session)\n\n\n"
        f"{alias} = {written['annotated']}[{written['port']}, {written['depends']}({provider})]\n"
    )
    if keeper is None:
        return [], imports, f'"""What endpoints depend on."""\n{code}'
    if is_taken(keeper, provider) or is_taken(keeper, alias):
        raise Unported(keeper, keeper.facts.body[0], f"{provider} means something else here")
    end = len(keeper.source)
    code = code if keeper.source.endswith(b"\n") else f"\n{code}"
    return [Edit(keeper.path, end, end, code)], imports, ""


def _port(app: App, cls: Class) -> tuple[str, list[tuple[str, str]]]:
    """Return the code of the protocol, and what it needs."""
    module, wanted = cls.module, [("typing", "Protocol")]
    lines = [
        f'"""What the application asks of {cls.name.removesuffix("Repository")} rows."""\n\n\n'
    ]
    lines.append(f"class {cls.name}(Protocol):\n")
    lines.append('    """Finds rows, wherever they are kept."""\n')
    bound = module_level_imports(module)
    for name, method in cls.own_methods.items():
        if name.startswith("_"):
            continue
        end = method.node.body[0].start
        head = module.source[method.node.start : end].decode().rstrip()
        lines.append(f"\n    {head} ...\n")
        annotations = [p.annotation for p in method.node.params] + [method.node.returns]
        for node in s.walk(*(each for each in annotations if each is not None)):
            if isinstance(node, s.Name) and node.id in bound:
                origin, _, last = bound[node.id].rpartition(".")
                if last != node.id or not origin:
                    raise Unported(
                        module, node, f"{node.id} is imported in a way that is not copied"
                    )
                wanted.append((origin, last))
            elif isinstance(node, s.Name) and node.id in app.linker.scope(module).names:
                raise Unported(module, node, f"{node.id} is defined beside the repository")
    return "".join(lines), list(dict.fromkeys(wanted))


def packages(app: App, path: str) -> dict[str, str]:
    """Return the `__init__.py` that a new folder needs, where its neighbours have one."""
    init = join(dirname(path), "__init__.py")
    neighbour = join(dirname(dirname(path)), "__init__.py")
    return {init: ""} if neighbour in app.modules and init not in app.modules else {}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
