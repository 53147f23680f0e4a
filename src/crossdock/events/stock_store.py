"""Statements that find the stock levels that changed, in the ledger and after the fact."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from crossdock import db
from crossdock.engine.store import fetch

Moved = tuple[int, str, str, str, datetime, str, str, str | None]
"""Quantity, from bucket, to bucket, reason, occurred at, source, move id, order id."""


class ChangedLevel(NamedTuple):
    """A level as it is, with the latest moves that led to it and how many there are."""

    sku: str
    node: str
    owner: str
    lot: str
    sellable: int
    reserved: int
    available: int
    damaged: int
    quality_control: int
    in_transit: int
    occurred_at: datetime
    moved: int


def oldest_writer(connection: db.Connection) -> datetime | None:
    """When the oldest transaction began that writes in this database and has not ended."""
    rows = fetch(
        connection,
        "SELECT min(xact_start) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_xid IS NOT NULL"
        " AND pid <> pg_backend_pid()",
    )
    found: datetime | None = rows[0][0]
    return found


def looked_until(connection: db.Connection) -> datetime | None:
    """Up to which recorded time the ledger was looked at."""
    found: datetime | None = fetch(connection, "SELECT stock_until FROM event_publisher")[0][0]
    return found


def save_looked_until(connection: db.Connection, until: datetime) -> None:
    """The ledger is looked at up to there."""
    connection.execute("UPDATE event_publisher SET stock_until = %s", (until,))


def rows_by_time(
    connection: db.Connection, after: datetime, until: datetime
) -> list[tuple[datetime, int]]:
    """Recorded times, each with its rows of the ledger: one for every batch that moved units."""
    return fetch(
        connection,
        "SELECT recorded_at, count(*) FROM stock_ledger"
        " WHERE recorded_at > %s AND recorded_at <= %s GROUP BY recorded_at ORDER BY recorded_at",
        (after, until),
    )


_PROMISES = "('free', 'reserved', 'picked')"

# Rows between these buckets tell of promises only: units stay where they are.
_QUIET = f"from_bucket IN {_PROMISES} AND to_bucket IN {_PROMISES}"


def changed_levels(
    connection: db.Connection, after: datetime, until: datetime
) -> list[ChangedLevel]:
    """Levels with a move in that span of recorded time; not those where a promise came and went."""
    rows = fetch(
        connection,
        f"""
        SELECT l.sku, l.node, l.owner, l.lot, l.sellable, l.reserved, l.available, l.damaged,
               l.quality_control, l.in_transit, m.occurred_at, m.count
        FROM (SELECT sku, node, owner, lot, max(occurred_at) AS occurred_at,
                     count(*) FILTER (WHERE NOT ({_QUIET})) AS count
              FROM stock_ledger WHERE recorded_at > %s AND recorded_at <= %s
              GROUP BY sku, node, owner, lot
              HAVING bool_or(NOT ({_QUIET})) OR sum(quantity
                  * ((to_bucket IN ('reserved', 'picked'))::int
                   - (from_bucket IN ('reserved', 'picked'))::int)) <> 0) AS m
        JOIN stock_level l USING (sku, node, owner, lot)
        ORDER BY l.sku, l.node, l.owner, l.lot
        """,
        (after, until),
    )
    return [ChangedLevel(*row) for row in rows]


def latest_moves(
    connection: db.Connection, after: datetime, until: datetime, most: int
) -> dict[tuple[str, str, str, str], Sequence[Moved]]:
    """The latest moves of each level in that span that took units anywhere, at most so many."""
    rows = fetch(
        connection,
        f"""
        SELECT sku, node, owner, lot, quantity, from_bucket::text, to_bucket::text, reason,
               occurred_at, source, source_move_id, order_id
        FROM (SELECT *, row_number() OVER (PARTITION BY sku, node, owner, lot
                                           ORDER BY recorded_at DESC, occurred_at DESC) AS place
              FROM stock_ledger
              WHERE recorded_at > %s AND recorded_at <= %s AND NOT ({_QUIET})) AS moved
        WHERE place <= %s ORDER BY sku, node, owner, lot, place
        """,
        (after, until, most),
    )
    found: dict[tuple[str, str, str, str], list[Moved]] = {}
    for row in rows:
        found.setdefault(tuple(row[:4]), []).append(tuple(row[4:]))
    return dict(found)
