"""Knowledge about libraries, as data: ``library.toml`` beside this file, and what a project adds."""

from __future__ import annotations

import re
import tomllib
from functools import cached_property, lru_cache
from pathlib import Path

import msgspec

from fastwright.project.config import LibrarySettings
from fastwright.project.errors import ConfigError, nearest


class MadeRoute(msgspec.Struct, frozen=True):
    """A route that a library's function makes."""

    method: str
    path: str
    name: str = ""
    """By which the function is told to make it, or not to."""
    user: bool = False
    """Whether the caller must be signed in."""
    dependencies: str = ""
    """The argument that lists what runs before it."""
    given: str = ""
    """The argument without which it is not made."""


class RouteFactory(msgspec.Struct, frozen=True):
    """A function of a library that makes a router, with what it has at the library's defaults."""

    routes: tuple[MadeRoute, ...]
    prefix: str = ""
    """``position keyword`` of the argument that all paths begin with."""
    only: str = ""
    """The argument that names the routes to make."""
    without: str = ""
    """The argument that names the routes to leave out."""
    attribute: str = ""
    """For a method: the attribute of its object that holds the router, made with the object's arguments."""


class Library(msgspec.Struct, frozen=True, dict=True):
    """The table. Every name is canonical (``canonical.py``)."""

    declarative_bases: frozenset[str]
    method_bases: frozenset[str]
    sanitisers: tuple[str, ...]
    attributes: dict[str, str]
    returns: dict[str, str]
    blocking: dict[str, str]
    not_blocking: dict[str, str]
    scheduling: dict[str, str]
    """Calls that keep a coroutine function for the event loop, with ``position keyword`` of it."""
    elsewhere: dict[str, int]
    jobs: frozenset[str]
    statements: dict[str, str]
    decorators: dict[str, str]
    """Decorators that make an object of a function -> the object's class."""
    table_mixins: dict[str, str]
    """Classes of libraries that make their heirs tables -> the table's name."""
    repositories: dict[str, dict[str, str]]
    """Classes of libraries that ask the database for one table, made with it: method -> statement.

    ``select one`` reads one row, ``select limit`` as many as the argument ``limit`` says, which is bounded
    unless it is None.
    """
    route_factories: dict[str, RouteFactory]
    """Functions and methods that make routers."""
    routables: frozenset[str]
    """Classes whose instances hold a router of the methods that are decorated as routes."""
    authenticating: dict[str, str]
    """Calls that give a dependency which refuses strangers -> the argument that makes it let them in."""
    unmaintained: dict[str, str]
    """Import name of a library that gets no fixes -> what to say of it."""
    sinks: dict[str, dict[str, str]]
    """Rule -> calls that should not get request data, with ``position keyword`` of the argument."""

    def blocks(self, name: str) -> str | None:
        """Return what a call of ``name`` waits for, or None if it does not block."""
        known = self._waits
        if name not in known:
            known[name] = self._find(name)
        return known[name]

    def checks(self, name: str) -> bool:
        """Return whether a function of this name checks or cleans what it is given."""
        return self._sanitising.search(name) is not None

    @cached_property
    def _waits(self) -> dict[str, str | None]:
        return {}

    @cached_property
    def _sanitising(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self.sanitisers)), re.IGNORECASE)

    def _find(self, name: str) -> str | None:
        if (known := self.blocking.get(name)) is not None:
            return known
        owner, _, last = name.rpartition(".")
        if not owner or name in self.not_blocking or last.startswith("_"):
            return None
        if last[:1].isupper():  # a class of a module whose functions block
            return None
        if (known := self.blocking.get(f"{owner}.*")) is not None:
            return known
        while owner and "._" not in name:  # client.chat.completions.create
            if (known := self.blocking.get(f"{owner}.**")) is not None:
                return known
            owner = owner.rpartition(".")[0]
        return None


@lru_cache(maxsize=1)
def known_library() -> Library:
    """Return what fastwright itself knows."""
    data = tomllib.loads(Path(__file__).with_name("library.toml").read_text(encoding="utf-8"))
    return msgspec.convert(data, Library)


def library_with(added: LibrarySettings) -> Library:
    """Return what fastwright knows, and what a project's configuration adds to it.

    Raises ConfigError where that names a rule that has no sinks.
    """
    known = known_library()
    for rule in added.sinks:
        if rule not in known.sinks:
            near = nearest(rule, sorted(known.sinks))
            message = f"unknown rule {rule!r} in [tool.fastwright.library.sinks].{near}"
            raise ConfigError(message, f"Known: {', '.join(sorted(known.sinks))}.")
    if added == LibrarySettings():
        return known
    return msgspec.structs.replace(
        known,
        declarative_bases=known.declarative_bases.union(added.declarative_bases),
        sanitisers=(*known.sanitisers, *(name.rpartition(".")[2] for name in added.sanitisers)),
        returns=known.returns | added.returns,
        blocking=known.blocking | added.blocking,
        not_blocking=known.not_blocking | dict.fromkeys(added.not_blocking, ""),
        elsewhere=known.elsewhere | added.elsewhere,
        statements=known.statements | added.statements,
        sinks={rule: calls | added.sinks.get(rule, {}) for rule, calls in known.sinks.items()},
    )
