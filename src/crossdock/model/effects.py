"""What processes ask of outside systems, and what those answer.

Payloads name parties and addresses by id only; a connector looks up what it may send. Amounts are
minor units of `currency`. Each answer carries the `key` of the effect it answers.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from crossdock.kernel.messages import Message, message_type

PAYMENT = "payment"
CARRIER = "carrier"
ERP = "erp"
NOTIFICATION = "notification"


# Payment -----------------------------------------------------------------------------------------


class PaymentRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Operations authorize, capture, void and refund: an amount of one tender."""

    order_id: str
    tender: int
    amount: int
    currency: str
    reference: str = ""
    """The provider's token, as the channel gave it."""
    authorization: str = ""
    """The provider's number of what is captured, voided or refunded."""
    shipment_id: str = ""
    reason: str = ""


@message_type("crossdock.payment.authorized.v1")
class PaymentAuthorized(Message, frozen=True, kw_only=True):
    """The provider holds `amount` for us until `expires_at`."""

    key: str
    tender: int
    amount: int
    authorization: str
    expires_at: datetime | None = None
    risk: int = 0
    """0 (none) to 100, as the provider sees it."""


@message_type("crossdock.payment.authorization_refused.v1")
class AuthorizationRefused(Message, frozen=True, kw_only=True):
    """This tender does not pay."""

    key: str
    tender: int
    amount: int
    reason: str


@message_type("crossdock.payment.captured.v1")
class PaymentCaptured(Message, frozen=True, kw_only=True):
    """The money is ours."""

    key: str
    tender: int
    amount: int
    reference: str = ""


@message_type("crossdock.payment.capture_refused.v1")
class CaptureRefused(Message, frozen=True, kw_only=True):
    """The goods are gone and the money did not come."""

    key: str
    tender: int
    amount: int
    reason: str


@message_type("crossdock.payment.voided.v1")
class PaymentVoided(Message, frozen=True, kw_only=True):
    """The provider holds that amount no longer."""

    key: str
    tender: int
    amount: int


@message_type("crossdock.payment.void_refused.v1")
class VoidRefused(Message, frozen=True, kw_only=True):
    """The authorization was gone already, or cannot be given up: it will expire."""

    key: str
    tender: int
    amount: int
    reason: str


@message_type("crossdock.payment.refunded.v1")
class PaymentRefunded(Message, frozen=True, kw_only=True):
    """The customer has that amount back."""

    key: str
    tender: int
    amount: int
    reference: str = ""


@message_type("crossdock.payment.refund_refused.v1")
class RefundRefused(Message, frozen=True, kw_only=True):
    """The customer is owed money and the provider does not pay it back."""

    key: str
    tender: int
    amount: int
    reason: str


@message_type("crossdock.payment.received.v1")
class PaymentReceived(Message, frozen=True, kw_only=True):
    """Money for the order that nobody asked a provider for."""

    payment_id: str
    provider: str
    """Who reports it."""
    reference: str
    """Its number there."""
    amount: int
    currency: str


# Carrier -----------------------------------------------------------------------------------------


class InterceptRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Operation intercept: stop a package on its way; answered by InterceptAnswered."""

    order_id: str
    fulfillment_id: str
    shipment_id: str
    tracking: str
    request_id: str
    carrier: str = ""


# ERP ---------------------------------------------------------------------------------------------


class DocumentLine(msgspec.Struct, frozen=True, array_like=True):
    """Units and money of one order line in a document."""

    line: int
    sku: str
    """What left, or is to leave."""
    quantity: int
    amount: int
    instead_of: str = ""
    """The SKU that was ordered, where another left in its place at no other price."""


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Operation post: a document of one kind; in order per SalesOrder."""

    order_id: str
    kind: str
    """order, delivery, invoice, credit_memo, cancellation."""
    channel: str
    number: str
    currency: str
    amount: int
    company: str = ""
    customer_id: str | None = None
    shipment_id: str = ""
    node: str = ""
    lines: tuple[DocumentLine, ...] = ()


@message_type("crossdock.document.posted.v1")
class DocumentPosted(Message, frozen=True, kw_only=True):
    """The ERP has the document, under its own number."""

    key: str
    kind: str
    document: str
    amount: int
    shipment_id: str = ""


@message_type("crossdock.document.refused.v1")
class DocumentRefused(Message, frozen=True, kw_only=True):
    """The ERP will not take the document as it is."""

    key: str
    kind: str
    reason: str


# Notification ------------------------------------------------------------------------------------


class SentInstead(msgspec.Struct, frozen=True, array_like=True):
    """Units of a substitute that were sent for an order line, and the SKU that was ordered."""

    line: int
    sku: str
    quantity: int
    instead_of: str


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Operation notify: tell a party of one event of its order."""

    order_id: str
    party_id: str
    event: str
    """confirmed, shipped, delivered, backordered, canceled, lost, ..."""
    channel: str
    number: str
    tracking: tuple[str, ...] = ()
    amount: int = 0
    substitutes: tuple[SentInstead, ...] = ()
    """Of what was shipped, the units that are not what was ordered."""


@message_type("crossdock.customer.notified.v1")
class CustomerNotified(Message, frozen=True, kw_only=True):
    """The message was handed over; `delivered` is false where there is no way to reach them."""

    key: str
    event: str
    delivered: bool = True
