"""Relevance: which modules and functions set up routers, so that no others need be executed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import msgspec

from fastwright.app.symbols import Class, Function, Linker
from fastwright.read import syntax as s
from fastwright.read.module import Module

APP_CLASSES = frozenset({"FastAPI", "Starlette", "Cadwyn"})
ROUTER_CLASSES = APP_CLASSES | {"APIRouter", "InferringRouter"}

VERBS = frozenset(
    {
        "get", "post", "put", "patch", "delete", "head", "options", "trace", "api_route", "route",
        "websocket", "websocket_route",
    }
)  # fmt: skip

OPERATIONS = frozenset(
    {
        "include_router", "add_api_route", "add_api_websocket_route", "add_route",
        "add_websocket_route", "add_middleware", "add_exception_handler", "add_event_handler",
        "exception_handler", "api_route", "websocket_route", "mount",
        "generate_and_include_versioned_routers",
    }
)  # fmt: skip

_DECORATORS = VERBS | {"middleware", "exception_handler", "on_event"}
_MARKS = frozenset(
    {"FastAPI", "APIRouter", "include_router", "add_api_route", "fastapi", "starlette", "router"}
)
_TOO_COMMON = VERBS | {"__init__", "__call__", "run", "main", "add", "update", "append", "register"}


class Relevance(msgspec.Struct, frozen=True, eq=False, dict=True):
    """Which modules and functions matter to set-up."""

    modules: frozenset[str]
    """Paths of the modules whose top level is executed."""
    names: frozenset[str]
    """Names of functions and classes that, called, may set up routers."""
    router_classes: frozenset[str]
    app_classes: frozenset[str]
    functions: tuple[Function, ...]
    """Top-level functions and methods of the modules that were looked at."""
    paths: tuple[str, ...]
    """Of every module of the project, sorted."""

    @cached_property
    def methods(self) -> dict[str, tuple[Function, ...]]:
        """The methods that may set up routers, by name."""
        found: dict[str, tuple[Function, ...]] = {}
        for function in self.functions:
            if function.owner is not None and self.sets_up(function):
                found[function.name] = (*found.get(function.name, ()), function)
        return found

    def below(self, folder: str) -> list[tuple[str, bool]]:
        """Return name and whether it is a package of each module directly in ``folder``."""
        found: list[tuple[str, bool]] = []
        for path in self.paths:
            if not path.startswith(f"{folder}/"):
                continue
            rest = path[len(folder) + 1 :]
            if "/" not in rest and rest.endswith(".py") and rest != "__init__.py":
                found.append((rest.removesuffix(".py"), False))
            elif rest.count("/") == 1 and rest.endswith("/__init__.py"):
                found.append((rest.partition("/")[0], True))
        return found

    def function(self, function: Function) -> bool:
        """Return whether calling ``function`` may set up routers."""
        return not self.names.isdisjoint(function.node.called)

    def sets_up(self, function: Function) -> bool:
        """Return whether calling ``function`` may set up routers, or declares routes itself."""
        return self.function(function) or not VERBS.isdisjoint(function.node.called)

    def makes_app(self, function: Function) -> bool:
        """Return whether the body of ``function`` itself makes an application."""
        return not self.app_classes.isdisjoint(function.node.called)

    def operates(self, function: Function) -> bool:
        """Return whether the body of ``function`` itself works on a router."""
        called = function.node.called
        return not (OPERATIONS.isdisjoint(called) and self.router_classes.isdisjoint(called))


def relevance(linker: Linker, modules: Iterable[Module]) -> Relevance:
    """Look at the modules that mention routers and say which of them matter."""
    every = list(modules)
    routers = _subclasses(every, ROUTER_CLASSES)
    apps = _subclasses(every, APP_CLASSES)
    mentioned = routers | _MARKS
    marked = [
        module
        for module in every
        if not mentioned.isdisjoint(module.header.marks)
        or any(not mentioned.isdisjoint(fact.names) for fact in module.header.imports)
    ]
    functions = tuple(f for m in marked for f in _functions(linker, m))
    names = _names(functions, routers)
    makers = names - OPERATIONS
    executed = {m.path for m in marked if _sets_up(m.facts.body, routers)}
    holders = _holders(marked, executed, routers)
    for module in every:
        if module.path in executed:
            continue
        calls = _imports(module, makers) and _calls(module.facts.body, makers)
        if calls or (_imports(module, holders) and _sets_up(module.facts.body, routers)):
            executed.add(module.path)
    paths = tuple(sorted(module.path for module in every))
    return Relevance(frozenset(executed), names, routers, apps, functions, paths)


def _holders(modules: list[Module], executed: set[str], routers: frozenset[str]) -> frozenset[str]:
    """Return the names that hold routers at module level, and those of their modules."""
    found: set[str] = set()
    for module in modules:
        if module.path not in executed:
            continue
        for node in module.facts.body:
            if isinstance(node, s.Assign) and s.last_name(node.value) in routers:
                found.update(
                    t.id for target in node.targets for t in s.walk(target) if isinstance(t, s.Name)
                )
                found.add(module.name.rpartition(".")[2])
    return frozenset(found)


def _imports(module: Module, names: frozenset[str]) -> bool:
    return any(
        not names.isdisjoint(fact.names) or fact.module.rpartition(".")[2] in names
        for fact in module.header.imports
    )


def _calls(body: list[s.Stmt], names: frozenset[str]) -> bool:
    """Return whether executing ``body`` itself calls one of ``names``."""
    return any(
        isinstance(node, s.Call) and s.last_name(node.func) in names for node in s.walk_scope(*body)
    )


def _subclasses(modules: list[Module], roots: frozenset[str]) -> frozenset[str]:
    """Return the names of the classes that inherit, by name, from one of ``roots``."""
    below: dict[str, set[str]] = {}
    for module in modules:
        for fact in module.header.classes:
            for base in fact.bases:
                below.setdefault(base, set()).add(fact.name)
    found = set(roots)
    pending = list(roots)
    while pending:
        for name in below.get(pending.pop(), ()):
            if name not in found:
                found.add(name)
                pending.append(name)
    return frozenset(found)


def _sets_up(body: list[s.Stmt], routers: frozenset[str]) -> bool:
    """Return whether executing ``body`` (or calling what it defines) works on routers."""
    wanted = routers | OPERATIONS
    for node in s.walk_scope(*body):
        if isinstance(node, s.Call):
            if s.last_name(node.func) in wanted:
                return True
        elif isinstance(node, s.FunctionDef):
            if not wanted.isdisjoint(node.called) or is_route(node):
                return True
        elif isinstance(node, s.ClassDef) and _sets_up(node.body, routers):
            return True
    return False


def is_route(node: s.FunctionDef) -> bool:
    """Return whether a decorator looks like a route's: ``@name.get(...)``."""
    return any(
        isinstance(decorator, s.Call)
        and isinstance(decorator.func, s.Attribute)
        and decorator.func.attr in _DECORATORS
        for decorator in node.decorators
    )


def _functions(linker: Linker, module: Module) -> Iterator[Function]:
    for binding in linker.scope(module).names.values():
        if isinstance(binding, Function):
            yield binding
        elif isinstance(binding, Class):
            yield from binding.own_methods.values()


def _names(functions: tuple[Function, ...], routers: frozenset[str]) -> frozenset[str]:
    """Return the names through which calls lead to operations on routers."""
    callers: dict[str, set[str]] = {}
    for function in functions:
        name = function.name
        if function.owner is not None and name == "__init__":
            name = function.owner.name
        for called in function.node.called:
            callers.setdefault(called, set()).add(name)
    found = set(OPERATIONS | routers)
    pending = list(found)
    while pending:
        for name in callers.get(pending.pop(), ()):
            if name not in found and name not in _TOO_COMMON:
                found.add(name)
                pending.append(name)
    return frozenset(found)
