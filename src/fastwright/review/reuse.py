"""Reuse: what the rules about the whole application said last time, where it still holds.

It holds while nothing has changed but comments, blank lines and layout: then the same code stands in
other lines, and so do the findings. After any other edit everything is linked and asked anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

import fastwright
from fastwright.app.load import Edited, Loaded
from fastwright.edit.fix import Fix
from fastwright.project.config import Config
from fastwright.read.facts import Facts
from fastwright.read.moved import Range, moved, same_header
from fastwright.rules.finding import Evidence, Hit, Place

_NAME = "what the rules about the application said"
_LINES = re.compile(r"(?<=\bline )\d+|(?<=\blines )\d+(?:-\d+)?")
"""Lines that a message names; they are lines of the file that it is about."""

Said: TypeAlias = dict[str, tuple[Hit, ...]]
"""Rule -> its hits."""


class _Run(msgspec.Struct, frozen=True, array_like=True):
    """A run: what it depended on, and what was said."""

    state: bytes
    data: dict[str, bytes]
    """Digests of the data files that were read, by path."""
    said: Said


_ENCODE = msgspec.msgpack.Encoder().encode
_RUN = msgspec.msgpack.Decoder(_Run)


class Memory:
    """Remembers one run, of one choice of rules, in the cache."""

    def __init__(self, loaded: Loaded, config: Config, rules: Iterable[str]) -> None:
        self._loaded = loaded
        self._key = _key(config, rules)

    def recall(self) -> Said | None:
        """Return what was said last time, in today's lines; None where it may no longer hold."""
        data = self._loaded.cache.blob(_NAME)
        if data is None:
            return None
        try:
            run = _RUN.decode(data)
        except (msgspec.DecodeError, ValueError):
            return None
        before = {edited.path: edited.digest for edited in self._loaded.edited}
        if self._state(self._loaded.digests | before) != run.state:
            return None
        if any(
            _digest(self._loaded.app.read_file(path)) != seen for path, seen in run.data.items()
        ):
            return None
        return _in_new_lines(run.said, self._loaded.edited)

    def keep(self, said: Said) -> None:
        """Remember what the rules said."""
        read = {path: _digest(data) for path, data in self._loaded.data_files.items()}
        try:
            data = _ENCODE(_Run(self._state(self._loaded.digests), read, _outline(said)))
        except UnicodeEncodeError:  # a name that is no Unicode: not worth keeping
            return
        self._loaded.cache.store_blob(_NAME, data)

    def _state(self, digests: Mapping[str, bytes]) -> bytes:
        """Return what identifies the code and everything that decides how it is read."""
        state = hashlib.blake2b(self._key, digest_size=16)
        for path, module in self._loaded.app.modules.items():
            state.update(f"{path}\0{module.name}\0{module.kind}\0".encode(errors="replace"))
            state.update(digests.get(path, b""))
        return state.digest()


def _outline(said: Said) -> Said:
    """Return hits that tell whether they can be mended, without the edits: those would not move."""
    return {rule: tuple(_without_edits(hit) for hit in hits) for rule, hits in said.items()}


def _without_edits(hit: Hit) -> Hit:
    if hit.fix is None:
        return hit
    return Hit(hit.place, hit.message, hit.evidence, Fix(hit.fix.applicability, ()))


def _key(config: Config, rules: Iterable[str]) -> bytes:
    settings = msgspec.json.encode((config.layers, config.source_roots, config.library))
    return b"\0".join([settings, *(name.encode() for name in sorted(rules)), *_program()])


def _program() -> Iterable[bytes]:
    """Yield what identifies the code of fastwright itself, and what it knows about libraries."""
    for folder in fastwright.__path__:
        for pattern in ("*.py", "*.toml"):
            for path in sorted(Path(folder).rglob(pattern)):
                stat = path.stat()
                yield f"{path.name} {stat.st_size} {stat.st_mtime_ns}".encode()


def _digest(data: bytes | None) -> bytes:
    return b"" if data is None else hashlib.blake2b(data, digest_size=16).digest()


# ------------------------------------------------------------------------ new lines


def _in_new_lines(said: Said, edited: Iterable[Edited]) -> Said | None:
    for one in edited:
        ranges = (
            moved(one.facts, one.new_facts) if same_header(one.header, one.new_header) else None
        )
        if ranges is None:
            return None
        now = _Now(one, ranges)
        try:
            said = {rule: tuple(_hit(hit, now) for hit in hits) for rule, hits in said.items()}
        except KeyError:
            return None
    return said


def _hit(hit: Hit, now: _Now) -> Hit:
    evidence = tuple(Evidence(now.place(link.place), link.note) for link in hit.evidence)
    message = hit.message
    if hit.place.file == now.file:
        message = _LINES.sub(lambda found: now.lines(found[0]), message)
    return Hit(now.place(hit.place), message, evidence, hit.fix)


class _Now:
    """Where the places of an edited file are now; KeyError for what cannot be told.

    Where a place begins, some piece of code begins; where it ends, one ends, or it is a keyword.
    """

    def __init__(self, edited: Edited, ranges: Mapping[Range, Range]) -> None:
        self.file = edited.path
        self._starts: dict[_Spot, _Spot] = {}
        self._ends: dict[_Spot, _Spot] = {}
        self._lines: dict[int, set[int]] = {}
        for (start, end), (new_start, new_end) in ranges.items():
            last, new_last = max(end - 1, start), max(new_end - 1, new_start)
            for spots, old, new in (
                (self._starts, start, new_start),
                (self._ends, last, new_last),
            ):
                spot, new_spot = _spot(edited.facts, old), _spot(edited.new_facts, new)
                spots[spot] = new_spot
                self._lines.setdefault(spot[0], set()).add(new_spot[0])

    def place(self, place: Place) -> Place:
        """Return where a place is now."""
        if place.file != self.file:
            return place
        line, column = self._starts[place.line, place.column]
        last = self._ends.get((place.end_line, place.end_column - 1))
        if last is None:
            if place.line != place.end_line:
                raise KeyError(place)
            last = line, column + place.end_column - 1 - place.column
        return Place(place.file, line, column, last[0], last[1] + 1, place.function)

    def lines(self, written: str) -> str:
        """Return ``12`` or ``12-34`` as it has to be written now."""
        now = [self._lines[int(line)] for line in written.split("-")]
        if any(len(lines) != 1 for lines in now):
            raise KeyError(written)
        return "-".join(str(line) for lines in now for line in lines)


_Spot: TypeAlias = tuple[int, int]
"""Line and column."""


def _spot(facts: Facts, offset: int) -> _Spot:
    return facts.line(offset), facts.column(offset)
