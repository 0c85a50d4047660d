"""What has no default is required: nobody has to write `...`.

`Query(...)`, `Form(...)` and `Field(...)` come from the time before FastAPI 0.78 and Pydantic 2, when the
default was the first argument and had to be there. Today `Annotated[str, Query()]` and `name: str =
Field(max_length=10)` are required because they have no default. `...` says nothing more, has no meaning to
a type checker, and reads like something that was left out: Pydantic's documentation discourages it, FastAPI's
asks not to use it.

Reported for the parameters of FastAPI and for `Field` of Pydantic and SQLModel.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.canonical import canonical
from fastwright.edit.builders import delete_argument
from fastwright.edit.fix import Fix
from fastwright.project.versions import Versions
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case

_MARKS = frozenset({"fastapi", "pydantic", "sqlmodel"})
_DECLARING = frozenset(
    {
        *(f"fastapi.{name}" for name in ("Query", "Path", "Header", "Cookie", "Body", "Form", "File")),
        "pydantic.Field", "sqlmodel.Field",
    }
)  # fmt: skip


_ELLIPSES = frozenset({"...,", "...)"})


def check(module: Module, _versions: Versions) -> Iterator[Hit]:
    """Report each ``...`` given as default."""
    marks = module.header.marks
    if _MARKS.isdisjoint(marks) or _ELLIPSES.isdisjoint(marks):
        return
    for node in module.walk():
        if not isinstance(node, s.Call):
            continue
        default = node.argument(0, "default")
        if not isinstance(default, s.Constant) or default.kind != "ellipsis":
            continue
        name = module.qualify(node.func)
        if name is not None and canonical(name) in _DECLARING:
            written = s.last_name(node.func)
            message = f"{written}(...): what has no default is required, without ... as well"
            given = next((k for k in node.keywords if k.value is default), default)
            fix = Fix("safe", (delete_argument(module, node, given),))
            yield Hit(place(module, default), message, (), fix)


RULE = Rule(
    summary="... as default",
    severity="info",
    mend="Remove `...`: `Annotated[str, Query(max_length=10)]`, `name: str = Field(max_length=10)`.",
    module=check,
    since={"fastapi": "0.78", "pydantic": "2.0"},
    references=(
        "https://docs.pydantic.dev/latest/concepts/models/#required-fields",
        "https://fastapi.tiangolo.com/tutorial/query-params-str-validations/#required-parameters",
        "https://github.com/fastapi/fastapi/blob/master/fastapi/.agents/skills/fastapi/SKILL.md",
    ),
)

CASES = (
    case(
        "parameters and fields",
        """
        from typing import Annotated
        import pydantic
        from fastapi import FastAPI, Form, Query
        from pydantic import BaseModel, Field

        app = FastAPI()

        class Item(BaseModel):
            name: str = Field(..., max_length=10)  # <-
            price: float = pydantic.Field(
                default=...,  # <-
                gt=0,
            )

        @app.get("/items")
        def items(q: str = Query(...), name: Annotated[str, Form(max_length=3)] = "") -> None: ...  # <-
        """,
        after="""
        from typing import Annotated
        import pydantic
        from fastapi import FastAPI, Form, Query
        from pydantic import BaseModel, Field

        app = FastAPI()

        class Item(BaseModel):
            name: str = Field(max_length=10)
            price: float = pydantic.Field(
                gt=0,
            )

        @app.get("/items")
        def items(q: str = Query(), name: Annotated[str, Form(max_length=3)] = "") -> None: ...
        """,
    ),
    case(
        "no default, a default, another Field, other uses of ...",
        """
        from typing import Annotated
        from fastapi import FastAPI, Query
        from pydantic import BaseModel, Field, create_model
        from strawberry import field

        app = FastAPI()
        Made = create_model("Made", name=(str, ...))

        def Header(value):
            return value

        class Item(BaseModel):
            name: str = Field(max_length=10)
            size: int = Field(0)
            other: tuple[int, ...] = ()

        @app.get("/items")
        def items(q: Annotated[str, Query()], h=Header(...)) -> None: ...
        """,
    ),
)
