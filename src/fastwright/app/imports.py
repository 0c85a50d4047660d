"""The import graph: which module of the project imports which, where and when."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fastwright.app.symbols import ModuleNames
from fastwright.read.module import Module


class ImportEdge(msgspec.Struct, frozen=True):
    """``importer`` imports ``imported`` (paths). ``when``: import, call or typing."""

    importer: str
    imported: str
    names: tuple[str, ...]
    when: str
    start: int
    """Byte offset of the import statement."""


def import_edges(module: Module, index: ModuleNames) -> list[ImportEdge]:
    """Return the imports of ``module`` that lead to files of the project, in source order."""
    edges: list[ImportEdge] = []
    for fact in module.header.imports:
        origin = module.absolute(fact.module, fact.level)
        if not fact.names:
            imported = index.resolve(origin, module.path)
            if imported is not None:
                edges.append(ImportEdge(module.path, imported, (), fact.when, fact.start))
            continue
        own: list[str] = []
        for name in fact.names:
            submodule = index.resolve(f"{origin}.{name}", module.path) if name != "*" else None
            if submodule is not None:
                edges.append(ImportEdge(module.path, submodule, (), fact.when, fact.start))
            else:
                own.append(name)
        package = index.resolve(origin, module.path)
        if package is not None and own:
            edges.append(ImportEdge(module.path, package, tuple(own), fact.when, fact.start))
    return edges


class ImportGraph(msgspec.Struct, frozen=True):
    """Edges by importing file."""

    edges: dict[str, list[ImportEdge]]

    def of(self, path: str) -> list[ImportEdge]:
        """Return what the file imports from the project."""
        return self.edges.get(path, [])

    def reached(self, paths: Iterable[str], *, running: bool = False) -> set[str]:
        """Return files and all that they import, one through another.

        ``running``: only by imports that run when the file does, not in functions or for types.
        """
        found: set[str] = set()
        waiting = list(paths)
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                edges = self.of(path)
                waiting += [e.imported for e in edges if not running or e.when == "import"]
        return found


def import_graph(modules: Iterable[Module], index: ModuleNames) -> ImportGraph:
    """Return the import graph over ``modules``."""
    return ImportGraph({module.path: import_edges(module, index) for module in modules})
