"""Attributes, classes and instances."""

from __future__ import annotations

from fastwright.app.canonical import canonical
from fastwright.app.setup import constants, files, imports, routers
from fastwright.app.setup import made as libraries
from fastwright.app.setup.classes import ancestors, class_member, mro, prepare
from fastwright.app.setup.machine import Machine
from fastwright.app.setup.result import Place
from fastwright.app.setup.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Choice,
    ClassValue,
    Closure,
    Const,
    External,
    FileValue,
    Foreign,
    Instance,
    Items,
    LambdaValue,
    Method,
    ModuleValue,
    NamespaceValue,
    Native,
    PathValue,
    RouterValue,
    RouteValue,
    Super,
    Table,
    Unknown,
    Value,
    choice,
    configured,
    options,
)
from fastwright.read import syntax as s

_FIELDS = frozenset({"Field", "field", "PrivateAttr", "attrib", "ib", "Private"})
_ENUMS = frozenset({"enum.Enum", "enum.StrEnum", "enum.IntEnum", "enum.Flag"})


def member(m: Machine, value: Value, name: str, site: Place) -> Value:
    """Return ``value.name``."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, Instance):
        return _of_instance(m, value, name, site)
    if isinstance(value, RouterValue):
        return _of_router(m, value, name, site)
    if isinstance(value, ModuleValue):
        return imports.member(m, value, name) or UNKNOWN
    if isinstance(value, External):
        return constants.settle(External(canonical(f"{value.name}.{name}")))
    if isinstance(value, ClassValue):
        return _of_class(m, value, name, site)
    if isinstance(value, NamespaceValue):
        found = imports.from_import(m, value.namespace.dotted, name, value.namespace.importer)
        return imports.resolved(m, found)
    if isinstance(value, Super):
        return _of_super(m, value, name, site)
    if isinstance(value, Choice):
        return choice([member(m, option, name, site) for option in value.options])
    if isinstance(value, Closure):
        return _of_closure(value, name)
    if isinstance(value, Foreign):
        return _of_foreign(value, name)
    if isinstance(value, RouteValue):
        return routers.route_member(value, name)
    if isinstance(value, PathValue):
        return files.attribute(value, name)
    if isinstance(value, Const) and name == "value":
        return value  # a member of an Enum is its value here
    if isinstance(value, LambdaValue):
        return UNKNOWN
    return Method(value, name)


def _of_closure(value: Closure, name: str) -> Value:
    found = value.attrs.get(name)
    if found is not None:
        return found
    if name == "__name__":
        return Const(value.symbol.name)
    if name == "__qualname__":
        return Const(value.symbol.qualname)
    if name == "__module__":
        return Const(value.symbol.module.name)
    if name == "__doc__":
        return Const(value.symbol.node.doc)
    if name == "__self__" and value.receiver is not None:
        return value.receiver
    return value if name == "__func__" else UNKNOWN


def _of_foreign(value: Foreign, name: str) -> Value:
    found = value.attrs.get(name)
    if found is not None:
        return found
    return Method(value, name)


def _of_router(m: Machine, value: RouterValue, name: str, site: Place) -> Value:
    found = value.attrs.get(name)
    if found is not None:
        return found
    if value.cls is not None:
        found = class_member(m, value.cls, name)
        if found is not None:
            return bound(m, found, value, value.cls, site)
    return routers.attribute(value, name)


def _of_instance(m: Machine, value: Instance, name: str, site: Place) -> Value:
    found = value.attrs.get(name)
    if found is not None:
        return found
    found = class_member(m, value.cls, name)
    if value.open and name in m.relevance.methods and (others := _overrides(m, value, name, site)):
        own = [bound(m, found, value, value.cls, site)] if found is not None else []
        return choice([*own, *others])
    if found is not None:
        given = bound(m, found, value, value.cls, site)
        return configured(given) if _is_settings(value.cls) else given
    if name == "__class__":
        return value.cls
    if name == "__dict__":
        return Table({("str", k): (Const(k), v) for k, v in value.attrs.items()})
    getter = class_member(m, value.cls, "__getattr__")
    if isinstance(getter, Closure):
        return m.call(m, getter.bind(value), Arguments(site, [Const(name)]))
    return UNKNOWN


def assumed(annotation: Value) -> Value | None:
    """Return an instance of which only the class is known."""
    for option in options(annotation):
        if isinstance(option, ClassValue) and routers.kind_of(option) is None:
            return Instance(option, open=True)
    return None


def _overrides(m: Machine, value: Instance, name: str, site: Place) -> list[Value]:
    """Return the method ``name`` of the classes that inherit from that of ``value``."""
    found: list[Value] = []
    for function in m.relevance.methods[name]:
        owner = function.owner
        if owner is None or owner is value.cls.symbol:
            continue
        cls = imports.member(m, m.module(function.module), owner.name)
        if isinstance(cls, ClassValue) and any(a is value.cls for a in mro(cls)):
            method = class_member(m, cls, name)
            if method is not None:
                found.append(bound(m, method, Instance(cls, open=True), cls, site))
    return found


def bound(m: Machine, found: Value, receiver: Value, cls: ClassValue, site: Place) -> Value:
    """Return what reading ``found``, an attribute of the class, from an instance gives."""
    if isinstance(found, Closure):
        symbol = found.symbol
        if found.receiver is not None or symbol.is_static:
            return found
        if "classmethod" in symbol.decorator_names:
            return found.bind(cls)
        if symbol.is_property:
            value = m.call(m, found.bind(receiver), Arguments(site))
            if "cached_property" in symbol.decorator_names and isinstance(
                receiver, (Instance, RouterValue)
            ):
                receiver.attrs[symbol.name] = value
            return value
        return found.bind(receiver)
    if isinstance(found, Foreign) and found.name.rpartition(".")[2] in _FIELDS:
        value = default_of(m, found)
        if isinstance(receiver, Instance) and not isinstance(value, Unknown):
            name = next((k for k, v in cls.body.names.items() if v is found), None)
            if name is not None:
                receiver.attrs[name] = value
        return value
    return found


def _is_settings(cls: ClassValue) -> bool:
    return any(name.endswith("BaseSettings") for name in ancestors(cls))


def default_of(m: Machine, field: Foreign) -> Value:
    """Return the default that ``Field(...)`` declares."""
    given = field.arguments.get(0, "default")
    if given is not None:
        return given
    factory = field.arguments.keywords.get("default_factory")
    if factory is not None:
        return m.call(m, factory, Arguments(field.arguments.site))
    return UNKNOWN


def _of_class(m: Machine, value: ClassValue, name: str, site: Place) -> Value:
    found = class_member(m, value, name)
    if isinstance(found, Closure) and "classmethod" in found.symbol.decorator_names:
        return found.bind(value)
    if isinstance(found, Foreign) and found.name.rpartition(".")[2] in _FIELDS:
        return default_of(m, found)
    if found is not None:
        return found
    if name == "__name__":
        return Const(value.symbol.name)
    if name == "__module__":
        return Const(value.symbol.module.name)
    if name == "__init__":
        return Native("__init__", lambda _, __: NONE)
    if name == "__members__":
        names = [n for n, st in value.symbol.own_attributes.items() if isinstance(st, s.Assign)]
        return Table({("str", n): (Const(n), member(m, value, n, site)) for n in names})
    return UNKNOWN


def _of_super(m: Machine, value: Super, name: str, site: Place) -> Value:
    receiver = value.receiver
    start = receiver.cls if isinstance(receiver, (Instance, RouterValue)) else receiver
    if isinstance(start, ClassValue):
        found = class_member(m, start, name, after=value.after)
        if found is not None:
            return bound(m, found, receiver, start, site)
    if isinstance(receiver, RouterValue):
        return routers.attribute(receiver, name)
    if name == "__init__" and isinstance(receiver, Instance):
        if libraries.is_routable(m, receiver.cls):
            return Native(name, lambda m, given: libraries.fill(m, receiver, given))
    return Native(name, lambda _, __: UNKNOWN)


# ---------------------------------------------------------------------- classes


def execute_body(m: Machine, cls: ClassValue) -> None:
    """Execute the body of a class: its methods may be declared as routes."""
    prepare(cls)
    m.execute(m, cls.symbol.node.body, cls.body)


def subclassed(m: Machine, cls: ClassValue) -> None:
    """Call the ``__init_subclass__`` that an ancestor defines, if that sets up routers."""
    for base in cls.bases:
        if isinstance(base, ClassValue):
            hook = class_member(m, base, "__init_subclass__")
            if isinstance(hook, Closure) and m.relevance.function(hook.symbol):
                m.call(m, hook.bind(cls), Arguments(cls.frame.site(cls.symbol.node)))
                return


def instantiate(m: Machine, cls: ClassValue, given: Arguments) -> Value:
    """Return what calling the class gives."""
    kind = routers.kind_of(cls)
    if kind is not None:
        return _instantiate_router(m, cls, kind, given)
    outside = ancestors(cls)
    if not outside.isdisjoint(_ENUMS):
        return given.get(0, "value") or UNKNOWN
    made = Instance(cls)
    init = class_member(m, cls, "__init__")
    if isinstance(init, Closure):
        m.call(m, init.bind(made), given)
        return made
    if libraries.is_routable(m, cls):
        libraries.fill(m, made, given)
        return made
    _fill_fields(cls, made, given)
    hook = class_member(m, cls, "__post_init__")
    if isinstance(hook, Closure):
        m.call(m, hook.bind(made), Arguments(given.site))
    return made


def _instantiate_router(m: Machine, cls: ClassValue, kind: str, given: Arguments) -> Value:
    router = routers.blank(m, kind, cls, given.site)
    init = class_member(m, cls, "__init__")
    if isinstance(init, Closure):
        m.call(m, init.bind(router), given)
        if router.made:
            return router
        given = Arguments(given.site)
    routers.initialize(m, router, given)
    return router


def _fill_fields(cls: ClassValue, made: Instance, given: Arguments) -> None:
    names: dict[str, None] = {}
    for ancestor in reversed(mro(cls)):
        if isinstance(ancestor, ClassValue):
            for name, statement in ancestor.symbol.own_attributes.items():
                if isinstance(statement, s.AnnAssign):
                    names[name] = None
    for name, value in zip(names, given.positional, strict=False):
        made.attrs[name] = value
    made.attrs.update(given.keywords)
    made.open = given.open


def enter(m: Machine, value: Value, site: Place) -> Value:
    """Return what ``with value as name`` binds."""
    if isinstance(value, Instance):
        for name in ("__enter__", "__aenter__"):
            method = class_member(m, value.cls, name)
            if isinstance(method, Closure):
                return m.call(m, method.bind(value), Arguments(site))
    if isinstance(value, Items) and value.kind == "iterator" and value.items:
        return value.items[0]  # a generator function under @contextmanager
    if isinstance(value, (RouterValue, Foreign, FileValue)):
        return value
    return UNKNOWN


def holds_router(value: Value, depth: int = 2) -> bool:
    """Return whether ``value`` is a router or holds one."""
    if isinstance(value, (RouterValue, RouteValue)):
        return True
    if isinstance(value, Choice):
        return any(holds_router(option, depth) for option in value.options)
    if depth == 0:
        return False
    if isinstance(value, Items):
        return any(holds_router(item, depth - 1) for item in value.items[:100])
    if isinstance(value, Table):
        return any(holds_router(v, depth - 1) for _, v in list(value.entries.values())[:100])
    if isinstance(value, Instance):
        return any(holds_router(v, depth - 1) for v in value.attrs.values())
    if isinstance(value, Method):
        return isinstance(value.receiver, RouterValue)
    return False
