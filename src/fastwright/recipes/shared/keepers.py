"""The modules in which applications keep what endpoints depend on."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename

from fastwright.app.model import App
from fastwright.read.module import Module

KEEPERS = ("dependencies.py", "deps.py")
"""Their names; a new one gets the first."""


def keepers(app: App, module: Module) -> Iterator[Module]:
    """Yield the modules of these names in the package of a module."""
    top = module.path.partition("/")[0]
    for each in app.sources:
        if basename(each.path) in KEEPERS and each.path.partition("/")[0] == top:
            yield each
