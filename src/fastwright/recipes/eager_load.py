"""Relationships that are read row by row are loaded with the query that loads the rows.

What is read in a loop or while an answer is serialised gets `selectinload` (lists) or `joinedload` (one row) on
the statement that loads the rows, as the rules `n-plus-one-lazy-load` and `lazy-load-in-async` find it.

A row that a loop looks up by a key (`session.get`, or a statement for one row by a unique column) comes from a dictionary: one statement
with `in_` before the loop asks for all of them. Left alone, with the reason: loops that commit, delete, or run what may change that table,
keys that may be of another type than the column or texts that the database may compare in another way, lookups that fail where no row is,
and those that only some turns of the loop make. A list of keys goes to the database as it is: it should have a bound (databases take some
thousand values in one statement).
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.recipes._from_rules import planned_by
from fastwright.recipes._lookups import lookups
from fastwright.recipes._relationships import relationships
from fastwright.recipes.recipe import Case, Planned, Recipe, Stopped, Target

_RULES = ("n-plus-one-lazy-load", "lazy-load-in-async")


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each rule and each lookup in a loop, and what stays as it is."""
    stays: set[str] = set()
    for planned in relationships(app, target):
        if isinstance(planned, Stopped):
            stays.add(planned.place)
        yield planned
    yield from planned_by(app, target, _RULES, frozenset({"safe"}), stays)
    yield from lookups(app, target)


RECIPE = Recipe(
    summary="load relationships with their rows",
    why="A relationship that is read row by row costs a statement for each of them.",
    plan=plan,
    references=("https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html",),
)

_MODELS = """\
from sqlmodel import Field, Relationship, Session, SQLModel


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    heroes: list["Hero"] = Relationship(back_populates="team")


class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    team_id: int = Field(foreign_key="team.id")
    team: Team = Relationship(back_populates="heroes")


def get_session() -> Session: ...
"""

CASES = (
    Case(
        "a relationship read in a loop, loaded where the query is",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Team, get_session

app = FastAPI()


@app.get("/teams")
def teams(session: Annotated[Session, Depends(get_session)]) -> list[int]:
    found = session.exec(select(Team).limit(10)).all()
    return [len(team.heroes) for team in found]
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy.orm import selectinload
from sqlmodel import Session, select

from models import Team, get_session

app = FastAPI()


@app.get("/teams")
def teams(session: Annotated[Session, Depends(get_session)]) -> list[int]:
    found = session.exec(select(Team).limit(10).options(selectinload(Team.heroes))).all()
    return [len(team.heroes) for team in found]
""",
        },
    ),
    Case(
        "what is loaded with its rows stays as it is",
        {
            "models.py": _MODELS,
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy.orm import selectinload
from sqlmodel import Session, select

from models import Team, get_session

app = FastAPI()


@app.get("/teams")
def teams(session: Annotated[Session, Depends(get_session)]) -> list[int]:
    found = session.exec(select(Team).options(selectinload(Team.heroes)).limit(10)).all()
    return [len(team.heroes) for team in found]
""",
        },
    ),
    Case(
        "a query that runs itself",
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import Session, declarative_base, relationship

app = FastAPI()
Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class Member(Base):
    __tablename__ = "members"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id"))
    user = relationship("User")


def get_db() -> Session: ...


@app.get("/members")
def members(db: Session = Depends(get_db)) -> list[str]:
    found = (
        db.query(Member)
        .filter(Member.id > 1)
        .order_by(Member.id)
        .limit(100)
        .all()
    )
    return [member.user.name for member in found]
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import Session, declarative_base, relationship, selectinload

app = FastAPI()
Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class Member(Base):
    __tablename__ = "members"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id"))
    user = relationship("User")


def get_db() -> Session: ...


@app.get("/members")
def members(db: Session = Depends(get_db)) -> list[str]:
    found = (
        db.query(Member)
        .filter(Member.id > 1)
        .order_by(Member.id)
        .limit(100)
        .options(selectinload(Member.user))
        .all()
    )
    return [member.user.name for member in found]
""",
        },
    ),
    Case(
        "rows that are looked up in a loop by their key",
        {
            "models.py": """\
from sqlmodel import Field, Session, SQLModel


class Customer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    sku: str = Field(unique=True)
    stock: int = 0


class Review(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int | None = Field(default=None, foreign_key="customer.id")
    text: str


class Line(SQLModel):
    sku: str
    quantity: int


def get_session() -> Session: ...
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Customer, Review, get_session

app = FastAPI()


@app.get("/reviews")
def reviews(session: Session = Depends(get_session)) -> list[dict[str, str]]:
    reviews = session.exec(select(Review).limit(1000)).all()
    found = []
    for review in reviews:
        author = session.get(Customer, review.customer_id)  # who wrote it
        found.append({"text": review.text, "by": author.name})
    return found
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, col, select

from models import Customer, Review, get_session

app = FastAPI()


@app.get("/reviews")
def reviews(session: Session = Depends(get_session)) -> list[dict[str, str]]:
    reviews = session.exec(select(Review).limit(1000)).all()
    found = []
    customer_ids = [review.customer_id for review in reviews]
    authors = {
        author.id: author
        for author in session.exec(select(Customer).where(col(Customer.id).in_(customer_ids))).all()
    }
    for review in reviews:
        author = authors.get(review.customer_id)  # who wrote it
        found.append({"text": review.text, "by": author.name})
    return found
""",
        },
    ),
    Case(
        "rows that are looked up by a unique column, and changed: they are the same objects",
        {
            "models.py": """\
from sqlmodel import Field, Session, SQLModel


class Customer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    sku: str = Field(unique=True)
    stock: int = 0


class Review(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int | None = Field(default=None, foreign_key="customer.id")
    text: str


class Line(SQLModel):
    sku: str
    quantity: int


def get_session() -> Session: ...
""",
            "main.py": """\
from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Session, select

from models import Line, Product, get_session

app = FastAPI()


@app.post("/orders")
def order(lines: list[Line], session: Session = Depends(get_session)) -> int:
    pieces = 0
    for line in lines:
        product = session.exec(select(Product).where(Product.sku == line.sku)).first()
        if product is None:
            raise HTTPException(404, f"No product {line.sku}")
        product.stock -= line.quantity
        session.add(product)
        pieces += line.quantity
    session.commit()
    return pieces
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Session, col, select

from models import Line, Product, get_session

app = FastAPI()


@app.post("/orders")
def order(lines: list[Line], session: Session = Depends(get_session)) -> int:
    pieces = 0
    skus = [line.sku for line in lines]
    products = {
        product.sku: product
        for product in session.exec(select(Product).where(col(Product.sku).in_(skus))).all()
    }
    for line in lines:
        product = products.get(line.sku)
        if product is None:
            raise HTTPException(404, f"No product {line.sku}")
        product.stock -= line.quantity
        session.add(product)
        pieces += line.quantity
    session.commit()
    return pieces
""",
        },
    ),
    Case(
        "async: what the loop goes over gets a name; rows that are missing are made, one for each name",
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import ForeignKey, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()


class Base(DeclarativeBase): ...


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str]


class Follow(Base):
    __tablename__ = "follows"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)


def get_db() -> AsyncSession: ...


@app.get("/feed")
async def feed(db: AsyncSession = Depends(get_db)) -> list[str]:
    result = await db.execute(select(Follow))
    found = []
    for follow in result.scalars().all():
        followed = await db.get(Author, follow.author_id)
        if followed is not None:
            found.append(followed.handle)
    return found


@app.post("/tags")
async def tags(names: list[str], db: AsyncSession = Depends(get_db)) -> int:
    found = []
    for name in sorted(set(names)):
        result = await db.execute(select(Tag).where(Tag.name == name))
        tag = result.scalar_one_or_none()
        if tag is None:
            tag = Tag(name=name)
            db.add(tag)
        found.append(tag)
    await db.commit()
    return len(found)
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import ForeignKey, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()


class Base(DeclarativeBase): ...


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str]


class Follow(Base):
    __tablename__ = "follows"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)


def get_db() -> AsyncSession: ...


@app.get("/feed")
async def feed(db: AsyncSession = Depends(get_db)) -> list[str]:
    result = await db.execute(select(Follow))
    found = []
    follows = result.scalars().all()
    author_ids = [follow.author_id for follow in follows]
    authors = {
        followed.id: followed
        for followed in (await db.scalars(select(Author).where(Author.id.in_(author_ids)))).all()
    }
    for follow in follows:
        followed = authors.get(follow.author_id)
        if followed is not None:
            found.append(followed.handle)
    return found


@app.post("/tags")
async def tags(names: list[str], db: AsyncSession = Depends(get_db)) -> int:
    found = []
    tags = {
        tag.name: tag
        for tag in (await db.scalars(select(Tag).where(Tag.name.in_(names)))).all()
    }
    for name in sorted(set(names)):
        tag = tags.get(name)
        if tag is None:
            tag = Tag(name=name)
            db.add(tag)
        found.append(tag)
    await db.commit()
    return len(found)
""",
        },
    ),
    Case(
        "queries of the older form, in a service",
        {
            "models.py": """\
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import Session, declarative_base

Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)
    active = Column(Integer)


class Member(Base):
    __tablename__ = "members"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id"))


def get_db() -> Session: ...
""",
            "service.py": """\
import models
from sqlalchemy.orm import Session


class Members:
    def __init__(self, db: Session) -> None:
        self.db = db

    def names(self) -> list[str]:
        members = self.db.query(models.Member).all()
        names = []
        for member in members:
            user = (
                self.db.query(models.User)
                .filter(models.User.id == member.user_id, models.User.active == 1)
                .first()
            )
            if user:
                names.append(user.name)
        return names
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from models import get_db
from service import Members

app = FastAPI()


@app.get("/members")
def members(db: Session = Depends(get_db)) -> list[str]:
    return Members(db).names()
""",
        },
        {
            "service.py": """\
import models
from sqlalchemy.orm import Session


class Members:
    def __init__(self, db: Session) -> None:
        self.db = db

    def names(self) -> list[str]:
        members = self.db.query(models.Member).all()
        names = []
        user_ids = [member.user_id for member in members]
        users = {
            user.id: user
            for user in self.db.query(models.User).filter(
                models.User.active == 1, models.User.id.in_(user_ids)
            ).all()
        }
        for member in members:
            user = (
                users.get(member.user_id)
            )
            if user:
                names.append(user.name)
        return names
""",
        },
    ),
    Case(
        "left alone: a commit between the lookups, a column that is not unique, one that must be there, a key of another type, rows that are made",
        {
            "models.py": """\
from sqlmodel import Field, Session, SQLModel


class Customer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    sku: str = Field(unique=True)
    stock: int = 0


class Review(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int | None = Field(default=None, foreign_key="customer.id")
    text: str


class Line(SQLModel):
    sku: str
    quantity: int


def get_session() -> Session: ...
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Customer, Line, Product, Review, get_session

app = FastAPI()


@app.post("/restock")
def restock(ids: list[int], session: Session = Depends(get_session)) -> None:
    for number in ids:
        product = session.get(Product, number)
        product.stock += 1
        session.commit()


@app.get("/named")
def named(names: list[str], session: Session = Depends(get_session)) -> list[int]:
    found = []
    for name in names:
        customer = session.exec(select(Customer).where(Customer.name == name)).first()
        found.append(customer.id)
    return found


@app.get("/needed")
def needed(lines: list[Line], session: Session = Depends(get_session)) -> list[int]:
    found = []
    for line in lines:
        product = session.exec(select(Product).where(Product.sku == line.sku)).one()
        found.append(product.stock)
    return found


@app.get("/texts")
def texts(ids: list[str], session: Session = Depends(get_session)) -> list[str]:
    found = []
    for number in ids:
        customer = session.get(Customer, number)
        found.append(customer.name)
    return found


@app.post("/products")
def products(lines: list[Line], session: Session = Depends(get_session)) -> None:
    for line in lines:
        product = session.exec(select(Product).where(Product.sku == line.sku)).first()
        if product is None:
            product = Product(sku=line.sku)
            session.add(product)
        product.stock += line.quantity
    session.commit()
""",
        },
        stopped=("main.py:12", "main.py:21", "main.py:30", "main.py:39", "main.py:47"),
    ),
    Case(
        "left alone: texts in a database that may compare them in another way, and a lookup that some rows need",
        {
            "models.py": """\
from sqlmodel import Field, Session, SQLModel


class Customer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    sku: str = Field(unique=True)
    stock: int = 0


class Review(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int | None = Field(default=None, foreign_key="customer.id")
    text: str


class Line(SQLModel):
    sku: str
    quantity: int


def get_session() -> Session: ...
""",
            "database.py": """\
URL = "mysql+pymysql://localhost/shop"
""",
            "main.py": """\
from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Session, select

import database

from models import Line, Product, get_session

app = FastAPI()


@app.get("/stock")
def stock(lines: list[Line], session: Session = Depends(get_session)) -> list[int]:
    found = []
    for line in lines:
        product = session.exec(select(Product).where(Product.sku == line.sku)).first()
        if product is None:
            raise HTTPException(404, database.URL)
        found.append(product.stock)
    return found


@app.get("/some")
def some(ids: list[int], session: Session = Depends(get_session)) -> list[int]:
    found = []
    for number in ids:
        if number > 100:
            product = session.get(Product, number)
            found.append(product.stock)
    return found
""",
        },
        stopped=("main.py:15", "main.py:27"),
    ),
    Case(
        "left alone: a key or rows that the loop changes, calls that ask the database or may, an inner loop",
        {
            "models.py": """\
from sqlmodel import Field, Session, SQLModel


class Customer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    sku: str = Field(unique=True)
    stock: int = 0


class Review(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int | None = Field(default=None, foreign_key="customer.id")
    text: str


class Line(SQLModel):
    sku: str
    quantity: int


def get_session() -> Session: ...
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Line, Product, Review, get_session

app = FastAPI()


def tidy(line: Line) -> None:
    line.sku = line.sku.strip()


def log(session, text: str) -> None:
    session.add(Review(text=text))
    session.commit()


@app.get("/tidied")
def tidied(lines: list[Line], session: Session = Depends(get_session)) -> list[int]:
    found = []
    for line in lines:
        tidy(line)
        product = session.exec(select(Product).where(Product.sku == line.sku)).first()
        found.append(product.stock)
    return found


@app.get("/logged")
def logged(lines: list[Line], session: Session = Depends(get_session)) -> list[int]:
    found = []
    for line in lines:
        product = session.exec(select(Product).where(Product.sku == line.sku)).first()
        log(session, product.sku)
        found.append(product.stock)
    return found


@app.get("/grown")
def grown(ids: list[int], session: Session = Depends(get_session)) -> list[int]:
    found = []
    for number in ids:
        product = session.get(Product, number)
        if product.stock == 0:
            ids.append(number + 1)
        found.append(product.stock)
    return found


@app.get("/nested")
def nested(orders: list[list[int]], session: Session = Depends(get_session)) -> list[int]:
    found = []
    for ids in orders:
        for number in ids:
            product = session.get(Product, number)
            found.append(product.stock)
    return found
""",
        },
        stopped=("main.py:23", "main.py:32", "main.py:42", "main.py:54"),
    ),
)
