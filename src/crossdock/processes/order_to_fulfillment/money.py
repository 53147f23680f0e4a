"""Who pays: tenders are authorized and charged in their order of use, released in reverse.

For each tender: granted = used (for shipments) + released (by cancellations) + free.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossdock.engine.process import Effect
from crossdock.model.effects import PAYMENT, PaymentRequest
from crossdock.processes.order_to_fulfillment.state import SalesOrderState, Tender

ASKED, AUTHORIZED, REFUSED, PAID, EXPIRED, UNUSED = (
    "asked",
    "authorized",
    "refused",
    "paid",
    "expired",
    "unused",
)


def missing(order: SalesOrderState) -> int:
    """What the live part of the order still costs beyond what tenders grant or were asked for."""
    wanted = order.facts.total - sum(line.canceled_amount for line in order.lines)
    return wanted - sum(t.granted - t.released if t.granted else t.asking for t in order.tenders)


def authorize(order: SalesOrderState, now: datetime) -> Iterator[Effect]:
    """Ask unused tenders, in their order of use, for what is missing."""
    for tender in order.tenders:
        rest = missing(order)
        if rest > 0 and tender.status == UNUSED:
            yield ask_authorization(order, tender, min(tender.amount, rest), now)


def ask_authorization(order: SalesOrderState, tender: Tender, amount: int, now: datetime) -> Effect:
    """A new try is a new key."""
    tender.status, tender.asking = ASKED, amount
    tender.attempt += 1
    return _ask(order, tender, "authorize", amount, str(tender.attempt), now)


def charge(
    order: SalesOrderState, shipment_id: str, amount: int, now: datetime
) -> Iterator[Effect]:
    """Use the tenders for a shipment's money, and capture where a provider holds it."""
    for tender in order.tenders:
        used = min(tender.free, amount)
        if used > 0:
            order.news.tenders.add(tender.number)
            tender.used += used
            amount -= used
            if tender.is_asked_for:
                yield capture(order, tender, used, shipment_id, 1, now)


def capture(
    order: SalesOrderState,
    tender: Tender,
    amount: int,
    shipment_id: str,
    attempt: int,
    now: datetime,
) -> Effect:
    """A repeated try has a key of its own."""
    return _ask(order, tender, "capture", amount, f"{shipment_id}/{attempt}", now, shipment_id)


def release(order: SalesOrderState, now: datetime, reason: str) -> Iterator[Effect]:
    """Let go what canceled units would have cost, last tender first; pay back what was paid.

    What was canceled before it was asked for is not there to let go; while a tender has not
    answered, nobody knows which one is the last.
    """
    if any(tender.status == ASKED and not tender.granted for tender in order.tenders):
        return
    order.unneeded = min(order.unneeded, max(0, -missing(order)))
    for tender in reversed(order.tenders):
        amount = min(tender.free, order.unneeded)
        if amount > 0:
            order.news.tenders.add(tender.number)
            tender.released += amount
            order.unneeded -= amount
            if tender.status == PAID:
                yield _pay_back(order, tender, amount, now, reason)


def refund(order: SalesOrderState, amount: int, now: datetime, reason: str) -> Iterator[Effect]:
    """Give back what was charged for units that did not arrive; debts shrink before money moves."""
    for tender in reversed(order.tenders):
        given = min(tender.used - tender.refunding, amount)
        if given <= 0:
            continue
        order.news.tenders.add(tender.number)
        tender.refunding += given
        amount -= given
        forgiven = min(tender.debt, given)
        tender.debt -= forgiven
        if given > forgiven and tender.status != "account":
            yield _pay_back(order, tender, given - forgiven, now, reason)


def void_leftovers(order: SalesOrderState, now: datetime) -> Iterator[Effect]:
    """No unit is left to be shipped: providers need hold no more."""
    for tender in order.tenders:
        left = tender.granted - tender.used - tender.voiding
        if tender.is_asked_for and left > 0:
            order.news.tenders.add(tender.number)
            tender.voiding += left
            tender.released = tender.granted - tender.used
            yield _ask(order, tender, "void", left, str(tender.attempt), now)


def _pay_back(
    order: SalesOrderState, tender: Tender, amount: int, now: datetime, reason: str
) -> Effect:
    order.entries += 1
    return _ask(order, tender, "refund", amount, str(order.entries), now, reason=reason)


def _ask(
    order: SalesOrderState,
    tender: Tender,
    operation: str,
    amount: int,
    key: str,
    now: datetime,
    shipment_id: str = "",
    reason: str = "",
) -> Effect:
    order.in_flight += 1
    order.news.tenders.add(tender.number)
    key = f"{order.id}/{operation}/{tender.number}/{key}"
    order.news.entries[key] = [
        tender.number, operation, amount, shipment_id or None, reason, "asked", now, None, "",
    ]  # fmt: skip
    return Effect(
        connector=PAYMENT,
        operation=operation,
        order_key=order.id,
        key=key,
        payload=PaymentRequest(
            order_id=order.id,
            tender=tender.number,
            amount=amount,
            currency=order.facts.currency,
            reference=tender.reference,
            authorization=tender.authorization,
            shipment_id=shipment_id,
            reason=reason,
        ),
    )
