"""What the pydantic-v1 rules share: whether Pydantic 2 is used, which classes are models."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Class
from fastwright.app.types import ClassObject, Instance, NoneType, Type, alternatives
from fastwright.edit.names import Brought, bring
from fastwright.read import syntax as s
from fastwright.read.module import Module

MODEL_BASES = frozenset(
    {
        "pydantic.BaseModel", "pydantic.RootModel", "pydantic.BaseSettings",
        "pydantic.generics.GenericModel", "pydantic_settings.BaseSettings", "sqlmodel.SQLModel",
    }
)  # fmt: skip
_V2_NAMES = frozenset(
    {
        "AfterValidator", "AliasChoices", "AliasPath", "BeforeValidator", "ConfigDict",
        "Discriminator", "PlainValidator", "RootModel", "TypeAdapter", "WithJsonSchema",
        "WrapValidator", "computed_field", "field_serializer", "field_validator",
        "model_serializer", "model_validator",
    }
)  # fmt: skip
_V1_NAMES = frozenset(
    {"BaseSettings", "ConstrainedFloat", "ConstrainedInt", "ConstrainedStr", "PyObject"}
)
_V1_MODULES = frozenset({"pydantic.env_settings", "pydantic.generics", "pydantic.typing"})
_VERSION_NAMES = ("PYDANTIC_V1", "PYDANTIC_V2", "IS_PYDANTIC", "PYDANTIC_VERSION")


def is_v2(app: App) -> bool:
    """Whether the project runs on Pydantic 2: by its version, else by the names that it imports."""
    known = app.versions.at_least("pydantic", "2")
    return known if known is not None else not _needs_v1(app)


def _needs_v1(app: App) -> bool:
    """Whether what is imported exists in Pydantic 1 only, and nothing that is new in 2."""
    needs = False
    for module in app.sources:
        for fact in module.header.imports:
            top = fact.module.partition(".")[0]
            if fact.level or top not in {"pydantic", "pydantic_settings", "pydantic_core"}:
                continue
            if top != "pydantic" or not _V2_NAMES.isdisjoint(fact.names):
                return False
            if fact.module == "pydantic":
                needs = needs or not _V1_NAMES.isdisjoint(fact.names)
            needs = needs or fact.module in _V1_MODULES
    return needs


def serves_both(module: Module) -> bool:
    """Whether a module asks for Pydantic's version: what it keeps for version 1 is no leftover."""
    for node in module.walk():
        name = s.last_name(node) if isinstance(node, (s.Name, s.Attribute)) else None
        if name is None:
            continue
        if name.startswith(_VERSION_NAMES):
            return True
        if name in {"VERSION", "version", "__version__"}:
            written = module.qualify(node)
            if written is not None and written.startswith("pydantic."):
                return True
    return False


def is_model(app: App, cls: Class) -> bool:
    """Whether a class is a model of Pydantic 2 (``pydantic.v1`` is something else)."""
    names = app.linker.ancestors(cls)
    return not names.isdisjoint(MODEL_BASES) and not any(
        name.startswith("pydantic.v1.") for name in names
    )


def model_classes(app: App) -> Iterator[Class]:
    """Yield every Pydantic model of the application, those nested in classes included."""
    pending = list(app.model_classes)
    seen: set[int] = set()
    for cls in pending:  # grows while it is walked
        if id(cls.node) not in seen:
            seen.add(id(cls.node))
            pending.extend(cls.own_classes.values())
            if is_model(app, cls):
                yield cls


def models_in(app: App, found: Type) -> list[tuple[Class, Type]] | None:
    """Return the models that a value may be an instance or class of; None if it may be others."""
    models: list[tuple[Class, Type]] = []
    for option in alternatives(found):
        if isinstance(option, NoneType):
            continue
        if not isinstance(option, (Instance, ClassObject)) or not isinstance(option.cls, Class):
            return None
        if not is_model(app, option.cls):
            return None
        models.append((option.cls, option))
    return models or None


def from_typing(module: Module, name: str) -> Brought | None:
    """Return how a name of ``typing`` is written in a file, also where ``typing_extensions`` gives it."""
    starts = {fact.start for fact in module.header.imports if fact.when == "import"}
    for statement in module.import_statements:
        if not isinstance(statement, s.ImportFrom) or statement.start not in starts:
            continue
        if statement.module in {"typing", "typing_extensions"}:
            for alias in statement.names:
                if alias.name == name and alias.asname is None:
                    return Brought(name, ())
    return bring(module, "typing", name)
