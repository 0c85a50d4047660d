"""Dependencies: the module that keeps them, and what is written there."""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import dirname, join
from typing import NamedTuple

from fastwright.app.model import App
from fastwright.app.setup.result import Application
from fastwright.edit import source as at
from fastwright.edit.builders import first_byte
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import is_taken
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Kept
from fastwright.recipes.shared.handed import Spelled, Takers, spelled, written_in
from fastwright.recipes.shared.keepers import KEEPERS, keepers


class Keeper(NamedTuple):
    """The module that is to keep a dependency."""

    path: str
    name: str
    """As it is imported."""
    module: Module | None
    """None for one that is new."""
    before: s.Node | None
    """The first function there that needs it."""


class Written(NamedTuple):
    """What brings a dependency into its module: edits, imports and, where it is new, the module."""

    edits: list[Edit]
    imports: list[Import]
    new: dict[str, str]


def keeper_of(app: App, application: Application, takers: Takers) -> Keeper:
    """Return the module of a package for its dependencies: one of that name, the only user, or a new one."""
    needing = [each for key, each in takers.functions.items() if key in takers.roots]
    modules = {each.module.path: each.module for each in needing}
    found = next(keepers(app, application.module), None)
    if found is None and list(modules) == [application.module.path]:
        found = application.module
    if found is None:
        path = join(dirname(application.module.path), KEEPERS[0])
        return Keeper(path, app.index.name(path), None, None)
    inside = [each.node for each in needing if each.module is found]
    first = min(inside, key=lambda node: node.start, default=None)
    return Keeper(found.path, found.name, found, first)


def provided(
    app: App,
    keeper: Keeper,
    made: Iterable[str],
    wanted: dict[str, tuple[str, str | None] | Spelled],
    template: str,
) -> Written:
    """Return what writes a dependency. Raises Kept.

    ``made``: the names that it defines; ``wanted``: what its code is made of, by the words of ``template``.
    """
    module, path = keeper.module, keeper.path
    for name in made:
        if module is not None and is_taken(module, name):
            raise Kept(module, module.facts.body[0], f"{name} means something else here")
    imports: list[Import] = []
    words = {}
    for word, what in wanted.items():
        if isinstance(what, Spelled):
            words[word], needed = spelled(app, what, module, path)
        else:
            words[word], needed = written_in(module, path, *what)
        imports += needed
    code = template.format(**words)
    if module is None:
        return Written([], imports, {path: f'"""What endpoints depend on."""\n\n\n{code}'})
    source, end = module.source, at.newline(module.source)
    code = code.replace("\n", end)
    if keeper.before is not None:
        start = at.line_start(source, first_byte(keeper.before))
        while start > 0 and source[at.line_start(source, start - 1) : start].startswith(b"#"):
            start = at.line_start(source, start - 1)
        return Written([Edit(path, start, start, f"{code}{end}{end}")], imports, {})
    stop = len(source)
    before = "" if source.endswith(b"\n") or not source else end
    return Written([Edit(path, stop, stop, f"{before}{end}{end}{code}")], imports, {})


def refuse_cycles(app: App, imports: Iterable[Import], keeper: Keeper) -> None:
    """Raise Kept where modules would import each other."""
    ways: dict[str, set[str]] = {
        path: {edge.imported for edge in app.imports.of(path) if edge.when == "import"}
        for path in app.modules
    }
    added = []
    for needed in imports:
        found = keeper.path if needed.module == keeper.name else None
        found = found or app.index.resolve(needed.module, needed.file)
        if found is not None and found not in ways.setdefault(needed.file, set()):
            added.append((needed.file, found))
    for importer, imported in added:
        ways[importer].add(imported)
    for importer, imported in added:
        if _reaches(ways, imported, importer):
            module = app.modules.get(importer) or app.modules[imported]
            raise Kept(module, module.facts.body[0], f"it and {imported} would import each other")


def _reaches(ways: dict[str, set[str]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path == goal:
            return True
        if path not in seen:
            seen.add(path)
            waiting += ways.get(path, ())
    return False
