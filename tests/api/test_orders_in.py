"""Placing orders through the API: durable, once, and as the channel's policy wants it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from litestar.testing import TestClient

from crossdock import db
from crossdock.catalog.model import Channel, Listing, Network, OnInvalid, Product
from crossdock.catalog.store import save_listings, save_network, save_products
from crossdock.model.orders import Method

Client = TestClient[Any]

NETWORK = Network(
    channels=(
        Channel(code="web", name="Web shop", on_invalid=OnInvalid.REFUSE),
        Channel(code="phone", name="Call center", on_invalid=OnInvalid.HOLD),
        Channel(code="market", name="Market", on_invalid=OnInvalid.REFUSE, paid=True),
    )
)


@pytest.fixture(autouse=True, scope="module")
def shop(api_url: str) -> None:
    """Three channels, a lamp, and what the market calls two of it."""
    with db.connect(api_url) as connection:
        save_network(connection, NETWORK)
        save_products(connection, [Product(sku="LAMP-BRASS", name="Brass lamp")])
        save_listings(
            connection,
            [Listing(channel="market", channel_sku="M-2LAMPS", sku="LAMP-BRASS", pack_quantity=2)],
        )


def lamp(number: str = "W-1", **changes: Any) -> dict[str, Any]:
    """Ada's brass lamp."""
    return {
        "channel": "web",
        "number": number,
        "placed_at": "2026-11-03T09:41:00Z",
        "currency": "USD",
        "total": 4999,
        "customer": {"name": "Ada Byron", "email": "ada@example.org"},
        "lines": [{"number": 1, "sku": "LAMP-BRASS", "quantity": 1, "unit_price": "49.99"}],
        "groups": [{"address": {"country": "US", "postal_code": "02139", "city": "Cambridge"}}],
        **changes,
    }


def unknown_sku() -> list[dict[str, Any]]:
    return [{"number": 1, "sku": "LAMP-GOLD", "quantity": 1, "unit_price": "49.99"}]


def placed(connection: db.Connection, order_id: str) -> int:
    """How many messages of that order are in the inbox."""
    row = connection.execute("SELECT count(*) FROM inbox WHERE instance = %s", [order_id])
    return int((row.fetchone() or (0,))[0])


def paths(answer: Any) -> set[str]:
    return {error["path"] for error in answer.json()["errors"]}


# Durable and once ---------------------------------------------------------------------------------


def test_an_acknowledged_order_is_in_the_inbox(api: Client, api_connection: db.Connection) -> None:
    answer = api.post("/v1/orders", json=lamp("W-1"))
    assert answer.status_code == 201, answer.text
    assert answer.json()["result"] == "accepted"
    assert placed(api_connection, answer.json()["id"]) == 1


def test_an_order_that_allows_substitutes_says_so_before_anybody_looked_at_it(api: Client) -> None:
    for number, said in (("W-S1", {"substitutes_allowed": True}), ("W-S2", {})):
        placed = api.post("/v1/orders", json=lamp(number, **said)).json()
        read = api.get(f"/v1/orders/{placed['id']}").json()
        assert (read["stage"], read["substitutes_allowed"]) == ("received", bool(said))


def test_the_same_order_again_gets_the_first_answer(
    api: Client, api_connection: db.Connection
) -> None:
    first = api.post("/v1/orders", json=lamp("W-2"))
    again = api.post("/v1/orders", json=lamp("W-2"))
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert placed(api_connection, first.json()["id"]) == 1


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("total", {"total": 5999, "charges": [{"number": 1, "kind": "gift", "amount": 1000}]}),
        ("placed_at", {"placed_at": "2026-11-03T09:42:00Z"}),
        ("substitutes_allowed", {"substitutes_allowed": True}),
        ("customer.email", {"customer": {"name": "Ada Byron", "email": "ada@example.com"}}),
        (
            "groups[0].address.city",
            {"groups": [{"address": {"country": "US", "postal_code": "02139", "city": "Boston"}}]},
        ),
    ],
)
def test_another_order_of_the_same_number_is_a_conflict_that_names_the_field(
    api: Client, field: str, changes: dict[str, Any]
) -> None:
    assert api.post("/v1/orders", json=lamp("W-3")).status_code == 201
    answer = api.post("/v1/orders", json=lamp("W-3", **changes))
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
    assert paths(answer) <= {field, "charges"}


def test_a_key_used_for_another_order_is_a_conflict_and_takes_nothing(
    api: Client, api_connection: db.Connection
) -> None:
    key = {"Idempotency-Key": "checkout 77"}
    first = api.post("/v1/orders", json=lamp("W-4"), headers=key)
    assert first.status_code == 201
    assert api.post("/v1/orders", json=lamp("W-4"), headers=key).json() == first.json()
    other = api.post("/v1/orders", json=lamp("W-5"), headers=key)
    assert (other.status_code, paths(other)) == (409, {"number"})
    fresh = api.post("/v1/orders", json=lamp("W-5"))
    assert fresh.status_code == 201
    assert "idempotency-replayed" not in fresh.headers


def test_a_key_whose_order_was_refused_may_be_used_again(api: Client) -> None:
    key = {"Idempotency-Key": "checkout 78"}
    assert api.post("/v1/orders", json=lamp("W-6", total=1), headers=key).status_code == 422
    assert api.post("/v1/orders", json=lamp("W-4", total=4998), headers=key).status_code == 409
    assert api.post("/v1/orders", json=lamp("W-6"), headers=key).status_code == 201


# What is wrong with it ----------------------------------------------------------------------------


def test_a_body_that_does_not_fit_is_refused_with_every_misfit(api: Client) -> None:
    answer = api.post("/v1/orders", json=lamp("W-7", currency=5, lines=[{"number": "one"}]))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"currency", "lines[0].number", "lines[0].sku", "lines[0].quantity"} <= paths(answer)


def test_an_order_that_makes_no_sense_is_refused_with_every_finding(
    api: Client, api_connection: db.Connection
) -> None:
    address = {"country": "XX", "postal_code": "02139"}
    order = lamp("W-8", total=1, lines=unknown_sku(), groups=[{"address": address}])
    answer = api.post("/v1/orders", json=order)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_order")
    assert {"total", "lines[0].sku", "groups[0].country"} <= paths(answer)
    row = api_connection.execute("SELECT 1 FROM external_ref WHERE external_id = 'W-8'").fetchone()
    assert row is None


@pytest.mark.parametrize(
    "changes",
    [
        {"placed_at": "1965-01-01T00:00:00Z"},
        {"placed_at": "9999-12-31T23:59:59-12:00"},
        {"customer": {"name": "Ada", "kind": "cat"}},
        {"currency": "ABC"},
        {"lines": []},
    ],
)
def test_what_cannot_be_written_down_is_refused_by_every_channel(
    api: Client, changes: dict[str, Any]
) -> None:
    for channel in ("web", "phone", "market"):
        answer = api.post("/v1/orders", json=lamp("W-9", channel=channel, **changes))
        assert answer.status_code == 422, answer.text


def test_a_channel_that_holds_gets_its_order_taken_and_the_reasons_told(
    api: Client, api_connection: db.Connection
) -> None:
    answer = api.post("/v1/orders", json=lamp("P-1", channel="phone", lines=unknown_sku()))
    assert (answer.status_code, answer.json()["result"]) == (201, "held")
    assert [p["code"] for p in answer.json()["problems"]] == ["unknown_sku"]
    assert placed(api_connection, answer.json()["id"]) == 1


def test_what_was_held_first_is_told_again_though_the_catalog_changed(
    api: Client, api_connection: db.Connection
) -> None:
    lines = [{"number": 1, "sku": "LAMP-NEW", "quantity": 1, "unit_price": "49.99"}]
    order = lamp("P-2", channel="phone", lines=lines)
    first = api.post("/v1/orders", json=order)
    assert first.json()["result"] == "held"
    save_products(api_connection, [Product(sku="LAMP-NEW", name="New lamp")])
    api_connection.commit()
    again = api.post("/v1/orders", json=order)
    assert again.json() == first.json()
    assert api.post("/v1/orders", json=order | {"number": "P-3"}).json()["result"] == "accepted"


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": "market"},
        {"tenders": [{"number": 1, "kind": "marketplace", "amount": 1, "paid": True}], "total": 1},
    ],
)
def test_a_paid_order_is_never_refused(api: Client, changes: dict[str, Any]) -> None:
    order = lamp(f"M-{sorted(changes)[0]}", lines=unknown_sku(), **changes)
    answer = api.post("/v1/orders", json=order)
    assert (answer.status_code, answer.json()["result"]) == (201, "held"), answer.text


def test_a_method_the_channel_does_not_offer_is_a_finding(api: Client) -> None:
    group = {"method": Method.PICKUP, "pickup_node": "nowhere", "address": {"country": "US"}}
    answer = api.post("/v1/orders", json=lamp("W-10", groups=[group]))
    assert paths(answer) == {"groups[0].method", "groups[0].pickup_node"}


def test_what_the_market_calls_it_becomes_our_sku_and_units(
    api: Client, api_connection: db.Connection
) -> None:
    lines = [{"number": 1, "sku": "M-2LAMPS", "quantity": 3, "unit_price": "90.00"}]
    order = lamp("M-1", channel="market", lines=lines, total=27000)
    answer = api.post("/v1/orders", json=order)
    assert answer.json()["result"] == "accepted"
    row = api_connection.execute(
        "SELECT body FROM inbox WHERE instance = %s", [answer.json()["id"]]
    ).fetchone()
    assert row is not None
    assert b"LAMP-BRASS" in row[0]
    assert api.post("/v1/orders", json=order).headers["idempotency-replayed"] == "true"


# Many at once -------------------------------------------------------------------------------------


def test_each_of_many_orders_gets_the_answer_it_would_get_alone(
    api: Client, api_connection: db.Connection
) -> None:
    assert api.post("/v1/orders", json=lamp("B-0")).status_code == 201
    orders: list[Any] = [lamp("B-1"), lamp("B-2", total=1), {"number": 1}, lamp("B-0", total=2)]
    orders.append(lamp("B-3", channel="phone", lines=unknown_sku()))
    answer = api.post("/v1/orders/bulk", json=orders)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [item["status"] for item in found["items"]] == [201, 422, 400, 409, 201]
    assert (found["taken"], found["not_taken"]) == (2, 3)
    assert found["items"][1]["problem"]["errors"][0]["path"] == "total"
    assert found["items"][4]["order"]["result"] == "held"
    assert placed(api_connection, found["items"][0]["order"]["id"]) == 1


def test_lines_of_json_are_as_good_as_an_array(api: Client) -> None:
    orders = [lamp(f"N-{number}") for number in range(300)]
    body = "\n".join(json.dumps(order) for order in orders) + "\n"
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "night"}
    first = api.post("/v1/orders/bulk", content=body, headers=headers)
    assert first.json()["taken"] == 300, first.text[:500]
    assert api.post("/v1/orders/bulk", content=body, headers=headers).json() == first.json()
    again = api.post("/v1/orders", json=orders[299])
    assert again.headers["idempotency-replayed"] == "true"


def test_no_order_and_too_many_are_malformed(api: Client) -> None:
    for body in ("[]", "{}", "", "[" + ",".join(["1"] * 5001) + "]"):
        answer = api.post(
            "/v1/orders/bulk", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, body[:20]


def test_nothing_found_is_a_problem_too(api: Client) -> None:
    answer = api.get("/v1/nowhere")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
