"""The tests talk HTTP to the application and know nothing of what is inside.

They run on a database file of their own; every table is emptied before each test.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

FOLDER = tempfile.TemporaryDirectory(prefix="kiosk-tests-", ignore_cleanup_errors=True)
DATABASE = Path(FOLDER.name) / "kiosk.db"
ADMIN = {"X-Admin-Token": "staff-of-the-tests"}
WEBHOOK_SECRET = "webhook-of-the-tests"

os.environ.update(
    KIOSK_DATABASE_URL=f"sqlite:///{DATABASE}",
    KIOSK_SMTP_HOST="",
    KIOSK_ADMIN_TOKEN=ADMIN["X-Admin-Token"],
    KIOSK_WEBHOOK_SECRET=WEBHOOK_SECRET,
    KIOSK_PICTURES=str(Path(FOLDER.name) / "pictures"),
)

from kiosk.main import app  # noqa: E402


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
def mug(client: TestClient) -> str:
    return add_product(client, "mug", "Mug", "12.50", 10)


@pytest.fixture
def poster(client: TestClient) -> str:
    return add_product(client, "poster", "Poster", "30.00", 3)


@pytest.fixture
def ada(client: TestClient) -> dict[str, str]:
    return sign_in(client, "ada@example.com", "Ada")


@pytest.fixture
def bob(client: TestClient) -> dict[str, str]:
    return sign_in(client, "bob@example.com", "Bob")


def add_product(client: TestClient, sku: str, name: str, price: str, stock: int) -> str:
    data = {"sku": sku, "name": name, "price": price, "stock": stock, "purchase_price": "1.00"}
    answer = client.post("/products", json=data, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    return sku


def sign_in(client: TestClient, email: str, name: str) -> dict[str, str]:
    data = {"email": email, "name": name, "password": "correct horse"}
    assert client.post("/signup", json=data).status_code == 201
    token = client.post("/login", json={"email": email, "password": "correct horse"}).json()
    return {"Authorization": f"Bearer {token['token']}"}


def order(
    client: TestClient, who: dict[str, str], *lines: tuple[str, int], coupon: str | None = None
):
    data = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines]}
    if coupon:
        data["coupon"] = coupon
    return client.post("/orders", json=data, headers=who)
