"""The catalogue, and who may change it."""

import pytest


def test_no_products(client):
    response = client.get("/api/products")
    assert response.status_code == 200
    assert response.json() == []


def test_create_product(client, staff):
    body = {"sku": "MUG-1", "name": "Mug", "price": 9.5, "stock": 12, "description": "Blue"}
    response = client.post("/api/products", json=body, headers=staff)
    assert response.status_code == 201
    product = response.json()
    assert isinstance(product.pop("id"), int)
    assert product == {**body, "featured": False, "category_id": None, "category": None}


def test_create_product_with_a_taken_sku(client, admin, make_product):
    make_product(sku="MUG-1")
    body = {"sku": "MUG-1", "name": "Mug", "price": 9.5}
    response = client.post("/api/products", json=body, headers=admin)
    assert response.status_code == 409
    assert response.json() == {"detail": "SKU MUG-1 exists"}


@pytest.mark.parametrize(
    "fields", [{"price": 0}, {"price": -1}, {"sku": "x"}, {"name": ""}, {"stock": -1}]
)
def test_create_product_refuses_bad_input(client, admin, fields):
    body = {"sku": "MUG-1", "name": "Mug", "price": 9.5, **fields}
    assert client.post("/api/products", json=body, headers=admin).status_code == 422


def test_only_staff_creates_products(client, customer):
    body = {"sku": "MUG-1", "name": "Mug", "price": 9.5}
    assert client.post("/api/products", json=body).status_code == 401
    response = client.post("/api/products", json=body, headers=customer)
    assert response.status_code == 403
    assert response.json() == {"detail": "Staff only"}


def test_everybody_lists_products(client, make_product):
    make_product(name="Mug")
    make_product(name="Plate")
    response = client.get("/api/products")
    assert response.status_code == 200
    assert sorted(product["name"] for product in response.json()) == ["Mug", "Plate"]


def test_prices_in_another_currency(client, make_product):
    make_product(price=10.0)
    (product,) = client.get("/api/products", params={"currency": "USD"}).json()
    assert product["price"] == 11.0


def test_products_show_their_category(client, admin, make_product):
    response = client.post("/api/admin/categories", json={"name": "Kitchen"}, headers=admin)
    assert response.status_code == 201
    category = response.json()
    assert category["name"] == "Kitchen"
    product = make_product(category_id=category["id"])
    assert product["category"] == category
    assert client.get("/api/products").json()[0]["category"] == category
    assert client.get(f"/api/products/{product['id']}").json()["category"] == category


def test_categories_are_for_administrators(client, staff):
    response = client.post("/api/admin/categories", json={"name": "Kitchen"}, headers=staff)
    assert response.status_code == 403


def test_read_product(client, make_product):
    product = make_product(name="Mug")
    response = client.get(f"/api/products/{product['id']}")
    assert response.status_code == 200
    assert response.json() == product


def test_read_unknown_product(client):
    response = client.get("/api/products/4711")
    assert response.status_code == 404
    assert response.json() == {"detail": "Product 4711 not found"}


def test_search_by_name_and_sku(client, make_product):
    make_product(sku="KIT-2", name="Plate")
    make_product(sku="KIT-1", name="Mug")
    make_product(sku="OFF-1", name="Pencil")
    response = client.get("/api/products/search", params={"q": "kit-"})
    assert response.status_code == 200
    assert [product["name"] for product in response.json()] == ["Mug", "Plate"]
    response = client.get("/api/products/search", params={"q": "PENC"})
    assert [product["sku"] for product in response.json()] == ["OFF-1"]


def test_search_limit(client, make_product):
    for _ in range(3):
        make_product()
    response = client.get("/api/products/search", params={"q": "Thing", "limit": 2})
    assert [product["name"] for product in response.json()] == ["Thing 1", "Thing 2"]


@pytest.mark.parametrize("params", [{}, {"q": "x"}, {"q": "mug", "limit": 101}])
def test_search_refuses_bad_input(client, params):
    assert client.get("/api/products/search", params=params).status_code == 422


def test_update_product(client, staff, make_product):
    product = make_product()
    body = {
        "name": "Large mug",
        "description": "Red",
        "price": 12.5,
        "stock": 7,
        "featured": True,
        "category_id": None,
    }
    response = client.patch(f"/api/products/{product['id']}", json=body, headers=staff)
    assert response.status_code == 200
    assert response.json() == {**product, **body}


def test_update_product_permissions(client, customer, make_product):
    path = f"/api/products/{make_product()['id']}"
    assert client.patch(path, json={"price": 1}).status_code == 401
    assert client.patch(path, json={"price": 1}, headers=customer).status_code == 403


def test_update_unknown_product(client, staff):
    response = client.patch("/api/products/4711", json={"price": 1}, headers=staff)
    assert response.status_code == 404
    assert response.json() == {"detail": "Product 4711 not found"}


def test_delete_product(client, admin, make_product):
    path = f"/api/products/{make_product()['id']}"
    response = client.delete(path, headers=admin)
    assert response.status_code == 204
    assert response.content == b""
    assert client.get(path).status_code == 404
    assert client.delete(path, headers=admin).status_code == 404


def test_best_sellers(client, customer, make_product, place_order):
    mug, plate, _ = make_product(name="Mug"), make_product(name="Plate"), make_product()
    place_order(customer, (mug, 1), (plate, 2))
    place_order(customer, (plate, 1))
    response = client.get("/api/products/best-sellers")
    assert response.status_code == 200
    assert [product["name"] for product in response.json()] == ["Plate", "Mug"]
    top = client.get("/api/products/best-sellers", params={"limit": 1}).json()
    assert [product["name"] for product in top] == ["Plate"]


def test_recently_viewed(client, customer, make_product):
    mug, plate = make_product(), make_product()
    for product in (mug, plate):
        response = client.post(f"/api/products/{product['id']}/seen", headers=customer)
        assert response.status_code == 204
    recent = client.get("/api/users/me/recent", headers=customer)
    assert recent.status_code == 200
    assert recent.json()[:2] == [plate["id"], mug["id"]]


def test_stock_feed(client, partner_token, make_product):
    product = make_product(sku="MUG-1", stock=1)
    headers = {"X-Partner-Token": partner_token}
    feed = {"MUG-1": 40, "NO-SUCH": 3}
    response = client.post("/api/products/stock-feed", json=feed, headers=headers)
    assert response.status_code == 200
    assert response.json() == {"unknown": ["NO-SUCH"]}
    assert client.get(f"/api/products/{product['id']}").json()["stock"] == 40


def test_stock_feed_is_for_partners(client):
    assert client.post("/api/products/stock-feed", json={}).status_code == 422
    headers = {"X-Partner-Token": "guessed"}
    response = client.post("/api/products/stock-feed", json={}, headers=headers)
    assert response.status_code == 403
    assert response.json() == {"detail": "Unknown partner"}
