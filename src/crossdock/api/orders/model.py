"""An order as its channel reads it, and what may be asked about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from crossdock.api.shipments.model import ShippedLot
from crossdock.kernel.quantity import MAX_QUANTITY
from crossdock.model.checks import (
    MAX_ATTRIBUTE_CHARACTERS,
    MAX_ATTRIBUTE_KEY_CHARACTERS,
    MAX_ATTRIBUTES,
    MAX_KEY_CHARACTERS,
)
from crossdock.model.fulfillment import Acknowledgement, WorkStatus
from crossdock.model.orders import Method

MOST_LINES = 1_000
MOST_TEXT = 500

Word = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARACTERS)]
Number = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
Text = Annotated[str, Meta(max_length=MOST_TEXT)]
Attributes = Annotated[
    dict[
        Annotated[str, Meta(max_length=MAX_ATTRIBUTE_KEY_CHARACTERS)],
        Annotated[str, Meta(max_length=MAX_ATTRIBUTE_CHARACTERS)],
    ],
    Meta(max_length=MAX_ATTRIBUTES),
]


class Person(msgspec.Struct, frozen=True):
    """A customer or recipient; empty where nobody said it, or it was erased."""

    id: str
    name: str = ""
    company: str = ""
    email: str = ""
    phone: str = ""
    language: str = ""


class Destination(msgspec.Struct, frozen=True):
    """Where a group goes."""

    country: str
    postal_code: str = ""
    lines: Sequence[str] = ()
    city: str = ""
    administrative_area: str = ""
    instructions: str = ""
    latitude: float | None = None
    longitude: float | None = None


class TimesRead(msgspec.Struct, frozen=True, kw_only=True):
    """Two ends of one promise."""

    leave_by: datetime | None = None
    arrive_by: datetime | None = None
    """Or ready by, for what the customer collects."""


class GroupRead(msgspec.Struct, frozen=True, kw_only=True):
    """Lines with one method, one recipient and place, one service, one promise."""

    number: int
    method: Method
    service: str
    recipient: Person | None = None
    address: Destination
    pickup_node: str | None = None
    requested: TimesRead = TimesRead()
    first: TimesRead = TimesRead()
    """The first promise; never overwritten."""
    current: TimesRead = TimesRead()
    actual: TimesRead = TimesRead()


class UnitsRead(msgspec.Struct, frozen=True, kw_only=True):
    """Where a line's units are: each in exactly one of open .. canceled."""

    open: int = 0
    soft: int = 0
    backordered: int = 0
    allocated: int = 0
    released: int = 0
    picked: int = 0
    packed: int = 0
    shipped: int = 0
    canceled: int = 0
    delivered: int = 0
    """Of the shipped; so are lost and returned."""
    lost: int = 0
    returned: int = 0


class LineRead(msgspec.Struct, frozen=True, kw_only=True):
    """One order line, its units by state and its money in minor units."""

    number: int
    sku: str
    quantity: int
    unit_price: Decimal
    total: int
    payable: int
    """What the customer pays for it, with its share of everything."""
    shipped_amount: int = 0
    canceled_amount: int = 0
    credited_amount: int = 0
    group: int
    units: UnitsRead
    attributes: dict[str, str] = {}


class MoneyRead(msgspec.Struct, frozen=True, kw_only=True):
    """A charge, adjustment or tax as the channel stated it."""

    part: Literal["charge", "adjustment", "tax"]
    number: int
    kind: str
    """Kind of charge, source of adjustment, jurisdiction of tax."""
    amount: int
    line: int | None = None
    group: int | None = None
    included: bool = False


class TenderRead(msgspec.Struct, frozen=True, kw_only=True):
    """A way of paying and how far it got, in minor units."""

    number: int
    kind: str
    status: str
    """unused, asked, authorized, refused, paid, account or expired."""
    amount: int
    authorized: int = 0
    captured: int = 0
    voided: int = 0
    refunded: int = 0
    debt: int = 0


class HoldRead(msgspec.Struct, frozen=True, kw_only=True):
    """Why it does not go on, or did not for a time."""

    name: str
    detail: str = ""
    placed_at: datetime
    lifted_at: datetime | None = None
    approved: bool | None = None


class CancellationRead(msgspec.Struct, frozen=True, kw_only=True):
    """What was wanted back of a line, and what became of it so far."""

    request_id: str
    line: int
    requested: int
    canceled: int = 0
    stopped: int = 0
    refused: int = 0
    reason: str
    requested_at: datetime


class WorkLineRead(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one order line in a node's work. Picked includes packed, packed includes shipped."""

    line: int
    quantity: int
    picked: int
    short: int
    packed: int
    shipped: int
    given_back: int
    substitute: str = ""
    """The SKU that is sent in place of the line's; empty where the line's own is."""


class WorkRead(msgspec.Struct, frozen=True, kw_only=True):
    """One node's work for the order; what was sourced again `replaces` another one."""

    id: str
    group: int
    node: str
    work: WorkStatus
    acknowledgement: Acknowledgement
    opened_at: datetime
    ship_by: datetime | None = None
    closed_at: datetime | None = None
    replaces: str | None = None
    decision_id: str | None = None
    """Explains why this node."""
    estimated_cost: int
    lines: Sequence[WorkLineRead]


class ShippedLineRead(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one order line in a package, and their share of its money."""

    line: int
    quantity: int
    amount: int
    serials: Sequence[str]
    substitute: str = ""
    """The SKU that left in place of the line's; empty where the line's own did."""


class PackageRead(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel, a bag at the counter, a download."""

    number: int
    carrier: str
    service: str
    tracking: str
    weight_grams: int
    delivered_at: datetime | None = None
    lost_at: datetime | None = None
    stopped_at: datetime | None = None
    lines: Sequence[ShippedLineRead]


class ShipmentRead(msgspec.Struct, frozen=True, kw_only=True):
    """What physically left a node, once."""

    id: str
    fulfillment_id: str
    node: str
    reference: str
    """What the node calls it."""
    shipped_at: datetime
    amount: int
    lots: Sequence[ShippedLot]
    """What of it was kept in lots."""
    packages: Sequence[PackageRead]


class OrderRead(msgspec.Struct, frozen=True, kw_only=True):
    """An order with everything that became of it. Money is minor units of `currency`."""

    id: str
    channel: str
    number: str
    stage: Literal["received", "checking", "held", "open", "closed"]
    """received: durable, and not looked at yet. What became of the units is told by the lines."""
    revision: int
    """Goes up with every edit; it is the ETag."""
    placed_at: datetime
    closed_at: datetime | None = None
    currency: str
    total: int
    priority: int
    brand: str = ""
    selling_entity: str = ""
    test: bool = False
    substitutes_allowed: bool = False
    """Where what was ordered cannot be had, its product's substitutes may be sent."""
    customer: Person | None = None
    attributes: dict[str, str] = {}
    lines: Sequence[LineRead]
    groups: Sequence[GroupRead]
    money: Sequence[MoneyRead] = ()
    tenders: Sequence[TenderRead] = ()
    holds: Sequence[HoldRead] = ()
    fulfillments: Sequence[WorkRead] = ()
    shipments: Sequence[ShipmentRead] = ()
    cancellations: Sequence[CancellationRead] = ()


class CancelLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of an order line."""

    line: Number
    quantity: Number


class Cancel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wanted back; no lines means all that is left."""

    lines: Annotated[tuple[CancelLine, ...], Meta(max_length=MOST_LINES)] = ()
    reason: Word = "customer"


class CancelTaken(msgspec.Struct, frozen=True):
    """The wish is durable; `cancellations` of the order tell what becomes of it."""

    order_id: str
    request_id: str


class PersonEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed of a customer or recipient, on this order alone."""

    name: Text | UnsetType = UNSET
    company: Text | UnsetType = UNSET
    email: Text | UnsetType = UNSET
    phone: Text | UnsetType = UNSET
    language: Text | UnsetType = UNSET


class AddressEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed of an address; another country or postal code is another place."""

    lines: Annotated[tuple[Text, ...], Meta(max_length=10)] | UnsetType = UNSET
    city: Text | UnsetType = UNSET
    administrative_area: Text | UnsetType = UNSET
    instructions: Text | UnsetType = UNSET


class GroupEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed of a delivery group."""

    number: Number
    recipient: PersonEdit | UnsetType = UNSET
    address: AddressEdit | UnsetType = UNSET


class LineEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All attributes that a line is to have."""

    number: Number
    attributes: Attributes


class OrderEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed; what is left out stays."""

    customer: PersonEdit | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET
    """All that the order is to have; a gift note is one."""
    groups: Annotated[tuple[GroupEdit, ...], Meta(max_length=MOST_LINES)] = ()
    lines: Annotated[tuple[LineEdit, ...], Meta(max_length=MOST_LINES)] = ()


class EditTaken(msgspec.Struct, frozen=True):
    """The edit is durable and not decided yet: read the order again."""

    order_id: str
    request_id: str
