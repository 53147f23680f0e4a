"""What was asked of payment providers and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from crossdock.api.work.model import Key, Moment, Word


class PaymentEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing asked of a provider: an amount of one tender, in minor units of `currency`."""

    order_id: str
    channel: str
    order_number: str
    key: str
    """The idempotency key it was asked under."""
    tender: int
    kind: str
    """authorize, capture, void or refund."""
    status: str
    """asked, done or refused."""
    amount: int
    currency: str
    shipment_id: str | None
    reference: str
    """The provider's number."""
    reason: str
    requested_at: datetime
    settled_at: datetime | None


class Tender(msgspec.Struct, frozen=True, kw_only=True):
    """A way of paying, used in its order."""

    number: int
    order_of_use: int
    kind: str
    status: str
    """unused, asked, authorized, refused, paid, account or expired."""
    amount: int
    authorized: int
    captured: int
    voided: int
    refunded: int
    debt: int
    """Shipped, asked for and refused so far."""
    authorized_until: datetime | None


class OrderPayments(msgspec.Struct, frozen=True, kw_only=True):
    """How one order is paid."""

    order_id: str
    channel: str
    order_number: str
    currency: str
    total: int
    tenders: Sequence[Tender]
    entries: Sequence[PaymentEntry]


class PaymentResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider answered to an entry that is still `asked`."""

    order: Annotated[str, Meta(min_length=1, max_length=600)]
    """Its id, or channel:number."""
    key: Annotated[str, Meta(min_length=1, max_length=500)]
    outcome: Literal["done", "refused"]
    reference: Word = ""
    """The provider's number: of an authorization, what captures will name."""
    authorized_until: Moment | None = None
    risk: Annotated[int, Meta(ge=0, le=100)] = 0
    reason: Key | None = None
    """Of a refusal."""


class PaymentTaken(msgspec.Struct, frozen=True):
    """The answer is durable; what follows from it shows in the order's payments."""

    order_id: str
    key: str
