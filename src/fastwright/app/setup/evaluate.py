"""Expressions: what they stand for, as far as that is known."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from fastwright.app.setup import imports
from fastwright.app.setup.machine import Machine
from fastwright.app.setup.operations import MAX_ITEMS, combine, compare, join
from fastwright.app.setup.result import Place
from fastwright.app.setup.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Choice,
    ClassValue,
    Closure,
    Const,
    Deferred,
    External,
    Foreign,
    Frame,
    Instance,
    Items,
    LambdaValue,
    RouterValue,
    Super,
    Table,
    Value,
    choice,
    is_configured,
    key_of,
    truth,
)
from fastwright.read import syntax as s

_BUILTINS = frozenset(dir(builtins))


def evaluate(m: Machine, node: s.Expr, frame: Frame) -> Value:
    """Return what ``node`` stands for in ``frame``."""
    handler = _EVALUATE.get(type(node))
    return handler(m, node, frame) if handler is not None else UNKNOWN


# ------------------------------------------------------------------------ names


def _name(m: Machine, node: s.Name, frame: Frame) -> Value:
    return lookup(m, node.id, frame)


def lookup(m: Machine, name: str, frame: Frame) -> Value:
    """Return what a plain name stands for."""
    for scope in frame.chain():
        found = scope.names.get(name)
        if found is not None and name not in scope.globals:
            if isinstance(found, Deferred):
                found = imports.force(m, found) or UNKNOWN
                scope.names[name] = found
            return found
    found = imports.member(m, frame.module, name)
    if found is not None:
        return found
    return External(f"builtins.{name}") if name in _BUILTINS else UNKNOWN


def _attribute(m: Machine, node: s.Attribute, frame: Frame) -> Value:
    value = evaluate(m, node.value, frame)
    return m.member(m, value, node.attr, frame.site(node))


# -------------------------------------------------------------------- constants


def _constant(_: Machine, node: s.Constant, __: Frame) -> Value:
    if node.kind == "bytes":
        return Const(str(node.value).encode("utf-8", "replace"))
    if node.kind in {"complex", "ellipsis"}:
        return UNKNOWN
    if node.value is None and node.kind != "none":
        return UNKNOWN
    return Const(node.value)


def _joined(m: Machine, node: s.JoinedStr, frame: Frame) -> Value:
    return join([evaluate(m, piece, frame) for piece in node.values])


# ------------------------------------------------------------------- operations


def _binary(m: Machine, node: s.BinOp, frame: Frame) -> Value:
    return combine(evaluate(m, node.left, frame), node.op, evaluate(m, node.right, frame))


def _unary(m: Machine, node: s.UnaryOp, frame: Frame) -> Value:
    value = evaluate(m, node.operand, frame)
    if node.op == "not":
        known = truth(value)
        return UNKNOWN if known is None else Const(not known, configured=is_configured(value))
    if node.op == "-" and isinstance(value, Const) and isinstance(value.value, (int, float)):
        return Const(-value.value)
    return UNKNOWN


def _boolean(m: Machine, node: s.BoolOp, frame: Frame) -> Value:
    """``and`` stops at the first false value, ``or`` at the first true one."""
    stops = node.op == "or"
    open_options: list[Value] = []
    value: Value = UNKNOWN
    doubtful = False
    for operand in node.values:
        value = evaluate(m, operand, frame)
        known = truth(value)
        if known is None:
            open_options.append(value)
            doubtful = True
        elif known == stops:
            break
        if known is not None and known != stops and operand is node.values[-1]:
            break
    if not doubtful:
        return value
    if truth(value) is not None and value not in open_options:
        open_options.append(value)
    if not stops and truth(value) is False:
        return value  # unknown and False is as good as False
    return choice(open_options)


def _compare(m: Machine, node: s.Compare, frame: Frame) -> Value:
    left = evaluate(m, node.left, frame)
    answer: bool | None = True
    setting = False
    for op, comparator in zip(node.ops, node.comparators, strict=False):
        right = evaluate(m, comparator, frame)
        one = compare(left, op, right)
        setting = setting or is_configured(left) or is_configured(right)
        if one is False:
            return Const(value=False, configured=setting)
        if one is None:
            answer = None
        left = right
    return UNKNOWN if answer is None else Const(value=True, configured=setting)


def _conditional(m: Machine, node: s.IfExp, frame: Frame) -> Value:
    known = truth(evaluate(m, node.test, frame))
    if known is not None:
        return evaluate(m, node.body if known else node.orelse, frame)
    with m.doubt():
        return choice([evaluate(m, node.body, frame), evaluate(m, node.orelse, frame)])


def _named(m: Machine, node: s.NamedExpr, frame: Frame) -> Value:
    value = evaluate(m, node.value, frame)
    if isinstance(node.target, s.Name):
        holder = frame
        while holder.kind == "block" and holder.outer is not None:
            holder = holder.outer
        holder.names[node.target.id] = value
    return value


# ------------------------------------------------------------------ collections


def _elements(m: Machine, nodes: list[s.Expr], frame: Frame) -> tuple[list[Value], bool]:
    items: list[Value] = []
    opened = False
    for node in nodes:
        if isinstance(node, s.Starred):
            inner = iterate(m, evaluate(m, node.value, frame))
            if inner is None:
                opened = True
            else:
                items.extend(inner[0])
                opened = opened or inner[1]
        else:
            items.append(evaluate(m, node, frame))
    return items[:MAX_ITEMS], opened


def _sequence(kind: str) -> Callable[[Machine, Any, Frame], Value]:
    def handler(m: Machine, node: s.List | s.Tuple | s.Set, frame: Frame) -> Value:
        items, opened = _elements(m, node.elts, frame)
        return Items(kind, items, opened)

    return handler


def _dict(m: Machine, node: s.Dict, frame: Frame) -> Value:
    table = Table()
    for key_node, value_node in zip(node.keys, node.values, strict=False):
        value = evaluate(m, value_node, frame)
        if key_node is None:
            merge(table, value)
            continue
        key_value = evaluate(m, key_node, frame)
        key = key_of(key_value)
        if key is None:
            table.open = True
        else:
            table.entries[key] = (key_value, value)
            if isinstance(key_value, Const) and isinstance(key_value.value, str):
                table.sources[key_value.value] = frame.site(value_node)
    return table


def merge(table: Table, other: Value) -> None:
    """``table.update(other)``."""
    if isinstance(other, Table):
        table.entries.update(other.entries)
        table.sources.update(other.sources)
        table.open = table.open or other.open
    else:
        table.open = True


def extend(items: Items, found: tuple[list[Value], bool] | None) -> None:
    """``items.extend(...)`` with what ``iterate`` returned."""
    if found is None:
        items.open = True
        return
    room = max(0, MAX_ITEMS - len(items.items))
    items.items.extend(found[0][:room])
    items.open = items.open or found[1] or len(found[0]) > room


def iterate(m: Machine, value: Value) -> tuple[list[Value], bool] | None:
    """Return the items of ``value`` and whether there may be more; None if nothing is known."""
    if isinstance(value, Items):
        return list(value.items), value.open
    if isinstance(value, Table):
        return [key for key, _ in value.entries.values()], value.open
    if isinstance(value, Const) and isinstance(value.value, str) and not value.partial:
        return [Const(char) for char in value.value[:MAX_ITEMS]], False
    if isinstance(value, Choice):
        found = [one for option in value.options if (one := iterate(m, option)) is not None]
        if found:
            return [item for items, _ in found for item in items], True
    if isinstance(value, ClassValue):
        return _members_of_enum(m, value), False
    if isinstance(value, RouterValue):
        return list(value.routes.items), False
    return None


def _members_of_enum(m: Machine, cls: ClassValue) -> list[Value]:
    site = cls.frame.site(cls.symbol.node)
    return [
        m.member(m, cls, name, site)
        for name, statement in cls.symbol.own_attributes.items()
        if isinstance(statement, s.Assign) and not name.startswith("_")
    ]


def _comprehension(m: Machine, node: s.Comp, frame: Frame) -> Value:
    inner = Frame("block", frame.module, frame, frame.function)
    table = Table()
    items = Items("list" if node.kind == "generator" else node.kind, [])

    def emit() -> None:
        value = evaluate(m, node.elt, inner)
        if node.key is None:
            items.items.append(value)
            return
        key_value = evaluate(m, node.key, inner)
        key = key_of(key_value)
        if key is not None:
            table.entries[key] = (key_value, value)

    known = _generate(m, node.generators, 0, inner, emit)
    if node.kind == "dict":
        table.open = not known
        return table
    items.open = not known
    return items


def _generate(
    m: Machine, generators: list[s.Generator], depth: int, frame: Frame, emit: Callable[[], None]
) -> bool:
    """Run the loops of a comprehension; return whether all of it is known."""
    if depth == len(generators):
        emit()
        return True
    generator = generators[depth]
    found = iterate(m, evaluate(m, generator.iter, frame))
    if found is None:
        return False
    complete = not found[1]
    for item in found[0]:
        m.step()
        bind_target(m, generator.target, item, frame)
        verdicts = [truth(evaluate(m, test, frame)) for test in generator.ifs]
        if False in verdicts:
            continue
        complete = _generate(m, generators, depth + 1, frame, emit) and complete
    return complete


def _subscript(m: Machine, node: s.Subscript, frame: Frame) -> Value:
    value = evaluate(m, node.value, frame)
    if isinstance(value, (ClassValue, External)) and not _is_environment(value):
        return value  # Generic[T]
    if isinstance(node.slice, s.Slice):
        return _sliced(m, value, node.slice, frame)
    return item(m, value, evaluate(m, node.slice, frame), frame.site(node))


def _is_environment(value: Value) -> bool:
    return isinstance(value, External) and value.name == "os.environ"


def _sliced(m: Machine, value: Value, node: s.Slice, frame: Frame) -> Value:
    bounds: list[int | None] = []
    for bound in (node.lower, node.upper, node.step):
        given = evaluate(m, bound, frame) if bound is not None else NONE
        if not isinstance(given, Const) or not isinstance(given.value, (int, type(None))):
            return UNKNOWN
        bounds.append(given.value)
    cut = slice(*bounds)
    if bounds[2] == 0:
        return UNKNOWN
    if isinstance(value, Items):
        return Items(value.kind, value.items[cut], value.open)
    if isinstance(value, Const) and isinstance(value.value, str):
        return Const(value.value[cut], value.partial)
    return UNKNOWN


def item(m: Machine, value: Value, index: Value, site: Place) -> Value:
    """Return ``value[index]``."""
    if isinstance(value, Choice):
        return choice([item(m, option, index, site) for option in value.options])
    if isinstance(value, Items) and isinstance(index, Const) and isinstance(index.value, int):
        if -len(value.items) <= index.value < len(value.items) and not value.open:
            return value.items[index.value]
        return value.items[index.value] if 0 <= index.value < len(value.items) else UNKNOWN
    if isinstance(value, Table):
        key = key_of(index)
        found = value.entries.get(key) if key is not None else None
        return found[1] if found is not None else UNKNOWN
    if isinstance(value, Const) and isinstance(value.value, str) and isinstance(index, Const):
        if isinstance(index.value, int) and -len(value.value) <= index.value < len(value.value):
            return Const(value.value[index.value], value.partial)
        return UNKNOWN
    if isinstance(value, Instance):
        getter = m.member(m, value, "__getitem__", site)
        if isinstance(getter, Closure):
            return m.call(m, getter, Arguments(site, [index]))
    if isinstance(value, ClassValue) and isinstance(index, Const):
        return m.member(m, value, str(index.value), site)  # Enum["NAME"]
    return UNKNOWN


# ------------------------------------------------------------------------ calls


def _call(m: Machine, node: s.Call, frame: Frame) -> Value:
    m.step()
    function = evaluate(m, node.func, frame)
    if isinstance(function, External) and function.name in _FRAME_CALLS:
        return _FRAME_CALLS[function.name](m, node, frame)
    return m.call(m, function, arguments(m, node, frame))


def _super(m: Machine, node: s.Call, frame: Frame) -> Value:
    """``super()``, also as it was written before Python 3."""
    if len(node.args) == 2:
        cls, receiver = evaluate(m, node.args[0], frame), evaluate(m, node.args[1], frame)
        return Super(receiver, cls) if isinstance(cls, ClassValue) else UNKNOWN
    for scope in frame.chain():
        if scope.context is not None and scope.kind == "function":
            return Super(scope.context[1], scope.context[0])
    return UNKNOWN


def _globals(m: Machine, _: s.Call, frame: Frame) -> Value:
    names = frame.module.frame.names
    return Table({("str", k): (Const(k), imports.resolved(m, v)) for k, v in names.items()})


def _locals(m: Machine, node: s.Call, frame: Frame) -> Value:
    if frame.kind == "module":
        return _globals(m, node, frame)
    return Table({("str", k): (Const(k), v) for k, v in frame.names.items()}, open=True)


_FRAME_CALLS: dict[str, Callable[[Machine, s.Call, Frame], Value]] = {
    "builtins.super": _super,
    "builtins.globals": _globals,
    "builtins.locals": _locals,
}


def arguments(m: Machine, node: s.Call, frame: Frame) -> Arguments:
    """Evaluate what a call passes."""
    given = Arguments(frame.site(node))
    for argument in node.args:
        if isinstance(argument, s.Starred):
            found = iterate(m, evaluate(m, argument.value, frame))
            if found is None or found[1]:
                given.open = True
            given.positional.extend(found[0] if found is not None else [])
            continue
        given.sources[len(given.positional)] = _source(argument, frame)
        given.positional.append(evaluate(m, argument, frame))
    for keyword in node.keywords:
        value = evaluate(m, keyword.value, frame)
        if keyword.arg is not None:
            given.keywords[keyword.arg] = value
            given.sources[keyword.arg] = _source(keyword.value, frame)
        elif isinstance(value, Table):
            _spread(given, value, frame.site(keyword.value))
        else:
            given.open = True
    return given


def _source(node: s.Expr, frame: Frame) -> Place:
    """Return where a value was written: a plain parameter leads to the caller's expression."""
    if isinstance(node, s.Name):
        for scope in frame.chain():
            if node.id in scope.sources:
                return scope.sources[node.id]
            if node.id in scope.names:
                break
    return frame.site(node)


def _spread(given: Arguments, table: Table, site: Place) -> None:
    for key, value in table.entries.values():
        if isinstance(key, Const) and isinstance(key.value, str):
            given.keywords[key.value] = value
            given.sources[key.value] = table.sources.get(key.value, site)
    given.open = given.open or table.open


def _lambda(_: Machine, node: s.Lambda, frame: Frame) -> Value:
    outer = frame.function
    prefix = f"{outer.qualname}.<locals>." if outer is not None else ""
    return LambdaValue(node, frame, f"{prefix}<lambda>")


def _await(m: Machine, node: s.Await, frame: Frame) -> Value:
    return evaluate(m, node.value, frame)


def _yield(m: Machine, node: s.Yield, frame: Frame) -> Value:
    value = evaluate(m, node.value, frame) if node.value is not None else NONE
    holder = frame
    while holder.kind == "block" and holder.outer is not None:
        holder = holder.outer
    if node.is_from:
        found = iterate(m, value)
        holder.yields.extend(found[0] if found is not None else [])
    else:
        holder.yields.append(value)
    return UNKNOWN


def _starred(m: Machine, node: s.Starred, frame: Frame) -> Value:
    evaluate(m, node.value, frame)
    return UNKNOWN


# ------------------------------------------------------------------- assignment


def bind_target(m: Machine, target: s.Expr, value: Value, frame: Frame) -> None:
    """Assign ``value`` to a name, attribute, item or to several of these."""
    if isinstance(target, s.Name):
        bind_name(m, target.id, value, frame)
    elif isinstance(target, (s.Tuple, s.List)):
        _unpack(m, target.elts, value, frame)
    elif isinstance(target, s.Starred):
        bind_target(m, target.value, value, frame)
    elif isinstance(target, s.Attribute):
        owner = evaluate(m, target.value, frame)
        if isinstance(owner, RouterValue) and target.attr == "lifespan_context":
            owner.startups.append((value, m.presence))
        set_attribute(owner, target.attr, value)
    elif isinstance(target, s.Subscript):
        container = evaluate(m, target.value, frame)
        if isinstance(target.slice, s.Slice):
            _replace(container, target.slice, value)
            return
        set_item(container, evaluate(m, target.slice, frame), value)


def _replace(container: Value, node: s.Slice, value: Value) -> None:
    """``container[:] = value``; another slice is not followed."""
    whole = node.lower is None and node.upper is None and node.step is None
    if whole and isinstance(container, Items) and isinstance(value, Items) and not value.open:
        container.items[:] = value.items


def bind_name(_: Machine, name: str, value: Value, frame: Frame) -> None:
    """Assign to a plain name where Python would."""
    if name in frame.globals:
        frame.module.frame.names[name] = value
        return
    if name in frame.nonlocals:
        scope = frame.outer
        while scope is not None and scope.kind != "module":
            if name in scope.names:
                scope.names[name] = value
                return
            scope = scope.outer
    frame.names[name] = value
    frame.sources.pop(name, None)


def _unpack(m: Machine, targets: list[s.Expr], value: Value, frame: Frame) -> None:
    found = iterate(m, value)
    items = found[0] if found is not None and not found[1] else []
    starred = next((i for i, t in enumerate(targets) if isinstance(t, s.Starred)), None)
    if starred is not None and len(items) >= len(targets) - 1:
        after = len(targets) - starred - 1
        middle = items[starred : len(items) - after]
        items = [*items[:starred], Items("list", middle), *items[len(items) - after :]]
    for position, target in enumerate(targets):
        known = len(items) == len(targets)
        bind_target(m, target, items[position] if known else UNKNOWN, frame)


def set_attribute(owner: Value, name: str, value: Value) -> None:
    """``owner.name = value``."""
    if isinstance(owner, (Instance, RouterValue, Foreign, Closure)):
        owner.attrs[name] = value
        if isinstance(owner, RouterValue) and name == "prefix" and isinstance(value, Const):
            owner.prefix, owner.partial = str(value.value or ""), value.partial
        if isinstance(owner, RouterValue) and name == "routes" and isinstance(value, Items):
            owner.routes.items[:] = value.items
    elif isinstance(owner, ClassValue):
        owner.body.names[name] = value
    elif isinstance(owner, Choice):
        for option in owner.options:
            set_attribute(option, name, value)
    elif hasattr(owner, "module") and hasattr(owner, "frame"):
        frame = owner.frame
        if isinstance(frame, Frame):
            frame.names[name] = value


def set_item(container: Value, index: Value, value: Value) -> None:
    """``container[index] = value``."""
    if isinstance(container, Table):
        key = key_of(index)
        if key is None:
            container.open = True
        else:
            container.entries[key] = (index, value)
    elif isinstance(container, Items) and (place := place_in(container, index)) is not None:
        container.items[place] = value


def place_in(items: Items, index: Value) -> int | None:
    """Return the place that ``index`` means among the items that are known."""
    if not isinstance(index, Const) or not isinstance(index.value, int):
        return None
    size = len(items.items)
    return index.value % size if -size <= index.value < size else None


_EVALUATE: dict[type, Callable[[Machine, Any, Frame], Value]] = {
    s.Name: _name,
    s.Attribute: _attribute,
    s.Call: _call,
    s.Subscript: _subscript,
    s.Constant: _constant,
    s.JoinedStr: _joined,
    s.BinOp: _binary,
    s.UnaryOp: _unary,
    s.BoolOp: _boolean,
    s.Compare: _compare,
    s.IfExp: _conditional,
    s.Lambda: _lambda,
    s.Await: _await,
    s.Yield: _yield,
    s.Starred: _starred,
    s.List: _sequence("list"),
    s.Tuple: _sequence("tuple"),
    s.Set: _sequence("set"),
    s.Dict: _dict,
    s.Comp: _comprehension,
    s.NamedExpr: _named,
}
