import hashlib
import hmac
import json

import pytest
from fastapi.testclient import TestClient

from tests.conftest import ADMIN, WEBHOOK_SECRET, order

Who = dict[str, str]


def pay(client: TestClient, number: int, kind: str = "paid", secret: str = WEBHOOK_SECRET):
    body = json.dumps({"order_id": number, "type": kind}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return client.post("/webhooks/payment", content=body, headers={"X-Signature": signature})


def coupon(client: TestClient, **data: object) -> None:
    body = {"code": "SPRING", "percent": 10, **data}
    assert client.post("/coupons", json=body, headers=ADMIN).status_code == 201


def test_ordered(client: TestClient, ada: Who, mug: str, poster: str) -> None:
    answer = order(client, ada, ("mug", 2), ("poster", 1))
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["Location"] == f"/orders/{body['id']}"
    assert body == {
        "id": body["id"],
        "status": "open",
        "shipping": "0.00",
        "discount": "0.00",
        "total": "55.00",
        "coupon": None,
        "lines": [
            {"sku": "mug", "name": "Mug", "quantity": 2, "unit_price": "12.50"},
            {"sku": "poster", "name": "Poster", "quantity": 1, "unit_price": "30.00"},
        ],
    }
    stock = {product["sku"]: product["stock"] for product in client.get("/products").json()}
    assert stock == {"mug": 8, "poster": 2}


def test_small_orders_pay_for_shipping(client: TestClient, ada: Who, mug: str) -> None:
    body = order(client, ada, ("mug", 1)).json()
    assert (body["shipping"], body["total"]) == ("4.90", "17.40")


def test_ordered_by_nobody(client: TestClient, mug: str) -> None:
    assert order(client, {}, ("mug", 1)).status_code == 401


@pytest.mark.parametrize(
    ("lines", "status", "detail"),
    [
        ([], 422, "An order has at least one line"),
        ([("pen", 1)], 404, "No product pen"),
        ([("mug", 0)], 422, "Between 1 and 20 of each, please"),
        ([("mug", 21)], 422, "Between 1 and 20 of each, please"),
        ([("mug", 11)], 409, "Only 10 of Mug left"),
        ([("mug", 1), ("poster", 4)], 409, "Only 3 of Poster left"),
    ],
)
def test_refused(
    client: TestClient,
    ada: Who,
    mug: str,
    poster: str,
    lines: list[tuple[str, int]],
    status: int,
    detail: str,
) -> None:
    answer = order(client, ada, *lines)
    assert answer.status_code == status
    assert answer.json() == {"detail": detail}
    stock = {product["sku"]: product["stock"] for product in client.get("/products").json()}
    assert stock == {"mug": 10, "poster": 3}
    assert client.get("/orders", headers=ada).json() == []


def test_coupon(client: TestClient, ada: Who, poster: str) -> None:
    coupon(client, minimum="20")
    body = order(client, ada, ("poster", 2), coupon="SPRING").json()
    assert (body["discount"], body["total"], body["coupon"]) == ("6.00", "54.00", "SPRING")
    again = order(client, ada, ("poster", 1), coupon="SPRING")
    assert again.status_code == 400
    assert again.json() == {"detail": "This coupon is not valid"}


def test_coupon_for_larger_orders(client: TestClient, ada: Who, mug: str) -> None:
    coupon(client, minimum="20")
    answer = order(client, ada, ("mug", 1), coupon="SPRING")
    assert answer.status_code == 400
    assert answer.json() == {"detail": "This coupon is for orders from 20.00"}
    assert client.get("/coupons/SPRING").status_code == 200


def test_unknown_coupon(client: TestClient, ada: Who, mug: str) -> None:
    answer = order(client, ada, ("mug", 1), coupon="NONE")
    assert answer.status_code == 400


def test_listed(client: TestClient, ada: Who, bob: Who, mug: str) -> None:
    first = order(client, ada, ("mug", 1)).json()
    second = order(client, ada, ("mug", 2)).json()
    order(client, bob, ("mug", 3))
    answer = client.get("/orders", headers=ada)
    assert answer.status_code == 200
    assert answer.json() == [first, second]


def test_one(client: TestClient, ada: Who, bob: Who, mug: str) -> None:
    made = order(client, ada, ("mug", 1)).json()
    assert client.get(f"/orders/{made['id']}", headers=ada).json() == made
    answer = client.get(f"/orders/{made['id']}", headers=bob)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "No such order"}
    assert client.get("/orders/99", headers=ada).status_code == 404


def test_cancelled(client: TestClient, ada: Who, mug: str, poster: str) -> None:
    made = order(client, ada, ("mug", 2), ("poster", 1)).json()
    answer = client.post(f"/orders/{made['id']}/cancel", headers=ada)
    assert answer.status_code == 200
    assert answer.json() == {**made, "status": "cancelled"}
    stock = {product["sku"]: product["stock"] for product in client.get("/products").json()}
    assert stock == {"mug": 10, "poster": 3}


def test_cancelled_twice(client: TestClient, ada: Who, mug: str) -> None:
    made = order(client, ada, ("mug", 2)).json()
    client.post(f"/orders/{made['id']}/cancel", headers=ada)
    answer = client.post(f"/orders/{made['id']}/cancel", headers=ada)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "An order that is cancelled stays"}


def test_cancelled_by_another(client: TestClient, ada: Who, bob: Who, mug: str) -> None:
    made = order(client, ada, ("mug", 2)).json()
    assert client.post(f"/orders/{made['id']}/cancel", headers=bob).status_code == 404


def test_paid_and_shipped(client: TestClient, ada: Who, mug: str) -> None:
    number = order(client, ada, ("mug", 2)).json()["id"]
    answer = pay(client, number)
    assert answer.status_code == 200
    assert answer.json() == {"received": True}
    assert client.get(f"/orders/{number}", headers=ada).json()["status"] == "paid"
    assert client.post(f"/orders/{number}/ship").status_code == 403
    answer = client.post(f"/orders/{number}/ship", headers=ADMIN)
    assert answer.status_code == 200
    assert answer.json() == {"id": number, "status": "shipped"}
    assert client.post(f"/orders/{number}/cancel", headers=ada).status_code == 409


def test_shipped_before_paid(client: TestClient, ada: Who, mug: str) -> None:
    number = order(client, ada, ("mug", 2)).json()["id"]
    answer = client.post(f"/orders/{number}/ship", headers=ADMIN)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "Only what is paid is shipped"}
    assert client.post("/orders/99/ship", headers=ADMIN).status_code == 404


def test_webhook_with_a_wrong_signature(client: TestClient, ada: Who, mug: str) -> None:
    number = order(client, ada, ("mug", 2)).json()["id"]
    answer = pay(client, number, secret="other")
    assert answer.status_code == 400
    assert answer.json() == {"detail": "Wrong signature"}
    assert client.get(f"/orders/{number}", headers=ada).json()["status"] == "open"


def test_webhook_about_something_else(client: TestClient, ada: Who, mug: str) -> None:
    number = order(client, ada, ("mug", 2)).json()["id"]
    assert pay(client, number, "refused").json() == {"received": True}
    assert client.get(f"/orders/{number}", headers=ada).json()["status"] == "open"
    assert pay(client, 99).status_code == 404


def test_webhook_without_order(client: TestClient) -> None:
    body = b"{}"
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Signature": signature}
    answer = client.post("/webhooks/payment", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json() == {"detail": "order_id is missing"}


def test_invoice(client: TestClient, ada: Who, bob: Who, mug: str) -> None:
    number = order(client, ada, ("mug", 2)).json()["id"]
    answer = client.get(f"/orders/{number}/invoice", headers=ada)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == (
        f"Invoice {number}\n2 x Mug: 25.00\nShipping: 4.90\nTotal: 29.90 (VAT 4.77)"
    )
    assert client.get(f"/orders/{number}/invoice", headers=bob).status_code == 404


def test_coupons(client: TestClient) -> None:
    coupon(client)
    coupon(client, code="AUTUMN", percent=5)
    assert client.get("/coupons").status_code == 403
    answer = client.get("/coupons", headers=ADMIN)
    assert [one["code"] for one in answer.json()] == ["AUTUMN", "SPRING"]
    answer = client.get("/coupons/SPRING")
    assert answer.json() == {"code": "SPRING", "percent": 10, "minimum": 0.0}
    assert client.get("/coupons/NONE").json() == {"detail": "This coupon is not valid"}


def test_coupons_refused(client: TestClient) -> None:
    coupon(client)
    body = {"code": "SPRING", "percent": 10}
    assert client.post("/coupons", json=body, headers=ADMIN).status_code == 409
    body = {"code": "ALL", "percent": 100}
    answer = client.post("/coupons", json=body, headers=ADMIN)
    assert answer.status_code == 422
    assert answer.json() == {"detail": "Between 1 and 90 percent"}
