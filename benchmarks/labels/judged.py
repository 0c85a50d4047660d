"""Labels: findings that a person judged by reading the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.tool import document

if TYPE_CHECKING:
    from benchmarks.corpus import Application

LABELS = Path(__file__).with_name("findings.jsonl")


class Key(NamedTuple):
    """What a finding is known by."""

    application: str
    version: str
    file: str
    line: int
    rule: str


class Label(NamedTuple):
    """A judged finding."""

    key: Key
    verdict: bool
    why: str


def read(path: Path) -> list[Label]:
    """Read the labels, refusing records that are not filled in."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_label(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _label(number: int, line: str) -> Label:
    record = json.loads(line)
    if not isinstance(record.get("verdict"), bool) or not record.get("why"):
        raise SystemExit(f"{LABELS.name}:{number}: no verdict (true or false), or no reason why")
    return Label(_key(record), record["verdict"], record["why"])


def _key(record: dict[str, Any]) -> Key:
    return Key(*(record[name] for name in Key._fields))


def present(application: Application) -> dict[Key, dict[str, Any]]:
    """Review an application and return its findings by key."""
    findings = document("review", application.source)["findings"]
    return {
        Key(
            application.name, application.version, finding["file"], finding["line"], finding["rule"]
        ): finding
        for finding in findings
    }
