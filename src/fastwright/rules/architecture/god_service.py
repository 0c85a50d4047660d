"""A service has one responsibility; a class that has them all is nobody's.

Many public methods that work on many tables through many collaborators: every change of the
application lands in this class, its tests need everything, and two people cannot work on it at
once. Split it by what is used together; the message suggests how.

Counted are public methods that the class itself defines, tables that they or what they call
directly read or write, and other classes and modules of the project that they call. Repositories
of one or a few tables, ports, controllers, schemas and clients of other servers are no services:
they fall short of one of the three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.rules.evidence import name_place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule

METHODS = 10
TABLES = 4
COLLABORATORS = 4
_SHOWN = 6
_GROUPS = 3
_NO_COLLABORATORS = frozenset({"model", "schema", "settings"})


@dataclass(frozen=True)
class Used:
    """What one method works on."""

    method: Function
    tables: frozenset[str]
    collaborators: frozenset[str]


def check(app: App) -> Iterator[Hit]:
    """Report each class with too many methods, tables and collaborators."""
    for module_path in sorted({step.function.module.path for step in app.reached}):
        module = app.modules[module_path]
        if module.kind != "source":
            continue
        for cls in app.classes([module]):
            methods = _public(app, cls)
            if len(methods) < METHODS or not _is_service(app, cls, methods):
                continue
            used = [_used(app, cls, method) for method in methods]
            tables = sorted({name for u in used for name in u.tables})
            others = sorted({name for u in used for name in u.collaborators})
            if len(tables) >= TABLES and len(others) >= COLLABORATORS:
                yield _hit(cls, used, tables, others)


def _public(app: App, cls: Class) -> list[Function]:
    return [m for name, m in cls.own_methods.items() if not name.startswith("_") and not m.is_property]


def _is_service(app: App, cls: Class, methods: list[Function]) -> bool:
    """Whether a class does work itself: no table, schema, port or controller; some of it served."""
    if app.types.is_table(cls) or app.models.is_schema(cls) or app.types.is_port(cls):
        return False
    if any(app.routes_for(method) for method in methods):
        return False
    return any(method in app.reached for method in methods)


def _used(app: App, cls: Class, method: Function) -> Used:
    """Return what a method works on: itself, through private methods, and one call further."""
    inner = app.calls.reach(
        [method], lambda _, target: target.owner is not None and target.owner.node is cls.node
    )
    own = [step.function for step in inner if step.function is method or step.function.name[0] == "_"]
    tables: set[str] = set()
    collaborators: set[str] = set()
    for function in own:
        called = [target for site in app.calls.sites(function) for target in site.targets]
        for worker in (function, *called):
            tables.update(e.table.name for e in app.calls.executions(worker) if e.table is not None)
        for target in called:
            name = _collaborator(app, cls, target)
            if name is not None:
                collaborators.add(name)
    return Used(method, frozenset(tables), frozenset(collaborators))


def _collaborator(app: App, cls: Class, target: Function) -> str | None:
    """Return the other class, or the module, that a called function belongs to."""
    if target.module.path == cls.module.path:
        return None
    layer = app.layers.get(target.module.path)
    if layer is not None and layer.name in _NO_COLLABORATORS:
        return None
    if target.owner is None:
        return target.module.name.rpartition(".")[2]
    if target.name in {"__init__", "__post_init__"} or app.models.is_schema(target.owner):
        return None
    return target.owner.name


def _hit(cls: Class, used: list[Used], tables: list[str], others: list[str]) -> Hit:
    message = (
        f"{cls.name} has {len(used)} public methods over {len(tables)} tables"
        f" ({_some(tables)}) and {len(others)} collaborators ({_some(others)})"
    )
    groups = together(used)
    if len(groups) > 1:
        parts = [f"{_some(methods, 4)} ({what})" for what, methods in groups[:_GROUPS]]
        message += f"; used together: {'; '.join(parts)}"
    proof = tuple(_evidence(u) for u in used if u.tables or u.collaborators)
    return Hit(name_place(cls), message, proof)


def together(used: list[Used]) -> list[tuple[str, list[str]]]:
    """Return groups of methods that share what others do not use, largest first.

    A table or collaborator that most methods use says nothing; of the others each method goes to
    the one that it shares with the most.
    """
    count = Counter(name for u in used for name in (*u.tables, *u.collaborators))
    groups: dict[str, list[str]] = {}
    for u in used:
        shared = [n for n in (*u.tables, *u.collaborators) if 2 <= count[n] <= len(used) // 2]  # noqa: PLR2004
        if shared:
            best = max(sorted(shared), key=lambda name: count[name])
            groups.setdefault(best, []).append(u.method.name)
    found = [(what, methods) for what, methods in groups.items() if len(methods) > 1]
    return sorted(found, key=lambda group: (-len(group[1]), group[0]))


def _some(names: list[str], shown: int = _SHOWN) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _evidence(used: Used) -> Evidence:
    what = ", ".join(sorted((*used.tables, *used.collaborators)))
    named = name_place(used.method)
    return Evidence(named, f"{used.method.name}: {what}")


RULE = Rule(
    summary="a service that does everything",
    severity="info",
    mend="Move each group of methods that is used together into a class of its own, beginning"
    " with the smallest.",
    app=check,
    confidence="medium",
    recipe="split-service",
)

_TABLES = """
from sqlmodel import Field, SQLModel

class Order(SQLModel, table=True):
    id: int = Field(primary_key=True)

class Product(SQLModel, table=True):
    id: int = Field(primary_key=True)

class User(SQLModel, table=True):
    id: int = Field(primary_key=True)

class Invoice(SQLModel, table=True):
    id: int = Field(primary_key=True)
"""
_HELPERS = """
class Mail:
    def send(self, text: str) -> None: ...

class Warehouse:
    def tell(self, order: int) -> None: ...

class Rates:
    def convert(self, amount: float) -> float: ...

class Search:
    def index(self, product: int) -> None: ...
"""
_SERVICE = """
from helpers import Mail, Rates, Search, Warehouse
from models import Invoice, Order, Product, User
from sqlmodel import Session

class ShopService:  # <-
    def __init__(self, session: Session) -> None:
        self.session = session
        self.mail = Mail()
        self.rates = Rates()
        self.search_index = Search()
        self.warehouse = Warehouse()

    def place(self, key: int):
        self.warehouse.tell(key)
        return self.session.get(Order, key)

    def cancel(self, key: int):
        self.warehouse.tell(key)
        return self.session.get(Order, key)

    def refund(self, key: int):
        return self.session.get(Order, key)

    def invoice(self, key: int):
        self.rates.convert(1)
        return self.session.get(Invoice, key)

    def remind(self, key: int):
        self.mail.send("pay")
        return self.session.get(Invoice, key)

    def register(self, key: int):
        self.mail.send("welcome")
        return self.session.get(User, key)

    def block(self, key: int):
        return self.session.get(User, key)

    def restock(self, key: int):
        self.search_index.index(key)
        return self.session.get(Product, key)

    def rename(self, key: int):
        self.search_index.index(key)
        return self.session.get(Product, key)

    def price(self, key: int):
        self.rates.convert(1)
        return self.session.get(Product, key)
"""
_MAIN = """
from fastapi import Depends, FastAPI
from service import ShopService

app = FastAPI()

@app.post("/orders/{key}")
def place(key: int, service: ShopService = Depends()):
    return service.place(key)
"""

CASES = (
    Case(
        "orders, invoices, users and products in one class",
        {"models.py": _TABLES, "helpers.py": _HELPERS, "service.py": _SERVICE, "main.py": _MAIN},
    ),
    Case(
        "many methods of a repository over one table",
        {
            "models.py": _TABLES,
            "service.py": """
            from models import Order
            from sqlmodel import Session

            class ShopService:
                def __init__(self, session: Session) -> None:
                    self.session = session

                def place(self, key: int): return self.session.get(Order, key)
                def b(self, key: int): return self.session.get(Order, key)
                def c(self, key: int): return self.session.get(Order, key)
                def d(self, key: int): return self.session.get(Order, key)
                def e(self, key: int): return self.session.get(Order, key)
                def f(self, key: int): return self.session.get(Order, key)
                def g(self, key: int): return self.session.get(Order, key)
                def h(self, key: int): return self.session.get(Order, key)
                def i(self, key: int): return self.session.get(Order, key)
                def j(self, key: int): return self.session.get(Order, key)
            """,
            "main.py": _MAIN,
        },
    ),
    Case(
        "a service of few methods, whatever it calls",
        {
            "models.py": _TABLES,
            "helpers.py": _HELPERS,
            "service.py": """
            from helpers import Mail, Rates, Search, Warehouse
            from models import Invoice, Order, Product, User
            from sqlmodel import Session

            class ShopService:
                def __init__(self, session: Session) -> None:
                    self.session = session

                def place(self, key: int):
                    for table in (Order, Product, User, Invoice):
                        self.session.get(table, key)
                    Mail().send("")
                    Rates().convert(1)
                    Search().index(1)
                    Warehouse().tell(1)
            """,
            "main.py": _MAIN,
        },
    ),
)
