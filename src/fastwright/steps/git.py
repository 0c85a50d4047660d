"""git, as far as changing needs it: is the tree clean, and one commit for each step."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from fastwright.project.errors import FastwrightError
from fastwright.steps.step import Done

_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-c", "commit.gpgSign=false")


class GitError(FastwrightError):
    """git is missing, there is no repository, or git refused."""


def changed_files(root: Path) -> tuple[str, ...] | None:
    """Return the files with changes that are not committed; None outside of a repository."""
    try:
        done = _run(root, "status", "--porcelain", "-z", "--untracked-files=no", "--", ".")
    except GitError:
        return None
    if done.returncode:
        return None
    return tuple(entry[3:] for entry in done.stdout.split("\0") if len(entry) > len("XY "))


def commit(root: Path, done: Done) -> str:
    """Commit the files of a step, and nothing else; return the short name of the commit."""
    paths = [change.path for change in done.step.changes]
    _must(root, "add", "--", *paths)
    _must(root, "commit", "--quiet", "--message", message(done), "--", *paths)
    return _must(root, "rev-parse", "--short", "HEAD").strip()


def message(done: Done) -> str:
    """Return what the commit of a step says: what, why, how it was verified."""
    step = done.step
    many = len(step.places)
    where = f" ({many} places)" if many > 1 else ""
    lines = [f"{step.name}: {step.title}{where}", "", step.why, ""]
    lines.append(f"Verified: {', '.join(done.verified)}.")
    if done.contract:
        lines += ["", "Changes the contract:", *(f"- {line}" for line in done.contract)]
    return "\n".join([*lines, "", "Made by fastwright."])


def _must(root: Path, *arguments: str) -> str:
    done = _run(root, *arguments)
    if done.returncode:
        what = done.stderr.strip().splitlines()
        raise GitError(
            f"git {arguments[0]} refused: {what[-1] if what else 'no reason given'}",
            "The files are changed; commit them by hand, or `fastwright fix --undo`.",
        )
    return done.stdout


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", *_SAFE, "-C", str(root), *arguments]
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    except FileNotFoundError:
        raise GitError("git is not installed", "Leave --commit out.") from None


def dirty(root: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Return which of some paths have changes that are not committed."""
    found = changed_files(root)
    wanted = set(paths)
    return tuple(path for path in found or () if path in wanted)
