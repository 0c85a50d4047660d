"""Change every application of the corpus, in memory: it stays one, and a second run is idle.

    python -m benchmarks.changes [--recipe NAME | --restructure layered|clean] [APPLICATION ...]

For each application: steps that were made, what was left alone and what was refused because verifying failed, files
that do not compile any more with CPython, read names that nothing binds, bind a name twice or import for nothing
(Ruff's F821, F811, F401), and steps of a second run
(goal: none of the last three). Nothing is written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from typing import NamedTuple

from ruff import find_ruff_bin

from benchmarks.corpus import Application, chosen
from fastwright.read.reader import Unreadable, to_utf8
from fastwright.recipes.recipe import Target
from fastwright.recipes.registry import find_recipe
from fastwright.review.run import Options
from fastwright.steps.fixes import Choice, fixes
from fastwright.steps.recipes import refactor
from fastwright.steps.restructure import restructure
from fastwright.steps.step import Done, Left
from fastwright.steps.tree import Steps, Tree

WRONG = ("contract would change", "would not be Python", "stands in the way", "is there already")
"""Reasons that are about the step, not about the code that it leaves alone."""


class Run(NamedTuple):
    """What became of one application."""

    tree: Tree
    done: list[Done]
    left: list[Left]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", metavar="NAME", help="a recipe instead of the fixes")
    parser.add_argument("--restructure", choices=("layered", "clean"))
    parser.add_argument("--list", action="store_true", help="list what was refused")
    parser.add_argument("names", nargs="*", metavar="APPLICATION")
    options = parser.parse_args()
    print(
        "| application | steps | places | files | left alone | refused | broken | second run | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for application in chosen(options.names):
        print(row(application, options), flush=True)
    return 0


def row(application: Application, options: argparse.Namespace) -> str:
    """Change an application, and change the result again."""
    started = time.perf_counter()
    tree = Tree.open(application.source, Options())
    first = run(steps(tree, options))
    refused = [left for left in first.left if any(reason in left.reason for reason in WRONG)]
    if options.list:
        for left in refused:
            print(
                f"refused {application.name} {left.name} {left.place} {left.reason}",
                file=sys.stderr,
            )
    second = run(steps(first.tree, options))
    places = sum(len(done.step.places) for done in first.done)
    files = {change.path for done in first.done for change in done.step.changes}
    again = Counter(done.step.name for done in second.done)
    idle = ", ".join(f"{name} {number}" for name, number in again.items()) or "nothing"
    seconds = time.perf_counter() - started
    return (
        f"| {application.name} | {len(first.done)} | {places} | {len(files)}"
        f" | {len(first.left) - len(refused)} | {len(refused)}"
        f" | {broken(tree, first.tree, files)} | {idle} | {seconds:.0f} |"
    )


def steps(tree: Tree, options: argparse.Namespace) -> Steps:
    """Return the steps that were asked for."""
    if options.restructure:
        return restructure(tree, options.restructure, contract_changes=False)
    if options.recipe:
        return refactor(tree, find_recipe(options.recipe), Target())
    return fixes(tree, Choice())


def run(planned: Steps) -> Run:
    """Make steps in memory."""
    done: list[Done] = []
    left: list[Left] = []
    while True:
        try:
            each = next(planned)
        except StopIteration as stop:
            return Run(stop.value, done, left)
        if isinstance(each, Left):
            left.append(each)
        else:
            done.append(each[1])


def broken(before: Tree, after: Tree, files: set[str]) -> int:
    """Count the files that compiled before and do not any more, or whose names are wrong now."""
    return sum(
        (compiles(before, file) and not compiles(after, file))
        or unbound(after, file) > unbound(before, file)
        for file in files
    )


def unbound(tree: Tree, file: str) -> int:
    """Count the names of a file that nothing binds, that are bound twice, or imported for nothing."""
    command = [
        find_ruff_bin(),
        "check",
        "--isolated",
        "--select",
        "F401,F811,F821",
        "--output-format",
        "json",
    ]
    source = to_utf8(tree.raw(file) or b"")
    done = subprocess.run(
        [*command, "--stdin-filename", file, "-"],
        input=b"" if isinstance(source, Unreadable) else source,
        check=False,
        capture_output=True,
    )
    return len(json.loads(done.stdout or b"[]"))


def compiles(tree: Tree, file: str) -> bool:
    """Whether CPython compiles a file; one that is gone or new counts as one that does."""
    source = to_utf8(tree.raw(file) or b"")
    try:
        compile(source if not isinstance(source, Unreadable) else b"", file, "exec")
    except (SyntaxError, ValueError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
