"""What ordering knows of the master data, read again only when its version has changed."""

from __future__ import annotations

import msgspec

from crossdock.catalog.listings import ListingIndex
from crossdock.catalog.store import load_listings
from crossdock.engine.transaction import Transaction
from crossdock.model.outside import TakenApart
from crossdock.ordering import store
from crossdock.ordering.store import ChannelTerms, ZonePlace

DEFAULT_TERMS = ChannelTerms(True, frozenset(), (), "hold", "backorder", paid=False)
"""Of a channel nobody described: any method, all zones."""


class SalesTerms:
    """Whoever checks orders keeps one and calls `read` before each batch."""

    def __init__(self) -> None:
        self.zones: list[ZonePlace] = []
        self.skus: frozenset[str] = frozenset()
        self.nodes: frozenset[str] = frozenset()
        self._channels: dict[str, ChannelTerms] = {}
        self._listings: ListingIndex | None = None
        self._versions: dict[str, int] = {}

    def of(self, channel: str) -> ChannelTerms:
        """How that channel sells."""
        return self._channels.get(channel, DEFAULT_TERMS)

    def in_our_words(self, taken: TakenApart) -> TakenApart:
        """The order by our SKUs, in base units; itself where it names no listing."""
        order = taken.order
        if self._listings is None:
            return taken
        lines = tuple(
            self._listings.in_our_words(order.channel, order.lines, order.placed_at.date())
        )
        if all(new is old for new, old in zip(lines, order.lines, strict=True)):
            return taken
        return taken._replace(order=msgspec.structs.replace(order, lines=lines))

    def read(self, tx: Transaction) -> None:
        """Bring everything up to what this transaction sees."""
        versions = store.master_data_versions(tx)
        if versions == self._versions:
            return
        changed = {kind for kind in versions if versions[kind] != self._versions.get(kind)}
        if "channels" in changed:
            self._channels = store.channel_terms(tx)
            listings = load_listings(tx.connection)
            self._listings = ListingIndex(listings) if listings else None
        if "network" in changed:
            self.zones = store.zone_places(tx)
            self.nodes = store.known_nodes(tx)
        if "products" in changed:
            self.skus = store.sold_skus(tx)
        self._versions = versions
