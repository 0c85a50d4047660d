"""The facts cache: one SQLite file, rebuilt silently whenever anything about it is wrong."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from fastwright.project.files import SourceFile

FOLDER = ".fastwright_cache"
_RACY_NS = 2_000_000_000
"""A file changed this shortly before it was read may have changed again unnoticed."""

_TABLES = """
CREATE TABLE meta (key TEXT NOT NULL);
CREATE TABLE files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, read_ns INTEGER NOT NULL,
    digest BLOB NOT NULL, header BLOB NOT NULL, header_crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE facts (path TEXT PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
"""


class Entry(msgspec.Struct, frozen=True):
    """What is kept of one file. ``header`` is read on every run, ``facts`` only on demand."""

    file: SourceFile
    read_ns: int
    """When the file was read, in nanoseconds since the epoch."""
    digest: bytes
    header: bytes
    facts: bytes


class Known(msgspec.Struct, frozen=True):
    """What the cache knows of a file before its facts are asked for."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    read_ns: int
    digest: bytes
    header: bytes

    def is_current(self, file: SourceFile) -> bool:
        """Whether the file surely has not changed since it was read."""
        same = (self.size, self.mtime_ns, self.ctime_ns, self.inode) == (
            file.size, file.mtime_ns, file.ctime_ns, file.inode,
        )  # fmt: skip
        newest = max(file.mtime_ns, file.ctime_ns)
        return same and self.read_ns - newest > _RACY_NS


class Cache:
    """Facts by path. Every method works, whatever the state of the disk: worst, it is empty."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection

    @classmethod
    def open(cls, folder: Path, key: str) -> Cache:
        """Return the cache in ``folder``; entries made under another ``key`` are dropped."""
        try:
            _prepare(folder)
        except OSError:
            return cls(None)
        path = folder / "facts.sqlite3"
        for _ in range(2):
            try:
                return cls(_connect(path, key))
            except sqlite3.OperationalError as error:
                if "locked" in str(error) or "readonly" in str(error):
                    return cls(None)
                _remove(path)
            except (sqlite3.Error, ValueError):  # a damaged text is a ValueError
                _remove(path)
        return cls(None)

    @classmethod
    def none(cls) -> Cache:
        """Return a cache that keeps nothing."""
        return cls(None)

    def known(self) -> dict[str, Known]:
        """Return what is known of every file, by path."""
        if self._connection is None:
            return {}
        found: dict[str, Known] = {}
        try:
            rows = self._connection.execute("SELECT * FROM files")
            for path, size, mtime, ctime, inode, read, digest, header, crc in rows:
                if isinstance(header, bytes) and _checksum(path, digest, header) == crc:
                    found[path] = Known(size, mtime, ctime, inode, read, digest, header)
        except (sqlite3.Error, TypeError, ValueError, OverflowError):
            return {}
        return found

    def facts(self, path: str, digest: bytes) -> bytes | None:
        """Return the facts of a file with that digest, or None where they are missing or damaged."""
        if self._connection is None:
            return None
        try:
            row = self._connection.execute(
                "SELECT data, crc FROM facts WHERE path = ?", (path,)
            ).fetchone()
        except (sqlite3.Error, ValueError, OverflowError):
            return None
        if row is None or not isinstance(row[0], bytes):
            return None
        return row[0] if _checksum(path, digest, row[0]) == row[1] else None

    def store(self, entries: Iterable[Entry], gone: Iterable[str]) -> None:
        """Keep entries and forget the files that are gone, all at once or not at all."""
        if self._connection is None:
            return
        gone = list(gone)
        failing = contextlib.suppress(sqlite3.Error, ValueError, OverflowError)
        with failing, self._connection:
            self._connection.executemany("DELETE FROM files WHERE path = ?", [(p,) for p in gone])
            self._connection.executemany("DELETE FROM facts WHERE path = ?", [(p,) for p in gone])
            for entry in entries:
                file = entry.file
                self._connection.execute(
                    "INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?,?,?,?)",
                    (file.path, file.size, file.mtime_ns, file.ctime_ns, file.inode,
                     entry.read_ns, entry.digest, entry.header,
                     _checksum(file.path, entry.digest, entry.header)),
                )  # fmt: skip
                self._connection.execute(
                    "INSERT OR REPLACE INTO facts VALUES (?,?,?)",
                    (file.path, entry.facts, _checksum(file.path, entry.digest, entry.facts)),
                )

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()


def _checksum(path: str, digest: bytes, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(digest, zlib.crc32(path.encode("utf-8", "replace"))))


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        (".gitignore", "*\n"),
        ("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n"),
    ):
        if not (folder / name).exists():
            (folder / name).write_text(text, encoding="utf-8")
    if not os.access(folder, os.W_OK):
        raise PermissionError(folder)


def _connect(path: Path, key: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0.2, check_same_thread=False)
    connection.execute("PRAGMA synchronous = OFF")  # a torn file is found and rebuilt
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    current = bool(tables) and connection.execute("SELECT key FROM meta").fetchall() == [(key,)]
    if not current:
        with connection:
            for table in ("meta", "files", "facts"):
                connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.executescript(_TABLES)
            connection.execute("INSERT INTO meta VALUES (?)", (key,))
    return connection


def _remove(path: Path) -> None:
    for name in (path, path.with_name(path.name + "-journal")):
        with contextlib.suppress(OSError):
            name.unlink()
