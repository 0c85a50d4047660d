"""Types: what is known of a value without running anything. ``UNKNOWN`` is always an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, Union

import msgspec

from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s
from fastwright.read.module import Module


class Unknown(msgspec.Struct, frozen=True):
    """Nothing is known; rules stay silent."""


UNKNOWN = Unknown()


class NoneType(msgspec.Struct, frozen=True):
    """``None``."""


NONE = NoneType()


class Literal(msgspec.Struct, frozen=True):
    """A value that is known."""

    value: str | int | float | bool


@dataclass(frozen=True)
class Instance:
    """An instance of a project class, or of an external one (its canonical dotted name).

    ``query`` is the database statement that loaded it, where it came from one.
    """

    cls: Class | str
    args: tuple[Type, ...] = ()
    query: Query | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The dotted name of an external class, ``module:Class`` of one of the project."""
        return self.cls if isinstance(self.cls, str) else self.cls.id


class ClassObject(msgspec.Struct, frozen=True):
    """A class itself, as a value."""

    cls: Class | str
    args: tuple[Type, ...] = ()


class FunctionValue(msgspec.Struct, frozen=True):
    """A function of the project as a value; ``receiver`` is what it is bound to.

    ``given`` counts leading parameters that ``functools.partial`` already filled.
    """

    function: Function
    receiver: Type | None = None
    given: int = 0


class ExternalValue(msgspec.Struct, frozen=True):
    """Something outside the project that was named but not called: ``requests.get``.

    For attributes of external instances ``receiver`` is the instance and the name is that of
    its class and the attribute (``sqlalchemy.orm.Session.execute``).
    """

    name: str
    receiver: Type | None = None


class ModuleValue(msgspec.Struct, frozen=True):
    """A module of the project."""

    module: Module


class Awaitable(msgspec.Struct, frozen=True):
    """What gives ``result`` when awaited."""

    result: Type


class Sequence(msgspec.Struct, frozen=True):
    """Many values of one type. ``kind``: list, set, tuple, iterator or dict (element = value)."""

    kind: str
    element: Type
    key: Type | None = None
    items: tuple[Type, ...] | None = None
    """The element types of a tuple of fixed length."""
    named: tuple[tuple[str, Type], ...] = ()
    """What a dictionary of functions or classes holds under which name."""


class Context(msgspec.Struct, frozen=True):
    """A context manager that gives ``entered`` on ``with``."""

    entered: Type
    is_async: bool = False


class TypeVariable(msgspec.Struct, frozen=True):
    """A type parameter that has not been bound."""

    name: str
    bound: Type


class Alternatives(msgspec.Struct, frozen=True):
    """One of several types (None is left out where there is something else)."""

    options: tuple[Type, ...]


class LambdaValue(msgspec.Struct, frozen=True):
    """A lambda."""

    node: s.Lambda


class LoadOption(msgspec.Struct, frozen=True):
    """An eager-loading option: ``selectinload(Order.items)`` with what is chained to it."""

    strategy: str
    path: tuple[str, ...]
    """Names of the relationships, outermost first."""


class Query(msgspec.Struct, frozen=True, eq=False):
    """A database statement as it was built: SELECT, INSERT, UPDATE, DELETE or text."""

    kind: str
    """select, insert, update, delete or text."""
    module: Module
    function: Function | None
    node: s.Expr
    """Where it was begun (``select(...)``)."""
    tables: tuple[Class, ...] = ()
    """Table classes selected or changed, in order."""
    entity: Class | None = None
    """The table whose rows come back whole, when one only is selected."""
    filters: tuple[s.Expr, ...] = ()
    ordered: bool = False
    limited: bool = False
    aggregate: bool = False
    """Counts, sums and the like: one row."""
    grouped: bool = False
    locked: bool = False
    options: tuple[LoadOption, ...] = ()
    options_known: bool = True
    """False when an option could not be read: nothing may be said about loading."""
    legacy: bool = False
    """``session.query``: the statement executes itself."""
    session: Type | None = None
    """For a legacy query, the session that it runs on."""
    steps: tuple[s.Expr, ...] = ()
    """Method calls that refined it, in order."""

    def refine(self, **changes: object) -> Query:
        """Return the statement with some of its properties changed."""
        return msgspec.structs.replace(self, **changes)


class Statement(msgspec.Struct, frozen=True):
    """A value that is a database statement."""

    query: Query


class Result(msgspec.Struct, frozen=True):
    """What executing a statement gives before rows are taken. ``scalar``: rows are first columns."""

    query: Query
    scalar: bool


Type: TypeAlias = Union[
    Unknown, NoneType, Literal, Instance, ClassObject, FunctionValue, ExternalValue, ModuleValue,
    Awaitable, Sequence, Context, TypeVariable, Alternatives, LambdaValue, LoadOption, Statement,
    Result,
]  # fmt: skip


def union(options: list[Type]) -> Type:
    """Return one type for several: duplicates dropped, unknown if any is unknown and none is not."""
    flat: list[Type] = []
    for option in options:
        for single in option.options if isinstance(option, Alternatives) else (option,):
            if single not in flat and not isinstance(single, Unknown):
                flat.append(single)
    something = [option for option in flat if not isinstance(option, NoneType)]
    if not something:
        return NONE if flat else UNKNOWN
    return something[0] if len(something) == 1 else Alternatives(tuple(something))


def alternatives(found: Type) -> tuple[Type, ...]:
    """Return the single types that ``found`` may be."""
    return found.options if isinstance(found, Alternatives) else (found,)


def element(found: Type) -> Type:
    """Return the type of what iterating over ``found`` gives."""
    if isinstance(found, Sequence):
        if found.kind == "dict":
            return found.key if found.key is not None else UNKNOWN
        return found.element
    if isinstance(found, Result):
        return row(found)
    if isinstance(found, Statement) and found.query.legacy:
        return row(Result(found.query, scalar=True))
    if isinstance(found, Alternatives):
        return union([element(option) for option in found.options])
    return UNKNOWN


def row(result: Result) -> Type:
    """Return the type of one row of a result."""
    query = result.query
    if query.entity is None:
        return UNKNOWN
    instance = Instance(query.entity, (), query)
    if result.scalar:
        return instance
    return Sequence("tuple", instance, items=(instance,))
