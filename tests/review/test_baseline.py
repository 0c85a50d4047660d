"""Baselines survive moved lines, and nothing else."""

from pathlib import Path

import pytest
from make import finding

from fastwright.project.errors import FastwrightError
from fastwright.review import baseline
from fastwright.review.sources import Sources

OLD = "import a\n\ndef f():\n    bad()\n    bad()\n"
FOUND = [finding("lazy-load", "a.py", 4, "f"), finding("lazy-load", "a.py", 5, "f")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "known.json"
    baseline.write(path, FOUND, Sources.of({"a.py": OLD}))
    return path


def test_file_is_readable(path: Path) -> None:
    assert (
        path.read_text()
        == """\
{
  "version": 1,
  "findings": [
    {"file":"a.py","rule":"lazy-load","code":"bad()","function":"f","count":2}
  ]
}
"""
    )


def test_moved_and_reindented_lines_are_known(path: Path) -> None:
    moved = Sources.of({"a.py": "import a\nimport b\n\ndef f():\n  if x:\n    bad()\n    bad()\n"})
    found = [finding("lazy-load", "a.py", 6, "f"), finding("lazy-load", "a.py", 7, "f")]
    assert baseline.hold_back(found, moved, path) == ((), 2, 0)


def test_one_more_of_the_same_is_new(path: Path) -> None:
    more = Sources.of({"a.py": OLD + "    bad()\n"})
    found = [*FOUND, finding("lazy-load", "a.py", 6, "f")]
    assert baseline.hold_back(found, more, path) == ((found[2],), 2, 0)


def test_other_rule_function_or_code_is_new_and_the_old_entry_stale(path: Path) -> None:
    sources = Sources.of({"a.py": OLD.replace("    bad()\n", "    worse()\n", 1)})
    other = [
        finding("no-limit", "a.py", 5, "f"),
        finding("lazy-load", "a.py", 5, "g"),
        finding("lazy-load", "a.py", 4, "f"),
    ]
    assert baseline.hold_back(other, sources, path) == (tuple(other), 0, 2)


def test_empty(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    baseline.write(path, [], Sources.of({}))
    assert baseline.hold_back(FOUND, Sources.of({"a.py": OLD}), path).new == tuple(FOUND)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b'{"version": 1}', b'{"version": 2, "findings": []}',
     b'{"version": 1, "findings": [{"file": 3}]}', b'{"version": 1, "findings": [], "x": 1}'],
)  # fmt: skip
def test_what_is_no_baseline_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "known.json"
    path.write_bytes(content)
    with pytest.raises(FastwrightError) as error:
        baseline.load(path)
    assert "--write-baseline" in error.value.todo


def test_missing_and_unwritable(tmp_path: Path) -> None:
    with pytest.raises(FastwrightError, match="there is no baseline"):
        baseline.load(tmp_path / "none.json")
    with pytest.raises(FastwrightError, match="cannot be written"):
        baseline.write(tmp_path / "none" / "known.json", [], Sources.of({}))
    with pytest.raises(FastwrightError, match="cannot be read"):
        baseline.load(tmp_path)
