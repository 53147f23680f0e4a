"""A payment provider: authorizes, captures in parts, voids and refunds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import msgspec

from crossdock.connectors.fakes.mood import Fake, Mood
from crossdock.engine.effects import PendingEffect
from crossdock.kernel.clock import Clock
from crossdock.kernel.messages import Message
from crossdock.model.effects import (
    PAYMENT,
    AuthorizationRefused,
    CaptureRefused,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentRefunded,
    PaymentRequest,
    PaymentVoided,
    RefundRefused,
    VoidRefused,
)

AUTHORIZATION_LIVES = timedelta(days=7)

_decode = msgspec.msgpack.Decoder(PaymentRequest).decode


@dataclass
class Authorization:
    """Money the provider holds for us, and what became of it; minor units."""

    order_id: str
    held: int
    captured: int = 0
    refunded: int = 0


class PaymentFake(Fake):
    """Refuses cards whose reference starts with `declined`, and as its mood says."""

    name = PAYMENT

    def __init__(self, clock: Clock, mood: Mood | None = None) -> None:
        super().__init__(clock, mood)
        self.authorizations: dict[str, Authorization] = {}

    def authorize(self, effect: PendingEffect, refused: bool) -> Message:
        asked = _decode(effect.payload)
        if refused or asked.reference.startswith("declined"):
            return AuthorizationRefused(
                key=effect.key, tender=asked.tender, amount=asked.amount, reason="card declined"
            )
        number = f"auth-{effect.key}"
        self.authorizations[number] = Authorization(asked.order_id, asked.amount)
        return PaymentAuthorized(
            key=effect.key,
            tender=asked.tender,
            amount=asked.amount,
            authorization=number,
            expires_at=self.clock.now() + AUTHORIZATION_LIVES,
            risk=90 if asked.reference.startswith("risky") else 0,
        )

    def capture(self, effect: PendingEffect, refused: bool) -> Message:
        asked = _decode(effect.payload)
        found = self.authorizations.get(asked.authorization)
        if refused or found is None or found.held < asked.amount:
            reason = "no such authorization" if found is None else "more than is authorized"
            return CaptureRefused(
                key=effect.key,
                tender=asked.tender,
                amount=asked.amount,
                reason="declined" if refused else reason,
            )
        found.held -= asked.amount
        found.captured += asked.amount
        return PaymentCaptured(
            key=effect.key, tender=asked.tender, amount=asked.amount, reference=f"cap-{effect.key}"
        )

    def void(self, effect: PendingEffect, refused: bool) -> Message:
        asked = _decode(effect.payload)
        found = self.authorizations.get(asked.authorization)
        if refused or found is None or found.held < asked.amount:
            return VoidRefused(
                key=effect.key, tender=asked.tender, amount=asked.amount, reason="nothing held"
            )
        found.held -= asked.amount
        return PaymentVoided(key=effect.key, tender=asked.tender, amount=asked.amount)

    def refund(self, effect: PendingEffect, refused: bool) -> Message:
        """Money of an authorization of ours, or of a tender the channel had taken itself."""
        asked = _decode(effect.payload)
        found = self.authorizations.get(asked.authorization)
        if refused or (found is not None and found.captured - found.refunded < asked.amount):
            return RefundRefused(
                key=effect.key, tender=asked.tender, amount=asked.amount, reason="not captured"
            )
        if found is not None:
            found.refunded += asked.amount
        return PaymentRefunded(
            key=effect.key, tender=asked.tender, amount=asked.amount, reference=f"ref-{effect.key}"
        )
