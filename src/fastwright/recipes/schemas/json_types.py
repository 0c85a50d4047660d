"""What values are when they are written as JSON: so exactly that a schema can say it, or not at all.

A schema reads what it is given and writes it again. Here only what it writes as it was written without it counts as known:
an `int` that a field of type `float` would show as `5.0` is `int | float`, and a Decimal counts where it surely has
places behind the point, and is shown as a number for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, Union

import msgspec

from fastwright.app.model import App
from fastwright.app.models import Column
from fastwright.app.scopes import Bound, Where
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import (
    ClassObject,
    ExternalValue,
    FunctionValue,
    Instance,
    Statement,
    alternatives,
)
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Kept
from fastwright.recipes.shared.columns import held, is_enumeration


class Plain(msgspec.Struct, frozen=True):
    """A value that one type of a field says: ``str``, ``None``, an enumeration, a schema."""

    written: str
    needed: tuple[str, str] | None = None
    """The module and name of what must be imported."""
    is_decimal: bool = False
    """Whether it is a Decimal, which is read as ``float``."""


class Many(msgspec.Struct, frozen=True):
    """A list, or a dictionary with any keys."""

    element: Values
    key: Values | None = None


class Fixed(msgspec.Struct, frozen=True):
    """A tuple."""

    items: tuple[Values, ...]


class Shape(msgspec.Struct, frozen=True):
    """A dictionary whose keys are written out."""

    fields: tuple[tuple[str, Values], ...]


Value: TypeAlias = Union[Plain, Many, Fixed, Shape]
Values: TypeAlias = tuple[Value, ...]
"""What something may be; nothing as long as a name is looked for in its own values."""


STR, INT, FLOAT, BOOL, NONE = (Plain(name) for name in ("str", "int", "float", "bool", "None"))
_PLAIN = {"builtins.str": STR, "builtins.int": INT, "builtins.float": FLOAT, "builtins.bool": BOOL}
_KNOWN = {"UUID": Plain("UUID", ("uuid", "UUID")), "date": Plain("date", ("datetime", "date")),
          "datetime": Plain("datetime", ("datetime", "datetime")), "str": STR, "int": INT,
          "float": FLOAT, "bool": BOOL}  # fmt: skip
_NUMBERS = (BOOL, INT, FLOAT)
_CALLED = {"str": STR, "repr": STR, "format": STR, "chr": STR, "hex": STR, "ascii": STR,
           "int": INT, "len": INT, "ord": INT, "float": FLOAT, "bool": BOOL, "isinstance": BOOL,
           "any": BOOL, "all": BOOL, "callable": BOOL, "hasattr": BOOL}  # fmt: skip
_CALLED_ELSEWHERE = {"time.time": FLOAT, "uuid.uuid4": _KNOWN["UUID"],
                     "secrets.token_hex": STR, "secrets.token_urlsafe": STR}  # fmt: skip
_SAME_MANY = frozenset({"sorted", "list", "tuple", "reversed"})
_OF_STR: dict[str, Value] = {
    **dict.fromkeys(("upper", "lower", "title", "strip", "lstrip", "rstrip", "replace", "format",
                     "capitalize", "join", "zfill", "removeprefix", "removesuffix", "casefold",
                     "ljust", "rjust", "center"), STR),
    **dict.fromkeys(("startswith", "endswith", "isdigit", "isalpha", "isspace"), BOOL),
    **dict.fromkeys(("count", "find", "index"), INT),
    **dict.fromkeys(("split", "rsplit", "splitlines"), Many((STR,))),
}  # fmt: skip
_TEXT_OF_A_TIME = frozenset({"isoformat", "strftime"})
_READING = frozenset({"get", "items", "keys", "values", "copy", "index", "count"})
_GROWING = frozenset({"append", "extend", "insert"})
_LOOKING = frozenset({"len", "sum", "sorted", "max", "min", "any", "all", "list", "tuple", "set",
                      "enumerate", "reversed", "zip", "bool", "str", "round", "range"})  # fmt: skip
_HARMLESS = frozenset(
    {"staticmethod", "classmethod", "property", "cached_property", "lru_cache", "cache", "override"}
)
_MAX_DEPTH = 30
_ROUNDS = 5


@dataclass(eq=False)
class JsonTypes:
    """Answers what expressions are in JSON. One instance serves one endpoint."""

    app: App
    only_read: bool
    """Whether rows are as the database gives them: nobody makes or changes one on the way."""
    _assumed: dict[tuple[int, str, int], Values] = field(default_factory=dict)
    _depth: int = 0

    def of(self, node: s.Expr, where: Where) -> Values:
        """Return what an expression may be. Raises Kept."""
        if self._depth > _MAX_DEPTH:
            raise Kept(where.module, node, "it comes from too far away")
        self._depth += 1
        try:
            return self._of(node, where)
        finally:
            self._depth -= 1

    def answered(self, function: Function) -> Values:
        """Return what a function of the project may give back. Raises Kept."""
        where = Where(function.module, function)
        returns = [node for node, _ in self.app.calls.of_kind(function, s.Return)]
        values = merged(*(self._given_back(each, where) for each in returns))
        return values if _leaves(function.node.body) else merged(values, (NONE,))

    def _of(self, node: s.Expr, where: Where) -> Values:
        match node:
            case s.Constant():
                return _constant(where.module, node)
            case s.JoinedStr():
                return (STR,)
            case s.Name():
                return self._name(node, where)
            case s.Attribute():
                return self._attribute(node, where)
            case s.Call():
                return self._call(node, where)
            case s.Await() | s.NamedExpr():
                return self.of(node.value, where)
            case s.IfExp():
                return merged(self.of(node.body, where), self.of(node.orelse, where))
            case s.BoolOp():
                return self._either(node, where)
            case s.UnaryOp(op="not"):
                return (BOOL,)
            case s.UnaryOp():
                return _number(where.module, node, self.of(node.operand, where))
            case s.Compare():
                return self._compared(node, where)
            case s.BinOp():
                if node.op == "%" and s.string(node.left) is not None:
                    return (STR,)
                left, right = self.of(node.left, where), self.of(node.right, where)
                return _calculated(where.module, node, node.op, left, right)
            case s.Subscript():
                return self._item(node, where)
            case s.List() | s.Tuple():
                return self._display(node, where)
            case s.Dict():
                return self._dictionary(node, where)
            case s.Comp(kind="list" | "generator"):
                return (Many(self.of(node.elt, where)),)
            case s.Comp(kind="dict") if node.key is not None:
                return (Many(self.of(node.elt, where), self.of(node.key, where)),)
            case _:
                raise _unknown(where.module, node)

    # ------------------------------------------------------------------- operations

    def _either(self, node: s.BoolOp, where: Where) -> Values:
        values = [self.of(value, where) for value in node.values]
        if node.op == "or":
            sure = [tuple(v for v in value if v != NONE) for value in values[:-1]]
            values = [*sure, values[-1]]
        return merged(*values)

    def _compared(self, node: s.Compare, where: Where) -> Values:
        if not {*node.ops} <= {"is", "is not", "in", "not in"}:
            for side in (node.left, *node.comparators):  # those of others may give anything
                self.of(side, where)
        return (BOOL,)

    def _item(self, node: s.Subscript, where: Where) -> Values:
        base = self.of(node.value, where)
        found: list[Values] = []
        for value in base:
            if isinstance(node.slice, s.Slice) and (value == STR or _is_list(value)):
                found.append((value,))
            elif isinstance(value, Many):
                found.append(value.element)
            elif value == STR:
                found.append((STR,))
            elif isinstance(value, Fixed) and isinstance(node.slice, s.Constant):
                found.append(_position(where.module, node, value, node.slice.value))
            else:
                raise _unknown(where.module, node)
        return merged(*found)

    def _display(self, node: s.List | s.Tuple, where: Where) -> Values:
        if any(isinstance(each, s.Starred) for each in node.elts):
            raise _unknown(where.module, node)
        items = tuple(self.of(each, where) for each in node.elts)
        return (Fixed(items),) if isinstance(node, s.Tuple) else (Many(merged(*items)),)

    def _dictionary(self, node: s.Dict, where: Where) -> Values:
        if not node.keys:
            return (Many((), ()),)
        names = [s.string(key) for key in node.keys]
        if None in names or len({*names}) != len(names):
            raise Kept(where.module, node, "a key of the dictionary is not written out")
        fields: list[tuple[str, Values]] = []
        for name, value in zip(names, node.values, strict=True):
            try:
                fields.append((name or "", self.of(value, where)))
            except Kept as unclear:
                reason = f"the type of {name} is not known: {unclear.reason}"
                raise Kept(where.module, value, reason) from None
        return (Shape(tuple(fields)),)

    # ------------------------------------------------------------------------ names

    def _name(self, node: s.Name, where: Where) -> Values:
        function = where.function
        bounds = self.app.types.locals.of(function).get(node.id, []) if function else []
        inner = [b for b in bounds if b.inside and b.inside[0] <= node.start < b.inside[1]]
        if function is None or not bounds:
            return self._global(node, where)
        if inner:
            bounds = [max(inner, key=lambda bound: bound.inside or (0, 0))]
        bounds = bounds if inner else [bound for bound in bounds if bound.inside is None]
        key = (id(function.node), node.id, bounds[0].offset if bounds else -1)
        if key in self._assumed:
            return self._assumed[key]
        self._assumed[key] = ()
        try:
            for _ in range(_ROUNDS):
                found = merged(*(self._bound(bound, node, function) for bound in bounds))
                if not inner:
                    found = self._grown(node, found, function)
                if found == self._assumed[key]:
                    return found
                self._assumed[key] = found
        finally:
            del self._assumed[key]
        raise _unknown(where.module, node)

    def _global(self, node: s.Name, where: Where) -> Values:
        symbol = self.app.linker.name(node.id, where.module, where.function)
        values = symbol.values if isinstance(symbol, Variable) else ()
        if isinstance(symbol, Variable) and len(values) == 1:
            if isinstance(values[0], s.Constant):
                return _constant(symbol.module, values[0])
        raise _unknown(where.module, node)

    def _bound(self, bound: Bound, node: s.Name, function: Function) -> Values:
        where = Where(function.module, function)
        if bound.parameter is not None:
            return self._parameter(bound.parameter, function)
        if bound.value is None and bound.how == "assign":
            return ()  # only declared
        if bound.value is None or bound.how not in {"assign", "element"}:
            raise _unknown(function.module, node)
        found = self.of(bound.value, where)
        if bound.how == "element":
            found = _element(function.module, node, found)
        for position in bound.path:
            parts = [
                _position(function.module, node, value, position)
                if isinstance(value, Fixed)
                else _element(function.module, node, (value,))
                for value in found
            ]
            found = merged(*parts)
        return found

    def _grown(self, node: s.Name, found: Values, function: Function) -> Values:
        """Return what a name stands for after ``name += ...`` and what is put into it."""
        module, where = function.module, Where(function.module, function)
        values = [found]
        for changed, _ in self.app.calls.of_kind(function, s.AugAssign):
            op = changed.op.removesuffix("=")
            if isinstance(changed.target, s.Name) and changed.target.id == node.id:
                more = self.of(changed.value, where)
                values.append(_calculated(module, changed, op, merged(*values), more))
            elif _is_item_of(changed.target, node.id):
                old, more = _element_of_all(found), self.of(changed.value, where)
                put = _calculated(module, changed, op, old, more)
                values.append(self._put(changed.target, put, found, where))
        if not any(isinstance(value, (Many, Shape)) for value in found):
            return merged(*values)
        for assigned, _ in self.app.calls.of_kind(function, s.Assign):
            for target in assigned.targets:
                if _is_item_of(target, node.id):
                    value = self.of(assigned.value, where)
                    values.append(self._put(target, value, found, where))
        for call, _ in self.app.calls.of_kind(function, s.Call):
            if isinstance(call.func, s.Attribute) and s.dotted(call.func.value) == node.id:
                values.append(self._method_put(call, call.func.attr, where))
        self._only_looked_at(node, function)
        return merged(*values)

    def _put(self, target: s.Expr, value: Values, found: Values, where: Where) -> Values:
        if not isinstance(target, s.Subscript) or any(isinstance(v, Shape) for v in found):
            raise _unknown(where.module, target)
        if any(isinstance(each, Many) and each.key is not None for each in found):
            return (Many(value, self.of(target.slice, where)),)
        return (Many(value),)

    def _method_put(self, call: s.Call, method: str, where: Where) -> Values:
        if method in _READING or method in {"sort", "reverse"}:
            return ()
        if method not in _GROWING or call.keywords or not call.args:
            raise _unknown(where.module, call)
        given = self.of(call.args[-1], where)
        return (Many(_element(where.module, call, given) if method == "extend" else given),)

    def _only_looked_at(self, node: s.Name, function: Function) -> None:
        """Raise where something else may put into a list or dictionary what is not seen here."""
        parents = {
            id(child): each
            for each, _ in self.app.calls.nodes(function)
            for child in s.children(each)
        }
        for each, _ in self.app.calls.of_kind(function, s.Call):
            handed = [*each.args, *(keyword.value for keyword in each.keywords)]
            if any(isinstance(a, s.Name) and a.id == node.id for a in handed):
                if s.last_name(each.func) not in _LOOKING | _GROWING:
                    raise _unknown(function.module, each)
        for name, _ in self.app.calls.of_kind(function, s.Name):
            parent = parents.get(id(name))
            if name.id == node.id and isinstance(parent, (s.Assign, s.Yield, s.Starred)):
                if not (isinstance(parent, s.Assign) and name in parent.targets):
                    raise _unknown(function.module, name)

    def _parameter(self, parameter: s.Parameter, function: Function) -> Values:
        module = function.module
        if parameter.annotation is None or parameter.kind in {"args", "kwargs"}:
            raise _unknown(module, parameter)
        is_endpoint = any(function is each for each in self.app.endpoints)
        where = Where(module, function.outer)
        found = self._said(parameter.annotation, where, checked=is_endpoint)
        default = parameter.default
        return merged(found, _constant(module, default)) if _is_constant(default) else found

    # ------------------------------------------------------------------- attributes

    def _attribute(self, node: s.Attribute, where: Where) -> Values:
        options = alternatives(self.app.types.of(node.value, where))
        found: list[Values] = []
        for option in options:
            if isinstance(option, ClassObject) and isinstance(option.cls, Class):
                if is_enumeration(self.app, option.cls) and node.attr in option.cls.own_attributes:
                    found.append((_enumeration(option.cls),))
                    continue
            if not isinstance(option, Instance) or not isinstance(option.cls, Class):
                raise _unknown(where.module, node)
            found.append(self._of_class(option.cls, node, where))
        return merged(*found)

    def _of_class(self, cls: Class, node: s.Attribute, where: Where) -> Values:
        table, schema = self.app.models.table(cls), self.app.models.schema(cls)
        if table is not None and node.attr in table.columns:
            return self._column(cls, node, where)
        if table is None and schema is not None and node.attr in schema.fields:
            declared = schema.fields[node.attr]
            at = Where(declared.owner.module, declared.owner.outer)
            found = self._said(declared.node.annotation, at, checked=True)
            default = declared.default
            return merged(found, _constant(at.module, default)) if _is_constant(default) else found
        if is_enumeration(self.app, cls) and node.attr in {"value", "name"}:
            return self._of_member(cls, node, where)
        method = self.app.linker.method(cls, node.attr)
        if method is not None and {"property", "cached_property"} & method.decorator_names:
            return self._returned(method, node, where)
        raise _unknown(where.module, node)

    def _column(self, cls: Class, node: s.Attribute, where: Where) -> Values:
        table = self.app.models.table(cls)
        column = table.columns[node.attr] if table is not None else None
        found = held(self.app, column) if column is not None else None
        if found is None:
            raise _unknown(where.module, node)
        optional = (NONE,) if found.optional else ()
        if isinstance(found.kind, Class):
            return (_enumeration(found.kind), *optional)
        if found.kind == "Decimal":
            if not (found.places and self.only_read):
                reason = (
                    f"{node.attr} is a Decimal, which is written without a point where it is whole"
                )
                raise Kept(where.module, node, reason)
            return (Plain("float", is_decimal=True), *optional)
        if found.kind == "datetime" and not self.only_read:
            raise Kept(where.module, node, f"{node.attr} is a time: its text would change")
        if found.kind == "float" and not self.only_read:
            return (INT, FLOAT, *optional)
        return (_KNOWN[found.kind], *optional)

    def _of_member(self, cls: Class, node: s.Attribute, where: Where) -> Values:
        above = self.app.linker.ancestors(cls)
        if node.attr == "name" or {"builtins.str", "enum.StrEnum"} & above:
            return (STR,)
        if {"builtins.int", "enum.IntEnum"} & above:
            return (INT,)
        values = [each.value for each in cls.own_attributes.values() if isinstance(each, s.Assign)]
        if values and all(s.string(value) is not None for value in values):
            return (STR,)
        raise _unknown(where.module, node)

    # ------------------------------------------------------------------------ calls

    def _call(self, node: s.Call, where: Where) -> Values:
        if isinstance(node.func, s.Attribute) and node.func.attr in _TEXT_OF_A_TIME:
            return (STR,)
        callee = self.app.types.of(node.func, where)
        found: list[Values] = []
        for option in alternatives(callee):
            if isinstance(option, FunctionValue):
                found.append(self._returned(option.function, node, where))
            elif isinstance(option, ClassObject) and isinstance(option.cls, Class):
                if self.app.models.schema(option.cls) is None or self.app.models.table(option.cls):
                    raise _unknown(where.module, node)
                name = option.cls.name
                found.append((Plain(name, (option.cls.module.name, name)),))
            elif isinstance(option, ExternalValue) and option.receiver is None:
                found.append(self._called(option.name, node, where))
            else:
                found.append(self._method(node, where))
        return merged(*found)

    def _called(self, name: str, node: s.Call, where: Where) -> Values:
        if name in _CALLED_ELSEWHERE:
            return (_CALLED_ELSEWHERE[name],)
        home, _, last = name.rpartition(".")
        if home != "builtins":
            return self._method(node, where)
        if last in _CALLED:
            return (_CALLED[last],)
        given = [self.of(argument, where) for argument in node.args]
        if last == "range":
            return (Many((INT,)),)
        if not given:
            if last in {"list", "dict"} and not node.keywords:
                return (Many((), () if last == "dict" else None),)
            raise _unknown(where.module, node)
        if last in _SAME_MANY:
            return (Many(_element(where.module, node, given[0])),)
        if last == "enumerate":
            return (Many((Fixed(((INT,), _element(where.module, node, given[0]))),)),)
        if last == "zip":
            items = tuple(_element(where.module, node, each) for each in given)
            return (Many((Fixed(items),)),)
        return self._number_of(last, given, node, where)

    def _number_of(self, name: str, given: list[Values], node: s.Call, where: Where) -> Values:
        module = where.module
        if name == "sum":
            start = node.argument(1, "start")
            first = self.of(start, where) if start is not None else (INT,)
            items = _element(module, node, given[0])
            return merged(first, _calculated(module, node, "+", first, items))
        if name in {"min", "max"}:
            default = node.keyword("default")
            more = self.of(default, where) if default is not None else ()
            found = merged(*given) if len(given) > 1 else _element(module, node, given[0])
            return merged(found, more)
        if name == "abs":
            return _number(module, node, given[0])
        if name == "round":
            found = _number(module, node, given[0])
            return found if len(given) == 2 else (INT,)
        raise _unknown(module, node)

    def _method(self, node: s.Call, where: Where) -> Values:
        """Return what a method of a text, a list or a dictionary gives."""
        if not isinstance(node.func, s.Attribute):
            raise _unknown(where.module, node)
        name = node.func.attr
        receiver = self.app.types.of(node.func.value, where)
        if isinstance(receiver, Statement) and receiver.query.legacy and name == "count":
            return (INT,)
        found: list[Values] = []
        for value in self.of(node.func.value, where):
            if value == STR and name in _OF_STR:
                found.append((_OF_STR[name],))
            elif isinstance(value, Many) and value.key is not None and name in _READING:
                found.append(self._of_keyed(value, name, node, where))
            elif _is_list(value) and name in {"index", "count"}:
                found.append((INT,))
            elif isinstance(value, Many) and name == "copy":
                found.append((value,))
            else:
                raise _unknown(where.module, node)
        return merged(*found)

    def _of_keyed(self, value: Many, name: str, node: s.Call, where: Where) -> Values:
        key = value.key or ()
        if name == "items":
            return (Many((Fixed((key, value.element)),)),)
        if name in {"keys", "values"}:
            return (Many(key if name == "keys" else value.element),)
        if name == "get" and node.args:
            default = self.of(node.args[1], where) if len(node.args) > 1 else (NONE,)
            return merged(value.element, default)
        return (value,)

    def _returned(self, function: Function, node: s.Expr, where: Where) -> Values:
        """Return what a function of the project gives: by its body, else as its annotation says."""
        said = function.node.returns
        key = (id(function.node), "return", 0)
        if key in self._assumed:
            return self._assumed[key]
        self._assumed[key] = ()
        try:
            if function.node.is_generator or not function.decorator_names <= _HARMLESS:
                raise _unknown(where.module, node)
            if not self.app.calls.of_kind(function, s.Return):
                raise _unknown(where.module, node)
            return self.answered(function)
        except Kept:
            if said is None or function.node.is_generator:
                raise
            return self._said(said, Where(function.module, function.outer), checked=False)
        finally:
            del self._assumed[key]

    def _given_back(self, node: s.Return, where: Where) -> Values:
        return self.of(node.value, where) if node.value is not None else (NONE,)

    # ------------------------------------------------------------------ annotations

    def _said(self, node: s.Expr, where: Where, *, checked: bool) -> Values:
        """Return what an annotation says; ``checked``: values of other types never get through."""
        module = where.module
        if isinstance(node, s.Constant) and node.kind == "none":
            return (NONE,)
        text = s.string(node)
        if text is not None:
            inner = self.app.types.quoted(text)
            if inner is None:
                raise _unknown(module, node)
            return self._said(inner, where, checked=checked)
        if isinstance(node, s.BinOp) and node.op == "|":
            sides = (self._said(n, where, checked=checked) for n in (node.left, node.right))
            return merged(*sides)
        if isinstance(node, s.Subscript):
            return self._said_generic(node, where, checked=checked)
        found = self.app.types.annotation(node, where)
        if not isinstance(found, Instance):
            raise _unknown(module, node)
        if isinstance(found.cls, Class):
            if is_enumeration(self.app, found.cls):
                return (_enumeration(found.cls),)
            raise _unknown(module, node)
        if found.cls == "builtins.float" and not checked:
            return (INT, FLOAT)
        if found.cls in _PLAIN:
            return (_PLAIN[found.cls],)
        if found.cls in {"uuid.UUID", "datetime.date"} and checked:
            return (_KNOWN[found.cls.rpartition(".")[2]],)
        raise _unknown(module, node)

    def _said_generic(self, node: s.Subscript, where: Where, *, checked: bool) -> Values:
        name = s.last_name(node.value)
        parts = node.slice.elts if isinstance(node.slice, s.Tuple) else [node.slice]
        if name == "Literal":
            return merged(*(_constant(where.module, part) for part in parts))
        inner = [
            self._said(part, where, checked=checked) for part in parts[: _PARTS.get(name or "", 9)]
        ]
        if name == "Optional":
            return merged(inner[0], (NONE,))
        if name == "Union":
            return merged(*inner)
        if name == "Annotated":
            return inner[0]
        if name in {"list", "List"}:
            return (Many(inner[0]),)
        if name in {"dict", "Dict"} and len(inner) == 2:
            return (Many(inner[1], inner[0]),)
        raise _unknown(where.module, node)


_PARTS = {"Optional": 1, "Annotated": 1, "list": 1, "List": 1}
"""How many of the things in brackets are types."""


def of_column(app: App, column: Column, *, only_read: bool) -> Values | str:
    """Return what a column of a row may be; a sentence where that is not certain.

    ``only_read``: the row is as the database gives it.
    """
    found = held(app, column)
    if found is None:
        return f"the type of {column.name} is not known"
    optional = (NONE,) if found.optional else ()
    if isinstance(found.kind, Class):
        return (_enumeration(found.kind), *optional)
    if found.kind == "Decimal":
        if not (found.places and only_read):
            return f"{column.name} is a Decimal, which is written without a point where it is whole"
        return (Plain("float", is_decimal=True), *optional)
    if found.kind == "datetime" and not only_read:
        return f"{column.name} is a time: its text would change"
    if found.kind == "float" and not only_read:
        return (INT, FLOAT, *optional)
    return (_KNOWN[found.kind], *optional)


def merged(*several: Values) -> Values:
    """Return what is one of several, lists and dictionaries of one kind together; None comes last."""
    found: list[Value] = []
    for value in (value for values in several for value in values):
        other = next((each for each in found if _are_alike(each, value)), None)
        if other is None:
            found.append(value)
        elif other != value:
            found[found.index(other)] = _together(other, value)
    return tuple(sorted(found, key=lambda value: value == NONE))


def _are_alike(one: Value, other: Value) -> bool:
    if isinstance(one, Many) and isinstance(other, Many):
        return (one.key is None) == (other.key is None)
    if isinstance(one, Shape) and isinstance(other, Shape):
        return [name for name, _ in one.fields] == [name for name, _ in other.fields]
    return one == other


def _together(one: Value, other: Value) -> Value:
    if isinstance(one, Many) and isinstance(other, Many):
        key = None if one.key is None else merged(one.key, other.key or ())
        return Many(merged(one.element, other.element), key)
    if isinstance(one, Shape) and isinstance(other, Shape):
        pairs = zip(one.fields, other.fields, strict=True)
        return Shape(tuple((name, merged(a, b)) for (name, a), (_, b) in pairs))
    return one


def _constant(module: Module, node: s.Node | None) -> Values:
    if isinstance(node, s.Constant):
        if node.kind in {"str", "int", "float", "bool"}:
            return (Plain(node.kind),)
        if node.kind == "none":
            return (NONE,)
    raise _unknown(module, node if node is not None else module.facts.body[0])


def _is_constant(node: s.Node | None) -> bool:
    return isinstance(node, s.Constant) and node.kind in {"str", "int", "float", "bool", "none"}


def _enumeration(cls: Class) -> Plain:
    return Plain(cls.name, (cls.module.name, cls.name))


def _is_list(value: Value) -> bool:
    return isinstance(value, Many) and value.key is None


def _element(module: Module, node: s.Node, values: Values) -> Values:
    """Return what iterating gives."""
    found: list[Values] = []
    for value in values:
        if isinstance(value, Many):
            found.append(value.element if value.key is None else value.key)
        elif isinstance(value, Fixed):
            found += value.items
        elif value == STR:
            found.append((STR,))
        else:
            raise _unknown(module, node)
    return merged(*found)


def _element_of_all(values: Values) -> Values:
    return merged(*(value.element for value in values if isinstance(value, Many)))


def _position(module: Module, node: s.Node, value: Fixed, position: object) -> Values:
    if not isinstance(position, int) or not -len(value.items) <= position < len(value.items):
        raise _unknown(module, node)
    return value.items[position]


def _number(module: Module, node: s.Node, values: Values) -> Values:
    """Return what ``+value`` is: a number, True counting as 1."""
    if any(value not in _NUMBERS for value in values):
        raise _unknown(module, node)
    return merged(*((INT,) if value == BOOL else (value,) for value in values))


def _calculated(module: Module, node: s.Node, op: str, left: Values, right: Values) -> Values:
    """Return what an operation gives; nothing while one of its sides is looked for."""
    found: list[Values] = []
    for one in left:
        for other in right:
            if one in _NUMBERS and other in _NUMBERS and op in {"+", "-", "*", "/", "//", "%"}:
                is_float = op == "/" or FLOAT in {one, other}
                found.append((FLOAT,) if is_float else (INT,))
            elif (op == "+" and one == other == STR) or (op == "*" and {one, other} == {STR, INT}):
                found.append((STR,))
            elif op == "+" and _is_list(one) and _is_list(other):
                found.append(merged((one,), (other,)))
            else:
                raise _unknown(module, node)
    return merged(*found)


def _is_item_of(target: s.Expr, name: str) -> bool:
    return isinstance(target, s.Subscript) and s.dotted(target.value) == name


def _leaves(body: list[s.Stmt]) -> bool:
    """Whether a block never comes to its end."""
    last = body[-1] if body else None
    if isinstance(last, s.If):
        return bool(last.orelse) and all(
            _leaves(b) for b in (*(x.body for x in last.branches), last.orelse)
        )
    if isinstance(last, s.With):
        return _leaves(last.body)
    if isinstance(last, s.Try):
        return _leaves(last.body) and all(_leaves(handler.body) for handler in last.handlers)
    return isinstance(last, (s.Return, s.Raise))


def _unknown(module: Module, node: s.Node) -> Kept:
    written = module.source[node.start : node.end].decode(errors="replace")
    short = written if len(written) <= 40 and "\n" not in written else f"line {module.line(node)}"
    return Kept(module, node, f"what {short} gives is not known")
