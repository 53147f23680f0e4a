"""Facts and several workers race for the last units, on real connections."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import psycopg
import pytest
from msgspec.structs import replace

from crossdock import db
from crossdock.engine.process import Address
from crossdock.engine.routing import route_of_text
from crossdock.inventory.facts.station import InventoryFacts
from crossdock.inventory.model import DemandAccepted, PickStock, ShipStock
from crossdock.kernel.errors import TransactionConflict
from crossdock.kernel.messages import Message
from crossdock.model.messages import InventoryMoved, LineQuantity, StockMove
from tests.allocation.market import BOSTON, HARTFORD, PROVIDENCE, Market, accepted, order, request

pytestmark = pytest.mark.slow

T = TypeVar("T")


def wait_for_a_blocked_session(connection: db.Connection) -> None:
    """Until some other session of this database waits for a row lock."""
    for _ in range(500):
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        ).fetchone()
        if row != (0,):
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def sell_without_commit(market: Market, node: str, units: int) -> None:
    """A till sells mugs; the batch is left open."""
    to = Address("inventory", node, route_of_text(node))
    sold = StockMove("till", "mug", node, units, "sellable", "customer", "sold", market.now)
    told = InventoryMoved(source="till", sequence=1, moves=(sold,))
    tx = market.transaction()
    list(InventoryFacts().receive([market.delivery(told, to)], tx))
    tx.flush_books()


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_what_a_node_lost_while_it_was_planned_is_planned_again(
    market: Market, database_url: str
) -> None:
    market.receive("mug", 2, BOSTON)
    market.receive("mug", 2, PROVIDENCE)
    wanted = request(1, ("mug", 2))
    market.accept(wanted)
    with (
        contextlib.closing(db.connect(database_url)) as till,
        contextlib.closing(db.connect(database_url, autocommit=True)) as watch,
    ):
        sell_without_commit(Market(till), BOSTON, 1)

        def commit_when_awaited() -> None:
            wait_for_a_blocked_session(watch)
            till.commit()

        thread = in_thread(commit_when_awaited)
        (answer,) = market.allocate("east", wanted)
        thread.join()
    assert [planned.node for planned in answer.fulfillments] == [PROVIDENCE]
    assert market.level("mug", BOSTON) == (1, 0) and market.level("mug", PROVIDENCE) == (2, 2)
    assert market.count("planning_batch") == 2
    assert market.broken_rules() == []


def test_a_refused_order_that_nobody_else_can_fill_is_backordered(
    market: Market, database_url: str
) -> None:
    market.receive("mug", 2, BOSTON)
    wanted = request(1, ("mug", 2), final=True)
    market.accept(wanted)
    with (
        contextlib.closing(db.connect(database_url)) as till,
        contextlib.closing(db.connect(database_url, autocommit=True)) as watch,
    ):
        sell_without_commit(Market(till), BOSTON, 2)

        def commit_when_awaited() -> None:
            wait_for_a_blocked_session(watch)
            till.commit()

        thread = in_thread(commit_when_awaited)
        (answer,) = market.allocate("east", wanted)
        thread.join()
    assert answer.fulfillments == () and [line.quantity for line in answer.unsourced] == [2]
    assert market.reservations(1) == [("backordered", "mug", 2, None)]
    assert market.broken_rules() == []


def test_what_is_sent_instead_is_not_sold_meanwhile(market: Market, database_url: str) -> None:
    """The last jug goes out for a tray; who wants to buy it while that is written waits, and is
    refused."""
    market.receive("jug", 1, BOSTON)
    wanted = replace(request(1, ("tray", 1)), substitutes_allowed=True)
    market.accept(wanted)
    buyer = replace(accepted(request(2, ("jug", 1))), paid=False, on_shortage="refuse")
    answers: list[Message] = []
    with (
        contextlib.closing(db.connect(database_url)) as shop,
        contextlib.closing(db.connect(database_url, autocommit=True)) as watch,
    ):
        tx = market.transaction()
        (sent,) = market.receive_requests(tx, "east", [wanted])
        tx.flush_books()
        thread = in_thread(lambda: answers.extend(Market(shop).ask(buyer)))
        wait_for_a_blocked_session(watch)
        market.connection.commit()
        thread.join()
    assert [planned.node for planned in sent.fulfillments] == [BOSTON]
    assert answers == [DemandAccepted(order_id=order(2), refused=(LineQuantity(1, 1),))]
    assert market.broken_rules() == []


@pytest.mark.parametrize("seed", [1, 2])
def test_workers_tills_and_pickers_never_oversell(
    market: Market, database_url: str, seed: int
) -> None:
    """Four workers allocate the same zone at once, which shards forbid, while tills sell.

    Batches that meet a conflict are tried again as a whole, as the runner does.
    """
    stock = {BOSTON: 9, PROVIDENCE: 7, HARTFORD: 5}
    for node, units in stock.items():
        market.receive("mug", units, node)
    errors: list[BaseException] = []
    allocated: list[int] = []

    def worker(number: int) -> None:
        dice = random.Random(seed * 100 + number)
        with contextlib.closing(db.connect(database_url)) as connection:
            own = Market(connection)
            for i in range(6):
                orders = [request(1000 * number + 10 * i + k, ("mug", 1)) for k in range(3)]
                _again(own, partial(own.accept, *orders))
                answers = _again(own, partial(own.allocate, "east", *orders))
                for answer in answers:
                    for planned in answer.fulfillments:
                        allocated.append(1)
                        if dice.random() < 0.4:
                            _again(own, partial(_ship, own, answer.order_id, planned.node))

    def till(number: int) -> None:
        dice = random.Random(seed * 100 + 50 + number)
        with contextlib.closing(db.connect(database_url)) as connection:
            own = Market(connection)
            own._told = 10_000 * number
            for _ in range(4):
                node = dice.choice(sorted(stock))
                _again(own, partial(own.lose, "mug", 1, node))

    def guarded(work: Callable[[int], None], number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=guarded, args=(work, number))
        for number in range(1, 5)
        for work in ([worker, till] if number < 3 else [worker])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert sum(allocated) <= sum(stock.values())
    assert market.broken_rules() == []


def _again(market: Market, work: Callable[[], T]) -> T:
    for _ in range(50):
        try:
            return work()
        except (psycopg.errors.DeadlockDetected, TransactionConflict):
            market.connection.rollback()
    raise AssertionError("conflicts without end")


def _ship(market: Market, order_id: str, node: str) -> None:
    one = (LineQuantity(1, 1),)
    market.ask(
        PickStock(order_id=order_id, fulfillment_id=order(700), node=node, picked=one),
        ShipStock(
            order_id=order_id,
            fulfillment_id=order(700),
            node=node,
            shipment_id=order(701),
            lines=one,
        ),
    )
