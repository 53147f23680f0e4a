"""What nodes may do with their work, and what happens when nobody has the goods.

The real engine, database and fakes; every invariant is checked at the end of each.
"""

from __future__ import annotations

from crossdock.invariants import check
from tests.integration.orders.shop import (
    BOSTON,
    CARD,
    DENVER,
    PROVIDENCE,
    Shop,
)

# Nodes -------------------------------------------------------------------------------------------


def test_what_a_picker_cannot_find_is_sourced_elsewhere_and_the_order_stays_whole(
    shop: Shop,
) -> None:
    shop.stock(BOSTON, mug=3)
    shop.stock(PROVIDENCE, mug=3)
    order = shop.place("2001", ("mug", 3))
    first = shop.work(order, BOSTON)

    shop.pick(first, short={1: 1})

    second = shop.work(order, PROVIDENCE)
    assert second.left == {1: 1}
    assert shop.units(order) == {"picked": 2, "released": 1}
    [[replaces]] = shop.rows(
        "SELECT replaces FROM fulfillment_order WHERE id = %s::uuid", second.id
    )
    assert replaces == first.id
    shop.assert_whole()
    shop.finish(order)
    assert shop.stage(order) == "closed"
    assert shop.units(order) == {"shipped": 3, "delivered": 3}
    shop.assert_whole()


def test_a_declined_work_goes_to_the_next_node_and_never_back(shop: Shop) -> None:
    shop.stock(BOSTON, mug=3)
    shop.stock(PROVIDENCE, mug=3)
    order = shop.place("2002", ("mug", 2))

    shop.decline(shop.work(order, BOSTON))

    assert [work.node for work in shop.works(order)] == [PROVIDENCE]
    assert shop.level("mug", BOSTON) == (3, 0)
    shop.decline(shop.work(order, PROVIDENCE))
    assert BOSTON not in [work.node for work in shop.works(order)]
    shop.assert_whole()


def test_work_that_nobody_looks_at_is_given_to_another_node(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    shop.stock(PROVIDENCE, mug=1)
    order = shop.place("2003", ("mug", 1))

    shop.wait(hours=36)

    assert [work.node for work in shop.works(order)] == [PROVIDENCE]
    assert shop.cases() == ["node silent"]
    shop.assert_whole()


def test_a_node_that_is_closed_for_days_is_not_silent(shop: Shop) -> None:
    shop.connection.execute(
        "INSERT INTO node_opening (node, weekday, opens, closes)"
        " SELECT code, weekday, '09:00', '17:00' FROM node, generate_series(1, 5) AS weekday"
    )
    shop.connection.commit()
    shop.stock(BOSTON, mug=1)
    shop.wait(days=4, hours=5)  # Friday evening
    order = shop.place("2010", ("mug", 1))

    shop.wait(days=2, hours=13)  # Monday, an hour before it opens
    assert shop.cases() == []
    shop.wait(days=1)

    assert shop.cases() == ["node silent"]
    assert shop.units(order) != {"released": 1}
    shop.assert_whole()


def test_a_node_that_declines_what_was_taken_from_it_meanwhile_is_right(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    shop.stock(PROVIDENCE, mug=1)
    order = shop.place("2011", ("mug", 1))
    work = shop.work(order, BOSTON)
    shop.wait(hours=36)

    shop.decline(work)

    assert shop.cases() == ["node silent"]
    assert [work.node for work in shop.works(order)] == [PROVIDENCE]
    shop.assert_whole()


def test_a_node_that_declines_what_it_has_sent_is_a_case(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("2012", ("mug", 1))
    work = shop.work(order, BOSTON)
    shop.pick(work)
    shop.ship(work)

    shop.decline(work)

    assert shop.cases() == ["declined what has left"]
    assert shop.units(order) == {"shipped": 1}
    shop.assert_whole()


def test_another_zone_sends_what_the_first_one_lacks(shop: Shop) -> None:
    shop.stock(DENVER, mug=2)

    order = shop.place("2004", ("mug", 2))

    assert shop.work(order).node == DENVER
    shop.assert_whole()


def test_a_count_that_takes_reserved_units_away_makes_the_order_look_elsewhere(
    shop: Shop,
) -> None:
    shop.stock(BOSTON, mug=2)
    shop.stock(PROVIDENCE, mug=2)
    order = shop.place("2005", ("mug", 2))

    shop.wait(minutes=5)
    shop.count(BOSTON, mug=1)

    assert {work.node: work.left for work in shop.works(order)} == {
        BOSTON: {1: 1},
        PROVIDENCE: {1: 1},
    }
    shop.assert_whole()
    shop.finish(order)
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_units_in_hand_are_shipped_although_a_count_missed_them(shop: Shop) -> None:
    shop.stock(BOSTON, mug=2)
    order = shop.place("2006", ("mug", 2))
    shop.pick(shop.work(order))

    shop.wait(minutes=5)
    shop.count(BOSTON, mug=0)

    shop.finish(order)
    assert shop.stage(order) == "closed"
    assert shop.units(order) == {"shipped": 2, "delivered": 2}
    shop.assert_whole()


def test_a_node_that_sends_nothing_but_a_shipment_is_understood(shop: Shop) -> None:
    shop.stock(BOSTON, mug=2)
    order = shop.place("2007", ("mug", 2))

    shop.finish(order)

    assert shop.units(order) == {"shipped": 2, "delivered": 2}
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_delivery_heard_of_before_its_shipment_waits_for_it(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("2008", ("mug", 1))
    work = shop.work(order)

    shop.deliver(work, "fast-1")
    assert shop.units(order) == {"released": 1}
    shop.ship(work, prefix="fast")

    assert shop.stage(order) == "closed"
    shop.assert_whole()


# Nothing available -------------------------------------------------------------------------------


def test_what_nobody_has_is_backordered_and_served_when_stock_arrives(shop: Shop) -> None:
    order = shop.place("3001", ("mug", 2))
    assert shop.units(order) == {"backordered": 2}
    assert shop.told(order) == ["confirmed", "backordered"]

    shop.wait(days=2)
    shop.stock(BOSTON, mug=10)

    assert shop.units(order) == {"released": 2}
    shop.finish(order)
    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_a_backorder_ends_when_the_policy_s_patience_does(shop: Shop) -> None:
    order = shop.place("3002", ("mug", 2), tenders=[CARD])

    shop.wait(days=30)

    assert shop.units(order) == {"canceled": 2}
    assert shop.cancellations(order) == [(1, "backorder_expired", 2, 2, 0, 0)]
    assert shop.stage(order) == "closed"
    assert shop.tender(order)["captured"] == 0
    assert shop.documents(order) == ["order", "cancellation"]
    shop.assert_whole()


# What a node can take on in a day ----------------------------------------------------------------


def taken_on(shop: Shop, node: str) -> int:
    """Over all days."""
    [[used]] = shop.rows(
        "SELECT coalesce(sum(used), 0)::int FROM node_capacity WHERE node = %s", node
    )
    return int(used)


def limit_nodes(shop: Shop, orders_a_day: int) -> None:
    shop.connection.execute("UPDATE node SET daily_capacity = %s", (orders_a_day,))
    shop.connection.commit()


def test_declined_work_leaves_its_place_in_the_day_to_the_next_order(shop: Shop) -> None:
    limit_nodes(shop, 1)
    shop.stock(BOSTON, mug=3)
    shop.stock(PROVIDENCE, mug=3)
    first = shop.place("2101", ("mug", 1))
    assert taken_on(shop, BOSTON) == 1

    shop.decline(shop.work(first, BOSTON))

    assert (taken_on(shop, BOSTON), taken_on(shop, PROVIDENCE)) == (0, 1)
    second = shop.place("2102", ("mug", 1))
    assert shop.work(second).node == BOSTON
    assert (taken_on(shop, BOSTON), taken_on(shop, PROVIDENCE)) == (1, 1)
    shop.assert_whole()


def test_recalled_work_leaves_its_place_and_work_that_sent_something_keeps_it(shop: Shop) -> None:
    limit_nodes(shop, 5)
    shop.stock(BOSTON, mug=9)
    gone, kept = shop.place("2103", ("mug", 2)), shop.place("2104", ("mug", 2))
    assert taken_on(shop, BOSTON) == 2

    shop.cancel(gone)
    shop.answer_recalls(shop.work(gone, BOSTON))
    assert shop.units(gone) == {"canceled": 2}
    assert taken_on(shop, BOSTON) == 1
    shop.finish(kept)

    assert shop.units(kept) == {"shipped": 2, "delivered": 2}
    assert taken_on(shop, BOSTON) == 1
    shop.assert_whole()


def test_work_whose_units_nobody_can_find_leaves_its_place(shop: Shop) -> None:
    limit_nodes(shop, 5)
    shop.stock(BOSTON, mug=1)
    order = shop.place("2105", ("mug", 1))

    shop.pick(shop.work(order, BOSTON), short={1: 1})

    assert taken_on(shop, BOSTON) == 0
    shop.assert_whole()


def test_a_count_of_taken_work_that_is_wrong_is_found(shop: Shop) -> None:
    limit_nodes(shop, 5)
    shop.stock(BOSTON, mug=1)
    shop.place("2106", ("mug", 1))
    shop.connection.execute("UPDATE node_capacity SET used = used + 1")
    shop.connection.commit()

    broken = {violation.invariant for violation in check(shop.connection)}

    assert broken == {"nodes_have_taken_on_what_was_given_to_them"}
