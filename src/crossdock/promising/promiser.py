"""Answers inquiries with the planner that will source the order: same stock, calendars and costs.

What may be sold is ATS; when and from where is a plan on it. Nothing is reserved: two customers may
be told of the last unit, and the checkout decides.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from crossdock.allocation import store as allocation_store
from crossdock.allocation.demand import skus_of
from crossdock.allocation.facts import Facts, FactsShelf
from crossdock.allocation.policies import PolicyShelf, in_force
from crossdock.engine.transaction import Transaction
from crossdock.inventory import ats_store
from crossdock.model.orders import Method
from crossdock.promising import rules, store
from crossdock.promising.model import (
    SHOWN_STORES,
    Closed,
    Inquiry,
    Obstacle,
    Option,
    Place,
    Promises,
    Source,
)
from crossdock.promising.rules import Arrival
from crossdock.sourcing.eligibility import method_rule
from crossdock.sourcing.model import (
    Decision,
    DemandLine,
    NodeFacts,
    OrderDemand,
    SkuFacts,
    SourcingPlan,
    Stock,
    StockColumn,
)
from crossdock.sourcing.network import Network
from crossdock.sourcing.planner import Planner
from crossdock.sourcing.policy import SourcingPolicy
from crossdock.sourcing.policy_files import shipped_policy

KEPT_PLANNERS = 8

Columns = Mapping[str, Mapping[str, StockColumn]]
"""By zone and SKU."""


class Promiser:
    """Keeps master data, policies and planners between inquiries; any thread may ask."""

    def __init__(self) -> None:
        self._facts = FactsShelf()
        self._policies = PolicyShelf()
        self._planners: list[Planner] = []
        self._lock = threading.Lock()

    def answer(self, tx: Transaction, asked: Inquiry) -> Promises:
        """Every way that was asked for (or that the channel offers): open, or closed and why."""
        channel = store.channel(tx, asked.channel)
        if channel is None:
            wanted = asked.methods or (Method.SHIP.value,)
            off = (Closed(method=Method(m), obstacle=Obstacle.CHANNEL_OFF) for m in wanted)
            return Promises(options=(), closed=tuple(off))
        brand, offered, zones = channel
        with self._lock:
            facts = self._facts.current(tx.connection, tx.now.date())
            policy = self._policy(tx, asked.brand or brand, asked.channel)
        inquest = _Inquest(self, tx, asked, facts, policy, zones)
        for method in asked.methods or offered:
            inquest.look(Method(method), is_offered=method in offered)
        return Promises(
            options=tuple(sorted(inquest.options, key=lambda o: (o.arrive_by, o.cost, o.method))),
            closed=tuple(inquest.closed),
        )

    def _policy(self, tx: Transaction, brand: str, channel: str) -> SourcingPolicy:
        active = allocation_store.active_policies(tx.connection)
        if ("", "") not in active:  # Nothing was sourced yet: what the first batch will activate.
            rates = allocation_store.currencies_of_rates(tx.connection)
            return shipped_policy("default", *rates[:1])
        return self._policies.version(tx.connection, in_force(active, brand, channel))

    def plan(
        self,
        network: Network,
        policy: SourcingPolicy,
        demand: OrderDemand,
        stock: Stock,
        products: Mapping[str, SkuFacts],
        now: datetime,
    ) -> Decision:
        """One decision; planners learn as they plan, so that one thread at a time does."""
        with self._lock:
            [decision] = self._planner(network, policy).plan([demand], stock, products, now)
        return decision

    def _planner(self, network: Network, policy: SourcingPolicy) -> Planner:
        """One that knows this network and policy already, or a new one."""
        for planner in self._planners:
            if planner.network is network and planner.policy is policy:
                return planner
        self._planners = [*self._planners[1 - KEPT_PLANNERS :], Planner(network, policy)]
        return self._planners[-1]


class _Inquest:
    """One inquiry under way."""

    def __init__(
        self,
        promiser: Promiser,
        tx: Transaction,
        asked: Inquiry,
        facts: Facts,
        policy: SourcingPolicy,
        zones: tuple[str, ...],
    ) -> None:
        self.promiser = promiser
        self.tx = tx
        self.asked = asked
        self.facts = facts
        self.policy = policy
        self.zones = [z for z in zones if z in facts.zones] or list(facts.zones)
        self.any_zone = not zones
        self.wanted = rules.units_by_sku(asked.lines)
        self.options: list[Option] = []
        self.closed: list[Closed] = []
        demand = self._demand(Method.SHIP, "", asked.place, ())
        self.skus = sorted({*self.wanted, *skus_of(demand, facts.products)})
        self.used = self._capacity_used()

    def look(self, method: Method, *, is_offered: bool) -> None:
        """Find what a method comes to."""
        terms = ats_store.channel_terms(self.tx, self.asked.channel, method.value)
        if not (is_offered and terms.open):
            self._close(method, Obstacle.CHANNEL_OFF)
            return
        offers = {
            offer.sku: offer
            for offer in ats_store.offers(
                self.tx, self.asked.channel, terms, method.value, sorted(self.wanted)
            )
        }
        off = [sku for sku in self.wanted if sku not in offers or not offers[sku].open]
        if off:
            self._close(method, Obstacle.NOT_SOLD, skus=tuple(sorted(off)))
            return
        columns = store.available_columns(self.tx, self.skus, method.value)
        if method is Method.PICKUP:
            self._look_at_stores(columns)
            return
        left = self._left(method, terms, offers)
        short = sorted(sku for sku, units in self.wanted.items() if left[sku] < units)
        arrivals: dict[str, Arrival] = {}
        if short:
            arrivals = self._arrivals(method, short, left, columns)
            if len(arrivals) < len(short):
                missing = tuple(sku for sku in short if sku not in arrivals)
                self._close(method, Obstacle.OUT_OF_STOCK, skus=missing)
                return
        if method is Method.SHIP_TO_STORE:
            for found in self._stores():
                place = Place(found.country, found.postal_code, found.latitude, found.longitude)
                self._offer(method, "", place, columns, arrivals, store=found.code)
            return
        for service in self._services(method):
            self._offer(method, service, self.asked.place, columns, arrivals)

    def _left(
        self, method: Method, terms: ats_store.ChannelTerms, offers: Mapping[str, ats_store.Offer]
    ) -> dict[str, int]:
        """What nobody has been promised yet; below zero where others wait."""
        left = {
            sku: offer.of_nodes - offer.without_node - offer.threshold
            for sku, offer in offers.items()
            if not offer.is_kit
        }
        kits = [sku for sku, offer in offers.items() if offer.is_kit]
        if kits:
            made = dict.fromkeys(kits, 0)
            for kit, _, units in ats_store.kits_at_nodes(self.tx, kits, method.value, terms.zones):
                made[kit] += units
            taken = ats_store.components_queued(self.tx, kits)
            for kit in kits:
                offer = offers[kit]
                left[kit] = made[kit] - offer.without_node - taken.get(kit, 0) - offer.threshold
        return left

    def _arrivals(
        self, method: Method, short: Sequence[str], left: Mapping[str, int], columns: Columns
    ) -> dict[str, Arrival]:
        """When what lacks will be there; a kit is not promised from what is to come."""
        expected = store.expected_supply(self.tx, short, method.value)
        found = {}
        for sku in short:
            here = _merged([of_zone[sku] for of_zone in columns.values() if sku in of_zone])
            arrival = rules.arrival_of(
                self.wanted[sku], left[sku], expected.get(sku, ()), here, self.tx.now
            )
            if arrival is not None:
                found[sku] = arrival
        return found

    def _look_at_stores(self, columns: Columns) -> None:
        """Each store by its own shelf."""
        for found in self._stores():
            here = columns.get(found.allocation_zone, {})
            lacking = []
            for sku, units in self.wanted.items():
                facts = self.facts.products.get(sku)
                parts = (facts.components if facts is not None else ()) or ((sku, 1),)
                if any(_at(here.get(part), found.code) < units * per for part, per in parts):
                    lacking.append(sku)
            if lacking:
                self._close(
                    Method.PICKUP,
                    Obstacle.OUT_OF_STOCK,
                    store=found.code,
                    skus=tuple(sorted(lacking)),
                )
            else:
                place = Place(found.country, found.postal_code, found.latitude, found.longitude)
                self._offer(Method.PICKUP, "", place, columns, {}, store=found.code)

    def _offer(
        self,
        method: Method,
        service: str,
        place: Place,
        columns: Columns,
        arrivals: Mapping[str, Arrival],
        store: str | None = None,
    ) -> None:
        now = max([self.tx.now, *(arrival.at for arrival in arrivals.values())])
        only = (store,) if method is Method.PICKUP and store else ()
        demand = self._demand(method, service, place, only)
        for zone in self._zones_around(place):
            of_zone = {**columns.get(zone, {}), **{s: a.column for s, a in arrivals.items()}}
            plan = self._plan(zone, demand, of_zone, now)
            if plan is not None:
                source = Source.SUPPLY if arrivals else Source.STOCK
                freight = method_rule(self.policy, method.value).freight
                self.options.append(
                    rules.option_of(
                        plan,
                        method,
                        demand.service if freight else "",
                        store,
                        source,
                        place.longitude,
                        self.policy.currency,
                    )
                )
                return
        self._close(method, Obstacle.NO_NODE, service=service, store=store)

    def _plan(
        self, zone: str, demand: OrderDemand, columns: Mapping[str, StockColumn], now: datetime
    ) -> SourcingPlan | None:
        """A plan that fills everything from one zone."""
        stock = Stock(dict(columns), self.used)
        network, products = self.facts.zones[zone], self.facts.products
        decision = self.promiser.plan(network, self.policy, demand, stock, products, now)
        whole = decision.filled and decision.chosen.nodes
        return decision.chosen if whole else None

    def _demand(
        self, method: Method, service: str, place: Place, only: tuple[str, ...]
    ) -> OrderDemand:
        products = self.facts.products
        return OrderDemand(
            order_id="",
            sequence=0,
            lines=tuple(
                DemandLine(
                    number,
                    line.sku,
                    line.quantity,
                    1,
                    products[line.sku].price_in(self.policy.currency)
                    if line.sku in products
                    else 0,
                )
                for number, line in enumerate(self.asked.lines, start=1)
            ),
            channel=self.asked.channel,
            method=method.value,
            service=service or self.policy.freight.default_service,
            placed_at=self.tx.now,
            country=place.country,
            postal_code=place.postal_code,
            latitude=place.latitude,
            longitude=place.longitude,
            only_nodes=only,
            currency=self.policy.currency,
            brand=self.asked.brand,
        )

    def _services(self, method: Method) -> tuple[str, ...]:
        """The services to look at; what needs no carrier has none."""
        if not method_rule(self.policy, method.value).freight:
            return ("",)
        known = tuple(self.policy.freight.services)
        if self.asked.services:
            return tuple(s for s in self.asked.services if s in known)
        return known if method is Method.SHIP else (self.policy.freight.default_service,)

    def _stores(self) -> list[NodeFacts]:
        """The stores that were named, or the nearest ones."""
        nodes = [node for zone in self.zones for node in self.facts.zones[zone].nodes]
        if self.asked.stores:
            by_code = {node.code: node for node in nodes}
            return [by_code[code] for code in self.asked.stores if code in by_code]
        return rules.stores_for(nodes, self.asked.place, SHOWN_STORES)

    def _zones_around(self, place: Place) -> list[str]:
        """In the channel's own order, else those around the place first."""
        if not self.any_zone:
            return self.zones
        return rules.zones_around({z: self.facts.zones[z].nodes for z in self.zones}, place)

    def _capacity_used(self) -> dict[str, dict[date, int]]:
        networks = (self.facts.zones[zone] for zone in self.zones)
        if all(node.daily_capacity is None for each in networks for node in each.nodes):
            return {}
        return allocation_store.capacity_used(self.tx, self.tx.now.date() - timedelta(days=1))

    def _close(
        self,
        method: Method,
        obstacle: Obstacle,
        *,
        service: str = "",
        store: str | None = None,
        skus: tuple[str, ...] = (),
    ) -> None:
        self.closed.append(
            Closed(method=method, obstacle=obstacle, service=service, store=store, skus=skus)
        )


def _at(column: StockColumn | None, node: str) -> int:
    if column is None or node not in column.nodes:
        return 0
    return column.available[list(column.nodes).index(node)]


def _merged(columns: Sequence[StockColumn]) -> StockColumn:
    """Columns of several zones as one: no node is in two."""
    return StockColumn(
        [node for column in columns for node in column.nodes],
        [units for column in columns for units in column.available],
    )
