"""Sent: what a client fills freely of what an endpoint takes.

Text and bytes are free; numbers, UUIDs, dates, booleans, enums and literals are not, nor is text for
which a pattern or a validator says what it may be.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fastwright.app.dependencies import RequestParameter
from fastwright.app.model import App
from fastwright.app.models import Field
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import UNKNOWN, Instance, Literal, Sequence, Type, alternatives
from fastwright.read import syntax as s

ANY = "*"
"""A step of a path: some element of a list, some entry of a dictionary."""
_FREE = frozenset({"builtins.str", "builtins.bytes", "fastapi.UploadFile", "pydantic.HttpUrl",
                   "pydantic.AnyHttpUrl", "pydantic.AnyUrl"})  # fmt: skip
_OF_UPLOAD = frozenset({"filename", "content_type", "file", "headers"})
_NARROW = frozenset({"int", "float", "bool", "UUID", "datetime", "date", "time", "timedelta",
                     "Decimal", "NoneType", "complex"})  # fmt: skip
_ON_FIELD = frozenset({"field_validator", "validator"})
_ON_MODEL = frozenset({"model_validator", "root_validator"})
_DEPTH = 6


@dataclass(eq=False)
class Sent:
    """Tells what a client may choose freely."""

    app: App
    _judged: dict[tuple[int, str], bool] = field(default_factory=dict)

    def is_free(self, found: Type) -> bool:
        """Whether a value is surely text or bytes, or a schema that may hold some."""
        for option in alternatives(found):
            if option is UNKNOWN or isinstance(option, (Literal, Sequence)):
                continue
            if isinstance(option, Instance):
                if isinstance(option.cls, Class):
                    return self.app.models.is_schema(option.cls)
                if option.cls in _FREE:
                    return True
        return False

    def may_hold(self, found: Type) -> bool:
        """Whether text may pass through a variable of a type: it is not surely something else."""
        return any(not self._is_narrow(option) for option in alternatives(found))

    def _is_narrow(self, option: Type) -> bool:
        if isinstance(option, Instance) and isinstance(option.cls, Class):
            names = self.app.linker.ancestors(option.cls)
            return any(name.startswith("enum.") for name in names)
        if isinstance(option, Instance):
            return option.name.rpartition(".")[2] in _NARROW
        return isinstance(option, Literal)

    def is_free_at(self, found: Type, path: tuple[str, ...], depth: int = 0) -> bool:
        """Whether the part of a value that a path of fields, keys and elements leads to is free."""
        if depth > _DEPTH:
            return False
        if not path:
            return self.is_free(found)
        return any(self._part_is_free(option, path, depth) for option in alternatives(found))

    def _part_is_free(self, option: Type, path: tuple[str, ...], depth: int) -> bool:
        if isinstance(option, Sequence):
            if option.kind != "dict" and not is_element(path[0]):
                return False
            if option.kind == "dict" and option.element is UNKNOWN:
                return True
            return self.is_free_at(option.element, path[1:], depth + 1)
        if not isinstance(option, Instance):
            return False
        if not isinstance(option.cls, Class):
            if option.cls == "fastapi.UploadFile":
                return path[0] in _OF_UPLOAD and len(path) == 1
            return option.cls == "builtins.dict"
        schema = self.app.models.schema(option.cls)
        described = schema.fields.get(path[0]) if schema is not None else None
        if schema is None or schema.is_settings or described is None:
            return False
        if self.is_judged(option.cls, described):
            return False
        return self.is_free_at(described.type, path[1:], depth + 1)

    def is_judged(self, cls: Class, described: Field) -> bool:
        """Whether a field says what it admits: by a pattern, an enum, a validator that refuses."""
        key = (id(cls.node), described.name)
        found = self._judged.get(key)
        if found is None:
            where = Where(described.owner.module, described.owner.outer)
            metadata = self.app.types.metadata(described.node.annotation, where)
            found = self._judged[key] = (
                has_pattern(described.default)
                or any(has_pattern(node) for node, _ in metadata)
                or self._is_made_with_pattern(described.node.annotation, where)
                or self._has_validator(cls, described.name)
            )
        return found

    def _has_validator(self, cls: Class, name: str) -> bool:
        return any(
            _is_about(method, name) and self._refuses(method)
            for ancestor in self.app.linker.mro(cls)
            if isinstance(ancestor, Class)
            for method in ancestor.own_methods.values()
        )

    def _refuses(self, method: Function) -> bool:
        """Whether a validator raises, asserts, or calls something that raises or checks."""
        return raises(self.app, method) or any(
            self.app.library.checks(site.method)
            or any(raises(self.app, target) for target in site.targets)
            for site in self.app.calls.sites(method)
        )

    def is_restricted(self, parameter: RequestParameter) -> bool:
        """Whether what a client may send is narrow: another type, a pattern, an enum."""
        return self.has_limits(parameter) or not self.is_free(parameter.type)

    def has_limits(self, parameter: RequestParameter) -> bool:
        """Whether a parameter says what it admits: by a pattern or a validator."""
        where = Where(parameter.function.module, parameter.function.outer)
        markers = [parameter.marker, parameter.node.default]
        markers += [node for node, _ in self.app.types.metadata(parameter.node.annotation, where)]
        return any(has_pattern(marker) for marker in markers) or self._is_made_with_pattern(
            parameter.node.annotation, where
        )

    def _is_made_with_pattern(self, annotation: s.Expr | None, where: Where) -> bool:
        """Whether an annotation is ``constr(pattern=...)``, or holds a name for one."""
        if annotation is None:
            return False
        for node in s.walk(annotation):
            if has_pattern(node):
                return True
            if isinstance(node, s.Name):
                symbol = self.app.linker.expression(node, where.module, where.function)
                if isinstance(symbol, Variable) and has_pattern(symbol.value):
                    return True
        return False


def is_element(part: str) -> bool:
    """Whether a step of a path leads to an element of a list: to one by its place, or to some."""
    return part == ANY or part.isdigit()


def raises(app: App, function: Function) -> bool:
    """Whether the body of a function holds ``raise`` or ``assert``."""
    return bool(app.calls.of_kind(function, s.Raise) or app.calls.of_kind(function, s.Assert))


def has_pattern(node: s.Node | None) -> bool:
    """Whether a field or parameter says what it admits: a pattern, a validator."""
    return isinstance(node, s.Call) and (
        any(keyword.arg in {"pattern", "regex", "enum"} for keyword in node.keywords)
        or s.last_name(node.func)
        in {"AfterValidator", "BeforeValidator", "PlainValidator", "StringConstraints"}
    )


def _is_about(method: Function, name: str) -> bool:
    """Whether a method is a validator of a field, or one of the model that looks at the field."""
    for decorator in method.node.decorators:
        if not isinstance(decorator, s.Call):
            continue
        kind = s.last_name(decorator.func)
        if kind in _ON_FIELD:
            given = {s.string(argument) for argument in decorator.args}
            if name in given or "*" in given:
                return True
        elif kind in _ON_MODEL and any(_names(node, name) for node in s.walk(*method.node.body)):
            return True
    return False


def _names(node: s.Node, name: str) -> bool:
    return (isinstance(node, s.Attribute) and node.attr == name) or s.string(node) == name
