"""The contract of a project: of its working tree, of a git revision, or as it was saved."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from fastwright.project.discover import Project, open_project
from fastwright.project.errors import FastwrightError, PathError, RevisionError
from fastwright.review.run import Options, load_project
from fastwright.verify.interpreter import find_interpreter
from fastwright.verify.openapi import Entrypoint, Limits, OpenApi, entrypoint, read_openapi


class Reading(msgspec.Struct, frozen=True):
    """How an application is imported."""

    python: Path | None = None
    """The interpreter, or the folder of its environment; by default the project's own."""
    application: str | None = None
    """``package.module:app``; by default as the project says, or the one with the most routes."""
    limits: Limits = Limits()


def contract_of(path: Path, reading: Reading, interpreter: Path | None = None) -> OpenApi:
    """Return the OpenAPI document of the project at a path, by importing its application.

    Raises FastwrightError where no interpreter or no application is found, or importing fails.
    """
    project = open_project(path)
    python = interpreter or find_interpreter(project.root, reading.python, os.environ)
    return read_openapi(project, where_is(project, reading), python, reading.limits)


def where_is(project: Project, reading: Reading) -> Entrypoint:
    """Return where the application of a project is."""
    if reading.application is not None:
        return Entrypoint.parse(reading.application)
    return entrypoint(load_project(project, Options()).app, project)


def contract_at(path: Path, revision: str, reading: Reading) -> OpenApi:
    """Return the OpenAPI document of the project at a path as it was at a git revision."""
    project = open_project(path)
    python = find_interpreter(project.root, reading.python, os.environ)
    with checked_out(project.root, revision) as folder:
        return contract_of(folder, reading, python)


def saved_contract(path: Path) -> OpenApi:
    """Return an OpenAPI document that was saved. Raises PathError for a file that is none."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PathError(f"{path}: {error}", "`fastwright contract save FILE` writes one.") from None
    if not isinstance(document, dict) or "paths" not in document:
        raise PathError(
            f"{path}: no OpenAPI document", "`fastwright contract save FILE` writes one."
        )
    return document


def save_contract(document: OpenApi, path: Path) -> None:
    """Write an OpenAPI document, sorted, so that two of them can be compared by eye."""
    try:
        path.write_text(f"{json.dumps(document, indent=2, sort_keys=True)}\n", encoding="utf-8")
    except OSError as error:
        raise FastwrightError(
            f"{path}: {error.strerror}", "Name a file that can be written."
        ) from None


@contextmanager
def checked_out(root: Path, revision: str) -> Iterator[Path]:
    """Give the files of a git revision in a temporary folder, for as long as they are used.

    Raises RevisionError if there is no git, no repository or no such revision.
    """
    command = ["git", "-C", str(root), "archive", "--format=tar", revision, "--", "."]
    try:
        done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603
    except FileNotFoundError:
        raise RevisionError("git is not installed", "Name a saved contract instead.") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise RevisionError(
            f"{revision!r} is neither a file nor a git revision here: {said[-1] if said else ''}",
            "Name a saved contract, or a revision such as HEAD~1 or origin/main.",
        )
    with tempfile.TemporaryDirectory(prefix="fastwright-") as folder:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder).resolve()
