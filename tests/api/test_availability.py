"""ATS, promises and checkouts through the API."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from crossdock import db
from crossdock.kernel.clock import SystemClock
from tests.api.channels import Client, Orders, awake_worker, codes
from tests.api.keys import bearer, make_key
from tests.integration.orders.shop import BOSTON, DENVER, Shop


@pytest.fixture(scope="module")
def shop(api_url: str) -> Iterator[Shop]:
    with contextlib.closing(db.connect(api_url)) as connection:
        shop = Shop(connection)
        shop.clock.move_to(SystemClock().now())
        shop.stock(BOSTON, mug=100, jug=3, tray=2)
        shop.stock(DENVER, mug=50)
        yield shop


@pytest.fixture(scope="module")
def orders(api: Client, shop: Shop, api_url: str) -> Iterator[Orders]:
    with awake_worker(api_url):
        yield Orders(api)


@pytest.fixture
def bay(api_connection: db.Connection) -> dict[str, str]:
    """The headers of a client that sees another channel only."""
    grants = ("ats:read", "promises:read", "reservations:write")
    return bearer(make_key(api_connection, *grants, channels=["bay"]))


def ats(api: Client, *skus: str, **more: Any) -> dict[str, int]:
    answer = api.get("/v1/ats", params={"channel": "web", "sku": list(skus), **more})
    assert answer.status_code == 200, answer.text
    return {item["sku"]: item["available"] for item in answer.json()["items"]}


def reserve(api: Client, *lines: tuple[str, int], **more: Any) -> Any:
    key = more.pop("key", None)
    body = {
        "channel": "web",
        "lines": [{"sku": sku, "quantity": units} for sku, units in lines],
        **more,
    }
    return api.post("/v1/checkouts", json=body, headers={"Idempotency-Key": key} if key else {})


def test_ats_of_many_skus_is_one_answer(api: Client, orders: Orders) -> None:
    found = ats(api, "mug", "jug", "nothing")
    assert (
        found["mug"] == 150 and found["nothing"] == 0 and list(found) == ["mug", "jug", "nothing"]
    )
    body = {"channel": "web", "skus": ["mug", "jug"], "by_node": True}
    [mug, _] = api.post("/v1/ats", json=body).json()["items"]
    assert {one["node"]: one["available"] for one in mug["nodes"]} == {BOSTON: 100, DENVER: 50}


def test_ats_of_one_node_and_of_another_method(api: Client, orders: Orders) -> None:
    assert ats(api, "mug", node=DENVER) == {"mug": 50}
    assert ats(api, "mug", node="nowhere") == {"mug": 0}
    assert ats(api, "mug", method="pickup") == {"mug": 0}


def test_ats_says_what_it_does_not_take(api: Client, orders: Orders) -> None:
    assert api.get("/v1/ats", params={"channel": "web"}).status_code == 400
    wrong = {"channel": "web", "sku": "mug", "method": "teleport"}
    assert api.get("/v1/ats", params=wrong).status_code == 400


def test_other_channels_are_not_there(api: Client, orders: Orders, bay: dict[str, str]) -> None:
    asked = {"channel": "web", "sku": "mug"}
    assert api.get("/v1/ats", params=asked, headers=bay).status_code == 404
    body = {"channel": "web", "lines": [{"sku": "mug", "quantity": 1}]}
    assert api.post("/v1/checkouts", json=body, headers=bay).status_code == 404
    place = {"destination": {"country": "US"}}
    assert api.post("/v1/promises", json={**body, **place}, headers=bay).status_code == 404
    mine = reserve(api, ("mug", 1)).json()["id"]
    assert api.get(f"/v1/checkouts/{mine}", headers=bay).status_code == 404
    assert api.delete(f"/v1/checkouts/{mine}", headers=bay).status_code == 404
    assert api.delete(f"/v1/checkouts/{mine}").json()["status"] == "dropped"


def test_a_promise_tells_the_ways_that_are_open_and_why_others_are_not(
    api: Client, orders: Orders
) -> None:
    body = {
        "channel": "web",
        "lines": [{"sku": "mug", "quantity": 2}],
        "destination": {"country": "US", "postal_code": "02110", "latitude": 42.35,
                        "longitude": -71.05},
        "methods": ["ship", "pickup"],
    }  # fmt: skip
    answer = api.post("/v1/promises", json=body).json()
    assert {option["service"] for option in answer["options"]} >= {"standard"}
    first = answer["options"][0]
    assert first["nodes"][0]["node"] == BOSTON and first["arrive_by"] > answer["as_of"]
    assert answer["closed"] == [{"method": "pickup", "obstacle": "channel_off"}]
    wrong = {**body, "destination": {"country": "XX", "latitude": 1.0}}
    refused = api.post("/v1/promises", json=wrong)
    assert refused.status_code == 422 and "destination.country:unknown_country" in codes(refused)


def test_a_checkout_keeps_what_is_there_and_ats_shows_it(api: Client, orders: Orders) -> None:
    before = ats(api, "tray")["tray"]
    answer = reserve(api, ("tray", 5), minutes=5)
    assert answer.status_code == 201, answer.text
    checkout = answer.json()
    assert (checkout["status"], checkout["complete"]) == ("reserved", False)
    assert checkout["lines"][0]["reserved"] == before == 2
    assert ats(api, "tray") == {"tray": 0}
    assert api.get(f"/v1/checkouts/{checkout['id']}").json() == checkout
    dropped = api.delete(f"/v1/checkouts/{checkout['id']}")
    assert dropped.json()["status"] == "dropped" and ats(api, "tray") == {"tray": 2}
    assert api.delete(f"/v1/checkouts/{checkout['id']}").json()["status"] == "dropped"


def test_the_order_takes_its_checkout_over(api: Client, orders: Orders) -> None:
    checkout = reserve(api, ("jug", 3)).json()
    assert ats(api, "jug") == {"jug": 0}
    id = orders.place(("jug", 3), checkout_id=checkout["id"])
    assert orders.until(id, "released")["lines"][0]["units"] == {
        **dict.fromkeys(orders.until(id, "released")["lines"][0]["units"], 0),
        "released": 3,
    }
    for _ in range(300):
        found = api.get(f"/v1/checkouts/{checkout['id']}").json()
        if found["status"] == "confirmed":
            break
        threading.Event().wait(0.01)
    assert (found["status"], found["order_id"]) == ("confirmed", id)
    over = api.post(f"/v1/checkouts/{checkout['id']}/extend", json={"minutes": 5})
    assert over.status_code == 409 and "checkout_over" in codes(over)


def test_a_checkout_is_extended_and_a_repeat_is_the_same(api: Client, orders: Orders) -> None:
    first = reserve(api, ("mug", 1), minutes=1, key="cart 1")
    again = reserve(api, ("mug", 1), minutes=1, key="cart 1")
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert reserve(api, ("mug", 2), minutes=1, key="cart 1").status_code == 409
    path = f"/v1/checkouts/{first.json()['id']}/extend"
    longer = api.post(path, json={"minutes": 10})
    assert longer.status_code == 200 and longer.json()["expires_at"] > first.json()["expires_at"]
    assert api.delete(f"/v1/checkouts/{first.json()['id']}").status_code == 200


def test_a_checkout_ends_by_itself(api: Client, orders: Orders) -> None:
    before = ats(api, "mug")["mug"]
    checkout = reserve(api, ("mug", 1), minutes=0.01).json()
    for _ in range(500):
        if api.get(f"/v1/checkouts/{checkout['id']}").json()["status"] == "expired":
            break
        threading.Event().wait(0.01)
    assert api.get(f"/v1/checkouts/{checkout['id']}").json()["status"] == "expired"
    assert ats(api, "mug")["mug"] == before
    dropped = api.delete(f"/v1/checkouts/{checkout['id']}")
    assert dropped.status_code == 409


def test_a_checkout_that_cannot_be_is_refused(api: Client, orders: Orders) -> None:
    lines = [{"sku": "mug", "quantity": 1, "method": "pickup"}]
    answer = api.post("/v1/checkouts", json={"channel": "web", "lines": lines})
    assert answer.status_code == 422 and "lines[0].pickup_node:no_pickup_node" in codes(answer)
    assert reserve(api, ("mug", 1), channel="nobody's").status_code == 404
    assert reserve(api, ("mug", 1), minutes=0).status_code == 400
    assert api.get("/v1/checkouts/x").status_code == 404
    placed = api.post(
        "/v1/orders",
        json={"channel": "web", "number": "x", "placed_at": "2026-11-03T09:41:00Z",
              "currency": "USD", "lines": [], "groups": [], "checkout_id": "no id"},
    )  # fmt: skip
    assert "checkout_id:bad_id" in codes(placed)
