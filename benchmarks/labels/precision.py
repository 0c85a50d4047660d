"""Compute the precision of the rules from the labelled findings.

    python -m benchmarks.labels.precision [NAME ...]

Reviews the applications, matches the findings with the labels (application, version, file, line,
rule), and prints precision per rule and overall, over the labels whose finding is still there. A
label whose finding is gone is counted apart: a false one that went is progress, a true one that
went is a loss.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass

from benchmarks.corpus import add_names, chosen
from benchmarks.labels.judged import LABELS, Key, Label, present, read
from benchmarks.tool import ToolError

OVERALL_GOAL = 0.95
RULE_GOAL = 0.85
NORMAL_95 = 1.96
"""The normal quantile of a two-sided interval of 95 %."""


@dataclass
class Tally:
    """The labels of one rule, or of all."""

    true: int = 0
    false: int = 0
    true_gone: int = 0
    false_gone: int = 0
    findings: int = 0

    @property
    def precision(self) -> float | None:
        """The share of true findings among the labelled ones that are still there."""
        labelled = self.true + self.false
        return self.true / labelled if labelled else None

    def add(self, label: Label, *, is_present: bool) -> None:
        """Count a label."""
        if is_present:
            self.true += label.verdict
            self.false += not label.verdict
        else:
            self.true_gone += label.verdict
            self.false_gone += not label.verdict


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_names(parser)
    findings: set[Key] = set()
    reviewed: set[tuple[str, str]] = set()
    for application in chosen(parser.parse_args().names):
        try:
            findings.update(present(application))
        except ToolError as error:
            print(f"{application.name}: {error}", file=sys.stderr)
            continue
        reviewed.add((application.name, application.version))
    labels = [label for label in read(LABELS) if label.key[:2] in reviewed]
    print(table(*tallies(labels, findings)))
    return 0


def tallies(labels: list[Label], findings: set[Key]) -> tuple[dict[str, Tally], Tally]:
    """Count labels and findings per rule, and overall."""
    rules: defaultdict[str, Tally] = defaultdict(Tally)
    overall = Tally(findings=len(findings))
    for rule, count in Counter(key.rule for key in findings).items():
        rules[rule].findings = count
    for label in labels:
        for tally in (rules[label.key.rule], overall):
            tally.add(label, is_present=label.key in findings)
    return dict(rules), overall


def table(rules: dict[str, Tally], overall: Tally) -> str:
    """Draw the table for RESULTS.md."""
    rows = [
        "| rule | findings | true | false | precision | 95 % interval | true gone | false gone |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows += [row(rule, tally, RULE_GOAL) for rule, tally in sorted(rules.items())]
    rows.append(row("all", overall, OVERALL_GOAL))
    return "\n".join(rows)


def row(name: str, tally: Tally, goal: float) -> str:
    """Draw one row; a precision below its goal says so."""
    if tally.precision is None:
        precision = interval = "none labelled"
    else:
        precision = f"{tally.precision:.3f}" + (" below goal" if tally.precision < goal else "")
        low, high = wilson(tally.true, tally.true + tally.false)
        interval = f"{low:.2f} to {high:.2f}"
    return (
        f"| {name} | {tally.findings} | {tally.true} | {tally.false} | {precision} | {interval}"
        f" | {tally.true_gone} | {tally.false_gone} |"
    )


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return Wilson's interval for a share."""
    share, square = successes / trials, NORMAL_95**2
    scale = 1 + square / trials
    centre = (share + square / (2 * trials)) / scale
    spread = share * (1 - share) / trials + square / (4 * trials**2)
    half = NORMAL_95 * math.sqrt(spread) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


if __name__ == "__main__":
    sys.exit(main())
