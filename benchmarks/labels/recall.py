"""Compute recall and precision on the slices of which every problem is labelled.

    python -m benchmarks.labels.recall [--list] [NAME ...]

A sure problem is found if a finding of its category stands on its line or names that line in its
evidence (two lines to and fro); otherwise it is missed. A finding in lines that were read and that is no
labelled problem is false; debatable problems count neither way. NAME is a slice.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from benchmarks.corpus import chosen
from benchmarks.labels.slices import (
    CATEGORIES,
    Report,
    Score,
    read_problems,
    read_slices,
    score,
)
from benchmarks.tool import document

if TYPE_CHECKING:
    from pathlib import Path

RULES = {rule: category for category, rules in CATEGORIES.items() for rule in rules}


def main() -> int:
    """Print the table, and with --list what was missed and what is false."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="slices; all by default")
    parser.add_argument(
        "--list", action="store_true", help="list what was missed, and what is false"
    )
    options = parser.parse_args()
    totals = {
        held_out: {category: Score() for category in CATEGORIES} for held_out in (False, True)
    }
    problems = read_problems()
    for part in read_slices():
        if options.names and part.name not in options.names:
            continue
        (application,) = chosen([part.application])
        mine = [problem for problem in problems if problem.slice == part.name]
        scores, missed, wrong = score(part, mine, reports(application.source))
        for category, found in scores.items():
            totals[part.held_out][category].add(found)
        if options.list:
            for problem in missed:
                print(
                    f"missed {part.application} {problem.category} {problem.file}:{problem.line} {problem.why}"
                )
            for report in wrong:
                print(f"false {part.application} {report.category} {report.file}:{report.first}")
    for held_out, title in ((False, "Slices that rules were learned from"), (True, "Held out")):
        if any(found.found + found.missed for found in totals[held_out].values()):
            print(f"{title}\n\n{table(totals[held_out])}\n")
    return 0


def reports(root: Path) -> list[Report]:
    """Return what fastwright reports of an application, in the categories."""
    return [
        Report(
            RULES[finding["rule"]],
            finding["file"],
            finding["line"],
            finding["end_line"],
            tuple((step["file"], step["line"]) for step in finding["evidence"]),
        )
        for finding in document("review", root)["findings"]
        if finding["rule"] in RULES
    ]


def table(totals: dict[str, Score]) -> str:
    """Draw the table for RESULTS.md."""
    rows = [
        "| category | problems | found | recall | reported | of them labelled | precision |",
        "|---|---|---|---|---|---|---|",
    ]
    everything = Score()
    for category, found in totals.items():
        everything.add(found)
        rows.append(row(category, found))
    return "\n".join([*rows, row("all", everything)])


def row(name: str, found: Score) -> str:
    """Draw one row."""
    return (
        f"| {name} | {found.found + found.missed} | {found.found} | {share(found.recall)}"
        f" | {found.true + found.false} | {found.true} | {share(found.precision)} |"
    )


def share(value: float | None) -> str:
    """Write a share, or that there is none."""
    return "-" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
