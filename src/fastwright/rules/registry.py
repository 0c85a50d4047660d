"""Find the rules: every module in ``rules/<family>/``, and what plug-ins bring."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

import msgspec

from fastwright.rules.rule import Case, Rule

FAMILIES = ("architecture", "async_", "data", "dependency", "endpoint", "schema", "security")
"""Folders of rules. ``async`` is a keyword, so that family's folder has an underscore."""


class RegisteredRule(msgspec.Struct, frozen=True):
    """A rule with the name, family and documentation that its file gives it."""

    name: str
    family: str
    rule: Rule
    doc: str
    cases: tuple[Case, ...]


@cache
def rules() -> dict[str, RegisteredRule]:
    """Return every rule by name, sorted."""
    found = [
        _load(family, module.name)
        for family in FAMILIES
        for module in pkgutil.iter_modules([str(Path(__file__).parent / family)])
        if not module.name.startswith("_")
    ]
    return {rule.name: rule for rule in sorted(found, key=lambda rule: rule.name)}


def _load(family: str, module_name: str) -> RegisteredRule:
    module = importlib.import_module(f"fastwright.rules.{family}.{module_name}")
    return RegisteredRule(
        name=module_name.replace("_", "-"),
        family=family.rstrip("_"),
        rule=module.RULE,
        doc=module.__doc__ or "",
        cases=tuple(module.CASES),
    )
