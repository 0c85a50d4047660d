"""Paths and data files of the project: modules found by folder, routes declared in JSON."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from fastwright.app.setup.machine import Machine
from fastwright.app.setup.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    FileValue,
    Items,
    Method,
    PathValue,
    Table,
    Value,
)

_MAX_DEPTH = 20
_MAX_BYTES = 2_000_000


def joined(path: PathValue, *parts: Value) -> Value:
    """``path / part``."""
    text = path.path
    for part in parts:
        if isinstance(part, PathValue):
            text = posixpath.join(text, part.path)
        elif isinstance(part, Const) and isinstance(part.value, str) and not part.partial:
            text = posixpath.join(text, part.value)
        else:
            return UNKNOWN
    return PathValue(posixpath.normpath(text))


def attribute(path: PathValue, name: str) -> Value:
    """Return an attribute of a ``pathlib.Path``."""
    if name == "parent":
        return PathValue(posixpath.dirname(path.path))
    last = posixpath.basename(path.path)
    stem, suffix = posixpath.splitext(last)
    known = {"name": last, "stem": stem, "suffix": suffix}.get(name)
    return Const(known) if known is not None else Method(path, name)


def call_method(m: Machine, value: Value, name: str, given: Arguments) -> Value:
    """Call a method of a path or of an opened file."""
    if isinstance(value, FileValue):
        return _text(m, value.path) if name == "read" else UNKNOWN
    if not isinstance(value, PathValue):
        return UNKNOWN
    if name in {"resolve", "absolute", "expanduser"}:
        return value
    if name == "joinpath":
        return joined(value, *given.positional)
    if name == "read_text":
        return _text(m, value.path)
    if name == "open":
        return FileValue(value.path)
    if name in {"as_posix", "__str__"}:
        return Const(value.path)
    if name == "is_dir":
        return Const(any(path.startswith(f"{value.path}/") for path in m.relevance.paths))
    if name == "is_file" and value.path in m.relevance.paths:
        return Const(value=True)
    if name in {"glob", "iterdir"}:
        pattern = given.get(0, "pattern") if name == "glob" else Const("*")
        return _glob(m, value.path, pattern)
    return UNKNOWN


def _glob(m: Machine, folder: str, pattern: Value | None) -> Value:
    if not isinstance(pattern, Const) or not isinstance(pattern.value, str):
        return UNKNOWN
    found: dict[str, None] = {}
    for path in m.relevance.paths:
        if path.startswith(f"{folder}/"):
            rest = path[len(folder) + 1 :]
            depth = pattern.value.count("/") + 1
            head = "/".join(rest.split("/")[:depth])
            if fnmatchcase(head, pattern.value):
                found[posixpath.join(folder, head)] = None
    return Items("list", [PathValue(path) for path in found])


def _text(m: Machine, path: str) -> Value:
    data = m.read_file(path)
    if data is None or len(data) > _MAX_BYTES:
        return UNKNOWN
    return Const(data.decode("utf-8", "replace"))


def _path(_: Machine, given: Arguments) -> Value:
    first = given.get(0, "")
    if isinstance(first, PathValue):
        return joined(first, *given.positional[1:])
    if isinstance(first, Const) and isinstance(first.value, str) and not first.partial:
        return joined(PathValue(first.value), *given.positional[1:])
    return UNKNOWN


def _as_text(function: Callable[[str], str]) -> Callable[[Machine, Arguments], Value]:
    def apply(_: Machine, given: Arguments) -> Value:
        first = given.get(0, "path")
        if isinstance(first, PathValue):
            return Const(function(first.path))
        if isinstance(first, Const) and isinstance(first.value, str) and not first.partial:
            return Const(function(first.value))
        return UNKNOWN

    return apply


def _join(m: Machine, given: Arguments) -> Value:
    made = _path(m, given)
    return Const(made.path) if isinstance(made, PathValue) else UNKNOWN


def _listdir(m: Machine, given: Arguments) -> Value:
    folder = _path(m, given)
    if not isinstance(folder, PathValue):
        return UNKNOWN
    found = _glob(m, folder.path, Const("*"))
    if not isinstance(found, Items):
        return UNKNOWN
    names = [posixpath.basename(e.path) for e in found.items if isinstance(e, PathValue)]
    return Items("list", [Const(name) for name in names])


def _open(m: Machine, given: Arguments) -> Value:
    made = _path(m, Arguments(given.site, given.positional[:1]))
    return FileValue(made.path) if isinstance(made, PathValue) else UNKNOWN


def _json_load(m: Machine, given: Arguments) -> Value:
    file = given.get(0, "fp")
    return _parsed(_text(m, file.path)) if isinstance(file, FileValue) else UNKNOWN


def _json_loads(_: Machine, given: Arguments) -> Value:
    return _parsed(given.get(0, "s") or UNKNOWN)


def _parsed(text: Value) -> Value:
    if not isinstance(text, Const) or not isinstance(text.value, str) or text.partial:
        return UNKNOWN
    try:
        return _from_json(json.loads(text.value), 0)
    except (ValueError, RecursionError):
        return UNKNOWN


def _from_json(data: Any, depth: int) -> Value:  # noqa: ANN401 - what JSON may hold
    if depth > _MAX_DEPTH:
        return UNKNOWN
    if data is None:
        return NONE
    if isinstance(data, (str, int, float, bool)):
        return Const(data)
    if isinstance(data, list):
        return Items("list", [_from_json(each, depth + 1) for each in data])
    if isinstance(data, dict):
        return Table(
            {("str", str(k)): (Const(str(k)), _from_json(v, depth + 1)) for k, v in data.items()}
        )
    return UNKNOWN


FUNCTIONS: dict[str, Callable[[Machine, Arguments], Value]] = {
    "pathlib.Path": _path,
    "pathlib.PurePath": _path,
    "builtins.open": _open,
    "os.path.join": _join,
    "os.path.dirname": _as_text(posixpath.dirname),
    "os.path.basename": _as_text(posixpath.basename),
    "os.path.abspath": _as_text(str),
    "os.path.realpath": _as_text(str),
    "os.listdir": _listdir,
    "json.load": _json_load,
    "json.loads": _json_loads,
}
