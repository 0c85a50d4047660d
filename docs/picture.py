"""Draw the picture of the README: a real review of the example, as the terminal shows it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
COMMAND = [
    "review",
    "examples/shop",
    "--select",
    "n-plus-one-query,blocking-call-in-async,orm-leak",
]
WIDTH = 110
LINES = 64


def terminal() -> str:
    """Return what the command prints on a colour terminal."""
    environment = {
        **os.environ,
        "FORCE_COLOR": "1",
        "COLUMNS": str(WIDTH),
        "TERM": "xterm-256color",
    }
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "fastwright", *COMMAND]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return run.stdout.decode()


def picture() -> str:
    """Return the picture as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    lines = terminal().splitlines()[:LINES]
    console.print(Text(f"$ fastwright {' '.join(COMMAND)}\n", style="bold"))
    console.print(Text.from_ansi("\n".join(lines)))
    return console.export_svg(title="fastwright review", unique_id="fastwright")


if __name__ == "__main__":
    (ROOT / "docs" / "review.svg").write_text(picture())
