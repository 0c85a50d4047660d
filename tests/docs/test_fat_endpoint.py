"""The fat endpoint in the README is what the tool makes of the example today."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_fat_endpoint_is_current() -> None:
    section = runpy.run_path(str(ROOT / "docs" / "fat_endpoint.py"))["section"]
    assert section() in (ROOT / "README.md").read_text(), "run `docs/fat_endpoint.py`"
