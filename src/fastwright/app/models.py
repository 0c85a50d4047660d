"""Schemas and tables: data classes of the project, with fields, columns and relationships."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from fastwright.app.infer import Inference
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class
from fastwright.app.types import UNKNOWN, Instance, Sequence, Type, alternatives
from fastwright.read import syntax as s

PYDANTIC = frozenset(
    {
        "pydantic.BaseModel",
        "pydantic.v1.BaseModel",
        "pydantic.generics.GenericModel",
        "pydantic.RootModel",
        "pydantic_settings.BaseSettings",
        "pydantic.BaseSettings",
        "sqlmodel.SQLModel",
    }
)
SETTINGS = frozenset({"pydantic_settings.BaseSettings", "pydantic.BaseSettings",
                      "pydantic.v1.BaseSettings"})  # fmt: skip
_COLUMN_CALLS = frozenset(
    {"sqlalchemy.Column", "sqlalchemy.orm.mapped_column", "sqlmodel.Field", "pydantic.Field"}
)
_RELATIONSHIP_CALLS = frozenset({"sqlalchemy.orm.relationship", "sqlmodel.Relationship"})


class Field(msgspec.Struct, frozen=True, eq=False):
    """A field of a schema. ``node`` is its statement in ``owner``, the class that declares it."""

    name: str
    owner: Class
    node: s.AnnAssign
    type: Type
    default: s.Expr | None
    """The default or the call of ``Field(...)``; None for a required field."""
    excluded: bool
    """``Field(exclude=True)``: never serialised."""


class Schema(msgspec.Struct, frozen=True, eq=False):
    """A Pydantic or SQLModel data model (a SQLModel table is one too), with inherited fields."""

    cls: Class
    fields: dict[str, Field]
    is_settings: bool


class Column(msgspec.Struct, frozen=True, eq=False):
    """A mapped column. ``node`` is its statement in ``owner``."""

    name: str
    owner: Class
    node: s.AnnAssign | s.Assign
    type: Type
    call: s.Call | None
    """The call of ``Column``, ``mapped_column`` or ``Field`` that describes it."""
    primary_key: bool
    foreign_key: str | None
    """``users.id``."""
    unique: bool
    index: bool


class Relationship(msgspec.Struct, frozen=True, eq=False):
    """A relationship to another table. ``lazy`` is the strategy it names, None for the default."""

    name: str
    owner: Class
    node: s.AnnAssign | s.Assign
    target: Class | None
    many: bool
    lazy: str | None
    """None: ``select``, one statement each time it is touched."""


class Table(msgspec.Struct, frozen=True, eq=False):
    """A class mapped to a table, with inherited columns."""

    cls: Class
    name: str
    columns: dict[str, Column]
    relationships: dict[str, Relationship]


@dataclass(eq=False)
class Models:
    """Schemas and tables by class, made on demand."""

    types: Inference
    _schemas: dict[int, Schema | None] = field(default_factory=dict)
    _tables: dict[int, Table | None] = field(default_factory=dict)

    def schema(self, cls: Class) -> Schema | None:
        """Return the schema that ``cls`` is, or None if it is no Pydantic model."""
        key = id(cls.node)
        if key not in self._schemas:
            self._schemas[key] = self._make_schema(cls)
        return self._schemas[key]

    def table(self, cls: Class) -> Table | None:
        """Return the table that ``cls`` is mapped to, or None."""
        key = id(cls.node)
        if key not in self._tables:
            self._tables[key] = self._make_table(cls) if self.types.is_table(cls) else None
        return self._tables[key]

    def is_schema(self, cls: Class) -> bool:
        """Whether ``cls`` is a Pydantic model (SQLModel tables included)."""
        return not self.types.linker.ancestors(cls).isdisjoint(PYDANTIC)

    def _make_schema(self, cls: Class) -> Schema | None:
        if not self.is_schema(cls):
            return None
        fields: dict[str, Field] = {}
        for ancestor in reversed(self.types.linker.mro(cls)):
            if not isinstance(ancestor, Class):
                continue
            for name, node in ancestor.own_attributes.items():
                if isinstance(node, s.AnnAssign) and _is_field_name(name):
                    fields[name] = self._field(name, ancestor, node)
        settings = not self.types.linker.ancestors(cls).isdisjoint(SETTINGS)
        return Schema(cls, fields, settings)

    def _field(self, name: str, owner: Class, node: s.AnnAssign) -> Field:
        where = Where(owner.module, owner.outer)
        described = node.value
        for metadata, _ in self.types.metadata(node.annotation, where):
            if described is None and isinstance(metadata, s.Call):
                name_ = self.types.linker.external(metadata.func, owner.module)
                if name_ in _COLUMN_CALLS and metadata.keyword("default") is not None:
                    described = metadata
        excluded = isinstance(described, s.Call) and _is_true(described.keyword("exclude"))
        type_ = self.types.annotation(node.annotation, where)
        return Field(name, owner, node, type_, node.value, excluded)

    def _make_table(self, cls: Class) -> Table:
        columns: dict[str, Column] = {}
        relationships: dict[str, Relationship] = {}
        for ancestor in reversed(self.types.linker.mro(cls)):
            if not isinstance(ancestor, Class):
                continue
            for name, node in ancestor.own_attributes.items():
                relationship = self._relationship(name, ancestor, node)
                if relationship is not None:
                    relationships[name] = relationship
                elif (column := self._column(name, ancestor, node)) is not None:
                    columns[name] = column
        return Table(cls, self._table_name(cls), columns, relationships)

    def _table_name(self, cls: Class) -> str:
        found = self.types.linker.class_attribute(cls, "__tablename__")
        if found is not None and (name := s.string(found[1].value)) is not None:
            return name
        return self.types.table_mixin(cls) or cls.name.lower()

    def _call_of(self, owner: Class, node: s.AnnAssign | s.Assign) -> tuple[str, s.Call] | None:
        value = node.value
        if isinstance(value, s.Call):
            name = self.types.linker.external(value.func, owner.module, owner.outer)
            return (name, value) if name is not None else None
        return None

    def _relationship(
        self, name: str, owner: Class, node: s.AnnAssign | s.Assign
    ) -> Relationship | None:
        described = self._call_of(owner, node)
        if described is None or described[0] not in _RELATIONSHIP_CALLS:
            return None
        call = described[1]
        where = Where(owner.module, owner.outer)
        type_: Type = UNKNOWN
        if isinstance(node, s.AnnAssign):
            type_ = self.types.annotation(node.annotation, where)
        if type_ is UNKNOWN:
            type_ = self.types.attribute(Instance(owner), name)
        many = isinstance(type_, Sequence)
        inner = type_.element if isinstance(type_, Sequence) else type_
        target = next((o.cls for o in alternatives(inner) if isinstance(o, Instance)), None)
        if target is None or isinstance(target, str):
            target = self._named_target(call, node)
        lazy = call.keyword("lazy") or _sa_keyword(call, "lazy")
        return Relationship(name, owner, node, target, many, s.string(lazy))

    def _named_target(self, call: s.Call, node: s.AnnAssign | s.Assign) -> Class | None:
        """Find the class that a relationship names as text (``"Order"``, ``List["Order"]``)."""
        names = [s.string(call.argument(0, "argument"))]
        if isinstance(node, s.AnnAssign):
            names += [s.string(inner) for inner in s.walk(node.annotation)]
        for name in names:
            if name:
                last = name.strip("[]\"' ").rpartition("[")[2].rpartition(".")[2].strip("]\"' ")
                found = self.types.class_named(last.partition(" ")[0])
                if isinstance(found, Instance) and isinstance(found.cls, Class):
                    return found.cls
        return None

    def _column(self, name: str, owner: Class, node: s.AnnAssign | s.Assign) -> Column | None:
        if name.startswith("__") or name in {"model_config", "metadata", "registry"}:
            return None
        described = self._call_of(owner, node)
        call = described[1] if described is not None and described[0] in _COLUMN_CALLS else None
        if call is None and isinstance(node, s.Assign):
            return None
        if isinstance(node, s.AnnAssign) and s.last_name(node.annotation) == "ClassVar":
            return None
        where = Where(owner.module, owner.outer)
        type_ = (
            self.types.annotation(node.annotation, where)
            if isinstance(node, s.AnnAssign)
            else UNKNOWN
        )
        return Column(
            name=name,
            owner=owner,
            node=node,
            type=type_,
            call=call,
            primary_key=_flag(call, "primary_key"),
            foreign_key=_foreign_key(call),
            unique=_flag(call, "unique"),
            index=_flag(call, "index"),
        )


def _is_field_name(name: str) -> bool:
    return not name.startswith("_") and name != "model_config"


def _is_true(node: s.Expr | None) -> bool:
    return isinstance(node, s.Constant) and node.value is True


def _flag(call: s.Call | None, name: str) -> bool:
    return call is not None and _is_true(call.keyword(name) or _sa_keyword(call, name))


def _sa_keyword(call: s.Call, name: str) -> s.Expr | None:
    """Return a keyword given through SQLModel: ``sa_column=Column(...)``, ``sa_*_kwargs={...}``."""
    column = call.keyword("sa_column")
    if isinstance(column, s.Call) and (found := column.keyword(name)) is not None:
        return found
    for keyword in call.keywords:
        if keyword.arg in {"sa_relationship_kwargs", "sa_column_kwargs"} and isinstance(
            keyword.value, s.Dict
        ):
            for key, value in zip(keyword.value.keys, keyword.value.values, strict=True):
                if s.string(key) == name:
                    return value
    return None


def _foreign_key(call: s.Call | None) -> str | None:
    if call is None:
        return None
    if (given := s.string(call.keyword("foreign_key"))) is not None:
        return given
    for node in s.walk(call):
        if isinstance(node, s.Call) and s.last_name(node.func) == "ForeignKey":
            target = node.argument(0, "column")
            return s.string(target) or (s.dotted(target) if target is not None else None)
    return None
