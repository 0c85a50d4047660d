"""Draw a sample of findings over the corpus, to be judged by reading the code.

    python -m benchmarks.labels.sample [--size 300] [--seed 1] [--output FILE] [NAME ...]

Stratified by rule: the rules take turns, so that a rule with few findings has all of them in the
sample, and none is drowned by a rule with many; within a rule the applications take turns likewise.
The same seed over the same findings draws the same sample. What is labelled already is not drawn
again, unless --again is given. Prints (or writes) records with an empty verdict, to be filled in
and appended to labels.jsonl, and a count per rule on the error stream.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.corpus import add_names, chosen
from benchmarks.labels.judged import LABELS, Key, present, read
from benchmarks.tool import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

SIZE = 300


def main() -> None:
    """Draw a sample and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="instead of the standard output")
    parser.add_argument("--again", action="store_true", help="draw what is labelled already too")
    add_names(parser)
    options = parser.parse_args()
    findings: dict[Key, dict[str, Any]] = {}
    for application in chosen(options.names):
        try:
            findings.update(present(application))
        except ToolError as error:
            print(f"{application.name}: {error}", file=sys.stderr)
    known = set() if options.again else {label.key for label in read(LABELS)}
    keys = sample([key for key in findings if key not in known], options.size, options.seed)
    text = "".join(json.dumps(record(key, findings[key])) + "\n" for key in sorted(keys))
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    for rule, count in sorted(Counter(key.rule for key in keys).items()):
        print(f"{count:5} {rule}", file=sys.stderr)
    print(f"{len(keys):5} of {len(findings)} findings", file=sys.stderr)


def sample(keys: list[Key], size: int, seed: int) -> list[Key]:
    """Draw keys, the rules taking turns, and within a rule the applications."""
    shuffled = sorted(keys)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - a sample, not a secret
    turns = in_turn(shuffled, lambda key: key.rule, lambda key: key.application)
    return [key for key, _ in zip(turns, range(size), strict=False)]


def in_turn(keys: list[Key], *by: Callable[[Key], Hashable]) -> Iterator[Key]:
    """Yield keys one of each group at a time, each group in turn by the further groupings."""
    if not by:
        yield from keys
        return
    groups: defaultdict[Hashable, list[Key]] = defaultdict(list)
    for key in keys:
        groups[by[0](key)].append(key)
    waiting = [in_turn(group, *by[1:]) for group in groups.values()]
    while waiting:
        still = []
        for group in waiting:
            for key in islice(group, 1):
                yield key
                still.append(group)
        waiting = still


def record(key: Key, finding: dict[str, Any]) -> dict[str, Any]:
    """Make the record that a reader fills in: the label's fields, then what helps to judge."""
    return {
        **key._asdict(),
        "verdict": None,
        "why": "",
        "function": finding.get("function"),
        "message": finding["message"],
        "evidence": [
            f"{place['file']}:{place['line']} {place.get('note') or ''}".strip()
            for place in finding.get("evidence") or ()
        ],
    }


if __name__ == "__main__":
    main()
