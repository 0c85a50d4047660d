"""The project's own interpreter: the one that has what the application needs installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from fastwright.project.errors import FastwrightError

_ENVIRONMENTS = (".venv", "venv", "env")
_BINARIES = ("bin/python", "Scripts/python.exe")
_SECONDS = 20


class InterpreterError(FastwrightError):
    """No interpreter was found in which the application could run."""


def find_interpreter(root: Path, given: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the interpreter of a project.

    In this order: the given one, an environment in the project's folder or above it (`.venv`, as uv
    makes it, `venv`), the active one (`VIRTUAL_ENV`, `CONDA_PREFIX`), poetry's. Raises
    InterpreterError where there is none, or the given one is none.
    """
    if given is not None:
        found = _in(given) if given.is_dir() else given
        if found is None or not found.exists():
            raise InterpreterError(
                f"{given}: no Python interpreter", "Give the path of a `python`."
            )
        return found.absolute()  # it is run in the folder of the project
    for folder in _folders(root, environment):
        found = _in(folder)
        if found is not None:
            return found
    raise InterpreterError(
        f"no environment with the application's dependencies was found for {root}",
        "Make one (`uv sync`, `python -m venv .venv` ...), or name it with --python.",
    )


def _folders(root: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    for folder in (root, *root.parents):
        yield from (folder / name for name in _ENVIRONMENTS)
        if (folder / ".git").exists():
            break
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if environment.get(name):
            yield Path(environment[name])
    poetry = _poetry(root)
    if poetry is not None:
        yield poetry


def _in(folder: Path) -> Path | None:
    return next((folder / name for name in _BINARIES if (folder / name).exists()), None)


def _poetry(root: Path) -> Path | None:
    if not (root / "poetry.lock").is_file():
        return None
    try:
        done = subprocess.run(
            ["poetry", "env", "info", "--path"],  # noqa: S607
            cwd=root,
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(done.stdout.strip()) if done.returncode == 0 and done.stdout.strip() else None


def own() -> Path:
    """Return the interpreter that fastwright itself runs in."""
    return Path(sys.executable)


def environment_for(folders: tuple[Path, ...]) -> dict[str, str]:
    """Return the variables for a process that imports the project from these folders."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    path = os.pathsep.join(str(folder) for folder in folders)
    known = inherited.get("PYTHONPATH")
    return {
        **inherited,
        "PYTHONPATH": f"{path}{os.pathsep}{known}" if known else path,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
