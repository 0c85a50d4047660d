"""Relationships that are read row by row are loaded with the query that loads the rows.

What is read in a loop or while an answer is serialised gets `selectinload` on each statement that loads the rows. They are followed back
through loops, relationships (`order.lines`, then `line.product`), functions and dictionaries: to `select` and `session.query`, to
`session.get`, which takes `options=[...]`, and to a row that was made, which is selected once more behind its `refresh`. Where rows come
from a repository for any table, the repository of this table gets a method of its own.

What a loop or a comprehension looks up by a key comes from a dictionary: one statement with `in_` before it asks for all. That can be one
row (`session.get`, a unique column), all rows of a key, or a number of them (`func.count()` with `group_by`). Where a function looks it up,
one for many keys is written beside it, or in its place where nobody else calls it; what it raises where no row is, it raises for the same item.

Left alone, with the reason: rows that are made or deleted between the query and the loop; statements that most run who do not need more;
loops that commit, delete, or run what may change that table; keys that may be of another type than the column, or texts that the database
may compare in another way; conditions that are the same for all items; functions that do more than a lookup. A list of keys goes to the
database as it is: it should have a bound (databases take some thousand values in one statement).
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.recipes.loading.lookups import lookups
from fastwright.recipes.loading.relationships import relationships
from fastwright.recipes.recipe import Case, Planned, Recipe, Target
from fastwright.recipes.shared.from_rules import planned_by

_RULES = ("n-plus-one-lazy-load", "lazy-load-in-async")


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each rule and each lookup in a loop, and what stays as it is."""
    planned, stays = relationships(app, target)
    yield from planned
    yield from planned_by(app, target, _RULES, frozenset({"safe"}), stays)
    yield from lookups(app, target)


RECIPE = Recipe(
    summary="load relationships with their rows",
    why="What is read row by row costs a statement for each of them.",
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

_SHOP = """\
from sqlmodel import Field, Relationship, Session, SQLModel


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


def get_session() -> Session: ...
"""

_BLOG = """\
from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


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
    comments: Mapped[list["Comment"]] = relationship(back_populates="post")


class Comment(Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    text: Mapped[str]
    post: Mapped[Post] = relationship(back_populates="comments")
    author: Mapped[Author] = relationship()


async def get_db() -> AsyncSession: ...
"""

_OLD = """\
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, Session, declarative_base, relationship

Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class Issue(Base):
    __tablename__ = "issues"
    id = Column(Integer, primary_key=True)
    reporter_id = Column(Integer, ForeignKey("users.id"), nullable=False)
    reporter: Mapped[User] = relationship()
    notes: Mapped[list["Note"]] = relationship(back_populates="issue")


class Note(Base):
    __tablename__ = "notes"
    id = Column(Integer, primary_key=True)
    issue_id = Column(Integer, ForeignKey("issues.id"), nullable=False)
    user_id = Column(Integer, ForeignKey("users.id"), nullable=False)
    issue: Mapped[Issue] = relationship(back_populates="notes")
    user: Mapped[User] = relationship()


def get_db() -> Session: ...
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
        "left alone: texts in a database that may compare them in another way",
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
""",
        },
        stopped=("main.py:15",),
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
    Case(
        "relationships of relationships, in loops and in a function that is given the row",
        {
            "models.py": _SHOP,
            "main.py": """\
from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Session, select

from models import Line, Order, get_session

app = FastAPI()


def public(order: Order) -> dict[str, object]:
    return {"id": order.id, "skus": [line.product.sku for line in order.lines]}


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[dict[str, object]]:
    found = session.exec(select(Order).order_by(Order.id).limit(100)).all()
    return [public(order) for order in found]


@app.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session)) -> dict[str, object]:
    found = session.get(Order, order_id)
    if found is None:
        raise HTTPException(404)
    return public(found)


@app.post("/orders")
def create(products: list[int], session: Session = Depends(get_session)) -> dict[str, object]:
    order = Order(customer_id=1)
    session.add(order)
    session.flush()
    for product_id in products:
        session.add(Line(order_id=order.id, product_id=product_id))
    session.commit()
    session.refresh(order)
    return public(order)


@app.get("/sold")
def sold(session: Session = Depends(get_session)) -> int:
    pieces = 0
    for order in session.exec(select(Order).limit(100)).all():
        for line in order.lines:
            pieces += line.quantity * line.product.stock
    return pieces
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy.orm import selectinload
from sqlmodel import Session, select

from models import Line, Order, get_session

app = FastAPI()


def public(order: Order) -> dict[str, object]:
    return {"id": order.id, "skus": [line.product.sku for line in order.lines]}


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[dict[str, object]]:
    found = session.exec(select(Order).order_by(Order.id).limit(100).options(selectinload(Order.lines).selectinload(Line.product))).all()
    return [public(order) for order in found]


@app.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session)) -> dict[str, object]:
    found = session.get(Order, order_id, options=[selectinload(Order.lines).selectinload(Line.product)])
    if found is None:
        raise HTTPException(404)
    return public(found)


@app.post("/orders")
def create(products: list[int], session: Session = Depends(get_session)) -> dict[str, object]:
    order = Order(customer_id=1)
    session.add(order)
    session.flush()
    for product_id in products:
        session.add(Line(order_id=order.id, product_id=product_id))
    session.commit()
    session.refresh(order)
    order = session.exec(select(Order).where(Order.id == order.id).options(selectinload(Order.lines).selectinload(Line.product))).one()
    return public(order)


@app.get("/sold")
def sold(session: Session = Depends(get_session)) -> int:
    pieces = 0
    for order in session.exec(select(Order).limit(100).options(selectinload(Order.lines).selectinload(Line.product))).all():
        for line in order.lines:
            pieces += line.quantity * line.product.stock
    return pieces
""",
        },
    ),
    Case(
        "what nested response schemas read",
        {
            "models.py": _SHOP,
            "schemas.py": """\
from pydantic import BaseModel


class ProductPublic(BaseModel):
    sku: str


class LinePublic(BaseModel):
    quantity: int
    product: ProductPublic


class OrderPublic(BaseModel):
    id: int
    lines: list[LinePublic]
""",
            "repository.py": """\
from sqlmodel import Session, select

from models import Order


class Orders:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, order_id: int) -> Order | None:
        return self.session.get(Order, order_id)

    def recent(self) -> list[Order]:
        statement = select(Order).order_by(Order.id).limit(10)
        return list(self.session.exec(statement).all())
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import get_session
from repository import Orders
from schemas import OrderPublic

app = FastAPI()


@app.get("/orders", response_model=list[OrderPublic])
def orders(session: Session = Depends(get_session)):
    return Orders(session).recent()


@app.get("/orders/{order_id}", response_model=OrderPublic)
def order(order_id: int, session: Session = Depends(get_session)):
    return Orders(session).get(order_id)
""",
        },
        {
            "repository.py": """\
from sqlalchemy.orm import selectinload
from sqlmodel import Session, select

from models import Line, Order


class Orders:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, order_id: int) -> Order | None:
        return self.session.get(Order, order_id, options=[selectinload(Order.lines).selectinload(Line.product)])

    def recent(self) -> list[Order]:
        statement = select(Order).order_by(Order.id).limit(10).options(selectinload(Order.lines).selectinload(Line.product))
        return list(self.session.exec(statement).all())
""",
        },
    ),
    Case(
        "async: options that are there go on, and a row that was made is selected with what is read",
        {
            "models.py": _BLOG,
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

import models
from models import get_db

app = FastAPI()


@app.get("/posts")
async def posts(db: AsyncSession = Depends(get_db)) -> list[str]:
    result = await db.scalars(
        select(models.Post).options(selectinload(models.Post.comments)).limit(20)
    )
    return [comment.author.name for post in result.all() for comment in post.comments]


@app.get("/posts/{post_id}")
async def post(post_id: int, db: AsyncSession = Depends(get_db)) -> list[str]:
    post = await db.get(
        models.Post, post_id, options=[selectinload(models.Post.comments)]
    )
    return [comment.author.name for comment in post.comments]


@app.post("/posts")
async def create(texts: list[str], db: AsyncSession = Depends(get_db)) -> list[str]:
    post = models.Post(author_id=1)
    db.add(post)
    await db.flush()
    db.add_all([models.Comment(post_id=post.id, author_id=1, text=text) for text in texts])
    await db.commit()
    await db.refresh(post)
    return [comment.author.name for comment in post.comments]
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

import models
from models import get_db

app = FastAPI()


@app.get("/posts")
async def posts(db: AsyncSession = Depends(get_db)) -> list[str]:
    result = await db.scalars(
        select(models.Post).options(selectinload(models.Post.comments).selectinload(models.Comment.author)).limit(20)
    )
    return [comment.author.name for post in result.all() for comment in post.comments]


@app.get("/posts/{post_id}")
async def post(post_id: int, db: AsyncSession = Depends(get_db)) -> list[str]:
    post = await db.get(
        models.Post, post_id, options=[selectinload(models.Post.comments).selectinload(models.Comment.author)]
    )
    return [comment.author.name for comment in post.comments]


@app.post("/posts")
async def create(texts: list[str], db: AsyncSession = Depends(get_db)) -> list[str]:
    post = models.Post(author_id=1)
    db.add(post)
    await db.flush()
    db.add_all([models.Comment(post_id=post.id, author_id=1, text=text) for text in texts])
    await db.commit()
    await db.refresh(post)
    post = (await db.scalars(select(models.Post).where(models.Post.id == post.id).options(selectinload(models.Post.comments).selectinload(models.Comment.author)))).one()
    return [comment.author.name for comment in post.comments]
""",
        },
    ),
    Case(
        "rows of the older form",
        {
            "models.py": _OLD,
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

import models
from models import get_db

app = FastAPI()


@app.get("/issues/{issue_id}")
def issue(issue_id: int, db: Session = Depends(get_db)) -> list[str]:
    issue = db.query(models.Issue).get(issue_id)
    return [note.user.name for note in issue.notes]


@app.get("/first")
def first(db: Session = Depends(get_db)) -> list[str]:
    issue = db.query(models.Issue).filter(models.Issue.id == 1).first()
    names = []
    for number, note in enumerate(issue.notes):
        names.append(f"{number} {note.user.name}")
    return names


@app.post("/issues")
def create(users: list[int], db: Session = Depends(get_db)) -> list[str]:
    first = db.query(models.User).first()
    issue = models.Issue(reporter_id=first.id)
    db.add(issue)
    db.flush()
    for user in users:
        db.add(models.Note(issue_id=issue.id, user_id=user))
    db.commit()
    db.refresh(issue)
    return [note.user.name for note in issue.notes]
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session, selectinload

import models
from models import get_db

app = FastAPI()


@app.get("/issues/{issue_id}")
def issue(issue_id: int, db: Session = Depends(get_db)) -> list[str]:
    issue = db.query(models.Issue).options(selectinload(models.Issue.notes).selectinload(models.Note.user)).get(issue_id)
    return [note.user.name for note in issue.notes]


@app.get("/first")
def first(db: Session = Depends(get_db)) -> list[str]:
    issue = db.query(models.Issue).filter(models.Issue.id == 1).options(selectinload(models.Issue.notes).selectinload(models.Note.user)).first()
    names = []
    for number, note in enumerate(issue.notes):
        names.append(f"{number} {note.user.name}")
    return names


@app.post("/issues")
def create(users: list[int], db: Session = Depends(get_db)) -> list[str]:
    first = db.query(models.User).first()
    issue = models.Issue(reporter_id=first.id)
    db.add(issue)
    db.flush()
    for user in users:
        db.add(models.Note(issue_id=issue.id, user_id=user))
    db.commit()
    db.refresh(issue)
    issue = db.query(models.Issue).filter(models.Issue.id == issue.id).options(selectinload(models.Issue.notes).selectinload(models.Note.user)).one()
    return [note.user.name for note in issue.notes]
""",
        },
    ),
    Case(
        "left alone: rows that change behind the query, a query that most run without need, a statement for any table, options that cannot be read, what is loaded by hand",
        {
            "models.py": _SHOP,
            "repository.py": """\
from typing import Generic, TypeVar

from sqlmodel import Session, SQLModel, select

from models import Customer

Model = TypeVar("Model", bound=SQLModel)


class Repository(Generic[Model]):
    model: type[Model]

    def __init__(self, session: Session) -> None:
        self.session = session

    def all(self) -> list[Model]:
        return list(self.session.exec(select(self.model)).all())


class Customers(Repository[Customer]):
    model = Customer

    def names(self) -> list[str]:
        return [customer.name for customer in self.all()]

    def count(self) -> int:
        return len(self.all())


def customer_of(session: Session, customer_id: int) -> Customer | None:
    return session.get(Customer, customer_id)
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Customer, Line, Order, get_session
from repository import Customers, customer_of

app = FastAPI()


@app.post("/orders/{order_id}/lines")
def grow(order_id: int, session: Session = Depends(get_session)) -> list[str]:
    order = session.get(Order, order_id)
    session.add(Line(order_id=order.id, product_id=1))
    session.flush()
    return [line.product.sku for line in order.lines]


@app.get("/customers/{customer_id}/orders")
def orders_of(customer_id: int, session: Session = Depends(get_session)) -> list[int]:
    customer = customer_of(session, customer_id)
    return [len(order.lines) for order in customer.orders]


@app.get("/customers/{customer_id}")
def customer(customer_id: int, session: Session = Depends(get_session)) -> str:
    return customer_of(session, customer_id).name


@app.get("/customers/{customer_id}/known")
def known(customer_id: int, session: Session = Depends(get_session)) -> bool:
    return customer_of(session, customer_id) is not None


@app.get("/customers")
def customers(session: Session = Depends(get_session)) -> list[int]:
    return [len(customer.orders) for customer in Customers(session).all()]


@app.get("/names")
def names(session: Session = Depends(get_session)) -> list[str]:
    repository = Customers(session)
    return repository.names() if repository.count() else []


@app.get("/all/{name}")
def all_of(name: str, session: Session = Depends(get_session)) -> list[int]:
    table = {"customers": Customer}[name]
    return [len(row.orders) for row in session.exec(select(table)).all()]


@app.get("/orders/{order_id}")
def with_options(order_id: int, session: Session = Depends(get_session)) -> list[str]:
    options = [*()]
    order = session.get(Order, order_id, options=options)
    return [line.product.sku for line in order.lines]


@app.get("/orders/{order_id}/fresh")
def by_hand(order_id: int, session: Session = Depends(get_session)) -> list[str]:
    order = session.get(Order, order_id)
    session.refresh(order, ["lines"])
    return [line.product.sku for line in order.lines]


@app.post("/orders")
def made(session: Session = Depends(get_session)) -> list[str]:
    order = Order(customer_id=1)
    order.lines.append(Line(product_id=1))
    session.add(order)
    session.commit()
    return [line.product.sku for line in order.lines]
""",
        },
        stopped=(
            "main.py:12",
            "main.py:48",
            "main.py:54",
            "main.py:60",
            "main.py:67",
            "repository.py:17",
            "repository.py:31",
        ),
    ),
    Case(
        "left alone without a word: the way back, one row, a few rows, what is loaded with its rows",
        {
            "models.py": _SHOP,
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import joinedload, selectinload
from sqlmodel import Session, select

from models import Line, Order, get_session

app = FastAPI()


@app.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session)) -> list[int]:
    order = session.get(Order, order_id)
    return [line.order.total for line in order.lines]


@app.get("/orders/{order_id}/customer")
def customer(order_id: int, session: Session = Depends(get_session)) -> str:
    return session.get(Order, order_id).customer.name


@app.get("/orders/{order_id}/first")
def first(order_id: int, session: Session = Depends(get_session)) -> list[str]:
    order = session.get(Order, order_id)
    return [line.product.sku for line in order.lines[:3]]


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[str]:
    loaded = selectinload(Order.lines).joinedload(Line.product)
    found = session.exec(select(Order).options(loaded).limit(9)).all()
    return [line.product.sku for order in found for line in order.lines]


@app.get("/sold")
def sold(session: Session = Depends(get_session)) -> list[str]:
    statement = select(Order).options(joinedload(Order.lines).joinedload(Line.product))
    found = session.exec(statement).unique().all()
    return [line.product.sku for order in found for line in order.lines]
""",
        },
    ),
    Case(
        "a repository for any table: the one for this table gets a method of its own",
        {
            "models.py": _SHOP,
            "base.py": """\
from collections.abc import Sequence
from typing import Generic, TypeVar

from sqlmodel import Session, SQLModel, select

Model = TypeVar("Model", bound=SQLModel)


class Repository(Generic[Model]):
    model: type[Model]

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, row_id: int) -> Model | None:
        return self.session.get(self.model, row_id)

    def all(self) -> Sequence[Model]:
        return self.session.exec(select(self.model)).all()
""",
            "repository.py": """\
from base import Repository
from models import Customer, Order


class OrderRepository(Repository[Order]):
    model = Order


class CustomerRepository(Repository[Customer]):
    model = Customer
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import get_session
from repository import CustomerRepository, OrderRepository

app = FastAPI()


@app.get("/orders/{order_id}")
def order(order_id: int, session: Session = Depends(get_session)) -> list[str]:
    order = OrderRepository(session).get(order_id)
    return [line.product.sku for line in order.lines]


@app.get("/customers")
def customers(session: Session = Depends(get_session)) -> list[int]:
    return [len(customer.orders) for customer in CustomerRepository(session).all()]


@app.get("/customers/{customer_id}")
def customer(customer_id: int, session: Session = Depends(get_session)) -> str:
    return CustomerRepository(session).get(customer_id).name
""",
        },
        {
            "repository.py": """\
from collections.abc import Sequence

from sqlalchemy.orm import selectinload
from sqlmodel import select

from base import Repository
from models import Customer, Line, Order


class OrderRepository(Repository[Order]):
    model = Order

    def get(self, row_id: int) -> Order | None:
        return self.session.get(Order, row_id, options=[selectinload(Order.lines).selectinload(Line.product)])


class CustomerRepository(Repository[Customer]):
    model = Customer

    def all(self) -> Sequence[Customer]:
        return self.session.exec(select(Customer).options(selectinload(Customer.orders))).all()
""",
        },
    ),
    Case(
        "numbers of rows: one statement that groups them, and nothing where no row is",
        {
            "models.py": _BLOG,
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models import Comment, Post, Tag, get_db, post_tags

app = FastAPI()


@app.get("/tags")
async def tags(db: AsyncSession = Depends(get_db)) -> list[dict[str, object]]:
    result = await db.execute(select(Tag).order_by(Tag.name))
    found = []
    for tag in result.scalars().all():
        count = await db.scalar(
            select(func.count()).select_from(post_tags).where(post_tags.c.tag_id == tag.id)
        )
        found.append({"name": tag.name, "posts": count})
    return found


@app.get("/posts")
async def posts(db: AsyncSession = Depends(get_db)) -> list[dict[str, object]]:
    posts = (await db.scalars(select(Post).limit(10))).all()
    return [
        {
            "id": post.id,
            "newest": (
                await db.execute(select(func.max(Comment.id)).where(Comment.post_id == post.id))
            ).scalar(),
        }
        for post in posts
    ]
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models import Comment, Post, Tag, get_db, post_tags

app = FastAPI()


@app.get("/tags")
async def tags(db: AsyncSession = Depends(get_db)) -> list[dict[str, object]]:
    result = await db.execute(select(Tag).order_by(Tag.name))
    found = []
    tags = result.scalars().all()
    tag_ids = [tag.id for tag in tags]
    count_by_tag_id = {tag_id: count for tag_id, count in (await db.execute(select(post_tags.c.tag_id, func.count()).select_from(post_tags).where(post_tags.c.tag_id.in_(tag_ids)).group_by(post_tags.c.tag_id))).all()}
    for tag in tags:
        count = count_by_tag_id.get(tag.id, 0)
        found.append({"name": tag.name, "posts": count})
    return found


@app.get("/posts")
async def posts(db: AsyncSession = Depends(get_db)) -> list[dict[str, object]]:
    posts = (await db.scalars(select(Post).limit(10))).all()
    post_ids = [post.id for post in posts]
    highest_by_post_id = {post_id: highest for post_id, highest in (await db.execute(select(Comment.post_id, func.max(Comment.id)).where(Comment.post_id.in_(post_ids)).group_by(Comment.post_id))).all()}
    return [
        {
            "id": post.id,
            "newest": highest_by_post_id.get(post.id),
        }
        for post in posts
    ]
""",
        },
    ),
    Case(
        "numbers and lists of the older form",
        {
            "models.py": _OLD,
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from models import Issue, Note, User, get_db

app = FastAPI()


@app.get("/users")
def users(db: Session = Depends(get_db)) -> list[dict[str, object]]:
    found = []
    for user in db.query(User).order_by(User.id).all():
        count = db.query(Issue).filter(Issue.reporter_id == user.id).count()
        found.append({"name": user.name, "issues": count})
    return found


@app.get("/issues")
def issues(db: Session = Depends(get_db)) -> list[dict[str, object]]:
    issues = db.query(Issue).limit(50).all()
    found = []
    for issue in issues:
        notes = db.query(Note).filter(Note.issue_id == issue.id).all()
        found.append({"id": issue.id, "notes": [note.user_id for note in notes]})
    return found
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import func
from sqlalchemy.orm import Session

from models import Issue, Note, User, get_db

app = FastAPI()


@app.get("/users")
def users(db: Session = Depends(get_db)) -> list[dict[str, object]]:
    found = []
    users = db.query(User).order_by(User.id).all()
    user_ids = [user.id for user in users]
    count_by_reporter_id = {reporter_id: count for reporter_id, count in db.query(Issue.reporter_id, func.count()).filter(Issue.reporter_id.in_(user_ids)).group_by(Issue.reporter_id).all()}
    for user in users:
        count = count_by_reporter_id.get(user.id, 0)
        found.append({"name": user.name, "issues": count})
    return found


@app.get("/issues")
def issues(db: Session = Depends(get_db)) -> list[dict[str, object]]:
    issues = db.query(Issue).limit(50).all()
    found = []
    issue_ids = [issue.id for issue in issues]
    notes_by_issue_id = {}
    for row in db.query(Note).filter(Note.issue_id.in_(issue_ids)).order_by(Note.id).all():
        notes_by_issue_id.setdefault(row.issue_id, []).append(row)
    for issue in issues:
        notes = notes_by_issue_id.get(issue.id, [])
        found.append({"id": issue.id, "notes": [note.user_id for note in notes]})
    return found
""",
        },
    ),
    Case(
        "lookups in comprehensions, and under conditions of the item",
        {
            "models.py": _SHOP,
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Customer, Line, Order, Product, get_session

app = FastAPI()


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[dict[str, object]]:
    orders = session.exec(select(Order).order_by(Order.id).limit(100)).all()
    return [
        {"id": order.id, "by": session.get(Customer, order.customer_id).name} for order in orders
    ]


@app.get("/lines")
def lines(session: Session = Depends(get_session)) -> list[str]:
    found = []
    for line in session.exec(select(Line).order_by(Line.id).limit(100)).all():
        if line.quantity > 1:
            product = session.get(Product, line.product_id)
            found.append(f"{line.quantity} {product.sku}")
        else:
            found.append(session.get(Product, line.product_id).sku)
    return found


@app.get("/stock")
def stock(session: Session = Depends(get_session)) -> int:
    lines = session.exec(select(Line).order_by(Line.id).limit(100)).all()
    return sum(session.get(Product, line.product_id).stock for line in lines)


@app.get("/pieces")
def pieces(session: Session = Depends(get_session)) -> dict[int, int]:
    orders = session.exec(select(Order).limit(100)).all()
    return {
        order.id: len(
            session.exec(
                select(Line).where(Line.order_id == order.id).order_by(Line.quantity)
            ).all()
        )
        for order in orders
    }
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, col, select

from models import Customer, Line, Order, Product, get_session

app = FastAPI()


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[dict[str, object]]:
    orders = session.exec(select(Order).order_by(Order.id).limit(100)).all()
    customer_ids = [order.customer_id for order in orders]
    customers = {
        customer.id: customer
        for customer in session.exec(
            select(Customer).where(col(Customer.id).in_(customer_ids))
        ).all()
    }
    return [
        {"id": order.id, "by": customers.get(order.customer_id).name} for order in orders
    ]


@app.get("/lines")
def lines(session: Session = Depends(get_session)) -> list[str]:
    found = []
    lines = session.exec(select(Line).order_by(Line.id).limit(100)).all()
    product_ids = [line.product_id for line in lines]
    products = {
        product.id: product
        for product in session.exec(select(Product).where(col(Product.id).in_(product_ids))).all()
    }
    for line in lines:
        if line.quantity > 1:
            product = products.get(line.product_id)
            found.append(f"{line.quantity} {product.sku}")
        else:
            found.append(products.get(line.product_id).sku)
    return found


@app.get("/stock")
def stock(session: Session = Depends(get_session)) -> int:
    lines = session.exec(select(Line).order_by(Line.id).limit(100)).all()
    product_ids = [line.product_id for line in lines]
    products = {
        product.id: product
        for product in session.exec(select(Product).where(col(Product.id).in_(product_ids))).all()
    }
    return sum(products.get(line.product_id).stock for line in lines)


@app.get("/pieces")
def pieces(session: Session = Depends(get_session)) -> dict[int, int]:
    orders = session.exec(select(Order).limit(100)).all()
    order_ids = [order.id for order in orders]
    lines_by_order_id: dict[int, list[Line]] = {}
    for line in session.exec(select(Line).where(col(Line.order_id).in_(order_ids)).order_by(Line.quantity)).all():
        lines_by_order_id.setdefault(line.order_id, []).append(line)
    return {
        order.id: len(
            lines_by_order_id.get(order.id, [])
        )
        for order in orders
    }
""",
        },
    ),
    Case(
        "functions that look one thing up: a function for many beside them, or in their place",
        {
            "models.py": _SHOP,
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, func, select

from models import Customer, Order, Product


class ProductRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get_by_sku(self, sku: str) -> Product | None:
        \"\"\"Find the product with a SKU.\"\"\"
        return self.session.exec(select(Product).where(Product.sku == sku)).first()


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def of_customer(self, customer_id: int) -> Sequence[Order]:
        statement = select(Order).where(Order.customer_id == customer_id).order_by(Order.total)
        return self.session.exec(statement).all()

    def spent(self, customer_id: int, least: int) -> int:
        statement = select(func.sum(Order.total)).where(
            Order.customer_id == customer_id, Order.total >= least
        )
        return self.session.exec(statement).one() or 0


def find_customer(session: Session, customer_id: int) -> Customer | None:
    return session.get(Customer, customer_id)
""",
            "main.py": """\
from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Session, select

from models import Customer, Order, get_session
from repository import OrderRepository, ProductRepository, find_customer

app = FastAPI()


@app.post("/stock")
def stock(skus: list[str], session: Session = Depends(get_session)) -> dict[str, int]:
    products = ProductRepository(session)
    found = {}
    for sku in skus:
        product = products.get_by_sku(sku)
        if product is None:
            raise HTTPException(404, f"No product {sku}")
        found[sku] = product.stock
    return found


@app.get("/stock/{sku}")
def one(sku: str, session: Session = Depends(get_session)) -> bool:
    return ProductRepository(session).get_by_sku(sku) is not None


@app.get("/customers")
def customers(session: Session = Depends(get_session)) -> list[dict[str, object]]:
    orders = OrderRepository(session)
    found = []
    for customer in session.exec(select(Customer).limit(100)).all():
        totals = [order.total for order in orders.of_customer(customer.id)]
        found.append({"name": customer.name, "totals": totals})
    return found


@app.get("/spent")
def spent(session: Session = Depends(get_session)) -> list[int]:
    orders = OrderRepository(session)
    customers = session.exec(select(Customer).limit(100)).all()
    return [orders.spent(customer.id, least=1) for customer in customers]


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[str]:
    names = []
    for order in session.exec(select(Order).limit(100)).all():
        customer = find_customer(session, order.customer_id)
        names.append(customer.name)
    return names
""",
        },
        {
            "repository.py": """\
from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from models import Customer, Order, Product


class ProductRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get_by_sku(self, sku: str) -> Product | None:
        \"\"\"Find the product with a SKU.\"\"\"
        return self.session.exec(select(Product).where(Product.sku == sku)).first()

    def list_by_sku(self, skus: list[str]) -> Sequence[Product]:
        return self.session.exec(select(Product).where(col(Product.sku).in_(skus))).all()


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def list_by_customer_id(self, customer_ids: list[int]) -> Sequence[Order]:
        return self.session.exec(select(Order).where(col(Order.customer_id).in_(customer_ids)).order_by(Order.total)).all()

    def spent(self, customer_id: int, least: int) -> int:
        statement = select(func.sum(Order.total)).where(
            Order.customer_id == customer_id, Order.total >= least
        )
        return self.session.exec(statement).one() or 0

    def spent_by_customer_id(self, customer_ids: list[int], least: int) -> dict[int, int]:
        rows = self.session.exec(select(Order.customer_id, func.sum(Order.total)).where(
                col(Order.customer_id).in_(customer_ids), Order.total >= least
            ).group_by(Order.customer_id)).all()
        return {customer_id: total for customer_id, total in rows}


def list_customers_by_id(session: Session, customer_ids: list[int]) -> Sequence[Customer]:
    return session.exec(select(Customer).where(col(Customer.id).in_(customer_ids))).all()
""",
            "main.py": """\
from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Session, select

from models import Customer, Order, get_session
from repository import OrderRepository, ProductRepository, list_customers_by_id

app = FastAPI()


@app.post("/stock")
def stock(skus: list[str], session: Session = Depends(get_session)) -> dict[str, int]:
    products = ProductRepository(session)
    found = {}
    products_by_sku = {product.sku: product for product in products.list_by_sku(skus)}
    for sku in skus:
        product = products_by_sku.get(sku)
        if product is None:
            raise HTTPException(404, f"No product {sku}")
        found[sku] = product.stock
    return found


@app.get("/stock/{sku}")
def one(sku: str, session: Session = Depends(get_session)) -> bool:
    return ProductRepository(session).get_by_sku(sku) is not None


@app.get("/customers")
def customers(session: Session = Depends(get_session)) -> list[dict[str, object]]:
    orders = OrderRepository(session)
    found = []
    customers = session.exec(select(Customer).limit(100)).all()
    customer_ids = [customer.id for customer in customers]
    orders_by_customer_id: dict[int, list[Order]] = {}
    for row in orders.list_by_customer_id(customer_ids):
        orders_by_customer_id.setdefault(row.customer_id, []).append(row)
    for customer in customers:
        totals = [order.total for order in orders_by_customer_id.get(customer.id, [])]
        found.append({"name": customer.name, "totals": totals})
    return found


@app.get("/spent")
def spent(session: Session = Depends(get_session)) -> list[int]:
    orders = OrderRepository(session)
    customers = session.exec(select(Customer).limit(100)).all()
    customer_ids = [customer.id for customer in customers]
    spent_by_customer_id = orders.spent_by_customer_id(customer_ids, least=1)
    return [spent_by_customer_id.get(customer.id) or 0 for customer in customers]


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[str]:
    names = []
    orders = session.exec(select(Order).limit(100)).all()
    customer_ids = [order.customer_id for order in orders]
    customers = {customer.id: customer for customer in list_customers_by_id(session, customer_ids)}
    for order in orders:
        customer = customers.get(order.customer_id)
        names.append(customer.name)
    return names
""",
        },
    ),
    Case(
        "left alone: functions that do more, are remembered or need more than a key; what is the same for all items; what is limited, changed or caught",
        {
            "models.py": _SHOP,
            "repository.py": """\
from functools import cache

from sqlmodel import Session, select

from models import Line, Product


def by_sku(session: Session, sku: str) -> Product:
    product = session.exec(select(Product).where(Product.sku == sku)).first()
    print(sku)
    return product


def in_order(session: Session, order_id: int, product_id: int) -> Line | None:
    return session.exec(
        select(Line).where(Line.order_id == order_id, Line.product_id == product_id)
    ).first()


def first_lines(session: Session, order_id: int) -> list[Line]:
    return session.exec(select(Line).where(Line.order_id == order_id).limit(2)).all()
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, func, select

from models import Customer, Line, Order, Product, get_session
from repository import by_sku, first_lines, in_order

app = FastAPI()


@app.get("/more")
def more(skus: list[str], session: Session = Depends(get_session)) -> list[int]:
    return [by_sku(session, sku).stock for sku in skus]


@app.get("/two")
def two(session: Session = Depends(get_session)) -> list[bool]:
    lines = session.exec(select(Line).limit(100)).all()
    return [in_order(session, line.order_id, line.product_id) is not None for line in lines]


@app.get("/limited")
def limited(session: Session = Depends(get_session)) -> list[int]:
    orders = session.exec(select(Order).limit(100)).all()
    return [len(first_lines(session, order.id)) for order in orders]


@app.get("/same")
def same(full: bool, session: Session = Depends(get_session)) -> list[str]:
    found = []
    for order in session.exec(select(Order).limit(100)).all():
        if full:
            found.append(session.get(Customer, order.customer_id).name)
    return found


@app.get("/changed")
def changed(session: Session = Depends(get_session)) -> list[int]:
    found = []
    for order in session.exec(select(Order).limit(100)).all():
        more = session.exec(select(Line).where(Line.order_id == order.id)).all()
        more.append(Line(order_id=0, product_id=0))
        found.append(len(more))
    return found


@app.post("/made")
def made(session: Session = Depends(get_session)) -> list[int]:
    found = []
    for order in session.exec(select(Order).limit(100)).all():
        count = session.exec(
            select(func.count()).select_from(Line).where(Line.order_id == order.id)
        ).one()
        session.add(Line(order_id=1, product_id=count))
        found.append(count)
    return found


@app.post("/totals")
def totals(session: Session = Depends(get_session)) -> list[int]:
    found = []
    latest = session.get(Order, 1)
    for customer in session.exec(select(Customer).limit(100)).all():
        total = session.exec(
            select(func.sum(Order.total)).where(Order.customer_id == customer.id)
        ).one()
        latest.total = total
        found.append(total)
    return found


@app.get("/lazily")
def lazily(ids: list[int], session: Session = Depends(get_session)) -> int:
    return next(session.get(Product, number).stock for number in ids)


@app.get("/maybe")
def maybe(ids: list[int], full: bool, session: Session = Depends(get_session)) -> list[int]:
    return [session.get(Product, number).stock for number in ids] if full else []


@app.get("/caught")
def caught(ids: list[int], session: Session = Depends(get_session)) -> list[int]:
    found = []
    for number in ids:
        try:
            found.append(session.get(Product, number).stock)
        except AttributeError:
            break
    return found
""",
        },
        stopped=(
            "main.py:12",
            "main.py:18",
            "main.py:24",
            "main.py:32",
            "main.py:40",
            "main.py:50",
            "main.py:63",
            "main.py:78",
        ),
    ),
    Case(
        "functions that raise where no row is: for the same item, in the same words",
        {
            "models.py": _SHOP,
            "repository.py": """\
from typing import Generic, TypeVar

from fastapi import HTTPException
from sqlmodel import Session, SQLModel, select

from models import Customer, Product

Model = TypeVar("Model", bound=SQLModel)


class Repository(Generic[Model]):
    model: type[Model]

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, row_id: int) -> Model | None:
        return self.session.get(self.model, row_id)


class ProductRepository(Repository[Product]):
    model = Product

    def get_or_404(self, product_id: int) -> Product:
        \"\"\"Find a product that is there.\"\"\"
        product = self.get(product_id)
        if product is None:
            raise HTTPException(404, f"No product {product_id}")
        return product


def find_customer(session: Session, customer_id: int, role: str = "buyer") -> Customer:
    customer = session.exec(select(Customer).where(Customer.id == customer_id)).first()
    if not customer or customer.name == "":
        raise HTTPException(404, f"No {role} {customer_id}")
    return customer
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session
from repository import ProductRepository, find_customer

app = FastAPI()


@app.post("/stock")
def stock(ids: list[int], session: Session = Depends(get_session)) -> list[int]:
    products = ProductRepository(session)
    return [products.get_or_404(product_id).stock for product_id in ids]


@app.get("/names")
def names(session: Session = Depends(get_session)) -> list[str]:
    found = []
    for order in session.exec(select(Order).limit(100)).all():
        customer = find_customer(session, order.customer_id, role="customer")
        found.append(customer.name)
    return found
""",
        },
        {
            "repository.py": """\
from collections.abc import Sequence
from typing import Generic, TypeVar

from fastapi import HTTPException
from sqlmodel import Session, SQLModel, col, select

from models import Customer, Product

Model = TypeVar("Model", bound=SQLModel)


class Repository(Generic[Model]):
    model: type[Model]

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, row_id: int) -> Model | None:
        return self.session.get(self.model, row_id)


class ProductRepository(Repository[Product]):
    model = Product

    def require_product(self, product: Product | None, product_id: int) -> Product:
        if product is None:
            raise HTTPException(404, f"No product {product_id}")
        return product

    def list_by_id(self, row_ids: list[int]) -> Sequence[Product]:
        return self.session.exec(select(Product).where(col(Product.id).in_(row_ids))).all()


def require_customer(customer: Customer | None, customer_id: int, role: str = "buyer") -> Customer:
    if not customer or customer.name == "":
        raise HTTPException(404, f"No {role} {customer_id}")
    return customer


def list_customers_by_id(session: Session, customer_ids: list[int]) -> Sequence[Customer]:
    return session.exec(select(Customer).where(col(Customer.id).in_(customer_ids))).all()
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import Order, get_session
from repository import ProductRepository, list_customers_by_id, require_customer

app = FastAPI()


@app.post("/stock")
def stock(ids: list[int], session: Session = Depends(get_session)) -> list[int]:
    products = ProductRepository(session)
    products_by_id = {product.id: product for product in products.list_by_id(ids)}
    return [products.require_product(products_by_id.get(product_id), product_id).stock for product_id in ids]


@app.get("/names")
def names(session: Session = Depends(get_session)) -> list[str]:
    found = []
    orders = session.exec(select(Order).limit(100)).all()
    customer_ids = [order.customer_id for order in orders]
    customers = {customer.id: customer for customer in list_customers_by_id(session, customer_ids)}
    for order in orders:
        customer = require_customer(customers.get(order.customer_id), order.customer_id, "customer")
        found.append(customer.name)
    return found
""",
        },
    ),
    Case(
        "async: functions for one and for many, with what is loaded with a row",
        {
            "models.py": _BLOG,
            "repository.py": """\
from fastapi import HTTPException
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from models import Post


class Posts:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def get(self, post_id: int) -> Post:
        post = await self.db.get(Post, post_id, options=[selectinload(Post.author)])
        if post is None:
            raise HTTPException(404)
        return post
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from models import get_db
from repository import Posts

app = FastAPI()


@app.post("/names")
async def names(ids: list[int], db: AsyncSession = Depends(get_db)) -> list[str]:
    posts = Posts(db)
    found = []
    for post_id in ids:
        post = await posts.get(post_id)
        found.append(post.author.name)
    return found
""",
        },
        {
            "repository.py": """\
from collections.abc import Sequence

from fastapi import HTTPException
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from models import Post


class Posts:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def get(self, post_id: int) -> Post:
        return self.require_post(await self.db.get(Post, post_id, options=[selectinload(Post.author)]))

    async def list_by_id(self, post_ids: list[int]) -> Sequence[Post]:
        return (await self.db.scalars(select(Post).where(Post.id.in_(post_ids)).options(selectinload(Post.author)))).all()

    def require_post(self, post: Post | None) -> Post:
        if post is None:
            raise HTTPException(404)
        return post
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from models import get_db
from repository import Posts

app = FastAPI()


@app.post("/names")
async def names(ids: list[int], db: AsyncSession = Depends(get_db)) -> list[str]:
    posts = Posts(db)
    found = []
    posts_by_id = {post.id: post for post in await posts.list_by_id(ids)}
    for post_id in ids:
        post = posts.require_post(posts_by_id.get(post_id))
        found.append(post.author.name)
    return found
""",
        },
    ),
    Case(
        "left alone: functions that do something before they raise, that catch, or that choose",
        {
            "models.py": _SHOP,
            "repository.py": """\
from fastapi import HTTPException
from sqlmodel import Session

from models import Customer, Product


def noted(session: Session, product_id: int) -> Product:
    product = session.get(Product, product_id)
    if product is None:
        print(product_id)
        raise HTTPException(404)
    return product


def chosen(session: Session, product_id: int) -> Product | Customer | None:
    product = session.get(Product, product_id)
    if product is None:
        return session.get(Customer, product_id)
    return product


def locked(session: Session, product_id: int) -> Product:
    product = session.get(Product, product_id, with_for_update=True)
    if product is None:
        raise HTTPException(404)
    return product
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from models import get_session
from repository import chosen, locked, noted

app = FastAPI()


@app.post("/noted")
def of_noted(ids: list[int], session: Session = Depends(get_session)) -> list[int]:
    return [noted(session, product_id).stock for product_id in ids]


@app.post("/chosen")
def of_chosen(ids: list[int], session: Session = Depends(get_session)) -> list[int]:
    return [chosen(session, product_id).id for product_id in ids]


@app.post("/locked")
def of_locked(ids: list[int], session: Session = Depends(get_session)) -> list[int]:
    return [locked(session, product_id).stock for product_id in ids]
""",
        },
        stopped=(
            "main.py:12",
            "main.py:17",
            "main.py:22",
        ),
    ),
    Case(
        "left alone: what stands behind a port, and texts that are keys of another table and may be compared in another way",
        {
            "models.py": _SHOP,
            "tables.py": """\
from sqlalchemy import Column, ForeignKey, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Tag(Base):
    __tablename__ = "tags"
    name: Mapped[str] = mapped_column(String(40, collation="NOCASE"), primary_key=True)


tagged = Table("tagged", Base.metadata, Column("tag", ForeignKey("tags.name"), primary_key=True))
""",
            "repository.py": """\
from typing import Protocol

from sqlmodel import Session

from models import Product


class Products(Protocol):
    def get(self, product_id: int) -> Product | None: ...


class SqlProducts(Products):
    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, product_id: int) -> Product | None:
        return self.session.get(Product, product_id)


def stock_of(products: Products, ids: list[int]) -> list[int]:
    found = []
    for product_id in ids:
        product = products.get(product_id)
        found.append(product.stock)
    return found
""",
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session as OtherSession
from sqlmodel import Session, func, select

from models import get_session
from repository import SqlProducts, stock_of
from tables import Tag, tagged

app = FastAPI()


@app.post("/stock")
def stock(ids: list[int], session: Session = Depends(get_session)) -> list[int]:
    return stock_of(SqlProducts(session), ids)


@app.get("/tags")
def tags(db: OtherSession = Depends(get_session)) -> list[int]:
    found = []
    for tag in db.scalars(select(Tag)).all():
        count = db.scalar(
            select(func.count()).select_from(tagged).where(tagged.c.tag == tag.name)
        )
        found.append(count)
    return found
""",
        },
        stopped=(
            "main.py:21",
            "repository.py:23",
        ),
    ),
)
