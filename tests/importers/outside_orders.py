"""Order files made of memorable orders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

JsonObject = dict[str, Any]


def order(number: str = "W1001", **changes: object) -> JsonObject:
    """Two blue mugs for Ada, paid by card: 32.00 and 5.95 shipping."""
    return {
        "channel": "web",
        "number": number,
        "placed_at": "2026-12-01T13:00:00Z",
        "currency": "USD",
        "total": 3795,
        "customer": {"name": "Ada Lovelace", "email": "ada@example.com"},
        "lines": [{"number": 1, "sku": "MUG-BLUE", "quantity": 2, "unit_price": "16.00"}],
        "groups": [
            {
                "address": {
                    "country": "US",
                    "postal_code": "02116",
                    "lines": ["12 Oak St"],
                    "city": "Boston",
                    "latitude": 42.35,
                    "longitude": -71.08,
                }
            }
        ],
        "charges": [{"number": 1, "kind": "shipping", "amount": 595, "group": 1}],
        "tenders": [{"number": 1, "amount": 3795, "reference": "card-1001"}],
        **changes,
    }


def cancel(number: str = "W1001", **changes: object) -> JsonObject:
    """Ada changes her mind half an hour later."""
    return {
        "kind": "cancel",
        "channel": "web",
        "number": number,
        "at": "2026-12-01T13:30:00Z",
        **changes,
    }


def write(path: Path, *rows: JsonObject | str | bytes) -> Path:
    """A JSON Lines file."""
    lines = []
    for row in rows:
        if isinstance(row, bytes):
            lines.append(row)
        else:
            lines.append((row if isinstance(row, str) else json.dumps(row)).encode())
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path
