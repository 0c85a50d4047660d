"""Ports for repositories: what the application asks is a `Protocol` of its own, and `Depends` gives what answers.

`class ProductRepository` becomes `SqlProductRepository`; `ports/products.py` has the protocol `ProductRepository` with the same methods; a function of
`dependencies.py` makes the one from the session. Endpoints take the repository by `Depends`, services as a parameter or when they are made, in the place of
a session that they need for nothing else. A unit of work gets its port in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename, dirname, join

import msgspec

from fastwright.app.model import App
from fastwright.app.symbols import Class, External, Function, Variable
from fastwright.app.types import Instance
from fastwright.edit.builders import block_of, delete_statements, insert_after, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken, module_level_imports
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.persistence.repositories import UNIT
from fastwright.recipes.recipe import Kept, Planned, Proposal, Stopped, Target
from fastwright.recipes.shared.keepers import KEEPERS, keepers
from fastwright.recipes.shared.takers import (
    Made,
    Taker,
    Uses,
    imports,
    is_dropped,
    local_of,
    provided,
    provider_of,
    uses,
    written,
)
from fastwright.recipes.shared.words import snake, together

_FOLDERS = frozenset({"repositories", "repository", "repos", "adapters", "persistence"})


class _Port(msgspec.Struct, frozen=True, eq=False):
    """A port as it will be, and how it is given."""

    cls: Class
    path: str
    module: str
    used: Uses
    names: dict[int, str]
    """What each taker calls it."""
    alias: tuple[str, str] | None
    """The module and name of what endpoints take it by."""

    @property
    def adapter(self) -> str:
        """What the class is called from now on."""
        return f"Sql{self.cls.name}"


def ports(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each repository, and each unit of work, that has no port yet."""
    for module in app.sources:
        for cls in app.classes([module]):
            kept = cls.name.endswith("Repository") or cls.name == UNIT
            is_sql = kept and not cls.name.startswith("Sql")
            if is_sql and target.holds(module.path) and not app.types.is_port(cls):
                try:
                    proposal = _proposal(app, cls)
                except Kept as stop:
                    yield Stopped(stop.place, f"{cls.name}: {stop.reason}")
                else:
                    if proposal is not None:
                        yield proposal


def _proposal(app: App, cls: Class) -> Proposal | None:
    module, made = cls.module, app.linker.method(cls, "__init__")
    if made is None or len(made.parameters) != 1 or app.subclasses(cls) or not _is_plain(app, cls):
        return None  # not of the form that is written here
    keeper = keeper_of(app, module)
    used = uses(app, cls, keeper)
    roots = {id(function.node) for function in app.request_roots}
    given = [taker for key, taker in used.takers.items() if key in roots]
    if not given and not used.in_place:
        return None
    port = _port(app, cls, used)
    new, edits, needed = dict[str, str](), list[Edit](), list[Import]()
    if given:
        path = _keeper_path(module, keeper)
        alias = _own_alias(app, port)
        if alias is None:
            wired = _provider(app, port, keeper, path, given)
            edits, needed = list(wired[0]), list(wired[1])
            new = {path: wired[2]} if wired[2] else {}
            alias = (app.index.name(path), f"{cls.name}Dep")
        port = msgspec.structs.replace(port, alias=alias)
    start = cls.node.name_start
    edits.append(Edit(module.path, start, start + len(cls.name), port.adapter))
    for taker in used.takers.values():
        found = _taken(app, taker, port, is_given=id(taker.function.node) in roots)
        edits += found[0]
        needed += found[1]
    for one in used.in_place:
        found = _made_in_place(app, one, port)
        edits += found[0]
        needed += found[1]
    moved = _imports_moved(app, port, roots)
    edits += moved[0]
    needed += moved[1]
    code, wanted = _protocol(app, port)
    new |= {port.path: code, **packages(app, port.path)}
    needed += [Import(port.path, origin, name) for origin, name in wanted]
    place = f"{module.path}:{module.line(cls.node)}"
    title = f"{cls.name} of {module.path} becomes a port and its adapter"
    return Proposal(title, tuple(dict.fromkeys(edits)), tuple(needed), new, places=(place,))


def _is_plain(app: App, cls: Class) -> bool:
    """Whether all that a class inherits is of the project, and no port."""
    for base in app.linker.mro(cls)[1:]:
        if isinstance(base, External) and base.name not in {"typing.Generic", "builtins.object"}:
            return False
        if isinstance(base, Class) and app.types.is_port(base):
            return False
    return True


def _port(app: App, cls: Class, used: Uses) -> _Port:
    module, folder = cls.module, dirname(cls.module.path)
    outer = dirname(folder) if basename(folder) in _FOLDERS else folder
    alone = len(list(app.classes([module]))) == 1 and basename(folder) in _FOLDERS
    name = basename(module.path) if alone else f"{_called(cls)}.py"
    path = join(outer, "ports", name)
    if path in app.modules:
        raise Kept(module, cls.node, f"{path} is there already")
    names = {key: _variable(cls, taker) for key, taker in used.takers.items()}
    return _Port(cls, path, app.index.name(path), used, names, None)


def _called(cls: Class) -> str:
    """Return the plain name of a variable for it: ``products``, ``unit_of_work``."""
    if cls.name == UNIT:
        return snake(UNIT)
    return together(cls.name.removesuffix("Repository"))


def _variable(cls: Class, taker: Taker) -> str:
    """Return what a function calls the repository: ``products``, or ``product_repository`` where that is taken."""
    node = taker.function.node
    locals_ = [local_of(one) for one in taker.made if one.function.node is node]
    gone = {s.last_name(each.targets[0]) for each in locals_ if each is not None}
    taken = {n.id for n in s.walk(node) if isinstance(n, s.Name)} - gone
    taken |= {p.name for p in node.params} | {node.name}
    own = _attribute(taker)
    owner = taker.function.owner
    if owner is not None and node.name == "__init__":
        taken |= {*owner.own_methods, *owner.own_attributes}
        taken |= {
            n.attr
            for n in s.walk(owner.node)
            if isinstance(n, s.Attribute) and s.dotted(n.value) == "self" and n.attr != own
        }
    for name in (own, _called(cls), snake(cls.name)):
        if name is not None and name not in taken:
            return name
    raise Kept(cls.module, cls.node, "there is no free name for it in its users")


def _attribute(taker: Taker) -> str | None:
    """Return ``orders`` where an ``__init__`` keeps it itself: ``self.orders = OrderRepository(session)``."""
    calls = {id(one.call) for one in taker.made}
    for node in taker.function.node.body:
        if isinstance(node, s.Assign) and id(node.value) in calls:
            target = node.targets[0]
            if isinstance(target, s.Attribute) and s.dotted(target.value) == "self":
                return target.attr
    return None


# --------------------------------------------------------------------- who is given it


def _taken(
    app: App, taker: Taker, port: _Port, *, is_given: bool
) -> tuple[list[Edit], list[Import]]:
    """Return the edits of a function that is given the repository."""
    function, module, session = taker.function, taker.function.module, taker.session
    name = port.names[id(function.node)]
    attribute = _attribute(taker) or name
    edits: list[Edit] = []
    for one in taker.made:
        here = one.function.node is function.node
        edits += _instead(one, name if here else f"self.{attribute}")
    for one in taker.calls:
        here = one.function.node is function.node
        edits.append(_handed_on(app, one, port, name if here else f"self.{attribute}"))
    if is_given:
        assert port.alias is not None  # noqa: S101 - there is one for whom FastAPI calls
        brought = bring(module, *port.alias)
        if brought is None:
            raise Kept(module, function.node, f"{port.alias[1]} means something else here")
        kind, needed = brought.name, list(brought.imports)
    else:
        kind, needed = port.cls.name, []
    parameter = f"{name}: {kind}"
    dropped = is_dropped(app, taker, port.used.takers)
    if dropped:
        edits.append(Edit(module.path, session.start, session.end, parameter))
    else:
        edits.append(Edit(module.path, session.end, session.end, f", {parameter}"))
    if taker.kept is not None:
        edits += _kept(taker, name, dropped=dropped)
    return edits, needed


def _instead(one: Made, expression: str) -> Iterator[Edit]:
    """Yield the edits that use what is given, where it was made."""
    module, local = one.function.module, local_of(one)
    if local is None:
        yield replace(module, one.call, expression)
        return
    body, target = one.function.node.body, s.last_name(local.targets[0])
    found = block_of(body, local)
    assert found is not None  # noqa: S101 - it stands in the function
    yield from delete_statements(module, found[0], [local])
    for node in s.walk(*body):
        if isinstance(node, s.Name) and node.id == target and node is not local.targets[0]:
            if expression != target:
                yield replace(module, node, expression)


def _handed_on(app: App, one: Made, port: _Port, expression: str) -> Edit:
    """Return the edit that hands it on, in the place of a session or behind it."""
    assert one.target is not None  # noqa: S101 - it is a call of one who needs it
    key, path = id(one.target.node), one.function.module.path
    if isinstance(one.given, s.Keyword):
        expression = f"{port.names[key]}={expression}"
    if is_dropped(app, port.used.takers[key], port.used.takers):
        return Edit(path, one.given.start, one.given.end, expression)
    return Edit(path, one.given.end, one.given.end, f", {expression}")


def _kept(taker: Taker, name: str, *, dropped: bool) -> Iterator[Edit]:
    """Yield the edits by which an object keeps it, for its methods."""
    function, kept = taker.function, taker.kept
    assert kept is not None  # noqa: S101 - asked by the caller
    others = [*taker.made, *taker.calls]
    needed = any(one.function.node is not function.node for one in others)
    line = f"self.{name} = {name}"
    if needed and _attribute(taker) is None:
        if dropped:
            yield replace(function.module, kept, line)
        else:
            yield insert_after(function.module, kept, line)
    elif dropped:
        yield from delete_statements(function.module, function.node.body, [kept])


def _made_in_place(app: App, one: Made, port: _Port) -> tuple[list[Edit], list[Import]]:
    """Return the edits of a function that goes on making it: a dependency."""
    module = one.function.module
    needed: list[Import] = []
    adapter = port.adapter
    if module is not port.cls.module:
        brought = bring(module, port.cls.module.name, adapter)
        if brought is None:
            raise Kept(module, one.call, f"{adapter} means something else here")
        adapter, needed = brought.name, list(brought.imports)
    if one.target is None:
        return [replace(module, one.call.func, adapter)], needed
    return [_handed_on(app, one, port, f"{adapter}({written(one)})")], needed


def _imports_moved(app: App, port: _Port, roots: set[int]) -> tuple[list[Edit], list[Import]]:
    """Return what imports the port where the class was imported, or is needed from now on."""
    modules = {module.path: module for module, _ in port.used.annotations}
    for key, taker in port.used.takers.items():
        if key not in roots:
            modules[taker.function.module.path] = taker.function.module
    edits: list[Edit] = []
    needed: list[Import] = []
    for module in app.sources:
        moved = _import_moved(module, port)
        if module.path not in modules:
            if moved is not None and not _is_used(module, port.cls):
                raise Kept(module, module.facts.body[0], "is imported and not used")
            continue
        if moved is None and module is not port.cls.module and is_taken(module, port.cls.name):
            raise Kept(module, module.facts.body[0], f"{port.cls.name} is something else here")
        edits += [moved] if moved is not None else []
        needed.append(Import(module.path, port.module, port.cls.name))
    return edits, needed


def _import_moved(module: Module, port: _Port) -> Edit | None:
    """Return the edit that imports a class no longer from where its adapter is."""
    for statement in module.import_statements:
        if not isinstance(statement, s.ImportFrom):
            continue
        names = [alias.name for alias in statement.names]
        origin = module.absolute(statement.module, statement.level)
        if origin == port.cls.module.name and port.cls.name in names:
            source = module.source[statement.start : statement.end].decode()
            head = source.partition(" import ")[0]
            kept = [alias for alias in statement.names if alias.name != port.cls.name]
            written_ = ", ".join(f"{a.name} as {a.asname}" if a.asname else a.name for a in kept)
            text = f"{head} import {written_}" if kept else ""
            end = statement.end if kept else min(statement.end + 1, len(module.source))
            return Edit(module.path, statement.start, end, text)
    return None


def _is_used(module: Module, cls: Class) -> bool:
    return any(isinstance(node, s.Name) and node.id == cls.name for node in module.walk())


# ----------------------------------------------------------------------- how it is wired


def keeper_of(app: App, module: Module) -> Module | None:
    """Return the module where a package keeps its dependencies."""
    return next(keepers(app, module), None)


def _keeper_path(module: Module, keeper: Module | None) -> str:
    if keeper is not None:
        return keeper.path
    folder = dirname(module.path)
    return join(dirname(folder) if basename(folder) in _FOLDERS else folder, KEEPERS[0])


def _own_alias(app: App, port: _Port) -> tuple[str, str] | None:
    """Return ``Annotated[ProductRepository, Depends(get_products)]`` that the project has a name for."""
    for module, name in port.used.annotations:
        for symbol in app.linker.scope(module).names.values():
            if isinstance(symbol, Variable) and isinstance(symbol.value, s.Subscript):
                inner = symbol.value.slice
                if isinstance(inner, s.Tuple) and inner.elts[0] is name:
                    if provided(app, symbol.value, module) is not None:
                        return module.name, symbol.name
    return None


def _provider(
    app: App, port: _Port, keeper: Module | None, path: str, given: list[Taker]
) -> tuple[list[Edit], list[Import], str]:
    """Return what brings the function that makes the adapter into the module of dependencies, or that module."""
    cls, first = port.cls, given[0]
    provider, alias = f"get_{snake(cls.name)}", f"{cls.name}Dep"
    for taker in given:
        if provider_of(app, taker) is None:
            reason = "it is not known where the session comes from"
            raise Kept(taker.function.module, taker.session, reason)
    session = _session(app, keeper, path, first)
    needed = list(session[1])
    names = {}
    for key, origin, name in (("port", port.module, cls.name), ("adapter", cls.module.name, port.adapter),
                              ("annotated", "typing", "Annotated"), ("depends", "fastapi", "Depends")):  # fmt: skip
        if keeper is None:
            needed.append(Import(path, origin, name))
            names[key] = name
        else:
            # what the class was called there is the port's name from now on
            renamed = name == cls.name and _import_moved(keeper, port) is not None
            brought = None if renamed else bring(keeper, origin, name)
            if brought is None and not renamed:
                raise Kept(keeper, keeper.facts.body[0], f"{name} means something else here")
            needed += brought.imports if brought is not None else [Import(path, origin, name)]
            names[key] = brought.name if brought is not None else name
    for taker in given:
        module = taker.function.module
        around = [keeper, cls.module, session[2]]
        if any(each is not None and imports(app, each, module) for each in around):
            if module is not keeper:
                reason = "would import what imports it: its dependencies stand in another module"
                raise Kept(module, taker.function.node, reason)
    code = (
        f"\n\nasync def {provider}(session: {session[0]}) -> {names['port']}:\n"
        f"    return {names['adapter']}(session)\n\n\n"
        f"{alias} = {names['annotated']}[{names['port']}, {names['depends']}({provider})]\n"
    )
    if keeper is None:
        return [], needed, f'"""What endpoints depend on."""\n{code}'
    if is_taken(keeper, provider) or is_taken(keeper, alias):
        raise Kept(keeper, keeper.facts.body[0], f"{provider} means something else here")
    end = len(keeper.source)
    code = code if keeper.source.endswith(b"\n") else f"\n{code}"
    return [Edit(keeper.path, end, end, code)], needed, ""


def _kind(app: App, taker: Taker) -> Instance:
    found = app.types.parameter(taker.session, taker.function)
    assert isinstance(found, Instance)  # noqa: S101 - it is a session
    return found


def _session(
    app: App, keeper: Module | None, path: str, taker: Taker
) -> tuple[str, list[Import], Module]:
    """Return how a session is written where dependencies are made, what that needs, and from where."""
    module, annotation = taker.function.module, taker.session.annotation
    assert annotation is not None  # noqa: S101 - it was looked at before
    symbol = app.linker.expression(annotation, module, None)
    provider = provided(app, annotation, module)
    assert provider is not None  # noqa: S101 - it was looked at before
    if isinstance(annotation, s.Name) and isinstance(symbol, Variable):
        if keeper is None:
            return symbol.name, [Import(path, symbol.module.name, symbol.name)], symbol.module
        if symbol.module is keeper:
            return symbol.name, [], keeper
        brought = bring(keeper, symbol.module.name, symbol.name)
        if brought is not None:
            return brought.name, list(brought.imports), symbol.module
    if keeper is not None:
        for name, own in app.linker.scope(keeper).names.items():
            if isinstance(own, Variable) and isinstance(own.value, s.Subscript):
                same = provided(app, own.value, keeper)
                if same is not None and same.node is provider.node:
                    return name, [], keeper
    return _written_out(app, keeper, path, taker, provider)


def _written_out(
    app: App, keeper: Module | None, path: str, taker: Taker, provider: Function
) -> tuple[str, list[Import], Module]:
    """Return ``Annotated[Session, Depends(get_session)]``, and what it needs."""
    kind = _kind(app, taker)
    origin, _, name = kind.name.replace(":", ".").rpartition(".")
    needed: list[Import] = []
    names: list[str] = []
    for origin_, name_ in (("typing", "Annotated"), (origin, name), ("fastapi", "Depends"),
                           (provider.module.name, provider.name)):  # fmt: skip
        if keeper is not None and origin_ == keeper.name:
            names.append(name_)
            continue
        brought = bring(keeper, origin_, name_) if keeper is not None else None
        if keeper is not None and brought is None:
            raise Kept(keeper, keeper.facts.body[0], f"{name_} means something else here")
        needed += brought.imports if brought is not None else [Import(path, origin_, name_)]
        names.append(brought.name if brought is not None else name_)
    return f"{names[0]}[{names[1]}, {names[2]}({names[3]})]", needed, provider.module


# ---------------------------------------------------------------------------- the port


def _protocol(app: App, port: _Port) -> tuple[str, list[tuple[str, str]]]:
    """Return the code of the protocol, and what it needs."""
    cls, wanted = port.cls, [("typing", "Protocol")]
    if cls.name == UNIT:
        lines = ['"""The transaction of a use case."""\n\n\n', f"class {cls.name}(Protocol):\n"]
        lines.append('    """What a use case changes is kept as a whole, or not at all."""\n')
    else:
        entity = cls.name.removesuffix("Repository")
        lines = [f'"""What the application asks of {entity} rows."""\n\n\n']
        lines.append(f"class {cls.name}(Protocol):\n")
        lines.append(f'    """Rows of {entity}, wherever they are kept."""\n')
    methods: dict[str, Function] = {}
    for each in reversed(app.linker.mro(cls)):
        if isinstance(each, Class):
            methods |= each.own_methods
    for name, method in methods.items():
        if not name.startswith("_"):
            head, needed = _head(app, cls, method)
            lines.append(f"\n    {head} ...\n")
            wanted += needed
    return "".join(lines), list(dict.fromkeys(wanted))


def _head(app: App, cls: Class, method: Function) -> tuple[str, list[tuple[str, str]]]:
    """Return the head of a method, with type parameters as the class has them, and what it needs."""
    module, node = method.module, method.node
    if node.decorators:
        raise Kept(module, node, f"{method.qualname} is more than a plain method")
    bound, given = module_level_imports(module), app.types.type_bindings(Instance(cls))
    annotations = [p.annotation for p in node.params] + [node.returns]
    changed: list[tuple[s.Name, str]] = []
    wanted: list[tuple[str, str]] = []
    for each in s.walk(*(each for each in annotations if each is not None)):
        if not isinstance(each, s.Name):
            continue
        kind = given.get(each.id)
        if isinstance(kind, Instance) and isinstance(kind.cls, Class):
            changed.append((each, kind.cls.name))
            wanted.append((kind.cls.module.name, kind.cls.name))
        elif each.id in bound:
            origin, _, last = bound[each.id].rpartition(".")
            if last != each.id or not origin:
                raise Kept(module, each, f"{each.id} is imported in a way that is not copied")
            wanted.append((origin, last))
        elif each.id in app.linker.scope(module).names:
            raise Kept(module, each, f"{each.id} is defined beside the repository")
    parts, done = list[str](), node.start
    for place, text in changed:
        parts += [module.source[done : place.start].decode(), text]
        done = place.end
    end = node.body[0].start
    parts.append(module.source[done:end].decode())
    return "".join(parts).rstrip(), wanted


def packages(app: App, path: str) -> dict[str, str]:
    """Return the `__init__.py` that a new folder needs, where its neighbours have one."""
    init = join(dirname(path), "__init__.py")
    neighbour = join(dirname(dirname(path)), "__init__.py")
    return {init: ""} if neighbour in app.modules and init not in app.modules else {}
