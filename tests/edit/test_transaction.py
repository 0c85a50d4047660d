"""A transaction changes many files together, whatever happens in the middle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastwright.edit.transaction import Change, ChangeError, Store

OLD = {"a.py": b"a = 1\n", "pkg/b.py": b"b = 1\r\n", "gone.py": b"gone\n"}
NEW = {"a.py": b"a = 2\n", "pkg/b.py": b"b = 2\r\n", "pkg/new/c.py": b"c = 2\n"}
CHANGES = (
    Change("a.py", OLD["a.py"], NEW["a.py"]),
    Change("pkg/b.py", OLD["pkg/b.py"], NEW["pkg/b.py"]),
    Change("pkg/new/c.py", None, NEW["pkg/new/c.py"]),
    Change("gone.py", OLD["gone.py"], None),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder that holds the old files."""
    for path, content in OLD.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return tmp_path


def files(root: Path) -> dict[str, bytes]:
    """Return every file of a project, without what fastwright keeps for itself."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }


def store(root: Path) -> Store:
    return Store(root, root / ".cache")


def test_all_files_change_together(root: Path) -> None:
    assert store(root).write("run", 0, CHANGES) == ("a.py", "pkg/b.py", "pkg/new/c.py", "gone.py")
    assert files(root) == NEW


def test_undo_brings_back_the_state_before_the_run(root: Path) -> None:
    mine = store(root)
    mine.write("run", 0, CHANGES)
    mine.write("run", 1, [Change("a.py", NEW["a.py"], b"a = 3\n")])
    undone = mine.undo()
    assert undone is not None
    assert undone.run == "run"
    assert files(root) == OLD
    assert not (root / "pkg/new").exists()
    assert mine.undo() is None


def test_runs_are_undone_last_first(root: Path) -> None:
    mine = store(root)
    mine.write("20260101-000000", 0, [Change("a.py", b"a = 1\n", b"a = 2\n")])
    mine.write("20260102-000000", 0, [Change("a.py", b"a = 2\n", b"a = 3\n")])
    mine.undo()
    assert files(root)["a.py"] == b"a = 2\n"
    mine.undo()
    assert files(root)["a.py"] == b"a = 1\n"


def test_a_file_that_was_changed_after_the_run_is_not_undone(root: Path) -> None:
    mine = store(root)
    mine.write("run", 0, CHANGES)
    (root / "a.py").write_bytes(b"a = 'mine'\n")
    with pytest.raises(ChangeError, match=r"a\.py: was changed after the run"):
        mine.undo()
    assert files(root) == {**NEW, "a.py": b"a = 'mine'\n"}


def test_modes_are_kept(root: Path) -> None:
    (root / "a.py").chmod(0o755)
    store(root).write("run", 0, CHANGES)
    assert (root / "a.py").stat().st_mode & 0o777 == 0o755


def changed_meanwhile(root: Path) -> None:
    (root / "a.py").write_bytes(b"a = 'by an editor'\n")


def read_only(root: Path) -> None:
    (root / "a.py").chmod(0o444)


def symbolic_link(root: Path) -> None:
    (root / "real.py").write_bytes(OLD["a.py"])
    (root / "a.py").unlink()
    (root / "a.py").symlink_to("real.py")


def gone(root: Path) -> None:
    (root / "a.py").unlink()


def there_already(root: Path) -> None:
    (root / "pkg/new").mkdir()
    (root / "pkg/new/c.py").write_bytes(b"mine\n")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (changed_meanwhile, r"a\.py: was changed meanwhile"),
        (read_only, r"a\.py: is read-only"),
        (symbolic_link, r"a\.py: a symbolic link"),
        (gone, r"a\.py: is not there any more"),
        (there_already, r"pkg/new/c\.py: is there already"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_file_that_is_not_as_it_should_be_stops_everything(
    root: Path, spoil: object, message: str
) -> None:
    spoil(root)  # type: ignore[operator]
    before = files(root)
    with pytest.raises(ChangeError, match=message):
        store(root).write("run", 0, CHANGES)
    assert files(root) == before


def test_marks_of_a_merge_conflict_stop_everything(root: Path) -> None:
    content = b"<<<<<<< HEAD\na = 1\n=======\na = 2\n>>>>>>> other\n"
    (root / "a.py").write_bytes(content)
    with pytest.raises(ChangeError, match=r"a\.py: holds marks of a merge conflict"):
        store(root).write("run", 0, [Change("a.py", content, b"a = 2\n")])
    assert files(root)["a.py"] == content


@pytest.mark.parametrize("path", ["../outside.py", "link/outside.py"])
def test_a_file_outside_of_the_project_stops_everything(root: Path, path: str) -> None:
    inner = root / "project"
    inner.mkdir()
    (inner / "link").symlink_to(root)
    with pytest.raises(ChangeError, match="outside of"):
        Store(inner, inner / ".cache").write("run", 0, [Change(path, None, b"x = 1\n")])
    assert files(root) == OLD


WRITING = ("open", "replace", "unlink", "mkdir", "fsync", "rename", "chmod", "rmdir")
"""What a process does to the disk, one system call each."""


def killed_at(number: int, root: Path, work: str) -> bool:
    """Run a transaction or an undo in a process that is killed at its n-th write; was it?"""
    child = os.fork()
    if child == 0:
        count = 0

        def dying(real):  # type: ignore[no-untyped-def]
            def call(*args, **kwargs):  # type: ignore[no-untyped-def]
                nonlocal count
                count += 1
                if count == number:
                    os._exit(9)
                return real(*args, **kwargs)

            return call

        for name in WRITING:
            setattr(os, name, dying(getattr(os, name)))
        if work == "write":
            store(root).write("run", 0, CHANGES)
        else:
            store(root).undo()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 9


@pytest.mark.parametrize("work", ["write", "undo"])
def test_killed_at_any_write_the_tree_is_the_old_one_or_the_new_one(
    tmp_path: Path, work: str
) -> None:
    seen = set()
    for number in range(1, 500):
        root = tmp_path / str(number)
        for path, content in OLD.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        if work == "undo":
            store(root).write("run", 0, CHANGES)
        killed = killed_at(number, root, work)
        store(root).recover()
        assert files(root) in (OLD, NEW), f"killed at write {number}"
        seen.add(files(root) == OLD)
        if not killed:
            break
    assert seen == {True, False}
    assert number > 20, "a transaction of four files writes more often than that"
