import os
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

Headers = dict[str, str]


def test_created(client: TestClient, project: str, ada: Headers) -> None:
    data = {"title": " It is blunt ", "text": "Very.", "priority": 2, "assignee": "ada"}
    answer = client.post("/projects/SAW/issues", json=data, headers=ada)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/issues/SAW-1"
    assert answer.json() == {
        "key": "SAW-1",
        "title": "It is blunt",
        "text": "Very.",
        "status": "open",
        "priority": 2,
        "reporter": "ada",
        "assignee": "ada",
    }
    second = client.post("/projects/SAW/issues", json={"title": "Next"}, headers=ada).json()
    assert (second["key"], second["assignee"]) == ("SAW-2", None)


@pytest.mark.parametrize(
    ("data", "status", "detail"),
    [
        ({"assignee": "eve"}, 404, "no user eve"),
        ({"assignee": "bob"}, 400, "assignee is not in this project"),
    ],
)
def test_not_created(
    client: TestClient,
    project: str,
    ada: Headers,
    bob: Headers,
    data: dict[str, str],
    status: int,
    detail: str,
) -> None:
    answer = client.post("/projects/SAW/issues", json={"title": "x"} | data, headers=ada)
    assert answer.status_code == status
    assert answer.json() == {"detail": detail}


def test_viewers(
    client: TestClient, project: str, root: Headers, ada: Headers, bob: Headers
) -> None:
    client.put("/projects/SAW/members", json={"user": "bob", "role": "viewer"}, headers=root)
    answer = client.post("/projects/SAW/issues", json={"title": "x"}, headers=bob)
    assert answer.status_code == 403
    data = {"title": "x", "assignee": "bob"}
    answer = client.post("/projects/SAW/issues", json=data, headers=ada)
    assert answer.json() == {"detail": "viewers get no issues"}
    assert client.get("/projects/SAW/issues", headers=bob).json() == []


@pytest.mark.parametrize("data", [{"title": " "}, {"title": "x", "priority": 6}, {}])
def test_no_issue(client: TestClient, project: str, ada: Headers, data: dict) -> None:
    answer = client.post("/projects/SAW/issues", json=data, headers=ada)
    assert answer.status_code == 422


def test_listed(client: TestClient, issue: str, ada: Headers, bob: Headers) -> None:
    data = {"title": "Loud", "priority": 1, "assignee": "ada"}
    client.post("/projects/SAW/issues", json=data, headers=ada)
    answer = client.get("/projects/SAW/issues", headers=ada)
    assert [one["key"] for one in answer.json()] == ["SAW-2", "SAW-1"]
    answer = client.get("/projects/SAW/issues", params={"assignee": "ada"}, headers=ada)
    assert [one["key"] for one in answer.json()] == ["SAW-2"]
    answer = client.get("/projects/SAW/issues", params={"status": "done"}, headers=ada)
    assert answer.json() == []
    assert client.get("/projects/SAW/issues", headers=bob).status_code == 403


@pytest.mark.parametrize("key", ["SAW-9", "AXE-1", "SAW", "SAW-x"])
def test_none(client: TestClient, issue: str, ada: Headers, key: str) -> None:
    answer = client.get(f"/issues/{key}", headers=ada)
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"no issue {key}"}


def test_changed(client: TestClient, issue: str, ada: Headers) -> None:
    answer = client.patch(f"/issues/{issue}", json={"title": "Blunter"}, headers=ada)
    assert answer.status_code == 200
    assert answer.json()["title"] == "Blunter"
    assert answer.json() == client.get(f"/issues/{issue}", headers=ada).json()
    answer = client.patch(f"/issues/{issue}", json={"assignee": "ada"}, headers=ada)
    assert answer.json()["assignee"] == "ada"
    answer = client.patch(f"/issues/{issue}", json={"assignee": "eve"}, headers=ada)
    assert answer.status_code == 404


def test_nothing_changed(client: TestClient, issue: str, ada: Headers) -> None:
    answer = client.patch(f"/issues/{issue}", json={}, headers=ada)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"] == "Value error, nothing to change"


def test_workflow(client: TestClient, issue: str, ada: Headers) -> None:
    answer = client.patch(f"/issues/{issue}", json={"status": "done"}, headers=ada)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "done does not come behind open"}
    for status in ("in progress", "review", "done", "open"):
        answer = client.patch(f"/issues/{issue}", json={"status": status}, headers=ada)
        assert answer.json()["status"] == status
    answer = client.patch(f"/issues/{issue}", json={"status": "lost"}, headers=ada)
    assert answer.status_code == 422
    assert answer.json() == {"detail": "no such status"}


def test_bulk(client: TestClient, issue: str, root: Headers, ada: Headers) -> None:
    client.post("/projects/SAW/issues", json={"title": "Loud"}, headers=ada)
    client.patch("/issues/SAW-2", json={"status": "rejected"}, headers=ada)
    data = {"keys": ["SAW-1", "SAW-2"], "status": "in progress"}
    assert client.post("/issues/bulk", json=data, headers=ada).status_code == 403
    answer = client.post("/issues/bulk", json=data, headers=root)
    assert answer.json() == {"changed": ["SAW-1"], "skipped": ["SAW-2"]}
    data = {"keys": [], "status": "lost"}
    assert client.post("/issues/bulk", json=data, headers=root).status_code == 422


def test_comments(client: TestClient, issue: str, ada: Headers, root: Headers) -> None:
    answer = client.post(f"/issues/{issue}/comments", json={"text": "Yes"}, headers=ada)
    assert answer.status_code == 201
    first = answer.json()
    assert first == {"id": first["id"], "author": "ada", "text": "Yes"}
    second = client.post(f"/issues/{issue}/comments", json={"text": "No"}, headers=root).json()
    assert client.get(f"/issues/{issue}/comments", headers=ada).json() == [first, second]
    answer = client.post(f"/issues/{issue}/comments", json={"text": " "}, headers=ada)
    assert answer.status_code == 422
    assert answer.json() == {"detail": "a comment says something"}


def test_deleted(client: TestClient, issue: str, ada: Headers, root: Headers) -> None:
    client.post(f"/issues/{issue}/comments", json={"text": "Yes"}, headers=ada)
    assert client.delete(f"/issues/{issue}", headers=ada).status_code == 403
    assert client.delete(f"/issues/{issue}", headers=root).status_code == 204
    assert client.get(f"/issues/{issue}", headers=ada).status_code == 404


def test_time(client: TestClient, issue: str, ada: Headers) -> None:
    client.post(f"/issues/{issue}/time", json={"hours": 1.5}, headers=ada)
    answer = client.post(f"/issues/{issue}/time", json={"hours": 2}, headers=ada)
    assert answer.status_code == 201
    assert answer.json() == {"key": "SAW-1", "hours": 3.5}
    for hours in (0, 25):
        answer = client.post(f"/issues/{issue}/time", json={"hours": hours}, headers=ada)
        assert answer.status_code == 422


def test_attachments(client: TestClient, issue: str, ada: Headers) -> None:
    files = {"file": ("saw.txt", b"blunt", "text/plain")}
    answer = client.post(f"/issues/{issue}/attachments", files=files, headers=ada)
    assert answer.status_code == 201
    body = answer.json()
    assert body == {"id": body["id"], "name": "saw.txt", "size": 5}
    assert client.get(f"/issues/{issue}/attachments", headers=ada).json() == [body]
    path = Path(os.environ["TRACKER_FILES"]) / "SAW-1" / "saw.txt"
    assert path.read_bytes() == b"blunt"
