"""Classes of the project: ancestors and attributes."""

from __future__ import annotations

from fastwright.app.setup.machine import Machine
from fastwright.app.setup.symbols_of import class_value, closure
from fastwright.app.setup.values import UNKNOWN, ClassValue, External, Value

_MAX_ANCESTORS = 60


def mro(cls: ClassValue) -> list[Value]:
    """Return the class and its ancestors, nearest first."""
    found: list[Value] = []
    stack: list[Value] = [cls]
    while stack and len(found) < _MAX_ANCESTORS:
        value = stack.pop()
        found.append(value)
        if isinstance(value, ClassValue):
            stack.extend(reversed(value.bases))
    last: dict[object, Value] = {}
    for value in found:
        mark: object = id(value) if isinstance(value, ClassValue) else value
        last.pop(mark, None)  # a shared ancestor comes after all that inherit from it
        last[mark] = value
    return list(last.values())


def ancestors(cls: ClassValue) -> frozenset[str]:
    """Return the dotted names of the ancestors outside the project."""
    return frozenset(value.name for value in mro(cls) if isinstance(value, External))


def class_member(
    m: Machine, cls: ClassValue, name: str, after: ClassValue | None = None
) -> Value | None:
    """Return the attribute ``name`` of the class or of its nearest ancestor that has it."""
    skipping = after is not None
    for ancestor in mro(cls):
        if skipping:
            skipping = ancestor is not after
            continue
        if isinstance(ancestor, ClassValue):
            found = own_member(m, ancestor, name)
            if found is not None:
                return found
    return None


def own_member(m: Machine, cls: ClassValue, name: str) -> Value | None:
    """Return what the body of ``cls`` itself binds to ``name``."""
    names = cls.body.names
    found = names.get(name)
    if found is not None:
        return found
    prepare(cls)
    method = cls.symbol.own_methods.get(name)
    if method is not None:
        names[name] = closure(m, method, cls.body)
        return names[name]
    statement = cls.symbol.own_attributes.get(name)
    if statement is not None:
        if statement.value is None:
            return None
        names[name] = UNKNOWN
        names[name] = m.evaluate(m, statement.value, cls.body)
        return names[name]
    inner = cls.symbol.own_classes.get(name)
    if inner is not None:
        names[name] = class_value(m, inner, cls.body)
        return names[name]
    return None


def prepare(cls: ClassValue) -> None:
    """Let the methods of the class know what ``super()`` means in them."""
    if cls.body.context is None:
        cls.body.context = (cls, cls)
