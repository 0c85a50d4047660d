from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.conftest import ADMIN, add_product


def test_health(client: TestClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}
    assert float(answer.headers["X-Time"]) >= 0


def test_created(client: TestClient) -> None:
    data = {"sku": "pin", "name": "Pin", "price": "2.00", "stock": 7}
    answer = client.post("/products", json=data, headers=ADMIN)
    assert answer.status_code == 201
    body = answer.json()
    assert body["sku"] == "pin"
    assert body["price"] == "2.00"
    assert body["stock"] == 7
    assert body["active"] is True


def test_created_by_staff_only(client: TestClient) -> None:
    data = {"sku": "pin", "name": "Pin", "price": "2.00"}
    answer = client.post("/products", json=data)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "Staff only"}


def test_created_once(client: TestClient, mug: str) -> None:
    data = {"sku": mug, "name": "Other", "price": "2.00"}
    answer = client.post("/products", json=data, headers=ADMIN)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "There is a product mug already"}


@pytest.mark.parametrize("price", ["0", "-1"])
def test_a_price_is_more_than_nothing(client: TestClient, price: str) -> None:
    data = {"sku": "pin", "name": "Pin", "price": price}
    answer = client.post("/products", json=data, headers=ADMIN)
    assert answer.status_code == 422
    assert answer.json() == {"detail": "A price is more than nothing"}


def test_not_a_product(client: TestClient) -> None:
    answer = client.post("/products", json={"sku": "pin"}, headers=ADMIN)
    assert answer.status_code == 422
    assert {error["loc"][-1] for error in answer.json()["detail"]} == {"name", "price"}


def test_listed(client: TestClient, mug: str, poster: str) -> None:
    answer = client.get("/products")
    assert answer.status_code == 200
    assert [product["sku"] for product in answer.json()] == ["mug", "poster"]


def test_listed_by_name(client: TestClient, mug: str, poster: str) -> None:
    answer = client.get("/products", params={"q": "ost"})
    assert [product["sku"] for product in answer.json()] == ["poster"]


def test_listed_in_stock(client: TestClient, mug: str) -> None:
    add_product(client, "gone", "Gone", "1.00", 0)
    answer = client.get("/products", params={"in_stock": "true"})
    assert [product["sku"] for product in answer.json()] == ["mug"]


def test_one(client: TestClient, mug: str) -> None:
    answer = client.get("/products/mug")
    assert answer.status_code == 200
    assert answer.json() == {
        "sku": "mug",
        "name": "Mug",
        "description": "",
        "price": 12.5,
        "available": True,
        "reviews": 0,
        "stars": None,
    }


def test_none(client: TestClient) -> None:
    answer = client.get("/products/pen")
    assert answer.status_code == 404
    assert answer.json() == {"detail": "No product pen"}


def test_changed(client: TestClient, mug: str) -> None:
    answer = client.patch("/products/mug", json={"price": "13.00"}, headers=ADMIN)
    assert answer.status_code == 200
    assert answer.json()["price"] == "13.00"
    assert answer.json()["stock"] == 10


def test_changed_to_nothing(client: TestClient, mug: str) -> None:
    answer = client.patch("/products/mug", json={"price": "0"}, headers=ADMIN)
    assert answer.status_code == 422
    assert client.get("/products/mug").json()["price"] == 12.5


def test_changed_where_there_is_none(client: TestClient) -> None:
    answer = client.patch("/products/pen", json={"price": "1"}, headers=ADMIN)
    assert answer.status_code == 404


def test_retired(client: TestClient, mug: str) -> None:
    answer = client.delete("/products/mug", headers=ADMIN)
    assert answer.status_code == 204
    assert answer.content == b""
    assert client.get("/products/mug").status_code == 404
    assert client.get("/products").json() == []


def test_picture(client: TestClient, mug: str) -> None:
    files = {"file": ("blue.png", b"png", "image/png")}
    answer = client.put("/products/mug/picture", files=files, headers=ADMIN)
    assert answer.status_code == 200
    assert answer.json() == {"picture": "mug-blue.png", "size": 3}
    assert client.get("/products").json()[0]["picture"] == "mug-blue.png"


def test_picture_of_another_kind(client: TestClient, mug: str) -> None:
    files = {"file": ("blue.svg", b"<svg>", "image/svg+xml")}
    answer = client.put("/products/mug/picture", files=files, headers=ADMIN)
    assert answer.status_code == 415
    assert answer.json() == {"detail": "PNG or JPEG, please"}


def test_picture_written(client: TestClient, mug: str) -> None:
    files = {"file": ("red.jpg", b"jpeg!", "image/jpeg")}
    client.put("/products/mug/picture", files=files, headers=ADMIN)
    import os

    assert (Path(os.environ["KIOSK_PICTURES"]) / "mug-red.jpg").read_bytes() == b"jpeg!"
