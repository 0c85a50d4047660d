"""An application in one file becomes a package: routers, services, schemas, models, dependencies.

The endpoints of `main.py` move to `routers/`, a file for each resource, from `@app.get` to `@router.get`, and `main.py` includes them
where they stood. Tables go to `models.py`, schemas to `schemas.py`, what `Depends` calls to `dependencies.py`, engine and base class to
`database.py`, settings and shared constants to `config.py`, exceptions to `errors.py`; other functions to `services/`, next to what uses
them. With `--by domain` each resource has a package of its own, with `router.py`, `service.py` and `schemas.py`. Every reference in the
project follows: imports, attributes, what tests patch, entry points. Comments and blank lines move with the code.

Split is a module that makes the application and holds endpoints of several resources beside tables or schemas, or endpoints of a resource
while those of others have routers that it includes: new routers come beside these. A smaller one is split where it is named. A path below
another's (`/projects/{key}/issues`) is about the innermost resource that has paths of its own; an endpoint whose resource has a router
elsewhere goes with those before it, so that routes keep their order. What reads the application itself stays in its file. Left alone, with the line: names that functions bind anew (`global`), star
imports, routes whose order would change where two of them match the same path, and names that tests patch and two new files read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from posixpath import basename, dirname, join

from fastwright.app.model import App
from fastwright.app.routes import Route
from fastwright.app.setup.result import Application
from fastwright.app.symbols import Class, External
from fastwright.edit.builders import first_byte
from fastwright.edit.fix import Edit, Import
from fastwright.edit.move import Move, Part, Unmovable
from fastwright.edit.reads import binds, reads, rebinds
from fastwright.edit.source import blank_lines, newline, next_line
from fastwright.read import syntax as s
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.shared.words import ROUTERS

_KINDS = (
    "config",
    "errors",
    "database",
    "models",
    "schemas",
    "services",
    "dependencies",
    "routers",
)
"""Lower ones know nothing of those behind them."""
_RANK = {kind: number for number, kind in enumerate(_KINDS)}
_DOCS = {
    "config": "Settings and constants.",
    "errors": "What can go wrong.",
    "database": "The database: engine and sessions.",
    "models": "The tables.",
    "schemas": "What requests and answers look like.",
    "dependencies": "What endpoints depend on.",
}
_DATABASE = frozenset(
    {"create_engine", "create_async_engine", "sessionmaker", "async_sessionmaker", "scoped_session",
     "declarative_base", "MetaData", "registry"}
)  # fmt: skip
_AUTH = frozenset({"login", "logout", "token", "register", "signup", "auth", "me", "password"})
_PREFIX = re.compile(r"api|rest|internal|public|v\d+(\.\d+)*")
_SHARED = "shared"
_GENERAL = "general"
_VERBS = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "trace", "api_route", "websocket",
     "websocket_route", "route"}
)  # fmt: skip
_RESOURCES = 2
_MOVABLE = (s.FunctionDef, s.ClassDef, s.Assign, s.AnnAssign, s.TypeAliasStmt)


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each file that is split."""
    for application in app.applications:
        module = application.module
        if not application.fastapi or application.function is not None:
            continue
        if module.kind != "source" or not target.holds(module.path):
            continue
        split = _Split(app, application, target)
        if split.endpoints and (target.file == module.path or split.is_mixed):
            try:
                yield split.proposal()
            except Unmovable as stop:
                yield Stopped(stop.place, stop.reason)


class _Split:
    """One file that is taken apart."""

    def __init__(self, app: App, application: Application, target: Target) -> None:
        self._app = app
        self._module = application.module
        self._by_domain = target.by == "domain"
        self._application = application
        self._name = application.name
        self._body = self._module.facts.body
        self._folder = dirname(self._module.path)

    # --------------------------------------------------------------- what is there

    @cached_property
    def endpoints(self) -> dict[int, list[tuple[s.Name, Route]]]:
        """The statements that are endpoints on the application by decorator: the decorators' names, and routes."""
        routes: dict[int, Route] = {id(route.node): route for route in self._app.routes}
        found: dict[int, list[tuple[s.Name, Route]]] = {}
        for number, statement in enumerate(self._body):
            if not isinstance(statement, s.FunctionDef):
                continue
            on_app = [_decorated(decorator, self._name) for decorator in statement.decorators]
            known = [
                (name, routes[id(decorator)])
                for name, decorator in zip(on_app, statement.decorators, strict=True)
                if name is not None and id(decorator) in routes
            ]
            if known and len(known) == sum(_names(d, self._name) for d in statement.decorators):
                found[number] = known
        return found

    @property
    def is_mixed(self) -> bool:
        """Whether it holds endpoints beside what others hold elsewhere.

        Endpoints of several resources beside tables or schemas; or those of a resource, while others have routers.
        """
        kinds = set(self._natural.values())
        if len(set(self._domains.values())) >= _RESOURCES and not kinds.isdisjoint(
            {"models", "schemas"}
        ):
            return True
        movable = {self._domains[number] for number in self.endpoints if number in self._places}
        return bool(movable - {_GENERAL}) and self._router_folder is not None

    @cached_property
    def _router_folder(self) -> str | None:
        """The folder of the routers that the application includes, where it is the same for all."""
        own = {id(record) for record in self._application.routes}
        modules = {
            route.module.path
            for route in self._app.routes
            if id(route.record) in own and route.module.path != self._module.path
        }
        folders = {dirname(path) for path in modules}
        folder = folders.pop() if len(folders) == 1 else self._folder
        return folder if folder != self._folder and basename(folder) in ROUTERS else None

    @cached_property
    def _domains(self) -> dict[int, str]:
        """The resource that each endpoint is about."""
        tops = {_resource(route, frozenset()) for route in self._app.routes}
        found = {number: _resource(routes[0][1], tops) for number, routes in self.endpoints.items()}
        found = self._with_neighbours(found)
        counts = {name: list(found.values()).count(name) for name in found.values()}
        return {
            number: name if counts[name] > 1 or name == "auth" else _GENERAL
            for number, name in found.items()
        }

    def _with_neighbours(self, found: Mapping[int, str]) -> dict[int, str]:
        """Put endpoints of a resource that has a router elsewhere to those before, or behind, them."""
        taken = {name for name in found.values() if self._router_path(name) in self._app.modules}
        result = dict(found)
        for number, name in found.items():
            if name in taken:
                others = [n for n, other in found.items() if other not in taken]
                counted = [n for n in others if list(found.values()).count(found[n]) > 1]
                if counted:
                    before = [n for n in counted if n < number]
                    result[number] = found[before[-1] if before else counted[0]]
        return result

    def _router_path(self, domain: str) -> str:
        return join(self._router_folder or join(self._folder, "routers"), f"{domain}.py")

    @cached_property
    def _natural(self) -> dict[int, str]:
        """What a statement is, where that says where it goes."""
        found = {}
        for number, statement in enumerate(self._body):
            kind = self._kind(number, statement)
            if kind is not None:
                found[number] = kind
        return found

    def _kind(self, number: int, statement: s.Stmt) -> str | None:
        if number in self.endpoints:
            return "routers"
        if isinstance(statement, s.ClassDef):
            return self._class_kind(statement)
        if isinstance(statement, s.FunctionDef):
            return "dependencies" if id(statement) in self._provided else None
        if isinstance(statement, (s.Assign, s.AnnAssign)) and statement.value is not None:
            called = {s.last_name(n) for n in s.walk(statement.value) if isinstance(n, s.Call)}
            if called & _DATABASE:
                return "database"
            if "Depends" in called or "Security" in called:
                return "dependencies"
            if self._is_setting(statement.value):
                return "config"
        return None

    def _class_kind(self, statement: s.ClassDef) -> str | None:
        cls = self._app.linker.scope(self._module).names.get(statement.name)
        if not isinstance(cls, Class) or cls.node is not statement:
            return None
        if any(cls.node is base.node for base in self._bases_of_tables):
            return "models"
        if any(schema.cls.node is statement for schema in self._app.settings):
            return "config"
        if self._app.models.schema(cls) is not None:
            return "schemas"
        names = {b.name for b in self._app.linker.mro(cls) if isinstance(b, External)}
        if any(name.endswith("DeclarativeBase") for name in names):
            return "database"
        if any(name.endswith(("Exception", "Error")) for name in names):
            return "errors"
        return "dependencies" if id(statement) in self._provided else None

    @cached_property
    def _bases_of_tables(self) -> list[Class]:
        """The tables, and the classes that they inherit fields from."""
        return [
            cls
            for table in self._app.tables
            for cls in self._app.linker.mro(table.cls)
            if isinstance(cls, Class)
            and (cls.node is table.cls.node or self._app.models.schema(cls) is not None)
        ]

    @cached_property
    def _provided(self) -> set[int]:
        """The functions, and classes, that routes depend on."""
        found = set()
        for route in self._app.routes:
            for dependency in route.all_dependencies():
                if dependency.function is not None:
                    found.add(id(dependency.function.node))
                    if dependency.function.owner is not None:
                        found.add(id(dependency.function.owner.node))
        return found

    def _is_setting(self, value: s.Expr) -> bool:
        """``Settings()``, ``os.environ["X"]``, ``os.getenv("X", "")``."""
        names = {
            self._module.qualify(n) for n in s.walk(value) if isinstance(n, (s.Name, s.Attribute))
        }
        settings = {schema.cls.name for schema in self._app.settings}
        return bool(names & {"os.environ", "os.getenv"}) or bool(names & settings)

    # ------------------------------------------------------------- where it goes

    @cached_property
    def _read(self) -> list[set[str]]:
        """What each statement reads, of what this file binds."""
        own = {name for statement in self._body for name in binds(statement)}
        imported = set(self._module.imported)
        return [
            {read.name for read in reads(statement)} & (own - imported) - binds(statement)
            if number not in self.endpoints
            else self._read_by_endpoint(statement) & (own - imported)
            for number, statement in enumerate(self._body)
        ]

    def _read_by_endpoint(self, statement: s.Stmt) -> set[str]:
        """Return what an endpoint reads but for the application in its decorators."""
        names = {id(name) for routes in self.endpoints.values() for name, _ in routes}
        found = {read.name for read in reads(statement)}
        others = {
            node.id
            for node in s.walk(statement)
            if isinstance(node, s.Name) and id(node) not in names
        }
        return (found & others) | {read.name for read in reads(statement) if read.in_text}

    @cached_property
    def _staying(self) -> set[int]:
        """The statements that stay: the application, what is run on import, and what reads such things."""
        anew = {name for statement in self._body for name in rebinds(statement)}
        stays = {
            number
            for number, statement in enumerate(self._body)
            if self._is_fixed(statement) or binds(statement) & anew
        }
        names = {name for n in stays if not self._is_logger(n) for name in binds(self._body[n])}
        names -= set(self._module.imported)
        while grown := {n for n, read in enumerate(self._read) if n not in stays and read & names}:
            stays |= grown
            names |= {name for number in grown for name in binds(self._body[number])}
        return stays

    def _is_fixed(self, statement: s.Stmt) -> bool:
        """Whether a statement only means the same in this file."""
        bound, text = binds(statement), self._text(statement)
        return (
            not isinstance(statement, _MOVABLE)
            or not bound
            or not bound.isdisjoint({self._name, "__all__"})
            or b"__file__" in text
            or b"__name__" in text
        )

    def _is_logger(self, number: int) -> bool:
        """``logger = logging.getLogger(__name__)``: each file has its own."""
        return b"getLogger(__name__)" in self._text(self._body[number])

    def _text(self, statement: s.Stmt) -> bytes:
        return self._module.source[first_byte(statement) : statement.end]

    @cached_property
    def _places(self) -> dict[int, tuple[str, str]]:
        """The kind and resource of each statement that moves; users before what they use."""
        found: dict[int, tuple[str, str]] = {}
        for number in self._users_first:
            if number in self._staying:
                continue
            place = self._place(number, found)
            if place is not None:
                found[number] = place
        return found

    @cached_property
    def _users_first(self) -> list[int]:
        """The statements in an order in which what is read comes behind what reads it."""
        by_name = {
            name: number for number, statement in enumerate(self._body) for name in binds(statement)
        }
        done: set[int] = set()
        order: list[int] = []

        def visit(number: int) -> None:
            if number in done:
                return
            done.add(number)
            for name in sorted(self._read[number]):
                visit(by_name[name])
            order.append(number)

        for number in range(len(self._body)):
            visit(number)
        return order[::-1]

    def _place(self, number: int, found: Mapping[int, tuple[str, str]]) -> tuple[str, str] | None:
        kind = self._natural.get(number)
        if kind == "routers":
            return kind, self._domains[number]
        bound = binds(self._body[number])
        users = {found[n] for n in found if self._read[n] & bound}
        outside = any(self._read[n] & bound for n in self._staying)
        if kind == "schemas" and self._by_domain:
            domains = {domain for _, domain in users}
            return kind, next(iter(domains)) if len(domains) == 1 else ""
        if kind is not None:
            lowest = min((user for user in users), key=_rank, default=(kind, ""))
            return lowest if _RANK[lowest[0]] < _RANK[kind] else (kind, "")
        if not users:
            return None
        return self._by_use(number, users, outside=outside)

    def _by_use(
        self, number: int, users: set[tuple[str, str]], *, outside: bool
    ) -> tuple[str, str]:
        """Return the place of a function, class or constant: as near to what uses it as can be."""
        is_code = isinstance(self._body[number], (s.FunctionDef, s.ClassDef))
        lowest = min(users, key=_rank)
        if _RANK[lowest[0]] < _RANK["services"]:
            plain = not is_code and len(users) > 1 and not self._read[number]
            return ("config", "") if plain else lowest
        if not is_code and len(users) == 1 and not outside:
            return lowest
        if not is_code and not self._read[number]:
            return "config", ""
        domains = {domain or _SHARED for _, domain in users}
        domain = next(iter(domains)) if len(domains) == 1 else _SHARED
        return "services", domain

    # --------------------------------------------------------------------- parts

    def _part(self, kind: str, domain: str) -> Part:
        path = self._path(kind, domain)
        name = self._app.index.name(path)
        words = domain.replace("_", " ")
        if kind == "routers":
            doc = f"The routes of {words}."
            return Part(
                path, name, doc, "router = APIRouter()", (("fastapi", "APIRouter"),),
                frozenset({"router"}),
            )  # fmt: skip
        if kind == "services":
            doc = (
                "What several parts of the application do."
                if domain == _SHARED
                else f"The business of {words}."
            )
            return Part(path, name, doc)
        return Part(path, name, _DOCS[kind])

    def _path(self, kind: str, domain: str) -> str:
        if self._by_domain and domain:
            single = {"routers": "router", "services": "service"}.get(kind, kind)
            path = join(self._folder, domain, f"{single}.py")
        elif kind == "routers":
            path = self._router_path(domain)
        elif kind == "services":
            path = join(self._folder, kind, f"{domain}.py")
        else:
            path = join(self._folder, f"{kind}.py")
        return self._free(path, new=kind == "routers")

    def _free(self, path: str, *, new: bool) -> str:
        """Return a path; of a router, and where there is a folder of that name, one that is free."""
        package = f"{path.removesuffix('.py')}/__init__.py"
        stem = path.removesuffix(".py")
        if package in self._app.modules:
            return f"{stem}/base.py"
        return f"{stem}_routes.py" if new and path in self._app.modules else path

    # ------------------------------------------------------------------ the change

    def proposal(self) -> Proposal:
        """Return the change. Raises Unmovable."""
        parts = {place: self._part(*place) for place in sorted(set(self._places.values()))}
        taken = {number: parts[place].path for number, place in self._places.items()}
        inner = [
            Edit(self._module.path, name.start, name.end, "router")
            for number, routes in self.endpoints.items()
            if number in taken
            for name, _ in routes
        ]
        tables = {id(table.cls.node) for table in self._app.tables}
        registered = [n for n, statement in enumerate(self._body) if id(statement) in tables]
        move = Move(self._app.modules, self._module, parts.values(), taken, inner, registered)
        routers = self._routers(parts)
        if not routers:
            raise Unmovable(self._module.path, "its endpoints read what stays in the file")
        self._check_order(taken)
        others = {"pyproject.toml": self._app.read_file("pyproject.toml") or b""}
        moved = move.made(
            {path: text.decode(errors="replace") for path, text in others.items() if text}
        )
        edits, imports = list(moved.edits), list(moved.imports)
        edits.append(self._included(routers, taken, imports))
        self._check_registered(parts, routers, move)
        new = {**moved.new, **self._packages(moved.new)}
        title = f"{self._module.path} becomes {len(moved.new)} modules"
        return Proposal(
            title, tuple(edits), tuple(imports), new, places=(f"{self._module.path}:1",)
        )

    def _routers(self, parts: Mapping[tuple[str, str], Part]) -> list[Part]:
        """Return the modules of the routers, in the order of their first route."""
        order = [self._places[n] for n in sorted(self._places) if n in self.endpoints]
        return [parts[place] for place in dict.fromkeys(order)]

    def _included(
        self, routers: list[Part], taken: Mapping[int, str], imports: list[Import]
    ) -> Edit:
        """Return the edit that includes the routers where the last of their endpoints stood."""
        source, end = self._module.source, newline(self._module.source)
        last = self._body[max(number for number in taken if number in self.endpoints)]
        lines = []
        for part in routers:
            parent, _, name = part.name.rpartition(".")
            if self._by_domain:
                alias = f"{parent.rpartition('.')[2]}_router"
                imports.append(Import(self._module.path, part.name, "router", alias))
                lines.append(f"{self._name}.include_router({alias}){end}")
                continue
            if name in self._left_here:
                alias = f"{name}_router"
                imports.append(Import(self._module.path, part.name, "router", alias))
                lines.append(f"{self._name}.include_router({alias}){end}")
                continue
            imports.append(Import(self._module.path, parent, name))
            lines.append(f"{self._name}.include_router({name}.router){end}")
        offset = blank_lines(source, next_line(source, last.end - 1))
        blank = next((2 * end for each in self._body if first_byte(each) >= offset), "")
        return Edit(self._module.path, offset, offset, "".join(lines) + blank)

    @cached_property
    def _left_here(self) -> set[str]:
        """The names that mean something in what stays, imports included."""
        left = [statement for n, statement in enumerate(self._body) if n not in self._places]
        return {name for each in left for name in (*binds(each), *(r.name for r in reads(each)))}

    def _check_registered(
        self, parts: Mapping[tuple[str, str], Part], routers: list[Part], move: Move
    ) -> None:
        """Raise Unmovable where a new module with tables would not be imported when the application is."""
        needs = move.needs()
        seen: set[str] = set()
        waiting = [part.path for part in routers] + list(needs[self._module.path])
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen.add(path)
                waiting += needs.get(path, ())
        for (kind, _), part in parts.items():
            if kind in {"models", "database"} and part.path not in seen:
                raise Unmovable(self._module.path, f"nothing would import {part.path}")

    def _packages(self, new: Mapping[str, str]) -> dict[str, str]:
        """Return the `__init__.py` that new folders need, where their neighbours have one."""
        if join(self._folder, "__init__.py") not in self._app.modules:
            return {}
        inits = {join(dirname(path), "__init__.py") for path in new}
        return {init: "" for init in sorted(inits) if init not in self._app.modules}

    def _check_order(self, taken: Mapping[int, str]) -> None:
        """Raise Unmovable where a route would come before one that it came behind, and that takes its requests."""
        order: list[tuple[tuple[int, int, int], Route]] = []
        numbers = [number for number in taken if number in self.endpoints]
        place = self._body[max(numbers)].start
        first = list(dict.fromkeys(taken[number] for number in sorted(numbers)))
        moved = {id(r.record): n for n in numbers for _, r in self.endpoints[n]}
        for route in self._app.routes:
            number = moved.get(id(route.record))
            if number is not None:
                key = (place, first.index(taken[number]), self._body[number].start)
            else:
                key = (self._offset(route), 0, 0)
            order.append((key, route))
        for behind, (key, route) in enumerate(order):
            for before_key, before in order[:behind]:
                if (
                    key < before_key
                    and _meet(route, before)
                    and (id(route.record) in moved or id(before.record) in moved)
                ):
                    where = f"{route.module.path}:{route.module.line(route.node)}"
                    raise Unmovable(where, f"{route.label} would come before {before.label}")

    def _offset(self, route: Route) -> int:
        """Return where this file declares or includes a route; before everything for others."""
        nodes = [layer.node for layer in route.record.inherited if layer.module is self._module]
        nodes += [route.node] if route.module is self._module else []
        offsets = [node.start for node in nodes if self._is_top(node)]
        return max(offsets, default=-1)

    def _is_top(self, node: s.Node) -> bool:
        return any(first_byte(each) <= node.start < each.end for each in self._body)


def _rank(place: tuple[str, str]) -> tuple[int, str]:
    return _RANK[place[0]], place[1]


def _decorated(decorator: s.Expr, name: str) -> s.Name | None:
    """Return the name in ``@app.get(...)``."""
    if isinstance(decorator, s.Call) and isinstance(decorator.func, s.Attribute):
        value = decorator.func.value
        if isinstance(value, s.Name) and value.id == name and decorator.func.attr in _VERBS:
            return value
    return None


def _names(decorator: s.Expr, name: str) -> bool:
    return any(isinstance(node, s.Name) and node.id == name for node in s.walk(decorator))


def _resource(route: Route, tops: Collection[str]) -> str:
    """Return what a route is about, as the name of a module.

    ``/projects/{key}/issues`` is about issues, where these have paths of their own (``tops``).
    """
    if route.tags:
        return _identifier(route.tags[0])
    segments = [each for each in route.path.split("/") if each and not _PREFIX.fullmatch(each)]
    plain = [each for each in segments if not each.startswith("{")]
    if not plain:
        return _GENERAL
    if plain[0] in _AUTH:
        return "auth"
    nested = [
        each
        for before, each in pairwise(segments)
        if before.startswith("{") and _identifier(each) in tops
    ]
    return _identifier(nested[-1] if nested else plain[0])


def _identifier(words: str) -> str:
    found = re.sub(r"\W+", "_", words).strip("_").lower()
    return found if found and not found[0].isdigit() else _GENERAL


def _meet(one: Route, other: Route) -> bool:
    """Whether two routes take the same requests."""
    if one.methods and other.methods and not set(one.methods) & set(other.methods):
        return False
    left, right = one.path.split("/"), other.path.split("/")
    for a, b in zip(left, right):  # noqa: B905 - one may go on behind a path that takes the rest
        if a.endswith(":path}") or b.endswith(":path}"):
            return True
        if a != b and "{" not in a and "{" not in b:
            return False
    return len(left) == len(right)


RECIPE = Recipe(
    summary="one-file applications in modules",
    why="A file that holds everything is changed by everybody at once, and nobody finds anything in it.",
    plan=plan,
    references=("https://fastapi.tiangolo.com/tutorial/bigger-applications/",),
)
CASES = (
    Case(
        "a file becomes modules, by what things are",
        {
            "shop/__init__.py": "",
            "shop/main.py": """\
\"\"\"A small shop.\"\"\"

import logging
import os
from decimal import Decimal

from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Field, Relationship, Session, SQLModel, create_engine, select

logger = logging.getLogger(__name__)

VAT = Decimal("0.2")

engine = create_engine(os.getenv("DATABASE_URL", "sqlite:///shop.db"))


class ProductBase(SQLModel):
    name: str
    price: Decimal


class Product(ProductBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    orders: list["Order"] = Relationship(back_populates="product")


class ProductCreate(ProductBase):
    pass


# SHOP-7: one product each, for now
class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    product_id: int = Field(foreign_key="product.id")
    product: Product = Relationship(back_populates="orders")


class OrderCreate(SQLModel):
    product_id: int


def get_session():
    with Session(engine) as session:
        yield session


def with_vat(price: Decimal) -> Decimal:
    return price * (1 + VAT)


app = FastAPI()


@app.get("/products")
def list_products(session: Session = Depends(get_session)) -> list[Product]:
    return list(session.exec(select(Product)).all())


@app.post("/products", status_code=201)
def create_product(data: ProductCreate, session: Session = Depends(get_session)) -> Product:
    product = Product.model_validate(data)
    product.price = with_vat(product.price)
    session.add(product)
    session.commit()
    return product


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/orders", status_code=201)
def create_order(data: OrderCreate, session: Session = Depends(get_session)) -> Order:
    if session.get(Product, data.product_id) is None:
        raise HTTPException(404, "no such product")
    order = Order(product_id=data.product_id)
    session.add(order)
    session.commit()
    logger.info("order %s", order.id)
    return order


@app.get("/orders/{order_id}")
def read_order(order_id: int, session: Session = Depends(get_session)) -> Order:
    return session.get_one(Order, order_id)


@app.exception_handler(KeyError)
def on_key_error(request, error):
    raise error
""",
        },
        {
            "shop/main.py": """\
\"\"\"A small shop.\"\"\"

from fastapi import FastAPI

from shop.routers import general, orders, products

app = FastAPI()


app.include_router(products.router)
app.include_router(general.router)
app.include_router(orders.router)


@app.exception_handler(KeyError)
def on_key_error(request, error):
    raise error
""",
            "shop/database.py": """\
\"\"\"The database: engine and sessions.\"\"\"

import os

from sqlmodel import create_engine

engine = create_engine(os.getenv("DATABASE_URL", "sqlite:///shop.db"))
""",
            "shop/dependencies.py": """\
\"\"\"What endpoints depend on.\"\"\"

from sqlmodel import Session

from shop.database import engine


def get_session():
    with Session(engine) as session:
        yield session
""",
            "shop/models.py": """\
\"\"\"The tables.\"\"\"

from decimal import Decimal

from sqlmodel import Field, Relationship, SQLModel


class ProductBase(SQLModel):
    name: str
    price: Decimal


class Product(ProductBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    orders: list["Order"] = Relationship(back_populates="product")


# SHOP-7: one product each, for now
class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    product_id: int = Field(foreign_key="product.id")
    product: Product = Relationship(back_populates="orders")
""",
            "shop/routers/general.py": """\
\"\"\"The routes of general.\"\"\"

from fastapi import APIRouter

router = APIRouter()


@router.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
""",
            "shop/routers/orders.py": """\
\"\"\"The routes of orders.\"\"\"

import logging

from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import Session

from shop.dependencies import get_session
from shop.models import Order, Product
from shop.schemas import OrderCreate

logger = logging.getLogger(__name__)
router = APIRouter()


@router.post("/orders", status_code=201)
def create_order(data: OrderCreate, session: Session = Depends(get_session)) -> Order:
    if session.get(Product, data.product_id) is None:
        raise HTTPException(404, "no such product")
    order = Order(product_id=data.product_id)
    session.add(order)
    session.commit()
    logger.info("order %s", order.id)
    return order


@router.get("/orders/{order_id}")
def read_order(order_id: int, session: Session = Depends(get_session)) -> Order:
    return session.get_one(Order, order_id)
""",
            "shop/routers/products.py": """\
\"\"\"The routes of products.\"\"\"

from fastapi import APIRouter, Depends
from sqlmodel import Session, select

from shop.dependencies import get_session
from shop.models import Product
from shop.schemas import ProductCreate
from shop.services.products import with_vat

router = APIRouter()


@router.get("/products")
def list_products(session: Session = Depends(get_session)) -> list[Product]:
    return list(session.exec(select(Product)).all())


@router.post("/products", status_code=201)
def create_product(data: ProductCreate, session: Session = Depends(get_session)) -> Product:
    product = Product.model_validate(data)
    product.price = with_vat(product.price)
    session.add(product)
    session.commit()
    return product
""",
            "shop/schemas.py": """\
\"\"\"What requests and answers look like.\"\"\"

from sqlmodel import SQLModel

from shop.models import ProductBase


class ProductCreate(ProductBase):
    pass


class OrderCreate(SQLModel):
    product_id: int
""",
            "shop/services/products.py": """\
\"\"\"The business of products.\"\"\"

from decimal import Decimal

VAT = Decimal("0.2")


def with_vat(price: Decimal) -> Decimal:
    return price * (1 + VAT)
""",
            "shop/routers/__init__.py": "",
            "shop/services/__init__.py": "",
        },
    ),
    Case(
        "a package for each resource",
        {
            "main.py": """\
\"\"\"A small shop.\"\"\"

import logging
import os
from decimal import Decimal

from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Field, Relationship, Session, SQLModel, create_engine, select

logger = logging.getLogger(__name__)

VAT = Decimal("0.2")

engine = create_engine(os.getenv("DATABASE_URL", "sqlite:///shop.db"))


class ProductBase(SQLModel):
    name: str
    price: Decimal


class Product(ProductBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    orders: list["Order"] = Relationship(back_populates="product")


class ProductCreate(ProductBase):
    pass


# SHOP-7: one product each, for now
class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    product_id: int = Field(foreign_key="product.id")
    product: Product = Relationship(back_populates="orders")


class OrderCreate(SQLModel):
    product_id: int


def get_session():
    with Session(engine) as session:
        yield session


def with_vat(price: Decimal) -> Decimal:
    return price * (1 + VAT)


app = FastAPI()


@app.get("/products")
def list_products(session: Session = Depends(get_session)) -> list[Product]:
    return list(session.exec(select(Product)).all())


@app.post("/products", status_code=201)
def create_product(data: ProductCreate, session: Session = Depends(get_session)) -> Product:
    product = Product.model_validate(data)
    product.price = with_vat(product.price)
    session.add(product)
    session.commit()
    return product


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/orders", status_code=201)
def create_order(data: OrderCreate, session: Session = Depends(get_session)) -> Order:
    if session.get(Product, data.product_id) is None:
        raise HTTPException(404, "no such product")
    order = Order(product_id=data.product_id)
    session.add(order)
    session.commit()
    logger.info("order %s", order.id)
    return order


@app.get("/orders/{order_id}")
def read_order(order_id: int, session: Session = Depends(get_session)) -> Order:
    return session.get_one(Order, order_id)


@app.exception_handler(KeyError)
def on_key_error(request, error):
    raise error
""",
        },
        {
            "main.py": """\
\"\"\"A small shop.\"\"\"

from fastapi import FastAPI

from general.router import router as general_router
from orders.router import router as orders_router
from products.router import router as products_router

app = FastAPI()


app.include_router(products_router)
app.include_router(general_router)
app.include_router(orders_router)


@app.exception_handler(KeyError)
def on_key_error(request, error):
    raise error
""",
            "database.py": """\
\"\"\"The database: engine and sessions.\"\"\"

import os

from sqlmodel import create_engine

engine = create_engine(os.getenv("DATABASE_URL", "sqlite:///shop.db"))
""",
            "dependencies.py": """\
\"\"\"What endpoints depend on.\"\"\"

from sqlmodel import Session

from database import engine


def get_session():
    with Session(engine) as session:
        yield session
""",
            "models.py": """\
\"\"\"The tables.\"\"\"

from decimal import Decimal

from sqlmodel import Field, Relationship, SQLModel


class ProductBase(SQLModel):
    name: str
    price: Decimal


class Product(ProductBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    orders: list["Order"] = Relationship(back_populates="product")


# SHOP-7: one product each, for now
class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    product_id: int = Field(foreign_key="product.id")
    product: Product = Relationship(back_populates="orders")
""",
            "general/router.py": """\
\"\"\"The routes of general.\"\"\"

from fastapi import APIRouter

router = APIRouter()


@router.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
""",
            "orders/router.py": """\
\"\"\"The routes of orders.\"\"\"

import logging

from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import Session

from dependencies import get_session
from models import Order, Product
from orders.schemas import OrderCreate

logger = logging.getLogger(__name__)
router = APIRouter()


@router.post("/orders", status_code=201)
def create_order(data: OrderCreate, session: Session = Depends(get_session)) -> Order:
    if session.get(Product, data.product_id) is None:
        raise HTTPException(404, "no such product")
    order = Order(product_id=data.product_id)
    session.add(order)
    session.commit()
    logger.info("order %s", order.id)
    return order


@router.get("/orders/{order_id}")
def read_order(order_id: int, session: Session = Depends(get_session)) -> Order:
    return session.get_one(Order, order_id)
""",
            "products/router.py": """\
\"\"\"The routes of products.\"\"\"

from fastapi import APIRouter, Depends
from sqlmodel import Session, select

from dependencies import get_session
from models import Product
from products.schemas import ProductCreate
from products.service import with_vat

router = APIRouter()


@router.get("/products")
def list_products(session: Session = Depends(get_session)) -> list[Product]:
    return list(session.exec(select(Product)).all())


@router.post("/products", status_code=201)
def create_product(data: ProductCreate, session: Session = Depends(get_session)) -> Product:
    product = Product.model_validate(data)
    product.price = with_vat(product.price)
    session.add(product)
    session.commit()
    return product
""",
            "orders/schemas.py": """\
\"\"\"What requests and answers look like.\"\"\"

from sqlmodel import SQLModel


class OrderCreate(SQLModel):
    product_id: int
""",
            "products/schemas.py": """\
\"\"\"What requests and answers look like.\"\"\"

from models import ProductBase


class ProductCreate(ProductBase):
    pass
""",
            "products/service.py": """\
\"\"\"The business of products.\"\"\"

from decimal import Decimal

VAT = Decimal("0.2")


def with_vat(price: Decimal) -> Decimal:
    return price * (1 + VAT)
""",
        },
        target=Target(by="domain"),
    ),
    Case(
        "references follow: imports, attributes, `__all__`, patches, entry points",
        {
            "shop/__init__.py": """\
from shop.main import Item, app, total

__all__ = ["Item", "app", "total"]
""",
            "shop/main.py": """\
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str


RATES = {"EUR": 1}
__all__ = ["app", "total"]


def rate(currency: str) -> int:
    return RATES[currency]


def total(items: list[Item], currency: str) -> int:
    return len(items) * rate(currency)


def serve() -> None:
    print(total([], "EUR"))


@app.post("/items")
def add_item(item: Item) -> int:
    return total([item], "EUR")


@app.post("/items/all")
def add_items(items: list[Item]) -> int:
    return total(items, "EUR")


@app.get("/users")
def users() -> list[str]:
    return []


@app.get("/users/{name}")
def user(name: str) -> str:
    return name
""",
            "shop/jobs.py": """\
from . import main


def run() -> int:
    from .main import Item, total

    return total([Item(name="a")], "EUR") + main.rate("EUR")
""",
            "tests/test_items.py": """\
from unittest.mock import patch

import shop.main


def test_total(monkeypatch):
    monkeypatch.setattr("shop.main.rate", lambda currency: 2)
    monkeypatch.setitem(shop.main.RATES, "USD", 2)
    with patch.object(shop.main, "rate"):
        assert shop.main.total([], "USD") == 0
""",
            "pyproject.toml": """\
[project]
name = "shop"

[project.scripts]
shop = "shop.main:serve"
""",
        },
        {
            "shop/__init__.py": """\
from shop.main import app
from shop.schemas import Item
from shop.services.items import total

__all__ = ["Item", "app", "total"]
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.routers import items, users
from shop.services.items import total

app = FastAPI()


__all__ = ["app", "total"]


def serve() -> None:
    print(total([], "EUR"))


app.include_router(items.router)
app.include_router(users.router)
""",
            "shop/jobs.py": """\
from .services.items import rate


def run() -> int:
    from .schemas import Item
    from .services.items import total

    return total([Item(name="a")], "EUR") + rate("EUR")
""",
            "tests/test_items.py": """\
from unittest.mock import patch

import shop.main
import shop.services.items
from shop.services.items import RATES, total


def test_total(monkeypatch):
    monkeypatch.setattr("shop.services.items.rate", lambda currency: 2)
    monkeypatch.setitem(RATES, "USD", 2)
    with patch.object(shop.services.items, "rate"):
        assert total([], "USD") == 0
""",
            "shop/routers/items.py": """\
\"\"\"The routes of items.\"\"\"

from fastapi import APIRouter

from shop.schemas import Item
from shop.services.items import total

router = APIRouter()


@router.post("/items")
def add_item(item: Item) -> int:
    return total([item], "EUR")


@router.post("/items/all")
def add_items(items: list[Item]) -> int:
    return total(items, "EUR")
""",
            "shop/routers/users.py": """\
\"\"\"The routes of users.\"\"\"

from fastapi import APIRouter

router = APIRouter()


@router.get("/users")
def users() -> list[str]:
    return []


@router.get("/users/{name}")
def user(name: str) -> str:
    return name
""",
            "shop/schemas.py": """\
\"\"\"What requests and answers look like.\"\"\"

from pydantic import BaseModel


class Item(BaseModel):
    name: str
""",
            "shop/services/items.py": """\
\"\"\"The business of items.\"\"\"

from shop.schemas import Item

RATES = {"EUR": 1}


def rate(currency: str) -> int:
    return RATES[currency]


def total(items: list[Item], currency: str) -> int:
    return len(items) * rate(currency)
""",
            "shop/routers/__init__.py": "",
            "shop/services/__init__.py": "",
        },
    ),
    Case(
        "a name that is bound anew stays, and what reads it",
        {
            "main.py": """\
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str


count = 0


@app.post("/items")
def add_item(item: Item) -> int:
    global count
    count += 1
    return count


@app.get("/items")
def items() -> int:
    return count


@app.get("/users")
def users() -> list[str]:
    return []


@app.get("/users/{name}")
def user(name: str) -> str:
    return name
""",
        },
        {
            "main.py": """\
from fastapi import FastAPI

from routers import users
from schemas import Item

app = FastAPI()


count = 0


@app.post("/items")
def add_item(item: Item) -> int:
    global count
    count += 1
    return count


@app.get("/items")
def items() -> int:
    return count


app.include_router(users.router)
""",
            "routers/users.py": """\
\"\"\"The routes of users.\"\"\"

from fastapi import APIRouter

router = APIRouter()


@router.get("/users")
def users() -> list[str]:
    return []


@router.get("/users/{name}")
def user(name: str) -> str:
    return name
""",
            "schemas.py": """\
\"\"\"What requests and answers look like.\"\"\"

from pydantic import BaseModel


class Item(BaseModel):
    name: str
""",
        },
    ),
    Case(
        "a route would take the requests of another",
        {
            "main.py": """\
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str


@app.get("/items/{item_id}")
def item(item_id: str) -> str:
    return item_id


@app.get("/users/me")
def me() -> str:
    return "me"


@app.get("/{kind}/{name}")
def anything(kind: str, name: str) -> str:
    return kind


@app.get("/{kind}")
def kinds(kind: str) -> str:
    return kind


@app.post("/items/{item_id}")
def change(item_id: str, item: Item) -> str:
    return item_id


@app.get("/users/{name}")
def user(name: str) -> str:
    return name
""",
        },
        stopped=("main.py:36",),
    ),
    Case(
        "a name that two new files read is patched",
        {
            "main.py": """\
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str


def name() -> str:
    return "a"


@app.get("/items")
def items() -> str:
    return name()


@app.post("/items")
def add_item(item: Item) -> str:
    return name()


@app.get("/users")
def users() -> str:
    return name()


@app.post("/users")
def add_user() -> str:
    return name()
""",
            "tests/test_main.py": """\
def test_items(monkeypatch):
    monkeypatch.setattr("main.name", lambda: "b")
""",
        },
        stopped=("tests/test_main.py:2",),
    ),
    Case(
        "one resource is no reason to split",
        {
            "main.py": """\
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str


@app.get("/items")
def items() -> list[Item]:
    return []


@app.post("/items")
def add_item(item: Item) -> Item:
    return item
""",
        },
    ),
    Case(
        "a star, an Alembic environment, names for annotations only",
        {
            "main.py": """\
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine, select

if TYPE_CHECKING:
    from collections.abc import Iterator

engine = create_engine("sqlite:///x.db")
app = FastAPI()


class Item(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str


class ItemCreate(SQLModel):
    name: str


def get_session() -> "Iterator[Session]":
    with Session(engine) as session:
        yield session


@app.get("/items")
def items(session: Session = Depends(get_session)) -> list[Item]:
    return list(session.exec(select(Item)).all())


@app.post("/items")
def create(item: ItemCreate, session: Session = Depends(get_session)) -> Item:
    row = Item(name=item.name)
    session.add(row)
    session.commit()
    session.refresh(row)
    return row


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[Order]:
    return list(session.exec(select(Order)).all())
""",
            "alembic/env.py": """\
from alembic import context

import main
from main import Field, Item, Order  # noqa: F401

target_metadata = main.SQLModel.metadata


def run_migrations_online() -> None:
    connectable = main.engine
    with connectable.connect() as connection:
        context.configure(connection=connection, target_metadata=target_metadata)
        with context.begin_transaction():
            context.run_migrations()


run_migrations_online()
""",
            "tests/test_items.py": """\
from typing import TYPE_CHECKING

from fastapi.testclient import TestClient
from main import *
from main import app

if TYPE_CHECKING:
    from main import Order


def test_items(order: "Order | None" = None) -> None:
    SQLModel.metadata.create_all(engine)
    with TestClient(app) as client:
        assert client.get("/items").status_code == 200
    assert Item(name="a").name == "a"
""",
        },
        {
            "main.py": """\
from fastapi import FastAPI

from routers import general, items

app = FastAPI()


app.include_router(items.router)
app.include_router(general.router)
""",
            "alembic/env.py": """\
from alembic import context

from models import Item, Order  # noqa: F401
from sqlmodel import Field, SQLModel  # noqa: F401

from database import engine

target_metadata = SQLModel.metadata


def run_migrations_online() -> None:
    connectable = engine
    with connectable.connect() as connection:
        context.configure(connection=connection, target_metadata=target_metadata)
        with context.begin_transaction():
            context.run_migrations()


run_migrations_online()
""",
            "tests/test_items.py": """\
from typing import TYPE_CHECKING

from fastapi.testclient import TestClient
from sqlmodel import SQLModel
from database import engine
from main import *
from main import app
from models import Item

if TYPE_CHECKING:
    from models import Order


def test_items(order: "Order | None" = None) -> None:
    SQLModel.metadata.create_all(engine)
    with TestClient(app) as client:
        assert client.get("/items").status_code == 200
    assert Item(name="a").name == "a"
""",
            "database.py": """\
\"\"\"The database: engine and sessions.\"\"\"

from sqlmodel import create_engine

engine = create_engine("sqlite:///x.db")
""",
            "dependencies.py": """\
\"\"\"What endpoints depend on.\"\"\"

from typing import TYPE_CHECKING

from sqlmodel import Session

from database import engine

if TYPE_CHECKING:
    from collections.abc import Iterator


def get_session() -> "Iterator[Session]":
    with Session(engine) as session:
        yield session
""",
            "models.py": """\
\"\"\"The tables.\"\"\"

from sqlmodel import Field, SQLModel


class Item(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
""",
            "routers/general.py": """\
\"\"\"The routes of general.\"\"\"

from fastapi import APIRouter, Depends
from sqlmodel import Session, select

from dependencies import get_session
from models import Order

router = APIRouter()


@router.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[Order]:
    return list(session.exec(select(Order)).all())
""",
            "routers/items.py": """\
\"\"\"The routes of items.\"\"\"

from fastapi import APIRouter, Depends
from sqlmodel import Session, select

from dependencies import get_session
from models import Item
from schemas import ItemCreate

router = APIRouter()


@router.get("/items")
def items(session: Session = Depends(get_session)) -> list[Item]:
    return list(session.exec(select(Item)).all())


@router.post("/items")
def create(item: ItemCreate, session: Session = Depends(get_session)) -> Item:
    row = Item(name=item.name)
    session.add(row)
    session.commit()
    session.refresh(row)
    return row
""",
            "schemas.py": """\
\"\"\"What requests and answers look like.\"\"\"

from sqlmodel import SQLModel


class ItemCreate(SQLModel):
    name: str
""",
        },
    ),
    Case(
        "endpoints beside routers that are there: in order, each with its resource, or with its neighbours",
        {
            "shop/__init__.py": "",
            "shop/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
""",
            "shop/routers/__init__.py": "",
            "shop/routers/users.py": """\
from fastapi import APIRouter

router = APIRouter()


@router.get("/users")
def list_users() -> list[str]:
    return []


@router.get("/users/{name}")
def read_user(name: str) -> str:
    return name
""",
            "shop/main.py": """\
import os

from fastapi import FastAPI

from shop.models import Order
from shop.routers import users

FILES = os.environ.get("FILES", "files")
# what may come behind what
NEXT = {"open": "paid"}

app = FastAPI()
app.include_router(users.router, tags=["users"])


def order_key(order: Order) -> str:
    return f"O-{order.id}"


@app.get("/ping")
def ping() -> str:
    return "pong"


@app.get("/users/{name}/orders")
def list_orders(name: str) -> list[str]:
    return [order_key(Order(id=1, note=name))]


@app.get("/orders/{key}")
def read_order(key: str) -> str:
    return os.path.join(FILES, key)


@app.get("/users/{name}/export")
def export(name: str) -> str:
    return NEXT["open"]
""",
        },
        {
            "shop/config.py": """\
\"\"\"Settings and constants.\"\"\"

import os

FILES = os.environ.get("FILES", "files")
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.routers import general, orders, users


app = FastAPI()
app.include_router(users.router, tags=["users"])


app.include_router(general.router)
app.include_router(orders.router)
""",
            "shop/routers/general.py": """\
\"\"\"The routes of general.\"\"\"

from fastapi import APIRouter

router = APIRouter()


@router.get("/ping")
def ping() -> str:
    return "pong"
""",
            "shop/routers/orders.py": """\
\"\"\"The routes of orders.\"\"\"

import os

from fastapi import APIRouter

from shop.config import FILES
from shop.models import Order
from shop.services.orders import order_key

router = APIRouter()


# what may come behind what
NEXT = {"open": "paid"}


@router.get("/users/{name}/orders")
def list_orders(name: str) -> list[str]:
    return [order_key(Order(id=1, note=name))]


@router.get("/orders/{key}")
def read_order(key: str) -> str:
    return os.path.join(FILES, key)


@router.get("/users/{name}/export")
def export(name: str) -> str:
    return NEXT["open"]
""",
            "shop/services/__init__.py": "",
            "shop/services/orders.py": """\
\"\"\"The business of orders.\"\"\"

from shop.models import Order


def order_key(order: Order) -> str:
    return f"O-{order.id}"
""",
        },
    ),
    Case(
        "a check beside routers stays where it is",
        {
            "shop/__init__.py": "",
            "shop/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
""",
            "shop/routers/__init__.py": "",
            "shop/routers/users.py": """\
from fastapi import APIRouter

router = APIRouter()


@router.get("/users")
def list_users() -> list[str]:
    return []


@router.get("/users/{name}")
def read_user(name: str) -> str:
    return name
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.routers import users

app = FastAPI()
app.include_router(users.router)


@app.get("/ping")
def ping() -> str:
    return "pong"
""",
        },
    ),
)
