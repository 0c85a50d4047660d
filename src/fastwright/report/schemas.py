"""JSON Schemas of the two documents, made from their types.

``python -m fastwright.report.schemas`` writes the files that are part of the package; a test
holds them to the types.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from fastwright.app.map import MapDocument
from fastwright.report.json_report import ReviewDocument

FOLDER = Path(__file__).parent
_DOCUMENTS = {"review": ReviewDocument, "map": MapDocument}


def schema(name: str) -> dict[str, Any]:
    """Return the schema of the ``review`` or the ``map`` document."""
    made = msgspec.json.schema(_DOCUMENTS[name])
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"fastwright {name}, version 1",
    }
    whole: dict[str, Any] = json.loads(json.dumps(head | made))  # tuples become lists
    return whole


def file_of(name: str) -> Path:
    """Return where the schema of a document is."""
    return FOLDER / f"{name}.schema.json"


def main() -> None:
    """Write both files."""
    for name in _DOCUMENTS:
        file_of(name).write_text(json.dumps(schema(name), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
