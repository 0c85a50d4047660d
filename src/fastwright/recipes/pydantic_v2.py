"""What is left of Pydantic 1 becomes Pydantic 2.

Validators of fields and of models (`values` becomes `info.data`, `always=True` a default that is validated, a root validator
`@model_validator`, `each_item=True` a validator in the type of the items), `class Config`, `.dict()` and its like, arguments of `Field` that were renamed, `__root__`, `BaseSettings`, `GenericModel`,
what moved to other modules, and constrained types (`constr(...)` becomes `Annotated[str, StringConstraints(...)]`). In a project that still
runs on version 1 also fields that may be null and were optional for that reason: they get `= None`, as version 1 read them.

A validator of the whole model runs in version 2 only where its fields are valid: what was refused is still refused, with fewer errors in
the answer. A regular expression gets the `^` that version 1 took for granted.

Left alone, with the line: types with validators of their own (`__get_validators__`), which need a
`__get_pydantic_core_schema__` that only their author knows; several validators of one thing that run before, which
version 2 does in the opposite order; and everything else that the rules `pydantic-v1-*` say they cannot mend.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.model import App
from fastwright.app.symbols import Class
from fastwright.edit.builders import add_argument, insert, replace
from fastwright.edit.fix import Edit
from fastwright.edit.names import bring
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.pydantic_1.constrained import constrained
from fastwright.recipes.pydantic_1.moved import moved, parsed
from fastwright.recipes.pydantic_1.root_models import root_models
from fastwright.recipes.recipe import Case, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.shared.from_rules import planned_by
from fastwright.rules.schema._pydantic import is_v2, model_classes, serves_both
from fastwright.verify.model import may_be_null

_RULES = (
    "pydantic-v1-base-settings",
    "pydantic-v1-config",
    "pydantic-v1-field-argument",
    "pydantic-v1-method",
    "pydantic-v1-validator",
)


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each kind of leftover."""
    was_v1 = not is_v2(app)
    seen = _on_v2(app) if was_v1 else app
    if was_v1:
        yield from _optional(seen, target)
    roots = list(root_models(seen, target))
    yield from roots
    left = {each.place for each in roots if isinstance(each, Stopped)}
    yield from planned_by(seen, target, _RULES, frozenset({"safe", "contract"}), left)
    for module in app.sources:
        if not target.holds(module.path) or serves_both(module):
            continue
        if "pydantic" in module.header.marks:
            yield from moved(module)
            yield from parsed(module)
            yield from constrained(module)
            yield from _generic(module)
            yield from _outside(module)
        yield from _own_types(module)


def _on_v2(app: App) -> App:
    """Return the application as one that runs on Pydantic 2, which it is to become."""
    found = {name: known for name, known in app.versions.found.items() if name != "pydantic"}
    two = Versions.of({"pydantic": "2.0"}).found
    versions = msgspec.structs.replace(app.versions, found={**found, **two})
    return App(app.modules, app.index, versions)


# ---------------------------------------------------------------------- fields


def _optional(app: App, target: Target) -> Iterator[Planned]:
    """``name: Optional[str]`` had None as its default in version 1; in version 2 it must be sent."""
    edits: list[Edit] = []
    places: list[str] = []
    for cls in model_classes(app):
        if not target.holds(cls.module.path) or serves_both(cls.module):
            continue
        for node in cls.node.body:
            edit = _with_none(app, cls, node)
            if edit is not None:
                edits.append(edit)
                places.append(f"{cls.module.path}:{cls.module.line(node)}")
    if edits:
        title = "fields that may be null keep None as their default"
        yield Proposal(f"{title}: {', '.join(places)}", tuple(edits), places=tuple(places))


def _with_none(app: App, cls: Class, node: s.Stmt) -> Edit | None:
    """Return the edit that gives a field None as its default, as version 1 did."""
    if not isinstance(node, s.AnnAssign) or not isinstance(node.target, s.Name):
        return None
    if node.target.id.startswith("_") or not may_be_null(node.annotation):
        return None
    module, value = cls.module, node.value
    if value is None:
        return insert(module, node.annotation.end, " = None")
    if not isinstance(value, s.Call) or value.args:
        return None
    if app.linker.external(value.func, module, cls.outer) != "pydantic.Field":
        return None
    if any(k.arg in {None, "default", "default_factory"} for k in value.keywords):
        return None
    if value.keywords:
        return insert(module, value.keywords[0].start, "None, ")
    return add_argument(module, value, "None")


# ----------------------------------------------------------------------- types


def _generic(module: Module) -> Iterator[Planned]:
    """``GenericModel`` is a plain ``BaseModel`` in version 2."""
    edits: list[Edit] = []
    places: list[str] = []
    brought = bring(module, "pydantic", "BaseModel")
    for node in module.walk():
        if not isinstance(node, s.ClassDef) or brought is None:
            continue
        for base in node.bases:
            if module.qualify(base) == "pydantic.generics.GenericModel":
                edits.append(replace(module, base, brought.name))
                places.append(f"{module.path}:{module.line(node)}")
    if edits and brought is not None:
        title = f"generic models of {module.path} are BaseModel"
        yield Proposal(title, tuple(edits), brought.imports, places=tuple(places))


def _outside(module: Module) -> Iterator[Stopped]:
    """Yield the validators that are made outside of models: whose they are is not known."""
    for statement in module.facts.body:
        if isinstance(statement, s.Assign):
            for node in s.walk(statement.value):
                name = module.qualify(node.func) if isinstance(node, s.Call) else None
                if name in {"pydantic.validator", "pydantic.root_validator"}:
                    place = f"{module.path}:{module.line(node)}"
                    yield Stopped(place, "a validator that is made outside of its models")


def _own_types(module: Module) -> Iterator[Planned]:
    for node in module.walk():
        if isinstance(node, s.FunctionDef) and node.name in {
            "__get_validators__",
            "__modify_schema__",
        }:
            new = (
                "__get_pydantic_core_schema__"
                if "valid" in node.name
                else "__get_pydantic_json_schema__"
            )
            place = f"{module.path}:{module.line(node)}"
            yield Stopped(
                place, f"{node.name} becomes {new}, which only the type's author can write"
            )


RECIPE = Recipe(
    summary="Pydantic 1 to Pydantic 2",
    why="Pydantic 2 runs what is left of version 1 with warnings, or not at all; version 3 drops it.",
    plan=plan,
    references=("https://docs.pydantic.dev/latest/migration/",),
)

CASES = (
    Case(
        "models of a project that runs on version 1",
        {
            "models.py": """\
from typing import Any, Generic, List, Optional, TypeVar

from fastapi import FastAPI
from pydantic import BaseModel, Field, constr, validator
from pydantic.generics import GenericModel

T = TypeVar("T")
app = FastAPI()


class Item(BaseModel):
    name: constr(min_length=1, regex="^[a-z]+$")
    note: Optional[str]
    extra: Any
    tags: List[str] = Field([], min_items=1)

    class Config:
        orm_mode = True

    @validator("name")
    def lower(cls, value):
        return value.lower()


class Page(GenericModel, Generic[T]):
    items: List[T]


@app.post("/items")
def create(item: Item) -> dict:
    return item.dict()
"""
        },
        {
            "models.py": """\
from typing import Annotated, Any, Generic, List, Optional, TypeVar

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

T = TypeVar("T")
app = FastAPI()


class Item(BaseModel):
    name: Annotated[str, StringConstraints(min_length=1, pattern="^[a-z]+$")]
    note: Optional[str] = None
    extra: Any = None
    tags: List[str] = Field([], min_length=1)

    model_config = ConfigDict(from_attributes=True)

    @field_validator("name")
    @classmethod
    def lower(cls, value):
        return value.lower()


class Page(BaseModel, Generic[T]):
    items: List[T]


@app.post("/items")
def create(item: Item) -> dict:
    return item.model_dump()
"""
        },
        installed={"pydantic": "1.10.2"},
    ),
    Case(
        "numbers and money; a type of one's own is left alone",
        {
            "models.py": """\
from fastapi import FastAPI
from pydantic import BaseModel, condecimal, conint

app = FastAPI()


class Order(BaseModel):
    quantity: conint(gt=0, le=10)
    price: condecimal(max_digits=10, decimal_places=2)


class Slug(str):
    @classmethod
    def __get_validators__(cls):
        yield cls
"""
        },
        {
            "models.py": """\
from decimal import Decimal
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI()


class Order(BaseModel):
    quantity: Annotated[int, Field(gt=0, le=10)]
    price: Annotated[Decimal, Field(max_digits=10, decimal_places=2)]


class Slug(str):
    @classmethod
    def __get_validators__(cls):
        yield cls
"""
        },
        stopped=("models.py:17",),
        installed={"pydantic": "2.14"},
    ),
    Case(
        "fields that may be null, in a project that runs on version 2, are required as they are",
        {
            "models.py": """\
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    note: str | None
"""
        },
        installed={"pydantic": "2.14"},
    ),
    Case(
        "models of a bare value, and who looks into them in another file",
        {
            "shop/__init__.py": "",
            "shop/schemas.py": """\
from typing import List

from pydantic import BaseModel, Field, validator


class Tags(BaseModel):
    __root__: List[str]

    @validator("__root__")
    def sort(cls, value):
        return sorted(value)


class Prices(BaseModel):
    __root__: List[int] = Field(..., min_items=1)
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.schemas import Prices, Tags

app = FastAPI()


@app.post("/prices")
def add(prices: Prices) -> int:
    return max(prices.__root__)


@app.get("/tags")
def tags() -> Tags:
    return Tags(__root__=["new"])
""",
        },
        {
            "shop/schemas.py": """\
from typing import List

from pydantic import Field, RootModel, field_validator


class Tags(RootModel[List[str]]):
    @field_validator("root")
    @classmethod
    def sort(cls, value):
        return sorted(value)


class Prices(RootModel):
    root: List[int] = Field(..., min_length=1)
""",
            "shop/main.py": """\
from fastapi import FastAPI

from shop.schemas import Prices, Tags

app = FastAPI()


@app.post("/prices")
def add(prices: Prices) -> int:
    return max(prices.root)


@app.get("/tags")
def tags() -> Tags:
    return Tags(root=["new"])
""",
        },
        installed={"pydantic": "1.10.2"},
    ),
    Case(
        "validators: of the model, with the other values, and for what is not sent",
        {
            "models.py": """\
from pydantic import BaseModel, root_validator, validator


class Booking(BaseModel):
    start: int
    end: int
    title: str = ""

    @validator("title", always=True)
    def named(cls, value, values):
        return value or f"from {values['start']}"

    @root_validator(pre=True)
    def renamed(cls, values):
        if "begin" in values:
            values["start"] = values.pop("begin")
        return values

    @root_validator(skip_on_failure=True)
    def ordered(cls, values):
        if values["end"] < values.get("start"):
            raise ValueError("ends before it starts")
        return values
""",
        },
        {
            "models.py": """\
from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator


class Booking(BaseModel):
    start: int
    end: int
    title: str = Field("", validate_default=True)

    @field_validator("title")
    @classmethod
    def named(cls, value, info: ValidationInfo):
        return value or f"from {info.data['start']}"

    @model_validator(mode="before")
    @classmethod
    def renamed(cls, values):
        if not isinstance(values, dict):
            return values
        values = dict(values)
        if "begin" in values:
            values["start"] = values.pop("begin")
        return values

    @model_validator(mode="after")
    def ordered(self):
        if self.end < self.start:
            raise ValueError("ends before it starts")
        return self
""",
        },
        installed={"pydantic": "1.10.2"},
    ),
    Case(
        "validators of items go to the type of the items",
        {
            "models.py": """\
from typing import Dict, List, Optional

from pydantic import BaseModel, validator


class Row(BaseModel):
    names: Optional[List[str]] = None
    sizes: Dict[str, int] = {}

    @validator("names", each_item=True)
    def strip(cls, value: str) -> str:
        # the old ones had blanks
        if not value:
            raise ValueError("empty")
        return value.strip()

    def first(self):
        return self.names

    @validator("sizes", each_item=True, pre=True)
    def whole(cls, v):
        return round(float(v))


class Column(BaseModel):
    names: List[str]

    @validator("names", each_item=True)
    def unique(cls, value, values):
        return value
""",
        },
        {
            "models.py": """\
from typing import Annotated, Dict, List, Optional

from pydantic import AfterValidator, BaseModel, BeforeValidator, validator


def _strip(value: str) -> str:
    # the old ones had blanks
    if not value:
        raise ValueError("empty")
    return value.strip()


def _whole(v):
    return round(float(v))


class Row(BaseModel):
    names: Optional[List[Annotated[str, AfterValidator(_strip)]]] = None
    sizes: Dict[str, Annotated[int, BeforeValidator(_whole)]] = {}

    def first(self):
        return self.names


class Column(BaseModel):
    names: List[str]

    @validator("names", each_item=True)
    def unique(cls, value, values):
        return value
""",
        },
        stopped=("models.py:28",),
        installed={"pydantic": "1.10.2"},
    ),
    Case(
        "a validator that looks at all values",
        {
            "models.py": """\
from typing import Optional

from pydantic import BaseModel, root_validator


class Update(BaseModel):
    title: Optional[str] = None
    done: Optional[bool] = None

    @root_validator(skip_on_failure=True)
    def something_changes(cls, values):
        if all(value is None for value in values.values()):
            raise ValueError("nothing to change")
        return values

    @root_validator(skip_on_failure=True)
    def handed_on(cls, values):
        check(values)
        return values


def check(values):
    values.clear()
""",
        },
        {
            "models.py": """\
from typing import Optional

from pydantic import BaseModel, model_validator, root_validator


class Update(BaseModel):
    title: Optional[str] = None
    done: Optional[bool] = None

    @model_validator(mode="after")
    def something_changes(self):
        if all(value is None for value in dict(self).values()):
            raise ValueError("nothing to change")
        return self

    @root_validator(skip_on_failure=True)
    def handed_on(cls, values):
        check(values)
        return values


def check(values):
    values.clear()
""",
        },
        stopped=("models.py:16",),
        installed={"pydantic": "2.14"},
    ),
    Case(
        "validators that mean something else in version 2 are left alone",
        {
            "models.py": """\
from typing import List

from pydantic import BaseModel, root_validator


class Row(BaseModel):
    names: List[str]

    class Config:
        orm_mode = True

    @root_validator(pre=True)
    def renamed(cls, values):
        return {name.lower(): value for name, value in values.items()}

    @root_validator(skip_on_failure=True)
    def whole(cls, values):
        return {**values, "names": sorted(values["names"])}
""",
        },
        {
            "models.py": """\
from typing import List

from pydantic import BaseModel, ConfigDict, root_validator


class Row(BaseModel):
    names: List[str]

    model_config = ConfigDict(from_attributes=True)

    @root_validator(pre=True)
    def renamed(cls, values):
        return {name.lower(): value for name, value in values.items()}

    @root_validator(skip_on_failure=True)
    def whole(cls, values):
        return {**values, "names": sorted(values["names"])}
""",
        },
        stopped=("models.py:11", "models.py:15"),
        installed={"pydantic": "1.10.2"},
    ),
    Case(
        "models of version 2 are right",
        {
            "models.py": """\
from typing import Annotated

from pydantic import BaseModel, ConfigDict, RootModel, StringConstraints, model_validator


class Tags(RootModel[list[str]]):
    pass


class Item(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: Annotated[str, StringConstraints(min_length=1)]

    @model_validator(mode="after")
    def whole(self):
        return self
""",
        },
        installed={"pydantic": "2.14"},
    ),
)
