"""Landmarks: the places of an application that a change must hook into, each with the reason.

Found by what code does, not by its name; ``None`` where the application has no such place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import msgspec

from fastwright.app.models import Schema, Table
from fastwright.app.symbols import Class, External, Function, Variable
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s

if TYPE_CHECKING:
    from fastwright.app.dependencies import Dependency
    from fastwright.app.model import App
    from fastwright.app.setup.result import Application
    from fastwright.app.setup.result import Layer as SetupLayer
    from fastwright.read.module import Module

_LOGIN = re.compile(r"^(e_?mail(_address)?|user_?name|login|phone(_number)?)$", re.IGNORECASE)
_PASSWORD = re.compile(r"passw(or)?d|passwd|pwd", re.IGNORECASE)
_USER = re.compile(r"^(App)?(User|Account|Member|Principal)(s|Model|Table|DB|Entity|ORM)?$|User$")
_CLIENTS = frozenset({"fastapi.testclient.TestClient", "httpx.AsyncClient", "httpx.Client",
                      "async_asgi_testclient.TestClient"})  # fmt: skip

T = TypeVar("T")


class Landmark(msgspec.Struct, frozen=True, eq=False):
    """One place: a function, a class, or a node (``node``) of a module; and why it is that one."""

    module: Module
    node: s.Node
    name: str
    reason: str
    function: Function | None = None
    """The function that it is, or stands in."""
    cls: Class | None = None


class Landmarks(msgspec.Struct, frozen=True, eq=False):
    """The places that a change hooks into."""

    application: Landmark | None
    """The call that makes the application; ``function`` is its factory, if it has one."""
    includes: Landmark | None
    """The last ``include_router`` of the place where most routers are included."""
    session: Landmark | None
    """The dependency that gives a database session."""
    settings: Landmark | None
    metadata: Landmark | None
    """The base class of the tables; for SQLModel without a base of its own, its largest table."""
    user: Landmark | None
    """The table of users."""
    current_user: Landmark | None
    """The dependency that gives the user who asks."""
    test_client: Landmark | None
    """The fixture that gives tests a client of the application."""


def landmarks(app: App) -> Landmarks:
    """Return the landmarks of an application."""
    current_user = _current_user(app)
    return Landmarks(
        application=_application(app),
        includes=_includes(app),
        session=_session(app),
        settings=_settings(app),
        metadata=_metadata(app),
        user=_user(app, current_user),
        current_user=current_user,
        test_client=_test_client(app),
    )


# ------------------------------------------------------------------ application


def main_application(app: App) -> Application | None:
    """Return the application that serves the most routes, mounted ones included."""
    tops = [a for a in app.applications if not a.mounted_under and a.module.kind == "source"]
    return max(tops, key=lambda a: (a.fastapi, len(a.routes)), default=None)


def _application(app: App) -> Landmark | None:
    found = main_application(app)
    if found is None:
        return None
    made = f"made by {found.factory.qualname}()" if found.factory else "made at module level"
    reason = f"{made}, serves {_count(len(found.routes), 'route')}"
    return Landmark(found.module, found.node, found.name, reason, found.factory)


def _includes(app: App) -> Landmark | None:
    """Where the main application includes most of its routers."""
    main = main_application(app)
    if main is None:
        return None
    children: dict[tuple[str, int], set[object]] = {}
    last: dict[tuple[str, int], SetupLayer] = {}
    for record in main.routes:
        for position, layer in enumerate(record.inherited):
            if layer.kind == "include":
                inner = record.inherited[position + 1 : position + 2]
                child = id(inner[0].node) if inner else record.module.path
                place = _place(layer)
                children.setdefault(place, set()).add(child)
                if place not in last or layer.node.start > last[place].node.start:
                    last[place] = layer
    if not children:
        return None
    best = max(children, key=lambda p: (len(children[p]), p == _place_of(main), p[0], -p[1]))
    found = last[best]
    name = found.function.qualname if found.function is not None else found.module.name
    reason = f"includes {_count(len(children[best]), 'router')}"
    return Landmark(found.module, found.node, name, reason, found.function)


def _place(layer: SetupLayer) -> tuple[str, int]:
    return layer.module.path, id(layer.function.node) if layer.function is not None else 0


def _place_of(application: Application) -> tuple[str, int]:
    function = application.function
    return application.module.path, id(function.node) if function is not None else 0


# ----------------------------------------------------------------- dependencies


def _dependencies(app: App) -> Iterator[Dependency]:
    for route in app.routes:
        yield from route.all_dependencies()


def _most_used(found: Iterable[tuple[Function, T]]) -> tuple[Function, T, int] | None:
    """Return the function that occurs most often, what came with it, and how often."""
    count: Counter[int] = Counter()
    first: dict[int, tuple[Function, T]] = {}
    for function, value in found:
        count[id(function.node)] += 1
        first.setdefault(id(function.node), (function, value))
    if not first:
        return None
    key = max(first, key=lambda k: (count[k], first[k][0].id))
    return (*first[key], count[key])


def _session(app: App) -> Landmark | None:
    best = _most_used(
        (dependency.function, kind)
        for dependency in _dependencies(app)
        if dependency.function is not None and (kind := _session_kind(app, dependency)) is not None
    )
    if best is None:
        return None
    function, kind, times = best
    reason = f"gives the database session ({kind}), used {_count(times, 'time')}"
    return _of_function(function, reason)


def _session_kind(app: App, dependency: Dependency) -> str | None:
    given = app.types.provided(dependency.provider)
    kinds = {app.types.session_kind(option) for option in alternatives(given)}
    return next((kind for kind in ("async", "sync") if kind in kinds), None)


def _current_user(app: App) -> Landmark | None:
    """The dependency that refuses strangers and gives an object for those it knows."""
    found = [
        (dependency.function, given)
        for dependency in _dependencies(app)
        if dependency.function is not None
        and (given := _given_class(app, dependency)) is not None
        and _is_user(app, given)
        and app.authenticators.authenticates(dependency)
        and not any(_user_below(app, child) for child in dependency.children)
    ]
    best = _most_used(found)
    if best is None:
        return None
    function, given, times = best
    reason = f"refuses strangers and gives a {given.name}, used {_count(times, 'time')}"
    return _of_function(function, reason)


def _user_below(app: App, dependency: Dependency) -> bool:
    """Whether a dependency already gives the user: what stands on it only checks roles."""
    given = _given_class(app, dependency)
    return (
        given is not None and _is_user(app, given) and app.authenticators.authenticates(dependency)
    )


def _given_class(app: App, dependency: Dependency) -> Class | None:
    for option in alternatives(app.types.provided(dependency.provider)):
        if isinstance(option, Instance) and isinstance(option.cls, Class):
            return option.cls
    return None


def _is_user(app: App, cls: Class) -> bool:
    """Whether a class stands for who asks: named so, or a table that people log in with."""
    table = app.models.table(cls)
    return bool(_USER.search(cls.name)) or (table is not None and _login_score(table) > 1)


# ---------------------------------------------------------------------- classes


def _settings(app: App) -> Landmark | None:
    found = max(app.settings, key=lambda schema: len(schema.fields), default=None)
    if found is None:
        return None
    return _of_class(found.cls, f"reads {_count(len(_own(found)), 'setting')} from the environment")


def _own(schema: Schema) -> list[str]:
    return [name for name in schema.fields if name != "model_config"]


def _metadata(app: App) -> Landmark | None:
    """The nearest ancestor of tables that holds their metadata and is no table itself."""
    count: Counter[int] = Counter()
    first: dict[int, Class | Variable] = {}
    for table in app.tables:
        base = _base_of(app, table.cls)
        if base is not None:
            key = id(base.node) if isinstance(base, Class) else id(base.value)
            count[key] += 1
            first.setdefault(key, base)
    if first:
        key = max(first, key=lambda k: (count[k], first[k].name))
        found, reason = first[key], f"{_count(count[key], 'table')} inherit its metadata"
        if isinstance(found, Class):
            return _of_class(found, reason)
        return Landmark(found.module, found.value or found.values[0], found.name, reason)
    largest = max(app.tables, key=lambda t: (len(t.columns), t.cls.id), default=None)
    if largest is None:
        return None
    reason = "tables share the metadata of SQLModel (or of a declarative base) itself"
    return _of_class(largest.cls, reason)


def _base_of(app: App, cls: Class) -> Class | Variable | None:
    """Return what gives tables their metadata.

    A class on a declarative base, or that base kept in a variable (``Base = declarative_base()``).
    """
    for ancestor in app.linker.mro(cls):
        if not isinstance(ancestor, Class):
            continue
        for base, written in app.linker.bases(ancestor):
            if not isinstance(base, External) or base.name not in app.library.declarative_bases:
                continue
            symbol = app.linker.expression(written, ancestor.module, ancestor.outer)
            if isinstance(symbol, Variable):
                return symbol
            if ancestor is not cls and base.name != "sqlmodel.SQLModel":
                return ancestor
    return None


def _user(app: App, current_user: Landmark | None) -> Landmark | None:
    """The table that the current user is a row of, else the one that people log in with."""
    if current_user is not None and current_user.function is not None:
        for dependency in _dependencies(app):
            if dependency.function is current_user.function:
                cls = _given_class(app, dependency)
                if cls is not None and app.models.table(cls) is not None:
                    return _of_class(cls, f"{current_user.name} gives one of its rows")
    best = max(app.tables, key=lambda t: (_login_score(t), t.cls.id), default=None)
    if best is None or _login_score(best) < _ENOUGH:
        return None
    login = ", ".join(
        name for name in best.columns if _LOGIN.search(name) or _PASSWORD.search(name)
    )
    return _of_class(best.cls, f"people log in with its columns: {login}" if login else "named so")


_ENOUGH = 3


def _login_score(table: Table) -> int:
    login = any(_LOGIN.search(name) for name in table.columns)
    password = any(_PASSWORD.search(name) for name in table.columns)
    named = bool(_USER.search(table.cls.name))
    return 2 * login + password + 2 * named


# ------------------------------------------------------------------------ tests


def _test_client(app: App) -> Landmark | None:
    """The fixture that most other functions of the tests ask for by its name."""
    fixtures = [
        function
        for module in app.modules.values()
        if module.kind == "test"
        for function in app.functions(module)
        if "fixture" in function.decorator_names and _gives_client(app, function)
    ]
    if not fixtures:
        return None
    asked = Counter(
        parameter.name
        for module in app.modules.values()
        if module.kind == "test"
        for function in app.functions(module)
        for parameter in function.node.params
    )
    best = max(fixtures, key=lambda f: (asked[f.name], f.name == "client", f.id))
    return _of_function(
        best, f"a fixture that gives a client, asked for {_count(asked[best.name], 'time')}"
    )


def _gives_client(app: App, function: Function) -> bool:
    if function.node.is_generator:
        given = app.types.yielded(function)
    else:
        given = app.types.awaited(app.types.returned(function))
    return any(isinstance(o, Instance) and o.cls in _CLIENTS for o in alternatives(given))


# ------------------------------------------------------------------------ small


def _of_function(function: Function, reason: str) -> Landmark:
    return Landmark(function.module, function.node, function.qualname, reason, function)


def _of_class(cls: Class, reason: str) -> Landmark:
    return Landmark(cls.module, cls.node, cls.qualname, reason, cls.outer, cls)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
