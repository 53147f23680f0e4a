"""Before the promise and at the end of the way: the door, holds, lost parcels.

The real engine, database and fakes; every invariant is checked at the end of each.
"""

from __future__ import annotations

from crossdock.model.messages import AddressCorrected
from crossdock.model.outside import OutsideAddress
from crossdock.ordering.intake import Taken
from tests.integration.orders.shop import (
    AT_BOSTON,
    BOSTON,
    CARD,
    MONDAY,
    Shop,
    outside_order,
)

# Before the promise ------------------------------------------------------------------------------


def test_an_address_nobody_can_reach_is_held_until_it_is_corrected(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("6001", ("mug", 1), address=OutsideAddress(country="XX"))
    assert shop.holds(order) == ["address"]
    assert shop.told(order) == ["address_problem"]

    shop.tell_order(
        AddressCorrected(
            order_id=order,
            group=1,
            country="US",
            postal_code="02110",
            latitude=42.35,
            longitude=-71.05,
        )
    )

    assert shop.holds(order) == []
    assert shop.units(order) == {"released": 1}
    assert shop.rows("SELECT status FROM task") == [("done",)]
    assert shop.rows("SELECT country, postal_code FROM delivery_group") == [("US", "02110")]
    shop.assert_whole()


def test_a_suspicious_order_waits_for_a_person_and_promises_nothing(shop: Shop) -> None:
    shop.stock(BOSTON, jug=400)
    order = shop.place("6002", ("jug", 350), tenders=[CARD])
    assert shop.stage(order) == "held"
    assert shop.level("jug", BOSTON) == (400, 0)

    shop.lift(order, "suspicion")

    assert shop.units(order) == {"released": 350}
    shop.assert_whole()


def test_a_suspicious_order_that_is_rejected_is_canceled_and_its_money_let_go(shop: Shop) -> None:
    order = shop.place("6003", ("jug", 350), tenders=[CARD])

    shop.lift(order, "suspicion", approved=False)

    assert shop.cancellations(order) == [(1, "hold_suspicion", 350, 350, 0, 0)]
    assert shop.tender(order)["voided"] == 1050000
    assert shop.stage(order) == "closed"
    assert shop.documents(order) == []
    shop.assert_whole()


def test_a_sku_nobody_sells_is_held(shop: Shop) -> None:
    order = shop.place("6004", ("unicorn", 1))

    assert shop.holds(order) == ["order"]
    shop.lift(order, "order", approved=False)
    assert shop.units(order) == {"canceled": 1}
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_held_order_can_be_canceled(shop: Shop) -> None:
    order = shop.place("6005", ("jug", 350), tenders=[CARD])

    shop.cancel(order)

    assert shop.stage(order) == "closed"
    assert shop.holds(order) == []
    shop.assert_whole()


# Parcels -----------------------------------------------------------------------------------------


def test_a_lost_parcel_is_sent_again_and_costs_nothing_twice(shop: Shop) -> None:
    shop.stock(BOSTON, mug=4)
    order = shop.place("7001", ("mug", 2), tenders=[CARD])
    work = shop.work(order)
    [tracking] = shop.ship(work)

    shop.lose(work, tracking)

    assert shop.units(order) == {"released": 2}
    again = shop.work(order)
    assert again.id != work.id
    shop.finish(order)
    assert shop.units(order) == {"shipped": 2, "delivered": 2}
    assert shop.tender(order)["captured"] == 2500
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_lost_parcel_that_cannot_be_sent_again_is_refunded(shop: Shop) -> None:
    shop.stock(BOSTON, mug=2)
    order = shop.place("7002", ("mug", 2), tenders=[CARD])
    work = shop.work(order)
    [tracking] = shop.ship(work)
    shop.lose(work, tracking)
    assert shop.units(order) == {"backordered": 2}

    shop.cancel(order)

    assert shop.units(order) == {"canceled": 2}
    assert shop.tender(order)["refunded"] == 2500
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_parcel_told_delivered_twice_is_delivered_once(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("7003", ("mug", 1))
    work = shop.work(order)
    [tracking] = shop.ship(work)

    shop.deliver(work, tracking)
    shop.deliver(work, tracking)

    assert shop.told(order).count("delivered") == 1
    assert shop.cases() == []
    shop.assert_whole()


# The door ----------------------------------------------------------------------------------------


def test_the_same_order_again_is_taken_once_and_another_under_its_number_refused(
    shop: Shop,
) -> None:
    order = outside_order("8001", ("mug", 1))
    other = outside_order("8001", ("mug", 2))
    later = outside_order("8001", ("mug", 1), placed_at=MONDAY.replace(hour=16))

    results = [receipt.result for receipt in shop.take([order, order, other, later])]

    taken = Taken.NUMBER_TAKEN
    assert results == [Taken.ACCEPTED, Taken.REPEATED, taken, taken]
    shop.settle()
    assert shop.rows("SELECT count(*) FROM sales_order") == [(1,)]
    assert shop.rows("SELECT name, email FROM party") == [("Ada", "ada@example.org")]
    assert shop.rows("SELECT lines[1], postal_code FROM address") == [
        (AT_BOSTON.lines[0], AT_BOSTON.postal_code)
    ]


def test_an_order_that_cannot_be_written_down_is_refused_at_the_door(shop: Shop) -> None:
    empty = outside_order("8002")
    fine = outside_order("8003", ("mug", 1))

    flawed, taken = shop.take([empty, fine])

    assert (flawed.result, flawed.reason) == (Taken.FLAWED, "there are no lines")
    assert taken.result is Taken.ACCEPTED
    shop.settle()
    assert shop.rows("SELECT number FROM sales_order") == [("8003",)]
