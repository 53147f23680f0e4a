"""Systems read, report and correct stock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from crossdock import db
from crossdock.api.stock.correcting import Asked, write_corrections
from crossdock.api.stock.model import CorrectionAsked
from tests.api.keys import bearer, make_key
from tests.api.retail import Client, Retail, codes, told
from tests.integration.orders.shop import BOSTON, DENVER, PROVIDENCE


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        yield Retail(connection)


@pytest.fixture(scope="module", autouse=True)
def denver(retail: Retail) -> dict[str, str]:
    return bearer(make_key(retail.connection, "warehouse", nodes=[DENVER]))


@pytest.fixture
def whole(retail: Retail) -> Iterator[None]:
    """After the test every invariant holds."""
    yield
    retail.settle()
    retail.assert_whole()


def level(api: Client, sku: str, node: str) -> dict[str, Any]:
    found = api.get("/v1/inventory/levels", params={"sku": sku, "node": node}).json()["items"]
    return found[0] if found else {}


def move(name: str, sku: str, quantity: int, **changes: Any) -> dict[str, Any]:
    return {
        "move_id": name,
        "sku": sku,
        "node": BOSTON,
        "quantity": quantity,
        "from_bucket": "supplier",
        "to_bucket": "sellable",
        "occurred_at": "2026-11-02T08:00:00Z",
        **changes,
    }


def correction(sku: str, expected: int, quantity: int, **changes: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "node": BOSTON,
        "expected_quantity": expected,
        "quantity": quantity,
        "reason": "recount",
        **changes,
    }


def test_moves_are_booked_once_each(api: Client, retail: Retail, whole: None) -> None:
    body = {"source": "pos", "moves": [move("a", "mug", 5), move("b", "mug", 2, node=DENVER)]}
    first = told(api, "/v1/inventory/moves", body)
    assert first.json() == {"taken": 2, "refused": []}
    again = told(api, "/v1/inventory/moves", body)
    assert again.headers["idempotency-replayed"] == "true"
    told(api, "/v1/inventory/moves", {"source": "pos", "moves": [move("a", "mug", 5)]})
    retail.settle()
    assert (level(api, "mug", BOSTON)["sellable"], level(api, "mug", DENVER)["sellable"]) == (5, 2)


def test_levels_come_in_pages_and_since_a_time(api: Client, retail: Retail) -> None:
    retail.stock(BOSTON, mug=1, tray=1)
    everything = api.get("/v1/inventory/levels", params={"limit": 500}).json()["items"]
    seen: list[Any] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = api.get("/v1/inventory/levels", params=params).json()
        seen += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == everything and len(seen) > 2
    retail.wait(hours=1)
    since = retail.clock.now().isoformat()
    retail.stock(PROVIDENCE, mug=1)
    page = api.get("/v1/inventory/levels", params={"changed_since": since}).json()
    changed = {(one["sku"], one["node"]) for one in page["items"]}
    assert changed == {("mug", PROVIDENCE)}


def test_moves_that_cannot_be_booked_are_named_and_the_rest_is_taken(
    api: Client, retail: Retail, whole: None
) -> None:
    moves = [
        move("c", "jug", 4),
        move("d", "jug", 0),
        move("e", "jug", 1, node="atlantis"),
        move("f", "jug", 1, to_bucket="picked"),
    ]
    answer = told(api, "/v1/inventory/moves", {"source": "pos", "moves": moves}).json()
    assert answer["taken"] == 1
    found = {one["index"]: [e["code"] for e in one["errors"]] for one in answer["refused"]}
    assert found == {1: ["bad_quantity"], 2: ["unknown_node"], 3: ["cannot_be_booked"]}
    retail.settle()
    assert level(api, "jug", BOSTON)["sellable"] == 4
    chunk = {"source": "pos", "sequence": 7, "moves": moves}
    refused = api.post("/v1/inventory/moves", json=chunk)
    assert refused.status_code == 422
    assert set(codes(refused)) == {"moves[1].quantity", "moves[2].node", "moves[3]"}


def test_a_snapshot_as_of_a_time_keeps_what_moved_since(
    api: Client, retail: Retail, whole: None
) -> None:
    later = move("late", "tray", 3, node=PROVIDENCE, occurred_at="2026-11-02T10:00:00Z")
    told(api, "/v1/inventory/moves", {"source": "pos", "moves": [later]})
    retail.settle()
    count = {
        "source": "wms",
        "node": PROVIDENCE,
        "as_of": "2026-11-02T09:00:00Z",
        "counts": [{"sku": "tray", "quantity": 10}],
    }
    assert told(api, "/v1/inventory/counts", count).json() == {"taken": 1}
    retail.settle()
    assert level(api, "tray", PROVIDENCE)["sellable"] == 13
    older = {**count, "as_of": "2026-11-02T07:00:00Z", "counts": [{"sku": "tray", "quantity": 99}]}
    told(api, "/v1/inventory/counts", older)
    retail.settle()
    assert level(api, "tray", PROVIDENCE)["sellable"] == 13


def test_a_correction_is_made_at_once_if_it_saw_what_is_there(
    api: Client, retail: Retail, whole: None
) -> None:
    retail.stock(BOSTON, mug=10)
    seen = level(api, "mug", BOSTON)["sellable"]
    made = told(api, "/v1/inventory/corrections", correction("mug", seen, seen - 2), key="c-1")
    assert (made.json()["previous_quantity"], made.json()["quantity"]) == (seen, seen - 2)
    assert level(api, "mug", BOSTON)["sellable"] == seen - 2
    again = told(api, "/v1/inventory/corrections", correction("mug", seen, seen - 2), key="c-1")
    assert (again.json(), again.headers["idempotency-replayed"]) == (made.json(), "true")


def test_a_stale_correction_changes_nothing_and_tells_the_actual_value(
    api: Client, retail: Retail, whole: None
) -> None:
    retail.stock(BOSTON, jug=3)
    seen = level(api, "jug", BOSTON)["sellable"]
    body = correction("jug", seen + 1, 0)
    refused = api.post("/v1/inventory/corrections", json=body, headers={"Idempotency-Key": "s"})
    assert (refused.status_code, refused.json()["code"]) == (409, "stale_quantity")
    assert refused.json()["actual_quantity"] == seen
    assert level(api, "jug", BOSTON)["sellable"] == seen
    retail.stock(BOSTON, jug=1)  # Now it would fit, but the answer to that key was given.
    again = api.post("/v1/inventory/corrections", json=body, headers={"Idempotency-Key": "s"})
    assert again.json() == refused.json()
    other = api.post(
        "/v1/inventory/corrections",
        json={**body, "quantity": 1},
        headers={"Idempotency-Key": "s"},
    )
    assert (other.json()["code"], codes(other)) == ("idempotency_conflict", {"quantity": "differs"})


def test_of_many_who_saw_the_same_number_one_is_right(
    api: Client, retail: Retail, api_url: str, whole: None
) -> None:
    seen = level(api, "mug", BOSTON)["sellable"]
    start, applied = threading.Barrier(6), []

    def correct(number: int) -> None:
        asked = CorrectionAsked(**correction("mug", seen, seen + number + 1))
        with contextlib.closing(db.connect(api_url)) as connection:
            start.wait()
            [decided] = write_corrections(
                connection, [Asked(("race", str(number)), asked, "race")], datetime.now(UTC)
            )
            connection.commit()
        applied.append((decided.stored.applied, number))

    threads = [threading.Thread(target=correct, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [number for was_applied, number in applied if was_applied]
    assert level(api, "mug", BOSTON)["sellable"] == seen + winner + 1


def test_a_correction_that_takes_the_ground_from_an_order_is_told_to_it(
    api: Client, retail: Retail, whole: None
) -> None:
    retail.stock(BOSTON, tray=2)
    retail.stock(DENVER, tray=5)
    order_id = retail.order(("tray", 2))
    node = retail.work(order_id).node
    seen = level(api, "tray", node)
    assert seen["reserved"] == 2
    told(api, "/v1/inventory/corrections", correction("tray", seen["sellable"], 0, node=node))
    retail.settle()
    assert retail.work(order_id).node != node
    assert retail.units(order_id) == {"released": 2}


def test_stock_that_is_found_serves_who_waits_for_it(
    api: Client, retail: Retail, whole: None
) -> None:
    api_levels = api.get("/v1/inventory/levels", params={"sku": "jug"}).json()["items"]
    order_id = retail.order(("jug", sum(one["available"] for one in api_levels) + 2))
    assert retail.units(order_id)["backordered"] == 2
    seen = level(api, "jug", BOSTON)["sellable"]
    told(api, "/v1/inventory/corrections", correction("jug", seen, seen + 2, reason="found"))
    retail.settle()
    assert "backordered" not in retail.units(order_id)


def test_many_corrections_are_each_decided(api: Client, retail: Retail, whole: None) -> None:
    retail.stock(DENVER, mug=6)
    retail.settle()
    seen = level(api, "mug", DENVER)["sellable"]
    body = [
        correction("mug", seen, seen + 1, node=DENVER),
        correction("mug", seen, seen + 5, node=DENVER),
        correction("nobody-sells-it", 0, 1),
        correction("mug", 0, 3, node=DENVER, bucket="damaged"),
    ]
    answer = told(api, "/v1/inventory/corrections/bulk", body).json()
    assert (answer["applied"], answer["refused"]) == (2, 2)
    assert [one["code"] for one in answer["results"]] == [
        "",
        "stale_quantity",
        "invalid_stock_report",
        "",
    ]
    assert answer["results"][1]["actual_quantity"] == seen + 1
    found = level(api, "mug", DENVER)
    assert (found["sellable"], found["damaged"]) == (seen + 1, 3)


def test_a_node_sees_and_reports_its_own_stock_only(
    api: Client, retail: Retail, denver: dict[str, str]
) -> None:
    page = api.get("/v1/inventory/levels", headers=denver).json()["items"]
    assert {one["node"] for one in page} == {DENVER}
    mine = api.post(
        "/v1/inventory/corrections", headers=denver, json=correction("mug", 0, 1, node=BOSTON)
    )
    assert (mine.status_code, codes(mine)) == (422, {"node": "unknown_node"})
    body = {"source": "pos", "moves": [move("z", "mug", 5)]}
    assert api.post("/v1/inventory/moves", headers=denver, json=body).status_code == 422
