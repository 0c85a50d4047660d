"""Every rule reports exactly the marked lines of its cases: neither more nor fewer."""

from __future__ import annotations

import textwrap

import pytest

from fastwright.app.memory import app_from
from fastwright.rules.registry import RegisteredRule, rules
from fastwright.rules.rule import MARK, Case

CASES = [
    pytest.param(rule, case, id=f"{rule.name}: {case.title}")
    for rule in rules().values()
    for case in rule.cases
]


def sources(case: Case) -> dict[str, str]:
    return {path: textwrap.dedent(text).lstrip("\n") for path, text in case.files.items()}


def marked(files: dict[str, str]) -> list[tuple[str, int]]:
    return sorted(
        (path, number)
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if line.rstrip().endswith(MARK)
    )


def reported(rule: RegisteredRule, case: Case) -> list[tuple[str, int]]:
    app = app_from(sources(case), case.installed)
    if rule.rule.app is not None:
        hits = list(rule.rule.app(app))
    else:
        assert rule.rule.module is not None
        hits = [h for m in app.sources for h in rule.rule.module(m, app.versions)]
    return sorted((hit.place.file, hit.place.line) for hit in hits)


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_case(rule: RegisteredRule, case: Case) -> None:
    assert reported(rule, case) == marked(sources(case))


@pytest.mark.parametrize("rule", rules().values(), ids=lambda rule: rule.name)
def test_rule_is_documented_and_shown(rule: RegisteredRule) -> None:
    assert rule.doc.strip(), "the docstring of the file is the documentation page"
    assert rule.rule.mend.strip()
    assert (rule.rule.module is None) != (rule.rule.app is None)
    assert any(marked(sources(case)) for case in rule.cases), "a case that is reported"
    assert any(not marked(sources(case)) for case in rule.cases), "a near-miss"
