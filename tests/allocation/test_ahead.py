"""Plans made before the zone is entered are proposals: what another batch took is not promised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec
import pytest

from crossdock import db
from crossdock.allocation.model import allocate_order_address
from crossdock.allocation.records import replay_decision
from crossdock.catalog import store as catalog
from tests.allocation.market import (
    BOSTON,
    HARTFORD,
    PROVIDENCE,
    Market,
    order,
    request,
)


@pytest.fixture
def other(market: Market, database_url: str) -> Iterator[Market]:
    """Another worker in the same market, whose policies are stored already."""
    market.allocate("east", request(99, ("mug", 1)))
    with contextlib.closing(db.connect(database_url)) as connection:
        yield Market(connection)


def nothing() -> None:
    """Happens meanwhile."""


def replays_identically(market: Market, *orders: int) -> bool:
    replayed = [one for i in orders for one in replay_decision(market.connection, order(i))]
    return len(replayed) >= len(orders) and all(one.is_identical for one in replayed)


def test_a_plan_that_still_holds_is_carried_out_as_it_was_made(market: Market) -> None:
    market.receive("mug", 5, BOSTON)
    wanted = [request(i, ("mug", 1)) for i in (1, 2)]
    market.accept(*wanted)
    answers = market.allocate_ahead("east", *wanted, meanwhile=nothing)
    assert [f.node for answer in answers for f in answer.fulfillments] == [BOSTON, BOSTON]
    assert market.count("planning_batch") == 1
    assert all(
        one.is_identical for i in (1, 2) for one in replay_decision(market.connection, order(i))
    )
    assert market.broken_rules() == []


def test_units_another_batch_took_meanwhile_are_planned_again(
    market: Market, other: Market
) -> None:
    market.receive("mug", 1, BOSTON)
    market.receive("mug", 1, PROVIDENCE)
    ours, theirs = request(1, ("mug", 1)), request(2, ("mug", 1))
    market.accept(ours, theirs)
    (answer,) = market.allocate_ahead(
        "east", ours, meanwhile=lambda: other.allocate("east", theirs)
    )
    assert [f.node for f in answer.fulfillments] == [PROVIDENCE]
    assert market.level("mug", BOSTON) == market.level("mug", PROVIDENCE) == (1, 1)
    assert all(
        one.is_identical for i in (1, 2) for one in replay_decision(market.connection, order(i))
    )
    assert market.broken_rules() == []


def test_a_day_another_batch_filled_meanwhile_is_not_filled_twice(
    market: Market, other: Market
) -> None:
    market.open(capacity=1)
    for node in (BOSTON, PROVIDENCE, HARTFORD):
        market.receive("mug", 5, node)
    ours, theirs = request(1, ("mug", 1)), request(2, ("mug", 1))
    market.accept(ours, theirs)
    market.allocate_ahead("east", ours, meanwhile=lambda: other.allocate("east", theirs))
    used = market.connection.execute("SELECT node, day, used FROM node_capacity").fetchall()
    assert len(used) == 2 and all(units == 1 for _, _, units in used)
    assert market.broken_rules() == []


def test_a_node_that_closed_meanwhile_is_not_planned_on(market: Market, other: Market) -> None:
    market.receive("mug", 1, BOSTON)
    market.receive("mug", 1, PROVIDENCE)
    wanted = request(1, ("mug", 1))
    market.accept(wanted)

    def close_boston() -> None:
        nodes = {node.code: node for node in catalog.load_nodes(other.connection)}
        other.connection.rollback()
        closed = msgspec.structs.replace(nodes[BOSTON], enabled=False)
        catalog.save_nodes(other.connection, [closed])
        other.connection.commit()

    (answer,) = market.allocate_ahead("east", wanted, meanwhile=close_boston)
    assert [f.node for f in answer.fulfillments] == [PROVIDENCE]


def test_what_came_through_the_inbox_is_planned_beside_what_was_planned_ahead(
    market: Market,
) -> None:
    market.receive("mug", 1, BOSTON)
    market.receive("mug", 1, PROVIDENCE)
    ours, waiting = request(1, ("mug", 1)), request(2, ("mug", 1))
    market.accept(ours, waiting)
    tx = market.transaction()
    to = allocate_order_address("east")
    ahead = market.delivery(ours, to)
    market.station.prepare([ahead], tx)
    list(market.station.receive([market.delivery(waiting, to), ahead], tx))
    market.commit(tx)
    assert market.level("mug", BOSTON) == market.level("mug", PROVIDENCE) == (1, 1)
    assert market.reservations(2) == [("allocated", "mug", 1, BOSTON)], "who waited comes first"
    assert all(
        one.is_identical for i in (1, 2) for one in replay_decision(market.connection, order(i))
    )
    assert market.broken_rules() == []
