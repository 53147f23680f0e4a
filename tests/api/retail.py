"""A retailer behind the API: the shop of the order tests, and a node's view of its work."""

from __future__ import annotations

from typing import Any

from litestar.testing import TestClient

from tests.integration.orders.shop import Shop

Client = TestClient[Any]


class Retail(Shop):
    """The shop with a number for each order, so that tests of a module share it."""

    numbers = 0

    def order(self, *lines: tuple[str, int], **more: Any) -> str:
        """An order under the next number."""
        Retail.numbers += 1
        return self.place(f"R-{Retail.numbers}", *lines, **more)


def told(client: Client, path: str, body: object, key: str | None = None) -> Any:
    """What the API answers to a write that it takes."""
    headers = {"Idempotency-Key": key} if key else {}
    answer = client.post(path, json=body, headers=headers)
    assert answer.status_code in (200, 201, 202), answer.text
    return answer


def codes(answer: Any) -> dict[str, str]:
    """Of a refusal: the code of each finding by its path."""
    return {one["path"]: one["code"] for one in answer.json().get("errors", ())}
