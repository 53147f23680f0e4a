"""Reading, listing, following, editing and canceling orders through the API."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from crossdock import db
from crossdock.kernel.clock import SystemClock
from tests.api.channels import Client, Orders, awake_worker, codes
from tests.api.keys import bearer, make_key
from tests.integration.orders.shop import BOSTON, Shop


@pytest.fixture(scope="module")
def shop(api_url: str) -> Iterator[Shop]:
    with contextlib.closing(db.connect(api_url)) as connection:
        shop = Shop(connection)
        shop.clock.move_to(SystemClock().now())
        shop.stock(BOSTON, mug=1000)
        yield shop


@pytest.fixture(scope="module")
def orders(api: Client, shop: Shop, api_url: str) -> Iterator[Orders]:
    with awake_worker(api_url):
        yield Orders(api)


@pytest.fixture
def bay(api_connection: db.Connection) -> dict[str, str]:
    """The headers of a client that sees another channel only."""
    return bearer(make_key(api_connection, "orders:read", "orders:write", channels=["bay"]))


def edit(api: Client, id: str, body: Any, revision: str | None = '"1"', key: str = "") -> Any:
    headers = {"If-Match": revision} if revision else {}
    if key:
        headers["Idempotency-Key"] = key
    return api.patch(f"/v1/orders/{id}", json=body, headers=headers)


def test_an_order_is_there_before_anybody_looked_at_it(api: Client, shop: Shop) -> None:
    id = Orders(api).place(("mug", 2), number="early")
    found = api.get(f"/v1/orders/{id}")
    assert found.status_code == 200 and found.headers["etag"] == '"1"'
    order = found.json()
    assert order["stage"] == "received" and order["customer"]["name"] == "Ada Byron"
    assert order["lines"][0]["units"]["open"] == 2
    assert order["groups"][0]["address"]["lines"] == ["1 Main St"]
    shop.clock.move_to(SystemClock().now())
    shop.settle()


def test_an_order_tells_what_became_of_it(api: Client, orders: Orders) -> None:
    id = orders.place(("mug", 2))
    order = orders.until(id, "released")
    assert order["stage"] == "open" and order["lines"][0]["units"]["released"] == 2
    assert order["lines"][0]["unit_price"] == "10.00" and order["lines"][0]["payable"] == 2000
    [work] = order["fulfillments"]
    assert work["node"] == BOSTON and work["lines"][0]["quantity"] == 2
    assert [t["status"] for t in order["tenders"]] == ["paid"]
    assert order["groups"][0]["current"]["leave_by"]


def test_every_look_up_takes_the_channels_own_number(api: Client, orders: Orders) -> None:
    id = orders.place(("mug", 1), number="A:1 b")
    assert api.get("/v1/orders/web:A:1%20b").json()["id"] == id
    id = orders.place(("mug", 1), number="A/1")
    named = {"channel": "web", "number": "A/1"}
    assert [o["id"] for o in api.get("/v1/orders", params=named).json()["items"]] == [id]
    assert api.get("/v1/orders", params={**named, "number": "no"}).json()["items"] == []
    assert "channel:no_channel" in codes(api.get("/v1/orders", params={"number": "A/1"}))


@pytest.mark.parametrize("name", ["web:none", "none", "00000000-0000-8000-8000-000000000000"])
def test_an_order_that_is_not_there_is_not_found(api: Client, orders: Orders, name: str) -> None:
    assert api.get(f"/v1/orders/{name}").status_code == 404


def test_an_order_of_another_channel_is_not_there(
    api: Client, orders: Orders, bay: dict[str, str]
) -> None:
    id = orders.place(("mug", 1))
    orders.until(id, "released")
    assert api.get(f"/v1/orders/{id}", headers=bay).status_code == 404
    assert api.get("/v1/orders", headers=bay).json()["items"] == []
    changed = {"changed_since": "2020-01-01T00:00:00Z"}
    assert api.get("/v1/orders", params=changed, headers=bay).json()["items"] == []
    canceled = api.post(f"/v1/orders/{id}/cancel", json={}, headers=bay)
    edited = api.patch(
        f"/v1/orders/{id}", json={"attributes": {}}, headers={**bay, "If-Match": '"1"'}
    )
    assert canceled.status_code == edited.status_code == 404
    assert orders.until(id, "released")["revision"] == 1


def test_a_list_is_read_page_by_page_and_each_order_once(api: Client, orders: Orders) -> None:
    placed = {orders.place(("mug", 1), placed_at="2026-05-01T10:00:00Z") for _ in range(5)}
    for id in placed:
        orders.until(id, "released")
    span = {"placed_from": "2026-05-01T00:00:00Z", "placed_before": "2026-05-02T00:00:00Z"}
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page = api.get("/v1/orders", params={**span, "limit": 2, "cursor": cursor} if cursor
                       else {**span, "limit": 2}).json()  # fmt: skip
        seen += [order["id"] for order in page["items"]]
        cursor = page["next"]
    assert cursor is None and sorted(seen) == sorted(placed)


def test_a_list_is_filtered(api: Client, orders: Orders) -> None:
    id = orders.place(("mug", 1), placed_at="2026-06-01T10:00:00Z")
    orders.until(id, "released")
    span = {"placed_from": "2026-06-01T00:00:00Z", "placed_before": "2026-06-02T00:00:00Z"}

    def ids(**more: Any) -> list[str]:
        answer = api.get("/v1/orders", params={**span, **more})
        return [order["id"] for order in answer.json()["items"]]

    assert ids() == ids(stage="open") == ids(channel="web") == [id]
    assert ids(stage="closed") == ids(channel="bay") == []
    assert ids(customer="00000000-0000-8000-8000-000000000000") == []
    assert codes(api.get("/v1/orders", params={"customer": "x"})) >= {"customer:bad_id"}


def test_who_follows_changes_misses_nothing_and_goes_on_later(api: Client, orders: Orders) -> None:
    begin = api.get("/v1/orders", params={"changed_since": "2099-01-01T00:00:00Z"}).json()
    assert begin["items"] == []
    placed = [orders.place(("mug", 1)) for _ in range(6)]
    for id in placed:
        orders.until(id, "released")
    cursor, seen, pages = begin["next"], [], 0
    while pages < 50:
        page = api.get("/v1/orders", params={"cursor": cursor, "limit": 4}).json()
        assert len(page["items"]) <= 4
        if page["next"] == cursor:
            break
        seen += [order["id"] for order in page["items"]]
        cursor, pages = page["next"], pages + 1
    assert set(placed) <= set(seen)
    edit(api, placed[0], {"attributes": {"a.b": "c"}})
    page = api.get("/v1/orders", params={"cursor": cursor}).json()
    assert [(o["id"], o["revision"]) for o in page["items"]] == [(placed[0], 2)]


@pytest.mark.parametrize("cursor", ["c.", "c.AAAA", "x", "WzFd"])
def test_a_made_up_cursor_is_refused(api: Client, orders: Orders, cursor: str) -> None:
    answer = api.get("/v1/orders", params={"cursor": cursor})
    assert answer.status_code == 400 and "cursor:bad_cursor" in codes(answer)


def test_an_edit_changes_what_it_names_and_nothing_else(api: Client, orders: Orders) -> None:
    id = orders.place(("mug", 1), attributes={"lumen.gift_note": "Happy birthday"})
    orders.until(id, "released")
    answer = edit(
        api,
        id,
        {
            "customer": {"phone": "+1 2"},
            "groups": [{"number": 1, "address": {"instructions": "Ring twice."}}],
            "lines": [{"number": 1, "attributes": {"lumen.wrap": "red"}}],
        },
    )
    assert answer.status_code == 200 and answer.headers["etag"] == '"2"', answer.text
    order = answer.json()
    assert (order["customer"]["phone"], order["customer"]["name"]) == ("+1 2", "Ada Byron")
    address = order["groups"][0]["address"]
    assert (address["instructions"], address["lines"]) == ("Ring twice.", ["1 Main St"])
    assert order["attributes"] == {"lumen.gift_note": "Happy birthday"}
    assert order["lines"][0]["attributes"] == {"lumen.wrap": "red"}


def test_two_who_edit_one_revision_do_not_both_win(api: Client, orders: Orders) -> None:
    id = orders.place(("mug", 1))
    orders.until(id, "released")
    assert edit(api, id, {"attributes": {"a.b": "mine"}}).status_code == 200
    lost = edit(api, id, {"attributes": {"a.b": "yours"}})
    assert lost.status_code == 412 and lost.headers["etag"] == '"2"'
    assert api.get(f"/v1/orders/{id}").json()["attributes"] == {"a.b": "mine"}
    whichever = edit(api, id, {"attributes": {"a.b": "ours"}}, "*")
    assert whichever.status_code == 200 and whichever.json()["revision"] == 3


def test_an_edit_names_its_revision(api: Client, orders: Orders) -> None:
    id = orders.place(("mug", 1))
    assert edit(api, id, {"attributes": {}}, None).status_code == 428
    assert edit(api, id, {"attributes": {}}, "1").status_code == 428


def test_the_same_edit_again_gets_the_first_answer(api: Client, orders: Orders) -> None:
    id = orders.place(("mug", 1))
    orders.until(id, "released")
    first = edit(api, id, {"customer": {"phone": "+1 3"}}, key="k1")
    again = edit(api, id, {"customer": {"phone": "+1 3"}}, key="k1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["revision"] == 2 and again.headers["idempotency-replayed"] == "true"
    other = edit(api, id, {"customer": {"phone": "+1 4"}}, key="k1")
    assert other.status_code == 409 and "customer_id:differs" in codes(other)


def test_an_edit_that_does_not_fit_is_refused_with_all_its_faults(
    api: Client, orders: Orders
) -> None:
    id = orders.place(("mug", 1))
    answer = edit(
        api,
        id,
        {
            "attributes": {"NoSpace": "x"},
            "lines": [{"number": 7, "attributes": {}}],
            "groups": [{"number": 9}],
        },
    )
    assert answer.status_code == 422
    assert codes(answer) >= {
        "lines[0].number:unknown_reference",
        "groups[0].number:unknown_reference",
    }
    assert any(code.startswith("attributes") for code in codes(answer))
    assert "nothing_to_edit" in str(edit(api, id, {}).json())
    assert edit(api, id, {"total": 5}).status_code == 400


def test_a_cancellation_is_answered_in_the_order(api: Client, orders: Orders) -> None:
    id = orders.place(("mug", 3))
    orders.until(id, "released")
    body = {"lines": [{"line": 1, "quantity": 2}], "reason": "changed_mind"}
    headers = {"Idempotency-Key": "cancel 1"}
    first = api.post(f"/v1/orders/{id}/cancel", json=body, headers=headers)
    again = api.post(f"/v1/orders/{id}/cancel", json=body, headers=headers)
    assert first.status_code == again.status_code == 202 and first.json() == again.json()
    for _ in range(300):
        wishes = api.get(f"/v1/orders/{id}").json()["cancellations"]
        if wishes:
            break
    [wish] = wishes
    assert wish["requested"] == 2 and wish["request_id"] == first.json()["request_id"]
    other = {**body, "reason": "other"}
    assert api.post(f"/v1/orders/{id}/cancel", json=other, headers=headers).status_code == 409


def test_two_wishes_without_a_key_are_two(api: Client, orders: Orders) -> None:
    id = orders.place(("mug", 3))
    body = {"lines": [{"line": 1, "quantity": 1}]}
    one, two = (api.post(f"/v1/orders/{id}/cancel", json=body).json() for _ in range(2))
    assert one["request_id"] != two["request_id"]


def test_a_cancellation_of_what_is_not_there_is_refused(api: Client, orders: Orders) -> None:
    id = orders.place(("mug", 1))
    answer = api.post(f"/v1/orders/{id}/cancel", json={"lines": [{"line": 5, "quantity": 1}]})
    assert answer.status_code == 422 and "lines[0].line:unknown_reference" in codes(answer)
