"""Packages in memory for tests of the set-up interpreter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastwright.app.memory import app_from
from fastwright.app.setup.interpret import NEWEST, interpret
from fastwright.app.setup.result import RouteRecord, SetupResult
from fastwright.app.symbols import Linker
from fastwright.read.module import Module


def modules(files: Mapping[str, str]) -> tuple[Linker, list[Module]]:
    """Return linker and modules of a project given as path -> source."""
    app = app_from(files)
    return app.linker, list(app.modules.values())


def set_up(files: Mapping[str, str], fastapi: tuple[int, ...] = NEWEST) -> SetupResult:
    """Interpret the set-up code of a project given as path -> source."""
    linker, found = modules(files)
    return interpret(
        linker,
        found,
        fastapi=fastapi,
        read_file=lambda path: files[path].encode() if path in files else None,
    )


def table(routes: Iterable[RouteRecord]) -> list[str]:
    """Return routes as sorted lines: ``GET /path module:endpoint``."""
    return sorted(
        f"{','.join(route.methods) or ('WS' if route.kind == 'websocket' else 'ANY')}"
        f" {route.path} {route.endpoint_label}"
        for route in routes
    )
