"""Available to sell, by its one definition."""

from __future__ import annotations

import pytest

from crossdock import db
from crossdock.inventory.ats import METHOD_BITS, network_ats, node_ats
from crossdock.inventory.errors import LedgerStillOpen
from crossdock.inventory.model import AcceptDemand, DemandedLine, LevelKey
from crossdock.inventory.reservations.book import ReservationBook
from crossdock.inventory.upkeep import (
    Opening,
    align_levels,
    close_ledger,
    keep_up,
    load_opening_stock,
    quarantine,
)
from crossdock.model.orders import Method
from tests.inventory.stockroom import DEPOT, ELM, OAK, Stockroom, at, count, move, order


@pytest.fixture
def shop(stockroom: Stockroom) -> Stockroom:
    """A web shop and a marketplace that sell mugs, bowls and sets of one mug and two bowls."""
    run(
        stockroom,
        "INSERT INTO product (sku, name, kind) VALUES ('mug', 'mug', 'goods'),"
        " ('bowl', 'bowl', 'goods'), ('set', 'set', 'kit')",
        "INSERT INTO kit_component (kit, component, quantity) VALUES ('set', 'mug', 1),"
        " ('set', 'bowl', 2)",
        "INSERT INTO channel (code, name, methods) VALUES ('web', 'web', '{ship,pickup}'),"
        " ('market', 'market', '{ship}')",
    )
    return stockroom


def run(stockroom: Stockroom, *statements: str) -> None:
    for statement in statements:
        stockroom.connection.execute(statement)
    stockroom.connection.commit()


def network(shop: Stockroom, sku: str = "mug", channel: str = "web", method: str = "ship") -> int:
    found = network_ats(shop.transaction(), channel, method, [sku])[sku]
    shop.connection.commit()
    return found


def nodes(
    shop: Stockroom, sku: str = "mug", channel: str = "web", method: str = "ship"
) -> dict[str, int]:
    found = node_ats(shop.transaction(), channel, method, [sku])[sku]
    shop.connection.commit()
    return found


def test_network_ats_is_the_sum_of_node_ats(shop: Stockroom) -> None:
    shop.receive("mug", 5, OAK)
    shop.receive("mug", 3, DEPOT)
    shop.promise(1, "mug", 2, OAK)
    assert nodes(shop) == {OAK: 3, DEPOT: 3}
    assert network(shop) == 6


def test_safety_stock_and_buffer_are_never_newly_sold(shop: Stockroom) -> None:
    run(shop, f"UPDATE node SET safety_stock = 2, buffer = 1 WHERE code = '{OAK}'")
    shop.receive("mug", 5, OAK)
    shop.receive("mug", 3, DEPOT)
    assert nodes(shop) == {OAK: 2, DEPOT: 3}
    shop.tell(move("s1", "mug", 4, node=OAK, minute=5))
    assert nodes(shop) == {OAK: 0, DEPOT: 3}
    assert network(shop) == 3


def test_demand_without_a_node_and_the_threshold_are_taken_off_once(shop: Stockroom) -> None:
    shop.receive("mug", 10, OAK)
    run(shop, "UPDATE channel SET threshold = 3 WHERE code = 'market'")
    shop.demand(1, "mug", 2)
    assert (network(shop), network(shop, channel="market")) == (8, 5)


def test_demand_of_the_same_batch_counts_before_it_is_written(shop: Stockroom) -> None:
    shop.receive("mug", 10, OAK)
    tx = shop.transaction()
    tx.book(ReservationBook).newly_queued["mug"] = 4
    assert network_ats(tx, "web", "ship", ["mug"]) == {"mug": 6}
    shop.connection.rollback()


def test_what_is_off_has_none(shop: Stockroom) -> None:
    shop.receive("mug", 5, OAK)
    assert network(shop, channel="nobody") == 0
    assert network(shop, channel="market", method="pickup") == 0
    run(shop, "UPDATE product SET enabled = false WHERE sku = 'mug'")
    assert (network(shop), nodes(shop)) == (0, {})
    run(shop, "UPDATE product SET enabled = true, methods = '{pickup}' WHERE sku = 'mug'")
    assert (network(shop), network(shop, method="pickup")) == (0, 5)
    run(shop, "UPDATE channel SET enabled = false WHERE code = 'web'")
    assert network(shop, method="pickup") == 0


def test_a_node_that_no_longer_ships_is_off_once_levels_are_aligned(shop: Stockroom) -> None:
    shop.receive("mug", 5, OAK)
    shop.receive("mug", 3, ELM)
    run(shop, f"UPDATE node SET methods = '{{pickup}}' WHERE code = '{OAK}'")
    assert [violation.invariant for violation in shop.broken_rules()] == [
        "levels_follow_master_data"
    ]
    tx = shop.transaction()
    align_levels(tx)
    shop.commit(tx)
    assert (network(shop), network(shop, method="pickup")) == (3, 8)
    assert shop.broken_rules() == []


def test_a_product_may_be_off_at_one_node(shop: Stockroom) -> None:
    run(
        shop,
        f"INSERT INTO product_node (sku, node, methods_off) VALUES ('mug', '{OAK}', '{{ship}}')",
    )
    shop.receive("mug", 5, OAK)
    shop.receive("mug", 3, ELM)
    assert (network(shop), network(shop, method="pickup")) == (3, 8)
    assert shop.broken_rules() == []


def test_a_channel_sees_only_its_zones(shop: Stockroom) -> None:
    shop.receive("mug", 5, OAK)
    shop.receive("mug", 3, DEPOT)
    run(shop, "UPDATE channel SET zones = '{west}' WHERE code = 'web'")
    assert (network(shop), nodes(shop)) == (3, {DEPOT: 3})


def test_a_listing_overrides_the_threshold_and_may_be_over(shop: Stockroom) -> None:
    shop.receive("mug", 5, OAK)
    run(
        shop,
        "UPDATE channel SET threshold = 1 WHERE code = 'market'",
        "INSERT INTO listing (channel, channel_sku, sku, threshold)"
        " VALUES ('market', 'M-1', 'mug', 4)",
    )
    assert (network(shop, channel="market"), network(shop)) == (1, 5)
    run(shop, "UPDATE listing SET valid_to = '2026-11-01'")
    assert (network(shop, channel="market"), network(shop)) == (0, 5)


def test_kits_are_floored_per_node_and_then_summed(shop: Stockroom) -> None:
    for node, mugs, bowls in ((OAK, 3, 5), (ELM, 9, 1), (DEPOT, 1, 9)):
        shop.receive("mug", mugs, node)
        shop.receive("bowl", bowls, node)
    assert nodes(shop, "set") == {OAK: 2, ELM: 0, DEPOT: 1}
    assert network(shop, "set") == 3
    shop.demand(1, "bowl", 3)
    assert network(shop, "set") == 1


def test_queued_kits_count_against_their_components(shop: Stockroom) -> None:
    shop.receive("mug", 5, OAK)
    shop.receive("bowl", 5, OAK)
    shop.demand(1, "set", 2)
    assert network(shop, "bowl") == 1
    assert network(shop, "mug") == 3
    assert network(shop, "set") == 0


def test_a_queued_pickup_counts_against_its_store_only(shop: Stockroom) -> None:
    shop.receive("mug", 5, OAK)
    shop.receive("mug", 5, ELM)
    line = DemandedLine(line=1, sku="mug", quantity=2, method="pickup", pickup_node=OAK)
    shop.ask(
        AcceptDemand(order_id=order(1), channel="web", paid=True, placed_at=shop.now, lines=(line,))
    )
    assert nodes(shop, method="pickup") == {OAK: 3, ELM: 5}
    assert network(shop) == 8


def test_buffers_widen_while_a_feed_is_silent(shop: Stockroom) -> None:
    shop.tell(count(10, mug=9))
    run(shop, f"UPDATE node SET pick_failure_probability = 0.25 WHERE code = '{OAK}'")
    for minutes, expected in ((60, 7), (60 * 24 * 3 + 61, 5), (60 * 24 * 90, 0)):
        shop.now = at(minutes)
        tx = shop.transaction()
        align_levels(tx, [OAK])
        shop.commit(tx)
        assert nodes(shop) == {OAK: expected}
        assert network(shop) == expected
    assert shop.broken_rules() == []


def test_a_quarantined_level_offers_nothing_and_reserves_nothing(shop: Stockroom) -> None:
    shop.receive("mug", 5, OAK)
    tx = shop.transaction()
    quarantine(tx, [LevelKey("mug", OAK)])
    shop.commit(tx)
    assert (network(shop), nodes(shop), shop.promise(1, "mug", 1)) == (0, {OAK: 0}, 0)
    shop.receive("mug", 1, OAK)
    assert shop.broken_rules() == []
    tx = shop.transaction()
    quarantine(tx, [LevelKey("mug", OAK)], lift=True)
    shop.commit(tx)
    assert network(shop) + 1 == 6  # The refused order is queued demand.
    assert shop.broken_rules() == []


def test_opening_stock_is_the_beginning_of_the_ledger(shop: Stockroom) -> None:
    tx = shop.transaction()
    loaded = load_opening_stock(
        tx, [Opening("mug", OAK, sellable=4, damaged=1), Opening("mug", DEPOT, sellable=2)]
    )
    shop.commit(tx)
    assert (loaded, network(shop)) == (2, 6)
    shop.tell(move("s1", "mug", 1, node=OAK))
    assert shop.buckets("mug", OAK, "sellable", "damaged") == (3, 1)
    assert shop.broken_rules() == []


def test_a_closed_ledger_lives_on_in_its_balance(shop: Stockroom) -> None:
    shop.receive("mug", 5, OAK)
    shop.promise(1, "mug", 2)
    shop.now = at(60 * 24 * 3)
    tx = shop.transaction()
    with pytest.raises(LedgerStillOpen):
        close_ledger(tx, at(60 * 24 * 3))
    assert close_ledger(tx, at(60 * 24)) == 1
    shop.commit(tx)
    shop.tell(move("s1", "mug", 1, minute=60 * 24 * 3))
    assert shop.broken_rules() == []
    shop.connection.execute("DELETE FROM stock_ledger WHERE recorded_at < %s", [at(60 * 24)])
    shop.connection.commit()
    assert shop.broken_rules() == []


def test_the_bits_of_methods_are_those_of_the_database(connection: db.Connection) -> None:
    for method in Method:
        row = connection.execute("SELECT method_bits(%s)", [[method.value]]).fetchone()
        assert row == (METHOD_BITS[method.value],)


def test_regular_work_reviews_backorders_once_an_hour_and_aligns_every_node(
    shop: Stockroom,
) -> None:
    shop.receive("mug", 5, OAK)
    run(shop, "UPDATE node SET buffer = 2")
    for minute in range(60):
        keep_up(shop.connection, at(60 + minute))
        shop.connection.commit()
    assert nodes(shop) == {OAK: 3}
    assert network(shop) == 3
    rows = shop.connection.execute("SELECT process, instance, type FROM inbox").fetchall()
    assert rows == [("inventory", "backorders", "crossdock.backorders.review_requested.v1")]
