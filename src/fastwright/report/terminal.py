"""Print styled lines on a terminal, in colour. The only file that imports rich."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from fastwright.report.styled import CUT, Line

_STYLES = {
    "title": "bold",
    "error": "bold red",
    "warning": "bold yellow",
    "info": "bold blue",
    "path": "bold",
    "rule": "cyan",
    "dim": "dim",
    "caret": "bold red",
    "added": "green",
    "removed": "red",
    "good": "green",
}


def show(lines: Iterable[Line], stream: TextIO) -> None:
    """Print lines; rich decides which colours the terminal has."""
    console = Console(file=stream, highlight=False, soft_wrap=True)
    python = Syntax("", "python", theme="ansi_dark", background_color="default")
    for row in lines:
        text = Text()
        for span in row:
            if span.style == "code":
                text.append_text(_highlighted(span.text, python))
            else:
                text.append(span.text, style=_STYLES.get(span.style, ""))
        console.print(text)


def show_markdown(text: str, stream: TextIO) -> None:
    """Print Markdown, rendered."""
    from rich.markdown import Markdown  # noqa: PLC0415 - only `explain` needs it

    Console(file=stream).print(Markdown(text))


def _highlighted(code: str, python: Syntax) -> Text:
    """Return a line of Python in colours, its spaces and where it was cut kept."""
    stripped = code.strip(f" {CUT}")
    before, after = code.split(stripped, 1) if stripped else (code, "")
    highlighted = python.highlight(stripped)
    highlighted.rstrip()
    return Text(before).append_text(highlighted).append(after)
