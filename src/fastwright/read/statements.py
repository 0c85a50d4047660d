"""Lower tree-sitter's statement nodes to ``syntax`` nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
from tree_sitter import Node as TSNode

from fastwright.read import syntax as s
from fastwright.read.expressions import ExpressionReader, parts, text
from fastwright.read.facts import ImportFact

MAX_NESTING = 60
"""Statements nested deeper than this are opaque: CPython itself stops at 100 levels."""

_ENCODER = msgspec.msgpack.Encoder()

Lower: TypeAlias = "Callable[[StatementReader, TSNode], list[s.Stmt]]"


class StatementReader(ExpressionReader):
    """Lowers the statements of one file; collects its imports on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.imports: list[ImportFact] = []
        self.when = "import"
        """When the code that is being read runs: see ``ImportFact.when``."""
        self._nesting = 0

    def block(self, node: TSNode | None) -> list[s.Stmt]:
        """Return the statements of a block or module."""
        if node is None:
            return []
        if self._nesting > MAX_NESTING:
            return [s.OpaqueStmt(node.start_byte, node.end_byte)]
        self._nesting += 1
        found: list[s.Stmt] = []
        for child in node.named_children:
            if (lower := _LOWER.get(child.type)) is not None:
                found.extend(lower(self, child))
            elif child.type == "ERROR":
                found.extend(self._salvage(child))
            elif child.type not in {"comment", "line_continuation"}:
                found.append(s.OpaqueStmt(child.start_byte, child.end_byte))
        self._nesting -= 1
        return found

    def _salvage(self, node: TSNode) -> list[s.Stmt]:
        """Return the whole statements inside a part that does not parse."""
        found: list[s.Stmt] = [s.OpaqueStmt(node.start_byte, node.end_byte)]
        for child in node.named_children:
            if (lower := _LOWER.get(child.type)) is not None and not child.has_error:
                found.extend(lower(self, child))
        return found

    def during(self, when: str, node: TSNode | None) -> list[s.Stmt]:
        """Return the statements of a block that runs at another time than its surroundings."""
        before, self.when = self.when, when if self.when == "import" else self.when
        body = self.block(node)
        self.when = before
        return body


def docstring(body: list[s.Stmt]) -> str | None:
    """Return the docstring that a body starts with, or None."""
    if body and isinstance(body[0], s.ExprStmt):
        return s.string(body[0].value)
    return None


# ---------------------------------------------------------------- definitions


def _function(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    return [_function_def(reader, node, [])]


def _function_def(reader: StatementReader, node: TSNode, decorators: list[s.Expr]) -> s.FunctionDef:
    outer_called, reader.called = reader.called, set()
    outer_yields, reader.yields = reader.yields, False
    reader.defines = False
    params = reader.parameters(node.child_by_field_name("parameters"))
    returns = reader.optional(node.child_by_field_name("return_type"), 0)
    body = reader.during("call", node.child_by_field_name("body"))
    called, yields, defines = reader.called, reader.yields, reader.defines
    reader.called = outer_called | called
    reader.yields = outer_yields
    reader.defines = True
    for decorator in decorators:
        if (name := s.last_name(decorator)) is not None:
            reader.called.add(name)
    name_node = node.child_by_field_name("name")
    return s.FunctionDef(
        start=node.start_byte,
        end=node.end_byte,
        name=text(name_node) if name_node else "",
        name_start=name_node.start_byte if name_node else node.start_byte,
        type_params=_type_params(node),
        params=params,
        returns=returns,
        decorators=decorators,
        is_async=bool(node.children) and node.children[0].type == "async",
        is_generator=yields,
        doc=docstring(body),
        called=sorted(called),
        defines=defines,
        raw_body=msgspec.Raw(_ENCODER.encode(body)),
    )


def _type_params(node: TSNode) -> list[str]:
    """Return the names in ``[T, *Ts, **P]`` of a generic function or class (PEP 695)."""
    brackets = node.child_by_field_name("type_parameters")
    names: list[str] = []
    for child in brackets.named_children if brackets is not None else []:
        stack = [child]
        while stack:
            inner = stack.pop()
            if inner.type == "identifier":
                names.append(text(inner))
                break
            stack.extend(reversed(inner.named_children))
    return names


def _class(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    return [_class_def(reader, node, [])]


def _class_def(reader: StatementReader, node: TSNode, decorators: list[s.Expr]) -> s.ClassDef:
    bases, keywords = reader.arguments(node.child_by_field_name("superclasses"), 0)
    body = reader.block(node.child_by_field_name("body"))
    name = node.child_by_field_name("name")
    reader.defines = True
    return s.ClassDef(
        start=node.start_byte,
        end=node.end_byte,
        name=text(name) if name else "",
        name_start=name.start_byte if name else node.start_byte,
        type_params=_type_params(node),
        bases=bases,
        keywords=keywords,
        decorators=decorators,
        doc=docstring(body),
        body=body,
    )


def _decorated(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    decorators = [
        reader.expr(next(iter(parts(child)), None))
        for child in node.named_children
        if child.type == "decorator"
    ]
    definition = node.child_by_field_name("definition")
    if definition is None:
        return [s.OpaqueStmt(node.start_byte, node.end_byte)]
    if definition.type == "class_definition":
        return [_class_def(reader, definition, decorators)]
    return [_function_def(reader, definition, decorators)]


# --------------------------------------------------------------------- simple


def _expression_statement(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    children = parts(node)
    if len(children) != 1:
        elements = reader.exprs(children, 0)
        value: s.Expr = s.Tuple(node.start_byte, node.end_byte, elements)
        return [s.ExprStmt(node.start_byte, node.end_byte, value)]
    child = children[0]
    if child.type == "assignment":
        return [_assignment(reader, child)]
    if child.type == "augmented_assignment":
        return [_augmented(reader, child)]
    return [s.ExprStmt(node.start_byte, node.end_byte, reader.expr(child))]


def _assignment(reader: StatementReader, node: TSNode) -> s.Stmt:
    start, end = node.start_byte, node.end_byte
    annotation = node.child_by_field_name("type")
    left = reader.expr(node.child_by_field_name("left"))
    right = node.child_by_field_name("right")
    if annotation is not None:
        return s.AnnAssign(start, end, left, reader.expr(annotation), reader.optional(right, 0))
    targets = [left]
    while right is not None and right.type == "assignment":
        targets.append(reader.expr(right.child_by_field_name("left")))
        right = right.child_by_field_name("right")
    return s.Assign(start, end, targets, reader.expr(right))


def _augmented(reader: StatementReader, node: TSNode) -> s.Stmt:
    operator = node.child_by_field_name("operator")
    target = reader.expr(node.child_by_field_name("left"))
    value = reader.expr(node.child_by_field_name("right"))
    symbol = operator.type if operator else ""
    return s.AugAssign(node.start_byte, node.end_byte, target, symbol, value)


def _return(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    value = reader.optional(next(iter(parts(node)), None), 0)
    return [s.Return(node.start_byte, node.end_byte, value)]


def _raise(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    cause = node.child_by_field_name("cause")
    children = [child for child in parts(node) if cause is None or child.id != cause.id]
    exc = reader.optional(next(iter(children), None), 0)
    return [s.Raise(node.start_byte, node.end_byte, exc, reader.optional(cause, 0))]


def _delete(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    return [s.Delete(node.start_byte, node.end_byte, reader.exprs(parts(node), 0))]


def _assert(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    children = [*parts(node), None][:2]
    msg = reader.optional(children[1] if len(children) > 1 else None, 0)
    return [s.Assert(node.start_byte, node.end_byte, reader.expr(children[0]), msg)]


def _flow(_: StatementReader, node: TSNode) -> list[s.Stmt]:
    keyword = node.children[0].type if node.children else "pass"
    names = [text(child) for child in node.named_children if child.type == "identifier"]
    return [s.Flow(node.start_byte, node.end_byte, keyword, names)]


def _assignment_to_type(
    reader: StatementReader, node: TSNode, children: list[TSNode]
) -> s.Assign | s.OpaqueStmt:
    """``type(self).x = 1``, which the grammar takes for the statement ``type ...``."""
    keyword = node.children[0]
    target = _with_call_of_type(reader.expr(children[0]), keyword)
    if target is None:
        return s.OpaqueStmt(node.start_byte, node.end_byte)
    value = reader.expr(children[1])
    return s.Assign(node.start_byte, node.end_byte, [target], value)


def _with_call_of_type(target: s.Expr, keyword: TSNode) -> s.Expr | None:
    """Return ``(self).x`` as ``type(self).x``; None for anything that is no such chain."""
    start = keyword.start_byte
    if isinstance(target, s.Attribute):
        value = _with_call_of_type(target.value, keyword)
        return s.Attribute(start, target.end, value, target.attr) if value is not None else None
    if isinstance(target, s.Subscript):
        value = _with_call_of_type(target.value, keyword)
        return s.Subscript(start, target.end, value, target.slice) if value is not None else None
    if isinstance(target, s.Call):
        return None
    args: list[s.Expr] = target.elts if isinstance(target, s.Tuple) else [target]
    func = s.Name(start, keyword.end_byte, "type")
    return s.Call(start, target.end + 1, func, args, [])


def _type_alias(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    children = parts(node)
    if len(children) < 2:
        return [s.OpaqueStmt(node.start_byte, node.end_byte)]
    name = reader.expr(children[0])
    while isinstance(name, s.Subscript):
        name = name.value
    if not isinstance(name, s.Name):
        return [_assignment_to_type(reader, node, children)]
    value = reader.expr(children[1])
    return [s.TypeAliasStmt(node.start_byte, node.end_byte, name.id, value)]


# ----------------------------------------------------------- import statements


def _aliases(nodes: list[TSNode]) -> list[s.Alias]:
    found: list[s.Alias] = []
    for node in nodes:
        start, end = node.start_byte, node.end_byte
        if node.type == "aliased_import":
            name = node.child_by_field_name("name")
            alias = node.child_by_field_name("alias")
            if name is not None:
                found.append(s.Alias(start, end, text(name), text(alias) if alias else None))
        elif node.type == "dotted_name":
            found.append(s.Alias(start, end, text(node), None))
    return found


def _import(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    names = _aliases(node.children_by_field_name("name"))
    for alias in names:
        reader.imports.append(ImportFact(alias.name, 0, [], reader.when, node.start_byte))
    return [s.Import(node.start_byte, node.end_byte, names)]


def _import_from(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    origin = node.child_by_field_name("module_name")
    module, level = "", 0
    if origin is not None and origin.type == "relative_import":
        for child in origin.children:
            if child.type == "import_prefix":
                level = text(child).count(".")
            elif child.type == "dotted_name":
                module = text(child)
    elif origin is not None:
        module = text(origin)
    if node.type == "future_import_statement":
        module = "__future__"
    names = _aliases(node.children_by_field_name("name"))
    names += [
        s.Alias(child.start_byte, child.end_byte, "*", None)
        for child in node.named_children
        if child.type == "wildcard_import"
    ]
    imported = [alias.name for alias in names]
    reader.imports.append(ImportFact(module, level, imported, reader.when, node.start_byte))
    return [s.ImportFrom(node.start_byte, node.end_byte, module, names, level)]


# ------------------------------------------------------------------- compound


def _is_type_checking(test: s.Expr) -> bool:
    return s.last_name(test) == "TYPE_CHECKING" and not isinstance(test, s.Call)


def _is_main(test: s.Expr) -> bool:
    """``__name__ == "__main__"``: does not run on import."""
    return (
        isinstance(test, s.Compare)
        and test.ops == ["=="]
        and s.last_name(test.left) == "__name__"
        and s.string(test.comparators[0]) == "__main__"
    )


def _if(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    branches: list[s.Branch] = []
    orelse: list[s.Stmt] = []
    clauses = [node, *node.children_by_field_name("alternative")]
    for clause in clauses:
        if clause.type == "else_clause":
            orelse = reader.block(clause.child_by_field_name("body"))
            continue
        test = reader.expr(clause.child_by_field_name("condition"))
        body = clause.child_by_field_name("consequence")
        when = "typing" if _is_type_checking(test) else reader.when
        if when == "import" and _is_main(test):
            when = "call"
        branches.append(
            s.Branch(clause.start_byte, clause.end_byte, test, reader.during(when, body))
        )
    return [s.If(node.start_byte, node.end_byte, branches, orelse)]


def _orelse(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    clause = node.child_by_field_name("alternative")
    return reader.block(clause.child_by_field_name("body")) if clause is not None else []


def _for(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    return [
        s.For(
            node.start_byte,
            node.end_byte,
            reader.expr(node.child_by_field_name("left")),
            reader.expr(node.child_by_field_name("right")),
            reader.block(node.child_by_field_name("body")),
            _orelse(reader, node),
            is_async=bool(node.children) and node.children[0].type == "async",
        )
    ]


def _while(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    test = reader.expr(node.child_by_field_name("condition"))
    body = reader.block(node.child_by_field_name("body"))
    return [s.While(node.start_byte, node.end_byte, test, body, _orelse(reader, node))]


def _with(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    items: list[s.WithItem] = []
    for clause in node.named_children:
        if clause.type == "with_clause":
            items.extend(
                item
                for child in clause.named_children
                if child.type == "with_item"
                for item in _with_items(reader, child)
            )
    body = reader.block(node.child_by_field_name("body"))
    is_async = bool(node.children) and node.children[0].type == "async"
    return [s.With(node.start_byte, node.end_byte, items, body, is_async)]


def _with_items(reader: StatementReader, node: TSNode) -> list[s.WithItem]:
    value = node.child_by_field_name("value")
    if value is None:
        return []
    values = [value]
    if value.type in {"tuple", "parenthesized_expression"} and any(
        c.type == "as_pattern" for c in value.named_children
    ):
        values = parts(value)
    return [_with_item(reader, item) for item in values]


def _with_item(reader: StatementReader, node: TSNode) -> s.WithItem:
    alias = _alias(node)
    target = next(iter(parts(alias)), None) if alias is not None else None
    context = reader.expr(node)
    return s.WithItem(node.start_byte, node.end_byte, context, reader.optional(target, 0))


def _alias(node: TSNode) -> TSNode | None:
    """Return what follows ``as``; the grammar puts it on the ``else`` of ``a() if b else c() as d``."""
    last = node
    while last.type in {"conditional_expression", "lambda"}:
        last = parts(last)[-1]
    return last.child_by_field_name("alias") if last.type == "as_pattern" else None


def _try(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    handlers: list[s.ExceptHandler] = []
    orelse: list[s.Stmt] = []
    final: list[s.Stmt] = []
    for clause in node.named_children:
        if clause.type in {"except_clause", "except_group_clause"}:
            handlers.append(_except(reader, clause))
        elif clause.type == "else_clause":
            orelse = reader.block(clause.child_by_field_name("body"))
        elif clause.type == "finally_clause":
            final = reader.block(
                next((c for c in clause.named_children if c.type == "block"), None)
            )
    body = reader.block(node.child_by_field_name("body"))
    return [s.Try(node.start_byte, node.end_byte, body, handlers, orelse, final)]


def _except(reader: StatementReader, node: TSNode) -> s.ExceptHandler:
    caught: s.Expr | None = None
    name: str | None = None
    body: list[s.Stmt] = []
    for child in parts(node):
        if child.type == "block":
            body = reader.block(child)
        elif child.type == "as_pattern":
            caught = reader.expr(next(iter(parts(child)), None))
            alias = child.child_by_field_name("alias")
            name = text(alias) if alias is not None else None
        elif caught is None:
            caught = reader.expr(child)
        else:  # newer grammars give the name as a child of its own
            name = text(child)
    return s.ExceptHandler(node.start_byte, node.end_byte, caught, name, body)


def _match(reader: StatementReader, node: TSNode) -> list[s.Stmt]:
    subjects = reader.exprs(node.children_by_field_name("subject"), 0)
    subject = (
        subjects[0] if len(subjects) == 1 else s.Tuple(node.start_byte, node.end_byte, subjects)
    )
    body = node.child_by_field_name("body")
    cases = [
        _case(reader, child)
        for child in (body.named_children if body is not None else [])
        if child.type == "case_clause"
    ]
    return [s.Match(node.start_byte, node.end_byte, subject, cases)]


def _case(reader: StatementReader, node: TSNode) -> s.MatchCase:
    names: list[str] = []
    for pattern in node.named_children:
        if pattern.type == "case_pattern":
            names.extend(_captures(pattern))
    guard_clause = node.child_by_field_name("guard")
    guard = None
    if guard_clause is not None:
        guard = reader.expr(next(iter(parts(guard_clause)), None))
    body = reader.block(node.child_by_field_name("consequence"))
    return s.MatchCase(node.start_byte, node.end_byte, names, guard, body)


def _captures(pattern: TSNode) -> list[str]:
    """Return the plain names in a pattern: those that it binds (and, harmlessly, class names)."""
    names: list[str] = []
    stack = [pattern]
    while stack:
        node = stack.pop()
        if node.type == "identifier":
            names.append(text(node))
        stack.extend(reversed(node.named_children))
    return names


_LOWER: dict[str, Lower] = {
    "function_definition": _function,
    "class_definition": _class,
    "decorated_definition": _decorated,
    "expression_statement": _expression_statement,
    "return_statement": _return,
    "raise_statement": _raise,
    "delete_statement": _delete,
    "assert_statement": _assert,
    "pass_statement": _flow,
    "break_statement": _flow,
    "continue_statement": _flow,
    "global_statement": _flow,
    "nonlocal_statement": _flow,
    "type_alias_statement": _type_alias,
    "import_statement": _import,
    "import_from_statement": _import_from,
    "future_import_statement": _import_from,
    "if_statement": _if,
    "for_statement": _for,
    "while_statement": _while,
    "with_statement": _with,
    "try_statement": _try,
    "match_statement": _match,
}
