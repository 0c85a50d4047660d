"""Tree: a project as it is on the disk, or as it would be with changes that are not written yet."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import msgspec

from fastwright.app.load import Reads
from fastwright.app.model import App
from fastwright.edit.encoding import as_written
from fastwright.edit.transaction import Change
from fastwright.project.discover import Project, open_project
from fastwright.project.errors import FastwrightError
from fastwright.project.files import SourceFile, kind_of
from fastwright.read.reader import Unreadable, to_utf8
from fastwright.review.run import Found, Options, cache_folder, find, load_project, sources_of
from fastwright.rules.architecture import import_cycle
from fastwright.steps.step import Done, Left
from fastwright.steps.style import in_style
from fastwright.verify.model import Contract, contract

MOST_OBJECTS = 2_000_000
"""Objects that come to be, in some hundred megabytes, before those that are gone are let go."""


class Tree:
    """The files of a project, its application and what the rules say of it."""

    def __init__(
        self,
        project: Project,
        given: Mapping[str, bytes],
        options: Options,
        gone: frozenset[str] = frozenset(),
        reads: Reads | None = None,
    ) -> None:
        self.project = project
        self.given = dict(given)
        """What takes the place of what is on the disk, by path."""
        self._options = options
        self._gone = gone
        self._reads = {} if reads is None else reads

    @classmethod
    def open(cls, path: Path, options: Options) -> Tree:
        """Return the project at a path, as it is on the disk."""
        return cls(open_project(path), {}, options)

    @property
    def cache(self) -> Path:
        """The folder of the project's cache."""
        return cache_folder(self.project)

    @cached_property
    def app(self) -> App:
        """The linked application.

        Nothing collects on its own in a run, and an application holds itself: those of earlier steps go here.
        """
        if gc.get_count()[0] > MOST_OBJECTS:
            gc.collect()
        return load_project(self.project, self._options, self.given, reads=self._reads).app

    @cached_property
    def contract(self) -> Contract:
        """What a client sees of the application."""
        return contract(self.app)

    @cached_property
    def broken(self) -> frozenset[str]:
        """Files with code that is no Python."""
        return frozenset(path for path, module in self.app.modules.items() if module.header.broken)

    @cached_property
    def cycles(self) -> frozenset[str]:
        """The groups of modules that import each other, in words."""
        return frozenset(hit.message for hit in import_cycle.check(self.app))

    @cached_property
    def packages(self) -> frozenset[str]:
        """The names of the project's own top-level packages and modules."""
        names = (self.project.index.name(file.path) for file in self.project.files)
        return frozenset(name.partition(".")[0] for name in names)

    def find(self, select: tuple[str, ...] | None, ignore: tuple[str, ...] = ()) -> Found:
        """Return what some rules say."""
        sources = sources_of(self.project, self.given)
        options = self._options.choosing(select, ignore)
        return find(self.project, options, sources, self.given, reads=self._reads)

    def raw(self, file: str) -> bytes | None:
        """Return a file's bytes, None where there is no such file."""
        if file in self._gone:
            return None
        if file in self.given:
            return self.given[file]
        path = self.project.root / file
        return path.read_bytes() if path.is_file() else None

    def text(self, file: str) -> bytes:
        """Return a file as UTF-8, as edits count in it.

        Raises FastwrightError for a file that cannot be brought back to the bytes that it had.
        """
        raw = self.raw(file) or b""
        source = to_utf8(raw)
        if isinstance(source, Unreadable):
            raise FastwrightError(f"{file}: {source.reason}")
        if as_written(source, raw) != raw:
            raise FastwrightError(
                f"{file}: holds bytes that are not of its encoding", "Save it as UTF-8 first."
            )
        return source

    def changes(self, sources: Mapping[str, bytes]) -> tuple[Change, ...]:
        """Return the changes that bring files to new sources (UTF-8), in their own style and encoding."""
        found = []
        for file, source in sorted(sources.items()):
            before = self.raw(file)
            old = None if before is None else self.text(file)
            styled = source if source == old else in_style(self.project.root, file, old, source)
            found.append(Change(file, before, as_written(styled, before or b"")))
        return tuple(change for change in found if change.before != change.after)

    def after(self, changes: Iterable[Change]) -> Tree:
        """Return the tree with changes made."""
        made = list(changes)
        gone = {change.path for change in made if change.after is None}
        contents = {change.path: change.after for change in made if change.after is not None}
        given = {path: content for path, content in self.given.items() if path not in gone}
        project = self.project
        if gone or any(change.before is None for change in made):
            project = with_files(project, contents, gone)
        left = (self._gone | gone) - set(contents)
        return Tree(project, {**given, **contents}, self._options, left, self._reads)


Steps: TypeAlias = "Generator[tuple[Tree, Done] | Left, bool | None, Tree]"
"""Yields each step, with the tree after it, and what is left alone; takes False for a step that was
taken back, and returns the last tree."""


def with_files(project: Project, contents: Mapping[str, bytes], gone: set[str]) -> Project:
    """Return a project with other files: some new, some not there any more."""
    files = {file.path: file for file in project.files if file.path not in gone}
    for path, content in contents.items():
        if path.endswith(".py") and path not in files:
            files[path] = SourceFile(path, kind_of(path), len(content), 0, 0, 0)
    listing = msgspec.structs.replace(
        project.listing, files=tuple(file for _, file in sorted(files.items()))
    )
    found = Project(project.root, project.target, project.config, project.within)
    found.__dict__["listing"] = listing  # what is asked of the disk otherwise
    return found
