"""Decisions are stored, told, and made again with the identical plan."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from msgspec.structs import replace

from crossdock.allocation import policies, store
from crossdock.allocation.records import explained, replay_decision
from crossdock.catalog import store as catalog
from crossdock.sourcing.policy_files import SHIPPED, shipped_policy_text
from tests.allocation.market import (
    BOSTON,
    DENVER,
    HARTFORD,
    MONDAY,
    PROVIDENCE,
    Market,
    order,
    request,
)


def stocked(market: Market, seed: int) -> random.Random:
    dice = random.Random(seed)
    for sku in ("mug", "jug", "tray"):
        for node in (BOSTON, PROVIDENCE, HARTFORD, DENVER):
            if dice.random() < 0.7:
                market.receive(sku, dice.randint(1, 6), node)
    return dice


@pytest.mark.parametrize("name", SHIPPED)
def test_every_stored_decision_is_made_again_identically(market: Market, name: str) -> None:
    policy = policies.load_version(market.connection, shipped_policy_text(name), name, MONDAY)
    policies.activate(market.connection, policy.version, MONDAY)
    dice = stocked(market, 5)
    skus = ["mug", "jug", "tray", "tea-set"]
    wanted = [
        request(i, *((dice.choice(skus), dice.randint(1, 3)) for _ in range(dice.randint(1, 3))))
        for i in range(1, 25)
    ]
    market.accept(*wanted)
    market.allocate("east", *wanted[:12])
    market.allocate("east", *wanted[12:])
    for i in range(1, 25):
        (replayed,) = replay_decision(market.connection, order(i))
        assert replayed.is_identical
        assert replayed.stored.policy_version == policy.version


def test_a_replay_does_not_look_at_what_changed_since(market: Market) -> None:
    market.receive("mug", 2, BOSTON)
    wanted = request(1, ("mug", 1))
    market.accept(wanted)
    market.allocate("east", wanted)
    nodes = [
        replace(node, cost_per_order=9_000, cost_currency="USD", latitude=10.0)
        for node in catalog.load_nodes(market.connection)
    ]
    catalog.save_nodes(market.connection, nodes)
    products = [replace(p, price=1) for p in catalog.load_products(market.connection)]
    catalog.save_products(market.connection, products)
    text = shipped_policy_text("default").replace('outcome = "backorder"', 'outcome = "hold"')
    policy = policies.load_version(market.connection, text, "other.toml", MONDAY)
    policies.activate(market.connection, policy.version, MONDAY)
    market.connection.commit()
    market.lose("mug", 1, BOSTON)
    (replayed,) = replay_decision(market.connection, order(1))
    assert replayed.is_identical


def test_inputs_are_stored_once_for_all_orders_of_a_run(market: Market) -> None:
    stocked(market, 1)
    wanted = [request(i, ("mug", 1)) for i in range(1, 9)]
    market.accept(*wanted)
    market.allocate("east", *wanted)
    assert market.count("decision") == 8
    assert market.count("planning_batch") == 1
    assert market.count("planning_facts") == 1


def test_a_decision_tells_who_was_out_and_why(market: Market) -> None:
    market.receive("mug", 1, BOSTON)
    market.receive("mug", 5, PROVIDENCE)
    wanted = request(1, ("mug", 1), excluded=(BOSTON,))
    market.accept(wanted)
    market.allocate("east", wanted)
    (told,) = explained(market.connection, order(1))
    assert [node.node for node in told.decision.chosen.nodes] == [PROVIDENCE]
    assert told.decision.eliminated == {"excluded": (BOSTON,)}
    assert told.demand is not None and told.demand.lines[0].sku == "mug"


def test_decisions_of_a_month_get_a_partition_made_ahead(market: Market) -> None:
    later = MONDAY + timedelta(days=30)
    made = store.ensure_partitions(market.connection, MONDAY, later)
    assert made == [
        "decision_2026_11", "decision_2026_12", "planning_batch_2026_11", "planning_batch_2026_12",
    ]  # fmt: skip
    assert store.ensure_partitions(market.connection, MONDAY, later) == []
    market.receive("mug", 1, BOSTON)
    wanted = request(1, ("mug", 1))
    market.accept(wanted)
    market.allocate("east", wanted)
    assert market.count("decision_2026_11") == market.count("planning_batch_2026_11") == 1
    (replayed,) = replay_decision(market.connection, order(1))
    assert replayed.is_identical


def test_a_policy_version_cannot_be_changed_afterwards(market: Market) -> None:
    policies.load_version(market.connection, shipped_policy_text("default"), "default", MONDAY)
    with pytest.raises(Exception, match="immutable"):
        market.connection.execute("UPDATE sourcing_policy SET toml = ''")


def test_the_narrowest_active_policy_is_in_force() -> None:
    active = {
        ("", ""): "all",
        ("blue", ""): "brand",
        ("", "web"): "channel",
        ("red", "web"): "both",
    }
    assert policies.in_force(active, "red", "web") == "both"
    assert policies.in_force(active, "blue", "web") == "channel"
    assert policies.in_force(active, "blue", "tv") == "brand"
    assert policies.in_force(active, "green", "tv") == "all"
