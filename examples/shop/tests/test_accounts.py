"""Registration, login, profiles and their administration."""

import pytest


def test_health(client):
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_register_answers_the_new_user(client):
    body = {"email": " Ada@Example.com ", "password": "a long password", "full_name": "Ada"}
    response = client.post("/api/auth/register", json=body)
    assert response.status_code == 201
    user = response.json()
    assert user["email"] == "ada@example.com"
    assert user["full_name"] == "Ada"
    assert user["role"] == "customer"
    assert user["newsletter"] is False
    assert isinstance(user["id"], int)


def test_register_twice_is_a_conflict(client, customer):
    body = {"email": "ada@example.com", "password": "another password"}
    response = client.post("/api/auth/register", json=body)
    assert response.status_code == 409
    assert response.json() == {"detail": "This e-mail address is registered already"}


@pytest.mark.parametrize(
    "body",
    [
        {"email": "ada@example.com", "password": "short"},
        {"email": "not an address", "password": "a long password"},
        {"email": "ada@example.com"},
        {"password": "a long password"},
    ],
)
def test_register_refuses_bad_input(client, body):
    assert client.post("/api/auth/register", json=body).status_code == 422


def test_login_answers_a_bearer_token(client, customer):
    form = {"username": "ada@example.com", "password": "a long password"}
    response = client.post("/api/auth/token", data=form)
    assert response.status_code == 200
    assert response.json()["token_type"] == "bearer"
    assert response.json()["access_token"]


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
def test_login_with_wrong_credentials(client, customer, email):
    response = client.post("/api/auth/token", data={"username": email, "password": "wrong"})
    assert response.status_code == 401


def test_me_is_the_one_who_logged_in(client, customer):
    response = client.get("/api/users/me", headers=customer)
    assert response.status_code == 200
    assert response.json()["email"] == "ada@example.com"
    assert response.json()["full_name"] == "Ada Lovelace"


def test_me_needs_a_login(client):
    response = client.get("/api/users/me")
    assert response.status_code == 401
    assert response.json() == {"detail": "Not authenticated"}
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_made_up_token_is_refused(client):
    response = client.get("/api/users/me", headers={"Authorization": "Bearer nonsense"})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_update_me_changes_what_was_sent(client, customer):
    response = client.patch("/api/users/me", json={"newsletter": True}, headers=customer)
    assert response.status_code == 200
    assert response.json()["newsletter"] is True
    assert response.json()["full_name"] == "Ada Lovelace"
    assert client.get("/api/users/me", headers=customer).json()["newsletter"] is True


def test_change_password(client, customer, login):
    params = {"old": "a long password", "new": "a longer password"}
    assert client.post("/api/auth/password", params=params, headers=customer).status_code == 204
    assert login("ada@example.com", "a longer password")
    response = client.post("/api/auth/password", params=params, headers=customer)
    assert response.status_code == 400
    assert response.json() == {"detail": "Wrong password"}


def test_unsubscribe_with_a_broken_link(client):
    response = client.get("/api/users/unsubscribe", params={"token": "broken"})
    assert response.status_code == 404
    assert response.json() == {"detail": "No such subscription"}


def test_admin_lists_users(client, admin, admin_email, customer, staff):
    response = client.get("/api/users", headers=admin)
    assert response.status_code == 200
    emails = [user["email"] for user in response.json()]
    assert emails == [admin_email, "ada@example.com", "sam@shop.test"]


def test_admin_lists_users_of_a_role(client, admin, customer, staff):
    response = client.get("/api/users", params={"role": "staff"}, headers=admin)
    assert [user["email"] for user in response.json()] == ["sam@shop.test"]


def test_admin_reads_a_user(client, admin, customer):
    user_id = client.get("/api/users/me", headers=customer).json()["id"]
    response = client.get(f"/api/users/{user_id}", headers=admin)
    assert response.status_code == 200
    assert response.json()["email"] == "ada@example.com"


def test_admin_reads_an_unknown_user(client, admin):
    response = client.get("/api/users/4711", headers=admin)
    assert response.status_code == 404
    assert response.json() == {"detail": "User not found"}


@pytest.mark.parametrize("path", ["/api/users", "/api/users/1", "/api/admin/customers"])
def test_users_are_for_administrators(client, customer, staff, path):
    assert client.get(path).status_code == 401
    for headers in (customer, staff):
        response = client.get(path, headers=headers)
        assert response.status_code == 403
        assert response.json() == {"detail": "Administrators only"}


def test_change_role(client, admin, customer):
    user_id = client.get("/api/users/me", headers=customer).json()["id"]
    path = f"/api/admin/users/{user_id}/role"
    response = client.put(path, params={"role": "staff"}, headers=admin)
    assert response.status_code == 200
    assert response.json() == {"email": "ada@example.com", "role": "staff"}
    assert client.get("/api/users/me", headers=customer).json()["role"] == "staff"


def test_change_role_refuses_unknown_ones(client, admin, customer):
    user_id = client.get("/api/users/me", headers=customer).json()["id"]
    path = f"/api/admin/users/{user_id}/role"
    response = client.put(path, params={"role": "emperor"}, headers=admin)
    assert response.status_code == 422
    assert response.json() == {"detail": "Unknown role emperor"}
    missing = client.put("/api/admin/users/4711/role", params={"role": "staff"}, headers=admin)
    assert missing.status_code == 404


def test_deactivated_users_are_out(client, admin, customer):
    user_id = client.get("/api/users/me", headers=customer).json()["id"]
    response = client.delete(f"/api/admin/users/{user_id}", headers=admin)
    assert response.status_code == 204
    assert response.content == b""
    assert client.get("/api/users/me", headers=customer).status_code == 401


def test_deactivation_is_audited(client, admin, admin_email, customer):
    user_id = client.get("/api/users/me", headers=customer).json()["id"]
    client.delete(f"/api/admin/users/{user_id}", headers=admin)
    params = {"recipient": "audit@shop.example"}
    entries = client.get("/api/admin/outbox", params=params, headers=admin).json()
    assert entries[0]["subject"] == f"{admin_email}: deactivated ada@example.com"
