"""Statements about dead letters and the processes they park."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from crossdock.engine.store import (
    MESSAGE_COLUMNS,
    StoredMessage,
    copy_rows,
    delete_held,
    fetch,
    held_for,
)
from crossdock.kernel.ids import derive

Connection = psycopg.Connection[Any]


def insert_dead_letter(
    connection: Connection,
    letter_id: str,
    message: StoredMessage,
    error: str,
    trace: str,
    now: datetime,
) -> None:
    connection.execute(
        f"INSERT INTO dead_letter (shard, {MESSAGE_COLUMNS}, failed_at, error, trace)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET failed_at = excluded.failed_at,"
        " error = excluded.error, trace = excluded.trace",
        (
            message.shard,
            letter_id,
            *message[3:13],
            now,
            error,
            trace,
        ),
    )


def park(connection: Connection, instance: str) -> None:
    """Park a process; stations (whose instance is a code) have none."""
    connection.execute(
        "UPDATE process SET parked = true WHERE id = ANY(%s::uuid[])", (_as_ids(instance),)
    )


def _as_ids(instance: str) -> list[str]:
    """The id of a process, or nothing: asked for as text, it would be looked for in every row."""
    try:
        return [str(UUID(instance))]
    except ValueError:
        return []


LETTER_COLUMNS = (
    "d.id, d.process, d.instance, d.type, d.failed_at, d.error, d.trace, d.body,"
    " (SELECT count(*) FROM held_message h WHERE h.instance = d.instance AND h.reason = 'parked')"
)


def dead_letters(connection: Connection, limit: int) -> list[tuple[Any, ...]]:
    return fetch(
        connection,
        f"SELECT {LETTER_COLUMNS} FROM dead_letter d ORDER BY failed_at, id LIMIT %s",
        (limit,),
    )


def dead_letter(connection: Connection, letter_id: str) -> list[tuple[Any, ...]]:
    return fetch(
        connection, f"SELECT {LETTER_COLUMNS} FROM dead_letter d WHERE id = %s", (letter_id,)
    )


def decide_dead_letter(
    connection: Connection, letter_id: str, now: datetime, *, again: bool
) -> bool:
    """Remove a dead letter, put it (when `again`) and what waited behind it into the inbox.

    Takes the shard's lock first, so that the parked process is in nobody's batch.
    """
    connection.execute(
        "SELECT FROM shard WHERE number = (SELECT shard FROM dead_letter WHERE id = %s)"
        " FOR NO KEY UPDATE",
        (letter_id,),
    )
    row = connection.execute(
        f"DELETE FROM dead_letter WHERE id = %s RETURNING shard, {MESSAGE_COLUMNS}", (letter_id,)
    ).fetchone()
    if row is None:
        return False
    if again:
        copy_rows(connection, f"inbox (shard, {MESSAGE_COLUMNS})", [row])
    instance = row[3]
    others = connection.execute(
        "SELECT count(*) FROM dead_letter WHERE instance = %s", (instance,)
    ).fetchone()
    assert others is not None
    if others[0] == 0:
        held = held_for(connection, [instance], "parked")
        delete_held(connection, [number for number, _ in held])
        connection.execute(
            "UPDATE process SET parked = false WHERE id = ANY(%s::uuid[])", (_as_ids(instance),)
        )
        rows = [(m.shard, *m[2:7], m.body, m.occurred_at, *m[9:13]) for _, m in held]
        copy_rows(connection, f"inbox (shard, {MESSAGE_COLUMNS})", rows)
    connection.execute(
        "UPDATE case_file SET status = 'closed', closed_at = %s WHERE id = %s AND status = 'open'",
        (now, case_of(row[1], row[8])),
    )
    return True


def case_of(letter_id: str, recorded_at: datetime) -> str:
    """The Case of a dead letter; a station has as many as it has letters."""
    return derive(recorded_at, "case", letter_id)
