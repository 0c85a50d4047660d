"""`pydantic.v1` is there to get by during the move to version 2.

`from pydantic.v1 import BaseModel` gives the old library inside the new one: FastAPI takes its models in
a compatibility mode that is deprecated, the rest of Pydantic 2 does not know them, and Python 3.14 does not
run it. Mixed with models of version 2 it does not do what it looks like: a `GetterDict` of version 1 is
nothing that a version 2 model asks.

Reported where what is imported is derived from, decorates or is called. A module that only tells old models
from new ones (`isinstance(value, v1.BaseModel)`), an import in a `try` or in a function, and a module that
asks for Pydantic's version serve others and are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Rule, case
from fastwright.rules.schema._pydantic import is_v2, serves_both

_OLD = "pydantic.v1"


def check(app: App) -> Iterator[Hit]:
    """Report imports of the old library that a module builds on."""
    if not is_v2(app):
        return
    for module in app.model_modules:
        if not any(_is_old(fact.module) for fact in module.header.imports):
            continue
        imports = _imports(module.facts.body)
        if imports and not serves_both(module):
            for node, name in _built_on(module, imports):
                used = evidence(module, node, name)
                message = f"{name} comes from pydantic.v1, the old library inside Pydantic 2"
                yield Hit(place(module, imports.pop(name)), message, (used,))


def _is_old(module: str) -> bool:
    return module == _OLD or module.startswith(f"{_OLD}.")


def _imports(body: list[s.Stmt]) -> dict[str, s.Node]:
    """Return the names that the module itself imports from the old library."""
    found: dict[str, s.Node] = {}
    for node in body:
        if isinstance(node, s.ImportFrom) and not node.level and _is_old(node.module or ""):
            found.update((alias.asname or alias.name, node) for alias in node.names)
        elif isinstance(node, s.ImportFrom) and not node.level and node.module == "pydantic":
            found.update((a.asname or a.name, node) for a in node.names if a.name == "v1")
        elif isinstance(node, s.Import):
            found.update(
                (a.asname, node) for a in node.names if a.asname is not None and _is_old(a.name)
            )
    return found


def _built_on(module: Module, imports: dict[str, s.Node]) -> Iterator[tuple[s.Node, str]]:
    """Yield the first use of each import that builds something, one import statement once."""
    told: set[int] = set()
    for node in module.walk():
        for used in _builders(node):
            name = (s.dotted(used) or "").partition(".")[0]
            statement = imports.get(name)
            if statement is not None and id(statement) not in told:
                told.add(id(statement))
                yield used, name


def _builders(node: s.Node) -> Iterator[s.Expr]:
    if isinstance(node, s.ClassDef):
        yield from node.bases
    elif isinstance(node, s.Call):
        yield node.func
    elif isinstance(node, s.FunctionDef):
        yield from node.decorators


RULE = Rule(
    summary="code of Pydantic 1 through pydantic.v1",
    severity="warning",
    mend="Import from `pydantic` and mend what changed (`bump-pydantic` does most of it).",
    app=check,
    since={"pydantic": "2.0"},
    references=("https://docs.pydantic.dev/latest/migration/#continue-using-pydantic-v1-features",),
)

CASES = (
    case(
        "a model, and a helper that a new model never asks",
        """
        from pydantic import BaseModel
        from pydantic.v1 import BaseModel as OldModel, Field  # <-
        from pydantic.v1.utils import GetterDict  # <-

        class Getter(GetterDict):
            def get(self, key, default=None):
                return super().get(key, default)

        class Old(OldModel):
            name: str = Field(default="")

        class New(BaseModel):
            name: str
        """,
        pydantic="2.9.0",
    ),
    case(
        "old models are told from new ones",
        """
        from pydantic import BaseModel, v1
        from pydantic.v1 import BaseModel as OldModel

        def dumped(value: BaseModel | OldModel) -> dict:
            if isinstance(value, (OldModel, v1.BaseModel)):
                return value.dict()
            return value.model_dump()
        """,
        pydantic="2.9.0",
    ),
    case(
        "a fallback, and a module for both versions",
        """
        try:
            from pydantic.v1 import BaseModel
        except ImportError:
            from pydantic import BaseModel

        class Item(BaseModel):
            name: str
        """,
        pydantic="2.9.0",
    ),
    case(
        "Pydantic 1 itself has a module of that name",
        """
        from pydantic.v1 import BaseModel

        class Item(BaseModel):
            name: str
        """,
        pydantic="1.10.17",
    ),
)
