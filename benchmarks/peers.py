"""The tools that fastwright is timed beside: their installation and their commands."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.corpus import cache
from benchmarks.tool import executable

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = {
    "ruff": "ruff",
    "pylint": "pylint",
    "pyright": "pyright[nodejs]",
    "fastapi-therapist": "fastapi-therapist",
    "hydroid": "hydroid-cli",
    "bandit": "bandit",
    "safelint": "safelint[python]",
    "faex": "faex",
}
"""The requirement that brings each command."""

FOUND_SOMETHING = 1
MISUSE_OF_PYLINT = 32


@dataclass(frozen=True)
class Subject:
    """What is reviewed: a folder, and the environment of its application if there is one."""

    root: Path
    environment: Path | None


@dataclass(frozen=True)
class Tool:
    """A tool, its command, and its command with a cache if it has one."""

    name: str
    binary: str
    cold: Callable[[Subject], list[str]]
    warm: Callable[[Subject], list[str]] | None = None

    @property
    def path(self) -> str:
        """Where the command is."""
        return executable() if self.binary == "fastwright" else installed(self.binary)

    def crashed(self, status: int) -> bool:
        """Whether an exit status says more than that something was found."""
        if self.binary == "pylint" and status >= 0:  # its status is a sum of what was found
            return status >= MISUSE_OF_PYLINT
        return status not in (0, FOUND_SOMETHING)


def tools() -> list[Tool]:
    """List the tools, in the order of the tables."""
    return [
        Tool("fastwright", "fastwright", cold=fastwright, warm=fastwright),
        Tool("ruff-all", "ruff", cold=ruff("ALL")),
        Tool("ruff-fastapi", "ruff", cold=ruff("FAST,ASYNC,S,B")),
        Tool("hydroid", "hydroid", cold=hydroid("--no-cache"), warm=hydroid()),
        Tool("fastapi-therapist", "fastapi-therapist", cold=plain("fastapi-therapist")),
        Tool("bandit", "bandit", cold=plain("bandit", "--quiet", "--recursive")),
        Tool("pyright", "pyright", cold=plain("pyright")),
        Tool("pylint", "pylint", cold=plain("pylint", "--recursive=y")),
    ]


def fastwright(subject: Subject) -> list[str]:
    """Return the command of our own review."""
    return [executable(), "review", "--format", "json", str(subject.root)]


def ruff(rules: str) -> Callable[[Subject], list[str]]:
    """Return how Ruff is called with these rules."""
    return plain("ruff", "check", "--isolated", "--no-cache", "--quiet", "--select", rules)


def hydroid(*options: str) -> Callable[[Subject], list[str]]:
    """Return how hydroid is called: it resolves calls against the application's environment."""

    def command(subject: Subject) -> list[str]:
        environment = ["--python", str(subject.environment)] if subject.environment else []
        return [installed("hydroid"), *options, *environment, str(subject.root)]

    return command


def plain(binary: str, *options: str) -> Callable[[Subject], list[str]]:
    """Return how a tool is called that takes the folder last."""
    return lambda subject: [installed(binary), *options, str(subject.root)]


def installed(binary: str) -> str:
    """Return the path of a command in the environment of the tools."""
    return str(cache() / "tools" / "bin" / binary)


def install(python: str) -> list[str]:
    """Install the tools that are not there, and return those that could not be."""
    environment, uv = cache() / "tools", shutil.which("uv")
    interpreter = environment / "bin" / "python"
    if not interpreter.exists():
        venv = [uv, "venv", "--quiet", "--python", python] if uv else [python, "-m", "venv"]
        subprocess.run([*venv, str(environment)], check=True)
    if uv:
        installer = [uv, "pip", "install", "--quiet", "--python", str(interpreter)]
    else:
        installer = [str(interpreter), "-m", "pip", "install", "--quiet"]
    failed = []
    for binary, requirement in PACKAGES.items():
        if not Path(installed(binary)).exists():
            done = subprocess.run([*installer, requirement], check=False, capture_output=True)
            if done.returncode:
                failed.append(binary)
    return failed


def version(tool: Tool) -> str:
    """Ask a tool for its version."""
    done = subprocess.run(
        [tool.path, "--version"], check=False, capture_output=True, text=True, timeout=60
    )
    lines = done.stdout.splitlines()
    return lines[0] if done.returncode == 0 and lines else "version unknown"
