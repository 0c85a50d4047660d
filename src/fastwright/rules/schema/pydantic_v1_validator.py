"""Validators of Pydantic 2 are `@field_validator` and `@model_validator`.

`@validator` and `@root_validator` come from version 1. Version 2 still runs most of them, with a
warning each; `@root_validator` without `skip_on_failure=True` does not even import, `each_item`,
`always` and the `values` argument mean something else, and version 3 drops them all.

What means the same is rewritten: `values` as `info.data`, `always=True` as `validate_default=True` of the field,
a root validator that reads fields as one of `self`. The message says what stands in the way of the others.

Only decorators that really are Pydantic's count, imported under any name; those of `pydantic.v1`
belong to version 1 and are right. Modules that ask for Pydantic's version are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Class
from fastwright.read import syntax as s
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._pydantic import is_v2, serves_both
from fastwright.rules.schema._v1_validators import translated

_NEW = {"pydantic.validator": "field_validator", "pydantic.root_validator": "model_validator"}


def check(app: App) -> Iterator[Hit]:
    """Report each use of ``validator`` and ``root_validator`` in a class body."""
    if not is_v2(app):
        return
    for cls in app.model_classes:
        found = list(_uses(app, cls))
        if found and not serves_both(cls.module):
            for node, name in found:
                old = name.rpartition(".")[2]
                message = f"{cls.name} uses {old} of Pydantic 1: write {_NEW[name]}"
                made = translated(app, cls, node, name)
                if isinstance(made, str):
                    yield Hit(place(cls.module, node), f"{message} ({made})")
                else:
                    yield Hit(place(cls.module, node), message, (), made)


def _uses(app: App, cls: Class) -> Iterator[tuple[s.Expr, str]]:
    for inner in cls.own_classes.values():
        yield from _uses(app, inner)
    for node in _candidates(cls):
        func = node.func if isinstance(node, s.Call) else node
        name = app.linker.external(func, cls.module, cls.outer)
        if name in _NEW:
            yield node, name


def _candidates(cls: Class) -> Iterator[s.Expr]:
    """Yield decorators of methods, and calls in ``_check = validator("x")(function)``."""
    for statement in cls.node.body:
        if isinstance(statement, s.FunctionDef):
            yield from statement.decorators
        elif isinstance(statement, s.Assign):
            yield from (node for node in s.walk(statement.value) if isinstance(node, s.Call))


RULE = Rule(
    summary="a validator of Pydantic 1",
    severity="warning",
    mend='`@field_validator("name")` on a classmethod, with `mode="before"` for `pre=True`;'
    ' `@model_validator(mode="after")` for a root validator.',
    app=check,
    since={"pydantic": "2.0"},
    references=("https://docs.pydantic.dev/latest/migration/#changes-to-validators",),
)

CASES = (
    case(
        "validator, also under another name",
        """
        from pydantic import BaseModel, root_validator, validator as check

        class Order(BaseModel):
            currency: str

            @check("currency")  # <-
            def upper(cls, value):
                return value.upper()

            @root_validator(skip_on_failure=True)  # <-
            def whole(cls, values):
                return values
        """,
        after="""
        from pydantic import BaseModel, field_validator, model_validator

        class Order(BaseModel):
            currency: str

            @field_validator("currency")
            @classmethod
            def upper(cls, value):
                return value.upper()

            @model_validator(mode="after")
            def whole(self):
                return self
        """,
        pydantic="2.9.0",
    ),
    case(
        "a validator that is shared by models",
        """
        import pydantic

        def strip(value: str) -> str:
            return value.strip()

        class Order(pydantic.BaseModel):
            name: str
            _strip = pydantic.validator("name", allow_reuse=True)(strip)  # <-
        """,
    ),
    Case(
        "through a module of the project that hands it on",
        {
            "app/__init__.py": "",
            "app/base.py": """
            from pydantic import BaseModel, validator
            """,
            "app/orders.py": """
            from app.base import BaseModel, validator

            class Order(BaseModel):
                name: str

                @validator("name")  # <-
                def strip(cls, value):
                    return value.strip()
            """,
        },
    ),
    case(
        "Pydantic 1 is installed",
        """
        from pydantic import BaseModel, validator

        class Order(BaseModel):
            name: str

            @validator("name")
            def strip(cls, value):
                return value.strip()
        """,
        pydantic="1.10.13",
    ),
    case(
        "pydantic.v1 keeps its validators",
        """
        from pydantic.v1 import BaseModel, validator

        class Order(BaseModel):
            name: str

            @validator("name")
            def strip(cls, value):
                return value.strip()
        """,
        pydantic="2.9.0",
    ),
    case(
        "somebody else's validator",
        """
        from attrs import define
        from pydantic import BaseModel

        @define
        class Order:
            name: str

            @name.validator
            def check(self, attribute, value): ...
        """,
        pydantic="2.9.0",
    ),
    case(
        "a module for both versions",
        """
        import pydantic
        from pydantic import BaseModel

        if pydantic.VERSION.startswith("2"):
            from pydantic import field_validator
        else:
            from pydantic import validator

            class Order(BaseModel):
                name: str

                @validator("name")
                def strip(cls, value):
                    return value.strip()
        """,
    ),
)
