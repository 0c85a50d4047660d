"""What restructuring made of an application: routes, layers, findings, and what was left alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fastwright.steps.restructure import State, left_alone
from fastwright.steps.step import Outcome


def text(before: State, after: State, outcome: Outcome) -> str:
    """Return the summary as text, tables in Markdown."""
    return "\n".join(_lines(before, after, outcome)) + "\n"


def _lines(before: State, after: State, outcome: Outcome) -> Iterator[str]:
    yield ""
    yield f"Routes: {before.routes} before, {after.routes} after."
    yield ""
    yield from _table("layer", "modules before", "after", before.layers, after.layers)
    yield ""
    yield from _table("rule", "findings before", "after", before.findings, after.findings)
    left = left_alone(outcome)
    if left:
        yield ""
        yield "| left alone by | where | why |"
        yield "|---|---|---|"
        for name, place, reason in left:
            yield f"| {name} | {place} | {reason} |"


def _table(
    what: str, first: str, second: str, before: Mapping[str, int], after: Mapping[str, int]
) -> Iterator[str]:
    yield f"| {what} | {first} | {second} |"
    yield "|---|---|---|"
    for name in sorted({**before, **after}):
        yield f"| {name} | {before.get(name, 0)} | {after.get(name, 0)} |"
    yield f"| all | {sum(before.values())} | {sum(after.values())} |"
