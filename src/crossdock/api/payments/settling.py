"""A provider's answer that comes through the API: the effect is over, its result is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from crossdock import db
from crossdock.api.idempotency import was_done_before
from crossdock.api.payments import store
from crossdock.api.payments.model import PaymentEntry, PaymentResult
from crossdock.api.problems import ApiProblem, problem_type
from crossdock.engine.inbox import Inbound, content_of, deliver, take_once
from crossdock.kernel.messages import Message
from crossdock.model.effects import (
    PAYMENT,
    AuthorizationRefused,
    CaptureRefused,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentRefunded,
    PaymentVoided,
    RefundRefused,
    VoidRefused,
)

ALREADY_SETTLED = problem_type(
    "already_settled",
    409,
    "The provider's answer is known already",
    cause="A connector, or somebody else, has brought the answer; the first one counts.",
    remedy="Read the order's payments; an answer that differs is for a person to look at.",
)


class Settling(NamedTuple):
    """An answer under its names, and the entry that it settles."""

    names: Sequence[tuple[str, str]]
    result: PaymentResult
    entry: PaymentEntry
    actor: str


def write_settlings(
    connection: db.Connection, settlings: Sequence[Settling], now: datetime
) -> list[bool]:
    """Take answers in; tells for each whether it came before. Raises ApiProblem 409."""
    return [_settle(connection, settling, now) for settling in settlings]


def _settle(connection: db.Connection, settling: Settling, now: datetime) -> bool:
    content = msgspec.structs.asdict(settling.result)
    contents = [content_of(*name, "payment", content) for name in settling.names]
    before = [was_done_before(receipt) for receipt in take_once(connection, contents, now)]
    if any(before):
        return True
    entry = settling.entry
    effect = store.take_effect(connection, PAYMENT, entry.order_id, entry.key)
    if effect is None:
        raise ApiProblem(ALREADY_SETTLED, f"{entry.key} is {entry.status}, or answered.")
    inbound = Inbound(
        source=f"effect:{effect.id}",
        source_id="answer",
        message=message_of(settling.result, entry),
        to=effect.to,
        occurred_at=now,
        actor=settling.actor,
        correlation_id=effect.correlation_id,
    )
    deliver(connection, [inbound], now)
    return False


def message_of(result: PaymentResult, entry: PaymentEntry) -> Message:
    """The message that a connector would have brought."""
    about = {"key": entry.key, "tender": entry.tender, "amount": entry.amount}
    if result.outcome == "refused":
        return _REFUSALS[entry.kind](**about, reason=result.reason or "refused")
    if entry.kind == "authorize":
        return PaymentAuthorized(
            **about,  # type: ignore[arg-type]
            authorization=result.reference,
            expires_at=result.authorized_until,
            risk=result.risk,
        )
    if entry.kind == "capture":
        return PaymentCaptured(**about, reference=result.reference)  # type: ignore[arg-type]
    if entry.kind == "refund":
        return PaymentRefunded(**about, reference=result.reference)  # type: ignore[arg-type]
    return PaymentVoided(**about)  # type: ignore[arg-type]


_REFUSALS: dict[str, type[Message]] = {
    "authorize": AuthorizationRefused,
    "capture": CaptureRefused,
    "void": VoidRefused,
    "refund": RefundRefused,
}
