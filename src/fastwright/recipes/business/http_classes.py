"""Subclasses of `HTTPException` that the project defines: which can become errors of the application themselves."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.model import App
from fastwright.app.raises import HTTP_EXCEPTION, Raised, status_code
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.business.catching import Way, looks
from fastwright.recipes.business.http_errors import Answer, answer_of
from fastwright.recipes.business.named import named


class OwnClass(msgspec.Struct, frozen=True, eq=False):
    """A class whose base becomes one without HTTP, and which answer it stands for."""

    cls: Class
    call: s.Call
    """``super().__init__(404, "No such order")``."""
    answer: Answer
    raises: tuple[Raised, ...]
    """All of them, those of endpoints included."""


def own_class(app: App, cls: Class, way: Way) -> OwnClass | str:
    """Return what a subclass of `HTTPException` becomes, or why it stays: all of it is written out."""
    call = _call(app, cls)
    if call is None:
        return f"{cls.name} is more than a status and a detail"
    init = cls.own_methods["__init__"]
    where = Where(init.module, init)
    answer = answer_of(
        app, call, status_code(call.argument(0, "status_code"), app.types, where), where
    )
    if isinstance(answer, str):
        return answer
    raises = tuple(
        raised
        for step in app.reached
        for raised in app.raises.of(step.function)
        if isinstance(raised.cls, Class) and raised.cls.node is cls.node
    )
    for module, node in _others(app, cls, raises):
        return f"{module.path}:{module.line(node)} uses {cls.name} for more than to raise it"
    stops = (way.stop(raised) for raised in raises)
    return next((stop for stop in stops if stop), OwnClass(cls, call, answer, raises))


def _call(app: App, cls: Class) -> s.Call | None:
    """Return ``super().__init__(...)``, where it is all that the class has."""
    body = _without_text(cls.node.body)
    init = cls.own_methods.get("__init__")
    bases = [base for base, _ in app.linker.bases(cls)]
    plain = not cls.node.keywords and not cls.node.decorators and cls.outer is None
    if not plain or init is None or len(body) != 1 or len(cls.node.bases) != 1 or not bases:
        return None
    inner = _without_text(init.node.body)
    only = inner[0] if len(inner) == 1 else None
    call = only.value if isinstance(only, s.ExprStmt) else None
    if (
        isinstance(bases[0], Class)
        or bases[0].name != HTTP_EXCEPTION
        or not isinstance(call, s.Call)
    ):
        return None
    func = call.func
    above = func.value if isinstance(func, s.Attribute) and func.attr == "__init__" else None
    is_super = isinstance(above, s.Call) and s.last_name(above.func) == "super" and not above.args
    return call if is_super else None


def _without_text(body: list[s.Stmt]) -> list[s.Stmt]:
    return [
        node
        for node in body
        if not (isinstance(node, s.ExprStmt) and s.string(node.value) is not None)
    ]


def _others(app: App, cls: Class, raises: tuple[Raised, ...]) -> Iterator[tuple[Module, s.Node]]:
    """Yield where a class is used, other than to be raised for a request, or caught without a look at it."""
    known = {id(raised.node) for raised in raises}
    for module in (*app.sources, *app.tests):
        fine: set[int] = set()
        for node in module.walk() if cls.name.encode() in module.source else ():
            if isinstance(node, s.Raise) and id(node) in known:
                fine.add(id(node.exc.func if isinstance(node.exc, s.Call) else node.exc))
            elif isinstance(node, s.ExceptHandler) and node.type is not None and not looks(node):
                fine.update(id(each) for each in s.walk(node.type))
        for node in named(module, cls.name):
            if id(node) not in fine:
                yield module, node
