"""What eager-load makes of applications, run: the same answers, and as many queries for many rows as for few."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from test_recipes import run

from fastwright.recipes.recipe import Case
from fastwright.recipes.registry import recipes

_DRIVER = """\
import asyncio, json, sys
from fastapi.testclient import TestClient
from sqlalchemy import event
import database, main

counted = []


def count(connection, cursor, statement, *given):
    if statement.startswith("SELECT"):
        counted.append(statement)


engine = getattr(database.engine, "sync_engine", database.engine)
event.listen(engine, "before_cursor_execute", count)
answers = {}
with TestClient(main.app) as client:
    for rows in (3, 12):
        if hasattr(database.engine, "sync_engine"):
            asyncio.run(database.fill(rows))
        else:
            database.fill(rows)
        for path in main.PATHS:
            counted.clear()
            answer = client.get(path)
            answers[f"{path} {rows}"] = [answer.status_code, answer.json(), len(counted)]
print(json.dumps(answers))
"""

_SQLMODEL = {
    "database.py": """\
from sqlalchemy.pool import StaticPool
from sqlmodel import Field, Relationship, Session, SQLModel, create_engine


class Customer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    orders: list["Order"] = Relationship(back_populates="customer")


class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    sku: str = Field(unique=True)
    stock: int = 0


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int = Field(foreign_key="customer.id")
    total: int = 0
    customer: Customer = Relationship(back_populates="orders")
    lines: list["Line"] = Relationship(back_populates="order")


class Line(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="order.id")
    product_id: int = Field(foreign_key="product.id")
    quantity: int = 1
    order: Order = Relationship(back_populates="lines")
    product: Product = Relationship()


engine = create_engine(
    "sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool
)


def get_session():
    with Session(engine) as session:
        yield session


def fill(rows: int) -> None:
    SQLModel.metadata.drop_all(engine)
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        for number in range(1, rows + 1):
            session.add(Customer(id=number, name=f"customer {number}"))
            session.add(Product(id=number, sku=f"P{number}", stock=number))
        session.commit()
        for number in range(1, rows + 1):
            session.add(Order(id=number, customer_id=1 + number // 2, total=number))
            session.flush()
            for other in range(1, rows + 1):
                session.add(Line(order_id=number, product_id=other, quantity=other % 3))
        session.commit()
""",
    "repository.py": """\
from collections.abc import Sequence

from fastapi import HTTPException
from sqlmodel import Session, func, select

from database import Order, Product


class Products:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, product_id: int) -> Product | None:
        return self.session.get(Product, product_id)

    def get_or_404(self, product_id: int) -> Product:
        product = self.get(product_id)
        if product is None or product.stock > 100:
            raise HTTPException(404, f"No product {product_id}")
        return product


class Orders:
    def __init__(self, session: Session) -> None:
        self.session = session

    def of_customer(self, customer_id: int) -> Sequence[Order]:
        return self.session.exec(select(Order).where(Order.customer_id == customer_id)).all()

    def spent(self, customer_id: int) -> int:
        statement = select(func.sum(Order.total)).where(Order.customer_id == customer_id)
        return self.session.exec(statement).one() or 0
""",
    "main.py": """\
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from sqlmodel import Session, func, select

from database import Customer, Line, Order, Product, get_session
from repository import Orders, Products

app = FastAPI()
PATHS = [
    "/orders", "/orders/1", "/orders/99", "/made", "/cancelled", "/public", "/lines", "/known",
    "/required/2", "/required/77",
    "/customers", "/spent", "/pieces",
]


class ProductPublic(BaseModel):
    sku: str


class LinePublic(BaseModel):
    quantity: int
    product: ProductPublic


class OrderPublic(BaseModel):
    id: int
    lines: list[LinePublic]


def public(order: Order) -> dict[str, object]:
    return {"id": order.id, "skus": [line.product.sku for line in order.lines]}


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[dict[str, object]]:
    found = session.exec(select(Order).order_by(Order.id)).all()
    return [public(order) for order in found]


@app.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session)) -> dict[str, object]:
    order = session.get(Order, order_id)
    if order is None:
        raise HTTPException(404, f"No order {order_id}")
    return public(order)


@app.get("/made")
def made(session: Session = Depends(get_session)) -> dict[str, object]:
    products = session.exec(select(Product)).all()
    order = Order(customer_id=1)
    session.add(order)
    session.flush()
    session.add_all([Line(order_id=order.id, product_id=product.id) for product in products])
    session.commit()
    session.refresh(order)
    answer = public(order)
    return answer


@app.get("/cancelled")
def cancelled(session: Session = Depends(get_session)) -> dict[str, object]:
    order = session.get(Order, 2)
    for line in order.lines:
        product = session.get(Product, line.product_id)
        product.stock += line.quantity
        session.add(product)
    session.commit()
    session.refresh(order)
    return {**public(order), "stock": sum(line.product.stock for line in order.lines)}


@app.get("/public", response_model=list[OrderPublic])
def all_public(session: Session = Depends(get_session)):
    return session.exec(select(Order).order_by(Order.id)).all()


@app.get("/lines")
def lines(session: Session = Depends(get_session)) -> list[str]:
    found = []
    for line in session.exec(select(Line).order_by(Line.id)).all():
        if line.quantity > 1:
            product = session.get(Product, line.product_id)
            found.append(f"{line.quantity} {product.sku}")
    return found


@app.get("/known")
def known(session: Session = Depends(get_session)) -> list[int]:
    products, found = Products(session), []
    wanted = [3, 1, 3, 2, 77]
    numbers = [line.product_id for line in session.exec(select(Line)).all()] + wanted
    for number in numbers:
        product = products.get(number)
        if product is None:
            raise HTTPException(404, f"No product {number} after {len(found)}")
        found.append(product.stock)
    return found


@app.get("/required/{last}")
def required(last: int, session: Session = Depends(get_session)) -> list[int]:
    products = Products(session)
    numbers = [line.product_id for line in session.exec(select(Line)).all()] + [last]
    return [products.get_or_404(number).stock for number in numbers]


@app.get("/customers")
def customers(session: Session = Depends(get_session)) -> list[dict[str, object]]:
    repository, found = Orders(session), []
    for customer in session.exec(select(Customer).order_by(Customer.id)).all():
        totals = [order.total for order in repository.of_customer(customer.id)]
        found.append({"name": customer.name, "totals": totals})
    return found


@app.get("/spent")
def spent(session: Session = Depends(get_session)) -> list[int]:
    repository = Orders(session)
    customers = session.exec(select(Customer).order_by(Customer.id)).all()
    return [repository.spent(customer.id) for customer in customers]


@app.get("/pieces")
def pieces(session: Session = Depends(get_session)) -> list[int]:
    found = []
    for product in session.exec(select(Product).order_by(Product.id)).all():
        count = session.exec(
            select(func.count()).select_from(Line).where(
                Line.product_id == product.id, Line.quantity > 1
            )
        ).one()
        found.append(count)
    return found
""",
}

_ASYNC = {
    "database.py": """\
from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase): ...


post_tags = Table(
    "post_tags",
    Base.metadata,
    Column("post_id", ForeignKey("posts.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship()


class Comment(Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))


engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
make = async_sessionmaker(engine, expire_on_commit=False)


async def get_db() -> AsyncSession:
    async with make() as session:
        yield session


async def fill(rows: int) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with make() as session:
        for number in range(1, rows + 1):
            session.add(Tag(id=number, name=f"tag {number}"))
            session.add(Author(id=number, name=f"author {number}"))
        await session.flush()
        for number in range(1, rows + 1):
            session.add(Post(id=number, author_id=number))
        await session.flush()
        for number in range(2, rows + 1):
            session.add(Comment(post_id=number, author_id=1))
            for other in range(1, number):
                await session.execute(post_tags.insert().values(post_id=number, tag_id=other))
        await session.commit()
""",
    "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from database import Author, Comment, Post, Tag, get_db, post_tags

app = FastAPI()
PATHS = ["/tags", "/comments", "/posts"]


@app.get("/tags")
async def tags(db: AsyncSession = Depends(get_db)):
    result = await db.execute(select(Tag).order_by(Tag.name))
    found = []
    for tag in result.scalars().all():
        count = await db.scalar(
            select(func.count()).select_from(post_tags).where(post_tags.c.tag_id == tag.id)
        )
        found.append({"name": tag.name, "posts": count})
    return found


@app.get("/comments")
async def comments(db: AsyncSession = Depends(get_db)):
    comments = (await db.scalars(select(Comment).order_by(Comment.id))).all()
    return [(await db.get(Author, comment.author_id)).name for comment in comments]


@app.get("/posts")
async def posts(db: AsyncSession = Depends(get_db)):
    found = []
    for post in (await db.scalars(select(Post).order_by(Post.id))).all():
        result = await db.execute(select(func.max(Comment.id)).where(Comment.post_id == post.id))
        newest = result.scalar()
        found.append({"id": post.id, "newest": newest})
    return found
""",
}

_LEGACY = {
    "database.py": """\
from sqlalchemy import Column, ForeignKey, Integer, String, create_engine
from sqlalchemy.orm import Mapped, Session, declarative_base, relationship
from sqlalchemy.pool import StaticPool

Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class Issue(Base):
    __tablename__ = "issues"
    id = Column(Integer, primary_key=True)
    reporter_id = Column(Integer, ForeignKey("users.id"), nullable=False)
    notes: Mapped[list["Note"]] = relationship(back_populates="issue")


class Note(Base):
    __tablename__ = "notes"
    id = Column(Integer, primary_key=True)
    issue_id = Column(Integer, ForeignKey("issues.id"), nullable=False)
    user_id = Column(Integer, ForeignKey("users.id"), nullable=False)
    issue: Mapped[Issue] = relationship(back_populates="notes")
    user: Mapped[User] = relationship()


engine = create_engine(
    "sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool
)


def get_db():
    with Session(engine) as session:
        yield session


def fill(rows: int) -> None:
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for number in range(1, rows + 1):
            session.add(User(id=number, name=f"user {number}"))
        session.commit()
        for number in range(1, rows + 1):
            session.add(Issue(id=number, reporter_id=1 + number // 2))
            session.flush()
            for other in range(1, rows + 1):
                session.add(Note(issue_id=number, user_id=other))
        session.commit()
""",
    "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from database import Issue, Note, User, get_db

app = FastAPI()
PATHS = ["/one", "/first", "/made", "/users", "/issues"]


@app.get("/one")
def one(db: Session = Depends(get_db)):
    issue = db.query(Issue).get(1)
    return [note.user.name for note in issue.notes]


@app.get("/first")
def first(db: Session = Depends(get_db)):
    issue = db.query(Issue).filter(Issue.id == 2).first()
    return [note.user.name for note in issue.notes]


@app.get("/made")
def made(db: Session = Depends(get_db)):
    users = [user.id for user in db.query(User).all()]
    issue = Issue(reporter_id=1)
    db.add(issue)
    db.flush()
    db.add_all([Note(issue_id=issue.id, user_id=user) for user in users])
    db.commit()
    db.refresh(issue)
    return [note.user.name for note in issue.notes]


@app.get("/users")
def users(db: Session = Depends(get_db)):
    found = []
    for user in db.query(User).order_by(User.id).all():
        count = db.query(Issue).filter(Issue.reporter_id == user.id).count()
        found.append({"name": user.name, "issues": count})
    return found


@app.get("/issues")
def issues(db: Session = Depends(get_db)):
    found = []
    for issue in db.query(Issue).order_by(Issue.id).all():
        notes = db.query(Note).filter(Note.issue_id == issue.id).all()
        found.append({"id": issue.id, "notes": [note.user_id for note in notes]})
    return found
""",
}


def answers(files: Mapping[str, str], folder: Path) -> dict[str, tuple[int, object, int]]:
    """Return what an application answers, and how often it asks the database."""
    folder.mkdir()
    for path, text in {**files, "driver.py": _DRIVER}.items():
        (folder / path).write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "driver.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, tuple[int, object, int]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("files", [_SQLMODEL, _ASYNC, _LEGACY], ids=["sqlmodel", "async", "legacy"])
def test_same_answers_with_few_queries(files: dict[str, str], tmp_path: Path) -> None:
    changed, stopped = run(recipes()["eager-load"], Case("", files), files)
    assert stopped == set()
    before, after = answers(files, tmp_path / "before"), answers(changed, tmp_path / "after")
    assert {key: answer[:2] for key, answer in after.items()} == {
        key: answer[:2] for key, answer in before.items()
    }
    for key in [key.removesuffix(" 3") for key in after if key.endswith(" 3")]:
        few, many = after[f"{key} 3"][2], after[f"{key} 12"][2]
        assert few == many, f"{key}: {few} queries, then {many}"
    grown = [key for key in before if key.endswith(" 12") and before[key][2] > after[key][2]]
    assert len(grown) > len(after) // 4, "nothing was better"
