"""Find the Python files of a project: fast, honouring .gitignore, following no loops."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from fastwright.project.ignore import Ignored

Kind: TypeAlias = Literal["source", "test", "migration", "vendored"]

PROJECT_FILES = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})
"""A folder with one of these is a project, and imports may start from it."""

_SKIPPED = frozenset(
    {"__pycache__", "node_modules", "site-packages", "__pypackages__", "dist-info", "htmlcov"}
)
_VENDORED = frozenset({"vendor", "_vendor", "vendored", "third_party", "_vendored"})
_TESTS = frozenset({"test", "tests", "testing"})
_ENVIRONMENTS = frozenset({"pyvenv.cfg", "conda-meta"})


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
    links: Mapping[str, str] = {}
    """Links to files that are in ``files`` already -> the path they are read under."""
    project_folders: tuple[str, ...] = ()
    """Folders below the root with a project file of their own, sorted."""


class _Folder(NamedTuple):
    """A folder to look into."""

    path: str
    absolute: str
    holds_migrations: bool


def find_files(root: Path, exclude: tuple[str, ...] = (), within: str = "") -> FileList:
    """Return the Python files below ``root``, or below its folder ``within`` only.

    Left out: what .gitignore files (of the root's parents up to the repository, too) and
    ``exclude`` globs name, virtual environments, hidden folders, caches, installed packages,
    what setuptools builds. Links to folders are not followed; links to files are read once, while
    they stay inside the root. Never raises for a file or folder: what fails is a problem.
    """
    walk = _Walk(root, exclude)
    pending = [_Folder(within, str(root / within), holds_migrations=False)]
    while pending:
        pending.extend(walk.look_into(pending.pop(), is_start=not walk.started))
    return walk.result()


class _Walk:
    """What a walk has found so far."""

    def __init__(self, root: Path, exclude: tuple[str, ...]) -> None:
        self.started = False
        self._root, self._exclude = root, exclude
        self._ignored = Ignored(root)
        self._files: list[SourceFile] = []
        self._problems: list[Problem] = []
        self._links: list[tuple[str, str, os.stat_result]] = []
        self._projects: list[str] = []

    def look_into(self, folder: _Folder, *, is_start: bool) -> list[_Folder]:
        """Take the files of a folder; return the folders to look into next."""
        self.started = True
        try:
            with os.scandir(folder.absolute) as found:
                entries = list(found)
        except (OSError, ValueError) as error:
            self._problems.append(Problem(folder.path or ".", _reason(error)))
            return []
        names = {entry.name for entry in entries}
        if not is_start and not _ENVIRONMENTS.isdisjoint(names):
            return []
        if ".gitignore" in names:
            self._ignored.add(folder.path, Path(folder.absolute, ".gitignore"))
        is_project = not PROJECT_FILES.isdisjoint(names)
        if is_project and folder.path:
            self._projects.append(folder.path)
        prefix = f"{folder.path}/" if folder.path else ""
        is_alembic = "versions" in names and (
            "script.py.mako" in names or ("env.py" in names and _is_alembic(folder.absolute))
        )
        kind = _kind_of_folder(folder.path, holds_migrations=folder.holds_migrations)
        below: list[_Folder] = []
        for entry in entries:
            name = entry.name
            path = prefix + name
            if not _is_unicode(name):
                self._problems.append(Problem(ascii(path)[1:-1], "its name is not UTF-8"))
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    built = is_project and _is_built(entry)
                    if not built and not self._is_skipped(name, path):
                        migrations = folder.holds_migrations or (is_alembic and name == "versions")
                        below.append(_Folder(path, entry.path, migrations))
                elif name.endswith(".py"):
                    self._take(entry, path, kind)
            except OSError as error:
                self._problems.append(Problem(path, _reason(error)))
        return below

    def _is_skipped(self, name: str, path: str) -> bool:
        return (
            name.startswith(".")
            or name in _SKIPPED
            or name.endswith((".egg-info", ".dist-info"))
            or self._ignored.matches(path + "/")
            or excluded(path, self._exclude)
        )

    def _take(self, entry: os.DirEntry[str], path: str, kind: _FolderKind) -> None:
        if self._ignored.matches(path) or excluded(path, self._exclude):
            return
        if entry.is_symlink():
            target = _inside(entry.path, self._root)
            if target is not None:
                self._links.append((path, target, entry.stat()))
        elif entry.is_file():
            self._files.append(_source_file(path, _kind_of_file(entry.name, kind), entry.stat()))

    def result(self) -> FileList:
        """Return everything, sorted; of several links to a file elsewhere, the first is read."""
        read_under = {file.path: file.path for file in self._files}
        links: dict[str, str] = {}
        for path, target, stat in sorted(self._links, key=lambda link: link[0]):
            known = read_under.setdefault(target, path)
            if known == path:
                self._files.append(_source_file(path, kind_of(path), stat))
            else:
                links[path] = known
        self._files.sort(key=lambda file: file.path)
        problems, projects = tuple(sorted(self._problems)), tuple(sorted(self._projects))
        return FileList(tuple(self._files), problems, links, projects)


def is_ignored(folder: Path, project: Path) -> bool:
    """Whether the .gitignore files of a project (and above it) leave a folder out."""
    ignored = Ignored(project)
    relative = folder.relative_to(project)
    for parent in reversed(relative.parents):
        below = "" if parent == Path() else parent.as_posix()
        ignored.add(below, project / parent / ".gitignore")
    parts = relative.parts
    return any(ignored.matches("/".join(parts[: end + 1]) + "/") for end in range(len(parts)))


def _is_unicode(name: str) -> bool:
    """Whether a file name is text; other names cannot be shown, kept or imported."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_alembic(folder: str) -> bool:
    """Whether the ``env.py`` of a folder is Alembic's."""
    path = Path(folder, "env.py")
    try:
        return path.is_file() and b"alembic" in path.read_bytes()
    except OSError:
        return False


def _is_built(entry: os.DirEntry[str]) -> bool:
    """Whether a folder beside a project file holds what was built from the project."""
    if entry.name == "build":
        return any(
            name == "lib" or name.startswith(("lib.", "bdist.", "temp."))
            for name in os.listdir(entry.path)  # noqa: PTH208 - pathlib is slow
        )
    return entry.name == "dist" and "__init__.py" not in os.listdir(entry.path)  # noqa: PTH208


def _source_file(path: str, kind: Kind, stat: os.stat_result) -> SourceFile:
    return SourceFile(path, kind, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def _inside(path: str, root: Path) -> str | None:
    """Return the path, relative to the root, of the file that a link leads to, if it is inside."""
    try:
        real, real_root = Path(path).resolve(strict=True), root.resolve()
    except (OSError, RuntimeError):
        return None
    if not real.is_file() or not real.is_relative_to(real_root):
        return None
    return real.relative_to(real_root).as_posix()


def _reason(error: OSError | ValueError) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__).lower()


def excluded(path: str, globs: tuple[str, ...]) -> bool:
    """Return whether a relative path, or a folder above it, is named by one of the globs."""
    return bool(globs) and any(matches(path, glob) for glob in globs)


def matches(path: str, glob: str) -> bool:
    """Return whether a relative path is, or lies below, what ``glob`` names."""
    glob = glob.removeprefix("./").rstrip("/")
    parts = path.split("/")
    return any(fnmatch("/".join(parts[:length]), glob) for length in range(1, len(parts) + 1)) or (
        "/" not in glob and any(fnmatch(part, glob) for part in parts)
    )


def kind_of(path: str) -> Kind:
    """Return what kind of file a path says it is."""
    folder, _, name = path.rpartition("/")
    return _kind_of_file(name, _kind_of_folder(folder))


_FolderKind: TypeAlias = Literal["source", "test", "migration", "numbered", "vendored"]
"""``numbered``: files that start with a digit are migrations, as Django has them."""


def _kind_of_folder(path: str, *, holds_migrations: bool = False) -> _FolderKind:
    folders = path.lower().split("/")
    if not _VENDORED.isdisjoint(folders):
        return "vendored"
    if not _TESTS.isdisjoint(folders):
        return "test"
    if holds_migrations or (
        "versions" in folders
        and any("alembic" in folder or "migration" in folder for folder in folders)
    ):
        return "migration"
    return "numbered" if folders[-1] == "migrations" else "source"


def _kind_of_file(name: str, folder: _FolderKind) -> Kind:
    if folder == "vendored":
        return "vendored"
    if name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py"):
        return "test"
    if folder == "numbered":
        return "migration" if name[:1].isdigit() else "source"
    return folder
