"""A service has one responsibility; a class that has them all is nobody's.

Many public methods that work on many tables through many collaborators: every change of the
application lands in this class, its tests need everything, and two people cannot work on it at
once. Split it by what is used together; the message suggests how.

Counted are public methods that the class itself defines, tables that they, or the repositories
that they call, read or write, and other services, repositories and adapters that they call. A
repository counts only the tables that it asks itself. Tables, ports, controllers, schemas and
clients of other servers are no services.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.layers import is_layer_word
from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance
from fastwright.rules.evidence import name_place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule

METHODS = 12
TABLES = 5
COLLABORATORS = 5
HUGE = 30
MANY = 8
"""A class of so many methods over so many tables needs no collaborators to do everything."""
_SHOWN = 6
_GROUPS = 3
_WORKING = frozenset({"service", "repository", "adapter"})
_STORING = frozenset({"repository", "model"})


class Used(msgspec.Struct, frozen=True):
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
            methods = _public(cls)
            if len(methods) < METHODS or not _is_service(app, cls, methods):
                continue
            used = [_used(app, cls, method) for method in methods]
            tables = sorted({name for u in used for name in u.tables})
            others = sorted({name for u in used for name in u.collaborators})
            mixed = len(tables) >= TABLES and len(others) >= COLLABORATORS
            if mixed or (len(methods) >= HUGE and len(tables) >= MANY):
                yield _hit(cls, used, tables, others)


def _public(cls: Class) -> list[Function]:
    return [
        m for name, m in cls.own_methods.items() if not name.startswith("_") and not m.is_property
    ]


def _is_service(app: App, cls: Class, methods: list[Function]) -> bool:
    """Whether a class does work itself: no table, schema, port or controller; some of it served."""
    if app.types.is_table(cls) or app.models.is_schema(cls) or app.types.is_port(cls):
        return False
    if "__tablename__" in cls.own_attributes:
        return False
    if any(app.routes_for(method) for method in methods):
        return False
    return any(method in app.reached for method in methods)


def _used(app: App, cls: Class, method: Function) -> Used:
    """Return what a method works on: itself, through private methods, and one call further."""
    inner = app.calls.reach(
        [method], lambda _, target: target.owner is not None and target.owner.node is cls.node
    )
    own = [
        step.function for step in inner if step.function is method or step.function.name[0] == "_"
    ]
    tables: set[str] = set()
    collaborators: set[str] = set()
    layer = app.layers.get(cls.module.path)
    stores = layer is not None and layer.name in _STORING
    for function in own:
        tables.update(_tables(app, function))
        for site in app.calls.sites(function):
            for target in site.targets:
                name = _collaborator(app, cls, site, target)
                if name is None:
                    continue
                collaborators.add(name)
                if not stores:
                    tables.update(_tables(app, target))
    return Used(method, frozenset(tables), frozenset(collaborators))


def _tables(app: App, function: Function) -> set[str]:
    asked = (e.table for e in app.calls.executions(function))
    tables = (app.models.table(cls) for cls in asked if cls is not None)
    return {table.cls.name for table in tables if table is not None and table.columns}


def _collaborator(app: App, cls: Class, site: CallSite, target: Function) -> str | None:
    """Return the other class, or the module, that a called function belongs to, if it does work."""
    layer = app.layers.get(target.module.path)
    if target.module.path == cls.module.path or layer is None or layer.name not in _WORKING:
        return None
    if target.module.package == cls.module.package and not is_layer_word(cls.module.package):
        return None  # a part of the same domain's package: it is split already
    if target.owner is None:
        return target.module.name.rpartition(".")[2]
    if target.name.startswith("__") or app.models.is_schema(target.owner):
        return None
    receiver = site.receiver
    if isinstance(receiver, Instance) and isinstance(receiver.cls, Class):
        return receiver.cls.name
    return target.owner.name


def _hit(cls: Class, used: list[Used], tables: list[str], others: list[str]) -> Hit:
    message = (
        f"{cls.name} has {len(used)} public methods over {len(tables)} tables ({_some(tables)})"
    )
    if others:
        message += f" and {len(others)} collaborators ({_some(others)})"
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
        shared = [n for n in (*u.tables, *u.collaborators) if 2 <= count[n] <= len(used) // 2]
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

class Coupon(SQLModel, table=True):
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

class Audit:
    def note(self, text: str) -> None: ...
"""
_SERVICE = """
from adapters.all import Audit, Mail, Rates, Search, Warehouse
from models import Coupon, Invoice, Order, Product, User
from sqlmodel import Session

class ShopService:  # <-
    def __init__(self, session: Session) -> None:
        self.session = session
        self.mail = Mail()
        self.rates = Rates()
        self.search_index = Search()
        self.warehouse = Warehouse()
        self.audit = Audit()

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

    def coupon(self, key: int):
        self.audit.note("coupon")
        return self.session.get(Coupon, key)

    def expire(self, key: int):
        self.audit.note("expired")
        return self.session.get(Coupon, key)
"""
_MAIN = """
from fastapi import Depends, FastAPI
from services.shop import ShopService

app = FastAPI()

@app.post("/orders/{key}")
def place(key: int, service: ShopService = Depends()):
    return service.place(key)
"""

CASES = (
    Case(
        "orders, invoices, users and products in one class",
        {
            "models.py": _TABLES,
            "adapters/all.py": _HELPERS,
            "services/shop.py": _SERVICE,
            "main.py": _MAIN,
        },
    ),
    Case(
        "many methods of a repository over one table",
        {
            "models.py": _TABLES,
            "services/shop.py": """
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
                def k(self, key: int): return self.session.get(Order, key)
                def l(self, key: int): return self.session.get(Order, key)
            """,
            "main.py": _MAIN,
        },
    ),
    Case(
        "a service of few methods, whatever it calls",
        {
            "models.py": _TABLES,
            "adapters/all.py": _HELPERS,
            "services/shop.py": """
            from adapters.all import Audit, Mail, Rates, Search, Warehouse
            from models import Coupon, Invoice, Order, Product, User
            from sqlmodel import Session

            class ShopService:
                def __init__(self, session: Session) -> None:
                    self.session = session

                def place(self, key: int):
                    self.session.get(Order, key)
                    self.session.get(Product, key)
                    self.session.get(User, key)
                    self.session.get(Invoice, key)
                    self.session.get(Coupon, key)
                    Mail().send("")
                    Rates().convert(1)
                    Search().index(1)
                    Warehouse().tell(1)
                    Audit().note("")
            """,
            "main.py": _MAIN,
        },
    ),
)
