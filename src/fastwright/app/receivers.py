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

    def of(self, step: Step | None) -> Class | None:
        """Return the class for which a method was reached, None where that may be any."""
        while step is not None and step.site is not None and self.is_open(step.function):
            if not is_own(step.site):
                return _called_on(step.site, step.function)
            outer = self.of(step.before)
            if outer is not None:
                return outer
            owner = step.site.caller.owner
            return owner if owner is not step.function.owner else None
        return None

    def targets(self, step: Step, site: CallSite) -> tuple[Function, ...]:
        """Return what a call may run on the way that led to it."""
        several = len(site.targets) > 1
        cls = self.of(step) if several and is_own(site) else None
        if cls is None:
            return site.targets
        meant = self._named(cls, site.method)
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


def _called_on(site: CallSite, function: Function) -> Class | None:
    """Return the class of the object whose method a call names, if it is of a class of its own."""
    options = alternatives(site.callee)
    receivers = [o.receiver for o in options if isinstance(o, FunctionValue)]
    if len(receivers) != 1 or len(options) != 1 or not isinstance(receivers[0], Instance):
        return None
    cls = receivers[0].cls
    return cls if isinstance(cls, Class) and cls is not function.owner else None
