"""Dependencies: the tree of callables that FastAPI runs for a request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from fastwright.app.infer import Inference
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import (
    UNKNOWN,
    ClassObject,
    ExternalValue,
    FunctionValue,
    Instance,
    Type,
    alternatives,
)
from fastwright.read import syntax as s
from fastwright.read.module import Module

_MAX_DEPTH = 25

SPECIAL = frozenset(
    {
        "fastapi.Request",
        "fastapi.requests.HTTPConnection",
        "fastapi.responses.Response",
        "fastapi.BackgroundTasks",
        "fastapi.websockets.WebSocket",
        "fastapi.security.SecurityScopes",
    }
)
"""Types that FastAPI fills in by itself."""

MARKERS = {
    "fastapi.Path": "path",
    "fastapi.Query": "query",
    "fastapi.Header": "header",
    "fastapi.Cookie": "cookie",
    "fastapi.Body": "body",
    "fastapi.Form": "form",
    "fastapi.File": "file",
}
_SCALARS = frozenset(
    {"builtins.int", "builtins.str", "builtins.float", "builtins.bool", "builtins.bytes",
     "uuid.UUID", "datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta",
     "decimal.Decimal", "pathlib.Path", "enum.Enum"}
)  # fmt: skip


class RequestParameter(msgspec.Struct, frozen=True, eq=False):
    """What a callable takes from the request.

    ``kind``: path, query, header, cookie, body, form, file, special or unknown.
    ``marker`` is the call of ``Query(...)`` and the like, where there is one.
    """

    name: str
    kind: str
    type: Type
    node: s.Parameter
    function: Function
    marker: s.Call | None

    @property
    def required(self) -> bool:
        """Whether the client must send it."""
        if self.marker is not None and self.node.default is None:
            default = self.marker.argument(0, "default")
            return default is None or getattr(default, "kind", "") == "ellipsis"
        default = self.node.default
        if default is not None and default is self.marker:
            given = self.marker.argument(0, "default")
            factory = self.marker.keyword("default_factory")
            return (given is None and factory is None) or getattr(given, "kind", "") == "ellipsis"
        return default is None

    @property
    def alias(self) -> str:
        """The name in the request."""
        given = s.string(self.marker.keyword("alias")) if self.marker is not None else None
        if given is not None:
            return given
        return self.name.replace("_", "-") if self.kind == "header" else self.name


class Dependency(msgspec.Struct, frozen=True, eq=False):
    """A callable used through ``Depends`` or ``Security``, with its own dependencies.

    ``level`` says where it was declared: parameter (of the endpoint or another dependency),
    route (``dependencies=[...]``), router, include or app. ``function`` is what runs: the
    function itself, the ``__init__`` of a class or the ``__call__`` of an instance; None for
    something outside the project, whose name is then ``external``.
    """

    label: str
    provider: Type
    function: Function | None
    external: str | None
    module: Module
    node: s.Expr
    """The ``Depends(...)`` call."""
    level: str
    parameter: s.Parameter | None
    security: bool
    scopes: tuple[str, ...]
    children: tuple[Dependency, ...] = ()
    yields: bool = False

    def walk(self) -> Iterator[Dependency]:
        """Yield this dependency and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(eq=False)
class Dependencies:
    """Finds dependencies and request parameters of callables."""

    types: Inference
    _children: dict[int, tuple[Dependency, ...]] = field(default_factory=dict)

    def of_function(self, function: Function) -> tuple[Dependency, ...]:
        """Return the dependencies that the parameters of ``function`` declare, with their trees."""
        return self._of_function(function, 0)

    def _of_function(self, function: Function, depth: int) -> tuple[Dependency, ...]:
        key = id(function.node)
        found = self._children.get(key)
        if found is None:
            self._children[key] = ()
            found = tuple(
                dependency
                for parameter in function.parameters
                if (dependency := self._of_parameter(parameter, function, depth)) is not None
            )
            self._children[key] = found
        return found

    def _of_parameter(
        self, parameter: s.Parameter, function: Function, depth: int
    ) -> Dependency | None:
        where = Where(function.module, function.outer)
        marker = self.types.marker(parameter, where)
        if marker is None:
            return None
        call, at = marker
        provider = self.types.dependency_of(parameter, where) or UNKNOWN
        return self._make(call, at, provider, "parameter", parameter, depth)

    def of_call(self, node: s.Expr, where: Where, level: str) -> Dependency | None:
        """Return the dependency of a ``Depends(...)`` expression in a ``dependencies=[...]`` list."""
        found = self.types.depends_call(node, where)
        if found is None:
            return None
        call, at = found
        provider = self.types.of(call.argument(0, "dependency"), at)
        return self._make(call, at, provider, level, None, 0)

    def of_provider(self, node: s.Expr, where: Where, level: str) -> Dependency:
        """Return the dependency on a callable that a library wraps in ``Depends`` itself."""
        call = s.Call(node.start, node.end, s.Name(node.start, node.end, "Depends"), [node], [])
        return self._make(call, where, self.types.of(node, where), level, None, 0)

    def _make(
        self,
        call: s.Call,
        where: Where,
        provider: Type,
        level: str,
        parameter: s.Parameter | None,
        depth: int,
    ) -> Dependency:
        function = self.runs(provider)
        children: tuple[Dependency, ...] = ()
        if function is not None and depth < _MAX_DEPTH:
            children = self._of_function(function, depth + 1)
        return Dependency(
            label=_label(call, parameter, provider),
            provider=provider,
            function=function,
            external=_external(provider),
            module=where.module,
            node=call,
            level=level,
            parameter=parameter,
            security=s.last_name(call.func) == "Security",
            scopes=_scopes(call),
            children=children,
            yields=function is not None and function.node.is_generator,
        )

    def runs(self, provider: Type) -> Function | None:
        """Return the project function that runs when FastAPI calls ``provider``."""
        linker = self.types.linker
        for option in alternatives(provider):
            if isinstance(option, FunctionValue):
                return option.function
            if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                return linker.method(option.cls, "__init__")
            if isinstance(option, Instance) and isinstance(option.cls, Class):
                return linker.method(option.cls, "__call__")
        return None

    def parameters(self, function: Function, path: str = "") -> list[RequestParameter]:
        """Return what ``function`` takes from the request, dependencies left out."""
        where = Where(function.module, function.outer)
        found: list[RequestParameter] = []
        for parameter in function.parameters:
            if parameter.kind in {"args", "kwargs"}:
                continue
            if self.types.marker(parameter, where) is not None:
                continue
            kind, marker = self._kind(parameter, where, path)
            type_ = self.types.parameter(parameter, function)
            if kind == "":
                kind = self._kind_by_type(type_)
            found.append(RequestParameter(parameter.name, kind, type_, parameter, function, marker))
        return found

    def _kind(self, parameter: s.Parameter, where: Where, path: str) -> tuple[str, s.Call | None]:
        candidates = [(parameter.default, where)]
        candidates += self.types.metadata(parameter.annotation, where)
        for node, at in candidates:
            if isinstance(node, s.Call):
                name = self.types.linker.external(node.func, at.module, at.function)
                if name in MARKERS:
                    return MARKERS[name], node
        if f"{{{parameter.name}}}" in path or f"{{{parameter.name}:" in path:
            return "path", None
        return "", None

    def _kind_by_type(self, found: Type) -> str:
        for option in alternatives(found):
            if isinstance(option, Instance):
                if option.cls in SPECIAL:
                    return "special"
                if option.cls == "fastapi.UploadFile":
                    return "file"
                if isinstance(option.cls, Class):
                    names = self.types.linker.ancestors(option.cls)
                    if any(name.startswith("enum.") for name in names):
                        return "query"
                    if not names.isdisjoint(SPECIAL):
                        return "special"
                    return "body"
                if option.cls in _SCALARS:
                    return "query"
        return "unknown"


def _external(provider: Type) -> str | None:
    for option in alternatives(provider):
        if isinstance(option, Instance) and isinstance(option.cls, str):
            return option.cls
        if isinstance(option, ClassObject) and isinstance(option.cls, str):
            return option.cls
        if isinstance(option, ExternalValue):
            return option.name
    return None


def _label(call: s.Call, parameter: s.Parameter | None, provider: Type) -> str:
    given = call.argument(0, "dependency")
    name = s.dotted(given) or s.last_name(given)
    if name is not None:
        return f"{name}(...)" if isinstance(given, s.Call) else name
    if isinstance(provider, ClassObject):
        return provider.cls.name if isinstance(provider.cls, Class) else provider.cls
    if isinstance(given, s.Lambda):
        return "lambda"
    return parameter.name if parameter is not None else "dependency"


def _scopes(call: s.Call) -> tuple[str, ...]:
    given = call.argument(1, "scopes") if s.last_name(call.func) == "Security" else None
    if isinstance(given, (s.List, s.Tuple)):
        return tuple(text for element in given.elts if (text := s.string(element)) is not None)
    return ()
