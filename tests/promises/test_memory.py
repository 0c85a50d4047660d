"""A long run holds the application of the last step, not one for each step that it made."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import pytest

from fastwright.app.model import App
from fastwright.recipes.recipe import Target
from fastwright.recipes.registry import find_recipe
from fastwright.review.run import Options
from fastwright.steps.recipes import refactor
from fastwright.steps.tree import Tree

EXAMPLE = Path(__file__).parents[2] / "examples" / "shop"
STEPS = 6


def test_applications_of_earlier_steps_are_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastwright.steps.tree.MOST_OBJECTS", 0)
    shutil.copytree(EXAMPLE, tmp_path / "shop")
    gc.collect()
    before = applications()
    gc.disable()
    try:
        steps = refactor(
            Tree.open(tmp_path / "shop", Options()), find_recipe("extract-service"), Target()
        )
        for _ in range(STEPS):
            next(steps)
        held = applications() - before
    finally:
        gc.enable()
    assert held < STEPS


def applications() -> int:
    return sum(isinstance(each, App) for each in gc.get_objects())
