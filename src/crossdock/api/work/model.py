"""Work as nodes see it, and what they tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from crossdock.kernel.quantity import MAX_QUANTITY
from crossdock.model.checks import MAX_KEY_CHARACTERS

MOST_LINES = 1_000
MOST_PACKAGES = 500
MOST_UPDATES = 2_000

Key = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARACTERS)]
Word = Annotated[str, Meta(max_length=MAX_KEY_CHARACTERS)]
LineNumber = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
Moment = Annotated[datetime, Meta(tz=True)]


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of an order line."""

    line: LineNumber
    quantity: Quantity


class ShortUnits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units that could not be picked."""

    line: LineNumber
    quantity: Quantity
    reason: Key
    """not_in_stock, damaged, expired, wrong_item, or a word of the node's own."""


Lines = Annotated[tuple[Units, ...], Meta(max_length=MOST_LINES)]
SomeLines = Annotated[tuple[Units, ...], Meta(min_length=1, max_length=MOST_LINES)]


class Parcel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One package that leaves."""

    lines: SomeLines
    carrier: Word = ""
    service: Word = ""
    tracking: Word = ""
    weight_grams: Annotated[int, Meta(ge=0, le=MAX_QUANTITY)] = 0


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node tells; it may come late, and it may come twice."""

    at: Moment | None = None
    """When it happened; now, if not given."""


class Acknowledgement(Told, frozen=True, kw_only=True):
    """The node takes the work."""


class Decline(Told, frozen=True, kw_only=True):
    """The node gives back all that it has not shipped."""

    reason: Key
    """too_busy, closed_early, out_of_stock, or a word of the node's own."""


class RecallAnswer(Told, frozen=True, kw_only=True):
    """What the node gives back of what was asked for; nothing means that it is too late."""

    request_id: Key
    """As the work names the recall."""
    given_back: Lines = ()


class Pick(Told, frozen=True, kw_only=True):
    """Units in hand, and units that could not be found: those are sourced elsewhere."""

    pick_id: Key | None = None
    """The node's own; the same pick told twice counts once. The Idempotency-Key stands in."""
    picked: Lines = ()
    short: Annotated[tuple[ShortUnits, ...], Meta(max_length=MOST_LINES)] = ()


class Pack(Told, frozen=True, kw_only=True):
    """Units closed into packages."""

    pack_id: Key | None = None
    lines: SomeLines


class Ship(Told, frozen=True, kw_only=True):
    """Packages handed to the carrier, all of the work or part of it. Nothing else is needed."""

    shipment_id: Key | None = None
    """The node's own number of the shipment; the same one told twice counts once."""
    packages: Annotated[tuple[Parcel, ...], Meta(min_length=1, max_length=MOST_PACKAGES)]


class HandOver(Told, frozen=True, kw_only=True):
    """The customer has it in hand: it left and arrived at once."""

    shipment_id: Key | None = None
    lines: Lines = ()
    """What was handed over; all that is still here, if not given."""


Act = Acknowledgement | Decline | RecallAnswer | Pick | Pack | Ship | HandOver


class WorkUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of many updates: the work and exactly one thing that is told of it."""

    work: Key
    """Its id, or `system:reference`."""
    acknowledge: Acknowledgement | None = None
    decline: Decline | None = None
    answer_recall: RecallAnswer | None = None
    pick: Pick | None = None
    pack: Pack | None = None
    ship: Ship | None = None
    hand_over: HandOver | None = None

    def acts(self) -> list[Act]:
        """What is told; there should be one."""
        told = (
            self.acknowledge,
            self.decline,
            self.answer_recall,
            self.pick,
            self.pack,
            self.ship,
            self.hand_over,
        )
        return [act for act in told if act is not None]


class WorkTaken(msgspec.Struct, frozen=True):
    """What was told is durable; what follows from it shows in the work."""

    id: str
    order_id: str


class LotUnits(msgspec.Struct, frozen=True, kw_only=True):
    """Base units of one lot."""

    sku: str
    lot: str
    expires_on: date | None
    """Its last day of life, where it is known."""
    quantity: int


class WorkLine(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one order line at the node. Picked counts those packed, packed those shipped."""

    line: int
    sku: str
    """What to pick."""
    name: str
    instead_of: str
    """The SKU that was ordered, where `sku` is sent in its place; else empty."""
    quantity: int
    picked: int
    short: int
    packed: int
    shipped: int
    given_back: int
    to_ship: int
    """Units that are still here and still wanted, unless a recall asks for them."""
    lots: Sequence[LotUnits]
    """Which lots to take them of, where stock is kept in lots."""


class Recall(msgspec.Struct, frozen=True, kw_only=True):
    """Units the node is asked to give back; it answers once per request."""

    request_id: str
    reason: str
    requested_at: datetime
    lines: Sequence[Units]


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to have it."""

    name: str
    company: str
    email: str
    phone: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where it goes."""

    country: str
    postal_code: str
    administrative_area: str
    city: str
    lines: Sequence[str]
    instructions: str


class WorkItem(msgspec.Struct, frozen=True, kw_only=True):
    """One FulfillmentOrder: a node's work for part of one delivery group."""

    id: str
    order_id: str
    channel: str
    order_number: str
    node: str
    work: str
    """open, picking, picked, packed, shipped, delivered or canceled."""
    acknowledgement: str
    """submitted, accepted, declined, recall_requested or recalled."""
    opened_at: datetime
    changed_at: datetime
    ship_by: datetime | None
    closed_at: datetime | None
    replaces: str | None
    method: str
    service: str
    pickup_node: str | None
    lines: Sequence[WorkLine]
    recalls: Sequence[Recall]
    """Those that the node has not answered."""
    recipient: Recipient | None
    """Only while the work is open."""
    address: Place | None


class WorkPage(msgspec.Struct, frozen=True, kw_only=True):
    """Work in the order in which it changed."""

    items: Sequence[WorkItem]
    next: str
    """Where to go on, also after the last page: send it as `cursor` to get what changed since."""
    more: bool
    """Whether there is more right now."""
