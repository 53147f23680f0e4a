"""What the API answers, as far as the client shows it; what it does not know is left out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class PlacedOrder(msgspec.Struct, frozen=True):
    """An order that is durable."""

    id: str
    channel: str
    number: str


class BulkItem(msgspec.Struct, frozen=True):
    """What became of one of many orders; `status` as if it had been sent alone."""

    index: int
    status: int
    order: PlacedOrder | None = None
    problem: dict[str, Any] | None = None


class BulkResult(msgspec.Struct, frozen=True):
    """What became of each of many orders."""

    taken: int
    not_taken: int
    items: tuple[BulkItem, ...]


class OrderLine(msgspec.Struct, frozen=True):
    """A line and its units by state: open, soft, backordered, allocated, released, picked, packed,
    shipped, canceled; and of the shipped: delivered, lost, returned."""

    number: int
    sku: str
    quantity: int
    units: dict[str, int]
    payable: int


class Order(msgspec.Struct, frozen=True):
    """An order and what became of it; money is minor units of `currency`."""

    id: str
    channel: str
    number: str
    stage: str
    revision: int
    currency: str
    total: int
    lines: tuple[OrderLine, ...]
    substitutes_allowed: bool = False
    shipments: tuple[dict[str, Any], ...] = ()
    holds: tuple[dict[str, Any], ...] = ()
    cancellations: tuple[dict[str, Any], ...] = ()


class OrderPage(msgspec.Struct, frozen=True):
    """Some orders; `next` is the cursor of those that follow."""

    items: tuple[Order, ...]
    next: str | None = None


class CancelTaken(msgspec.Struct, frozen=True):
    """The wish is durable; the order's cancellations tell what becomes of it."""

    order_id: str
    request_id: str


class Available(msgspec.Struct, frozen=True):
    """Units of one SKU that may be sold now."""

    sku: str
    available: int


class AvailableToSell(msgspec.Struct, frozen=True):
    """What one channel may sell."""

    as_of: datetime
    items: tuple[Available, ...]


class Option(msgspec.Struct, frozen=True):
    """An open way and the date that can be kept; `cost` is the retailer's, in minor units."""

    method: str
    service: str
    arrive_by: datetime
    leave_by: datetime
    cost: int
    currency: str
    store: str | None = None


class Promises(msgspec.Struct, frozen=True):
    """The ways that are open, soonest first, and those that are not, and why."""

    options: tuple[Option, ...]
    closed: tuple[dict[str, Any], ...] = ()


class CheckoutLine(msgspec.Struct, frozen=True):
    """How many of the units asked for are kept."""

    number: int
    sku: str
    quantity: int
    reserved: int


class Checkout(msgspec.Struct, frozen=True):
    """Units kept for a customer who is about to pay."""

    id: str
    status: str
    complete: bool
    expires_at: datetime
    lines: tuple[CheckoutLine, ...]
    order_id: str | None = None


class WorkLine(msgspec.Struct, frozen=True):
    """Units of one order line at a node."""

    line: int
    sku: str
    quantity: int
    to_ship: int
    instead_of: str = ""
    """The SKU that was ordered, where `sku` is sent in its place."""
    picked: int = 0
    short: int = 0
    packed: int = 0
    shipped: int = 0
    given_back: int = 0


class Units(msgspec.Struct, frozen=True):
    """Units of an order line."""

    line: int
    quantity: int


class Recall(msgspec.Struct, frozen=True):
    """Units that the node is asked to give back."""

    request_id: str
    reason: str
    lines: tuple[Units, ...]


class Work(msgspec.Struct, frozen=True):
    """One node's work for part of an order."""

    id: str
    order_id: str
    channel: str
    order_number: str
    node: str
    work: str
    acknowledgement: str
    lines: tuple[WorkLine, ...]
    recalls: tuple[Recall, ...] = ()
    ship_by: datetime | None = None
    closed_at: datetime | None = None


class WorkPage(msgspec.Struct, frozen=True):
    """Work in the order in which it changed; `next` goes on from there, also later."""

    items: tuple[Work, ...]
    next: str
    more: bool


class WorkTaken(msgspec.Struct, frozen=True):
    """What was told is durable."""

    id: str
    order_id: str


class TrackingTaken(msgspec.Struct, frozen=True):
    """What a carrier told is durable."""

    order_id: str
    work_id: str


class Taken(msgspec.Struct, frozen=True):
    """How many moves or counts are durable; `refused` names the others and why."""

    taken: int
    refused: tuple[dict[str, Any], ...] = ()


class Event(msgspec.Struct, frozen=True):
    """A published event; docs/reference/messages.md says what `data` holds."""

    id: str
    type: str
    time: datetime
    subject: str
    sequence: str
    partitionkey: str
    data: dict[str, Any]


class Events(msgspec.Struct, frozen=True):
    """Some events; `last` is the `after` of the next look."""

    events: tuple[Event, ...]
    last: int
    more: bool


class Webhook(msgspec.Struct, frozen=True):
    """A subscription and how it goes."""

    id: str
    name: str
    url: str
    types: tuple[str, ...]
    status: str
    reason: str
    open_deliveries: int
    last_error: str
    last_event: int


class WebhookSecret(msgspec.Struct, frozen=True):
    """A subscription with what signs its deliveries."""

    webhook: Webhook
    secret: str


class DecisionSeen(msgspec.Struct, frozen=True):
    """One stored choice of nodes; docs/reference/sourcing-policy.md says what is weighed."""

    id: str
    order_id: str
    attempt: int
    zone: str
    decided_at: datetime
    decision: dict[str, Any]
    """policy_name, chosen (nodes with their lines and costs), candidates, eliminated and more."""
    was_refused: bool = False
    demand: dict[str, Any] | None = None


class Decisions(msgspec.Struct, frozen=True):
    """All of an order, in the order in which they were made."""

    items: tuple[DecisionSeen, ...]


class FileJob(msgspec.Struct, frozen=True):
    """A file's job and how far it has come."""

    id: str
    kind: str
    status: str
    """receiving, waiting, running, done, failed or canceled."""
    received_bytes: int
    rows_read: int
    rows_taken: int
    rows_refused: int
    rows_cleared: int
    messages_waiting: int
    """Of stock: chunks that are durable and not booked yet."""
    note: str = ""


class RowResult(msgspec.Struct, frozen=True):
    """What became of one row of a file; of a refused one, `errors` says all that is wrong."""

    row: int
    status: str
    key: str = ""
    errors: tuple[dict[str, Any], ...] = ()


class RowResultPage(msgspec.Struct, frozen=True):
    """Some rows; `next` is the cursor of those that follow."""

    items: tuple[RowResult, ...]
    next: str | None = None
