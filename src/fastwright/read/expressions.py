"""Lower tree-sitter's expression nodes to ``syntax`` nodes."""

from __future__ import annotations

import ast
import re
import sys
import unicodedata
from collections.abc import Callable
from typing import TypeAlias

from tree_sitter import Node as TSNode

from fastwright.read import syntax as s

MAX_DEPTH = 150
"""Expressions nested deeper than this are Opaque: nobody writes them by hand."""

MAX_STRING = 20_000
"""Longer string literals are cut: they are data, and facts should stay small."""

_SKIPPED = frozenset({"comment", "line_continuation"})

Lower: TypeAlias = "Callable[[ExpressionReader, TSNode, int], s.Expr]"


def parts(node: TSNode) -> list[TSNode]:
    """Return the named children of ``node`` without comments."""
    found = node.named_children
    for child in found:
        if child.type in _SKIPPED:
            return [child for child in found if child.type not in _SKIPPED]
    return found


def text(node: TSNode) -> str:
    """Return the source of ``node``; bytes that are no UTF-8 are replaced."""
    data = node.text
    return data.decode("utf-8", "replace") if data is not None else ""


class ExpressionReader:
    """Lowers expressions of one file and collects the names that are called on the way."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        """Last components of called names since the collector was last replaced."""
        self.yields = False
        self.defines = False

    def expr(self, node: TSNode | None, depth: int = 0) -> s.Expr:
        """Return ``node`` lowered; what cannot be read is ``Opaque``."""
        if node is None:
            return s.Opaque(0, 0)
        lower = _LOWER.get(node.type)
        if lower is None or depth > MAX_DEPTH:
            return s.Opaque(node.start_byte, node.end_byte)
        return lower(self, node, depth + 1)

    def optional(self, node: TSNode | None, depth: int) -> s.Expr | None:
        """Return ``node`` lowered, or None for None."""
        return None if node is None else self.expr(node, depth)

    def exprs(self, nodes: list[TSNode], depth: int) -> list[s.Expr]:
        """Return all ``nodes`` lowered."""
        return [self.expr(node, depth) for node in nodes]

    def parameters(self, node: TSNode | None, depth: int = 0) -> list[s.Parameter]:
        """Return the parameters of a function or lambda, in order, with their kinds."""
        if node is None:
            return []
        found: list[s.Parameter] = []
        kind = "plain"
        for child in parts(node):
            if child.type == "keyword_separator":
                kind = "keyword"
            elif child.type == "positional_separator":
                found = [
                    s.Parameter(p.start, p.end, p.name, p.annotation, p.default, "positional")
                    for p in found
                ]
            elif (parameter := self._parameter(child, kind, depth)) is not None:
                found.append(parameter)
                if parameter.kind == "args":
                    kind = "keyword"
        return found

    def _parameter(self, node: TSNode, kind: str, depth: int) -> s.Parameter | None:
        annotation = self.optional(node.child_by_field_name("type"), depth)
        default = self.optional(node.child_by_field_name("value"), depth)
        name = node.child_by_field_name("name")
        if name is None:
            inner = node
            if node.type == "typed_parameter":
                inner = parts(node)[0]
            if inner.type == "list_splat_pattern":
                kind = "args"
            elif inner.type == "dictionary_splat_pattern":
                kind = "kwargs"
            name = parts(inner)[0] if inner.type != "identifier" and parts(inner) else inner
        if name.type != "identifier":
            return None
        start, end = node.start_byte, node.end_byte
        return s.Parameter(start, end, text(name), annotation, default, kind)

    def keyword(self, node: TSNode, depth: int) -> s.Keyword:
        """Lower ``name=value`` or ``**value``."""
        if node.type == "dictionary_splat":
            value = self.expr(next(iter(parts(node)), None), depth)
            return s.Keyword(node.start_byte, node.end_byte, None, value)
        name = node.child_by_field_name("name")
        value = self.expr(node.child_by_field_name("value"), depth)
        return s.Keyword(node.start_byte, node.end_byte, text(name) if name else "", value)

    def arguments(self, node: TSNode | None, depth: int) -> tuple[list[s.Expr], list[s.Keyword]]:
        """Return positional and keyword arguments of an argument list."""
        args: list[s.Expr] = []
        keywords: list[s.Keyword] = []
        if node is None:
            return args, keywords
        if node.type == "generator_expression":
            return [self.expr(node, depth)], keywords
        for child in node.named_children:
            kind = child.type
            if kind in {"keyword_argument", "dictionary_splat"}:
                keywords.append(self.keyword(child, depth))
            elif kind not in _SKIPPED:
                args.append(self.expr(child, depth))
        return args, keywords


# ---------------------------------------------------------------- one node type each


def _name(_: ExpressionReader, node: TSNode, __: int) -> s.Expr:
    data = node.text
    name = data.decode("utf-8", "replace") if data is not None else ""
    return s.Name(node.start_byte, node.end_byte, name)


def _attribute(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    inner = node.named_children
    if len(inner) == 2:  # nothing but object and name: no comment between them
        value = reader.expr(inner[0], depth)
        return s.Attribute(node.start_byte, node.end_byte, value, text(inner[1]))
    name = node.child_by_field_name("attribute")
    value = reader.expr(node.child_by_field_name("object"), depth)
    return s.Attribute(node.start_byte, node.end_byte, value, text(name) if name else "")


def _call(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    inner = node.named_children
    if len(inner) != 2:  # a comment between them
        inner = [child for child in inner if child.type not in _SKIPPED]
    func = reader.expr(inner[0] if inner else None, depth)
    args, keywords = reader.arguments(inner[1] if len(inner) > 1 else None, depth)
    if isinstance(func, s.Attribute):
        reader.called.add(func.attr)
    elif isinstance(func, s.Name):
        reader.called.add(func.id)
    return s.Call(node.start_byte, node.end_byte, func, args, keywords)


def _subscript(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    children = parts(node)
    value = reader.expr(children[0] if children else None, depth)
    indices = reader.exprs(children[1:], depth)
    index: s.Expr
    if len(indices) == 1:
        index = indices[0]
    elif indices:
        index = s.Tuple(indices[0].start, indices[-1].end, indices)
    else:
        index = s.Opaque(node.start_byte, node.end_byte)
    return s.Subscript(node.start_byte, node.end_byte, value, index)


def _generic_type(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    """``list[int]`` where the grammar is sure that it is a type."""
    children = parts(node)
    value = reader.expr(children[0] if children else None, depth)
    inner = parts(children[1]) if len(children) > 1 else []
    indices = reader.exprs(inner, depth)
    if not indices:
        return s.Opaque(node.start_byte, node.end_byte)
    index = indices[0]
    if len(indices) > 1:
        index = s.Tuple(indices[0].start, indices[-1].end, indices)
    return s.Subscript(node.start_byte, node.end_byte, value, index)


def _inner(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    """Parentheses and wrappers that mean nothing: any number of them, at no depth."""
    while node.type in {"parenthesized_expression", "type", "expression"}:
        children = parts(node)
        if len(children) != 1:
            return s.Opaque(node.start_byte, node.end_byte)
        node = children[0]
    return reader.expr(node, depth - 1)


def _integer(_: ExpressionReader, node: TSNode, __: int) -> s.Expr:
    return _number(node, "int")


def _float(_: ExpressionReader, node: TSNode, __: int) -> s.Expr:
    return _number(node, "float")


_LARGEST_INTEGER = 2**63


def _number(node: TSNode, kind: str) -> s.Expr:
    start, end = node.start_byte, node.end_byte
    try:
        value = ast.literal_eval(text(node)) if end - start < 100 else None
    except (ValueError, SyntaxError):
        return s.Opaque(start, end)
    if isinstance(value, complex):
        return s.Constant(start, end, "complex", None)
    if isinstance(value, int) and abs(value) >= _LARGEST_INTEGER:
        value = None
    if not isinstance(value, (int, float)):
        value = None
    return s.Constant(start, end, kind, value)


def _constant(kind: str, value: s.Literal) -> Lower:
    def lower(_: ExpressionReader, node: TSNode, __: int) -> s.Expr:
        return s.Constant(node.start_byte, node.end_byte, kind, value)

    return lower


def _string(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    pieces = _string_pieces(reader, node, depth)
    return _joined(node, pieces)


def _concatenated(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    pieces: list[s.Expr] = []
    for child in parts(node):
        pieces.extend(_string_pieces(reader, child, depth))
    return _joined(node, pieces)


def _joined(node: TSNode, pieces: list[s.Expr]) -> s.Expr:
    """One constant where all pieces are constants of one kind, else a ``JoinedStr``."""
    start, end = node.start_byte, node.end_byte
    kinds = {piece.kind if isinstance(piece, s.Constant) else "" for piece in pieces}
    if not pieces:
        return s.Constant(start, end, "str", "")
    if len(kinds) == 1 and "" not in kinds:
        values = [p.value for p in pieces if isinstance(p, s.Constant)]
        joined = "".join(value for value in values if isinstance(value, str))
        return s.Constant(start, end, kinds.pop(), joined[:MAX_STRING])
    return s.JoinedStr(start, end, pieces)


def _string_pieces(reader: ExpressionReader, node: TSNode, depth: int) -> list[s.Expr]:
    """Return the constant and interpolated pieces of one string literal."""
    if node.type != "string":
        return [reader.expr(node, depth)]
    children = node.children
    prefix = text(children[0]).lower() if children else ""
    letters = prefix.rstrip("'\"")
    kind = "bytes" if "b" in letters else "str"
    raw = "r" in letters
    pieces: list[s.Expr] = []
    for child in children[1:]:
        if child.type == "string_content":
            piece = _string_content(child, kind, raw=raw)
            pieces.append(_without_double_braces(piece) if "f" in letters else piece)
        elif child.type == "interpolation":
            inner = child.child_by_field_name("expression")
            pieces.append(reader.expr(inner, depth))
    if not pieces and kind == "bytes":
        pieces.append(s.Constant(node.start_byte, node.end_byte, kind, ""))
    return pieces


def _without_double_braces(piece: s.Constant) -> s.Constant:
    """``{{`` in an f-string is one brace."""
    value = str(piece.value).replace("{{", "{").replace("}}", "}")
    return s.Constant(piece.start, piece.end, piece.kind, value)


def _string_content(node: TSNode, kind: str, *, raw: bool) -> s.Constant:
    value = text(node)[:MAX_STRING]
    if "\\" in value and not raw:
        value = _unescape(value)
    return s.Constant(node.start_byte, node.end_byte, kind, value)


_ESCAPE = re.compile(
    r"\\(?:\r?\n|[\\'\"abfnrtv]|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]+\})"
)
_SIMPLE = {
    "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r",
    "t": "\t", "v": "\v", "\n": "", "\r": "",
}  # fmt: skip


def _unescape(value: str) -> str:
    """Resolve the escapes of a string literal as Python does; what is no escape stays."""
    return _ESCAPE.sub(_escaped, value)


def _escaped(match: re.Match[str]) -> str:
    body = match[0][1:]
    if (simple := _SIMPLE.get(body[0])) is not None:
        return simple
    if body[0] == "N":
        try:
            return unicodedata.lookup(body[2:-1])
        except KeyError:
            return match[0]
    number = int(body, 8) if body[0].isdigit() else int(body[1:], 16)
    is_character = number <= sys.maxunicode and not _is_surrogate(number)
    return chr(number) if is_character else "\N{REPLACEMENT CHARACTER}"


def _is_surrogate(number: int) -> bool:
    return 0xD800 <= number <= 0xDFFF


def _binary(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    operator = node.child_by_field_name("operator")
    left = reader.expr(node.child_by_field_name("left"), depth)
    right = reader.expr(node.child_by_field_name("right"), depth)
    symbol = operator.type if operator else ""
    return s.BinOp(node.start_byte, node.end_byte, left, symbol, right)


def _union_type(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    """``A | B`` where the grammar is sure that it is a type."""
    children = parts(node)
    if len(children) != 2:
        return s.Opaque(node.start_byte, node.end_byte)
    left, right = reader.exprs(children, depth)
    return s.BinOp(node.start_byte, node.end_byte, left, "|", right)


def _boolean(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    operator = node.child_by_field_name("operator")
    symbol = operator.type if operator else ""
    values: list[TSNode] = []
    left: TSNode | None = node
    while left is not None and left.type == "boolean_operator":
        inner = left.child_by_field_name("operator")
        if inner is None or inner.type != symbol:
            break
        right = left.child_by_field_name("right")
        if right is not None:
            values.append(right)
        left = left.child_by_field_name("left")
    if left is not None:
        values.append(left)
    lowered = reader.exprs(values[::-1], depth)
    return s.BoolOp(node.start_byte, node.end_byte, symbol, lowered)


def _unary(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    symbol = node.children[0].type if node.children else ""
    operand = node.child_by_field_name("argument")
    return s.UnaryOp(node.start_byte, node.end_byte, symbol, reader.expr(operand, depth))


def _compare(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    operands = reader.exprs(parts(node), depth)
    ops: list[str] = []
    pending = ""
    for child in node.children:
        if child.is_named:
            if pending:
                ops.append(pending)
            pending = ""
        else:
            pending = f"{pending} {child.type}".strip()
    if len(ops) != len(operands) - 1:
        return s.Opaque(node.start_byte, node.end_byte)
    return s.Compare(node.start_byte, node.end_byte, operands[0], ops, operands[1:])


def _aliased(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    """``value as name`` in a with-statement: the name is the statement's."""
    value = next(iter(parts(node)), None)
    return reader.expr(value, depth)


def _conditional(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    children = reader.exprs(parts(node), depth)
    if len(children) != 3:
        return s.Opaque(node.start_byte, node.end_byte)
    body, test, orelse = children
    return s.IfExp(node.start_byte, node.end_byte, test, body, orelse)


def _lambda(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    params = reader.parameters(node.child_by_field_name("parameters"), depth)
    body = reader.expr(node.child_by_field_name("body"), depth)
    return s.Lambda(node.start_byte, node.end_byte, params, body)


def _await(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    value = reader.expr(next(iter(parts(node)), None), depth)
    return s.Await(node.start_byte, node.end_byte, value)


def _yield(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    reader.yields = True
    is_from = any(child.type == "from" for child in node.children)
    value = reader.optional(next(iter(parts(node)), None), depth)
    return s.Yield(node.start_byte, node.end_byte, value, is_from)


def _starred(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    value = reader.expr(next(iter(parts(node)), None), depth)
    return s.Starred(node.start_byte, node.end_byte, value)


def _list(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    return s.List(node.start_byte, node.end_byte, reader.exprs(parts(node), depth))


def _tuple(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    return s.Tuple(node.start_byte, node.end_byte, reader.exprs(parts(node), depth))


def _set(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    return s.Set(node.start_byte, node.end_byte, reader.exprs(parts(node), depth))


def _dict(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    keys: list[s.Expr | None] = []
    values: list[s.Expr] = []
    for child in parts(node):
        if child.type == "pair":
            keys.append(reader.expr(child.child_by_field_name("key"), depth))
            values.append(reader.expr(child.child_by_field_name("value"), depth))
        elif child.type == "dictionary_splat":
            keys.append(None)
            values.append(reader.expr(next(iter(parts(child)), None), depth))
    return s.Dict(node.start_byte, node.end_byte, keys, values)


def _comprehension(kind: str) -> Lower:
    def lower(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
        key: s.Expr | None = None
        body = node.child_by_field_name("body")
        if body is not None and body.type == "pair":
            key = reader.expr(body.child_by_field_name("key"), depth)
            body = body.child_by_field_name("value")
        elt = reader.expr(body, depth)
        generators: list[s.Generator] = []
        for clause in parts(node):
            if clause.type == "for_in_clause":
                generators.append(_generator(reader, clause, depth))
            elif clause.type == "if_clause" and generators:
                generators[-1].ifs.append(reader.expr(next(iter(parts(clause)), None), depth))
        return s.Comp(node.start_byte, node.end_byte, kind, key, elt, generators)

    return lower


def _generator(reader: ExpressionReader, node: TSNode, depth: int) -> s.Generator:
    target = reader.expr(node.child_by_field_name("left"), depth)
    rights = reader.exprs(node.children_by_field_name("right"), depth)
    iterated = rights[0] if len(rights) == 1 else s.Tuple(node.start_byte, node.end_byte, rights)
    is_async = bool(node.children) and node.children[0].type == "async"
    return s.Generator(node.start_byte, node.end_byte, target, iterated, [], is_async)


def _named(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    target = reader.expr(node.child_by_field_name("name"), depth)
    value = reader.expr(node.child_by_field_name("value"), depth)
    return s.NamedExpr(node.start_byte, node.end_byte, target, value)


def _slice(reader: ExpressionReader, node: TSNode, depth: int) -> s.Expr:
    bounds: list[s.Expr | None] = [None, None, None]
    position = 0
    for child in node.children:
        if child.type == ":":
            position += 1
        elif child.is_named and child.type not in _SKIPPED and position < len(bounds):
            bounds[position] = reader.expr(child, depth)
    return s.Slice(node.start_byte, node.end_byte, *bounds)


_LOWER: dict[str, Lower] = {
    "identifier": _name,
    "attribute": _attribute,
    "member_type": _attribute,
    "call": _call,
    "subscript": _subscript,
    "generic_type": _generic_type,
    "parenthesized_expression": _inner,
    "type": _inner,
    "expression": _inner,
    "integer": _integer,
    "float": _float,
    "true": _constant("bool", value=True),
    "false": _constant("bool", value=False),
    "none": _constant("none", None),
    "ellipsis": _constant("ellipsis", None),
    "string": _string,
    "concatenated_string": _concatenated,
    "binary_operator": _binary,
    "union_type": _union_type,
    "boolean_operator": _boolean,
    "not_operator": _unary,
    "unary_operator": _unary,
    "comparison_operator": _compare,
    "as_pattern": _aliased,
    "conditional_expression": _conditional,
    "lambda": _lambda,
    "await": _await,
    "yield": _yield,
    "list_splat": _starred,
    "list_splat_pattern": _starred,
    "splat_type": _starred,
    "list": _list,
    "list_pattern": _list,
    "tuple": _tuple,
    "tuple_pattern": _tuple,
    "expression_list": _tuple,
    "pattern_list": _tuple,
    "set": _set,
    "dictionary": _dict,
    "list_comprehension": _comprehension("list"),
    "set_comprehension": _comprehension("set"),
    "dictionary_comprehension": _comprehension("dict"),
    "generator_expression": _comprehension("generator"),
    "named_expression": _named,
    "slice": _slice,
    # soft keywords of old Pythons, read as the names that they are now
    "print": _name,
    "exec": _name,
}
