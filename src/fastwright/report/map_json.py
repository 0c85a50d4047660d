"""The map as JSON, version 1: the document of ``map.schema.json``; or one route, or one table."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from fastwright.app.map import VERSION, MapDocument, MapTable, Touch


def whole(document: MapDocument) -> str:
    """Return the whole map."""
    return _dump(msgspec.to_builtins(document))


def route(touches: Iterable[Touch]) -> str:
    """Return all that one request touches, in the order of the tree, with the depth of each."""
    return _dump({"version": VERSION, "touches": msgspec.to_builtins(list(touches))})


def table(table: MapTable) -> str:
    """Return one table with all that touches it."""
    return _dump({"version": VERSION, "table": msgspec.to_builtins(table)})


def _dump(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"
