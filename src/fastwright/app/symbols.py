"""Symbols: what a name means, followed through imports, re-exports and star imports.

``Linker`` answers questions about names across the project. It reads modules on demand and
remembers every answer; it never looks at types (see ``infer``).
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeAlias, Union

import msgspec

from fastwright.app.canonical import canonical
from fastwright.app.library import Library
from fastwright.read import syntax as s
from fastwright.read.module import Module

_BUILTINS = frozenset(dir(builtins))
_MAX_HOPS = 40


class ModuleNames(Protocol):
    """How dotted names map to files: ``project.source_roots.ModuleIndex``."""

    def resolve(self, dotted: str, importer: str) -> str | None:
        """Return the path of the module ``dotted`` as seen from the file ``importer``."""

    def name(self, path: str) -> str:
        """Return the dotted name under which a file is imported."""

    def is_package_dir(self, dotted: str, importer: str) -> bool:
        """Return whether ``dotted`` is a folder of the project without an ``__init__``."""


class Function(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A function or method of the project."""

    module: Module
    node: s.FunctionDef
    qualname: str
    owner: Class | None = None
    """The class that it is a method of."""
    outer: Function | None = None
    """The function that it is nested in."""

    @property
    def id(self) -> str:
        """``package.module:Class.method``."""
        return f"{self.module.name}:{self.qualname}"

    @property
    def name(self) -> str:
        """The plain name."""
        return self.node.name

    @property
    def is_async(self) -> bool:
        """Whether calling it gives a coroutine or an async generator."""
        return self.node.is_async

    @cached_property
    def decorator_names(self) -> frozenset[str]:
        """Last components of the decorators' names (``property``, ``get``, ``cached_property``)."""
        return frozenset(filter(None, (s.last_name(d) for d in self.node.decorators)))

    @property
    def is_static(self) -> bool:
        """Whether it is a staticmethod."""
        return "staticmethod" in self.decorator_names

    @property
    def is_property(self) -> bool:
        """Whether reading the attribute calls it."""
        return not self.decorator_names.isdisjoint(
            {"property", "cached_property", "hybrid_property", "computed_field"}
        )

    @cached_property
    def parameters(self) -> list[s.Parameter]:
        """The parameters that a caller gives: without ``self`` or ``cls``."""
        params = self.node.params
        bound = self.owner is not None and not self.is_static
        return params[1:] if bound and params else params

    def __repr__(self) -> str:
        return f"<Function {self.id}>"


class Class(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A class of the project."""

    module: Module
    node: s.ClassDef
    qualname: str
    outer: Function | None = None
    """The function that it is defined in."""

    @property
    def id(self) -> str:
        """``package.module:Class``."""
        return f"{self.module.name}:{self.qualname}"

    @property
    def name(self) -> str:
        """The plain name."""
        return self.node.name

    @cached_property
    def own_methods(self) -> dict[str, Function]:
        """Methods defined in the class body itself, conditional ones included."""
        found: dict[str, Function] = {}
        for node in _definitions(self.node.body):
            if isinstance(node, s.FunctionDef):
                # A property's setter has the getter's name: the first definition stays.
                found.setdefault(
                    node.name, Function(self.module, node, f"{self.qualname}.{node.name}", self)
                )
        return found

    @cached_property
    def own_attributes(self) -> dict[str, s.AnnAssign | s.Assign]:
        """Annotated or assigned names of the class body itself, in order."""
        found: dict[str, s.AnnAssign | s.Assign] = {}
        for node in _definitions(self.node.body):
            if isinstance(node, s.AnnAssign) and isinstance(node.target, s.Name):
                found[node.target.id] = node
            elif isinstance(node, s.Assign):
                for target in node.targets:
                    if isinstance(target, s.Name):
                        found[target.id] = node
        return found

    @cached_property
    def own_classes(self) -> dict[str, Class]:
        """Classes nested in the class body."""
        return {
            node.name: Class(self.module, node, f"{self.qualname}.{node.name}")
            for node in self.node.body
            if isinstance(node, s.ClassDef)
        }

    def __repr__(self) -> str:
        return f"<Class {self.id}>"


class Variable(msgspec.Struct, frozen=True):
    """A name bound at module level by assignment; ``values`` in source order."""

    module: Module
    name: str
    annotation: s.Expr | None
    values: tuple[s.Expr, ...]

    @property
    def value(self) -> s.Expr | None:
        """The first value that is not None: what the name stands for when all goes well."""
        for value in self.values:
            if not (isinstance(value, s.Constant) and value.kind == "none"):
                return value
        return self.values[0] if self.values else None


class External(msgspec.Struct, frozen=True):
    """Something that is not in the project: its canonical dotted name (``fastapi.Depends``)."""

    name: str


class Namespace(msgspec.Struct, frozen=True):
    """A folder of the project without ``__init__``, as an imported name."""

    dotted: str
    importer: str


Symbol: TypeAlias = Union[Module, Function, Class, Variable, External, Namespace]


class Imported(msgspec.Struct, frozen=True):
    """A name bound by an import statement: the dotted name that it stands for."""

    dotted: str
    is_module: bool
    """``import a.b``: surely a module."""


Binding: TypeAlias = Union[Function, Class, Variable, Imported]


class Scope(msgspec.Struct, frozen=True):
    """What a module binds at its top level."""

    names: dict[str, Binding]
    stars: tuple[str, ...]
    """Absolute names of modules that are star-imported."""


def _definitions(body: Iterable[s.Stmt]) -> Iterator[s.Stmt]:
    """Yield statements of a body and of the if/try/with blocks in it, in source order."""
    for node in body:
        yield node
        if isinstance(node, s.If):
            for branch in node.branches:
                yield from _definitions(branch.body)
            yield from _definitions(node.orelse)
        elif isinstance(node, s.Try):
            yield from _definitions(node.body)
            for handler in node.handlers:
                yield from _definitions(handler.body)
            yield from _definitions(node.orelse)
            yield from _definitions(node.finalbody)
        elif isinstance(node, (s.With, s.For, s.While)):
            yield from _definitions(node.body)


def targets(node: s.Expr) -> Iterator[s.Expr]:
    """Yield the single targets of an assignment target, tuples taken apart."""
    if isinstance(node, (s.Tuple, s.List)):
        for element in node.elts:
            yield from targets(element)
    elif isinstance(node, s.Starred):
        yield from targets(node.value)
    else:
        yield node


def is_abstract(function: Function) -> bool:
    """Return whether a method only declares: abstract, ``...``, ``pass`` or NotImplementedError."""
    if "abstractmethod" in function.decorator_names:
        return True
    body = [
        node
        for node in function.node.body
        if not (isinstance(node, s.ExprStmt) and s.string(node.value) is not None)
    ]
    if not body:
        return True
    only = body[0]
    if len(body) > 1:
        return False
    if isinstance(only, s.Flow):
        return only.keyword == "pass"
    if isinstance(only, s.ExprStmt):
        return isinstance(only.value, s.Constant) and only.value.kind == "ellipsis"
    return isinstance(only, s.Raise) and s.last_name(only.exc) == "NotImplementedError"


def module_scope(module: Module) -> Scope:
    """Return what ``module`` binds at its top level."""
    return _scope(module, module.facts.body, None)


def function_scope(function: Function) -> Scope:
    """Return the functions, classes and imports that a function's body binds."""
    return _scope(function.module, function.node.body, function)


def _scope(module: Module, body: list[s.Stmt], outer: Function | None) -> Scope:
    names: dict[str, Binding] = {}
    stars: list[str] = []
    prefix = f"{outer.qualname}.<locals>." if outer is not None else ""
    for node in _definitions(body):
        if isinstance(node, s.FunctionDef):
            names[node.name] = Function(module, node, prefix + node.name, None, outer)
        elif isinstance(node, s.ClassDef):
            names[node.name] = Class(module, node, prefix + node.name, outer)
        elif isinstance(node, s.Assign):
            for target in node.targets:
                _bind_assignment(module, names, target, node.value, None)
        elif isinstance(node, s.AnnAssign):
            _bind_assignment(module, names, node.target, node.value, node.annotation)
        elif isinstance(node, s.TypeAliasStmt):
            names[node.name] = Variable(module, node.name, None, (node.value,))
        elif isinstance(node, s.With):
            for item in node.items:
                if isinstance(item.optional_vars, s.Name):
                    name = item.optional_vars.id
                    names[name] = Variable(module, name, None, (item.context_expr,))
        elif isinstance(node, s.Import):
            for alias in node.names:
                dotted = alias.name if alias.asname else alias.name.partition(".")[0]
                _bind_import(names, alias.asname or dotted, Imported(dotted, is_module=True))
        elif isinstance(node, s.ImportFrom):
            origin = module.absolute(node.module, node.level)
            for alias in node.names:
                if alias.name == "*":
                    stars.append(origin)
                else:
                    dotted = f"{origin}.{alias.name}" if origin else alias.name
                    imported = Imported(dotted, is_module=False)
                    _bind_import(names, alias.asname or alias.name, imported)
    return Scope(names, tuple(stars))


def _bind_import(names: dict[str, Binding], name: str, imported: Imported) -> None:
    """Bind unless an earlier import did: ``try: import a / except: import b`` means ``a``."""
    if not isinstance(names.get(name), Imported):
        names[name] = imported


def _bind_assignment(
    module: Module,
    names: dict[str, Binding],
    target: s.Expr,
    value: s.Expr | None,
    annotation: s.Expr | None,
) -> None:
    if isinstance(target, (s.Tuple, s.List)):
        values: list[s.Expr | None] = [None] * len(target.elts)
        if isinstance(value, (s.Tuple, s.List)) and len(value.elts) == len(target.elts):
            values = list(value.elts)
        for element, part in zip(target.elts, values, strict=True):
            _bind_assignment(module, names, element, part, None)
        return
    if not isinstance(target, s.Name):
        return
    before = names.get(target.id)
    given = (value,) if value is not None else ()
    if isinstance(before, Variable):
        names[target.id] = Variable(
            module, target.id, before.annotation or annotation, before.values + given
        )
    elif before is None or not _is_fallback(value):
        names[target.id] = Variable(module, target.id, annotation, given)


def _is_fallback(value: s.Expr | None) -> bool:
    """``except ImportError: name = None`` must not hide the import before it."""
    return value is None or (isinstance(value, s.Constant) and value.kind in {"none", "bool"})


@dataclass(eq=False)
class Linker:
    """Names across the project."""

    index: ModuleNames
    load: Callable[[str], Module | None]
    """Path -> module, or None for a file that is not read."""
    library: Library
    _scopes: dict[str, Scope] = field(default_factory=dict)
    _members: dict[tuple[str, str], Symbol | None] = field(default_factory=dict)
    _dotted: dict[tuple[str, str], Symbol | None] = field(default_factory=dict)
    _locals: dict[int, Scope] = field(default_factory=dict)
    _bases: dict[int, tuple[tuple[Class | External, s.Expr], ...]] = field(default_factory=dict)
    _mro: dict[int, tuple[Class | External, ...]] = field(default_factory=dict)

    def scope(self, module: Module) -> Scope:
        """Return what ``module`` binds at its top level."""
        found = self._scopes.get(module.path)
        if found is None:
            found = self._scopes[module.path] = module_scope(module)
        return found

    def local_scope(self, function: Function) -> Scope:
        """Return the functions, classes and imports that the body of ``function`` binds."""
        key = id(function.node)
        found = self._locals.get(key)
        if found is None:
            found = self._locals[key] = function_scope(function)
        return found

    def module(self, dotted: str, importer: str) -> Module | None:
        """Return the project's module ``dotted`` as seen from the file ``importer``."""
        path = self.index.resolve(dotted, importer)
        return self.load(path) if path is not None else None

    def member(self, module: Module, name: str, hops: int = 0) -> Symbol | None:
        """Return what ``name`` means at the top level of ``module``, imports followed."""
        key = (module.path, name)
        if key in self._members:
            return self._members[key]
        self._members[key] = None  # a cycle of re-exports has no answer
        found = self._find_member(module, name, hops)
        self._members[key] = found
        return found

    def _find_member(self, module: Module, name: str, hops: int) -> Symbol | None:
        if hops > _MAX_HOPS:
            return None
        scope = self.scope(module)
        binding = scope.names.get(name)
        if binding is not None:
            return self._follow(binding, module, hops)
        for star in scope.stars:
            origin = self.module(star, module.path)
            if origin is None:
                continue
            if not name.startswith("_") and (found := self.member(origin, name, hops + 1)):
                return found
        if module.is_package and (sub := self.module(f"{module.name}.{name}", module.path)):
            return sub
        return None

    def _follow(self, binding: Binding, module: Module, hops: int) -> Symbol | None:
        if isinstance(binding, Imported):
            return self.dotted(binding.dotted, module.path, hops + 1)
        return binding

    def dotted(self, dotted: str, importer: str, hops: int = 0) -> Symbol | None:
        """Return what the absolute dotted name means in the file ``importer``."""
        key = (dotted, importer)
        if key in self._dotted:
            return self._dotted[key]
        found = self._find_dotted(dotted, importer, hops)
        if hops < _MAX_HOPS // 2:
            self._dotted[key] = found
        return found

    def _find_dotted(self, dotted: str, importer: str, hops: int) -> Symbol | None:
        if hops > _MAX_HOPS:
            return None
        head, rest = dotted, ""
        while head:
            module = self.module(head, importer)
            if module is not None and not (rest and module.path == importer and hops == 0):
                return self._descend(module, rest, hops)
            if module is not None:
                return self._descend(module, rest, hops + 1)
            head, _, last = head.rpartition(".")
            rest = f"{last}.{rest}" if rest else last
        if self.index.is_package_dir(dotted, importer):
            return Namespace(dotted, importer)
        return External(canonical(dotted))

    def _descend(self, module: Module, rest: str, hops: int) -> Symbol | None:
        symbol: Symbol | None = module
        while rest and symbol is not None:
            name, _, rest = rest.partition(".")
            symbol = self.attribute(symbol, name, hops)
        return symbol

    def attribute(self, symbol: Symbol, name: str, hops: int = 0) -> Symbol | None:
        """Return what ``symbol.name`` means where that needs no types."""
        if isinstance(symbol, Module):
            return self.member(symbol, name, hops + 1)
        if isinstance(symbol, Namespace):
            return self.dotted(f"{symbol.dotted}.{name}", symbol.importer, hops + 1)
        if isinstance(symbol, External):
            return External(canonical(f"{symbol.name}.{name}"))
        if isinstance(symbol, Class):
            return symbol.own_classes.get(name) or self.method(symbol, name)
        return None

    def name(self, name: str, module: Module, function: Function | None = None) -> Symbol | None:
        """Return what a plain name means inside ``function`` (or at module level).

        Local variables are not symbols: a name that a function assigns gives None here.
        """
        inner = function
        while inner is not None:
            binding = self.local_scope(inner).names.get(name)
            if isinstance(binding, Variable):
                return None
            if binding is not None:
                return self._follow(binding, module, 0)
            if any(parameter.name == name for parameter in inner.node.params):
                return None
            inner = inner.outer
        found = self.member(module, name)
        if found is None and name in _BUILTINS:
            return External(f"builtins.{name}")
        return found

    def expression(
        self, node: s.Node | None, module: Module, function: Function | None = None
    ) -> Symbol | None:
        """Return what a name or a chain of attributes means where that needs no types."""
        if isinstance(node, s.Name):
            return self.name(node.id, module, function)
        if isinstance(node, s.Attribute):
            base = self.expression(node.value, module, function)
            return self.attribute(base, node.attr) if base is not None else None
        if isinstance(node, s.Subscript):  # Generic[T], list[int]
            return self.expression(node.value, module, function)
        return None

    def external(
        self, node: s.Node | None, module: Module, function: Function | None = None
    ) -> str | None:
        """Return the canonical dotted name of something outside the project, or None."""
        found = self.expression(node, module, function)
        return found.name if isinstance(found, External) else None

    # ------------------------------------------------------------------ classes

    def bases(self, cls: Class) -> tuple[tuple[Class | External, s.Expr], ...]:
        """Return the bases that could be resolved, each with its expression (for type arguments)."""
        key = id(cls.node)
        found = self._bases.get(key)
        if found is None:
            resolved = []
            for base in cls.node.bases:
                symbol = self._base(base, cls)
                if isinstance(symbol, (Class, External)):
                    resolved.append((symbol, base))
            found = self._bases[key] = tuple(resolved)
        return found

    def _base(self, base: s.Expr, cls: Class) -> Symbol | None:
        symbol = self.expression(base, cls.module, cls.outer)
        hops = 0
        while isinstance(symbol, Variable) and hops < _MAX_HOPS:
            hops += 1
            made = next((v for v in symbol.values if isinstance(v, s.Call)), None)
            if made is not None:  # Base = declarative_base(), also beside a Base = Any for checkers
                return self._made(made, symbol.module)
            symbol = self.expression(symbol.value, symbol.module)
        return symbol

    def _made(self, call: s.Call, module: Module) -> External | None:
        """Return what a base is that a call makes: ``declarative_base()``, ``registry().generate_base()``."""
        name = self.external(call.func, module)
        if name is None and isinstance(call.func, s.Attribute):
            owner = self.expression(call.func.value, module)
            if isinstance(owner, Variable) and isinstance(owner.value, s.Call):
                made = self.external(owner.value.func, owner.module)
                name = f"{made}.{call.func.attr}" if made is not None else None
        return External(f"{name}()") if name is not None else None

    def mro(self, cls: Class) -> tuple[Class | External, ...]:
        """Return the class and its ancestors, nearest first (depth first, duplicates dropped)."""
        key = id(cls.node)
        if key in self._mro:
            return self._mro[key]
        self._mro[key] = (cls,)
        found: dict[object, Class | External] = {id(cls.node): cls}
        for base, _ in self.bases(cls):
            for ancestor in self.mro(base) if isinstance(base, Class) else (base,):
                mark = id(ancestor.node) if isinstance(ancestor, Class) else ancestor
                found.setdefault(mark, ancestor)
        self._mro[key] = tuple(found.values())
        return self._mro[key]

    def ancestors(self, cls: Class) -> frozenset[str]:
        """Return the canonical names of all ancestors outside the project."""
        return frozenset(a.name for a in self.mro(cls) if isinstance(a, External))

    def method(self, cls: Class, name: str) -> Function | None:
        """Return the method ``name`` of ``cls`` or the nearest ancestor that has it."""
        for ancestor in self.mro(cls):
            if isinstance(ancestor, Class) and (found := ancestor.own_methods.get(name)):
                return found
        return None

    def class_attribute(self, cls: Class, name: str) -> tuple[Class, s.AnnAssign | s.Assign] | None:
        """Return the class body statement that binds ``name``, and the class that holds it."""
        for ancestor in self.mro(cls):
            if isinstance(ancestor, Class) and (found := ancestor.own_attributes.get(name)):
                return ancestor, found
        return None
