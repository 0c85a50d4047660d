"""A router with routes is included in an application.

Routes of an `APIRouter` that nobody includes do not exist: clients get a 404, and nothing at start-up says
so. Most often the line with `include_router` was forgotten, or lost in a merge.

Reported where a project has an application, and a router at module level has routes and is never included,
mounted, or handed to anything. Factories, lists and loops of routers, re-exports and inclusion by import
path are followed. The rule is silent about a whole project in which an inclusion cannot be followed (plug-ins,
folders that are read at run time), about routers that a package's top level exports to others, and about
routers that are used in any way that it does not know. Of routers that include each other only the outermost
is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.setup.relevance import OPERATIONS, VERBS
from fastwright.app.setup.result import RouterRecord
from fastwright.app.symbols import External, Function, Imported, Variable
from fastwright.edit.builders import insert_after
from fastwright.edit.fix import Edit, Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_DECLARING = VERBS | OPERATIONS | {"on_event", "prefix", "tags", "dependencies"}
_LOADERS = frozenset({"importlib", "pkgutil", "werkzeug.utils", "django.utils.module_loading"})
_SHOWN = 3


def check(app: App) -> Iterator[Hit]:
    """Report routers at module level that no application serves."""
    if not any(each.fastapi for each in app.applications):
        return
    lost = [
        router
        for router in app.setup.routers
        if not router.mounted and router.routes and router.function is None and router.name
    ]
    if not lost or _includes_unknown(app):
        return
    elsewhere = _from_elsewhere(app)
    partial = any(note.kind in {"exhausted", "failed"} for note in app.setup.notes)
    for router in lost:
        if (router.module.name.rpartition(".")[2], router.name) in elsewhere:
            continue
        uses = _Uses(app, router)
        if uses.others or (partial and uses.importers) or _is_named(app, router.module):
            continue
        yield _hit(app, router)


def _hit(app: App, router: RouterRecord) -> Hit:
    count = len(router.routes)
    routes = "its route does" if count == 1 else f"its {count} routes do"
    message = f"{router.name} is included in no application: {routes} not exist"
    shown = [
        evidence(route.module, route.node, f"{','.join(route.methods) or 'WEBSOCKET'} {route.path}")
        for route in router.routes[:_SHOWN]
    ]
    chain = (evidence(router.module, router.node, f"makes {router.name}"), *shown)
    return Hit(place(router.module, router.node), message, chain, _fix(app, router))


def _fix(app: App, router: RouterRecord) -> Fix | None:
    """Return the fix that includes it where the one application includes the others."""
    applications = [each for each in app.applications if each.fastapi]
    if len(applications) != 1 or applications[0].function is not None or router.name is None:
        return None
    module, name = applications[0].module, applications[0].name
    last = [
        each
        for each in module.facts.body
        if isinstance(each, s.ExprStmt)
        and isinstance(each.value, s.Call)
        and s.dotted(each.value.func) == f"{name}.include_router"
    ]
    if not last:
        return None
    if module is router.module:
        return Fix("suggest", (_included(module, name, router.name, last[-1]),))
    origin, _, own = router.module.name.rpartition(".")
    brought = bring(module, origin, own) if origin else bring(module, own)
    if brought is None:
        return None
    edit = _included(module, name, f"{brought.name}.{router.name}", last[-1])
    return Fix("suggest", (edit,), brought.imports)


def _included(module: Module, app: str, router: str, last: s.Stmt) -> Edit:
    return insert_after(module, last, f"{app}.include_router({router})")


def _includes_unknown(app: App) -> bool:
    """Whether there is an inclusion of which is not known what it includes."""
    if any(note.kind == "unknown-router" for note in app.setup.notes):
        return True
    followed = {
        id(layer.node)
        for application in app.applications
        for route in application.routes
        for layer in route.inherited
    }
    for module in app.web_modules:
        if "include_router" not in module.header.marks:
            continue
        for node, function in _inclusions(app, module):
            given = node.argument(0, "router")
            known = app.linker.expression(given, module, function)
            if id(node) not in followed and not isinstance(known, (Variable, External)):
                return True
    return False


def _from_elsewhere(app: App) -> set[tuple[str, str]]:
    """Return module and name of included routers that are not found in the project.

    A project that is read from another folder than it is run from imports itself under another name.
    """
    found: set[tuple[str, str]] = set()
    for module in app.web_modules:
        if "include_router" not in module.header.marks:
            continue
        for node, function in _inclusions(app, module):
            name = app.linker.external(node.argument(0, "router"), module, function)
            if name is not None:
                origin, _, last = name.rpartition(".")
                found.add((origin.rpartition(".")[2], last))
    return found


def _inclusions(app: App, module: Module) -> Iterator[tuple[s.Call, Function | None]]:
    for node in s.walk_scope(*module.facts.body):
        if isinstance(node, s.Call) and s.last_name(node.func) == "include_router":
            yield node, None
    for function in app.every_function(module, frozenset({"include_router"})):
        for call, _ in app.calls.of_kind(function, s.Call):
            if s.last_name(call.func) == "include_router":
                yield call, function


def _is_named(app: App, module: Module) -> bool:
    """Whether code that imports by name has the name of the module."""
    for each in app.sources:
        if not any(fact.module in _LOADERS for fact in each.header.imports):
            continue
        for node in each.walk():
            text = (s.string(node) or "").partition(":")[0].lstrip(".")
            if "." in text and f".{module.name}".endswith(f".{text}"):
                return True
    return False


class _Uses:
    """What the project does with a router beside declaring its routes."""

    def __init__(self, app: App, router: RouterRecord) -> None:
        self._app, self._router = app, router
        self.importers = False
        self.others = False
        for module in app.sources:
            if module is router.module or "router" in module.header.marks:
                self._look_into(module)

    def _look_into(self, module: Module) -> None:
        names, modules = self._bound(module)
        if not names and not modules:
            return
        if module is not self._router.module:
            self.importers = True
            is_top = module.is_package and "." not in module.name
            self.others = self.others or (is_top and bool(names))
        for node in module.walk():
            for child in s.children(node):
                if self._is_router(child, names, modules) and not _is_declaring(node, child):
                    self.others = True

    def _bound(self, module: Module) -> tuple[set[str], set[str]]:
        """Return the names under which a module has the router, and the module that makes it."""
        router = self._router
        if module is router.module:
            return {router.name or ""}, set()
        names: set[str] = set()
        modules: set[str] = set()
        for name, binding in self._app.linker.scope(module).names.items():
            if isinstance(binding, Imported):
                found = self._app.linker.member(module, name)
                if isinstance(found, Variable):
                    if found.module is router.module and found.name == router.name:
                        names.add(name)
                elif found is router.module:
                    modules.add(name)
        return names, modules

    def _is_router(self, node: s.Node, names: set[str], modules: set[str]) -> bool:
        if isinstance(node, s.Name):
            return node.id in names
        if isinstance(node, s.Attribute) and node.attr == self._router.name:
            return isinstance(node.value, s.Name) and node.value.id in modules
        return False


def _is_declaring(parent: s.Node, node: s.Node) -> bool:
    """Whether a mention of a router makes it, or declares a route."""
    if isinstance(parent, s.Attribute):
        return parent.attr in _DECLARING
    if isinstance(parent, s.Assign):
        return parent.value is not node
    return isinstance(parent, s.AnnAssign) and parent.value is not node


RULE = Rule(
    summary="a router that no application includes",
    severity="warning",
    mend="Include it (`app.include_router(router)`), or delete it with its routes.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/bigger-applications/",),
)

_USERS = """
from fastapi import APIRouter

router = APIRouter(prefix="/users")

@router.get("/")
def users() -> None: ...
"""

CASES = (
    Case(
        "forgotten, beside one that is included",
        {
            "shop/__init__.py": "",
            "shop/users.py": _USERS,
            "shop/orders.py": """
            from fastapi import APIRouter

            router = APIRouter(prefix="/orders")  # <-

            @router.get("/")
            def orders() -> None: ...
            """,
            "shop/main.py": """
            from fastapi import FastAPI
            from shop import users

            app = FastAPI()
            app.include_router(users.router)
            """,
        },
        after={
            "shop/main.py": """
            from fastapi import FastAPI
            from shop import orders, users

            app = FastAPI()
            app.include_router(users.router)
            app.include_router(orders.router)
            """,
        },
    ),
    case(
        "only the outermost",
        """
        from fastapi import APIRouter, FastAPI

        app = FastAPI()
        inner = APIRouter()
        outer = APIRouter()  # <-

        @inner.get("/in")
        def inside() -> None: ...

        @outer.get("/out")
        def outside() -> None: ...

        outer.include_router(inner)
        """,
    ),
    Case(
        "through a list, a re-export, a factory and a loop",
        {
            "shop/__init__.py": "",
            "shop/users.py": _USERS,
            "shop/api/__init__.py": "from shop.users import router as users_router\n",
            "shop/main.py": """
            from fastapi import APIRouter, FastAPI
            from shop.api import users_router

            things = APIRouter()

            @things.get("/things")
            def list_things() -> None: ...

            ROUTERS = [users_router, things]

            def create() -> FastAPI:
                app = FastAPI()
                for router in ROUTERS:
                    app.include_router(router)
                return app

            app = create()
            """,
        },
    ),
    Case(
        "what plug-ins bring is not known",
        {
            "shop/__init__.py": "",
            "shop/users.py": _USERS,
            "shop/main.py": """
            from fastapi import FastAPI
            from importlib.metadata import entry_points

            app = FastAPI()
            for entry in entry_points(group="shop"):
                module = entry.load()
                app.include_router(module.router)
            """,
        },
    ),
    Case(
        "a library",
        {"shop/__init__.py": "from shop.users import router\n", "shop/users.py": _USERS},
    ),
    Case(
        "imported under the name of a folder above",
        {
            "users.py": _USERS,
            "main.py": """
            from fastapi import FastAPI
            from shop import users

            app = FastAPI()
            app.include_router(users.router)
            """,
        },
    ),
    Case(
        "handed to something",
        {
            "shop/__init__.py": "",
            "shop/users.py": _USERS,
            "shop/main.py": """
            from fastapi import FastAPI
            from plugins import install
            from shop.users import router

            app = FastAPI()
            install(app, router)
            """,
        },
    ),
)
