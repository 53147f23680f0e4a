"""Accepting an order and counting it against what can be sold are one step."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from psycopg.errors import LockNotAvailable

from crossdock import db
from crossdock.engine.capability import Delivery, Issued
from crossdock.engine.process import Address
from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import AcceptDemand, DemandAccepted, DemandedLine
from crossdock.inventory.reservations.capability import Reservations
from crossdock.inventory.reservations.room import SHARED_UNITS
from crossdock.kernel.ids import derive
from crossdock.model.messages import LineQuantity
from tests.inventory.stockroom import DEPOT, ELM, MONDAY, OAK, Stockroom, at, move, order

SEATS = 8
"""As many batches stand in gates together at once; rows of `demand_seat`."""


def demand(
    number: int,
    *lines: tuple[str, int],
    paid: bool = False,
    on_shortage: str = "refuse",
    channel: str = "web",
    pickup_node: str | None = None,
) -> AcceptDemand:
    return AcceptDemand(
        order_id=order(number),
        channel=channel,
        paid=paid,
        placed_at=at(60),
        on_shortage=on_shortage,
        lines=tuple(
            DemandedLine(
                line=i,
                sku=sku,
                quantity=units,
                method="pickup" if pickup_node else "ship",
                pickup_node=pickup_node,
            )
            for i, (sku, units) in enumerate(lines, 1)
        ),
    )


def units(answers: list[Any], what: str) -> list[int]:
    """Units of one outcome, answer by answer."""
    return [sum(line.quantity for line in getattr(answer, what)) for answer in answers]


def test_demand_is_covered_by_all_nodes_together(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 2, OAK)
    stockroom.receive("mug", 3, DEPOT)
    answers = stockroom.ask(demand(1, ("mug", 4)), demand(2, ("mug", 4)))
    assert units(answers, "soft") == [4, 1]
    assert units(answers, "refused") == [0, 3]


def test_later_batches_see_what_earlier_ones_took(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 5)
    assert units(stockroom.ask(demand(1, ("mug", 4))), "soft") == [4]
    assert units(stockroom.ask(demand(2, ("mug", 4))), "soft") == [1]
    assert stockroom.broken_rules() == []


def test_a_paid_order_is_never_refused_and_what_is_missing_is_backordered(
    stockroom: Stockroom,
) -> None:
    stockroom.receive("mug", 1)
    answers = stockroom.ask(demand(1, ("mug", 3), paid=True))
    assert answers == [
        DemandAccepted(
            order_id=order(1), soft=(LineQuantity(1, 1),), backordered=(LineQuantity(1, 2),)
        )
    ]


def test_an_unpaid_order_may_wait_too(stockroom: Stockroom) -> None:
    answers = stockroom.ask(demand(1, ("mug", 3), on_shortage="backorder"))
    assert units(answers, "backordered") == [3]


def test_nobody_passes_who_waits(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 2)
    stockroom.ask(demand(1, ("mug", 5), on_shortage="backorder"))
    stockroom.tell(move("late-receipt", "mug", 1, "supplier", "sellable"))
    assert units(stockroom.ask(demand(2, ("mug", 1))), "refused") == [1]


def test_safety_stock_is_kept_from_new_sales_and_not_from_paid_ones(
    stockroom: Stockroom, connection: db.Connection
) -> None:
    connection.execute("UPDATE node SET safety_stock = 2 WHERE code = %s", [OAK])
    connection.commit()
    stockroom.receive("mug", 5)
    assert units(stockroom.ask(demand(1, ("mug", 5))), "soft") == [3]
    assert units(stockroom.ask(demand(2, ("mug", 5), paid=True)), "soft") == [2]


def test_a_channel_never_sells_below_its_threshold(
    stockroom: Stockroom, connection: db.Connection
) -> None:
    connection.execute("INSERT INTO channel (code, name, threshold) VALUES ('bay', 'Bay', 2)")
    connection.commit()
    stockroom.receive("mug", 5)
    assert units(stockroom.ask(demand(1, ("mug", 5), channel="bay")), "soft") == [3]
    assert units(stockroom.ask(demand(2, ("mug", 5))), "soft") == [2]


def test_a_pickup_counts_against_the_chosen_store(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 2, OAK)
    stockroom.receive("mug", 9, ELM)
    answers = stockroom.ask(demand(1, ("mug", 3), pickup_node=OAK), demand(2, ("mug", 1)))
    assert units(answers, "soft") == [2, 1]
    assert units(stockroom.ask(demand(3, ("mug", 1), pickup_node=OAK)), "refused") == [1]


def test_each_line_is_judged_by_itself(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 1)
    (answer,) = stockroom.ask(demand(1, ("mug", 1), ("jug", 2), on_shortage="backorder"))
    assert isinstance(answer, DemandAccepted)
    assert answer.soft == (LineQuantity(1, 1),) and answer.backordered == (LineQuantity(2, 2),)


class Shops:
    """Several batches that accept demand at once, each on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def race(self, batches: list[list[AcceptDemand]]) -> list[DemandAccepted]:
        """Run all batches in threads that start together; returns every answer."""
        barrier = threading.Barrier(len(batches))
        answers: list[DemandAccepted] = []
        errors: list[BaseException] = []

        def run(batch: list[AcceptDemand]) -> None:
            try:
                with contextlib.closing(db.connect(self.url)) as connection:
                    barrier.wait()
                    answers.extend(self.accept(connection, batch))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(batch,)) for batch in batches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        return answers

    def accept(
        self,
        connection: db.Connection,
        batch: list[AcceptDemand],
        before_commit: Callable[[], None] | None = lambda: None,
    ) -> list[DemandAccepted]:
        """One batch; it stays open where `before_commit` is None."""
        tx = Transaction(connection, at(60))
        issued = []
        for command in batch:
            to = Address("order-to-fulfillment", command.order_id, command.order_id)
            name = derive(MONDAY, command.order_id)
            cause = Delivery(name, to, DemandAccepted(order_id=""), tx.now, name, name, "")
            issued.append(Issued(command, to, cause))
        found = [outgoing.message for outgoing in Reservations().handle(issued, tx)]
        tx.flush_books()
        if before_commit is not None:
            before_commit()
            connection.commit()
        return found  # type: ignore[return-value]


@pytest.fixture
def shops(database_url: str) -> Shops:
    return Shops(database_url)


@pytest.mark.parametrize("stock", [1, 7, 40, SEATS * SHARED_UNITS + 9])
def test_racing_batches_never_sell_a_unit_twice(
    stockroom: Stockroom, shops: Shops, stock: int
) -> None:
    stockroom.receive("mug", stock)
    each = stock // 3 + 2
    batches = [[demand(100 * shop + i, ("mug", 1)) for i in range(each)] for shop in range(1, 7)]
    answers = shops.race(batches)
    assert sum(units(answers, "soft")) == stock
    assert sum(units(answers, "refused")) == 6 * each - stock
    assert stockroom.broken_rules() == []


def test_whoever_stands_in_a_gate_with_others_leaves_enough_for_all_of_them(
    stockroom: Stockroom, shops: Shops, database_url: str
) -> None:
    stockroom.receive("mug", SEATS * SHARED_UNITS + 1)
    stockroom.ask(demand(100, ("mug", 1)))
    with contextlib.ExitStack() as open_batches:
        answers = []
        for shop in range(SEATS):
            one = open_batches.enter_context(contextlib.closing(db.connect(database_url)))
            one.execute("SET lock_timeout = '2s'")
            answers += shops.accept(one, [demand(shop, ("mug", SHARED_UNITS))], None)
        assert units(answers, "soft") == [SHARED_UNITS] * SEATS
        last = open_batches.enter_context(contextlib.closing(db.connect(database_url)))
        assert is_kept_waiting(shops, last, demand(99, ("mug", 1)))


def test_a_transaction_claims_beside_others_once(
    stockroom: Stockroom, shops: Shops, database_url: str
) -> None:
    stockroom.receive("mug", 10_000)
    stockroom.ask(demand(100, ("mug", 1)))
    with contextlib.closing(db.connect(database_url)) as other:
        undone = stockroom.connection
        undone.execute("SELECT 1")
        with contextlib.suppress(ZeroDivisionError), undone.transaction():
            shops.accept(undone, [demand(1, ("mug", 1))], None)
            raise ZeroDivisionError  # Bisecting goes on in the same transaction.
        shops.accept(undone, [demand(2, ("mug", 1))], None)
        assert not is_kept_waiting(shops, other, demand(3, ("mug", 1)))
        shops.accept(undone, [demand(4, ("mug", 1))], None)
        assert is_kept_waiting(shops, other, demand(5, ("mug", 1)))
        undone.commit()


def is_kept_waiting(shops: Shops, connection: db.Connection, wanted: AcceptDemand) -> bool:
    """Whether this order cannot be accepted while other batches are open. Nothing is kept of it."""
    connection.execute("SET LOCAL lock_timeout = '300ms'")
    try:
        shops.accept(connection, [wanted], None)
    except LockNotAvailable:
        return True
    finally:
        connection.rollback()
    return False


def test_batches_with_several_skus_do_not_lock_each_other_out(
    stockroom: Stockroom, shops: Shops
) -> None:
    skus = [f"cup-{i:02}" for i in range(12)]
    for sku in skus:
        stockroom.receive(sku, 3)
    batches = [
        [demand(100 * shop + i, *((sku, 1) for sku in skus[i:] + skus[:i])) for i in range(3)]
        for shop in range(1, 6)
    ]
    answers = shops.race(batches)
    assert sum(units(answers, "soft")) == 3 * len(skus)


def test_intake_of_a_plentiful_sku_does_not_wait(
    stockroom: Stockroom, shops: Shops, database_url: str
) -> None:
    stockroom.receive("mug", 10_000)
    with contextlib.closing(db.connect(database_url)) as other:

        def accept_beside() -> None:
            other.execute("SET lock_timeout = '2s'")
            found = shops.accept(other, [demand(2, ("mug", 1))])
            assert units(found, "soft") == [1]

        stockroom.ask(demand(3, ("mug", 1)))
        # The first batch is not committed yet while the second passes the gate.
        shops.accept(stockroom.connection, [demand(1, ("mug", 1))], accept_beside)


def test_the_last_units_are_taken_one_batch_after_the_other(
    stockroom: Stockroom, shops: Shops, database_url: str
) -> None:
    stockroom.receive("mug", 1)
    stockroom.ask(demand(3, ("mug", 1), on_shortage="refuse"))
    with contextlib.closing(db.connect(database_url)) as other:

        def waits() -> None:
            assert is_kept_waiting(shops, other, demand(2, ("mug", 1)))

        shops.accept(stockroom.connection, [demand(1, ("mug", 1))], waits)


def test_batches_that_find_a_sku_scarce_in_its_gate_do_not_lock_each_other_out(
    stockroom: Stockroom, shops: Shops, database_url: str
) -> None:
    stockroom.receive("mug", SEATS * SHARED_UNITS + 10)
    stockroom.ask(demand(100, ("mug", 1)))
    late: list[Future[list[DemandAccepted]]] = []
    with ThreadPoolExecutor(2) as threads, contextlib.closing(db.connect(database_url)) as other:

        def two_look_and_wait() -> None:
            for shop in (1, 2):
                late.append(threads.submit(shops.race, [[demand(shop, ("mug", 1))]]))
            until_waiting(stockroom.connection, 2)

        # What makes it scarce for both is committed when both have found it plentiful.
        shops.accept(other, [demand(3, ("mug", 20))], two_look_and_wait)
    assert [units(batch.result(), "soft") for batch in late] == [[1], [1]]


def until_waiting(connection: db.Connection, transactions: int) -> None:
    """Until so many transactions of this database wait for a lock."""
    deadline = time.monotonic() + 30
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while connection.execute(waiting).fetchone() != (transactions,):
        connection.rollback()
        assert time.monotonic() < deadline, "they do not wait"
        time.sleep(0.01)


def test_paid_orders_wait_for_nobody(stockroom: Stockroom, shops: Shops, database_url: str) -> None:
    stockroom.receive("mug", 1)
    with contextlib.closing(db.connect(database_url)) as other:

        def is_taken() -> None:
            other.execute("SET lock_timeout = '2s'")
            assert units(shops.accept(other, [demand(2, ("mug", 1), paid=True)]), "refused") == [0]

        shops.accept(stockroom.connection, [demand(1, ("mug", 1))], is_taken)
