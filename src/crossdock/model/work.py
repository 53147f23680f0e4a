"""Why something waits, and who is to do something about it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class Hold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an order, a group or a FulfillmentOrder may not go on, until a person lifts it."""

    order_id: str
    name: str
    """suspicious, invalid_address, payment_refused ..."""
    group: int | None = None
    detail: str = ""
    placed_at: datetime
    lifted_at: datetime | None = None
    lifted_by: str = ""
    approved: bool | None = None
    """Whether it went on; false canceled what was held."""


class TaskStatus(StrEnum):
    """What became of a task."""

    OPEN = "open"
    DONE = "done"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Work for a person: of a team, or at a node."""

    id: str
    kind: str
    team: str
    node: str | None = None
    subject: str
    detail: str = ""
    order_id: str | None = None
    fulfillment_id: str | None = None
    opened_at: datetime
    due_at: datetime | None = None
    status: TaskStatus = TaskStatus.OPEN
    closed_at: datetime | None = None
    closed_by: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something went wrong and needs an owner."""

    id: str
    kind: str
    subject: str
    """What it is about: an order, a node, a message."""
    detail: str
    priority: int
    """1 most urgent .. 5."""
    status: str = "open"
    """open or closed."""
    opened_at: datetime
    closed_at: datetime | None = None
