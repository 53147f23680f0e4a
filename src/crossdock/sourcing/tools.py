"""What the planner keeps between batches: look-ups that depend on network and policy alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from crossdock.sourcing.departures import Departures
from crossdock.sourcing.eligibility import Profile, node_mask
from crossdock.sourcing.freight import FreightBook
from crossdock.sourcing.jobs import Desk
from crossdock.sourcing.model import SkuFacts
from crossdock.sourcing.network import Network
from crossdock.sourcing.places import Places
from crossdock.sourcing.policy import SourcingPolicy
from crossdock.sourcing.products import Product
from crossdock.sourcing.rules import Rules

CACHED_PRODUCTS = 50_000


class Tools:
    """Look-ups; each gives the same answer whether it was asked before or not."""

    def __init__(self, network: Network, policy: SourcingPolicy) -> None:
        self.network = network
        self.policy = policy
        self.version = policy.version
        self.desk = Desk(network, policy)
        self.book = FreightBook(policy.freight)
        self.places = Places(network, policy)
        self.rules = [Rules(self.desk, step) for step in policy.steps]
        self._masks: dict[Profile, bytes] = {}
        self._departures: dict[str, Departures] = {}
        self._products: dict[str, Product] = {}
        self._products_day = 0

    def mask(self, profile: Profile) -> bytes:
        """The nodes a profile may see, without calendar and capacity."""
        found = self._masks.get(profile)
        if found is None:
            found = node_mask(self.network, self.policy, self.book, profile)
            self._masks[profile] = found
        return found

    def departures(self, service: str, now: datetime) -> Departures:
        """When each node leaves for a service; computed again when a cut-off or a day passes."""
        found = self._departures.get(service)
        if found is None or not found.holds_at(now):
            wait = self.policy.calendar.max_wait_days
            found = self._departures[service] = Departures(self.network, service, now, wait)
        return found

    def products_of(self, now: datetime) -> dict[str, Product]:
        """The products known as of today; `product` adds to them."""
        today = now.toordinal()
        if today != self._products_day or len(self._products) > CACHED_PRODUCTS:
            self._products = {}
            self._products_day = today
        return self._products

    def product(self, sku: str, products: Mapping[str, SkuFacts], now: datetime) -> Product:
        """The product's figures as of today, from its facts of today."""
        facts = products.get(sku)
        if facts is None:
            # No method is called that: every node is left out, and the reason is on record.
            facts = SkuFacts(sku=sku, methods=("(product unknown)",))
        found = self.products_of(now)[sku] = Product(facts, self.policy, now.date())
        return found
