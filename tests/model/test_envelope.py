"""A message in its envelope is a CloudEvent that anybody can read, and comes back as it left."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from crossdock.model.envelope import Received, border_types, decode, encode
from crossdock.model.messages import FulfillmentDeclined, OrderPlaced
from tests.model.orders import LAMP_AND_BULBS

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
DECLINED = FulfillmentDeclined(order_id="o-1", fulfillment_id="f-1", reason="no staff")


def sent(**changes: Any) -> bytes:
    body = json.loads(encode(DECLINED, id="m-1", source="/nodes/S014", time=NOON))
    return json.dumps({**body, **changes}).encode()


def codes_of(body: bytes) -> list[tuple[str, str]]:
    result = decode(body)
    assert isinstance(result, list)
    return [(problem.path, problem.code) for problem in result]


def test_a_message_leaves_as_a_cloudevent_with_its_correlation_and_cause() -> None:
    body = encode(
        DECLINED,
        id="m-1",
        source="/nodes/S014",
        time=NOON,
        subject="W-10041",
        correlation_id="c-1",
        causation_id="m-0",
    )

    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "m-1",
        "source": "/nodes/S014",
        "type": "crossdock.fulfillment.declined.v1",
        "time": "2026-11-03T12:00:00Z",
        "subject": "W-10041",
        "dataschema": "urn:crossdock:schema:crossdock.fulfillment.declined.v1",
        "correlationid": "c-1",
        "causationid": "m-0",
        "data": {"order_id": "o-1", "fulfillment_id": "f-1", "reason": "no staff"},
    }


def test_an_order_comes_back_as_it_left() -> None:
    body = encode(OrderPlaced(order=LAMP_AND_BULBS), id="m-1", source="/channels/web", time=NOON)

    received = decode(body)

    assert isinstance(received, Received)
    assert received.message == OrderPlaced(order=LAMP_AND_BULBS)
    assert received.envelope.time == NOON


def test_attributes_nobody_knows_are_let_through() -> None:
    assert isinstance(decode(sent(traceparent="00-4bf9-01", partitionkey="7")), Received)


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"specversion": "0.3"}, "specversion", "unsupported_version"),
        ({"datacontenttype": "text/xml"}, "datacontenttype", "unsupported_content"),
        ({"type": "crossdock.order.eaten.v1"}, "type", "unknown_type"),
        ({"id": ""}, "id", "bad_key"),
        ({"source": " "}, "source", "bad_key"),
        ({"time": "2026-11-03T12:00:00"}, "time", "time_without_zone"),
        ({"time": "noon"}, "time", "wrong_type"),
        ({"subject": "W\x00"}, "subject", "unstorable_character"),
        ({"data": None}, "data", "wrong_type"),
        ({"data": {"order_id": "o", "fulfillment_id": 1, "reason": ""}}, "data.fulfillment_id",
         "wrong_type"),
    ],
)  # fmt: skip
def test_an_envelope_that_cannot_be_taken_says_why(
    changes: dict[str, Any], path: str, code: str
) -> None:
    assert codes_of(sent(**changes)) == [(path, code)]


def test_all_that_is_missing_is_named_at_once() -> None:
    assert codes_of(b'{"data": {}}') == [
        (name, "missing") for name in ("specversion", "id", "source", "type")
    ]


def test_an_empty_envelope_and_no_json_are_refused() -> None:
    body = json.loads(sent())
    del body["data"]

    assert codes_of(json.dumps(body).encode()) == [("data", "missing")]
    assert codes_of(b"<order/>") == [("", "not_json")]


def test_what_is_wrong_in_the_message_is_found_under_data() -> None:
    message = json.loads(
        encode(OrderPlaced(order=LAMP_AND_BULBS), id="m-1", source="/channels/web", time=NOON)
    )
    message["data"]["order"]["lines"][1]["quantity"] = 0

    assert codes_of(json.dumps(message).encode()) == [
        ("data.order.lines[1].quantity", "bad_quantity")
    ]


def test_what_our_own_parts_say_to_each_other_is_not_taken_from_outside() -> None:
    assert "crossdock.order.placed.v1" in border_types()
    assert codes_of(sent(type="crossdock.order.allocated.v1")) == [("type", "unknown_type")]
