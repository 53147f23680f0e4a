"""A shop that sells through the API, with a worker that is awake."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from litestar.testing import TestClient

from crossdock import db
from crossdock.app import registry
from crossdock.engine.worker import Worker, WorkerLimits
from crossdock.kernel.clock import SystemClock

Client = TestClient[Any]


@contextlib.contextmanager
def awake_worker(url: str) -> Iterator[None]:
    """A worker in a thread, for the length of the block."""
    stop = threading.Event()
    worker = Worker(
        registry(),
        lambda autocommit: db.connect(url, autocommit=autocommit),
        SystemClock(),
        name="test worker",
        waits=WorkerLimits(idle_seconds=0.005),
    )
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Orders:
    """Places orders under numbers of their own."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.number = 0

    def place(self, *lines: tuple[str, int], **more: Any) -> str:
        """A paid order of (sku, units) for Ada in Boston; its id."""
        self.number += 1
        body = {
            "channel": "web",
            "number": f"W-{self.number}",
            "placed_at": "2026-11-03T09:41:00Z",
            "currency": "USD",
            "customer": {"name": "Ada Byron", "email": "ada@example.org", "phone": "+1 1"},
            "lines": [
                {"number": n, "sku": sku, "quantity": units, "unit_price": "10.00"}
                for n, (sku, units) in enumerate(lines, 1)
            ],
            "groups": [
                {
                    "address": {
                        "country": "US",
                        "postal_code": "02110",
                        "lines": ["1 Main St"],
                        "city": "Boston",
                        "latitude": 42.35,
                        "longitude": -71.05,
                    }
                }
            ],
            "tenders": [{"number": 1, "amount": 1000 * sum(n for _, n in lines), "paid": True}],
            **more,
        }
        answer = self.client.post("/v1/orders", json=body)
        assert answer.status_code == 201, answer.text
        id: str = answer.json()["id"]
        return id

    def until(self, id: str, what: str) -> dict[str, Any]:
        """The order, once its first line has units in that state."""
        for _ in range(300):
            found: dict[str, Any] = self.client.get(f"/v1/orders/{id}").json()
            if found["lines"][0]["units"][what]:
                return found
            threading.Event().wait(0.01)
        raise AssertionError(f"never {what}: {found}")


def codes(answer: Any) -> set[str]:
    """Of a refusal: its own code, and path:code of each finding."""
    body = answer.json()
    found = {f"{one['path']}:{one['code']}" for one in body.get("errors", ())}
    return {body.get("code", ""), *found}
