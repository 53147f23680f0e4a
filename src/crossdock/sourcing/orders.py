"""Orders made ready for the search: bundles, promise, value and margin budget."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from crossdock.sourcing.jobs import Bundle, Job, Need, Share, View, units_there
from crossdock.sourcing.model import DemandLine, OrderDemand, SkuFacts
from crossdock.sourcing.products import Product
from crossdock.sourcing.state import BatchState
from crossdock.sourcing.tools import Tools


class Orders:
    """Makes jobs for one batch."""

    def __init__(
        self,
        tools: Tools,
        products: Mapping[str, SkuFacts],
        state: BatchState,
        now: datetime,
    ) -> None:
        self._tools = tools
        self._products = products
        self._state = state
        self._now = now
        self._known = tools.products_of(now)
        self._items: dict[str, tuple[str, tuple[Need, ...]]] = {}
        """By SKU, what must leave with it, and what one of it needs."""
        margin = tools.policy.margin
        self._has_floor = margin.floor_minor is not None or margin.floor_percent is not None
        self._margin = margin

    def job(self, number: int, demand: OrderDemand) -> Job:
        """The order with its bundles, promise, value and margin budget."""
        job = Job(number, demand)
        self._bundle(job)
        if demand.arrive_by is not None:
            job.promise = promised_day(demand.arrive_by, demand.longitude)
        job.value = demand.value_minor
        if not job.value:
            job.value = sum(line.unit_value_minor * line.quantity for line in demand.lines)
        if self._has_floor:
            job.budget = self._budget(job)
        return job

    def substituted(self, job: Job, view: View) -> Job | None:
        """The order with the first substitute that some node has in the place of each line's
        product that none has; None when there is none. The job itself stays as ordered: what the
        batch took for it is given back by its own bundles."""
        bundles = job.bundles[:]
        for k, bundle in enumerate(job.bundles):
            if bundle.whole or self._can_fill(job, bundle, bundle.needs, view):
                continue
            ordered = bundle.shares[0].line.sku
            for sku in self._product(ordered).facts.substitutes:
                if sku in job.demand.barred_substitutes:
                    continue
                needs = self._needs(sku, 1, instead_of=ordered)
                if self._can_fill(job, bundle, needs, view):
                    shares = [Share(share.line, needs) for share in bundle.shares]
                    bundles[k] = Bundle(shares, bundle.quantity, whole=False)
                    break
        if bundles == job.bundles:
            return None
        other_job = Job(job.number, job.demand)
        other_job.bundles = bundles
        other_job.overlap = _overlap(bundles)
        other_job.promise, other_job.value = job.promise, job.value
        if self._has_floor:
            other_job.budget = self._budget(other_job)
        return other_job

    def _can_fill(self, job: Job, bundle: Bundle, needs: tuple[Need, ...], view: View) -> bool:
        """Whether some node that the order leaves open has all of these for the whole bundle, in
        lots that live until they arrive from there."""
        position = self._tools.network.position
        barred = {position.get(code) for code in (*job.demand.excluded_nodes, *bundle.excluded)}
        only = {position.get(code) for code in job.demand.only_nodes}
        return any(
            all(units_there(need, node, view) >= need.units * bundle.quantity for need in needs)
            for node in needs[0].column.left
            if node not in barred and (not only or node in only)
        )

    def _bundle(self, job: Job) -> None:
        """Lines of one SKU are one bundle, and so is what ships together."""
        groups: dict[str, list[DemandLine]] = {}
        items = self._items
        for line in job.demand.lines:
            assert line.quantity > 0, f"order {job.demand.order_id} line {line.line_number}"
            sku = line.sku
            item = items.get(sku)
            if item is None:
                word = self._product(sku).facts.ship_together
                item = items[sku] = word, self._needs(sku, 1)
            key = f"together:{item[0]}" if item[0] else sku
            if key in groups:
                groups[key].append(line)
            else:
                groups[key] = [line]
        special = False
        for group in groups.values():
            first = group[0]
            word, needs = items[first.sku]
            if word:
                special = True
                shares = [Share(line, self._needs(line.sku, line.quantity)) for line in group]
                job.bundles.append(Bundle(shares, 1, whole=True))
                continue
            if needs[0].instead_of:
                special = True
            if len(group) == 1:
                job.bundles.append(Bundle([Share(first, needs)], first.quantity, whole=False))
            else:
                shares = [Share(line, needs) for line in group]
                quantity = sum([line.quantity for line in group])
                job.bundles.append(Bundle(shares, quantity, whole=False))
        if special:
            job.overlap = _overlap(job.bundles)

    def _needs(self, sku: str, times: int, instead_of: str = "") -> tuple[Need, ...]:
        """The SKU itself, or the components of a kit, which name the kit."""
        product = self._product(sku)
        components = product.facts.components
        if not components:
            return (Need(product, self._state.column(sku), times, instead_of),)
        units: dict[str, int] = {}
        for component, count in components:
            units[component] = units.get(component, 0) + count
        return tuple(
            Need(self._product(part), self._state.column(part), count * times, sku)
            for part, count in units.items()
        )

    def _product(self, sku: str) -> Product:
        found = self._known.get(sku)
        if found is None or found.facts is not self._products.get(sku, found.facts):
            found = self._tools.product(sku, self._products, self._now)
        return found

    def _budget(self, job: Job) -> int:
        """What freight and handling may cost: value, less the goods, less the margin floor."""
        goods = sum(
            need.product.cost * need.units * bundle.quantity
            for bundle in job.bundles
            for need in bundle.needs
        )
        floor = self._margin.floor_minor or 0
        if self._margin.floor_percent is not None:
            floor = max(floor, job.value * self._margin.floor_percent // 100)
        return job.value - goods - floor


def promised_day(arrive_by: datetime, longitude: float | None) -> int:
    """The day of the promise where it is to be kept, as an ordinal.

    The destination's zone is not known; its sun is: an hour for each 15 degrees.
    """
    if arrive_by.tzinfo is not UTC:
        arrive_by = arrive_by.astimezone(UTC)
    hour = arrive_by.hour + round((longitude or 0.0) / 15)
    return arrive_by.toordinal() + hour // 24


def _overlap(bundles: list[Bundle]) -> bool:
    """Two bundles draw on one column."""
    columns = [
        id(column) for bundle in bundles for column in {need.column for need in bundle.needs}
    ]
    return len(set(columns)) < len(columns)
