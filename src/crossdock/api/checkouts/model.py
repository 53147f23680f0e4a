"""What a channel asks to be kept, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from crossdock.kernel.quantity import MAX_QUANTITY
from crossdock.model.checks import MAX_KEY_CHARACTERS
from crossdock.model.orders import Method

MOST_LINES = 200
MOST_MINUTES = 24 * 60

Word = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARACTERS)]
Minutes = Annotated[float, Meta(gt=0, le=MOST_MINUTES)]


class ReserveLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of one SKU by one method."""

    sku: Word
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
    method: Method = Method.SHIP
    pickup_node: Word | None = None
    """The store, where the customer collects it."""


class Reserve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be kept for a customer who is checking out."""

    channel: Word
    lines: Annotated[tuple[ReserveLine, ...], Meta(min_length=1, max_length=MOST_LINES)]
    minutes: Minutes | None = None
    """How long; the channel's own `checkout_minutes` where it is left out."""


class Extend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much longer, counted from now."""

    minutes: Minutes


class CheckoutLineRead(msgspec.Struct, frozen=True):
    """How many of the units asked for are kept."""

    number: int
    sku: str
    method: Method
    quantity: int
    reserved: int
    pickup_node: str | None = None


class CheckoutRead(msgspec.Struct, frozen=True, kw_only=True):
    """A checkout: `asked` until a worker has looked at it, `placed` while its order is checked."""

    id: str
    channel: str
    status: Literal["asked", "reserved", "placed", "confirmed", "expired", "dropped"]
    complete: bool
    """Whether every unit that was asked for was there."""
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None
    order_id: str | None = None
    lines: Sequence[CheckoutLineRead]
