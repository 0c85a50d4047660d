"""Statements, in order. What follows a condition that is not known runs for every branch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastwright.app.setup import imports, objects
from fastwright.app.setup.evaluate import bind_name, bind_target, evaluate, extend, iterate, lookup
from fastwright.app.setup.machine import Machine
from fastwright.app.setup.operations import combine
from fastwright.app.setup.relevance import OPERATIONS, is_route
from fastwright.app.setup.symbols_of import class_symbol, class_value, closure, function_symbol
from fastwright.app.setup.values import (
    NONE,
    UNKNOWN,
    Arguments,
    ClassValue,
    Closure,
    External,
    Foreign,
    Frame,
    Instance,
    Items,
    LambdaValue,
    ModuleValue,
    PartialValue,
    RouterValue,
    Table,
    Unknown,
    Value,
    choice,
    is_configured,
    key_of,
    truth,
)
from fastwright.read import syntax as s

NEXT, RETURN, BREAK, CONTINUE, RAISE = "next", "return", "break", "continue", "raise"

MAX_ROUNDS = 20_000
MAX_IDLE_ROUNDS = 300
"""Longer loops are cut; those that set up nothing sooner."""

_LOGGING = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})


def execute(m: Machine, body: list[s.Stmt], frame: Frame) -> str:
    """Execute statements; return how they ended."""
    for node in body:
        handler = _EXECUTE.get(type(node))
        if handler is None:
            continue
        m.step()
        signal = handler(m, node, frame)
        if signal != NEXT:
            return signal
    return NEXT


# ----------------------------------------------------------------------- simple


def _expression(m: Machine, node: s.ExprStmt, frame: Frame) -> str:
    value = node.value
    if isinstance(value, s.Constant) or _is_logging(value):
        return NEXT
    evaluate(m, value, frame)
    return NEXT


def _is_logging(node: s.Expr) -> bool:
    return (
        isinstance(node, s.Call)
        and isinstance(node.func, s.Attribute)
        and node.func.attr in _LOGGING
    )


def _assign(m: Machine, node: s.Assign, frame: Frame) -> str:
    value = evaluate(m, node.value, frame)
    for target in node.targets:
        bind_target(m, target, value, frame)
    return NEXT


def _annotated(m: Machine, node: s.AnnAssign, frame: Frame) -> str:
    if node.value is not None:
        bind_target(m, node.target, evaluate(m, node.value, frame), frame)
    return NEXT


def _augmented(m: Machine, node: s.AugAssign, frame: Frame) -> str:
    before = evaluate(m, node.target, frame)
    given = evaluate(m, node.value, frame)
    op = node.op.removesuffix("=")
    if op in {"+", "|"} and isinstance(before, Items) and before.kind in {"list", "set"}:
        found = iterate(m, given)
        extend(before, found)
        return NEXT
    bind_target(m, node.target, combine(before, op, given), frame)
    return NEXT


def _return(m: Machine, node: s.Return, frame: Frame) -> str:
    if node.value is not None:
        frame.returns.append(evaluate(m, node.value, frame))
    else:
        frame.returns.append(NONE)
    return RETURN


def _raise(_: Machine, __: s.Raise, ___: Frame) -> str:
    return RAISE


def _flow(_: Machine, node: s.Flow, frame: Frame) -> str:
    if node.keyword == "global":
        frame.globals.update(node.names)
    elif node.keyword == "nonlocal":
        frame.nonlocals.update(node.names)
    return node.keyword if node.keyword in {BREAK, CONTINUE} else NEXT


def _delete(m: Machine, node: s.Delete, frame: Frame) -> str:
    for target in node.targets:
        if isinstance(target, s.Name):
            frame.names.pop(target.id, None)
        elif isinstance(target, s.Subscript):
            container = evaluate(m, target.value, frame)
            key = key_of(evaluate(m, target.slice, frame))
            if isinstance(container, Table) and key is not None:
                container.entries.pop(key, None)
    return NEXT


# ------------------------------------------------------- modules and their names


def _import(m: Machine, node: s.Import, frame: Frame) -> str:
    path = frame.module.module.path
    for alias in node.names:
        found = imports.import_dotted(m, alias.name, path)
        if alias.asname is None and "." in alias.name:
            first = alias.name.partition(".")[0]
            found = imports.import_dotted(m, first, path)
            bind_name(m, first, found, frame)
        else:
            bind_name(m, alias.asname or alias.name, found, frame)
    return NEXT


def _import_from(m: Machine, node: s.ImportFrom, frame: Frame) -> str:
    module = frame.module.module
    origin = module.absolute(node.module, node.level)
    if not origin or node.module == "__future__":
        return NEXT
    if m.guarded and imports.is_missing(m, origin, module):
        return RAISE
    for alias in node.names:
        if alias.name == "*":
            package = imports.import_dotted(m, origin, module.path)
            if isinstance(package, ModuleValue) and package is not frame.module:
                frame.module.stars.append(package)
        else:
            found = imports.from_import(m, origin, alias.name, module.path)
            bind_name(m, alias.asname or alias.name, found, frame)
    return NEXT


# ------------------------------------------------------------------ definitions


def _function(m: Machine, node: s.FunctionDef, frame: Frame) -> str:
    symbol = function_symbol(m, node, frame)
    value: Value = closure(m, symbol, frame)
    for decorator in reversed(node.decorators):
        value = decorate(m, decorator, value, frame)
    if frame.kind == "class" and (symbol.is_property or "setter" in symbol.decorator_names):
        frame.names.setdefault(node.name, value)
        return NEXT
    bind_name(m, node.name, value, frame)
    return NEXT


def decorate(m: Machine, node: s.Expr, value: Value, frame: Frame) -> Value:
    """Apply one decorator; one that is not known is taken to keep what it decorates."""
    decorator = evaluate(m, node, frame)
    if isinstance(decorator, (Unknown, Foreign)):
        return value
    if isinstance(decorator, External) and not decorator.name.startswith("builtins."):
        return value
    if isinstance(decorator, External) and decorator.name.partition(".")[2] in {
        "property", "staticmethod", "classmethod",
    }:  # fmt: skip
        return value
    given = Arguments(frame.site(node), [value], {}, {0: frame.site(node)})
    made = m.call(m, decorator, given)
    callables = (Closure, ClassValue, Instance, PartialValue, LambdaValue, RouterValue)
    return made if isinstance(made, callables) else value


def _class(m: Machine, node: s.ClassDef, frame: Frame) -> str:
    cls = class_value(m, class_symbol(m, node, frame), frame)
    bind_name(m, node.name, cls, frame)
    if _body_matters(node):
        objects.execute_body(m, cls)
    objects.subclassed(m, cls)
    value: Value = cls
    for decorator in reversed(node.decorators):
        value = decorate(m, decorator, value, frame)
    if value is not cls:
        bind_name(m, node.name, value, frame)
    return NEXT


def _body_matters(node: s.ClassDef) -> bool:
    """Return whether a class body does more than define what can be looked up later."""
    for statement in node.body:
        if isinstance(statement, s.FunctionDef):
            if is_route(statement):
                return True
        elif isinstance(statement, s.ExprStmt):
            if s.last_name(statement.value) in OPERATIONS:
                return True
        elif isinstance(statement, (s.For, s.If, s.With, s.Try)):
            return True
    return False


# --------------------------------------------------------------------- branches


def _if(m: Machine, node: s.If, frame: Frame) -> str:
    bodies: list[list[s.Stmt]] = []
    off: list[list[s.Stmt]] = []
    setting = False
    for position, branch in enumerate(node.branches):
        test = evaluate(m, branch.test, frame)
        known = truth(test)
        if known is False:
            off.extend([branch.body] if is_configured(test) else [])
            continue
        bodies.append(branch.body)
        if known is True:
            if is_configured(test):
                setting = True
                off.extend(later.body for later in node.branches[position + 1 :])
                off.append(node.orelse)
            break
    else:
        bodies.append(node.orelse)
    one = len(bodies) == 1
    signal = execute(m, bodies[0], frame) if one else _either(m, bodies, frame)
    for body in off:
        _explore(m, body, frame)
    if setting and signal == RAISE:
        return NEXT  # no deployment can leave that setting as it is
    if setting and signal == RETURN and _goes_on(m, frame):
        return NEXT
    return signal


def _explore(m: Machine, body: list[s.Stmt], frame: Frame) -> None:
    """Execute a branch that the defaults of settings switch off, for the routes that it has."""
    if not _sets_up(m, body):
        return
    before = frame.names
    returned = len(frame.returns)
    frame.names = dict(before)
    m.offs += 1
    try:
        execute(m, body, frame)
    finally:
        m.offs -= 1
        new = {k: v for k, v in frame.names.items() if k not in before}
        frame.names = {**before, **new}
        del frame.returns[returned:]


def _sets_up(m: Machine, body: list[s.Stmt]) -> bool:
    return any(
        (isinstance(node, s.Call) and s.last_name(node.func) in m.relevance.names)
        or (isinstance(node, s.FunctionDef) and is_route(node))
        or (isinstance(node, s.Attribute) and node.attr == "lifespan_context")
        for node in s.walk_scope(*body)
    )


def _goes_on(m: Machine, frame: Frame) -> bool:
    """After ``if not settings.X: return``, go on for the routes that the setting would add."""
    function = frame.function
    if frame.kind != "function" or function is None or not m.relevance.sets_up(function):
        return False
    if frame.ended is None:
        frame.ended = len(frame.returns)
        m.offs += 1
    return True


def _either(m: Machine, bodies: list[list[s.Stmt]], frame: Frame) -> str:
    """Execute each of ``bodies`` from the same names and join what they leave behind."""
    before = frame.names
    live: list[dict[str, Value]] = []
    signals: list[str] = []
    for body in bodies:
        frame.names = dict(before)
        with m.doubt():
            signal = execute(m, body, frame)
        signals.append(signal)
        if signal == NEXT:
            live.append(frame.names)
    if not live:
        frame.names = before
        return next((x for x in signals if x not in {RAISE, RETURN}), max(signals))
    frame.names = _joined(live)
    return NEXT


def _joined(outcomes: list[dict[str, Value]]) -> dict[str, Value]:
    if len(outcomes) == 1:
        return outcomes[0]
    names: dict[str, Value] = {}
    for outcome in outcomes:
        for name, value in outcome.items():
            known = names.get(name)
            if known is None:
                names[name] = value
            elif known is not value:
                names[name] = choice([known, value])
    return names


def _match(m: Machine, node: s.Match, frame: Frame) -> str:
    evaluate(m, node.subject, frame)
    bodies = [case.body for case in node.cases]
    for case in node.cases:
        for name in case.names:
            if not isinstance(lookup(m, name, frame), (ClassValue, External)):
                frame.names[name] = UNKNOWN
    return _either(m, [*bodies, []], frame)


def _try(m: Machine, node: s.Try, frame: Frame) -> str:
    m.guarded += bool(node.handlers)
    try:
        signal = execute(m, node.body, frame)
    finally:
        m.guarded -= bool(node.handlers)
    if signal == RAISE:
        signal = execute(m, node.handlers[0].body, frame) if node.handlers else RAISE
    elif signal == NEXT:
        signal = execute(m, node.orelse, frame)
    final = execute(m, node.finalbody, frame)
    return final if final != NEXT else signal


# ------------------------------------------------------------------------ loops


def _for(m: Machine, node: s.For, frame: Frame) -> str:
    found = iterate(m, evaluate(m, node.iter, frame))
    if found is None:
        bind_target(m, node.target, UNKNOWN, frame)
        signal = _either(m, [node.body, []], frame)
        return signal if signal in {RETURN, RAISE} else NEXT
    most = (
        MAX_ROUNDS
        if len(found[0]) > MAX_IDLE_ROUNDS and _sets_up(m, node.body)
        else (MAX_IDLE_ROUNDS)
    )
    for item in found[0][:most]:
        m.step()
        bind_target(m, node.target, item, frame)
        signal = execute(m, node.body, frame)
        if signal == BREAK:
            return NEXT
        if signal in {RETURN, RAISE}:
            return signal
    return execute(m, node.orelse, frame)


def _while(m: Machine, node: s.While, frame: Frame) -> str:
    for _ in range(MAX_IDLE_ROUNDS):
        m.step()
        known = truth(evaluate(m, node.test, frame))
        if known is False:
            return execute(m, node.orelse, frame)
        if known is None:
            signal = _either(m, [node.body, []], frame)
            return signal if signal in {RETURN, RAISE} else NEXT
        signal = execute(m, node.body, frame)
        if signal == BREAK:
            return NEXT
        if signal in {RETURN, RAISE}:
            return signal
    return NEXT


def _with(m: Machine, node: s.With, frame: Frame) -> str:
    for item in node.items:
        value = evaluate(m, item.context_expr, frame)
        if item.optional_vars is not None:
            entered = objects.enter(m, value, frame.site(item.context_expr))
            bind_target(m, item.optional_vars, entered, frame)
    suppresses = any(s.last_name(item.context_expr) == "suppress" for item in node.items)
    signal = execute(m, node.body, frame)
    return NEXT if suppresses and signal == RAISE else signal


_EXECUTE: dict[type, Callable[[Machine, Any, Frame], str]] = {
    s.ExprStmt: _expression,
    s.Assign: _assign,
    s.AnnAssign: _annotated,
    s.AugAssign: _augmented,
    s.Return: _return,
    s.Raise: _raise,
    s.Flow: _flow,
    s.Delete: _delete,
    s.Import: _import,
    s.ImportFrom: _import_from,
    s.FunctionDef: _function,
    s.ClassDef: _class,
    s.If: _if,
    s.Match: _match,
    s.Try: _try,
    s.For: _for,
    s.While: _while,
    s.With: _with,
}
