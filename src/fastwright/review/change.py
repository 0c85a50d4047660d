"""Changes: the tree as it was before, out of git, so that only what a change brought in remains.

No worktree, no checkout and nothing written into the repository: files are read from git's
object store into a temporary folder.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from fastwright.project.errors import RevisionError
from fastwright.review.fingerprint import Fingerprint

_SOURCES = (".py", ".pyi")
_MANIFESTS = (".lock", ".toml", ".cfg", ".txt", ".ini", "setup.py", ".gitignore")
"""Ends of names of files that say how a project is laid out and which versions it has."""
_REGULAR = ("100644", "100755")
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false")


class Before(NamedTuple):
    """The reviewed folder as it was."""

    root: Path
    """A temporary copy, gone after use."""
    commit: str
    renamed: Mapping[str, str]
    """Old path -> new path, relative to the root."""


class _Blob(NamedTuple):
    path: str
    object_name: str


@contextmanager
def before(root: Path, revision: str) -> Iterator[Before]:
    """Give the folder as it was where this branch left ``revision``, for as long as it is used.

    That is the merge base: what others did to ``revision`` since is not part of the change.
    Raises RevisionError if there is no git, no repository or no such revision.
    """
    prefix = _prefix(root)
    commit = _merge_base(root, _commit(root, revision))
    with tempfile.TemporaryDirectory(prefix="fastwright-") as folder:
        top = Path(folder).resolve()
        _extract(root, [blob for blob in _blobs(root, commit) if _wanted(blob.path, prefix)], top)
        (top / prefix).mkdir(parents=True, exist_ok=True)
        yield Before(top / prefix, commit, _renamed(root, commit, prefix))


def follow(known: Counter[Fingerprint], renamed: Mapping[str, str]) -> Counter[Fingerprint]:
    """Return fingerprints as they read after files were renamed."""
    moved: Counter[Fingerprint] = Counter()
    for key, number in known.items():
        moved[key._replace(file=renamed.get(key.file, key.file))] += number
    return moved


def _prefix(root: Path) -> str:
    """Return the root relative to the top of its repository, with a slash at the end, or ''."""
    done = _git(root, "rev-parse", "--show-prefix")
    if done.returncode:
        raise RevisionError(
            f"--base needs a git repository, and {root} is in none",
            "Leave --base out to see every finding.",
        )
    return os.fsdecode(done.stdout).rstrip("\r\n")


def _commit(root: Path, revision: str) -> str:
    name = f"{revision}^{{commit}}"
    done = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
    if done.returncode:
        raise RevisionError(
            f"--base: git knows no revision {revision!r}",
            "Name a branch, tag or commit; in a shallow clone fetch it first "
            "(`git fetch origin main`, in GitHub Actions `fetch-depth: 0`).",
        )
    return done.stdout.decode().split()[-1]


def _merge_base(root: Path, commit: str) -> str:
    """Return where the branch left ``commit``; the commit itself where history does not say."""
    done = _git(root, "merge-base", commit, "HEAD")
    return done.stdout.decode().split()[0] if done.returncode == 0 else commit


def _blobs(root: Path, commit: str) -> Iterator[_Blob]:
    """Yield the regular files of a commit, paths relative to the top of the repository."""
    listed = _checked(_git(root, "ls-tree", "-r", "-z", "--full-tree", commit))
    for entry in listed.split(b"\0"):
        described, _, path = entry.partition(b"\t")
        mode, _, rest = described.decode().partition(" ")
        if mode in _REGULAR:
            yield _Blob(os.fsdecode(path), rest.split()[-1])


def _wanted(path: str, prefix: str) -> bool:
    """Whether a file matters: sources below the root, manifests below it or beside its parents."""
    if path.startswith(prefix):
        return path.endswith(_SOURCES + _MANIFESTS)
    folder = path.rpartition("/")[0]
    return path.endswith(_MANIFESTS) and (not folder or prefix.startswith(folder + "/"))


def _extract(root: Path, blobs: list[_Blob], top: Path) -> None:
    """Write files of the object store below ``top``."""
    asked = "".join(f"{blob.object_name}\n" for blob in blobs).encode()
    answer = BytesIO(_checked(_git(root, "cat-file", "--batch", stdin=asked)))
    for blob in blobs:
        size = answer.readline().split()[-1]
        if not size.isdigit():  # "missing": a partial clone that could not fetch it
            continue
        data = answer.read(int(size))
        answer.read(1)
        if ".." not in PurePosixPath(blob.path).parts:
            path = top / blob.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _renamed(root: Path, commit: str, prefix: str) -> dict[str, str]:
    """Return the files that were renamed since, as far as commits and the index know."""
    done = _git(
        root, "diff", "--cached", "--no-ext-diff", "--name-status", "-M", "-z", "--diff-filter=R",
        commit,
    )  # fmt: skip
    words = [os.fsdecode(word) for word in done.stdout.split(b"\0")] if not done.returncode else []
    pairs = zip(words[1::3], words[2::3], strict=False)
    return {
        old.removeprefix(prefix): new.removeprefix(prefix)
        for old, new in pairs
        if old.startswith(prefix) and new.startswith(prefix)
    }


def _checked(done: subprocess.CompletedProcess[bytes]) -> bytes:
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip() or "no reason given"
        raise RevisionError(f"--base: git failed: {said}", "Check the repository with `git fsck`.")
    return done.stdout


def _git(root: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run git on the folder. Raises RevisionError if there is no git."""
    try:
        return subprocess.run(  # noqa: S603 - fixed program, no shell
            ["git", "-C", str(root), *_SAFE, *arguments],  # noqa: S607 - the user's own git
            input=stdin,
            capture_output=True,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise RevisionError(
            "--base needs git, and there is none on the path",
            "Install git, or leave --base out to see every finding.",
        ) from error
