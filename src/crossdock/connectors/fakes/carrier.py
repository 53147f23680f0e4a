"""A carrier's office: stops packages on their way, when they can still be stopped."""

from __future__ import annotations

import msgspec

from crossdock.connectors.fakes.mood import Fake, Mood
from crossdock.engine.effects import PendingEffect
from crossdock.kernel.clock import Clock
from crossdock.kernel.messages import Message
from crossdock.model.effects import CARRIER, InterceptRequest
from crossdock.model.messages import InterceptAnswered

_decode = msgspec.msgpack.Decoder(InterceptRequest).decode


class CarrierFake(Fake):
    """`stopped` holds the tracking numbers that will never be delivered; `gone` cannot be."""

    name = CARRIER

    def __init__(self, clock: Clock, mood: Mood | None = None) -> None:
        super().__init__(clock, mood)
        self.stopped: set[str] = set()
        self.gone: set[str] = set()

    def intercept(self, effect: PendingEffect, refused: bool) -> Message:
        asked = _decode(effect.payload)
        stopped = not refused and asked.tracking not in self.gone
        if stopped:
            self.stopped.add(asked.tracking)
        return InterceptAnswered(
            order_id=asked.order_id,
            fulfillment_id=asked.fulfillment_id,
            shipment_id=asked.shipment_id,
            tracking=asked.tracking,
            request_id=asked.request_id,
            stopped=stopped,
        )
