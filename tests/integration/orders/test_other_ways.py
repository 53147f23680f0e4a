"""Every other way an order may go, each with its undo; the real engine, database and fakes."""

from __future__ import annotations

import pytest

from crossdock import db
from crossdock.connectors.fakes import Mood
from crossdock.model.messages import AddressCorrected
from crossdock.model.orders import Tender
from crossdock.model.outside import OutsideAddress
from crossdock.ordering.intake import Taken
from tests.integration.orders.shop import (
    AT_BOSTON,
    BOSTON,
    CARD,
    DENVER,
    MONDAY,
    PROVIDENCE,
    Shop,
    outside_order,
)


@pytest.fixture
def shop(connection: db.Connection) -> Shop:
    return Shop(connection)


# Nodes ----------------------------------------------------------------------------------------


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


# Nothing available ------------------------------------------------------------------------------


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


# Cancellations ----------------------------------------------------------------------------------


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


# Money ------------------------------------------------------------------------------------------


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

    assert shop.tender(order)["captured"] == 1250
    assert shop.stage(order) == "closed"
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


# Before the promise -----------------------------------------------------------------------------


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


# Parcels ----------------------------------------------------------------------------------------


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


# The door ---------------------------------------------------------------------------------------


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
