"""The examples of what nodes and systems send and are answered: Ada's brass lamp on its way.

By the name of the handler: the body it takes (None where it takes none) and its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar.handlers import HTTPRouteHandler

_ORDER = "019a4919-04e0-8c3b-9f3e-2f1f4a0b7c11"
_WORK = "019a4919-09c4-8d2a-8e14-7b1c22d0f6a3"
_SHIPMENT = "019a4c01-51a0-8b77-a310-4f0e9b6c1d52"
_JOB = "019a4d10-2c3e-8f01-9b2c-0a7d5e4f3b21"
_NEXT = "WzQ4MTE3LDQ4MjAxLCIwMTlhNDkxOS0wOWM0Il0"
_UNITS = [{"line": 1, "quantity": 1}]
_PARCEL = {
    "lines": _UNITS,
    "carrier": "ups",
    "service": "ground",
    "tracking": "1Z999AA10123456784",
    "weight_grams": 2300,
}
_WORK_ITEM: dict[str, Any] = {
    "id": _WORK,
    "order_id": _ORDER,
    "channel": "web",
    "order_number": "W-10041",
    "node": "S014",
    "work": "open",
    "acknowledgement": "submitted",
    "opened_at": "2026-11-03T09:41:02Z",
    "changed_at": "2026-11-03T09:41:02Z",
    "ship_by": "2026-11-03T22:00:00Z",
    "closed_at": None,
    "replaces": None,
    "method": "ship",
    "service": "standard",
    "pickup_node": None,
    "lines": [
        {
            "line": 1,
            "sku": "LAMP-BRASS",
            "name": "Brass lamp",
            "instead_of": "",
            "quantity": 1,
            "picked": 0,
            "short": 0,
            "packed": 0,
            "shipped": 0,
            "given_back": 0,
            "to_ship": 1,
            "lots": [],
        }
    ],
    "recalls": [],
    "recipient": {
        "name": "Ada Lovelace",
        "company": "",
        "email": "ada@example.com",
        "phone": "+1 617 555 0100",
    },
    "address": {
        "country": "US",
        "postal_code": "02139",
        "administrative_area": "MA",
        "city": "Cambridge",
        "lines": ["12 Main Street"],
        "instructions": "Ring twice.",
    },
}
_WORK_TAKEN = {"id": _WORK, "order_id": _ORDER}
_PACKAGE: dict[str, Any] = {
    "number": 1,
    **_PARCEL,
    "lines": [{**_UNITS[0], "sku": "LAMP-BRASS", "instead_of": ""}],
    "status": "on_way",
    "delivered_at": None,
    "lost_at": None,
    "stopped_at": None,
}
_SHIPPED_LOT = {
    "line": 1,
    "sku": "TEA-TIN",
    "lot": "L2609",
    "expires_on": "2027-03-31",
    "quantity": 1,
}
_SHIPMENT_SEEN: dict[str, Any] = {
    "id": _SHIPMENT,
    "order_id": _ORDER,
    "channel": "web",
    "order_number": "W-10041",
    "work_id": _WORK,
    "node": "S014",
    "reference": "S014-2211",
    "shipped_at": "2026-11-03T21:10:00Z",
    "changed_at": "2026-11-03T21:10:04Z",
    "amount": 9456,
    "currency": "USD",
    "packages": [_PACKAGE],
    "lots": [_SHIPPED_LOT],
}
_TRACKING = {"event": "delivered", "tracking": _PARCEL["tracking"], "at": "2026-11-05T14:02:00Z"}
_MOVE = {
    "move_id": "pos-88120-1",
    "sku": "LAMP-BRASS",
    "node": "S014",
    "quantity": 1,
    "from_bucket": "sellable",
    "to_bucket": "customer",
    "reason": "sold",
    "occurred_at": "2026-11-03T12:30:00Z",
}
_CORRECTION = {
    "sku": "LAMP-BRASS",
    "node": "S014",
    "expected_quantity": 7,
    "quantity": 6,
    "reason": "damaged",
}
_NODE: dict[str, Any] = {
    "code": "S014",
    "kind": "store",
    "name": "Cambridge, Central Square",
    "country": "US",
    "postal_code": "02139",
    "city": "Cambridge",
    "latitude": 42.3654,
    "longitude": -71.1037,
    "time_zone": "America/New_York",
    "methods": ["ship", "pickup"],
    "openings": [{"weekday": 1, "opens": "10:00:00", "closes": "20:00:00"}],
}
_PRODUCT: dict[str, Any] = {
    "sku": "LAMP-BRASS",
    "name": "Brass lamp",
    "gtin": "4006381333931",
    "weight_grams": 2100,
    "currency": "USD",
    "price": 8900,
    "cost": 3900,
}
_PRICE = {"sku": "LAMP-BRASS", "currency": "USD", "price": 8500, "cost": 3900}
_RECORDS = {
    "changed": 1,
    "refused": 0,
    "results": [{"index": 0, "key": "LAMP-BRASS", "status": "changed", "errors": []}],
}
_REFERENCE = {
    "system": "erp",
    "company": "us",
    "kind": "product",
    "external_id": "100417",
    "our_id": "LAMP-BRASS",
}
_REFERENCE_SEEN = {**_REFERENCE, "changed_at": "2026-11-01T06:00:00Z"}
_ENTRY: dict[str, Any] = {
    "order_id": _ORDER,
    "channel": "web",
    "order_number": "W-10041",
    "key": f"{_ORDER}/capture/1/{_SHIPMENT}/1",
    "tender": 1,
    "kind": "capture",
    "status": "asked",
    "amount": 9456,
    "currency": "USD",
    "shipment_id": _SHIPMENT,
    "reference": "",
    "reason": "",
    "requested_at": "2026-11-03T21:10:04Z",
    "settled_at": None,
}
_TENDER: dict[str, Any] = {
    "number": 1,
    "order_of_use": 1,
    "kind": "card",
    "status": "authorized",
    "amount": 10553,
    "authorized": 1097,
    "captured": 9456,
    "voided": 0,
    "refunded": 0,
    "debt": 0,
    "authorized_until": "2026-11-10T09:41:05Z",
}
_FILE: dict[str, Any] = {
    "id": _JOB,
    "kind": "stock",
    "format": "csv",
    "compression": "gzip",
    "name": "nightly count",
    "full": True,
    "source": "wms",
    "node": "S014",
    "as_of": "2026-11-03T02:00:00Z",
    "status": "running",
    "created_at": "2026-11-03T02:05:00Z",
    "changed_at": "2026-11-03T02:05:09Z",
    "finished_at": None,
    "received_bytes": 6291456,
    "rows_read": 400000,
    "rows_taken": 399998,
    "rows_refused": 2,
    "rows_cleared": 0,
    "messages_waiting": 12,
    "note": "",
}
_NEW_FILE = {
    name: _FILE[name]
    for name in ("kind", "format", "compression", "name", "full", "source", "node", "as_of")
}


_REPORT: dict[str, Any] = {
    "provider": "bank",
    "reference": "2026-11-04/0017",
    "amount": 10553,
    "currency": "USD",
    "order": "web:W-10041",
    "received_at": "2026-11-04T06:00:00Z",
}
_RECEIVED: dict[str, Any] = {
    "id": "00000000-0000-8f3e-9d2c-5a0b1c2d3e4f",
    **_REPORT,
    "status": "applied",
    "reason": "",
    "order_id": _ORDER,
    "channel": "web",
    "reported_at": "2026-11-04T06:10:00Z",
    "changed_at": "2026-11-04T06:10:01Z",
}


def _page(item: object) -> dict[str, Any]:
    return {"items": [item], "next": None}


def _feed(item: object) -> dict[str, Any]:
    return {"items": [item], "next": _NEXT, "more": False}


EXAMPLES: dict[str, tuple[Any, Any]] = {
    "pull_work": (None, _feed(_WORK_ITEM)),
    "read_work": (None, _WORK_ITEM),
    "acknowledge": ({}, _WORK_TAKEN),
    "decline": ({"reason": "too_busy"}, _WORK_TAKEN),
    "answer_recall": ({"request_id": "cancel-7/1", "given_back": _UNITS}, _WORK_TAKEN),
    "pick": (
        {
            "pick_id": "tote-31",
            "picked": _UNITS,
            "short": [{"line": 2, "quantity": 1, "reason": "not_in_stock"}],
        },
        _WORK_TAKEN,
    ),
    "pack": ({"pack_id": "box-31", "lines": _UNITS}, _WORK_TAKEN),
    "ship": (
        {"shipment_id": "S014-2211", "at": "2026-11-03T21:10:00Z", "packages": [_PARCEL]},
        _WORK_TAKEN,
    ),
    "hand_over": ({"shipment_id": "counter-12", "at": "2026-11-03T17:20:00Z"}, _WORK_TAKEN),
    "update_many": (
        [{"work": _WORK, "ship": {"shipment_id": "S014-2211", "packages": [_PARCEL]}}],
        {"taken": 1, "refused": 0, "results": [{"index": 0, "status": "taken", "id": _WORK}]},
    ),
    "list_shipments": (None, _feed(_SHIPMENT_SEEN)),
    "read_shipment": (None, _SHIPMENT_SEEN),
    "list_shipped_lots": (
        None,
        _page(
            {
                "sku": "TEA-TIN",
                "lot": "L2609",
                "quantity": 1,
                "line": 1,
                "order_id": _ORDER,
                "channel": "web",
                "order_number": "W-10041",
                "shipment_id": _SHIPMENT,
                "node": "S014",
                "shipped_at": "2026-11-03T21:10:00Z",
            }
        ),
    ),
    "tell_tracking": (_TRACKING, {"order_id": _ORDER, "work_id": _WORK}),
    "tell_many": (
        [_TRACKING],
        {"taken": 1, "refused": 0, "results": [{"index": 0, "status": "taken"}]},
    ),
    "list_levels": (
        None,
        _page(
            {
                "sku": "LAMP-BRASS",
                "node": "S014",
                "owner": "",
                "lot": "",
                "expires_on": None,
                "sellable": 7,
                "reserved": 1,
                "available": 5,
                "damaged": 0,
                "quality_control": 0,
                "in_transit": 0,
                "safety_stock": 1,
                "buffer": 0,
                "quarantined": False,
                "counted_at": "2026-11-03T02:00:00Z",
            }
        ),
    ),
    "report_moves": ({"source": "pos", "moves": [_MOVE]}, {"taken": 1, "refused": []}),
    "report_counts": (
        {
            "source": "wms",
            "node": "S014",
            "as_of": "2026-11-03T02:00:00Z",
            "counts": [{"sku": "LAMP-BRASS", "quantity": 7}],
        },
        {"taken": 1},
    ),
    "correct_stock": (
        _CORRECTION,
        {
            "id": "00000000-0000-8e21-9c40-1d2e3f4a5b6c",
            "sku": "LAMP-BRASS",
            "node": "S014",
            "lot": "",
            "bucket": "sellable",
            "previous_quantity": 7,
            "quantity": 6,
            "decided_at": "2026-11-03T12:31:00Z",
        },
    ),
    "correct_many": (
        [_CORRECTION],
        {
            "applied": 0,
            "refused": 1,
            "results": [
                {"index": 0, "status": "refused", "code": "stale_quantity", "actual_quantity": 5}
            ],
        },
    ),
    "list_nodes": (None, _page(_NODE)),
    "read_node": (None, _NODE),
    "put_node": (_NODE, _NODE),
    "load_nodes": ([_NODE], _RECORDS),
    "list_products": (None, _page(_PRODUCT)),
    "read_product": (None, _PRODUCT),
    "put_product": (_PRODUCT, _PRODUCT),
    "load_products": ([_PRODUCT], _RECORDS),
    "list_prices": (None, _page(_PRICE)),
    "read_price": (None, _PRICE),
    "put_price": (_PRICE, _PRICE),
    "load_prices": ([_PRICE], _RECORDS),
    "list_references": (None, _page(_REFERENCE_SEEN)),
    "put_reference": (_REFERENCE, _REFERENCE_SEEN),
    "drop_reference": (None, None),
    "list_payments": (None, _page(_ENTRY)),
    "tell_received": (_REPORT, {"id": _RECEIVED["id"], "order_id": _ORDER}),
    "list_received": (None, _page(_RECEIVED)),
    "read_received": (None, _RECEIVED),
    "name_order": ({"order": "web:W-10041"}, {"id": _RECEIVED["id"], "order_id": _ORDER}),
    "read_payments": (
        None,
        {
            "order_id": _ORDER,
            "channel": "web",
            "order_number": "W-10041",
            "currency": "USD",
            "total": 10553,
            "tenders": [_TENDER],
            "entries": [_ENTRY],
        },
    ),
    "tell_result": (
        {
            "order": "web:W-10041",
            "key": _ENTRY["key"],
            "outcome": "done",
            "reference": "ch_3PqX",
        },
        {"order_id": _ORDER, "key": _ENTRY["key"]},
    ),
    "list_decisions": (
        None,
        {
            "items": [
                {
                    "id": "019a4919-0710-8f3c-8a41-9d0b7c6e5f42",
                    "order_id": _ORDER,
                    "attempt": 1,
                    "zone": "main",
                    "decided_at": "2026-11-03T09:41:01Z",
                    "run_id": "019a4919-0710-8b1a-9c7d-3e2f1a0b4c5d",
                    "was_refused": False,
                    "demand": {"sequence": 1, "lines": [{"sku": "LAMP-BRASS", "quantity": 1}]},
                    "decision": {"sequence": 1, "chosen": {"nodes": [{"node": "S014"}]}},
                }
            ]
        },
    ),
    "list_messages": (
        None,
        _page(
            {
                "id": "019a4919-04e0-8a10-8f22-6b5c4d3e2f10",
                "status": "handled",
                "process": "order-to-fulfillment",
                "instance": _ORDER,
                "name": "OrderPlaced",
                "occurred_at": "2026-11-03T09:41:00Z",
                "recorded_at": "2026-11-03T09:41:01Z",
                "actor": "web",
                "causation_id": "019a4919-04e0-8a10-8f22-6b5c4d3e2f10",
            }
        ),
    ),
    "list_effects": (
        None,
        {
            "items": [
                {
                    "id": "019a4c01-51a4-8d90-b1f2-8c7d6e5f4a3b",
                    "status": "failing",
                    "connector": "payment",
                    "operation": "capture",
                    "key": _ENTRY["key"],
                    "attempts": 2,
                    "requested_at": "2026-11-03T21:10:04Z",
                    "next_try_at": "2026-11-03T21:10:08Z",
                    "error": "TimeoutError: no answer in 10 s",
                }
            ]
        },
    ),
    "open_file": (_NEW_FILE, {**_FILE, "status": "receiving", "received_bytes": 0}),
    "list_files": (None, _page(_FILE)),
    "read_file": (None, _FILE),
    "send_content": (None, _FILE),
    "complete_file": (None, {**_FILE, "status": "waiting"}),
    "cancel_file": (None, {**_FILE, "status": "canceled"}),
    "list_results": (
        None,
        _page(
            {
                "row": 17,
                "status": "refused",
                "key": "LAMP-BRASS",
                "errors": [
                    {
                        "path": "quantity",
                        "code": "bad_quantity",
                        "problem": "-1 is no quantity here.",
                        "advice": "Send 0 to 1,000,000,000.",
                    }
                ],
            }
        ),
    ),
}


def with_examples(handlers: Sequence[HTTPRouteHandler]) -> Sequence[HTTPRouteHandler]:
    """The handlers, each with its examples; one without is a bug."""
    for handler in handlers:
        body, answer = EXAMPLES[handler.fn.__name__]
        if body is not None:
            handler.opt["example"] = body
        if answer is not None:
            handler.opt["answer_example"] = answer
    return handlers
