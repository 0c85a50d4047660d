"""What a fat endpoint decides moves into a service; the endpoint keeps HTTP.

The body of the endpoint becomes a function of the service module that goes with the router (`routers/orders.py`, `services/orders.py`), word
for word. What it reads becomes its parameters: the parsed body, the session, the user. Statements at the end that use the response, the request or
background tasks stay in the endpoint, with what they need returned to them. Parameters, status code and response stay as they are.

An `HTTPException` goes along; the recipe `domain-errors` turns it into an error of the application afterwards.

What the body reads of the router's own file (constants, small functions, classes) moves along first; schemas go to where schemas are.

Left alone, with the line: generators, bodies that use the request before the end, types that cannot be written in another file, and early
returns before statements that stay. Without a target, only what the rule `fat-endpoint` reports.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from posixpath import basename, dirname, join

import msgspec

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, Type
from fastwright.edit.builders import behind_imports, first_byte
from fastwright.edit.fix import Edit, Import
from fastwright.edit.move import Move, Part, Unmovable
from fastwright.edit.names import is_taken, module_level_imports
from fastwright.edit.reads import binds, reads
from fastwright.edit.source import indentation, line_start, next_line, text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.rules.architecture.fat_endpoint import weigh

_HTTP = ("fastapi.Request", "fastapi.responses.", "fastapi.BackgroundTasks", "fastapi.UploadFile",
         "fastapi.websockets.")  # fmt: skip
_ROUTERS = frozenset({"routers", "router", "routes", "api", "endpoints", "views", "controllers"})
_IMPORTS = (s.Import, s.ImportFrom)
_MOVABLE = (s.FunctionDef, s.ClassDef, s.Assign, s.AnnAssign, s.TypeAliasStmt)
_LOGGER = "logging.getLogger(__name__)"


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


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each fat endpoint."""
    for endpoint in app.endpoints:
        if not target.takes(endpoint) or endpoint.module.kind != "source":
            continue
        asked = target.name is not None
        if (asked or weigh(app, endpoint).is_fat) and not _is_thin(endpoint):
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
    return len(_statements(endpoint)) <= 1


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
        moved, kept = self._split()
        if len(moved) == 1 and isinstance(moved[0], (s.Assign, s.ExprStmt)):
            return None  # one call, and what HTTP makes of it
        path, exists = self._service()
        taken = self._app.modules.get(path)
        if taken is not None and is_taken(taken, node.name):
            raise _Stop(node, f"{path} has a {node.name} already")
        parameters, imports = self._parameters(moved, path)
        reads = [need for need in self._reads(moved, path) if need.needed is not None]
        results = self._results(moved, kept)
        stem = basename(path).removesuffix(".py")
        alias = stem if stem.endswith("service") else f"{stem}_service"
        if is_taken(self._module, alias):
            raise _Stop(node, f"{alias} means something else here")
        returned, of_return = self._returned(results, kept, path)
        function = self._function(moved, parameters, results, returned)
        edits = [self._replaced(moved, kept, alias, [name for name, _ in parameters], results)]
        new: dict[str, str] = {}
        if exists:
            end = len(self._app.modules[path].source)
            edits.append(Edit(path, end, end, f"\n\n{function}"))
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
        place = f"{self._module.path}:{self._module.line(node)}"
        return Proposal(
            title, tuple(edits), (used, *imports, *of_return, *needed), new, places=(place,)
        )

    # ------------------------------------------------------------ what is moved

    def _split(self) -> tuple[list[s.Stmt], list[s.Stmt]]:
        """Return the statements that move, and those at the end that speak HTTP."""
        speaking = self._http_names()
        first = len(self._statements)
        for number, statement in enumerate(self._statements):
            if any(isinstance(n, s.Name) and n.id in speaking for n in s.walk(statement)):
                first = number
                break
        moved, kept = self._statements[:first], self._statements[first:]
        if not moved:
            raise _Stop(self._statements[0], "uses the request or the response from the beginning")
        for statement in moved if kept else []:
            for node in s.walk_scope(statement):
                if isinstance(node, s.Return):
                    raise _Stop(node, "returns early, before statements that have to stay")
        for node in s.walk(*moved):
            if isinstance(node, s.Call) and s.last_name(node.func) in {"locals", "globals"}:
                raise _Stop(node, "looks at its own names")
        return moved, kept

    def _http_names(self) -> set[str]:
        found = set()
        for parameter in self._endpoint.parameters:
            kind = self._app.types.parameter(parameter, self._endpoint)
            if (
                isinstance(kind, Instance)
                and isinstance(kind.cls, str)
                and kind.cls.startswith(_HTTP)
            ):
                found.add(parameter.name)
        return found

    def _results(self, moved: list[s.Stmt], kept: list[s.Stmt]) -> list[str]:
        """Return the names that the moved code makes and the rest reads."""
        made = _left_behind(moved)
        read = [n.id for n in s.walk(*kept) if isinstance(n, s.Name)]
        return list(dict.fromkeys(name for name in read if name in made))

    # ------------------------------------------------------------ what it needs

    def _parameters(
        self, moved: list[s.Stmt], path: str
    ) -> tuple[list[tuple[str, str]], list[Import]]:
        """Return the parameters of the service with their types, and the imports for those."""
        read = {n.id for n in s.walk(*moved) if isinstance(n, s.Name)}
        found: list[tuple[str, str]] = []
        imports: list[Import] = []
        for parameter in self._endpoint.parameters:
            if parameter.name not in read:
                continue
            kind = self._app.types.parameter(parameter, self._endpoint)
            written, needed = self._type(parameter, kind, path)
            found.append((parameter.name, written))
            imports += needed
        return found, imports

    def _type(self, node: s.Parameter, kind: Type, path: str) -> tuple[str, list[Import]]:
        annotation = node.annotation
        if isinstance(annotation, s.Subscript) and s.last_name(annotation.value) == "Annotated":
            inner = annotation.slice
            annotation = inner.elts[0] if isinstance(inner, s.Tuple) else inner
        elif isinstance(annotation, s.Name) and isinstance(kind, Instance) and not kind.args:
            return self._class(node, kind, path)  # an alias, or the class itself
        if annotation is None:
            raise _Stop(node, f"{node.name} has no type")
        needed = [need for need in self._names([annotation], path) if need.needed is not None]
        return text(self._module, annotation), [n.needed for n in needed if n.needed is not None]

    def _returned(
        self, results: list[str], kept: list[s.Stmt], path: str
    ) -> tuple[str, list[Import]]:
        """Return `` -> Order`` where the endpoint says so and it can be written in the other file."""
        annotation = self._endpoint.node.returns
        if len(results) == 1:
            return self._made(results[0], kept, path)
        if results or annotation is None:
            return "", []
        try:
            needed = [need.needed for need in self._names([annotation], path)]
        except _Stop:
            return "", []
        return f" -> {text(self._module, annotation)}", [
            each for each in needed if each is not None
        ]

    def _made(self, name: str, kept: list[s.Stmt], path: str) -> tuple[str, list[Import]]:
        """Return the type of what the service makes, where it is one of the application's classes."""
        used = next(n for n in s.walk(*kept) if isinstance(n, s.Name) and n.id == name)
        kind = self._app.types.of(used, Where(self._module, self._endpoint))
        if not isinstance(kind, Instance) or not isinstance(kind.cls, Class) or kind.args:
            return "", []
        try:
            written, imports = self._class(self._endpoint.node, kind, path)
        except _Stop:
            return "", []
        return f" -> {written}", imports

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
            return kind.cls.name, [Import(path, kind.cls.module.name, kind.cls.name)]
        origin, _, name = kind.cls.rpartition(".")
        if origin in {"builtins", ""}:
            return name, []
        return name, [Import(path, origin, name)]

    def _reads(self, moved: list[s.Stmt], path: str) -> list[_Need]:
        own = _bound(moved) | {parameter.name for parameter in self._endpoint.parameters}
        return [need for need in self._names(moved, path) if need.name not in own]

    def _names(self, nodes: list[s.Stmt] | list[s.Expr], path: str) -> Iterator[_Need]:
        """Yield what code reads from its file. Raises _Stop for what the file defines itself."""
        bound = module_level_imports(self._module)
        own = _bound(self._statements) | {p.name for p in self._endpoint.parameters}
        seen: set[str] = set()
        for node in s.walk(*nodes):
            if not isinstance(node, s.Name) or node.id in seen or node.id in own:
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
        others = {n.id for n in s.walk(*self._split()[0]) if isinstance(n, s.Name)}
        wanted, waiting = set[int](), [name, *sorted(others & set(by_name) - loggers)]
        while waiting:
            number = by_name.get(waiting.pop())
            if number is None or number in wanted or isinstance(body[number], _IMPORTS):
                continue
            if not isinstance(body[number], _MOVABLE) or id(body[number]) in self._served:
                return None
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
        folder = dirname(folder) if basename(folder) in _ROUTERS else folder
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

    def _loggers_there(self, moved: list[s.Stmt], there: Module) -> Iterator[Edit]:
        for name in self._loggers(moved):
            if f"{name} = {_LOGGER}".encode() not in there.source:
                edit = behind_imports(there, f"{name} = {_LOGGER}")
                if edit is not None:
                    yield edit

    # ------------------------------------------------------------ where it goes

    def _service(self) -> tuple[str, bool]:
        """Return the path of the service module, and whether it is there."""
        folder, name = dirname(self._module.path), basename(self._module.path)
        if basename(folder) in _ROUTERS:
            parent = dirname(folder)
            path = join(parent, "services", name)
        else:
            stem = name.removesuffix(".py").removesuffix("_router").removesuffix("_routes")
            path = join(folder, f"{stem}_service.py" if stem != "main" else "service.py")
        return path, path in self._app.modules

    def _packages(self, path: str) -> dict[str, str]:
        """Return the `__init__.py` that a new folder needs, where its neighbours have one."""
        init = join(dirname(path), "__init__.py")
        neighbour = join(dirname(self._module.path), "__init__.py")
        return (
            {init: ""} if neighbour in self._app.modules and init not in self._app.modules else {}
        )

    def _domain(self) -> str:
        stem = basename(self._module.path).removesuffix(".py")
        return stem.replace("_", " ") if stem != "main" else "the endpoints"

    # ---------------------------------------------------------------- the texts

    def _function(
        self,
        moved: list[s.Stmt],
        parameters: list[tuple[str, str]],
        results: list[str],
        returned: str,
    ) -> str:
        node, source = self._endpoint.node, self._module.source
        start = line_start(source, first_byte(moved[0]))
        start = self._comments_above(start)
        end = next_line(source, max(moved[-1].end - 1, moved[-1].start))
        body = source[start:end].decode().rstrip("\r\n")
        inner = indentation(source, moved[0].start)
        given = ", ".join(f"{name}: {kind}" for name, kind in parameters)
        head = f"{'async ' if _awaits(moved) else ''}def {node.name}({given}){returned}:\n"
        tail = f"\n{inner}return {', '.join(results)}" if results else ""
        return f"{head}{body}{tail}\n"

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

    def _replaced(
        self,
        moved: list[s.Stmt],
        kept: list[s.Stmt],
        alias: str,
        given: list[str],
        results: list[str],
    ) -> Edit:
        """Return the edit that puts the call where the moved code was."""
        node, source = self._endpoint.node, self._module.source
        start = self._comments_above(line_start(source, first_byte(moved[0])))
        end = next_line(source, max(moved[-1].end - 1, moved[-1].start))
        call = f"{'await ' if _awaits(moved) else ''}{alias}.{node.name}({', '.join(given)})"
        if results:
            call = f"{', '.join(results)} = {call}"
        elif not kept:
            call = f"return {call}"
        line = f"{indentation(source, moved[0].start)}{call}\n"
        return Edit(self._module.path, start, end, line)


def _awaits(statements: list[s.Stmt]) -> bool:
    """Whether statements wait for anything: only then the function that they become is asynchronous."""
    return any(
        isinstance(node, s.Await)
        or (isinstance(node, (s.For, s.With)) and node.is_async)
        or (isinstance(node, s.Comp) and any(part.is_async for part in node.generators))
        for node in s.walk_scope(*statements)
    )


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
    summary="the business of fat endpoints in services",
    why="An endpoint that decides can only be tested and used through HTTP.",
    plan=plan,
    references=("https://fastapi.tiangolo.com/tutorial/bigger-applications/",),
)
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
import logging
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlmodel import Session

from shop.models import Order, OrderCreate, get_session
from shop.services import orders as orders_service

router = APIRouter()
logger = logging.getLogger(__name__)


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
)
