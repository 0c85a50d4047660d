"""An endpoint translates between HTTP and the application; what the application does is elsewhere.

An endpoint that loads rows, decides by them, changes several tables, calls other services and
computes prices between two `raise HTTPException` can only be tested through HTTP, and its
rules cannot be used by a worker, a command or another endpoint. Move the deciding part into a
service, and leave reading the request, calling the service and shaping the answer.

Many statements *and* many branches *and* several database statements, outside calls or calls of
services and repositories in the endpoint itself make one; so do twice as many statements and
branches alone. What those do does not count, nor do logging, docstrings and raising HTTPException.
WebSockets are left out. The message says which lines are business logic: from the first database
statement, outside call, call of a service or loop to the last.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s
from fastwright.rules.evidence import call_name, evidence, name_place, of_route
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

STATEMENTS = 25
BRANCHES = 6
WORK = 3
"""Database statements, outside calls, and calls of services and repositories together."""
_HUGE = 2
"""How many times as many statements and branches make one, whatever they are about."""
_SHOWN = 8

_CLIENTS = ("httpx.AsyncClient.", "httpx.Client.", "aiohttp.ClientSession.", "requests.Session.")
_VERBS = frozenset({"get", "post", "put", "patch", "delete", "request", "send", "stream", "head"})
_LOGGING = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log", "print"})
_COMPOUND = (s.If, s.For, s.While, s.Try, s.With, s.Match)
_STATEMENTS = (
    s.Return,
    s.Assign,
    s.AnnAssign,
    s.AugAssign,
    s.ExprStmt,
    s.Delete,
    s.Assert,
    *_COMPOUND,
)


class Weight(msgspec.Struct, frozen=True):
    """What an endpoint does itself."""

    statements: int
    branches: int
    queries: tuple[CallSite, ...]
    tables: tuple[str, ...]
    outside: tuple[CallSite, ...]
    calls: tuple[CallSite, ...]
    """Calls of services, repositories and the like."""
    first: int
    last: int
    """Lines of its business logic."""

    @property
    def is_fat(self) -> bool:
        """Whether it decides, rather than translates."""
        work = len(self.queries) + len(self.outside) + len(self.calls)
        times = min(self.statements / STATEMENTS, self.branches / BRANCHES)
        return times >= _HUGE or (times >= 1 and work >= WORK)


def check(app: App) -> Iterator[Hit]:
    """Report each endpoint that decides."""
    for function in app.endpoints:
        routes = [route for route in app.routes_for(function) if route.kind == "http"]
        if function.module.kind != "source" or not routes:
            continue
        weight = weigh(app, function)
        if not weight.is_fat:
            continue
        counts = [f"{weight.statements} statements", f"{weight.branches} branches"]
        if weight.queries:
            over = f" on {', '.join(weight.tables)}" if weight.tables else ""
            counts.append(f"{_count(len(weight.queries), 'database call')}{over}")
        if weight.outside:
            counts.append(_count(len(weight.outside), "outside call"))
        if weight.calls:
            counts.append(_count(len(weight.calls), "call") + " of services and repositories")
        message = (
            f"{function.name} decides: {', '.join(counts)}; business logic in lines"
            f" {weight.first}-{weight.last}"
        )
        work = sorted(
            (*weight.queries, *weight.outside, *weight.calls), key=lambda site: site.node.start
        )
        proof = tuple(evidence(site.module, site.node, call_name(site)) for site in work[:_SHOWN])
        yield Hit(name_place(function), message, (*of_route(routes[0]), *proof))


def weigh(app: App, function: Function) -> Weight:
    """Count what an endpoint does itself."""
    nodes = [node for node, _ in app.calls.nodes(function)]
    executions = [e for e in app.calls.executions(function) if e.kind != "commit"]
    queries = tuple({id(e.site.node): e.site for e in executions}.values())
    tables = sorted({e.table.name for e in executions if isinstance(e.table, Class)})
    asked = {id(site.node) for site in queries}
    outside = tuple(
        site
        for site in app.calls.sites(function)
        if site.external and id(site.node) not in asked and _is_outside(app, site.external)
    )
    taken = asked | {id(site.node) for site in outside}
    calls = tuple(
        site
        for site in app.calls.sites(function)
        if id(site.node) not in taken and any(_is_work(app, t) for t in site.targets)
    )
    business: list[s.Node] = [site.node for site in (*queries, *outside, *calls)]
    business += [node for node in nodes if isinstance(node, (s.For, s.While))]
    if len(queries) + len(outside) + len(calls) < WORK:
        business += function.node.body
    lines = [
        function.module.facts.line(offset) for n in business for offset in (n.start, n.end - 1)
    ]
    first = function.module.line(function.node)
    return Weight(
        statements=sum(map(_counts, nodes)),
        branches=sum(map(_branches, nodes)),
        queries=queries,
        tables=tuple(tables),
        outside=outside,
        calls=calls,
        first=min(lines, default=first),
        last=max(lines, default=first),
    )


def _is_work(app: App, target: Function) -> bool:
    """Whether a function of the project does business: it is in a layer below the routers."""
    if target.name.startswith("__"):
        return False
    layer = app.layers.get(target.module.path)
    return layer is not None and layer.name in {"service", "repository", "model", "adapter"}


def _is_outside(app: App, name: str) -> bool:
    if name.startswith(_CLIENTS):
        return name.rpartition(".")[2] in _VERBS
    waits = app.library.blocks(name)
    return waits is not None and not waits.startswith(("reads", "writes", "opens", "hashes"))


def _counts(node: s.Node) -> bool:
    """Whether a node is a statement that does something: no logging, docstring or refusal."""
    if not isinstance(node, _STATEMENTS):
        return False
    if isinstance(node, s.ExprStmt):
        value = node.value.value if isinstance(node.value, s.Await) else node.value
        if isinstance(value, s.Constant):
            return False
        if isinstance(value, s.Call) and s.last_name(value.func) in _LOGGING:
            return False
    return True


def _branches(node: s.Node) -> int:
    if isinstance(node, s.If):
        return len(node.branches)
    if isinstance(node, s.Match):
        return len(node.cases)
    if isinstance(node, s.Try):
        return len(node.handlers)
    return int(isinstance(node, (s.For, s.While)))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


RULE = Rule(
    summary="an endpoint that decides",
    severity="warning",
    mend="Move the business logic into a service (`extract-service`): the endpoint reads the"
    " request, calls it, and shapes the answer.",
    app=check,
    confidence="medium",
    recipe="extract-service",
)

_MODELS = """
from sqlmodel import Field, SQLModel

class Product(SQLModel, table=True):
    id: int = Field(primary_key=True)
    price: float
    stock: int

class Order(SQLModel, table=True):
    id: int = Field(primary_key=True)
    total: float = 0

class Coupon(SQLModel, table=True):
    id: int = Field(primary_key=True)
    percent: int = 0
"""

CASES = (
    Case(
        "stock, prices, coupons, reservation and a call to the warehouse in one endpoint",
        {
            "models.py": _MODELS,
            "main.py": """
            import requests
            from fastapi import FastAPI, HTTPException
            from models import Coupon, Order, Product
            from sqlmodel import Session

            app = FastAPI()

            @app.post("/orders")
            def place_order(lines: dict[int, int], session: Session, coupon: int = 0):  # <-
                for product_id, quantity in lines.items():
                    product = session.get(Product, product_id)
                    if product is None:
                        raise HTTPException(404)
                    if product.stock < quantity:
                        raise HTTPException(409)
                order = Order(id=1)
                session.add(order)
                total = 0.0
                for product_id, quantity in lines.items():
                    product = session.get(Product, product_id)
                    price = product.price
                    if quantity >= 10:
                        price = round(price * 0.95, 2)
                    product.stock -= quantity
                    session.add(product)
                    total += price * quantity
                    if product.stock < 5:
                        requests.post("https://warehouse.example", json={"id": product_id})
                if coupon:
                    found = session.get(Coupon, coupon)
                    if found is not None:
                        total = total * (100 - found.percent) / 100
                        session.delete(found)
                shipping = 0.0
                if total < 50:
                    shipping = 4.9
                elif total < 100:
                    shipping = 2.9
                order.total = total + shipping
                session.add(order)
                session.commit()
                session.refresh(order)
                answer = {"id": order.id, "total": order.total}
                if coupon:
                    answer["coupon"] = coupon
                return answer
            """,
        },
    ),
    Case(
        "a thin endpoint over a service",
        {
            "service.py": """
            class OrderService:
                def place(self, lines): ...
            """,
            "main.py": """
            from fastapi import Depends, FastAPI, HTTPException
            from service import OrderService

            app = FastAPI()

            @app.post("/orders")
            def place_order(lines: dict[int, int], service: OrderService = Depends()):
                if not lines:
                    raise HTTPException(422)
                return service.place(lines)
            """,
        },
    ),
    case(
        "long, but only reading the request and shaping the answer",
        """
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/report")
        def report(a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0):
            answer = {}
            if a:
                answer["a"] = a
            if b:
                answer["b"] = b
            if c:
                answer["c"] = c
            if d:
                answer["d"] = d
            if e:
                answer["e"] = e
            answer["a1"] = a + 1
            answer["b1"] = b + 1
            answer["c1"] = c + 1
            answer["d1"] = d + 1
            answer["e1"] = e + 1
            answer["a2"] = a + 2
            answer["b2"] = b + 2
            answer["c2"] = c + 2
            answer["d2"] = d + 2
            answer["e2"] = e + 2
            answer["a3"] = a + 3
            answer["b3"] = b + 3
            answer["c3"] = c + 3
            answer["d3"] = d + 3
            answer["e3"] = e + 3
            return answer
        """,
    ),
)
