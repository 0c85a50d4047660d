"""A counter is changed by the database, not by Python.

`product.stock -= 1` reads the stock, computes, and writes the result with the commit. Two requests at once
read the same number, and the second commit overwrites the first: one sale is lost, a balance is spent twice, a
limit is passed. Let one statement do it (`update(Product).values(stock=Product.stock - 1)`, with a condition in
`where` such as `Product.stock >= 1`), assign such an expression (`product.stock = Product.stock - 1`), or lock
the row when it is read (`with_for_update()`).

Reported are `+=` and `-=` (also written out, `row.n = row.n + 1`) on a number column of a row that requests
load, also in a function that gets the row or in a dependency, where the session writes it in the same function or
in the one that calls it. Left alone: rows read with a lock, functions on whose way any other lock is taken,
tables with a version column (`version_id_col`), databases opened with the isolation level SERIALIZABLE or
REPEATABLE READ, rows that are made here, loops that change many rows, and numbers that only order or version a row
(position, version, retries, attempts of a job). Where it is not known how the row was loaded, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.calls import Execution, Step
from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.on_loop import served
from fastwright.app.surroundings import Surroundings
from fastwright.edit.builders import add_argument, chain_behind
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.data._loops import of_request, request_label
from fastwright.rules.data._rows import is_number, loads, table_of, takes_turns
from fastwright.rules.data._statements import whole
from fastwright.rules.evidence import call_name, evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_NOT_SHARED = re.compile(
    r"version|revision|position|order$|sort|index|rank|sequence|retr(y|ies)|generation|epoch|_at$"
    r"|time|duration",
    re.IGNORECASE,
)
_SIGNS_IN = re.compile(r"login|otp|code|token|auth|user|verif|mfa|pin", re.IGNORECASE)
"""Tables whose attempts are counted against somebody who guesses, not by a worker that tries again."""
_ISOLATED = re.compile(r"serializable|repeatable", re.IGNORECASE)


def check(app: App) -> Iterator[Hit]:
    """Report numbers of loaded rows that requests change by what they read."""
    if not app.tables:
        return
    running = served(app)
    for step in running.reached:
        for node, around in _changes(app, step):
            target = _target(node)
            if target is None or around.deferred or _is_repeated(around):
                continue
            row = target.value
            if not isinstance(row, s.Name):
                continue
            table = table_of(app, row, step.function)
            if table is None or not _is_shared_number(app, table, target.attr):
                continue
            read = loads(app, row, step)
            if read is None or any(_is_locked(run) for run in read):
                continue
            if not _is_written(app, step) or takes_turns(app, step, around) or _is_isolated(app):
                continue
            written = f"{row.id}.{target.attr}"
            message = (
                f"{written} is computed from what was read before: of two requests at once, one"
                f" change of {table.cls.name}.{target.attr} is lost"
                f"{request_label(running, step.function)}"
            )
            first = read[0].site
            proof = (
                *of_request(running, step.function),
                evidence(first.module, first.node, f"read without a lock: {call_name(first)}"),
                evidence(step.function.module, node, f"{written} is written"),
            )
            yield Hit(place(step.function.module, node), message, proof, _fix(read))


def _fix(read: list[Execution]) -> Fix | None:
    """Return the fix that locks the row until the commit, where one statement reads it."""
    run = read[0]
    if len(read) != 1:
        return None
    if run.by_key:
        locked = add_argument(run.site.module, run.site.node, "with_for_update=True")
        return Fix("suggest", (locked,))
    made = run.query.node if run.query is not None else None
    if run.query is None or not isinstance(made, s.Call):
        return None
    if s.last_name(made.func) not in {"select", "query"}:
        return None
    return Fix("suggest", (chain_behind(run.query.module, whole(run.query), ".with_for_update()"),))


def _changes(app: App, step: Step) -> Iterator[tuple[s.AugAssign | s.Assign, Surroundings]]:
    yield from app.calls.of_kind(step.function, s.AugAssign)
    yield from app.calls.of_kind(step.function, s.Assign)


def _is_repeated(around: Surroundings) -> bool:
    """Whether a loop changes many rows: it does not leave for good where it changes one."""
    if not around.loops:
        return False
    loop, branches = around.loops[-1], around.branches
    inside = [branch for branch in branches if loop.start <= branch.start < loop.end]
    return not any(_leaves(branch.body[-1]) for branch in inside if branch.body)


def _leaves(node: s.Stmt) -> bool:
    return isinstance(node, s.Return) or (isinstance(node, s.Flow) and node.keyword == "break")


def _target(node: s.AugAssign | s.Assign) -> s.Attribute | None:
    """Return the attribute that is changed by an amount, for ``x.n += 1`` and ``x.n = x.n + 1``."""
    target = node.target if isinstance(node, s.AugAssign) else node.targets[0]
    if not isinstance(target, s.Attribute):
        return None
    if isinstance(node, s.AugAssign):
        return target if node.op in {"+=", "-="} else None
    alone = len(node.targets) == 1
    return target if alone and _adds_to(node.value, s.dotted(target)) else None


def _adds_to(node: s.Expr, name: str | None) -> bool:
    """``x.n + 1``, ``(x.n or 0) - 1``, ``max(0, x.n - 1)``."""
    if isinstance(node, s.Call) and s.dotted(node.func) in {"max", "min"}:
        return any(_adds_to(arg, name) for arg in node.args)
    if not isinstance(node, s.BinOp) or node.op not in {"+", "-"}:
        return False
    left = node.left
    if isinstance(left, s.BoolOp) and left.op == "or":
        left = left.values[0]
    return s.dotted(left) == name or (node.op == "+" and s.dotted(node.right) == name)


def _is_shared_number(app: App, table: Table, name: str) -> bool:
    column = table.columns.get(name)
    if column is None or not is_number(column) or _NOT_SHARED.search(name):
        return False
    if "attempt" in name and not _SIGNS_IN.search(table.cls.name):
        return False
    found = app.linker.class_attribute(table.cls, "__mapper_args__")
    return found is None or not any(s.string(node) == "version_id_col" for node in s.walk(found[1]))


def _is_locked(read: Execution) -> bool:
    if read.query is not None and read.query.locked:
        return True
    return read.site.node.keyword("with_for_update") is not None


def _is_written(app: App, step: Step) -> bool:
    """Whether the function that changes the row, or the one that calls it, writes to the database."""
    functions = [step.function] if step.before is None else [step.function, step.before.function]
    for function in functions:
        if any(run.kind in {"write", "commit"} for run in app.calls.executions(function)):
            return True
        for site in app.calls.sites(function):
            for target in site.targets:
                if any(run.kind == "commit" for run in app.calls.executions(target)):
                    return True
    return False


def _is_isolated(app: App) -> bool:
    """Whether the application asks for an isolation level that refuses lost updates."""
    for module in app.model_modules:
        if "sqlalchemy" in module.header.marks or "sqlmodel" in module.header.marks:
            for node in module.walk():
                if isinstance(node, s.Call) and node.keyword("isolation_level") is not None:
                    level = s.string(node.keyword("isolation_level"))
                    if level is None or _ISOLATED.search(level):
                        return True
    return False


RULE = Rule(
    summary="a number of a row is changed in Python",
    severity="warning",
    confidence="medium",
    mend="Change it in one statement, `update(Product).where(Product.id == id, Product.stock >= n)"
    ".values(stock=Product.stock - n)`, and look at `rowcount`; or read the row `with_for_update()`.",
    app=check,
    references=(
        "https://docs.sqlalchemy.org/en/20/orm/queryguide/query.html#sqlalchemy.orm.Query.with_for_update",
        "https://docs.sqlalchemy.org/en/20/orm/versioning.html",
        "CWE-362",
    ),
)

_HEAD = """
from typing import Annotated
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import Column, Integer, String, create_engine, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    stock: Mapped[int]
    position: Mapped[int]

class Account(Base):
    __tablename__ = "accounts"
    id = Column(Integer, primary_key=True)
    balance = Column(Integer)
    notes = Column(String)

class Page(Base):
    __tablename__ = "pages"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
    views: Mapped[int]
    __mapper_args__ = {"version_id_col": version}

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()
"""

CASES = (
    case(
        "stock, balance, written out, through functions and a dependency",
        _HEAD
        + """
def take(session: Session, product: Product, count: int) -> None:
    product.stock -= count  # <-
    session.commit()

@app.post("/orders/{id}")
def order(id: int, session: SessionDep) -> None:
    product = session.scalars(select(Product).where(Product.id == id)).one()
    take(session, product, 1)

@app.post("/pay/{id}")
def pay(id: int, amount: int, session: SessionDep) -> None:
    account = session.get(Account, id)
    if account is None or account.balance < amount:
        raise HTTPException(402)
    account.balance = account.balance - amount  # <-
    session.commit()

def find_account(id: int, session: SessionDep) -> Account:
    return session.query(Account).filter(Account.id == id).one()

@app.post("/refund/{id}")
def refund(session: SessionDep, account: Annotated[Account, Depends(find_account)]) -> None:
    account.balance = (account.balance or 0) + 1  # <-
    session.add(account)
    session.commit()

@app.post("/use/{name}")
def use(name: str, session: SessionDep) -> None:
    matches = session.scalars(select(Product).where(Product.name == name)).all()
    if len(matches) == 1:
        product = matches[0]
        product.stock -= 1  # <-
        session.flush()
        return
    for product in matches:
        if product.stock > 0:
            product.stock -= 1  # <-
            session.commit()
            return

@app.post("/visit/{id}")
def visit(id: int, session: SessionDep) -> None:
    product = session.get(Product, id)
    if product is None:
        product = Product(id=id, stock=0)
    product.stock += 1  # <-
    session.commit()
""",
        after="""
from typing import Annotated
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import Column, Integer, String, create_engine, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    stock: Mapped[int]
    position: Mapped[int]

class Account(Base):
    __tablename__ = "accounts"
    id = Column(Integer, primary_key=True)
    balance = Column(Integer)
    notes = Column(String)

class Page(Base):
    __tablename__ = "pages"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
    views: Mapped[int]
    __mapper_args__ = {"version_id_col": version}

engine = create_engine("sqlite://")

def get_session():
    with Session(engine) as session:
        yield session

SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()

def take(session: Session, product: Product, count: int) -> None:
    product.stock -= count
    session.commit()

@app.post("/orders/{id}")
def order(id: int, session: SessionDep) -> None:
    product = session.scalars(select(Product).where(Product.id == id).with_for_update()).one()
    take(session, product, 1)

@app.post("/pay/{id}")
def pay(id: int, amount: int, session: SessionDep) -> None:
    account = session.get(Account, id, with_for_update=True)
    if account is None or account.balance < amount:
        raise HTTPException(402)
    account.balance = account.balance - amount
    session.commit()

def find_account(id: int, session: SessionDep) -> Account:
    return session.query(Account).filter(Account.id == id).with_for_update().one()

@app.post("/refund/{id}")
def refund(session: SessionDep, account: Annotated[Account, Depends(find_account)]) -> None:
    account.balance = (account.balance or 0) + 1
    session.add(account)
    session.commit()

@app.post("/use/{name}")
def use(name: str, session: SessionDep) -> None:
    matches = session.scalars(select(Product).where(Product.name == name).with_for_update()).all()
    if len(matches) == 1:
        product = matches[0]
        product.stock -= 1
        session.flush()
        return
    for product in matches:
        if product.stock > 0:
            product.stock -= 1
            session.commit()
            return

@app.post("/visit/{id}")
def visit(id: int, session: SessionDep) -> None:
    product = session.get(Product, id, with_for_update=True)
    if product is None:
        product = Product(id=id, stock=0)
    product.stock += 1
    session.commit()
""",
    ),
    case(
        "in one statement, locked, versioned, new, or no counter",
        _HEAD
        + """
import threading
lock = threading.Lock()

@app.post("/a/{id}")
def a(id: int, session: SessionDep) -> None:
    session.execute(update(Product).where(Product.id == id).values(stock=Product.stock - 1))
    product = session.get(Product, id)
    product.stock = Product.stock - 1
    session.commit()

@app.post("/b/{id}")
def b(id: int, session: SessionDep) -> None:
    product = session.scalars(select(Product).where(Product.id == id).with_for_update()).one()
    product.stock -= 1
    session.commit()

@app.post("/c/{id}")
def c(id: int, session: SessionDep) -> None:
    product = session.get(Product, id, with_for_update=True)
    product.stock -= 1
    session.commit()

@app.post("/d/{id}")
def d(id: int, session: SessionDep) -> None:
    page = session.get(Page, id)
    page.views += 1
    session.commit()

@app.post("/e")
def e(session: SessionDep) -> None:
    product = Product(stock=1)
    product.stock += 1
    session.add(product)
    session.commit()

@app.post("/f/{id}")
def f(id: int, session: SessionDep) -> None:
    product = session.get(Product, id)
    product.position += 1
    product.name += "!"
    account = session.get(Account, id)
    account.notes += "!"
    with lock:
        product.stock -= 1
    session.commit()

@app.post("/all")
def everywhere(session: SessionDep) -> None:
    for product in session.scalars(select(Product)).all():
        if product.name:
            product.stock -= 1
    session.commit()

@app.get("/g/{id}")
def g(id: int, session: SessionDep) -> int:
    product = session.get(Product, id)
    product.stock -= 1
    return product.stock
""",
    ),
    case(
        "an isolation level that refuses it",
        _HEAD.replace('"sqlite://"', '"postgresql://", isolation_level="SERIALIZABLE"')
        + """
@app.post("/a/{id}")
def a(id: int, session: SessionDep) -> None:
    product = session.get(Product, id)
    product.stock -= 1
    session.commit()
""",
    ),
)
