"""Lists have a page: an endpoint that returns every row of a table takes `limit` and `offset`, with a bound.

The body keeps its shape: a list stays a list, of at most `limit` items. A limit that is there already gets an upper bound. Where the
statement has no order, it is ordered by the table's primary key, because pages of unordered rows overlap.

Where services and repositories hand the rows up, each of them takes the two and hands them on; who else calls them gets every row, as
before. Left alone, with the reason: rows that are sifted, counted or sorted after they were read, functions that others override or that
tests stand in for, and statements of which a page is not as many rows.

Contract change: two optional parameters (`limit`, 50 by default and at most 100, and `offset`), fewer items in one answer, and 422 for a limit
beyond the bound.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.recipes._chains import chains
from fastwright.recipes._from_rules import planned_by
from fastwright.recipes.recipe import Case, Planned, Recipe, Target


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for limits without a bound, and one for each list without a limit."""
    yield from planned_by(app, target, ("unbounded-limit",), frozenset({"contract"}))
    yield from chains(app, target)


RECIPE = Recipe(
    summary="a limit and an offset for lists",
    why="A list without a bound grows with the table, until answering it takes the service down.",
    plan=plan,
    contract=True,
    references=(
        "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/",
    ),
)

_MODELS = """\
from sqlmodel import Field, Session, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str


def get_session() -> Session: ...
"""

CASES = (
    Case(
        "a list of every row",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()


@app.post("/orders")
def create(note: str, session: Annotated[Session, Depends(get_session)]) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders")
def orders(session: Annotated[Session, Depends(get_session)]) -> list[Order]:
    return session.exec(select(Order)).all()
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()


@app.post("/orders")
def create(note: str, session: Annotated[Session, Depends(get_session)]) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders")
def orders(session: Annotated[Session, Depends(get_session)], offset: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> list[Order]:
    return session.exec(select(Order).order_by(Order.id).offset(offset).limit(limit)).all()
""",
        },
    ),
    Case(
        "a limit without a bound",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()


@app.get("/orders")
def orders(session: Annotated[Session, Depends(get_session)], limit: int = 20) -> list[Order]:
    return session.exec(select(Order).order_by(Order.id).limit(limit)).all()
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()


@app.get("/orders")
def orders(session: Annotated[Session, Depends(get_session)], limit: Annotated[int, Query(le=100)] = 20) -> list[Order]:
    return session.exec(select(Order).order_by(Order.id).limit(limit)).all()
""",
        },
    ),
    Case(
        "through a service and a repository: each hands on what the request asks for",
        {
            "models.py": """\
from sqlmodel import Field, Session, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
    paid: bool = False


def get_session() -> Session: ...
""",
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, order: Order) -> None:
        self.session.add(order)

    def paid(self) -> Sequence[Order]:
        return self.session.exec(select(Order).where(Order.paid)).all()
""",
            "service.py": """\
from models import Order
from repository import OrderRepository


class OrderService:
    def __init__(self, orders: OrderRepository) -> None:
        self.orders = orders

    def add(self, note: str) -> None:
        self.orders.add(Order(note=note))

    def paid(self) -> list[str]:
        \"\"\"What customers wrote.\"\"\"
        orders = self.orders.paid()
        return [order.note for order in orders]
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import get_session
from repository import OrderRepository
from service import OrderService

app = FastAPI()


def get_service(session: Session = Depends(get_session)) -> OrderService:
    return OrderService(OrderRepository(session))


@app.post("/orders")
def create(note: str, service: OrderService = Depends(get_service)) -> None:
    service.add(note)


@app.get("/orders")
def orders(service: OrderService = Depends(get_service)) -> list[str]:
    return service.paid()
""",
        },
        {
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, order: Order) -> None:
        self.session.add(order)

    def paid(self, offset: int = 0, limit: int | None = None) -> Sequence[Order]:
        return self.session.exec(select(Order).where(Order.paid).order_by(Order.id).offset(offset).limit(limit)).all()
""",
            "service.py": """\
from models import Order
from repository import OrderRepository


class OrderService:
    def __init__(self, orders: OrderRepository) -> None:
        self.orders = orders

    def add(self, note: str) -> None:
        self.orders.add(Order(note=note))

    def paid(self, offset: int = 0, limit: int | None = None) -> list[str]:
        \"\"\"What customers wrote.\"\"\"
        orders = self.orders.paid(offset=offset, limit=limit)
        return [order.note for order in orders]
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from sqlmodel import Session

from models import get_session
from repository import OrderRepository
from service import OrderService

app = FastAPI()


def get_service(session: Session = Depends(get_session)) -> OrderService:
    return OrderService(OrderRepository(session))


@app.post("/orders")
def create(note: str, service: OrderService = Depends(get_service)) -> None:
    service.add(note)


@app.get("/orders")
def orders(service: OrderService = Depends(get_service), offset: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> list[str]:
    return service.paid(offset=offset, limit=limit)
""",
        },
    ),
    Case(
        "who asks for no page gets every row, as before",
        {
            "models.py": """\
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import Session, declarative_base

Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)
    city = Column(String)


def get_db() -> Session: ...
""",
            "crud.py": """\
from typing import Optional

from sqlalchemy.orm import Session

from models import User


def list_users(db: Session, city: Optional[str] = None):
    query = db.query(User)
    if city:
        query = query.filter(User.city == city)
    return query.all()
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

import crud
from models import User, get_db

app = FastAPI()


@app.post("/users")
def create(name: str, db: Session = Depends(get_db)) -> None:
    db.add(User(name=name))
    db.commit()


@app.get("/users")
def users(db: Session = Depends(get_db)):
    return crud.list_users(db)


@app.get("/names/longest")
def longest(db: Session = Depends(get_db)) -> str:
    return max((user.name for user in crud.list_users(db)), key=len)
""",
        },
        {
            "crud.py": """\
from typing import Optional

from sqlalchemy.orm import Session

from models import User


def list_users(db: Session, city: Optional[str] = None, offset: int = 0, limit: Optional[int] = None):
    query = db.query(User)
    if city:
        query = query.filter(User.city == city)
    return query.order_by(User.id).offset(offset).limit(limit).all()
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from sqlalchemy.orm import Session

import crud
from models import User, get_db

app = FastAPI()


@app.post("/users")
def create(name: str, db: Session = Depends(get_db)) -> None:
    db.add(User(name=name))
    db.commit()


@app.get("/users")
def users(db: Session = Depends(get_db), offset: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 50):
    return crud.list_users(db, offset=offset, limit=limit)


@app.get("/names/longest")
def longest(db: Session = Depends(get_db)) -> str:
    return max((user.name for user in crud.list_users(db)), key=len)
""",
        },
    ),
    Case(
        "left alone: rows that are sifted after they were read, or used for more than the answer",
        {
            "models.py": """\
from sqlmodel import Field, Session, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
    paid: bool = False


def get_session() -> Session: ...
""",
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, order: Order) -> None:
        self.session.add(order)

    def paid(self) -> Sequence[Order]:
        return self.session.exec(select(Order).where(Order.paid)).all()
""",
            "service.py": """\
from models import Order
from repository import OrderRepository


class OrderService:
    def __init__(self, orders: OrderRepository) -> None:
        self.orders = orders

    def add(self, note: str) -> None:
        self.orders.add(Order(note=note))

    def paid(self) -> list[str]:
        \"\"\"What customers wrote.\"\"\"
        orders = self.orders.paid()
        return [order.note for order in orders if order.note]
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import get_session
from repository import OrderRepository
from service import OrderService

app = FastAPI()


def get_service(session: Session = Depends(get_session)) -> OrderService:
    return OrderService(OrderRepository(session))


@app.post("/orders")
def create(note: str, service: OrderService = Depends(get_service)) -> None:
    service.add(note)


@app.get("/orders")
def orders(service: OrderService = Depends(get_service)) -> list[str]:
    return service.paid()
""",
        },
        stopped=("main.py:21",),
    ),
    Case(
        "left alone: a list that is counted as well",
        {
            "models.py": """\
from sqlmodel import Field, Session, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
    paid: bool = False


def get_session() -> Session: ...
""",
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, order: Order) -> None:
        self.session.add(order)

    def paid(self) -> Sequence[Order]:
        return self.session.exec(select(Order).where(Order.paid)).all()
""",
            "service.py": """\
from models import Order
from repository import OrderRepository


class OrderService:
    def __init__(self, orders: OrderRepository) -> None:
        self.orders = orders

    def add(self, note: str) -> None:
        self.orders.add(Order(note=note))

    def paid(self) -> list[str]:
        \"\"\"What customers wrote.\"\"\"
        orders = self.orders.paid()
        if not orders:
            return ["none"]
        return [order.note for order in orders]
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import get_session
from repository import OrderRepository
from service import OrderService

app = FastAPI()


def get_service(session: Session = Depends(get_session)) -> OrderService:
    return OrderService(OrderRepository(session))


@app.post("/orders")
def create(note: str, service: OrderService = Depends(get_service)) -> None:
    service.add(note)


@app.get("/orders")
def orders(service: OrderService = Depends(get_service)) -> list[str]:
    return service.paid()
""",
        },
        stopped=("main.py:21",),
    ),
    Case(
        "left alone: a repository that another one stands in for",
        {
            "models.py": """\
from sqlmodel import Field, Session, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
    paid: bool = False


def get_session() -> Session: ...
""",
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, order: Order) -> None:
        self.session.add(order)

    def paid(self) -> Sequence[Order]:
        return self.session.exec(select(Order).where(Order.paid)).all()


class Fake(OrderRepository):
    def paid(self) -> Sequence[Order]:
        return []
""",
            "service.py": """\
from models import Order
from repository import OrderRepository


class OrderService:
    def __init__(self, orders: OrderRepository) -> None:
        self.orders = orders

    def add(self, note: str) -> None:
        self.orders.add(Order(note=note))

    def paid(self) -> list[str]:
        \"\"\"What customers wrote.\"\"\"
        orders = self.orders.paid()
        return [order.note for order in orders]
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import get_session
from repository import OrderRepository
from service import OrderService

app = FastAPI()


def get_service(session: Session = Depends(get_session)) -> OrderService:
    return OrderService(OrderRepository(session))


@app.post("/orders")
def create(note: str, service: OrderService = Depends(get_service)) -> None:
    service.add(note)


@app.get("/orders")
def orders(service: OrderService = Depends(get_service)) -> list[str]:
    return service.paid()
""",
        },
        stopped=("main.py:21",),
    ),
    Case(
        "left alone: a test's own repository",
        {
            "models.py": """\
from sqlmodel import Field, Session, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
    paid: bool = False


def get_session() -> Session: ...
""",
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, order: Order) -> None:
        self.session.add(order)

    def paid(self) -> Sequence[Order]:
        return self.session.exec(select(Order).where(Order.paid)).all()
""",
            "service.py": """\
from models import Order
from repository import OrderRepository


class OrderService:
    def __init__(self, orders: OrderRepository) -> None:
        self.orders = orders

    def add(self, note: str) -> None:
        self.orders.add(Order(note=note))

    def paid(self) -> list[str]:
        \"\"\"What customers wrote.\"\"\"
        orders = self.orders.paid()
        return [order.note for order in orders]
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import get_session
from repository import OrderRepository
from service import OrderService

app = FastAPI()


def get_service(session: Session = Depends(get_session)) -> OrderService:
    return OrderService(OrderRepository(session))


@app.post("/orders")
def create(note: str, service: OrderService = Depends(get_service)) -> None:
    service.add(note)


@app.get("/orders")
def orders(service: OrderService = Depends(get_service)) -> list[str]:
    return service.paid()
""",
            "tests/test_orders.py": """\
from models import Order
from service import OrderService


class Orders:
    def paid(self) -> list[Order]:
        return [Order(note="yes")]


def test_notes() -> None:
    assert OrderService(Orders()).paid() == ["yes"]
""",
        },
        stopped=("main.py:21",),
    ),
)
