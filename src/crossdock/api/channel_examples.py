"""The examples of what channels ask and are answered: Ada buys a brass lamp and two bulbs."""

from __future__ import annotations

from typing import Any

_ORDER_ID = "019a4919-04e0-8c3b-9f3e-2f1f4a0b7c11"
_CHECKOUT_ID = "00000000-0000-8a41-b7c6-3d52e1c0ab90"
_WISH_ID = "00000000-0000-8f02-9a11-77d0c5a1e0f4"

CANCEL: dict[str, Any] = {"lines": [{"line": 2, "quantity": 1}], "reason": "customer"}
CANCEL_TAKEN: dict[str, Any] = {"order_id": _ORDER_ID, "request_id": _WISH_ID}

EDIT: dict[str, Any] = {
    "customer": {"phone": "+1 617 555 0100"},
    "attributes": {"lumen.gift_note": "Happy birthday, Ada"},
    "groups": [{"number": 1, "address": {"instructions": "Ring twice."}}],
}

_ADA: dict[str, Any] = {
    "id": "00000000-0000-8c90-a2de-6a1c44b0d7e5",
    "name": "Ada Lovelace",
    "company": "",
    "email": "ada@example.com",
    "phone": "+1 617 555 0100",
    "language": "en-US",
}

ORDER: dict[str, Any] = {
    "id": _ORDER_ID,
    "channel": "web",
    "number": "W-10041",
    "stage": "open",
    "revision": 2,
    "placed_at": "2026-11-03T09:41:00Z",
    "closed_at": None,
    "currency": "USD",
    "total": 10553,
    "priority": 3,
    "brand": "lumen",
    "selling_entity": "lumen-us",
    "test": False,
    "customer": _ADA,
    "attributes": {"lumen.gift_note": "Happy birthday, Ada"},
    "lines": [
        {
            "number": 1,
            "sku": "LAMP-BRASS",
            "quantity": 1,
            "unit_price": "89.00",
            "total": 8900,
            "payable": 9456,
            "shipped_amount": 0,
            "canceled_amount": 0,
            "credited_amount": 0,
            "group": 1,
            "units": {"released": 1},
            "attributes": {},
        }
    ],
    "groups": [
        {
            "number": 1,
            "method": "ship",
            "service": "standard",
            "recipient": _ADA,
            "address": {
                "country": "US",
                "postal_code": "02139",
                "lines": ["14 Oak Street"],
                "city": "Cambridge",
                "administrative_area": "MA",
                "instructions": "Ring twice.",
                "latitude": 42.3647,
                "longitude": -71.1042,
            },
            "pickup_node": None,
            "requested": {},
            "first": {"leave_by": "2026-11-04T20:00:00Z", "arrive_by": "2026-11-06T12:00:00Z"},
            "current": {"leave_by": "2026-11-04T20:00:00Z", "arrive_by": "2026-11-06T12:00:00Z"},
            "actual": {},
        }
    ],
    "tenders": [{"number": 1, "kind": "card", "status": "authorized", "amount": 10553}],
}
ORDERS: dict[str, Any] = {"items": [ORDER], "next": None}

ATS_QUESTION: dict[str, Any] = {"channel": "web", "skus": ["LAMP-BRASS", "BULB-E27"]}
ATS: dict[str, Any] = {
    "channel": "web",
    "method": "ship",
    "as_of": "2026-11-03T09:40:12Z",
    "items": [
        {"sku": "LAMP-BRASS", "available": 41},
        {"sku": "BULB-E27", "available": 1204},
    ],
}

PROMISE_QUESTION: dict[str, Any] = {
    "channel": "web",
    "lines": [{"sku": "LAMP-BRASS", "quantity": 1}, {"sku": "BULB-E27", "quantity": 2}],
    "destination": {
        "country": "US",
        "postal_code": "02139",
        "latitude": 42.3647,
        "longitude": -71.1042,
    },
    "methods": ["ship", "pickup"],
}
PROMISES: dict[str, Any] = {
    "as_of": "2026-11-03T09:40:12Z",
    "options": [
        {
            "method": "pickup",
            "service": "",
            "store": "S014",
            "source": "stock",
            "leave_by": "2026-11-03T23:00:00Z",
            "arrive_on": "2026-11-03",
            "arrive_by": "2026-11-04T01:00:00Z",
            "cost": 230,
            "currency": "USD",
            "nodes": [
                {
                    "node": "S014",
                    "skus": ["BULB-E27", "LAMP-BRASS"],
                    "leave_by": "2026-11-03T23:00:00Z",
                    "arrive_on": "2026-11-03",
                }
            ],
        }
    ],
    "closed": [{"method": "pickup", "obstacle": "out_of_stock", "store": "S015",
                "skus": ["LAMP-BRASS"]}],
}  # fmt: skip

RESERVE: dict[str, Any] = {
    "channel": "web",
    "lines": [{"sku": "LAMP-BRASS", "quantity": 1}, {"sku": "BULB-E27", "quantity": 2}],
    "minutes": 15,
}
EXTEND: dict[str, Any] = {"minutes": 10}
CHECKOUT: dict[str, Any] = {
    "id": _CHECKOUT_ID,
    "channel": "web",
    "status": "reserved",
    "complete": True,
    "created_at": "2026-11-03T09:40:12Z",
    "expires_at": "2026-11-03T09:55:12Z",
    "closed_at": None,
    "order_id": None,
    "lines": [
        {
            "number": 1,
            "sku": "LAMP-BRASS",
            "method": "ship",
            "quantity": 1,
            "reserved": 1,
            "pickup_node": None,
        },
        {
            "number": 2,
            "sku": "BULB-E27",
            "method": "ship",
            "quantity": 2,
            "reserved": 2,
            "pickup_node": None,
        },
    ],
}
