"""The life of a reservation, step by step, each with its undo."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import NamedTuple

import msgspec
import pytest

from crossdock import db
from crossdock.inventory.model import (
    AcceptDemand,
    DemandAccepted,
    DemandedLine,
    FreeLine,
    FreeReservations,
    PickStock,
    ReservationsFreed,
    ShipStock,
    ShortageFound,
    StockArrived,
    StockPicked,
    StockShipped,
    UnpickStock,
)
from crossdock.inventory.reservations.capability import expire
from crossdock.inventory.upkeep import give_up_expired
from crossdock.kernel.messages import Command
from crossdock.model.messages import LineQuantity, ShortLine
from tests.inventory.stockroom import ELM, OAK, Stockroom, at, count, order

WORK = order(900)
"""The fulfillment that picks and ships in these tests."""


def pick(units: int, *, short: int = 0, reason: str = "not_in_stock", number: int = 1) -> PickStock:
    return PickStock(
        order_id=order(number),
        fulfillment_id=WORK,
        node=OAK,
        picked=(LineQuantity(1, units),) if units else (),
        short=(ShortLine(1, short, reason),) if short else (),
    )


def unpick(units: int, *, requeue: bool = False) -> UnpickStock:
    return UnpickStock(
        order_id=order(1),
        fulfillment_id=WORK,
        node=OAK,
        lines=(LineQuantity(1, units),),
        requeue=requeue,
    )


def ship(units: int, *, number: int = 1) -> ShipStock:
    return ShipStock(
        order_id=order(number),
        fulfillment_id=WORK,
        node=OAK,
        shipment_id=order(901),
        lines=(LineQuantity(1, units),),
        shipped_at=at(61),
    )


def free(units: int, node: str | None = OAK, *, requeue: bool = False) -> FreeReservations:
    return FreeReservations(
        order_id=order(1),
        lines=(FreeLine(1, units, node),),
        reason="customer",
        requeue=requeue,
    )


class Story(NamedTuple):
    """Commands to an order of 3 mugs reserved at Oak Street, which has 5; what is true then."""

    name: str
    commands: tuple[Command, ...]
    level: tuple[int, int]
    live: list[tuple[str, int, str | None]]


STORIES = [
    Story("nothing happens", (), (5, 3), [("allocated", 3, OAK)]),
    Story("picked", (pick(3),), (5, 3), [("picked", 3, OAK)]),
    Story("picked, shipped", (pick(3), ship(3)), (2, 0), []),
    Story("shipped without a word of picking", (ship(3),), (2, 0), []),
    Story("picked in parts", (pick(1), pick(2), ship(3)), (2, 0), []),
    Story("shipped in parts", (pick(3), ship(1), ship(2)), (2, 0), []),
    Story("shipped twice", (ship(3), ship(3)), (2, 0), []),
    Story("one mug short", (pick(2, short=1),), (4, 2), [("picked", 2, OAK), ("soft", 1, None)]),
    Story(
        "one mug broken",
        (pick(2, short=1, reason="damaged"),),
        (4, 2),
        [("picked", 2, OAK), ("soft", 1, None)],
    ),
    Story(
        "no time for one mug",
        (pick(2, short=1, reason="no_capacity"),),
        (5, 2),
        [("picked", 2, OAK), ("soft", 1, None)],
    ),
    Story("canceled", (free(3),), (5, 0), []),
    Story("canceled in part", (free(1),), (5, 2), [("allocated", 2, OAK)]),
    Story("canceled twice", (free(3), free(3)), (5, 0), []),
    Story("canceled beyond what there is", (free(7),), (5, 0), []),
    Story("canceled at another node", (free(3, ELM),), (5, 3), [("allocated", 3, OAK)]),
    Story("canceled after picking", (pick(3), free(3)), (5, 3), [("picked", 3, OAK)]),
    Story("declined", (free(3, requeue=True),), (5, 0), [("soft", 3, None)]),
    Story("declined and then canceled", (free(3, requeue=True), free(3, None)), (5, 0), []),
    Story("recalled after picking", (pick(3), unpick(3)), (5, 0), []),
    Story("recalled before picking", (unpick(3),), (5, 0), []),
    Story("recalled in part", (pick(3), unpick(1)), (5, 2), [("picked", 2, OAK)]),
    Story("recalled for another node", (pick(3), unpick(3, requeue=True)), (5, 0),
          [("soft", 3, None)]),
    Story("recalled, then shipped all the same", (pick(3), unpick(3), ship(3)), (5, 0), []),
]  # fmt: skip


@pytest.mark.parametrize("together", [False, True], ids=["batch by batch", "in one batch"])
@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_a_reservation_lives_as_told(stockroom: Stockroom, story: Story, together: bool) -> None:
    stockroom.receive("mug", 5)
    stockroom.promise(1, "mug", 3)
    if together:
        stockroom.ask(*story.commands)
    else:
        for command in story.commands:
            stockroom.ask(command)
    assert stockroom.level("mug") == story.level
    assert sorted(row[1:] for row in stockroom.reservations()) == story.live
    assert stockroom.broken_rules() == []


def test_each_answer_names_what_was_really_there(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 5)
    stockroom.promise(1, "mug", 3)
    (picked,) = stockroom.ask(pick(2, short=4))
    assert isinstance(picked, StockPicked)
    assert picked.picked == (LineQuantity(1, 2),)
    assert picked.short == (ShortLine(1, 1, "not_in_stock"),)
    (freed,) = stockroom.ask(free(5, None))
    assert isinstance(freed, ReservationsFreed) and freed.lines == (FreeLine(1, 1, None),)
    (shipped,) = stockroom.ask(ship(9))
    assert isinstance(shipped, StockShipped) and shipped.lines == (LineQuantity(1, 2),)


def test_missing_and_damaged_units_leave_a_trace(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 5)
    stockroom.promise(1, "mug", 3)
    stockroom.ask(pick(1, short=1), pick(0, short=1, reason="damaged"))
    assert ("reserved", "unexplained", 1, "not_in_stock") in stockroom.ledger("mug")
    assert stockroom.buckets("mug", OAK, "sellable", "damaged") == (3, 1)


def test_what_a_count_broke_and_the_node_ships_anyway_is_booked_as_shipped(
    stockroom: Stockroom,
) -> None:
    stockroom.receive("mug", 5)
    stockroom.promise(1, "mug", 3)
    (shortage,) = stockroom.tell(count(61, mug=1))
    assert isinstance(shortage, ShortageFound) and shortage.quantity == 2
    (shipped,) = stockroom.ask(ship(3))
    assert isinstance(shipped, StockShipped) and shipped.lines == (LineQuantity(1, 3),)
    assert stockroom.reservations() == []
    assert stockroom.broken_rules() == []


def test_shipping_units_reserved_for_another_order_breaks_that_order(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 3)
    stockroom.promise(1, "mug", 3)
    stockroom.ask(free(3, requeue=True))
    stockroom.promise(3, "mug", 3)
    told = stockroom.ask(ship(2))
    shortages = [m for m in told if isinstance(m, ShortageFound)]
    assert [(m.order_id, m.quantity) for m in shortages] == [(order(3), 2)]
    assert stockroom.level("mug") == (1, 1)
    assert stockroom.broken_rules() == []


def test_units_given_up_serve_the_oldest_promise_first(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 3)
    stockroom.promise(1, "mug", 3)
    stockroom.demand(2, "mug", 2, promised_by=at(5000))
    stockroom.demand(3, "mug", 2, promised_by=at(4000))
    told = stockroom.ask(free(3))
    arrived = {m.order_id: m.lines for m in told if isinstance(m, StockArrived)}
    assert arrived == {order(3): (LineQuantity(1, 2),), order(2): (LineQuantity(1, 1),)}
    states = {(row[0], row[1]): row[2] for row in stockroom.reservations()}
    assert states == {(order(3), "soft"): 2, (order(2), "soft"): 1, (order(2), "backordered"): 1}
    assert stockroom.broken_rules() == []


def test_a_queued_unit_given_up_serves_who_waits(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 1)
    stockroom.demand(1, "mug", 1)
    stockroom.demand(2, "mug", 1)
    told = stockroom.ask(free(1, None))
    assert [m.order_id for m in told if isinstance(m, StockArrived)] == [order(2)]


def checkout(units: int, *, minutes: float = 30, number: int = 50) -> AcceptDemand:
    return AcceptDemand(
        order_id=order(number),
        checkout_id=order(number),
        channel="web",
        paid=False,
        placed_at=at(60),
        on_shortage="refuse",
        expires_at=at(60 + minutes),
        lines=(DemandedLine(line=1, sku="mug", quantity=units),),
    )


def test_a_checkout_left_behind_expires(stockroom: Stockroom, connection: db.Connection) -> None:
    stockroom.receive("mug", 2)
    stockroom.ask(checkout(2))
    (refused,) = stockroom.ask(
        AcceptDemand(
            order_id=order(1), channel="web", paid=False, placed_at=at(60), on_shortage="refuse",
            lines=(DemandedLine(line=1, sku="mug", quantity=1),),
        )
    )  # fmt: skip
    assert isinstance(refused, DemandAccepted) and refused.refused == (LineQuantity(1, 1),)
    stockroom.now += timedelta(minutes=30)
    tx = stockroom.transaction()
    assert expire(tx, 1_000) == 2
    stockroom.commit(tx)
    assert stockroom.reservations() == []


def test_expired_units_are_given_up_in_full_steps_by_one_worker_at_a_time(
    stockroom: Stockroom, database_url: str
) -> None:
    stockroom.receive("mug", 7)
    stockroom.ask(*(checkout(1, number=number) for number in range(50, 55)))
    later = stockroom.now + timedelta(minutes=30)
    with contextlib.closing(db.connect(database_url)) as other:
        assert give_up_expired(other, later, step=2)
        assert not give_up_expired(stockroom.connection, later), "another worker is at it"
        other.commit()
    assert len(stockroom.reservations()) == 3
    assert give_up_expired(stockroom.connection, later, step=2)
    assert not give_up_expired(stockroom.connection, later, step=2)
    assert stockroom.reservations() == []


def test_an_order_takes_over_its_checkout_without_a_gap(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 2)
    stockroom.ask(checkout(2))
    placed = AcceptDemand(
        order_id=order(1), checkout_id=order(50), channel="web", paid=False, placed_at=at(61),
        on_shortage="refuse", lines=(DemandedLine(line=1, sku="mug", quantity=2),),
    )  # fmt: skip
    (accepted,) = stockroom.ask(placed)
    assert isinstance(accepted, DemandAccepted) and accepted.soft == (LineQuantity(1, 2),)
    assert [row[:3] for row in stockroom.reservations()] == [(order(1), "soft", 2)]
    tx = stockroom.transaction()
    tx.now += timedelta(days=1)
    assert expire(tx, 1_000) == 0


def test_an_order_takes_over_kits_part_by_part(
    stockroom: Stockroom, connection: db.Connection
) -> None:
    connection.execute(
        "INSERT INTO product (sku, name, kind) VALUES ('mug', 'mug', 'goods'),"
        " ('bowl', 'bowl', 'goods'), ('set', 'set', 'kit')"
    )
    connection.execute(
        "INSERT INTO kit_component (kit, component, quantity)"
        " VALUES ('set', 'mug', 1), ('set', 'bowl', 2)"
    )
    connection.commit()
    stockroom.receive("mug", 3)
    stockroom.receive("bowl", 6)
    line = DemandedLine(line=1, sku="set", quantity=3)
    stockroom.ask(msgspec.structs.replace(checkout(3), lines=(line,)))
    placed = AcceptDemand(
        order_id=order(1), checkout_id=order(50), channel="web", paid=False, placed_at=at(61),
        on_shortage="refuse", lines=(DemandedLine(line=4, sku="set", quantity=2),),
    )  # fmt: skip
    (accepted,) = stockroom.ask(placed)
    assert isinstance(accepted, DemandAccepted) and accepted.soft == (LineQuantity(4, 2),)
    assert sorted(row[2] for row in stockroom.reservations()) == [2, 4]
    assert stockroom.broken_rules() == []
