"""Baselines: adopt fastwright on an old code base; only findings that are new fail.

The file is JSON, sorted, one entry a line, made to be committed. Entries hold no line numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from fastwright.project.errors import FastwrightError
from fastwright.review import fingerprint
from fastwright.review.fingerprint import Difference, Fingerprint
from fastwright.review.sources import Sources
from fastwright.rules.finding import Finding

VERSION = 1


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Findings that are known: ``count`` of them alike."""

    file: str
    rule: str
    code: str
    function: str = ""
    count: int = 1


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    findings: list[Entry]


def write(path: Path, findings: Iterable[Finding], sources: Sources) -> None:
    """Write the baseline that holds exactly these findings. Raises FastwrightError."""
    counted = sorted(fingerprint.count(findings, sources).items())
    entries = [Entry(k.file, k.rule, k.code, k.function, number) for k, number in counted]
    lines = ",\n".join("    " + msgspec.json.encode(entry).decode() for entry in entries)
    body = f"[\n{lines}\n  ]" if lines else "[]"
    try:
        path.write_text(
            f'{{\n  "version": {VERSION},\n  "findings": {body}\n}}\n',
            encoding="utf-8",
            newline="\n",
        )
    except OSError as error:
        raise FastwrightError(
            f"the baseline {path} cannot be written: {error.strerror}",
            "Give a file in a folder that exists and that you may write to.",
        ) from error


def load(path: Path) -> Counter[Fingerprint]:
    """Return the fingerprints of a baseline with their counts. Raises FastwrightError."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_Document)
    except FileNotFoundError as error:
        raise FastwrightError(
            f"there is no baseline {path}",
            "Write it with --write-baseline: it then holds the findings of today.",
        ) from error
    except OSError as error:
        raise FastwrightError(
            f"the baseline {path} cannot be read: {error.strerror}",
            "Give a file that you may read.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FastwrightError(
            f"the baseline {path} is not one: {error}", "Write it anew with --write-baseline."
        ) from error
    if document.version != VERSION:
        raise FastwrightError(
            f"the baseline {path} has version {document.version}, this fastwright reads {VERSION}",
            "Write it anew with --write-baseline.",
        )
    known: Counter[Fingerprint] = Counter()
    for entry in document.findings:
        known[Fingerprint(entry.file, entry.rule, entry.function, entry.code)] += entry.count
    return known


def hold_back(findings: Iterable[Finding], sources: Sources, path: Path) -> Difference:
    """Return what the baseline does not hold. Raises FastwrightError."""
    return fingerprint.subtract(findings, sources, load(path))
