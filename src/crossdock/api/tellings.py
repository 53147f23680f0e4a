"""Writes that are messages, taken once under each of their names.

A name is the sender's own number of what is told, or the request's Idempotency-Key. A repetition is
compared with what was sent, so that a time that was left out is no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from crossdock import db
from crossdock.api.correlation import note_message
from crossdock.api.idempotency import was_done_before
from crossdock.api.problems import ApiProblem
from crossdock.api.services import Backend
from crossdock.engine.inbox import Inbound, content_of, deliver, take_once


class Telling(NamedTuple):
    """One write: what was told, under the names it may not be told again, and its messages."""

    names: Sequence[tuple[str, str]]
    """(source, source id)."""
    content: dict[str, Any]
    """As it was sent."""
    messages: Sequence[Inbound]
    refusal: ApiProblem | None = None
    """Why it cannot be taken, unless it was taken before."""


def write_tellings(
    connection: db.Connection, tellings: Sequence[Telling], now: datetime
) -> list[bool]:
    """Take all in, in a fixed number of statements; tells for each whether it came before.

    Raises ApiProblem 409 where a name came with other content, else the refusal of one.
    """
    contents = [content_of(*name, "told", t.content) for t in tellings for name in t.names]
    known = iter([was_done_before(receipt) for receipt in take_once(connection, contents, now)])
    before = [any(list(islice(known, len(t.names)))) for t in tellings]
    fresh = [t for t, is_known in zip(tellings, before, strict=True) if not is_known]
    for telling in fresh:
        if telling.refusal is not None:
            raise telling.refusal
    deliver(connection, [message for t in fresh for message in t.messages], now)
    return before


async def take_in(backend: Backend, telling: Telling) -> bool:
    """Take one in, in a commit that it shares with others; whether it came before."""
    before = await backend.group("tellings", write_tellings).put(telling)
    if not before:
        _note(telling)
    return before


def write_at_once(backend: Backend, telling: Telling) -> bool:
    """Take in one that is large, in a transaction of its own; whether it came before."""
    with backend.writing() as connection:
        [before] = write_tellings(connection, [telling], backend.clock.now())
        connection.commit()
    if not before:
        _note(telling)
    return before


def _note(telling: Telling) -> None:
    """For the log of requests and the traces."""
    for message in telling.messages:
        note_message("", message.correlation_id, message.message.message_type)
