"""Facts: what one module declares, picklable, cached by content hash."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

import msgspec

from fastwright.read.syntax import Stmt

EXTRACTOR_VERSION = 7
"""Raised whenever ``read`` gives other facts for the same source: old cache entries then die."""


class Suppression(msgspec.Struct, frozen=True, array_like=True):
    """``# fastwright: ignore[rules] reason`` on a line (1-based); no rules means every rule."""

    line: int
    rules: list[str]
    reason: str
    whole_file: bool


class ImportFact(msgspec.Struct, frozen=True, array_like=True):
    """One import anywhere in the module.

    ``names`` is empty for ``import module``. ``when``: ``import`` (runs on import), ``call``
    (inside a function, or under ``if __name__ == "__main__"``) or ``typing`` (under ``TYPE_CHECKING``).
    """

    module: str
    level: int
    names: list[str]
    when: str
    start: int


class ClassFact(msgspec.Struct, frozen=True, array_like=True):
    """A class of the module by name, with the last names of its bases: enough to find subclasses."""

    name: str
    bases: list[str]


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What is needed of every file on every run; small.

    ``broken`` lists the first lines that could not be parsed (1-based, at most ten); ``marks``
    are the words of ``reader.MARKS`` that the source holds: whether a file matters to whom.
    """

    imports: list[ImportFact]
    suppressions: list[Suppression]
    broken: list[int]
    marks: list[str]
    classes: list[ClassFact]
    properties: list[str]
    """Names of methods that run, and call something, when the attribute is read."""
    state: list[str]
    """Names that are set on an application's or a request's ``state``."""


class Facts(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """What is needed only of files that somebody asks about.

    ``lines`` holds the byte offset of each line's start, four bytes each.
    """

    body: list[Stmt]
    lines: bytes
    doc: str | None

    @cached_property
    def line_starts(self) -> memoryview:
        """Byte offset of the start of each line."""
        return memoryview(self.lines).cast("I")

    def line(self, offset: int) -> int:
        """Return the line (from 1) that holds the byte at ``offset``."""
        return bisect_right(self.line_starts, offset)

    def column(self, offset: int) -> int:
        """Return the column (from 1, in bytes) of the byte at ``offset``."""
        return offset - self.line_starts[self.line(offset) - 1] + 1


_ENCODER = msgspec.msgpack.Encoder()
_FACTS = msgspec.msgpack.Decoder(Facts)
_HEADER = msgspec.msgpack.Decoder(Header)


def encode(facts: Facts | Header) -> bytes:
    """Return facts or header as bytes for the cache."""
    return _ENCODER.encode(facts)


def decode_facts(data: bytes) -> Facts:
    """Return the facts that ``encode`` made. Raises ``msgspec.DecodeError`` for anything else."""
    return _FACTS.decode(data)


def decode_header(data: bytes) -> Header:
    """Return the header that ``encode`` made. Raises ``msgspec.DecodeError`` for anything else."""
    return _HEADER.decode(data)
