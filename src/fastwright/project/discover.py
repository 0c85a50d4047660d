"""Project: a checkout on disk, with its files, configuration and installed versions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fastwright.project.config import Config, read_config
from fastwright.project.errors import PathError
from fastwright.project.files import FileList, Problem, SourceFile, find_files
from fastwright.project.source_roots import ModuleIndex
from fastwright.project.versions import Versions, read_versions

_MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", ".git")


@dataclass(frozen=True, eq=False)
class Project:
    """A project to read.

    ``root`` is what paths are relative to and imports are resolved in; ``target`` is what the
    user asked about, relative to it ("" for all).
    """

    root: Path
    target: str
    config: Config

    @cached_property
    def listing(self) -> FileList:
        """Every Python file below the root, and what could not be read."""
        return find_files(self.root, self.config.exclude)

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """Every Python file below the root, sorted by path."""
        return self.listing.files

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Files and folders that could not be read."""
        return self.listing.problems

    @cached_property
    def versions(self) -> Versions:
        """Installed and declared versions of libraries."""
        return read_versions(self.root)

    @cached_property
    def index(self) -> ModuleIndex:
        """Which file a dotted name means."""
        return ModuleIndex(
            (file.path for file in self.files), self.versions.declared, self.config.source_roots
        )

    def is_target(self, path: str) -> bool:
        """Whether the user asked about the file at ``path``."""
        return not self.target or path == self.target or path.startswith(self.target + "/")


def open_project(path: Path) -> Project:
    """Return the project that ``path`` (a folder or a Python file) belongs to.

    A folder is its own root, so that paths are relative to what was asked for, unless it lies
    inside a package or a project (a folder above it has a ``pyproject.toml`` or the like): then
    that is the root, since the folder cannot be understood alone. Raises PathError.
    """
    try:
        absolute = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise PathError(f"{path}: no such file or folder", "Give the path of a project.") from error
    folder = absolute if absolute.is_dir() else absolute.parent
    root = _root_of(folder)
    if absolute == root:
        target = ""
    else:
        target = absolute.relative_to(root).as_posix()
    if absolute.is_file() and absolute.suffix != ".py":
        raise PathError(f"{path} is not a Python file", "Give a folder or a .py file.")
    return Project(root, target, read_config(root))


def _root_of(folder: Path) -> Path:
    if any((folder / marker).exists() for marker in _MARKERS):
        return folder
    for parent in folder.parents:
        if any((parent / marker).exists() for marker in _MARKERS):
            return parent if _is_part(folder, parent) else folder
    top = folder
    while (top / "__init__.py").exists() and top.parent != top:
        top = top.parent
    return top


def _is_part(folder: Path, project: Path) -> bool:
    """Whether a folder is part of the project above it: a package, or below its sources."""
    return folder != project and ((folder / "__init__.py").exists() or (project / ".git").exists()
                                  or (project / "pyproject.toml").exists())  # fmt: skip
