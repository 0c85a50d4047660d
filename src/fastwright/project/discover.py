"""Project: a checkout on disk, with its files, configuration and installed versions."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import msgspec

from fastwright.project.config import Config, read_config
from fastwright.project.errors import PathError
from fastwright.project.files import FileList, Problem, SourceFile, find_files, is_ignored
from fastwright.project.source_roots import ModuleIndex
from fastwright.project.versions import Versions, read_versions

_MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")


class Project(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A project to read.

    ``root`` is what paths are relative to and imports are resolved in; ``target`` is what the
    user asked about, relative to it ("" for all).
    """

    root: Path
    target: str
    config: Config
    within: str = ""
    """The folder of the root that is read; all of it unless a package stands alone."""

    @cached_property
    def listing(self) -> FileList:
        """Every Python file of the project, and what could not be read."""
        return find_files(self.root, self.config.exclude, self.within)

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
            (file.path for file in self.files),
            self.versions.declared,
            self.config.source_roots,
            links=self.listing.links,
            project_folders=self.listing.project_folders,
        )

    def is_target(self, path: str) -> bool:
        """Whether the user asked about the file at ``path``."""
        return not self.target or path == self.target or path.startswith(self.target + "/")


def open_project(path: Path) -> Project:
    """Return the project that ``path`` (a folder or a Python file) belongs to.

    The root is the nearest folder, from the given one upwards, that has a project file (and does
    not ignore the given one); without any, the given folder itself, or for a package the folder
    that holds it (of which only the package is read). An unpacked wheel stands for itself,
    whatever lies above it. Raises PathError, and ConfigError for a configuration that is wrong.
    """
    try:
        absolute = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise PathError(f"{path}: no such file or folder", "Give the path of a project.") from error
    folder = absolute if absolute.is_dir() else absolute.parent
    root, within = _root_of(folder)
    target = "" if absolute == root else absolute.relative_to(root).as_posix()
    if absolute.is_file() and absolute.suffix != ".py":
        raise PathError(f"{path} is not a Python file", "Give a folder or a .py file.")
    return Project(root, target, read_config(root), within)


def _root_of(folder: Path) -> tuple[Path, str]:
    """Return the root that a folder belongs to, and which folder of it is to be read."""
    if any(folder.glob("*.dist-info/METADATA")):
        return folder, ""
    for above in (folder, *folder.parents):
        if any((above / marker).exists() for marker in _MARKERS):
            if above == folder or not is_ignored(folder, above):
                return above, ""
            break
        if (above / ".git").exists():
            if (folder / "__init__.py").exists() and not is_ignored(folder, above):
                return above, ""
            break
    top = folder
    while (top.parent / "__init__.py").exists():
        top = top.parent
    if (top / "__init__.py").exists():
        return top.parent, top.name
    return folder, ""
