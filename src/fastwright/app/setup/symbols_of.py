"""The values that stand for functions and classes of the project."""

from __future__ import annotations

from fastwright.app.setup.machine import Machine
from fastwright.app.setup.values import UNKNOWN, ClassValue, Closure, Frame, Value
from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s


def closure(m: Machine, function: Function, frame: Frame) -> Closure:
    """Return the function as a value; its defaults are evaluated in the frame of its ``def``."""
    defaults: dict[str, Value] = {}
    for parameter in function.node.params:
        if parameter.default is not None:
            defaults[parameter.name] = m.evaluate(m, parameter.default, frame)
    return Closure(function, frame, defaults)


def class_value(m: Machine, cls: Class, frame: Frame) -> ClassValue:
    """Return the class as a value; its body is evaluated by who asks for it."""
    bases = tuple(
        m.evaluate(m, base, frame) for base in cls.node.bases if not isinstance(base, s.Starred)
    )
    body = Frame("class", frame.module, frame, frame.function)
    return ClassValue(cls, frame, bases, body)


def function_symbol(m: Machine, node: s.FunctionDef, frame: Frame) -> Function:
    """Return the linker's own symbol for a definition, so that identities agree."""
    module = frame.module.module
    outer = frame.function
    if frame.kind == "class" and frame.context is not None:
        cls = frame.context[0].symbol
        own = cls.own_methods.get(node.name)
        if own is not None and own.node is node:
            return own
        return Function(module, node, f"{cls.qualname}.{node.name}", cls, outer)
    scope = m.linker.scope(module) if outer is None else m.linker.local_scope(outer)
    found = scope.names.get(node.name)
    if isinstance(found, Function) and found.node is node:
        return found
    prefix = f"{outer.qualname}.<locals>." if outer is not None else ""
    return Function(module, node, prefix + node.name, None, outer)


def class_symbol(m: Machine, node: s.ClassDef, frame: Frame) -> Class:
    """Return the linker's own symbol for a class definition."""
    module = frame.module.module
    outer = frame.function
    if frame.kind == "class" and frame.context is not None:
        cls = frame.context[0].symbol
        own = cls.own_classes.get(node.name)
        if own is not None and own.node is node:
            return own
        return Class(module, node, f"{cls.qualname}.{node.name}", outer)
    scope = m.linker.scope(module) if outer is None else m.linker.local_scope(outer)
    found = scope.names.get(node.name)
    if isinstance(found, Class) and found.node is node:
        return found
    prefix = f"{outer.qualname}.<locals>." if outer is not None else ""
    return Class(module, node, prefix + node.name, outer)


def unwrap(value: Value) -> Value:
    """Return the function behind ``functools.wraps``."""
    for _ in range(20):
        if isinstance(value, Closure) and "__wrapped__" in value.attrs:
            value = value.attrs["__wrapped__"]
        else:
            return value
    return UNKNOWN
