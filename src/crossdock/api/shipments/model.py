"""Shipments as systems see them, and what carriers tell of their packages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from crossdock.api.problems import ProblemError
from crossdock.api.work.model import Key, Moment, Word

MOST_EVENTS = 2_000


class LineSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Units of an order line that left."""

    line: int
    quantity: int
    sku: str
    """What left."""
    instead_of: str
    """The SKU that was ordered, where `sku` was sent in its place; else empty."""


class PackageSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One package and what became of it."""

    number: int
    carrier: str
    service: str
    tracking: str
    weight_grams: int
    status: str
    """on_way, delivered, lost or stopped."""
    delivered_at: datetime | None
    lost_at: datetime | None
    stopped_at: datetime | None
    lines: Sequence[LineSeen]


class ShippedLot(msgspec.Struct, frozen=True, kw_only=True):
    """Base units of one lot that left for an order line."""

    line: int
    sku: str
    lot: str
    expires_on: date | None
    """Its last day of life, where it is known."""
    quantity: int


class ShipmentSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What physically left a node at once."""

    id: str
    order_id: str
    channel: str
    order_number: str
    work_id: str
    node: str
    reference: str
    """What the node calls it."""
    shipped_at: datetime
    changed_at: datetime
    amount: int
    """What is charged for it, in minor units of `currency`."""
    currency: str
    packages: Sequence[PackageSeen]
    lots: Sequence[ShippedLot]
    """What of it was kept in lots."""


class LotSent(msgspec.Struct, frozen=True, kw_only=True):
    """Base units of a lot that left with a shipment."""

    sku: str
    lot: str
    quantity: int
    line: int
    order_id: str
    channel: str
    order_number: str
    shipment_id: str
    node: str
    shipped_at: datetime


class ShipmentPage(msgspec.Struct, frozen=True, kw_only=True):
    """Shipments in the order in which they changed."""

    items: Sequence[ShipmentSeen]
    next: str
    """Where to go on, also after the last page."""
    more: bool


class TrackingEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a carrier tells of a package. Name it by its tracking number, or by the shipment.

    `work` lets an event come before the node has told that the package left.
    """

    event: Literal["delivered", "lost", "stopped", "not_stopped"]
    tracking: Word = ""
    shipment: Word = ""
    """Our id of the shipment."""
    work: Word = ""
    """Our id of the work it is part of."""
    at: Moment
    reason: Annotated[str, Meta(max_length=200)] = ""
    """Why it is lost."""
    request_id: Key | None = None
    """The request that a stopped or not_stopped answers."""


class TrackingResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one event."""

    index: int
    status: str
    """taken, repeated or refused."""
    code: str = ""
    errors: Sequence[ProblemError] = ()


class TrackingResults(msgspec.Struct, frozen=True):
    """One result for each event, in their order."""

    taken: int
    refused: int
    results: Sequence[TrackingResult]
