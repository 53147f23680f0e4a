"""What follows from an order: states of its units, its money by line, promises, work and parcels.

Quantities are base units, money is minor units of the order's currency.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class LineUnits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a line's units are: each in exactly one of the nine states, which sum to `quantity`.

    Delivered, lost and returned are told of shipped units. Every status of a line or an order is
    computed from these.
    """

    line: int
    quantity: int
    open: int = 0
    soft: int = 0
    """Counted against what can be sold, at no node yet."""
    backordered: int = 0
    allocated: int = 0
    """Reserved at a node."""
    released: int = 0
    """Given to the node as work."""
    picked: int = 0
    packed: int = 0
    shipped: int = 0
    canceled: int = 0
    delivered: int = 0
    lost: int = 0
    returned: int = 0


class LineMoney(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line's share of everything, shared out once: the payables sum to the order's total."""

    line: int
    total: int
    """The channel's authoritative line total."""
    charges: int = 0
    adjustments: int = 0
    taxes: int = 0
    """Added ones; included taxes are within the total."""
    payable: int
    """What the customer pays for the line: all of the above."""
    shipped: int = 0
    """Of the payable, what went to shipments."""
    canceled: int = 0


class PromiseTimes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Two ends of one promise."""

    leave_by: datetime | None = None
    arrive_by: datetime | None = None
    """Or ready by, for what the customer collects."""


class PromiseChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the current promise became another one."""

    changed_at: datetime
    reason: str
    leave_by: datetime | None = None
    arrive_by: datetime | None = None


class Promise(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a customer asked for, was promised first and is promised now, and what became of it.

    All lines of a delivery group have its promise.
    """

    order_id: str
    group: int
    requested: PromiseTimes = PromiseTimes()
    first: PromiseTimes = PromiseTimes()
    """Never overwritten."""
    current: PromiseTimes = PromiseTimes()
    actual: PromiseTimes = PromiseTimes()
    changes: tuple[PromiseChange, ...] = ()


class WorkStatus(StrEnum):
    """How far a node is with its work."""

    OPEN = "open"
    PICKING = "picking"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELED = "canceled"


class Acknowledgement(StrEnum):
    """What a node said to the work it was given."""

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    RECALL_REQUESTED = "recall_requested"
    RECALLED = "recalled"


class FulfillmentLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one order line in a node's work. Picked includes packed, packed includes shipped."""

    line: int
    quantity: int
    picked: int = 0
    short: int = 0
    """The node could not pick them: they are sourced elsewhere."""
    packed: int = 0
    shipped: int = 0
    given_back: int = 0
    """Declined, recalled or lost to a count."""
    substitute: str = ""
    """The SKU that is sent in place of the line's; empty where the line's own is."""


class FulfillmentOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node's work for part of one delivery group; re-sourcing opens another with `replaces`."""

    id: str
    order_id: str
    group: int
    node: str
    lines: tuple[FulfillmentLine, ...]
    work: WorkStatus = WorkStatus.OPEN
    acknowledgement: Acknowledgement = Acknowledgement.SUBMITTED
    opened_at: datetime
    ship_by: datetime | None = None
    """When the node should hand it over to keep the promise."""
    closed_at: datetime | None = None
    replaces: str | None = None
    decision_id: str | None = None
    """Explains why this node."""
    estimated_cost: int = 0
    actual_cost: int | None = None


class ShipmentLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one order line in a package: invoices, captures and returns point here."""

    line: int
    quantity: int
    amount: int = 0
    """Its share of the line's payable; 0 for units sent again in place of lost ones."""
    lot: str = ""
    serials: tuple[str, ...] = ()
    substitute: str = ""
    """The SKU that left in place of the line's; empty where the line's own did."""


class Package(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A parcel, a bag at the counter, a download."""

    number: int
    lines: tuple[ShipmentLine, ...]
    carrier: str = ""
    service: str = ""
    tracking: str = ""
    weight_grams: int = 0
    delivered_at: datetime | None = None
    lost_at: datetime | None = None
    stopped_at: datetime | None = None
    """The carrier stopped it on its way and brings it back."""


class IntercompanyPair(msgspec.Struct, frozen=True, kw_only=True):
    """Where the node's entity is not the selling one: who sells to whom, and for how much."""

    from_entity: str
    to_entity: str
    transfer_price: int
    currency: str


class ShippedLot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base units of one lot that left for an order line: whom to tell when it is recalled."""

    line: int
    sku: str
    lot: str
    quantity: int


class Shipment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What physically left a node, once: handed to a carrier, a customer or the wire."""

    id: str
    order_id: str
    fulfillment_id: str
    node: str
    reference: str = ""
    """What the node calls it."""
    shipped_at: datetime
    amount: int
    """The sum of its lines' money: what is captured and invoiced for it."""
    packages: tuple[Package, ...]
    lots: tuple[ShippedLot, ...] = ()
    """What of it was kept in lots."""
    intercompany: IntercompanyPair | None = None
    attributes: dict[str, str] = {}


class Cancellation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a customer wanted back of a line, and what became of it."""

    order_id: str
    request_id: str
    line: int
    requested: int
    canceled: int = 0
    stopped: int = 0
    """Units the carrier stopped on their way."""
    refused: int = 0
    """Units that were gone: the customer is told, a ReturnClaim is kept."""
    reason: str
    requested_at: datetime


class ReturnClaim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units a customer sends back, or wants to. Receipt, refund and restock are other facts."""

    id: str
    order_id: str
    line: int
    quantity: int
    amount: int
    """What was paid for them."""
    reason: str
    status: str = "open"
    """open or closed."""
    claimed_at: datetime
