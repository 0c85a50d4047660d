"""What the standard library (and a little of others) does in set-up code, on symbolic values."""

from __future__ import annotations

import re
from collections.abc import Callable

from fastwright.app.setup import files, imports, made, objects, routers
from fastwright.app.setup.classes import ancestors, mro
from fastwright.app.setup.evaluate import (
    item,
    iterate,
    merge,
    set_attribute,
    set_item,
)
from fastwright.app.setup.machine import Machine
from fastwright.app.setup.values import (
    FALSE,
    NONE,
    TRUE,
    UNKNOWN,
    Arguments,
    ClassValue,
    Closure,
    Const,
    External,
    Foreign,
    Instance,
    Items,
    LambdaValue,
    Method,
    ModuleValue,
    Native,
    PartialValue,
    PathValue,
    RouterValue,
    RouteValue,
    Table,
    Unknown,
    Value,
    configured,
    is_configured,
    truth,
)


def call_external(m: Machine, value: External, given: Arguments) -> Value:
    """Return what calling something from outside the project gives."""
    kind = routers.kind_of(value)
    if kind is not None:
        return routers.create(m, kind, given)
    name = value.name
    if name in routers.ROUTE_CLASSES:
        return routers.route_object(m, routers.ROUTE_CLASSES[name], given)
    if name in {"starlette.routing.Mount", "fastapi.routing.Mount"}:
        return routers.mount_object(m, given)
    function = _FUNCTIONS.get(name) or files.FUNCTIONS.get(name)
    if function is not None:
        return function(m, given)
    if name.endswith(".__init__"):
        return _explicit_init(m, name.removesuffix(".__init__"), given)
    router = made.by_factory(m, name, given, None)
    if router is not None:
        return router
    last = name.rpartition(".")[2]
    first = given.positional[0] if given.positional else None
    if isinstance(first, RouterValue) and last[:1].islower():
        return first  # add_pagination(app) and the like give what they got
    return declared_default(given) or Foreign(name, given)


_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")


def declared_default(given: Arguments) -> Value | None:
    """Return the default of ``env("NAME", default)``, in the manner of many a settings library."""
    name = given.positional[0] if given.positional else None
    if not isinstance(name, Const) or not isinstance(name.value, str):
        return None
    if _VARIABLE.fullmatch(name.value) is None:
        return None
    default = given.keywords.get("default")
    if default is None and len(given.positional) > 1:
        default = given.positional[1]
    return configured(default) if isinstance(default, Const) else None


def _explicit_init(m: Machine, name: str, given: Arguments) -> Value:
    """``APIRouter.__init__(self, ...)``."""
    router = given.positional[0] if given.positional else None
    if isinstance(router, RouterValue) and routers.kind_of(External(name)) is not None:
        routers.initialize(m, router, given.shifted())
        return NONE
    return UNKNOWN


# --------------------------------------------------------------------- functions


def _getattr(m: Machine, given: Arguments) -> Value:
    owner, name, default = given.get(0, ""), given.get(1, ""), given.get(2, "")
    if owner is None or not isinstance(name, Const) or not isinstance(name.value, str):
        return UNKNOWN
    found = objects.member(m, owner, name.value, given.site)
    if isinstance(found, Unknown) and default is not None:
        return default if isinstance(owner, (Instance, ModuleValue, ClassValue)) else UNKNOWN
    return found


def _hasattr(m: Machine, given: Arguments) -> Value:
    owner, name = given.get(0, ""), given.get(1, "")
    if owner is None or not isinstance(name, Const):
        return UNKNOWN
    found = objects.member(m, owner, str(name.value), given.site)
    if not isinstance(found, Unknown):
        if isinstance(found, Method) and not isinstance(owner, RouterValue):
            return UNKNOWN
        return TRUE
    return FALSE if isinstance(owner, (ModuleValue, RouterValue)) else UNKNOWN


def _setattr(_: Machine, given: Arguments) -> Value:
    owner, name, value = given.get(0, ""), given.get(1, ""), given.get(2, "")
    if owner is not None and value is not None and isinstance(name, Const):
        set_attribute(owner, str(name.value), value)
    return NONE


def _isinstance(m: Machine, given: Arguments) -> Value:
    value, wanted = given.get(0, ""), given.get(1, "")
    if value is None or wanted is None:
        return UNKNOWN
    classes = wanted.items if isinstance(wanted, Items) else [wanted]
    answers = {_is_instance(m, value, cls) for cls in classes}
    if True in answers:
        return TRUE
    return UNKNOWN if None in answers else FALSE


_PLAIN_TYPES: dict[str, type | tuple[type, ...]] = {
    "builtins.str": str,
    "builtins.int": int,
    "builtins.bool": bool,
    "builtins.float": float,
    "builtins.bytes": bytes,
}


def _is_instance(_: Machine, value: Value, cls: Value) -> bool | None:
    name = cls.name if isinstance(cls, External) else None
    if isinstance(value, Const):
        if name in _PLAIN_TYPES:
            return isinstance(value.value, _PLAIN_TYPES[name])
        return False if name is not None and name.startswith("builtins.") else None
    if isinstance(value, Items):
        return value.kind == name.removeprefix("builtins.") if name is not None else False
    if isinstance(value, Table):
        return name in {"builtins.dict", "typing.Mapping", "collections.abc.Mapping"}
    if isinstance(value, RouterValue):
        if isinstance(cls, ClassValue):
            return value.cls is not None and cls in mro(value.cls)
        kind = routers.kind_of(External(name)) if name is not None else None
        if kind is None:
            return False
        return kind.endswith(value.kind.removeprefix("plain-")) and (
            kind == value.kind or kind.startswith("plain")
        )
    if isinstance(value, RouteValue):
        if name not in routers.ROUTE_CLASSES:
            return False
        return value.kind.removeprefix("plain-").endswith(
            routers.ROUTE_CLASSES[name].removeprefix("plain-")
        ) or (name.endswith(".Route") and value.kind in {"http", "plain"})
    if isinstance(value, Instance):
        if isinstance(cls, ClassValue):
            inherits = any(ancestor is cls for ancestor in mro(value.cls))
            return None if value.open and not inherits else inherits
        return name in ancestors(value.cls)
    if isinstance(value, ClassValue):
        return name == "builtins.type"
    return False if isinstance(value, (Closure, LambdaValue, ModuleValue)) else None


def _getenv(_: Machine, given: Arguments) -> Value:
    """The environment of a reader is empty: what counts is the default."""
    return configured(given.get(1, "default") or NONE)


def _wraps(_: Machine, given: Arguments) -> Value:
    wrapped = given.get(0, "wrapped") or UNKNOWN

    def mark(_: Machine, decorated: Arguments) -> Value:
        function = decorated.get(0, "")
        if isinstance(function, Closure) and not isinstance(wrapped, Unknown):
            function.attrs["__wrapped__"] = wrapped
        return function or UNKNOWN

    return Native("wraps", mark)


def _update_wrapper(_: Machine, given: Arguments) -> Value:
    wrapper, wrapped = given.get(0, "wrapper"), given.get(1, "wrapped")
    if isinstance(wrapper, Closure) and wrapped is not None:
        wrapper.attrs["__wrapped__"] = wrapped
    return wrapper or UNKNOWN


def _partial(_: Machine, given: Arguments) -> Value:
    if not given.positional:
        return UNKNOWN
    return PartialValue(given.positional[0], given.shifted())


def _len(m: Machine, given: Arguments) -> Value:
    found = iterate(m, given.get(0, "") or UNKNOWN)
    return Const(len(found[0])) if found is not None and not found[1] else UNKNOWN


def _collect(kind: str) -> Callable[[Machine, Arguments], Value]:
    def make(m: Machine, given: Arguments) -> Value:
        source = given.get(0, "")
        if source is None:
            return Items(kind, [])
        found = iterate(m, source)
        return Items(kind, found[0], found[1]) if found is not None else UNKNOWN

    return make


def _dict(m: Machine, given: Arguments) -> Value:
    table = Table()
    source = given.get(0, "")
    if isinstance(source, Table):
        merge(table, source)
    elif source is not None:
        found = iterate(m, source)
        for pair in found[0] if found is not None else []:
            set_item(
                table,
                item(m, pair, Const(0), given.site),
                item(m, pair, Const(1), given.site),
            )
        table.open = found is None or found[1]
    for name, value in given.keywords.items():
        set_item(table, Const(name), value)
    table.open = table.open or given.open
    return table


def _enumerate(m: Machine, given: Arguments) -> Value:
    found = iterate(m, given.get(0, "iterable") or UNKNOWN)
    if found is None:
        return UNKNOWN
    start = given.get(1, "start")
    first = start.value if isinstance(start, Const) and isinstance(start.value, int) else 0
    pairs: list[Value] = [
        Items("tuple", [Const(number), each]) for number, each in enumerate(found[0], first)
    ]
    return Items("list", pairs, found[1])


def _zip(m: Machine, given: Arguments) -> Value:
    columns = [iterate(m, value) for value in given.positional]
    if any(column is None for column in columns):
        return UNKNOWN
    known = [column for column in columns if column is not None]
    rows: list[Value] = [
        Items("tuple", list(row)) for row in zip(*(c[0] for c in known), strict=False)
    ]
    return Items("list", rows, any(c[1] for c in known))


_LARGEST_RANGE = 1000


def _range(_: Machine, given: Arguments) -> Value:
    bounds = [v.value for v in given.positional if isinstance(v, Const)]
    numbers = [b for b in bounds if isinstance(b, int)]
    if not numbers or len(numbers) != len(given.positional) or len(numbers) > 3:
        return UNKNOWN
    if len(numbers) == 3 and numbers[2] == 0:
        return UNKNOWN
    return Items("list", [Const(n) for n in range(*numbers)[:_LARGEST_RANGE]])


def _reversed(m: Machine, given: Arguments) -> Value:
    found = iterate(m, given.get(0, "") or UNKNOWN)
    return Items("list", found[0][::-1], found[1]) if found is not None else UNKNOWN


def _sorted(m: Machine, given: Arguments) -> Value:
    found = iterate(m, given.get(0, "") or UNKNOWN)
    if found is None:
        return UNKNOWN
    items = found[0]
    if all(isinstance(each, Const) and isinstance(each.value, str) for each in items):
        items = sorted(items, key=lambda each: str(each.value) if isinstance(each, Const) else "")
    return Items("list", items, found[1])


def _map(m: Machine, given: Arguments) -> Value:
    function = given.get(0, "")
    found = iterate(m, given.get(1, "") or UNKNOWN)
    if function is None or found is None:
        return UNKNOWN
    made = [m.call(m, function, Arguments(given.site, [each])) for each in found[0]]
    return Items("list", made, found[1])


def _filter(m: Machine, given: Arguments) -> Value:
    function = given.get(0, "")
    found = iterate(m, given.get(1, "") or UNKNOWN)
    if function is None or found is None:
        return UNKNOWN
    kept: list[Value] = []
    for each in found[0]:
        verdict = each
        if not (isinstance(function, Const) and function.value is None):
            verdict = m.call(m, function, Arguments(given.site, [each]))
        if truth(verdict) is not False:
            kept.append(each)
    return Items("list", kept, found[1])


def _str(_: Machine, given: Arguments) -> Value:
    value = given.get(0, "object")
    if value is None:
        return Const("")
    if isinstance(value, PathValue):
        return Const(value.path)
    return Const(str(value.value), value.partial) if isinstance(value, Const) else UNKNOWN


def _bool(_: Machine, given: Arguments) -> Value:
    known = truth(given.get(0, "") or NONE)
    if known is None:
        return UNKNOWN
    return Const(known, configured=is_configured(given.get(0, "") or NONE))


def _int(_: Machine, given: Arguments) -> Value:
    value = given.get(0, "")
    if isinstance(value, Const) and isinstance(value.value, (str, int)) and not value.partial:
        try:
            return Const(int(value.value))
        except ValueError:
            return UNKNOWN
    return UNKNOWN


def _any(m: Machine, given: Arguments) -> Value:
    found = iterate(m, given.get(0, "") or UNKNOWN)
    if found is None:
        return UNKNOWN
    answers = {truth(each) for each in found[0]}
    if True in answers:
        return TRUE
    return UNKNOWN if None in answers or found[1] else FALSE


def _all(m: Machine, given: Arguments) -> Value:
    found = iterate(m, given.get(0, "") or UNKNOWN)
    if found is None:
        return UNKNOWN
    answers = {truth(each) for each in found[0]}
    if False in answers:
        return FALSE
    return UNKNOWN if None in answers or found[1] else TRUE


def _first(_: Machine, given: Arguments) -> Value:
    """``typing.cast(type, value)``: the second; ``asyncio.run(value)``: the first."""
    return given.positional[-1] if given.positional else UNKNOWN


def _next(m: Machine, given: Arguments) -> Value:
    found = iterate(m, given.get(0, "") or UNKNOWN)
    if found is not None and found[0]:
        return found[0][0]
    return given.get(1, "default") or UNKNOWN


def _type(_: Machine, given: Arguments) -> Value:
    value = given.get(0, "")
    return value.cls if isinstance(value, Instance) else UNKNOWN


def _vars(m: Machine, given: Arguments) -> Value:
    value = given.get(0, "")
    if isinstance(value, ModuleValue):
        return Table(
            {
                ("str", name): (Const(name), imports.resolved(m, found))
                for name, found in value.frame.names.items()
            }
        )
    if isinstance(value, Instance):
        return Table({("str", k): (Const(k), v) for k, v in value.attrs.items()})
    return UNKNOWN


def _dir(m: Machine, given: Arguments) -> Value:
    found = _vars(m, given)
    return (
        Items("list", [k for k, _ in found.entries.values()])
        if isinstance(found, Table)
        else (UNKNOWN)
    )


def _members(m: Machine, given: Arguments) -> Value:
    """``inspect.getmembers(module or instance)``, its predicate tried where it can be."""
    value = given.get(0, "object")
    predicate = given.get(1, "predicate")
    if isinstance(value, (Instance, ClassValue)):
        pairs = _methods(m, value, given)
    else:
        table = _vars(m, given)
        if not isinstance(table, Table):
            return UNKNOWN
        pairs = [(k, v) for k, v in table.entries.values()]
    kept: list[Value] = []
    for name, found in pairs:
        if predicate is not None:
            verdict = _predicate(m, predicate, found, given)
            if verdict is False:
                continue
        kept.append(Items("tuple", [name, found]))
    return Items("list", kept)


def _methods(
    m: Machine, value: Instance | ClassValue, given: Arguments
) -> list[tuple[Value, Value]]:
    cls = value.cls if isinstance(value, Instance) else value
    names = sorted(
        {
            name
            for ancestor in mro(cls)
            if isinstance(ancestor, ClassValue)
            for name, method in ancestor.symbol.own_methods.items()
            if not method.is_property
        }
    )
    return [(Const(name), objects.member(m, value, name, given.site)) for name in names]


def _predicate(m: Machine, predicate: Value, value: Value, given: Arguments) -> bool | None:
    if isinstance(predicate, External):
        checks: dict[str, bool] = {
            "inspect.isfunction": isinstance(value, Closure) and value.receiver is None,
            "inspect.ismethod": isinstance(value, Closure) and value.receiver is not None,
            "inspect.isclass": isinstance(value, ClassValue),
            "inspect.isroutine": isinstance(value, Closure),
            "builtins.callable": isinstance(value, (Closure, ClassValue)),
        }
        return checks.get(predicate.name)
    return truth(m.call(m, predicate, Arguments(given.site, [value])))


def _is_kind(name: str) -> Callable[[Machine, Arguments], Value]:
    def check(m: Machine, given: Arguments) -> Value:
        value = given.get(0, "object") or UNKNOWN
        if isinstance(value, Unknown):
            return UNKNOWN
        verdict = _predicate(m, External(name), value, given)
        return UNKNOWN if verdict is None else Const(verdict)

    return check


def _import_module(m: Machine, given: Arguments) -> Value:
    name, package = given.get(0, "name"), given.get(1, "package")
    if not isinstance(name, Const) or not isinstance(name.value, str) or name.partial:
        return UNKNOWN
    dotted = name.value
    if dotted.startswith("."):
        if not isinstance(package, Const) or not isinstance(package.value, str):
            return UNKNOWN
        level = len(dotted) - len(dotted.lstrip("."))
        base = package.value.split(".")
        base = base[: len(base) - (level - 1)]
        dotted = ".".join([*base, dotted.lstrip(".")])
    if not dotted:
        return UNKNOWN
    return imports.import_dotted(m, dotted, given.site.module.path)


def _iter_modules(m: Machine, given: Arguments) -> Value:
    """``pkgutil.iter_modules(package.__path__, prefix)``: the package's modules by name."""
    found = iterate(m, given.get(0, "path") or UNKNOWN)
    prefix = given.get(1, "prefix")
    if found is None or not found[0]:
        return UNKNOWN
    before = str(prefix.value) if isinstance(prefix, Const) else ""
    items: list[Value] = []
    for folder in found[0]:
        if not isinstance(folder, (Const, PathValue)):
            return UNKNOWN
        where = folder.path if isinstance(folder, PathValue) else str(folder.value)
        for name, is_package in m.relevance.below(where):
            entry: list[Value] = [UNKNOWN, Const(before + name), Const(is_package)]
            items.append(Items("tuple", entry))
    return Items("list", items)


def _pass_through(position: int) -> Callable[[Machine, Arguments], Value]:
    def give(_: Machine, given: Arguments) -> Value:
        return given.get(position, "") or UNKNOWN

    return give


def _lru_cache(_: Machine, given: Arguments) -> Value:
    first = given.get(0, "user_function")
    return first if isinstance(first, Closure) else Native("lru_cache", _pass_through(0))


def _property(_: Machine, given: Arguments) -> Value:
    return given.get(0, "fget") or UNKNOWN


def _defaultdict(_: Machine, __: Arguments) -> Value:
    return Table(open=True)


_FUNCTIONS: dict[str, Callable[[Machine, Arguments], Value]] = {
    "builtins.getattr": _getattr,
    "builtins.hasattr": _hasattr,
    "builtins.setattr": _setattr,
    "builtins.isinstance": _isinstance,
    "builtins.len": _len,
    "builtins.list": _collect("list"),
    "builtins.tuple": _collect("tuple"),
    "builtins.set": _collect("set"),
    "builtins.frozenset": _collect("set"),
    "builtins.iter": _collect("iterator"),
    "builtins.dict": _dict,
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "builtins.range": _range,
    "builtins.reversed": _reversed,
    "builtins.sorted": _sorted,
    "builtins.map": _map,
    "builtins.filter": _filter,
    "builtins.str": _str,
    "builtins.bool": _bool,
    "builtins.int": _int,
    "builtins.any": _any,
    "builtins.all": _all,
    "builtins.next": _next,
    "builtins.type": _type,
    "builtins.vars": _vars,
    "builtins.dir": _dir,
    "builtins.__import__": _import_module,
    "builtins.callable": _is_kind("builtins.callable"),
    "inspect.getmembers": _members,
    "inspect.isfunction": _is_kind("inspect.isfunction"),
    "inspect.ismethod": _is_kind("inspect.ismethod"),
    "inspect.isclass": _is_kind("inspect.isclass"),
    "os.getenv": _getenv,
    "os.environ.get": _getenv,
    "functools.wraps": _wraps,
    "functools.update_wrapper": _update_wrapper,
    "functools.partial": _partial,
    "functools.lru_cache": _lru_cache,
    "functools.cache": _lru_cache,
    "importlib.import_module": _import_module,
    "pkgutil.iter_modules": _iter_modules,
    "pkgutil.walk_packages": _iter_modules,
    "typing.cast": _first,
    "asyncio.run": _pass_through(0),
    "asyncio.get_event_loop.run_until_complete": _pass_through(0),
    "copy.copy": _pass_through(0),
    "collections.OrderedDict": _dict,
    "collections.defaultdict": _defaultdict,
}
