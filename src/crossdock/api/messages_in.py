"""The way for every write that is a canonical message: deduplicated, durable when answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from crossdock import db
from crossdock.api.correlation import note_inbound
from crossdock.engine import inbox
from crossdock.engine.inbox import Inbound, Receipt

if TYPE_CHECKING:
    from crossdock.api.access.caller import Caller
    from crossdock.api.services import Services


class MessageDoor:
    """Puts messages of a request into the inbox of the caller's schema, in one shared commit."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def put(self, caller: Caller, inbounds: Sequence[Inbound]) -> list[Receipt]:
        """One receipt each; durable when it returns.

        CONFLICT is the caller's to answer: `raise conflict(receipt.field)`.
        """
        if not inbounds:
            return []
        group = self._services.of(caller).group("messages", write_messages)
        receipts = await group.put(inbounds)
        for inbound, receipt in zip(inbounds, receipts, strict=True):
            note_inbound(inbound, receipt)
        return receipts


def write_messages(
    connection: db.Connection, requests: Sequence[Sequence[Inbound]], now: datetime
) -> list[list[Receipt]]:
    """All messages of all requests in a fixed number of statements; receipts by request."""
    receipts = iter(
        inbox.receive(connection, [inbound for each in requests for inbound in each], now)
    )
    return [[next(receipts) for _ in each] for each in requests]
