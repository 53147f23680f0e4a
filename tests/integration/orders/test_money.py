"""Payments that are refused, late, renewed or owed, and an ERP that is down.

The real engine, database and fakes; every invariant is checked at the end of each.
"""

from __future__ import annotations

import pytest

from crossdock import invariants
from crossdock.connectors.fakes import Mood
from crossdock.model.orders import Tender
from tests.integration.orders.shop import (
    BOSTON,
    CARD,
    Shop,
)


def test_a_declined_card_gives_way_to_the_next_tender(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    declined = Tender(number=1, kind="card", amount=0, reference="declined_card")

    order = shop.place("5001", ("mug", 1), tenders=[declined, CARD])

    assert shop.tender(order, 1)["status"] == "refused"
    assert shop.tender(order, 2)["authorized"] == 1250
    assert shop.units(order) == {"released": 1}
    shop.assert_whole()


def test_an_order_nobody_pays_waits_and_is_canceled_in_the_end(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    declined = Tender(number=1, kind="card", amount=0, reference="declined_card")
    order = shop.place("5002", ("mug", 1), tenders=[declined])
    assert shop.stage(order) == "held"
    assert shop.holds(order) == ["payment"]
    assert shop.level("mug", BOSTON) == (1, 0)

    shop.wait(hours=72)

    assert shop.cancellations(order) == [(1, "payment_refused", 1, 1, 0, 0)]
    assert shop.stage(order) == "closed"
    assert shop.documents(order) == []
    shop.assert_whole()


def test_a_payment_hold_that_is_lifted_asks_the_card_again(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    shop.payment.mood = Mood(refuses=1.0)
    order = shop.place("5003", ("mug", 1), tenders=[CARD])
    assert shop.holds(order) == ["payment"]

    shop.payment.mood = Mood()
    shop.lift(order, "payment")

    assert shop.units(order) == {"released": 1}
    assert shop.holds(order) == []
    shop.assert_whole()


def test_every_shipment_is_charged_for_what_is_in_it_and_the_cents_sum_up(shop: Shop) -> None:
    shop.stock(BOSTON, tray=3)
    order = shop.place("5004", ("tray", 3), tenders=[CARD], total=None)
    work = shop.work(order)

    shop.ship(work, {1: 1})
    shop.ship(shop.work(order), {1: 2})

    assert shop.tender(order)["captured"] == 2997
    assert [amount for (amount,) in shop.rows("SELECT amount FROM shipment ORDER BY 1")] == [
        999,
        1998,
    ]
    shop.assert_whole()


def test_an_authorization_that_comes_after_the_cancellation_is_voided(shop: Shop) -> None:
    shop.payment.mood = Mood(fails=1.0)
    order = shop.place("5005", ("mug", 1), tenders=[CARD])
    shop.cancel(order)
    assert shop.units(order) == {"canceled": 1}

    shop.payment.mood = Mood()
    shop.wait(hours=1)

    assert shop.tender(order)["voided"] == 1250
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_refused_capture_is_a_visible_debt_and_stops_no_document(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("5006", ("mug", 1), tenders=[CARD])
    work = shop.work(order)
    shop.payment.mood = Mood(refuses=1.0)

    [tracking] = shop.ship(work)
    shop.deliver(work, tracking)

    assert shop.tender(order)["debt"] == 1250
    assert shop.documents(order) == ["order", "delivery", "invoice"]
    assert shop.stage(order) == "open"
    shop.payment.mood = Mood()
    shop.wait(days=1)
    assert shop.tender(order)["debt"] == 0
    assert shop.tender(order)["captured"] == 1250
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_debt_nobody_pays_is_left_to_people(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("5007", ("mug", 1), tenders=[CARD])
    shop.payment.mood = Mood(refuses=1.0)
    shop.finish(order)

    for _ in range(5):
        shop.wait(days=1)

    assert shop.cases() == ["unpaid debt"]
    assert shop.tender(order)["debt"] == 1250
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_an_authorization_is_renewed_before_it_ends(shop: Shop) -> None:
    order = shop.place("5008", ("mug", 1), tenders=[CARD])
    assert shop.units(order) == {"backordered": 1}

    shop.wait(days=6)
    shop.wait(days=2)
    shop.stock(BOSTON, mug=1)
    shop.finish(order)

    tender = shop.tender(order)
    assert (tender["captured"], tender["voided"], tender["authorized"]) == (1250, 1250, 0)
    assert sum(found.held for found in shop.payment.authorizations.values()) == 0
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_parcel_stopped_before_its_capture_is_refused_costs_nothing(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("5011", ("mug", 1), tenders=[CARD])
    work = shop.work(order)
    shop.payment.mood = Mood(fails=1.0)
    [tracking] = shop.ship(work)
    shop.cancel(order)
    assert shop.carrier.stopped == {tracking}

    shop.payment.mood = Mood(refuses=1.0)
    shop.wait(hours=1)
    shop.payment.mood = Mood()
    shop.wait(days=2)

    assert shop.tender(order)["captured"] == 0
    assert shop.stage(order) == "closed"
    assert shop.cases() == []
    shop.assert_whole()


def test_an_authorization_that_cannot_be_renewed_holds_the_order(shop: Shop) -> None:
    order = shop.place("5009", ("mug", 1), tenders=[CARD])
    shop.payment.mood = Mood(refuses=1.0)
    shop.wait(days=6)
    assert shop.holds(order) == ["payment"]

    shop.stock(BOSTON, mug=1)
    assert shop.works(order) == []
    shop.payment.mood = Mood()
    shop.lift(order, "payment")

    assert shop.work(order).node == BOSTON
    shop.finish(order)
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_an_erp_down_for_hours_stops_nothing_and_gets_everything_in_order(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    shop.erp.mood = Mood(fails=1.0)
    order = shop.place("5010", ("mug", 1))
    shop.finish(order)
    assert shop.stage(order) == "closed"
    assert shop.documents(order) == []

    shop.wait(hours=5)
    shop.erp.mood = Mood()
    for _ in range(5):
        shop.wait(hours=1)

    assert shop.documents(order) == ["order", "delivery", "invoice"]
    shop.assert_whole()


@pytest.mark.parametrize(
    ("broken", "change"),
    [
        ("closed_orders_are_paid_for", "UPDATE tender SET refunded = 0"),
        ("closed_orders_are_finished", "UPDATE tender SET authorized = 1"),
    ],
)
def test_money_that_is_kept_or_held_for_nothing_is_found(
    shop: Shop, broken: str, change: str
) -> None:
    """Though a provider refused to pay back some of it."""
    shop.stock(BOSTON, mug=3)
    order = shop.place("5012", ("mug", 3), tenders=[CARD])
    work = shop.work(order)
    trackings = shop.ship(work, {1: 1}, {1: 1}, {1: 1})
    shop.payment.mood = Mood(refuses=1.0)
    shop.cancel(order, (1, 1))
    shop.payment.mood = Mood()
    shop.cancel(order, (1, 1))
    [left] = set(trackings) - shop.carrier.stopped
    shop.deliver(work, left)
    assert shop.stage(order) == "closed"
    assert (shop.tender(order)["refunded"], shop.cases()) == (1250, ["refund refused"])
    shop.assert_whole()

    shop.connection.execute(change)

    found = {violation.invariant for violation in invariants.check(shop.connection)}
    assert broken in found
