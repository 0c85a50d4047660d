"""The configuration of a model is `model_config = ConfigDict(...)`.

`class Config` comes from Pydantic 1. Version 2 reads it with a warning, and ignores the keys that
were renamed: `orm_mode = True` no longer lets a model read ORM rows,
`allow_population_by_field_name` no longer accepts the field's name. Version 3 drops it.

Reported for classes that descend from a Pydantic 2 model, through any number of project classes.
A class named `Config` in anything else is not Pydantic's; unknown bases stay silent.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Class
from fastwright.rules.evidence import name_place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._pydantic import is_v2, model_classes, serves_both

_RENAMED = {
    "allow_population_by_field_name": "validate_by_name",
    "anystr_lower": "str_to_lower",
    "anystr_strip_whitespace": "str_strip_whitespace",
    "anystr_upper": "str_to_upper",
    "copy_on_model_validation": None,
    "error_msg_templates": None,
    "fields": None,
    "getter_dict": None,
    "json_dumps": None,
    "json_loads": None,
    "keep_untouched": "ignored_types",
    "max_anystr_length": "str_max_length",
    "min_anystr_length": "str_min_length",
    "orm_mode": "from_attributes",
    "schema_extra": "json_schema_extra",
    "smart_union": None,
    "underscore_attrs_are_private": None,
    "validate_all": "validate_default",
}


def check(app: App) -> Iterator[Hit]:
    """Report each ``class Config`` of a model, and the keys in it that no longer do anything."""
    if not is_v2(app):
        return
    for cls in model_classes(app):
        config = cls.own_classes.get("Config")
        if config is not None and not serves_both(cls.module):
            message = f"{cls.name} has a class Config of Pydantic 1: write model_config"
            yield Hit(name_place(config), message + _ignored(config))


def _ignored(config: Class) -> str:
    dead = [
        f"{key} (now {_RENAMED[key]})" if _RENAMED[key] else key
        for key in config.own_attributes
        if key in _RENAMED
    ]
    return f"; Pydantic 2 ignores {', '.join(dead)}" if dead else ""


RULE = Rule(
    summary="a class Config of Pydantic 1",
    severity="warning",
    mend="`model_config = ConfigDict(from_attributes=True)` in the class body"
    " (`SettingsConfigDict` for settings).",
    app=check,
    since={"pydantic": "2.0"},
    references=("https://docs.pydantic.dev/latest/migration/#changes-to-config",),
)

CASES = (
    case(
        "orm_mode, ignored by Pydantic 2",
        """
        from pydantic import BaseModel

        class OrderPublic(BaseModel):
            id: int

            class Config:  # <-
                orm_mode = True
        """,
        pydantic="2.9.0",
    ),
    Case(
        "a model by inheritance, in another module",
        {
            "app/__init__.py": "",
            "app/base.py": """
            from pydantic import BaseModel as Base

            class Schema(Base):
                pass
            """,
            "app/orders.py": """
            from .base import Schema

            class Order(Schema):
                id: int

                class Config:  # <-
                    arbitrary_types_allowed = True
            """,
        },
    ),
    case(
        "model_config is right",
        """
        from pydantic import BaseModel, ConfigDict

        class OrderPublic(BaseModel):
            model_config = ConfigDict(from_attributes=True)
            id: int
        """,
    ),
    case(
        "not a model, a model of version 1, a model of unknown origin",
        """
        from elsewhere import Model
        from pydantic.v1 import BaseModel

        class Job:
            class Config:
                retries = 3

        class Old(BaseModel):
            class Config:
                orm_mode = True

        class Foreign(Model):
            class Config:
                orm_mode = True
        """,
        pydantic="2.9.0",
    ),
    case(
        "Pydantic 1 is installed",
        """
        from pydantic import BaseModel

        class Order(BaseModel):
            id: int

            class Config:
                orm_mode = True
        """,
        pydantic="1.10.13",
    ),
    case(
        "version unknown, but what is imported exists in version 1 only",
        """
        from pydantic import BaseModel, BaseSettings

        class Order(BaseModel):
            id: int

            class Config:
                orm_mode = True
        """,
    ),
)
