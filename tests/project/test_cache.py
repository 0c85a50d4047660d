"""The cache speeds up; whatever is wrong with it, it never changes an answer."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path
from time import perf_counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastwright.project.cache import Cache, Entry, Known
from fastwright.project.files import SourceFile

LONG_AGO = 1_000_000_000
BLOB = b"everything" * 40


def entry(path: str = "a.py", facts: bytes = b"facts" * 50) -> Entry:
    file = SourceFile(path, "source", 10, LONG_AGO, LONG_AGO, 7)
    return Entry(file, LONG_AGO + 10**10, b"d" * 16, b"header" * 30, facts)


def filled(folder: Path) -> Path:
    cache = Cache.open(folder, "key")
    cache.store([entry("a.py"), entry("b.py")], [])
    cache.store_blob("graph", BLOB)
    cache.close()
    return folder / "facts.sqlite3"


def is_right_or_empty(folder: Path) -> bool:
    """Everything that the cache still says is what was put in."""
    cache = Cache.open(folder, "key")
    good = entry()
    stored = Known(10, LONG_AGO, LONG_AGO, 7, LONG_AGO + 10**10, good.digest, good.header)
    for path, known in cache.known().items():
        if path not in {"a.py", "b.py"} or known != stored:
            return False
    for path in ("a.py", "b.py"):
        if cache.facts(path, good.digest) not in {None, good.facts}:
            return False
    if cache.blob("graph") not in {None, BLOB}:
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


CHANGES = {
    "nothing": ({}, True),
    "its size": ({"size": 11}, False),
    "its time": ({"mtime_ns": LONG_AGO + 1}, False),
    "its time back to what it was": ({"ctime_ns": LONG_AGO + 1}, False),
    "another file put in its place": ({"inode": 8}, False),
    "a time to come": ({"mtime_ns": 2 * 10**18, "ctime_ns": 2 * 10**18}, False),
}


@pytest.mark.parametrize(("change", "current"), CHANGES.values(), ids=CHANGES)
def test_what_tells_that_a_file_has_changed(
    tmp_path: Path, change: dict[str, int], *, current: bool
) -> None:
    filled(tmp_path)
    file = msgspec.structs.replace(entry().file, **change)
    assert Cache.open(tmp_path, "key").known()["a.py"].is_current(file) is current


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    filled(tmp_path)
    cache = Cache.open(tmp_path, "key")
    cache.store([], ["a.py"])
    assert list(cache.known()) == ["b.py"]
    assert cache.facts("a.py", b"d" * 16) is None


def test_blobs(tmp_path: Path) -> None:
    filled(tmp_path)
    cache = Cache.open(tmp_path, "key")
    assert cache.blob("graph") == BLOB
    assert cache.blob("other") is None
    cache.store_blob("graph", b"")
    assert cache.blob("graph") == b""
    assert Cache.open(tmp_path, "other key").blob("graph") is None


def test_rows_of_another_version_do_not_count_wherever_they_come_from(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET key = replace(key, 'key', 'new')")
    cache = Cache.open(tmp_path, "new")
    assert cache.known() == {}
    assert cache.facts("a.py", b"d" * 16) is None
    assert cache.blob("graph") is None


def test_it_hides_itself_from_git_and_from_backups(tmp_path: Path) -> None:
    filled(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "*\n"
    assert (tmp_path / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f")


def test_no_cache_keeps_nothing() -> None:
    cache = Cache.none()
    cache.store([entry()], ["b.py"])
    cache.store_blob("graph", BLOB)
    assert (cache.known(), cache.facts("a.py", b""), cache.blob("graph")) == ({}, None, None)
    cache.close()


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    assert Cache.open(Path("/proc/nowhere"), "key").known() == {}
    assert Cache.open(Path("nul\0"), "key").known() == {}


@settings(max_examples=150, deadline=None)
@given(
    cut=st.none() | st.integers(0, 40_000),
    damage=st.lists(
        st.tuples(st.integers(0, 40_000), st.binary(min_size=1, max_size=40)), max_size=4
    ),
)
def test_damage_of_any_kind(
    tmp_path_factory: pytest.TempPathFactory, cut: int | None, damage: list[tuple[int, bytes]]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    shutil.rmtree(folder, ignore_errors=True)
    data = bytearray(filled(folder).read_bytes()[:cut])
    for position, content in damage:
        start = position % (len(data) + 1)
        data[start : start + len(content)] = content
    (folder / "facts.sqlite3").write_bytes(bytes(data))
    assert is_right_or_empty(folder)
    # A damaged index may keep a row from being deleted: it is still the row that was stored.
    assert set(Cache.open(folder, "key").known()) <= {"a.py", "b.py", "c.py"}, "and then goes on"


def test_a_cache_in_the_middle_of_a_write(tmp_path: Path) -> None:
    """A run that was killed leaves a journal behind."""
    for content in (b"", b"x" * 2000, b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\0" * 2000):
        shutil.rmtree(tmp_path)
        path = filled(tmp_path)
        path.with_name(path.name + "-journal").write_bytes(content)
        assert is_right_or_empty(tmp_path)


def test_thousands_of_rows_are_read_in_no_time(tmp_path: Path) -> None:
    entries = [
        Entry(entry(f"app/m{n}.py").file, LONG_AGO, b"d" * 16, b"h" * 600, b"f" * 2000)
        for n in range(3000)
    ]
    cache = Cache.open(tmp_path, "key")
    cache.store(entries, [])
    cache.close()
    started = perf_counter()
    cache = Cache.open(tmp_path, "key")
    assert len(cache.known()) == 3000
    cache.store(entries[:1], [])
    assert perf_counter() - started < 0.3  # 0.01 s on a quiet machine


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
