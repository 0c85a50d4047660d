"""Routers: what FastAPI and Starlette do with them, on symbolic values."""

from __future__ import annotations

from collections.abc import Callable

from fastwright.app.setup.classes import class_member, mro
from fastwright.app.setup.machine import Exhausted, Machine
from fastwright.app.setup.relevance import VERBS
from fastwright.app.setup.result import Place
from fastwright.app.setup.values import (
    HOLE,
    NONE,
    UNKNOWN,
    Arguments,
    Choice,
    ClassValue,
    Closure,
    Const,
    External,
    Foreign,
    IncludeValue,
    Items,
    LambdaValue,
    LayerValue,
    Method,
    MountValue,
    Native,
    PartialValue,
    RouterValue,
    RouteValue,
    Table,
    Unknown,
    Value,
    least,
    options,
    strings,
    text_of,
    truth,
)

_KINDS = {
    "fastapi.FastAPI": "app",
    "fastapi.APIRouter": "router",
    "starlette.applications.Starlette": "plain-app",
    "starlette.routing.Router": "plain-router",
    "cadwyn.Cadwyn": "app",
    "fastapi_utils.inferring_router.InferringRouter": "router",
    "fastapi_restful.inferring_router.InferringRouter": "router",
}

ROUTE_CLASSES = {
    "fastapi.routing.APIRoute": "http",
    "fastapi.routing.APIWebSocketRoute": "websocket",
    "starlette.routing.Route": "plain",
    "fastapi.routing.Route": "plain",
    "starlette.routing.WebSocketRoute": "plain-websocket",
    "fastapi.routing.WebSocketRoute": "plain-websocket",
}

MAX_ROUTERS = 5000
"""A project that makes more is one that the interpreter misread."""

DECLARING = VERBS | {"add_api_route", "add_api_websocket_route", "add_route"}
"""Methods of routers that declare a route."""

_HTTP = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}


def kind_of(cls: ClassValue | External) -> str | None:
    """Return the kind of router that instances of the class are, None for other classes."""
    if isinstance(cls, External):
        known = _KINDS.get(cls.name)
        return "router" if known is None and cls.name.endswith("APIRouter") else known
    for ancestor in mro(cls):
        if isinstance(ancestor, External) and (kind := kind_of(ancestor)) is not None:
            return kind
    return None


# ----------------------------------------------------------------- construction


def blank(m: Machine, kind: str, cls: ClassValue | None, site: Place) -> RouterValue:
    """Return a router that has not been initialised."""
    if len(m.routers) > MAX_ROUTERS:
        raise Exhausted
    router = RouterValue(kind, cls, site, Items("list", []))
    router.callers = tuple(m.stack)
    router.presence = m.presence
    m.routers.append(router)
    return router


def create(m: Machine, kind: str, given: Arguments) -> RouterValue:
    """Return what calling a class of FastAPI or Starlette gives."""
    router = blank(m, kind, None, given.site)
    initialize(m, router, given)
    return router


def initialize(m: Machine, router: RouterValue, given: Arguments) -> None:
    """Do what ``FastAPI.__init__`` or ``APIRouter.__init__`` does."""
    router.made = True
    keywords = given.keywords
    if router.kind == "router":
        prefix = keywords.get("prefix")
        router.prefix, router.partial = text_of(prefix)
        if isinstance(prefix, Unknown):
            router.prefix, router.partial = HOLE, True
    sources = {k: v for k, v in given.sources.items() if isinstance(k, str)}
    kind = "app" if router.is_app else "router"
    router.layer = LayerValue(kind, given.site, sources, dict(keywords))
    router.lifespan = keywords.get("lifespan")
    if router.lifespan is not None:
        router.startups.append((router.lifespan, m.presence))
    for value in options(keywords.get("routes") or UNKNOWN):
        if isinstance(value, Items):
            router.routes.items.extend(value.items)
    _initial_middleware(router, keywords.get("middleware"), given)
    handlers = keywords.get("exception_handlers")
    if isinstance(handlers, Table):
        for _, handler in handlers.entries.values():
            where = given.sources.get("exception_handlers", given.site)
            router.handlers.append((where, handler, given.site))
    for event in ("startup", "shutdown"):
        functions = keywords.get(f"on_{event}")
        if isinstance(functions, Items):
            for function in functions.items:
                _on(m, router, event, function, given.site)


def _initial_middleware(router: RouterValue, value: Value | None, given: Arguments) -> None:
    if not isinstance(value, Items):
        return
    for each in value.items:
        if isinstance(each, Foreign) and each.name.rpartition(".")[2] == "Middleware":
            made = each.arguments
            cls = made.get(0, "cls")
            keywords = {k: v for k, v in made.sources.items() if isinstance(k, str)}
            # Starlette puts this list outside of what add_middleware adds later.
            router.middleware.append((cls or UNKNOWN, made.site, keywords))
        else:
            router.middleware.append((UNKNOWN, given.site, {}))


def route_object(m: Machine, kind: str, given: Arguments) -> Value:
    """Return what calling ``APIRoute(...)`` or Starlette's ``Route(...)`` gives."""
    path, endpoint = given.get(0, "path"), given.get(1, "endpoint")
    return _route(m, None, kind, path, endpoint or UNKNOWN, given)


def mount_object(m: Machine, given: Arguments) -> Value:
    """Return what calling ``Mount(...)`` or ``Host(...)`` gives."""
    path, partial = text_of(given.get(0, "path"))
    app = given.get(1, "app")
    routes = given.get(2, "routes")
    if app is None and isinstance(routes, Items):
        inner = blank(m, "plain-router", None, given.site)
        inner.routes = routes
        inner.made = True
        app = inner
    layer = _layer("mount", given)
    return MountValue(app or UNKNOWN, path.rstrip("/"), (layer,), partial, m.presence)


# ------------------------------------------------------------------- attributes


def attribute(router: RouterValue, name: str) -> Value:
    """Return an attribute that FastAPI or Starlette gives a router."""
    if name == "routes":
        return router.routes
    if name == "router" and router.is_app:
        if router.inner is None:
            kind = "router" if router.kind == "app" else "plain-router"
            inner = RouterValue(kind, None, router.site, router.routes)
            inner.layer, inner.made, inner.prefix = router.layer, True, router.prefix
            inner.includes, inner.events = router.includes, router.events
            inner.startups = router.startups
            router.inner = inner
        return router.inner
    if name == "prefix":
        return Const(router.prefix, router.partial)
    if name == "state":
        state = Foreign("starlette.datastructures.State", Arguments(router.site))
        router.attrs["state"] = state
        return state
    if name in _OPERATIONS or name in _HTTP:
        return Method(router, name)
    if router.layer is not None and name in router.layer.values:
        return router.layer.values[name]
    if name == "root_path":
        return Const("")
    if name in {"tags", "dependencies", "user_middleware"}:
        made = Items("list", [])
        router.attrs[name] = made
        return made
    return UNKNOWN


def route_member(route: RouteValue, name: str) -> Value:
    """Return an attribute of a route."""
    if name in {"path", "path_format"}:
        return Const(route.path, route.partial)
    if name == "methods":
        return Items("set", [Const(method) for method in route.methods])
    if name == "endpoint":
        return route.endpoint
    if name == "name":
        if route.name is not None:
            return Const(route.name)
        endpoint = route.endpoint
        return Const(endpoint.symbol.name) if isinstance(endpoint, Closure) else UNKNOWN
    if name == "include_in_schema":
        return _in_schema(route)
    if name in {"tags", "dependencies"}:
        given = [layer.values.get(name) for layer in route.layers]
        lists = [each for each in [*given, route.values.get(name)] if isinstance(each, Items)]
        return Items("list", [each for items in lists for each in items.items])
    return route.values.get(name, UNKNOWN)


def _in_schema(route: RouteValue) -> Value:
    """A route is in the schema if neither it nor what is around it says otherwise."""
    given = [layer.values.get("include_in_schema") for layer in route.layers]
    answers = [
        truth(each) for each in [*given, route.values.get("include_in_schema")] if each is not None
    ]
    if False in answers:
        return Const(value=False)
    return UNKNOWN if None in answers else Const(value=True)


# --------------------------------------------------------------------- routes


def call(m: Machine, router: RouterValue, name: str, given: Arguments) -> Value:
    """Call a method that FastAPI or Starlette gives a router."""
    if name in _HTTP:
        keywords = {**given.keywords, "methods": Items("list", [Const(name.upper())])}
        given = Arguments(given.site, given.positional, keywords, given.sources, given.open)
        return _declarer(m, router, "api_route", given)
    operation = _OPERATIONS.get(name)
    return operation(m, router, given) if operation is not None else UNKNOWN


def _declarer(m: Machine, router: RouterValue, name: str, given: Arguments) -> Value:
    """Return the decorator that ``router.get(...)`` gives."""
    override = _override(m, router, "api_route") if name == "api_route" else None
    site = m.declaring[0] if m.declaring else given.site
    given = Arguments(site, given.positional, given.keywords, given.sources, given.open)
    presence = m.presence

    def decorate(m: Machine, decorated: Arguments) -> Value:
        endpoint = decorated.get(0, "func") or UNKNOWN
        full = given.shifted(UNKNOWN).shifted()  # a copy
        path = full.get(0, "path")
        rest = {k: v for k, v in full.keywords.items() if k != "path"}
        passed = Arguments(site, [path or UNKNOWN, endpoint], rest, full.sources, full.open)
        m.declaring.append(site)
        outer, m.least_presence = m.least_presence, least(m.least_presence, presence)
        try:
            adder = _override(m, router, _ADDERS[name])
            if adder is not None:
                m.call(m, adder, passed)
            else:
                call(m, router, _ADDERS[name], passed)
        finally:
            m.declaring.pop()
            m.least_presence = outer
        return endpoint

    if override is not None and not _running(m, override):
        return m.call(m, override, given)
    return Native(name, decorate)


_ADDERS = {
    "api_route": "add_api_route",
    "route": "add_route",
    "websocket": "add_api_websocket_route",
    "websocket_route": "add_websocket_route",
}


def _override(m: Machine, router: RouterValue, name: str) -> Closure | None:
    """Return the method with which a class of the project replaces ``name``."""
    if router.cls is None or router.is_app:
        return None
    found = class_member(m, router.cls, name)
    return found.bind(router) if isinstance(found, Closure) else None


def _running(m: Machine, function: Closure) -> bool:
    return function.symbol in m.stack


def _adder(kind: str) -> Callable[[Machine, RouterValue, Arguments], Value]:
    def add(m: Machine, router: RouterValue, given: Arguments) -> Value:
        endpoint_name = "route" if kind.startswith("plain") else "endpoint"
        path = given.get(0, "path")
        endpoint = given.get(1, "endpoint") or given.keywords.get(endpoint_name) or UNKNOWN
        route = _route(m, router, kind, path, endpoint, given)
        if isinstance(route, RouteValue):
            router.routes.items.append(route)
        return NONE

    return add


def _route(
    m: Machine,
    router: RouterValue | None,
    kind: str,
    path: Value | None,
    endpoint: Value,
    given: Arguments,
) -> Value:
    text, partial = text_of(path)
    if text == HOLE and isinstance(endpoint, Unknown):
        m.note("unknown-route", given.site, "neither path nor endpoint of the route is known")
        return UNKNOWN
    own = text
    layers: tuple[LayerValue, ...] = ()
    if router is not None:
        layers = (router.layer,) if router.layer is not None else ()
        if not kind.startswith("plain"):
            text, partial = router.prefix + text, partial or router.partial
    site = m.declaring[0] if m.declaring else given.site
    name, _ = text_of(given.keywords.get("name"))
    return RouteValue(
        kind=kind,
        path=text,
        own_path=own,
        methods=_methods(kind, given.get(2, "methods") if kind == "plain" else None, endpoint)
        if kind == "plain"
        else _methods(kind, given.keywords.get("methods"), endpoint),
        endpoint=endpoint,
        site=site,
        keywords={k: v for k, v in given.sources.items() if isinstance(k, str)},
        values=dict(given.keywords),
        layers=layers,
        partial=partial,
        presence=m.presence,
        name=name or None,
    )


def _methods(kind: str, value: Value | None, endpoint: Value) -> tuple[str, ...]:
    if kind.endswith("websocket"):
        return ()
    given = strings(value) if value is not None else ()
    methods = {method.upper() for method in given}
    if kind == "http":
        return tuple(sorted(methods or {"GET"}))
    if not methods:
        functions = (Closure, LambdaValue, Native, PartialValue, Unknown)
        is_function = isinstance(endpoint, functions)
        methods = {"GET"} if is_function else set()
    if "GET" in methods:
        methods.add("HEAD")
    return tuple(sorted(methods))


# ------------------------------------------------------------- include and mount


def _layer(kind: str, given: Arguments) -> LayerValue:
    sources = {k: v for k, v in given.sources.items() if isinstance(k, str)}
    return LayerValue(kind, given.site, sources, dict(given.keywords))


def _include(m: Machine, router: RouterValue, given: Arguments) -> Value:
    child = given.get(0, "router") or UNKNOWN
    for option in options(child):
        if isinstance(option, RouterValue):
            _include_one(m, router, option, given)
        elif isinstance(option, (External, Foreign)):
            name = option.name
            m.note("external-router", given.site, f"{name} comes from outside the project")
        elif not isinstance(option, Const):
            m.note("unknown-router", given.site, "the included router is not known")
    return NONE


def _include_each(m: Machine, router: RouterValue, given: Arguments) -> Value:
    """``Cadwyn.generate_and_include_versioned_routers(*routers)``."""
    for position, child in enumerate(given.positional):
        source = given.sources.get(position, given.site)
        _include(m, router, Arguments(given.site, [child], {}, {0: source}))
    return NONE


def _include_one(m: Machine, router: RouterValue, child: RouterValue, given: Arguments) -> None:
    prefix, partial = text_of(given.keywords.get("prefix"))
    layers = (*((router.layer,) if router.layer else ()), _layer("include", given))
    router.includes.append((child, len(child.routes.items), given.site))
    doubtful = "unknown" if isinstance(given.get(0, "router"), Choice) else "always"
    include = IncludeValue(
        child,
        router.prefix + prefix,
        layers,
        partial or router.partial,
        least(m.presence, doubtful),
    )
    if m.by_reference:
        if not contains(child, router):
            router.routes.items.append(include)
        return
    override = _override(m, router, "add_api_route")
    for entry in list(child.routes.items):
        if not isinstance(entry, RouteValue):
            continue  # copying FastAPIs drop mounts of included routers
        copy = copied(entry, include)
        if entry.kind.startswith("plain"):
            copy.path = prefix + entry.path
        if override is not None and entry.kind == "http":
            _add_through(m, override, entry, prefix, given)
        else:
            router.routes.items.append(copy)


def _add_through(
    m: Machine, override: Closure, entry: RouteValue, prefix: str, given: Arguments
) -> None:
    methods = Items("set", [Const(method) for method in entry.methods])
    keywords = {**entry.values, "methods": methods}
    sources: dict[str | int, Place] = {name: site for name, site in entry.keywords.items()}  # noqa: C416
    path = Const(prefix + entry.path, entry.partial)
    m.declaring.append(entry.site)
    try:
        m.call(m, override, Arguments(given.site, [path, entry.endpoint], keywords, sources))
    finally:
        m.declaring.pop()


def contains(router: RouterValue, wanted: RouterValue, depth: int = 30) -> bool:
    """Return whether ``router`` is ``wanted`` or includes it."""
    if router.routes is wanted.routes:
        return True
    if depth == 0:
        return True
    return any(
        contains(entry.router, wanted, depth - 1)
        for entry in router.routes.items
        if isinstance(entry, IncludeValue)
    )


def copied(entry: RouteValue, include: IncludeValue) -> RouteValue:
    """Return the route as it is under ``include``."""
    return RouteValue(
        kind=entry.kind,
        path=include.prefix + entry.path,
        own_path=entry.own_path,
        methods=entry.methods,
        endpoint=entry.endpoint,
        site=entry.site,
        keywords=entry.keywords,
        values=entry.values,
        layers=include.layers + entry.layers,
        partial=entry.partial or include.partial,
        presence=least(entry.presence, include.presence),
        name=entry.name,
        user=entry.user,
    )


def _mount(m: Machine, router: RouterValue, given: Arguments) -> Value:
    path, partial = text_of(given.get(0, "path"))
    app = given.get(1, "app") or UNKNOWN
    layers = (*((router.layer,) if router.layer else ()), _layer("mount", given))
    for option in options(app):
        if isinstance(option, Const):
            continue
        router.routes.items.append(
            MountValue(option, path.rstrip("/"), layers, partial, m.presence)
        )
    return NONE


def _host(m: Machine, router: RouterValue, given: Arguments) -> Value:
    app = given.get(1, "app") or UNKNOWN
    layers = (*((router.layer,) if router.layer else ()), _layer("mount", given))
    router.routes.items.append(MountValue(app, "", layers, partial=False, presence=m.presence))
    return NONE


# ---------------------------------------------------- middleware, handlers, events


def _middleware(_: Machine, router: RouterValue, given: Arguments) -> Value:
    cls = given.get(0, "middleware_class") or UNKNOWN
    keywords = {k: v for k, v in given.sources.items() if isinstance(k, str)}
    router.middleware.append((cls, given.site, keywords))
    return NONE


def _middleware_decorator(_: Machine, router: RouterValue, given: Arguments) -> Value:
    def decorate(_: Machine, decorated: Arguments) -> Value:
        function = decorated.get(0, "func") or UNKNOWN
        router.middleware.append((function, given.site, {}))
        return function

    return Native("middleware", decorate)


def _add_handler(_: Machine, router: RouterValue, given: Arguments) -> Value:
    where = given.source(0, "exc_class_or_status_code") or given.site
    router.handlers.append((where, given.get(1, "handler") or UNKNOWN, given.site))
    return NONE


def _handler_decorator(_: Machine, router: RouterValue, given: Arguments) -> Value:
    where = given.source(0, "exc_class_or_status_code") or given.site

    def decorate(_: Machine, decorated: Arguments) -> Value:
        function = decorated.get(0, "func") or UNKNOWN
        router.handlers.append((where, function, given.site))
        return function

    return Native("exception_handler", decorate)


def _add_event(m: Machine, router: RouterValue, given: Arguments) -> Value:
    event, _partial = text_of(given.get(0, "event_type"))
    _on(m, router, event, given.get(1, "func") or UNKNOWN, given.site)
    return NONE


def _on(m: Machine, router: RouterValue, event: str, function: Value, site: Place) -> None:
    router.events.append((event, function, site))
    if event == "startup":
        router.startups.append((function, m.presence))


def _event_decorator(_: Machine, router: RouterValue, given: Arguments) -> Value:
    event, _partial = text_of(given.get(0, "event_type"))

    def decorate(m: Machine, decorated: Arguments) -> Value:
        function = decorated.get(0, "func") or UNKNOWN
        _on(m, router, event, function, given.site)
        return function

    return Native("on_event", decorate)


def _decorator(name: str) -> Callable[[Machine, RouterValue, Arguments], Value]:
    def declare(m: Machine, router: RouterValue, given: Arguments) -> Value:
        return _declarer(m, router, name, given)

    return declare


def _init(m: Machine, router: RouterValue, given: Arguments) -> Value:
    initialize(m, router, given)
    return NONE


_OPERATIONS: dict[str, Callable[[Machine, RouterValue, Arguments], Value]] = {
    "__init__": _init,
    "api_route": _decorator("api_route"),
    "route": _decorator("route"),
    "websocket": _decorator("websocket"),
    "websocket_route": _decorator("websocket_route"),
    "add_api_route": _adder("http"),
    "add_api_websocket_route": _adder("websocket"),
    "add_route": _adder("plain"),
    "add_websocket_route": _adder("plain-websocket"),
    "include_router": _include,
    "generate_and_include_versioned_routers": _include_each,
    "mount": _mount,
    "host": _host,
    "add_middleware": _middleware,
    "middleware": _middleware_decorator,
    "add_exception_handler": _add_handler,
    "exception_handler": _handler_decorator,
    "add_event_handler": _add_event,
    "on_event": _event_decorator,
}
