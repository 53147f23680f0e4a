"""The examples of placing an order: Ada buys a brass lamp and two bulbs."""

from __future__ import annotations

from typing import Any

ORDER: dict[str, Any] = {
    "channel": "web",
    "number": "W-10041",
    "placed_at": "2026-11-03T09:41:00Z",
    "currency": "USD",
    "total": 6597,
    "customer": {
        "number": "C-77",
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "phone": "+1 617 555 0100",
        "language": "en-US",
    },
    "lines": [
        {"number": 1, "sku": "LAMP-BRASS", "quantity": 1, "unit_price": "49.99"},
        {"number": 2, "sku": "BULB-E27", "quantity": 2, "unit_price": "4.99"},
    ],
    "charges": [{"number": 1, "kind": "shipping", "amount": 600, "group": 1}],
    "groups": [
        {
            "number": 1,
            "method": "ship",
            "service": "standard",
            "address": {
                "country": "US",
                "postal_code": "02139",
                "city": "Cambridge",
                "administrative_area": "MA",
                "lines": ["12 Brattle Street"],
                "latitude": 42.3736,
                "longitude": -71.1097,
            },
        }
    ],
    "tenders": [{"number": 1, "kind": "card", "amount": 6597, "reference": "tok_visa_4242"}],
}

PLACED: dict[str, Any] = {
    "id": "01a1a0c8-8be0-80f0-84af-26268a2f4955",
    "channel": "web",
    "number": "W-10041",
    "result": "accepted",
}

WRONG: dict[str, Any] = {**ORDER, "number": "W-10042", "total": 6596}

MANY: list[dict[str, Any]] = [ORDER, WRONG]

MANY_PLACED: dict[str, Any] = {
    "taken": 1,
    "not_taken": 1,
    "items": [
        {"index": 0, "status": 201, "order": PLACED},
        {
            "index": 1,
            "status": 422,
            "problem": {
                "type": "/problems/invalid_order",
                "title": "The order cannot be taken",
                "status": 422,
                "code": "invalid_order",
                "errors": [
                    {
                        "path": "total",
                        "code": "total_does_not_add_up",
                        "problem": "The total is 6596; what it is made of comes to 6597.",
                        "advice": "Lines, charges, adjustments and added taxes must sum to it, in"
                        " minor units.",
                    },
                ],
            },
        },
    ],
}
