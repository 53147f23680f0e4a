"""One node's key neither reads nor changes what is another's, whatever the operation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from crossdock import db
from crossdock.api.access.permissions import PERMISSIONS, Side
from tests.api.described import Client, Operation, operations
from tests.api.keys import bearer, make_key
from tests.api.retail import Retail
from tests.integration.orders.shop import BOSTON, DENVER

pytestmark = pytest.mark.slow

NODES_OWN = ("work", "node", "shipment")
"""Parts of a path that name what is one node's."""
SHARED = {"sku": "mug"}
"""Parts that name what is nobody's."""
LEFT_BEHIND = ("inbox", "dedupe", "stock_ledger", "stock_correction", "shipment", "package")
"""Where anything that is taken leaves a row."""


@pytest.fixture(scope="module")
def retail(api_url: str) -> Iterator[Retail]:
    with contextlib.closing(db.connect(api_url)) as connection:
        shop = Retail(connection)
        shop.stock(BOSTON, mug=50)
        shop.stock(DENVER, mug=1)
        yield shop


@pytest.fixture
def of_boston(retail: Retail) -> dict[str, str]:
    """The parts of paths that name Boston, a piece of its work, and what has left it."""
    shipped = retail.order(("mug", 1))
    retail.finish(shipped)
    [(shipment,)] = retail.rows("SELECT id FROM shipment WHERE order_id = %s::uuid", shipped)
    work = retail.work(retail.order(("mug", 1))).id
    return {"work": work, "node": BOSTON, "shipment": str(shipment), **SHARED}


def key_of(retail: Retail, node: str) -> dict[str, str]:
    return bearer(make_key(retail.connection, "warehouse", nodes=[node]))


def about_nodes(api: Client) -> list[Operation]:
    return [
        operation
        for operation in operations(api.app)
        if operation.permission and PERMISSIONS[operation.permission].side is Side.NODES
    ]


def rows(connection: db.Connection) -> list[Any]:
    connection.rollback()
    return [connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in LEFT_BEHIND]


def test_what_is_one_nodes_is_not_there_for_another(
    api: Client, retail: Retail, of_boston: dict[str, str]
) -> None:
    before = rows(retail.connection)
    denver = key_of(retail, DENVER)
    for operation in about_nodes(api):
        unknown = operation.parts - set(of_boston)
        assert not unknown, f"{operation}: say in this test whose {unknown} are"
        answer = operation.send(api, denver, **of_boston)
        if operation.parts & set(NODES_OWN):
            assert answer.status_code == 404, f"{operation}: {answer.text}"
        if answer.status_code < 300:
            assert of_boston["work"] not in answer.text, f"{operation}: {answer.text}"
            assert BOSTON not in answer.text, f"{operation}: {answer.text}"
    assert rows(retail.connection) == before


def test_the_same_requests_reach_it_with_its_own_nodes_key(
    api: Client, retail: Retail, of_boston: dict[str, str]
) -> None:
    """Else the test above would pass for an API that shows nothing to anybody."""
    before = rows(retail.connection)
    boston = key_of(retail, BOSTON)
    for operation in about_nodes(api):
        if operation.parts & set(NODES_OWN):
            answer = operation.send(api, boston, **of_boston)
            assert answer.status_code != 404, f"{operation}: {answer.text}"
            if operation.method == "get":
                assert of_boston["work"] in answer.text or BOSTON in answer.text, str(operation)
    assert rows(retail.connection) != before
