"""The fill rate: what nobody could supply lowers it, what customers took back does not."""

from __future__ import annotations

import pytest

from crossdock import db
from crossdock.catalog import store as catalog
from crossdock.catalog.model import Channel, OnShortage
from crossdock.processes.order_to_fulfillment.holding import SOURCING
from crossdock.simulator import figures, figures_store
from tests.integration.orders.shop import BOSTON, CARD, Shop


@pytest.fixture
def shop(connection: db.Connection) -> Shop:
    """A shop that has shipped three mugs and has no more."""
    return sold_out(Shop(connection))


def sold_out(shop: Shop) -> Shop:
    shop.stock(BOSTON, mug=3)
    shop.finish(shop.place("1", ("mug", 3)))
    return shop


def test_units_that_waited_for_stock_in_vain_were_wanted(shop: Shop) -> None:
    order = shop.place("2", ("mug", 1))
    shop.wait(days=22)
    assert shop.stage(order) == "closed"

    totals = figures_store.totals(shop.connection, "USD")

    assert (totals.shipped_units, totals.canceled_units, totals.unsupplied_units) == (3, 1, 1)
    assert totals.fill_rate == 3 / 4


def test_units_refused_because_nobody_has_them_were_wanted(connection: db.Connection) -> None:
    shop = Shop(connection)
    refuses = Channel(code="web", name="web", on_shortage=OnShortage.REFUSE)
    catalog.save_channels(connection, [refuses])
    sold_out(shop)
    order = shop.place("2", ("mug", 1), tenders=[CARD])
    assert shop.stage(order) == "closed"

    assert figures_store.totals(shop.connection, "USD").fill_rate == 3 / 4


def test_units_that_still_wait_are_wanted(shop: Shop) -> None:
    shop.place("2", ("mug", 1))
    assert figures_store.totals(shop.connection, "USD").fill_rate == 3 / 4


def test_units_the_customer_took_back_or_nobody_vouched_for_are_not_wanted(shop: Shop) -> None:
    shop.cancel(shop.place("2", ("mug", 1)))
    suspicious = shop.place("3", ("jug", 350), tenders=[CARD])
    shop.lift(suspicious, "suspicion", approved=False)

    totals = figures_store.totals(shop.connection, "USD")

    assert (totals.canceled_units, totals.unsupplied_units) == (351, 0)
    assert totals.fill_rate == 1


def test_each_canceled_unit_has_a_reason(shop: Shop) -> None:
    shop.cancel(shop.place("2", ("mug", 2)))
    shop.place("3", ("mug", 1))
    shop.wait(days=22)

    reasons = figures.cancellations(shop.connection)

    assert [(one.name, one.count) for one in reasons] == [
        ("customer", 2),
        ("backorder expired", 1),
    ]


def test_giving_up_the_search_for_nodes_is_want_of_stock() -> None:
    assert f"hold_{SOURCING}" in figures_store.WANT_OF_STOCK


def test_costs_are_set_against_a_value_in_their_own_currency_only(shop: Shop) -> None:
    assert figures_store.totals(shop.connection, "USD").value_minor > 0
    assert figures_store.totals(shop.connection, "EUR").value_minor == 0
