"""Configuration: ``[tool.fastwright]`` of pyproject.toml, strict."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from fastwright.project.errors import ConfigError, nearest

FILE = "pyproject.toml"
SCHEMA = Path(__file__).with_name("config.schema.json")
"""The JSON Schema of ``[tool.fastwright]``, for editors."""

FailOn: TypeAlias = Literal["never", "error", "warning", "info"]


Argument: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^\d+ \w+$")]
"""Position and keyword of an argument: ``0 url``."""


class PathSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Settings for the files that a glob matches, on top of the general ones."""

    ignore: tuple[str, ...] = ()
    """Rules, families or severities that are off there."""
    select: tuple[str, ...] = ()
    """If given, only these are on there."""


class LibrarySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What a project knows of its own libraries, on top of what fastwright knows of the public ones.

    Names are dotted, as they are imported: ``acme.http.fetch``, ``acme.Client.send``.
    """

    blocking: dict[str, str] = {}
    """Function or method that stops its thread -> what it waits for ("waits for the warehouse")."""
    not_blocking: tuple[str, ...] = ()
    """Functions and methods that are said to block and do not."""
    elsewhere: dict[str, int] = {}
    """Function that runs what it is given in a thread or process -> position of that argument."""
    statements: dict[str, Literal["sync", "async"]] = {}
    """Method that runs a statement of SQL given as text, and how."""
    sinks: dict[str, dict[str, Argument]] = {}
    """Rule (``ssrf``, ``path-traversal`` ...) -> call -> "position keyword" of the argument that
    should not come from a request."""
    sanitisers: tuple[str, ...] = ()
    """Functions that check or clean what they are given."""
    declarative_bases: tuple[str, ...] = ()
    """Classes from which table classes descend."""
    returns: dict[str, str] = {}
    """Function -> class of what it gives back ("await acme.Client" for a coroutine)."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """``[tool.fastwright]``."""

    select: tuple[str, ...] = ()
    """Rules, families or severities to run instead of the default ones."""
    ignore: tuple[str, ...] = ()
    """Rules, families or severities not to run."""
    fail_on: FailOn = "info"
    """The least severity that makes ``review`` exit with 1."""
    exclude: tuple[str, ...] = ()
    """Globs of files and folders that are not read, relative to the root."""
    source_roots: tuple[str, ...] = ()
    """Folders that the project's imports start from, where they cannot be found out."""
    layers: dict[str, tuple[str, ...]] = {}
    """Layer (router, dependency, service, repository, model ...) -> globs of its modules."""
    per_path: dict[str, PathSettings] = {}
    """Glob -> settings for the files that it matches."""
    library: LibrarySettings = LibrarySettings()
    """What the project knows of its own libraries."""
    baseline: str | None = None
    """A baseline file that is used when ``--baseline`` is not given."""
    verify: Literal["model", "contract", "tests"] = "model"
    """How far each step of ``fix`` and ``refactor`` is verified. ``contract`` and ``tests`` run the
    project's code: they import the application, and run its tests."""
    cache_dir: str | None = None
    """Where facts are kept; ``.fastwright_cache`` in the root otherwise."""
    jobs: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many processes read files; as many as there are cores otherwise."""


def read_config(root: Path) -> Config:
    """Return the configuration of the project at ``root``; the defaults where it has none.

    Raises ConfigError for malformed TOML, an unknown key or a value of the wrong type.
    """
    path = root / FILE
    try:
        if not path.is_file():
            return Config()
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}", "Make the file readable as UTF-8.") from error
    if "fastwright" not in text:
        return Config()
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}", "Mend the file.") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply", "Mend the file.") from error
    tool = data.get("tool", {})
    if not isinstance(tool, dict):
        raise ConfigError(f"{path}: 'tool' is not a table", "Write [tool.fastwright].")
    return parse_config(tool.get("fastwright", {}), str(path))


def parse_config(table: dict[str, Any], origin: str) -> Config:
    """Return the configuration that a table says. Raises ConfigError, naming ``origin``."""
    if isinstance(table, dict):
        _refuse_unknown(table, Config, origin, "tool.fastwright")
        library = table.get("library")
        if isinstance(library, dict):
            _refuse_unknown(library, LibrarySettings, origin, "tool.fastwright.library")
        for glob, settings in _items(table.get("per-path")):
            if isinstance(settings, dict):
                _refuse_unknown(
                    settings, PathSettings, origin, f"tool.fastwright.per-path.{glob!r}"
                )
    try:
        return msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        message = f"{origin}: [tool.fastwright] {error}"
        raise ConfigError(message, "The README shows the keys and their values.") from error


def _items(table: object) -> list[tuple[str, Any]]:
    return list(table.items()) if isinstance(table, dict) else []


def _refuse_unknown(
    table: dict[str, Any], struct: type[msgspec.Struct], origin: str, where: str
) -> None:
    known = [field.encode_name for field in msgspec.structs.fields(struct)]
    for key in table:
        if key not in known:
            message = f"{origin}: unknown key {key!r} in [{where}].{nearest(key, known)}"
            raise ConfigError(message, f"Known keys: {', '.join(sorted(known))}.")


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``[tool.fastwright]``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **msgspec.json.schema(Config),
    }


def schema_text() -> str:
    """Return what the schema file holds."""
    return json.dumps(config_schema(), indent=2, sort_keys=True) + "\n"


def write_schema(path: Path = SCHEMA) -> None:
    """Write the schema file anew, after the settings have changed."""
    path.write_text(schema_text(), encoding="utf-8")
