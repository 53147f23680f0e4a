"""Statements of the regular upkeep, each a small step."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import psycopg

from crossdock.engine.store import fetch

Connection = psycopg.Connection[Any]


def take_turn(connection: Connection, chore: str) -> bool:
    """Whether this chore is ours until the commit; if not, another worker is at it."""
    return bool(
        fetch(connection, "SELECT 1 FROM chore WHERE name = %s FOR UPDATE SKIP LOCKED", (chore,))
    )


def overdue_held(
    connection: Connection, older_than: datetime, limit: int
) -> list[tuple[str, str, str, str]]:
    """Mark early messages older than the age limit; returns (process, instance, type, id)."""
    return fetch(
        connection,
        "UPDATE held_message SET overdue = true WHERE number IN (SELECT number FROM held_message"
        " WHERE reason = 'early' AND NOT overdue AND held_at < %s ORDER BY number LIMIT %s"
        " FOR UPDATE SKIP LOCKED) RETURNING process, instance, type, id",
        (older_than, limit),
    )


def partitions_of(connection: Connection, table: str) -> set[str]:
    rows = fetch(
        connection,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
        (table,),
    )
    return {name for (name,) in rows}


def default_holds(connection: Connection, table: str, start: date, end: date) -> bool:
    """Whether the default partition has rows of that span."""
    rows = fetch(
        connection,
        f"SELECT EXISTS (SELECT FROM {table}_default WHERE recorded_at >= %s AND recorded_at < %s)",
        (start, end),
    )
    return bool(rows[0][0])


def create_partition(connection: Connection, table: str, name: str, start: date, end: date) -> None:
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table}"
        f" FOR VALUES FROM ('{start}') TO ('{end}')"
    )


def drop_bodies(connection: Connection, older_than: datetime, limit: int) -> int:
    """Forget stored bodies past their age, and what they were answered; returns how many.

    A small step on from where the last one ended: what was received at one time goes together.
    """
    rows = fetch(
        connection,
        """
        WITH step AS MATERIALIZED (
            SELECT hash, recorded_at FROM dedupe
            WHERE recorded_at > (SELECT done_until FROM chore WHERE name = 'engine')
              AND recorded_at < %s
            ORDER BY recorded_at FETCH FIRST %s ROWS WITH TIES),
        dropped AS (
            -- By the key, whatever the statistics say of how few rows there are.
            UPDATE dedupe SET body = NULL, answer = NULL
            WHERE hash = ANY (ARRAY(SELECT hash FROM step))
              AND (body IS NOT NULL OR answer IS NOT NULL)),
        moved AS (
            UPDATE chore SET done_until = (SELECT max(recorded_at) FROM step)
            WHERE name = 'engine' AND EXISTS (SELECT FROM step))
        SELECT count(*) FROM step
        """,
        (older_than, limit),
    )
    return int(rows[0][0])


def drop_hashes(connection: Connection, older_than: datetime, limit: int) -> int:
    """Forget what was received long ago, in a small step; returns how many."""
    return connection.execute(
        "DELETE FROM dedupe WHERE hash = ANY (ARRAY("
        " SELECT hash FROM dedupe WHERE recorded_at < %s ORDER BY recorded_at LIMIT %s))",
        (older_than, limit),
    ).rowcount
