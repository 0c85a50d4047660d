"""Whatever is in a file, the answer is findings or one clear line; never a traceback."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastwright.cli import main
from fastwright.read import syntax as s
from fastwright.read.facts import decode_facts, decode_header, encode
from fastwright.read.reader import read, to_utf8

SHOP = Path(__file__).parents[2] / "examples" / "shop" / "shop"
APPLICATION = b"from fastapi import FastAPI\napp = FastAPI()\n"

ODD = {
    "empty": b"",
    "binary": bytes(range(256)) * 50,
    "NUL": b"x = 1\0\n",
    "one line of 10 MB": b'x = "' + b"a" * 10_000_000 + b'"',
    "10,000 parentheses": b"x = " + b"(" * 10_000 + b"1" + b")" * 10_000,
    "10,000 that never close": b"(" * 10_000,
    "5,000 nested lists": b"[" * 5_000 + b"]" * 5_000,
    "a chain of 5,000 calls": b"x" + b".a()" * 5_000,
    "3,000 nested ifs": b"".join(b" " * i + b"if x:\n" for i in range(3_000)),
    "3,000 elifs": b"if a: pass\n" + b"elif b: pass\n" * 3_000,
    "Latin-1, declared": "# coding: latin-1\nname = 'é'\n".encode("latin-1"),
    "Latin-1, not declared": "name = 'é'\n".encode("latin-1"),
    "an encoding that is none": b"# coding: klingon\nx = 1\n",
    "BOM": b"\xef\xbb\xbfx = 1\n",
    "CRLF": b"def f():\r\n    return 1\r\n",
    "old Mac line ends": b"def f():\r    return 1\r",
    "Python 2": b'print "hello"\nexec "x" in {}\n',
    "a merge conflict": b"<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other\n",
    "only a decorator": b"@",
    "a surrogate in a string": b"x = '\\ud800'\n",
    "form feed and vertical tab": b"\x0cx = 1\n\x0b\n",
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD.keys())
def test_odd_file_beside_an_application(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "main.py").write_bytes(APPLICATION)
    (tmp_path / "odd.py").write_bytes(content)
    for command in ("review", "map"):
        assert main([command, "--no-cache", str(tmp_path)]) in {0, 1}
    assert "Traceback" not in capsys.readouterr().err


def test_folder_without_fastapi_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plain.py").write_text("import os\n")
    assert main(["review", str(tmp_path)]) == 0
    assert "FastAPI" in capsys.readouterr().out


def test_links_that_loop_and_dangle(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_bytes(APPLICATION)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.py").symlink_to(tmp_path / "self.py")
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    assert main(["review", "--no-cache", str(tmp_path)]) in {0, 1}


def test_a_file_that_vanishes_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "main.py").write_bytes(APPLICATION)
    victim = tmp_path / "victim.py"
    victim.write_bytes(APPLICATION)
    from fastwright.app import load

    read_bytes = load._bytes

    def vanish(path: str) -> bytes:
        if path.endswith("victim.py"):
            victim.unlink(missing_ok=True)
        return read_bytes(path)

    monkeypatch.setattr(load, "_bytes", vanish)
    assert main(["review", "--no-cache", "--jobs", "1", str(tmp_path)]) in {0, 1}
    captured = capsys.readouterr()
    assert "victim.py" in captured.out + captured.err


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "main.py").write_bytes(APPLICATION)
    locked = tmp_path / "locked"
    locked.mkdir()
    scandir = os.scandir

    def refuse(path: str):
        if str(path) == str(locked):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert main(["review", "--no-cache", str(tmp_path)]) in {0, 1}
    captured = capsys.readouterr()
    assert "locked" in captured.out + captured.err


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_can_be_read(data: bytes) -> None:
    check_reading(data)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_read(text: str) -> None:
    check_reading(text.encode())


FILES = sorted(SHOP.rglob("*.py"))


@given(st.sampled_from(FILES), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_real_files_can_be_read(path: Path, random_: random.Random) -> None:
    check_reading(mutate(path.read_bytes(), random_))


def mutate(data: bytes, random_: random.Random) -> bytes:
    """Cut, double, swap or overwrite pieces of a file."""
    for _ in range(random_.randint(1, 6)):
        start = random_.randrange(len(data) + 1)
        end = min(len(data), start + random_.randrange(60))
        how = random_.randrange(4)
        if how == 0:
            data = data[:start] + data[end:]
        elif how == 1:
            data = data[:end] + data[start:]
        elif how == 2:
            data = (
                data[:start] + bytes(random_.choices(b"()[]{}:'\"\\\n\t @#=,.*", k=3)) + data[end:]
            )
        else:
            data = data[:start] + data[start:end][::-1] + data[end:]
    return data


def check_reading(data: bytes) -> None:
    source = to_utf8(data)
    if not isinstance(source, bytes):
        assert source.reason
        return
    header, facts = read(source)
    again = decode_facts(encode(facts))
    assert decode_header(encode(header)) == header
    for node in s.walk(*again.body):
        assert 0 <= node.start <= node.end <= len(source)
        assert again.line(node.start) >= 1


@pytest.mark.slow
@given(st.integers(min_value=0, max_value=2**32))
@settings(max_examples=25, deadline=None)
def test_reviewing_a_mutated_application(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("mutated")
    random_ = random.Random(seed)
    for path in FILES:
        target = folder / path.relative_to(SHOP.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes()
        target.write_bytes(mutate(data, random_) if random_.random() < 0.4 else data)
    for command in ("review", "map"):
        assert main([command, "--no-cache", str(folder)]) in {0, 1}
