import pytest
from fastapi.testclient import TestClient

Headers = dict[str, str]
ADA = {"handle": "ada", "name": "Ada", "email": "Ada@example.org", "password": "correct horse"}


def test_health(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}


def test_registered(client: TestClient) -> None:
    answer = client.post("/authors", json=ADA)
    assert answer.status_code == 201
    body = answer.json()
    assert body == {"id": body["id"], "handle": "ada", "name": "Ada", "bio": ""}


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"email": "other@example.org"}, 409, "This handle is taken"),
        ({"handle": "other"}, 409, "This address is taken"),
        ({"password": "short"}, 422, "Passwords have eight characters or more"),
    ],
)
def test_not_registered(
    client: TestClient, change: dict[str, str], status: int, detail: str
) -> None:
    client.post("/authors", json=ADA)
    answer = client.post("/authors", json=ADA | change)
    assert answer.status_code == status
    assert answer.json() == {"detail": detail}


def test_a_handle_is_plain(client: TestClient) -> None:
    answer = client.post("/authors", json=ADA | {"handle": "Ada!"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "handle"]


def test_login(client: TestClient) -> None:
    client.post("/authors", json=ADA)
    answer = client.post("/login", json={"handle": "ada", "password": "correct horse"})
    assert answer.status_code == 200
    assert set(answer.json()) == {"token"}


@pytest.mark.parametrize("handle", ["ada", "bob"])
def test_no_login(client: TestClient, handle: str) -> None:
    client.post("/authors", json=ADA)
    answer = client.post("/login", json={"handle": handle, "password": "wrong"})
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Wrong handle or password"}


def test_me(client: TestClient, editor: Headers, ada: Headers) -> None:
    assert client.get("/me", headers=ada).json() == {
        "handle": "ada",
        "email": "ada@example.org",
        "is_editor": False,
    }
    assert client.get("/me", headers=editor).json()["is_editor"] is True


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nothing"}])
def test_nobody(client: TestClient, headers: Headers) -> None:
    answer = client.get("/me", headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Not logged in"}
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_profile(client: TestClient, ada: Headers) -> None:
    answer = client.patch("/me", json={"bio": "Walks."}, headers=ada)
    assert answer.status_code == 200
    assert answer.json()["bio"] == "Walks."
    assert answer.json()["name"] == "Ada"
    assert client.get("/authors/ada").json() == answer.json()


def test_listed(client: TestClient, ada: Headers, bob: Headers) -> None:
    answer = client.get("/authors")
    assert [author["handle"] for author in answer.json()] == ["ada", "bob", "edith"]


def test_no_author(client: TestClient) -> None:
    answer = client.get("/authors/nobody")
    assert answer.status_code == 404
    assert answer.json() == {"detail": "No such author"}


def test_account(client: TestClient, editor: Headers, ada: Headers) -> None:
    answer = client.get("/authors/ada/account", headers=editor)
    assert answer.status_code == 200
    assert answer.json()["email"] == "ada@example.org"
    answer = client.get("/authors/ada/account", headers=ada)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "Editors only"}


def test_follow(client: TestClient, ada: Headers, bob: Headers) -> None:
    for _ in range(2):
        answer = client.put("/authors/ada/follow", headers=bob)
        assert answer.status_code == 204
        assert answer.content == b""
    answer = client.get("/authors/ada/followers")
    assert [author["handle"] for author in answer.json()] == ["bob"]
    assert client.get("/feed", headers=bob).json() == [{"handle": "ada", "name": "Ada"}]
    assert client.get("/feed", headers=ada).json() == []
    assert client.delete("/authors/ada/follow", headers=bob).status_code == 204
    assert client.get("/authors/ada/followers").json() == []


def test_followers_in_order(
    client: TestClient, editor: Headers, ada: Headers, bob: Headers
) -> None:
    client.put("/authors/ada/follow", headers=editor)
    client.put("/authors/ada/follow", headers=bob)
    answer = client.get("/authors/ada/followers")
    assert [author["handle"] for author in answer.json()] == ["edith", "bob"]


def test_follow_oneself(client: TestClient, ada: Headers) -> None:
    answer = client.put("/authors/ada/follow", headers=ada)
    assert answer.status_code == 400
    assert answer.json() == {"detail": "Nobody follows himself"}


def test_follow_nobody(client: TestClient, ada: Headers) -> None:
    assert client.put("/authors/nobody/follow", headers=ada).status_code == 404
    assert client.delete("/authors/nobody/follow", headers=ada).status_code == 404
