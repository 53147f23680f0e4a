"""From what is there and what is planned to what can be promised: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from math import cos, radians
from typing import NamedTuple

from crossdock.model.orders import Method
from crossdock.promising.model import Option, OptionNode, Place, Source, WantedLine
from crossdock.sourcing.model import NodeFacts, SourcingPlan, StockColumn

LAST_HOUR = 20
"""Of the day of a promise, at its place: what comes later is the next day to most people."""

LEAST_CONFIDENCE = 0.5
"""Expected goods that are less certain than this are promised to nobody."""


class Expected(NamedTuple):
    """Units of one SKU that a node expects."""

    sku: str
    node: str
    units: int
    at: datetime
    confidence: float


class Arrival(NamedTuple):
    """When enough units will be there, and at which nodes."""

    at: datetime
    column: StockColumn


def units_by_sku(lines: Iterable[WantedLine]) -> dict[str, int]:
    """What is wanted of each SKU in all."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return wanted


def arrival_of(
    wanted: int, left: int, expected: Sequence[Expected], here: StockColumn, now: datetime
) -> Arrival | None:
    """When `wanted` units can be had; None if never.

    `left` is what nobody has been promised yet; below zero it is what others wait for, and they
    come first. `expected` is of the one SKU, in the order of time.
    """
    nodes = dict(zip(here.nodes, here.available, strict=True))
    for supply in expected:
        if supply.confidence < LEAST_CONFIDENCE:
            continue
        left += supply.units
        nodes[supply.node] = nodes.get(supply.node, 0) + supply.units
        if left >= wanted:
            return Arrival(max(now, supply.at), StockColumn(list(nodes), list(nodes.values())))
    return None


def option_of(
    plan: SourcingPlan,
    method: Method,
    service: str,
    store: str | None,
    source: Source,
    longitude: float | None,
    currency: str,
) -> Option:
    """A plan that fills everything, as an offer."""
    arrive_on = max(share.arrive_on for share in plan.nodes)
    return Option(
        method=method,
        service=service,
        store=store,
        source=source,
        leave_by=max(share.ship_by for share in plan.nodes),
        arrive_on=arrive_on,
        arrive_by=end_of_day(arrive_on, longitude),
        cost=plan.total_minor,
        currency=currency,
        nodes=tuple(
            OptionNode(
                node=share.node,
                skus=tuple(sorted({line.instead_of or line.sku for line in share.lines})),
                leave_by=share.ship_by,
                arrive_on=share.arrive_on,
            )
            for share in plan.nodes
        ),
    )


def end_of_day(day: date, longitude: float | None) -> datetime:
    """The last hour of a day at a place, which sourcing understands as that day.

    The place's zone is not known; its sun is: an hour for each 15 degrees.
    """
    there = datetime.combine(day, time(LAST_HOUR), UTC)
    return there - timedelta(hours=round((longitude or 0.0) / 15))


def stores_for(nodes: Iterable[NodeFacts], place: Place, count: int) -> list[NodeFacts]:
    """Where customers may collect: the nearest ones, or by code where nobody knows the place."""
    open_ones = [n for n in nodes if n.active and Method.PICKUP.value in n.methods]
    latitude, longitude = place.latitude, place.longitude
    if latitude is None or longitude is None:
        same = [n for n in open_ones if place.postal_code and n.postal_code == place.postal_code]
        return sorted(same, key=lambda n: n.code)[:count]
    shrink = cos(radians(latitude))

    def square(node: NodeFacts) -> tuple[float, str]:
        north, east = node.latitude - latitude, (node.longitude - longitude) * shrink
        return north * north + east * east, node.code

    return sorted(open_ones, key=square)[:count]


def zones_around(zones: Mapping[str, Sequence[NodeFacts]], place: Place) -> list[str]:
    """All zones, those around the place first; by code where nobody knows the place."""
    if place.latitude is None or place.longitude is None:
        return sorted(zones)
    latitude, longitude = place.latitude, place.longitude

    def square(zone: str) -> tuple[float, str]:
        nodes = [n for n in zones[zone] if n.active]
        if not nodes:
            return float("inf"), zone
        north = sum(n.latitude for n in nodes) / len(nodes) - latitude
        east = sum(n.longitude for n in nodes) / len(nodes) - longitude
        return north * north + (east * cos(radians(latitude))) ** 2, zone

    return sorted(zones, key=square)
