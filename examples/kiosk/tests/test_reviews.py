from fastapi.testclient import TestClient

from tests.conftest import ADMIN, add_product, order

Who = dict[str, str]


def test_reviewed(client: TestClient, ada: Who, bob: Who, mug: str) -> None:
    order(client, ada, ("mug", 1))
    order(client, bob, ("mug", 1))
    data = {"stars": 4, "text": "Nice"}
    answer = client.post("/products/mug/reviews", json=data, headers=ada)
    assert answer.status_code == 201
    assert answer.json()["stars"] == 4
    client.post("/products/mug/reviews", json={"stars": 5}, headers=bob)
    answer = client.get("/products/mug/reviews")
    assert answer.json() == [
        {"stars": 4, "text": "Nice", "by": "Ada"},
        {"stars": 5, "text": "", "by": "Bob"},
    ]
    product = client.get("/products/mug").json()
    assert (product["reviews"], product["stars"]) == (2, 4.5)


def test_only_who_bought_it(client: TestClient, ada: Who, mug: str) -> None:
    answer = client.post("/products/mug/reviews", json={"stars": 4}, headers=ada)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "Only who bought it can review it"}


def test_one_to_five(client: TestClient, ada: Who, mug: str) -> None:
    for stars in (0, 6):
        answer = client.post("/products/mug/reviews", json={"stars": stars}, headers=ada)
        assert answer.status_code == 422
        assert answer.json() == {"detail": "One to five stars"}


def test_of_nothing(client: TestClient, ada: Who) -> None:
    assert client.get("/products/pen/reviews").status_code == 404
    answer = client.post("/products/pen/reviews", json={"stars": 4}, headers=ada)
    assert answer.status_code == 404


def test_deleted(client: TestClient, ada: Who, mug: str) -> None:
    order(client, ada, ("mug", 1))
    number = client.post("/products/mug/reviews", json={"stars": 4}, headers=ada).json()["id"]
    assert client.delete(f"/products/mug/reviews/{number}").status_code == 403
    assert client.delete(f"/products/mug/reviews/{number}", headers=ADMIN).status_code == 204
    answer = client.delete(f"/products/mug/reviews/{number}", headers=ADMIN)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "No such review"}


def test_sales(client: TestClient, ada: Who, mug: str, poster: str) -> None:
    order(client, ada, ("mug", 2))
    order(client, ada, ("poster", 1), ("mug", 1))
    gone = order(client, ada, ("poster", 1)).json()["id"]
    client.post(f"/orders/{gone}/cancel", headers=ada)
    assert client.get("/reports/sales").status_code == 403
    answer = client.get("/reports/sales", headers=ADMIN)
    assert answer.json() == {
        "orders": 3,
        "turnover": 77.3,
        "best": [{"name": "Mug", "quantity": 3}, {"name": "Poster", "quantity": 1}],
    }
    assert client.get("/reports/sales", params={"days": 0}, headers=ADMIN).status_code == 422


def test_stock(client: TestClient, mug: str, poster: str) -> None:
    add_product(client, "gone", "Gone", "1.00", 0)
    answer = client.get("/reports/stock", headers=ADMIN)
    assert answer.json() == {
        "products": 3,
        "low": [{"sku": "gone", "stock": 0}, {"sku": "poster", "stock": 3}],
    }
    answer = client.get("/reports/stock", params={"below": 1}, headers=ADMIN)
    assert answer.json()["low"] == [{"sku": "gone", "stock": 0}]
