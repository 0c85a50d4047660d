"""Paths of routes as Starlette's router sees them."""

from __future__ import annotations

import re

from fastwright.app.routes import Route

PARAMETER = re.compile(r"\{([^{}:?]+)(?::([^{}]+))?\}")
"""``{name}`` or ``{name:converter}`` in a path."""

_MATCHES = {
    "path": r".*",
    "int": r"[0-9]+",
    "float": r"[0-9]+(\.[0-9]+)?",
    "uuid": r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}",
}
"""What each converter takes (starlette.convertors); without one, anything but a slash."""


def is_certain(route: Route) -> bool:
    """Whether a route is surely there under surely this path."""
    record = route.record
    return record.presence == "always" and not record.uncertain and "{?}" not in route.path


def names(path: str) -> list[str]:
    """Return the names of a path's parameters, in order."""
    return [match[1] for match in PARAMETER.finditer(path)]


def same(path: str) -> str:
    """Return a path with the names of its parameters left out."""
    return PARAMETER.sub(lambda match: f"{{:{match[2] or ''}}}", path)


def pattern(path: str) -> re.Pattern[str]:
    """Return what a path matches."""
    parts: list[str] = []
    end = 0
    for match in PARAMETER.finditer(path):
        parts += [re.escape(path[end : match.start()]), _MATCHES.get(match[2] or "", "[^/]+")]
        end = match.end()
    return re.compile("".join([*parts, re.escape(path[end:])]) + r"\Z")


def example(path: str) -> str | None:
    """Return a path that a client would send to a route, None where no example is fair.

    Parameters become a text that no converter but ``str`` and ``path`` takes.
    """
    if any(match[2] in {"path", "int", "float", "uuid"} for match in PARAMETER.finditer(path)):
        return None
    return PARAMETER.sub("~", path)
