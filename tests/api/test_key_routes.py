"""Keys over the API: nobody gives or takes more than they have."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock import db
from tests.api.described import Client
from tests.api.keys import bearer, make_key

SOHO = {"name": "Soho", "grants": ["node"], "nodes": ["soho"], "requests": 50}


def created(api: Client, **changes: Any) -> Any:
    answer = api.post("/v1/keys", json={**SOHO, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


def may_read_work(api: Client, secret: str) -> bool:
    return api.get("/v1/work", headers=bearer(secret)).status_code == 200


def test_a_key_is_made_rotated_and_revoked(api: Client) -> None:
    made = created(api)
    assert may_read_work(api, made["secret"])
    [shown] = [key for key in api.get("/v1/keys").json()["items"] if key["id"] == made["id"]]
    assert (shown["grants"], shown["nodes"], shown["requests"]) == (["node"], ["soho"], 50)
    assert made["secret"] not in api.get("/v1/keys").text
    rotated = api.post("/v1/keys/Soho/rotate", json={"overlap_seconds": 0})
    assert rotated.headers["cache-control"] == "no-store"
    assert may_read_work(api, rotated.json()["secret"])
    refused = api.get("/v1/work", headers=bearer(made["secret"]))
    assert refused.json()["code"] in ("credential_expired", "not_found"), refused.text
    assert api.delete(f"/v1/keys/{made['id']}").status_code == 204
    assert api.delete(f"/v1/keys/{made['id']}").status_code == 404
    assert made["id"] not in api.get("/v1/keys").text
    assert made["id"] in api.get("/v1/keys", params={"revoked": True}).text


def test_a_creation_sent_twice_makes_one_key(api: Client) -> None:
    created(api, name="Twice")
    again = api.post("/v1/keys", json={**SOHO, "name": "Twice"})
    assert (again.status_code, again.json()["code"]) == (409, "key_exists")


def test_pages_show_every_key_once(api: Client) -> None:
    for number in range(5):
        created(api, name=f"Page {number}")
    seen: list[str] = []
    cursor = None
    while True:
        page = api.get("/v1/keys", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [key["name"] for key in page.json()["items"]]
        cursor = page.json()["next"]
        if cursor is None:
            break
    assert [name for name in seen if name.startswith("Page")] == [f"Page {n}" for n in range(5)]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grants": ["cashier"]}, "No role and no permission: cashier"),
        ({"grants": ["node", "records:read"]}, "records:read"),
        ({"grants": ["node", "orders:read"]}, "Name the channels"),
    ],
)
def test_a_key_that_opens_more_than_its_limits_say_is_refused(
    api: Client, changes: dict[str, Any], said: str
) -> None:
    answer = api.post("/v1/keys", json={**SOHO, "name": "Refused", **changes})
    assert (answer.status_code, answer.json()["code"]) == (422, "key_refused")
    assert said in answer.json()["detail"]
    assert "Refused" not in api.get("/v1/keys").text


def test_nobody_gives_or_takes_what_they_do_not_have(
    api: Client, api_connection: db.Connection
) -> None:
    made = created(api, name="Strong", grants=["administrator"], nodes=None)
    clerk = bearer(make_key(api_connection, "keys:write", "node"))
    more = api.post("/v1/keys", json={**SOHO, "name": "Own", "grants": ["channel"]}, headers=clerk)
    assert (more.status_code, more.json()["code"]) == (422, "key_refused")
    unlimited = {"name": "Own", "grants": ["channel"]}
    more = api.post("/v1/keys", json=unlimited, headers=clerk)
    assert (more.status_code, more.json()["code"]) == (403, "permission_missing")
    assert api.delete(f"/v1/keys/{made['id']}", headers=clerk).status_code == 403
    rotation = {"overlap_seconds": 0}
    taken = api.post(f"/v1/keys/{made['id']}/rotate", json=rotation, headers=clerk)
    assert taken.status_code == 403
    assert "Own" not in api.get("/v1/keys").text
    own = api.post("/v1/keys", json={**SOHO, "name": "Own"}, headers=clerk)
    assert own.status_code == 201


def test_a_test_key_makes_test_keys_only(api: Client, api_connection: db.Connection) -> None:
    tester = bearer(make_key(api_connection, mode="test"))
    live = api.post("/v1/keys", json={**SOHO, "name": "For real"}, headers=tester)
    assert (live.status_code, live.json()["code"]) == (403, "permission_missing")
    test = api.post("/v1/keys", json={**SOHO, "name": "Trial", "mode": "test"}, headers=tester)
    assert test.json()["secret"].startswith("crossdock_test_")
