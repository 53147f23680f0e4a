"""A seeded retailer on real geography, short of stock and hands: what sourcing is measured on."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from crossdock.sourcing.model import (
    DemandLine,
    NodeFacts,
    OrderDemand,
    SkuFacts,
    Stock,
    StockColumn,
)
from crossdock.sourcing.network import Network
from crossdock.sourcing.policy import (
    Calendar,
    Search,
    SourcingPolicy,
    Step,
    UnfilledRules,
)
from crossdock.sourcing.policy_files import shipped_policy

NOW = datetime(2026, 11, 3, 15, 0, tzinfo=UTC)
"""A Tuesday morning; every node is open and before its cut-off."""

CARRIED_SHARE = 0.3
LINES = (1, 2, 3, 4)
LINE_WEIGHTS = (45, 28, 15, 12)
QUANTITIES = (1, 2, 3)
QUANTITY_WEIGHTS = (82, 13, 5)


class Instance(NamedTuple):
    """One batch to plan."""

    network: Network
    products: dict[str, SkuFacts]
    orders: list[OrderDemand]
    stock: Stock
    policy: SourcingPolicy
    now: datetime


def make(seed: int, orders: int = 1000, stores: int = 600, centers: int = 2) -> Instance:
    """Stores that carry 30 % of the range in ones and twos, and centers that run out."""
    rng = random.Random(f"sourcing {seed}")
    places = _places()
    products = _products(rng, max(orders, 50))
    network = Network(_nodes(rng, places, stores, centers, orders))
    demands = _orders(rng, places, products, orders)
    return Instance(network, products, demands, _stock(rng, network, demands), bench_policy(), NOW)


def bench_policy() -> SourcingPolicy:
    """The default policy in one step on one day, where an open unit costs more than any detour.

    Steps and a second day would make the comparison one of policies, not of plans: the exact model
    has one set of rules, and so has the planner here.
    """
    default = shipped_policy("default")
    unfilled = default.unfilled
    return SourcingPolicy(
        name="bench",
        currency=default.currency,
        candidates=default.candidates,
        steps=(Step(name="all", max_nodes=3, max_nodes_per_line=2),),
        split=default.split,
        freight=default.freight,
        cost=default.cost,
        calendar=Calendar(max_wait_days=0),
        unfilled=UnfilledRules(penalty_minor=20_000, penalty_percent=0, rules=unfilled.rules),
        search=Search(exact_lines=default.search.exact_lines),
    )


def _places() -> list[dict[str, Any]]:
    import zipcodes

    outside = {"AK", "HI", "PR", "VI", "GU", "AS", "MP", "AA", "AE", "AP", "FM", "MH", "PW"}
    return [
        place
        for place in zipcodes.list_all()  # type: ignore[no-untyped-call]
        if place["zip_code_type"] == "STANDARD" and place["lat"] and place["state"] not in outside
    ]


def _products(rng: random.Random, count: int) -> dict[str, SkuFacts]:
    products = {}
    for i in range(count):
        price = rng.randint(800, 12_000)
        code = f"SKU-{i:05}"
        products[code] = SkuFacts(
            sku=code,
            weight_grams=rng.randint(80, 4000),
            dimensions_mm=(rng.randint(60, 500), rng.randint(50, 350), rng.randint(20, 250)),
            price_minor=price,
            cost_minor=price * rng.randint(35, 65) // 100,
            season_end=(NOW + timedelta(days=30)).date() if rng.random() < 0.2 else None,
        )
    return products


def _nodes(
    rng: random.Random, places: list[dict[str, Any]], stores: int, centers: int, orders: int
) -> list[NodeFacts]:
    chosen = rng.sample(places, stores + centers)
    nodes = []
    for i, place in enumerate(chosen):
        center = i < centers
        nodes.append(
            NodeFacts(
                code=f"DC-{i + 1}" if center else f"STORE-{i - centers + 1:03}",
                kind="dc" if center else "store",
                postal_code=place["zip_code"],
                latitude=float(place["lat"]),
                longitude=float(place["long"]),
                time_zone=place["timezone"] or "America/Chicago",
                # Half of the work has to be done by the stores, and a store has few hands.
                daily_capacity=orders // 4 if center else rng.randint(1, 4),
                handling_order_minor=90 if center else rng.randint(120, 260),
                handling_unit_minor=20 if center else rng.randint(30, 70),
                load_minor=rng.randint(40, 160),
                failed_pick_rate=0.004 if center else rng.choice((0.01, 0.03, 0.06, 0.12)),
            )
        )
    return nodes


def _orders(
    rng: random.Random, places: list[dict[str, Any]], products: dict[str, SkuFacts], count: int
) -> list[OrderDemand]:
    codes = list(products)
    popularity = [1 / (i + 5) ** 0.8 for i in range(len(codes))]
    orders = []
    for i in range(count):
        place = rng.choice(places)
        wanted: dict[str, int] = {}
        for _ in range(rng.choices(LINES, LINE_WEIGHTS)[0]):
            [code] = rng.choices(codes, popularity)
            wanted.setdefault(code, rng.choices(QUANTITIES, QUANTITY_WEIGHTS)[0])
        lines = tuple(
            DemandLine(n + 1, code, quantity, 1, products[code].price_minor)
            for n, (code, quantity) in enumerate(wanted.items())
        )
        orders.append(
            OrderDemand(
                order_id=f"order-{i:05}",
                sequence=i,
                lines=lines,
                arrive_by=NOW + timedelta(days=rng.choice((3, 4, 6))),
                postal_code=place["zip_code"],
                latitude=float(place["lat"]),
                longitude=float(place["long"]),
            )
        )
    return orders


def _stock(rng: random.Random, network: Network, orders: list[OrderDemand]) -> Stock:
    """Centers hold about half of what is asked of a SKU, stores one or two units of some SKUs."""
    asked: dict[str, int] = {}
    for order in orders:
        for line in order.lines:
            asked[line.sku] = asked.get(line.sku, 0) + line.quantity
    columns = {}
    for sku, units in asked.items():
        codes, available = [], []
        for node in network.nodes:
            if node.kind == "dc":
                held = rng.randint(0, max(units // 3, 1))
            else:
                held = rng.choice((1, 1, 1, 2, 2, 3)) if rng.random() < CARRIED_SHARE else 0
            if held:
                codes.append(node.code)
                available.append(held)
        columns[sku] = StockColumn(codes, available)
    return Stock(columns=columns)
