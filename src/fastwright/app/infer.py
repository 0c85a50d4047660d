"""Light local type inference: what an expression is, as far as it can be known statically.

Follows annotations, constructors, return types, ``self`` attributes, dependency injection,
generics and database statements. Every question has an answer; most often ``UNKNOWN``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fastwright.app import orm
from fastwright.app.canonical import canonical
from fastwright.app.scopes import Bound, LocalNames, Where
from fastwright.app.symbols import (
    Class,
    External,
    Function,
    Linker,
    Namespace,
    Symbol,
    Variable,
    is_abstract,
)
from fastwright.app.types import (
    NONE,
    UNKNOWN,
    Alternatives,
    Awaitable,
    ClassObject,
    Context,
    ExternalValue,
    FunctionValue,
    Instance,
    LambdaValue,
    Literal,
    LoadOption,
    ModuleValue,
    NoneType,
    Query,
    Result,
    Sequence,
    Statement,
    Type,
    TypeVariable,
    alternatives,
    element,
    union,
)
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.read.reader import read

_CONSTRAINED = {
    "constr": "builtins.str", "conint": "builtins.int", "confloat": "builtins.float",
    "conbytes": "builtins.bytes", "condecimal": "decimal.Decimal", "condate": "datetime.date",
}  # fmt: skip
_CONSTRAINED_MANY = {"conlist": "list", "conset": "set", "confrozenset": "set"}
_MAX_DEPTH = 40
_MAX_CALLERS = 6
_MAX_PUT = 6
"""Places that put something into a list or dictionary, as many as are looked at."""
_LISTS = {
    "list": "list", "List": "list", "Sequence": "list", "Iterable": "iterator", "set": "set",
    "Set": "set", "frozenset": "set", "FrozenSet": "set", "Collection": "list", "deque": "list",
    "Iterator": "iterator", "Generator": "iterator", "AsyncGenerator": "iterator",
    "AsyncIterator": "iterator", "AsyncIterable": "iterator", "MutableSequence": "list",
    "InstrumentedList": "list", "ScalarResult": "iterator",
}  # fmt: skip
_DICTS = {"dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "OrderedDict"}
_WRAPPERS = {"Mapped", "Required", "NotRequired", "Final", "ClassVar", "Annotated", "ReadOnly",
             "WriteOnlyMapped", "DynamicMapped", "PrivateAttr", "InstanceOf", "SkipValidation",
             "FromDishka", "Injected"}  # fmt: skip
_MAX_HEIRS = 3
_MAX_LISTED = 12
_AWAITABLES = {"Awaitable", "Coroutine", "Future", "Task"}
_CONTEXT_DECORATORS = frozenset({"contextmanager", "asynccontextmanager"})


@dataclass(eq=False)
class Inference:
    """Answers what expressions are. One instance serves a whole application."""

    linker: Linker
    locals: LocalNames = field(default_factory=LocalNames)
    implementations: Callable[[Class], list[Class]] | None = None
    """Concrete classes of a Protocol or abstract class, once the App can tell."""
    behind_port: Callable[[Class], Type | None] | None = None
    """What a project gives where a port is asked for, which no class inherits from; None if not one thing."""
    class_named: Callable[[str], Type] = lambda _name: UNKNOWN
    state_named: Callable[[str], Type] = lambda _name: UNKNOWN
    """Find a table class by its plain name, once the App can tell."""
    callers_complete: bool = False
    """Set once all that requests reach was walked: later questions must not change answers."""
    _known: dict[int, Type] = field(default_factory=dict)
    _active: set[int] = field(default_factory=set)
    _returns: dict[int, Type] = field(default_factory=dict)
    _attributes: dict[tuple[int, str], Type] = field(default_factory=dict)
    _self_values: dict[int, dict[str, list[tuple[Function, s.Expr | None, s.Expr | None]]]] = field(
        default_factory=dict
    )
    _quoted: dict[str, s.Expr | None] = field(default_factory=dict)
    _callers: dict[int, list[tuple[s.Call, Where]]] = field(default_factory=dict)
    _depth: int = 0

    # -------------------------------------------------------------- expressions

    def of(self, node: s.Expr | None, where: Where) -> Type:
        """Return the type of ``node`` as it stands in ``where``."""
        if node is None:
            return UNKNOWN
        key = id(node)  # nodes live as long as their module does
        found = self._known.get(key)
        if found is not None:
            return found
        if key in self._active or self._depth > _MAX_DEPTH:
            return UNKNOWN
        self._active.add(key)
        self._depth += 1
        try:
            found = self._infer(node, where)
        finally:
            self._depth -= 1
            self._active.discard(key)
        if self._depth == 0 or found is not UNKNOWN:
            self._known[key] = found
        return found

    def _infer(self, node: s.Expr, where: Where) -> Type:
        match node:
            case s.Name():
                return self.name(node.id, node.start, where)
            case s.Attribute():
                return self.attribute(self.of(node.value, where), node.attr)
            case s.Call():
                return self._call(node, where)
            case s.Await():
                return self.awaited(self.of(node.value, where))
            case s.Constant():
                if node.kind == "none":
                    return NONE
                return Literal(node.value) if node.value is not None else UNKNOWN
            case s.JoinedStr():
                return Instance("builtins.str")
            case s.Subscript():
                return self._subscript(node, where)
            case s.BoolOp():
                return union([self.of(value, where) for value in node.values])
            case s.IfExp():
                return union([self.of(node.body, where), self.of(node.orelse, where)])
            case s.NamedExpr():
                return self.of(node.value, where)
            case s.List() | s.Set() | s.Tuple():
                return self._display(node, where)
            case s.Dict():
                return self._dictionary(node, where)
            case s.Comp():
                return self._comprehension(node, where)
            case s.Lambda():
                return LambdaValue(node)
            case s.BinOp():
                return self._binary(node, where)
            case s.Compare():
                return Instance("builtins.bool")
            case s.Starred():
                return UNKNOWN
            case _:
                return UNKNOWN

    def _binary(self, node: s.BinOp, where: Where) -> Type:
        left, right = self.of(node.left, where), self.of(node.right, where)
        if isinstance(left, Sequence) and isinstance(right, Sequence):
            return Sequence(left.kind, union([left.element, right.element]))
        if node.op == "%" and isinstance(left, Literal) and isinstance(left.value, str):
            return Instance("builtins.str")
        if isinstance(left, Literal) and isinstance(right, Literal) and node.op == "+":
            if isinstance(left.value, str) and isinstance(right.value, str):
                return Literal(left.value + right.value)
        if node.op == "/" and isinstance(left, Instance) and left.cls == "pathlib.Path":
            return left
        for side in (left, right):
            if isinstance(side, Instance) and side.cls == "column":
                return side
            if isinstance(side, Literal):
                return Instance(f"builtins.{type(side.value).__name__}")
        return UNKNOWN

    def _display(self, node: s.List | s.Set | s.Tuple, where: Where) -> Type:
        kind = {s.List: "list", s.Set: "set", s.Tuple: "tuple"}[type(node)]
        items = tuple(self.of(element_, where) for element_ in node.elts[:12])
        fixed = items if kind == "tuple" and len(node.elts) <= len(items) else None
        return Sequence(kind, union(list(items)), items=fixed)

    def _dictionary(self, node: s.Dict, where: Where) -> Type:
        values = [self.of(v, where) for v in node.values[:8]]
        keys = [self.of(k, where) for k in node.keys[:8] if k is not None]
        named = tuple(
            (key.value, value)
            for key, value in zip(keys, values, strict=False)
            if isinstance(key, Literal) and isinstance(key.value, str)
        )
        dispatches = len(named) == len(node.values) and all(
            isinstance(value, FunctionValue) or _is_class(value) for value in values
        )
        return Sequence("dict", union(values), union(keys), named=named if dispatches else ())

    def _comprehension(self, node: s.Comp, where: Where) -> Type:
        kind = "iterator" if node.kind == "generator" else node.kind
        key = self.of(node.key, where) if node.key is not None else None
        return Sequence(kind, self.of(node.elt, where), key)

    def _subscript(self, node: s.Subscript, where: Where) -> Type:
        base = self.of(node.value, where)
        if isinstance(base, ClassObject):
            arguments = node.slice.elts if isinstance(node.slice, s.Tuple) else [node.slice]
            args = tuple(self.annotation(argument, where) for argument in arguments)
            return ClassObject(base.cls, args)
        if isinstance(base, ExternalValue):  # list[int] as a value
            return base
        if isinstance(base, Sequence):
            if isinstance(node.slice, s.Slice):
                return Sequence(base.kind, base.element)
            if base.items is not None and isinstance(node.slice, s.Constant):
                index = node.slice.value
                if isinstance(index, int) and -len(base.items) <= index < len(base.items):
                    return base.items[index]
            return dict(base.named).get(s.string(node.slice) or "", base.element)
        if isinstance(base, (Result, Statement)):
            return element(base)
        if isinstance(base, Instance) and isinstance(base.cls, Class):
            method = self.linker.method(base.cls, "__getitem__")
            return self.returned(method, base) if method is not None else UNKNOWN
        return UNKNOWN

    # -------------------------------------------------------------------- names

    def name(self, name: str, offset: int, where: Where) -> Type:
        """Return the type of a plain name used at ``offset``."""
        function = where.function
        while function is not None:
            bound = self.locals.lookup(name, offset, function)
            if bound is not None:
                at = Where(where.module, function)
                found = self._grown(name, bound, self._bound(bound, at), function)
                rivals = self.locals.rivals(name, bound, offset, function)
                return (
                    union([found, *(self._bound(each, at) for each in rivals)]) if rivals else found
                )
            if name in self.linker.local_scope(function).names:
                break
            if function.owner is None and function.outer is None:
                break
            function = function.outer
        symbol = self.linker.name(name, where.module, where.function)
        if isinstance(symbol, Variable) and symbol.module is where.module and function is None:
            bound = self.locals.lookup(name, offset, where.module)
            if bound is not None and where.function is None:
                return self._bound(bound, Where(where.module))
        return self.symbol(symbol)

    def symbol(self, symbol: Symbol | None) -> Type:
        """Return the type of what a symbol stands for."""
        match symbol:
            case Module():
                return ModuleValue(symbol)
            case Function():
                return FunctionValue(symbol)
            case Class():
                return ClassObject(symbol)
            case External():
                return ExternalValue(symbol.name)
            case Variable():
                return self._variable(symbol)
            case Namespace() | None:
                return UNKNOWN

    def _variable(self, variable: Variable) -> Type:
        where = Where(variable.module)
        if variable.annotation is not None:
            if s.last_name(variable.annotation) == "TypeAlias":
                return self.of(variable.value, where)
            found = self.annotation(variable.annotation, where)
            if found is not UNKNOWN and not isinstance(found, NoneType):
                return self._listed_classes(variable, found, where) or found
        return self.of(variable.value, where) if variable.value is not None else UNKNOWN

    def _listed_classes(self, variable: Variable, declared: Type, where: Where) -> Type | None:
        """``KINDS: dict[str, type[Base]] = {"a": A, "b": B}``: the classes that it lists."""
        if not isinstance(variable.value, s.Dict) or not (
            isinstance(declared, Sequence) and isinstance(declared.element, ClassObject)
        ):
            return None
        values = variable.value.values
        found = [self.of(value, where) for value in values[:_MAX_LISTED]]
        if len(values) > _MAX_LISTED or not all(_is_class(kind) for kind in found):
            return None
        return Sequence("dict", union(found), declared.key)

    def _bound(self, bound: Bound, where: Where) -> Type:
        if bound.parameter is not None and where.function is not None:
            return self.parameter(bound.parameter, where.function)
        if bound.annotation is not None:
            found = self.annotation(bound.annotation, where)
            if found is not UNKNOWN:
                return found
        if bound.value is None or (bound.inside is None and bound.how == "opaque"):
            return UNKNOWN
        if bound.how == "caught":
            return self._caught(bound.value, where)
        found = self.of(bound.value, where)
        if bound.how == "element":
            found = element(found)
        elif bound.how in {"enter", "enter-async"}:
            found = self.entered(found)
        for position in bound.path:
            found = _item(found, position)
        return found

    def _grown(self, name: str, bound: Bound, found: Type, function: Function) -> Type:
        """What begins as ``[]`` or ``{}`` holds what its function puts into it."""
        if bound.how != "assign" or bound.path or not isinstance(found, Sequence):
            return found
        if found.element is not UNKNOWN or not _begins_empty(bound.value):
            return found
        where = Where(function.module, function)
        if found.kind == "dict":
            put = [
                (target.slice, node.value)
                for node, _ in self.locals.of_kind(function, s.Assign)
                for target in node.targets
                if isinstance(target, s.Subscript) and s.dotted(target.value) == name
            ][:_MAX_PUT]
            keys = union([self.of(key, where) for key, _ in put])
            return Sequence("dict", union([self.of(value, where) for _, value in put]), keys)
        held: list[Type] = []
        for node, _ in self.locals.of_kind(function, s.Call):
            if not isinstance(node.func, s.Attribute) or s.dotted(node.func.value) != name:
                continue
            given = self.of(node.args[0], where) if len(node.args) == 1 else UNKNOWN
            if node.func.attr in {"append", "add"}:
                held.append(given)
            elif node.func.attr in {"extend", "update"}:
                held.append(element(given))
        return Sequence(found.kind, union(held[:_MAX_PUT]))

    def _caught(self, node: s.Expr, where: Where) -> Type:
        kinds = node.elts if isinstance(node, s.Tuple) else [node]
        return union([instance_of(self.of(kind, where)) for kind in kinds])

    def parameter(self, parameter: s.Parameter, function: Function) -> Type:
        """Return the type of a parameter inside its function."""
        where = Where(function.module, function.outer)
        if function.owner is not None and function.node.params:
            if parameter is function.node.params[0] and not function.is_static:
                if "classmethod" in function.decorator_names or function.name == "__new__":
                    return ClassObject(function.owner)
                return Instance(function.owner)
        if parameter.annotation is not None:
            found = self.annotation(parameter.annotation, where)
            if parameter.kind == "args":
                return Sequence("tuple", found)
            if parameter.kind == "kwargs":
                return Sequence("dict", found)
            found = self._more_specific(found, parameter, where)
            if found is not UNKNOWN:
                return found
        provider = self.dependency_of(parameter, where)
        if provider is not None:
            return self.provided(provider)
        if parameter.default is not None:
            default = self.of(parameter.default, where)
            if isinstance(default, Literal):
                return Instance(f"builtins.{type(default.value).__name__}")
            if not isinstance(default, NoneType):
                return default
        return self._given(parameter, function)

    def called_by(self, function: Function, node: s.Call, where: Where) -> None:
        """Take note of a call of ``function``: it tells what its untyped parameters are."""
        if self.callers_complete:
            return
        known = self._callers.setdefault(id(function.node), [])
        if len(known) < _MAX_CALLERS:
            known.append((node, where))

    def _given(self, parameter: s.Parameter, function: Function) -> Type:
        """What the calls that are known by now pass for a parameter without a type."""
        callers = self._callers.get(id(function.node))
        if not callers or parameter.kind in {"args", "kwargs"}:
            return UNKNOWN
        names = [p.name for p in function.parameters]
        if parameter.name not in names:
            return UNKNOWN
        position = names.index(parameter.name)
        for node, where in callers:
            found = self.of(node.argument(position, parameter.name), where)
            if isinstance(found, Literal):
                return Instance(f"builtins.{type(found.value).__name__}")
            if found is not UNKNOWN and not isinstance(found, NoneType):
                return found
        return UNKNOWN

    def _more_specific(self, found: Type, parameter: s.Parameter, where: Where) -> Type:
        """A Protocol or abstract parameter is what its dependency really provides."""
        if isinstance(found, Instance) and isinstance(found.cls, Class) and self.is_port(found.cls):
            provider = self.dependency_of(parameter, where)
            if provider is not None:
                provided = self.provided(provider)
                is_instance = isinstance(provided, Instance) and isinstance(provided.cls, Class)
                if is_instance or isinstance(provided, FunctionValue):
                    return provided
            elif self.behind_port is not None:
                return self.behind_port(found.cls) or found
        if found is UNKNOWN:
            provider = self.dependency_of(parameter, where)
            if provider is not None:
                return self.provided(provider)
        return found

    # ------------------------------------------------------------- dependencies

    def dependency_of(self, parameter: s.Parameter, where: Where) -> Type | None:
        """Return the callable given to ``Depends`` for a parameter, or None without one."""
        marker = self.marker(parameter, where)
        if marker is None:
            return None
        call, at = marker
        provider = call.argument(0, "dependency")
        if provider is not None:
            return self.of(self._in_container(provider, at), at)
        found = self.annotation(parameter.annotation, where)
        return ClassObject(found.cls, found.args) if isinstance(found, Instance) else UNKNOWN

    def _in_container(self, provider: s.Expr, where: Where) -> s.Expr:
        """``Provide[Container.rates]`` of dependency-injector: the provider in the container."""
        if isinstance(provider, s.Subscript):
            name = self.linker.external(provider.value, where.module, where.function)
            if name in {"dependency_injector.wiring.Provide", "dependency_injector.wiring.Closing"}:
                return self._in_container(provider.slice, where)
        return provider

    def marker(self, parameter: s.Parameter, where: Where) -> tuple[s.Call, Where] | None:
        """Return the ``Depends(...)``/``Security(...)`` call of a parameter and where it stands."""
        if parameter.default is not None and (found := self.depends_call(parameter.default, where)):
            return found
        for metadata, at in self.metadata(parameter.annotation, where):
            if (found := self.depends_call(metadata, at)) is not None:
                return found
        return None

    def depends_call(self, node: s.Expr, where: Where) -> tuple[s.Call, Where] | None:
        """Return the ``Depends(...)`` call that an expression is or names, and where it stands."""
        if isinstance(node, s.Call):
            name = self.linker.external(node.func, where.module, where.function)
            if name in {"fastapi.Depends", "fastapi.Security", "fast_depends.Depends"}:
                return node, where
            return self._made_marker(node, where) if name is None else None
        if isinstance(node, s.Name):  # a marker kept in a variable
            symbol = self.linker.name(node.id, where.module, where.function)
            if isinstance(symbol, Variable) and isinstance(symbol.value, s.Call):
                return self.depends_call(symbol.value, Where(symbol.module))
        return None

    def _made_marker(self, node: s.Call, where: Where) -> tuple[s.Call, Where] | None:
        """Return the ``Depends(...)`` that a function of the project returns: ``Limit()``."""
        symbol = self.linker.expression(node.func, where.module, where.function)
        if not isinstance(symbol, Function) or "Depends" not in symbol.node.called:
            return None
        for inner in s.statements(symbol.node.body):
            if isinstance(inner, s.Return) and isinstance(inner.value, s.Call):
                name = self.linker.external(inner.value.func, symbol.module, symbol)
                if name in {"fastapi.Depends", "fastapi.Security"}:
                    return inner.value, Where(symbol.module, symbol)
        return None

    def metadata(self, node: s.Expr | None, where: Where) -> list[tuple[s.Expr, Where]]:
        """Return the metadata of ``Annotated[T, ...]``, aliases followed, with its place."""
        for _ in range(8):
            if isinstance(node, s.Subscript):
                name = self.linker.external(node.value, where.module, where.function)
                if name != "typing.Annotated" or not isinstance(node.slice, s.Tuple):
                    return []
                own = [(item, where) for item in node.slice.elts[1:]]
                return own + self.metadata(node.slice.elts[0], where)
            if isinstance(node, s.BinOp) and node.op == "|":
                return self.metadata(node.left, where) + self.metadata(node.right, where)
            text = s.string(node)
            if text is not None:
                node = self.quoted(text)
                continue
            symbol = self.linker.expression(node, where.module, where.function)
            if not isinstance(symbol, Variable):
                return []
            node, where = symbol.value, Where(symbol.module)
        return []

    def provided(self, provider: Type) -> Type:
        """Return what FastAPI injects for ``Depends(provider)``."""
        if isinstance(provider, FunctionValue):
            function = provider.function
            if function.node.is_generator:
                return self.yielded(function)
            return self.awaited(self.returned(function, provider.receiver))
        if isinstance(provider, ClassObject):
            return Instance(provider.cls, provider.args)
        if isinstance(provider, Instance) and isinstance(provider.cls, Class):
            method = self.linker.method(provider.cls, "__call__")
            if method is not None:
                return self.provided(FunctionValue(method, provider))
        return self.awaited(self.call(provider, None, None)) if provider is not UNKNOWN else UNKNOWN

    def yielded(self, function: Function) -> Type:
        """Return the type of what a generator function yields."""
        where = Where(function.module, function)
        if function.node.returns is not None:
            found = self.annotation(function.node.returns, where)
            if isinstance(found, Sequence) and found.element is not UNKNOWN:
                return found.element
            if isinstance(found, Instance):  # annotated with what it yields: common mistake
                return found
        values = [
            self.of(node.value, where)
            for node in s.walk_scope(*function.node.body)
            if isinstance(node, s.Yield) and node.value is not None and not node.is_from
        ]
        return union(values)

    # -------------------------------------------------------------- annotations

    def quoted(self, text: str) -> s.Expr | None:
        """Return the expression in a quoted annotation, or None."""
        if text not in self._quoted:
            _, facts = read(text.encode("utf-8", "replace"))
            only = facts.body[0] if len(facts.body) == 1 else None
            self._quoted[text] = only.value if isinstance(only, s.ExprStmt) else None
        return self._quoted[text]

    def annotation(self, node: s.Expr | None, where: Where, depth: int = 0) -> Type:
        """Return the type that an annotation says; for ``Annotated`` the type alone."""
        if node is None or depth > _MAX_DEPTH:
            return UNKNOWN
        if isinstance(node, s.Constant):
            if node.kind == "none":
                return NONE
            inner = self.quoted(node.value) if isinstance(node.value, str) else None
            return self.annotation(inner, where, depth + 1)
        if isinstance(node, s.BinOp) and node.op == "|":
            left = self.annotation(node.left, where, depth + 1)
            right = self.annotation(node.right, where, depth + 1)
            if left is UNKNOWN or right is UNKNOWN:
                return UNKNOWN
            return union([left, right])
        if isinstance(node, s.Subscript):
            return self._generic(node, where, depth)
        if isinstance(node, (s.Name, s.Attribute)):
            return self._plain_annotation(node, where, depth)
        if isinstance(node, s.Call):
            return self._constrained(node, where, depth)
        return UNKNOWN

    def _constrained(self, node: s.Call, where: Where, depth: int) -> Type:
        """``constr(min_length=1)`` and ``conlist(int, min_items=1)`` of Pydantic are types themselves."""
        name = self.linker.external(node.func, where.module, where.function) or ""
        home, _, function = name.rpartition(".")
        if home != "pydantic":
            return UNKNOWN
        if function in _CONSTRAINED:
            return _external_instance(_CONSTRAINED[function])
        if function in _CONSTRAINED_MANY:
            item = node.argument(0, "item_type")
            return Sequence(_CONSTRAINED_MANY[function], self.annotation(item, where, depth + 1))
        return UNKNOWN

    def _plain_annotation(self, node: s.Expr, where: Where, depth: int) -> Type:
        symbol = self.linker.expression(node, where.module, where.function)
        if symbol is None and isinstance(node, s.Name):
            return self._type_parameter(node.id, where)
        if isinstance(symbol, Class):
            return Instance(symbol)
        if isinstance(symbol, External):
            return _external_instance(symbol.name)
        if isinstance(symbol, Variable) and symbol.value is not None:
            value, at = symbol.value, Where(symbol.module)
            if isinstance(value, s.Call):
                return self._declared_type(value, symbol, at)
            return self.annotation(value, at, depth + 1)
        return UNKNOWN

    def _declared_type(self, value: s.Call, symbol: Variable, at: Where) -> Type:
        """``T = TypeVar("T")``, ``UserId = NewType("UserId", int)``, ``Base = declarative_base()``."""
        name = self.linker.external(value.func, at.module)
        if name == "typing.TypeVar":
            bound = value.keyword("bound")
            return TypeVariable(symbol.name, self.annotation(bound, at) if bound else UNKNOWN)
        if name == "typing.NewType" and len(value.args) > 1:
            return self.annotation(value.args[1], at)
        return self._constrained(value, at, 0)

    def _type_parameter(self, name: str, where: Where) -> Type:
        """``T`` of ``class Repository[T]`` or ``def get[T]`` (PEP 695)."""
        function = where.function
        while function is not None:
            if name in function.node.type_params:
                return TypeVariable(name, UNKNOWN)
            if function.owner is not None and name in function.owner.node.type_params:
                return TypeVariable(name, UNKNOWN)
            function = function.outer
        for node in where.module.facts.body:
            if isinstance(node, s.ClassDef) and name in node.type_params:
                return TypeVariable(name, UNKNOWN)
        return UNKNOWN

    def _generic(self, node: s.Subscript, where: Where, depth: int) -> Type:
        symbol = self.linker.expression(node.value, where.module, where.function)
        arguments = node.slice.elts if isinstance(node.slice, s.Tuple) else [node.slice]
        if isinstance(symbol, Class):
            args = tuple(self.annotation(a, where, depth + 1) for a in arguments)
            return Instance(symbol, args)
        if not isinstance(symbol, External) or not arguments:
            return UNKNOWN
        last = symbol.name.rpartition(".")[2]
        if last == "Callable":  # which function it is, who injects it or calls says
            return UNKNOWN
        first = self.annotation(arguments[0], where, depth + 1)
        if last in _WRAPPERS or last == "Optional":
            return first
        if last == "Union":
            found = [self.annotation(a, where, depth + 1) for a in arguments]
            return UNKNOWN if UNKNOWN in found else union(found)
        if last in _LISTS:
            return Sequence(_LISTS[last], first)
        if last in _DICTS:
            value = self.annotation(arguments[-1], where, depth + 1)
            return Sequence("dict", value, first)
        if last in {"tuple", "Tuple"}:
            items = tuple(self.annotation(a, where, depth + 1) for a in arguments)
            if len(arguments) == 2 and getattr(arguments[1], "kind", "") == "ellipsis":
                return Sequence("tuple", first)
            return Sequence("tuple", union(list(items)), items=items)
        if last in {"type", "Type"}:
            if isinstance(first, Instance):
                return ClassObject(first.cls, first.args)
            return first if isinstance(first, TypeVariable) else UNKNOWN
        if last in _AWAITABLES:
            return Awaitable(self.annotation(arguments[-1], where, depth + 1))
        if last == "Literal":
            return self.of(arguments[0], where)
        if last in {"AbstractContextManager", "ContextManager"}:
            return Context(first)
        if last in {"AbstractAsyncContextManager", "AsyncContextManager"}:
            return Context(first, is_async=True)
        args = tuple(self.annotation(a, where, depth + 1) for a in arguments)
        return Instance(symbol.name, args)

    # --------------------------------------------------------------- attributes

    def attribute(self, base: Type, name: str) -> Type:
        """Return the type of ``base.name``."""
        match base:
            case Instance():
                if isinstance(base.cls, Class):
                    return self._instance_attribute(base, base.cls, name)
                return self._external_attribute(base, base.cls, name)
            case ClassObject():
                return self._class_attribute(base, name)
            case ModuleValue():
                return self.symbol(self.linker.member(base.module, name))
            case ExternalValue():
                return ExternalValue(canonical(f"{base.name}.{name}"), base.receiver)
            case FunctionValue():
                return self._decorated_attribute(base.function, name)
            case Alternatives():
                found = [self.attribute(option, name) for option in base.options]
                return union([f for f in found if f is not UNKNOWN])
            case TypeVariable():
                return self.attribute(base.bound, name)
            case Statement() | Result() | Sequence() | LoadOption():
                return ExternalValue(f"{type(base).__name__}.{name}", base)
            case Literal():
                return ExternalValue(f"builtins.{type(base.value).__name__}.{name}", base)
            case _:
                return UNKNOWN

    def _decorated_attribute(self, function: Function, name: str) -> Type:
        """``send_mail.delay``: a method of what a library's decorator made of a function."""
        where = Where(function.module, function.outer)
        for decorator in function.node.decorators:
            target = decorator.func if isinstance(decorator, s.Call) else decorator
            found = self.of(target, where)
            if isinstance(found, ExternalValue):
                made = self.linker.library.decorators.get(found.name)
                if made is not None:
                    return ExternalValue(f"{made}.{name}", Instance(made))
        return UNKNOWN

    def _external_attribute(self, base: Instance, cls: str, name: str) -> Type:
        known = self.linker.library.attributes.get(f"{cls}.{name}")
        if known is not None:
            return _external_instance(known)
        if cls == "fastapi.State" and (found := self.state_named(name)) is not UNKNOWN:
            return found
        if cls == "column":
            return ExternalValue(f"column.{name}", base)
        return ExternalValue(f"{cls}.{name}", base)

    def _instance_attribute(self, base: Instance, cls: Class, name: str) -> Type:
        key = (id(cls.node), name)
        if not base.args and base.query is None and key in self._attributes:
            return self._attributes[key]
        found = self._find_attribute(base, cls, name)
        if not base.args and base.query is None and self._depth <= 1:
            self._attributes[key] = found
        return found

    def _find_attribute(self, base: Instance, cls: Class, name: str) -> Type:
        for ancestor in self.linker.mro(cls):
            if isinstance(ancestor, External):
                known = self.linker.library.attributes.get(f"{ancestor.name}.{name}")
                if known is not None:
                    return _external_instance(known)
                continue
            declared = ancestor.own_attributes.get(name)
            method = ancestor.own_methods.get(name)
            if method is not None:
                if method.is_property:
                    return self.substitute(self.returned(method, base), base)
                return FunctionValue(method, base)
            if declared is not None:
                found = self._declared(declared, ancestor)
                if found is not UNKNOWN:
                    return self.substitute(found, base)
        for ancestor in self.linker.mro(cls):
            if isinstance(ancestor, Class):
                found = self._assigned(ancestor, name)
                if found is not UNKNOWN:
                    return self.substitute(found, base)
        for ancestor in self.linker.mro(cls):
            if isinstance(ancestor, External) and ancestor.name in self.linker.library.method_bases:
                return ExternalValue(f"{ancestor.name}.{name}", base)
        if fallback := self.linker.method(cls, "__getattr__"):
            return self.returned(fallback, base)
        return self._of_heirs(base, cls, name)

    def _of_heirs(self, base: Instance, cls: Class, name: str) -> Type:
        """What a mixin or port itself lacks, and the classes behind it have: methods, attributes."""
        found: dict[int, Type] = {}
        heirs = self.implementations(cls) if self.implementations is not None else []
        for heir in heirs:
            method = self.linker.method(heir, name)
            if method is not None and not method.is_property and method.owner is not None:
                found.setdefault(id(method.node), FunctionValue(method, base))
        if not found and self.is_port(cls) and len(heirs) <= _MAX_HEIRS:
            return union([self._find_attribute(Instance(heir), heir, name) for heir in heirs])
        return union(list(found.values())) if len(found) <= _MAX_HEIRS else UNKNOWN

    def _declared(self, declared: s.AnnAssign | s.Assign, owner: Class) -> Type:
        where = Where(owner.module, owner.outer)
        if isinstance(declared, s.AnnAssign):
            found = self.annotation(declared.annotation, where)
            if found is UNKNOWN and declared.value is not None:
                return self._class_value(declared.value, where)
            return found
        return self._class_value(declared.value, where)

    def _class_value(self, value: s.Expr, where: Where) -> Type:
        """The type of an attribute from its value in the class body; relationships by target."""
        if isinstance(value, s.Call):
            name = self.linker.external(value.func, where.module, where.function) or ""
            if name in {"sqlalchemy.orm.relationship", "sqlmodel.Relationship"}:
                return self._relationship(value, where)
            if name in {"sqlalchemy.Column", "sqlalchemy.orm.mapped_column", "pydantic.Field"}:
                return UNKNOWN
        return self.of(value, where)

    def _relationship(self, call: s.Call, where: Where) -> Type:
        target = call.argument(0, "argument")
        text = s.string(target)
        found = self.annotation(target, where) if target is not None else UNKNOWN
        if found is UNKNOWN and text is not None:
            found = self.class_named(text.rpartition(".")[2])
        uselist = call.keyword("uselist")
        if isinstance(uselist, s.Constant) and uselist.value is False:
            return found
        return Sequence("list", found) if uselist is not None else found

    def _assigned(self, cls: Class, name: str) -> Type:
        """The type of an attribute that methods assign on ``self``; ``__init__`` first."""
        found: list[Type] = []
        for method, annotation, value in self.self_values(cls).get(name, [])[:6]:
            where = Where(method.module, method)
            type_ = self.annotation(annotation, where) if annotation is not None else UNKNOWN
            if type_ is UNKNOWN and value is not None:
                type_ = self.of(value, where)
            if not isinstance(type_, NoneType):
                found.append(type_)
        return union(found)

    def self_values(
        self, cls: Class
    ) -> dict[str, list[tuple[Function, s.Expr | None, s.Expr | None]]]:
        """Return what the methods of ``cls`` assign on ``self``: method, annotation, value."""
        key = id(cls.node)
        found = self._self_values.get(key)
        if found is None:
            found = self._self_values[key] = _self_assignments(cls)
        return found

    def _class_attribute(self, base: ClassObject, name: str) -> Type:
        if not isinstance(base.cls, Class):
            return ExternalValue(f"{base.cls}.{name}")
        method = self.linker.method(base.cls, name)
        if method is not None:
            bound = base if "classmethod" in method.decorator_names else None
            return FunctionValue(method, bound)
        if (nested := base.cls.own_classes.get(name)) is not None:
            return ClassObject(nested)
        found = self.linker.class_attribute(base.cls, name)
        if found is not None:
            owner, declared = found
            if self.is_table(base.cls):
                return Instance("column", (ClassObject(base.cls), Literal(name)))
            if "enum.Enum" in self.linker.ancestors(base.cls) or self._is_enum(base.cls):
                return Instance(base.cls)
            return self._declared(declared, owner)
        for ancestor in self.linker.mro(base.cls):
            if isinstance(ancestor, External) and ancestor.name in self.linker.library.method_bases:
                return ExternalValue(f"{ancestor.name}.{name}", base)
        return UNKNOWN

    def _is_enum(self, cls: Class) -> bool:
        return any(name.startswith("enum.") for name in self.linker.ancestors(cls))

    # -------------------------------------------------------------------- calls

    def _call(self, node: s.Call, where: Where) -> Type:
        if isinstance(node.func, s.Name) and node.func.id == "super" and where.function:
            return self._super(where.function)
        callee = self.of(node.func, where)
        return self.call(callee, node, where)

    def _super(self, function: Function) -> Type:
        inner: Function | None = function
        while inner is not None and inner.owner is None:
            inner = inner.outer
        if inner is None or inner.owner is None:
            return UNKNOWN
        for ancestor, _ in self.linker.bases(inner.owner):
            if isinstance(ancestor, Class):
                return Instance(ancestor)
            return Instance(ancestor.name)
        return UNKNOWN

    def call(self, callee: Type, node: s.Call | None, where: Where | None) -> Type:
        """Return the type of calling ``callee`` with the arguments of ``node``."""
        match callee:
            case FunctionValue():
                return self._call_function(callee, node, where)
            case ClassObject():
                if isinstance(callee.cls, Class):
                    return Instance(callee.cls, callee.args)
                return self._call_external(callee.cls, None, node, where)
            case ExternalValue():
                return self._call_external(callee.name, callee.receiver, node, where)
            case Instance():
                if isinstance(callee.cls, Class):
                    method = self.linker.method(callee.cls, "__call__")
                    return self.returned(method, callee) if method is not None else UNKNOWN
                return self._call_external(f"{callee.cls}.__call__", callee, node, where)
            case Alternatives():
                return union([self.call(option, node, where) for option in callee.options])
            case TypeVariable():
                return callee
            case _:
                return UNKNOWN

    def _call_function(
        self, callee: FunctionValue, node: s.Call | None, where: Where | None
    ) -> Type:
        found = self.returned(callee.function, callee.receiver)
        bindings = self._argument_bindings(callee, node, where)
        if isinstance(callee.receiver, Instance):
            found = self.substitute(found, callee.receiver)
        if found is UNKNOWN and node is not None and where is not None:
            return self._by_factory(node, where)
        return substitute(found, bindings) if bindings else found

    def _by_factory(self, node: s.Call, where: Where) -> Type:
        """``get_service(KIND, MailFactory())``: a locator gives what the factory creates."""
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(argument, s.Call):
                given = self.of(argument, where)
                if isinstance(given, Instance) and isinstance(given.cls, Class):
                    create = self.linker.method(given.cls, "create")
                    if given.cls.name.endswith("Factory") and create is not None:
                        return self.returned(create, given)
        return UNKNOWN

    def _argument_bindings(
        self, callee: FunctionValue, node: s.Call | None, where: Where | None
    ) -> dict[str, Type]:
        """Bind type parameters from arguments: ``get(User, 1)`` for ``def get(cls: type[T], ...)``."""
        if node is None or where is None or callee.function.node.returns is None:
            return {}
        bindings: dict[str, Type] = {}
        function = callee.function
        at = Where(function.module, function)
        for position, parameter in enumerate(function.parameters):
            if not isinstance(parameter.annotation, (s.Name, s.Subscript)):
                continue
            wanted = self.annotation(parameter.annotation, at)
            if not isinstance(wanted, TypeVariable):
                continue
            given = self.of(node.argument(position, parameter.name), where)
            if given is not UNKNOWN and not isinstance(given, Statement):
                bindings[wanted.name] = instance_of(given)  # a statement may come back changed
        return bindings

    def _call_external(
        self, name: str, receiver: Type | None, node: s.Call | None, where: Where | None
    ) -> Type:
        if node is None or where is None:
            known = self.linker.library.returns.get(name)
            return _external_instance(known) if known is not None else UNKNOWN
        method = name.rpartition(".")[2]
        if receiver is not None:
            found = self._call_on(receiver, method, node, where)
            if found is not None:
                return found
        if name in orm.STATEMENTS:
            return self._statement(orm.STATEMENTS[name], node, where)
        if name in orm.LOADERS:
            return orm.load_option(name, node) or UNKNOWN
        special = _SPECIAL.get(name)
        if special is not None:
            return special(self, node, where)
        if name in self.linker.library.repositories:
            return Instance(name, (self.of(node.argument(0, "model"), where),))
        known = self.linker.library.returns.get(name)
        if known is not None:
            made = _external_instance(known.removeprefix("await "))
            return Awaitable(made) if known.startswith("await ") else made
        last = name.rpartition(".")[2]
        if last[:1].isupper() and "." in name:  # by convention a class
            return Instance(name)
        return UNKNOWN

    def _statement(self, kind: str, node: s.Call, where: Where) -> Type:
        args = [self.of(arg, where) for arg in node.args]
        base = Query(kind, where.module, where.function, node)
        return orm.statement(kind, node, args, base)

    def _call_on(self, receiver: Type, method: str, node: s.Call, where: Where) -> Type | None:
        if isinstance(receiver, Statement):
            args = [self.of(arg, where) for arg in node.args]
            return orm.refine(receiver.query, method, node, args)
        if isinstance(receiver, Result):
            return orm.of_result(receiver, method) or UNKNOWN
        if isinstance(receiver, LoadOption):
            return orm.chain_option(receiver, node) or UNKNOWN
        if isinstance(receiver, Sequence):
            return _sequence_method(receiver, method)
        if isinstance(receiver, ClassObject) and isinstance(receiver.cls, Class):
            if method in {
                "model_validate",
                "parse_obj",
                "from_orm",
                "model_construct",
                "construct",
            }:
                return Instance(receiver.cls, receiver.args)
        kind = self.session_kind(receiver)
        if kind is not None:
            return self._session_method(receiver, method, node, where, is_async=kind == "async")
        if isinstance(receiver, Instance):
            if method in {"model_copy", "copy"} and isinstance(receiver.cls, Class):
                return receiver
            if receiver.cls in _SESSION_MAKERS:
                session = receiver.args[0] if receiver.args else UNKNOWN
                if method in {"__call__", "begin"}:
                    return session
        return None

    def _session_method(
        self, receiver: Type, method: str, node: s.Call, where: Where, *, is_async: bool
    ) -> Type | None:
        args = [self.of(arg, where) for arg in node.args]
        if method == "query":
            base = Query(
                "select", where.module, where.function, node, legacy=True, session=receiver
            )
            return orm.statement("select", node, args, base)
        if not args and (given := node.keyword("statement")) is not None:
            args = [self.of(given, where)]
        if method in {"begin", "begin_nested", "no_autoflush"}:
            return Context(receiver, is_async=is_async)
        return orm.run(method, args, is_async=is_async)

    def session_kind(self, found: Type) -> str | None:
        """Return ``sync`` or ``async`` for a database session or connection, else None."""
        if not isinstance(found, Instance):
            return None
        names = {found.cls} if isinstance(found.cls, str) else self.linker.ancestors(found.cls)
        if not names.isdisjoint(orm.SYNC_SESSIONS):
            return "sync"
        return "async" if not names.isdisjoint(orm.ASYNC_SESSIONS) else None

    # ------------------------------------------------------------ what calls give

    def returned(self, function: Function, receiver: Type | None = None) -> Type:
        """Return the type of calling ``function`` (a coroutine for ``async def``)."""
        key = id(function.node)
        found = self._returns.get(key)
        if found is None:
            self._returns[key] = UNKNOWN
            found = self._find_returned(function)
            if self._depth <= _MAX_DEPTH // 2 or found is not UNKNOWN:
                self._returns[key] = found
            else:
                del self._returns[key]
        if isinstance(receiver, Instance):
            found = self.substitute(found, receiver)
        if isinstance(receiver, (Instance, ClassObject)):
            found = _bind_self(found, receiver)
        return found

    def _find_returned(self, function: Function) -> Type:
        decorators = function.decorator_names
        if not decorators.isdisjoint(_CONTEXT_DECORATORS):
            return Context(self.yielded(function), "asynccontextmanager" in decorators)
        if function.node.is_generator:
            return Sequence("iterator", self.yielded(function))
        where = Where(function.module, function)
        declared: Type = UNKNOWN
        if function.node.returns is not None:
            declared = self.annotation(function.node.returns, where)
        if self._is_vague(declared):
            inferred = self._inferred_return(function, where)
            if inferred is not UNKNOWN and not (inferred is NONE and declared is not UNKNOWN):
                declared = inferred
            elif isinstance(declared, Instance) and is_abstract(function):
                declared = self._given_behind(function, declared) or declared
        if function.is_async:
            return Awaitable(declared)
        return declared

    def _given_behind(self, function: Function, declared: Type) -> Type | None:
        """Return what those give that stand behind a method of a port, None unless all is known."""
        owner = function.owner
        if owner is None or self.implementations is None:
            return None
        behind = [self.linker.method(each, function.name) for each in self.implementations(owner)]
        given: list[Type] = []
        for method in {id(each.node): each for each in behind if each is not None}.values():
            found = self.awaited(self.returned(method)) if method is not function else UNKNOWN
            if found == declared and function.name in method.node.called:
                continue  # it hands on what another one behind the port gives
            if not all(
                isinstance(option, Instance)
                and isinstance(option.cls, Class)
                and not self.is_port(option.cls)
                for option in alternatives(found)
            ):
                return None
            given.append(found)
        return union(given) if given else None

    def _is_vague(self, declared: Type) -> bool:
        """Whether the body may say more than the annotation: none, Any, a port, rows of a query."""
        if declared is UNKNOWN:
            return True
        if isinstance(declared, Sequence):
            return self._is_vague(declared.element) or self._is_table_type(declared.element)
        if isinstance(declared, Instance):
            if declared.cls in {"typing.Any", "builtins.object", "typing.Self"}:
                return True
            if isinstance(declared.cls, Class):
                return self.is_port(declared.cls) or self.is_table(declared.cls)
        return isinstance(declared, Instance) and declared.cls == "builtins.list"

    def _is_table_type(self, found: Type) -> bool:
        return (
            isinstance(found, Instance)
            and isinstance(found.cls, Class)
            and self.is_table(found.cls)
        )

    def _inferred_return(self, function: Function, where: Where) -> Type:
        values = [
            self.of(node.value, where)
            for node in s.statements(function.node.body)
            if isinstance(node, s.Return) and node.value is not None
        ]
        return union(values)

    def awaited(self, found: Type) -> Type:
        """Return the type of ``await`` on a value."""
        if isinstance(found, Awaitable):
            return found.result
        if isinstance(found, Alternatives):
            return union([self.awaited(option) for option in found.options])
        return found

    def entered(self, found: Type) -> Type:
        """Return what ``with`` binds for a context manager."""
        if isinstance(found, Context):
            return found.entered
        if isinstance(found, Awaitable):
            return self.entered(found.result)
        if isinstance(found, Alternatives):
            return union([self.entered(option) for option in found.options])
        if isinstance(found, Instance) and isinstance(found.cls, Class):
            for name in ("__enter__", "__aenter__"):
                method = self.linker.method(found.cls, name)
                if method is not None:
                    entered = self.awaited(self.returned(method, found))
                    return entered if entered is not UNKNOWN else found
        return found

    # ----------------------------------------------------------------- generics

    def substitute(self, found: Type, instance: Instance) -> Type:
        """Replace type parameters of the instance's class by its arguments."""
        if isinstance(found, (Literal, NoneType)) or found is UNKNOWN:
            return found
        bindings = self.type_bindings(instance)
        return substitute(found, bindings) if bindings else found

    def type_bindings(self, instance: Instance) -> dict[str, Type]:
        """Return type parameter -> argument for a class and all its ancestors."""
        if not isinstance(instance.cls, Class):
            return {}
        bindings: dict[str, Type] = {}
        self._bind_class(instance.cls, instance.args, bindings, 0)
        return bindings

    def _bind_class(
        self, cls: Class, args: tuple[Type, ...], bindings: dict[str, Type], depth: int
    ) -> None:
        for name, arg in zip(self.type_parameters(cls), args, strict=False):
            bindings.setdefault(name, arg)
        if depth > 10:
            return
        where = Where(cls.module, cls.outer)
        for base, written in self.linker.bases(cls):
            if isinstance(base, Class):
                given: tuple[Type, ...] = ()
                if isinstance(written, s.Subscript):
                    slice_ = written.slice
                    elements = slice_.elts if isinstance(slice_, s.Tuple) else [slice_]
                    given = tuple(substitute(self.annotation(e, where), bindings) for e in elements)
                self._bind_class(base, given, bindings, depth + 1)

    def type_parameters(self, cls: Class) -> list[str]:
        """Return the names of a generic class's parameters, in order."""
        if cls.node.type_params:
            return cls.node.type_params
        names: list[str] = []
        for base in cls.node.bases:
            if isinstance(base, s.Subscript):
                elements = base.slice.elts if isinstance(base.slice, s.Tuple) else [base.slice]
                for part in elements:
                    found = self.annotation(part, Where(cls.module, cls.outer))
                    if isinstance(found, TypeVariable) and found.name not in names:
                        names.append(found.name)
        return names

    # ------------------------------------------------------------------ classes

    def is_port(self, cls: Class) -> bool:
        """Whether a class only says what others do: a Protocol or an abstract class.

        A class that inherits from ``ABC`` beside a port, and does what the port says, is none.
        """
        bases = [base for base, _ in self.linker.bases(cls)]
        names = {base.name for base in bases if isinstance(base, External)}
        if "typing.Protocol" in names:
            return True
        is_abstract_class = "abc.ABC" in names or any(
            keyword.arg == "metaclass" and s.last_name(keyword.value) == "ABCMeta"
            for keyword in cls.node.keywords
        )
        if not is_abstract_class or not any(isinstance(base, Class) for base in bases):
            return is_abstract_class
        return any(
            "abstractmethod" in method.decorator_names for method in cls.own_methods.values()
        )

    def is_table(self, cls: Class) -> bool:
        """Whether a class is mapped to a table."""
        for keyword in cls.node.keywords:
            if keyword.arg == "table" and isinstance(keyword.value, s.Constant):
                return keyword.value.value is True
        if "sqlmodel.SQLModel" in self.linker.ancestors(cls):
            return False  # each SQLModel table says so itself
        if _declares_table(cls) or self.table_mixin(cls) is not None:
            return self.is_declarative(cls)
        return any(
            isinstance(ancestor, Class) and ancestor is not cls and _declares_table(ancestor)
            and self.is_declarative(ancestor)
            for ancestor in self.linker.mro(cls)
        )  # fmt: skip

    def table_mixin(self, cls: Class) -> str | None:
        """Return the name of the table that a library's mixin makes of a class, or None."""
        mixins = self.linker.library.table_mixins
        if mixins.keys().isdisjoint(self.linker.ancestors(cls)):
            return None
        if "__abstract__" in cls.own_attributes or not self._has_metadata(cls):
            return None
        return next(mixins[name] for name in sorted(self.linker.ancestors(cls)) if name in mixins)

    def _has_metadata(self, cls: Class) -> bool:
        """Whether a class also comes from a base that keeps tables, the mixins aside."""
        bases = self.linker.library.declarative_bases - self.linker.library.table_mixins.keys()
        return not self.linker.ancestors(cls).isdisjoint(bases)

    def is_declarative(self, cls: Class) -> bool:
        """Whether a class comes from a SQLAlchemy declarative base."""
        return not self.linker.ancestors(cls).isdisjoint(self.linker.library.declarative_bases)


def _begins_empty(node: s.Expr | None) -> bool:
    """Whether an expression is ``[]``, ``{}``, ``set()`` and the like."""
    if isinstance(node, (s.List, s.Set)):
        return not node.elts
    if isinstance(node, s.Call):
        empty = not node.args and not node.keywords
        return empty and s.last_name(node.func) in {"list", "dict", "set"}
    return isinstance(node, s.Dict) and not node.keys


def _declares_table(cls: Class) -> bool:
    return (
        "__tablename__" in cls.own_attributes
        or "__table__" in cls.own_attributes
        or (
            "__tablename__" in cls.own_methods
            and not (isinstance(cls.own_attributes.get("__abstract__"), s.Assign))
        )
    )


def _self_assignments(
    cls: Class,
) -> dict[str, list[tuple[Function, s.Expr | None, s.Expr | None]]]:
    found: dict[str, list[tuple[Function, s.Expr | None, s.Expr | None]]] = {}
    methods = sorted(cls.own_methods.values(), key=lambda m: (m.name != "__init__", m.node.start))
    for method in methods:
        if method.is_static or not method.node.params:
            continue
        self_name = method.node.params[0].name
        for node in s.statements(method.node.body):
            if isinstance(node, s.Assign):
                pairs = [(target, None) for target in node.targets]
            elif isinstance(node, s.AnnAssign):
                pairs = [(node.target, node.annotation)]  # type: ignore[list-item]
            else:
                continue
            for target, annotation in pairs:
                if (
                    isinstance(target, s.Attribute)
                    and isinstance(target.value, s.Name)
                    and target.value.id == self_name
                ):
                    found.setdefault(target.attr, []).append((method, annotation, node.value))
    return found


def substitute(found: Type, bindings: dict[str, Type]) -> Type:
    """Replace type parameters by what they are bound to."""
    match found:
        case TypeVariable():
            return bindings.get(found.name, found)
        case Instance(cls=cls, args=args) if args:
            return Instance(cls, tuple(substitute(arg, bindings) for arg in args), found.query)
        case ClassObject(cls=cls, args=args) if args:
            return ClassObject(cls, tuple(substitute(arg, bindings) for arg in args))
        case Sequence():
            key = substitute(found.key, bindings) if found.key is not None else None
            return Sequence(found.kind, substitute(found.element, bindings), key)
        case Awaitable():
            return Awaitable(substitute(found.result, bindings))
        case Context():
            return Context(substitute(found.entered, bindings), found.is_async)
        case Alternatives():
            return union([substitute(option, bindings) for option in found.options])
        case _:
            return found


def _bind_self(found: Type, receiver: Instance | ClassObject) -> Type:
    if isinstance(found, Instance) and found.cls == "typing.Self":
        return Instance(receiver.cls, receiver.args)
    if isinstance(found, Awaitable):
        return Awaitable(_bind_self(found.result, receiver))
    if isinstance(found, Context):
        return Context(_bind_self(found.entered, receiver), found.is_async)
    return found


def instance_of(found: Type) -> Type:
    """Return an instance of a class object; other types as they are."""
    if isinstance(found, ClassObject):
        return Instance(found.cls, found.args)
    if isinstance(found, ExternalValue):
        return Instance(found.name)
    return found


def _item(found: Type, position: int) -> Type:
    if isinstance(found, Sequence) and found.items is not None:
        return found.items[position] if position < len(found.items) else UNKNOWN
    if isinstance(found, Sequence) and found.kind == "pairs":
        return (found.key or UNKNOWN) if position == 0 else found.element
    return element(found)


def _sequence_method(receiver: Sequence, method: str) -> Type | None:
    if receiver.kind == "dict":
        if method in {"get", "pop", "setdefault"}:
            return receiver.element
        if method == "values":
            return Sequence("iterator", receiver.element)
        if method == "keys":
            return Sequence("iterator", receiver.key or UNKNOWN)
        if method == "items":
            items = (receiver.key or UNKNOWN, receiver.element)
            return Sequence("iterator", Sequence("tuple", UNKNOWN, items=items))
    if method in {"pop", "__next__", "__anext__"}:
        return receiver.element
    if method == "copy":
        return receiver
    return None


_SESSION_MAKERS = frozenset(
    {"sqlalchemy.orm.sessionmaker", "sqlalchemy.ext.asyncio.async_sessionmaker"}
)


def _session_maker(default: str) -> Callable[[Inference, s.Call, Where], Type]:
    def make(types: Inference, node: s.Call, where: Where) -> Type:
        given = node.keyword("class_")
        session: Type = Instance(default)
        if given is not None:
            found = instance_of(types.of(given, where))
            session = found if found is not UNKNOWN else UNKNOWN
        maker = "sqlalchemy.orm.sessionmaker"
        return Instance(maker, (session,))

    return make


def _partial(types: Inference, node: s.Call, where: Where) -> Type:
    if not node.args:
        return UNKNOWN
    found = types.of(node.args[0], where)
    if isinstance(found, FunctionValue):
        return FunctionValue(found.function, found.receiver, found.given + len(node.args) - 1)
    return found


def _first_argument(types: Inference, node: s.Call, where: Where) -> Type:
    return types.of(node.args[0], where) if node.args else UNKNOWN


def _nullcontext(types: Inference, node: s.Call, where: Where) -> Type:
    return Context(_first_argument(types, node, where))


def _as_sequence(kind: str) -> Callable[[Inference, s.Call, Where], Type]:
    def convert(types: Inference, node: s.Call, where: Where) -> Type:
        if not node.args:
            return Sequence(kind, UNKNOWN)
        return Sequence(kind, element(types.of(node.args[0], where)))

    return convert


def _enumerate(types: Inference, node: s.Call, where: Where) -> Type:
    inner = element(types.of(node.args[0], where)) if node.args else UNKNOWN
    items = (Instance("builtins.int"), inner)
    return Sequence("iterator", Sequence("tuple", UNKNOWN, items=items))


def _zip(types: Inference, node: s.Call, where: Where) -> Type:
    items = tuple(element(types.of(arg, where)) for arg in node.args)
    return Sequence("iterator", Sequence("tuple", UNKNOWN, items=items))


def _next(types: Inference, node: s.Call, where: Where) -> Type:
    return element(types.of(node.args[0], where)) if node.args else UNKNOWN


def _type_of(types: Inference, node: s.Call, where: Where) -> Type:
    found = types.of(node.args[0], where) if node.args else UNKNOWN
    return ClassObject(found.cls, found.args) if isinstance(found, Instance) else UNKNOWN


def _gather(types: Inference, node: s.Call, where: Where) -> Type:
    items = tuple(types.awaited(types.of(arg, where)) for arg in node.args)
    return Awaitable(Sequence("list", union(list(items)), items=items or None))


def _cast(types: Inference, node: s.Call, where: Where) -> Type:
    return types.annotation(node.args[0], where) if node.args else UNKNOWN


def _task(types: Inference, node: s.Call, where: Where) -> Type:
    return Awaitable(types.awaited(_first_argument(types, node, where)))


def _in_thread(position: int) -> Callable[[Inference, s.Call, Where], Type]:
    def run(types: Inference, node: s.Call, where: Where) -> Type:
        if len(node.args) <= position:
            return UNKNOWN
        return Awaitable(types.call(types.of(node.args[position], where), None, None))

    return run


def _csv_writer(types: Inference, node: s.Call, where: Where) -> Type:
    """A writer of rows into a file; into memory it is nothing to know of."""
    into = alternatives(_first_argument(types, node, where))
    is_file = any(isinstance(option, Instance) and option.cls in _ON_DISK for option in into)
    return Instance("csv.writer") if is_file else UNKNOWN


_ON_DISK = frozenset({"io.TextIOWrapper", "tempfile.NamedTemporaryFile()"})

_PROVIDERS = ("Factory", "Singleton", "ThreadSafeSingleton", "ThreadLocalSingleton", "Callable",
              "ContextLocalSingleton", "Resource", "Coroutine")  # fmt: skip
"""Of dependency-injector: called, they call what they were given."""

_SPECIAL: dict[str, Callable[[Inference, s.Call, Where], Type]] = {
    "sqlalchemy.orm.sessionmaker": _session_maker("sqlalchemy.orm.Session"),
    "sqlalchemy.ext.asyncio.async_sessionmaker": _session_maker(
        "sqlalchemy.ext.asyncio.AsyncSession"
    ),
    "sqlalchemy.orm.scoped_session": _first_argument,
    "functools.partial": _partial,
    "contextlib.nullcontext": _nullcontext,
    **{f"dependency_injector.providers.{kind}": _first_argument for kind in _PROVIDERS},
    "csv.writer": _csv_writer,
    "csv.DictWriter": _csv_writer,
    "builtins.list": _as_sequence("list"),
    "builtins.set": _as_sequence("set"),
    "builtins.tuple": _as_sequence("tuple"),
    "builtins.sorted": _as_sequence("list"),
    "builtins.reversed": _as_sequence("iterator"),
    "builtins.iter": _as_sequence("iterator"),
    "builtins.filter": lambda types, node, where: (
        Sequence("iterator", element(types.of(node.args[1], where)))
        if len(node.args) > 1
        else UNKNOWN
    ),
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "builtins.next": _next,
    "builtins.anext": _next,
    "builtins.type": _type_of,
    "typing.cast": _cast,
    "copy.copy": _first_argument,
    "copy.deepcopy": _first_argument,
    "asyncio.gather": _gather,
    "asyncio.create_task": _task,
    "asyncio.wait_for": _task,
    "asyncio.shield": _task,
    "asyncio.to_thread": _in_thread(0),
    "fastapi.concurrency.run_in_threadpool": _in_thread(0),
    "anyio.to_thread.run_sync": _in_thread(0),
}


def _external_instance(name: str) -> Type:
    last = name.rpartition(".")[2]
    if name in {"typing.Any", ""}:
        return UNKNOWN
    if name.startswith(("builtins.", "typing.", "collections.")):
        if last in _LISTS:
            return Sequence(_LISTS[last], UNKNOWN)
        if last in _DICTS:
            return Sequence("dict", UNKNOWN)
        if last in {"tuple", "Tuple"}:
            return Sequence("tuple", UNKNOWN)
        if last == "None":
            return NONE
    return Instance(name)


def _is_class(found: Type) -> bool:
    """Whether a value is a class: one of the project, or one of a library by convention."""
    if isinstance(found, ExternalValue):
        return found.receiver is None and found.name.rpartition(".")[2][:1].isupper()
    return isinstance(found, ClassObject)


def single(found: Type) -> Type:
    """Return the only type of a union with one option, else the type itself."""
    options = alternatives(found)
    return options[0] if len(options) == 1 else found
