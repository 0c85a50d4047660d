"""What administrators and staff see."""

import pytest


def test_recent_orders_newest_first(
    client, admin, customer, other_customer, make_product, place_order
):
    product = make_product()
    orders = [place_order(headers, (product, 1)) for headers in (customer, other_customer)]
    response = client.get("/api/admin/orders", headers=admin)
    assert response.status_code == 200
    assert response.json() == orders[::-1]
    limited = client.get("/api/admin/orders", params={"limit": 1}, headers=admin)
    assert limited.json() == orders[:0:-1]


def test_customers_with_what_they_spent(
    client, admin, customer, other_customer, make_product, place_order
):
    product = make_product(price=60.0)
    place_order(customer, (product, 1))
    place_order(customer, (product, 2))
    cancelled = place_order(customer, (product, 1))
    client.post(f"/api/orders/{cancelled['id']}/cancel", headers=customer)
    response = client.get("/api/admin/customers", headers=admin)
    assert response.status_code == 200
    assert response.json() == [
        {"email": "ada@example.com", "orders": 3, "spent": 180.0, "points": 18},
        {"email": "bob@example.com", "orders": 0, "spent": 0.0, "points": 0},
    ]


def test_refund(client, admin, customer, staff, make_product, place_order):
    product = make_product(stock=10)
    order = place_order(customer, (product, 2))
    client.post(f"/api/orders/{order['id']}/ship", headers=staff)
    response = client.post(f"/api/admin/orders/{order['id']}/refund", headers=admin)
    assert response.status_code == 200
    assert response.json() == {**order, "status": "refunded"}
    assert client.get(f"/api/products/{product['id']}").json()["stock"] == 10


def test_cancel_stale_orders(client, admin, customer, make_product, place_order):
    order = place_order(customer, (make_product(), 1))
    path = "/api/admin/orders/cancel-stale"
    assert client.post(path, headers=admin).json() == {"cancelled": 0}
    assert client.post(path, params={"days": -1}, headers=admin).json() == {"cancelled": 1}
    cancelled = client.get(f"/api/orders/{order['id']}", headers=customer).json()
    assert cancelled["status"] == "cancelled"


def test_stats(client, admin, customer, make_product, place_order):
    place_order(customer, (make_product(), 1), (make_product(), 1))
    response = client.get("/api/admin/stats", headers=admin)
    assert response.status_code == 200
    assert response.json() == {"products": 2, "orders": 1}


def test_newsletter_goes_to_subscribers(client, admin, customer, other_customer):
    client.patch("/api/users/me", json={"newsletter": True}, headers=customer)
    body = {"subject": "Spring", "body": "Mugs are here"}
    response = client.post("/api/admin/newsletter", json=body, headers=admin)
    assert response.status_code == 200
    assert response.json() == {"sent": 1}
    (mail,) = client.get("/api/admin/outbox", headers=admin).json()
    assert (mail["recipient"], mail["subject"]) == ("ada@example.com", "Spring")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/admin/stats"),
        ("GET", "/api/admin/orders"),
        ("GET", "/api/admin/outbox"),
        ("POST", "/api/admin/categories"),
        ("POST", "/api/admin/newsletter"),
        ("POST", "/api/admin/orders/1/refund"),
        ("POST", "/api/admin/orders/cancel-stale"),
        ("PUT", "/api/admin/users/1/role"),
        ("DELETE", "/api/admin/users/1"),
    ],
)
def test_the_back_office_is_for_administrators(client, staff, method, path):
    assert client.request(method, path).status_code == 401
    response = client.request(method, path, headers=staff)
    assert response.status_code == 403
    assert response.json() == {"detail": "Administrators only"}


def test_sales_by_currency(client, customer, staff, make_product, place_order):
    product = make_product(price=60.0)
    for currency in ("EUR", "EUR", "USD"):
        order = place_order(customer, (product, 1), currency=currency)
        client.post(f"/api/orders/{order['id']}/ship", headers=staff)
    place_order(customer, (product, 1))  # not shipped
    response = client.get("/api/tenants/1/reports/sales", headers=staff)
    assert response.status_code == 200
    assert response.json() == [
        {"currency": "EUR", "orders": 2, "total": 120.0, "total_base": 120.0},
        {"currency": "USD", "orders": 1, "total": 66.0, "total_base": 60.0},
    ]


def test_sales_of_another_status_or_tenant(client, customer, staff, make_product, place_order):
    place_order(customer, (make_product(price=60.0), 1))
    path = "/api/tenants/{}/reports/sales"
    sales = client.get(path.format(1), params={"status": "new"}, headers=staff)
    assert [row["orders"] for row in sales.json()] == [1]
    assert client.get(path.format(1), headers=staff).json() == []
    assert client.get(path.format(2), params={"status": "new"}, headers=staff).json() == []


def test_low_stock(client, staff, make_product):
    make_product(sku="MUG-1", stock=2)
    make_product(sku="MUG-2", stock=20)
    path = "/api/tenants/1/reports/low-stock"
    assert client.get(path, headers=staff).json() == [{"sku": "MUG-1", "stock": 2}]
    skus = [row["sku"] for row in client.get(path, params={"threshold": 20}, headers=staff).json()]
    assert sorted(skus) == ["MUG-1", "MUG-2"]


def test_export(client, customer, staff, make_product, place_order):
    order = place_order(customer, (make_product(price=60.0), 1))
    response = client.get("/api/tenants/1/reports/export", headers=staff)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text == f"id;status;currency;total\n{order['id']};new;EUR;60.00\n"


@pytest.mark.parametrize("report", ["sales", "low-stock", "export"])
def test_reports_are_for_staff(client, customer, report):
    path = f"/api/tenants/1/reports/{report}"
    assert client.get(path).status_code == 401
    assert client.get(path, headers=customer).status_code == 403


def test_the_seeded_administrator(client, admin, admin_email):
    me = client.get("/api/users/me", headers=admin).json()
    assert (me["email"], me["role"]) == (admin_email, "admin")
