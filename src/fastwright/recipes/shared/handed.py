"""Handing down: what endpoints are given by `Depends` goes on to the functions below them that need it.

Plain functions take it as a parameter, and who calls them hands it on; objects take it when they are made and keep it as an attribute.
Endpoints and dependencies, where it comes from, take it by the alias of its dependency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from fastwright.app.model import App
from fastwright.app.symbols import Class, External, Function, Variable
from fastwright.edit import source as at
from fastwright.edit.builders import add_argument, insert, insert_after, insert_before, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import Brought, bring, is_taken, module_level_imports
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Kept
from fastwright.recipes.shared.annotations import annotated

_RUNNING = frozenset({"run_in_threadpool", "to_thread", "add_task", "partial"})
"""What runs a function with the keywords that it is given itself."""
_PATCHING = frozenset({"setattr", "delattr", "object", "multiple"})


class Use(NamedTuple):
    """A place that names something, imports left out."""

    module: Module
    node: s.Name | s.Attribute
    function: Function | None
    """The innermost function in whose body it stands: None for what runs on import."""


class Spelled(NamedTuple):
    """A type as it is written in one module, and what that needs elsewhere."""

    module: Module
    node: s.Expr


# ------------------------------------------------------------------------- names


def uses(app: App, symbol: Variable | Function | Class) -> list[Use]:
    """Return every place that names something of the project. Raises Kept where it is handed on by imports."""
    found = []
    for module in app.modules.values():
        if symbol.name.encode() not in module.source:
            continue
        names = {
            local for local, origin in module.imported.items() if origin.endswith(f".{symbol.name}")
        }
        names |= {symbol.name} if module is symbol.module else set()
        for node in module.walk():
            is_named = isinstance(node, s.Name) and node.id in names
            is_attribute = isinstance(node, s.Attribute) and node.attr == symbol.name
            if (is_named or is_attribute) and isinstance(node, (s.Name, s.Attribute)):
                function = app.function_of(module, node)
                if _stands_for(app, module, node, function, symbol):
                    found.append(Use(module, node, _running(function, node)))
        _refuse_exports(app, module, symbol, found)
    return found


def _stands_for(
    app: App,
    module: Module,
    node: s.Node,
    function: Function | None,
    symbol: Variable | Function | Class,
) -> bool:
    if isinstance(node, s.Name) and function is not None:
        if app.types.locals.lookup(node.id, node.start, function) is not None:
            return False
    named = app.linker.expression(node, module, function)
    if isinstance(symbol, Variable):
        return (
            isinstance(named, Variable)
            and named.module is symbol.module
            and named.name == symbol.name
            and not _is_bound(module, node)
        )
    return isinstance(named, (Function, Class)) and named.node is symbol.node


def _is_bound(module: Module, node: s.Node) -> bool:
    return any(
        target.start == node.start
        for statement in module.facts.body
        if isinstance(statement, (s.Assign, s.AnnAssign))
        for target in (statement.targets if isinstance(statement, s.Assign) else [statement.target])
    )


def _running(function: Function | None, node: s.Node) -> Function | None:
    """Return the function whose body runs a node: defaults and annotations run where it is defined."""
    while function is not None and node.start < function.node.body[0].start:
        function = function.outer
    return function


def _refuse_exports(
    app: App, module: Module, symbol: Variable | Function | Class, found: list[Use]
) -> None:
    """Raise Kept for an import that only hands the name on, or that stands in a function."""
    if not isinstance(symbol, Variable):
        return
    top = {statement.start for statement in module.facts.body}
    for statement in module.import_statements:
        if not isinstance(statement, s.ImportFrom):
            continue
        for alias in statement.names:
            if alias.name != symbol.name:
                continue
            origin = module.absolute(statement.module, statement.level)
            named = app.linker.dotted(f"{origin}.{alias.name}", module.path)
            if not isinstance(named, Variable) or named.module is not symbol.module:
                continue
            local = alias.asname or alias.name
            is_used = any(
                u.module is module and isinstance(u.node, s.Name) and u.node.id == local
                for u in found
            )
            if module.is_package or statement.start not in top or not is_used:
                raise Kept(module, statement, f"{symbol.name} is imported to be found here")


def outermost(function: Function) -> Function:
    """Return the function that a nested one stands in."""
    while function.outer is not None:
        function = function.outer
    return function


def roots(app: App) -> dict[int, Function]:
    """Return endpoints and dependencies, by their nodes: what FastAPI fills the parameters of."""
    found = {id(endpoint.node): endpoint for endpoint in app.endpoints}
    for route in app.routes:
        for dependency in route.all_dependencies():
            if dependency.function is not None:
                found.setdefault(id(dependency.function.node), dependency.function)
    return found


def is_wrapped(app: App, function: Function) -> bool:
    """Whether decorators other than those that declare routes stand above a function."""
    declared = {id(route.record.node) for route in app.routes_for(function)}
    return any(id(decorator) not in declared for decorator in function.node.decorators)


def written_in(
    module: Module | None, path: str, origin: str, name: str | None, alias: str | None = None
) -> Brought:
    """Return how a thing is written in a module, or in one that is new (None). Raises Kept where it cannot be."""
    if origin == "builtins" and name is not None:
        return Brought(name, ())
    needed = Import(path, origin, name, alias)
    if module is None:
        return Brought(alias or name or origin, (needed,))
    if module.name == origin and name is not None:
        return Brought(name, ())
    if alias is not None:
        stands_for = module_level_imports(module).get(alias)
        if stands_for == (f"{origin}.{name}" if name else origin):
            return Brought(alias, ())
        if not is_taken(module, alias):
            return Brought(alias, (needed,))
    brought = bring(module, origin, name) if alias is None else None
    if brought is None:
        raise Kept(
            module, module.facts.body[0], f"{alias or name or origin} means something else here"
        )
    return brought


def spelled(
    app: App, kind: Spelled, module: Module | None, path: str
) -> tuple[str, tuple[Import, ...]]:
    """Return how an expression is written in another module, or in one that is new (None). Raises Kept."""
    if kind.module is module:
        return text(kind.module, kind.node), ()
    imports: list[Import] = []
    written, done, source = "", kind.node.start, kind.module.source
    for node in sorted(s.walk(kind.node), key=lambda node: node.start):
        if not isinstance(node, s.Name):
            continue
        symbol = app.linker.name(node.id, kind.module)
        if isinstance(symbol, External) and symbol.name.startswith("builtins."):
            continue
        if symbol is None:
            raise Kept(kind.module, node, f"{node.id} is not known")
        brought = written_in(module, path, *_origin(kind.module, node.id))
        imports += brought.imports
        written += source[done : node.start].decode() + brought.name
        done = node.end
    return written + source[done : kind.node.end].decode(), tuple(imports)


def _origin(module: Module, name: str) -> tuple[str, str | None, str | None]:
    """Return from where a module has a name: another module, the name in it, and its alias."""
    for statement in module.import_statements:
        for alias in statement.names:
            if (alias.asname or alias.name.partition(".")[0]) != name:
                continue
            if isinstance(statement, s.ImportFrom):
                origin = module.absolute(statement.module, statement.level)
                return origin, alias.name, alias.asname
            if alias.asname is None and "." in alias.name:
                raise Kept(module, statement, f"{name} is imported in a way that is not copied")
            return alias.name, None, alias.asname
    return module.name, name, None


def refuse_names(app: App, symbol: Variable | Function | Class) -> None:
    """Raise Kept where tests name something of the application in a text: to put another thing in its place."""
    name = symbol.name
    for module in app.tests:
        if name.encode() not in module.source:
            continue
        patched = {
            id(argument)
            for node in module.walk()
            if isinstance(node, s.Call) and s.last_name(node.func) in _PATCHING
            for argument in node.args
        }
        for node in module.walk():
            value = s.string(node)
            if value is None or name not in value.split("."):
                continue
            if "." in value or id(node) in patched:
                raise Kept(module, node, "a test patches it by its name")


# -------------------------------------------------------------------- handing down


@dataclass
class Takers:
    """The functions that take a value, and where it is handed on."""

    app: App
    roots: dict[int, Function]
    functions: dict[int, Function] = field(default_factory=dict)
    """Those with a parameter for it."""
    holders: dict[int, Class] = field(default_factory=dict)
    """Classes whose objects keep it."""
    calls: dict[int, tuple[Use, s.Call]] = field(default_factory=dict)
    """Where it is handed on."""

    def add(self, module: Module, node: s.Node, function: Function | None) -> None:
        """Note that a node needs the value. Raises Kept where it cannot be given there."""
        if function is None or module.kind != "source":
            raise Kept(module, node, "is used outside of what answers requests")
        taker = outermost(function)
        if taker.owner is None or taker.name == "__init__":
            self._function(taker)
        if taker.owner is not None:
            self._class(taker.owner, taker)

    def _function(self, function: Function) -> None:
        if id(function.node) in self.functions:
            return
        self.functions[id(function.node)] = function
        if function.owner is not None:
            return
        is_root = id(function.node) in self.roots
        if is_wrapped(self.app, function):
            raise Kept(function.module, function.node, f"{function.name} is decorated")
        if any(each.kind not in {"plain", "keyword"} for each in function.node.params):
            raise Kept(
                function.module,
                function.node,
                f"{function.name} takes arguments that are not named",
            )
        called = 0
        for use in uses(self.app, function):
            call = _call(use)
            if call is not None:
                called += 1
                self._handed(use, call)
            elif not is_root:
                raise Kept(use.module, use.node, f"{function.name} is named outside of requests")
        if not called and not is_root:
            raise Kept(function.module, function.node, f"no request reaches {function.name}")

    def _class(self, cls: Class, method: Function) -> None:
        app, node = self.app, cls.node
        if (
            method.is_static
            or "classmethod" in method.decorator_names
            or id(method.node) in self.roots
        ):
            raise Kept(
                cls.module, method.node, f"{method.qualname} has no object that could keep it"
            )
        if id(node) in self.holders:
            return
        self.holders[id(node)] = cls
        if node.decorators or node.bases or node.keywords or app.subclasses(cls) or cls.outer:
            raise Kept(cls.module, node, f"{cls.name} is no plain class")
        init = cls.own_methods.get("__init__")
        if init is not None:
            self._function(init)
        made_by_fastapi = init is not None and id(init.node) in self.roots
        named = cls.name.encode()
        typed = {
            node
            for each in app.modules.values()
            if named in each.source
            for node in annotated(each)
        }
        made = 0
        for use in uses(app, cls):
            call = _call(use)
            if call is not None and call.func is use.node:
                made += 1
                self._handed(use, call)
            elif id(use.node) not in typed and not made_by_fastapi:
                raise Kept(use.module, use.node, f"{cls.name} is used as it is")
        if not made and not made_by_fastapi:
            raise Kept(cls.module, node, f"no request reaches {cls.name}")

    def _handed(self, use: Use, call: s.Call) -> None:
        self.add(use.module, use.node, use.function)
        self.calls[id(call)] = (use, call)


def _call(use: Use) -> s.Call | None:
    """Return the call that runs what a place names, at once or later."""
    for node in use.module.walk():
        if not isinstance(node, s.Call) or not node.start <= use.node.start < node.end:
            continue
        if node.func is use.node:
            return node
        if (
            any(argument is use.node for argument in node.args)
            and s.last_name(node.func) in _RUNNING
        ):
            return node
    return None


def takers_of(app: App, places: Iterable[Use]) -> Takers:
    """Return the functions around places, and all between them and the requests. Raises Kept."""
    takers = Takers(app, roots(app))
    for use in places:
        takers.add(use.module, use.node, use.function)
    return takers


def hand_down(
    takers: Takers,
    places: Iterable[Use],
    name: str,
    kind: Spelled | tuple[str, str],
    alias: tuple[str, str],
    member: Mapping[int, str] = MappingProxyType({}),
) -> tuple[list[Edit], list[Import]]:
    """Return what gives takers a value under a name, and writes it in ``places``. Raises Kept.

    ``kind``: its type, for plain functions (an expression, or a name of a module); ``alias``: module and
    name of the alias, for endpoints and dependencies; ``member``: the attribute of it that stands at a
    place, by the id of the node.
    """
    app = takers.app
    edits = [
        replace(use.module, use.node, written)
        for use in places
        if (written := _access(use.function, name) + member.get(id(use.node), ""))
        != text(use.module, use.node)
    ]
    edits += [
        add_argument(use.module, call, f"{name}={_access(use.function, name)}")
        for use, call in takers.calls.values()
    ]
    imports: list[Import] = []
    for function in takers.functions.values():
        is_root = id(function.node) in takers.roots
        written, wanted = _written(app, function.module, alias if is_root else kind)
        called = not is_root or any(_call(use) is not None for use in uses(app, function))
        edits.append(_parameter(function, f"{name}: {written}", by_name=called))
        imports += wanted
    for cls in takers.holders.values():
        written, wanted = _written(app, cls.module, kind)
        edits.append(_kept_by(cls, name, written))
        imports += wanted if "__init__" not in cls.own_methods else ()
    return edits, imports


def free_name(takers: Takers, places: Iterable[Use], names: Iterable[str]) -> str:
    """Return the first of names that means nothing else in any of the takers. Raises Kept."""
    own = {id(node) for use in places for node in s.walk(use.node)}
    for name in names:
        if _is_free(takers, name, own):
            return name
    first = next(iter(takers.functions.values()))
    raise Kept(first.module, first.node, "there is no free name for it in its users")


def _written(
    app: App, module: Module, kind: Spelled | tuple[str, str]
) -> tuple[str, tuple[Import, ...]]:
    if isinstance(kind, Spelled):
        return spelled(app, kind, module, module.path)
    brought = written_in(module, module.path, *kind)
    return brought.name, brought.imports


def _access(function: Function | None, name: str) -> str:
    """Return how a function writes the value."""
    top = outermost(function) if function is not None else None
    if top is None or top.owner is None or top.name == "__init__":
        return name
    return f"{top.node.params[0].name}.{name}"


def _is_free(takers: Takers, name: str, own: set[int]) -> bool:
    for function in takers.functions.values():
        for node in s.walk(function.node):
            is_named = isinstance(node, s.Name) and node.id == name and id(node) not in own
            if is_named or (isinstance(node, s.Parameter) and node.name == name):
                return False
    return not any(
        (isinstance(node, s.Attribute) and node.attr == name and s.last_name(node.value) == "self")
        or (isinstance(node, s.FunctionDef) and node.name == name)
        for cls in takers.holders.values()
        for node in s.walk(*cls.node.body)
    )


def _parameter(function: Function, written: str, *, by_name: bool) -> Edit:
    """Return the edit that adds a parameter without default.

    ``by_name``: somebody calls the function, so that no other argument may change its place.
    """
    module, node = function.module, function.node
    if not node.params:
        return insert(module, module.source.index(b"(", node.name_start) + 1, written)
    kinds = [each.kind for each in node.params]
    optional = next((each for each in node.params if each.default is not None), None)
    if not by_name and "keyword" not in kinds and optional is not None:
        return _before(module, optional, written)
    if optional is not None and "keyword" not in kinds:
        written = f"*, {written}"
    return _behind(module, node, written)


def _before(module: Module, parameter: s.Parameter, written: str) -> Edit:
    source = module.source
    if at.is_first(source, parameter.start):
        lines = f"{written},{at.newline(source)}{at.indentation(source, parameter.start)}"
        return insert(module, parameter.start, lines)
    return insert(module, parameter.start, f"{written}, ")


def _behind(module: Module, node: s.FunctionDef, written: str) -> Edit:
    source, last = module.source, node.params[-1]
    if not at.is_first(source, last.start):
        return insert(module, last.end, f", {written}")
    end, indentation = at.newline(source), at.indentation(source, last.start)
    comma = at.next_sign(source, last.end, node.end)
    if source[comma : comma + 1] != b",":
        return insert(module, last.end, f",{end}{indentation}{written},")
    return insert(module, at.next_line(source, comma), f"{indentation}{written},{end}")


def _kept_by(cls: Class, name: str, annotation: str) -> Edit:
    """Return the edit by which objects of a class keep a value from when they are made."""
    init = cls.own_methods.get("__init__")
    if init is None:
        lines = f"def __init__(self, {name}: {annotation}) -> None:\n    self.{name} = {name}"
        first = cls.node.body[0]
        if isinstance(first, s.ExprStmt):
            return insert_after(cls.module, first, f"\n{lines}")
        return insert_before(cls.module, first, f"{lines}\n\n")
    own = init.node.params[0].name
    line = f"{own}.{name} = {name}"
    body = init.node.body
    if all(isinstance(each, (s.Assign, s.AnnAssign)) and not _asks(each, own) for each in body):
        return insert_after(cls.module, body[-1], line)
    is_doc = isinstance(body[0], s.ExprStmt) and s.string(body[0].value) is not None
    if is_doc and len(body) == 1:
        return insert_after(cls.module, body[0], line)
    return insert_before(cls.module, body[1] if is_doc else body[0], line)


def _asks(statement: s.Stmt, own: str) -> bool:
    """Whether a statement of ``__init__`` calls a method of the object, which may need the value."""
    return any(
        isinstance(node, s.Call)
        and s.dotted(node.func) is not None
        and (s.dotted(node.func) or "").startswith(f"{own}.")
        for node in s.walk(statement)
    )
