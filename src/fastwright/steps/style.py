"""Style: new code looks as the project's own does, formatted with the project's own settings (Ruff's, or Black's)."""

from __future__ import annotations

import subprocess
import tomllib
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
            [
                command,
                "format",
                "--quiet",
                *_of_black(root),
                "--stdin-filename",
                str(root / file),
                "-",
            ],
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
def _of_black(root: Path) -> tuple[str, ...]:
    """Return what Ruff is told of Black's settings, where the project has those and none of Ruff's own."""
    try:
        tools = tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return ()
    black = tools.get("black") if isinstance(tools, dict) else None
    own = isinstance(tools, dict) and "ruff" in tools
    own = own or (root / "ruff.toml").is_file() or (root / ".ruff.toml").is_file()
    if own or not isinstance(black, dict):
        return ()
    said: tuple[str, ...] = ()
    if isinstance(black.get("line-length"), int):
        said += ("--line-length", str(black["line-length"]))
    if black.get("skip-string-normalization") is True:
        said += ("--config", "format.quote-style='preserve'")
    return said


@cache
def _ruff() -> str | None:
    try:
        return str(find_ruff_bin())
    except FileNotFoundError:
        return None
