"""Statements of the watch: rules to check in production, and what /metrics asks the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from crossdock import db

MOST_COUNTED = 100_000
"""Queues are counted up to this; how long the oldest waits says more than how many there are."""


def list_rules(connection: db.Connection, names: Sequence[str]) -> None:
    """Give every rule its row, and drop those of rules that this version does not have."""
    connection.execute(
        """
        WITH gone AS (DELETE FROM invariant_check WHERE invariant <> ALL(%s::text[]))
        INSERT INTO invariant_check (invariant, begun_at)
        SELECT name, 'epoch' FROM unnest(%s::text[]) AS name
        ON CONFLICT DO NOTHING
        """,
        (list(names), list(names)),
    )


def claim_rule(connection: db.Connection, now: datetime, begun_before: datetime) -> str | None:
    """The rule that was checked longest ago, if it is due; nobody else takes it meanwhile."""
    row = connection.execute(
        """
        UPDATE invariant_check SET begun_at = %s
        WHERE invariant = (SELECT invariant FROM invariant_check WHERE begun_at <= %s
                           ORDER BY begun_at, invariant LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING invariant
        """,
        (now, begun_before),
    ).fetchone()
    return None if row is None else row[0]


def count_violations(connection: db.Connection, query: str, seconds: int, most: int = 1_000) -> int:
    """How many rows break a rule, at most so many. Raises StatementTimedOut; ends a transaction."""
    with connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute(f"SET LOCAL statement_timeout = '{seconds:d}s'")
        counted = f"SELECT count(*) FROM (SELECT FROM ({query.rstrip(';')}) b LIMIT {most:d}) c"
        row = connection.execute(counted.encode(), prepare=False).fetchone()
    assert row is not None
    return int(row[0])


def save_check(
    connection: db.Connection,
    rule: str,
    now: datetime,
    seconds: float,
    violations: int | None,
    error: str,
) -> None:
    """How the check of a rule ended."""
    connection.execute(
        "UPDATE invariant_check SET ended_at = %s, seconds = %s, violations = %s, error = %s"
        " WHERE invariant = %s",
        (now, seconds, violations, error or None, rule),
    )


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
