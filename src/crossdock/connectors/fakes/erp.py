"""An ERP that posts documents under numbers of its own."""

from __future__ import annotations

import msgspec

from crossdock.connectors.fakes.mood import Fake, Mood
from crossdock.engine.effects import PendingEffect
from crossdock.kernel.clock import Clock
from crossdock.kernel.messages import Message
from crossdock.model.effects import ERP, Document, DocumentPosted, DocumentRefused

_decode = msgspec.msgpack.Decoder(Document).decode


class ErpFake(Fake):
    """`documents` keeps, per order, the kinds posted in their order."""

    name = ERP

    def __init__(self, clock: Clock, mood: Mood | None = None) -> None:
        super().__init__(clock, mood)
        self.documents: dict[str, list[str]] = {}

    def post(self, effect: PendingEffect, refused: bool) -> Message:
        document = _decode(effect.payload)
        if refused:
            return DocumentRefused(key=effect.key, kind=document.kind, reason="period is closed")
        self.documents.setdefault(document.order_id, []).append(document.kind)
        return DocumentPosted(
            key=effect.key,
            kind=document.kind,
            document=f"{document.kind[:3].upper()}-{len(self.answers) + 1:08d}",
            amount=document.amount,
            shipment_id=document.shipment_id,
        )
