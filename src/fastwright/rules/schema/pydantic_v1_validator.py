"""Validators of Pydantic 2 are `@field_validator` and `@model_validator`.

`@validator` and `@root_validator` come from version 1. Version 2 still runs most of them, with a
warning each; `@root_validator` without `skip_on_failure=True` does not even import, `each_item`,
`always` and the `values` argument mean something else, and version 3 drops them all.

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
from fastwright.rules.rule import Rule, case
from fastwright.rules.schema._pydantic import is_v2, serves_both

_NEW = {"pydantic.validator": "field_validator", "pydantic.root_validator": "model_validator"}


def check(app: App) -> Iterator[Hit]:
    """Report each use of ``validator`` and ``root_validator`` in a class body."""
    if not is_v2(app):
        return
    for cls in app.classes(app.model_modules):
        found = list(_uses(app, cls))
        if found and not serves_both(cls.module):
            for node, name in found:
                old = name.rpartition(".")[2]
                message = f"{cls.name} uses Pydantic 1's {old}: write {_NEW[name]}"
                yield Hit(place(cls.module, node), message)


def _uses(app: App, cls: Class) -> Iterator[tuple[s.Expr, str]]:
    for inner in cls.own_classes.values():
        yield from _uses(app, inner)
    for statement in cls.node.body:
        written: list[s.Expr] = []
        if isinstance(statement, s.FunctionDef):
            written = statement.decorators
        elif isinstance(statement, s.Assign):  # name = validator("x", allow_reuse=True)(check)
            written = [n.func for n in s.walk(statement.value) if isinstance(n, s.Call)]
        for node in written:
            func = node.func if isinstance(node, s.Call) else node
            name = app.linker.external(func, cls.module, cls.outer)
            if name in _NEW and not isinstance(statement, s.Assign) | isinstance(func, s.Call):
                yield node, name
            elif name in _NEW:
                yield statement, name  # type: ignore[misc]


RULE = Rule(
    summary="a validator of Pydantic 1",
    severity="warning",
    mend="`@field_validator(\"name\")` on a classmethod, `mode=\"before\"` for `pre=True`;"
    " `@model_validator(mode=\"after\")` for a root validator. `bump-pydantic` knows the simple ones.",
    app=check,
    since={"pydantic": "2.0"},
    references=("https://docs.pydantic.dev/latest/migration/#changes-to-validators",),
)

CASES = ()
