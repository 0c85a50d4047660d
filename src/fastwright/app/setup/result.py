"""What interpreting the set-up code gave: applications, routes, routers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, Union

import msgspec

from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s
from fastwright.read.module import Module


class Place(msgspec.Struct, frozen=True, eq=False):
    """An expression and where its names are looked up."""

    module: Module
    function: Function | None
    node: s.Node


Keywords: TypeAlias = Mapping[str, Place]
"""Keyword -> the expression that was given for it, where it was written."""


class Layer(msgspec.Struct, frozen=True, eq=False):
    """One thing that adds prefix, dependencies, tags or responses to a route.

    ``kind``: app, router, include or mount; ``node`` is the call that made or included it.
    """

    kind: str
    module: Module
    function: Function | None
    node: s.Node
    keywords: Keywords


class RouteRecord(msgspec.Struct, frozen=True, eq=False):
    """One path operation as an application serves it."""

    methods: tuple[str, ...]
    """Sorted; empty for WebSockets and for plain ASGI endpoints, which take any."""
    path: str
    """With every prefix and mount."""
    own_path: str
    """As its declaration gives it."""
    endpoint: Function | None
    endpoint_label: str
    """``package.module:Qual.name`` as at run time; empty where that is not known."""
    kind: str
    """http or websocket."""
    module: Module
    function: Function | None
    """The function that the declaration stands in."""
    node: s.Node
    """The declaration: the call of the decorator or of ``add_api_route``."""
    keywords: Keywords
    inherited: tuple[Layer, ...]
    """From outermost to innermost."""
    tags: tuple[str, ...]
    index: int
    """Its place in the order of routes of its application or router."""
    uncertain: bool
    """Whether a piece of the path is not known (it is written ``{?}``)."""
    presence: str
    """always; startup: added when the application starts; unknown: under a condition that is not
    known; off: the defaults of the settings leave it out."""
    starlette: bool
    """Whether it is a plain route of Starlette, without dependencies and schemas."""
    user: str = ""
    """What refuses strangers, for a route that a library makes."""


class Middleware(msgspec.Struct, frozen=True, eq=False):
    """A middleware: a class, or the function of ``@app.middleware("http")``."""

    cls: Class | None
    function: Function | None
    name: str
    """``module:Class`` of the project, a dotted name from outside, or empty."""
    place: Place
    keywords: Keywords


class ExceptionHandler(msgspec.Struct, frozen=True, eq=False):
    """A handler: the expression of the exception class (or status code) and the function."""

    exception: Place
    function: Function | None
    name: str
    place: Place


class EventHandler(msgspec.Struct, frozen=True, eq=False):
    """A function that runs on ``startup`` or ``shutdown``."""

    event: str
    function: Function | None
    place: Place


class Mounted(msgspec.Struct, frozen=True, eq=False):
    """Where an application is mounted: in which one, under which path."""

    parent: int
    """Index in ``SetupResult.applications``."""
    path: str


class Application(msgspec.Struct, frozen=True, eq=False):
    """One FastAPI or Starlette application."""

    module: Module
    function: Function | None
    """The innermost function that it is made in, None at module level."""
    node: s.Node
    """The call that makes it."""
    name: str
    """The module-level name that holds it, else the factory's qualified name."""
    factory: Function | None
    """The outermost function that makes it when called."""
    routes: tuple[RouteRecord, ...]
    middleware: tuple[Middleware, ...]
    """In the order in which they were added."""
    exception_handlers: tuple[ExceptionHandler, ...]
    lifespan: Function | None
    event_handlers: tuple[EventHandler, ...]
    keywords: Keywords
    mounted_under: tuple[Mounted, ...]
    fastapi: bool
    """False for a plain Starlette application."""
    presence: str
    """As that of a route: whether it is surely made."""


class RouterRecord(msgspec.Struct, frozen=True, eq=False):
    """A router, mounted or not."""

    module: Module
    function: Function | None
    node: s.Node
    """The call that makes it."""
    name: str | None
    """The module-level name that holds it."""
    prefix: str
    mounted: bool
    """Whether an application serves its routes."""
    routes: tuple[RouteRecord, ...]
    """Its own, with its own prefix only."""


class Note(msgspec.Struct, frozen=True):
    """Something that a rule or a person may want to know.

    ``kind``: external-router, unknown-router, unknown-route, included-too-early,
    exhausted, failed.
    """

    kind: str
    module: Module
    function: Function | None
    node: s.Node
    message: str
    about: Place | None = None
    """A second place that it is about: the first route that was added too late."""


class SetupResult(msgspec.Struct, frozen=True, eq=False):
    """Everything that the set-up code of a project sets up."""

    applications: tuple[Application, ...]
    routes: tuple[RouteRecord, ...]
    """Of every application that is not mounted in another one, in order."""
    routers: tuple[RouterRecord, ...]
    notes: tuple[Note, ...]


Owner: TypeAlias = Union[Application, RouterRecord]
