"""What a checkout remembers: the units asked for and how many of them are kept."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from crossdock.engine.process import State
from crossdock.model.events import Event
from crossdock.model.messages import CheckoutRequested


class Line(msgspec.Struct, array_like=True, gc=False):
    """Units of one SKU by one method."""

    number: int
    sku: str
    quantity: int
    method: str
    pickup_node: str | None
    reserved: int = 0


class CheckoutState(State, kw_only=True, dict=True):
    """One customer's checkout. `status` is what readers see."""

    channel: str
    lines: list[Line]
    created_at: datetime
    expires_at: datetime
    status: str = "asked"
    order_id: str | None = None
    closed_at: datetime | None = None
    last_request: str = ""

    @property
    def told(self) -> list[Event]:
        """What the world is told because of the message at hand; not part of the stored state."""
        found: list[Event] = self.__dict__.setdefault("told", [])
        return found

    @classmethod
    def opened(cls, instance: str, message: CheckoutRequested, now: datetime) -> CheckoutState:
        return cls(
            id=instance,
            channel=message.channel,
            lines=[
                Line(line.number, line.sku, line.quantity, line.method, line.pickup_node)
                for line in message.lines
            ],
            created_at=now,
            expires_at=now + timedelta(seconds=message.seconds),
        )
