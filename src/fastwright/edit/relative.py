"""Relative imports: a file whose project imports its own modules relatively keeps to that.

Such a package may be installed, or copied into an image, under another name than the one that it has in the
checkout: an absolute import would not be found there, or run the module a second time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fastwright.app.model import App
from fastwright.project.files import kind_of
from fastwright.read.module import Module


def relative_packages(app: App, files: Iterable[str], own: Collection[str]) -> dict[str, str]:
    """Return the package of each file, new ones included, that imports its neighbours relatively.

    Those are files that do so and import none of them absolutely; a file without any such import is as the other
    files of its top-level package are, where those agree.
    """
    tops: dict[str, bool] = {}
    found: dict[str, str] = {}
    for file in files:
        name = app.index.name(file)
        package = name if file.endswith("/__init__.py") else name.rpartition(".")[0]
        top = name.partition(".")[0]
        if not package or top not in own:
            continue
        module = app.modules.get(file)
        ways = _ways(module, top) if module is not None else set()
        if not ways:
            if top not in tops:
                tops[top] = _agreed(app, top) == {"relative"}
            ways = {"relative"} if tops[top] else set()
        if ways == {"relative"}:
            found[file] = package
    return found


def _agreed(app: App, top: str) -> set[str]:
    """Return the ways in which the files of a package import each other, tests left out."""
    found: set[str] = set()
    for path, module in app.modules.items():
        if kind_of(path) != "test" and app.index.name(path).partition(".")[0] == top:
            found |= _ways(module, top)
    return found


def _ways(module: Module, top: str) -> set[str]:
    found = set()
    for fact in module.header.imports:
        if fact.level:
            found.add("relative")
        elif fact.module.partition(".")[0] == top:
            found.add("absolute")
    return found
