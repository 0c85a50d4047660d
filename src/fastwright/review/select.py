"""Which rules run, and which of their findings count in which file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from fastwright.project.errors import SelectionError, nearest
from fastwright.review.result import SEVERITIES
from fastwright.rules.registry import RegisteredRule

ALL = "all"
DEFAULT = "default"
RECOMMENDED = "recommended"
"""The same as ``default``: what is precise enough to be on for everybody."""
STRICT = "strict"
"""Every rule but those of low confidence, matters of taste among them."""
PROFILES = (RECOMMENDED, STRICT, "security", "performance", "architecture", ALL)

_NAMED, _FAMILY, _SEVERITY, _ALL, _DEFAULT, _NOT = 5, 4, 3, 2, 1, 0


class Selection(msgspec.Struct, frozen=True):
    """One source of settings: what it selects (None: nothing said) and what it ignores.

    A selector is the name of a rule, a family, a severity or a profile. Rules that are off by
    default come in only by their own name, by ``strict`` or by ``all``.
    """

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    origin: str = ""
    """Where it was said, for error messages: ``--select``, ``pyproject.toml``."""


class PathSelection(msgspec.Struct, frozen=True):
    """Settings for some files: if it selects, only that is on there; what it ignores is off."""

    files: tuple[str, ...]
    """The files, relative to the root."""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    origin: str = ""


class Chosen(msgspec.Struct, frozen=True):
    """The rules that a run uses."""

    everywhere: frozenset[str]
    by_file: Mapping[str, frozenset[str]] = {}
    """Files whose rules differ."""

    def rules(self) -> frozenset[str]:
        """Return every rule that has to run, for whichever files."""
        return self.everywhere.union(*self.by_file.values())

    def for_file(self, file: str) -> frozenset[str]:
        """Return the rules whose findings count in a file."""
        return self.by_file.get(file, self.everywhere)


def check_selectors(
    selectors: Iterable[str], rules: Mapping[str, RegisteredRule], origin: str
) -> None:
    """Refuse a selector that means nothing. Raises SelectionError with the nearest name."""
    families = (rule.family for rule in rules.values())
    known = {*rules, *families, *SEVERITIES, *PROFILES, DEFAULT}
    for selector in selectors:
        if selector not in known:
            raise SelectionError(
                f"{origin}: there is no rule, family, severity or profile {selector!r}."
                f"{nearest(selector, known)}",
                "`fastwright rules` lists what there is.",
            )


def choose(
    rules: Mapping[str, RegisteredRule],
    selections: Iterable[Selection],
    paths: Iterable[PathSelection] = (),
) -> Chosen:
    """Return the rules that run.

    Later selections win: one that selects replaces all that was said before, one that only
    ignores adds to it. Within one, the more specific selector wins, and at a tie ``ignore``.
    For a file, the settings of its path come on top, one after the other. Raises SelectionError.
    """
    merged = _merge(rules, selections)
    everywhere = frozenset(name for name, rule in rules.items() if _is_on(rule, merged))
    return Chosen(everywhere, _by_file(rules, everywhere, paths))


def _merge(rules: Mapping[str, RegisteredRule], selections: Iterable[Selection]) -> Selection:
    merged = Selection()
    for selection in selections:
        check_selectors((*(selection.select or ()), *selection.ignore), rules, selection.origin)
        if selection.select is not None:
            merged = selection
        else:
            merged = Selection(merged.select, (*merged.ignore, *selection.ignore))
    return merged


def _is_on(rule: RegisteredRule, selection: Selection) -> bool:
    wanted = (DEFAULT,) if selection.select is None else selection.select
    selected = max((_selects(selector, rule) for selector in wanted), default=_NOT)
    ignored = max((_rank(selector, rule) for selector in selection.ignore), default=_NOT)
    return selected > ignored


def _selects(selector: str, rule: RegisteredRule) -> int:
    """Return how specifically a selector turns a rule on, 0 for not at all."""
    rank = _rank(selector, rule)
    return rank if rule.rule.default or rank in {_NAMED, _ALL} else _NOT


def _rank(selector: str, rule: RegisteredRule) -> int:
    """Return how specific a selector is that covers the rule, 0 if it does not."""
    ranks: dict[str, int] = {
        DEFAULT: _DEFAULT,
        RECOMMENDED: _DEFAULT,
        ALL: _ALL,
        STRICT: _ALL if rule.rule.confidence != "low" else _NOT,
        rule.rule.severity: _SEVERITY,
        rule.family: _FAMILY,
        rule.name: _NAMED,
    }
    for profile in rule.rule.profiles:
        ranks[profile] = _FAMILY
    return ranks.get(selector, _NOT)


def _by_file(
    rules: Mapping[str, RegisteredRule], everywhere: frozenset[str], paths: Iterable[PathSelection]
) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for path in paths:
        check_selectors((*path.select, *path.ignore), rules, path.origin)
        only = {n for n, rule in rules.items() if any(_selects(s, rule) for s in path.select)}
        off = {n for n, rule in rules.items() if any(_rank(s, rule) for s in path.ignore)}
        for file in path.files:
            before = frozenset(only) if path.select else found.get(file, everywhere)
            found[file] = before - off
    return found
