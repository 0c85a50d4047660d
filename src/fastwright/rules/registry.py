"""Find the rules: every module in ``rules/<family>/``, and what plug-ins bring.

A plug-in is a package with entry points in the group ``fastwright.rules``: the name is that of the
rule, with its family in front (``house.no-print``), the value the module that holds the rule.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import traceback
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import msgspec

from fastwright.rules.rule import Case, Rule

FAMILIES = (
    "architecture",
    "async_",
    "data",
    "dependency",
    "endpoint",
    "schema",
    "security",
    "testing",
)
"""Folders of rules. ``async`` is a keyword, so that family's folder has an underscore."""

GROUP = "fastwright.rules"
"""The group of entry points that plug-ins use."""

_NAME = re.compile(r"(?P<family>[a-z][a-z0-9-]*)\.(?P<rule>[a-z][a-z0-9-]*)")


class RegisteredRule(msgspec.Struct, frozen=True):
    """A rule with the name, family and documentation that its file gives it."""

    name: str
    family: str
    rule: Rule
    doc: str
    cases: tuple[Case, ...]
    file: str = ""
    """Where the rule stands, of a plug-in's."""


class Registry(msgspec.Struct, frozen=True):
    """What was found: rules by name, and by name the tracebacks of those that do not load."""

    rules: dict[str, RegisteredRule]
    failures: dict[str, str]


@cache
def registry() -> Registry:
    """Return every rule, sorted by name. One that does not load does not stop the others."""
    rules: dict[str, RegisteredRule] = {}
    failures: dict[str, str] = {}
    for family in FAMILIES:
        for module in pkgutil.iter_modules([str(Path(__file__).parent / family)]):
            if not module.name.startswith("_"):
                name = module.name.replace("_", "-")
                try:
                    found = importlib.import_module(f"fastwright.rules.{family}.{module.name}")
                    rules[name] = _registered(name, family.rstrip("_"), found)
                except Exception:  # noqa: BLE001 - a rule that fails must not stop the others
                    failures[name] = traceback.format_exc()
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            rule = _of_plugin(point, rules)
            rules[rule.name] = rule
        except Exception:  # noqa: BLE001 - as above; a plug-in is somebody else's code
            failures[point.name] = traceback.format_exc()
    return Registry(dict(sorted(rules.items())), failures)


def rules() -> dict[str, RegisteredRule]:
    """Return every rule by name, sorted."""
    return registry().rules


def _of_plugin(point: EntryPoint, known: dict[str, RegisteredRule]) -> RegisteredRule:
    written = _NAME.fullmatch(point.name)
    if written is None:
        raise ValueError(f"{point.name!r} has to read family.rule-name, in small letters")
    if written["rule"] in known:
        raise ValueError(f"there is a rule {written['rule']!r} already")
    module = point.load()
    return _registered(written["rule"], written["family"], module, module.__file__ or "")


def _registered(name: str, family: str, module: ModuleType, file: str = "") -> RegisteredRule:
    return RegisteredRule(
        name=name,
        family=family,
        rule=module.RULE,
        doc=module.__doc__ or "",
        cases=tuple(module.CASES),
        file=file,
    )
