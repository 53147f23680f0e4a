"""Statements about published events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crossdock import db
from crossdock.engine.store import copy_rows, fetch
from crossdock.events.model import EventRow, Interest

READER = "publisher"


class Told(NamedTuple):
    """An entry of the log with what the world is to be told; `last` of its shard in this look."""

    shard: int
    number: int
    told: bytes | None
    occurred_at: datetime
    recorded_at: datetime
    message_id: str
    correlation_id: str
    last: bool


def is_behind(connection: db.Connection) -> bool:
    """Whether the log has entries that the publisher has not looked at."""
    rows = fetch(
        connection,
        "SELECT EXISTS (SELECT FROM shard s"
        " LEFT JOIN log_reader r ON r.reader = %s AND r.shard = s.number"
        " WHERE s.last_entry > coalesce(r.last_entry, 0))",
        (READER,),
    )
    return bool(rows[0][0])


def lock_publisher(connection: db.Connection) -> int | None:
    """The last sequence, held until the commit; None while another publishes."""
    rows = fetch(connection, "SELECT last_sequence FROM event_publisher FOR UPDATE SKIP LOCKED")
    return int(rows[0][0]) if rows else None


def unread(connection: db.Connection, per_shard: int) -> list[Told]:
    """What was told since the last look, and the last entry looked at of each shard.

    A shard's entries up to its `last_entry` are all there: both are written under its lock. Their
    recorded times need not rise, because each is of the clock of the worker that had the shard: an
    entry counts as recorded no earlier than those before it.
    """
    rows = fetch(
        connection,
        """
        SELECT shard, number, told, occurred_at, recorded_at, message_id, correlation_id, last
        FROM (
            SELECT e.*, lead(e.number) OVER in_turn IS NULL AS last,
                   max(e.recorded_at) OVER in_turn AS turn
            FROM shard s
            LEFT JOIN log_reader r ON r.reader = %s AND r.shard = s.number,
            LATERAL (SELECT shard, number, told, occurred_at, recorded_at, message_id,
                            correlation_id
                     FROM event_log
                     WHERE shard = s.number AND number > coalesce(r.last_entry, 0)
                       AND number <= s.last_entry
                     ORDER BY number LIMIT %s) e
            WHERE s.last_entry > coalesce(r.last_entry, 0)
            WINDOW in_turn AS (PARTITION BY e.shard ORDER BY e.number)) AS entry
        WHERE told IS NOT NULL OR last
        ORDER BY turn, shard, number
        """,
        (READER, per_shard),
    )
    return [Told(*row) for row in rows]


def references(connection: db.Connection, orders: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Channel and number of each order."""
    rows = fetch(
        connection,
        "SELECT id, channel, number FROM sales_order WHERE id = ANY(%s::uuid[])",
        (list(orders),),
    )
    return {order_id: (channel, number) for order_id, channel, number in rows}


COLUMNS = (
    "sequence, recorded_at, occurred_at, id, order_id, correlation_id, causation_id, type,"
    " subject, channel, node, data"
)


def append(connection: db.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Append events, rows in the order of COLUMNS, and move the last sequence to theirs."""
    copy_rows(connection, f"published_event ({COLUMNS})", rows)
    connection.execute("UPDATE event_publisher SET last_sequence = %s", (rows[-1][0],))


def save_places(connection: db.Connection, places: Mapping[int, int]) -> None:
    """How far each shard's log is read."""
    connection.execute(
        "INSERT INTO log_reader (reader, shard, last_entry)"
        " SELECT %s, * FROM unnest(%s::int[], %s::bigint[])"
        " ON CONFLICT (reader, shard) DO UPDATE SET last_entry = excluded.last_entry",
        (READER, list(places), list(places.values())),
        prepare=True,
    )


def last_sequence(connection: db.Connection) -> int:
    """The sequence of the newest event; 0 when there is none."""
    return int(fetch(connection, "SELECT last_sequence FROM event_publisher")[0][0])


class Removed(NamedTuple):
    """What is not kept any more: events up to `until`, the last of them recorded then."""

    until: int
    recorded_until: datetime | None


def removed(connection: db.Connection, *, hold: bool = False) -> Removed:
    """What was removed; `hold` lets nothing more be removed before the commit."""
    rows = fetch(
        connection,
        "SELECT removed_until, nullif(recorded_until, '-infinity') FROM event_retention"
        + (" FOR SHARE" if hold else ""),
    )
    return Removed(*rows[0])


def lock_retention(connection: db.Connection) -> int | None:
    """The last sequence removed, held until the commit; None while another removes."""
    rows = fetch(connection, "SELECT removed_until FROM event_retention FOR UPDATE SKIP LOCKED")
    return int(rows[0][0]) if rows else None


def last_before(connection: db.Connection, after: int, cut: datetime, limit: int) -> int:
    """Up to where, of the next events after one, all were recorded before the cut."""
    rows = fetch(
        connection,
        """
        WITH step AS (SELECT sequence, recorded_at FROM published_event
                      WHERE sequence > %s ORDER BY sequence LIMIT %s)
        SELECT coalesce(min(sequence) FILTER (WHERE recorded_at >= %s) - 1, max(sequence), %s)
        FROM step
        """,
        (after, limit, cut, after),
    )
    return int(rows[0][0])


def note_removed(connection: db.Connection, after: int, until: int) -> None:
    """The events after the one and up to the other are removed in this transaction."""
    connection.execute(
        "UPDATE event_retention SET removed_until = %s, recorded_until = greatest(recorded_until,"
        " (SELECT max(recorded_at) FROM published_event WHERE sequence > %s AND sequence <= %s))",
        (until, after, until),
    )


def sequence_before(connection: db.Connection, since: datetime) -> int:
    """After which sequence to read to have all that was recorded since then."""
    rows = fetch(
        connection,
        "SELECT coalesce((SELECT min(sequence) FROM published_event WHERE recorded_at >= %s) - 1,"
        " (SELECT last_sequence FROM event_publisher))",
        (since,),
    )
    return int(rows[0][0])


def events_between(
    connection: db.Connection, after: int, until: int, interest: Interest, limit: int
) -> list[EventRow]:
    """The events of interest from `after` (not it) to `until`, at most so many."""
    rows = fetch(
        connection,
        """
        SELECT sequence, id, type, order_id, subject, occurred_at, correlation_id, causation_id,
               data
        FROM published_event
        WHERE sequence > %s AND sequence <= %s
          AND (%s::text[] IS NULL OR type LIKE ANY(%s::text[]))
          AND (%s::text[] IS NULL OR channel = ANY(%s::text[]))
          AND (%s::text[] IS NULL OR node = ANY(%s::text[]))
          AND (%s::uuid IS NULL OR order_id = %s::uuid)
        ORDER BY sequence LIMIT %s
        """,
        (after, until, *_twice(interest), limit),
    )
    return [EventRow(*row) for row in rows]


def _twice(interest: Interest) -> list[Any]:
    """Each condition's value, as often as the statement names it."""
    values: list[Any] = [
        interest.patterns,
        *(None if one is None else sorted(one) for one in (interest.channels, interest.nodes)),
        interest.order_id,
    ]
    return [value for value in values for _ in range(2)]
