"""Fingerprints: what makes a finding the same one after the lines around it have moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from fastwright.review.sources import Sources
from fastwright.rules.finding import Finding


class Fingerprint(NamedTuple):
    """The identity of a finding; equal ones are told apart by how many there are."""

    file: str
    rule: str
    function: str
    code: str


class Difference(NamedTuple):
    """Findings beyond those that were known, how many were known, and how many are gone."""

    new: tuple[Finding, ...]
    known: int
    gone: int


def fingerprint(finding: Finding, sources: Sources) -> Fingerprint:
    """Return the fingerprint of a finding: its rule, place by name, and its line, spaces aside."""
    place = finding.place
    code = " ".join(sources.line(place.file, place.line).split())
    return Fingerprint(place.file, finding.rule, place.function or "", code)


def count(findings: Iterable[Finding], sources: Sources) -> Counter[Fingerprint]:
    """Return how many findings have each fingerprint."""
    return Counter(fingerprint(finding, sources) for finding in findings)


def subtract(
    findings: Iterable[Finding], sources: Sources, known: Counter[Fingerprint]
) -> Difference:
    """Return what is new: of equal findings, as many as were known are the first ones."""
    left = known.copy()
    new: list[Finding] = []
    held = 0
    for finding in findings:
        key = fingerprint(finding, sources)
        if left[key] > 0:
            left[key] -= 1
            held += 1
        else:
            new.append(finding)
    return Difference(tuple(new), held, left.total())
