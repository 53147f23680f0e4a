"""Who pays: tenders are authorized and charged in their order of use, released in reverse.

For each tender: granted = used (for shipments) + released (by cancellations) + free. Of what was
used: used = captured + capturing + debt + withheld. If captures bring more than that, it is paid
back; nothing is asked back before it was captured.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossdock.engine.process import Effect
from crossdock.model.effects import PAYMENT, PaymentRequest
from crossdock.processes.order_to_fulfillment.state import (
    Authorization,
    Capture,
    SalesOrderState,
    Tender,
)

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
    """A new try is a new key. What is owed has to be captured on the new authorization, too."""
    amount += tender.debt
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
    tender.captures.append(Capture(shipment_id, attempt, amount, tender.authorization))
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
                yield from _pay_back(order, tender, amount, now, reason)


def refund(order: SalesOrderState, amount: int, now: datetime, reason: str) -> Iterator[Effect]:
    """What was charged for units that did not arrive is not due: debts shrink, then money moves."""
    for tender in reversed(order.tenders):
        given = min(tender.used - tender.refunding, amount)
        if given <= 0:
            continue
        order.news.tenders.add(tender.number)
        tender.refunding += given
        amount -= given
        if tender.status != "account":
            tender.withheld += given
            yield from balance(order, tender, now, reason)


def balance(order: SalesOrderState, tender: Tender, now: datetime, reason: str) -> Iterator[Effect]:
    """What was captured beyond what is due goes back; what is due and was refused is a debt."""
    surplus = tender.captured + tender.capturing + tender.withheld - tender.used
    kept = tender.captured - (tender.refunding - tender.withheld)
    given = min(tender.withheld, surplus, kept)
    if given > 0:
        tender.withheld -= given
        yield from _pay_back(order, tender, given, now, reason)
    tender.debt = max(0, -surplus)


def replace(
    order: SalesOrderState, tender: Tender, number: str, held: int, now: datetime
) -> Iterator[Effect]:
    """Capture on this authorization from now on, and let go what an earlier one holds."""
    tender.authorization = number
    tender.on(number).held = held
    yield from void_replaced(order, tender, now)
    tender.authorizations = [
        one for one in tender.authorizations if one.held or one.captured or one.number == number
    ]


def void_replaced(order: SalesOrderState, tender: Tender, now: datetime) -> Iterator[Effect]:
    """Replaced authorizations need hold only what is being captured on them."""
    for authorization in tender.authorizations:
        if authorization.number != tender.authorization:
            yield from _void(order, tender, authorization, now)


def void_leftovers(order: SalesOrderState, now: datetime) -> Iterator[Effect]:
    """No unit is left to be shipped: providers need hold only what is charged for or owed."""
    for tender in order.tenders:
        if tender.is_asked_for:
            if tender.free > 0:
                order.news.tenders.add(tender.number)
                tender.released += tender.free
            for authorization in tender.authorizations:
                yield from _void(order, tender, authorization, now)


def _void(
    order: SalesOrderState, tender: Tender, authorization: Authorization, now: datetime
) -> Iterator[Effect]:
    """Except what is being captured on it; on the latest one, what is refused is captured again."""
    if authorization.number == tender.authorization:
        needed = tender.capturing + max(tender.debt, tender.collecting)
    else:
        needed = tender.asked_on(authorization.number)
    left = authorization.held - needed
    if left > 0:
        authorization.held -= left
        tender.voiding += left
        tender.voids += 1
        key = str(tender.voids)
        yield _ask(order, tender, "void", left, key, now, authorization=authorization.number)


def _pay_back(
    order: SalesOrderState, tender: Tender, amount: int, now: datetime, reason: str
) -> Iterator[Effect]:
    """Each authorization pays back what was captured on it."""
    parts = []
    for authorization in tender.authorizations:
        part = min(authorization.captured, amount)
        if part:
            authorization.captured -= part
            amount -= part
            parts.append((authorization.number, part))
    if amount:  # Paid before, or captured on we do not know what.
        parts.append((tender.authorization, amount))
    for number, part in parts:
        order.entries += 1
        key = str(order.entries)
        yield _ask(order, tender, "refund", part, key, now, reason=reason, authorization=number)


def _ask(
    order: SalesOrderState,
    tender: Tender,
    operation: str,
    amount: int,
    key: str,
    now: datetime,
    shipment_id: str = "",
    reason: str = "",
    authorization: str | None = None,
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
            authorization=tender.authorization if authorization is None else authorization,
            shipment_id=shipment_id,
            reason=reason,
        ),
    )
