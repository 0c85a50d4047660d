"""A field that may be left out has a default: `name: str | None = None`.

In Pydantic 2, `Optional[str]` and `str | None` say that the value may be null, not that it may be absent:
without a default the field is required. Pydantic 1 read it the other way, so that code which came from
there asks for fields that nobody sends, and every request without them is answered with 422.

A field that is required and may be null can be right, in answers above all. Reported is only what surely
was meant otherwise: fields of a model that is the body of a PATCH and requires nothing else, or that is named Update and whose
unset fields the code leaves out (`model_dump(exclude_unset=True)`); fields of a model for query parameters, headers or cookies, in which
nobody can send null; models named Update or Patch all of whose fields may be null and none of which has
a default; and models that are made without the field while a request is served, which raises. `Field(...)` with
an ellipsis is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fastwright.app.model import App
from fastwright.app.models import Field, Schema
from fastwright.app.on_loop import served
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, External, Function
from fastwright.app.types import ClassObject, Instance, alternatives
from fastwright.edit.builders import add_argument, insert
from fastwright.edit.fix import Edit, Fix
from fastwright.read import syntax as s
from fastwright.rules.evidence import evidence, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._dumps import DUMPS, as_dump
from fastwright.rules.schema._pydantic import is_v2

_UPDATES = re.compile(r"Update|Patch|Partial")
_WITHOUT_NULL = frozenset({"query", "header", "cookie"})
_KNOWN_BASES = frozenset({"pydantic.BaseModel", "sqlmodel.SQLModel", "typing.Generic", "abc.ABC"})


@dataclass(eq=False)
class _Suspect:
    """A schema with fields that may be null and have no default."""

    schema: Schema
    fields: dict[str, Field]
    reason: str = ""
    chain: tuple[Evidence, ...] = ()
    missing: list[str] = field(default_factory=list)
    """The fields that are surely meant to have a default."""

    def accuse(self, names: list[str], reason: str, chain: tuple[Evidence, ...]) -> None:
        """Keep the first reason; later ones add fields only."""
        self.reason = self.reason or reason
        self.chain = self.chain or chain
        self.missing += [name for name in names if name not in self.missing]


def check(app: App) -> Iterator[Hit]:
    """Report schemas whose fields lost their default."""
    if not is_v2(app):
        return
    suspects = {
        id(schema.cls.node): found for schema in app.schemas if (found := _suspect(app, schema))
    }
    if not suspects:
        return
    _by_routes(app, suspects)
    _by_code(app, suspects)
    _by_name(suspects)
    reported: set[int] = set()
    for suspect in suspects.values():
        fields = [
            suspect.fields[name]
            for name in suspect.missing
            if id(suspect.fields[name].node) not in reported
        ]
        if fields:
            reported |= {id(each.node) for each in fields}
            yield _hit(suspect, fields)


def _hit(suspect: _Suspect, fields: list[Field]) -> Hit:
    first = fields[0]
    names = ", ".join(each.name for each in fields)
    verb = "is" if len(fields) == 1 else "are"
    message = (
        f"{suspect.schema.cls.name}: {names} may be null but {verb} required without a default,"
        f" and {suspect.reason}"
    )
    return Hit(place(first.owner.module, first.node), message, suspect.chain, _fix(fields))


def _fix(fields: list[Field]) -> Fix | None:
    """Return the fix that gives the fields the default None."""
    edits: list[Edit] = []
    for each in fields:
        module, default = each.owner.module, each.default
        if default is None and isinstance(each.node, s.AnnAssign):
            edits.append(insert(module, each.node.end, " = None"))
        elif isinstance(default, s.Call):
            edits.append(add_argument(module, default, "default=None"))
    return Fix("suggest", tuple(edits)) if len(edits) == len(fields) else None


def _suspect(app: App, schema: Schema) -> _Suspect | None:
    if schema.is_settings:
        return None
    fields = {
        name: each
        for name, each in schema.fields.items()
        if _has_no_default(app, each) and _may_be_null(app, each.node.annotation, each.owner)
    }
    return _Suspect(schema, fields) if fields else None


def _has_no_default(app: App, found: Field) -> bool:
    """Whether neither a value nor ``Field(...)`` says what is taken, or that nothing is."""
    described = [found.default] if found.default is not None else []
    if isinstance(found.node.annotation, s.Subscript):
        where = Where(found.owner.module, found.owner.outer)
        described += [node for node, _ in app.types.metadata(found.node.annotation, where)]
    return all(_is_silent(node) for node in described)


def _is_silent(node: s.Expr) -> bool:
    """``Field(description="...")``: neither a default nor an ellipsis."""
    if not isinstance(node, s.Call):
        return False
    if s.last_name(node.func) not in {"Field", "Query", "Header", "Cookie", "Form"}:
        return False
    if node.args or any(keyword.arg is None for keyword in node.keywords):
        return False
    return node.keyword("default") is None and node.keyword("default_factory") is None


def _may_be_null(app: App, node: s.Expr | None, owner: Class) -> bool:
    """Whether an annotation itself says ``None``: ``Optional``, ``Union``, ``|``."""
    if isinstance(node, s.Constant):
        if node.kind == "none":
            return True
        text = s.string(node)
        return text is not None and _may_be_null(app, app.types.quoted(text), owner)
    if isinstance(node, s.BinOp) and node.op == "|":
        return _may_be_null(app, node.left, owner) or _may_be_null(app, node.right, owner)
    if isinstance(node, s.Subscript):
        name = app.linker.external(node.value, owner.module, owner.outer)
        if name == "typing.Optional":
            return True
        inner = node.slice.elts if isinstance(node.slice, s.Tuple) else [node.slice]
        if name == "typing.Union":
            return any(_may_be_null(app, each, owner) for each in inner)
        return name == "typing.Annotated" and _may_be_null(app, inner[0], owner)
    return False


# ----------------------------------------------------------------------- reasons


def _by_routes(app: App, suspects: dict[int, _Suspect]) -> None:
    for route in app.routes:
        for parameter in route.parameters:
            for option in alternatives(parameter.type):
                cls = option.cls if isinstance(option, Instance) else None
                suspect = suspects.get(id(cls.node)) if isinstance(cls, Class) else None
                if suspect is None:
                    continue
                names = list(suspect.fields)
                if parameter.kind in _WITHOUT_NULL:
                    reason = f"a {parameter.kind} cannot be null ({route.label})"
                    suspect.accuse(names, reason, of_route(route))
                elif (
                    parameter.kind == "body"
                    and route.methods == ("PATCH",)
                    and _is_partial(app, suspect)
                ):
                    reason = f"{route.label} should take a part of the fields"
                    suspect.accuse(names, reason, of_route(route))


def _is_partial(app: App, suspect: _Suspect) -> bool:
    """Whether a model is made for a part of the fields: others may be left out, none is required."""
    others = [each for name, each in suspect.schema.fields.items() if name not in suspect.fields]
    if not others:
        return len(suspect.fields) > 1
    return not any(_has_no_default(app, each) for each in others)


def _by_code(app: App, suspects: dict[int, _Suspect]) -> None:
    names = frozenset(suspect.schema.cls.name for suspect in suspects.values()) | DUMPS
    for step in served(app).reached:
        if names.isdisjoint(step.function.node.called):
            continue
        for site in app.calls.sites(step.function):
            if site.method in DUMPS:
                _dumped(app, step.function, site.node, suspects)
            elif isinstance(site.callee, ClassObject) and isinstance(site.callee.cls, Class):
                suspect = suspects.get(id(site.callee.cls.node))
                if suspect is not None and not site.around.tries:
                    _constructed(app, step.function, site.node, suspect)


def _dumped(app: App, function: Function, node: s.Call, suspects: dict[int, _Suspect]) -> None:
    given = node.keyword("exclude_unset")
    if not isinstance(given, s.Constant) or given.value is not True:
        return
    dump = as_dump(app, function, node)
    suspect = suspects.get(id(dump.schema.node)) if dump is not None else None
    if suspect is None or len(suspect.schema.fields) == 1:
        return
    if _UPDATES.search(suspect.schema.cls.name):
        proof = evidence(function.module, node, "leaves out what was not sent")
        suspect.accuse(list(suspect.fields), "the code leaves out what was not sent", (proof,))


def _constructed(app: App, function: Function, node: s.Call, suspect: _Suspect) -> None:
    """``Schema(name=name)`` without a field that is required: it raises."""
    cls = suspect.schema.cls
    given = {keyword.arg for keyword in node.keywords}
    if node.args or None in given or not given <= set(suspect.schema.fields):
        return
    if not _is_plain(app, cls):
        return
    left_out = [
        name for name, each in suspect.fields.items() if name not in given and not _has_alias(each)
    ]
    if left_out:
        proof = evidence(function.module, node, f"makes {cls.name} without {', '.join(left_out)}")
        where = function.qualname
        suspect.accuse(left_out, f"{where} makes {cls.name} without, which raises", (proof,))


def _is_plain(app: App, cls: Class) -> bool:
    """Whether nothing may fill in fields: every base is known, no ``__init__``, no early validator."""
    for ancestor in app.linker.mro(cls):
        if isinstance(ancestor, External):
            if ancestor.name not in _KNOWN_BASES:
                return False
            continue
        if len(app.linker.bases(ancestor)) != len(ancestor.node.bases):
            return False
        if {"__init__", "__new__", "__init_subclass__"} & set(ancestor.own_methods):
            return False
        if "alias_generator" in {n.arg for n in s.walk(ancestor.node) if isinstance(n, s.Keyword)}:
            return False
        if any(
            s.last_name(decorator) in {"model_validator", "root_validator"}
            for method in ancestor.own_methods.values()
            for decorator in method.node.decorators
        ):
            return False
    return True


def _has_alias(found: Field) -> bool:
    return any(
        isinstance(node, s.Keyword) and node.arg in {"alias", "validation_alias"}
        for node in s.walk(found.node)
    )


def _by_name(suspects: dict[int, _Suspect]) -> None:
    for suspect in suspects.values():
        fields = suspect.schema.fields
        if len(fields) > 1 and len(fields) == len(suspect.fields):
            if _UPDATES.search(suspect.schema.cls.name) and not suspect.missing:
                reason = "an update that may leave each of them empty is meant to be a part"
                suspect.accuse(list(fields), reason, ())


RULE = Rule(
    summary="an optional field without a default is required",
    severity="warning",
    mend="Write the default: `name: str | None = None`. Where null must be sent, say it: `= Field(...)`.",
    app=check,
    since={"pydantic": "2.0"},
    references=(
        "https://docs.pydantic.dev/latest/migration/#required-optional-and-nullable-fields",
        "https://fastapi.tiangolo.com/tutorial/body-updates/",
    ),
)

CASES = (
    case(
        "the body of a PATCH, unset fields left out, query parameters",
        """
        from typing import Annotated, Optional
        from fastapi import FastAPI, Query
        from pydantic import BaseModel, Field

        app = FastAPI()

        class ItemPatch(BaseModel):
            name: Optional[str]  # <-
            price: int | None
            tags: list[str] | None = None

        class ItemUpdate(BaseModel):
            id: int
            name: Optional[str] = Field(max_length=20)  # <-

        class ItemFilter(BaseModel):
            q: "str | None"  # <-
            limit: int = 20

        class RoleUpdate(BaseModel):
            name: str | None  # <-
            text: str | None

        @app.patch("/items/{id}")
        def patch(id: int, item: ItemPatch) -> None: ...

        @app.put("/items/{id}")
        def put(id: int, item: ItemUpdate) -> dict:
            return item.model_dump(exclude_unset=True)

        @app.get("/items")
        def items(filters: Annotated[ItemFilter, Query()]) -> None: ...
        """,
        after="""
        from typing import Annotated, Optional
        from fastapi import FastAPI, Query
        from pydantic import BaseModel, Field

        app = FastAPI()

        class ItemPatch(BaseModel):
            name: Optional[str] = None
            price: int | None = None
            tags: list[str] | None = None

        class ItemUpdate(BaseModel):
            id: int
            name: Optional[str] = Field(max_length=20, default=None)

        class ItemFilter(BaseModel):
            q: "str | None" = None
            limit: int = 20

        class RoleUpdate(BaseModel):
            name: str | None = None
            text: str | None = None

        @app.patch("/items/{id}")
        def patch(id: int, item: ItemPatch) -> None: ...

        @app.put("/items/{id}")
        def put(id: int, item: ItemUpdate) -> dict:
            return item.model_dump(exclude_unset=True)

        @app.get("/items")
        def items(filters: Annotated[ItemFilter, Query()]) -> None: ...
        """,
    ),
    Case(
        "made without the field",
        {
            "schemas.py": """
                from pydantic import BaseModel

                class Result(BaseModel):
                    ok: bool
                    error: str | None  # <-
                    detail: str | None
                """,
            "main.py": """
                from fastapi import FastAPI
                from schemas import Result

                app = FastAPI()

                @app.get("/")
                def read() -> Result:
                    return Result(ok=True, detail=None)
                """,
        },
    ),
    case(
        "required and null on purpose, answers, defaults, values that come from elsewhere",
        """
        from typing import Annotated, Optional
        from fastapi import FastAPI
        from pydantic import BaseModel, Field, model_validator

        app = FastAPI()

        class ItemOut(BaseModel):
            id: int
            text: str | None

        class ItemPatch(BaseModel):
            name: Optional[str] = Field(...)
            price: Optional[int] = Field(None, ge=0)
            size: Annotated[int | None, Field(ge=0)] = None
            kind: Annotated[int | None, Field(default=None)]

        class Filled(BaseModel):
            a: int | None

            @model_validator(mode="before")
            @classmethod
            def fill(cls, values):
                return {"a": 1}

        class Replacement(BaseModel):
            text: str | None
            title: str | None

        class TitleUpdate(BaseModel):
            title: str | None

        @app.put("/items/{id}/title")
        def title(id: int, title: TitleUpdate) -> dict:
            return title.model_dump(exclude_unset=True)

        class PolicyPatch(BaseModel):
            policy_id: int | None

        class ItemWhole(BaseModel):
            name: str
            text: str | None
            tags: list[str] = []

        @app.patch("/items/{id}/policy")
        def policy(id: int, item: PolicyPatch) -> None: ...

        @app.patch("/items/{id}/whole")
        def whole(id: int, item: ItemWhole) -> None: ...

        @app.patch("/items/{id}")
        def patch(id: int, item: ItemPatch) -> ItemOut:
            values = {"text": ""}
            Filled()
            ItemOut(id=1, **values)
            return ItemOut(id=1, text=None)

        @app.put("/items/{id}")
        def put(id: int, item: Replacement) -> None: ...
        """,
    ),
    case(
        "Pydantic 1 takes it as optional",
        """
        from typing import Optional
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class ItemPatch(BaseModel):
            name: Optional[str]

        @app.patch("/items/{id}")
        def patch(id: int, item: ItemPatch) -> None: ...
        """,
        pydantic="1.10.13",
    ),
)
