"""Knowledge about libraries, as data: ``library.toml`` beside this file."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

import msgspec


class Library(msgspec.Struct, frozen=True):
    """The table. Every name is canonical (``canonical.py``)."""

    declarative_bases: frozenset[str]
    method_bases: frozenset[str]
    values: dict[str, str]
    attributes: dict[str, str]
    returns: dict[str, str]
    blocking: dict[str, str]
    not_blocking: dict[str, str]
    elsewhere: dict[str, int]
    statements: dict[str, str]
    sinks: dict[str, dict[str, str]]
    """Rule -> calls that should not get request data, with ``position keyword`` of the argument."""

    def blocks(self, name: str) -> str | None:
        """Return what a call of ``name`` waits for, or None if it does not block."""
        return _blocks(name)


def _load() -> Library:
    data = tomllib.loads(Path(__file__).with_name("library.toml").read_text(encoding="utf-8"))
    return msgspec.convert(data, Library)


LIBRARY = _load()


@lru_cache(maxsize=16384)
def _blocks(name: str) -> str | None:
    if (known := LIBRARY.blocking.get(name)) is not None:
        return known
    owner, _, last = name.rpartition(".")
    if not owner or name in LIBRARY.not_blocking or last.startswith("_"):
        return None
    if last[:1].isupper():  # a class of a module whose functions block
        return None
    if (known := LIBRARY.blocking.get(f"{owner}.*")) is not None:
        return known
    while owner and "._" not in name:  # client.chat.completions.create
        if (known := LIBRARY.blocking.get(f"{owner}.**")) is not None:
            return known
        owner = owner.rpartition(".")[0]
    return None
