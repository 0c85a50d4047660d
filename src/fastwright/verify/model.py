"""The contract as the model of the application tells it, without running anything.

Routes with their parameters, answers and status codes, and the schemas that they name: what the
OpenAPI document is made of, read from the source. Two of them, from before a change and after it,
are compared line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fastwright.app.dependencies import RequestParameter
from fastwright.app.model import App
from fastwright.app.models import Field
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class
from fastwright.app.types import (
    Alternatives,
    ClassObject,
    Instance,
    Literal,
    NoneType,
    Sequence,
    Type,
    Unknown,
)
from fastwright.read import syntax as s
from fastwright.read.module import Module

_DECLARED = ("summary", "description", "deprecated", "include_in_schema", "response_class",
             "responses", "response_description", "operation_id", "response_model_exclude_none",
             "response_model_exclude_unset", "response_model_include",
             "response_model_exclude", "response_model_by_alias")  # fmt: skip
_SAME_WORDS = {"regex": "pattern", "min_items": "min_length", "max_items": "max_length"}
"""Arguments of Field in pydantic 1 -> in pydantic 2: the schema stays the same."""
_SHOWN = frozenset({"alias", "title", "description", "examples", "example", "deprecated", "gt", "ge",
                    "lt", "le", "min_length", "max_length", "pattern", "multiple_of", "embed",
                    "include_in_schema", "validation_alias", "serialization_alias", "media_type",
                    "json_schema_extra", "discriminator", "max_digits", "decimal_places",
                    "frozen", "openapi_examples", "convert_underscores", "exclude"})  # fmt: skip
"""Arguments of Query, Field and the like that clients can see, or that change what is let in."""
_CONSTRAINED = {"constr": "builtins.str", "conint": "builtins.int", "confloat": "builtins.float",
                "condecimal": "decimal.Decimal", "conbytes": "builtins.bytes",
                "condate": "datetime.date"}  # fmt: skip
_UNANCHORED = re.compile(r"^([rR]?\")(?!\^|\\A)")
_SPECIAL = frozenset({"special", "unknown"})


class Difference(msgspec.Struct, frozen=True, order=True):
    """What became of one thing of the contract; None: it was not there, or is not any more."""

    place: str
    """``GET /orders/{id}`` or ``schema Order``."""
    what: str
    """``status``, ``parameter limit``, ``field total`` ..."""
    before: str | None
    after: str | None

    def told(self) -> str:
        """Say it in a line."""
        if self.before is None:
            return f"{self.place}: {self.what} is new ({self.after})"
        if self.after is None:
            return f"{self.place}: {self.what} is gone (was {self.before})"
        return f"{self.place}: {self.what} was {self.before}, is {self.after}"


Contract = dict[str, dict[str, str]]
"""Place -> what -> how it reads."""


def contract(app: App) -> Contract:
    """Return what a client can see of an application."""
    reader = _Reader(app)
    found: Contract = {}
    for route in app.routes:
        key = route.label
        number = 1
        while key in found:  # the same path twice: the first one answers
            number += 1
            key = f"{route.label} ({number})"
        found[key] = dict(reader.of_route(route))
    while reader.waiting:
        cls = reader.waiting.pop()
        found[f"schema {cls.name}"] = dict(reader.of_schema(cls))
    return found


def differences(before: Contract, after: Contract) -> tuple[Difference, ...]:
    """Return what changed, sorted."""
    found = []
    for place in {**before, **after}:
        old, new = before.get(place), after.get(place)
        if old is None or new is None:
            gone = new is None
            found.append(
                Difference(place, "all of it", "there" if gone else None, None if gone else "there")
            )
            continue
        found += [
            Difference(place, what, old.get(what), new.get(what))
            for what in {**old, **new}
            if old.get(what) != new.get(what)
        ]
    return tuple(sorted(found, key=lambda each: (each.place, each.what)))


class _Reader:
    """Reads routes and schemas; ``waiting`` are the schemas that were named and not yet read."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._is_v1 = app.versions.at_least("pydantic", "2") is False
        self._seen: set[int] = set()
        self.waiting: list[Class] = []

    # ------------------------------------------------------------------- routes

    def of_route(self, route: Route) -> Iterator[tuple[str, str]]:
        if route.record.uncertain:
            yield "path", "not known for sure"
        yield "status", str(route.status_code)
        yield "tags", ", ".join(route.tags)
        yield (
            "name",
            route.endpoint.name if route.endpoint is not None else route.record.endpoint_label,
        )
        yield "authentication", "asked for" if route.authentication is not None else "none"
        for name in _DECLARED:
            given = route.record.keywords.get(name)
            if given is not None:
                yield name, _text(given.module, given.node)
        for parameter in route.parameters:
            if parameter.kind not in _SPECIAL:
                yield f"{parameter.kind} parameter {parameter.alias}", self._parameter(parameter)
        response = route.response
        if response.source == "none":
            yield "answer", "not declared"
        elif response.node is not None and response.where is not None:
            yield "answer", self._type(response.type, response.where.module, response.node)

    def _parameter(self, parameter: RequestParameter) -> str:
        module = parameter.function.module
        node = parameter.node
        parts = [self._type(parameter.type, module, node.annotation)]
        default = None if parameter.required else _default(node.default, parameter.marker)
        parts.append(self._presence(module, default))
        return ", ".join([*parts, *_constraints(module, node.annotation, parameter.marker)])

    # ------------------------------------------------------------------ schemas

    def of_schema(self, cls: Class) -> Iterator[tuple[str, str]]:
        schema = self._app.models.schema(cls)
        bare = self._bare_value(cls)
        if bare is not None:
            yield "value", bare
            return
        for name, described in (schema.fields if schema is not None else {}).items():
            yield f"field {name}", self._field(described)

    def _bare_value(self, cls: Class) -> str | None:
        """Return what a model of a bare value holds: ``__root__`` of pydantic 1, a ``RootModel`` of 2."""
        linker = self._app.linker
        node = cls.own_attributes.get("__root__")
        if node is None and "pydantic.RootModel" in linker.ancestors(cls):
            node = cls.own_attributes.get("root")
            if node is None:
                for base in cls.node.bases:
                    if isinstance(base, s.Subscript):
                        return self._value(cls, base.slice, None)
        if node is None:
            return None
        if isinstance(node, s.Assign):
            return self._value(cls, node.value, None)
        return self._value(cls, node.annotation, node.value)

    def _value(self, cls: Class, annotation: s.Expr, default: s.Expr | None) -> str:
        where = Where(cls.module, cls.outer)
        marker = default if isinstance(default, s.Call) else None
        shown = self._type(self._app.types.annotation(annotation, where), cls.module, annotation)
        return ", ".join([shown, *_constraints(cls.module, annotation, marker)])

    def _field(self, described: Field) -> str:
        module = described.owner.module
        parts = [self._type(described.type, module, described.node.annotation)]
        default = described.default
        if described.excluded:
            parts.append("never sent")
        marker = (
            default
            if isinstance(default, s.Call) and s.last_name(default.func) == "Field"
            else None
        )
        value = _default(default, marker)
        if value is not None and marker is not None and _is_true(marker.keyword("const")):
            constant = s.string(value)
            only = f"Literal[{_text(module, value)}]" if constant is None else repr(constant)
            parts[0] = only
        if value is None and self._is_v1 and may_be_null(described.node.annotation):
            parts.append("default None")  # as Pydantic 1 reads it
        else:
            parts.append(self._presence(module, value))
        return ", ".join([*parts, *_constraints(module, described.node.annotation, marker)])

    def _presence(self, module: Module, default: s.Expr | None) -> str:
        """Say whether something must be sent, and what stands for it; a value made on the spot has no text."""
        if default is None or _is_ellipsis(default):
            return "required"
        if isinstance(default, s.Attribute):  # of settings: wherever they come from
            holder = self._app.types.of(default.value, Where(module))
            if isinstance(holder, Instance) and isinstance(holder.cls, Class):
                return f"default {holder.cls.name}.{default.attr}"
        shown = isinstance(default, (s.Constant, s.UnaryOp, s.List, s.Dict, s.Tuple, s.Attribute))
        return f"default {_text(module, default)}" if shown else "optional"

    # -------------------------------------------------------------------- types

    def _type(self, found: Type, module: Module, node: s.Expr | None) -> str:
        """Write a type; where a part of it is not known, as the source does."""
        if isinstance(node, s.Call) and (base := _CONSTRAINED.get(s.last_name(node.func) or "")):
            return base
        written = self._written(found)
        if written is not None:
            return written
        return _text(module, _bare(node)) if node is not None else "anything"

    def _written(self, found: Type) -> str | None:
        if isinstance(found, Unknown):
            return None
        if isinstance(found, NoneType):
            return "None"
        if isinstance(found, Literal):
            return repr(found.value)
        if isinstance(found, (Instance, ClassObject)):
            return self._named(found)
        if isinstance(found, Sequence):
            return self._many(found)
        if isinstance(found, Alternatives):
            options = [self._written(option) for option in found.options]
            known = [option for option in options if option is not None]
            return " | ".join(sorted(known)) if len(known) == len(options) else None
        return None

    def _named(self, found: Instance | ClassObject) -> str | None:
        args = [self._written(arg) for arg in found.args]
        known = [arg for arg in args if arg is not None]
        if len(known) < len(args):
            return None
        name = found.cls if isinstance(found.cls, str) else found.cls.name
        if isinstance(found.cls, Class) and id(found.cls.node) not in self._seen:
            self._seen.add(id(found.cls.node))
            if self._app.models.schema(found.cls) is not None:
                self.waiting.append(found.cls)
        return f"{name}[{', '.join(known)}]" if known else name

    def _many(self, found: Sequence) -> str | None:
        if found.items is not None:
            items = [self._written(item) for item in found.items]
            known = [item for item in items if item is not None]
            return f"tuple[{', '.join(known)}]" if len(known) == len(items) else None
        element = self._written(found.element)
        if element is None:
            return None
        if found.kind == "dict":
            key = self._written(found.key) if found.key is not None else None
            return f"dict[{key}, {element}]" if key is not None else None
        return f"{found.kind}[{element}]"


def may_be_null(annotation: s.Expr) -> bool:
    """Whether an annotation lets None in: ``Optional[str]``, ``str | None``, ``Any``."""
    if isinstance(annotation, s.Subscript):
        name = s.last_name(annotation.value)
        inner = annotation.slice
        parts = inner.elts if isinstance(inner, s.Tuple) else [inner]
        if name == "Annotated":
            required = any(isinstance(part, s.Call) and part.args for part in parts[1:])
            return may_be_null(parts[0]) and not required
        return name == "Optional" or (
            name == "Union" and any(_is_none(part) or may_be_null(part) for part in parts)
        )
    if isinstance(annotation, s.BinOp) and annotation.op == "|":
        sides = (annotation.left, annotation.right)
        return any(_is_none(side) or may_be_null(side) for side in sides)
    return s.last_name(annotation) == "Any"


def _is_true(node: s.Expr | None) -> bool:
    return isinstance(node, s.Constant) and node.value is True


def _is_none(node: s.Expr) -> bool:
    return isinstance(node, s.Constant) and node.kind == "none"


def _bare(node: s.Expr) -> s.Expr:
    """Return ``int`` of ``Annotated[int, Query(ge=1)]``."""
    if isinstance(node, s.Subscript) and s.last_name(node.value) == "Annotated":
        inner = node.slice
        return inner.elts[0] if isinstance(inner, s.Tuple) and inner.elts else inner
    return node


def _default(default: s.Expr | None, marker: s.Call | None) -> s.Expr | None:
    """Return the value that stands for what is not sent, None where it must be sent.

    Where a factory makes it, the marker itself: a value that has no text.
    """
    if default is not None and default is not marker:
        return default
    if marker is None:
        return None
    return marker if marker.keyword("default_factory") else marker.argument(0, "default")


def _is_ellipsis(node: s.Expr) -> bool:
    return isinstance(node, s.Constant) and node.kind == "ellipsis"


def _constraints(module: Module, annotation: s.Expr | None, marker: s.Call | None) -> list[str]:
    """Return what limits a value: of ``Field(ge=1)``, ``Annotated[int, Field(ge=1)]``, ``conint(ge=1)``."""
    calls = [annotation] if isinstance(annotation, s.Call) else []
    if isinstance(annotation, s.Subscript) and s.last_name(annotation.value) == "Annotated":
        inner = annotation.slice
        metadata = inner.elts[1:] if isinstance(inner, s.Tuple) else []
        calls += [part for part in metadata if isinstance(part, s.Call)]
    if marker is not None:
        calls.append(marker)
    said = [_constraint(module, call, keyword) for call in calls for keyword in call.keywords]
    found = {name: value for name, value in said if name in _SHOWN}
    return [f"{name}={value}" for name, value in sorted(found.items())]


def _constraint(module: Module, call: s.Call, keyword: s.Keyword) -> tuple[str, str]:
    """Return what limits a value, and how much, in the words of pydantic 2."""
    name, value = keyword.arg or "", _text(module, keyword.value)
    if s.last_name(call.func) in {"Field", "constr"}:
        if name == "regex":  # pydantic 1 matched from the start of a text
            return "pattern", _UNANCHORED.sub(r"\1^", value)
        if name == "example":
            return "examples", f"[{value}]"
        if name == "allow_mutation":
            return "frozen", {"True": "False", "False": "True"}.get(value, value)
    return _SAME_WORDS.get(name, name), value


def _text(module: Module, node: s.Node) -> str:
    """Return how a node reads, on one line, in double quotes."""
    text = module.source[node.start : node.end].decode()
    return re.sub(r"\s+", " ", text).replace("'", '"')
