"""App: the linked model of an application. Rules, map, recipes and blueprints ask it questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from fastwright.app.auth import Authentication, Authenticators
from fastwright.app.calls import CallGraph, Execution, Reached
from fastwright.app.dependencies import Dependencies, Dependency, RequestParameter
from fastwright.app.imports import ImportGraph, import_graph
from fastwright.app.infer import Inference
from fastwright.app.layers import Layer, layers_of
from fastwright.app.library import Library, known_library
from fastwright.app.models import Models, Schema, Table
from fastwright.app.raises import Raises, status_code
from fastwright.app.routes import ResponseSchema, Route
from fastwright.app.scopes import Where
from fastwright.app.setup.interpret import NEWEST, interpret
from fastwright.app.setup.result import Application, Keywords, RouteRecord, SetupResult
from fastwright.app.symbols import Class, Function, Linker, ModuleNames, Variable
from fastwright.app.types import (
    UNKNOWN,
    FunctionValue,
    Instance,
    NoneType,
    Type,
    alternatives,
    union,
)
from fastwright.app.wrappers import wrappers
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module

_RESPONSES = ("fastapi.responses.", "starlette.responses.", "fastapi.sse.")
_WEB_MARKS = frozenset({"fastapi", "starlette", "FastAPI", "APIRouter", "Depends"})
_MODEL_MARKS = frozenset({"pydantic", "sqlmodel", "sqlalchemy", "BaseModel"})


@dataclass(eq=False)
class App:
    """One project, linked. Everything is found on demand and remembered."""

    modules: dict[str, Module]
    """Every readable module by path, sorted."""
    index: ModuleNames
    versions: Versions
    declared_layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Layer -> globs of its modules, as the project's configuration declares them."""
    read_file: Callable[[str], bytes | None] = lambda _path: None
    """Content of a data file by its path relative to the root; None where there is none."""
    library: Library = field(default_factory=known_library)
    """What is known about libraries."""
    _state: dict[str, Type] = field(default_factory=dict)
    _behind: dict[int, Type | None] = field(default_factory=dict)
    linker: Linker = field(init=False)
    types: Inference = field(init=False)
    calls: CallGraph = field(init=False)
    raises: Raises = field(init=False)
    models: Models = field(init=False)
    dependencies: Dependencies = field(init=False)
    authenticators: Authenticators = field(init=False)

    def __post_init__(self) -> None:
        self.linker = Linker(self.index, self.modules.get, self.library)
        self.types = Inference(self.linker)
        self.calls = CallGraph(self.linker, self.types, self._properties())
        self.raises = Raises(self.calls, self.types)
        self.models = Models(self.types)
        self.dependencies = Dependencies(self.types)
        self.authenticators = Authenticators(self.calls, self.raises, self.dependencies)
        self.types.implementations = self.implementations
        self.types.behind_port = self._behind_port
        self.types.class_named = self._class_named
        self.types.state_named = self._state_named

    # ------------------------------------------------------------------ modules

    web_marks = _WEB_MARKS
    """Marks of modules that have to do with FastAPI or Starlette."""

    @cached_property
    def web_modules(self) -> list[Module]:
        """Modules of the application itself that mention FastAPI or Starlette."""
        return [m for m in self.sources if not _WEB_MARKS.isdisjoint(m.header.marks)]

    @cached_property
    def model_modules(self) -> list[Module]:
        """Modules of the application itself that mention Pydantic, SQLModel or SQLAlchemy."""
        marks = _WEB_MARKS | _MODEL_MARKS
        return [m for m in self.sources if not marks.isdisjoint(m.header.marks)]

    @cached_property
    def sources(self) -> list[Module]:
        """Modules that are neither tests, migrations nor vendored."""
        return [module for module in self.modules.values() if module.kind == "source"]

    @cached_property
    def tests(self) -> list[Module]:
        """Modules of tests: what only rules about tests look at."""
        return [module for module in self.modules.values() if module.kind == "test"]

    @cached_property
    def imports(self) -> ImportGraph:
        """Who imports whom."""
        return import_graph(self.sources, self.index)

    @property
    def is_fastapi(self) -> bool:
        """Whether anything here uses FastAPI at all."""
        return any("fastapi" in m.header.marks for m in self.modules.values())

    # ------------------------------------------------------------------- routes

    @cached_property
    def setup(self) -> SetupResult:
        """Applications, routers and route records, as the set-up code makes them."""
        version = self.versions.newest("fastapi") or NEWEST
        return interpret(self.linker, self.sources, fastapi=version, read_file=self.read_file)

    @property
    def applications(self) -> tuple[Application, ...]:
        """Every FastAPI or Starlette application of the project."""
        return self.setup.applications

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """Every route that an application serves, in order."""
        return tuple(self._route(record) for record in self.setup.routes)

    @cached_property
    def endpoints(self) -> list[Function]:
        """The endpoint functions of all routes, each once, in order."""
        found: dict[int, Function] = {}
        for route in self.routes:
            if route.endpoint is not None:
                found.setdefault(id(route.endpoint.node), route.endpoint)
        return list(found.values())

    @cached_property
    def routes_of(self) -> dict[int, list[Route]]:
        """Routes by endpoint: the key is ``id(endpoint.node)``."""
        found: dict[int, list[Route]] = {}
        for route in self.routes:
            if route.endpoint is not None:
                found.setdefault(id(route.endpoint.node), []).append(route)
        return found

    def routes_for(self, endpoint: Function) -> list[Route]:
        """Return the routes whose endpoint is the given function."""
        return self.routes_of.get(id(endpoint.node), [])

    def _route(self, record: RouteRecord) -> Route:
        dependencies = tuple(self._route_dependencies(record))
        parameters = self._route_parameters(record, dependencies)
        authentication = self.authenticators.of_dependencies(dependencies)
        if authentication is None and record.endpoint is not None:
            authentication = self.authenticators.in_body(record.endpoint)
        if authentication is None and record.user:
            authentication = Authentication(record.user, None)
        return Route(
            record=record,
            methods=record.methods,
            path=record.path,
            endpoint=record.endpoint,
            kind=record.kind,
            status_code=self._status(record),
            tags=record.tags,
            parameters=parameters,
            dependencies=dependencies,
            response=self._response(record),
            authentication=authentication,
        )

    def _status(self, record: RouteRecord) -> int | None:
        given = record.keywords.get("status_code")
        if given is None:
            return 200 if record.kind == "http" else None
        where = Where(given.module, given.function)
        return status_code(_expr(given.node), self.types, where)

    def _route_dependencies(self, record: RouteRecord) -> Iterator[Dependency]:
        for layer in record.inherited:
            yield from self._listed(layer.keywords, layer.kind)
        yield from self._listed(record.keywords, "route")
        if record.endpoint is not None and not record.starlette:
            yield from self.dependencies.of_function(record.endpoint)
            yield from self._class_dependencies(record.endpoint)

    def _class_dependencies(self, endpoint: Function) -> Iterator[Dependency]:
        """Class-based views take dependencies as class attributes and in ``__init__``."""
        if endpoint.owner is None:
            return
        where = Where(endpoint.module, endpoint.owner.outer)
        for ancestor in self.linker.mro(endpoint.owner):
            if not isinstance(ancestor, Class):
                continue
            for node in ancestor.own_attributes.values():
                value = node.value
                found = value and self.dependencies.of_call(value, where, "parameter")
                if found:
                    yield found
        init = self.linker.method(endpoint.owner, "__init__")
        if init is not None:
            yield from self.dependencies.of_function(init)

    def _listed(self, keywords: Keywords, level: str) -> Iterator[Dependency]:
        given = keywords.get("dependencies")
        if given is not None:
            where = Where(given.module, given.function)
            for node, at in self._elements(_expr(given.node), where):
                found = self.dependencies.of_call(node, at, level)
                if found is not None:
                    yield found
        providers = keywords.get("providers")  # of a route that a library makes
        if providers is not None:
            where = Where(providers.module, providers.function)
            for node, at in self._elements(_expr(providers.node), where):
                yield self.dependencies.of_call(node, at, level) or self.dependencies.of_provider(
                    node, at, level
                )

    def _elements(
        self, node: s.Expr | None, where: Where, depth: int = 0
    ) -> Iterator[tuple[s.Expr, Where]]:
        """Yield the elements of a list expression, names and sums of lists followed."""
        if depth > 5:
            return
        if isinstance(node, (s.List, s.Tuple)):
            for element in node.elts:
                if isinstance(element, s.Starred):
                    yield from self._elements(element.value, where, depth + 1)
                else:
                    yield element, where
        elif isinstance(node, s.BinOp):
            yield from self._elements(node.left, where, depth + 1)
            yield from self._elements(node.right, where, depth + 1)
        elif isinstance(node, s.IfExp):
            yield from self._elements(node.body, where, depth + 1)
            yield from self._elements(node.orelse, where, depth + 1)
        elif isinstance(node, s.BoolOp):
            for value in node.values:
                yield from self._elements(value, where, depth + 1)
        elif isinstance(node, s.Name):
            if where.function is not None:
                bound = self.types.locals.lookup(node.id, node.start, where.function)
                if bound is not None and bound.value is not None:
                    yield from self._elements(bound.value, where, depth + 1)
                    return
            symbol = self.linker.name(node.id, where.module, where.function)
            if isinstance(symbol, Variable) and symbol.value is not None:
                yield from self._elements(symbol.value, Where(symbol.module), depth + 1)

    def _route_parameters(
        self, record: RouteRecord, dependencies: tuple[Dependency, ...]
    ) -> tuple[RequestParameter, ...]:
        if record.endpoint is None or record.starlette:
            return ()
        found = list(self.dependencies.parameters(record.endpoint, record.path))
        seen = {id(record.endpoint.node)}
        for tree in dependencies:
            for dependency in tree.walk():
                function = dependency.function
                if function is not None and id(function.node) not in seen:
                    seen.add(id(function.node))
                    found.extend(self.dependencies.parameters(function, record.path))
        return tuple(found)

    def _response(self, record: RouteRecord) -> ResponseSchema:
        given = record.keywords.get("response_model")
        if given is not None:
            node, where = _expr(given.node), Where(given.module, given.function)
            type_ = self.types.annotation(node, where)
            if isinstance(type_, NoneType):
                return ResponseSchema("none", UNKNOWN, node, where)
            return ResponseSchema("response_model", type_, node, where)
        response_class = record.keywords.get("response_class")
        endpoint = record.endpoint
        if endpoint is None or endpoint.node.returns is None or response_class is not None:
            return ResponseSchema("none", UNKNOWN, None, None)
        where = Where(endpoint.module, endpoint.outer)
        type_ = self.types.annotation(endpoint.node.returns, where)
        if all(self.is_response(option) for option in alternatives(type_)):
            return ResponseSchema("none", type_, endpoint.node.returns, where)
        return ResponseSchema("annotation", type_, endpoint.node.returns, where)

    def is_response(self, found: Type) -> bool:
        """Whether a type is a response object of Starlette or FastAPI, sent as it is."""
        if not isinstance(found, Instance):
            return False
        if isinstance(found.cls, str):
            return found.cls.startswith(_RESPONSES) or found.cls.startswith("sse_starlette.")
        names = self.linker.ancestors(found.cls)
        return any(name.startswith(_RESPONSES) for name in names)

    def is_table_type(self, found: Type) -> bool:
        """Whether a type is a row of a mapped table."""
        return (
            isinstance(found, Instance)
            and isinstance(found.cls, Class)
            and self.types.is_table(found.cls)
        )

    # -------------------------------------------------------------- on the loop

    @cached_property
    def request_roots(self) -> list[Function]:
        """Every function that FastAPI itself calls for a request: endpoints and dependencies.

        What decorators of the project put around endpoints counts, too.
        """
        found: dict[int, Function] = {}
        for route in self.routes:
            for dependency in route.all_dependencies():
                if dependency.function is not None:
                    found.setdefault(id(dependency.function.node), dependency.function)
            if route.endpoint is not None:
                found.setdefault(id(route.endpoint.node), route.endpoint)
        for route in self.routes:
            for wrapper in wrappers(self.types, route):
                found.setdefault(id(wrapper.node), wrapper)
        return list(found.values())

    @cached_property
    def reached(self) -> Reached:
        """Every function that a request may run, with the shortest way to it."""
        reached = self.calls.reach(self.request_roots)
        self.types.callers_complete = True
        return reached

    @cached_property
    def executions(self) -> list[Execution]:
        """Every place, in what requests reach, where the database is asked."""
        return [found for step in self.reached for found in self.calls.executions(step.function)]

    # ------------------------------------------------------------------ classes

    @cached_property
    def _classes_by_base(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for module in self.modules.values():
            for fact in module.header.classes:
                for base in fact.bases:
                    found.setdefault(base, []).append((module.path, fact.name))
        return found

    @cached_property
    def _modules_by_class(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for module in self.modules.values():
            for fact in module.header.classes:
                found.setdefault(fact.name, []).append(module.path)
        return found

    def subclasses(self, cls: Class) -> list[Class]:
        """Return the classes of the project that inherit from ``cls``, directly or not."""
        found: dict[int, Class] = {}
        pending = [cls]
        while pending:
            base = pending.pop()
            for path, name in self._classes_by_base.get(base.name, []):
                child = self.linker.member(self.modules[path], name)
                if not isinstance(child, Class) or id(child.node) in found:
                    continue
                if any(
                    isinstance(a, Class) and a.node is base.node for a in self.linker.mro(child)
                ):
                    found[id(child.node)] = child
                    pending.append(child)
        return list(found.values())

    def implementations(self, port: Class) -> list[Class]:
        """Return the concrete classes that stand behind a Protocol or abstract class."""
        return [c for c in self.subclasses(port) if not self.types.is_port(c)]

    def _behind_port(self, port: Class) -> Type | None:
        """Return what functions give that promise a port (``def get_mail() -> Mail``), where it is one thing."""
        key = id(port.node)
        if key not in self._behind:
            self._behind[key] = None  # asked for while it is being found
            self._behind[key] = self._find_behind(port) if not self.subclasses(port) else None
        return self._behind[key]

    def _find_behind(self, port: Class) -> Type | None:
        found: list[Type] = []
        for module in self.sources:
            if port.name.encode() not in module.source:
                continue
            for function in self.functions(module):
                promised = function.node.returns
                if s.last_name(promised) != port.name:
                    continue
                named = self.linker.expression(promised, module, function.outer)
                if isinstance(named, Class) and named.node is port.node:
                    found.append(self.types.awaited(self.types.returned(function)))
        if len(found) != 1:  # of several, the one that is known need not be what somebody gets
            return None
        match found[0]:
            case FunctionValue():
                return found[0]
            case Instance(cls=Class(node=node)) if node is not port.node:
                return found[0]
            case _:
                return None

    def _class_named(self, name: str) -> Type:
        paths = self._modules_by_class.get(name, [])
        candidates = []
        for path in paths:
            module = self.modules[path]
            if module.kind == "source":
                found = self.linker.member(module, name)
                if isinstance(found, Class) and self.types.is_table(found):
                    candidates.append(found)
        return Instance(candidates[0]) if len({id(c.node) for c in candidates}) == 1 else UNKNOWN

    def _properties(self) -> frozenset[str]:
        return frozenset(name for module in self.sources for name in module.header.properties)

    def _state_named(self, name: str) -> Type:
        """Return what ``app.state.name`` or ``request.state.name`` is set to."""
        if name not in self._state:
            self._state[name] = UNKNOWN  # asked for while it is being found
            self._state[name] = self._find_state(name)
        return self._state[name]

    def _find_state(self, name: str) -> Type:
        found: list[Type] = []
        for module in self.sources:
            if name not in module.header.state:
                continue
            for node in module.walk():
                if isinstance(node, (s.Assign, s.AnnAssign)) and node.value is not None:
                    targets = node.targets if isinstance(node, s.Assign) else [node.target]
                    if any(_is_state(target, name) for target in targets):
                        function = self.function_of(module, node)
                        found.append(self.types.of(node.value, Where(module, function)))
        return union(
            [kind for kind in found if kind is not UNKNOWN and not isinstance(kind, NoneType)]
        )

    def classes(self, modules: Iterable[Module]) -> Iterator[Class]:
        """Yield the classes at the top level of modules."""
        for module in modules:
            for fact in module.header.classes:
                found = self.linker.scope(module).names.get(fact.name)
                if isinstance(found, Class):
                    yield found

    @cached_property
    def model_classes(self) -> list[Class]:
        """Classes of ``model_modules``, and of other modules those that inherit from them by name."""
        found = {id(cls.node): cls for cls in self.classes(self.model_modules)}
        pending = list(found.values())
        for base in pending:  # grows while it is walked
            for path, name in self._classes_by_base.get(base.name, []):
                module = self.modules[path]
                if module.kind != "source":
                    continue
                child = self.linker.scope(module).names.get(name)
                if isinstance(child, Class) and id(child.node) not in found:
                    found[id(child.node)] = child
                    pending.append(child)
        return list(found.values())

    @cached_property
    def schemas(self) -> list[Schema]:
        """Every Pydantic or SQLModel model of the application, tables left out."""
        found = (self.models.schema(cls) for cls in self.model_classes)
        return [schema for schema in found if schema and self.models.table(schema.cls) is None]

    @cached_property
    def tables(self) -> list[Table]:
        """Every mapped table of the application."""
        found = (self.models.table(cls) for cls in self.model_classes)
        return [table for table in found if table is not None]

    @cached_property
    def settings(self) -> list[Schema]:
        """The settings classes."""
        return [schema for schema in self.schemas if schema.is_settings]

    def functions(self, module: Module) -> Iterator[Function]:
        """Yield functions and methods of a module, not those nested in functions."""
        for binding in self.linker.scope(module).names.values():
            if isinstance(binding, Function):
                yield binding
            elif isinstance(binding, Class):
                yield from binding.own_methods.values()

    def every_function(
        self, module: Module, calling: frozenset[str] | None = None
    ) -> Iterator[Function]:
        """Yield every function of a module, those nested in functions and classes included.

        With ``calling``, only functions in which one of these names is called (last component).
        """
        pending = list(self._definitions(self.linker.scope(module).names.values()))
        for function in pending:  # grows while it is walked
            if calling is None or not calling.isdisjoint(function.node.called):
                yield function
                inner = self.linker.local_scope(function).names.values()
                pending.extend(self._definitions(inner))

    def _definitions(self, bindings: Iterable[object]) -> Iterator[Function]:
        for binding in bindings:
            if isinstance(binding, Function):
                yield binding
            elif isinstance(binding, Class):
                yield from binding.own_methods.values()
                yield from self._definitions(binding.own_classes.values())

    def function_of(self, module: Module, node: s.Node) -> Function | None:
        """Return the innermost function around a node."""
        around = [
            function
            for function in self.every_function(module)
            if function.node.start <= node.start < function.node.end
        ]
        return max(around, key=lambda function: function.node.start, default=None)

    # ------------------------------------------------------------------- layers

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """The layer of every module, by path."""
        return layers_of(self)


def _expr(node: s.Node) -> s.Expr:
    return node  # type: ignore[return-value]


def _is_state(node: s.Expr, name: str) -> bool:
    return (
        isinstance(node, s.Attribute)
        and node.attr == name
        and isinstance(node.value, s.Attribute)
        and node.value.attr == "state"
    )
