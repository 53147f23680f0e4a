"""The planner's rules a second time, slow and plain: every plan of an order is costed.

It shares no code with the planner but the model and the policy. What it covers: freight, handling,
split, markdown by season, stock-out risk, failed picks, lateness, load; lines split over nodes
that give all they have; units left open when nothing fills the order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import combinations, product

from crossdock.sourcing.model import NodeFacts, OrderDemand, SkuFacts, Stock
from crossdock.sourcing.policy import SourcingPolicy, Step

Way = tuple[tuple[str, int], ...]
"""Nodes and the quantity of one line from each; what is missing stays open."""


def half_up(numerator: int, denominator: int) -> int:
    return math.floor(numerator / denominator + 0.5)


class Oracle:
    def __init__(
        self,
        order: OrderDemand,
        stock: Stock,
        nodes: list[NodeFacts],
        products: dict[str, SkuFacts],
        policy: SourcingPolicy,
        now: datetime,
    ) -> None:
        self.order, self.policy, self.now = order, policy, now
        self.nodes = {node.code: node for node in nodes}
        self.products = products
        self.held = {
            sku: dict(zip(column.nodes, column.available, strict=True))
            for sku, column in stock.columns.items()
        }
        self.used = stock.capacity_used

    def best(self) -> tuple[int, int] | None:
        """Units left open and cost of the best plan; None when nothing may be sent."""
        for step in self.policy.steps:
            costs = list(self.costs(step, partial=False))
            if costs:
                return (0, min(costs)[1])
        found = self.costs(self.policy.steps[-1], partial=True)
        return min(found, default=None)

    def costs(self, step: Step, *, partial: bool) -> Iterator[tuple[int, int]]:
        ways = [
            list(self.ways(line.sku, line.quantity, step, partial)) for line in self.order.lines
        ]
        for plan in product(*ways):
            nodes = {code for way in plan for code, _ in way}
            if len(nodes) > step.max_nodes:
                continue
            open_units = sum(line.quantity for line in self.order.lines) - sum(
                units for way in plan for _, units in way
            )
            yield open_units, self.cost(plan, nodes) + self.penalty(plan)

    def penalty(self, plan: tuple[Way, ...]) -> int:
        rules = self.policy.unfilled
        total = 0
        for line, way in zip(self.order.lines, plan, strict=True):
            missing = line.quantity - sum(units for _, units in way)
            each = rules.penalty_minor + line.unit_value_minor * rules.penalty_percent // 100
            total += missing * each
        return total

    def ways(self, sku: str, quantity: int, step: Step, partial: bool) -> Iterator[Way]:
        held = {
            code: units
            for code, units in self.held.get(sku, {}).items()
            if units > 0 and self.reaches(code, step)
        }
        whole = [code for code, units in held.items() if units >= quantity]
        for code in whole:
            yield ((code, quantity),)
        some = False
        if not whole:
            for size in range(2, step.max_nodes_per_line + 1):
                for chosen in combinations(sorted(held), size):
                    for last in chosen:
                        given = [(code, held[code]) for code in chosen if code != last]
                        rest = quantity - sum(units for _, units in given)
                        if 0 < rest <= held[last]:
                            some = True
                            yield (*given, (last, rest))
        if partial:
            yield ()
            if not whole and not some:
                for size in range(1, step.max_nodes_per_line + 1):
                    for chosen in combinations(sorted(held), size):
                        if sum(held[code] for code in chosen) < quantity:
                            yield tuple((code, held[code]) for code in chosen)

    def reaches(self, code: str, step: Step) -> bool:
        limit = self.policy.distance_km.get(self.nodes[code].kind)
        return limit is None or self.meters(code) <= limit * 10 * step.distance_percent

    def meters(self, code: str) -> int:
        size = self.policy.candidates.cell_degrees
        assert self.order.latitude is not None and self.order.longitude is not None
        a = math.radians(round(self.order.latitude / size) * size)
        b = math.radians(self.nodes[code].latitude)
        da = b - a
        dl = math.radians(self.nodes[code].longitude - round(self.order.longitude / size) * size)
        h = math.sin(da / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(dl / 2) ** 2
        return round(2 * 6_371_008.8 * math.asin(math.sqrt(h)))

    def cost(self, plan: tuple[Way, ...], nodes: set[str]) -> int:
        total = self.policy.split.cost_minor * max(len(nodes) - 1, 0)
        for code in nodes:
            parcel = [
                (line.sku, units)
                for line, way in zip(self.order.lines, plan, strict=True)
                for there, units in way
                if there == code
            ]
            total += self.node_cost(code, parcel)
        return total

    def node_cost(self, code: str, parcel: list[tuple[str, int]]) -> int:
        node, rates = self.nodes[code], self.policy.cost
        zone = sum(self.meters(code) > limit * 1000 for limit in self.policy.freight.zones_km)
        total = self.freight(zone, parcel)
        total += node.handling_order_minor or rates.handling.order_minor
        today = self.now.date()
        count = self.used.get(code, {}).get(today, 0)
        if node.daily_capacity and count:
            full = node.daily_capacity**2 * 100
            total += half_up(node.load_minor * rates.load_percent * count * count, full)
        if self.order.arrive_by is not None:
            hours = round((self.order.longitude or 0) / 15)
            promised = (self.order.arrive_by + timedelta(hours=hours)).date()
            arrives = today
            for _ in range(self.policy.freight.services["standard"].transit_days[zone]):
                arrives += timedelta(days=1)
                while arrives.weekday() > 4 and not self.policy.freight.moves_on_weekends:
                    arrives += timedelta(days=1)
            total += max((arrives - promised).days, 0) * rates.lateness.day_minor
        return total + sum(self.unit_cost(code, sku, units) for sku, units in parcel)

    def unit_cost(self, code: str, sku: str, units: int) -> int:
        node, facts, rates = self.nodes[code], self.products[sku], self.policy.cost
        total = (node.handling_unit_minor or rates.handling.unit_minor) * units
        total += node.handling_line_minor
        total += round(node.failed_pick_rate * rates.failed_pick_minor)
        safe = rates.stockout.safe_units.get(node.kind, 0)
        margin = max(facts.price_minor - facts.cost_minor, 0)
        for left in range(self.held[sku][code] - units, self.held[sku][code]):
            if left < safe:
                percent = rates.stockout.margin_percent
                total += half_up(margin * percent * (safe - left), 100 * safe)
        if facts.season_end is not None and rates.markdown.percent:
            horizon = rates.markdown.horizon_days
            days = min(max((facts.season_end - self.now.date()).days, 0), horizon)
            saved = facts.price_minor * rates.markdown.percent * (horizon - days)
            total -= half_up(saved, 100 * horizon) * units
        return total

    def freight(self, zone: int, parcel: list[tuple[str, int]]) -> int:
        book = self.policy.freight
        grams = dimensional = 0
        for sku, units in parcel:
            facts = self.products[sku]
            grams += facts.weight_grams * units
            volume = math.prod(facts.dimensions_mm)
            dimensional += math.ceil(volume / book.dimensional_mm3_per_gram) * units
        billable = max(grams, dimensional) + book.tare_grams
        total = 0
        while billable > 0:
            package = min(billable, book.weights_grams[-1])
            billable -= package
            row = next(i for i, limit in enumerate(book.weights_grams) if package <= limit)
            rate = book.services["standard"].rates[row][zone]
            total += half_up(rate * (100 + book.surcharges.fuel_percent), 100)
        return total
