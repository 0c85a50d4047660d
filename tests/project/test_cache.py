"""The cache speeds up; whatever is wrong with it, it never changes an answer."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from fastwright.project.cache import Cache, Entry
from fastwright.project.files import SourceFile

LONG_AGO = 1_000_000_000


def entry(path: str = "a.py", facts: bytes = b"facts" * 50) -> Entry:
    file = SourceFile(path, "source", 10, LONG_AGO, LONG_AGO, 7)
    return Entry(file, LONG_AGO + 10**10, b"d" * 16, b"header" * 30, facts)


def filled(folder: Path) -> Path:
    cache = Cache.open(folder, "key")
    cache.store([entry("a.py"), entry("b.py")], [])
    cache.close()
    return folder / "facts.sqlite3"


def is_right_or_empty(folder: Path) -> bool:
    """Everything that the cache still says is what was put in."""
    cache = Cache.open(folder, "key")
    good = entry()
    for path, known in cache.known().items():
        if known.digest == good.digest and known.header != good.header:
            return False
        facts = cache.facts(path, known.digest)
        if facts is not None and facts != good.facts:
            return False
    cache.store([entry("c.py")], ["a.py"])
    cache.close()
    return True


def test_what_is_stored_comes_back(tmp_path: Path) -> None:
    filled(tmp_path)
    cache = Cache.open(tmp_path, "key")
    assert sorted(cache.known()) == ["a.py", "b.py"]
    assert cache.known()["a.py"].is_current(entry().file)
    assert cache.facts("a.py", b"d" * 16) == entry().facts


def test_facts_of_another_content_are_not_given(tmp_path: Path) -> None:
    filled(tmp_path)
    assert Cache.open(tmp_path, "key").facts("a.py", b"e" * 16) is None


def test_another_version_starts_afresh(tmp_path: Path) -> None:
    filled(tmp_path)
    assert Cache.open(tmp_path, "other key").known() == {}


def test_a_file_changed_just_before_it_was_read_is_read_again(tmp_path: Path) -> None:
    file = SourceFile("a.py", "source", 10, LONG_AGO, LONG_AGO, 7)
    cache = Cache.open(tmp_path, "key")
    cache.store([Entry(file, LONG_AGO + 1000, b"d" * 16, b"h", b"f")], [])
    assert not cache.known()["a.py"].is_current(file)


def test_truncated_anywhere(tmp_path: Path) -> None:
    data = filled(tmp_path / "whole").read_bytes()
    for length in range(0, len(data), 257):
        folder = tmp_path / "cut"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "facts.sqlite3").write_bytes(data[:length])
        assert is_right_or_empty(folder), length


def test_any_damaged_byte(tmp_path: Path) -> None:
    data = filled(tmp_path / "whole").read_bytes()
    for position in range(0, len(data), 101):
        folder = tmp_path / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        (folder / "facts.sqlite3").write_bytes(bytes(damaged))
        assert is_right_or_empty(folder), position


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"x" * 5000])
def test_something_else_in_its_place(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "facts.sqlite3").write_bytes(content)
    assert is_right_or_empty(tmp_path)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "facts.sqlite3").mkdir()
    assert is_right_or_empty(tmp_path)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    assert Cache.open(tmp_path / "cache", "key").known() == {}


def test_another_schema(tmp_path: Path) -> None:
    tmp_path.mkdir(exist_ok=True)
    with sqlite3.connect(tmp_path / "facts.sqlite3") as connection:
        connection.execute("CREATE TABLE meta (key TEXT)")
        connection.execute("INSERT INTO meta VALUES ('key')")
        connection.execute("CREATE TABLE files (path)")
        connection.execute("INSERT INTO files VALUES ('a.py')")
    assert is_right_or_empty(tmp_path)


def test_a_locked_cache_is_left_alone(tmp_path: Path) -> None:
    path = filled(tmp_path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    cache = Cache.open(tmp_path, "key")
    assert cache.known() == {}
    cache.store([entry("c.py")], [])
    other.rollback()
    other.close()
    assert sorted(Cache.open(tmp_path, "key").known()) == ["a.py", "b.py"]


def test_many_at_once(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for turn in range(10):
            cache = Cache.open(tmp_path, "key" if turn % 3 else "other")
            cache.store([entry(f"{number}.py")], [])
            cache.known()
            cache.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert is_right_or_empty(tmp_path)
