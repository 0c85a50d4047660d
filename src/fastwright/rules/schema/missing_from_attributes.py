"""A schema that is made from rows says so: `from_attributes=True`.

Pydantic 2 makes a model from a dict, or from an instance of that model. Given any other object, a row of
SQLAlchemy or SQLModel among them, `Schema.model_validate(row)`, `Schema.from_orm(row)` and
`Page(items=rows)` raise, and the client gets a 500. With `model_config =
ConfigDict(from_attributes=True)` the model reads the attributes of the row. Each model needs its own: that
of the outer one does not hold for those nested in it.

FastAPI itself reads attributes when it makes the answer from what an endpoint returns; such a schema needs
no setting and is not reported. Neither are schemas that descend from SQLModel (they read attributes), that
inherit from something unknown or take values apart in a validator that runs before, calls with
`from_attributes=True`, and values of which it is not known that they are rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.models import Schema
from fastwright.app.on_loop import served
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, External
from fastwright.app.types import ClassObject, Instance, NoneType, Sequence, Type, alternatives
from fastwright.edit.builders import add_argument, first_byte, insert_before
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.edit.source import is_alone
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, name_place, of_entry, of_step, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._pydantic import is_v2

_VALIDATING = frozenset({"model_validate", "from_orm"})
_PLAIN_BASES = frozenset(
    {"pydantic.BaseModel", "typing.Generic", "abc.ABC", "builtins.object", "typing.Protocol"}
)
_VALIDATORS = frozenset({"field_validator", "model_validator", "validator", "root_validator"})
_EARLY = frozenset({"before", "wrap", "plain"})


def check(app: App) -> Iterator[Hit]:
    """Report rows that are given to schemas which do not read attributes."""
    if not app.tables or not is_v2(app):
        return
    running = served(app)
    for step in running.reached:
        for site in app.calls.sites(step.function):
            found = _refused(app, site)
            if found is None:
                continue
            schema, table, how = found
            chain = (
                *of_entry(running.entry(step.root)),
                *of_step(step),
                Evidence(name_place(schema), "does not set from_attributes"),
                evidence(site.module, site.node, how),
            )
            message = (
                f"{schema.name} is made from a row of {table.name} without from_attributes=True:"
                " Pydantic raises"
            )
            yield Hit(place(site.module, site.node), message, chain, _configured(schema))


def _configured(schema: Class) -> Fix | None:
    """Return the fix that lets a schema read attributes."""
    module, node = schema.module, schema.node
    config = schema.own_attributes.get("model_config")
    if config is not None:
        if not isinstance(config.value, s.Call):
            return None
        added = add_argument(module, config.value, "from_attributes=True")
        return Fix("safe", (added,))
    body = node.body[1:] if node.doc is not None else node.body
    brought = bring(module, "pydantic", "ConfigDict")
    if "Config" in schema.own_classes or not body or brought is None:
        return None
    if not is_alone(module.source, first_byte(body[0]), body[0].end):
        return None
    lines = f"model_config = {brought.name}(from_attributes=True)\n\n"
    return Fix("safe", (insert_before(module, body[0], lines),), brought.imports)


def _refused(app: App, site: CallSite) -> tuple[Class, Class, str] | None:
    """Return the schema that raises on what a call gives it, the table of the row, and how."""
    where = Where(site.module, site.caller)
    receiver = site.receiver
    if site.method in _VALIDATING and isinstance(receiver, ClassObject):
        return _validated(app, site, receiver, where)
    if isinstance(site.callee, ClassObject) and isinstance(site.callee.cls, Class):
        schema = _schema(app, site.callee.cls)
        return _constructed(app, site.node, schema, where) if schema is not None else None
    return None


def _validated(
    app: App, site: CallSite, receiver: ClassObject, where: Where
) -> tuple[Class, Class, str] | None:
    """``Schema.model_validate(row)``: the schema itself, and models for the row's relationships."""
    if site.targets or not isinstance(receiver.cls, Class) or len(site.node.args) != 1:
        return None
    if any(keyword.arg in {None, "from_attributes"} for keyword in site.node.keywords):
        return None
    schema = _schema(app, receiver.cls)
    row = _row(app, app.types.of(site.node.args[0], where))
    if schema is None or row is None or _is_a(app, row, schema.cls):
        return None
    if _refuses_rows(app, schema.cls):
        return schema.cls, row, f"{site.method} of a row of {row.name}"
    return _nested(app, schema, row) if _reads_attributes(app, schema.cls) else None


def _nested(app: App, schema: Schema, row: Class) -> tuple[Class, Class, str] | None:
    table = app.models.table(row)
    if table is None or _takes_apart(app, schema.cls):
        return None
    for name, field in schema.fields.items():
        relationship = table.relationships.get(name)
        inner = _model_of(app, field.type)
        if relationship is None or relationship.target is None or inner is None:
            continue
        if _refuses_rows(app, inner) and not _is_a(app, relationship.target, inner):
            return inner, relationship.target, f"{schema.cls.name}.{name} is a row, too"
    return None


def _constructed(
    app: App, node: s.Call, schema: Schema, where: Where
) -> tuple[Class, Class, str] | None:
    """``Page(items=rows)``: the models of its fields."""
    if _takes_apart(app, schema.cls) or app.linker.method(schema.cls, "__init__") is not None:
        return None
    for keyword in node.keywords:
        field = schema.fields.get(keyword.arg or "")
        if field is None:
            continue
        inner = _model_of(app, field.type)
        if inner is None or not _refuses_rows(app, inner):
            continue
        given = app.types.of(keyword.value, where)
        if isinstance(given, Sequence) != isinstance(field.type, Sequence):
            continue
        row = _row(app, given.element if isinstance(given, Sequence) else given)
        if row is not None and not _is_a(app, row, inner):
            return inner, row, f"{schema.cls.name}.{keyword.arg} is given rows of {row.name}"
    return None


def _schema(app: App, cls: Class) -> Schema | None:
    return app.models.schema(cls) if app.models.table(cls) is None else None


def _row(app: App, found: Type) -> Class | None:
    """Return the table of which a value surely is a row."""
    options = [option for option in alternatives(found) if not isinstance(option, NoneType)]
    if len(options) != 1 or not isinstance(options[0], Instance):
        return None
    cls = options[0].cls
    return cls if isinstance(cls, Class) and app.types.is_table(cls) else None


def _model_of(app: App, found: Type) -> Class | None:
    """Return the only model that a field holds, once or many times."""
    inner = found.element if isinstance(found, Sequence) and found.kind != "dict" else found
    options = [option for option in alternatives(inner) if not isinstance(option, NoneType)]
    if len(options) != 1 or not isinstance(options[0], Instance):
        return None
    cls = options[0].cls
    return cls if isinstance(cls, Class) and _schema(app, cls) is not None else None


def _is_a(app: App, row: Class, model: Class) -> bool:
    return any(isinstance(a, Class) and a.node is model.node for a in app.linker.mro(row))


def _refuses_rows(app: App, cls: Class) -> bool:
    """Whether a model surely takes no objects: all of its bases are known, and none lets it."""
    for ancestor in app.linker.mro(cls):
        if isinstance(ancestor, External):
            if ancestor.name not in _PLAIN_BASES:
                return False
        elif len(app.linker.bases(ancestor)) != len(ancestor.node.bases):
            return False
    return not _may_read_attributes(app, cls) and not _takes_apart(app, cls)


def _may_read_attributes(app: App, cls: Class) -> bool:
    return any(
        _sets_attributes(ancestor, known=False)
        for ancestor in app.linker.mro(cls)
        if isinstance(ancestor, Class)
    )


def _reads_attributes(app: App, cls: Class) -> bool:
    """Whether a model itself is surely made from objects."""
    return "sqlmodel.SQLModel" in app.linker.ancestors(cls) or any(
        _sets_attributes(ancestor, known=True)
        for ancestor in app.linker.mro(cls)
        if isinstance(ancestor, Class)
    )


def _sets_attributes(cls: Class, *, known: bool) -> bool:
    """Whether a class sets ``from_attributes``; with ``known`` surely, else perhaps."""
    config = cls.own_attributes.get("model_config")
    if config is not None and config.value is not None:
        found = _setting(config.value)
        if found is None:
            return not known
        return found
    inner = cls.own_classes.get("Config")
    if inner is not None:
        if "from_attributes" in inner.own_attributes:
            return True
        return not known and bool(inner.node.bases or "orm_mode" in inner.own_attributes)
    if any(keyword.arg == "from_attributes" for keyword in cls.node.keywords):
        return True
    return not known and "__get_pydantic_core_schema__" in cls.own_methods


def _setting(node: s.Expr) -> bool | None:
    """Return whether a configuration sets ``from_attributes``; None where it cannot be read."""
    if isinstance(node, s.Call) and not node.args:
        if any(keyword.arg is None for keyword in node.keywords):
            return None
        value = node.keyword("from_attributes")
    elif isinstance(node, s.Dict) and None not in node.keys:
        pairs = zip(node.keys, node.values, strict=True)
        value = next((v for k, v in pairs if s.string(k) == "from_attributes"), None)
    else:
        return None
    return value is not None and not (isinstance(value, s.Constant) and value.value is False)


def _takes_apart(app: App, cls: Class) -> bool:
    """Whether a validator of the model may turn objects into something else before."""
    for ancestor in app.linker.mro(cls):
        if not isinstance(ancestor, Class):
            continue
        for method in ancestor.own_methods.values():
            for decorator in method.node.decorators:
                if isinstance(decorator, s.Call) and s.last_name(decorator.func) in _VALIDATORS:
                    mode = s.string(decorator.keyword("mode"))
                    if mode in _EARLY or decorator.keyword("pre") is not None:
                        return True
    return False


RULE = Rule(
    summary="a schema without from_attributes that is made from rows",
    severity="error",
    mend="`model_config = ConfigDict(from_attributes=True)` in the schema, or in a base class that all"
    " schemas for answers share.",
    app=check,
    since={"pydantic": "2.0"},
    references=(
        "https://docs.pydantic.dev/latest/concepts/models/#arbitrary-class-instances",
        "https://docs.pydantic.dev/latest/api/config/#pydantic.config.ConfigDict.from_attributes",
    ),
)

_HEAD = """
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list["Order"]] = relationship()

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

engine = create_engine("sqlite://")
app = FastAPI()

def get_session():
    with Session(engine) as session:
        yield session
"""

CASES = (
    case(
        "model_validate, from_orm, rows in an envelope",
        _HEAD
        + """
class OrderOut(BaseModel):
    id: int

class Page(BaseModel):
    items: list[OrderOut]
    total: int

@app.get("/orders/{id}")
def read(id: int, session: Session = Depends(get_session)) -> OrderOut:
    order = session.get(Order, id)
    return OrderOut.model_validate(order)  # <-

@app.get("/old/{id}")
def old(id: int, session: Session = Depends(get_session)) -> OrderOut:
    return OrderOut.from_orm(session.get(Order, id))  # <-

@app.get("/orders")
def many(session: Session = Depends(get_session)):
    rows = session.scalars(select(Order)).all()
    return Page(items=rows, total=len(rows))  # <-
""",
        after="""
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list["Order"]] = relationship()

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

engine = create_engine("sqlite://")
app = FastAPI()

def get_session():
    with Session(engine) as session:
        yield session

class OrderOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int

class Page(BaseModel):
    items: list[OrderOut]
    total: int

@app.get("/orders/{id}")
def read(id: int, session: Session = Depends(get_session)) -> OrderOut:
    order = session.get(Order, id)
    return OrderOut.model_validate(order)

@app.get("/old/{id}")
def old(id: int, session: Session = Depends(get_session)) -> OrderOut:
    return OrderOut.from_orm(session.get(Order, id))

@app.get("/orders")
def many(session: Session = Depends(get_session)):
    rows = session.scalars(select(Order)).all()
    return Page(items=rows, total=len(rows))
""",
    ),
    case(
        "a nested model needs its own",
        _HEAD
        + """
class OrderOut(BaseModel):
    id: int

class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    orders: list[OrderOut]

@app.get("/users/{id}")
def read(id: int, session: Session = Depends(get_session)) -> UserOut:
    return UserOut.model_validate(session.get(User, id))  # <-
""",
        after="""
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list["Order"]] = relationship()

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

engine = create_engine("sqlite://")
app = FastAPI()

def get_session():
    with Session(engine) as session:
        yield session

class OrderOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int

class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    orders: list[OrderOut]

@app.get("/users/{id}")
def read(id: int, session: Session = Depends(get_session)) -> UserOut:
    return UserOut.model_validate(session.get(User, id))
""",
    ),
    case(
        "it is set, inherited, given with the call, or FastAPI makes the answer",
        _HEAD
        + """
class Public(BaseModel):
    model_config = ConfigDict(from_attributes=True)

class OrderOut(Public):
    id: int

class Plain(BaseModel):
    id: int

class Old(BaseModel):
    id: int

    class Config:
        from_attributes = True

class Apart(BaseModel):
    id: int

    @model_validator(mode="before")
    @classmethod
    def from_row(cls, value):
        return {"id": value.id}

class Page(BaseModel):
    items: list[OrderOut]

@app.get("/orders/{id}", response_model=Plain)
def read(id: int, session: Session = Depends(get_session)):
    return session.get(Order, id)

@app.get("/more/{id}")
def more(id: int, session: Session = Depends(get_session)):
    order = session.get(Order, id)
    OrderOut.model_validate(order)
    Plain.model_validate(order, from_attributes=True)
    Plain.model_validate({"id": order.id})
    Old.model_validate(order)
    Apart.model_validate(order)
    return Page(items=[order])
""",
    ),
    Case(
        "a base that is not known, SQLModel",
        {
            "main.py": """
                from fastapi import Depends, FastAPI
                from house import HouseModel
                from sqlmodel import Field, Session, SQLModel, create_engine

                class Order(SQLModel, table=True):
                    id: int | None = Field(default=None, primary_key=True)

                class OrderPublic(SQLModel):
                    id: int

                class OrderOut(HouseModel):
                    id: int

                app = FastAPI()

                def get_session():
                    with Session(create_engine("sqlite://")) as session:
                        yield session

                @app.get("/orders/{id}")
                def read(id: int, session: Session = Depends(get_session)):
                    order = session.get(Order, id)
                    return OrderOut.model_validate(order), OrderPublic.model_validate(order)
                """,
        },
    ),
)
