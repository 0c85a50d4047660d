"""Rules about one file: run while it is read, in whichever process reads it; kept with its facts.

All of them run, whatever is selected, so that what is kept serves every later run.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

import msgspec

from fastwright import rules as rules_package
from fastwright.project.versions import Versions
from fastwright.read.facts import EXTRACTOR_VERSION
from fastwright.read.module import Module
from fastwright.rules.finding import Hit
from fastwright.rules.registry import RegisteredRule, rules
from fastwright.version import VERSION


class Note(msgspec.Struct, frozen=True, array_like=True):
    """What one rule said of one module: hits, or the traceback of its failure."""

    rule: str
    hits: tuple[Hit, ...]
    failure: str | None = None


_ENCODE = msgspec.msgpack.Encoder().encode
_NOTES = msgspec.msgpack.Decoder(tuple[Note, ...])


def inspect(module: Module, versions: Versions) -> bytes:
    """Return what the rules about one file say of a module, for ``read_notes``; never raises.

    Tests, migrations and vendored files are not the application: nothing is said of them.
    """
    if module.kind != "source":
        return b""
    found = [run(rule, module, versions) for rule in rules().values() if rule.rule.module]
    said = tuple(note for note in found if note.hits or note.failure)
    return _encoded(said) if said else b""


def _encoded(said: tuple[Note, ...]) -> bytes:
    """Return notes as bytes; what is no Unicode (names of files, escapes) becomes a ``?``."""
    try:
        return _ENCODE(said)
    except UnicodeEncodeError:
        return _ENCODE(_as_unicode(msgspec.to_builtins(said)))


def _as_unicode(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {key: _as_unicode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_unicode(item) for item in value]
    return value


def run(rule: RegisteredRule, module: Module, versions: Versions) -> Note:
    """Return what one rule says of a module."""
    check = rule.rule.module
    if check is None or not applies(rule, versions):
        return Note(rule.name, ())
    try:
        hits = tuple(check(module, versions))
    except Exception:  # noqa: BLE001 - a rule that fails must not stop the others
        return Note(rule.name, (), traceback.format_exc())
    return Note(rule.name, hits)


def read_notes(data: bytes) -> tuple[Note, ...]:
    """Return what ``inspect`` said."""
    return _NOTES.decode(data) if data else ()


def costs(
    modules: Iterable[Module], versions: Versions, wanted: frozenset[str]
) -> dict[str, float]:
    """Return the seconds that each wanted rule about one file takes for all of them."""
    sources = [module for module in modules if module.kind == "source"]
    for module in sources:
        for _ in module.walk():  # read and decoded before the clock runs
            pass
    found: dict[str, float] = {}
    for rule in rules().values():
        if rule.rule.module and rule.name in wanted:
            start = perf_counter()
            for module in sources:
                run(rule, module, versions)
            found[rule.name] = perf_counter() - start
    return found


def applies(rule: RegisteredRule, versions: Versions) -> bool:
    """Whether the project's libraries are new enough for a rule; unknown ones are."""
    needed = rule.rule.since.items()
    return all(versions.at_least(library, version) is not False for library, version in needed)


def cache_key(versions: Versions) -> str:
    """Return what the kept notes and facts depend on beside the files themselves."""
    parts = [str(EXTRACTOR_VERSION), VERSION, *_rule_files(), *_described(versions)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _rule_files() -> Iterable[str]:
    """Yield what identifies the code of the rules."""
    for folder in rules_package.__path__:
        for path in sorted(Path(folder).rglob("*.py")):
            stat = path.stat()
            yield f"{path.name} {stat.st_size} {stat.st_mtime_ns}"
    for rule in rules().values():
        if rule.file:
            stat = Path(rule.file).stat()
            yield f"{rule.name} {rule.file} {stat.st_size} {stat.st_mtime_ns}"


def _described(versions: Versions) -> Iterable[str]:
    for name, version in sorted(versions.found.items()):
        yield f"{name} {version.text} {version.exact}"
