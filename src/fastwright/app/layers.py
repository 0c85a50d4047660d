"""Layers: the part that each module plays, with the reason.

What a module holds decides; its name and folder decide only where that leaves it open.
"""

from __future__ import annotations

from dataclasses import dataclass

ORDER = ("router", "dependency", "service", "repository", "model")
"""Which way dependencies run: each layer may use those after it."""

_WORDS: dict[str, tuple[str, ...]] = {
    "repository": ("repository", "repositories", "repo", "repos", "crud", "dao", "daos", "queries"),
    "service": ("service", "services", "usecase", "usecases", "use_cases", "use_case",
                "application", "handlers", "logic", "managers", "manager", "interactors"),
    "router": ("router", "routers", "routes", "route", "endpoints", "endpoint", "views", "api",
               "controllers", "controller", "handlers_http"),
    "schema": ("schema", "schemas", "dto", "dtos", "requests", "responses"),
    "model": ("models", "model", "entities", "entity", "tables", "orm"),
    "domain": ("domain",),
    "adapter": ("adapters", "adapter", "infrastructure", "infra", "gateways", "clients", "client"),
    "dependency": ("dependencies", "deps", "dependency"),
}  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """The layer of a module and why. ``certain``: by what it holds, not by its name."""

    name: str
    reason: str
    certain: bool


@dataclass(frozen=True)
class Contents:
    """What a module holds, counted."""

    endpoints: int = 0
    dependencies: int = 0
    schemas: int = 0
    tables: int = 0
    executions: int = 0
    functions: int = 0


def layer_of(path: str, kind: str, contents: Contents) -> Layer:
    """Return the layer of the module at ``path``."""
    if kind in {"test", "migration", "vendored"}:
        return Layer(kind, f"its path says {kind}", certain=True)
    if contents.endpoints:
        return Layer("router", f"declares {contents.endpoints} endpoints", certain=True)
    if contents.tables:
        return Layer("model", f"declares {contents.tables} tables", certain=True)
    named = _by_name(path)
    if named is not None and named[0] in {"service", "repository", "domain", "adapter"}:
        return Layer(named[0], f"is named {named[1]!r}", certain=False)
    if contents.dependencies and contents.dependencies * 2 >= contents.functions:
        reason = f"{contents.dependencies} of its functions are dependencies"
        return Layer("dependency", reason, certain=True)
    if contents.schemas and contents.functions <= contents.schemas:
        return Layer("schema", f"declares {contents.schemas} schemas", certain=True)
    if named is not None:
        return Layer(named[0], f"is named {named[1]!r}", certain=False)
    return Layer("other", "nothing says what it is", certain=False)


def _by_name(path: str) -> tuple[str, str] | None:
    """Return the layer that a file's name, or the nearest folder's, suggests, and that word."""
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        parts = parts[:-1]
    for part in reversed(parts[-4:]):
        words = part.lower().split("_")
        for layer, names in _WORDS.items():
            if part.lower() in names or words[-1] in names:
                return layer, part
    return None
