"""A payment provider that has every cent: it captures, voids and refunds only what is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crossdock.engine.process import Effect
from crossdock.kernel.messages import Message
from crossdock.model.effects import (
    AuthorizationRefused,
    CaptureRefused,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentRefunded,
    PaymentVoided,
    RefundRefused,
    VoidRefused,
)


@dataclass
class Authorization:
    """Minor units."""

    held: int
    captured: int = 0
    refunded: int = 0


class Provider:
    """Knows its authorizations; all else it is asked about was paid before."""

    def __init__(self) -> None:
        self.authorizations: dict[str, Authorization] = {}
        self.refunded_elsewhere = 0
        """To tenders the channel was paid with."""
        self.owed = 0
        """Refunds of money that was there, refused: a person pays them another way."""
        self.baseless: list[Effect] = []
        """Voids and refunds of money that was not there."""

    @property
    def held(self) -> int:
        """Of all authorizations."""
        return sum(found.held for found in self.authorizations.values())

    @property
    def kept(self) -> int:
        """What came to us and is neither paid back nor owed."""
        took = sum(found.captured - found.refunded for found in self.authorizations.values())
        return took - self.refunded_elsewhere - self.owed

    def answer(self, effect: Effect, yes: bool, now: datetime) -> Message:
        """What it says to an effect, `yes` where it can."""
        asked: Any = effect.payload
        about = {"key": effect.key, "tender": asked.tender, "amount": asked.amount}
        if effect.operation == "authorize":
            if not yes:
                return AuthorizationRefused(**about, reason="declined")
            self.authorizations[effect.key] = Authorization(asked.amount)
            expires = now + timedelta(days=3)
            return PaymentAuthorized(**about, authorization=effect.key, expires_at=expires)
        if not asked.authorization:
            self.refunded_elsewhere += asked.amount
            return PaymentRefunded(**about)
        found = self.authorizations[asked.authorization]
        if effect.operation == "capture":
            if not yes or found.held < asked.amount:
                return CaptureRefused(**about, reason="declined")
            found.held -= asked.amount
            found.captured += asked.amount
            return PaymentCaptured(**about)
        if effect.operation == "void":
            if found.held < asked.amount:
                self.baseless.append(effect)
                return VoidRefused(**about, reason="nothing held")
            found.held -= asked.amount
            return PaymentVoided(**about)
        if found.captured - found.refunded < asked.amount:
            self.baseless.append(effect)
            return RefundRefused(**about, reason="not captured")
        if not yes:
            self.owed += asked.amount
            return RefundRefused(**about, reason="account closed")
        found.refunded += asked.amount
        return PaymentRefunded(**about)
