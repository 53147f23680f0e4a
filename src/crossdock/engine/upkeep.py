"""Small regular work: partitions ahead of time, old hashes forgotten, early messages watched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from crossdock.engine import store, upkeep_store
from crossdock.kernel.ids import derive

Connection = psycopg.Connection[Any]

PARTITIONED = ("event_log",)
"""Tables of the engine that are partitioned by month of recorded time."""


@dataclass(frozen=True)
class Ages:
    """After how long what is forgotten or raised."""

    body_days: int = 30
    """Bodies of what was received, kept to name the field that differs in a repeat, and answers."""
    hash_days: int = 90
    """Hashes of received messages; what must stay unique is a constraint on its object."""
    early_hours: int = 24
    """An early message older than this becomes a Case."""
    step_rows: int = 5_000
    """Rows a single step touches."""


def keep_up(connection: Connection, now: datetime, ages: Ages | None = None) -> bool:
    """One small step of everything; whether there may be more. The caller commits."""
    if not upkeep_store.take_turn(connection, "engine"):
        return False
    ages = ages or Ages()
    for table in PARTITIONED:
        make_partitions(connection, table, now)
    steps = (
        upkeep_store.drop_bodies(connection, now - timedelta(days=ages.body_days), ages.step_rows),
        upkeep_store.drop_hashes(connection, now - timedelta(days=ages.hash_days), ages.step_rows),
        raise_overdue(connection, now, ages),
    )
    return max(steps) >= ages.step_rows


def raise_overdue(connection: Connection, now: datetime, ages: Ages) -> int:
    """Open a Case for each early message past its age; returns how many."""
    older_than = now - timedelta(hours=ages.early_hours)
    overdue = upkeep_store.overdue_held(connection, older_than, ages.step_rows)
    cases = [
        (
            derive(now, "case", message_id, "early"),
            "message too early for too long",
            instance,
            f"{kind} waits for {process} to take it",
            3,
            process,
            instance,
            None,
            now,
        )
        for process, instance, kind, message_id in overdue
    ]
    store.open_cases(connection, cases)
    return len(cases)


def make_partitions(
    connection: Connection, table: str, now: datetime, months_ahead: int = 2
) -> None:
    """Make this month's partition of `table` and the next ones, unless the default one has rows.

    A month whose rows already went to the default partition stays there: nothing is lost by it.
    """
    first = now.date().replace(day=1)
    existing = upkeep_store.partitions_of(connection, table)
    for _ in range(months_ahead + 1):
        following = (first + timedelta(days=32)).replace(day=1)
        name = f"{table}_{first:%Y_%m}"
        if name not in existing and not upkeep_store.default_holds(
            connection, table, first, following
        ):
            upkeep_store.create_partition(connection, table, name, first, following)
        first = following
