"""Find the recipes: every module in this folder that has a ``RECIPE``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

import msgspec

from fastwright.project.errors import SelectionError, nearest
from fastwright.recipes.recipe import Case, Recipe


class RegisteredRecipe(msgspec.Struct, frozen=True):
    """A recipe with the name and documentation that its file gives it."""

    name: str
    recipe: Recipe
    doc: str
    cases: tuple[Case, ...]


@cache
def recipes() -> dict[str, RegisteredRecipe]:
    """Return every recipe by name, sorted."""
    found = {}
    for entry in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if entry.ispkg or entry.name in {"recipe", "registry"}:
            continue
        module = importlib.import_module(f"fastwright.recipes.{entry.name}")
        name = entry.name.replace("_", "-")
        found[name] = RegisteredRecipe(name, module.RECIPE, module.__doc__ or "", module.CASES)
    return dict(sorted(found.items()))


def find_recipe(name: str) -> RegisteredRecipe:
    """Return a recipe by its name. Raises SelectionError with the nearest name."""
    found = recipes().get(name)
    if found is None:
        raise SelectionError(
            f"there is no recipe {name!r}.{nearest(name, recipes())}",
            f"These are there: {', '.join(recipes())}.",
        )
    return found
