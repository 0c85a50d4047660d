"""Python's abstract grammar as plain data: what rules, linker and recipes look at.

The names and fields follow the standard library's ``ast``
(https://docs.python.org/3/library/ast.html#abstract-grammar), so whoever knows ``ast`` knows
these. Differences, each for a reason:

- every node has ``start`` and ``end``, byte offsets into the file (edits are byte ranges);
- nodes are frozen msgspec structs, so that a file's facts go to the cache and back quickly;
- ``If`` is flat (``branches`` and ``orelse``): a chain of a hundred ``elif`` stays shallow;
- the body of a function is decoded only when somebody asks for it (``FunctionDef.body``);
- code that cannot be read, or is nested too deeply to be useful, is ``Opaque``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TypeAlias, Union

import msgspec

Literal: TypeAlias = Union[str, int, float, bool, None]


class Node(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What every node has: the byte range of its source."""

    start: int
    end: int


# ------------------------------------------------------------------ expressions


class Name(Node, frozen=True, array_like=True, gc=False, tag=1):
    """A plain identifier."""

    id: str


class Attribute(Node, frozen=True, array_like=True, gc=False, tag=2):
    """``value.attr``."""

    value: Expr
    attr: str


class Keyword(Node, frozen=True, array_like=True, gc=False):
    """``arg=value`` in a call or class header; ``arg`` is None for ``**value``."""

    arg: str | None
    value: Expr


class Call(Node, frozen=True, array_like=True, gc=False, tag=3):
    """``func(args, keywords)``."""

    func: Expr
    args: list[Expr]
    keywords: list[Keyword]

    def keyword(self, name: str) -> Expr | None:
        """Return the value given for the keyword ``name``, or None."""
        for keyword in self.keywords:
            if keyword.arg == name:
                return keyword.value
        return None

    def argument(self, position: int, name: str) -> Expr | None:
        """Return what is given at ``position`` or as keyword ``name``, or None."""
        if position < len(self.args):
            head = self.args[: position + 1]
            if not any(isinstance(arg, Starred) for arg in head):
                return head[-1]
        return self.keyword(name)


class Subscript(Node, frozen=True, array_like=True, gc=False, tag=4):
    """``value[slice]``; several indices are one ``Tuple``, as in ``ast``."""

    value: Expr
    slice: Expr


class Constant(Node, frozen=True, array_like=True, gc=False, tag=5):
    """A literal. ``kind``: str, bytes, int, float, complex, bool, none or ellipsis.

    ``value`` is None where the kind has no plain value (bytes are given as text).
    """

    kind: str
    value: Literal


class JoinedStr(Node, frozen=True, array_like=True, gc=False, tag=6):
    """An f-string, or adjacent literals of which one is: constants and interpolated values."""

    values: list[Expr]


class BinOp(Node, frozen=True, array_like=True, gc=False, tag=7):
    """``left op right``; ``op`` as it is written."""

    left: Expr
    op: str
    right: Expr


class UnaryOp(Node, frozen=True, array_like=True, gc=False, tag=8):
    """``op operand``; ``op`` is ``-``, ``+``, ``~`` or ``not``."""

    op: str
    operand: Expr


class BoolOp(Node, frozen=True, array_like=True, gc=False, tag=9):
    """``values`` joined by ``op``, which is ``and`` or ``or``."""

    op: str
    values: list[Expr]


class Compare(Node, frozen=True, array_like=True, gc=False, tag=10):
    """``left ops[0] comparators[0] ...``; ``ops`` as written (``==``, ``not in``, ``is not``)."""

    left: Expr
    ops: list[str]
    comparators: list[Expr]


class IfExp(Node, frozen=True, array_like=True, gc=False, tag=11):
    """``body if test else orelse``."""

    test: Expr
    body: Expr
    orelse: Expr


class Lambda(Node, frozen=True, array_like=True, gc=False, tag=12):
    """``lambda params: body``."""

    params: list[Parameter]
    body: Expr


class Await(Node, frozen=True, array_like=True, gc=False, tag=13):
    """``await value``."""

    value: Expr


class Yield(Node, frozen=True, array_like=True, gc=False, tag=14):
    """``yield value`` or ``yield from value`` (``is_from``)."""

    value: Expr | None
    is_from: bool


class Starred(Node, frozen=True, array_like=True, gc=False, tag=15):
    """``*value``."""

    value: Expr


class List(Node, frozen=True, array_like=True, gc=False, tag=16):
    """``[elts]``."""

    elts: list[Expr]


class Tuple(Node, frozen=True, array_like=True, gc=False, tag=17):
    """``(elts)``, with or without parentheses."""

    elts: list[Expr]


class Set(Node, frozen=True, array_like=True, gc=False, tag=18):
    """``{elts}``."""

    elts: list[Expr]


class Dict(Node, frozen=True, array_like=True, gc=False, tag=19):
    """``{keys: values}``; the key of ``**value`` is None."""

    keys: list[Expr | None]
    values: list[Expr]


class Generator(Node, frozen=True, array_like=True, gc=False):
    """One ``for target in iter if ifs`` of a comprehension."""

    target: Expr
    iter: Expr
    ifs: list[Expr]
    is_async: bool


class Comp(Node, frozen=True, array_like=True, gc=False, tag=20):
    """A comprehension. ``kind``: list, set, dict or generator; ``key`` only for dict."""

    kind: str
    key: Expr | None
    elt: Expr
    generators: list[Generator]


class NamedExpr(Node, frozen=True, array_like=True, gc=False, tag=21):
    """``target := value``."""

    target: Expr
    value: Expr


class Slice(Node, frozen=True, array_like=True, gc=False, tag=22):
    """``lower:upper:step``."""

    lower: Expr | None
    upper: Expr | None
    step: Expr | None


class Opaque(Node, frozen=True, array_like=True, gc=False, tag=23):
    """Code that was not understood; nothing may be concluded from it."""


Expr: TypeAlias = Union[
    Name, Attribute, Call, Subscript, Constant, JoinedStr, BinOp, UnaryOp, BoolOp, Compare, IfExp,
    Lambda, Await, Yield, Starred, List, Tuple, Set, Dict, Comp, NamedExpr, Slice, Opaque,
]  # fmt: skip


# ------------------------------------------------------------------- statements


class Parameter(Node, frozen=True, array_like=True, gc=False):
    """One parameter. ``kind``: positional (before ``/``), plain, keyword, args or kwargs."""

    name: str
    annotation: Expr | None
    default: Expr | None
    kind: str


class FunctionDef(Node, frozen=True, array_like=True, gc=True, dict=True, tag=50):
    """``def`` or ``async def``. ``start`` is that of the ``def`` (decorators stand before it)."""

    name: str
    name_start: int
    type_params: list[str]
    params: list[Parameter]
    returns: Expr | None
    decorators: list[Expr]
    is_async: bool
    is_generator: bool
    doc: str | None
    called: list[str]
    """Last component of every name that is called or used as a decorator inside, sorted."""
    defines: bool
    """Whether functions or classes are defined inside."""
    raw_body: msgspec.Raw

    @cached_property
    def body(self) -> list[Stmt]:
        """The statements of the body."""
        return _BODY.decode(self.raw_body)


class ClassDef(Node, frozen=True, array_like=True, gc=False, tag=51):
    """``class``. ``start`` is that of the ``class`` keyword."""

    name: str
    name_start: int
    type_params: list[str]
    bases: list[Expr]
    keywords: list[Keyword]
    decorators: list[Expr]
    doc: str | None
    body: list[Stmt]


class Return(Node, frozen=True, array_like=True, gc=False, tag=52):
    """``return value``."""

    value: Expr | None


class Assign(Node, frozen=True, array_like=True, gc=False, tag=53):
    """``targets[0] = targets[1] = value``."""

    targets: list[Expr]
    value: Expr


class AnnAssign(Node, frozen=True, array_like=True, gc=False, tag=54):
    """``target: annotation = value``."""

    target: Expr
    annotation: Expr
    value: Expr | None


class AugAssign(Node, frozen=True, array_like=True, gc=False, tag=55):
    """``target op value``; ``op`` as written (``+=``)."""

    target: Expr
    op: str
    value: Expr


class For(Node, frozen=True, array_like=True, gc=False, tag=56):
    """``for target in iter``."""

    target: Expr
    iter: Expr
    body: list[Stmt]
    orelse: list[Stmt]
    is_async: bool


class While(Node, frozen=True, array_like=True, gc=False, tag=57):
    """``while test``."""

    test: Expr
    body: list[Stmt]
    orelse: list[Stmt]


class Branch(Node, frozen=True, array_like=True, gc=False):
    """One ``if`` or ``elif`` with its body."""

    test: Expr
    body: list[Stmt]


class If(Node, frozen=True, array_like=True, gc=False, tag=58):
    """``if``/``elif``/``else``."""

    branches: list[Branch]
    orelse: list[Stmt]


class WithItem(Node, frozen=True, array_like=True, gc=False):
    """``context_expr as optional_vars``."""

    context_expr: Expr
    optional_vars: Expr | None


class With(Node, frozen=True, array_like=True, gc=False, tag=59):
    """``with items``."""

    items: list[WithItem]
    body: list[Stmt]
    is_async: bool


class Raise(Node, frozen=True, array_like=True, gc=False, tag=60):
    """``raise exc from cause``."""

    exc: Expr | None
    cause: Expr | None


class ExceptHandler(Node, frozen=True, array_like=True, gc=False):
    """``except type as name``; ``type`` is None for a bare except."""

    type: Expr | None
    name: str | None
    body: list[Stmt]


class Try(Node, frozen=True, array_like=True, gc=False, tag=61):
    """``try`` with its handlers (``except*`` too)."""

    body: list[Stmt]
    handlers: list[ExceptHandler]
    orelse: list[Stmt]
    finalbody: list[Stmt]


class ExprStmt(Node, frozen=True, array_like=True, gc=False, tag=62):
    """An expression as a statement (``ast.Expr``)."""

    value: Expr


class Alias(Node, frozen=True, array_like=True, gc=False):
    """``name as asname``."""

    name: str
    asname: str | None


class Import(Node, frozen=True, array_like=True, gc=False, tag=63):
    """``import names``."""

    names: list[Alias]


class ImportFrom(Node, frozen=True, array_like=True, gc=False, tag=64):
    """``from module import names``; ``level`` counts the leading dots; ``*`` is a name."""

    module: str
    names: list[Alias]
    level: int


class MatchCase(Node, frozen=True, array_like=True, gc=False):
    """One ``case``: the names that its pattern binds, its guard and body."""

    names: list[str]
    guard: Expr | None
    body: list[Stmt]


class Match(Node, frozen=True, array_like=True, gc=False, tag=65):
    """``match subject``."""

    subject: Expr
    cases: list[MatchCase]


class Delete(Node, frozen=True, array_like=True, gc=False, tag=66):
    """``del targets``."""

    targets: list[Expr]


class Assert(Node, frozen=True, array_like=True, gc=False, tag=67):
    """``assert test, msg``."""

    test: Expr
    msg: Expr | None


class Flow(Node, frozen=True, array_like=True, gc=False, tag=68):
    """``pass``, ``break``, ``continue``, ``global`` or ``nonlocal`` (``names`` for the last two)."""

    keyword: str
    names: list[str]


class TypeAliasStmt(Node, frozen=True, array_like=True, gc=False, tag=69):
    """``type name = value``."""

    name: str
    value: Expr


class OpaqueStmt(Node, frozen=True, array_like=True, gc=False, tag=70):
    """A statement that was not understood."""


Stmt: TypeAlias = Union[
    FunctionDef, ClassDef, Return, Assign, AnnAssign, AugAssign, For, While, If, With, Raise, Try,
    ExprStmt, Import, ImportFrom, Match, Delete, Assert, Flow, TypeAliasStmt, OpaqueStmt,
]  # fmt: skip

_BODY = msgspec.msgpack.Decoder(list[Stmt])


# ---------------------------------------------------------------------- walking

_LEAVES = (Name, Constant, Opaque, OpaqueStmt, Flow)
_INNER = (*_LEAVES, FunctionDef, ClassDef, Lambda)
_PLAIN = {"int", "str", "str | None", "bool", "Literal", "list[str]"}

Fields: TypeAlias = dict[type, tuple[str, ...]]


def _fields_with_nodes() -> Fields:
    """Return, for each node class, the fields that hold nodes; found once from the annotations."""
    found: Fields = {}
    for cls in Node.__subclasses__():
        hints = {
            name: text
            for base in cls.__mro__
            for name, text in getattr(base, "__annotations__", {}).items()
        }
        names = [name for name in cls.__struct_fields__ if hints[name] not in _PLAIN]
        found[cls] = tuple("body" if name == "raw_body" else name for name in names)
    return found


_FIELDS = _fields_with_nodes()
_LAST_FIRST: Fields = {cls: names[::-1] for cls, names in _FIELDS.items()}
_EVERYTHING: Fields = _LAST_FIRST | dict.fromkeys(_LEAVES, ())
_SCOPE: Fields = _LAST_FIRST | dict.fromkeys(_INNER, ())
_BLOCK_NAMES = frozenset({"body", "orelse", "finalbody", "handlers", "cases", "branches"})
_BLOCKS: Fields = {
    cls: tuple(name for name in names if name in _BLOCK_NAMES) for cls, names in _LAST_FIRST.items()
} | {FunctionDef: (), ClassDef: ()}
"""Where statements are inside of statements."""


def children(node: Node) -> list[Node]:
    """Return the nodes directly below ``node``, in the order of its fields."""
    found: list[Node] = []
    for field in _FIELDS[type(node)]:
        value = getattr(node, field)
        if value is None:
            continue
        if type(value) is list:
            found.extend(value)
        else:
            found.append(value)
    if type(node) is Dict:  # the key of ``**value`` is None
        return [child for child in found if child is not None]
    return found


def walk(*roots: Node) -> Iterator[Node]:
    """Yield the given nodes and everything below them, nested functions and classes included."""
    return _walk(roots, _EVERYTHING)


def walk_scope(*roots: Node) -> Iterator[Node]:
    """Like ``walk``, but stay in the scope: nested functions, classes and lambdas are yielded, not entered."""
    return _walk(roots, _SCOPE)


def _walk(roots: Iterable[Node], fields: Fields) -> Iterator[Node]:
    """Yield nodes and what the fields of their class hold, in source order."""
    stack = list(roots)[::-1]
    pop, push, extend = stack.pop, stack.append, stack.extend
    while stack:
        node = pop()
        yield node
        for field in fields[type(node)]:
            value = getattr(node, field)
            if value is None:
                continue
            if type(value) is not list:
                push(value)
            elif type(node) is Dict:  # the key of ``**value`` is None
                extend([child for child in reversed(value) if child is not None])
            else:
                extend(value[::-1])


def statements(body: Iterable[Node]) -> Iterator[Node]:
    """Yield the statements of a scope in source order, those in blocks as well, and no expressions.

    Functions and classes are yielded, not entered. Handlers, cases and branches come with them.
    """
    stack = list(body)[::-1]
    while stack:
        node = stack.pop()
        yield node
        for field in _BLOCKS[type(node)]:
            stack.extend(getattr(node, field)[::-1])


def definitions(body: Iterable[Node]) -> Iterator[FunctionDef | ClassDef]:
    """Yield the functions and classes of a scope; none is entered."""
    for node in statements(body):
        if isinstance(node, (FunctionDef, ClassDef)):
            yield node


def inner_definitions(node: FunctionDef | ClassDef) -> Iterator[FunctionDef | ClassDef]:
    """Yield the functions and classes directly inside of one; most functions have none."""
    if isinstance(node, ClassDef) or node.defines:
        yield from definitions(node.body)


def dotted(node: Node | None) -> str | None:
    """Return ``a.b.c`` for a chain of names and attributes, None for anything else."""
    parts: list[str] = []
    while isinstance(node, Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, Name):
        return None
    parts.append(node.id)
    return ".".join(reversed(parts))


def last_name(node: Node | None) -> str | None:
    """Return the last component of a name, attribute or call (``c`` for ``a.b.c`` and ``a.b.c()``)."""
    if isinstance(node, Call):
        node = node.func
    if isinstance(node, Attribute):
        return node.attr
    return node.id if isinstance(node, Name) else None


def string(node: Node | None) -> str | None:
    """Return the value of a string literal, None for anything else."""
    if isinstance(node, Constant) and node.kind == "str" and isinstance(node.value, str):
        return node.value
    return None
