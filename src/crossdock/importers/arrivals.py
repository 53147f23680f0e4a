"""What a dataset brings, in the order of time: orders, and what happens to them from outside."""

from __future__ import annotations

from datetime import datetime

import msgspec

from crossdock.model.messages import LineQuantity
from crossdock.model.outside import OutsideOrder


class OrderArrival(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="order"):
    """An order is placed."""

    at: datetime
    line: int
    """Its (first) line in the file; 0 where there is none."""
    order: OutsideOrder
    repeated: bool = False
    """The channel sends the very same order once more; it must not count twice."""


class CancelArrival(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="cancel"):
    """The customer wants an order, or some of it, back. No lines means all that is left."""

    at: datetime
    line: int
    order_id: str
    request_id: str
    number: str
    lines: tuple[LineQuantity, ...] = ()
    reason: str = "customer"


class CreditArrival(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="credit"):
    """Units of an order are credited; the data do not say whether they had left.

    Whoever runs the dataset decides by the order's state at `at`: units still open are a cancel
    request, shipped ones a return claim.
    """

    at: datetime
    line: int
    order_id: str
    credit_id: str
    number: str
    """The order's number."""
    lines: tuple[LineQuantity, ...]
    amount_minor: int


class StockArrival(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="stock"):
    """The retailer's books corrected stock: found (quantity above 0), or lost or damaged."""

    at: datetime
    line: int
    move_id: str
    sku: str
    quantity: int
    reason: str
    """found, damaged, lost, sold_elsewhere, counted or unexplained."""
    remark: str = ""


class EntryArrival(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="entry"):
    """Money that belongs to no order: a fee, a commission, a discount after the fact, bad debt."""

    at: datetime
    line: int
    kind: str
    amount_minor: int
    """Above 0 the customer owes it, below 0 the retailer gives it."""
    number: str
    customer: str = ""


Arrival = OrderArrival | CancelArrival | CreditArrival | StockArrival | EntryArrival
