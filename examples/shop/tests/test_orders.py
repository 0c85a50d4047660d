"""From the basket to the warehouse, and back."""

import pytest


def stock(client, product):
    return client.get(f"/api/products/{product['id']}").json()["stock"]


def test_place_order(client, customer, make_product, place_order):
    mug, plate = make_product(sku="MUG-1", price=10.0), make_product(price=7.5)
    order = place_order(customer, (mug, 2), (plate, 1), note="Ring twice")
    assert order["status"] == "new"
    assert order["currency"] == "EUR"
    assert order["note"] == "Ring twice"
    assert order["total"] == 32.4  # 27.50 and shipping
    assert order["customer"]["email"] == "ada@example.com"
    first, second = order["items"]
    assert first == {
        "quantity": 2,
        "unit_price": 10.0,
        "product": {"id": mug["id"], "sku": "MUG-1", "name": mug["name"]},
    }
    assert second["product"]["id"] == plate["id"]
    assert stock(client, mug) == 98
    assert stock(client, plate) == 99


def test_shipping_is_free_from_fifty(customer, make_product, place_order):
    assert place_order(customer, (make_product(price=50.0), 1))["total"] == 50.0


def test_lines_of_one_product_are_merged(customer, make_product, place_order):
    product = make_product()
    order = place_order(customer, (product, 1), (product, 2))
    assert [item["quantity"] for item in order["items"]] == [3]


def test_bulk_price(customer, make_product, place_order):
    order = place_order(customer, (make_product(price=10.0), 10))
    assert order["items"][0]["unit_price"] == 9.5
    assert order["total"] == 95.0


def test_coupon(customer, make_product, place_order):
    order = place_order(customer, (make_product(price=100.0), 1), coupon="WELCOME10")
    assert order["total"] == 90.0


def test_invalid_coupon(client, customer, make_product):
    product = make_product()
    items = [{"product_id": product["id"], "quantity": 1}]
    body = {"items": items, "coupon": "FREE", "note": None}
    response = client.post("/api/orders", json=body, headers=customer)
    assert response.status_code == 400
    assert response.json() == {"detail": "Coupon FREE is not valid"}
    assert stock(client, product) == 100
    assert client.get("/api/orders", headers=customer).json() == []


def test_order_in_another_currency(customer, make_product, place_order):
    order = place_order(customer, (make_product(price=20.0), 1), currency="usd")
    assert order["currency"] == "USD"
    assert order["items"][0]["unit_price"] == 22.0
    assert order["total"] == 27.39


def test_out_of_stock(client, customer, make_product):
    product = make_product(sku="MUG-1", stock=2)
    items = [{"product_id": product["id"], "quantity": 3}]
    response = client.post("/api/orders", json={"items": items, "note": None}, headers=customer)
    assert response.status_code == 409
    assert response.json() == {"detail": "Only 2 of MUG-1 left", "available": 2}
    assert stock(client, product) == 2
    assert client.get("/api/orders", headers=customer).json() == []


def test_order_of_an_unknown_product(client, customer):
    body = {"items": [{"product_id": 4711, "quantity": 1}], "note": None}
    response = client.post("/api/orders", json=body, headers=customer)
    assert response.status_code == 404
    assert response.json() == {"detail": "Product 4711 not found"}


@pytest.mark.parametrize(
    "items",
    [[], [{"product_id": 1, "quantity": 0}], [{"product_id": 1, "quantity": 1001}], [{}]],
)
def test_order_refuses_bad_input(client, customer, items):
    body = {"items": items, "note": None}
    assert client.post("/api/orders", json=body, headers=customer).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/orders"),
        ("GET", "/api/orders"),
        ("GET", "/api/orders/1"),
        ("POST", "/api/orders/1/cancel"),
        ("POST", "/api/orders/1/ship"),
    ],
)
def test_orders_need_a_login(client, method, path):
    response = client.request(method, path)
    assert response.status_code == 401
    assert response.json() == {"detail": "Not authenticated"}


def test_order_is_confirmed_by_mail(client, admin, customer, make_product, place_order):
    order = place_order(customer, (make_product(name="Mug"), 2))
    params = {"recipient": "ada@example.com"}
    (mail,) = client.get("/api/admin/outbox", params=params, headers=admin).json()
    assert mail["subject"] == f"Your order {order['id']}"
    assert mail["body"] == "Hello Ada Lovelace,\n\n2 x Mug"


def test_low_stock_is_reported_by_mail(client, admin, customer, make_product, place_order):
    order = place_order(customer, (make_product(sku="MUG-1", stock=5), 2), (make_product(), 1))
    params = {"recipient": "merchandising@shop.example"}
    (mail,) = client.get("/api/admin/outbox", params=params, headers=admin).json()
    assert mail["subject"] == "[stock] MUG-1 is running out"
    assert mail["body"] == f"3 left after order {order['id']}"


def test_list_own_orders(client, customer, other_customer, make_product, place_order):
    product = make_product()
    order = place_order(customer, (product, 2), (make_product(), 1))
    place_order(other_customer, (product, 1))
    response = client.get("/api/orders", headers=customer)
    assert response.status_code == 200
    assert response.json() == [
        {
            "id": order["id"],
            "status": "new",
            "currency": "EUR",
            "total": order["total"],
            "pieces": 3,
        }
    ]


def test_list_orders_by_page(client, customer, make_product, place_order):
    product = make_product()
    for _ in range(3):
        place_order(customer, (product, 1))

    def page(**params):
        return client.get("/api/orders", params=params, headers=customer).json()

    assert len(page()) == 3
    assert len(page(limit=2)) == 2
    assert len(page(limit=2, offset=2)) == 1
    assert page(offset=3) == []


def test_read_own_order(client, customer, make_product, place_order):
    order = place_order(customer, (make_product(), 1))
    response = client.get(f"/api/orders/{order['id']}", headers=customer)
    assert response.status_code == 200
    assert response.json() == order


def test_read_unknown_order(client, customer):
    response = client.get("/api/orders/4711", headers=customer)
    assert response.status_code == 404
    assert response.json() == {"detail": "Order not found"}


def test_cancel_order(client, customer, make_product, place_order):
    product = make_product(stock=10)
    order = place_order(customer, (product, 4))
    response = client.post(f"/api/orders/{order['id']}/cancel", headers=customer)
    assert response.status_code == 200
    assert response.json() == {**order, "status": "cancelled"}
    assert stock(client, product) == 10


def test_cancel_order_twice(client, customer, make_product, place_order):
    order = place_order(customer, (make_product(), 1))
    client.post(f"/api/orders/{order['id']}/cancel", headers=customer)
    response = client.post(f"/api/orders/{order['id']}/cancel", headers=customer)
    assert response.status_code == 409
    assert response.json() == {"detail": "Order is cancelled"}


def test_cancel_somebody_elses_order(client, customer, other_customer, make_product, place_order):
    order = place_order(customer, (make_product(), 1))
    response = client.post(f"/api/orders/{order['id']}/cancel", headers=other_customer)
    assert response.status_code == 403
    assert response.json() == {"detail": "Not your order"}


def test_staff_cancels_for_a_customer(client, customer, staff, make_product, place_order):
    order = place_order(customer, (make_product(), 1))
    response = client.post(f"/api/orders/{order['id']}/cancel", headers=staff)
    assert response.status_code == 200


def test_ship_order(client, admin, customer, staff, make_product, place_order):
    order = place_order(customer, (make_product(), 1))
    response = client.post(f"/api/orders/{order['id']}/ship", headers=staff)
    assert response.status_code == 200
    assert response.json() == {**order, "status": "shipped"}
    params = {"recipient": "ada@example.com"}
    mails = client.get("/api/admin/outbox", params=params, headers=admin).json()
    assert mails[0]["subject"] == f"Order {order['id']} is on its way"


def test_customers_do_not_ship(client, customer, make_product, place_order):
    order = place_order(customer, (make_product(), 1))
    response = client.post(f"/api/orders/{order['id']}/ship", headers=customer)
    assert response.status_code == 403
    assert response.json() == {"detail": "Staff only"}


def test_cancelled_orders_are_not_shipped(client, customer, staff, make_product, place_order):
    order = place_order(customer, (make_product(), 1))
    client.post(f"/api/orders/{order['id']}/cancel", headers=customer)
    response = client.post(f"/api/orders/{order['id']}/ship", headers=staff)
    assert response.status_code == 409
    assert response.json() == {"detail": "Order is cancelled"}


def test_shipped_orders_are_not_cancelled(client, customer, staff, make_product, place_order):
    order = place_order(customer, (make_product(), 1))
    client.post(f"/api/orders/{order['id']}/ship", headers=staff)
    response = client.post(f"/api/orders/{order['id']}/cancel", headers=customer)
    assert response.status_code == 409
    assert response.json() == {"detail": "Order is shipped"}
