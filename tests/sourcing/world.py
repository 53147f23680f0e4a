"""A small retailer to plan on: four places everybody knows, a policy in round figures."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec

from crossdock.sourcing.model import (
    Decision,
    DemandLine,
    NodeFacts,
    OrderDemand,
    SkuFacts,
    Stock,
    StockColumn,
)
from crossdock.sourcing.network import Network
from crossdock.sourcing.planner import plan
from crossdock.sourcing.policy import SourcingPolicy
from crossdock.sourcing.policy_files import parse_policy

NOON = datetime(2026, 11, 3, 17, 0, tzinfo=UTC)
"""A Tuesday, noon in New York."""

PLACES = {
    "boston": (42.36, -71.06),
    "new-york": (40.71, -74.01),
    "chicago": (41.88, -87.63),
    "los-angeles": (34.05, -118.24),
}

ROUND_FIGURES = """
name = "round-figures"
currency = "USD"

[[steps]]
name = "only"
max_nodes = 3

[split]
cost_minor = 100

[freight]
zones_km = [100, 500, 2000]
weights_grams = [1000, 5000, 20000]
tare_grams = 0

[freight.services.standard]
transit_days = [1, 2, 3, 5]
rates = [
    [500, 600, 800, 1000],
    [700, 900, 1200, 1600],
    [1500, 2000, 3000, 4000],
]

[[unfilled.rules]]
outcome = "backorder"
days = 14
"""


def policy(changes: str = "", **replaced: Any) -> SourcingPolicy:
    """The policy in round figures, with more TOML at its end or whole parts replaced."""
    return msgspec.structs.replace(parse_policy(ROUND_FIGURES + changes, "test.toml"), **replaced)


def node(code: str, place: str = "new-york", **facts: Any) -> NodeFacts:
    """A store that is always open and costs nothing but freight."""
    latitude, longitude = PLACES[place]
    return NodeFacts(code=code, latitude=latitude, longitude=longitude, **facts)


def order(
    *lines: tuple[str, int] | DemandLine, to: str = "new-york", number: int = 1, **facts: Any
) -> OrderDemand:
    """An order of (SKU, quantity) lines at 20.00 each."""
    latitude, longitude = PLACES[to]
    demands = tuple(
        line if isinstance(line, DemandLine) else DemandLine(i + 1, line[0], line[1], 1, 2000)
        for i, line in enumerate(lines)
    )
    defaults: dict[str, Any] = {"order_id": f"order-{number}", "sequence": number}
    return OrderDemand(
        **{**defaults, "latitude": latitude, "longitude": longitude, "lines": demands, **facts}
    )


def sku(code: str, **facts: Any) -> SkuFacts:
    """A product of 1 kg, small, bought for 10.00 and sold for 20.00."""
    return SkuFacts(
        **{"sku": code, "weight_grams": 1000, "price_minor": 2000, "cost_minor": 1000, **facts}
    )


def stock(columns: dict[str, dict[str, int]], **facts: Any) -> Stock:
    """Units by SKU and node."""
    return Stock(
        columns={
            code: StockColumn(list(units), list(units.values())) for code, units in columns.items()
        },
        **facts,
    )


def decide(
    orders: list[OrderDemand],
    units: Stock | dict[str, dict[str, int]],
    nodes: list[NodeFacts],
    rules: SourcingPolicy | None = None,
    products: list[SkuFacts] | None = None,
    now: datetime = NOON,
) -> list[Decision]:
    """Plans; products not given are ordinary ones."""
    held = units if isinstance(units, Stock) else stock(units)
    known = {code: sku(code) for code in held.columns}
    known |= {line.sku: sku(line.sku) for one in orders for line in one.lines}
    known |= {facts.sku: facts for facts in products or []}
    return plan(orders, held, Network(nodes), known, rules or policy(), now)


def shares(decision: Decision) -> dict[str, dict[str, int]]:
    """Units of each SKU at each node of the chosen plan."""
    found: dict[str, dict[str, int]] = {}
    for part in decision.chosen.nodes:
        held = found.setdefault(part.node, {})
        for line in part.lines:
            held[line.sku] = held.get(line.sku, 0) + line.taken
    return found


def day(text: str) -> date:
    """A date of 2026, written MM-DD."""
    return date.fromisoformat(f"2026-{text}")
