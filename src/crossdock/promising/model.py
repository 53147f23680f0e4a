"""What a channel asks before it sells, and the ways it may offer.

Quantities are base units, costs are minor units of the sourcing policy's currency.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from crossdock.model.orders import Method

SHOWN_STORES = 5
"""Stores looked at for pickup when none is named: the nearest ones."""


class WantedLine(NamedTuple):
    """Units of one SKU the customer is about to buy."""

    sku: str
    quantity: int


class Place(NamedTuple):
    """Where the customer wants it; coordinates are degrees."""

    country: str
    postal_code: str = ""
    latitude: float | None = None
    longitude: float | None = None


class Inquiry(NamedTuple):
    """One question; empty methods, services and stores leave the choice to master data."""

    channel: str
    lines: tuple[WantedLine, ...]
    place: Place
    brand: str = ""
    methods: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()


class Obstacle(StrEnum):
    """Why a way is not open, in order of precedence."""

    CHANNEL_OFF = "channel_off"
    """The channel is off, or sells nothing by this method."""
    NOT_SOLD = "not_sold"
    """A product or its listing is off for the method, or nobody knows it."""
    OUT_OF_STOCK = "out_of_stock"
    """Too few units, now and expected."""
    NO_NODE = "no_node"
    """There is stock, but no node may or can send it there."""


class Source(StrEnum):
    """What an option is promised from."""

    STOCK = "stock"
    SUPPLY = "supply"
    """Goods that are expected: the customer waits for them."""


class OptionNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node that would send a part of it."""

    node: str
    skus: tuple[str, ...]
    leave_by: datetime
    arrive_on: date


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A way that is open, and the date that can be kept."""

    method: Method
    service: str = ""
    """Empty where no carrier is needed."""
    store: str | None = None
    """Where the customer collects it."""
    source: Source = Source.STOCK
    leave_by: datetime
    """When the last of it leaves its node; of a pickup, when it is ready."""
    arrive_on: date
    """The local day on which the last of it arrives, or is ready."""
    arrive_by: datetime
    """The end of that day there: `promised_by` of the order's delivery group."""
    cost: int
    """What it is expected to cost the retailer, in minor units of `currency`."""
    currency: str
    nodes: tuple[OptionNode, ...]


class Closed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A way that is not open, and why."""

    method: Method
    obstacle: Obstacle
    service: str = ""
    store: str | None = None
    skus: tuple[str, ...] = ()
    """Those it is because of, where it is because of some."""


class Promises(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an inquiry."""

    options: tuple[Option, ...]
    closed: tuple[Closed, ...]
