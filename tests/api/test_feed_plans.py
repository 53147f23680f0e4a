"""What nodes ask again and again is found by an index, however much work there has been."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crossdock import db
from crossdock.api.feeds import NOBODY, Seat
from crossdock.api.shipments import store as shipments
from crossdock.api.work import store as work
from crossdock.db import Connection


class Explaining:
    """A connection that explains each statement instead of answering it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.plan = ""

    def execute(self, statement: str, parameters: Any = (), **how: Any) -> Explaining:
        rows = self.connection.execute(f"EXPLAIN {statement}".encode(), parameters).fetchall()
        self.plan = "\n".join(str(row[0]) for row in rows)
        return self

    def fetchall(self) -> list[Any]:
        return []


@pytest.fixture
def explaining(connection: db.Connection) -> Iterator[Explaining]:
    """Much work of a few nodes, a third of it open: more than a page of each node's."""
    connection.execute(
        """
        INSERT INTO fulfillment_order (order_id, id, opened_at, closed_at, group_number, node,
                                       work, acknowledgement, changed_at)
        SELECT gen_random_uuid(), gen_random_uuid(), now(), CASE WHEN n % 3 > 0 THEN now() END,
               1, 'node-' || n % 8, 'open', 'submitted', now()
        FROM generate_series(1, 20000) AS n
        """
    )
    connection.execute(
        """
        INSERT INTO shipment (order_id, id, fulfillment_id, shipped_at, amount, node, reference)
        SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now(), 1,
               'node-' || n % 8, ''
        FROM generate_series(1, 20000) AS n
        """
    )
    connection.execute("ANALYZE fulfillment_order, shipment")
    yield Explaining(connection)
    connection.rollback()


SEAT = Seat(0, 1_000, NOBODY, 10_000_000)


def test_a_node_pulls_its_work_by_two_indexes(explaining: Explaining) -> None:
    work.changed_work(explaining, ["node-7"], SEAT, None, 101)  # type: ignore[arg-type]
    assert "fulfillment_order_open" in explaining.plan, explaining.plan
    assert "fulfillment_order_ended" in explaining.plan
    assert "Seq Scan" not in explaining.plan and "Sort Key: fulfillment" not in explaining.plan
    work.changed_work(explaining, ["node-7", "node-8"], SEAT, None, 101)  # type: ignore[arg-type]
    assert "Seq Scan" not in explaining.plan


def test_work_is_found_by_its_own_id(explaining: Explaining) -> None:
    work.find_work(explaining, [NOBODY])  # type: ignore[arg-type]
    assert "fulfillment_order_id" in explaining.plan, explaining.plan


def test_shipments_are_followed_by_an_index(explaining: Explaining) -> None:
    shipments.changed_shipments(explaining, ["node-7"], SEAT, None, 101)  # type: ignore[arg-type]
    assert "shipment_feed" in explaining.plan, explaining.plan
    shipments.by_id(explaining, [NOBODY])  # type: ignore[arg-type]
    assert "shipment_id" in explaining.plan, explaining.plan
