"""Money is `Decimal`, or an integer of the smallest unit, never `float`.

A float holds 0.1 only nearly. Sums drift, `0.1 + 0.2 == 0.3` is false, what a customer is charged and what
the invoice says differ by a cent, and a column of floats cannot be reconciled. `Decimal` in the schema and
`Numeric(12, 2)` in the table, or `amount_cents: int`, are exact.

Reported are columns, and fields of models that requests send, which are floats and named after money:
`price`, `salary`, `fee` and the like always; `amount`, `total`, `cost`, `balance` and `discount` only where
the class is about money too (an order, an invoice, a payment) or has a `currency`. Rates, percentages,
averages, estimates, predictions and filters, what is counted in tokens, prices of markets, and metrics are
left alone: nobody pays them. So are schemas that only answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.models import Column, Field
from fastwright.app.symbols import Class
from fastwright.app.types import Instance, Type, alternatives
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._carried import received

_SURE = frozenset(
    {"price", "salary", "wage", "fee", "fees", "subtotal", "payout", "refund", "prices", "salaries",
     "deposit", "tuition", "surcharge"}
)  # fmt: skip
_IN_CONTEXT = frozenset(
    {"amount", "total", "cost", "balance", "discount", "tax", "vat", "paid", "due", "credit", "debit",
     "rent", "revenue", "budget", "payment"}
)  # fmt: skip
_NOT_MONEY = frozenset(
    {"rate", "rates", "ratio", "percent", "percentage", "pct", "per", "token", "tokens", "score", "weight",
     "factor", "multiplier", "avg", "average", "mean", "median", "std", "min", "max", "predicted",
     "prediction", "predict", "estimated", "estimate", "expected", "change", "delta", "index", "history",
     "threshold", "limit", "count", "range", "trend", "growth", "lower", "upper", "target", "hours",
     "days", "time", "seconds", "from", "to", "gte", "lte", "gt", "lt", "calories", "usage", "level",
     "k", "1k", "1m", "million", "input", "output"}
)  # fmt: skip
_BUSINESS = frozenset(
    {"order", "invoice", "payment", "transaction", "cart", "checkout", "product", "wallet", "bill", "billing",
     "expense", "loan", "purchase", "sale", "booking", "subscription", "donation", "refund", "payout",
     "ledger", "receipt", "deposit", "withdrawal", "transfer", "salary", "payroll", "charge", "quotation",
     "reservation", "rental", "coupon", "account", "debt", "fee", "pledge", "fine", "topup"}
)  # fmt: skip
_NO_BUSINESS = frozenset(
    {"token", "tokens", "usage", "llm", "model", "completion", "predict", "prediction", "forecast", "feature",
     "features", "stock", "ticker", "candle", "market", "trade", "trading", "backtest", "coin", "ohlc",
     "indicator", "metric", "metrics", "stats", "statistic", "statistics", "analytics", "score", "estimate",
     "filter", "filters", "query", "search", "params", "signal", "strategy", "portfolio", "crypto", "bar",
     "house", "housing", "settings", "setting", "config", "chart", "agent", "simulation", "scraped"}
)  # fmt: skip
_OF_MARKETS = frozenset({"ticker", "symbol", "open", "high", "low", "volume", "bid", "ask"})
_FLOATS = frozenset(
    {
        "builtins.float",
        "pydantic.PositiveFloat",
        "pydantic.NonNegativeFloat",
        "pydantic.FiniteFloat",
    }
)
_FLOAT_COLUMNS = frozenset({"Float", "FLOAT", "Double", "DOUBLE", "DOUBLE_PRECISION", "REAL"})
_EXACT_COLUMNS = frozenset(
    {"Numeric", "NUMERIC", "DECIMAL", "Integer", "BigInteger", "String", "MONEY"}
)
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


def check(app: App) -> Iterator[Hit]:
    """Report float columns and float fields of received models that hold money."""
    seen: set[int] = set()
    for table in app.tables:
        for column in table.columns.values():
            if id(column.node) in seen or not _is_money(column.name, table.cls, table.columns):
                continue
            if _is_float_column(column):
                seen.add(id(column.node))
                yield _hit(table.cls, column.name, column.owner, column.node, ())
    for cls, route in received(app).values():
        schema = app.models.schema(cls)
        if schema is None:
            continue
        for field in schema.fields.values():
            if id(field.node) in seen or not _is_money(field.name, cls, schema.fields):
                continue
            if _is_float(field.type) or _is_confloat(field.node.annotation):
                seen.add(id(field.node))
                yield _hit(cls, field.name, field.owner, field.node, of_route(route))


def _hit(cls: Class, name: str, owner: Class, node: s.Node, chain: tuple[Evidence, ...]) -> Hit:
    message = f"{cls.name}.{name} is money in a float: use Decimal, or an integer of cents"
    return Hit(place(owner.module, node), message, chain, _fix(owner.module, node))


def _fix(module: Module, node: s.Node) -> Fix | None:
    """Return the fix for an annotation: `float` becomes `Decimal`. A column needs a migration too."""
    if not isinstance(node, s.AnnAssign) or _mentions_float(node.value):
        return None
    names = [
        each for each in s.walk(node.annotation) if isinstance(each, s.Name) and each.id == "float"
    ]
    decimal = bring(module, "decimal", "Decimal")
    if not names or decimal is None:
        return None
    return Fix("suggest", tuple(replace(module, n, decimal.name) for n in names), decimal.imports)


def _mentions_float(value: s.Expr | None) -> bool:
    """Whether a default is a float, or a column is told to be one."""
    return value is not None and any(
        (isinstance(node, s.Constant) and node.kind == "float")
        or s.last_name(node) in _FLOAT_COLUMNS
        for node in s.walk(value)
    )


def _is_money(name: str, cls: Class, siblings: dict[str, Column] | dict[str, Field]) -> bool:
    words = name.lower().split("_")
    if not _NOT_MONEY.isdisjoint(words) or len(_OF_MARKETS.intersection(siblings)) > 1:
        return False
    about = {word.lower() for word in _WORD.findall(cls.name)}
    if not _NO_BUSINESS.isdisjoint(about):
        return False
    if not _SURE.isdisjoint(words):
        return True
    if _IN_CONTEXT.isdisjoint(words):
        return False
    return not _BUSINESS.isdisjoint(about) or any("currency" in other for other in siblings)


def _is_float(found: Type) -> bool:
    options = alternatives(found)
    return any(isinstance(option, Instance) and option.cls in _FLOATS for option in options)


def _is_confloat(annotation: s.Expr) -> bool:
    return isinstance(annotation, s.Call) and s.last_name(annotation.func) == "confloat"


def _is_float_column(column: Column) -> bool:
    names = _type_names(column)
    if not names.isdisjoint(_EXACT_COLUMNS):
        return False
    if not names.isdisjoint(_FLOAT_COLUMNS):
        return True
    return isinstance(column.node, s.AnnAssign) and _is_float(column.type) and not names


def _type_names(column: Column) -> set[str]:
    """Return the names of types that the call of ``Column`` and its like mentions."""
    if column.call is None:
        return set()
    return {
        name
        for node in s.walk(column.call)
        if isinstance(node, (s.Name, s.Attribute))
        and (name := s.last_name(node) or "")[:1].isupper()
        and name not in {"Column", "Field", "CheckConstraint", "ForeignKey"}
    }


RULE = Rule(
    summary="money in a float",
    severity="warning",
    confidence="medium",
    mend="`Decimal` in schemas (`condecimal(max_digits=12, decimal_places=2)`), `Numeric(12, 2)` in"
    " tables, with a migration; or whole cents as integers.",
    app=check,
    references=(
        "https://docs.python.org/3/tutorial/floatingpoint.html",
        "https://docs.sqlalchemy.org/en/20/core/type_basics.html#sqlalchemy.types.Numeric",
        "CWE-1339",
    ),
)

CASES = (
    case(
        "columns of each style",
        """
        from sqlalchemy import Column, Float, Integer, Numeric
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
        from sqlmodel import Field, SQLModel

        class Base(DeclarativeBase): ...

        class Product(Base):
            __tablename__ = "products"
            id = Column(Integer, primary_key=True)
            price = Column(Float, nullable=False)  # <-
            weight = Column(Float)
            tax_rate = Column(Float)

        class Invoice(Base):
            __tablename__ = "invoices"
            id: Mapped[int] = mapped_column(primary_key=True)
            total: Mapped[float]  # <-
            tax_amount: Mapped[float | None] = mapped_column()  # <-
            fee: Mapped[float] = mapped_column(Numeric(10, 2))

        class Employee(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            salary: float  # <-
            bonus_cents: int = 0
        """,
        after="""
        from decimal import Decimal

        from sqlalchemy import Column, Float, Integer, Numeric
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
        from sqlmodel import Field, SQLModel

        class Base(DeclarativeBase): ...

        class Product(Base):
            __tablename__ = "products"
            id = Column(Integer, primary_key=True)
            price = Column(Float, nullable=False)
            weight = Column(Float)
            tax_rate = Column(Float)

        class Invoice(Base):
            __tablename__ = "invoices"
            id: Mapped[int] = mapped_column(primary_key=True)
            total: Mapped[Decimal]
            tax_amount: Mapped[Decimal | None] = mapped_column()
            fee: Mapped[float] = mapped_column(Numeric(10, 2))

        class Employee(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            salary: Decimal
            bonus_cents: int = 0
        """,
    ),
    Case(
        "bodies, nested and with constraints",
        {
            "schemas.py": """
                from decimal import Decimal
                from pydantic import BaseModel, Field, PositiveFloat

                class Line(BaseModel):
                    unit_price: PositiveFloat  # <-
                    quantity: float

                class OrderIn(BaseModel):
                    lines: list[Line]
                    total: float = Field(ge=0)  # <-
                    discount: Decimal
                    discount_percent: float = 0

                class Transfer(BaseModel):
                    amount: float  # <-
                    currency: str

                class OrderOut(BaseModel):
                    total: float
                """,
            "main.py": """
                from fastapi import FastAPI
                from schemas import OrderIn, OrderOut, Transfer

                app = FastAPI()

                @app.post("/orders")
                def create(order: OrderIn) -> OrderOut: ...

                @app.post("/transfers")
                def transfer(data: Transfer) -> None: ...
                """,
        },
    ),
    case(
        "no money: amounts of something else, tokens, markets, averages, filters, predictions",
        """
        from fastapi import FastAPI
        from pydantic import BaseModel
        from sqlmodel import Field, SQLModel

        class Ingredient(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            amount: float
            total: float

        class ModelCost(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            price: float
            input_price_per_token: float

        class Candle(SQLModel, table=True):
            id: int | None = Field(default=None, primary_key=True)
            symbol: str
            volume: float
            price: float

        class Summary(BaseModel):
            avg_price: float
            predicted_price: float
            min_price: float | None = None
            cost: float

        app = FastAPI()

        @app.post("/")
        def read(summary: Summary) -> None: ...
        """,
    ),
)
