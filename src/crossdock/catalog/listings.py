"""From a channel's SKUs to ours: a listing says which product, how many of it, on which days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from crossdock.catalog.model import Listing
from crossdock.kernel.quantity import to_base
from crossdock.model.orders import OrderLine


class ListingIndex:
    """Finds the listing of a channel's SKU on a day; built once per version of the channels."""

    def __init__(self, listings: Iterable[Listing]) -> None:
        self._by_channel_sku: dict[tuple[str, str], list[Listing]] = {}
        for listing in sorted(listings, key=lambda one: one.valid_from, reverse=True):
            key = (listing.channel, listing.channel_sku)
            self._by_channel_sku.setdefault(key, []).append(listing)

    def find(self, channel: str, channel_sku: str, on: date) -> Listing | None:
        """The one that holds on that day, also a disabled one: what was sold was sold."""
        for listing in self._by_channel_sku.get((channel, channel_sku), ()):
            if listing.valid_from <= on:
                return listing if listing.valid_to is None or on < listing.valid_to else None
        return None

    def in_our_words(self, channel: str, lines: Iterable[OrderLine], on: date) -> list[OrderLine]:
        """Lines by our SKUs, in base units. One without a listing is taken to name ours already.

        The line's total stays as the channel stated it; the price is that of one base unit, to 28
        digits where the pack does not divide it.
        """
        return [self._line(channel, line, on) for line in lines]

    def _line(self, channel: str, line: OrderLine, on: date) -> OrderLine:
        listing = self.find(channel, line.channel_sku or line.sku, on)
        if listing is None:
            return line
        return msgspec.structs.replace(
            line,
            sku=listing.sku,
            channel_sku=listing.channel_sku,
            quantity=to_base(line.quantity, listing.pack_quantity),
            unit_price=line.unit_price / listing.pack_quantity,
        )
