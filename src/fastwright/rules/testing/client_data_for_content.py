"""A test sends bytes and text as `content=`, a form as `data=`, an object as `json=`.

Since Starlette 0.21 the test client is built on httpx. Its `data` is a form, a mapping that is encoded as one;
bytes and text there are deprecated and only sent as they are for the sake of old code, with a warning that
pytest counts and that `-W error` turns into a failure. `content=` is for them.

Reported are requests of a `TestClient` or an httpx client, in a fixture's name, a parameter or a variable
of that type, whose `data` is a literal of text or bytes, an f-string, or what `json.dumps` makes.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function
from fastwright.app.types import Instance
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.read import syntax as s
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule
from fastwright.rules.testing._fixtures import fixture, fixture_call

_CLIENTS = frozenset(
    {"starlette.testclient.TestClient", "fastapi.testclient.TestClient", "httpx.Client",
     "httpx.AsyncClient", "httpx2.Client", "httpx2.AsyncClient"}
)  # fmt: skip
_VERBS = frozenset({"post", "put", "patch", "delete", "request"})


def check(app: App) -> Iterator[Hit]:
    """Report requests that send text or bytes as a form."""
    for module in app.tests:
        for function in app.every_function(module, _VERBS):
            for site in app.calls.sites(function):
                func = site.node.func
                if not isinstance(func, s.Attribute) or func.attr not in _VERBS:
                    continue
                keyword = next((k for k in site.node.keywords if k.arg == "data"), None)
                if keyword is None or not _is_content(keyword.value):
                    continue
                if _is_client(app, function, func.value):
                    name = s.Name(keyword.start, keyword.start + len("data"), "data")
                    fix = Fix("safe", (replace(module, name, "content"),))
                    message = "text and bytes are no form: `data` of the test client is deprecated for them"
                    yield Hit(place(module, keyword), message, (), fix)


def _is_content(value: s.Expr) -> bool:
    if isinstance(value, s.Constant):
        return value.kind in {"str", "bytes"}
    if isinstance(value, s.Call):
        return s.dotted(value.func) in {"json.dumps", "orjson.dumps"} or (
            s.last_name(value.func) == "encode"
            and isinstance(value.func, s.Attribute)
            and _is_content(value.func.value)
        )
    return isinstance(value, s.JoinedStr)


def _is_client(app: App, function: Function, node: s.Expr) -> bool:
    """Whether an expression is a test client: by its type, or as the fixture of that name."""
    if _is_client_type(app, node, Where(function.module, function)):
        return True
    if not isinstance(node, s.Name) or not any(p.name == node.id for p in function.node.params):
        return False
    given = fixture(app, node.id, function.module)
    return given is not None and fixture_call(given) is not None and _gives_client(app, given)


def _gives_client(app: App, given: Function) -> bool:
    where = Where(given.module, given)
    return any(
        _is_client_type(app, node.value, where)
        for node in s.walk_scope(*given.node.body)
        if isinstance(node, (s.Return, s.Yield)) and node.value is not None
    )


def _is_client_type(app: App, node: s.Expr, where: Where) -> bool:
    found = app.types.of(node, where)
    return isinstance(found, Instance) and found.name in _CLIENTS


RULE = Rule(
    summary="text or bytes sent as a form by a test",
    severity="warning",
    mend="Write `content=` for text and bytes, `json=` for what is dumped as JSON.",
    app=check,
    since={"starlette": "0.21"},
    references=(
        "https://www.starlette.io/testclient/",
        "https://www.python-httpx.org/compatibility/#request-content",
    ),
)

CASES = (
    Case(
        "bytes, text and dumped JSON",
        {
            "shop/__init__.py": "",
            "shop/main.py": """
            from fastapi import FastAPI

            app = FastAPI()
            """,
            "tests/conftest.py": """
            import pytest
            from fastapi.testclient import TestClient
            from shop.main import app

            @pytest.fixture
            def client():
                with TestClient(app) as test_client:
                    yield test_client
            """,
            "tests/test_shop.py": """
            import json
            from fastapi.testclient import TestClient
            from shop.main import app

            def test_bytes(client) -> None:
                client.post("/", data=b"raw")  # <-
                client.put("/", data=json.dumps({"a": 1}), headers={})  # <-

            def test_text(text) -> None:
                own = TestClient(app)
                own.request("POST", "/", data=f"{text}")  # <-
            """,
        },
        after={
            "tests/test_shop.py": """
            import json
            from fastapi.testclient import TestClient
            from shop.main import app

            def test_bytes(client) -> None:
                client.post("/", content=b"raw")
                client.put("/", content=json.dumps({"a": 1}), headers={})

            def test_text(text) -> None:
                own = TestClient(app)
                own.request("POST", "/", content=f"{text}")
            """,
        },
    ),
    Case(
        "a form, content, and other clients",
        {
            "shop/__init__.py": "",
            "shop/main.py": """
            from fastapi import FastAPI

            app = FastAPI()
            """,
            "tests/test_shop.py": """
            import requests
            from fastapi.testclient import TestClient
            from shop.main import app

            def test_form(other) -> None:
                client = TestClient(app)
                client.post("/", data={"user": "ada"})
                client.post("/", content=b"raw")
                requests.post("http://localhost", data="raw")
                other.post("/", data="raw")
            """,
        },
    ),
)
