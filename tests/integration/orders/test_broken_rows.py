"""What must hold across the rows of orders is found broken when somebody breaks it by hand."""

from __future__ import annotations

import pytest

from crossdock import invariants
from crossdock.connectors.fakes import Mood
from crossdock.model.orders import Tender
from tests.integration.orders.shop import BOSTON, CARD, Shop

RESERVE = """
INSERT INTO reservation (id, order_id, created_at, line_number, quantity, priority, state, sku,
                         kit, channel, method)
SELECT gen_random_uuid(), order_id, now(), number, {units}, 3, '{state}', {sku}, {kit}, 'web',
       'ship'
FROM order_line WHERE soft > 0
"""
MESSAGE = """
INSERT INTO inbox (shard, id, process, instance, route, type, body, occurred_at, recorded_at,
                   correlation_id, causation_id, actor)
SELECT 1, gen_random_uuid(), 'order-to-fulfillment', id, id, 'any', '', now(), now(),
       gen_random_uuid(), gen_random_uuid(), ''
FROM sales_order
"""


def reserve(units: str, state: str = "soft", sku: str = "sku", kit: str = "''") -> str:
    return RESERVE.format(units=units, state=state, sku=sku, kit=kit)


def broken_by(shop: Shop, *changes: str) -> set[str]:
    """The rules that changes by hand break; they are taken back."""
    for change in changes:
        assert shop.connection.execute(change.encode()).rowcount > 0, change
    found = {violation.invariant for violation in invariants.check(shop.connection)}
    shop.connection.rollback()
    return found


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """Two mugs that arrived and were charged, with freight and a coupon."""
    shop.stock(BOSTON, mug=5)
    shop.finish(shop.place("1", ("mug", 2), tenders=[CARD]))
    shop.connection.execute("UPDATE order_line SET total = total - 600, charge_share = 600")
    shop.connection.execute(
        "INSERT INTO order_money (order_id, number, amount, part, kind)"
        " SELECT id, 1, 600, 'charge', 'shipping' FROM sales_order"
    )
    shop.connection.commit()
    shop.assert_whole()
    return shop


@pytest.fixture
def waiting(shop: Shop) -> Shop:
    """Two mugs that no node has: one is on its way to Boston's picker, three wait for stock."""
    shop.stock(BOSTON, mug=1)
    shop.place("1", ("mug", 4))
    assert shop.units(shop.rows("SELECT id FROM sales_order")[0][0]) == {
        "released": 1,
        "backordered": 3,
    }
    shop.assert_whole()
    return shop


def test_rows_of_a_sold_order_that_are_gone_are_missed(sold: Shop) -> None:
    gone = {
        "order_line": {
            "lines_make_the_order", "lines_count_what_was_shipped", "lines_share_the_orders_money",
            "nodes_hold_what_orders_released",
        },
        "order_money": {"lines_share_the_orders_money"},
        "tender": {"accepted_orders_are_covered", "payments_are_of_tenders"},
        "posting WHERE kind = 'delivery'": {"shipments_are_posted_once"},
        "posting WHERE kind = 'invoice'": {"shipments_are_posted_once"},
        "package": {"lines_count_what_was_shipped"},
        "shipment": {
            "shipments_cost_what_their_lines_do", "work_counts_what_left_from_it",
        },
        "shipment_line": {
            "lines_count_what_was_shipped", "shipments_cost_what_their_lines_do",
            "work_counts_what_left_from_it",
        },
        "fulfillment_line": {"work_counts_what_left_from_it"},
        "fulfillment_order": {"work_counts_what_left_from_it"},
    }  # fmt: skip
    for rows, rules in gone.items():
        assert broken_by(sold, f"DELETE FROM {rows}") == rules, rows


def test_a_line_that_costs_another_sum_than_its_order_is_found(sold: Shop) -> None:
    raised = "UPDATE sales_order SET total = total - 1"

    assert broken_by(sold, raised) == {"lines_make_the_order"}


def test_an_order_placed_with_another_total_is_a_persons_to_wave_through(shop: Shop) -> None:
    paid = Tender(number=1, kind="marketplace", amount=2000, paid=True)
    order = shop.place("1", ("mug", 1), total=2000, tenders=[paid])
    shop.assert_whole()

    shop.lift(order, "order")

    assert shop.stage(order) == "open"
    shop.assert_whole()


def test_an_order_that_was_canceled_unpaid_needs_no_cover(shop: Shop) -> None:
    order = shop.place("1", ("mug", 1), total=2000, tenders=[CARD])

    shop.lift(order, "order", approved=False)

    assert shop.stage(order) == "closed"
    shop.assert_whole()


def test_tenders_that_do_not_cover_an_accepted_order_are_found(waiting: Shop) -> None:
    lowered = "UPDATE tender SET amount = amount - 1, captured = captured - 1"

    assert broken_by(waiting, lowered) == {"accepted_orders_are_covered"}


def test_units_that_wait_without_a_reservation_are_found(waiting: Shop) -> None:
    never = {"live_units_are_reserved"}

    assert broken_by(waiting, "DELETE FROM reservation WHERE state = 'backordered'") == never
    assert broken_by(waiting, "UPDATE reservation SET state = 'soft' WHERE node IS NULL") == never
    for state in ("soft", "allocated", "open"):
        moved = f"UPDATE order_line SET {state} = backordered, backordered = 0"
        assert broken_by(waiting, moved) == never, state
    late = "DELETE FROM reservation WHERE node IS NULL"
    assert broken_by(waiting, late, MESSAGE) == set(), "the order may be about to hear of it"


def test_reservations_beyond_what_a_line_waits_for_are_found(waiting: Shop) -> None:
    waits = "UPDATE order_line SET soft = backordered, backordered = 0"
    queued = "UPDATE reservation SET state = 'soft' WHERE node IS NULL"
    never = {"live_units_are_reserved"}

    assert broken_by(waiting, waits, queued) == set()
    assert broken_by(waiting, waits, queued, reserve("3", "backordered")) == never
    assert broken_by(waiting, waits, queued, reserve("1")) == never


def test_a_reservation_of_what_the_line_does_not_sell_is_found(waiting: Shop) -> None:
    waits = "UPDATE order_line SET soft = backordered, backordered = 0"
    none = "DELETE FROM reservation WHERE node IS NULL"
    foreign = {"reservations_are_of_open_lines"}

    assert broken_by(waiting, waits, none, reserve("3")) == set()
    assert broken_by(waiting, waits, none, reserve("3", sku="'jug'")) == foreign
    substitute = "UPDATE product SET substitutes = '{jug}' WHERE sku = 'mug'"
    assert broken_by(waiting, waits, none, substitute, reserve("3", sku="'jug'")) == set()


def test_a_substitute_that_the_order_does_not_allow_or_that_was_not_to_be_picked_is_found(
    sold: Shop,
) -> None:
    allowed = "UPDATE sales_order SET substitutes_allowed = true"
    picked = "UPDATE fulfillment_line SET substitute = 'jug'"
    left = "UPDATE shipment_line SET substitute = 'jug'"
    wrong = {"substitutes_are_allowed"}

    assert broken_by(sold, allowed, picked, left) == set()
    assert broken_by(sold, picked, left) == wrong
    assert broken_by(sold, allowed, picked) == wrong
    assert broken_by(sold, allowed, left) == wrong


def test_the_components_of_a_kit_stand_for_its_line(waiting: Shop) -> None:
    waits = "UPDATE order_line SET soft = backordered, backordered = 0"
    none = "DELETE FROM reservation WHERE node IS NULL"
    lid = reserve("3", sku="'lid'", kit="'mug'")
    handles = reserve("6", sku="'handle'", kit="'mug'")
    two_each = "UPDATE reservation SET per_unit = 2 WHERE sku = 'handle'"
    lots = (reserve("5", sku="'handle'", kit="'mug'"), reserve("1", sku="'handle'", kit="'mug'"))

    assert broken_by(waiting, waits, none, lid, handles, two_each) == set()
    assert broken_by(waiting, waits, none, lid, *lots, two_each) == set(), "divided by lots"
    assert broken_by(waiting, waits, none, lid, handles) == {
        "live_units_are_reserved", "reservations_are_of_open_lines",
    }  # fmt: skip


def test_a_document_that_the_erp_refused_is_a_case_and_no_broken_rule(sold: Shop) -> None:
    unposted = "DELETE FROM posting WHERE kind = 'invoice'"
    refused = """
        INSERT INTO case_file (id, kind, subject, detail, priority, opened_at)
        SELECT gen_random_uuid(), 'document refused', order_id || '/invoice/' || id, '', 3, now()
        FROM shipment
    """

    assert broken_by(sold, unposted) == {"shipments_are_posted_once"}
    assert broken_by(sold, unposted, refused) == set()
    assert broken_by(sold, unposted, MESSAGE) == set(), "the ERP's answer is about to be read"


def test_documents_that_wait_for_the_erp_break_no_rule(shop: Shop) -> None:
    shop.stock(BOSTON, mug=1)
    order = shop.place("1", ("mug", 1))
    shop.erp.mood = Mood(fails=1.0)

    shop.finish(order)

    assert shop.rows("SELECT count(*) FROM posting WHERE kind = 'invoice'") == [(0,)]
    shop.assert_whole()


def test_a_node_may_know_before_its_order_what_it_has_left(waiting: Shop) -> None:
    lost = "DELETE FROM fulfillment_line"

    assert broken_by(waiting, lost) == {
        "nodes_hold_what_orders_released", "work_counts_what_left_from_it",
    }  # fmt: skip
    assert broken_by(waiting, lost, MESSAGE) == set()
