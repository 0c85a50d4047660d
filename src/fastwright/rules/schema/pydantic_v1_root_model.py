"""A model of a bare value is `RootModel[T]`.

In Pydantic 1 such a model had one field, `__root__`. Version 2 raises a `TypeError` when the class
is created: "To define root models, use `pydantic.RootModel`".

Reported for classes that descend from a Pydantic 2 model; unknown bases stay silent.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.symbols import Class
from fastwright.edit.builders import delete_statements, replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.schema._pydantic import is_v2, model_classes, serves_both


def check(app: App) -> Iterator[Hit]:
    """Report each field named ``__root__``."""
    if not is_v2(app):
        return
    for cls in model_classes(app):
        node = cls.own_attributes.get("__root__")
        if node is not None and not serves_both(cls.module):
            message = f"{cls.name}.__root__ is of Pydantic 1: derive {cls.name} from RootModel"
            yield Hit(place(cls.module, node), message, (), _derived(cls, node))


def _derived(cls: Class, root: s.Stmt) -> Fix | None:
    """Return the fix for a model that has nothing but its root, and that nobody looks into here."""
    module, node = cls.module, cls.node
    if not isinstance(root, s.AnnAssign) or root.value is not None or len(node.bases) != 1:
        return None
    if s.last_name(node.bases[0]) != "BaseModel" or module.source.count(b"__root__") != 1:
        return None
    brought = bring(module, "pydantic", "RootModel")
    if brought is None:
        return None
    base = f"{brought.name}[{text(module, root.annotation)}]"
    edits = (
        replace(module, node.bases[0], base),
        *delete_statements(module, node.body, [root]),
    )
    return Fix("suggest", edits, brought.imports)


RULE = Rule(
    summary="a root model of Pydantic 1",
    severity="error",
    mend="`class Tags(RootModel[list[str]])`; the value is then `tags.root`.",
    app=check,
    since={"pydantic": "2.0"},
    references=(
        "https://docs.pydantic.dev/latest/concepts/models/#rootmodel-and-custom-root-types",
    ),
)

CASES = (
    case(
        "a list as a model",
        """
        from pydantic import BaseModel

        class Tags(BaseModel):
            __root__: list[str]  # <-
        """,
        pydantic="2.9.0",
    ),
    case(
        "RootModel is right",
        """
        from pydantic import RootModel

        class Tags(RootModel[list[str]]):
            pass
        """,
        after="""
        from pydantic import RootModel

        class Tags(RootModel[list[str]]):
            pass
        """,
    ),
    case(
        "version 1, and classes that are no models",
        """
        from pydantic.v1 import BaseModel

        class Tags(BaseModel):
            __root__: list[str]

        class Tree:
            __root__: str = ""
        """,
        pydantic="2.9.0",
    ),
)
