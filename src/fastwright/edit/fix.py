"""Fix: a change that mends one finding, as plain data."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Applicability: TypeAlias = Literal["safe", "contract", "suggest"]
"""``safe``: the contract stays the same, and the behaviour but for what the rule reports. ``contract``:
changes the API in the way that the rule's page declares. ``suggest``: shown to a person, never applied
alone."""


class Edit(msgspec.Struct, frozen=True, order=True):
    """Bytes ``start`` to ``end`` of a file (UTF-8, without a byte order mark) become ``text``."""

    file: str
    start: int
    end: int
    text: str


class Import(msgspec.Struct, frozen=True, order=True):
    """A file needs ``from module import name``, or ``import module`` where ``name`` is None.

    ``alias``: under another name, ``as alias``.
    """

    file: str
    module: str
    name: str | None = None
    alias: str | None = None


class Fix(msgspec.Struct, frozen=True):
    """Edits that belong together: all are made, or none."""

    applicability: Applicability
    edits: tuple[Edit, ...]
    imports: tuple[Import, ...] = ()
