"""Rule: how a rule file describes itself.

A rule is one file ``rules/<family>/<rule_name>.py`` with a docstring (its documentation page),
a ``check`` function, a ``RULE`` that says what kind of rule it is, and ``CASES``. Name and
family come from the file's place. See ``docs/adding-a-rule.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from fastwright.rules.finding import Confidence, Hit, Severity

if TYPE_CHECKING:
    from fastwright.app.model import App
    from fastwright.project.versions import Versions
    from fastwright.read.module import Module

ModuleCheck: TypeAlias = "Callable[[Module, Versions], Iterator[Hit]]"
AppCheck: TypeAlias = "Callable[[App], Iterator[Hit]]"

Profile: TypeAlias = Literal["security", "performance", "architecture"]

MARK = "# <-"
"""In a case, a line that ends with this comment is one where the rule must report."""


class Case(msgspec.Struct, frozen=True):
    """An example: documentation and test at once.

    ``files`` maps paths to sources. Lines that must be reported end with ``# <-``; a case
    without such a line is a near-miss, which must stay silent. ``title`` says what it shows.
    ``installed`` gives versions of libraries where they matter ({"pydantic": "1.10.2"}).
    ``after`` holds, by path, what the files that the fixes change must become.
    """

    title: str
    files: Mapping[str, str]
    installed: Mapping[str, str] = {}
    after: Mapping[str, str] = {}


def case(title: str, source: str, after: str | None = None, **installed: str) -> Case:
    """Return a case of one file, ``main.py``; ``after`` is what the fixes must make of it."""
    changed = {"main.py": after} if after is not None else {}
    return Case(title, {"main.py": source}, installed, changed)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule file says of its rule.

    Exactly one of ``module`` (looks at one file at a time) and ``app`` (asks the whole
    application) is given.
    """

    summary: str
    """One line: what is wrong."""
    severity: Severity
    mend: str
    """One or two sentences: how to mend it."""
    module: ModuleCheck | None = None
    app: AppCheck | None = None
    confidence: Confidence = "high"
    default: bool = True
    """Whether the rule is on without being selected."""
    profiles: tuple[Profile, ...] = ()
    """Profiles that it belongs to beside its own family's."""
    since: Mapping[str, str] = {}
    """Library -> first version to which the rule applies. Unknown versions count as new."""
    recipe: str | None = None
    """Name of the recipe that mends it, where that spans files."""
    references: tuple[str, ...] = ()
    """Documentation pages, RFCs, OWASP and CWE numbers that the rule stands on."""
