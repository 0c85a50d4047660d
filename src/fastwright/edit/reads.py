"""What a statement at the top of a file reads from the file, and what it binds there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fastwright.read import syntax as s

_WORD = re.compile(r"[A-Za-z_]\w*")


class Read(NamedTuple):
    """A name that a statement reads from its file; ``in_text``: only in an annotation in quotes."""

    name: str
    node: s.Node
    in_text: bool = False


def binds(statement: s.Stmt) -> frozenset[str]:
    """Return the names that a statement binds where it stands, those of its blocks included."""
    return frozenset(name for node in s.walk_scope(statement) for name in _bound_by(node))


def rebinds(statement: s.Stmt) -> frozenset[str]:
    """Return the names of the file that functions of a statement bind anew (``global x``)."""
    return frozenset(
        name
        for node in s.walk(statement)
        if isinstance(node, s.Flow) and node.keyword == "global"
        for name in node.names
    )


def reads(statement: s.Stmt) -> list[Read]:
    """Return what a statement reads from its file, each name once, the first place of each."""
    found: dict[str, Read] = {}
    for read in _reads([statement], frozenset()):
        before = found.get(read.name)
        if before is None or (before.in_text and not read.in_text):
            found[read.name] = read
    return list(found.values())


def _reads(nodes: Iterable[s.Node], own: frozenset[str]) -> Iterator[Read]:
    """Yield what nodes of one scope read that the functions around them do not bind (``own``)."""
    everything = list(s.walk_scope(*nodes))
    written = {id(name) for node in everything for name in _written(node)}
    for node in everything:
        if isinstance(node, s.Name):
            if node.id not in own and id(node) not in written:
                yield Read(node.id, node)
        elif isinstance(node, s.FunctionDef):
            yield from _of_function(node, own)
        elif isinstance(node, s.ClassDef):
            yield from _reads([*node.bases, *node.keywords, *node.decorators, *node.body], own)
        elif isinstance(node, s.Lambda):
            inner = own | {parameter.name for parameter in node.params}
            yield from _reads([*_defaults(node.params)], own)
            yield from _reads([node.body], inner)
        elif isinstance(node, s.AnnAssign):
            yield from _quoted(node.annotation, own)


def _written(node: s.Node) -> Iterator[s.Name]:
    """Yield the names that a node binds, as they stand there."""
    targets: list[s.Expr] = []
    if isinstance(node, s.Assign):
        targets = node.targets
    elif isinstance(node, (s.AnnAssign, s.For, s.NamedExpr, s.Generator)):
        targets = [node.target]
    elif isinstance(node, s.WithItem) and node.optional_vars is not None:
        targets = [node.optional_vars]
    for target in targets:
        for part in s.walk(target):
            if isinstance(part, s.Name) and part.id in _targets(target):
                yield part


def _of_function(node: s.FunctionDef, own: frozenset[str]) -> Iterator[Read]:
    annotations = [each.annotation for each in node.params if each.annotation is not None]
    annotations += [node.returns] if node.returns is not None else []
    yield from _reads([*node.decorators, *_defaults(node.params), *annotations], own)
    for annotation in annotations:
        yield from _quoted(annotation, own)
    bound = {parameter.name for parameter in node.params}
    for inner in s.walk_scope(*node.body):
        bound |= _bound_by(inner)
        if isinstance(inner, s.Comp):
            for generator in inner.generators:
                bound |= _targets(generator.target)
    yield from _reads(node.body, own | (bound - _globals(node)))


def _globals(node: s.FunctionDef) -> set[str]:
    return {
        name
        for inner in s.walk_scope(*node.body)
        if isinstance(inner, s.Flow) and inner.keyword == "global"
        for name in inner.names
    }


def _defaults(params: Iterable[s.Parameter]) -> Iterator[s.Expr]:
    return (each.default for each in params if each.default is not None)


def _quoted(annotation: s.Expr, own: frozenset[str]) -> Iterator[Read]:
    """Yield the names in the texts of an annotation: ``list["Order"]``, not ``Literal["a"]``."""
    for node in s.walk(annotation):
        if isinstance(node, s.Subscript) and s.last_name(node.value) == "Literal":
            return
        if isinstance(node, s.Constant) and isinstance(node.value, str) and node.kind == "str":
            for name in _WORD.findall(node.value):
                if name not in own:
                    yield Read(name, node, in_text=True)


def _bound_by(node: s.Node) -> set[str]:
    if isinstance(node, s.Assign):
        return {name for target in node.targets for name in _targets(target)}
    if isinstance(node, (s.AnnAssign, s.AugAssign, s.For, s.NamedExpr)):
        return _targets(node.target)
    if isinstance(node, s.With):
        variables = [item.optional_vars for item in node.items if item.optional_vars is not None]
        return {name for variable in variables for name in _targets(variable)}
    if isinstance(node, (s.FunctionDef, s.ClassDef, s.TypeAliasStmt)):
        return {node.name}
    if isinstance(node, s.ExceptHandler):
        return {node.name} if node.name else set()
    if isinstance(node, (s.Import, s.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, s.MatchCase):
        return set(node.names)
    return set()


def _targets(node: s.Expr) -> set[str]:
    """Return the names that a target binds: not those of ``a.b = `` and ``a[b] = ``."""
    if isinstance(node, s.Name):
        return {node.id}
    if isinstance(node, (s.Tuple, s.List)):
        return {name for element in node.elts for name in _targets(element)}
    return _targets(node.value) if isinstance(node, s.Starred) else set()
