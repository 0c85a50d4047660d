"""Mended: what the fix of each finding would make of the user's own code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from fastwright.app.model import App
from fastwright.edit.apply import apply
from fastwright.edit.fix import Fix
from fastwright.rules.finding import Finding


class Mended(msgspec.Struct, frozen=True):
    """One file, before a fix and after it (UTF-8)."""

    file: str
    before: bytes
    after: bytes


def mended(
    app: App, findings: Iterable[Finding], fixes: Mapping[Finding, Fix]
) -> dict[Finding, tuple[Mended, ...]]:
    """Return, for each finding that has a fix, the files that it changes."""
    own = {module.name.partition(".")[0] for module in app.modules.values()}
    return {
        finding: tuple(_by(app, fix, own))
        for finding in findings
        if (fix := fixes.get(finding)) is not None
    }


def _by(app: App, fix: Fix, own: set[str]) -> Iterable[Mended]:
    files = {edit.file for edit in fix.edits} | {needed.file for needed in fix.imports}
    sources = {file: app.modules[file].source for file in files}
    changed = apply(sources, (fix,), own).changed
    return [Mended(file, sources[file], after) for file, after in sorted(changed.items())]
