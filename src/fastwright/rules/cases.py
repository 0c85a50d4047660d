"""Cases as tests: what a rule reports beside what is marked. For our tests and those of plug-ins."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from fastwright.app.memory import app_from
from fastwright.edit.apply import apply
from fastwright.read.reader import read
from fastwright.rules.finding import Hit
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


def wrong_fix(rule: Rule, case: Case) -> str | None:
    """Return how the fixes of a rule fail a case, or None.

    They must make of its files what ``after`` says (what it does not name, or says unchanged, stays),
    leave nothing behind that they could mend once more, and break no file.
    """
    files = {path: _plain(text) for path, text in case.files.items()}
    installed = dict(case.installed)
    changed = mended(rule, files, installed)
    for path, text in sorted(changed.items()):
        if read(text.encode())[0].broken:
            return f"{path} can no longer be read:\n{text}"
    expected = {path: _plain(text) for path, text in case.after.items()}
    expected = {path: text for path, text in expected.items() if text != files[path]}
    if case.after and changed != expected:
        return "\n".join(f"{path} became:\n{text}" for path, text in sorted(changed.items()))
    again = mended(rule, files | changed, installed)
    return f"a second run changes {sorted(again)}" if again else None


def mended(rule: Rule, files: dict[str, str], installed: dict[str, str]) -> dict[str, str]:
    """Return the files that the fixes of a rule change, as they are then."""
    fixes = [hit.fix for hit in hits_of(rule, files, installed) if hit.fix is not None]
    sources = {path: text.encode() for path, text in files.items()}
    return {path: data.decode() for path, data in apply(sources, fixes).changed.items()}


def _plain(text: str) -> str:
    """Return the source of a case without the marks."""
    lines = textwrap.dedent(text).lstrip("\n").split("\n")
    return "\n".join(
        line.removesuffix(MARK).rstrip() if line.endswith(MARK) else line for line in lines
    )


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
    return sorted((hit.place.file, hit.place.line) for hit in hits_of(rule, files, installed))


def hits_of(rule: Rule, files: dict[str, str], installed: dict[str, str]) -> list[Hit]:
    """Return what a rule reports, in the order of the places."""
    app = app_from(files, installed)
    hits = list(rule.app(app)) if rule.app is not None else []
    if rule.module is not None:
        hits += [hit for module in app.sources for hit in rule.module(module, app.versions)]
    return sorted(hits, key=lambda hit: hit.place)


def _without(lines: list[tuple[str, int]], others: list[tuple[str, int]]) -> list[tuple[str, int]]:
    left = list(others)
    found = []
    for line in lines:
        if line in left:
            left.remove(line)
        else:
            found.append(line)
    return found
