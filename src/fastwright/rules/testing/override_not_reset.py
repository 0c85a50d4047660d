"""A test that overrides a dependency of the application takes the override back.

`app.dependency_overrides` belongs to the application object, which all tests share. What one test puts there
stays for every test that runs after it: with another user, without authentication, on a database that is
gone. Such a suite passes or fails with the order of its tests.

Reported for tests, set-up methods and fixtures that put an override on the application of the project and
after which nothing takes it back: neither they themselves, nor a fixture, teardown or helper of their file or
of its `conftest.py` files. Left alone: overrides for the whole session, those that an automatic fixture of
a `conftest.py` sets again for each test, those at module level, and applications that are made for one test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.edit import source as at
from fastwright.edit.builders import add_parameter, insert
from fastwright.edit.fix import Edit, Fix
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, name_place, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule
from fastwright.rules.testing._fixtures import conftests, is_automatic, of_application, role, scope

_NAME = "dependency_overrides"
_MONKEYPATCH = "monkeypatch"
_RESETTING = frozenset({"clear", "pop", "popitem"})


class _Override(NamedTuple):
    """An assignment to ``app.dependency_overrides``."""

    target: s.Expr
    application: s.Expr
    key: str


def check(app: App) -> Iterator[Hit]:
    """Report overrides that tests leave behind."""
    modules = [module for module in app.tests if _NAME in module.header.marks]
    resets = {module.path: list(_resetting(app, module)) for module in modules}
    if any(is_automatic(function) for each in resets.values() for function in each):
        return
    for module in modules:
        near = {each.path for each in conftests(app, module)}
        if any(role(f) != "test" for path in near for f in resets.get(path, ())):
            continue
        undone = {id(function.node) for function in resets[module.path]}
        for function in app.every_function(module):
            if function.outer is None and id(function.node) not in undone:
                yield from _left_behind(app, function)


def _resetting(app: App, module: Module) -> Iterator[Function]:
    for function in app.every_function(module):
        nodes = list(s.walk(*function.node.body))
        if any(_is_reset(node) for node in nodes) or _puts_back(nodes):
            yield function


def _puts_back(nodes: list[s.Node]) -> bool:
    """Whether something is assigned after a ``yield``: what was there before."""
    yields = [node.end for node in nodes if isinstance(node, s.Yield)]
    return any(
        isinstance(target, s.Subscript) and _is_overrides(target.value) and target.start > end
        for node in nodes
        if isinstance(node, s.Assign)
        for target in node.targets
        for end in yields
    )


def _is_reset(node: s.Node) -> bool:
    if isinstance(node, s.Call):
        on = node.func.value if isinstance(node.func, s.Attribute) else None
        if _is_overrides(on):
            return s.last_name(node.func) in _RESETTING
        return any(
            _is_overrides(given) or s.string(given) == _NAME
            for given in (*node.args, *(keyword.value for keyword in node.keywords))
        )
    if isinstance(node, s.Delete):
        return any(isinstance(t, s.Subscript) and _is_overrides(t.value) for t in node.targets)
    return isinstance(node, s.Assign) and any(_is_overrides(target) for target in node.targets)


def _is_overrides(node: s.Node | None) -> bool:
    return isinstance(node, s.Attribute) and node.attr == _NAME


def _left_behind(app: App, function: Function) -> Iterator[Hit]:
    what = role(function)
    if what == "helper" or scope(function) not in {"function", "class", "module"}:
        return
    if is_automatic(function) and function.module.path.endswith("conftest.py"):
        return
    for override in _overrides(function):
        variable = of_application(app, override.application, function)
        if variable is None or _is_local(function, override.application):
            continue
        message = (
            f"{function.name} overrides {override.key} on {variable.name} and does not take it back:"
            " every later test gets it"
        )
        chain = (
            Evidence(name_place(function), what),
            evidence(function.module, override.target, "stays after it"),
        )
        yield Hit(place(function.module, override.target), message, chain, _fix(function))
        return


def _fix(function: Function) -> Fix | None:
    """Return the fix that leaves taking the overrides back to pytest's ``monkeypatch``."""
    node, module = function.node, function.module
    if scope(function) != "function" or role(function) == "set-up" or _is_of_unittest(function):
        return None
    if any(each.default is not None or each.kind != "plain" for each in node.params):
        return None
    edits = []
    for statement in s.walk_scope(*node.body):
        if not isinstance(statement, s.Assign) or not any(map(_is_override, statement.targets)):
            continue
        target = statement.targets[0]
        if len(statement.targets) != 1 or not isinstance(target, s.Subscript):
            return None
        if _MONKEYPATCH in {name.id for name in s.walk(statement) if isinstance(name, s.Name)}:
            return None
        on, key = at.text(module, target.value), at.text(module, target.slice)
        edits.append(Edit(module.path, statement.start, statement.value.start,
                          f"{_MONKEYPATCH}.setitem({on}, {key}, "))  # fmt: skip
        edits.append(insert(module, statement.end, ")"))
    edits += _asking(module, node)
    return Fix("safe", tuple(edits)) if len(edits) > 1 else None


def _asking(module: Module, node: s.FunctionDef) -> list[Edit]:
    """Return the edit that asks pytest for ``monkeypatch``, where a function does not yet."""
    if any(each.name == _MONKEYPATCH for each in node.params):
        return []
    typed = any(each.annotation is not None for each in node.params) or node.returns is not None
    pytest = bring(module, "pytest", "MonkeyPatch") if typed else None
    if pytest is None or pytest.imports:
        added = add_parameter(module, node, _MONKEYPATCH)
    else:
        added = add_parameter(module, node, f"{_MONKEYPATCH}: {pytest.name}")
    return [added] if added is not None else []


def _is_override(node: s.Expr) -> bool:
    return isinstance(node, s.Subscript) and _is_overrides(node.value)


def _is_of_unittest(function: Function) -> bool:
    """Whether pytest hands no fixtures to a function: a method of a ``TestCase``."""
    return function.owner is not None and bool(function.owner.node.bases)


def _overrides(function: Function) -> Iterator[_Override]:
    for node in s.walk(*function.node.body):
        for target in node.targets if isinstance(node, s.Assign) else ():
            if isinstance(target, s.Subscript) and isinstance(target.value, s.Attribute):
                if target.value.attr == _NAME:
                    key = s.dotted(target.slice) or "a dependency"
                    yield _Override(target, target.value.value, key)


def _is_local(function: Function, node: s.Expr) -> bool:
    """Whether the function, or one in it, makes the application itself."""
    name = (s.dotted(node) or "").partition(".")[0]
    return any(
        isinstance(target, s.Name) and target.id == name
        for inner in s.walk(*function.node.body)
        if isinstance(inner, s.Assign)
        for target in inner.targets
    )


RULE = Rule(
    summary="a dependency override that stays after the test",
    severity="warning",
    mend="Set it in a fixture that yields, and take it back after the `yield`:"
    " `app.dependency_overrides.clear()`, or `.pop(get_session)`.",
    app=check,
    references=("https://fastapi.tiangolo.com/advanced/testing-dependencies/",),
)

_MAIN = """
from fastapi import Depends, FastAPI

app = FastAPI()

def get_user() -> str:
    return "me"

@app.get("/me")
def me(user: str = Depends(get_user)) -> str:
    return user
"""

CASES = (
    Case(
        "a test, and a fixture",
        {
            "main.py": _MAIN,
            "tests/test_me.py": """
            import pytest
            from fastapi.testclient import TestClient
            from main import app, get_user

            client = TestClient(app)

            def test_me():
                app.dependency_overrides[get_user] = lambda: "you"  # <-
                assert client.get("/me").json() == "you"

            @pytest.fixture
            def admin():
                app.dependency_overrides[get_user] = lambda: "admin"  # <-
                yield client

            @pytest.fixture(scope="module")
            def owner():
                app.dependency_overrides[get_user] = lambda: "owner"  # <-
                yield client
            """,
        },
        after={
            "tests/test_me.py": """
            import pytest
            from fastapi.testclient import TestClient
            from main import app, get_user

            client = TestClient(app)

            def test_me(monkeypatch):
                monkeypatch.setitem(app.dependency_overrides, get_user, lambda: "you")
                assert client.get("/me").json() == "you"

            @pytest.fixture
            def admin(monkeypatch):
                monkeypatch.setitem(app.dependency_overrides, get_user, lambda: "admin")
                yield client

            @pytest.fixture(scope="module")
            def owner():
                app.dependency_overrides[get_user] = lambda: "owner"
                yield client
            """,
        },
    ),
    Case(
        "the application comes from a fixture",
        {
            "main.py": _MAIN,
            "tests/conftest.py": """
            import pytest
            from main import app as application

            @pytest.fixture
            def app():
                yield application
            """,
            "tests/test_me.py": """
            from main import get_user

            def test_me(app):
                app.dependency_overrides[get_user] = lambda: "you"  # <-
            """,
        },
    ),
    Case(
        "taken back: after the yield, in finally, by a fixture, by monkeypatch",
        {
            "main.py": _MAIN,
            "tests/a/test_me.py": """
            import pytest
            from main import app, get_user

            @pytest.fixture
            def admin():
                app.dependency_overrides[get_user] = lambda: "admin"
                yield
                app.dependency_overrides.clear()
            """,
            "tests/b/test_me.py": """
            from main import app, get_user

            def test_me():
                app.dependency_overrides[get_user] = lambda: "you"
                try:
                    assert app
                finally:
                    del app.dependency_overrides[get_user]
            """,
            "tests/c/conftest.py": """
            import pytest
            from main import app

            @pytest.fixture
            def client():
                yield app
                app.dependency_overrides = {}
            """,
            "tests/c/test_me.py": """
            from main import app, get_user

            def test_me(client):
                app.dependency_overrides[get_user] = lambda: "you"
            """,
            "tests/e/test_me.py": """
            import pytest
            from main import app, get_user

            @pytest.fixture
            def admin():
                app.dependency_overrides[get_user] = lambda: "admin"
                yield
                app.dependency_overrides[get_user] = get_user
            """,
            "tests/d/test_me.py": """
            from main import app, get_user

            def test_me(monkeypatch):
                monkeypatch.setitem(app.dependency_overrides, get_user, lambda: "you")
            """,
        },
    ),
    Case(
        "for the whole session, for each test again, an application of its own",
        {
            "main.py": _MAIN + "\ndef create() -> FastAPI:\n    return FastAPI()\n",
            "tests/conftest.py": """
            import pytest
            from main import app, get_user

            @pytest.fixture(autouse=True)
            def user():
                app.dependency_overrides[get_user] = lambda: "you"

            @pytest.fixture(scope="session")
            def client():
                app.dependency_overrides[get_user] = lambda: "you"
                yield app
            """,
            "tests/test_me.py": """
            from main import create, get_user

            def test_me():
                app = create()
                app.dependency_overrides[get_user] = lambda: "you"
            """,
        },
    ),
)
