"""What a plan costs, part by part, and which plan wins a tie."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from crossdock.sourcing.model import CostParts, NodeFacts, SkuFacts, Stock, StockColumn
from crossdock.sourcing.policy import (
    Cost,
    Handling,
    Lateness,
    Markdown,
    Peak,
    SourcingPolicy,
    Stockout,
    Surcharges,
)
from tests.sourcing.world import NOON, PLACES, decide, node, order, policy, shares, sku

EAST = node("east", "new-york")


def costing(cost: Cost | None = None, **changes: Any) -> SourcingPolicy:
    return policy(cost=cost or policy().cost, **changes)


def part_of(
    rules: SourcingPolicy,
    product: SkuFacts | None = None,
    there: NodeFacts = EAST,
    quantity: int = 1,
    held: int = 9,
    **demand: Any,
) -> CostParts:
    product = product or sku("lamp")
    [decision] = decide(
        [order((product.sku, quantity), **demand)],
        {product.sku: {there.code: held}},
        [there],
        rules,
        [product],
    )
    [share] = decision.chosen.nodes
    assert share.cost.total == decision.chosen.total_minor
    return share.cost


def test_freight_follows_zone_and_weight() -> None:
    by_place = {place: part_of(costing(), there=node("there", place)).freight for place in PLACES}
    assert by_place == {"new-york": 500, "boston": 600, "chicago": 800, "los-angeles": 1000}
    assert part_of(costing(), sku("lamp", weight_grams=1001)).freight == 700


def test_a_big_light_parcel_is_charged_by_its_size() -> None:
    kite = sku("kite", weight_grams=200, dimensions_mm=(1000, 500, 20))
    assert part_of(costing(), kite).freight == 700, "10,000,000 mm3 are charged as 2 kg"


def test_what_is_heavier_than_a_package_goes_in_several() -> None:
    assert part_of(costing(), sku("anvil", weight_grams=41_000)).freight == 2 * 1500 + 500


@pytest.mark.parametrize(
    ("surcharges", "product", "freight"),
    [
        (Surcharges(fuel_percent=11), sku("lamp"), 555),
        (Surcharges(oversize_mm=9, oversize_minor=80), sku("ski", dimensions_mm=(10, 1, 1)), 580),
        (Surcharges(heavy_grams=4000, heavy_minor=90), sku("vase", weight_grams=4001), 790),
        (Surcharges(remote_minor=70, remote_postal_codes={"US": ("967",)}), sku("lamp"), 570),
        (Surcharges(remote_minor=70, remote_postal_codes={"US": ("968",)}), sku("lamp"), 500),
        (
            Surcharges(peaks=(Peak(first_day="11-01", last_day="12-24", minor=33),)),
            sku("lamp"),
            533,
        ),
        (
            Surcharges(peaks=(Peak(first_day="12-01", last_day="11-02", minor=33),)),
            sku("lamp"),
            500,
        ),
    ],
)  # fmt: skip
def test_carriers_add_surcharges(surcharges: Surcharges, product: SkuFacts, freight: int) -> None:
    book = msgspec.structs.replace(policy().freight, surcharges=surcharges)
    assert part_of(costing(freight=book), product, postal_code="96701").freight == freight


def test_handling_is_the_nodes_rate_else_the_policys() -> None:
    cost = Cost(handling=Handling(order_minor=100, unit_minor=10))
    assert part_of(costing(cost), quantity=3).handling == 130
    own = node("east", handling_order_minor=200, handling_unit_minor=50)
    assert part_of(costing(cost), there=own, quantity=3).handling == 350
    by_line = node("east", handling_line_minor=7)
    assert part_of(costing(cost), there=by_line, quantity=3).handling == 137


def test_a_season_that_ends_makes_its_stock_cheap_to_use() -> None:
    cost = Cost(markdown=Markdown(percent=40, horizon_days=60))

    def credit(ends: date) -> int:
        return part_of(costing(cost), sku("coat", season_end=ends)).markdown

    assert credit(NOON.date() + timedelta(days=60)) == 0
    assert credit(NOON.date() + timedelta(days=30)) == -400
    assert credit(NOON.date()) == -800


def test_a_price_in_another_currency_is_not_reckoned_with() -> None:
    cost = Cost(markdown=Markdown(percent=40, horizon_days=60))
    coat = sku("coat", season_end=NOON.date())
    assert part_of(costing(cost), coat).markdown < 0
    priced = {of: msgspec.structs.replace(coat, currency=of) for of in ("USD", "EUR")}
    assert part_of(costing(cost), priced["USD"]).markdown < 0
    assert part_of(costing(cost), priced["EUR"]).markdown == 0


def test_what_has_lain_for_long_is_in_danger_of_a_markdown() -> None:
    cost = Cost(markdown=Markdown(percent=40, aged_after_days=90, aged_within_days=180))

    def credit(days: int) -> int:
        received = NOON.date() - timedelta(days=days)
        return part_of(costing(cost), sku("coat", first_received_on=received)).markdown

    assert credit(90) == 0
    assert credit(180) == -400
    assert credit(1_000) == -800


def test_old_stock_is_used_before_new() -> None:
    cost = Cost(markdown=Markdown(percent=40, aged_after_days=90, aged_within_days=180))
    nodes = [node("new"), node("old")]
    held = Stock(columns={"coat": StockColumn(["new", "old"], [5, 5], age_days=[10, 180])})
    [decision] = decide([order(("coat", 1))], held, nodes, costing(cost))
    assert shares(decision) == {"old": {"coat": 1}}
    assert decision.chosen.nodes[0].cost.markdown == -400


def test_stock_that_sells_in_time_needs_no_markdown() -> None:
    cost = Cost(markdown=Markdown(percent=50, horizon_days=60))
    nodes = [node("quick"), node("slow")]
    column = StockColumn(["quick", "slow"], [4, 4], weekly_sales=[2.0, 0.5])
    coat = sku("coat", season_end=NOON.date() + timedelta(days=14))
    [decision] = decide(
        [order(("coat", 1))], Stock(columns={"coat": column}), nodes, costing(cost), [coat]
    )
    assert shares(decision) == {"slow": {"coat": 1}}
    # One of four would sell in two weeks: three quarters of half of 20.00.
    assert decision.chosen.nodes[0].cost.markdown == -750


def test_the_last_units_of_a_shelf_are_dear() -> None:
    cost = Cost(stockout=Stockout(margin_percent=30, safe_units={"store": 3}))
    risk = [part_of(costing(cost), held=held).stockout for held in (4, 3, 2, 1)]
    assert risk == [0, 100, 200, 300], "the margin is 10.00"
    assert part_of(costing(cost), held=3, quantity=3).stockout == 600
    assert part_of(costing(cost), there=node("east", kind="dc"), held=1).stockout == 0


def test_a_pick_that_may_fail_costs_its_probability() -> None:
    unsure = node("east", failed_pick_rate=0.12)
    assert part_of(costing(Cost(failed_pick_minor=900)), there=unsure).failed_pick == 108


def test_each_day_after_the_promise_costs() -> None:
    cost = Cost(lateness=Lateness(day_minor=100, day_percent=5))
    late: dict[str, Any] = {"arrive_by": datetime(2026, 11, 5, 12, tzinfo=UTC), "to": "los-angeles"}
    # Tuesday and five working days is Tuesday: five days late; 5 % of 20.00 is 1.00.
    assert part_of(costing(cost), **late).lateness == 5 * 200
    on_time = {**late, "arrive_by": datetime(2026, 11, 10, 12, tzinfo=UTC)}
    assert part_of(costing(cost), **on_time).lateness == 0


def test_the_promised_day_is_the_destinations() -> None:
    cost = Cost(lateness=Lateness(day_minor=100))
    # 02:00 UTC on Wednesday is still Tuesday in New York: arriving on Wednesday is a day late.
    night = datetime(2026, 11, 4, 2, tzinfo=UTC)
    assert part_of(costing(cost), arrive_by=night).lateness == 100


def test_a_busy_node_costs_with_the_square_of_its_load() -> None:
    busy = node("east", daily_capacity=10, load_minor=400)
    held = Stock(
        columns={"lamp": StockColumn(["east"], [9])}, capacity_used={"east": {NOON.date(): 5}}
    )
    orders = [order(("lamp", 1), number=n) for n in (1, 2)]
    loads = [one.chosen.nodes[0].cost.load for one in decide(orders, held, [busy])]
    assert loads == [100, 144]


def test_of_equal_plans_the_shorter_way_wins_then_the_lower_code() -> None:
    flat = policy()
    rates = tuple((500,) * 4 for _ in range(3))
    service = msgspec.structs.replace(flat.freight.services["standard"], rates=rates)
    book = msgspec.structs.replace(flat.freight, services={"standard": service})
    nodes = [node("a", "boston"), node("c", "new-york"), node("b", "new-york")]
    held = {"lamp": {"a": 1, "b": 1, "c": 1}}
    [decision] = decide([order(("lamp", 1))], held, nodes, policy(freight=book))
    assert [one.nodes for one in decision.candidates] == [("b",), ("c",), ("a",)]
    assert {one.total_minor for one in decision.candidates} == {500}


def test_of_equal_plans_the_one_with_fewer_parcels_wins() -> None:
    flat = policy(split=msgspec.structs.replace(policy().split, cost_minor=0))
    # 1000 from the west in one parcel, or 500 and 500 near in two.
    held = {"lamp": {"east": 1, "west": 1}, "rug": {"near": 1, "west": 1}}
    half = [sku("lamp", weight_grams=500), sku("rug", weight_grams=500)]
    nodes = [EAST, node("near"), node("west", "los-angeles")]
    [decision] = decide([order(("lamp", 1), ("rug", 1))], held, nodes, flat, half)
    assert [one.total_minor for one in decision.candidates[:2]] == [1000, 1000]
    assert shares(decision) == {"west": {"lamp": 1, "rug": 1}}


def test_nearest_takes_the_nearest_whatever_it_costs() -> None:
    dear = node("dear", handling_order_minor=9000)
    nodes = [dear, node("cheap", "boston")]
    held = {"lamp": {"dear": 1, "cheap": 1}}
    [decision] = decide([order(("lamp", 1))], held, nodes, policy(choose="nearest"))
    assert shares(decision) == {"dear": {"lamp": 1}}
    assert decision.runner_up_delta_minor < 0, "the money is told as it is"


def test_fewest_nodes_takes_one_parcel_whatever_it_costs() -> None:
    whole = node("whole", "los-angeles", handling_order_minor=9000)
    held = {"lamp": {"east": 1, "whole": 1}, "rug": {"near": 1, "whole": 1}}
    nodes = [EAST, node("near"), whole]
    rules = policy(choose="fewest_nodes")
    [decision] = decide([order(("lamp", 1), ("rug", 1))], held, nodes, rules)
    assert shares(decision) == {"whole": {"lamp": 1, "rug": 1}}
