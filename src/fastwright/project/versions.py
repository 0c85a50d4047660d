"""Installed and declared versions of libraries, read statically from metadata and lock files."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;)#]*)")
_PIN = re.compile(r"(===?|>=|~=|>|\^)\s*([0-9][0-9A-Za-z.]*)")
_UPPER = re.compile(r"<\s*([0-9][0-9A-Za-z.]*)")
_DIST_INFO = re.compile(r"^([A-Za-z0-9_.]+)-([0-9][^-]*)\.dist-info$")

IMPORT_NAMES = {
    "pyjwt": "jwt", "pillow": "PIL", "python-jose": "jose", "pyyaml": "yaml",
    "python-dotenv": "dotenv", "beautifulsoup4": "bs4", "scikit-learn": "sklearn",
    "opencv-python": "cv2", "python-multipart": "multipart", "psycopg2-binary": "psycopg2",
    "python-dateutil": "dateutil", "google-cloud-storage": "google", "attrs": "attr",
}  # fmt: skip
"""Distribution -> import name, where they differ."""


class Version(msgspec.Struct, frozen=True):
    """A version, where it was read, and whether it is exactly that or only at least that."""

    text: str
    source: str
    exact: bool
    below: str | None = None
    """The version that is excluded by an upper bound (``<0.137``), where there is one."""

    @property
    def parts(self) -> tuple[int, ...]:
        """The leading numbers."""
        return numbers(self.text)


def numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``2.11.0rc1`` is (2, 11, 0)."""
    found: list[int] = []
    for part in text.split("."):
        digits = re.match(r"\d+", part)
        if digits is None:
            break
        found.append(int(digits.group()))
        if digits.group() != part:
            break
    return tuple(found)


def canonical_name(name: str) -> str:
    """Return the normalised name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Versions(msgspec.Struct, frozen=True):
    """What is known of the libraries of a project."""

    found: Mapping[str, Version] = {}
    """By normalised name."""
    declared: frozenset[str] = frozenset()
    """Import names of the declared dependencies."""

    @classmethod
    def of(cls, versions: Mapping[str, str]) -> Versions:
        """Return exactly these versions."""
        return cls(
            {canonical_name(n): Version(v, "given", exact=True) for n, v in versions.items()},
            frozenset(versions),
        )

    def at_least(self, name: str, version: str) -> bool | None:
        """Return whether a library is at least that new; None if that is not known.

        A lower bound (``pydantic>=2``) says yes where it is high enough, and nothing otherwise.
        """
        known = self.found.get(canonical_name(name))
        if known is None:
            return None
        wanted = numbers(version)
        if padded(known.parts, len(wanted)) >= wanted:
            return True
        if known.exact or (known.below is not None and wanted >= numbers(known.below)):
            return False
        return None

    def newest(self, name: str) -> tuple[int, ...] | None:
        """Return the highest version that a library may have here; None if that has no limit."""
        known = self.found.get(canonical_name(name))
        if known is None:
            return None
        if known.exact:
            return known.parts
        if known.below is None:
            return None
        excluded = list(numbers(known.below))
        while excluded and excluded[-1] == 0:
            excluded.pop()
        return (*excluded[:-1], excluded[-1] - 1, _ANY) if excluded else known.parts


_ANY = 9999
"""Stands for the highest number that a part of a version may have."""


def padded(parts: tuple[int, ...], length: int) -> tuple[int, ...]:
    """Return a version's numbers with zeros added up to ``length``."""
    return parts + (0,) * (length - len(parts))


def read_versions(root: Path) -> Versions:
    """Return the versions of a project's libraries.

    In order: the metadata of its virtual environment, lock files, requirements, declared lower
    bounds, and the metadata of an unpacked wheel. Files that cannot be read count as absent.
    """
    found: dict[str, Version] = {}
    declared: set[str] = set()
    for name, version in _candidates(root):
        key = canonical_name(name)
        declared.add(IMPORT_NAMES.get(key, key.replace("-", "_")))
        before = found.get(key)
        if version is not None and (before is None or (version.exact and not before.exact)):
            found[key] = version
    return Versions(found, frozenset(declared))


def _candidates(root: Path) -> Iterator[tuple[str, Version | None]]:
    for environment in (".venv", "venv", "env"):
        for folder in sorted(root.glob(f"{environment}/lib/python*/site-packages")):
            yield from _environment(folder)
    for lock in ("uv.lock", "poetry.lock", "pdm.lock"):
        yield from _toml_lock(root / lock)
    yield from _pipfile_lock(root / "Pipfile.lock")
    for requirements in sorted(root.glob("requirements*.txt")):
        yield from _lines(_text(requirements).splitlines(), requirements.name)
    yield from _pyproject(root / "pyproject.toml")
    for metadata in sorted(root.glob("*.dist-info/METADATA")):
        required = re.findall(r"^Requires-Dist: (.*)$", _text(metadata), re.MULTILINE)
        yield from _lines(required, f"{metadata.parent.name}/METADATA")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError:
        return {}


def _environment(folder: Path) -> Iterator[tuple[str, Version]]:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return
    for name in names:
        if (match := _DIST_INFO.match(name)) is not None:
            yield match[1], Version(match[2], "environment", exact=True)


def _toml_lock(path: Path) -> Iterator[tuple[str, Version]]:
    packages = _toml(path).get("package", [])
    for package in packages if isinstance(packages, list) else []:
        name, version = package.get("name"), package.get("version")
        if isinstance(name, str) and isinstance(version, str):
            yield name, Version(version, path.name, exact=True)


def _pipfile_lock(path: Path) -> Iterator[tuple[str, Version]]:
    try:
        data = json.loads(_text(path) or "{}")
    except ValueError:
        return
    default = data.get("default", {}) if isinstance(data, dict) else {}
    for name, entry in default.items() if isinstance(default, dict) else ():
        version = entry.get("version", "") if isinstance(entry, dict) else ""
        yield name, Version(str(version).lstrip("="), path.name, exact=True)


def _pyproject(path: Path) -> Iterator[tuple[str, Version | None]]:
    data = _toml(path)
    project = data.get("project", {})
    listed = list(project.get("dependencies", []))
    for extra in project.get("optional-dependencies", {}).values():
        listed.extend(extra)
    for group in data.get("dependency-groups", {}).values():
        listed.extend(entry for entry in group if isinstance(entry, str))
    yield from _lines((entry for entry in listed if isinstance(entry, str)), path.name)
    poetry = data.get("tool", {}).get("poetry", {}).get("dependencies", {})
    for name, bound in poetry.items() if isinstance(poetry, dict) else ():
        text = bound.get("version", "") if isinstance(bound, dict) else str(bound)
        yield name, _bound(str(text), path.name)


def _lines(lines: Iterable[str], source: str) -> Iterator[tuple[str, Version | None]]:
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match is not None:
            yield match[1], _bound(match[2], source)


def _bound(text: str, source: str) -> Version | None:
    found = _PIN.search(text)
    if found is None:
        return None
    upper = _UPPER.search(text)
    below = upper[1] if upper is not None else None
    if found[1] == "~=":  # compatible release (PEP 440): the last number may grow
        head = numbers(found[2])[:-1]
        below = ".".join(map(str, (*head[:-1], head[-1] + 1))) if head else None
    return Version(found[2], source, exact=found[1] in {"==", "==="}, below=below)
