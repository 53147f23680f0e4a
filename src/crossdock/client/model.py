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


class WorkLine(msgspec.Struct, frozen=True):
    """Units of one order line at a node."""

    line: int
    sku: str
    quantity: int
    to_ship: int
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
