"""The contract as the running application tells it: its OpenAPI document.

The application is imported in the project's own interpreter, in a process of its own with a limit of
time and of memory. That runs the user's code, so it is done only where the user asked for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from fastwright.app.model import App
from fastwright.project.discover import Project
from fastwright.project.entrypoint import written_entrypoint
from fastwright.project.errors import FastwrightError
from fastwright.verify.interpreter import environment_for

_SCRIPT = Path(__file__).with_name("read_openapi.py")
_SHOWN = 3
"""Last lines of what a failed import wrote."""

OpenApi: TypeAlias = dict[str, Any]


class ImportingError(FastwrightError):
    """The application could not be imported, or did not answer in time."""


class Limits(msgspec.Struct, frozen=True):
    """What importing the application may take."""

    seconds: float = 60
    memory: int = 4 * 1024**3
    """Bytes."""


class Entrypoint(msgspec.Struct, frozen=True):
    """Where the application is: ``module:name``, ``name`` may be its factory."""

    module: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Entrypoint:
        """Read ``shop.main:app``. Raises ImportingError for something else."""
        module, _, name = text.partition(":")
        if not module or not name:
            raise ImportingError(f"{text!r} is no application", "Write it as package.module:name.")
        return cls(module, name)


def entrypoint(app: App, project: Project) -> Entrypoint:
    """Return where the project's application is.

    As `[tool.fastapi] entrypoint` says, else the application that serves the most routes. Raises
    ImportingError where there is none that can be imported.
    """
    written = written_entrypoint(project.root)
    if written:
        return Entrypoint.parse(written)
    served = [each for each in app.applications if each.fastapi and not each.mounted_under]
    served.sort(key=lambda each: -len(each.routes))
    for each in served:
        if each.function is None and each.name:
            return Entrypoint(each.module.name, each.name)
        factory = each.factory
        if factory is not None and factory.owner is None and factory.outer is None:
            return Entrypoint(factory.module.name, factory.name)
    raise ImportingError(
        "no application that can be imported was found",
        'Say where it is: [tool.fastapi] entrypoint = "package.module:app" in pyproject.toml.',
    )


def read_openapi(
    project: Project, where: Entrypoint, interpreter: Path, limits: Limits, root: Path | None = None
) -> OpenApi:
    """Import an application and return its OpenAPI document.

    ``root`` is where the files are, by default those of the project. Raises ImportingError with the end
    of what the application wrote.
    """
    folder = root or project.root
    roots = tuple(folder / each for each in project.index.roots) or (folder,)
    with tempfile.TemporaryDirectory(prefix="fastwright-") as temporary:
        output = Path(temporary) / "openapi.json"
        command = [str(interpreter), str(_SCRIPT), where.module, where.name, str(output)]
        process = subprocess.Popen(  # noqa: S603 - what the user asked for
            [*command, str(limits.memory)],
            cwd=folder,
            env=environment_for((*roots, folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        said = _wait(process, limits.seconds, f"{where.module}:{where.name}")
        if process.returncode or not output.exists():
            last = [line for line in said.splitlines() if line.strip()][-_SHOWN:]
            raise ImportingError(
                f"{where.module}:{where.name} could not be imported: {' / '.join(last)}",
                f"It was tried with {interpreter}; --python names another interpreter.",
            )
        document: OpenApi = json.loads(output.read_bytes())
        return document


def _wait(process: subprocess.Popen[bytes], seconds: float, what: str) -> str:
    """Return what a process wrote; one that takes too long is killed, with those that it started."""
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, 9)
        process.kill()
        process.communicate()
        raise ImportingError(
            f"{what} did not finish importing within {seconds:g} s",
            "Start nothing when the module is imported; the lifespan is for that.",
        ) from None
    return said.decode(errors="replace")
