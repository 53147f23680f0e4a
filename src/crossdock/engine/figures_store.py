"""Statements about what running processes count of themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg

from crossdock.engine.store import fetch

Connection = psycopg.Connection[Any]

FORGET_AFTER = timedelta(hours=1)


def report(connection: Connection, process: str, kind: str, figures: bytes, now: datetime) -> None:
    """Replace a process's figures, and drop those of processes that ended long ago.

    Its own row first: who deletes others' waits for nobody, so that no two wait for each other.
    """
    connection.execute(
        """
        INSERT INTO process_figures (process, kind, reported_at, figures) VALUES (%s, %s, %s, %s)
        ON CONFLICT (process) DO UPDATE SET kind = excluded.kind,
            reported_at = excluded.reported_at, figures = excluded.figures
        """,
        (process, kind, now, figures),
        prepare=True,
    )
    connection.execute(
        """
        DELETE FROM process_figures WHERE process IN (
            SELECT process FROM process_figures WHERE reported_at < %s FOR UPDATE SKIP LOCKED)
        """,
        (now - FORGET_AFTER,),
        prepare=True,
    )


def forget(connection: Connection, process: str) -> None:
    """Drop the figures of a process that ends in peace."""
    connection.execute("DELETE FROM process_figures WHERE process = %s", (process,))


def reported_since(connection: Connection, since: datetime) -> list[tuple[str, str, bytes]]:
    """(process, kind, figures) of every process that reported since then."""
    return fetch(
        connection,
        "SELECT process, kind, figures FROM process_figures WHERE reported_at >= %s ORDER BY 1",
        (since,),
    )
