"""What simulated customers and banks did that nobody had thought of."""

from __future__ import annotations

import msgspec
import pytest

from crossdock import db
from crossdock.model.orders import Tender
from tests.integration.orders.shop import BOSTON, CARD, Shop, outside_order


@pytest.fixture
def shop(connection: db.Connection) -> Shop:
    return Shop(connection)


def taken(shop: Shop, number: str, mugs: int) -> str:
    """An order at the door: what comes next reaches its process in one batch with it."""
    [receipt] = shop.take([outside_order(number, ("mug", mugs), tenders=[CARD])])
    return receipt.order_id


def test_what_was_canceled_before_it_was_asked_for_is_not_let_go_again(shop: Shop) -> None:
    shop.stock(BOSTON, mug=3)
    order = taken(shop, "9001", 3)
    shop.cancel(order, (1, 1))
    assert shop.tender(order)["authorized"] == 2500

    shop.finish(order)

    assert shop.tender(order)["captured"] == 2500
    assert shop.tender(order)["voided"] == 0
    shop.assert_whole()


def test_an_order_canceled_before_we_looked_at_it_is_closed_without_a_case(shop: Shop) -> None:
    order = taken(shop, "9002", 1)
    shop.cancel(order)
    assert shop.stage(order) == "closed"
    assert shop.cases() == []
    assert shop.units(order) == {"canceled": 1}
    shop.assert_whole()


def test_an_order_half_of_whose_tenders_are_refused_waits_for_a_person(shop: Shop) -> None:
    shop.stock(BOSTON, mug=2)
    declined = Tender(number=1, kind="gift_card", amount=1000, reference="declined_gift")
    rest = msgspec.structs.replace(CARD, number=2, amount=1500)
    order = shop.place("9003", ("mug", 2), tenders=[declined, rest])
    assert shop.holds(order) == ["payment"]

    shop.wait(hours=72)

    assert shop.stage(order) == "closed"
    assert shop.tender(order, 2)["captured"] == 0
    assert shop.tender(order, 2)["authorized"] == 0
    shop.assert_whole()


def test_two_answers_about_one_wish_add_up(shop: Shop) -> None:
    shop.stock(BOSTON, mug=2)
    order = shop.place("9004", ("mug", 2))
    work = shop.work(order)
    shop.ship(work, {1: 1})
    shop.cancel(order)
    shop.answer_recalls(shop.work(order))
    [(line, _, requested, *_rest)] = shop.cancellations(order)
    assert (line, requested) == (1, 2)
    assert sum(shop.cancellations(order)[0][3:]) == 2
    shop.assert_whole()
