"""Rules of inventory that need no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crossdock.inventory import rules
from crossdock.inventory.model import Move, Want
from crossdock.inventory.rules import Breakable, Level, Waiting

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sellable", "reserved", "safety_stock", "buffer", "expected"),
    [(10, 3, 2, 1, 4), (3, 3, 0, 0, 0), (2, 5, 0, 0, 0), (5, 0, 9, 0, 0)],
)
def test_a_node_never_offers_less_than_nothing(
    sellable: int, reserved: int, safety_stock: int, buffer: int, expected: int
) -> None:
    assert rules.node_ats(sellable, reserved, safety_stock, buffer) == expected


def test_network_ats_takes_off_the_queue_and_the_threshold() -> None:
    assert rules.network_ats(10, 3, 2) == 5
    assert rules.network_ats(3, 3, 2) == 0


def test_the_scarcest_component_makes_the_kits() -> None:
    assert rules.kits([9, 5], [1, 2]) == 2


@pytest.mark.parametrize(
    ("silent", "failing", "expected"),
    [
        (timedelta(hours=30), 0.0, 0),
        (timedelta(days=2), 0.0, 1),
        (timedelta(days=4, hours=3), 0.0, 3),
        (timedelta(0), 0.3, 3),
        (timedelta(days=3), 0.15, 3),
        (timedelta(days=400), 1.0, 10),
    ],
)
def test_a_buffer_widens_with_silence_and_with_failed_picks(
    silent: timedelta, failing: float, expected: int
) -> None:
    assert rules.widening(silent, failing) == expected


def test_reserving_is_all_or_nothing_unless_a_part_is_welcome() -> None:
    level = Level("mug", "oak", sellable=5, reserved=3)
    assert rules.grant(level, Want("mug", "oak", 3, "order", 1)) == 0
    assert level.reserved == 3
    assert rules.grant(level, Want("mug", "oak", 3, "order", 1, partial=True)) == 2
    assert level.reserved == 5


def test_newly_sold_demand_leaves_safety_stock_and_buffer_alone() -> None:
    level = Level("mug", "oak", sellable=5, safety_stock=2, buffer=1)
    protected = Want("mug", "oak", 3, "order", 1, partial=True, protected=True)
    assert rules.grant(level, protected) == 2
    assert rules.grant(level, protected._replace(protected=False)) == 3


def test_nothing_is_reserved_at_a_level_that_is_not_there_or_in_quarantine() -> None:
    want = Want("mug", "oak", 1, "order", 1)
    assert rules.grant(None, want) == 0
    assert rules.grant(Level("mug", "oak", sellable=5, quarantined=True), want) == 0


def test_picking_what_is_reserved_moves_no_units_of_the_level() -> None:
    level = Level("mug", "oak", sellable=5, reserved=2)
    picked = Move("mug", "oak", 2, "reserved", "picked", "picked")
    assert not rules.changes_level(picked)
    rules.book(level, picked, NOON)
    assert not level.changed


def test_shipping_takes_the_unit_and_its_reservation() -> None:
    level = Level("mug", "oak", sellable=5, reserved=2)
    rules.book(level, Move("mug", "oak", 2, "picked", "customer", "shipped"), NOON)
    assert (level.sellable, level.reserved) == (3, 0)


def test_picked_units_that_a_count_did_not_have_leave_nothing_overdrawn() -> None:
    level = Level("mug", "oak", sellable=1, reserved=3)
    rows = rules.book(level, Move("mug", "oak", 3, "picked", "customer", "shipped"), NOON)
    assert (level.sellable, level.reserved, level.overdrawn) == (0, 0, {})
    assert [(row[6], row[7], row[4]) for row in rows] == [
        ("picked", "customer", 3),
        ("unexplained", "free", 2),
    ]


def test_a_count_of_less_than_was_sold_since_leaves_the_bucket_overdrawn() -> None:
    level = Level("mug", "oak", sellable=4)
    rules.take_count(level, "sellable", 2, -5, NOON, NOON)
    assert (level.sellable, level.overdrawn) == (0, {"sellable": 3})


def breakable(name: str, units: int, priority: int, promised: datetime | None) -> Breakable:
    return Breakable(name, f"order-{name}", 1, units, priority, promised, None)


def test_reservations_break_by_priority_then_promise_then_id_and_only_as_needed() -> None:
    late, soon = NOON + timedelta(days=5), NOON + timedelta(days=1)
    reservations = [
        breakable("a", 2, 1, None),
        breakable("b", 2, 3, soon),
        breakable("c", 2, 3, late),
        breakable("e", 2, 3, None),
        breakable("d", 2, 3, None),
        breakable("f", 2, 5, soon),
    ]
    chosen = rules.choose_broken(reservations, 9)
    assert [(one.id, units) for one, units in chosen] == [
        ("f", 2),
        ("d", 2),
        ("e", 2),
        ("c", 2),
        ("b", 1),
    ]


def test_arriving_units_serve_the_oldest_promise_and_none_promised_last() -> None:
    waiting = [
        Waiting("a", "order-a", 1, 2, None),
        Waiting("b", "order-b", 1, 2, NOON + timedelta(days=2)),
        Waiting("c", "order-c", 1, 2, NOON),
    ]
    chosen = rules.choose_served(waiting, 5)
    assert [(one.id, units) for one, units in chosen] == [("c", 2), ("b", 2), ("a", 1)]
    assert rules.choose_served(waiting, 0) == []
