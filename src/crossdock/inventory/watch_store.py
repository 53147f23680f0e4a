"""Statements of the scheduled check: one function each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crossdock.db import Connection


def take_chore(connection: Connection, name: str, now: datetime, next_due: datetime) -> bool:
    """Whether the chore is due, and ours: who moves its time has it."""
    taken = connection.execute(
        "UPDATE chore SET due_at = %s WHERE name = %s AND due_at <= %s", (next_due, name, now)
    )
    return taken.rowcount == 1


def broken_rules(connection: Connection) -> set[str]:
    """The rules that the check before found broken."""
    rows = connection.execute(
        "SELECT invariant FROM invariant_check WHERE violations > 0"
    ).fetchall()
    return {rule for (rule,) in rows}


def keep_results(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """What the check found: (invariant, begun_at, ended_at, seconds, violations, error)."""
    if rows:
        connection.execute(
            """
            INSERT INTO invariant_check (invariant, begun_at, ended_at, seconds, violations, error)
            SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[], %s::float8[],
                                 %s::int[], %s::text[])
            ON CONFLICT (invariant) DO UPDATE
            SET (begun_at, ended_at, seconds, violations, error)
              = (excluded.begun_at, excluded.ended_at, excluded.seconds, excluded.violations,
                 excluded.error)
            """,
            [list(column) for column in zip(*rows, strict=True)],
        )


def close_cases(connection: Connection, ids: Sequence[str], now: datetime) -> None:
    """Close those of these Cases that are open."""
    connection.execute(
        "UPDATE case_file SET status = 'closed', closed_at = %s"
        " WHERE id = ANY (%s::uuid[]) AND status = 'open'",
        (now, list(ids)),
    )
