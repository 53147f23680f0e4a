"""The measurement of sourcing: both sides are costed alike, and the exact side is exact."""

from __future__ import annotations

import pytest

from crossdock.bench.sourcing import run
from crossdock.bench.sourcing_exact import Ledger, solve
from crossdock.bench.sourcing_instance import make
from crossdock.sourcing.planner import plan

pytestmark = pytest.mark.slow

pytest.importorskip("highspy")


def test_the_program_is_never_dearer_than_the_plan_it_is_compared_with() -> None:
    for seed in range(3):
        instance = make(seed, orders=25, stores=30)
        decisions = plan(
            instance.orders, instance.stock, instance.network, instance.products,
            instance.policy, instance.now,
        )  # fmt: skip
        ledger = Ledger(instance)
        parcels = ledger.planned(decisions)
        cost, open_units = ledger.total(parcels)
        best = solve(ledger, parcels, 60)
        assert best.optimal
        assert best.cost <= cost * (1 + 1e-6)
        assert best.open_units <= open_units


def test_an_order_planned_alone_costs_the_optimum() -> None:
    for seed in range(12):
        instance = make(seed, orders=20, stores=30)
        alone = instance._replace(orders=instance.orders[:1])
        [decision] = plan(
            alone.orders, alone.stock, alone.network, alone.products, alone.policy, alone.now
        )
        ledger = Ledger(alone)
        parcels = ledger.planned([decision])
        cost, _ = ledger.total(parcels)
        assert decision.exact
        assert decision.chosen.total_minor + decision.chosen.penalty_minor == cost
        assert round(solve(ledger, parcels, 60).cost) == cost


def test_the_same_seed_makes_the_same_instance() -> None:
    assert make(3, 30, 30).orders == make(3, 30, 30).orders
    assert make(3, 30, 30).stock != make(4, 30, 30).stock


def test_the_figure_comes_with_its_parts() -> None:
    result = run(seed=1, scale=0.02)
    assert result.name == "sourcing"
    assert result.value >= 0
    assert result.ratio == result.value / result.limit
    assert {"times_faster", "planner_seconds", "exact_seconds"} <= result.parts.keys()
