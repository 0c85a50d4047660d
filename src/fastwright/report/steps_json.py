"""Steps as JSON: what was done, how it was verified, what was left alone and why."""

from __future__ import annotations

import msgspec

from fastwright.report.steps_text import diff
from fastwright.steps.step import Done, Left, Outcome

VERSION = 1


def render(outcome: Outcome) -> str:
    """Return the document of a run."""
    document = {
        "version": VERSION,
        "written": outcome.written,
        "steps": [_step(done) for done in outcome.done],
        "left": [_left(left) for left in outcome.left],
        "files": [change.path for change in outcome.changes],
        "diff": diff(outcome.changes),
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _step(done: Done) -> dict[str, object]:
    return {
        "name": done.step.name,
        "title": done.step.title,
        "applicability": done.step.applicability,
        "places": done.step.places,
        "files": [change.path for change in done.step.changes],
        "verified": done.verified,
        "contract": done.contract,
        "commit": done.commit,
    }


def _left(left: Left) -> dict[str, object]:
    return {"name": left.name, "place": left.place, "reason": left.reason}
