"""The documented cases of bump-pydantic (BP001 to BP009), done by the recipe ``pydantic-v2``.

The same situations in our own words: each must become what is written here, or be left alone with its line.
What is made is run with the Pydantic that is installed: nothing of version 1 may be left in it.
"""

from __future__ import annotations

import sys
import warnings
from types import ModuleType
from typing import NamedTuple

import pytest
from pydantic import PydanticDeprecatedSince20

from fastwright.app.memory import app_from
from fastwright.edit.apply import apply
from fastwright.edit.fix import Fix
from fastwright.recipes.recipe import Proposal, Stopped, Target
from fastwright.recipes.registry import recipes

V1 = {"pydantic": "1.10.2"}
MOST = 30


class Bump(NamedTuple):
    """One case: ``after`` is None where nothing is to be done; ``stopped`` are lines of what comes out."""

    rule: str
    title: str
    before: str
    after: str | None = None
    stopped: tuple[int, ...] = ()
    runs: bool = True
    """Whether version 2 imports the result: not where something of version 1 is left alone in it."""


CASES = (
    Bump(
        "BP001",
        "a class that is no model keeps its annotations",
        """\
from typing import Optional


class Sack:
    weight: Optional[str]
""",
    ),
    Bump(
        "BP001",
        "Optional",
        """\
from typing import Optional

from pydantic import BaseModel


class User(BaseModel):
    name: Optional[str]
""",
        """\
from typing import Optional

from pydantic import BaseModel


class User(BaseModel):
    name: Optional[str] = None
""",
    ),
    Bump(
        "BP001",
        "Union with None, on either side, and nested",
        """\
from typing import Union

from pydantic import BaseModel


class User(BaseModel):
    name: Union[str, None]
    age: Union[None, int]
    size: Union[Union[int, None], str]
""",
        """\
from typing import Union

from pydantic import BaseModel


class User(BaseModel):
    name: Union[str, None] = None
    age: Union[None, int] = None
    size: Union[Union[int, None], str] = None
""",
    ),
    Bump(
        "BP001",
        "a model and one that is derived from it",
        """\
from typing import Optional

from pydantic import BaseModel


class User(BaseModel):
    name: Optional[str]


class Admin(User):
    rights: Optional[str]
""",
        """\
from typing import Optional

from pydantic import BaseModel


class User(BaseModel):
    name: Optional[str] = None


class Admin(User):
    rights: Optional[str] = None
""",
    ),
    Bump(
        "BP001",
        "Any",
        """\
from typing import Any

from pydantic import BaseModel


class User(BaseModel):
    extra: Any
""",
        """\
from typing import Any

from pydantic import BaseModel


class User(BaseModel):
    extra: Any = None
""",
    ),
    Bump(
        "BP001",
        "every way to write a default",
        """\
from typing import Any, Dict, Optional, Union

from pydantic import BaseModel, Field


class A(BaseModel):
    a: int | None
    b: Optional[int]
    c: Union[int, None]
    d: Any
    e: Dict[str, str]
    f: Optional[int] = Field(..., lt=10)
    g: Optional[int] = Field()
    h: Optional[int] = Field(...)
    i: Optional[int] = Field(default_factory=lambda: None)
    j: Optional[int] = ...
    k: Optional[int] = None
    l: Optional[int] = Field(lt=10, default=None)
    m: Optional[int] = Field(lt=10)
    n: Optional[int] = Field(default=...)
    o: Optional[int] = Field(default=None)
""",
        """\
from typing import Any, Dict, Optional, Union

from pydantic import BaseModel, Field


class A(BaseModel):
    a: int | None = None
    b: Optional[int] = None
    c: Union[int, None] = None
    d: Any = None
    e: Dict[str, str]
    f: Optional[int] = Field(..., lt=10)
    g: Optional[int] = Field(None)
    h: Optional[int] = Field(...)
    i: Optional[int] = Field(default_factory=lambda: None)
    j: Optional[int] = ...
    k: Optional[int] = None
    l: Optional[int] = Field(lt=10, default=None)
    m: Optional[int] = Field(None, lt=10)
    n: Optional[int] = Field(default=...)
    o: Optional[int] = Field(default=None)
""",
    ),
    Bump(
        "BP002",
        "a setting",
        """\
from pydantic import BaseModel


class User(BaseModel):
    class Config:
        arbitrary_types_allowed = True
""",
        """\
from pydantic import BaseModel, ConfigDict


class User(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
""",
    ),
    Bump(
        "BP002",
        "a Config of something else",
        """\
from pydantic import BaseModel


class Job:
    class Config:
        allow_mutation = True


class Config:
    orm_mode = True
""",
    ),
    Bump(
        "BP002",
        "a model of unknown origin",
        """\
from somewhere import Base


class User(Base):
    class Config:
        allow_mutation = True
""",
        runs=False,
    ),
    Bump(
        "BP002",
        "two models",
        """\
from pydantic import BaseModel


class User(BaseModel):
    name: str = ""

    class Config:
        arbitrary_types_allowed = True


user = User()


class Order(BaseModel):
    class Config:
        validate_all = True
""",
        """\
from pydantic import BaseModel, ConfigDict


class User(BaseModel):
    name: str = ""

    model_config = ConfigDict(arbitrary_types_allowed=True)


user = User()


class Order(BaseModel):
    model_config = ConfigDict(validate_default=True)
""",
    ),
    Bump(
        "BP002",
        "a function in it is left alone",
        """\
from pydantic import BaseModel


class User(BaseModel):
    class Config:
        arbitrary_types_allowed = True

        def __init__(self):
            self.allow_mutation = True
""",
        stopped=(5,),
        runs=False,
    ),
    Bump(
        "BP002",
        "a Config of another class is left alone",
        """\
from pydantic import BaseModel


class Common:
    orm_mode = True
    validate_all = True


class User(BaseModel):
    class Config(Common):
        arbitrary_types_allowed = True
""",
        stopped=(10,),
        runs=False,
    ),
    # bump-pydantic stops at any base.
    Bump(
        "BP002",
        "the Config of the model's own base is read anyway",
        """\
from pydantic import BaseConfig, BaseModel


class Base(BaseModel):
    class Config(BaseConfig):
        orm_mode = True


class User(Base):
    class Config(Base.Config):
        validate_assignment = True
""",
        """\
from pydantic import BaseModel, ConfigDict


class Base(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class User(Base):
    model_config = ConfigDict(validate_assignment=True)
""",
    ),
    # bump-pydantic loses them.
    Bump(
        "BP002",
        "comments stay",
        """\
from pydantic import BaseModel


class User(BaseModel):
    class Config:
        # because of the old clients
        arbitrary_types_allowed = True
        validate_all = True  # also what is not sent
""",
        """\
from pydantic import BaseModel, ConfigDict


class User(BaseModel):
    model_config = ConfigDict(
        # because of the old clients
        arbitrary_types_allowed=True,
        validate_default=True,  # also what is not sent
    )
""",
    ),
    Bump(
        "BP002",
        "the enumeration Extra",
        """\
from pydantic import BaseModel, Extra


class User(BaseModel):
    class Config:
        extra = Extra.allow
""",
        """\
from pydantic import BaseModel, ConfigDict


class User(BaseModel):
    model_config = ConfigDict(extra="allow")
""",
    ),
    Bump(
        "BP002",
        "an Extra of one's own",
        """\
from enum import Enum

from pydantic import BaseModel


class Extra(str, Enum):
    some = "allow"


class User(BaseModel):
    class Config:
        extra = Extra.some
""",
        """\
from enum import Enum

from pydantic import BaseModel, ConfigDict


class Extra(str, Enum):
    some = "allow"


class User(BaseModel):
    model_config = ConfigDict(extra=Extra.some)
""",
    ),
    Bump(
        "BP002",
        "a Config inside of a function stays",
        """\
from typing import Any

from pydantic import BaseModel, Extra


class User(BaseModel):
    class Config:
        extra = Extra.allow

    def forbidding(self) -> Any:
        class Config:
            extra = "forbid"

        return Config
""",
        """\
from typing import Any

from pydantic import BaseModel, ConfigDict


class User(BaseModel):
    model_config = ConfigDict(extra="allow")

    def forbidding(self) -> Any:
        class Config:
            extra = "forbid"

        return Config
""",
    ),
    # bump-pydantic keeps the old key with a TODO; `frozen` is its opposite, the others are what
    # version 2 does.
    Bump(
        "BP002",
        "a setting that is only turned round, and those that version 2 always does",
        """\
from pydantic import BaseModel


class User(BaseModel):
    class Config:
        allow_mutation = False


class Order(BaseModel):
    class Config:
        allow_mutation = True
        smart_union = True
        underscore_attrs_are_private = True


class Line(BaseModel):
    class Config:
        smart_union = True
""",
        """\
from pydantic import BaseModel, ConfigDict


class User(BaseModel):
    model_config = ConfigDict(frozen=True)


class Order(BaseModel):
    model_config = ConfigDict(frozen=False)


class Line(BaseModel):
    pass
""",
    ),
    # bump-pydantic writes what version 2 refuses, with a TODO above it.
    Bump(
        "BP002",
        "settings that are gone are left alone",
        """\
from pydantic import BaseModel


class User(BaseModel):
    class Config:
        orm_mode = True
        fields = {"name": "n"}
""",
        stopped=(5,),
        runs=False,
    ),
    Bump(
        "BP002",
        "settings that were renamed",
        """\
from pydantic import BaseModel


class User(BaseModel):
    class Config:
        orm_mode = True
        allow_population_by_field_name = True
        anystr_strip_whitespace = True
        min_anystr_length = 1
        max_anystr_length = 10
        anystr_lower = True
        schema_extra = {"example": {}}
        keep_untouched = (property,)
        validate_all = True
""",
        """\
from pydantic import BaseModel, ConfigDict


class User(BaseModel):
    model_config = ConfigDict(
        from_attributes=True,
        populate_by_name=True,
        str_strip_whitespace=True,
        str_min_length=1,
        str_max_length=10,
        str_to_lower=True,
        json_schema_extra={"example": {}},
        ignored_types=(property,),
        validate_default=True,
    )
""",
    ),
    Bump(
        "BP002",
        "of settings",
        """\
from pydantic import BaseModel, BaseSettings


class Settings(BaseSettings):
    dsn: str = ""

    class Config:
        env_prefix = "APP_"


class A(BaseModel):
    class Config:
        orm_mode = True
""",
        """\
from pydantic import BaseModel, ConfigDict
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    dsn: str = ""

    model_config = SettingsConfigDict(env_prefix="APP_")


class A(BaseModel):
    model_config = ConfigDict(from_attributes=True)
""",
    ),
    Bump(
        "BP003",
        "the number of items",
        """\
from typing import List

from pydantic import BaseModel, Field


class Basket(BaseModel):
    items: List[int] = Field(..., min_items=1, max_items=10)
""",
        """\
from typing import List

from pydantic import BaseModel, Field


class Basket(BaseModel):
    items: List[int] = Field(..., min_length=1, max_length=10)
""",
    ),
    Bump(
        "BP003",
        "somebody else's Field",
        """\
from dataclasses import field as Field
from typing import List

from pydantic import BaseModel


class Basket(BaseModel):
    items: List[int] = Field(default_factory=list, metadata={"max_items": 1})
""",
        runs=False,
    ),
    Bump(
        "BP003",
        "the module's Field",
        """\
from typing import List

import pydantic


class Basket(pydantic.BaseModel):
    items: List[int] = pydantic.Field(..., min_items=1, max_items=10)
""",
        """\
from typing import List

import pydantic


class Basket(pydantic.BaseModel):
    items: List[int] = pydantic.Field(..., min_length=1, max_length=10)
""",
    ),
    Bump(
        "BP003",
        "env of settings",
        """\
from pydantic import BaseSettings, Field


class Settings(BaseSettings):
    url: str = Field("", env="DATABASE_URL")
    host: str = Field("", env=["HOST", "SERVER"])
""",
        """\
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    url: str = Field("", validation_alias="DATABASE_URL")
    host: str = Field("", validation_alias=AliasChoices("HOST", "SERVER"))
""",
    ),
    # With an alias the argument would have another name.
    Bump(
        "BP003",
        "env of settings that are made with a value is left alone",
        """\
from pydantic import BaseSettings, Field


class Settings(BaseSettings):
    url: str = Field("", env="DATABASE_URL")


settings = Settings(url="sqlite://")
""",
        """\
from pydantic import Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    url: str = Field("", env="DATABASE_URL")


settings = Settings(url="sqlite://")
""",
        stopped=(6,),
        runs=False,
    ),
    Bump(
        "BP003",
        "env of a model means nothing and is left alone",
        """\
from pydantic import BaseModel, Field


class Potato(BaseModel):
    size: int = Field(..., env="SIZE")
""",
        stopped=(5,),
        runs=False,
    ),
    Bump(
        "BP003",
        "const is a Literal",
        """\
from enum import Enum

from pydantic import BaseModel, Field


class Kind(str, Enum):
    USER = "user"


class User(BaseModel):
    kind: Kind = Field(Kind.USER, const=True)
    version: str = Field("v1", const=True, description="of the form")
""",
        """\
from enum import Enum
from typing import Literal

from pydantic import BaseModel, Field


class Kind(str, Enum):
    USER = "user"


class User(BaseModel):
    kind: Literal[Kind.USER] = Kind.USER
    version: Literal["v1"] = Field("v1", description="of the form")
""",
    ),
    # bump-pydantic writes Literal[Kind.USER], which refuses "user"; version 1 took it.
    Bump(
        "BP003",
        "const of what is read from something else is left alone",
        """\
from enum import Enum

from pydantic import BaseModel, Field


class Kind(Enum):
    USER = "user"


class User(BaseModel):
    kind: Kind = Field(Kind.USER, const=True)
""",
        stopped=(11,),
        runs=False,
    ),
    Bump(
        "BP003",
        "frozen is the opposite",
        """\
from pydantic import BaseModel, Field


class User(BaseModel):
    name: str = Field(..., allow_mutation=False)
    note: str = Field(..., allow_mutation=True)
""",
        """\
from pydantic import BaseModel, Field


class User(BaseModel):
    name: str = Field(..., frozen=True)
    note: str = Field(..., frozen=False)
""",
    ),
    Bump(
        "BP003",
        "in Annotated",
        """\
from typing import Annotated, List

from pydantic import BaseModel, Field


class Basket(BaseModel):
    items: Annotated[List[int], Field(..., min_items=1, max_items=10)]
""",
        """\
from typing import Annotated, List

from pydantic import BaseModel, Field


class Basket(BaseModel):
    items: Annotated[List[int], Field(..., min_length=1, max_length=10)]
""",
    ),
    Bump(
        "BP003",
        "an example is one of several",
        """\
from pydantic import BaseModel, Field


class Potato(BaseModel):
    size: int = Field(..., example=1)
""",
        """\
from pydantic import BaseModel, Field


class Potato(BaseModel):
    size: int = Field(..., examples=[1])
""",
    ),
    Bump(
        "BP004",
        "BaseSettings",
        """\
from pydantic import BaseSettings


class Settings(BaseSettings):
    url: str = ""
""",
        """\
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    url: str = ""
""",
    ),
    Bump(
        "BP004",
        "somebody else's names",
        """\
from somewhere import BaseSettings, Color, PaymentCardBrand, PaymentCardNumber
""",
        runs=False,
    ),
    Bump(
        "BP004",
        "BaseSettings under another name",
        """\
from pydantic import BaseModel, BaseSettings as Base


class Settings(Base):
    url: str = ""


class User(BaseModel):
    name: str
""",
        """\
from pydantic import BaseModel
from pydantic_settings import BaseSettings as Base


class Settings(Base):
    url: str = ""


class User(BaseModel):
    name: str
""",
    ),
    Bump(
        "BP004",
        "Color",
        """\
from pydantic import BaseModel, Color


class Paint(BaseModel):
    color: Color
""",
        """\
from pydantic import BaseModel
from pydantic_extra_types.color import Color


class Paint(BaseModel):
    color: Color
""",
    ),
    Bump(
        "BP004",
        "Color from its own module",
        """\
from pydantic import BaseModel
from pydantic.color import Color


class Paint(BaseModel):
    color: Color
""",
        """\
from pydantic import BaseModel
from pydantic_extra_types.color import Color


class Paint(BaseModel):
    color: Color
""",
    ),
    Bump(
        "BP004",
        "PaymentCardNumber",
        """\
from pydantic import BaseModel, PaymentCardNumber


class Card(BaseModel):
    number: PaymentCardNumber
""",
        """\
from pydantic import BaseModel
from pydantic_extra_types.payment import PaymentCardNumber


class Card(BaseModel):
    number: PaymentCardNumber
""",
    ),
    # Not where the package is missing: it is not Pydantic's own.
    Bump(
        "BP004",
        "both of payment",
        """\
from pydantic import BaseModel
from pydantic.payment import PaymentCardBrand, PaymentCardNumber


class Card(BaseModel):
    number: PaymentCardNumber
    brand: PaymentCardBrand
""",
        """\
from pydantic import BaseModel
from pydantic_extra_types.payment import PaymentCardBrand, PaymentCardNumber


class Card(BaseModel):
    number: PaymentCardNumber
    brand: PaymentCardBrand
""",
    ),
    Bump(
        "BP005",
        "Generic without a model",
        """\
from typing import Generic, TypeVar

T = TypeVar("T")


class Page(Generic[T]): ...
""",
    ),
    Bump(
        "BP005",
        "a generic model",
        """\
from typing import Generic, TypeVar

from pydantic.generics import GenericModel

T = TypeVar("T")


class Page(GenericModel, Generic[T]):
    item: T
""",
        """\
from typing import Generic, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    item: T
""",
    ),
    # The documented case has `object` first, which no Python can order.
    Bump(
        "BP005",
        "beside other bases",
        """\
from typing import Generic, TypeVar

from pydantic.generics import GenericModel

T = TypeVar("T")


class Counted:
    pass


class Page(GenericModel, Generic[T], Counted): ...


class Sheet(Counted, GenericModel, Generic[T]): ...
""",
        """\
from typing import Generic, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Counted:
    pass


class Page(BaseModel, Generic[T], Counted): ...


class Sheet(Counted, BaseModel, Generic[T]): ...
""",
    ),
    Bump(
        "BP005",
        "of the module",
        """\
from typing import Generic, TypeVar

from pydantic import generics

T = TypeVar("T")


class Page(generics.GenericModel, Generic[T]): ...
""",
        """\
from typing import Generic, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Page(BaseModel, Generic[T]): ...
""",
    ),
    # Version 1 has no field of that; bump-pydantic reads it as a type, and so do we.
    Bump(
        "BP006",
        "a root that is assigned",
        """\
from pydantic import BaseModel


class Number(BaseModel):
    __root__ = int
""",
        """\
from pydantic import RootModel


class Number(RootModel[int]):
    pass
""",
    ),
    Bump(
        "BP006",
        "a list of models",
        """\
from typing import List

from pydantic import BaseModel


class User(BaseModel):
    age: int
    name: str


class Users(BaseModel):
    __root__ = List[User]
""",
        """\
from typing import List

from pydantic import BaseModel, RootModel


class User(BaseModel):
    age: int
    name: str


class Users(RootModel[List[User]]):
    pass
""",
    ),
    # bump-pydantic does not see annotated roots, nor who reads them.
    Bump(
        "BP006",
        "a root that is annotated, and who looks into it",
        '''\
from typing import Dict, List

from pydantic import BaseModel, Field, validator


class Tags(BaseModel):
    """Words."""

    __root__: List[str]

    @validator("__root__")
    def sort(cls, value):
        return sorted(value)

    def __iter__(self):
        return iter(self.__root__)


class Prices(BaseModel):
    __root__: Dict[str, int] = Field(..., example={"tea": 3})


def first(tags: Tags) -> str:
    return tags.__root__[0]


TAGS = Tags(__root__=["a"])
''',
        '''\
from typing import Dict, List

from pydantic import Field, RootModel, field_validator


class Tags(RootModel[List[str]]):
    """Words."""

    @field_validator("root")
    @classmethod
    def sort(cls, value):
        return sorted(value)

    def __iter__(self):
        return iter(self.root)


class Prices(RootModel):
    root: Dict[str, int] = Field(..., examples=[{"tea": 3}])


def first(tags: Tags) -> str:
    return tags.root[0]


TAGS = Tags(root=["a"])
''',
    ),
    Bump(
        "BP006",
        "no root",
        """\
from pydantic import BaseModel


class User(BaseModel):
    pass
""",
    ),
    Bump(
        "BP006",
        "several root models",
        """\
from pydantic import BaseModel


class Number(BaseModel):
    __root__: int


class Word(BaseModel):
    __root__: str
""",
        """\
from pydantic import RootModel


class Number(RootModel[int]):
    pass


class Word(RootModel[str]):
    pass
""",
    ),
    Bump(
        "BP006",
        "shown as a dictionary: left alone",
        """\
from pydantic import BaseModel


class Number(BaseModel):
    __root__: int


def shown(number: Number) -> dict:
    return number.dict()
""",
        stopped=(5, 9),
        runs=False,
    ),
    Bump(
        "BP007",
        "before the field is read",
        """\
import typing as t

from pydantic import BaseModel, validator


class Query(BaseModel):
    name: str
    dialect: str

    @validator("name", "dialect", pre=True)
    def _text(cls, v: t.Any) -> t.Optional[str]:
        if isinstance(v, bytes):
            return v.decode().lower()
        return str(v).lower() if v is not None else None
""",
        """\
import typing as t

from pydantic import BaseModel, field_validator


class Query(BaseModel):
    name: str
    dialect: str

    @field_validator("name", "dialect", mode="before")
    @classmethod
    def _text(cls, v: t.Any) -> t.Optional[str]:
        if isinstance(v, bytes):
            return v.decode().lower()
        return str(v).lower() if v is not None else None
""",
    ),
    # Version 1 gave the function a dictionary of its own, and refused anything else before.
    Bump(
        "BP007",
        "before the model is read: a dictionary, and one's own to change",
        """\
import typing as t

from pydantic import BaseModel, root_validator


class Query(BaseModel):
    gateways: str

    @root_validator(pre=True)
    def _normalize(cls, values: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        if "gateways" not in values and "gateway" in values:
            values["gateways"] = values.pop("gateway")
        return values
""",
        """\
import typing as t

from pydantic import BaseModel, model_validator


class Query(BaseModel):
    gateways: str

    @model_validator(mode="before")
    @classmethod
    def _normalize(cls, values: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        if not isinstance(values, dict):
            return values
        values = dict(values)
        if "gateways" not in values and "gateway" in values:
            values["gateways"] = values.pop("gateway")
        return values
""",
    ),
    Bump(
        "BP007",
        "allow_reuse goes; nothing is asked of the values",
        """\
from pydantic import BaseModel, root_validator


class Query(BaseModel):
    name: str

    @root_validator(pre=True, allow_reuse=True)
    def _normalize(cls, values):
        return values
""",
        """\
from pydantic import BaseModel, model_validator


class Query(BaseModel):
    name: str

    @model_validator(mode="before")
    @classmethod
    def _normalize(cls, values):
        return values
""",
    ),
    # bump-pydantic leaves it with a TODO; `info` holds the same.
    Bump(
        "BP007",
        "with the other values",
        """\
import typing as t

from pydantic import BaseModel, validator


class Query(BaseModel):
    name: str
    dialect: str

    @validator("dialect")
    def _of_name(cls, v: t.Any, values: t.Dict[str, t.Any], **kwargs) -> t.Optional[str]:
        if v == values.get("name"):
            raise ValueError("the same")
        return f"{values['name']} {v}"

    @validator("name")
    def _named(cls, v, values, config, field):
        return f"{field.name} {v}"

    @validator("name")
    def _plain(cls, v, values):
        return v
""",
        """\
import typing as t

from pydantic import BaseModel, ValidationInfo, field_validator


class Query(BaseModel):
    name: str
    dialect: str

    @field_validator("dialect")
    @classmethod
    def _of_name(cls, v: t.Any, info: ValidationInfo) -> t.Optional[str]:
        if v == info.data.get("name"):
            raise ValueError("the same")
        return f"{info.data['name']} {v}"

    @field_validator("name")
    @classmethod
    def _named(cls, v, info: ValidationInfo):
        return f"{info.field_name} {v}"

    @field_validator("name")
    @classmethod
    def _plain(cls, v):
        return v
""",
    ),
    Bump(
        "BP007",
        "a function that is not known is left alone",
        """\
from pydantic import BaseModel, root_validator, validator
from somewhere import parse_expression


class Query(BaseModel):
    query: str

    _before = root_validator(pre=True, allow_reuse=True)(parse_expression)
    _query = validator("query", pre=True, allow_reuse=True, check_fields=False)(parse_expression)
""",
        stopped=(8, 9),
        runs=False,
    ),
    # bump-pydantic leaves it.
    Bump(
        "BP007",
        "a function that is shared",
        """\
from pydantic import BaseModel, root_validator, validator


def strip(value: str) -> str:
    return value.strip()


def handed_on(cls, values):
    return values


class Query(BaseModel):
    query: str

    _strip = validator("query", allow_reuse=True)(strip)
    _before = root_validator(pre=True, allow_reuse=True)(handed_on)
""",
        """\
from pydantic import BaseModel, field_validator, model_validator


def strip(value: str) -> str:
    return value.strip()


def handed_on(cls, values):
    return values


class Query(BaseModel):
    query: str

    _strip = field_validator("query")(strip)
    _before = model_validator(mode="before")(handed_on)
""",
    ),
    Bump(
        "BP007",
        "outside of a model: left alone",
        """\
from pydantic import root_validator, validator
from somewhere import parse_expression

expression_validator = validator("query", pre=True, allow_reuse=True)(parse_expression)
before_validator = root_validator(pre=True)(parse_expression)
""",
        stopped=(4, 5),
        runs=False,
    ),
    # bump-pydantic writes `@model_validator()` on a classmethod, which version 2 refuses.
    Bump(
        "BP007",
        "after the model is read",
        """\
import typing as t

from pydantic import BaseModel, root_validator


class Span(BaseModel):
    start: int
    end: int

    @root_validator(pre=False, skip_on_failure=True)
    def _ordered(cls, values: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        if values["start"] > values.get("end"):
            raise ValueError(f"{cls.__name__}: {values['start']} is later")
        return values

    @root_validator()
    def _short(cls, values):
        if values["end"] - values["start"] > cls.longest():
            raise ValueError("too long")
        values["end"] = min(values["end"], 100)
        return values

    @classmethod
    def longest(cls) -> int:
        return 1000
""",
        """\
from pydantic import BaseModel, model_validator


class Span(BaseModel):
    start: int
    end: int

    @model_validator(mode="after")
    def _ordered(self) -> "Span":
        if self.start > self.end:
            raise ValueError(f"{type(self).__name__}: {self.start} is later")
        return self

    @model_validator(mode="after")
    def _short(self):
        if self.end - self.start > self.longest():
            raise ValueError("too long")
        self.end = min(self.end, 100)
        return self

    @classmethod
    def longest(cls) -> int:
        return 1000
""",
    ),
    # bump-pydantic leaves it.
    Bump(
        "BP007",
        "without parentheses",
        """\
from pydantic import BaseModel, root_validator


class Span(BaseModel):
    start: int

    @root_validator
    def _whole(cls, values):
        return values
""",
        """\
from pydantic import BaseModel, model_validator


class Span(BaseModel):
    start: int

    @model_validator(mode="after")
    def _whole(self):
        return self
""",
    ),
    Bump(
        "BP007",
        "a body that does more with its values is left alone",
        """\
from pydantic import BaseModel, root_validator


class Span(BaseModel):
    start: int

    @root_validator(skip_on_failure=True)
    def _whole(cls, values):
        return {name: value for name, value in values.items()}
""",
        stopped=(7,),
        runs=False,
    ),
    Bump(
        "BP007",
        "before, without and with pre=False",
        """\
from pydantic import BaseModel, validator


class Query(BaseModel):
    name: str
    dialect: str

    @validator("name", "dialect")
    def _lower(cls, v: str) -> str:
        return v.lower()

    @validator("name", pre=False)
    def _text(cls, v: str) -> str:
        return v
""",
        """\
from pydantic import BaseModel, field_validator


class Query(BaseModel):
    name: str
    dialect: str

    @field_validator("name", "dialect")
    @classmethod
    def _lower(cls, v: str) -> str:
        return v.lower()

    @field_validator("name")
    @classmethod
    def _text(cls, v: str) -> str:
        return v
""",
    ),
    Bump(
        "BP007",
        "of the module",
        """\
import typing as t

import pydantic


class Query(pydantic.BaseModel):
    name: str

    @pydantic.root_validator(pre=True)
    def _normalize(cls, values: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        return values

    @pydantic.validator("name")
    def _text(cls, v: t.Any) -> t.Optional[str]:
        return v
""",
        """\
import typing as t

import pydantic


class Query(pydantic.BaseModel):
    name: str

    @pydantic.model_validator(mode="before")
    @classmethod
    def _normalize(cls, values: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        return values

    @pydantic.field_validator("name")
    @classmethod
    def _text(cls, v: t.Any) -> t.Optional[str]:
        return v
""",
    ),
    # bump-pydantic leaves it with a TODO.
    Bump(
        "BP007",
        "always is said by the field",
        """\
from typing import Optional

from pydantic import BaseModel, Field, validator


class Order(BaseModel):
    number: Optional[str]
    name: str = "x"
    note: str = Field("", max_length=10)
    code: str

    @validator("number", "name", "note", "code", pre=True, always=True)
    def _set(cls, v):
        return v or "none"
""",
        """\
from typing import Optional

from pydantic import BaseModel, Field, field_validator


class Order(BaseModel):
    number: Optional[str] = Field(None, validate_default=True)
    name: str = Field("x", validate_default=True)
    note: str = Field("", max_length=10, validate_default=True)
    code: str

    @field_validator("number", "name", "note", "code", mode="before")
    @classmethod
    def _set(cls, v):
        return v or "none"
""",
    ),
    Bump(
        "BP007",
        "each item",
        """\
from typing import List

from pydantic import BaseModel, validator


class Order(BaseModel):
    tags: List[str]

    @validator("tags", each_item=True)
    def _strip(cls, v):
        return v.strip()


assert Order(tags=[" a "]).tags == ["a"]
""",
        """\
from typing import Annotated, List

from pydantic import AfterValidator, BaseModel


def _strip(v):
    return v.strip()


class Order(BaseModel):
    tags: List[Annotated[str, AfterValidator(_strip)]]


assert Order(tags=[" a "]).tags == ["a"]
""",
    ),
    Bump(
        "BP007",
        "several that run before are left alone",
        """\
from pydantic import BaseModel, validator


class Order(BaseModel):
    name: str

    @validator("name", pre=True)
    def _first(cls, v):
        return v

    @validator("name", pre=True)
    def _second(cls, v):
        return v
""",
        stopped=(7, 11),
        runs=False,
    ),
    # In version 2 a TypeError would be a failure of the server.
    Bump(
        "BP007",
        "a TypeError is an error of the value",
        """\
from pydantic import BaseModel, validator


class Order(BaseModel):
    name: str

    @validator("name")
    def _text(cls, v):
        if v == "x":
            raise TypeError("no x")
        return v
""",
        """\
from pydantic import BaseModel, field_validator


class Order(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def _text(cls, v):
        if v == "x":
            raise ValueError("no x")
        return v
""",
    ),
    # `Annotated` is of typing since Python 3.9; bump-pydantic takes it from typing_extensions.
    Bump(
        "BP008",
        "constr",
        """\
from pydantic import BaseModel, constr


class Potato(BaseModel):
    name: constr(min_length=1, max_length=10)
""",
        """\
from typing import Annotated

from pydantic import BaseModel, StringConstraints


class Potato(BaseModel):
    name: Annotated[str, StringConstraints(min_length=1, max_length=10)]
""",
    ),
    Bump(
        "BP008",
        "the module's constr",
        """\
import pydantic
from pydantic import BaseModel


class Potato(BaseModel):
    name: pydantic.constr(min_length=1, max_length=10)
""",
        """\
from typing import Annotated

import pydantic
from pydantic import BaseModel


class Potato(BaseModel):
    name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=10)]
""",
    ),
    # Built-in types instead of typing.List; and `min_items` gets its new name here as well.
    Bump(
        "BP008",
        "conlist",
        """\
from pydantic import BaseModel, conlist


class Potato(BaseModel):
    names: conlist(str, min_items=1, max_items=10)
""",
        """\
from typing import Annotated

from pydantic import BaseModel, Field


class Potato(BaseModel):
    names: Annotated[list[str], Field(min_length=1, max_length=10)]
""",
    ),
    Bump(
        "BP008",
        "conint, also in Optional",
        """\
from typing import Optional

from pydantic import BaseModel, conint


class Potato(BaseModel):
    size: conint(ge=0, le=100)
    weight: Optional[conint(ge=0, le=100)]
""",
        """\
from typing import Annotated, Optional

from pydantic import BaseModel, Field


class Potato(BaseModel):
    size: Annotated[int, Field(ge=0, le=100)]
    weight: Optional[Annotated[int, Field(ge=0, le=100)]] = None
""",
    ),
    # `^`: version 1 matched from the start, version 2 searches.
    Bump(
        "BP008",
        "all of them",
        """\
from typing import Optional

from pydantic import (
    BaseModel,
    conbytes,
    condecimal,
    confloat,
    confrozenset,
    conint,
    conlist,
    conset,
    constr,
)

Short = constr(max_length=3, strict=True)


class Potato(BaseModel):
    a: constr(regex="[a-z]+")
    b: conlist(int, min_items=1, max_items=10)
    c: conint(gt=0, lt=10)
    d: conbytes(min_length=1, max_length=10)
    e: condecimal(gt=0, lt=10)
    f: confloat(gt=0, lt=10)
    g: conset(int, min_items=1, max_items=10)
    h: Optional[conint(ge=1, le=4294967295)] = None
    i: dict[str, condecimal(max_digits=10, decimal_places=2)]
    j: conlist(constr(min_length=1), min_items=1)
    k: confrozenset(Short, max_items=2)
""",
        """\
from decimal import Decimal
from typing import Annotated, Optional

from pydantic import (
    BaseModel,
    Field,
    StringConstraints,
)

Short = Annotated[str, StringConstraints(max_length=3, strict=True)]


class Potato(BaseModel):
    a: Annotated[str, StringConstraints(pattern="^[a-z]+")]
    b: Annotated[list[int], Field(min_length=1, max_length=10)]
    c: Annotated[int, Field(gt=0, lt=10)]
    d: Annotated[bytes, Field(min_length=1, max_length=10)]
    e: Annotated[Decimal, Field(gt=0, lt=10)]
    f: Annotated[float, Field(gt=0, lt=10)]
    g: Annotated[set[int], Field(min_length=1, max_length=10)]
    h: Optional[Annotated[int, Field(ge=1, le=4294967295)]] = None
    i: dict[str, Annotated[Decimal, Field(max_digits=10, decimal_places=2)]]
    j: Annotated[list[Annotated[str, StringConstraints(min_length=1)]], Field(min_length=1)]
    k: Annotated[frozenset[Short], Field(max_length=2)]
""",
    ),
    Bump(
        "BP008",
        "Annotated is there already",
        """\
from pydantic import BaseModel, Field, conint
from typing_extensions import Annotated


class Potato(BaseModel):
    size: conint(gt=0)
    weight: Annotated[int, Field(gt=0)]
""",
        """\
from pydantic import BaseModel, Field
from typing_extensions import Annotated


class Potato(BaseModel):
    size: Annotated[int, Field(gt=0)]
    weight: Annotated[int, Field(gt=0)]
""",
    ),
    Bump(
        "BP008",
        "what version 2 does not constrain is left alone",
        """\
from pydantic import BaseModel, conlist, constr


class Potato(BaseModel):
    names: conlist(str, unique_items=True)
    note: constr(curtail_length=3)
""",
        stopped=(5, 6),
        runs=False,
    ),
    Bump(
        "BP009",
        "validators of a type",
        """\
class Slug(str):
    @classmethod
    def __get_validators__(cls):
        yield from []
        return
""",
        stopped=(3,),
    ),
    Bump(
        "BP009",
        "the schema of a type",
        """\
from typing import Any, Dict


class Slug(str):
    @classmethod
    def __modify_schema__(cls, field_schema: Dict[str, Any], field: Any):
        if field:
            field_schema["example"] = "a-b"
""",
        stopped=(6,),
    ),
    Bump(
        "BP010",
        "values that are parsed, and types that have another name",
        """\
from typing import Any, List

from pydantic import BaseModel, PyObject, parse_obj_as


class Job(BaseModel):
    run: PyObject


def jobs(found: List[Any]) -> List[Job]:
    return parse_obj_as(List[Job], found)
""",
        """\
from typing import Any, List

from pydantic import BaseModel, ImportString, TypeAdapter


class Job(BaseModel):
    run: ImportString


def jobs(found: List[Any]) -> List[Job]:
    return TypeAdapter(List[Job]).validate_python(found)
""",
    ),
    Bump(
        "BP010",
        "functions that check their arguments, and other ways to parse",
        """\
from typing import List

from pydantic import parse_raw_as, schema_of, validate_arguments


@validate_arguments
def double(number: int) -> int:
    return 2 * number


def read(found: bytes) -> List[int]:
    return parse_raw_as(List[int], found)


assert double(1) == 2
assert read(b"[1]") == [1]
assert schema_of(int)["type"] == "integer"
""",
        """\
from typing import List

from pydantic import TypeAdapter, validate_call


@validate_call
def double(number: int) -> int:
    return 2 * number


def read(found: bytes) -> List[int]:
    return TypeAdapter(List[int]).validate_json(found)


assert double(1) == 2
assert read(b"[1]") == [1]
assert TypeAdapter(int).json_schema()["type"] == "integer"
""",
    ),
    Bump(
        "methods",
        "methods of a model",
        """\
from pydantic import BaseModel


class User(BaseModel):
    name: str


User.update_forward_refs()


def round_trip(user: User) -> list:
    other = User.parse_raw(user.json())
    again = User.parse_obj(user.dict(exclude_none=True))
    return [other, again.copy(update={"name": "b"}), User.construct(name="c")]


def described() -> str:
    return User.schema_json(indent=2) + str(User.schema())
""",
        """\
import json

from pydantic import BaseModel


class User(BaseModel):
    name: str


User.model_rebuild()


def round_trip(user: User) -> list:
    other = User.model_validate_json(user.model_dump_json())
    again = User.model_validate(user.model_dump(exclude_none=True))
    return [other, again.model_copy(update={"name": "b"}), User.model_construct(name="c")]


def described() -> str:
    return json.dumps(User.model_json_schema(), indent=2) + str(User.model_json_schema())
""",
    ),
)
FILES = {
    "folder/__init__.py": "",
    "folder/base.py": """\
from pydantic import BaseModel


class C(BaseModel):
    a: int


class NoModel:
    d: int
""",
    "folder/file.py": """\
from typing import Optional, Union

from .base import C, NoModel


class A(C):
    b: Union[int, None]  # ščíáýžř ♻️
    c: Optional[int]


class D(NoModel):
    c: Optional[int]
""",
}


def bumped(files: dict[str, str]) -> tuple[dict[str, str], set[str]]:
    """Return files after the recipe, and the places that it left alone."""
    found = dict(files)
    for _ in range(MOST):
        app = app_from(found, V1)
        planned = list(recipes()["pydantic-v2"].recipe.plan(app, Target()))
        proposal = next((each for each in planned if isinstance(each, Proposal)), None)
        if proposal is None:
            return found, {each.place for each in planned if isinstance(each, Stopped)}
        fix = Fix("safe", proposal.edits, proposal.imports)
        applied = apply({path: text.encode() for path, text in found.items()}, (fix,))
        assert not applied.left
        found |= {path: source.decode() for path, source in applied.changed.items()}
    pytest.fail("the recipe does not end")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.title}")
def test_case(case: Bump) -> None:
    found, stopped = bumped({"models.py": case.before})
    after = found["models.py"]
    assert after == (case.before if case.after is None else case.after)
    assert stopped == {f"models.py:{line}" for line in case.stopped}
    assert bumped(found)[0] == found, "a second run changes something"


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.runs], ids=lambda case: f"{case.rule}: {case.title}"
)
def test_version_2_runs_it(case: Bump, monkeypatch: pytest.MonkeyPatch) -> None:
    source = case.before if case.after is None else case.after
    module = ModuleType("bumped_models")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PydanticDeprecatedSince20)
        exec(compile(source, "bumped_models.py", "exec"), vars(module))  # noqa: S102


def test_models_of_other_files() -> None:
    """A model by its base in another file gets its default; a class that is none does not."""
    found, stopped = bumped(FILES)
    assert found == FILES | {
        "folder/file.py": FILES["folder/file.py"]
        .replace("Union[int, None]", "Union[int, None] = None")
        .replace("c: Optional[int]", "c: Optional[int] = None", 1)
    }
    assert stopped == set()
