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

FOLDER = tempfile.TemporaryDirectory(prefix="tracker-tests-", ignore_cleanup_errors=True)
DATABASE = Path(FOLDER.name) / "tracker.db"

os.environ.update(
    TRACKER_DATABASE_URL=f"sqlite:///{DATABASE}",
    TRACKER_WEBHOOK="",
    TRACKER_HASH_ITERATIONS="10",
    TRACKER_FILES=str(Path(FOLDER.name) / "files"),
)

from tracker.main import app  # noqa: E402

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
def user(client: TestClient) -> Callable[[str], Headers]:
    """Makes a user and gives the headers for it; the first one is an admin."""

    def make(name: str) -> Headers:
        data = {"name": name, "email": f"{name}@example.org", "password": "secret"}
        assert client.post("/users", json=data).status_code == 201
        login = client.post("/login", json={"name": name, "password": "secret"})
        return {"X-Token": login.json()["token"]}

    return make


@pytest.fixture
def root(user: Callable[[str], Headers]) -> Headers:
    return user("root")


@pytest.fixture
def ada(root: Headers, user: Callable[[str], Headers]) -> Headers:
    return user("ada")


@pytest.fixture
def bob(root: Headers, user: Callable[[str], Headers]) -> Headers:
    return user("bob")


@pytest.fixture
def project(client: TestClient, root: Headers, ada: Headers) -> str:
    """A project with Ada as a developer."""
    data = {"key": "SAW", "name": "The saw"}
    assert client.post("/projects", json=data, headers=root).status_code == 201
    member = client.put("/projects/SAW/members", json={"user": "ada"}, headers=root)
    assert member.status_code == 200
    return "SAW"


@pytest.fixture
def issue(client: TestClient, project: str, ada: Headers) -> str:
    answer = client.post("/projects/SAW/issues", json={"title": "It is blunt"}, headers=ada)
    assert answer.status_code == 201
    return "SAW-1"
