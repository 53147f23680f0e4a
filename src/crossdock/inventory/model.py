"""What processes ask of inventory and what it answers; the values its rules work on.

Quantities are base units. `line` is an order line's number. Ids are canonical UUID text.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from crossdock.kernel.messages import Command, Message, message_type
from crossdock.model.messages import LineQuantity, ShortLine

STATION = "inventory"


class Bucket(StrEnum):
    """Where a unit is, in the ledger: free, reserved and picked are the sellable ones."""

    FREE = "free"
    RESERVED = "reserved"
    PICKED = "picked"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"
    IN_TRANSIT = "in_transit"
    CUSTOMER = "customer"
    SUPPLIER = "supplier"
    PRODUCTION = "production"
    TRANSFER = "transfer"
    LOST = "lost"
    UNEXPLAINED = "unexplained"


class ReservationState(StrEnum):
    """soft and backordered have no node: they are the queued demand."""

    SOFT = "soft"
    BACKORDERED = "backordered"
    ALLOCATED = "allocated"
    PICKED = "picked"


class Destination(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What decisions need to know of the place an order goes to."""

    country: str
    postal_code: str = ""
    latitude: float | None = None
    longitude: float | None = None


class DemandedLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of an order line to be counted against what can be sold."""

    line: int
    sku: str
    quantity: int
    group: int = 1
    method: str = "ship"
    service: str = "standard"
    promised_by: datetime | None = None
    pickup_node: str | None = None


class AcceptDemand(Command, frozen=True, kw_only=True):
    """Count an order against ATS: each unit is reserved soft, backordered, or refused.

    It takes over the reservations of `checkout_id`. Paid orders are never refused.
    """

    order_id: str
    channel: str
    paid: bool
    placed_at: datetime
    lines: tuple[DemandedLine, ...]
    priority: int = 3
    destination: Destination | None = None
    on_shortage: str = "backorder"
    """backorder or refuse."""
    checkout_id: str | None = None
    """A checkout reserves under its own id: then it is both order_id and checkout_id."""
    expires_at: datetime | None = None
    """When soft units are given up by themselves; a checkout's should be."""
    substitutes_allowed: bool = False
    """Units that would be backordered are soft: allocation is to look for a substitute first."""


@message_type("crossdock.demand.accepted.v1")
class DemandAccepted(Message, frozen=True, kw_only=True):
    """What became of each line's units."""

    order_id: str
    soft: tuple[LineQuantity, ...] = ()
    backordered: tuple[LineQuantity, ...] = ()
    refused: tuple[LineQuantity, ...] = ()


class FreeLine(msgspec.Struct, frozen=True, array_like=True):
    """Units to be given up: allocated ones at `node`, or (without node) queued ones."""

    line: int
    quantity: int
    node: str | None = None


class FreeReservations(Command, frozen=True, kw_only=True):
    """Give up units that no node has in hand; more than there are frees what there is.

    With `requeue` the node gives them up and the customer does not: allocated units become soft
    again, queued for AllocateOrder (a node declined, an order is sourced anew).
    """

    order_id: str
    lines: tuple[FreeLine, ...]
    reason: str
    requeue: bool = False


@message_type("crossdock.reservations.freed.v1")
class ReservationsFreed(Message, frozen=True, kw_only=True):
    """The units that were live and are free now."""

    order_id: str
    lines: tuple[FreeLine, ...]
    reason: str


class ExtendReservations(Command, frozen=True, kw_only=True):
    """Let the queued units of a checkout expire at another time; None: not by themselves."""

    order_id: str
    expires_at: datetime | None


@message_type("crossdock.reservations.extended.v1")
class ReservationsExtended(Message, frozen=True, kw_only=True):
    """Whether any of them were still there."""

    order_id: str
    live: bool


class PickStock(Command, frozen=True, kw_only=True):
    """Units are in the picker's hands; `short` ones were not found (or damaged).

    The order still wants the short ones: their reservations are soft again, for AllocateOrder to
    find another node or FreeReservations (without node) to give up.
    """

    order_id: str
    fulfillment_id: str
    node: str
    picked: tuple[LineQuantity, ...] = ()
    short: tuple[ShortLine, ...] = ()


@message_type("crossdock.stock.picked.v1")
class StockPicked(Message, frozen=True, kw_only=True):
    """The ledger knows of the pick; only what was reserved there is named."""

    order_id: str
    fulfillment_id: str
    node: str
    picked: tuple[LineQuantity, ...] = ()
    short: tuple[ShortLine, ...] = ()


class UnpickStock(Command, frozen=True, kw_only=True):
    """Undo of PickStock: picked units go back to the shelf and their reservations are freed.

    Units of `lines` that are still unpicked there are freed too. With `requeue` they become soft.
    """

    order_id: str
    fulfillment_id: str
    node: str
    lines: tuple[LineQuantity, ...]
    reason: str = "recalled"
    requeue: bool = False


@message_type("crossdock.stock.unpicked.v1")
class StockUnpicked(Message, frozen=True, kw_only=True):
    """The units are sellable at the node again."""

    order_id: str
    fulfillment_id: str
    node: str
    lines: tuple[LineQuantity, ...]


class ShipStock(Command, frozen=True, kw_only=True):
    """Units left the node: their reservations, allocated or picked, are consumed."""

    order_id: str
    fulfillment_id: str
    node: str
    shipment_id: str
    lines: tuple[LineQuantity, ...]
    shipped_at: datetime | None = None


@message_type("crossdock.stock.shipped.v1")
class StockShipped(Message, frozen=True, kw_only=True):
    """The ledger knows of the shipment."""

    order_id: str
    fulfillment_id: str
    node: str
    shipment_id: str
    lines: tuple[LineQuantity, ...]


@message_type("crossdock.shortage.found.v1")
class ShortageFound(Message, frozen=True, kw_only=True):
    """A fact took the ground from under a reservation: these units are reserved nowhere now.

    The reservation is soft again (queued demand), for the order to source elsewhere.
    """

    order_id: str
    line: int
    quantity: int
    node: str
    reason: str
    fulfillment_id: str | None = None


@message_type("crossdock.stock.arrived.v1")
class StockArrived(Message, frozen=True, kw_only=True):
    """Backordered units can be served now; their reservations are soft again."""

    order_id: str
    lines: tuple[LineQuantity, ...]


@message_type("crossdock.backorders.review_requested.v1")
class BackordersReviewRequested(Message, frozen=True, kw_only=True):
    """Sent now and then to the station: serve backorders that missed the stock they waited for.

    Demand that is accepted while stock arrives may be backordered beside it; no SKUs means all.
    """

    skus: tuple[str, ...] = ()


class LevelKey(NamedTuple):
    """One stock level; '' where owner or lot are not kept."""

    sku: str
    node: str
    owner: str = ""
    lot: str = ""


class Move(NamedTuple):
    """One move to be booked. A move of ours has source ''; occurred_at None means now."""

    sku: str
    node: str
    quantity: int
    from_bucket: str
    to_bucket: str
    reason: str
    order_id: str | None = None
    line: int | None = None
    fulfillment_id: str | None = None
    occurred_at: datetime | None = None
    source: str = ""
    source_move_id: str = ""
    owner: str = ""
    lot: str = ""


class Want(NamedTuple):
    """Units of an order line to reserve at one node. All or nothing unless `partial`.

    `protected` leaves safety stock and buffer alone; to fill an accepted order a policy may go
    below them.
    """

    sku: str
    node: str
    quantity: int
    order_id: str
    line: int
    partial: bool = False
    protected: bool = False
    owner: str = ""
    lot: str = ""
