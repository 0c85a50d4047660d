"""Cases as tests: what a rule reports beside what is marked. For our tests and those of plug-ins."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from fastwright.app.memory import app_from
from fastwright.rules.rule import MARK, Case, Rule


class Wrong(NamedTuple):
    """A line where a rule and a case differ: ``missing`` or ``unexpected``."""

    file: str
    line: int
    what: str


def wrong_lines(rule: Rule, case: Case) -> list[Wrong]:
    """Return the lines that are marked and not reported, and those that are reported and not marked."""
    files = {path: textwrap.dedent(text).lstrip("\n") for path, text in case.files.items()}
    expected, found = marked(files), reported(rule, files, dict(case.installed))
    wrong = [Wrong(*line, "missing") for line in _without(expected, found)]
    wrong += [Wrong(*line, "unexpected") for line in _without(found, expected)]
    return sorted(wrong)


def marked(files: dict[str, str]) -> list[tuple[str, int]]:
    """Return file and number of the lines that end with the mark."""
    return sorted(
        (path, number)
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if line.rstrip().endswith(MARK)
    )


def reported(rule: Rule, files: dict[str, str], installed: dict[str, str]) -> list[tuple[str, int]]:
    """Return file and line of what a rule reports, once for each hit."""
    app = app_from(files, installed)
    hits = list(rule.app(app)) if rule.app is not None else []
    if rule.module is not None:
        hits += [hit for module in app.sources for hit in rule.module(module, app.versions)]
    return sorted((hit.place.file, hit.place.line) for hit in hits)


def _without(lines: list[tuple[str, int]], others: list[tuple[str, int]]) -> list[tuple[str, int]]:
    left = list(others)
    found = []
    for line in lines:
        if line in left:
            left.remove(line)
        else:
            found.append(line)
    return found
