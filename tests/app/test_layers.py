"""What decides the layer of a module: its contents, then its name, then who calls it."""

from __future__ import annotations

import textwrap

import pytest

from fastwright.app.layers import Contents, Layer, layer_of
from fastwright.app.memory import app_from
from fastwright.app.model import App

MODELS = """
from sqlmodel import Field, SQLModel

class Order(SQLModel, table=True):
    id: int = Field(primary_key=True)
"""


def app(files: dict[str, str]) -> App:
    return app_from({path: textwrap.dedent(text) for path, text in files.items()})


def layer(files: dict[str, str], path: str) -> Layer:
    return app(files).layers[path]


@pytest.mark.parametrize(
    ("path", "contents", "expected"),
    [
        ("app/services/orders.py", Contents(), "service"),
        ("app/orders/service.py", Contents(), "service"),
        ("app/use_cases/place_order.py", Contents(), "service"),
        ("app/orchestration/ingestion_workflow.py", Contents(web=True), "service"),
        ("app/background_workers.py", Contents(), "other"),
        ("app/order_repository.py", Contents(), "repository"),
        ("app/crud/orders.py", Contents(), "repository"),
        ("app/domain/order.py", Contents(), "domain"),
        ("app/clients/stripe.py", Contents(), "adapter"),
        ("app/routers/helpers.py", Contents(web=True), "router"),
        ("app/routers/helpers.py", Contents(), "other"),
        ("app/services/utils.py", Contents(), "other"),
        ("app/retry_config.py", Contents(), "other"),
        ("app/use_cases/responses/upsert.py", Contents(), "service"),
        ("app/schemas/orders.py", Contents(schemas=3), "schema"),
        ("app/models/orders.py", Contents(executing=4), "repository"),
        ("app/models/orders.py", Contents(tables=1, executing=1), "model"),
        ("app/models/orders.py", Contents(tables=1, executing=5), "repository"),
        ("app/services/orders.py", Contents(endpoints=2), "router"),
        ("app/services/auth.py", Contents(dependencies=2, functions=3), "dependency"),
        ("app/services/orders.py", Contents(dependencies=1, functions=9), "service"),
        ("app/main.py", Contents(endpoints=1, served=40), "setup"),
        ("main.py", Contents(endpoints=5, served=5), "router"),
        ("app/errors.py", Contents(hooks=3, functions=3), "setup"),
        ("app/config.py", Contents(settings=1), "settings"),
        ("app/access.py", Contents(uses="app/models.py"), "service"),
        ("app/store.py", Contents(executing=1), "repository"),
        ("app/text.py", Contents(), "other"),
    ],
)
def test_contents_decide_then_names(path: str, contents: Contents, expected: str) -> None:
    assert layer_of(path, "source", contents).name == expected


@pytest.mark.parametrize("kind", ["test", "migration", "vendored"])
def test_the_kind_of_a_file_comes_first(kind: str) -> None:
    assert layer_of("app/routers/x.py", kind, Contents(endpoints=3)).name == kind


def test_a_flat_application_is_a_router() -> None:
    files = {
        "main.py": """
        from fastapi import FastAPI
        app = FastAPI()

        @app.get("/")
        def home(): ...
        """
    }
    found = layer(files, "main.py")
    assert (found.name, found.by) == ("router", "contents")
    assert found.reason == "declares 1 endpoint"


def test_a_class_based_controller_is_a_router() -> None:
    files = {
        "app/things.py": """
        from fastapi import APIRouter, FastAPI

        class ThingController:
            def __init__(self) -> None:
                self.router = APIRouter()
                self.router.add_api_route("/things", self.all, methods=["GET"])

            def all(self): ...

        app = FastAPI()
        app.include_router(ThingController().router)
        """
    }
    assert layer(files, "app/things.py").name == "router"


def test_domain_packages() -> None:
    files = {
        "app/main.py": """
        from fastapi import FastAPI
        from app.orders.router import router
        app = FastAPI()
        app.include_router(router)
        app.include_router(router, prefix="/v2")
        """,
        "app/orders/router.py": """
        from fastapi import APIRouter
        from app.orders.service import place
        router = APIRouter()

        @router.post("/orders")
        def create():
            return place()
        """,
        "app/orders/service.py": "def place(): ...",
        "app/orders/models.py": MODELS,
        "app/orders/schemas.py": """
        from pydantic import BaseModel

        class OrderIn(BaseModel):
            id: int
        """,
    }
    found = {path: known.name for path, known in app(files).layers.items()}
    assert found == {
        "app/main.py": "setup",
        "app/orders/router.py": "router",
        "app/orders/service.py": "service",
        "app/orders/models.py": "model",
        "app/orders/schemas.py": "schema",
    }


def test_a_dependency_module_is_what_its_functions_are() -> None:
    files = {
        "app/auth.py": """
        from fastapi import Header

        def current_user(authorization: str = Header()) -> str:
            return authorization
        """,
        "app/main.py": """
        from fastapi import Depends, FastAPI
        from app.auth import current_user
        app = FastAPI()

        @app.get("/me")
        def me(user: str = Depends(current_user)): ...
        """,
    }
    found = layer(files, "app/auth.py")
    assert (found.name, found.certain) == ("dependency", True)


def test_use_is_a_guess() -> None:
    files = {
        "app/models.py": MODELS,
        "app/main.py": """
        from fastapi import FastAPI
        from app.access import may
        app = FastAPI()

        @app.get("/")
        def home():
            return may()
        """,
        "app/access.py": """
        from app.store import load

        def may():
            return load()
        """,
        "app/store.py": """
        from sqlmodel import Session
        from app.models import Order

        def load():
            session = Session()
            return session.get(Order, 1)
        """,
    }
    layers = app(files).layers
    assert (layers["app/store.py"].name, layers["app/store.py"].guessed) == ("repository", True)
    assert (layers["app/access.py"].name, layers["app/access.py"].guessed) == ("service", True)


def test_what_nothing_reaches_and_nothing_names() -> None:
    found = layer({"app/thing.py": "def f(): ..."}, "app/thing.py")
    assert (found.name, found.by) == ("other", "nothing")


def test_the_configuration_decides() -> None:
    plain = app({"app/things/a.py": "def f(): ...", "app/thingsome.py": ""})
    declared = App(
        plain.modules, plain.index, plain.versions, declared_layers={"service": ("app/things/*",)}
    )
    assert declared.layers["app/things/a.py"].name == "service"
    assert declared.layers["app/things/a.py"].by == "config"
    assert declared.layers["app/thingsome.py"].name == "other"
