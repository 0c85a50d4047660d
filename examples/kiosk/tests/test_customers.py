from fastapi.testclient import TestClient

from tests.conftest import ADMIN, order

ADA = {"email": "Ada@Example.com ", "name": "Ada", "password": "correct horse"}


def test_sign_up(client: TestClient) -> None:
    answer = client.post("/signup", json=ADA)
    assert answer.status_code == 201
    assert answer.json()["email"] == "ada@example.com"
    assert answer.json()["name"] == "Ada"


def test_sign_up_twice(client: TestClient) -> None:
    client.post("/signup", json=ADA)
    answer = client.post("/signup", json=ADA)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "There is an account with this address"}


def test_sign_up_without_address(client: TestClient) -> None:
    answer = client.post("/signup", json={**ADA, "email": "ada"})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "That is no e-mail address"}


def test_sign_up_with_a_short_password(client: TestClient) -> None:
    answer = client.post("/signup", json={**ADA, "password": "short"})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "A password has eight characters or more"}


def test_log_in(client: TestClient) -> None:
    client.post("/signup", json=ADA)
    answer = client.post("/login", json={"email": ADA["email"], "password": ADA["password"]})
    assert answer.status_code == 200
    assert set(answer.json()) == {"token"}


def test_log_in_wrong(client: TestClient) -> None:
    client.post("/signup", json=ADA)
    for data in ({"email": "ada@example.com", "password": "x"}, {"email": "b@c", "password": "x"}):
        answer = client.post("/login", json=data)
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Wrong address or password"}


def test_me(client: TestClient, ada: dict[str, str]) -> None:
    answer = client.get("/me", headers=ada)
    assert answer.status_code == 200
    assert answer.json() == {"email": "ada@example.com", "name": "Ada", "member": False}


def test_nobody(client: TestClient) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = client.get("/me", headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Please log in"}
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_customers(client: TestClient, ada: dict[str, str], bob: dict[str, str]) -> None:
    assert client.get("/customers").status_code == 403
    answer = client.get("/customers", headers=ADMIN)
    assert answer.status_code == 200
    assert [one["email"] for one in answer.json()] == ["ada@example.com", "bob@example.com"]


def test_membership(client: TestClient, ada: dict[str, str], mug: str) -> None:
    number = client.get("/customers", headers=ADMIN).json()[0]["id"]
    answer = client.post(f"/customers/{number}/membership", headers=ADMIN)
    assert answer.status_code == 200
    assert answer.json() == {"email": "ada@example.com", "member": True}
    assert client.get("/me", headers=ada).json()["member"] is True
    assert order(client, ada, ("mug", 2)).json()["discount"] == "1.25"


def test_membership_of_nobody(client: TestClient) -> None:
    answer = client.post("/customers/99/membership", headers=ADMIN)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "No such customer"}
