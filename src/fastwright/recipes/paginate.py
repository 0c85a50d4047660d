"""Lists have a page: an endpoint that returns every row of a table takes `limit` and `offset`, with a bound.

The body keeps its shape: a list stays a list, of at most `limit` items. How many rows there are stands in the header
`X-Total-Count`, the way to the first, previous, next and last page in `Link` (RFC 8288). What a request asks for and what the headers say is
written once, in a `pagination.py` that all lists use: endpoints take `page: PageDep`, services and repositories hand it on, and who calls them
for no page gets every row, as before. Rows of no order, or of one that is not unique, are ordered by the primary key as well, because their
pages would overlap. A limit that is there already gets an upper bound.

`--style page` takes `page` and `size` instead, with the same headers. `--style cursor` takes a `cursor`, which stands for the last row of the page
before: nothing is counted or skipped, and `Link` leads to the next page only. An application has one style; later lists follow it.

A page is taken before rows become items, which is right where each row becomes one: in a comprehension, a loop, or with what is looked up for
the rows of the page. Left alone, with the reason: rows that are sifted, counted, numbered or sorted after they were read, functions that
others override or that tests stand in for, and statements of which a page is not as many rows. Cursors also leave alone an order by columns
that may hold nothing.

Contract change: two optional parameters (`limit`, 50 by default and at most 100, and `offset`; or those of the style), fewer items in one
answer, headers, and 422 for a limit beyond the bound.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.recipes.paging.chains import chains
from fastwright.recipes.paging.pagination import source
from fastwright.recipes.recipe import Case, Planned, Recipe, Target
from fastwright.recipes.shared.from_rules import planned_by


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for limits without a bound, and one for each list without a limit."""
    yield from planned_by(app, target, ("unbounded-limit",), frozenset({"contract"}))
    yield from chains(app, target)


RECIPE = Recipe(
    summary="a limit and an offset for lists",
    why="A list without a bound grows with the table, until answering it takes the service down.",
    plan=plan,
    since={"fastapi": "0.95"},
    contract=True,
    references=(
        "https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/",
    ),
)

_MODELS = """\
from sqlmodel import Field, Session, SQLModel


class Customer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    note: str
    number: str = Field(unique=True)
    paid: bool = False
    shipped: str | None = None
    customer_id: int = Field(foreign_key="customer.id")
    given_by: int | None = Field(default=None, foreign_key="customer.id")


def get_session() -> Session: ...
"""
_REPOSITORY = """\
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
"""
_SERVICE = """\
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
"""
_MAIN = """\
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
"""

CASES = (
    Case(
        "a list of every row: a page, with the total and the way to the others in headers",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/orders")
def orders(session: SessionDep) -> list[Order]:
    return session.exec(select(Order)).all()
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session
from pagination import PageDep, count_of

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/orders")
def orders(session: SessionDep, page: PageDep) -> list[Order]:
    statement = select(Order).order_by(Order.id)
    page.set_total(session.scalar(count_of(statement)) or 0)
    return session.exec(statement.offset(page.offset).limit(page.limit)).all()
""",
            "pagination.py": """\
\"\"\"Lists in pages: which rows a request asks for, and where the others are.\"\"\"

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Query, Request, Response
from sqlalchemy import Select, func, select


class Page:
    \"\"\"A part of a list. Who reads its rows says how many there are in all.\"\"\"

    def __init__(self, offset: int, limit: int) -> None:
        self.offset = offset
        self.limit = limit
        self.total = 0

    def set_total(self, total: int) -> None:
        self.total = total


class RequestedPage(Page):
    \"\"\"The page that a request asks for: headers of the answer lead to the others.\"\"\"

    def __init__(
        self,
        request: Request,
        response: Response,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> None:
        super().__init__(offset, limit)
        self._url = request.url.replace(path=quote(request.url.path))
        self._headers = response.headers

    def set_total(self, total: int) -> None:
        super().set_total(total)
        last = max(total - 1, 0) // self.limit * self.limit
        offsets = {"first": 0}
        if self.offset > 0:
            offsets["prev"] = min(max(self.offset - self.limit, 0), last)
        if self.offset + self.limit < total:
            offsets["next"] = self.offset + self.limit
        offsets["last"] = last
        self._headers["X-Total-Count"] = str(total)
        self._headers["Link"] = ", ".join(
            f'<{self._url.include_query_params(offset=offset, limit=self.limit)}>; rel="{relation}"'
            for relation, offset in offsets.items()
        )


PageDep = Annotated[RequestedPage, Depends()]


def count_of(statement: Select[Any]) -> Select[Any]:
    \"\"\"Return the statement that counts the rows of a statement.\"\"\"
    return select(func.count()).select_from(statement.order_by(None).subquery())
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
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/orders")
def orders(session: SessionDep, limit: int = 20) -> list[Order]:
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
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/orders")
def orders(session: SessionDep, limit: Annotated[int, Query(le=100)] = 20) -> list[Order]:
    return session.exec(select(Order).order_by(Order.id).limit(limit)).all()
""",
        },
    ),
    Case(
        "through a service and a repository: each hands on what the request asks for",
        {
            "models.py": _MODELS,
            "repository.py": _REPOSITORY,
            "service.py": _SERVICE,
            "main.py": _MAIN,
        },
        {
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order
from pagination import Page, count_of


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, order: Order) -> None:
        self.session.add(order)

    def paid(self, page: Page) -> Sequence[Order]:
        statement = select(Order).where(Order.paid).order_by(Order.id)
        page.set_total(self.session.scalar(count_of(statement)) or 0)
        return self.session.exec(statement.offset(page.offset).limit(page.limit)).all()
""",
            "service.py": """\
from models import Order
from pagination import Page
from repository import OrderRepository


class OrderService:
    def __init__(self, orders: OrderRepository) -> None:
        self.orders = orders

    def add(self, note: str) -> None:
        self.orders.add(Order(note=note))

    def paid(self, page: Page) -> list[str]:
        \"\"\"What customers wrote.\"\"\"
        orders = self.orders.paid(page)
        return [order.note for order in orders]
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import get_session
from pagination import PageDep
from repository import OrderRepository
from service import OrderService

app = FastAPI()


def get_service(session: Session = Depends(get_session)) -> OrderService:
    return OrderService(OrderRepository(session))


@app.post("/orders")
def create(note: str, service: OrderService = Depends(get_service)) -> None:
    service.add(note)


@app.get("/orders")
def orders(page: PageDep, service: OrderService = Depends(get_service)) -> list[str]:
    return service.paid(page)
""",
            "pagination.py": source("offset"),
        },
    ),
    Case(
        "who asks for no page gets every row, as before; two endpoints ask for one",
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


@app.get("/cities/{city}/users")
def users_of_city(city: str, db: Session = Depends(get_db)):
    return [{"name": user.name} for user in crud.list_users(db, city)]


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
from pagination import Page


def list_users(db: Session, city: Optional[str] = None, page: Optional[Page] = None):
    query = db.query(User)
    if city:
        query = query.filter(User.city == city)
    if page is not None:
        page.set_total(query.order_by(None).count())
        query = query.order_by(User.id).offset(page.offset).limit(page.limit)
    return query.all()
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

import crud
from models import User, get_db
from pagination import PageDep

app = FastAPI()


@app.post("/users")
def create(name: str, db: Session = Depends(get_db)) -> None:
    db.add(User(name=name))
    db.commit()


@app.get("/users")
def users(page: PageDep, db: Session = Depends(get_db)):
    return crud.list_users(db, page=page)


@app.get("/cities/{city}/users")
def users_of_city(city: str, page: PageDep, db: Session = Depends(get_db)):
    return [{"name": user.name} for user in crud.list_users(db, city, page)]


@app.get("/names/longest")
def longest(db: Session = Depends(get_db)) -> str:
    return max((user.name for user in crud.list_users(db)), key=len)
""",
            "pagination.py": source("offset", legacy=True),
        },
    ),
    Case(
        "rows become items one by one: in a loop, with what is looked up for them; rows of no order get one",
        {
            "models.py": """\
from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))


def get_session() -> AsyncSession: ...
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models import Author, Note, get_session

app = FastAPI()
SessionDep = Annotated[AsyncSession, Depends(get_session)]


@app.post("/notes")
async def create(title: str, author_id: int, session: SessionDep) -> None:
    session.add(Note(title=title, author_id=author_id))
    await session.commit()


@app.get("/notes")
async def notes(session: SessionDep, title: str = ""):
    result = await session.execute(
        select(Note)
        .where(Note.title.startswith(title))
        .order_by(Note.title)
    )
    rows = result.scalars().all()
    ids = [note.author_id for note in rows]
    found = await session.scalars(select(Author).where(Author.id.in_(ids)))
    authors = {author.id: author for author in found}
    answer = []
    for note in rows:
        author = authors.get(note.author_id)
        if author is not None:
            answer.append({"title": note.title, "author": author.name})
    return {"notes": answer, "title": title}
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models import Author, Note, get_session
from pagination import PageDep, count_of

app = FastAPI()
SessionDep = Annotated[AsyncSession, Depends(get_session)]


@app.post("/notes")
async def create(title: str, author_id: int, session: SessionDep) -> None:
    session.add(Note(title=title, author_id=author_id))
    await session.commit()


@app.get("/notes")
async def notes(session: SessionDep, page: PageDep, title: str = ""):
    statement = (
        select(Note)
        .where(Note.title.startswith(title))
        .order_by(Note.title, Note.id)
    )
    page.set_total(await session.scalar(count_of(statement)) or 0)
    result = await session.execute(
        statement.offset(page.offset).limit(page.limit)
    )
    rows = result.scalars().all()
    ids = [note.author_id for note in rows]
    found = await session.scalars(select(Author).where(Author.id.in_(ids)))
    authors = {author.id: author for author in found}
    answer = []
    for note in rows:
        author = authors.get(note.author_id)
        if author is not None:
            answer.append({"title": note.title, "author": author.name})
    return {"notes": answer, "title": title}
""",
            "pagination.py": source("offset"),
        },
    ),
    Case(
        "a port takes a page as its adapter does",
        {
            "models.py": _MODELS,
            "ports.py": """\
from collections.abc import Sequence
from typing import Protocol

from models import Order


class OrderRepository(Protocol):
    def list_all(self) -> Sequence[Order]: ...
""",
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order


class SqlOrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def list_all(self) -> Sequence[Order]:
        return self.session.exec(select(Order).order_by(Order.number)).all()
""",
            "dependencies.py": """\
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session

from models import get_session
from ports import OrderRepository
from repository import SqlOrderRepository

SessionDep = Annotated[Session, Depends(get_session)]


def get_orders(session: SessionDep) -> OrderRepository:
    return SqlOrderRepository(session)


OrdersDep = Annotated[OrderRepository, Depends(get_orders)]
""",
            "main.py": """\
from fastapi import FastAPI

from dependencies import OrdersDep, SessionDep
from models import Order

app = FastAPI()


@app.post("/orders")
def create(note: str, session: SessionDep) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders")
def orders(orders: OrdersDep) -> list[Order]:
    return orders.list_all()
""",
        },
        {
            "ports.py": """\
from collections.abc import Sequence
from typing import Protocol

from models import Order
from pagination import Page


class OrderRepository(Protocol):
    def list_all(self, page: Page) -> Sequence[Order]: ...
""",
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order
from pagination import Page, count_of


class SqlOrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def list_all(self, page: Page) -> Sequence[Order]:
        statement = select(Order).order_by(Order.number)
        page.set_total(self.session.scalar(count_of(statement)) or 0)
        return self.session.exec(statement.offset(page.offset).limit(page.limit)).all()
""",
            "main.py": """\
from fastapi import FastAPI

from dependencies import OrdersDep, SessionDep
from models import Order
from pagination import PageDep

app = FastAPI()


@app.post("/orders")
def create(note: str, session: SessionDep) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders")
def orders(orders: OrdersDep, page: PageDep) -> list[Order]:
    return orders.list_all(page)
""",
            "pagination.py": source("offset"),
        },
    ),
    Case(
        "a repository for every table: ordered by the key of whichever it is",
        {
            "models.py": _MODELS,
            "repository.py": """\
from collections.abc import Sequence
from typing import Generic, TypeVar

from sqlmodel import Session, SQLModel, select

from models import Order

T = TypeVar("T", bound=SQLModel)


class Repository(Generic[T]):
    model: type[T]

    def __init__(self, session: Session) -> None:
        self.session = session

    def every(self) -> Sequence[T]:
        return self.session.exec(select(self.model)).all()


class OrderRepository(Repository[Order]):
    model = Order
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import Order, get_session
from repository import OrderRepository

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/orders")
def orders(session: SessionDep) -> list[Order]:
    return OrderRepository(session).every()
""",
        },
        {
            "repository.py": """\
from collections.abc import Sequence
from typing import Generic, TypeVar

from sqlalchemy import inspect
from sqlmodel import Session, SQLModel, select

from models import Order
from pagination import Page, count_of

T = TypeVar("T", bound=SQLModel)


class Repository(Generic[T]):
    model: type[T]

    def __init__(self, session: Session) -> None:
        self.session = session

    def every(self, page: Page) -> Sequence[T]:
        statement = select(self.model).order_by(*inspect(self.model).primary_key)
        page.set_total(self.session.scalar(count_of(statement)) or 0)
        return self.session.exec(statement.offset(page.offset).limit(page.limit)).all()


class OrderRepository(Repository[Order]):
    model = Order
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import Order, get_session
from pagination import PageDep
from repository import OrderRepository

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/orders")
def orders(session: SessionDep, page: PageDep) -> list[Order]:
    return OrderRepository(session).every(page)
""",
            "pagination.py": source("offset"),
        },
    ),
    Case(
        "numbered pages",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/orders")
def orders(session: SessionDep) -> list[Order]:
    return session.exec(select(Order)).all()
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session
from pagination import PageDep, count_of

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/orders")
def orders(session: SessionDep, page: PageDep) -> list[Order]:
    statement = select(Order).order_by(Order.id)
    page.set_total(session.scalar(count_of(statement)) or 0)
    return session.exec(statement.offset(page.offset).limit(page.limit)).all()
""",
            "pagination.py": source("page"),
        },
        target=Target(paging="page"),
    ),
    Case(
        "cursors: the order, made unique, and what comes behind the last row of a page",
        {
            "models.py": _MODELS,
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, col, select

from models import Order


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def paid(self) -> Sequence[Order]:
        statement = select(Order).where(Order.paid)
        statement = statement.order_by(col(Order.note).desc())
        return self.session.exec(statement).all()
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session
from repository import OrderRepository

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(note: str, session: SessionDep) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders/paid")
def paid(session: SessionDep) -> list[Order]:
    return OrderRepository(session).paid()


@app.get("/orders")
def orders(session: SessionDep) -> list[Order]:
    return session.exec(select(Order).order_by(Order.number)).all()
""",
        },
        {
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order
from pagination import Page


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def paid(self, page: Page) -> Sequence[Order]:
        statement = select(Order).where(Order.paid)
        return page.take(self.session.exec(page.of(statement, Order.note, Order.id, descending=True)).all())
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session
from pagination import PageDep
from repository import OrderRepository

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(note: str, session: SessionDep) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders/paid")
def paid(session: SessionDep, page: PageDep) -> list[Order]:
    return OrderRepository(session).paid(page)


@app.get("/orders")
def orders(session: SessionDep, page: PageDep) -> list[Order]:
    return page.take(session.exec(page.of(select(Order), Order.number)).all())
""",
            "pagination.py": source("cursor"),
        },
        target=Target(paging="cursor"),
    ),
    Case(
        "pages that are there: what others have written is used",
        {
            "models.py": _MODELS,
            "pagination.py": source("offset", legacy=True),
            "repository.py": """\
from collections.abc import Sequence

from sqlalchemy.orm import Session

from models import Order
from pagination import Page


def list_orders(db: Session, page: Page | None = None) -> Sequence[Order]:
    query = db.query(Order)
    if page is not None:
        page.set_total(query.order_by(None).count())
        query = query.order_by(Order.id).offset(page.offset).limit(page.limit)
    return query.all()
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session
from repository import list_orders

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(note: str, session: SessionDep) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders")
def orders(session: SessionDep) -> list[Order]:
    return list_orders(session)


@app.get("/notes")
def notes(session: SessionDep) -> list[str]:
    return [order.note for order in session.exec(select(Order)).all()]
""",
        },
        {
            "pagination.py": source("offset"),
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session
from pagination import PageDep, count_of
from repository import list_orders

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(note: str, session: SessionDep) -> None:
    session.add(Order(note=note))
    session.commit()


@app.get("/orders")
def orders(session: SessionDep, page: PageDep) -> list[Order]:
    return list_orders(session, page)


@app.get("/notes")
def notes(session: SessionDep, page: PageDep) -> list[str]:
    statement = select(Order).order_by(Order.id)
    page.set_total(session.scalar(count_of(statement)) or 0)
    return [order.note for order in session.exec(statement.offset(page.offset).limit(page.limit)).all()]
""",
        },
    ),
    Case(
        "left alone: pages of another kind are there",
        {
            "models.py": _MODELS,
            "pagination.py": source("offset"),
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/orders")
def orders(session: SessionDep) -> list[Order]:
    return session.exec(select(Order)).all()
""",
        },
        stopped=("main.py:21",),
        target=Target(paging="cursor"),
    ),
    Case(
        "left alone: a page of the rows would not be a page of the answer",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Customer, Order, get_session

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/sifted")
def sifted(session: SessionDep) -> list[str]:
    return [order.note for order in session.exec(select(Order)).all() if order.note]


@app.get("/skipped")
def skipped(session: SessionDep):
    found = []
    for order in session.exec(select(Order)).all():
        if not order.paid:
            continue
        found.append(order.note)
    return found


@app.get("/chosen")
def chosen(session: SessionDep, note: str = ""):
    orders = session.exec(select(Order)).all()
    if note:
        orders = [order for order in orders if note in order.note]
    return orders


@app.get("/sorted")
def by_note(session: SessionDep):
    return sorted(session.exec(select(Order)).all(), key=lambda order: order.note)


@app.get("/counted")
def counted(session: SessionDep):
    orders = session.exec(select(Order)).all()
    return {"orders": orders, "count": len(orders)}


@app.get("/numbered")
def numbered(session: SessionDep):
    orders = session.exec(select(Order)).all()
    return [{"number": number, "note": order.note} for number, order in enumerate(orders)]


@app.get("/added")
def added(session: SessionDep):
    found = []
    total = 0
    for order in session.exec(select(Order)).all():
        total += len(order.note)
        found.append(total)
    return found


@app.get("/different")
def different(session: SessionDep):
    seen = set()
    found = []
    for order in session.exec(select(Order)).all():
        if order.note not in seen:
            seen.add(order.note)
            found.append(order.note)
    return found


@app.get("/known")
def known(session: SessionDep):
    orders = session.exec(select(Order)).all()
    ids = [order.customer_id for order in orders]
    named = select(Customer).where(Customer.id.in_(ids), Customer.name != "")
    customers = {customer.id: customer for customer in session.exec(named).all()}
    found = []
    for order in orders:
        customer = customers.get(order.customer_id)
        if customer is not None:
            found.append(customer.name)
    return found


@app.get("/two")
def two(session: SessionDep):
    paid = session.exec(select(Order).where(Order.paid)).all()
    return {"paid": paid, "all": session.exec(select(Order)).all()}


@app.get("/none")
def none(session: SessionDep):
    orders = session.exec(select(Order)).all()
    if not orders:
        return ["none"]
    return [order.note for order in orders]


@app.get("/alone")
def called(session: SessionDep):
    return session.exec(select(Order)).all()


def every() -> int:
    return len(called(get_session()))


@app.get("/others")
def others(session: SessionDep, name: str):
    favourite = session.exec(select(Customer).where(Customer.name == name)).first()
    found = []
    for order in session.exec(select(Order)).all():
        customer = session.get(Customer, order.customer_id)
        if customer is not favourite:
            found.append(customer.name)
    return found


@app.get("/given")
def given(session: SessionDep):
    found = []
    for order in session.exec(select(Order)).all():
        giver = session.get(Customer, order.given_by)
        if giver is not None:
            found.append(giver.name)
    return found
""",
        },
        stopped=(
            "main.py:21",
            "main.py:26",
            "main.py:36",
            "main.py:44",
            "main.py:49",
            "main.py:55",
            "main.py:61",
            "main.py:71",
            "main.py:82",
            "main.py:96",
            "main.py:102",
            "main.py:110",
            "main.py:119",
            "main.py:130",
        ),
    ),
    Case(
        "left alone: a statement of which a page is less, or a name that is taken",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/distinct")
def distinct(session: SessionDep):
    return session.exec(select(Order).distinct()).all()


@app.get("/page")
def paper(session: SessionDep):
    page = "A4"
    orders = session.exec(select(Order)).all()
    return {"orders": orders, "paper": page}


@app.get("/line")
def line(session: SessionDep): return session.exec(select(Order)).all()
""",
        },
        stopped=("main.py:21", "main.py:26", "main.py:33"),
    ),
    Case(
        "left alone: a repository that another one stands in for",
        {
            "models.py": _MODELS,
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
            "service.py": _SERVICE,
            "main.py": _MAIN,
        },
        stopped=("main.py:21",),
    ),
    Case(
        "left alone: a test's own repository",
        {
            "models.py": _MODELS,
            "repository.py": _REPOSITORY,
            "service.py": _SERVICE,
            "main.py": _MAIN,
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
    Case(
        "left alone by cursors: an order that holds nothing in some rows, or goes up and down; others ask for all",
        {
            "models.py": _MODELS,
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, select

from models import Order


def list_orders(session: Session) -> Sequence[Order]:
    return session.exec(select(Order)).all()


def count_orders(session: Session) -> int:
    return len(list_orders(session))
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, col, select

from models import Order, get_session
from repository import list_orders

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.post("/orders")
def create(order: Order, session: SessionDep) -> Order:
    order = Order.model_validate(order)
    session.add(order)
    session.commit()
    return order


@app.get("/shipped")
def shipped(session: SessionDep):
    return session.exec(select(Order).order_by(Order.shipped)).all()


@app.get("/up")
def up_and_down(session: SessionDep):
    return session.exec(select(Order).order_by(Order.note, col(Order.id).desc())).all()


@app.get("/all")
def every(session: SessionDep):
    return list_orders(session)
""",
        },
        stopped=("main.py:22", "main.py:27", "main.py:32"),
        target=Target(paging="cursor"),
    ),
)
