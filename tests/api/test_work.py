"""Nodes pull their work and tell what becomes of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from crossdock import db
from crossdock.api.pages import encode_cursor
from tests.api.keys import bearer, make_key
from tests.api.retail import Client, Retail, codes, told
from tests.integration.orders.shop import BOSTON, DENVER


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        shop = Retail(connection)
        shop.stock(BOSTON, mug=500, jug=500)
        yield shop


@pytest.fixture(scope="module", autouse=True)
def denver(retail: Retail) -> dict[str, str]:
    """The key of one other node, made before anybody asks."""
    return bearer(make_key(retail.connection, "node", nodes=[DENVER]))


def work_of(api: Client, retail: Retail, order_id: str) -> Any:
    return api.get(f"/v1/work/{retail.work(order_id).id}").json()


def test_new_work_shows_what_to_pick_and_where_it_goes(api: Client, retail: Retail) -> None:
    order_id = retail.order(("mug", 2), ("jug", 1))
    work = work_of(api, retail, order_id)
    assert (work["node"], work["work"], work["acknowledgement"]) == (BOSTON, "open", "submitted")
    assert [(one["sku"], one["to_ship"]) for one in work["lines"]] == [("mug", 2), ("jug", 1)]
    assert work["address"]["country"] == "US"
    assert work["order_number"].startswith("R-")


def test_a_substitute_is_what_to_pick_and_says_what_it_stands_for(
    api: Client, retail: Retail
) -> None:
    retail.sell("bowl", "mug")
    order_id = retail.order(("bowl", 2), ("jug", 1), substitutes_allowed=True)

    work = work_of(api, retail, order_id)

    assert [(one["sku"], one["name"], one["instead_of"]) for one in work["lines"]] == [
        ("mug", "mug", "bowl"), ("jug", "jug", ""),
    ]  # fmt: skip
    retail.finish(order_id)
    order = api.get(f"/v1/orders/{order_id}").json()
    assert order["substitutes_allowed"] is True
    assert [line["sku"] for line in order["lines"]] == ["bowl", "jug"]
    assert [one["substitute"] for one in order["fulfillments"][0]["lines"]] == ["mug", ""]
    [package] = order["shipments"][0]["packages"]
    assert [one["substitute"] for one in package["lines"]] == ["mug", ""]
    [package] = api.get(f"/v1/shipments/{order['shipments'][0]['id']}").json()["packages"]
    assert package["lines"] == [
        {"line": 1, "quantity": 2, "sku": "mug", "instead_of": "bowl"},
        {"line": 2, "quantity": 1, "sku": "jug", "instead_of": ""},
    ]


def test_a_node_follows_its_work_from_one_cursor_to_the_next(api: Client, retail: Retail) -> None:
    first = retail.order(("mug", 1))
    page = drained(api)
    assert first in {one["order_id"] for one in page["seen"]}
    second = retail.order(("mug", 1))
    work = retail.work(first)
    told(api, f"/v1/work/{work.id}/acknowledge", {})
    retail.settle()
    page = drained(api, page["next"])
    assert {(one["order_id"], one["acknowledgement"]) for one in page["seen"]} == {
        (second, "submitted"),
        (first, "accepted"),
    }
    assert drained(api, page["next"])["seen"] == []


def test_work_that_was_taken_away_is_told_and_history_is_not(api: Client, retail: Retail) -> None:
    shipped = retail.order(("mug", 1))
    retail.finish(shipped)
    canceled = retail.order(("mug", 1))
    page = drained(api)
    seen = {one["order_id"] for one in page["seen"]}
    assert canceled in seen and shipped not in seen
    retail.cancel(canceled)
    recall = retail.work(canceled)
    [asked] = api.get(f"/v1/work/{recall.id}").json()["recalls"]
    assert asked["lines"] == [{"line": 1, "quantity": 1}]
    answer = {"request_id": asked["request_id"], "given_back": asked["lines"]}
    told(api, f"/v1/work/{recall.id}/answer-recall", answer)
    retail.settle()
    [ended] = drained(api, page["next"])["seen"]
    assert (ended["order_id"], ended["work"]) == (canceled, "canceled")
    assert ended["closed_at"] and ended["recipient"] is None


def drained(api: Client, cursor: str | None = None, limit: int = 2) -> dict[str, Any]:
    """Everything from a cursor on, in small pages."""
    seen: list[Any] = []
    while True:
        page = api.get(
            "/v1/work", params={"limit": limit, **({"cursor": cursor} if cursor else {})}
        )
        assert page.status_code == 200, page.text
        seen += page.json()["items"]
        cursor = page.json()["next"]
        if not page.json()["more"]:
            return {"seen": seen, "next": cursor}


def test_a_change_that_commits_late_is_never_stepped_over(
    api: Client, retail: Retail, api_url: str
) -> None:
    early, late = retail.order(("mug", 1)), retail.order(("mug", 1))
    cursor = drained(api)["next"]
    touch = (
        "UPDATE fulfillment_order SET changed_in = pg_current_xact_id() WHERE order_id = %s::uuid"
    )
    with (
        contextlib.closing(db.connect(api_url)) as slow,
        contextlib.closing(db.connect(api_url)) as quick,
    ):
        slow.execute(touch, [late])
        quick.execute(touch, [early])
        quick.commit()
        meanwhile = drained(api, cursor)
        assert meanwhile["seen"] == []  # What follows a running transaction waits for it.
        slow.commit()
    after = drained(api, meanwhile["next"])
    assert [one["order_id"] for one in after["seen"]] == [late, early]


def test_changed_since_tells_of_ended_work_too(api: Client, retail: Retail) -> None:
    before = retail.clock.now().isoformat()
    ended = retail.order(("mug", 1))
    retail.finish(ended)
    page = api.get("/v1/work", params={"changed_since": before, "limit": 500}).json()
    assert ended in {one["order_id"] for one in page["items"] if one["closed_at"]}
    none = api.get("/v1/work", params={"changed_since": "2030-01-01T00:00:00Z"}).json()
    assert none["items"] == []


def test_a_cursor_of_a_later_database_begins_again(api: Client, retail: Retail) -> None:
    cursor = encode_cursor(1, 2**60, "00000000-0000-0000-0000-000000000000")
    answer = api.get("/v1/work", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (409, "cursor_of_another_database")
    assert api.get("/v1/work", params={"cursor": "WzFd"}).status_code == 400


def test_every_step_of_a_node_reaches_the_order(api: Client, retail: Retail) -> None:
    order_id = retail.order(("mug", 3))
    path = f"/v1/work/{retail.work(order_id).id}"
    told(api, f"{path}/acknowledge", {})
    told(api, f"{path}/pick", {"pick_id": "p1", "picked": [{"line": 1, "quantity": 2}]})
    told(api, f"{path}/pack", {"pack_id": "b1", "lines": [{"line": 1, "quantity": 2}]})
    retail.settle()
    assert work_of(api, retail, order_id)["lines"][0]["packed"] == 2
    package = {"lines": [{"line": 1, "quantity": 2}], "carrier": "ups", "tracking": "1Z-WORK"}
    told(api, f"{path}/ship", {"shipment_id": "s1", "packages": [package]})
    retail.settle()
    assert retail.units(order_id) == {"released": 1, "shipped": 2}
    short = {"line": 1, "quantity": 1, "reason": "damaged"}
    told(api, f"{path}/pick", {"pick_id": "p2", "short": [short]})
    retail.settle()
    assert retail.units(order_id) == {"backordered": 1, "shipped": 2}  # No other node has one.


def test_a_3pl_may_send_nothing_but_shipped(api: Client, retail: Retail) -> None:
    order_id = retail.order(("mug", 2))
    work = retail.work(order_id)
    told(
        api,
        f"/v1/work/{work.id}/ship",
        {
            "shipment_id": "asn-1",
            "at": "2026-11-02T16:00:00Z",
            "packages": [{"lines": [{"line": 1, "quantity": 2}], "tracking": "3PL-1"}],
        },
    )
    retail.settle()
    assert retail.units(order_id) == {"shipped": 2}


def test_what_comes_twice_counts_once_whatever_its_key(api: Client, retail: Retail) -> None:
    order_id = retail.order(("mug", 4))
    path = f"/v1/work/{retail.work(order_id).id}/pick"
    body = {"pick_id": "tote-7", "picked": [{"line": 1, "quantity": 1}]}
    first = told(api, path, body, key="k-1")
    assert "idempotency-replayed" not in first.headers
    for key in ("k-1", "k-2", None):
        again = told(api, path, body, key=key)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json() == first.json()
    retail.settle()
    assert work_of(api, retail, order_id)["lines"][0]["picked"] == 1


def test_the_same_key_or_number_with_other_content_names_the_field(
    api: Client, retail: Retail
) -> None:
    order_id = retail.order(("mug", 4))
    path = f"/v1/work/{retail.work(order_id).id}/pick"
    told(api, path, {"picked": [{"line": 1, "quantity": 1}]}, key="one")
    other = {"picked": [{"line": 1, "quantity": 2}]}
    answer = api.post(path, json=other, headers={"Idempotency-Key": "one"})
    assert (answer.status_code, codes(answer)) == (409, {"picked[0].quantity": "differs"})
    told(api, path, {"pick_id": "two", "picked": [{"line": 1, "quantity": 1}]}, key="a")
    answer = api.post(path, json={"pick_id": "two", **other}, headers={"Idempotency-Key": "b"})
    assert (answer.status_code, codes(answer)) == (409, {"picked[0].quantity": "differs"})
    # The refused key was not used up.
    told(api, path, {"pick_id": "three", "picked": [{"line": 1, "quantity": 1}]}, key="b")


def test_an_act_without_a_name_is_refused_with_everything_else_that_is_wrong(
    api: Client, retail: Retail
) -> None:
    path = f"/v1/work/{retail.work(retail.order(('mug', 1))).id}"
    answer = api.post(f"{path}/pick", json={"picked": [{"line": 9, "quantity": 1}]})
    assert answer.status_code == 422
    assert codes(answer) == {"pick_id": "no_name", "picked[0].line": "unknown_line"}
    answer = api.post(f"{path}/pack", json={"lines": [{"line": 1, "quantity": 0}]})
    assert answer.status_code == 400
    answer = api.post(f"{path}/answer-recall", json={"request_id": "nobody"})
    assert (answer.status_code, codes(answer)) == (422, {"request_id": "unknown_recall"})


def test_a_declined_work_goes_elsewhere(api: Client, retail: Retail) -> None:
    order_id = retail.order(("jug", 1))
    work = retail.work(order_id)
    told(api, f"/v1/work/{work.id}/decline", {"reason": "too_busy"})
    retail.settle()
    declined = api.get(f"/v1/work/{work.id}").json()
    assert (declined["acknowledgement"], declined["work"]) == ("declined", "canceled")


def test_a_hand_over_is_shipped_and_delivered_at_once(api: Client, retail: Retail) -> None:
    order_id = retail.order(("mug", 2))
    work = retail.work(order_id)
    told(api, f"/v1/work/{work.id}/hand-over", {}, key="counter-1")
    again = told(api, f"/v1/work/{work.id}/hand-over", {}, key="counter-1")
    assert again.headers["idempotency-replayed"] == "true"
    retail.settle()
    assert retail.units(order_id) == {"shipped": 2, "delivered": 2}
    assert retail.stage(order_id) == "closed"
    nothing = api.post(
        f"/v1/work/{work.id}/hand-over", json={}, headers={"Idempotency-Key": "counter-2"}
    )
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_left")


def test_many_updates_are_each_taken_or_refused(api: Client, retail: Retail) -> None:
    works = [retail.work(retail.order(("mug", 1))).id for _ in range(3)]
    updates = [
        {"work": works[0], "acknowledge": {}},
        {"work": works[1], "ship": {"packages": [{"lines": [{"line": 1, "quantity": 1}]}]}},
        {"work": "00000000-0000-8000-8000-000000000000", "acknowledge": {}},
        {"work": works[2], "acknowledge": {}, "decline": {"reason": "too_busy"}},
        {"work": works[2], "pick": {"pick_id": "x", "picked": [{"line": 5, "quantity": 1}]}},
    ]
    answer = told(api, "/v1/work/bulk", updates).json()
    assert (answer["taken"], answer["refused"]) == (1, 4)
    assert [one["code"] for one in answer["results"]] == [
        "",
        "invalid_work",
        "not_found",
        "invalid_work",
        "invalid_work",
    ]
    again = told(api, "/v1/work/bulk", updates[:2], key="night-run").json()
    assert [one["status"] for one in again["results"]] == ["repeated", "taken"]


def test_one_node_neither_sees_nor_changes_anothers_work(
    api: Client, denver: dict[str, str], retail: Retail
) -> None:
    work = retail.work(retail.order(("mug", 1)))
    assert work.node == BOSTON
    assert api.get(f"/v1/work/{work.id}", headers=denver).status_code == 404
    assert api.post(f"/v1/work/{work.id}/acknowledge", headers=denver, json={}).status_code == 404
    assert api.get("/v1/work", headers=denver).json()["items"] == []
    assert api.get("/v1/work", headers=denver, params={"node": BOSTON}).json()["items"] == []
    bulk = api.post(
        "/v1/work/bulk", headers=denver, json=[{"work": work.id, "acknowledge": {}}]
    ).json()
    assert [one["code"] for one in bulk["results"]] == ["not_found"]
    retail.settle()
    assert work_of(api, retail, work.order_id)["acknowledgement"] == "submitted"


def test_work_is_found_by_what_the_nodes_system_calls_it(
    api: Client, retail: Retail, api_connection: db.Connection
) -> None:
    work = retail.work(retail.order(("mug", 1)))
    api_connection.execute(
        "INSERT INTO external_ref (system, kind, external_id, our_id)"
        " VALUES ('wms', 'fulfillment', 'WO:77', %s)",
        [work.id],
    )
    api_connection.commit()
    assert api.get("/v1/work/wms:WO:77").json()["id"] == work.id
    assert api.get("/v1/work/wms:WO:78").status_code == 404
