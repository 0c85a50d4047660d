"""The difference of two contracts, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fastwright.verify.difference import Change


def text(changes: Sequence[Change]) -> str:
    """Return a line for each difference, and one that counts them."""
    if not changes:
        return "same: the contract has not changed.\n"
    breaking = sum(change.kind == "breaking" for change in changes)
    last = f"{len(changes)} differences, {breaking} of them breaking."
    if len(changes) == 1:
        last = f"1 difference, {'breaking' if breaking else 'compatible'}."
    return "\n".join([*(change.told() for change in changes), "", last, ""])


def document(changes: Sequence[Change]) -> str:
    """Return the differences as JSON."""
    found = {"version": 1, "changes": changes}
    return msgspec.json.format(msgspec.json.encode(found)).decode()
