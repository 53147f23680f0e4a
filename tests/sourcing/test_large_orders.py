"""Orders of many lines: planned by growing and bettering a set of nodes."""

from __future__ import annotations

import random

from crossdock.sourcing.model import NodeFacts, OrderDemand, SkuFacts, Stock
from crossdock.sourcing.network import Network
from crossdock.sourcing.planner import plan
from crossdock.sourcing.policy import Search, Step
from tests.sourcing.world import NOON, PLACES, decide, node, order, policy, shares, sku, stock


def large(lines: int, seed: int = 1) -> tuple[list[NodeFacts], OrderDemand, Stock]:
    rng = random.Random(seed)
    nodes = [
        node(
            f"node-{i:02}",
            rng.choice(sorted(PLACES)),
            handling_order_minor=rng.randint(0, 300),
            handling_line_minor=rng.randint(0, 40),
            handling_unit_minor=rng.randint(0, 60),
        )
        for i in range(30)
    ]
    wanted = [(f"sku-{i:04}", rng.randint(1, 3)) for i in range(lines)]
    held = {
        code: {one.code: rng.randint(1, 5) for one in nodes if rng.random() < 0.5}
        for code, _ in wanted
    }
    return nodes, order(*wanted), stock(held)


def test_an_order_of_a_thousand_lines_is_filled_within_its_nodes() -> None:
    nodes, demand, held = large(1000)
    [decision] = decide([demand], held, nodes, policy(steps=(Step(name="many", max_nodes=12),)))
    assert decision.filled and not decision.exact
    assert len(decision.chosen.nodes) <= 12
    for place, units in shares(decision).items():
        for code, taken in units.items():
            column = held.columns[code]
            assert taken <= dict(zip(column.nodes, column.available, strict=True))[place]


def test_what_too_few_nodes_hold_stays_open() -> None:
    nodes, demand, held = large(300)
    [decision] = decide([demand], held, nodes, policy(steps=(Step(name="few", max_nodes=2),)))
    assert not decision.filled
    assert len(decision.chosen.nodes) == 2
    told = sum(line.quantity for share in decision.chosen.nodes for line in share.lines)
    left = sum(line.quantity for line in decision.chosen.unfilled)
    assert told + left == sum(line.quantity for line in demand.lines)


def test_the_heuristic_comes_close_to_the_exact_search() -> None:
    gaps = []
    for seed in range(25):
        nodes, demand, held = large(6, seed)
        costs = [
            decide([demand], held, nodes, policy(search=Search(exact_lines=lines)))[0]
            for lines in (8, 5)
        ]
        assert [one.exact for one in costs] == [True, False]
        best, ours = (one.chosen.total_minor for one in costs)
        assert ours >= best
        gaps.append(ours / best - 1)
    assert sum(gaps) / len(gaps) < 0.02


def test_a_line_no_node_can_fill_is_split_in_a_large_order_too() -> None:
    nodes, demand, held = large(20)
    columns = dict(held.columns)
    columns["sku-0000"] = stock({"x": {"node-00": 2, "node-01": 2}}).columns["x"]
    big = OrderDemand(
        "big", 1, (*demand.lines[1:], order(("sku-0000", 3)).lines[0]),
        latitude=demand.latitude, longitude=demand.longitude,
    )  # fmt: skip
    rules = policy(steps=(Step(name="divide", max_nodes=12, max_nodes_per_line=2),))
    [decision] = decide([big], Stock(columns=columns), nodes, rules)
    held_by = {place: units["sku-0000"] for place, units in shares(decision).items()
               if "sku-0000" in units}  # fmt: skip
    assert decision.filled
    assert sorted(held_by.values()) == [1, 2]


def test_kits_of_a_large_order_do_not_take_the_same_units_twice() -> None:
    names = [f"kit-{i}" for i in range(10)]
    kits: list[SkuFacts] = [sku(name, components=(("bolt", 2),)) for name in names]
    demand = order(*[(name, 1) for name in names])
    nodes = [node("east"), node("north", "boston")]
    held = stock({"bolt": {"east": 11, "north": 9}})
    products = {one.sku: one for one in [*kits, sku("bolt")]}
    [decision] = plan([demand], held, Network(nodes), products, policy(), NOON)
    taken = {place: units["bolt"] for place, units in shares(decision).items()}
    assert taken["east"] <= 11 and taken.get("north", 0) <= 9
    assert sum(taken.values()) == 18, "five kits from the east, four from the north"
