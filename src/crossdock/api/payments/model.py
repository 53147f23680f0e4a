"""What was asked of payment providers and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from crossdock.api.work.model import Key, Moment, Word
from crossdock.model.checks import MAX_MINOR


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


class PaymentReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money that came in without being asked for."""

    provider: Key
    """Who reports it, as you call it: a payment provider, a bank, a marketplace."""
    reference: Key
    """Its number there; with the provider it names the payment for ever."""
    amount: Annotated[int, Meta(ge=1, le=MAX_MINOR)]
    """Minor units of `currency`."""
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    order: Annotated[str, Meta(min_length=1, max_length=600)] | None = None
    """What it is for: an order's id, or channel:number; null where nobody knows."""
    received_at: Moment | None = None
    """When the money came; now, if not given."""


class ReceivedPayment(msgspec.Struct, frozen=True):
    """Money that came in without being asked for, and what became of it."""

    id: str
    provider: str
    reference: str
    amount: int
    currency: str
    status: str
    """unapplied or applied."""
    reason: str
    """Why it is unapplied: being_looked_at, order_unknown, nothing_outstanding, currency_differs
    or amount_differs; empty once it is applied."""
    order: str
    """The order as it was reported."""
    order_id: str | None
    channel: str
    received_at: datetime
    reported_at: datetime
    changed_at: datetime


class OrderNamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a payment is for."""

    order: Annotated[str, Meta(min_length=1, max_length=600)]
    """An order's id, or channel:number."""


class ReceivedTaken(msgspec.Struct, frozen=True):
    """The payment is kept; what becomes of it shows under its id."""

    id: str
    order_id: str | None
