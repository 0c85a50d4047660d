"""Running fastwright, as it is installed beside the interpreter or on the path."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FINDINGS = 1
"""The exit status of a review that found something."""


class ToolError(Exception):
    """The tool did not answer with a document."""


def executable() -> str:
    """Return the path of the fastwright command."""
    beside = Path(sys.executable).with_name("fastwright")
    found = str(beside) if beside.is_file() else shutil.which("fastwright")
    if found is None:
        raise SystemExit("no fastwright command: install the project first")
    return found


def document(command: str, root: Path) -> dict[str, Any]:
    """Run `fastwright COMMAND --format json ROOT` and return what it printed."""
    arguments = [executable(), command, "--format", "json", str(root)]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True)
    if done.returncode not in (0, FINDINGS):
        raise ToolError(f"exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
