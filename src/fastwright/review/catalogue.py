"""The catalogue: every rule that can be selected, suppressed or explained."""

from __future__ import annotations

from fastwright.project.errors import SelectionError, nearest
from fastwright.review.suppress import UNUSED_SUPPRESSION
from fastwright.rules.registry import RegisteredRule, rules


def known_rules() -> dict[str, RegisteredRule]:
    """Return every rule by name, sorted, the one about suppressions among them."""
    found = {**rules(), UNUSED_SUPPRESSION.name: UNUSED_SUPPRESSION}
    return dict(sorted(found.items()))


def find_rule(name: str) -> RegisteredRule:
    """Return the rule of that name. Raises SelectionError with the nearest name."""
    known = known_rules()
    if name not in known:
        raise SelectionError(
            f"there is no rule {name!r}.{nearest(name, known)}",
            "`fastwright rules` lists what there is.",
        )
    return known[name]


def by_family() -> dict[str, list[RegisteredRule]]:
    """Return the rules of each family, families and rules sorted by name."""
    found: dict[str, list[RegisteredRule]] = {}
    for rule in known_rules().values():
        found.setdefault(rule.family, []).append(rule)
    return dict(sorted(found.items()))
