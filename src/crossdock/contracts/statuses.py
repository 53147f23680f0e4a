"""The status vocabulary: each value, who sets it, and what others call it.

The other worlds are Shopify's Admin API, order management systems (their common words, with the
numbers of IBM Sterling where it has one) and ERPs (SAP S/4HANA first, then NetSuite).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Status(NamedTuple):
    """One value of one object's status."""

    value: str
    meaning: str
    set_by: str
    shopify: str
    oms: str
    erp: str


class Vocabulary(NamedTuple):
    """All values that one field of one object may have."""

    object: str
    field: str
    about: str
    statuses: tuple[Status, ...]


_ = Status
NONE = "-"

VOCABULARIES: tuple[Vocabulary, ...] = (
    Vocabulary(
        "SalesOrder",
        "stage",
        "How far the order is as a whole. What became of the goods is told by the units of its "
        "lines, and only there.",
        (
            _("checking", "being checked, paid and screened; nothing is promised",
              "Crossdock, when the order is placed",
              "order open, financial PENDING", "created (1100)",
              "overall status A; Pending Approval"),
            _("held", "a person has to decide before anything is promised",
              "Crossdock, for a hold; lifted by a person",
              "fulfillment ON_HOLD, risk to be reviewed", "on hold", "delivery or credit block"),
            _("open", "accepted: being sourced, picked, shipped, delivered", "Crossdock",
              "UNFULFILLED, IN_PROGRESS or PARTIALLY_FULFILLED", "open, scheduled to shipped",
              "overall status A or B; Pending Fulfillment"),
            _("closed", "every unit delivered, lost, returned or canceled, the money settled",
              "Crossdock", "FULFILLED, or cancelled; closedAt is set", "closed, invoiced",
              "overall status C; Billed or Closed"),
        ),
    ),
    Vocabulary(
        "OrderLine",
        "units",
        "Units are counted; each is in exactly one of the nine states from open to canceled. "
        "Delivered, lost and returned are told of shipped units.",
        (
            _("open", "not counted against stock yet", "Crossdock", "unfulfilledQuantity",
              "created (1100)", "open quantity"),
            _("soft", "counted against what can be sold, at no node yet", "Crossdock",
              "committed (inventory)", "reserved", "confirmed quantity"),
            _("backordered", "nobody has it; waits for stock", "Crossdock",
              "SCHEDULED, or unfulfilled", "backordered (1300)",
              "unconfirmed schedule line; Back Ordered"),
            _("allocated", "reserved at a node, not given to it", "Crossdock",
              "fulfillment order assigned", "scheduled (1500)", "committed"),
            _("released", "given to the node as work", "Crossdock",
              "fulfillment order OPEN", "released (3200)", "outbound delivery created"),
            _("picked", "in somebody's hands", "the node", "IN_PROGRESS", "picked",
              "picking status C; Picked"),
            _("packed", "in a package", "the node", "IN_PROGRESS, label printed",
              "packed, in a shipment (3350)", "packing status C; Packed"),
            _("shipped", "left the node", "the node", "fulfilled", "shipped (3700)",
              "goods issue posted; Shipped"),
            _("canceled", "will not be sent", "the customer, a person or Crossdock",
              "removed, currentQuantity lowered", "cancelled (9000)",
              "rejected with reason; Cancelled"),
            _("delivered", "arrived (of the shipped)", "the carrier, or the counter", "DELIVERED",
              "delivered", "proof of delivery"),
            _("lost", "given up by the carrier (of the shipped)", "the carrier", "FAILURE",
              "lost in transit", "credit memo without return"),
            _("returned", "came back (of the shipped)", "the carrier, or returns", "RETURNED",
              "returned", "returns delivery; Received"),
        ),
    ),
    Vocabulary(
        "FulfillmentOrder",
        "work",
        "How far a node is with its work.",
        (
            _("open", "nobody picked anything", "Crossdock", "status OPEN", "released (3200)",
              "outbound delivery, not started"),
            _("picking", "part of it is picked", "the node", "status IN_PROGRESS",
              "pick in process", "picking status B"),
            _("picked", "all that is left there is picked", "the node", "status IN_PROGRESS",
              "picked", "picking status C; Picked"),
            _("packed", "all that is left there is packed", "the node", "status IN_PROGRESS",
              "packed (3350)", "packing status C; Packed"),
            _("shipped", "nothing is left there, packages are on their way", "the node",
              "status CLOSED, fulfillment IN_TRANSIT", "shipped (3700)",
              "goods issue posted; Shipped"),
            _("delivered", "all packages arrived", "the carrier", "fulfillment DELIVERED",
              "delivered", "proof of delivery"),
            _("canceled", "it was given back or taken away before anything left",
              "the node, or Crossdock", "status CANCELLED or INCOMPLETE", "cancelled (9000)",
              "delivery deleted"),
        ),
    ),
    Vocabulary(
        "FulfillmentOrder",
        "acknowledgement",
        "What the node said to the work; beside how far it is with it.",
        (
            _("submitted", "given to the node, which has not answered", "Crossdock",
              "requestStatus SUBMITTED", "sent to node", "delivery distributed"),
            _("accepted", "the node takes it", "the node", "requestStatus ACCEPTED",
              "acknowledged", "delivery confirmed by the warehouse"),
            _("declined", "the node gave it up, or was silent for too long",
              "the node, or a timer of Crossdock", "requestStatus REJECTED", "rejected by node",
              "delivery rejected"),
            _("recall_requested", "the node is asked to give units back", "Crossdock",
              "requestStatus CANCELLATION_REQUESTED", "cancel requested", "change request sent"),
            _("recalled", "the node gave back all it had", "the node",
              "requestStatus CANCELLATION_ACCEPTED", "cancelled at node", "delivery cancelled"),
        ),
    ),
    Vocabulary(
        "Reservation",
        "state",
        "Units kept for an order line.",
        (
            _("soft", "counted against what can be sold, without a node", "Crossdock",
              "reserved, committed", "reserved, soft allocation", "requirement"),
            _("backordered", "waits for stock or a Supply", "Crossdock", "none available",
              "backordered (1300)", "unconfirmed requirement"),
            _("allocated", "kept at a node", "Crossdock", "committed at the location",
              "hard allocation, scheduled (1500)", "confirmed, batch or bin determined"),
            _("picked", "in the node's hands", "the node", "committed at the location", "picked",
              "picked quantity"),
        ),
    ),
    Vocabulary(
        "Supply",
        "status",
        "An expected receipt.",
        (
            _("open", "expected, or received in part", "the ERP or the supplier", "incoming",
              "expected receipt", "open purchase order item"),
            _("closed", "all of it came, or no more will", "the ERP, or the node", "received",
              "receipt closed", "delivery completed indicator"),
            _("canceled", "it will not come", "the ERP", "transfer canceled", "receipt cancelled",
              "item deleted"),
        ),
    ),
    Vocabulary(
        "Package",
        "status",
        "What became of a package that left; in tables as the time when it happened.",
        (
            _("on_way", "on its way", "the node", "IN_TRANSIT", "in transit", "goods issue posted"),
            _("delivered", "arrived, or was collected", "the carrier", "DELIVERED", "delivered",
              "proof of delivery"),
            _("lost", "given up", "the carrier", "FAILURE", "lost", "claim against the carrier"),
            _("stopped", "stopped on its way, comes back", "the carrier", "CANCELED", "intercepted",
              "returns delivery announced"),
        ),
    ),
    Vocabulary(
        "Tender",
        "status",
        "Whether a way of paying pays.",
        (
            _("unused", "not asked yet", "Crossdock", "PENDING", "not processed", NONE),
            _("asked", "the provider was asked and has not answered", "Crossdock",
              "transaction AWAITING_RESPONSE", "awaiting authorization", NONE),
            _("authorized", "the provider holds the amount", "the payment provider", "AUTHORIZED",
              "authorized", "authorization on the sales order"),
            _("refused", "it does not pay", "the payment provider", "transaction FAILURE",
              "authorization failed", "payment card block"),
            _("paid", "the channel has the money already", "the channel", "PAID", "paid, prepaid",
              "down payment received; Customer Deposit"),
            _("account", "the customer is billed", "the channel", "PENDING with payment terms",
              "on account", "open item; invoice on terms"),
            _("expired", "the authorization ran out and was not renewed", "the payment provider",
              "EXPIRED", "authorization expired", "payment card block"),
        ),
    ),
    Vocabulary(
        "PaymentEntry",
        "status",
        "One thing asked of a payment provider: an authorization, capture, void or refund.",
        (
            _("asked", "under way", "Crossdock", "PENDING", "requested", "to be settled"),
            _("done", "the provider did it", "the payment provider", "SUCCESS", "executed",
              "settled"),
            _("refused", "the provider will not", "the payment provider", "FAILURE", "failed",
              "settlement rejected"),
        ),
    ),
    Vocabulary(
        "ReceivedPayment",
        "status",
        "Money that came in without being asked for.",
        (
            _("unapplied", "it settles nothing yet; `reason` says why",
              "who reports it", "PENDING, to be reviewed", "unapplied payment",
              "payment on account; Unapplied Payment"),
            _("applied", "it pays for its order", "Crossdock", "PAID", "applied payment",
              "cleared item; Applied Payment"),
        ),
    ),
    Vocabulary(
        "Checkout",
        "status",
        "Units kept for a customer who is about to pay.",
        (
            _("asked", "not looked at yet", "the channel", "checkout open", "reservation requested",
              NONE),
            _("reserved", "units are kept until it expires", "Crossdock", "reserved",
              "soft allocation", "requirement"),
            _("placed", "its order is being checked", "the channel", "order created",
              "created (1100)", "sales order entered"),
            _("confirmed", "its order took the units over", "Crossdock", "committed", "reserved",
              "requirement of the sales order"),
            _("expired", "nobody bought in time; the units are free", "a timer of Crossdock",
              "checkout abandoned", "reservation expired", NONE),
            _("dropped", "the customer gave up; the units are free", "the channel",
              "checkout abandoned", "reservation cancelled", NONE),
        ),
    ),
    Vocabulary(
        "Task",
        "status",
        "Work for a person.",
        (
            _("open", "to be done", "Crossdock", NONE, "alert open", "workflow item ready"),
            _("done", "done as asked", "a person", NONE, "alert closed", "workflow item approved"),
            _("rejected", "the person said no", "a person", NONE, "alert closed",
              "workflow item rejected"),
            _("withdrawn", "nobody needs it any more", "Crossdock", NONE, "alert closed",
              "workflow item canceled"),
        ),
    ),
    Vocabulary(
        "Case",
        "status",
        "Something that went wrong and needs an owner.",
        (
            _("open", "somebody has to look at it", "Crossdock", NONE, "exception, alert",
              "incident open"),
            _("closed", "it is settled", "a person, or Crossdock", NONE, "resolved",
              "incident closed"),
        ),
    ),
    Vocabulary(
        "ReturnClaim",
        "status",
        "Units a customer sends back, or wants to.",
        (
            _("open", "not settled", "Crossdock", "return REQUESTED or OPEN", "return created",
              "returns order open; Pending Receipt"),
            _("closed", "settled", "returns", "return CLOSED", "return invoiced",
              "returns order completed; Closed"),
        ),
    ),
    Vocabulary(
        "FileJob",
        "status",
        "A full file of stock, products or prices.",
        (
            _("receiving", "its content is being sent", "the sender", "bulk operation CREATED",
              NONE, "file in transfer"),
            _("waiting", "complete, and not begun", "the sender", "bulk operation CREATED", NONE,
              "job scheduled"),
            _("running", "its rows are being taken", "Crossdock", "bulk operation RUNNING", NONE,
              "job active"),
            _("done", "every row has a result", "Crossdock", "bulk operation COMPLETED", NONE,
              "job finished"),
            _("failed", "it cannot be read any further", "Crossdock", "bulk operation FAILED", NONE,
              "job canceled with an error"),
            _("canceled", "given up", "the sender", "bulk operation CANCELED", NONE,
              "job canceled"),
        ),
    ),
    Vocabulary(
        "Webhook",
        "status",
        "Whether a receiver is sent events.",
        (
            _("active", "it is sent what happens", "its owner", "subscription active", NONE, NONE),
            _("paused", "it failed for too long, its key expired or its secret cannot be read;"
              " goes on where it was, once resumed", "Crossdock", "subscription removed", NONE,
              NONE),
            _("disabled", "switched off", "its owner, the receiver by answering 410, or who revokes"
              " its key", "subscription removed", NONE, NONE),
        ),
    ),
)  # fmt: skip


def page() -> str:
    """The vocabulary as a page of the reference."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield "# Statuses"
    yield ""
    yield "Made by `crossdock contracts write` from the code's own table: do not edit it by hand."
    yield ""
    yield (
        "Each value, who sets it, and what others call it. The words of others are the nearest "
        "ones: none of them counts units as Crossdock does, so one of their statuses for a whole "
        "order or line stands for the state of most of its units."
    )
    for one in VOCABULARIES:
        yield from ("", f"## {one.object}: {one.field}", "", one.about, "")
        yield "| value | meaning | set by | Shopify | OMS | ERP |"
        yield "|---|---|---|---|---|---|"
        for status in one.statuses:
            yield f"| `{status.value}` | " + " | ".join(status[1:]) + " |"
