"""The API from outside, on a database in memory."""

import os
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlmodel import SQLModel

os.environ["NOTES_JWT_KEY"] = "only for the tests, and long enough"
os.environ["NOTES_MAX_UPLOAD_BYTES"] = "100"
os.environ["NOTES_DATABASE_URL"] = "sqlite+aiosqlite:///:memory:"

from notes.main import create_app  # noqa: E402

PASSWORD = "a long password"


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = create_app()
    with TestClient(app) as client:
        assert client.portal is not None
        client.portal.call(_create_tables, app)
        yield client


async def _create_tables(app) -> None:
    async with app.state.engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)


def login(client: TestClient, email: str) -> dict[str, str]:
    client.post("/v1/accounts", json={"email": email, "password": PASSWORD})
    form = {"username": email, "password": PASSWORD}
    token = client.post("/v1/accounts/token", data=form).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def test_notes_from_beginning_to_end(client: TestClient) -> None:
    ada = login(client, "ada@example.com")
    made = client.post("/v1/notes", json={"title": " First "}, headers=ada)
    assert made.status_code == 201
    assert made.json()["title"] == "First"
    path = f"/v1/notes/{made.json()['id']}"
    changed = client.patch(path, json={"body": "text"}, headers=ada).json()
    assert (changed["title"], changed["body"]) == ("First", "text")
    listed = client.get("/v1/notes", headers=ada).json()
    assert listed["total"] == 1
    assert client.delete(path, headers=ada).status_code == 204
    assert client.get(path, headers=ada).json() == {"detail": "Note not found"}


def test_notes_are_for_their_owners(client: TestClient) -> None:
    ada, bob = login(client, "ada@example.com"), login(client, "bob@example.com")
    note = client.post("/v1/notes", json={"title": "Mine"}, headers=ada).json()
    for method in ("GET", "DELETE"):
        assert client.request(method, f"/v1/notes/{note['id']}", headers=bob).status_code == 404
    assert client.get("/v1/notes").status_code == 401


def test_uploads_are_bounded(client: TestClient) -> None:
    ada = login(client, "ada@example.com")
    note = client.post("/v1/notes", json={"title": "Files"}, headers=ada).json()
    path = f"/v1/notes/{note['id']}/attachments"
    assert client.post(path, files={"file": b"x" * 100}, headers=ada).status_code == 201
    assert client.post(path, files={"file": b"x" * 101}, headers=ada).status_code == 413


def test_an_address_is_taken_once(client: TestClient) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD}
    assert client.post("/v1/accounts", json=body).status_code == 201
    assert client.post("/v1/accounts", json=body).status_code == 409


def test_a_wrong_password_and_an_unknown_user_are_the_same(client: TestClient) -> None:
    login(client, "ada@example.com")
    answers = [
        client.post("/v1/accounts/token", data={"username": name, "password": "wrong"})
        for name in ("ada@example.com", "nobody@example.com")
    ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (401, {"detail": "Not authenticated"})
    ] * 2
