"""Statements about what workers are trying, and over which messages one has died."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from crossdock.engine.store import fetch

Connection = psycopg.Connection[Any]


def note_attempt(connection: Connection, worker: str, shards: Sequence[int], now: datetime) -> None:
    """Say what this worker is about to try; written beside the batch, not within it."""
    connection.execute(
        "INSERT INTO worker_attempt (worker, shards, started_at) VALUES (%s, %s, %s)"
        " ON CONFLICT (worker) DO UPDATE SET shards = excluded.shards,"
        " started_at = excluded.started_at",
        (worker, list(shards), now),
        prepare=True,
    )


def clear_attempt(connection: Connection, worker: str) -> None:
    connection.execute("DELETE FROM worker_attempt WHERE worker = %s", (worker,), prepare=True)


def dead_attempts(
    connection: Connection, worker: str, shards: Sequence[int]
) -> list[tuple[str, list[int]]]:
    """Attempts of others on shards that we hold: their workers ended without a result."""
    return fetch(
        connection,
        "SELECT worker, shards FROM worker_attempt WHERE worker <> %s AND shards && %s::int[]",
        (worker, list(shards)),
    )


def suspect(connection: Connection, shards: Sequence[int], per_shard: int) -> None:
    """From now on one message per batch in those shards, for the next `per_shard` of each."""
    connection.execute(
        """
        INSERT INTO suspect_shard (shard, until_number)
        SELECT s, coalesce((SELECT max(number)
                            FROM (SELECT number FROM inbox WHERE shard = s
                                  ORDER BY number LIMIT %s) AS taken), 0)
        FROM unnest(%s::int[]) AS s
        ON CONFLICT (shard) DO NOTHING
        """,
        (per_shard, list(shards)),
    )


class Suspect(NamedTuple):
    """A shard over which a worker died; `message_id` was tried alone `tries` times in vain."""

    until_number: int
    message_id: str | None
    tries: int


def suspects(connection: Connection, shards: Sequence[int]) -> dict[int, Suspect]:
    rows = fetch(
        connection,
        "SELECT shard, until_number, message_id, tries FROM suspect_shard WHERE shard = ANY(%s)",
        (list(shards),),
    )
    return {shard: Suspect(*rest) for shard, *rest in rows}


def note_suspect(connection: Connection, shard: int, message_id: str | None) -> None:
    """Say which message is about to be tried alone, and count the tries of the same one."""
    connection.execute(
        "UPDATE suspect_shard SET message_id = %s::uuid,"
        " tries = CASE WHEN message_id = %s::uuid THEN tries + 1 ELSE 1 END WHERE shard = %s",
        (message_id, message_id, shard),
    )


def forget_tried(connection: Connection, worker: str) -> None:
    """The attempt ended with an error that the worker outlived: nobody died over it."""
    connection.execute(
        "WITH ended AS (DELETE FROM worker_attempt WHERE worker = %s RETURNING shards)"
        " UPDATE suspect_shard SET message_id = NULL FROM ended WHERE shard = ANY(ended.shards)",
        (worker,),
    )


def suspect_tried(connection: Connection, worker: str, messages: int) -> None:
    """What this worker tried is as suspect as if it had died over it."""
    ended = "DELETE FROM worker_attempt WHERE worker = %s RETURNING shards"
    for (shards,) in fetch(connection, ended, (worker,)):
        suspect(connection, shards, max(8, messages // len(shards)))


def clear_suspects(connection: Connection, shards: Sequence[int]) -> None:
    connection.execute("DELETE FROM suspect_shard WHERE shard = ANY(%s)", (list(shards),))
