"""`Field` of Pydantic 2 has other arguments than that of version 1.

`regex`, `const` and `unique_items` raise on import; `min_items`, `max_items` and
`allow_mutation` warn; `env` is silently ignored, so that the setting keeps its default whatever
the environment says. The same holds for `constr(regex=...)` and `conlist(min_items=...)`, and for
`regex` of FastAPI's `Query`, `Path` and the others. Arguments that `Field` does not know were part of the JSON
schema: that is `json_schema_extra` now.

Version 1 matched a `regex` from the start of a text, version 2 searches a `pattern`: it gets a `^`.

SQLModel's own `Field` still takes the old names and is left alone, as is `pydantic.v1`.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.dependencies import MARKERS
from fastwright.app.model import App
from fastwright.app.models import SETTINGS
from fastwright.app.symbols import Class
from fastwright.edit import source as at
from fastwright.edit.builders import delete_argument, replace
from fastwright.edit.fix import Fix
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.schema._pydantic import from_typing, is_v2, serves_both
from fastwright.rules.schema._v1_fields import is_given, variables
from fastwright.rules.schema._v1_patterns import pattern

_ITEMS = {"min_items": "min_length", "max_items": "max_length"}
_FIELD = _ITEMS | {
    "allow_mutation": "frozen",
    "const": "a Literal type",
    "env": "validation_alias",
    "example": "examples=[...]",
    "regex": "pattern",
    "unique_items": "a set",
}
_KNOWN = frozenset(
    {"alias", "alias_priority", "allow_inf_nan", "coerce_numbers_to_str", "decimal_places",
     "default", "default_factory", "deprecated", "description", "discriminator", "examples",
     "exclude", "exclude_if", "fail_fast", "field_title_generator", "frozen", "ge", "gt", "include",
     "init", "init_var", "json_schema_extra", "kw_only", "le", "lt", "max_digits", "max_length",
     "min_length", "multiple_of", "pattern", "repr", "serialization_alias", "strict", "title",
     "union_mode", "validate_default", "validation_alias"}
)  # fmt: skip
"""What ``Field`` of version 2 takes; what else it is given goes to the JSON schema, with a warning."""
_ARGUMENTS = {
    "pydantic.Field": _FIELD,
    "pydantic.constr": {"regex": "pattern"},
    "pydantic.conlist": {**_ITEMS, "unique_items": "a set"},
    "pydantic.conset": _ITEMS,
    "pydantic.confrozenset": _ITEMS,
}
_FASTAPI = {name: {"regex": "pattern"} for name in MARKERS}


def check(app: App) -> Iterator[Hit]:
    """Report each old argument of ``Field`` and the constrained types in classes and parameters."""
    if not is_v2(app):
        return
    known = dict(_ARGUMENTS)
    if app.versions.at_least("fastapi", "0.100") is not False:
        known |= _FASTAPI
    for module in app.model_modules:
        hits = [
            hit
            for node, cls in _expressions(app, module)
            for hit in _calls(app, module, node, cls, known)
        ]
        if hits and not serves_both(module):
            yield from hits


def _calls(
    app: App, module: Module, root: s.Node, cls: Class | None, known: dict[str, dict[str, str]]
) -> Iterator[Hit]:
    for node in s.walk_scope(root):
        if not isinstance(node, s.Call) or not node.keywords:
            continue
        name = app.linker.external(node.func, module)
        if name == "pydantic.Field":
            yield from _extra(module, node)
        for keyword in node.keywords:
            new = known.get(name or "", {}).get(keyword.arg or "")
            if new is not None and not _is_unset(keyword.value):
                called = s.last_name(node.func)
                message = f"{called}({keyword.arg}=...) is of Pydantic 1: use {new}"
                field = root if isinstance(root, s.AnnAssign) and root.value is node else None
                fix = (
                    _of_field(app, cls, field, node, keyword)
                    if field is not None and cls is not None and keyword.arg in {"const", "env"}
                    else _renamed(module, node, keyword, new)
                )
                if keyword.arg == "regex" and name not in _FASTAPI:
                    fix = _pattern(module, keyword)
                yield Hit(place(module, keyword), message, (), fix)


def _extra(module: Module, call: s.Call) -> Iterator[Hit]:
    """Report what a field says of its JSON schema in arguments that ``Field`` does not know."""
    extra = [k for k in call.keywords if k.arg is not None and k.arg not in _KNOWN | set(_FIELD)]
    if not extra:
        return
    fix = None
    if call.keyword("json_schema_extra") is None and call.keyword("example") is None:
        quote = at.quote(module.source)
        pairs = (f"{quote}{k.arg}{quote}: {text(module, k.value)}" for k in extra)
        first, *others = extra
        written = replace(module, first, f"json_schema_extra={{{', '.join(pairs)}}}")
        gone = (delete_argument(module, call, other) for other in others)
        fix = Fix("safe", (written, *gone))
    message = f"Field({extra[0].arg}=...) is of Pydantic 1: use json_schema_extra"
    yield Hit(place(module, extra[0]), message, (), fix)


def _renamed(module: Module, call: s.Call, keyword: s.Keyword, new: str) -> Fix | None:
    """Return the fix for an argument that has only another name, or the opposite sense."""
    constant = keyword.value if isinstance(keyword.value, s.Constant) else None
    flag = constant.value if constant is not None and constant.kind == "bool" else None
    if keyword.arg == "example":
        value = text(module, keyword.value)
        return Fix("safe", (replace(module, keyword, f"examples=[{value}]"),))
    if keyword.arg == "allow_mutation":
        if flag is None:
            return None
        return Fix("safe", (replace(module, keyword, f"frozen={not flag}"),))
    if keyword.arg in {"unique_items", "const"}:
        if flag is not False:
            return None
        return Fix("safe", (delete_argument(module, call, keyword),))
    if keyword.arg is None or not new.isidentifier() or keyword.arg == "env":
        return None
    name = s.Name(keyword.start, keyword.start + len(keyword.arg), keyword.arg)
    return Fix("safe", (replace(module, name, new),))


def _pattern(module: Module, keyword: s.Keyword) -> Fix | None:
    written = pattern(module, keyword.value)
    if written is None:
        return None
    return Fix("safe", (replace(module, keyword, f"pattern={written}"),))


def _of_field(
    app: App, cls: Class, field: s.AnnAssign, call: s.Call, keyword: s.Keyword
) -> Fix | None:
    """Return the fix for an argument that says something of the field as a whole."""
    if keyword.arg == "env":
        return _variable(app, cls, field, call, keyword)
    if not isinstance(keyword.value, s.Constant) or keyword.value.value is not True:
        return _renamed(cls.module, call, keyword, "")
    return _literal(app, cls, field, call, keyword)


def _literal(
    app: App, cls: Class, field: s.AnnAssign, call: s.Call, keyword: s.Keyword
) -> Fix | None:
    """``kind: str = Field("a", const=True)`` is a ``Literal["a"]``.

    Only texts: of anything else version 1 also took what it could turn into the value.
    """
    module = cls.module
    value = call.argument(0, "default")
    brought = from_typing(module, "Literal")
    if value is None or brought is None or not _is_text(app, module, field.annotation, value):
        return None
    written = text(module, value)
    annotation = replace(module, field.annotation, f"{brought.name}[{written}]")
    alone = len(call.args) + len(call.keywords) == 2
    rest = replace(module, call, written) if alone else delete_argument(module, call, keyword)
    return Fix("safe", (annotation, rest), brought.imports)


def _is_text(app: App, module: Module, annotation: s.Expr, value: s.Expr) -> bool:
    """Whether a value is a text, or a member of an enumeration of texts, of the type that is told."""
    if isinstance(value, s.Constant):
        return value.kind == "str" and s.dotted(annotation) == "str"
    if not isinstance(value, s.Attribute) or s.dotted(value.value) != s.dotted(annotation):
        return False
    found = app.linker.expression(value.value, module)
    if not isinstance(found, Class) or value.attr not in found.own_attributes:
        return False
    above = app.linker.ancestors(found)
    return "enum.StrEnum" in above or ("enum.Enum" in above and "builtins.str" in above)


def _variable(
    app: App, cls: Class, field: s.AnnAssign, call: s.Call, keyword: s.Keyword
) -> Fix | None:
    """``env="URL"`` of a setting is ``validation_alias``, by which arguments are then named as well."""
    module = cls.module
    name = s.dotted(field.target)
    aliased = any(call.keyword(other) for other in ("alias", "validation_alias"))
    if app.linker.ancestors(cls).isdisjoint(SETTINGS) or aliased or name is None:
        return None
    written = variables(module, keyword.value)
    if written is None or is_given(app, cls, name):
        return None
    edit = replace(module, keyword, f"validation_alias={written[0]}")
    return Fix("safe", (edit,), written[1])


def _is_unset(node: s.Expr) -> bool:
    return isinstance(node, s.Constant) and node.kind in {"none", "ellipsis"}


def _expressions(app: App, module: Module) -> Iterator[tuple[s.Node, Class | None]]:
    """Yield what may hold such calls: class bodies, aliases at module level, parameters."""
    for node in module.facts.body:
        if isinstance(node, (s.Assign, s.AnnAssign)):
            yield node, None
    for cls in app.classes([module]):
        yield from _class_statements(cls)
    for function in app.every_function(module, _PARAMETER_CALLS):
        for parameter in function.node.params:
            if parameter.annotation is not None:
                yield parameter.annotation, None
            if parameter.default is not None:
                yield parameter.default, None


_PARAMETER_CALLS = frozenset(
    {name.rpartition(".")[2] for name in MARKERS} | {"Field", "constr", "conlist", "conset"}
)


def _class_statements(cls: Class) -> Iterator[tuple[s.Node, Class]]:
    for inner in cls.own_classes.values():
        yield from _class_statements(inner)
    for statement in cls.own_attributes.values():
        yield statement, cls


RULE = Rule(
    summary="an argument of Field that Pydantic 2 does not have",
    severity="warning",
    mend="Use the argument of version 2: `min_length`, `max_length`, `pattern`, `frozen`,"
    " `validation_alias`; a `Literal` for `const`.",
    app=check,
    since={"pydantic": "2.0"},
    references=("https://docs.pydantic.dev/latest/migration/#changes-to-pydanticfield",),
)

CASES = (
    case(
        "Field and constrained types",
        """
        from typing import Annotated
        from pydantic import BaseModel, Field, constr

        class Order(BaseModel):
            items: list[int] = Field(min_items=1)  # <-
            code: Annotated[str, Field(regex="^[A-Z]+$")]  # <-
            sku: constr(regex="^[0-9]+$")  # <-
        """,
        after="""
        from typing import Annotated
        from pydantic import BaseModel, Field, constr

        class Order(BaseModel):
            items: list[int] = Field(min_length=1)
            code: Annotated[str, Field(pattern="^[A-Z]+$")]
            sku: constr(pattern="^[0-9]+$")
        """,
        pydantic="2.9.0",
    ),
    case(
        "env is ignored by version 2",
        """
        from pydantic import Field
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            url: str = Field("sqlite://", env="DATABASE_URL")  # <-
        """,
        after="""
        from pydantic import Field
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            url: str = Field("sqlite://", validation_alias="DATABASE_URL")
        """,
    ),
    case(
        "what a field says of its JSON schema",
        """
        from pydantic import BaseModel, Field

        class Order(BaseModel):
            name: str = Field("", title="Name", widget="text", order=1)  # <-
        """,
        after="""
        from pydantic import BaseModel, Field

        class Order(BaseModel):
            name: str = Field("", title="Name", json_schema_extra={"widget": "text", "order": 1})
        """,
        pydantic="2.9.0",
    ),
    case(
        "regex of a query parameter",
        """
        from fastapi import FastAPI, Query

        app = FastAPI()

        @app.get("/")
        def search(q: str = Query(min_length=2, regex="^[a-z]+$")) -> None: ...  # <-
        """,
    ),
    case(
        "the names of version 2, SQLModel's Field, version 1's",
        """
        from pydantic import BaseModel, Field
        from pydantic.v1 import Field as OldField
        from sqlmodel import SQLModel, Field as Column

        class Order(BaseModel):
            items: list[int] = Field(min_length=1, json_schema_extra={"env": "X"})
            old: list[int] = OldField(min_items=1)

        class Hero(SQLModel):
            name: str = Column(regex="^[A-Z]")
        """,
        pydantic="2.9.0",
    ),
    case(
        "Pydantic 1 is installed",
        """
        from pydantic import BaseModel, Field

        class Order(BaseModel):
            items: list[int] = Field(min_items=1)
        """,
        pydantic="1.10.13",
    ),
)
