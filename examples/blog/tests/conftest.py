"""The tests talk HTTP to the application and know nothing of what is inside.

They run on a database file of their own; every table is emptied before each test.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

FOLDER = tempfile.TemporaryDirectory(prefix="blog-tests-", ignore_cleanup_errors=True)
DATABASE = Path(FOLDER.name) / "blog.db"

os.environ.update(
    BLOG_DATABASE_URL=f"sqlite+aiosqlite:///{DATABASE}",
    BLOG_PREVIEW_URL="",
    BLOG_SMTP_HOST="",
    BLOG_HASH_ITERATIONS="10",
    BLOG_SITE="https://blog.test",
)

from blog.main import app  # noqa: E402

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
def account(client: TestClient) -> Callable[[str], Headers]:
    """Makes an account, logs in, and gives the headers for it; the first one is an editor."""

    def make(handle: str) -> Headers:
        data = {
            "handle": handle,
            "name": handle.title(),
            "email": f"{handle}@example.org",
            "password": "correct horse",
        }
        answer = client.post("/authors", json=data)
        assert answer.status_code == 201, answer.text
        login = client.post("/login", json={"handle": handle, "password": "correct horse"})
        return {"Authorization": f"Bearer {login.json()['token']}"}

    return make


@pytest.fixture
def editor(account: Callable[[str], Headers]) -> Headers:
    return account("edith")


@pytest.fixture
def ada(editor: Headers, account: Callable[[str], Headers]) -> Headers:
    return account("ada")


@pytest.fixture
def bob(editor: Headers, account: Callable[[str], Headers]) -> Headers:
    return account("bob")


@pytest.fixture
def post(client: TestClient, ada: Headers) -> str:
    """A published post of Ada's."""
    data = {"title": "Across the Alps", "body": "On foot.", "tags": ["walks", "alps"]}
    assert client.post("/posts", json=data, headers=ada).status_code == 201
    assert client.post("/posts/across-the-alps/publish", headers=ada).status_code == 200
    return "across-the-alps"
