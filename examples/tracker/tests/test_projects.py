import pytest
from fastapi.testclient import TestClient

Headers = dict[str, str]


def test_created(client: TestClient, root: Headers, ada: Headers) -> None:
    data = {"key": "SAW", "name": "The saw"}
    answer = client.post("/projects", json=data, headers=ada)
    assert answer.status_code == 403
    answer = client.post("/projects", json=data, headers=root)
    assert answer.status_code == 201
    body = answer.json()
    assert body == {"id": body["id"], "key": "SAW", "name": "The saw", "archived": False}
    answer = client.post("/projects", json=data, headers=root)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "key taken"}


@pytest.mark.parametrize("key", ["S", "saw", "SAW-1"])
def test_keys_are_letters(client: TestClient, root: Headers, key: str) -> None:
    answer = client.post("/projects", json={"key": key, "name": "x"}, headers=root)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "key"]


def test_read(client: TestClient, project: str, ada: Headers) -> None:
    assert client.get("/projects/SAW", headers=ada).json()["name"] == "The saw"
    answer = client.get("/projects/AXE", headers=ada)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "no project AXE"}
    assert [one["key"] for one in client.get("/projects", headers=ada).json()] == ["SAW"]


def test_archived(client: TestClient, issue: str, root: Headers, ada: Headers) -> None:
    answer = client.post("/projects/SAW/archive", headers=root)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "1 issues are not done"}
    client.patch(f"/issues/{issue}", json={"status": "rejected"}, headers=ada)
    answer = client.post("/projects/SAW/archive", headers=root)
    assert answer.json()["archived"] is True
    assert client.get("/projects", headers=ada).json() == []
    answer = client.post("/projects/SAW/issues", json={"title": "Late"}, headers=ada)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "project is archived"}


def test_members(
    client: TestClient, project: str, root: Headers, ada: Headers, bob: Headers
) -> None:
    answer = client.put("/projects/SAW/members", json={"user": "bob"}, headers=ada)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "not in this project"}
    data = {"user": "bob", "role": "viewer"}
    answer = client.put("/projects/SAW/members", json=data, headers=root)
    assert answer.json() == data
    assert client.get("/projects/SAW/members", headers=bob).json() == [
        {"user": "ada", "role": "developer"},
        data,
    ]
    answer = client.put("/projects/SAW/members", json={"user": "eve"}, headers=root)
    assert answer.status_code == 404
    data = {"user": "bob", "role": "king"}
    answer = client.put("/projects/SAW/members", json=data, headers=root)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"] == "Value error, no such role"


def test_report(client: TestClient, issue: str, ada: Headers) -> None:
    data = {"title": "It is loud", "priority": 1}
    client.post("/projects/SAW/issues", json=data, headers=ada)
    answer = client.get("/projects/SAW/report", params={"status": "open"}, headers=ada)
    assert answer.json() == [{"priority": 1, "issues": 1}, {"priority": 3, "issues": 1}]
    assert client.get("/projects/SAW/report", headers=ada).json() == []


def test_export(client: TestClient, issue: str, ada: Headers) -> None:
    data = {"title": "Loud, and hot", "assignee": "ada"}
    client.post("/projects/SAW/issues", json=data, headers=ada)
    answer = client.get("/projects/SAW/export", headers=ada)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines() == [
        "key,title,status,priority,assignee",
        "SAW-1,It is blunt,open,3,",
        'SAW-2,"Loud, and hot",open,3,ada',
    ]
