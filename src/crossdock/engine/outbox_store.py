"""The dispatcher's statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import psycopg

from crossdock.engine.effects import ClaimedEffect, PendingEffect
from crossdock.engine.process import Address
from crossdock.engine.store import fetch

Connection = psycopg.Connection[Any]


def plan_by_number(connection: Connection) -> None:
    """Until the commit, read from the lowest number on and stop at the limit.

    A plan made while the outbox happened to be empty would read and sort the whole backlog.
    """
    connection.execute(
        "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)",
        prepare=True,
    )


def claim(
    connection: Connection,
    connector: str,
    now: datetime,
    until: datetime,
    limit: int,
    first_open: int = 0,
    choose: Callable[[list[ClaimedEffect]], list[ClaimedEffect]] = list,
) -> list[ClaimedEffect]:
    """Lease the oldest due effects, at most one per order key; none is numbered below `first_open`.

    Of those found only the ones that `choose` returns are leased.

    An effect is taken only when no older one of its key is left, so that a failing effect holds
    back its own key and nothing else. Looked up per effect, which OFFSET 0 sees to: a join would
    read the whole backlog, and so would the primary key, which the sum and the comparison that
    takes nulls keep from being used. A plan made while few effects are open thinks them all alike.
    """
    rows = fetch(
        connection,
        """
        SELECT o.number, o.id, o.operation, o.order_key, o.key, o.payload, o.attempt + 1,
               o.created_at, o.process, o.instance, o.route, o.correlation_id,
               o.leased_until IS NOT NULL, o.causation_id
        FROM outbox o
        WHERE o.connector = %s AND o.number >= %s AND o.available_at <= %s
          AND (o.leased_until IS NULL OR o.leased_until <= %s)
          AND NOT EXISTS (SELECT FROM outbox older WHERE older.order_key = o.order_key
                            AND older.connector IS NOT DISTINCT FROM o.connector
                            AND older.number + 0 < o.number OFFSET 0)
        ORDER BY o.number LIMIT %s FOR UPDATE SKIP LOCKED
        """,
        (connector, first_open, now, now, limit),
    )
    due = [
        ClaimedEffect(
            PendingEffect(row[1], connector, *row[2:8]),
            row[0],
            Address(*row[8:11]),
            row[11],
            row[12],
            row[13],
        )
        for row in rows
    ]
    chosen = choose(due)
    if chosen:
        connection.execute(
            "UPDATE outbox SET leased_until = %s, attempt = attempt + 1"
            " WHERE connector = %s AND number = ANY(%s)",
            (until, connector, [c.number for c in chosen]),
            prepare=True,
        )
    return chosen


def lowest_open(connection: Connection, connector: str, first_open: int) -> int | None:
    """The lowest number of an open effect; None when there is none."""
    rows = fetch(
        connection,
        "SELECT min(number) FROM outbox WHERE connector = %s AND number >= %s",
        (connector, first_open),
    )
    found: int | None = rows[0][0]
    return found


def put_back(connection: Connection, rows: Sequence[tuple[Any, ...]], now: datetime) -> None:
    """End leases: (connector, number, attempt, available_at, outcome unknown, error).

    Only of that attempt: when its lease had run out, the effect may be another's by now.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    connection.execute(
        """
        UPDATE outbox SET available_at = v.available_at, last_error = v.error,
               leased_until = CASE WHEN v.unknown THEN %s::timestamptz END
        FROM unnest(%s::text[], %s::bigint[], %s::int[], %s::timestamptz[], %s::bool[], %s::text[])
             AS v (connector, number, attempt, available_at, unknown, error)
        WHERE outbox.connector = v.connector AND outbox.number = v.number
          AND outbox.attempt = v.attempt
        """,
        (now, *columns),
        prepare=True,
    )


def remove(connection: Connection, keys: Sequence[tuple[str, int]]) -> dict[int, int]:
    """Delete finished effects; by number, the last attempt at each that was still there."""
    rows = fetch(
        connection,
        "DELETE FROM outbox USING unnest(%s::text[], %s::bigint[]) AS v (connector, number)"
        " WHERE outbox.connector = v.connector AND outbox.number = v.number"
        " RETURNING outbox.number, outbox.attempt",
        ([connector for connector, _ in keys], [number for _, number in keys]),
    )
    return dict(rows)


def open_effects(connection: Connection) -> dict[str, int]:
    """How many effects are open per connector."""
    return dict(fetch(connection, "SELECT connector, count(*) FROM outbox GROUP BY connector"))


def next_due(connection: Connection) -> datetime | None:
    """When the next waiting effect may be tried; None when there is none."""
    rows = fetch(connection, "SELECT min(available_at) FROM outbox")
    found: datetime | None = rows[0][0]
    return found
