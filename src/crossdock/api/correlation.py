"""What a request turned out to be about: told by handlers, read by the log and the traces."""

from __future__ import annotations

import os
import re
from contextvars import ContextVar

from crossdock.engine.inbox import Inbound, Receipt, Received
from crossdock.engine.tracing import Brought
from crossdock.kernel.ids import is_id

# Enough for UUIDs and the ids of traces and proxies, and no room for anybody's name.
_request_id = re.compile(r"[0-9A-Fa-f-]{16,36}").fullmatch


class Notes:
    """Of one request; handlers in other threads write to the same."""

    __slots__ = ("brought", "problem", "request_id")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.brought: list[Brought] = []
        self.problem = ""


NOTES: ContextVar[Notes | None] = ContextVar("crossdock request", default=None)


def new_notes(asked_for: str = "") -> Notes:
    """For one request; the client's own id of it where it can be one."""
    return Notes(asked_for if _request_id(asked_for) else os.urandom(16).hex())


def note_message(message_id: str, correlation_id: str, message_type: str) -> None:
    """A request brought a message in; nothing where no request is under way."""
    notes = NOTES.get()
    if notes is not None:
        notes.brought.append(Brought(message_id, correlation_id, message_type))


def note_inbound(inbound: Inbound, receipt: Receipt) -> None:
    """A message of the request under way has come through the inbox's door."""
    if receipt.result is Received.ACCEPTED:
        route = inbound.to.route
        # As the inbox names it: the order a message is about, or the message itself.
        correlation = inbound.correlation_id or (route if is_id(route) else receipt.message_id)
        note_message(receipt.message_id, correlation, inbound.message.message_type)


def note_problem(code: str) -> None:
    """A request ends with that error."""
    notes = NOTES.get()
    if notes is not None:
        notes.problem = code


def request_id() -> str:
    """Of the request under way, for a line in the log; empty outside of one."""
    notes = NOTES.get()
    return notes.request_id if notes is not None else ""
