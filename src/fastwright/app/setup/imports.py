"""Importing: which modules are executed, and what their names stand for."""

from __future__ import annotations

from fastwright.app.canonical import canonical
from fastwright.app.setup import constants
from fastwright.app.setup.machine import Machine
from fastwright.app.setup.symbols_of import class_value, closure
from fastwright.app.setup.values import (
    UNKNOWN,
    Const,
    Deferred,
    External,
    Items,
    ModuleValue,
    NamespaceValue,
    Value,
)
from fastwright.app.symbols import (
    Class,
    Function,
    Imported,
    Namespace,
    Variable,
)
from fastwright.app.symbols import (
    External as ExternalSymbol,
)
from fastwright.read import syntax as s
from fastwright.read.module import Module

_START = s.Opaque(0, 0)


def import_dotted(m: Machine, dotted: str, importer: str) -> Value:
    """Import a module as ``import dotted`` does and return the last one of its path."""
    found: Value | None = None
    name = ""
    for part in dotted.split("."):
        name = f"{name}.{part}" if name else part
        module = m.linker.module(name, importer)
        if module is not None:
            found = m.module(module)
            ensure(m, m.module(module))
        elif m.linker.index.is_package_dir(name, importer):
            found = NamespaceValue(Namespace(name, importer))
        else:
            found = External(canonical(dotted))
            if name == part:
                break
    return found if found is not None else UNKNOWN


def ensure(m: Machine, value: ModuleValue) -> None:
    """Execute a module that sets up routers; of any other follow only its imports."""
    if value.state != "fresh":
        return
    if value.module.path in m.relevance.modules:
        execute_module(m, value)
        return
    value.state = "passed"
    module = value.module
    for fact in module.header.imports:
        if fact.when != "import":
            continue
        origin = module.absolute(fact.module, fact.level)
        if not _is_ours(m, origin, module.path):
            continue
        import_dotted(m, origin, module.path)
        for name in fact.names:
            import_submodule(m, origin, name, module.path)


def _is_ours(m: Machine, dotted: str, importer: str) -> bool:
    if not dotted:
        return False
    return m.linker.module(dotted, importer) is not None or m.linker.index.is_package_dir(
        dotted, importer
    )


def import_submodule(m: Machine, package: str, name: str, importer: str) -> None:
    """Execute ``package.name`` if that is a module."""
    if name != "*" and (module := m.linker.module(f"{package}.{name}", importer)) is not None:
        ensure(m, m.module(module))


def execute_module(m: Machine, value: ModuleValue) -> None:
    """Execute the top level of a module."""
    value.state = "running"
    with m.guard(value.frame.site(_START)):
        m.execute(m, value.module.facts.body, value.frame)
    value.state = "done"


def member(m: Machine, value: ModuleValue, name: str, hops: int = 0) -> Value | None:
    """Return what ``name`` stands for in a module, None if it has no such name."""
    found = value.frame.names.get(name)
    if found is None:
        found = _special(value, name)
    if found is None:
        found = _unexecuted(m, value, name, hops)
    if isinstance(found, Deferred):
        found = force(m, found, hops)
    if found is not None:
        return found
    for star in _stars(m, value):
        if not name.startswith("_") and hops < 40:
            found = member(m, star, name, hops + 1)
            if found is not None:
                return found
    return _submodule(m, value, name)


def force(m: Machine, deferred: Deferred, hops: int = 0) -> Value | None:
    """Return what an imported name stands for."""
    if hops > 40:
        return None
    return member(m, deferred.origin, deferred.name, hops + 1)


def _special(value: ModuleValue, name: str) -> Value | None:
    module = value.module
    if name == "__name__":
        return Const(module.name)
    if name == "__package__":
        return Const(module.package)
    if name == "__file__":
        return Const(module.path)
    if name == "__path__" and module.is_package:
        return Items("list", [Const(module.path.rpartition("/")[0])])
    return None


def _unexecuted(m: Machine, value: ModuleValue, name: str, hops: int) -> Value | None:
    """Find a name in a module whose top level was not (or not yet) executed so far."""
    binding = m.linker.scope(value.module).names.get(name)
    if binding is None:
        return None
    names = value.frame.names  # a definition that needs itself finds UNKNOWN there
    if isinstance(binding, Function):
        if binding.node.decorators and value.state == "passed":
            return _decorated(m, value, name, binding)
        names[name] = UNKNOWN
        names[name] = found = closure(m, binding, value.frame)
        return found
    if isinstance(binding, Class):
        names[name] = UNKNOWN
        names[name] = made = class_value(m, binding, value.frame)
        return made
    if isinstance(binding, Variable):
        return _variable(m, value, binding)
    if isinstance(binding, Imported):
        return _imported(m, value, name, binding, hops)
    return None


def _decorated(m: Machine, value: ModuleValue, name: str, function: Function) -> Value:
    """A function of an unexecuted module: its decorators are evaluated now."""
    value.frame.names[name] = closure(m, function, value.frame)
    with m.guard(value.frame.site(function.node)):
        m.execute(m, [function.node], value.frame)
    return value.frame.names[name]


def _variable(m: Machine, value: ModuleValue, variable: Variable) -> Value | None:
    if value.state in {"running", "done"}:
        return None
    if len(variable.values) == 1 and isinstance(variable.values[0], s.Constant):
        found = m.evaluate(m, variable.values[0], value.frame)
        value.frame.names[variable.name] = found
        return found
    execute_module(m, value)
    return value.frame.names.get(variable.name, UNKNOWN)


def _imported(
    m: Machine, value: ModuleValue, name: str, binding: Imported, hops: int
) -> Value | None:
    if value.state == "running" or hops > 40:
        return None
    path = value.module.path
    if binding.is_module:
        found = import_dotted(m, binding.dotted, path)
    else:
        origin, _, last = binding.dotted.rpartition(".")
        found = from_import(m, origin, last, path)
        if isinstance(found, Deferred):
            found = force(m, found, hops) or UNKNOWN
    value.frame.names[name] = found
    return found


def from_import(m: Machine, origin: str, name: str, importer: str) -> Value:
    """Return what ``from origin import name`` binds, executing what it imports."""
    package = import_dotted(m, origin, importer)
    import_submodule(m, origin, name, importer)
    if isinstance(package, ModuleValue):
        return Deferred(package, name)
    if isinstance(package, NamespaceValue):
        module = m.linker.module(f"{origin}.{name}", importer)
        if module is not None:
            return m.module(module)
        if m.linker.index.is_package_dir(f"{origin}.{name}", importer):
            return NamespaceValue(Namespace(f"{origin}.{name}", importer))
    return constants.settle(External(canonical(f"{origin}.{name}")))


def resolved(m: Machine, value: Value) -> Value:
    """Return what a name that was just imported stands for."""
    return (force(m, value) or UNKNOWN) if isinstance(value, Deferred) else value


def is_missing(m: Machine, dotted: str, importer: Module) -> bool:
    """Return whether importing ``dotted`` surely fails: its package is here, it is not."""
    first = dotted.partition(".")[0]
    if m.linker.module(dotted, importer.path) is not None:
        return False
    if m.linker.index.is_package_dir(dotted, importer.path):
        return False
    return m.linker.module(first, importer.path) is not None


def _stars(m: Machine, value: ModuleValue) -> list[ModuleValue]:
    if value.state in {"running", "done"}:
        return value.stars
    found: list[ModuleValue] = []
    for dotted in m.linker.scope(value.module).stars:
        module = m.linker.module(dotted, value.module.path)
        if module is not None:
            found.append(m.module(module))
    return found


def _submodule(m: Machine, value: ModuleValue, name: str) -> Value | None:
    if not value.module.is_package:
        return None
    module = m.linker.module(f"{value.module.name}.{name}", value.module.path)
    if module is None:
        return None
    found = m.module(module)
    ensure(m, found)
    return found


def from_symbol(m: Machine, symbol: object) -> Value:
    """Return the value that a symbol of the linker stands for."""
    if isinstance(symbol, ExternalSymbol):
        return External(symbol.name)
    if isinstance(symbol, (Function, Class)) and symbol.qualname == symbol.name:
        origin = m.module(symbol.module)
        return member(m, origin, symbol.name) or UNKNOWN
    return UNKNOWN
