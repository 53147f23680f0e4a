"""What payment providers answer, and what an order does about it.

Money in flight keeps an order from being closed; an answer after a cancellation is given back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from crossdock.engine.process import Effect, OpenCase, Output, StartTimer, StopTimer, Unfit
from crossdock.kernel.money import text_of
from crossdock.model.effects import (
    PAYMENT,
    AuthorizationRefused,
    CaptureRefused,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentReceived,
    PaymentRefunded,
    PaymentRequest,
    PaymentVoided,
    RefundRefused,
    VoidRefused,
)
from crossdock.model.events import (
    TenderAuthorized,
    TenderCaptured,
    TenderCaptureRefused,
    TenderEvent,
    TenderRefunded,
    TenderRefused,
)
from crossdock.ordering.model import (
    AuthorizationExpiring,
    DebtDue,
    PaymentOverdue,
)
from crossdock.processes.order_to_fulfillment import canceling, closing, holding, money, telling
from crossdock.processes.order_to_fulfillment.declaration import (
    CHECKING,
    CLOSED,
    HELD,
    OPEN,
    enter,
    process,
)
from crossdock.processes.order_to_fulfillment.process import screen
from crossdock.processes.order_to_fulfillment.state import SalesOrderState, Tender
from crossdock.processes.order_to_fulfillment.units import is_settled

BUSY = (CHECKING, HELD, OPEN)

Answer = (
    PaymentAuthorized | AuthorizationRefused | PaymentCaptured | CaptureRefused | PaymentRefunded
)


@process.on(PaymentAuthorized, stages=BUSY)
def take_authorization(
    order: SalesOrderState, answer: PaymentAuthorized, now: datetime
) -> Iterator[Output]:
    """The money is there: once all of it is, the order is looked at and accepted."""
    tender = order.tender(answer.tender)
    _answered(order, answer.key, "done", now, reference=answer.authorization)
    if not tender.granted:
        tender.granted = answer.amount
    tender.asking, tender.status = 0, money.AUTHORIZED
    tender.authorized_until = answer.expires_at
    yield from money.replace(order, tender, answer.authorization, answer.amount, now)
    _tell(order, answer, TenderAuthorized)
    if answer.expires_at is not None:
        early = timedelta(hours=order.policy.reauthorize_hours)
        yield StartTimer(
            name=f"authorization-{tender.number}",
            due=max(now, answer.expires_at - early),
            message=AuthorizationExpiring(tender=tender.number),
        )
    yield from money.release(order, now, "canceled")
    if order.stage == CHECKING and not _is_asked(order):
        if money.missing(order) > 0:  # Another tender was refused while this one was asked for.
            yield from _no_tender_left(order, "the tenders do not cover the order", now)
        else:
            yield screen(order, answer.risk)
    yield from closing.finish(order, now)


@process.on(PaymentAuthorized, stages=(CLOSED,))
def give_authorization_back(
    order: SalesOrderState, answer: PaymentAuthorized, now: datetime
) -> Iterator[Output]:
    """It came after the end: nobody needs it."""
    order.in_flight += 1
    order.tender(answer.tender).voiding += answer.amount
    yield Effect(
        connector=PAYMENT,
        operation="void",
        order_key=order.id,
        key=f"{answer.key}/void",
        payload=PaymentRequest(
            order_id=order.id,
            tender=answer.tender,
            amount=answer.amount,
            currency=order.facts.currency,
            authorization=answer.authorization,
            reason="canceled",
        ),
    )


def _is_asked(order: SalesOrderState) -> bool:
    """Whether a provider still has to answer."""
    return any(tender.status == money.ASKED for tender in order.tenders)


@process.on(AuthorizationRefused, stages=BUSY)
def try_next_tender(
    order: SalesOrderState, answer: AuthorizationRefused, now: datetime
) -> Iterator[Output]:
    """The next tender, if there is one; else a person decides, or the order ends, by policy."""
    tender = order.tender(answer.tender)
    _answered(order, answer.key, "refused", now, reason=answer.reason)
    tender.asking = 0
    tender.status = money.EXPIRED if tender.granted else money.REFUSED
    _tell(order, answer, TenderRefused, reason=answer.reason)
    yield from money.release(order, now, "canceled")
    if order.stage == CHECKING:
        yield from money.authorize(order, now)
        if money.missing(order) > 0:
            if not _is_asked(order):
                yield from _no_tender_left(order, answer.reason, now)
        elif not _is_asked(order):
            yield screen(order, 0)
    elif not is_settled(order):
        yield from _no_tender_left(order, answer.reason, now)
    yield from closing.finish(order, now)


def _no_tender_left(order: SalesOrderState, reason: str, now: datetime) -> Iterator[Output]:
    yield from telling.tell(order, "payment_problem", str(order.tenders[0].attempt))
    if order.policy.on_payment_refused == "cancel":
        request = f"{order.id}/payment"
        yield from canceling.wish(order, request, "payment_refused", now, ours=True)
        return
    yield from holding.hold(order, holding.PAYMENT, reason, "payments", now)
    due = now + timedelta(hours=order.policy.payment_hold_hours)
    yield StartTimer(name="payment", due=due, message=PaymentOverdue())


@process.on(PaymentOverdue, stages=(HELD, OPEN))
def stop_waiting(
    order: SalesOrderState, overdue: PaymentOverdue, now: datetime
) -> Iterator[Output]:
    """Nobody settled how it is paid: what has not left is canceled."""
    if holding.PAYMENT in order.holds:
        request = f"{order.id}/payment"
        yield from canceling.wish(order, request, "payment_refused", now, ours=True)
        yield from closing.finish(order, now)


@process.on(PaymentReceived, stages=(HELD, OPEN, CLOSED))
def take_unasked(
    order: SalesOrderState, received: PaymentReceived, now: datetime
) -> Iterator[Output]:
    """Money nobody asked for: an order held for just that goes on, else a person looks at it."""
    reason = _why_not_applied(order, received)
    if reason:
        order.news.received.append((received.payment_id, "unapplied", reason, now))
        yield OpenCase(
            kind="payment not applied",
            subject=order.id,
            detail=f"{received.provider} {received.reference}:"
            f" {text_of(received.amount, received.currency)}: {reason}",
        )
        return
    order.news.received.append((received.payment_id, "applied", "", now))
    _join(order, received)
    order.holds.remove(holding.PAYMENT)
    yield StopTimer("payment")
    yield holding.lifted(order, holding.PAYMENT, now, approved=True)
    if not order.holds:
        order.problems = []
        enter(order, CHECKING)
        yield screen(order, 0)


def _why_not_applied(order: SalesOrderState, received: PaymentReceived) -> str:
    """Empty for a payment of just what an order is held for."""
    if order.stage != HELD or holding.PAYMENT not in order.holds or money.missing(order) <= 0:
        return "nothing_outstanding"
    if received.currency != order.facts.currency:
        return "currency_differs"
    return "" if received.amount == money.missing(order) else "amount_differs"


def _join(order: SalesOrderState, received: PaymentReceived) -> None:
    """The payment is one more way of paying, and paid."""
    tender = Tender(
        number=max(tender.number for tender in order.tenders) + 1,
        kind=received.provider,
        amount=received.amount,
        reference=received.reference,
        status=money.PAID,
        granted=received.amount,
        captured=received.amount,
    )
    order.tenders.append(tender)
    order.news.joined.append(tender.number)
    order.news.told.append(
        TenderCaptured(
            order_id=order.id,
            tender=tender.number,
            amount=tender.amount,
            currency=received.currency,
        )
    )


@process.on(AuthorizationExpiring, stages=(OPEN,))
def renew(
    order: SalesOrderState, expiring: AuthorizationExpiring, now: datetime
) -> Iterator[Output]:
    """Ask again for what is not charged yet, while there is something to charge for."""
    tender = order.tender(expiring.tender)
    if tender.free > 0 and tender.status == money.AUTHORIZED and not is_settled(order):
        yield money.ask_authorization(order, tender, tender.free, now)


@process.on(PaymentCaptured)
def take_capture(
    order: SalesOrderState, answer: PaymentCaptured, now: datetime
) -> Iterator[Output]:
    """The money is ours, and paid back as far as what it is for did not arrive meanwhile."""
    tender = order.tender(answer.tender)
    _answered(order, answer.key, "done", now, reference=answer.reference)
    tender.captured += answer.amount
    authorization = tender.on(_take_capture_off(tender, answer.key))
    authorization.held -= min(authorization.held, answer.amount)
    authorization.captured += answer.amount
    _tell(order, answer, TenderCaptured)
    yield from money.balance(order, tender, now, "not_due")
    yield from _settled(order, now)


@process.on(CaptureRefused)
def note_debt(order: SalesOrderState, answer: CaptureRefused, now: datetime) -> Iterator[Output]:
    """The goods are gone and the money did not come: a debt, visible and tried again.

    Unless they did not arrive: what is not due is not owed.
    """
    tender = order.tender(answer.tender)
    owed = tender.debt
    _take_capture_off(tender, answer.key)
    _answered(order, answer.key, "refused", now, reason=answer.reason)
    _tell(order, answer, TenderCaptureRefused, reason=answer.reason)
    yield from money.balance(order, tender, now, "not_due")
    yield from money.void_replaced(order, tender, now)
    if tender.debt > owed:
        amount = tender.debt - owed
        yield from telling.tell(order, "payment_due", answer.key[-40:], amount=amount)
    if tender.debt:
        yield from _pursue(order, answer, min(answer.amount, tender.debt), now)
    yield from _settled(order, now)


def _pursue(
    order: SalesOrderState, answer: CaptureRefused, amount: int, now: datetime
) -> Iterator[Output]:
    """Try again later, and in the end tell a person."""
    shipment_id, attempt = _capture_of(answer.key)
    if attempt < order.policy.capture_attempts:
        order.in_flight += 1
        yield StartTimer(
            name=f"debt-{answer.tender}-{shipment_id}",
            due=now + timedelta(hours=order.policy.capture_retry_hours),
            message=DebtDue(
                tender=answer.tender,
                amount=amount,
                shipment_id=shipment_id,
                attempt=attempt + 1,
            ),
        )
    else:
        yield OpenCase(
            kind="unpaid debt",
            subject=order.id,
            detail=f"{text_of(amount, order.facts.currency)} of shipment {shipment_id}:"
            f" {answer.reason}",
            priority=2,
        )


def _take_capture_off(tender: Tender, key: str) -> str:
    """It is answered; returns the authorization it was asked of."""
    shipment_id, attempt = _capture_of(key)
    for one in tender.captures:
        if one.shipment_id == shipment_id and one.attempt == attempt:
            tender.captures.remove(one)
            return one.authorization
    return tender.authorization


def _capture_of(key: str) -> tuple[str, int]:
    """The shipment, and which try it was."""
    _, _, _, shipment_id, attempt = key.split("/")
    return shipment_id, int(attempt)


@process.on(DebtDue, stages=(OPEN,))
def collect(order: SalesOrderState, due: DebtDue, now: datetime) -> Iterator[Output]:
    """Try again to capture what is still owed."""
    order.in_flight -= 1
    tender = order.tender(due.tender)
    amount = min(due.amount, tender.debt - tender.collecting)
    if amount > 0:
        yield money.capture(order, tender, amount, due.shipment_id, due.attempt, now)
    yield from closing.finish(order, now)


@process.on(PaymentVoided)
def note_void(order: SalesOrderState, answer: PaymentVoided, now: datetime) -> Iterator[Output]:
    """The provider holds it no longer."""
    tender = order.tender(answer.tender)
    tender.voided += answer.amount
    tender.voiding -= min(tender.voiding, answer.amount)
    _answered(order, answer.key, "done", now)
    yield from _settled(order, now)


@process.on(VoidRefused)
def note_kept(order: SalesOrderState, answer: VoidRefused, now: datetime) -> Iterator[Output]:
    """It will expire by itself."""
    _answered(order, answer.key, "refused", now, reason=answer.reason)
    yield from _settled(order, now)


@process.on(PaymentRefunded)
def note_refund(order: SalesOrderState, answer: PaymentRefunded, now: datetime) -> Iterator[Output]:
    """The customer has it back."""
    order.tender(answer.tender).refunded += answer.amount
    _tell(order, answer, TenderRefunded)
    _answered(order, answer.key, "done", now, reference=answer.reference)
    yield from telling.tell(order, "refunded", answer.key[-40:], amount=answer.amount)
    yield from _settled(order, now)


@process.on(RefundRefused)
def report_refund(order: SalesOrderState, answer: RefundRefused, now: datetime) -> Iterator[Output]:
    """The customer is owed money: a person has to pay it another way."""
    _answered(order, answer.key, "refused", now, reason=answer.reason)
    yield OpenCase(
        kind="refund refused",
        subject=order.id,
        detail=f"{text_of(answer.amount, order.facts.currency)} of tender {answer.tender}:"
        f" {answer.reason}",
        priority=2,
    )
    yield from _settled(order, now)


def _answered(
    order: SalesOrderState,
    key: str,
    status: str,
    now: datetime,
    reference: str = "",
    reason: str = "",
) -> None:
    """One thing less in flight; the entry says how it ended."""
    order.in_flight -= 1
    entry = order.news.entries.get(key)
    if entry is None:
        order.news.answers[key] = (status, now, reference, reason)
    else:
        entry[5], entry[7], entry[8] = status, now, reference
        entry[4] = reason or entry[4]


def _tell(order: SalesOrderState, answer: Answer, event: type[TenderEvent], **more: str) -> None:
    """The world hears what a provider answered."""
    order.news.told.append(
        event(
            order_id=order.id,
            tender=answer.tender,
            amount=answer.amount,
            currency=order.facts.currency,
            **more,
        )
    )


def _settled(order: SalesOrderState, now: datetime) -> Iterator[Output]:
    if order.stage == OPEN:
        yield from closing.finish(order, now)


# While it is being asked for, nobody knows whether money is missing.
process.takes(Unfit.EARLY, PaymentReceived, stages=(CHECKING,))
process.takes(Unfit.STALE, AuthorizationRefused, stages=(CLOSED,))
process.takes(Unfit.STALE, AuthorizationExpiring, stages=(CHECKING, HELD, CLOSED))
process.takes(Unfit.STALE, PaymentOverdue, stages=(CHECKING, CLOSED))
process.takes(Unfit.STALE, DebtDue, stages=(CHECKING, HELD, CLOSED))
