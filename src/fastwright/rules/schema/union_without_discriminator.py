"""A union of models says by which field they are told apart.

Given `Card | Transfer`, Pydantic tries every member. Where a body fits two of them equally well, the first
one written wins, and the endpoint gets a model that the client did not mean. Where none fits, the error
lists what is wrong with each member, though the client meant one. With `Field(discriminator="type")` one
field, a `Literal` in each model, decides: one model is tried, the error speaks of that one, and the OpenAPI
document tells the client as well.

Reported are unions of models in what requests send: those whose members all have such a `Literal` field,
which nobody uses; and those of which two members require the same fields, of the same types, and no field
tells them apart. Left alone are members that inherit from each other, or that have validators which may
tell them apart, unions with `union_mode`, and what is only answered (there an instance stays what it is).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import msgspec

from fastwright.app.model import App
from fastwright.app.models import Field, Schema
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Variable
from fastwright.app.types import UNKNOWN, Alternatives, Instance, Sequence, Type
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.edit.source import quote, text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import name_place, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._carried import received
from fastwright.rules.schema._pydantic import is_v2

_VALIDATORS = frozenset({"field_validator", "model_validator", "validator", "root_validator"})
_CHOOSING = frozenset({"Discriminator", "Tag", "discriminator", "union_mode"})
_HOPS = 4
_SEQUENCES = frozenset({"list", "List", "Sequence", "set", "Set"})


class _Use(msgspec.Struct, frozen=True, eq=False):
    """A place where a type is written for something that requests send."""

    label: str
    type: Type
    annotation: s.Expr
    given: s.Expr | None
    """The default, which may be a ``Field(...)``."""
    where: Where
    route: Route
    marker: tuple[str, str]
    """What carries a discriminator there: the module and the name."""


def check(app: App) -> Iterator[Hit]:
    """Report unions of models that no discriminator tells apart."""
    if not is_v2(app):
        return
    seen: set[int] = set()
    for use in _uses(app):
        members = _members(app, use.type)
        if len(members) < 2 or id(use.annotation) in seen:
            continue
        seen.add(id(use.annotation))
        why = _why(app, members)
        if why is not None and not _is_chosen(app, use):
            names = ", ".join(member.cls.name for member in members[:4])
            chain = (
                *of_route(use.route),
                *(Evidence(name_place(m.cls), f"member {m.cls.name}") for m in members[:4]),
            )
            message = f"{use.label} may be {names}: {why}"
            fix = _fix(use, members)
            yield Hit(place(use.where.module, use.annotation), message, chain, fix)


def _fix(use: _Use, members: list[Schema]) -> Fix | None:
    """Return the fix that names the tag, where each of the models has its own."""
    module, node, tag = use.where.module, use.annotation, _common_tag(members)
    if isinstance(node, s.Subscript) and s.last_name(node.value) in _SEQUENCES:
        node = node.slice
    is_union = isinstance(node, s.BinOp) and node.op == "|"
    if not is_union and not (isinstance(node, s.Subscript) and s.last_name(node.value) == "Union"):
        return None
    annotated, marker = bring(module, "typing", "Annotated"), bring(module, *use.marker)
    if tag is None or annotated is None or marker is None:
        return None
    if node is not use.annotation and use.marker[1] == "Body":
        return None  # of the whole list
    kind = f"{marker.name}(discriminator={quote(module.source)}{tag}{quote(module.source)})"
    edit = replace(module, node, f"{annotated.name}[{text(module, node)}, {kind}]")
    return Fix("contract", (edit,), (*annotated.imports, *marker.imports))


def _uses(app: App) -> Iterator[_Use]:
    for route in app.routes:
        for parameter in route.parameters:
            if parameter.kind == "body" and parameter.node.annotation is not None:
                function = parameter.function
                where = Where(function.module, function.outer)
                yield _Use(
                    parameter.name, parameter.type, parameter.node.annotation,
                    parameter.node.default, where, route, ("fastapi", "Body"),
                )  # fmt: skip
    for cls, route in received(app).values():
        schema = app.models.schema(cls)
        for field in schema.fields.values() if schema is not None else ():
            owner = field.owner
            yield _Use(
                f"{owner.name}.{field.name}", field.type, field.node.annotation,
                field.default, Where(owner.module, owner.outer), route, ("pydantic", "Field"),
            )  # fmt: skip


def _members(app: App, found: Type) -> list[Schema]:
    """Return the models of a union, if it is one of models only."""
    if isinstance(found, Sequence):
        found = found.element
    if not isinstance(found, Alternatives):
        return []
    members: list[Schema] = []
    for option in found.options:
        schema = None
        if isinstance(option, Instance) and isinstance(option.cls, Class):
            schema = app.models.schema(option.cls)
        if schema is not None:
            members.append(schema)
    return members


def _is_chosen(app: App, use: _Use) -> bool:
    """Whether a discriminator, tags or a mode are given, in the annotation, its aliases or beside it."""
    pending: list[tuple[s.Expr, Module, int]] = [(use.annotation, use.where.module, 0)]
    if use.given is not None:
        pending.append((use.given, use.where.module, _HOPS))
    for root, module, hops in pending:
        for node in s.walk(root):
            if isinstance(node, s.Keyword) and node.arg in _CHOOSING:
                return True
            if isinstance(node, s.Call) and s.last_name(node) in _CHOOSING:
                return True
            text = s.string(node)
            quoted = app.types.quoted(text) if text is not None and hops < _HOPS else None
            if quoted is not None:
                pending.append((quoted, module, hops + 1))
            if isinstance(node, (s.Name, s.Attribute)) and hops < _HOPS:
                symbol = app.linker.expression(node, module)
                if isinstance(symbol, Variable) and symbol.value is not None:
                    pending.append((symbol.value, symbol.module, hops + 1))
    return False


# -------------------------------------------------------------------- told apart


def _why(app: App, members: list[Schema]) -> str | None:
    tag = _common_tag(members)
    if tag is not None:
        return f"each has its own `{tag}`, but no discriminator says so"
    for one, other in combinations(members, 2):
        shared = _confused(app, one, other)
        if shared is not None:
            return (
                f"a body with {', '.join(shared)} is a {one.cls.name} and a {other.cls.name},"
                " the first one wins"
            )
    return None


def _common_tag(members: list[Schema]) -> str | None:
    """Return a field that is a literal in every model, another one in each."""
    for name in members[0].fields:
        values = [_literals(member.fields.get(name)) for member in members]
        if all(values) and sum(map(len, values)) == len(frozenset().union(*values)):
            return name
    return None


def _literals(field: Field | None) -> frozenset[str]:
    """Return the texts that a field admits; nothing where it is no ``Literal`` of texts."""
    node = field.node.annotation if field is not None else None
    if not isinstance(node, s.Subscript) or s.last_name(node.value) != "Literal":
        return frozenset()
    elements = node.slice.elts if isinstance(node.slice, s.Tuple) else [node.slice]
    found = [s.string(element) or s.dotted(element) for element in elements]
    return frozenset(text for text in found if text) if all(found) else frozenset()


def _confused(app: App, one: Schema, other: Schema) -> list[str] | None:
    """Return the fields with which a body is either model, None if they are told apart."""
    if not {id(one.cls.node), id(other.cls.node)}.isdisjoint(
        id(a.node) for m, n in ((one, other), (other, one)) for a in _above(app, m, n)
    ):
        return None
    if _validates(app, one.cls) or _validates(app, other.cls) or _common_tag([one, other]):
        return None
    required = _required(one) | _required(other)
    if not required or not required <= one.fields.keys() & other.fields.keys():
        return None
    for name in required:
        here, there = one.fields[name].type, other.fields[name].type
        if here is UNKNOWN or here != there or _literals(one.fields[name]):
            return None
    return sorted(required)


def _above(app: App, member: Schema, other: Schema) -> Iterator[Class]:
    """Yield the other model if the member inherits from it."""
    for ancestor in app.linker.mro(member.cls):
        if isinstance(ancestor, Class) and ancestor.node is other.cls.node:
            yield ancestor


def _validates(app: App, cls: Class) -> bool:
    return any(
        s.last_name(decorator) in _VALIDATORS
        for ancestor in app.linker.mro(cls)
        if isinstance(ancestor, Class)
        for method in ancestor.own_methods.values()
        for decorator in method.node.decorators
    )


def _required(schema: Schema) -> set[str]:
    return {name for name, field in schema.fields.items() if _is_required(field)}


def _is_required(field: Field) -> bool:
    default = field.default
    if default is None:
        return not any(
            isinstance(node, s.Keyword) and node.arg in {"default", "default_factory"}
            for node in s.walk(field.node.annotation)
        )
    if isinstance(default, s.Constant):
        return default.kind == "ellipsis"
    if isinstance(default, s.Call) and s.last_name(default.func) == "Field":
        first = default.argument(0, "default")
        if isinstance(first, s.Constant) and first.kind == "ellipsis":
            return True
        return first is None and default.keyword("default_factory") is None
    return False


RULE = Rule(
    summary="a union of models without a discriminator",
    severity="warning",
    confidence="medium",
    mend='Give each model `type: Literal["..."]`, and the union `Field(discriminator="type")`.',
    app=check,
    since={"pydantic": "2.0"},
    references=(
        "https://docs.pydantic.dev/latest/concepts/unions/#discriminated-unions",
        "https://fastapi.tiangolo.com/tutorial/extra-models/#union-or-anyof",
    ),
)

CASES = (
    case(
        "a tag that is not used, a body that is either",
        """
        from typing import Literal, Union
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Card(BaseModel):
            type: Literal["card"]
            number: str

        class Transfer(BaseModel):
            type: Literal["transfer"]
            iban: str

        class OrderIn(BaseModel):
            payment: Card | Transfer  # <-
            others: list[Union[Card, Transfer]] = []  # <-

        class Person(BaseModel):
            name: str
            birthday: str | None = None

        class Company(BaseModel):
            name: str
            vat_number: str | None = None

        @app.post("/orders")
        def order(data: OrderIn) -> None: ...

        @app.post("/customers")
        def customer(
            data: Union[Person, Company],  # <-
        ) -> None: ...
        """,
        after="""
        from typing import Annotated, Literal, Union
        from fastapi import FastAPI
        from pydantic import BaseModel, Field

        app = FastAPI()

        class Card(BaseModel):
            type: Literal["card"]
            number: str

        class Transfer(BaseModel):
            type: Literal["transfer"]
            iban: str

        class OrderIn(BaseModel):
            payment: Annotated[Card | Transfer, Field(discriminator="type")]
            others: list[Annotated[Union[Card, Transfer], Field(discriminator="type")]] = []

        class Person(BaseModel):
            name: str
            birthday: str | None = None

        class Company(BaseModel):
            name: str
            vat_number: str | None = None

        @app.post("/orders")
        def order(data: OrderIn) -> None: ...

        @app.post("/customers")
        def customer(
            data: Union[Person, Company],
        ) -> None: ...
        """,
    ),
    Case(
        "a discriminator, in an alias of another module, in a list, in the default",
        {
            "payments.py": """
                from typing import Annotated, Literal, Union
                from pydantic import BaseModel, Field

                class Card(BaseModel):
                    type: Literal["card"] = "card"

                class Transfer(BaseModel):
                    type: Literal["transfer"] = "transfer"

                Any_ = Union[Card, Transfer]
                Payment = Annotated[Any_, Field(discriminator="type")]
                """,
            "main.py": """
                from fastapi import Body, FastAPI
                from pydantic import BaseModel, Field
                from payments import Any_, Payment

                app = FastAPI()

                class OrderIn(BaseModel):
                    payment: Payment
                    others: list[Payment]
                    last: "Any_" = Field(discriminator="type")
                    by_order: Any_ = Field(union_mode="left_to_right")

                @app.post("/orders")
                def order(data: OrderIn) -> None: ...

                @app.post("/payments")
                def pay(data: Any_ = Body(discriminator="type")) -> None: ...
                """,
        },
    ),
    case(
        "told apart by what they require, by types, by a validator; inherited; answers",
        """
        from typing import Annotated, Literal
        from fastapi import FastAPI
        from pydantic import BaseModel, Field, model_validator

        app = FastAPI()

        class ById(BaseModel):
            id: int
            note: str = ""

        class ByName(BaseModel):
            name: str
            note: str = ""

        class ByNumber(BaseModel):
            id: str
            number: str = ""

        class Checked(BaseModel):
            id: int
            kind: str = "x"

            @model_validator(mode="after")
            def only_x(self):
                if self.kind != "x":
                    raise ValueError("x")
                return self

        class Detailed(ById):
            text: str = ""

        class Measured(BaseModel):
            id: int
            size: Annotated[int, Field(ge=0)]

        class First(BaseModel):
            kind: Literal["first"] = "first"
            title: str

        class Second(BaseModel):
            kind: Literal["second"] = "second"
            title: str

        class Third(BaseModel):
            kind: str
            other: str

        @app.post("/b")
        def b(data: First | Second | Third) -> None: ...

        class Found(BaseModel):
            id: int
            score: float = 0

        @app.post("/a")
        def a(data: ById | ByName | ByNumber | Checked | Detailed | Measured | None = None) -> ById | Found: ...
        """,
    ),
)
