"""Every rule reports exactly the marked lines of its cases: neither more nor fewer."""

from __future__ import annotations

import pytest

from fastwright.rules.cases import marked, wrong_fix, wrong_lines
from fastwright.rules.registry import RegisteredRule, registry, rules
from fastwright.rules.rule import Case

CASES = [
    pytest.param(rule, case, id=f"{rule.name}: {case.title}")
    for rule in rules().values()
    for case in rule.cases
]


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_case(rule: RegisteredRule, case: Case) -> None:
    assert wrong_lines(rule.rule, case) == []


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_fix(rule: RegisteredRule, case: Case) -> None:
    assert (wrong := wrong_fix(rule.rule, case)) is None, wrong


@pytest.mark.parametrize("rule", rules().values(), ids=lambda rule: rule.name)
def test_rule_is_documented_and_shown(rule: RegisteredRule) -> None:
    assert rule.doc.strip(), "the docstring of the file is the documentation page"
    assert rule.rule.mend.strip()
    assert (rule.rule.module is None) != (rule.rule.app is None)
    assert any(marked(dict(case.files)) for case in rule.cases), "a case that is reported"
    assert any(not marked(dict(case.files)) for case in rule.cases), "a near-miss"


def test_every_rule_loads() -> None:
    assert registry().failures == {}
