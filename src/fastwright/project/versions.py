"""Installed and declared versions of libraries, read statically from metadata and lock files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;)#]*)")
_PIN = re.compile(r"(===?|>=|~=|>|\^|~)\s*([0-9][0-9A-Za-z.]*)(\*)?")
_UPPER = re.compile(r"<\s*([0-9][0-9A-Za-z.]*)")
_DIST_INFO = re.compile(r"^([A-Za-z0-9_.]+)-([0-9][^-]*)\.dist-info$")
_INCLUDE = re.compile(r"^\s*(?:-r|--requirement)[\s=]*(\S+)")
_EDITABLE = re.compile(r"^\s*(?:-e|--editable)\b")
_LOCKED = re.compile(r'^(name|version|source) = (?:"([^"\n]*)"|(\{[^\n]*))$', re.MULTILINE)
_OWN_SOURCE = re.compile(r"\{\s*(?:editable|virtual|directory|path)\s*=")
_MAX_BYTES = 50_000_000  # a larger file is no list of dependencies
_ENVIRONMENTS = ("lib/python*/site-packages", "Lib/site-packages")  # the second is Windows'

IMPORT_NAMES = {
    "pyjwt": "jwt", "pillow": "PIL", "python-jose": "jose", "pyyaml": "yaml",
    "python-dotenv": "dotenv", "beautifulsoup4": "bs4", "scikit-learn": "sklearn",
    "opencv-python": "cv2", "opencv-python-headless": "cv2", "python-multipart": "multipart",
    "psycopg2-binary": "psycopg2", "psycopg-binary": "psycopg", "python-dateutil": "dateutil",
    "attrs": "attr", "protobuf": "google", "grpcio": "grpc", "pycryptodome": "Crypto",
    "mysqlclient": "MySQLdb", "python-slugify": "slugify", "python-magic": "magic",
    "dnspython": "dns", "gitpython": "git", "websocket-client": "websocket",
    "pyopenssl": "OpenSSL", "faiss-cpu": "faiss", "discord-py": "discord",
    "ruamel-yaml": "ruamel", "msgpack-python": "msgpack", "levenshtein": "Levenshtein",
    "python-socketio": "socketio", "python-telegram-bot": "telegram", "pyzmq": "zmq",
    "python-json-logger": "pythonjsonlogger", "aioredis": "aioredis", "nats-py": "nats",
    "sse-starlette": "sse_starlette", "fastapi-cache2": "fastapi_cache", "pydantic-ai-slim": "pydantic_ai",
}  # fmt: skip
"""Distribution -> import name, where they differ."""

_SHARED_NAMES = ("google", "azure", "zope")
"""Import names that many distributions share: ``google-cloud-storage`` is ``google``."""


class Version(msgspec.Struct, frozen=True):
    """A version, where it was read, and whether it is exactly that or only at least that."""

    text: str
    source: str
    exact: bool
    below: str | None = None
    """The version that is excluded by an upper bound (``<0.137``), where there is one."""

    @property
    def told(self) -> str:
        """The version as a person is told it."""
        return f"older than {self.below}" if self.below is not None else self.text

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
    bounds, setup.cfg, and the metadata of an unpacked wheel. An exact version goes before a bound;
    of a library that is locked twice (for two platforms), the lower version is a lower bound.
    Files that cannot be read, or do not have the shape that they should, count as absent. The
    project itself, and what it is locked with from its own folders, is not declared.
    """
    found: dict[str, Version] = {}
    declared: set[str] = set()
    project = _toml(root / "pyproject.toml")
    own = _own_names(root, project)
    for name, version in _candidates(root, project, own):
        key = canonical_name(name)
        declared.add(key)
        before = found.get(key)
        if version is not None:
            found[key] = version if before is None else _both(before, version)
    found.update(dict(_implied(found)))
    return Versions(found, frozenset(_import_name(key) for key in declared - own))


def _both(before: Version, after: Version) -> Version:
    """Return what two statements about a library say together; the first source counts most."""
    if not before.exact:
        return after if after.exact else before
    locked_twice = after.exact and after.source == before.source and after.text != before.text
    if locked_twice and before.source.endswith(".lock"):
        lower = min(before, after, key=lambda version: version.parts)
        return Version(lower.text, lower.source, exact=False)
    return before


def _import_name(key: str) -> str:
    """Return the import name of a distribution, as far as its normalised name gives it away."""
    first = key.partition("-")[0]
    return IMPORT_NAMES.get(key) or (first if first in _SHARED_NAMES else key.replace("-", "_"))


_OLDER = (
    ("fastapi", "0.100", "pydantic", "2"),
    ("sqlmodel", "0.0.14", "pydantic", "2"),
    ("sqlmodel", "0.0.12", "sqlalchemy", "2"),
)
"""A library older than that works with another one older than that only: release notes of FastAPI 0.100.0, SQLModel
0.0.12 and 0.0.14."""


def _implied(found: Mapping[str, Version]) -> Iterator[tuple[str, Version]]:
    """Yield what old libraries say of others, of which nothing says that they are older."""
    for library, version, other, below in _OLDER:
        newest = Versions(found).newest(library)
        known = found.get(other)
        if newest is None or newest >= numbers(version):
            continue
        if known is None or (not known.exact and known.below is None):
            lowest = known.text if known is not None else "0"
            if numbers(lowest) < numbers(below):
                yield other, Version(lowest, found[library].source, exact=False, below=below)


_Candidate: TypeAlias = "tuple[str, Version | None]"


def _candidates(root: Path, project: dict[str, Any], own: set[str]) -> Iterator[_Candidate]:
    """Yield what each source says, the surest first; add to ``own`` what is locked as a folder."""
    for environment in (".venv", "venv", "env"):
        for pattern in _ENVIRONMENTS:
            for folder in sorted(root.glob(f"{environment}/{pattern}")):
                yield from _environment(folder)
    for lock in ("uv.lock", "poetry.lock", "pdm.lock"):
        yield from _toml_lock(root / lock, own)
    yield from _pipfile_lock(root / "Pipfile.lock")
    seen: set[Path] = set()
    for pattern in ("requirements*.txt", "requirements/*.txt"):
        for path in sorted(root.glob(pattern)):
            yield from _requirements(path, seen)
    yield from _pyproject(project)
    yield from _setup_cfg(root / "setup.cfg")
    for metadata in sorted(root.glob("*.dist-info/METADATA")):
        required = re.findall(r"^Requires-Dist: (.*)$", _text(metadata), re.MULTILINE)
        yield from _lines(required, f"{metadata.parent.name}/METADATA")


def _own_names(root: Path, project: dict[str, Any]) -> set[str]:
    """Return the normalised names that the project itself has."""
    names = [
        _table(project, "project").get("name"),
        _table(project, "tool", "poetry").get("name"),
        _ini(root / "setup.cfg").get("metadata", "name", fallback=None),
    ]
    names += [
        match[1]
        for folder in root.glob("*.dist-info")
        if (match := _DIST_INFO.match(folder.name)) is not None
    ]
    return {canonical_name(name) for name in names if isinstance(name, str)}


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return ""
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except (OSError, ValueError):
        return ""


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _table(data: object, *keys: str) -> dict[str, Any]:
    """Return the table at a path of keys; empty if there is something else, or nothing."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _strings(data: object) -> list[str]:
    """Return the strings of a list; none if it is no list."""
    return [item for item in data if isinstance(item, str)] if isinstance(data, list) else []


def _ini(path: Path) -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    with contextlib.suppress(ConfigParserError, ValueError):
        parser.read_string(_text(path))
    return parser


def _environment(folder: Path) -> Iterator[_Candidate]:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return
    for name in names:
        if (match := _DIST_INFO.match(name)) is not None:
            yield match[1], Version(match[2], "environment", exact=True)


def _toml_lock(path: Path, own: set[str]) -> Iterator[_Candidate]:
    """Read a lock file line by line: tools write them in one shape, and parsing TOML is slow."""
    for block in re.split(r"^\[\[package\]\]\s*$", _text(path), flags=re.MULTILINE)[1:]:
        fields: dict[str, str] = {}
        for key, text, table in _LOCKED.findall(block.partition("\n[")[0]):
            fields.setdefault(key, text or table)
        name, version = fields.get("name"), fields.get("version")
        if name and _OWN_SOURCE.match(fields.get("source", "")):
            own.add(canonical_name(name))
        elif name and version:
            yield name, Version(version, path.name, exact=True)


def _pipfile_lock(path: Path) -> Iterator[_Candidate]:
    try:
        data = json.loads(_text(path) or "{}")
    except (ValueError, RecursionError):
        return
    for name, entry in _table(data, "default").items():
        version = _table(entry).get("version")
        known = isinstance(version, str) and version.startswith("==")
        text = str(version).lstrip("=")
        yield name, Version(text, path.name, exact=True) if known else None


def _requirements(path: Path, seen: set[Path]) -> Iterator[_Candidate]:
    """Yield what a requirements file says, and the files that it includes."""
    if path in seen:
        return
    seen.add(path)
    lines = _text(path).splitlines()
    yield from _lines((line for line in lines if not _EDITABLE.match(line)), path.name)
    for line in lines:
        included = _INCLUDE.match(line)
        if included is not None and "\0" not in line:
            yield from _requirements(Path(os.path.normpath(path.parent / included[1])), seen)


def _pyproject(data: dict[str, Any]) -> Iterator[_Candidate]:
    source = "pyproject.toml"
    listed = _strings(_table(data, "project").get("dependencies"))
    for extra in _table(data, "project", "optional-dependencies").values():
        listed.extend(_strings(extra))
    for group in _table(data, "dependency-groups").values():
        listed.extend(_strings(group))
    yield from _lines(listed, source)
    poetry = _table(data, "tool", "poetry")
    groups = [_table(group, "dependencies") for group in _table(poetry, "group").values()]
    for table in (_table(poetry, "dependencies"), _table(poetry, "dev-dependencies"), *groups):
        for name, bound in table.items():
            text = bound.get("version", "") if isinstance(bound, dict) else bound
            if name != "python":
                yield name, _poetry_bound(str(text), source)


def _setup_cfg(path: Path) -> Iterator[_Candidate]:
    parser = _ini(path)
    listed = parser.get("options", "install_requires", fallback="").splitlines()
    if parser.has_section("options.extras_require"):
        for _, extra in parser.items("options.extras_require"):
            listed.extend(extra.splitlines())
    yield from _lines(listed, path.name)


def _lines(lines: Iterable[str], source: str) -> Iterator[_Candidate]:
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match is not None:
            yield match[1], _bound(match[2], source)


def _poetry_bound(text: str, source: str) -> Version | None:
    """Return what Poetry's notation says; there, a bare version is exact."""
    bare = re.fullmatch(r"\s*[0-9][0-9A-Za-z.]*(?:\*)?\s*", text)
    return _bound(f"=={text.strip()}" if bare else text, source)


def _bound(text: str, source: str) -> Version | None:
    """Return the lower bound (or pin) of a requirement, with its upper bound; None without."""
    if "||" in text:
        return None
    found = _PIN.search(text)
    if found is None:
        return None
    operator, version, star = found.groups()
    version = version.rstrip(".")
    upper = _UPPER.search(text)
    below = upper[1] if upper is not None else None
    if star:  # ``==2.*`` is any 2
        below = _next(numbers(version))
    elif operator == "~=":  # compatible release (PEP 440): the last number may grow
        below = _next(numbers(version)[:-1])
    elif operator == "~":  # Poetry: the part after the second number may grow
        below = _next(numbers(version)[:2])
    elif operator == "^":  # Poetry: nothing up to the first number that is not zero may change
        parts = numbers(version)
        first = next((at for at, part in enumerate(parts) if part), len(parts) - 1)
        below = _next(parts[: first + 1])
    return Version(version, source, exact=operator in {"==", "==="} and not star, below=below)


def _next(parts: tuple[int, ...]) -> str | None:
    """Return the first version after all that start with ``parts``."""
    return ".".join(map(str, (*parts[:-1], parts[-1] + 1))) if parts else None
