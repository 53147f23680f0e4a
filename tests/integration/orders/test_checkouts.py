"""A checkout keeps units for a customer; the order that comes of it takes them over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from crossdock.model.orders import Tender
from crossdock.processes.checkout import store
from tests.integration.orders.checkouts import checkout_id, drop, extend, reserve
from tests.integration.orders.shop import BOSTON, Shop, outside_order

CARD = (Tender(number=1, kind="card", amount=1250, reference="visa"),)
DECLINED = (Tender(number=1, kind="card", amount=1250, reference="declined"),)


def status(shop: Shop, found: str) -> tuple[str, int]:
    """(status, units reserved)."""
    [[told, units]] = shop.rows(
        "SELECT status, (SELECT sum(reserved)::int FROM checkout_line WHERE checkout_id = c.id)"
        " FROM checkout c WHERE id = %s::uuid",
        found,
    )
    return told, units


def kept(shop: Shop) -> list[tuple[Any, ...]]:
    """(order or checkout, state, quantity) of all live reservations."""
    return shop.rows("SELECT order_id, state, quantity FROM reservation ORDER BY 1, 2, 3")


def test_two_customers_never_hold_the_last_unit_both(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    first, second = reserve(shop, "ada", ("mug", 1)), reserve(shop, "bob", ("mug", 1))
    assert (status(shop, first), status(shop, second)) == (("reserved", 1), ("reserved", 0))
    assert kept(shop) == [(first, "soft", 1)]


def test_an_order_placed_in_time_gets_its_units_though_others_ask_in_the_same_batch(
    shop: Shop,
) -> None:
    shop.stock(BOSTON, mug=1)
    found = reserve(shop, "ada", ("mug", 1))
    others = outside_order("1", ("mug", 1), placed_at=shop.clock.now())
    hers = outside_order("2", ("mug", 1), placed_at=shop.clock.now(), checkout_id=found)
    receipts = shop.take([others, hers])
    shop.settle()
    assert shop.units(receipts[0].order_id) == {"backordered": 1}
    assert shop.units(receipts[1].order_id) == {"released": 1}
    assert status(shop, found) == ("confirmed", 1)
    shop.assert_whole()


def test_what_the_order_leaves_of_its_checkout_is_free_again(shop: Shop) -> None:
    shop.stock(BOSTON, mug=3, jug=1)
    found = reserve(shop, "ada", ("mug", 3), ("jug", 1))
    order = shop.place("1", ("mug", 2), checkout_id=found)
    assert shop.units(order) == {"released": 2}
    assert [(state, units) for _, state, units in kept(shop)] == [("allocated", 2)]


def test_time_frees_what_nobody_bought_and_backorders_get_it(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    found = reserve(shop, "ada", ("mug", 1), seconds=600)
    waiting = shop.place("1", ("mug", 1))
    assert shop.units(waiting) == {"backordered": 1}
    shop.wait(seconds=599)
    assert status(shop, found) == ("reserved", 1)
    shop.wait(seconds=1)
    assert status(shop, found)[0] == "expired"
    assert shop.units(waiting) == {"released": 1}


def test_an_extended_checkout_lives_longer(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    found = reserve(shop, "ada", ("mug", 1), seconds=600)
    shop.wait(seconds=500)
    extend(shop, found, 600)
    shop.wait(seconds=500)
    assert status(shop, found) == ("reserved", 1) and len(kept(shop)) == 1
    shop.wait(seconds=100)
    assert status(shop, found)[0] == "expired" and kept(shop) == []


def test_an_extension_never_shortens_and_revives_nothing(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    found = reserve(shop, "ada", ("mug", 1), seconds=600)
    extend(shop, found, 10)
    shop.wait(seconds=599)
    assert status(shop, found)[0] == "reserved"
    shop.wait(seconds=1)
    extend(shop, found, 600)
    assert status(shop, found)[0] == "expired" and kept(shop) == []


def test_a_dropped_checkout_keeps_nothing(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    found = reserve(shop, "ada", ("mug", 1))
    drop(shop, found)
    assert status(shop, found)[0] == "dropped" and kept(shop) == []


def test_nothing_expires_while_the_order_is_being_checked(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    found = reserve(shop, "ada", ("mug", 1), seconds=60)
    order = shop.place("1", ("mug", 1), checkout_id=found, tenders=DECLINED)
    assert shop.stage(order) == "held" and status(shop, found) == ("placed", 1)
    shop.wait(hours=1)
    assert [row[:2] for row in kept(shop)] == [(found, "soft")]


def test_an_order_that_ends_before_it_is_accepted_frees_its_checkout(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    found = reserve(shop, "ada", ("mug", 1))
    order = shop.place("1", ("mug", 1), checkout_id=found, tenders=DECLINED)
    shop.cancel(order)
    assert status(shop, found)[0] == "dropped" and kept(shop) == []
    shop.assert_whole()


def test_an_order_after_the_end_is_counted_like_any_other(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    found = reserve(shop, "ada", ("mug", 1), seconds=60)
    shop.wait(seconds=60)
    other = shop.place("1", ("mug", 1))
    late = shop.place("2", ("mug", 1), checkout_id=found)
    assert shop.units(other) == {"released": 1} and shop.units(late) == {"backordered": 1}
    assert status(shop, found)[0] == "expired"


def test_an_order_that_overtakes_its_checkout_leaves_nothing_behind(shop: Shop) -> None:
    shop.stock(BOSTON, mug=5)
    found = checkout_id("ada")
    order = shop.place("1", ("mug", 1), checkout_id=found)
    reserve(shop, "ada", ("mug", 1))
    assert status(shop, found)[0] == "confirmed"
    assert [(owner, state) for owner, state, _ in kept(shop)] == [(order, "allocated")]


def test_a_checkout_of_another_channel_is_not_for_the_taking(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    found = reserve(shop, "ada", ("mug", 1))
    order = outside_order("1", ("mug", 1), placed_at=shop.clock.now(), checkout_id=found)
    [receipt] = shop.take([msgspec.structs.replace(order, channel="bay")])
    shop.settle()
    assert shop.units(receipt.order_id) == {"backordered": 1}
    assert status(shop, found) == ("reserved", 1)


def test_checkouts_that_ended_long_ago_are_removed_in_full_steps(shop: Shop) -> None:
    shop.stock(BOSTON, mug=9)
    for shopper in ("ada", "bob", "cid"):
        drop(shop, reserve(shop, shopper, ("mug", 1)))
    kept_until = shop.clock.now() + store.KEPT
    assert not store.keep_up(shop.connection, kept_until, limit=2)
    late = kept_until + timedelta(seconds=1)
    assert [store.keep_up(shop.connection, late, limit=2) for _ in range(2)] == [True, False]
    assert shop.connection.execute("SELECT count(*) FROM checkout").fetchone() == (0,)
    assert shop.connection.execute("SELECT count(*) FROM checkout_line").fetchone() == (0,)
