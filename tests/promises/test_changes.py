"""Every fix and every recipe, on code that nobody wrote a case for: the result is Python, a second run is
idle, and no line changes but those of the edits that are reported.

The input is generated: cases of all rules and recipes, spelled otherwise (comments, blank lines, line ends);
and real: the examples, and applications from PyPI, which are downloaded for it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.corpus import cache
from fastwright.app.memory import app_from
from fastwright.edit.apply import apply
from fastwright.edit.fix import Fix
from fastwright.read.reader import read
from fastwright.recipes.recipe import Proposal, Target
from fastwright.recipes.registry import RegisteredRecipe, find_recipe, recipes
from fastwright.review.run import Options
from fastwright.rules.cases import hits_of
from fastwright.rules.registry import RegisteredRule, rules
from fastwright.rules.rule import MARK
from fastwright.steps.fixes import Choice, fixes
from fastwright.steps.recipes import refactor
from fastwright.steps.step import Done
from fastwright.steps.tree import Steps, Tree

ROOT = Path(__file__).parents[2]
MOST = 60
GENERATED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
FIXED = [(rule, case) for rule in rules().values() for case in rule.cases if case.after]
REFACTORED = [(recipe, case) for recipe in recipes().values() for case in recipe.cases]


def spelled(text: str) -> str:
    """Return the source of a rule's case as it is in a file."""
    lines = textwrap.dedent(text).lstrip("\n").split("\n")
    return "\n".join(
        line.removesuffix(MARK).rstrip() if line.endswith(MARK) else line for line in lines
    )


@st.composite
def respelled(draw: st.DrawFn, files: Mapping[str, str]) -> dict[str, str]:
    """Draw the same files with other comments, blank lines and line ends: the same program."""
    found = {}
    for path, text in files.items():
        if not path.endswith(".py") or not text.strip():
            found[path] = text
            continue
        lines = text.split("\n")
        inside = {
            number
            for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno != node.lineno
            for number in range(node.lineno, (node.end_lineno or 0) + 1)
        }
        starts = {node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)}
        chosen = draw(st.lists(st.sampled_from(sorted(starts)), max_size=3, unique=True))
        for number in sorted(chosen, reverse=True):
            line = lines[number - 1]
            indentation = line[: len(line) - len(line.lstrip())]
            how = draw(st.sampled_from(("comment before", "blank before", "comment behind")))
            if how == "comment before":
                lines.insert(number - 1, f"{indentation}# kept {number}")
            elif how == "blank before":
                lines.insert(number - 1, "")
            elif number not in inside and not line.endswith("\\"):
                lines[number - 1] = f"{line}  # kept {number}"
        end = draw(st.sampled_from(("\n", "\n", "\r\n")))
        found[path] = end.join(lines)
    return found


def outside(before: bytes, after: bytes, edits: Iterable[tuple[int, int]]) -> list[str]:
    """Return the lines of a file that no edit touches and that are not there any more, in their order.

    Blank lines and imports come and go with what needs them.
    """
    touched: set[int] = set()
    for start, end in edits:
        first = before.count(b"\n", 0, start)
        touched |= set(range(first, before.count(b"\n", 0, end) + 1))
    for node in ast.walk(ast.parse(before)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            touched |= set(range(node.lineno - 1, node.end_lineno or node.lineno))
    left = iter(after.splitlines())
    return [
        line.decode()
        for number, line in enumerate(before.splitlines())
        if number not in touched and line.strip() and line not in left
    ]


def check(sources: Mapping[str, bytes], fix: Fix, changed: Mapping[str, bytes]) -> None:
    for path, after in changed.items():
        if path.endswith(".py"):
            assert not read(after)[0].broken, after.decode()
            edits = [(edit.start, edit.end) for edit in fix.edits if edit.file == path]
            assert outside(sources[path], after, edits) == []


@given(st.data())
@GENERATED
def test_fixes(data: st.DataObject) -> None:
    rule, case = data.draw(st.sampled_from(FIXED))
    plain = {path: spelled(text) for path, text in case.files.items()}
    files = data.draw(respelled(plain))
    changed = mend(rule, files, dict(case.installed))
    again = mend(rule, {**files, **changed}, dict(case.installed))
    assert again == {}, "a second run changes something"


def mend(rule: RegisteredRule, files: dict[str, str], installed: dict[str, str]) -> dict[str, str]:
    found = [hit.fix for hit in hits_of(rule.rule, files, installed) if hit.fix is not None]
    sources = {path: text.encode() for path, text in files.items()}
    applied = apply(sources, found)
    edits = tuple(edit for fix in applied.made for edit in fix.edits)
    check(sources, Fix("safe", edits), applied.changed)
    return {path: source.decode() for path, source in applied.changed.items()}


@given(st.data())
@GENERATED
def test_recipes(data: st.DataObject) -> None:
    recipe, case = data.draw(st.sampled_from(REFACTORED))
    files = data.draw(respelled(case.before))
    after = change(recipe, files, case.target, dict(case.installed))
    app = app_from(after, dict(case.installed))
    assert not [
        each for each in recipe.recipe.plan(app, case.target) if isinstance(each, Proposal)
    ], "a second run changes something"


def change(
    recipe: RegisteredRecipe, files: Mapping[str, str], target: Target, installed: dict[str, str]
) -> dict[str, str]:
    found = dict(files)
    for _ in range(MOST):
        app = app_from(found, installed)
        planned = (each for each in recipe.recipe.plan(app, target) if isinstance(each, Proposal))
        proposal = next(planned, None)
        if proposal is None:
            return found
        found |= proposal.new
        sources = {path: text.encode() for path, text in found.items()}
        fix = Fix("safe", proposal.edits, proposal.imports)
        applied = apply(sources, (fix,))
        kept = {p: s for p, s in applied.changed.items() if p not in proposal.new}
        check(sources, fix, kept)
        found |= {path: source.decode() for path, source in applied.changed.items()}
        found = {path: text for path, text in found.items() if path not in proposal.gone}
    pytest.fail("the recipe does not end")


EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir())
CORPUS = ("argilla-server", "fief-server", "opal-server")


@pytest.fixture
def project(request: pytest.FixtureRequest) -> Path:
    """Return the folder of an application: an example, or one that is downloaded."""
    if request.param in EXAMPLES:
        return ROOT / "examples" / request.param
    with FileLock(Path(tempfile.gettempdir()) / "fastwright-corpus.lock"):
        fetch = [sys.executable, "-m", "benchmarks.fetch_corpus", request.param]
        subprocess.run(fetch, cwd=ROOT, check=True, capture_output=True)
    return cache() / "src" / request.param


@pytest.mark.slow
@pytest.mark.parametrize("what", ["fix", *recipes()])
@pytest.mark.parametrize("project", [*EXAMPLES, *CORPUS], indirect=True)
def test_applications(project: Path, what: str) -> None:
    tree = Tree.open(project, Options())
    broken = tree.broken
    after = last(started(tree, what))
    assert after.broken <= broken
    assert last(started(after, what)) is after, "a second run changes something"


@pytest.mark.slow
@pytest.mark.parametrize("project", [*EXAMPLES, *CORPUS], indirect=True)
def test_lines_of_applications(project: Path) -> None:
    tree = Tree.open(project, Options())
    for fix, new in proposed(tree):
        files = {each.file for each in (*fix.edits, *fix.imports)} - set(new)
        sources = {file: tree.text(file) for file in files}
        applied = apply({**sources, **new}, (fix,), tree.packages).changed
        check(sources, fix, {file: after for file, after in applied.items() if file not in new})


def proposed(tree: Tree) -> Iterator[tuple[Fix, dict[str, bytes]]]:
    for fix in tree.find(None).fixes.values():
        yield fix, {}
    for recipe in recipes().values():
        for each in recipe.recipe.plan(tree.app, Target(style="clean")):
            if isinstance(each, Proposal):
                new = {path: source.encode() for path, source in each.new.items()}
                yield Fix("safe", each.edits, each.imports), new


def started(tree: Tree, what: str) -> Steps:
    if what == "fix":
        return fixes(tree, Choice(contract_changes=True))
    return refactor(tree, find_recipe(what), Target(style="clean"))


def last(planned: Steps) -> Tree:
    while True:
        try:
            each = next(planned)
        except StopIteration as stop:
            return stop.value
        if isinstance(each, tuple):
            assert isinstance(each[1], Done)
