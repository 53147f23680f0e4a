"""What is sent instead is nobody's: what others were promised of it stays theirs.

A jug, or else a tray, may stand in for a mug; every invariant is checked at the end of each.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from typer.testing import CliRunner

from crossdock import db
from crossdock.catalog import store as catalog
from crossdock.catalog.model import Product
from crossdock.cli.main import app
from crossdock.engine.process import Address
from crossdock.engine.routing import route_of_text
from crossdock.engine.transaction import Transaction
from crossdock.inventory.model import BackordersReviewRequested, LevelKey
from crossdock.inventory.upkeep import REVIEWER, quarantine
from crossdock.model.messages import InventoryMoved, StockMove
from tests.integration.orders.checkouts import drop, reserve
from tests.integration.orders.shop import BOSTON, DENVER, PROVIDENCE, Shop, outside_order
from tests.integration.orders.test_substitutes import reserved, to_pick


@pytest.fixture
def shop(connection: db.Connection) -> Shop:
    shop = Shop(connection)
    shop.sell("mug", "jug", "tray")
    return shop


def test_a_substitute_is_not_taken_from_a_checkout_that_keeps_it(shop: Shop) -> None:
    shop.stock(BOSTON, jug=2)
    checkout = reserve(shop, "c1", ("jug", 1))

    first = shop.place("1", ("mug", 1), substitutes_allowed=True)
    second = shop.place("2", ("mug", 1), substitutes_allowed=True)

    assert reserved(shop, first) == [("allocated", "jug", 1, BOSTON)]
    assert shop.units(second) == {"backordered": 1}
    kept = shop.place("3", ("jug", 1), checkout_id=checkout)
    assert shop.units(kept) == {"released": 1}
    shop.assert_whole()


def test_the_next_substitute_is_sent_where_the_first_is_promised(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", database_url)
    shop.stock(BOSTON, jug=1, tray=1)
    reserve(shop, "c1", ("jug", 1))

    order = shop.place("1", ("mug", 1), substitutes_allowed=True)

    assert to_pick(shop, order) == {BOSTON: "tray"}
    shown = CliRunner().invoke(app, ["explain", "1", "--replay"], env={"COLUMNS": "200"})
    assert "Not sent instead, for it was promised to others: jug" in shown.output
    assert "the same plan" in shown.output
    shop.assert_whole()


def test_what_a_checkout_gave_up_is_sent_instead(shop: Shop) -> None:
    shop.stock(BOSTON, jug=1)
    checkout = reserve(shop, "c1", ("jug", 1))
    order = shop.place("1", ("mug", 1), substitutes_allowed=True)
    assert shop.units(order) == {"backordered": 1}

    drop(shop, checkout)

    assert to_pick(shop, order) == {BOSTON: "jug"}
    shop.assert_whole()


def test_a_review_finds_substitutes_that_came_without_a_word(shop: Shop) -> None:
    shop.stock(BOSTON, jug=1)
    tx = Transaction(shop.connection, shop.clock.now())
    quarantine(tx, [LevelKey("jug", BOSTON)])
    tx.flush_books()
    order = shop.place("1", ("mug", 1), substitutes_allowed=True)
    assert shop.units(order) == {"backordered": 1}
    tx = Transaction(shop.connection, shop.clock.now())
    quarantine(tx, [LevelKey("jug", BOSTON)], lift=True)
    tx.flush_books()

    shop.tell(BackordersReviewRequested(), REVIEWER)

    assert to_pick(shop, order) == {BOSTON: "jug"}
    shop.assert_whole()


def test_orders_of_one_batch_share_what_is_nobody_s(shop: Shop) -> None:
    """The jug is wanted by who orders it and by two to whom it may be sent; two are there."""
    shop.stock(BOSTON, jug=2)
    placed = [
        outside_order("1", ("mug", 1), placed_at=shop.clock.now(), substitutes_allowed=True),
        outside_order("2", ("jug", 1), placed_at=shop.clock.now()),
        outside_order("3", ("mug", 1), placed_at=shop.clock.now(), substitutes_allowed=True),
    ]
    receipts = shop.take(placed)
    shop.settle()
    units = [shop.units(receipt.order_id) for receipt in receipts]
    assert units[1] == {"released": 1}
    assert sorted(map(str, (units[0], units[2]))) == ["{'backordered': 1}", "{'released': 1}"]
    shop.assert_whole()


def together(shop: Shop, *wanted: tuple[str, str]) -> list[str]:
    """Orders of one unit each by (number, SKU), all allowing substitutes, sourced as one batch."""
    now = shop.clock.now()
    orders = [
        outside_order(number, (sku, 1), placed_at=now, substitutes_allowed=True)
        for number, sku in wanted
    ]
    placed = [receipt.order_id for receipt in shop.take(orders)]
    shop.settle()
    return placed


def test_orders_of_one_batch_do_not_share_the_same_free_unit(shop: Shop) -> None:
    shop.stock(BOSTON, jug=3)
    reserve(shop, "c1", ("jug", 2))
    placed = together(shop, ("1", "mug"), ("2", "mug"))
    units = sorted(next(iter(shop.units(order))) for order in placed)
    assert units == ["backordered", "released"]
    shop.assert_whole()


def test_who_ordered_a_substitute_and_has_it_by_now_keeps_nobody_from_the_rest(shop: Shop) -> None:
    """One tray goes to who ordered it; the other stands in for the mug once the jug may not."""
    shop.stock(BOSTON, jug=1, tray=2)
    reserve(shop, "c1", ("jug", 1))
    mug, tray = together(shop, ("1", "mug"), ("2", "tray"))
    assert shop.units(tray) == {"released": 1}
    assert to_pick(shop, mug) == {BOSTON: "tray"}
    shop.assert_whole()


def test_a_unit_sent_instead_is_no_longer_there_for_the_next(shop: Shop) -> None:
    """One jug is nobody's, and goes out for the mug: the lamp, whose tray is promised, waits."""
    shop.sell("lamp", "tray", "jug")
    shop.stock(BOSTON, jug=2, tray=1)
    reserve(shop, "c1", ("jug", 1), ("tray", 1))
    mug, lamp = together(shop, ("1", "mug"), ("2", "lamp"))
    assert to_pick(shop, mug) == {BOSTON: "jug"}
    assert shop.units(lamp) == {"backordered": 1}
    shop.assert_whole()


# What lies in lots -------------------------------------------------------------------------------


def in_lots(shop: Shop, sku: str, **units: int) -> None:
    """Units arrive in Boston, of lots that live for years or, named `short`, two weeks."""
    now = shop.clock.now()
    moves = tuple(
        StockMove(
            f"{sku} {lot}", sku, BOSTON, number, "supplier", "sellable", "receipt", now, lot,
            (now + timedelta(days=14 if lot == "short" else 900)).date(),
        )
        for lot, number in units.items()
    )  # fmt: skip
    told = InventoryMoved(source="wms-lots", sequence=0, moves=moves)
    shop.tell(told, Address("inventory", BOSTON, route_of_text(BOSTON)))


def test_a_substitute_that_lies_in_two_lots_is_found_by_who_waits(shop: Shop) -> None:
    order = shop.place("1", ("mug", 5), substitutes_allowed=True)
    in_lots(shop, "jug", a=3, b=3)
    assert shop.units(order) == {"released": 5}
    shop.assert_whole()


def test_what_would_be_over_on_arrival_stands_in_nobody_s_way(shop: Shop) -> None:
    mug = Product(
        sku="mug", name="mug", weight_grams=400, currency="USD", price=2000, cost=800,
        substitutes=("jug",), tracks_lots=True, shelf_life_days=365, minimum_remaining_days=14,
    )  # fmt: skip
    catalog.save_products(shop.connection, [mug])
    shop.connection.commit()
    in_lots(shop, "mug", short=5)
    shop.stock(BOSTON, jug=5)
    order = shop.place("1", ("mug", 2), substitutes_allowed=True)
    assert to_pick(shop, order) == {BOSTON: "jug"}
    shop.assert_whole()


# Units that wait in several parts ----------------------------------------------------------------


def test_a_line_that_is_served_twice_is_asked_for_whole(shop: Shop) -> None:
    """Part of it by what was ordered, the rest by a substitute of which there is enough for all."""
    shop.sell("mug", "tray")
    order = shop.place("1", ("mug", 5), substitutes_allowed=True)
    shop.stock(PROVIDENCE, mug=2, tray=5)
    shop.stock(PROVIDENCE, mug=20)
    assert shop.units(order) == {"released": 5}
    shop.assert_whole()


def test_units_that_come_to_wait_one_after_the_other_all_wait(shop: Shop) -> None:
    order = shop.place("1", ("mug", 5))
    shop.stock(BOSTON, mug=2)
    shop.stock(PROVIDENCE, mug=3)
    shop.count(BOSTON, mug=0)
    shop.count(PROVIDENCE, mug=0)
    assert shop.units(order) == {"backordered": 5}
    shop.assert_whole()
    shop.stock(DENVER, mug=9)
    assert shop.units(order) == {"released": 5}
    shop.assert_whole()
