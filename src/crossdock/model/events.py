"""What Crossdock tells the world: the events that `GET /v1/events` and webhooks publish.

Their objects carry the names of the published objects (sales_order, fulfillment_order, shipment,
stock_level), so that none is mistaken for what others tell us. Quantities are base units, money is
minor units.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from crossdock.kernel.messages import Message, message_type
from crossdock.model.messages import LineQuantity, LineSubstitute, ShortLine


class Event(Message, frozen=True, kw_only=True):
    """A public fact. All events of one object come in the order they happened."""


class OrderEvent(Event, frozen=True, kw_only=True):
    """A public fact about one order."""

    order_id: str


class PlacedLine(msgspec.Struct, frozen=True, array_like=True):
    """What was bought in one order line."""

    line: int
    sku: str
    quantity: int


class LeftPackage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A package that left a node, counted from 1 within its shipment."""

    number: int
    lines: tuple[LineQuantity, ...]
    carrier: str = ""
    service: str = ""
    tracking: str = ""


class ClosedLine(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a line's units; delivered, lost and returned ones are among the shipped."""

    line: int
    quantity: int
    shipped: int
    canceled: int
    delivered: int
    lost: int
    returned: int


# Orders -------------------------------------------------------------------------------------------


@message_type("crossdock.sales_order.placed.v1")
class SalesOrderPlaced(OrderEvent, frozen=True, kw_only=True):
    """We have the order, and it is being checked."""

    channel: str
    number: str
    """The channel's own; with the channel it names the order everywhere."""
    placed_at: datetime
    currency: str
    total: int
    lines: tuple[PlacedLine, ...]


@message_type("crossdock.sales_order.accepted.v1")
class SalesOrderAccepted(OrderEvent, frozen=True, kw_only=True):
    """It makes sense, is paid for and counted against what can be sold: a promise from here on."""

    amount: int
    """The order's total less what was canceled before."""


@message_type("crossdock.sales_order.edited.v1")
class SalesOrderEdited(OrderEvent, frozen=True, kw_only=True):
    """Something of the order was changed that needs no new sourcing."""

    revision: int
    fields: tuple[str, ...]
    """What changed, as paths of the order."""


@message_type("crossdock.sales_order.held.v1")
class SalesOrderHeld(OrderEvent, frozen=True, kw_only=True):
    """It does not go on until a person decides."""

    hold: str
    """suspicion, address, payment, sourcing, order"""
    detail: str = ""
    group: int | None = None


@message_type("crossdock.sales_order.hold_lifted.v1")
class SalesOrderHoldLifted(OrderEvent, frozen=True, kw_only=True):
    """A hold is over: the order goes on, or what it held is canceled."""

    hold: str
    approved: bool


@message_type("crossdock.sales_order.backordered.v1")
class SalesOrderBackordered(OrderEvent, frozen=True, kw_only=True):
    """Nobody has these units now; they wait for stock."""

    lines: tuple[LineQuantity, ...]


@message_type("crossdock.sales_order.canceled.v1")
class SalesOrderCanceled(OrderEvent, frozen=True, kw_only=True):
    """Units that will not be sent, and what they cost; the rest of the order goes on."""

    lines: tuple[LineQuantity, ...]
    amount: int


@message_type("crossdock.sales_order.closed.v1")
class SalesOrderClosed(OrderEvent, frozen=True, kw_only=True):
    """Every unit is delivered, lost, returned or canceled, and the money is settled."""

    lines: tuple[ClosedLine, ...]


@message_type("crossdock.cancellation.refused.v1")
class CancellationRefused(OrderEvent, frozen=True, kw_only=True):
    """Units were gone already: what the customer sends back is a return."""

    request_id: str
    lines: tuple[LineQuantity, ...]


@message_type("crossdock.promise.changed.v1")
class PromiseChanged(OrderEvent, frozen=True, kw_only=True):
    """A delivery group leaves at another time than was promised before."""

    group: int
    leave_by: datetime
    reason: str


# The work of nodes --------------------------------------------------------------------------------


class WorkEvent(OrderEvent, frozen=True, kw_only=True):
    """A public fact about one node's work."""

    fulfillment_id: str
    node: str


@message_type("crossdock.fulfillment_order.opened.v1")
class FulfillmentOrderOpened(WorkEvent, frozen=True, kw_only=True):
    """Work for a node: these units are reserved there."""

    group: int
    lines: tuple[LineQuantity, ...]
    ship_by: datetime | None = None
    replaces: str | None = None
    """The work it takes the place of."""
    substitutes: tuple[LineSubstitute, ...] = ()
    """What is sent in place of what lines name; the other lines are sent as ordered."""


@message_type("crossdock.fulfillment_order.accepted.v1")
class FulfillmentOrderAccepted(WorkEvent, frozen=True, kw_only=True):
    """The node works on it."""


@message_type("crossdock.fulfillment_order.declined.v1")
class FulfillmentOrderDeclined(WorkEvent, frozen=True, kw_only=True):
    """The node gave it up, or was silent for too long: another one is looked for."""

    reason: str
    lines: tuple[LineQuantity, ...]


@message_type("crossdock.fulfillment_order.picked.v1")
class FulfillmentOrderPicked(WorkEvent, frozen=True, kw_only=True):
    """Units in hand; those that could not be found are looked for elsewhere."""

    lines: tuple[LineQuantity, ...] = ()
    short: tuple[ShortLine, ...] = ()


@message_type("crossdock.fulfillment_order.packed.v1")
class FulfillmentOrderPacked(WorkEvent, frozen=True, kw_only=True):
    """Units are in packages."""

    lines: tuple[LineQuantity, ...]


@message_type("crossdock.fulfillment_order.recall_requested.v1")
class FulfillmentOrderRecallRequested(WorkEvent, frozen=True, kw_only=True):
    """The node is asked to give units back; it answers with what it could."""

    request_id: str
    lines: tuple[LineQuantity, ...]
    reason: str


@message_type("crossdock.fulfillment_order.closed.v1")
class FulfillmentOrderClosed(WorkEvent, frozen=True, kw_only=True):
    """Nothing of it is at the node or on its way any more."""

    status: str
    """delivered or canceled"""


# What left ----------------------------------------------------------------------------------------


@message_type("crossdock.shipment.left.v1")
class ShipmentLeft(WorkEvent, frozen=True, kw_only=True):
    """Packages were handed over: to a carrier, a customer at the counter, or the wire."""

    shipment_id: str
    reference: str = ""
    """What the node calls it."""
    shipped_at: datetime
    amount: int
    """What its units cost the customer."""
    packages: tuple[LeftPackage, ...]
    substitutes: tuple[LineSubstitute, ...] = ()
    """What left in place of what lines name; of the other lines, what was ordered."""


class PackageEvent(WorkEvent, frozen=True, kw_only=True):
    """A public fact about one package of a shipment."""

    shipment_id: str
    package: int
    """Counted from 1 within the shipment."""
    lines: tuple[LineQuantity, ...]


@message_type("crossdock.package.delivered.v1")
class PackageDelivered(PackageEvent, frozen=True, kw_only=True):
    """It arrived, or was collected."""

    delivered_at: datetime


@message_type("crossdock.package.lost.v1")
class PackageLost(PackageEvent, frozen=True, kw_only=True):
    """The carrier gives it up; it is sent again or paid back."""

    reason: str


@message_type("crossdock.package.stopped.v1")
class PackageStopped(PackageEvent, frozen=True, kw_only=True):
    """The carrier stopped it on its way and brings it back."""


# Money --------------------------------------------------------------------------------------------


class TenderEvent(OrderEvent, frozen=True, kw_only=True):
    """A public fact about one of an order's ways of paying."""

    tender: int
    amount: int
    currency: str


@message_type("crossdock.tender.authorized.v1")
class TenderAuthorized(TenderEvent, frozen=True, kw_only=True):
    """The provider holds the amount for us."""


@message_type("crossdock.tender.refused.v1")
class TenderRefused(TenderEvent, frozen=True, kw_only=True):
    """The provider does not authorize the amount."""

    reason: str


@message_type("crossdock.tender.captured.v1")
class TenderCaptured(TenderEvent, frozen=True, kw_only=True):
    """The money is ours."""


@message_type("crossdock.tender.capture_refused.v1")
class TenderCaptureRefused(TenderEvent, frozen=True, kw_only=True):
    """The goods are gone and the money did not come; it is tried again."""

    reason: str


@message_type("crossdock.tender.refunded.v1")
class TenderRefunded(TenderEvent, frozen=True, kw_only=True):
    """The customer has that amount back."""


# Checkouts ----------------------------------------------------------------------------------------


class CheckoutEvent(Event, frozen=True, kw_only=True):
    """A public fact about the units that are kept for one checkout."""

    checkout_id: str
    channel: str


class KeptLine(msgspec.Struct, frozen=True, array_like=True):
    """Units of one line of a checkout; `reserved` is less than `quantity` where less was there."""

    line: int
    sku: str
    quantity: int
    reserved: int


@message_type("crossdock.checkout_reservation.made.v1")
class CheckoutReservationMade(CheckoutEvent, frozen=True, kw_only=True):
    """Units are kept for a customer until it expires."""

    expires_at: datetime
    lines: tuple[KeptLine, ...]


@message_type("crossdock.checkout_reservation.extended.v1")
class CheckoutReservationExtended(CheckoutEvent, frozen=True, kw_only=True):
    """Units are kept for longer."""

    expires_at: datetime


@message_type("crossdock.checkout_reservation.confirmed.v1")
class CheckoutReservationConfirmed(CheckoutEvent, frozen=True, kw_only=True):
    """The units are an order's now; what it did not take is for sale again."""

    order_id: str


@message_type("crossdock.checkout_reservation.dropped.v1")
class CheckoutReservationDropped(CheckoutEvent, frozen=True, kw_only=True):
    """The customer left, or the order came to nothing: the units are for sale again."""


@message_type("crossdock.checkout_reservation.expired.v1")
class CheckoutReservationExpired(CheckoutEvent, frozen=True, kw_only=True):
    """The time was over: the units are for sale again."""


# Stock --------------------------------------------------------------------------------------------


class StockMoved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units that went into a bucket of the level, out of one, or from one to another."""

    quantity: int
    from_bucket: str
    to_bucket: str
    reason: str
    """Of a source's move, its own; count, correction, found and late are what a snapshot or a
    correction changed, shipped is what our orders took."""
    occurred_at: datetime
    """Of a count: as of when."""
    source: str = ""
    """Who said so; empty is Crossdock itself."""
    move_id: str = ""
    """The source's number of the move, or the id of the correction."""
    order_id: str | None = None


@message_type("crossdock.stock_level.changed.v1")
class StockLevelChanged(Event, frozen=True, kw_only=True):
    """What a level holds now. Changes of some seconds are told as one."""

    sku: str
    node: str
    owner: str = ""
    lot: str = ""
    sellable: int
    """On hand and sellable, reserved units included."""
    reserved: int
    available: int
    """What the node offers to new demand."""
    damaged: int
    quality_control: int
    in_transit: int
    moves: tuple[StockMoved, ...]
    """What led to it, the latest first; empty where units were only reserved or freed."""
    moves_left_out: int = 0
    """Earlier moves that are not shown."""
