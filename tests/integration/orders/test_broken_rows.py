"""What must hold across the rows of orders is found broken when somebody breaks it by hand."""

from __future__ import annotations

import pytest

from crossdock import invariants
from crossdock.connectors.fakes import Mood
from crossdock.model.orders import Tender
from tests.integration.orders.shop import BOSTON, CARD, Shop

MESSAGE = """
INSERT INTO inbox (shard, id, process, instance, route, type, body, occurred_at, recorded_at,
                   correlation_id, causation_id, actor)
SELECT 1, gen_random_uuid(), 'order-to-fulfillment', id, id, 'any', '', now(), now(),
       gen_random_uuid(), gen_random_uuid(), ''
FROM sales_order
"""


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
