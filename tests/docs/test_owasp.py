"""The page on the OWASP list names rules that there are."""

import re
from pathlib import Path

from fastwright.rules.registry import rules

PAGE = (Path(__file__).parents[2] / "docs" / "owasp.md").read_text()


def test_every_rule_that_is_named_exists() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| API")]
    assert len(rows) == 10
    named = {name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row)}
    assert named <= set(rules())


def test_security_rules_are_all_in_it() -> None:
    family = {rule.name for rule in rules().values() if rule.family == "security"}
    assert {name for name in family if f"`{name}`" not in PAGE} == set()
