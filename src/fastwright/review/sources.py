"""Sources: the text of reviewed files, line by line, for fingerprints, comments and code frames."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

_LINE_END = re.compile(r"\r\n|\n|\r")
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BOM = b"\xef\xbb\xbf"


class Sources:
    """Lines of files by path relative to the root. A file that cannot be read has no lines."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        """Take the function that gives a file's bytes; it may raise OSError or KeyError."""
        self._read = read
        self._lines: dict[str, list[str]] = {}

    @classmethod
    def below(cls, root: Path) -> Sources:
        """Return the sources of a folder on disk."""
        return cls(lambda file: (root / file).read_bytes())

    @classmethod
    def of(cls, files: Mapping[str, str]) -> Sources:
        """Return sources that are held in memory."""
        return cls(lambda file: files[file].encode())

    def lines(self, file: str) -> list[str]:
        """Return the lines of a file without their ends, numbered as the parser numbers them."""
        if file not in self._lines:
            self._lines[file] = self._split(file)
        return self._lines[file]

    def line(self, file: str, number: int) -> str:
        """Return one line (from 1), empty where there is none."""
        lines = self.lines(file)
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def _split(self, file: str) -> list[str]:
        try:
            data = self._read(file)
        except (OSError, KeyError, ValueError):
            return []
        return _LINE_END.split(_decode(data.removeprefix(_BOM)))


def _decode(data: bytes) -> str:
    """Return bytes as text in their declared encoding (PEP 263), wrong ones replaced."""
    for line in data[:400].split(b"\n", 2)[:2]:
        found = _CODING.match(line)
        if found is not None:
            try:
                return data.decode(found.group(1).decode("ascii"), "replace")
            except (LookupError, ValueError):
                break
    return data.decode("utf-8", "replace")


def in_characters(text: str, column: int) -> int:
    """Return the column in characters (from 1) of a column in bytes of UTF-8 (from 1)."""
    if text.isascii():
        return column
    return len(text.encode()[: column - 1].decode("utf-8", "ignore")) + 1
