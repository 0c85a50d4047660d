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
from fastwright.edit import source as at
from fastwright.edit.builders import delete_member, replace
from fastwright.edit.fix import Edit, Fix, Import
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import name_place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._pydantic import is_v2, model_classes, serves_both
from fastwright.rules.schema._v1_fields import of_fields

_RENAMED = {
    "allow_mutation": "frozen",
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
    "post_init_call": None,
    "keep_untouched": "ignored_types",
    "max_anystr_length": "str_max_length",
    "min_anystr_length": "str_min_length",
    "orm_mode": "from_attributes",
    "schema_extra": "json_schema_extra",
    "smart_union": None,
    "underscore_attrs_are_private": None,
    "validate_all": "validate_default",
}
_TRUE_ALREADY = frozenset({"smart_union", "underscore_attrs_are_private"})
"""Settings that are gone because version 2 does what they asked for."""
_WIDTH = 100


def check(app: App) -> Iterator[Hit]:
    """Report each ``class Config`` of a model, and the keys in it that no longer do anything."""
    if not is_v2(app):
        return
    for cls in model_classes(app):
        config = cls.own_classes.get("Config")
        if config is not None and not serves_both(cls.module):
            message = f"{cls.name} has a class Config of Pydantic 1: write model_config"
            message += _ignored(config)
            made = _model_config(app, cls, config)
            if isinstance(made, str):
                yield Hit(name_place(config), f"{message} ({made})")
            else:
                yield Hit(name_place(config), message, (), made)


def _model_config(app: App, cls: Class, config: Class) -> Fix | str:
    """Return the fix that writes ``class Config`` as ``model_config = ConfigDict(...)``, or why not."""
    module, node = cls.module, config.node
    if not _inherits_as_models_do(app, cls, config):
        return "it inherits from another class"
    if node.decorators or node.keywords or node not in cls.node.body:
        return "it is not a plain class"
    if "model_config" in cls.own_attributes:
        return "there is a model_config as well"
    arguments: list[tuple[s.Stmt, str]] = []
    edits: list[Edit] = []
    imports: list[Import] = []
    for statement in node.body:
        if isinstance(statement, s.Flow) or _is_ellipsis(statement):
            continue
        if not isinstance(statement, s.Assign) or len(statement.targets) != 1:
            return f"line {module.line(statement)} is more than a setting"
        key = s.dotted(statement.targets[0])
        if key in _TRUE_ALREADY and _is_true(statement):
            continue
        if key == "fields" and (made := of_fields(app, cls, statement.value)) is not None:
            edits += made[0]
            imports += made[1]
            continue
        written = _setting(app, module, key, statement.value) if key is not None else None
        if written is None:
            return f"{key} has no counterpart in version 2"
        arguments.append((statement, written))
    settings = not app.linker.ancestors(cls).isdisjoint(SETTINGS)
    brought = (
        bring(module, "pydantic_settings", "SettingsConfigDict")
        if settings
        else bring(module, "pydantic", "ConfigDict")
    )
    if brought is None:
        return "the name of the new class is taken"
    if not arguments:
        gone = delete_member(module, cls.node.body, node)
        return Fix("safe", (*edits, *gone), tuple(imports))
    text_ = _laid_out(module, node, brought.name, arguments)
    return Fix("safe", (*edits, replace(module, node, text_)), (*brought.imports, *imports))


def _laid_out(
    module: Module, node: s.ClassDef, name: str, arguments: list[tuple[s.Stmt, str]]
) -> str:
    """Return the new statement, on one line where it fits and no comment stands in the class."""
    one = f"model_config = {name}({', '.join(written for _, written in arguments)})"
    source = module.source
    outer = at.indentation(source, node.start)
    comments = b"#" in source[node.start : node.end]
    if not comments and len(outer) + len(one) <= _WIDTH and "\n" not in one:
        return one
    end = at.newline(source)
    inner = outer + at.step(module)
    lines = []
    done = source.index(b":", node.name_start) + 1
    for statement, written in arguments:
        above = _comments(source, done, statement.start)
        done = at.next_line(source, statement.end)
        beside = source[statement.end : done].decode().strip()
        lines += above
        lines.append(f"{written},  {beside}" if beside.startswith("#") else f"{written},")
    lines += _comments(source, done, node.end)
    body = "".join(f"{inner}{line}{end}" for line in lines)
    return f"model_config = {name}({end}{body}{outer})"


def _comments(source: bytes, start: int, end: int) -> list[str]:
    lines = source[start:end].decode().splitlines()
    return [line.strip() for line in lines if line.strip().startswith("#")]


def _inherits_as_models_do(app: App, cls: Class, config: Class) -> bool:
    """Whether a ``Config`` has no base, or that of the model's own base, which is read anyway."""
    bases = config.node.bases
    if not bases:
        return True
    parents = [s.dotted(base) for base in cls.node.bases]
    plain = len(bases) == 1 and len(parents) == 1
    if plain and app.linker.external(bases[0], cls.module) == "pydantic.BaseConfig":
        return True
    return plain and parents[0] is not None and s.dotted(bases[0]) == f"{parents[0]}.Config"


def _is_true(statement: s.Assign) -> bool:
    return isinstance(statement.value, s.Constant) and statement.value.value is True


def _is_ellipsis(statement: s.Stmt) -> bool:
    value = statement.value if isinstance(statement, s.ExprStmt) else None
    return isinstance(value, s.Constant) and value.kind == "ellipsis"


def _setting(app: App, module: Module, key: str, value: s.Expr) -> str | None:
    """Return ``key=value`` as Pydantic 2 calls it; None for what is gone."""
    if key == "allow_mutation":
        if not isinstance(value, s.Constant) or value.kind != "bool":
            return None
        return f"frozen={not value.value}"
    new = _key(app, key)
    name = app.linker.external(value, module) or ""
    if key == "extra" and name.startswith("pydantic.Extra."):
        quote = at.quote(module.source)
        return f"extra={quote}{name.rpartition('.')[2]}{quote}"
    return f"{new}={at.text(module, value)}" if new is not None else None


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
    case(
        "what it says of single fields",
        """
        from pydantic import BaseModel, Field
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            url: str
            debug: bool = False
            name: str = Field("shop", title="Name")

            class Config:  # <-
                env_prefix = "SHOP_"
                fields = {"url": {"env": "DATABASE_URL"}, "debug": {"env": ["DEBUG", "DEV"]},
                          "name": {"description": "of the shop"}}

        class Order(BaseModel):
            number: int

            class Config:  # <-
                fields = {"number": "orderNumber"}
        """,
        after="""
        from pydantic import AliasChoices, BaseModel, Field
        from pydantic_settings import BaseSettings, SettingsConfigDict

        class Settings(BaseSettings):
            url: str = Field(validation_alias="DATABASE_URL")
            debug: bool = Field(False, validation_alias=AliasChoices("DEBUG", "DEV"))
            name: str = Field("shop", title="Name", description="of the shop")

            model_config = SettingsConfigDict(env_prefix="SHOP_")

        class Order(BaseModel):
            number: int = Field(alias="orderNumber")
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
