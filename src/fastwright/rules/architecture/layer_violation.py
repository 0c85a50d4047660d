"""Dependencies run one way: routers use services, services use repositories, those use models.

A repository that calls a service, or a service that takes a function from a router, ties the
lower part to the upper one: it can no longer be used, tested or replaced without it, and sooner
or later they import each other. Pass the value in, move the shared function down, or turn the
call round.

The project says itself which layers it has: by what its modules hold, by their names, or in its
configuration. A direction is only held against a project that keeps to it elsewhere: where at
least three imports go the right way, and at least three times as many as go the wrong one.
Schemas, exceptions, enumerations, ports and constants may be shared; imports under
`TYPE_CHECKING` and names that only stand in annotations are fine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from fastwright.app.imports import ImportEdge
from fastwright.app.layers import Layer
from fastwright.app.model import App
from fastwright.app.symbols import Class, Function
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, name_place, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule

_RANK = {"router": 0, "service": 1, "repository": 2, "model": 3}
_ENOUGH = 3
"""So many imports the right way, and so many times as many as the wrong way."""


class Wrong(msgspec.Struct, frozen=True):
    """An import against the direction, the names that it is for, and where they are first used."""

    edge: ImportEdge
    names: tuple[str, ...]
    use: s.Node
    defined: Function | Class


def check(app: App) -> Iterator[Hit]:
    """Report each import of behaviour against the direction of the layers."""
    right: Counter[tuple[str, str]] = Counter()
    wrong: dict[tuple[str, str], list[Wrong]] = {}
    for module in app.sources:
        lower = _ranked(app, module.path)
        if lower is None:
            continue
        for edge in app.imports.of(module.path):
            upper = _ranked(app, edge.imported)
            if upper is None or edge.when == "typing" or upper.name == lower.name:
                continue
            if _RANK[lower.name] < _RANK[upper.name]:
                right[upper.name, lower.name] += 1
            elif (found := _wrong(app, module, edge)) is not None:
                wrong.setdefault((lower.name, upper.name), []).append(found)
    for pair, found_wrong in sorted(wrong.items()):
        if right[pair] >= max(_ENOUGH, _ENOUGH * len(found_wrong)):
            for one in found_wrong:
                yield _hit(app, one, pair)


def _ranked(app: App, path: str) -> Layer | None:
    """Return the layer of a module if it has a place in the order and is no guess."""
    layer = app.layers.get(path)
    if layer is None or layer.guessed or layer.name not in _RANK:
        return None
    if layer.name == "router" and not layer.certain:
        return None  # a helper in a folder of routers may be anything
    if layer.name == "repository" and layer.by == "contents":
        return None  # tables with the functions that query them: two layers in one module
    return layer


def _wrong(app: App, module: Module, edge: ImportEdge) -> Wrong | None:
    """Return the import as a violation if it is for behaviour that is used at run time."""
    target = app.modules[edge.imported]
    bound = _bound(app, module, edge, target)
    if not bound:
        return None
    annotations = _annotation_nodes(module)
    for node in module.walk():
        name = _used(node)
        if name is None or name not in bound or node.start in annotations:
            continue
        defined = bound[name]
        if defined is None:
            defined = _member_used(app, module, target, name)
            if defined is None:
                return None
        return Wrong(edge, (defined.name,), node, defined)
    return None


def _used(node: s.Node) -> str | None:
    return node.id if isinstance(node, s.Name) else None


def _bound(
    app: App, module: Module, edge: ImportEdge, target: Module
) -> dict[str, Function | Class | None]:
    """Return names of the importing module -> the behaviour they stand for; None for the module."""
    statement = next((st for st in module.import_statements if st.start == edge.start), None)
    if isinstance(statement, s.Import):
        names = {a.asname or a.name for a in statement.names}
        return {name: None for name in names if "." not in name}
    if statement is None:
        return {}
    if not edge.names:  # ``from package import module``
        wanted = edge.imported.removesuffix("/__init__.py").removesuffix(".py").rsplit("/", 1)[-1]
        return {a.asname or a.name: None for a in statement.names if a.name == wanted}
    found: dict[str, Function | Class | None] = {}
    for alias in statement.names:
        if alias.name in edge.names:
            symbol = app.linker.member(target, alias.name)
            if _is_behaviour(app, symbol) and symbol.module.path == target.path:  # type: ignore[union-attr]
                found[alias.asname or alias.name] = symbol  # type: ignore[assignment]
    return found


def _member_used(app: App, module: Module, target: Module, name: str) -> Function | Class | None:
    """Return the behaviour that ``name.member`` uses of an imported module."""
    for node in module.walk():
        if (
            isinstance(node, s.Attribute)
            and isinstance(node.value, s.Name)
            and node.value.id == name
        ):
            symbol = app.linker.member(target, node.attr)
            if _is_behaviour(app, symbol) and symbol.module.path == target.path:  # type: ignore[union-attr]
                return symbol  # type: ignore[return-value]
    return None


def _is_behaviour(app: App, symbol: object) -> bool:
    """Whether a symbol does something: a function, or a class that is no data, error or port."""
    if isinstance(symbol, Function):
        return True
    if not isinstance(symbol, Class) or app.models.is_schema(symbol) or app.types.is_port(symbol):
        return False
    if app.types.is_table(symbol) or not symbol.own_methods:
        return False
    names = app.linker.ancestors(symbol)
    if any(name.startswith(("enum.", "typing.")) for name in names):
        return False
    if any(d.endswith("dataclass") for d in filter(None, map(s.last_name, symbol.node.decorators))):
        return False
    return not any(
        name.endswith(("Exception", "Error", "Warning")) for name in (*names, symbol.name)
    )


def _annotation_nodes(module: Module) -> set[int]:
    """Return the places of names that stand in annotations."""
    found: set[int] = set()
    for node in module.walk():
        annotations: list[s.Expr | None] = []
        if isinstance(node, s.FunctionDef):
            annotations = [node.returns, *(parameter.annotation for parameter in node.params)]
        elif isinstance(node, s.AnnAssign):
            annotations = [node.annotation]
        for annotation in annotations:
            if annotation is not None:
                found.update(inner.start for inner in s.walk(annotation))
    return found


def _hit(app: App, one: Wrong, pair: tuple[str, str]) -> Hit:
    module = app.modules[one.edge.importer]
    target = app.modules[one.edge.imported]
    lower, upper = pair
    used = ", ".join(one.names)
    message = (
        f"a {lower} uses a {upper}: {module.name} takes {used} from {target.name}"
        f" ({app.layers[target.path].reason})"
    )
    statement = next((st for st in module.import_statements if st.start == one.edge.start), None)
    at = statement if statement is not None else s.Node(one.edge.start, one.edge.start + 1)
    proof = (
        evidence(module, at, f"imports {target.name}"),
        evidence(module, one.use, f"uses {used}"),
        Evidence(name_place(one.defined), f"{upper}: {one.defined.qualname}"),
    )
    return Hit(place(module, at), message, proof)


RULE = Rule(
    summary="a lower layer uses an upper one",
    severity="warning",
    mend="Pass the value in from above, move the shared function down (or into a module of its"
    " own), or let the lower layer declare a port that the upper one implements.",
    app=check,
)

_MODELS = """
from sqlmodel import Field, SQLModel

class Order(SQLModel, table=True):
    id: int = Field(primary_key=True)
"""
_REPOSITORY = """
from shop.models import Order

class {0}Repository:
    def get(self, session, key: int):
        return session.get(Order, key)
"""
_SERVICE = """
from shop.repositories.{0} import {1}Repository

def load(session, key: int):
    return {1}Repository().get(session, key)
"""


def _shop(**files: str) -> dict[str, str]:
    """A small application whose three services use three repositories."""
    found = {"shop/models.py": _MODELS}
    for name in ("orders", "users", "items"):
        found[f"shop/repositories/{name}.py"] = _REPOSITORY.format(name.title())
        found[f"shop/services/{name}.py"] = _SERVICE.format(name, name.title())
    return found | {f"shop/{path.replace('__', '/')}.py": text for path, text in files.items()}


CASES = (
    Case(
        "a repository that calls a service",
        _shop(
            repositories__reports="""
            from shop.services.rates import get_rate  # <-

            def totals(session, currency: str) -> float:
                return get_rate(currency)
            """,
            services__rates="""
            def get_rate(currency: str) -> float:
                return 1.0
            """,
        ),
    ),
    Case(
        "inside a function, through the module",
        _shop(
            repositories__reports="""
            def totals(session, currency: str) -> float:
                from shop.services import rates  # <-
                return rates.get_rate(currency)
            """,
            services__rates="""
            def get_rate(currency: str) -> float:
                return 1.0
            """,
        ),
    ),
    Case(
        "types, exceptions, enumerations and data may be shared",
        _shop(
            repositories__reports="""
            from __future__ import annotations
            from typing import TYPE_CHECKING
            from shop.services.rates import Currency, Rate, Rates, UnknownCurrency

            if TYPE_CHECKING:
                from shop.services.orders import load

            def totals(session, currency: Currency, rates: Rates) -> Rate:
                if currency is not Currency.EUR:
                    raise UnknownCurrency()
                return Rate(value=rates.get(currency))
            """,
            services__rates="""
            import enum
            from pydantic import BaseModel

            class Currency(enum.Enum):
                EUR = "EUR"

            class Rate(BaseModel):
                value: float

            class UnknownCurrency(Exception):
                def __init__(self) -> None: ...

            class Rates:
                def get(self, currency: Currency) -> float: ...
            """,
        ),
    ),
    Case(
        "a project that does not keep to the direction has none",
        {
            "shop/services/rates.py": """
            def get_rate(currency: str) -> float:
                return 1.0
            """,
            "shop/repositories/reports.py": """
            from shop.services.rates import get_rate

            def totals(session, currency: str) -> float:
                return get_rate(currency)
            """,
        },
    ),
)
