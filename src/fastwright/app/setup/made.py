"""Routers that libraries make: by functions that are known as data, by decorated methods of a class."""

from __future__ import annotations

from fastwright.app.library import MadeRoute, RouteFactory
from fastwright.app.setup import routers
from fastwright.app.setup.classes import class_member, mro
from fastwright.app.setup.evaluate import arguments
from fastwright.app.setup.machine import Machine
from fastwright.app.setup.relevance import VERBS
from fastwright.app.setup.values import (
    NONE,
    Arguments,
    ClassValue,
    Closure,
    External,
    Foreign,
    Instance,
    RouterValue,
    RouteValue,
    Value,
    strings,
    text_of,
)
from fastwright.read import syntax as s


def by_factory(m: Machine, name: str, given: Arguments, owner: Foreign | None) -> Value | None:
    """Return what a library's function that makes a router gives; None for any other function.

    ``owner`` is the object whose method it is.
    """
    factory = m.linker.library.route_factories.get(name)
    if factory is None:
        return None
    if factory.attribute == "":
        return _router(m, name, factory, given, given)
    if owner is None:
        return None
    owner.attrs[factory.attribute] = _router(m, name, factory, given, owner.arguments)
    return NONE


def _router(
    m: Machine, name: str, factory: RouteFactory, given: Arguments, settings: Arguments
) -> RouterValue:
    router = routers.create(m, "router", Arguments(given.site))
    only = strings(given.get(-1, factory.only) or NONE)
    without = strings(given.get(-1, factory.without) or NONE)
    for route in factory.routes:
        is_named = (not only or route.name in only) and route.name not in without
        if is_named and (not route.given or _is_given(settings, route.given)):
            router.routes.items.append(_route(m, name, factory, route, given, settings, router))
    return router


def _is_given(settings: Arguments, name: str) -> bool:
    value = settings.keywords.get(name)
    return value is not None and value != NONE


def _route(
    m: Machine,
    name: str,
    factory: RouteFactory,
    route: MadeRoute,
    given: Arguments,
    settings: Arguments,
    router: RouterValue,
) -> RouteValue:
    position, _, keyword = factory.prefix.partition(" ")
    prefix = settings.get(int(position), keyword) if factory.prefix else None
    before, partial = text_of(prefix)
    listed = given.sources.get(route.dependencies)
    label = f"{name}.{route.name}" if route.name else name
    tags = settings.keywords.get("tags")
    return RouteValue(
        kind="http",
        path=before + route.path,
        own_path=before + route.path,
        methods=(route.method,),
        endpoint=External(label),
        site=given.site,
        keywords={"providers": listed} if listed is not None else {},
        values={"tags": tags} if tags is not None else {},
        layers=(router.layer,) if router.layer is not None else (),
        partial=partial,
        presence=m.presence,
        user=name.rpartition(".")[2] if route.user else "",
    )


# ------------------------------------------------------------------ decorated methods


def is_routable(m: Machine, cls: ClassValue) -> bool:
    """Whether instances of a class hold a router of its decorated methods."""
    names = m.linker.library.routables
    return any(isinstance(base, External) and base.name in names for base in mro(cls))


def fill(m: Machine, made: Instance, given: Arguments) -> Value:
    """Give an object the router of its decorated methods, in the order of their names."""
    router = routers.create(m, "router", given)
    made.attrs["router"] = router
    names = sorted(
        {
            name
            for base in mro(made.cls)
            if isinstance(base, ClassValue)
            for name in base.symbol.own_methods
        }
    )
    for name in names:
        method = class_member(m, made.cls, name)
        if isinstance(method, Closure):
            _declare(m, router, method, made)
    return NONE


def _declare(m: Machine, router: RouterValue, method: Closure, made: Instance) -> None:
    for decorator in method.symbol.node.decorators:
        if not isinstance(decorator, s.Call):
            continue
        name = m.linker.external(decorator.func, method.symbol.module) or ""
        library, _, verb = name.rpartition(".")
        libraries = {known.partition(".")[0] for known in m.linker.library.routables}
        if library.partition(".")[0] in libraries and verb in VERBS:
            given = arguments(m, decorator, method.frame)
            declare = routers.call(m, router, verb, given)
            m.call(m, declare, Arguments(given.site, [method.bind(made)]))
