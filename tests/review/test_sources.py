"""Lines as the parser counts them, columns as people count them."""

from fastwright.review.sources import Sources, in_characters


def lines(data: bytes) -> list[str]:
    return Sources(lambda _: data).lines("a.py")


def test_line_ends() -> None:
    assert lines(b"a\nb\r\nc\rd") == ["a", "b", "c", "d"]
    assert lines(b"a\x0cb\xe2\x80\xa8c") == ["a\x0cb\u2028c"]  # neither ends a line of Python


def test_encodings() -> None:
    assert lines(b"\xef\xbb\xbfx")[0] == "x"
    assert lines(b"# coding: latin-1\n\xe4")[1] == "ä"
    assert lines(b"# coding: no-such\n\xc3\xa4")[1] == "ä"
    assert lines(b"\xff")[0] == "\ufffd"


def test_missing() -> None:
    assert Sources.of({}).line("a.py", 1) == ""
    assert Sources.of({"a.py": "x"}).line("a.py", 9) == ""


def test_columns() -> None:
    assert in_characters("abc", 3) == 3
    assert in_characters("äöü", 5) == 3
    assert in_characters("äöü", 99) == 4
