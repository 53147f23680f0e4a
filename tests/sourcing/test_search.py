"""The search finds what trying everything finds."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.sourcing.model import Decision, NodeFacts, OrderDemand, SkuFacts, Stock
from crossdock.sourcing.network import Network
from crossdock.sourcing.planner import plan
from crossdock.sourcing.policy import (
    Cost,
    Handling,
    Lateness,
    Markdown,
    SourcingPolicy,
    Split,
    Step,
    Stockout,
)
from tests.sourcing.oracle import Oracle
from tests.sourcing.world import NOON, PLACES, node, order, policy, sku, stock

SKUS = ("anorak", "boots", "cap", "duffel")


@st.composite
def retailers(draw: st.DrawFn) -> tuple[list[NodeFacts], dict[str, SkuFacts], Stock]:
    small = st.integers(0, 400)
    nodes = [
        node(
            f"node-{i}",
            draw(st.sampled_from(sorted(PLACES))),
            kind=draw(st.sampled_from(["store", "dc"])),
            handling_order_minor=draw(small),
            handling_line_minor=draw(small),
            handling_unit_minor=draw(small),
            load_minor=draw(small),
            daily_capacity=draw(st.sampled_from([None, 5, 10])),
            failed_pick_rate=draw(st.sampled_from([0.0, 0.1, 0.5])),
        )
        for i in range(draw(st.integers(1, 5)))
    ]
    products = {
        code: sku(
            code,
            weight_grams=draw(st.integers(1, 9000)),
            dimensions_mm=draw(st.sampled_from([(0, 0, 0), (300, 200, 100), (500, 400, 300)])),
            price_minor=draw(st.integers(0, 5000)),
            season_end=draw(st.sampled_from([None, date(2026, 11, 13), date(2027, 5, 1)])),
        )
        for code in SKUS
    }
    units = {
        code: {one.code: draw(st.integers(0, 4)) for one in nodes if draw(st.booleans())}
        for code in SKUS
    }
    used = {
        one.code: {NOON.date(): draw(st.integers(0, one.daily_capacity - 1))}
        for one in nodes
        if one.daily_capacity
    }
    return nodes, products, stock(units, capacity_used=used)


@st.composite
def orders(draw: st.DrawFn) -> OrderDemand:
    wanted = draw(st.lists(st.sampled_from(SKUS), min_size=1, max_size=4, unique=True))
    lines = [(code, draw(st.integers(1, 5))) for code in wanted]
    days = draw(st.sampled_from([None, 0, 2, 9]))
    arrive_by = None if days is None else NOON + timedelta(days=days)
    return order(*lines, to=draw(st.sampled_from(sorted(PLACES))), arrive_by=arrive_by)


@st.composite
def policies(draw: st.DrawFn) -> SourcingPolicy:
    small = st.integers(0, 400)
    first = Step(name="near", max_nodes=draw(st.integers(1, 2)), distance_percent=100)
    nodes = draw(st.integers(1, 3))
    last = Step(
        name="far",
        max_nodes=nodes,
        max_nodes_per_line=draw(st.integers(1, nodes)),
        distance_percent=1000,
    )
    return policy(
        steps=draw(st.sampled_from([(first, last), (last,)])),
        distance_km={"store": draw(st.sampled_from([50, 1500, 9000]))},
        split=Split(cost_minor=draw(small)),
        cost=Cost(
            handling=Handling(order_minor=draw(small), unit_minor=draw(small)),
            markdown=Markdown(percent=draw(st.sampled_from([0, 40]))),
            stockout=Stockout(
                margin_percent=draw(st.sampled_from([0, 30])), safe_units={"store": 3}
            ),
            lateness=Lateness(day_minor=draw(small)),
            failed_pick_minor=draw(small),
        ),
    )


def scored(decision: Decision) -> tuple[int, int]:
    chosen = decision.chosen
    return (
        sum(line.quantity for line in chosen.unfilled),
        chosen.total_minor + chosen.penalty_minor,
    )


@settings(max_examples=300, deadline=None)
@given(retailers(), orders(), policies())
def test_the_chosen_plan_costs_what_the_best_of_all_plans_costs(
    retailer: tuple[list[NodeFacts], dict[str, SkuFacts], Stock],
    demand: OrderDemand,
    rules: SourcingPolicy,
) -> None:
    nodes, products, units = retailer
    [decision] = plan([demand], units, Network(nodes), products, rules, NOON)
    assert decision.exact
    best = Oracle(demand, units, nodes, products, rules, NOON).best()
    assert scored(decision) == best
