"""What /metrics asks the database: queues, freshness, the last check of each invariant."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from crossdock import db

MOST_COUNTED = 100_000
"""Queues are counted up to this; how long the oldest waits says more than how many there are."""


class Check(NamedTuple):
    """The last check of a rule; `violations` is None where it did not end in time."""

    rule: str
    ended_at: datetime
    violations: int | None


def checks(connection: db.Connection) -> list[Check]:
    """Every rule that has been checked."""
    rows = connection.execute(
        "SELECT invariant, ended_at, violations FROM invariant_check"
        " WHERE ended_at IS NOT NULL ORDER BY 1"
    ).fetchall()
    return [Check(*row) for row in rows]


def inbox_messages(connection: db.Connection) -> int:
    """Messages that wait for a worker, counted up to MOST_COUNTED."""
    return _number(connection, f"SELECT count(*) FROM (SELECT FROM inbox LIMIT {MOST_COUNTED}) i")


class OpenEffects(NamedTuple):
    """What waits to be sent to one outside system."""

    connector: str
    effects: int
    due: int
    oldest_at: datetime


def open_effects(connection: db.Connection, now: datetime) -> list[OpenEffects]:
    """Per connector: open effects, those that may be sent now, and since when the oldest waits."""
    rows = connection.execute(
        "SELECT connector, count(*), count(*) FILTER (WHERE available_at <= %s), min(created_at)"
        f" FROM (SELECT * FROM outbox LIMIT {MOST_COUNTED}) o GROUP BY connector ORDER BY 1",
        (now,),
    ).fetchall()
    return [OpenEffects(*row) for row in rows]


class Held(NamedTuple):
    """Messages that wait for a stage, or behind a parked process."""

    reason: str
    messages: int
    oldest_at: datetime


def held_messages(connection: db.Connection) -> list[Held]:
    """By reason."""
    rows = connection.execute(
        "SELECT reason, count(*), min(held_at)"
        f" FROM (SELECT * FROM held_message LIMIT {MOST_COUNTED}) h GROUP BY reason ORDER BY 1"
    ).fetchall()
    return [Held(*row) for row in rows]


def dead_letters(connection: db.Connection) -> int:
    """Dead letters that nobody has retried or skipped."""
    return _number(connection, "SELECT count(*) FROM dead_letter")


def open_cases(connection: db.Connection) -> list[tuple[str, int]]:
    """Open Cases by kind."""
    return connection.execute(
        "SELECT kind, count(*) FROM case_file WHERE status = 'open' GROUP BY kind ORDER BY 1"
    ).fetchall()


class Feed(NamedTuple):
    """How fresh the stock of one source is."""

    source: str
    nodes: int
    oldest_heard_at: datetime
    newest_heard_at: datetime


def feeds(connection: db.Connection) -> list[Feed]:
    """By source."""
    rows = connection.execute(
        "SELECT source, count(*), min(heard_at), max(heard_at)"
        " FROM stock_feed GROUP BY source ORDER BY 1"
    ).fetchall()
    return [Feed(*row) for row in rows]


def reader_lags(connection: db.Connection) -> list[tuple[str, int]]:
    """Per reader of the event log, how many entries it has not read yet."""
    return connection.execute(
        "SELECT r.reader, sum(s.last_entry - r.last_entry)::bigint"
        " FROM log_reader r JOIN shard s ON s.number = r.shard GROUP BY 1 ORDER BY 1"
    ).fetchall()


def _number(connection: db.Connection, statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])
