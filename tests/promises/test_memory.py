"""A long run holds the application of the last step, not one for each step that it made."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from fastwright.edit.transaction import Change
from fastwright.review.run import Options
from fastwright.steps.tree import Tree

STEPS = 5


def test_applications_of_earlier_steps_are_let_go(tmp_path: Path) -> None:
    source = b"from fastapi import FastAPI\n\napp = FastAPI()\n"
    (tmp_path / "main.py").write_bytes(source)
    tree = Tree.open(tmp_path, Options())
    apps = [weakref.ref(tree.app)]
    gc.disable()
    try:
        for _ in range(STEPS):
            changed = source + b"\n"
            tree = tree.after([Change("main.py", source, changed)])
            source = changed
            assert tree.contract is tree.contract  # what is asked of it holds it
            apps.append(weakref.ref(tree.app))
    finally:
        gc.enable()
    assert sum(app() is not None for app in apps) <= 2
