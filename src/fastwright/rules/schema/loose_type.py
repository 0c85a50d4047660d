"""A public schema says what is in it.

`data: dict` and `items: list` admit everything: nothing is validated, the OpenAPI document says "object",
and clients learn from examples. What is behind the field is then checked by hand, or not at all.

Off by default: `Any` and bare collections are right where the application hands on what it does not look
into (metadata, settings of plug-ins, raw JSON). Reported are fields annotated with `Any`, `object`, bare
`dict` or `list`, `dict[str, Any]` or `list[Any]`, in models that requests send or that are answered. Fields
named after free content (`metadata`, `extra`, `payload`, `context`, `raw` and the like) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.models import Field
from fastwright.read import syntax as s
from fastwright.rules.evidence import of_route, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.schema._carried import carried

_COLLECTIONS = frozenset(
    {"builtins.dict", "builtins.list", "builtins.set", "builtins.tuple", "typing.Dict", "typing.List",
     "typing.Set", "typing.Tuple", "typing.Mapping", "typing.Sequence"}
)  # fmt: skip
_ANYTHING = frozenset({"typing.Any", "builtins.object"})
_OPTIONAL = frozenset({"typing.Optional", "typing.Union", "typing.Annotated"})
_FREE = re.compile(
    r"meta|extra|payload|context|raw|json|additional|custom|attributes|properties|propert|options|kwargs"
    r"|params|parameters|config|settings|headers|body|content|schema",
    re.IGNORECASE,
)


def check(app: App) -> Iterator[Hit]:
    """Report each loose field of a model that requests carry, once."""
    seen: set[int] = set()
    for cls, route in carried(app).values():
        schema = app.models.schema(cls)
        for field in schema.fields.values() if schema is not None else ():
            if id(field.node) in seen or field.excluded or _FREE.search(field.name):
                continue
            loose = _loose(app, field.node.annotation, field)
            if loose is not None:
                seen.add(id(field.node))
                message = f"{field.owner.name}.{field.name} is {loose}: anything goes"
                yield Hit(place(field.owner.module, field.node), message, of_route(route))


def _loose(app: App, node: s.Expr, field: Field) -> str | None:
    """Return what is loose about an annotation, as it is written."""
    owner = field.owner
    if isinstance(node, s.Constant):
        text = s.string(node)
        inner = app.types.quoted(text) if text is not None else None
        return _loose(app, inner, field) if inner is not None else None
    if isinstance(node, s.BinOp):
        return _loose(app, node.left, field) or _loose(app, node.right, field)
    if isinstance(node, (s.Name, s.Attribute)):
        name = app.linker.external(node, owner.module, owner.outer) or ""
        if name in _ANYTHING:
            return "Any"
        return f"a bare {s.last_name(node)}" if name in _COLLECTIONS else None
    if not isinstance(node, s.Subscript):
        return None
    name = app.linker.external(node.value, owner.module, owner.outer) or ""
    given = node.slice.elts if isinstance(node.slice, s.Tuple) else [node.slice]
    if name in _OPTIONAL:
        looked_at = given[:1] if name == "typing.Annotated" else given
        return next((found for each in looked_at if (found := _loose(app, each, field))), None)
    if name in _COLLECTIONS and _loose(app, given[-1], field) == "Any":
        return f"a {s.last_name(node.value)} of Any"
    return None


RULE = Rule(
    summary="Any or a bare collection in a public schema",
    severity="info",
    confidence="medium",
    default=False,
    mend="Write a model, a `TypedDict`, or the type of the entries: `dict[str, int]`, `list[Item]`.",
    app=check,
    references=("https://fastapi.tiangolo.com/tutorial/body-nested-models/",),
)

CASES = (
    case(
        "Any, bare and half bare collections",
        """
        from typing import Annotated, Any, Dict, List, Optional, Union
        from fastapi import FastAPI
        from pydantic import BaseModel, Field

        app = FastAPI()

        class Line(BaseModel):
            product: Any  # <-

        class OrderIn(BaseModel):
            lines: list[Line]
            address: dict  # <-
            tags: Optional[List]  # <-
            prices: Dict[str, Any]  # <-
            notes: "list[Any] | None" = None  # <-
            owner: Annotated[Union[dict, None], Field(default=None)]  # <-

        class OrderOut(BaseModel):
            result: object  # <-

        @app.post("/orders")
        def create(order: OrderIn) -> OrderOut: ...
        """,
    ),
    case(
        "typed collections, free content, models that stay inside",
        """
        from typing import Any
        from fastapi import FastAPI
        from pydantic import BaseModel, Field

        app = FastAPI()

        class OrderIn(BaseModel):
            prices: dict[str, int]
            tags: list[str] = []
            metadata: dict[str, Any] = {}
            raw_payload: Any = None
            hidden: Any = Field(default=None, exclude=True)

        class Inside(BaseModel):
            value: Any

        @app.post("/orders")
        def create(order: OrderIn) -> None: ...
        """,
    ),
    case(
        "inherited fields are reported once",
        """
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class OrderBase(BaseModel):
            address: dict  # <-

        class OrderIn(OrderBase):
            number: int

        class OrderOut(OrderBase):
            id: int

        @app.post("/orders")
        def create(order: OrderIn) -> OrderOut: ...
        """,
    ),
)
