"""Transaction: many files of a project change together, or none of them does.

Nothing is written before every change has been checked against the disk. Then the new contents are
written beside their files, and a journal says which of them belong together: from the moment that
it stands, the change is made, and whatever interrupts it (a crash, `kill -9`, a full disk), the next
command finishes it (`recover`). Before that moment, the tree is as it was. The old contents are
kept, so that a run can be undone without git.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec
from filelock import FileLock

from fastwright.project.errors import FastwrightError

FOLDER = "undo"
"""Of the cache folder: what is kept of runs that changed something."""
_PENDING, _JOURNAL, _DONE = "pending.json", "journal.json", "done.json"
_KEPT_RUNS = 20
_CONFLICT = re.compile(rb"^(<{7} .*|>{7} .*)$", re.MULTILINE)
_NEW_MODE = 0o644


class ChangeError(FastwrightError):
    """A file cannot be changed; nothing was written."""


class Change(msgspec.Struct, frozen=True):
    """What becomes of one file: a new file has no ``before``, a removed one no ``after``."""

    path: str
    """Relative to the root of the project, with slashes."""
    before: bytes | None
    after: bytes | None


class _Entry(msgspec.Struct, frozen=True):
    """One file of a journal."""

    path: str
    number: int
    """Names the kept content, ``<number>.before``, where there was a file."""
    existed: bool
    temporary: str | None
    """The new content, beside the file; None where the file is removed."""
    digest: str | None
    """Of the new content."""


class _Journal(msgspec.Struct, frozen=True):
    """The files that change together. ``undoes``: the run that this takes back."""

    run: str
    step: int
    entries: tuple[_Entry, ...]
    folders: tuple[str, ...] = ()
    """Folders that are made for new files, outer ones first."""
    undoes: str | None = None
    emptied: tuple[str, ...] = ()
    """Folders that the undone run made: they go again, where nothing else is in them."""


class Undone(msgspec.Struct, frozen=True):
    """What undoing a run has brought back."""

    run: str
    files: tuple[str, ...]


class Store:
    """Where the runs of one project are kept, and how its files are changed."""

    def __init__(self, root: Path, cache: Path) -> None:
        self._root = root.resolve()
        self._folder = cache / FOLDER

    # ------------------------------------------------------------------ writing

    def write(self, run: str, step: int, changes: Iterable[Change]) -> tuple[str, ...]:
        """Make changes together; return the paths that were changed.

        ``run`` names the command that was given, ``step`` counts its transactions. Raises ChangeError,
        with nothing written, where a file is not as ``before`` says, is read-only, a symbolic link,
        outside of the project, or holds marks of a merge conflict.
        """
        return self._write(run, step, [c for c in changes if c.before != c.after], None)

    def _write(
        self, run: str, step: int, changes: list[Change], undoes: str | None
    ) -> tuple[str, ...]:
        if not changes:
            return ()
        with self._locked():
            self._recover()
            for change in changes:
                self._check(change)
            place = self._folder / run / str(step)
            place.mkdir(parents=True, exist_ok=True)
            journal = self._journal(run, step, changes, undoes)
            _durably(self._folder / _PENDING, msgspec.json.encode(journal))
            for folder in journal.folders:
                (self._root / folder).mkdir(exist_ok=True)
            for entry, change in zip(journal.entries, changes, strict=True):
                if change.before is not None:
                    _durably(place / f"{entry.number}.before", change.before)
                if entry.temporary is not None and change.after is not None:
                    _durably(self._root / entry.temporary, change.after, self._mode(change))
            (self._folder / _PENDING).replace(self._folder / _JOURNAL)
            _sync(self._folder)
            self._finish(journal)
            self._forget_old_runs()
        return tuple(change.path for change in changes)

    def _check(self, change: Change) -> None:
        path = self._root / change.path
        if not (path.parent.resolve() / path.name).is_relative_to(self._root):
            raise ChangeError(
                f"{change.path}: outside of {self._root}", "Only files of the project are changed."
            )
        if path.is_symlink():
            raise ChangeError(
                f"{change.path}: a symbolic link", "Change the file that it leads to."
            )
        found = path.read_bytes() if path.is_file() else None
        if found != change.before:
            what = "was changed meanwhile" if found is not None else "is not there any more"
            if change.before is None:
                what = "is there already"
            raise ChangeError(f"{change.path}: {what}", "Run the command again.")
        if found is None:
            return
        if not path.stat().st_mode & stat.S_IWUSR or not os.access(path, os.W_OK):
            raise ChangeError(
                f"{change.path}: is read-only", f"Allow writing first: chmod u+w {change.path}"
            )
        if _CONFLICT.search(found):
            raise ChangeError(
                f"{change.path}: holds marks of a merge conflict", "Finish the merge first."
            )

    def _mode(self, change: Change) -> int:
        if change.before is None:
            return _NEW_MODE
        return stat.S_IMODE((self._root / change.path).stat().st_mode)

    def _journal(self, run: str, step: int, changes: list[Change], undoes: str | None) -> _Journal:
        entries = []
        folders: dict[str, None] = {}
        for number, change in enumerate(changes):
            path = Path(change.path)
            beside = path.with_name(f".{path.name}.{run}-{step}.tmp").as_posix()
            for parent in reversed(path.parents):
                if change.after is not None and not (self._root / parent).exists():
                    folders[parent.as_posix()] = None
            entries.append(
                _Entry(
                    change.path,
                    number,
                    change.before is not None,
                    beside if change.after is not None else None,
                    _digest(change.after),
                )
            )
        emptied = self._folders_of(undoes) if undoes is not None else []
        return _Journal(run, step, tuple(entries), tuple(folders), undoes, tuple(emptied))

    def _finish(self, journal: _Journal) -> None:
        """Bring every file to what the journal says; it may have been done in part."""
        for entry in journal.entries:
            target = self._root / entry.path
            if entry.temporary is None:
                target.unlink(missing_ok=True)
            elif (temporary := self._root / entry.temporary).exists():
                temporary.replace(target)
            _sync(target.parent)
        if journal.undoes is not None:
            for folder in reversed(journal.emptied):
                with contextlib.suppress(OSError):
                    (self._root / folder).rmdir()  # only where it is empty
            shutil.rmtree(self._folder / journal.undoes, ignore_errors=True)
            shutil.rmtree(self._folder / journal.run, ignore_errors=True)
            (self._folder / _JOURNAL).unlink(missing_ok=True)
        else:
            place = self._folder / journal.run / str(journal.step)
            (self._folder / _JOURNAL).replace(place / _DONE)
        _sync(self._folder)

    # --------------------------------------------------------------- recovering

    def recover(self) -> bool:
        """Finish what was interrupted, or clear it away; return whether there was anything."""
        if not any((self._folder / name).exists() for name in (_PENDING, _JOURNAL)):
            return False
        with self._locked():
            return self._recover()

    def _recover(self) -> bool:
        journal = _read(self._folder / _JOURNAL)
        if journal is not None:
            self._finish(journal)
        pending = _read(self._folder / _PENDING)
        if pending is not None:
            for entry in pending.entries:
                if entry.temporary is not None:
                    (self._root / entry.temporary).unlink(missing_ok=True)
            for folder in reversed(pending.folders):
                with contextlib.suppress(OSError):
                    (self._root / folder).rmdir()
            shutil.rmtree(self._folder / pending.run / str(pending.step), ignore_errors=True)
        (self._folder / _PENDING).unlink(missing_ok=True)
        return journal is not None or pending is not None

    # ------------------------------------------------------------------ undoing

    def undo(self) -> Undone | None:
        """Bring back every file as it was before the last run; None where there is no run.

        Raises ChangeError, with nothing written, where a file is not as the run left it.
        """
        self.recover()
        runs = self._runs()
        if not runs:
            return None
        run = runs[-1]
        first: dict[str, bytes | None] = {}
        last: dict[str, str | None] = {}
        for journal in self._steps(run):
            place = self._folder / run / str(journal.step)
            for entry in journal.entries:
                kept = place / f"{entry.number}.before"
                first.setdefault(entry.path, kept.read_bytes() if entry.existed else None)
                last[entry.path] = entry.digest
        changes = []
        for path, before in first.items():
            found = (self._root / path).read_bytes() if (self._root / path).is_file() else None
            if _digest(found) != last[path]:
                raise ChangeError(
                    f"{path}: was changed after the run that would be undone",
                    "Nothing was undone. Put your change aside (git stash), undo, and bring it back.",
                )
            changes.append(Change(path, found, before))
        changed = self._write(f"{run}-undo", 0, [c for c in changes if c.before != c.after], run)
        return Undone(run, changed)

    def _runs(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        found = [each.name for each in self._folder.iterdir() if each.is_dir()]
        return sorted(name for name in found if any(self._steps(name)))

    def _steps(self, run: str) -> Iterator[_Journal]:
        steps = [each for each in (self._folder / run).iterdir() if (each / _DONE).is_file()]
        for step in sorted(steps, key=lambda each: int(each.name)):
            journal = _read(step / _DONE)
            if journal is not None:
                yield journal

    def _folders_of(self, run: str) -> list[str]:
        return [folder for journal in self._steps(run) for folder in journal.folders]

    def _forget_old_runs(self) -> None:
        for run in self._runs()[:-_KEPT_RUNS]:
            shutil.rmtree(self._folder / run, ignore_errors=True)

    # ------------------------------------------------------------------ locking

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time change files of the project."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock"):
            yield


def _read(path: Path) -> _Journal | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Journal)
    except (FileNotFoundError, msgspec.DecodeError):  # half written: nothing was done yet
        return None


def _digest(content: bytes | None) -> str | None:
    return None if content is None else blake2b(content, digest_size=16).hexdigest()


def _durably(path: Path, content: bytes, mode: int = _NEW_MODE) -> None:
    """Write a file so that it outlives a crash, whole or not at all under its name."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(mode)


def _sync(folder: Path) -> None:
    """Make renames in a folder outlive a crash, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
