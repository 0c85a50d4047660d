"""Find the Python files of a project: fast, honouring .gitignore, following no loops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["source", "test", "migration", "vendored"]

_SKIPPED = frozenset(
    {"__pycache__", "node_modules", "site-packages", "__pypackages__", "dist-info", "htmlcov"}
)
_VENDORED = frozenset({"vendor", "_vendor", "vendored", "third_party", "_vendored"})
_TESTS = frozenset({"test", "tests", "testing"})


class SourceFile(msgspec.Struct, frozen=True, array_like=True):
    """A Python file. ``path`` is relative to the root; the rest tells whether it changed."""

    path: str
    kind: Kind
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Problem(msgspec.Struct, frozen=True, order=True):
    """A file or folder that could not be read, and why."""

    path: str
    reason: str


class FileList(msgspec.Struct, frozen=True):
    """The files of a project, sorted by path, and what could not be read."""

    files: tuple[SourceFile, ...]
    problems: tuple[Problem, ...]


def find_files(root: Path, exclude: tuple[str, ...] = (), within: str = "") -> FileList:
    """Return the Python files below ``root``, or below its folder ``within`` only.

    Left out: what .gitignore files (of the root's parents up to the repository, too) and
    ``exclude`` globs name, virtual environments, hidden folders, caches, installed packages.
    Links to folders are not followed; links to files are, while they stay inside the root.
    """
    files: list[SourceFile] = []
    problems: list[Problem] = []
    ignored = _Ignored(root)
    pending: list[tuple[str, str]] = [(within, str(root / within))]
    while pending:
        relative, absolute = pending.pop()
        try:
            entries = sorted(os.scandir(absolute), key=lambda entry: entry.name)
        except OSError as error:
            problems.append(Problem(relative or ".", _reason(error)))
            continue
        names = {entry.name for entry in entries}
        if "pyvenv.cfg" in names:
            continue
        if ".gitignore" in names:
            ignored.add(relative, Path(absolute, ".gitignore"))
        for entry in entries:
            path = f"{relative}/{entry.name}" if relative else entry.name
            if not _is_unicode(entry.name):
                problems.append(Problem(ascii(path)[1:-1], "its name is not UTF-8"))
                continue
            try:
                _visit(entry, path, root, ignored, exclude, files, pending)
            except OSError as error:
                problems.append(Problem(path, _reason(error)))
    files.sort(key=lambda file: file.path)
    return FileList(tuple(files), tuple(sorted(problems)))


def is_ignored(folder: Path, project: Path) -> bool:
    """Whether the .gitignore files of a project (and above it) leave a folder out."""
    ignored = _Ignored(project)
    relative = folder.relative_to(project)
    for parent in reversed(relative.parents):
        if (project / parent / ".gitignore").is_file():
            ignored.add(
                "" if parent == Path() else parent.as_posix(), project / parent / ".gitignore"
            )
    parts = relative.parts
    return any(ignored.matches("/".join(parts[: end + 1]) + "/") for end in range(len(parts)))


def _visit(
    entry: os.DirEntry[str],
    path: str,
    root: Path,
    ignored: _Ignored,
    exclude: tuple[str, ...],
    files: list[SourceFile],
    pending: list[tuple[str, str]],
) -> None:
    name = entry.name
    if entry.is_dir(follow_symlinks=False):
        hidden = (
            name.startswith(".") or name in _SKIPPED or name.endswith((".egg-info", ".dist-info"))
        )
        if not hidden and not ignored.matches(path + "/") and not excluded(path, exclude):
            pending.append((path, entry.path))
        return
    if not name.endswith(".py") or ignored.matches(path) or excluded(path, exclude):
        return
    if entry.is_symlink() and not _stays_inside(entry.path, root):
        return
    if entry.is_file():
        files.append(_source_file(path, entry.stat()))


def _is_unicode(name: str) -> bool:
    """Whether a file name is text; other names cannot be shown, kept or imported."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _source_file(path: str, stat: os.stat_result) -> SourceFile:
    return SourceFile(
        path, kind_of(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
    )


def _stays_inside(path: str, root: Path) -> bool:
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, RuntimeError):
        return False
    return real.is_file() and real.is_relative_to(root.resolve())


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def excluded(path: str, globs: tuple[str, ...]) -> bool:
    """Return whether a relative path, or a folder above it, is named by one of the globs."""
    return any(matches(path, glob) for glob in globs)


def matches(path: str, glob: str) -> bool:
    """Return whether a relative path is, or lies below, what ``glob`` names."""
    glob = glob.removeprefix("./").rstrip("/")
    parts = path.split("/")
    return any(fnmatch("/".join(parts[:length]), glob) for length in range(1, len(parts) + 1)) or (
        "/" not in glob and any(fnmatch(part, glob) for part in parts)
    )


def kind_of(path: str) -> Kind:
    """Return what kind of file a path says it is."""
    *folders, name = path.split("/")
    lowered = [folder.lower() for folder in folders]
    if not _VENDORED.isdisjoint(lowered):
        return "vendored"
    if name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py"):
        return "test"
    if not _TESTS.isdisjoint(lowered):
        return "test"
    if "versions" in lowered and any(
        "alembic" in folder or "migration" in folder for folder in lowered
    ):
        return "migration"
    if lowered and lowered[-1] == "migrations" and name[:1].isdigit():
        return "migration"
    return "source"


class _Ignored:
    """The .gitignore rules that hold below a root."""

    def __init__(self, root: Path) -> None:
        self._specs: list[tuple[str, str, object]] = []
        self._root = root
        if (root / ".git").exists():
            return
        for parent in root.resolve().parents:
            if (parent / ".gitignore").is_file():
                prefix = root.resolve().relative_to(parent).as_posix() + "/"
                self._load("", prefix, parent / ".gitignore")
            if (parent / ".git").exists():
                if self.matches(""):  # the root itself is ignored, and was named all the same
                    self._specs.clear()
                return
        self._specs.clear()  # no repository above: strangers' .gitignore files mean nothing

    def add(self, folder: str, path: Path) -> None:
        """Add the .gitignore of a folder below the root."""
        self._load(f"{folder}/" if folder else "", "", path)

    def _load(self, below: str, prefix: str, path: Path) -> None:
        from pathspec import GitIgnoreSpec  # noqa: PLC0415 - only where there is a .gitignore

        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        self._specs.append((below, prefix, GitIgnoreSpec.from_lines(_valid(lines))))

    def matches(self, path: str) -> bool:
        """Return whether a path (folders end with a slash) is ignored; the last word wins."""
        verdict = False
        for below, prefix, spec in self._specs:
            if path.startswith(below):
                found = spec.check_file(prefix + path[len(below) :])  # type: ignore[attr-defined]
                if found.include is not None:
                    verdict = bool(found.include)
        return verdict


def _valid(lines: list[str]) -> Iterator[str]:
    """Yield the lines that are patterns; a single slash or bang is none, and an error in pathspec."""
    for line in lines:
        if line.strip() not in {"/", "!", "!/"}:
            yield line
