"""Messages that cross the border: what channels, nodes, carriers and people tell Crossdock."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from crossdock.kernel.messages import Message, message_type
from crossdock.model.orders import SalesOrder


class LineQuantity(msgspec.Struct, frozen=True, array_like=True):
    """Units of an order line."""

    line: int
    quantity: int


class LineSubstitute(msgspec.Struct, frozen=True, array_like=True):
    """All units of an order line in one work are of this SKU, in place of the line's own."""

    line: int
    sku: str


class ShortLine(msgspec.Struct, frozen=True, array_like=True):
    """Units of an order line a node could not pick, and its reason code."""

    line: int
    quantity: int
    reason: str
    """not_in_stock, damaged, expired, wrong_item, ..."""


class ShippedPackage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One package that left a node."""

    lines: tuple[LineQuantity, ...]
    carrier: str = ""
    service: str = ""
    tracking: str = ""
    weight_grams: int = 0


@message_type("crossdock.order.placed.v1")
class OrderPlaced(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A channel's order, durable before it is acknowledged."""

    order: SalesOrder
    checkout_id: str | None = None
    """The checkout whose reserved units it takes over."""


@message_type("crossdock.order.cancel_requested.v1")
class CancelRequested(Message, frozen=True, kw_only=True):
    """The customer (or the channel) wants lines back; no lines means all that is left."""

    order_id: str
    request_id: str
    lines: tuple[LineQuantity, ...] = ()
    reason: str = "customer"


@message_type("crossdock.order.hold_lifted.v1")
class HoldLifted(Message, frozen=True, kw_only=True):
    """A person decided a Hold: go on, or cancel the order."""

    order_id: str
    hold: str
    approved: bool
    actor: str = ""


@message_type("crossdock.order.address_corrected.v1")
class AddressCorrected(Message, frozen=True, kw_only=True):
    """A usable destination for a group held for its address."""

    order_id: str
    group: int
    country: str
    postal_code: str
    latitude: float | None = None
    longitude: float | None = None


@message_type("crossdock.fulfillment.accepted.v1")
class FulfillmentAccepted(Message, frozen=True, kw_only=True):
    """The node takes the work."""

    order_id: str
    fulfillment_id: str


@message_type("crossdock.fulfillment.declined.v1")
class FulfillmentDeclined(Message, frozen=True, kw_only=True):
    """The node refuses the whole work."""

    order_id: str
    fulfillment_id: str
    reason: str


@message_type("crossdock.fulfillment.recall_answered.v1")
class RecallAnswered(Message, frozen=True, kw_only=True):
    """What the node gives back of what was asked for; the rest is gone or too late."""

    order_id: str
    fulfillment_id: str
    request_id: str
    given_back: tuple[LineQuantity, ...] = ()


@message_type("crossdock.fulfillment.picked.v1")
class ItemsPicked(Message, frozen=True, kw_only=True):
    """Units in the picker's hands, and those that could not be found."""

    order_id: str
    fulfillment_id: str
    pick_id: str
    picked: tuple[LineQuantity, ...] = ()
    short: tuple[ShortLine, ...] = ()


@message_type("crossdock.fulfillment.packed.v1")
class ItemsPacked(Message, frozen=True, kw_only=True):
    """Units closed into packages."""

    order_id: str
    fulfillment_id: str
    pack_id: str
    lines: tuple[LineQuantity, ...]


@message_type("crossdock.fulfillment.shipped.v1")
class FulfillmentShipped(Message, frozen=True, kw_only=True):
    """Packages handed to the carrier; a 3PL may send nothing but this."""

    order_id: str
    fulfillment_id: str
    shipment_id: str
    packages: tuple[ShippedPackage, ...]
    shipped_at: datetime


@message_type("crossdock.shipment.delivered.v1")
class ShipmentDelivered(Message, frozen=True, kw_only=True):
    """The carrier's proof of delivery."""

    order_id: str
    fulfillment_id: str
    shipment_id: str
    tracking: str
    delivered_at: datetime


@message_type("crossdock.shipment.lost.v1")
class ShipmentLost(Message, frozen=True, kw_only=True):
    """The carrier gives a package up."""

    order_id: str
    fulfillment_id: str
    shipment_id: str
    tracking: str
    reason: str = "lost"


@message_type("crossdock.shipment.intercept_answered.v1")
class InterceptAnswered(Message, frozen=True, kw_only=True):
    """Whether the carrier could stop a package on its way."""

    order_id: str
    fulfillment_id: str
    shipment_id: str
    tracking: str
    request_id: str
    stopped: bool


class StockMove(msgspec.Struct, frozen=True, array_like=True):
    """A delta between buckets at a node. `quantity` > 0, in base units."""

    move_id: str
    sku: str
    node: str
    quantity: int
    from_bucket: str
    to_bucket: str
    reason: str
    occurred_at: datetime
    lot: str = ""
    """Its number (GS1 application identifier 10). Units that leave without one are taken from the
    shortest-lived lots there."""
    expires_on: date | None = None
    """The lot's last day of life (GS1 application identifier 17), wherever it lies."""


@message_type("crossdock.inventory.moved.v1")
class InventoryMoved(Message, frozen=True, kw_only=True):
    """One or many (at most 5,000) moves of one source, deduplicated as one chunk."""

    source: str
    sequence: int
    moves: tuple[StockMove, ...]


class StockCount(msgspec.Struct, frozen=True, array_like=True):
    """What a source says a bucket holds."""

    sku: str
    node: str
    quantity: int
    bucket: str = "sellable"
    lot: str = ""
    """Its number (GS1 application identifier 10); without one, units of which no lot is known."""
    expires_on: date | None = None
    """The lot's last day of life (GS1 application identifier 17), wherever it lies."""


@message_type("crossdock.inventory.counted.v1")
class InventoryCounted(Message, frozen=True, kw_only=True):
    """A snapshot as of `as_of`; `full` says that a missing SKU or lot of `node` is zero."""

    source: str
    as_of: datetime
    node: str
    counts: tuple[StockCount, ...]
    full: bool = False
    part_of_full: bool = False
    """One of several messages that are full together; the last names what all of them left out."""


class EditedLine(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes an order line is to have, all of them."""

    number: int
    attributes: dict[str, str]


class EditedGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom and which address row a delivery group is to name; None leaves it as it is."""

    number: int
    recipient_id: str | None = None
    address_id: str | None = None


@message_type("crossdock.order.edit_requested.v1")
class OrderEditRequested(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Change what needs no new sourcing; nothing is changed unless the revision is the expected.

    Personal data is in party and address rows already; this names them.
    """

    order_id: str
    request_id: str
    expected_revision: int
    """0: whichever it is."""
    customer_id: str | None = None
    attributes: dict[str, str] | None = None
    """All that the order is to have; None leaves them as they are."""
    lines: tuple[EditedLine, ...] = ()
    groups: tuple[EditedGroup, ...] = ()


class CheckoutLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one SKU that a customer is about to buy."""

    number: int
    sku: str
    quantity: int
    method: str = "ship"
    pickup_node: str | None = None


@message_type("crossdock.checkout.requested.v1")
class CheckoutRequested(Message, frozen=True, kw_only=True):
    """Keep these units for a customer who is checking out, for so many seconds."""

    checkout_id: str
    channel: str
    seconds: int
    lines: tuple[CheckoutLine, ...]


@message_type("crossdock.checkout.extension_requested.v1")
class CheckoutExtensionRequested(Message, frozen=True, kw_only=True):
    """Keep the units for so many seconds from now on."""

    checkout_id: str
    request_id: str
    seconds: int


@message_type("crossdock.checkout.dropped.v1")
class CheckoutDropped(Message, frozen=True, kw_only=True):
    """The customer left: the units are free again."""

    checkout_id: str
