"""Ports and what stands behind them: which class a dependency gives for a `Protocol`, and which ports a class answers."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.origins import returns
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, alternatives


def adapters(app: App, port: Class) -> list[Class]:
    """Return the classes behind a port: those that inherit from it, and those that functions give for it."""
    found = {id(cls.node): cls for cls in app.implementations(port)}
    for given, cls in _given(app, port.name):
        if given.node is port.node:
            found[id(cls.node)] = cls
    return list(found.values())


def ports(app: App, method: Function) -> list[Function]:
    """Return the methods of ports that a method of an adapter answers."""
    if method.owner is None:
        return []
    found = {}
    for port in _all(app):
        declared = port.own_methods.get(method.name)
        if declared is not None and declared.node is not method.node:
            if any(cls.node is method.owner.node for cls in adapters(app, port)):
                found[id(declared.node)] = declared
    return list(found.values())


def _all(app: App) -> Iterator[Class]:
    for module in app.sources:
        if b"Protocol" in module.source or b"ABC" in module.source:
            yield from (cls for cls in app.classes((module,)) if app.types.is_port(cls))


def _given(app: App, name: str) -> Iterator[tuple[Class, Class]]:
    """Yield what functions are said to return, of that name, and what they do return."""
    for module in app.sources:
        if name.encode() not in module.source:
            continue
        for function in app.every_function(module):
            if function.node.returns is None:
                continue
            said = app.linker.expression(function.node.returns, module, function.outer)
            if not isinstance(said, Class) or said.name != name:
                continue
            for returned in returns(app, function):
                for option in alternatives(app.types.of(returned, Where(module, function))):
                    if isinstance(option, Instance) and isinstance(option.cls, Class):
                        if option.cls.node is not said.node:
                            yield said, option.cls
