"""What an endpoint decides moves into a service; the endpoint keeps HTTP.

The body of the endpoint becomes a function of the service module that goes with the router (`routers/orders.py`, `services/orders.py`), word
for word. What it reads becomes its parameters: the parsed body, the session, the user. Parameters, status code and response stay as they are.

What is moved: the business of every endpoint that does more than HTTP. That is one which writes to the database; has two or more statements,
outside calls or calls of what asks the database; refuses with an `HTTPException` that depends on more than that something is not there; or
computes with what it fetched (five statements and two branches). Fetching one thing and returning it stays, with its 404, and so does calling
a service. The rule `fat-endpoint` reports later than that: it is about what hurts, this is about layers.

What stays in the endpoint: at its head, what needs the request itself (`await request.json()`, with the checks up to there), a file's
`await file.read()`, and what sets the response from constants and parameters; at its end, statements that use the response or background tasks,
answers of a class of their own, and the expression that makes a schema or dictionary of the row that the service gives. Values of the
request, of a file or of a login form (`request.headers.get("User-Agent")`, `file.filename`, `form.username`) are handed over, and so are
`tasks.add_task` and `file.read` where the business calls them in its middle. A generator that is streamed is made by the service.

An `HTTPException` goes along where it can become an error of the application, which the recipe `domain-errors` makes of it, before or
afterwards. What the body reads of the router's own file (constants, small functions, classes) moves along first; schemas go to where schemas
are.

Left alone, with the line: generators, methods, the request or the response in the middle of the business, early returns before statements that
have to stay, names that are not there in every case, types that cannot be written in another file, and modules that would import each
other. WebSockets are not looked at.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Collection, Iterator
from functools import cached_property
from posixpath import basename, dirname, join

import msgspec

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import (
    NONE,
    UNKNOWN,
    ClassObject,
    Instance,
    Literal,
    Sequence,
    Type,
    alternatives,
)
from fastwright.edit.apply import edited
from fastwright.edit.builders import behind_imports, delete_statements, first_byte, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.move import Move, Part, Unmovable
from fastwright.edit.names import bring, is_of_file, is_taken, module_level_imports
from fastwright.edit.reads import binds, reads
from fastwright.edit.source import indentation, is_alone, line_start, newline, next_line, text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.business.business import does_business
from fastwright.recipes.business.http_parts import (
    InTheWay,
    Parts,
    always_bound,
    divide,
    speaks_http,
    value_of,
)
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.shared.words import ROUTERS

_IMPORTS = (s.Import, s.ImportFrom)
_MOVABLE = (s.FunctionDef, s.ClassDef, s.Assign, s.AnnAssign, s.TypeAliasStmt)
_VERSION = re.compile(r"v\d+")
_PATCHES = frozenset({"setattr", "delattr", "patch", "object", "multiple"})
_LOGGER = "logging.getLogger(__name__)"
_PLAIN = frozenset(f"builtins.{name}" for name in ("str", "int", "float", "bool", "bytes"))
_OPEN = frozenset({"builtins.list", "builtins.dict", "builtins.set", "builtins.tuple"})
"""Of what, has to be said."""


class _Need(msgspec.Struct, frozen=True):
    """A name that the moved code reads, and the import for it in its new file."""

    name: str
    needed: Import | None


class _Stop(Exception):  # noqa: N818 - what stops it is no error
    """What keeps an endpoint as it is; ``local``: a name of its file that would have to move first."""

    def __init__(self, node: s.Node, reason: str, local: str | None = None) -> None:
        super().__init__(reason)
        self.node = node
        self.reason = reason
        self.local = local


class _Made(msgspec.Struct, frozen=True):
    """How a parameter is written, what the endpoint gives for it, and the imports that it needs."""

    name: str
    type: str
    given: str
    imports: tuple[Import, ...] = ()

    @property
    def declared(self) -> str:
        return f"{self.name}: {self.type}" if self.type else self.name


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each endpoint that does more than HTTP."""
    for endpoint in app.endpoints:
        if not target.takes(endpoint) or endpoint.module.kind != "source":
            continue
        if any(route.kind != "http" for route in app.routes_for(endpoint)):
            continue
        asked = target.name is not None
        if not _is_thin(endpoint) and (asked or does_business(app, endpoint)):
            yield from _planned(app, endpoint)


def _planned(app: App, endpoint: Function) -> Iterator[Planned]:
    extraction = _Extraction(app, endpoint)
    try:
        proposal = extraction.proposal()
    except _Stop as stop:
        try:
            along = extraction.along(stop.local) if stop.local is not None else None
        except Unmovable as unmovable:
            yield Stopped(unmovable.place, f"{endpoint.qualname}: {unmovable.reason}")
        else:
            place = f"{endpoint.module.path}:{endpoint.module.line(stop.node)}"
            yield along or Stopped(place, f"{endpoint.qualname}: {stop.reason}")
    else:
        if proposal is not None:
            yield proposal


def _is_thin(endpoint: Function) -> bool:
    statements = _statements(endpoint)
    blocks = (s.If, s.For, s.While, s.Try, s.With, s.Match)
    return len(statements) <= 1 and not any(isinstance(each, blocks) for each in statements)


def _statements(endpoint: Function) -> list[s.Stmt]:
    """Return the statements of a body, its docstring left out."""
    body = endpoint.node.body
    return body[1:] if endpoint.node.doc is not None else body


class _Extraction:
    """Moves the body of one endpoint."""

    def __init__(self, app: App, endpoint: Function) -> None:
        self._app = app
        self._endpoint = endpoint
        self._module = endpoint.module
        self._statements = _statements(endpoint)

    def proposal(self) -> Proposal | None:
        """Return the change, None where there is nothing to move. Raises _Stop with what stops it."""
        node = self._endpoint.node
        if node.is_generator:
            raise _Stop(node, "is a generator")
        if self._endpoint.owner is not None or self._endpoint.outer is not None:
            raise _Stop(node, "is a method, or stands in another function")
        parts = self._parts
        moved = parts.moved
        is_call = len(moved) == 1 and isinstance(moved[0], (s.Assign, s.ExprStmt))
        if is_call and not does_business(self._app, self._endpoint):
            return None  # one call, and what HTTP makes of it
        path, exists = self._service()
        taken = self._app.modules.get(path)
        if taken is not None and is_of_file(taken, node.name):
            raise _Stop(node, f"{path} has a {node.name} already")
        parameters = self._parameters(path)
        reads = [need for need in self._reads(moved, path) if need.needed is not None]
        results = self._results()
        alias = self._alias(path)
        returned, of_return = self._returned(results, path)
        function = self._function(parameters, results, returned)
        edits = [self._replaced(alias, parameters, results), *self._streams(results)]
        edits += self._loggers_here(moved)
        new: dict[str, str] = {}
        if exists:
            source = self._app.modules[path].source
            function = f"\n\n{function}".replace("\n", newline(source))
            edits.append(Edit(path, len(source), len(source), function))
            edits += self._loggers_there(moved, self._app.modules[path])
        else:
            new |= self._packages(path)
            logger = "".join(f"\n{name} = {_LOGGER}\n" for name in self._loggers(moved))
            new[path] = f'"""The business of {self._domain()}."""\n{logger}\n\n{function}'
        package, _, name = self._app.index.name(path).rpartition(".")
        other = alias if alias != name else None
        used = Import(self._module.path, package or name, name if package else None, other)
        title = f"{node.name} of {self._module.path} moves to {path}"
        needed = [each.needed for each in reads if each.needed is not None]
        needed += [each for parameter in parameters for each in parameter.imports]
        self._check_imports(path, needed)
        for edit, brought in self._patches(moved, path):
            edits.append(edit)
            needed += brought
        place = f"{self._module.path}:{self._module.line(node)}"
        return Proposal(title, tuple(edits), (used, *of_return, *needed), new, places=(place,))

    def _check_imports(self, path: str, needed: list[Import]) -> None:
        """Raise _Stop where a module that the service would import imports the service."""
        origins = {f"{each.module}.{each.name}" if each.name else each.module for each in needed}
        resolve = self._app.index.resolve
        found = [
            resolve(origin, path) or resolve(origin.rpartition(".")[0], path) for origin in origins
        ]
        others = [each for each in found if each is not None and each != path]
        if path in self._app.imports.reached(others, running=True):
            reason = f"{path} and what it would import would import each other"
            raise _Stop(self._endpoint.node, reason)

    def _patches(self, moved: list[s.Stmt], path: str) -> Iterator[tuple[Edit, tuple[Import, ...]]]:
        """Yield the changes to tests that replace, in the endpoint's file, a name that the service looks up now.

        Raises _Stop where what stays in the file looks it up as well.
        """
        read = {n.id: n for n in s.walk(*moved) if isinstance(n, s.Name)}
        inside = {id(node) for node in s.walk(*moved)}
        name, service = self._module.name, self._app.index.name(path)
        for test in self._app.tests:
            if name.rpartition(".")[2].encode() not in test.source:
                continue
            for call in test.walk():
                if not isinstance(call, s.Call) or s.last_name(call.func) not in _PATCHES:
                    continue
                patched = _patched(call, test, name)
                if patched is None or patched not in read:
                    continue
                others = (
                    n for n in self._module.walk() if isinstance(n, s.Name) and id(n) not in inside
                )
                target = call.args[0]
                if any(other.id == patched for other in others):
                    where = f"{test.path}:{test.line(call)}"
                    raise _Stop(read[patched], f"{where} patches {patched}, which others here read")
                if s.string(target) is not None:
                    written = text(test, target).replace(f"{name}.", f"{service}.", 1)
                    yield replace(test, target, written), ()
                    continue
                brought = bring(test, *service.rpartition(".")[::2]) if "." in service else None
                if brought is None:
                    raise _Stop(read[patched], f"{test.path} cannot name {service}")
                yield replace(test, target, brought.name), brought.imports

    def _alias(self, path: str) -> str:
        """Return the name of the service module in the endpoint's file."""
        node, name = self._endpoint.node, self._app.index.name(path)
        for local, stands_for in module_level_imports(self._module).items():
            if stands_for == name:
                return local
        stem = basename(path).removesuffix(".py")
        alias = stem if stem.endswith("service") else f"{stem}_service"
        if is_taken(self._module, alias):
            raise _Stop(node, f"{alias} means something else here")
        return alias

    # ------------------------------------------------------------ what is moved

    @cached_property
    def _parts(self) -> Parts:
        try:
            parts = divide(self._app, self._endpoint, self._statements)
        except InTheWay as stop:
            raise _Stop(stop.node, stop.reason) from stop
        for node in s.walk(*parts.moved):
            if isinstance(node, s.Call) and s.last_name(node.func) in {"locals", "globals"}:
                raise _Stop(node, "looks at its own names")
            if isinstance(node, s.Flow) and node.keyword == "global":
                raise _Stop(node, "binds names of its file anew")
            if isinstance(node, s.Name) and node.id.startswith("__"):
                raise _Stop(node, f"{node.id} is another one in another file")
        for statement in (parts.moved[0], parts.moved[-1], *parts.early):
            if not is_alone(self._module.source, first_byte(statement), statement.end):
                raise _Stop(statement, "shares its line")
        return parts

    def _results(self) -> list[str]:
        """Return the names that the moved code makes and the rest reads."""
        moved, tail = self._parts.moved, self._parts.tail
        made, always = _left_behind(moved), always_bound(moved)
        always |= {parameter.name for parameter in self._endpoint.parameters}
        read = {n.id: n for n in reversed(list(s.walk(*tail))) if isinstance(n, s.Name)}
        for name, node in read.items():
            if name in made and name not in always:
                raise _Stop(node, f"{name} is not there in every case")
        return [name for name in reversed(read) if name in made]

    def _streamed(self, name: str) -> s.Call | None:
        """Return the one use of a generator that is defined in the moved code: ``rows()``."""
        moved, tail = self._parts.moved, self._parts.tail
        defined = [n for n in moved if isinstance(n, s.FunctionDef) and n.name == name]
        if not defined:
            return None
        calls = [
            n
            for n in s.walk(*tail)
            if isinstance(n, s.Call) and isinstance(n.func, s.Name) and n.func.id == name
        ]
        uses = [n for n in s.walk(*tail) if isinstance(n, s.Name) and n.id == name]
        plain = len(calls) == 1 and not calls[0].args and not calls[0].keywords
        if not defined[0].is_generator or not plain or len(uses) != 1:
            raise _Stop(uses[0], f"{name} is defined in what would move")
        return calls[0]

    def _streams(self, results: list[str]) -> Iterator[Edit]:
        """Yield the edits of the calls of generators that the service makes."""
        for name in results:
            call = self._streamed(name)
            if call is not None:
                yield Edit(self._module.path, call.start, call.end, name)

    # ------------------------------------------------------------ what it needs

    @cached_property
    def _read(self) -> set[str]:
        """The names that the moved code reads, but for what is handed over."""
        gone = {id(n) for handed in self._parts.handed for n in s.walk(handed.node)}
        return {
            n.id for n in s.walk(*self._parts.moved) if isinstance(n, s.Name) and id(n) not in gone
        }

    def _parameters(self, path: str) -> list[_Made]:
        """Return the parameters of the service: what the moved code reads of the endpoint."""
        parts, read = self._parts, self._read
        found: list[_Made] = []
        for parameter in self._endpoint.parameters:
            if parameter.name in read:
                kind = self._app.types.parameter(parameter, self._endpoint)
                written, imports = self._type(parameter, kind, path)
                found.append(_Made(parameter.name, written, parameter.name, tuple(imports)))
        known = {parameter.name for parameter in self._endpoint.parameters}
        for statement in [*parts.head, *parts.early]:
            for name in sorted((_left_behind([statement]) & read) - known):
                known.add(name)
                found.append(self._of_head(name, statement, path))
        for handed in parts.handed:
            if handed.name not in known:
                known.add(handed.name)
                imports = [Import(path, module, name) for module, name in handed.imports]
                found.append(_Made(handed.name, handed.type, handed.written, tuple(imports)))
        return found

    def _of_head(self, name: str, statement: s.Stmt, path: str) -> _Made:
        """Return the parameter for what a statement makes that stays before the call."""
        if name not in always_bound([*self._parts.head, *self._parts.early]):
            raise _Stop(statement, f"{name} is not there in every case")
        value = statement.value if isinstance(statement, s.Assign) else None
        if isinstance(value, s.Await):
            method = s.last_name(value.value.func) if isinstance(value.value, s.Call) else None
            if method == "json":
                return _Made(name, "Any", name, (Import(path, "typing", "Any"),))
            if method in {"body", "read"}:
                return _Made(name, "bytes", name)
        if value is not None:
            handed = value_of(self._app, self._endpoint, value)
            if handed is not None:
                imports = [Import(path, module, each) for module, each in handed.imports]
                return _Made(name, handed.type, name, tuple(imports))
        node = s.Name(statement.end, statement.end, name)
        kind = self._app.types.of(node, Where(self._module, self._endpoint))
        written, imports = self._known(kind, path)
        return _Made(name, written, name, tuple(imports))

    def _type(self, node: s.Parameter, kind: Type, path: str) -> tuple[str, list[Import]]:
        annotation = node.annotation
        if isinstance(annotation, s.Subscript) and s.last_name(annotation.value) == "Annotated":
            inner = annotation.slice
            annotation = inner.elts[0] if isinstance(inner, s.Tuple) else inner
        elif isinstance(kind, Instance) and not kind.args and self._is_name(annotation):
            return self._class(node, kind, path)  # an alias, or the class itself
        if annotation is None:
            return self._known(kind, path)
        needed = [need for need in self._names([annotation], path) if need.needed is not None]
        return text(self._module, annotation), [n.needed for n in needed if n.needed is not None]

    def _is_name(self, annotation: s.Expr | None) -> bool:
        """Whether an annotation is a plain name, or an alias of another module: ``dependencies.SessionDep``."""
        if isinstance(annotation, s.Attribute):
            symbol = self._app.linker.expression(annotation, self._module, None)
            return isinstance(symbol, Variable)
        return isinstance(annotation, s.Name)

    def _known(self, kind: Type, path: str) -> tuple[str, list[Import]]:
        """Return a type as it is written, as far as it is known: else nothing is said."""
        options = [each for each in alternatives(kind) if each != NONE]
        found = options[0] if len(options) == 1 else UNKNOWN
        if isinstance(found, Literal):
            return type(found.value).__name__, []
        if not isinstance(found, Instance):
            return "", []
        written, imports = _written(found)
        if found.args:
            inner = [self._known(each, path) for each in found.args]
            if not written or not all(each for each, _ in inner):
                return "", []
            written = f"{written}[{', '.join(each for each, _ in inner)}]"
            imports += [each for _, more in inner for each in more]
        elif not written:
            try:
                written, imports = self._class(self._endpoint.node, found, path)
            except _Stop:
                return "", []
        if found.cls in _OPEN and not found.args:
            return "", []
        imports = [msgspec.structs.replace(each, file=path) for each in imports]
        return (
            written if len(options) == len(alternatives(kind)) else f"{written} | None"
        ), imports

    def _returned(self, results: list[str], path: str) -> tuple[str, list[Import]]:
        """Return `` -> Order``, as far as it is known what the service gives."""
        if results:
            written = [self._made(name, path) for name in results]
            imports = [each for _, more in written for each in more]
            if not all(each for each, _ in written):
                return "", []
            names = ", ".join(each for each, _ in written)
            return (f" -> tuple[{names}]" if len(written) > 1 else f" -> {names}"), imports
        given = [
            node.value
            for node in s.walk_scope(*self._parts.moved)
            if isinstance(node, s.Return) and node.value is not None
        ]
        annotation = self._endpoint.node.returns
        if s.last_name(annotation) == "Any":  # which says nothing
            annotation = None
        if not given:
            is_typed = annotation is not None or all(
                p.annotation for p in self._endpoint.parameters
            )
            return (" -> None" if is_typed else ""), []
        spoken = [self._spoken(each, path) for each in given]
        imports = [each for _, more in spoken for each in more]
        same = spoken[0][0] if len({each for each, _ in spoken}) == 1 else ""
        one = f" -> {same}" if same else ""
        if annotation is None or self._is_answer(annotation):  # what the endpoint makes of it
            return (one, imports) if one else ("", [])
        try:
            needed = [need.needed for need in self._names([annotation], path)]
        except _Stop:
            return "", []
        return f" -> {text(self._module, annotation)}", [
            each for each in needed if each is not None
        ]

    def _spoken(self, node: s.Expr, path: str) -> tuple[str, list[Import]]:
        """Return the type of what is given back: a row, a plain value, a dictionary."""
        if isinstance(node, s.Dict) and all(s.string(key) is not None for key in node.keys):
            return "dict[str, object]", []
        if isinstance(node, s.Comp) and node.kind == "list":
            inner, imports = self._spoken(node.elt, path)
            return (f"list[{inner}]" if inner.startswith("dict") else ""), imports
        found = self._app.types.of(node, Where(self._module, self._endpoint))
        if isinstance(found, Sequence) and found.kind == "list" and self._is_table(found.element):
            inner, imports = self._known(found.element, path)
            rows = Import(path, "collections.abc", "Sequence")
            return (f"Sequence[{inner}]", [rows, *imports]) if inner else ("", [])
        plain = isinstance(found, Literal) or (
            isinstance(found, Instance) and isinstance(found.cls, str) and found.cls in _PLAIN
        )
        made = isinstance(found, Instance) and isinstance(found.cls, Class)
        return self._known(found, path) if plain or made or self._is_row(node) else ("", [])

    def _is_table(self, kind: Type) -> bool:
        return (
            isinstance(kind, Instance)
            and isinstance(kind.cls, Class)
            and self._app.types.is_table(kind.cls)
        )

    def _is_answer(self, annotation: s.Expr) -> bool:
        """Whether an annotation names a schema: what the endpoint makes of what it is given."""
        where = Where(self._module, self._endpoint)
        for node in s.walk(annotation):
            found = (
                self._app.types.of(node, where) if isinstance(node, (s.Name, s.Attribute)) else None
            )
            if isinstance(found, ClassObject) and isinstance(found.cls, Class):
                if not self._app.types.is_table(found.cls):
                    return True
        return False

    def _is_row(self, node: s.Expr) -> bool:
        """Whether what is given is a row, or rows: not the schema that the endpoint says it answers with."""
        kind = self._app.types.of(node, Where(self._module, self._endpoint))
        inner = kind.args if isinstance(kind, Instance) and kind.args else (kind,)
        return all(
            isinstance(each, Instance)
            and isinstance(each.cls, Class)
            and self._app.types.is_table(each.cls)
            for one in inner
            for each in alternatives(one)
            if each != NONE
        )

    def _made(self, name: str, path: str) -> tuple[str, list[Import]]:
        """Return the type of what the service makes."""
        call = self._streamed(name)
        if call is not None:
            return "", []
        used = next(n for n in s.walk(*self._parts.tail) if isinstance(n, s.Name) and n.id == name)
        return self._known(self._app.types.of(used, Where(self._module, self._endpoint)), path)

    def _class(
        self, node: s.Parameter | s.FunctionDef, kind: Instance, path: str
    ) -> tuple[str, list[Import]]:
        if isinstance(kind.cls, Class):
            if kind.cls.outer is not None or "." in kind.cls.qualname:
                raise _Stop(node, f"the type of {node.name} cannot be imported")
            if kind.cls.module.path == path:
                return kind.cls.name, []
            if kind.cls.module.path == self._module.path:
                reason = f"the type of {node.name} is defined in the router's file"
                raise _Stop(node, reason, kind.cls.name)
            bound = module_level_imports(self._module).get(kind.cls.name)
            known = self._app.types.of(s.Name(0, 0, kind.cls.name), Where(self._module))
            if bound is not None and isinstance(known, ClassObject) and known.cls is kind.cls:
                return kind.cls.name, [_import(path, kind.cls.name, bound)]
            for module in (self._module, self._app.modules.get(path)):
                for local, stands_for in module_level_imports(module).items() if module else ():
                    if stands_for == kind.cls.module.name:  # `models.Order`, as the code writes it
                        return f"{local}.{kind.cls.name}", [_import(path, local, stands_for)]
            return kind.cls.name, [Import(path, kind.cls.module.name, kind.cls.name)]
        origin, _, name = kind.cls.rpartition(".")
        if origin in {"builtins", ""}:
            return name, []
        return name, [Import(path, origin, name)]

    def _reads(self, moved: list[s.Stmt], path: str) -> list[_Need]:
        own = _bound(moved) | {parameter.name for parameter in self._endpoint.parameters}
        gone = {id(node) for handed in self._parts.handed for node in s.walk(handed.node)}
        return [need for need in self._names(moved, path, gone) if need.name not in own]

    def _names(
        self, nodes: list[s.Stmt] | list[s.Expr], path: str, gone: Collection[int] = ()
    ) -> Iterator[_Need]:
        """Yield what code reads from its file. Raises _Stop for what the file defines itself."""
        bound = module_level_imports(self._module)
        own = _bound(self._statements) | {p.name for p in self._endpoint.parameters}
        seen: set[str] = set()
        for node in s.walk(*nodes):
            if not isinstance(node, s.Name) or id(node) in gone or node.id in seen | own:
                continue
            seen.add(node.id)
            if node.id in bound:
                yield _Need(node.id, self._import(path, node.id, bound[node.id]))
            elif hasattr(builtins, node.id):
                continue
            elif self._is_logger(node.id):
                yield _Need(node.id, Import(path, "logging"))
                self._logger_there(node, path)
            else:
                raise _Stop(node, f"{node.id} is defined in the router's file", node.id)

    def _import(self, path: str, local: str, origin: str) -> Import | None:
        """Return the import that a file needs for a name; none for what it defines itself."""
        there = self._app.modules.get(path)
        if origin.startswith("fastapi.concurrency."):  # a service knows no FastAPI
            if there is not None and module_level_imports(there).get(local) == origin:
                return None
            origin = origin.replace("fastapi", "starlette", 1)
        needed = _import(path, local, origin)
        own = needed.module == self._app.index.name(path) and needed.name == local
        return None if own and path in self._app.modules else needed

    def along(self, name: str) -> Proposal | None:
        """Return the change that moves a name of the router's file, and what it reads there, to the service.

        None where it cannot be told. Raises Unmovable.
        """
        body = self._module.facts.body
        by_name = {each: n for n, statement in enumerate(body) for each in binds(statement)}
        loggers = {each for each in by_name if self._is_logger(each)}
        others = {n.id for n in s.walk(*self._parts.moved) if isinstance(n, s.Name)}
        wanted, waiting = set[int](), [name, *sorted(others & set(by_name) - loggers)]
        while waiting:
            number = by_name.get(waiting.pop())
            if number is None or number in wanted or isinstance(body[number], _IMPORTS):
                continue
            if not isinstance(body[number], _MOVABLE) or id(body[number]) in self._served:
                return None
            if speaks_http(self._module, body[number]):
                return None  # a service knows no HTTP
            wanted.add(number)
            waiting += {read.name for read in reads(body[number])} - loggers
        taken = {number: self._home(body[number]) for number in wanted}
        parts = [self._part(path) for path in sorted(set(taken.values()))]
        moved = Move(self._app.modules, self._module, parts, taken).made()
        inits: dict[str, str] = {}
        for path in moved.new:
            inits |= self._packages(path)
        title = f"what {self._endpoint.name} reads moves to {taken[by_name[name]]}"
        place = f"{self._module.path}:{self._module.line(body[by_name[name]])}"
        return Proposal(title, moved.edits, moved.imports, {**moved.new, **inits}, places=(place,))

    @property
    def _served(self) -> set[int]:
        """The endpoints, and what makes routers and applications."""
        found = {id(endpoint.node) for endpoint in self._app.endpoints}
        calls = {id(router.node) for router in self._app.setup.routers}
        calls |= {id(application.node) for application in self._app.applications}
        for statement in self._module.facts.body:
            if isinstance(statement, (s.Assign, s.AnnAssign)) and id(statement.value) in calls:
                found.add(id(statement))
        return found

    def _home(self, statement: s.Stmt) -> str:
        """Return where a statement of the router's file goes: schemas to the schemas, all else to the service."""
        if isinstance(statement, s.ClassDef):
            cls = self._app.linker.scope(self._module).names.get(statement.name)
            if isinstance(cls, Class) and self._app.models.schema(cls) is not None:
                return self._schemas()
        return self._service()[0]

    def _schemas(self) -> str:
        folder, name = dirname(self._module.path), basename(self._module.path)
        if self._beside is not None and self._holds_routers(folder):
            folder = self._beside
        if join(folder, "schemas", "__init__.py") in self._app.modules:
            return join(folder, "schemas", name)
        return join(folder, "schemas.py")

    def _part(self, path: str) -> Part:
        doc = f"The business of {self._domain()}."
        if path == self._schemas():
            doc = "What requests and answers look like."
        return Part(path, self._app.index.name(path), doc)

    def _is_logger(self, name: str) -> bool:
        return any(
            isinstance(statement, s.Assign)
            and [target.id for target in statement.targets if isinstance(target, s.Name)] == [name]
            and text(self._module, statement.value) == _LOGGER
            for statement in self._module.facts.body
        )

    def _logger_there(self, node: s.Name, path: str) -> None:
        there = self._app.modules.get(path)
        if there is None or f"{node.id} = {_LOGGER}".encode() in there.source:
            return
        if is_taken(there, node.id) or behind_imports(there, "") is None:
            raise _Stop(node, f"{path} has no {node.id}")

    def _loggers(self, moved: list[s.Stmt]) -> list[str]:
        """Return the loggers that the moved code writes to: its new file has one of that name."""
        named = {n.id for n in s.walk(*moved) if isinstance(n, s.Name)}
        return sorted(name for name in named if self._is_logger(name))

    def _loggers_here(self, moved: list[s.Stmt]) -> Iterator[Edit]:
        """Yield the edits that take loggers away to which nothing is left to write."""
        inside = {id(node) for node in s.walk(*moved)}
        for statement in self._module.facts.body:
            for name in sorted(binds(statement) & set(self._loggers(moved))):
                others = [
                    node
                    for node in self._module.walk()
                    if isinstance(node, s.Name) and node.id == name and id(node) not in inside
                ]
                if len(others) == 1 and not self._is_imported(name):
                    yield from delete_statements(self._module, self._module.facts.body, [statement])

    def _is_imported(self, name: str) -> bool:
        """Whether another file has a name from this one."""
        return any(
            name in edge.names or "*" in edge.names
            for path in self._app.modules
            for edge in self._app.imports.of(path)
            if edge.imported == self._module.path
        )

    def _loggers_there(self, moved: list[s.Stmt], there: Module) -> Iterator[Edit]:
        for name in self._loggers(moved):
            if f"{name} = {_LOGGER}".encode() not in there.source:
                edit = behind_imports(there, f"{name} = {_LOGGER}")
                if edit is not None:
                    yield edit

    # ------------------------------------------------------------ where it goes

    def _service(self) -> tuple[str, bool]:
        """Return the path of the service module, and whether it is there."""
        stem, folder = self._stem, self._beside
        if folder is not None and stem is not None:
            path = join(folder, "services", f"{stem}.py")
        else:
            name = f"{stem}_service.py" if stem is not None else "service.py"
            path = join(dirname(self._module.path), name)
        return path, path in self._app.modules

    @property
    def _stem(self) -> str | None:
        """What the routes of a file are about, as its name says; None where that says only that they are routes."""
        stem = basename(self._module.path).removesuffix(".py")
        for word in ("_router", "_routes", "_endpoints", "_api", "_views"):
            stem = stem.removesuffix(word)
        return stem if stem not in {"main", "app", *ROUTERS} else None

    @cached_property
    def _beside(self) -> str | None:
        """The folder beside whose routers services have one, where a file is among routers: `app` for `app/api/v1/routes`."""
        folder = dirname(self._module.path)
        if not self._holds_routers(folder):
            return self._beside_domains
        folder = dirname(folder)
        while (
            self._is_of_routers(folder)
            and join(dirname(folder), "__init__.py") in self._app.modules
        ):
            folder = dirname(folder)
        return folder

    @property
    def _beside_domains(self) -> str | None:
        """The folder whose routers are in folders of their domains, and whose services are there: `app` for `app/routes/auth/auth.py`."""
        folder = dirname(self._module.path)
        if self._stem is None or not self._stem.startswith(basename(folder)):
            return None  # `users/crud.py`: beside the routers, nobody knew what that is about
        above = dirname(folder)
        there = join(dirname(above), "services", "__init__.py") in self._app.modules
        return dirname(above) if basename(above) in ROUTERS and there else None

    def _is_of_routers(self, folder: str) -> bool:
        """``api``, and ``v1`` where it is the only one."""
        name = basename(folder)
        if _VERSION.fullmatch(name):
            others = {p[len(dirname(folder)) + 1 :].partition("/")[0] for p in self._app.modules
                      if p.startswith(f"{dirname(folder)}/")}  # fmt: skip
            return sum(bool(_VERSION.fullmatch(each)) for each in others) == 1
        return name in ROUTERS

    def _holds_routers(self, folder: str) -> bool:
        """Whether a folder holds routers, by its name or by most of its files."""
        if basename(folder) in ROUTERS or _VERSION.fullmatch(basename(folder)):
            return True
        layers = [
            layer.name
            for path, layer in self._app.layers.items()
            if dirname(path) == folder and not path.endswith("__init__.py")
        ]
        return bool(folder) and layers.count("router") > max(1, len(layers) // 2)

    def _packages(self, path: str) -> dict[str, str]:
        """Return the `__init__.py` that a new folder needs, where its neighbours have one."""
        init = join(dirname(path), "__init__.py")
        neighbour = join(dirname(self._module.path), "__init__.py")
        return (
            {init: ""} if neighbour in self._app.modules and init not in self._app.modules else {}
        )

    def _domain(self) -> str:
        module = self._module
        about = self._stem
        if about is None and not any(each.module is module for each in self._app.applications):
            about = basename(dirname(module.path))
        return about.replace("_", " ") if about else "the endpoints"

    # ---------------------------------------------------------------- the texts

    def _function(self, parameters: list[_Made], results: list[str], returned: str) -> str:
        node, moved = self._endpoint.node, self._parts.moved
        source = self._module.source
        start, end = self._range
        inner = indentation(source, moved[0].start)
        given = ", ".join(parameter.declared for parameter in parameters)
        head = f"{'async ' if _awaits(moved) else ''}def {node.name}({given}){returned}:\n"
        body = edited(source[start:end], self._inside(start)).decode().replace("\r\n", "\n")
        made = [f"{name}()" if self._streamed(name) else name for name in results]
        blank = "\n" if isinstance(moved[-1], s.FunctionDef) else ""
        tail = f"\n{blank}{inner}return {', '.join(made)}" if results else ""
        return f"{head}{body.rstrip()}{tail}\n"

    @property
    def _range(self) -> tuple[int, int]:
        """Return where the moved lines begin, with the comments above, and end."""
        moved, source = self._parts.moved, self._module.source
        start = self._comments_above(line_start(source, first_byte(moved[0])))
        return start, next_line(source, max(moved[-1].end - 1, moved[-1].start))

    def _inside(self, start: int) -> list[Edit]:
        """Return the edits of the moved code: what is handed over, and what is done before."""
        edits = [
            Edit("", handed.node.start - start, handed.node.end - start, handed.name)
            for handed in self._parts.handed
        ]
        return [*edits, *(Edit("", first - start, end - start, "") for first, end in self._early)]

    @property
    def _early(self) -> list[tuple[int, int]]:
        """The lines of what stands between the moved code and stays."""
        source, moved = self._module.source, self._parts.moved
        return [
            (line_start(source, each.start), next_line(source, each.end - 1))
            for each in self._parts.early
            if moved[0].start < each.start < moved[-1].start
        ]

    def _comments_above(self, start: int) -> int:
        """Return where the comments begin that stand above a line."""
        source = self._module.source
        floor = self._endpoint.node.body[0].start if self._endpoint.node.doc is not None else 0
        while start > 0:
            above = line_start(source, start - 1)
            if above <= floor or not source[above:start].strip().startswith(b"#"):
                return start
            start = above
        return start

    def _replaced(self, alias: str, parameters: list[_Made], results: list[str]) -> Edit:
        """Return the edit that puts the call where the moved code was."""
        parts, source = self._parts, self._module.source
        start, end = self._range
        given = ", ".join(parameter.given for parameter in parameters)
        call = f"{'await ' if _awaits(parts.moved) else ''}{alias}.{self._endpoint.name}({given})"
        if results:
            call = f"{', '.join(results)} = {call}"
        elif any(isinstance(n, s.Return) and n.value for n in s.walk_scope(*parts.moved)):
            call = f"return {call}"
        before = b"".join(source[first:behind] for first, behind in self._early).decode()
        line = f"{before}{indentation(source, parts.moved[0].start)}{call}{newline(source)}"
        return Edit(self._module.path, start, end, line)


def _awaits(statements: list[s.Stmt]) -> bool:
    """Whether statements wait for anything: only then the function that they become is asynchronous."""
    return any(
        isinstance(node, s.Await)
        or (isinstance(node, (s.For, s.With)) and node.is_async)
        or (isinstance(node, s.Comp) and any(part.is_async for part in node.generators))
        for node in s.walk_scope(*statements)
    )


def _patched(call: s.Call, test: Module, name: str) -> str | None:
    """Return the name of a module that a call of a test replaces: ``monkeypatch.setattr(main, "send", ...)``."""
    if not call.args:
        return None
    told = s.string(call.args[0])
    if told is not None:
        return told[len(name) + 1 :].partition(".")[0] if told.startswith(f"{name}.") else None
    is_module = len(call.args) > 1 and test.qualify(call.args[0]) == name
    return s.string(call.args[1]) if is_module else None


def _written(kind: Instance) -> tuple[str, list[Import]]:
    """Return the name of a class of Python's own that takes types: ``list``, ``Sequence``."""
    if not kind.args or not isinstance(kind.cls, str):
        return "", []
    module, _, name = kind.cls.rpartition(".")
    if module == "builtins":
        return name, []
    return name, [Import("", "collections.abc" if module == "typing" else module, name)]


def _import(path: str, local: str, origin: str) -> Import:
    """Return the import that binds ``local`` to what it is in the file that it comes from."""
    module, _, name = origin.rpartition(".")
    if not module:
        return Import(path, name, None, local if local != name else None)
    return Import(path, module, name, local if local != name else None)


def _bound(statements: list[s.Stmt]) -> set[str]:
    """Return every name that statements bind, in whatever scope."""
    found: set[str] = set()
    for node in s.walk(*statements):
        found |= _by(node)
        if isinstance(node, s.Comp):
            found |= {name for generator in node.generators for name in _targets(generator.target)}
        named = node.name if isinstance(node, (s.Parameter, s.ExceptHandler)) else None
        found |= {named} if named is not None else set()
    return found


def _left_behind(statements: list[s.Stmt]) -> set[str]:
    """Return the names that are there after statements have run: not those of handlers and loops in lists."""
    return {name for node in s.walk_scope(*statements) for name in _by(node)}


def _by(node: s.Node) -> set[str]:
    """Return the names that a statement binds around it: assigned, looped over, imported, defined."""
    if isinstance(node, s.Assign):
        return {name for target in node.targets for name in _targets(target)}
    if isinstance(node, (s.AnnAssign, s.AugAssign, s.For, s.NamedExpr)):
        return _targets(node.target)
    if isinstance(node, s.With):
        variables = [item.optional_vars for item in node.items if item.optional_vars is not None]
        return {name for variable in variables for name in _targets(variable)}
    if isinstance(node, (s.FunctionDef, s.ClassDef)):
        return {node.name}
    if isinstance(node, (s.Import, s.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return set()


def _targets(node: s.Expr) -> set[str]:
    return {part.id for part in s.walk(node) if isinstance(part, s.Name)}


RECIPE = Recipe(
    summary="the business of endpoints in services",
    why="An endpoint that decides can only be tested and used through HTTP.",
    plan=plan,
    references=("https://fastapi.tiangolo.com/tutorial/bigger-applications/",),
)
_SHOP = {
    "shop/__init__.py": "",
    "shop/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str = ""
    total: int = 0
    owner: str = ""


class OrderIn(SQLModel):
    note: str
    lines: list[int]


class OrderOut(SQLModel):
    id: int
    note: str
""",
    "shop/dependencies.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session


def get_session() -> Session: ...


SessionDep = Annotated[Session, Depends(get_session)]
""",
    "shop/routers/__init__.py": "",
    "shop/main.py": """\
from fastapi import FastAPI

from shop.routers import orders

app = FastAPI()
app.include_router(orders.router)
""",
}
CASES = (
    Case(
        "the whole body, into a new service module",
        {
            "shop/__init__.py": "",
            "shop/models.py": """\
from sqlmodel import Field, Session, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
    total: int = 0


class OrderCreate(SQLModel):
    note: str
    lines: list[int]


def get_session() -> Session: ...
""",
            "shop/routers/__init__.py": "",
            "shop/routers/orders.py": """\
import logging
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import Session

from shop.models import Order, OrderCreate, get_session

router = APIRouter()
logger = logging.getLogger(__name__)


@router.post("/orders", status_code=201)
def create_order(
    payload: OrderCreate, session: Annotated[Session, Depends(get_session)]
) -> Order:
    \"\"\"Take an order.\"\"\"
    # every line costs something
    if not payload.lines:
        raise HTTPException(422, "No lines")
    order = Order(note=payload.note, total=sum(payload.lines))
    session.add(order)
    session.commit()
    logger.info("order %s", order.id)
    return order
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.routers import orders

app = FastAPI()
app.include_router(orders.router)
""",
        },
        {
            "shop/routers/orders.py": """\
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlmodel import Session

from shop.models import Order, OrderCreate, get_session
from shop.services import orders as orders_service

router = APIRouter()


@router.post("/orders", status_code=201)
def create_order(
    payload: OrderCreate, session: Annotated[Session, Depends(get_session)]
) -> Order:
    \"\"\"Take an order.\"\"\"
    return orders_service.create_order(payload, session)
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

import logging

from fastapi import HTTPException
from sqlmodel import Session

from shop.models import Order, OrderCreate

logger = logging.getLogger(__name__)


def create_order(payload: OrderCreate, session: Session) -> Order:
    # every line costs something
    if not payload.lines:
        raise HTTPException(422, "No lines")
    order = Order(note=payload.note, total=sum(payload.lines))
    session.add(order)
    session.commit()
    logger.info("order %s", order.id)
    return order
""",
        },
        target=Target("shop/routers/orders.py", "create_order"),
    ),
    Case(
        "a package that imports its own modules relatively keeps to it; aliases of another module are looked through",
        {
            "src/shop/__init__.py": "",
            "src/shop/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str


class OrderCreate(SQLModel):
    note: str
""",
            "src/shop/dependencies.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session


def get_session() -> Session: ...


SessionDep = Annotated[Session, Depends(get_session)]
""",
            "src/shop/api/__init__.py": "",
            "src/shop/api/orders.py": """\
from fastapi import APIRouter, HTTPException

from .. import dependencies
from ..models import Order, OrderCreate

router = APIRouter()


@router.post("/orders", status_code=201)
def order(payload: OrderCreate, session: dependencies.SessionDep) -> Order:
    if not payload.note:
        raise HTTPException(422, "No note")
    order = Order(note=payload.note)
    session.add(order)
    session.commit()
    return order


@router.put("/orders/{order_id}")
def change_order(order_id: int, payload: OrderCreate, session: dependencies.SessionDep) -> Order:
    order = session.get(Order, order_id)
    if order is None:
        raise HTTPException(404, "Order not found")
    order.note = payload.note
    session.commit()
    return order
""",
            "src/shop/main.py": """\
from fastapi import FastAPI

from .api import orders

app = FastAPI()
app.include_router(orders.router)
""",
        },
        {
            "src/shop/api/orders.py": """\
from fastapi import APIRouter

from .. import dependencies
from ..models import Order, OrderCreate
from ..services import orders as orders_service

router = APIRouter()


@router.post("/orders", status_code=201)
def order(payload: OrderCreate, session: dependencies.SessionDep) -> Order:
    return orders_service.order(payload, session)


@router.put("/orders/{order_id}")
def change_order(order_id: int, payload: OrderCreate, session: dependencies.SessionDep) -> Order:
    return orders_service.change_order(order_id, payload, session)
""",
            "src/shop/services/__init__.py": "",
            "src/shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from fastapi import HTTPException
from sqlmodel import Session

from ..models import Order, OrderCreate


def order(payload: OrderCreate, session: Session) -> Order:
    if not payload.note:
        raise HTTPException(422, "No note")
    order = Order(note=payload.note)
    session.add(order)
    session.commit()
    return order


def change_order(order_id: int, payload: OrderCreate, session: Session) -> Order:
    order = session.get(Order, order_id)
    if order is None:
        raise HTTPException(404, "Order not found")
    order.note = payload.note
    session.commit()
    return order
""",
        },
    ),
    Case(
        "what speaks HTTP at the end stays; the service module is there",
        {
            "shop/__init__.py": "",
            "shop/models.py": """\
from sqlmodel import Field, Session, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
    total: int = 0


class OrderCreate(SQLModel):
    note: str
    lines: list[int]


def get_session() -> Session: ...
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"Orders.\"\"\"

from shop.models import Order


def total(order: Order) -> int:
    return order.total
""",
            "shop/routers/__init__.py": "",
            "shop/routers/orders.py": """\
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Response
from sqlmodel import Session

from shop.models import Order, OrderCreate, get_session

router = APIRouter()
SessionDep = Annotated[Session, Depends(get_session)]


def mail(order: Order) -> None: ...


@router.post("/orders")
async def create_order(
    payload: OrderCreate, tasks: BackgroundTasks, session: SessionDep, response: Response
) -> Order:
    order = Order(note=payload.note, total=sum(payload.lines))
    session.add(order)
    session.commit()
    tasks.add_task(mail, order)
    response.headers["Location"] = f"/orders/{order.id}"
    return order
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.routers import orders

app = FastAPI()
app.include_router(orders.router)
""",
        },
        {
            "shop/services/orders.py": """\
\"\"\"Orders.\"\"\"

from sqlmodel import Session

from shop.models import Order, OrderCreate


def total(order: Order) -> int:
    return order.total


def create_order(payload: OrderCreate, session: Session) -> Order:
    order = Order(note=payload.note, total=sum(payload.lines))
    session.add(order)
    session.commit()
    return order
""",
            "shop/routers/orders.py": """\
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Response
from sqlmodel import Session

from shop.models import Order, OrderCreate, get_session
from shop.services import orders as orders_service

router = APIRouter()
SessionDep = Annotated[Session, Depends(get_session)]


def mail(order: Order) -> None: ...


@router.post("/orders")
async def create_order(
    payload: OrderCreate, tasks: BackgroundTasks, session: SessionDep, response: Response
) -> Order:
    order = orders_service.create_order(payload, session)
    tasks.add_task(mail, order)
    response.headers["Location"] = f"/orders/{order.id}"
    return order
""",
        },
        target=Target("shop/routers/orders.py", "create_order"),
    ),
    Case(
        "one file; what it awaits is awaited in the service",
        {
            "main.py": """\
from fastapi import FastAPI
from httpx import AsyncClient

app = FastAPI()


@app.get("/rate/{currency}")
async def rate(currency: str) -> float:
    async with AsyncClient(timeout=5) as client:
        answer = await client.get(f"https://rates.example.org/{currency}")
    found = answer.json()
    return float(found["rate"])
""",
        },
        {
            "main.py": """\
from fastapi import FastAPI

import service

app = FastAPI()


@app.get("/rate/{currency}")
async def rate(currency: str) -> float:
    return await service.rate(currency)
""",
            "service.py": """\
\"\"\"The business of the endpoints.\"\"\"

from httpx import AsyncClient


async def rate(currency: str) -> float:
    async with AsyncClient(timeout=5) as client:
        answer = await client.get(f"https://rates.example.org/{currency}")
    found = answer.json()
    return float(found["rate"])
""",
        },
        target=Target("main.py", "rate"),
    ),
    Case(
        "what it reads of the router's own file moves along",
        {
            "main.py": """\
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

app = FastAPI()
RATES = {"EUR": 1.0}


@app.get("/rate/{currency}")
def rate(currency: str) -> float:
    found = RATES.get(currency)
    return found or 0.0


@app.get("/early/{currency}")
def early(currency: str, response: Response) -> float:
    if currency == "EUR":
        return 1.0
    found = len(currency)
    response.headers["X-Found"] = str(found)
    return float(found)


@app.get("/late/{currency}")
def late(currency: str, response: Response) -> float:
    response.headers["X-Currency"] = currency
    found = len(currency)
    return float(found)
""",
        },
        {
            "main.py": """\
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

import service

app = FastAPI()


@app.get("/rate/{currency}")
def rate(currency: str) -> float:
    return service.rate(currency)


@app.get("/early/{currency}")
def early(currency: str, response: Response) -> float:
    if currency == "EUR":
        return 1.0
    found = len(currency)
    response.headers["X-Found"] = str(found)
    return float(found)


@app.get("/late/{currency}")
def late(currency: str, response: Response) -> float:
    response.headers["X-Currency"] = currency
    found = len(currency)
    return float(found)
""",
            "service.py": """\
\"\"\"The business of the endpoints.\"\"\"

RATES = {"EUR": 1.0}


def rate(currency: str) -> float:
    found = RATES.get(currency)
    return found or 0.0
""",
        },
        target=Target("main.py", "rate"),
    ),
    Case(
        "an early return before statements that have to stay",
        {
            "main.py": """\
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

app = FastAPI()
RATES = {"EUR": 1.0}


@app.get("/rate/{currency}")
def rate(currency: str) -> float:
    found = RATES.get(currency)
    return found or 0.0


@app.get("/early/{currency}")
def early(currency: str, response: Response) -> float:
    if currency == "EUR":
        return 1.0
    found = len(currency)
    response.headers["X-Found"] = str(found)
    return float(found)


@app.get("/late/{currency}")
def late(currency: str, response: Response) -> float:
    response.headers["X-Currency"] = currency
    found = len(currency)
    return float(found)
""",
        },
        stopped=("main.py:17",),
        target=Target("main.py", "early"),
    ),
    Case(
        "HTTP from the beginning",
        {
            "main.py": """\
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

app = FastAPI()
RATES = {"EUR": 1.0}


@app.get("/rate/{currency}")
def rate(currency: str) -> float:
    found = RATES.get(currency)
    return found or 0.0


@app.get("/early/{currency}")
def early(currency: str, response: Response) -> float:
    if currency == "EUR":
        return 1.0
    found = len(currency)
    response.headers["X-Found"] = str(found)
    return float(found)


@app.get("/late/{currency}")
def late(currency: str, response: Response) -> float:
    response.headers["X-Currency"] = currency
    found = len(currency)
    return float(found)
""",
        },
        stopped=("main.py:25",),
        target=Target("main.py", "late"),
    ),
    Case(
        "an endpoint that is not fat is left alone, unless it is asked for",
        {
            "main.py": """\
from fastapi import FastAPI
from httpx import AsyncClient

app = FastAPI()


@app.get("/rate/{currency}")
async def rate(currency: str) -> float:
    async with AsyncClient(timeout=5) as client:
        answer = await client.get(f"https://rates.example.org/{currency}")
    found = answer.json()
    return float(found["rate"])
""",
        },
    ),
    Case(
        "fetching, also with the 404 for what is not there, is HTTP and stays",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order

router = APIRouter()


@router.get("/orders/{order_id}")
def read_order(order_id: int, session: SessionDep) -> Order:
    order = session.get(Order, order_id)
    if order is None:
        raise HTTPException(404, "No order")
    return order


@router.get("/orders")
def list_orders(session: SessionDep) -> list[Order]:
    orders = session.exec(select(Order).limit(10)).all()
    return list(orders)
""",
        },
    ),
    Case(
        "the endpoint makes the answer of the row that the service gives",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn, OrderOut

router = APIRouter()


@router.post("/orders", status_code=201)
def create_order(data: OrderIn, session: SessionDep) -> OrderOut:
    order = Order(note=data.note, total=sum(data.lines))
    session.add(order)
    session.commit()
    return OrderOut(id=order.id, note=order.note)
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import OrderIn, OrderOut
from shop.services import orders as orders_service

router = APIRouter()


@router.post("/orders", status_code=201)
def create_order(data: OrderIn, session: SessionDep) -> OrderOut:
    order = orders_service.create_order(data, session)
    return OrderOut(id=order.id, note=order.note)
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from sqlmodel import Session

from shop.models import Order, OrderIn


def create_order(data: OrderIn, session: Session) -> Order:
    order = Order(note=data.note, total=sum(data.lines))
    session.add(order)
    session.commit()
    return order
""",
        },
    ),
    Case(
        "a refusal that depends on data, and two statements, are business",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order

router = APIRouter()


@router.get("/orders/{order_id}")
def read_order(order_id: int, owner: str, session: SessionDep) -> Order:
    order = session.get(Order, order_id)
    if order is None or order.owner != owner:
        raise HTTPException(404, "No order")
    return order


@router.get("/stats")
def stats(session: SessionDep) -> dict[str, int]:
    open_ones = session.exec(select(Order).where(Order.total == 0)).all()
    others = session.exec(select(Order).where(Order.total > 0)).all()
    return {"open": len(open_ones), "others": len(others)}
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import Order
from shop.services import orders as orders_service

router = APIRouter()


@router.get("/orders/{order_id}")
def read_order(order_id: int, owner: str, session: SessionDep) -> Order:
    return orders_service.read_order(order_id, owner, session)


@router.get("/stats")
def stats(session: SessionDep) -> dict[str, int]:
    return orders_service.stats(session)
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from fastapi import HTTPException
from sqlmodel import Session, select

from shop.models import Order


def read_order(order_id: int, owner: str, session: Session) -> Order:
    order = session.get(Order, order_id)
    if order is None or order.owner != owner:
        raise HTTPException(404, "No order")
    return order


def stats(session: Session) -> dict[str, int]:
    open_ones = session.exec(select(Order).where(Order.total == 0)).all()
    others = session.exec(select(Order).where(Order.total > 0)).all()
    return {"open": len(open_ones), "others": len(others)}
""",
        },
    ),
    Case(
        "values of the request are handed over; what sets the response from the start stays before the call",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException, Request, Response
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, request: Request, response: Response, session: SessionDep) -> Order:
    if session.exec(select(Order).where(Order.note == data.note)).first():
        raise HTTPException(409, f"There is one: {request.url.path}")
    response.headers["X-Note"] = data.note
    agent = request.headers.get("User-Agent", "")
    order = Order(note=f"{data.note} {agent}", owner=request.client.host if request.client else "")
    session.add(order)
    session.commit()
    return order
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Request, Response

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn
from shop.services import orders as orders_service

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, request: Request, response: Response, session: SessionDep) -> Order:
    response.headers["X-Note"] = data.note
    agent = request.headers.get("User-Agent", "")
    return orders_service.create_order(data, session, agent, request.url.path, request.client.host if request.client else "")
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from fastapi import HTTPException
from sqlmodel import Session, select

from shop.models import Order, OrderIn


def create_order(data: OrderIn, session: Session, agent: str, path: str, client_host: str) -> Order:
    if session.exec(select(Order).where(Order.note == data.note)).first():
        raise HTTPException(409, f"There is one: {path}")
    order = Order(note=f"{data.note} {agent}", owner=client_host)
    session.add(order)
    session.commit()
    return order
""",
        },
    ),
    Case(
        "a status and a cookie that are set in a branch at the end stay there",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Response
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, response: Response, session: SessionDep) -> Order:
    order = session.exec(select(Order).where(Order.note == data.note)).first()
    is_new = order is None
    if order is None:
        order = Order(note=data.note)
        session.add(order)
        session.commit()
    if is_new:
        response.status_code = 201
        response.set_cookie("order", str(order.id))
    return order
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Response

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn
from shop.services import orders as orders_service

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, response: Response, session: SessionDep) -> Order:
    is_new, order = orders_service.create_order(data, session)
    if is_new:
        response.status_code = 201
        response.set_cookie("order", str(order.id))
    return order
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from sqlmodel import Session, select

from shop.models import Order, OrderIn


def create_order(data: OrderIn, session: Session) -> tuple[bool, Order]:
    order = session.exec(select(Order).where(Order.note == data.note)).first()
    is_new = order is None
    if order is None:
        order = Order(note=data.note)
        session.add(order)
        session.commit()
    return is_new, order
""",
        },
    ),
    Case(
        "background tasks at the end stay; those in the middle are added by the service, which is handed the callable",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, BackgroundTasks

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()


def mail(note: str) -> None: ...


@router.post("/orders")
def create_order(data: OrderIn, tasks: BackgroundTasks, session: SessionDep) -> Order:
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    if data.lines:
        tasks.add_task(mail, order.note)
    return order


@router.post("/orders/many")
def create_many(data: list[OrderIn], tasks: BackgroundTasks, session: SessionDep) -> int:
    done = 0
    for each in data:
        order = Order(note=each.note)
        session.add(order)
        session.commit()
        tasks.add_task(mail, order.note)
        done += 1
    return done
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter, BackgroundTasks

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn
from shop.services import orders as orders_service
from shop.services.orders import mail

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, tasks: BackgroundTasks, session: SessionDep) -> Order:
    order = orders_service.create_order(data, session)
    if data.lines:
        tasks.add_task(mail, order.note)
    return order


@router.post("/orders/many")
def create_many(data: list[OrderIn], tasks: BackgroundTasks, session: SessionDep) -> int:
    return orders_service.create_many(data, session, tasks.add_task)
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from collections.abc import Callable

from sqlmodel import Session

from shop.models import Order, OrderIn


def create_order(data: OrderIn, session: Session) -> Order:
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    return order


def mail(note: str) -> None: ...


def create_many(data: list[OrderIn], session: Session, add_task: Callable[..., None]) -> int:
    done = 0
    for each in data:
        order = Order(note=each.note)
        session.add(order)
        session.commit()
        add_task(mail, order.note)
        done += 1
    return done
""",
        },
    ),
    Case(
        "try and except go along; a response inside of one stops it",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException, Response

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep) -> Order:
    try:
        order = Order(note=data.note)
        session.add(order)
        session.commit()
    except HTTPException:
        raise
    except ValueError as error:
        session.rollback()
        raise HTTPException(409, str(error)) from error
    return order


@router.delete("/orders/{order_id}")
def delete_order(order_id: int, response: Response, session: SessionDep) -> None:
    try:
        session.delete(session.get_one(Order, order_id))
        session.commit()
        response.status_code = 204
    except ValueError:
        response.status_code = 404
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Response

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn
from shop.services import orders as orders_service

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep) -> Order:
    return orders_service.create_order(data, session)


@router.delete("/orders/{order_id}")
def delete_order(order_id: int, response: Response, session: SessionDep) -> None:
    try:
        session.delete(session.get_one(Order, order_id))
        session.commit()
        response.status_code = 204
    except ValueError:
        response.status_code = 404
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from fastapi import HTTPException
from sqlmodel import Session

from shop.models import Order, OrderIn


def create_order(data: OrderIn, session: Session) -> Order:
    try:
        order = Order(note=data.note)
        session.add(order)
        session.commit()
    except HTTPException:
        raise
    except ValueError as error:
        session.rollback()
        raise HTTPException(409, str(error)) from error
    return order
""",
        },
        stopped=("shop/routers/orders.py:20",),
    ),
    Case(
        "a generator that is streamed is made by the service; an endpoint that is a generator itself stays",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order

router = APIRouter()


@router.get("/export")
def export(session: SessionDep) -> StreamingResponse:
    orders = session.exec(select(Order).where(Order.total > 0)).all()
    others = session.exec(select(Order).where(Order.total == 0)).all()

    def rows():
        for order in [*orders, *others]:
            yield f"{order.id},{order.note}"

    return StreamingResponse(rows(), media_type="text/csv", headers={"X-Count": "1"})


@router.get("/lines")
def lines(session: SessionDep):
    orders = session.exec(select(Order).where(Order.total > 0)).all()
    others = session.exec(select(Order).where(Order.total == 0)).all()
    yield from orders
    yield from others
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order
from shop.services import orders as orders_service

router = APIRouter()


@router.get("/export")
def export(session: SessionDep) -> StreamingResponse:
    rows = orders_service.export(session)

    return StreamingResponse(rows, media_type="text/csv", headers={"X-Count": "1"})


@router.get("/lines")
def lines(session: SessionDep):
    orders = session.exec(select(Order).where(Order.total > 0)).all()
    others = session.exec(select(Order).where(Order.total == 0)).all()
    yield from orders
    yield from others
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from sqlmodel import Session, select

from shop.models import Order


def export(session: Session):
    orders = session.exec(select(Order).where(Order.total > 0)).all()
    others = session.exec(select(Order).where(Order.total == 0)).all()

    def rows():
        for order in [*orders, *others]:
            yield f"{order.id},{order.note}"

    return rows()
""",
        },
        stopped=("shop/routers/orders.py:20",),
    ),
    Case(
        "nested functions go along",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order

router = APIRouter()


@router.get("/orders/ranked")
def ranked(session: SessionDep) -> list[Order]:
    def rank(order: Order) -> int:
        return order.total

    orders = session.exec(select(Order).where(Order.total > 0)).all()
    others = session.exec(select(Order).where(Order.total == 0)).all()
    return sorted([*orders, *others], key=rank)
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import Order
from shop.services import orders as orders_service

router = APIRouter()


@router.get("/orders/ranked")
def ranked(session: SessionDep) -> list[Order]:
    return orders_service.ranked(session)
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from sqlmodel import Session, select

from shop.models import Order


def ranked(session: Session) -> list[Order]:
    def rank(order: Order) -> int:
        return order.total

    orders = session.exec(select(Order).where(Order.total > 0)).all()
    others = session.exec(select(Order).where(Order.total == 0)).all()
    return sorted([*orders, *others], key=rank)
""",
        },
    ),
    Case(
        "a file is read before the call, but not where its size is looked at first",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException, UploadFile

from shop.dependencies import SessionDep
from shop.models import Order

router = APIRouter()


@router.put("/orders/{order_id}/file")
async def upload(order_id: int, file: UploadFile, session: SessionDep) -> dict[str, int]:
    order = session.get_one(Order, order_id)
    content = await file.read()
    order.note = f"{file.filename}: {len(content)}"
    session.add(order)
    session.commit()
    return {"size": len(content)}


@router.put("/orders/{order_id}/big")
async def upload_big(order_id: int, file: UploadFile, session: SessionDep) -> Order:
    order = session.get_one(Order, order_id)
    if file.size is None or file.size > 1000:
        raise HTTPException(413, "Too big")
    order.note = (await file.read()).decode()
    session.add(order)
    session.commit()
    return order
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter, UploadFile

from shop.dependencies import SessionDep
from shop.models import Order
from shop.services import orders as orders_service

router = APIRouter()


@router.put("/orders/{order_id}/file")
async def upload(order_id: int, file: UploadFile, session: SessionDep) -> dict[str, int]:
    content = await file.read()
    return orders_service.upload(order_id, session, content, file.filename)


@router.put("/orders/{order_id}/big")
async def upload_big(order_id: int, file: UploadFile, session: SessionDep) -> Order:
    return await orders_service.upload_big(order_id, session, file.size, file.read)
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from collections.abc import Awaitable, Callable

from fastapi import HTTPException
from sqlmodel import Session

from shop.models import Order


def upload(order_id: int, session: Session, content: bytes, filename: str | None) -> dict[str, int]:
    order = session.get_one(Order, order_id)
    order.note = f"{filename}: {len(content)}"
    session.add(order)
    session.commit()
    return {"size": len(content)}


async def upload_big(order_id: int, session: Session, size: int | None, read_file: Callable[..., Awaitable[bytes]]) -> Order:
    order = session.get_one(Order, order_id)
    if size is None or size > 1000:
        raise HTTPException(413, "Too big")
    order.note = (await read_file()).decode()
    session.add(order)
    session.commit()
    return order
""",
        },
    ),
    Case(
        "what needs the request itself stays before the call; in the middle of the business it stops it",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException, Request

from shop.dependencies import SessionDep
from shop.models import Order

router = APIRouter()


@router.post("/webhook")
async def webhook(request: Request, session: SessionDep) -> dict[str, bool]:
    body = await request.body()
    if not request.headers.get("X-Signature"):
        raise HTTPException(400, "Not signed")
    event = await request.json()
    order = session.get_one(Order, event["id"])
    order.note = body.decode()
    session.add(order)
    session.commit()
    return {"received": True}


@router.post("/late")
async def late(order_id: int, request: Request, session: SessionDep) -> Order:
    order = session.get_one(Order, order_id)
    order.note = (await request.body()).decode()
    session.add(order)
    session.commit()
    return order
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException, Request

from shop.dependencies import SessionDep
from shop.models import Order
from shop.services import orders as orders_service

router = APIRouter()


@router.post("/webhook")
async def webhook(request: Request, session: SessionDep) -> dict[str, bool]:
    body = await request.body()
    if not request.headers.get("X-Signature"):
        raise HTTPException(400, "Not signed")
    event = await request.json()
    orders_service.webhook(session, body, event)
    return {"received": True}


@router.post("/late")
async def late(order_id: int, request: Request, session: SessionDep) -> Order:
    order = session.get_one(Order, order_id)
    order.note = (await request.body()).decode()
    session.add(order)
    session.commit()
    return order
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from typing import Any

from sqlmodel import Session

from shop.models import Order


def webhook(session: Session, body: bytes, event: Any) -> None:
    order = session.get_one(Order, event["id"])
    order.note = body.decode()
    session.add(order)
    session.commit()
""",
        },
        stopped=("shop/routers/orders.py:23",),
    ),
    Case(
        "an HTTPException that could not become an error of the application stops it",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order

router = APIRouter()


@router.post("/login")
def login(name: str, session: SessionDep) -> Order:
    order = session.exec(select(Order).where(Order.owner == name)).first()
    if order is None:
        raise HTTPException(401, "Who?", headers={"WWW-Authenticate": "Bearer"})
    order.total += 1
    session.add(order)
    session.commit()
    return order


@router.post("/wait")
def wait(name: str, session: SessionDep) -> Order:
    order = session.exec(select(Order).where(Order.owner == name)).first()
    if order is None:
        raise HTTPException(429, "Wait", headers={"Retry-After": name})
    order.total += 1
    session.add(order)
    session.commit()
    return order
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter, HTTPException
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order
from shop.services import orders as orders_service

router = APIRouter()


@router.post("/login")
def login(name: str, session: SessionDep) -> Order:
    return orders_service.login(name, session)


@router.post("/wait")
def wait(name: str, session: SessionDep) -> Order:
    order = session.exec(select(Order).where(Order.owner == name)).first()
    if order is None:
        raise HTTPException(429, "Wait", headers={"Retry-After": name})
    order.total += 1
    session.add(order)
    session.commit()
    return order
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from fastapi import HTTPException
from sqlmodel import Session, select

from shop.models import Order


def login(name: str, session: Session) -> Order:
    order = session.exec(select(Order).where(Order.owner == name)).first()
    if order is None:
        raise HTTPException(401, "Who?", headers={"WWW-Authenticate": "Bearer"})
    order.total += 1
    session.add(order)
    session.commit()
    return order
""",
        },
        stopped=("shop/routers/orders.py:20",),
    ),
    Case(
        "a status that is set before an early return stops it",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Response
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, response: Response, session: SessionDep) -> Order:
    order = session.exec(select(Order).where(Order.note == data.note)).first()
    if order is not None:
        response.status_code = 200
        return order
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    return order
""",
        },
        stopped=("shop/routers/orders.py:14",),
    ),
    Case(
        "a response of its own in the middle stops it",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlmodel import select

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep):
    order = session.exec(select(Order).where(Order.note == data.note)).first()
    if order is not None:
        return JSONResponse({"id": order.id}, status_code=200)
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    return JSONResponse({"id": order.id}, status_code=201)
""",
        },
        stopped=("shop/routers/orders.py:15",),
    ),
    Case(
        "a name that is not there in every case stops it",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Response

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, response: Response, session: SessionDep) -> None:
    if data.lines:
        order = Order(note=data.note)
        session.add(order)
        session.commit()
    if data.lines:
        response.headers["X-Order"] = str(order.id)
""",
        },
        stopped=("shop/routers/orders.py:16",),
    ),
    Case(
        "a domain's own folder has its service; routers in folders have theirs beside the outermost",
        {
            **_SHOP,
            "shop/main.py": """\
from fastapi import FastAPI

from shop.api.v1 import reviews
from shop.orders import router

app = FastAPI()
app.include_router(router.router)
app.include_router(reviews.router)
""",
            "shop/orders/__init__.py": "",
            "shop/orders/router.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep) -> Order:
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    return order
""",
            "shop/api/__init__.py": "",
            "shop/api/v1/__init__.py": "",
            "shop/api/v1/reviews.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/reviews")
def create_review(data: OrderIn, session: SessionDep) -> Order:
    review = Order(note=data.note)
    session.add(review)
    session.commit()
    return review
""",
        },
        {
            "shop/api/v1/reviews.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn
from shop.services import reviews as reviews_service

router = APIRouter()


@router.post("/reviews")
def create_review(data: OrderIn, session: SessionDep) -> Order:
    return reviews_service.create_review(data, session)
""",
            "shop/orders/router.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn
from shop.orders import service

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep) -> Order:
    return service.create_order(data, session)
""",
            "shop/orders/service.py": """\
\"\"\"The business of orders.\"\"\"

from sqlmodel import Session

from shop.models import Order, OrderIn


def create_order(data: OrderIn, session: Session) -> Order:
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    return order
""",
            "shop/services/__init__.py": "",
            "shop/services/reviews.py": """\
\"\"\"The business of reviews.\"\"\"

from sqlmodel import Session

from shop.models import Order, OrderIn


def create_review(data: OrderIn, session: Session) -> Order:
    review = Order(note=data.note)
    session.add(review)
    session.commit()
    return review
""",
        },
    ),
    Case(
        "a domain's own folder among routers: its service is where the others are",
        {
            **_SHOP,
            "shop/main.py": """\
from fastapi import FastAPI

from shop.routes.orders import orders

app = FastAPI()
app.include_router(orders.router)
""",
            "shop/services/__init__.py": "",
            "shop/routes/__init__.py": "",
            "shop/routes/orders/__init__.py": "",
            "shop/routes/orders/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep) -> Order:
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    return order
""",
        },
        {
            "shop/routes/orders/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn
from shop.services import orders as orders_service

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep) -> Order:
    return orders_service.create_order(data, session)
""",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from sqlmodel import Session

from shop.models import Order, OrderIn


def create_order(data: OrderIn, session: Session) -> Order:
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    return order
""",
        },
    ),
    Case(
        "what only means the same in its own file stops it; small functions move along",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Request
from sqlmodel import Session

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn

router = APIRouter()
count = 0


def note_of(request: Request) -> str: ...


def number(data: OrderIn) -> int:
    return len(data.lines)


@router.post("/orders/counted")
def create_counted(data: OrderIn, session: SessionDep) -> Order:
    global count
    count += 1
    session.add(Order(note=data.note))
    session.commit()
    return Order(note=str(count))


@router.post("/orders/named")
def create_named(data: OrderIn, session: SessionDep) -> Order:
    session.add(Order(note=__name__))
    session.commit()
    return Order(note=data.note)


@router.post("/orders/noted")
def create_noted(data: OrderIn, request: Request, session: SessionDep) -> Order:
    order = Order(note=note_of(request))
    session.add(order)
    session.commit()
    return order


@router.post("/orders/again")
def create_again(data: OrderIn, session: SessionDep) -> Order:
    session.add(Order(note=data.note))
    session.commit()
    return create_named(data, session)


@router.post("/orders/short")
def create_short(data: OrderIn, session: SessionDep) -> Order:
    order = Order(note=data.note); session.add(order); session.commit()
    return order


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep, dry: bool = False) -> Order:
    order = Order(note=data.note, total=number(data))
    if not dry:
        session.add(order)
        session.commit()
    return order
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter, Request
from sqlmodel import Session

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn
from shop.services import orders as orders_service

router = APIRouter()
count = 0


def note_of(request: Request) -> str: ...


@router.post("/orders/counted")
def create_counted(data: OrderIn, session: SessionDep) -> Order:
    global count
    count += 1
    session.add(Order(note=data.note))
    session.commit()
    return Order(note=str(count))


@router.post("/orders/named")
def create_named(data: OrderIn, session: SessionDep) -> Order:
    session.add(Order(note=__name__))
    session.commit()
    return Order(note=data.note)


@router.post("/orders/noted")
def create_noted(data: OrderIn, request: Request, session: SessionDep) -> Order:
    order = Order(note=note_of(request))
    return orders_service.create_noted(session, order)


@router.post("/orders/again")
def create_again(data: OrderIn, session: SessionDep) -> Order:
    session.add(Order(note=data.note))
    session.commit()
    return create_named(data, session)


@router.post("/orders/short")
def create_short(data: OrderIn, session: SessionDep) -> Order:
    order = Order(note=data.note); session.add(order); session.commit()
    return order


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep, dry: bool = False) -> Order:
    return orders_service.create_order(data, session, dry)
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from sqlmodel import Session

from shop.models import Order, OrderIn


def create_noted(session: Session, order: Order) -> Order:
    session.add(order)
    session.commit()
    return order


def number(data: OrderIn) -> int:
    return len(data.lines)


def create_order(data: OrderIn, session: Session, dry: bool) -> Order:
    order = Order(note=data.note, total=number(data))
    if not dry:
        session.add(order)
        session.commit()
    return order
""",
        },
        stopped=(
            "shop/routers/orders.py:17",
            "shop/routers/orders.py:26",
            "shop/routers/orders.py:41",
            "shop/routers/orders.py:46",
        ),
    ),
    Case(
        "what tests patch is patched in the service",
        {
            **_SHOP,
            "shop/mail.py": """\
def send(note: str) -> None: ...
""",
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.mail import send
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep) -> Order:
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    send(order.note)
    return order
""",
            "tests/test_orders.py": """\
from unittest.mock import patch

from shop.routers import orders as routes


def test_order(monkeypatch):
    monkeypatch.setattr("shop.routers.orders.send", lambda note: None)
    monkeypatch.setattr(routes, "router", None)


@patch.object(routes, "send")
def test_mail(send): ...
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.models import Order, OrderIn
from shop.services import orders as orders_service

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep) -> Order:
    return orders_service.create_order(data, session)
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from sqlmodel import Session

from shop.mail import send
from shop.models import Order, OrderIn


def create_order(data: OrderIn, session: Session) -> Order:
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    send(order.note)
    return order
""",
            "tests/test_orders.py": """\
from unittest.mock import patch

from shop.routers import orders as routes
from shop.services import orders


def test_order(monkeypatch):
    monkeypatch.setattr("shop.services.orders.send", lambda note: None)
    monkeypatch.setattr(routes, "router", None)


@patch.object(orders, "send")
def test_mail(send): ...
""",
        },
    ),
    Case(
        "what tests patch stops it, where others in the file read it",
        {
            **_SHOP,
            "shop/mail.py": """\
def send(note: str) -> None: ...
""",
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.mail import send
from shop.models import Order, OrderIn

router = APIRouter()


@router.post("/orders")
def create_order(data: OrderIn, session: SessionDep) -> Order:
    order = Order(note=data.note)
    session.add(order)
    session.commit()
    send(order.note)
    return order


@router.get("/ping")
def ping() -> None:
    send("ping")
""",
            "tests/test_orders.py": """\
from unittest.mock import patch

from shop.routers import orders as routes


def test_order(monkeypatch):
    monkeypatch.setattr("shop.routers.orders.send", lambda note: None)
    monkeypatch.setattr(routes, "router", None)


@patch.object(routes, "send")
def test_mail(send): ...
""",
        },
        stopped=("shop/routers/orders.py:15",),
    ),
    Case(
        "a single statement that writes, with an answer that says nothing of it",
        {
            **_SHOP,
            "shop/routers/orders.py": """\
from fastapi import APIRouter
from sqlmodel import delete

from shop.dependencies import SessionDep
from shop.models import Order

router = APIRouter()


@router.delete("/orders")
def clear(session: SessionDep) -> dict[str, bool]:
    session.exec(delete(Order))
    return {"done": True}
""",
        },
        {
            "shop/routers/orders.py": """\
from fastapi import APIRouter

from shop.dependencies import SessionDep
from shop.services import orders as orders_service

router = APIRouter()


@router.delete("/orders")
def clear(session: SessionDep) -> dict[str, bool]:
    orders_service.clear(session)
    return {"done": True}
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from sqlmodel import Session, delete

from shop.models import Order


def clear(session: Session) -> None:
    session.exec(delete(Order))
""",
        },
    ),
)
