"""`Field` of Pydantic 2 has other arguments than that of version 1.

`regex`, `const` and `unique_items` raise on import; `min_items`, `max_items` and
`allow_mutation` warn; `env` is silently ignored, so that the setting keeps its default whatever
the environment says. The same holds for `constr(regex=...)` and `conlist(min_items=...)`, and for
`regex` of FastAPI's `Query`, `Path` and the others.

SQLModel's own `Field` still takes the old names and is left alone, as is `pydantic.v1`.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.dependencies import MARKERS
from fastwright.app.model import App
from fastwright.app.symbols import Class
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.schema._pydantic import is_v2, serves_both

_ITEMS = {"min_items": "min_length", "max_items": "max_length"}
_FIELD = _ITEMS | {
    "allow_mutation": "frozen",
    "const": "a Literal type",
    "env": "validation_alias",
    "example": "examples=[...]",
    "regex": "pattern",
    "unique_items": "a set",
}
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
            hit for node in _expressions(app, module) for hit in _calls(app, module, node, known)
        ]
        if hits and not serves_both(module):
            yield from hits


def _calls(
    app: App, module: Module, root: s.Node, known: dict[str, dict[str, str]]
) -> Iterator[Hit]:
    for node in s.walk_scope(root):
        if not isinstance(node, s.Call) or not node.keywords:
            continue
        name = app.linker.external(node.func, module)
        for keyword in node.keywords:
            new = known.get(name or "", {}).get(keyword.arg or "")
            if new is not None and not _is_unset(keyword.value):
                called = s.last_name(node.func)
                message = f"{called}({keyword.arg}=...) is of Pydantic 1: use {new}"
                yield Hit(place(module, keyword), message, (), _renamed(module, keyword, new))


def _renamed(module: Module, keyword: s.Keyword, new: str) -> Fix | None:
    """Return the fix for an argument that has only another name, or the opposite sense."""
    if keyword.arg == "example":
        value = text(module, keyword.value)
        return Fix("safe", (replace(module, keyword, f"examples=[{value}]"),))
    if keyword.arg == "allow_mutation":
        if not isinstance(keyword.value, s.Constant) or keyword.value.kind != "bool":
            return None
        return Fix("safe", (replace(module, keyword, f"frozen={not keyword.value.value}"),))
    if keyword.arg is None or not new.isidentifier() or keyword.arg == "env":
        return None
    name = s.Name(keyword.start, keyword.start + len(keyword.arg), keyword.arg)
    return Fix("safe", (replace(module, name, new),))


def _is_unset(node: s.Expr) -> bool:
    return isinstance(node, s.Constant) and node.kind in {"none", "ellipsis"}


def _expressions(app: App, module: Module) -> Iterator[s.Node]:
    """Yield what may hold such calls: class bodies, aliases at module level, parameters."""
    for node in module.facts.body:
        if isinstance(node, (s.Assign, s.AnnAssign)):
            yield node
    for cls in app.classes([module]):
        yield from _class_statements(cls)
    for function in app.every_function(module, _PARAMETER_CALLS):
        for parameter in function.node.params:
            if parameter.annotation is not None:
                yield parameter.annotation
            if parameter.default is not None:
                yield parameter.default


_PARAMETER_CALLS = frozenset(
    {name.rpartition(".")[2] for name in MARKERS} | {"Field", "constr", "conlist", "conset"}
)


def _class_statements(cls: Class) -> Iterator[s.Node]:
    for inner in cls.own_classes.values():
        yield from _class_statements(inner)
    yield from cls.own_attributes.values()


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
