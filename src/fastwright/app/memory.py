"""Packages in memory: an App from a dictionary of sources, without a disk. For tests and plug-ins."""

from __future__ import annotations

from collections.abc import Mapping

from fastwright.app.model import App
from fastwright.project.files import kind_of
from fastwright.project.source_roots import ModuleIndex
from fastwright.project.versions import Versions
from fastwright.read.module import Module
from fastwright.read.reader import read


def module_from(source: str, path: str = "main.py", name: str = "main") -> Module:
    """Return one module from its source."""
    data = source.encode()
    header, facts = read(data)
    return Module(path, name, kind_of(path), header, lambda: facts, lambda: data)


def app_from(files: Mapping[str, str], installed: Mapping[str, str] | None = None) -> App:
    """Return the App of a project whose files are given as path -> source.

    ``installed`` gives versions of libraries ({"pydantic": "1.10.2"}); others are unknown.
    """
    index = ModuleIndex.of_paths(sorted(files))
    modules = {
        path: module_from(source, path, index.name(path))
        for path, source in sorted(files.items())
        if path.endswith(".py")
    }
    return App(modules, index, Versions.of(installed or {}))
