"""``regex`` of Pydantic 1 as ``pattern`` of version 2, which another engine reads, from anywhere."""

from __future__ import annotations

import re

from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module

_NOT_IN_RUST = re.compile(r"\(\?(?:=|!|<[=!]|P=|\()|\\[1-9]")
"""What looks around or back: version 2 does not take it."""
_STARTS = ("^", "\\A")


def pattern(module: Module, value: s.Expr) -> str | None:
    """Return how a regular expression is written for version 2; None where it cannot be told.

    Version 1 matched from the start of a text: ``^`` says so.
    """
    found = s.string(value)
    written = text(module, value)
    opening = re.match(r"[rR]?(?=['\"])(?!'''|\"\"\")['\"]", written)
    if found is None or opening is None or _NOT_IN_RUST.search(found):
        return None
    if not _is_one(found) or "\n" in written:
        return None
    if found.startswith(_STARTS):
        return written
    return f"{opening.group()}^{written[opening.end() :]}"


def _is_one(found: str) -> bool:
    """Whether alternatives, if there are any, stand in parentheses."""
    depth = 0
    for sign in re.sub(r"\\.|\[[^]]*\]", "", found):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "|" and depth == 0:
            return False
    return True
