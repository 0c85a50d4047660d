"""Definitions that nothing refers to: for the rules about what is unused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s
from fastwright.read.module import Module

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z][A-Za-z]+")
_BYTES = re.compile(rb"[A-Za-z_][A-Za-z_0-9]{2,}")
_LOOKING_UP = re.compile(r"import|getattr|globals|locals|class", re.IGNORECASE)
_LONG = 2000
"""Texts from this length on are prose or templates: no annotation, no name of a class."""

Definition = TypeVar("Definition", Class, Function)


def unused(app: App, candidates: Iterable[Definition]) -> list[Definition]:
    """Return those definitions whose name stands nowhere but in themselves, tests included.

    An import counts, except in the ``__init__`` of a package, which only hands names on.
    """
    imported = _imported(app)
    left = [found for found in candidates if found.name not in imported]
    if not left:
        return []
    own: dict[str, list[Definition]] = {}
    for found in left:
        own.setdefault(found.name, []).append(found)
    for module in app.modules.values():
        for name, node in _mentioned(module, own):
            if not any(_is_inside(node, module, found) for found in own[name]):
                del own[name]
                if not own:
                    return []
    return [found for found in left if found.name in own]


def _imported(app: App) -> set[str]:
    return {
        name
        for module in app.modules.values()
        if not module.is_package
        for fact in module.header.imports
        for name in fact.names
    }


def _mentioned(module: Module, wanted: Collection[str]) -> Iterator[tuple[str, s.Node]]:
    """Yield the names, among those wanted by then, that a module mentions: as names or in texts."""
    for node in _nodes(module.facts.body, wanted):
        words: tuple[str, ...]
        if isinstance(node, s.Name):
            words = (node.id,)
        elif isinstance(node, s.Attribute):
            words = (node.attr,)
        elif isinstance(node, s.Constant) and isinstance(node.value, str):
            if len(node.value) > _LONG:
                continue
            words = tuple(_WORD.findall(node.value))
        elif isinstance(node, s.JoinedStr):
            words = tuple(name for name in wanted if _is_made(node, name))
        else:
            continue
        for word in words:
            if word in wanted:
                yield word, node


def _nodes(body: Iterable[s.Node], wanted: Collection[str]) -> Iterator[s.Node]:
    """Yield nodes; the bodies of functions only where one of the names, or a made one, may be."""
    for node in s.walk_scope(*body):
        yield node
        if isinstance(node, s.ClassDef):
            yield from s.walk(*node.bases, *node.keywords, *node.decorators)
            yield from _nodes(node.body, wanted)
        elif isinstance(node, s.Lambda):
            yield from s.walk(node.body)
        elif isinstance(node, s.FunctionDef):
            yield from s.walk(*node.params, *node.decorators)
            if node.returns is not None:
                yield from s.walk(node.returns)
            if _may_mention(node, wanted):
                yield from s.walk(*node.body)


def _may_mention(function: s.FunctionDef, wanted: Collection[str]) -> bool:
    """Whether the body, not yet decoded, holds one of the names, or looks something up by name."""
    if any(_LOOKING_UP.search(name) for name in function.called):
        return True
    return any(word.decode() in wanted for word in _BYTES.findall(function.raw_body))


def _is_made(text: s.JoinedStr, name: str) -> bool:
    """Whether a text may be made to be the name: ``f"{kind}Config"``."""
    if not text.values:
        return False
    first, last = s.string(text.values[0]), s.string(text.values[-1])
    return (last is not None and bool(_PART.fullmatch(last)) and name.endswith(last)) or (
        first is not None and bool(_PART.fullmatch(first)) and name.startswith(first)
    )


def _is_inside(node: s.Node, module: Module, found: Class | Function) -> bool:
    same = module.path == found.module.path
    return same and found.node.start <= node.start < found.node.end
