"""The map as JSON, version 1: the document of ``map.schema.json``."""

from __future__ import annotations

import msgspec

from fastwright.app.map import MapDocument


def render(document: MapDocument) -> str:
    """Return the document, indented."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
