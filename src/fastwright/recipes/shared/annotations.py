"""What stands in annotations, and so only names a type."""

from __future__ import annotations

from fastwright.read import syntax as s
from fastwright.read.module import Module


def annotated(module: Module) -> set[int]:
    """Return the nodes (``id``) of a module's annotations, aliases of types included; not what is called in them."""
    found: list[s.Node] = []
    for node in module.walk():
        if isinstance(node, s.FunctionDef):
            found += [p.annotation for p in node.params if p.annotation is not None]
            found += [node.returns] if node.returns is not None else []
        elif isinstance(node, s.AnnAssign):
            found.append(node.annotation)
        elif isinstance(node, s.Subscript) and s.last_name(node.value) == "Annotated":
            inner = node.slice
            found += inner.elts[:1] if isinstance(inner, s.Tuple) else []
    outside = {
        id(inner) for node in s.walk(*found) if isinstance(node, s.Call) for inner in s.walk(node)
    }
    return {id(node) for node in s.walk(*found)} - outside
