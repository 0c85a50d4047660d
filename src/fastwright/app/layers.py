"""Layers: the part that each module plays, with the reason.

What a module holds decides; its name and folder decide only where that leaves it open. What the
project's configuration declares decides before both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s

if TYPE_CHECKING:
    from fastwright.app.model import App
    from fastwright.read.module import Module

ORDER = ("router", "dependency", "service", "repository", "model")
"""Which way dependencies run: each layer may use those after it."""

HTTP = frozenset({"router", "dependency", "setup"})
"""Layers that speak HTTP."""

BUSINESS = frozenset({"service", "repository", "domain", "model"})
"""Layers that must work without HTTP."""

_WORDS: dict[str, tuple[str, ...]] = {
    "repository": ("repository", "repositories", "repo", "repos", "crud", "cruds", "dao", "daos",
                   "queries"),
    "service": ("service", "services", "usecase", "usecases", "use_cases", "use_case", "logic",
                "application", "managers", "interactors", "interactor", "workflow", "workflows",
                "orchestration"),
    "router": ("router", "routers", "routes", "route", "endpoints", "endpoint", "views", "api",
               "controllers", "controller", "handlers", "handler", "exception_handlers"),
    "schema": ("schema", "schemas", "dto", "dtos", "requests", "responses"),
    "model": ("models", "model", "entities", "entity", "tables", "orm"),
    "domain": ("domain",),
    "adapter": ("adapters", "adapter", "infrastructure", "infra", "gateways", "gateway", "clients",
                "client"),
    "dependency": ("dependencies", "deps", "dependency", "guards", "guard"),
    "settings": ("settings", "config"),
}  # fmt: skip
_WHOLE = frozenset({"settings", "domain", "model"})
"""Layers whose words count only as a whole name: a ``retry_config`` is no settings module."""
_NEUTRAL = frozenset({"utils", "util", "helpers", "helper", "common", "commons", "constants", "types",
                      "enums", "exceptions", "errors", "tools", "typing", "version"})  # fmt: skip
"""File names that say that a module is no part of the layer that its folder is named after."""
_MIXED = 2
"""From so many functions that ask the database, a module of tables is their repository too."""


class Layer(msgspec.Struct, frozen=True):
    """The layer of a module and why.

    ``by``: config (declared), contents (what it holds), name, use (who calls it, and whom it
    calls: a guess), or nothing.
    """

    name: str
    reason: str
    by: str

    @property
    def certain(self) -> bool:
        """Whether it was declared or follows from what the module holds, not from its name."""
        return self.by in {"config", "contents"}

    @property
    def guessed(self) -> bool:
        """Whether neither contents nor name say it."""
        return self.by in {"use", "nothing"}


class Contents(msgspec.Struct, frozen=True):
    """What a module holds, counted; functions include the methods of classes that are no schemas."""

    endpoints: int = 0
    served: int = 0
    """Routes of the applications that it makes."""
    hooks: int = 0
    """Middleware and exception handlers of an application."""
    dependencies: int = 0
    schemas: int = 0
    settings: int = 0
    tables: int = 0
    functions: int = 0
    executing: int = 0
    """Functions that ask the database, as far as requests reach them."""
    uses: str | None = None
    """A module that asks the database, called from this one while requests are served."""
    web: bool = False
    """Whether it mentions FastAPI or Starlette."""


def layer_of(path: str, kind: str, contents: Contents) -> Layer:
    """Return the layer of the module at ``path``."""
    if kind in {"test", "migration", "vendored"}:
        return Layer(kind, f"its path says {kind}", "contents")
    held = _by_contents(contents)
    if held is not None:
        return held
    named = _by_name(path, contents)
    if named is not None:
        return Layer(named[0], f"is named {named[1]!r}", "name")
    return _by_use(contents)


def _by_contents(c: Contents) -> Layer | None:
    """Return the layer that what a module holds leaves no doubt about."""
    if c.endpoints and c.served <= 2 * c.endpoints:
        return Layer("router", f"declares {_count(c.endpoints, 'endpoint')}", "contents")
    if c.served:
        return Layer("setup", "makes the application", "contents")
    if c.tables:
        declared = f"declares {_count(c.tables, 'table')}"
        if c.executing >= _MIXED:
            reason = f"{declared} and {_count(c.executing, 'function')} that query them"
            return Layer("repository", reason, "contents")
        return Layer("model", declared, "contents")
    if c.hooks and c.hooks * 2 >= c.functions:
        return Layer("setup", f"holds {c.hooks} middleware or exception handlers", "contents")
    if c.settings:
        return Layer("settings", "declares the settings", "contents")
    if c.dependencies and c.dependencies * 2 > c.functions:
        reason = f"{c.dependencies} of its {c.functions} functions are dependencies"
        return Layer("dependency", reason, "contents")
    if c.schemas and c.functions <= c.schemas:
        return Layer("schema", f"declares {_count(c.schemas, 'schema')}", "contents")
    return None


def _by_use(c: Contents) -> Layer:
    if c.executing and c.uses is None:
        asks = f"asks the database in {_count(c.executing, 'function')}, and calls nobody who does"
        return Layer("repository", asks, "use")
    if c.uses is not None:
        return Layer("service", f"requests reach it, and it uses {c.uses}", "use")
    return Layer("other", "nothing says what it is", "nothing")


def _by_name(path: str, contents: Contents) -> tuple[str, str] | None:
    """Return the layer that a file's name, or the nearest folder's, suggests, and that word."""
    parts = path.removesuffix(".py").split("/")
    package = parts[-1] == "__init__"
    if package:
        parts = parts[:-1]
    elif parts[-1].lower().strip("_") in _NEUTRAL and not contents.web:
        return None
    for part in reversed(parts[-4:]):
        word = part.lower().strip("_")
        last = word.rsplit("_", 1)[-1]
        for layer, names in _WORDS.items():
            said = word in names or (last in names and layer not in _WHOLE)
            if said and (package or _fits(layer, contents)):
                return layer, part
    return None


def is_layer_word(package: str) -> bool:
    """Whether a package is named after a layer (``shop.services``), not after a part of the domain."""
    last = package.rpartition(".")[2].lower().strip("_")
    return any(last in names for names in _WORDS.values())


def _fits(layer: str, c: Contents) -> bool:
    """Whether what a module holds can be that layer: names mean other things as well."""
    if layer == "router":
        return c.web
    if layer == "schema":
        return c.schemas > 0
    if layer == "model":
        return c.executing == 0 and not c.web
    return layer != "dependency" or c.dependencies > 0 or c.web


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# ---------------------------------------------------------------------- contents


def layers_of(app: App) -> dict[str, Layer]:
    """Return the layer of every module of the application, by path."""
    contents = contents_of(app)
    return {
        path: _declared(path, app.declared_layers)
        or layer_of(path, module.kind, contents.get(path) or Contents())
        for path, module in app.modules.items()
    }


def _declared(path: str, layers: Mapping[str, tuple[str, ...]]) -> Layer | None:
    """Return the layer that the configuration declares for a module, or None."""
    for name, globs in layers.items():
        for glob in globs:
            if fnmatchcase(path, glob) or path.startswith(glob.rstrip("*").rstrip("/") + "/"):
                return Layer(name, f"the configuration says so: {glob!r}", "config")
    return None


def contents_of(app: App) -> dict[str, Contents]:
    """Return what each source module holds that says something about its layer."""
    endpoints = _tally(endpoint.module.path for endpoint in app.endpoints)
    dependencies = _tally(_dependency_paths(app))
    schemas = _tally(schema.cls.module.path for schema in app.schemas if not schema.is_settings)
    settings = _tally(schema.cls.module.path for schema in app.settings)
    tables = _tally(table.cls.module.path for table in app.tables)
    served: dict[str, int] = {}
    for application in app.applications:
        path = application.module.path
        served[path] = served.get(path, 0) + max(len(application.routes), 1)
    hooks = _tally(function.module.path for function in hook_functions(app))
    executing = _executing(app)
    uses = _uses(app, executing)
    return {
        module.path: Contents(
            endpoints=endpoints.get(module.path, 0),
            served=served.get(module.path, 0),
            hooks=hooks.get(module.path, 0),
            dependencies=dependencies.get(module.path, 0),
            schemas=schemas.get(module.path, 0),
            settings=settings.get(module.path, 0),
            tables=tables.get(module.path, 0),
            functions=_functions(app, module)
            if _is_open(module, dependencies, schemas, hooks)
            else 0,
            executing=executing.get(module.path, 0),
            uses=uses.get(module.path),
            web=not app.web_marks.isdisjoint(module.header.marks),
        )
        for module in app.sources
    }


def _is_open(module: Module, *holds: Mapping[str, int]) -> bool:
    """Whether counting a module's functions matters: only then is it loaded for that."""
    return any(module.path in held for held in holds)


def _dependency_paths(app: App) -> Iterable[str]:
    providers = {
        id(d.function.node): d.function.module.path
        for route in app.routes
        for d in route.all_dependencies()
        if d.function is not None and (d.function.owner is None or d.function.name == "__call__")
    }
    return providers.values()


def hook_functions(app: App) -> list[Function]:
    """Return the middleware and exception handlers of the applications."""
    found: dict[int, Function] = {}
    for application in app.applications:
        for middleware in application.middleware:
            if middleware.function is not None:
                found[id(middleware.function.node)] = middleware.function
            if middleware.cls is not None:
                for method in middleware.cls.own_methods.values():
                    found[id(method.node)] = method
        for handler in application.exception_handlers:
            if handler.function is not None:
                found[id(handler.function.node)] = handler.function
    return list(found.values())


def _functions(app: App, module: Module) -> int:
    total = 0
    for binding in app.linker.scope(module).names.values():
        if isinstance(binding, Function):
            total += 1
        elif isinstance(binding, Class) and not app.models.is_schema(binding):
            methods = binding.own_methods
            total += sum(1 for n in methods if n == "__call__" or not n.startswith("__"))
    return total


def _executing(app: App) -> dict[str, int]:
    """Count, by module, the functions that requests reach and that ask the database.

    Opening, committing and closing a session is not asking; neither are methods of tables.
    """
    return _tally(
        step.function.module.path
        for step in app.reached
        if not _of_table(app, step.function)
        and any(e.kind != "commit" for e in app.calls.executions(step.function))
    )


def _of_table(app: App, function: Function) -> bool:
    """Whether it is a method of a table, or of a base or mixin of tables."""
    owner = function.owner
    if owner is None:
        return False
    return app.types.is_table(owner) or any(map(app.types.is_table, app.subclasses(owner)))


def _uses(app: App, executing: Mapping[str, int]) -> dict[str, str]:
    """Return, for modules that requests reach, one other module that they call to ask the database."""
    found: dict[str, str] = {}
    for step in app.reached:
        path = step.function.module.path
        if path in found:
            continue
        for site in app.calls.sites(step.function):
            for target in site.targets:
                other = target.module.path
                if other != path and other in executing:
                    found.setdefault(path, other)
    return found


def _tally(paths: Iterable[str]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for path in paths:
        counted[path] = counted.get(path, 0) + 1
    return counted


def is_empty(module: Module) -> bool:
    """Whether a module holds nothing but its docstring."""
    return all(
        isinstance(node, s.ExprStmt) and s.string(node.value) is not None
        for node in module.facts.body
    )
