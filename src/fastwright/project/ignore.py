"""What git leaves out: .gitignore files of every level, and the repository's own exclude file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_NO_PATTERNS = frozenset({"", "/", "!", "!/"})
_INSIDE = re.compile(r"/\*\*\s*$")
"""``a/**`` is what lies in ``a``; to pathspec, ``a`` as well, but not if it reads ``a/**/*``."""
_ANY_FOLDER = "^(?:.+/)?"
"""How pathspec begins a pattern that is about a name in whichever folder."""
_EVERYTHING = {".": ".+", "(?P<ps_d>/)": ".+/"}
"""What pathspec shortens for a search -> the same for a whole path: ``*`` and ``*/``."""


class Ignored:
    """What the .gitignore files around and below a root leave out.

    Those of the root's parents count up to the repository; without a repository they are
    strangers' files and mean nothing. Files that cannot be read count as empty.
    """

    def __init__(self, root: Path) -> None:
        self._specs: list[_Spec] = []
        real = root.resolve()
        repository = next((at for at in (real, *real.parents) if (at / ".git").exists()), None)
        if repository is None:
            return
        prefix = "" if repository == real else real.relative_to(repository).as_posix() + "/"
        self._load("", prefix, _exclude_file(repository / ".git"))
        if repository == real:
            return  # its own .gitignore comes with the walk
        for parent in reversed(real.parents):  # the nearest speaks last
            if parent.is_relative_to(repository):
                within = real.relative_to(parent).as_posix() + "/"
                self._load("", within, parent / ".gitignore")
        levels = len(real.relative_to(repository).parts)
        if any(self._leaves_out_root(up) for up in range(levels)):
            self._specs.clear()  # the root was named all the same

    def add(self, folder: str, path: Path) -> None:
        """Add the .gitignore at ``path``, of a folder below the root."""
        self._load(f"{folder}/" if folder else "", "", path)

    def _load(self, below: str, prefix: str, path: Path) -> None:
        try:
            if not path.is_file():
                return
            lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        except OSError:
            return
        patterns = [
            _INSIDE.sub("/**/*", line)
            for line in lines
            if line.strip() not in _NO_PATTERNS and not line.startswith("#")
        ]
        if patterns:
            self._specs.append(_Spec(below, prefix, patterns))

    def _leaves_out_root(self, up: int) -> bool:
        """Return whether the root, or the folder so many levels up, is ignored."""
        said = [spec.says_of_root(up) for spec in self._specs]
        return next((verdict for verdict in reversed(said) if verdict is not None), False)

    def matches(self, path: str) -> bool:
        """Return whether a path (folders end with a slash) is ignored; the last word wins."""
        verdict = False
        for spec in self._specs:
            said = spec.says(path)
            if said is not None:
                verdict = said
        return verdict


class _Rule(NamedTuple):
    """One pattern: what a name, or else a whole path, has to be."""

    regex: re.Pattern[str]
    is_name: bool
    include: bool


class _Spec:
    """The patterns of one file.

    As in git, a pattern is about the file or folder itself: what lies in an ignored folder is not
    looked at, and what lies in one that is taken in again is judged for itself.
    """

    def __init__(self, below: str, prefix: str, patterns: list[str]) -> None:
        self._below, self._prefix = below, prefix
        self._rules = [
            _rule(pattern.regex.pattern, include=pattern.include)
            for pattern in _compile(patterns).patterns
            if pattern.regex is not None and pattern.include is not None
        ]
        self._rules.reverse()
        self._names = _any(rule.regex.pattern for rule in self._rules if rule.is_name)
        self._paths = _any(rule.regex.pattern for rule in self._rules if not rule.is_name)

    def says(self, path: str) -> bool | None:
        """Return whether a path is ignored, or None where no pattern is about it."""
        if not path.startswith(self._below):
            return None
        return self._verdict(self._prefix + path[len(self._below) :])

    def says_of_root(self, up: int) -> bool | None:
        """Return the same of the root, or of the folder so many levels up."""
        parts = self._prefix.split("/")[: -1 - up]
        return self._verdict("/".join(parts) + "/") if parts else None

    def _verdict(self, path: str) -> bool | None:
        name = path[path.rfind("/", 0, -1) + 1 :]
        if not self._names.fullmatch(name) and not self._paths.fullmatch(path):
            return None
        return next(
            rule.include
            for rule in self._rules
            if rule.regex.fullmatch(name if rule.is_name else path)
        )


def _rule(pattern: str, *, include: bool) -> _Rule:
    is_name = pattern.startswith(_ANY_FOLDER)
    text = _EVERYTHING.get(pattern, pattern.removeprefix(_ANY_FOLDER))
    return _Rule(re.compile(re.sub(r"\?P<\w+>", "?:", text), re.DOTALL), is_name, include)


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)", re.DOTALL)


def _compile(patterns: list[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - only where there is something to ignore

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError:  # one is no pattern: git passes over it
        return GitIgnoreSpec.from_lines(line for line in patterns if _is_pattern(line))


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - as above

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _exclude_file(git: Path) -> Path:
    """Return the ``info/exclude`` of a repository; ``.git`` is a file in work trees and submodules."""
    try:
        if git.is_file():
            git = (
                git.parent / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
            ).resolve()
            if (git / "commondir").is_file():
                git = (git / (git / "commondir").read_text(encoding="utf-8").strip()).resolve()
    except (OSError, ValueError, RuntimeError):
        pass
    return git / "info" / "exclude"
