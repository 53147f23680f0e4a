"""Cancellations at every moment: at once, given back, stopped, or refused for all to see.

The real engine, database and fakes; every invariant is checked at the end of each.
"""

from __future__ import annotations

from tests.integration.orders.shop import (
    BOSTON,
    CARD,
    PROVIDENCE,
    Shop,
)


def test_an_order_without_a_node_is_canceled_at_once(shop: Shop) -> None:
    order = shop.place("4001", ("mug", 2), tenders=[CARD])

    shop.cancel(order)

    assert shop.units(order) == {"canceled": 2}
    assert shop.tender(order)["voided"] == 2500
    assert shop.stage(order) == "closed"
    assert shop.rows("SELECT count(*) FROM reservation") == [(0,)]
    shop.assert_whole()


def test_a_released_order_is_canceled_only_when_the_node_gives_it_back(shop: Shop) -> None:
    shop.stock(BOSTON, mug=2)
    order = shop.place("4002", ("mug", 2))
    work = shop.work(order)

    shop.cancel(order)
    assert shop.units(order) == {"released": 2}
    assert shop.work(order).acknowledgement == "recall_requested"
    assert shop.level("mug", BOSTON) == (2, 2)
    shop.answer_recalls(work)

    assert shop.units(order) == {"canceled": 2}
    assert shop.level("mug", BOSTON) == (2, 0)
    assert shop.tender(order)["refunded"] == 2500
    assert shop.told(order) == ["confirmed", "canceled", "refunded"]
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_picked_units_that_are_recalled_go_back_to_the_shelf(shop: Shop) -> None:
    shop.stock(BOSTON, mug=3)
    order = shop.place("4003", ("mug", 3))
    work = shop.work(order)
    shop.pick(work)

    shop.cancel(order, (1, 1))
    shop.answer_recalls(work)

    assert shop.units(order) == {"picked": 2, "canceled": 1}
    assert shop.level("mug", BOSTON) == (3, 2)
    shop.finish(order)
    assert shop.units(order) == {"shipped": 2, "canceled": 1, "delivered": 2}
    assert shop.tender(order)["refunded"] == 1250
    shop.assert_whole()


def test_a_node_that_gives_nothing_back_ships_and_the_customer_is_told(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("4004", ("mug", 1))
    work = shop.work(order)
    shop.cancel(order)

    shop.answer_recalls(work, give=False)

    assert shop.cancellations(order) == [(1, "customer", 1, 0, 0, 1)]
    assert "cancel_refused" in shop.told(order)
    shop.finish(order)
    assert shop.stage(order) == "closed"
    assert shop.rows("SELECT quantity, status FROM return_claim") == [(1, "open")]
    shop.assert_whole()


def test_a_parcel_on_its_way_is_stopped_by_the_carrier_and_refunded(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("4005", ("mug", 1), tenders=[CARD])
    shop.ship(shop.work(order))

    shop.cancel(order)

    assert shop.cancellations(order) == [(1, "customer", 1, 0, 1, 0)]
    assert shop.units(order) == {"shipped": 1, "returned": 1}
    assert shop.tender(order)["refunded"] == 1250
    assert "credit_memo" in shop.documents(order)
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_parcel_beyond_stopping_is_refused_visibly(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("4006", ("mug", 1))
    work = shop.work(order)
    [tracking] = shop.ship(work)
    shop.carrier.gone.add(tracking)

    shop.cancel(order)

    assert shop.cancellations(order) == [(1, "customer", 1, 0, 0, 1)]
    assert shop.told(order)[-1] == "cancel_refused"
    shop.deliver(work, tracking)
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_mixed_parcel_is_not_stopped_for_one_of_its_lines(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1, jug=1)
    order = shop.place("4007", ("mug", 1), ("jug", 1))
    work = shop.work(order)
    [tracking] = shop.ship(work)

    shop.cancel(order, (1, 1))

    assert shop.cancellations(order) == [(1, "customer", 1, 0, 0, 1)]
    shop.deliver(work, tracking)
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_an_order_shipped_between_recall_and_answer_is_stopped_on_its_way(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("4008", ("mug", 1))
    work = shop.work(order)
    shop.cancel(order)

    shop.ship(work)

    assert shop.cancellations(order) == [(1, "customer", 1, 0, 1, 0)]
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_what_was_delivered_cannot_be_canceled_but_is_claimed(shop: Shop) -> None:
    shop.stock(BOSTON, mug=2)
    order = shop.place("4009", ("mug", 2))
    shop.finish(order)

    shop.cancel(order, (1, 1))

    assert shop.cancellations(order) == [(1, "customer", 1, 0, 0, 1)]
    assert shop.rows("SELECT quantity, amount FROM return_claim") == [(1, 1250)]
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_declined_work_that_was_recalled_is_canceled_and_not_sourced_again(shop: Shop) -> None:
    shop.stock(BOSTON, mug=2)
    shop.stock(PROVIDENCE, mug=2)
    order = shop.place("4010", ("mug", 2))
    work = shop.work(order)
    shop.cancel(order, (1, 1))

    shop.decline(work)

    assert shop.units(order) == {"canceled": 1, "released": 1}
    assert shop.work(order).node == PROVIDENCE
    shop.assert_whole()


def test_a_unit_found_missing_after_it_was_canceled_is_not_sent_from_elsewhere(shop: Shop) -> None:
    shop.stock(BOSTON, mug=2)
    shop.stock(PROVIDENCE, mug=2)
    order = shop.place("4011", ("mug", 2))
    work = shop.work(order)
    shop.cancel(order)

    shop.pick(work, short={1: 1})
    assert shop.units(order) == {"canceled": 1, "picked": 1}
    shop.answer_recalls(work)

    assert shop.units(order) == {"canceled": 2}
    assert shop.stage(order) == "closed"
    shop.assert_whole()
