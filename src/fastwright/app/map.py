"""The map: the application as plain data, in the shape of ``map.schema.json`` (version 1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from fastwright.app.calls import CallSite, Execution
from fastwright.app.dependencies import Dependency, RequestParameter
from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.routes import Route
from fastwright.app.setup.result import Application
from fastwright.app.symbols import Class, Function
from fastwright.app.types import (
    Alternatives,
    Awaitable,
    ClassObject,
    Instance,
    Literal,
    NoneType,
    Sequence,
    Type,
)
from fastwright.read import syntax as s

VERSION = 1


class MapDependency(msgspec.Struct, frozen=True, omit_defaults=True):
    """A dependency with those below it. ``level``: parameter, route, router, include or app."""

    name: str
    level: str
    function: str | None = None
    file: str | None = None
    line: int | None = None
    yields: bool = False
    scopes: tuple[str, ...] = ()
    dependencies: tuple[MapDependency, ...] = ()


class MapParameter(msgspec.Struct, frozen=True):
    """One thing that a request carries. ``source``: path, query, header, cookie, body, form, file or unknown."""

    name: str
    source: str
    type: str | None
    required: bool


class MapAuth(msgspec.Struct, frozen=True):
    """That callers must be authenticated, and by what."""

    by: str
    scopes: tuple[str, ...]


class MapResponse(msgspec.Struct, frozen=True):
    """What is declared as the answer. ``source``: response_model or annotation."""

    type: str
    source: str
    fields: tuple[str, ...]


class MapRoute(msgspec.Struct, frozen=True):
    """One effective route."""

    methods: tuple[str, ...]
    path: str
    kind: str
    endpoint: str
    file: str
    line: int
    dependencies: tuple[MapDependency, ...]
    auth: MapAuth | None
    request: tuple[MapParameter, ...]
    response: MapResponse | None
    status_code: int | None
    tags: tuple[str, ...]
    presence: str
    """``always``; ``startup``: added while starting; ``unknown``: under a condition that is not
    known; ``off``: the defaults of the settings leave it out."""
    tables: tuple[str, ...]
    """Names of the tables that a request reads or writes."""


class MapModule(msgspec.Struct, frozen=True):
    """A module and why it is in its layer."""

    file: str
    reason: str


class MapColumn(msgspec.Struct, frozen=True):
    """A column of a table."""

    name: str
    type: str | None
    primary_key: bool
    foreign_key: str | None
    unique: bool
    index: bool


class MapRelationship(msgspec.Struct, frozen=True):
    """A relationship. ``lazy`` is its loading strategy."""

    name: str
    target: str | None
    many: bool
    lazy: str


class MapUse(msgspec.Struct, frozen=True):
    """A place that reads or writes a table, with the routes that lead there."""

    kind: str
    function: str
    file: str
    line: int
    routes: tuple[str, ...]


class MapTable(msgspec.Struct, frozen=True):
    """A table and who touches it."""

    name: str
    model: str
    file: str
    line: int
    columns: tuple[MapColumn, ...]
    relationships: tuple[MapRelationship, ...]
    used_by: tuple[MapUse, ...]


class MapApplication(msgspec.Struct, frozen=True):
    """A FastAPI or Starlette application, with its middleware in the order of adding."""

    name: str
    file: str
    line: int
    middleware: tuple[str, ...]
    lifespan: str | None


class MapDocument(msgspec.Struct, frozen=True):
    """The whole map."""

    version: int
    applications: tuple[MapApplication, ...]
    routes: tuple[MapRoute, ...]
    """The effective ones: those that the application serves, or may serve, as it is set up."""
    routes_off: tuple[MapRoute, ...]
    """Those that only other settings than the default ones would add."""
    layers: dict[str, tuple[MapModule, ...]]
    tables: tuple[MapTable, ...]


def document(app: App) -> MapDocument:
    """Return the map of an application."""
    touched = {id(route): list(executions_of(app, route)) for route in app.routes}
    routes = {id(route): _route(app, route, touched[id(route)]) for route in app.routes}
    return MapDocument(
        version=VERSION,
        applications=tuple(_application(application) for application in app.applications),
        routes=tuple(routes[id(route)] for route in app.routes if route.record.presence != "off"),
        routes_off=tuple(
            routes[id(route)] for route in app.routes if route.record.presence == "off"
        ),
        layers=_layers(app),
        tables=tuple(_table(app, table, touched) for table in _sorted_tables(app)),
    )


def functions_of(app: App, route: Route) -> list[Function]:
    """Return every project function that a request to ``route`` may run, dependencies first."""
    roots = [d.function for d in route.all_dependencies() if d.function is not None]
    if route.endpoint is not None:
        roots.append(route.endpoint)
    return [step.function for step in app.calls.reach(roots)]


def executions_of(app: App, route: Route) -> Iterator[Execution]:
    """Yield the database work that a request to ``route`` may do."""
    for function in functions_of(app, route):
        yield from app.calls.executions(function)


def _route(app: App, route: Route, executions: list[Execution]) -> MapRoute:
    module = route.endpoint.module if route.endpoint is not None else route.module
    node = route.endpoint.node if route.endpoint is not None else route.node
    names = {_table_name(app, e.table) for e in executions if e.table is not None}
    return MapRoute(
        methods=route.methods,
        path=route.path,
        kind=route.kind,
        endpoint=route.record.endpoint_label,
        file=module.path,
        line=module.line(node),
        dependencies=tuple(_dependency(tree) for tree in route.dependencies),
        auth=_auth(route),
        request=tuple(_parameter(p) for p in route.parameters if p.kind != "special"),
        response=_response(app, route),
        status_code=route.status_code,
        tags=route.tags,
        presence=route.record.presence,
        tables=tuple(sorted(names)),
    )


def _dependency(tree: Dependency) -> MapDependency:
    function = tree.function
    return MapDependency(
        name=tree.label,
        level=tree.level,
        function=function.id if function is not None else tree.external,
        file=function.module.path if function is not None else None,
        line=function.module.line(function.node) if function is not None else None,
        yields=tree.yields,
        scopes=tree.scopes,
        dependencies=tuple(_dependency(child) for child in tree.children),
    )


def _parameter(parameter: RequestParameter) -> MapParameter:
    return MapParameter(
        parameter.alias, parameter.kind, describe(parameter.type), parameter.required
    )


def _auth(route: Route) -> MapAuth | None:
    found = route.authentication
    if found is None:
        return None
    scopes: list[str] = []
    if found.dependency is not None:
        for dependency in found.dependency.walk():
            scopes.extend(scope for scope in dependency.scopes if scope not in scopes)
    return MapAuth(found.by, tuple(scopes))


def _response(app: App, route: Route) -> MapResponse | None:
    response = route.response
    if response.source == "none":
        return None
    inner = response.type.element if isinstance(response.type, Sequence) else response.type
    fields: tuple[str, ...] = ()
    if isinstance(inner, Instance) and isinstance(inner.cls, Class):
        schema = app.models.schema(inner.cls)
        table = app.models.table(inner.cls)
        fields = tuple(schema.fields) if schema else tuple(table.columns) if table else ()
    return MapResponse(describe(response.type) or _written(response.node), response.source, fields)


def _written(node: s.Expr | None) -> str:
    return s.dotted(node) or s.last_name(node) or "unknown"


def describe(found: Type) -> str | None:
    """Return a type as a person writes it, or None if it is not known."""
    match found:
        case Instance():
            name = found.cls.name if isinstance(found.cls, Class) else found.cls.rpartition(".")[2]
            args = [describe(arg) or "?" for arg in found.args]
            return f"{name}[{', '.join(args)}]" if args else name
        case ClassObject():
            return f"type[{found.cls.name if isinstance(found.cls, Class) else found.cls}]"
        case Sequence(kind="dict"):
            return f"dict[{describe(found.key) if found.key else '?'}, {describe(found.element) or '?'}]"
        case Sequence():
            return f"{found.kind}[{describe(found.element) or '?'}]"
        case Alternatives():
            return " | ".join(describe(option) or "?" for option in found.options)
        case Awaitable():
            return describe(found.result)
        case Literal():
            return repr(found.value)
        case NoneType():
            return "None"
        case _:
            return None


def _layers(app: App) -> dict[str, tuple[MapModule, ...]]:
    found: dict[str, list[MapModule]] = {}
    for path, layer in sorted(app.layers.items()):
        found.setdefault(layer.name, []).append(MapModule(path, layer.reason))
    return {name: tuple(modules) for name, modules in sorted(found.items())}


def _sorted_tables(app: App) -> list[Table]:
    return sorted(app.tables, key=lambda table: (table.name, table.cls.id))


def _table_name(app: App, cls: Class) -> str:
    table = app.models.table(cls)
    return table.name if table is not None else cls.name


def _table(app: App, table: Table, touched: dict[int, list[Execution]]) -> MapTable:
    uses: dict[int, tuple[Execution, list[str]]] = {}
    for route in app.routes:
        for execution in touched[id(route)]:
            if execution.table is not None and execution.table.node is table.cls.node:
                uses.setdefault(id(execution.site.node), (execution, []))[1].append(route.label)
    return MapTable(
        name=table.name,
        model=table.cls.id,
        file=table.cls.module.path,
        line=table.cls.module.line(table.cls.node),
        columns=tuple(
            MapColumn(c.name, describe(c.type), c.primary_key, c.foreign_key, c.unique, c.index)
            for c in table.columns.values()
        ),
        relationships=tuple(
            MapRelationship(r.name, r.target.name if r.target else None, r.many, r.lazy or "select")
            for r in table.relationships.values()
        ),
        used_by=tuple(_uses(uses.values())),
    )


def _uses(found: Iterable[tuple[Execution, list[str]]]) -> Iterator[MapUse]:
    rows = [
        MapUse(
            execution.kind,
            execution.site.caller.id,
            execution.site.module.path,
            execution.site.module.line(execution.site.node),
            tuple(dict.fromkeys(routes)),
        )
        for execution, routes in found
    ]
    yield from sorted(rows, key=lambda use: (use.file, use.line, use.kind))


def _application(application: Application) -> MapApplication:
    return MapApplication(
        name=application.name,
        file=application.module.path,
        line=application.module.line(application.node),
        middleware=tuple(m.name for m in application.middleware),
        lifespan=application.lifespan.id if application.lifespan is not None else None,
    )


class Touch(msgspec.Struct, frozen=True):
    """One line of what a request touches: depth in the tree, what it is, where."""

    depth: int
    kind: str
    label: str
    file: str
    line: int


def walk_route(app: App, route: Route) -> Iterator[Touch]:
    """Yield, as an indented tree, all that a request to ``route`` runs, down to the tables."""
    seen: set[int] = set()
    module = route.module
    yield Touch(0, "route", route.label, module.path, module.line(route.node))
    for tree in route.dependencies:
        yield from _walk_dependency(app, tree, 1, seen)
    if route.endpoint is not None:
        yield from _walk_function(app, route.endpoint, 1, "endpoint", seen)


def _walk_dependency(app: App, tree: Dependency, depth: int, seen: set[int]) -> Iterator[Touch]:
    place = tree.function.module if tree.function is not None else tree.module
    node = tree.function.node if tree.function is not None else tree.node
    yield Touch(depth, "dependency", tree.label, place.path, place.line(node))
    for child in tree.children:
        yield from _walk_dependency(app, child, depth + 1, seen)
    if tree.function is not None:
        yield from _inside(app, tree.function, depth + 1, seen)


def _walk_function(
    app: App, function: Function, depth: int, kind: str, seen: set[int]
) -> Iterator[Touch]:
    module = function.module
    yield Touch(depth, kind, function.qualname, module.path, module.line(function.node))
    yield from _inside(app, function, depth + 1, seen)


def _inside(app: App, function: Function, depth: int, seen: set[int]) -> Iterator[Touch]:
    if id(function.node) in seen:
        return
    seen.add(id(function.node))
    executions = {id(e.site.node): e for e in app.calls.executions(function)}
    for site in app.calls.sites(function):
        line = site.module.line(site.node)
        execution = executions.get(id(site.node))
        if execution is not None:
            yield Touch(depth, execution.kind, _statement(app, execution), site.module.path, line)
        for target in site.targets:
            if id(target.node) not in seen:
                kind = "call"
                yield from _walk_function(app, target, depth, kind, seen)
        if execution is None and not site.targets and _is_outside(site):
            yield Touch(depth, "outside", site.external or "", site.module.path, line)


_OUTSIDE = ("requests.", "httpx.", "boto3.", "redis.", "smtplib.", "aiohttp.", "openai.", "stripe.")


def _is_outside(site: CallSite) -> bool:
    return site.external is not None and site.external.startswith(_OUTSIDE)


def _statement(app: App, execution: Execution) -> str:
    table = _table_name(app, execution.table) if execution.table is not None else "database"
    return f"{execution.site.method} {table}"
