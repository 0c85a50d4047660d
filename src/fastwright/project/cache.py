"""The facts cache: one SQLite file, rebuilt silently whenever anything about it is wrong."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from fastwright.project.files import SourceFile

FOLDER = ".fastwright_cache"
_RACY_NS = 2_000_000_000
"""A file changed this shortly before it was read may have changed again unnoticed."""

_FORMAT = 2
"""Of the tables and checksums below; a cache of another format is made anew."""

_TABLES = {
    "meta": "(key TEXT NOT NULL)",
    "files": """(
        path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, read_ns INTEGER NOT NULL,
        digest BLOB NOT NULL, header BLOB NOT NULL, crc INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "facts": "(path TEXT PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID",
    "blobs": "(name TEXT PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID",
}

_DAMAGE = (sqlite3.Error, TypeError, ValueError, OverflowError, MemoryError)
"""What a damaged file makes SQLite, or the use of what it gives, raise."""


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
    """Facts by path. Every method works, whatever the state of the disk: worst, it is empty.

    Each row carries a checksum over everything in it and over the key, so that a row is either as
    it was stored, for this key, or not there: damage, and files mixed up by runs that replace
    each other's, can only lose rows.
    """

    def __init__(self, connection: sqlite3.Connection | None, key: str = "") -> None:
        self._connection = connection
        self._seed = zlib.crc32(key.encode("utf-8", "replace"))

    @classmethod
    def open(cls, folder: Path, key: str) -> Cache:
        """Return the cache in ``folder``; entries made under another ``key`` are dropped."""
        try:
            _prepare(folder)
        except (OSError, ValueError):
            return cls(None)
        path = folder / "facts.sqlite3"
        for _ in range(2):
            try:
                return cls(_connect(path, key), key)
            except sqlite3.OperationalError as error:
                if "locked" in str(error) or "readonly" in str(error):
                    return cls(None)
                _remove(path)
            except _DAMAGE:  # a damaged text is a ValueError
                _remove(path)
        return cls(None)

    @classmethod
    def none(cls) -> Cache:
        """Return a cache that keeps nothing."""
        return cls(None)

    def known(self) -> dict[str, Known]:
        """Return what is known of every file, by path."""
        found: dict[str, Known] = {}
        for path, size, mtime, ctime, inode, read, digest, header, crc in self._rows(
            "SELECT path, size, mtime_ns, ctime_ns, inode, read_ns, digest, header, crc FROM files"
        ):
            known = Known(size, mtime, ctime, inode, read, digest, header)
            if isinstance(header, bytes) and self._crc_of(path, known) == crc:
                found[path] = known
        return found

    def facts(self, path: str, digest: bytes) -> bytes | None:
        """Return the facts of a file with that digest, or None where they are missing or damaged."""
        for data, crc in self._rows("SELECT data, crc FROM facts WHERE path = ?", path):
            if isinstance(data, bytes) and self._crc("facts", path, digest, data) == crc:
                return data
        return None

    def blob(self, name: str) -> bytes | None:
        """Return what ``store_blob`` kept under a name, or None where it is missing or damaged."""
        for data, crc in self._rows("SELECT data, crc FROM blobs WHERE name = ?", name):
            if isinstance(data, bytes) and self._crc("blob", name, b"", data) == crc:
                return data
        return None

    def store(self, entries: Iterable[Entry], gone: Iterable[str]) -> None:
        """Keep entries and forget the files that are gone, all at once or not at all."""
        files: list[tuple[object, ...]] = []
        facts: list[tuple[object, ...]] = []
        for entry in entries:
            at = entry.file
            stat = (at.size, at.mtime_ns, at.ctime_ns, at.inode, entry.read_ns)
            known = Known(*stat, entry.digest, entry.header)
            files.append((at.path, *stat, entry.digest, entry.header, self._crc_of(at.path, known)))
            crc = self._crc("facts", at.path, entry.digest, entry.facts)
            facts.append((at.path, entry.facts, crc))
        paths: list[tuple[object, ...]] = [(path,) for path in gone]
        self._write(
            ("DELETE FROM files WHERE path = ?", paths),
            ("DELETE FROM facts WHERE path = ?", paths),
            ("INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?,?,?,?)", files),
            ("INSERT OR REPLACE INTO facts VALUES (?,?,?)", facts),
        )

    def store_blob(self, name: str, data: bytes) -> None:
        """Keep something about the whole run under a name."""
        row = (name, data, self._crc("blob", name, b"", data))
        self._write(("INSERT OR REPLACE INTO blobs VALUES (?,?,?)", [row]))

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()

    def _rows(self, query: str, *parameters: str) -> list[Any]:
        """Return the rows of a query; none where the file is damaged, locked or missing."""
        if self._connection is None:
            return []
        try:
            return self._connection.execute(query, parameters).fetchall()
        except _DAMAGE:
            return []

    def _write(self, *statements: tuple[str, list[tuple[object, ...]]]) -> None:
        """Execute all statements, each for all its rows, in one transaction, or none."""
        if self._connection is None:
            return
        with contextlib.suppress(*_DAMAGE), self._connection:
            for statement, rows in statements:
                self._connection.executemany(statement, rows)

    def _crc(self, table: str, name: object, digest: object, data: bytes) -> int:
        text = f"{table}\0{name}\0{digest!r}\0".encode("utf-8", "replace")
        return zlib.crc32(data, zlib.crc32(text, self._seed))

    def _crc_of(self, path: object, known: Known) -> int:
        stat = f"{known.size} {known.mtime_ns} {known.ctime_ns} {known.inode} {known.read_ns}"
        return self._crc(stat, path, known.digest, known.header)


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
    try:
        connection.execute("PRAGMA synchronous = OFF")  # a torn file is found and rebuilt
        if not _is_current(connection, key):
            _make_tables(connection, key)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_current(connection: sqlite3.Connection, key: str) -> bool:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if not tables.issuperset(_TABLES):
        return False
    return connection.execute("SELECT key FROM meta").fetchall() == [(f"{_FORMAT} {key}",)]


def _make_tables(connection: sqlite3.Connection, key: str) -> None:
    """Make all tables anew, unless another run has just done so."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if _is_current(connection, key):
            return
        for table, columns in _TABLES.items():
            connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute(f"CREATE TABLE {table} {columns}")
        connection.execute("INSERT INTO meta VALUES (?)", (f"{_FORMAT} {key}",))


def _remove(path: Path) -> None:
    for name in (path, path.with_name(path.name + "-journal")):
        with contextlib.suppress(OSError):
            name.unlink()
