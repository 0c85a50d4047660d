"""Fixes as steps: one for each rule, its fixes together; one that fails does not hold up the others."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import msgspec

from fastwright.edit.apply import Applied, apply
from fastwright.edit.fix import Applicability, Fix
from fastwright.project.errors import FastwrightError
from fastwright.review.run import Found
from fastwright.rules.finding import Finding
from fastwright.rules.registry import rules
from fastwright.steps.step import Done, Left, Step
from fastwright.steps.tree import Steps, Tree
from fastwright.steps.verify import Verdict, verify

_ROUNDS = 5
"""How often rules are asked again: for fixes that stood in each other's way, or that come of others."""


class Choice(msgspec.Struct, frozen=True):
    """Which fixes are made."""

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    contract_changes: bool = False
    """Also those that change the contract in the way that they declare."""

    @property
    def kinds(self) -> frozenset[Applicability]:
        """What is made; a suggestion never is."""
        return frozenset({"safe", "contract"} if self.contract_changes else {"safe"})


def fixes(tree: Tree, choice: Choice) -> Steps:
    """Make the fixes of every rule; yield each step with the tree after it, and what is left alone."""
    told: set[tuple[str, str]] = set()
    taken_back: set[str] = set()
    for _ in range(_ROUNDS):  # what one rule mends may be what another one waits for
        before = tree
        found = tree.find(choice.select, choice.ignore)
        names = {finding.rule for finding in _wanted(found, choice.kinds)}
        for rule in sorted(names - taken_back):
            tree, stands = yield from _of_rule(tree, rule, choice.kinds, told)
            if not stands:
                taken_back.add(rule)
        if tree is before:
            break
    return tree


def _wanted(found: Found, kinds: frozenset[Applicability]) -> dict[Finding, Fix]:
    return {
        finding: fix
        for finding in found.findings
        if (fix := found.fixes.get(finding)) is not None and fix.applicability in kinds
    }


def _of_rule(
    tree: Tree, rule: str, kinds: frozenset[Applicability], told: set[tuple[str, str]]
) -> Generator[tuple[Tree, Done] | Left, bool | None, tuple[Tree, bool]]:
    """Make the fixes of one rule, as one step, or as few as stand in each other's way.

    Returns the tree after them, and whether they stand: a step may be taken back.
    """
    for _ in range(_ROUNDS):
        attempt = _Attempt(tree, rule)
        step, after, verdict = attempt.most(_wanted(tree.find((rule,)), kinds))
        for left in attempt.left:
            if (rule, left.reason) not in told:  # places move, reasons stay
                told.add((rule, left.reason))
                yield left
        if step is None:
            break
        if (yield after, Done(step, ("parses", "model"), verdict.contract)) is False:
            return tree, False
        tree = after
    return tree, True


class _Attempt:
    """Finds out which fixes of a rule may stand together, all seen from the same tree."""

    def __init__(self, tree: Tree, rule: str) -> None:
        self._tree = tree
        self._rule = rule
        self.left: list[Left] = []

    def most(self, wanted: Mapping[Finding, Fix]) -> tuple[Step | None, Tree, Verdict]:
        """Return the step that makes as many of the fixes as can be made, None where it is none."""
        step, after, verdict = self._try(wanted)
        if verdict.reason is None:
            return (step if step.changes else None), after, verdict
        good = self._good(wanted)
        return self.most(good) if good else (None, self._tree, verdict)

    def _good(self, wanted: Mapping[Finding, Fix]) -> dict[Finding, Fix]:
        """Return fixes that can be made together; the others are left, each with its reason."""
        _, _, verdict = self._try(wanted)
        if verdict.reason is None:
            return dict(wanted)
        if len(wanted) == 1:
            (finding,) = wanted
            place = f"{finding.place.file}:{finding.place.line}"
            self.left.append(Left(self._rule, place, verdict.reason))
            return {}
        items = list(wanted.items())
        half = len(items) // 2
        first = self._good(dict(items[:half]))
        second = self._good(dict(items[half:]))
        both = {**first, **second}
        if self._try(both)[2].reason is None:
            return both
        return first or second  # the others in the next round

    def _try(self, wanted: Mapping[Finding, Fix]) -> tuple[Step, Tree, Verdict]:
        step = self._step(wanted)
        try:
            applied = self._applied(wanted)
            changes = self._tree.changes(applied.changed)
        except FastwrightError as error:
            return step, self._tree, Verdict(error.message)
        places = sorted(
            f"{finding.place.file}:{finding.place.line}"
            for finding, fix in wanted.items()
            if fix in applied.made
        )
        step = msgspec.structs.replace(step, changes=changes, places=tuple(places))
        after = self._tree.after(changes)
        return step, after, verify(step, self._tree, after)

    def _applied(self, wanted: Mapping[Finding, Fix]) -> Applied:
        files = {edit.file for fix in wanted.values() for edit in fix.edits}
        files |= {needed.file for fix in wanted.values() for needed in fix.imports}
        sources = {file: self._tree.text(file) for file in files}
        return apply(sources, wanted.values(), self._tree.packages)

    def _step(self, wanted: Mapping[Finding, Fix]) -> Step:
        rule = rules()[self._rule].rule
        kinds = {fix.applicability for fix in wanted.values()}
        return Step(
            self._rule,
            rule.summary,
            rule.mend,
            "contract" if "contract" in kinds else "safe",
            (),
        )
