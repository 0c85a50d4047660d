"""The tests talk HTTP to the application and know nothing of what is inside.

They run on a database file of their own, without any network: no mail host, no rates service,
no warehouse. Before each test every table is emptied, and the start-up seeds the administrator.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

# Removed when the interpreter ends
FOLDER = tempfile.TemporaryDirectory(prefix="shop-tests-", ignore_cleanup_errors=True)
DATABASE = Path(FOLDER.name) / "shop.db"
ADMIN = ("admin@shop.test", "correct horse battery")
PARTNER_TOKEN = "partner-token-of-the-tests"

os.environ.update(
    SHOP_DATABASE_URL=f"sqlite:///{DATABASE}",
    SHOP_REPORT_DATABASE_URL="",
    SHOP_RATES_URL="",
    SHOP_WAREHOUSE_URL="",
    SHOP_SMTP_HOST="",
    SHOP_BCRYPT_ROUNDS="4",
    SHOP_ADMIN_EMAIL=ADMIN[0],
    SHOP_ADMIN_PASSWORD=ADMIN[1],
    SHOP_PARTNER_TOKEN=PARTNER_TOKEN,
)

from shop.main import app  # noqa: E402

Headers = dict[str, str]


def empty_tables() -> None:
    with closing(sqlite3.connect(DATABASE)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f'DELETE FROM "{table}"')
        connection.commit()


@pytest.fixture
def client() -> Iterator[TestClient]:
    empty_tables()
    with TestClient(app) as test_client:
        yield test_client


@pytest.fixture
def admin_email() -> str:
    return ADMIN[0]


@pytest.fixture
def partner_token() -> str:
    return PARTNER_TOKEN


@pytest.fixture
def login(client: TestClient) -> Callable[[str, str], Headers]:
    def log_in(email: str, password: str) -> Headers:
        response = client.post("/api/auth/token", data={"username": email, "password": password})
        assert response.status_code == 200, response.text
        return {"Authorization": f"Bearer {response.json()['access_token']}"}

    return log_in


@pytest.fixture
def register(client: TestClient, login: Callable[[str, str], Headers]) -> Callable[..., Headers]:
    def register_user(email: str, **fields: object) -> Headers:
        body = {"email": email, "password": "a long password", "full_name": "Ada", **fields}
        response = client.post("/api/auth/register", json=body)
        assert response.status_code == 201, response.text
        return login(email, str(body["password"]))

    return register_user


@pytest.fixture
def admin(login: Callable[[str, str], Headers]) -> Headers:
    return login(*ADMIN)


@pytest.fixture
def customer(register: Callable[..., Headers]) -> Headers:
    return register("ada@example.com", full_name="Ada Lovelace")


@pytest.fixture
def other_customer(register: Callable[..., Headers]) -> Headers:
    return register("bob@example.com", full_name="Bob")


@pytest.fixture
def staff(client: TestClient, admin: Headers, register: Callable[..., Headers]) -> Headers:
    headers = register("sam@shop.test", full_name="Sam")
    user_id = client.get("/api/users/me", headers=headers).json()["id"]
    response = client.put(
        f"/api/admin/users/{user_id}/role", params={"role": "staff"}, headers=admin
    )
    assert response.status_code == 200, response.text
    return headers


@pytest.fixture
def make_product(client: TestClient, admin: Headers) -> Callable[..., dict]:
    numbers = count(1)

    def create(**fields: object) -> dict:
        number = next(numbers)
        body = {"sku": f"SKU-{number}", "name": f"Thing {number}", "price": 10.0, "stock": 100}
        response = client.post("/api/products", json={**body, **fields}, headers=admin)
        assert response.status_code == 201, response.text
        return response.json()

    return create


@pytest.fixture
def place_order(client: TestClient) -> Callable[..., dict]:
    def place(headers: Headers, *lines: tuple[dict, int], **fields: object) -> dict:
        items = [{"product_id": product["id"], "quantity": pieces} for product, pieces in lines]
        body = {"items": items, "note": None, **fields}
        response = client.post("/api/orders", json=body, headers=headers)
        assert response.is_success, response.text
        return response.json()

    return place
