import pytest
from fastapi.testclient import TestClient

Headers = dict[str, str]
ADA = {"name": "ada", "email": "Ada@example.org", "password": "secret"}


def test_ping(client: TestClient) -> None:
    assert client.get("/ping").json() == "pong"


def test_created(client: TestClient) -> None:
    answer = client.post("/users", json=ADA)
    assert answer.status_code == 201
    assert answer.json() == {"id": answer.json()["id"], "name": "ada", "admin": True}
    second = client.post("/users", json={**ADA, "name": "bob"}).json()
    assert second["admin"] is False


def test_created_twice(client: TestClient) -> None:
    client.post("/users", json=ADA)
    answer = client.post("/users", json=ADA)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "name taken"}


def test_no_address(client: TestClient) -> None:
    answer = client.post("/users", json={**ADA, "email": "ada"})
    assert answer.status_code == 422
    error = answer.json()["detail"][0]
    assert error["loc"] == ["body", "email"]
    assert error["msg"] == "Value error, that is no address"


@pytest.mark.parametrize("name", ["ab", "x" * 81])
def test_names_have_a_length(client: TestClient, name: str) -> None:
    answer = client.post("/users", json={**ADA, "name": name})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "name"]


def test_login(client: TestClient) -> None:
    client.post("/users", json=ADA)
    answer = client.post("/login", json={"name": "ada", "password": "secret"})
    assert set(answer.json()) == {"token"}
    for name, password in (("ada", "wrong"), ("nobody", "secret")):
        answer = client.post("/login", json={"name": name, "password": password})
        assert answer.status_code == 401
        assert answer.json() == {"detail": "name or password wrong"}


def test_listed(client: TestClient, root: Headers, ada: Headers) -> None:
    answer = client.get("/users", headers=ada)
    assert [(one["name"], one["admin"]) for one in answer.json()] == [
        ("ada", False),
        ("root", True),
    ]


def test_tokens(client: TestClient) -> None:
    answer = client.get("/users")
    assert answer.status_code == 401
    assert answer.json() == {"detail": "token missing"}
    answer = client.get("/users", headers={"X-Token": "none"})
    assert answer.json() == {"detail": "token unknown"}


def test_one(client: TestClient, root: Headers, ada: Headers) -> None:
    number = client.get("/users", headers=root).json()[0]["id"]
    answer = client.get(f"/users/{number}", headers=root)
    assert answer.status_code == 200
    assert answer.json()["email"] == "ada@example.org"
    assert client.get(f"/users/{number}", headers=ada).json() == {"detail": "admins only"}
    answer = client.get("/users/999", headers=root)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "no user 999"}
