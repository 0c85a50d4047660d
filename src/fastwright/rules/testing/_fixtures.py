"""Tests and fixtures, as pytest and unittest see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from fastwright.app.model import App
from fastwright.app.symbols import Function, Variable
from fastwright.read import syntax as s
from fastwright.read.module import Module

Role: TypeAlias = Literal["test", "fixture", "set-up", "helper"]

_SET_UP = frozenset(
    {"setUp", "asyncSetUp", "setup_method", "setup_function", "setup", "setUpClass",
     "setup_class", "setup_module", "setUpModule"}
)  # fmt: skip


def role(function: Function) -> Role:
    """Return what a function of a test module is for."""
    if fixture_call(function) is not None:
        return "fixture"
    if function.name in _SET_UP:
        return "set-up"
    return "test" if function.name.startswith("test") else "helper"


def fixture_call(function: Function) -> s.Expr | None:
    """Return the decorator that makes a fixture of a function."""
    for decorator in function.node.decorators:
        if s.last_name(decorator) in {"fixture", "async_fixture"}:
            return decorator
    return None


def is_automatic(function: Function) -> bool:
    """``@pytest.fixture(autouse=True)``."""
    found = fixture_call(function)
    given = found.keyword("autouse") if isinstance(found, s.Call) else None
    return isinstance(given, s.Constant) and given.value is True


def scope(function: Function) -> str:
    """Return the scope of a fixture: ``function`` where it says nothing."""
    found = fixture_call(function)
    given = found.keyword("scope") if isinstance(found, s.Call) else None
    return s.string(given) or ("function" if given is None else "unknown")


def conftests(app: App, module: Module) -> Iterator[Module]:
    """Yield the module itself, and the ``conftest.py`` files whose fixtures it has, nearest first."""
    yield module
    folder = module.path.rpartition("/")[0]
    while True:
        path = f"{folder}/conftest.py" if folder else "conftest.py"
        found = app.modules.get(path)
        if found is not None and found is not module:
            yield found
        if not folder:
            return
        folder = folder.rpartition("/")[0]


def fixture(app: App, name: str, module: Module) -> Function | None:
    """Return the fixture ``name`` as a test of ``module`` gets it."""
    for each in conftests(app, module):
        found = app.linker.member(each, name)
        if isinstance(found, Function) and fixture_call(found) is not None:
            return found
    return None


def of_application(app: App, node: s.Expr, function: Function) -> Variable | None:
    """Return the module-level name of the application's own code that an expression stands for.

    A parameter is the fixture of that name, and stands for what that returns.
    """
    found = app.linker.expression(node, function.module, function)
    if isinstance(found, Variable):
        return found if found.module.kind == "source" else None
    if isinstance(node, s.Name) and any(p.name == node.id for p in function.node.params):
        given = fixture(app, node.id, function.module)
        if given is not None and given.node is not function.node:
            return _returned(app, given)
    return None


def _returned(app: App, given: Function) -> Variable | None:
    for node in s.walk_scope(*given.node.body):
        value = node.value if isinstance(node, (s.Return, s.Yield)) else None
        if isinstance(value, (s.Name, s.Attribute)):
            return of_application(app, value, given)
    return None
