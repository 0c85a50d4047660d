"""Style: new code looks as the project's own does, formatted with the project's own settings (Ruff)."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from ruff import find_ruff_bin  # type: ignore[import-untyped]

_SECONDS = 30


def in_style(root: Path, file: str, before: bytes | None, after: bytes) -> bytes:
    """Return a changed source (UTF-8), formatted where the file was formatted before.

    A file that was not is left as it is: formatting it would touch lines that nobody changed.
    """
    if not file.endswith(".py") or (
        before is not None and _formatted(root, file, before) != before
    ):
        return after
    return _formatted(root, file, after) or after


def _formatted(root: Path, file: str, source: bytes) -> bytes | None:
    """Return a source as Ruff formats it at that place; None where it cannot be told."""
    command = _ruff()
    if command is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - our own dependency
            [command, "format", "--quiet", "--stdin-filename", str(root / file), "-"],
            cwd=root,
            input=source,
            check=False,
            capture_output=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


@cache
def _ruff() -> str | None:
    try:
        return str(find_ruff_bin())
    except FileNotFoundError:
        return None
