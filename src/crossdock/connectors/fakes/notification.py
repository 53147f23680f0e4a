"""A messaging service that tells customers what happens to their orders."""

from __future__ import annotations

import msgspec

from crossdock.connectors.fakes.mood import Fake, Mood
from crossdock.engine.effects import PendingEffect
from crossdock.kernel.clock import Clock
from crossdock.kernel.messages import Message
from crossdock.model.effects import NOTIFICATION, CustomerNotified, Notice

_decode = msgspec.msgpack.Decoder(Notice).decode


class NotificationFake(Fake):
    """`told` keeps, per order, the events its customer heard of."""

    name = NOTIFICATION

    def __init__(self, clock: Clock, mood: Mood | None = None) -> None:
        super().__init__(clock, mood)
        self.told: dict[str, list[str]] = {}

    def notify(self, effect: PendingEffect, refused: bool) -> Message:
        notice = _decode(effect.payload)
        if not refused:
            self.told.setdefault(notice.order_id, []).append(notice.event)
        return CustomerNotified(key=effect.key, event=notice.event, delivered=not refused)
