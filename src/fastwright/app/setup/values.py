"""What the interpreter knows of a value: from a constant to ``UNKNOWN``.

Values that Python shares by reference (lists, dicts, instances, routers) are shared here as well;
they compare by identity. Only constants, externals and ``Unknown`` compare by content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, Union

from fastwright.app.setup.result import Place
from fastwright.app.symbols import Class, Function, Namespace
from fastwright.read import syntax as s
from fastwright.read.module import Module

if TYPE_CHECKING:
    from fastwright.app.setup.machine import Machine

HOLE = "{?}"
"""What stands in a text for a piece that is not known."""


class Value:
    """Anything that an expression may stand for."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Unknown(Value):
    """Nothing is known."""


UNKNOWN = Unknown()

Plain: TypeAlias = Union[str, int, float, bool, bytes, None]


@dataclass(frozen=True, slots=True)
class Const(Value):
    """A plain value; of a ``partial`` text some pieces are unknown and written ``HOLE``."""

    value: Plain
    partial: bool = False
    configured: bool = field(default=False, compare=False)
    """Whether this is the default of a setting, so that a deployment may have another."""


NONE = Const(None)
TRUE = Const(value=True)
FALSE = Const(value=False)


@dataclass(frozen=True, slots=True)
class PathValue(Value):
    """A path of the file system, relative to the project's root."""

    path: str


@dataclass(frozen=True, slots=True)
class FileValue(Value):
    """An opened file of the project."""

    path: str


@dataclass(frozen=True, slots=True)
class Choice(Value):
    """One of several values, each of another branch."""

    options: tuple[Value, ...]


@dataclass(eq=False, slots=True)
class Items(Value):
    """A list, tuple, set or iterator. ``open``: there may be more items than are known."""

    kind: str
    items: list[Value]
    open: bool = False


Key: TypeAlias = object


@dataclass(eq=False, slots=True)
class Table(Value):
    """A dict. ``sources`` says where the keyword arguments that filled it were written."""

    entries: dict[Key, tuple[Value, Value]] = field(default_factory=dict)
    open: bool = False
    sources: dict[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class External(Value):
    """A name from outside the project, dotted and canonical."""

    name: str


@dataclass(eq=False, slots=True)
class Foreign(Value):
    """What calling something from outside the project gave."""

    name: str
    """The dotted name of what was called."""
    arguments: Arguments
    attrs: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NamespaceValue(Value):
    """A folder of the project without ``__init__``."""

    namespace: Namespace


@dataclass(eq=False)
class ModuleValue(Value):
    """A module of the project and what executing it bound."""

    module: Module
    state: str = "fresh"
    """fresh, running, done (executed) or passed (only its imports were followed)."""
    frame: Frame = field(init=False)
    stars: list[ModuleValue] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.frame = Frame("module", self, None, None)


@dataclass(frozen=True, slots=True)
class Deferred(Value):
    """A name imported from a module that was not executed: looked up when somebody asks."""

    origin: ModuleValue
    name: str


@dataclass(eq=False, slots=True)
class Closure(Value):
    """A function of the project. ``receiver`` is what it is bound to."""

    symbol: Function
    frame: Frame
    defaults: dict[str, Value]
    receiver: Value | None = None
    attrs: dict[str, Value] = field(default_factory=dict)
    """Attributes that were set on the function; ``__wrapped__`` is one."""

    def bind(self, receiver: Value) -> Closure:
        """Return the function bound to an instance or class."""
        return Closure(self.symbol, self.frame, self.defaults, receiver, self.attrs)


@dataclass(eq=False, slots=True)
class LambdaValue(Value):
    """A lambda."""

    node: s.Lambda
    frame: Frame
    qualname: str


@dataclass(eq=False, slots=True)
class ClassValue(Value):
    """A class of the project."""

    symbol: Class
    frame: Frame
    """The frame that the class was defined in."""
    bases: tuple[Value, ...]
    body: Frame
    """What its body binds, as far as that was evaluated."""
    keywords: dict[str, Value] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Instance(Value):
    """An instance of a class of the project. ``open``: its attributes are not all known."""

    cls: ClassValue
    attrs: dict[str, Value] = field(default_factory=dict)
    open: bool = False


@dataclass(eq=False, slots=True)
class Super(Value):
    """``super()`` in a method of ``after``."""

    receiver: Value
    after: ClassValue


@dataclass(eq=False, slots=True)
class Method(Value):
    """An attribute of a value of Python, FastAPI or Starlette, about to be called."""

    receiver: Value
    name: str


Run: TypeAlias = "Callable[[Machine, Arguments], Value]"


@dataclass(eq=False, slots=True)
class Native(Value):
    """A function that the interpreter itself provides."""

    name: str
    run: Run


@dataclass(eq=False, slots=True)
class PartialValue(Value):
    """``functools.partial(function, ...)``."""

    function: Value
    arguments: Arguments


@dataclass(eq=False, slots=True)
class Arguments:
    """What a call passes. ``sources``: where each keyword (or position) was written."""

    site: Place
    positional: list[Value] = field(default_factory=list)
    keywords: dict[str, Value] = field(default_factory=dict)
    sources: dict[str | int, Place] = field(default_factory=dict)
    open: bool = False
    """Whether ``*args`` or ``**kwargs`` of unknown content were passed as well."""

    def get(self, position: int, name: str) -> Value | None:
        """Return the argument at ``position`` or of that name, or None."""
        if 0 <= position < len(self.positional):
            return self.positional[position]
        return self.keywords.get(name)

    def source(self, position: int, name: str) -> Place | None:
        """Return where that argument was written."""
        return self.sources.get(position) or self.sources.get(name)

    def shifted(self, first: Value | None = None) -> Arguments:
        """Return the arguments with ``first`` put before them, or without the first."""
        step = 1 if first is not None else -1
        sources: dict[str | int, Place] = {
            (key + step if isinstance(key, int) else key): site
            for key, site in self.sources.items()
            if not (isinstance(key, int) and key + step < 0)
        }
        positional = [first, *self.positional] if first is not None else self.positional[1:]
        return Arguments(self.site, positional, dict(self.keywords), sources, self.open)


# ---------------------------------------------------------------------- routers


@dataclass(frozen=True, eq=False, slots=True)
class LayerValue:
    """One thing that adds to a route: its router, an include, the application, a mount."""

    kind: str
    site: Place
    keywords: dict[str, Place]
    values: dict[str, Value]


@dataclass(eq=False, slots=True)
class RouteValue(Value):
    """A route as it lies in a router's list."""

    kind: str
    """``http``, ``websocket``; ``plain`` and ``plain-websocket`` are Starlette's."""
    path: str
    own_path: str
    methods: tuple[str, ...]
    endpoint: Value
    site: Place
    keywords: dict[str, Place]
    values: dict[str, Value]
    layers: tuple[LayerValue, ...]
    """Outermost first."""
    partial: bool
    presence: str
    name: str | None = None
    user: str = ""
    """What refuses strangers, for a route that a library makes."""


@dataclass(eq=False, slots=True)
class IncludeValue(Value):
    """A router included in another: by reference, as FastAPI does since 0.137."""

    router: RouterValue
    prefix: str
    layers: tuple[LayerValue, ...]
    partial: bool
    presence: str


@dataclass(eq=False, slots=True)
class MountValue(Value):
    """An application mounted at a path (or host)."""

    app: Value
    path: str
    layers: tuple[LayerValue, ...]
    partial: bool
    presence: str


@dataclass(eq=False)
class RouterValue(Value):
    """A FastAPI or Starlette application or router, or an instance of a subclass.

    ``kind``: app, router (FastAPI's), plain-app or plain-router (Starlette's).
    """

    kind: str
    cls: ClassValue | None
    site: Place
    routes: Items
    attrs: dict[str, Value] = field(default_factory=dict)
    prefix: str = ""
    partial: bool = False
    layer: LayerValue | None = None
    made: bool = False
    """Whether the constructor of FastAPI or Starlette has run."""
    presence: str = "always"
    """Whether it is surely made."""
    callers: tuple[Function, ...] = ()
    """The functions that were running when it was made, outermost first."""
    middleware: list[tuple[Value, Place, dict[str, Place]]] = field(default_factory=list)
    handlers: list[tuple[Place, Value, Place]] = field(default_factory=list)
    events: list[tuple[str, Value, Place]] = field(default_factory=list)
    startups: list[tuple[Value, str]] = field(default_factory=list)
    """What runs when the application starts, and whether it surely does."""
    lifespan: Value | None = None
    includes: list[tuple[RouterValue, int, Place]] = field(default_factory=list)
    """Routers included, how many routes they had then, and where."""
    inner: RouterValue | None = None
    """Of an application: its ``router``."""

    @property
    def is_app(self) -> bool:
        """Whether this is an application rather than a router."""
        return self.kind in {"app", "plain-app"}

    @property
    def is_fastapi(self) -> bool:
        """Whether this is FastAPI's rather than Starlette's."""
        return self.kind in {"app", "router"}


# ----------------------------------------------------------------------- frames


class Frame:
    """The names of a module, class body or running function."""

    __slots__ = (
        "context", "ended", "function", "globals", "kind", "module", "names", "nonlocals", "outer",
        "returns", "sources", "yields",
    )  # fmt: skip

    def __init__(
        self, kind: str, module: ModuleValue, outer: Frame | None, function: Function | None
    ) -> None:
        self.kind = kind
        """module, class, function or block (a comprehension)."""
        self.module = module
        self.outer = outer
        self.function = function
        self.names: dict[str, Value] = {}
        self.sources: dict[str, Place] = {}
        """Where the values of parameters were written."""
        self.returns: list[Value] = []
        self.yields: list[Value] = []
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.ended: int | None = None
        """How many values it had returned when a setting's default ended it."""
        self.context: tuple[ClassValue, Value] | None = None
        """Of a method: its class and receiver, for ``super()``."""

    def site(self, node: s.Node) -> Place:
        """Return a node of this frame's code with its context."""
        return Place(self.module.module, self.function, node)

    def chain(self) -> Iterator[Frame]:
        """Yield the frames that a name is looked up in, innermost first, without the module's."""
        frame: Frame | None = self
        while frame is not None and frame.kind != "module":
            if frame is self or frame.kind != "class":
                yield frame
            frame = frame.outer


# ---------------------------------------------------------------------- choices


def choice(options: list[Value]) -> Value:
    """Return one value for several: alike ones once, unknown only if nothing is known."""
    flat: list[Value] = []
    for option in options:
        for single in option.options if isinstance(option, Choice) else (option,):
            if single not in flat and not isinstance(single, Unknown):
                flat.append(single)
    if not flat:
        return UNKNOWN
    return flat[0] if len(flat) == 1 else Choice(tuple(flat))


def options(value: Value) -> tuple[Value, ...]:
    """Return the values that ``value`` may be."""
    return value.options if isinstance(value, Choice) else (value,)


def truth(value: Value) -> bool | None:
    """Return whether ``value`` counts as true, None if that is not known."""
    if isinstance(value, Const):
        if value.partial:
            known = str(value.value).replace(HOLE, "")
            return True if known else None
        return bool(value.value)
    if isinstance(value, Items):
        return True if value.items else (None if value.open else False)
    if isinstance(value, Table):
        return True if value.entries else (None if value.open else False)
    if isinstance(value, Choice):
        answers = {truth(option) for option in value.options}
        return answers.pop() if len(answers) == 1 else None
    if isinstance(value, (Unknown, Foreign, Deferred, External)):
        return None
    if isinstance(value, Instance):
        return None if value.open else True
    return True


PRESENCES = ("always", "startup", "unknown", "off")
"""Whether a route is there: surely, once started, if a condition holds, if a setting is changed."""


def least(*presences: str) -> str:
    """Return the presence of what depends on all of these."""
    return max(presences, key=PRESENCES.index)


def is_configured(value: Value) -> bool:
    """Return whether ``value`` is what a setting's default gives."""
    return isinstance(value, Const) and value.configured


def configured(value: Value) -> Value:
    """Return ``value`` as the default of a setting."""
    if isinstance(value, Const) and not value.configured:
        return Const(value.value, value.partial, configured=True)
    return value


def key_of(value: Value) -> Key | None:
    """Return what identifies ``value`` as a key of a dict, None if it cannot be one."""
    if isinstance(value, Const):
        return None if value.partial else (type(value.value).__name__, value.value)
    if isinstance(value, Items):
        keys = [key_of(item) for item in value.items]
        return None if None in keys or value.open else ("tuple", tuple(keys))
    if isinstance(value, (Unknown, Choice)):
        return None
    return value


def text_of(value: Value | None) -> tuple[str, bool]:
    """Return a path (or a piece of one) as text, and whether a piece of it is unknown."""
    if isinstance(value, Const):
        return ("" if value.value is None else str(value.value)), value.partial
    if value is None:
        return "", False
    if isinstance(value, Choice):
        texts = [text_of(o) for o in value.options if isinstance(o, Const) and o.value]
        if texts:
            return texts[0][0], True
    return HOLE, True


def strings(value: Value | None) -> tuple[str, ...]:
    """Return the texts in a collection, as far as they are known."""
    if isinstance(value, Items):
        return tuple(
            item.value
            for item in value.items
            if isinstance(item, Const) and isinstance(item.value, str)
        )
    return ()
