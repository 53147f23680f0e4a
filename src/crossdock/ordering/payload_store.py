"""Statements of raw payloads: one function each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crossdock.db import Connection


def insert(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows of (received_at, expires_at, source, source_id, content_type, digest, body)."""
    if rows:
        connection.execute(
            """
            INSERT INTO raw_payload (received_at, expires_at, source, source_id, content_type,
                                     digest, body)
            SELECT * FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[],
                                 %s::text[], %b::bytea[], %b::bytea[])
            ON CONFLICT (source, source_id, digest) DO NOTHING
            """,
            [list(column) for column in zip(*rows, strict=True)],
            prepare=True,
        )


def of(connection: Connection, source: str, source_id: str) -> list[tuple[datetime, str, bytes]]:
    """(received_at, content_type, body) of one identity, oldest first."""
    rows = connection.execute(
        "SELECT received_at, content_type, body FROM raw_payload"
        " WHERE source = %s AND source_id = %s ORDER BY received_at, digest",
        (source, source_id),
        binary=True,
    ).fetchall()
    return [(received_at, content_type, bytes(body)) for received_at, content_type, body in rows]


def delete(connection: Connection, source: str, source_ids: Sequence[str]) -> int:
    """Delete all of these identities; returns how many payloads went."""
    return connection.execute(
        "DELETE FROM raw_payload WHERE source = %s AND source_id = ANY (%s::text[])",
        (source, list(source_ids)),
    ).rowcount


def delete_expired(connection: Connection, now: datetime, most: int) -> int:
    """Delete payloads past their time, the oldest first; returns how many went.

    Rows that others delete are skipped.
    """
    return connection.execute(
        """
        DELETE FROM raw_payload WHERE (source, source_id, digest) IN (
            SELECT source, source_id, digest FROM raw_payload WHERE expires_at <= %s
            ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED)
        """,
        (now, most),
    ).rowcount
