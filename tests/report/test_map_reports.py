"""The map of a small application in every format."""

import json
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

from fastwright.app.map import MapDocument, Touch, document, walk_route
from fastwright.app.memory import app_from
from fastwright.app.model import App
from fastwright.project.errors import SelectionError
from fastwright.report import map_json, map_mermaid, map_text
from fastwright.report.schemas import schema
from fastwright.report.styled import plain
from fastwright.review.locate import find_routes, find_table

FILES = {
    "shop/main.py": """\
from fastapi import FastAPI
from shop.orders import router

app = FastAPI()
app.include_router(router, prefix="/api")
""",
    "shop/orders.py": """\
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlmodel import Session

from shop.models import Order

router = APIRouter(tags=["orders"])


def get_session():
    with Session() as session:
        yield session


@router.post("/orders", status_code=201)
def create_order(data: Order, session: Annotated[Session, Depends(get_session)]) -> Order:
    return save(data, session)


def save(data: Order, session: Session) -> Order:
    session.add(data)
    session.commit()
    return data


@router.get("/orders/{order_id}")
def read_order(order_id: int, session: Annotated[Session, Depends(get_session)]) -> Order:
    return session.get(Order, order_id)
""",
    "shop/models.py": """\
from sqlmodel import Field, SQLModel


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    owner_id: int = Field(foreign_key="user.id", index=True)
""",
}


@pytest.fixture(scope="module")
def app() -> App:
    return app_from(FILES)


@pytest.fixture(scope="module")
def whole(app: App) -> MapDocument:
    return document(app)


def touches(app: App, label: str) -> list[Touch]:
    return [touch for route in find_routes(app, label) for touch in walk_route(app, route)]


def test_json_fits_the_schema(whole: MapDocument) -> None:
    given = json.loads(map_json.whole(whole))
    Draft202012Validator(schema("map")).validate(given)
    first = given["routes"][0]
    assert first["methods"] == ["POST"]
    assert first["path"] == "/api/orders"
    assert first["endpoint"] == "shop.orders:create_order"
    assert (first["file"], first["line"]) == ("shop/orders.py", 17)
    assert first["status_code"] == 201
    assert first["tags"] == ["orders"]


def test_text(whole: MapDocument) -> None:
    text = plain(map_text.whole(whole))
    assert text.startswith("2 routes (0 with authentication), 1 table, 1 application.\n")
    assert "POST    /api/orders             shop/orders.py:17 create_order\n" in text
    assert "needs get_session; answers Order; tables order" in text
    assert "\nLayers\n" in text
    assert "  order  shop/models.py:4  2 columns, used by 2 routes\n" in text


def test_text_of_one_route(app: App) -> None:
    assert (
        plain(map_text.route(touches(app, "POST /api/orders")))
        == """\
POST /api/orders  shop/orders.py:16
  -> get_session  (dependency)  shop/orders.py:11
  -> create_order  (endpoint)  shop/orders.py:17
    -> save  shop/orders.py:21
      -> add order  (write)  shop/orders.py:22
      -> commit database  (commit)  shop/orders.py:23
"""
    )


def test_text_of_one_table(whole: MapDocument) -> None:
    text = plain(map_text.table(find_table(whole, "Order")))
    assert "  owner_id  int" in text
    assert "-> user.id, index" in text
    assert "Touched in 2 places\n" in text
    assert "  write  save  shop/orders.py:22\n      POST /api/orders\n" in text


def test_mermaid(app: App, whole: MapDocument) -> None:
    charts = (
        map_mermaid.whole(whole),
        map_mermaid.route(touches(app, "POST /api/orders")),
        map_mermaid.table(find_table(whole, "order")),
    )
    for chart in charts:
        head, *rows = chart.splitlines()
        assert head == "flowchart LR"
        assert len(rows) == len(set(rows))
        assert any("-->" in row for row in rows)
    assert '    n2[("order")]\n' in charts[0]


def test_mermaid_escapes() -> None:
    (touch,) = [Touch(0, "call", 'f.<locals>."x"#', "a.py", 1)]
    assert '["f.#lt;locals#gt;.#quot;x#quot;#35;<br/>a.py:1"]' in map_mermaid.route([touch])


def test_one_route_and_one_table_as_json(app: App, whole: MapDocument) -> None:
    tree = json.loads(map_json.route(touches(app, "/api/orders/{order_id}")))
    assert tree["touches"][0]["label"] == "GET /api/orders/{order_id}"
    assert json.loads(map_json.table(find_table(whole, "order")))["table"]["name"] == "order"


def test_names_that_are_none(app: App, whole: MapDocument) -> None:
    def message(find: Callable[[], object]) -> str:
        with pytest.raises(SelectionError) as error:
            find()
        return error.value.message

    assert "Did you mean 'POST /api/orders'?" in message(
        lambda: find_routes(app, "POST /api/order")
    )
    assert "Did you mean 'order'?" in message(lambda: find_table(whole, "orders"))
    assert find_routes(app, "post /orders")[0].path == "/api/orders"
    assert "no one route ''" in message(lambda: find_routes(app, ""))


def test_no_application() -> None:
    empty = document(app_from({"a.py": "x = 1\n"}))
    assert plain(map_text.whole(empty)) == "No FastAPI application here.\n"
    assert map_mermaid.whole(empty) == "flowchart LR\n"
