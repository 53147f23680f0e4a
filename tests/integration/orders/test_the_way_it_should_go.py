"""An order from placed to closed, with the real engine, database and fakes."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tests.integration.orders.shop import (
    BOSTON,
    CARD,
    MONDAY,
    PROVIDENCE,
    Shop,
    outside_order,
)


def test_a_paid_order_is_released_to_the_nearest_node_in_one_batch(shop: Shop) -> None:
    shop.stock(BOSTON, mug=5, jug=5)
    shop.stock(PROVIDENCE, mug=5, jug=5)

    order = shop.place("1001", ("mug", 2), ("jug", 1))

    assert shop.stage(order) == "open"
    assert shop.units(order, 1) == {"released": 2}
    assert shop.units(order, 2) == {"released": 1}
    work = shop.work(order)
    assert (work.node, work.work, work.acknowledgement) == (BOSTON, "open", "submitted")
    assert work.left == {1: 2, 2: 1}
    assert shop.level("mug", BOSTON) == (5, 2)
    assert shop.told(order) == ["confirmed"]
    assert shop.documents(order) == ["order"]
    shop.assert_whole()


def test_a_card_order_goes_from_placed_to_closed_and_is_charged_for_what_left(shop: Shop) -> None:
    shop.stock(BOSTON, mug=5)

    order = shop.place("1002", ("mug", 3), tenders=[CARD])
    assert shop.tender(order)["status"] == "authorized"
    assert shop.tender(order)["authorized"] == 3750
    work = shop.work(order)
    shop.accept(work)
    assert shop.work(order).acknowledgement == "accepted"
    shop.pick(work)
    assert shop.units(order) == {"picked": 3}
    shop.pack(work)
    assert shop.units(order) == {"packed": 3}
    assert shop.work(order).work == "packed"
    [tracking] = shop.ship(work)
    assert shop.units(order) == {"shipped": 3}
    assert shop.tender(order)["captured"] == 3750
    shop.deliver(work, tracking)

    assert shop.stage(order) == "closed"
    assert shop.units(order) == {"shipped": 3, "delivered": 3}
    assert shop.told(order) == ["confirmed", "shipped", "delivered"]
    assert shop.documents(order) == ["order", "delivery", "invoice"]
    assert shop.level("mug", BOSTON) == (2, 0)
    assert shop.cases() == []
    shop.assert_whole()


def test_what_the_customer_saw_and_whose_stock_it_is_stand_in_the_tables(shop: Shop) -> None:
    shop.stock(BOSTON, mug=5)
    placed = outside_order(
        "1003",
        ("mug", 1),
        presentment_currency="EUR",
        presentment_total=1_153,
        exchange_rate=Decimal("1.0843"),
        exchanged_at=MONDAY,
    )
    line = msgspec.structs.replace(placed.lines[0], channel_sku="B00MUG", owner="shop-us")

    [receipt] = shop.take([msgspec.structs.replace(placed, lines=(line,))])
    shop.settle()

    assert shop.connection.execute(
        "SELECT presentment_currency, presentment_total, exchange_rate, exchanged_at"
        " FROM sales_order WHERE id = %s::uuid",
        (receipt.order_id,),
    ).fetchone() == ("EUR", 1_153, Decimal("1.0843"), MONDAY)
    assert shop.connection.execute(
        "SELECT channel_sku, owner FROM order_line WHERE order_id = %s::uuid", (receipt.order_id,)
    ).fetchone() == ("B00MUG", "shop-us")
