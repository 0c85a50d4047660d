"""The reference pages are what the rule files say today."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_pages_are_current() -> None:
    pages = runpy.run_path(str(DOCS / "reference.py"))["pages"]()
    current = {path.name: path.read_text("utf-8") for path in (DOCS / "rules").glob("*.md")}
    assert current == pages, "run `.venv/bin/python docs/reference.py`"
