"""Stock as others see it: levels, expected supply, reservations and moves. Base units."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

LEVEL_BUCKETS = ("sellable", "damaged", "quality_control", "in_transit")
"""What a source counts at a node."""


class SupplyKind(StrEnum):
    """Where units are expected from."""

    PURCHASE = "purchase"
    TRANSFER = "transfer"
    PRODUCTION = "production"


class StockLevel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One SKU at one node, of one owner and lot, in disjoint buckets."""

    sku: str
    node: str
    owner: str = ""
    """The legal entity it belongs to; empty is the node's."""
    lot: str = ""
    sellable: int = 0
    """Units that may be sold, those reserved included."""
    reserved: int = 0
    damaged: int = 0
    quality_control: int = 0
    in_transit: int = 0
    available: int = 0
    """What may be promised now: sellable less reserved, safety stock and buffer, never below 0."""


class Supply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An expected receipt: one line of a purchase order, transfer or production order."""

    id: str
    kind: SupplyKind
    document: str
    line: int
    sku: str
    node: str
    owner: str = ""
    quantity: int
    received: int = 0
    expected_at: datetime
    confidence: float = 1.0
    """Probability that it comes, and in time."""


class ReservationState(StrEnum):
    """The life of a promise of stock, until it is consumed, freed or expired."""

    SOFT = "soft"
    BACKORDERED = "backordered"
    ALLOCATED = "allocated"
    PICKED = "picked"


class Reservation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units kept for an order line. It names its source: a node, a Supply, or none yet."""

    id: str
    order_id: str
    line: int
    sku: str
    quantity: int
    state: ReservationState
    node: str | None = None
    supply_id: str | None = None
    fulfillment_id: str | None = None
    channel: str
    method: str
    owner: str = ""
    priority: int = 3
    promised_by: datetime | None = None
    expires_at: datetime | None = None


class LedgerMove(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the double-entry ledger: units out of one bucket and into another."""

    id: str
    sku: str
    node: str
    owner: str = ""
    lot: str = ""
    quantity: int
    from_bucket: str
    to_bucket: str
    reason: str
    source: str
    occurred_at: datetime
    recorded_at: datetime
    order_id: str | None = None
