"""One channel's key neither reads nor changes what is another's, whatever the operation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from crossdock import db
from crossdock.api.access.permissions import PERMISSIONS, Side
from crossdock.kernel.clock import SystemClock
from tests.api.channels import awake_worker
from tests.api.described import Client, Operation, operations
from tests.api.keys import bearer, make_key
from tests.api.retail import Retail
from tests.integration.orders.shop import BOSTON

pytestmark = pytest.mark.slow

ALL_OF_CHANNELS = sorted(name for name, one in PERMISSIONS.items() if one.side is Side.CHANNELS)
LEFT_BEHIND = (
    "inbox",
    "dedupe",
    "sales_order",
    "order_edit",
    "cancellation",
    "checkout",
    "received_payment",
)
"""Where anything that is taken leaves a row."""


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    """Its shop sells through the channel web, and its clock says what time it is."""
    with contextlib.closing(db.connect(api_url)) as connection:
        shop = Retail(connection)
        shop.clock.move_to(SystemClock().now())
        shop.stock(BOSTON, mug=50)
        yield shop


@pytest.fixture(scope="module")
def of_web(api: Client, retail: Retail, api_url: str) -> dict[str, str]:
    """The parts of paths that name what is the channel web's; nothing is under way any more."""
    body = {"channel": "web", "lines": [{"sku": "mug", "quantity": 1}]}
    with awake_worker(api_url):
        checkout = api.post("/v1/checkouts", json=body)
    assert checkout.status_code in (200, 201, 202), checkout.text
    order = retail.order(("mug", 1))
    paid = {"provider": "bank", "reference": "1", "amount": 1, "currency": "USD", "order": order}
    payment = api.post("/v1/payments/received", json=paid)
    assert payment.status_code == 202, payment.text
    retail.settle()
    return {"order": order, "checkout": checkout.json()["id"], "payment": payment.json()["id"]}


def key_of(retail: Retail, channel: str) -> dict[str, str]:
    return bearer(make_key(retail.connection, *ALL_OF_CHANNELS, channels=[channel]))


def about_channels(api: Client) -> list[Operation]:
    return [one for one in operations(api.app) if one.permission in ALL_OF_CHANNELS]


def rows(connection: db.Connection) -> list[Any]:
    connection.rollback()
    return [connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in LEFT_BEHIND]


def test_what_is_one_channels_is_not_there_for_another(
    api: Client, retail: Retail, of_web: dict[str, str]
) -> None:
    before = rows(retail.connection)
    bay = key_of(retail, "bay")
    for operation in about_channels(api):
        unknown = operation.parts - set(of_web)
        assert not unknown, f"{operation}: say in this test whose {unknown} are"
        answer = operation.send(api, bay, **of_web)
        if operation.parts:
            assert answer.status_code == 404, f"{operation}: {answer.text}"
        elif '"channel": "web"' in str(operation.example).replace("'", '"'):
            assert answer.status_code in (200, 403, 404), f"{operation}: {answer.text}"
        assert not any(one in answer.text for one in of_web.values() if not operation.parts)
    assert rows(retail.connection) == before


def test_the_same_requests_reach_it_with_its_own_channels_key(
    api: Client, retail: Retail, of_web: dict[str, str], api_url: str
) -> None:
    """Else the test above would pass for an API that shows nothing to anybody."""
    before = rows(retail.connection)
    web = key_of(retail, "web")
    with awake_worker(api_url):
        for operation in about_channels(api):
            if operation.parts:
                answer = operation.send(api, web, **of_web)
                assert answer.status_code != 404, f"{operation}: {answer.text}"
    assert rows(retail.connection) != before
