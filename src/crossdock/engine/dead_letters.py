"""Messages that could not be handled: set aside, shown, retried or skipped.

A dead letter parks its process: later messages for it wait in order until it is decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from crossdock.engine import dead_letter_store, store
from crossdock.engine.store import StoredMessage
from crossdock.kernel.ids import derive

Connection = psycopg.Connection[Any]


class DeadLetter(NamedTuple):
    """A message that could not be handled, and why."""

    id: str
    process: str
    instance: str
    type: str
    failed_at: datetime
    error: str
    trace: str
    body: bytes
    waiting: int
    """Messages that wait behind it."""


def bury(
    connection: Connection, message: StoredMessage, error: str, trace: str, now: datetime
) -> None:
    """Move a message to the dead letters, park its process and open a Case."""
    letter = derive(now, message.instance, message.timer, "dead") if message.timer else message.id
    error, trace = _storable(error), _storable(trace)
    dead_letter_store.insert_dead_letter(connection, letter, message, error, trace, now)
    dead_letter_store.park(connection, message.instance)
    if message.timer is not None:
        store.delete_timers(connection, [(message.instance, message.timer)])
    elif message.number is not None:
        store.delete_inbox(connection, [(message.shard, message.number)])
    store.reopen_case(
        connection,
        (
            dead_letter_store.case_of(letter, message.recorded_at),
            "dead letter",
            message.instance,
            error,
            1,
            message.process,
            message.instance,
            message.correlation_id,
            now,
        ),
    )


def _storable(text: str) -> str:
    """The text with what PostgreSQL cannot keep (NUL, half a surrogate pair) written as escapes."""
    return text.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()


def listed(connection: Connection, limit: int = 100) -> list[DeadLetter]:
    """The open dead letters, oldest first."""
    return [DeadLetter(*row) for row in dead_letter_store.dead_letters(connection, limit)]


def shown(connection: Connection, letter_id: str) -> DeadLetter | None:
    """One dead letter, or None."""
    rows = dead_letter_store.dead_letter(connection, letter_id)
    return DeadLetter(*rows[0]) if rows else None


def retry(connection: Connection, letter_ids: Sequence[str], now: datetime) -> list[str]:
    """Put dead letters back at the door, and behind each what waited; returns the ids found."""
    return _decide(connection, letter_ids, now, again=True)


def skip(connection: Connection, letter_ids: Sequence[str], now: datetime) -> list[str]:
    """Drop dead letters for good (their Case keeps the trace) and let what waited go on."""
    return _decide(connection, letter_ids, now, again=False)


def _decide(
    connection: Connection, letter_ids: Sequence[str], now: datetime, *, again: bool
) -> list[str]:
    found = []
    with connection.transaction():
        for letter_id in letter_ids:
            if dead_letter_store.decide_dead_letter(connection, letter_id, now, again=again):
                found.append(letter_id)
    return found
