"""From the interpreter's values to the records that everybody else reads."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.setup import result as r
from fastwright.app.setup.machine import Machine
from fastwright.app.setup.routers import copied
from fastwright.app.setup.symbols_of import unwrap
from fastwright.app.setup.values import (
    Choice,
    ClassValue,
    Closure,
    External,
    Foreign,
    IncludeValue,
    Instance,
    Items,
    LambdaValue,
    LayerValue,
    MountValue,
    PartialValue,
    RouterValue,
    RouteValue,
    Unknown,
    Value,
    least,
    strings,
)
from fastwright.app.symbols import Class, Function

MAX_ROUTES = 50_000
"""A project with more is one that the interpreter misread."""

_MAX_DEPTH = 30
_MAX_COPIES = 200


def build(m: Machine) -> r.SetupResult:
    """Return what the interpretation found."""
    names = _module_names(m)
    roots, applications = _distinct([router for router in m.routers if router.is_app])
    indices = {id(app.routes): number for number, app in enumerate(applications)}
    mounted = _mounts(applications, indices)
    records = {
        id(app): _application(app, names.get(id(app)), mounted.get(id(app.routes), ()))
        for app in applications
    }
    served = _served(applications)
    routers = tuple(
        _router(router, names.get(id(router)), mounted=id(router.routes) in served)
        for router in m.routers
        if not router.is_app and (router.routes.items or router.prefix)
    )
    effective = _effective([records[id(app)] for app in roots])
    _note_late_routes(m)
    notes = tuple(m.notes[key] for key in sorted(m.notes))
    return r.SetupResult(tuple(records.values()), effective, routers, notes)


def _effective(applications: list[r.Application]) -> tuple[r.RouteRecord, ...]:
    """Return the routes of all; what a setting would add, only where it adds something."""
    found: list[r.RouteRecord] = []
    known: set[tuple[object, ...]] = set()
    for application in sorted(applications, key=lambda each: each.presence == "off"):
        for route in application.routes:
            key = (route.methods, route.path, route.endpoint_label, route.kind)
            if route.presence == "off" and key in known:
                continue
            known.add(key)
            found.append(route)
    return tuple(found)


# ------------------------------------------------------------------ applications


def _module_names(m: Machine) -> dict[int, str]:
    """Return the module-level names that hold routers, by identity."""
    found: dict[int, str] = {}
    for path in sorted(m.modules):
        for name, value in m.modules[path].frame.names.items():
            if isinstance(value, RouterValue):
                found.setdefault(id(value), name)
    return found


def _distinct(every: list[RouterValue]) -> tuple[list[RouterValue], list[RouterValue]]:
    """Return the applications that none mounts, and those with all that they mount.

    Copies that calling a factory again gave are dropped: made at the same place, nothing more.
    """
    parents = _parents(every)
    top = [app for app in every if id(app.routes) not in parents] or every[:1]
    mounted = [app for app in every if id(app.routes) in parents]
    tables = {id(app): _table(app) for app in every}
    alike: dict[int, list[RouterValue]] = {}
    for app in [*mounted, *top]:
        alike.setdefault(id(app.site.node), []).append(app)
    roots: list[RouterValue] = []
    for app in top:
        own = tables[id(app)]
        first = True  # before it in the list: those that count when both are the same
        for other in alike[id(app.site.node)][:_MAX_COPIES]:
            if other is app:
                first = False
            elif own < tables[id(other)] or (first and own == tables[id(other)]):
                break
        else:
            roots.append(app)
    reached = _served(roots)
    return roots, [app for app in every if id(app.routes) in reached]


def _table(app: RouterValue) -> frozenset[object]:
    return frozenset(
        (route.path, route.methods, endpoint_label(route.endpoint), len(mounts))
        for route, mounts in flatten(app.routes)
    )


def _parents(applications: list[RouterValue]) -> dict[int, list[RouterValue]]:
    """Return by which applications each is mounted; those that a setting adds do not count."""
    found: dict[int, list[RouterValue]] = {}
    for app in applications:
        for mount in _all_mounts(app.routes):
            if app.presence == "off":
                continue
            for inner in _mounted_routers(mount.app):
                if inner.routes is not app.routes:
                    found.setdefault(id(inner.routes), []).append(app)
    return found


def _application(
    app: RouterValue, name: str | None, mounted: tuple[r.Mounted, ...]
) -> r.Application:
    named = [function for function in app.callers if function.outer is None]
    callers = named or list(app.callers)
    factory = callers[0] if callers else None
    lifespan = _function_of(app.lifespan)
    return r.Application(
        module=app.site.module,
        function=app.site.function,
        node=app.site.node,
        name=name or (factory.qualname if factory is not None else ""),
        factory=factory,
        routes=_records(app.routes, app.presence),
        middleware=tuple(_middleware(*each) for each in app.middleware),
        exception_handlers=tuple(
            r.ExceptionHandler(where, _function_of(value), endpoint_label(value), site)
            for where, value, site in app.handlers
        ),
        lifespan=lifespan,
        event_handlers=tuple(
            r.EventHandler(event, _function_of(value), site) for event, value, site in app.events
        ),
        keywords=app.layer.keywords if app.layer is not None else {},
        mounted_under=mounted,
        fastapi=app.kind == "app",
        presence=app.presence,
    )


def _middleware(value: Value, site: r.Place, keywords: r.Keywords) -> r.Middleware:
    cls: Class | None = value.symbol if isinstance(value, ClassValue) else None
    name = value.name if isinstance(value, External) else endpoint_label(value)
    return r.Middleware(cls, _function_of(value), name, site, keywords)


def _router(router: RouterValue, name: str | None, *, mounted: bool) -> r.RouterRecord:
    own = [entry for entry in router.routes.items if isinstance(entry, RouteValue)]
    return r.RouterRecord(
        module=router.site.module,
        function=router.site.function,
        node=router.site.node,
        name=name,
        prefix=router.prefix,
        mounted=mounted,
        routes=tuple(_record(route, number) for number, route in enumerate(own)),
    )


# ------------------------------------------------------------------------ routes


def flatten(
    routes: Items, depth: int = _MAX_DEPTH
) -> Iterator[tuple[RouteValue, tuple[MountValue, ...]]]:
    """Yield the effective routes below, with the mounts that they are under."""
    if depth == 0:
        return
    for entry in list(routes.items):
        if isinstance(entry, RouteValue):
            yield entry, ()
        elif isinstance(entry, IncludeValue):
            for route, mounts in flatten(entry.router.routes, depth - 1):
                if not mounts:
                    yield copied(route, entry), ()
                else:
                    first = mounts[0]
                    moved = MountValue(
                        first.app,
                        (entry.prefix + first.path).rstrip("/"),
                        entry.layers + first.layers,
                        first.partial or entry.partial,
                        least(first.presence, entry.presence),
                    )
                    yield route, (moved, *mounts[1:])
        elif isinstance(entry, MountValue):
            for inner in _mounted_routers(entry.app):
                for route, mounts in flatten(inner.routes, depth - 1):
                    yield route, (entry, *mounts)


def _mounted_routers(app: Value, depth: int = 5) -> Iterator[RouterValue]:
    """Yield the routers behind a mounted application, looking through what wraps them."""
    if isinstance(app, RouterValue):
        yield app
    elif depth == 0:
        return
    elif isinstance(app, Choice):
        for option in app.options:
            yield from _mounted_routers(option, depth - 1)
    elif isinstance(app, Foreign):
        given = [*app.arguments.positional, *app.arguments.keywords.values()]
        yield from (value for value in given if isinstance(value, RouterValue))
    elif isinstance(app, Instance) and "app" in app.attrs:
        yield from _mounted_routers(app.attrs["app"], depth - 1)


def _records(routes: Items, presence: str) -> tuple[r.RouteRecord, ...]:
    """Return the effective routes; where branches give one path that is known, only that one."""
    found: list[r.RouteRecord] = []
    known: set[tuple[object, ...]] = set()
    unsure: list[r.RouteRecord] = []
    for route, mounts in flatten(routes):
        if len(found) >= MAX_ROUTES:
            break
        record = _record(route, len(found), mounts, presence)
        found.append(record)
        if record.uncertain and record.presence != "always":
            unsure.append(record)
        else:
            known.add((id(record.node), record.methods, record.endpoint_label))
    dropped = {
        id(record)
        for record in unsure
        if (id(record.node), record.methods, record.endpoint_label) in known
    }
    return tuple(record for record in found if id(record) not in dropped)


def _record(
    route: RouteValue,
    index: int,
    mounts: tuple[MountValue, ...] = (),
    presence: str = "always",
) -> r.RouteRecord:
    prefix = "".join(mount.path for mount in mounts)
    layers = (*(layer for mount in mounts for layer in mount.layers), *route.layers)
    endpoint = unwrap(route.endpoint)
    tags = [tag for layer in layers for tag in strings(layer.values.get("tags"))]
    tags += strings(route.values.get("tags"))
    return r.RouteRecord(
        methods=route.methods,
        path=(prefix + route.path) or "/",
        own_path=route.own_path,
        endpoint=_function_of(endpoint),
        endpoint_label=endpoint_label(endpoint),
        kind="websocket" if route.kind.endswith("websocket") else "http",
        module=route.site.module,
        function=route.site.function,
        node=route.site.node,
        keywords=route.keywords,
        inherited=tuple(_layer(layer) for layer in layers),
        tags=tuple(dict.fromkeys(tags)),
        index=index,
        uncertain=route.partial or any(mount.partial for mount in mounts),
        presence=least(presence, route.presence, *(mount.presence for mount in mounts)),
        starlette=route.kind.startswith("plain"),
        user=route.user,
    )


def _layer(layer: LayerValue) -> r.Layer:
    site = layer.site
    return r.Layer(layer.kind, site.module, site.function, site.node, layer.keywords)


def _function_of(value: Value | None) -> Function | None:
    """Return the function of the project behind an endpoint or handler."""
    for _ in range(10):
        if isinstance(value, PartialValue):
            value = value.function
        elif isinstance(value, Closure):
            inner = unwrap(value)
            if inner is value:
                return value.symbol
            value = inner
        else:
            return None
    return None


def endpoint_label(value: Value | None) -> str:
    """Return ``package.module:Qual.name`` of an endpoint as it is at run time."""
    for _ in range(10):
        if isinstance(value, PartialValue):
            value = value.function
        elif isinstance(value, Closure):
            inner = unwrap(value)
            if inner is value:
                return value.symbol.id
            value = inner
    if isinstance(value, LambdaValue):
        return f"{value.frame.module.module.name}:{value.qualname}"
    if isinstance(value, ClassValue):
        return value.symbol.id
    if isinstance(value, Instance):
        return value.cls.symbol.id
    if isinstance(value, (External, Foreign)):
        origin, _, name = value.name.rpartition(".")
        return f"{origin}:{name}"
    if isinstance(value, Choice):
        return next((endpoint_label(o) for o in value.options if not isinstance(o, Unknown)), "")
    return ""


# ------------------------------------------------------------------------- mounts


def _all_mounts(routes: Items, depth: int = _MAX_DEPTH) -> Iterator[MountValue]:
    """Yield the mounts among ``routes`` and in the routers that they include."""
    if depth == 0:
        return
    for entry in routes.items:
        if isinstance(entry, MountValue):
            yield entry
        elif isinstance(entry, IncludeValue):
            yield from _all_mounts(entry.router.routes, depth - 1)


def _mounts(
    applications: list[RouterValue], indices: dict[int, int]
) -> dict[int, tuple[r.Mounted, ...]]:
    found: dict[int, tuple[r.Mounted, ...]] = {}
    for app in applications:
        for mount in _all_mounts(app.routes):
            for inner in _mounted_routers(mount.app):
                key = id(inner.routes)
                place = r.Mounted(indices[id(app.routes)], mount.path)
                found[key] = (*found.get(key, ()), place)
    return found


def _served(applications: list[RouterValue]) -> set[int]:
    """Return the identities of the route lists that some application serves."""
    found: set[int] = set()
    pending = list(applications)
    while pending:
        router = pending.pop()
        if id(router.routes) in found:
            continue
        found.add(id(router.routes))
        pending.extend(child for child, _, _ in router.includes)
        for mount in _all_mounts(router.routes):
            pending.extend(_mounted_routers(mount.app))
    return found


def _note_late_routes(m: Machine) -> None:
    """Note the routes that were added to a router after it was included."""
    for router in m.routers:
        for child, known, site in router.includes:
            late = [
                entry
                for entry in child.routes.items[known:]
                if isinstance(entry, (RouteValue, IncludeValue))
            ]
            if late:
                what = "1 route was" if len(late) == 1 else f"{len(late)} routes were"
                first = late[0].site if isinstance(late[0], RouteValue) else late[0].layers[-1].site
                m.note("included-too-early", site, f"{what} added after the inclusion", first)
