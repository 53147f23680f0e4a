"""Payments that nobody asked for: kept, whatever they are for, and given to the order they name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from crossdock import db
from crossdock.api.access.caller import Caller
from crossdock.api.idempotency import was_done_before
from crossdock.api.orders.reading import find_order
from crossdock.api.orders_door import CHANNEL_NOT_PERMITTED
from crossdock.api.payments import received_store
from crossdock.api.payments.model import PaymentReport, ReceivedTaken
from crossdock.api.problems import MALFORMED, NOT_FOUND, ApiProblem, problem_type
from crossdock.engine import store as engine_store
from crossdock.engine.inbox import Inbound, content_of, deliver, take_once
from crossdock.engine.process import Address
from crossdock.inventory import watch_store
from crossdock.kernel.ids import derive
from crossdock.kernel.money import text_of
from crossdock.model.checks import Findings
from crossdock.model.effects import PaymentReceived
from crossdock.model.outside import EPOCH
from crossdock.model.problems import Problem
from crossdock.model.text import unstorable
from crossdock.ordering.model import ORDER_PROCESS

PAYMENT_GIVEN = problem_type(
    "payment_given",
    409,
    "The payment is another order's",
    cause="The payment was applied to another order, or that order is just looking at it.",
    remedy="Read the payment; what was applied by mistake is paid back by canceling its order.",
)

INVALID_PAYMENT = problem_type(
    "invalid_payment",
    422,
    "The payment cannot be for that",
    cause="The order that is named is not known.",
    remedy="Correct every field that `errors` names and send it again.",
)

UNKNOWN = "order_unknown"
LOOKED_AT = "being_looked_at"


class Receiving(NamedTuple):
    """A payment under its names, and the order it is for, if anybody knows that."""

    names: Sequence[tuple[str, str]]
    report: PaymentReport
    order_id: str | None
    channel: str
    actor: str

    @property
    def id(self) -> str:
        """Ours; the provider's number decides it for ever."""
        return received_id(self.report.provider, self.report.reference)


def received_id(provider: str, reference: str) -> str:
    """Our id of what a provider calls so."""
    return derive(EPOCH, "received payment", provider, reference)


def checked(report: PaymentReport) -> None:
    """Raises ApiProblem 400 with everything that cannot be kept."""
    problems: list[Problem] = unstorable(report)
    found = Findings(problems)
    if not problems:
        found.key(report.provider, "", "provider")
        found.key(report.reference, "", "reference")
        found.currency(report.currency, "", "currency")
    if problems:
        raise ApiProblem(MALFORMED, "The payment does not fit.", problems)


def order_of(
    connection: db.Connection, caller: Caller, report: PaymentReport
) -> tuple[str | None, str]:
    """Id and channel of the order it names; what nobody knows is None, and "" for the channel.

    Raises ApiProblem 403 for a caller of some channels that names none of them.
    """
    name = report.order or ""
    try:
        order = find_order(connection, caller, name)
        return order.id, order.channel
    except ApiProblem:  # Of an unknown order the name may still say the channel.
        channel, colon, _ = name.partition(":")
        channel = channel if colon else ""
    if not caller.sees_channel(channel):
        raise ApiProblem(CHANNEL_NOT_PERMITTED, "Name an order of yours, as channel:number.")
    return None, channel


def write_received(
    connection: db.Connection, receivings: Sequence[Receiving], now: datetime
) -> list[bool]:
    """Keep payments and tell their orders; tells for each whether it came before.

    Raises ApiProblem 409 where a name came with other content.
    """
    before = []
    for receiving in receivings:
        content = msgspec.structs.asdict(receiving.report)
        contents = [content_of(*name, "payment received", content) for name in receiving.names]
        known = [was_done_before(receipt) for receipt in take_once(connection, contents, now)]
        before.append(any(known))
    fresh = {r.id: r for r, known in zip(receivings, before, strict=True) if not known}
    if fresh:
        rows = [_row(receiving, now) for receiving in fresh.values()]
        new = received_store.insert_received(connection, rows)
        kept = [receiving for id, receiving in fresh.items() if id in new]
        deliver(connection, [_telling(one, now) for one in kept if one.order_id is not None], now)
        cases = [_case(one, now) for one in kept if one.order_id is None]
        engine_store.open_cases(connection, cases)
    return before


def give_to_order(
    connection: db.Connection, caller: Caller, payment: str, order_name: str, now: datetime
) -> ReceivedTaken:
    """Tell an order of a payment that is unapplied. Raises ApiProblem 404, 409 or 422."""
    found = received_store.find_received(connection, payment, lock=True)
    if found is None or not caller.sees_channel(found.channel):
        raise ApiProblem(NOT_FOUND, "There is no such payment.")
    try:
        order = find_order(connection, caller, order_name)
    except ApiProblem as unknown:
        text = f"There is no order {order_name[:200]!r}."
        problem = Problem("order", "unknown_order", text, "Name an order as channel:number.")
        raise ApiProblem(INVALID_PAYMENT, text, [problem]) from unknown
    if found.status == "applied" or found.reason == LOOKED_AT:
        if found.order_id != order.id:
            raise ApiProblem(PAYMENT_GIVEN, f"It is {found.status}, for order {found.order_id}.")
        return ReceivedTaken(payment, order.id)
    received_store.give_to_order(connection, payment, order.id, order.channel, LOOKED_AT, now)
    watch_store.close_cases(connection, [_case_id(payment)], now)
    about = (found.provider, found.reference, found.amount, found.currency)
    deliver(connection, [_told(payment, order.id, *about, found.received_at, caller.name)], now)
    return ReceivedTaken(payment, order.id)


def _row(receiving: Receiving, now: datetime) -> tuple[object, ...]:
    report = receiving.report
    return (
        receiving.id,
        receiving.order_id,
        report.received_at or now,
        now,
        report.amount,
        report.currency,
        UNKNOWN if receiving.order_id is None else LOOKED_AT,
        receiving.channel,
        report.order or "",
        report.provider,
        report.reference,
        receiving.actor,
    )


def _telling(receiving: Receiving, now: datetime) -> Inbound:
    assert receiving.order_id is not None, "only orders that are known are told"
    report = receiving.report
    about = (report.provider, report.reference, report.amount, report.currency)
    at = report.received_at or now
    return _told(receiving.id, receiving.order_id, *about, at, receiving.actor)


def _told(
    payment: str,
    order_id: str,
    provider: str,
    reference: str,
    amount: int,
    currency: str,
    at: datetime,
    actor: str,
) -> Inbound:
    return Inbound(
        source="received payment",
        source_id=f"{payment}/{order_id}",
        message=PaymentReceived(
            payment_id=payment,
            provider=provider,
            reference=reference,
            amount=amount,
            currency=currency,
        ),
        to=Address(ORDER_PROCESS, order_id, order_id),
        occurred_at=at,
        actor=actor,
    )


def _case(receiving: Receiving, now: datetime) -> tuple[object, ...]:
    report = receiving.report
    amount = text_of(report.amount, report.currency)
    return (
        _case_id(receiving.id),
        "payment not applied",
        report.order or report.reference,
        f"{report.provider} {report.reference}: {amount}: {UNKNOWN}",
        3,
        "",
        "",
        None,
        now,
    )


def _case_id(payment: str) -> str:
    return derive(EPOCH, "case", payment)
