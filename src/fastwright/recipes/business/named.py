"""Where a file names something."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.read import syntax as s
from fastwright.read.module import Module


def named(module: Module, name: str) -> Iterator[s.Node]:
    """Yield each place where a file uses a name, or imports it under another one."""
    if name.encode() not in module.source:
        return
    for node in module.walk():
        if isinstance(node, (s.Name, s.Attribute)):
            if s.last_name(node) == name:
                yield node
        elif isinstance(node, s.ImportFrom):
            if any(each.name == name and each.asname not in {None, name} for each in node.names):
                yield node
