"""Systems follow shipments and payments, bring answers to both, and read why things are so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from crossdock import db
from crossdock.invariants import check
from crossdock.model.orders import Tender
from tests.api.keys import bearer, make_key
from tests.api.retail import Client, Retail, codes, told
from tests.integration.orders.shop import BOSTON, DENVER, outside_order

CARD = (Tender(number=1, kind="card", amount=1250, reference="tok_ada"),)


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        shop = Retail(connection)
        shop.stock(BOSTON, mug=300)
        yield shop


@pytest.fixture(scope="module", autouse=True)
def keys(retail: Retail) -> dict[str, dict[str, str]]:
    """The keys of another node and of another channel."""
    return {
        "denver": bearer(make_key(retail.connection, "node", nodes=[DENVER])),
        "pos": bearer(make_key(retail.connection, "payments", channels=["pos"])),
    }


def shipped(retail: Retail, tracking: str) -> tuple[str, str]:
    """An order that left in one package; its id and that of its work."""
    order_id = retail.order(("mug", 1))
    work = retail.work(order_id)
    [number] = retail.ship(work, prefix=tracking)
    return order_id, number


def event(kind: str, tracking: str, **more: Any) -> dict[str, Any]:
    return {"event": kind, "tracking": tracking, "at": "2026-11-04T10:00:00Z", **more}


def drained(api: Client, cursor: str | None = None) -> tuple[list[Any], str]:
    seen: list[Any] = []
    while True:
        params: dict[str, str | int] = {"limit": 2}
        if cursor:
            params["cursor"] = cursor
        page = api.get("/v1/shipments", params=params).json()
        seen += page["items"]
        cursor = page["next"]
        if not page["more"]:
            return seen, page["next"]


def test_shipments_are_followed_from_leaving_to_arriving(api: Client, retail: Retail) -> None:
    order_id, tracking = shipped(retail, "1Z-A")
    seen, cursor = drained(api)
    [mine] = [one for one in seen if one["order_id"] == order_id]
    [package] = mine["packages"]
    assert (package["tracking"], package["status"]) == (tracking, "on_way")
    assert package["lines"] == [{"line": 1, "quantity": 1, "sku": "mug", "instead_of": ""}]
    assert (mine["node"], mine["currency"], mine["amount"]) == (BOSTON, "USD", 1250)
    told(api, "/v1/shipments/tracking", event("delivered", tracking))
    retail.settle()
    seen, cursor = drained(api, cursor)
    [package] = [one for one in seen if one["order_id"] == order_id][-1]["packages"]
    assert (package["status"], package["delivered_at"][:10]) == ("delivered", "2026-11-04")
    assert drained(api, cursor)[0] == []
    assert retail.units(order_id) == {"shipped": 1, "delivered": 1}
    assert api.get(f"/v1/shipments/{mine['id']}").json()["packages"] == [package]
    found = api.get("/v1/shipments", params={"tracking": tracking}).json()["items"]
    assert [one["id"] for one in found] == [mine["id"]]


def test_an_arrival_told_before_the_departure_is_kept(api: Client, retail: Retail) -> None:
    order_id = retail.order(("mug", 1))
    work = retail.work(order_id)
    early = event("delivered", "1Z-EARLY-1")
    assert api.post("/v1/shipments/tracking", json=early).status_code == 404
    told(api, "/v1/shipments/tracking", {**early, "work": work.id})
    retail.settle()
    retail.ship(work, prefix="1Z-EARLY")
    assert retail.units(order_id) == {"shipped": 1, "delivered": 1}


def test_a_lost_package_is_sent_again(api: Client, retail: Retail) -> None:
    order_id, tracking = shipped(retail, "1Z-L")
    told(api, "/v1/shipments/tracking", event("lost", tracking, reason="train fire"), key="l-1")
    again = told(
        api, "/v1/shipments/tracking", event("lost", tracking, reason="train fire"), key="l-2"
    )
    assert again.headers["idempotency-replayed"] == "true"
    retail.settle()
    [package] = api.get("/v1/shipments", params={"tracking": tracking}).json()["items"][0][
        "packages"
    ]
    assert package["status"] == "lost"
    assert "sent_again" in retail.told(order_id)


def test_many_events_are_each_taken_or_refused(api: Client, retail: Retail) -> None:
    _, tracking = shipped(retail, "1Z-M")
    events = [
        event("delivered", tracking),
        event("delivered", "1Z-NOBODY"),
        event("stopped", tracking),
        event("delivered", ""),
        event("delivered", tracking),
    ]
    answer = told(api, "/v1/shipments/tracking/bulk", events).json()
    found = [(one["status"], one["code"]) for one in answer["results"]]
    assert found == [
        ("taken", ""),
        ("refused", "not_found"),
        ("refused", "invalid_tracking"),
        ("refused", "invalid_tracking"),
        ("repeated", ""),
    ]


def test_one_node_sees_and_tells_of_its_own_packages_only(
    api: Client, retail: Retail, keys: dict[str, dict[str, str]]
) -> None:
    _, tracking = shipped(retail, "1Z-N")
    [mine] = api.get("/v1/shipments", params={"tracking": tracking}).json()["items"]
    denver = keys["denver"]
    assert api.get("/v1/shipments", headers=denver).json()["items"] == []
    params = {"tracking": tracking}
    assert api.get("/v1/shipments", headers=denver, params=params).json()["items"] == []
    assert api.get(f"/v1/shipments/{mine['id']}", headers=denver).status_code == 404
    body = event("delivered", tracking, shipment=mine["id"])
    assert api.post("/v1/shipments/tracking", headers=denver, json=body).status_code == 404
    assert api.get("/v1/payments", headers=denver).status_code == 403


def test_what_was_asked_of_a_provider_is_read_by_order_and_since_a_time(
    api: Client, retail: Retail, keys: dict[str, dict[str, str]]
) -> None:
    retail.wait(minutes=1)
    since = retail.clock.now().isoformat()
    order_id = retail.order(("mug", 1), tenders=CARD)
    retail.finish(order_id)
    found = api.get(f"/v1/payments/{order_id}").json()
    [tender] = found["tenders"]
    assert (tender["status"], tender["captured"], found["total"]) == ("authorized", 1250, 1250)
    kinds = [(one["kind"], one["status"], one["amount"]) for one in found["entries"]]
    assert kinds == [("authorize", "done", 1250), ("capture", "done", 1250)]
    listed = api.get("/v1/payments", params={"changed_since": since, "limit": 1}).json()
    rest = api.get("/v1/payments", params={"changed_since": since, "cursor": listed["next"]}).json()
    assert [one["kind"] for one in (*listed["items"], *rest["items"])] == ["authorize", "capture"]
    later = (retail.clock.now() + timedelta(days=1)).isoformat()
    assert api.get("/v1/payments", params={"changed_since": later}).json()["items"] == []
    assert api.get("/v1/payments", headers=keys["pos"]).json()["items"] == []
    assert api.get(f"/v1/payments/{order_id}", headers=keys["pos"]).status_code == 404


def test_an_answer_of_a_provider_can_come_through_the_api(api: Client, retail: Retail) -> None:
    order_id = placed_unanswered(retail, "PAY-1")
    [entry] = api.get(f"/v1/payments/{order_id}").json()["entries"]
    assert (entry["kind"], entry["status"]) == ("authorize", "asked")
    body = {"order": order_id, "key": entry["key"], "outcome": "done", "reference": "AUTH-9"}
    told(api, "/v1/payments/results", body, key="psp-1")
    again = told(api, "/v1/payments/results", body)
    assert again.headers["idempotency-replayed"] == "true"
    other = api.post("/v1/payments/results", json={**body, "outcome": "refused"})
    assert (other.status_code, codes(other)) == (409, {"outcome": "differs"})
    retail.settle()
    [entry] = api.get(f"/v1/payments/{order_id}").json()["entries"]
    assert (entry["status"], entry["reference"]) == ("done", "AUTH-9")
    assert retail.stage(order_id) == "open"
    unknown = {**body, "key": "nobody"}
    assert api.post("/v1/payments/results", json=unknown).status_code == 404


def test_an_answer_that_a_connector_brought_stays(api: Client, retail: Retail) -> None:
    order_id = retail.order(("mug", 1), tenders=CARD)
    [entry] = api.get(f"/v1/payments/{order_id}").json()["entries"]
    body = {"order": order_id, "key": entry["key"], "outcome": "refused", "reason": "expired"}
    answer = api.post("/v1/payments/results", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_settled")
    assert retail.stage(order_id) == "open"


def placed_unanswered(retail: Retail, number: str) -> str:
    """An order whose authorization was asked for and not sent yet."""
    order = outside_order(number, ("mug", 1), tenders=CARD, placed_at=retail.clock.now())
    [receipt] = retail.take([order])
    retail.runner.run_until_idle()
    return receipt.order_id


def test_every_record_of_a_case_is_found_by_its_correlation_id(api: Client, retail: Retail) -> None:
    order_id = placed_unanswered(retail, "REC-1")
    [open_effect] = api.get("/v1/records/effects", params=case(order_id)).json()["items"]
    assert (open_effect["connector"], open_effect["status"]) == ("payment", "waiting")
    retail.settle()
    retail.finish(order_id)
    messages: list[Any] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {**case("web:REC-1"), "limit": 7}
        if cursor:
            params["cursor"] = cursor
        page = api.get("/v1/records/messages", params=params).json()
        messages += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    names = [one["name"] for one in messages]
    assert names[0] == "OrderPlaced" and {"FulfillmentShipped", "UnitsDelivered"} <= set(names)
    assert len({(one["id"], one["process"]) for one in messages}) == len(messages)
    assert {one["status"] for one in messages} == {"handled"}
    effects = api.get("/v1/records/effects", params=case(order_id)).json()["items"]
    assert {"PaymentAuthorized", "PaymentCaptured"} <= {one["operation"] for one in effects}
    assert {one["status"] for one in effects} == {"done"}
    [decision] = api.get("/v1/records/decisions", params=case(order_id)).json()["items"]
    assert decision["decision"]["chosen"]["nodes"][0]["node"] == BOSTON
    assert decision["demand"]["lines"][0]["sku"] == "mug"
    assert decision["decision"]["policy_version"]


def case(text: str) -> dict[str, str]:
    return {"correlation_id": text}


def test_a_case_that_nobody_knows_has_no_records(api: Client, retail: Retail) -> None:
    nobody = "00000000-0000-8000-8000-000000000000"
    for kind in ("decisions", "messages", "effects"):
        assert api.get(f"/v1/records/{kind}", params=case(nobody)).json()["items"] == []
        assert api.get(f"/v1/records/{kind}", params=case("web:NONE")).status_code == 404


def test_afterwards_every_invariant_holds(retail: Retail) -> None:
    retail.settle()
    broken = check(retail.connection)
    retail.connection.rollback()
    assert not broken


@pytest.mark.parametrize("path", ["/v1/shipments?node=%00", "/v1/work?node=a%00", "/v1/nodes/%00"])
def test_a_nul_in_a_parameter_is_named_and_never_a_fault(api: Client, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "unstorable_character"
