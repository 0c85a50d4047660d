"""Which class a method runs for, by the way that led to it.

``ValidationBlock().execute()`` calls what ``Block.execute`` does with ``self`` on a
``ValidationBlock``: of the methods behind the port, only that of this class.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastwright.app.infer import Inference
from fastwright.app.symbols import Class, Function, Linker
from fastwright.app.types import FunctionValue, Instance, alternatives
from fastwright.read import syntax as s

if TYPE_CHECKING:
    from fastwright.app.calls import CallSite, Step


@dataclass(eq=False)
class Receivers:
    """The classes that methods of ports, and of what implements them, run for."""

    linker: Linker
    types: Inference
    _open: dict[int, bool] = field(default_factory=dict)
    _methods: dict[tuple[int, str], frozenset[int]] = field(default_factory=dict)

    def is_open(self, function: Function) -> bool:
        """Whether what a method calls on ``self`` may stand in a class that implements a port."""
        owner = function.owner
        if owner is None:
            return False
        key = id(owner.node)
        if key not in self._open:
            ancestors = self.linker.mro(owner)
            self._open[key] = any(isinstance(a, Class) and self.types.is_port(a) for a in ancestors)
        return self._open[key]

    def of(self, step: Step | None) -> tuple[Class, ...]:
        """Return the classes for which a method was reached, none where that may be any."""
        while step is not None and step.site is not None and self.is_open(step.function):
            if not is_own(step.site):
                return _called_on(step.site, step.function)
            outer = self.of(step.before)
            if outer:
                return outer
            owner = step.site.caller.owner
            return (owner,) if owner is not None and owner is not step.function.owner else ()
        return ()

    def targets(self, step: Step, site: CallSite) -> tuple[Function, ...]:
        """Return what a call may run on the way that led to it."""
        several = len(site.targets) > 1
        classes = self.of(step) if several and is_own(site) else ()
        if not classes:
            return site.targets
        meant = frozenset().union(*(self._named(cls, site.method) for cls in classes))
        return tuple(each for each in site.targets if id(each.node) in meant) or site.targets

    def _named(self, cls: Class, name: str) -> frozenset[int]:
        """Return the methods of that name of a class and of those that inherit from it."""
        key = (id(cls.node), name)
        if key not in self._methods:
            behind = self.types.implementations(cls) if self.types.implementations else []
            found = (self.linker.method(each, name) for each in (cls, *behind))
            self._methods[key] = frozenset(id(method.node) for method in found if method)
        return self._methods[key]


def is_own(site: CallSite) -> bool:
    """Whether a method calls another one on the object that it was called on itself."""
    func, caller = site.node.func, site.caller
    if not isinstance(func, s.Attribute) or caller.owner is None or caller.is_static:
        return False
    value = func.value
    if isinstance(value, s.Call):
        return isinstance(value.func, s.Name) and value.func.id == "super"
    first = caller.node.params[0].name if caller.node.params else None
    return isinstance(value, s.Name) and value.id == first


def _called_on(site: CallSite, function: Function) -> tuple[Class, ...]:
    """Return the classes of the objects whose method a call names, none if it may be any."""
    found: list[Class] = []
    for option in alternatives(site.callee):
        receiver = option.receiver if isinstance(option, FunctionValue) else None
        cls = receiver.cls if isinstance(receiver, Instance) else None
        if not isinstance(cls, Class) or cls is function.owner:
            return ()
        found.append(cls)
    return tuple(found)
