"""Routes: path operations as a client meets them."""

from __future__ import annotations

import msgspec

from fastwright.app.auth import Authentication
from fastwright.app.dependencies import Dependency, RequestParameter
from fastwright.app.scopes import Where
from fastwright.app.setup.result import RouteRecord
from fastwright.app.symbols import Function
from fastwright.app.types import Type
from fastwright.read import syntax as s
from fastwright.read.module import Module


class ResponseSchema(msgspec.Struct, frozen=True, eq=False):
    """What a route declares to answer.

    ``source``: ``response_model``, ``annotation``, or ``none`` where nothing is declared (also
    for ``response_model=None`` and for annotations that are responses themselves).
    """

    source: str
    type: Type
    node: s.Expr | None
    where: Where | None


class Route(msgspec.Struct, frozen=True, eq=False):
    """A path operation: one endpoint under one full path.

    ``parameters`` are those of the endpoint and of all its dependencies; ``dependencies`` are
    the trees from the outermost level (app) to the endpoint's own parameters.
    """

    record: RouteRecord
    methods: tuple[str, ...]
    path: str
    endpoint: Function | None
    kind: str
    """http or websocket."""
    status_code: int | None
    tags: tuple[str, ...]
    parameters: tuple[RequestParameter, ...]
    dependencies: tuple[Dependency, ...]
    response: ResponseSchema
    authentication: Authentication | None

    @property
    def label(self) -> str:
        """``GET /orders/{id}``."""
        verb = ",".join(self.methods) if self.kind == "http" else "WEBSOCKET"
        return f"{verb} {self.path}"

    @property
    def module(self) -> Module:
        """The file in which the route is declared."""
        return self.record.module

    @property
    def node(self) -> s.Node:
        """The decorator or ``add_api_route`` call that declares it."""
        return self.record.node

    def all_dependencies(self) -> list[Dependency]:
        """Return every dependency of the route, nested ones included, each once."""
        seen: set[int] = set()
        found: list[Dependency] = []
        for tree in self.dependencies:
            for dependency in tree.walk():
                if id(dependency) not in seen:
                    seen.add(id(dependency))
                    found.append(dependency)
        return found
