"""The picture in the README is what the terminal shows today."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_picture_is_current() -> None:
    picture = runpy.run_path(str(DOCS / "picture.py"))["picture"]
    current = (DOCS / "review.svg").read_text()
    assert picture() == current, "run `.venv/bin/python docs/picture.py`"
