"""Placing orders through the API."""

from __future__ import annotations

from typing import Any

from litestar.testing import TestClient

from crossdock import db

Client = TestClient[Any]


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


def test_an_acknowledged_order_is_in_the_inbox(api: Client, api_connection: db.Connection) -> None:
    answer = api.post("/v1/orders", json=lamp("W-1"))
    assert answer.status_code == 201, answer.text
    found = api_connection.execute(
        "SELECT instance FROM inbox WHERE type = 'crossdock.order.placed.v1'"
    ).fetchall()
    assert found == [(answer.json()["id"],)]


def test_the_same_order_again_gets_the_first_answer(api: Client) -> None:
    first = api.post("/v1/orders", json=lamp("W-2"))
    again = api.post("/v1/orders", json=lamp("W-2"))
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


def test_a_body_that_does_not_fit_is_refused_with_every_misfit(api: Client) -> None:
    answer = api.post("/v1/orders", json=lamp("W-3", currency=5, lines=[{"number": "one"}]))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    paths = {error["path"] for error in answer.json()["errors"]}
    assert {"currency", "lines[0].number", "lines[0].sku", "lines[0].quantity"} <= paths


def test_nothing_found_is_a_problem_too(api: Client) -> None:
    answer = api.get("/v1/nowhere")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
