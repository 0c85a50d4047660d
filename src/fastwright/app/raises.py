"""Raised exceptions: which, with which status, and who catches or maps them."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field

import msgspec

from fastwright.app.calls import CallGraph
from fastwright.app.infer import Inference, instance_of
from fastwright.app.scopes import Where
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Literal, alternatives
from fastwright.read import syntax as s

HTTP_EXCEPTION = "fastapi.HTTPException"
_STATUS = {
    "HTTP_400_BAD_REQUEST": 400, "HTTP_401_UNAUTHORIZED": 401, "HTTP_403_FORBIDDEN": 403,
    "HTTP_404_NOT_FOUND": 404, "HTTP_409_CONFLICT": 409, "HTTP_422_UNPROCESSABLE_ENTITY": 422,
}  # fmt: skip


class Raised(msgspec.Struct, frozen=True, eq=False):
    """A ``raise`` in a function. ``cls`` is the exception: a project class or a dotted name."""

    function: Function
    node: s.Raise
    cls: Class | str
    status: int | None
    """The HTTP status, where it can be read."""
    around: Surroundings

    @property
    def name(self) -> str:
        """The plain name of the exception."""
        return self.cls.name if isinstance(self.cls, Class) else self.cls.rpartition(".")[2]


def status_code(node: s.Expr | None, types: Inference, where: Where) -> int | None:
    """Return the HTTP status that an expression stands for: 404, status.HTTP_404_NOT_FOUND ..."""
    if node is None:
        return None
    name = s.last_name(node)
    if isinstance(node, s.Attribute) and name is not None:
        if name.startswith("HTTP_") and name[5:8].isdigit():
            return int(name[5:8])
        if name in _HTTP_STATUS:
            return _HTTP_STATUS[name]
    if isinstance(node, s.Name) and node.id.startswith("HTTP_") and node.id[5:8].isdigit():
        return int(node.id[5:8])
    found = types.of(node, where)
    if isinstance(found, Literal) and isinstance(found.value, int):
        return found.value
    return None


_HTTP_STATUS = {
    "OK": 200, "CREATED": 201, "ACCEPTED": 202, "NO_CONTENT": 204, "NOT_MODIFIED": 304,
    "BAD_REQUEST": 400, "UNAUTHORIZED": 401, "FORBIDDEN": 403, "NOT_FOUND": 404, "CONFLICT": 409,
    "UNPROCESSABLE_ENTITY": 422, "INTERNAL_SERVER_ERROR": 500, "TOO_MANY_REQUESTS": 429,
}  # fmt: skip


def _is_builtin(name: str, base: Class | str) -> bool:
    """Whether two names are exceptions of Python, the first a kind of the second."""
    if not isinstance(base, str):
        return False
    kind, of = (getattr(builtins, n.removeprefix("builtins."), None) for n in (name, base))
    known = name.startswith("builtins.") and base.startswith("builtins.")
    return known and isinstance(kind, type) and isinstance(of, type) and issubclass(kind, of)


@dataclass(eq=False)
class Raises:
    """Raised exceptions by function, found on demand."""

    calls: CallGraph
    types: Inference
    _known: dict[int, tuple[Raised, ...]] = field(default_factory=dict)

    def of(self, function: Function) -> tuple[Raised, ...]:
        """Return what ``function`` itself raises, re-raises left out."""
        key = id(function.node)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = tuple(
                raised
                for node, around in self.calls.of_kind(function, s.Raise)
                if node.exc is not None
                and (raised := self._raised(function, node, node.exc, around)) is not None
            )
        return found

    def _raised(
        self, function: Function, node: s.Raise, exc: s.Expr, around: Surroundings
    ) -> Raised | None:
        where = Where(function.module, function)
        for option in alternatives(instance_of(self.types.of(exc, where))):
            if isinstance(option, Instance):
                status = self.status(option, exc, where)
                return Raised(function, node, option.cls, status, around)
        return None

    def status(self, raised: Instance, exc: s.Expr, where: Where) -> int | None:
        """Return the status that an exception carries, where it can be read."""
        given = None
        if isinstance(exc, s.Call):
            given = exc.keyword("status_code")
            if given is None and self.is_http(raised.cls) and isinstance(raised.cls, str):
                given = exc.argument(0, "status_code")
        if given is not None:
            return status_code(given, self.types, where)
        if isinstance(raised.cls, Class):
            return self._class_status(raised.cls)
        if isinstance(exc, s.Name):  # credentials_exception = HTTPException(401); raise it
            bound = None
            if where.function is not None:
                bound = self.types.locals.lookup(exc.id, exc.start, where.function)
            if bound is not None and isinstance(bound.value, s.Call):
                return self.status(raised, bound.value, where)
        return None

    def _class_status(self, cls: Class) -> int | None:
        """``status_code = 404`` in the class, or ``super().__init__(404, ...)`` in its ``__init__``."""
        found = self.types.linker.class_attribute(cls, "status_code")
        if found is not None and found[1].value is not None:
            return status_code(found[1].value, self.types, Where(found[0].module))
        init = self.types.linker.method(cls, "__init__")
        if init is None:
            return None
        where = Where(init.module, init)
        for parameter in init.node.params:
            if parameter.name == "status_code" and parameter.default is not None:
                return status_code(parameter.default, self.types, where)
        for node in s.walk_scope(*init.node.body):
            if isinstance(node, s.Call) and s.last_name(node.func) == "__init__":
                given = node.keyword("status_code")
                if given is None and self.is_http(cls):
                    given = node.argument(0, "status_code")
                if given is not None:
                    return status_code(given, self.types, where)
        return None

    def is_http(self, cls: Class | str) -> bool:
        """Whether an exception is FastAPI's HTTPException or a subclass of it."""
        if isinstance(cls, str):
            return cls == HTTP_EXCEPTION
        return HTTP_EXCEPTION in self.types.linker.ancestors(cls)

    def is_a(self, cls: Class | str, base: Class | str) -> bool:
        """Whether an exception class is ``base`` or inherits from it, as far as is known."""
        if cls is base or cls == base:
            return True
        if isinstance(cls, Class):
            if isinstance(base, str):
                names = self.types.linker.ancestors(cls)
                return base in names or base in {"builtins.Exception", "builtins.BaseException"}
            return any(
                isinstance(ancestor, Class) and ancestor.node is base.node
                for ancestor in self.types.linker.mro(cls)
            )
        return base in {"builtins.Exception", "builtins.BaseException"} or _is_builtin(cls, base)

    def caught(self, raised: Class | str, tries: tuple[s.Try, ...], where: Where) -> bool:
        """Whether one of the ``try`` statements around a place catches an exception."""
        return any(
            handler.type is None or self._handles(handler.type, raised, where)
            for statement in tries
            for handler in statement.handlers
        )

    def _handles(self, node: s.Expr, raised: Class | str, where: Where) -> bool:
        kinds = node.elts if isinstance(node, s.Tuple) else [node]
        for kind in kinds:
            for option in alternatives(instance_of(self.types.of(kind, where))):
                if not isinstance(option, Instance):
                    return True  # unknown: it may
                if self.is_a(raised, option.cls):
                    return True
        return False
