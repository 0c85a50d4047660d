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
from fastwright.app.models import SETTINGS
from fastwright.app.symbols import Class
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
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
            fix = _model_config(app, cls, config)
            yield Hit(name_place(config), message + _ignored(config), (), fix)


def _model_config(app: App, cls: Class, config: Class) -> Fix | None:
    """Return the fix that writes a plain ``class Config`` as ``model_config = ConfigDict(...)``."""
    module, node = cls.module, config.node
    source = module.source[node.start : node.end]
    if node.bases or node.decorators or b"#" in source or node not in cls.node.body:
        return None
    arguments = []
    for statement in node.body:
        if not isinstance(statement, s.Assign) or len(statement.targets) != 1:
            return None
        key = s.dotted(statement.targets[0])
        new = _key(app, key) if key is not None else None
        if new is None:
            return None
        arguments.append(f"{new}={text(module, statement.value)}")
    settings = not app.linker.ancestors(cls).isdisjoint(SETTINGS)
    brought = (
        bring(module, "pydantic_settings", "SettingsConfigDict")
        if settings
        else bring(module, "pydantic", "ConfigDict")
    )
    if brought is None or "model_config" in cls.own_attributes:
        return None
    written = f"model_config = {brought.name}({', '.join(arguments)})"
    return Fix("safe", (replace(module, node, written),), brought.imports)


def _key(app: App, key: str) -> str | None:
    """Return the name of a setting in Pydantic 2; None for one that is gone."""
    if key == "allow_population_by_field_name":  # its newest name is of 2.11
        newest = app.versions.at_least("pydantic", "2.11") is True
        return "validate_by_name" if newest else "populate_by_name"
    return _RENAMED.get(key, key)


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
        after="""
        from pydantic import BaseModel, ConfigDict

        class OrderPublic(BaseModel):
            id: int

            model_config = ConfigDict(from_attributes=True)
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
