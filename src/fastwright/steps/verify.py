"""Verify a step before it is written: it parses, and clients see the same."""

from __future__ import annotations

import msgspec

from fastwright.steps.step import Step
from fastwright.steps.tree import Tree
from fastwright.verify.model import differences

_NAMED = 3
"""Differences that a reason names."""


class Verdict(msgspec.Struct, frozen=True):
    """Whether a step may stand; ``reason`` says why not."""

    reason: str | None = None
    contract: tuple[str, ...] = ()
    """What clients will see otherwise, as the step declares."""


def verify(step: Step, before: Tree, after: Tree) -> Verdict:
    """Compare the model of the application before and after a step."""
    broken = sorted(after.broken - before.broken)
    if broken:
        return Verdict(f"{broken[0]} would not be Python any more")
    ring = sorted(after.cycles - before.cycles) if _imports_more(step, before, after) else ()
    if ring:
        return Verdict(f"modules would import each other: {ring[0]}")
    changed = [difference.told() for difference in differences(before.contract, after.contract)]
    if changed and step.applicability == "safe":
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        return Verdict(f"the contract would change: {'; '.join(changed[:_NAMED])}{more}")
    return Verdict(None, tuple(changed))


def _imports_more(step: Step, before: Tree, after: Tree) -> bool:
    """Whether a step makes a module import another one of the project that it did not import."""
    return any(
        {edge.imported for edge in after.app.imports.of(change.path)}
        - {edge.imported for edge in before.app.imports.of(change.path)}
        for change in step.changes
    )
