"""Where a report goes: a file, a pipe or a terminal, and how paths read from there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from fastwright.project.errors import PathError
from fastwright.report.styled import Line, plain


def write(text: str, output: Path | None) -> None:
    """Write a text to a file, or to standard output. Raises PathError, BrokenPipeError."""
    if output is None:
        _write(text, sys.stdout)
        return
    try:
        output.write_bytes(text.encode(errors="backslashreplace"))
    except OSError as error:
        raise PathError(
            f"{output} cannot be written: {error.strerror}",
            "Give --output a file in a folder that exists and that you may write to.",
        ) from error


def write_lines(lines: Iterable[Line], output: Path | None) -> None:
    """Write styled lines: in colour on a terminal, plain elsewhere."""
    if output is None and in_colour(sys.stdout, os.environ):
        from fastwright.report.terminal import show  # noqa: PLC0415 - rich only where it shows

        show(lines, sys.stdout)
    else:
        write(plain(lines), output)


def write_markdown(text: str, output: Path | None) -> None:
    """Write Markdown: rendered on a terminal, as it is elsewhere."""
    if output is None and in_colour(sys.stdout, os.environ):
        from fastwright.report.terminal import show_markdown  # noqa: PLC0415 - see above

        show_markdown(text, sys.stdout)
    else:
        write(text, output)


def in_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a stream is a terminal that shows colours, or the user says so (FORCE_COLOR)."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environment.get("TERM") != "dumb"


def _write(text: str, stream: TextIO) -> None:
    """Write a text, showing what the stream's encoding does not have as escapes."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def prefix(root: Path, start: Path) -> str:
    """Return the way from ``start`` to the root, ending in a slash, or nothing."""
    try:
        way = os.path.relpath(root, start)
    except ValueError:  # another drive
        return f"{root.as_posix()}/"
    return "" if way == "." else f"{Path(way).as_posix()}/"


def start_of(form: str, environment: Mapping[str, str]) -> Path:
    """Return what shown paths are relative to: code hosts want the top of the checkout."""
    workspace = environment.get("GITHUB_WORKSPACE")
    return Path(workspace) if workspace and form in {"github", "sarif"} else Path.cwd()
