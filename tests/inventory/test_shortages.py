"""A count below what is reserved never fails and never hides; arriving stock serves who waits."""

from __future__ import annotations

from crossdock.inventory.model import (
    BackordersReviewRequested,
    FreeLine,
    FreeReservations,
    PickStock,
    ShipStock,
    ShortageFound,
    StockArrived,
)
from crossdock.model.messages import LineQuantity
from tests.inventory.stockroom import OAK, Stockroom, at, count, move, order


def broken(messages: object) -> list[tuple[str, int, str]]:
    """(order, units, node) of the shortages among messages."""
    assert isinstance(messages, list)
    return [(m.order_id, m.quantity, m.node) for m in messages if isinstance(m, ShortageFound)]


def arrived(messages: object) -> list[tuple[str, int]]:
    """(order, units of line 1) of the arrivals among messages."""
    assert isinstance(messages, list)
    return [(m.order_id, m.lines[0].quantity) for m in messages if isinstance(m, StockArrived)]


def test_a_count_below_what_is_reserved_breaks_reservations_and_tells_their_orders(
    stockroom: Stockroom,
) -> None:
    stockroom.receive("mug", 5)
    stockroom.promise(1, "mug", 3)
    stockroom.promise(2, "mug", 2)
    told = stockroom.tell(count(90, mug=3))
    assert stockroom.level("mug") == (3, 3)
    assert broken(told) == [(order(2), 2, OAK)]
    assert stockroom.reservations() == [
        (order(1), "allocated", 3, OAK),
        (order(2), "soft", 2, None),
    ]
    assert stockroom.broken_rules() == []


def test_who_gives_way_is_decided_by_priority_then_promise_then_id(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 5)
    stockroom.promise(1, "mug", 1, priority=1)
    stockroom.promise(2, "mug", 1, promised_by=at(500))
    stockroom.promise(3, "mug", 1, promised_by=at(900))
    stockroom.promise(4, "mug", 1)
    stockroom.promise(5, "mug", 1, priority=5, promised_by=at(100))
    given_way = []
    for left in (4, 3, 2, 1, 0):
        told = stockroom.tell(count(100 - left, mug=left))
        given_way += [number for number, _, _ in broken(told)]
    assert given_way == [order(5), order(4), order(3), order(2), order(1)]
    assert stockroom.broken_rules() == []


def test_a_reservation_gives_way_only_for_the_units_that_are_missing(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 5)
    stockroom.promise(1, "mug", 5)
    told = stockroom.tell(count(90, mug=4))
    assert broken(told) == [(order(1), 1, OAK)]
    assert stockroom.reservations() == [
        (order(1), "allocated", 4, OAK),
        (order(1), "soft", 1, None),
    ]
    assert stockroom.level("mug") == (4, 4)


def test_picked_units_never_give_way_and_a_case_tells_that_the_count_lacks_them(
    stockroom: Stockroom,
) -> None:
    stockroom.receive("mug", 5)
    stockroom.promise(1, "mug", 3)
    stockroom.promise(2, "mug", 2)
    stockroom.ask(picked(1, 3))
    told = stockroom.tell(count(90, mug=1))
    assert broken(told) == [(order(2), 2, OAK)]
    assert stockroom.level("mug") == (1, 3)
    assert [case[0] for case in stockroom.cases()] == ["picked beyond count"]
    assert stockroom.broken_rules() == []
    stockroom.now = at(120)
    stockroom.ask(shipped(1, 3))
    assert stockroom.level("mug") == (0, 0)
    assert stockroom.broken_rules() == []


def test_a_register_sale_of_a_reserved_unit_breaks_its_reservation(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 1)
    stockroom.promise(1, "mug", 1)
    told = stockroom.tell(move("s1", "mug", 1, minute=70))
    assert broken(told) == [(order(1), 1, OAK)]
    assert stockroom.level("mug") == (0, 0)
    assert stockroom.broken_rules() == []


def test_nothing_is_reserved_that_is_not_there(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 2)
    assert stockroom.promise(1, "mug", 2) == 2
    assert stockroom.promise(2, "mug", 1) == 0
    assert stockroom.level("mug") == (2, 2)
    assert stockroom.broken_rules() == []


def test_stock_that_arrives_serves_the_oldest_promise_first(stockroom: Stockroom) -> None:
    backorder(stockroom, 1, 2, promised=900)
    backorder(stockroom, 2, 2, promised=300)
    backorder(stockroom, 3, 2, promised=None)
    told = stockroom.receive("mug", 3)
    assert arrived(told) == [(order(2), 2), (order(1), 1)]
    assert stockroom.reservations() == [
        (order(1), "backordered", 1, None),
        (order(1), "soft", 1, None),
        (order(2), "soft", 2, None),
        (order(3), "backordered", 2, None),
    ]
    assert stockroom.broken_rules() == []


def test_stock_claimed_by_demand_that_is_being_sourced_serves_no_backorder(
    stockroom: Stockroom,
) -> None:
    backorder(stockroom, 1, 2, promised=900)
    stockroom.demand(2, "bowl", 1)
    stockroom.receive("bowl", 1)
    stockroom.connection.execute("UPDATE reservation SET sku = 'mug' WHERE sku = 'bowl'")
    stockroom.connection.commit()
    assert arrived(stockroom.receive("mug", 2)) == [(order(1), 1)]


def test_a_review_serves_backorders_that_missed_their_stock(stockroom: Stockroom) -> None:
    stockroom.receive("mug", 3)
    backorder(stockroom, 1, 2, promised=900)
    assert arrived(stockroom.tell(BackordersReviewRequested())) == [(order(1), 2)]
    assert arrived(stockroom.tell(BackordersReviewRequested())) == []


def test_what_of_a_backorder_is_given_up_is_not_served_in_the_same_batch(
    stockroom: Stockroom,
) -> None:
    stockroom.receive("mug", 6)
    backorder(stockroom, 1, 6, promised=900)
    part = FreeLine(line=1, quantity=4)
    told = stockroom.ask(FreeReservations(order_id=order(1), lines=(part,), reason="customer"))
    assert arrived(told) == [(order(1), 2)]
    assert stockroom.reservations() == [(order(1), "soft", 2, None)]
    assert stockroom.broken_rules() == []


def test_a_sale_elsewhere_serves_no_backorder(stockroom: Stockroom) -> None:
    backorder(stockroom, 1, 2, promised=900)
    assert stockroom.tell(move("s1", "mug", 1)) == []


def backorder(stockroom: Stockroom, number: int, units: int, *, promised: int | None) -> None:
    """A backordered line, whatever was available."""
    due = None if promised is None else at(promised)
    stockroom.demand(number, "mug", units, promised_by=due)
    stockroom.connection.execute(
        "UPDATE reservation SET state = 'backordered' WHERE order_id = %s", [order(number)]
    )
    stockroom.connection.commit()


def picked(number: int, units: int) -> PickStock:
    return PickStock(
        order_id=order(number),
        fulfillment_id=order(100 + number),
        node=OAK,
        picked=(LineQuantity(1, units),),
    )


def shipped(number: int, units: int) -> ShipStock:
    return ShipStock(
        order_id=order(number),
        fulfillment_id=order(100 + number),
        node=OAK,
        shipment_id=order(200 + number),
        lines=(LineQuantity(1, units),),
    )
