import pytest
from fastapi.testclient import TestClient

Headers = dict[str, str]
ALPS = {"title": "Across the Alps", "body": "On foot.", "tags": ["walks", "alps"]}


def test_created(client: TestClient, ada: Headers) -> None:
    answer = client.post("/posts", json=ALPS, headers=ada)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/posts/across-the-alps"
    body = answer.json()
    assert body == {
        "id": body["id"],
        "slug": "across-the-alps",
        "title": "Across the Alps",
        "body": "On foot.",
        "published": False,
        "likes": 0,
        "author": "ada",
        "tags": ["alps", "walks"],
        "preview": None,
    }


def test_created_by_nobody(client: TestClient) -> None:
    assert client.post("/posts", json=ALPS).status_code == 401


def test_created_twice(client: TestClient, ada: Headers) -> None:
    client.post("/posts", json=ALPS, headers=ada)
    answer = client.post("/posts", json=ALPS, headers=ada)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "There is a post across-the-alps"}


def test_a_title_has_letters(client: TestClient, ada: Headers) -> None:
    answer = client.post("/posts", json=ALPS | {"title": "!!!"}, headers=ada)
    assert answer.status_code == 422
    assert answer.json() == {"detail": "A title has letters"}


def test_with_a_link(client: TestClient, ada: Headers) -> None:
    answer = client.post("/posts", json=ALPS | {"link": "https://alps.test"}, headers=ada)
    assert answer.status_code == 201
    assert answer.json()["preview"] is None


def test_drafts_are_private(client: TestClient, ada: Headers, bob: Headers) -> None:
    client.post("/posts", json=ALPS, headers=ada)
    for headers in ({}, bob):
        answer = client.get("/posts/across-the-alps", headers=headers)
        assert answer.status_code == 404
        assert answer.json() == {"detail": "No post across-the-alps"}
    assert client.get("/posts/across-the-alps", headers=ada).status_code == 200
    assert client.get("/posts").json() == []
    assert [post["slug"] for post in client.get("/posts/mine", headers=ada).json()] == [
        "across-the-alps"
    ]
    assert client.get("/posts/mine", headers=bob).json() == []


def test_published(client: TestClient, ada: Headers, bob: Headers) -> None:
    client.put("/authors/ada/follow", headers=bob)
    client.post("/posts", json=ALPS, headers=ada)
    answer = client.post("/posts/across-the-alps/publish", headers=bob)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "This is not your post"}
    answer = client.post("/posts/across-the-alps/publish", headers=ada)
    assert answer.status_code == 200
    assert answer.json()["published"] is True
    answer = client.post("/posts/across-the-alps/publish", headers=ada)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "It is published already"}
    assert client.get("/posts/across-the-alps").json()["author"] == "ada"


def test_listed(client: TestClient, post: str, bob: Headers) -> None:
    data = {"title": "By sea", "body": "Blue.", "tags": ["boats"]}
    client.post("/posts", json=data, headers=bob)
    client.post("/posts/by-sea/publish", headers=bob)
    assert [one["slug"] for one in client.get("/posts").json()] == ["by-sea", post]
    answer = client.get("/posts", params={"tag": "walks"})
    assert [one["slug"] for one in answer.json()] == [post]
    assert client.get("/posts", params={"tag": "none"}).json() == []


def test_changed(client: TestClient, post: str, ada: Headers, bob: Headers) -> None:
    answer = client.patch(f"/posts/{post}", json={"title": "Over the Alps"}, headers=ada)
    assert answer.status_code == 200
    assert answer.json()["title"] == "Over the Alps"
    assert answer.json()["slug"] == post
    assert answer.json()["tags"] == ["alps", "walks"]
    answer = client.patch(f"/posts/{post}", json={"tags": ["alps", "snow"]}, headers=ada)
    assert answer.json()["tags"] == ["alps", "snow"]
    assert client.patch(f"/posts/{post}", json={}, headers=bob).status_code == 403
    assert client.patch("/posts/none", json={}, headers=ada).status_code == 404


def test_liked(client: TestClient, post: str) -> None:
    client.post(f"/posts/{post}/like")
    assert client.post(f"/posts/{post}/like").json()["likes"] == 2
    assert client.post("/posts/none/like").json() == {"detail": "No post none"}


def test_deleted(client: TestClient, post: str, ada: Headers, bob: Headers) -> None:
    assert client.delete(f"/posts/{post}", headers=bob).status_code == 403
    assert client.delete(f"/posts/{post}", headers=ada).status_code == 204
    assert client.get(f"/posts/{post}").status_code == 404


def test_deleted_by_an_editor(client: TestClient, post: str, editor: Headers) -> None:
    assert client.delete(f"/posts/{post}", headers=editor).status_code == 204


def test_comments_wait(client: TestClient, post: str, editor: Headers, bob: Headers) -> None:
    answer = client.post(f"/posts/{post}/comments", json={"text": " Nice "}, headers=bob)
    assert answer.status_code == 201
    body = answer.json()
    assert body == {"id": body["id"], "text": "Nice", "author": "bob", "approved": False}
    assert client.get(f"/posts/{post}/comments").json() == []
    assert client.post("/comments/approve", json=[body["id"]]).status_code == 401
    answer = client.post("/comments/approve", json=[body["id"], 99], headers=editor)
    assert answer.json() == {"approved": 1}
    assert client.get(f"/posts/{post}/comments").json() == [{**body, "approved": True}]
    second = client.post(f"/posts/{post}/comments", json={"text": "Again"}, headers=bob).json()
    assert second["approved"] is True


def test_comments_of_the_author(client: TestClient, post: str, ada: Headers) -> None:
    answer = client.post(f"/posts/{post}/comments", json={"text": "Thanks"}, headers=ada)
    assert answer.json()["approved"] is True


def test_spam(client: TestClient, post: str, ada: Headers) -> None:
    answer = client.post(f"/posts/{post}/comments", json={"text": "My CASINO"}, headers=ada)
    assert answer.json()["approved"] is False


@pytest.mark.parametrize(
    ("text", "detail"),
    [("  ", "A comment says something"), ("x" * 501, "A comment has 500 characters at most")],
)
def test_no_comment(client: TestClient, post: str, ada: Headers, text: str, detail: str) -> None:
    answer = client.post(f"/posts/{post}/comments", json={"text": text}, headers=ada)
    assert answer.status_code == 422
    assert answer.json() == {"detail": detail}


def test_comments_on_nothing(client: TestClient, ada: Headers) -> None:
    client.post("/posts", json=ALPS, headers=ada)
    for slug in ("none", "across-the-alps"):
        answer = client.post(f"/posts/{slug}/comments", json={"text": "a"}, headers=ada)
        assert answer.status_code == 404
    assert client.get("/posts/none/comments").status_code == 404


def test_tags(client: TestClient, post: str, bob: Headers) -> None:
    client.post("/posts", json={"title": "By sea", "body": "", "tags": ["walks"]}, headers=bob)
    assert client.get("/tags").json() == [
        {"name": "alps", "posts": 1},
        {"name": "walks", "posts": 2},
    ]


def test_views(client: TestClient, editor: Headers, post: str) -> None:
    before = {row["slug"]: row["views"] for row in client.get("/views", headers=editor).json()}
    client.get(f"/posts/{post}")
    after = {row["slug"]: row["views"] for row in client.get("/views", headers=editor).json()}
    assert after[post] == before.get(post, 0) + 1
    assert client.get("/views").status_code == 401


def test_rss(client: TestClient, post: str) -> None:
    answer = client.get("/rss")
    assert answer.headers["content-type"] == "application/rss+xml"
    assert answer.text == (
        '<?xml version="1.0"?><rss version="2.0"><channel>'
        "<item><title>Across the Alps</title><link>https://blog.test/across-the-alps</link></item>"
        "</channel></rss>"
    )
